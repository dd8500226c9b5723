//! Paths, calls and groups in bare tokens, where no grammar has been. Positions are places in a slice of tokens.

use ra_ap_parser::{SyntaxKind, SyntaxKind::*};

use super::super::{
    facts::Path,
    name::{Name, known},
    tree::{Idx, Tree},
};

/// All paths in tokens, in order: for derive lists and the like.
pub fn token_paths(tree: &Tree<'_>, toks: &[Idx]) -> Vec<Path> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < toks.len() {
        if !is_segment(tree.kind(toks[at])) {
            at += 1;
            continue;
        }
        let mut segments = Vec::new();
        if at >= 2 && is_path_sep(tree, toks, at - 2) || at >= 1 && tree.kind(toks[at - 1]) == COLON2 {
            segments.push(known::ROOT);
        }
        segments.push(Name::ident(tree.token_text(toks[at])));
        at += 1;
        while let Some(next) =
            after_path_sep(tree, toks, at).filter(|&n| n < toks.len() && is_segment(tree.kind(toks[n])))
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

/// The tokens of a group, without its delimiters and doc comments.
pub fn inner_tokens<'t>(tree: &'t Tree<'_>, group: Idx) -> &'t [Idx] {
    match tree.code(group) {
        [_, inner @ .., _] => inner,
        toks => toks,
    }
}

/// `$crate` starts a path, `$x` does not.
pub fn starts_path(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    match tree.kind(toks[at]) {
        DOLLAR => toks.get(at + 1).is_some_and(|&t| tree.kind(t) == CRATE_KW),
        kind => is_segment(kind),
    }
}

pub fn is_call(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    let kind_at = |i: usize| toks.get(i).map(|&t| tree.kind(t));
    kind_at(at) == Some(BANG) && matches!(kind_at(at + 1), Some(L_PAREN | L_BRACK | L_CURLY))
}

/// Index of the token that closes the group opened at `open`.
pub fn matching_close(tree: &Tree<'_>, toks: &[Idx], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, &token) in toks.iter().enumerate().skip(open) {
        match tree.kind(token) {
            L_PAREN | L_BRACK | L_CURLY => depth += 1,
            R_PAREN | R_BRACK | R_CURLY => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    toks.len()
}

/// Puts the path that starts at `at`, through turbofish, into `segments`. Returns the position after it; names further on
/// that belong to it go to `consumed`.
pub fn gather(tree: &Tree<'_>, toks: &[Idx], at: usize, segments: &mut Vec<Name>, consumed: &mut Vec<usize>) -> usize {
    segments.clear();
    let mut next = at + 1;
    if tree.kind(toks[at]) == DOLLAR {
        segments.push(known::DOLLAR_CRATE);
        next = at + 2;
    } else {
        let rooted = at >= 2
            && is_path_sep(tree, toks, at - 2)
            && !at
                .checked_sub(3)
                .is_some_and(|i| matches!(tree.kind(toks[i]), R_ANGLE | IDENT));
        if rooted {
            segments.push(known::ROOT);
        }
        segments.push(Name::ident(tree.token_text(toks[at])));
    }
    let first_run = loop {
        match after_path_sep(tree, toks, next) {
            Some(after) if toks.get(after).is_some_and(|&t| is_segment(tree.kind(t))) => {
                segments.push(Name::ident(tree.token_text(toks[after])));
                next = after + 1;
            }
            _ => break next,
        }
    };
    // `a::<T>::b`: the arguments are read on their own, the tail belongs to this path.
    let mut tail = first_run;
    while let Some(after) = turbofish_end(tree, toks, tail) {
        let Some(name) = after_path_sep(tree, toks, after) else {
            break;
        };
        if !toks.get(name).is_some_and(|&t| is_segment(tree.kind(t))) {
            break;
        }
        segments.push(Name::ident(tree.token_text(toks[name])));
        consumed.push(name);
        tail = name + 1;
    }
    first_run
}

/// The position after `::<..>` at `at`.
fn turbofish_end(tree: &Tree<'_>, toks: &[Idx], at: usize) -> Option<usize> {
    let open = after_path_sep(tree, toks, at)?;
    (tree.kind(*toks.get(open)?) == L_ANGLE).then_some(())?;
    let mut depth = 0i32;
    for (i, &token) in toks.iter().enumerate().skip(open).take(200) {
        match tree.kind(token) {
            L_ANGLE => depth += 1,
            R_ANGLE if i > 0 && tree.kind(toks[i - 1]) == MINUS => {}
            R_ANGLE => {
                depth -= 1;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            SEMICOLON | L_CURLY | R_CURLY => return None,
            _ => {}
        }
    }
    None
}

/// What stands before a path that begins with `::`: `<T as Tr>::m` gives `Tr`, `<T>::m` gives `T`, anything else that
/// cannot be named gives `<>`.
pub fn qualifier_before(tree: &Tree<'_>, toks: &[Idx], at: usize) -> Option<Vec<Name>> {
    let sep = at.checked_sub(2).filter(|&i| is_path_sep(tree, toks, i))?;
    let close = sep.checked_sub(1)?;
    match tree.kind(toks[close]) {
        R_ANGLE => Some(anchor_before(tree, toks, close)),
        // `$x::name`, `#x::name`, in the middle of a path too: `a::#x::name`
        IDENT if close > 0 && matches!(tree.kind(toks[close - 1]), DOLLAR | POUND) => Some(vec![known::WILDCARD]),
        _ => None,
    }
}

fn anchor_before(tree: &Tree<'_>, toks: &[Idx], close: usize) -> Vec<Name> {
    let unknown = vec![known::ANY_TYPE];
    let mut depth = 0i32;
    let mut cast = None;
    for i in (close.saturating_sub(200)..=close).rev() {
        match tree.kind(toks[i]) {
            R_ANGLE if i > 0 && tree.kind(toks[i - 1]) == MINUS => {}
            R_ANGLE => depth += 1,
            L_ANGLE => {
                depth -= 1;
                if depth == 0 {
                    let first = cast.map_or(i + 1, |at| at + 1);
                    let segments = starts_path(tree, toks, first) && first < close;
                    let mut path = Vec::new();
                    if !segments {
                        return unknown;
                    }
                    gather(tree, toks, first, &mut path, &mut Vec::new());
                    return path;
                }
            }
            AS_KW if depth == 1 => cast = Some(i),
            SEMICOLON | L_CURLY | R_CURLY => return unknown,
            _ => {}
        }
    }
    unknown
}
