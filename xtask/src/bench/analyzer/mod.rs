//! `cargo xtask bench analyzer [--markdown FILE] [--cold-check] [WORKLOAD..]`: what the command costs beside cargo and
//! beside what no analysis can do without, on workloads of its own, all in one run.

mod measure;
mod report;
mod scenes;
mod workload;

use anyhow::{Context as _, bail};

use measure::Tools;
use workload::{Kind, Workload};

/// Measures the named workloads, or `small` and `this`: `large` fetches hundreds of packages, and has to be named. Prints the tables, or writes them to a file.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    let mut file = None;
    let mut is_check_cold = false;
    let mut kinds = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--markdown" => file = Some(arguments.next().context("--markdown takes a file")?),
            "--cold-check" => is_check_cold = true,
            flag if flag.starts_with('-') => bail!("`cargo xtask bench analyzer` has no `{flag}`"),
            name => kinds.push(Kind::named(name)?),
        }
    }
    if kinds.is_empty() {
        kinds.extend([Kind::Small, Kind::This]);
    }
    let tools = Tools::build()?;
    let mut out = report::intro(is_check_cold, &kinds);
    for kind in kinds {
        eprintln!("{}: preparing", kind.name());
        let workload = Workload::prepare(kind)?;
        eprintln!("{}: measuring", kind.name());
        let scenes = scenes::measure(&tools, &workload, is_check_cold)?;
        out.push_str(&report::table(&workload, &scenes));
    }
    super::publish(&out, file)
}
