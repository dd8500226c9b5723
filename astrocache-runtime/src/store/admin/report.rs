//! What the tool's work on a store found or did: data only.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// By package and function: entries and bytes that went.
    pub removed: BTreeMap<(String, String), (u64, u64)>,
    /// Entries that stay.
    pub kept_entries: u64,
    /// Their bytes.
    pub kept_bytes: u64,
}

impl PruneReport {
    /// Entries and bytes removed in all.
    pub fn total(&self) -> (u64, u64) {
        self.removed
            .values()
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

/// One function's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionStats {
    /// Entries in the store.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Calls that were answered from the cache, as far as known.
    pub hits: u64,
    /// Calls that were computed.
    pub misses: u64,
    /// What the hits would have taken to compute, in nanoseconds.
    pub saved_ns: u64,
}

/// The store's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries in the store.
    pub entries: u64,
    /// Bytes of all its files.
    pub bytes: u64,
    /// The catalogue could not be had: nothing is known about calls.
    pub calls_unknown: bool,
    /// By package and function.
    pub functions: BTreeMap<(String, String), FunctionStats>,
}

/// What a check of every file found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries that are whole.
    pub good: u64,
    /// Files that were damaged or foreign, and are removed now.
    pub removed: Vec<PathBuf>,
    /// Damaged records within the log and the packs of small values, dropped now.
    pub dropped_records: u64,
    /// Folders where a value's file belongs, with something in them, so that they were left.
    pub left: Vec<PathBuf>,
    /// The catalogue was damaged, and is made again.
    pub catalogue_renewed: bool,
}

impl VerifyReport {
    /// Was everything as it should be? A catalogue that had to be made again is no finding: it is made to be lost.
    pub fn is_clean(&self) -> bool {
        self.removed.is_empty() && self.dropped_records == 0 && self.left.is_empty()
    }
}

/// What was in a store that was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClearReport {
    /// Entries, as far as they could be read.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}
