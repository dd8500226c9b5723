//! `explain --since REV`: what of the code that a function can run is not as it was in a git revision. That revision's files
//! are written into the cache directory for the time of the analysis; dependencies come from the registry as always.

use std::env;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;
use serde_json::json;

use super::args::{MessageFormat, ProjectArgs};
use super::exit::Outcome;
use super::progress;
use super::ui::{Place, Ui, bold, count};
use super::watch::change_json;
use crate::analysis::{self, Change, ChangeKind, Since};
use crate::project::{self, LoadOptions, Project};
use crate::source::git::GitTree;

pub(super) fn run(function: &str, rev: &str, args: &ProjectArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let progress = ui.progress(progress::of_analysis);
    let now = project::load(args.manifest_path(), &options(args))?;
    let place = astrocache::store::shared_folder("trees").ok().flatten();
    let tree = GitTree::checkout(&now.workspace_root, rev, &place.unwrap_or_else(env::temp_dir))?;
    let then = load_tree(&tree, &now, rev, args)?;
    let (places, notice) = analysis::places(&now);
    let since = analysis::since(&then, &now, &places, function)?;
    drop(progress);
    if let Some(notice) = notice {
        ui.warning(None, notice);
    }
    if ui.format == MessageFormat::Json {
        ui.json(&json(&since, rev, &tree))?;
    } else {
        ui.stdout(&human(&since, rev, &tree))?;
    }
    Ok(Outcome::Done)
}

fn options(args: &ProjectArgs) -> LoadOptions {
    LoadOptions {
        keep_lock: true,
        ..args.load_options()
    }
}

fn load_tree(tree: &GitTree, now: &Project, rev: &str, args: &ProjectArgs) -> anyhow::Result<Project> {
    let manifest = tree.root.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(anyhow!(
            "there is no `Cargo.toml` of this workspace in `{rev}` ({})",
            tree.short()
        ));
    }
    let lock = tree.root.join("Cargo.lock");
    // One that is not in git: the versions of then cannot be known.
    if !lock.exists() && now.workspace_root.join("Cargo.lock").is_file() {
        fs::copy(now.workspace_root.join("Cargo.lock"), &lock).with_context(|| format!("cannot write `{lock}`"))?;
    }
    project::load(Some(Utf8Path::new(&manifest)), &options(args))
        .with_context(|| format!("cannot load the workspace as it was in `{rev}` ({})", tree.short()))
}

fn json(since: &Since, rev: &str, tree: &GitTree) -> serde_json::Value {
    json!({
        "root": since.report.path,
        "fingerprint": since.report.fingerprint.to_string(),
        "since": {
            "rev": rev,
            "commit": tree.commit,
            "fingerprint": since.was.map(|it| it.to_string()),
        },
        "changes": since.changes.iter().map(change_json).collect::<Vec<_>>(),
    })
}

fn human(since: &Since, rev: &str, tree: &GitTree) -> String {
    let report = &since.report;
    let place = Place {
        file: report.file.as_str(),
        line: report.line,
    };
    let mut out = format!("{}  {place}\n", bold(&report.path));
    let then = format!("{rev} ({})", tree.short());
    let _ = match since.was {
        None => writeln!(out, "did not exist in {then}"),
        Some(was) if was == report.fingerprint => {
            writeln!(out, "nothing that it can run differs from {then}; fingerprint {was}")
        }
        Some(was) => writeln!(
            out,
            "{} since {then}; fingerprint {was} became {}",
            count(since.changes.len(), "change"),
            report.fingerprint
        ),
    };
    let is_fact = |it: &&Change| it.definition.is_none();
    for (title, kind) in [
        ("changed", ChangeKind::Changed),
        ("new", ChangeKind::New),
        ("gone", ChangeKind::Gone),
    ] {
        let of_kind = since.changes.iter().filter(|it| it.kind == kind && !is_fact(it));
        lines(&mut out, title, of_kind.collect());
    }
    lines(
        &mut out,
        "changed besides definitions",
        since.changes.iter().filter(is_fact).collect(),
    );
    out
}

fn lines(out: &mut String, title: &str, changes: Vec<&Change>) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", bold(title));
    for it in changes {
        let place = Place {
            file: it.file.as_str(),
            line: it.line,
        };
        let _ = match it.definition {
            Some(kind) => writeln!(out, "  {kind} {}  {place}", it.what),
            None => writeln!(out, "  {}", it.what),
        };
    }
}
