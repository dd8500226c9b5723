//! R10, R12: the files that proc macros open while a closure is compiled.
//!
//! Which those are, only running them would tell. A proc macro whose code opens files may open whatever its call names, found
//! from any of the directories that such macros start from, and what its own code names. What is in them may be code of the
//! user's: templates.

use std::{collections::BTreeSet, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Item, closure};
use crate::{
    db::{Db, Workspace, bodies, literals_between, string_literals},
    project::{Edition, Package, PackageId, PackageSource},
    resolve::{DefId, Reads, Unit, UnitId, Use, resolver, uses},
    source,
    syntax::{MentionKind, Name},
};

/// A place where a proc macro is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    pub entry: DefId,
    pub unit: UnitId,
    /// The definition that calls it; `None`: somewhere in the file.
    pub def: Option<u32>,
}

/// What a call may open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Files and directories that are there: how they are found, and where.
    pub found: BTreeSet<(String, Utf8PathBuf)>,
    /// What was looked at to find out, be it there or not.
    pub reads: Reads,
}

/// See [`Opened`]. Packages that are pinned hold what they always held: nothing is looked for there.
#[salsa::tracked(returns(clone))]
pub fn opened(db: &dyn Db, workspace: Workspace, call: Call) -> Arc<Opened> {
    let world = resolver(db, workspace);
    let package = world.project.package_of(call.unit.0);
    let unit = world.map(call.unit.0).map(|map| &map.units[call.unit.1 as usize]);
    let Some(unit) = unit.filter(|_| package.source == PackageSource::Path) else {
        return Arc::default();
    };
    let Some(own) = opened_by(db, workspace, call.entry) else {
        return Arc::default();
    };
    let literals = match call.def {
        Some(def) => strings_of(db, unit, def),
        None => string_literals(db, unit.file),
    };
    let mut reader = Reader {
        db,
        package,
        workspace_root: &world.project.workspace_root,
        out: Opened::default(),
    };
    reader.out.reads.texts.insert(call.unit);
    let beside = Utf8Path::new(unit.path.as_str()).parent().unwrap_or(Utf8Path::new(""));
    for literal in literals.iter() {
        for dir in [Utf8Path::new(""), beside, Utf8Path::new("src")] {
            reader.add(dir, literal);
        }
        reader.add_from_workspace(literal);
    }
    for literal in own.iter().flat_map(|it| pieces(it)).filter(|it| !is_everywhere(it)) {
        reader.add_with_settings(literal);
        reader.add_from_workspace(literal);
    }
    Arc::new(reader.out)
}

/// The names in what a call may open.
#[salsa::tracked(returns(clone))]
pub fn words(db: &dyn Db, workspace: Workspace, call: Call) -> Arc<[Name]> {
    let mut out = BTreeSet::new();
    for (_, path) in &opened(db, workspace, call).found {
        // It is read again when this is another.
        let _ = db.files().blob(db, path).revision(db);
        out.extend(source::words(path));
    }
    out.iter().map(|word| Name::new(word)).collect()
}

/// The strings in the packages of a proc macro's closure that open files; `None` if there are none. Those may name files.
#[salsa::tracked(returns(clone))]
pub fn opened_by(db: &dyn Db, workspace: Workspace, entry: DefId) -> Option<Arc<[String]>> {
    let world = resolver(db, workspace);
    let closure = closure(db, workspace, entry);
    let units: BTreeSet<UnitId> = closure.items.iter().map(|item| (item.id.krate, item.id.unit)).collect();
    let opens = |item: &&Item| {
        let id = item.id;
        let graph = uses(db, workspace, id.krate, id.unit);
        let uses = graph.of(&world, id.def);
        uses.impure.iter().any(|it| it.kind == "fs") || uses.all.iter().any(asks_the_disk)
    };
    let packages: BTreeSet<PackageId> = closure
        .items
        .iter()
        .filter(opens)
        .map(|item| world.project.krate(item.id.krate).package)
        .collect();
    if packages.is_empty() {
        return None;
    }
    let own = world.project.krate(entry.krate).package;
    let mut out = BTreeSet::new();
    for (krate, unit) in units {
        let package = world.project.krate(krate).package;
        if let Some(map) = world
            .map(krate)
            .filter(|_| package == own || packages.contains(&package))
        {
            out.extend(string_literals(db, map.units[unit as usize].file).iter().cloned());
        }
    }
    Some(out.into_iter().collect())
}

