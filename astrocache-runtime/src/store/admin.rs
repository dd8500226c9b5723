//! The store as `cargo astrocache` uses it: list, prune, count; `upkeep` checks and clears. Not for cached calls.
//!
//! What is in the store is always read from the records themselves; the catalogue only adds how they were used.

mod error;
mod plan;
mod report;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::catalogue::Catalogue;
use super::{LiveStore, files, location, usage};
use crate::codec::CODEC_ID;
use crate::key::Key;
use crate::modes;
use crate::record::Header;
use crate::site::Kind;
pub use error::StoreError;
pub use plan::PrunePlan;
pub use report::{ClearReport, FunctionStats, PruneReport, Stats, VerifyReport};

type Result<T> = std::result::Result<T, StoreError>;

/// One entry of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Key,
    /// Definition path of the function.
    pub function: String,
    /// The function's package.
    pub package: String,
    /// Fingerprint it was stored with.
    pub fingerprint: [u8; 16],
    /// Where that fingerprint came from.
    pub kind: Kind,
    /// Bytes on disk.
    pub size: u64,
    /// When it was stored, in milliseconds since 1970.
    pub created_ms: u64,
    /// What computing it took, in nanoseconds.
    pub cost_ns: u64,
    /// When it was last read from disk (or stored), to the day.
    pub used_ms: u64,
    /// How often it was read from disk, as far as known.
    pub hits: u64,
    /// Its own file; `None` for one in a pack.
    file: Option<PathBuf>,
}

impl Entry {
    pub(super) fn header(&self) -> Header<'_> {
        Header {
            key: self.key,
            function: &self.function,
            package: &self.package,
            fingerprint: self.fingerprint,
            kind: self.kind,
            codec: CODEC_ID,
            created_ms: self.created_ms,
            cost_ns: self.cost_ns,
            removed: false,
        }
    }

    fn new(header: &Header<'_>, size: u64, file: Option<PathBuf>) -> Entry {
        Entry {
            key: header.key,
            function: header.function.to_owned(),
            package: header.package.to_owned(),
            fingerprint: header.fingerprint,
            kind: header.kind,
            size,
            created_ms: header.created_ms,
            cost_ns: header.cost_ns,
            used_ms: header.created_ms,
            hits: 0,
            file,
        }
    }
}

/// An open store.
pub struct Store {
    root: PathBuf,
    live: Arc<LiveStore>,
}

impl Store {
    /// Where the store of a workspace is, by `ASTROCACHE_DIR` or the user's cache directory.
    pub fn locate(workspace_root: &Path) -> Result<PathBuf> {
        location::locate(modes::get().dir.as_deref(), workspace_root).ok_or(StoreError::NoCacheDir)
    }

    /// Opens the store at `path`. One that does not exist is an empty one.
    pub fn open(path: &Path) -> Result<Store> {
        location::check(path).map_err(|source| StoreError::Refused {
            path: path.to_owned(),
            source,
        })?;
        let live = Arc::new(LiveStore::new(path.to_owned(), modes::get().max_size));
        Ok(Store {
            root: path.to_owned(),
            live,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// All entries, by key. Costs a read of every header, and of every small record.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = self.list();
        if let Some(mut catalogue) = self.catalogue()? {
            for entry in &mut entries {
                let usage = catalogue.usage(&entry.key);
                entry.hits = usage.hits;
                entry.used_ms = entry.used_ms.max(usage.last_hit_ms);
            }
        }
        Ok(entries)
    }

    /// Removes what the plan says.
    pub fn prune(&self, plan: &PrunePlan) -> Result<PruneReport> {
        let entries = self.entries()?;
        let doomed = plan.doomed(&entries);
        let mut report = PruneReport::default();
        let (mut keys, mut kept) = (BTreeSet::new(), Vec::new());
        for (entry, doomed) in entries.iter().zip(doomed) {
            if doomed {
                let sum = report
                    .removed
                    .entry((entry.package.clone(), entry.function.clone()))
                    .or_default();
                *sum = (sum.0 + 1, sum.1 + entry.size);
                keys.insert(entry.key);
            } else {
                report.kept_entries += 1;
                report.kept_bytes += entry.size;
                kept.push(entry.clone());
            }
        }
        if !plan.dry_run {
            self.remove(&entries, &keys)?;
            self.settle(&kept)?;
        }
        Ok(report)
    }

    /// Counts entries, bytes and calls.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = Stats {
            bytes: bytes_under(&self.root),
            ..Stats::default()
        };
        for entry in self.list() {
            let function = stats.functions.entry((entry.package, entry.function)).or_default();
            function.entries += 1;
            function.bytes += entry.size;
            stats.entries += 1;
        }
        let catalogue = self.catalogue()?;
        stats.calls_unknown = catalogue.is_none() && self.root.is_dir();
        let calls = catalogue.map(|mut catalogue| catalogue.functions()).unwrap_or_default();
        for (package, function, counts) in calls {
            let function = stats.functions.entry((package, function)).or_default();
            function.hits = counts.hits;
            function.misses = counts.misses;
            function.saved_ns = counts.saved_ns;
        }
        Ok(stats)
    }

