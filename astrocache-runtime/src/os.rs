//! The few things that differ between systems: private files, positioned reads, which file a path names, who owns it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Identity of a file on disk, to notice that a path names another one now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileId(u64, u64);

#[cfg(unix)]
mod sys {
    use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};

    use super::*;

    /// Shared append logs rest on `flock`, `O_APPEND` and inode numbers.
    pub(crate) const HAS_SHARED_LOGS: bool = true;

    pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        // Not blocking: a FIFO in place of a file must not hang a call.
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
    }

    pub(crate) fn create_private_dirs(path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(path)
    }

    pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buf, offset)
    }

    pub(crate) fn id(metadata: &fs::Metadata) -> FileId {
        FileId(metadata.dev(), metadata.ino())
    }

    /// Does this file belong to the user we run as?
    pub(crate) fn is_ours(metadata: &fs::Metadata) -> bool {
        // SAFETY: geteuid has no preconditions and cannot fail.
        metadata.uid() == unsafe { libc::geteuid() }
    }

    /// Is this directory ours alone? Tightens a lax mode, refuses a foreign owner.
    pub(crate) fn check_owner(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
        if !is_ours(metadata) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("it belongs to user {}", metadata.uid()),
            ));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod sys {
    use super::*;

    pub(crate) const HAS_SHARED_LOGS: bool = false;

    pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(crate) fn create_private_dirs(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    pub(crate) fn read_at(mut file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        use std::io::{Read, Seek, SeekFrom};
        file.seek(SeekFrom::Start(offset))?;
        file.read(buf)
    }

    pub(crate) fn id(_: &fs::Metadata) -> FileId {
        FileId(0, 0)
    }

    pub(crate) fn is_ours(_: &fs::Metadata) -> bool {
        true
    }

    pub(crate) fn check_owner(_: &Path, _: &fs::Metadata) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) use sys::{HAS_SHARED_LOGS, check_owner, create_private_dir, create_private_dirs, id};

/// Opens a regular file of ours for reading; a symlink, pipe or directory is an error, and so is someone else's file.
pub(crate) fn open_file(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let file = sys::private(OpenOptions::new().read(true)).open(path)?;
    let metadata = checked(&file)?;
    Ok((file, metadata))
}

fn checked(file: &File) -> io::Result<fs::Metadata> {
    let metadata = file.metadata()?;
    match metadata.is_file() && sys::is_ours(&metadata) {
        true => Ok(metadata),
        false => Err(io::Error::other("not a regular file of this user")),
    }
}

/// Creates a file that must not exist yet, for this user alone.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    sys::private(OpenOptions::new().write(true).create_new(true)).open(path)
}

/// Opens or creates a file to append to (and to read).
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    let file = sys::private(OpenOptions::new().read(true).append(true).create(true)).open(path)?;
    checked(&file).map(|_| file)
}

/// The lock file at `path`, locked, or `None` while someone else holds it.
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open_append(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Which file `path` names now.
pub(crate) fn id_at(path: &Path) -> Option<FileId> {
    fs::symlink_metadata(path).ok().map(|metadata| id(&metadata))
}

/// Which file `path` names now, and how long it is.
pub(crate) fn id_and_len(path: &Path) -> Option<(FileId, u64)> {
    fs::symlink_metadata(path)
        .ok()
        .map(|metadata| (id(&metadata), metadata.len()))
}

/// Reads at `offset` until the buffer is full or the file ends; returns how much was read.
pub(crate) fn fill_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match sys::read_at(file, &mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Reads exactly `len` bytes at `offset`.
pub(crate) fn read_exact_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    match fill_at(file, offset, &mut bytes)? {
        read if read == len => Ok(bytes),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_someone_else_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "text").unwrap();
        assert!(open_file(&path).is_ok());
        // Only root can give a file away; anyone else finds root's.
        let foreign = match std::os::unix::fs::chown(&path, Some(65_534), None) {
            Ok(()) => &path,
            Err(_) => Path::new("/etc/passwd"),
        };
        let error = open_file(foreign).unwrap_err().to_string();
        assert_eq!(error, "not a regular file of this user");
        assert!(open_append(foreign).is_err());
    }
}
