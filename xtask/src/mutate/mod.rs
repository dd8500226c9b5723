//! `cargo xtask mutate`: edits real code, one place at a time, and looks at which fingerprints change.
//!
//! Truth comes from the oracle: a semantic edit of a function concerns the roots that rustc reaches it from; for an edit of a
//! constant or a macro the project is built again and the IR of each root compared. Edits that keep the meaning concern none.

mod cli;
mod edits;
mod report;
mod trial;

pub use cli::run;
