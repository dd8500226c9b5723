//! R10: derives, attribute macros, function-like proc macros.
//!
//! A proc macro is a program: its own closure, from its entry, stands for what it may do (the fingerprint adds it).
//! What it *emits* runs in the closure. Emitted names are found in the `quote!` tokens, and in the strings, of the
//! functions that its entry reaches; they are looked up where the output is pasted, and in the crates that depend
//! directly on the proc-macro package (a derive's output speaks of its own runtime crate), with what those can see.
//! Never in the proc-macro crate itself, whose names the output cannot use.
//!
//! `syn`, `quote` and `proc-macro2` as published are taken for proc macros as std is for everything: their pins in the lock
//! file stand for them, and impls of their traits are live whole.

use std::{collections::BTreeSet, sync::Arc};

use super::{Call, Rule, closure, flood::Flood, opened_files::words};
use crate::{
    db::{Db, Workspace},
    project::{CrateId, CrateKind, PackageSource},
    resolve::{DefId, Meaning, ModId, Ns, Res, Resolution, Use},
    syntax::{DefData, DefKind, MentionKind, Name, StdTraits, known},
};

/// The tokens that a proc macro may emit: paths, and methods (flagged).
#[salsa::tracked(returns(clone), no_eq)]
pub fn emitted(db: &dyn Db, workspace: Workspace, entry: DefId) -> Arc<Vec<(Box<[Name]>, bool)>> {
    let mut all = closure(db, workspace, entry).quoted.clone();
    all.sort_by(|a, b| key(a).cmp(&key(b)));
    all.dedup();
    Arc::new(all)
}

fn key(it: &(Box<[Name]>, bool)) -> (bool, Vec<&'static str>) {
    (it.1, it.0.iter().map(|name| name.as_str()).collect())
}

