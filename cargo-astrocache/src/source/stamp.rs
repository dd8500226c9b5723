//! What the file system says of a file without its being read: as long as that is the same, so is the content.

use std::{fs::Metadata, io, time::UNIX_EPOCH};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::data::inner_names;

/// See the module. Of a directory: of everything under it that [`super::hash`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    modified_ns: i128,
    /// Of the inode, where there is such a time: nobody can set it back. Else 0.
    changed_ns: i128,
    size: u64,
    /// Which file it is, where files have numbers; of a directory, which files with which stamps.
    id: u64,
}

impl Stamp {
    /// What is at `path`, links followed; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// It cannot be told.
    pub fn of(path: &Utf8Path) -> io::Result<Option<Stamp>> {
        let stat = match path.metadata() {
            Ok(stat) => stat,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let stamp = Stamp::from(&stat)?;
        if !stat.is_dir() {
            return Ok(Some(stamp));
        }
        let mut tree = Tree {
            hasher: blake3::Hasher::new(),
            newest: stamp,
        };
        tree.add_directory(path, 0)?;
        let mut id = [0; 8];
        id.copy_from_slice(&tree.hasher.finalize().as_bytes()[..8]);
        Ok(Some(Stamp {
            id: u64::from_le_bytes(id),
            ..tree.newest
        }))
    }

    /// Whether a read that began at `since` or later saw the content that has this stamp, and every later content has
    /// another (git: "racily clean").
    pub fn is_settled(&self, since: i128) -> bool {
        [self.modified_ns, self.changed_ns]
            .iter()
            .all(|&time| time + granularity_ns(time) < since)
    }

    fn from(stat: &Metadata) -> io::Result<Stamp> {
        let modified = stat.modified()?;
        let modified_ns = match modified.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        let (changed_ns, id) = inode(stat);
        Ok(Stamp {
            modified_ns,
            changed_ns,
            size: stat.len(),
            id,
        })
    }
}

/// How far apart two writes can be and still leave the same time. Linux stamps with the timer tick; a whole second says
/// that the file system keeps no more than that, FAT even two.
fn granularity_ns(time_ns: i128) -> i128 {
    match time_ns % 1_000_000_000 {
        0 => 2_000_000_000,
        _ => 20_000_000,
    }
}

/// Waits until all that was written so far is settled. For tests.
#[cfg(test)]
pub fn settle() {
    use astrocache_manifest::now_ns;
    let now = now_ns();
    while now_ns() <= now + 2 * granularity_ns(1) {
        std::thread::yield_now();
    }
}

#[cfg(unix)]
fn inode(stat: &Metadata) -> (i128, u64) {
    use std::os::unix::fs::MetadataExt;
    let changed = i128::from(stat.ctime()) * 1_000_000_000 + i128::from(stat.ctime_nsec());
    (changed, stat.ino() ^ stat.dev().rotate_left(32))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> (i128, u64) {
    (0, 0)
}

/// The stamps under a directory.
struct Tree {
    hasher: blake3::Hasher,
    newest: Stamp,
}

impl Tree {
    fn add_directory(&mut self, path: &Utf8Path, depth: usize) -> io::Result<()> {
        for name in inner_names(path, depth).unwrap_or_default() {
            let inner = path.join(&name);
            let stat = inner.symlink_metadata()?;
            let stamp = Stamp::from(&stat)?;
            self.newest.modified_ns = self.newest.modified_ns.max(stamp.modified_ns);
            self.newest.changed_ns = self.newest.changed_ns.max(stamp.changed_ns);
            self.hasher.update(&(name.len() as u64).to_le_bytes());
            self.hasher.update(name.as_bytes());
            for time in [stamp.modified_ns, stamp.changed_ns] {
                self.hasher.update(&time.to_le_bytes());
            }
            for number in [stamp.size, stamp.id, u64::from(stat.is_dir())] {
                self.hasher.update(&number.to_le_bytes());
            }
            if stat.is_dir() {
                self.add_directory(&inner, depth + 1)?;
            }
            self.hasher.update(b"end");
        }
        Ok(())
    }
}
