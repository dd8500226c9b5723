//! Tables over a crate: impls by type and by trait, items of traits.
//!
//! Every list is in file and source order.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::{
    crate_map::CrateMap,
    ids::{DefId, ModId, Ns, Res, Target},
    prelude,
    world::{Resolution, World, is_guess},
};
use crate::syntax::{Def, DefData, DefKind, Head, ImplHeader, ImplTokens, Name, Path, SelfShape, SiteFacts, StdTraits};

/// Number of an impl in [`Index::impls`].
pub type ImplIdx = u32;

/// See the module.
#[derive(Default)]
pub struct Index {
    pub impls: Vec<ImplEntry>,
    /// Impls whose self type's head is this type or, for `dyn Tr`, trait.
    pub by_head: FxHashMap<DefId, Vec<ImplIdx>>,
    pub by_trait: FxHashMap<DefId, Vec<ImplIdx>>,
    /// Trait impls that this type makes live without being their head.
    pub by_mention: FxHashMap<DefId, Vec<ImplIdx>>,
    pub impl_of: FxHashMap<DefId, ImplIdx>,
    /// Items of inherent impls: the type (`None` if it cannot be told) and the item.
    pub inherent: FxHashMap<Name, Vec<(Option<DefId>, DefId)>>,
    /// Definitions inside impls and traits.
    pub children: FxHashMap<DefId, Vec<DefId>>,
    /// Analyzed traits that have an item of this name.
    pub traits_with: FxHashMap<Name, Vec<DefId>>,
    /// Names that macro calls in a trait may give to items of it.
    pub provided: FxHashMap<DefId, Vec<Name>>,
    pub supertraits: FxHashMap<DefId, Vec<DefId>>,
    /// Macro sites that may hold impls, by the types and traits in their headers and arguments.
    pub sites_by_type: FxHashMap<DefId, Vec<DefId>>,
    /// Impls that need no other type than their own to be selected, by what they are for.
    fits: FxHashMap<Fit, Vec<DefId>>,
    required: OnceLock<Required>,
}

/// What impls need besides their own types: see [`Required::new`].
#[derive(Default)]
pub struct Required {
    /// By impl: types all of which must be live, too. Each has a type of its list or a `cfg` variant of it.
    by_impl: FxHashMap<ImplIdx, Vec<Vec<DefId>>>,
    /// Impls that wait for this type so.
    pub by_mention: FxHashMap<DefId, Vec<ImplIdx>>,
}

/// One `impl` block.
#[derive(Debug, Clone)]
pub struct ImplEntry {
    pub id: DefId,
    pub trait_: TraitRef,
    pub heads: Vec<DefId>,
    /// The head is a parameter, un-analyzed or unknown.
    pub open_head: bool,
    /// The head is a parameter of the impl: a blanket impl.
    pub blanket: bool,
    /// Where the head is open: the types, else traits, one of which must be live.
    pub deciding: Vec<DefId>,
    /// The name of its trait, if that may be of std.
    pub std_name: Option<Name>,
    /// The same, if it is one of those.
    pub std_trait: StdTraits,
    /// The operator's right side has the type of its left.
    pub same_operands: bool,
    /// Covers part of the type, or is there under a condition.
    pub partial: bool,
    /// Of a trait without code, for nothing that is analyzed.
    pub idle: bool,
    /// Its trait, if that can be told.
    key: Option<TraitKey>,
}

/// The trait of an impl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraitRef {
    Inherent,
    /// Analyzed traits, or macro sites that may provide it.
    Analyzed(Vec<DefId>),
    /// Of std, or not found.
    External,
}

impl Index {
    pub fn new(world: &World<'_>, map: &CrateMap) -> Index {
        let mut index = Index::default();
        for id in map.def_ids() {
            index.add(world, id, map.def(id));
        }
        index.add_inherent(world);
        index.add_fits(world);
        index
    }

    /// What its impls need besides their own types.
    pub fn required(&self, world: &World<'_>) -> &Required {
        self.required.get_or_init(|| Required::new(world, self))
    }

    pub fn items_of(&self, parent: DefId) -> &[DefId] {
        self.children.get(&parent).map_or(&[], |items| items.as_slice())
    }

