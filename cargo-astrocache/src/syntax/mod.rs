//! Text -> [`FileFacts`]. Pure: no salsa, no cargo, no IO.

mod facts;
mod hash;
mod lower;
mod name;
#[cfg(test)]
mod tests;
mod tree;

pub use facts::*;
pub use hash::source_hash;
pub use lower::facts;
pub use name::{Name, known};
