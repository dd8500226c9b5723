//! R5: `.m(..)`.
//!
//! Without the receiver's type, `m` may be an inherent method of any live type that the calling crate can name, or a
//! method of a trait that rustc would consider there: in scope, in the bounds of the generics, or behind `dyn` and
//! `impl`, whose methods need no import. Of such a trait every live impl's `m` and the default body are live. A type
//! that is not live has no values, so its methods cannot run.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Rule, flood::Flood};
use crate::{
    resolve::{DefId, ModId, Use},
    syntax::{DefKind, MentionKind, Name},
};

/// Traits whose methods can be called in a module.
#[derive(Default)]
pub struct InScope {
    pub traits: FxHashSet<DefId>,
    /// Macro sites that may define a trait, by the names they provide.
    pub provided: FxHashMap<Name, Vec<DefId>>,
    /// Sites that may provide any name.
    pub anything: Vec<DefId>,
}

impl Flood<'_> {
    pub fn method(&mut self, id: DefId, name: Name, module: ModId) {
        self.inherent_methods(name, id.krate, Rule::R5);
        let in_scope = self.in_scope(module);
        for &site in in_scope
            .provided
            .get(&name)
            .into_iter()
            .flatten()
            .chain(&in_scope.anything)
        {
            self.mark(site, Rule::R5);
        }
        let index = self.index.clone();
        let Some(candidates) = index.traits_with.get(&name) else {
            return;
        };
        let bounds = self.bound_traits(id);
        for &trait_ in candidates {
            if in_scope.traits.contains(&trait_) || bounds.contains(&trait_) || self.demands.objects.contains(&trait_) {
                self.demand(trait_, name, Rule::R5);
            }
        }
    }

    /// `.name(..)` in code of `krate`: inherent methods of live types that it can see.
    pub fn inherent_methods(&mut self, name: Name, krate: crate::project::CrateId, rule: Rule) {
        if self.demands.methods.entry(name).or_default().insert(krate) {
            self.mark_inherent(name, krate, rule);
        }
    }

    /// The inherent items called `name` of live types that `krate` can see.
    pub fn mark_inherent(&mut self, name: Name, krate: crate::project::CrateId, rule: Rule) {
        let index = self.index.clone();
        for &(head, item) in index.inherent.get(&name).into_iter().flatten() {
            if head.is_none_or(|head| self.is_live(head)) && self.world.sees(krate, item.krate) {
                self.mark(item, rule);
            }
        }
    }

    pub fn in_scope(&mut self, module: ModId) -> Arc<InScope> {
        if let Some(known) = self.scopes.get(&module) {
            return known.clone();
        }
        let mut out = InScope::default();
        for id in self.world.traits_in_scope(module) {
            if self.def(id).is_some_and(|def| def.kind == DefKind::Trait) {
                out.traits.insert(id);
                continue;
            }
            let provides = self.world.provides(id);
            if provides.any {
                out.anything.push(id);
            }
            for &name in &provides.names {
                out.provided.entry(name).or_default().push(id);
            }
        }
        let out = Arc::new(out);
        self.scopes.insert(module, out.clone());
        out
    }

    /// Traits in the bounds of a definition's generics and of the impl or trait that holds it, with their supertraits;
    /// for an item of a trait also that trait.
    pub fn bound_traits(&mut self, id: DefId) -> Arc<[DefId]> {
        if let Some(known) = self.bounds.get(&id) {
            return known.clone();
        }
        let parent = self
            .def(id)
            .and_then(|def| def.parent)
            .map(|parent| DefId { def: parent.0, ..id });
        let mut found = Vec::new();
        let graph = self.uses(id);
        for holder in std::iter::once(id).chain(parent) {
            if self.def(holder).is_some_and(|def| def.kind == DefKind::Trait) {
                found.push(holder);
            }
            for it in graph.defs[holder.def as usize].iter() {
                if matches!(it.kind, MentionKind::Bound | MentionKind::Object) {
                    found.extend(self.traits_of(it));
                }
            }
        }
        let mut out: Vec<DefId> = found
            .into_iter()
            .flat_map(|it| self.index.with_supertraits(it))
            .collect();
        out.sort();
        out.dedup();
        let out: Arc<[DefId]> = out.into();
        self.bounds.insert(id, out.clone());
        out
    }

    /// `dyn Tr` and `impl Tr`.
    pub fn object_traits(&mut self, it: &Use) {
        for trait_ in self.traits_of(it) {
            self.add_object(trait_);
        }
    }

    /// A trait where a type stands: `Box<Tr>` of the 2015 edition.
    pub fn bare_object(&mut self, it: &Use) {
        self.object_traits(it);
    }

    fn add_object(&mut self, trait_: DefId) {
        let index = self.index.clone();
        for it in index.with_supertraits(trait_) {
            if !self.demands.objects.insert(it) {
                continue;
            }
            for &item in index.items_of(it) {
                let Some(name) = self.def(item).map(|def| def.name) else {
                    continue;
                };
                if self.demands.methods.contains_key(&name) {
                    self.demand(it, name, Rule::R5);
                }
            }
        }
    }

    /// Item `name` of `trait_` may be called: the trait is live, its default body, and every live impl's.
    pub fn demand(&mut self, trait_: DefId, name: Name, rule: Rule) {
        self.mark(trait_, rule);
        if !self.demands.trait_items.insert((trait_, name)) {
            return;
        }
        let index = self.index.clone();
        for &item in index.items_of(trait_) {
            if self.def(item).is_some_and(|def| def.name == name) {
                self.mark(item, rule);
            }
        }
        for &at in index.by_trait.get(&trait_).into_iter().flatten() {
            let impl_ = index.impls[at as usize].id;
            if self.is_live(impl_) {
                self.mark_named(impl_, name, rule);
            }
        }
    }

    /// The items called `name` of a trait or impl, and macro sites in it that may hold one.
    pub fn mark_named(&mut self, holder: DefId, name: Name, rule: Rule) {
        let index = self.index.clone();
        for &item in index.items_of(holder) {
            if self.def(item).is_some_and(|def| def.name == name) {
                self.mark(item, rule);
            }
        }
    }
}
