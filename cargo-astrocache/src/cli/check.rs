//! `check`: does the manifest fit the source? Writes nothing.

use std::collections::BTreeSet;

use astrocache_manifest::Manifest;
use serde_json::json;

use super::args::{MessageFormat, PackageArgs, ProjectArgs};
use super::exit::Outcome;
use super::freshness::{Entry, Standing, compare, manifest_head, platforms};
use super::session::{Access, Session, unusable_manifest};
use super::ui::{Place, Ui, count};

pub(super) fn run(project: &ProjectArgs, packages: &PackageArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let session = Session::open(project, Access::Read, &Session::annotated(), ui)?;
    let selected = session.selection(packages)?;
    let manifest = unusable_manifest(session.read_manifest())?;
    if let Some(manifest) = manifest.as_ref().filter(|it| it.platforms != session.project.platforms) {
        return other_platforms(&session, manifest, ui);
    }
    let mut entries = compare(manifest.as_ref(), &session.analysis.roots);
    entries.retain(|entry| selected(package(entry)));

    let stale = entries.iter().filter(|it| it.standing != Standing::Fresh).count();
    let head = manifest_head(&session.project);
    let same_packages = manifest.as_ref().is_none_or(|it| it.packages == head.packages);
    let fresh = stale == 0 && same_packages;
    if ui.format == MessageFormat::Json {
        ui.json(&json(&session, &entries, fresh))?;
    }
    match stale {
        _ if fresh => tell_fresh(&session, &entries, ui),
        0 => {
            let what = "the local packages or their features are not those in Astrocache.lock";
            ui.finding("Stale", None, what);
            ui.help("run `cargo astrocache update` and commit Astrocache.lock");
        }
        _ => tell_stale(&entries, stale, manifest.is_some(), ui),
    }
    Ok(if fresh { Outcome::Done } else { Outcome::Findings })
}

/// Fingerprints for other platforms say nothing of these: one finding instead of one for each function.
fn other_platforms(session: &Session, manifest: &Manifest, ui: &Ui) -> anyhow::Result<Outcome> {
    let (theirs, ours) = (&manifest.platforms, &session.project.platforms);
    if ui.format == MessageFormat::Json {
        ui.json(&json!({
            "fresh": false,
            "platforms": ours,
            "manifest_platforms": theirs,
            "roots": [],
            "diagnostics": session.diagnostics_json(),
        }))?;
    }
    ui.finding(
        "Stale",
        None,
        format_args!(
            "Astrocache.lock is for {}, and this check is for {}",
            platforms(theirs),
            platforms(ours)
        ),
    );
    let both: BTreeSet<&String> = theirs.iter().chain(ours).collect();
    let both: Vec<&String> = both.into_iter().collect();
    match both.len() == ours.len() {
        true => ui.help("run `cargo astrocache update` and commit Astrocache.lock"),
        false => ui.help(format_args!(
            "list `platforms = {both:?}` in [workspace.metadata.astrocache] of Cargo.toml, so that all machines agree, and run `cargo astrocache update`"
        )),
    }
    Ok(Outcome::Findings)
}

fn package<'a>(entry: &Entry<'a>) -> &'a str {
    entry
        .now
        .map(|it| it.package.as_str())
        .or(entry.was.map(|it| it.package.as_str()))
        .unwrap_or_default()
}

fn tell_fresh(session: &Session, entries: &[Entry<'_>], ui: &Ui) {
    ui.status("Fresh", session.summary(entries.len()));
    if session.analysis.roots.is_empty() {
        ui.help("mark a function with `#[astrocache::cached]` to have its results kept");
    }
}

fn tell_stale(entries: &[Entry<'_>], stale: usize, has_manifest: bool, ui: &Ui) {
    for entry in entries {
        tell(entry, ui);
    }
    let of = count(entries.len(), "cached function");
    if has_manifest {
        ui.finding(
            "Stale",
            None,
            format_args!("{stale} of {of} do not fit Astrocache.lock"),
        );
    } else {
        ui.finding("Stale", None, format_args!("{of} and no Astrocache.lock"));
    }
    ui.help("run `cargo astrocache update` and commit Astrocache.lock");
}

fn tell(entry: &Entry<'_>, ui: &Ui) {
    let verb = match entry.standing {
        Standing::Fresh => return ui.detail("Fresh", entry.path()),
        Standing::New => "New",
        Standing::Changed => "Changed",
        Standing::Gone => "Gone",
    };
    let place = match (entry.now, entry.was) {
        (Some(now), _) => Place {
            file: now.file.as_str(),
            line: now.line,
        },
        (None, Some(was)) => Place {
            file: &was.file,
            line: 0,
        },
        (None, None) => return,
    };
    ui.finding(verb, Some(place), format_args!("{}: {}", entry.path(), entry.reason));
}

fn json(session: &Session, entries: &[Entry<'_>], fresh: bool) -> serde_json::Value {
    let stats = &session.analysis.stats;
    let roots: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "path": entry.path(),
                "package": package(entry),
                "target": entry.now.map(|it| &it.target).or(entry.was.map(|it| &it.target)),
                "file": entry.now.map(|it| it.file.as_str()).or(entry.was.map(|it| it.file.as_str())),
                "line": entry.now.map(|it| it.line),
                "status": entry.standing,
                "reason": entry.reason,
                "fingerprint": entry.now.map(|it| it.fingerprint.to_string()),
                "manifest_fingerprint": entry.was.map(|it| it.fingerprint.to_string()),
            })
        })
        .collect();
    json!({
        "fresh": fresh,
        "roots": roots,
        "stats": { "packages": stats.packages, "files": stats.files },
        "diagnostics": session.diagnostics_json(),
    })
}
