//! From the root file through `mod x;` and `include!` to all modules and what they declare. What macro calls add is in `made`.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::FxHashMap;

use super::made;
use crate::resolve::{
    crate_map::{CrateMap, Entry, ImportId, Module, Unit},
    ids::DefId,
};
use crate::{
    db::{Db, is_readable, items},
    project::{CrateId, CrateKind, Krate, Project},
    syntax::{
        Condition, Def, DefData, DefIdx, DefKind, FileItems, Import, ImportKind, ModDecl, Name, Scope, ScopeIdx,
        SiteFacts, known,
    },
};

/// The module tree of `krate`. `platforms`: what is set on each platform of the project; empty if one of them is unknown.
pub fn build(db: &dyn Db, project: &Project, krate: CrateId, platforms: &[BTreeSet<String>]) -> CrateMap {
    let it = project.krate(krate);
    let mut builder = Builder {
        db,
        root: &project.package(it.package).root,
        it,
        platforms,
        map: CrateMap {
            krate,
            package: it.package,
            kind: it.kind,
            edition: it.edition,
            units: Vec::new(),
            modules: vec![Module::default()],
        },
        origins: Vec::new(),
        macros: FxHashMap::default(),
    };
    builder.load_file(&it.root_file, 0, true, None);
    made::follow_calls(&mut builder);
    builder.map
}

/// As many files or calls may lead to one.
const MAX_DEPTH: u32 = 256;

pub(super) struct Builder<'a> {
    pub db: &'a dyn Db,
    root: &'a Utf8Path,
    pub it: &'a Krate,
    /// What is set on each platform of the project; empty if one of them is unknown.
    platforms: &'a [BTreeSet<String>],
    pub map: CrateMap,
    /// Of each unit.
    pub origins: Vec<Origin>,
    /// `macro_rules!` by name.
    pub macros: FxHashMap<Name, Vec<DefId>>,
}

/// Where a unit comes from.
pub(super) struct Origin {
    pub dirs: Dirs,
    /// The unit that declares its module, or calls what it stands for.
    pub from: Option<u32>,
}

/// Where the files of a unit's modules are.
pub(super) struct Dirs {
    /// The directory of the file.
    pub file: Utf8PathBuf,
    /// Where `mod x;` of each scope looks.
    pub scopes: Vec<Utf8PathBuf>,
}

