//! Features of members, each compared with what `cargo tree` says of the same workspace.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use camino::Utf8Path;
use expect_test::{Expect, expect};

use crate::project::tests::{load_at, offline, workspace};
use crate::project::{LoadOptions, Project};

/// A line for each member and package it builds.
fn render(project: &Project) -> String {
    let mut out = String::new();
    for (member, packages) in &project.member_features {
        for (package, features) in packages {
            let names = [member, package].map(|id| &project.package(*id).name);
            let features: Vec<&str> = features.iter().map(String::as_str).collect();
            writeln!(out, "{} > {}: {}", names[0], names[1], features.join(" ")).unwrap();
        }
    }
    out
}

/// `cargo tree` in the words of [`render`]: what cargo itself builds for each member.
fn cargo_says(project: &Project, options: &LoadOptions) -> String {
    let mut lines = Vec::new();
    for (at, member) in project.packages.iter().enumerate().filter(|(_, it)| it.member) {
        let mut command = Command::new(env!("CARGO"));
        command.args(["tree", "--offline", "-e", "normal,build", "--prefix", "none"]);
        command.args(["-f", "{p}|{f}", "-p", &member.name]);
        command.args(options.features.iter().flat_map(|it| ["--features", it]));
        command.args(options.all_features.then_some("--all-features"));
        command.args(options.no_default_features.then_some("--no-default-features"));
        command.current_dir(&project.workspace_root).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lines.extend(tree_lines(&String::from_utf8(output.stdout).unwrap(), project, at));
    }
    lines.concat()
}

/// A package that the tree shows with several sets (for the host, for the platform) has their union.
fn tree_lines(tree: &str, project: &Project, member: usize) -> Vec<String> {
    let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
    for line in tree.lines() {
        let (package, features) = line.split_once('|').unwrap();
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let same = |it: &crate::project::Package| it.name == name && version[1..] == it.version;
        let at = project.packages.iter().position(same).unwrap();
        let features = features.trim_end_matches(" (*)").split(',').filter(|it| !it.is_empty());
        found.push((at, features.collect()));
    }
    found.sort();
    let mut merged: Vec<(usize, Vec<&str>)> = Vec::new();
    for (at, features) in found {
        match merged.last_mut().filter(|last| last.0 == at) {
            Some(last) => last.1.extend(features),
            None => merged.push((at, features)),
        }
    }
    let name = |at: usize| &project.packages[at].name;
    let line = |(at, mut features): (usize, Vec<&str>)| {
        features.sort_unstable();
        features.dedup();
        format!("{} > {}: {}\n", name(member), name(at), features.join(" "))
    };
    merged.into_iter().map(line).collect()
}

/// `expected` is what cargo itself says, too.
fn check(fixture: &str, options: &LoadOptions, expected: Expect) {
    let (_dir, root) = workspace(fixture);
    let options = LoadOptions {
        offline: true,
        ..options.clone()
    };
    let project = load_at(&root, &options).unwrap();
    let ours = render(&project);
    assert_eq!(ours, cargo_says(&project, &options));
    expected.assert_eq(&ours);
}

fn with_features(features: &str) -> LoadOptions {
    LoadOptions {
        features: vec![features.to_owned()],
        ..LoadOptions::default()
    }
}

const SIBLINGS: &str = r#"
//- Cargo.toml
[workspace]
members = ["plain", "greedy", "middle", "leaf"]
resolver = "2"
//- plain/Cargo.toml
[package]
name = "plain"
version = "0.1.0"
[features]
extra = []
[dependencies]
leaf = { path = "../leaf", default-features = false }
//- plain/src/lib.rs
//- greedy/Cargo.toml
[package]
name = "greedy"
version = "0.1.0"
[features]
extra = ["leaf/deep"]
[dependencies]
leaf = { path = "../leaf", features = ["greed"] }
middle = { path = "../middle" }
//- greedy/src/lib.rs
//- middle/Cargo.toml
[package]
name = "middle"
version = "0.1.0"
[dependencies]
leaf = { path = "../leaf", default-features = false, features = ["mid"] }
[dev-dependencies]
leaf = { path = "../leaf", features = ["dev"] }
//- middle/src/lib.rs
//- leaf/Cargo.toml
[package]
name = "leaf"
version = "0.1.0"
[features]
default = ["std"]
std = []
greed = []
mid = []
deep = []
dev = []
//- leaf/src/lib.rs
"#;

