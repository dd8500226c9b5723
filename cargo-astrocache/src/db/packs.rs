//! Facts of earlier runs: a pack for each package that the lock file pins, shared by all workspaces of the user, and one
//! for everything else that this workspace reads.
//!
//! What a pack says of a text holds by the text's hash. A pinned package's pack also says which paths it has, so that
//! nothing of such a package is read, hashed or looked up on the disk again: cargo itself does not notice an edit there.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::{Facts, Revision, files::lock};
use crate::{
    ledger::{
        flags::{self, Flags},
        frame::FrameError,
        pack::{self, Hash, Key, Pack, Paths, Record},
        sweep,
    },
    project::{Edition, Package, Project},
    source::{self, Symbols},
};

/// Where packs are.
#[derive(Debug, Clone, Default)]
pub struct PackPlaces {
    /// The folder for packs of pinned packages. It belongs to the user alone.
    pub shared: Option<PathBuf>,
    /// The file for everything else.
    pub own: Option<PathBuf>,
}

/// The packs of one project.
#[derive(Debug, Default)]
pub struct Packs {
    shared: Option<PathBuf>,
    /// The workspace's own pack first.
    slots: Vec<Slot>,
    /// The pinned packages' places among the slots, by directory.
    by_root: FxHashMap<Utf8PathBuf, usize>,
    /// What earlier runs found of packages that may never have been parsed, and what this one asked.
    symbols: OnceLock<Flags>,
    asked: Mutex<BTreeMap<flags::Key, u8>>,
    /// Bytes in a pack are not what was written: all are written anew.
    broken: AtomicBool,
    notice: Mutex<Option<String>>,
}

/// A pack that may be there.
#[derive(Debug, Default)]
struct Slot {
    place: Option<PathBuf>,
    /// Empty for the workspace's own.
    root: Utf8PathBuf,
    pack: OnceLock<Option<Arc<Pack>>>,
}

/// A file that was read: its path, what it held, and what that says.
pub(super) type Read = (Utf8PathBuf, Edition, Revision, Option<Arc<Facts>>);

impl Packs {
    /// The packs for `project`, none of them opened yet.
    pub fn new(project: &Project, places: PackPlaces) -> Packs {
        let mut packs = Packs {
            slots: vec![Slot {
                place: places.own,
                ..Slot::default()
            }],
            ..Packs::default()
        };
        let Some(shared) = places.shared else { return packs };
        for package in &project.packages {
            let Some(pin) = project.pin(package) else {
                continue;
            };
            packs.by_root.insert(package.root.clone(), packs.slots.len());
            packs.slots.push(Slot {
                place: Some(shared.join(file_name(package, pin))),
                root: package.root.clone(),
                pack: OnceLock::new(),
            });
        }
        packs.shared = Some(shared);
        packs
    }

    /// What is known of a path without looking at the disk.
    pub(super) fn revision(&self, path: &Utf8Path) -> Option<Revision> {
        let slot = self.pinned(path)?;
        self.pack(slot)?.paths().get(&slot.relative(path)?).copied()
    }

    /// Whether a path belongs to a package that the lock file pins.
    pub(super) fn is_pinned(&self, path: &Utf8Path) -> bool {
        self.pinned(path).is_some()
    }

    /// The facts of a text, if an earlier run had them.
    pub(super) fn find(&self, path: &Utf8Path, text: Hash, edition: Edition) -> Option<Facts> {
        let pack = self.pack(self.pinned(path).or(self.slots.first())?)?;
        let entry = pack.find(&key(text, edition))?;
        let facts = Facts::stored(pack, entry);
        if facts.is_none() {
            self.damaged();
        }
        facts
    }

