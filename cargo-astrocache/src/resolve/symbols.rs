//! What of a crate is linked by a symbol's name, or runs without being named at all.
//!
//! `#[panic_handler]` is not among it: beside std, with which every cached function is linked, rustc admits no other.

use camino::Utf8Path;
use rustc_hash::FxHashMap;

use super::{crate_map::CrateMap, ids::DefId, loaded::is_editable, world::World};
use crate::{
    db::Packs,
    project::CrateId,
    source,
    syntax::{Def, DefData, Name, Unnamed},
};

impl World<'_> {
    /// Items with a link name, by it; lists are in crate, file and source order. Of pinned packages those with the words for it.
    pub fn linked(&self) -> &FxHashMap<Name, Vec<DefId>> {
        self.loaded.linked.get_or_init(|| {
            let mut out: FxHashMap<Name, Vec<DefId>> = FxHashMap::default();
            for map in self.with_words(|it| it.linked) {
                for id in map.def_ids() {
                    let def = map.def(id);
                    if let DefData::Linked(name) = def.data
                        && !def.flags.foreign
                    {
                        out.entry(name).or_default().push(id);
                    }
                }
            }
            out
        })
    }

    /// The global allocators, and what `link_section` hands to the loader.
    pub fn unnamed(&self) -> &[DefId] {
        self.loaded.unnamed.get_or_init(|| {
            let for_windows = self.project.may_run_on_windows();
            let runs = |def: &Def| match def.flags.unnamed {
                Unnamed::Not => false,
                Unnamed::Runs => true,
                Unnamed::RunsOnWindows => for_windows,
            };
            let maps = self.with_unnamed();
            let ids = maps.flat_map(|map| map.def_ids().filter(|&id| runs(map.def(id))));
            ids.collect()
        })
    }

    /// Crates with code for items that run though nothing names them, be they its own or what its macros make.
    pub fn with_unnamed(&self) -> impl Iterator<Item = &CrateMap> {
        let for_windows = self.project.may_run_on_windows();
        self.with_words(move |it| it.unnamed || (for_windows && it.for_windows))
    }

    fn with_words(&self, has: impl Fn(source::Symbols) -> bool) -> impl Iterator<Item = &CrateMap> {
        let words = |root| self.source.map(|(db, _)| db.files().packs().symbols(root));
        let crates = self.crates().filter(move |&krate| {
            let root = &self.project.package_of(krate).root;
            is_editable(&self.project, krate) || words(root).is_some_and(&has)
        });
        crates.filter_map(|krate| self.map(krate).map(|map| &**map))
    }

    /// Whether the text of a crate's package has a word. Yes for one that the user can edit.
    pub fn has_word(&self, krate: CrateId, word: Name) -> bool {
        self.asks_text(krate, |packs, root| packs.has_word(root, word.as_str()))
    }

    /// Whether it may give what the word names another name.
    pub fn has_renamed(&self, krate: CrateId, word: Name) -> bool {
        self.asks_text(krate, |packs, root| packs.has_renamed(root, word.as_str()))
    }

    fn asks_text(&self, krate: CrateId, asks: impl FnOnce(&Packs, &Utf8Path) -> bool) -> bool {
        let root = &self.project.package_of(krate).root;
        is_editable(&self.project, krate) || self.source.is_none_or(|(db, _)| asks(db.files().packs(), root))
    }
}