impl Flood<'_> {
    pub fn proc_macro_use(&mut self, id: DefId, it: &Use) {
        let Meaning::Path(resolution) = &it.meaning else {
            return;
        };
        let mut found = false;
        for target in &resolution.targets {
            match target.res {
                Res::Def(def) => {
                    found = true;
                    self.attribute_target(def, it.module);
                    self.told(id, def, it.module);
                    if it.kind == MentionKind::Attribute {
                        self.handed_items(id, def);
                    }
                }
                Res::External(_) => found = true,
                Res::Mod(_) => {}
            }
        }
        if !found || resolution.unresolved.is_some() {
            self.unresolved_macro(it, 0);
        }
    }

    /// `#[methods] impl X { .. }`, `#[bridge] mod x { .. }`: what the macro makes of it may call any of the items.
    fn handed_items(&mut self, holder: DefId, entry: DefId) {
        if !self.is_proc_macro(entry) || self.world.is_ours(entry.krate) {
            return;
        }
        let world = self.world.clone();
        let is_module = self.def(holder).is_some_and(|it| it.kind == DefKind::Module);
        if let (true, Some(map)) = (is_module, world.map(holder.krate)) {
            for item in map.def_ids().filter(|&it| world.rewritten(it) == Some(holder)) {
                self.mark(item, Rule::R10);
            }
        } else {
            let index = self.index(holder.krate);
            for &item in index.items_of(holder) {
                self.mark(item, Rule::R10);
            }
        }
    }

    /// `.#name(..)` or `module::#name` in what a proc macro emits: every word in the attributes of its item, or in the arguments of its call, may be
    /// that, as with clap's `#[arg(ignore_case)]`.
    pub fn told(&mut self, item: DefId, entry: DefId, module: ModId) {
        let inside = self.world.project.krate(self.krate).kind == CrateKind::ProcMacro;
        if !self.is_proc_macro(entry) || self.world.is_ours(entry.krate) || inside {
            return;
        }
        let any_method: (Box<[Name]>, bool) = ([known::WILDCARD].into(), true);
        let is_method = emitted(self.db, self.workspace, entry).contains(&any_method);
        let holders = self.named_modules(entry, module);
        if !is_method && holders.is_empty() {
            return;
        }
        let homes = self.runtime_crates(entry.krate, module.krate);
        let world = self.world.clone();
        let graph = self.graph(item);
        let told = graph.of(&world, item.def).all.iter();
        for it in told.filter(|it| matches!(it.kind, MentionKind::AttributePath | MentionKind::TokenArg)) {
            let name = it.path[it.path.len() - 1];
            self.item_of_each(&holders, name);
            if is_method {
                self.emitted_method(name, module, &homes);
            }
        }
    }

    fn attribute_target(&mut self, def: DefId, module: ModId) {
        match self.def(def).map(|it| &it.data) {
            Some(DefData::ProcMacro(_)) => self.proc_macro(def, module),
            _ => self.mark(def, Rule::R10),
        }
    }

    /// A proc macro's output is pasted into `module`.
    pub fn proc_macro(&mut self, entry: DefId, module: ModId) {
        self.opens(entry, module);
        if !self.emitted.insert((entry, module)) {
            return;
        }
        // `#[cached]` itself adds nothing of the user's.
        if self.world.is_ours(entry.krate) {
            return;
        }
        self.out.proc_macros.insert(entry);
        // Inside a proc-macro crate there is no output to follow.
        if self.world.project.krate(self.krate).kind == CrateKind::ProcMacro {
            return;
        }
        let homes = self.runtime_crates(entry.krate, module.krate);
        let tokens = emitted(self.db, self.workspace, entry);
        // Operators can be built without being quoted.
        self.std_traits(StdTraits::OPERATORS.and(closure(self.db, self.workspace, entry).emitted));
        for (path, method) in tokens.iter() {
            if *method {
                self.emitted_method(path[0], module, &homes);
            } else {
                self.emitted_path(entry, path, module, &homes);
            }
        }
    }

    /// Files that the macro opens may hold code: templates.
    fn opens(&mut self, entry: DefId, module: ModId) {
        let caller = self.current.map(|at| self.out.items[at as usize].id);
        let Some(caller) = caller.filter(|_| !self.world.is_ours(entry.krate)) else {
            return;
        };
        let mut calls = vec![Call {
            entry,
            unit: (caller.krate, caller.unit),
            def: Some(caller.def),
        }];
        // What a macro is given stands where that is called.
        let is_macro = self.def(caller).is_some_and(|it| it.kind == DefKind::Macro);
        calls.extend(self.world.unit_of(module).filter(|_| is_macro).map(|unit| Call {
            entry,
            unit: (module.krate, unit),
            def: None,
        }));
        let inside = self.world.project.krate(self.krate).kind == CrateKind::ProcMacro;
        for call in calls {
            if !self.out.calls.insert(call) || inside {
                continue;
            }
            let words = words(self.db, self.workspace, call);
            if words.is_empty() {
                continue;
            }
            let homes = self.runtime_crates(entry.krate, module.krate);
            let holders = self.named_modules(entry, module);
            for &word in words.iter() {
                self.emitted_at(entry, &[word], module);
                self.emitted_method(word, module, &homes);
                self.item_of_each(&holders, word);
            }
        }
    }

    /// Modules of the caller's that the macro's output names.
    fn named_modules(&self, entry: DefId, module: ModId) -> BTreeSet<ModId> {
        let tokens = emitted(self.db, self.workspace, entry);
        let paths = tokens
            .iter()
            .filter(|(path, method)| !*method && !path.contains(&known::WILDCARD));
        let targets = paths.flat_map(|(path, _)| self.world.resolve_written(module, path, Ns::Type).targets);
        let named = targets.filter_map(|target| match target.res {
            Res::Mod(named) if named.krate == module.krate && named.module != 0 => Some(named),
            _ => None,
        });
        named.collect()
    }

    fn item_of_each(&mut self, holders: &BTreeSet<ModId>, name: Name) {
        for &holder in holders {
            self.module_item(holder, name, Rule::R10);
        }
    }

    /// Crates that the deriving crate can see and that depend directly on the proc macro.
    fn runtime_crates(&self, proc_macro: CrateId, deriving: CrateId) -> Vec<ModId> {
        let project = &self.world.project;
        let direct = project.crate_ids().filter(|&krate| {
            self.world.sees(deriving, krate)
                && project.krate(krate).kind == CrateKind::Lib
                && project.krate(krate).deps.iter().any(|dep| dep.krate == proc_macro)
        });
        direct.map(|krate| ModId { krate, module: 0 }).collect()
    }

    fn emitted_method(&mut self, name: Name, module: ModId, homes: &[ModId]) {
        let crates: Vec<CrateId> = std::iter::once(module.krate)
            .chain(homes.iter().map(|home| home.krate))
            .collect();
        for krate in crates {
            self.inherent_methods(name, krate, Rule::R10);
        }
        let mut traits = self.in_scope_with(module, name);
        traits.extend(self.demands.objects_with.get(&name).into_iter().flatten());
        traits.extend(self.demands.live_with.get(&name).into_iter().flatten());
        self.demand_each(traits, name, Rule::R10);
        for krate in std::iter::once(module.krate).chain(homes.iter().map(|home| home.krate)) {
            self.demands.open_assoc.entry(name).or_default().insert(krate);
        }
    }

    fn emitted_path(&mut self, entry: DefId, path: &[Name], module: ModId, homes: &[ModId]) {
        let path: &[Name] = match path {
            [known::DOLLAR_CRATE, rest @ ..] => rest,
            other => other,
        };
        if let [before @ .., known::WILDCARD] = path {
            return self.emitted_from(before, module);
        }
        if path.is_empty() || self.emitted_at(entry, path, module) || path.len() == 1 {
            return;
        }
        let mut found = false;
        for &home in homes {
            for start in 0..path.len() - 1 {
                let tail = &path[start..];
                if !tail.contains(&known::WILDCARD) && self.emitted_at(entry, tail, home) {
                    found = true;
                    break;
                }
            }
        }
        if !found {
            self.emitted_tail(entry, path, module, homes);
        }
    }

    /// `filters::#name`: of a module of the user's anything.
    fn emitted_from(&mut self, path: &[Name], module: ModId) {
        if path.is_empty() || path.contains(&known::WILDCARD) {
            return;
        }
        for target in self.world.resolve_written(module, path, Ns::Type).targets {
            match target.res {
                Res::Mod(named) if named.krate == module.krate && named.module != 0 => self.whole_module(named),
                _ => {}
            }
        }
    }

    /// Resolves a token as code of `module` would; whether it means anything analyzed.
    fn emitted_at(&mut self, entry: DefId, path: &[Name], module: ModId) -> bool {
        if path.contains(&known::WILDCARD) || path[0] == known::SELF_TYPE || path[0] == known::ANY_TYPE {
            return false;
        }
        let mut found = false;
        let written_somewhere = self.world.is_written(module, path);
        for ns in [Ns::Value, Ns::Type, Ns::Macro] {
            // What generated code around may hold is no evidence of a meaning: the token is of generated code itself.
            let written = self.world.resolve_written(module, path, ns);
            let is_written = written.unresolved.is_none();
            let resolution = if is_written || written_somewhere {
                written
            } else {
                self.made_by_others(entry, path, self.world.resolve(module, path, ns))
            };
            if resolution.unresolved.is_some() {
                continue;
            }
            found |= is_written;
            for target in &resolution.targets {
                match (target.res, resolution.assoc_from) {
                    (Res::Def(def), Some(at)) => self.assoc(entry, def, &path[at..], module),
                    (Res::Def(def), None)
                        if matches!(self.def(def).map(|it| &it.data), Some(DefData::ProcMacro(_))) =>
                    {
                        self.proc_macro(def, module);
                    }
                    (Res::Def(def), None) => self.mark(def, Rule::R10),
                    _ => {}
                }
            }
        }
        found
    }

    /// Of items whose derives or attributes may make what `path` names, those that have one which defines such a name. What
    /// a macro defines itself, each of its outputs has for itself.
    fn made_by_others(&mut self, entry: DefId, path: &[Name], mut found: Resolution) -> Resolution {
        found.targets.retain(|target| match target.res {
            Res::Def(def) if !self.world.is_site(target.res) => {
                let macros = self.macros_on(def);
                macros.is_empty() || macros.iter().any(|&it| it != entry && self.defines(it, path))
            }
            _ => true,
        });
        found
    }

    /// The proc macros among the attributes of a definition. One that is not found is told to one that is, or nothing is known.
    fn macros_on(&self, def: DefId) -> Vec<DefId> {
        let (Some(it), Some(module)) = (self.def(def), self.world.module_of(def)) else {
            return Vec::new();
        };
        let attrs = it.attrs.iter().filter(|attr| !attr.is_std());
        let found = attrs.flat_map(|attr| self.world.resolve_written(module, &attr.path, Ns::Macro).targets);
        found
            .filter_map(|target| match target.res {
                Res::Def(mac) if self.is_proc_macro(mac) => Some(mac),
                _ => None,
            })
            .collect()
    }

    fn defines(&self, entry: DefId, path: &[Name]) -> bool {
        let names = &closure(self.db, self.workspace, entry).quoted_names;
        path.iter().any(|name| names.contains(name))
    }

    /// `_serde::#private::de::missing_field`: the head is a name of the output's own, so the last segments must do.
    fn emitted_tail(&mut self, entry: DefId, path: &[Name], module: ModId, homes: &[ModId]) {
        let (last, before) = (path[path.len() - 1], path[path.len() - 2]);
        let mut places: BTreeSet<CrateId> = BTreeSet::from([module.krate]);
        for home in homes.iter().filter(|home| home.krate != module.krate) {
            places.extend(self.world.seen_by(home.krate));
        }
        if !self.emitted_tail_in(entry, last, before, module, &places) {
            let rest = self.world.seen_by(module.krate).iter().copied();
            let rest = rest.filter(|krate| !places.contains(krate)).collect();
            self.emitted_tail_in(entry, last, before, module, &rest);
        }
        if matches!(before, known::WILDCARD | known::ANY_TYPE | known::SELF_TYPE) {
            self.open_item(entry, last, module, false);
            self.any_assoc(last, module.krate);
        }
    }

    /// `before::last` in these crates, as a module and what it holds, or a type and its item; whether there is any.
    fn emitted_tail_in(
        &mut self,
        entry: DefId,
        last: Name,
        before: Name,
        module: ModId,
        crates: &BTreeSet<CrateId>,
    ) -> bool {
        let world = self.world.clone();
        let mut is_any = false;
        for &krate in crates {
            let Some(names) = world.names(krate) else { continue };
            for &def in names.definitions.get(&last).into_iter().flatten() {
                let place = self.world.module_of(def).map(|module| self.world.normal_module(module));
                let around = place.and_then(|place| self.world.map(place.krate)?.modules[place.module as usize].name);
                let fits = before == known::WILDCARD || around == Some(before);
                if fits && self.def(def).is_some_and(|it| !it.flags.test) {
                    self.mark(def, Rule::R10);
                    is_any = true;
                }
            }
            // What a module of that name brings in from elsewhere.
            for &holder in names.modules.get(&before).into_iter().flatten() {
                is_any |= self.module_item(holder, last, Rule::R10);
            }
            for &def in names.definitions.get(&before).into_iter().flatten() {
                let holder = self.def(def).is_some_and(|it| {
                    matches!(
                        it.kind,
                        DefKind::Struct | DefKind::Enum | DefKind::Union | DefKind::Trait | DefKind::TypeAlias
                    )
                });
                if holder {
                    self.assoc(entry, def, &[last], module);
                    is_any = true;
                }
            }
        }
        is_any
    }

    /// A live site that includes what the build script wrote: the code is not there to read, so the strings and quoted
    /// tokens of the script stand for the names in it.
    pub fn generated_code(&mut self, site: DefId, module: ModId) {
        self.std_traits(StdTraits::ALL);
        let package = self.world.project.package_of(site.krate);
        let Some(script) = package.build_script else {
            return;
        };
        // Its script is not read: pins stand for what the code may call, as one does for the script.
        if package.source != PackageSource::Path {
            self.out.generated.insert(site.krate);
            return;
        }
        let main = self.world.resolve(
            ModId {
                krate: script,
                module: 0,
            },
            &[known::SELF, Name::new("main")],
            Ns::Value,
        );
        for target in main.targets {
            let Res::Def(main) = target.res else { continue };
            if !self.emitted.insert((main, module)) {
                continue;
            }
            for (path, method) in emitted(self.db, self.workspace, main).iter() {
                if *method {
                    self.emitted_method(path[0], module, &[]);
                } else if path[0] == known::DOLLAR_CRATE || !self.emitted_at(site, path, module) {
                    self.emitted_path(site, path, module, &[]);
                }
            }
        }
    }

    /// A path in an attribute's arguments or strings: `#[serde(with = "module", default = "f")]`.
    pub fn attribute_path(&mut self, id: DefId, it: &Use) {
        let Meaning::Path(resolution) = &it.meaning else {
            return;
        };
        if resolution.unresolved.is_some() {
            return;
        }
        for target in &resolution.targets {
            match (target.res, resolution.assoc_from) {
                (Res::Def(def), Some(at)) => self.assoc(id, def, &it.path[at..], it.module),
                // The attribute's own name.
                (Res::Def(def), None) if self.is_proc_macro(def) => {}
                (Res::Def(def), None) => {
                    self.mark(def, Rule::R10);
                    // A trait that a macro is told of, it may implement and call: `#[enum_dispatch(Trait)]`.
                    if self.def(def).is_some_and(|it| it.kind == DefKind::Trait) {
                        for name in self.item_names(def) {
                            self.demand(def, name, Rule::R10);
                        }
                    }
                }
                (Res::Mod(module), None) if module.module != 0 => self.whole_module(module),
                _ => {}
            }
        }
    }

    fn is_proc_macro(&self, id: DefId) -> bool {
        matches!(self.def(id).map(|def| &def.data), Some(DefData::ProcMacro(_)))
    }

    /// A module that a derive was told to use: which of its functions, only the derive knows.
    fn whole_module(&mut self, module: ModId) {
        let world = self.world.clone();
        let Some(map) = world.map(module.krate) else {
            return;
        };
        let it = &map.modules[module.module as usize];
        let mut names: Vec<Name> = it.names.keys().copied().collect();
        names.sort_by_key(|name| name.as_str());
        for name in names {
            for target in world.resolve(module, &[known::SELF, name], Ns::Value).targets {
                if let Res::Def(def) = target.res {
                    self.mark(def, Rule::R10);
                }
            }
        }
    }
}
