//! `completions`: what a shell needs to complete this command's arguments.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Cli;
use super::exit::Outcome;
use super::ui::Ui;

pub(super) fn run(shell: Shell, ui: &Ui) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cargo-astrocache", &mut script);
    ui.stdout(&String::from_utf8(script)?)?;
    Ok(Outcome::Done)
}
