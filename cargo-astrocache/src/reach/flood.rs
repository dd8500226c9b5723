//! The worklist: what is live, what live code asks for, and what is yet to be looked at.

use std::{collections::BTreeSet, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Closure, Item, Rule};
use crate::{
    db::{Db, Workspace},
    project::CrateId,
    resolve::{DefId, Graph, ImplIdx, Meaning, ModId, Res, Use, World, resolver, uses},
    syntax::{Def, DefKind, MentionKind, Name, StdTraits},
};

/// One flood in progress.
pub struct Flood<'a> {
    pub db: &'a dyn Db,
    pub workspace: Workspace,
    pub world: World<'a>,
    /// The root's crate: impls reached through a trait are taken from what it can see.
    pub krate: CrateId,
    /// Crates whose code can run: those linked with the root's, and those that R8 and R14 add.
    linked: FxHashSet<CrateId>,
    pub root_is_test: bool,
    pub live: FxHashMap<DefId, u32>,
    pub demands: Demands,
    pub out: Closure,
    /// The item whose mentions are being read.
    pub current: Option<u32>,
    next: usize,
    /// Items before this one were given to another thread, or visited.
    handed: usize,
    graphs: FxHashMap<(CrateId, u32), Arc<Graph>>,
    pub scopes: FxHashMap<ModId, Arc<super::methods::InScope>>,
    pub bounds: FxHashMap<DefId, Arc<[DefId]>>,
    /// Macros by the modules they were called from.
    pub expanded: FxHashSet<(DefId, ModId)>,
    pub emitted: FxHashSet<(DefId, ModId)>,
    pub plain_names: FxHashMap<CrateId, Arc<super::glued::PlainNames>>,
    /// Crates with something live, and what of them can see each crate: see `crates`.
    pub joined: FxHashSet<CrateId>,
    pub above: FxHashMap<CrateId, Arc<Vec<CrateId>>>,
}

/// What live code may call on whatever type or trait turns out to be live.
#[derive(Default)]
pub struct Demands {
    /// `.m(..)`, by the crates that call it: inherent methods of live types they can see.
    pub methods: FxHashMap<Name, BTreeSet<CrateId>>,
    /// `<..>::f` on a type nobody can tell: inherent items of live types.
    pub any_assoc: FxHashMap<Name, BTreeSet<CrateId>>,
    /// `T::f`, by the crates that say it: items of live traits they can see.
    pub open_assoc: FxHashMap<Name, BTreeSet<CrateId>>,
    /// Items of particular traits.
    pub trait_items: FxHashSet<(DefId, Name)>,
    /// Traits behind `dyn` or `impl`, whose methods need no import; supertraits included.
    pub objects: FxHashSet<DefId>,
    /// Those by the names of their items, and live traits so.
    pub objects_with: FxHashMap<Name, Vec<DefId>>,
    pub live_with: FxHashMap<Name, Vec<DefId>>,
    /// Traits of std that live code may reach, and impls that wait for one.
    pub std_traits: StdTraits,
    pub waiting: Vec<(CrateId, ImplIdx)>,
}

