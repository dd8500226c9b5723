//! A pack: many small records in one immutable file, sorted by key, found by two short reads.
//!
//! `records | index | fanout | footer`. An index entry is the first eight bytes of the key, the record's offset and length.
//! The fanout gives, for each leading-bits prefix, where its index entries begin; buckets hold about thirty. Only records
//! are checksummed: a damaged index leads to a wrong place, where no record with that key verifies, which is a miss.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::key::Key;
use crate::os;
use crate::record::{self, Extent};

const FOOTER: usize = 32;
const FOOTER_MAGIC: &[u8; 8] = b"astropk\x01";
const ENTRY: usize = 20;
/// Index entries a fanout bucket is meant to hold.
const BUCKET: u32 = 32;
/// A bucket larger than this is damage.
const MAX_BUCKET: u32 = 1 << 16;
/// A record in a pack is small by definition; larger is damage.
pub(super) const MAX_RECORD: usize = 1 << 18;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub offset: u64,
    pub len: u32,
}

/// The first eight bytes of a key, as a number that sorts like the key.
pub(super) fn prefix(key: &Key) -> u64 {
    u64::from_be_bytes(*key.0.first_chunk().expect("a key has 32 bytes"))
}

/// An open pack.
pub(super) struct Pack {
    file: File,
    count: u32,
    bits: u32,
    index: u64,
}

impl Pack {
    /// Opens a pack by its footer; `Ok(None)` for one that is damaged.
    pub(super) fn open(path: &Path) -> io::Result<Option<Pack>> {
        let (file, metadata) = os::open_file(path)?;
        let len = metadata.len();
        let Some(at) = len.checked_sub(FOOTER as u64) else {
            return Ok(None);
        };
        let footer = os::read_exact_at(&file, at, FOOTER)?;
        Ok(parse_footer(&footer, len).map(|(count, bits, index)| Pack {
            file,
            count,
            bits,
            index,
        }))
    }

    /// The verified record of `key`.
    pub(super) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let prefix = prefix(key);
        let bucket = if self.bits == 0 { 0 } else { prefix >> (64 - self.bits) };
        let fanout = self.index + u64::from(self.count) * ENTRY as u64;
        let bounds = os::read_exact_at(&self.file, fanout + bucket * 4, 8).ok()?;
        let from = u32::from_le_bytes(*bounds.first_chunk()?);
        let to = u32::from_le_bytes(*bounds.last_chunk()?);
        if to > self.count || to.checked_sub(from)? > MAX_BUCKET {
            return None;
        }
        self.entries(from, to)
            .ok()?
            .into_iter()
            .filter(|(entry, _)| *entry == prefix)
            .find_map(|(_, place)| self.read(place).filter(|bytes| is_record_of(bytes, key)))
    }

    /// Index entries `from..to`.
    pub(super) fn entries(&self, from: u32, to: u32) -> io::Result<Vec<(u64, Place)>> {
        let at = self.index + u64::from(from) * ENTRY as u64;
        let raw = os::read_exact_at(&self.file, at, (to - from) as usize * ENTRY)?;
        Ok(raw.chunks_exact(ENTRY).map(parse_entry).collect())
    }

    /// Number of records.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The bytes at a place, unverified.
    pub(super) fn read(&self, place: Place) -> Option<Vec<u8>> {
        read_place(&self.file, place)
    }
}

/// The bytes at a place of a log or pack, unverified.
pub(super) fn read_place(file: &File, place: Place) -> Option<Vec<u8>> {
    if place.len as usize > MAX_RECORD {
        return None;
    }
    os::read_exact_at(file, place.offset, place.len as usize).ok()
}

/// Do these bytes verify as the record of `key`?
pub(super) fn is_record_of(bytes: &[u8], key: &Key) -> bool {
    record::read(bytes).is_some_and(|(header, _)| header.key == *key)
}

fn parse_entry(raw: &[u8]) -> (u64, Place) {
    let field = |at: usize| u64::from_le_bytes(*raw[at..].first_chunk().expect("an entry has 20 bytes"));
    let len = u32::from_le_bytes(*raw[16..].first_chunk().expect("an entry has 20 bytes"));
    (field(0), Place { offset: field(8), len })
}

