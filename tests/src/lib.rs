//! Support for the end-to-end tests.

pub mod matrix;
pub mod project;
