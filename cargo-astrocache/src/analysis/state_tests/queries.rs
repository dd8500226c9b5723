//! Which queries each kind of edit takes in a process that begins with the state.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use rustc_hash::FxHashSet;

use super::workspace::Workspace;
use crate::{
    analysis::Analysis,
    db::Db,
    fingerprint::fingerprint,
    project::{PackageId, PackageSource},
    resolve::{UnitId, resolver},
    testing::function,
};

/// The queries that an edit takes in a process that begins with the state.
fn costs(edit: impl FnOnce(&Workspace), expected: Expect) {
    let workspace = Workspace::new();
    workspace.check();
    assert_eq!(workspace.check(), "");
    edit(&workspace);
    expected.assert_eq(&workspace.check());
    assert_eq!(workspace.check(), "", "the state is of the edited workspace");
}

#[test]
fn all_five_roots_are_found() {
    let paths = |it: &Analysis| it.roots.iter().map(|it| it.path.clone()).collect::<Vec<_>>().join(" ");
    let analysis = Workspace::new().scratch();
    expect!["app::data::third app::first app::places::fourth app::second it::in_test"].assert_eq(&paths(&analysis));
    assert!(analysis.diagnostics.is_empty(), "{:?}", analysis.diagnostics);
}

#[test]
fn a_comment_costs_the_facts_of_its_file() {
    costs(
        |it| it.edit("app/src/a.rs", "pub fn", "// Why.\npub fn"),
        expect!["bodies 1 code 1 facts 1 signature 1"],
    );
}

#[test]
fn a_comment_moves_the_root_behind_it() {
    let workspace = Workspace::new();
    let line = |it: &Analysis| it.roots.iter().find(|it| it.path == "app::first").unwrap().line;
    let before = line(&workspace.ask().0);
    workspace.edit("app/src/lib.rs", "mod a;", "// Why.\nmod a;");
    let after = workspace.ask().0;
    assert_eq!(line(&after), before + 1);
    assert_eq!(after, workspace.scratch());
}

#[test]
fn a_body_costs_the_roots_that_reach_it() {
    costs(
        |it| it.edit("app/src/a.rs", "\"X\"", "\"Y\""),
        expect![
            "bodies 6 closure 3 code 1 declarations 6 facts 13 fingerprint 3 found 2 is_readable 20 items 13 loaded 1 mentions 6 registered 1 signature 1 source_of 2 string_literals 2 unit 6 uses 6"
        ],
    );
}

#[test]
fn a_body_that_no_root_reaches_costs_no_root() {
    costs(
        |it| it.edit("app/src/idle.rs", "1", "2"),
        expect!["facts 1 signature 1"],
    );
}

#[test]
fn a_new_item_costs_all_roots() {
    costs(
        |it| it.edit("app/src/a.rs", "pub fn", "fn more() {} pub fn"),
        expect![
            "bodies 11 closure 7 code 10 declarations 7 emitted 1 facts 21 fingerprint 7 found 5 is_readable 21 items 14 loaded 1 mentions 11 opened 1 opened_by 1 registered 1 signature 20 source_of 5 string_literals 2 unit 11 uses 11 words 1"
        ],
    );
}

#[test]
fn a_changed_import_costs_all_roots() {
    costs(
        |it| it.edit("dep/src/lib.rs", "inner::*", "inner::g"),
        expect![
            "bodies 11 closure 7 code 10 declarations 7 emitted 1 facts 21 fingerprint 7 found 5 is_readable 21 items 14 loaded 1 mentions 11 opened 1 opened_by 1 registered 1 signature 20 source_of 5 string_literals 2 unit 11 uses 11 words 1"
        ],
    );
}

#[test]
fn a_new_file_costs_all_roots_where_a_module_waits_for_it() {
    costs(
        |it| it.write("dep/src/inner/mod.rs", ""),
        expect![
            "bodies 11 closure 7 code 10 declarations 7 emitted 1 facts 21 fingerprint 7 found 5 is_readable 21 items 15 loaded 1 mentions 11 opened 1 opened_by 1 registered 1 signature 20 source_of 5 string_literals 2 unit 11 uses 11 words 1"
        ],
    );
    costs(|it| it.write("dep/src/other.rs", "pub fn other() {}"), expect![""]);
}

