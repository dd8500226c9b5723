//! The commands on a small workspace: what they print, what they write, how they exit.

use crate::scratch::{Scratch, TWO_CACHED};
use expect_test::{Expect, expect};
use serde_json::Value;

fn check(scratch: &Scratch, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&scratch.run(arguments).to_string());
}

fn json(scratch: &Scratch, arguments: &[&str]) -> Value {
    let ran = scratch.run(&[arguments, &["--message-format", "json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

/// A workspace whose manifest fits.
fn updated() -> Scratch {
    let scratch = Scratch::new(TWO_CACHED);
    let ran = scratch.run(&["update"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    scratch
}

#[test]
fn update_writes_a_manifest_that_check_finds_fresh() {
    let scratch = Scratch::new(TWO_CACHED);
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 1
        --- stderr
                 New app::render: not in Astrocache.lock (app/src/lib.rs:4)
                 New app::total: not in Astrocache.lock (app/src/lib.rs:9)
               Stale 2 cached functions and no Astrocache.lock
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
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 0
        --- stderr
               Fresh 2 cached functions (4 packages, 4 local files in TIME)
    "#]],
    );
    check(
        &scratch,
        &["update", "-q"],
        expect![[r#"
        exit: 0
    "#]],
    );
    let manifest = scratch.read("Astrocache.lock");
    assert_eq!(manifest.matches("[[root]]").count(), 2, "{manifest}");
    assert!(
        manifest.contains("path = \"app::render\"\npackage = \"app\"\ntarget = \"lib\"\nfile = \"app/src/lib.rs\"")
    );
}

#[test]
fn check_writes_nothing_not_even_a_lock_file() {
    let scratch = Scratch::new(TWO_CACHED);
    let before = scratch.files();
    scratch.run(&["check"]);
    assert_eq!(scratch.files(), before);
    assert!(!scratch.path("target").exists());
}

#[test]
fn check_names_the_function_whose_helper_changed_and_no_other() {
    let scratch = updated();
    scratch.edit("words/src/lib.rs", "'-'", "'_'");
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 1
        --- stderr
             Changed app::render: code that it can run changed (app/src/lib.rs:4)
               Stale 1 of 2 cached functions do not fit Astrocache.lock
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    check(
        &scratch,
        &["check", "--message-format", "github"],
        expect![[r#"
            exit: 1
            --- stdout
            ::error file=app/src/lib.rs,line=4,title=cargo-astrocache::changed: app::render: code that it can run changed
            --- stderr
                   Stale 1 of 2 cached functions do not fit Astrocache.lock
            help: run `cargo astrocache update` and commit Astrocache.lock
        "#]],
    );
}

#[test]
fn check_tells_new_gone_and_changed_apart() {
    let scratch = updated();
    scratch.edit("app/src/lib.rs", "pub fn total", "pub fn sum");
    scratch.edit("app/src/lib.rs", "<h1>{}</h1>", "<h2>{}</h2>");
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 1
        --- stderr
             Changed app::render: its own code changed (app/src/lib.rs:4)
                 New app::sum: not in Astrocache.lock (app/src/lib.rs:9)
                Gone app::total: no longer in the source (app/src/lib.rs)
               Stale 3 of 3 cached functions do not fit Astrocache.lock
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    let json = json(&scratch, &["check"]);
    assert_eq!(json["fresh"], false);
    let standing: Vec<String> = json["roots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|root| format!("{} {} {}", root["path"], root["status"], root["reason"]))
        .collect();
    expect![[r#"
        "app::render" "changed" "its own code changed"
        "app::sum" "new" "not in Astrocache.lock"
        "app::total" "gone" "no longer in the source""#]]
    .assert_eq(&standing.join("\n"));
}

#[test]
fn comments_formatting_and_unreached_code_leave_everything_fresh() {
    let scratch = updated();
    scratch.edit(
        "app/src/lib.rs",
        "/// Renders a title.",
        "/// Renders any title.\n// Really.",
    );
    scratch.edit(
        "words/src/lib.rs",
        "join(title, SEPARATOR)",
        "join(\n        title,\n        SEPARATOR)",
    );
    scratch.edit("words/src/lib.rs", "fn join", "pub fn unused() -> u8 { 7 }\n\nfn join");
    assert_eq!(scratch.run(&["check"]).code, Some(0));
}

#[test]
fn a_package_can_be_looked_at_alone() {
    let scratch = updated();
    scratch.edit("words/src/lib.rs", "'-'", "'_'");
    assert_eq!(scratch.run(&["check", "-p", "words"]).code, Some(0));
    assert_eq!(scratch.run(&["check", "-p", "app"]).code, Some(1));
    let before = scratch.read("Astrocache.lock");
    scratch.run(&["update", "-p", "words"]);
    assert_eq!(scratch.read("Astrocache.lock"), before);
}

#[test]
fn quiet_says_only_what_is_wrong_and_verbose_says_more() {
    let scratch = updated();
    check(
        &scratch,
        &["-q", "check"],
        expect![[r#"
        exit: 0
    "#]],
    );
    check(
        &scratch,
        &["-v", "check"],
        expect![[r#"
        exit: 0
        --- stderr
               Fresh 2 cached functions (4 packages, 4 local files in TIME)
    "#]],
    );
    scratch.edit("words/src/lib.rs", "'-'", "'_'");
    check(
        &scratch,
        &["-q", "check"],
        expect![[r#"
        exit: 1
        --- stderr
             Changed app::render: code that it can run changed (app/src/lib.rs:4)
               Stale 1 of 2 cached functions do not fit Astrocache.lock
    "#]],
    );
}

#[test]
fn list_shows_each_cached_function_with_its_place() {
    let scratch = updated();
    let ran = scratch.run(&["list"]);
    let shown: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(shown.len(), 2, "{ran}");
    assert_eq!(shown[0][..2], ["app::render", "app/src/lib.rs:4"], "{ran}");
    assert_eq!(shown[0][2].len(), 32, "{ran}");
    assert_eq!(shown[0][3], "fresh", "{ran}");
    let json = json(&scratch, &["list"]);
    assert_eq!(json[1]["path"], "app::total");
    assert_eq!(json[1]["status"], "fresh");
}

#[test]
fn fingerprint_prints_lines_or_an_object_for_any_function() {
    let scratch = updated();
    let ran = scratch.run(&["fingerprint", "words::slug", "app::render"]);
    let lines: Vec<(&str, &str)> = ran.stdout.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(lines.len(), 2, "{ran}");
    let json = json(&scratch, &["fingerprint", "words::slug", "app::render"]);
    for (path, fingerprint) in lines {
        assert_eq!(json[path], fingerprint, "{ran}");
    }
    let manifest = scratch.read("Astrocache.lock");
    assert!(manifest.contains(json["app::render"].as_str().unwrap()), "{manifest}");
}

#[test]
fn explain_groups_the_closure_and_shows_the_way() {
    let scratch = updated();
    let ran = scratch.run(&["explain", "app::render"]);
    let fingerprint = json(&scratch, &["fingerprint", "app::render"])["app::render"]
        .as_str()
        .unwrap()
        .to_owned();
    expect![[r#"
        app::render  app/src/lib.rs:4
        can run 4 definitions of 2 packages; fingerprint FINGERPRINT

        app 1 definition
          fn app::render  app/src/lib.rs:4

        words 3 definitions
          fn words::slug  words/src/lib.rs:4
              from render (R1)
          fn words::join  words/src/lib.rs:8
              from render > slug (R1)
          const words::SEPARATOR  words/src/lib.rs:2
              from render > slug (R1)
    "#]]
    .assert_eq(&ran.stdout.replace(&fingerprint, "FINGERPRINT"));
    assert_eq!(ran.code, Some(0));
}

#[test]
fn explain_has_a_form_for_scripts() {
    let scratch = updated();
    let json = json(&scratch, &["explain", "app::render"]);
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["definitions", "fingerprint", "notes", "root"]);
    let separator = json["definitions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["path"] == "words::SEPARATOR")
        .unwrap();
    expect![[r#"
        {
          "file": "words/src/lib.rs",
          "kind": "const",
          "line": 2,
          "package": "words",
          "path": "words::SEPARATOR",
          "rule": "R1",
          "via": "words::slug"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(separator).unwrap());
}

#[test]
fn the_ledger_is_written_without_a_word() {
    let scratch = updated();
    check(
        &scratch,
        &["ledger"],
        expect![[r#"
        exit: 0
    "#]],
    );
    let ledgers = std::fs::read_dir(scratch.path("target/astrocache")).unwrap();
    let names: Vec<String> = ledgers
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|it| it.ends_with(".ledger"))
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn a_workspace_without_cached_functions_is_fresh_and_gets_no_manifest() {
    let scratch = Scratch::new(TWO_CACHED);
    let source = scratch.read("app/src/lib.rs").replace("#[astrocache::cached]\n", "");
    scratch.write("app/src/lib.rs", source);
    check(
        &scratch,
        &["update"],
        expect![[r#"
        exit: 0
        --- stderr
               Fresh 0 cached functions (4 packages, 4 local files in TIME)
    "#]],
    );
    check(
        &scratch,
        &["check"],
        expect![[r#"
        exit: 0
        --- stderr
               Fresh 0 cached functions (4 packages, 4 local files in TIME)
        help: mark a function with `#[astrocache::cached]` to have its results kept
    "#]],
    );
    assert!(!scratch.path("Astrocache.lock").exists());
}
