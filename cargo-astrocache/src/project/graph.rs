//! What `cargo metadata` says -> packages, crates and the names each crate's source can use for others.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{self as cm, DependencyKind, Metadata, TargetKind};

use super::lock::Pins;
use super::{CrateId, CrateKind, Dependency, Edition, Krate, Package, PackageId, PackageSource, ProjectError};

/// Packages and crates of a project, sorted as [`Project`](super::Project) says.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) ids: BTreeMap<&'a cm::PackageId, PackageId>,
    pub(super) packages: Vec<Package>,
    pub(super) crates: Vec<Krate>,
}

/// Builds the graph.
///
/// # Errors
///
/// An edition from the future, or a registry package whose library file is not there.
pub(super) fn graph<'a>(metadata: &'a Metadata, pins: &Pins) -> Result<Graph<'a>, ProjectError> {
    let mut sources: Vec<&'a cm::Package> = metadata.packages.iter().collect();
    sources.sort_by_key(|it| {
        (
            it.name.to_string(),
            it.version.to_string(),
            it.source.as_ref().map(|it| &it.repr),
        )
    });
    let nodes = nodes(metadata);
    let names: BTreeSet<&str> = sources.iter().map(|it| it.name.as_str()).collect();

    let mut packages = Vec::with_capacity(sources.len());
    let mut crates = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let id = PackageId(index as u32);
        let member = metadata.workspace_members.contains(&source.id);
        let start = crates.len() as u32;
        crates.extend(package_crates(id, source, member)?);
        let build_script = crates[start as usize..]
            .iter()
            .position(|it| it.kind == CrateKind::BuildScript);
        packages.push(Package {
            name: source.name.to_string(),
            version: source.version.to_string(),
            ambiguous: sources.iter().filter(|other| other.name == source.name).count() > 1,
            root: directory(&source.manifest_path),
            source: package_source(source, pins),
            member,
            features: nodes
                .get(&source.id)
                .map(|it| it.features.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            dormant: dormant(source, nodes.get(&source.id).map_or(&[], |node| &node.deps), &names),
            build_script: build_script.map(|at| CrateId(start + at as u32)),
            links: source.links.clone(),
            env: package_env(source),
        });
    }

    let libraries = libraries(&crates);
    let ids: BTreeMap<&'a cm::PackageId, PackageId> = sources
        .iter()
        .enumerate()
        .map(|(index, it)| (&it.id, PackageId(index as u32)))
        .collect();
    for krate in &mut crates {
        let source = sources[krate.package.0 as usize];
        let edges = nodes.get(&source.id).map_or(&[][..], |node| &node.deps);
        let passed = |kind| is_passed(krate.kind, kind);
        krate.deps = dependencies(krate, edges, passed, &ids, &libraries);
        if packages[krate.package.0 as usize].member {
            let tests = |kind| is_passed_to_tests(krate.kind, kind);
            krate.test_deps = dependencies(krate, edges, tests, &ids, &libraries);
            krate.test_deps.retain(|dep| !krate.deps.contains(dep));
        }
        krate.absent = absent(krate, source, edges);
    }
    Ok(Graph { ids, packages, crates })
}

/// The optional dependencies of a package that no edge leads along, as far as their packages are in the graph at all.
fn dormant(package: &cm::Package, edges: &[cm::NodeDep], names: &BTreeSet<&str>) -> BTreeSet<String> {
    let optional = package.dependencies.iter().filter(|it| it.optional);
    let known = optional.filter(|it| names.contains(it.name.as_str()));
    let active = |declared: &cm::Dependency| {
        let name = name_of(declared).replace('-', "_");
        edges.iter().any(|edge| {
            // By the name in the source: one package can be two dependencies, and where a library's name is not its package's the
            // edge counts as dormant, which costs a look at the features.
            edge.name == name && edge.dep_kinds.iter().any(|it| it.kind == declared.kind)
        })
    };
    known
        .filter(|declared| !active(declared))
        .map(|declared| declared.name.clone())
        .collect()
}

/// A dependency as the manifest has it on the left.
pub(super) fn name_of(declared: &cm::Dependency) -> &str {
    declared.rename.as_deref().unwrap_or(&declared.name)
}

fn nodes(metadata: &Metadata) -> BTreeMap<&cm::PackageId, &cm::Node> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    nodes.map(|node| (&node.id, node)).collect()
}

/// The crates of one package that can take part: of a member all, of others the library and the build script.
/// Sorted by kind and name, without edges.
fn package_crates(id: PackageId, package: &cm::Package, member: bool) -> Result<Vec<Krate>, ProjectError> {
    let mut crates = Vec::new();
    for target in &package.targets {
        let Some(kind) = crate_kind(target) else {
            continue;
        };
        if !member && !matches!(kind, CrateKind::Lib | CrateKind::ProcMacro | CrateKind::BuildScript) {
            continue;
        }
        if package.source.is_some() && !target.src_path.is_file() {
            return Err(ProjectError::DependencySource {
                package: format!("{} {}", package.name, package.version),
                path: target.src_path.clone(),
            });
        }
        crates.push(Krate {
            package: id,
            kind,
            name: target.name.replace('-', "_"),
            target: target.name.clone(),
            root_file: target.src_path.clone(),
            edition: edition(package, target)?,
            deps: Vec::new(),
            test_deps: Vec::new(),
            absent: Vec::new(),
        });
    }
    crates.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(crates)
}

