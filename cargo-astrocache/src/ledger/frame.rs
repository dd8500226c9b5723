//! The envelope of every file that the analyzer keeps for itself: what it is, which build wrote it, that it is whole.
//!
//! | bytes | content |
//! | --- | --- |
//! | 8 | kind |
//! | 32 | blake3 of the analyzer's build id: another build may mean something else by the same bytes |
//! | 8 | length of the body, little-endian |
//! | 32 | blake3 of the three above and the body |
//! | .. | the body, then whatever the kind puts behind it under checksums of its own |
//!
//! None of it protects against whoever may write to the directory; directories are the user's own.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

/// What a file is. Eight bytes that begin it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub &'static [u8; 8]);

const START: usize = 8 + 32 + 8;
/// Bytes before the body.
pub const HEADER: usize = START + 32;
/// No file of ours comes near; a larger one is not read.
const MAX_BYTES: u64 = 4 << 30;

/// Why a file says nothing. All but [`FrameError::Missing`] are worth a line to the user; none is worth more than making
/// the content anew.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("there is no file")]
    Missing,

    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),

    #[error("another version of cargo-astrocache wrote it")]
    Foreign,

    #[error("it is damaged")]
    Damaged,
}

/// `body` in its envelope.
pub fn encode(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.extend_from_slice(kind.0);
    out.extend_from_slice(&build());
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let check = checksum(&out, body);
    out.extend_from_slice(&check);
    out.extend_from_slice(body);
    out
}

/// The body in `bytes`, and what stands behind it.
///
/// # Errors
///
/// [`FrameError::Foreign`] or [`FrameError::Damaged`].
pub fn decode(kind: Kind, bytes: &[u8]) -> Result<(&[u8], &[u8]), FrameError> {
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or(FrameError::Damaged)?;
    let (start, check) = header.split_at(START);
    if start[..8] != kind.0[..] {
        return Err(FrameError::Damaged);
    }
    if start[8..40] != build() {
        return Err(FrameError::Foreign);
    }
    let mut len = [0; 8];
    len.copy_from_slice(&start[40..]);
    let len = usize::try_from(u64::from_le_bytes(len)).map_err(|_| FrameError::Damaged)?;
    let (body, behind) = rest.split_at_checked(len).ok_or(FrameError::Damaged)?;
    match checksum(start, body) == check {
        true => Ok((body, behind)),
        false => Err(FrameError::Damaged),
    }
}

/// The body of the file at `path`, which has nothing behind it.
///
/// # Errors
///
/// Why there is none.
pub fn read(path: &Path, kind: Kind) -> Result<Vec<u8>, FrameError> {
    let mut bytes = read_bytes(path)?;
    let (body, behind) = decode(kind, &bytes)?;
    if !behind.is_empty() {
        return Err(FrameError::Damaged);
    }
    let start = bytes.len() - body.len();
    bytes.drain(..start);
    Ok(bytes)
}

/// Puts a file with `body` in place of what is at `path`, whose directory exists.
///
/// # Errors
///
/// The old file, or none, is left where it was.
pub fn write(path: &Path, kind: Kind, body: &[u8]) -> io::Result<()> {
    write_bytes(path, &[&encode(kind, body)])
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, FrameError> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// A regular file; a pipe or a directory is an error, not a wait.
pub(super) fn open(path: &Path) -> Result<File, FrameError> {
    let stat = fs::metadata(path).map_err(unreadable)?;
    if !stat.is_file() || stat.len() > MAX_BYTES {
        return Err(FrameError::Damaged);
    }
    File::open(path).map_err(unreadable)
}

/// Replaces a file. Not flushed to the disk: after a crash of the machine the checksums tell what is whole, and what is
/// not is made anew.
pub(super) fn write_bytes(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.persist(path)?;
    Ok(())
}

/// How names of files begin that are not yet in place; a killed process leaves one.
pub(super) const TEMPORARY: &str = ".writing-";

fn unreadable(error: io::Error) -> FrameError {
    match error.kind() {
        io::ErrorKind::NotFound => FrameError::Missing,
        _ => FrameError::Unreadable(error),
    }
}

fn build() -> [u8; 32] {
    *blake3::hash(crate::build_id().as_bytes()).as_bytes()
}

fn checksum(start: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(start).update(body);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind(b"actest\0\x01");

    #[test]
    fn what_is_written_is_read_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert!(matches!(read(&path, KIND), Err(FrameError::Missing)));
        for body in [b"".as_slice(), b"old", b"newer"] {
            write(&path, KIND, body).unwrap();
            assert_eq!(read(&path, KIND).unwrap(), body);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_noticed() {
        let whole = encode(KIND, b"a body of some length");
        for len in 0..whole.len() {
            assert!(decode(KIND, &whole[..len]).is_err(), "{len} bytes");
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(KIND, &bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_kind_another_build_and_bytes_behind_the_body_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut bytes = encode(KIND, b"body");
        assert!(decode(Kind(b"acother\x01"), &bytes).is_err());
        bytes.extend_from_slice(b"behind");
        assert_eq!(
            decode(KIND, &bytes).unwrap(),
            (b"body".as_slice(), b"behind".as_slice())
        );
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(read(&path, KIND), Err(FrameError::Damaged)));
        bytes[8..40].fill(7);
        assert!(matches!(decode(KIND, &bytes), Err(FrameError::Foreign)));
    }

    #[test]
    fn a_length_beyond_the_file_asks_for_no_memory() {
        let mut bytes = encode(KIND, b"body");
        bytes[40..48].fill(0xff);
        assert!(matches!(decode(KIND, &bytes), Err(FrameError::Damaged)));
    }

    #[test]
    fn a_directory_in_its_place_is_no_file_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path(), KIND), Err(FrameError::Damaged)));
        let taken = dir.path().join("taken");
        fs::create_dir_all(taken.join("sub")).unwrap();
        assert!(write(&taken, KIND, b"x").is_err());
        assert!(write(&dir.path().join("no/such"), KIND, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
