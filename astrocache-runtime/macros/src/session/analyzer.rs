//! The analyzer's ledger: the one on disk if it still holds, else a new one, asked for once per rustc process, under a file
//! lock between processes, with a bounded wait. The tool must never build in our target directory: cargo holds its lock.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use astrocache_manifest::Ledger;

use super::argv::Compilation;
use super::context;
use super::matching::same_file;
use super::units::{cargo_home, mtime};

/// How long the tool may take, and another process's turn before ours. `ASTROCACHE_TOOL_TIMEOUT` (seconds) overrides it.
const PATIENCE: Duration = Duration::from_secs(300);

static WATCHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Files to watch, handed out once.
pub fn take_watched() -> Vec<PathBuf> {
    WATCHED
        .lock()
        .map(|mut watched| std::mem::take(&mut *watched))
        .unwrap_or_default()
}

/// Why there is no ledger.
#[derive(Debug)]
pub struct NoLedger {
    pub why: String,
    /// Nothing that the user should do something about.
    pub expected: bool,
}

impl From<String> for NoLedger {
    fn from(why: String) -> NoLedger {
        NoLedger { why, expected: false }
    }
}

/// A ledger that covers this crate and is current, or why there is none.
pub fn ledger(compilation: &Compilation) -> Result<Ledger, NoLedger> {
    let expected = |why: &str| NoLedger {
        why: why.to_owned(),
        expected: true,
    };
    if !compilation.member {
        return Err(expected(
            "this package is not a member of the workspace that is being built",
        ));
    }
    let path = Ledger::path_in(&compilation.target_dir, &compilation.cwd);
    let tool = find_tool();
    if let Some(ledger) = current(compilation, &path, tool.as_deref()) {
        return for_this_target(ledger, compilation);
    }
    let Some(tool) = tool else {
        watch_for_the_tool(compilation);
        return Err(
            "cargo-astrocache is not installed (`cargo install cargo-astrocache` makes caching per function)"
                .to_owned()
                .into(),
        );
    };
    let deadline = Instant::now() + patience();
    let _lock = lock(&path.with_extension("lock"), deadline)?;
    if let Some(ledger) = current(compilation, &path, Some(&tool)) {
        return for_this_target(ledger, compilation);
    }
    run(&tool, compilation, &path.with_extension("stderr"), deadline)?;
    let ledger = match Ledger::read(&path) {
        Some(ledger) => ledger,
        None if !path.exists() => {
            return Err(format!("{} wrote no ledger for this directory", tool.display()).into());
        }
        None => {
            return Err(format!(
                "{} writes another format; update it and astrocache-runtime to versions that fit",
                tool.display()
            )
            .into());
        }
    };
    if !covers(&ledger, compilation) {
        return Err(expected(
            "cargo-astrocache does not count this package to the workspace",
        ));
    }
    if !ledger.is_current() {
        return Err("files changed while cargo-astrocache read them".to_owned().into());
    }
    for_this_target(ledger, compilation)
}

/// The ledger, if its fingerprints hold the code that this target has: they leave out what only others have.
fn for_this_target(ledger: Ledger, compilation: &Compilation) -> Result<Ledger, NoLedger> {
    match beyond(&ledger.platforms, compilation) {
        None => Ok(ledger),
        Some(platform) => {
            watch_the_manifest(compilation);
            Err(format!(
                "cargo-astrocache analyzed this workspace for {} and not for {platform}; add it to `platforms` in \
                 [workspace.metadata.astrocache]",
                ledger.platforms.join(", ")
            )
            .into())
        }
    }
}

/// The platform of this build that is not among those of an analysis. The host counts: build scripts and proc macros run there.
pub fn beyond<'c>(platforms: &[String], compilation: &'c Compilation) -> Option<&'c str> {
    let host = context::host();
    let of_build = [compilation.target_or(host), host];
    of_build
        .into_iter()
        .find(|platform| !platforms.iter().any(|known| known == platform))
}

