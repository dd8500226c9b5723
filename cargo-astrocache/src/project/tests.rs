//! Temporary workspaces through real cargo: what `load` makes of them, and how it says no.

use std::fmt::Write as _;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::{LoadOptions, PackageSource, Project, ProjectError, load};

/// Writes the files of `fixture` (`//- path` lines, then content) into a new directory.
pub(super) fn workspace(fixture: &str) -> (TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
    for part in fixture.split("//- ").skip(1) {
        let (name, text) = part.split_once('\n').unwrap();
        let path = root.join(name.trim());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (dir, root)
}

pub(super) fn offline() -> LoadOptions {
    LoadOptions {
        offline: true,
        ..LoadOptions::default()
    }
}

pub(super) fn load_at(root: &Utf8Path, options: &LoadOptions) -> Result<Project, ProjectError> {
    load(Some(&root.join("Cargo.toml")), options)
}

/// The first two lines: ours, and the first of cargo's, whose further words may change with its version.
fn error_of(fixture: &str, options: &LoadOptions) -> String {
    let (_dir, root) = workspace(fixture);
    let error = load_at(&root, options).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().take(2).collect();
    lines.join("\n").replace(root.as_str(), "ROOT")
}

/// One line a crate: kind, package/name, edition, file, and what other names mean.
fn render(project: &Project) -> String {
    let mut out = String::new();
    for krate in &project.crates {
        let package = project.package(krate.package);
        let deps: Vec<String> = krate
            .deps
            .iter()
            .map(|dep| format!("{}={}", dep.name, project.package_of(dep.krate).name))
            .collect();
        writeln!(
            out,
            "{:?} {}/{} {:?} {} [{}]",
            krate.kind,
            package.name,
            krate.name,
            krate.edition,
            krate
                .root_file
                .strip_prefix(&project.workspace_root)
                .unwrap_or(&krate.root_file),
            deps.join(", ")
        )
        .unwrap();
    }
    out
}

fn check(fixture: &str, expected: Expect) {
    let (_dir, root) = workspace(fixture);
    let project = load_at(&root, &offline()).unwrap();
    expected.assert_eq(&render(&project));
}

const MINIMAL: &str = "//- Cargo.toml
[package]
name = \"one\"
version = \"0.1.0\"
edition = \"2021\"
//- src/lib.rs
";

#[test]
fn each_kind_of_target_sees_its_own_kinds_of_dependency() {
    check(
        r#"
//- Cargo.toml
[workspace]
members = ["app", "nor-mal", "dev", "build", "mac"]
resolver = "2"
//- app/Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[lib]
name = "the_app"
[dependencies]
renamed = { path = "../nor-mal", package = "nor-mal" }
mac = { path = "../mac" }
[dev-dependencies]
dev = { path = "../dev" }
[build-dependencies]
build = { path = "../build" }
//- app/src/lib.rs
//- app/src/main.rs
//- app/build.rs
//- app/examples/show.rs
//- app/tests/works.rs
//- app/benches/fast.rs
//- nor-mal/Cargo.toml
[package]
name = "nor-mal"
version = "0.1.0"
edition = "2018"
//- nor-mal/src/lib.rs
//- dev/Cargo.toml
[package]
name = "dev"
version = "0.1.0"
//- dev/src/lib.rs
//- build/Cargo.toml
[package]
name = "build"
version = "0.1.0"
edition = "2024"
//- build/src/lib.rs
//- mac/Cargo.toml
[package]
name = "mac"
version = "0.1.0"
edition = "2021"
[lib]
proc-macro = true
//- mac/src/lib.rs
"#,
        expect![[r#"
            Lib app/the_app E2021 app/src/lib.rs [mac=mac, renamed=nor-mal]
            Bin app/app E2021 app/src/main.rs [mac=mac, renamed=nor-mal, the_app=app]
            Example app/show E2021 app/examples/show.rs [dev=dev, mac=mac, renamed=nor-mal, the_app=app]
            Test app/works E2021 app/tests/works.rs [dev=dev, mac=mac, renamed=nor-mal, the_app=app]
            Bench app/fast E2021 app/benches/fast.rs [dev=dev, mac=mac, renamed=nor-mal, the_app=app]
            BuildScript app/build_script_build E2021 app/build.rs [build=build]
            Lib build/build E2024 build/src/lib.rs []
            Lib dev/dev E2015 dev/src/lib.rs []
            ProcMacro mac/mac E2021 mac/src/lib.rs []
            Lib nor-mal/nor_mal E2018 nor-mal/src/lib.rs []
        "#]],
    );
}

#[test]
fn an_outside_path_dependency_brings_its_library_only_and_a_second_version_is_told_apart() {
    let (_dir, root) = workspace(
        r#"
//- w/Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
util = { path = "../outside" }
old_util = { path = "../old", package = "util" }
//- w/src/main.rs
//- outside/Cargo.toml
[package]
name = "util"
version = "2.0.0"
edition = "2021"
authors = ["A", "B"]
[features]
default = ["fast"]
fast = []
//- outside/src/lib.rs
//- outside/src/main.rs
//- outside/tests/t.rs
//- old/Cargo.toml
[package]
name = "util"
version = "1.0.0"
//- old/src/lib.rs
"#,
    );
    let project = load_at(&root.join("w"), &offline()).unwrap();
    expect![[r#"
        Bin app/app E2021 src/main.rs [old_util=util, util=util]
        Lib util/util E2015 ROOT/old/src/lib.rs []
        Lib util/util E2021 ROOT/outside/src/lib.rs []
    "#]]
    .assert_eq(&render(&project).replace(root.as_str(), "ROOT"));

    let newer = project.packages.iter().find(|it| it.version == "2.0.0").unwrap();
    assert!(newer.ambiguous && !newer.member && newer.source == PackageSource::Path);
    assert!(newer.features.contains("fast"));
    assert_eq!(newer.env["CARGO_PKG_AUTHORS"], "A:B");
    assert_eq!(newer.env["CARGO_PKG_VERSION_MAJOR"], "2");
    let inputs: Vec<_> = project
        .inputs
        .iter()
        .map(|it| it.strip_prefix(&root).unwrap().as_str())
        .collect();
    assert_eq!(
        inputs,
        ["old/Cargo.toml", "outside/Cargo.toml", "w/Cargo.lock", "w/Cargo.toml"]
    );
    assert!(!project.packages.iter().find(|it| it.name == "app").unwrap().ambiguous);
}

#[test]
fn a_member_directory_leads_to_the_whole_workspace_and_its_configuration() {
    let (_dir, root) = workspace(
        r#"
//- Cargo.toml
[workspace]
members = ["a", "b"]
[profile.dev]
overflow-checks = false
//- .cargo/config.toml
[build]
rustflags = ["--cfg", "loom"]
target-dir = "elsewhere"
//- a/Cargo.toml
[package]
name = "a"
version = "0.1.0"
//- a/src/lib.rs
//- b/Cargo.toml
[package]
name = "b"
version = "0.1.0"
//- b/src/lib.rs
"#,
    );
    let project = load_at(&root.join("a"), &offline()).unwrap();
    assert_eq!(project.workspace_root, root);
    assert_eq!(project.crates.len(), 2);
    assert_eq!(project.settings.profile["dev.overflow-checks"], "false");
    assert!(project.settings.cfgs.contains("loom"));
    assert!(project.inputs.contains(&root.join(".cargo/config.toml")));

    let there = LoadOptions {
        target_dir: Some("/somewhere/else".into()),
        ..offline()
    };
    assert_eq!(load_at(&root, &there).unwrap().target_dir, "/somewhere/else");
}

#[test]
fn features_switch_optional_dependencies_on() {
    let (_dir, root) = workspace(
        r#"
//- Cargo.toml
[workspace]
members = ["opt"]
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
opt = { path = "opt", optional = true }
//- src/lib.rs
//- opt/Cargo.toml
[package]
name = "opt"
version = "0.1.0"
//- opt/src/lib.rs
"#,
    );
    let deps_with = |options: &LoadOptions| load_at(&root, options).unwrap().crates[0].deps.len();
    assert_eq!(deps_with(&offline()), 0);
    assert_eq!(
        deps_with(&LoadOptions {
            all_features: true,
            ..offline()
        }),
        1
    );
    assert_eq!(
        deps_with(&LoadOptions {
            features: vec!["opt".to_owned()],
            ..offline()
        }),
        1
    );
}

#[test]
fn a_weak_feature_switches_no_dependency_on() {
    let (_dir, root) = workspace(
        r#"
//- Cargo.toml
[workspace]
members = ["dep", "opt"]
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
dep = { path = "dep", features = ["std"] }
renamed = { path = "opt", package = "opt", optional = true }
[features]
weak = ["renamed?/std"]
strong = ["renamed/std"]
//- src/lib.rs
//- dep/Cargo.toml
[package]
name = "dep"
version = "0.1.0"
[dependencies]
opt = { path = "../opt", optional = true }
[features]
std = ["opt?/std"]
more = ["dep:opt"]
//- dep/src/lib.rs
//- opt/Cargo.toml
[package]
name = "opt"
version = "0.1.0"
[features]
std = []
//- opt/src/lib.rs
"#,
    );
    let edges = |features: &[&str]| {
        let options = LoadOptions {
            features: features.iter().map(|&it| it.to_owned()).collect(),
            ..offline()
        };
        let project = load_at(&root, &options).unwrap();
        let of = |name: &str| {
            let at = project.packages.iter().position(|it| it.name == name).unwrap();
            let krate = project.crates.iter().find(|it| it.package.0 as usize == at).unwrap();
            let names: Vec<&str> = krate.deps.iter().map(|it| it.name.as_str()).collect();
            let dormant: Vec<&str> = project.packages[at].dormant.iter().map(String::as_str).collect();
            format!("{name}: {} ({})", names.join(" "), dormant.join(" "))
        };
        [of("app"), of("dep")].join(", ")
    };
    assert_eq!(edges(&[]), "app: dep (opt), dep:  (opt)");
    assert_eq!(edges(&["weak"]), "app: dep (opt), dep:  (opt)");
    assert_eq!(edges(&["strong"]), "app: dep renamed (), dep:  (opt)");
    assert_eq!(edges(&["weak,renamed"]), "app: dep renamed (), dep:  (opt)");
    // Which of them is on because of such a request cannot be told: for members all edges stay.
    assert_eq!(edges(&["renamed/std"]), "app: dep renamed (), dep: opt ()");
    assert_eq!(edges(&["dep/more"]), "app: dep (opt), dep: opt ()");
}

#[test]
fn keep_lock_leaves_no_lock_file_behind() {
    let (_dir, root) = workspace(MINIMAL);
    load_at(
        &root,
        &LoadOptions {
            keep_lock: true,
            ..offline()
        },
    )
    .unwrap();
    assert!(!root.join("Cargo.lock").exists());
    load_at(&root, &offline()).unwrap();
    assert!(root.join("Cargo.lock").exists());
}

#[test]
fn a_registry_dependency_is_pinned_and_brings_no_tests() {
    let manifest = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let project = load(Some(manifest), &LoadOptions::default()).unwrap();
    let index = project.packages.iter().position(|it| it.name == "strsim").unwrap();
    let strsim = &project.packages[index];
    let PackageSource::Locked { pin } = &strsim.source else {
        panic!("{strsim:?}")
    };
    assert!(pin.len() == 64 && pin.bytes().all(|it| it.is_ascii_hexdigit()), "{pin}");
    let crates: Vec<_> = project
        .crates
        .iter()
        .filter(|it| it.package.0 as usize == index)
        .collect();
    assert_eq!(crates.len(), 1, "{crates:?}");
    assert!(project.platforms.len() == 1, "{:?}", project.platforms);
}

#[test]
fn a_manifest_that_does_not_exist_is_named() {
    let error = load(Some(Utf8Path::new("/nowhere/Cargo.toml")), &offline()).unwrap_err();
    expect!["the manifest `/nowhere/Cargo.toml` does not exist; --manifest-path takes the path of a `Cargo.toml`"]
        .assert_eq(&error.to_string());
}

#[test]
fn broken_manifests_are_told_in_the_words_of_cargo() {
    for (fixture, expected) in [
        (
            "//- Cargo.toml\n[package\n",
            expect![[r#"
            cargo could not read the project at `ROOT/Cargo.toml`:
            unclosed table, expected `]`"#]],
        ),
        (
            "//- Cargo.toml\n[dependencies]\n",
            expect![[r#"
            cargo could not read the project at `ROOT/Cargo.toml`:
            failed to parse manifest at `ROOT/Cargo.toml`"#]],
        ),
        (
            "//- Cargo.toml\n[workspace]\nmembers = [\"gone\"]\n",
            expect![[r#"
                cargo could not read the project at `ROOT/Cargo.toml`:
                failed to load manifest for workspace member `ROOT/gone`"#]],
        ),
        (
            "//- Cargo.toml\n[package]\nname = \"x\"\nversion = \"0.1.0\"\n",
            expect![[r#"
                cargo could not read the project at `ROOT/Cargo.toml`:
                failed to parse manifest at `ROOT/Cargo.toml`"#]],
        ),
    ] {
        expected.assert_eq(&error_of(fixture, &offline()));
    }
}

#[test]
fn a_dependency_that_was_never_fetched_says_how_to_fetch_it() {
    let fixture = format!(
        "{MINIMAL}//- Cargo.toml\n[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nastrocache-no-such-crate = \"1\"\n"
    );
    expect![[r#"
        a dependency of `ROOT/Cargo.toml` is not on this machine, and the network may not be used; run `cargo fetch` once:
        no matching package named `astrocache-no-such-crate` found"#]].assert_eq(&error_of(&fixture, &offline()));
}

#[test]
fn a_missing_lock_file_under_locked_says_how_to_make_one() {
    let locked = LoadOptions {
        locked: true,
        ..offline()
    };
    expect![[r#"
        `Cargo.lock` is missing or does not fit the manifests, and --locked forbids to write it; run `cargo generate-lockfile` or `cargo update --workspace`:
        cannot create the lock file ROOT/Cargo.lock because --locked was passed to prevent this"#]].assert_eq(&error_of(MINIMAL, &locked));
}

#[test]
fn a_binary_manifest_or_configuration_is_an_error_not_a_panic() {
    let (_dir, root) = workspace(MINIMAL);
    fs::write(root.join("Cargo.toml"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(matches!(load_at(&root, &offline()), Err(ProjectError::Cargo { .. })));

    let (_dir, root) = workspace(MINIMAL);
    fs::create_dir(root.join(".cargo")).unwrap();
    fs::write(root.join(".cargo/config.toml"), [0xff, 0xfe, 0x00]).unwrap();
    load_at(&root, &offline()).unwrap_err();
}
