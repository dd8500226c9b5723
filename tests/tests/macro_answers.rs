//! The four answers of the macro, in real builds: fine, trusted, coarse and none, when each is given, and that none of them is
//! ever wrong.

use std::fs;
use std::path::{Path, PathBuf};

use astrocache_tests::project::{Call, Project, Ran, checkout};

const FAKE: &str = env!("CARGO_BIN_EXE_fake-analyzer");

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-answers")
}

const MAIN: &str = r#"
mod helper;
#[astrocache::cached]
fn twice(x: u64) -> u64 { helper::add(x, x) }
fn main() { println!("{}", twice(21)); }
"#;

/// One package, two modules, one cached function.
fn app(name: &str) -> Project {
    let project = Project::new(&target()).unwrap().package(".", name, "").unwrap();
    project.write("src/main.rs", MAIN).unwrap();
    project
        .write("src/helper.rs", "pub fn add(a: u64, b: u64) -> u64 { a + b }\n")
        .unwrap();
    project
}

fn with_tool(project: Project) -> Project {
    project.env("ASTROCACHE_TOOL", FAKE)
}

fn shorts(calls: &[Call]) -> Vec<String> {
    calls.iter().map(Call::short).collect()
}

fn run(project: &Project) -> Vec<String> {
    shorts(&project.run(&[]).unwrap())
}

/// How often the fake was started for this project.
fn asked(project: &Project) -> usize {
    let runs = fs::read_to_string(project.target().join("fake-runs")).unwrap_or_default();
    let root = fs::canonicalize(project.path()).unwrap().display().to_string();
    runs.lines().filter(|line| *line == root).count()
}

