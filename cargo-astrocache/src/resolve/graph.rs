//! What the mentions of each definition mean.

use std::sync::{Arc, OnceLock};

use super::{
    crate_map::declarations,
    ids::{DefId, ModId, Ns, Res, Target},
    index,
    loaded::resolver,
    world::{Resolution, World},
};
use crate::{
    db::{Db, Mentions, Workspace, mentions},
    project::CrateId,
    syntax::{
        Def, DefData, DefIdx, DefKind, DefMentions, FileItems, Head, Mention, MentionKind, Name, StdTraits, in_std,
        known,
    },
};

/// The mentions of one unit's definitions, resolved when they are asked for: of a file that a closure touches, it often
/// needs little.
#[derive(Debug)]
pub struct Graph {
    id: (CrateId, u32),
    expansion: Box<[u32]>,
    items: Arc<FileItems>,
    mentions: Mentions,
    defs: Box<[OnceLock<Uses>]>,
    /// Of what is not there.
    none: Uses,
}

/// What a definition mentions.
#[derive(Debug)]
pub struct Uses {
    pub all: Box<[Use]>,
    /// Traits of std that it may reach.
    pub std_traits: StdTraits,
    /// Those that what it quotes may reach, where a proc macro puts it.
    pub emitted: StdTraits,
    /// Analyzed macros that it calls.
    pub macros: Box<[DefId]>,
    /// It can be told where code stands.
    pub tells_places: bool,
    pub impure: Box<[Impure]>,
}

/// A name of std that gives access to what memoization cannot see.
#[derive(Debug, PartialEq, Eq)]
pub struct Impure {
    pub kind: &'static str,
    pub name: String,
}

/// A mention and its meaning.
#[derive(Debug, Clone)]
pub struct Use {
    pub kind: MentionKind,
    pub header: bool,
    /// The module or block it stands in.
    pub module: ModId,
    pub path: Box<[Name]>,
    pub meaning: Meaning,
}

/// What a path stands for, with the context of its definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Definitions, modules, names of std; see [`Resolution`].
    Path(Resolution),
    /// `Self` of an impl or type, or the same followed by associated items: the analyzed types it may be.
    SelfType(Vec<DefId>),
    /// A type parameter, `Self` in a trait, `<..>`: nothing is known of the type.
    Open { projection: bool },
    /// A method or pasted name: no path.
    Name,
}

/// The mentions of a unit.
#[salsa::tracked(returns(clone), no_eq)]
pub fn uses(db: &dyn Db, workspace: Workspace, krate: CrateId, unit: u32) -> Arc<Graph> {
    let map = declarations(db, workspace, krate);
    // What is looked up later holds as long as this does.
    resolver(db, workspace);
    let it = &map.units[unit as usize];
    Arc::new(Graph {
        id: (krate, unit),
        expansion: it.expansion.clone(),
        items: it.items.clone(),
        mentions: mentions(db, it.file),
        defs: it.items.defs.iter().map(|_| OnceLock::new()).collect(),
        none: Uses {
            all: Box::default(),
            std_traits: StdTraits::ALL,
            emitted: StdTraits::ALL,
            macros: Box::default(),
            tells_places: false,
            impure: Box::default(),
        },
    })
}

impl Graph {
    /// What the `def`th definition of the unit mentions. `world`: that of the database this is from.
    pub fn of(&self, world: &World<'_>, def: u32) -> &Uses {
        match (self.defs.get(def as usize), self.mentions.of(&self.expansion, def)) {
            (Some(cell), Some(mentions)) => cell.get_or_init(|| self.resolved(world, def, mentions)),
            _ => &self.none,
        }
    }

