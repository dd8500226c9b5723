//! R1-R4: what a path makes live.
//!
//! R1, R2, R3: whatever a live definition's paths resolve to is live, called or not, value or type. Over-approximates
//! "may be used" by "is named", so nothing that runs through a name is missed.
//!
//! R4 decides `X::f` by what `X` is. For an analyzed type the inherent `f` wins over any trait's (rustc probes inherent
//! items first), unless the inherent impl covers only part of the type or is there under a `cfg`. For everything whose
//! type is unknown, no inherent item can be meant, only items of traits: of the bounds, of the scope, of any live trait.

use super::{Rule, crates::may_be_for, flood::Flood};
use crate::{
    project::CrateId,
    resolve::{DefId, Meaning, ModId, Ns, Res, Use, types},
    syntax::{Def, DefData, DefKind, Head, MentionKind, Name},
};

impl Flood<'_> {
    /// R1-R3, and R4 where the path goes on into associated items.
    pub fn path(&mut self, id: DefId, it: &Use) {
        match &it.meaning {
            Meaning::Name => {}
            Meaning::SelfType(heads) => self.self_type(id, heads, &it.path[1..], it.module),
            Meaning::Open { projection } => self.open_path(id, it, *projection),
            Meaning::Path(resolution) => {
                if let Some(at) = resolution.unresolved {
                    self.unresolved(id, it, at);
                    return;
                }
                for target in &resolution.targets {
                    match (target.res, resolution.assoc_from) {
                        (Res::Def(def), Some(at)) => self.assoc(id, def, &it.path[at..], it.module),
                        (Res::Def(def), None) => self.mark(def, Rule::R1),
                        (Res::External(_), _) => self.external_path(id, it),
                        (Res::Mod(module), _) => self.named_module(module),
                    }
                }
            }
        }
    }

    /// A module that is handed to a macro, with what an attribute macro made of it.
    fn named_module(&mut self, module: ModId) {
        let world = self.world.clone();
        let made = world
            .map(module.krate)
            .and_then(|map| map.modules[module.module as usize].rewritten);
        if let Some(made) = made {
            self.mark(made, Rule::R10);
        }
    }

    fn self_type(&mut self, id: DefId, heads: &[DefId], rest: &[Name], module: ModId) {
        for &head in heads {
            self.mark(head, Rule::R1);
            let variant = matches!(self.def(head).map(|def| &def.data), Some(DefData::Enum(all)) if rest.first().is_some_and(|name| all.contains(name)));
            if !rest.is_empty() && !variant {
                self.assoc(id, head, rest, module);
            }
        }
    }

    /// `T::f`, `Self::f` in a trait, `<[T]>::f`; with a projection the last segment may be inherent to any live type.
    fn open_path(&mut self, id: DefId, it: &Use, projection: bool) {
        for &name in it.path.iter().skip(1) {
            self.open_item(id, name, it.module, true);
        }
        if let (true, Some(&last)) = (projection, it.path.last()) {
            self.any_assoc(last, id.krate);
        }
    }

    /// `Vec::<u8>::go()`: a type of std can have `go` from an analyzed trait only.
    fn external_path(&mut self, id: DefId, it: &Use) {
        let callable = matches!(it.kind, MentionKind::Value | MentionKind::Token | MentionKind::Type);
        if let (true, 2.., Some(&last)) = (callable, it.path.len(), it.path.last()) {
            self.open_item(id, last, it.module, false);
        }
    }

    /// R4: `rest` as associated items of `base`.
    pub fn assoc(&mut self, id: DefId, base: DefId, rest: &[Name], module: ModId) {
        self.mark(base, Rule::R1);
        let Some(&name) = rest.first() else { return };
        match self.def(base).map(|def| (def.kind, def.data.clone())) {
            Some((DefKind::TypeAlias, DefData::Alias(head))) => self.alias_assoc(id, base, &head, rest, module),
            Some((DefKind::Trait, _)) => self.trait_item(base, name),
            Some((DefKind::MacroSite, _)) => {
                self.type_item(id, base, name, module);
                self.site_item(id, base, rest, module);
            }
            Some((DefKind::Struct | DefKind::Enum | DefKind::Union, _)) => {
                self.type_item(id, base, name, module);
            }
            _ => {}
        }
        if let (2.., Some(&last)) = (rest.len(), rest.last()) {
            self.any_assoc(last, id.krate);
            self.open_item(id, last, module, true);
        }
    }

    fn alias_assoc(&mut self, id: DefId, alias: DefId, head: &Head, rest: &[Name], module: ModId) {
        let heads = match (head, self.world.module_of(alias)) {
            (Head::Path(path), Some(home)) => types(&self.world, home, path),
            _ => Vec::new(),
        };
        if heads.is_empty() {
            // An alias of a type of std, or of something that cannot be named.
            self.open_item(id, rest[0], module, true);
            let is_projection = match (head, self.world.module_of(alias)) {
                (Head::Path(path), Some(home)) => {
                    let found = self.world.resolve(home, path, Ns::Type);
                    found.assoc_from.is_some() || found.unresolved.is_some()
                }
                _ => true,
            };
            if is_projection {
                self.any_assoc(rest[0], id.krate);
            }
        }
        self.self_type(id, &heads, rest, module);
    }

    /// `X::f` for an analyzed type: the inherent `f`, else `f` of every trait in scope that it or a blanket implements. What a
    /// macro writes brings traits of its own into scope.
    fn type_item(&mut self, id: DefId, base: DefId, name: Name, module: ModId) {
        let index = self.index(base.krate);
        let mut settled = false;
        for &(head, item) in index.inherent.get(&name).into_iter().flatten() {
            if head.is_none_or(|head| head == base) {
                self.mark(item, Rule::R4);
                settled |= head.is_some() && !self.is_partial(item);
            }
        }
        if settled {
            return;
        }
        let macros = |it: &Def| matches!(it.data, DefData::Macro(_) | DefData::ProcMacro(_) | DefData::Site(_));
        if self.def(id).is_some_and(macros) {
            return self.open_item(id, name, module, true);
        }
        let mut traits = self.bound_traits_with(id, name);
        traits.extend(self.in_scope_with(module, name));
        // What a derive or an attribute macro writes for the type is not there to be seen.
        let is_rewritten = self.def(base).is_some_and(Def::is_rewritten);
        traits.retain(|&trait_| is_rewritten || self.may_implement(base, trait_));
        self.demand_each(traits, name, Rule::R4);
    }

    /// Whether there is an impl of `trait_` that `base` may select.
    fn may_implement(&self, base: DefId, trait_: DefId) -> bool {
        let crates = [trait_.krate, base.krate].into_iter();
        let of_both = self.above(trait_.krate);
        let mut crates = crates.chain(of_both.iter().copied());
        crates.any(|krate| {
            let index = self.index(krate);
            let mut impls = index.by_trait.get(&trait_).into_iter().flatten();
            impls.any(|&at| may_be_for(&index.impls[at as usize], base))
        })
    }

    /// A site may provide a type made elsewhere under a new name, or a module that globs: what follows may be any live
    /// type's, or any item of that name.
    fn site_item(&mut self, id: DefId, site: DefId, rest: &[Name], module: ModId) {
        self.handed_to_module(site, rest);
        let provides = self.world.provides(site);
        if !provides.aliases {
            return;
        }
        for &name in rest {
            self.any_assoc(name, id.krate);
            self.open_item(id, name, module, true);
            if provides.any {
                self.by_name(id, name, &[], module);
            }
        }
    }

    /// Items among the arguments of a call stand where that stands; the macro may put them into a module of its own.
    fn handed_to_module(&mut self, site: DefId, rest: &[Name]) {
        let is_lowered = matches!(self.def(site).map(|def| &def.data), Some(DefData::Site(facts)) if facts.lowered);
        if let (true, Some(home), Some(&name)) = (is_lowered, self.world.module_of(site), rest.first()) {
            self.module_item(home, name, Rule::R9);
        }
    }

    fn is_partial(&self, item: DefId) -> bool {
        let Some(def) = self.def(item) else {
            return true;
        };
        let index = self.index(item.krate);
        let parent = def
            .parent
            .and_then(|parent| index.impl_of.get(&DefId { def: parent.0, ..item }));
        def.cfg != 0 || parent.is_none_or(|&at| index.impls[at as usize].partial)
    }

    /// `Tr::f`, or `f` of one of its supertraits.
    fn trait_item(&mut self, trait_: DefId, name: Name) {
        for it in self.with_supertraits(trait_) {
            if self.has_item(it, name) {
                self.demand(it, name, Rule::R4);
            }
        }
    }

    /// `f` of a type that is unknown: of the traits in the bounds, of those in scope, of any live trait.
    pub fn open_item(&mut self, id: DefId, name: Name, module: ModId, bounds: bool) {
        let mut traits = self.in_scope_with(module, name);
        if bounds {
            traits.extend(self.bound_traits_with(id, name));
        }
        let live = self.demands.live_with.get(&name).into_iter().flatten();
        traits.extend(live.filter(|it| self.world.sees(module.krate, it.krate)));
        self.demand_each(traits, name, Rule::R4);
        self.demands.open_assoc.entry(name).or_default().insert(module.krate);
    }

    /// `f` of a type that is unknown, inherent too: a projection may normalise to any live type.
    pub fn any_assoc(&mut self, name: Name, krate: CrateId) {
        if self.demands.any_assoc.entry(name).or_default().insert(krate) {
            self.mark_inherent(name, krate, Rule::R4);
        }
    }
}
