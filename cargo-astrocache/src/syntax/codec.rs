//! Facts as bytes, for keeping them between runs: items and bodies apart, so that one is read without the other.
//!
//! Each begins with the names it uses, in order of first use, and says names by their place there. So equal facts are
//! equal bytes in every process, whatever numbers the names have in it: the hash of a file's items is its *signature*.

use std::{cell::RefCell, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

use super::{
    facts::{DefBody, FileBodies, FileFacts, FileItems},
    name::Name,
};

/// The facts of a file as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub items: Box<[u8]>,
    pub bodies: Box<[u8]>,
}

/// Encodes both parts.
pub fn encode(facts: &FileFacts) -> Encoded {
    Encoded {
        items: encode_one(&*facts.items),
        bodies: encode_one(&facts.bodies),
    }
}

/// blake3 of bodies without the places where things stand.
pub fn code_hash(bodies: &FileBodies) -> [u8; 32] {
    *blake3::hash(&encode_one(&without_places(bodies))).as_bytes()
}

fn without_places(bodies: &FileBodies) -> FileBodies {
    let def = |body: &DefBody| DefBody {
        layout: 0,
        range: (0, 0),
        item_start: 0,
        line: 0,
        column: 0,
        ..body.clone()
    };
    FileBodies {
        defs: bodies.defs.iter().map(def).collect(),
        expansions: bodies.expansions.iter().map(without_places).collect(),
    }
}

/// The items in `bytes`; `None` if they are no items.
pub fn decode_items(bytes: &[u8]) -> Option<Arc<FileItems>> {
    decode_one(bytes).map(Arc::new)
}

/// The bodies in `bytes`; `None` if they are no bodies.
pub fn decode_bodies(bytes: &[u8]) -> Option<Arc<FileBodies>> {
    decode_one(bytes).map(Arc::new)
}

/// The names of what is being encoded or decoded.
#[derive(Default)]
struct Table {
    names: Vec<Name>,
    /// By the number of a name: one more than its place in `names`, or 0 for no place. Longer than any number met.
    places: Vec<u32>,
    /// Memory for the content.
    content: Vec<u8>,
}

thread_local! {
    /// Serde hands no context to a value.
    static TABLE: RefCell<Table> = RefCell::default();
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = TABLE.with_borrow_mut(|table| table.place(*self));
        serializer.serialize_u32(place)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let place = u32::deserialize(deserializer)?;
        let name = TABLE.with_borrow(|table| table.names.get(place as usize).copied());
        name.ok_or_else(|| D::Error::custom("a name that is not in the table"))
    }
}

impl Table {
    fn place(&mut self, name: Name) -> u32 {
        let number = name.number();
        if number >= self.places.len() {
            self.places.resize(number.next_power_of_two().max(number + 1), 0);
        }
        if self.places[number] == 0 {
            self.names.push(name);
            self.places[number] = self.names.len() as u32;
        }
        self.places[number] - 1
    }

    /// Forgets the names, in time that depends on their count only.
    fn clear(&mut self) {
        for name in self.names.drain(..) {
            if let Some(place) = self.places.get_mut(name.number()) {
                *place = 0;
            }
        }
    }
}

fn encode_one(value: &impl Serialize) -> Box<[u8]> {
    let mut content = TABLE.with_borrow_mut(|table| {
        table.clear();
        std::mem::take(&mut table.content)
    });
    content.clear();
    let content = postcard::to_extend(value, content).expect("facts are plain data, and memory grows as asked");
    TABLE.with_borrow_mut(|table| {
        let texts: Vec<&str> = table.names.iter().map(|name| name.as_str()).collect();
        let n_bytes = texts.iter().map(|text| text.len() + 2).sum::<usize>() + content.len();
        let out = Vec::with_capacity(n_bytes + 8);
        let mut out = postcard::to_extend(&texts, out).expect("texts are plain data");
        out.extend_from_slice(&content);
        table.content = content;
        out.into()
    })
}

