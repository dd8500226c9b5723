//! The macro in the situations cargo can put it in: kinds of targets, layouts of workspaces, target directories, packages from
//! elsewhere. What is asserted is the kind of the fingerprint, which says whether the right ledger was found.

use std::path::{Path, PathBuf};

use astrocache_tests::project::{Project, checkout, runtime};

const FAKE: &str = env!("CARGO_BIN_EXE_fake-analyzer");
const TOOL: &str = env!("CARGO_BIN_EXE_astrocache-tool");

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-cargo")
}

fn project() -> Project {
    Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", FAKE)
}

fn cached(name: &str) -> String {
    format!("#[astrocache::cached]\npub fn {name}(x: u64) -> u64 {{ x + 1 }}\n")
}

fn calls(project: &Project, args: &[&str]) -> Vec<String> {
    let ran = project.cargo(args).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    let mut calls: Vec<String> = ran
        .calls()
        .iter()
        .filter(|call| call.event != "stored")
        .map(|call| call.short())
        .collect();
    calls.sort();
    calls
}

#[test]
fn every_kind_of_target_is_fine() {
    let bench = "[[bench]]\nname = \"bench\"\nharness = false";
    let project = project().package(".", "kinds", bench).unwrap();
    project.write("src/lib.rs", &cached("in_lib")).unwrap();
    let main = |name: &str| format!("{}fn main() {{ {name}(kinds::in_lib(1)); }}\n", cached(name));
    project.write("src/main.rs", &main("in_bin")).unwrap();
    project.write("src/bin/other.rs", &main("in_other")).unwrap();
    project.write("examples/ex.rs", &main("in_example")).unwrap();
    project.write("benches/bench.rs", &main("in_bench")).unwrap();
    let test = format!("{}#[test] fn t() {{ in_test(kinds::in_lib(1)); }}\n", cached("in_test"));
    project.write("tests/test.rs", &test).unwrap();
    assert_eq!(
        calls(&project, &["run", "--bin", "kinds"]),
        ["miss kinds::in_bin fine", "miss kinds::in_lib fine"]
    );
    assert_eq!(
        calls(&project, &["run", "--bin", "other"]),
        ["hit kinds::in_lib fine", "miss kinds::in_other fine"]
    );
    assert_eq!(
        calls(&project, &["run", "--example", "ex"]),
        ["hit kinds::in_lib fine", "miss kinds::in_example fine"]
    );
    let tests = calls(&project, &["test", "--test", "test", "--", "--nocapture"]);
    assert_eq!(tests, ["hit kinds::in_lib fine", "miss kinds::in_test fine"]);
    // Optimised, so all is another build context.
    assert_eq!(
        calls(&project, &["bench", "--bench", "bench"]),
        ["miss kinds::in_bench fine", "miss kinds::in_lib fine"]
    );
    // A new target is a crate root that the ledger does not know: it is asked for, not guessed.
    project.write("examples/new.rs", &main("in_new")).unwrap();
    assert_eq!(
        calls(&project, &["run", "--example", "new"]).last().unwrap(),
        "miss kinds::in_new fine"
    );
}

#[test]
fn unit_tests_inside_a_library_are_fine() {
    let project = project().package(".", "unit", "").unwrap();
    project
        .write("src/lib.rs", &format!("{}#[test] fn t() {{ f(1); }}\n", cached("f")))
        .unwrap();
    assert_eq!(
        calls(&project, &["test", "--lib", "--", "--nocapture"]),
        ["miss unit::f fine"]
    );
}

#[test]
fn a_file_shared_by_two_targets_is_fine_in_both() {
    let project = project().package(".", "shared", "").unwrap();
    project.write("src/part.rs", &cached("part")).unwrap();
    project.write("src/lib.rs", "pub mod part;\n").unwrap();
    project
        .write(
            "src/main.rs",
            "mod part;\nfn main() { part::part(1); shared::part::part(1); }\n",
        )
        .unwrap();
    let calls = calls(&project, &["run"]);
    assert!(
        calls.iter().all(|call| call.ends_with("shared::part fine")),
        "{calls:?}"
    );
    assert_eq!(calls.len(), 2);
}

#[test]
fn members_are_fine_wherever_the_target_directory_is_and_whoever_is_asked_for() {
    let project = project();
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let project = project
        .package("a", "a", "[dependencies]\nb = { path = \"../b\" }")
        .unwrap()
        .package("b", "b", "")
        .unwrap();
    project.write("b/src/lib.rs", &cached("in_b")).unwrap();
    project
        .write(
            "a/src/main.rs",
            &format!("{}fn main() {{ in_a(b::in_b(1)); }}\n", cached("in_a")),
        )
        .unwrap();
    assert_eq!(
        calls(&project, &["run", "-p", "a"]),
        ["miss a::in_a fine", "miss b::in_b fine"]
    );
    let ran = project.cargo_in("a", &["run"]).unwrap();
    assert_eq!(
        ran.calls().iter().map(|call| call.short()).collect::<Vec<_>>(),
        ["hit b::in_b fine", "hit a::in_a fine"]
    );
    let host = host();
    let with_target = calls(&project, &["run", "-p", "a", "--target", &host]);
    assert!(with_target.iter().all(|call| call.ends_with("fine")), "{with_target:?}");
}

