//! Which queries each kind of edit takes in a living database, and what is told of it.

use std::{fmt::Write, fs};

use expect_test::{Expect, expect};

use super::workspace::{Workspace, timeless};
use crate::{
    analysis::{Live, Update},
    project::{PackageId, PackageSource},
};

/// A workspace and its database, after the first answer.
struct Open {
    workspace: Workspace,
    live: Live,
}

impl Open {
    fn new() -> Open {
        let workspace = Workspace::new();
        let live = Live::open(&workspace.fixture.project, workspace.places.clone()).unwrap();
        live.executed();
        Open { workspace, live }
    }

    /// Asserts that the answer is that of a new process. Returns the queries and what is told.
    fn ask(&mut self) -> String {
        let update = self.live.update(Some(&self.workspace.fixture.project)).unwrap();
        let executed = self.live.executed().into_iter();
        let queries: Vec<String> = executed.map(|(query, times)| format!("{query} {times}")).collect();
        let scratch = self.workspace.scratch();
        assert_eq!(timeless(self.live.analysis().clone()), scratch);
        let told = update.map_or("nothing changed".to_owned(), |it| told(&it));
        let told = told.replace(self.workspace.fixture.root.as_str(), "");
        assert!(self.live.update(None).unwrap().is_none());
        format!("{}\n{told}", queries.join(" "))
    }

    /// A file's place relative to the fixture.
    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.workspace.write(path, content);
    }
}

/// `app::first: app::a::f changed a.rs:1`
fn told(update: &Update) -> String {
    let names = update.files.iter().map(|it| it.file_name().unwrap());
    let mut out = names.collect::<Vec<_>>().join(" ");
    for root in &update.roots {
        let kind = match (root.was, root.now) {
            (None, _) => " new",
            (_, None) => " gone",
            _ => "",
        };
        let _ = write!(out, "\n{}:{kind}", root.report.path);
        for it in &root.why {
            let line = if it.line == 0 {
                String::new()
            } else {
                format!(":{}", it.line)
            };
            let _ = write!(out, " {} {} {}{line},", it.what, it.kind, it.file);
        }
    }
    out.replace(",\n", "\n").trim_end_matches(',').to_owned()
}

fn costs(edit: impl FnOnce(&mut Workspace), expected: Expect) {
    let mut open = Open::new();
    edit(&mut open.workspace);
    expected.assert_eq(&open.ask());
}

