//! The command, end to end: one binary, so that the support below is compiled and linked once.

mod commands;
mod errors;
mod example;
mod original;
mod platforms;
#[cfg(target_os = "linux")]
mod progress;
mod scratch;
mod setup;
mod since;
mod stored;
#[cfg(unix)]
mod watch;