fn host() -> String {
    let output = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap()
        .to_owned()
}

#[test]
fn a_target_directory_inside_the_project_is_found() {
    let project = project().package(".", "inside", "").unwrap();
    project
        .write("src/main.rs", &format!("{}fn main() {{ f(1); }}\n", cached("f")))
        .unwrap();
    let dir = target().join("given");
    assert_eq!(
        calls(&project, &["run", "--target-dir", dir.to_str().unwrap()]),
        ["miss inside::f fine"]
    );
    assert!(dir.join("astrocache").is_dir());
}

#[test]
fn target_and_build_directories_of_the_configuration_are_found() {
    let mut project = project().package(".", "placed", "").unwrap();
    project.unset_target();
    project
        .write("src/main.rs", &format!("{}fn main() {{ f(1); }}\n", cached("f")))
        .unwrap();
    let dir = |name: &str| target().join(name).to_str().unwrap().to_owned();
    let config = format!("[build]\ntarget-dir = {:?}\n", dir("configured"));
    project.write(".cargo/config.toml", &config).unwrap();
    assert_eq!(calls(&project, &["run"]), ["miss placed::f fine"]);
    assert!(target().join("configured/astrocache").is_dir());
    // What is built stands apart from what is for people.
    project
        .write(
            ".cargo/config.toml",
            &format!("{config}build-dir = {:?}\n", dir("built")),
        )
        .unwrap();
    assert_eq!(calls(&project, &["run"]), ["hit placed::f fine"]);
    assert!(target().join("built/astrocache").is_dir());
    assert!(!project.path().join("target").exists());
}

