//! The macro and the real analyzer together, in real builds: every shape of function is known to both, an edit drops what
//! can run it and nothing else, and an unchanged project is not analyzed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use astrocache_manifest::Ledger;
use astrocache_tests::project::{Call, Project, runtime};
use expect_test::expect;

const TOOL: &str = env!("CARGO_BIN_EXE_astrocache-tool");

/// All projects build a program of one name into one directory, so they take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-real")
}

fn shorts(calls: &[Call]) -> Vec<String> {
    calls.iter().map(Call::short).collect()
}

/// The calls of one run that were not answered from the store.
fn computed(project: &Project) -> Vec<String> {
    let ran = project.cargo(&["run", "-p", "app"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    assert_eq!(ran.notices(), [""; 0]);
    let calls = shorts(&ran.calls()).into_iter();
    calls
        .filter(|call| !call.starts_with("hit ") && !call.starts_with("stored "))
        .collect()
}

/// When the analyzer last wrote the project's ledger.
fn analyzed(project: &Project) -> SystemTime {
    let root = fs::canonicalize(project.path()).unwrap();
    let ledger = Ledger::path_in(project.target(), &root);
    fs::metadata(ledger).unwrap().modified().unwrap()
}

const MAIN: &str = r#"
use astrocache::{Func, cached, func};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone)]
struct Point { x: u64, y: u64 }

/// Reaches `twice`.
#[cached]
fn area(p: &Point) -> u64 { words::twice(p.x) * p.y }

#[cached(key = text.len() as u64, version = 2)]
fn length(text: &str) -> u64 { words::once(text.len() as u64) }

impl Point {
    #[cached]
    fn sum(&self) -> u64 { self.x + self.y }
}

trait Show { fn show(&self) -> String; }
impl Show for Point {
    #[cached]
    fn show(&self) -> String { format!("({}, {})", self.x, self.y) }
}

#[cached]
fn same(x: u64) -> u64 { words::once(x) }

#[cached]
fn shown<T: Serialize + ToString>(value: T) -> String { value.to_string() }

#[cached]
fn r#match<const N: usize>(x: u64) -> Option<u64> { x.checked_add(N as u64) }

mod inner {
    #[cfg(unix)]
    #[astrocache::cached]
    pub fn twin() -> u64 { 1 }
    #[cfg(not(unix))]
    #[astrocache::cached]
    pub fn twin() -> u64 { 2 }
}

