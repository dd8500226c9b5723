//! Verdicts against fingerprints: each case's tree before and after each edit, through whatever gives fingerprints.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::parse::{Case, Edit, Verdict};
use super::tree::Tree;

/// How one verdict came out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// As the page says.
    Right,
    /// *changes*, but the fingerprint stayed: a stale answer.
    Stale,
    /// *stays*, but the fingerprint changed.
    Unstable,
    /// *costs*, and the fingerprint did change: allowed, counted.
    Imprecise,
    /// No fingerprint to be had, or not the same twice.
    Broken(String),
}

/// A verdict that did not come out right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// Page and line of the edit.
    pub place: String,
    /// The case's heading.
    pub case: String,
    /// The edit's heading.
    pub edit: String,
    /// What the page says.
    pub expected: Verdict,
    /// What happened.
    pub got: Outcome,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let got = match &self.got {
            Outcome::Right => "right",
            Outcome::Stale => "STALE: the fingerprint stayed",
            Outcome::Unstable => "UNSTABLE: the fingerprint changed",
            Outcome::Imprecise => "imprecise: the fingerprint changed",
            Outcome::Broken(why) => {
                return write!(f, "{} {} / {}: BROKEN: {why}", self.place, self.case, self.edit);
            }
        };
        write!(
            f,
            "{} {} / {}: {}, got {got}",
            self.place, self.case, self.edit, self.expected
        )
    }
}

/// All verdicts of a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// (right, all) for each verdict.
    pub counts: BTreeMap<Verdict, (usize, usize)>,
    /// What was not right, in page order; *costs* that did cost are in here as `Imprecise`.
    pub failures: Vec<Failure>,
}

impl Tally {
    /// The failures that no page allows: all but `Imprecise`.
    pub fn forbidden(&self) -> Vec<&Failure> {
        self.failures
            .iter()
            .filter(|failure| failure.got != Outcome::Imprecise)
            .collect()
    }

    fn add(&mut self, failure: Failure) {
        let (right, all) = self.counts.entry(failure.expected).or_default();
        *all += 1;
        match failure.got {
            Outcome::Right => *right += 1,
            _ => self.failures.push(failure),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self
            .counts
            .iter()
            .map(|(verdict, (right, all))| format!("{verdict} {right}/{all}"));
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// Asks `fingerprint` (a tree's directory and a root's path) about every tree, on `threads` threads. Trees are laid below
/// `work`, which must be empty; each case's tree is also laid at a second, deeper place, where nothing may differ.
pub fn judge<F>(cases: &[Case], work: &Path, threads: usize, fingerprint: F) -> Tally
where
    F: Fn(&Path, &str) -> Result<String, String> + Sync,
{
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(i) else { break };
                    let outcomes = judge_case(case, &work.join(format!("case-{i}")), &fingerprint);
                    results
                        .lock()
                        .expect("nothing panics under the lock")
                        .push((i, outcomes));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("nothing panics under the lock");
    results.sort_by_key(|(i, _)| *i);
    let mut tally = Tally::default();
    results
        .into_iter()
        .flat_map(|(_, outcomes)| outcomes)
        .for_each(|failure| tally.add(failure));
    tally
}

fn judge_case<F>(case: &Case, work: &Path, fingerprint: &F) -> Vec<Failure>
where
    F: Fn(&Path, &str) -> Result<String, String>,
{
    let at = |tree: &Tree, dir: &str| {
        let dir = work.join(dir);
        tree.write_to(&dir).map_err(|error| error.to_string())?;
        fingerprint(&dir, &case.root)
    };
    let base = at(&Tree::base(case), "tree").and_then(|first| {
        let second = at(&Tree::base(case), "elsewhere/and/deeper")?;
        if first == second {
            Ok(first)
        } else {
            Err("another directory gives another fingerprint".to_owned())
        }
    });
    let outcome = |edit: &Edit| {
        let tree = Tree::edited(case, edit).map_err(|error| error.to_string())?;
        Ok(base.clone()? != at(&tree, "tree")?)
    };
    let of_edit = |edit: &Edit| {
        let got = match (outcome(edit), edit.verdict) {
            (Err(why), _) => Outcome::Broken(why),
            (Ok(true), Verdict::Changes) | (Ok(false), Verdict::Stays | Verdict::Costs) => Outcome::Right,
            (Ok(false), Verdict::Changes) => Outcome::Stale,
            (Ok(true), Verdict::Stays) => Outcome::Unstable,
            (Ok(true), Verdict::Costs) => Outcome::Imprecise,
        };
        let place = format!("{}:{}", case.page, edit.line);
        Failure {
            place,
            case: case.title.clone(),
            edit: edit.title.clone(),
            expected: edit.verdict,
            got,
        }
    };
    case.edits.iter().map(of_edit).collect()
}