#[test]
fn renamed_packages_and_libraries_are_fine() {
    let project = project().env("ASTROCACHE_TOOL", TOOL);
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"long-name\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let renamed = "[dependencies]\nnick = { path = \"../long-name\", package = \"long-name\" }";
    let project = project
        .package("a", "renamer", renamed)
        .unwrap()
        .package(
            "long-name",
            "long-name",
            "[lib]\nname = \"short\"\npath = \"src/code.rs\"",
        )
        .unwrap();
    project.write("long-name/src/code.rs", &cached("in_it")).unwrap();
    let main = format!("{}fn main() {{ here(nick::in_it(1)); }}\n", cached("here"));
    project.write("a/src/main.rs", &main).unwrap();
    let run = || calls(&project, &["run", "-p", "renamer"]);
    let kinds = |calls: Vec<String>| {
        calls
            .into_iter()
            .map(|call| call.split(' ').next_back().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(run()), ["fine", "fine"]);
    project.edit("long-name/src/code.rs", "x + 1", "x + 2").unwrap();
    let edited = run();
    assert!(
        edited
            .iter()
            .all(|call| call.starts_with("miss") && call.ends_with("fine")),
        "{edited:?}"
    );
}

#[test]
fn a_path_dependency_outside_the_workspace_is_coarse_even_if_it_is_a_workspace_too() {
    let project = project();
    let project = project
        .package("ws", "ws", "[dependencies]\nouter = { path = \"../outer\" }")
        .unwrap();
    let project = project.package("outer", "outer", "").unwrap();
    std::fs::rename(project.path().join("Cargo.lock"), project.path().join("ws/Cargo.lock")).unwrap();
    std::fs::copy(
        project.path().join("ws/Cargo.lock"),
        project.path().join("outer/Cargo.lock"),
    )
    .unwrap();
    project.write("outer/src/lib.rs", &cached("in_outer")).unwrap();
    project
        .write("outer/examples/ex.rs", "fn main() { outer::in_outer(1); }\n")
        .unwrap();
    project
        .write(
            "ws/src/main.rs",
            &format!("{}fn main() {{ in_ws(outer::in_outer(1)); }}\n", cached("in_ws")),
        )
        .unwrap();
    let here = |dir: &str, args: &[&str]| {
        let ran = project.cargo_in(dir, args).unwrap();
        assert!(ran.ok, "{}", ran.stderr);
        ran.calls()
            .iter()
            .filter(|call| call.event != "stored")
            .map(|call| call.short())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        here("ws", &["run"]),
        ["miss outer::in_outer coarse", "miss ws::in_ws fine"]
    );
    // Built for itself it is a workspace, and as a dependency it still is none, though its ledger is there now.
    assert_eq!(
        here("outer", &["run", "--example", "ex"]),
        ["miss outer::in_outer fine"]
    );
    project.edit("outer/src/lib.rs", "x + 1", "x + 2").unwrap();
    assert_eq!(here("ws", &["run"])[0], "miss outer::in_outer coarse");
}

#[test]
fn a_vendored_package_is_coarse_and_says_nothing() {
    let project = project()
        .package(".", "vendors", "[dependencies]\nven = \"1\"")
        .unwrap();
    let path = checkout().join("astrocache-runtime");
    let manifest = format!(
        "[package]\nname = \"ven\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[dependencies]\nastrocache-runtime = {{ path = {path:?} }}\n"
    );
    project.write("vendor/ven/Cargo.toml", &manifest).unwrap();
    project.write("vendor/ven/src/lib.rs", &cached("in_ven")).unwrap();
    project
        .edit(
            "Cargo.toml",
            "[dependencies]",
            "[patch.crates-io]\nven = { path = \"vendor/ven\" }\n[dependencies]",
        )
        .unwrap();
    project.write("src/main.rs", "fn main() { ven::in_ven(1); }\n").unwrap();
    std::fs::write(project.path().join("vendor/ven/outside"), "").unwrap();
    let ran = project.cargo(&["run"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    assert_eq!(ran.calls()[0].short(), "miss ven::in_ven coarse", "{}", ran.stderr);
    assert_eq!(ran.notices(), [""; 0]);
}

#[test]
fn the_runtime_may_be_renamed() {
    let project = project();
    let manifest = "[package]\nname = \"renamed\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n";
    project
        .write("Cargo.toml", &format!("{manifest}{}\n", runtime("memo")))
        .unwrap();
    let main = "#[memo::cached]\nfn f(x: u64) -> Result<u64, String> { Ok(x) }\nfn main() { f(1).unwrap(); }\n";
    project.write("src/main.rs", main).unwrap();
    assert!(project.cargo(&["check"]).unwrap().ok);
    assert_eq!(calls(&project, &["run"]), ["miss renamed::f fine"]);
}

#[test]
fn features_switched_back_and_forth_keep_their_own_entries() {
    let project = project().package(".", "switch", "[features]\nbig = []").unwrap();
    let body = "if cfg!(feature = \"big\") { x + 1000 } else { x }";
    let main = format!(
        "// fake cfg: feature=\"big\"\n#[astrocache::cached]\nfn f(x: u64) -> u64 {{ {body} }}\nfn main() {{ println!(\"{{}}\", f(1)); }}\n"
    );
    project.write("src/main.rs", &main).unwrap();
    let answer = |args: &[&str]| {
        let ran = project.cargo(args).unwrap();
        (ran.stdout.trim().to_owned(), ran.calls()[0].event.clone())
    };
    let of = |text: &str, event: &str| (text.to_owned(), event.to_owned());
    assert_eq!(answer(&["run"]), of("1", "miss"));
    assert_eq!(answer(&["run", "--features", "big"]), of("1001", "miss"));
    assert_eq!(answer(&["run"]), of("1", "hit"));
    assert_eq!(answer(&["run", "--features", "big"]), of("1001", "hit"));
}

#[test]
fn a_feature_of_a_dependency_that_the_closure_asks_for_is_in_the_key() {
    let project = project();
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"dep\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let app = "[features]\nloud = [\"dep/loud\"]\nother = [\"dep/other\"]\n[dependencies]\ndep = { path = \"../dep\" }";
    let project = project.package("app", "app", app).unwrap();
    let dep = "[package]\nname = \"dep\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nloud = []\nother = []\n";
    project.write("dep/Cargo.toml", dep).unwrap();
    project
        .write(
            "dep/src/lib.rs",
            "// fake cfg: dep feature=\"loud\"\npub fn d() -> u64 { if cfg!(feature = \"loud\") { 2 } else { 1 } }\n",
        )
        .unwrap();
    let main = "#[astrocache::cached]\nfn f() -> u64 { dep::d() }\nfn main() { println!(\"{}\", f()); }\n";
    project.write("app/src/main.rs", main).unwrap();
    let answer = |args: &[&str]| {
        project
            .cargo(&[&["run", "-p", "app"], args].concat())
            .unwrap()
            .stdout
            .trim()
            .to_owned()
    };
    assert_eq!(answer(&[]), "1");
    assert_eq!(answer(&["--features", "loud"]), "2");
    assert_eq!(answer(&[]), "1");
    assert_eq!(answer(&["--features", "other"]), "1");
}

#[test]
fn a_documentation_test_runs_and_finds_its_library_cached() {
    let project = project().package(".", "docs", "").unwrap();
    let lib = format!(
        "/// ```\n/// #[astrocache::cached] fn g(x: u64) -> u64 {{ x }}\n/// assert_eq!(g(docs::f(1)), 2);\n/// ```\n{}",
        cached("f")
    );
    project.write("src/lib.rs", &lib).unwrap();
    let ran = project.cargo(&["test", "--doc", "--", "--nocapture"]).unwrap();
    assert!(
        ran.ok && ran.stdout.contains("1 passed"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}
