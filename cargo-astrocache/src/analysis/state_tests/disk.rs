//! What the disk and other processes can do: it is full or read-only, two analyzers write at once, a file changes while
//! it is read, a file is huge.

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::workspace::{REQUEST, Workspace, timeless};
use crate::{
    analysis::{Analysis, AnalysisError, Places, run_at},
    db::PackPlaces,
};

/// A file system of its own, gone when this is.
struct Mounted(Utf8PathBuf);

impl Mounted {
    /// `None` where mounting is not allowed: only root may.
    fn new(at: Utf8PathBuf, options: &str) -> Option<Mounted> {
        fs::create_dir_all(&at).unwrap();
        mount(&["-t", "tmpfs", "-o", options, "tmpfs", at.as_str()]).then_some(Mounted(at))
    }

    fn read_only(&self) {
        assert!(mount(&["-o", "remount,ro", self.0.as_str()]));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str]) -> bool {
    let mut command = Command::new("mount");
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

fn places(folder: &Utf8Path) -> Places {
    Places {
        packs: PackPlaces {
            shared: Some(folder.join("shared").into()),
            own: Some(folder.join("own.pack").into()),
        },
        state: Some(folder.join("own.state").into()),
    }
}

/// Asserts that what went wrong was told and changed nothing.
fn told(mut analysis: Analysis, expected: &Analysis) {
    assert!(!analysis.notices.is_empty());
    analysis.notices.clear();
    assert_eq!(timeless(analysis), *expected);
}

#[test]
fn a_full_or_read_only_disk_costs_a_line() {
    let mut workspace = Workspace::new();
    let expected = workspace.scratch();
    for (options, read_only) in [("size=8k", false), ("size=8m", true)] {
        let Some(disk) = Mounted::new(workspace.fixture.root.join("disk"), options) else {
            eprintln!("not tested: this user may not mount");
            return;
        };
        workspace.places = places(&disk.0);
        if read_only {
            // What an earlier run left is of use, though nothing can be added.
            workspace.check();
            disk.read_only();
            let mut again = workspace.run().0;
            // By now the files may be old enough for their times to be kept, which cannot be done here.
            again.notices.clear();
            assert_eq!(timeless(again), expected);
            workspace.edit("app/src/a.rs", "\"X\"", "\"Y\"");
            let edited = workspace.scratch();
            told(workspace.run().0, &edited);
            told(workspace.run().0, &edited);
            continue;
        }
        told(workspace.run().0, &expected);
        told(workspace.run().0, &expected);
        let left = fs::read_dir(&disk.0).unwrap().map(|it| it.unwrap().file_name());
        let left: Vec<_> = left
            .filter(|it| it.to_string_lossy().starts_with(".writing-"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn analyzers_at_once_all_say_what_one_says_and_leave_what_the_next_can_use() {
    let workspace = Workspace::new();
    for body in ["\"X\"", "\"Y\"", "\"Z\""] {
        let text = format!("pub fn f() -> u8 {{ std::env::var({body}).len() as u8 }}\n");
        workspace.write("app/src/a.rs", text);
        let expected = workspace.scratch();
        let (project, places) = (&workspace.fixture.project, &workspace.places);
        thread::scope(|scope| {
            let runs: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| run_at(project, &REQUEST, places).unwrap()))
                .collect();
            for run in runs {
                assert_eq!(timeless(run.join().unwrap()), expected);
            }
        });
        assert_eq!(workspace.check(), "");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_one_or_the_other() {
    let workspace = Workspace::new();
    let texts = ["X", "Y"].map(|it| format!("pub fn f() -> u8 {{ std::env::var(\"{it}\").len() as u8 }}\n"));
    let root = &workspace.fixture.root;
    let expected = texts.each_ref().map(|text| {
        workspace.write("app/src/a.rs", text);
        fingerprints(&workspace.scratch())
    });
    assert_ne!(expected[0], expected[1]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Replaced whole, as editors do.
            for text in texts.iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                fs::write(root.join("next"), text).unwrap();
                fs::rename(root.join("next"), root.join("app/src/a.rs")).unwrap();
            }
        });
        for _ in 0..30 {
            match run_at(&workspace.fixture.project, &REQUEST, &workspace.places) {
                Ok(analysis) => assert!(expected.contains(&fingerprints(&analysis))),
                Err(error) => assert!(matches!(error, AnalysisError::Unsettled), "{error}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    workspace.check();
}

fn fingerprints(analysis: &Analysis) -> Vec<String> {
    analysis.roots.iter().map(|it| it.fingerprint.to_string()).collect()
}

#[test]
fn a_file_of_50_megabytes_is_read_and_one_beyond_the_limit_is_told_of() {
    let workspace = Workspace::new();
    let of = |bytes: usize, value: u8| {
        let data = "x".repeat(bytes);
        workspace.write(
            "app/src/a.rs",
            format!("pub fn f() -> u8 {{ {value} }}\npub const DATA: &str = \"{data}\";\n"),
        );
        workspace.scratch()
    };
    let (one, two) = (of(50_000_000, 1), of(50_000_000, 2));
    assert_ne!(fingerprints(&one), fingerprints(&two));
    assert!(one.diagnostics.is_empty());
    let beyond = of(70_000_000, 1);
    assert!(
        beyond.diagnostics[0].message.contains("over the limit"),
        "{:?}",
        beyond.diagnostics
    );
}
