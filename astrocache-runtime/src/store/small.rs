//! Small values: appended to one shared log, and packed when the log is full.
//!
//! The folder holds `active` (the log), `sealing-<gen>` (a full log on its way into a pack), `pack-<gen>-<id>`, and `lock`,
//! held by whoever seals or merges. Newer generations win. A record that was acknowledged is always in one of them: a log
//! is removed only after its pack has been renamed into place.
//!
//! A reader keeps an index of the log and open packs. On a miss it reads what has been appended since, and lists the folder
//! again if that changed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;

use super::log::AppendLog;
use super::pack::{self, MAX_RECORD, Pack, PackWriter, Place};
use super::unique;
use crate::key::Key;
use crate::os::{self, FileId};
use crate::record::{self, Header, Image};

/// A log of this size is packed.
const LOG_FULL: u64 = 2 << 20;
/// Merges the runtime does by itself stay below this; larger ones are the tool's.
const MERGE_MAX: u64 = 64 << 20;
/// A log is read in pieces of this size.
const READ_PIECE: usize = 128 << 10;
/// A folder changed so recently may change again without its time stamp moving.
const RACY: Duration = Duration::from_millis(50);

/// The folder of small values.
pub(super) struct Small {
    dir: PathBuf,
    log: AppendLog,
    view: Mutex<View>,
}

/// What a reader has open.
#[derive(Default)]
struct View {
    loaded: Option<Stamp>,
    active: Option<LogIndex>,
    /// Newest first.
    sealed: Vec<Source>,
}

/// The folder's time stamp when it was listed, and whether it had settled.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: SystemTime,
    settled: bool,
}

struct Source {
    name: String,
    kind: SourceKind,
}

enum SourceKind {
    Log(LogIndex),
    Pack(Pack),
    /// Not a pack any more; kept so that it is not opened again and again.
    Damaged,
}

