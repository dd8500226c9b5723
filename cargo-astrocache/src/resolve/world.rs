//! Name look-up across crates, as rustc does it: three namespaces, renames, globs, re-exports, `extern crate`, textual
//! macro scope.
//!
//! Unlike rustc it answers with *all* candidates: `cfg` variants stand side by side, and a name that is only there
//! under a condition does not hide what else it could mean. A cycle of imports is answered with what the scopes on it
//! declare themselves.

use std::sync::{Arc, Mutex, MutexGuard};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    crate_map::{CrateMap, Entry, ImportId, mix, namespaces},
    ids::{DefId, ModId, Ns, Res, Target},
    prelude,
};
use crate::{
    project::{CrateId, CrateKind, Edition, Project},
    syntax::{Def, DefData, DefKind, ImportKind, Name, SiteFacts, known},
};

/// The declarations of all crates, and what has been looked up in them.
pub struct World {
    pub project: Arc<Project>,
    maps: Vec<Option<Arc<CrateMap>>>,
    deps: Vec<FxHashMap<Name, CrateId>>,
    /// Each crate's transitive dependencies and itself.
    cones: Vec<FxHashSet<CrateId>>,
    names: Mutex<FxHashMap<(ModId, Name, Ns), Arc<[Target]>>>,
    provided: Mutex<FxHashMap<DefId, Arc<Provides>>>,
    traits: Mutex<FxHashMap<ModId, Arc<[DefId]>>>,
}

/// Names that a macro site can bring into being.
#[derive(Debug, Default)]
pub struct Provides {
    pub names: FxHashSet<Name>,
    /// Glues identifiers, includes generated code: any name.
    pub any: bool,
    /// Macros it expands through.
    pub macros: Vec<DefId>,
    /// A trait may be among what it defines.
    pub traits: bool,
    /// A name it provides may stand for a type made elsewhere.
    pub aliases: bool,
}

/// Where a path led.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// What the whole path, or its longest prefix that is not an associated item, stands for.
    pub targets: Vec<Target>,
    /// Segments from this one on are associated items of the targets.
    pub assoc_from: Option<usize>,
    /// This segment was not found.
    pub unresolved: Option<usize>,
}

/// A look-up in progress.
#[derive(Default)]
struct Trail {
    stack: Vec<(ModId, Name, Ns)>,
    /// A cycle was cut, so the answer may be incomplete and is not kept.
    cut: bool,
    /// Only what is written counts, not what macros and build scripts may add.
    written: bool,
}

impl World {
    pub fn new(project: Arc<Project>, maps: Vec<Option<Arc<CrateMap>>>) -> World {
        let deps = project
            .crates
            .iter()
            .map(|krate| krate.deps.iter().map(|dep| (Name::new(&dep.name), dep.krate)).collect())
            .collect();
        let cones = project.crate_ids().map(|krate| cone(&project, krate)).collect();
        World {
            project,
            maps,
            deps,
            cones,
            names: Mutex::default(),
            provided: Mutex::default(),
            traits: Mutex::default(),
        }
    }

    /// The crates in play, in order.
    pub fn crates(&self) -> impl Iterator<Item = &Arc<CrateMap>> {
        self.maps.iter().flatten()
    }

    pub fn map(&self, krate: CrateId) -> Option<&Arc<CrateMap>> {
        self.maps.get(krate.0 as usize)?.as_ref()
    }

    pub fn def(&self, id: DefId) -> Option<&Def> {
        Some(self.map(id.krate)?.def(id))
    }

    /// Whether code of `from` can name things of `to`.
    pub fn sees(&self, from: CrateId, to: CrateId) -> bool {
        self.cones[from.0 as usize].contains(&to)
    }

    /// The module a definition is declared in.
    pub fn module_of(&self, id: DefId) -> Option<ModId> {
        let map = self.map(id.krate)?;
        Some(map.module_of(id.unit, map.def(id).scope))
    }

    /// The nearest enclosing module that is not a block.
    pub fn normal_module(&self, mut id: ModId) -> ModId {
        while let Some(map) = self.map(id.krate) {
            let module = &map.modules[id.module as usize];
            match (module.block, module.parent) {
                (Some(_), Some(parent)) => id.module = parent,
                _ => break,
            }
        }
        id
    }

    /// Resolves a path used in `from`. Heads `Self`, generic parameters and locals are the caller's.
    pub fn resolve(&self, from: ModId, path: &[Name], ns: Ns) -> Resolution {
        self.resolve_in(from, path, ns, &mut Trail::default())
    }

