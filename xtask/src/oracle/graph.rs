//! The symbol graph over all crates of a build, and the walk from a root.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::llvm::{Module, Place, Symbol};

/// A symbol of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    module: usize,
    symbol: usize,
}

/// All crates of one build.
pub struct Graph {
    modules: Vec<Module>,
    names: Vec<Vec<String>>,
    owners: BTreeMap<String, Node>,
}

/// What a walk reached, each node with the one it was reached from.
pub type Reached = BTreeMap<Node, Option<Node>>;

impl Graph {
    /// Reads the IR of every crate.
    pub fn read(files: &[PathBuf]) -> Result<Graph> {
        let mut modules = Vec::new();
        for file in files {
            let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            modules.push(Module::parse(String::from_utf8_lossy(&text).into_owned()));
        }
        Ok(Graph::new(modules))
    }

    fn new(modules: Vec<Module>) -> Graph {
        let names: Vec<Vec<String>> = modules.iter().map(|m| m.symbols.keys().cloned().collect()).collect();
        let mut owners = BTreeMap::new();
        for (module, names) in names.iter().enumerate() {
            for (symbol, name) in names.iter().enumerate() {
                if !modules[module].symbols[name].private {
                    owners.entry(name.clone()).or_insert(Node { module, symbol });
                }
            }
        }
        Graph { modules, names, owners }
    }

    /// The symbol of the free function or method that demangles to `path`.
    pub fn root(&self, path: &str) -> Result<Node> {
        let mut found = self
            .owners
            .iter()
            .filter(|(name, _)| as_path(&demangled(name)) == path)
            .map(|(_, node)| *node);
        match (found.next(), found.next()) {
            (Some(node), None) => Ok(node),
            (None, _) => {
                bail!("no symbol `{path}`: a root must be a public function or method that is not generic")
            }
            (Some(_), Some(_)) => bail!("more than one symbol `{path}`"),
        }
    }

    /// Everything that `root` reaches, through mentions that `allowed` lets pass.
    pub fn walk(&self, root: Node, mut allowed: impl FnMut(Node, Node) -> bool) -> Reached {
        let mut reached = Reached::from([(root, None)]);
        let mut todo = vec![root];
        while let Some(node) = todo.pop() {
            for next in self.mentions(node) {
                if !reached.contains_key(&next) && allowed(node, next) {
                    reached.insert(next, Some(node));
                    todo.push(next);
                }
            }
        }
        reached
    }

    /// Every symbol of every crate.
    pub fn all(&self) -> Reached {
        let modules = self.names.iter().enumerate();
        let nodes = modules.flat_map(|(module, names)| (0..names.len()).map(move |symbol| Node { module, symbol }));
        nodes.map(|node| (node, None)).collect()
    }

    /// Where a function stands; none for what has no place, and for std's.
    pub fn place(&self, node: Node) -> Option<Place> {
        let place = self.modules[node.module].place(self.symbol(node))?;
        let std = place.file.starts_with("/rustc/") || place.file.starts_with("/rust/deps/");
        (!std && !place.file.contains("/lib/rustlib/src/")).then_some(place)
    }

    /// The symbol's path as a person reads it.
    pub fn path(&self, node: Node) -> String {
        demangled(self.name(node))
    }

    /// Whether this is a table of methods for trait objects.
    pub fn is_vtable(&self, node: Node) -> bool {
        let name = self.name(node);
        // One that is computed while compiling, say for a static, is a constant like any other.
        name.starts_with("vtable")
            || name.starts_with("anon.") && is_vtable(self.modules[node.module].body(self.symbol(node)))
    }

    /// One text for all that was reached: equal iff the compiled code is. Places in the source, symbol hashes and the numbers
    /// of private constants are left out.
    pub fn fingerprint(&self, reached: &Reached) -> BTreeSet<String> {
        let shared = reached.keys().filter(|node| !self.symbol(**node).private);
        shared
            .map(|node| format!("{} = {}", self.path(*node), self.normal(*node, 0)))
            .collect()
    }

