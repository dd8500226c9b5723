//! A cursor over encoded bytes: tags, lengths, names and depth, each checked. Knows nothing of serde's visitors.

use super::ser::{NAME_END, NAME_NEW, NAME_REFS};
use super::{CodecError, MAX_DEPTH, Tag};

type Result<T> = std::result::Result<T, CodecError>;

/// A cursor over encoded bytes, with the names seen so far.
pub(super) struct Reader<'de> {
    pub input: &'de [u8],
    names: Vec<&'de str>,
    depth: u32,
}

impl<'de> Reader<'de> {
    pub(super) fn new(input: &'de [u8]) -> Reader<'de> {
        Reader {
            input,
            names: Vec::new(),
            depth: 0,
        }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'de [u8]> {
        let (head, tail) = self.input.split_at_checked(len).ok_or(CodecError::Malformed)?;
        self.input = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.input.split_first_chunk().ok_or(CodecError::Malformed)?;
        self.input = tail;
        Ok(*head)
    }

    pub(super) fn tag(&mut self) -> Result<Tag> {
        let [byte] = self.array()?;
        Tag::from_byte(byte).ok_or(CodecError::Malformed)
    }

    pub(super) fn at_end(&mut self) -> Result<bool> {
        match self.input.first() {
            None => Err(CodecError::Malformed),
            Some(&byte) if byte == Tag::End as u8 => {
                self.input = &self.input[1..];
                Ok(true)
            }
            Some(_) => Ok(false),
        }
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(CodecError::Malformed)
    }

    pub(super) fn sized(&mut self) -> Result<&'de [u8]> {
        let len = usize::try_from(self.varint()?).map_err(|_| CodecError::Malformed)?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'de str> {
        std::str::from_utf8(self.sized()?).map_err(|_| CodecError::Malformed)
    }

    /// A name, or `None` for the end of a struct.
    pub(super) fn name(&mut self) -> Result<Option<&'de str>> {
        match self.varint()? {
            NAME_END => Ok(None),
            NAME_NEW => {
                let name = self.text()?;
                self.names.push(name);
                Ok(Some(name))
            }
            reference => {
                let index = usize::try_from(reference - NAME_REFS).map_err(|_| CodecError::Malformed)?;
                self.names.get(index).copied().map(Some).ok_or(CodecError::Malformed)
            }
        }
    }

    pub(super) fn some_name(&mut self) -> Result<&'de str> {
        self.name()?.ok_or(CodecError::Malformed)
    }

    /// Element tag and raw elements of a packed list.
    pub(super) fn packed(&mut self) -> Result<(Tag, &'de [u8])> {
        let tag = self.tag()?;
        let width = tag.width().filter(|_| tag.is_packable()).ok_or(CodecError::Malformed)?;
        let count = u32::from_le_bytes(self.array()?) as usize;
        Ok((tag, self.take(count.checked_mul(width).ok_or(CodecError::Malformed)?)?))
    }

    /// Runs `f` one level deeper.
    pub(super) fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        // Twice the writer's bound: variants and options nest a little deeper when they are read as maps.
        if self.depth >= 2 * MAX_DEPTH {
            return Err(CodecError::TooDeep);
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }
}
