//! The staleness matrix: Markdown under `tests/matrix/` that says which edits change a fingerprint.
//!
//! `parse` reads the Markdown, `tree` makes the source trees it describes, `judge` asks for fingerprints and holds them
//! against the verdicts. Where the fingerprints come from is the caller's choice: nothing here knows the analyzer.

mod judge;
mod parse;
mod tree;

pub use judge::{Failure, Outcome, Tally, judge};
pub use parse::{Case, Edit, Flaw, Step, Verdict, load, parse};
pub use tree::{Tree, TreeError};
