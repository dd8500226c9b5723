//! `update`: writes the manifest, and the ledger beside it, from the source.

use anyhow::{Context as _, bail};
use astrocache_manifest::{Manifest, ManifestError, ManifestErrorKind};
use serde_json::json;

use super::args::{MessageFormat, PackageArgs, ProjectArgs};
use super::exit::Outcome;
use super::freshness::{Standing, compare, manifest_head, platforms, root};
use super::ledger;
use super::session::{Access, Session};
use super::ui::{Ui, count};

pub(super) fn run(project: &ProjectArgs, packages: &PackageArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let session = Session::open(project, Access::Write, &Session::annotated(), ui)?;
    // Only to refuse what is no package of the workspace.
    drop(session.selection(packages)?);
    let Written { old, roots, written } = write(&session, packages, ui)?;
    if let Err(error) = ledger::write(&session) {
        ui.warning(None, format_args!("{error:#}; the next build asks again"));
    }

    let changes = changes(old.as_ref(), &session);
    if ui.format == MessageFormat::Json {
        ui.json(&json!({ "written": written, "roots": roots, "changes": changes }))?;
    }
    let message = match written {
        true => ("Updated", format!("Astrocache.lock: {changes}")),
        false => ("Fresh", session.summary(roots)),
    };
    ui.status(message.0, message.1);
    Ok(Outcome::Done)
}

/// What became of the manifest.
pub(super) struct Written {
    old: Option<Manifest>,
    /// How many it lists now.
    roots: usize,
    pub(super) written: bool,
}

/// Writes the manifest if it is not as it should be. Functions of other packages than those asked for stay as they
/// were listed.
pub(super) fn write(session: &Session, packages: &PackageArgs, ui: &Ui) -> anyhow::Result<Written> {
    let selected = |package: &str| packages.has(package);
    let old = replaceable(session.read_manifest(), ui)?;
    let listed = old.iter().flat_map(|it| &it.roots);
    let others = listed.filter(|it| !selected(&it.package)).cloned();
    let found = session.analysis.roots.iter();
    let found = found.filter(|it| selected(&it.package)).map(root);
    let new = Manifest {
        roots: others.chain(found).collect(),
        ..manifest_head(&session.project)
    };
    if let Some(old) = old
        .as_ref()
        .filter(|it| !packages.packages.is_empty() && it.platforms != new.platforms)
    {
        bail!(
            "Astrocache.lock is for {}, and now it is to be for {}; run `cargo astrocache update` without `-p`",
            platforms(&old.platforms),
            platforms(&new.platforms)
        );
    }
    let nothing_to_list = old.is_none() && new.roots.is_empty();
    let written = !nothing_to_list
        && new
            .write_if_changed(session.manifest_path().as_std_path())
            .context("cannot write the manifest; the checkout may be read-only")?;
    Ok(Written {
        old,
        roots: new.roots.len(),
        written,
    })
}

/// The old manifest. One that is damaged says nothing that the source does not say better; but one that a newer
/// version wrote, or that cannot be read, is not ours to replace.
fn replaceable(read: Result<Option<Manifest>, ManifestError>, ui: &Ui) -> anyhow::Result<Option<Manifest>> {
    match read {
        Ok(manifest) => Ok(manifest),
        Err(error)
            if matches!(
                error.kind,
                ManifestErrorKind::NewerVersion(_) | ManifestErrorKind::Read(_)
            ) =>
        {
            Err(error).context("cannot use the manifest")
        }
        Err(error) => {
            ui.warning(None, format_args!("replacing a damaged manifest: {error}"));
            Ok(None)
        }
    }
}

/// `1 new, 2 changed`
fn changes(old: Option<&Manifest>, session: &Session) -> String {
    let entries = compare(old, &session.analysis.roots);
    let kinds = [
        (Standing::New, "new"),
        (Standing::Changed, "changed"),
        (Standing::Gone, "gone"),
    ];
    let counts = kinds.map(|(kind, word)| (entries.iter().filter(|it| it.standing == kind).count(), word));
    let told: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    match told.is_empty() {
        true => count(entries.len(), "cached function"),
        false => told.join(", "),
    }
}
