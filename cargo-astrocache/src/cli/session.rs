//! What most commands start with: the project, its analysis and its manifest.

use std::time::Instant;

use anyhow::{Context as _, bail};
use astrocache_manifest::{Manifest, ManifestError};
use camino::Utf8PathBuf;
use serde_json::json;

use super::args::{PackageArgs, ProjectArgs};
use super::ui::{Place, Ui, count};
use super::{progress, stamp};
use crate::analysis::{self, Analysis, Live, LoadedProject, Request, Roots};
use crate::project::{LoadOptions, Project};

/// A project and what the analysis says of it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) project: Project,
    pub(super) analysis: Analysis,
    started: Instant,
}

/// What a command may do to the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing: if cargo had to write `Cargo.lock`, it is put back.
    Read,
    Write,
}

impl Session {
    /// Loads the project, analyses it, and tells the analysis's diagnostics.
    pub(super) fn open(args: &ProjectArgs, access: Access, request: &Request, ui: &Ui) -> anyhow::Result<Session> {
        let started = Instant::now();
        let progress = ui.progress(progress::of_analysis);
        let keep_lock = access == Access::Read;
        let options = LoadOptions {
            keep_lock,
            ..args.load_options()
        };
        let LoadedProject { project, notice, .. } = analysis::load_project(args.manifest_path(), &options)?;
        stamp::touch(project.target_dir.as_std_path());
        let mut analysis = analysis::run(&project, request)?;
        analysis.notices.extend(notice);
        drop(progress);
        let session = Session {
            project,
            analysis,
            started,
        };
        session.tell_diagnostics(ui);
        Ok(session)
    }

    /// All cached functions.
    pub(super) fn annotated() -> Request {
        Request {
            roots: Roots::Annotated,
            explain: false,
        }
    }

    /// What a database that lives on says now.
    pub(super) fn of(live: &Live, started: Instant) -> Session {
        Session {
            project: live.project().clone(),
            analysis: live.analysis().clone(),
            started,
        }
    }

    pub(super) fn tell_diagnostics(&self, ui: &Ui) {
        // One at most: a full disk has a hundred packs to complain of.
        if let Some(notice) = self.analysis.notices.first() {
            ui.warning(None, notice);
        }
        for diagnostic in &self.analysis.diagnostics {
            let file = self.relative(diagnostic.file.as_str());
            ui.warning(
                Some(Place {
                    file,
                    line: diagnostic.line,
                }),
                &diagnostic.message,
            );
        }
    }

    pub(super) fn diagnostics_json(&self) -> Vec<serde_json::Value> {
        let diagnostics = self.analysis.diagnostics.iter();
        diagnostics
            .map(|it| json!({ "file": self.relative(it.file.as_str()), "line": it.line, "message": it.message }))
            .collect()
    }

    /// `path` without the workspace root where it is inside.
    pub(super) fn relative<'a>(&self, path: &'a str) -> &'a str {
        let root = self.project.workspace_root.as_str();
        path.strip_prefix(root)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(path)
    }

    /// `3 cached functions (120 packages, 14 local files in 0.21s)`
    pub(super) fn summary(&self, roots: usize) -> String {
        let stats = &self.analysis.stats;
        format!(
            "{} ({}, {} in {:.2}s)",
            count(roots, "cached function"),
            count(stats.packages, "package"),
            count(stats.files, "local file"),
            self.started.elapsed().as_secs_f64()
        )
    }

    pub(super) fn manifest_path(&self) -> Utf8PathBuf {
        self.project.workspace_root.join(Manifest::FILE_NAME)
    }

    /// `None` if there is none.
    pub(super) fn read_manifest(&self) -> Result<Option<Manifest>, ManifestError> {
        Manifest::read(self.manifest_path().as_std_path())
    }

    /// Whether the command is about this package.
    ///
    /// # Errors
    ///
    /// A `-p` that is no member of the workspace.
    pub(super) fn selection(&self, args: &PackageArgs) -> anyhow::Result<impl Fn(&str) -> bool + use<>> {
        let members: Vec<&str> = self
            .project
            .packages
            .iter()
            .filter(|it| it.member)
            .map(|it| it.name.as_str())
            .collect();
        for wanted in &args.packages {
            if !members.contains(&wanted.as_str()) {
                bail!("no package `{wanted}` in the workspace{}", nearest(wanted, members));
            }
        }
        let packages = args.packages.clone();
        Ok(move |package: &str| packages.is_empty() || packages.iter().any(|it| it == package))
    }
}

/// `; did you mean ..?`, or nothing.
pub(super) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let near = names.into_iter().map(|name| (strsim::jaro_winkler(wanted, name), name));
    let best = near
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// Context for a manifest that cannot be used.
pub(super) fn unusable_manifest<T>(result: Result<T, ManifestError>) -> anyhow::Result<T> {
    result.context("cannot use the manifest")
}
