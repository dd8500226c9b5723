//! Bytes to value. Bytes are checksummed before they get here, yet nothing here trusts them: any bytes give a value or an
//! error, in bounded stack and memory.
//!
//! Where a type asks for "anything" (untagged, internally tagged, flattened), the answer has JSON's shape, because that is
//! what serde's buffering is made for: an enum is its variant's name, or a map of one entry.

use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor, value::BorrowedStrDeserializer};

use super::ser::{NAME_END, NAME_NEW, NAME_REFS};
use super::{CodecError, MAX_DEPTH, Tag};

type Result<T> = std::result::Result<T, CodecError>;

pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut reader = Reader::new(bytes);
    let value = T::deserialize(&mut reader)?;
    if reader.input.is_empty() {
        Ok(value)
    } else {
        Err(CodecError::Malformed)
    }
}

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

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
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

    fn varint(&mut self) -> Result<u64> {
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

    fn text(&mut self) -> Result<&'de str> {
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
    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        // Twice the writer's bound: variants and options nest a little deeper when they are read as maps.
        if self.depth >= 2 * MAX_DEPTH {
            return Err(CodecError::TooDeep);
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    #[inline]
    fn scalar<V: Visitor<'de>>(&mut self, tag: Tag, visitor: V) -> Result<V::Value> {
        match tag {
            Tag::I8 => visitor.visit_i8(i8::from_le_bytes(self.array()?)),
            Tag::I16 => visitor.visit_i16(i16::from_le_bytes(self.array()?)),
            Tag::I32 => visitor.visit_i32(i32::from_le_bytes(self.array()?)),
            Tag::I64 => visitor.visit_i64(i64::from_le_bytes(self.array()?)),
            Tag::I128 => visitor.visit_i128(i128::from_le_bytes(self.array()?)),
            Tag::U8 => visitor.visit_u8(u8::from_le_bytes(self.array()?)),
            Tag::U16 => visitor.visit_u16(u16::from_le_bytes(self.array()?)),
            Tag::U32 => visitor.visit_u32(u32::from_le_bytes(self.array()?)),
            Tag::U64 => visitor.visit_u64(u64::from_le_bytes(self.array()?)),
            Tag::U128 => visitor.visit_u128(u128::from_le_bytes(self.array()?)),
            Tag::F32 => visitor.visit_f32(f32::from_le_bytes(self.array()?)),
            Tag::F64 => visitor.visit_f64(f64::from_le_bytes(self.array()?)),
            _ => Err(CodecError::Malformed),
        }
    }

    fn any<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.tag()? {
            Tag::Unit => visitor.visit_unit(),
            Tag::False => visitor.visit_bool(false),
            Tag::True => visitor.visit_bool(true),
            Tag::Char => {
                let code = u32::from_le_bytes(self.array()?);
                visitor.visit_char(char::from_u32(code).ok_or(CodecError::Malformed)?)
            }
            Tag::Str => visitor.visit_borrowed_str(self.text()?),
            Tag::Bytes => visitor.visit_borrowed_bytes(self.sized()?),
            Tag::None => visitor.visit_none(),
            Tag::Some => self.deeper(|reader| visitor.visit_some(reader)),
            Tag::Seq | Tag::Tuple => self.deeper(|reader| reader.list(visitor)),
            Tag::PackedSeq | Tag::PackedTuple => self.packed_list(visitor),
            Tag::Map => self.deeper(|reader| reader.map(visitor)),
            Tag::Struct => {
                self.some_name()?;
                self.deeper(|reader| reader.fields(visitor))
            }
            Tag::UnitVariant => {
                self.some_name()?;
                visitor.visit_borrowed_str(self.some_name()?)
            }
            tag @ (Tag::NewtypeVariant | Tag::TupleVariant | Tag::StructVariant) => {
                self.some_name()?;
                let variant = self.some_name()?;
                self.deeper(|reader| {
                    let mut access = OneEntry {
                        reader,
                        variant: Some(variant),
                        content: Some(tag),
                    };
                    let value = visitor.visit_map(&mut access)?;
                    if access.content.is_none() {
                        Ok(value)
                    } else {
                        Err(CodecError::Malformed)
                    }
                })
            }
            Tag::End => Err(CodecError::Malformed),
            scalar => self.scalar(scalar, visitor),
        }
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let mut access = Elements {
            reader: self,
            ended: false,
        };
        let value = visitor.visit_seq(&mut access)?;
        let Elements { reader, ended } = access;
        if ended || reader.at_end()? {
            Ok(value)
        } else {
            Err(CodecError::Malformed)
        }
    }

    fn packed_list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let (tag, raw) = self.packed()?;
        let mut access = Packed {
            tag,
            width: tag.width().unwrap_or(1),
            reader: Reader::new(raw),
        };
        let value = visitor.visit_seq(&mut access)?;
        if access.reader.input.is_empty() {
            Ok(value)
        } else {
            Err(CodecError::Malformed)
        }
    }

    fn map<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let mut access = Elements {
            reader: self,
            ended: false,
        };
        let value = visitor.visit_map(&mut access)?;
        let Elements { reader, ended } = access;
        if ended || reader.at_end()? {
            Ok(value)
        } else {
            Err(CodecError::Malformed)
        }
    }

    fn fields<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let mut access = Fields {
            reader: self,
            ended: false,
        };
        let value = visitor.visit_map(&mut access)?;
        let Fields { reader, ended } = access;
        if ended || reader.name()?.is_none() {
            Ok(value)
        } else {
            Err(CodecError::Malformed)
        }
    }

    /// The content of a variant, after its tag and names.
    fn content<V: Visitor<'de>>(&mut self, tag: Tag, visitor: V) -> Result<V::Value> {
        match tag {
            Tag::StructVariant => self.fields(visitor),
            _ => self.any(visitor),
        }
    }
}