fn current(compilation: &Compilation, path: &Path, tool: Option<&Path>) -> Option<Ledger> {
    // A tool that was installed after the ledger was written may know better.
    if tool
        .and_then(mtime)
        .is_some_and(|installed| mtime(path).is_none_or(|written| installed > written))
    {
        return None;
    }
    let ledger = Ledger::read(path)?;
    (covers(&ledger, compilation) && ledger.is_current()).then_some(ledger)
}

fn covers(ledger: &Ledger, compilation: &Compilation) -> bool {
    let same_root = ledger.workspace_root == compilation.cwd
        || fs::canonicalize(&ledger.workspace_root)
            .is_ok_and(|root| fs::canonicalize(&compilation.cwd).is_ok_and(|cwd| root == cwd));
    same_root
        && ledger
            .crates
            .iter()
            .any(|krate| same_file(&krate.root_file, &compilation.root_file))
}

/// `ASTROCACHE_TOOL` names it, or says `off`; else `$CARGO_HOME/bin`, then `PATH`.
fn find_tool() -> Option<PathBuf> {
    if let Some(tool) = env::var_os("ASTROCACHE_TOOL").filter(|tool| !tool.is_empty()) {
        return (tool != "off").then(|| PathBuf::from(tool));
    }
    let name = format!("cargo-astrocache{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = [cargo_home().join("bin")].into_iter().chain(env::split_paths(&path));
    dirs.map(|dir| dir.join(&name)).find(|tool| tool.is_file())
}

fn patience() -> Duration {
    let seconds = env::var("ASTROCACHE_TOOL_TIMEOUT")
        .ok()
        .and_then(|text| text.parse().ok());
    seconds.map_or(PATIENCE, Duration::from_secs)
}

/// What the root manifest says of features and platforms decides whether a ledger can be used; cargo looks at neither.
pub fn watch_the_manifest(compilation: &Compilation) {
    if let Ok(mut list) = WATCHED.lock() {
        list.push(compilation.cwd.join("Cargo.toml"));
    }
}

/// Once the tool is there, crates that were built without it must be built again, and nothing in them has changed. Two files
/// are watched for that: cargo's list of installed programs, and a stamp of ours that `cargo astrocache` touches. The
/// stamp is old from the start, or it would look changed by this very build.
fn watch_for_the_tool(compilation: &Compilation) {
    let stamp = compilation.target_dir.join("astrocache").join("stamp");
    let installed = cargo_home().join(".crates.toml");
    let mut watched = Vec::new();
    if make_stamp(&stamp).is_ok() {
        watched.push(stamp);
    }
    if installed.is_file() {
        watched.push(installed);
    }
    if let Ok(mut list) = WATCHED.lock() {
        *list = watched;
    }
}

fn make_stamp(stamp: &Path) -> io::Result<()> {
    if stamp.is_file() {
        return Ok(());
    }
    if let Some(dir) = stamp.parent() {
        fs::create_dir_all(dir)?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(stamp)?;
    file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)))
}

fn lock(path: &Path, deadline: Instant) -> Result<File, String> {
    let failed = |error: io::Error| format!("{} cannot be locked: {error}", path.display());
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(failed)?;
    wait_until(deadline, || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(failed(error)),
    })?
    .ok_or_else(|| format!("another process has held {} for too long", path.display()))?;
    Ok(file)
}

/// Asks again and again, less and less often, until there is an answer or the time is up.
fn wait_until<T>(deadline: Instant, mut ask: impl FnMut() -> Result<Option<T>, String>) -> Result<Option<T>, String> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn run(tool: &Path, compilation: &Compilation, stderr: &Path, deadline: Instant) -> Result<(), String> {
    let failed = |what: String| format!("{} failed: {what}", tool.display());
    let mut child = start(tool, compilation, stderr).map_err(|error| failed(error.to_string()))?;
    match wait(&mut child, deadline)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let text = fs::read_to_string(stderr).unwrap_or_default();
            Err(failed(
                text.lines()
                    .find(|line| !line.trim().is_empty())
                    .map_or_else(|| status.to_string(), str::to_owned),
            ))
        }
        None => {
            // It is ours and it is late; that it may just have ended is no error.
            let _ = child.kill();
            let _ = child.wait();
            Err(failed("it took too long".to_owned()))
        }
    }
}

