//! The analyzer behind `cargo astrocache`: a library of layers. Data goes one way, top to bottom.

pub mod project;
pub mod syntax;
pub mod source;

