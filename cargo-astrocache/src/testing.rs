//! Fixtures for the tests of the layers above `syntax`: strings that become files and a [`Project`], without cargo.
//!
//! `//- /src/lib.rs` opens a file. `crate:NAME` after the path makes it the root of a crate of a package of that name;
//! `deps:a,b=c` are the crates it sees (`b` is its name for `c`), `test-deps:a` those that only its unit tests
//! see, `absent:d` those it declares and does not have, `edition:2018` and `proc-macro` what they say; `pinned` is a
//! package that the lock file pins, and then the workspace is in `/app`. Without any `crate:` the fixture is one crate,
//! `app`, at `/src/lib.rs`.

use std::{collections::BTreeSet, fs, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::{
    analysis::{Analysis, AnalysisError, ClosureItem, Places, Request, RootReport, Roots, run_at},
    db::{AnalysisDb, Workspace},
    project::{CrateId, CrateKind, Dependency, Edition, Krate, Package, PackageId, PackageSource, Project, Settings},
    resolve::{DefId, ModId, World, resolver},
    syntax::DefKind,
};

/// A fixture on disk.
pub(crate) struct Fixture {
    pub project: Project,
    pub root: Utf8PathBuf,
    _dir: TempDir,
}

/// The root file of a crate, as its line says.
struct Opening {
    name: String,
    file: Utf8PathBuf,
    deps: Vec<(String, String)>,
    test_deps: Vec<String>,
    absent: Vec<String>,
    edition: Edition,
    kind: CrateKind,
    pinned: bool,
}

impl Fixture {
    pub fn new(text: &str) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        let mut openings = Vec::new();
        for part in text.split("//- ").skip(1) {
            let (line, content) = part.split_once('\n').unwrap();
            let path = line.split_whitespace().next().unwrap().trim_start_matches('/');
            write(&root, path, content.as_bytes());
            openings.extend(opening(line, &root.join(path)));
        }
        if openings.is_empty() {
            openings.extend(opening("x crate:app", &root.join("src/lib.rs")));
        }
        Fixture {
            project: project(&root, openings),
            root,
            _dir: dir,
        }
    }

    /// Puts a file in place of what is there.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.root, path.trim_start_matches('/'), content.as_ref());
    }

    /// Nothing is kept for another run, or known from one.
    pub fn run(&self, request: &Request) -> Result<Analysis, AnalysisError> {
        run_at(&self.project, request, &Places::default())
    }

    /// The analysis of functions by their paths.
    pub fn analyze(&self, names: &[&str]) -> Analysis {
        let request = Request {
            roots: Roots::Named(names.iter().map(|&name| name.to_owned()).collect()),
            explain: true,
        };
        self.run(&request).unwrap()
    }

    pub fn report(&self, name: &str) -> RootReport {
        self.analyze(&[name]).roots.remove(0)
    }

    pub fn fingerprint(&self, name: &str) -> String {
        self.report(name).fingerprint.to_string()
    }

    /// A database that holds all crates.
    pub fn open(&self) -> (AnalysisDb, Workspace) {
        let db = AnalysisDb::default();
        let crates: Vec<CrateId> = self.project.crate_ids().collect();
        let workspace = Workspace::new(&db, Arc::new(self.project.clone()), crates.into());
        (db, workspace)
    }
}

/// The closure that a report explains, in order, a line each.
pub(crate) fn listing(report: &RootReport) -> String {
    let line = |it: &ClosureItem| format!("{} {} ({})\n", it.kind, it.path, it.rule);
    report.definitions.iter().map(line).collect()
}

/// The function of this path.
pub(crate) fn function(db: &AnalysisDb, workspace: Workspace, path: &str) -> DefId {
    let world = resolver(db, workspace);
    let paths = crate::fingerprint::DefPath { world: &world };
    let mut all = world.crates().flat_map(|krate| world.map(krate).unwrap().def_ids());
    all.find(|&id| world.def(id).unwrap().kind == DefKind::Fn && paths.of(id) == path)
        .unwrap_or_else(|| panic!("no function `{path}`"))
}

