//! What the analyzer keeps on disk between runs: formats, checksums, atomic writes. It knows nothing of what they mean.

pub mod flags;
pub mod frame;
pub mod pack;
pub mod sweep;