    /// The same, without what proc macros and build scripts may have brought in under that name.
    pub fn resolve_written(&self, from: ModId, path: &[Name], ns: Ns) -> Resolution {
        self.resolve_in(from, path, ns, &mut Trail { written: true, ..Trail::default() })
    }

    fn resolve_in(&self, from: ModId, path: &[Name], ns: Ns, trail: &mut Trail) -> Resolution {
        let (mut targets, mut at) = self.head(from, path, ns, trail);
        if targets.is_empty() {
            return Resolution { unresolved: Some(at), ..Resolution::default() };
        }
        while at < path.len() {
            let last = at + 1 == path.len();
            let seg_ns = if last { ns } else { Ns::Type };
            let mut next = Vec::new();
            let mut assoc = Vec::new();
            for target in &targets {
                self.step(target, path[at], seg_ns, &mut next, &mut assoc, trail);
            }
            if !assoc.is_empty() {
                // Next to `cfg` variants that are modules, those that are types win: both are kept.
                assoc.extend(next.iter().filter(|_| last).copied());
                return Resolution { targets: assoc, assoc_from: Some(at), unresolved: None };
            }
            if next.is_empty() {
                return Resolution { targets, assoc_from: None, unresolved: Some(at) };
            }
            dedup(&mut next);
            targets = next;
            at += 1;
        }
        Resolution { targets, assoc_from: None, unresolved: None }
    }

    /// The targets of the path's head, and the position after it.
    fn head(&self, from: ModId, path: &[Name], ns: Ns, trail: &mut Trail) -> (Vec<Target>, usize) {
        let root = ModId { krate: from.krate, module: 0 };
        let head_ns = if path.len() == 1 { ns } else { Ns::Type };
        match path[0] {
            known::CRATE | known::DOLLAR_CRATE => (vec![plain(Res::Mod(root))], 1),
            known::SELF => (vec![plain(Res::Mod(self.normal_module(from)))], 1),
            known::SUPER => {
                let mut module = self.normal_module(from);
                let mut at = 0;
                while path.get(at) == Some(&known::SUPER) {
                    let Some(parent) = self.parent(module) else { return (Vec::new(), at) };
                    module = self.normal_module(parent);
                    at += 1;
                }
                (vec![plain(Res::Mod(module))], at)
            }
            known::ROOT => {
                let Some(&name) = path.get(1) else { return (Vec::new(), 0) };
                let mut found = self.extern_crate(from.krate, name);
                if found.is_empty() || self.edition(from.krate) == Edition::E2015 {
                    found.extend(self.lookup(root, name, if path.len() == 2 { ns } else { Ns::Type }, trail).iter());
                }
                (found, 2)
            }
            name => (self.lexical(from, name, head_ns, trail), 1),
        }
    }

    fn step(
        &self,
        target: &Target,
        name: Name,
        ns: Ns,
        next: &mut Vec<Target>,
        assoc: &mut Vec<Target>,
        trail: &mut Trail,
    ) {
        let through = |it: &Target| Target { res: it.res, cfg: mix(target.cfg, it.cfg) };
        match target.res {
            Res::Mod(module) if name == known::SELF => next.push(plain(Res::Mod(module))),
            Res::Mod(module) => {
                let found = self.lookup(module, name, ns, trail);
                next.extend(found.iter().map(through));
                if found.is_empty() && !trail.written {
                    next.extend(self.generated_in(module, &mut Vec::new()));
                }
            }
            Res::External(path) => {
                next.push(Target { res: Res::External(Name::new(&format!("{path}::{name}"))), cfg: target.cfg });
            }
            Res::Def(id) => match self.def(id).map(|def| &def.data) {
                Some(DefData::Enum(variants)) if variants.contains(&name) => next.push(*target),
                _ => assoc.push(*target),
            },
        }
    }

