//! Text and hash of source files on disk. The only place that reads them; which ones is decided by whoever
//! follows `mod` from a crate's root.

mod data;
mod read;
mod stamp;

pub use data::{folders, hash};
pub use read::{MAX_BYTES, SourceError, SourceText, read};
pub use stamp::Stamp;
#[cfg(test)]
pub(crate) use stamp::settle;
