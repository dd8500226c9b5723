//! Text and hash of source files on disk, also as a git revision had them. The only place that reads them; which ones is
//! decided by whoever follows `mod` from a crate's root.

mod data;
pub mod git;
mod read;
mod stamp;
mod symbols;

pub use data::{folders, hash, words};
pub use read::{MAX_BYTES, SourceError, SourceText, read};
pub use stamp::Stamp;
#[cfg(test)]
pub(crate) use stamp::settle;
pub use symbols::{Symbols, has_renamed, has_word, symbols};
