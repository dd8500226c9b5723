//! The staleness matrix, held against the analyzer. The pages under `tests/matrix` are the specification; their form is
//! explained in `tests/matrix/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, io};

use astrocache_tests::matrix::{Case, Tree, Verdict, judge, load};
use cargo_astrocache::analysis::{self, Request, Roots};
use cargo_astrocache::project::{self, LoadOptions, Project};

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("matrix")
}

fn cases() -> Vec<Case> {
    load(&pages())
        .unwrap_or_else(|flaws| panic!("{}", flaws.iter().map(|flaw| format!("\n{flaw}")).collect::<String>()))
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
        let shows = |case: &&Case| case.edits.iter().any(|edit| verdicts.contains(&edit.verdict));
        cases.iter().filter(shows).flat_map(|case| case.rules.clone()).collect()
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

/// Projects by directory, each with the state of the tree that it was loaded from. Loading one starts cargo several times, and most
/// edits are none of cargo's business.
#[derive(Default)]
struct Projects {
    loaded: Mutex<BTreeMap<PathBuf, (String, Arc<Project>)>>,
}

impl Projects {
    /// Asked in this process: a case is a handful of small files, and starting a program costs more than the analysis.
    fn fingerprint(&self, dir: &Path, root: &str) -> Result<String, String> {
        let project = self.project(dir)?;
        let request = Request {
            roots: Roots::Named(vec![root.to_owned()]),
            explain: false,
        };
        let analysis = analysis::run(&project, &request).map_err(|error| error.to_string())?;
        match analysis.roots.as_slice() {
            [root] => Ok(root.fingerprint.to_string()),
            roots => Err(format!("{} roots are called `{root}`", roots.len())),
        }
    }

    fn project(&self, dir: &Path) -> Result<Arc<Project>, String> {
        let mut state = String::new();
        seen_by_cargo(dir, &mut state).map_err(|error| format!("{}: {error}", dir.display()))?;
        let known = self
            .loaded
            .lock()
            .expect("nothing panics under the lock")
            .get(dir)
            .cloned();
        if let Some((_, project)) = known.filter(|(then, _)| *then == state) {
            return Ok(project);
        }
        let manifest = dir.join("Cargo.toml");
        let manifest = manifest.to_str().ok_or("the directory's name is not UTF-8")?;
        let options = LoadOptions {
            offline: true,
            ..LoadOptions::default()
        };
        let project = project::load(Some(manifest.as_ref()), &options).map_err(|error| error.to_string())?;
        let project = Arc::new(project);
        let entry = (state, project.clone());
        self.loaded
            .lock()
            .expect("nothing panics under the lock")
            .insert(dir.to_owned(), entry);
        Ok(project)
    }
}

/// All that cargo makes a project of: which files there are, and what is in those that are its own.
fn seen_by_cargo(dir: &Path, state: &mut String) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            seen_by_cargo(&path, state)?;
            continue;
        }
        state.push_str(&path.to_string_lossy());
        if ["Cargo.toml", "Cargo.lock", "config.toml"]
            .iter()
            .any(|name| path.ends_with(name))
        {
            state.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[test]
fn every_verdict_holds() {
    let work = tempfile::tempdir().expect("a directory");
    let projects = Projects::default();
    let tally = judge(&cases(), work.path(), 2, |dir, root| projects.fingerprint(dir, root));
    println!("{tally}");
    let forbidden: String = tally.forbidden().iter().map(|failure| format!("\n{failure}")).collect();
    assert!(forbidden.is_empty(), "{tally}{forbidden}");
}
