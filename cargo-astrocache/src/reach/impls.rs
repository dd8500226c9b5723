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

use super::{Rule, flood::Flood};
use crate::{
    resolve::{DefId, ImplEntry, TraitRef},
    syntax::{DefKind, MentionKind, StdTraits},
};

impl Flood<'_> {
    pub fn type_is_live(&mut self, id: DefId) {
        let index = self.index.clone();
        let (heads, mentions) = (index.by_head.get(&id), index.by_mention.get(&id));
        for &at in heads.into_iter().chain(mentions).flatten() {
            let it = &index.impls[at as usize];
            self.consider(it);
            if it.trait_ == TraitRef::Inherent {
                self.inherent_impl(it);
            }
        }
        self.sites_of(id);
    }

    pub fn trait_is_live(&mut self, id: DefId) {
        let index = self.index.clone();
        let (impls, dyn_impls) = (index.by_trait.get(&id), index.by_head.get(&id));
        for &at in impls
            .into_iter()
            .chain(dyn_impls)
            .chain(index.by_mention.get(&id))
            .flatten()
        {
            let it = &index.impls[at as usize];
            self.consider(it);
            if it.trait_ == TraitRef::Inherent {
                self.inherent_impl(it);
            }
        }
        for &item in index.items_of(id) {
            let Some(def) = self.def(item) else { continue };
            let (name, site) = (def.name, def.kind == DefKind::MacroSite);
            if self.demands.open_assoc.contains(&name) {
                self.demand(id, name, Rule::R4);
            }
            if site {
                self.mark(item, Rule::R7);
            }
        }
        self.sites_of(id);
    }

    /// What of an inherent impl of a live type was already asked for.
    fn inherent_impl(&mut self, it: &ImplEntry) {
        let index = self.index.clone();
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
        let index = self.index.clone();
        for &site in index.sites_by_type.get(&id).into_iter().flatten() {
            if self.in_cone(site.krate) && (self.root_is_test || !self.world.is_test(site)) {
                self.mark(site, Rule::R7);
            }
        }
    }

    /// R6 and R7.
    fn consider(&mut self, it: &ImplEntry) {
        if self.is_live(it.id) || !self.in_cone(it.id.krate) {
            return;
        }
        if !self.root_is_test && self.world.is_test(it.id) {
            return;
        }
        let rule = match &it.trait_ {
            TraitRef::Inherent => return,
            TraitRef::External => Rule::R6,
            TraitRef::Analyzed(traits) if traits.iter().any(|&it| self.is_live(it)) => Rule::R7,
            TraitRef::Analyzed(_) => return,
        };
        let deciding = if it.open_head { &it.deciding } else { &it.heads };
        if !deciding.is_empty() && !deciding.iter().any(|&id| self.is_live(id)) {
            return;
        }
        let live = |all: &Vec<DefId>| all.iter().any(|&id| self.is_live(id));
        if !it.required.iter().all(live) {
            return;
        }
        if !self.demands.std_traits.reach(it.std_trait, it.same_operands) {
            let at = self.index.impl_of.get(&it.id).copied();
            self.demands.waiting.extend(at);
            return;
        }
        self.mark(it.id, rule);
    }

    /// Live code may reach these traits of std: their impls need no longer wait.
    pub fn std_traits(&mut self, found: StdTraits) {
        if self.demands.std_traits.includes(found) {
            return;
        }
        self.demands.std_traits = self.demands.std_traits.and(found);
        let index = self.index.clone();
        for at in std::mem::take(&mut self.demands.waiting) {
            self.consider(&index.impls[at as usize]);
        }
    }

    pub fn mark_unconditional_impls(&mut self) {
        let index = self.index.clone();
        for &at in &index.unconditional {
            self.consider(&index.impls[at as usize]);
        }
    }

    /// A live impl brings its associated types and consts; its methods, if they were asked for or std may call them.
    pub fn impl_is_live(&mut self, id: DefId) {
        let index = self.index.clone();
        let Some(&at) = index.impl_of.get(&id) else {
            return;
        };
        let it = &index.impls[at as usize];
        let whole = match &it.trait_ {
            TraitRef::Inherent => return,
            TraitRef::External => true,
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
        let graph = self.uses(root);
        for holder in std::iter::once(root).chain(parent) {
            // The trait a default method belongs to is open as well: `Self` is the caller's.
            if self.def(holder).is_some_and(|def| def.kind == DefKind::Trait) {
                self.open_trait(holder);
            }
            for it in graph.defs[holder.def as usize].iter().filter(|it| it.header) {
                if matches!(it.kind, MentionKind::Bound | MentionKind::Object | MentionKind::Type) {
                    for trait_ in self.traits_of(it) {
                        self.open_trait(trait_);
                    }
                }
            }
        }
    }

    /// R8 for a static that holds `dyn Tr`.
    pub fn open_static(&mut self, id: DefId) {
        let graph = self.uses(id);
        for it in graph.defs[id.def as usize].iter() {
            if it.kind == MentionKind::Object {
                for trait_ in self.traits_of(it) {
                    self.open_trait(trait_);
                }
            }
        }
    }

    fn open_trait(&mut self, trait_: DefId) {
        self.mark(trait_, Rule::R8);
        let index = self.index.clone();
        for &at in index.by_trait.get(&trait_).into_iter().flatten() {
            let it = &index.impls[at as usize];
            let member = self.world.project.package_of(it.id.krate).member;
            if !(member || self.in_cone(it.id.krate)) || (!self.root_is_test && self.world.is_test(it.id)) {
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
