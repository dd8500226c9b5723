//! What is measured of a workload, in the order in which a day goes.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::measure::{Cost, Tools, cost, least};
use super::workload::{Edit, Workload};
use crate::workspace::cargo;

const REPEATS: usize = 3;
/// What takes longer is not repeated.
const LONG: Duration = Duration::from_secs(30);
/// `check`: fresh, or not.
const CHECKED: [i32; 2] = [0, 1];

/// All measurements of a workload.
pub struct Scenes {
    pub files: usize,
    pub bytes: u64,
    pub hash: Cost,
    pub parse: Cost,
    pub metadata: Cost,
    /// Of one run, not the least of several.
    pub check_cold: Option<Cost>,
    pub check_noop: Option<Cost>,
    pub cold: Cost,
    pub second: Cost,
    pub unchanged: Cost,
    pub comment: Cost,
    pub body: Cost,
    pub signature: Cost,
    pub lock: Cost,
}

/// Measures `workload`; with what cargo itself takes for a check if `is_check_cold`, which takes long.
pub fn measure(tools: &Tools, workload: &Workload, is_check_cold: bool) -> anyhow::Result<Scenes> {
    let base = workload.one.parent().context("a workload without a directory")?;
    let (cache, list) = (base.join("cache"), base.join("files"));
    let check = |dir: &Path| -> anyhow::Result<Cost> {
        let mut command = Command::new(&tools.analyzer);
        command.args(["astrocache", "check", "--offline"]).current_dir(dir);
        command.env("ASTROCACHE_DIR", &cache);
        cost(command, None, &CHECKED)
    };
    let repeated = |before: &dyn Fn(usize) -> anyhow::Result<()>, dir: &Path| -> anyhow::Result<Cost> {
        let mut all = Vec::new();
        for turn in 0..REPEATS {
            before(turn)?;
            all.push(check(dir)?);
            if all.iter().any(|it| it.wall > LONG) {
                break;
            }
        }
        Ok(least(&all))
    };

    let floor = |mode: &str| -> anyhow::Result<Cost> {
        let mut all = Vec::new();
        for _ in 0..REPEATS {
            let mut command = Command::new(&tools.floor);
            command.arg(mode);
            all.push(cost(command, Some(&list), &[0])?);
        }
        Ok(least(&all))
    };
    let mut listing = Command::new(&tools.floor);
    listing
        .arg("list")
        .arg(workload.one.join("Cargo.toml"))
        .stdin(Stdio::null());
    listing.stdout(File::create(&list)?);
    if !listing.status()?.success() {
        bail!("cannot list the files of the workload");
    }
    let names = fs::read_to_string(&list)?;
    let bytes = names
        .lines()
        .filter_map(|name| Some(fs::metadata(name).ok()?.len()))
        .sum();

    let forget_all = |_: usize| match fs::remove_dir_all(&cache) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    };
    let forget_workspaces = |_: usize| {
        for entry in fs::read_dir(cache.join("facts"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("workspace-") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    let edit = |comments, body, items| workload.edit(Edit { comments, body, items });
    let metadata = || -> anyhow::Result<Cost> {
        let mut all = Vec::new();
        for _ in 0..REPEATS {
            let mut command = cargo(&workload.one);
            command.args(["metadata", "--format-version", "1", "--offline"]);
            all.push(cost(command, None, &[0])?);
        }
        Ok(least(&all))
    };

    let (hash, parse) = (floor("hash")?, floor("parse")?);
    let cold = repeated(&forget_all, &workload.one)?;
    let second = repeated(&forget_workspaces, &workload.two)?;
    // Leaves a state, and a second one in which all files have settled.
    check(&workload.one)?;
    check(&workload.one)?;
    let unchanged = repeated(&|_| Ok(()), &workload.one)?;
    let metadata = metadata()?;
    let comment = repeated(&|turn| edit(turn + 1, 1, 0), &workload.one)?;
    let body = repeated(&|turn| edit(0, turn + 2, 0), &workload.one)?;
    let signature = repeated(&|turn| edit(0, 1, turn + 1), &workload.one)?;
    edit(0, 1, 0)?;
    check(&workload.one)?;
    // The version before it came with another pack: only the first bump reads it.
    let bump = |turn: usize| workload.lock((turn + 1) % 2);
    let lock = repeated(&bump, &workload.one)?;
    workload.lock(0)?;

    let cargo_check = || {
        let mut command = cargo(&workload.one);
        command.args(["check", "--workspace", "--offline"]);
        command
            .env("CARGO_TARGET_DIR", base.join("checked"))
            .env("ASTROCACHE", "off");
        cost(command, None, &[0])
    };
    let (mut check_cold, mut check_noop) = (None, None);
    if is_check_cold {
        if base.join("checked").exists() {
            fs::remove_dir_all(base.join("checked"))?;
        }
        check_cold = Some(cargo_check()?);
    }
    if is_check_cold || base.join("checked").exists() {
        cargo_check()?;
        check_noop = Some(least(&[cargo_check()?, cargo_check()?, cargo_check()?]));
    }
    Ok(Scenes {
        files: names.lines().count(),
        bytes,
        hash,
        parse,
        metadata,
        check_cold,
        check_noop,
        cold,
        second,
        unchanged,
        comment,
        body,
        signature,
        lock,
    })
}
