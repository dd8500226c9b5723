//! Values in files of their own: written under a temporary name, then renamed, so that a file is whole or not there.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::unique;
use crate::key::Key;
use crate::notice::Hex;
use crate::os;
use crate::record::{self, Header, Image};

/// Number of folders that values are spread over.
pub(super) const SHARDS: u32 = 256;
/// A file's time stamp says when it was last used, to within this much.
const USED_GRAIN: Duration = Duration::from_secs(24 * 3600);
/// Enough for almost every header.
const HEADER_READ: usize = 1024;

/// Which folder a value lives in.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// With all others.
    Shared,
    /// In a folder of its function's, so that the function's entries can be counted.
    Function(&'a str),
}

/// The folders of value files.
pub(super) struct Files {
    root: PathBuf,
}

/// A value file, as listed.
pub(super) struct Listed {
    pub path: PathBuf,
    pub len: u64,
    pub used: SystemTime,
}

impl Files {
    pub(super) fn new(root: PathBuf) -> Files {
        Files { root }
    }

    pub(super) fn path(&self, key: &Key, scope: Scope<'_>) -> PathBuf {
        match scope {
            Scope::Shared => self
                .root
                .join("files")
                .join(format!("{:02x}", key.0[0]))
                .join(Hex(&key.0[1..]).to_string()),
            Scope::Function(function) => self.function_dir(function).join(key.to_string()),
        }
    }

    pub(super) fn function_dir(&self, function: &str) -> PathBuf {
        let hash = blake3::hash(function.as_bytes());
        self.root.join("limited").join(Hex(&hash.as_bytes()[..8]).to_string())
    }

    pub(super) fn shard_dir(&self, shard: u32) -> PathBuf {
        self.root.join("files").join(format!("{:02x}", shard % SHARDS))
    }

    /// Opens the file of `key` and says how long it is. Follows no link, neither of the file nor of its folder.
    pub(super) fn open(&self, key: &Key, scope: Scope<'_>) -> Option<OpenValue> {
        let path = self.path(key, scope);
        let (file, metadata) = os::open_file(&path).ok()?;
        if !is_real_dir(path.parent()?) {
            return None;
        }
        Some(OpenValue {
            file,
            len: metadata.len(),
            used: metadata.modified().ok(),
        })
    }

    /// Writes a record under its key.
    pub(super) fn put(&self, key: &Key, scope: Scope<'_>, record: &[u8]) -> io::Result<()> {
        let path = self.path(key, scope);
        let temp = self.root.join("temp").join(format!("{:016x}", unique()));
        let write = || {
            os::create_new(&temp)?.write_all(record)?;
            match fs::symlink_metadata(path.parent().unwrap_or(&self.root))?.is_dir() {
                true => fs::rename(&temp, &path),
                false => Err(io::Error::other("a folder of the store is a link")),
            }
        };
        let written = match write() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let _ = fs::remove_file(&temp);
                for file in [&temp, &path] {
                    os::create_private_dirs(file.parent().unwrap_or(&self.root))?;
                }
                write()
            }
            done => done,
        };
        written.inspect_err(|_| drop(fs::remove_file(&temp)))
    }

    pub(super) fn remove(&self, key: &Key, scope: Scope<'_>) -> io::Result<()> {
        super::pack::remove_quietly(&self.path(key, scope))
    }

    /// All folders that may hold value files.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        let shards = (0..SHARDS).map(|shard| self.shard_dir(shard));
        let limited = fs::read_dir(self.root.join("limited")).into_iter().flatten().flatten();
        shards
            .chain(limited.map(|entry| entry.path()))
            .filter(|dir| is_real_dir(dir))
            .collect()
    }

    /// Removes temporary files that a killed process left; an hour is longer than any write takes.
    #[cfg(feature = "catalogue")]
    pub(super) fn sweep_temp(&self) {
        let old = |path: &Path| {
            let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > Duration::from_secs(3600)))
        };
        for dir in ["temp", "small"] {
            for entry in fs::read_dir(self.root.join(dir)).into_iter().flatten().flatten() {
                let is_temp = dir == "temp" || entry.file_name().to_string_lossy().starts_with("temp-");
                if is_temp && old(&entry.path()) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

fn is_real_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The value files of one folder. Symlinks and other oddities are left out; a folder that is a link has none.
pub(super) fn list(dir: &Path) -> Vec<Listed> {
    if !is_real_dir(dir) {
        return Vec::new();
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let metadata = fs::symlink_metadata(entry.path()).ok().filter(fs::Metadata::is_file)?;
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            Some(Listed {
                path: entry.path(),
                len: metadata.len(),
                used,
            })
        })
        .collect()
}

/// Reads a file's header, unchecked, and hands it to `f`.
pub(super) fn with_header<R>(path: &Path, f: impl FnOnce(&Header<'_>) -> R) -> Option<R> {
    let (file, metadata) = os::open_file(path).ok()?;
    let len = usize::try_from(metadata.len()).ok()?;
    let mut bytes = os::read_exact_at(&file, 0, len.min(HEADER_READ)).ok()?;
    let extent = record::Extent::of(&bytes)?;
    if extent.total() != len {
        return None;
    }
    if extent.header > bytes.len() {
        bytes = os::read_exact_at(&file, 0, extent.header).ok()?;
    }
    record::read_header(&bytes).map(|header| f(&header))
}

/// A value file found, not yet read.
pub(crate) struct OpenValue {
    file: File,
    pub len: u64,
    used: Option<SystemTime>,
}

impl OpenValue {
    /// The verified record; a file that is not that is `None`.
    pub(crate) fn read(self, key: &Key, touch: bool) -> Option<Image> {
        let len = usize::try_from(self.len).ok()?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).ok()?;
        (&self.file).take(self.len).read_to_end(&mut bytes).ok()?;
        let image = Image::verify(bytes, key)?;
        let stale = self
            .used
            .is_none_or(|used| used.elapsed().is_ok_and(|age| age > USED_GRAIN));
        if touch && stale {
            let _ = self.file.set_times(FileTimes::new().set_modified(SystemTime::now()));
        }
        Some(image)
    }
}
