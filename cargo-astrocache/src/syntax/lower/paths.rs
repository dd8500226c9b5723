//! Paths as segments, from nodes.

use ra_ap_parser::{SyntaxKind, SyntaxKind::*};

use super::super::{
    facts::{Head, Path},
    name::{Name, known, without_raw},
    tree::{Idx, Tree},
};

/// The segments of a `PATH` node. `<T as Tr>::m` reads `Tr::m`, `<T>::m` reads `T::m`, `<[T]>::m` reads `<>::m`.
pub fn path(tree: &Tree<'_>, node: Idx) -> Path {
    let mut segments = Vec::with_capacity(2);
    push_path(tree, node, &mut segments);
    segments.into()
}

/// The name of a `PATH` node that is one name and nothing else.
pub fn single(tree: &Tree<'_>, node: Idx) -> Option<Name> {
    let (segment, name, token) = (node + 1, node + 2, node + 3);
    let plain = tree.end(node) == token + 1
        && tree.kind(segment) == PATH_SEGMENT
        && tree.kind(name) == NAME_REF
        && tree.end(name) == token + 1
        && tree.is_token(token);
    plain.then(|| Name::ident(tree.token_text(token)))
}

/// Appends the segments of a `PATH` node; see [`path`].
pub fn push_path(tree: &Tree<'_>, node: Idx, out: &mut Vec<Name>) {
    if let Some(name) = single(tree, node) {
        out.push(name);
        return;
    }
    for child in tree.children(node) {
        match tree.kind(child) {
            PATH => push_path(tree, child, out),
            PATH_SEGMENT => push_segment(tree, child, out),
            _ => {}
        }
    }
}

/// The text of the first segment, as [`path`] reads it.
pub fn first_segment<'a>(tree: &Tree<'a>, node: Idx) -> Option<&'a str> {
    let plain = tree
        .child(node, PATH_SEGMENT)
        .filter(|_| tree.child(node, PATH).is_none());
    let first = plain.and_then(|segment| tree.children(segment).next());
    let name = first.filter(|&first| tree.kind(first) == NAME_REF);
    match name.and_then(|name| tree.tokens(name).next()) {
        Some(token) => Some(without_raw(tree.token_text(token))),
        None => path(tree, node).first().map(|name| name.as_str()),
    }
}

/// The text of the last segment, as [`path`] reads it.
pub fn last_segment<'a>(tree: &Tree<'a>, node: Idx) -> Option<&'a str> {
    let segment = tree.children(node).filter(|&c| tree.kind(c) == PATH_SEGMENT).last();
    let name = segment.and_then(|segment| tree.child(segment, NAME_REF));
    match name.and_then(|name| tree.tokens(name).next()) {
        Some(token) => Some(without_raw(tree.token_text(token))),
        None => path(tree, node).last().map(|name| name.as_str()),
    }
}

fn push_segment(tree: &Tree<'_>, node: Idx, out: &mut Vec<Name>) {
    for child in tree.children(node) {
        match tree.kind(child) {
            COLON2 if out.is_empty() => out.push(known::ROOT),
            NAME_REF => out.extend(tree.tokens(child).next().map(|t| Name::ident(tree.token_text(t)))),
            TYPE_ANCHOR => push_anchor(tree, child, out),
            _ => {}
        }
    }
}

fn push_anchor(tree: &Tree<'_>, anchor: Idx, out: &mut Vec<Name>) {
    let mut types = tree.children(anchor).filter(|&c| !tree.is_token(c));
    let cast = tree.child(anchor, AS_KW).is_some();
    let named = if cast { types.nth(1) } else { types.next() };
    match named
        .filter(|&ty| tree.kind(ty) == PATH_TYPE)
        .and_then(|ty| tree.child(ty, PATH))
    {
        Some(inner) => push_path(tree, inner, out),
        None => out.push(known::ANY_TYPE),
    }
}

/// The outermost type of a type node.
pub fn head(tree: &Tree<'_>, ty: Idx) -> Head {
    match tree.kind(ty) {
        PATH_TYPE => tree.child(ty, PATH).map_or(Head::Other, |p| Head::Path(path(tree, p))),
        REF_TYPE | PTR_TYPE | SLICE_TYPE | ARRAY_TYPE | PAREN_TYPE => {
            inner_type(tree, ty).map_or(Head::Other, |inner| head(tree, inner))
        }
        DYN_TRAIT_TYPE => first_bound(tree, ty).map_or(Head::Other, Head::Dyn),
        _ => Head::Other,
    }
}

fn first_bound(tree: &Tree<'_>, ty: Idx) -> Option<Path> {
    let list = tree.child(ty, TYPE_BOUND_LIST)?;
    let bound = tree.child(list, TYPE_BOUND)?;
    let named = tree.child(bound, PATH_TYPE)?;
    Some(path(tree, tree.child(named, PATH)?))
}

fn inner_type(tree: &Tree<'_>, ty: Idx) -> Option<Idx> {
    tree.children(ty).find(|&c| is_type(tree.kind(c)))
}

/// Kinds of type nodes.
pub fn is_type(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        PATH_TYPE
            | REF_TYPE
            | PTR_TYPE
            | SLICE_TYPE
            | ARRAY_TYPE
            | PAREN_TYPE
            | TUPLE_TYPE
            | FN_PTR_TYPE
            | NEVER_TYPE
            | INFER_TYPE
            | DYN_TRAIT_TYPE
            | IMPL_TRAIT_TYPE
            | FOR_TYPE
            | MACRO_TYPE
    )
}