enum Lookup {
    Found(Vec<u8>),
    Removed,
    Absent,
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
    pub(super) fn rewrite(
        &self,
        keep: impl Fn(&Header<'_>, u64) -> bool,
    ) -> io::Result<Option<()>> {
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
            Some((header, _)) => each(
                &header,
                bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            ),
            None => damaged += 1,
        };
        for index in view
            .active
            .iter()
            .chain(view.sealed.iter().filter_map(Source::log))
        {
            index
                .places
                .values()
                .for_each(|(place, _)| visit(pack::read_place(&index.file, *place)));
        }
        for pack in view.sealed.iter().filter_map(Source::pack) {
            match pack.entries(0, pack.count()) {
                Ok(entries) => entries
                    .into_iter()
                    .for_each(|(_, place)| visit(pack.read(place))),
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
        let generation = names
            .iter()
            .filter_map(|name| generation(name))
            .max()
            .unwrap_or(0)
            + 1;
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
        pack::scan(&bytes, 0, true, |header, place| {
            found.push((header.key, place))
        });
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

    fn write_pack(
        &self,
        generation: &str,
        fill: impl FnOnce(&mut PackWriter) -> io::Result<()>,
    ) -> io::Result<()> {
        let temp = self.dir.join(format!("temp-{:016x}", unique()));
        let write = || {
            let mut pack = PackWriter::create(&temp)?;
            fill(&mut pack)?;
            pack.finish()?;
            fs::rename(
                &temp,
                self.dir
                    .join(format!("pack-{generation}-{:016x}", unique())),
            )
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
    fn merge(
        &self,
        packs: &[OnDisk],
        all: bool,
        keep: impl Fn(&Header<'_>, u64) -> bool,
    ) -> io::Result<()> {
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
        packs
            .iter()
            .try_for_each(|pack| pack::remove_quietly(&pack.path))
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
    let rest = name
        .strip_prefix("pack-")
        .or_else(|| name.strip_prefix("sealing-"))?;
    u64::from_str_radix(rest.get(..16)?, 16).ok()
}

impl View {
    fn lookup(&self, key: &Key) -> Lookup {
        let logs = self.active.as_ref().map(|index| index.get(key));
        let sealed = self.sealed.iter().map(|source| source.get(key));
        logs.into_iter()
            .chain(sealed)
            .find(|lookup| !matches!(lookup, Lookup::Absent))
            .unwrap_or(Lookup::Absent)
    }

    /// Catches up with the folder. `false` if there is nothing new.
    fn refresh(&mut self, dir: &Path) -> bool {
        // Whatever is new began in the log: as long as that is the same file, nothing else needs a look.
        let active = os::id_at(&dir.join("active"));
        if let Some(index) = &mut self.active
            && active == Some(index.id)
            && self.loaded.is_some_and(|stamp| stamp.settled)
        {
            return index.catch_up();
        }
        let Ok(metadata) = fs::symlink_metadata(dir) else {
            return std::mem::take(self).loaded.is_some();
        };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let active = os::id_at(&dir.join("active"));
        let current = self.loaded
            == Some(Stamp {
                modified,
                settled: true,
            });
        if current && active == self.active.as_ref().map(|index| index.id) {
            return self.active.as_mut().is_some_and(LogIndex::catch_up);
        }
        // A file that vanishes between listing and opening has just been packed: list again.
        let loaded = (0..5).any(|_| self.load(dir).is_ok());
        let settled = SystemTime::now()
            .duration_since(modified)
            .is_ok_and(|age| age > RACY);
        self.loaded = loaded.then_some(Stamp { modified, settled });
        true
    }

    fn load(&mut self, dir: &Path) -> io::Result<()> {
        self.load_active(&dir.join("active"))?;
        let mut names: Vec<(u64, String)> = list(dir)?
            .into_iter()
            .filter_map(|name| generation(&name).map(|generation| (generation, name)))
            .collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        let mut old = std::mem::take(&mut self.sealed);
        for (_, name) in names {
            let source = match old.iter().position(|source| source.name == name) {
                Some(at) => old.swap_remove(at),
                None => Source::open(dir, name)?,
            };
            self.sealed.push(source);
        }
        Ok(())
    }

    fn load_active(&mut self, path: &Path) -> io::Result<()> {
        let id = os::id_at(path);
        if id.is_none() || id != self.active.as_ref().map(|index| index.id) {
            self.active = id.map(|_| LogIndex::open(path)).transpose()?;
        }
        if let Some(active) = &mut self.active {
            active.catch_up();
        }
        Ok(())
    }
}

impl Source {
    fn open(dir: &Path, name: String) -> io::Result<Source> {
        let path = dir.join(&name);
        let kind = match name.starts_with("pack-") {
            true => Pack::open(&path)?.map_or(SourceKind::Damaged, SourceKind::Pack),
            false => {
                let mut index = LogIndex::open(&path)?;
                index.catch_up();
                SourceKind::Log(index)
            }
        };
        Ok(Source { name, kind })
    }

    fn get(&self, key: &Key) -> Lookup {
        match &self.kind {
            SourceKind::Log(index) => index.get(key),
            SourceKind::Pack(pack) => pack.get(key).map_or(Lookup::Absent, classify),
            SourceKind::Damaged => Lookup::Absent,
        }
    }

    fn log(&self) -> Option<&LogIndex> {
        match &self.kind {
            SourceKind::Log(index) => Some(index),
            SourceKind::Pack(_) | SourceKind::Damaged => None,
        }
    }

    fn pack(&self) -> Option<&Pack> {
        match &self.kind {
            SourceKind::Pack(pack) => Some(pack),
            SourceKind::Log(_) | SourceKind::Damaged => None,
        }
    }
}

fn classify(bytes: Vec<u8>) -> Lookup {
    match record::read_header(&bytes) {
        Some(header) if header.removed => Lookup::Removed,
        _ => Lookup::Found(bytes),
    }
}

/// Where the records of a log stand, as far as it has been read.
struct LogIndex {
    file: File,
    id: FileId,
    read_to: u64,
    /// By key prefix; the latest record wins. Two keys with one prefix cost a miss.
    places: FxHashMap<u64, (Place, Key)>,
}

impl LogIndex {
    fn open(path: &Path) -> io::Result<LogIndex> {
        let (file, metadata) = os::open_file(path)?;
        Ok(LogIndex {
            id: os::id(&metadata),
            file,
            read_to: 0,
            places: FxHashMap::default(),
        })
    }

    /// Reads what was appended. `false` if there is nothing new.
    fn catch_up(&mut self) -> bool {
        let before = self.read_to;
        // Mostly there is nothing or little; a new reader goes through the whole log, in pieces that stay in the cache.
        let mut piece = vec![0; 4 << 10];
        // Far beyond its size when full: no log of ours.
        while self.read_to < 16 * LOG_FULL {
            let Ok(len) = os::fill_at(&self.file, self.read_to, &mut piece) else {
                break;
            };
            let at_end = len < piece.len();
            let places = &mut self.places;
            let settled = pack::scan(&piece[..len], self.read_to, at_end, |header, place| {
                places.insert(pack::prefix(&header.key), (place, header.key));
            });
            let progress = settled > self.read_to;
            self.read_to = settled;
            if at_end || !progress && piece.len() > 2 * MAX_RECORD {
                break;
            }
            if !progress || piece.len() < READ_PIECE {
                piece.resize((piece.len() * 8).max(READ_PIECE), 0);
            }
        }
        self.read_to > before
    }

    fn get(&self, key: &Key) -> Lookup {
        match self.places.get(&pack::prefix(key)) {
            Some((place, found)) if found == key => pack::read_place(&self.file, *place)
                .filter(|bytes| pack::is_record_of(bytes, key))
                .map_or(Lookup::Absent, classify),
            _ => Lookup::Absent,
        }
    }
}

const _: () = assert!((MAX_RECORD as u64) < LOG_FULL);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Kind;

    fn key(n: u32) -> Key {
        Key(*blake3::hash(&n.to_le_bytes()).as_bytes())
    }

    fn record_of(n: u32, value: &[u8], removed: bool) -> Vec<u8> {
        let header = Header {
            key: key(n),
            function: "f",
            package: "p",
            fingerprint: [0; 16],
            kind: Kind::Fine,
            codec: 1,
            created_ms: 0,
            cost_ns: 0,
            removed,
        };
        record::write(&header, value)
    }

    fn value(small: &Small, n: u32) -> Option<Vec<u8>> {
        small.get(&key(n)).map(|image| image.value().to_vec())
    }

    fn filled(dir: &Path, numbers: std::ops::Range<u32>) -> Small {
        let small = Small::new(dir.to_owned());
        for n in numbers {
            small
                .put(&record_of(n, &n.to_le_bytes(), false))
                .unwrap()
                .unwrap();
        }
        small
    }

    #[test]
    fn records_are_found_in_the_log_in_packs_and_after_merges() {
        let dir = tempfile::tempdir().unwrap();
        let reader = Small::new(dir.path().to_owned());
        for round in 0..5 {
            let writer = filled(dir.path(), round * 100..round * 100 + 100);
            for n in 0..round * 100 + 100 {
                assert_eq!(value(&reader, n), Some(n.to_le_bytes().to_vec()));
            }
            writer.rewrite(|_, _| true).unwrap().unwrap();
        }
        for n in 0..500 {
            assert_eq!(value(&reader, n), Some(n.to_le_bytes().to_vec()));
            assert_eq!(
                value(&Small::new(dir.path().to_owned()), n),
                Some(n.to_le_bytes().to_vec())
            );
        }
        assert_eq!(value(&reader, 500), None);
    }

    #[test]
    fn a_full_log_is_packed_and_packs_merge_by_size() {
        let dir = tempfile::tempdir().unwrap();
        let small = Small::new(dir.path().to_owned());
        let big = vec![7; 8000];
        let mut packed = 0;
        for n in 0..2400 {
            if small.put(&record_of(n, &big, false)).unwrap().unwrap() {
                small.maintain().unwrap().unwrap();
                packed += 1;
            }
        }
        assert!(packed >= 8, "{packed}");
        assert!(small.packs().unwrap().len() <= 4);
        assert!((0..2400).all(|n| value(&small, n).as_deref() == Some(&big)));
    }

    #[test]
    fn removed_and_replaced_records_stay_so_through_merges() {
        let dir = tempfile::tempdir().unwrap();
        let small = filled(dir.path(), 0..10);
        small.rewrite(|_, _| true).unwrap().unwrap();
        small.put(&record_of(1, b"", true)).unwrap();
        small.put(&record_of(2, b"new", false)).unwrap();
        for _ in 0..2 {
            let reader = Small::new(dir.path().to_owned());
            assert_eq!(value(&reader, 1), None);
            assert_eq!(value(&reader, 2).as_deref(), Some(&b"new"[..]));
            assert_eq!(value(&reader, 3), Some(3u32.to_le_bytes().to_vec()));
            small.rewrite(|_, _| true).unwrap().unwrap();
        }
        let mut keys = 0;
        small.for_each(|_, _| keys += 1);
        assert_eq!(keys, 9);
    }

    #[test]
    fn torn_records_cost_only_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let whole = record_of(1, b"one", false);
        for cut in 1..whole.len() {
            let _ = fs::remove_file(dir.path().join("active"));
            let small = Small::new(dir.path().to_owned());
            small.put(&whole[..cut]).unwrap();
            assert_eq!(value(&small, 1), None);
            small.put(&record_of(2, b"two", false)).unwrap();
            small.put(&record_of(3, b"three", false)).unwrap();
            for small in [&small, &Small::new(dir.path().to_owned())] {
                assert_eq!(value(small, 1), None, "cut {cut}");
                assert_eq!(value(small, 2).as_deref(), Some(&b"two"[..]), "cut {cut}");
                assert_eq!(value(small, 3).as_deref(), Some(&b"three"[..]), "cut {cut}");
            }
        }
    }

    #[test]
    fn damaged_packs_and_foreign_files_are_misses() {
        let dir = tempfile::tempdir().unwrap();
        let small = filled(dir.path(), 0..100);
        small.rewrite(|_, _| true).unwrap().unwrap();
        fs::write(dir.path().join("pack-zz"), b"x").unwrap();
        fs::write(dir.path().join("pack-00000000000000ff-0"), b"not a pack").unwrap();
        fs::create_dir(dir.path().join("sealing-00000000000000fe")).unwrap();
        fs::remove_dir(dir.path().join("sealing-00000000000000fe")).unwrap();
        let pack = small
            .packs()
            .unwrap()
            .into_iter()
            .find(|pack| pack.len > 100)
            .unwrap()
            .path;
        let bytes = fs::read(&pack).unwrap();
        for at in (0..bytes.len()).step_by(37) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            fs::write(&pack, &damaged).unwrap();
            let reader = Small::new(dir.path().to_owned());
            let found = (0..100).filter_map(|n| value(&reader, n).map(|value| (n, value)));
            assert!(found.clone().all(|(n, value)| value == n.to_le_bytes()));
            if at < bytes.len() - 32 - 20 * 100 {
                assert!(found.count() >= 99);
            }
        }
    }

    #[test]
    fn a_log_left_by_a_killed_packer_is_still_read_and_packed_later() {
        let dir = tempfile::tempdir().unwrap();
        let small = filled(dir.path(), 0..10);
        fs::rename(
            dir.path().join("active"),
            dir.path().join("sealing-0000000000000001"),
        )
        .unwrap();
        assert_eq!(
            value(&Small::new(dir.path().to_owned()), 3),
            Some(3u32.to_le_bytes().to_vec())
        );
        small.rewrite(|_, _| true).unwrap().unwrap();
        assert_eq!(
            list(dir.path())
                .unwrap()
                .iter()
                .filter(|name| name.starts_with("sealing"))
                .count(),
            0
        );
        assert_eq!(value(&small, 3), Some(3u32.to_le_bytes().to_vec()));
    }
}
