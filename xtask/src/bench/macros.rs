//! `cargo xtask bench macro [--markdown FILE]`: what the macro costs those who use it. How heavy the runtime is to compile, beside
//! `cached` with its disk feature and `serde` with derive; how long the expansion takes, warm and with the tool asked; what the
//! expansions add to a program. Scratch packages in temporary directories; nothing here is part of `cargo test`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::workspace::{cargo, root, succeed};

/// Functions in the large scratch crate.
const MANY: usize = 200;
/// Pairs of runs per figure; the median counts.
const ROUNDS: usize = 15;

/// Builds, measures, and prints a report, or writes it to a file.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    let file = super::markdown("macro", arguments)?;
    let mut build = cargo(&root());
    build.args(["build", "--release", "--package", "cargo-astrocache"]);
    succeed(build, "building cargo-astrocache")?;
    let report = report()?;
    super::publish(&report, file)
}

fn report() -> anyhow::Result<String> {
    let mut text = String::from(
        "# What the macro costs\n\nWritten by `cargo xtask bench macro --markdown docs/macro.md`. Times vary with the machine; ratios are what to read.\n\n",
    );
    let mut bars = Vec::new();
    weights(&mut text, &mut bars)?;
    let overhead = Overhead::measure()?;
    overhead.tell(&mut text, &mut bars)?;
    sizes(&mut text)?;
    text.push_str("## Bars\n\n| bar | measured | |\n| --- | --- | --- |\n");
    for (bar, measured, met) in bars {
        writeln!(text, "| {bar} | {measured} | {} |", if met { "pass" } else { "miss" })?;
    }
    Ok(text)
}

/// A bar, what was measured, and whether it is met.
type Bar = (&'static str, String, bool);

/// A scratch package.
struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    fn new(dependencies: &str, main: &str) -> anyhow::Result<Scratch> {
        let dir = tempfile::tempdir()?;
        let manifest = format!(
            "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{dependencies}\n"
        );
        fs::write(dir.path().join("Cargo.toml"), manifest)?;
        fs::create_dir(dir.path().join("src"))?;
        let scratch = Scratch { dir };
        scratch.write(main)?;
        // The versions that the benchmark of the store has pinned: peers and all.
        fs::copy(root().join("xtask/bench-store/Cargo.lock"), scratch.path("Cargo.lock"))?;
        Ok(scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, main: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.path("src/main.rs"), main)?)
    }

    /// Cargo in the package, with its own target directory and an environment of ours.
    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = cargo(self.dir.path());
        for name in [
            "CARGO_TARGET_DIR",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "ASTROCACHE_TOOL",
            "ASTROCACHE_LOCKED",
        ] {
            command.env_remove(name);
        }
        command
            .env("CARGO_INCREMENTAL", "0")
            .env("ASTROCACHE_DIR", self.path("store"));
        command.args(arguments);
        command
    }
}

/// Runs a command to its end and gives what it wrote: stdout, then stderr.
fn output(mut command: Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().context("cannot start cargo")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = text(&output.stdout) + &text(&output.stderr);
    if !output.status.success() {
        bail!("a scratch build failed:\n{both}");
    }
    Ok(both)
}