fn build(project: &Project) -> Ran {
    let ran = project.cargo(&["build"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    ran
}

#[test]
fn without_the_tool_a_function_is_cached_per_package() {
    let project = app("coarse-app");
    let first = project.cargo(&["run"]).unwrap();
    assert_eq!(first.stdout, "42\n", "{}", first.stderr);
    assert_eq!(
        shorts(&first.calls()),
        ["miss coarse_app::twice coarse", "stored coarse_app::twice coarse"]
    );
    let note = "note: astrocache (coarse_app): cargo-astrocache is not installed (`cargo install cargo-astrocache` makes caching per \
                function), so any change to this package or its dependencies drops what is cached";
    assert_eq!(first.notices(), [note]);
    assert_eq!(run(&project), ["hit coarse_app::twice coarse"]);
    project
        .edit("src/helper.rs", "pub", "// any change counts\npub")
        .unwrap();
    assert_eq!(run(&project)[0], "miss coarse_app::twice coarse");
}

#[test]
fn a_notice_is_repeated_by_cargo_and_silenced_by_the_log_level() {
    let mut project = app("quiet-app");
    assert_eq!(build(&project).notices().len(), 1);
    assert_eq!(build(&project).notices().len(), 1);
    project.set("ASTROCACHE_LOG", "off");
    project.edit("src/helper.rs", "pub", "\npub").unwrap();
    assert_eq!(build(&project).notices(), [""; 0]);
}

#[test]
fn with_the_tool_a_comment_costs_nothing_and_a_helper_does() {
    let project = with_tool(app("fine-app"));
    let first = project.run(&[]).unwrap();
    assert_eq!(
        shorts(&first),
        ["miss fine-app::twice fine", "stored fine-app::twice fine"]
    );
    project.edit("src/helper.rs", "pub", "// a comment\n\npub").unwrap();
    project
        .edit("src/main.rs", "fn twice(x: u64)", "fn twice( x : u64 )")
        .unwrap();
    let second = project.run(&[]).unwrap();
    assert_eq!(shorts(&second), ["hit fine-app::twice fine"]);
    assert_eq!(second[0].key, first[0].key);
    project.edit("src/helper.rs", "a + b", "b + a").unwrap();
    assert_eq!(run(&project)[0], "miss fine-app::twice fine");
}

#[test]
fn the_tool_is_asked_once_for_an_edit_and_not_at_all_without_one() {
    let project = with_tool(app("asked-app"));
    build(&project);
    assert_eq!(asked(&project), 1);
    // Another profile compiles anew and finds the ledger current.
    assert!(project.cargo(&["build", "--release"]).unwrap().ok);
    assert_eq!(asked(&project), 1);
    project.edit("src/main.rs", "21", "4").unwrap();
    build(&project);
    assert_eq!(asked(&project), 2);
}

#[test]
fn two_crates_that_compile_at_once_ask_once() {
    let project = with_tool(app("many-app"));
    for name in ["one", "two", "three"] {
        let main = MAIN.replace("mod helper;", "#[path = \"../helper.rs\"] mod helper;");
        project.write(&format!("src/bin/{name}.rs"), &main).unwrap();
    }
    build(&project);
    assert_eq!(asked(&project), 1);
    assert_eq!(
        shorts(&project.run(&["--bin", "two"]).unwrap())[0],
        "miss many-app::twice fine"
    );
}

#[test]
fn a_tool_that_fails_leaves_the_build_whole_and_says_why() {
    for (mode, why) in [
        ("fail", "failed: error: the fake was told to fail, so any change"),
        ("silent", "wrote no ledger for this directory, so any change"),
        ("garbage", "writes another format; update it and astrocache-runtime"),
    ] {
        let project = with_tool(app("failing-app")).env("ASTROCACHE_FAKE", mode);
        let ran = project.cargo(&["run"]).unwrap();
        assert!(ran.ok, "{}", ran.stderr);
        assert_eq!(ran.calls()[0].kind, "coarse");
        assert!(ran.notices()[0].contains(why), "{mode}: {:?}", ran.notices());
    }
}

#[test]
fn a_tool_that_hangs_is_stopped() {
    let project = with_tool(app("hanging-app"))
        .env("ASTROCACHE_FAKE", "hang")
        .env("ASTROCACHE_TOOL_TIMEOUT", "1");
    let ran = project.cargo(&["run"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    assert!(ran.notices()[0].contains("took too long"), "{:?}", ran.notices());
    assert_eq!(ran.calls()[0].kind, "coarse");
}

#[test]
fn a_damaged_ledger_is_asked_for_again() {
    let project = with_tool(app("damaged-app"));
    build(&project);
    let dir = project.target().join("astrocache");
    let root = fs::canonicalize(project.path()).unwrap();
    let ledger = astrocache_manifest::Ledger::path_in(project.target(), &root);
    assert!(ledger.starts_with(dir));
    fs::write(&ledger, "garbage").unwrap();
    fs::File::options()
        .write(true)
        .open(project.path().join("src/main.rs"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    assert_eq!(run(&project)[0], "miss damaged-app::twice fine");
    assert_eq!(asked(&project), 2);
}

#[test]
fn check_clippy_and_doc_ask_nothing_and_read_nothing() {
    let project = with_tool(app("inert-app"));
    for command in ["check", "clippy", "doc"] {
        let ran = project.cargo(&[command]).unwrap();
        assert!(ran.ok, "{command}: {}", ran.stderr);
        assert_eq!(ran.notices(), [""; 0], "{command}");
        assert!(!ran.stderr.contains("warning"), "{command}: {}", ran.stderr);
    }
    assert_eq!(asked(&project), 0);
}

#[test]
fn a_variable_and_a_cfg_of_the_closure_are_in_the_key_and_others_are_not() {
    let mut project = with_tool(app("context-app"));
    project
        .edit(
            "src/helper.rs",
            "pub",
            "// fake cfg: feature=\"loud\"\n// fake env: WORD\npub",
        )
        .unwrap();
    project
        .edit(
            "Cargo.toml",
            "[dependencies]",
            "[features]\nloud = []\nother = []\n[dependencies]",
        )
        .unwrap();
    project
        .edit(
            "src/main.rs",
            "fn main() {",
            "const _: Option<&str> = option_env!(\"WORD\");\nfn main() {",
        )
        .unwrap();
    let key = |project: &Project, args: &[&str]| project.run(args).unwrap()[0].key.clone();
    let plain = key(&project, &[]);
    assert_ne!(key(&project, &["--features", "loud"]), plain);
    // A fingerprint holds the code of all features; one that the closure does not ask for makes no difference.
    assert_eq!(key(&project, &["--features", "other"]), plain);
    assert_ne!(key(&project, &["--release"]), plain);
    assert_eq!(key(&project, &[]), plain);
    project.set("WORD", "hello");
    assert_ne!(key(&project, &[]), plain);
    project.unset("WORD");
    assert_eq!(key(&project, &[]), plain);
}

#[test]
fn strict_refuses_what_memoization_cannot_see_until_it_is_allowed() {
    let project = with_tool(app("strict-app"));
    project
        .edit(
            "src/helper.rs",
            "pub",
            "// fake finding: time std::time::Instant::now\npub",
        )
        .unwrap();
    project
        .edit("src/main.rs", "astrocache::cached", "astrocache::cached(strict)")
        .unwrap();
    let ran = project.cargo(&["build"]).unwrap();
    assert!(!ran.ok);
    assert_eq!(ran.errors(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("std::time::Instant::now (time) at"),
        "{}",
        ran.stderr
    );
    project
        .edit("src/main.rs", "(strict)", "(strict, allow(time))")
        .unwrap();
    build(&project);
}

#[test]
fn the_committed_manifest_is_trusted_only_when_asked_to_and_only_for_the_same_function() {
    let mut project = with_tool(app("trusted-app"));
    let root = fs::canonicalize(project.path()).unwrap();
    let fine = project.run(&[]).unwrap();
    let ledger =
        astrocache_manifest::Ledger::read(&astrocache_manifest::Ledger::path_in(project.target(), &root)).unwrap();
    let roots = ledger.roots.iter().map(|root| astrocache_manifest::Root {
        package: root.package.clone(),
        target: root.target.clone(),
        path: root.path.clone(),
        file: "src/main.rs".into(),
        source: root.source,
        fingerprint: root.fingerprint,
    });
    let mut manifest = astrocache_manifest::Manifest {
        platforms: ledger.platforms.clone(),
        packages: Vec::new(),
        roots: roots.collect(),
    };
    let package = |name: &str, path: &Path| astrocache_manifest::ManifestPackage {
        name: name.into(),
        path: path.to_str().unwrap().into(),
        features: if name == "astrocache-runtime" {
            vec!["default".into()]
        } else {
            Vec::new()
        },
    };
    let runtime = checkout().join("astrocache-runtime");
    manifest.packages = vec![
        package("trusted-app", Path::new(".")),
        package("astrocache-runtime", &runtime),
        package("astrocache-macros", &runtime.join("macros")),
        package("astrocache-manifest", &runtime.join("manifest")),
    ];
    manifest
        .write_if_changed(&project.path().join("Astrocache.lock"))
        .unwrap();

    // The ledger would still be good: a comment makes it stale.
    project.set("ASTROCACHE_TOOL", "off");
    project.edit("src/main.rs", "fn main", "// changed\nfn main").unwrap();
    assert_eq!(run(&project)[0], "miss trusted_app::twice coarse");
    project.set("ASTROCACHE_LOCKED", "1");
    let trusted = project.run(&[]).unwrap();
    assert_eq!(trusted[0].short(), "miss trusted-app::twice trusted");
    assert_eq!(trusted[0].fingerprint, fine[0].fingerprint);
    project
        .edit("src/main.rs", "helper::add(x, x)", "helper::add(x, x) + 0")
        .unwrap();
    assert_eq!(run(&project)[0], "miss trusted_app::twice coarse");
    fs::write(project.path().join("Astrocache.lock"), "<<<<<<< HEAD\n").unwrap();
    project.edit("src/main.rs", "+ 0", "+ 00").unwrap();
    let ran = project.cargo(&["run"]).unwrap();
    assert!(
        ran.ok && ran.notices()[0].contains("merge conflict marker"),
        "{}",
        ran.stderr
    );
}
