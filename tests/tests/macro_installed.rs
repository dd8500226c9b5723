//! Installing the tool after a project was built without it. Nothing in the project has changed then, and still its next build must
//! find the tool, once.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use astrocache_tests::project::Project;

const FAKE: &str = env!("CARGO_BIN_EXE_fake-analyzer");

fn app(name: &str, home: &Path) -> Project {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-installed");
    let mut project = Project::new(&target).unwrap().package(".", name, "").unwrap();
    project
        .write(
            "src/main.rs",
            "#[astrocache::cached]\nfn f(x: u64) -> u64 { x }\nfn main() { f(1); }\n",
        )
        .unwrap();
    project.set("CARGO_HOME", home.to_str().unwrap());
    project.unset("ASTROCACHE_TOOL");
    project.set("PATH", &path_without_the_tool());
    project
}

/// Whoever runs this may have installed the tool.
fn path_without_the_tool() -> String {
    let toolchain = std::env::var_os("CARGO").and_then(|cargo| Path::new(&cargo).parent().map(Path::to_path_buf));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).filter(|dir| !dir.join("cargo-astrocache").exists());
    let joined = std::env::join_paths(toolchain.into_iter().chain(dirs)).unwrap();
    joined.into_string().unwrap()
}

/// A home of its own that shares the real one's packages.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let real =
        std::env::var_os("CARGO_HOME").map_or_else(|| std::env::home_dir().unwrap().join(".cargo"), PathBuf::from);
    for shared in ["registry", "git", "config.toml"]
        .iter()
        .filter(|name| real.join(name).exists())
    {
        std::os::unix::fs::symlink(real.join(shared), home.path().join(shared)).unwrap();
    }
    fs::write(home.path().join(".crates.toml"), "[v1]\n").unwrap();
    home
}

fn kind(project: &Project) -> String {
    project.run(&[]).unwrap()[0].kind.clone()
}

fn is_fresh(project: &Project, name: &str) -> bool {
    let ran = project.cargo(&["build"]).unwrap();
    ran.ok && !ran.compiled(name)
}

/// Any command of the real tool, run by hand.
fn tool(project: &Project, home: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_astrocache-tool"))
        .args(["astrocache", "check", "--target-dir"])
        .arg(project.target())
        .current_dir(project.path())
        .env("CARGO_HOME", home)
        .env("CARGO_NET_OFFLINE", "true")
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1), "there is no manifest");
}

/// One test, since all projects of a target directory share the stamp.
#[test]
fn the_next_build_after_an_installation_is_fine_and_the_one_after_that_is_fresh() {
    let home = home();
    let project = app("by-list", home.path());
    assert_eq!(kind(&project), "coarse");
    assert!(
        is_fresh(&project, "by-list"),
        "what is watched must not look changed by the build itself"
    );
    // What `cargo install` does.
    fs::create_dir(home.path().join("bin")).unwrap();
    fs::copy(FAKE, home.path().join("bin/cargo-astrocache")).unwrap();
    fs::write(home.path().join(".crates.toml"), "[v1]\n\"cargo-astrocache\" = []\n").unwrap();
    assert_eq!(kind(&project), "fine");
    assert!(is_fresh(&project, "by-list"));

    let mut project = app("by-stamp", home.path());
    project.set("ASTROCACHE_TOOL", "off");
    assert_eq!(kind(&project), "coarse");
    assert!(is_fresh(&project, "by-stamp"));
    tool(&project, home.path());
    project.unset("ASTROCACHE_TOOL");
    assert_eq!(kind(&project), "fine");
    assert!(is_fresh(&project, "by-stamp"));
}
