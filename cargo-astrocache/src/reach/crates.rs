//! Which crates' impls count.
//!
//! An impl names something of its own crate, in its trait, its type or their arguments (rustc's orphan rule), and runs
//! only where that is there. So a crate of which nothing is live has no impl that can run, and is not even read. Local
//! crates count from the start, for what rustc may infer and nobody names.

use std::sync::Arc;

use super::flood::Flood;
use crate::{
    project::{CrateId, PackageSource},
    resolve::{DefId, ImplEntry, ImplIdx, Index, TraitRef, World},
    syntax::{Def, DefKind},
};

/// A list of an index.
pub type List = for<'i> fn(&'i Index, &World<'_>, DefId) -> Option<&'i Vec<ImplIdx>>;

impl Flood<'_> {
    pub fn index(&self, krate: CrateId) -> Arc<Index> {
        self.world.index(krate).cloned().unwrap_or_default()
    }

    /// The crates that count and can name things of `krate`, in order.
    pub fn above(&self, krate: CrateId) -> Arc<Vec<CrateId>> {
        self.above.get(&krate).cloned().unwrap_or_default()
    }

    /// What this list of each crate above `id` has for it.
    pub fn impls_of(&self, id: DefId, list: List) -> Vec<(Arc<Index>, ImplIdx)> {
        let mut out = Vec::new();
        for &krate in self.above(id.krate).iter() {
            let index = self.index(krate);
            let found = list(&index, &self.world, id).cloned().unwrap_or_default();
            out.extend(found.into_iter().map(|at| (index.clone(), at)));
        }
        out
    }

    /// Something of `krate` is live.
    pub fn join(&mut self, krate: CrateId) {
        if !self.joined.insert(krate) {
            return;
        }
        for &below in self.world.clone().seen_by(krate) {
            let above = Arc::make_mut(self.above.entry(below).or_default());
            let at = above.partition_point(|&it| it < krate);
            above.insert(at, krate);
        }
        let index = self.index(krate);
        for (it, at) in index.impls.iter().zip(0..) {
            self.consider(&index, at);
            if it.trait_ == TraitRef::Inherent && it.open_head {
                self.inherent_impl(it);
            }
        }
        let of_live = index.sites_by_type.iter().filter(|(id, _)| self.is_live(**id));
        let mut sites: Vec<DefId> = of_live.flat_map(|(_, found)| found).copied().collect();
        sites.sort();
        for site in sites {
            self.site_of_live(site);
        }
    }

    /// rustc infers a type that nobody names where one impl alone fits: `base.speak(&Default::default())` with the one
    /// `impl Speak<Own> for Base`. So a live trait with parameters and without an impl takes those of every linked crate.
    pub fn join_the_only_impls(&mut self) {
        let traits: Vec<DefId> = self
            .out
            .items
            .iter()
            .map(|item| item.id)
            .filter(|&id| self.is_open_trait(id))
            .collect();
        for trait_ in traits {
            for krate in self.that_may_name(trait_) {
                if self.joined.contains(&krate) {
                    continue;
                }
                let index = self.index(krate);
                for &at in index.by_trait.get(&trait_).into_iter().flatten() {
                    self.consider(&index, at);
                }
            }
        }
    }

    /// The linked crates that may have an impl of a trait of another crate. Who writes one writes the trait's name, or one that
    /// the trait's crate or another in between gave it, which has the name in its text.
    fn that_may_name(&self, trait_: DefId) -> Vec<CrateId> {
        let world = &self.world;
        let Some(name) = self.def(trait_).map(|def| def.name) else {
            return Vec::new();
        };
        let all = world.crates().filter(|&it| it != trait_.krate && self.in_cone(it));
        let all: Vec<CrateId> = all.filter(|&it| world.needs(it, trait_.krate)).collect();
        if all.is_empty() || world.has_renamed(trait_.krate, name) {
            return all;
        }
        let naming: Vec<CrateId> = all.iter().copied().filter(|&it| world.has_word(it, name)).collect();
        let may = |krate: &CrateId| naming.iter().any(|&it| world.needs(*krate, it));
        all.into_iter().filter(may).collect()
    }

    fn is_open_trait(&self, id: DefId) -> bool {
        let is_generic = |def: &Def| def.kind == DefKind::Trait && !def.generics.is_empty();
        let has_impl = || {
            let mut all = self.impls_of(id, by_trait).into_iter();
            all.any(|(index, at)| self.is_live(index.impls[at as usize].id))
        };
        self.def(id).is_some_and(is_generic) && !has_impl()
    }

    /// Crates of the workspace and of its path dependencies count if they are linked.
    pub fn join_local(&mut self) {
        let world = self.world.clone();
        for krate in world.crates() {
            if world.project.package_of(krate).source == PackageSource::Path && self.in_cone(krate) {
                self.join(krate);
            }
        }
    }
}

/// Impls for a type, or of a trait as `dyn`.
pub fn by_head<'i>(index: &'i Index, _: &World<'_>, id: DefId) -> Option<&'i Vec<ImplIdx>> {
    index.by_head.get(&id)
}

pub fn by_trait<'i>(index: &'i Index, _: &World<'_>, id: DefId) -> Option<&'i Vec<ImplIdx>> {
    index.by_trait.get(&id)
}

/// Impls that a type makes live without being what they are for.
pub fn by_mention<'i>(index: &'i Index, _: &World<'_>, id: DefId) -> Option<&'i Vec<ImplIdx>> {
    index.by_mention.get(&id)
}

/// Impls that wait for a type besides their own.
pub fn by_requirement<'i>(index: &'i Index, world: &World<'_>, id: DefId) -> Option<&'i Vec<ImplIdx>> {
    index.required(world).by_mention.get(&id)
}

/// An impl that is for `head`, or may be.
pub fn may_be_for(it: &ImplEntry, head: DefId) -> bool {
    it.open_head || it.heads.contains(&head)
}
