//! From the process's arguments to its exit code.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use super::args::{Cli, Command};
use super::exit::{self, Outcome};
use super::ui::{self, Ui};
use super::{
    check, clear, completions, deps, explain, fingerprint, init, ledger, list, prune, since, stats, update, verify,
    watch,
};

/// Runs the command line of this process. Cargo calls `cargo-astrocache astrocache ..`; without the second word
/// it works as well.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(arguments()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let result = run(&cli, &Ui::new(&cli.display));
    if let Err(error) = &result {
        ui::error(error);
    }
    exit::code(&result)
}

fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "astrocache") {
        arguments.remove(1);
    }
    arguments
}

fn run(cli: &Cli, ui: &Ui) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::Check { project, packages } => check::run(project, packages, ui),
        Command::Update { project, packages } => update::run(project, packages, ui),
        Command::Prune(args) => prune::run(args, ui),
        Command::Stats { packages, store } => stats::run(store, packages, ui),
        Command::Verify(store) => verify::run(store, ui),
        Command::Clear(store) => clear::run(store, ui),
        Command::Deps { function, project } => deps::run(function.as_deref(), project, ui),
        Command::Init(args) => init::run(args, ui),
        Command::Completions { shell } => completions::run(*shell, ui),
        Command::Explain {
            function,
            since: None,
            project,
        } => explain::run(function, project, ui),
        Command::Explain {
            function,
            since: Some(rev),
            project,
        } => since::run(function, rev, project, ui),
        Command::List { project, packages } => list::run(project, packages, ui),
        Command::Fingerprint { functions, project } => fingerprint::run(functions, project, ui),
        Command::Watch {
            update,
            project,
            packages,
        } => watch::run(*update, project, packages, ui),
        Command::Ledger { project } => ledger::run(project, ui),
    }
}