    /// A name as code in `from` sees it.
    fn lexical(&self, from: ModId, name: Name, ns: Ns, trail: &mut Trail) -> Vec<Target> {
        let mut found = Vec::new();
        let mut module = from;
        loop {
            found.extend(self.lookup(module, name, ns, trail).iter());
            if self.is_settled(&found) {
                break;
            }
            match self.map(module.krate).map(|map| &map.modules[module.module as usize]) {
                Some(it) if it.block.is_some() && it.parent.is_some() => module.module = it.parent.unwrap_or(0),
                _ => break,
            }
        }
        if ns == Ns::Macro {
            self.textual(from, name, &mut found);
        }
        if !self.is_settled(&found) && ns == Ns::Type {
            found.extend(self.extern_crate(from.krate, name));
        }
        if !self.is_settled(&found) && ns == Ns::Macro {
            self.macro_use_crates(from.krate, name, trail, &mut found);
        }
        if !self.is_settled(&found) && prelude::has(name.as_str(), ns) {
            found.push(plain(Res::External(Name::new(&format!("std::prelude::{name}")))));
        }
        if found.is_empty() && !trail.written {
            found.extend(self.generated(from));
        }
        dedup(&mut found);
        found
    }

    /// At least one meaning holds without condition.
    fn is_settled(&self, found: &[Target]) -> bool {
        found.iter().any(|target| target.cfg == 0)
    }

    fn parent(&self, id: ModId) -> Option<ModId> {
        let parent = self.map(id.krate)?.modules[id.module as usize].parent?;
        Some(ModId { krate: id.krate, module: parent })
    }

    fn edition(&self, krate: CrateId) -> Edition {
        self.project.krate(krate).edition
    }

    /// A crate by the name that `krate` knows it under.
    fn extern_crate(&self, krate: CrateId, name: Name) -> Vec<Target> {
        if let Some(&dep) = self.deps[krate.0 as usize].get(&name) {
            return vec![plain(Res::Mod(ModId { krate: dep, module: 0 }))];
        }
        if prelude::SYSROOT.contains(&name.as_str()) {
            return vec![plain(Res::External(name))];
        }
        // `extern crate x as y;` in the root adds `y` for the whole crate.
        let Some(map) = self.map(krate) else { return Vec::new() };
        let entries = map.modules[0].names.get(&name).into_iter().flatten();
        let imports = entries.filter_map(|entry| match entry {
            Entry::Import(id) if matches!(map.import(*id).kind, ImportKind::ExternCrate { .. }) => Some(map.import(*id)),
            _ => None,
        });
        imports.flat_map(|import| self.crate_named(krate, import.path[0])).collect()
    }

    /// The crate that `extern crate name` means.
    fn crate_named(&self, krate: CrateId, name: Name) -> Option<Target> {
        if name == known::SELF {
            return Some(plain(Res::Mod(ModId { krate, module: 0 })));
        }
        if let Some(&dep) = self.deps[krate.0 as usize].get(&name) {
            return Some(plain(Res::Mod(ModId { krate: dep, module: 0 })));
        }
        prelude::SYSROOT.contains(&name.as_str()).then(|| plain(Res::External(name)))
    }

    /// What `name` is inside `module`, not looking outwards.
    fn lookup(&self, module: ModId, name: Name, ns: Ns, trail: &mut Trail) -> Arc<[Target]> {
        let key = (module, name, ns);
        if let Some(found) = lock(&self.names).get(&key) {
            return found.clone();
        }
        if trail.stack.contains(&key) {
            trail.cut = true;
            return self.own_items(module, name, ns).into();
        }
        trail.stack.push(key);
        let outer_cut = std::mem::replace(&mut trail.cut, false);
        let found: Arc<[Target]> = self.lookup_uncached(module, name, ns, trail).into();
        trail.stack.pop();
        if !trail.cut || trail.stack.is_empty() {
            lock(&self.names).insert(key, found.clone());
        }
        trail.cut |= outer_cut;
        found
    }

    fn lookup_uncached(&self, id: ModId, name: Name, ns: Ns, trail: &mut Trail) -> Vec<Target> {
        let Some(map) = self.map(id.krate) else { return Vec::new() };
        let module = &map.modules[id.module as usize];
        let mut found = self.own_items(id, name, ns);
        for entry in module.names.get(&name).into_iter().flatten() {
            if let Entry::Import(import) = entry {
                self.follow_import(map, *import, ns, trail, &mut found);
            }
        }
        if !self.is_settled(&found) {
            for &glob in &module.globs {
                self.follow_glob(map, glob, name, ns, trail, &mut found);
            }
        }
        if !self.is_settled(&found) {
            let sites = module.sites.iter().filter(|&&site| self.site_provides(site, name));
            found.extend(sites.map(|&site| plain(Res::Def(site))));
        }
        dedup(&mut found);
        found
    }

