//! The closure of a root: every definition that may run inside it, or decides what runs.
//!
//! Rapid Type Analysis (Bacon & Sweeney 1996; Tip & Palsberg 2000), as Go's `deadcode` does it: one worklist, flooded
//! from the root; a method is live only if its type is live too. No type inference, so every rule errs on the side of
//! *live*. The rules carry the numbers of DESIGN.md section 5, one file a group:
//!
//! | file | rules |
//! |---|---|
//! | `paths` | R1 paths, R2 values, R3 types, R4 associated items |
//! | `methods` | R5 method calls |
//! | `impls` | R6 implicit calls, R7 impl blocks, R8 open worlds |
//! | `macros`, `glued` | R9 `macro_rules!` and macro sites, names that macros put together |
//! | `proc_macros`, `opened_files` | R10 derives, attributes, what they emit and which files they open |
//! | `foreign`, `registered` | R14 symbols across `extern`, items that run unnamed |
//! | `unresolved` | R15 names that resolution did not find |
//!
//! `crates` says whose impls count at all. R11 (constants) needs no rule: they are definitions with mentions. R12 and R13
//! (files, environment, `cfg`) are facts of the fingerprint.

#[cfg(test)]
mod crate_tests;
mod crates;
mod flood;
mod foreign;
mod glued;
mod impls;
mod macros;
mod methods;
mod opened_files;
mod paths;
mod proc_macros;
mod purity;
mod registered;
#[cfg(test)]
mod tests;
mod unresolved;

pub use opened_files::{Call, opened};
pub use purity::{Finding, findings};

use std::{collections::BTreeSet, sync::Arc};

use rustc_hash::FxHashSet;

use crate::{
    db::{Db, Workspace},
    project::CrateId,
    resolve::{DefId, Reads},
    syntax::{Name, StdTraits},
};

/// Why a definition is in a closure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    Root,
    /// Named by a path.
    R1,
    /// An associated item by its type.
    R4,
    /// A method call.
    R5,
    /// A trait of std on a live type.
    R6,
    /// An impl block, and what comes with it.
    R7,
    /// Types that callers can bring.
    R8,
    /// A macro, or what one defines.
    R9,
    /// A derive, an attribute, or what it emits.
    R10,
    /// A symbol across `extern`, or one the runtime calls.
    R14,
    /// A name that resolution did not find.
    R15,
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Rule::Root => "root",
            Rule::R1 => "R1",
            Rule::R4 => "R4",
            Rule::R5 => "R5",
            Rule::R6 => "R6",
            Rule::R7 => "R7",
            Rule::R8 => "R8",
            Rule::R9 => "R9",
            Rule::R10 => "R10",
            Rule::R14 => "R14",
            Rule::R15 => "R15",
        };
        f.pad(text)
    }
}

/// One definition of a closure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub id: DefId,
    pub rule: Rule,
    /// The item that made it live, as an index into [`Closure::items`]; `None` for the root and for what is live from
    /// the start.
    pub via: Option<u32>,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    /// In the order in which they became live; the root first.
    pub items: Vec<Item>,
    /// Proc macros that run while this closure is compiled.
    pub proc_macros: BTreeSet<DefId>,
    /// Where those are called.
    pub calls: BTreeSet<Call>,
    /// Crates of pinned packages with code that their build scripts wrote: it may call all that they can see.
    pub generated: BTreeSet<CrateId>,
    /// Names that resolution did not find.
    pub unresolved: BTreeSet<String>,
    /// What proc macros may emit from here, for closures inside a proc-macro crate: paths, then methods.
    pub quoted: Vec<(Box<[Name]>, bool)>,
    /// Names of items that they may define so.
    pub quoted_names: FxHashSet<Name>,
    /// Traits of std that it may reach by that.
    pub emitted: StdTraits,
    /// What was looked at, be it live or not; but not what its proc macros were computed from.
    pub reads: Reads,
}

/// The closure of `root`.
#[salsa::tracked(returns(clone), no_eq)]
pub fn closure(db: &dyn Db, workspace: Workspace, root: DefId) -> Arc<Closure> {
    Arc::new(flood::Flood::new(db, workspace, root.krate).run(root))
}
