//! Builds with features that the analysis did not take: forced from the command line, switched on by a sibling, seen by build
//! scripts and proc macros. Whatever compiles into the program, the answer after an edit is the new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use astrocache_tests::project::{Call, Project, runtime};

const TOOL: &str = env!("CARGO_BIN_EXE_astrocache-tool");

/// The projects build programs of one name into one directory, so they take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-features")
}

/// A package without the runtime.
fn plain(project: &Project, dir: &str, more: &str) {
    let name = dir.rsplit('/').next().unwrap();
    let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}\n");
    project.write(&format!("{dir}/Cargo.toml"), &manifest).unwrap();
}

/// A workspace with the member `app`, whose function `f` runs `dep::go`.
fn workspace(members: &[&str], app: &str) -> Project {
    let project = Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", TOOL);
    let root = format!("[workspace]\nmembers = {members:?}\nresolver = \"3\"\nexclude = [\"out\"]\n");
    project.write("Cargo.toml", &root).unwrap();
    let dependencies = format!("[dependencies]\n{}\n", runtime("astrocache-runtime"));
    plain(&project, "app", &app.replace("[dependencies]\n", &dependencies));
    project
        .write(
            "app/src/main.rs",
            "#[astrocache::cached]\nfn f() -> u64 { dep::go() }\nfn main() { println!(\"{}\", f()); }\n",
        )
        .unwrap();
    project
}

/// What the program printed, and the call it made first.
fn answer(project: &Project, args: &[&str]) -> (String, Call) {
    let ran = project.cargo(&[&["run", "-p", "app"], args].concat()).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    (ran.stdout.trim().to_owned(), ran.calls()[0].clone())
}

/// The same in words: what the program printed, and what came of that call.
fn told(project: &Project, args: &[&str]) -> String {
    let (text, call) = answer(project, args);
    format!("{text} {} {}", call.event, call.kind)
}

const DEP: &str = "pub fn go() -> u64 { extra() }\n#[cfg(feature = \"x\")] fn extra() -> u64 { opt::value() }\n#[cfg(not(feature = \"x\"))] fn extra() -> u64 { 1 }\n";

const OPTIONAL: &str = "[features]\nx = [\"dep:opt\"]\n[dependencies]\nopt = { path = \"../opt\", optional = true }";

#[test]
fn code_that_a_forced_feature_of_a_dependency_brings_is_never_stale() {
    let _alone = alone();
    let project = workspace(&["app", "dep", "opt"], "[dependencies]\ndep = { path = \"../dep\" }");
    plain(&project, "dep", OPTIONAL);
    plain(&project, "opt", "");
    project.write("dep/src/lib.rs", DEP).unwrap();
    project
        .write("opt/src/lib.rs", "pub fn value() -> u64 { 2 }\n")
        .unwrap();
    let first = answer(&project, &[]);
    assert_eq!((&*first.0, &*first.1.kind), ("1", "fine"));
    assert_eq!(answer(&project, &["--features", "dep/x"]).0, "2");
    project.edit("opt/src/lib.rs", "2", "3").unwrap();
    assert_eq!(answer(&project, &["--features", "dep/x"]).0, "3");
    assert_eq!(answer(&project, &["--features", "dep/x"]).1.event, "hit");
    let again = answer(&project, &[]);
    assert_eq!((&*again.0, &*again.1.event), ("1", "hit"));
}

