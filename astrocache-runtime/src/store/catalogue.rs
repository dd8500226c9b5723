//! The catalogue: sled, key -> what is known about the entry beyond its own header, and function -> how it was called.
//!
//! It is never on the path of a call, and it is disposable. It is opened by one process at a time, behind our own lock (sled's
//! own lock error is only a text). sled panics on damaged files, so every use is contained: on the first fault the folder is
//! deleted and the catalogue made again from the records; on the second the caller goes on without.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::admin::Entry;
use super::journal::{self, Counts, Event, Journal};
use crate::key::Key;
use crate::os;
use crate::record;

/// How long a command waits for another one that has the catalogue open.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the catalogue adds to an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub hits: u64,
    pub last_hit_ms: u64,
}

/// An open catalogue.
pub(super) struct Catalogue {
    dir: PathBuf,
    db: Option<sled::Db>,
    /// A catalogue was there and could not be used.
    renewed: bool,
    /// Held while sled has the folder.
    _lock: fs::File,
}

/// Something went wrong inside sled; what exactly does not matter.
struct Fault;

impl From<sled::Error> for Fault {
    fn from(_: sled::Error) -> Fault {
        Fault
    }
}

type Contained<T> = Result<T, Fault>;

impl Catalogue {
    /// Opens the catalogue of a store. `None` if another process keeps it busy or it can't be made.
    pub(super) fn open(root: &Path) -> io::Result<Option<Catalogue>> {
        let Some(lock) = lock(&root.join("catalogue.lock"))? else {
            return Ok(None);
        };
        let dir = root.join("catalogue");
        let mut catalogue = Catalogue {
            db: None,
            renewed: false,
            dir,
            _lock: lock,
        };
        catalogue.ensure_open();
        Ok(Some(catalogue))
    }

    /// Takes in what the journals say.
    pub(super) fn absorb(&mut self, journal: &Journal) -> io::Result<()> {
        for file in journal.take()? {
            let events = journal::read(&file).unwrap_or_default();
            let done = self.run(|db| {
                events.iter().try_for_each(|event| apply(db, event))?;
                db.flush()?;
                Ok(())
            });
            if done.is_some() {
                super::pack::remove_quietly(&file)?;
            }
        }
        Ok(())
    }

    /// What is known about the use of an entry.
    pub(super) fn usage(&mut self, key: &Key) -> Use {
        self.run(|db| Ok(entry(db, key)?.map_or(Use::default(), |(usage, _)| usage)))
            .unwrap_or_default()
    }

    /// Makes the catalogue list exactly these entries.
    pub(super) fn reconcile(&mut self, entries: &[Entry]) {
        self.run(|db| {
            let tree = db.open_tree("entries")?;
            let mut batch = sled::Batch::default();
            let known: Vec<sled::IVec> = tree.iter().keys().collect::<Result<_, _>>()?;
            let mut listed: Vec<&Entry> = entries.iter().collect();
            listed.sort_unstable_by_key(|entry| entry.key);
            for key in known {
                if listed.binary_search_by(|entry| entry.key.0[..].cmp(&key)).is_err() {
                    batch.remove(key);
                }
            }
            for entry in listed {
                let old = tree
                    .get(entry.key.0)?
                    .as_deref()
                    .and_then(parse_entry)
                    .map_or(Use::default(), |(usage, _)| usage);
                batch.insert(&entry.key.0, write_entry(old, entry));
            }
            tree.apply_batch(batch)?;
            db.flush()?;
            Ok(())
        });
    }

    /// Numbers of calls, by package and function.
    pub(super) fn functions(&mut self) -> Vec<(String, String, Counts)> {
        self.run(|db| {
            let tree = db.open_tree("functions")?;
            let mut all = Vec::new();
            for item in tree.iter() {
                let (name, counts) = item?;
                if let Ok(name) = std::str::from_utf8(&name)
                    && let Some((package, function)) = name.split_once('\0')
                    && let Some(counts) = parse_counts(&counts)
                {
                    all.push((package.to_owned(), function.to_owned(), counts));
                }
            }
            Ok(all)
        })
        .unwrap_or_default()
    }

    /// Was there one that could not be used?
    pub(super) fn renewed(&self) -> bool {
        self.renewed
    }

    /// Deletes the catalogue; it begins anew.
    fn reset(&mut self) {
        self.db = None;
        self.renewed = true;
        let _ = fs::remove_dir_all(&self.dir);
        self.ensure_open();
    }

