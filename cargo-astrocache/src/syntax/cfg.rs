//! `cfg` predicates, and what they come to on a platform.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::name::Name;

/// A predicate as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cfg {
    /// `unix`, `feature="x"`.
    Atom(Name),
    All(Vec<Cfg>),
    Any(Vec<Cfg>),
    Not(Box<Cfg>),
}

/// The condition under which an item is there; `None`: always.
pub type Condition = Option<Box<Cfg>>;

/// Atoms that the platform decides; all others depend on the build.
const PLATFORM: &[&str] = &[
    "target_os",
    "target_family",
    "target_arch",
    "target_env",
    "target_vendor",
    "target_endian",
    "target_pointer_width",
    "target_abi",
];

/// Atoms that are only set where documentation is made, unless the user's own flags set them: see
/// [`astrocache_manifest::FOR_DOCUMENTATION`].
fn is_for_documentation(atom: &str) -> bool {
    astrocache_manifest::FOR_DOCUMENTATION.contains(&atom)
}

impl Cfg {
    /// Whether the predicate holds where exactly `atoms` are set; `None` if the platform alone does not tell.
    pub fn eval(&self, atoms: &BTreeSet<String>) -> Option<bool> {
        match self {
            Cfg::Atom(name) => eval_atom(name.as_str(), atoms),
            Cfg::Not(inner) => inner.eval(atoms).map(|it| !it),
            Cfg::All(parts) => all(parts.iter().map(|part| part.eval(atoms))),
            Cfg::Any(parts) => all(parts.iter().map(|part| part.eval(atoms).map(|it| !it))).map(|it| !it),
        }
    }

    /// Both must hold.
    pub fn and(left: Condition, right: Condition) -> Condition {
        match (left, right) {
            (Some(left), Some(right)) => Some(Box::new(Cfg::All(vec![*left, *right]))),
            (left, right) => left.or(right),
        }
    }
}

fn eval_atom(atom: &str, atoms: &BTreeSet<String>) -> Option<bool> {
    match atom {
        "true" => Some(true),
        "false" => Some(false),
        "unix" | "windows" => Some(atoms.contains(atom)),
        _ if is_for_documentation(atom) => Some(false),
        _ => {
            let (key, _) = atom.split_once('=')?;
            PLATFORM.contains(&key).then(|| atoms.contains(atom))
        }
    }
}

fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = false,
        }
    }
    known.then_some(true)
}

/// Reads a predicate from its tokens; `None` if it is none.
pub fn parse(tokens: &[&str]) -> Option<Cfg> {
    let (cfg, rest) = parse_one(tokens)?;
    rest.is_empty().then_some(cfg)
}

fn parse_one<'t>(tokens: &'t [&'t str]) -> Option<(Cfg, &'t [&'t str])> {
    let (&head, rest) = tokens.split_first()?;
    match (head, rest.first()) {
        ("all" | "any" | "not", Some(&"(")) => {
            let (parts, rest) = parse_list(&rest[1..])?;
            let cfg = match head {
                "all" => Cfg::All(parts),
                "any" => Cfg::Any(parts),
                _ => Cfg::Not(Box::new(parts.into_iter().next()?)),
            };
            Some((cfg, rest))
        }
        (_, Some(&"=")) => Some((Cfg::Atom(Name::new(&format!("{head}={}", rest.get(1)?))), &rest[2..])),
        _ => Some((Cfg::Atom(Name::new(head)), rest)),
    }
}

/// `a, b, c)`
fn parse_list<'t>(mut tokens: &'t [&'t str]) -> Option<(Vec<Cfg>, &'t [&'t str])> {
    let mut parts = Vec::new();
    loop {
        match *tokens.first()? {
            ")" => return Some((parts, &tokens[1..])),
            "," => tokens = &tokens[1..],
            _ => {
                let (part, rest) = parse_one(tokens)?;
                parts.push(part);
                tokens = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(tokens: &str) -> Option<bool> {
        let linux = ["unix", "target_os=\"linux\"", "target_family=\"unix\""]
            .map(str::to_owned)
            .into();
        parse(&tokens.split(' ').collect::<Vec<_>>()).and_then(|cfg| cfg.eval(&linux))
    }

    #[test]
    fn a_platform_decides_what_is_about_platforms_only() {
        assert_eq!(eval("unix"), Some(true));
        assert_eq!(eval("windows"), Some(false));
        assert_eq!(eval("not ( target_os = \"linux\" )"), Some(false));
        assert_eq!(eval("feature = \"x\""), None);
        assert_eq!(eval("debug_assertions"), None);
        assert_eq!(eval("all ( windows , feature = \"x\" )"), Some(false));
        assert_eq!(eval("any ( unix , feature = \"x\" )"), Some(true));
        assert_eq!(eval("any ( windows , feature = \"x\" , )"), None);
        assert_eq!(eval("all ( docsrs , feature = \"x\" )"), Some(false));
        assert_eq!(eval("not ( doc )"), Some(true));
        assert_eq!(eval("any ( )"), Some(false));
        assert_eq!(eval("all ( )"), Some(true));
    }

    #[test]
    fn garbage_is_no_predicate() {
        for text in ["", "all (", ") unix", "all ( unix", "a b"] {
            assert_eq!(
                parse(&text.split(' ').filter(|it| !it.is_empty()).collect::<Vec<_>>()),
                None,
                "{text}"
            );
        }
    }
}
