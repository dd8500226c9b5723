//! `cargo metadata` -> [`Project`]. The only place that knows cargo.

mod cargo;
mod environment;
mod error;
mod evidence;
mod features;
mod graph;
mod load;
mod lock;
mod model;
mod options;
mod platform;
mod settings;
#[cfg(test)]
mod tests;
mod walk;
mod weak;

pub use cargo::LoadOptions;
pub use environment::{Environment, Seal};
pub use error::ProjectError;
pub use evidence::Evidence;
pub use load::{load, workspace_root};
pub use model::*;
