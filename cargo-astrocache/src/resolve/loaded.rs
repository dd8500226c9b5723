//! What was read of the crates in play, and what each crate's globs lead to.
//!
//! Crates that the user can edit are read at once. A pinned package stays as it is while a database lives, so its crates
//! are read when a path first leads there: most of a large graph is of no concern to a closure. Who asks first
//! makes no difference to any answer.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock},
};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    crate_map::{CrateMap, declarations},
    identity::Identities,
    ids::{DefId, ModId, Ns, Res, Target},
    index::Index,
    names::Names,
    provides::Provides,
    world::{Found, Mode, Trail, World, conditions, dedup, lock},
};
use crate::{
    db::{Db, Workspace},
    project::{CrateId, CrateKind, PackageSource, Project},
    syntax::{Def, Name},
};

/// See the module.
pub struct Loaded {
    in_play: Vec<bool>,
    maps: Vec<OnceLock<Arc<CrateMap>>>,
    indexes: Vec<OnceLock<Arc<Index>>>,
    names: Vec<OnceLock<Names>>,
    identities: Vec<OnceLock<Identities>>,
    pub(super) deps: Vec<FxHashMap<Name, CrateId>>,
    /// Each crate's transitive dependencies and itself.
    cones: Vec<FxHashSet<CrateId>>,
    /// What more the unit tests of some crates are linked with.
    test_cones: FxHashMap<CrateId, FxHashSet<CrateId>>,
    /// Both, in order.
    seen: Vec<OnceLock<Box<[CrateId]>>>,
    globs: Vec<OnceLock<Globs>>,
    pub(super) linked: OnceLock<FxHashMap<Name, Vec<DefId>>>,
    pub(super) unnamed: OnceLock<Vec<DefId>>,
    /// Held by the thread that resolves globs of pinned crates.
    connecting: Mutex<()>,
    provided: Vec<Mutex<FxHashMap<DefId, Arc<Provides>>>>,
    pub(super) found: Found,
}

/// From this round on an answer about globs only grows. Some would swing for ever: `use arrayvec::*` brings the private module
/// `arrayvec::arrayvec`, and visibility is not looked at, so the next round takes the path to begin there.
const SETTLING: usize = 8;

/// What the globs of each module lead to.
type Globs = FxHashMap<u32, Arc<[Target]>>;

thread_local! {
    /// Globs that this thread is resolving, as far as it got; the innermost last.
    static DRAFTS: RefCell<Vec<(CrateId, Globs)>> = const { RefCell::new(Vec::new()) };
}

/// Everything declared in `workspace`.
#[salsa::tracked(returns(clone), no_eq)]
fn loaded(db: &dyn Db, workspace: Workspace) -> Arc<Loaded> {
    let project = workspace.project(db).clone();
    let loaded = Arc::new(Loaded::new(&project, workspace.crates(db)));
    let world = World {
        source: Some((db, workspace)),
        loaded: loaded.clone(),
        project,
    };
    world.connect_editable();
    loaded
}

/// All crates' declarations, and the look-ups made in them.
pub fn resolver(db: &dyn Db, workspace: Workspace) -> World<'_> {
    World {
        source: Some((db, workspace)),
        project: workspace.project(db).clone(),
        loaded: loaded(db, workspace),
    }
}

