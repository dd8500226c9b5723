//! `fingerprint`: `path fingerprint` lines, or one JSON object. Scripts depend on both forms.

use std::collections::BTreeMap;

use super::args::{MessageFormat, ProjectArgs};
use super::exit::Outcome;
use super::session::{Access, Session};
use super::ui::Ui;
use crate::analysis::{Request, Roots};

pub(super) fn run(functions: &[String], project: &ProjectArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let request = Request {
        roots: Roots::Named(functions.to_vec()),
        explain: false,
    };
    let session = Session::open(project, Access::Read, &request, ui)?;
    let roots = &session.analysis.roots;
    if ui.format == MessageFormat::Json {
        let map: BTreeMap<&str, String> = roots
            .iter()
            .map(|it| (it.path.as_str(), it.fingerprint.to_string()))
            .collect();
        ui.json(&map)?;
    } else {
        let lines: String = roots
            .iter()
            .map(|it| format!("{} {}\n", it.path, it.fingerprint))
            .collect();
        ui.stdout(&lines)?;
    }
    Ok(Outcome::Done)
}
