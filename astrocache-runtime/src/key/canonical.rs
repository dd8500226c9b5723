//! The canonical form: a serde stream in which equal values give equal bytes and different ones different bytes.
//!
//! Every value begins with a tag for its type, so `1u8` and `1u64`, `Some(1)` and `1`, `[1, 2]` and `"\x01\x02"` differ.
//! Numbers are fixed-width little-endian, `usize` is a `u64` (serde widens it), floats go by their bits, text carries its
//! length, open-ended things have an end tag. Map entries are sorted by their bytes, so iteration order does not matter.
//! Sets arrive as sequences and cannot be told from lists: an unordered set may cost a miss, never a wrong hit.

use std::fmt;

use serde::ser::{self, Serialize};

use crate::forward;

/// Beyond this depth a value is refused rather than risking the caller's stack.
const MAX_DEPTH: u32 = 200;
/// Buffered bytes before they go to the hasher.
const FLUSH: usize = 64 * 1024;

#[derive(Clone, Copy)]
enum Tag {
    Unit = 1,
    False,
    True,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    UnitStruct,
    Newtype,
    Seq,
    Tuple,
    TupleStruct,
    Map,
    Struct,
    UnitVariant,
    NewtypeVariant,
    TupleVariant,
    StructVariant,
    End,
}

/// The stream: a buffer in front of a hasher.
pub(crate) struct Canonical {
    buf: Vec<u8>,
    hasher: Option<Box<blake3::Hasher>>,
    depth: u32,
    /// Maps being written: their entries must stay in the buffer until they are sorted.
    open_maps: u32,
}

/// Why a value has no canonical form.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The value's own Serialize said no.
    Custom(String),
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Custom(text) => f.write_str(text),
            Refused::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels"),
        }
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(text: T) -> Refused {
        Refused::Custom(text.to_string())
    }
}

impl Canonical {
    pub(crate) fn new() -> Canonical {
        Canonical {
            buf: Vec::with_capacity(256),
            hasher: None,
            depth: 0,
            open_maps: 0,
        }
    }

    /// Adds bytes as they are: only for fixed-width fields.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Adds text with its length.
    pub(crate) fn text(&mut self, text: &str) {
        self.sized(text.as_bytes());
    }

    /// Adds a value.
    pub(crate) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut *self)
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        match self.hasher.take() {
            None => *blake3::hash(&self.buf).as_bytes(),
            Some(mut hasher) => *hasher.update(&self.buf).finalize().as_bytes(),
        }
    }

    /// The digest of one value alone; `None` if it is refused.
    pub(crate) fn digest<T: Serialize + ?Sized>(value: &T) -> Option<[u8; 32]> {
        let mut stream = Canonical::new();
        stream.value(value).ok()?;
        Some(stream.finish())
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.raw(&(bytes.len() as u64).to_le_bytes());
        if bytes.len() < FLUSH {
            self.raw(bytes);
        } else {
            self.bulk(bytes);
        }
        self.flush_full();
    }

    /// Long text goes to the hasher without a copy, where no open map needs it in the buffer.
    fn bulk(&mut self, bytes: &[u8]) {
        if self.open_maps > 0 {
            return self.raw(bytes);
        }
        self.flush();
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    fn flush_full(&mut self) {
        if self.buf.len() >= FLUSH && self.open_maps == 0 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.hasher.get_or_insert_with(Box::default).update(&self.buf);
        self.buf.clear();
    }

    fn tag(&mut self, tag: Tag) {
        self.buf.push(tag as u8);
    }

    fn scalar<const N: usize>(&mut self, tag: Tag, bytes: [u8; N]) -> Result<(), Refused> {
        self.tag(tag);
        self.raw(&bytes);
        self.flush_full();
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Refused> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(Refused::TooDeep)
        } else {
            Ok(())
        }
    }

    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn open(&mut self, tag: Tag, name: &str, variant: &str) -> Result<Compound<'_>, Refused> {
        self.enter()?;
        self.tag(tag);
        self.text(name);
        self.text(variant);
        Ok(Compound { stream: self })
    }
}

