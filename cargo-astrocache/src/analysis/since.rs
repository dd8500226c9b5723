//! One function in two states of a workspace: what of its closure is not the same.

use std::sync::Arc;

use astrocache_manifest::Fingerprint;

use super::{
    changes::{Change, Names, Side, changes},
    report::{Analysis, RootReport},
    run::{AnalysisError, Found, Places, Request, Roots, Run, begin, threads},
};
use crate::{fingerprint::parts, project::Project};

/// See the module.
#[derive(Debug)]
pub struct Since {
    /// The function now.
    pub report: RootReport,
    /// `None`: there was no such function.
    pub was: Option<Fingerprint>,
    /// Empty if there was none.
    pub changes: Vec<Change>,
}

/// Compares the function `name` of `after` with the one of the same path in `before`.
///
/// # Errors
///
/// As [`super::run()`], on either side; but `before` may lack the function.
pub fn since(before: &Project, after: &Project, places: &Places, name: &str) -> Result<Since, AnalysisError> {
    let threads = threads()?;
    let (before, after) = (Arc::new(before.clone()), Arc::new(after.clone()));
    threads.install(|| {
        let request = named(name);
        let after = Answered::of(&after, &request, places)?;
        let report = after.analysis.roots.first().cloned();
        let report = report.ok_or_else(|| AnalysisError::UnknownFunction {
            name: name.to_owned(),
            nearest: Vec::new(),
        })?;
        // Not the end of a path, which can mean another function there; without the number of a `cfg` variant.
        let path = report.path.split('#').next().unwrap_or_default();
        let request = named(path);
        let before = match Answered::of(&before, &request, places) {
            Ok(before) => before,
            Err(AnalysisError::UnknownFunction { .. } | AnalysisError::AmbiguousFunction { .. }) => {
                return Ok(Since {
                    report,
                    was: None,
                    changes: Vec::new(),
                });
            }
            Err(error) => return Err(error),
        };
        let differences = before.parts().differences(&after.parts());
        let names = [before.names(), after.names()];
        Ok(Since {
            was: before.analysis.roots.first().map(|it| it.fingerprint),
            changes: changes(before.side(&names[0]), after.side(&names[1]), &differences, &[]),
            report,
        })
    })
}

fn named(name: &str) -> Request {
    Request {
        roots: Roots::Named(vec![name.to_owned()]),
        explain: false,
    }
}

/// A database and its answer for one function.
struct Answered<'r> {
    run: Run<'r>,
    analysis: Analysis,
    found: Found,
}

impl<'r> Answered<'r> {
    fn of(project: &Arc<Project>, request: &'r Request, places: &Places) -> Result<Answered<'r>, AnalysisError> {
        let (run, analysis, found) = begin(project, request, places)?;
        Ok(Answered { run, analysis, found })
    }

    fn parts(&self) -> crate::fingerprint::Parts {
        let root = self.found.roots.first();
        root.map(|it| parts(&self.run.db, self.found.workspace, it.id))
            .unwrap_or_default()
    }

    fn names(&self) -> Names {
        Names::of(&self.run.db, self.found.workspace)
    }

    fn side<'a>(&'a self, names: &'a Names) -> Side<'a> {
        Side {
            names,
            db: &self.run.db,
            is_current: true,
        }
    }
}
