//! What `watch` says: a line for each cached function that an edit invalidates, with the first reason; then one for the edit.

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use crate::analysis::{Change, ChangeKind, RootChange};
use crate::cli::session::Session;
use crate::cli::ui::{Place, Ui, count};

/// An edit and what it came to.
pub(super) struct Edit<'a> {
    pub(super) files: &'a [Utf8PathBuf],
    /// Those of the packages that were asked for.
    pub(super) roots: &'a [&'a RootChange],
    /// How many cached functions there are in these packages.
    pub(super) of: usize,
    /// `Astrocache.lock` was written.
    pub(super) updated: bool,
    pub(super) seconds: f64,
}

pub(super) fn people(session: &Session, edit: &Edit<'_>, ui: &Ui) {
    for root in edit.roots {
        let path = &root.report.path;
        match status(root) {
            "new" => ui.finding("New", None, format_args!("{path} ({})", place(root))),
            "gone" => ui.finding("Gone", None, path),
            _ => ui.finding("Changed", None, format_args!("{path}: {}", reason(root))),
        }
    }
    let files = names(session, edit.files);
    let updated = if edit.updated { ", Astrocache.lock updated" } else { "" };
    let (invalidated, of) = (edit.roots.len(), count(edit.of, "cached function"));
    let seconds = edit.seconds;
    match invalidated {
        0 => ui.status(
            "Fresh",
            format_args!("{files}: nothing invalidated in {seconds:.3}s{updated}"),
        ),
        n => ui.status(
            "Stale",
            format_args!("{files}: {n} of {of} invalidated in {seconds:.3}s{updated}"),
        ),
    }
}

pub(super) fn json(session: &Session, edit: &Edit<'_>) -> Value {
    let files: Vec<&str> = edit.files.iter().map(|it| session.relative(it.as_str())).collect();
    let roots: Vec<Value> = edit.roots.iter().map(|root| root_json(root)).collect();
    json!({
        "reason": "edit",
        "files": files,
        "invalidated": roots,
        "roots": edit.of,
        "updated": edit.updated,
        "diagnostics": session.diagnostics_json(),
        "seconds": edit.seconds,
    })
}

fn root_json(root: &RootChange) -> Value {
    json!({
        "path": root.report.path,
        "package": root.report.package,
        "target": root.report.target,
        "file": root.report.file,
        "line": root.report.line,
        "status": status(root),
        "was": root.was.map(|it| it.to_string()),
        "fingerprint": root.now.map(|it| it.to_string()),
        "changes": root.why.iter().map(change_json).collect::<Vec<_>>(),
    })
}

/// As `explain --since` prints it, too.
pub(in crate::cli) fn change_json(change: &Change) -> Value {
    let place = (!change.file.as_str().is_empty()).then_some(&change.file);
    json!({
        "status": change.kind.to_string(),
        "what": change.what,
        "kind": change.definition.map(|it| it.to_string()),
        "file": place,
        "line": Some(change.line).filter(|line| *line > 0),
    })
}

fn status(root: &RootChange) -> &'static str {
    match (root.was, root.now) {
        (None, _) => "new",
        (_, None) => "gone",
        _ => "changed",
    }
}

fn place(root: &RootChange) -> Place<'_> {
    Place {
        file: root.report.file.as_str(),
        line: root.report.line,
    }
}

/// `words::SEPARATOR changed (words/src/lib.rs:2), and 3 more`
fn reason(root: &RootChange) -> String {
    let Some(first) = root.why.first() else {
        return "its code changed".to_owned();
    };
    let more = match root.why.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more"),
    };
    let is_own = first.what == root.report.path && first.kind == ChangeKind::Changed;
    if is_own {
        return format!("its own code changed ({}){more}", place(root));
    }
    let verb = match first.kind {
        ChangeKind::Changed => "changed",
        ChangeKind::New => "is new",
        ChangeKind::Gone => "is gone",
    };
    let place = Place {
        file: first.file.as_str(),
        line: first.line,
    };
    let place = match first.file.as_str() {
        "" => String::new(),
        _ => format!(" ({place})"),
    };
    format!("{} {verb}{place}{more}", first.what)
}

/// `src/a.rs, src/b.rs and 3 more`
fn names(session: &Session, files: &[Utf8PathBuf]) -> String {
    let shown: Vec<&str> = files.iter().take(3).map(|it| session.relative(it.as_str())).collect();
    match files.len() {
        0 => "what cargo says".to_owned(),
        1..=3 => shown.join(", "),
        n => format!("{} and {} more", shown.join(", "), n - shown.len()),
    }
}
