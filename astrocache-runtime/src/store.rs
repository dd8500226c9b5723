//! The store of one workspace, as a cached call uses it: get, put, remove. No lock is waited for, no index is opened, and
//! every fault is a miss.
//!
//! Small values go to a shared log and packs (`small`), others to files of their own (`files`). `usage` keeps the
//! whole under its limit, `journal` tells the catalogue what happened.

#[cfg(feature = "catalogue")]
mod admin;
#[cfg(feature = "catalogue")]
mod catalogue;
mod files;
mod journal;
mod location;
mod log;
mod pack;
mod small;
mod usage;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::key::Key;
use crate::modes;
use crate::notice;
use crate::record::{self, Header, Image};
#[cfg(feature = "catalogue")]
pub use admin::{ClearReport, Entry, FunctionStats, PrunePlan, PruneReport, Stats, Store, StoreError, VerifyReport};
use files::Files;
pub(crate) use files::{OpenValue, Scope};
pub(crate) use journal::{Counts, Event, Journal};
#[cfg(feature = "catalogue")]
pub use location::shared_folder;
#[cfg(feature = "catalogue")]
pub use modes::size as parse_size;
use small::Small;

/// Records up to this size share a log.
const SMALL_MAX: usize = 8 << 10;

/// An open store. Opening does no IO; folders appear with the first put.
pub(crate) struct LiveStore {
    root: PathBuf,
    files: Files,
    small: Small,
    pub(crate) journal: Journal,
    limit: u64,
    created: AtomicBool,
    maintaining: AtomicBool,
    complained: AtomicBool,
}

/// What a lookup found without reading much.
pub(crate) enum Found {
    /// A small value, read.
    Value(Image),
    /// A file, open.
    File(OpenValue),
}

/// Where a record went.
enum Place {
    Log,
    File,
}

impl LiveStore {
    pub(crate) fn new(root: PathBuf, limit: u64) -> LiveStore {
        LiveStore {
            files: Files::new(root.clone()),
            small: Small::new(root.join("small")),
            journal: Journal::new(root.join("journal")),
            root,
            limit,
            created: AtomicBool::new(false),
            maintaining: AtomicBool::new(false),
            complained: AtomicBool::new(false),
        }
    }

    /// Looks a key up.
    pub(crate) fn find(&self, key: &Key, scope: Scope<'_>) -> Option<Found> {
        if matches!(scope, Scope::Shared)
            && let Some(image) = self.small.get(key)
        {
            return Some(Found::Value(image));
        }
        self.files.open(key, scope).map(Found::File)
    }

    /// The value of a key, read and verified.
    #[cfg(all(test, feature = "catalogue"))]
    pub(crate) fn get(&self, key: &Key, scope: Scope<'_>) -> Option<Image> {
        match self.find(key, scope)? {
            Found::Value(image) => Some(image),
            Found::File(file) => file.read(key, true),
        }
    }

    /// Stores a value. When this returns, the entry survives this process being killed.
    pub(crate) fn put(self: &Arc<LiveStore>, key: &Key, record: &[u8], scope: Scope<'_>) -> io::Result<()> {
        self.place(key, record, scope).map(|_| ())
    }

    /// Stores a value in place of one that may be there already, however large that is: it must not come up again.
    pub(crate) fn replace(self: &Arc<LiveStore>, key: &Key, record: &[u8], scope: Scope<'_>) -> io::Result<()> {
        match (self.place(key, record, scope)?, scope) {
            (Place::File, Scope::Function(_)) => Ok(()),
            (Place::Log, _) => {
                self.small.refresh();
                self.files.remove(key, scope)
            }
            (Place::File, Scope::Shared) => match record::read_header(record) {
                Some(header) => self.remove_small(&header),
                None => Ok(()),
            },
        }
    }

    fn place(self: &Arc<LiveStore>, key: &Key, record: &[u8], scope: Scope<'_>) -> io::Result<Place> {
        if !self.created.load(Ordering::Relaxed) {
            location::create(&self.root)?;
            self.created.store(true, Ordering::Relaxed);
        }
        if matches!(scope, Scope::Shared) && record.len() <= SMALL_MAX && self.put_small(record) {
            return Ok(Place::Log);
        }
        self.files.put(key, scope, record)?;
        if let Some(added) = usage::trigger(key, record.len() as u64, self.limit) {
            self.in_background(move |store| usage::settle(&store.root, &store.files, added, store.limit));
        }
        Ok(Place::File)
    }

