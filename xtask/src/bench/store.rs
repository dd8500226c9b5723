//! `cargo xtask bench store [--markdown FILE] [PART..]`: the store beside its peers, and what it survives. The peers are
//! built in a workspace of their own, `xtask/bench-store`, so that no one compiles them by accident; this only starts it,
//! and the fault tests of the runtime for longer than `cargo test` does.

use std::env;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail};

use crate::workspace::{cargo, root};

/// The part that is not the bench's own.
const FAULTS: &str = "faults";

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
    let whole = parts.is_empty();
    let with_faults = whole || parts.iter().any(|part| part == FAULTS);
    parts.retain(|part| part != FAULTS);
    let mut report = heading();
    if whole || !parts.is_empty() {
        report += &bench(&parts)?;
    }
    if with_faults {
        report += &faults()?;
    }
    super::publish(&report, file)
}

fn heading() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "# The store beside its peers\n\n\
         Made by `cargo xtask bench store --markdown docs/store.md`, here on {} with {cores} cores. Times vary from machine to\n\
         machine and from hour to hour: ratios within one run are what to read. Every peer keeps `u64 -> Vec<u8>`, promises no\n\
         more than to survive a kill, and every value read is compared. Ours is the whole cached call, with key, codec and\n\
         checks, and so is `cached`; the engines are measured bare.\n",
        env::consts::OS
    )
}

fn bench(parts: &[String]) -> anyhow::Result<String> {
    let mut bench = cargo(&root().join("xtask/bench-store"));
    bench
        .args(["run", "--release", "--locked", "--quiet", "--"])
        .args(parts);
    printed(bench)
}

/// The kill test for 45 seconds, and the damage test: what they counted. They fail on a lost or wrong value.
fn faults() -> anyhow::Result<String> {
    let mut tests = cargo(&root());
    tests
        .args([
            "test",
            "--release",
            "--quiet",
            "-p",
            "astrocache-runtime",
            "--test",
            "faults",
        ])
        .args([
            "--target-dir",
            "xtask/bench-store/target",
            "--",
            "--nocapture",
            "--test-threads=1",
        ])
        .args(["killed_processes", "damaged_and_foreign"])
        .env("ASTRO_FAULT_SECONDS", "45");
    let said = printed(tests)?;
    let counted = |word: &str| {
        let line = said.lines().find(|line| line.contains(word));
        // The test runner puts its dots before it.
        line.map(|line| line.trim_start_matches(|it: char| !it.is_ascii_digit()))
            .with_context(|| format!("the fault tests did not count: {said}"))
    };
    Ok(format!(
        "\n### Faults\n\n\
         - Eight processes that store and read, one after the other killed with `kill -9`: {}, 0 wrong.\n\
         - Bits flipped, files cut, zeroed, replaced by others, by links, by folders, by pipes: {}.\n",
        counted(" acknowledged, ")?,
        counted(" damages, ")?
    ))
}

fn printed(mut command: Command) -> anyhow::Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let report = String::from_utf8(output.stdout).context("it printed something else than text")?;
    if !output.status.success() {
        bail!("the measurement failed ({})\n{report}", output.status);
    }
    Ok(report)
}
