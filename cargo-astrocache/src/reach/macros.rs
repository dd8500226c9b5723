//! R9: `macro_rules!` and macro sites.
//!
//! A call makes the macro's definition live, and with it every name in its body. Those resolve where the macro is
//! defined and, because `macro_rules!` is unhygienic for items, also where it is called; its methods see traits in scope
//! at either, and those that a `use` in the body may bring. The arguments are mentions of the caller. A macro that pastes an argument after `.` or `::` makes the
//! caller's argument identifiers method and associated names.
//!
//! What a call in item position defines is not known without expanding it: see `World::provides`.

use std::collections::BTreeSet;

use super::{Rule, flood::Flood};
use crate::{
    project::CrateId,
    resolve::{DefId, Meaning, ModId, Ns, Res, Use},
    syntax::{DefData, MentionKind, Name, StdTraits, known},
};

impl Flood<'_> {
    pub fn macro_call(&mut self, id: DefId, it: &Use) {
        let Meaning::Path(resolution) = &it.meaning else {
            return;
        };
        if let Some(at) = resolution.unresolved {
            self.std_traits(StdTraits::ALL);
            self.unresolved_macro(it, at);
        }
        for target in &resolution.targets {
            if let Res::Def(def) = target.res
                && !self.world.is_spelled_out(id, def)
            {
                self.call(def, it.module);
                self.told(id, def, it.module);
            }
        }
    }

    /// `def` is called from `module`.
    fn call(&mut self, def: DefId, module: ModId) {
        if matches!(self.def(def).map(|it| &it.data), Some(DefData::ProcMacro(_))) {
            self.proc_macro(def, module);
            return;
        }
        self.mark(def, Rule::R9);
        self.expand(def, module);
    }

    /// The names of a macro's body, as the caller sees them.
    fn expand(&mut self, mac: DefId, module: ModId) {
        let Some(DefData::Macro(facts)) = self.def(mac).map(|it| &it.data) else {
            return;
        };
        let (imports, attributes) = (facts.imports, facts.tokens.attributes.clone());
        if !self.expanded.insert((mac, module)) {
            return;
        }
        let home = self.world.module_of(mac).unwrap_or(module);
        self.token_attributes(&attributes, home, module);
        let current = self.current;
        self.current = self.live.get(&mac).copied();
        let world = self.world.clone();
        let graph = self.graph(mac);
        let uses = &graph.of(&world, mac.def).all;
        if imports {
            self.imports(mac, uses, module);
        }
        for it in uses {
            match it.kind {
                MentionKind::Method => self.method_at(mac, it, module),
                MentionKind::Macro => self.nested_call(it, module),
                MentionKind::Token | MentionKind::WeakToken if it.path[0] != known::DOLLAR_CRATE => {
                    self.token_at(mac, it, module)
                }
                _ => {}
            }
        }
        self.current = current;
    }

    /// R10 for attributes and derives among the tokens of a macro or of its call.
    fn token_attributes(&mut self, paths: &[Box<[Name]>], home: ModId, call: ModId) {
        for path in paths {
            for from in [home, call] {
                self.proc_macro_named(path, from, call);
            }
        }
    }

    fn proc_macro_named(&mut self, path: &[Name], from: ModId, call: ModId) {
        for target in self.world.resolve(from, path, Ns::Macro).targets {
            if let Some(def) = as_def(target.res)
                && matches!(self.def(def).map(|it| &it.data), Some(DefData::ProcMacro(_)))
            {
                self.proc_macro(def, call);
            }
        }
    }

    /// R10 for the arguments of a macro site: attributes there, and names that the macro may put into one.
    pub fn site_attributes(&mut self, site: DefId) {
        let world = self.world.clone();
        let (Some(DefData::Site(facts)), Some(module)) = (world.def(site).map(|it| &it.data), world.module_of(site))
        else {
            return;
        };
        self.token_attributes(&facts.tokens.attributes, module, module);
        let takes_names = |&mac: &DefId| match world.def(mac).map(|it| &it.data) {
            Some(DefData::Macro(facts)) => facts.tokens.attribute_arg,
            _ => false,
        };
        if !world.provides(site).macros.iter().any(takes_names) {
            return;
        }
        let graph = self.graph(site);
        let tokens = graph.of(&world, site.def).all.iter();
        for it in tokens.filter(|it| matches!(it.kind, MentionKind::Token | MentionKind::WeakToken)) {
            self.proc_macro_named(&it.path, it.module, module);
        }
    }

    fn method_at(&mut self, mac: DefId, it: &Use, module: ModId) {
        let name = it.path[0];
        if module.krate == mac.krate {
            self.method(mac, name, module);
            return;
        }
        // Pasted into another crate, which decides what types have such a method.
        self.inherent_methods(name, module.krate, Rule::R5);
        let mut traits = self.in_scope_with(module, name);
        traits.extend(self.demands.objects_with.get(&name).into_iter().flatten());
        self.demand_each(traits, name, Rule::R5);
    }

    /// `use $crate::private::*; x.name()`: the methods in a body with a `use` may be those of any trait in a module that it
    /// names, and of any that is live: one that it names is.
    fn imports(&mut self, mac: DefId, uses: &[Use], module: ModId) {
        let world = self.world.clone();
        let mut traits = Vec::new();
        for it in uses {
            let here = match &it.meaning {
                Meaning::Path(resolution) => resolution.targets.clone(),
                _ => continue,
            };
            let there = match it.path[0] {
                known::DOLLAR_CRATE => Vec::new(),
                _ => world.resolve(module, &it.path, Ns::Type).targets,
            };
            for target in here.iter().chain(&there) {
                if let Res::Mod(named) = target.res {
                    traits.extend(world.traits_in_scope(named));
                }
            }
        }
        for it in uses.iter().filter(|it| it.kind == MentionKind::Method) {
            let name = it.path[0];
            let mut found = self.demands.live_with.get(&name).cloned().unwrap_or_default();
            found.extend(traits.iter().filter(|&&trait_| self.has_item(trait_, name)));
            self.demand_each(found, name, Rule::R9);
            for krate in [mac.krate, module.krate] {
                self.demands.open_assoc.entry(name).or_default().insert(krate);
            }
        }
    }

    /// A macro called by a macro: found at either place, and pasted at the outer call.
    fn nested_call(&mut self, it: &Use, module: ModId) {
        let mut targets = match &it.meaning {
            Meaning::Path(resolution) => resolution.targets.clone(),
            _ => Vec::new(),
        };
        if it.path[0] != known::DOLLAR_CRATE {
            targets.extend(self.world.resolve(module, &it.path, Ns::Macro).targets);
        }
        for target in targets {
            if let Res::Def(def) = target.res {
                self.call(def, module);
            }
        }
    }

    fn token_at(&mut self, mac: DefId, it: &Use, module: ModId) {
        let world = self.world.clone();
        // What stands before `::` is the caller's: its `Self`, or an argument.
        if matches!(it.path[0], known::SELF_TYPE | known::ANY_TYPE | known::WILDCARD) {
            for &name in it.path.iter().skip(1) {
                self.any_assoc(name, module.krate);
                self.open_item(mac, name, module, false);
            }
            return;
        }
        for ns in [Ns::Value, Ns::Type, Ns::Macro] {
            let resolution = match it.kind {
                MentionKind::WeakToken => world.resolve_written(module, &it.path, ns),
                _ => world.resolve(module, &it.path, ns),
            };
            if resolution.unresolved.is_some() {
                continue;
            }
            for target in &resolution.targets {
                match (target.res, resolution.assoc_from) {
                    (Res::Def(def), Some(at)) => self.assoc(mac, def, &it.path[at..], module),
                    (Res::Def(def), None) => self.mark(def, Rule::R9),
                    _ => {}
                }
            }
        }
    }

    /// What called macros do with arguments of this definition: every identifier among them may be a method or an associated
    /// name where they paste one after `.` or `::`, an item of a module that they name, or a macro.
    pub fn member_arguments(&mut self, id: DefId) {
        let world = self.world.clone();
        let graph = self.graph(id);
        let uses = &graph.of(&world, id.def).all;
        let mut pasted = Pasted::default();
        for it in uses.iter().filter(|it| it.kind == MentionKind::Macro) {
            self.pasted(it, &mut pasted);
        }
        pasted.add_glued(id.krate, uses);
        if !pasted.glued.is_empty() {
            pasted.add_words(uses);
            self.glued(&pasted.glued, &pasted.words);
        }
        for it in uses.iter().filter(|it| it.kind == MentionKind::TokenArg) {
            let name = it.path[0];
            if pasted.as_macros {
                let found = world.resolve(it.module, &[name], Ns::Macro).targets;
                for def in found.iter().filter_map(|target| as_def(target.res)) {
                    self.call(def, it.module);
                }
            }
            if pasted.as_members {
                self.method(id, name, it.module);
                self.any_assoc(name, id.krate);
                self.open_item(id, name, it.module, true);
                let mut spaces = [Ns::Value, Ns::Type].into_iter();
                if !spaces.any(|ns| world.is_declared(it.module, &[name], ns)) {
                    self.by_name(id, name, &[], it.module);
                }
                for &holder in &pasted.holders {
                    self.module_item(holder, name, Rule::R9);
                }
            }
        }
    }

    /// `module::$x`, called with this name; whether there is such an item.
    pub fn module_item(&mut self, module: ModId, name: Name, rule: Rule) -> bool {
        let mut is_any = false;
        for ns in [Ns::Value, Ns::Type, Ns::Macro] {
            let found = self.world.resolve_written(module, &[known::SELF, name], ns);
            if found.unresolved.is_none() {
                for def in found.targets.iter().filter_map(|target| as_def(target.res)) {
                    self.mark(def, rule);
                    is_any = true;
                }
            }
        }
        is_any
    }

    /// What a called macro, or one it expands through, does with its arguments.
    fn pasted(&mut self, it: &Use, out: &mut Pasted) {
        let Meaning::Path(resolution) = &it.meaning else {
            return;
        };
        let world = self.world.clone();
        let mut queue: Vec<DefId> = resolution
            .targets
            .iter()
            .filter_map(|target| as_def(target.res))
            .collect();
        let mut seen = Vec::new();
        while let Some(def) = queue.pop() {
            if seen.contains(&def) {
                continue;
            }
            seen.push(def);
            let Some(DefData::Macro(facts)) = world.def(def).map(|it| &it.data) else {
                continue;
            };
            let home = world.module_of(def).unwrap_or(it.module);
            out.as_macros |= facts.calls_arg;
            if facts.tokens.glue {
                let graph = self.graph(def);
                let uses = &graph.of(&world, def.def).all;
                // What is put together is looked for at home and where it is pasted.
                out.add_glued(def.krate, uses);
                out.add_glued(it.module.krate, uses);
                out.add_words(uses);
            }
            if facts.member_args {
                out.as_members = true;
                let graph = self.graph(def);
                let paths = graph.of(&world, def.def).all.iter();
                for body in paths.filter(|it| matches!(it.kind, MentionKind::Token | MentionKind::WeakToken)) {
                    for module in [home, it.module] {
                        let found = world.resolve_written(module, &body.path, Ns::Type);
                        out.holders
                            .extend(found.targets.iter().filter_map(|target| match target.res {
                                Res::Mod(module) if found.unresolved.is_none() => Some(module),
                                _ => None,
                            }));
                    }
                }
            }
            for path in &facts.calls {
                for module in [home, it.module] {
                    let found = world.resolve(module, path, Ns::Macro).targets;
                    queue.extend(found.iter().filter_map(|target| as_def(target.res)));
                }
            }
        }
    }
}

/// What macros do with the identifiers among their arguments.
#[derive(Default)]
struct Pasted {
    /// `.$x` or `::$x`.
    as_members: bool,
    /// Modules that stand before such a `::`.
    holders: BTreeSet<ModId>,
    /// `$x!`.
    as_macros: bool,
    /// Names that they put together, by the crates where they look for them.
    glued: Vec<(CrateId, Box<[Name]>)>,
    /// What may stand for a parameter in these.
    words: Vec<Name>,
}

impl Pasted {
    fn add_glued(&mut self, krate: CrateId, uses: &[Use]) {
        let glued = uses.iter().filter(|it| it.kind == MentionKind::Glued);
        self.glued.extend(glued.map(|it| (krate, it.path.clone())));
    }

    fn add_words(&mut self, uses: &[Use]) {
        let words = uses.iter().filter(|it| it.kind == MentionKind::TokenArg);
        self.words.extend(words.map(|it| it.path[0]));
    }
}

fn as_def(res: Res) -> Option<DefId> {
    match res {
        Res::Def(id) => Some(id),
        _ => None,
    }
}
