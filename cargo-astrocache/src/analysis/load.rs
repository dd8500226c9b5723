//! The project: from an earlier run as long as everything that cargo would look at is what it was, else from cargo.

use std::{fs, path::Path, time::SystemTime};

use camino::Utf8Path;

use crate::{
    ledger::{
        frame::{self, FrameError, Kind},
        sweep,
    },
    project::{Environment, LoadOptions, Project, ProjectError, Seal},
};

const KIND: Kind = Kind(b"acprojct");

/// A project, and what went wrong with the file that saves the time to ask for it.
#[derive(Debug)]
pub struct LoadedProject {
    pub project: Project,
    /// No process was started for it.
    pub is_kept: bool,
    pub notice: Option<String>,
}

/// Loads the project of `manifest_path`, or of the nearest `Cargo.toml` at or above the current directory.
///
/// # Errors
///
/// As [`crate::project::load()`].
pub fn load_project(manifest_path: Option<&Utf8Path>, options: &LoadOptions) -> Result<LoadedProject, ProjectError> {
    // That there is no such folder is told by the analysis, which needs it more.
    let folder = astrocache::store::shared_folder("facts").ok().flatten();
    load_project_at(manifest_path, options, folder.as_deref())
}

/// The same, with what is kept in `folder`.
///
/// # Errors
///
/// As [`load_project`].
pub fn load_project_at(
    manifest_path: Option<&Utf8Path>,
    options: &LoadOptions,
    folder: Option<&Path>,
) -> Result<LoadedProject, ProjectError> {
    let environment = Environment::look(manifest_path, options)?;
    let key = blake3::Hash::from_bytes(environment.key()).to_hex();
    let place = folder.map(|folder| folder.join(format!("workspace-{}{}", &key[..16], sweep::PROJECT)));

    let mut notice = None;
    match place.as_deref().map(read) {
        Some(Ok((seal, project))) if environment.holds(&seal, &project) => {
            place.inspect(|place| sweep::touch(place, SystemTime::now()));
            return Ok(LoadedProject {
                project,
                is_kept: true,
                notice: None,
            });
        }
        Some(Err(error @ (FrameError::Damaged | FrameError::Unreadable(_)))) => {
            notice = Some(format!(
                "what cargo said last time is not used: {error}; cargo is asked again"
            ));
        }
        _ => {}
    }
    let (project, seal) = environment.load()?;
    if let (Some(place), Some(seal)) = (place, seal) {
        let body =
            postcard::to_allocvec(&(&seal, &project)).expect("a project is plain data, and memory grows as asked");
        let dir = place.parent().unwrap_or(Path::new(""));
        let written = fs::create_dir_all(dir).and_then(|()| frame::write(&place, KIND, &body));
        if let Err(error) = written {
            let place = place.display();
            notice.get_or_insert(format!(
                "cannot keep what cargo says in `{place}`: {error}; until it can, each run asks cargo"
            ));
        }
    }
    Ok(LoadedProject {
        project,
        is_kept: false,
        notice,
    })
}

fn read(place: &Path) -> Result<(Seal, Project), FrameError> {
    let body = frame::read(place, KIND)?;
    postcard::from_bytes(&body).map_err(|_| FrameError::Damaged)
}
