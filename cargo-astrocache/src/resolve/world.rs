//! Name look-up across crates, as rustc does it: three namespaces, renames, globs, re-exports, `extern crate`, textual
//! macro scope.
//!
//! Unlike rustc it answers with *all* candidates: `cfg` variants stand side by side, and a name that is only there
//! under a condition does not hide what else it could mean. A cycle of imports is answered with what the scopes on it
//! declare themselves.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard},
};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    crate_map::{CrateMap, Entry, ImportId, namespaces},
    ids::{DefId, ModId, Ns, Res, Target},
    loaded::Loaded,
    prelude,
};
use crate::{
    db::{Db, Workspace},
    project::{CrateId, CrateKind, Edition, Project},
    syntax::{DefData, DefKind, ImportKind, Name, StdPath, known},
};

/// The declarations of all crates, and what has been looked up in them. Crates of pinned packages are read when something
/// leads there.
#[derive(Clone)]
pub struct World<'d> {
    /// For what is not read yet; `None` if that is past.
    pub(super) source: Option<(&'d dyn Db, Workspace)>,
    pub project: Arc<Project>,
    pub(super) loaded: Arc<Loaded>,
}

/// What was looked up, for all handles of a [`World`].
#[derive(Default)]
pub(super) struct Found {
    names: Mutex<Answers>,
    declared: Mutex<Answers>,
    pub(super) traits: Mutex<FxHashMap<ModId, Arc<[DefId]>>>,
    std_paths: Mutex<FxHashMap<Name, StdPath>>,
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

/// What is looked up.
type Key = (ModId, Name, Ns);

/// Look-ups that were made.
type Answers = FxHashMap<(Key, Mode), Meanings>;

/// What a name stands for. Most scopes lack most names, and that takes no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Meanings(Option<Arc<[Target]>>);

impl From<Vec<Target>> for Meanings {
    fn from(targets: Vec<Target>) -> Meanings {
        Meanings((!targets.is_empty()).then(|| targets.into()))
    }
}

impl Deref for Meanings {
    type Target = [Target];

    fn deref(&self) -> &[Target] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// A look-up in progress.
///
/// Imports can go in circles. A key met again while it is being looked up is answered with what the round before found
/// (at first: what the scope declares itself), and rounds repeat until nothing changes: the least fixed point, as rustc
/// computes it.
#[derive(Default)]
pub(super) struct Trail {
    stack: Vec<Key>,
    /// A cycle was met in this round.
    cut: bool,
    /// Answers of this round and of the one before.
    round: FxHashMap<Key, Meanings>,
    before: FxHashMap<Key, Meanings>,
    pub(super) mode: Mode,
    /// Answers depend on globs that are still being resolved, so none is kept.
    draft: bool,
    /// Globs were asked that are not resolved to the end.
    pub(super) is_early: bool,
    /// Macro calls were passed over that another mode asks.
    pub(super) is_narrow: bool,
}

/// What counts as a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Mode {
    /// Everything.
    #[default]
    Full,
    /// Not what proc macros and build scripts may add under any name.
    Written,
    /// Nothing that a macro call provides: for finding out what it provides.
    Declared,
}

impl Trail {
    pub(super) fn of(mode: Mode) -> Trail {
        Trail {
            mode,
            ..Trail::default()
        }
    }

    /// Of which no answer is kept.
    pub(super) fn draft(mode: Mode) -> Trail {
        Trail {
            draft: true,
            ..Trail::of(mode)
        }
    }
}

impl<'d> World<'d> {
    /// The module a definition is declared in.
    pub fn module_of(&self, id: DefId) -> Option<ModId> {
        let map = self.map(id.krate)?;
        Some(map.module_of(id.unit, map.def(id).scope))
    }

    /// The file, or one of those, that a module is in.
    pub fn unit_of(&self, id: ModId) -> Option<u32> {
        let units = self.map(id.krate)?.units.iter();
        let (_, number) = units.zip(0..).find(|(unit, _)| unit.modules.contains(&id.module))?;
        Some(number)
    }

