//! Values to bytes and back, exactly or not at all.
//!
//! The format is self-describing: every value carries its type's tag, structs their field names, `Some` is explicit,
//! numbers are raw little-endian. No general format tested gives every type back (notes in the issue tracker: untagged
//! enums, `skip_serializing_if`, `Some(None)`, NaN), so this one is made for the purpose and, above that, checked: a value
//! is decoded once before it is stored, and what comes back must encode to the same bytes.
//!
//! The check sees what serde sees. Two values that serialize alike (a `#[serde(skip)]` field, two untagged variants with
//! equal fields) are one value to any serde format.

mod de;
mod reader;
mod same;
mod ser;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key::Canonical;

/// Names this format in entry headers.
pub(crate) const CODEC_ID: u16 = 1;
/// Beyond this depth a value is refused rather than risking the caller's stack: derived code takes kilobytes a level.
const MAX_DEPTH: u32 = 128;

/// Type tags. `End` closes what is open-ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
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
    Seq,
    Tuple,
    /// A sequence of one scalar type: element tag, count, raw elements.
    PackedSeq,
    PackedTuple,
    Map,
    Struct,
    UnitVariant,
    NewtypeVariant,
    TupleVariant,
    StructVariant,
    End,
}

impl Tag {
    fn from_byte(byte: u8) -> Option<Tag> {
        const ALL: [Tag; 31] = [
            Tag::Unit,
            Tag::False,
            Tag::True,
            Tag::I8,
            Tag::I16,
            Tag::I32,
            Tag::I64,
            Tag::I128,
            Tag::U8,
            Tag::U16,
            Tag::U32,
            Tag::U64,
            Tag::U128,
            Tag::F32,
            Tag::F64,
            Tag::Char,
            Tag::Str,
            Tag::Bytes,
            Tag::None,
            Tag::Some,
            Tag::Seq,
            Tag::Tuple,
            Tag::PackedSeq,
            Tag::PackedTuple,
            Tag::Map,
            Tag::Struct,
            Tag::UnitVariant,
            Tag::NewtypeVariant,
            Tag::TupleVariant,
            Tag::StructVariant,
            Tag::End,
        ];
        ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// Bytes after the tag, for tags with a fixed number of them.
    fn width(self) -> Option<usize> {
        Some(match self {
            Tag::Unit | Tag::False | Tag::True | Tag::None => 0,
            Tag::I8 | Tag::U8 => 1,
            Tag::I16 | Tag::U16 => 2,
            Tag::I32 | Tag::U32 | Tag::F32 | Tag::Char => 4,
            Tag::I64 | Tag::U64 | Tag::F64 => 8,
            Tag::I128 | Tag::U128 => 16,
            _ => return None,
        })
    }

    /// Scalars that sequences pack.
    fn is_packable(self) -> bool {
        self.width().is_some_and(|width| width > 0) && self != Tag::Char
    }
}

/// Why a value can't be encoded or decoded.
#[derive(Debug, PartialEq, Eq)]
enum CodecError {
    /// The value's own impl said no.
    Custom(String),
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More elements than the format counts.
    TooLong,
    /// The bytes are not what this format writes.
    Malformed,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Custom(text) => f.write_str(text),
            CodecError::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            CodecError::TooLong => f.write_str("a sequence of more than 2^32 elements"),
            CodecError::Malformed => f.write_str("malformed bytes"),
        }
    }
}

impl std::error::Error for CodecError {}

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(text: T) -> CodecError {
        CodecError::Custom(text.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(text: T) -> CodecError {
        CodecError::Custom(text.to_string())
    }
}

/// A value that can be stored: anything owned that implements `serde::Serialize` and `serde::Deserialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in the astrocache store",
    label = "a cached function must return an owned type that implements `serde::Serialize` and `serde::Deserialize`",
    note = "return an owned value (`String` rather than `&str`) and derive `Serialize, Deserialize` for it",
    note = "if this is an alias of `Result`, write `#[cached(result)]`: only the `Ok` value is stored"
)]
pub trait CacheValue: Sized {
    /// The bytes to store, or why this value can't be stored exactly.
    #[doc(hidden)]
    fn __encode(&self) -> Result<Vec<u8>, String>;
    /// The value of stored bytes; `None` if they don't decode.
    #[doc(hidden)]
    fn __decode(bytes: &[u8]) -> Option<Self>;
    /// Do these stored bytes and this value agree?
    #[doc(hidden)]
    fn __agrees(&self, bytes: &[u8]) -> bool;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> CacheValue for T {
    fn __encode(&self) -> Result<Vec<u8>, String> {
        contained(|| encode_exactly(self)).unwrap_or_else(|| Err("its serde impl panicked".to_owned()))
    }

    fn __decode(bytes: &[u8]) -> Option<T> {
        contained(|| de::from_bytes(bytes).ok()).flatten()
    }

    fn __agrees(&self, bytes: &[u8]) -> bool {
        let agrees = || ser::to_bytes(self).is_ok_and(|own| own.bytes == bytes || same::same::<T>(bytes, &own.bytes));
        contained(agrees).unwrap_or(false)
    }
}

/// Runs user serde impls; `None` if they panic.
fn contained<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

fn encode_exactly<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, String> {
    let first = ser::to_bytes(value).map_err(|error| error.to_string())?;
    // The plain types that large values mostly are. Serde's own impls of them are exact, so the check would only cost time.
    if matches!(
        std::any::type_name::<T>(),
        "alloc::vec::Vec<u8>" | "alloc::string::String"
    ) {
        return Ok(first.bytes);
    }
    let back: T = de::from_bytes(&first.bytes).map_err(|error| format!("it does not deserialize: {error}"))?;
    let second = ser::to_bytes(&back).map_err(|error| error.to_string())?;
    if second.bytes != first.bytes {
        return match same::same::<T>(&first.bytes, &second.bytes) {
            true => Ok(first.bytes),
            false => Err("it comes back different from serde's round trip".to_owned()),
        };
    }
    // A printed form may hide what the binary form shows (rounded numbers).
    if first.asked_readable && Canonical::digest(value) != Canonical::digest(&back) {
        return Err("its printed form does not carry the whole value".to_owned());
    }
    Ok(first.bytes)
}

#[cfg(test)]
mod tests;
