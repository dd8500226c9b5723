//! What a closure depends on besides definitions: R10 (proc macros as programs), R12 (files, environment, build
//! scripts, positions), R13 (`cfg`, features, editions, settings).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use astrocache_manifest::ALL_CFGS;
use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{fingerprint, inputs, own::Own, source_file};
use crate::{
    db::{Db, Workspace, bodies},
    project::{CrateId, CrateKind, PackageId, PackageSource},
    reach::Closure,
    resolve::{CrateMap, DefId, ModId, Reads, UnitId, Uses, World},
    syntax::{Def, DefBody, DefKind, FileBodies, Hash, Include, Name},
};

/// See the module.
#[derive(Default)]
pub struct Facts {
    /// Sorted; part of the fingerprint.
    pub lines: BTreeSet<String>,
    pub cfgs: BTreeSet<String>,
    pub env: BTreeSet<String>,
    pub files: BTreeSet<Utf8PathBuf>,
    pub reads: Reads,
}

/// A line of [`Facts::lines`] without its value, as a person would say it. Both sides of a change give the same.
pub fn say(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let from = |at: usize, to: usize| {
        words
            .get(at..words.len().saturating_sub(to))
            .unwrap_or_default()
            .join(" ")
    };
    let at = |at: usize| words.get(at).copied().unwrap_or_default();
    match (at(0), at(1)) {
        ("profile", key) => format!("the profile setting `{key}`"),
        ("cfg", _) => format!("`--cfg {}` in rustflags", from(1, 0)),
        ("edition", package) => format!("the edition of package `{package}`"),
        // A version that is not needed leaves two blanks.
        ("feature", package) => format!("feature `{}` of package `{package}`", at(3)),
        ("package", _) => format!("`{}` of package `{}`", at(3), at(2)),
        ("env", name) => format!("`{name}` in `[env]`"),
        ("include", package) => format!("the included file `{}` of package `{package}`", from(2, 1)),
        ("build", "script") if words.len() > 3 => format!("the build script of package `{}`", at(2)),
        ("build", "script") => "a build script of the workspace".to_owned(),
        ("build", "input") => match from(3, 1).as_str() {
            "" => format!("a file of package `{}` (its build script declares no inputs)", at(2)),
            path => format!("build input `{path}` of package `{}`", at(2)),
        },
        ("pinned", package) => format!("the version of package `{package}`, whose code is not followed"),
        ("read", package) => format!("`{}` of package `{package}`, which a proc macro may read", from(2, 1)),
        ("proc", _) => "a proc macro that it uses".to_owned(),
        ("position", _) => {
            let path = line.rsplit(' ').nth(1).unwrap_or_default();
            format!("the place of code in `{path}` that can tell where it stands")
        }
        _ => line.to_owned(),
    }
}

/// What becomes of the programs that a closure stands on: proc macros and build scripts.
pub enum Programs {
    /// Each stands as its fingerprint.
    Nested,
    /// They are collected here, for whoever asks to look at each once.
    Collected(Vec<DefId>),
}

/// What one pass over the closure's definitions finds.
#[derive(Default)]
struct Found {
    packages: BTreeSet<PackageId>,
    crates: BTreeSet<CrateId>,
    atoms: BTreeMap<PackageId, BTreeSet<&'static str>>,
    env: BTreeMap<&'static str, BTreeSet<PackageId>>,
    includes: Vec<(DefId, Include)>,
    /// `Location::caller` or a panic hook is named: every place of the closure may be told.
    locations: bool,
    /// Definitions that can tell their own place: by `line!()`, or by a macro that holds it.
    positions: Vec<DefId>,
}

