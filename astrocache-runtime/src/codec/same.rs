//! Are two encodings the same value although their bytes differ? Only unordered containers may do that.
//!
//! A hash set or map comes back in another order. A list that comes back in another order is a different value. Serde does
//! not say which of the two a sequence is, but behaviour does: a container that swallows a repeated element has no order to
//! lose. So the containers whose order differs get one of their displaced elements twice, the result is decoded, and must
//! encode as if nothing had been added.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::de::{self, Reader};
use super::ser::{self, NAME_END, NAME_NEW, write_sized, write_varint};
use super::{CodecError, MAX_DEPTH, Tag};

pub(super) fn same<T: Serialize + DeserializeOwned>(left: &[u8], right: &[u8]) -> bool {
    let (Ok(mut left), Ok(right)) = (parse(left), parse(right)) else {
        return false;
    };
    let sorted = left.sorted();
    if sorted != right.sorted() {
        return false;
    }
    left.repeat_displaced(&right);
    let mut bytes = Vec::new();
    left.write(&mut bytes);
    let Ok(value) = de::from_bytes::<T>(&bytes) else {
        return false;
    };
    let Ok(again) = ser::to_bytes(&value) else {
        return false;
    };
    parse(&again.bytes).is_ok_and(|again| again.sorted() == sorted)
}

/// An encoded value as a tree.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'a> {
    /// A tag with its raw bytes, length-prefixed or not.
    Leaf(Tag, &'a [u8]),
    /// A sequence, tuple or `Some`; of a tuple or newtype variant its one content.
    List(Tag, Vec<&'a str>, Vec<Node<'a>>),
    Map(Vec<(Node<'a>, Node<'a>)>),
    Fields(Tag, Vec<&'a str>, Vec<(&'a str, Node<'a>)>),
}

fn parse(bytes: &[u8]) -> Result<Node<'_>, CodecError> {
    node(&mut Reader::new(bytes), 0)
}

fn node<'a>(reader: &mut Reader<'a>, depth: u32) -> Result<Node<'a>, CodecError> {
    if depth > 2 * MAX_DEPTH {
        return Err(CodecError::TooDeep);
    }
    let tag = reader.tag()?;
    if let Some(width) = tag.width() {
        return Ok(Node::Leaf(tag, reader.take(width)?));
    }
    Ok(match tag {
        Tag::Str | Tag::Bytes => Node::Leaf(tag, reader.sized()?),
        Tag::Some => Node::List(tag, vec![], vec![node(reader, depth + 1)?]),
        Tag::Seq | Tag::Tuple => {
            let mut items = Vec::new();
            while !reader.at_end()? {
                items.push(node(reader, depth + 1)?);
            }
            Node::List(tag, vec![], items)
        }
        Tag::PackedSeq | Tag::PackedTuple => {
            let (scalar, raw) = reader.packed()?;
            let items = raw
                .chunks_exact(scalar.width().unwrap_or(1))
                .map(|raw| Node::Leaf(scalar, raw))
                .collect();
            Node::List(if tag == Tag::PackedSeq { Tag::Seq } else { Tag::Tuple }, vec![], items)
        }
        Tag::Map => {
            let mut entries = Vec::new();
            while !reader.at_end()? {
                entries.push((node(reader, depth + 1)?, node(reader, depth + 1)?));
            }
            Node::Map(entries)
        }
        Tag::UnitVariant => Node::List(tag, vec![reader.some_name()?, reader.some_name()?], vec![]),
        Tag::NewtypeVariant | Tag::TupleVariant => {
            let names = vec![reader.some_name()?, reader.some_name()?];
            Node::List(tag, names, vec![node(reader, depth + 1)?])
        }
        Tag::Struct | Tag::StructVariant => {
            let mut names = vec![reader.some_name()?];
            if tag == Tag::StructVariant {
                names.push(reader.some_name()?);
            }
            let mut fields = Vec::new();
            while let Some(name) = reader.name()? {
                fields.push((name, node(reader, depth + 1)?));
            }
            Node::Fields(tag, names, fields)
        }
        _ => return Err(CodecError::Malformed),
    })
}

impl<'a> Node<'a> {
    /// The same tree with every sequence and map in sorted order.
    fn sorted(&self) -> Node<'a> {
        match self {
            Node::Leaf(tag, raw) => Node::Leaf(*tag, raw),
            Node::List(tag, names, items) => {
                let mut items: Vec<_> = items.iter().map(Node::sorted).collect();
                if *tag == Tag::Seq {
                    items.sort_unstable();
                }
                Node::List(*tag, names.clone(), items)
            }
            Node::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().map(|(k, v)| (k.sorted(), v.sorted())).collect();
                entries.sort_unstable();
                Node::Map(entries)
            }
            Node::Fields(tag, names, fields) => {
                let fields = fields.iter().map(|(name, value)| (*name, value.sorted())).collect();
                Node::Fields(*tag, names.clone(), fields)
            }
        }
    }

    /// Repeats one displaced element in every container whose order differs from `other`'s. Both sort to the same tree.
    fn repeat_displaced(&mut self, other: &Node<'a>) {
        match (self, other) {
            (Node::List(Tag::Seq, _, mine), Node::List(_, _, theirs)) => {
                repeat(mine, theirs, Node::sorted, Node::repeat_displaced);
            }
            (Node::List(_, _, mine), Node::List(_, _, theirs)) => {
                mine.iter_mut()
                    .zip(theirs)
                    .for_each(|(mine, theirs)| mine.repeat_displaced(theirs));
            }
            (Node::Map(mine), Node::Map(theirs)) => repeat(
                mine,
                theirs,
                |(key, value)| (key.sorted(), value.sorted()),
                |mine, theirs| {
                    mine.0.repeat_displaced(&theirs.0);
                    mine.1.repeat_displaced(&theirs.1);
                },
            ),
            (Node::Fields(_, _, mine), Node::Fields(_, _, theirs)) => {
                mine.iter_mut()
                    .zip(theirs)
                    .for_each(|(mine, theirs)| mine.1.repeat_displaced(&theirs.1));
            }
            _ => {}
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
                if matches!(tag, Tag::Seq | Tag::Tuple) {
                    out.push(Tag::End as u8);
                }
            }
            Node::Map(entries) => {
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

fn write_names(names: &[&str], out: &mut Vec<u8>) {
    for name in names {
        write_varint(out, NAME_NEW);
        write_sized(out, name.as_bytes());
    }
}

/// Pairs the items of two lists that sort alike, goes into each pair, and repeats a displaced item of the first list.
fn repeat<T: Clone + Ord>(mine: &mut Vec<T>, theirs: &[T], sorted: impl Fn(&T) -> T, go: impl Fn(&mut T, &T)) {
    let displaced = mine.iter().zip(theirs).position(|(a, b)| sorted(a) != sorted(b));
    match displaced {
        None => mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| go(mine, theirs)),
        Some(displaced) => {
            for (i, j) in by_order(mine, &sorted).into_iter().zip(by_order(theirs, &sorted)) {
                go(&mut mine[i], &theirs[j]);
            }
            mine.push(mine[displaced].clone());
        }
    }
}

/// Indices in the order of what the items sort to; items that sort alike stand in their own order.
fn by_order<T: Clone + Ord>(items: &[T], sorted: impl Fn(&T) -> T) -> Vec<usize> {
    let mut keyed: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(i, item)| (sorted(item), item, i))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, i)| i).collect()
}
