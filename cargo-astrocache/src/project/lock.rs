//! `Cargo.lock`: what pins a dependency's source, and keeping the file as it was.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::ProjectError;

/// The pins of a lock file.
#[derive(Debug, Default)]
pub(super) struct Pins {
    by_source: BTreeMap<(String, String, String), String>,
    /// For when source replacement makes cargo name the source differently. `None`: several, so none is right.
    by_version: BTreeMap<(String, String), Option<String>>,
}

#[derive(Deserialize)]
struct LockFile {
    #[serde(default)]
    package: Vec<LockPackage>,
}

#[derive(Deserialize)]
struct LockPackage {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl Pins {
    /// Reads `path`; a missing file has no pins.
    pub(super) fn read(path: &Utf8Path) -> Result<Pins, ProjectError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pins::default()),
            Err(source) => {
                return Err(ProjectError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let lock: LockFile = toml::from_str(&text).map_err(|error| ProjectError::Parse {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let mut pins = Pins::default();
        for package in lock.package {
            pins.add(package);
        }
        Ok(pins)
    }

    fn add(&mut self, package: LockPackage) {
        let LockPackage {
            name,
            version,
            source: Some(source),
            checksum,
        } = package
        else {
            return;
        };
        let pin = checksum
            .or_else(|| revision(&source))
            .unwrap_or_else(|| version.clone());
        self.by_version
            .entry((name.clone(), version.clone()))
            .and_modify(|other| *other = None)
            .or_insert_with(|| Some(pin.clone()));
        self.by_source.insert((name, version, source), pin);
    }

    /// What pins the source of this package: its checksum, else its git revision, else its version.
    pub(super) fn of(&self, name: &str, version: &str, source: &str) -> String {
        let (name, version) = (name.to_owned(), version.to_owned());
        let exact = self.by_source.get(&(name.clone(), version.clone(), source.to_owned()));
        let same_version = || self.by_version.get(&(name, version.clone())).cloned().flatten();
        exact
            .cloned()
            .or_else(same_version)
            .or_else(|| revision(source))
            .unwrap_or(version)
    }
}

/// `git+https://host/repo?branch=main#<revision>`
fn revision(source: &str) -> Option<String> {
    source
        .starts_with("git+")
        .then(|| source.split_once('#'))?
        .map(|(_, revision)| revision.to_owned())
}

/// A lock file as it was before cargo ran.
#[derive(Debug)]
pub(super) struct LockSnapshot {
    path: Utf8PathBuf,
    before: Option<(Vec<u8>, Option<SystemTime>)>,
}

impl LockSnapshot {
    /// Remembers the lock file beside `root_manifest`.
    pub(super) fn take(path: Utf8PathBuf) -> LockSnapshot {
        let modified = fs::metadata(&path).and_then(|stat| stat.modified()).ok();
        let before = fs::read(&path).ok().map(|bytes| (bytes, modified));
        LockSnapshot { path, before }
    }

    /// Whether the file is what it was.
    pub(super) fn is_unchanged(&self) -> bool {
        fs::read(&self.path).ok().as_ref() == self.before.as_ref().map(|(bytes, _)| bytes)
    }

    /// Writes the old bytes and time back, or deletes the file if there was none. Does nothing if nothing changed.
    pub(super) fn restore(self) -> Result<(), ProjectError> {
        if self.is_unchanged() {
            return Ok(());
        }
        let LockSnapshot { path, before } = self;
        let restored = match before {
            None => remove(&path),
            Some((bytes, modified)) => fs::write(&path, bytes).and_then(|()| set_modified(&path, modified)),
        };
        restored.map_err(|source| ProjectError::RestoreLock { path, source })
    }
}

/// Deletes a file that another analyzer may be deleting as well.
fn remove(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn set_modified(path: &Utf8Path, modified: Option<SystemTime>) -> io::Result<()> {
    match modified {
        Some(time) => File::options().write(true).open(path)?.set_modified(time),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4
[[package]]
name = "mine"
version = "0.1.0"
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://index.example/one"
checksum = "c1"
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://index.example/two"
checksum = "c2"
[[package]]
name = "b"
version = "2.0.0"
source = "git+https://host.example/b?branch=main#abc123"
[[package]]
name = "c"
version = "3.0.0"
source = "registry+https://index.example/one"
checksum = "c3"
"#;

    fn in_temp(text: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("Cargo.lock")).unwrap();
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn a_pin_is_the_checksum_then_the_revision_then_the_version() {
        let (_dir, path) = in_temp(LOCK);
        let pins = Pins::read(&path).unwrap();
        assert_eq!(pins.of("a", "1.0.0", "registry+https://index.example/two"), "c2");
        assert_eq!(
            pins.of("b", "2.0.0", "git+https://host.example/b?branch=main#abc123"),
            "abc123"
        );
        assert_eq!(pins.of("c", "3.0.0", "sparse+https://mirror.example/"), "c3");
        assert_eq!(pins.of("a", "1.0.0", "sparse+https://mirror.example/"), "1.0.0");
        assert_eq!(pins.of("unknown", "9.9.9", "registry+x"), "9.9.9");
    }

    #[test]
    fn a_garbage_lock_file_is_an_error_that_names_it() {
        let (_dir, path) = in_temp("<<<<<<< HEAD\n");
        let error = Pins::read(&path).unwrap_err().to_string();
        assert!(error.contains("Cargo.lock"), "{error}");
    }

    #[test]
    fn a_snapshot_brings_back_content_time_and_absence() {
        let (_dir, path) = in_temp("old");
        let old_time = fs::metadata(&path).unwrap().modified().unwrap() - std::time::Duration::from_secs(100);
        set_modified(&path, Some(old_time)).unwrap();

        let snapshot = LockSnapshot::take(path.clone());
        fs::write(&path, "new").unwrap();
        snapshot.restore().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), old_time);

        fs::remove_file(&path).unwrap();
        let snapshot = LockSnapshot::take(path.clone());
        fs::write(&path, "new").unwrap();
        snapshot.restore().unwrap();
        assert!(!path.exists());
        // Two that run at once both put it back.
        remove(&path).unwrap();
    }
}
