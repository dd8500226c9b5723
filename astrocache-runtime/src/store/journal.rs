//! What happened, for the catalogue: a shared append log of small checksummed events.
//!
//! Statistics, not truth: entries are found again from their records. So an event may be lost (a process killed before its
//! buffer is written), and a journal nobody reads is cut off.

#[cfg(any(test, feature = "catalogue"))]
mod read;

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::log::AppendLog;
use crate::key::Key;
use crate::os;
use crate::site::Site;

#[cfg(any(test, feature = "catalogue"))]
pub(super) use read::read;

const MAGIC: [u8; 2] = [0xa5, 0x6a];
/// Buffered bytes that are worth a write.
const FULL: usize = 4 << 10;
/// Time after which a put also writes the buffer.
const OLD: Duration = Duration::from_secs(5);
/// A journal that nobody has read until now is started over.
const CUT: u64 = 8 << 20;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An entry was read from disk.
    Hit { key: Key, at_ms: u64 },
    /// Calls of one function since the last such event of the process.
    Calls {
        package: String,
        function: String,
        counts: Counts,
    },
}

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub hits: u64,
    pub misses: u64,
    pub saved_ns: u64,
}

/// The writing side, one per process and store.
pub(crate) struct Journal {
    dir: PathBuf,
    log: AppendLog,
    state: Mutex<State>,
}

struct State {
    buffer: Vec<u8>,
    sites: Vec<&'static Site>,
    written: Instant,
}

impl Journal {
    pub(super) fn new(dir: PathBuf) -> Journal {
        let state = State {
            buffer: Vec::new(),
            sites: Vec::new(),
            written: Instant::now(),
        };
        Journal {
            log: AppendLog::new(dir.join("active")),
            dir,
            state: Mutex::new(state),
        }
    }

    /// From now on this site's counters are part of what is written.
    pub(crate) fn watch(&self, site: &'static Site) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sites
            .push(site);
    }

    /// Notes an event; writes the buffer when it is full or old.
    pub(crate) fn note(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        write_event(&mut state.buffer, event);
        if state.buffer.len() >= FULL || state.written.elapsed() > OLD {
            self.write(&mut state);
        }
    }

    /// Writes what is buffered.
    pub(crate) fn flush(&self) {
        self.write(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn write(&self, state: &mut State) {
        for site in &state.sites {
            let counts = site.state.take_counts();
            if counts != Counts::default() {
                let event = Event::Calls {
                    package: site.package.into(),
                    function: site.path.into(),
                    counts,
                };
                write_event(&mut state.buffer, &event);
            }
        }
        state.written = Instant::now();
        if state.buffer.is_empty() {
            return;
        }
        let buffer = std::mem::take(&mut state.buffer);
        if self.append(&buffer).is_ok_and(|len| len.is_some_and(|len| len > CUT)) {
            let _ = self.log.seal(&self.dir.join("old"));
        }
    }

    fn append(&self, buffer: &[u8]) -> io::Result<Option<u64>> {
        match self.log.append(buffer) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Counts alone are no reason to make a store.
                os::create_private_dir(&self.dir)?;
                self.log.append(buffer)
            }
            done => done,
        }
    }

    /// Takes the journal for reading: the files to absorb and then remove.
    #[cfg(any(test, feature = "catalogue"))]
    pub(super) fn take(&self) -> io::Result<Vec<PathBuf>> {
        let sealed = self.dir.join(format!("sealed-{:016x}", super::unique()));
        if self.dir.is_dir() {
            self.log.seal(&sealed)?;
        }
        let files = super::files::list(&self.dir).into_iter().map(|file| file.path);
        Ok(files.filter(|path| path != self.log.path()).collect())
    }
}

/// `magic(2) len(2) payload checksum(4)`
fn write_event(out: &mut Vec<u8>, event: &Event) {
    let mut payload = Vec::new();
    match event {
        Event::Hit { key, at_ms } => {
            payload.push(1);
            payload.extend_from_slice(&key.0);
            payload.extend_from_slice(&at_ms.to_le_bytes());
        }
        Event::Calls {
            package,
            function,
            counts,
        } => {
            payload.push(2);
            for n in [counts.hits, counts.misses, counts.saved_ns] {
                payload.extend_from_slice(&n.to_le_bytes());
            }
            payload.extend_from_slice(package.as_bytes());
            payload.push(0);
            payload.extend_from_slice(function.as_bytes());
        }
    }
    let Ok(len) = u16::try_from(payload.len()) else {
        return;
    };
    let checksum = blake3::hash(&payload);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&payload);
    out.extend_from_slice(&checksum.as_bytes()[..4]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Event> {
        let counts = Counts {
            hits: 3,
            misses: 1,
            saved_ns: 9,
        };
        vec![
            Event::Hit {
                key: Key([1; 32]),
                at_ms: 5,
            },
            Event::Calls {
                package: "app".into(),
                function: "app::f".into(),
                counts,
            },
            Event::Hit {
                key: Key([2; 32]),
                at_ms: 6,
            },
        ]
    }

    #[test]
    fn events_are_written_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path().join("journal"));
        assert_eq!(journal.take().unwrap(), Vec::<PathBuf>::new());
        events().iter().for_each(|event| journal.note(event));
        journal.flush();
        journal.flush();
        let files = journal.take().unwrap();
        assert_eq!(
            files.iter().flat_map(|file| read(file).unwrap()).collect::<Vec<_>>(),
            events()
        );
    }

    #[test]
    fn a_damaged_event_costs_only_itself() {
        let mut bytes = Vec::new();
        events().iter().for_each(|event| write_event(&mut bytes, event));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            let found = read::parse(&damaged);
            assert!(
                found.len() >= 2 && found.iter().all(|event| events().contains(event)),
                "byte {at}"
            );
        }
    }
}