impl Loaded {
    fn new(project: &Project, crates: &[CrateId]) -> Loaded {
        let deps = project.crates.iter().map(|krate| {
            let all = krate.test_deps.iter().chain(&krate.deps);
            all.map(|dep| (Name::new(&dep.name), dep.krate)).collect()
        });
        let cones = project.crate_ids().map(|krate| project.cone([krate]));
        let test_deps = |krate| project.krate(krate).test_deps.iter().map(|dep| dep.krate);
        let tested = project.crate_ids().filter(|&krate| test_deps(krate).next().is_some());
        let test_cones = tested.map(|krate| (krate, project.cone(test_deps(krate))));
        let mut in_play = vec![false; project.crates.len()];
        for &krate in crates {
            in_play[krate.0 as usize] = true;
        }
        Loaded {
            maps: in_play.iter().map(|_| OnceLock::new()).collect(),
            indexes: in_play.iter().map(|_| OnceLock::new()).collect(),
            names: in_play.iter().map(|_| OnceLock::new()).collect(),
            identities: in_play.iter().map(|_| OnceLock::new()).collect(),
            seen: in_play.iter().map(|_| OnceLock::new()).collect(),
            globs: in_play.iter().map(|_| OnceLock::new()).collect(),
            provided: in_play.iter().map(|_| Mutex::default()).collect(),
            in_play,
            deps: deps.collect(),
            cones: cones.collect(),
            test_cones: test_cones.collect(),
            connecting: Mutex::default(),
            linked: OnceLock::new(),
            unnamed: OnceLock::new(),
            found: Found::default(),
        }
    }

    /// What sites of `krate` were found to provide.
    pub(super) fn provided(&self, krate: CrateId) -> &Mutex<FxHashMap<DefId, Arc<Provides>>> {
        &self.provided[krate.0 as usize]
    }
}

