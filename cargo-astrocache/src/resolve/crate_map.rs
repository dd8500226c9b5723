//! The module tree of one crate: which files it has, what each module declares and imports.
//!
//! Declarations only. What an import leads to is answered by `world`, across crates.

use std::{collections::BTreeSet, sync::Arc};

use astrocache_manifest::FOR_DOCUMENTATION;
use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::FxHashMap;

use super::ids::{DefId, ModId, Ns};
use crate::{
    db::{Db, SourceFile, Workspace, is_readable, items},
    project::{CrateId, CrateKind, Edition, Krate, PackageId, Project},
    syntax::{
        Condition, Def, DefData, DefIdx, DefKind, FileItems, Import, ImportKind, ModDecl, Name, Scope, ScopeIdx,
        SiteFacts, known,
    },
};

/// One crate's declarations.
#[derive(Debug, PartialEq, Eq)]
pub struct CrateMap {
    pub krate: CrateId,
    pub package: PackageId,
    pub kind: CrateKind,
    pub edition: Edition,
    /// In discovery order.
    pub units: Vec<Unit>,
    /// Number 0 is the crate root.
    pub modules: Vec<Module>,
}

/// A file of the crate, or the items that an argument-less macro call in one stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    pub file: SourceFile,
    pub items: Arc<FileItems>,
    /// Indices into `expansions`, outermost first; empty for the file itself.
    pub expansion: Box<[u32]>,
    /// The module of each scope.
    pub modules: Vec<u32>,
    /// The file relative to its package, `/` between components.
    pub path: Name,
    /// Definitions that no platform of the project has, by index.
    pub absent: Vec<bool>,
}

/// A module or block.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Module {
    pub parent: Option<u32>,
    /// `None` for the root and for blocks.
    pub name: Option<Name>,
    /// The body it is a block of.
    pub block: Option<DefId>,
    pub macro_use: bool,
    /// `cfg`s of this module and those around it, mixed.
    pub cfg: u64,
    pub cfg_atoms: Vec<Name>,
    /// This module, or one around it, is only there for tests.
    pub test: bool,
    pub names: FxHashMap<Name, Vec<Entry>>,
    /// `macro_rules!` by textual scope.
    pub macros: FxHashMap<Name, Vec<DefId>>,
    pub globs: Vec<ImportId>,
    /// `use Trait as _`.
    pub unnamed: Vec<ImportId>,
    pub sites: Vec<DefId>,
    /// Items with a derive or attribute macro that is not of std.
    pub attributed: Vec<DefId>,
    /// `#[macro_use]` modules and crates declared here.
    pub macro_use_children: Vec<u32>,
    pub macro_use_crates: Vec<ImportId>,
}

/// An import: the `import`th of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImportId {
    pub unit: u32,
    pub import: u32,
}

/// One declaration of a name in a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Def(DefId),
    Mod { module: u32, cfg: u64 },
    Import(ImportId),
}

/// The declarations of `krate`.
#[salsa::tracked(returns(clone))]
pub fn declarations(db: &dyn Db, workspace: Workspace, krate: CrateId) -> Arc<CrateMap> {
    let project = workspace.project(db);
    let it = project.krate(krate);
    let root = &project.package(it.package).root;
    let mut builder = Builder {
        db,
        root,
        it,
        platforms: platforms(project),
        map: CrateMap {
            krate,
            package: it.package,
            kind: it.kind,
            edition: it.edition,
            units: Vec::new(),
            modules: vec![Module::default()],
        },
        expandable: FxHashMap::default(),
        bare_sites: Vec::new(),
    };
    builder.load_file(&it.root_file, 0, true, &mut Vec::new());
    Arc::new(builder.map)
}

/// Build scripts and proc macros run on the host, everything else on the platforms built for; a project whose
/// platforms are not all known, or that sets what only documentation has, keeps every branch.
fn platforms(project: &Project) -> &[BTreeSet<String>] {
    let flags = &project.settings.cfgs;
    if FOR_DOCUMENTATION.iter().any(|&it| flags.contains(it)) {
        return &[];
    }
    project.platform_cfgs.as_deref().unwrap_or_default()
}

impl CrateMap {
    pub fn def(&self, id: DefId) -> &Def {
        self.units[id.unit as usize].items.def(id.idx())
    }

    pub fn import(&self, id: ImportId) -> &Import {
        &self.units[id.unit as usize].items.imports[id.import as usize]
    }

    /// The module that holds an import.
    pub fn import_module(&self, id: ImportId) -> ModId {
        self.module_of(id.unit, self.import(id).scope)
    }

    /// The module of a scope.
    pub fn module_of(&self, unit: u32, scope: ScopeIdx) -> ModId {
        ModId {
            krate: self.krate,
            module: self.units[unit as usize].modules[scope.0 as usize],
        }
    }

