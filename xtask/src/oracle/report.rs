//! The oracle's results as Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::compare::{Comparison, Sources};

const HEAD: &str = "\
# Closures beside rustc's

Made by `cargo xtask oracle`: functions that rustc reaches from a root, by the LLVM IR of published crates and small drivers over them,
beside the definitions in our closure. *Missing* would be a stale answer; the *ratio* is what is recomputed without need.

";

/// One project's comparisons.
pub struct Part {
    pub project: String,
    pub dir: PathBuf,
    pub comparisons: Vec<Comparison>,
}

impl Comparison {
    fn ratio(&self) -> f64 {
        self.ours.len() as f64 / self.truth.len().max(1) as f64
    }
}

/// The table, and what is missing, if anything is.
pub fn markdown(parts: &[Part], sources: &mut Sources) -> String {
    let mut out = String::from(HEAD);
    out.push_str(
        "| project | root | rustc | closure | ratio | missing | only in vtables |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for part in parts {
        for it in &part.comparisons {
            let _ = writeln!(
                out,
                "| {} | `{}` | {} | {} | {:.2} | {} | {} |",
                part.project,
                it.root,
                it.truth.len(),
                it.ours.len(),
                it.ratio(),
                it.missing.len(),
                it.only_in_vtables
            );
        }
    }
    out.push('\n');
    out.push_str(&summary(parts));
    for part in parts {
        missing(&mut out, part, sources);
    }
    out
}

fn summary(parts: &[Part]) -> String {
    let all: Vec<&Comparison> = parts.iter().flat_map(|part| &part.comparisons).collect();
    let truth: usize = all.iter().map(|it| it.truth.len()).sum();
    let missing: usize = all.iter().map(|it| it.missing.len()).sum();
    let vtables: usize = all.iter().map(|it| it.only_in_vtables).sum();
    let unwritten: usize = all.iter().map(|it| it.unwritten).sum();
    let recall = 100.0 * (truth - vtables - missing) as f64 / (truth - vtables).max(1) as f64;
    let mut ratios: Vec<f64> = all.iter().map(|it| it.ratio()).collect();
    ratios.sort_by(f64::total_cmp);
    format!(
        "{} projects, {} roots, {truth} functions by rustc: {missing} missing (recall {recall:.2} %), {vtables} only in vtables, median size ratio {:.2}. {unwritten} places of derived code stand in no written function and are not counted.\n",
        parts.len(),
        all.len(),
        median(&ratios)
    )
}

/// The middle of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// Each mistake once, whichever roots it shows in.
fn missing(out: &mut String, part: &Part, sources: &mut Sources) {
    let mut first = BTreeMap::new();
    let mut all = BTreeSet::new();
    for it in &part.comparisons {
        all.extend(&it.missing);
        for (key, way) in &it.first_missing {
            first.entry(key).or_insert((&it.root, way));
        }
    }
    if first.is_empty() {
        return;
    }
    let behind = all.len() - first.len();
    let _ = writeln!(out, "\nMissing in {}, and {behind} more behind these:\n", part.project);
    for (key, (root, way)) in first {
        let _ = writeln!(out, "- {}, from `{root}` by {way}", key.describe(&part.dir, sources));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 3.0, 9.0]), 2.5);
    }
}
