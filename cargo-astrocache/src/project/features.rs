//! Cargo's feature resolution (resolver 2) for one member built alone: `cargo metadata` only tells the features of
//! building all members at once.
//!
//! Two simplifications. Features of a package for the host (build scripts, proc macros) and for the platform are one
//! set: too many at times. Dev-dependencies take no part: a test build may switch on more.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::semver::VersionReq;
use cargo_metadata::{self as cm, DependencyKind, Metadata};

use super::graph::name_of;
use super::platform::Sections;
use super::{LoadOptions, PackageId};

/// For every member, the features of each package that `cargo build -p member` with `options` builds.
/// Features that a member lacks are no part of its request.
pub(super) fn member_features(
    metadata: &Metadata,
    ids: &BTreeMap<&cm::PackageId, PackageId>,
    sections: &Sections,
    options: &LoadOptions,
) -> BTreeMap<PackageId, BTreeMap<PackageId, BTreeSet<String>>> {
    let tables = tables(metadata, ids, sections);
    let members = metadata.workspace_members.iter().filter_map(|id| ids.get(id));
    members
        .filter_map(|member| {
            let table = tables.get(member)?;
            let mut resolver = Resolver::new(&tables);
            resolver.activate(*member, &requested(table, options));
            Some((*member, resolver.run()))
        })
        .collect()
}

/// What a package's manifest says of features and dependencies, without what other platforms need.
#[derive(Debug)]
struct Table<'a> {
    name: &'a str,
    features: BTreeMap<&'a str, Vec<Value<'a>>>,
    deps: Vec<Dep<'a>>,
}

/// One entry of a dependency section.
#[derive(Debug)]
struct Dep<'a> {
    /// As the manifest has it on the left.
    name: &'a str,
    optional: bool,
    uses_default: bool,
    features: Vec<Value<'a>>,
    /// The package it resolved to; several only where the metadata leave it open, none if it is not in the graph.
    packages: Vec<PackageId>,
}

/// One entry of a feature's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value<'a> {
    /// `x`
    Feature(&'a str),
    /// `dep:x`
    Dep(&'a str),
    /// `x/y`, or `x?/y` if weak
    DepFeature { dep: &'a str, feature: &'a str, weak: bool },
}

impl<'a> Value<'a> {
    pub(super) fn parse(text: &'a str) -> Value<'a> {
        match text.split_once('/') {
            Some((dep, feature)) => Value::DepFeature {
                dep: dep.strip_suffix('?').unwrap_or(dep),
                feature,
                weak: dep.ends_with('?'),
            },
            None => text.strip_prefix("dep:").map_or(Value::Feature(text), Value::Dep),
        }
    }

    fn parse_all(texts: &'a [String]) -> Vec<Value<'a>> {
        texts.iter().map(|text| Value::parse(text)).collect()
    }
}

fn tables<'a>(
    metadata: &'a Metadata,
    ids: &BTreeMap<&cm::PackageId, PackageId>,
    sections: &Sections,
) -> BTreeMap<PackageId, Table<'a>> {
    let by_id: BTreeMap<&cm::PackageId, &cm::Package> = metadata.packages.iter().map(|it| (&it.id, it)).collect();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let mut tables = BTreeMap::new();
    for node in nodes {
        let (Some(package), Some(id)) = (by_id.get(&node.id), ids.get(&node.id)) else {
            continue;
        };
        let edges: Vec<Edge<'_>> = node
            .deps
            .iter()
            .filter_map(|node| {
                Some(Edge {
                    node,
                    id: *ids.get(&node.pkg)?,
                    package: by_id.get(&node.pkg)?,
                })
            })
            .collect();
        tables.insert(*id, table(package, &edges, sections));
    }
    tables
}

fn table<'a>(package: &'a cm::Package, edges: &[Edge<'_>], sections: &Sections) -> Table<'a> {
    let declared = package.dependencies.iter();
    let deps: Vec<Dep<'a>> = declared
        .filter(|it| it.kind != DependencyKind::Development)
        .map(|it| Dep {
            name: name_of(it),
            optional: it.optional,
            uses_default: it.uses_default_features,
            features: Value::parse_all(&it.features),
            packages: packages_of(it, edges, sections),
        })
        .collect();
    let features = package.features.iter();
    Table {
        name: &package.name,
        features: features
            .map(|(name, values)| (name.as_str(), Value::parse_all(values)))
            .collect(),
        deps,
    }
}

/// A resolved edge and where it leads.
struct Edge<'a> {
    node: &'a cm::NodeDep,
    id: PackageId,
    package: &'a cm::Package,
}

/// The packages that `declared` resolved to. Cargo does not say which edge is whose, but one that has the same
/// package name, section and name in the source hardly leaves a choice; where it does, the version decides.
fn packages_of(declared: &cm::Dependency, edges: &[Edge<'_>], sections: &Sections) -> Vec<PackageId> {
    let of_section = |edge: &Edge<'_>| {
        let kinds = &edge.node.dep_kinds;
        // Cargo lists an edge with all its sections if one holds. If none seems to, a flag from elsewhere does it.
        let some_holds = kinds.iter().any(|it| sections.holds(it.target.as_ref()));
        let same = |it: &cm::DepKindInfo| it.kind == declared.kind && it.target == declared.target;
        kinds.iter().any(same) && (sections.holds(declared.target.as_ref()) || !some_holds)
    };
    let named = |edge: &Edge<'_>| match &declared.rename {
        Some(rename) => edge.node.name == rename.replace('-', "_"),
        None => library_name(edge.package).is_none_or(|name| edge.node.name == name),
    };
    let candidates: Vec<&Edge<'_>> = edges
        .iter()
        .filter(|it| it.package.name == declared.name && of_section(it) && named(it))
        .collect();
    let fits = |edge: &&&Edge<'_>| declared.req == VersionReq::STAR || declared.req.matches(&edge.package.version);
    let fitting: Vec<PackageId> = candidates.iter().filter(fits).map(|it| it.id).collect();
    if fitting.is_empty() {
        candidates.iter().map(|it| it.id).collect()
    } else {
        fitting
    }
}

