//! The workspace that is edited, and runs in it.

use std::{fs, path::PathBuf};

use crate::{
    analysis::{Analysis, Places, Request, Roots, run_at, skip},
    db::PackPlaces,
    project::{CrateId, CrateKind, Dependency, Edition, Krate, PackageId, PackageSource},
    testing::Fixture,
};

pub const REQUEST: Request = Request {
    roots: Roots::Annotated,
    explain: false,
};

/// A workspace with cached functions in a library and a test, a local and a pinned dependency, a proc macro of its own, a
/// build script with inputs, and data.
const WORKSPACE: &str = "//- /cached/src/lib.rs crate:astrocache-macros proc-macro
#[proc_macro_attribute] pub fn cached(args: TokenStream, item: TokenStream) -> TokenStream { item }
//- /mac/src/lib.rs crate:mac proc-macro
mod emit;
#[proc_macro_derive(Show)] pub fn show(item: TokenStream) -> TokenStream { emit::emit() }
//- /mac/src/emit.rs
pub fn emit() -> TokenStream { quote! { crate::data::shown() } }
//- /dep/src/lib.rs crate:dep
mod inner;
pub use inner::*;
//- /dep/src/inner.rs
pub fn g() -> u8 { 1 }
//- /pinned/src/lib.rs crate:pinned
pub fn p() -> u8 { std::time::Instant::now(); 1 }
//- /app/src/lib.rs crate:app deps:cached=astrocache-macros,mac,dep,pinned
mod a;
mod data;
mod idle;
mod places;
use cached::cached;
#[cached] pub fn first() -> u8 { a::f() + dep::g() }
#[cached] pub fn second() -> u8 { pinned::p() }
//- /app/src/a.rs
pub fn f() -> u8 { std::env::var(\"X\").len() as u8 }
//- /app/src/data.rs
use cached::cached;
#[derive(mac::Show)] pub struct Shown;
pub fn shown() -> u8 { 1 }
#[cached] pub fn third() -> u8 { let _ = Shown; include_str!(\"../text.txt\").len() as u8 }
//- /app/src/idle.rs
pub fn idle() -> u8 { 1 }
//- /app/src/places.rs
#[cached::cached] pub fn fourth() -> u32 { line!() }
//- /app/text.txt
text
//- /app/build.rs
mod helper;
fn main() { println!(\"cargo::rerun-if-changed=inputs\"); helper::run() }
//- /app/helper.rs
pub fn run() { std::fs::read(\"extra.txt\"); }
//- /app/inputs/one.txt
1
//- /app/tests/it.rs
#[cached::cached] fn in_test() -> u8 { app::first() }
";

/// See [`WORKSPACE`].
pub struct Workspace {
    pub fixture: Fixture,
    pub places: Places,
}

impl Workspace {
    pub fn new() -> Workspace {
        let mut fixture = Fixture::new(WORKSPACE);
        let project = &mut fixture.project;
        project.workspace_root = fixture.root.join("app");
        for package in &mut project.packages {
            package.member = package.name == "app";
            if package.name == "pinned" {
                let pin = "c0ffee".to_owned();
                package.source = PackageSource::Locked { pin };
            }
        }
        let at = |name: &str| project.packages.iter().position(|it| it.name == name).unwrap() as u32;
        let (app, cached) = (at("app"), at("astrocache-macros"));
        let dep = |name: &str, krate: u32| Dependency {
            name: name.to_owned(),
            krate: CrateId(krate),
        };
        let target = |kind, name: &str, path: &str, deps| Krate {
            package: PackageId(app),
            kind,
            name: name.to_owned(),
            target: name.to_owned(),
            root_file: fixture.root.join("app").join(path),
            edition: Edition::E2021,
            deps,
            test_deps: Vec::new(),
            absent: Vec::new(),
        };
        let test_deps = vec![dep("app", app), dep("cached", cached)];
        let script = CrateId(project.crates.len() as u32);
        let targets = [
            target(CrateKind::BuildScript, "build_script_build", "build.rs", Vec::new()),
            target(CrateKind::Test, "it", "tests/it.rs", test_deps),
        ];
        project.crates.extend(targets);
        project.packages[app as usize].build_script = Some(script);
        let folder = PathBuf::from(fixture.root.join("kept"));
        let places = Places {
            packs: PackPlaces {
                shared: Some(folder.join("shared")),
                own: Some(folder.join("own.pack")),
            },
            state: Some(folder.join("own.state")),
        };
        Workspace { fixture, places }
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.fixture.write(path, content);
    }

    pub fn remove(&self, path: &str) {
        let path = self.fixture.root.join(path);
        match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
    }

    /// Replaces in a file.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.fixture.root.join(path)).unwrap();
        assert!(text.contains(from), "{path} has no `{from}`");
        self.write(path, text.replacen(from, to, 1));
    }

    pub fn state(&self) -> PathBuf {
        self.places.state.clone().unwrap()
    }

    /// What a run that begins with the state says, notices included, and the queries it takes.
    pub fn run(&self) -> (Analysis, String) {
        let (analysis, db) = skip::run(&self.fixture.project, &REQUEST, &self.places).unwrap();
        let executed = db.map(|db| db.executed()).unwrap_or_default();
        let queries: Vec<String> = executed
            .iter()
            .map(|(query, times)| format!("{query} {times}"))
            .collect();
        (analysis, queries.join(" "))
    }

    /// The same, where nothing went wrong.
    pub fn ask(&self) -> (Analysis, String) {
        let (analysis, queries) = self.run();
        (timeless(analysis), queries)
    }

    pub fn scratch(&self) -> Analysis {
        timeless(run_at(&self.fixture.project, &REQUEST, &Places::default()).unwrap())
    }

    /// Asserts that the state leads where a run without one does. Returns the queries.
    pub fn check(&self) -> String {
        let (analysis, queries) = self.ask();
        assert_eq!(analysis, self.scratch());
        queries
    }
}

pub fn timeless(mut analysis: Analysis) -> Analysis {
    assert!(analysis.notices.is_empty(), "{:?}", analysis.notices);
    analysis.taken_ns = 0;
    analysis
}
