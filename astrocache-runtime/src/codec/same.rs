//! Are two encodings the same value although their bytes differ? Only unordered containers may do that.
//!
//! A hash set or map comes back in another order. A list that comes back in another order is a different value. Serde does
//! not say which of the two a sequence is, but behaviour does: a container that swallows repeated elements has no order to
//! lose. So those containers whose order differs get one of their elements several times, the result is decoded, and must
//! encode as if nothing had been added. What passed may differ in order, nothing else may.
//!
//! Containers at the same place of the type (all inner lists of a list, say) are judged together, as one *kind*.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::de;
use super::reader::Reader;
use super::ser::{self, NAME_END, NAME_NEW, write_sized, write_varint};
use super::{CodecError, MAX_DEPTH, Tag};

pub(super) fn same<T: Serialize + DeserializeOwned>(left: &[u8], right: &[u8]) -> bool {
    let (Ok(left), Ok(right)) = (parse(left), parse(right)) else {
        return false;
    };
    let all_sorted = left.sorted(&|_| true);
    let (mut tried, mut unordered) = (BTreeSet::new(), BTreeSet::new());
    let mut kinds = changed(&left, &right);
    loop {
        kinds.retain(|kind| tried.insert(*kind));
        unordered.extend(swallowing::<T>(&left, &all_sorted, &kinds));
        let is_unordered = |kind| unordered.contains(&kind);
        let (left, right) = (left.sorted(&is_unordered), right.sorted(&is_unordered));
        if left == right {
            return true;
        }
        if kinds.is_empty() {
            return false;
        }
        // Contents that changed places count as unchanged at first. With their parents in order they show.
        kinds.clear();
        left.differing(&right, &mut kinds);
    }
}

/// The kinds of containers whose content came back changed, be it only in order. A kind that a collision of hashes hides
/// counts as ordered: the value is then refused, never accepted.
fn changed(left: &Node<'_>, right: &Node<'_>) -> Vec<u64> {
    let contents = |node: &Node<'_>| {
        let mut noted = Vec::new();
        node.contents(&mut noted);
        noted.sort_unstable();
        noted
    };
    let (left, right) = (contents(left), contents(right));
    let of = |noted: &[(u64, u64)], kind: u64| {
        let start = noted.partition_point(|it| it.0 < kind);
        start..noted.partition_point(|it| it.0 <= kind)
    };
    let kinds: BTreeSet<u64> = left.iter().chain(&right).map(|(kind, _)| *kind).collect();
    let is_changed = |kind: &u64| left[of(&left, *kind)] != right[of(&right, *kind)];
    kinds.into_iter().filter(is_changed).collect()
}

/// Those of `kinds` that swallow repeated elements. Mostly all do, so they are tried together, and apart only if not.
fn swallowing<T: Serialize + DeserializeOwned>(value: &Node<'_>, sorted: &Node<'_>, kinds: &[u64]) -> BTreeSet<u64> {
    if kinds.is_empty() {
        return BTreeSet::new();
    }
    let mut bytes = Vec::new();
    value.repeated(kinds).write(&mut bytes);
    let again = de::from_bytes::<T>(&bytes).and_then(|value| ser::to_bytes(&value));
    let swallowed = again.is_ok_and(|again| parse(&again.bytes).is_ok_and(|again| again.sorted(&|_| true) == *sorted));
    if swallowed {
        return kinds.iter().copied().collect();
    }
    if kinds.len() == 1 {
        return BTreeSet::new();
    }
    let (first, second) = kinds.split_at(kinds.len() / 2);
    let mut found = swallowing::<T>(value, sorted, first);
    found.extend(swallowing::<T>(value, sorted, second));
    found
}

