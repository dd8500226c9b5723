//! The definitions and modules of a crate by name alone, for names that resolution does not find. Unlike an
//! [`Index`](super::Index) it takes no look-up to make.

use rustc_hash::FxHashMap;

use super::{
    crate_map::CrateMap,
    ids::{DefId, ModId},
};
use crate::syntax::{DefKind, Name};

/// See the module. Lists are in file and source order.
pub struct Names {
    /// Those that stand in no impl or trait.
    pub definitions: FxHashMap<Name, Vec<DefId>>,
    pub modules: FxHashMap<Name, Vec<ModId>>,
}

impl Names {
    pub(super) fn new(map: &CrateMap) -> Names {
        let mut definitions: FxHashMap<Name, Vec<DefId>> = FxHashMap::default();
        for id in map.def_ids() {
            let def = map.def(id);
            let has_name = !matches!(
                def.kind,
                DefKind::Impl | DefKind::MacroSite | DefKind::Module | DefKind::Other
            );
            if def.parent.is_none() && has_name {
                definitions.entry(def.name).or_default().push(id);
            }
        }
        let mut modules: FxHashMap<Name, Vec<ModId>> = FxHashMap::default();
        for (module, it) in (0..).zip(&map.modules) {
            let krate = map.krate;
            if let Some(name) = it.name {
                modules.entry(name).or_default().push(ModId { krate, module });
            }
        }
        Names { definitions, modules }
    }
}
