//! The ledger from outside: what is written comes back, damage of any kind is "no ledger", and a changed input is seen
//! however little its stat shows.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use astrocache_manifest::tokens::TokenHash;
use astrocache_manifest::{FileStamp, Finding, Fingerprint, Ledger, LedgerCrate, LedgerLibrary, LedgerRoot, now_ns};
use expect_test::expect;
use tempfile::TempDir;

fn sample() -> Ledger {
    Ledger {
        tool: "cargo-astrocache 0.1.0 (abc)".into(),
        workspace_root: "/w".into(),
        taken_ns: 5,
        platforms: vec!["x86_64-unknown-linux-gnu".into()],
        files: vec![
            FileStamp {
                path: "/w/src/lib.rs".into(),
                size: 3,
                mtime_ns: -1,
                hash: [1; 32],
            },
            FileStamp::absent(Path::new("/w/.cargo/config.toml")),
        ],
        crates: vec![LedgerCrate {
            root_file: "/w/src/lib.rs".into(),
            package: "w".into(),
            target: "lib".into(),
            features: vec!["default".into(), "std".into()],
            dormant: vec!["log".into()],
        }],
        libraries: vec![LedgerLibrary {
            root_file: "/r/serde/src/lib.rs".into(),
            features: vec!["std".into()],
            dormant: vec![],
        }],
        roots: vec![LedgerRoot {
            path: "w::f".into(),
            package: "w".into(),
            target: "lib".into(),
            file: "/w/src/lib.rs".into(),
            name: "f".into(),
            line: 3,
            column: 8,
            until: Some((4, 2)),
            source: TokenHash::from_bytes([2; 16]),
            fingerprint: Fingerprint::from_bytes([3; 16]),
            crates: vec!["w".into(), "serde".into()],
            cfgs: vec!["debug_assertions".into(), "w feature=\"x\"".into()],
            env: vec!["HOME".into()],
            files: vec![0],
            findings: vec![Finding {
                kind: "time".into(),
                name: "std::time::Instant::now".into(),
                file: "/w/src/lib.rs".into(),
                line: 4,
            }],
        }],
    }
}

/// A file, and a ledger over it that was taken `age` after the file's last change.
fn over_one_file(age: Duration) -> (TempDir, PathBuf, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.rs");
    fs::write(&path, "one").unwrap();
    let stamp = FileStamp::of(&path).unwrap();
    let taken_ns = stamp.mtime_ns + age.as_nanos() as i128;
    let ledger = Ledger {
        taken_ns,
        files: vec![stamp],
        ..Ledger::default()
    };
    assert!(ledger.is_current());
    (dir, path, ledger)
}

fn set_mtime(path: &Path, time: SystemTime) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

/// Changes the content and puts size and mtime back as they were.
fn change_unseen(path: &Path) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, "two").unwrap();
    set_mtime(path, time);
}

#[test]
fn a_ledger_comes_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = Ledger::path_in(dir.path(), Path::new("/w"));
    sample().write(&path).unwrap();
    assert_eq!(Ledger::read(&path), Some(sample()));
    sample().write(&path).unwrap();
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn the_bytes_and_the_place_are_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l");
    sample().write(&path).unwrap();
    expect!["319f61f2ddea4233"].assert_eq(&blake3::hash(&fs::read(&path).unwrap()).to_hex()[..16]);
    expect!["/t/astrocache/e737fb2ea0c9e5f3.ledger"]
        .assert_eq(&Ledger::path_in(Path::new("/t"), Path::new("/w")).to_string_lossy());
}

#[test]
fn no_cut_and_no_changed_byte_is_taken_for_a_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l");
    assert_eq!(Ledger::read(&path), None);
    sample().write(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        fs::write(&path, &bytes[..at]).unwrap();
        assert_eq!(Ledger::read(&path), None, "cut at {at}");
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        fs::write(&path, &changed).unwrap();
        assert_eq!(Ledger::read(&path), None, "changed at {at}");
    }
    fs::write(&path, [bytes.as_slice(), b"x"].concat()).unwrap();
    assert_eq!(Ledger::read(&path), None);
}

/// A body with a right checksum that an older or broken writer could have left.
#[test]
fn a_body_that_makes_no_sense_is_refused_although_its_checksum_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l");
    let mut wild = sample();
    wild.roots[0].files = vec![9];
    wild.write(&path).unwrap();
    assert_eq!(Ledger::read(&path), None);

    let head = fs::read(&path).unwrap()[..12].to_vec();
    for body in [vec![0xff; 64], vec![], vec![0; 7]] {
        let bytes = [head.as_slice(), blake3::hash(&body).as_bytes(), &body].concat();
        fs::write(&path, bytes).unwrap();
        assert_eq!(Ledger::read(&path), None);
    }
}

#[test]
fn a_directory_in_the_ledgers_place_is_no_ledger_and_an_error_to_write() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Ledger::read(dir.path()), None);
    assert!(sample().write(dir.path()).is_err());
}

#[test]
fn a_touched_file_with_the_same_content_is_current() {
    let (_dir, path, ledger) = over_one_file(Duration::from_secs(60));
    set_mtime(&path, SystemTime::now() + Duration::from_secs(30));
    assert!(ledger.is_current());
}

#[test]
fn a_change_of_content_size_or_existence_is_seen() {
    let (_dir, path, ledger) = over_one_file(Duration::from_secs(60));
    fs::write(&path, "two").unwrap();
    set_mtime(&path, SystemTime::now() + Duration::from_secs(30));
    assert!(!ledger.is_current());
    fs::write(&path, "three").unwrap();
    assert!(!ledger.is_current());
    fs::remove_file(&path).unwrap();
    assert!(!ledger.is_current());
    fs::create_dir(&path).unwrap();
    assert!(!ledger.is_current());
}

#[test]
fn a_change_in_the_same_tick_as_the_ledger_is_seen() {
    let (_dir, path, ledger) = over_one_file(Duration::from_millis(1));
    change_unseen(&path);
    assert!(!ledger.is_current());
}

#[test]
fn a_file_system_with_whole_seconds_gets_two_of_them() {
    let (_dir, path, mut ledger) = over_one_file(Duration::from_secs(60));
    set_mtime(&path, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    ledger.files = vec![FileStamp::of(&path).unwrap()];
    ledger.taken_ns = ledger.files[0].mtime_ns + 1_500_000_000;
    change_unseen(&path);
    assert!(!ledger.is_current());
}

#[test]
fn a_file_in_a_place_that_was_empty_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let ledger = Ledger {
        taken_ns: now_ns(),
        files: vec![FileStamp::absent(&path)],
        ..Ledger::default()
    };
    assert!(ledger.is_current());
    fs::write(&path, "").unwrap();
    assert!(!ledger.is_current());
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_text_cannot_be_written() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = sample();
    ledger.workspace_root = std::ffi::OsStr::from_bytes(b"/\xff").into();
    let error = ledger.write(&dir.path().join("l")).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}