fn library_name(package: &cm::Package) -> Option<String> {
    let mut targets = package.targets.iter();
    let library = targets.find(|it| {
        it.is_lib() || it.is_rlib() || it.is_dylib() || it.is_cdylib() || it.is_staticlib() || it.is_proc_macro()
    })?;
    Some(library.name.replace('-', "_"))
}

/// What the command line asks of the member that `table` describes.
fn requested<'a>(table: &Table<'a>, options: &'a LoadOptions) -> Vec<Value<'a>> {
    let mut values = Vec::new();
    if options.all_features {
        values.extend(table.features.keys().map(|name| Value::Feature(name)));
    } else if !options.no_default_features {
        values.extend(table.default());
    }
    let words = options.features.iter().flat_map(|it| it.split([',', ' ', '\t', '\n']));
    for value in words.map(Value::parse) {
        match value {
            Value::Feature(name) if table.has(name) => values.push(value),
            Value::DepFeature { dep, .. } if table.deps.iter().any(|it| it.name == dep) => {
                values.push(value);
            }
            Value::DepFeature { dep, feature, .. } if dep == table.name && table.has(feature) => {
                values.push(Value::Feature(feature));
            }
            _ => {}
        }
    }
    values
}

impl<'a> Table<'a> {
    fn default(&self) -> Option<Value<'a>> {
        self.features
            .contains_key("default")
            .then_some(Value::Feature("default"))
    }

    /// A feature of the table, or the one that an optional dependency implies.
    fn has(&self, feature: &str) -> bool {
        self.features.contains_key(feature) || self.deps.iter().any(|it| it.optional && it.name == feature)
    }
}

