//! Own hashes and fingerprints: what a closure is worth as a key.

mod facts;
mod inputs;
mod own;
mod parts;
mod path;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use astrocache_manifest::{FORMAT_VERSION, Fingerprint};
use camino::Utf8PathBuf;
use rustc_hash::FxHashSet;

pub use parts::{Difference, Parts, parts};
pub use path::DefPath;

use facts::Programs;

use crate::{
    db::{Db, SourceFile, Workspace},
    project::PackageSource,
    reach::{Closure, closure},
    resolve::{DefId, Reads, UnitId, resolver},
};

/// A root's fingerprint, and what the key needs besides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprinted {
    pub fingerprint: Fingerprint,
    /// Names of the crates whose code it covers, sorted.
    pub crates: Vec<String>,
    /// What it is the hash of besides definitions.
    pub lines: Arc<BTreeSet<String>>,
    /// `cfg` predicates in the closure: `package feature="x"`, or the bare atom.
    pub cfgs: BTreeSet<String>,
    /// Variables of `env!` and `option_env!`, and those a build script declares.
    pub env: BTreeSet<String>,
    /// Local files that decided it, data included.
    pub files: BTreeSet<Utf8PathBuf>,
    /// What all of this was computed from.
    pub reads: Reads,
}

/// The fingerprint of `root`.
///
/// H of, in this order:
/// 1. `FORMAT_VERSION`;
/// 2. the root's identity;
/// 3. each definition's identity and own hash, sorted (`own`);
/// 4. the facts of rules R10, R12 and R13 that apply, sorted (`facts`).
///
/// A program of 4 that stands on itself, by a macro that may lead back to it, has no such hash: see [`of_a_cycle`].
#[salsa::tracked(returns(clone), cycle_result = of_a_cycle)]
pub fn fingerprint(db: &dyn Db, workspace: Workspace, root: DefId) -> Arc<Fingerprinted> {
    Arc::new(printed(db, workspace, root, &mut Programs::Nested))
}

/// The fingerprint of each program in a cycle: of all programs it stands on, each by itself.
fn of_a_cycle(db: &dyn Db, _id: salsa::Id, workspace: Workspace, root: DefId) -> Arc<Fingerprinted> {
    let mut parts: BTreeMap<DefId, Fingerprinted> = BTreeMap::new();
    let mut waiting = vec![root];
    while let Some(program) = waiting.pop() {
        let Entry::Vacant(part) = parts.entry(program) else {
            continue;
        };
        let mut programs = Programs::Collected(Vec::new());
        part.insert(printed(db, workspace, program, &mut programs));
        if let Programs::Collected(more) = programs {
            waiting.extend(more);
        }
    }
    let mut whole = parts.get(&root).cloned().expect("the root was the first to be waiting");
    let mut hashes: Vec<[u8; 16]> = parts.values().map(|it| *it.fingerprint.as_bytes()).collect();
    hashes.sort();
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"cycle").update(whole.fingerprint.as_bytes());
    for hash in &hashes {
        hasher.update(hash);
    }
    whole.fingerprint = shortened(&hasher);
    for part in parts.into_values() {
        whole.files.extend(part.files);
        whole.env.extend(part.env);
        whole.reads.extend(&part.reads);
    }
    Arc::new(whole)
}

fn shortened(hasher: &blake3::Hasher) -> Fingerprint {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Fingerprint::from_bytes(bytes)
}

fn printed(db: &dyn Db, workspace: Workspace, root: DefId, programs: &mut Programs) -> Fingerprinted {
    let closure = closure(db, workspace, root);
    let world = resolver(db, workspace);
    let mut own = own::Own::new(db, workspace, &world);
    hash_ahead(db, workspace, &closure);
    let mut hashes: Vec<_> = closure
        .items
        .iter()
        .map(|item| (world.identity(item.id), own.hash(item.id)))
        .collect();
    hashes.sort();
    let mut facts = facts::collect(db, workspace, &world, root, &closure, &mut own, programs);
    facts.reads.extend(&closure.reads);
    facts.reads.code.extend(own.reads());

    let mut hasher = blake3::Hasher::new();
    hasher.update(&FORMAT_VERSION.to_le_bytes());
    hasher.update(&world.identity(root));
    hasher.update(&(hashes.len() as u64).to_le_bytes());
    for (identity, hash) in &hashes {
        hasher.update(identity);
        hasher.update(hash);
    }
    for line in &facts.lines {
        hasher.update(&(line.len() as u64).to_le_bytes());
        hasher.update(line.as_bytes());
    }

    let units: FxHashSet<UnitId> = closure.items.iter().map(|item| (item.id.krate, item.id.unit)).collect();
    let local = units.into_iter().filter_map(|(krate, unit)| {
        let is_local = world.project.package_of(krate).source == PackageSource::Path;
        let unit = world.map(krate).filter(|_| is_local)?.units.get(unit as usize)?;
        Some(unit.file.path(db).clone())
    });
    let cone = world.project.crate_ids().filter(|&krate| world.sees(root.krate, krate));
    let crates: BTreeSet<String> = cone.map(|krate| world.project.krate(krate).name.clone()).collect();
    Fingerprinted {
        fingerprint: shortened(&hasher),
        crates: crates.into_iter().collect(),
        lines: facts.lines.into(),
        cfgs: facts.cfgs,
        env: facts.env,
        files: local.chain(facts.files).collect(),
        reads: facts.reads,
    }
}

/// Has another thread hash the second half of a closure's definitions.
fn hash_ahead(db: &dyn Db, workspace: Workspace, closure: &Closure) {
    const FEW: usize = 256;
    if closure.items.len() < FEW {
        return;
    }
    db.ahead(&mut || {
        let half = closure.items.len() / 2;
        let ids: Vec<DefId> = closure.items[half..].iter().map(|item| item.id).rev().collect();
        Box::new(move |db| {
            let world = resolver(db, workspace);
            let mut own = own::Own::new(db, workspace, &world);
            for id in ids {
                own.hash(id);
            }
        })
    });
}

/// The file a definition stands in.
pub fn source_file(world: &crate::resolve::World<'_>, id: DefId) -> Option<SourceFile> {
    Some(world.map(id.krate)?.units[id.unit as usize].file)
}
