//! R6, R7, R8: which impl blocks are live, and what comes with them.
//!
//! R6: std calls `Drop`, `Deref`, operators, `Display`, `From`, `Iterator`.. without a name in the source, so for a live
//! type *all* impls of un-analyzed traits are live, whole.
//!
//! R7: an impl of an analyzed trait runs only through that trait, and only on its self type: both must be live. Where
//! the self type's head is open (a parameter, `Vec<Own>`), an analyzed type in the self type decides, else one in the
//! header, else (for an un-analyzed trait) an analyzed trait there, else nothing can be told and the impl is live.
//! Requiring *all* types of a self type loses impls (`impl Tr for Wrapper<Marker>`).
//!
//! R8: a caller can bring types that the closure does not name: through the root's own generics, `impl Tr` and `dyn Tr`,
//! and through statics that hold `dyn Tr`. All impls of such a trait in the workspace are live, with their types.

use std::collections::BTreeSet;

use super::{
    Rule,
    crates::{List, by_head, by_mention, by_requirement, by_trait},
    flood::Flood,
};
use crate::{
    project::{CrateId, CrateKind},
    resolve::{DefId, ImplEntry, ImplIdx, Index, Meaning, Ns, Res, Resolution, TraitRef},
    syntax::{Def, DefData, DefKind, MentionKind, StdTraits},
};

