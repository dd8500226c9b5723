//! `cargo xtask bench store [--markdown FILE] [PART..]`: the store beside its peers. The peers are built in a workspace of
//! their own, `xtask/bench-store`, so that no one compiles them by accident; this only starts it.

use std::fs;
use std::process::Stdio;

use anyhow::{Context as _, bail};

use crate::workspace::{cargo, root};

/// Builds and runs the bench; prints its report, or writes it to a file.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    let mut file = None;
    let mut parts = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--markdown" => file = Some(arguments.next().context("--markdown takes a file")?),
            flag if flag.starts_with('-') => bail!("`cargo xtask bench store` has no `{flag}`"),
            _ => parts.push(argument),
        }
    }
    let mut bench = cargo(&root().join("xtask/bench-store"));
    bench
        .args(["run", "--release", "--locked", "--quiet", "--"])
        .args(parts);
    let output = bench.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    let report = String::from_utf8(output.stdout).context("the bench printed something else than text")?;
    if !output.status.success() {
        bail!("the bench failed ({})\n{report}", output.status);
    }
    match file {
        Some(file) => fs::write(&file, report).with_context(|| format!("cannot write {file}")),
        None => {
            print!("{report}");
            Ok(())
        }
    }
}
