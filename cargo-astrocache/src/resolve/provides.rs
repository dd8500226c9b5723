//! Macro calls in item position: which names, and which traits, they may bring into being.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{
    ids::{DefId, ModId, Ns, Res, Target},
    world::{Mode, Trail, World, lock, plain},
};
use crate::syntax::{DefData, Name, SiteFacts};

/// Names that a macro site can bring into being.
#[derive(Debug, Default)]
pub struct Provides {
    pub names: FxHashSet<Name>,
    /// Glues identifiers, includes generated code: any name.
    pub any: bool,
    /// Macros it expands through.
    pub macros: Vec<DefId>,
    /// A trait may be among what it defines.
    pub traits: bool,
    /// A name it provides may stand for a type made elsewhere.
    pub aliases: bool,
}

impl World<'_> {
    /// What around `from` may hold a name that is written nowhere.
    pub(super) fn generated(&self, from: ModId) -> Vec<Target> {
        let mut out = self.generated_in(from, &mut Vec::new());
        let mut module = from;
        while let Some(it) = self.map(module.krate).map(|map| &map.modules[module.module as usize]) {
            let Some(parent) = it.parent.filter(|_| it.block.is_some()) else {
                break;
            };
            module.module = parent;
            out.extend(self.generated_in(module, &mut Vec::new()));
        }
        out
    }

    /// Sites of `module`, and of what it globs, that hold generated code, and items there with a derive or attribute
    /// macro, which may add items of any name.
    pub(super) fn generated_in(&self, module: ModId, visiting: &mut Vec<ModId>) -> Vec<Target> {
        let Some(map) = self.map(module.krate) else {
            return Vec::new();
        };
        if visiting.contains(&module) {
            return Vec::new();
        }
        visiting.push(module);
        let it = &map.modules[module.module as usize];
        let sites = it.sites.iter().filter(|&&site| self.provides(site).any);
        let mut out: Vec<Target> = sites
            .chain(&it.attributed)
            .chain(&it.rewritten)
            .map(|&id| plain(Res::Def(id)))
            .collect();
        for target in self.globs(module).iter() {
            if let Res::Mod(inner) = target.res {
                out.extend(self.generated_in(inner, visiting));
            }
        }
        out
    }

    pub(super) fn site_provides(&self, site: DefId, name: Name) -> bool {
        self.provides(site).names.contains(&name)
    }

    /// What a site can bring into being, through the macros it expands to.
    pub fn provides(&self, site: DefId) -> Arc<Provides> {
        if let Some(known) = lock(self.loaded.provided(site.krate)).get(&site) {
            return known.clone();
        }
        let provides = Arc::new(self.provides_uncached(site));
        lock(self.loaded.provided(site.krate)).insert(site, provides.clone());
        provides
    }

    fn provides_uncached(&self, site: DefId) -> Provides {
        let mut out = Provides::default();
        let Some(DefData::Site(facts)) = self.def(site).map(|def| &def.data) else {
            return out;
        };
        let Some(module) = self.module_of(site) else {
            return out;
        };
        out.any = self.is_generated_include(facts) || facts.tokens.glue;
        out.names.extend(&facts.tokens.defines);
        out.traits = facts.tokens.has_trait;
        out.aliases = out.any || facts.tokens.aliases;
        let mut from_args = false;
        let mut queue: Vec<(ModId, Name, Box<[Name]>)> = Vec::new();
        let start = std::iter::once(&facts.path).chain(&facts.calls);
        queue.extend(start.filter_map(|path| Some((module, *path.last()?, path.clone()))));
        let mut seen = FxHashSet::default();
        while let Some((from, _, path)) = queue.pop() {
            let resolution = self.resolve_in(from, &path, Ns::Macro, &mut Trail::of(Mode::Declared));
            if resolution.targets.is_empty() {
                from_args |= path == facts.path;
                out.any |= path == facts.path;
                out.aliases |= path == facts.path;
            }
            for target in resolution.targets {
                match target.res {
                    // Its items stand for themselves.
                    Res::Def(def) if path == facts.path && self.is_spelled_out(site, def) => {}
                    Res::Def(def) if seen.insert(def) => {
                        self.provides_of_macro(def, module, &mut out, &mut from_args, &mut queue);
                        let mac = self.def(def).map(|it| &it.data);
                        if matches!(mac, Some(DefData::Macro(mac)) if mac.calls_arg) {
                            let names = facts.idents.iter();
                            queue.extend(names.map(|&name| (module, name, Box::from([name]))));
                        }
                    }
                    _ => {}
                }
            }
        }
        if from_args {
            out.names.extend(&facts.idents);
        }
        out
    }

    fn provides_of_macro(
        &self,
        def: DefId,
        call: ModId,
        out: &mut Provides,
        from_args: &mut bool,
        queue: &mut Vec<(ModId, Name, Box<[Name]>)>,
    ) {
        let Some(it) = self.def(def) else { return };
        match &it.data {
            DefData::Macro(mac) => {
                out.macros.push(def);
                out.names.extend(&mac.tokens.defines);
                out.any |= mac.tokens.glue;
                out.traits |= mac.tokens.has_trait;
                out.aliases |= mac.tokens.aliases;
                *from_args |= mac.tokens.defines_arg;
                let Some(home) = self.module_of(def) else {
                    return;
                };
                for path in &mac.calls {
                    let Some(&last) = path.last() else { continue };
                    queue.push((home, last, path.clone()));
                    queue.push((call, last, path.clone()));
                }
            }
            // A proc macro: its output is unknown, names in its arguments are likely.
            DefData::ProcMacro(_) => {
                *from_args = true;
                out.any = true;
                out.traits = true;
                out.aliases = true;
            }
            _ => {}
        }
    }

    /// Whether the call of `mac` at `site` is nothing but items that are definitions of their own.
    pub fn is_spelled_out(&self, site: DefId, mac: DefId) -> bool {
        let (Some(call), Some(it)) = (self.def(site), self.def(mac)) else {
            return false;
        };
        let (DefData::Site(facts), DefData::Macro(expanded)) = (&call.data, &it.data) else {
            return false;
        };
        facts.bare && !facts.assoc && expanded.exact && mac.krate == site.krate && it.name == call.name
    }

    fn is_generated_include(&self, facts: &SiteFacts) -> bool {
        facts.include.as_deref().is_some_and(|parts| {
            parts
                .iter()
                .any(|part| part.as_str().starts_with('$') && part.as_str() != "$CARGO_MANIFEST_DIR")
        })
    }

    /// Whether a site includes a file that a build script writes.
    pub fn is_generated(&self, site: DefId) -> bool {
        matches!(self.def(site).map(|def| &def.data), Some(DefData::Site(facts)) if self.is_generated_include(facts))
    }
}
