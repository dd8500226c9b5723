//! What a reader of the folder has open, and how it catches up.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;

use super::{LOG_FULL, generation, list};
use crate::key::Key;
use crate::os::{self, FileId};
use crate::record;
use crate::store::pack::{self, MAX_RECORD, Pack, Place};

/// A log is read in pieces of this size.
const READ_PIECE: usize = 128 << 10;
/// A folder changed so recently may change again without its time stamp moving.
const RACY: Duration = Duration::from_millis(50);

/// What a reader has open.
#[derive(Default)]
pub(super) struct View {
    loaded: Option<Stamp>,
    pub(super) active: Option<LogIndex>,
    /// Newest first.
    pub(super) sealed: Vec<Source>,
}

/// The folder's time stamp when it was listed, and whether it had settled.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: SystemTime,
    settled: bool,
}

pub(super) struct Source {
    name: String,
    pub(super) kind: SourceKind,
}

pub(super) enum SourceKind {
    Log(LogIndex),
    Pack(Pack),
    /// Not a pack any more; kept so that it is not opened again and again.
    Damaged,
}

pub(super) enum Lookup {
    Found(Vec<u8>),
    Removed,
    Absent,
}

impl View {
    pub(super) fn lookup(&self, key: &Key) -> Lookup {
        let logs = self.active.as_ref().map(|index| index.get(key));
        let sealed = self.sealed.iter().map(|source| source.get(key));
        logs.into_iter()
            .chain(sealed)
            .find(|lookup| !matches!(lookup, Lookup::Absent))
            .unwrap_or(Lookup::Absent)
    }

    /// Catches up with the folder. `false` if there is nothing new.
    pub(super) fn refresh(&mut self, dir: &Path) -> bool {
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
        let settled = SystemTime::now().duration_since(modified).is_ok_and(|age| age > RACY);
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

    pub(super) fn log(&self) -> Option<&LogIndex> {
        match &self.kind {
            SourceKind::Log(index) => Some(index),
            SourceKind::Pack(_) | SourceKind::Damaged => None,
        }
    }

    pub(super) fn pack(&self) -> Option<&Pack> {
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
pub(super) struct LogIndex {
    pub(super) file: File,
    id: FileId,
    read_to: u64,
    /// By key prefix; the latest record wins. Two keys with one prefix cost a miss.
    pub(super) places: FxHashMap<u64, (Place, Key)>,
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
