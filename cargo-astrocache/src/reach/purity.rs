//! What memoization cannot see: clocks, environment, files, network, processes, randomness, mutable statics, foreign
//! code. Notes for people, and errors for `#[cached(strict)]`; they change no fingerprint.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::{
    db::{Db, Workspace, bodies},
    project::PackageSource,
    resolve::{DefId, Meaning, Res, Use, resolver, uses},
    syntax::{DefKind, MentionKind, Name},
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

/// Paths of std by what they give access to. Addresses, exit codes and the like are plain data and not here.
const IMPURE: &[(&str, &str)] = &[
    ("std::time::Instant", "time"),
    ("std::time::SystemTime", "time"),
    ("std::env", "env"),
    ("std::fs", "fs"),
    ("std::io::stdin", "fs"),
    ("std::path::Path::exists", "fs"),
    ("std::os::fd", "fs"),
    ("std::os::unix::fs", "fs"),
    ("std::os::linux::fs", "fs"),
    ("std::os::windows::fs", "fs"),
    ("std::os::unix::net", "net"),
    ("std::os::unix::process", "process"),
    ("std::os::windows::process", "process"),
    ("std::net::TcpStream", "net"),
    ("std::net::TcpListener", "net"),
    ("std::net::UdpSocket", "net"),
    // Looks names up.
    ("std::net::ToSocketAddrs", "net"),
    ("std::process::Command", "process"),
    ("std::process::Child", "process"),
    ("std::process::exit", "process"),
    ("std::process::abort", "process"),
    ("std::process::id", "process"),
    ("std::thread::current", "process"),
    ("std::hash::RandomState", "random"),
    ("std::collections::hash_map::RandomState", "random"),
];

/// Packages whose very purpose is randomness.
const RANDOM: &[&str] = &["rand", "getrandom", "fastrand", "rand_core", "nanorand", "oorandom"];

/// The findings of a closure, sorted by place.
pub fn findings(db: &dyn Db, workspace: Workspace, closure: &Closure) -> Vec<Finding> {
    let world = resolver(db, workspace);
    let mut out = BTreeSet::new();
    let mut judged = FxHashMap::default();
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
        let unit = world.map(id.krate).map(|map| &map.units[id.unit as usize]);
        if let Some(unit) = unit {
            let bodies = bodies(db, unit.file);
            if let Some(body) = bodies.unit(&unit.expansion).get(id.def as usize) {
                if body.effects.asm {
                    add("opaque", "inline assembly".to_owned());
                }
                if body.effects.mutable_static {
                    add("static", def.name.as_str().to_owned());
                }
            }
        }
        let graph = uses(db, workspace, id.krate, id.unit);
        for it in &graph.of(&world, id.def).all {
            if let Some((kind, name)) = impure(it, &mut judged) {
                add(kind, name);
            }
        }
    }
    out.into_iter().collect()
}

/// What is impure about a name of std; `None`: nothing. By name, and whether it is called as a macro.
type Judged = FxHashMap<(Name, bool), Option<(&'static str, String)>>;

fn impure(it: &Use, judged: &mut Judged) -> Option<(&'static str, String)> {
    let Meaning::Path(resolution) = &it.meaning else {
        return None;
    };
    // A type alone does nothing: `fn f(at: Instant)`.
    let is_macro = match it.kind {
        MentionKind::Macro => true,
        MentionKind::Value | MentionKind::Token => false,
        _ => return None,
    };
    resolution.targets.iter().find_map(|target| match target.res {
        Res::External(path) => {
            let verdict = judged.entry((path, is_macro));
            verdict.or_insert_with(|| judge(path.as_str(), is_macro)).clone()
        }
        _ => None,
    })
}

fn judge(path: &str, is_macro: bool) -> Option<(&'static str, String)> {
    if is_macro {
        return path
            .ends_with("::thread_local")
            .then(|| ("thread-local", "thread_local!".to_owned()));
    }
    let tail = path.strip_prefix("core::").or(path.strip_prefix("alloc::"));
    let path = tail.map_or(path.to_owned(), |tail| format!("std::{tail}"));
    let (_, kind) = IMPURE.iter().find(|(prefix, _)| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })?;
    Some((kind, path))
}
