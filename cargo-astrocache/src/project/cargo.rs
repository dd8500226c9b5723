//! Runs cargo and rustc, with an environment that cannot change what they answer, and sorts their errors.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{Metadata, MetadataCommand};

use super::ProjectError;

/// What the user told cargo on the command line.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// As `--features` takes them: separated by commas or spaces in each string.
    pub features: Vec<String>,
    pub all_features: bool,
    pub no_default_features: bool,
    pub offline: bool,
    pub locked: bool,
    pub frozen: bool,
    /// `--target-dir`; else `CARGO_TARGET_DIR`, else what cargo's configuration says.
    pub target_dir: Option<Utf8PathBuf>,
    /// Put `Cargo.lock` back if cargo had to write it.
    pub keep_lock: bool,
}

/// The root manifest of the workspace that `manifest` belongs to.
pub(super) fn workspace_manifest(manifest: &Utf8Path) -> Result<Utf8PathBuf, ProjectError> {
    let mut command = scrubbed(&cargo(), manifest);
    command.args([
        "locate-project",
        "--workspace",
        "--message-format",
        "plain",
        "--color",
        "never",
    ]);
    command.arg("--manifest-path").arg(manifest);
    let stdout = stdout_of(command, manifest)?;
    Ok(Utf8PathBuf::from(stdout.trim_end_matches(['\r', '\n'])))
}

/// `cargo metadata` for `platforms`.
pub(super) fn metadata(
    manifest: &Utf8Path,
    platforms: &[String],
    options: &LoadOptions,
) -> Result<Metadata, ProjectError> {
    let mut command = scrubbed(&cargo(), manifest);
    command.args([
        "metadata",
        "--format-version",
        "1",
        "--color",
        "never",
        "--manifest-path",
    ]);
    command.arg(manifest);
    for platform in platforms {
        command.args(["--filter-platform", platform]);
    }
    for features in &options.features {
        command.args(["--features", features]);
    }
    let flags = [
        (options.all_features, "--all-features"),
        (options.no_default_features, "--no-default-features"),
        (options.offline, "--offline"),
        (options.locked, "--locked"),
        (options.frozen, "--frozen"),
    ];
    command.args(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| flag));

    let stdout = stdout_of(command, manifest)?;
    MetadataCommand::parse(stdout).map_err(|error| ProjectError::Output {
        manifest: manifest.to_owned(),
        reason: error.to_string(),
    })
}

pub(super) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

fn stdout_of(command: Command, manifest: &Utf8Path) -> Result<String, ProjectError> {
    let output = run(command)?;
    if !output.status.success() {
        return Err(refusal(manifest, &String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| ProjectError::Output {
        manifest: manifest.to_owned(),
        reason: error.to_string(),
    })
}

/// A command in the manifest's directory that sees only those variables of cargo and rustc that say where things
/// are, not those that say what to build: inside `cargo build` the latter describe some other unit.
pub(super) fn scrubbed(program: &OsString, manifest: &Utf8Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(dir) = manifest.parent().filter(|dir| dir.is_dir()) {
        command.current_dir(dir);
    }
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_scrubbed) {
            command.env_remove(&name);
        }
    }
    command
}

pub(super) fn is_scrubbed(name: &str) -> bool {
    const KEPT: [&str; 3] = ["CARGO", "CARGO_HOME", "RUSTC_BOOTSTRAP"];
    // How to reach a registry decides whether there is an answer, never which.
    const KEPT_PREFIXES: [&str; 6] = [
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "RUSTUP_",
        "CARGO_CREDENTIAL_",
    ];
    let ours = name.starts_with("CARGO") || name.starts_with("RUST") || name == "MAKEFLAGS";
    ours && !KEPT.contains(&name) && !KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

pub(super) fn run(mut command: Command) -> Result<Output, ProjectError> {
    command.output().map_err(|source: io::Error| ProjectError::NotRunnable {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

fn refusal(manifest: &Utf8Path, stderr: &str) -> ProjectError {
    let message = errors_only(stderr);
    let manifest = manifest.to_owned();
    let says = |words: &str| stderr.contains(words);
    if says("but --offline was specified") || says("but --frozen was specified") || says("offline mode") {
        ProjectError::Offline { manifest, message }
    } else if says("--locked was passed") || says("--frozen was passed") {
        ProjectError::Locked { message }
    } else {
        ProjectError::Cargo { manifest, message }
    }
}

/// Cargo's stderr from its first error on: without warnings and progress, and without the word `error:`.
pub(super) fn errors_only(stderr: &str) -> String {
    let start = stderr.find("error: ").map_or(0, |at| at + "error: ".len());
    stderr[start..].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_that_say_what_to_build_are_scrubbed() {
        let scrubbed = [
            "CARGO_PKG_NAME",
            "CARGO_BUILD_TARGET",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "MAKEFLAGS",
        ];
        assert!(scrubbed.into_iter().all(is_scrubbed));
        let kept = [
            "CARGO",
            "CARGO_HOME",
            "RUSTUP_TOOLCHAIN",
            "CARGO_NET_OFFLINE",
            "PATH",
            "HOME",
        ];
        assert!(!kept.into_iter().any(is_scrubbed));
    }

    #[test]
    fn a_refusal_is_sorted_by_what_cargo_says() {
        let manifest = Utf8Path::new("/w/Cargo.toml");
        let offline = "warning: x\nerror: failed to download `a v1.0.0`\n\nCaused by:\n  attempting to make an HTTP request, but --offline was specified\n";
        assert!(
            matches!(refusal(manifest, offline), ProjectError::Offline { message, .. }
            if message.starts_with("failed to download `a v1.0.0`"))
        );
        let locked = "error: cannot update the lock file /w/Cargo.lock because --locked was passed to prevent this\n";
        assert!(matches!(refusal(manifest, locked), ProjectError::Locked { .. }));
        let other = "error: failed to parse manifest at `/w/Cargo.toml`\n";
        assert!(matches!(refusal(manifest, other), ProjectError::Cargo { .. }));
        assert!(matches!(refusal(manifest, ""), ProjectError::Cargo { message, .. } if message.is_empty()));
    }
}
