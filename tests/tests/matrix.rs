//! The staleness matrix, held against the analyzer. The pages under `tests/matrix` are the specification; their form is
//! explained in `tests/matrix/README.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use astrocache_tests::matrix::{Case, Tree, Verdict, load};

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("matrix")
}

fn cases() -> Vec<Case> {
    load(&pages()).unwrap_or_else(|flaws| {
        panic!(
            "{}",
            flaws
                .iter()
                .map(|flaw| format!("\n{flaw}"))
                .collect::<String>()
        )
    })
}

#[test]
fn every_edit_fits_its_tree() {
    for case in cases() {
        for edit in &case.edits {
            let edited = Tree::edited(&case, edit);
            assert!(
                edited.is_ok(),
                "{}:{}: {}",
                case.page,
                edit.line,
                edited.expect_err("it is no tree")
            );
        }
    }
}

#[test]
fn every_rule_is_shown_both_ways() {
    let cases = cases();
    let shown = |verdicts: &[Verdict]| -> BTreeSet<u8> {
        let shows = |case: &&Case| {
            case.edits
                .iter()
                .any(|edit| verdicts.contains(&edit.verdict))
        };
        cases
            .iter()
            .filter(shows)
            .flat_map(|case| case.rules.clone())
            .collect()
    };
    let all: BTreeSet<u8> = (1..=15).collect();
    assert_eq!(shown(&[Verdict::Changes]), all);
    assert_eq!(shown(&[Verdict::Stays]), all);
}

#[test]
fn no_two_cases_or_edits_share_a_name() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        assert!(
            seen.insert(case.title.clone()),
            "two cases are called \"{}\"",
            case.title
        );
        for edit in &case.edits {
            let name = format!("{} / {}: {}", case.title, edit.verdict, edit.title);
            assert!(seen.insert(name.clone()), "two edits are called \"{name}\"");
        }
    }
}
