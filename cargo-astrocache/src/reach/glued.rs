//! R9 for names that macros put together: `[<get_ $x>]` of `paste!`, `get~N` of `seq!`.
//!
//! Which word stands for `$x`, nobody knows without expanding the macro: it may be any in the arguments of the call. Words may
//! be turned to upper, lower, snake or camel case on the way, so names are compared without case and underscores.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Rule, flood::Flood};
use crate::{
    project::CrateId,
    resolve::{CrateMap, DefId},
    syntax::{Name, known},
};

/// The definitions of a crate, those in impls and traits as well, by name without case and underscores.
pub type PlainNames = FxHashMap<String, Vec<DefId>>;

impl Flood<'_> {
    /// Makes live what each of these names, by its parts, may be in its crate.
    pub fn glued(&mut self, names: &[(CrateId, Box<[Name]>)], words: &[Name]) {
        let words: FxHashSet<String> = words.iter().map(|&word| plain(word)).collect();
        let mut seen = FxHashSet::default();
        for (krate, parts) in names.iter().filter(|it| seen.insert(*it)) {
            let known = self.plain_names(*krate);
            let mut found: Vec<DefId> = Vec::new();
            for (name, all) in &*known {
                if is_made_of(name, parts, &words) {
                    found.extend(all);
                }
            }
            found.sort();
            for def in found {
                self.mark(def, Rule::R9);
            }
        }
    }

    fn plain_names(&mut self, krate: CrateId) -> Arc<PlainNames> {
        let map = self.world.map(krate);
        let names = self.plain_names.entry(krate);
        names
            .or_insert_with(|| Arc::new(map.map(|map| by_plain_name(map)).unwrap_or_default()))
            .clone()
    }
}

fn by_plain_name(map: &CrateMap) -> PlainNames {
    let mut out = PlainNames::default();
    for id in map.def_ids() {
        out.entry(plain(map.def(id).name)).or_default().push(id);
    }
    out
}

fn plain(name: Name) -> String {
    name.as_str().replace('_', "").to_lowercase()
}

/// Whether a plain name is these parts one after the other.
fn is_made_of(name: &str, parts: &[Name], words: &FxHashSet<String>) -> bool {
    let Some((&part, rest)) = parts.split_first() else {
        return name.is_empty();
    };
    match part {
        known::WILDCARD => (1..=name.len())
            .filter(|&end| name.is_char_boundary(end) && words.contains(&name[..end]))
            .any(|end| is_made_of(&name[end..], rest, words)),
        known::NUMBER => {
            let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            digits > 0 && is_made_of(&name[digits..], rest, words)
        }
        _ => name
            .strip_prefix(plain(part).as_str())
            .is_some_and(|name| is_made_of(name, rest, words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_parts_in_whatever_case() {
        let words: FxHashSet<String> = ["alphabeta".to_owned(), "x".to_owned()].into_iter().collect();
        let is = |name: &str, parts: &[&str]| {
            let parts: Vec<Name> = parts.iter().map(|part| Name::new(part)).collect();
            is_made_of(&plain(Name::new(name)), &parts, &words)
        };
        assert!(is("get_AlphaBeta", &["get_", "$_"]));
        assert!(is("ALPHA_BETA_VALUE", &["$_", "value"]));
        assert!(is("x_to_alpha_beta", &["$_", "_to_", "$_"]));
        assert!(!is("get_gamma", &["get_", "$_"]));
        assert!(!is("get_alpha_beta_too", &["get_", "$_"]));
        assert!(is("f12", &["f", "$0"]) && !is("f", &["f", "$0"]) && !is("fx", &["f", "$0"]));
    }
}