impl Builder<'_> {
    /// Loads a file into `module`. `owns_dir`: a crate root, `mod.rs` or `#[path]` file, whose modules are beside it.
    fn load_file(&mut self, path: &Utf8Path, module: u32, owns_dir: bool, from: Option<u32>) {
        // A file that declares itself, or a very deep chain, is an error to rustc as well.
        if self.leads_to(from, path, &[]) {
            return;
        }
        let file = self.db.files().file(self.db, path, self.it.edition);
        if !is_readable(self.db, file) {
            return;
        }
        let dir = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
        let own = if owns_dir {
            dir.clone()
        } else {
            dir.join(path.file_stem().unwrap_or_default())
        };
        let items = items(self.db, file);
        let unit = Unit {
            file,
            modules: Vec::with_capacity(items.scopes.len()),
            items,
            expansion: Box::new([]),
            path: relative(self.root, path),
            absent: Vec::new(),
        };
        self.add_unit(unit, module, dir, own, from);
    }

    /// Whether a unit is, or comes from, this file or expansion.
    pub fn leads_to(&self, unit: Option<u32>, path: &Utf8Path, expansion: &[u32]) -> bool {
        let outward = |&unit: &u32| self.origins[unit as usize].from;
        let units = std::iter::successors(unit, outward).map(|unit| &self.map.units[unit as usize]);
        let is_it = |it: &Unit| *it.expansion == *expansion && it.file.path(self.db) == path;
        units.zip(0..).any(|(it, depth)| depth > MAX_DEPTH || is_it(it))
    }

    pub fn add_unit(&mut self, unit: Unit, module: u32, file_dir: Utf8PathBuf, own: Utf8PathBuf, from: Option<u32>) {
        let number = self.map.units.len() as u32;
        let items = unit.items.clone();
        self.map.units.push(unit);
        let dirs = self.add_scopes(number, &items, module, file_dir, own);
        self.origins.push(Origin { dirs, from });
        let absent = self.absent_scopes(&items);
        let gone = |when: &Condition, scope: ScopeIdx| absent[scope.0 as usize] || self.is_absent(when);
        let mut absent_defs: Vec<bool> = items.defs.iter().map(|def| gone(&def.when, def.scope)).collect();
        let imports: Vec<bool> = items.imports.iter().map(|it| !gone(&it.when, it.scope)).collect();
        let mods: Vec<bool> = items.mods.iter().map(|it| !gone(&it.when, it.scope)).collect();
        // A holder precedes what it holds.
        for (at, def) in items.defs.iter().enumerate() {
            absent_defs[at] |= def.parent.is_some_and(|parent| absent_defs[parent.0 as usize]);
        }
        self.map.units[number as usize].absent = absent_defs.clone();
        for (at, def) in items.defs.iter().enumerate().filter(|&(at, _)| !absent_defs[at]) {
            self.add_def(number, DefIdx(at as u32), def);
        }
        for (at, import) in items.imports.iter().enumerate().filter(|&(at, _)| imports[at]) {
            self.add_import(number, at as u32, import);
        }
        let mods: Vec<&ModDecl> = items.mods.iter().zip(mods).filter(|it| it.1).map(|it| it.0).collect();
        self.read_ahead(number, &mods);
        for decl in mods {
            self.add_mod(number, decl);
        }
        for (def, _) in items.defs.iter().zip(&absent_defs).filter(|(_, absent)| !**absent) {
            if let DefData::Site(site) = &def.data {
                self.add_site(number, def, site);
            }
        }
    }

    /// Scopes that no platform of the project has.
    fn absent_scopes(&self, items: &FileItems) -> Vec<bool> {
        let mut out: Vec<bool> = Vec::with_capacity(items.scopes.len());
        for scope in &items.scopes {
            let around = scope.parent.is_some_and(|parent| out[parent.0 as usize]);
            out.push(around || self.is_absent(&scope.when));
        }
        out
    }

    fn is_absent(&self, when: &Condition) -> bool {
        let Some(cfg) = when else { return false };
        !self.platforms.is_empty() && self.platforms.iter().all(|atoms| cfg.eval(atoms) == Some(false))
    }

    fn add_scopes(&mut self, unit: u32, items: &FileItems, module: u32, file: Utf8PathBuf, own: Utf8PathBuf) -> Dirs {
        let mut dirs = Dirs {
            file,
            scopes: vec![own],
        };
        self.map.units[unit as usize].modules.push(module);
        if let Some(scope) = items.scopes.first() {
            let it = &mut self.map.modules[module as usize];
            it.cfg = mix(it.cfg, scope.cfg);
            it.cfg_atoms.extend(&scope.cfg_atoms);
            it.test |= scope.test;
        }
        for scope in items.scopes.iter().skip(1) {
            let parent = scope.parent.unwrap_or(ScopeIdx(0));
            let parent_module = self.map.units[unit as usize].modules[parent.0 as usize];
            let number = self.add_module(unit, scope, parent_module);
            self.map.units[unit as usize].modules.push(number);
            let around = &dirs.scopes[parent.0 as usize];
            let dir = match (scope.name, scope.path_attr) {
                (_, Some(path)) => around.join(path.as_str()),
                (Some(name), None) => around.join(name.as_str()),
                (None, None) => around.clone(),
            };
            dirs.scopes.push(dir);
        }
        dirs
    }

    fn add_module(&mut self, unit: u32, scope: &Scope, parent: u32) -> u32 {
        let number = self.map.modules.len() as u32;
        let around = &self.map.modules[parent as usize];
        let krate = self.map.krate;
        let of_unit = |def: DefIdx| DefId {
            krate,
            unit,
            def: def.0,
        };
        let module = Module {
            parent: Some(parent),
            name: scope.name,
            block: scope.owner.map(of_unit),
            macro_use: scope.macro_use,
            cfg: mix(around.cfg, scope.cfg),
            cfg_atoms: around.cfg_atoms.iter().chain(&scope.cfg_atoms).copied().collect(),
            test: around.test || scope.test,
            rewritten: scope.rewritten.map(of_unit).or(around.rewritten),
            ..Module::default()
        };
        self.map.modules.push(module);
        if let Some(name) = scope.name {
            self.declare(
                parent,
                name,
                Entry::Mod {
                    module: number,
                    cfg: scope.cfg,
                },
            );
        }
        if scope.macro_use {
            self.map.modules[parent as usize].macro_use_children.push(number);
        }
        number
    }

    fn declare(&mut self, module: u32, name: Name, entry: Entry) {
        self.map.modules[module as usize]
            .names
            .entry(name)
            .or_default()
            .push(entry);
    }

    fn add_def(&mut self, unit: u32, idx: DefIdx, def: &Def) {
        let id = DefId {
            krate: self.map.krate,
            unit,
            def: idx.0,
        };
        let module = self.map.units[unit as usize].modules[def.scope.0 as usize];
        if let DefData::ProcMacro(it) = &def.data
            && self.map.kind == CrateKind::ProcMacro
            && it.exported != def.name
        {
            self.declare(0, it.exported, Entry::Def(id));
        }
        if def.is_rewritten() {
            self.map.modules[module as usize].attributed.push(id);
        }
        match def.kind {
            // One inside an impl or trait makes items of that: it provides no names to the module.
            DefKind::MacroSite if def.parent.is_some() => {}
            DefKind::MacroSite => self.map.modules[module as usize].sites.push(id),
            DefKind::Macro => {
                self.map.modules[module as usize]
                    .macros
                    .entry(def.name)
                    .or_default()
                    .push(id);
                if def.flags.exported {
                    self.declare(0, def.name, Entry::Def(id));
                }
                self.macros.entry(def.name).or_default().push(id);
            }
            DefKind::Impl | DefKind::Module | DefKind::Other => {}
            _ if def.parent.is_none() => self.declare(module, def.name, Entry::Def(id)),
            _ => {}
        }
    }

    fn add_import(&mut self, unit: u32, at: u32, import: &Import) {
        let id = ImportId { unit, import: at };
        let module = self.map.units[unit as usize].modules[import.scope.0 as usize];
        match import.kind {
            ImportKind::Glob => self.map.modules[module as usize].globs.push(id),
            ImportKind::Named(name) | ImportKind::TypeOnly(name) if name == known::UNDERSCORE => {
                self.map.modules[module as usize].unnamed.push(id);
            }
            ImportKind::Named(name) | ImportKind::TypeOnly(name) => self.declare(module, name, Entry::Import(id)),
            ImportKind::ExternCrate { name, macro_use } => {
                self.declare(module, name, Entry::Import(id));
                if macro_use {
                    self.map.modules[module as usize].macro_use_crates.push(id);
                }
            }
        }
    }

    /// `mod x;`: every file that one of its `cfg` variants may mean.
    pub fn add_mod(&mut self, unit: u32, decl: &ModDecl) {
        let places = self.places(unit, decl);
        let parent = self.map.units[unit as usize].modules[decl.scope.0 as usize];
        let scope = Scope {
            parent: None,
            name: Some(decl.name),
            owner: None,
            macro_use: decl.macro_use,
            cfg: decl.cfg,
            cfg_atoms: decl.cfg_atoms.clone(),
            when: decl.when.clone(),
            test: decl.test,
            path_attr: None,
            rewritten: None,
        };
        let module = self.add_module(unit, &scope, parent);
        for (path, owns_dir) in places {
            self.load_file(&path, module, owns_dir, Some(unit));
        }
    }

    pub fn places(&self, unit: u32, decl: &ModDecl) -> Vec<(Utf8PathBuf, bool)> {
        places(
            &self.map.units[unit as usize].items,
            decl,
            &self.origins[unit as usize].dirs,
        )
    }

    /// Has another thread read the files of these modules, the last first, while this one begins with the first.
    fn read_ahead(&self, unit: u32, mods: &[&ModDecl]) {
        if mods.len() < 2 {
            return;
        }
        self.db.ahead(&mut || {
            let all = mods.iter().rev().flat_map(|decl| self.places(unit, decl));
            let (paths, edition): (Vec<Utf8PathBuf>, _) = (all.map(|(path, _)| path).collect(), self.it.edition);
            Box::new(move |db| {
                for path in paths {
                    let file = db.files().file(db, &path, edition);
                    if is_readable(db, file) {
                        items(db, file);
                    }
                }
            })
        });
    }

    fn add_site(&mut self, unit: u32, def: &Def, site: &SiteFacts) {
        let module = self.map.units[unit as usize].modules[def.scope.0 as usize];
        let file = site.include.as_deref().and_then(|parts| self.include_path(parts, unit));
        if let Some(path) = file {
            self.load_file(&path, module, true, Some(unit));
        }
    }

    /// The file of an `include!`, unless the build script writes it.
    fn include_path(&self, parts: &[Name], unit: u32) -> Option<Utf8PathBuf> {
        let mut path = String::new();
        for part in parts {
            match part.as_str() {
                "$CARGO_MANIFEST_DIR" => path.push_str(self.root.as_str()),
                other if other.starts_with('$') => return None,
                other => path.push_str(other),
            }
        }
        Some(clean(&self.origins[unit as usize].dirs.file.join(path)))
    }
}

