//! Macro calls that make cached functions. Such a function is written nowhere, so the call is the root in its place: its closure
//! holds whatever the macro and its arguments can mean. The macro that runs in rustc finds the call by the function's name,
//! which has to be among the arguments.

use super::roots::is_cached;
use crate::{
    db::{Db, SourceFile, bodies, parser_edition, text_of},
    fingerprint::source_file,
    resolve::{DefId, ModId, World},
    syntax::{self, DefData, DefKind, ProvidedTokens},
};

/// May this be a call of a `macro_rules!` that makes cached functions, all of whose code is in the call's closure?
pub fn makes_cached(world: &World<'_>, id: DefId) -> bool {
    let (Some(DefData::Site(facts)), Some(module)) = (world.def(id).map(|def| &def.data), world.module_of(id)) else {
        return false;
    };
    // Arguments that are items stand for themselves.
    if facts.lowered || facts.bare || facts.enclosed {
        return false;
    }
    let provides = world.provides(id);
    // What a trait's default methods run is for others to say.
    if provides.any || provides.traits || provides.macros.is_empty() {
        return false;
    }
    let macros = provides
        .macros
        .iter()
        .filter_map(|&mac| match world.def(mac).map(|def| &def.data) {
            Some(DefData::Macro(facts)) => Some((world.module_of(mac)?, &facts.tokens)),
            _ => None,
        });
    let tokens: Vec<(ModId, &ProvidedTokens)> = macros.chain([(module, &facts.tokens)]).collect();
    // Tests see more crates than the call's closure takes.
    if tokens.iter().any(|(_, tokens)| tokens.test) {
        return false;
    }
    let mut attributes = tokens
        .iter()
        .flat_map(|(home, tokens)| tokens.attributes.iter().map(|path| (*home, path)));
    attributes.any(|(home, path)| [home, module].iter().any(|&module| is_cached(world, module, path)))
}

/// As [`extent`], of a definition; `None` if it is no macro call.
pub fn extent_of(db: &dyn Db, world: &World<'_>, id: DefId) -> Option<(String, (u32, u32))> {
    if world.def(id)?.kind != DefKind::MacroSite {
        return None;
    }
    let unit = &world.map(id.krate)?.units[id.unit as usize];
    extent(db, source_file(world, id)?, &unit.expansion, id.def)
}

/// What follows the name of such a call in its path, and its end (line and column, from 1, in characters).
pub fn extent(db: &dyn Db, file: SourceFile, expansion: &[u32], def: u32) -> Option<(String, (u32, u32))> {
    let bodies = bodies(db, file);
    let body = bodies.unit(expansion).get(def as usize)?;
    let text = text_of(db, file)?;
    let call = text.get(body.item_start as usize..body.range.1 as usize)?;
    let before = &text[..body.range.1 as usize];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = 1 + before.matches('\n').count() as u32;
    let column = 1 + before[start..].chars().count() as u32;
    let name = syntax::first_argument(call, parser_edition(file.edition(db)));
    Some((format!("({name})"), (line, column)))
}
