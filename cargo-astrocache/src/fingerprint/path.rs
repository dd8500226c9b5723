//! Definition paths: `app::render::page`, `app::Page::render`, `<app::Page as app::Render>::render`.

use crate::{
    resolve::{DefId, ImplEntry, ModId, TraitRef, World},
    syntax::{DefData, DefKind, Head, ImplHeader, Name},
};

/// Prints definition paths.
#[derive(Clone, Copy)]
pub struct DefPath<'w> {
    pub world: &'w World<'w>,
}

impl DefPath<'_> {
    /// The path under which a definition is reported.
    pub fn of(&self, id: DefId) -> String {
        let Some(def) = self.world.def(id) else {
            return String::new();
        };
        if let Some(parent) = def.parent.map(|parent| DefId { def: parent.0, ..id }) {
            let name = item_name(def.kind, def.name);
            return match self.world.def(parent).map(|it| &it.data) {
                Some(DefData::Impl(header)) => {
                    format!("{}::{name}", self.impl_prefix(parent, header))
                }
                _ => format!("{}::{name}", self.of(parent)),
            };
        }
        let module = self
            .world
            .module_of(id)
            .map_or(String::new(), |module| self.module(module));
        match &def.data {
            DefData::Impl(header) => format!("{module}::{{impl {}}}", self.impl_title(id, header)),
            _ => format!("{module}::{}", item_name(def.kind, def.name)),
        }
    }

    /// For a method of a trait impl also `Type::method`, as one would write it.
    pub fn short(&self, id: DefId) -> Option<String> {
        let def = self.world.def(id)?;
        let parent = DefId {
            def: def.parent?.0,
            ..id
        };
        let DefData::Impl(header) = &self.world.def(parent)?.data else {
            return None;
        };
        header.trait_.as_ref()?;
        Some(format!("{}::{}", self.head(parent, header), def.name))
    }

    /// `app::render`.
    pub fn module(&self, id: ModId) -> String {
        let Some(map) = self.world.map(id.krate) else {
            return String::new();
        };
        let module = &map.modules[id.module as usize];
        let parent = module.parent.map(|parent| {
            self.module(ModId {
                krate: id.krate,
                module: parent,
            })
        });
        match (module.name, module.block, parent) {
            (Some(name), _, Some(parent)) => format!("{parent}::{name}"),
            (None, Some(owner), Some(_)) => self.of(owner),
            _ => self.world.project.krate(id.krate).name.clone(),
        }
    }

    fn impl_prefix(&self, id: DefId, header: &ImplHeader) -> String {
        match &header.trait_ {
            None => self.head(id, header),
            Some(path) => format!("<{} as {}>", self.head(id, header), self.trait_name(id, path)),
        }
    }

    fn impl_title(&self, id: DefId, header: &ImplHeader) -> String {
        match &header.trait_ {
            None => self.head(id, header),
            Some(path) => format!("{} for {}", self.trait_name(id, path), self.head(id, header)),
        }
    }

    fn head(&self, id: DefId, header: &ImplHeader) -> String {
        let entry = self.entry(id);
        match (entry.and_then(|it| it.heads.first()), &header.head) {
            (Some(&head), _) => self.of(head),
            (None, Head::Path(path) | Head::Dyn(path)) => join(path),
            (None, Head::Other) => "_".to_owned(),
        }
    }

    fn entry(&self, id: DefId) -> Option<&ImplEntry> {
        let index = self.world.index(id.krate)?;
        index.impl_of.get(&id).map(|&at| &index.impls[at as usize])
    }

    fn trait_name(&self, id: DefId, path: &[Name]) -> String {
        match self.entry(id).map(|it| &it.trait_) {
            Some(TraitRef::Analyzed(traits)) if !traits.is_empty() => self.of(traits[0]),
            _ => join(path),
        }
    }
}

fn item_name(kind: DefKind, name: Name) -> String {
    match kind {
        DefKind::MacroSite | DefKind::Macro => format!("{name}!"),
        _ => name.as_str().to_owned(),
    }
}

fn join(path: &[Name]) -> String {
    path.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("::")
}
