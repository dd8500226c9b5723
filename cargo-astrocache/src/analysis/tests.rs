//! Runs as a whole: which roots there are, which queries an edit costs, and input that no compiler would take.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::{AnalysisError, Request, Roots};
use crate::{
    db::{AnalysisDb, Workspace},
    fingerprint::fingerprint,
    testing::{Fixture, function},
};

/// Diagnostics and the closure of `app::root`, on one line each.
fn check(fixture: &Fixture, expected: Expect) {
    let analysis = fixture.analyze(&["app::root"]);
    let mut out = String::new();
    for it in &analysis.diagnostics {
        let file = it.file.strip_prefix(&fixture.root).unwrap_or(&it.file);
        let _ = writeln!(out, "{file}:{}: {}", it.line, it.message);
    }
    for root in &analysis.roots {
        let paths: Vec<&str> = root.definitions.iter().map(|it| it.path.as_str()).collect();
        let _ = writeln!(out, "{}", paths.join(" "));
    }
    expected.assert_eq(&out);
}

const TWO_FILES: &str = "//- /src/lib.rs
mod reached;
mod other;
pub fn root() -> u8 { reached::f() }
//- /src/reached.rs
pub fn f() -> u8 { 1 }
//- /src/other.rs
pub fn idle() -> u8 { 1 }
";

/// A database that has answered once, and what it said.
fn warm(fixture: &Fixture) -> (AnalysisDb, Workspace, String) {
    let (db, workspace) = fixture.open();
    let before = ask(&db, workspace);
    db.executed();
    (db, workspace, before)
}

fn ask(db: &AnalysisDb, workspace: Workspace) -> String {
    let root = function(db, workspace, "app::root");
    fingerprint(db, workspace, root).fingerprint.to_string()
}

fn executed(db: &AnalysisDb) -> String {
    let mut out = String::new();
    for (query, times) in db.executed() {
        let _ = writeln!(out, "{query} {times}");
    }
    out
}

