//! The own hash of a definition: its normalised tokens and what its mentions resolve to.
//!
//! Identities use package name and module path; the version only where two versions of a package are in the graph. No
//! absolute path, no number that depends on the order of files.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{
    db::{Db, Workspace, bodies},
    project::CrateId,
    resolve::{DefId, Graph, Meaning, ModId, Res, Target, UnitId, Use, World, uses},
    syntax::{DefBody, DefKind, FileBodies, Hash, MentionKind},
};

/// Hashes of definitions, each computed once.
pub struct Own<'a> {
    db: &'a dyn Db,
    workspace: Workspace,
    world: &'a World<'a>,
    identities: FxHashMap<DefId, Hash>,
    modules: FxHashMap<ModId, String>,
    bodies: FxHashMap<(CrateId, u32), Arc<FileBodies>>,
    graphs: FxHashMap<(CrateId, u32), Arc<Graph>>,
}

impl<'a> Own<'a> {
    pub fn new(db: &'a dyn Db, workspace: Workspace, world: &'a World<'a>) -> Own<'a> {
        Own {
            db,
            workspace,
            world,
            identities: FxHashMap::default(),
            modules: FxHashMap::default(),
            bodies: FxHashMap::default(),
            graphs: FxHashMap::default(),
        }
    }

    /// Runs `f` with the body of a definition.
    pub fn with_body<T>(&mut self, id: DefId, f: impl FnOnce(&DefBody) -> T) -> Option<T> {
        let unit = &self.world.map(id.krate)?.units[id.unit as usize];
        let db = self.db;
        let bodies = self
            .bodies
            .entry((id.krate, id.unit))
            .or_insert_with(|| bodies(db, unit.file));
        bodies.unit(&unit.expansion).get(id.def as usize).map(f)
    }

    /// The files that were looked at.
    pub fn reads(&self) -> impl Iterator<Item = UnitId> {
        self.bodies.keys().chain(self.graphs.keys()).copied()
    }

    /// The resolved mentions of a definition's file.
    pub fn graph(&mut self, id: DefId) -> Arc<Graph> {
        let (db, workspace) = (self.db, self.workspace);
        self.graphs
            .entry((id.krate, id.unit))
            .or_insert_with(|| uses(db, workspace, id.krate, id.unit))
            .clone()
    }

    /// Who a definition is.
    pub fn identity(&mut self, id: DefId) -> Hash {
        if let Some(&known) = self.identities.get(&id) {
            return known;
        }
        let hash = self.identity_uncached(id);
        self.identities.insert(id, hash);
        hash
    }

    fn identity_uncached(&mut self, id: DefId) -> Hash {
        let Some(def) = self.world.def(id) else {
            return [0; 16];
        };
        let mut hasher = blake3::Hasher::new();
        let place = match def.parent {
            Some(parent) => self.identity(DefId { def: parent.0, ..id }).to_vec(),
            None => match self.world.module_of(id) {
                Some(module) => self.module(module).into_bytes(),
                None => Vec::new(),
            },
        };
        text(&mut hasher, &place);
        text(&mut hasher, def.kind.to_string().as_bytes());
        text(&mut hasher, def.name.as_str().as_bytes());
        // Impl blocks have no name: their header tells them apart.
        if def.kind == DefKind::Impl {
            let header = self.with_body(id, |body| body.hash).unwrap_or_default();
            hasher.update(&header);
        }
        short(&hasher)
    }

    /// A module's place: package, version where needed, kind and name of the crate, path.
    fn module(&mut self, id: ModId) -> String {
        if let Some(known) = self.modules.get(&id) {
            return known.clone();
        }
        let world = self.world;
        let Some(map) = world.map(id.krate) else {
            return String::new();
        };
        let module = &map.modules[id.module as usize];
        let out = match (module.parent, module.block) {
            (Some(_), Some(owner)) => {
                let owner = self.identity(owner);
                format!(
                    "{{{}}}",
                    owner.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
                )
            }
            (Some(parent), None) => {
                let parent = self.module(ModId {
                    krate: id.krate,
                    module: parent,
                });
                format!("{parent}::{}", module.name.map_or("", |name| name.as_str()))
            }
            (None, _) => self.crate_identity(id.krate),
        };
        self.modules.insert(id, out.clone());
        out
    }

    fn crate_identity(&self, krate: CrateId) -> String {
        let it = self.world.project.krate(krate);
        let package = self.world.project.package(it.package);
        let version = if package.ambiguous {
            package.version.as_str()
        } else {
            ""
        };
        format!("{}@{version} {:?} {}", package.name, it.kind, it.name)
    }

    /// Tokens, conditions, attribute macros, and the meaning of every mention in order.
    pub fn hash(&mut self, id: DefId) -> Hash {
        let Some(def) = self.world.def(id) else {
            return [0; 16];
        };
        let mut hasher = blake3::Hasher::new();
        text(&mut hasher, def.kind.to_string().as_bytes());
        text(&mut hasher, def.name.as_str().as_bytes());
        let condition = self
            .world
            .module_of(id)
            .and_then(|module| Some(self.world.map(module.krate)?.modules[module.module as usize].cfg));
        hasher.update(&condition.unwrap_or(0).to_le_bytes());
        hasher.update(&def.cfg.to_le_bytes());
        let (tokens, attrs) = self
            .with_body(id, |body| (body.hash, body.attr_hashes.clone()))
            .unwrap_or_default();
        hasher.update(&tokens);
        let graph = self.graph(id);
        let uses = &graph.of(self.world, id.def).all;
        for (at, (attr, hash)) in def.attrs.iter().zip(attrs.iter()).enumerate() {
            let kind = if attr.derive {
                MentionKind::Derive
            } else {
                MentionKind::Attribute
            };
            let use_ = uses.iter().find(|it| it.kind == kind && it.path == attr.path);
            if !use_.is_some_and(|it| is_cached(self.world, it)) {
                hasher.update(&(at as u32).to_le_bytes());
                hasher.update(&hash.to_le_bytes());
            }
        }
        for it in uses {
            if !is_cached(self.world, it) {
                self.meaning(it, &mut hasher);
            }
        }
        short(&hasher)
    }

    fn meaning(&mut self, it: &Use, hasher: &mut blake3::Hasher) {
        match &it.meaning {
            Meaning::Name | Meaning::Open { .. } => {}
            Meaning::SelfType(heads) => {
                hasher.update(b"Self");
                for &head in heads {
                    let identity = self.identity(head);
                    hasher.update(&identity);
                }
            }
            Meaning::Path(resolution) => {
                hasher.update(&[resolution.unresolved.map_or(0, |at| at as u8 + 1)]);
                hasher.update(&(resolution.targets.len() as u32).to_le_bytes());
                let mut targets: Vec<Vec<u8>> = resolution.targets.iter().map(|target| self.target(target)).collect();
                targets.sort();
                for target in targets {
                    text(hasher, &target);
                }
            }
        }
    }

    fn target(&mut self, target: &Target) -> Vec<u8> {
        let mut out = match target.res {
            Res::Def(id) => self.identity(id).to_vec(),
            Res::Mod(module) => self.module(module).into_bytes(),
            Res::External(path) => path.as_str().as_bytes().to_vec(),
        };
        out.extend_from_slice(&target.cfg.to_le_bytes());
        out
    }
}

/// The use of `#[cached]` itself, whose options are in the key and whose code is not the user's.
pub fn is_cached(world: &World<'_>, it: &Use) -> bool {
    if it.kind != MentionKind::Attribute {
        return false;
    }
    let Meaning::Path(resolution) = &it.meaning else {
        return false;
    };
    world.is_our_macro(&resolution.targets, "cached")
}

fn text(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn short(hasher: &blake3::Hasher) -> Hash {
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    out
}
