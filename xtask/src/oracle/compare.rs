//! Symbols and definitions as source functions, and the two closures of a root side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::closure::Definition;
use super::graph::{Graph, Node, Reached};
use super::llvm::{Place, normalised};
use super::source::{File, FnItem};

/// A source function: file and offset of its first token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FnKey {
    pub file: String,
    pub start: usize,
}

/// Source files, read when first asked for.
#[derive(Default)]
pub struct Sources {
    files: BTreeMap<String, Option<File>>,
}

/// The two closures of one root.
pub struct Comparison {
    pub root: String,
    /// Functions that rustc reaches.
    pub truth: BTreeSet<FnKey>,
    /// Functions in the tool's closure.
    pub ours: BTreeSet<FnKey>,
    /// In `truth` and not in `ours`, and can run: must be empty.
    pub missing: BTreeSet<FnKey>,
    /// Those of them that a function of `ours` leads to, with the symbols on the way: each is a mistake, the others follow.
    pub first_missing: BTreeMap<FnKey, String>,
    /// In `truth` and not in `ours`, but only in a table of methods, under a name nothing in `ours` says: cannot run.
    pub only_in_vtables: usize,
    /// Compiled functions that stand in no written one: derives and the like.
    pub unwritten: usize,
}

impl Sources {
    pub fn file(&mut self, path: &str) -> Option<&File> {
        let load = || fs::read_to_string(path).ok().map(File::new);
        self.files.entry(path.to_owned()).or_insert_with(load).as_ref()
    }

    /// The written function that was compiled to what stands at `place`.
    pub fn compiled(&mut self, place: &Place) -> Option<FnKey> {
        let found = self.file(&place.file)?.fn_named(&place.name, place.line)?;
        Some(FnKey {
            file: place.file.clone(),
            start: found.range.start,
        })
    }

    /// The functions that a definition of a closure stands for.
    fn defined(&mut self, definition: &Definition) -> Vec<FnKey> {
        let path = normalised(&definition.file.to_string_lossy());
        let Some(file) = self.file(&path) else {
            return Vec::new();
        };
        let key = |f: &FnItem| FnKey {
            file: path.clone(),
            start: f.range.start,
        };
        match definition.kind.as_str() {
            kind if kind.contains("macro") => {
                // A macro, or a call of one, is hashed as a whole, with each function inside.
                let Some(item) = file.item_at(definition.line) else {
                    return Vec::new();
                };
                let (Some(first), Some(last)) = (file.toks.get(item.start), file.toks.get(item.end - 1)) else {
                    return Vec::new();
                };
                let inside = first.range.start..last.range.end;
                file.fns.iter().filter(|f| inside.contains(&f.word)).map(key).collect()
            }
            kind if kind.contains("fn") || kind.contains("function") || kind.contains("method") => {
                let header = |f: &&FnItem| (f.lines.start..=file.line(f.word)).contains(&definition.line);
                let name = definition.path.rsplit("::").next().unwrap_or_default();
                let named = file.fns.iter().filter(header).find(|f| f.name == name);
                let found = named
                    .or_else(|| file.fns.iter().find(header))
                    .or_else(|| file.innermost(definition.line));
                found.map(key).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Names that the functions and macros say after a dot or a colon: only those can run a method of a trait object.
    fn said(&mut self, ours: &BTreeSet<FnKey>, closure: &[Definition]) -> BTreeSet<String> {
        let mut said = BTreeSet::new();
        for key in ours {
            let Some(file) = self.file(&key.file) else {
                continue;
            };
            if let Some(found) = file.fns.iter().find(|f| f.range.start == key.start) {
                file.said(found.body.clone(), &mut said);
            }
        }
        for definition in closure.iter().filter(|it| it.kind.contains("macro")) {
            let path = normalised(&definition.file.to_string_lossy());
            let Some(file) = self.file(&path) else {
                continue;
            };
            if let Some(item) = file.item_at(definition.line) {
                file.said(item, &mut said);
            }
        }
        said
    }

    fn name(&mut self, key: &FnKey) -> Option<&str> {
        let file = self.file(&key.file)?;
        Some(&file.fns.iter().find(|f| f.range.start == key.start)?.name)
    }
}

/// Compares what rustc reaches from `root` with the tool's closure of it.
pub fn compare(graph: &Graph, node: Node, root: &str, closure: &[Definition], sources: &mut Sources) -> Comparison {
    let reached = graph.walk(node, |_, _| true);
    let (truth, unwritten) = written(graph, &reached, sources);
    let ours: BTreeSet<FnKey> = closure
        .iter()
        .flat_map(|definition| sources.defined(definition))
        .collect();
    let said = sources.said(&ours, closure);
    let mut key_of = BTreeMap::new();
    for node in reached.keys() {
        key_of.extend(
            graph
                .place(*node)
                .and_then(|place| Some((*node, sources.compiled(&place)?))),
        );
    }
    let is_missing = |node: Node| key_of.get(&node).is_some_and(|key| !ours.contains(key));
    let silent: BTreeSet<Node> = key_of
        .iter()
        .filter(|(_, key)| sources.name(key).is_some_and(|name| !said.contains(name)))
        .map(|(node, _)| *node)
        .collect();
    // An entry of a table of methods under a name that nothing says cannot run.
    let can_run = |from, to| !(graph.is_vtable(from) && is_missing(to) && silent.contains(&to));
    let runs = graph.walk(node, can_run);
    let missing: BTreeSet<FnKey> = runs
        .keys()
        .filter(|node| is_missing(**node))
        .map(|node| key_of[node].clone())
        .collect();
    let first = graph.walk(node, |from, to| can_run(from, to) && !is_missing(from));
    let first_missing = first.keys().filter(|node| is_missing(**node));
    Comparison {
        root: root.to_owned(),
        only_in_vtables: truth.difference(&ours).count() - missing.len(),
        first_missing: first_missing
            .map(|node| (key_of[node].clone(), way(graph, &first, *node)))
            .collect(),
        missing,
        truth,
        ours,
        unwritten,
    }
}

/// The written functions among what was reached, and how many compiled ones are in none.
pub fn written(graph: &Graph, reached: &Reached, sources: &mut Sources) -> (BTreeSet<FnKey>, usize) {
    let mut keys = BTreeSet::new();
    let mut unwritten = BTreeSet::new();
    for place in reached.keys().filter_map(|node| graph.place(*node)) {
        match sources.compiled(&place) {
            Some(key) => drop(keys.insert(key)),
            None => drop(unwritten.insert(place)),
        }
    }
    (keys, unwritten.len())
}

/// The last steps that lead to a node.
fn way(graph: &Graph, reached: &Reached, node: Node) -> String {
    let steps = std::iter::successors(Some(node), |node| reached.get(node).copied().flatten());
    let mut steps: Vec<String> = steps.take(3).map(|node| graph.path(node)).collect();
    steps.reverse();
    steps.join(" > ")
}

impl FnKey {
    /// `file:line fn name`, the file relative to `dir` where it is below it.
    pub fn describe(&self, dir: &Path, sources: &mut Sources) -> String {
        let shown = Path::new(&self.file)
            .strip_prefix(dir)
            .unwrap_or(Path::new(&self.file))
            .display()
            .to_string();
        match sources.file(&self.file) {
            Some(file) => {
                let name = file
                    .fns
                    .iter()
                    .find(|f| f.range.start == self.start)
                    .map_or("?", |f| f.name.as_str());
                format!("{shown}:{} fn {name}", file.line(self.start))
            }
            None => shown,
        }
    }
}