    /// A symbol's code, with private constants replaced by their content.
    fn normal(&self, node: Node, depth: usize) -> String {
        let module = &self.modules[node.module];
        let mut out = String::new();
        for line in module.body(self.symbol(node)).lines().map(str::trim) {
            if line.starts_with(';') || line.starts_with("#dbg_") {
                continue;
            }
            let code = ["; preds", ", !dbg", " !dbg"]
                .iter()
                .fold(line, |code, end| code.split(end).next().unwrap_or(code));
            let mut rest = code;
            while let Some(at) = rest.find(['@', '!', '#']) {
                let len = rest[at + 1..].find(|c: char| !c.is_ascii_alphanumeric() && !"_$.".contains(c));
                let end = len.map_or(rest.len(), |len| at + 1 + len);
                let name = &rest[at + 1..end];
                out.push_str(&rest[..at]);
                match self.resolve(node.module, name) {
                    // Numbers of metadata and attribute groups say nothing.
                    _ if !rest[at..].starts_with('@') => {}
                    Some(to) if self.symbol(to).private && depth < 8 => {
                        let _ = write!(out, "{{{}}}", self.normal(to, depth + 1));
                    }
                    _ => out.push_str(&demangled(name)),
                }
                rest = &rest[end..];
            }
            out.push_str(rest);
            out.push('\n');
        }
        out
    }

    fn mentions(&self, node: Node) -> Vec<Node> {
        let module = &self.modules[node.module];
        module
            .mentions(self.symbol(node))
            .into_iter()
            .filter_map(|name| self.resolve(node.module, name))
            .collect()
    }

    fn resolve(&self, module: usize, name: &str) -> Option<Node> {
        match self.names[module].binary_search_by(|known| known.as_str().cmp(name)) {
            Ok(symbol) => Some(Node { module, symbol }),
            Err(_) => self.owners.get(name).copied(),
        }
    }

    fn name(&self, node: Node) -> &str {
        &self.names[node.module][node.symbol]
    }

    fn symbol(&self, node: Node) -> &Symbol {
        &self.modules[node.module].symbols[self.name(node)]
    }
}

/// Whether a constant holds what a table of methods does: how to drop the value (nothing, or a function), its size and
/// alignment, and methods.
fn is_vtable(constant: &str) -> bool {
    let nothing_to_drop = constant.contains("<{ [24 x i8], ptr") && constant.contains(r#"c"\00\00\00\00\00\00\00\00"#);
    let first = constant
        .split('@')
        .nth(2)
        .and_then(|rest| rest.split([',', ' ']).next());
    let drops = constant.contains("<{ ptr, [16 x i8], ptr")
        && first.is_some_and(|symbol| demangled(symbol.trim_matches('"')).contains("drop_in_place"));
    nothing_to_drop || drops
}

/// `<a::T>::m` as `a::T::m`, as the tool names methods.
fn as_path(symbol: &str) -> String {
    let inherent = symbol.strip_prefix('<').filter(|_| !symbol.contains(" as "));
    match inherent.and_then(|rest| rest.split_once(">::")) {
        Some((ty, method)) => format!("{ty}::{method}"),
        None => symbol.to_owned(),
    }
}

/// Without crate hashes.
fn demangled(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(crates: &[&str]) -> Graph {
        Graph::new(crates.iter().map(|ir| Module::parse((*ir).to_owned())).collect())
    }

    #[test]
    fn the_walk_crosses_crates_and_can_be_held_back() {
        let app = "@vtable.0 = private constant ptr @far\ndefine void @root() {\n  call void @far(ptr @vtable.1)\n  store ptr @vtable.0\n}\ndeclare void @far()\n";
        let dep = "define void @far() {\n  call void @near()\n}\ndefine internal void @near() {\n}\n";
        let graph = graph(&[app, dep]);
        let root = graph.root("root").expect("it is there");
        let names = |reached: Reached| {
            reached
                .into_keys()
                .map(|n| graph.name(n).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(graph.walk(root, |_, _| true)),
            ["root", "vtable.0", "far", "near"]
        );
        let held = graph.walk(root, |_, to| graph.name(to) != "far");
        assert_eq!(names(held), ["root", "vtable.0"]);
        assert!(graph.root("nowhere").is_err());
    }

    #[test]
    fn the_fingerprint_sees_a_private_constant_and_not_its_number() {
        let of = |number: u32, content: &str| {
            let ir = format!(
                "@alloc_{number} = private constant {content}\ndefine void @root() {{\n  store ptr @alloc_{number}\n}}\n"
            );
            let graph = graph(&[&ir]);
            graph.fingerprint(&graph.walk(graph.root("root").expect("it is there"), |_, _| true))
        };
        assert_eq!(of(1, "i8 7"), of(2, "i8 7"));
        assert_ne!(of(1, "i8 7"), of(1, "i8 8"));
    }
}