#[test]
fn a_package_that_only_a_forced_feature_brings_in_is_never_stale() {
    let _alone = alone();
    let project = workspace(&["app"], "[dependencies]\ndep = { path = \"../out/dep\" }");
    plain(&project, "out/dep", OPTIONAL);
    plain(&project, "out/opt", "");
    project.write("out/dep/src/lib.rs", DEP).unwrap();
    project
        .write("out/opt/src/lib.rs", "pub fn value() -> u64 { 2 }\n")
        .unwrap();
    let forced = ["--features", "dep/x"];
    assert_eq!(answer(&project, &[]).1.kind, "fine");
    let first = project.cargo(&["run", "-p", "app", "--features", "dep/x"]).unwrap();
    assert_eq!(
        (&*first.stdout, &*first.calls()[0].kind),
        ("2\n", "coarse"),
        "{}",
        first.stderr
    );
    assert!(
        first.notices()[0].contains("this build links `opt`, which cargo-astrocache did not see"),
        "{:?}",
        first.notices()
    );
    project.edit("out/opt/src/lib.rs", "2", "3").unwrap();
    assert_eq!(answer(&project, &forced).0, "3");
    // The workspace can say which features it is built with.
    project
        .edit(
            "Cargo.toml",
            "resolver",
            "metadata.astrocache.features = [\"dep/x\"]\nresolver",
        )
        .unwrap();
    let told = answer(&project, &forced);
    assert_eq!((&*told.0, &*told.1.kind), ("3", "fine"));
    project.edit("out/opt/src/lib.rs", "3", "4").unwrap();
    assert_eq!(answer(&project, &forced).0, "4");
}

#[test]
fn an_edge_that_a_forced_feature_adds_between_known_packages_is_never_stale() {
    let _alone = alone();
    let project = workspace(
        &["app", "dep", "mid", "opt"],
        "[dependencies]\ndep = { path = \"../dep\" }",
    );
    plain(&project, "dep", &format!("{OPTIONAL}\nmid = {{ path = \"../mid\" }}"));
    plain(&project, "mid", "[dependencies]\nopt = { path = \"../opt\" }");
    plain(&project, "opt", "");
    // A macro is looked up by name only where there is an edge.
    let dep = DEP
        .replace("opt::value()", "opt::value!()")
        .replace("{ 1 }", "{ mid::one() }");
    project.write("dep/src/lib.rs", &dep).unwrap();
    project
        .write("mid/src/lib.rs", "pub fn one() -> u64 { opt::one() }\n")
        .unwrap();
    let opt = "pub fn one() -> u64 { 1 }\n#[macro_export] macro_rules! value { () => { 2 } }\n";
    project.write("opt/src/lib.rs", opt).unwrap();
    assert_eq!(answer(&project, &[]).1.kind, "fine");
    assert_eq!(answer(&project, &["--features", "dep/x"]).0, "2");
    project.edit("opt/src/lib.rs", "{ 2 }", "{ 3 }").unwrap();
    let forced = answer(&project, &["--features", "dep/x"]);
    assert_eq!((&*forced.0, &*forced.1.kind), ("3", "coarse"));
}

#[test]
fn what_a_sibling_switches_on_is_in_the_fingerprint_and_in_the_key() {
    let _alone = alone();
    let project = workspace(
        &["app", "dep", "opt", "sibling"],
        "[dependencies]\ndep = { path = \"../dep\" }",
    );
    plain(&project, "dep", OPTIONAL);
    plain(&project, "opt", "");
    plain(
        &project,
        "sibling",
        "[dependencies]\ndep = { path = \"../dep\", features = [\"x\"] }",
    );
    project.write("sibling/src/lib.rs", "").unwrap();
    project.write("dep/src/lib.rs", DEP).unwrap();
    project
        .write("opt/src/lib.rs", "pub fn value() -> u64 { 2 }\n")
        .unwrap();
    let together = || {
        let ran = project.cargo(&["test", "--workspace", "--", "--nocapture"]).unwrap();
        assert!(ran.ok, "{}", ran.stderr);
        let call = ran.calls().remove(0);
        (call.event, call.kind)
    };
    project
        .edit(
            "app/src/main.rs",
            "fn main",
            "#[test] fn t() { println!(\"{}\", f()) }\nfn main",
        )
        .unwrap();
    assert_eq!(answer(&project, &[]).0, "1");
    assert_eq!(together(), ("miss".into(), "fine".into()));
    assert_eq!(together(), ("hit".into(), "fine".into()));
    assert_eq!(answer(&project, &[]).1.event, "hit");
    project.edit("opt/src/lib.rs", "2", "3").unwrap();
    assert_eq!(together(), ("miss".into(), "fine".into()));
    assert_eq!(answer(&project, &[]).0, "1");
}