/// A worklist over (package, value): each is done once, so it ends, and the order does not matter.
struct Resolver<'a> {
    tables: &'a BTreeMap<PackageId, Table<'a>>,
    features: BTreeMap<PackageId, BTreeSet<String>>,
    seen: BTreeSet<(PackageId, Value<'a>)>,
    work: Vec<(PackageId, Value<'a>)>,
    /// Optional dependencies that are on.
    on: BTreeSet<(PackageId, &'a str)>,
    /// `x?/y` whose `x` is off so far.
    waiting: BTreeMap<(PackageId, &'a str), Vec<&'a str>>,
}

impl<'a> Resolver<'a> {
    fn new(tables: &'a BTreeMap<PackageId, Table<'a>>) -> Resolver<'a> {
        Resolver {
            tables,
            features: BTreeMap::new(),
            seen: BTreeSet::new(),
            work: Vec::new(),
            on: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }

    fn run(mut self) -> BTreeMap<PackageId, BTreeSet<String>> {
        while let Some((id, value)) = self.work.pop() {
            match value {
                Value::Feature(feature) => self.feature(id, feature),
                Value::Dep(dep) => self.dependency(id, dep),
                Value::DepFeature { dep, feature, weak } => {
                    self.dependency_feature(id, dep, feature, weak);
                }
            }
        }
        self.features
    }

    /// Takes a package into the build, with at least `values`.
    fn activate(&mut self, id: PackageId, values: &[Value<'a>]) {
        for value in values {
            self.push(id, *value);
        }
        if self.features.contains_key(&id) {
            return;
        }
        self.features.insert(id, BTreeSet::new());
        let tables = self.tables;
        let deps = tables.get(&id).into_iter().flat_map(|table| &table.deps);
        for dep in deps.filter(|it| !it.optional) {
            self.activate_dep(dep);
        }
    }

    fn push(&mut self, id: PackageId, value: Value<'a>) {
        if self.seen.insert((id, value)) {
            self.work.push((id, value));
        }
    }

    fn activate_dep(&mut self, dep: &Dep<'a>) {
        let tables = self.tables;
        for &package in &dep.packages {
            let default = tables.get(&package).filter(|_| dep.uses_default);
            let default = default.and_then(Table::default);
            self.activate(package, &dep.features);
            self.activate(package, default.as_slice());
        }
    }

    fn feature(&mut self, id: PackageId, feature: &'a str) {
        self.features.entry(id).or_default().insert(feature.to_owned());
        let tables = self.tables;
        let values = tables.get(&id).map(|table| table.features.get(feature));
        match values {
            Some(Some(values)) => self.activate(id, values),
            Some(None) => self.push(id, Value::Dep(feature)),
            None => {}
        }
    }

    fn dependency(&mut self, id: PackageId, name: &'a str) {
        self.on.insert((id, name));
        let waiting = self.waiting.remove(&(id, name)).unwrap_or_default();
        for dep in deps(self.tables, id, name) {
            self.activate_dep(dep);
            for feature in &waiting {
                self.feature_of_dep(dep, feature);
            }
        }
    }

    fn dependency_feature(&mut self, id: PackageId, name: &'a str, feature: &'a str, weak: bool) {
        for dep in deps(self.tables, id, name) {
            if dep.optional && !weak {
                self.push(id, Value::Dep(name));
                // Older than `dep:`: naming an optional dependency's feature switches on the feature of its name.
                if self.tables[&id].features.contains_key(name) {
                    self.push(id, Value::Feature(name));
                }
            } else if dep.optional && !self.on.contains(&(id, name)) {
                self.waiting.entry((id, name)).or_default().push(feature);
                continue;
            }
            self.feature_of_dep(dep, feature);
        }
    }

    fn feature_of_dep(&mut self, dep: &Dep<'a>, feature: &'a str) {
        for &package in &dep.packages {
            self.activate(package, &[Value::parse(feature)]);
        }
    }
}

/// The entries of package `id` that its manifest calls `name`.
fn deps<'a, 'n>(
    tables: &'a BTreeMap<PackageId, Table<'a>>,
    id: PackageId,
    name: &'n str,
) -> impl Iterator<Item = &'a Dep<'a>> + use<'a, 'n> {
    let deps = tables.get(&id).into_iter().flat_map(|table| &table.deps);
    deps.filter(move |dep| dep.name == name)
}

#[cfg(test)]
mod tests;