fn parse_footer(footer: &[u8], len: u64) -> Option<(u32, u32, u64)> {
    let rest = footer.strip_prefix(FOOTER_MAGIC)?;
    let count = u32::from_le_bytes(*rest.first_chunk()?);
    let bits = u32::from_le_bytes(*rest[4..].first_chunk()?);
    let index = u64::from_le_bytes(*rest[8..].first_chunk()?);
    if bits > 26 {
        return None;
    }
    let expected = index
        .checked_add(u64::from(count) * ENTRY as u64)?
        .checked_add(((1 << bits) + 1) * 4)?
        .checked_add(FOOTER as u64)?;
    (expected == len).then_some((count, bits, index))
}

/// Writes a pack record by record, in key order.
pub(super) struct PackWriter {
    out: BufWriter<File>,
    index: Vec<(u64, Place)>,
    offset: u64,
}

impl PackWriter {
    pub(super) fn create(path: &Path) -> io::Result<PackWriter> {
        Ok(PackWriter {
            out: BufWriter::with_capacity(1 << 16, os::create_new(path)?),
            index: Vec::new(),
            offset: 0,
        })
    }

    /// Adds a record whose key is not below the last one's.
    pub(super) fn add(&mut self, prefix: u64, record: &[u8]) -> io::Result<()> {
        let len = u32::try_from(record.len()).map_err(io::Error::other)?;
        self.index.push((
            prefix,
            Place {
                offset: self.offset,
                len,
            },
        ));
        self.offset += u64::from(len);
        self.out.write_all(record)
    }

    /// Writes index, fanout and footer.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let count = u32::try_from(self.index.len()).map_err(io::Error::other)?;
        let bits = (count / BUCKET).checked_ilog2().unwrap_or(0);
        for (prefix, place) in &self.index {
            self.out.write_all(&prefix.to_le_bytes())?;
            self.out.write_all(&place.offset.to_le_bytes())?;
            self.out.write_all(&place.len.to_le_bytes())?;
        }
        for bucket in 0..=(1u64 << bits) {
            let below = |prefix: u64| bits > 0 && (prefix >> (64 - bits)) < bucket || bits == 0 && bucket == 1;
            let start = self.index.partition_point(|(prefix, _)| below(*prefix));
            self.out.write_all(&(start as u32).to_le_bytes())?;
        }
        self.out.write_all(FOOTER_MAGIC)?;
        self.out.write_all(&count.to_le_bytes())?;
        self.out.write_all(&bits.to_le_bytes())?;
        self.out.write_all(&self.offset.to_le_bytes())?;
        self.out.write_all(&[0; FOOTER - 24])?;
        self.out.flush()
    }
}

/// Finds the records of a log's bytes that begin at `base` in the file, in order. Torn ones are stepped over. Returns how
/// far the log is settled: an unfinished record at the very end may still be in the making. Unless the bytes reach to the
/// `end` of the log, a record that they cut off is simply left for the next piece.
pub(super) fn scan(bytes: &[u8], base: u64, end: bool, mut found: impl FnMut(record::Header<'_>, Place)) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let extent = Extent::of(rest).filter(|extent| extent.total() <= MAX_RECORD);
        match extent {
            Some(extent) if extent.total() <= rest.len() && is_whole(rest, extent) => {
                if let Some(header) = record::read_header(rest) {
                    found(
                        header,
                        Place {
                            offset: base + at as u64,
                            len: extent.total() as u32,
                        },
                    );
                }
                at += extent.total();
            }
            Some(extent) if !end && extent.total() > rest.len() => break,
            None if !end && rest.len() < record::PREFIX => break,
            _ => match next_magic(&rest[1..]) {
                Some(skip) => at += 1 + skip,
                None => break,
            },
        }
    }
    base + at as u64
}

/// A record is whole when another one follows it or the file ends there; otherwise its checksum decides.
fn is_whole(rest: &[u8], extent: Extent) -> bool {
    let after = &rest[extent.total()..];
    after.is_empty() || after.starts_with(record::MAGIC) || record::read(&rest[..extent.total()]).is_some()
}

fn next_magic(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(record::MAGIC.len())
        .position(|window| window == record::MAGIC)
}

/// Removes a file; one that is gone already is fine.
pub(super) fn remove_quietly(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
