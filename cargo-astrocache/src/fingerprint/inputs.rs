//! R12 for programs: the files that build scripts and proc macros read while the closure is compiled.
//!
//! Which those are, only running them would tell. A build script says it in `rerun-if-changed`, else it may be any file
//! of its package. A proc macro that opens files may open whatever its call names, found from any of the directories that such
//! macros start from, and what its own code names.

use std::{collections::BTreeSet, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};

use super::facts::{Facts, Programs, hex, program};
use crate::{
    db::{Db, Workspace, bodies, literals_between, string_literals},
    project::{CrateId, Edition, Package, PackageId, PackageSource},
    reach::{Closure, opened_by},
    resolve::{DefId, ModId, Ns, Res, Unit, World, declarations},
    syntax::{Name, known},
};

/// A package with a build script: the script, its dependencies and its inputs stand for it as a whole.
pub fn of_build_script(
    db: &dyn Db,
    workspace: Workspace,
    world: &World<'_>,
    id: PackageId,
    programs: &mut Programs,
    facts: &mut Facts,
) {
    let package = world.project.package(id);
    let Some(script) = package.build_script else {
        return;
    };
    // It can ask for any feature by `CARGO_FEATURE_..`.
    facts.cfgs.insert(format!("{} features", package.name));
    if let PackageSource::Locked { pin } = &package.source {
        facts.lines.insert(format!("build script {} {pin}", package.name));
        return;
    }
    let main = world.resolve(
        ModId {
            krate: script,
            module: 0,
        },
        &[known::SELF, Name::new("main")],
        Ns::Value,
    );
    for target in main.targets {
        if let Res::Def(main) = target.res {
            program(db, workspace, main, "build script", programs, facts);
        }
    }
    let map = declarations(db, workspace, script);
    let mut inputs = Inputs::default();
    let files = map.units.iter().zip(0..);
    for (unit, number) in files.filter(|(unit, _)| unit.expansion.is_empty()) {
        facts.reads.texts.insert((script, number));
        for literal in string_literals(db, unit.file).iter() {
            inputs.add(literal);
        }
    }
    facts.env.extend(inputs.env.iter().cloned());
    for name in &inputs.env {
        if let Some(value) = world.project.settings.env.get(name) {
            facts.lines.insert(format!("env {name} = {value}"));
        }
    }
    let paths = if inputs.unknown || !inputs.declared {
        BTreeSet::from([String::new()])
    } else {
        inputs.paths
    };
    for path in paths {
        let full = if path.is_empty() {
            package.root.clone()
        } else {
            package.root.join(&path)
        };
        // The script's own code counts by its tokens.
        if map.units.iter().any(|unit| *unit.file.path(db) == full) {
            continue;
        }
        let content = db.files().blob(db, &full).revision(db);
        facts.reads.data.insert(full.clone());
        if content.is_none() {
            continue;
        }
        facts
            .lines
            .insert(format!("build input {} {path} {}", package.name, hex(content)));
        facts.files.insert(full);
    }
}

/// What a proc macro may read where a closure calls it, in packages that are not pinned.
pub fn of_proc_macro(
    db: &dyn Db,
    workspace: Workspace,
    world: &World<'_>,
    closure: &Closure,
    entry: DefId,
    facts: &mut Facts,
) {
    let Some(own) = opened_by(db, workspace, entry) else {
        return;
    };
    let callers = closure.calls.range((entry, (CrateId(0), 0), None)..);
    for &(_, unit, def) in callers.take_while(|it| it.0 == entry) {
        let Some(file) = world.map(unit.0).map(|map| &map.units[unit.1 as usize]) else {
            continue;
        };
        let package = world.project.package_of(unit.0);
        if package.source != PackageSource::Path {
            continue;
        }
        facts.reads.texts.insert(unit);
        let literals = match def {
            Some(def) => strings_of(db, file, def),
            None => string_literals(db, file.file),
        };
        let mut reader = Reader {
            db,
            package,
            workspace_root: &world.project.workspace_root,
            facts,
        };
        let beside = Utf8Path::new(file.path.as_str()).parent().unwrap_or(Utf8Path::new(""));
        for literal in literals.iter() {
            for dir in [Utf8Path::new(""), beside, Utf8Path::new("src")] {
                reader.add(dir, literal);
            }
            reader.add_from_workspace(literal);
        }
        for literal in own.iter().filter(|it| !is_everywhere(it)) {
            reader.add_with_settings(literal);
            reader.add_from_workspace(literal);
        }
    }
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

/// What each package has: a macro that names it finds out about the package, not about data.
fn is_everywhere(literal: &str) -> bool {
    matches!(
        clean(literal).trim_end_matches('/'),
        "Cargo.toml" | "Cargo.lock" | "src" | "src/lib.rs" | "src/main.rs" | "target"
    )
}

/// Adds files of one package.
struct Reader<'a> {
    db: &'a dyn Db,
    package: &'a Package,
    workspace_root: &'a Utf8Path,
    facts: &'a mut Facts,
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
        self.facts.reads.data.insert(path.to_owned());
        let Some(content) = content else { return false };
        let line = format!("read {} {name} {}", self.package.name, hex(Some(content)));
        self.facts.lines.insert(line);
        self.facts.files.insert(path.to_owned());
        true
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

/// What the strings of a build script say of its inputs.
#[derive(Default)]
struct Inputs {
    paths: BTreeSet<String>,
    env: BTreeSet<String>,
    /// `rerun-if-changed` is used at all; else cargo reruns the script for any file of the package.
    declared: bool,
    /// `rerun-if-changed` with a path that is computed.
    unknown: bool,
}

impl Inputs {
    fn add(&mut self, literal: &str) {
        for key in ["rerun-if-changed=", "rerun-if-env-changed="] {
            let Some((_, value)) = literal.split_once(key) else {
                continue;
            };
            let value = value.trim_end_matches("\\n").trim();
            let computed = value.is_empty() || value.contains('{');
            match key {
                "rerun-if-env-changed=" if computed => {}
                "rerun-if-env-changed=" => drop(self.env.insert(value.to_owned())),
                _ => {
                    self.declared = true;
                    self.unknown |= computed;
                    self.paths.insert(clean(value));
                }
            }
            return;
        }
        let candidate = clean(literal);
        let plausible = !candidate.is_empty() && candidate.len() < 256 && !candidate.contains(['\n', '\\', '{', ':']);
        if plausible && candidate != "." && candidate != ".." {
            self.paths.insert(candidate);
        }
    }
}

fn clean(path: &str) -> String {
    path.trim_start_matches("./").trim_start_matches('/').to_owned()
}
