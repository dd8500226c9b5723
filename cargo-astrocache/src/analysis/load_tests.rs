//! What makes an earlier run's project be asked for again, one kind of input a line; what does not; damaged files. The
//! oracle is a project loaded without anything kept.

use std::{fs, path::PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::{LoadedProject, load_project_at};
use crate::{
    project::{LoadOptions, load},
    source::settle,
};

const WORKSPACE: &[(&str, &str)] = &[
    (
        "up/ws/Cargo.toml",
        "[workspace]\nmembers = ['crates/*']\nresolver = '2'\n[patch.crates-io]\nunused = { path = '../patched' }\n",
    ),
    (
        "up/ws/crates/app/Cargo.toml",
        "[package]\nname = 'app'\nversion = '0.1.0'\nedition = '2021'\n[features]\nx = []\n[dependencies]\nout = { path = '../../../out' }\n",
    ),
    ("up/ws/crates/app/src/lib.rs", ""),
    (
        "up/out/Cargo.toml",
        "[package]\nname = 'out'\nversion = '0.1.0'\nedition = '2021'\n",
    ),
    ("up/out/src/lib.rs", ""),
    (
        "up/patched/Cargo.toml",
        "[package]\nname = 'unused'\nversion = '0.1.0'\nedition = '2021'\n",
    ),
    ("up/patched/src/lib.rs", ""),
];

struct Place {
    _dir: TempDir,
    root: Utf8PathBuf,
    folder: PathBuf,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        let folder = dir.path().join("kept");
        let place = Place {
            _dir: dir,
            root,
            folder,
        };
        for (path, text) in WORKSPACE {
            place.write(path, text);
        }
        // Makes `Cargo.lock`.
        place.load_with(&options(false));
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn manifest(&self) -> Utf8PathBuf {
        self.root.join("up/ws/Cargo.toml")
    }

    fn load_with(&self, options: &LoadOptions) -> LoadedProject {
        load_project_at(Some(&self.manifest()), options, Some(&self.folder)).unwrap()
    }

    /// Loads, and compares with what cargo says. Whether cargo was spared.
    fn is_kept(&self) -> bool {
        let loaded = self.load_with(&options(true));
        assert_eq!(loaded.project, load(Some(&self.manifest()), &options(true)).unwrap());
        loaded.is_kept
    }

    fn kept_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap();
        entries.map(|it| it.unwrap().path()).collect()
    }
}

fn options(keep_lock: bool) -> LoadOptions {
    LoadOptions {
        offline: true,
        keep_lock,
        ..LoadOptions::default()
    }
}

#[test]
fn cargo_is_asked_again_after_each_kind_of_change_and_once() {
    let place = Place::new();
    let read = |path: &str| fs::read_to_string(place.root.join(path)).unwrap();
    let app = read("up/ws/crates/app/Cargo.toml");
    let changes: &[(&str, &str)] = &[
        // Manifests: the root, a member, a path dependency outside, an unused patch.
        (
            "up/ws/Cargo.toml",
            &(read("up/ws/Cargo.toml") + "[profile.dev]\npanic = 'abort'\n"),
        ),
        (
            "up/ws/crates/app/Cargo.toml",
            &app.replace("x = []", "x = []\ny = ['x']\ndefault = ['y']"),
        ),
        (
            "up/out/Cargo.toml",
            "[package]\nname = 'out'\nversion = '0.1.0'\nedition = '2018'\n",
        ),
        (
            "up/patched/Cargo.toml",
            "[package]\nname = 'unused'\nversion = '0.1.0'\nedition = '2018'\n",
        ),
        // Targets that are found, not named.
        ("up/ws/crates/app/build.rs", "fn main() {}"),
        ("up/ws/crates/app/src/main.rs", "fn main() {}"),
        ("up/ws/crates/app/src/bin/tool.rs", "fn main() {}"),
        ("up/ws/crates/app/src/bin/deep/main.rs", "fn main() {}"),
        ("up/ws/crates/app/examples/show.rs", "fn main() {}"),
        ("up/ws/crates/app/tests/it.rs", ""),
        ("up/ws/crates/app/benches/it.rs", ""),
        ("up/out/build.rs", "fn main() {}"),
        ("up/out/README.md", ""),
        // Configuration at each level.
        ("up/ws/.cargo/config.toml", "[env]\nA = '1'\n"),
        ("up/ws/.cargo/config.toml", "[env]\nA = '2'\n"),
        ("up/.cargo/config.toml", "[build]\ntarget-dir = 'elsewhere'\n"),
        (".cargo/config", "[net]\noffline = true\n"),
        // A workspace around the path dependency.
        (
            "up/Cargo.toml",
            "[workspace]\nmembers = ['out', 'patched']\nexclude = ['ws']\n",
        ),
        // A toolchain file.
        ("up/rust-toolchain.toml", "[toolchain]\n"),
    ];
    place.is_kept();
    assert!(place.is_kept());
    for (path, text) in changes {
        place.write(path, text);
        assert!(!place.is_kept(), "{path}: {text}");
        assert!(place.is_kept(), "{path}: {text}, the second time");
    }
    // Each of them gone again, the last first.
    for path in [
        "up/rust-toolchain.toml",
        "up/Cargo.toml",
        ".cargo/config",
        "up/ws/crates/app/src/bin/tool.rs",
    ] {
        fs::remove_file(place.root.join(path)).unwrap();
        assert!(!place.is_kept(), "{path} removed");
        assert!(place.is_kept());
    }
}

