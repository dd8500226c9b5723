//! `cargo xtask ci`: everything that has to pass before a commit, quickest first; stops at the first failure.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::tidy;
use crate::workspace::{cargo, root, succeed};

/// Runs all steps.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    if let Some(argument) = arguments.first() {
        bail!("`cargo xtask ci` takes no arguments, not even `{argument}`");
    }
    let root = root();
    let example = root.join("tests/example");
    step("tidy", || tidy::run(Vec::new()))?;
    step("format", || {
        succeed(with(&root, &["fmt", "--all", "--check"]), "`cargo fmt --all --check`")
    })?;
    step("format of the example", || {
        succeed(
            with(&example, &["fmt", "--all", "--check"]),
            "`cargo fmt` in tests/example",
        )
    })?;
    step("lints", || {
        let clippy = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        succeed(with(&root, &clippy), "`cargo clippy`")
    })?;
    step("documentation", || {
        let mut doc = with(
            &root,
            &[
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
                "--locked",
            ],
        );
        doc.env("RUSTDOCFLAGS", "-D warnings");
        succeed(doc, "`cargo doc`")
    })?;
    step("tests", || {
        succeed(
            with(&root, &["test", "--workspace", "--locked"]),
            "`cargo test --workspace`",
        )
    })
}

fn with(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo(dir);
    command.args(arguments);
    command
}

fn step(name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    eprintln!("== {name}");
    run()
}