/// An encoded value as a tree.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'a> {
    /// A tag with its raw bytes, length-prefixed or not.
    Leaf(Tag, &'a [u8]),
    /// A tuple or `Some`; of a tuple or newtype variant its one content.
    List(Tag, Vec<&'a str>, Vec<Node<'a>>),
    /// Its kind, and its elements.
    Seq(u64, Vec<Node<'a>>),
    /// Its kind, and its entries.
    Map(u64, Vec<(Node<'a>, Node<'a>)>),
    Fields(Tag, Vec<&'a str>, Vec<(&'a str, Node<'a>)>),
}

fn parse(bytes: &[u8]) -> Result<Node<'_>, CodecError> {
    node(&mut Reader::new(bytes), 0, 0)
}

/// `at` stands for the way from the root, without positions in sequences: the kind of what is there.
fn node<'a>(reader: &mut Reader<'a>, depth: u32, at: u64) -> Result<Node<'a>, CodecError> {
    if depth > 2 * MAX_DEPTH {
        return Err(CodecError::TooDeep);
    }
    let tag = reader.tag()?;
    if let Some(width) = tag.width() {
        return Ok(Node::Leaf(tag, reader.take(width)?));
    }
    Ok(match tag {
        Tag::Str | Tag::Bytes => Node::Leaf(tag, reader.sized()?),
        Tag::Some => Node::List(tag, vec![], vec![node(reader, depth + 1, hash(&(at, "some")))?]),
        Tag::Tuple => {
            let mut items = Vec::new();
            while !reader.at_end()? {
                items.push(node(reader, depth + 1, hash(&(at, items.len())))?);
            }
            Node::List(tag, vec![], items)
        }
        Tag::Seq => {
            let mut items = Vec::new();
            while !reader.at_end()? {
                items.push(node(reader, depth + 1, hash(&(at, "item")))?);
            }
            Node::Seq(at, items)
        }
        Tag::PackedSeq | Tag::PackedTuple => {
            let (scalar, raw) = reader.packed()?;
            let items = raw
                .chunks_exact(scalar.width().unwrap_or(1))
                .map(|raw| Node::Leaf(scalar, raw))
                .collect();
            match tag {
                Tag::PackedSeq => Node::Seq(at, items),
                _ => Node::List(Tag::Tuple, vec![], items),
            }
        }
        Tag::Map => {
            let (key, value) = (hash(&(at, "key")), hash(&(at, "value")));
            let mut entries = Vec::new();
            while !reader.at_end()? {
                entries.push((node(reader, depth + 1, key)?, node(reader, depth + 1, value)?));
            }
            Node::Map(at, entries)
        }
        Tag::UnitVariant => Node::List(tag, vec![reader.some_name()?, reader.some_name()?], vec![]),
        Tag::NewtypeVariant | Tag::TupleVariant => {
            let names = vec![reader.some_name()?, reader.some_name()?];
            let content = node(reader, depth + 1, hash(&(at, &names)))?;
            Node::List(tag, names, vec![content])
        }
        Tag::Struct | Tag::StructVariant => {
            let mut names = vec![reader.some_name()?];
            if tag == Tag::StructVariant {
                names.push(reader.some_name()?);
            }
            let mut fields = Vec::new();
            while let Some(name) = reader.name()? {
                fields.push((name, node(reader, depth + 1, hash(&(at, &names, name)))?));
            }
            Node::Fields(tag, names, fields)
        }
        _ => return Err(CodecError::Malformed),
    })
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