pub fn collect(
    db: &dyn Db,
    workspace: Workspace,
    world: &World<'_>,
    root: DefId,
    closure: &Closure,
    own: &mut Own<'_>,
    programs: &mut Programs,
) -> Facts {
    let found = survey(world, closure, own);
    let mut facts = Facts::default();
    settings(world, &found, &mut facts);
    editions(world, &found, &mut facts);
    cfgs(world, root, &found, &mut facts);
    environment(world, &found, &mut facts);
    for (id, include) in &found.includes {
        included(db, world, *id, include, &mut facts);
    }
    match found.locations {
        true => positions(db, world, closure.items.iter().map(|item| item.id), &mut facts),
        false => positions(db, world, found.positions.into_iter(), &mut facts),
    }
    for &package in &found.packages {
        inputs::of_build_script(db, workspace, world, package, programs, &mut facts);
    }
    grammar(world, root, &mut facts);
    for &krate in &closure.generated {
        pins(world, world.seen_by(krate).iter().copied(), &mut facts);
    }
    for &entry in &closure.proc_macros {
        program(db, workspace, entry, "proc macro", programs, &mut facts);
    }
    inputs::of_proc_macro(db, workspace, world, &closure.calls, &mut facts);
    facts
}

fn survey(world: &World<'_>, closure: &Closure, own: &mut Own<'_>) -> Found {
    let mut found = Found::default();
    let mut places = Places::default();
    let mut modules: FxHashSet<ModId> = FxHashSet::default();
    let mut atoms: FxHashSet<(PackageId, Name)> = FxHashSet::default();
    let mut pasted: BTreeMap<CrateId, BTreeSet<&'static str>> = BTreeMap::new();
    for item in &closure.items {
        let id = item.id;
        let (Some(map), Some(def)) = (world.map(id.krate), world.def(id)) else {
            continue;
        };
        let package = map.package;
        if found.crates.insert(id.krate) {
            // A build script does not stand for itself.
            if map.kind != CrateKind::BuildScript {
                found.packages.insert(package);
            }
            atoms.extend(import_atoms(map).map(|atom| (package, atom)));
        }
        let module = map.module_of(id.unit, def.scope);
        if modules.insert(module) {
            let around = &map.modules[module.module as usize].cfg_atoms;
            atoms.extend(around.iter().map(|&atom| (package, atom)));
        }
        let unit = own.unit(id);
        places.add(id, def, unit.body(id.def), unit.uses(world, id.def));
        let Some(body) = unit.body(id.def) else { continue };
        atoms.extend(body.cfg_atoms.iter().map(|&atom| (package, atom)));
        if def.kind == DefKind::Macro {
            let atoms = body.cfg_atoms.iter().map(|atom| atom.as_str());
            pasted.entry(id.krate).or_default().extend(atoms);
        }
        for name in &body.effects.env {
            found.env.entry(name.as_str()).or_default().insert(package);
        }
        let includes = body.effects.includes.iter();
        found.includes.extend(includes.map(|include| (id, include.clone())));
    }
    for (package, atom) in atoms {
        found.atoms.entry(package).or_default().insert(atom.as_str());
    }
    // What a macro asks for is answered by the crate that it is pasted into.
    for (mac, atoms) in &pasted {
        for &krate in found.crates.iter().filter(|&&it| it != *mac && world.sees(it, *mac)) {
            let package = world.project.krate(krate).package;
            found.atoms.entry(package).or_default().extend(atoms);
        }
    }
    found.locations = places.locations;
    found.positions = places.telling();
    found
}

/// What a proc macro is written with stands as the lock file pins it: see [`World::is_grammar`].
fn grammar(world: &World<'_>, root: DefId, facts: &mut Facts) {
    if world.project.krate(root.krate).kind != CrateKind::ProcMacro {
        return;
    }
    let crates = world.project.crate_ids();
    let of_grammar = crates.filter(|&it| world.needs(root.krate, it) && world.is_grammar(it));
    pins(world, of_grammar, facts);
}

/// Crates that stand as the lock file pins their packages.
fn pins(world: &World<'_>, crates: impl Iterator<Item = CrateId>, facts: &mut Facts) {
    for krate in crates {
        let package = world.project.package_of(krate);
        if let PackageSource::Locked { pin } = &package.source {
            let line = format!("pinned {} {} {pin}", package.name, package.version);
            facts.lines.insert(line);
        }
    }
}

/// Which definitions can tell where they stand.
#[derive(Default)]
struct Places {
    /// `Location::caller`, or a panic hook, is named: it is told where a panic stands.
    locations: bool,
    /// Those with `line!()` and its kin.
    own: Vec<DefId>,
    macros: FxHashSet<DefId>,
    /// Who calls a macro: what the macro tells is where the outermost call stands.
    callers: FxHashMap<DefId, Vec<DefId>>,
}

