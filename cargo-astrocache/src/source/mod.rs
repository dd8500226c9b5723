//! Text and hash of source files on disk. The only place that reads them; which ones is decided by whoever
//! follows `mod` from a crate's root.

mod data;
mod read;

pub use data::{exists, hash};
pub use read::{MAX_BYTES, SourceError, SourceText, read};
