//! `cargo xtask TASK`: what developers of this workspace run. One file a task; nothing here is shipped.

mod bench;
mod ci;
mod demo;
mod matrix;
mod mutate;
mod oracle;
mod tidy;
mod workspace;

use std::env;
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask TASK [ARGUMENTS]

  bench    measures beside peers: analyzer, macro, store, watch
  demo     shows on the example project what is recomputed after which edit, and fails if it is not so
  ci       formatting, lints, documentation, tidy, all tests: what has to pass before a commit
  matrix   the staleness matrix; with --verify-with-rustc, that its verdicts are true
  mutate   edits published crates and looks at which fingerprints change
  oracle   closures against what rustc itself compiles, on published crates
  tidy     the rules of this workspace that no other tool checks
";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let result = match task.as_str() {
        "bench" => bench::run(arguments),
        "demo" => demo::run(arguments),
        "ci" => ci::run(arguments),
        "matrix" => matrix::run(arguments),
        "mutate" => mutate::run(arguments),
        "oracle" => oracle::run(arguments),
        "tidy" => tidy::run(arguments),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("error: no task `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
