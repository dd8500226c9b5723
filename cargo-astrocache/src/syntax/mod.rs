//! Text -> [`FileFacts`]. Pure: no salsa, no cargo, no IO.

mod facts;
mod hash;
mod lower;
mod name;
#[cfg(test)]
mod tests;
mod tree;

pub use facts::*;
pub use hash::{file_hash, source_hash, string_literals};
pub use lower::facts;
pub use name::{Name, known};

/// A hash of the shared token normalisation, as salsa keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHash(pub astrocache_manifest::tokens::TokenHash);