#[test]
fn a_removed_file_costs_all_roots() {
    costs(
        |it| it.remove("app/src/a.rs"),
        expect![
            "bodies 10 closure 7 code 9 declarations 7 emitted 1 facts 21 fingerprint 7 found 5 is_readable 21 items 13 loaded 1 mentions 10 opened 1 opened_by 1 registered 1 signature 20 source_of 5 string_literals 2 unit 10 uses 10 words 1"
        ],
    );
}

#[test]
fn a_renamed_module_costs_all_roots() {
    let rename = |it: &Workspace| {
        it.remove("app/src/a.rs");
        it.write("app/src/b.rs", "pub fn f() -> u8 { 1 }");
        it.edit("app/src/lib.rs", "mod a;", "mod b;");
    };
    costs(
        rename,
        expect![
            "bodies 11 closure 7 code 10 declarations 7 emitted 1 facts 21 fingerprint 7 found 5 is_readable 21 items 14 loaded 1 mentions 11 opened 1 opened_by 1 registered 1 signature 20 source_of 5 string_literals 2 unit 11 uses 11 words 1"
        ],
    );
}

#[test]
fn data_costs_the_roots_that_include_it() {
    costs(
        |it| it.write("app/text.txt", "other"),
        expect![
            "bodies 5 closure 3 declarations 6 emitted 1 facts 13 fingerprint 3 found 1 is_readable 20 items 13 loaded 1 mentions 5 opened 1 opened_by 1 registered 1 source_of 1 string_literals 2 unit 5 uses 5 words 1"
        ],
    );
}

#[test]
fn a_test_that_gets_its_first_cached_function_is_searched() {
    let workspace = Workspace::new();
    workspace.write("app/tests/it.rs", "fn idle() {}\n");
    workspace.check();
    assert_eq!(workspace.ask().0.roots.len(), 4);
    workspace.write("app/tests/it.rs", "#[cached::cached] fn in_test() -> u8 { 1 }\n");
    workspace.check();
    assert_eq!(workspace.ask().0.roots.len(), 5);
}

#[test]
fn a_feature_and_a_bump_in_the_lock_file_cost_a_whole_run() {
    for edit in [0, 1] {
        let mut workspace = Workspace::new();
        workspace.check();
        let project = &mut workspace.fixture.project;
        match edit {
            0 => drop(project.member_features.entry(PackageId(0)).or_default()),
            _ => {
                let pinned = project.packages.iter_mut().find(|it| it.name == "pinned").unwrap();
                let pin = "beef".to_owned();
                pinned.source = PackageSource::Locked { pin };
                workspace.write("pinned/src/lib.rs", "pub fn p() -> u8 { 2 }\n");
            }
        }
        let queries = workspace.check();
        assert!(
            queries.contains("fingerprint") && queries.contains("declarations"),
            "{queries}"
        );
        assert_eq!(workspace.check(), "");
    }
}

/// Every file whose body or text a root alone asks for is among its reads: else an edit there would be passed over.
#[test]
fn a_root_has_read_what_its_queries_ran_for() {
    let workspace = Workspace::new();
    for name in ["app::first", "app::second", "app::data::third", "app::places::fourth"] {
        let (db, salsa) = workspace.fixture.open();
        let root = function(&db, salsa, name);
        db.executed();
        let printed = fingerprint(&db, salsa, root);
        let world = resolver(&db, salsa);
        let ran = db.executed();
        let files = |units: &BTreeSet<UnitId>| {
            let files = units
                .iter()
                .map(|&(krate, unit)| world.map(krate).unwrap().units[unit as usize].file);
            files.collect::<FxHashSet<_>>().len()
        };
        let times = |query: &str| ran.get(query).copied().unwrap_or_default();
        assert_eq!(times("bodies"), files(&printed.reads.code), "{name}");
        assert!(times("string_literals") <= files(&printed.reads.texts), "{name}");
        assert_eq!(db.files().blobs().len(), printed.reads.data.len(), "{name}");
    }
}