    /// What `module` itself declares under `name`.
    fn own_items(&self, id: ModId, name: Name, ns: Ns) -> Vec<Target> {
        let Some(map) = self.map(id.krate) else { return Vec::new() };
        let entries = map.modules[id.module as usize].names.get(&name).into_iter().flatten();
        let own = entries.filter_map(|entry| match *entry {
            Entry::Def(def) => {
                let it = map.def(def);
                let here = match &it.data {
                    DefData::ProcMacro(mac) if mac.exported != it.name && mac.exported == name => ns == Ns::Macro,
                    _ => namespaces(it, map.kind).contains(&ns),
                };
                here.then_some(Target { res: Res::Def(def), cfg: it.cfg })
            }
            Entry::Mod { module, cfg } => {
                (ns == Ns::Type).then_some(Target { res: Res::Mod(ModId { krate: id.krate, module }), cfg })
            }
            Entry::Import(_) => None,
        });
        own.collect()
    }

    fn follow_import(&self, map: &CrateMap, id: ImportId, ns: Ns, trail: &mut Trail, found: &mut Vec<Target>) {
        let import = map.import(id);
        let targets = match import.kind {
            ImportKind::ExternCrate { .. } if ns != Ns::Type => return,
            ImportKind::ExternCrate { .. } => self.crate_named(map.krate, import.path[0]).into_iter().collect(),
            ImportKind::TypeOnly(_) if ns != Ns::Type => return,
            _ => self.import_targets(map, id, ns, trail),
        };
        found.extend(targets.iter().map(|it| Target { res: it.res, cfg: mix(import.cfg, it.cfg) }));
    }

    fn import_targets(&self, map: &CrateMap, id: ImportId, ns: Ns, trail: &mut Trail) -> Vec<Target> {
        let import = map.import(id);
        let mut from = map.import_module(id);
        // Paths of `use` start at the crate root in 2015.
        if map.edition == Edition::E2015 && !matches!(import.path[0], known::SELF | known::SUPER | known::CRATE) {
            from = ModId { krate: map.krate, module: 0 };
        }
        let resolution = self.resolve_in(from, &import.path, ns, trail);
        match (resolution.unresolved, resolution.assoc_from) {
            (None, None) => resolution.targets,
            // Through a macro site, or generated code: the site is all that can be said.
            _ => resolution.targets.into_iter().filter(|target| self.is_site(target.res)).collect(),
        }
    }

    fn is_site(&self, res: Res) -> bool {
        matches!(res, Res::Def(id) if self.def(id).is_some_and(|def| def.kind == DefKind::MacroSite))
    }

    fn follow_glob(&self, map: &CrateMap, id: ImportId, name: Name, ns: Ns, trail: &mut Trail, found: &mut Vec<Target>) {
        let import = map.import(id);
        for target in self.import_targets(map, id, Ns::Type, trail) {
            let cfg = mix(import.cfg, target.cfg);
            match target.res {
                Res::Mod(module) => {
                    let inner = self.lookup(module, name, ns, trail);
                    found.extend(inner.iter().map(|it| Target { res: it.res, cfg: mix(cfg, it.cfg) }));
                }
                Res::Def(def) => {
                    let variant = matches!(self.def(def).map(|it| &it.data), Some(DefData::Enum(all)) if all.contains(&name));
                    if variant || (self.is_site(target.res) && self.site_provides(def, name)) {
                        found.push(Target { res: target.res, cfg });
                    }
                }
                // Any name may come out of there, but a name that is found elsewhere is not from there.
                Res::External(path) => {
                    found.push(Target { res: Res::External(Name::new(&format!("{path}::{name}"))), cfg: mix(cfg, GUESS) });
                }
            }
        }
    }

    /// `macro_rules!` by textual scope: declared in an enclosing module or block, or in a `#[macro_use]` module.
    /// Order in the file is not looked at: all of that name are candidates.
    fn textual(&self, from: ModId, name: Name, found: &mut Vec<Target>) {
        let Some(map) = self.map(from.krate) else { return };
        let mut module = Some(from.module);
        while let Some(number) = module {
            let it = &map.modules[number as usize];
            let own = it.macros.get(&name).into_iter().flatten();
            found.extend(own.map(|&def| Target { res: Res::Def(def), cfg: map.def(def).cfg }));
            for &child in &it.macro_use_children {
                self.textual_inside(map, child, name, found);
            }
            module = it.parent;
        }
        dedup(found);
    }

