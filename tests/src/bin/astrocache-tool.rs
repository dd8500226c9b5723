//! `cargo-astrocache` under a name of its own, so that cargo builds it for the tests of this package and tells them
//! where it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_astrocache::cli::main()
}
