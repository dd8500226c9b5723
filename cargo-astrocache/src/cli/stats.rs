//! `stats`: what is stored, and what it was good for.

use anyhow::Result;
use astrocache::store::{FunctionStats, Stats, Store};
use serde_json::json;

use super::args::{MessageFormat, PackageArgs, StoreArgs};
use super::exit::Outcome;
use super::progress;
use super::store::{self, results, size, time};
use super::ui::Ui;
use crate::project;

const COLUMNS: [&str; 6] = ["function", "results", "size", "hits", "misses", "saved"];

type Row<'a> = (&'a (String, String), &'a FunctionStats);

pub(super) fn run(args: &StoreArgs, packages: &PackageArgs, ui: &Ui) -> Result<Outcome> {
    let root = project::workspace_root(args.manifest_path.as_deref())?;
    let store = store::open(&root)?;
    let progress = ui.progress(progress::of_store);
    let stats = store.stats().map_err(store::cannot)?;
    drop(progress);
    let known = stats.functions.keys().map(|(package, _)| package.as_str()).collect();
    store::check_packages(&packages.packages, &known)?;
    let selected = |package: &String| packages.packages.is_empty() || packages.packages.contains(package);
    let rows: Vec<Row<'_>> = stats
        .functions
        .iter()
        .filter(|((package, _), _)| selected(package))
        .collect();

    if stats.calls_unknown {
        ui.warning(
            None,
            "hits and misses are not known: the catalogue is in use, or cannot be written",
        );
    }
    if ui.format == MessageFormat::Json {
        ui.json(&json(&store, &stats, &rows))?;
    } else {
        ui.stdout(&table(&rows))?;
    }
    let path = store.path().display();
    ui.status(
        "Store",
        format_args!("{}, {} on disk in `{path}`", results(stats.entries), size(stats.bytes)),
    );
    Ok(Outcome::Done)
}

fn json(store: &Store, stats: &Stats, rows: &[Row<'_>]) -> serde_json::Value {
    let functions: Vec<_> = rows
        .iter()
        .map(|((package, path), of)| {
            json!({
                "package": package,
                "path": path,
                "results": of.entries,
                "bytes": of.bytes,
                "hits": of.hits,
                "misses": of.misses,
                "saved_ns": of.saved_ns,
            })
        })
        .collect();
    json!({
        "store": store.path().to_string_lossy(),
        "results": stats.entries,
        "bytes": stats.bytes,
        "calls_known": !stats.calls_unknown,
        "functions": functions,
    })
}

/// A line for each function, and one for all.
fn table(rows: &[Row<'_>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |name: &str, of: &FunctionStats| {
        [
            name.to_owned(),
            of.entries.to_string(),
            size(of.bytes),
            of.hits.to_string(),
            of.misses.to_string(),
            time(of.saved_ns),
        ]
    };
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(rows.iter().map(|((_, path), of)| line(path, of)));
    lines.push(line("all", &sum(rows)));
    let width = |column: usize| lines.iter().map(|it| it[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let pad = |line: &[String; 6]| {
        let numbers = line.iter().zip(&widths).skip(1);
        let numbers: String = numbers.map(|(cell, width)| format!("  {cell:>width$}")).collect();
        format!("{:width$}{numbers}\n", line[0], width = widths[0])
    };
    lines.iter().map(pad).collect()
}

fn sum(rows: &[Row<'_>]) -> FunctionStats {
    rows.iter()
        .fold(FunctionStats::default(), |sum, (_, of)| FunctionStats {
            entries: sum.entries + of.entries,
            bytes: sum.bytes + of.bytes,
            hits: sum.hits + of.hits,
            misses: sum.misses + of.misses,
            saved_ns: sum.saved_ns.saturating_add(of.saved_ns),
        })
}
