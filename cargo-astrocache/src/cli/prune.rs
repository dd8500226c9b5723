//! `prune`: deletes stored results whose fingerprint the manifest does not list. Needs neither cargo's resolution nor an
//! analysis: the manifest is what was last agreed on.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use astrocache::store::{PrunePlan, PruneReport, Store, StoreError};
use astrocache_manifest::Manifest;
use serde_json::json;

use super::args::{MessageFormat, PruneArgs};
use super::exit::Outcome;
use super::session::unusable_manifest;
use super::ui::{Ui, count};
use crate::project;

pub(super) fn run(args: &PruneArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let root = project::workspace_root(args.manifest_path.as_deref())?;
    let path = root.join(Manifest::FILE_NAME);
    let manifest = unusable_manifest(Manifest::read(path.as_std_path()))?.with_context(|| {
        format!("no `{path}` tells which results are still wanted; run `cargo astrocache update` first")
    })?;
    let store = Store::locate(root.as_std_path())
        .and_then(|path| Store::open(&path))
        .map_err(cannot)?;
    let plan = PrunePlan {
        live: Some(live(&manifest, &store)?),
        dry_run: args.dry_run,
        ..PrunePlan::default()
    };
    let report = store.prune(&plan).map_err(cannot)?;

    if ui.format == MessageFormat::Json {
        ui.json(&json(&report, args.dry_run))?;
    }
    tell(&report, args.dry_run, ui);
    Ok(Outcome::Done)
}

fn cannot(error: StoreError) -> anyhow::Error {
    anyhow!("cannot {error}")
}

/// What the manifest keeps alive. By fingerprint alone, which holds the function's identity: the name in the store is
/// the macro's, and may be spelled differently from the analyzer's.
fn live(manifest: &Manifest, store: &Store) -> anyhow::Result<BTreeSet<(String, [u8; 16])>> {
    let listed: BTreeSet<[u8; 16]> = manifest.roots.iter().map(|root| *root.fingerprint.as_bytes()).collect();
    let entries = store.entries().map_err(cannot)?.into_iter();
    Ok(entries
        .filter(|it| listed.contains(&it.fingerprint))
        .map(|it| (it.function, it.fingerprint))
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
    let results = |n: u64| count(usize::try_from(n).unwrap_or(usize::MAX), "result");
    let (removed, bytes) = report.total();
    for ((_, function), (removed, bytes)) in &report.removed {
        ui.status(
            "Stale",
            format_args!("{function}: {}, {}", results(*removed), size(*bytes)),
        );
    }
    let verb = if dry_run { "Would prune" } else { "Pruned" };
    let kept = format!("kept {}, {}", results(report.kept_entries), size(report.kept_bytes));
    ui.status(verb, format_args!("{}, {}; {kept}", results(removed), size(bytes)));
}

/// `512 B`, `27.4 KiB`, `1.2 GiB`
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(28_058), "27.4 KiB");
        assert_eq!(size(3 << 40), "3.0 TiB");
    }
}
