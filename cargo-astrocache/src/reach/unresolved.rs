//! R15: names that resolution did not find.
//!
//! Generated code, names pasted together, a gap in our own resolution: whatever the reason, the definitions of that
//! name that the crate can see are live. Once resolution is right this is nearly silent, and a rise is a bug; the
//! closure keeps the names.

use super::{Rule, flood::Flood};
use crate::{
    resolve::{DefId, ModId, Target, Use},
    syntax::{DefKind, MentionKind, Name},
};

impl Flood<'_> {
    /// Segment `at` of a path was not found in `targets`.
    pub fn unresolved(&mut self, id: DefId, it: &Use, targets: &[Target], at: usize) {
        let single = it.path.len() == 1;
        match it.kind {
            // A new binding.
            MentionKind::Pattern if single => return,
            // A local of the macro, a keyword of its syntax: an item would be in scope here.
            MentionKind::Token | MentionKind::WeakToken if single => return,
            _ => {}
        }
        let _ = targets;
        self.note_unresolved(&it.path);
        let rest = it.path.get(at + 1..).unwrap_or_default();
        self.by_name(id, it.path[at.min(it.path.len() - 1)], rest, it.module);
    }

    pub fn unresolved_macro(&mut self, _id: DefId, it: &Use, at: usize) {
        self.note_unresolved(&it.path);
        let Some(&name) = it.path.last() else { return };
        // A path that got as far as a crate or module and no further: macros of that name anywhere in sight.
        if at > 0 {
            let index = self.index.clone();
            for &def in index.by_name.get(&name).into_iter().flatten() {
                let is_macro = self.def(def).is_some_and(|it| it.kind == DefKind::Macro);
                if is_macro && self.world.sees(it.module.krate, def.krate) {
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
        let index = self.index.clone();
        let mut found = false;
        for &def in index.by_name.get(&name).into_iter().flatten() {
            if !self.world.sees(module.krate, def.krate) || (!self.root_is_test && self.world.is_test(def)) {
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

    fn note_unresolved(&mut self, path: &[Name]) {
        let text: Vec<&str> = path.iter().map(|name| name.as_str()).collect();
        self.out.unresolved.insert(text.join("::"));
    }
}
