//! The ledger's bytes: numbers little-endian, texts and lists after their length. The reader trusts nothing: a length
//! beyond the end is the end of the attempt.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub(crate) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn i128(&mut self, value: i128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn str(&mut self, text: &str) -> io::Result<()> {
        self.len(text.len())?;
        self.raw(text.as_bytes());
        Ok(())
    }

    pub fn path(&mut self, path: &Path) -> io::Result<()> {
        let text = path.to_str().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the path {} is not UTF-8", path.display()),
            )
        })?;
        self.str(text)
    }

    pub fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T) -> io::Result<()>) -> io::Result<()> {
        self.len(items.len())?;
        items.iter().try_for_each(|item| each(self, item))
    }

    fn len(&mut self, len: usize) -> io::Result<()> {
        let len = u32::try_from(len).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a list is too long"))?;
        self.u32(len);
        Ok(())
    }
}

pub(crate) struct Reader<'a> {
    pub bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn raw(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(len)?;
        self.bytes = tail;
        Some(head)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.bytes.split_first_chunk()?;
        self.bytes = tail;
        Some(*head)
    }

    /// Without a call: the macro runs this unoptimised, for each text and list.
    pub fn u32(&mut self) -> Option<u32> {
        let &[a, b, c, d, ref rest @ ..] = self.bytes else {
            return None;
        };
        self.bytes = rest;
        Some(u32::from_le_bytes([a, b, c, d]))
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn i128(&mut self) -> Option<i128> {
        self.array().map(i128::from_le_bytes)
    }

    pub fn str(&mut self) -> Option<String> {
        let len = self.u32()? as usize;
        std::str::from_utf8(self.raw(len)?).ok().map(String::from)
    }

    pub fn path(&mut self) -> Option<PathBuf> {
        self.str().map(PathBuf::from)
    }

    /// No room is set aside for a length that the remaining bytes cannot hold.
    pub fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.u32()? as usize;
        let mut items = Vec::with_capacity(len.min(self.bytes.len()));
        while items.len() < len {
            items.push(each(self)?);
        }
        Some(items)
    }
}
