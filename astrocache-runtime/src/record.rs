//! One stored value as bytes: the same image in a file of its own, in a log and in a pack.
//!
//! `magic(8) header_len(u32) value_len(u64) header value checksum(16)`, little-endian. The header says everything about
//! the entry, so that any index can be rebuilt from the records alone. The checksum is BLAKE3 over all that stands before
//! it, and nothing is decoded before it holds.

use std::ops::Range;

use crate::codec::CODEC_ID;
use crate::key::Key;
use crate::site::Kind;

/// Begins every record.
pub(crate) const MAGIC: &[u8; 8] = b"\xa5astro\x01\n";
/// Magic and the two lengths.
pub(crate) const PREFIX: usize = 20;
const CHECKSUM: usize = 16;
/// Version of the header's layout.
const FORMAT: u16 = 1;
/// A header is two names and fixed fields.
const MAX_HEADER: usize = PREFIX + 88 + 2 * (2 + u16::MAX as usize);

/// What a record says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub key: Key,
    pub function: &'a str,
    pub package: &'a str,
    pub fingerprint: [u8; 16],
    pub kind: Kind,
    pub codec: u16,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// What computing the value took.
    pub cost_ns: u64,
    /// This record says that the entry is gone.
    pub removed: bool,
}

/// A record's two lengths, read from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub header: usize,
    pub value: usize,
}

impl Extent {
    /// The extent of the record that `bytes` begins with; `None` if no record begins here.
    pub(crate) fn of(bytes: &[u8]) -> Option<Extent> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let header = u32::from_le_bytes(*rest.first_chunk()?) as usize;
        let value = usize::try_from(u64::from_le_bytes(*rest.get(4..)?.first_chunk()?)).ok()?;
        let plausible = (PREFIX..=MAX_HEADER).contains(&header) && value <= isize::MAX as usize / 2;
        plausible.then_some(Extent { header, value })
    }

    /// Length of the whole record.
    pub(crate) fn total(self) -> usize {
        self.header + self.value + CHECKSUM
    }
}

/// The image of a record.
pub(crate) fn write(header: &Header<'_>, value: &[u8]) -> Vec<u8> {
    let (function, package) = (clip(header.function), clip(header.package));
    let header_len = PREFIX + 88 - 2 + 2 + function.len() + 2 + package.len();
    let mut out = Vec::with_capacity(header_len + value.len() + CHECKSUM);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(header_len as u32).to_le_bytes());
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&header.codec.to_le_bytes());
    out.push(kind_byte(header.kind));
    out.push(u8::from(header.removed));
    out.extend_from_slice(&header.key.0);
    out.extend_from_slice(&header.fingerprint);
    out.extend_from_slice(&header.created_ms.to_le_bytes());
    out.extend_from_slice(&header.cost_ns.to_le_bytes());
    // Reserved, so that a field can be added without moving the names.
    out.extend_from_slice(&[0; 16]);
    for name in [function, package] {
        out.extend_from_slice(&(name.len() as u16).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    debug_assert_eq!(out.len(), header_len);
    out.extend_from_slice(value);
    let checksum = blake3::hash(&out);
    out.extend_from_slice(&checksum.as_bytes()[..CHECKSUM]);
    out
}

/// Reads a whole record and checks it. Anything odd is `None`.
pub(crate) fn read(bytes: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let extent = Extent::of(bytes)?;
    if bytes.len() != extent.total() {
        return None;
    }
    let (content, checksum) = bytes.split_at(extent.header + extent.value);
    if blake3::hash(content).as_bytes()[..CHECKSUM] != *checksum {
        return None;
    }
    Some((read_header(content)?, &content[extent.header..]))
}

/// Reads the header alone, unchecked: for listings, never for a hit.
pub(crate) fn read_header(bytes: &[u8]) -> Option<Header<'_>> {
    let extent = Extent::of(bytes)?;
    let mut fields = Fields(bytes.get(PREFIX..extent.header)?);
    if u16::from_le_bytes(fields.take()?) != FORMAT {
        return None;
    }
    let codec = u16::from_le_bytes(fields.take()?);
    let [kind, removed] = fields.take()?;
    let key = Key(fields.take()?);
    let fingerprint = fields.take()?;
    let created_ms = u64::from_le_bytes(fields.take()?);
    let cost_ns = u64::from_le_bytes(fields.take()?);
    let _reserved: [u8; 16] = fields.take()?;
    let (function, package) = (fields.name()?, fields.name()?);
    let kind = kind_of(kind)?;
    let removed = removed != 0;
    Some(Header {
        key,
        function,
        package,
        fingerprint,
        kind,
        codec,
        created_ms,
        cost_ns,
        removed,
    })
}