impl Places {
    fn add(&mut self, id: DefId, def: &Def, body: Option<&DefBody>, uses: &Uses) {
        if body.is_some_and(|body| body.effects.positions) {
            self.own.push(id);
        }
        if def.kind == DefKind::Macro {
            self.macros.insert(id);
        }
        self.locations |= uses.tells_places;
        for &called in &uses.macros {
            self.callers.entry(called).or_default().push(id);
        }
    }

    /// Those with `line!()`, and those that call a macro which has it; no macros.
    fn telling(self) -> Vec<DefId> {
        let mut telling: BTreeSet<DefId> = self.own.iter().copied().collect();
        let mut queue = self.own;
        while let Some(id) = queue.pop() {
            if self.macros.contains(&id) {
                let callers = self.callers.get(&id).into_iter().flatten();
                queue.extend(callers.copied().filter(|&caller| telling.insert(caller)));
            }
        }
        telling.into_iter().filter(|id| !self.macros.contains(id)).collect()
    }
}

/// `cfg`s on imports decide what names mean, anywhere in the crate.
fn import_atoms(map: &CrateMap) -> impl Iterator<Item = Name> {
    let imports = map.units.iter().flat_map(|unit| &unit.items.imports);
    imports.flat_map(|import| import.cfg_atoms.iter().copied())
}

fn settings(world: &World<'_>, found: &Found, facts: &mut Facts) {
    let settings = &world.project.settings;
    for (key, value) in &settings.profile {
        facts.lines.insert(format!("profile {key} = {value}"));
    }
    let atoms: BTreeSet<&str> = found.atoms.values().flatten().copied().collect();
    for cfg in settings
        .cfgs
        .iter()
        .filter(|cfg| atoms.contains(cfg.replace(' ', "").as_str()))
    {
        facts.lines.insert(format!("cfg {cfg}"));
    }
}

fn editions(world: &World<'_>, found: &Found, facts: &mut Facts) {
    for &krate in &found.crates {
        let it = world.project.krate(krate);
        let package = world.project.package(it.package);
        facts
            .lines
            .insert(format!("edition {} {} {:?}", package.name, it.name, it.edition));
    }
}

/// Features that occur in the closure of their package, on or off; other predicates are left to the build context.
fn cfgs(world: &World<'_>, root: DefId, found: &Found, facts: &mut Facts) {
    let home = world.project.krate(root.krate).package;
    for (&id, atoms) in &found.atoms {
        let package = world.project.package(id);
        for atom in atoms {
            if *atom == ALL_CFGS {
                facts.cfgs.insert(format!("{} features", package.name));
            }
            let Some(feature) = atom.strip_prefix("feature=").map(|value| value.trim_matches('"')) else {
                facts.cfgs.insert((*atom).to_owned());
                continue;
            };
            // Those of building the root's package; a program (proc macro) that is no member has those of all members.
            let on = match world.project.package(home).member {
                true => world.project.features_of(home, id).contains(feature),
                false => package.features.contains(feature),
            };
            facts.lines.insert(format!(
                "feature {} {} {feature} {on}",
                package.name,
                version(world, id)
            ));
            facts.cfgs.insert(format!("{} {atom}", package.name));
        }
    }
}

fn version<'w>(world: &'w World<'_>, id: PackageId) -> &'w str {
    let package = world.project.package(id);
    if package.ambiguous { &package.version } else { "" }
}

fn environment(world: &World<'_>, found: &Found, facts: &mut Facts) {
    for (&name, packages) in &found.env {
        for &id in packages {
            let package = world.project.package(id);
            if let Some(value) = package.env.get(name) {
                facts
                    .lines
                    .insert(format!("package env {} {name} = {value}", package.name));
            } else if let Some(value) = world.project.settings.env.get(name) {
                facts.lines.insert(format!("env {name} = {value}"));
            }
        }
        if !name.starts_with("CARGO_PKG_") && name != "OUT_DIR" && name != "CARGO_MANIFEST_DIR" {
            facts.env.insert(name.to_owned());
        }
    }
}

