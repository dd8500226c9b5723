//! One run: which crates are read, which roots there are, and what is reported of them.

mod ledger;
#[cfg(test)]
mod pack_tests;
mod report;
mod roots;
mod run;
#[cfg(test)]
mod tests;

pub use ledger::ledger;
pub use report::{Analysis, ClosureItem, Diagnostic, LocalFile, RootReport, Stats};
pub use run::{AnalysisError, Request, Roots, run, run_at};
