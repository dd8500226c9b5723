//! Which crates can hold roots, which must be read for them, and the roots themselves.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::made::{extent_of, makes_cached};
use crate::{
    db::{Db, Workspace},
    fingerprint::DefPath,
    project::{CrateId, CrateKind, PackageSource, Project},
    resolve::{DefId, Meaning, ModId, Ns, World, declarations, resolver, uses},
    source,
    syntax::{Def, DefData, DefKind, MentionKind, Name},
};

/// Packages of the runtime: whoever can write `#[cached]` depends on one of them.
const RUNTIME: &[&str] = &["astrocache-runtime", "astrocache-macros"];

/// Crates of the workspace that may hold annotated functions.
pub fn annotated_crates(project: &Project) -> Vec<CrateId> {
    // Tests and examples by the hundred cost a parse each: those that never speak of caching are left alone.
    let searched = |&id: &CrateId| !is_side_target(project, id) || may_hold_roots(&project.krate(id).root_file);
    candidates(project).filter(searched).collect()
}

/// Examples, tests and benches that the runtime is linked to.
pub fn side_targets(project: &Project) -> Vec<CrateId> {
    candidates(project).filter(|&id| is_side_target(project, id)).collect()
}

fn candidates(project: &Project) -> impl Iterator<Item = CrateId> {
    project.crate_ids().filter(|&id| {
        let krate = project.krate(id);
        let mut deps = krate.deps.iter().chain(&krate.test_deps);
        let uses_runtime = deps.any(|dep| RUNTIME.contains(&project.package_of(dep.krate).name.as_str()));
        let is_runtime = RUNTIME.contains(&project.package_of(id).name.as_str());
        project.package_of(id).member && uses_runtime && !is_runtime && krate.kind != CrateKind::BuildScript
    })
}

fn is_side_target(project: &Project, id: CrateId) -> bool {
    matches!(
        project.krate(id).kind,
        CrateKind::Example | CrateKind::Test | CrateKind::Bench
    )
}

/// Whether the side target with this root file is worth a search.
pub fn may_hold_roots(root_file: &Utf8Path) -> bool {
    match source::read(root_file) {
        // A `mod` may hold the annotation.
        Ok(it) => it.text.contains("cached") || it.text.contains("astrocache") || it.text.contains("mod "),
        Err(_) => false,
    }
}

/// Crates of the workspace that may hold a function of one of these names.
pub fn named_crates(project: &Project, names: &[String]) -> Vec<CrateId> {
    let members: Vec<CrateId> = project
        .crate_ids()
        .filter(|&id| project.package_of(id).member)
        .collect();
    let by_head = |name: &String| {
        let head = name.trim_start_matches('<').split("::").next().unwrap_or_default();
        members
            .iter()
            .copied()
            .filter(|&id| project.krate(id).name == head)
            .collect::<Vec<_>>()
    };
    let mut out = BTreeSet::new();
    for name in names {
        let named = by_head(name);
        let primary = |&id: &CrateId| {
            matches!(
                project.krate(id).kind,
                CrateKind::Lib | CrateKind::Bin | CrateKind::ProcMacro
            )
        };
        out.extend(if named.is_empty() {
            members.iter().copied().filter(primary).collect()
        } else {
            named
        });
    }
    out.into_iter().collect()
}

/// Those of `crates` whose unit tests may hold annotated functions: some function there has an attribute macro.
pub fn with_roots_in_tests(db: &dyn Db, workspace: Workspace, crates: &[CrateId]) -> Vec<CrateId> {
    let may_be_root = |def: &Def| def.kind == DefKind::Fn && def.attrs.iter().any(|attr| !attr.derive);
    let in_tests = |krate: &CrateId| {
        let map = declarations(db, workspace, *krate);
        map.def_ids().any(|id| may_be_root(map.def(id)) && map.is_test(id))
    };
    crates.iter().copied().filter(in_tests).collect()
}

