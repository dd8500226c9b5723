//! What memoization cannot see: clocks, environment, files, network, processes, randomness, mutable statics, foreign
//! code. Notes for people, and errors for `#[cached(strict)]`; they change no fingerprint.

use std::{collections::BTreeSet, sync::Arc};

use rustc_hash::FxHashMap;

use crate::{
    db::{Db, Workspace, bodies},
    project::PackageSource,
    resolve::{DefId, Graph, UnitId, resolver, uses},
    syntax::{DefKind, FileBodies},
};

use super::Closure;

/// One such place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// `time`, `env`, `fs`, `net`, `process`, `random`, `static`, `thread-local`, `ffi`, `opaque`.
    pub kind: &'static str,
    pub name: String,
    pub id: DefId,
}

/// Packages whose very purpose is randomness.
const RANDOM: &[&str] = &["rand", "getrandom", "fastrand", "rand_core", "nanorand", "oorandom"];

/// The findings of a closure, sorted by place.
pub fn findings(db: &dyn Db, workspace: Workspace, closure: &Closure) -> Vec<Finding> {
    let world = resolver(db, workspace);
    let mut out = BTreeSet::new();
    let mut units: FxHashMap<UnitId, (Arc<FileBodies>, Arc<Graph>)> = FxHashMap::default();
    for item in &closure.items {
        let id = item.id;
        let Some(def) = world.def(id) else { continue };
        let mut add = |kind, name: String| out.insert(Finding { kind, name, id });
        let package = &world.project.package_of(id.krate).name;
        if RANDOM.contains(&package.as_str()) && def.kind == DefKind::Fn {
            add("random", package.clone());
        }
        if def.flags.foreign {
            add("ffi", def.name.as_str().to_owned());
        }
        // What a pinned package's script writes is as fixed as the package's own code.
        let local = world.project.package_of(id.krate).source == PackageSource::Path;
        if local && world.is_generated(id) {
            add("opaque", "code from a build script".to_owned());
        }
        let Some(unit) = world.map(id.krate).map(|map| &map.units[id.unit as usize]) else {
            continue;
        };
        let (bodies, graph) = units
            .entry((id.krate, id.unit))
            .or_insert_with(|| (bodies(db, unit.file), uses(db, workspace, id.krate, id.unit)));
        if let Some(body) = bodies.unit(&unit.expansion).get(id.def as usize) {
            if body.effects.asm {
                add("opaque", "inline assembly".to_owned());
            }
            if body.effects.mutable_static {
                add("static", def.name.as_str().to_owned());
            }
        }
        for it in &graph.of(&world, id.def).impure {
            add(it.kind, it.name.clone());
        }
    }
    out.into_iter().collect()
}
