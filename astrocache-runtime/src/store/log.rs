//! A file that many processes append to, each record with one `write`.
//!
//! A writer holds a shared lock for the length of one append and, under it, makes sure that the path still names the file
//! it has open. Whoever wants the log for itself takes the exclusive lock and renames the file: from then on no one appends
//! to it. Nobody ever waits: a writer that finds the log locked does something else. A process killed in the middle of an
//! append leaves at most a torn record, which readers step over.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::os::{self, FileId};

/// One shared log.
pub(crate) struct AppendLog {
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

struct Open {
    file: File,
    id: FileId,
    /// A forked child shares its parent's lock and must open its own.
    pid: u32,
}

impl AppendLog {
    pub(crate) fn new(path: PathBuf) -> AppendLog {
        AppendLog {
            path,
            open: Mutex::new(None),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one record. `Ok(None)` says that the log is taken or not to be had here: keep the record elsewhere.
    /// Otherwise the log's length afterwards, as far as this process saw.
    pub(crate) fn append(&self, record: &[u8]) -> io::Result<Option<u64>> {
        if !os::HAS_SHARED_LOGS {
            return Ok(None);
        }
        let mut slot = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = std::process::id();
        for _ in 0..3 {
            let open = match slot.take().filter(|open| open.pid == pid) {
                Some(open) => open,
                None => self.reopen(pid)?,
            };
            match open.file.try_lock_shared() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
            if let Some((id, len)) = os::id_and_len(&self.path)
                && id == open.id
            {
                let written = append_whole(&open.file, record);
                open.file.unlock()?;
                *slot = Some(open);
                return written.map(|()| Some(len + record.len() as u64));
            }
        }
        Ok(None)
    }

    fn reopen(&self, pid: u32) -> io::Result<Open> {
        let file = os::open_append(&self.path)?;
        let id = os::id(&file.metadata()?);
        Ok(Open { file, id, pid })
    }

    /// Takes the log away from all writers by renaming it to `to`. `false` if it is in use or does not exist.
    pub(crate) fn seal(&self, to: &Path) -> io::Result<bool> {
        let (file, metadata) = match os::open_file(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        // Writers hold their lock for microseconds, so a few tries are enough; a stopped writer must not block us.
        for _ in 0..50 {
            match file.try_lock() {
                Ok(()) if os::id_at(&self.path) == Some(os::id(&metadata)) => {
                    fs::rename(&self.path, to)?;
                    return Ok(true);
                }
                Ok(()) => return Ok(false),
                Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_micros(200)),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// One `write`, so that records of several processes never mix.
fn append_whole(mut file: &File, record: &[u8]) -> io::Result<()> {
    let written = file.write(record)?;
    if written != record.len() {
        return Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "the log took only a part of the record",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_log_gets_no_more_records_and_a_new_one_begins() {
        let dir = tempfile::tempdir().unwrap();
        let log = AppendLog::new(dir.path().join("log"));
        let sealed = dir.path().join("sealed");
        assert!(!log.seal(&sealed).unwrap());
        assert_eq!(log.append(b"one").unwrap(), Some(3));
        assert!(log.seal(&sealed).unwrap());
        assert_eq!(log.append(b"two!").unwrap(), Some(4));
        assert_eq!(fs::read(&sealed).unwrap(), b"one");
        assert_eq!(fs::read(log.path()).unwrap(), b"two!");
    }

    #[test]
    fn a_locked_log_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let log = AppendLog::new(dir.path().join("log"));
        log.append(b"one").unwrap();
        let other = os::open_append(log.path()).unwrap();
        other.lock().unwrap();
        assert_eq!(log.append(b"two").unwrap(), None);
        other.unlock().unwrap();
        assert_eq!(log.append(b"two").unwrap(), Some(6));
        other.lock_shared().unwrap();
        assert!(!log.seal(&dir.path().join("sealed")).unwrap());
    }

    #[test]
    fn a_log_removed_under_its_writer_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let log = AppendLog::new(dir.path().join("log"));
        log.append(b"one").unwrap();
        fs::remove_file(log.path()).unwrap();
        assert_eq!(log.append(b"two").unwrap(), Some(3));
    }
}
