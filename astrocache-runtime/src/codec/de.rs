//! Bytes to value. Bytes are checksummed before they get here, yet nothing here trusts them: any bytes give a value or an
//! error, in bounded stack and memory.
//!
//! Where a type asks for "anything" (untagged, internally tagged, flattened), the answer has JSON's shape, because that is
//! what serde's buffering is made for: an enum is its variant's name, or a map of one entry.

mod access;

use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};

use super::reader::Reader;
use super::{CodecError, Tag};
use access::{Elements, Fields, OneEntry, Packed, Variant};

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

impl<'de> Reader<'de> {
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