macro_rules! make { ($name:ident) => { #[cached] fn $name(x: u64) -> u64 { x } } }
make!(made);

#[cached]
fn applied<F: Fn(u64) -> u64>(f: Func<F>, x: u64) -> u64 { f(x) }
fn third(x: u64) -> u64 { x / 3 }

fn main() {
    let p = Point { x: 1, y: 2 };
    #[cached]
    fn local(x: u64) -> u64 { x + 1 }
    println!("{} {} {} {} {}", area(&p), length("ab"), p.sum(), p.show(), shown(same(7)));
    println!("{:?} {} {} {} {}", r#match::<3>(4), inner::twin(), made(5), local(6), applied(func!(third), 9));
}
"#;

/// A member that is an application, and one that it uses.
fn workspace() -> Project {
    let project = Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", TOOL);
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"words\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let dependencies = format!(
        "[dependencies]\nwords = {{ path = \"../words\" }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n{}\n",
        runtime("astrocache-runtime")
    );
    let manifest = format!("[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{dependencies}");
    project.write("app/Cargo.toml", &manifest).unwrap();
    project.write("app/src/main.rs", MAIN).unwrap();
    project
        .write(
            "words/Cargo.toml",
            "[package]\nname = \"words\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        )
        .unwrap();
    project
        .write(
            "words/src/lib.rs",
            "pub fn once(x: u64) -> u64 { x }\npub fn twice(x: u64) -> u64 { x + x }\n",
        )
        .unwrap();
    project
}

#[test]
fn every_function_is_fine_and_an_edit_drops_what_can_run_it() {
    let _alone = alone();
    let project = workspace();
    let first = project.run(&["-p", "app"]).unwrap();
    let misses: Vec<String> = shorts(&first)
        .into_iter()
        .filter(|call| call.starts_with("miss "))
        .collect();
    expect![[r#"
        miss app::area fine
        miss app::length fine
        miss app::Point::sum fine
        miss <app::Point as app::Show>::show fine
        miss app::same fine
        miss app::shown fine
        miss app::match fine
        miss app::inner::twin fine
        miss app::make!(made) fine
        miss app::main::local fine
        miss app::applied fine"#]]
    .assert_eq(&misses.join("\n"));
    assert_eq!(computed(&project), [""; 0], "a new process finds everything");

    project.edit("words/src/lib.rs", "x + x", "2 * x").unwrap();
    assert_eq!(computed(&project), ["miss app::area fine"]);

    project
        .edit("app/src/main.rs", "/// Reaches", "// A comment.\n\n/// It reaches")
        .unwrap();
    project
        .edit("app/src/main.rs", "fn third", "fn unused() {}\nfn third")
        .unwrap();
    assert_eq!(computed(&project), [""; 0]);

    project.edit("app/src/main.rs", "x / 3", "x / 4").unwrap();
    assert_eq!(
        computed(&project),
        ["miss app::applied fine"],
        "the code of a `func!` is in the key"
    );

    project
        .edit(
            "app/src/main.rs",
            "text.len() as u64, version",
            "text.len() as u64 + 1, version",
        )
        .unwrap();
    assert_eq!(computed(&project), ["miss app::length fine"]);
}

#[test]
fn an_unchanged_project_is_not_analyzed_again() {
    let _alone = alone();
    let project = workspace();
    computed(&project);
    let first = analyzed(&project);
    // Another profile, and a file that only looks changed.
    assert!(project.cargo(&["build", "--release", "-p", "app"]).unwrap().ok);
    let main = fs::File::options()
        .write(true)
        .open(project.path().join("app/src/main.rs"))
        .unwrap();
    main.set_modified(SystemTime::now()).unwrap();
    assert_eq!(computed(&project), [""; 0]);
    assert_eq!(analyzed(&project), first);

    project.edit("words/src/lib.rs", "x + x", "2 * x").unwrap();
    computed(&project);
    assert_ne!(analyzed(&project), first);
}

#[test]
fn strict_tells_what_a_function_in_another_crate_reads() {
    let _alone = alone();
    let project = workspace();
    project
        .edit("app/src/main.rs", "#[cached]\nfn same", "#[cached(strict)]\nfn same")
        .unwrap();
    // The code that serde derives for `Point`, and serde's own, reads nothing.
    project
        .edit("app/src/main.rs", "#[cached]\nfn area", "#[cached(strict)]\nfn area")
        .unwrap();
    let build = || project.cargo(&["build", "-p", "app"]).unwrap();
    let ran = build();
    assert!(ran.ok, "{}", ran.stderr);
    project
        .edit("words/src/lib.rs", "{ x }", "{ x + std::env::args().count() as u64 }")
        .unwrap();
    let ran = build();
    assert!(!ran.ok);
    assert_eq!(ran.errors(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("std::env::args (env) at"), "{}", ran.stderr);
    assert!(ran.stderr.contains("words/src/lib.rs:1"), "{}", ran.stderr);
    project
        .edit(
            "app/src/main.rs",
            "(strict)]\nfn same",
            "(strict, allow(env))]\nfn same",
        )
        .unwrap();
    let ran = build();
    assert!(ran.ok, "{}", ran.stderr);
}

#[test]
fn the_workspace_may_be_reached_through_a_link() {
    let _alone = alone();
    let project = workspace();
    let links = tempfile::tempdir().unwrap();
    let link = links.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink(project.path(), &link).unwrap();
    #[cfg(windows)]
    std::os::windows::fs::symlink_dir(project.path(), &link).unwrap();
    let dir = link.join("app");
    let ran = project.cargo_in(dir.to_str().unwrap(), &["run", "--quiet"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    assert_eq!(ran.calls()[0].short(), "miss app::area fine");
}
