//! The own hash of a definition: its normalised tokens and what its mentions resolve to. For who a definition is see
//! [`World::identity`].

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use crate::{
    db::{Db, Workspace, bodies},
    project::CrateId,
    resolve::{DefId, Graph, Meaning, Res, Target, UnitId, Use, Uses, World, declarations, uses},
    syntax::{Def, DefBody, FileBodies, Hash, MentionKind},
};

/// One file's part in own hashes: what its definitions hold and mention, and their hashes as far as somebody asked.
#[derive(Debug)]
pub struct Unit {
    expansion: Box<[u32]>,
    bodies: Arc<FileBodies>,
    graph: Arc<Graph>,
    hashes: Box<[OnceLock<Hash>]>,
}

#[salsa::tracked(returns(clone), no_eq)]
fn unit(db: &dyn Db, workspace: Workspace, krate: CrateId, number: u32) -> Arc<Unit> {
    let map = declarations(db, workspace, krate);
    let it = &map.units[number as usize];
    Arc::new(Unit {
        expansion: it.expansion.clone(),
        bodies: bodies(db, it.file),
        // What is hashed later holds as long as this does.
        graph: uses(db, workspace, krate, number),
        hashes: it.items.defs.iter().map(|_| OnceLock::new()).collect(),
    })
}

impl Unit {
    /// The body of a definition. It may be that of an earlier text: where things stand is not to be asked here.
    pub fn body(&self, def: u32) -> Option<&DefBody> {
        self.bodies.unit(&self.expansion).get(def as usize)
    }

    /// What a definition mentions.
    pub fn uses(&self, world: &World<'_>, def: u32) -> &Uses {
        self.graph.of(world, def)
    }
}

/// The units that one closure is spread over, each looked up once.
pub struct Own<'a> {
    db: &'a dyn Db,
    workspace: Workspace,
    world: &'a World<'a>,
    units: FxHashMap<UnitId, Arc<Unit>>,
}

impl<'a> Own<'a> {
    pub fn new(db: &'a dyn Db, workspace: Workspace, world: &'a World<'a>) -> Own<'a> {
        Own {
            db,
            workspace,
            world,
            units: FxHashMap::default(),
        }
    }

    /// The unit of a definition.
    pub fn unit(&mut self, id: DefId) -> &Unit {
        let (db, workspace) = (self.db, self.workspace);
        self.units
            .entry((id.krate, id.unit))
            .or_insert_with(|| unit(db, workspace, id.krate, id.unit))
    }

    /// The files that were looked at.
    pub fn reads(&self) -> impl Iterator<Item = UnitId> {
        self.units.keys().copied()
    }

    /// Tokens, conditions, attribute macros, and the meaning of every mention in order.
    pub fn hash(&mut self, id: DefId) -> Hash {
        let world = self.world;
        let unit = self.unit(id);
        match (world.def(id), unit.hashes.get(id.def as usize)) {
            (Some(def), Some(cell)) => *cell.get_or_init(|| hash(world, unit, id, def)),
            _ => Hash::default(),
        }
    }
}

fn hash(world: &World<'_>, unit: &Unit, id: DefId, def: &Def) -> Hash {
    let mut hasher = blake3::Hasher::new();
    text(&mut hasher, def.kind.to_string().as_bytes());
    text(&mut hasher, def.name.as_str().as_bytes());
    let condition = world.module_of(id).map_or(0, |module| world.condition(module));
    hasher.update(&condition.to_le_bytes());
    hasher.update(&def.cfg.to_le_bytes());
    let (tokens, attrs) = unit
        .body(id.def)
        .map_or((Hash::default(), &[][..]), |body| (body.hash, &body.attr_hashes));
    hasher.update(&tokens);
    let uses = &unit.uses(world, id.def).all;
    for (at, (attr, hash)) in def.attrs.iter().zip(attrs).enumerate() {
        let kind = if attr.derive {
            MentionKind::Derive
        } else {
            MentionKind::Attribute
        };
        let use_ = uses.iter().find(|it| it.kind == kind && it.path == attr.path);
        if !use_.is_some_and(|it| is_cached(world, it)) {
            hasher.update(&(at as u32).to_le_bytes());
            hasher.update(&hash.to_le_bytes());
        }
    }
    for it in uses.iter().filter(|it| !is_cached(world, it)) {
        meaning(world, it, &mut hasher);
    }
    let mut out = Hash::default();
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    out
}

fn meaning(world: &World<'_>, it: &Use, hasher: &mut blake3::Hasher) {
    match &it.meaning {
        Meaning::Name | Meaning::Open { .. } => {}
        Meaning::SelfType(heads) => {
            hasher.update(b"Self");
            for &head in heads {
                hasher.update(&world.identity(head));
            }
        }
        Meaning::Path(resolution) => {
            hasher.update(&[resolution.unresolved.map_or(0, |at| at as u8 + 1)]);
            hasher.update(&(resolution.targets.len() as u32).to_le_bytes());
            let mut targets: Vec<Vec<u8>> = resolution.targets.iter().map(|it| target(world, it)).collect();
            targets.sort();
            for target in targets {
                text(hasher, &target);
            }
        }
    }
}

fn target(world: &World<'_>, target: &Target) -> Vec<u8> {
    let mut out = match target.res {
        Res::Def(id) => world.identity(id).to_vec(),
        Res::Mod(module) => world.module_identity(module).as_bytes().to_vec(),
        Res::External(path) => path.as_str().as_bytes().to_vec(),
    };
    out.extend_from_slice(&target.cfg.to_le_bytes());
    out
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
