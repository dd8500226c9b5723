//! The formats that `cargo astrocache` and the `#[cached]` macro share: fingerprints, the manifest
//! (`Astrocache.lock`), the ledger under the target directory, and the token normalisation by which the two
//! recognise a function. Nothing here knows Rust's syntax or cargo, and the only dependency is blake3: the macro
//! runs this code unoptimised in every compilation.

#![deny(missing_docs)]

mod atomic;
mod hex;
mod ledger;
mod manifest;
pub mod tokens;
mod wire;

pub use atomic::write_atomic;
pub use hex::{BadHex, Fingerprint};
pub use ledger::{FileStamp, Finding, Ledger, LedgerCrate, LedgerLibrary, LedgerRoot, now_ns};
pub use manifest::{Manifest, ManifestError, ManifestErrorKind, ManifestPackage, Root};

/// `cfg`s that only documentation builds set. The analyzer takes them as unset, so a fingerprint holds for no compilation
/// that sets one by hand.
pub const FOR_DOCUMENTATION: &[&str] = &["doc", "docsrs", "doctest"];

/// Among the cfgs of a [`LedgerRoot`]: a macro makes predicates that only its expansion shows, so all that the crate is told
/// count.
pub const ALL_CFGS: &str = "*";

/// The one version of everything in this crate: the manifest, the ledger, and what goes into a fingerprint. A change
/// to any of them, or to [`tokens::source_hash`], raises it.
pub const FORMAT_VERSION: u32 = 3;
