//! R14 for macros: calls, and items with attributes, of which a macro makes something that runs though nothing names it. So
//! plugins register themselves: `#[ctor]`, `inventory::submit!`, `#[distributed_slice]`, `#[typetag::serde]`.
//!
//! Where no macro in the graph makes such items, nothing is looked at.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{closure, proc_macros::emitted};
use crate::{
    db::{Db, Workspace},
    project::{CrateId, CrateKind},
    resolve::{CrateMap, DefId, Ns, Reads, Res, World, resolver},
    syntax::{DefData, Name, UNNAMED},
};

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// In crate, file and source order.
    pub items: Vec<DefId>,
    /// What was looked at to find out.
    pub reads: Reads,
}

/// What macros make run in the crates of a workspace.
#[salsa::tracked(returns(clone))]
pub fn registered(db: &dyn Db, workspace: Workspace) -> Arc<Registered> {
    let world = resolver(db, workspace);
    let mut search = Search {
        db,
        workspace,
        world: &world,
        macros: FxHashSet::default(),
        names: UNNAMED.iter().map(|it| Name::new(it)).collect(),
        homes: FxHashSet::default(),
        reads: Reads::default(),
    };
    for map in world.with_unnamed() {
        search.add_direct(map);
    }
    if !search.macros.is_empty() {
        search.follow();
    }
    let mut items = Vec::new();
    for map in world
        .crates()
        .filter(|&it| search.may_register(it))
        .filter_map(|it| world.map(it))
    {
        items.extend(map.def_ids().filter(|&id| search.registers(id)));
    }
    let reads = search.reads;
    Arc::new(Registered { items, reads })
}

struct Search<'a> {
    db: &'a dyn Db,
    workspace: Workspace,
    world: &'a World<'a>,
    /// Macros, of either kind, that make such items.
    macros: FxHashSet<DefId>,
    /// Their names, and the attributes that it comes down to.
    names: FxHashSet<Name>,
    /// Their crates, and those of calls that are given such an attribute.
    homes: FxHashSet<CrateId>,
    reads: Reads,
}

impl Search<'_> {
    /// Macros that write such an attribute themselves, and crates that give one to a macro.
    fn add_direct(&mut self, map: &CrateMap) {
        let speaks = map.units.iter().any(|unit| unit.items.speaks_of_unnamed);
        for id in map.def_ids() {
            match &map.def(id).data {
                DefData::Site(it) if it.tokens.unnamed => drop(self.homes.insert(map.krate)),
                DefData::Macro(it) if it.tokens.unnamed => self.add(id),
                DefData::ProcMacro(_) if speaks && map.kind == CrateKind::ProcMacro && self.emits(id) => self.add(id),
                _ => {}
            }
        }
    }

    fn add(&mut self, mac: DefId) {
        let Some(def) = self.world.def(mac).filter(|_| self.macros.insert(mac)) else {
            return;
        };
        self.names.insert(match &def.data {
            DefData::ProcMacro(it) => it.exported,
            _ => def.name,
        });
        self.homes.insert(mac.krate);
    }

    /// Macros that come down to one of those that are known, by its name.
    fn follow(&mut self) {
        loop {
            let before = self.macros.len();
            for krate in self.world.project.crate_ids() {
                let map = self.may_follow(krate).then(|| self.world.map(krate));
                let Some(map) = map.flatten() else { continue };
                for id in map.def_ids().filter(|id| !self.macros.contains(id)).collect::<Vec<_>>() {
                    let leads = match &map.def(id).data {
                        DefData::Macro(it) => self.has_name(it.calls.iter().chain(&it.tokens.attributes)),
                        DefData::ProcMacro(_) if map.kind == CrateKind::ProcMacro => {
                            self.is_of_a_home(krate) || self.emits(id)
                        }
                        _ => false,
                    };
                    if leads {
                        self.add(id);
                    }
                }
            }
            if self.macros.len() == before {
                break;
            }
        }
    }

    /// A proc macro knows of what it emits by name alone, so its crate has one of the names.
    fn may_follow(&self, krate: CrateId) -> bool {
        match self.world.project.krate(krate).kind {
            CrateKind::ProcMacro => {
                let has_name = || self.names.iter().any(|&name| self.world.has_word(krate, name));
                !self.world.is_ours(krate) && (self.is_of_a_home(krate) || has_name())
            }
            _ => self.may_register(krate),
        }
    }

    /// Whether the proc macros of a crate are those of a crate with such macros, of which it speaks: what it calls may have a
    /// name that it puts together.
    fn is_of_a_home(&self, proc_macro: CrateId) -> bool {
        let project = &self.world.project;
        self.macros.iter().map(|mac| mac.krate).any(|home| {
            let it = project.krate(home);
            let depends = it.kind == CrateKind::Lib && it.deps.iter().any(|dep| dep.krate == proc_macro);
            depends && self.world.has_word(proc_macro, Name::new(&it.name))
        })
    }

    fn may_register(&self, krate: CrateId) -> bool {
        self.homes.iter().any(|&home| self.world.sees(krate, home))
    }

    fn has_name<'p>(&self, mut paths: impl Iterator<Item = &'p Box<[Name]>>) -> bool {
        paths.any(|path| path.last().is_some_and(|name| self.names.contains(name)))
    }

    fn emits(&mut self, entry: DefId) -> bool {
        self.reads.extend(&closure(self.db, self.workspace, entry).reads);
        let tokens = emitted(self.db, self.workspace, entry);
        self.has_name(tokens.iter().map(|(path, _)| path))
    }

    /// Whether a definition is a call of one of the macros, or has one as an attribute.
    fn registers(&self, id: DefId) -> bool {
        let (Some(def), Some(module)) = (self.world.def(id), self.world.module_of(id)) else {
            return false;
        };
        let is_one = |path: &[Name]| {
            let found = self.world.resolve_written(module, path, Ns::Macro).targets;
            found
                .iter()
                .any(|target| matches!(target.res, Res::Def(mac) if self.macros.contains(&mac)))
        };
        match &def.data {
            DefData::Site(site) => {
                site.tokens.unnamed
                    || is_one(&site.path)
                    || self.has_name(site.calls.iter().chain(&site.tokens.attributes))
            }
            _ => def.attrs.iter().any(|attr| !attr.is_std() && is_one(&attr.path)),
        }
    }
}