/// The kind of a target; `None` for kinds that cargo may add one day.
fn crate_kind(target: &cm::Target) -> Option<CrateKind> {
    target.kind.iter().find_map(|kind| match kind {
        TargetKind::Lib | TargetKind::RLib | TargetKind::DyLib | TargetKind::CDyLib | TargetKind::StaticLib => {
            Some(CrateKind::Lib)
        }
        TargetKind::ProcMacro => Some(CrateKind::ProcMacro),
        TargetKind::Bin => Some(CrateKind::Bin),
        TargetKind::Example => Some(CrateKind::Example),
        TargetKind::Test => Some(CrateKind::Test),
        TargetKind::Bench => Some(CrateKind::Bench),
        TargetKind::CustomBuild => Some(CrateKind::BuildScript),
        _ => None,
    })
}

fn edition(package: &cm::Package, target: &cm::Target) -> Result<Edition, ProjectError> {
    match target.edition {
        cm::Edition::E2015 => Ok(Edition::E2015),
        cm::Edition::E2018 => Ok(Edition::E2018),
        cm::Edition::E2021 => Ok(Edition::E2021),
        cm::Edition::E2024 => Ok(Edition::E2024),
        newer => Err(ProjectError::Edition {
            package: package.name.to_string(),
            edition: newer.to_string(),
        }),
    }
}

/// The library of each package that has one, under its own name.
fn libraries(crates: &[Krate]) -> BTreeMap<PackageId, Dependency> {
    let ids = (0..).map(CrateId).zip(crates);
    let libraries = ids.filter(|(_, it)| matches!(it.kind, CrateKind::Lib | CrateKind::ProcMacro));
    libraries
        .map(|(krate, it)| {
            (
                it.package,
                Dependency {
                    name: it.name.clone(),
                    krate,
                },
            )
        })
        .collect()
}

/// What names of other crates mean in `krate`: the dependencies of the kinds that are `passed`, and the package's own
/// library in every other target.
fn dependencies(
    krate: &Krate,
    edges: &[cm::NodeDep],
    passed: impl Fn(DependencyKind) -> bool,
    ids: &BTreeMap<&cm::PackageId, PackageId>,
    libraries: &BTreeMap<PackageId, Dependency>,
) -> Vec<Dependency> {
    let mut deps = Vec::new();
    for edge in edges
        .iter()
        .filter(|edge| edge.dep_kinds.iter().any(|it| passed(it.kind)))
    {
        if let Some(library) = ids.get(&edge.pkg).and_then(|id| libraries.get(id)) {
            deps.push(Dependency {
                name: edge.name.clone(),
                krate: library.krate,
            });
        }
    }
    let sees_own_library = matches!(
        krate.kind,
        CrateKind::Bin | CrateKind::Example | CrateKind::Test | CrateKind::Bench
    );
    deps.extend(libraries.get(&krate.package).filter(|_| sees_own_library).cloned());
    deps.sort();
    deps.dedup();
    deps
}

/// Whether cargo passes a dependency of this kind to a crate: normal ones to everything but build scripts, build
/// dependencies to those alone, development dependencies to examples, tests and benches.
fn is_passed(krate: CrateKind, dependency: DependencyKind) -> bool {
    match krate {
        CrateKind::BuildScript => dependency == DependencyKind::Build,
        CrateKind::Lib | CrateKind::ProcMacro | CrateKind::Bin => dependency == DependencyKind::Normal,
        CrateKind::Example | CrateKind::Test | CrateKind::Bench => dependency != DependencyKind::Build,
    }
}

/// Whether it passes it to the unit tests in that crate and not to the crate itself.
fn is_passed_to_tests(krate: CrateKind, dependency: DependencyKind) -> bool {
    let holds_tests = matches!(krate, CrateKind::Lib | CrateKind::ProcMacro | CrateKind::Bin);
    holds_tests && dependency == DependencyKind::Development
}

/// See [`Krate::absent`]. A library can have another name than its package, which only its own manifest tells: then an
/// absent one is not known for what it is.
fn absent(krate: &Krate, package: &cm::Package, edges: &[cm::NodeDep]) -> Vec<String> {
    let declared = package.dependencies.iter().filter(|it| is_passed(krate.kind, it.kind));
    let names = declared.map(|it| name_of(it).replace('-', "_"));
    let mut out: Vec<String> = names
        .filter(|name| edges.iter().all(|edge| edge.name != *name))
        .collect();
    out.sort();
    out.dedup();
    out
}

fn package_source(package: &cm::Package, pins: &Pins) -> PackageSource {
    match &package.source {
        None => PackageSource::Path,
        Some(source) => PackageSource::Locked {
            pin: pins.of(&package.name, &package.version.to_string(), &source.repr),
        },
    }
}

/// The variables that `env!("CARGO_PKG_..")` can read, as cargo sets them.
fn package_env(package: &cm::Package) -> BTreeMap<String, String> {
    let version = &package.version;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let path = |value: &Option<Utf8PathBuf>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    let values = [
        ("NAME", package.name.to_string()),
        ("VERSION", version.to_string()),
        ("VERSION_MAJOR", version.major.to_string()),
        ("VERSION_MINOR", version.minor.to_string()),
        ("VERSION_PATCH", version.patch.to_string()),
        ("VERSION_PRE", version.pre.to_string()),
        ("AUTHORS", package.authors.join(":")),
        ("DESCRIPTION", text(&package.description)),
        ("HOMEPAGE", text(&package.homepage)),
        ("REPOSITORY", text(&package.repository)),
        ("LICENSE", text(&package.license)),
        ("LICENSE_FILE", path(&package.license_file)),
        ("README", path(&package.readme)),
        (
            "RUST_VERSION",
            package
                .rust_version
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    ];
    values
        .into_iter()
        .map(|(name, value)| (format!("CARGO_PKG_{name}"), value))
        .collect()
}

fn directory(manifest: &Utf8Path) -> Utf8PathBuf {
    manifest.parent().unwrap_or(Utf8Path::new("/")).to_owned()
}
