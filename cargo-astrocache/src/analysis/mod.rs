//! One run: which crates are read, which roots there are, and what is reported of them. And runs that follow one another
//! in one process (`live`).

mod changes;
mod keep;
mod ledger;
mod live;
mod load;
#[cfg(test)]
mod load_tests;
mod made;
#[cfg(test)]
mod pack_tests;
mod progress;
mod report;
mod roots;
mod run;
mod since;
mod skip;
mod state;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;
mod wire;

pub use changes::{Change, ChangeKind};
pub use ledger::ledger;
pub use live::{Live, RootChange, Update};
pub use load::{LoadedProject, load_project, load_project_at};
pub use progress::{Phase, Progress, progress};
pub use report::{Analysis, ClosureItem, Diagnostic, LocalFile, RootReport, Stats};
pub use run::{AnalysisError, Places, Request, Roots, files, places, run, run_at};
pub use since::{Since, since};
