//! What a closure was computed from beyond the signatures of all files: bodies, texts, data. The analyzer's state decides
//! by it which roots an edit leaves alone, so whoever asks a query for a body or a text on behalf of a root adds it here.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use crate::project::CrateId;

/// A crate's file, by number: see [`super::CrateMap::units`].
pub type UnitId = (CrateId, u32);

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Files by their code: all of their bodies but where things stand.
    pub code: BTreeSet<UnitId>,
    /// Files by every byte.
    pub texts: BTreeSet<UnitId>,
    /// Files and directories that are data.
    pub data: BTreeSet<Utf8PathBuf>,
}

impl Reads {
    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Reads) {
        self.code.extend(&other.code);
        self.texts.extend(&other.texts);
        self.data.extend(other.data.iter().cloned());
    }
}