/// `app::a::b`.
pub(crate) fn module_path(world: &World<'_>, id: ModId) -> String {
    let module = &world.map(id.krate).unwrap().modules[id.module as usize];
    match (module.parent, &module.name) {
        (None, _) => world.project.krate(id.krate).name.clone(),
        (Some(parent), name) => {
            let outer = ModId { module: parent, ..id };
            let name = name.as_ref().map_or("{block}", |name| name.as_str());
            format!("{}::{name}", module_path(world, outer))
        }
    }
}

fn write(root: &Utf8Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn opening(line: &str, file: &Utf8Path) -> Option<Opening> {
    let field = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key));
    let name = field("crate:")?.to_owned();
    let has = |flag: &str| line.split_whitespace().any(|word| word == flag);
    let list = |key| field(key).unwrap_or_default().split(',').filter(|it| !it.is_empty());
    let deps = list("deps:").map(|it| it.split_once('=').unwrap_or((it, it)));
    Some(Opening {
        name,
        file: file.to_owned(),
        deps: deps.map(|(name, of)| (name.replace('-', "_"), of.to_owned())).collect(),
        test_deps: list("test-deps:").map(str::to_owned).collect(),
        absent: list("absent:").map(str::to_owned).collect(),
        edition: match field("edition:") {
            None | Some("2021") => Edition::E2021,
            Some("2015") => Edition::E2015,
            Some("2018") => Edition::E2018,
            Some("2024") => Edition::E2024,
            Some(other) => panic!("edition `{other}`"),
        },
        pinned: has("pinned"),
        kind: match has("proc-macro") {
            true => CrateKind::ProcMacro,
            false => CrateKind::Lib,
        },
    })
}

fn project(root: &Utf8Path, mut openings: Vec<Opening>) -> Project {
    openings.sort_by(|a, b| a.name.cmp(&b.name));
    let at = |name: &str| openings.iter().position(|it| it.name == name).unwrap() as u32;
    let crates = openings.iter().enumerate().map(|(number, it)| Krate {
        package: PackageId(number as u32),
        kind: it.kind,
        name: it.name.replace('-', "_"),
        target: it.name.clone(),
        root_file: it.file.clone(),
        edition: it.edition,
        deps: {
            let dep = |(name, of): &(String, String)| Dependency {
                name: name.clone(),
                krate: CrateId(at(of)),
            };
            let mut deps: Vec<Dependency> = it.deps.iter().map(dep).collect();
            deps.sort();
            deps
        },
        test_deps: {
            let dep = |name: &String| Dependency {
                name: name.clone(),
                krate: CrateId(at(name)),
            };
            it.test_deps.iter().map(dep).collect()
        },
        absent: it.absent.clone(),
    });
    let packages = openings.iter().map(|it| Package {
        name: it.name.clone(),
        version: "0.1.0".to_owned(),
        ambiguous: false,
        root: it.file.parent().and_then(Utf8Path::parent).unwrap().to_owned(),
        source: match it.pinned {
            true => PackageSource::Locked {
                pin: "c0ffee".to_owned(),
            },
            false => PackageSource::Path,
        },
        member: !it.pinned,
        features: BTreeSet::new(),
        dormant: BTreeSet::new(),
        build_script: None,
        links: None,
        env: Default::default(),
    });
    Project {
        workspace_root: match openings.iter().any(|it| it.pinned) {
            true => root.join("app"),
            false => root.to_owned(),
        },
        target_dir: root.join("target"),
        platforms: vec!["x86_64-unknown-linux-gnu".to_owned()],
        platform_cfgs: None,
        member_features: Default::default(),
        packages: packages.collect(),
        crates: crates.collect(),
        settings: Settings::default(),
        inputs: Vec::new(),
    }
}
