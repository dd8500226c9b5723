//! What serde's visitors pull elements, fields and variants from.

use serde::de::{self, Visitor, value::BorrowedStrDeserializer};

use super::{Reader, Result};
use crate::codec::{CodecError, Tag};

/// Elements of a list, or entries of a map, up to `End`.
pub(super) struct Elements<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) ended: bool,
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
pub(super) struct Fields<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) ended: bool,
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
pub(super) struct OneEntry<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) variant: Option<&'de str>,
    pub(super) content: Option<Tag>,
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
pub(super) struct Content<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) tag: Tag,
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
pub(super) struct Variant<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) variant: &'de str,
    pub(super) tag: Tag,
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
pub(super) struct Packed<'de> {
    pub(super) tag: Tag,
    pub(super) width: usize,
    pub(super) reader: Reader<'de>,
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
pub(super) struct Scalar<'a, 'de> {
    pub(super) tag: Tag,
    pub(super) reader: &'a mut Reader<'de>,
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
