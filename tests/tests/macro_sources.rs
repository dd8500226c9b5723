//! Where packages come from, with the real analyzer: vendored sources, and a process for each test, as `cargo nextest` starts them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use astrocache_tests::project::{Project, Ran};

const TOOL: &str = env!("CARGO_BIN_EXE_astrocache-tool");

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-sources")
}

fn project(name: &str) -> Project {
    let serde = "[dependencies]\nserde = { version = \"1\", features = [\"derive\"] }";
    let project = Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", TOOL);
    project.package(".", name, serde).unwrap()
}

#[test]
fn vendored_dependencies_are_analyzed_and_their_sources_are_nobodys_to_edit() {
    let _alone = alone();
    let mut project = project("vendors");
    let main = "use serde::{Deserialize, Serialize};\n#[derive(Serialize, Deserialize)] struct P { x: u64 }\n\
                #[astrocache::cached] fn f(p: &P) -> P { P { x: helper(p.x) } }\nfn helper(x: u64) -> u64 { x + 1 }\n\
                fn main() { println!(\"{}\", f(&P { x: 1 }).x); }\n";
    project.write("src/main.rs", main).unwrap();
    let vendored = project.cargo(&["vendor", "--offline", "vendor"]).unwrap();
    assert!(vendored.ok, "{}", vendored.stderr);
    project.write(".cargo/config.toml", &vendored.stdout).unwrap();
    assert!(project.path().join("vendor/serde/.cargo-checksum.json").is_file());
    let told = |project: &Project| {
        let ran = project.cargo(&["run"]).unwrap();
        assert!(ran.ok, "{}", ran.stderr);
        format!("{} {}", ran.stdout.trim(), ran.calls()[0].short())
    };
    assert_eq!(told(&project), "2 miss vendors::f fine");
    project.edit("src/main.rs", "x + 1", "x + 2").unwrap();
    assert_eq!(told(&project), "3 miss vendors::f fine");
    let update = Command::new(TOOL)
        .args(["astrocache", "update", "--offline", "--manifest-path"])
        .arg(project.path().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(update.status.success(), "{}", String::from_utf8_lossy(&update.stderr));
    project.set("ASTROCACHE_TOOL", "off");
    project.set("ASTROCACHE_LOCKED", "1");
    project
        .edit(
            "src/main.rs",
            "fn main",
            "// The ledger does not hold any more.\nfn main",
        )
        .unwrap();
    assert_eq!(told(&project), "3 miss vendors::f trusted");
}

#[test]
fn a_process_for_each_test_shares_what_is_stored() {
    let _alone = alone();
    let project = project("nexts");
    let lib = "#[astrocache::cached] pub fn f(x: u64) -> u64 { x + 1 }\n\
               #[cfg(test)] mod tests { #[test] fn a() { assert_eq!(crate::f(1), 2); } #[test] fn b() { assert_eq!(crate::f(1), 2); } }\n";
    project.write("src/lib.rs", lib).unwrap();
    let built = project.cargo(&["test", "--lib", "--no-run"]).unwrap();
    assert!(built.ok, "{}", built.stderr);
    // As nextest does: cargo says where the program is, which runs once for each test.
    let path = built
        .stderr
        .rsplit_once('(')
        .unwrap()
        .1
        .split(')')
        .next()
        .unwrap()
        .to_owned();
    let each = |test: &str| {
        let mut command = Command::new(project.path().join(&path));
        command
            .args(["--exact", test, "--nocapture"])
            .current_dir(project.path());
        project.environment(&mut command);
        let ran = Ran::from(command.output().unwrap());
        assert!(ran.ok, "{}", ran.stderr);
        ran.calls()[0].short()
    };
    assert_eq!(each("tests::a"), "miss nexts::f fine");
    assert_eq!(each("tests::b"), "hit nexts::f fine");
}