#[test]
fn a_new_member_is_found_and_its_lock_entry_waits_for_a_run_that_may_write() {
    let place = Place::new();
    place.is_kept();
    assert!(place.is_kept());
    place.write(
        "up/ws/crates/more/Cargo.toml",
        "[package]\nname = 'more'\nversion = '0.1.0'\n",
    );
    place.write("up/ws/crates/more/src/lib.rs", "");
    // Cargo had to complete the lock file: what it says may be another thing tomorrow.
    assert!(!place.is_kept());
    assert!(!place.is_kept());
    place.load_with(&options(false));
    place.is_kept();
    assert!(place.is_kept());
    assert_eq!(place.load_with(&options(true)).project.packages.len(), 3);
}

#[test]
fn a_lock_file_that_cargo_would_write_differently_or_that_is_gone_keeps_nothing() {
    let place = Place::new();
    place.is_kept();
    let lock = place.root.join("up/ws/Cargo.lock");
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, format!("{text}# more\n")).unwrap();
    assert!(!place.is_kept());
    assert!(!place.is_kept());
    fs::remove_file(&lock).unwrap();
    assert!(!place.is_kept());
    assert!(!place.is_kept());
    fs::write(&lock, text).unwrap();
    assert!(place.is_kept());
}

#[test]
fn edits_of_source_cost_no_question_to_cargo() {
    let place = Place::new();
    place.is_kept();
    place.write("up/ws/crates/app/src/lib.rs", "mod more;");
    place.write("up/ws/crates/app/src/more.rs", "");
    place.write("up/ws/crates/app/tests/data/x.txt", "");
    place.write("up/ws/notes.md", "");
    assert!(place.is_kept());
}

#[test]
fn options_are_kept_side_by_side() {
    let place = Place::new();
    place.is_kept();
    let with = LoadOptions {
        features: vec!["x".to_owned()],
        ..options(true)
    };
    let elsewhere = LoadOptions {
        target_dir: Some("/elsewhere".into()),
        ..options(true)
    };
    for options in [&with, &elsewhere] {
        let first = place.load_with(options);
        assert!(!first.is_kept);
        let second = place.load_with(options);
        assert!(second.is_kept);
        assert_eq!(first.project, second.project);
    }
    assert!(place.is_kept());
    assert_eq!(place.kept_files().len(), 3);
}

#[test]
fn where_cargo_goes_farther_than_the_walk_nothing_is_kept() {
    let place = Place::new();
    place.write("other.toml", "");
    for config in ["include = ['../../../other.toml']\n", "paths = ['../patched']\n"] {
        place.write("up/ws/.cargo/config.toml", config);
        place.load_with(&options(true));
        assert!(!place.load_with(&options(true)).is_kept, "{config}");
    }
}

#[test]
fn damaged_and_foreign_files_are_told_of_and_made_anew() {
    let place = Place::new();
    place.is_kept();
    assert!(place.is_kept());
    for file in place.kept_files() {
        let whole = fs::read(&file).unwrap();
        let step = whole.len() / 12 + 1;
        for at in (0..whole.len()).step_by(step) {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            for damaged in [flipped, whole[..at].to_vec()] {
                // Only that of these options is looked at.
                fs::write(&file, damaged).unwrap();
                place.is_kept();
                assert!(place.is_kept());
            }
        }
        fs::write(&file, "garbage").unwrap();
    }
    let told = place.load_with(&options(true)).notice.unwrap();
    assert!(told.contains("it is damaged; cargo is asked again"), "{told}");
    assert!(place.is_kept());
}

#[test]
fn a_folder_that_cannot_be_written_costs_a_line() {
    let place = Place::new();
    let taken = place.root.join("taken");
    fs::write(&taken, "").unwrap();
    let load = |folder: Option<&Utf8Path>| {
        load_project_at(
            Some(&place.manifest()),
            &options(true),
            folder.map(Utf8Path::as_std_path),
        )
        .unwrap()
    };
    let loaded = load(Some(&taken));
    assert!(!loaded.is_kept && loaded.notice.is_some());
    assert_eq!(load(None).notice, None);
}

#[test]
fn an_edit_while_cargo_runs_leaves_nothing_even_if_it_is_taken_back() {
    let place = Place::new();
    settle();
    let environment = crate::project::Environment::look(Some(&place.manifest()), &options(true)).unwrap();
    let text = fs::read_to_string(place.manifest()).unwrap();
    fs::write(place.manifest(), format!("{text}\n")).unwrap();
    fs::write(place.manifest(), &text).unwrap();
    assert!(environment.load().unwrap().1.is_none());
    let again = crate::project::Environment::look(Some(&place.manifest()), &options(true)).unwrap();
    assert!(again.load().unwrap().1.is_some());
}