    fn resolved(&self, world: &World<'_>, def: u32, mentions: &DefMentions) -> Uses {
        let (krate, unit) = self.id;
        let it = self.items.def(DefIdx(def));
        let context = Context::new(world, DefId { krate, unit, def }, it);
        let uses = mentions
            .all
            .iter()
            .map(|mention| context.resolve(mentions.path(mention), mention));
        let all: Box<[Use]> = uses.collect();
        let named = all.iter().filter(|_| it.kind != DefKind::Impl).map(named_traits);
        let quoted = all
            .iter()
            .filter(|it| matches!(it.kind, MentionKind::Quoted | MentionKind::QuotedMethod));
        let words = quoted.map(|it| StdTraits::of_emitted(it.path.iter().map(|name| name.as_str())));
        let of_std = |it| externals(it).map(|path| world.std_path(path));
        let tells_places = all.iter().flat_map(of_std).any(|it| it.tells_places);
        Uses {
            std_traits: named.fold(mentions.std_traits, StdTraits::and),
            emitted: words.fold(mentions.emitted, StdTraits::and),
            macros: called_macros(&all),
            tells_places,
            impure: all.iter().filter_map(|it| impure(world, it)).collect(),
            all,
        }
    }
}

/// The traits of std that a mention may reach by its words: as written, and as the names of std they stand for.
fn named_traits(it: &Use) -> StdTraits {
    match it.kind {
        // What is required of a type calls nothing, nor does the header of an impl, nor what is for elsewhere.
        MentionKind::Bound
        | MentionKind::Object
        | MentionKind::Derive
        | MentionKind::Attribute
        | MentionKind::Quoted
        | MentionKind::Glued
        | MentionKind::QuotedMethod
        | MentionKind::QuotedName => return StdTraits::NONE,
        _ => {}
    }
    let written = StdTraits::of_words(it.path.iter().map(|name| name.as_str()));
    let Meaning::Path(resolution) = &it.meaning else {
        return written;
    };
    resolution.targets.iter().fold(written, |all, target| match target.res {
        Res::External(path) => all
            .and(StdTraits::of_trait(path.as_str()))
            .and(StdTraits::of_words(path.as_str().split("::"))),
        _ => all,
    })
}

/// What a mention may stand for, as far as it is found.
fn targets(it: &Use) -> &[Target] {
    match &it.meaning {
        Meaning::Path(resolution) => &resolution.targets,
        _ => &[],
    }
}

/// The names of std that a mention may stand for.
fn externals(it: &Use) -> impl Iterator<Item = Name> {
    targets(it).iter().filter_map(|target| match target.res {
        Res::External(path) => Some(path),
        _ => None,
    })
}

fn called_macros(all: &[Use]) -> Box<[DefId]> {
    let calls = all.iter().filter(|it| it.kind == MentionKind::Macro).flat_map(targets);
    let called = calls.filter_map(|target| match target.res {
        Res::Def(id) => Some(id),
        _ => None,
    });
    called.collect()
}

fn impure(world: &World<'_>, it: &Use) -> Option<Impure> {
    let mut paths = externals(it).map(|path| (path, world.std_path(path)));
    match it.kind {
        MentionKind::Macro => paths.any(|(_, known)| known.is_thread_local).then(|| Impure {
            kind: "thread-local",
            name: "thread_local!".to_owned(),
        }),
        // A type alone does nothing: `fn f(at: Instant)`.
        MentionKind::Value | MentionKind::Token => paths.find_map(|(path, known)| {
            Some(Impure {
                kind: known.impure?,
                name: in_std(path.as_str()).into_owned(),
            })
        }),
        _ => None,
    }
}

/// What surrounds a definition's mentions.
struct Context<'w> {
    world: &'w World<'w>,
    id: DefId,
    def: &'w Def,
    parent: Option<(DefId, &'w Def)>,
}

