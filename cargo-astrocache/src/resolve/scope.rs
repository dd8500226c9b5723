//! Traits in scope: what methods a module can call by name.

use std::sync::Arc;

use super::{
    crate_map::{CrateMap, Entry, ImportId},
    ids::{DefId, ModId, Ns, Res},
    world::{Trail, World, lock},
};
use crate::syntax::{DefData, DefKind, ImportKind, Path};

impl World<'_> {
    /// Traits whose methods can be called in `module` by being in scope: declared or imported there, in the blocks
    /// around it, through globs. Macro sites that may provide one are among them.
    pub fn traits_in_scope(&self, from: ModId) -> Vec<DefId> {
        let mut out = Vec::new();
        let mut module = from;
        loop {
            out.extend(self.traits_in(module, &mut Vec::new(), &mut false).iter());
            match self.map(module.krate).map(|map| &map.modules[module.module as usize]) {
                Some(it) if it.block.is_some() && it.parent.is_some() => module.module = it.parent.unwrap_or(0),
                _ => break,
            }
        }
        out.sort();
        out.dedup();
        out
    }

    fn traits_in(&self, id: ModId, visiting: &mut Vec<ModId>, cut: &mut bool) -> Arc<[DefId]> {
        if let Some(known) = lock(&self.loaded.found.traits).get(&id) {
            return known.clone();
        }
        if visiting.contains(&id) {
            *cut = true;
            return Arc::new([]);
        }
        visiting.push(id);
        let outer_cut = std::mem::replace(cut, false);
        let mut out = Vec::new();
        if let Some(map) = self.map(id.krate) {
            let module = &map.modules[id.module as usize];
            for entry in module.names.values().flatten() {
                match entry {
                    Entry::Def(def) if map.def(*def).kind == DefKind::Trait => out.push(*def),
                    Entry::Import(import) => self.push_traits(map, *import, &mut out),
                    _ => {}
                }
            }
            for &import in &module.unnamed {
                self.push_traits(map, import, &mut out);
            }
            for target in self.globs(id).iter() {
                if let Res::Mod(inner) = target.res {
                    out.extend(self.traits_in(inner, visiting, cut).iter());
                }
            }
            out.extend(module.sites.iter().filter(|&&site| self.provides(site).traits));
            for &site in &module.sites {
                for res in self.imported_by(site, id) {
                    match res {
                        Res::Def(def) if self.may_be_trait(def) => out.push(def),
                        Res::Mod(inner) => out.extend(self.traits_in(inner, visiting, cut).iter()),
                        _ => {}
                    }
                }
            }
        }
        visiting.pop();
        out.sort();
        out.dedup();
        let out: Arc<[DefId]> = out.into();
        // An answer cut short by a cycle is not kept.
        if !*cut || visiting.is_empty() {
            lock(&self.loaded.found.traits).insert(id, out.clone());
        }
        *cut |= outer_cut;
        out
    }

    fn push_traits(&self, map: &CrateMap, import: ImportId, out: &mut Vec<DefId>) {
        if matches!(map.import(import).kind, ImportKind::ExternCrate { .. }) {
            return;
        }
        for target in self.import_targets(map, import, Ns::Type, &mut Trail::default()) {
            if let Res::Def(def) = target.res
                && self.may_be_trait(def)
            {
                out.push(def);
            }
        }
    }

    /// What every `use` may name that a macro call in `module` makes: `use $crate::prelude::*`, `use $path as _`.
    fn imported_by(&self, site: DefId, module: ModId) -> Vec<Res> {
        let Some(DefData::Site(facts)) = self.def(site).map(|def| &def.data) else {
            return Vec::new();
        };
        let own = facts.tokens.imports.iter().map(|path| (module, path.clone()));
        let mut paths: Vec<(ModId, Path)> = own.collect();
        let mut takes_names = false;
        for &mac in &self.provides(site).macros {
            let Some(DefData::Macro(it)) = self.def(mac).map(|def| &def.data) else {
                continue;
            };
            takes_names |= it.tokens.imports_arg;
            for home in [self.module_of(mac).unwrap_or(module), module] {
                paths.extend(it.tokens.imports.iter().map(|path| (home, path.clone())));
            }
        }
        // `use $x::*`, `use $crate::$x::*`
        let written = paths.len();
        for &name in facts.idents.iter().filter(|_| takes_names) {
            paths.push((module, [name].into()));
            for at in 0..written {
                let (from, path) = &paths[at];
                paths.push((*from, path.iter().copied().chain([name]).collect()));
            }
        }
        let found = paths
            .iter()
            .map(|(from, path)| self.resolve_written(*from, path, Ns::Type));
        let whole = found.filter(|found| found.unresolved.is_none() && found.assoc_from.is_none());
        whole.flat_map(|found| found.targets).map(|target| target.res).collect()
    }

    fn may_be_trait(&self, id: DefId) -> bool {
        match self.def(id).map(|def| def.kind) {
            Some(DefKind::Trait) => true,
            Some(DefKind::MacroSite) => self.provides(id).traits,
            _ => false,
        }
    }
}