    /// What the records say.
    fn list(&self) -> Vec<Entry> {
        let mut entries: BTreeMap<Key, Entry> = BTreeMap::new();
        let mut removed = BTreeSet::new();
        self.live.small.for_each(|header, size| {
            // Newest first: what comes later is older.
            if header.removed {
                removed.insert(header.key);
            } else if !removed.contains(&header.key) {
                entries
                    .entry(header.key)
                    .or_insert_with(|| Entry::new(header, size, None));
            }
        });
        for dir in self.live.files.dirs() {
            for file in files::list(&dir) {
                let used = file
                    .used
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| since.as_millis() as u64);
                let entry = files::with_header(&file.path, |header| {
                    let mut entry = Entry::new(header, file.len, Some(file.path.clone()));
                    entry.used_ms = entry.used_ms.max(used);
                    entry
                });
                if let Some(entry) = entry {
                    entries.entry(entry.key).or_insert(entry);
                }
            }
        }
        entries.into_values().collect()
    }

    fn remove(&self, entries: &[Entry], doomed: &BTreeSet<Key>) -> Result<()> {
        for entry in entries.iter().filter(|entry| doomed.contains(&entry.key)) {
            if let Some(path) = &entry.file {
                super::pack::remove_quietly(path).map_err(|source| StoreError::Io {
                    path: path.clone(),
                    source,
                })?;
            }
        }
        if entries.iter().any(|entry| entry.file.is_none()) {
            self.rewrite(|header| !doomed.contains(&header.key))?;
        }
        self.live.files.sweep_temp();
        Ok(())
    }

    fn rewrite(&self, keep: impl Fn(&Header<'_>) -> bool) -> Result<()> {
        let path = self.root.join("small");
        match self.live.small.rewrite(|header, _| keep(header)) {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(StoreError::Busy {
                path: self.root.clone(),
            }),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// After entries went: the catalogue and the size estimate follow. Says whether the catalogue had to be made again.
    fn settle(&self, kept: &[Entry]) -> Result<bool> {
        if !self.root.is_dir() {
            return Ok(false);
        }
        let renewed = self.catalogue()?.is_some_and(|mut catalogue| {
            catalogue.reconcile(kept);
            catalogue.renewed()
        });
        let total = kept
            .iter()
            .filter(|entry| entry.file.is_some())
            .map(|entry| entry.size)
            .sum();
        usage::set(&self.root, total).map_err(|source| StoreError::Io {
            path: self.root.clone(),
            source,
        })?;
        Ok(renewed)
    }

    /// The catalogue, up to date with the journals; `None` if there is no store or it can't be had.
    fn catalogue(&self) -> Result<Option<Catalogue>> {
        if !self.root.is_dir() {
            return Ok(None);
        }
        // A read-only store is still listed, only without its statistics.
        let Ok(Some(mut catalogue)) = Catalogue::open(&self.root) else {
            return Ok(None);
        };
        match catalogue.absorb(&self.live.journal) {
            Ok(()) => Ok(Some(catalogue)),
            Err(source) => Err(StoreError::Io {
                path: self.root.join("journal"),
                source,
            }),
        }
    }
}

/// Bytes of all files under a folder.
fn bytes_under(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match fs::symlink_metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() => bytes_under(&entry.path()),
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests;
