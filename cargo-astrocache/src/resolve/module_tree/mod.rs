//! The module tree of a crate as it comes into being, file by file and call by call.

mod build;
mod made;

pub use build::build;