fn start(tool: &Path, compilation: &Compilation, stderr: &Path) -> io::Result<Child> {
    let mut command = Command::new(tool);
    command
        .args(["astrocache", "ledger", "--manifest-path"])
        .arg(compilation.manifest_dir.join("Cargo.toml"));
    command.arg("--target-dir").arg(&compilation.target_dir);
    for (name, _) in env::vars_os().filter(|(name, _)| is_ours_alone(name)) {
        command.env_remove(name);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(stderr)?)
        .spawn()
}

fn wait(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>, String> {
    wait_until(deadline, || child.try_wait().map_err(|error| error.to_string()))
}

/// Variables that cargo set for this rustc, and would mislead another cargo.
fn is_ours_alone(name: &OsStr) -> bool {
    let name: OsString = name.to_ascii_uppercase();
    let name = name.to_string_lossy();
    let kept = ["CARGO", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&&*name)
        || ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_SOURCE_"]
            .iter()
            .any(|front| name.starts_with(front));
    let set = ["CARGO", "RUST", "DYLD_", "LD_LIBRARY_PATH", "OUT_DIR"]
        .iter()
        .any(|front| name.starts_with(front));
    (set && !kept) || name.ends_with("MAKEFLAGS") || name == "MFLAGS"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_gets_the_users_environment_and_not_ours() {
        for gone in [
            "CARGO_PKG_NAME",
            "CARGO_TARGET_DIR",
            "RUSTFLAGS",
            "RUST_LOG",
            "CARGO_MAKEFLAGS",
            "MAKEFLAGS",
            "LD_LIBRARY_PATH",
            "OUT_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
        ] {
            assert!(is_ours_alone(gone.as_ref()), "{gone}");
        }
        for kept in [
            "PATH",
            "HOME",
            "CARGO",
            "CARGO_HOME",
            "RUSTUP_TOOLCHAIN",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_X_INDEX",
            "ASTROCACHE_LOG",
        ] {
            assert!(!is_ours_alone(kept.as_ref()), "{kept}");
        }
    }

    #[test]
    fn a_ledger_serves_the_targets_it_was_made_for() {
        let serves = |platforms: &[&str], target: &str| {
            let ledger = Ledger {
                platforms: platforms.iter().map(|&it| it.to_owned()).collect(),
                ..Ledger::default()
            };
            let compilation = Compilation {
                target: target.to_owned(),
                ..Compilation::default()
            };
            for_this_target(ledger, &compilation).is_ok()
        };
        let host = context::host();
        assert!(!host.is_empty());
        assert!(serves(&[host], "") && serves(&[host], host));
        assert!(serves(&["wasm32-unknown-unknown", host], "wasm32-unknown-unknown"));
        assert!(
            !serves(&["wasm32-unknown-unknown"], "wasm32-unknown-unknown"),
            "proc macros run on the host"
        );
        assert!(!serves(&[host], "wasm32-unknown-unknown") && !serves(&[host], "own.json"));
        assert!(!serves(&[], "") && !serves(&["wasm32-unknown-unknown"], ""));
    }

    #[test]
    fn the_stamp_is_old_and_a_touched_one_stays_touched() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = dir.path().join("astrocache/stamp");
        make_stamp(&stamp).unwrap();
        assert_eq!(mtime(&stamp), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1)));
        let touched = SystemTime::UNIX_EPOCH + Duration::from_secs(5000);
        File::options()
            .write(true)
            .open(&stamp)
            .unwrap()
            .set_modified(touched)
            .unwrap();
        make_stamp(&stamp).unwrap();
        assert_eq!(mtime(&stamp), Some(touched));
    }

    #[test]
    fn a_lock_that_stays_taken_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let held = lock(&path, Instant::now()).unwrap();
        assert!(lock(&path, Instant::now()).unwrap_err().contains("for too long"));
        drop(held);
        assert!(lock(&path, Instant::now()).is_ok());
    }
}