/// Methods of `std::path::Path` that look at files, whatever has them here.
fn asks_the_disk(it: &Use) -> bool {
    let name = it.path[0].as_str();
    it.kind == MentionKind::Method
        && matches!(
            name,
            "read_dir" | "exists" | "try_exists" | "is_file" | "is_dir" | "canonicalize" | "read_link"
        )
}

/// The string literals of one definition.
fn strings_of(db: &dyn Db, unit: &Unit, def: u32) -> Arc<Vec<String>> {
    // Bodies are equal to a query wherever they stand: with the revision these are those of the text as it is.
    let _ = unit.file.revision(db);
    let bodies = bodies(db, unit.file);
    match bodies.unit(&unit.expansion).get(def as usize) {
        Some(body) => literals_between(db, unit.file, body.range.0, body.range.1),
        None => Arc::default(),
    }
}

/// What stands between the places of a format string: `templates` of `{home}/templates/{name}`.
fn pieces(literal: &str) -> impl Iterator<Item = &str> {
    literal
        .split(['{', '}'])
        .step_by(2)
        .map(|piece| piece.trim_matches('/'))
}

/// What each package has: a macro that names it finds out about the package, not about data.
fn is_everywhere(literal: &str) -> bool {
    matches!(
        clean(literal).trim_end_matches('/'),
        "Cargo.toml" | "Cargo.lock" | "src" | "src/lib.rs" | "src/main.rs" | "target"
    )
}

/// Finds files of one package.
struct Reader<'a> {
    db: &'a dyn Db,
    package: &'a Package,
    workspace_root: &'a Utf8Path,
    out: Opened,
}

impl Reader<'_> {
    /// What `literal` names from a directory of the package, if there is something.
    fn add(&mut self, dir: &Utf8Path, literal: &str) -> Option<Utf8PathBuf> {
        let name = dir.join(as_path(literal)?);
        let path = self.package.root.join(&name);
        self.add_path(&path, name.as_str()).then_some(path)
    }

    /// The same from the directory of the workspace, where that is another one.
    fn add_from_workspace(&mut self, literal: &str) {
        if let Some(name) = as_path(literal).filter(|_| self.package.root != self.workspace_root) {
            let path = self.workspace_root.join(&name);
            self.add_path(&path, &format!("/{name}"));
        }
    }

    /// The same as [`Reader::add`], and if it is a file of settings what that names.
    fn add_with_settings(&mut self, literal: &str) {
        let Some(path) = self.add(Utf8Path::new(""), literal) else {
            return;
        };
        if matches!(path.extension(), Some("toml" | "json")) {
            let file = self.db.files().file(self.db, &path, Edition::E2024);
            for literal in string_literals(self.db, file).iter().filter(|it| !is_everywhere(it)) {
                self.add(Utf8Path::new(""), literal);
            }
        }
    }

    fn add_path(&mut self, path: &Utf8Path, name: &str) -> bool {
        let content = self.db.files().blob(self.db, path).revision(self.db);
        self.out.reads.data.insert(path.to_owned());
        if content.is_some() {
            self.out.found.insert((name.to_owned(), path.to_owned()));
        }
        content.is_some()
    }
}

/// A string as a path from some directory, if it may be one.
fn as_path(literal: &str) -> Option<String> {
    let rest = ["$CARGO_MANIFEST_DIR", "${CARGO_MANIFEST_DIR}"]
        .iter()
        .find_map(|home| literal.strip_prefix(home));
    let path = clean(rest.unwrap_or(literal));
    let is_plausible = path.len() < 200 && !path.contains(|c: char| c.is_control() || "{}<>;:\"\\$*?|".contains(c));
    let names_something = path.contains(char::is_alphanumeric) || (path.is_empty() && rest.is_some());
    (is_plausible && names_something).then_some(path)
}

fn clean(path: &str) -> String {
    path.trim_start_matches("./").trim_start_matches('/').to_owned()
}
