//! What the command says to bad input: one clear error, the right exit code, nothing lost.

use crate::scratch::{Scratch, TWO_CACHED};
use expect_test::{Expect, expect};

const MINIMAL: &str = "//- Cargo.toml
[package]
name = \"app\"
version = \"0.1.0\"
edition = \"2021\"
//- src/lib.rs
pub fn render(text: &str) -> String { text.to_uppercase() }
pub fn measure(text: &str) -> usize { text.len() }
";

fn check(scratch: &Scratch, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&scratch.run(arguments).to_string());
}

/// Only our own words: what cargo says may change with its version.
fn check_first_line(scratch: &Scratch, arguments: &[&str], expected: Expect) {
    let ran = scratch.run(arguments);
    expected.assert_eq(&format!(
        "exit: {:?}\n{}",
        ran.code,
        ran.stderr.lines().next().unwrap_or_default()
    ));
}

#[test]
fn without_a_manifest_it_says_where_it_looked() {
    let empty = Scratch::new("");
    check(
        &empty,
        &["check"],
        expect![[r#"
        exit: 2
        --- stderr
        error: no `Cargo.toml` in `ROOT` or any parent directory; run this inside a cargo project, or name one with --manifest-path
    "#]],
    );
    check(
        &empty,
        &["check", "--manifest-path", "gone/Cargo.toml"],
        expect![[r#"
        exit: 2
        --- stderr
        error: the manifest `ROOT/gone/Cargo.toml` does not exist; --manifest-path takes the path of a `Cargo.toml`
    "#]],
    );
}

#[test]
fn a_manifest_that_is_no_package_or_workspace_is_told_by_cargo() {
    check_first_line(
        &Scratch::new("//- Cargo.toml\n[package\n"),
        &["check"],
        expect![[r#"
        exit: Some(2)
        error: cargo could not read the project at `ROOT/Cargo.toml`:"#]],
    );
    check_first_line(
        &Scratch::new("//- Cargo.toml\n[lib]\nname = \"x\"\n"),
        &["update"],
        expect![[r#"
        exit: Some(2)
        error: cargo could not read the project at `ROOT/Cargo.toml`:"#]],
    );
}

#[test]
fn a_member_whose_manifest_does_not_parse_is_named() {
    let scratch =
        Scratch::new("//- Cargo.toml\n[workspace]\nmembers = [\"a\"]\n//- a/Cargo.toml\n[package]\nname = 3\n");
    let ran = scratch.run(&["check"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("a/Cargo.toml"), "{ran}");
}

#[test]
fn a_dependency_that_was_never_fetched_is_an_error_that_says_what_to_do() {
    let scratch = Scratch::new(MINIMAL);
    scratch.edit(
        "Cargo.toml",
        "2021\"",
        "2021\"\n[dependencies]\nastrocache-no-such-crate = \"1\"",
    );
    check_first_line(
        &scratch,
        &["check", "--offline"],
        expect![[r#"
        exit: Some(2)
        error: a dependency of `ROOT/Cargo.toml` is not on this machine, and the network may not be used; run `cargo fetch` once:"#]],
    );
}

#[test]
fn an_unknown_package_or_flag_is_wrong_usage() {
    let scratch = Scratch::new(MINIMAL);
    check(
        &scratch,
        &["check", "-p", "ap"],
        expect![[r#"
            exit: 2
            --- stderr
            error: no package `ap` in the workspace; did you mean `app`?
        "#]],
    );
    for arguments in [
        &["check", "--colour"][..],
        &["frobnicate"],
        &["explain"],
        &["check", "-q", "-v"],
    ] {
        assert_eq!(scratch.run(arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn an_unknown_function_is_answered_with_the_nearest_names() {
    let scratch = Scratch::new(MINIMAL);
    check(
        &scratch,
        &["explain", "app::rendr"],
        expect![[r#"
            exit: 2
            --- stderr
            error: no function `app::rendr` in the workspace; did you mean one of `app::render`, `app::measure`?
        "#]],
    );
    check(
        &scratch,
        &["fingerprint", "app::render", "app::mesure"],
        expect![[r#"
            exit: 2
            --- stderr
            error: no function `app::mesure` in the workspace; did you mean one of `app::measure`, `app::render`?
        "#]],
    );
}

#[test]
fn a_damaged_manifest_stops_check_and_is_replaced_by_update() {
    let scratch = Scratch::new(MINIMAL);
    for text in [
        "<<<<<<< HEAD\nversion = 1\n",
        "version = 1\n\n[[root]]\npath = 3\n",
        "\0\u{1}garbage",
    ] {
        scratch.write("Astrocache.lock", text);
        let ran = scratch.run(&["check"]);
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains("ROOT/Astrocache.lock:"), "{ran}");
        assert_eq!(scratch.read("Astrocache.lock"), text);

        let ran = scratch.run(&["update"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stderr.contains("warning: replacing a damaged manifest"), "{ran}");
    }
}

#[test]
fn a_manifest_of_a_newer_version_is_nobodys_to_replace() {
    let scratch = Scratch::new(MINIMAL);
    scratch.write("Astrocache.lock", "version = 99\n");
    check(
        &scratch,
        &["update"],
        expect![[r#"
            exit: 2
            --- stderr
            error: cannot use the manifest: ROOT/Astrocache.lock:1: version 99 was written by a newer cargo-astrocache (this one reads up to 3); update it with `cargo install cargo-astrocache`
        "#]],
    );
    for command in ["check", "list"] {
        assert_eq!(scratch.run(&[command]).code, Some(2));
    }
    assert_eq!(scratch.read("Astrocache.lock"), "version = 99\n");
}

#[test]
fn a_file_that_is_not_utf8_is_a_warning_with_its_line() {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.edit("words/src/lib.rs", "pub fn slug", "mod latin;\npub fn slug");
    scratch.write("words/src/latin.rs", b"pub fn f() {}\n// caf\xe9\n");
    check(
        &scratch,
        &["update"],
        expect![[r#"
            exit: 0
            --- stderr
            warning: words/src/latin.rs:2: is not UTF-8: bad byte on line 2; rustc will not compile it either, save it as UTF-8
                 Updated Astrocache.lock: 2 new
        "#]],
    );
}

#[test]
fn a_file_that_does_not_parse_is_a_warning() {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.edit("words/src/lib.rs", "pub fn slug", "pub fn broken( { }\npub fn slug");
    check(
        &scratch,
        &["update"],
        expect![[r#"
        exit: 0
        --- stderr
        warning: words/src/lib.rs: does not parse (2 syntax errors); analyzed as far as it does
             Updated Astrocache.lock: 2 new
    "#]],
    );
}

#[test]
fn help_prints_the_exit_codes() {
    let scratch = Scratch::new("");
    for arguments in [&["--help"][..], &["check", "--help"], &["update", "--help"]] {
        let ran = scratch.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stdout.contains("Exit codes:\n  0 "), "{ran}");
    }
}

#[test]
fn a_manifest_that_cannot_be_written_is_an_error() {
    let scratch = Scratch::new(TWO_CACHED);
    std::fs::create_dir(scratch.path("Astrocache.lock")).unwrap();
    let ran = scratch.run(&["update"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(
        ran.stderr
            .starts_with("error: cannot use the manifest: ROOT/Astrocache.lock: cannot be read"),
        "{ran}"
    );
}

#[test]
fn a_target_directory_that_cannot_be_written_costs_the_ledger_only() {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.write("target", "a file");
    let ran = scratch.run(&["update"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("warning: cannot write the ledger"), "{ran}");
    assert!(scratch.path("Astrocache.lock").exists());
    let ran = scratch.run(&["ledger"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
}

#[test]
fn prune_without_a_manifest_deletes_nothing_and_says_so() {
    let scratch = Scratch::new(MINIMAL);
    check(
        &scratch,
        &["prune"],
        expect![[r#"
        exit: 2
        --- stderr
        error: no `ROOT/Astrocache.lock` tells which results are still wanted; run `cargo astrocache update` first
    "#]],
    );
}
