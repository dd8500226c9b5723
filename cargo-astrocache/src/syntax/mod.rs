//! Text -> [`FileFacts`]. Pure: no salsa, no cargo, no IO.

mod cfg;
mod codec;
mod facts;
mod hash;
mod lower;
mod name;
mod std_paths;
mod std_traits;
#[cfg(test)]
mod tests;
mod tree;

pub use cfg::{Cfg, Condition};
pub use codec::{Encoded, code_hash, decode_bodies, decode_items, encode};
pub use facts::*;
pub use hash::{first_argument, source_hash, string_literals};
pub use lower::{UNNAMED, facts};
pub use name::{Name, known};
pub use std_paths::{StdPath, in_std};
pub use std_traits::StdTraits;

/// A hash of the shared token normalisation, as salsa keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHash(pub astrocache_manifest::tokens::TokenHash);
