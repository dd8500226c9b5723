//! Why a store can't be used: fragments that fit after "cannot".

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the store can't be used.
#[derive(Debug)]
pub enum StoreError {
    /// No cache directory is known.
    NoCacheDir,
    /// The directory is not safe to use: foreign owner, a link, no directory.
    Refused {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// There is something in the directory that no store has; it was left as it is.
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What is in it.
        source: io::Error,
    },
    /// Reading or writing failed.
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Another process is working on the store.
    Busy {
        /// The store.
        path: PathBuf,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NoCacheDir => f.write_str("find a cache directory: set ASTROCACHE_DIR or HOME"),
            StoreError::Refused { path, source } => {
                write!(
                    f,
                    "use the store `{}`: {source}; remove it, or set ASTROCACHE_DIR",
                    path.display()
                )
            }
            StoreError::NotAStore { path, source } => {
                write!(f, "clear `{}`: {source}; nothing was removed", path.display())
            }
            StoreError::Io { path, source } => write!(f, "access `{}`: {source}", path.display()),
            StoreError::Busy { path } => {
                write!(
                    f,
                    "work on the store `{}`: another process is at it; try again",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Refused { source, .. }
            | StoreError::NotAStore { source, .. }
            | StoreError::Io { source, .. } => Some(source),
            StoreError::NoCacheDir | StoreError::Busy { .. } => None,
        }
    }
}