    fn add(&mut self, world: &World<'_>, id: DefId, def: &Def) {
        if let Some(parent) = def.parent {
            let parent = DefId { def: parent.0, ..id };
            self.children.entry(parent).or_default().push(id);
            let in_trait = world.def(parent).is_some_and(|it| it.kind == DefKind::Trait);
            if in_trait && def.kind == DefKind::MacroSite {
                for &name in &world.provides(id).names {
                    self.traits_with.entry(name).or_default().push(parent);
                    self.provided.entry(parent).or_default().push(name);
                }
            } else if in_trait {
                self.traits_with.entry(def.name).or_default().push(parent);
            }
        }
        let Some(module) = world.module_of(id) else {
            return;
        };
        match &def.data {
            DefData::Impl(header) => self.add_impl(world, id, def, module, header),
            DefData::Trait(bounds) => {
                let all = bounds
                    .iter()
                    .flat_map(|path| analyzed(world, module, path, DefKind::Trait));
                self.supertraits.insert(id, all.collect());
            }
            DefData::Site(_) => self.add_site(world, id, module),
            _ => {}
        }
    }

    fn add_impl(&mut self, world: &World<'_>, id: DefId, def: &Def, module: ModId, header: &ImplHeader) {
        let found = header.trait_.as_ref().map(|path| world.resolve(module, path, Ns::Type));
        let found = found.as_ref();
        let gated = def.cfg != 0 || world.condition(module) != 0;
        if found.is_some_and(|found| is_absent(found) || (gated && is_of_absent_crate(found))) {
            return;
        }
        let number = self.impls.len() as u32;
        let own_traits = found.map_or(Vec::new(), |found| traits(world, found));
        for &it in &own_traits {
            self.by_trait.entry(it).or_default().push(number);
        }
        let trait_ = match found {
            None => TraitRef::Inherent,
            // Where it may be either, std may call it.
            Some(found) if own_traits.is_empty() || may_be_external(found) => TraitRef::External,
            Some(_) => TraitRef::Analyzed(own_traits),
        };
        let (heads, blanket) = match &header.head {
            Head::Path(path) if is_param(def, path) => (Vec::new(), true),
            Head::Path(path) if trait_ == TraitRef::Inherent => (types(world, module, path), false),
            Head::Path(path) => (certain_types(world, module, path), false),
            Head::Dyn(path) => (traits(world, &world.resolve(module, path, Ns::Type)), false),
            Head::Other => (Vec::new(), false),
        };
        for &head in &heads {
            self.by_head.entry(head).or_default().push(number);
        }
        let open_head = heads.is_empty();
        let deciding = match trait_ {
            TraitRef::Inherent => Vec::new(),
            _ if open_head => deciding(world, module, def, header, &trait_),
            _ => Vec::new(),
        };
        for &it in &deciding {
            self.by_mention.entry(it).or_default().push(number);
        }
        let open = open_head && deciding.is_empty() && trait_ == TraitRef::External;
        self.impl_of.insert(id, number);
        self.impls.push(ImplEntry {
            id,
            key: found.and_then(|found| trait_key(&trait_, found)),
            trait_,
            heads,
            open_head,
            blanket,
            deciding,
            std_name: found.and_then(external_name),
            std_trait: found.map_or(StdTraits::default(), std_trait_of),
            same_operands: !header.trait_args,
            partial: header.partial || def.cfg != 0,
            idle: open && found.is_some_and(is_marker),
        });
    }

    /// Once all impls are known. Those that each build has: without a condition.
    fn add_fits(&mut self, world: &World<'_>) {
        for it in &self.impls {
            let Some(fit) = Fitting::of(world, it).filter(|it| it.is_plain) else {
                continue;
            };
            self.fits.entry(fit.same_args).or_default().push(it.id);
            if !fit.header.partial {
                self.fits.entry(fit.any_args).or_default().push(it.id);
            }
        }
    }