    /// What an attribute macro makes of the module that a definition is declared in, or of one around that.
    pub fn rewritten(&self, id: DefId) -> Option<DefId> {
        let module = self.module_of(id)?;
        self.map(id.krate)?.modules[module.module as usize].rewritten
    }

    /// The `cfg`s of a module and those around it, mixed; 0 where there are none.
    pub fn condition(&self, id: ModId) -> u64 {
        self.map(id.krate).map_or(0, |map| map.modules[id.module as usize].cfg)
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
        self.resolve_in(from, path, ns, &mut Trail::of(Mode::Written))
    }

    /// Whether a path, in whatever namespace a token may mean it, needs no proc macro or build script to be found.
    pub fn is_written(&self, from: ModId, path: &[Name]) -> bool {
        let mut spaces = [Ns::Value, Ns::Type].into_iter();
        spaces.any(|ns| self.resolve_written(from, path, ns).unresolved.is_none())
    }

    /// Whether a path leads to something that is written, not provided by a macro call.
    pub fn is_declared(&self, from: ModId, path: &[Name], ns: Ns) -> bool {
        let found = self.resolve_in(from, path, ns, &mut Trail::of(Mode::Declared));
        found.unresolved.is_none() && !found.targets.iter().all(is_guess)
    }

    pub(super) fn resolve_in(&self, from: ModId, path: &[Name], ns: Ns, trail: &mut Trail) -> Resolution {
        let (mut targets, mut at) = self.head(from, path, ns, trail);
        if targets.is_empty() {
            return Resolution {
                unresolved: Some(at),
                ..Resolution::default()
            };
        }
        let mut beside = Vec::new();
        while at < path.len() {
            let last = at + 1 == path.len();
            let seg_ns = if last { ns } else { Ns::Type };
            let mut next = Vec::new();
            let mut assoc = Vec::new();
            for target in &targets {
                self.step(target, path[at], seg_ns, &mut next, &mut assoc, trail);
            }
            // A site beside something written: both may be meant, and of the site no more is known.
            let only_sites = assoc.iter().all(|target| self.is_site(target.res));
            if !next.is_empty() && only_sites {
                beside.append(&mut assoc);
            }
            if !assoc.is_empty() {
                // Next to `cfg` variants that are modules, those that are types win: both are kept.
                assoc.extend(next.iter().filter(|_| last).copied());
                assoc.append(&mut beside);
                return Resolution {
                    targets: assoc,
                    assoc_from: Some(at),
                    unresolved: None,
                };
            }
            if next.is_empty() {
                return Resolution {
                    targets,
                    assoc_from: None,
                    unresolved: Some(at),
                };
            }
            dedup(&mut next);
            targets = next;
            at += 1;
        }
        targets.append(&mut beside);
        Resolution {
            targets,
            assoc_from: None,
            unresolved: None,
        }
    }