/// CPU seconds of all finished children so far.
fn children_cpu() -> f64 {
    // SAFETY: zeroes are a valid `rusage`, and the call writes to nothing else.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Crates and CPU seconds of a clean build.
fn weight(dependencies: &str) -> anyhow::Result<(usize, f64)> {
    let scratch = Scratch::new(dependencies, "fn main() {}\n")?;
    output(scratch.cargo(&["fetch"]))?;
    let before = children_cpu();
    let text = output(scratch.cargo(&["build"]))?;
    let crates = text
        .lines()
        .filter(|line| line.trim_start().starts_with("Compiling "))
        .count()
        - 1;
    Ok((crates, children_cpu() - before))
}

fn weights(text: &mut String, bars: &mut Vec<Bar>) -> anyhow::Result<()> {
    let runtime = format!(
        "astrocache-runtime = {{ path = {:?} }}",
        root().join("astrocache-runtime")
    );
    let peers = [
        ("`astrocache-runtime`", runtime.as_str()),
        (
            "`cached` 4.1, `redb_store`",
            "cached = { version = \"4.1\", features = [\"redb_store\"] }",
        ),
        (
            "`serde` 1, `derive`",
            "serde = { version = \"1\", features = [\"derive\"] }",
        ),
    ];
    text.push_str(
        "## A clean build\n\nDev profile, the median of three.\n\n| | crates | CPU seconds |\n| --- | --- | --- |\n",
    );
    let mut seconds = Vec::new();
    for (name, dependencies) in peers {
        let mut rounds = Vec::new();
        let mut crates = 0;
        for _ in 0..3 {
            let (found, cpu) = weight(dependencies)?;
            crates = found;
            rounds.push(cpu);
        }
        let cpu = median(rounds);
        writeln!(text, "| {name} | {crates} | {cpu:.1} |")?;
        seconds.push(cpu);
    }
    text.push('\n');
    let ratio = seconds[0] / seconds[1];
    bars.push((
        "clean build at most 0.8x the CPU seconds of `cached` with its disk feature",
        format!("{ratio:.2}x"),
        ratio <= 0.8,
    ));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// `count` functions that do a little, annotated or not.
fn program(count: usize, attribute: &str) -> String {
    let mut text = String::new();
    for number in 0..count {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{attribute}\nfn f{number}(x: u64, name: &str) -> Option<u64> {{\n    let mut sum = x;\n    for byte in name.bytes() {{ sum += u64::from(byte) ^ {number}; }}\n    \
             if sum > 3 {{ Some(sum) }} else {{ None }}\n}}\n"
        );
    }
    let calls: String = (0..count)
        .map(|number| format!("    sum += f{number}(1, \"a\").unwrap_or(0);\n"))
        .collect();
    format!("{text}fn main() {{\n    let mut sum = 0;\n{calls}    println!(\"{{sum}}\");\n}}\n")
}

fn runtime() -> String {
    format!(
        "astrocache-runtime = {{ path = {:?} }}",
        root().join("astrocache-runtime")
    )
}

/// Milliseconds of CPU that rustc takes to the end of expansion, beyond what it takes for the same program without annotations.
struct Overhead {
    /// With one annotation, nothing changed.
    one: f64,
    /// With many.
    many: f64,
    /// With one, after an edit: rustc, and the tool that it asks.
    asked: f64,
    /// How often the tool was started while nothing had changed.
    needless: usize,
}

impl Overhead {
    fn measure() -> anyhow::Result<Overhead> {
        let (one, needless_one) = beyond_plain(1)?;
        let (many, needless_many) = beyond_plain(MANY)?;
        Ok(Overhead {
            one,
            many,
            asked: asked()?,
            needless: needless_one + needless_many,
        })
    }

    fn tell(&self, text: &mut String, bars: &mut Vec<Bar>) -> anyhow::Result<()> {
        let per_function = (self.many - self.one) / (MANY - 1) as f64;
        let per_crate = self.one - per_function;
        writeln!(
            text,
            "## Expansion\n\nrustc's own CPU time (user and system) up to the end of expansion (`-Zno-analysis`), less that of the same program without \
             annotations, which loads the same crates: the median of {ROUNDS} pairs, each run one after the other. So it holds what \
             the macro does, what rustc does for it, and the expanded code's parsing and name resolution, but not its compilation; \
             macro, `syn` and all are unoptimised, as in any dev build.\n\n\
             | crate | annotations, nothing changed | after an edit, with the tool's work |\n| --- | --- | --- |\n\
             | 1 function | {:.1} ms | {:.1} ms |\n| {MANY} functions | {:.1} ms | |\n",
            self.one, self.asked, self.many
        )?;
        bars.push((
            "warm expansion under 5 ms per crate",
            format!("{per_crate:.1} ms"),
            per_crate < 5.0,
        ));
        bars.push((
            "warm expansion under 0.2 ms per function",
            format!("{per_function:.3} ms"),
            per_function < 0.2,
        ));
        bars.push((
            "the analyzer is not started when nothing changed",
            format!("{} starts", self.needless),
            self.needless == 0,
        ));
        Ok(())
    }
}

/// What annotations cost a crate of so many functions, and how often the tool was started in vain.
fn beyond_plain(count: usize) -> anyhow::Result<(f64, usize)> {
    let plain = Scratch::new(&runtime(), &loaded(count, ""))?;
    let annotated = Scratch::new(&runtime(), &loaded(count, CACHED))?;
    let tool = CountingTool::new(&annotated)?;
    let (plain, annotated) = (Rustc::of(&plain, None)?, Rustc::of(&annotated, Some(&tool))?);
    let before = tool.starts();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let without = plain.expand()?;
        rounds.push(annotated.expand()? - without);
    }
    Ok((median(rounds), tool.starts() - before))
}

/// Milliseconds of CPU for one annotated function after an edit.
fn asked() -> anyhow::Result<f64> {
    let scratch = Scratch::new(&runtime(), &loaded(1, CACHED))?;
    let tool = CountingTool::new(&scratch)?;
    let plain = Scratch::new(&runtime(), &loaded(1, ""))?;
    let plain = Rustc::of(&plain, None)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        scratch.write(&loaded(1, CACHED).replace("sum > 3", &format!("sum > {}", 10 + round)))?;
        let before = tool.starts();
        // Cargo's run only says that the compilation began after the edit; the ledger goes, so that the next rustc asks, too.
        let rustc = Rustc::of(&scratch, Some(&tool))?;
        fs::remove_dir_all(scratch.path("target/astrocache"))?;
        let without = plain.expand()?;
        rounds.push(rustc.expand()? - without);
        if tool.starts() < before + 2 {
            bail!("the tool was not asked after an edit");
        }
    }
    Ok(median(rounds))
}

