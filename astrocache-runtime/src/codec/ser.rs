//! Value to bytes.
//!
//! Names of structs, fields and variants are written once and referred to by number after that. Sequences of one scalar
//! type are packed. Newtype structs are transparent, as in JSON, which is what serde's own buffering expects.

mod probe;

use std::cell::Cell;
use std::collections::BTreeMap;

use serde::ser::{self, Serialize};

use super::{CodecError, MAX_DEPTH, Tag};
use crate::forward;
use probe::Probe;

type Result<T = (), E = CodecError> = std::result::Result<T, E>;

/// An encoded value.
pub(super) struct Encoded {
    pub bytes: Vec<u8>,
    /// Did an impl ask whether the format is human-readable? Then it may have a lossy form.
    pub asked_readable: bool,
}

pub(super) fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Encoded> {
    let mut writer = Writer {
        out: Vec::new(),
        names: BTreeMap::new(),
        depth: 0,
        asked: Cell::new(false),
    };
    value.serialize(&mut writer)?;
    Ok(Encoded {
        bytes: writer.out,
        asked_readable: writer.asked.get(),
    })
}

/// Reference 0 ends a struct, 1 introduces a name, n refers to name n - 2.
pub(super) const NAME_END: u64 = 0;
pub(super) const NAME_NEW: u64 = 1;
pub(super) const NAME_REFS: u64 = 2;

pub(super) fn write_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

pub(super) fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

struct Writer {
    out: Vec<u8>,
    names: BTreeMap<(usize, usize), u64>,
    depth: u32,
    asked: Cell<bool>,
}

impl Writer {
    fn tag(&mut self, tag: Tag) {
        self.out.push(tag as u8);
    }

    fn scalar<const N: usize>(&mut self, tag: Tag, bytes: [u8; N]) -> Result {
        self.tag(tag);
        self.out.extend_from_slice(&bytes);
        Ok(())
    }

    /// Names are `'static`: the address and length of one stand for its text.
    fn name(&mut self, name: &'static str) {
        let next = self.names.len() as u64 + NAME_REFS;
        let reference = *self.names.entry((name.as_ptr() as usize, name.len())).or_insert(next);
        if reference == next {
            write_varint(&mut self.out, NAME_NEW);
            write_sized(&mut self.out, name.as_bytes());
        } else {
            write_varint(&mut self.out, reference);
        }
    }

    fn enter(&mut self) -> Result {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(CodecError::TooDeep)
        } else {
            Ok(())
        }
    }

    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn list(&mut self, tag: Tag, packed: Tag, len: usize) -> Result<List<'_>> {
        self.enter()?;
        let start = self.out.len();
        self.tag(tag);
        Ok(List {
            writer: self,
            start,
            packed,
            len,
            state: Packing::Empty,
        })
    }

    fn fields(&mut self, tag: Tag, name: &'static str, variant: Option<&'static str>) -> Result<Fields<'_>> {
        self.enter()?;
        self.tag(tag);
        self.name(name);
        if let Some(variant) = variant {
            self.name(variant);
        }
        Ok(Fields { writer: self })
    }
}

/// How the elements of a list have been written so far.
enum Packing {
    Empty,
    /// All are scalars with this tag; `count` raw elements stand after the packed header.
    Packed {
        tag: Tag,
        count: u32,
    },
    /// Each carries its own tag.
    General,
}

/// Tag, element tag, count.
const PACKED_HEADER: usize = 6;

struct List<'a> {
    writer: &'a mut Writer,
    start: usize,
    packed: Tag,
    /// How many elements are expected, zero if unknown.
    len: usize,
    state: Packing,
}