/// `opt?/y` puts `opt` into the lock file, and into no build.
#[test]
fn a_package_behind_a_weak_feature_is_seen_once_it_is_built() {
    let _alone = alone();
    let project = workspace(
        &["app"],
        "[dependencies]\ndep = { path = \"../out/dep\", features = [\"weak\"] }",
    );
    plain(
        &project,
        "out/dep",
        &OPTIONAL.replace("x =", "weak = [\"opt?/y\"]\nx ="),
    );
    plain(&project, "out/opt", "[features]\ny = []");
    project.write("out/dep/src/lib.rs", DEP).unwrap();
    project
        .write("out/opt/src/lib.rs", "pub fn value() -> u64 { 2 }\n")
        .unwrap();
    assert_eq!(told(&project, &[]), "1 miss fine");
    assert_eq!(told(&project, &["--features", "dep/x"]), "2 miss coarse");
    project.edit("out/opt/src/lib.rs", "2", "3").unwrap();
    assert_eq!(told(&project, &["--features", "dep/x"]), "3 miss coarse");
    assert_eq!(told(&project, &[]), "1 hit fine");
}

#[test]
fn own_features_that_bring_no_package_stay_fine() {
    let _alone = alone();
    let project = workspace(
        &["app", "dep", "opt"],
        "[features]\nloud = []\nmore = [\"dep:opt\"]\n[dependencies]\ndep = { path = \"../dep\" }\nopt = { path = \"../opt\", optional = true }",
    );
    plain(&project, "dep", "");
    plain(&project, "opt", "");
    project.write("dep/src/lib.rs", "pub fn go() -> u64 { 1 }\n").unwrap();
    project
        .write("opt/src/lib.rs", "pub fn value() -> u64 { 10 }\n")
        .unwrap();
    let body = "#[cfg(feature = \"more\")] let extra = opt::value();\n#[cfg(not(feature = \"more\"))] let extra = 0;\n\
                dep::go() + extra + if cfg!(feature = \"loud\") { 100 } else { 0 }";
    project.edit("app/src/main.rs", "dep::go()", body).unwrap();
    assert_eq!(told(&project, &[]), "1 miss fine");
    assert_eq!(told(&project, &["--features", "loud"]), "101 miss fine");
    assert_eq!(told(&project, &["--features", "more"]), "11 miss coarse");
    project.edit("opt/src/lib.rs", "10", "20").unwrap();
    assert_eq!(told(&project, &["--features", "more"]), "21 miss coarse");
    assert_eq!(told(&project, &["--features", "loud"]), "101 hit fine");
    assert_eq!(told(&project, &[]), "1 hit fine");
}