const CACHED: &str = "#[astrocache::cached]";

/// [`program`], and the runtime is loaded whether it is used or not.
fn loaded(count: usize, attribute: &str) -> String {
    format!("use astrocache as _;\n{}", program(count, attribute))
}

/// The rustc that cargo started for a scratch crate, to be run again by itself.
struct Rustc {
    dir: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Rustc {
    /// Builds the crate, and notes how.
    fn of(scratch: &Scratch, tool: Option<&CountingTool>) -> anyhow::Result<Rustc> {
        let (wrapper, args, env) = (scratch.path("wrapper.sh"), scratch.path("args"), scratch.path("env"));
        let text = format!(
            "#!/bin/sh\ncase \" $* \" in *\" --crate-name scratch \"*)\n  printf '%s\\0' \"$@\" > '{}'; env -0 > '{}';;\nesac\nexec \"$@\"\n",
            args.display(),
            env.display()
        );
        script(&wrapper, &text)?;
        let mut build = scratch.cargo(&["build"]);
        build.env("RUSTC_WRAPPER", &wrapper);
        build.env("ASTROCACHE_TOOL", tool.map_or(Path::new("off"), |tool| &tool.script));
        let told = output(build)?;
        if told.contains("note: astrocache") && tool.is_some() {
            bail!("the scratch crate is not cached per function:\n{told}");
        }
        let fields = |file: &Path| -> anyhow::Result<Vec<OsString>> {
            let bytes =
                fs::read(file).with_context(|| format!("cargo did not compile {}", scratch.dir.path().display()))?;
            let fields = bytes.split(|byte| *byte == 0).filter(|field| !field.is_empty());
            Ok(fields.map(|field| OsStr::from_bytes(field).to_owned()).collect())
        };
        let env = fields(&env)?.into_iter().filter_map(|variable| {
            let at = variable.as_bytes().iter().position(|byte| *byte == b'=')?;
            let (name, value) = variable.as_bytes().split_at(at);
            Some((
                OsStr::from_bytes(name).to_owned(),
                OsStr::from_bytes(&value[1..]).to_owned(),
            ))
        });
        Ok(Rustc {
            dir: scratch.dir.path().to_path_buf(),
            env: env.filter(|(name, _)| name != "CARGO_MAKEFLAGS").collect(),
            args: fields(&args)?,
        })
    }

    /// Milliseconds of CPU to the end of expansion.
    fn expand(&self) -> anyhow::Result<f64> {
        let mut rustc = Command::new(&self.args[0]);
        rustc.args(&self.args[1..]).arg("-Zno-analysis").current_dir(&self.dir);
        rustc
            .env_clear()
            .envs(self.env.iter().cloned())
            .env("RUSTC_BOOTSTRAP", "1");
        let before = children_cpu();
        let told = output(rustc)?;
        if told.contains("note: astrocache (") {
            bail!("the scratch crate is not cached per function:\n{told}");
        }
        Ok(1000.0 * (children_cpu() - before))
    }
}

fn script(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// The analyzer behind a script that notes each start.
struct CountingTool {
    script: PathBuf,
    log: PathBuf,
}

impl CountingTool {
    fn new(scratch: &Scratch) -> anyhow::Result<CountingTool> {
        let tool = root().join("target/release/cargo-astrocache");
        let (script, log) = (scratch.path("tool.sh"), scratch.path("starts"));
        let text = format!(
            "#!/bin/sh\necho start >> '{}'\nexec '{}' \"$@\"\n",
            log.display(),
            tool.display()
        );
        self::script(&script, &text)?;
        Ok(CountingTool { script, log })
    }

    fn starts(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().lines().count()
    }
}

fn sizes(text: &mut String) -> anyhow::Result<()> {
    let scratch = Scratch::new(&runtime(), "")?;
    let size = |count: usize, attribute: &str| -> anyhow::Result<f64> {
        scratch.write(&program(count, attribute))?;
        let mut build = scratch.cargo(&["build", "--release", "--config", "profile.release.strip=true"]);
        build.env("ASTROCACHE_TOOL", "off").env("ASTROCACHE_LOG", "off");
        output(build)?;
        Ok(fs::metadata(scratch.path("target/release/scratch"))?.len() as f64 / 1024.0)
    };
    let (plain, one) = (size(1, "")?, size(1, "#[astrocache::cached]")?);
    let (plain_many, many) = (size(MANY, "")?, size(MANY, "#[astrocache::cached]")?);
    let each = ((many - plain_many) - (one - plain)) / (MANY - 1) as f64;
    writeln!(
        text,
        "## Size of the program\n\nRelease profile, stripped.\n\n| program | plain | annotated |\n| --- | --- | --- |\n\
         | 1 function | {plain:.0} KiB | {one:.0} KiB |\n| {MANY} functions | {plain_many:.0} KiB | {many:.0} KiB |\n\n\
         That is {:.0} KiB once and {each:.1} KiB for each function.\n",
        one - plain
    )?;
    Ok(())
}
