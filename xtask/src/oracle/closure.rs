//! Asking the tool: closures through `explain`, fingerprints through `fingerprint`. Only its command line is known here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The `cargo-astrocache` under test.
pub struct Tool {
    program: PathBuf,
}

/// One definition of a closure, as `explain` gives it.
#[derive(Debug, Clone, Deserialize)]
pub struct Definition {
    pub path: String,
    pub kind: String,
    /// Relative to the workspace, or absolute.
    pub file: PathBuf,
    pub line: usize,
}

#[derive(Deserialize)]
struct Explained {
    definitions: Vec<Definition>,
}

impl Tool {
    pub fn new(program: Option<PathBuf>) -> Result<Tool> {
        let program = match program {
            Some(program) => program,
            None => built()?,
        };
        ensure!(program.exists(), "there is no tool at {}", program.display());
        Ok(Tool { program })
    }

    /// The closure of one root.
    pub fn closure(&self, workspace: &Path, root: &str) -> Result<Vec<Definition>> {
        let stdout = self.run(workspace, &["explain", "--message-format", "json", root])?;
        let explained: Explained =
            serde_json::from_str(&stdout).with_context(|| format!("`explain` of `{root}` gave another JSON"))?;
        let absolute = |it: Definition| Definition {
            file: workspace.join(&it.file),
            ..it
        };
        Ok(explained.definitions.into_iter().map(absolute).collect())
    }

    /// The fingerprints of all roots, by path.
    pub fn fingerprints(&self, workspace: &Path, roots: &[String]) -> Result<BTreeMap<String, String>> {
        let mut args = vec!["fingerprint"];
        args.extend(roots.iter().map(String::as_str));
        let stdout = self.run(workspace, &args)?;
        let mut found = BTreeMap::new();
        for line in stdout.lines() {
            let (path, fingerprint) = line
                .split_once(' ')
                .with_context(|| format!("not `path fingerprint`: {line}"))?;
            found.insert(path.to_owned(), fingerprint.to_owned());
        }
        for root in roots {
            ensure!(found.contains_key(root), "the tool gave no fingerprint for `{root}`");
        }
        Ok(found)
    }

    fn run(&self, workspace: &Path, args: &[&str]) -> Result<String> {
        let (command, rest) = args.split_first().context("no command for the tool")?;
        let output = Command::new(&self.program)
            .args(["astrocache", command, "--manifest-path"])
            .arg(workspace.join("Cargo.toml"))
            .args(rest)
            .current_dir(workspace)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "`{}` failed in {}:\n{said}",
            args.join(" "),
            workspace.display()
        );
        String::from_utf8(output.stdout).context("the tool's output is not UTF-8")
    }
}

/// Builds the tool and says where it is.
fn built() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--package",
            "cargo-astrocache",
            "--message-format=json",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo-astrocache does not build");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let found = messages
        .filter_map(|m| m["executable"].as_str().map(PathBuf::from))
        .next_back();
    found.context("cargo built no executable for cargo-astrocache")
}
