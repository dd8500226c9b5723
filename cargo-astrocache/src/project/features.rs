//! Cargo's feature resolution (resolver 2) for one member built alone: `cargo metadata` only tells the features of
//! building all members at once.
//!
//! Two simplifications. Features of a package for the host (build scripts, proc macros) and for the platform are one
//! set: too many at times. Dev-dependencies take no part: a test build may switch on more.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::semver::VersionReq;
use cargo_metadata::{self as cm, DependencyKind, Metadata};

use super::{LoadOptions, PackageId};

/// For every member, the features of each package that `cargo build -p member` with `options` builds.
/// Features that a member lacks are no part of its request.
pub(super) fn member_features(
    metadata: &Metadata,
    ids: &BTreeMap<&cm::PackageId, PackageId>,
    options: &LoadOptions,
) -> BTreeMap<PackageId, BTreeMap<PackageId, BTreeSet<String>>> {
    let tables = tables(metadata, ids);
    let members = metadata
        .workspace_members
        .iter()
        .filter_map(|id| ids.get(id));
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
enum Value<'a> {
    /// `x`
    Feature(&'a str),
    /// `dep:x`
    Dep(&'a str),
    /// `x/y`, or `x?/y` if weak
    DepFeature {
        dep: &'a str,
        feature: &'a str,
        weak: bool,
    },
}

impl<'a> Value<'a> {
    fn parse(text: &'a str) -> Value<'a> {
        match text.split_once('/') {
            Some((dep, feature)) => Value::DepFeature {
                dep: dep.strip_suffix('?').unwrap_or(dep),
                feature,
                weak: dep.ends_with('?'),
            },
            None => text
                .strip_prefix("dep:")
                .map_or(Value::Feature(text), Value::Dep),
        }
    }

    fn parse_all(texts: &'a [String]) -> Vec<Value<'a>> {
        texts.iter().map(|text| Value::parse(text)).collect()
    }
}

fn tables<'a>(
    metadata: &'a Metadata,
    ids: &BTreeMap<&cm::PackageId, PackageId>,
) -> BTreeMap<PackageId, Table<'a>> {
    let by_id: BTreeMap<&cm::PackageId, &cm::Package> =
        metadata.packages.iter().map(|it| (&it.id, it)).collect();
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
        tables.insert(*id, table(package, &edges));
    }
    tables
}

fn table<'a>(package: &'a cm::Package, edges: &[Edge<'_>]) -> Table<'a> {
    let declared = package.dependencies.iter();
    let deps: Vec<Dep<'a>> = declared
        .filter(|it| it.kind != DependencyKind::Development)
        .map(|it| Dep {
            name: it.rename.as_deref().unwrap_or(&it.name),
            optional: it.optional,
            uses_default: it.uses_default_features,
            features: Value::parse_all(&it.features),
            packages: packages_of(it, edges),
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
fn packages_of(declared: &cm::Dependency, edges: &[Edge<'_>]) -> Vec<PackageId> {
    let of_section = |edge: &Edge<'_>| {
        let kinds = &edge.node.dep_kinds;
        kinds
            .iter()
            .any(|it| it.kind == declared.kind && it.target == declared.target)
    };
    let named = |edge: &Edge<'_>| match &declared.rename {
        Some(rename) => edge.node.name == rename.replace('-', "_"),
        None => library_name(edge.package).is_none_or(|name| edge.node.name == name),
    };
    let candidates: Vec<&Edge<'_>> = edges
        .iter()
        .filter(|it| it.package.name == declared.name && of_section(it) && named(it))
        .collect();
    let fits = |edge: &&&Edge<'_>| {
        declared.req == VersionReq::STAR || declared.req.matches(&edge.package.version)
    };
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
        it.is_lib()
            || it.is_rlib()
            || it.is_dylib()
            || it.is_cdylib()
            || it.is_staticlib()
            || it.is_proc_macro()
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
    let words = options
        .features
        .iter()
        .flat_map(|it| it.split([',', ' ', '\t', '\n']));
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
        self.features.contains_key(feature)
            || self.deps.iter().any(|it| it.optional && it.name == feature)
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
        self.features
            .entry(id)
            .or_default()
            .insert(feature.to_owned());
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
mod tests {
    use std::fmt::Write as _;
    use std::process::{Command, Stdio};

    use camino::Utf8Path;
    use expect_test::{Expect, expect};

    use crate::project::tests::{load_at, offline, workspace};
    use crate::project::{LoadOptions, Project};

    /// A line for each member and package it builds, if that has features.
    fn render(project: &Project) -> String {
        let mut out = String::new();
        for (member, packages) in &project.member_features {
            for (package, features) in packages.iter().filter(|(_, it)| !it.is_empty()) {
                let names = [member, package].map(|id| &project.package(*id).name);
                let features: Vec<&str> = features.iter().map(String::as_str).collect();
                writeln!(out, "{} > {}: {}", names[0], names[1], features.join(" ")).unwrap();
            }
        }
        out
    }

    /// `cargo tree` in the words of [`render`]: what cargo itself builds for each member.
    fn cargo_says(project: &Project, options: &LoadOptions) -> String {
        let mut lines = Vec::new();
        for (at, member) in project
            .packages
            .iter()
            .enumerate()
            .filter(|(_, it)| it.member)
        {
            let mut command = Command::new(env!("CARGO"));
            command.args([
                "tree",
                "--offline",
                "-e",
                "normal,build",
                "--prefix",
                "none",
            ]);
            command.args(["-f", "{p}|{f}", "-p", &member.name]);
            command.args(options.features.iter().flat_map(|it| ["--features", it]));
            command.args(options.all_features.then_some("--all-features"));
            command.args(
                options
                    .no_default_features
                    .then_some("--no-default-features"),
            );
            command
                .current_dir(&project.workspace_root)
                .stdin(Stdio::null());
            let output = command.output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            lines.extend(tree_lines(
                &String::from_utf8(output.stdout).unwrap(),
                project,
                at,
            ));
        }
        lines.concat()
    }

    /// A package that the tree shows with several sets (for the host, for the platform) has their union.
    fn tree_lines(tree: &str, project: &Project, member: usize) -> Vec<String> {
        let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
        for line in tree.lines() {
            let (package, features) = line.split_once('|').unwrap();
            let mut words = package.split(' ');
            let (name, version) = (words.next().unwrap(), words.next().unwrap());
            let same = |it: &crate::project::Package| it.name == name && version[1..] == it.version;
            let at = project.packages.iter().position(same).unwrap();
            let features = features
                .trim_end_matches(" (*)")
                .split(',')
                .filter(|it| !it.is_empty());
            found.push((at, features.collect()));
        }
        found.sort();
        let mut merged: Vec<(usize, Vec<&str>)> = Vec::new();
        for (at, features) in found {
            match merged.last_mut().filter(|last| last.0 == at) {
                Some(last) => last.1.extend(features),
                None => merged.push((at, features)),
            }
        }
        let name = |at: usize| &project.packages[at].name;
        merged.retain(|(_, features)| !features.is_empty());
        let line = |(at, mut features): (usize, Vec<&str>)| {
            features.sort_unstable();
            features.dedup();
            format!("{} > {}: {}\n", name(member), name(at), features.join(" "))
        };
        merged.into_iter().map(line).collect()
    }

    /// `expected` is what cargo itself says, too.
    fn check(fixture: &str, options: &LoadOptions, expected: Expect) {
        let (_dir, root) = workspace(fixture);
        let options = LoadOptions {
            offline: true,
            ..options.clone()
        };
        let project = load_at(&root, &options).unwrap();
        let ours = render(&project);
        assert_eq!(ours, cargo_says(&project, &options));
        expected.assert_eq(&ours);
    }

    fn with_features(features: &str) -> LoadOptions {
        LoadOptions {
            features: vec![features.to_owned()],
            ..LoadOptions::default()
        }
    }

    const SIBLINGS: &str = r#"
//- Cargo.toml
[workspace]
members = ["plain", "greedy", "middle", "leaf"]
resolver = "2"
//- plain/Cargo.toml
[package]
name = "plain"
version = "0.1.0"
[features]
extra = []
[dependencies]
leaf = { path = "../leaf", default-features = false }
//- plain/src/lib.rs
//- greedy/Cargo.toml
[package]
name = "greedy"
version = "0.1.0"
[features]
extra = ["leaf/deep"]
[dependencies]
leaf = { path = "../leaf", features = ["greed"] }
middle = { path = "../middle" }
//- greedy/src/lib.rs
//- middle/Cargo.toml
[package]
name = "middle"
version = "0.1.0"
[dependencies]
leaf = { path = "../leaf", default-features = false, features = ["mid"] }
[dev-dependencies]
leaf = { path = "../leaf", features = ["dev"] }
//- middle/src/lib.rs
//- leaf/Cargo.toml
[package]
name = "leaf"
version = "0.1.0"
[features]
default = ["std"]
std = []
greed = []
mid = []
deep = []
dev = []
//- leaf/src/lib.rs
"#;

    #[test]
    fn a_member_has_what_its_own_dependencies_ask_for_and_nothing_of_its_siblings() {
        check(
            SIBLINGS,
            &LoadOptions::default(),
            expect![[r#"
            "#]],
        );
    }

    #[test]
    fn the_union_over_all_members_is_more_than_any_build_of_one() {
        let (_dir, root) = workspace(SIBLINGS);
        let project = load_at(&root, &offline()).unwrap();
        let id = |name: &str| {
            let at = project
                .packages
                .iter()
                .position(|it| it.name == name)
                .unwrap();
            crate::project::PackageId(at as u32)
        };
        let leaf = &project.package(id("leaf")).features;
        assert!(leaf.contains("greed") && leaf.contains("std"));
        assert!(project.features_of(id("plain"), id("leaf")).is_empty());
        assert!(project.features_of(id("leaf"), id("plain")).is_empty());
        assert!(
            project
                .features_of(crate::project::PackageId(99), id("leaf"))
                .is_empty()
        );
        assert!(
            project
                .features_of(id("greedy"), id("leaf"))
                .contains("mid")
        );
    }

    #[test]
    fn the_command_line_reaches_each_member_that_has_the_feature() {
        let (_dir, root) = workspace(SIBLINGS);
        for (options, expected) in [
            (
                with_features("extra,deep greedy/extra plain/none"),
                expect![[r#"
                "#]],
            ),
            (
                LoadOptions {
                    no_default_features: true,
                    ..with_features("greed")
                },
                expect![[r#"
                "#]],
            ),
        ] {
            let project = load_at(
                &root,
                &LoadOptions {
                    offline: true,
                    ..options
                },
            )
            .unwrap();
            expected.assert_eq(&render(&project));
        }
        check(
            SIBLINGS,
            &LoadOptions {
                all_features: true,
                ..LoadOptions::default()
            },
            expect![[r#"
            "#]],
        );
    }

    /// One package that says everything a features table can say.
    fn forms(asked: &str) -> String {
        format!(
            r#"
//- Cargo.toml
[workspace]
members = ["app"]
resolver = "2"
//- app/Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[features]
hidden = ["dep:hid-den"]
strong = ["strong_dep/on"]
weak = ["weak-dep?/on"]
weaker = ["weak", "weak-dep"]
renamed = ["other/on"]
old = ["old_opt/on"]
build = ["maker?/on"]
{asked}
[dependencies]
hid-den = {{ path = "../leaf1", package = "leaf1", optional = true, default-features = false }}
strong_dep = {{ path = "../leaf2", package = "leaf2", optional = true }}
weak-dep = {{ path = "../leaf3", package = "leaf3", optional = true, default-features = false }}
other = {{ path = "../leaf4", package = "leaf4" }}
old_opt = {{ path = "../leaf5", package = "leaf5", optional = true }}
[build-dependencies]
maker = {{ path = "../leaf6", package = "leaf6", optional = true }}
[target.'cfg(windows)'.dependencies]
other = {{ path = "../leaf4", package = "leaf4", features = ["windows"] }}
[target.'cfg(not(windows))'.dependencies]
other = {{ path = "../leaf4", package = "leaf4", features = ["unix"] }}
//- app/src/lib.rs
//- app/build.rs
fn main() {{}}
{}"#,
            (1..=6).map(leaf).collect::<String>()
        )
    }

    fn leaf(number: u32) -> String {
        format!(
            "//- leaf{number}/Cargo.toml\n[package]\nname = \"leaf{number}\"\nversion = \"0.1.0\"\n[features]\n\
            default = [\"std\"]\nstd = []\non = [\"more\"]\nmore = []\nwindows = []\nunix = []\n//- leaf{number}/src/lib.rs\n"
        )
    }

    #[cfg(unix)]
    #[test]
    fn every_form_of_a_feature_means_what_it_means_to_cargo() {
        for (default, expected) in [
            ("default = []", expect![[""]]),
            ("default = ['hidden', 'strong', 'renamed']", expect![[""]]),
            ("default = ['weak']", expect![[""]]),
            ("default = ['weaker', 'old']", expect![[""]]),
            ("default = ['build', 'maker', 'old_opt']", expect![[""]]),
            (
                "default = ['maker/on', 'weak-dep/on', 'hid-den/on']",
                expect![[""]],
            ),
        ] {
            check(&forms(default), &LoadOptions::default(), expected);
        }
        check(
            &forms(""),
            &LoadOptions {
                all_features: true,
                ..LoadOptions::default()
            },
            expect![[""]],
        );
        check(
            &forms(""),
            &with_features("old_opt/std weaker,weaker"),
            expect![[""]],
        );
    }

    #[test]
    fn two_versions_of_a_package_keep_their_own_features() {
        let package = |dir: &str, version: &str, feature: &str| {
            format!(
                "//- {dir}/Cargo.toml\n[package]\nname = \"util\"\nversion = \"{version}\"\n[features]\n{feature} = []\n//- {dir}/src/lib.rs\n"
            )
        };
        let app = r#"
//- Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
util = { path = "new", features = ["fresh"] }
old_util = { path = "old", package = "util", features = ["stale"] }
//- src/lib.rs
"#;
        let old = package("old", "1.0.0-rc.1", "stale");
        let fixture = format!("{app}{}{old}", package("new", "2.0.0", "fresh"));
        check(&fixture, &LoadOptions::default(), expect![[""]]);
    }

    #[test]
    fn the_features_of_this_workspace_and_of_the_example_are_those_that_cargo_builds() {
        let here = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        for dir in [here.to_owned(), here.join("tests/example")] {
            let project = load_at(&dir, &LoadOptions::default()).unwrap();
            let ours = render(&project);
            let cargo = cargo_says(&project, &LoadOptions::default());
            let difference: Vec<&str> = ours.lines().filter(|it| !cargo.contains(it)).collect();
            assert!(ours == cargo, "{dir}: only ours {difference:#?}");
        }
    }
}