    /// Once all impls are known.
    fn add_inherent(&mut self, world: &World<'_>) {
        for it in self.impls.iter().filter(|it| it.trait_ == TraitRef::Inherent) {
            for &item in self.children.get(&it.id).into_iter().flatten() {
                let Some(def) = world.def(item) else { continue };
                let list = self.inherent.entry(def.name).or_default();
                list.extend(it.heads.iter().map(|&head| (Some(head), item)));
                if it.open_head {
                    list.push((None, item));
                }
            }
        }
    }

    /// A site that may hold impls is found by the types they may be for and, where those are not analyzed, by all that their
    /// headers and the arguments name.
    fn add_site(&mut self, world: &World<'_>, id: DefId, module: ModId) {
        let Some(DefData::Site(facts)) = world.def(id).map(|def| &def.data) else {
            return;
        };
        let provides = world.provides(id);
        let mut found: Vec<DefId> = Vec::new();
        for header in &facts.tokens.impls {
            found.extend(deciding_site(world, &[module], header, facts, None));
        }
        for &mac in &provides.macros {
            let Some(DefData::Macro(it)) = world.def(mac).map(|def| &def.data) else {
                continue;
            };
            let home = world.module_of(mac).unwrap_or(module);
            let params = it.params.as_deref().filter(|_| is_called(world, module, facts, mac));
            for header in &it.tokens.impls {
                found.extend(deciding_site(world, &[home, module], header, facts, params));
            }
        }
        if provides.macros.is_empty() {
            let mut named = Named::default();
            named.add_arguments(world, module, facts);
            found.extend(named.deciding());
        }
        found.sort();
        found.dedup();
        for it in found {
            self.sites_by_type.entry(it).or_default().push(id);
        }
    }
}

impl Required {
    /// `impl From<A> for B<C>` runs only if there is an `A` and a `C`.
    ///
    /// A type can be there unnamed only where rustc infers it from the one impl that fits. So this holds where others fit as
    /// well: for the trait's arguments with conversions (`From<T> for T`) and if there is a second impl for the type, for
    /// the type's arguments if there is a second impl of the same trait. Others are those that each build has: in crates
    /// that this one needs, of which those of the trait and of the type are asked.
    fn new(world: &World<'_>, index: &Index) -> Required {
        let mut out = Required::default();
        for (number, it) in (0..).zip(&index.impls) {
            let Some(fit) = Fitting::of(world, it) else { continue };
            let of = |heads: &[Path]| -> Vec<Vec<DefId>> {
                let named = heads.iter().filter(|path| !is_param(fit.def, path));
                let all = named.map(|path| types(world, fit.module, path));
                all.filter(|found| !found.is_empty()).collect()
            };
            let (args, self_args) = (of(&fit.header.arg_heads), of(&fit.header.self_args));
            let mut required = Vec::new();
            if !args.is_empty() && (fit.any_args.trait_.converts() || has_others(world, it.id, &fit.any_args)) {
                required.extend(args);
            }
            if !self_args.is_empty() && has_others(world, it.id, &fit.same_args) {
                required.extend(self_args);
            }
            for &it in required.iter().flatten() {
                out.by_mention.entry(it).or_default().push(number);
            }
            if !required.is_empty() {
                out.by_impl.insert(number, required);
            }
        }
        out
    }

    /// Types all of which must be live for an impl, by any of their variants.
    pub fn of(&self, at: ImplIdx) -> &[Vec<DefId>] {
        self.by_impl.get(&at).map_or(&[], |all| all)
    }
}

/// Whether there is another impl than `id` for the same place.
fn has_others(world: &World<'_>, id: DefId, fit: &Fit) -> bool {
    let of_trait = match fit.trait_ {
        TraitKey::Analyzed(trait_) => Some(trait_.krate),
        TraitKey::Std(_) => None,
    };
    let crates = [Some(id.krate), Some(fit.head.krate), of_trait].into_iter().flatten();
    let mut crates = crates.filter(|&krate| world.needs(id.krate, krate));
    crates.any(|krate| {
        let fits = world.index(krate).and_then(|index| index.fits.get(fit));
        fits.into_iter().flatten().any(|&other| other != id)
    })
}