#[test]
fn a_member_has_what_its_own_dependencies_ask_for_and_nothing_of_its_siblings() {
    check(
        SIBLINGS,
        &LoadOptions::default(),
        expect![[r#"
            greedy > greedy: 
            greedy > leaf: default greed mid std
            greedy > middle: 
            leaf > leaf: default std
            middle > leaf: mid
            middle > middle: 
            plain > leaf: 
            plain > plain: 
        "#]],
    );
}

#[test]
fn the_union_over_all_members_is_more_than_any_build_of_one() {
    let (_dir, root) = workspace(SIBLINGS);
    let project = load_at(&root, &offline()).unwrap();
    let id = |name: &str| {
        let at = project.packages.iter().position(|it| it.name == name).unwrap();
        crate::project::PackageId(at as u32)
    };
    let leaf = &project.package(id("leaf")).features;
    assert!(leaf.contains("greed") && leaf.contains("std"));
    assert!(project.features_of(id("plain"), id("leaf")).is_empty());
    assert!(project.features_of(id("leaf"), id("plain")).is_empty());
    assert!(
        project
            .features_of(crate::project::PackageId(99), id("leaf"))
            .is_empty()
    );
    assert!(project.features_of(id("greedy"), id("leaf")).contains("mid"));
}

#[test]
fn the_command_line_reaches_each_member_that_has_the_feature() {
    let (_dir, root) = workspace(SIBLINGS);
    for (options, expected) in [
        (
            with_features("extra,deep greedy/extra"),
            expect![[r#"
                greedy > greedy: extra
                greedy > leaf: deep default greed mid std
                greedy > middle: 
                leaf > leaf: deep default std
                middle > leaf: mid
                middle > middle: 
                plain > leaf: 
                plain > plain: extra
            "#]],
        ),
        (
            LoadOptions {
                no_default_features: true,
                ..with_features("greed")
            },
            expect![[r#"
                greedy > greedy: 
                greedy > leaf: default greed mid std
                greedy > middle: 
                leaf > leaf: greed
                middle > leaf: mid
                middle > middle: 
                plain > leaf: 
                plain > plain: 
            "#]],
        ),
    ] {
        let project = load_at(
            &root,
            &LoadOptions {
                offline: true,
                ..options
            },
        )
        .unwrap();
        expected.assert_eq(&render(&project));
    }
    check(
        SIBLINGS,
        &LoadOptions {
            all_features: true,
            ..LoadOptions::default()
        },
        expect![[r#"
            greedy > greedy: extra
            greedy > leaf: deep default greed mid std
            greedy > middle: 
            leaf > leaf: deep default dev greed mid std
            middle > leaf: mid
            middle > middle: 
            plain > leaf: 
            plain > plain: extra
        "#]],
    );
}

/// One package that says everything a features table can say.
fn forms(asked: &str) -> String {
    format!(
        r#"
//- Cargo.toml
[workspace]
members = ["app"]
exclude = ["leaf1", "leaf2", "leaf3", "leaf4", "leaf5", "leaf6"]
resolver = "2"
//- app/Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[features]
hidden = ["dep:hid-den"]
strong = ["strong_dep/on"]
weak = ["weak-dep?/on"]
weaker = ["weak", "weak-dep"]
renamed = ["other/on"]
old = ["old_opt/on"]
build = ["maker?/on"]
{asked}
[dependencies]
hid-den = {{ path = "../leaf1", package = "leaf1", optional = true, default-features = false }}
strong_dep = {{ path = "../leaf2", package = "leaf2", optional = true }}
weak-dep = {{ path = "../leaf3", package = "leaf3", optional = true, default-features = false }}
other = {{ path = "../leaf4", package = "leaf4" }}
old_opt = {{ path = "../leaf5", package = "leaf5", optional = true }}
[build-dependencies]
maker = {{ path = "../leaf6", package = "leaf6", optional = true }}
[target.'cfg(windows)'.dependencies]
other = {{ path = "../leaf4", package = "leaf4", features = ["windows"] }}
[target.'cfg(not(windows))'.dependencies]
other = {{ path = "../leaf4", package = "leaf4", features = ["unix"] }}
//- app/src/lib.rs
//- app/build.rs
fn main() {{}}
{}"#,
        (1..=6).map(leaf).collect::<String>()
    )
}

fn leaf(number: u32) -> String {
    format!(
        "//- leaf{number}/Cargo.toml\n[package]\nname = \"leaf{number}\"\nversion = \"0.1.0\"\n[features]\n\
        default = [\"std\"]\nstd = []\non = [\"more\"]\nmore = []\nwindows = []\nunix = []\n//- leaf{number}/src/lib.rs\n"
    )
}

#[cfg(unix)]
#[test]
fn every_form_of_a_feature_means_what_it_means_to_cargo() {
    for (default, expected) in [
        (
            "default = []",
            expect![[r#"
                app > app: default
                app > leaf4: default std unix
            "#]],
        ),
        (
            "default = ['hidden', 'strong', 'renamed']",
            expect![[r#"
                app > app: default hidden renamed strong strong_dep
                app > leaf1: 
                app > leaf2: default more on std
                app > leaf4: default more on std unix
            "#]],
        ),
        (
            "default = ['weak']",
            expect![[r#"
                app > app: default weak
                app > leaf4: default std unix
            "#]],
        ),
        (
            "default = ['weaker', 'old']",
            expect![[r#"
                app > app: default old old_opt weak weak-dep weaker
                app > leaf3: more on
                app > leaf4: default std unix
                app > leaf5: default more on std
            "#]],
        ),
        (
            "default = ['build', 'maker', 'old_opt']",
            expect![[r#"
                app > app: build default maker old_opt
                app > leaf4: default std unix
                app > leaf5: default std
                app > leaf6: default more on std
            "#]],
        ),
        (
            "default = ['maker/on', 'weak-dep/on', 'hid-den/on']",
            expect![[r#"
                app > app: default maker weak-dep
                app > leaf1: more on
                app > leaf3: more on
                app > leaf4: default std unix
                app > leaf6: default more on std
            "#]],
        ),
    ] {
        check(&forms(default), &LoadOptions::default(), expected);
    }
    check(
        &forms(""),
        &LoadOptions {
            all_features: true,
            ..LoadOptions::default()
        },
        expect![[r#"
            app > app: build hidden maker old old_opt renamed strong strong_dep weak weak-dep weaker
            app > leaf1: 
            app > leaf2: default more on std
            app > leaf3: more on
            app > leaf4: default more on std unix
            app > leaf5: default more on std
            app > leaf6: default more on std
        "#]],
    );
    check(
        &forms(""),
        &with_features("old_opt/std weaker,weaker"),
        expect![[r#"
            app > app: old_opt weak weak-dep weaker
            app > leaf3: more on
            app > leaf4: default std unix
            app > leaf5: default std
        "#]],
    );
}

#[test]
fn two_versions_of_a_package_keep_their_own_features() {
    let package = |dir: &str, version: &str, feature: &str| {
        format!(
            "//- {dir}/Cargo.toml\n[package]\nname = \"util\"\nversion = \"{version}\"\n[features]\n{feature} = []\n//- {dir}/src/lib.rs\n"
        )
    };
    let app = r#"
//- Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
util = { path = "new", features = ["fresh"] }
old_util = { path = "old", package = "util", features = ["stale"] }
//- src/lib.rs
"#;
    let old = package("old", "1.0.0-rc.1", "stale");
    let fixture = format!("{app}{}{old}", package("new", "2.0.0", "fresh"));
    check(
        &fixture,
        &LoadOptions::default(),
        expect![[r#"
            app > app: 
            app > util: stale
            app > util: fresh
        "#]],
    );
}

#[test]
fn the_features_of_this_workspace_are_those_that_cargo_builds() {
    let here = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // Packages of other platforms were never needed to build this test: cargo fetches those that it lacks.
    let options = LoadOptions {
        locked: true,
        ..LoadOptions::default()
    };
    let project = load_at(here, &options).unwrap();
    let ours = render(&project);
    let cargo = cargo_says(&project, &options);
    let difference: Vec<&str> = ours.lines().filter(|it| !cargo.contains(it)).collect();
    assert!(ours == cargo, "only ours {difference:#?}");
}
