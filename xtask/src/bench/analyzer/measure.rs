//! One measurement: a process started, waited for, and what the kernel says it took, its children included.

use std::fs::File;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

use anyhow::{Context as _, bail};

use crate::workspace::{cargo, root, succeed};

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// The largest resident set of it or one of its children.
    pub peak_mib: f64,
}

/// The programs that are measured.
pub struct Tools {
    pub analyzer: PathBuf,
    pub floor: PathBuf,
}

impl Tools {
    /// Builds them as they are released.
    pub fn build() -> anyhow::Result<Tools> {
        let mut build = cargo(&root());
        build.args(["build", "--release", "--quiet", "--package", "cargo-astrocache"]);
        build.args(["--bins", "--example", "floor"]);
        succeed(build, "the build of the analyzer")?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let release = root().join(target).join("release");
        Ok(Tools {
            analyzer: release.join("cargo-astrocache"),
            floor: release.join("examples/floor"),
        })
    }
}

/// Runs a command of which only what it costs is of interest; `input` becomes its stdin. Fails unless it exits with one of
/// these codes.
pub fn cost(mut command: Command, input: Option<&Path>, codes: &[i32]) -> anyhow::Result<Cost> {
    let stdin = match input {
        Some(path) => Stdio::from(File::open(path).with_context(|| format!("cannot open {}", path.display()))?),
        None => Stdio::null(),
    };
    command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let (status, usage) = wait(child.id())?;
    let wall = started.elapsed();
    if !libc::WIFEXITED(status) || !codes.contains(&libc::WEXITSTATUS(status)) {
        bail!("{command:?} failed (wait status {status:#x})");
    }
    let time = |it: libc::timeval| Duration::from_secs(it.tv_sec as u64) + Duration::from_micros(it.tv_usec as u64);
    Ok(Cost {
        wall,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_mib: usage.ru_maxrss as f64 / 1024.0,
    })
}

fn wait(pid: u32) -> anyhow::Result<(i32, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live values of the right types; the process is our child, and no one else waits for it.
    let waited = unsafe { libc::wait4(pid as libc::pid_t, &mut status, 0, usage.as_mut_ptr()) };
    if waited < 0 {
        return Err(io::Error::last_os_error()).context("cannot wait for a process");
    }
    // SAFETY: all zeros is a valid `rusage`, and `wait4` filled it.
    Ok((status, unsafe { usage.assume_init() }))
}

/// The least of several runs: what others do on the machine only ever adds.
pub fn least(all: &[Cost]) -> Cost {
    let by = |key: fn(&Cost) -> f64| all.iter().map(key).fold(f64::INFINITY, f64::min);
    Cost {
        wall: Duration::from_secs_f64(by(|it| it.wall.as_secs_f64())),
        cpu: Duration::from_secs_f64(by(|it| it.cpu.as_secs_f64())),
        peak_mib: by(|it| it.peak_mib),
    }
}
