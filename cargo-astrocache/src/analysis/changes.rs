//! Why two fingerprints of one function differ: the definitions and facts of its closure that are not the same, as a
//! person would say it.

use std::fmt;

use camino::Utf8PathBuf;

use super::run::place;
use crate::{
    db::{AnalysisDb, Workspace},
    fingerprint::{DefPath, Difference},
    resolve::{DefId, World, resolver},
    syntax::DefKind,
};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    /// The path of a definition; else what it is, in words.
    pub what: String,
    /// `None`: no definition.
    pub definition: Option<DefKind>,
    /// Relative to the workspace root where it is inside; empty if it is no definition.
    pub file: Utf8PathBuf,
    /// Of the name, from 1; 0 if it is not known.
    pub line: u32,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    Changed,
    New,
    Gone,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChangeKind::Changed => "changed",
            ChangeKind::New => "new",
            ChangeKind::Gone => "gone",
        })
    }
}

/// The names and places of definitions at one moment.
#[derive(Clone)]
pub struct Names {
    world: World<'static>,
}

/// Those names, and where to look for lines: nowhere once the files have changed.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub names: &'a Names,
    pub db: &'a AnalysisDb,
    pub is_current: bool,
}

impl Names {
    /// Those of the present state of `db`.
    pub fn of(db: &AnalysisDb, workspace: Workspace) -> Names {
        Names {
            world: resolver(db, workspace).past(),
        }
    }

    /// Whether these are those of `other`, and definitions have the numbers they have there.
    pub fn is(&self, other: &Names) -> bool {
        self.world.is(&other.world)
    }
}

/// Says what `differences` are about. Changed definitions first, and among all those in the files of `first`.
pub fn changes(before: Side<'_>, after: Side<'_>, differences: &[Difference], first: &[Utf8PathBuf]) -> Vec<Change> {
    let mut out: Vec<(bool, Change)> = differences
        .iter()
        .map(|difference| match difference {
            Difference::Changed { after: id, .. } => change(after, ChangeKind::Changed, *id, first),
            Difference::New(id) => change(after, ChangeKind::New, *id, first),
            Difference::Gone(id) => change(before, ChangeKind::Gone, *id, first),
            Difference::Fact(what) => (true, fact(what)),
        })
        .collect();
    let key = |(elsewhere, it): &(bool, Change)| {
        let is_fact = it.definition.is_none();
        (*elsewhere, is_fact, it.kind, it.file.clone(), it.line, it.what.clone())
    };
    out.sort_by_cached_key(key);
    out.into_iter().map(|it| it.1).collect()
}

/// Whether it is in none of the files of `first`, and the change.
fn change(side: Side<'_>, kind: ChangeKind, id: DefId, first: &[Utf8PathBuf]) -> (bool, Change) {
    let Names { world } = side.names;
    // Not by the file's input: the database may be another one than that of the names.
    let unit = world.map(id.krate).and_then(|map| map.units.get(id.unit as usize));
    let path = unit.map_or(Utf8PathBuf::new(), |unit| {
        world.project.package_of(id.krate).root.join(unit.path.as_str())
    });
    let line = match side.is_current {
        true => place(side.db, world, id).line,
        false => 0,
    };
    let root = &world.project.workspace_root;
    let change = Change {
        kind,
        what: DefPath { world }.of(id),
        definition: world.def(id).map(|def| def.kind),
        file: path.strip_prefix(root).unwrap_or(&path).to_owned(),
        line,
    };
    (!first.contains(&path), change)
}

fn fact(what: &str) -> Change {
    Change {
        kind: ChangeKind::Changed,
        what: what.to_owned(),
        definition: None,
        file: Utf8PathBuf::new(),
        line: 0,
    }
}
