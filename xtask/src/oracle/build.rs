//! Building a package so that every crate leaves its LLVM IR behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// No inlining anywhere, symbols that can be read, and a line for every function.
const FLAGS: [&str; 15] = [
    "--emit=llvm-ir",
    "-Ccodegen-units=1",
    "-Copt-level=0",
    "-Cno-prepopulate-passes",
    "-Cdebuginfo=1",
    "-Ccollapse-macro-debuginfo=no",
    "-Zmir-opt-level=0",
    "-Zinline-mir=no",
    "-Csymbol-mangling-version=v0",
    "-Zshare-generics=yes",
    "-Zlocation-detail=none",
    "-Zfewer-names=no",
    "-Clink-dead-code=yes",
    "-Awarnings",
    "--cap-lints=allow",
];

/// Builds the library of `package` in `workspace`; the files of LLVM IR are those of this very build.
pub fn build(workspace: &Path, package: &str, target_dir: &Path) -> Result<Vec<PathBuf>> {
    let host = host()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Nightly flags on the stable compiler: the result is only looked at, never run.
    let output = Command::new(cargo)
        .args([
            "build",
            "--offline",
            "--message-format=json",
            "--lib",
            "--package",
            package,
            "--target",
            &host,
        ])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(workspace)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"))
        .stdin(Stdio::null())
        .output()
        .context("cannot start cargo")?;
    let messages = messages(&output.stdout);
    if !output.status.success() {
        let errors: Vec<&str> = messages
            .iter()
            .filter_map(|m| m["message"]["rendered"].as_str())
            .take(3)
            .collect();
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{package}` of {} does not build:\n{}{said}",
            workspace.display(),
            errors.join("")
        );
    }
    messages
        .iter()
        .filter(|m| is_target_rlib(m, &host))
        .map(|m| ir(m, &host))
        .collect()
}

fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .stdin(Stdio::null())
        .output()
        .context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

fn messages(stdout: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stdout);
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn is_target_rlib(message: &Value, host: &str) -> bool {
    message["reason"] == "compiler-artifact" && rlib(message, host).is_some()
}

fn rlib<'m>(message: &'m Value, host: &str) -> Option<&'m str> {
    let inside = format!("/{host}/");
    let names = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    names
        .into_iter()
        .find(|name| name.ends_with(".rlib") && name.contains(&inside))
}

/// The IR that was emitted beside a library.
fn ir(message: &Value, host: &str) -> Result<PathBuf> {
    let rlib = Path::new(rlib(message, host).context("an artifact without a library")?);
    // cargo lifts a member's library out of `deps`; the metadata file beside the IR still has the hash in its name.
    let mut files = message["filenames"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let hashed = files.find(|file| file.ends_with(".rmeta")).map_or(rlib, Path::new);
    let stem = hashed.file_stem().unwrap_or_default().to_string_lossy();
    let ir = hashed.with_file_name(format!("{}.ll", stem.strip_prefix("lib").unwrap_or(&stem)));
    ensure!(
        ir.exists(),
        "rustc left no LLVM IR for {}: {} is missing",
        rlib.display(),
        ir.display()
    );
    Ok(ir)
}
