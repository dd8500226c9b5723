//! Interned names. Equality is an integer compare; the number never takes part in a hash or an order that
//! leaves the process, because it depends on which file was read first.

use std::{
    cell::RefCell,
    hash::BuildHasher as _,
    sync::{Mutex, OnceLock},
};

use rustc_hash::{FxBuildHasher, FxHashMap};

/// An identifier, keyword or other short text, interned for the life of the process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(u32);

/// All names of the process.
struct Interner {
    ids: Mutex<Ids>,
    texts: Texts,
}

/// Numbers by the hash of their text, so that growing reads no text.
#[derive(Default)]
struct Ids {
    first: FxHashMap<u64, u32>,
    /// Of each number, another one with the same hash; itself if there is none.
    next: Vec<u32>,
    /// Memory for texts that are still to come.
    spare: &'static mut [u8],
}

/// The texts by number. Read without a lock: a text once set never moves.
///
/// Block `n` holds `FIRST_BLOCK << n` texts, so the blocks of a `u32` are few.
struct Texts([OnceLock<Block>; BLOCKS]);

type Block = Box<[OnceLock<&'static str>]>;

const FIRST_BLOCK: u32 = 1 << 10;

const BLOCKS: usize = (u32::BITS - FIRST_BLOCK.ilog2()) as usize + 1;

impl Texts {
    /// Block and place in it.
    fn place(id: u32) -> (usize, usize) {
        let at = u64::from(id) + u64::from(FIRST_BLOCK);
        let block = at.ilog2() - FIRST_BLOCK.ilog2();
        (block as usize, (at - (u64::from(FIRST_BLOCK) << block)) as usize)
    }

    fn get(&self, id: u32) -> &'static str {
        let (block, at) = Texts::place(id);
        let text = self.0[block].get().and_then(|block| block[at].get());
        text.expect("a number is given out after its text is set")
    }

    fn set(&self, id: u32, text: &'static str) {
        let (block, at) = Texts::place(id);
        let new = || (0..(FIRST_BLOCK as usize) << block).map(|_| OnceLock::new()).collect();
        let fresh = self.0[block].get_or_init(new)[at].set(text);
        debug_assert!(fresh.is_ok(), "one text a number");
    }
}

fn interner() -> &'static Interner {
    static INTERNER: OnceLock<Interner> = OnceLock::new();
    INTERNER.get_or_init(Interner::new)
}

fn hash(text: &str) -> u64 {
    FxBuildHasher.hash_one(text)
}

impl Interner {
    /// With the well-known names.
    fn new() -> Interner {
        let it = Interner {
            ids: Mutex::default(),
            texts: Texts([const { OnceLock::new() }; _]),
        };
        for text in WELL_KNOWN {
            it.intern(hash(text), text);
        }
        it
    }

    fn intern(&self, hash: u64, text: &str) -> (&'static str, Name) {
        let mut ids = self.ids.lock().unwrap_or_else(|e| e.into_inner());
        let new = u32::try_from(ids.next.len()).expect("fewer names than a u32 counts");
        let mut id = *ids.first.entry(hash).or_insert(new);
        while id != new {
            let found = self.texts.get(id);
            if found == text {
                return (found, Name(id));
            }
            if ids.next[id as usize] == id {
                ids.next[id as usize] = new;
            }
            id = ids.next[id as usize];
        }
        let text = ids.keep(text);
        self.texts.set(new, text);
        ids.next.push(new);
        (text, Name(new))
    }
}

impl Ids {
    /// Copies a text to where it can stay: many in one piece of memory.
    fn keep(&mut self, text: &str) -> &'static str {
        const PIECE: usize = 1 << 16;
        if text.len() > PIECE / 16 {
            return Box::leak(text.into());
        }
        if self.spare.len() < text.len() {
            self.spare = Box::leak(vec![0; PIECE].into());
        }
        let (kept, spare) = std::mem::take(&mut self.spare).split_at_mut(text.len());
        self.spare = spare;
        kept.copy_from_slice(text.as_bytes());
        std::str::from_utf8(kept).expect("bytes of a text")
    }
}

/// Names that the thread asked for lately, by a part of their hash: most of a file's names are a few that come again and
/// again, and for those no thread waits for another.
struct Recent(Box<[(&'static str, Name)]>);

const RECENT: usize = 1 << 12;

thread_local! {
    static LATELY: RefCell<Recent> = RefCell::new(Recent(vec![("", known::EMPTY); RECENT].into()));
}

impl Recent {
    fn name(&mut self, text: &str) -> Name {
        let hash = hash(text);
        // The upper bits are the better mixed ones.
        let slot = &mut self.0[(hash >> (u64::BITS - RECENT.ilog2())) as usize];
        if slot.0 != text {
            *slot = interner().intern(hash, text);
        }
        slot.1
    }
}

impl Name {
    /// Interns `text` as it stands; see [`Name::ident`] for identifiers.
    pub fn new(text: &str) -> Name {
        LATELY.with_borrow_mut(|recent| recent.name(text))
    }

    /// Interns an identifier: `r#match` is the same name as `match`.
    pub fn ident(text: &str) -> Name {
        Name::new(without_raw(text))
    }

    pub fn as_str(self) -> &'static str {
        interner().texts.get(self.0)
    }

    /// The number, for tables by name that stay in this process.
    pub(super) fn number(self) -> usize {
        self.0 as usize
    }
}

/// An identifier without its `r#`.
pub fn without_raw(text: &str) -> &str {
    text.strip_prefix("r#").unwrap_or(text)
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
    NUMBER = "$0",
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

    #[test]
    fn more_names_than_are_remembered_keep_their_texts() {
        let names: Vec<Name> = (0..3 * RECENT).map(|i| Name::new(&format!("many_{i}"))).collect();
        for (i, &name) in names.iter().enumerate() {
            assert_eq!(name.as_str(), format!("many_{i}"));
            assert_eq!(Name::new(name.as_str()), name);
        }
    }

    #[test]
    fn texts_of_one_hash_are_names_of_their_own() {
        let interner = Interner::new();
        let texts = ["one", "two", "three", "a longer one ".repeat(1000).leak()];
        let names = texts.map(|text| interner.intern(42, text).1);
        let again = texts.map(|text| interner.intern(42, text));
        assert_eq!(again, std::array::from_fn(|i| (texts[i], names[i])));
        assert!((0..texts.len()).all(|i| !names[..i].contains(&names[i])));
    }

    #[test]
    fn each_number_has_a_place_of_its_own() {
        let next = |(block, at): (usize, usize)| match at + 1 < (FIRST_BLOCK as usize) << block {
            true => (block, at + 1),
            false => (block + 1, 0),
        };
        assert_eq!(Texts::place(0), (0, 0));
        for id in (0..10_000).chain(u32::MAX - 10..u32::MAX) {
            assert_eq!(Texts::place(id + 1), next(Texts::place(id)), "{id}");
        }
        assert_eq!(Texts::place(u32::MAX).0, BLOCKS - 1);
    }
}