/// An impl by the places it fits.
struct Fitting<'w> {
    def: &'w Def,
    module: ModId,
    header: &'w ImplHeader,
    any_args: Fit,
    same_args: Fit,
    /// There in each build, and for the type as it is.
    is_plain: bool,
}

impl<'w> Fitting<'w> {
    /// `None` if its trait or its type cannot be told.
    fn of(world: &'w World<'w>, it: &ImplEntry) -> Option<Fitting<'w>> {
        let (def, module, header) = header_of(world, it.id)?;
        let trait_ = it.key?;
        let [head] = it.heads.as_slice() else { return None };
        let any_args = Fit {
            trait_,
            args: None,
            head: *head,
            shape: header.shape,
        };
        let same_args = Fit {
            args: Some(header.trait_hash),
            ..any_args
        };
        Some(Fitting {
            is_plain: def.cfg == 0 && world.condition(module) == 0 && header.shape != SelfShape::Other,
            def,
            module,
            header,
            any_args,
            same_args,
        })
    }
}

/// Whether `mac` is all that a macro call can mean.
fn is_called(world: &World<'_>, module: ModId, facts: &SiteFacts, mac: DefId) -> bool {
    let found = world.resolve(module, &facts.path, Ns::Macro).targets;
    !found.is_empty() && found.iter().all(|target| target.res == Res::Def(mac))
}

/// What makes an impl of a macro call live: as for a written one, the types of its self type, if it is known; of a conversion
/// as well those that it converts. `params`: the macro's, each of which is one argument.
fn deciding_site(
    world: &World<'_>,
    modules: &[ModId],
    header: &ImplTokens,
    facts: &SiteFacts,
    params: Option<&[Name]>,
) -> Vec<DefId> {
    let known = |paths: &[Path], of: &[Name]| {
        let mut named = Named::of(world, modules, paths);
        for name in of {
            let at = params.and_then(|params| params.iter().position(|it| it == name));
            match at.and_then(|at| facts.args.get(at)) {
                Some(argument) => named.add_names(world, modules[modules.len() - 1], argument),
                None => named.foreign = true,
            }
        }
        Some(named.types).filter(|types| !types.is_empty() && !named.foreign && named.generated.is_empty())
    };
    let bound = |of: &[Name]| !of.is_empty() && params.is_some_and(|params| params.len() == facts.args.len());
    // Both sides of a conversion have to be there; the arguments are fewer.
    if bound(&header.from_params)
        && let Some(types) = known(&header.from_paths, &header.from_params)
    {
        return types;
    }
    if (bound(&header.self_params) || !header.self_arg)
        && let Some(types) = known(&header.self_paths, &header.self_params)
    {
        return types;
    }
    let mut named = Named::of(world, modules, &header.paths);
    named.add_arguments(world, modules[modules.len() - 1], facts);
    named.deciding()
}

/// What the headers and arguments of a macro call name.
#[derive(Default)]
struct Named {
    types: Vec<DefId>,
    traits: Vec<DefId>,
    /// A type of std or of the language.
    foreign: bool,
    /// What generated code may hold under a name that is written nowhere: that of a parameter, as a rule.
    generated: Vec<DefId>,
}

impl Named {
    fn of(world: &World<'_>, modules: &[ModId], paths: &[Path]) -> Named {
        let mut out = Named::default();
        for path in paths {
            for &module in modules {
                out.add(world, module, path);
            }
        }
        out
    }

    fn add_arguments(&mut self, world: &World<'_>, module: ModId, facts: &SiteFacts) {
        self.add_names(world, module, &facts.idents);
    }

    fn add_names(&mut self, world: &World<'_>, module: ModId, names: &[Name]) {
        for &name in names {
            self.add(world, module, &[name]);
        }
    }

    fn add(&mut self, world: &World<'_>, module: ModId, path: &[Name]) {
        let found = world.resolve_written(module, path, Ns::Type);
        if found.unresolved.is_some() {
            let any = world.resolve(module, path, Ns::Type);
            push_types(world, &any, &mut self.generated, 0);
            return;
        }
        push_types(world, &found, &mut self.types, 0);
        self.traits.extend(of_kind(world, &found, DefKind::Trait));
        let foreign = |res: Res| matches!(res, Res::External(_));
        self.foreign |= found.targets.iter().any(|target| foreign(target.res));
    }

