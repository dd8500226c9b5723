//! `explain --since`: what changed of a function's closure since a git revision, in real repositories.

use crate::scratch::{Ran, Scratch, TWO_CACHED};
use expect_test::{Expect, expect};
use serde_json::Value;

/// A repository whose one commit, tagged `v1`, is [`TWO_CACHED`]; in a directory of it if `inside` is not empty.
fn repository() -> Scratch {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.write(".gitignore", "target\n");
    git(&scratch, &["init", "--quiet"]);
    commit(&scratch);
    git(&scratch, &["tag", "v1"]);
    scratch
}

fn git(scratch: &Scratch, arguments: &[&str]) {
    let mut command = scratch.command("git");
    command.args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
    ]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn commit(scratch: &Scratch) {
    git(scratch, &["add", "."]);
    git(scratch, &["commit", "--quiet", "--message", "x"]);
}

/// Fingerprints and hashes are other in each state of the rules, and with each clock.
fn check(scratch: &Scratch, arguments: &[&str], expected: Expect) {
    let ran = scratch.run(arguments);
    let hex = |word: &str| word.len() >= 10 && word.chars().all(|it| it.is_ascii_hexdigit());
    let mut out = String::new();
    for word in ran.to_string().split_inclusive([' ', '\n', ')', '(']) {
        let (text, end) = word.split_at(word.trim_end_matches([' ', '\n', ')', '(']).len());
        out += if hex(text) { "HASH" } else { text };
        out += end;
    }
    expected.assert_eq(&out);
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

#[test]
fn what_changed_came_and_went_is_told_with_its_place() {
    let scratch = repository();
    check(
        &scratch,
        &["explain", "render", "--since", "HEAD"],
        expect![[r#"
            exit: 0
            --- stdout
            app::render  app/src/lib.rs:4
            nothing that it can run differs from HEAD (HASH); fingerprint HASH
        "#]],
    );
    scratch.edit("words/src/lib.rs", "'-'", "'_'");
    scratch.edit(
        "words/src/lib.rs",
        "    join(title, SEPARATOR)",
        "    clean(title).to_owned()",
    );
    scratch.edit(
        "words/src/lib.rs",
        "fn join(",
        "fn clean(title: &str) -> &str { title.trim() }\n\nfn join(",
    );
    scratch.edit("app/src/lib.rs", "//! The cached functions.", "//! Functions.");
    scratch.write(
        "words/Cargo.toml",
        scratch.read("words/Cargo.toml").replace("2024", "2021"),
    );
    let before = scratch.files();
    check(
        &scratch,
        &["explain", "render", "--since", "v1"],
        expect![[r#"
        exit: 0
        --- stdout
        app::render  app/src/lib.rs:4
        5 changes since v1 (HASH); fingerprint HASH became HASH

        changed
          fn words::slug  words/src/lib.rs:4

        new
          fn words::clean  words/src/lib.rs:8

        gone
          const words::SEPARATOR  words/src/lib.rs:2
          fn words::join  words/src/lib.rs:8

        changed besides definitions
          the edition of package `words`
    "#]],
    );
    check(
        &scratch,
        &["explain", "total", "--since", "v1"],
        expect![[r#"
            exit: 0
            --- stdout
            app::total  app/src/lib.rs:9
            nothing that it can run differs from v1 (HASH); fingerprint HASH
        "#]],
    );
    assert_eq!(
        scratch.files(),
        before,
        "the repository, its index and the working tree are as they were"
    );

    commit(&scratch);
    check(
        &scratch,
        &["explain", "render", "--since", "HEAD"],
        expect![[r#"
            exit: 0
            --- stdout
            app::render  app/src/lib.rs:4
            nothing that it can run differs from HEAD (HASH); fingerprint HASH
        "#]],
    );
    let said = json(&scratch.run(&["explain", "render", "--since", "HEAD~1", "--message-format", "json"]));
    assert_eq!(said["since"]["rev"], "HEAD~1");
    assert_eq!(said["since"]["commit"].as_str().unwrap().len(), 40);
    let fingerprint = scratch.fingerprint("app::render");
    assert_eq!(said["fingerprint"], Value::from(fingerprint));
    let change = &said["changes"][0];
    assert_eq!(change["what"], "words::slug");
    assert_eq!(change["status"], "changed");
    assert_eq!(change["kind"], "fn");
}

#[test]
fn a_function_that_was_not_there_is_told_so() {
    let scratch = repository();
    scratch.edit("app/src/lib.rs", "pub fn total", "pub fn sum");
    check(
        &scratch,
        &["explain", "app::sum", "--since", "v1"],
        expect![[r#"
        exit: 0
        --- stdout
        app::sum  app/src/lib.rs:9
        did not exist in v1 (HASH)
    "#]],
    );
    let said = json(&scratch.run(&["explain", "sum", "--since", "v1", "--message-format", "json"]));
    assert_eq!(said["since"]["fingerprint"], Value::Null);
    assert_eq!(said["changes"], serde_json::json!([]));
}

#[test]
fn a_workspace_inside_a_repository_and_one_whose_lock_file_git_does_not_know_are_found() {
    let scratch = repository();
    let outer = Scratch::new("");
    for (path, content) in scratch.files() {
        let path = path.strip_prefix(&scratch.root).unwrap().to_str().unwrap().to_owned();
        if !path.starts_with(".git/") {
            outer.write(&format!("in/side/{path}"), content);
        }
    }
    outer.write(".gitignore", "Cargo.lock\n");
    git(&outer, &["init", "--quiet"]);
    commit(&outer);
    outer.edit("in/side/words/src/lib.rs", "'-'", "'_'");
    let arguments = [
        "explain",
        "render",
        "--since",
        "HEAD",
        "--manifest-path",
        "in/side/app/Cargo.toml",
    ];
    check(
        &outer,
        &arguments,
        expect![[r#"
        exit: 0
        --- stdout
        app::render  app/src/lib.rs:4
        1 change since HEAD (HASH); fingerprint HASH became HASH

        changed
          const words::SEPARATOR  words/src/lib.rs:2
    "#]],
    );
}

/// As pre-commit and git start hooks.
#[test]
fn the_variables_of_a_hook_lead_nowhere_else() {
    let scratch = repository();
    scratch.edit("words/src/lib.rs", "'-'", "'_'");
    let mut command = scratch.command(crate::scratch::TOOL);
    command.args(["explain", "render", "--since", "HEAD"]);
    command
        .env("GIT_INDEX_FILE", "/nowhere/index")
        .env("GIT_DIR", "/nowhere/.git");
    let ran = scratch.finish(command);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.contains("words::SEPARATOR"), "{ran}");
}

#[test]
fn what_cannot_be_compared_is_an_error_that_says_why() {
    let scratch = repository();
    check(
        &scratch,
        &["explain", "render", "--since", "v2"],
        expect![[r#"
        exit: 2
        --- stderr
        error: no commit `v2` in the git repository `ROOT`; `git log` lists them
    "#]],
    );
    check(
        &scratch,
        &["explain", "rendr", "--since", "v1"],
        expect![[r#"
        exit: 2
        --- stderr
        error: no function `rendr` in the workspace; did you mean `app::render`?
    "#]],
    );

    // A revision before there was a workspace, and one whose manifest is broken.
    let late = Scratch::new("");
    late.write("README.md", "later");
    git(&late, &["init", "--quiet"]);
    commit(&late);
    for (path, content) in scratch.files() {
        let path = path.strip_prefix(&scratch.root).unwrap().to_str().unwrap().to_owned();
        if !path.starts_with(".git/") {
            late.write(&path, content);
        }
    }
    check(
        &late,
        &["explain", "render", "--since", "HEAD"],
        expect![[r#"
        exit: 2
        --- stderr
        error: there is no `Cargo.toml` of this workspace in `HEAD` (HASH)
    "#]],
    );
    let whole = late.read("Cargo.toml");
    late.write("Cargo.toml", "[workspace");
    commit(&late);
    late.write("Cargo.toml", whole);
    let ran = late.run(&["explain", "render", "--since", "HEAD"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(
        ran.stderr
            .starts_with("error: cannot load the workspace as it was in `HEAD` ("),
        "{ran}"
    );

    let none = Scratch::new(TWO_CACHED);
    check(
        &none,
        &["explain", "render", "--since", "v1"],
        expect![[r#"
            exit: 2
            --- stderr
            error: `ROOT` is not in the working tree of a git repository (not a git repository (or any of the parent directories): .git)
        "#]],
    );
}