    /// What the package at `root` may hold of what nothing names. Its sources are searched for the words once.
    pub fn symbols(&self, root: &Utf8Path) -> Symbols {
        let flags = self.answer(root, "", || {
            let found = source::symbols(root);
            u8::from(found.linked) | u8::from(found.unnamed) << 1 | u8::from(found.for_windows) << 2
        });
        Symbols {
            linked: flags & 1 != 0,
            unnamed: flags & 2 != 0,
            for_windows: flags & 4 != 0,
        }
    }

    /// Whether a word stands in the package at `root`; its files are searched once.
    pub fn has_word(&self, root: &Utf8Path, word: &str) -> bool {
        self.answer(root, word, || u8::from(source::has_word(root, word))) != 0
    }

    /// Whether what a word names may have another name there.
    pub fn has_renamed(&self, root: &Utf8Path, word: &str) -> bool {
        self.answer(root, &format!("{word} as"), || {
            u8::from(source::has_renamed(root, word))
        }) != 0
    }

    /// What an earlier question to the text of a pinned package was answered with, or is now.
    fn answer(&self, root: &Utf8Path, question: &str, find: impl FnOnce() -> u8) -> u8 {
        let slot = self.by_root.get(root).and_then(|&at| self.slots[at].place.as_deref());
        let Some(name) = slot.and_then(Path::file_name) else {
            return find();
        };
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(name.as_encoded_bytes())
            .update(b"\0")
            .update(question.as_bytes());
        let mut key = flags::Key::default();
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let asked = lock(&self.asked).get(&key).copied();
        let known = asked.or_else(|| {
            let place = self.symbols_place();
            let read = || place.and_then(|place| Flags::read(&place).ok()).unwrap_or_default();
            self.symbols.get_or_init(read).get(&key)
        });
        let found = known.unwrap_or_else(find);
        lock(&self.asked).insert(key, found);
        found
    }

    fn symbols_place(&self) -> Option<PathBuf> {
        self.shared.as_ref().map(|shared| shared.join("symbols"))
    }

    /// Says that bytes in a pack are not what was written.
    pub(super) fn damaged(&self) {
        self.broken.store(true, Ordering::Relaxed);
        self.tell("a pack of facts is damaged; what it held is read from the source again".to_owned());
    }

    /// The first thing that went wrong, if any: packs cost time when they fail, nothing else.
    pub fn take_notice(&self) -> Option<String> {
        lock(&self.notice).take()
    }

    /// Writes the packs that lack something of `read`, and forgets those that nobody uses.
    pub(super) fn save(&self, read: &[Read]) {
        let mut by_slot: Vec<Vec<&Read>> = self.slots.iter().map(|_| Vec::new()).collect();
        for file in read {
            let slot = self.pinned_number(&file.0).unwrap_or(0);
            if let Some(files) = by_slot.get_mut(slot) {
                files.push(file);
            }
        }
        let now = SystemTime::now();
        let work: Vec<(&Slot, &Vec<&Read>)> = self.slots.iter().zip(&by_slot).collect();
        work.par_iter()
            .filter(|(_, files)| !files.is_empty())
            .for_each(|(slot, files)| self.save_slot(slot, files, now));
        if let Some(place) = self.symbols_place() {
            let today = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
            // What cannot be kept is found again; packs say what is wrong with the folder.
            let _ = Flags::add(&place, &lock(&self.asked), u32::try_from(today).unwrap_or(u32::MAX));
        }
        if let Some(shared) = &self.shared {
            sweep::sweep(shared, now);
        }
    }

    fn save_slot(&self, slot: &Slot, files: &[&Read], now: SystemTime) {
        let Some(place) = &slot.place else { return };
        let old = self.pack(slot);
        let paths = slot.paths(files, old);
        let new = files.iter().any(|file| file.3.as_ref().is_some_and(|it| it.is_new()));
        let whole = !new && !self.broken.load(Ordering::Relaxed);
        if whole && old.is_none_or(|old| *old.paths() == paths) {
            sweep::touch(place, now);
            return;
        }
        let records = slot.records(files, old);
        let dir = place.parent().unwrap_or(Path::new(""));
        let written = fs::create_dir_all(dir).and_then(|()| pack::write(place, &paths, &records));
        if let Err(error) = written {
            self.cannot_write(dir, &error);
        }
    }

