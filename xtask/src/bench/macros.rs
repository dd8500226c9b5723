//! `cargo xtask bench macro [--markdown FILE]`: what the macro costs those who use it. How heavy the runtime is to compile, beside
//! `cached` with its disk feature and `serde` with derive; how long the expansion takes, warm and with the tool asked; what the
//! expansions add to a program. Scratch packages in temporary directories; nothing here is part of `cargo test`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, bail};

use crate::workspace::{cargo, root, succeed};

/// Functions in the large scratch crate.
const MANY: usize = 200;
/// Builds per figure; the median counts.
const ROUNDS: usize = 7;

/// Builds, measures, and prints a report, or writes it to a file.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    let file = match arguments.as_slice() {
        [] => None,
        [flag, file] if flag == "--markdown" => Some(file),
        other => bail!(
            "`cargo xtask bench macro` takes `--markdown FILE`, not `{}`",
            other.join(" ")
        ),
    };
    if !Path::new("/proc/self/stat").is_file() {
        bail!("`cargo xtask bench macro` reads CPU times from /proc: run it on Linux");
    }
    let mut build = cargo(&root());
    build.args(["build", "--release", "--package", "cargo-astrocache"]);
    succeed(build, "building cargo-astrocache")?;
    let report = report()?;
    match file {
        Some(file) => fs::write(file, report).with_context(|| format!("cannot write {file}")),
        None => {
            print!("{report}");
            Ok(())
        }
    }
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
fn children_cpu() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').context("/proc/self/stat has an unknown form")?.1;
    // man 5 proc: cutime and cstime are fields 16 and 17, in ticks of a hundredth; the third field is the first here.
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|it| it.parse().ok())
        .collect();
    match ticks.as_slice() {
        [user, system] => Ok((user + system) / 100.0),
        _ => bail!("/proc/self/stat has an unknown form"),
    }
}

/// Crates and CPU seconds of a clean build.
fn weight(dependencies: &str) -> anyhow::Result<(usize, f64)> {
    let scratch = Scratch::new(dependencies, "fn main() {}\n")?;
    output(scratch.cargo(&["fetch"]))?;
    let before = children_cpu()?;
    let text = output(scratch.cargo(&["build"]))?;
    let crates = text
        .lines()
        .filter(|line| line.trim_start().starts_with("Compiling "))
        .count()
        - 1;
    Ok((crates, children_cpu()? - before))
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

/// Milliseconds that rustc spends on expanding macros.
struct Overhead {
    /// Without annotations, with one, with many: nothing changed but the file's time.
    plain: [f64; 2],
    warm: [f64; 2],
    /// With one annotation, after an edit, so that the tool is asked.
    asked: f64,
    /// How often the tool was started while nothing had changed.
    needless: usize,
}

impl Overhead {
    fn measure() -> anyhow::Result<Overhead> {
        let mut overhead = Overhead {
            plain: [0.0; 2],
            warm: [0.0; 2],
            asked: 0.0,
            needless: 0,
        };
        for (at, count) in [1, MANY].into_iter().enumerate() {
            let scratch = Scratch::new(&runtime(), &program(count, ""))?;
            overhead.plain[at] = expansion(&scratch, None)?;
            scratch.write(&program(count, "#[astrocache::cached]"))?;
            let tool = CountingTool::new(&scratch)?;
            expansion(&scratch, Some(&tool))?;
            let before = tool.starts();
            overhead.warm[at] = expansion(&scratch, Some(&tool))?;
            overhead.needless += tool.starts() - before;
            if count == 1 {
                let mut rounds = Vec::new();
                for round in 0..ROUNDS {
                    let edited = program(count, "#[astrocache::cached]").replace("sum > 3", &format!("sum > {round}"));
                    scratch.write(&edited)?;
                    rounds.push(expand(&scratch, Some(&tool))?);
                }
                if tool.starts() < before + ROUNDS {
                    bail!("the tool was not asked after an edit");
                }
                overhead.asked = median(rounds);
            }
        }
        Ok(overhead)
    }

    fn tell(&self, text: &mut String, bars: &mut Vec<Bar>) -> anyhow::Result<()> {
        let per_crate = self.warm[0] - self.plain[0];
        let per_function = ((self.warm[1] - self.plain[1]) - per_crate) / (MANY - 1) as f64;
        writeln!(
            text,
            "## Expansion\n\nWhat rustc's `-Ztime-passes` says of `macro_expand_crate`, dev profile, the median of {ROUNDS} builds.\n\n\
             | crate | plain | annotated, warm | annotated, tool asked |\n| --- | --- | --- | --- |\n\
             | 1 function | {:.1} ms | {:.1} ms | {:.1} ms |\n| {MANY} functions | {:.1} ms | {:.1} ms | |\n",
            self.plain[0], self.warm[0], self.asked, self.plain[1], self.warm[1]
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

/// The analyzer behind a script that notes each start.
struct CountingTool {
    script: PathBuf,
    log: PathBuf,
}

impl CountingTool {
    fn new(scratch: &Scratch) -> anyhow::Result<CountingTool> {
        let tool = root().join("target/release/cargo-astrocache");
        let (script, log) = (scratch.path("tool.sh"), scratch.path("starts"));
        fs::write(
            &script,
            format!(
                "#!/bin/sh\necho start >> '{}'\nexec '{}' \"$@\"\n",
                log.display(),
                tool.display()
            ),
        )?;
        let mut chmod = Command::new("chmod");
        chmod.arg("+x").arg(&script);
        succeed(chmod, "chmod")?;
        Ok(CountingTool { script, log })
    }

    fn starts(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().lines().count()
    }
}

/// The median over builds of an unchanged crate.
fn expansion(scratch: &Scratch, tool: Option<&CountingTool>) -> anyhow::Result<f64> {
    // The first builds the dependencies, and asks the tool.
    expand(scratch, tool)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let main = fs::File::options().write(true).open(scratch.path("src/main.rs"))?;
        main.set_modified(SystemTime::now())?;
        rounds.push(expand(scratch, tool)?);
    }
    Ok(median(rounds))
}

/// Milliseconds of expansion in one build.
fn expand(scratch: &Scratch, tool: Option<&CountingTool>) -> anyhow::Result<f64> {
    let mut build = scratch.cargo(&["rustc", "--", "-Ztime-passes"]);
    build.env("RUSTC_BOOTSTRAP", "1");
    build.env("ASTROCACHE_TOOL", tool.map_or(Path::new("off"), |tool| &tool.script));
    let text = output(build)?;
    if text.contains("note: astrocache") && tool.is_some() {
        bail!("the scratch crate is not cached per function:\n{text}");
    }
    let line = text.lines().find(|line| line.ends_with("macro_expand_crate"));
    let seconds = line.and_then(|line| {
        line.strip_prefix("time:")?
            .trim()
            .split(';')
            .next()?
            .trim()
            .parse::<f64>()
            .ok()
    });
    Ok(1000.0 * seconds.with_context(|| format!("rustc told no time for macro_expand_crate:\n{text}"))?)
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
