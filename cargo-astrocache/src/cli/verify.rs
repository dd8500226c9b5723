//! `verify`: reads every file of the store, removes what is damaged, and says so.

use astrocache::store::{Store, VerifyReport};
use serde_json::json;

use super::args::{MessageFormat, StoreArgs};
use super::exit::Outcome;
use super::ui::{Ui, count};
use super::{progress, store};
use crate::project;

pub(super) fn run(args: &StoreArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let root = project::workspace_root(args.manifest_path.as_deref())?;
    let store = store::open(&root)?;
    let progress = ui.progress(progress::of_store);
    let report = store.verify().map_err(store::cannot)?;
    drop(progress);

    if ui.format == MessageFormat::Json {
        ui.json(&json(&store, &report))?;
    }
    tell(&store, &report, ui);
    Ok(match report.is_clean() {
        true => Outcome::Done,
        false => Outcome::Findings,
    })
}

fn json(store: &Store, report: &VerifyReport) -> serde_json::Value {
    let paths = |paths: &[std::path::PathBuf]| -> Vec<String> {
        paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    };
    json!({
        "store": store.path().to_string_lossy(),
        "results": report.good,
        "removed": paths(&report.removed),
        "dropped_records": report.dropped_records,
        "left": paths(&report.left),
        "catalogue_renewed": report.catalogue_renewed,
    })
}

fn tell(store: &Store, report: &VerifyReport, ui: &Ui) {
    let inside = |path: &std::path::Path| {
        path.strip_prefix(store.path())
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    };
    for path in &report.removed {
        ui.finding("Removed", None, format_args!("`{}`: no whole result", inside(path)));
    }
    if report.dropped_records > 0 {
        let records = usize::try_from(report.dropped_records).unwrap_or(usize::MAX);
        ui.finding("Removed", None, count(records, "damaged small result"));
    }
    for path in &report.left {
        ui.finding(
            "Left",
            None,
            format_args!(
                "`{}`: a folder where a result belongs, and it is not empty",
                inside(path)
            ),
        );
    }
    if report.catalogue_renewed {
        ui.status("Repaired", "catalogue: it was damaged; uses are counted anew");
    }
    let path = store.path().display();
    let good = usize::try_from(report.good).unwrap_or(usize::MAX);
    ui.status("Verified", format_args!("{} in `{path}`", count(good, "whole result")));
}