    fn cannot_write(&self, dir: &Path, error: &io::Error) {
        self.tell(format!(
            "cannot keep facts in `{}`: {error}; until it can, each run reads all sources anew",
            dir.display()
        ));
    }

    fn pinned_number(&self, path: &Utf8Path) -> Option<usize> {
        if self.by_root.is_empty() {
            return None;
        }
        path.ancestors().find_map(|dir| self.by_root.get(dir)).copied()
    }

    fn pinned(&self, path: &Utf8Path) -> Option<&Slot> {
        self.slots.get(self.pinned_number(path)?)
    }

    fn pack<'p>(&self, slot: &'p Slot) -> Option<&'p Arc<Pack>> {
        let opened = slot.pack.get_or_init(|| {
            let place = slot.place.as_deref()?;
            match Pack::open(place) {
                Ok(pack) => Some(Arc::new(pack)),
                Err(FrameError::Missing | FrameError::Foreign) => None,
                Err(error) => {
                    self.tell(format!(
                        "the pack of facts `{}` is not used: {error}; it is made anew",
                        place.display()
                    ));
                    None
                }
            }
        });
        opened.as_ref()
    }

    fn tell(&self, text: String) {
        lock(&self.notice).get_or_insert(text);
    }
}

impl Slot {
    fn relative(&self, path: &Utf8Path) -> Option<String> {
        let inner = path.strip_prefix(&self.root).ok()?;
        let parts: Vec<&str> = inner.components().map(|part| part.as_str()).collect();
        Some(parts.join("/"))
    }

    /// What was found under each path, now or before. A file that is there and cannot be read is not among them.
    fn paths(&self, files: &[&Read], old: Option<&Arc<Pack>>) -> Paths {
        if self.root.as_str().is_empty() {
            return Paths::new();
        }
        let mut paths = old.map_or_else(Paths::new, |old| old.paths().clone());
        for (path, _, revision, _) in files.iter().copied() {
            if let Some(path) = self.relative(path) {
                paths.insert(path, *revision);
            }
        }
        paths
    }

    /// The records of `files`, and those of earlier runs unless most of them are of texts that are gone.
    fn records<'a>(&self, files: &[&'a Read], old: Option<&'a Arc<Pack>>) -> BTreeMap<Key, Record<'a>> {
        let mut records = BTreeMap::new();
        for (_, edition, revision, facts) in files.iter().copied() {
            if let (Some(text), Some(facts)) = (revision, facts)
                && let Some(record) = facts.record()
            {
                records.insert(key(*text, *edition), record);
            }
        }
        let Some(old) = old else { return records };
        let keys = old.keys();
        if self.root.as_str().is_empty() && keys.len() > 2 * records.len() + 64 {
            return records;
        }
        for key in keys {
            let stored = old.find(&key).and_then(|entry| {
                let [items, bodies] = &entry.parts;
                let parts = [old.part(items)?, old.part(bodies)?];
                Some(Record {
                    note: entry.note,
                    parts,
                })
            });
            if let Some(record) = stored {
                records.entry(key).or_insert(record);
            }
        }
        records
    }
}

fn key(text: Hash, edition: Edition) -> Key {
    let tag = match edition {
        Edition::E2015 => 0,
        Edition::E2018 => 1,
        Edition::E2021 => 2,
        Edition::E2024 => 3,
    };
    Key { text, tag }
}

/// Readable, and different for each content and each build of the analyzer.
fn file_name(package: &Package, pin: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in [&package.name, &package.version, pin, crate::build_id()] {
        hasher
            .update(&(text.len() as u64).to_le_bytes())
            .update(text.as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    format!("{}-{}-{}{}", package.name, package.version, &hash[..16], sweep::PACK)
}
