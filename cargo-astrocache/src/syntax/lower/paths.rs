//! Paths as segments, from nodes and from bare tokens.

use ra_ap_parser::{SyntaxKind, SyntaxKind::*};

use super::super::{
    facts::{Head, Path},
    name::{Name, known},
    tree::{Idx, Tree},
};

/// The segments of a `PATH` node. `<T as Tr>::m` reads `Tr::m`, `<T>::m` reads `T::m`, `<[T]>::m` reads `<>::m`.
pub fn path(tree: &Tree<'_>, node: Idx) -> Path {
    let mut segments = Vec::with_capacity(2);
    push_path(tree, node, &mut segments);
    segments.into()
}

fn push_path(tree: &Tree<'_>, node: Idx, out: &mut Vec<Name>) {
    for child in tree.children(node) {
        match tree.kind(child) {
            PATH => push_path(tree, child, out),
            PATH_SEGMENT => push_segment(tree, child, out),
            _ => {}
        }
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

/// All paths in the tokens of `node`, in order: for derive lists and the like.
pub fn token_paths(tree: &Tree<'_>, node: Idx) -> Vec<Path> {
    let toks: Vec<Idx> = tree.tokens(node).filter(|&t| tree.kind(t) != COMMENT).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < toks.len() {
        if !is_segment(tree.kind(toks[at])) {
            at += 1;
            continue;
        }
        let mut segments = Vec::new();
        if at >= 2 && is_path_sep(tree, &toks, at - 2) || at >= 1 && tree.kind(toks[at - 1]) == COLON2 {
            segments.push(known::ROOT);
        }
        segments.push(Name::ident(tree.token_text(toks[at])));
        at += 1;
        while let Some(next) =
            after_path_sep(tree, &toks, at).filter(|&n| n < toks.len() && is_segment(tree.kind(toks[n])))
        {
            segments.push(Name::ident(tree.token_text(toks[next])));
            at = next + 1;
        }
        out.push(segments.into());
    }
    out
}

/// Identifiers and the keywords that can stand in a path.
pub fn is_segment(kind: SyntaxKind) -> bool {
    matches!(kind, IDENT | SELF_KW | SUPER_KW | CRATE_KW | SELF_TYPE_KW) || is_contextual(kind)
}

/// Keywords that are identifiers wherever the grammar does not ask for them.
fn is_contextual(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        ASM_KW
            | AUTO_KW
            | BUILTIN_KW
            | DEFAULT_KW
            | DEREF_KW
            | GLOBAL_ASM_KW
            | LABEL_KW
            | MACRO_RULES_KW
            | OPTIONS_KW
            | OUT_KW
            | PURE_KW
            | RAW_KW
            | SAFE_KW
            | SYM_KW
            | UNION_KW
            | YEET_KW
            | INCLUDE_BYTES_KW
            | FORMAT_ARGS_KW
            | OFFSET_OF_KW
            | NULL_KW
            | IS_KW
            | NAKED_ASM_KW
    )
}

/// `::` at `at`, as one token or as two adjacent colons.
pub fn is_path_sep(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    after_path_sep(tree, toks, at).is_some()
}

/// The position just past a `::` at `at`.
pub fn after_path_sep(tree: &Tree<'_>, toks: &[Idx], at: usize) -> Option<usize> {
    match tree.kind(*toks.get(at)?) {
        COLON2 => Some(at + 1),
        COLON if tree.kind(*toks.get(at + 1)?) == COLON && tree.is_joint(toks[at]) => Some(at + 2),
        _ => None,
    }
}
