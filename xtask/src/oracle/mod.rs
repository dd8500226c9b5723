//! `cargo xtask oracle`: what rustc itself compiles into a root, against the analyzer's closure of it.
//!
//! The truth is LLVM IR: every crate of a project is built unoptimised with `--emit=llvm-ir`, and the symbol graph is walked
//! from each root. That graph has the edges, vtables and statics that `-Zprint-mono-items` does not show.

mod build;
mod cli;
mod closure;
mod compare;
mod graph;
mod llvm;
mod project;
mod report;
mod source;

pub use build::build;
pub use cli::run;
pub use closure::Tool;
pub use compare::{FnKey, Sources, written};
pub use graph::Graph;
pub use project::{Workspace, projects};
pub use source::{File, FnItem, Kind};