/// The files that a `mod x;` of a file may mean, and whether each has its modules beside it.
fn places(items: &FileItems, decl: &ModDecl, dirs: &Dirs) -> Vec<(Utf8PathBuf, bool)> {
    let around = &dirs.scopes[decl.scope.0 as usize];
    let from = if is_in_module(items, decl.scope) {
        around
    } else {
        &dirs.file
    };
    let named = decl.paths.iter().map(|path| (clean(&from.join(path.as_str())), true));
    let mut places: Vec<(Utf8PathBuf, bool)> = named.collect();
    if !decl.fixed_path {
        places.push((around.join(format!("{}.rs", decl.name)), false));
        places.push((around.join(decl.name.as_str()).join("mod.rs"), true));
    }
    places
}

/// Only inline modules lead into directories of their own; a block is where its file is.
pub(super) fn is_in_module(items: &FileItems, scope: ScopeIdx) -> bool {
    let outward = |scope: &ScopeIdx| items.scopes[scope.0 as usize].parent;
    let mut around = std::iter::successors(Some(scope), outward);
    around.any(|scope| scope.0 != 0 && items.scopes[scope.0 as usize].name.is_some())
}

fn relative(root: &Utf8Path, path: &Utf8Path) -> Name {
    Name::new(&path.strip_prefix(root).unwrap_or(path).as_str().replace('\\', "/"))
}

/// Removes `.` and `..` by text, so that one file has one path.
fn clean(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            camino::Utf8Component::CurDir => {}
            camino::Utf8Component::ParentDir => {
                if !out.pop() {
                    out.push("..");
                }
            }
            other => out.push(other),
        }
    }
    out
}

/// Order matters: conditions nest.
fn mix(outer: u64, inner: u64) -> u64 {
    if inner == 0 {
        outer
    } else {
        outer.rotate_left(17) ^ inner.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
