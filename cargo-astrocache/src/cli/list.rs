//! `list`: the cached functions, where they are, and how they stand to the manifest.

use std::fmt::Write as _;

use serde_json::json;

use super::args::{MessageFormat, PackageArgs, ProjectArgs};
use super::exit::Outcome;
use super::freshness::{Entry, Standing, compare};
use super::session::{Access, Session, unusable_manifest};
use super::ui::{Place, Ui};
use crate::analysis::RootReport;

pub(super) fn run(project: &ProjectArgs, packages: &PackageArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let session = Session::open(project, Access::Read, &Session::annotated(), ui)?;
    let selected = session.selection(packages)?;
    let manifest = unusable_manifest(session.read_manifest())?;
    let entries = compare(manifest.as_ref(), &session.analysis.roots);
    let rows: Vec<(&RootReport, &Entry<'_>)> = entries
        .iter()
        .filter_map(|entry| Some((entry.now?, entry)))
        .filter(|(root, _)| selected(&root.package))
        .collect();

    if ui.format == MessageFormat::Json {
        let roots: Vec<_> = rows.iter().map(|(root, entry)| json(root, entry)).collect();
        ui.json(&roots)?;
    } else {
        ui.stdout(&table(&rows))?;
        ui.detail("Listed", session.summary(rows.len()));
    }
    if rows.is_empty() {
        ui.help("no cached functions; mark one with `#[astrocache::cached]`");
    }
    Ok(Outcome::Done)
}

fn json(root: &RootReport, entry: &Entry<'_>) -> serde_json::Value {
    json!({
        "path": root.path,
        "package": root.package,
        "target": root.target,
        "file": root.file,
        "line": root.line,
        "fingerprint": root.fingerprint.to_string(),
        "status": entry.standing,
    })
}

fn table(rows: &[(&RootReport, &Entry<'_>)]) -> String {
    let place = |root: &RootReport| {
        Place {
            file: root.file.as_str(),
            line: root.line,
        }
        .to_string()
    };
    let path_width = rows.iter().map(|(root, _)| root.path.len()).max().unwrap_or(0);
    let place_width = rows.iter().map(|(root, _)| place(root).len()).max().unwrap_or(0);
    let mut out = String::new();
    for (root, entry) in rows {
        let standing = match entry.standing {
            Standing::Fresh => "fresh",
            Standing::New => "new",
            Standing::Changed => "changed",
            Standing::Gone => continue,
        };
        let _ = writeln!(
            out,
            "{:path_width$}  {:place_width$}  {}  {standing}",
            root.path,
            place(root),
            root.fingerprint
        );
    }
    out
}