    /// An impl for an analyzed type needs that type to be live; one for a foreign type can only be told by its trait.
    fn deciding(mut self) -> Vec<DefId> {
        if self.types.is_empty() || self.foreign {
            self.types.append(&mut self.traits);
        }
        self.types.append(&mut self.generated);
        self.types
    }
}

/// R7 where the head decides nothing: the types in the self type do, else those in the header, else, for an un-analyzed
/// trait, the traits in the header.
fn deciding(world: &World<'_>, module: ModId, def: &Def, header: &ImplHeader, trait_: &TraitRef) -> Vec<DefId> {
    // A parameter names nothing, whatever generated code around it may be called.
    let all = |paths: &[Path]| -> Vec<DefId> {
        let named = paths.iter().filter(|path| !is_param(def, path));
        named.flat_map(|path| certain_types(world, module, path)).collect()
    };
    let mut out = all(&header.self_types);
    if out.is_empty() {
        out = all(&header.header_types);
    }
    if out.is_empty() && *trait_ == TraitRef::External {
        let paths = header.self_types.iter().chain(&header.header_types);
        out = paths
            .filter(|path| !is_param(def, path))
            .flat_map(|path| analyzed(world, module, path, DefKind::Trait))
            .collect();
    }
    out.sort();
    out.dedup();
    out
}

/// Whether a path may mean something of std, whatever else it may mean.
fn may_be_external(found: &Resolution) -> bool {
    let is_there = |res: Res| matches!(res, Res::External(path) if !path.as_str().starts_with(prelude::ABSENT));
    found.unresolved.is_none() && found.targets.iter().any(|it| is_there(it.res) && !is_guess(it))
}

/// A trait whose crate is not in the graph. Under a `cfg` that is an optional dependency which is off: what cannot compile
/// in this build is off as well.
fn is_of_absent_crate(found: &Resolution) -> bool {
    found.unresolved == Some(0) && found.targets.is_empty()
}

/// Whether all that a path can mean is in dependencies that the graph does not have.
fn is_absent(found: &Resolution) -> bool {
    let absent = |res: Res| matches!(res, Res::External(path) if path.as_str().starts_with(prelude::ABSENT));
    !found.targets.is_empty() && found.targets.iter().all(|it| absent(it.res))
}

fn std_trait_of(found: &Resolution) -> StdTraits {
    the_external(found).map_or(StdTraits::default(), |path| StdTraits::of_trait(path.as_str()))
}

/// What two impls that fit the same place have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Fit {
    trait_: TraitKey,
    /// The trait's arguments; `None`: any.
    args: Option<u64>,
    head: DefId,
    shape: SelfShape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TraitKey {
    Analyzed(DefId),
    Std(Name),
}

impl TraitKey {
    fn converts(self) -> bool {
        matches!(self, TraitKey::Std(name) if matches!(name.as_str(), "From" | "Into" | "TryFrom" | "TryInto"))
    }
}

/// `None` if it may be several.
fn trait_key(trait_: &TraitRef, found: &Resolution) -> Option<TraitKey> {
    match trait_ {
        TraitRef::Inherent => None,
        TraitRef::Analyzed(traits) => match traits.as_slice() {
            [one] => Some(TraitKey::Analyzed(*one)),
            _ => None,
        },
        TraitRef::External => the_external(found).map(|path| TraitKey::Std(last_segment(path))),
    }
}

fn header_of<'w>(world: &'w World<'w>, id: DefId) -> Option<(&'w Def, ModId, &'w ImplHeader)> {
    let def = world.def(id)?;
    match &def.data {
        DefData::Impl(header) => Some((def, world.module_of(id)?, header)),
        _ => None,
    }
}

/// The last segment of a path in std that this may be.
fn external_name(found: &Resolution) -> Option<Name> {
    found.targets.iter().find_map(|target| match target.res {
        Res::External(path) => Some(last_segment(path)),
        _ => None,
    })
}

