//! R12 for programs: the files that build scripts and proc macros read while the closure is compiled.
//!
//! Which those are, only running them would tell. A build script says it in `rerun-if-changed`, else it may be any file
//! of its package. For proc macros see `reach::opened_files`.

use std::collections::BTreeSet;

use super::facts::{Facts, Programs, hex, program};
use crate::{
    db::{Db, Workspace, string_literals},
    project::{PackageId, PackageSource},
    reach::{Call, opened},
    resolve::{ModId, Ns, Res, World, declarations},
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
pub fn of_proc_macro(db: &dyn Db, workspace: Workspace, world: &World<'_>, calls: &BTreeSet<Call>, facts: &mut Facts) {
    for &call in calls {
        let opened = opened(db, workspace, call);
        let package = &world.project.package_of(call.unit.0).name;
        for (name, path) in &opened.found {
            let content = db.files().blob(db, path).revision(db);
            facts.lines.insert(format!("read {package} {name} {}", hex(content)));
            facts.files.insert(path.clone());
        }
        facts.reads.extend(&opened.reads);
    }
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
