//! Small values: appended to one shared log, and packed when the log is full.
//!
//! The folder holds `active` (the log), `sealing-<gen>` (a full log on its way into a pack), `pack-<gen>-<id>`, and `lock`,
//! held by whoever seals or merges. Newer generations win. A record that was acknowledged is always in one of them: a log
//! is removed only after its pack has been renamed into place.
//!
//! A reader keeps an index of the log and open packs. On a miss it reads what has been appended since, and lists the folder
//! again if that changed.

mod view;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::log::AppendLog;
use super::pack::{self, Pack, PackWriter, Place};
use super::unique;
use crate::key::Key;
use crate::os;
use crate::record::{self, Header, Image};
use view::{Lookup, Source, SourceKind, View};

/// A log of this size is packed.
const LOG_FULL: u64 = 2 << 20;
/// Merges the runtime does by itself stay below this; larger ones are the tool's.
const MERGE_MAX: u64 = 64 << 20;

/// The folder of small values.
pub(super) struct Small {
    dir: PathBuf,
    log: AppendLog,
    view: Mutex<View>,
}

impl Small {
    pub(super) fn new(dir: PathBuf) -> Small {
        Small {
            log: AppendLog::new(dir.join("active")),
            dir,
            view: Mutex::default(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The verified record of `key`.
    pub(super) fn get(&self, key: &Key) -> Option<Image> {
        self.find(key).and_then(Image::of_verified)
    }

    fn find(&self, key: &Key) -> Option<Vec<u8>> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        match view.lookup(key) {
            Lookup::Found(bytes) => return Some(bytes),
            Lookup::Removed => return None,
            Lookup::Absent => {}
        }
        if !view.refresh(&self.dir) {
            return None;
        }
        match view.lookup(key) {
            Lookup::Found(bytes) => Some(bytes),
            Lookup::Removed | Lookup::Absent => None,
        }
    }

    /// Catches up at once, for who has replaced a record that may have been seen.
    pub(super) fn refresh(&self) {
        self.view
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .refresh(&self.dir);
    }

    /// Appends a record. `Ok(None)` if the log is taken; otherwise whether the log is full now.
    pub(super) fn put(&self, record: &[u8]) -> io::Result<Option<bool>> {
        Ok(self.log.append(record)?.map(|len| len >= LOG_FULL))
    }

    /// Forgets what is open, for after the store was cleared.
    #[cfg(feature = "catalogue")]
    pub(super) fn forget(&self) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = View::default();
    }

    /// Packs a full log and merges packs of like size. Returns the bytes of all packs; `None` if someone else is at it.
    pub(super) fn maintain(&self) -> io::Result<Option<u64>> {
        let Some(_lock) = os::try_lock(&self.dir.join("lock"))? else {
            return Ok(None);
        };
        let full = fs::symlink_metadata(self.log.path()).is_ok_and(|log| log.len() >= LOG_FULL);
        self.seal(full)?;
        let mut packs = self.packs()?;
        let run = mergeable(&packs);
        if run >= 2 {
            self.merge(&packs[..run], run == packs.len(), |_, _| true)?;
            packs = self.packs()?;
        }
        Ok(Some(packs.iter().map(|pack| pack.len).sum()))
    }

    /// Rewrites everything into one pack with the records that `keep` wants. `None` if someone else is at it.
    pub(super) fn rewrite(&self, keep: impl Fn(&Header<'_>, u64) -> bool) -> io::Result<Option<()>> {
        if !self.dir.is_dir() {
            return Ok(Some(()));
        }
        let Some(_lock) = os::try_lock(&self.dir.join("lock"))? else {
            return Ok(None);
        };
        self.seal(true)?;
        let packs = self.packs()?;
        if !packs.is_empty() {
            self.merge(&packs, true, keep)?;
        }
        Ok(Some(()))
    }

    /// Calls `each` with every record that verifies (newest first, replaced ones included), and counts those that don't.
    pub(super) fn for_each(&self, mut each: impl FnMut(&Header<'_>, u64)) -> u64 {
        let mut view = View::default();
        view.refresh(&self.dir);
        let mut damaged = 0;
        let mut visit = |bytes: Option<Vec<u8>>| match bytes.as_deref().and_then(record::read) {
            Some((header, _)) => each(&header, bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            None => damaged += 1,
        };
        for index in view.active.iter().chain(view.sealed.iter().filter_map(Source::log)) {
            index
                .places
                .values()
                .for_each(|(place, _)| visit(pack::read_place(&index.file, *place)));
        }
        for pack in view.sealed.iter().filter_map(Source::pack) {
            match pack.entries(0, pack.count()) {
                Ok(entries) => entries.into_iter().for_each(|(_, place)| visit(pack.read(place))),
                Err(_) => visit(None),
            }
        }
        damaged
            + view
                .sealed
                .iter()
                .filter(|source| matches!(source.kind, SourceKind::Damaged))
                .count() as u64
    }

    /// Moves logs into packs: the active one if asked, and any that a killed process left half-way.
    fn seal(&self, active: bool) -> io::Result<()> {
        let names = list(&self.dir)?;
        let generation = names.iter().filter_map(|name| generation(name)).max().unwrap_or(0) + 1;
        let mut waiting: Vec<String> = names
            .into_iter()
            .filter(|name| is_generation_of("sealing-", name))
            .collect();
        let name = format!("sealing-{generation:016x}");
        if active && self.log.seal(&self.dir.join(&name))? {
            waiting.push(name);
        }
        waiting.sort_unstable();
        for name in waiting {
            let path = self.dir.join(&name);
            self.pack_log(&path, &name["sealing-".len()..])?;
            pack::remove_quietly(&path)?;
        }
        Ok(())
    }

    fn pack_log(&self, log: &Path, generation: &str) -> io::Result<()> {
        let (file, metadata) = os::open_file(log)?;
        let bytes = os::read_exact_at(&file, 0, metadata.len() as usize)?;
        let mut found: Vec<(Key, Place)> = Vec::new();
        pack::scan(&bytes, 0, true, |header, place| found.push((header.key, place)));
        // Later records of a key replace earlier ones.
        found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.offset.cmp(&a.1.offset)));
        found.dedup_by_key(|(key, _)| *key);
        let at = |place: Place| &bytes[place.offset as usize..][..place.len as usize];
        found.retain(|(key, place)| pack::is_record_of(at(*place), key));
        if found.is_empty() {
            return Ok(());
        }
        self.write_pack(generation, |pack| {
            found
                .iter()
                .try_for_each(|(key, place)| pack.add(pack::prefix(key), at(*place)))
        })
    }

    fn write_pack(&self, generation: &str, fill: impl FnOnce(&mut PackWriter) -> io::Result<()>) -> io::Result<()> {
        let temp = self.dir.join(format!("temp-{:016x}", unique()));
        let write = || {
            let mut pack = PackWriter::create(&temp)?;
            fill(&mut pack)?;
            pack.finish()?;
            fs::rename(&temp, self.dir.join(format!("pack-{generation}-{:016x}", unique())))
        };
        write().inspect_err(|_| drop(fs::remove_file(&temp)))
    }

    /// All packs, newest first.
    fn packs(&self) -> io::Result<Vec<OnDisk>> {
        let mut names: Vec<String> = list(&self.dir)?
            .into_iter()
            .filter(|name| is_generation_of("pack-", name))
            .collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        let on_disk = |name: String| {
            let path = self.dir.join(&name);
            let len = fs::symlink_metadata(&path)?.len();
            Ok(OnDisk {
                generation: name["pack-".len()..][..16].to_owned(),
                path,
                len,
            })
        };
        names.into_iter().map(on_disk).collect()
    }

    /// Merges packs (newest first) into one. `all` says that no older pack exists, so that removals have done their work.
    fn merge(&self, packs: &[OnDisk], all: bool, keep: impl Fn(&Header<'_>, u64) -> bool) -> io::Result<()> {
        let open: Vec<Pack> = packs
            .iter()
            .filter_map(|pack| Pack::open(&pack.path).transpose())
            .collect::<Result<_, _>>()?;
        let mut entries: Vec<(u64, usize, Place)> = Vec::new();
        for (rank, pack) in open.iter().enumerate() {
            entries.extend(
                pack.entries(0, pack.count())?
                    .into_iter()
                    .map(|(prefix, place)| (prefix, rank, place)),
            );
        }
        entries.sort_unstable_by_key(|&(prefix, rank, place)| (prefix, rank, place.offset));
        self.write_pack(&packs[0].generation, |out| {
            let mut seen: Vec<(u64, Key)> = Vec::new();
            for (prefix, rank, place) in entries {
                seen.retain(|(of, _)| *of == prefix);
                let Some(bytes) = open[rank].read(place) else {
                    continue;
                };
                let Some((header, _)) = record::read(&bytes) else {
                    continue;
                };
                if seen.iter().any(|(_, key)| *key == header.key) {
                    continue;
                }
                seen.push((prefix, header.key));
                if (!header.removed || !all) && keep(&header, bytes.len() as u64) {
                    out.add(prefix, &bytes)?;
                }
            }
            Ok(())
        })?;
        packs.iter().try_for_each(|pack| pack::remove_quietly(&pack.path))
    }
}

struct OnDisk {
    generation: String,
    path: PathBuf,
    len: u64,
}

/// How many of the newest packs to merge: as long as the next older one is not twice as large as all newer ones together,
/// so that each byte is moved a number of times that grows with the logarithm of the whole.
fn mergeable(packs: &[OnDisk]) -> usize {
    let mut total = 0;
    packs
        .iter()
        .take_while(|pack| {
            let take = total == 0 || (pack.len <= 2 * total && total + pack.len <= MERGE_MAX);
            total += pack.len;
            take
        })
        .count()
}

/// The names in a folder; none if it does not exist.
fn list(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()))
            .filter(|name| !matches!(name, Ok(name) if name.is_empty()))
            .collect(),
    }
}

fn is_generation_of(kind: &str, name: &str) -> bool {
    name.starts_with(kind) && generation(name).is_some()
}

/// The generation of a pack or sealed log.
fn generation(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("pack-").or_else(|| name.strip_prefix("sealing-"))?;
    u64::from_str_radix(rest.get(..16)?, 16).ok()
}

#[cfg(test)]
mod tests;