    fn textual_inside(&self, map: &CrateMap, module: u32, name: Name, found: &mut Vec<Target>) {
        let it = &map.modules[module as usize];
        let own = it.macros.get(&name).into_iter().flatten();
        found.extend(own.map(|&def| Target { res: Res::Def(def), cfg: map.def(def).cfg }));
        for &child in &it.macro_use_children {
            self.textual_inside(map, child, name, found);
        }
    }

    fn macro_use_crates(&self, krate: CrateId, name: Name, trail: &mut Trail, found: &mut Vec<Target>) {
        let Some(map) = self.map(krate) else { return };
        for &import in &map.modules[0].macro_use_crates {
            if let Some(Target { res: Res::Mod(root), .. }) = self.crate_named(krate, map.import(import).path[0]) {
                found.extend(self.lookup(root, name, Ns::Macro, trail).iter());
            }
        }
    }

    /// What around `from` may hold a name that is written nowhere.
    fn generated(&self, from: ModId) -> Vec<Target> {
        let mut out = self.generated_in(from, &mut Vec::new());
        let mut module = from;
        while let Some(it) = self.map(module.krate).map(|map| &map.modules[module.module as usize]) {
            let Some(parent) = it.parent.filter(|_| it.block.is_some()) else { break };
            module.module = parent;
            out.extend(self.generated_in(module, &mut Vec::new()));
        }
        out
    }

    /// Sites of `module`, and of what it globs, that hold generated code, and items there with a derive or attribute
    /// macro, which may add items of any name.
    fn generated_in(&self, module: ModId, visiting: &mut Vec<ModId>) -> Vec<Target> {
        let Some(map) = self.map(module.krate) else { return Vec::new() };
        if visiting.contains(&module) {
            return Vec::new();
        }
        visiting.push(module);
        let it = &map.modules[module.module as usize];
        let sites = it.sites.iter().filter(|&&site| self.provides(site).any);
        let mut out: Vec<Target> = sites.chain(&it.attributed).map(|&id| plain(Res::Def(id))).collect();
        for &glob in &it.globs {
            for target in self.import_targets(map, glob, Ns::Type, &mut Trail::default()) {
                if let Res::Mod(inner) = target.res {
                    out.extend(self.generated_in(inner, visiting));
                }
            }
        }
        out
    }

    fn site_provides(&self, site: DefId, name: Name) -> bool {
        self.provides(site).names.contains(&name)
    }

    /// What a site can bring into being, through the macros it expands to.
    pub fn provides(&self, site: DefId) -> Arc<Provides> {
        if let Some(known) = lock(&self.provided).get(&site) {
            return known.clone();
        }
        // Guards against a site whose macro is found through the site itself.
        lock(&self.provided).insert(site, Arc::default());
        let provides = Arc::new(self.provides_uncached(site));
        lock(&self.provided).insert(site, provides.clone());
        provides
    }

    fn provides_uncached(&self, site: DefId) -> Provides {
        let mut out = Provides::default();
        let Some(DefData::Site(facts)) = self.def(site).map(|def| &def.data) else { return out };
        let Some(module) = self.module_of(site) else { return out };
        out.any = self.is_generated_include(facts) || facts.tokens.glue;
        out.names.extend(&facts.tokens.defines);
        out.traits = facts.tokens.has_trait;
        out.aliases = out.any || facts.tokens.aliases;
        let mut from_args = false;
        let mut queue: Vec<(ModId, Name, Box<[Name]>)> = Vec::new();
        let start = std::iter::once(&facts.path).chain(&facts.calls);
        queue.extend(start.filter_map(|path| Some((module, *path.last()?, path.clone()))));
        let mut seen = FxHashSet::default();
        while let Some((from, _, path)) = queue.pop() {
            let resolution = self.resolve(from, &path, Ns::Macro);
            if resolution.targets.is_empty() {
                from_args |= path == facts.path;
                out.any |= path == facts.path;
                out.aliases |= path == facts.path;
            }
            for target in resolution.targets {
                match target.res {
                    Res::Def(def) if seen.insert(def) => self.provides_of_macro(def, module, &mut out, &mut from_args, &mut queue),
                    _ => {}
                }
            }
        }
        if from_args {
            out.names.extend(&facts.idents);
        }
        out
    }

