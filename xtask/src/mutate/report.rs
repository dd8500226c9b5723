//! The trials as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::trial::{Group, Record, Trials};

/// The table, the misses, and what was changed for nothing.
pub fn markdown(projects: &BTreeMap<String, Trials>) -> String {
    let mut out = String::from(
        "| project | recall, functions | precision, functions | recall, constants | precision, constants | stability |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut total: Vec<&Record> = Vec::new();
    for (project, trials) in projects {
        let records: Vec<&Record> = trials.records.iter().collect();
        row(&mut out, project, &records);
        total.extend(records);
    }
    row(&mut out, "all", &total);
    for (project, trials) in projects {
        details(&mut out, project, trials);
    }
    out
}

/// Misses of all projects: edits that concern a root and left its fingerprint.
pub fn misses(projects: &BTreeMap<String, Trials>) -> usize {
    projects
        .values()
        .flat_map(|trials| &trials.records)
        .filter(|record| record.concerns && !record.changed)
        .count()
}

fn row(out: &mut String, project: &str, records: &[&Record]) {
    let recall = |group| share(records.iter().filter(|r| r.group == group && r.concerns), |r| r.changed);
    let calm = |group| {
        share(records.iter().filter(|r| r.group == group && !r.concerns), |r| {
            !r.changed
        })
    };
    let _ = writeln!(
        out,
        "| {project} | {} | {} | {} | {} | {} |",
        recall(Group::Semantic),
        calm(Group::Semantic),
        recall(Group::Constant),
        calm(Group::Constant),
        calm(Group::Preserving)
    );
}

/// `right/all (percent)`.
fn share<'r>(records: impl Iterator<Item = &'r &'r Record>, right: impl Fn(&Record) -> bool) -> String {
    let (mut hits, mut all) = (0_usize, 0_usize);
    for record in records {
        all += 1;
        hits += usize::from(right(record));
    }
    match all {
        0 => "-".to_owned(),
        _ => format!("{hits}/{all} ({:.1} %)", 100.0 * hits as f64 / all as f64),
    }
}

fn details(out: &mut String, project: &str, trials: &Trials) {
    let list = |out: &mut String, title: &str, wrong: Vec<&Record>| {
        if wrong.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{title} in {project}:\n");
        for record in wrong {
            let _ = writeln!(out, "- {}, root `{}`", record.what, record.root);
        }
    };
    let all = || trials.records.iter();
    list(out, "Missed", all().filter(|r| r.concerns && !r.changed).collect());
    list(
        out,
        "Not stable",
        all().filter(|r| r.group == Group::Preserving && r.changed).collect(),
    );
    for (why, n) in &trials.skipped {
        let _ = writeln!(out, "\n{n} edits of {project} were not tried: {why}.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_counted_and_listed() {
        let record = |group, concerns, changed| Record {
            group,
            what: "w".into(),
            root: "r".into(),
            concerns,
            changed,
        };
        let records = vec![
            record(Group::Semantic, true, true),
            record(Group::Semantic, true, false),
            record(Group::Semantic, false, false),
            record(Group::Preserving, false, true),
        ];
        let projects = BTreeMap::from([(
            "p".to_owned(),
            Trials {
                records,
                skipped: BTreeMap::new(),
            },
        )]);
        assert_eq!(misses(&projects), 1);
        let text = markdown(&projects);
        assert!(
            text.contains("| p | 1/2 (50.0 %) | 1/1 (100.0 %) | - | - | 0/1 (0.0 %) |"),
            "{text}"
        );
        assert!(text.contains("Missed in p:\n\n- w, root `r`") && text.contains("Not stable in p:"));
    }
}