impl<'d> World<'d> {
    /// The same without a database: it knows what was read so far, of files as they were then.
    pub fn past(&self) -> World<'static> {
        World {
            source: None,
            project: self.project.clone(),
            loaded: self.loaded.clone(),
        }
    }

    /// Whether definitions have the numbers they have in `other`.
    pub fn is(&self, other: &World<'_>) -> bool {
        Arc::ptr_eq(&self.loaded, &other.loaded)
    }

    /// The crates in play, in order.
    pub fn crates(&self) -> impl Iterator<Item = CrateId> + '_ {
        self.project
            .crate_ids()
            .filter(|krate| self.loaded.in_play[krate.0 as usize])
    }

    /// What `krate` declares; `None` if it is not in play.
    pub fn map(&self, krate: CrateId) -> Option<&Arc<CrateMap>> {
        let at = krate.0 as usize;
        let cell = self.loaded.maps.get(at)?;
        if let Some(map) = cell.get() {
            return Some(map);
        }
        let (db, workspace) = self.source.filter(|_| self.loaded.in_play[at])?;
        Some(cell.get_or_init(|| declarations(db, workspace, krate)))
    }

    /// The crates that were read.
    pub fn read(&self) -> impl Iterator<Item = &Arc<CrateMap>> {
        self.loaded.maps.iter().filter_map(|it| it.get())
    }

    /// The impls, traits and names of `krate`; `None` if it is not in play.
    pub fn index(&self, krate: CrateId) -> Option<&Arc<Index>> {
        let cell = self.loaded.indexes.get(krate.0 as usize)?;
        if let Some(index) = cell.get() {
            return Some(index);
        }
        let map = self.map(krate)?;
        Some(cell.get_or_init(|| Arc::new(Index::new(self, map))))
    }

    /// What `krate` declares by name alone; `None` if it is not in play.
    pub fn names(&self, krate: CrateId) -> Option<&Names> {
        let cell = self.loaded.names.get(krate.0 as usize)?;
        if let Some(names) = cell.get() {
            return Some(names);
        }
        let map = self.map(krate)?;
        Some(cell.get_or_init(|| Names::new(map)))
    }

    /// Where the identities of what `krate` declares are kept; `None` if it is not in play.
    pub(super) fn identities(&self, krate: CrateId) -> Option<&Identities> {
        let cell = self.loaded.identities.get(krate.0 as usize)?;
        if let Some(identities) = cell.get() {
            return Some(identities);
        }
        let map = self.map(krate)?;
        Some(cell.get_or_init(|| Identities::new(map)))
    }

    pub fn def(&self, id: DefId) -> Option<&Def> {
        Some(self.map(id.krate)?.def(id))
    }

    /// Whether code of `from` can name things of `to`, its unit tests included.
    pub fn sees(&self, from: CrateId, to: CrateId) -> bool {
        let test_cones = &self.loaded.test_cones;
        self.needs(from, to) || test_cones.get(&from).is_some_and(|all| all.contains(&to))
    }

    /// Whether no build has `from` without `to`.
    pub fn needs(&self, from: CrateId, to: CrateId) -> bool {
        self.loaded.cones[from.0 as usize].contains(&to)
    }

    /// The crates in play that `krate` can name things of, itself included, in order.
    pub fn seen_by(&self, krate: CrateId) -> &[CrateId] {
        self.loaded.seen[krate.0 as usize].get_or_init(|| {
            let tested = self.loaded.test_cones.get(&krate).into_iter().flatten();
            let all = self.loaded.cones[krate.0 as usize].iter().chain(tested);
            let mut all: Vec<CrateId> = all.copied().filter(|it| self.loaded.in_play[it.0 as usize]).collect();
            all.sort_unstable();
            all.dedup();
            all.into()
        })
    }

    /// Whether a crate is one of those that proc macros are written with, as published. They are to proc macros what std is to
    /// everything: they call the impls of their traits, and speak of Rust's grammar, not of names of users.
    pub fn is_grammar(&self, krate: CrateId) -> bool {
        let package = self.project.package_of(krate);
        let locked = matches!(package.source, PackageSource::Locked { .. });
        locked && matches!(package.name.as_str(), "syn" | "quote" | "proc-macro2" | "unicode-ident")
    }

    /// Whether a crate is that of `#[cached]` and `func!`.
    pub fn is_ours(&self, krate: CrateId) -> bool {
        self.project.package_of(krate).name == "astrocache-macros"
    }

    /// Whether one of these is our macro of that name.
    pub fn is_our_macro(&self, targets: &[Target], name: &str) -> bool {
        targets.iter().any(|target| match target.res {
            Res::Def(id) => self.is_ours(id.krate) && self.def(id).is_some_and(|def| def.name.as_str() == name),
            _ => false,
        })
    }

    /// The crates that are linked with `krate`, or with its unit tests: its dependencies without those that only proc
    /// macros use, which run in the compiler. A proc macro without what [`World::is_grammar`].
    pub fn linked_with(&self, krate: CrateId, tests: bool) -> FxHashSet<CrateId> {
        let mut out = FxHashSet::default();
        let mut queue = vec![krate];
        if tests {
            queue.extend(self.project.krate(krate).test_deps.iter().map(|dep| dep.krate));
            queue.retain(|&it| self.project.krate(it).kind != CrateKind::ProcMacro || it == krate);
        }
        while let Some(next) = queue.pop() {
            if out.insert(next) {
                let deps = self.project.krate(next).deps.iter().map(|dep| dep.krate);
                queue.extend(deps.filter(|&dep| self.project.krate(dep).kind != CrateKind::ProcMacro));
            }
        }
        if self.project.krate(krate).kind == CrateKind::ProcMacro {
            out.retain(|&it| !self.is_grammar(it));
        }
        out
    }

    fn is_editable(&self, krate: CrateId) -> bool {
        is_editable(&self.project, krate)
    }

    /// What the globs of a module lead to.
    pub(super) fn globs(&self, id: ModId) -> Cow<'_, [Target]> {
        let Some(cell) = self.loaded.globs.get(id.krate.0 as usize) else {
            return Cow::Borrowed(&[]);
        };
        if cell.get().is_none() {
            let (draft, is_drafting) = DRAFTS.with_borrow(|all| {
                let own = all.iter().find(|(krate, _)| *krate == id.krate);
                let draft = own.map(|(_, globs)| globs.get(&id.module).map_or(Vec::new(), |it| it.to_vec()));
                (draft, !all.is_empty())
            });
            if let Some(draft) = draft {
                return Cow::Owned(draft);
            }
            // Those that can be edited come in the order of their dependencies: only unit tests look the other way.
            if self.is_editable(id.krate) {
                return Cow::Borrowed(&[]);
            }
            let _alone = (!is_drafting).then(|| lock(&self.loaded.connecting));
            if cell.get().is_none() {
                self.connect(id.krate);
            }
        }
        let found = cell.get().and_then(|all| all.get(&id.module));
        Cow::Borrowed(found.map_or(&[][..], |targets| targets))
    }

    /// Resolves the globs of all crates that the user can edit, dependencies first.
    fn connect_editable(&self) {
        let mut all: Vec<CrateId> = self.crates().filter(|&krate| self.is_editable(krate)).collect();
        all.sort_by_key(|krate| (self.loaded.cones[krate.0 as usize].len(), *krate));
        for krate in all {
            self.connect(krate);
        }
    }

    /// Resolves every glob of a crate. A glob's own path may lead through other globs of it, so rounds repeat until
    /// nothing changes. Most paths lead through none: a round does those again whose answer may differ.
    fn connect(&self, krate: CrateId) {
        let Some(map) = self.map(krate) else { return };
        let with_globs = (0..map.modules.len() as u32).filter(|&at| !map.modules[at as usize].globs.is_empty());
        let mut due: BTreeSet<u32> = with_globs.collect();
        DRAFTS.with_borrow_mut(|all| all.push((krate, Globs::default())));
        let (mut early, mut narrow) = (BTreeSet::new(), BTreeSet::new());
        // Sites come last: what they provide is found by names that must already resolve.
        let mut mode = Mode::Declared;
        for round in 0..64 {
            let mut changed = false;
            for &module in &due {
                let mut found = self.glob_targets(map, ModId { krate, module }, mode);
                DRAFTS.with_borrow_mut(|all| {
                    let Some((_, globs)) = all.iter_mut().rev().find(|it| it.0 == krate) else {
                        return;
                    };
                    let before = globs.get(&module);
                    if let Some(before) = before.filter(|_| round >= SETTLING) {
                        found.targets.splice(0..0, before.iter().copied());
                        dedup(&mut found.targets);
                    }
                    if before.is_none_or(|before| before[..] != found.targets[..]) {
                        changed = true;
                        globs.insert(module, found.targets.into());
                    }
                });
                for (all, holds) in [(&mut early, found.is_early), (&mut narrow, found.is_narrow)] {
                    match holds {
                        true => all.insert(module),
                        false => all.remove(&module),
                    };
                }
            }
            match (changed, mode) {
                (true, _) => due = early.clone(),
                (false, Mode::Declared) => {
                    mode = Mode::Written;
                    due = &early | &narrow;
                }
                (false, _) => break,
            }
        }
        let globs = DRAFTS
            .with_borrow_mut(|all| all.pop())
            .map_or(Globs::default(), |it| it.1);
        let _ = self.loaded.globs[krate.0 as usize].set(globs);
        lock(self.loaded.provided(krate)).clear();
    }

    pub(super) fn is_connected(&self, krate: CrateId) -> bool {
        let cell = self.loaded.globs.get(krate.0 as usize);
        cell.is_none_or(|cell| cell.get().is_some())
    }

    fn glob_targets(&self, map: &CrateMap, id: ModId, mode: Mode) -> GlobTargets {
        let mut out = GlobTargets::default();
        for &glob in &map.modules[id.module as usize].globs {
            let mut trail = Trail::draft(mode);
            let condition = conditions(map.import(glob).cfg);
            let targets = self.import_targets(map, glob, Ns::Type, &mut trail);
            out.targets.extend(targets.into_iter().map(|it| Target {
                res: it.res,
                cfg: it.cfg | condition,
            }));
            out.is_early |= trail.is_early;
            out.is_narrow |= trail.is_narrow;
        }
        dedup(&mut out.targets);
        out
    }
}

/// What the globs of a module lead to, as far as is known.
#[derive(Default)]
struct GlobTargets {
    targets: Vec<Target>,
    /// Globs that are not resolved to the end were asked.
    is_early: bool,
    /// Macro calls were passed over.
    is_narrow: bool,
}

/// Whether the files of a crate may change while a database lives.
pub fn is_editable(project: &Project, krate: CrateId) -> bool {
    project.pin(project.package_of(krate)).is_none()
}