/// `include_str!`, `include_bytes!`, `include!`: the file's content.
fn included(db: &dyn Db, world: &World<'_>, id: DefId, include: &Include, facts: &mut Facts) {
    let package = world.project.package_of(id.krate);
    let Some(file) = source_file(world, id) else {
        return;
    };
    let mut text = String::new();
    for part in &include.parts {
        match part.as_str() {
            "$CARGO_MANIFEST_DIR" => text.push_str(package.root.as_str()),
            // Written by the build script, which stands for it.
            "$OUT_DIR" => return,
            other => text.push_str(other),
        }
    }
    let dir = file.path(db).parent().unwrap_or(Utf8Path::new(""));
    let path = dir.join(&text);
    let content = db.files().blob(db, &path).revision(db);
    facts.reads.data.insert(path.clone());
    let shown: Vec<&str> = include.parts.iter().map(|part: &Name| part.as_str()).collect();
    facts
        .lines
        .insert(format!("include {} {} {}", package.name, shown.concat(), hex(content)));
    if package.source == PackageSource::Path {
        facts.files.insert(path);
    }
}

/// Lines and columns can be seen: where these definitions stand joins the fingerprint.
fn positions(db: &dyn Db, world: &World<'_>, ids: impl Iterator<Item = DefId>, facts: &mut Facts) {
    let mut texts: FxHashMap<UnitId, Arc<FileBodies>> = FxHashMap::default();
    let mut lines = Vec::new();
    for id in ids {
        let Some(unit) = world.map(id.krate).map(|map| &map.units[id.unit as usize]) else {
            continue;
        };
        let bodies = texts.entry((id.krate, id.unit)).or_insert_with(|| {
            // Bodies are equal to a query wherever they stand: with the revision these are those of the text as it is.
            let _ = unit.file.revision(db);
            bodies(db, unit.file)
        });
        let body = bodies.unit(&unit.expansion).get(id.def as usize);
        let layout = body.map_or(0, |body| body.layout);
        let (identity, path) = (list(&world.identity(id)), unit.path);
        lines.push(format!("position {identity} {path} {layout:x}"));
    }
    // Built at once and joined: one by one they take twice the time.
    facts.lines.append(&mut lines.into_iter().collect());
    facts.reads.texts.extend(texts.keys());
}

/// `[1, 20, 255]`: as `{:?}` has it, in a fifth of the time, for there may be a line for each definition.
fn list(bytes: &Hash) -> String {
    let mut out = String::with_capacity(5 * bytes.len());
    for byte in bytes {
        out.push_str(if out.is_empty() { "[" } else { ", " });
        let digits = [byte / 100, byte / 10 % 10, byte % 10].map(|digit| char::from(b'0' + digit));
        let zeros = digits.iter().take(2).take_while(|digit| **digit == '0').count();
        out.extend(&digits[zeros..]);
    }
    out.push(']');
    out
}

/// A program that runs while the closure is compiled: its own closure, from its entry.
pub(super) fn program(
    db: &dyn Db,
    workspace: Workspace,
    entry: DefId,
    role: &str,
    programs: &mut Programs,
    facts: &mut Facts,
) {
    if let Programs::Collected(entries) = programs {
        facts.lines.insert(role.to_owned());
        entries.push(entry);
        return;
    }
    let printed = fingerprint(db, workspace, entry);
    facts.lines.insert(format!("{role} {}", printed.fingerprint));
    facts.files.extend(printed.files.iter().cloned());
    facts.reads.extend(&printed.reads);
    facts.env.extend(printed.env.iter().cloned());
    // What it does depends on the features of its packages. Other `cfg`s hold for the host, and follow from the profile.
    let features = printed.cfgs.iter().filter(|it| it.contains(" feature"));
    facts.cfgs.extend(features.cloned());
}

pub(super) fn hex(content: Option<[u8; 32]>) -> String {
    content.map_or("missing".to_owned(), |bytes| {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_listed_as_they_are_for_debugging() {
        let bytes: [u8; 16] = [0, 1, 9, 10, 11, 42, 99, 100, 101, 109, 110, 199, 200, 250, 254, 255];
        assert_eq!(list(&bytes), format!("{bytes:?}"));
    }
}
