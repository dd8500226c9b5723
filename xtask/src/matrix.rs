//! `cargo xtask matrix`: the staleness matrix, and with `--verify-with-rustc` the proof that its verdicts are true.
//!
//! Without flags it runs the matrix test. With `--command` another program gives the fingerprints: `{dir}` and `{root}` are
//! filled in, and what it prints is the fingerprint. With `--verify-with-rustc` it builds every tree of every case and runs the root on
//! small numbers before and after each edit: every tree must compile, *changes* must be seen (unless the page says
//! "unseen"), *stays* and *costs* must not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use pages::{Case, Edit, Tree, Verdict, judge, load};

// The same source, not a dependency: `astrocache-tests` is built on the whole product, and this must run without it.
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../../tests/src/matrix/mod.rs"]
mod pages;

const USAGE: &str = "cargo xtask matrix [--verify-with-rustc | --command TEMPLATE] [--case WORDS] [--threads N]";
const OBSERVER: &str = "examples/astrocache_observer.rs";

/// Entry point of the subcommand.
pub fn run(args: Vec<String>) -> Result<()> {
    let mut verify = false;
    let mut wanted = String::new();
    let mut threads = 2;
    let mut command = None;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || {
            args.next()
                .with_context(|| format!("`{arg}` needs a value\nusage: {USAGE}"))
        };
        match arg.as_str() {
            "--verify-with-rustc" => verify = true,
            "--command" => command = Some(value()?),
            "--case" => wanted = value()?.to_lowercase(),
            "--threads" => threads = value()?.parse().context("`--threads` needs a number")?,
            _ => bail!("unknown argument `{arg}`\nusage: {USAGE}"),
        }
    }
    if !verify && command.is_none() {
        ensure!(
            wanted.is_empty(),
            "`--case` goes with `--verify-with-rustc` or `--command`\nusage: {USAGE}"
        );
        return judge_with_the_test();
    }
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/matrix");
    let cases = load(&dir).map_err(|flaws| {
        let flaws: Vec<String> = flaws.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the pages of {} have mistakes:\n{}", dir.display(), flaws.join("\n"))
    })?;
    let cases: Vec<Case> = cases
        .into_iter()
        .filter(|case| case.title.to_lowercase().contains(&wanted))
        .collect();
    ensure!(!cases.is_empty(), "no case has `{wanted}` in its title");
    match command {
        Some(template) => judge_with(&template, &cases, threads),
        None => verify_all(&cases, threads),
    }
}

fn judge_with(template: &str, cases: &[Case], threads: usize) -> Result<()> {
    let work = tempfile::tempdir().context("cannot make a working directory")?;
    let tally = judge(cases, work.path(), threads, |dir, root| printed(template, dir, root));
    for failure in &tally.failures {
        println!("{failure}");
    }
    println!("{tally}");
    ensure!(tally.forbidden().is_empty(), "the matrix has verdicts that do not hold");
    Ok(())
}

/// What the command prints for a tree.
fn printed(template: &str, dir: &Path, root: &str) -> Result<String, String> {
    let filled = template
        .replace("{dir}", &dir.to_string_lossy())
        .replace("{root}", root);
    let mut words = filled.split_whitespace();
    let program = words.next().ok_or("the command is empty")?;
    let mut command = Command::new(program);
    command.args(words).current_dir(dir).stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn judge_with_the_test() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "test",
            "-p",
            "astrocache-tests",
            "--test",
            "matrix",
            "--",
            "--nocapture",
        ])
        .stdin(Stdio::null())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the matrix has verdicts that do not hold (see above)");
    Ok(())
}

fn verify_all(cases: &[Case], threads: usize) -> Result<()> {
    let work = tempfile::tempdir().context("cannot make a working directory")?;
    let next = AtomicUsize::new(0);
    let flaws = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..threads.max(1) {
            let target = work.path().join(format!("target-{thread}"));
            let (next, flaws, work) = (&next, &flaws, work.path());
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(i) else { break };
                    let found = verify_case(case, &work.join(format!("case-{i}")), &target);
                    flaws
                        .lock()
                        .expect("nothing panics under the lock")
                        .extend(found.into_iter().map(|flaw| (i, flaw)));
                }
            });
        }
    });
    let mut flaws = flaws.into_inner().expect("nothing panics under the lock");
    flaws.sort();
    let verdicts: usize = cases.iter().map(|case| case.edits.len()).sum();
    println!("{} cases, {verdicts} verdicts, {} not true", cases.len(), flaws.len());
    for (_, flaw) in &flaws {
        println!("{flaw}");
    }
    ensure!(flaws.is_empty(), "rustc disagrees with the matrix");
    Ok(())
}

fn verify_case(case: &Case, dir: &Path, target: &Path) -> Vec<String> {
    let observe = |tree: Tree| observe(tree, dir, target).map_err(|error| format!("{error:#}"));
    let base = match observe(Tree::base(case)) {
        Ok(base) => base,
        Err(error) => return vec![format!("{} {}: {error}", case.page, case.title)],
    };
    let of_edit = |edit: &Edit| {
        let after = Tree::edited(case, edit)
            .map_err(|error| error.to_string())
            .and_then(observe);
        let what = match after {
            Ok(after) => contradiction(edit, base != after)?.to_owned(),
            Err(error) => error,
        };
        Some(format!(
            "{}:{} {} / {}: {what}",
            case.page, edit.line, case.title, edit.title
        ))
    };
    let flaws = case.edits.iter().filter_map(of_edit).collect();
    // Not cleaned up is only disk space, and the whole directory goes at the end.
    let _ = fs::remove_dir_all(dir);
    flaws
}

fn contradiction(edit: &Edit, seen: bool) -> Option<&'static str> {
    let unseen = edit.title.ends_with("(unseen)");
    match (edit.verdict, seen) {
        (Verdict::Changes, false) if !unseen => Some("the root returns the same; is it \"(unseen)\"?"),
        (Verdict::Changes, true) if unseen => Some("the root does return something else; it is not \"(unseen)\""),
        (Verdict::Stays | Verdict::Costs, true) => Some("the root returns something else"),
        _ => None,
    }
}

/// What the root returns for small numbers in this tree.
fn observe(mut tree: Tree, dir: &Path, target: &Path) -> Result<String> {
    let package = if tree.files.contains_key("case/src/lib.rs") {
        "case/"
    } else {
        ""
    };
    let lib = tree
        .files
        .get(&format!("{package}src/lib.rs"))
        .context("the case has no src/lib.rs")?;
    let observed = if lib.contains("pub fn observe(") {
        "observe"
    } else {
        "root"
    };
    let main = format!("fn main() {{ for x in 0..8 {{ println!(\"{{}}\", case::{observed}(x)); }} }}\n");
    tree.files.insert(format!("{package}{OBSERVER}"), main);
    tree.write_to(dir)?;
    let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let output = Command::new(cargo)
        .args([
            "run",
            "--quiet",
            "--offline",
            "--package",
            "case",
            "--example",
            "astrocache_observer",
        ])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("does not build or run:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