impl Flood<'_> {
    pub fn type_is_live(&mut self, id: DefId) {
        self.impls_may_be_live(id, &[by_head, by_mention, by_requirement]);
        self.sites_of(id);
    }

    pub fn trait_is_live(&mut self, id: DefId) {
        self.impls_may_be_live(id, &[by_trait, by_head, by_mention, by_requirement]);
        for name in self.item_names(id) {
            self.demands.live_with.entry(name).or_default().push(id);
            let asking = self.demands.open_assoc.get(&name);
            if asking.is_some_and(|all| all.iter().any(|&krate| self.world.sees(krate, id.krate))) {
                self.demand(id, name, Rule::R4);
            }
        }
        let index = self.index(id.krate);
        for &item in index.items_of(id) {
            if self.def(item).is_some_and(|def| def.kind == DefKind::MacroSite) {
                self.mark(item, Rule::R7);
            }
        }
        self.sites_of(id);
    }

    /// Impls of these lists, which `id` may make live.
    fn impls_may_be_live(&mut self, id: DefId, lists: &[List]) {
        let found: Vec<_> = lists.iter().flat_map(|&list| self.impls_of(id, list)).collect();
        for (index, at) in found {
            self.consider(&index, at);
            let it = &index.impls[at as usize];
            if it.trait_ == TraitRef::Inherent {
                self.inherent_impl(it);
            }
        }
    }

    /// What of an inherent impl of a live type was already asked for.
    pub fn inherent_impl(&mut self, it: &ImplEntry) {
        let index = self.index(it.id.krate);
        // What an attribute macro makes of the block may be called under any name.
        if self.def(it.id).is_some_and(Def::is_rewritten) {
            self.mark(it.id, Rule::R10);
        }
        for &item in index.items_of(it.id) {
            let Some(def) = self.def(item) else { continue };
            let (name, kind) = (def.name, def.kind);
            let asked = [&self.demands.methods, &self.demands.any_assoc]
                .into_iter()
                .filter_map(|demands| demands.get(&name))
                .flatten()
                .any(|&krate| self.world.sees(krate, item.krate));
            if asked {
                self.mark(item, Rule::R5);
            }
            if kind == DefKind::MacroSite {
                self.mark(item, Rule::R7);
            }
        }
    }

    /// Macro sites that may hold an impl for a live type or of a live trait.
    fn sites_of(&mut self, id: DefId) {
        for &krate in self.above(id.krate).iter() {
            let index = self.index(krate);
            for &site in index.sites_by_type.get(&id).into_iter().flatten() {
                self.site_of_live(site);
            }
        }
    }

    /// A macro site that may hold an impl for something live.
    pub fn site_of_live(&mut self, site: DefId) {
        if self.in_cone(site.krate) && (self.root_is_test || !self.world.is_test(site)) {
            self.mark(site, Rule::R7);
        }
    }

    /// R6 and R7 for an impl of `index`.
    pub fn consider(&mut self, index: &Index, at: ImplIdx) {
        let it = &index.impls[at as usize];
        if it.idle || self.is_live(it.id) || !self.in_cone(it.id.krate) {
            return;
        }
        if !self.root_is_test && self.world.is_test(it.id) {
            return;
        }
        let rule = match &it.trait_ {
            TraitRef::Inherent => return,
            TraitRef::External => Rule::R6,
            TraitRef::Analyzed(traits) if traits.iter().any(|&it| self.is_live(it)) => Rule::R7,
            TraitRef::Analyzed(traits) if self.is_called_unseen(traits) => Rule::R10,
            TraitRef::Analyzed(_) => return,
        };
        let deciding = if it.open_head { &it.deciding } else { &it.heads };
        if !deciding.is_empty() && !deciding.iter().any(|&id| self.may_be_there(id)) {
            return;
        }
        let live = |all: &Vec<DefId>| all.iter().any(|&id| self.may_be_there(id));
        if !index.required(&self.world).of(at).iter().all(live) {
            return;
        }
        if !self.demands.std_traits.reach(it.std_trait, it.same_operands) {
            self.demands.waiting.push((it.id.krate, at));
            return;
        }
        self.mark(it.id, rule);
    }

    /// Whether a trait's own crate calls it, and is not followed: in a proc macro, what `World::is_grammar`.
    fn is_called_unseen(&self, traits: &[DefId]) -> bool {
        traits.iter().any(|it| self.is_unseen(it.krate))
    }

    /// Whether there can be a value of a type.
    fn may_be_there(&self, id: DefId) -> bool {
        self.is_live(id) || self.is_unseen(id.krate)
    }

    fn is_unseen(&self, krate: CrateId) -> bool {
        self.world.project.krate(self.krate).kind == CrateKind::ProcMacro && self.world.is_grammar(krate)
    }

    /// Live code may reach these traits of std: their impls need no longer wait.
    pub fn std_traits(&mut self, found: StdTraits) {
        if self.demands.std_traits.includes(found) {
            return;
        }
        self.demands.std_traits = self.demands.std_traits.and(found);
        for (krate, at) in std::mem::take(&mut self.demands.waiting) {
            self.consider(&self.index(krate), at);
        }
    }

    /// A live impl brings its associated types and consts; its methods, if they were asked for or std may call them.
    pub fn impl_is_live(&mut self, id: DefId) {
        let index = self.index(id.krate);
        let Some(&at) = index.impl_of.get(&id) else {
            return;
        };
        let it = &index.impls[at as usize];
        let whole = match &it.trait_ {
            TraitRef::Inherent => return,
            TraitRef::External => true,
            TraitRef::Analyzed(traits) if self.is_called_unseen(traits) => true,
            // The trait's items cannot be told apart.
            TraitRef::Analyzed(traits) => traits
                .iter()
                .any(|&it| self.def(it).is_none_or(|def| def.kind != DefKind::Trait)),
        };
        for &item in index.items_of(id) {
            let Some(def) = self.def(item) else { continue };
            let (name, kind) = (def.name, def.kind);
            let asked = match &it.trait_ {
                TraitRef::Analyzed(traits) => traits.iter().any(|&it| self.demands.trait_items.contains(&(it, name))),
                _ => false,
            };
            if whole || asked || kind != DefKind::Fn {
                self.mark(item, Rule::R7);
            }
        }
    }

    /// R8 for the root: its own signature and that of the impl around it.
    pub fn open_root(&mut self, root: DefId) {
        let parent = self
            .def(root)
            .and_then(|def| def.parent)
            .map(|parent| DefId { def: parent.0, ..root });
        let world = self.world.clone();
        let graph = self.graph(root);
        for holder in std::iter::once(root).chain(parent) {
            // The trait a default method belongs to is open as well: `Self` is the caller's.
            if self.def(holder).is_some_and(|def| def.kind == DefKind::Trait) {
                self.open_trait(holder);
            }
            for it in graph.of(&world, holder.def).all.iter().filter(|it| it.header) {
                if matches!(it.kind, MentionKind::Bound | MentionKind::Object | MentionKind::Type) {
                    for trait_ in self.traits_of(it) {
                        self.open_trait(trait_);
                    }
                }
                if matches!(it.kind, MentionKind::Bound | MentionKind::Object)
                    && let Meaning::Path(resolution) = &it.meaning
                {
                    self.open_std_trait(resolution);
                }
            }
        }
        self.open_call(root);
    }

    /// R8 for a macro call that stands for the functions that it makes: which tokens are of their signatures only the expansion
    /// shows, so every trait that one names is open.
    fn open_call(&mut self, root: DefId) {
        if self.def(root).is_none_or(|def| def.kind != DefKind::MacroSite) {
            return;
        }
        let Some(call) = self.world.module_of(root) else { return };
        let world = self.world.clone();
        let mut parts = vec![root];
        parts.extend(&self.world.provides(root).macros);
        for part in parts {
            let graph = self.graph(part);
            let tokens = graph.of(&world, part.def).all.iter();
            for it in tokens.filter(|it| !matches!(it.kind, MentionKind::Method | MentionKind::Macro)) {
                for module in [it.module, call] {
                    let found = self.world.resolve(module, &it.path, Ns::Type);
                    if found.unresolved.is_some() || found.assoc_from.is_some() {
                        continue;
                    }
                    for target in &found.targets {
                        match target.res {
                            Res::Def(id) if self.def(id).is_some_and(|def| def.kind == DefKind::Trait) => {
                                self.open_trait(id)
                            }
                            _ => {}
                        }
                    }
                    self.open_std_trait(&found);
                }
            }
        }
    }

    /// R8 for a bound that is an un-analyzed trait: all types that implement it, by name, can come in. Its impls are live with
    /// the types (R6).
    fn open_std_trait(&mut self, resolution: &Resolution) {
        let mut names = BTreeSet::new();
        for target in &resolution.targets {
            if let Res::External(path) = target.res {
                names.extend(implemented_for(path.as_str().rsplit("::").next().unwrap_or_default()));
            }
        }
        if names.is_empty() {
            return;
        }
        let world = self.world.clone();
        let mut types = Vec::new();
        for krate in world.crates().filter(|&krate| self.may_be_brought(krate)) {
            let index = self.index(krate);
            let known = |name: &str| names.contains(name);
            let impls = index
                .impls
                .iter()
                .filter(|it| it.std_name.is_some_and(|name| known(name.as_str())));
            types.extend(impls.flat_map(|it| it.heads.iter().chain(&it.deciding).copied()));
            let Some(map) = world.map(krate) else { continue };
            types.extend(map.def_ids().filter(|&id| {
                let derives = map.def(id).attrs.iter().filter(|attr| attr.derive);
                let mut last = derives.filter_map(|attr| attr.path.last());
                last.any(|name| known(name.as_str()))
            }));
        }
        for id in types {
            if self.may_be_brought(id.krate) && (self.root_is_test || !world.is_test(id)) {
                self.link(id.krate);
                self.mark(id, Rule::R8);
            }
        }
    }

    /// Whether types of a crate can come in through what is open.
    fn may_be_brought(&self, krate: CrateId) -> bool {
        self.world.project.package_of(krate).member || self.in_cone(krate)
    }

    /// R8 for the code in a `func!`: what is not written there comes in by inference, from the code around it. A closure with
    /// all its types needs none of that. Of a free function the signature tells what a caller can bring. For the rest the
    /// definition around the call is live, for the types that it can have.
    pub fn open_func(&mut self, root: DefId) {
        let Some(DefData::Func(func)) = self.def(root).map(|def| def.data.clone()) else {
            return;
        };
        if func.typed {
            return;
        }
        let named = if func.closure {
            Vec::new()
        } else {
            self.free_functions(root)
        };
        for &function in &named {
            self.open_root(function);
        }
        if named.is_empty() {
            let owner = DefId {
                def: func.owner.0,
                ..root
            };
            self.mark(owner, Rule::R8);
            self.open_root(owner);
        }
    }

    /// What a path in `func!` names, if that can only be free functions.
    fn free_functions(&mut self, root: DefId) -> Vec<DefId> {
        let world = self.world.clone();
        let graph = self.graph(root);
        let mut functions = Vec::new();
        let paths = graph.of(&world, root.def).all.iter();
        for it in paths.filter(|it| !matches!(it.kind, MentionKind::Macro | MentionKind::TokenArg)) {
            let Meaning::Path(resolution) = &it.meaning else {
                return Vec::new();
            };
            if resolution.assoc_from.is_some() || resolution.unresolved.is_some() || resolution.targets.is_empty() {
                return Vec::new();
            }
            for target in &resolution.targets {
                match target.res {
                    Res::Def(id)
                        if self
                            .def(id)
                            .is_some_and(|def| def.kind == DefKind::Fn && def.parent.is_none()) =>
                    {
                        functions.push(id);
                    }
                    _ => return Vec::new(),
                }
            }
        }
        functions
    }

    /// R8 for a static that holds `dyn Tr`.
    pub fn open_static(&mut self, id: DefId) {
        let world = self.world.clone();
        let graph = self.graph(id);
        for it in &graph.of(&world, id.def).all {
            if it.kind == MentionKind::Object {
                for trait_ in self.traits_of(it) {
                    self.open_trait(trait_);
                }
                if let Meaning::Path(resolution) = &it.meaning {
                    self.open_std_trait(resolution);
                }
            }
        }
    }

    fn open_trait(&mut self, trait_: DefId) {
        self.mark(trait_, Rule::R8);
        let world = self.world.clone();
        let crates = world.crates().filter(|&krate| world.sees(krate, trait_.krate));
        let brought: Vec<CrateId> = crates.filter(|&krate| self.may_be_brought(krate)).collect();
        for index in brought.into_iter().map(|krate| self.index(krate)).collect::<Vec<_>>() {
            for &at in index.by_trait.get(&trait_).into_iter().flatten() {
                let it = &index.impls[at as usize];
                if !self.root_is_test && self.world.is_test(it.id) {
                    continue;
                }
                self.link(it.id.krate);
                self.mark(it.id, Rule::R8);
                for &head in &it.heads {
                    self.mark(head, Rule::R8);
                }
            }
        }
    }
}

/// The std traits whose impls make a type fit a bound: std has blanket impls of some traits for others.
fn implemented_for(bound: &str) -> Vec<&str> {
    match bound {
        // Nothing of the type runs through these alone, or nobody implements them.
        "Send" | "Sync" | "Sized" | "Unpin" | "UnwindSafe" | "RefUnwindSafe" | "Any" | "Fn" | "FnMut" | "FnOnce" => {
            vec![]
        }
        "ToString" => vec!["ToString", "Display"],
        "Into" => vec!["Into", "From"],
        "TryInto" => vec!["TryInto", "TryFrom", "Into", "From"],
        "TryFrom" => vec!["TryFrom", "Into", "From"],
        "IntoIterator" => vec!["IntoIterator", "Iterator"],
        "IntoFuture" => vec!["IntoFuture", "Future"],
        "ToOwned" => vec!["ToOwned", "Clone"],
        other => vec![other],
    }
}
