//! R14: symbols that cross `extern`, and items that run without being named.
//!
//! The linker joins a foreign declaration to whichever crate of the graph exports the symbol, so every item of that
//! link name is live. The global allocator is called by code nobody writes,
//! and the loader runs or reads what `link_section` put in a section of its own. What macros put there is in `registered`.

use super::{Rule, flood::Flood, registered::registered};
use crate::{
    project::CrateKind,
    syntax::{Def, DefData},
};

impl Flood<'_> {
    pub fn foreign_item(&mut self, def: &Def) {
        let DefData::Linked(name) = def.data else {
            return;
        };
        if !def.flags.foreign {
            return;
        }
        let world = self.world.clone();
        for &item in world.linked().get(&name).into_iter().flatten() {
            self.link(item.krate);
            self.mark(item, Rule::R14);
        }
    }

    pub fn mark_unnamed(&mut self) {
        let world = self.world.clone();
        for &item in world.unnamed() {
            self.mark(item, Rule::R14);
        }
        // What a proc macro runs on is its own crates; asking for those would come back here.
        if world.project.krate(self.krate).kind == CrateKind::ProcMacro {
            return;
        }
        let registered = registered(self.db, self.workspace);
        let of_tests = self.root_is_test;
        for &item in registered.items.iter().filter(|&&it| of_tests || !world.is_test(it)) {
            self.mark(item, Rule::R14);
        }
        self.out.reads.extend(&registered.reads);
    }
}
