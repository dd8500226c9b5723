//! The analyzer behind `cargo astrocache`: a library of layers. Data goes one way, top to bottom.

pub mod project;
pub mod source;
pub mod syntax;
// On disk, between runs.
pub mod ledger;
// Salsa and the layers on it.
pub mod analysis;
pub mod cli;
pub mod db;
pub mod fingerprint;
pub mod reach;
pub mod resolve;
#[cfg(test)]
pub(crate) mod testing;

/// Which build of the analyzer this is: fingerprints of different builds are not mixed in one ledger.
pub fn build_id() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("ASTROCACHE_SOURCE_HASH"))
}