    fn provides_of_macro(
        &self,
        def: DefId,
        call: ModId,
        out: &mut Provides,
        from_args: &mut bool,
        queue: &mut Vec<(ModId, Name, Box<[Name]>)>,
    ) {
        let Some(it) = self.def(def) else { return };
        match &it.data {
            DefData::Macro(mac) => {
                out.macros.push(def);
                out.names.extend(&mac.tokens.defines);
                out.any |= mac.tokens.glue;
                out.traits |= mac.tokens.has_trait;
                out.aliases |= mac.tokens.aliases;
                *from_args |= mac.tokens.defines_arg;
                let Some(home) = self.module_of(def) else { return };
                for path in &mac.calls {
                    let Some(&last) = path.last() else { continue };
                    queue.push((home, last, path.clone()));
                    queue.push((call, last, path.clone()));
                }
            }
            // A proc macro: its output is unknown, names in its arguments are likely.
            DefData::ProcMacro(_) => {
                *from_args = true;
                out.any = true;
                out.traits = true;
                out.aliases = true;
            }
            _ => {}
        }
    }

    fn is_generated_include(&self, facts: &SiteFacts) -> bool {
        facts.include.as_deref().is_some_and(|parts| {
            parts.iter().any(|part| part.as_str().starts_with('$') && part.as_str() != "$CARGO_MANIFEST_DIR")
        })
    }

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
        if let Some(known) = lock(&self.traits).get(&id) {
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
            for &glob in &module.globs {
                for target in self.import_targets(map, glob, Ns::Type, &mut Trail::default()) {
                    if let Res::Mod(inner) = target.res {
                        out.extend(self.traits_in(inner, visiting, cut).iter());
                    }
                }
            }
            out.extend(module.sites.iter().filter(|&&site| self.provides(site).traits));
        }
        visiting.pop();
        out.sort();
        out.dedup();
        let out: Arc<[DefId]> = out.into();
        // An answer cut short by a cycle is not kept.
        if !*cut || visiting.is_empty() {
            lock(&self.traits).insert(id, out.clone());
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

    /// Whether a site includes a file that a build script writes.
    pub fn is_generated(&self, site: DefId) -> bool {
        matches!(self.def(site).map(|def| &def.data), Some(DefData::Site(facts)) if self.is_generated_include(facts))
    }

    fn may_be_trait(&self, id: DefId) -> bool {
        match self.def(id).map(|def| def.kind) {
            Some(DefKind::Trait) => true,
            Some(DefKind::MacroSite) => self.provides(id).traits,
            _ => false,
        }
    }

    /// Whether a definition is only there for tests.
    pub fn is_test(&self, id: DefId) -> bool {
        let module = self.module_of(id).and_then(|module| Some((self.map(id.krate)?, module.module)));
        let in_test = module.is_some_and(|(map, module)| map.modules[module as usize].test);
        in_test || self.def(id).is_some_and(|def| def.flags.test)
    }

    /// All proc macros that `krate`'s direct dependencies export under `name`.
    pub fn proc_macros_named(&self, krate: CrateId, name: Name) -> Vec<DefId> {
        let deps = self.project.krate(krate).deps.iter().map(|dep| dep.krate);
        let macros = deps.filter(|&dep| self.project.krate(dep).kind == CrateKind::ProcMacro);
        macros
            .flat_map(|dep| {
                self.lookup(ModId { krate: dep, module: 0 }, name, Ns::Macro, &mut Trail::default()).to_vec()
            })
            .filter_map(|target| match target.res {
                Res::Def(def) => Some(def),
                _ => None,
            })
            .collect()
    }
}

/// Marks a target that is there only if an un-analyzed glob brings it.
const GUESS: u64 = 0x6775_6573;

fn plain(res: Res) -> Target {
    Target { res, cfg: 0 }
}

fn dedup(targets: &mut Vec<Target>) {
    let mut seen = FxHashSet::default();
    targets.retain(|target| seen.insert(*target));
    // A guess is no meaning next to a real one.
    if targets.iter().any(|target| !is_guess(target)) {
        targets.retain(|target| !is_guess(target));
    }
}

fn is_guess(target: &Target) -> bool {
    matches!(target.res, Res::External(_)) && target.cfg != 0
}

fn cone(project: &Project, krate: CrateId) -> FxHashSet<CrateId> {
    let mut out = FxHashSet::default();
    let mut queue = vec![krate];
    while let Some(next) = queue.pop() {
        if out.insert(next) {
            queue.extend(project.krate(next).deps.iter().map(|dep| dep.krate));
        }
    }
    out
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
