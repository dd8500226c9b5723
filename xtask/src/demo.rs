//! `cargo xtask demo`: a tour on a copy of `tests/example`. Each step says what is done and what has to follow, and
//! the tour fails at the first step that does not behave so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::workspace::{cargo, root};

/// Runs the tour.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    if let Some(argument) = arguments.first() {
        bail!("`cargo xtask demo` takes no arguments, not even `{argument}`");
    }
    println!("cargo-astrocache: results that outlive the process, and notice when the code changes\n");
    let mut tour = Tour::prepare()?;
    tour.first_run()?;
    tour.second_run()?;
    tour.comment()?;
    tour.helper()?;
    tour.check_and_explain()?;
    tour.prune()?;
    println!("\nAll {} steps behaved as promised.", tour.step);
    Ok(())
}

/// The functions that the example caches, by the end of their paths; of the method without its type, which the trace
/// leaves out.
const RENDER: &str = "page::render";
const REPORT: &str = "from_csv";
const INDEX: &str = "index::search_index";

/// A helper that `render` reaches through `Document::parse`, and `Report::from_csv` does not.
const HELPER: &str = "crates/markup/src/slug.rs";

struct Tour {
    tool: PathBuf,
    scratch: TempDir,
    target: PathBuf,
    step: u32,
}

/// What the calls of one function came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Calls {
    hits: u32,
    misses: u32,
    stored: u32,
    uncached: u32,
    microseconds: u64,
}

impl Tour {
    /// Builds the tool and copies the example.
    fn prepare() -> anyhow::Result<Tour> {
        println!("building cargo-astrocache (once; the first time takes a minute or two)");
        let (tool, target) = build_tool(&root())?;
        let scratch = tempfile::Builder::new().prefix("astrocache-demo-").tempdir()?;
        copy(&root().join("tests/example"), &scratch.path().join("example"))?;
        let manifest = scratch.path().join("example/Cargo.toml");
        let runtime = root().join("astrocache-runtime");
        let runtime = runtime
            .to_str()
            .context("this checkout's path is not UTF-8")?
            .replace('\\', "/");
        edit(&manifest, "../../astrocache-runtime", &runtime)?;
        println!("copied tests/example to {}", scratch.path().display());
        Ok(Tour {
            tool,
            scratch,
            target: target.join("demo"),
            step: 0,
        })
    }

    fn first_run(&mut self) -> anyhow::Result<()> {
        self.heading("Build a site from four Markdown files and a table. Nothing is stored yet: every call computes.");
        let calls = self.run_site()?;
        for name in [RENDER, REPORT, INDEX] {
            let calls = calls_of(&calls, name)?;
            ensure!(
                calls.misses > 0 && calls.hits == 0,
                "{name} should have been computed: {calls:?}"
            );
            ensure!(
                calls.stored == calls.misses,
                "{name} should have been stored: {calls:?}"
            );
        }
        self.astrocache(&["update"], 0)?;
        Ok(())
    }

    fn second_run(&mut self) -> anyhow::Result<()> {
        self.heading("Run it again, in a new process. Every result comes from the store.");
        let calls = self.run_site()?;
        self.expect_hits(&calls, &[RENDER, REPORT, INDEX])
    }

    fn comment(&mut self) -> anyhow::Result<()> {
        self.heading(&format!(
            "Edit comments and formatting in {HELPER} and in the cached function's own file."
        ));
        edit(
            &self.file(HELPER),
            "//! Names for URLs.",
            "//! Names that are safe in a URL.",
        )?;
        edit(
            &self.file("crates/site/src/page.rs"),
            "/// Renders one file.",
            "/// Renders one file.\n// (In no hurry.)",
        )?;
        let calls = self.run_site()?;
        self.expect_hits(&calls, &[RENDER, REPORT, INDEX])?;
        self.astrocache(&["check"], 0)?;
        Ok(())
    }

    fn helper(&mut self) -> anyhow::Result<()> {
        self.heading(&format!(
            "Change a constant in {HELPER}: two crates away from `render`, which runs it; `from_csv` never does."
        ));
        edit(
            &self.file(HELPER),
            "const SEPARATOR: char = '-';",
            "const SEPARATOR: char = '_';",
        )?;
        let calls = self.run_site()?;
        let render = calls_of(&calls, RENDER)?;
        ensure!(
            render.hits == 0 && render.misses > 0,
            "{RENDER} should have been computed again: {render:?}"
        );
        self.expect_hits(&calls, &[REPORT])?;
        println!("   (search_index got new pages as its argument, so it computed too; its code did not change.)");
        let page = fs::read_to_string(self.scratch.path().join("site/design.html"))?;
        ensure!(
            page.contains("id=\"the_house\"") || page.contains("_house\""),
            "the new separator is not on the page"
        );
        Ok(())
    }

