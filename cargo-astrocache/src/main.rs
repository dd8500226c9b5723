//! The `cargo astrocache` command. All of it is in the library's `cli`.

use std::process::ExitCode;

/// An analysis is many small pieces on several threads, and over before they are given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cargo_astrocache::cli::main()
}
