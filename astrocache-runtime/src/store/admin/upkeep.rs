//! Checking every file of a store, and removing the whole of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ClearReport, Result, Store, StoreError, VerifyReport, bytes_under};
use crate::os;
use crate::record::Image;
use crate::store::{files, location};

/// How often a folder is emptied again into which a running program wrote meanwhile.
const CLEAR_TRIES: u32 = 10;

impl Store {
    /// Reads and checks every file, removes what is damaged or foreign, and repairs the catalogue. Follows no link.
    pub fn verify(&self) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        for dir in self.live.files.dirs() {
            check_folder(&dir, is_whole, &mut report)?;
        }
        for name in ["small", "journal", "temp"] {
            check_folder(&self.root.join(name), is_regular, &mut report)?;
        }
        report.dropped_records = self.live.small.for_each(|_, _| ());
        self.rewrite(|_| true)?;
        self.live.files.sweep_temp();
        let entries = self.list();
        report.good = entries.len() as u64;
        report.catalogue_renewed = self.settle(&entries)?;
        Ok(report)
    }

    /// Removes the whole store. Programs that use it begin a new one.
    ///
    /// # Errors
    ///
    /// Something in the folder is not of a store: then nothing is removed.
    pub fn clear(&self) -> Result<ClearReport> {
        let failed = |source| StoreError::Io {
            path: self.root.clone(),
            source,
        };
        let parts = location::parts(&self.root).map_err(|source| StoreError::NotAStore {
            path: self.root.clone(),
            source,
        })?;
        let report = ClearReport {
            entries: self.list().len() as u64,
            bytes: bytes_under(&self.root),
        };
        for part in parts {
            remove_tree(&part).map_err(failed)?;
        }
        match fs::remove_dir(&self.root) {
            // Not empty: a running program has begun a new store.
            Ok(()) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {}
            Err(error) => return Err(failed(error)),
        }
        self.live.small.forget();
        Ok(report)
    }
}

/// Removes from a folder what is not as it should be. Of folders only empty ones, or what someone put there would go.
fn check_folder(dir: &Path, is_good: impl Fn(&Path) -> bool, report: &mut VerifyReport) -> Result<()> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|it| it.path())
        .collect();
    paths.sort_unstable();
    for path in paths {
        if is_good(&path) {
            continue;
        }
        let is_dir = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        let removed = match is_dir {
            true => fs::remove_dir(&path),
            false => fs::remove_file(&path),
        };
        match removed {
            Ok(()) => report.removed.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if is_dir => report.left.push(path),
            Err(source) => return Err(StoreError::Io { path, source }),
        }
    }
    Ok(())
}

fn is_regular(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Does this file hold a whole record, under the name of its key?
fn is_whole(path: &Path) -> bool {
    let Some(key) = files::with_header(path, |header| header.key) else {
        return false;
    };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let read = || {
        let (file, metadata) = os::open_file(path).ok()?;
        let bytes = os::read_exact_at(&file, 0, usize::try_from(metadata.len()).ok()?).ok()?;
        Image::verify(bytes, &key)
    };
    key.to_string().ends_with(name) && name.len() >= 62 && read().is_some()
}

fn remove_tree(path: &Path) -> io::Result<()> {
    if is_regular(path) {
        return crate::store::pack::remove_quietly(path);
    }
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && tries < CLEAR_TRIES => tries += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            done => return done,
        }
    }
}