#[test]
fn nothing_costs_nothing() {
    costs(
        |_| {},
        expect![[r#"

        nothing changed"#]],
    );
    costs(
        |it| it.edit("app/src/a.rs", "pub fn", "pub fn"),
        expect![[r#"

        nothing changed"#]],
    );
}

#[test]
fn a_comment_runs_the_facts_of_its_file_and_moves_what_stands_behind_it() {
    costs(
        |it| it.edit("app/src/idle.rs", "pub fn", "// Why.\npub fn"),
        expect![[r#"
            facts 1 is_readable 1 items 1
            idle.rs"#]],
    );
    costs(
        |it| it.edit("app/src/a.rs", "pub fn", "// Why.\npub fn"),
        expect![[r#"
            bodies 1 facts 1 is_readable 1 items 1
            a.rs"#]],
    );
}

#[test]
fn a_body_with_another_name_in_it_runs_the_closures_that_reach_it() {
    costs(
        |it| it.edit("app/src/a.rs", "\"X\"", "stringify!(X)"),
        expect![[r#"
            bodies 1 closure 2 facts 1 fingerprint 2 found 2 is_readable 1 items 1 mentions 1 unit 1 uses 1
            a.rs
            app::first: app::a::f changed src/a.rs:1
            it::in_test: app::a::f changed src/a.rs:1"#]],
    );
}

#[test]
fn a_body_runs_the_roots_that_reach_it() {
    costs(
        |it| it.edit("app/src/a.rs", "\"X\"", "\"Y\""),
        expect![[r#"
            bodies 1 facts 1 fingerprint 2 found 2 is_readable 1 items 1 mentions 1 unit 1
            a.rs
            app::first: app::a::f changed src/a.rs:1
            it::in_test: app::a::f changed src/a.rs:1"#]],
    );
    costs(
        |it| it.edit("app/src/idle.rs", "1", "2"),
        expect![[r#"
        facts 1 is_readable 1 items 1
        idle.rs"#]],
    );
}

#[test]
fn a_new_item_declares_its_crate_anew() {
    costs(
        |it| it.edit("app/src/a.rs", "pub fn", "fn more() {} pub fn"),
        expect![[r#"
            bodies 1 closure 7 declarations 1 emitted 1 facts 1 fingerprint 7 found 5 is_readable 1 items 1 loaded 1 mentions 1 opened 1 opened_by 1 registered 1 unit 11 uses 11
            a.rs"#]],
    );
}

#[test]
fn a_changed_import_connects_the_crates_anew() {
    costs(
        |it| it.edit("dep/src/lib.rs", "inner::*", "inner::g"),
        expect![[r#"
            closure 7 declarations 1 emitted 1 facts 1 fingerprint 7 found 5 is_readable 1 items 1 loaded 1 opened 1 opened_by 1 registered 1 unit 11 uses 11
            lib.rs"#]],
    );
}

#[test]
fn a_new_file_counts_where_a_module_waits_for_it() {
    costs(
        |it| it.write("dep/src/other.rs", "pub fn other() {}"),
        expect![[r#"

        nothing changed"#]],
    );
    let mut open = Open::new();
    open.workspace.edit("app/src/lib.rs", "mod a;", "mod a; mod late;");
    expect![[r#"
        bodies 1 closure 7 declarations 1 emitted 1 facts 1 fingerprint 7 found 5 is_readable 3 items 1 loaded 1 opened 1 opened_by 1 registered 1 source_of 2 unit 11 uses 11
        lib.rs"#]].assert_eq(&open.ask());
    open.write("app/src/late.rs", "#[cached::cached] pub fn late() {}");
    expect![[r#"
        bodies 1 closure 8 declarations 1 emitted 1 facts 1 fingerprint 8 found 6 is_readable 1 items 1 loaded 1 mentions 1 opened 1 opened_by 1 registered 1 source_of 1 unit 12 uses 12 words 1
        late.rs
        app::late::late: new"#]].assert_eq(&open.ask());
}

#[test]
fn a_removed_file_takes_its_module_away() {
    costs(
        |it| it.remove("app/src/a.rs"),
        expect![[r#"
            closure 7 declarations 1 emitted 1 fingerprint 7 found 5 is_readable 1 loaded 1 opened 1 opened_by 1 registered 1 unit 10 uses 10 words 1
            a.rs
            app::first: app::a::f gone src/a.rs, app::first changed src/lib.rs:6
            it::in_test: app::a::f gone src/a.rs, app::first changed src/lib.rs:6"#]],
    );
}

#[test]
fn a_renamed_module_is_another_one() {
    let rename = |it: &mut Workspace| {
        it.remove("app/src/a.rs");
        it.write("app/src/b.rs", "pub fn f() -> u8 { 1 }");
        it.edit("app/src/lib.rs", "mod a;", "mod b;");
        it.edit("app/src/lib.rs", "a::f()", "b::f()");
    };
    costs(
        rename,
        expect![[r#"
            bodies 2 closure 7 declarations 1 emitted 1 facts 2 fingerprint 7 found 5 is_readable 3 items 2 loaded 1 mentions 2 opened 1 opened_by 1 registered 1 source_of 2 unit 11 uses 11
            a.rs lib.rs
            app::first: app::first changed src/lib.rs:6, app::a::f gone src/a.rs, app::b::f new src/b.rs:1
            it::in_test: app::first changed src/lib.rs:6, app::a::f gone src/a.rs, app::b::f new src/b.rs:1"#]],
    );
}

#[test]
fn data_runs_the_roots_that_include_it() {
    costs(
        |it| it.write("app/text.txt", "other"),
        expect![[r#"
        fingerprint 1
        text.txt
        app::data::third: the included file `../text.txt` of package `app` changed "#]],
    );
    costs(
        |it| it.write("app/inputs/new.txt", "new"),
        expect![[r#"
            fingerprint 5
            inputs
            app::data::third: build input `inputs` of package `app` changed 
            app::first: build input `inputs` of package `app` changed 
            app::places::fourth: build input `inputs` of package `app` changed 
            app::second: build input `inputs` of package `app` changed 
            it::in_test: build input `inputs` of package `app` changed "#]],
    );
}

#[test]
fn a_feature_reads_no_file_again() {
    let feature = |it: &mut Workspace| {
        let id = PackageId(
            it.fixture
                .project
                .packages
                .iter()
                .position(|it| it.name == "app")
                .unwrap() as u32,
        );
        let features = it
            .fixture
            .project
            .member_features
            .entry(id)
            .or_default()
            .entry(id)
            .or_default();
        features.insert("x".to_owned());
    };
    costs(
        feature,
        expect![[r#"
            closure 7 declarations 7 emitted 1 fingerprint 7 found 5 loaded 1 opened 1 opened_by 1 registered 1 unit 11 uses 11
        "#]],
    );
}

#[test]
fn a_bump_in_the_lock_file_reads_the_files_of_its_package() {
    let bump = |it: &mut Workspace| {
        let packages = &mut it.fixture.project.packages;
        let pinned = packages.iter_mut().find(|it| it.name == "pinned").unwrap();
        let pin = "beef".to_owned();
        pinned.source = PackageSource::Locked { pin };
        it.write("pinned/src/lib.rs", "pub fn p() -> u8 { 2 }\n");
    };
    costs(
        bump,
        expect![[r#"
            bodies 1 closure 7 declarations 7 emitted 1 facts 1 fingerprint 7 found 5 is_readable 1 items 1 loaded 1 mentions 1 opened 1 opened_by 1 registered 1 unit 11 uses 11

            app::second: pinned::p changed /pinned/src/lib.rs:1"#]],
    );
}

#[test]
fn a_package_that_is_no_longer_pinned_is_under_the_users_hands() {
    let mut open = Open::new();
    let set = |it: &mut Workspace, source| {
        let packages = &mut it.fixture.project.packages;
        packages.iter_mut().find(|it| it.name == "pinned").unwrap().source = source;
    };
    open.workspace.edit("pinned/src/lib.rs", "1", "2");
    assert!(
        open.live.update(None).unwrap().is_none(),
        "pinned files are not looked at"
    );
    set(&mut open.workspace, PackageSource::Path);
    expect![[r#"
        bodies 1 closure 7 declarations 7 emitted 1 facts 1 fingerprint 7 found 5 is_readable 1 items 1 loaded 1 mentions 1 opened 1 opened_by 1 registered 1 unit 11 uses 11
        lib.rs
        app::second: pinned::p changed /pinned/src/lib.rs:1"#]]
    .assert_eq(&open.ask());
    open.workspace.edit("pinned/src/lib.rs", "2", "3");
    expect![[r#"
        bodies 1 facts 1 fingerprint 1 found 1 is_readable 1 items 1 mentions 1 unit 1
        lib.rs
        app::second: pinned::p changed /pinned/src/lib.rs:1"#]]
    .assert_eq(&open.ask());
}

#[test]
fn a_file_that_cannot_be_read_is_told_until_it_is_of_no_concern() {
    let mut open = Open::new();
    open.write("app/src/a.rs", b"pub fn f() {}\n\xff\n");
    open.ask();
    assert_eq!(open.live.analysis().diagnostics.len(), 1);
    open.workspace.edit("app/src/lib.rs", "mod a;", "");
    open.ask();
    assert_eq!(open.live.analysis().diagnostics, []);
    open.workspace.edit("app/src/lib.rs", "mod data;", "mod data; mod a;");
    open.write("app/src/a.rs", "pub fn f() {");
    open.ask();
    assert_eq!(open.live.analysis().diagnostics.len(), 1, "does not parse");
    open.write(
        "app/src/a.rs",
        "pub fn f() -> u8 { std::env::var(\"X\").len() as u8 }\n",
    );
    open.ask();
    assert_eq!(open.live.analysis().diagnostics, []);
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let mut open = Open::new();
    crate::source::settle();
    open.live.update(None).unwrap();
    let path = open.workspace.fixture.root.join("app/src/a.rs");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    open.workspace.edit("app/src/a.rs", "\"X\"", "\"Y\"");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(open.live.update(None).unwrap().unwrap().roots.len(), 2);
}

/// Inputs live as long as the database: one that knows of many files that are gone starts over.
#[test]
fn whatever_comes_and_goes_the_database_stays_small() {
    let mut open = Open::new();
    for round in 0..20 {
        let mods: String = (0..100).map(|at| format!("mod m{round}_{at};\n")).collect();
        open.write("app/src/idle.rs", format!("pub fn idle() -> u8 {{ 1 }}\n{mods}"));
        open.ask();
        assert!(open.live.inputs() < 2000, "round {round}: {}", open.live.inputs());
    }
}