    /// Whether a definition is only there for tests.
    pub fn is_test(&self, id: DefId) -> bool {
        let def = self.def(id);
        def.flags.test || self.modules[self.module_of(id.unit, def.scope).module as usize].test
    }

    /// All definitions that some platform of the project has, in order.
    pub fn def_ids(&self) -> impl Iterator<Item = DefId> + '_ {
        let krate = self.krate;
        self.units.iter().enumerate().flat_map(move |(unit, it)| {
            let present = it.items.def_ids().filter(|idx| !it.absent[idx.0 as usize]);
            present.map(move |idx| DefId {
                krate,
                unit: unit as u32,
                def: idx.0,
            })
        })
    }
}

/// The namespaces in which a definition has its name.
pub fn namespaces(def: &Def, kind: CrateKind) -> &'static [Ns] {
    match def.kind {
        DefKind::Fn | DefKind::Const | DefKind::Static => match def.data {
            DefData::ProcMacro(_) if kind == CrateKind::ProcMacro => &[Ns::Value, Ns::Macro],
            _ => &[Ns::Value],
        },
        DefKind::Struct if def.flags.value_struct => &[Ns::Type, Ns::Value],
        DefKind::Struct | DefKind::Enum | DefKind::Union | DefKind::Trait | DefKind::TypeAlias => &[Ns::Type],
        DefKind::Macro => &[Ns::Macro],
        DefKind::Impl | DefKind::MacroSite | DefKind::Other => &[],
    }
}

struct Builder<'a> {
    db: &'a dyn Db,
    root: &'a Utf8Path,
    it: &'a Krate,
    /// What is set on each platform of the project; empty if one of them is unknown.
    platforms: &'a [BTreeSet<String>],
    map: CrateMap,
    /// Argument-less macros by name, with where to find what they stand for.
    expandable: FxHashMap<Name, Vec<(u32, u32)>>,
    bare_sites: Vec<BareSite>,
}

/// A macro call without arguments whose macro may turn up later.
struct BareSite {
    name: Name,
    unit: u32,
    module: u32,
    done: usize,
}

/// Where the files of a scope's modules are.
#[derive(Clone)]
struct Dirs {
    /// The directory of the file.
    file: Utf8PathBuf,
    /// Where `mod x;` of each scope looks.
    scopes: Vec<Utf8PathBuf>,
}

