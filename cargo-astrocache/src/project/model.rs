//! What the rest of the analyzer knows of cargo: packages, crates, editions, features, edges.
//!
//! Plain data, the same on every machine: no absolute path below takes part in a hash. It deliberately holds
//! no source text and no file list; `source` finds files by following `mod` from each crate's root.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

/// Index into [`Project::packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageId(pub u32);

/// Index into [`Project::crates`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CrateId(pub u32);

/// One workspace as cargo resolves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// The directory of the workspace's root manifest.
    pub workspace_root: Utf8PathBuf,
    /// Cargo's target directory for this workspace.
    pub target_dir: Utf8PathBuf,
    /// The platforms whose dependencies are in the graph, sorted: those that the workspace lists, else the host and the
    /// `build.target` of its cargo configuration. A build for any other platform may run code that is not in here.
    pub platforms: Vec<String>,
    /// The cfgs that each of `platforms` sets whatever the build, in the same order, as rustc prints them:
    /// `unix`, `target_os="linux"`. The names are `unix`, `windows`, `target_os`, `target_family`, `target_arch`,
    /// `target_env`, `target_vendor`, `target_endian`, `target_pointer_width`, `target_abi`, `target_has_atomic*`;
    /// of no others do they say anything. `None` if rustc cannot tell for all that the workspace builds for.
    pub platform_cfgs: Option<Vec<BTreeSet<String>>>,
    /// For each member the packages that building it alone (`cargo build -p member`) builds, with their features.
    pub member_features: BTreeMap<PackageId, BTreeMap<PackageId, BTreeSet<String>>>,
    /// Sorted by (name, version, source).
    pub packages: Vec<Package>,
    /// Sorted by (package, kind, name).
    pub crates: Vec<Krate>,
    /// Settings of the workspace that change what code does.
    pub settings: Settings,
    /// Every file whose content decided the above: manifests, `Cargo.lock`, cargo configuration. Absolute.
    pub inputs: Vec<Utf8PathBuf>,
}

/// A package of the resolved graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// Another version of the same package is in the graph, so paths must say which one.
    pub ambiguous: bool,
    /// Directory of the package's `Cargo.toml`. Absolute: never hashed.
    pub root: Utf8PathBuf,
    pub source: PackageSource,
    /// A member of this workspace.
    pub member: bool,
    /// Features switched on when all members are built at once. For one member see [`Project::features_of`].
    pub features: BTreeSet<String>,
    /// Packages of the graph that this one would depend on with other features: optional dependencies that are off.
    pub dormant: BTreeSet<String>,
    /// The build script's crate.
    pub build_script: Option<CrateId>,
    /// `links = ".."`.
    pub links: Option<String>,
    /// The `CARGO_PKG_*` variables that rustc sees for this package.
    pub env: BTreeMap<String, String>,
}

/// Where a package's source comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PackageSource {
    /// A directory that the user may edit: a workspace member or a path dependency.
    Path,
    /// Immutable source pinned by the lock file: registry, git or vendored. `pin` is its checksum or
    /// revision, else its version.
    Locked { pin: String },
}

/// What a crate is compiled as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CrateKind {
    Lib,
    ProcMacro,
    Bin,
    Example,
    Test,
    Bench,
    BuildScript,
}

/// One compilation target of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Krate {
    pub package: PackageId,
    pub kind: CrateKind,
    /// The crate name as rustc sees it (`-` already `_`).
    pub name: String,
    /// The target's name as cargo prints it.
    pub target: String,
    /// Absolute: never hashed.
    pub root_file: Utf8PathBuf,
    pub edition: Edition,
    /// What names of other crates mean here, sorted by name. Holds the package's own library for bins,
    /// examples, tests and benches.
    pub deps: Vec<Dependency>,
    /// What more the unit tests of a member's library, proc macro or program can name: its development dependencies.
    pub test_deps: Vec<Dependency>,
    /// Names of dependencies that the manifest declares and the graph does not have: optional ones that are off, those
    /// for other platforms. Code that names one cannot compile in this project. Sorted.
    pub absent: Vec<String>,
}

/// An edge of the crate graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// The name in the source (renames applied, `-` already `_`).
    pub name: String,
    pub krate: CrateId,
}

/// A Rust edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Edition {
    E2015,
    E2018,
    E2021,
    E2024,
}

/// Settings of the workspace that change what code does, as its own files say (never the user's home).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `[profile.<name>]` entries of the root manifest and the workspace's cargo configuration that change results:
    /// `overflow-checks`, `debug-assertions`, `panic`; also per package overrides. Key `dev.overflow-checks`.
    pub profile: BTreeMap<String, String>,
    /// `--cfg` values from `rustflags` in the workspace's `.cargo/config.toml`, as written.
    pub cfgs: BTreeSet<String>,
    /// `[env]` of the workspace's `.cargo/config.toml`.
    pub env: BTreeMap<String, String>,
}

impl Project {
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    pub fn krate(&self, id: CrateId) -> &Krate {
        &self.crates[id.0 as usize]
    }

    pub fn package_of(&self, id: CrateId) -> &Package {
        self.package(self.krate(id).package)
    }

    /// Whether code may be built for a platform whose programs are in Windows' format. Yes where a platform is unknown.
    pub fn may_run_on_windows(&self) -> bool {
        const COFF: [&str; 3] = ["windows", "target_os=\"cygwin\"", "target_os=\"uefi\""];
        let is_coff = |atoms: &BTreeSet<String>| COFF.iter().any(|&it| atoms.contains(it));
        self.platform_cfgs.as_ref().is_none_or(|all| all.iter().any(is_coff))
    }

    /// What says that a package's files are those that were read before: its checksum, or its revision. Not for what is in
    /// the workspace, which is under the user's hands whatever the lock file says.
    pub fn pin<'p>(&self, package: &'p Package) -> Option<&'p str> {
        match &package.source {
            PackageSource::Locked { pin } if *pin != package.version => Some(pin.as_str()),
            _ => None,
        }
        .filter(|_| !package.root.starts_with(&self.workspace_root))
    }

    /// The features of package `of` when the member `root` is built alone. Those that only a test build switches on
    /// are not among them. Empty if `root` is no member or its build does not need `of`.
    pub fn features_of(&self, root: PackageId, of: PackageId) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        let packages = self.member_features.get(&root);
        packages.and_then(|packages| packages.get(&of)).unwrap_or(&NONE)
    }

    /// These crates and all that they depend on.
    pub fn cone(&self, seeds: impl IntoIterator<Item = CrateId>) -> FxHashSet<CrateId> {
        let mut out = FxHashSet::default();
        let mut queue: Vec<CrateId> = seeds.into_iter().collect();
        while let Some(next) = queue.pop() {
            if out.insert(next) {
                queue.extend(self.krate(next).deps.iter().map(|dep| dep.krate));
            }
        }
        out
    }

    /// Ids of all crates, in order.
    pub fn crate_ids(&self) -> impl Iterator<Item = CrateId> + use<> {
        (0..self.crates.len() as u32).map(CrateId)
    }
}