/// A record whose checksum held, ready to be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    bytes: Vec<u8>,
    value: Range<usize>,
    pub created_ms: u64,
    pub fingerprint: [u8; 16],
    pub cost_ns: u64,
}

impl Image {
    /// Checks that these bytes are the record of `key`, in a codec we know.
    pub(crate) fn verify(bytes: Vec<u8>, key: &Key) -> Option<Image> {
        read(&bytes).filter(|(header, _)| header.key == *key)?;
        Image::of_verified(bytes)
    }

    /// Takes bytes that [`read`] has accepted; a removal or a foreign codec is no value.
    pub(crate) fn of_verified(bytes: Vec<u8>) -> Option<Image> {
        let Extent { header: start, value } = Extent::of(&bytes)?;
        let header = read_header(&bytes).filter(|header| !header.removed && header.codec == CODEC_ID)?;
        let Header {
            created_ms,
            fingerprint,
            cost_ns,
            ..
        } = header;
        Some(Image {
            value: start..start + value,
            created_ms,
            fingerprint,
            cost_ns,
            bytes,
        })
    }

    /// The encoded value.
    pub(crate) fn value(&self) -> &[u8] {
        &self.bytes[self.value.clone()]
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn name(&mut self) -> Option<&'a str> {
        let len = usize::from(u16::from_le_bytes(self.take()?));
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        std::str::from_utf8(head).ok()
    }
}

/// A name that fits its length field.
fn clip(name: &str) -> &str {
    &name[..name.floor_char_boundary(u16::MAX as usize)]
}

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Fine => 1,
        Kind::Trusted => 2,
        Kind::Coarse => 3,
        Kind::None => 4,
    }
}

fn kind_of(byte: u8) -> Option<Kind> {
    [Kind::Fine, Kind::Trusted, Kind::Coarse, Kind::None]
        .into_iter()
        .find(|&kind| kind_byte(kind) == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header<'static> {
        Header {
            key: Key([7; 32]),
            function: "app::render::page",
            package: "app",
            fingerprint: [3; 16],
            kind: Kind::Coarse,
            codec: 1,
            created_ms: 5,
            cost_ns: 6,
            removed: false,
        }
    }

    #[test]
    fn a_record_reads_back() {
        let bytes = write(&header(), b"value");
        assert_eq!(read(&bytes), Some((header(), &b"value"[..])));
        assert_eq!(read_header(&bytes), Some(header()));
        assert_eq!(Extent::of(&bytes).unwrap().total(), bytes.len());
    }

    #[test]
    fn any_damage_is_noticed() {
        let bytes = write(&header(), b"value");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(read(&damaged), None, "byte {at} bit {bit}");
            }
            assert_eq!(read(&bytes[..at]), None);
        }
        assert_eq!(read(&[bytes.clone(), bytes.clone()].concat()), None);
    }

    #[test]
    fn long_names_are_clipped_rather_than_refused() {
        let long = "é".repeat(40_000);
        let bytes = write(
            &Header {
                function: &long,
                ..header()
            },
            b"",
        );
        assert_eq!(read(&bytes).unwrap().0.function.len(), 65_534);
    }
}
