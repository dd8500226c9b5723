//! From paths to inputs. A table beside the database, not a query: inputs are made on demand and live as long as it.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use astrocache_manifest::now_ns;
use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::FxHashMap;
use salsa::{Durability, Setter};

use super::{AnalysisDb, Blob, Db, Packs, Revision, SourceFile, facts, packs::Read};
use crate::{
    project::Edition,
    source::{self, SourceError, Stamp},
};

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub path: Utf8PathBuf,
    pub line: u32,
    pub message: String,
}

/// A text and the hash of its bytes.
type Pending = (Arc<str>, [u8; 32]);

/// What is known of files before the disk is asked: all of it holds at one moment.
#[derive(Debug, Default)]
pub struct Known {
    pub sources: FxHashMap<Utf8PathBuf, Revision>,
    pub data: FxHashMap<Utf8PathBuf, Revision>,
}

/// A source file that was asked for.
#[derive(Clone, Copy)]
struct Input {
    file: SourceFile,
    /// It is of a package that the lock file pins.
    is_pinned: bool,
}

/// The files of one database.
#[derive(Default)]
pub struct Files {
    inputs: Mutex<FxHashMap<(Utf8PathBuf, Edition), Input>>,
    blobs: Mutex<FxHashMap<Utf8PathBuf, Blob>>,
    /// Texts that were read for their hash and not yet asked for.
    texts: Mutex<FxHashMap<Utf8PathBuf, Pending>>,
    problems: Mutex<FxHashMap<Utf8PathBuf, Problem>>,
    packs: Packs,
    known: Known,
    /// What the file system said when a path was last looked at, where that tells one content from the next.
    stamps: Mutex<FxHashMap<Utf8PathBuf, Stamp>>,
    /// A file changed between two reads in this run.
    raced: AtomicBool,
}

impl Files {
    pub(super) fn new(packs: Packs, known: Known) -> Files {
        Files {
            packs,
            known,
            ..Files::default()
        }
    }

    /// What earlier runs kept.
    pub fn packs(&self) -> &Packs {
        &self.packs
    }

    /// The input for `path`, made on first use.
    pub fn file(&self, db: &dyn Db, path: &Utf8Path, edition: Edition) -> SourceFile {
        let key = (path.to_owned(), edition);
        if let Some(input) = lock(&self.inputs).get(&key) {
            return input.file;
        }
        let known = self.packs.revision(path);
        let known = known.or_else(|| self.known.sources.get(path).copied());
        let revision = known.unwrap_or_else(|| self.read(path));
        let is_pinned = self.packs.is_pinned(path);
        let durability = match is_pinned {
            true => Durability::HIGH,
            false => Durability::LOW,
        };
        let new = || Input {
            file: SourceFile::builder(path.to_owned(), edition, revision)
                .durability(durability)
                .new(db),
            is_pinned,
        };
        lock(&self.inputs).entry(key).or_insert_with(new).file
    }

    /// The input for data at `path`, made on first use.
    pub fn blob(&self, db: &dyn Db, path: &Utf8Path) -> Blob {
        if let Some(&blob) = lock(&self.blobs).get(path) {
            return blob;
        }
        let known = self.known.data.get(path).copied();
        let revision = known.unwrap_or_else(|| source::hash(path));
        *lock(&self.blobs)
            .entry(path.to_owned())
            .or_insert_with(|| Blob::new(db, path.to_owned(), revision))
    }

    /// All source inputs made so far, but those of packages that the lock file pins.
    pub fn sources(&self, db: &dyn Db) -> Vec<SourceFile> {
        let mut all = self.unpinned();
        all.sort_by_key(|it| (it.path(db), it.edition(db)));
        all
    }

    /// How many inputs there are: they live as long as the database, whatever became of the files.
    pub fn count(&self) -> usize {
        lock(&self.inputs).len() + lock(&self.blobs).len()
    }

    fn all_sources(&self) -> Vec<SourceFile> {
        lock(&self.inputs).values().map(|input| input.file).collect()
    }

    fn unpinned(&self) -> Vec<SourceFile> {
        let inputs = lock(&self.inputs);
        let unpinned = inputs.values().filter(|input| !input.is_pinned);
        unpinned.map(|input| input.file).collect()
    }

    /// All data inputs made so far.
    pub fn blobs(&self) -> Vec<Blob> {
        lock(&self.blobs).values().copied().collect()
    }

    /// Problems met so far, sorted; missing files are none until someone insists on them.
    pub fn problems(&self) -> Vec<Problem> {
        let mut all: Vec<Problem> = lock(&self.problems).values().cloned().collect();
        all.sort();
        all
    }

    /// Whether a file changed while it was being read, since the last call.
    pub fn take_raced(&self) -> bool {
        self.raced.swap(false, Ordering::Relaxed)
    }

