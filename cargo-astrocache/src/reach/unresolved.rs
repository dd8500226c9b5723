//! R15: names that resolution did not find.
//!
//! Generated code, names pasted together, a gap in our own resolution: whatever the reason, the definitions of that
//! name that the crate can see are live. Once resolution is right this is nearly silent, and a rise is a bug; the
//! closure keeps the names.

use super::{Rule, flood::Flood};
use crate::{
    project::CrateId,
    resolve::{DefId, ModId, Names, Ns, Res, Use},
    syntax::{DefKind, MentionKind, Name, known},
};

impl Flood<'_> {
    /// Segment `at` of a path was not found.
    pub fn unresolved(&mut self, id: DefId, it: &Use, at: usize) {
        let single = it.path.len() == 1;
        match it.kind {
            // A new binding.
            MentionKind::Pattern if single => return,
            // A local of the macro, a keyword of its syntax: an item would be in scope here.
            MentionKind::Token | MentionKind::WeakToken if single => return,
            _ => {}
        }
        self.note_unresolved(&it.path);
        let at = at.min(it.path.len() - 1);
        let rest = it.path.get(at + 1..).unwrap_or_default();
        self.by_name(id, it.path[at], rest, it.module);
        self.in_modules(id, it.path[at], rest, it.module);
    }

    /// `rest` in every module called `name` in sight.
    fn in_modules(&mut self, id: DefId, name: Name, rest: &[Name], from: ModId) {
        if rest.is_empty() {
            return;
        }
        for module in self.in_sight(from.krate, |names| names.modules.get(&name)) {
            for ns in [Ns::Value, Ns::Type] {
                let path: Vec<Name> = [known::SELF].iter().chain(rest).copied().collect();
                let found = self.world.resolve(module, &path, ns);
                if found.unresolved.is_some() {
                    continue;
                }
                for target in &found.targets {
                    match (target.res, found.assoc_from) {
                        (Res::Def(def), Some(at)) => self.assoc(id, def, &path[at..], from),
                        (Res::Def(def), None) => self.mark(def, Rule::R15),
                        _ => {}
                    }
                }
            }
        }
    }

    pub fn unresolved_macro(&mut self, it: &Use, at: usize) {
        self.note_unresolved(&it.path);
        let Some(&name) = it.path.last() else { return };
        // A path that got as far as a crate or module and no further: macros of that name anywhere in sight.
        if at > 0 {
            for def in self.in_sight(it.module.krate, |names| names.definitions.get(&name)) {
                let is_macro = self.def(def).is_some_and(|it| it.kind == DefKind::Macro);
                if is_macro {
                    self.mark(def, Rule::R15);
                }
            }
        }
        for def in self.world.proc_macros_named(it.module.krate, name) {
            self.proc_macro(def, it.module);
        }
    }

    /// Everything called `name` in sight, and `rest` as its associated items.
    pub fn by_name(&mut self, id: DefId, name: Name, rest: &[Name], module: ModId) {
        let mut found = false;
        for def in self.in_sight(module.krate, |names| names.definitions.get(&name)) {
            if !self.root_is_test && self.world.is_test(def) {
                continue;
            }
            found = true;
            self.mark(def, Rule::R15);
            if !rest.is_empty() {
                self.assoc(id, def, rest, module);
            }
        }
        if let (false, Some(&last)) = (found, rest.last()) {
            self.open_item(id, last, module, true);
        }
    }

    /// What a table of each crate that `krate` can see says, in order.
    fn in_sight<T: Copy>(&self, krate: CrateId, of: impl Fn(&Names) -> Option<&Vec<T>>) -> Vec<T> {
        let crates = self.world.seen_by(krate).iter().copied();
        let all = crates.filter_map(|krate| self.world.names(krate));
        all.filter_map(of).flatten().copied().collect()
    }

    fn note_unresolved(&mut self, path: &[Name]) {
        let text: Vec<&str> = path.iter().map(|name| name.as_str()).collect();
        self.out.unresolved.insert(text.join("::"));
    }
}