impl List<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        match &mut self.state {
            Packing::Empty => {
                let at = self.writer.out.len();
                self.writer.out.extend_from_slice(&[0; PACKED_HEADER - 1]);
                let mut probe = Probe {
                    out: &mut self.writer.out,
                    asked: &self.writer.asked,
                    expected: None,
                };
                if value.serialize(&mut probe).is_ok()
                    && let Some(tag) = probe.expected
                {
                    // A promised length is only worth so much.
                    let rest = self.len.min(1 << 24) * tag.width().unwrap_or(1);
                    self.writer.out.reserve(rest);
                    self.state = Packing::Packed { tag, count: 1 };
                    return Ok(());
                }
                self.writer.out.truncate(at);
                self.state = Packing::General;
            }
            Packing::Packed { tag, count } => {
                let mut probe = Probe {
                    out: &mut self.writer.out,
                    asked: &self.writer.asked,
                    expected: Some(*tag),
                };
                if value.serialize(&mut probe).is_ok() {
                    *count = count.checked_add(1).ok_or(CodecError::TooLong)?;
                    return Ok(());
                }
                self.unpack();
            }
            Packing::General => {}
        }
        value.serialize(&mut *self.writer)
    }

    /// Gives each element written so far its own tag.
    fn unpack(&mut self) {
        if let Packing::Packed { tag, .. } = self.state {
            let width = tag.width().unwrap_or(1);
            let raw = self.writer.out.split_off(self.start + PACKED_HEADER);
            self.writer.out.truncate(self.start + 1);
            for element in raw.chunks_exact(width) {
                self.writer.out.push(tag as u8);
                self.writer.out.extend_from_slice(element);
            }
        }
        self.state = Packing::General;
    }

    fn close(self) -> Result {
        self.writer.depth -= 1;
        match self.state {
            Packing::Packed { tag, count } => {
                let header = &mut self.writer.out[self.start..self.start + PACKED_HEADER];
                header[0] = self.packed as u8;
                header[1] = tag as u8;
                header[2..].copy_from_slice(&count.to_le_bytes());
            }
            Packing::Empty | Packing::General => self.writer.tag(Tag::End),
        }
        Ok(())
    }
}

struct Fields<'a> {
    writer: &'a mut Writer,
}

impl Fields<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.writer.name(name);
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> Result {
        self.writer.depth -= 1;
        write_varint(&mut self.writer.out, NAME_END);
        Ok(())
    }
}

struct Entries<'a> {
    writer: &'a mut Writer,
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    // serde's buffered content (untagged, flatten) always claims to be readable: the two sides must agree.
    fn is_human_readable(&self) -> bool {
        self.asked.set(true);
        true
    }

    forward::numbers! { Result }

    fn serialize_bool(self, v: bool) -> Result {
        self.scalar(if v { Tag::True } else { Tag::False }, [])
    }
    fn serialize_char(self, v: char) -> Result {
        self.scalar(Tag::Char, u32::from(v).to_le_bytes())
    }
    fn serialize_str(self, v: &str) -> Result {
        self.tag(Tag::Str);
        write_sized(&mut self.out, v.as_bytes());
        Ok(())
    }
    fn serialize_bytes(self, v: &[u8]) -> Result {
        self.tag(Tag::Bytes);
        write_sized(&mut self.out, v);
        Ok(())
    }
    fn serialize_none(self) -> Result {
        self.scalar(Tag::None, [])
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        self.tag(Tag::Some);
        self.nested(value)
    }
    fn serialize_unit(self) -> Result {
        self.scalar(Tag::Unit, [])
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result {
        self.scalar(Tag::Unit, [])
    }
    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result {
        self.tag(Tag::UnitVariant);
        self.name(name);
        self.name(variant);
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        self.nested(value)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        self.tag(Tag::NewtypeVariant);
        self.name(name);
        self.name(variant);
        self.nested(value)
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<List<'a>> {
        self.list(Tag::Seq, Tag::PackedSeq, len.unwrap_or(0))
    }
    fn serialize_tuple(self, len: usize) -> Result<List<'a>> {
        self.list(Tag::Tuple, Tag::PackedTuple, len)
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List<'a>> {
        self.list(Tag::Tuple, Tag::PackedTuple, len)
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a>> {
        self.tag(Tag::TupleVariant);
        self.name(name);
        self.name(variant);
        self.list(Tag::Tuple, Tag::PackedTuple, len)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>> {
        self.enter()?;
        self.tag(Tag::Map);
        Ok(Entries { writer: self })
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>> {
        self.fields(Tag::Struct, name, None)
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>> {
        self.fields(Tag::StructVariant, name, Some(variant))
    }
}

forward::elements! { List, CodecError }
forward::fields! { Fields, CodecError }

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = CodecError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        key.serialize(&mut *self.writer)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        value.serialize(&mut *self.writer)
    }
    fn end(self) -> Result {
        self.writer.depth -= 1;
        self.writer.tag(Tag::End);
        Ok(())
    }
}