/// Everything that must be read for roots in `crates`: what they can see; the other members, which can bring types to
/// their generics (R8), with what those see; build scripts whose code stands for packages among all that; and what more
/// the unit tests of those in `tested` can see.
pub fn crates_in_play(project: &Project, crates: &[CrateId], tested: &[CrateId]) -> Vec<CrateId> {
    if crates.is_empty() {
        return Vec::new();
    }
    let primary = |id: CrateId| {
        project.package_of(id).member && matches!(project.krate(id).kind, CrateKind::Lib | CrateKind::Bin)
    };
    let seeds = crates
        .iter()
        .copied()
        .chain(project.crate_ids().filter(|&id| primary(id)))
        .chain(
            tested
                .iter()
                .flat_map(|&id| project.krate(id).test_deps.iter().map(|dep| dep.krate)),
        );
    let mut out: BTreeSet<CrateId> = project.cone(seeds).into_iter().collect();
    loop {
        let scripts = out.iter().filter_map(|&id| {
            let package = project.package_of(id);
            package.build_script.filter(|_| package.source == PackageSource::Path)
        });
        let scripts: BTreeSet<CrateId> = scripts.filter(|script| !out.contains(script)).collect();
        if scripts.is_empty() {
            return out.into_iter().collect();
        }
        out.extend(project.cone(scripts));
    }
}

/// The functions marked `#[cached]`, and the code in `func!(..)`, in `crates`.
pub fn annotated(db: &dyn Db, workspace: Workspace, crates: &[CrateId]) -> Vec<DefId> {
    let world = resolver(db, workspace);
    let mut out = Vec::new();
    for &krate in crates {
        let map = declarations(db, workspace, krate);
        let is_root = |&id: &DefId| {
            let written = map.units[id.unit as usize].expansion.is_empty();
            // Of what stands in a macro's body there is one at each call, and calls can be where none is seen.
            written && (is_annotated(&world, id) || is_func(db, workspace, &world, id) || makes_cached(&world, id))
        };
        out.extend(map.def_ids().filter(is_root));
    }
    out
}

fn is_annotated(world: &World<'_>, id: DefId) -> bool {
    let (Some(def), Some(module)) = (world.def(id), world.module_of(id)) else {
        return false;
    };
    def.kind == DefKind::Fn
        && def
            .attrs
            .iter()
            .any(|attr| !attr.derive && is_cached(world, module, &attr.path))
}

/// Is this our attribute, seen from `module`?
pub fn is_cached(world: &World<'_>, module: ModId, path: &[Name]) -> bool {
    world.is_our_macro(&world.resolve(module, path, Ns::Macro).targets, "cached")
}

/// Is this what stands for a `func!(..)` of ours?
fn is_func(db: &dyn Db, workspace: Workspace, world: &World<'_>, id: DefId) -> bool {
    if !world.def(id).is_some_and(|def| matches!(def.data, DefData::Func(_))) {
        return false;
    }
    let graph = uses(db, workspace, id.krate, id.unit);
    let mut calls = graph
        .of(world, id.def)
        .all
        .iter()
        .filter(|it| it.kind == MentionKind::Macro);
    calls.any(|it| match &it.meaning {
        Meaning::Path(resolution) => world.is_our_macro(&resolution.targets, "func"),
        _ => false,
    })
}

/// All functions of `crates`, and calls that make cached ones, with the paths they can be asked for.
pub fn functions(db: &dyn Db, world: &World<'_>, crates: &[CrateId]) -> Vec<(String, Option<String>, DefId)> {
    let paths = DefPath { world };
    let maps = crates.iter().filter_map(|&krate| world.map(krate));
    let ids = maps.flat_map(|map| {
        let is_function = |&id: &DefId| map.def(id).kind == DefKind::Fn || makes_cached(world, id);
        map.def_ids().filter(is_function)
    });
    ids.map(|id| (path(db, world, paths, id), paths.short(id), id))
        .collect()
}

/// The path under which a root is reported: a macro call's with what tells it from others.
pub fn path(db: &dyn Db, world: &World<'_>, paths: DefPath<'_>, id: DefId) -> String {
    let arguments = extent_of(db, world, id).map(|it| it.0);
    paths.of(id) + &arguments.unwrap_or_default()
}
