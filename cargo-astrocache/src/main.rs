//! The `cargo astrocache` command. All of it is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_astrocache::cli::main()
}