fn decode_one<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (texts, content) = postcard::take_from_bytes::<Vec<&str>>(bytes).ok()?;
    TABLE.with_borrow_mut(|table| {
        table.clear();
        table.names.extend(texts.into_iter().map(Name::new));
    });
    let decoded = postcard::take_from_bytes::<T>(content);
    TABLE.with_borrow_mut(Table::clear);
    match decoded {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ra_ap_parser::Edition;

    use super::*;
    use crate::syntax::facts;

    /// Every file of this crate, as a sample of real code.
    fn sources() -> Vec<String> {
        let mut out = Vec::new();
        let mut dirs = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => dirs.push(path),
                    false => out.push(std::fs::read_to_string(path).unwrap()),
                }
            }
        }
        out
    }

    #[test]
    fn what_is_decoded_is_what_was_encoded() {
        let mut files = sources();
        files.push("macro_rules! all { () => { mod a; fn f() { g::<u8>(1) } } } all!();".to_owned());
        files.push("#[cfg(any(not(unix), all(feature = \"x\", windows)))] impl<T: A> B<T> for dyn C {}".to_owned());
        files.push(String::new());
        for text in files {
            let facts = facts(&text, Edition::Edition2024);
            let encoded = encode(&facts);
            assert_eq!(decode_items(&encoded.items).unwrap(), facts.items);
            assert_eq!(*decode_bodies(&encoded.bodies).unwrap(), facts.bodies);
        }
    }

    #[test]
    fn names_of_other_numbers_give_the_same_bytes() {
        let text = "fn first_of_its_kind() {} struct SecondOfItsKind;";
        let bytes = encode(&facts(text, Edition::Edition2024)).items;
        // Text only: no number of the interner, which every name made before would move.
        let again = encode(&facts(text, Edition::Edition2024)).items;
        assert_eq!(bytes, again);
        assert!(bytes.windows(15).any(|it| it == b"SecondOfItsKind"));
    }

    #[test]
    fn a_body_is_not_in_the_items_and_a_comment_is_in_neither_hash() {
        let of = |text: &str| encode(&facts(text, Edition::Edition2024));
        let (one, two) = (of("fn f() { g(1) }"), of("fn f() { h(2) }"));
        assert_eq!(one.items, two.items);
        assert_ne!(one.bodies, two.bodies);
        assert_ne!(one.items, of("fn f() { g(1) } fn g() {}").items);
        assert_eq!(one.items, of("// Why.\n\nfn f() { g(1) }").items);
    }

    #[test]
    fn a_comment_moves_places_and_leaves_the_code() {
        let of = |text: &str| code_hash(&facts(text, Edition::Edition2024).bodies);
        let before = "fn f() { g(1) } macro_rules! all { () => { fn h() { i() } } }";
        let hash = of(before);
        assert_eq!(of(&format!("// Why.\n\n  {before}")), hash);
        assert_eq!(of(&before.replace("i() }", "i() /* Why. */ }")), hash);
        assert_ne!(of(&before.replace("g(1)", "g(2)")), hash);
        assert_ne!(of(&before.replace("i()", "i(1)")), hash);
    }

    #[test]
    fn garbage_is_no_facts() {
        let whole = encode(&facts("use a::b; fn f(x: u8) -> B { g(x) }", Edition::Edition2024));
        for len in 0..whole.bodies.len() {
            assert!(decode_bodies(&whole.bodies[..len]).is_none(), "{len} bytes");
        }
        let longer = [&whole.items, b"x".as_slice()].concat();
        assert!(decode_items(&longer).is_none());
        for at in 0..whole.items.len() {
            let mut bytes = whole.items.clone();
            bytes[at] = 0xff;
            // Nothing to assert but that it ends: a checksum stands before this.
            let _ = decode_items(&bytes);
        }
    }
}
