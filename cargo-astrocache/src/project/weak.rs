//! Edges that `cargo metadata` has and no build.
//!
//! `serde?/std` in a feature does not switch `serde` on. The resolver that writes `Cargo.lock`, and answers `cargo metadata`,
//! does as if it did (rust-lang/cargo#10801): nalgebra comes with seventeen versions of glam, of which none is compiled.
//! The features that it names beside the edges are right, and tell which optional dependencies are on. What an edge is cut
//! from stays in the list of packages: another build may have it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{self as cm, Metadata};

use super::LoadOptions;
use super::features::Value;
use super::graph::name_of;

/// Takes such edges out of `metadata`, which were asked for with `options`.
pub(super) fn cut_weak_edges(metadata: &mut Metadata, options: &LoadOptions) {
    let packages: BTreeMap<&cm::PackageId, &cm::Package> = metadata.packages.iter().map(|it| (&it.id, it)).collect();
    // `--features x/y` switches on the optional `x` of a member, and no feature shows it.
    let names_dependencies = options.features.iter().any(|it| it.contains('/'));
    for node in metadata.resolve.iter_mut().flat_map(|it| &mut it.nodes) {
        let Some(package) = packages.get(&node.id) else {
            continue;
        };
        if names_dependencies && metadata.workspace_members.contains(&node.id) {
            continue;
        }
        let on = switched_on(package, &node.features);
        node.deps.retain(|edge| {
            let Some(to) = packages.get(&edge.pkg) else { return true };
            let is_there = |kind: &cm::DepKindInfo| {
                let all = package.dependencies.iter();
                let mut declared = all.filter(|it| declares(it, &edge.name, to, kind)).peekable();
                // What cannot be told stays.
                declared.peek().is_none() || declared.any(|it| !it.optional || on.contains(name_of(it)))
            };
            // Whole, or not at all: of several sections cargo lists those of other platforms beside one that holds.
            edge.dep_kinds.is_empty() || edge.dep_kinds.iter().any(is_there)
        });
    }
}

/// The optional dependencies of a package that these of its features switch on, by their names in the manifest.
fn switched_on<'a>(package: &'a cm::Package, features: &'a [cm::FeatureName]) -> BTreeSet<&'a str> {
    let mut on: BTreeSet<&str> = features.iter().map(|it| it.as_str()).collect();
    let values = features.iter().filter_map(|it| package.features.get(it.as_str()));
    for value in values.flatten() {
        match Value::parse(value) {
            Value::DepFeature { weak: true, .. } => {}
            Value::Feature(name) | Value::Dep(name) | Value::DepFeature { dep: name, .. } => {
                on.insert(name);
            }
        }
    }
    on
}

/// Whether a line of a manifest can be what an edge to `to` stands for.
fn declares(declared: &cm::Dependency, name: &str, to: &cm::Package, kind: &cm::DepKindInfo) -> bool {
    let renamed = declared.rename.as_ref().is_none_or(|it| it.replace('-', "_") == name);
    renamed && declared.name == *to.name && declared.kind == kind.kind && declared.target == kind.target
}
