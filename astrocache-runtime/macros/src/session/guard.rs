//! Edits during a build. rustc has read the old text, the analyzer reads the new one: without this the old code would store
//! its values under the new code's fingerprint. A file that changed after its unit's rustc was started may have been read
//! either way, so nothing is cached, and cargo, which compares the same times, compiles the unit anew next time.
//!
//! What escapes, as it escapes cargo: an edit that keeps the mtime. A dependency's Cargo.toml is not looked at either:
//! cargo does not rebuild for most changes of it, so its mtime says nothing.

use std::path::Path;
use std::time::SystemTime;

use super::units::{Units, mtime};

pub struct Guard<'a> {
    pub units: &'a Units,
}

impl Guard<'_> {
    /// Have the dependencies' sources been left alone since they were compiled?
    pub fn dependencies(&self) -> Result<(), String> {
        self.units.dependencies.iter().try_for_each(|unit| {
            unit.local_sources
                .iter()
                .try_for_each(|source| unchanged(source, unit.started))
        })
    }

    /// Have these files been left alone since this compilation began?
    pub fn own<'p>(&self, files: impl IntoIterator<Item = &'p Path>) -> Result<(), String> {
        // A place that must stay empty has no mtime, and needs none.
        files
            .into_iter()
            .filter(|file| file.exists())
            .try_for_each(|file| unchanged(file, self.units.started))
    }
}

fn unchanged(file: &Path, started: SystemTime) -> Result<(), String> {
    match mtime(file) {
        Some(changed) if changed <= started => Ok(()),
        _ => Err(format!(
            "{} changed while it was being compiled; build again",
            file.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::units::Unit;
    use std::fs::{self, File};
    use std::sync::OnceLock;
    use std::time::Duration;

    fn units(started: SystemTime, source: &Path) -> Units {
        let unit = Unit {
            package: "p".into(),
            hash: "1".into(),
            records: "/r".into(),
            started,
            root_file: source.to_path_buf(),
            uses: vec![],
            local_sources: vec![source.to_path_buf()],
            env: vec![],
            features: OnceLock::new(),
        };
        Units {
            started,
            dependencies: vec![unit],
        }
    }

    #[test]
    fn a_file_is_settled_only_if_it_is_not_newer_than_its_compilation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.rs");
        fs::write(&path, "").unwrap();
        let started = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        for (age, settled) in [(0, true), (1, false)] {
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(started + Duration::from_millis(age)).unwrap();
            let units = units(started, &path);
            let guard = Guard { units: &units };
            assert_eq!(guard.dependencies().is_ok(), settled);
            assert_eq!(guard.own([path.as_path()]).is_ok(), settled);
        }
    }

    #[test]
    fn a_dependencys_source_that_is_gone_is_not_settled() {
        let units = units(SystemTime::now(), Path::new("/no/such/file.rs"));
        let error = Guard { units: &units }.dependencies().unwrap_err();
        assert_eq!(
            error,
            "/no/such/file.rs changed while it was being compiled; build again"
        );
        assert!(Guard { units: &units }.own([Path::new("/no/such")]).is_ok());
    }
}
