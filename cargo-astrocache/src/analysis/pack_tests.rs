//! Facts packs in whole runs: the same answers with and without them, whatever has become of them.

use std::{fs, path::PathBuf};

use super::{Analysis, Request, Roots, run_at};
use crate::{db::PackPlaces, project::PackageSource, testing::Fixture};

/// A workspace `app` and a package `dep` that its lock file pins.
fn fixture() -> Fixture {
    Fixture::new(
        "//- /app/src/lib.rs crate:app deps:dep
mod own;
pub fn root() -> u8 { own::f() + dep::g() }
//- /app/src/own.rs
pub fn f() -> u8 { 1 }
//- /dep/src/lib.rs crate:dep pinned
mod inner;
pub use inner::g;
macro_rules! all { () => { pub fn made() -> u8 { 3 } } }
all!();
//- /dep/src/inner/mod.rs
pub fn g() -> u8 { super::made() + 2 }
",
    )
}

fn places(fixture: &Fixture) -> PackPlaces {
    let root = fixture.root.join("packs");
    PackPlaces {
        shared: Some(root.join("shared").into()),
        own: Some(root.join("own.pack").into()),
    }
}

fn analyze(fixture: &Fixture, places: &PackPlaces) -> Analysis {
    let request = Request {
        roots: Roots::Named(vec!["app::root".to_owned()]),
        explain: false,
    };
    run_at(&fixture.project, &request, &places.clone().into()).unwrap()
}

fn fingerprint(analysis: &Analysis) -> String {
    assert!(analysis.diagnostics.is_empty(), "{:?}", analysis.diagnostics);
    analysis.roots[0].fingerprint.to_string()
}

/// The answer, when nothing is wrong.
fn answer(fixture: &Fixture, places: &PackPlaces) -> String {
    let analysis = analyze(fixture, places);
    assert!(analysis.notices.is_empty(), "{:?}", analysis.notices);
    fingerprint(&analysis)
}

/// Both packs.
fn packs(places: &PackPlaces) -> Vec<PathBuf> {
    let shared = fs::read_dir(places.shared.as_ref().unwrap()).unwrap();
    let shared = shared
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "pack"));
    let all: Vec<PathBuf> = shared.chain(places.own.clone()).collect();
    assert_eq!(all.len(), 2);
    all
}

#[test]
fn answers_are_equal_without_packs_with_new_and_with_old_ones() {
    let fixture = fixture();
    let places = places(&fixture);
    let without = answer(&fixture, &PackPlaces::default());
    assert_eq!(answer(&fixture, &places), without);
    packs(&places);
    assert_eq!(answer(&fixture, &places), without);
}

#[test]
fn nothing_of_a_pinned_package_is_read_again() {
    let fixture = fixture();
    let places = places(&fixture);
    let before = answer(&fixture, &places);
    fs::remove_dir_all(fixture.root.join("dep")).unwrap();
    assert_eq!(answer(&fixture, &places), before);
}

#[test]
fn an_edit_in_the_workspace_is_seen_and_undone() {
    let fixture = fixture();
    let places = places(&fixture);
    let before = answer(&fixture, &places);
    fixture.write("app/src/own.rs", "pub fn f() -> u8 { 2 }\n");
    let edited = answer(&fixture, &places);
    assert_ne!(edited, before);
    assert_eq!(edited, answer(&fixture, &PackPlaces::default()));
    fixture.write("app/src/own.rs", "pub fn f() -> u8 { 1 }\n");
    assert_eq!(answer(&fixture, &places), before);
}

#[test]
fn a_package_under_the_users_hands_is_read_whatever_the_lock_file_says() {
    let mut fixture = fixture();
    fixture.project.workspace_root = fixture.root.clone();
    let places = places(&fixture);
    let before = answer(&fixture, &places);
    fixture.write("dep/src/inner/mod.rs", "pub fn g() -> u8 { super::made() + 9 }\n");
    assert_ne!(answer(&fixture, &places), before);
}

#[test]
fn another_pin_is_another_pack() {
    let mut fixture = fixture();
    let places = places(&fixture);
    let before = answer(&fixture, &places);
    fixture.write("dep/src/inner/mod.rs", "pub fn g() -> u8 { super::made() + 9 }\n");
    for package in &mut fixture.project.packages {
        if let PackageSource::Locked { pin } = &mut package.source {
            "beef".clone_into(pin);
        }
    }
    let after = answer(&fixture, &places);
    assert_ne!(after, before);
    assert_eq!(after, answer(&fixture, &PackPlaces::default()));
}

#[test]
fn damaged_packs_cost_a_line_and_are_made_anew() {
    let fixture = fixture();
    let places = places(&fixture);
    let expected = answer(&fixture, &places);
    for pack in packs(&places) {
        let whole = fs::read(&pack).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            let damaged = if at % 2 == 0 { flipped } else { whole[..at].to_vec() };
            fs::write(&pack, damaged).unwrap();
            let analysis = analyze(&fixture, &places);
            assert_eq!(fingerprint(&analysis), expected, "byte {at}");
            assert!(analysis.notices.len() <= 1, "{:?}", analysis.notices);
            fs::write(&pack, &whole).unwrap();
        }
        fs::write(&pack, b"").unwrap();
        assert_eq!(analyze(&fixture, &places).notices.len(), 1);
        assert_eq!(answer(&fixture, &places), expected);
        assert_eq!(fs::read(&pack).unwrap(), whole, "packs are deterministic");
    }
}

#[test]
fn a_damaged_part_is_repaired() {
    let fixture = fixture();
    let places = places(&fixture);
    let expected = answer(&fixture, &places);
    let pack = places.own.clone().unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&pack, bytes).unwrap();
    let analysis = analyze(&fixture, &places);
    assert_eq!(fingerprint(&analysis), expected);
    // The run after it may have to read a source again; then all is as it was.
    assert_eq!(fingerprint(&analyze(&fixture, &places)), expected);
    assert_eq!(answer(&fixture, &places), expected);
}

#[test]
fn a_place_that_cannot_be_written_costs_one_line() {
    let fixture = fixture();
    let expected = answer(&fixture, &PackPlaces::default());
    fixture.write("taken", "a file where a directory should be");
    let taken = fixture.root.join("taken");
    let places = PackPlaces {
        shared: Some(taken.join("shared").into()),
        own: Some(taken.join("own.pack").into()),
    };
    for _ in 0..2 {
        let analysis = analyze(&fixture, &places);
        assert_eq!(fingerprint(&analysis), expected);
        assert_eq!(analysis.notices.len(), 1);
    }
}

#[test]
fn a_hundred_thousand_parentheses_and_a_link_to_itself_end() {
    let fixture = Fixture::new("//- /src/lib.rs\nmod deep;\nmod link;\npub fn root() -> u8 { deep::f() }\n");
    let (open, close) = ("(".repeat(100_000), ")".repeat(100_000));
    fixture.write("src/deep.rs", format!("pub fn f() -> u8 {{ {open}1{close} }}"));
    #[cfg(unix)]
    std::os::unix::fs::symlink("link.rs", fixture.root.join("src/link.rs")).unwrap();
    let places = places(&fixture);
    let first = analyze(&fixture, &places).roots[0].fingerprint;
    assert_eq!(analyze(&fixture, &places).roots[0].fingerprint, first);
}
