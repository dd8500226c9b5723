//! The database kept alive: after an edit, only the queries that the edit concerns run again.
//!
//! Answers are those of a new process, whatever was edited in which order: the random edits of the tests drive this beside
//! it. What a database cannot forget (a file that could not be read, one that changed while it was read) makes it start
//! from nothing, which is slower and as right.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use astrocache_manifest::{Fingerprint, now_ns};
use camino::Utf8PathBuf;
use rayon::prelude::*;
use salsa::Setter;

use super::{
    changes::{Change, Names, Side, changes},
    report::{Analysis, RootReport},
    roots,
    run::{AnalysisError, Found, Places, Request, Roots, Run, begin, threads},
    state::project_hash,
};
use crate::{
    db::{AnalysisDb, Db, Packs, Workspace},
    fingerprint::{Parts, parts},
    project::{CrateId, Project},
    resolve::DefId,
    source,
};

static REQUEST: Request = Request {
    roots: Roots::Annotated,
    explain: false,
};

/// See the module.
pub struct Live {
    run: Run<'static>,
    workspace: Workspace,
    places: Places,
    threads: rayon::ThreadPool,
    analysis: Analysis,
    /// Of each root of `analysis`, in its order.
    parts: Vec<Arc<Parts>>,
    names: Names,
    /// How many inputs there were when the database was new.
    inputs_at_first: usize,
    /// The answer is not of the files as they were last looked at.
    is_behind: bool,
    /// Changed files that no update told of yet.
    pending: Vec<Utf8PathBuf>,
}

/// What an edit came to.
#[derive(Debug, Default)]
pub struct Update {
    /// Files that were read and are not what they were. Absolute, sorted.
    pub files: Vec<Utf8PathBuf>,
    /// Cached functions whose fingerprint is not what it was, in the order of the report.
    pub roots: Vec<RootChange>,
}

/// A cached function that is not what it was.
#[derive(Debug)]
pub struct RootChange {
    /// As it is now; as it was, if it is gone.
    pub report: RootReport,
    /// `None`: new.
    pub was: Option<Fingerprint>,
    /// `None`: gone.
    pub now: Option<Fingerprint>,
    /// Empty if it is new or gone.
    pub why: Vec<Change>,
}

impl Live {
    /// Analyzes the cached functions of `project`, and keeps what that took.
    ///
    /// # Errors
    ///
    /// As [`super::run()`].
    pub fn open(project: &Project, places: Places) -> Result<Live, AnalysisError> {
        let threads = threads()?;
        let project = Arc::new(project.clone());
        let (run, analysis, found) = threads.install(|| begin(&project, &REQUEST, &places))?;
        let workspace = found.workspace;
        let ids: Vec<DefId> = found.roots.iter().map(|it| it.id).collect();
        let db = run.db.clone();
        let parts = threads.install(move || all_parts(db, workspace, ids));
        Ok(Live {
            names: Names::of(&run.db, workspace),
            inputs_at_first: run.db.files().count(),
            run,
            workspace,
            places,
            threads,
            analysis,
            parts,
            is_behind: false,
            pending: Vec::new(),
        })
    }

    /// What holds now.
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// What is analyzed.
    pub fn project(&self) -> &Project {
        &self.run.project
    }

    /// Every path whose content or absence decided the answer, but those of packages that the lock file pins; then the
    /// directories of which every entry counts.
    pub fn paths(&self) -> (Vec<Utf8PathBuf>, Vec<Utf8PathBuf>) {
        let (db, project) = (&self.run.db, &self.run.project);
        let sources = db.files().sources(db).into_iter().map(|it| it.path(db).clone());
        let side_targets = roots::side_targets(project).into_iter();
        let side_targets = side_targets.map(|krate| project.krate(krate).root_file.clone());
        let data = db.files().blobs().into_iter().map(|it| it.path(db).clone());
        let (folders, files): (Vec<_>, Vec<_>) = data.partition(|path| path.is_dir());
        let folders = folders.iter().flat_map(|it| source::folders(it)).collect();
        let mut files: Vec<Utf8PathBuf> = sources.chain(side_targets).chain(files).collect();
        files.sort();
        files.dedup();
        (files, folders)
    }

    /// Looks at all files and answers anew. `None`: nothing changed. `project`: as cargo sees it now, if it was asked again.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::Unsettled`]: edits go on. The last answer stays; the next call catches up.
    pub fn update(&mut self, project: Option<&Project>) -> Result<Option<Update>, AnalysisError> {
        self.run.taken_ns = now_ns();
        let is_new_project = project.is_some_and(|it| self.replace_project(it));
        self.pending.extend(self.run.db.refresh());
        let searched = roots::annotated_crates(&self.run.project);
        self.is_behind |= is_new_project || !self.pending.is_empty() || searched != self.analysis.crates;
        if !self.is_behind {
            self.analysis.taken_ns = self.run.taken_ns;
            return Ok(None);
        }
        // What could not be read may be of no concern any more; the list of problems does not tell.
        let has_problems = !self.run.db.files().problems().is_empty();
        let is_crowded = self.run.db.files().count() > 2 * self.inputs_at_first + 1000;
        let again = match has_problems || is_crowded {
            true => None,
            false => self.again(searched)?,
        };
        let (analysis, found) = match again {
            Some(answer) => answer,
            None => self.start_over()?,
        };
        Ok(Some(self.take(analysis, &found)))
    }

