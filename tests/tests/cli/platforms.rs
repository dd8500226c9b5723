//! The platforms and features that a workspace is analyzed for, and a manifest that is for others.

use crate::scratch::{Scratch, TWO_CACHED};
use expect_test::{Expect, expect};

const LINUX: &str = "x86_64-unknown-linux-gnu";

fn check(scratch: &Scratch, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&scratch.run(arguments).to_string());
}

/// A workspace that asks for this in `[workspace.metadata.astrocache]`.
fn asking(table: &str) -> Scratch {
    let scratch = Scratch::new(TWO_CACHED);
    ask(&scratch, table);
    scratch
}

fn ask(scratch: &Scratch, table: &str) {
    let manifest = scratch.read("Cargo.toml");
    let before = manifest
        .split("[workspace.metadata.astrocache]")
        .next()
        .unwrap()
        .trim_end();
    scratch.write(
        "Cargo.toml",
        format!("{before}\n\n[workspace.metadata.astrocache]\n{table}\n"),
    );
}

#[test]
fn the_manifest_is_the_same_whatever_machine_writes_it_once_platforms_are_listed() {
    let scratch = asking("platforms = ['x86_64-pc-windows-msvc', 'aarch64-apple-darwin']");
    scratch.write(
        "words/src/lib.rs",
        "#[cfg(windows)] pub fn slug(t: &str) -> String { win(t) }\n#[cfg(windows)] fn win(t: &str) -> String { t.into() }\n\
         #[cfg(target_os = \"macos\")] pub fn slug(t: &str) -> String { mac(t) }\n#[cfg(target_os = \"macos\")] fn mac(t: &str) -> String { t.into() }\n\
         #[cfg(target_os = \"linux\")] pub fn slug(t: &str) -> String { linux(t) }\n#[cfg(target_os = \"linux\")] fn linux(t: &str) -> String { t.into() }\n",
    );
    assert_eq!(scratch.run(&["update"]).code, Some(0));
    assert!(
        scratch
            .read("Astrocache.lock")
            .contains("platforms = [\"aarch64-apple-darwin\", \"x86_64-pc-windows-msvc\"]")
    );
    let closure = scratch.run(&["explain", "app::render"]).stdout;
    assert!(
        closure.contains("words::win") && closure.contains("words::mac") && !closure.contains("words::linux"),
        "{closure}"
    );
    assert_eq!(scratch.run(&["check"]).code, Some(0));
}

#[test]
fn a_manifest_for_other_platforms_is_one_finding_with_a_remedy() {
    let scratch = asking("platforms = ['x86_64-pc-windows-msvc']");
    assert_eq!(scratch.run(&["update"]).code, Some(0));
    ask(&scratch, &format!("platforms = ['{LINUX}']"));
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 1
        --- stderr
               Stale Astrocache.lock is for x86_64-pc-windows-msvc, and this check is for x86_64-unknown-linux-gnu
        help: list `platforms = ["x86_64-pc-windows-msvc", "x86_64-unknown-linux-gnu"]` in [workspace.metadata.astrocache] of Cargo.toml, so that all machines agree, and run `cargo astrocache update`
    "#]],
    );
    check(
        &scratch,
        &["check", "--message-format", "json"],
        expect![[r#"
        exit: 1
        --- stdout
        {
          "diagnostics": [],
          "fresh": false,
          "manifest_platforms": [
            "x86_64-pc-windows-msvc"
          ],
          "platforms": [
            "x86_64-unknown-linux-gnu"
          ],
          "roots": []
        }
        --- stderr
        help: list `platforms = ["x86_64-pc-windows-msvc", "x86_64-unknown-linux-gnu"]` in [workspace.metadata.astrocache] of Cargo.toml, so that all machines agree, and run `cargo astrocache update`
    "#]],
    );
    check(
        &scratch,
        &["update", "-p", "app"],
        expect![[r#"
        exit: 2
        --- stderr
        error: Astrocache.lock is for x86_64-pc-windows-msvc, and now it is to be for x86_64-unknown-linux-gnu; run `cargo astrocache update` without `-p`
    "#]],
    );
    ask(&scratch, &format!("platforms = ['{LINUX}', 'x86_64-pc-windows-msvc']"));
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 1
        --- stderr
               Stale Astrocache.lock is for x86_64-pc-windows-msvc, and this check is for x86_64-pc-windows-msvc, x86_64-unknown-linux-gnu
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    assert_eq!(scratch.run(&["update"]).code, Some(0));
    assert_eq!(scratch.run(&["check"]).code, Some(0));
}

#[test]
fn a_manifest_of_an_earlier_version_names_no_platforms() {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.write("Astrocache.lock", "version = 1\n");
    ask(&scratch, &format!("platforms = ['{LINUX}']"));
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 1
        --- stderr
               Stale Astrocache.lock is for platforms that it does not name, and this check is for x86_64-unknown-linux-gnu
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    check(
        &scratch,
        &["update"],
        expect![[r#"
        exit: 0
        --- stderr
             Updated Astrocache.lock: 2 new
    "#]],
    );
}

#[test]
fn garbage_in_the_table_is_an_error_that_says_what_may_stand_there() {
    let scratch = asking("platform = []");
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 2
        --- stderr
        error: cannot understand `ROOT/Cargo.toml`: [workspace.metadata.astrocache] has the unknown key `platform`; there are `platforms`, `features`, `all-features`, `no-default-features`
    "#]],
    );
    ask(&scratch, "platforms = ['x86_64-unknown-linx-gnu']");
    check(
        &scratch,
        &["check"],
        expect![[r#"
            exit: 2
            --- stderr
            error: rustc does not know the platform `x86_64-unknown-linx-gnu`, which `platforms` in [workspace.metadata.astrocache] lists (`rustc --print target-list` names all): error loading target specification: could not find specification for target "x86_64-unknown-linx-gnu"
              |
              = help: run `rustc --print target-list` for a list of built-in targets
        "#]],
    );
    ask(&scratch, "platforms = []");
    check(
        &scratch,
        &["update"],
        expect![[r#"
        exit: 2
        --- stderr
        error: cannot understand `ROOT/Cargo.toml`: [workspace.metadata.astrocache] `platforms` is empty; list target triples, or remove it for the host and `build.target`
    "#]],
    );
    ask(&scratch, "platforms = 3");
    check(
        &scratch,
        &["update"],
        expect![[r#"
        exit: 2
        --- stderr
        error: cannot understand `ROOT/Cargo.toml`: [workspace.metadata.astrocache] `platforms` is not a list of strings
    "#]],
    );
    assert!(!scratch.path("Astrocache.lock").exists());
}

#[test]
fn features_that_the_workspace_lists_are_analyzed_and_a_change_of_them_is_stale() {
    let scratch = asking("features = ['app/x']");
    let manifest = scratch.read("app/Cargo.toml");
    scratch.write("app/Cargo.toml", format!("{manifest}\n[features]\nx = []\n"));
    assert_eq!(scratch.run(&["update"]).code, Some(0));
    assert!(scratch.read("Astrocache.lock").contains("features = [\"x\"]"));
    assert_eq!(scratch.run(&["check"]).code, Some(0));
    ask(&scratch, "");
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 1
        --- stderr
               Stale the local packages or their features are not those in Astrocache.lock
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
}
