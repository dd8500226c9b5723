//! One project: a baseline, then each edit in turn, with the tool's answer held against the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::edits::{Keep, Random, bump, constants, panic};
use crate::oracle::{File, FnItem, FnKey, Graph, Sources, Tool, Workspace, build, written};

/// How many edits of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub semantic: usize,
    pub constants: usize,
    pub preserving: usize,
}

/// What an edit is, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Semantic,
    Constant,
    Preserving,
}

/// One edit and one root.
#[derive(Debug)]
pub struct Record {
    pub group: Group,
    /// What was done, where.
    pub what: String,
    pub root: String,
    /// Whether the edit concerns the root.
    pub concerns: bool,
    /// Whether the fingerprint changed.
    pub changed: bool,
}

/// All records of a project, and what could not be tried.
#[derive(Debug, Default)]
pub struct Trials {
    pub records: Vec<Record>,
    pub skipped: BTreeMap<String, usize>,
}

/// A project with its truth and its baseline.
pub struct Bench<'a> {
    workspace: &'a Workspace,
    target: &'a Path,
    tool: &'a Tool,
    reach: BTreeMap<String, BTreeSet<FnKey>>,
    compiled: BTreeSet<FnKey>,
    code: BTreeMap<String, BTreeSet<String>>,
    base: BTreeMap<String, String>,
    /// The members' files, unedited.
    files: BTreeMap<String, File>,
    trials: Trials,
}

/// Runs all trials of one project.
pub fn run(workspace: &Workspace, target: &Path, tool: &Tool, counts: Counts, seed: u64) -> Result<Trials> {
    let mut bench = Bench::new(workspace, target, tool)?;
    let mut random = Random::new(seed);
    bench.semantic(counts.semantic, &mut random)?;
    bench.preserving(counts.preserving, &mut random)?;
    bench.constants(counts.constants, &mut random)?;
    Ok(bench.trials)
}