impl Builder<'_> {
    /// Loads a file into `module`. `owns_dir`: a crate root, `mod.rs` or `#[path]` file, whose modules are beside it.
    fn load_file(&mut self, path: &Utf8Path, module: u32, owns_dir: bool, ancestors: &mut Vec<Utf8PathBuf>) -> bool {
        // A file that declares itself, or a very deep chain, is an error to rustc as well.
        if ancestors.iter().any(|seen| seen == path) || ancestors.len() > 256 {
            return false;
        }
        let file = self.db.files().file(self.db, path, self.it.edition);
        if !is_readable(self.db, file) {
            return false;
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
        ancestors.push(path.to_owned());
        self.add_unit(unit, module, dir, own, ancestors);
        ancestors.pop();
        true
    }

    fn add_unit(
        &mut self,
        unit: Unit,
        module: u32,
        file_dir: Utf8PathBuf,
        own: Utf8PathBuf,
        ancestors: &mut Vec<Utf8PathBuf>,
    ) {
        let number = self.map.units.len() as u32;
        let items = unit.items.clone();
        self.map.units.push(unit);
        let dirs = self.add_scopes(number, &items, module, file_dir, own);
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
        self.read_ahead(&items, &mods, &dirs);
        for decl in mods {
            self.add_mod(number, decl, &dirs, ancestors);
        }
        for (def, _) in items.defs.iter().zip(&absent_defs).filter(|(_, absent)| !**absent) {
            if let DefData::Site(site) = &def.data {
                self.add_site(number, def, site, &dirs, ancestors);
            }
        }
        self.expand_bare_sites(&dirs, ancestors);
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
        let module = Module {
            parent: Some(parent),
            name: scope.name,
            block: scope.owner.map(|def| DefId {
                krate,
                unit,
                def: def.0,
            }),
            macro_use: scope.macro_use,
            cfg: mix(around.cfg, scope.cfg),
            cfg_atoms: around.cfg_atoms.iter().chain(&scope.cfg_atoms).copied().collect(),
            test: around.test || scope.test,
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
                if let DefData::Macro(it) = &def.data
                    && let Some(expansion) = it.expansion
                {
                    self.expandable.entry(def.name).or_default().push((unit, expansion));
                }
            }
            DefKind::Impl | DefKind::Other => {}
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
    fn add_mod(&mut self, unit: u32, decl: &ModDecl, dirs: &Dirs, ancestors: &mut Vec<Utf8PathBuf>) {
        let places = places(&self.map.units[unit as usize].items, decl, dirs);
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
        };
        let module = self.add_module(unit, &scope, parent);
        for (path, owns_dir) in places {
            self.load_file(&path, module, owns_dir, ancestors);
        }
    }

    /// Has another thread read the files of these modules, the last first, while this one begins with the first.
    fn read_ahead(&self, items: &FileItems, mods: &[&ModDecl], dirs: &Dirs) {
        if mods.len() < 2 {
            return;
        }
        self.db.ahead(&mut || {
            let all = mods.iter().rev().flat_map(|decl| places(items, decl, dirs));
            let (paths, edition): (Vec<Utf8PathBuf>, _) = (all.map(|(path, _)| path).collect(), self.it.edition);
            Box::new(move |db| {
                for path in paths {
                    let file = db.files().file(db, &path, edition);
                    if is_readable(db, file) {
                        self::items(db, file);
                    }
                }
            })
        });
    }

    fn add_site(&mut self, unit: u32, def: &Def, site: &SiteFacts, dirs: &Dirs, ancestors: &mut Vec<Utf8PathBuf>) {
        let module = self.map.units[unit as usize].modules[def.scope.0 as usize];
        if let Some(path) = site.include.as_deref().and_then(|parts| self.include_path(parts, dirs)) {
            self.load_file(&path, module, true, ancestors);
        }
        if let (true, Some(&name)) = (site.bare, site.path.last()) {
            self.bare_sites.push(BareSite {
                name,
                unit,
                module,
                done: 0,
            });
        }
    }

    /// The file of an `include!`, unless the build script writes it.
    fn include_path(&self, parts: &[Name], dirs: &Dirs) -> Option<Utf8PathBuf> {
        let mut path = String::new();
        for part in parts {
            match part.as_str() {
                "$CARGO_MANIFEST_DIR" => path.push_str(self.root.as_str()),
                other if other.starts_with('$') => return None,
                other => path.push_str(other),
            }
        }
        Some(clean(&dirs.file.join(path)))
    }

    /// Puts what argument-less macros stand for where they are called.
    fn expand_bare_sites(&mut self, dirs: &Dirs, ancestors: &mut Vec<Utf8PathBuf>) {
        for at in 0..self.bare_sites.len() {
            loop {
                let site = &self.bare_sites[at];
                let (unit, module, name, done) = (site.unit, site.module, site.name, site.done);
                let Some(&(from, expansion)) = self.expandable.get(&name).and_then(|all| all.get(done)) else {
                    break;
                };
                self.bare_sites[at].done += 1;
                self.expand(unit, module, from, expansion, dirs, ancestors);
            }
        }
    }

    fn expand(
        &mut self,
        site_unit: u32,
        module: u32,
        from: u32,
        expansion: u32,
        dirs: &Dirs,
        ancestors: &mut Vec<Utf8PathBuf>,
    ) {
        let source = &self.map.units[from as usize];
        if source.expansion.len() > 16 {
            return;
        }
        let items = source.items.expansions[expansion as usize].clone();
        let unit = Unit {
            file: source.file,
            modules: Vec::with_capacity(items.scopes.len()),
            items,
            expansion: source.expansion.iter().copied().chain([expansion]).collect(),
            path: source.path,
            absent: Vec::new(),
        };
        // `mod x;` in the expansion looks where the call stands.
        let site_file = self.map.units[site_unit as usize].file.path(self.db);
        let same_file = ancestors.last() == Some(site_file);
        let (file, own) = if same_file {
            (dirs.file.clone(), dirs.scopes[0].clone())
        } else {
            let dir = site_file.parent().unwrap_or(Utf8Path::new("")).to_owned();
            (dir.clone(), dir)
        };
        self.add_unit(unit, module, file, own, ancestors);
    }
}

/// The files that a `mod x;` of a file may mean, and whether each has its modules beside it.
fn places(items: &FileItems, decl: &ModDecl, dirs: &Dirs) -> Vec<(Utf8PathBuf, bool)> {
    let around = &dirs.scopes[decl.scope.0 as usize];
    // Only inline modules lead into directories of their own; a block is where its file is.
    let outward = |scope: &ScopeIdx| items.scopes[scope.0 as usize].parent;
    let mut inside = std::iter::successors(Some(decl.scope), outward);
    let in_module = inside.any(|scope| scope.0 != 0 && items.scopes[scope.0 as usize].name.is_some());
    let from = if in_module { around } else { &dirs.file };
    let named = decl.paths.iter().map(|path| (clean(&from.join(path.as_str())), true));
    let mut places: Vec<(Utf8PathBuf, bool)> = named.collect();
    if !decl.fixed_path {
        places.push((around.join(format!("{}.rs", decl.name)), false));
        places.push((around.join(decl.name.as_str()).join("mod.rs"), true));
    }
    places
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