/// The path in std that this is; `None` if it may be something else as well.
fn the_external(found: &Resolution) -> Option<Name> {
    match found.targets.as_slice() {
        [
            Target {
                res: Res::External(path),
                ..
            },
        ] if found.unresolved.is_none() => Some(*path),
        _ => None,
    }
}

fn last_segment(path: Name) -> Name {
    Name::new(path.as_str().rsplit("::").next().unwrap_or_default())
}

/// Traits of std without items that auto traits are: an impl of one holds no code that could run.
fn is_marker(found: &Resolution) -> bool {
    let marker = |res: Res| match res {
        Res::External(path) => {
            let last = path.as_str().rsplit("::").next();
            matches!(last, Some("Send" | "Sync" | "Unpin" | "UnwindSafe" | "RefUnwindSafe"))
        }
        _ => false,
    };
    found.unresolved.is_none() && !found.targets.is_empty() && found.targets.iter().all(|it| marker(it.res))
}

fn is_param(def: &Def, path: &[Name]) -> bool {
    matches!(path, [name, ..] if def.generics.contains(name))
}

/// The analyzed types that a path means, aliases followed.
pub fn types(world: &World<'_>, module: ModId, path: &[Name]) -> Vec<DefId> {
    let mut out = Vec::new();
    push_types(world, &world.resolve(module, path, Ns::Type), &mut out, 0);
    out
}

/// The same; none if under another condition it is a type of std.
fn certain_types(world: &World<'_>, module: ModId, path: &[Name]) -> Vec<DefId> {
    let (found, mut out) = (world.resolve(module, path, Ns::Type), Vec::new());
    if !may_be_of_std(world, &found, 0) {
        push_types(world, &found, &mut out, 0);
    }
    out
}

/// Whether a path may mean a type of std, or one that cannot be named, aliases followed.
fn may_be_of_std(world: &World<'_>, found: &Resolution, depth: usize) -> bool {
    let mut aliases = found.targets.iter().filter_map(|target| match target.res {
        Res::Def(id) => Some((id, world.def(id)?)).filter(|(_, def)| def.kind == DefKind::TypeAlias),
        _ => None,
    });
    may_be_external(found)
        || aliases.any(|(id, def)| match (&def.data, world.module_of(id)) {
            (DefData::Alias(Head::Path(inner)), Some(home)) if depth < 16 => {
                may_be_of_std(world, &world.resolve(home, inner, Ns::Type), depth + 1)
            }
            _ => true,
        })
}

fn push_types(world: &World<'_>, found: &Resolution, out: &mut Vec<DefId>, depth: usize) {
    if depth > 16 || found.unresolved.is_some() {
        return;
    }
    for target in &found.targets {
        let Res::Def(id) = target.res else { continue };
        let Some(def) = world.def(id) else { continue };
        match (&def.kind, &def.data) {
            (DefKind::Struct | DefKind::Enum | DefKind::Union | DefKind::MacroSite, _) if !out.contains(&id) => {
                out.push(id)
            }
            (DefKind::TypeAlias, DefData::Alias(Head::Path(inner))) => {
                if let Some(home) = world.module_of(id) {
                    push_types(world, &world.resolve(home, inner, Ns::Type), out, depth + 1);
                }
            }
            _ => {}
        }
    }
}

/// The trait of an impl header, or the macro site that may provide it.
fn traits(world: &World<'_>, found: &Resolution) -> Vec<DefId> {
    let mut out = of_kind(world, found, DefKind::Trait);
    out.extend(of_kind(world, found, DefKind::MacroSite));
    out
}

fn analyzed(world: &World<'_>, module: ModId, path: &[Name], kind: DefKind) -> Vec<DefId> {
    of_kind(world, &world.resolve(module, path, Ns::Type), kind)
}

fn of_kind(world: &World<'_>, found: &Resolution, kind: DefKind) -> Vec<DefId> {
    let targets = found.targets.iter().filter(|_| found.unresolved.is_none());
    targets
        .filter_map(|target| match target.res {
            Res::Def(id) if world.def(id).is_some_and(|def| def.kind == kind) => Some(id),
            _ => None,
        })
        .collect()
}
