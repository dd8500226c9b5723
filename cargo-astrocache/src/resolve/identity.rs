//! Who a definition is, the same in every process: package, crate, module path, kind and name.
//!
//! The version takes part only where two versions of a package are in the graph. No absolute path, no number that depends
//! on the order of files. Each identity is computed once for all closures that ask.

use std::sync::OnceLock;

use super::{
    crate_map::CrateMap,
    ids::{DefId, ModId},
    world::World,
};
use crate::{
    project::CrateId,
    syntax::{DefData, Hash},
};

/// Identities within one crate, by unit and definition, and by module.
pub(super) struct Identities {
    definitions: Box<[Box<[OnceLock<Hash>]>]>,
    modules: Box<[OnceLock<Box<str>>]>,
}

impl Identities {
    pub(super) fn new(map: &CrateMap) -> Identities {
        fn cells<T>(n: usize) -> Box<[OnceLock<T>]> {
            (0..n).map(|_| OnceLock::new()).collect()
        }
        Identities {
            definitions: map.units.iter().map(|unit| cells(unit.items.defs.len())).collect(),
            modules: cells(map.modules.len()),
        }
    }
}

impl World<'_> {
    /// Who a definition is; zeros for one of a crate that is not in play.
    pub fn identity(&self, id: DefId) -> Hash {
        let Some(known) = self.identities(id.krate) else {
            return Hash::default();
        };
        let cell = &known.definitions[id.unit as usize][id.def as usize];
        *cell.get_or_init(|| self.new_identity(id))
    }

    fn new_identity(&self, id: DefId) -> Hash {
        let Some(def) = self.def(id) else {
            return Hash::default();
        };
        let mut hasher = blake3::Hasher::new();
        let mut add = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        match def.parent {
            Some(parent) => add(&self.identity(DefId { def: parent.0, ..id })),
            None => add(self
                .module_of(id)
                .map_or("", |module| self.module_identity(module))
                .as_bytes()),
        }
        add(def.kind.to_string().as_bytes());
        add(def.name.as_str().as_bytes());
        // Impl blocks have no name: their header tells them apart.
        if let DefData::Impl(header) = &def.data {
            hasher.update(&header.hash);
        }
        let mut out = Hash::default();
        out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        out
    }

    /// A module's place: package, version where needed, kind and name of the crate, path. Empty for one of a crate that is
    /// not in play.
    pub fn module_identity(&self, id: ModId) -> &str {
        let known = self.identities(id.krate).map(|it| &it.modules[id.module as usize]);
        known.map_or("", |cell| cell.get_or_init(|| self.new_module_identity(id).into()))
    }

    fn new_module_identity(&self, id: ModId) -> String {
        let Some(map) = self.map(id.krate) else {
            return String::new();
        };
        let module = &map.modules[id.module as usize];
        match (module.parent, module.block) {
            (Some(_), Some(owner)) => {
                let owner = self.identity(owner);
                let hex: String = owner.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{{{hex}}}")
            }
            (Some(parent), None) => {
                let parent = ModId { module: parent, ..id };
                let name = module.name.map_or("", |name| name.as_str());
                format!("{}::{name}", self.module_identity(parent))
            }
            (None, _) => self.crate_identity(id.krate),
        }
    }

    fn crate_identity(&self, krate: CrateId) -> String {
        let it = self.project.krate(krate);
        let package = self.project.package(it.package);
        let version = if package.ambiguous {
            package.version.as_str()
        } else {
            ""
        };
        format!("{}@{version} {:?} {}", package.name, it.kind, it.name)
    }
}
