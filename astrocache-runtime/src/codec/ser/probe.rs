//! Is an element one scalar? Asked for every element of a list, to pack lists of one scalar type.

use std::cell::Cell;

use serde::ser::{self, Serialize};

use crate::codec::Tag;
use crate::forward;

/// This element is no scalar of the expected type. As small as can be: there is one result for each element.
#[derive(Debug)]
pub(super) struct NotPackable;

impl std::fmt::Display for NotPackable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a scalar of the expected type")
    }
}

impl std::error::Error for NotPackable {}

impl ser::Error for NotPackable {
    fn custom<T: std::fmt::Display>(_: T) -> NotPackable {
        NotPackable
    }
}

type Probed<T = ()> = Result<T, NotPackable>;

/// Writes one raw scalar of the expected type, or refuses without having written anything.
pub(super) struct Probe<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) asked: &'a Cell<bool>,
    pub(super) expected: Option<Tag>,
}

impl Probe<'_> {
    #[inline]
    fn scalar<const N: usize>(&mut self, tag: Tag, bytes: [u8; N]) -> Probed {
        if *self.expected.get_or_insert(tag) != tag {
            return Err(NotPackable);
        }
        self.out.extend_from_slice(&bytes);
        Ok(())
    }
}

type No = ser::Impossible<(), NotPackable>;

macro_rules! refusals {
    ($($method:ident($($arg:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $arg),*) -> Probed<$ok> {
            Err(NotPackable)
        }
    )*};
}

impl ser::Serializer for &mut Probe<'_> {
    type Ok = ();
    type Error = NotPackable;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    fn is_human_readable(&self) -> bool {
        self.asked.set(true);
        true
    }

    forward::numbers! { Probed }

    refusals! {
        serialize_bool(bool) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> No;
        serialize_tuple(usize) -> No;
        serialize_tuple_struct(&'static str, usize) -> No;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> No;
        serialize_map(Option<usize>) -> No;
        serialize_struct(&'static str, usize) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Probed {
        Err(NotPackable)
    }
    // Transparent here as in the writer; bounded, for a chain of newtypes is as long as its types.
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Probed {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Probed {
        Err(NotPackable)
    }
}
