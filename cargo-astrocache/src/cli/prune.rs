//! `prune`: deletes stored results that nobody asks for any more: neither the manifest nor the source as it is now.

use std::collections::BTreeSet;

use anyhow::bail;
use astrocache::store::{Entry, PrunePlan, PruneReport};
use astrocache_manifest::Manifest;
use camino::Utf8Path;
use serde_json::json;

use super::args::{MessageFormat, PruneArgs};
use super::branches;
use super::exit::Outcome;
use super::progress;
use super::session::{Access, Session, unusable_manifest};
use super::store::{self, results, size};
use super::ui::{Ui, count};
use crate::project;

pub(super) fn run(args: &PruneArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let root = project::workspace_root(args.project.manifest_path())?;
    let path = root.join(Manifest::FILE_NAME);
    let manifest = unusable_manifest(Manifest::read(path.as_std_path()))?;
    let store = store::open(&root)?;
    let entries = store.entries().map_err(store::cannot)?;
    let plan = PrunePlan {
        functions: selected(args, &entries, manifest.as_ref())?,
        packages: args.packages.packages.clone(),
        live: match &manifest {
            _ if args.all => None,
            Some(manifest) => Some(live(args, &root, manifest, ui)?),
            None if args.older_than.is_none() && args.max_size.is_none() => {
                bail!("no `{path}` tells which results are still wanted; run `cargo astrocache update` first")
            }
            None => {
                ui.warning(
                    None,
                    format_args!("no `{path}`: results are judged by their age and size alone"),
                );
                None
            }
        },
        keep_versions: args.keep_versions.unwrap_or(0),
        older_than: args.older_than,
        max_size: args.max_size,
        all: args.all,
        dry_run: args.dry_run,
    };
    let progress = ui.progress(progress::of_store);
    let report = store.prune(&plan).map_err(store::cannot)?;
    drop(progress);

    if ui.format == MessageFormat::Json {
        ui.json(&json(&report, args.dry_run))?;
    }
    tell(&report, args.dry_run, ui);
    Ok(Outcome::Done)
}

/// The functions that were named; all if none was. Names that nobody knows are refused, the packages' too.
fn selected(args: &PruneArgs, entries: &[Entry], manifest: Option<&Manifest>) -> anyhow::Result<Vec<String>> {
    let roots = || manifest.iter().flat_map(|it| &it.roots);
    let packages = roots().map(|root| root.package.as_str());
    let packages = packages.chain(entries.iter().map(|entry| entry.package.as_str()));
    store::check_packages(&args.packages.packages, &packages.collect())?;
    let functions = roots().map(|root| root.path.as_str());
    let functions = functions.chain(entries.iter().map(|entry| entry.function.as_str()));
    store::full_paths(&args.functions, &functions.collect())
}

/// The fingerprints that are still wanted. A fingerprint holds its function's identity, so names do not matter: the
/// macro's spelling of one may differ from the analyzer's.
fn live(args: &PruneArgs, root: &Utf8Path, manifest: &Manifest, ui: &Ui) -> anyhow::Result<BTreeSet<[u8; 16]>> {
    let branches = match args.keep_branches {
        true => branches::manifests(root)?,
        false => Vec::new(),
    };
    if args.keep_branches {
        ui.detail(
            "Keeping",
            format_args!("{} of the branches", count(branches.len(), "manifest")),
        );
    }
    // What was edited or added since the last `update` has results, too.
    let session = Session::open(&args.project, Access::Read, &Session::annotated(), ui)?;
    let listed = branches.iter().chain([manifest]).flat_map(|it| &it.roots);
    Ok(listed
        .map(|root| &root.fingerprint)
        .chain(session.analysis.roots.iter().map(|root| &root.fingerprint))
        .map(|fingerprint| *fingerprint.as_bytes())
        .collect())
}

fn json(report: &PruneReport, dry_run: bool) -> serde_json::Value {
    let (removed, bytes) = report.total();
    let functions: Vec<_> = report
        .removed
        .iter()
        .map(|((package, path), (removed, bytes))| {
            json!({ "package": package, "path": path, "removed": removed, "bytes": bytes })
        })
        .collect();
    json!({
        "dry_run": dry_run,
        "removed": removed,
        "removed_bytes": bytes,
        "kept": report.kept_entries,
        "kept_bytes": report.kept_bytes,
        "functions": functions,
    })
}

fn tell(report: &PruneReport, dry_run: bool, ui: &Ui) {
    let (each, all) = match dry_run {
        true => ("Would remove", "Would prune"),
        false => ("Removed", "Pruned"),
    };
    for ((_, function), (removed, bytes)) in &report.removed {
        ui.status(
            each,
            format_args!("{function}: {}, {}", results(*removed), size(*bytes)),
        );
    }
    let (removed, bytes) = report.total();
    let kept = format!("kept {}, {}", results(report.kept_entries), size(report.kept_bytes));
    ui.status(all, format_args!("{}, {}; {kept}", results(removed), size(bytes)));
}