impl<'w> Context<'w> {
    fn new(world: &'w World<'w>, id: DefId, def: &'w Def) -> Context<'w> {
        let parent = def.parent.map(|parent| DefId { def: parent.0, ..id });
        let parent = parent.and_then(|parent| Some((parent, world.def(parent)?)));
        Context { world, id, def, parent }
    }

    fn resolve(&self, path: &[Name], mention: &Mention) -> Use {
        let module = match self.world.map(self.id.krate) {
            Some(map) => map.module_of(self.id.unit, mention.scope),
            None => ModId {
                krate: self.id.krate,
                module: 0,
            },
        };
        let meaning = self.meaning(mention.kind, module, path);
        Use {
            kind: mention.kind,
            header: mention.header,
            module,
            path: path.into(),
            meaning,
        }
    }

    fn meaning(&self, kind: MentionKind, module: ModId, path: &[Name]) -> Meaning {
        match kind {
            MentionKind::Method
            | MentionKind::Glued
            | MentionKind::TokenArg
            | MentionKind::Quoted
            | MentionKind::QuotedMethod
            | MentionKind::QuotedName => {
                return Meaning::Name;
            }
            MentionKind::Macro | MentionKind::Derive | MentionKind::Attribute => {
                return Meaning::Path(self.world.resolve(module, path, Ns::Macro));
            }
            _ => {}
        }
        match path[0] {
            known::SELF_TYPE => self.self_type(path),
            known::ANY_TYPE | known::WILDCARD => Meaning::Open { projection: true },
            head if self.is_param(head) => Meaning::Open {
                projection: path.len() > 2,
            },
            _ => Meaning::Path(self.world_path(kind, module, path)),
        }
    }

    fn is_param(&self, name: Name) -> bool {
        self.def.generics.contains(&name) || self.parent.is_some_and(|(_, parent)| parent.generics.contains(&name))
    }

    fn self_type(&self, path: &[Name]) -> Meaning {
        let open = Meaning::Open {
            projection: path.len() > 2,
        };
        let (holder, def) = self.parent.unwrap_or((self.id, self.def));
        match &def.data {
            DefData::Impl(header) => {
                let Some(module) = self.world.module_of(holder) else {
                    return open;
                };
                let heads = match &header.head {
                    Head::Path(head) if def.generics.contains(&head[0]) => return open,
                    Head::Path(head) => index::types(self.world, module, head),
                    _ => return open,
                };
                if heads.is_empty() {
                    open
                } else {
                    Meaning::SelfType(heads)
                }
            }
            _ => match def.kind {
                DefKind::Struct | DefKind::Enum | DefKind::Union => Meaning::SelfType(vec![holder]),
                _ => open,
            },
        }
    }

    fn world_path(&self, kind: MentionKind, module: ModId, path: &[Name]) -> Resolution {
        let spaces: &[Ns] = match kind {
            MentionKind::Value => &[Ns::Value],
            MentionKind::Bound | MentionKind::Object => &[Ns::Type],
            // A const argument looks like a type, a struct pattern like a value.
            MentionKind::Type => &[Ns::Type, Ns::Value],
            MentionKind::Pattern => &[Ns::Value, Ns::Type],
            _ => &[Ns::Value, Ns::Type, Ns::Macro],
        };
        let every = matches!(
            kind,
            MentionKind::Token | MentionKind::WeakToken | MentionKind::AttributePath | MentionKind::Pattern
        );
        let mut best = Resolution {
            unresolved: Some(0),
            ..Resolution::default()
        };
        let is_written = match kind {
            MentionKind::WeakToken | MentionKind::AttributePath => true,
            MentionKind::Pattern => path.len() == 1,
            MentionKind::Token => self.world.is_written(module, path),
            _ => false,
        };
        for &ns in spaces {
            let found = match is_written {
                true => self.world.resolve_written(module, path, ns),
                false => self.world.resolve(module, path, ns),
            };
            merge(&mut best, found);
            if !every && best.unresolved.is_none() {
                break;
            }
        }
        if kind == MentionKind::Pattern && path.len() == 1 {
            best.targets.retain(|target| self.can_match(target));
            if best.targets.is_empty() {
                best.unresolved = Some(0);
            }
        }
        best
    }

    /// What a bare identifier in a pattern can be besides a new name.
    fn can_match(&self, target: &Target) -> bool {
        match target.res {
            Res::Def(id) => self
                .world
                .def(id)
                .is_some_and(|def| !matches!(def.kind, DefKind::Fn | DefKind::Trait)),
            Res::External(_) => true,
            Res::Mod(_) => false,
        }
    }
}

/// Keeps the meaning that got further; joins those that got all the way.
fn merge(best: &mut Resolution, found: Resolution) {
    match (best.unresolved, found.unresolved) {
        (Some(_), None) => *best = found,
        (Some(a), Some(b)) if b > a => *best = found,
        (None, None) => {
            if best.assoc_from.is_none() && found.assoc_from.is_some() {
                return;
            }
            if best.assoc_from.is_some() && found.assoc_from.is_none() {
                best.assoc_from = None;
                best.targets.clear();
            }
            for target in found.targets {
                if !best.targets.contains(&target) {
                    best.targets.push(target);
                }
            }
        }
        _ => {}
    }
}
