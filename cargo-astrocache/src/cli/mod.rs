//! The command line: flags, one file per command, and the only place that prints.

mod args;
mod branches;
mod check;
mod clear;
mod completions;
mod deps;
mod exit;
mod explain;
mod fingerprint;
mod freshness;
mod init;
mod ledger;
mod list;
mod progress;
mod prune;
mod run;
mod session;
mod since;
mod stamp;
mod stats;
mod store;
mod ui;
mod update;
mod verify;
mod watch;

pub use run::main;
