//! A pack: what is known of the files of one package, in one file that is read as far as it is asked.
//!
//! An index in a frame (see [`super::frame`]), then the records' parts end to end. The index holds each part's place and
//! checksum, so a part that nobody asks for is neither read from the disk nor hashed. What the parts mean is the
//! caller's business.

use std::{collections::BTreeMap, fs::File, io, path::Path};

use memmap2::Mmap;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::frame::{self, FrameError, Kind};

const KIND: Kind = Kind(b"acfacts\x01");

/// How many parts a record has.
pub const PARTS: usize = 2;

/// blake3.
pub type Hash = [u8; 32];

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Hash of the text's bytes.
    pub text: Hash,
    /// What else decides the record.
    pub tag: u8,
}

/// Where a part is, and the hash of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    start: u64,
    len: u32,
    pub hash: Hash,
}

/// A record's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// A small number kept beside the parts.
    pub note: u32,
    pub parts: [Part; PARTS],
}

/// What was found under each path, `/` between components: the hash of the file, or that there is none.
pub type Paths = BTreeMap<String, Option<Hash>>;

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub note: u32,
    pub parts: [&'a [u8]; PARTS],
}

#[derive(Serialize, Deserialize)]
struct Index {
    paths: Paths,
    records: Vec<(Key, Entry)>,
}

/// A pack that was opened.
#[derive(Debug)]
pub struct Pack {
    bytes: Mmap,
    /// Where the parts begin.
    start: usize,
    paths: Paths,
    records: FxHashMap<Key, Entry>,
}

impl Pack {
    /// Opens the pack at `path`.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn open(path: &Path) -> Result<Pack, FrameError> {
        let file = frame::open(path)?;
        let bytes = map(&file).map_err(FrameError::Unreadable)?;
        let (body, parts) = frame::decode(KIND, &bytes)?;
        let index: Index = postcard::from_bytes(body).map_err(|_| FrameError::Damaged)?;
        let fits = |part: &Part| part.start.checked_add(part.len.into()) <= Some(parts.len() as u64);
        if !index.records.iter().all(|(_, entry)| entry.parts.iter().all(fits)) {
            return Err(FrameError::Damaged);
        }
        let start = bytes.len() - parts.len();
        Ok(Pack {
            bytes,
            start,
            paths: index.paths,
            records: index.records.into_iter().collect(),
        })
    }

    /// What was found under each path.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The place of a record.
    pub fn find(&self, key: &Key) -> Option<&Entry> {
        self.records.get(key)
    }

    /// What there are records of, in order.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.records.keys().copied().collect();
        keys.sort();
        keys
    }

    /// The bytes of a part; `None` if they are not what was written.
    pub fn part(&self, part: &Part) -> Option<&[u8]> {
        let start = self.start + usize::try_from(part.start).ok()?;
        let bytes = self.bytes.get(start..start + part.len as usize)?;
        (*blake3::hash(bytes).as_bytes() == part.hash).then_some(bytes)
    }
}

/// Puts a pack of these in place of what is at `path`.
///
/// # Errors
///
/// The old pack, or none, is left where it was.
pub fn write(path: &Path, paths: &Paths, records: &BTreeMap<Key, Record<'_>>) -> io::Result<()> {
    let mut start = 0;
    let mut parts = Vec::with_capacity(records.len() * PARTS);
    let mut index = Vec::with_capacity(records.len());
    for (key, record) in records {
        let place = record.parts.map(|bytes| {
            let part = Part {
                start,
                len: bytes.len() as u32,
                hash: *blake3::hash(bytes).as_bytes(),
            };
            start += bytes.len() as u64;
            parts.push(bytes);
            part
        });
        index.push((
            *key,
            Entry {
                note: record.note,
                parts: place,
            },
        ));
    }
    let index = Index {
        paths: paths.clone(),
        records: index,
    };
    let index = postcard::to_allocvec(&index).map_err(io::Error::other)?;
    let header = frame::encode(KIND, &index);
    parts.insert(0, &header);
    frame::write_bytes(path, &parts)
}

fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: a pack is never written in place, only renamed over, and stands in a directory that is the user's own; so
    // the bytes stay what they are while the map lives.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key(n: u8) -> Key {
        Key { text: [n; 32], tag: n }
    }

    fn sample(path: &Path) {
        let paths = Paths::from([("src/a.rs".to_owned(), None), ("src/lib.rs".to_owned(), Some([1; 32]))]);
        let record = |items, bodies| Record {
            note: 3,
            parts: [items, bodies],
        };
        let records = BTreeMap::from([
            (key(1), record(b"items".as_slice(), b"bodies".as_slice())),
            (key(2), record(b"", b"more")),
        ]);
        write(path, &paths, &records).unwrap();
    }

    #[test]
    fn what_is_written_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pack");
        sample(&path);
        let pack = Pack::open(&path).unwrap();
        assert_eq!(pack.keys(), [key(1), key(2)]);
        assert_eq!(pack.paths()["src/lib.rs"], Some([1; 32]));
        let entry = pack.find(&key(1)).unwrap();
        assert_eq!(entry.note, 3);
        let parts = entry.parts.map(|part| pack.part(&part).unwrap().to_vec());
        assert_eq!(parts, [b"items".to_vec(), b"bodies".to_vec()]);
        assert!(pack.find(&key(9)).is_none());
    }

    #[test]
    fn a_truncated_pack_is_refused_and_a_flipped_bit_is_seen_where_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pack");
        sample(&path);
        let whole = fs::read(&path).unwrap();
        let broken = dir.path().join("b.pack");
        for len in 0..whole.len() {
            fs::write(&broken, &whole[..len]).unwrap();
            assert!(Pack::open(&broken).is_err(), "{len} bytes");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&broken, bytes).unwrap();
            let Ok(pack) = Pack::open(&broken) else { continue };
            let parts = pack.records.values().flat_map(|entry| entry.parts);
            assert_eq!(parts.filter(|part| pack.part(part).is_none()).count(), 1, "byte {at}");
        }
    }

    #[test]
    fn a_pack_that_is_replaced_while_it_is_open_stays_readable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pack");
        sample(&path);
        let pack = Pack::open(&path).unwrap();
        write(&path, &Paths::new(), &BTreeMap::new()).unwrap();
        let entry = pack.find(&key(1)).unwrap();
        assert_eq!(pack.part(&entry.parts[0]), Some(b"items".as_slice()));
        assert!(Pack::open(&path).unwrap().keys().is_empty());
    }
}