    /// Whether a file changed while it was being read.
    pub fn is_raced(&self) -> bool {
        self.raced.load(Ordering::Relaxed)
    }

    /// The text with this hash. `None` if the file is gone or changed again.
    pub(super) fn text(&self, path: &Utf8Path, hash: [u8; 32]) -> Option<Arc<str>> {
        if let Some((text, of)) = lock(&self.texts).remove(path)
            && of == hash
        {
            return Some(text);
        }
        match source::read(path) {
            Ok(it) if it.hash == hash => Some(it.text.into()),
            _ => {
                self.raced.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// Whether `path` may hold something else than at the last look. `since`: now.
    fn may_differ(&self, path: &Utf8Path, since: i128) -> bool {
        let mut stamps = lock(&self.stamps);
        let now = Stamp::of(path).ok().flatten();
        if now.is_some() && stamps.get(path).copied() == now {
            return false;
        }
        match now.filter(|it| it.is_settled(since)) {
            Some(stamp) => stamps.insert(path.to_owned(), stamp),
            None => stamps.remove(path),
        };
        true
    }

    /// Whether what was read of `path` is all there is to say: not so for a file that cannot be read.
    fn is_settled(&self, path: &Utf8Path) -> bool {
        !lock(&self.problems).contains_key(path)
    }

    fn read(&self, path: &Utf8Path) -> Revision {
        match source::read(path) {
            Ok(it) => {
                lock(&self.problems).remove(path);
                lock(&self.texts).insert(path.to_owned(), (it.text.into(), it.hash));
                Some(it.hash)
            }
            Err(error) => {
                self.note(path, &error);
                None
            }
        }
    }

    fn note(&self, path: &Utf8Path, error: &SourceError) {
        if error.is_missing() {
            lock(&self.problems).remove(path);
            return;
        }
        let problem = Problem {
            path: path.to_owned(),
            line: error.line(),
            message: error.to_string(),
        };
        lock(&self.problems).insert(path.to_owned(), problem);
    }
}

impl AnalysisDb {
    /// Writes to the packs what they lack of the files read so far.
    pub fn save_packs(&self) {
        let read: Vec<Read> = self
            .files
            .all_sources()
            .into_iter()
            .filter(|file| self.files.is_settled(file.path(self)))
            .map(|file| {
                let revision = file.revision(self);
                let facts = revision.map(|_| facts(self, file));
                (file.path(self).clone(), file.edition(self), revision, facts)
            })
            .collect();
        self.files.packs.save(&read);
    }

    /// Looks at every known file again, but those of packages that the lock file pins, and tells salsa of those that
    /// differ. A file is read unless the file system says that it is what it was at the last look. Returns the changed
    /// paths, sorted.
    pub fn refresh(&mut self) -> Vec<Utf8PathBuf> {
        self.wait();
        let files = self.files.clone();
        let since = now_ns();
        let mut changed = Vec::new();
        let mut looks: FxHashMap<Utf8PathBuf, bool> = FxHashMap::default();
        for file in files.unpinned() {
            let path = file.path(self).clone();
            let differs = looks.entry(path.clone());
            if !*differs.or_insert_with(|| files.may_differ(&path, since)) {
                continue;
            }
            let revision = files.read(&path);
            // An equal value would still start a new revision.
            if revision != file.revision(self) {
                file.set_revision(self).to(revision);
                changed.push(path);
            }
        }
        for blob in files.blobs() {
            let path = blob.path(self).clone();
            let differs = looks.entry(path.clone());
            if !*differs.or_insert_with(|| files.may_differ(&path, since)) {
                continue;
            }
            let revision = source::hash(&path);
            if revision != blob.revision(self) {
                blob.set_revision(self).to(revision);
                changed.push(path);
            }
        }
        changed.sort();
        changed.dedup();
        changed
    }

    /// Takes facts from `packs` from now on, those of another project: a file may be pinned that was not, or otherwise. No
    /// clone of this database may be alive. What is not pinned, [`AnalysisDb::refresh`] looks at.
    pub fn replace_packs(&mut self, packs: Packs) {
        self.wait();
        let files =
            Arc::get_mut(&mut self.files).expect("setters need the only handle of a database, and so does this");
        files.packs = packs;
        files.stamps = Mutex::default();
        for ((path, _), input) in lock(&files.inputs).iter_mut() {
            input.is_pinned = files.packs.is_pinned(path);
        }
        let files = self.files.clone();
        for file in files.all_sources() {
            let path = file.path(self).clone();
            if !files.packs.is_pinned(&path) {
                continue;
            }
            let known = files.packs.revision(&path);
            let revision = known.unwrap_or_else(|| files.read(&path));
            if revision != file.revision(self) {
                file.set_revision(self).to(revision);
            }
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
