//! `cargo xtask bench AREA`: measurements, each area beside its peers in one run: absolute times vary from machine to
//! machine and from hour to hour, so ratios are what to read.

mod analyzer;
mod macros;
mod store;
mod watch;

use std::fs;

use anyhow::{Context as _, bail};

/// Measures one area.
pub fn run(mut arguments: Vec<String>) -> anyhow::Result<()> {
    if arguments.is_empty() {
        bail!("name what to measure: analyzer, macro, store, watch");
    }
    match arguments.remove(0).as_str() {
        "analyzer" => analyzer::run(arguments),
        "macro" => macros::run(arguments),
        "store" => store::run(arguments),
        "watch" => watch::run(arguments),
        other => bail!("nothing to measure by the name `{other}`; there are analyzer, macro, store and watch"),
    }
}

/// The file that `--markdown FILE` names, of an area that takes no other argument.
fn markdown(area: &str, arguments: Vec<String>) -> anyhow::Result<Option<String>> {
    match arguments.as_slice() {
        [] => Ok(None),
        [flag, file] if flag == "--markdown" => Ok(Some(file.clone())),
        other => bail!(
            "`cargo xtask bench {area}` takes `--markdown FILE`, not `{}`",
            other.join(" ")
        ),
    }
}

/// Writes a report to a file, or else prints it.
fn publish(report: &str, file: Option<String>) -> anyhow::Result<()> {
    match file {
        Some(file) => fs::write(&file, report).with_context(|| format!("cannot write {file}")),
        None => {
            print!("{report}");
            Ok(())
        }
    }
}