/// `declarations` runs because it asks a file's revision for whether there is a file at all; its answer is equal, so
/// nothing that rests on it (`resolver`, `tables`, the `uses` of other files) runs.
#[test]
fn an_edit_in_a_reached_body_resolves_only_its_own_file_anew() {
    let fixture = Fixture::new(TWO_FILES);
    let (mut db, workspace, before) = warm(&fixture);
    fixture.write("/src/reached.rs", "pub fn f() -> u8 { 2 }\n");
    assert_eq!(db.refresh().len(), 1);
    let after = ask(&db, workspace);
    expect![[r#"
        bodies 1
        facts 1
        fingerprint 1
        is_readable 1
        items 1
        mentions 1
        unit 1
    "#]]
    .assert_eq(&executed(&db));
    assert_ne!(after, before);
}

#[test]
fn an_edit_in_a_file_that_is_not_reached_runs_no_closure() {
    let fixture = Fixture::new(TWO_FILES);
    let (mut db, workspace, before) = warm(&fixture);
    fixture.write("/src/other.rs", "pub fn idle() -> u8 { 2 }\n");
    assert_eq!(db.refresh().len(), 1);
    let after = ask(&db, workspace);
    expect![[r#"
        facts 1
        is_readable 1
        items 1
    "#]]
    .assert_eq(&executed(&db));
    assert_eq!(after, before);
}

#[test]
fn a_new_item_declares_its_crate_anew() {
    let fixture = Fixture::new(TWO_FILES);
    let (mut db, workspace, before) = warm(&fixture);
    fixture.write("/src/other.rs", "pub fn idle() -> u8 { 1 }\npub fn more() {}\n");
    assert_eq!(db.refresh().len(), 1);
    let after = ask(&db, workspace);
    assert_eq!(db.executed().get("declarations"), Some(&1));
    assert_eq!(after, before);
}

#[test]
fn a_file_touched_but_not_changed_costs_nothing() {
    let fixture = Fixture::new(TWO_FILES);
    let (mut db, workspace, before) = warm(&fixture);
    fixture.write("/src/reached.rs", "pub fn f() -> u8 { 1 }\n");
    assert_eq!(db.refresh().len(), 0);
    assert_eq!(ask(&db, workspace), before);
    assert_eq!(executed(&db), "");
}

#[test]
fn a_warm_database_says_what_a_new_one_says() {
    let fixture = Fixture::new(TWO_FILES);
    let (mut db, workspace, _) = warm(&fixture);
    for (path, text) in [
        ("/src/reached.rs", "pub fn f() -> u8 { g() } fn g() -> u8 { 3 }\n"),
        ("/src/other.rs", "pub fn f() {}\n"),
        (
            "/src/lib.rs",
            "mod reached; mod other; use other::*; pub fn root() -> u8 { f() }\n",
        ),
        ("/src/other.rs", "pub use crate::reached::f;\n"),
        (
            "/src/lib.rs",
            "mod reached; mod other; mod new; pub fn root() -> u8 { new::f() }\n",
        ),
        ("/src/new.rs", "pub fn f() -> u8 { 4 }\n"),
    ] {
        fixture.write(path, text);
        assert_eq!(db.refresh().len(), 1, "{path}");
        assert_eq!(ask(&db, workspace), fixture.fingerprint("app::root"), "{path}: {text}");
    }
}

#[test]
fn roots_are_the_functions_marked_by_the_macro_under_any_name() {
    let fixture = Fixture::new(
        "//- /mac/src/lib.rs crate:astrocache-macros proc-macro
#[proc_macro_attribute]
pub fn cached(args: TokenStream, item: TokenStream) -> TokenStream { item }
//- /other/src/lib.rs crate:other
pub fn cached() {}
//- /src/lib.rs crate:app deps:astrocache=astrocache-macros,other
use astrocache::cached as memo;
#[astrocache::cached] pub fn a() {}
#[memo] pub fn b() {}
#[other::cached] pub fn c() {}
pub fn d() { #[memo] fn inner() {} }
pub struct S;
impl S { #[memo] pub fn method(&self) {} }
#[cfg(unix)] #[memo] fn twin() {}
#[cfg(windows)] #[memo] fn twin() {}
",
    );
    let request = Request {
        roots: Roots::Annotated,
        explain: false,
    };
    let analysis = fixture.run(&request).unwrap();
    let paths: Vec<&str> = analysis.roots.iter().map(|it| it.path.as_str()).collect();
    expect![[r#"
        app::S::method
        app::a
        app::b
        app::d::inner
        app::twin
        app::twin#2"#]]
    .assert_eq(&paths.join("\n"));
}

#[test]
fn roots_in_unit_tests_see_development_dependencies_and_others_do_not() {
    let fixture = Fixture::new(
        "//- /mac/src/lib.rs crate:astrocache-macros proc-macro
#[proc_macro_attribute]
pub fn cached(args: TokenStream, item: TokenStream) -> TokenStream { item }
//- /helper/src/lib.rs crate:helper deps:app
pub fn help() -> u8 { 1 }
pub struct Mock;
impl app::Load for Mock { fn load(&self) -> u8 { 2 } }
//- /src/lib.rs crate:app deps:astrocache=astrocache-macros test-deps:helper
pub trait Load { fn load(&self) -> u8; }
#[astrocache::cached] pub fn plain(it: u8) -> u8 { u8::load(&it) }
#[cfg(test)] mod tests {
    #[astrocache::cached] fn tested() -> u8 { helper::help() }
}
",
    );
    let request = Request {
        roots: Roots::Annotated,
        explain: false,
    };
    let prints = || -> Vec<(String, String)> {
        let roots = fixture.run(&request).unwrap().roots;
        let named = |path: &str| fixture.fingerprint(path);
        let all = roots.into_iter().map(|it| (it.path, it.fingerprint.to_string()));
        all.inspect(|(path, print)| assert_eq!(*print, named(path), "{path}"))
            .collect()
    };
    let before = prints();
    fixture.write(
        "/helper/src/lib.rs",
        "pub fn help() -> u8 { 11 }\npub struct Mock;\nimpl app::Load for Mock { fn load(&self) -> u8 { 12 } }\n",
    );
    let after = prints();
    assert_eq!(before[0], after[0]);
    assert_eq!(before[0].0, "app::plain");
    assert_eq!(before[1].0, "app::tests::tested");
    assert_ne!(before[1].1, after[1].1);
}

#[test]
fn a_name_that_no_function_has_is_answered_with_near_ones() {
    let fixture = Fixture::new("//- /src/lib.rs\npub fn render() {} mod a { fn f() {} } mod b { fn f() {} }\n");
    let error = |name: &str| -> AnalysisError {
        let request = Request {
            roots: Roots::Named(vec![name.to_owned()]),
            explain: false,
        };
        fixture.run(&request).unwrap_err()
    };
    expect!["no function `app::rendr` in the workspace; did you mean `app::render`?"]
        .assert_eq(&error("app::rendr").to_string());
    expect!["`f` is the end of several paths; write more of it: `app::a::f`, `app::b::f`"]
        .assert_eq(&error("f").to_string());
}

#[test]
fn a_file_that_is_not_utf_8_is_a_diagnostic() {
    let fixture = Fixture::new("//- /src/lib.rs\nmod bad;\npub fn root() { bad::f() }\n");
    fixture.write("/src/bad.rs", b"pub fn f() {}\n\xff\xfe\n");
    check(
        &fixture,
        expect![[r#"
        src/bad.rs:2: is not UTF-8: bad byte on line 2; rustc will not compile it either, save it as UTF-8
        app::root
    "#]],
    );
}

#[test]
fn a_missing_module_file_is_no_end() {
    let fixture = Fixture::new(
        "//- /src/lib.rs\nmod gone;\n#[path = \"../no/where.rs\"] mod far;\npub fn root() { gone::f(); far::g() }\n",
    );
    check(
        &fixture,
        expect![[r#"
        app::root
    "#]],
    );
}

#[test]
fn an_empty_file_and_a_directory_in_its_place_are_read() {
    let fixture =
        Fixture::new("//- /src/lib.rs\nmod empty;\nmod dir;\npub fn root() {}\n//- /src/empty.rs\n//- /src/dir.rs/x\n");
    check(
        &fixture,
        expect![[r#"
        src/dir.rs:0: is not a regular file
        app::root
    "#]],
    );
}

#[test]
fn a_file_that_is_a_module_of_itself_ends() {
    let fixture = Fixture::new("//- /src/lib.rs\n#[path = \"lib.rs\"] mod again;\npub fn root() { again::root() }\n");
    let analysis = fixture.analyze(&["app::root"]);
    assert_eq!(analysis.roots[0].path, "app::root");
}

#[test]
fn text_that_does_not_parse_is_analyzed_as_far_as_it_does() {
    let fixture = Fixture::new("//- /src/lib.rs\npub fn root() { helper(; }\nfn helper() {}\n}}} impl for { \"open\n");
    check(
        &fixture,
        expect![[r#"
        src/lib.rs:0: does not parse (11 syntax errors); analyzed as far as it does
        app::root app::helper
    "#]],
    );
}

#[test]
fn twenty_thousand_parentheses_are_survived() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("-", ""), ("f(", ")")] {
        let (open, close) = (open.repeat(20_000), close.repeat(20_000));
        let fixture = Fixture::new("//- /src/lib.rs\n");
        fixture.write(
            "/src/lib.rs",
            format!("pub fn root() -> u8 {{ {open}helper(){close} }}\nfn helper() -> u8 {{ 1 }}\n"),
        );
        assert_eq!(fixture.report("app::root").path, "app::root");
    }
}

#[test]
fn twenty_thousand_levels_in_a_macro_call_or_left_open_are_survived() {
    let deep = "(".repeat(20_000);
    for text in [
        format!("pub fn root() {{ m!({deep}{}) }}", ")".repeat(20_000)),
        format!("m! {{ {deep}{} }} pub fn root() {{}}", ")".repeat(20_000)),
        format!("pub fn root() {{}} fn f() {{ {deep}"),
    ] {
        let fixture = Fixture::new("//- /src/lib.rs\n");
        fixture.write("/src/lib.rs", text);
        assert_eq!(fixture.report("app::root").path, "app::root");
    }
}