    /// Whether it is another one to the analysis.
    fn replace_project(&mut self, project: &Project) -> bool {
        let is_new = project_hash(project) != project_hash(&self.run.project);
        self.run.project = Arc::new(project.clone());
        if is_new {
            let packs = Packs::new(project, self.places.packs.clone());
            self.run.db.replace_packs(packs);
            let project = self.run.project.clone();
            self.workspace.set_project(&mut self.run.db).to(project);
        }
        is_new
    }

    /// The answer of this database. `None`: a file changed under its hands.
    fn again(&mut self, searched: Vec<CrateId>) -> Result<Option<(Analysis, Found)>, AnalysisError> {
        let (run, workspace, known) = (self.run.clone(), self.workspace, searched.clone());
        let in_play = self.threads.install(move || run.in_play(workspace, &known));
        self.run.db.wait();
        // An equal value would still start a new revision.
        if **self.workspace.crates(&self.run.db) != *in_play {
            self.workspace.set_crates(&mut self.run.db).to(in_play.clone().into());
        }
        let run = self.run.clone();
        let answer = self.threads.install(move || run.answer(workspace, searched, in_play))?;
        Ok(Some(answer).filter(|_| !self.run.db.files().is_raced()))
    }

    fn start_over(&mut self) -> Result<(Analysis, Found), AnalysisError> {
        let project = self.run.project.clone();
        let (run, analysis, found) = self.threads.install(|| begin(&project, &REQUEST, &self.places))?;
        self.inputs_at_first = run.db.files().count();
        (self.run, self.workspace) = (run, found.workspace);
        Ok((analysis, found))
    }

    /// Puts an answer in place of the last one; says what is different.
    fn take(&mut self, analysis: Analysis, found: &Found) -> Update {
        let mut files = std::mem::take(&mut self.pending);
        files.sort();
        files.dedup();
        let (run, workspace) = (&self.run, self.workspace);
        let names = Names::of(&run.db, workspace);
        // Definitions have numbers, which hold as long as the declarations do.
        let keeps_numbers = names.is(&self.names);
        let was: BTreeMap<Key<'_>, usize> = self.analysis.roots.iter().map(key).zip(0..).collect();
        let stale: Vec<usize> = (0..analysis.roots.len())
            .filter(|&at| {
                let report = &analysis.roots[at];
                let old = was.get(&key(report)).map(|&at| &self.analysis.roots[at]);
                !keeps_numbers || old.is_none_or(|old| old.fingerprint != report.fingerprint)
            })
            .collect();
        let (ids, db) = (stale.iter().map(|&at| found.roots[at].id).collect(), run.db.clone());
        let new_parts = self.threads.install(move || all_parts(db, workspace, ids));
        let mut new_parts: BTreeMap<usize, Arc<Parts>> = stale.into_iter().zip(new_parts).collect();

        let side = |names, is_current| Side {
            names,
            db: &run.db,
            is_current,
        };
        let (before, after) = (side(&self.names, false), side(&names, true));
        let (mut roots, mut all_parts) = (Vec::new(), Vec::new());
        for (at, report) in analysis.roots.iter().enumerate() {
            let old = was
                .get(&key(report))
                .map(|&at| (&self.analysis.roots[at], &self.parts[at]));
            let new = new_parts.remove(&at);
            if let Some(parts) = &new
                && old.is_none_or(|old| old.0.fingerprint != report.fingerprint)
            {
                let differences = old.map_or(Vec::new(), |old| old.1.differences(parts));
                roots.push(RootChange {
                    report: report.clone(),
                    was: old.map(|old| old.0.fingerprint),
                    now: Some(report.fingerprint),
                    why: changes(before, after, &differences, &files),
                });
            }
            all_parts.push(new.or_else(|| Some(old?.1.clone())).unwrap_or_default());
        }
        let there: BTreeSet<Key<'_>> = analysis.roots.iter().map(key).collect();
        let gone = self.analysis.roots.iter().filter(|it| !there.contains(&key(it)));
        roots.extend(gone.map(|report| RootChange {
            report: report.clone(),
            was: Some(report.fingerprint),
            now: None,
            why: Vec::new(),
        }));
        self.parts = all_parts;
        self.names = names;
        self.analysis = analysis;
        self.is_behind = false;
        Update { files, roots }
    }

    /// The queries that ran since the last call.
    #[cfg(test)]
    pub fn executed(&self) -> BTreeMap<String, usize> {
        self.run.db.executed()
    }

    #[cfg(test)]
    pub fn inputs(&self) -> usize {
        self.run.db.files().count()
    }
}

/// Names a root, before and after an edit.
type Key<'a> = (&'a str, &'a str, &'a str);

fn key(report: &RootReport) -> Key<'_> {
    (&report.package, &report.target, &report.path)
}

fn all_parts(db: AnalysisDb, workspace: Workspace, roots: Vec<DefId>) -> Vec<Arc<Parts>> {
    let all = roots.into_par_iter();
    all.map_with(db, |db, id| Arc::new(parts(db, workspace, id))).collect()
}
