//! `ledger`, hidden: what the `#[cached]` macro asks for while it compiles. Silent when all is well; else one line on
//! stderr, which the macro passes on.

use anyhow::Context as _;
use astrocache_manifest::Ledger;

use super::args::ProjectArgs;
use super::exit::Outcome;
use super::session::{Access, Session};
use super::ui::Ui;
use crate::analysis;

pub(super) fn run(project: &ProjectArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let session = Session::open(project, Access::Read, &Session::annotated(), ui)?;
    write(&session)?;
    Ok(Outcome::Done)
}

/// Writes the ledger of the session's workspace into its target directory.
pub(super) fn write(session: &Session) -> anyhow::Result<()> {
    let (target_dir, root) = (
        session.project.target_dir.as_std_path(),
        session.project.workspace_root.as_std_path(),
    );
    let path = Ledger::path_in(target_dir, root);
    let ledger = analysis::ledger(&session.project, &session.analysis);
    ledger
        .write(&path)
        .with_context(|| format!("cannot write the ledger `{}`", path.display()))
}
