//! The command line of `cargo xtask mutate`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::report::{markdown, misses};
use super::trial::{self, Counts};
use crate::oracle::{Tool, projects};

const USAGE: &str = "cargo xtask mutate [NAME..] [--semantic N] [--constants N] [--preserving N] [--seed N] [--work DIR] [--tool PATH] [--markdown FILE]";

/// Entry point of the subcommand: the oracle's projects, all or by name.
pub fn run(args: Vec<String>) -> Result<()> {
    let mut names = Vec::new();
    let mut counts = Counts {
        semantic: 30,
        constants: 5,
        preserving: 20,
    };
    let (mut seed, mut tool, mut markdown_file) = (1, None, None);
    let mut work = std::env::temp_dir().join("astrocache-mutate");
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if !arg.starts_with('-') {
            names.push(arg);
            continue;
        }
        let value = args
            .next()
            .with_context(|| format!("`{arg}` needs a value\nusage: {USAGE}"))?;
        let number = || {
            value
                .parse::<usize>()
                .with_context(|| format!("`{arg}` needs a number, not `{value}`"))
        };
        match arg.as_str() {
            "--semantic" => counts.semantic = number()?,
            "--constants" => counts.constants = number()?,
            "--preserving" => counts.preserving = number()?,
            "--seed" => seed = number()? as u64,
            "--work" => work = value.into(),
            "--tool" => tool = Some(PathBuf::from(value)),
            "--markdown" => markdown_file = Some(PathBuf::from(value)),
            _ => bail!("unknown argument `{arg}`\nusage: {USAGE}"),
        }
    }
    let tool = Tool::new(tool)?;
    let mut results = BTreeMap::new();
    for project in projects()
        .iter()
        .filter(|it| names.is_empty() || names.iter().any(|name| name == it.name))
    {
        eprintln!("mutate: {}", project.name);
        let workspace = project.lay(&work)?;
        let target = work.join("target").join(project.name);
        let trials = trial::run(&workspace, &target, &tool, counts, seed);
        results.insert(
            project.name.to_owned(),
            trials.with_context(|| format!("project `{}`", project.name))?,
        );
    }
    ensure!(!results.is_empty(), "no project of that name\nusage: {USAGE}");
    let report = markdown(&results);
    match markdown_file {
        Some(file) => fs::write(&file, &report).with_context(|| format!("cannot write {}", file.display()))?,
        None => print!("{report}"),
    }
    let misses = misses(&results);
    ensure!(
        misses == 0,
        "{misses} edits left the fingerprint of a root that they concern"
    );
    Ok(())
}
