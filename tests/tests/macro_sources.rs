//! Where packages come from, with the real analyzer: a registry of vendored sources; and a process for each test, as
//! `cargo nextest` starts them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use astrocache_tests::project::{Call, Project, Ran, runtime};

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

/// A package `ven` of the vendored registry, as `cargo vendor` would leave it. Cargo never looks for edits in it.
fn publish(project: &Project, version: &str, in_ven: &str) {
    let dir = project.path().join("vendor/ven");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    let manifest = format!(
        "[package]\nname = \"ven\"\nversion = \"{version}\"\nedition = \"2024\"\n[dependencies]\nastrocache-runtime = \"0.1\"\n"
    );
    project.write("vendor/ven/Cargo.toml", &manifest).unwrap();
    let lib = format!(
        "#[astrocache::cached] pub fn cached(x: u64) -> u64 {{ plain(x) }}\npub fn plain(x: u64) -> u64 {{ {in_ven} }}\npub fn other(x: u64) -> u64 {{ x }}\n"
    );
    project.write("vendor/ven/src/lib.rs", &lib).unwrap();
    let digit = version.chars().nth(2).unwrap();
    let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", digit.to_string().repeat(64));
    project.write("vendor/ven/.cargo-checksum.json", &checksum).unwrap();
}

/// The program's answers, and the calls that it made.
fn told(project: &Project) -> (String, Vec<String>) {
    let ran = project.cargo(&["run"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    assert_eq!(ran.notices(), [""; 0]);
    let calls = ran.calls().into_iter().filter(|call| call.event != "stored");
    (ran.stdout.trim().to_owned(), calls.map(|call| call.short()).collect())
}

#[test]
fn packages_of_a_registry_are_analyzed_and_their_own_cached_functions_follow_their_version() {
    let _alone = alone();
    let mut project = project("vendors");
    let main = "use serde::{Deserialize, Serialize};\n#[derive(Serialize, Deserialize)] struct P { x: u64 }\n\
                #[astrocache::cached] fn f(p: &P) -> P { P { x: helper(p.x) } }\nfn helper(x: u64) -> u64 { ven::plain(x) + 1 }\n\
                #[astrocache::cached] fn g(x: u64) -> u64 { ven::other(x) }\n\
                fn main() { println!(\"{} {} {}\", f(&P { x: 1 }).x, g(1), ven::cached(1)); }\n";
    project.write("src/main.rs", main).unwrap();
    let vendored = project.cargo(&["vendor", "--offline", "vendor"]).unwrap();
    assert!(vendored.ok, "{}", vendored.stderr);
    project.write(".cargo/config.toml", &vendored.stdout).unwrap();
    assert!(project.path().join("vendor/serde/.cargo-checksum.json").is_file());
    publish(&project, "1.0.0", "x");
    let patch = format!(
        "[patch.crates-io]\n{}\n[dependencies]\nven = \"1\"",
        runtime("astrocache-runtime")
    );
    project.edit("Cargo.toml", "[dependencies]", &patch).unwrap();
    let of = |text: &str, calls: [&str; 3]| (text.to_owned(), calls.map(str::to_owned).to_vec());
    let again = ["hit vendors::f fine", "hit vendors::g fine", "hit ven::cached coarse"];
    assert_eq!(
        told(&project),
        of(
            "2 1 1",
            [
                "miss vendors::f fine",
                "miss vendors::g fine",
                "miss ven::cached coarse"
            ]
        )
    );
    let lock = std::fs::read_to_string(project.path().join("Cargo.lock")).unwrap();
    assert!(
        lock.contains("name = \"ven\"\nversion = \"1.0.0\"\nsource = \"registry+"),
        "{lock}"
    );
    assert_eq!(told(&project), of("2 1 1", again));

    // Another program's edit leaves the package as it was.
    project.edit("src/main.rs", "(x) + 1", "(x) + 2").unwrap();
    let edited = ["miss vendors::f fine", "hit vendors::g fine", "hit ven::cached coarse"];
    assert_eq!(told(&project), of("3 1 1", edited));

    publish(&project, "1.1.0", "x + 10");
    let updated = project.cargo(&["update", "--offline", "ven"]).unwrap();
    assert!(updated.ok && updated.stderr.contains("v1.1.0"), "{}", updated.stderr);
    let bumped = ["miss vendors::f fine", "hit vendors::g fine", "miss ven::cached coarse"];
    assert_eq!(
        told(&project),
        of("13 1 11", bumped),
        "only what runs new code is computed again"
    );
    assert_eq!(told(&project), of("13 1 11", again));

    // A package of the registry on top of a local one is in no manifest, so what is trusted goes without.
    project.edit("src/main.rs", "ven::plain(x)", "x").unwrap();
    project.edit("src/main.rs", "ven::other(x)", "x").unwrap();
    project.edit("src/main.rs", ", ven::cached(1)", ", 0").unwrap();
    project.edit("Cargo.toml", "ven = \"1\"", "").unwrap();
    assert_eq!(told(&project).0, "3 1 0");
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
    let trusted = ["miss vendors::f trusted", "miss vendors::g trusted"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(told(&project), ("3 1 0".to_owned(), trusted));
}

/// A library with three tests that call one function with the same argument, and one with another.
fn tested(name: &str) -> Project {
    let project = project(name);
    let test = |name: &str, x: u64| format!("    #[test] fn {name}() {{ assert!(crate::f({x}) > {x}); }}\n");
    let tests = [test("a", 1), test("b", 1), test("c", 1), test("d", 2)].concat();
    let lib = format!(
        "#[astrocache::cached] pub fn f(x: u64) -> u64 {{ helper(x) }}\nfn helper(x: u64) -> u64 {{ x + 1 }}\n#[cfg(test)] mod tests {{\n{tests}}}\n"
    );
    project.write("src/lib.rs", &lib).unwrap();
    project
}

/// What the tests of a project say of `f`, however they are run: who calls first is nobody's to say, the rest is.
fn check_runs_of_tests(project: &Project, run: impl Fn(&Project) -> Vec<Call>) {
    let name = project.path().join("Cargo.toml");
    let name = std::fs::read_to_string(name).unwrap();
    let name = name.split('"').nth(1).unwrap().to_owned();
    let events = |event: &str, calls: &[Call]| calls.iter().filter(|call| call.event == event).count();
    let run = || {
        let calls = run(project);
        let kinds: Vec<String> = calls
            .iter()
            .map(|call| format!("{} {}", call.path, call.kind))
            .collect();
        assert!(kinds.iter().all(|kind| *kind == format!("{name}::f fine")), "{kinds:?}");
        let answered = events("hit", &calls) + events("miss", &calls);
        assert_eq!((answered, events("uncached", &calls)), (4, 0), "{calls:?}");
        (events("hit", &calls), calls)
    };
    // Processes that start together may all compute the same.
    let (hits, first) = run();
    assert!(hits <= 2, "{first:?}");
    assert_eq!(run().0, 4, "all that was computed is there for other processes");
    project.edit("src/lib.rs", "x + 1", "x + 2").unwrap();
    let (hits, calls) = run();
    assert!(hits <= 2, "{calls:?}");
    assert_ne!(calls[0].fingerprint, first[0].fingerprint);
    project
        .edit("src/lib.rs", "fn helper", "/// Documented.\nfn helper")
        .unwrap();
    assert_eq!(run().0, 4, "a comment costs nothing");
}

/// As nextest does: it asks the test program for its list, then starts a process for each test, several at a time.
#[test]
fn a_process_for_each_test_shares_what_is_stored() {
    let _alone = alone();
    let project = tested("nexts");
    check_runs_of_tests(&project, |project| {
        let built = project.cargo(&["test", "--lib", "--no-run"]).unwrap();
        assert!(built.ok, "{}", built.stderr);
        let (_, path) = built.stderr.rsplit_once('(').unwrap();
        let program = project.path().join(path.split(')').next().unwrap());
        let start = |args: &[&str]| {
            let mut command = Command::new(&program);
            command.args(args).current_dir(project.path());
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            project.environment(&mut command);
            command
                .env("NEXTEST", "1")
                .env("NEXTEST_EXECUTION_MODE", "process-per-test");
            command.spawn().unwrap()
        };
        let list = start(&["--list", "--format", "terse"]).wait_with_output().unwrap();
        let list = Ran::from(list).stdout;
        let tests: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
        assert_eq!(tests, ["tests::a", "tests::b", "tests::c", "tests::d"]);
        let running: Vec<Child> = tests
            .iter()
            .map(|test| start(&["--exact", test, "--nocapture"]))
            .collect();
        let finish = |child: Child| {
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert!(ran.ok, "{}", ran.stderr);
            ran.calls()
        };
        running.into_iter().flat_map(finish).collect()
    });
}

/// The real one, where it is installed. It takes too long to build to be asked for everywhere; the test above does what it does.
#[test]
fn cargo_nextest_runs_the_tests_of_a_project() {
    let _alone = alone();
    let project = tested("nextest");
    if !project.cargo(&["nextest", "--version"]).unwrap().ok {
        writeln!(
            std::io::stderr(),
            "cargo-nextest is not installed: only what it does was tested"
        )
        .unwrap();
        return;
    }
    check_runs_of_tests(&project, |project| {
        let ran = project
            .cargo(&[
                "nextest",
                "run",
                "--lib",
                "--test-threads",
                "4",
                "--success-output",
                "immediate",
            ])
            .unwrap();
        assert!(ran.ok && ran.stderr.contains("4 passed"), "{}", ran.stderr);
        ran.calls()
    });
}