    /// `false` if the log can't take the record, which then goes to a file.
    fn put_small(self: &Arc<LiveStore>, record: &[u8]) -> bool {
        let put = match self.small.put(record) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                crate::os::create_private_dirs(self.small.dir()).and_then(|()| self.small.put(record))
            }
            done => done,
        };
        if let Ok(Some(true)) = put {
            self.in_background(LiveStore::maintain_small);
        }
        matches!(put, Ok(Some(_)))
    }

    fn maintain_small(&self) -> io::Result<()> {
        let budget = self.limit / 2;
        if let Some(bytes) = self.small.maintain()?
            && bytes > budget
        {
            self.shrink_small(bytes - budget + budget / 8)?;
        }
        Ok(())
    }

    /// Drops the small values that are cheapest to recompute per byte.
    fn shrink_small(&self, mut goal: u64) -> io::Result<()> {
        let now = now_ms();
        let worth = |header: &Header<'_>, len| usage::worth(header.cost_ns, len, now.saturating_sub(header.created_ms));
        let mut all = Vec::new();
        self.small.for_each(|header, len| all.push((worth(header, len), len)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let keep_from = all.iter().find(|(_, len)| {
            let reached = goal == 0;
            goal = goal.saturating_sub(*len);
            reached
        });
        let floor = keep_from.map_or(f64::INFINITY, |(worth, _)| *worth);
        self.small
            .rewrite(|header, len| worth(header, len) >= floor)
            .map(|_| ())
    }

    /// Removes an entry from wherever it is.
    pub(crate) fn remove(self: &Arc<LiveStore>, header: &Header<'_>, scope: Scope<'_>) -> io::Result<()> {
        self.files.remove(&header.key, scope)?;
        match scope {
            Scope::Shared => self.remove_small(header),
            Scope::Function(_) => Ok(()),
        }
    }

    /// Takes back a small value: a later record says that it is gone.
    fn remove_small(self: &Arc<LiveStore>, header: &Header<'_>) -> io::Result<()> {
        if self.small.get(&header.key).is_none() {
            return Ok(());
        }
        let tombstone = record::write(
            &Header {
                removed: true,
                ..*header
            },
            b"",
        );
        match self.put_small(&tombstone) {
            true => {
                self.small.refresh();
                Ok(())
            }
            false => Err(io::Error::other("the log of small values is in use")),
        }
    }

    /// Removes the oldest entries of a function beyond `max`.
    pub(crate) fn enforce_max(&self, function: &str, max: u64) {
        let mut listed = files::list(&self.files.function_dir(function));
        let surplus = (listed.len() as u64).saturating_sub(max) as usize;
        listed.sort_by_key(|file| file.used);
        for file in listed.iter().take(surplus) {
            let _ = std::fs::remove_file(&file.path);
        }
    }

    /// Says once per process that this store can't be written.
    pub(crate) fn complain(&self, error: &io::Error) {
        if modes::get().log >= modes::Level::Warn && !self.complained.swap(true, Ordering::Relaxed) {
            notice::line(format_args!(
                "cannot write to the store `{}`: {error}; values of this run may not be kept (ASTROCACHE_DIR names another place)",
                self.root.display()
            ));
        }
    }

    /// Runs upkeep on a thread of its own, one at a time. Its failures only mean that it is done later.
    fn in_background(self: &Arc<LiveStore>, work: impl FnOnce(&LiveStore) -> io::Result<()> + Send + 'static) {
        if self.maintaining.swap(true, Ordering::Acquire) {
            return;
        }
        let store = Arc::clone(self);
        let run = move || {
            let _ = work(&store);
            store.maintaining.store(false, Ordering::Release);
        };
        if thread::Builder::new()
            .name("astrocache-upkeep".to_owned())
            .spawn(run)
            .is_err()
        {
            self.maintaining.store(false, Ordering::Release);
        }
    }
}

static STORES: Mutex<BTreeMap<PathBuf, Option<Arc<LiveStore>>>> = Mutex::new(BTreeMap::new());

/// The store of a workspace; one per process and place. `None`, with one notice, if it can't or must not be used.
pub(crate) fn of_workspace(workspace: &Path) -> Option<Arc<LiveStore>> {
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(store) = stores.get(workspace) {
        return store.clone();
    }
    let store = open(workspace);
    stores.insert(workspace.to_owned(), store.clone());
    store
}

/// Writes the journals of all stores: at the end of a thread.
pub(crate) fn flush_journals() {
    if !matches!(modes::get().mode, modes::Mode::On | modes::Mode::Refresh) {
        return;
    }
    let stores: Vec<Arc<LiveStore>> = STORES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .values()
        .flatten()
        .cloned()
        .collect();
    stores.iter().for_each(|store| store.journal.flush());
}

fn open(workspace: &Path) -> Option<Arc<LiveStore>> {
    let modes = modes::get();
    let warn = |text: std::fmt::Arguments<'_>| {
        if modes.log >= modes::Level::Warn {
            notice::line(text);
        }
    };
    let Some(root) = location::locate(modes.dir.as_deref(), workspace) else {
        warn(format_args!(
            "no cache directory: neither ASTROCACHE_DIR nor HOME is set; values are not kept"
        ));
        return None;
    };
    if let Err(error) = location::check(&root) {
        warn(format_args!(
            "the store `{}` is not used: {error}; remove it, or set ASTROCACHE_DIR",
            root.display()
        ));
        return None;
    }
    Some(Arc::new(LiveStore::new(root, modes.max_size)))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// A number no other process or thread is likely to have: for names of temporary files.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static SEED: OnceLock<u64> = OnceLock::new();
    let seed = *SEED.get_or_init(|| {
        use std::hash::BuildHasher;
        std::hash::RandomState::new().hash_one(now_ms())
    });
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut input = seed.to_le_bytes().to_vec();
    // The process id, because a forked child inherits seed and counter.
    input.extend_from_slice(&std::process::id().to_le_bytes());
    input.extend_from_slice(&count.to_le_bytes());
    u64::from_le_bytes(
        *blake3::hash(&input)
            .as_bytes()
            .first_chunk()
            .expect("a hash has 32 bytes"),
    )
}

#[cfg(all(test, feature = "catalogue"))]
mod tests;
