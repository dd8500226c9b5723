//! `explain`: the closure of one function, grouped by package, each definition with the way from the function to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::json;

use super::args::{MessageFormat, ProjectArgs};
use super::exit::Outcome;
use super::session::{Access, Session};
use super::ui::{Place, Ui, bold, count};
use crate::analysis::{ClosureItem, Request, RootReport, Roots};

pub(super) fn run(function: &str, project: &ProjectArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let request = Request {
        roots: Roots::Named(vec![function.to_owned()]),
        explain: true,
    };
    let session = Session::open(project, Access::Read, &request, ui)?;
    let root = session
        .analysis
        .roots
        .first()
        .context("the analysis gave no answer for this function")?;
    if ui.format == MessageFormat::Json {
        ui.json(&json(&session, root))?;
    } else {
        ui.stdout(&human(&session, root))?;
    }
    Ok(Outcome::Done)
}

fn json(session: &Session, root: &RootReport) -> serde_json::Value {
    let path_of = |at: usize| root.definitions.get(at).map(|it| it.path.as_str());
    let definitions: Vec<_> = root
        .definitions
        .iter()
        .map(|it| {
            json!({
                "path": it.path,
                "kind": it.kind.to_string(),
                "package": it.package,
                "file": session.relative(it.file.as_str()),
                "line": it.line,
                "rule": it.rule.to_string(),
                "via": it.via.and_then(path_of),
            })
        })
        .collect();
    let notes: Vec<_> = root
        .findings
        .iter()
        .map(|it| json!({ "kind": it.kind, "name": it.name, "file": session.relative(&it.file.to_string_lossy()), "line": it.line }))
        .collect();
    json!({
        "root": root.path,
        "fingerprint": root.fingerprint.to_string(),
        "definitions": definitions,
        "notes": notes,
    })
}

fn human(session: &Session, root: &RootReport) -> String {
    let mut by_package: BTreeMap<&str, Vec<&ClosureItem>> = BTreeMap::new();
    for item in &root.definitions {
        by_package.entry(&item.package).or_default().push(item);
    }
    let mut out = String::new();
    let place = Place {
        file: root.file.as_str(),
        line: root.line,
    };
    let _ = writeln!(out, "{}  {place}", bold(&root.path));
    let _ = writeln!(
        out,
        "can run {} of {}; fingerprint {}",
        count(root.definitions.len(), "definition"),
        count(by_package.len(), "package"),
        root.fingerprint
    );
    // The function's own package first, then the others by name.
    let own = by_package.remove_entry(root.package.as_str());
    for (package, items) in own.into_iter().chain(by_package) {
        package_lines(&mut out, session, root, package, &items);
    }
    note_lines(&mut out, session, root);
    out
}

fn package_lines(out: &mut String, session: &Session, root: &RootReport, package: &str, items: &[&ClosureItem]) {
    let _ = writeln!(out, "\n{} {}", bold(package), count(items.len(), "definition"));
    for item in items {
        let place = Place {
            file: session.relative(item.file.as_str()),
            line: item.line,
        };
        let _ = writeln!(out, "  {} {}  {place}", item.kind, item.path);
        if item.via.is_some() {
            let _ = writeln!(out, "      from {} ({})", way(root, item), item.rule);
        }
    }
}

/// `render > Document::parse > slug`: from the root to what leads to `item`.
fn way(root: &RootReport, item: &ClosureItem) -> String {
    let mut steps = Vec::new();
    let mut at = item.via;
    while let Some(step) = at.and_then(|at| root.definitions.get(at)) {
        steps.push(short(&step.path));
        // A chain longer than the closure would go in circles.
        at = step.via.filter(|_| steps.len() <= root.definitions.len());
    }
    steps.reverse();
    steps.join(" > ")
}

/// The last two segments of a path whose first of them is a type, else the last one.
fn short(path: &str) -> &str {
    let mut ends = path.rmatch_indices("::").map(|(at, _)| at + 2);
    let last = ends.next().unwrap_or(0);
    let before = ends.next().unwrap_or(0);
    let is_type = path[before..].starts_with(|it: char| it.is_uppercase() || it == '<');
    &path[if is_type { before } else { last }..]
}

fn note_lines(out: &mut String, session: &Session, root: &RootReport) {
    if root.findings.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{} what the fingerprint cannot see", bold("notes"));
    for finding in &root.findings {
        let file = finding.file.to_string_lossy();
        let place = Place {
            file: session.relative(&file),
            line: finding.line,
        };
        let _ = writeln!(out, "  {}: {}  {place}", finding.kind, finding.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_by_its_method_with_the_type_or_by_its_function() {
        assert_eq!(short("app::page::render"), "render");
        assert_eq!(short("app::Page::render"), "Page::render");
        assert_eq!(short("main"), "main");
    }
}