    fn check_and_explain(&mut self) -> anyhow::Result<()> {
        self.heading("Ask what changed: `check` compares the source with the committed Astrocache.lock.");
        let told = self.astrocache(&["check"], 1)?;
        ensure!(told.contains(RENDER), "`check` does not name {RENDER}");
        ensure!(!told.contains(REPORT), "`check` names {REPORT}, which did not change");

        self.heading("And why: `explain` lists all code that `render` can run, with the way to it. An excerpt:");
        let explained = self.output(&["explain", RENDER], 0)?.0;
        let lines: Vec<&str> = explained.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.contains("SEPARATOR"))
            .context("`explain` does not show SEPARATOR")?;
        let excerpt = [&lines[..2.min(at)], &["..."], &lines[at..lines.len().min(at + 2)]].concat();
        excerpt.iter().for_each(|line| println!("   | {line}"));
        Ok(())
    }

    fn prune(&mut self) -> anyhow::Result<()> {
        self.heading("Record the new state, and delete what the old code computed.");
        self.astrocache(&["update"], 0)?;
        let stale = self.prunable()?;
        ensure!(stale > 0, "there should be stale results to delete");
        self.astrocache(&["prune", "-n"], 0)?;
        ensure!(self.prunable()? == stale, "`prune -n` deleted something");
        self.astrocache(&["prune"], 0)?;
        ensure!(self.prunable()? == 0, "`prune` left stale results behind");
        let calls = self.run_site()?;
        self.expect_hits(&calls, &[RENDER, REPORT, INDEX])
    }

    fn heading(&mut self, text: &str) {
        self.step += 1;
        println!("\n{}. {text}", self.step);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join("example").join(name)
    }

    fn expect_hits(&self, calls: &BTreeMap<String, Calls>, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let calls = calls_of(calls, name)?;
            ensure!(
                calls.hits > 0 && calls.misses == 0,
                "{name} should have come from the store: {calls:?}"
            );
        }
        Ok(())
    }

    /// Builds and runs the example; prints and returns what its cached functions did.
    fn run_site(&self) -> anyhow::Result<BTreeMap<String, Calls>> {
        let example = self.scratch.path().join("example");
        let mut build = self.in_example(cargo(&example));
        build.args(["build", "--quiet", "--package", "site"]);
        let built = build.output()?;
        ensure!(
            built.status.success(),
            "the example does not build:\n{}",
            String::from_utf8_lossy(&built.stderr)
        );

        let started = Instant::now();
        let mut site = self.in_example(Command::new(self.target.join("debug").join("site")));
        site.current_dir(&example)
            .arg("data")
            .arg(self.scratch.path().join("site"))
            .stdin(Stdio::null());
        let output = site
            .env("ASTROCACHE_LOG", "trace")
            .output()
            .context("cannot start the example")?;
        let took = started.elapsed();
        let trace = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the example failed:\n{trace}");
        let calls = read_trace(&trace)?;
        for (name, calls) in &calls {
            println!("   {name:<31} {}", calls.told());
        }
        println!("   the whole run took {} ms", took.as_millis());
        Ok(calls)
    }

    /// Runs `cargo astrocache`, prints what it says, and returns it.
    fn astrocache(&self, arguments: &[&str], code: i32) -> anyhow::Result<String> {
        let (stdout, stderr) = self.output(arguments, code)?;
        println!("   $ cargo astrocache {}", arguments.join(" "));
        let told = format!("{stdout}{stderr}");
        told.lines().for_each(|line| println!("   | {line}"));
        Ok(told)
    }

    fn output(&self, arguments: &[&str], code: i32) -> anyhow::Result<(String, String)> {
        let mut command = self.in_example(Command::new(&self.tool));
        command
            .current_dir(self.scratch.path().join("example"))
            .stdin(Stdio::null());
        command.args(["astrocache", "--color", "never"]).args(arguments);
        let Output { status, stdout, stderr } = command.output().context("cannot start cargo-astrocache")?;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&stdout).into_owned(),
            String::from_utf8_lossy(&stderr).into_owned(),
        );
        ensure!(
            status.code() == Some(code),
            "`cargo astrocache {}` ended with {status}, not {code}:\n{stdout}{stderr}",
            arguments.join(" ")
        );
        Ok((stdout, stderr))
    }

    /// The environment in which nothing of the user's own stores and settings takes part.
    fn in_example(&self, mut command: Command) -> Command {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ASTROCACHE")) {
            command.env_remove(name);
        }
        command
            .env("CARGO_TARGET_DIR", &self.target)
            .env("ASTROCACHE_DIR", self.scratch.path().join("store"))
            .env("ASTROCACHE_TOOL", &self.tool);
        command
    }

    /// How many stored results `prune` would delete.
    fn prunable(&self) -> anyhow::Result<u64> {
        let report = self.output(&["prune", "-n", "--message-format", "json"], 0)?.0;
        let report: serde_json::Value = serde_json::from_str(&report).context("`prune` printed no JSON")?;
        report["removed"]
            .as_u64()
            .context("`prune` did not say how many it would remove")
    }
}

