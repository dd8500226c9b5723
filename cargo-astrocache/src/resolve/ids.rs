//! Identities across files and crates. Plain numbers, valid for one state of the sources; what is hashed or printed is
//! always the path behind them.

use serde::{Deserialize, Serialize};

use crate::{
    project::CrateId,
    syntax::{DefIdx, Name},
};

/// A definition: the `def`th of a crate's `unit`th file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DefId {
    pub krate: CrateId,
    pub unit: u32,
    pub def: u32,
}

impl DefId {
    pub fn idx(self) -> DefIdx {
        DefIdx(self.def)
    }
}

/// A module, or a block that holds items. Number 0 is the crate root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModId {
    pub krate: CrateId,
    pub module: u32,
}

/// Rust's namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ns {
    Type,
    Value,
    Macro,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Res {
    /// A definition, or a macro site that may provide the name.
    Def(DefId),
    Mod(ModId),
    /// Something of std, core, alloc, proc_macro or the language, by its path.
    External(Name),
}

/// One meaning of a name, and the conditions on the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    pub res: Res,
    /// `cfg`s of the imports and the definition passed through, mixed; 0 where there are none.
    pub cfg: u64,
}
