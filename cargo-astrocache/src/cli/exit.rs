//! Exit codes: one table, printed by `--help`.

use std::process::ExitCode;

/// What `--help` says.
pub(super) const TABLE: &str = "\
Exit codes:
  0    all is well: fresh, or done
  1    findings: Astrocache.lock is missing or does not fit the source; stored results were damaged; `init` leaves a file
       for you to edit
  2    could not do it: wrong usage, no such project or function, unreadable files
  130  interrupted with Ctrl-C; files are written whole or not at all";

/// How a command ended, if it could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Findings,
    Interrupted,
}

/// The exit code of a finished command. But for `watch`, Ctrl-C ends the process by its signal, which shells report as 130.
pub(super) fn code(result: &anyhow::Result<Outcome>) -> ExitCode {
    ExitCode::from(match result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Findings) => 1,
        Ok(Outcome::Interrupted) => 130,
        Err(_) => 2,
    })
}