macro_rules! forward_to_any {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.any(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = CodecError;

    fn is_human_readable(&self) -> bool {
        true
    }

    forward_to_any! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.input.first().copied().and_then(Tag::from_byte) {
            Some(Tag::None | Tag::Some) => self.any(visitor),
            Some(Tag::Unit) => {
                self.tag()?;
                visitor.visit_none()
            }
            _ => self.deeper(|reader| visitor.visit_some(reader)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.deeper(|reader| visitor.visit_newtype_struct(reader))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.tag()? {
            Tag::Str => visitor.visit_enum(self.text()?.into_deserializer()),
            tag @ (Tag::UnitVariant | Tag::NewtypeVariant | Tag::TupleVariant | Tag::StructVariant) => {
                self.some_name()?;
                let variant = self.some_name()?;
                self.deeper(|reader| visitor.visit_enum(Variant { reader, variant, tag }))
            }
            _ => Err(CodecError::Malformed),
        }
    }
}

/// Elements of a list, or entries of a map, up to `End`.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    ended: bool,
}

impl<'de> Elements<'_, 'de> {
    fn next<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.ended || self.reader.at_end()? {
            self.ended = true;
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;
    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.next(seed)
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;
    fn next_key_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.next(seed)
    }
    fn next_value_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

/// Fields of a struct, keyed by name.
struct Fields<'a, 'de> {
    reader: &'a mut Reader<'de>,
    ended: bool,
}

impl<'de> de::MapAccess<'de> for Fields<'_, 'de> {
    type Error = CodecError;
    fn next_key_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.ended {
            return Ok(None);
        }
        match self.reader.name()? {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => {
                self.ended = true;
                Ok(None)
            }
        }
    }
    fn next_value_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant read as a map of one entry.
struct OneEntry<'a, 'de> {
    reader: &'a mut Reader<'de>,
    variant: Option<&'de str>,
    content: Option<Tag>,
}

impl<'de> de::MapAccess<'de> for OneEntry<'_, 'de> {
    type Error = CodecError;
    fn next_key_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        match self.variant.take() {
            Some(variant) => seed.deserialize(BorrowedStrDeserializer::new(variant)).map(Some),
            None => Ok(None),
        }
    }
    fn next_value_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let tag = self.content.take().ok_or(CodecError::Malformed)?;
        seed.deserialize(Content {
            reader: self.reader,
            tag,
        })
    }
}

/// The content of a variant as a deserializer of anything.
struct Content<'a, 'de> {
    reader: &'a mut Reader<'de>,
    tag: Tag,
}

impl<'de> de::Deserializer<'de> for Content<'_, 'de> {
    type Error = CodecError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.reader.content(self.tag, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.tag {
            Tag::StructVariant => self.reader.content(self.tag, visitor),
            _ => self.reader.deserialize_option(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A variant read as what it is.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
    variant: &'de str,
    tag: Tag,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;
    fn variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self)> {
        Ok((
            seed.deserialize(BorrowedStrDeserializer::<CodecError>::new(self.variant))?,
            self,
        ))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Result<()> {
        if self.tag == Tag::UnitVariant {
            Ok(())
        } else {
            Err(CodecError::Malformed)
        }
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        match self.tag {
            Tag::NewtypeVariant => seed.deserialize(self.reader),
            _ => Err(CodecError::Malformed),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        match self.tag {
            Tag::TupleVariant => self.reader.any(visitor),
            _ => Err(CodecError::Malformed),
        }
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        match self.tag {
            Tag::StructVariant => self.reader.fields(visitor),
            _ => Err(CodecError::Malformed),
        }
    }
}

/// Elements of a packed list.
struct Packed<'de> {
    tag: Tag,
    width: usize,
    reader: Reader<'de>,
}

impl<'de> de::SeqAccess<'de> for Packed<'de> {
    type Error = CodecError;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.reader.input.is_empty() {
            return Ok(None);
        }
        seed.deserialize(Scalar {
            tag: self.tag,
            reader: &mut self.reader,
        })
        .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.reader.input.len() / self.width)
    }
}

/// One element of a packed list.
struct Scalar<'a, 'de> {
    tag: Tag,
    reader: &'a mut Reader<'de>,
}

impl<'de> de::Deserializer<'de> for Scalar<'_, 'de> {
    type Error = CodecError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.reader.scalar(self.tag, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
