//! One run: which crates are read, which roots there are, and what is reported of them.

mod keep;
mod ledger;
mod load;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod pack_tests;
mod report;
mod roots;
mod run;
mod skip;
mod state;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;
mod wire;

pub use ledger::ledger;
pub use load::{LoadedProject, load_project, load_project_at};
pub use report::{Analysis, ClosureItem, Diagnostic, LocalFile, RootReport, Stats};
pub use run::{AnalysisError, Places, Request, Roots, files, run, run_at};
