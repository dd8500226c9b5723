//! `clear`: deletes the store of the workspace, and asks nothing: everything in it can be computed again.

use serde_json::json;

use super::args::{MessageFormat, StoreArgs};
use super::exit::Outcome;
use super::progress;
use super::store::{self, results, size};
use super::ui::Ui;
use crate::project;

pub(super) fn run(args: &StoreArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let root = project::workspace_root(args.manifest_path.as_deref())?;
    let store = store::open(&root)?;
    let progress = ui.progress(progress::of_store);
    let report = store.clear().map_err(store::cannot)?;
    drop(progress);
    if ui.format == MessageFormat::Json {
        ui.json(&json!({
            "store": store.path().to_string_lossy(),
            "removed": report.entries,
            "removed_bytes": report.bytes,
        }))?;
    }
    let path = store.path().display();
    ui.status(
        "Cleared",
        format_args!("{}, {} in `{path}`", results(report.entries), size(report.bytes)),
    );
    Ok(Outcome::Done)
}