impl<'a> Flood<'a> {
    pub fn new(db: &'a dyn Db, workspace: Workspace, krate: CrateId) -> Flood<'a> {
        let world = resolver(db, workspace);
        Flood {
            db,
            workspace,
            linked: FxHashSet::default(),
            world,
            krate,
            root_is_test: false,
            live: FxHashMap::default(),
            demands: Demands::default(),
            out: Closure::default(),
            current: None,
            next: 0,
            handed: 0,
            graphs: FxHashMap::default(),
            scopes: FxHashMap::default(),
            bounds: FxHashMap::default(),
            expanded: FxHashSet::default(),
            emitted: FxHashSet::default(),
            plain_names: FxHashMap::default(),
            joined: FxHashSet::default(),
            above: FxHashMap::default(),
        }
    }

    pub fn run(mut self, root: DefId) -> Closure {
        self.root_is_test = self.world.is_test(root);
        self.linked = self.world.linked_with(root.krate, self.root_is_test);
        self.mark(root, Rule::Root);
        self.join_local();
        self.mark_unnamed();
        self.open_root(root);
        self.open_func(root);
        loop {
            while self.next < self.out.items.len() {
                self.hand_on();
                self.current = Some(self.next as u32);
                let id = self.out.items[self.next].id;
                self.next += 1;
                self.visit(id);
            }
            self.current = None;
            self.join_the_only_impls();
            if self.next == self.out.items.len() {
                break;
            }
        }
        self.out.reads.code.extend(self.graphs.keys());
        self.out
    }

    /// Has another thread resolve what items further on mention, and index the crates that this leads to, while this one
    /// follows what is found.
    fn hand_on(&mut self) {
        /// So far in front that this thread does not wait for the other.
        const LEAD: usize = 8;
        const BATCH: usize = 64;
        let from = self.handed.max(self.next + LEAD);
        if self.out.items.len() < from + BATCH {
            return;
        }
        let (items, linked, workspace) = (&self.out.items, &self.linked, self.workspace);
        let is_handed = self.db.ahead(&mut || {
            let ids: Vec<DefId> = items[from..from + BATCH].iter().map(|item| item.id).collect();
            let linked = linked.clone();
            Box::new(move |db| {
                let world = resolver(db, workspace);
                for id in ids {
                    let graph = uses(db, workspace, id.krate, id.unit);
                    let named = graph.of(&world, id.def).all.iter().flat_map(made_live);
                    for krate in named.filter(|krate| linked.contains(krate)) {
                        world.index(krate);
                    }
                }
            })
        });
        if is_handed {
            self.handed = from + BATCH;
        }
    }

    /// Makes a definition live.
    pub fn mark(&mut self, id: DefId, rule: Rule) {
        if self.live.contains_key(&id) || !self.in_cone(id.krate) {
            return;
        }
        self.live.insert(id, self.out.items.len() as u32);
        self.out.items.push(Item {
            id,
            rule,
            via: self.current,
        });
        self.join(id.krate);
    }

    pub fn is_live(&self, id: DefId) -> bool {
        self.live.contains_key(&id)
    }

    pub fn def(&self, id: DefId) -> Option<&Def> {
        self.world.def(id)
    }

    /// Whether code of a crate can run here.
    pub fn in_cone(&self, krate: CrateId) -> bool {
        self.linked.contains(&krate)
    }

    /// Code of `krate`, and of what it is linked with, can run here as well.
    pub fn link(&mut self, krate: CrateId) {
        if !self.in_cone(krate) {
            self.linked.extend(self.world.linked_with(krate, false));
            self.join_local();
        }
    }

    fn visit(&mut self, id: DefId) {
        let world = self.world.clone();
        let Some(def) = world.def(id) else { return };
        if let Some(parent) = def.parent {
            self.mark(DefId { def: parent.0, ..id }, Rule::R7);
        }
        if let Some(around) = world.rewritten(id) {
            self.mark(around, Rule::R10);
        }
        match def.kind {
            DefKind::Struct | DefKind::Enum | DefKind::Union => self.type_is_live(id),
            DefKind::Trait => self.trait_is_live(id),
            // A site may be a type or a trait to whoever names what it provides.
            DefKind::MacroSite => {
                self.type_is_live(id);
                self.trait_is_live(id);
                self.site_attributes(id);
                if let (true, Some(module)) = (world.is_generated(id), world.module_of(id)) {
                    self.generated_code(id, module);
                }
            }
            DefKind::Impl => self.impl_is_live(id),
            DefKind::Fn | DefKind::Static => self.foreign_item(def),
            _ => {}
        }
        let graph = self.graph(id);
        let uses = graph.of(&world, id.def);
        self.std_traits(uses.std_traits);
        self.out.emitted = self.out.emitted.and(uses.emitted);
        for it in &uses.all {
            self.apply(id, it);
        }
        if def.kind == DefKind::Static {
            self.open_static(id);
        }
        self.member_arguments(id);
    }

    /// The mentions of the file that holds `id`.
    pub fn graph(&mut self, id: DefId) -> Arc<Graph> {
        let (db, workspace) = (self.db, self.workspace);
        self.graphs
            .entry((id.krate, id.unit))
            .or_insert_with(|| uses(db, workspace, id.krate, id.unit))
            .clone()
    }

    fn apply(&mut self, id: DefId, it: &Use) {
        match it.kind {
            MentionKind::Method => self.method(id, it.path[0], it.module),
            MentionKind::Macro => self.macro_call(id, it),
            MentionKind::Derive | MentionKind::Attribute => self.proc_macro_use(id, it),
            MentionKind::AttributePath => self.attribute_path(id, it),
            MentionKind::Quoted | MentionKind::QuotedMethod | MentionKind::QuotedName
                if self.world.is_grammar(id.krate) => {}
            MentionKind::QuotedName => drop(self.out.quoted_names.insert(it.path[0])),
            MentionKind::Quoted => self.out.quoted.push((it.path.clone(), false)),
            MentionKind::QuotedMethod => self.out.quoted.push((it.path.clone(), true)),
            // Only where a macro pastes it, see `member_arguments`.
            MentionKind::TokenArg | MentionKind::Glued => {}
            MentionKind::Object => {
                self.path(id, it);
                self.object_traits(it);
            }
            MentionKind::Type => {
                self.path(id, it);
                self.object_traits(it);
            }
            _ => self.path(id, it),
        }
    }

    /// The analyzed traits that a use resolves to.
    pub fn traits_of(&self, it: &Use) -> Vec<DefId> {
        let Meaning::Path(resolution) = &it.meaning else {
            return Vec::new();
        };
        if resolution.unresolved.is_some() || resolution.assoc_from.is_some() {
            return Vec::new();
        }
        resolution
            .targets
            .iter()
            .filter_map(|target| match target.res {
                Res::Def(id) if self.def(id).is_some_and(|def| def.kind == DefKind::Trait) => Some(id),
                _ => None,
            })
            .collect()
    }
}

/// The crates of which a mention makes something live, as far as it is sure.
fn made_live(it: &Use) -> impl Iterator<Item = CrateId> {
    let is_sure = matches!(
        it.kind,
        MentionKind::Value | MentionKind::Type | MentionKind::Bound | MentionKind::Object
    );
    let targets = match &it.meaning {
        Meaning::Path(resolution) if is_sure && resolution.unresolved.is_none() => resolution.targets.as_slice(),
        _ => &[],
    };
    targets.iter().filter_map(|target| match target.res {
        Res::Def(id) => Some(id.krate),
        _ => None,
    })
}