impl Calls {
    fn told(&self) -> String {
        let computed = format!("{} computed", self.misses);
        let parts = [
            (self.misses, computed),
            (self.hits, format!("{} from the store", self.hits)),
        ];
        let told: Vec<String> = parts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(_, text)| text)
            .collect();
        let uncached = if self.uncached > 0 {
            format!(", {} NOT CACHED", self.uncached)
        } else {
            String::new()
        };
        format!(
            "{:<32} {:>8.1} ms",
            told.join(", ") + &uncached,
            self.microseconds as f64 / 1000.0
        )
    }
}

/// Builds `cargo-astrocache`; its executable and the target directory.
fn build_tool(root: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let mut build = cargo(root);
    build.args([
        "build",
        "--quiet",
        "--package",
        "cargo-astrocache",
        "--message-format=json-render-diagnostics",
    ]);
    let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo-astrocache does not build");
    let messages = String::from_utf8(output.stdout).context("cargo's messages are not UTF-8")?;
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "cargo-astrocache")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo did not say where it put cargo-astrocache")?;
    let target = executable
        .parent()
        .and_then(Path::parent)
        .context("the executable has no target directory")?;
    Ok((executable.clone(), target.to_path_buf()))
}

/// `astrocache: hit site::page::render fingerprint=.. kind=fine key=.. us=12`
fn read_trace(trace: &str) -> anyhow::Result<BTreeMap<String, Calls>> {
    let mut calls: BTreeMap<String, Calls> = BTreeMap::new();
    for line in trace.lines().filter_map(|line| line.strip_prefix("astrocache: ")) {
        let mut words = line.split(' ');
        let (Some(event), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        let entry = match event {
            "hit" | "miss" | "stored" | "uncached" => calls.entry(name.to_owned()).or_default(),
            _ => bail!("the runtime complains: {line}"),
        };
        match event {
            "hit" => entry.hits += 1,
            "miss" => entry.misses += 1,
            "stored" => entry.stored += 1,
            _ => entry.uncached += 1,
        }
        ensure!(line.contains(" kind=fine "), "not a fine fingerprint: {line}");
        // A miss is timed by its `stored` line, which has the whole call.
        let microseconds = words
            .find_map(|word| word.strip_prefix("us="))
            .and_then(|us| us.parse::<u64>().ok());
        entry.microseconds += microseconds.filter(|_| event != "miss").unwrap_or(0);
    }
    ensure!(!calls.is_empty(), "the example printed no trace:\n{trace}");
    Ok(calls)
}

fn calls_of(calls: &BTreeMap<String, Calls>, name: &str) -> anyhow::Result<Calls> {
    let found = calls.iter().find(|(path, _)| path.ends_with(name));
    found
        .map(|(_, calls)| *calls)
        .with_context(|| format!("{name} was not called: {calls:?}"))
}

fn edit(file: &Path, from: &str, to: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(
        text.matches(from).count() == 1,
        "`{from}` should be in {} once",
        file.display()
    );
    fs::write(file, text.replacen(from, to, 1)).with_context(|| format!("cannot write {}", file.display()))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        match path.is_dir() {
            true if name == "target" => {}
            true => copy(&path, &to.join(name))?,
            false => {
                fs::copy(&path, to.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
            }
        }
    }
    Ok(())
}
