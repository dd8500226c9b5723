//! Interned names. Equality is an integer compare; the number never takes part in a hash or an order that
//! leaves the process, because it depends on which file was read first.

use std::sync::{OnceLock, RwLock};

use rustc_hash::FxHashMap;

/// An identifier, keyword or other short text, interned for the life of the process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(u32);

#[derive(Default)]
struct Interner {
    ids: FxHashMap<&'static str, u32>,
    texts: Vec<&'static str>,
}

fn interner() -> &'static RwLock<Interner> {
    static INTERNER: OnceLock<RwLock<Interner>> = OnceLock::new();
    INTERNER.get_or_init(|| {
        let mut it = Interner::default();
        for text in WELL_KNOWN {
            it.insert(text);
        }
        RwLock::new(it)
    })
}

impl Interner {
    fn insert(&mut self, text: &'static str) -> u32 {
        let id = self.texts.len() as u32;
        self.texts.push(text);
        self.ids.insert(text, id);
        id
    }
}

impl Name {
    /// Interns `text` as it stands; see [`Name::ident`] for identifiers.
    pub fn new(text: &str) -> Name {
        let lock = interner();
        if let Some(&id) = lock.read().unwrap_or_else(|e| e.into_inner()).ids.get(text) {
            return Name(id);
        }
        let mut it = lock.write().unwrap_or_else(|e| e.into_inner());
        match it.ids.get(text) {
            Some(&id) => Name(id),
            None => Name(it.insert(Box::leak(text.into()))),
        }
    }

    /// Interns an identifier: `r#match` is the same name as `match`.
    pub fn ident(text: &str) -> Name {
        Name::new(text.strip_prefix("r#").unwrap_or(text))
    }

    pub fn as_str(self) -> &'static str {
        interner().read().unwrap_or_else(|e| e.into_inner()).texts[self.0 as usize]
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! well_known {
    ($($id:ident = $text:literal),* $(,)?) => {
        const WELL_KNOWN: &[&str] = &[$($text),*];
        /// Names with a meaning of their own, known without a look-up.
        #[allow(non_upper_case_globals)]
        pub mod known {
            use super::Name;
            well_known!(@consts 0u32; $($id)*);
        }
    };
    (@consts $n:expr; $id:ident $($rest:ident)*) => {
        pub const $id: Name = Name($n);
        well_known!(@consts $n + 1; $($rest)*);
    };
    (@consts $n:expr;) => {};
}

well_known! {
    CRATE = "crate",
    SELF = "self",
    SUPER = "super",
    SELF_TYPE = "Self",
    DOLLAR_CRATE = "$crate",
    // A leading `::`.
    ROOT = "::",
    // The type in `<..>::f` where it is not a plain path.
    ANY_TYPE = "<>",
    // An interpolated segment `$x` or `#x` inside a path of a token tree.
    WILDCARD = "$_",
    UNDERSCORE = "_",
    EMPTY = "",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_equal_names_and_raw_identifiers_lose_their_prefix() {
        assert_eq!(Name::new("render"), Name::new("render"));
        assert_ne!(Name::new("render"), Name::new("Render"));
        assert_eq!(Name::ident("r#match"), Name::new("match"));
        assert_eq!(Name::ident("r#match").as_str(), "match");
    }

    #[test]
    fn well_known_names_have_their_text() {
        assert_eq!(known::CRATE, Name::new("crate"));
        assert_eq!(known::SELF_TYPE.as_str(), "Self");
        assert_eq!(known::EMPTY, Name::new(""));
    }
}