    /// The targets of the path's head, and the position after it.
    fn head(&self, from: ModId, path: &[Name], ns: Ns, trail: &mut Trail) -> (Vec<Target>, usize) {
        let root = ModId {
            krate: from.krate,
            module: 0,
        };
        let head_ns = if path.len() == 1 { ns } else { Ns::Type };
        match path[0] {
            known::CRATE | known::DOLLAR_CRATE => (vec![plain(Res::Mod(root))], 1),
            known::SELF => (vec![plain(Res::Mod(self.normal_module(from)))], 1),
            known::SUPER => {
                let mut module = self.normal_module(from);
                let mut at = 0;
                while path.get(at) == Some(&known::SUPER) {
                    let Some(parent) = self.parent(module) else {
                        return (Vec::new(), at);
                    };
                    module = self.normal_module(parent);
                    at += 1;
                }
                (vec![plain(Res::Mod(module))], at)
            }
            known::ROOT => {
                let Some(&name) = path.get(1) else {
                    return (Vec::new(), 0);
                };
                let mut found = self.extern_crate(from.krate, name);
                if found.is_empty() || self.edition(from.krate) == Edition::E2015 {
                    found.extend(
                        self.lookup(root, name, if path.len() == 2 { ns } else { Ns::Type }, trail)
                            .iter(),
                    );
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
        let through = |it: &Target| Target {
            res: it.res,
            cfg: target.cfg | it.cfg,
        };
        match target.res {
            Res::Mod(module) if name == known::SELF => next.push(plain(Res::Mod(module))),
            Res::Mod(module) => {
                let found = self.lookup(module, name, ns, trail);
                next.extend(found.iter().map(through));
                if found.is_empty() && trail.mode == Mode::Full {
                    next.extend(self.generated_in(module, &mut Vec::new()));
                }
            }
            Res::External(_) if is_guess(target) => next.push(*target),
            Res::External(path) => {
                next.push(Target {
                    res: Res::External(Name::new(&format!("{path}::{name}"))),
                    cfg: target.cfg,
                });
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
        if found.is_empty() && trail.mode == Mode::Full {
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
        Some(ModId {
            krate: id.krate,
            module: parent,
        })
    }

    fn edition(&self, krate: CrateId) -> Edition {
        self.project.krate(krate).edition
    }

    /// A crate by the name that `krate` knows it under.
    fn extern_crate(&self, krate: CrateId, name: Name) -> Vec<Target> {
        if let Some(&dep) = self.loaded.deps[krate.0 as usize].get(&name) {
            return vec![plain(Res::Mod(ModId { krate: dep, module: 0 }))];
        }
        if prelude::SYSROOT.contains(&name.as_str()) {
            return vec![plain(Res::External(name))];
        }
        // `extern crate x as y;` in the root adds `y` for the whole crate.
        let Some(map) = self.map(krate) else {
            return Vec::new();
        };
        let entries = map.modules[0].names.get(&name).into_iter().flatten();
        let imports = entries.filter_map(|entry| match entry {
            Entry::Import(id) if matches!(map.import(*id).kind, ImportKind::ExternCrate { .. }) => {
                Some(map.import(*id))
            }
            _ => None,
        });
        let mut found: Vec<Target> = imports
            .flat_map(|import| self.crate_named(krate, import.path[0]))
            .collect();
        if found.is_empty() && self.is_absent_crate(krate, name) {
            found.push(plain(Res::External(Name::new(prelude::ABSENT))));
        }
        found
    }

    /// The crate that `extern crate name` means.
    fn crate_named(&self, krate: CrateId, name: Name) -> Option<Target> {
        if name == known::SELF {
            return Some(plain(Res::Mod(ModId { krate, module: 0 })));
        }
        if let Some(&dep) = self.loaded.deps[krate.0 as usize].get(&name) {
            return Some(plain(Res::Mod(ModId { krate: dep, module: 0 })));
        }
        if self.is_absent_crate(krate, name) {
            return Some(plain(Res::External(Name::new(prelude::ABSENT))));
        }
        prelude::SYSROOT
            .contains(&name.as_str())
            .then(|| plain(Res::External(name)))
    }

    fn is_absent_crate(&self, krate: CrateId, name: Name) -> bool {
        self.project.krate(krate).absent.iter().any(|it| it == name.as_str())
    }

    /// What `name` is inside `module`, not looking outwards.
    fn lookup(&self, module: ModId, name: Name, ns: Ns, trail: &mut Trail) -> Meanings {
        if !self.may_have(module, name) {
            return Meanings::default();
        }
        let key = ((module, name, ns), trail.mode);
        if let Some(found) = lock(&self.loaded.found.names).get(&key).filter(|_| !trail.draft) {
            return found.clone();
        }
        let found = Meanings::from(self.lookup_uncached(module, name, ns, trail));
        // Inside a circle of imports the answer may be incomplete.
        if trail.stack.is_empty() && !trail.draft {
            lock(&self.loaded.found.names).insert(key, found.clone());
        }
        found
    }

    /// Whether a module declares a name, or may have it from elsewhere.
    fn may_have(&self, id: ModId, name: Name) -> bool {
        let module = self.map(id.krate).map(|map| &map.modules[id.module as usize]);
        module.is_some_and(|it| it.names.contains_key(&name) || !it.globs.is_empty() || !it.sites.is_empty())
    }

    /// The module's own declarations; else, breadth first, those of what it globs.
    fn lookup_uncached(&self, id: ModId, name: Name, ns: Ns, trail: &mut Trail) -> Vec<Target> {
        let mut found = self.explicit(id, name, ns, trail).to_vec();
        if self.is_settled(&found) {
            return found;
        }
        let mut seen: FxHashSet<ModId> = FxHashSet::default();
        let mut queue = vec![(id, 0)];
        seen.insert(id);
        let mut at = 0;
        while let Some(&(module, condition)) = queue.get(at) {
            at += 1;
            if at > 1 {
                let inner = self.explicit(module, name, ns, trail);
                found.extend(inner.iter().map(|it| Target {
                    res: it.res,
                    cfg: it.cfg | condition,
                }));
                if self.is_settled(&inner) {
                    continue;
                }
            }
            let globs = self.globs(module);
            trail.is_early |= !self.is_connected(module.krate);
            for target in globs.iter() {
                let cfg = target.cfg | condition;
                match target.res {
                    Res::Mod(inner) => {
                        if seen.insert(inner) {
                            queue.push((inner, cfg));
                        }
                    }
                    Res::Def(def) => self.glob_into(def, name, cfg, trail, &mut found),
                    // Any name may come out of there, but a name that is found elsewhere is not from there.
                    Res::External(path) => {
                        found.push(Target {
                            res: Res::External(Name::new(&format!("{path}::{name}"))),
                            cfg: cfg | GUESS,
                        });
                    }
                }
            }
        }
        dedup(&mut found);
        let guessed = found.iter().all(is_guess);
        if guessed || !self.is_settled(&found) {
            if trail.mode == Mode::Declared {
                trail.is_narrow |= queue.iter().any(|it| self.sites_of(it.0).next().is_some());
                return found;
            }
            for (module, condition) in queue {
                let sites = self.sites_of(module).filter(|&site| self.site_provides(site, name));
                found.extend(sites.map(|site| Target {
                    res: Res::Def(site),
                    cfg: condition | PROVIDED,
                }));
            }
            dedup(&mut found);
        }
        found
    }

    /// An enum's variants, or what a macro site that stands for a module may hold.
    fn glob_into(&self, def: DefId, name: Name, cfg: u64, trail: &mut Trail, found: &mut Vec<Target>) {
        let provides = match self.def(def).map(|it| &it.data) {
            Some(DefData::Enum(variants)) => variants.contains(&name),
            Some(DefData::Site(_)) if trail.mode == Mode::Declared => {
                trail.is_narrow = true;
                false
            }
            Some(DefData::Site(_)) => self.site_provides(def, name),
            _ => false,
        };
        if provides {
            found.push(Target {
                res: Res::Def(def),
                cfg,
            });
        }
    }

    fn sites_of(&self, id: ModId) -> impl Iterator<Item = DefId> + '_ {
        let sites = self
            .map(id.krate)
            .map_or(&[][..], |map| &map.modules[id.module as usize].sites);
        sites.iter().copied()
    }

    /// What the module declares itself, imports by name followed.
    fn explicit(&self, module: ModId, name: Name, ns: Ns, trail: &mut Trail) -> Meanings {
        let Some(map) = self.map(module.krate) else {
            return Meanings::default();
        };
        let Some(entries) = map.modules[module.module as usize].names.get(&name) else {
            return Meanings::default();
        };
        if !entries.iter().any(|entry| matches!(entry, Entry::Import(_))) {
            return self.own_items(module, name, ns).into();
        }
        let key = (module, name, ns);
        if let Some(found) = lock(&self.loaded.found.declared)
            .get(&(key, trail.mode))
            .filter(|_| !trail.draft)
        {
            return found.clone();
        }
        if let Some(found) = trail.round.get(&key) {
            return found.clone();
        }
        if trail.stack.contains(&key) {
            trail.cut = true;
            let before = trail.before.get(&key).cloned();
            return before.unwrap_or_else(|| self.own_items(module, name, ns).into());
        }
        if trail.stack.is_empty() {
            return self.explicit_to_the_end(key, trail);
        }
        self.explicit_once(key, trail)
    }

    fn explicit_once(&self, key: Key, trail: &mut Trail) -> Meanings {
        let (module, name, ns) = key;
        trail.stack.push(key);
        let mut found = self.own_items(module, name, ns);
        if let Some(map) = self.map(module.krate) {
            for entry in map.modules[module.module as usize]
                .names
                .get(&name)
                .into_iter()
                .flatten()
            {
                if let Entry::Import(import) = entry {
                    self.follow_import(map, *import, ns, trail, &mut found);
                }
            }
        }
        dedup(&mut found);
        let found = Meanings::from(found);
        trail.stack.pop();
        trail.round.insert(key, found.clone());
        found
    }

    /// Rounds until nothing changes; then every answer on the way is final.
    fn explicit_to_the_end(&self, key: Key, trail: &mut Trail) -> Meanings {
        trail.before.clear();
        for _ in 0..64 {
            trail.cut = false;
            let found = self.explicit_once(key, trail);
            let round = std::mem::take(&mut trail.round);
            let settled = !trail.cut || round == trail.before;
            if settled {
                if !trail.draft {
                    let mode = trail.mode;
                    lock(&self.loaded.found.declared)
                        .extend(round.into_iter().map(|(key, found)| ((key, mode), found)));
                }
                return found;
            }
            trail.before = round;
        }
        trail.before.get(&key).cloned().unwrap_or_default()
    }

    /// What `module` itself declares under `name`.
    fn own_items(&self, id: ModId, name: Name, ns: Ns) -> Vec<Target> {
        let Some(map) = self.map(id.krate) else {
            return Vec::new();
        };
        let entries = map.modules[id.module as usize].names.get(&name).into_iter().flatten();
        let own = entries.filter_map(|entry| match *entry {
            Entry::Def(def) => {
                let it = map.def(def);
                let here = match &it.data {
                    DefData::ProcMacro(mac) if mac.exported != it.name && mac.exported == name => ns == Ns::Macro,
                    _ => namespaces(it, map.kind).contains(&ns),
                };
                here.then_some(Target {
                    res: Res::Def(def),
                    cfg: conditions(it.cfg),
                })
            }
            Entry::Mod { module, cfg } => (ns == Ns::Type).then_some(Target {
                res: Res::Mod(ModId {
                    krate: id.krate,
                    module,
                }),
                cfg: conditions(cfg),
            }),
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
        found.extend(targets.iter().map(|it| Target {
            res: it.res,
            cfg: conditions(import.cfg) | it.cfg,
        }));
    }

    pub(super) fn import_targets(&self, map: &CrateMap, id: ImportId, ns: Ns, trail: &mut Trail) -> Vec<Target> {
        let import = map.import(id);
        let mut from = map.import_module(id);
        // Paths of `use` start at the crate root in 2015.
        if map.edition == Edition::E2015 && !matches!(import.path[0], known::SELF | known::SUPER | known::CRATE) {
            from = ModId {
                krate: map.krate,
                module: 0,
            };
        }
        let resolution = self.resolve_in(from, &import.path, ns, trail);
        match (resolution.unresolved, resolution.assoc_from) {
            (None, None) => resolution.targets,
            // Through a macro site, or generated code: the site is all that can be said.
            _ => resolution
                .targets
                .into_iter()
                .filter(|target| self.is_site(target.res))
                .collect(),
        }
    }

    pub fn is_site(&self, res: Res) -> bool {
        matches!(res, Res::Def(id) if self.def(id).is_some_and(|def| def.kind == DefKind::MacroSite))
    }

    /// `macro_rules!` by textual scope: declared in an enclosing module or block, or in a `#[macro_use]` module.
    /// Order in the file is not looked at: all of that name are candidates.
    fn textual(&self, from: ModId, name: Name, found: &mut Vec<Target>) {
        let Some(map) = self.map(from.krate) else {
            return;
        };
        let mut module = Some(from.module);
        while let Some(number) = module {
            self.textual_inside(map, number, name, found);
            module = map.modules[number as usize].parent;
        }
        dedup(found);
    }

    fn textual_inside(&self, map: &CrateMap, module: u32, name: Name, found: &mut Vec<Target>) {
        let it = &map.modules[module as usize];
        let own = it.macros.get(&name).into_iter().flatten();
        found.extend(own.map(|&def| textual_target(map, def)));
        for &child in &it.macro_use_children {
            self.textual_inside(map, child, name, found);
        }
    }

    fn macro_use_crates(&self, krate: CrateId, name: Name, trail: &mut Trail, found: &mut Vec<Target>) {
        let Some(map) = self.map(krate) else { return };
        for &import in &map.modules[0].macro_use_crates {
            if let Some(Target {
                res: Res::Mod(root), ..
            }) = self.crate_named(krate, map.import(import).path[0])
            {
                found.extend(self.lookup(root, name, Ns::Macro, trail).iter());
            }
        }
    }

    /// What is known of a name of std.
    pub(super) fn std_path(&self, path: Name) -> StdPath {
        let mut known = lock(&self.loaded.found.std_paths);
        *known.entry(path).or_insert_with(|| StdPath::of(path.as_str()))
    }

    /// Whether a definition is only there for tests.
    pub fn is_test(&self, id: DefId) -> bool {
        self.map(id.krate).is_some_and(|map| map.is_test(id))
    }

    /// All proc macros that `krate`'s direct dependencies export under `name`.
    pub fn proc_macros_named(&self, krate: CrateId, name: Name) -> Vec<DefId> {
        let it = self.project.krate(krate);
        let deps = it.deps.iter().chain(&it.test_deps).map(|dep| dep.krate);
        let macros = deps.filter(|&dep| self.project.krate(dep).kind == CrateKind::ProcMacro);
        macros
            .flat_map(|dep| {
                self.lookup(ModId { krate: dep, module: 0 }, name, Ns::Macro, &mut Trail::default())
                    .to_vec()
            })
            .filter_map(|target| match target.res {
                Res::Def(def) => Some(def),
                _ => None,
            })
            .collect()
    }
}

/// A macro, under its own conditions and those of the modules around it.
fn textual_target(map: &CrateMap, def: DefId) -> Target {
    let it = map.def(def);
    let around = map.modules[map.module_of(def.unit, it.scope).module as usize].cfg;
    Target {
        res: Res::Def(def),
        cfg: conditions(it.cfg) | conditions(around),
    }
}

/// Marks a target that is there only if an un-analyzed glob brings it.
const GUESS: u64 = 1 << 63;

/// Marks a macro site that may provide the name: it hides nothing that is written.
const PROVIDED: u64 = 1 << 62;

/// The conditions of one import or definition, as a set that can be joined: a few bits of their hash. Joining twice adds
/// nothing, so globs in a circle come to an end.
pub(super) fn conditions(cfg: u64) -> u64 {
    (0..8)
        .filter(|_| cfg != 0)
        .fold(0, |bits, at| bits | 1 << ((cfg >> (at * 8)) % 62))
}

pub(super) fn plain(res: Res) -> Target {
    Target { res, cfg: 0 }
}

/// One target a meaning: without condition if one of its ways is, else under all of them.
pub(super) fn dedup(targets: &mut Vec<Target>) {
    if targets.len() < 2 {
        return;
    }
    let mut at: FxHashMap<Res, usize> = FxHashMap::default();
    let mut out: Vec<Target> = Vec::with_capacity(targets.len());
    for target in targets.drain(..) {
        match at.get(&target.res) {
            Some(&known) if out[known].cfg == 0 || target.cfg == 0 => out[known].cfg = 0,
            Some(&known) => out[known].cfg |= target.cfg,
            None => {
                at.insert(target.res, out.len());
                out.push(target);
            }
        }
    }
    // A guess is no meaning next to a real one.
    if out.iter().any(|target| !is_guess(target)) {
        out.retain(|target| !is_guess(target));
    }
    *targets = out;
}

pub(super) fn is_guess(target: &Target) -> bool {
    matches!(target.res, Res::External(_)) && target.cfg & GUESS != 0
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
