//! `cargo xtask bench watch [--markdown FILE]`: from save to answer, on a copy of this workspace with a member that has a cached function: once
//! one that runs little, once one that runs the whole analyzer. Beside it, a new process that answers after the same edit.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::workspace::{cargo, files, root};

const ROUNDS: usize = 15;

/// A file that both cached functions run code of, in its first function.
const FILE: &str = "astrocache-runtime/manifest/src/tokens.rs";

const MANIFEST: &str = r#"[package]
name = "probe"
version = "0.1.0"
edition = "2024"
[dependencies]
astrocache-manifest.workspace = true
astrocache-runtime.workspace = true
cargo-astrocache.workspace = true
"#;

const PROBES: [(&str, &str); 2] = [
    (
        "little",
        "#[astrocache::cached]
pub fn probe(name: String) -> String {
    format!(\"{name} {:?}\", astrocache_manifest::tokens::source_hash([]))
}
",
    ),
    (
        "the analyzer",
        "#[astrocache::cached]
pub fn probe(name: String) -> bool {
    cargo_astrocache::cli::main();
    name.is_empty()
}
",
    ),
];

/// What an edit does to the text of [`FILE`].
type Edit = fn(&str, usize) -> String;

/// Those that change what runs.
const BODY: &str = "body";
const CALL: &str = "body, another call";

const EDITS: [(&str, Edit); 4] = [
    ("comment", |text, round| format!("{text}// {round}\n")),
    (BODY, |text, round| in_first_body(text, &format!("let _ = {round};"))),
    (CALL, |text, round| {
        let call = ["is_some", "is_none"][round % 2];
        in_first_body(text, &format!("let _ = Some({round}).{call}();"))
    }),
    ("new item", |text, round| format!("{text}pub fn made{round}() {{}}\n")),
];

/// From save to answer after an edit of a body, at most.
const BAR: Duration = Duration::from_millis(100);

/// Measures, and prints a report or writes it to a file.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    let file = super::markdown("watch", arguments)?;
    let report = report()?;
    super::publish(&report, file)
}

fn report() -> anyhow::Result<String> {
    let status = cargo(&root())
        .args(["build", "--release", "--quiet", "-p", "cargo-astrocache"])
        .status()?;
    ensure!(status.success(), "cannot build the tool");
    let tool = root().join("target/release/cargo-astrocache");
    let copy = tempfile::tempdir()?;
    let workspace = copy.path().join("workspace");
    copy_workspace(&workspace)?;
    // Facts and state of nobody else's.
    let command = || {
        let mut command = Command::new(&tool);
        command
            .current_dir(&workspace)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        command
            .env("ASTROCACHE_DIR", copy.path().join("cache"))
            .env("CARGO_NET_OFFLINE", "true");
        command
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut table = format!(
        "# From save to answer\n\n\
         Made by `cargo xtask bench watch` on {cores} cores, on this workspace: `watch` runs, a file is saved, the answer is printed.\n\
         {ROUNDS} rounds each, median and slowest; beside it a new process (`list`) after the same edit.\n\n\
         | the function runs | edit | save to answer | slowest | a new process | ratio |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    );
    let mut bars = String::from("\n| bar | measured | at most | |\n| --- | --- | --- | --- |\n");
    let path = workspace.join(FILE);
    let text = fs::read_to_string(&path)?;
    for (what, code) in PROBES {
        fs::write(
            workspace.join("probe/src/lib.rs"),
            format!("//! A cached function.\n{code}"),
        )?;
        let mut watch = Watch::start(command())?;
        for (name, edit) in EDITS {
            let (mut watched, mut fresh) = (Vec::new(), Vec::new());
            for round in 0..ROUNDS {
                let saved = Instant::now();
                fs::write(path.with_extension("tmp"), edit(&text, round))?;
                fs::rename(path.with_extension("tmp"), &path)?;
                let answer = watch.answer()?;
                watched.push(saved.elapsed());
                let invalidated = answer["invalidated"].as_array().map_or(0, Vec::len);
                ensure!(
                    invalidated == usize::from(matches!(name, BODY | CALL)),
                    "{name}: {answer}"
                );
                let started = Instant::now();
                let output = command().args(["list", "--message-format", "json"]).output()?;
                fresh.push(started.elapsed());
                ensure!(output.status.success(), "a new process gave no answer");
                compare(&answer, &output.stdout)?;
            }
            // Back, so that the next edit starts from the same text.
            fs::write(path.with_extension("tmp"), &text)?;
            fs::rename(path.with_extension("tmp"), &path)?;
            watch.answer()?;
            let (median, slowest) = spread(&mut watched);
            let (new, _) = spread(&mut fresh);
            let ratio = median.as_secs_f64() / new.as_secs_f64();
            writeln!(
                table,
                "| {what} | {name} | {} | {} | {} | {ratio:.2} |",
                ms(median),
                ms(slowest),
                ms(new)
            )?;
            if matches!(name, BODY | CALL) {
                let verdict = if median <= BAR { "pass" } else { "miss" };
                writeln!(bars, "| {what}: {name} | {} | {} | {verdict} |", ms(median), ms(BAR))?;
            }
        }
    }
    Ok(table + &bars)
}

/// A process that watches, killed with the value.
struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn start(mut command: Command) -> anyhow::Result<Watch> {
        command
            .args(["watch", "--quiet", "--message-format", "json"])
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the tool")?;
        let stdout = child.stdout.take().context("the tool has no stdout")?;
        let mut watch = Watch {
            child,
            lines: BufReader::new(stdout),
        };
        let line = watch.line()?;
        ensure!(line["roots"] == 1, "{line}");
        Ok(watch)
    }

    fn line(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        ensure!(self.lines.read_line(&mut line)? > 0, "`watch` ended");
        Ok(serde_json::from_str(&line)?)
    }

    fn answer(&mut self) -> anyhow::Result<Value> {
        let line = self.line()?;
        ensure!(line["reason"] == "edit", "{line}");
        Ok(line)
    }
}

/// A new process knows what was told.
fn compare(answer: &Value, listed: &[u8]) -> anyhow::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = |all: &Value| -> Vec<(String, String)> {
        let all = all.as_array().into_iter().flatten();
        all.map(|it| (text(&it["path"]), text(&it["fingerprint"]))).collect()
    };
    let (told, found) = (pairs(&answer["invalidated"]), pairs(&serde_json::from_slice(listed)?));
    ensure!(
        told.iter().all(|it| found.contains(it)),
        "told {told:?}, but a new process finds {found:?}"
    );
    Ok(())
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy_workspace(to: &Path) -> anyhow::Result<()> {
    for file in files(&root())? {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().context("a file has a directory")?)?;
        fs::copy(root().join(&file), target).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    let manifest = to.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    let with_probe = text.replacen("members = [", "members = [\"probe\", ", 1);
    ensure!(with_probe != text, "no `members` in Cargo.toml");
    fs::write(manifest, with_probe)?;
    fs::create_dir_all(to.join("probe/src"))?;
    Ok(fs::write(to.join("probe/Cargo.toml"), MANIFEST)?)
}

/// A statement at the start of the first function's body.
fn in_first_body(text: &str, statement: &str) -> String {
    let mut out = String::new();
    let mut is_done = false;
    for line in text.lines() {
        out += line;
        out.push('\n');
        let opens = (line.starts_with("fn ") || line.starts_with("pub fn ")) && line.ends_with('{');
        if opens && !is_done {
            out += &format!("    {statement}\n");
            is_done = true;
        }
    }
    out
}

fn spread(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() - 1])
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
