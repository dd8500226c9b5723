//! What macro calls add to the module tree: items that a call without arguments stands for, and files of modules that a macro
//! declares (`mod $x;`).

use camino::Utf8Path;
use rustc_hash::{FxHashMap, FxHashSet};

use super::build::{Builder, is_in_module};
use crate::{
    db::is_readable,
    resolve::{
        crate_map::{Entry, Unit},
        ids::DefId,
    },
    syntax::{Def, DefData, DefIdx, DefKind, MacroFacts, ModDecl, Name, SiteFacts},
};

/// A call in item or statement position.
struct Call {
    unit: u32,
    site: DefIdx,
    /// So many macros of its name were spelled out.
    done: usize,
    /// Modules that it was asked for.
    tried: FxHashSet<Name>,
}

/// The modules that a call may declare: `mod x;`, `#[path = ".."] mod $x;`.
#[derive(Clone, Default)]
struct Declared {
    names: Vec<Name>,
    paths: Vec<Name>,
    /// Any of its arguments may be a module.
    args: bool,
}

/// A macro may be what it seems, or make something else of the same words.
const MAYBE: u64 = 0x6d61_7962_6520_6d61;

/// Follows the calls of all units, and of those that come by it.
pub fn follow_calls(builder: &mut Builder<'_>) {
    let mut calls: Vec<Call> = Vec::new();
    let mut scanned = 0;
    loop {
        let known = builder.map.units.len();
        for unit in scanned..known {
            calls.extend(calls_in(&builder.map.units[unit], unit as u32));
        }
        scanned = known;
        let mut declared = FxHashMap::default();
        for call in &mut calls {
            builder.spell_out(call);
            builder.add_declared(call, &mut declared);
        }
        if builder.map.units.len() == known {
            break;
        }
    }
}

fn calls_in(unit: &Unit, number: u32) -> impl Iterator<Item = Call> {
    let present = unit.items.def_ids().filter(|idx| !unit.absent[idx.0 as usize]);
    let sites = present.filter(|&idx| {
        let def = unit.items.def(idx);
        def.kind == DefKind::MacroSite && def.parent.is_none()
    });
    sites.map(move |site| Call {
        unit: number,
        site,
        done: 0,
        tried: FxHashSet::default(),
    })
}

impl Builder<'_> {
    /// Puts what macros without arguments stand for where one is called.
    fn spell_out(&mut self, call: &mut Call) {
        let items = self.map.units[call.unit as usize].items.clone();
        let Some((site, def)) = site(items.def(call.site)) else {
            return;
        };
        while let (true, Some(&mac)) = (site.bare, self.macros.get(&def.name).and_then(|all| all.get(call.done))) {
            call.done += 1;
            if let Some(expansion) = self.facts(mac).and_then(|it| it.expansion) {
                self.expand(call.unit, def, mac.unit, expansion);
            }
        }
    }

    fn expand(&mut self, from: u32, call: &Def, mac: u32, expansion: u32) {
        let source = &self.map.units[mac as usize];
        let path: Box<[u32]> = source.expansion.iter().copied().chain([expansion]).collect();
        if self.leads_to(Some(from), source.file.path(self.db), &path) {
            return;
        }
        let items = source.items.expansions[expansion as usize].clone();
        let unit = Unit {
            file: source.file,
            modules: Vec::with_capacity(items.scopes.len()),
            items,
            expansion: path,
            path: source.path,
            absent: Vec::new(),
        };
        // `mod x;` in the expansion looks where the call stands.
        let caller = &self.map.units[from as usize];
        let module = caller.modules[call.scope.0 as usize];
        let dirs = &self.origins[from as usize].dirs;
        let own = dirs.scopes[call.scope.0 as usize].clone();
        let file = match is_in_module(&caller.items, call.scope) {
            true => own.clone(),
            false => dirs.file.clone(),
        };
        self.add_unit(unit, module, file, own, Some(from));
    }

    /// Adds the modules that a call may declare, of those that have a file.
    fn add_declared(&mut self, call: &mut Call, known: &mut FxHashMap<Name, Declared>) {
        let items = self.map.units[call.unit as usize].items.clone();
        let Some((site, def)) = site(items.def(call.site)) else {
            return;
        };
        let mut all = match self.macros.contains_key(&def.name) {
            true => known
                .entry(def.name)
                .or_insert_with(|| self.declared_by(def.name))
                .clone(),
            // A macro of another crate that is given nothing but names.
            false => Declared {
                args: site.words,
                ..Declared::default()
            },
        };
        let written = site.tokens.mods.as_deref();
        all.names.extend(written.into_iter().flat_map(|it| &it.names));
        all.paths.extend(written.into_iter().flat_map(|it| &it.paths));
        if all.args {
            all.names.extend(&site.idents);
        }
        for name in all.names {
            if call.tried.insert(name) {
                let decl = ModDecl {
                    scope: def.scope,
                    name,
                    paths: all.paths.as_slice().into(),
                    macro_use: true,
                    cfg: def.cfg ^ MAYBE,
                    cfg_atoms: Box::default(),
                    when: None,
                    test: def.flags.test,
                    fixed_path: false,
                };
                self.add_if_there(call.unit, &decl);
            }
        }
    }

    /// What a macro, and those that it calls, may declare.
    fn declared_by(&self, name: Name) -> Declared {
        let mut out = Declared::default();
        let mut names = vec![name];
        let mut seen = FxHashSet::default();
        while let Some(name) = names.pop() {
            if !seen.insert(name) {
                continue;
            }
            let macros = self.macros.get(&name).into_iter().flatten();
            for it in macros.filter_map(|&mac| self.facts(mac)) {
                if let Some(mods) = &it.tokens.mods {
                    out.names.extend(&mods.names);
                    out.paths.extend(&mods.paths);
                    out.args |= mods.arg;
                }
                names.extend(it.calls.iter().filter_map(|path| path.last()));
            }
        }
        out
    }

    fn add_if_there(&mut self, unit: u32, decl: &ModDecl) {
        let module = self.map.units[unit as usize].modules[decl.scope.0 as usize];
        let entries = self.map.modules[module as usize].names.get(&decl.name);
        let is_written = |it: &Entry| matches!(it, Entry::Mod { cfg: 0, .. });
        if entries.into_iter().flatten().any(is_written) {
            return;
        }
        let is_there = |path: &Utf8Path| {
            let file = self.db.files().file(self.db, path, self.it.edition);
            is_readable(self.db, file)
        };
        if self.places(unit, decl).iter().any(|(path, _)| is_there(path)) {
            self.add_mod(unit, decl);
        }
    }

    fn facts(&self, mac: DefId) -> Option<&MacroFacts> {
        match &self.map.def(mac).data {
            DefData::Macro(it) => Some(it),
            _ => None,
        }
    }
}

fn site(def: &Def) -> Option<(&SiteFacts, &Def)> {
    match &def.data {
        DefData::Site(site) => Some((site, def)),
        _ => None,
    }
}
