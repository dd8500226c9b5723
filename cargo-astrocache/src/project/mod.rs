//! `cargo metadata` -> [`Project`]. The only place that knows cargo.

mod model;

pub use model::*;
