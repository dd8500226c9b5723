//! R5: `.m(..)`.
//!
//! Without the receiver's type, `m` may be an inherent method of any live type that the calling crate can name, or a
//! method of a trait that rustc would consider there: in scope, in the bounds of the generics, or behind `dyn` and
//! `impl`, whose methods need no import. Of such a trait every live impl's `m` and the default body are live. A type
//! that is not live has no values, so its methods cannot run.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Rule, crates::by_trait, flood::Flood};
use crate::{
    project::CrateId,
    resolve::{DefId, ModId, Use},
    syntax::{DefKind, MentionKind, Name},
};

/// Traits whose methods can be called in a module.
#[derive(Default)]
pub struct InScope {
    /// By the names of their items.
    pub with: FxHashMap<Name, Vec<DefId>>,
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
        let mut traits = self.bound_traits_with(id, name);
        traits.extend(in_scope.with.get(&name).into_iter().flatten());
        traits.extend(self.demands.objects_with.get(&name).into_iter().flatten());
        self.demand_each(traits, name, Rule::R5);
    }

    /// Item `name` of all of these.
    pub fn demand_each(&mut self, mut traits: Vec<DefId>, name: Name, rule: Rule) {
        traits.sort();
        traits.dedup();
        for trait_ in traits {
            self.demand(trait_, name, rule);
        }
    }

    /// The traits in the bounds of a definition that have an item of this name.
    pub fn bound_traits_with(&mut self, id: DefId, name: Name) -> Vec<DefId> {
        let bounds = self.bound_traits(id);
        let has = |trait_: &&DefId| self.has_item(**trait_, name);
        bounds.iter().filter(has).copied().collect()
    }

    pub fn has_item(&self, trait_: DefId, name: Name) -> bool {
        let index = self.index(trait_.krate);
        index.traits_with.get(&name).is_some_and(|all| all.contains(&trait_))
    }

    /// The names of a trait's items.
    pub fn item_names(&self, trait_: DefId) -> Vec<Name> {
        let index = self.index(trait_.krate);
        let items = index.items_of(trait_).iter();
        let mut names: Vec<Name> = items.filter_map(|&item| Some(self.def(item)?.name)).collect();
        names.extend(index.provided.get(&trait_).into_iter().flatten());
        names.sort_by_key(|name| name.as_str());
        names.dedup();
        names
    }

    /// The trait and everything it requires.
    pub fn with_supertraits(&self, trait_: DefId) -> Vec<DefId> {
        let mut out = vec![trait_];
        let mut at = 0;
        while at < out.len() {
            let index = self.index(out[at].krate);
            for &above in index.supertraits.get(&out[at]).into_iter().flatten() {
                if !out.contains(&above) {
                    out.push(above);
                }
            }
            at += 1;
        }
        out
    }

    /// `.name(..)` in code of `krate`: inherent methods of live types that it can see.
    pub fn inherent_methods(&mut self, name: Name, krate: CrateId, rule: Rule) {
        if self.demands.methods.entry(name).or_default().insert(krate) {
            self.mark_inherent(name, krate, rule);
        }
    }

    /// The inherent items called `name` of live types that `krate` can see.
    pub fn mark_inherent(&mut self, name: Name, krate: CrateId, rule: Rule) {
        let mut found = Vec::new();
        for joined in self.world.seen_by(krate) {
            if self.joined.contains(joined) {
                found.extend(self.index(*joined).inherent.get(&name).into_iter().flatten().copied());
            }
        }
        for (head, item) in found {
            if head.is_none_or(|head| self.is_live(head)) {
                self.mark(item, rule);
            }
        }
    }

    /// The traits in scope that have an item of this name.
    pub fn in_scope_with(&mut self, module: ModId, name: Name) -> Vec<DefId> {
        self.in_scope(module).with.get(&name).cloned().unwrap_or_default()
    }

    pub fn in_scope(&mut self, module: ModId) -> Arc<InScope> {
        if let Some(known) = self.scopes.get(&module) {
            return known.clone();
        }
        let mut out = InScope::default();
        for id in self.world.traits_in_scope(module) {
            if self.def(id).is_some_and(|def| def.kind == DefKind::Trait) {
                for name in self.item_names(id) {
                    out.with.entry(name).or_default().push(id);
                }
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
        let graph = self.graph(id);
        for holder in std::iter::once(id).chain(parent) {
            if self.def(holder).is_some_and(|def| def.kind == DefKind::Trait) {
                found.push(holder);
            }
            for it in &graph.of(&self.world, holder.def).all {
                if matches!(it.kind, MentionKind::Bound | MentionKind::Object) {
                    found.extend(self.traits_of(it));
                }
            }
        }
        let mut out: Vec<DefId> = found.into_iter().flat_map(|it| self.with_supertraits(it)).collect();
        out.sort();
        out.dedup();
        let out: Arc<[DefId]> = out.into();
        self.bounds.insert(id, out.clone());
        out
    }

    /// `dyn Tr` and `impl Tr`, and a trait where a type stands: `Box<Tr>` of the 2015 edition.
    pub fn object_traits(&mut self, it: &Use) {
        for trait_ in self.traits_of(it) {
            self.add_object(trait_);
        }
    }

    fn add_object(&mut self, trait_: DefId) {
        for it in self.with_supertraits(trait_) {
            if !self.demands.objects.insert(it) {
                continue;
            }
            for name in self.item_names(it) {
                self.demands.objects_with.entry(name).or_default().push(it);
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
        self.mark_named(trait_, name, rule);
        for (index, at) in self.impls_of(trait_, by_trait) {
            let impl_ = index.impls[at as usize].id;
            if self.is_live(impl_) {
                self.mark_named(impl_, name, rule);
            }
        }
    }

    /// The items called `name` of a trait or impl, and macro sites in it that may hold one.
    pub fn mark_named(&mut self, holder: DefId, name: Name, rule: Rule) {
        let index = self.index(holder.krate);
        for &item in index.items_of(holder) {
            if self.def(item).is_some_and(|def| def.name == name) {
                self.mark(item, rule);
            }
        }
    }
}