impl<'a> Bench<'a> {
    fn new(workspace: &'a Workspace, target: &'a Path, tool: &'a Tool) -> Result<Bench<'a>> {
        let graph = Graph::read(&build(&workspace.dir, &workspace.package, target)?)?;
        let mut sources = Sources::default();
        let mut reach = BTreeMap::new();
        for root in &workspace.roots {
            let reached = graph.walk(graph.root(root)?, |_, _| true);
            reach.insert(root.clone(), written(&graph, &reached, &mut sources).0);
        }
        let (compiled, _) = written(&graph, &graph.all(), &mut sources);
        let base = tool.fingerprints(&workspace.dir, &workspace.roots)?;
        let again = tool.fingerprints(&workspace.dir, &workspace.roots)?;
        ensure!(base == again, "the tool gives other fingerprints the second time");
        let inside = |key: &&FnKey| Path::new(&key.file).starts_with(&workspace.dir);
        let names: BTreeSet<&String> = compiled.iter().filter(inside).map(|key| &key.file).collect();
        let mut files = BTreeMap::new();
        for name in names {
            let text = fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
            files.insert(name.clone(), File::new(text));
        }
        let code = code(&graph, workspace)?;
        Ok(Bench {
            workspace,
            target,
            tool,
            reach,
            compiled,
            code,
            base,
            files,
            trials: Trials::default(),
        })
    }

    /// Functions that a root reaches, that are only compiled, and that are not even that: the first as many as the others.
    fn semantic(&mut self, wanted: usize, random: &mut Random) -> Result<()> {
        let (mut reached, mut compiled, mut dead) = (Vec::new(), Vec::new(), Vec::new());
        for (key, item) in self.functions() {
            let is_reached = self.reach.values().any(|keys| keys.contains(&key));
            let pool = match self.compiled.contains(&key) {
                _ if is_reached => &mut reached,
                true => &mut compiled,
                false => &mut dead,
            };
            pool.push((key, item));
        }
        let mut jobs = Vec::new();
        for (mut pool, share) in [(reached, wanted), (compiled, wanted * 2 / 3), (dead, wanted / 3)] {
            random.shuffle(&mut pool);
            pool.truncate(share);
            jobs.extend(pool);
        }
        for (key, item) in jobs {
            let file = &self.files[&key.file];
            let with_panic = if random.below(4) == 0 { None } else { panic(file, &item) };
            let edited = with_panic.map(|text| ("a panic", text));
            let edited = edited.or_else(|| Some(("a number", bump(file, item.body.clone(), random)?)));
            let edited = edited.or_else(|| Some(("a panic", panic(file, &item)?)));
            let Some((what, text)) = edited else {
                self.skip("no place to edit");
                continue;
            };
            let what = format!("{what} in {}", self.describe(&key, &item));
            // A const fn that is not compiled may still have run in the compiler.
            let truth = self
                .reach
                .iter()
                .filter(|(_, keys)| keys.contains(&key) || !item.is_const);
            let truth = truth.map(|(root, keys)| (root.clone(), keys.contains(&key))).collect();
            self.try_edit(Group::Semantic, &what, &key.file, &text, truth)?;
        }
        Ok(())
    }

    fn preserving(&mut self, wanted: usize, random: &mut Random) -> Result<()> {
        let mut pool = self.functions();
        pool.retain(|(key, _)| self.reach.values().any(|keys| keys.contains(key)));
        random.shuffle(&mut pool);
        for keep in Keep::ALL {
            let mut done = 0;
            for (key, item) in &pool {
                let share = wanted.div_ceil(Keep::ALL.len());
                let Some(text) = keep
                    .apply(&self.files[&key.file], item, random)
                    .filter(|_| done < share)
                else {
                    continue;
                };
                done += 1;
                let what = format!("{} at {}", keep.name(), self.describe(key, item));
                let truth = self.reach.keys().map(|root| (root.clone(), false)).collect();
                self.try_edit(Group::Preserving, &what, &key.file, &text, truth)?;
            }
        }
        Ok(())
    }

    /// Numbers in constants, statics and macros: only building again tells whom they concern.
    fn constants(&mut self, wanted: usize, random: &mut Random) -> Result<()> {
        let mut sites = Vec::new();
        for (name, file) in &self.files {
            sites.extend(
                constants(file)
                    .into_iter()
                    .map(|(kind, tokens)| (name.clone(), kind, tokens)),
            );
        }
        random.shuffle(&mut sites);
        let mut done = 0;
        for (name, kind, tokens) in sites {
            if done == wanted {
                break;
            }
            let file = &self.files[&name];
            let line = file.line(file.toks[tokens.start].range.start);
            let Some(text) = bump(file, tokens, random) else {
                continue;
            };
            let what = format!("a number in a {kind} at {}:{line}", self.shown(&name));
            write(&name, &text)?;
            match self.rebuilt() {
                Ok(truth) => {
                    self.try_edit(Group::Constant, &what, &name, &text, truth)?;
                    done += 1;
                }
                Err(_) => {
                    self.skip("the edit does not compile");
                    write(&name, &self.files[&name].text)?;
                }
            }
        }
        Ok(())
    }

    fn rebuilt(&self) -> Result<BTreeMap<String, bool>> {
        let graph = Graph::read(&build(&self.workspace.dir, &self.workspace.package, self.target)?)?;
        let code = code(&graph, self.workspace)?;
        Ok(code
            .into_iter()
            .map(|(root, code)| (root.clone(), code != self.code[&root]))
            .collect())
    }

    fn try_edit(
        &mut self,
        group: Group,
        what: &str,
        file: &str,
        text: &str,
        truth: BTreeMap<String, bool>,
    ) -> Result<()> {
        write(file, text)?;
        let answer = self.tool.fingerprints(&self.workspace.dir, &self.workspace.roots);
        write(file, &self.files[file].text)?;
        let answer = answer.with_context(|| format!("after {what}"))?;
        for (root, concerns) in truth {
            let changed = answer[&root] != self.base[&root];
            self.trials.records.push(Record {
                group,
                what: what.to_owned(),
                root,
                concerns,
                changed,
            });
        }
        Ok(())
    }

    fn functions(&self) -> Vec<(FnKey, FnItem)> {
        let of = |(name, file): (&String, &File)| {
            let key = |item: &FnItem| FnKey {
                file: name.clone(),
                start: item.range.start,
            };
            file.fns
                .iter()
                .map(|item| (key(item), item.clone()))
                .collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of).collect()
    }

    fn describe(&self, key: &FnKey, item: &FnItem) -> String {
        format!("{}:{} fn {}", self.shown(&key.file), item.lines.start, item.name)
    }

    fn shown(&self, file: &str) -> String {
        Path::new(file)
            .strip_prefix(&self.workspace.dir)
            .unwrap_or(Path::new(file))
            .display()
            .to_string()
    }

    fn skip(&mut self, why: &str) {
        *self.trials.skipped.entry(why.to_owned()).or_default() += 1;
    }
}

/// The compiled code of each root.
fn code(graph: &Graph, workspace: &Workspace) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let of = |root: &String| {
        let reached = graph.walk(graph.root(root)?, |_, _| true);
        Ok((root.clone(), graph.fingerprint(&reached)))
    };
    workspace.roots.iter().map(of).collect()
}

fn write(file: &str, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {file}"))
}