impl<'a> Node<'a> {
    /// The same tree with the sequences and maps of some kinds in sorted order.
    fn sorted(&self, is_unordered: &impl Fn(u64) -> bool) -> Node<'a> {
        let sorted = |node: &Node<'a>| node.sorted(is_unordered);
        match self {
            Node::Leaf(tag, raw) => Node::Leaf(*tag, raw),
            Node::List(tag, names, items) => Node::List(*tag, names.clone(), items.iter().map(sorted).collect()),
            Node::Seq(kind, items) => {
                let mut items: Vec<_> = items.iter().map(sorted).collect();
                if is_unordered(*kind) {
                    items.sort_unstable();
                }
                Node::Seq(*kind, items)
            }
            Node::Map(kind, entries) => {
                let mut entries: Vec<_> = entries.iter().map(|(k, v)| (sorted(k), sorted(v))).collect();
                if is_unordered(*kind) {
                    entries.sort_unstable();
                }
                Node::Map(*kind, entries)
            }
            Node::Fields(tag, names, fields) => {
                let fields = fields.iter().map(|(name, value)| (*name, sorted(value))).collect();
                Node::Fields(*tag, names.clone(), fields)
            }
        }
    }

    /// Notes for each container its kind and a hash of its content in its order. Returns the hash of this tree.
    fn contents(&self, noted: &mut Vec<(u64, u64)>) -> u64 {
        let (kind, content) = match self {
            Node::Leaf(tag, raw) => return hash(&(*tag as u8, raw)),
            Node::List(tag, names, items) => {
                let items: Vec<u64> = items.iter().map(|item| item.contents(noted)).collect();
                return hash(&(*tag as u8, names, items));
            }
            Node::Fields(tag, names, fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| (name, value.contents(noted)))
                    .collect();
                return hash(&(*tag as u8, names, fields));
            }
            Node::Seq(kind, items) => (
                *kind,
                items.iter().map(|item| item.contents(noted)).collect::<Vec<u64>>(),
            ),
            Node::Map(kind, entries) => {
                let halves = entries.iter().flat_map(|(key, value)| [key, value]);
                (*kind, halves.map(|half| half.contents(noted)).collect())
            }
        };
        let content = hash(&(kind, content));
        noted.push((kind, content));
        content
    }

    /// Notes the kinds of the containers that are not equal in both trees.
    fn differing(&self, other: &Node<'a>, kinds: &mut Vec<u64>) {
        if self == other {
            return;
        }
        if let Node::Seq(kind, _) | Node::Map(kind, _) = self {
            kinds.push(*kind);
        }
        match (self, other) {
            (Node::List(_, _, mine), Node::List(_, _, theirs)) | (Node::Seq(_, mine), Node::Seq(_, theirs)) => {
                mine.iter()
                    .zip(theirs)
                    .for_each(|(mine, theirs)| mine.differing(theirs, kinds));
            }
            (Node::Map(_, mine), Node::Map(_, theirs)) => {
                for (mine, theirs) in mine.iter().zip(theirs) {
                    mine.0.differing(&theirs.0, kinds);
                    mine.1.differing(&theirs.1, kinds);
                }
            }
            (Node::Fields(_, _, mine), Node::Fields(_, _, theirs)) => {
                mine.iter()
                    .zip(theirs)
                    .for_each(|(mine, theirs)| mine.1.differing(&theirs.1, kinds));
            }
            _ => {}
        }
    }

    /// The same tree with elements repeated in all containers of these kinds: one copy of the first at the front and two
    /// at the end, so that a list of bounded length cannot drop just what was added.
    fn repeated(&self, kinds: &[u64]) -> Node<'a> {
        let repeated = |node: &Node<'a>| node.repeated(kinds);
        match self {
            Node::Leaf(tag, raw) => Node::Leaf(*tag, raw),
            Node::List(tag, names, items) => Node::List(*tag, names.clone(), items.iter().map(repeated).collect()),
            Node::Seq(kind, items) => {
                let copy = first(items, kinds.contains(kind));
                Node::Seq(*kind, around(copy, items.iter().map(repeated)))
            }
            Node::Map(kind, entries) => {
                let copy = first(entries, kinds.contains(kind));
                let entries = entries.iter().map(|(key, value)| (repeated(key), repeated(value)));
                Node::Map(*kind, around(copy, entries))
            }
            Node::Fields(tag, names, fields) => {
                let fields = fields.iter().map(|(name, value)| (*name, repeated(value))).collect();
                Node::Fields(*tag, names.clone(), fields)
            }
        }
    }

    /// The bytes of this tree; names are written out each time.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Node::Leaf(tag, raw) => {
                out.push(*tag as u8);
                match tag {
                    Tag::Str | Tag::Bytes => write_sized(out, raw),
                    _ => out.extend_from_slice(raw),
                }
            }
            Node::List(tag, names, items) => {
                out.push(*tag as u8);
                write_names(names, out);
                items.iter().for_each(|item| item.write(out));
                if *tag == Tag::Tuple {
                    out.push(Tag::End as u8);
                }
            }
            Node::Seq(_, items) => {
                out.push(Tag::Seq as u8);
                items.iter().for_each(|item| item.write(out));
                out.push(Tag::End as u8);
            }
            Node::Map(_, entries) => {
                out.push(Tag::Map as u8);
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
                out.push(Tag::End as u8);
            }
            Node::Fields(tag, names, fields) => {
                out.push(*tag as u8);
                write_names(names, out);
                for (name, value) in fields {
                    write_names(&[name], out);
                    value.write(out);
                }
                write_varint(out, NAME_END);
            }
        }
    }
}

/// The first of `items`, if wanted. Without repetitions within it: nested containers would else grow without bound.
fn first<T: Clone>(items: &[T], wanted: bool) -> Option<T> {
    items.first().filter(|_| wanted).cloned()
}

fn around<T: Clone>(copy: Option<T>, items: impl Iterator<Item = T>) -> Vec<T> {
    let last = [copy.clone(), copy.clone()];
    copy.into_iter()
        .chain(items)
        .chain(last.into_iter().flatten())
        .collect()
}

fn write_names(names: &[&str], out: &mut Vec<u8>) {
    for name in names {
        write_varint(out, NAME_NEW);
        write_sized(out, name.as_bytes());
    }
}