/// A sequence, tuple or struct being written.
pub(crate) struct Compound<'a> {
    stream: &'a mut Canonical,
}

impl Compound<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut *self.stream)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Refused> {
        self.stream.text(name);
        value.serialize(&mut *self.stream)
    }

    fn close(self) -> Result<(), Refused> {
        self.stream.tag(Tag::End);
        self.stream.depth -= 1;
        Ok(())
    }
}

/// A map being written: where each entry starts in the buffer.
pub(crate) struct Entries<'a> {
    stream: &'a mut Canonical,
    start: usize,
    starts: Vec<usize>,
}

impl Entries<'_> {
    fn sort(&mut self) {
        let buf = &self.stream.buf;
        let ends = self.starts.iter().copied().skip(1).chain([buf.len()]);
        let mut entries: Vec<&[u8]> = self.starts.iter().zip(ends).map(|(&from, to)| &buf[from..to]).collect();
        if entries.is_sorted() {
            return;
        }
        entries.sort_unstable();
        let sorted = entries.concat();
        self.stream.buf.truncate(self.start);
        self.stream.buf.extend_from_slice(&sorted);
    }
}

impl<'a> ser::Serializer for &'a mut Canonical {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    // Binary forms lose less than printed ones.
    fn is_human_readable(&self) -> bool {
        false
    }

    forward::numbers! { Result<(), Refused> }

    fn serialize_bool(self, v: bool) -> Result<(), Refused> {
        self.scalar(if v { Tag::True } else { Tag::False }, [])
    }
    fn serialize_char(self, v: char) -> Result<(), Refused> {
        self.scalar(Tag::Char, u32::from(v).to_le_bytes())
    }
    fn serialize_str(self, v: &str) -> Result<(), Refused> {
        self.tag(Tag::Str);
        self.text(v);
        Ok(())
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), Refused> {
        self.tag(Tag::Bytes);
        self.sized(v);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), Refused> {
        self.scalar(Tag::None, [])
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        self.tag(Tag::Some);
        self.nested(value)
    }
    fn serialize_unit(self) -> Result<(), Refused> {
        self.scalar(Tag::Unit, [])
    }
    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Refused> {
        self.tag(Tag::UnitStruct);
        self.text(name);
        Ok(())
    }
    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result<(), Refused> {
        self.tag(Tag::UnitVariant);
        self.text(name);
        self.text(variant);
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Refused> {
        self.tag(Tag::Newtype);
        self.text(name);
        self.nested(value)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.tag(Tag::NewtypeVariant);
        self.text(name);
        self.text(variant);
        self.nested(value)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Refused> {
        self.open(Tag::Seq, "", "")
    }
    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Refused> {
        self.open(Tag::Tuple, "", "")
    }
    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, Refused> {
        self.open(Tag::TupleStruct, name, "")
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Refused> {
        self.open(Tag::TupleVariant, name, variant)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, Refused> {
        self.enter()?;
        self.tag(Tag::Map);
        self.open_maps += 1;
        let start = self.buf.len();
        Ok(Entries {
            stream: self,
            start,
            starts: Vec::new(),
        })
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, Refused> {
        self.open(Tag::Struct, name, "")
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Refused> {
        self.open(Tag::StructVariant, name, variant)
    }
}

forward::elements! { Compound, Refused }
forward::fields! { Compound, Refused }

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Refused;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.starts.push(self.stream.buf.len());
        key.serialize(&mut *self.stream)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut *self.stream)
    }
    fn end(mut self) -> Result<(), Refused> {
        self.sort();
        self.stream.open_maps -= 1;
        self.stream.depth -= 1;
        self.stream.tag(Tag::End);
        self.stream.flush_full();
        Ok(())
    }
}