#[test]
fn a_feature_that_only_a_build_script_asks_for_is_in_the_key() {
    let _alone = alone();
    let project = workspace(&["app", "dep"], "[dependencies]\ndep = { path = \"../dep\" }");
    plain(&project, "dep", "[features]\nx = []");
    let script = "fn main() {\n    let value = std::env::var_os(\"CARGO_FEATURE_X\").map_or(1, |_| 2);\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
                  std::fs::write(format!(\"{out}/value.rs\"), format!(\"pub fn go() -> u64 {{ {value} }}\")).unwrap();\n    \
                  println!(\"cargo::rerun-if-changed=build.rs\");\n}\n";
    project.write("dep/build.rs", script).unwrap();
    project
        .write(
            "dep/src/lib.rs",
            "include!(concat!(env!(\"OUT_DIR\"), \"/value.rs\"));\n",
        )
        .unwrap();
    assert_eq!(answer(&project, &[]).0, "1");
    let forced = answer(&project, &["--features", "dep/x"]);
    assert_eq!((&*forced.0, &*forced.1.kind), ("2", "fine"));
    let again = answer(&project, &[]);
    assert_eq!((&*again.0, &*again.1.event), ("1", "hit"));
}

#[test]
fn a_feature_of_a_proc_macro_and_of_what_it_is_linked_with_is_in_the_key() {
    let _alone = alone();
    let project = workspace(
        &["app", "dep", "mac", "num"],
        "[features]\nmac = [\"mac/x\"]\nnum = [\"num/x\"]\n[dependencies]\ndep = { path = \"../dep\" }\nmac = { path = \"../mac\" }\n[build-dependencies]\nnum = { path = \"../num\" }",
    );
    plain(&project, "dep", "[dependencies]\nmac = { path = \"../mac\" }");
    plain(
        &project,
        "mac",
        "[features]\nx = []\n[lib]\nproc-macro = true\n[dependencies]\nnum = { path = \"../num\" }",
    );
    plain(&project, "num", "[features]\nx = []");
    project
        .write(
            "num/src/lib.rs",
            "pub fn number() -> u64 { if cfg!(feature = \"x\") { 10 } else { 0 } }\n",
        )
        .unwrap();
    let mac = "use proc_macro::TokenStream;\n#[proc_macro] pub fn value(_: TokenStream) -> TokenStream {\n    \
               let own = if cfg!(feature = \"x\") { 2 } else { 1 };\n    format!(\"{}u64\", own + num::number()).parse().unwrap()\n}\n";
    project.write("mac/src/lib.rs", mac).unwrap();
    project
        .write("dep/src/lib.rs", "pub fn go() -> u64 { mac::value!() }\n")
        .unwrap();
    let build = "fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
                 std::fs::write(format!(\"{out}/n.txt\"), num::number().to_string()).unwrap();\n}\n";
    project.write("app/build.rs", build).unwrap();
    project
        .edit(
            "app/src/main.rs",
            "dep::go()",
            "dep::go() + include_str!(concat!(env!(\"OUT_DIR\"), \"/n.txt\")).len() as u64",
        )
        .unwrap();
    for args in [
        &[][..],
        &["--features", "mac"],
        &["--features", "num"],
        &["--features", "mac,num"],
    ] {
        let want = match args {
            [] => "2",
            [_, "mac"] => "3",
            [_, "num"] => "13",
            _ => "14",
        };
        let (text, call) = answer(&project, args);
        assert_eq!((&*text, &*call.kind), (want, "fine"), "{args:?}");
    }
    assert_eq!(answer(&project, &[]).1.event, "hit");
}

/// Writes `Astrocache.lock` with the real tool.
fn update(project: &Project) {
    let ran = std::process::Command::new(TOOL)
        .args(["astrocache", "update", "--offline", "--manifest-path"])
        .arg(project.path().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn the_committed_manifest_is_not_trusted_with_features_that_bring_local_code() {
    let _alone = alone();
    let mut project = workspace(
        &["app", "dep", "opt"],
        "[features]\nloud = []\n[dependencies]\ndep = { path = \"../dep\" }",
    );
    plain(&project, "dep", OPTIONAL);
    plain(&project, "opt", "");
    project.write("dep/src/lib.rs", DEP).unwrap();
    project
        .write("opt/src/lib.rs", "pub fn value() -> u64 { 2 }\n")
        .unwrap();
    update(&project);
    project.set("ASTROCACHE_TOOL", "off");
    project.set("ASTROCACHE_LOCKED", "1");
    // `update` left a ledger in the default place, which is not where this builds.
    assert_eq!(told(&project, &[]), "1 miss trusted");
    assert_eq!(told(&project, &["--features", "dep/x"]), "2 miss coarse");
    assert_eq!(told(&project, &["--features", "loud"]), "1 miss coarse");
    project.edit("opt/src/lib.rs", "2", "3").unwrap();
    let forced = project.cargo(&["run", "-p", "app", "--features", "dep/x"]).unwrap();
    assert_eq!(forced.stdout, "3\n");
    assert!(
        forced.notices()[0].contains("Astrocache.lock does not speak of this build: this build links `opt`")
            || forced.notices()[0].contains("Astrocache.lock does not speak of this build: `dep` has features"),
        "{:?}",
        forced.notices()
    );
    assert_eq!(told(&project, &[]), "1 hit trusted");
}

#[test]
fn the_committed_manifest_is_trusted_on_its_platforms_only() {
    let _alone = alone();
    let mut project = workspace(&["app", "dep"], "[dependencies]\ndep = { path = \"../dep\" }");
    plain(&project, "dep", "");
    project.write("dep/src/lib.rs", "pub fn go() -> u64 { 1 }\n").unwrap();
    project
        .edit(
            "Cargo.toml",
            "resolver",
            "metadata.astrocache.platforms = [\"aarch64-apple-darwin\"]\nresolver",
        )
        .unwrap();
    update(&project);
    project.set("ASTROCACHE_LOCKED", "1");
    let ran = project.cargo(&["run", "-p", "app"]).unwrap();
    assert_eq!(ran.calls()[0].kind, "coarse");
    assert!(
        ran.notices()[0].contains("Astrocache.lock does not speak of this build: it is not for "),
        "{:?}",
        ran.notices()
    );
    project.unset("ASTROCACHE_LOCKED");
    let ran = project.cargo(&["run", "-p", "app"]).unwrap();
    assert!(
        ran.notices()[0].contains("analyzed this workspace for aarch64-apple-darwin and not for ")
            && ran.notices()[0].contains("add it to `platforms` in [workspace.metadata.astrocache]"),
        "{:?}",
        ran.notices()
    );
}

#[test]
fn a_build_that_sets_what_documentation_has_is_cached_per_package() {
    let _alone = alone();
    let mut project = workspace(&["app", "dep"], "[dependencies]\ndep = { path = \"../dep\" }");
    plain(&project, "dep", "");
    let dep = "pub fn go() -> u64 { value() }\n#[cfg(doctest)] fn value() -> u64 { 2 }\n#[cfg(not(doctest))] fn value() -> u64 { 1 }\n";
    project.write("dep/src/lib.rs", dep).unwrap();
    let notice = |project: &Project| project.cargo(&["build", "-p", "app"]).unwrap().notices().join("\n");
    assert_eq!(told(&project, &[]), "1 miss fine");

    // Not docsrs: with that, packages from the registry ask for a nightly compiler.
    project.set("RUSTFLAGS", "--cfg doctest");
    assert_eq!(told(&project, &[]), "2 miss coarse");
    let said = notice(&project);
    assert!(
        said.contains("`--cfg doctest` is set, and cargo-astrocache leaves out code that is only for documentation"),
        "{said}"
    );
    project.edit("dep/src/lib.rs", "{ 2 }", "{ 3 }").unwrap();
    assert_eq!(told(&project, &[]), "3 miss coarse");
    project.unset("RUSTFLAGS");
    assert_eq!(told(&project, &[]).split(' ').next(), Some("1"));

    // What a build script may turn into a cfg. Back without it, the answer is fine again.
    project.set("DOCS_RS", "1");
    assert_eq!(told(&project, &[]), "1 miss coarse");
    assert!(notice(&project).contains("the variable DOCS_RS is set"));
    project.unset("DOCS_RS");
    assert_eq!(told(&project, &[]).split(' ').next_back(), Some("fine"));

    update(&project);
    for entry in fs::read_dir(target().join("astrocache")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|it| it == "ledger") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    project.set("ASTROCACHE_TOOL", "off");
    project.set("ASTROCACHE_LOCKED", "1");
    assert_eq!(told(&project, &[]), "1 miss trusted");
    project.set("RUSTFLAGS", "--cfg doctest");
    let (text, call) = answer(&project, &[]);
    assert_eq!((&*text, &*call.kind), ("3", "coarse"));
    let said = notice(&project);
    assert!(
        said.contains("Astrocache.lock does not speak of this build: `--cfg doctest` is set"),
        "{said}"
    );
}

#[test]
fn a_dependencys_build_script_that_sets_what_documentation_has_is_never_stale() {
    let _alone = alone();
    let project = workspace(&["app", "dep"], "[dependencies]\ndep = { path = \"../dep\" }");
    plain(&project, "dep", "");
    let dep = "pub fn go() -> u64 { value() }\n#[cfg(docsrs)] fn value() -> u64 { 2 }\n#[cfg(not(docsrs))] fn value() -> u64 { 1 }\n";
    project.write("dep/src/lib.rs", dep).unwrap();
    let script = "fn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    println!(\"cargo::rerun-if-env-changed=LOOK\");\n    \
                  println!(\"cargo::rustc-check-cfg=cfg(docsrs)\");\n    \
                  if std::env::var_os(\"LOOK\").is_some() { println!(\"cargo::rustc-cfg=docsrs\"); }\n}\n";
    project.write("dep/build.rs", script).unwrap();
    let mut project = project;
    assert_eq!(told(&project, &[]), "1 miss fine");
    project.set("LOOK", "1");
    let ran = project.cargo(&["run", "-p", "app"]).unwrap();
    assert!(
        ran.notices()[0].contains("the build script of `dep` sets `--cfg docsrs`, and cargo-astrocache leaves out"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        (ran.stdout.trim(), &*ran.calls()[0].short()),
        ("2", "miss app::f coarse")
    );
    project.edit("dep/src/lib.rs", "{ 2 }", "{ 3 }").unwrap();
    assert_eq!(told(&project, &[]), "3 miss coarse");
    project.unset("LOOK");
    assert_eq!(told(&project, &[]).split(' ').next_back(), Some("fine"));
}

#[test]
fn a_feature_that_only_a_macro_asks_for_is_in_the_key() {
    let _alone = alone();
    let project = workspace(
        &["app", "dep"],
        "[features]\nloud = []\nmore = []\n[dependencies]\ndep = { path = \"../dep\" }",
    );
    plain(&project, "dep", "");
    project.write("dep/src/lib.rs", "pub fn go() -> u64 { 1 }\n").unwrap();
    let macros = "macro_rules! pick { ($name:ident) => { #[cfg(feature = \"loud\")] fn $name() -> u64 { 10 } #[cfg(not(feature = \"loud\"))] fn $name() -> u64 { 0 } } }\npick!(loudly);\n\
                  macro_rules! told { ($name:ident, $is:meta, $isnt:meta) => { #[cfg($is)] fn $name() -> u64 { 100 } #[cfg($isnt)] fn $name() -> u64 { 0 } } }\n\
                  told!(more, feature = \"more\", not(feature = \"more\"));\n\
                  macro_rules! given { ($(#[$a:meta] $name:ident $x:literal)*) => { $(#[$a] fn $name() -> u64 { $x })* } }\n\
                  given!(#[cfg(debug_assertions)] fast 0 #[cfg(not(debug_assertions))] fast 1000);\n";
    project
        .edit("app/src/main.rs", "fn main", &format!("{macros}fn main"))
        .unwrap();
    project
        .edit("app/src/main.rs", "dep::go()", "dep::go() + loudly() + more() + fast()")
        .unwrap();
    assert_eq!(told(&project, &[]), "1 miss fine");
    assert_eq!(told(&project, &["--features", "loud"]), "11 miss fine");
    assert_eq!(told(&project, &["--features", "more"]), "101 miss fine");
    assert_eq!(told(&project, &["--release"]), "1001 miss fine");
    assert_eq!(told(&project, &[]), "1 hit fine");
}
