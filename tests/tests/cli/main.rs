//! The command, end to end: one binary, so that the support below is compiled and linked once.

mod commands;
mod errors;
mod example;
mod original;
mod scratch;
mod setup;
mod since;
#[cfg(unix)]
mod watch;
