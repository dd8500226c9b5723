//! The module tree of one crate: which files it has, what each module declares and imports.
//!
//! Declarations only. What an import leads to is answered by `world`, across crates.

use std::{collections::BTreeSet, sync::Arc};

use astrocache_manifest::FOR_DOCUMENTATION;
use rustc_hash::FxHashMap;

use super::{
    ids::{DefId, ModId, Ns},
    module_tree,
};
use crate::{
    db::{Db, SourceFile, Workspace},
    project::{CrateId, CrateKind, Edition, PackageId, Project},
    syntax::{Def, DefData, DefKind, FileItems, Import, Name, ScopeIdx},
};

/// One crate's declarations.
#[derive(Debug, PartialEq, Eq)]
pub struct CrateMap {
    pub krate: CrateId,
    pub package: PackageId,
    pub kind: CrateKind,
    pub edition: Edition,
    /// In discovery order.
    pub units: Vec<Unit>,
    /// Number 0 is the crate root.
    pub modules: Vec<Module>,
}

/// A file of the crate, or the items that an argument-less macro call in one stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    pub file: SourceFile,
    pub items: Arc<FileItems>,
    /// Indices into `expansions`, outermost first; empty for the file itself.
    pub expansion: Box<[u32]>,
    /// The module of each scope.
    pub modules: Vec<u32>,
    /// The file relative to its package, `/` between components.
    pub path: Name,
    /// Definitions that no platform of the project has, by index.
    pub absent: Vec<bool>,
}

/// A module or block.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Module {
    pub parent: Option<u32>,
    /// `None` for the root and for blocks.
    pub name: Option<Name>,
    /// The body it is a block of.
    pub block: Option<DefId>,
    pub macro_use: bool,
    /// `cfg`s of this module and those around it, mixed.
    pub cfg: u64,
    pub cfg_atoms: Vec<Name>,
    /// This module, or one around it, is only there for tests.
    pub test: bool,
    pub names: FxHashMap<Name, Vec<Entry>>,
    /// `macro_rules!` by textual scope.
    pub macros: FxHashMap<Name, Vec<DefId>>,
    pub globs: Vec<ImportId>,
    /// `use Trait as _`.
    pub unnamed: Vec<ImportId>,
    pub sites: Vec<DefId>,
    /// Items with a derive or attribute macro that is not of std.
    pub attributed: Vec<DefId>,
    /// What an attribute macro makes of this module, or of the next one around it that has one.
    pub rewritten: Option<DefId>,
    /// `#[macro_use]` modules and crates declared here.
    pub macro_use_children: Vec<u32>,
    pub macro_use_crates: Vec<ImportId>,
}

/// An import: the `import`th of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImportId {
    pub unit: u32,
    pub import: u32,
}

/// One declaration of a name in a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Def(DefId),
    Mod { module: u32, cfg: u64 },
    Import(ImportId),
}

/// The declarations of `krate`.
#[salsa::tracked(returns(clone))]
pub fn declarations(db: &dyn Db, workspace: Workspace, krate: CrateId) -> Arc<CrateMap> {
    let project = workspace.project(db);
    Arc::new(module_tree::build(db, project, krate, platforms(project)))
}

/// Build scripts and proc macros run on the host, everything else on the platforms built for; a project whose
/// platforms are not all known, or that sets what only documentation has, keeps every branch.
fn platforms(project: &Project) -> &[BTreeSet<String>] {
    let flags = &project.settings.cfgs;
    if FOR_DOCUMENTATION.iter().any(|&it| flags.contains(it)) {
        return &[];
    }
    project.platform_cfgs.as_deref().unwrap_or_default()
}

impl CrateMap {
    pub fn def(&self, id: DefId) -> &Def {
        self.units[id.unit as usize].items.def(id.idx())
    }

    pub fn import(&self, id: ImportId) -> &Import {
        &self.units[id.unit as usize].items.imports[id.import as usize]
    }

    /// The module that holds an import.
    pub fn import_module(&self, id: ImportId) -> ModId {
        self.module_of(id.unit, self.import(id).scope)
    }

    /// The module of a scope.
    pub fn module_of(&self, unit: u32, scope: ScopeIdx) -> ModId {
        ModId {
            krate: self.krate,
            module: self.units[unit as usize].modules[scope.0 as usize],
        }
    }

    /// Whether a definition is only there for tests.
    pub fn is_test(&self, id: DefId) -> bool {
        let def = self.def(id);
        def.flags.test || self.modules[self.module_of(id.unit, def.scope).module as usize].test
    }

    /// All definitions that some platform of the project has, in order.
    pub fn def_ids(&self) -> impl Iterator<Item = DefId> + '_ {
        let krate = self.krate;
        self.units.iter().enumerate().flat_map(move |(unit, it)| {
            let present = it.items.def_ids().filter(|idx| !it.absent[idx.0 as usize]);
            present.map(move |idx| DefId {
                krate,
                unit: unit as u32,
                def: idx.0,
            })
        })
    }
}

/// The namespaces in which a definition has its name.
pub fn namespaces(def: &Def, kind: CrateKind) -> &'static [Ns] {
    match def.kind {
        DefKind::Fn | DefKind::Const | DefKind::Static => match def.data {
            DefData::ProcMacro(_) if kind == CrateKind::ProcMacro => &[Ns::Value, Ns::Macro],
            _ => &[Ns::Value],
        },
        DefKind::Struct if def.flags.value_struct => &[Ns::Type, Ns::Value],
        DefKind::Struct | DefKind::Enum | DefKind::Union | DefKind::Trait | DefKind::TypeAlias => &[Ns::Type],
        DefKind::Macro => &[Ns::Macro],
        DefKind::Impl | DefKind::MacroSite | DefKind::Module | DefKind::Other => &[],
    }
}