    /// Runs `f` on the database, containing panics and errors; after a fault once more on a new one.
    fn run<T>(&mut self, f: impl Fn(&sled::Db) -> Contained<T>) -> Option<T> {
        for _ in 0..2 {
            let db = self.db.as_ref()?;
            if let Ok(Ok(value)) = catch_unwind(AssertUnwindSafe(|| f(db))) {
                return Some(value);
            }
            self.reset();
        }
        None
    }

    fn ensure_open(&mut self) {
        for _ in 0..2 {
            if let Some(db) = open(&self.dir) {
                self.db = Some(db);
                return;
            }
            self.renewed = true;
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// Opens sled's folder; any fault is `None`.
fn open(dir: &Path) -> Option<sled::Db> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(16 << 20)
        .flush_every_ms(None);
    let open = || {
        let db = unlocked(|| config.open())?;
        // Damage shows when the trees are read.
        for tree in ["entries", "functions"] {
            let tree = db.open_tree(tree).ok()?;
            tree.iter().try_for_each(|item| item.map(drop)).ok()?;
        }
        Some(db)
    };
    os::create_private_dirs(dir).ok()?;
    catch_unwind(AssertUnwindSafe(open)).ok().flatten()
}

/// sled's lock outlives a closed database for a moment: in its threads, and in a child between fork and exec. That is no damage;
/// nobody else opens the folder while we hold our own lock.
fn unlocked(open: impl Fn() -> sled::Result<sled::Db>) -> Option<sled::Db> {
    let start = Instant::now();
    loop {
        match open() {
            Err(error) if error.to_string().contains("acquire lock") && start.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(20));
            }
            other => return other.ok(),
        }
    }
}

fn lock(path: &Path) -> io::Result<Option<fs::File>> {
    let start = Instant::now();
    loop {
        match os::try_lock(path)? {
            Some(file) => return Ok(Some(file)),
            None if start.elapsed() > PATIENCE => return Ok(None),
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn apply(db: &sled::Db, event: &Event) -> Contained<()> {
    match event {
        Event::Hit { key, at_ms } => {
            let tree = db.open_tree("entries")?;
            let old = tree.get(key.0)?;
            let (mut usage, rest) = old.as_deref().and_then(parse_entry).unwrap_or_default();
            usage.hits += 1;
            usage.last_hit_ms = usage.last_hit_ms.max(*at_ms);
            let mut value = write_use(usage);
            value.extend_from_slice(rest);
            tree.insert(key.0, value)?;
        }
        Event::Calls {
            package,
            function,
            counts,
        } => {
            let tree = db.open_tree("functions")?;
            let name = format!("{package}\0{function}");
            let old = tree.get(&name)?.as_deref().and_then(parse_counts).unwrap_or_default();
            let sum = [
                old.hits + counts.hits,
                old.misses + counts.misses,
                old.saved_ns.saturating_add(counts.saved_ns),
            ];
            tree.insert(name, sum.map(u64::to_le_bytes).concat())?;
        }
    }
    Ok(())
}

fn entry(db: &sled::Db, key: &Key) -> Contained<Option<(Use, Vec<u8>)>> {
    let value = db.open_tree("entries")?.get(key.0)?;
    Ok(value
        .as_deref()
        .and_then(parse_entry)
        .map(|(usage, rest)| (usage, rest.to_vec())))
}

/// An entry's value: hits, last hit, then its record's header (for people who look into the database, and ranges by it).
fn write_entry(usage: Use, entry: &Entry) -> Vec<u8> {
    let mut value = write_use(usage);
    value.extend_from_slice(&entry.size.to_le_bytes());
    value.extend_from_slice(&record::write(&entry.header(), b""));
    value
}

fn write_use(usage: Use) -> Vec<u8> {
    [usage.hits, usage.last_hit_ms].map(u64::to_le_bytes).concat()
}

fn parse_entry(value: &[u8]) -> Option<(Use, &[u8])> {
    let (hits, rest) = value.split_first_chunk()?;
    let (last_hit_ms, rest) = rest.split_first_chunk()?;
    Some((
        Use {
            hits: u64::from_le_bytes(*hits),
            last_hit_ms: u64::from_le_bytes(*last_hit_ms),
        },
        rest,
    ))
}

fn parse_counts(value: &[u8]) -> Option<Counts> {
    let number = |at: usize| Some(u64::from_le_bytes(*value.get(at..)?.first_chunk()?));
    Some(Counts {
        hits: number(0)?,
        misses: number(8)?,
        saved_ns: number(16)?,
    })
}
