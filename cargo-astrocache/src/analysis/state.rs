//! What a run leaves for the next one: every file it looked at, and of each root the answer with what it was computed
//! from. Small, so it is read and written as a whole. [`super::skip`] decides what of it still holds.

use std::{collections::BTreeMap, io, path::Path};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::report::{RootReport, Stats};
use crate::{
    ledger::frame::{self, FrameError, Kind},
    project::{CrateId, Edition, Project},
    resolve::DefId,
    source::Stamp,
};

const KIND: Kind = Kind(b"acstate\x01");

pub type Hash = [u8; 32];

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of the project that was analyzed.
    pub project: Hash,
    /// When packs were last told that they are in use.
    pub packs_used_ns: i128,
    /// The crates that were searched for roots.
    pub searched: Vec<CrateId>,
    /// The crates that were read.
    pub in_play: Vec<CrateId>,
    /// Root files of examples, tests and benches, with whether they were worth a search.
    pub side_targets: Vec<SideTarget>,
    /// Every source that was looked at and that no lock file pins, missing ones included.
    pub sources: Vec<Source>,
    /// Files and directories that are data to some root.
    pub data: BTreeMap<Utf8PathBuf, Content>,
    pub stats: Stats,
    /// In the order in which they were found.
    pub roots: Vec<Root>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideTarget {
    pub path: Utf8PathBuf,
    pub content: Content,
    pub searched: bool,
}

/// What a path held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `None`: nothing to read.
    pub hash: Option<Hash>,
    /// `None`: unknown, or it may outlive the content; the hash decides.
    pub stamp: Option<Stamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub path: Utf8PathBuf,
    pub edition: Edition,
    pub content: Content,
    /// What other files see of it.
    pub signature: Hash,
    /// Its bodies without their places; `None` if no root looks at them.
    pub code: Option<Hash>,
    /// Syntax errors.
    pub errors: u32,
    /// A file of the workspace, not one that is missing or of a foreign package.
    pub local: bool,
}

/// A root's answer. Numbers are places in [`State::sources`], sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    pub id: DefId,
    pub report: RootReport,
    /// Files whose code decided it.
    pub code: Vec<u32>,
    /// Files of which every byte did.
    pub texts: Vec<u32>,
    pub data: Vec<Utf8PathBuf>,
    /// Where it stands; then where its findings do, in order. `None`: in a file that does not change.
    pub spots: Vec<Option<Spot>>,
}

/// A definition's place among the bodies of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    pub source: u32,
    pub expansion: Box<[u32]>,
    pub def: u32,
}

impl State {
    /// The state at `path`.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn read(path: &Path) -> Result<State, FrameError> {
        let body = frame::read(path, KIND)?;
        let state: State = postcard::from_bytes(&body).map_err(|_| FrameError::Damaged)?;
        state.is_sound().then_some(state).ok_or(FrameError::Damaged)
    }

    /// Puts this state in place of what is at `path`.
    ///
    /// # Errors
    ///
    /// The old state, or none, is left where it was.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let body = postcard::to_allocvec(self).map_err(io::Error::other)?;
        frame::write(path, KIND, &body)
    }

    fn is_sound(&self) -> bool {
        let sources = self.sources.len() as u32;
        self.roots.iter().all(|root| {
            let spots = root.spots.iter().flatten().map(|spot| spot.source);
            let files = root.code.iter().chain(&root.texts).copied();
            files.chain(spots).all(|at| at < sources)
                && root.data.iter().all(|path| self.data.contains_key(path))
                && root.spots.len() == root.report.findings.len() + 1
        })
    }
}

/// Of everything in `project` that an analysis can see: not of where the target directory is, or what cargo read.
pub fn project_hash(project: &Project) -> Hash {
    let Project {
        workspace_root,
        target_dir: _,
        platforms,
        platform_cfgs,
        member_features,
        packages,
        crates,
        settings,
        inputs: _,
    } = project;
    let seen = (
        workspace_root,
        platforms,
        platform_cfgs,
        member_features,
        packages,
        crates,
        settings,
    );
    let bytes = postcard::to_allocvec(&seen).expect("a project is plain data, and memory grows as asked");
    *blake3::hash(&bytes).as_bytes()
}
