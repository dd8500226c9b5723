//! What implementing `serde::Serializer` repeats for every format, as macros.

/// The numbers: `self.scalar(Tag::X, bytes)`, little-endian, floats by their bits.
macro_rules! numbers {
    ($result:ty) => {
        $crate::forward::numbers! {
            $result;
            serialize_i8 i8 I8, serialize_i16 i16 I16, serialize_i32 i32 I32, serialize_i64 i64 I64,
            serialize_i128 i128 I128, serialize_u8 u8 U8, serialize_u16 u16 U16, serialize_u32 u32 U32,
            serialize_u64 u64 U64, serialize_u128 u128 U128, serialize_f32 f32 F32, serialize_f64 f64 F64
        }
    };
    ($result:ty; $($method:ident $number:ident $tag:ident),*) => {$(
        #[inline]
        fn $method(self, v: $number) -> $result {
            self.scalar(Tag::$tag, v.to_le_bytes())
        }
    )*};
}

/// Sequences and tuples of all kinds: `self.element(value)`, then `self.close()`.
macro_rules! elements {
    ($compound:ident, $error:ty) => {
        $crate::forward::elements! {
            $compound, $error;
            SerializeSeq serialize_element, SerializeTuple serialize_element,
            SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
        }
    };
    ($compound:ident, $error:ty; $($kind:ident $method:ident),*) => {$(
        impl serde::ser::$kind for $compound<'_> {
            type Ok = ();
            type Error = $error;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), $error> {
                self.element(value)
            }
            fn end(self) -> Result<(), $error> {
                self.close()
            }
        }
    )*};
}

/// Structs and struct variants: `self.field(name, value)`, then `self.close()`.
macro_rules! fields {
    ($compound:ident, $error:ty) => {
        $crate::forward::fields! { $compound, $error; SerializeStruct, SerializeStructVariant }
    };
    ($compound:ident, $error:ty; $($kind:ident),*) => {$(
        impl serde::ser::$kind for $compound<'_> {
            type Ok = ();
            type Error = $error;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), $error> {
                self.field(name, value)
            }
            fn end(self) -> Result<(), $error> {
                self.close()
            }
        }
    )*};
}

pub(crate) use {elements, fields, numbers};
