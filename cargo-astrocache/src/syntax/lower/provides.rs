//! What token streams may bring into being, as far as tokens tell: names behind defining keywords, `impl` headers, macro calls.

use ra_ap_parser::SyntaxKind::*;

use super::super::{
    facts::{ImplTokens, MacroFacts, ModTokens, Path, ProvidedTokens},
    name::Name,
    tree::{Idx, Tree},
};
use super::{
    UNNAMED, attrs,
    body::sorted,
    tokens::{after_path_sep, gather, is_call, is_segment, matching_close, starts_path},
};

/// What a `macro_rules!` or `macro` definition can bring into being.
pub fn macro_facts(tree: &Tree<'_>, node: Idx) -> MacroFacts {
    let toks = tree.code(node);
    let toks = toks.get(3..).unwrap_or_default();
    MacroFacts {
        tokens: provided(tree, toks),
        calls: calls(tree, toks),
        imports: toks.iter().any(|&t| tree.kind(t) == USE_KW),
        calls_arg: toks.windows(4).any(|it| calls_argument(tree, it)),
        member_args: (0..toks.len()).any(|at| is_member_arg(tree, toks, at)),
        params: flat_params(tree, toks),
        expansion: None,
        exact: false,
    }
}

/// `{ ($a:ty, $b:ident) => { .. } }`: the names, if there is no other arm and nothing else in this one.
fn flat_params(tree: &Tree<'_>, toks: &[Idx]) -> Option<Box<[Name]>> {
    let kind = |at: usize| toks.get(at).map(|&t| tree.kind(t));
    let open = (0..toks.len()).find(|&at| matches!(kind(at), Some(L_PAREN | L_CURLY | L_BRACK)))?;
    let close = matching_close(tree, toks, open + 1);
    let body = close + if kind(close + 1) == Some(FAT_ARROW) { 2 } else { 3 };
    let rest = toks.get(matching_close(tree, toks, body) + 1..matching_close(tree, toks, open))?;
    if rest.iter().any(|&t| tree.kind(t) != SEMICOLON) {
        return None;
    }
    let mut params = Vec::new();
    for part in split_at_commas(tree, toks.get(open + 2..close)?) {
        let kinds: Vec<_> = part.iter().map(|&t| tree.kind(t)).collect();
        let [DOLLAR, name, COLON, fragment] = kinds[..] else {
            return None;
        };
        if !is_segment(name) || !is_segment(fragment) {
            return None;
        }
        params.push(Name::ident(tree.token_text(part[1])));
    }
    Some(params.into())
}

/// Every name of each argument.
pub fn arguments(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Box<[Name]>]> {
    let parts = split_at_commas(tree, toks).into_iter();
    parts.map(|part| idents(tree, part)).collect()
}

/// What stands between the commas that are in no group; nothing behind the last one.
pub fn split_at_commas<'t>(tree: &Tree<'_>, toks: &'t [Idx]) -> Vec<&'t [Idx]> {
    let mut depth = 0usize;
    let mut is_comma = |&t: &Idx| {
        match tree.kind(t) {
            L_PAREN | L_BRACK | L_CURLY => depth += 1,
            R_PAREN | R_BRACK | R_CURLY => depth = depth.saturating_sub(1),
            COMMA => return depth == 0,
            _ => {}
        }
        false
    };
    let mut parts: Vec<&[Idx]> = toks.split(|t| is_comma(t)).collect();
    if parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// Names that the tokens define, as far as defining keywords tell.
pub fn provided(tree: &Tree<'_>, toks: &[Idx]) -> ProvidedTokens {
    let mut out = ProvidedTokens::default();
    let mut defines = Vec::new();
    let (mut impls, mut imports) = (Vec::new(), Vec::new());
    let (mut attributes, mut path) = (Vec::new(), Vec::new());
    for at in 0..toks.len() {
        match tree.kind(toks[at]) {
            FN_KW | STRUCT_KW | ENUM_KW | TRAIT_KW | TYPE_KW | MOD_KW | CONST_KW | STATIC_KW => {
                out.has_trait |= tree.kind(toks[at]) == TRAIT_KW;
                out.aliases |= tree.kind(toks[at]) == TYPE_KW;
                define(tree, toks, at, &mut defines, &mut out);
            }
            IDENT | UNION_KW | MACRO_RULES_KW => match tree.token_text(toks[at]) {
                "union" | "macro_rules" => define(tree, toks, at, &mut defines, &mut out),
                "concat_idents" | "paste" => out.glue = true,
                "test" | "bench" => out.test = true,
                word if UNNAMED.contains(&word) => out.unnamed = true,
                _ => {}
            },
            USE_KW => {
                out.aliases = true;
                imported(tree, &toks[at + 1..], &mut defines, &mut out);
                let end = toks[at..].iter().position(|&t| tree.kind(t) == SEMICOLON);
                let end = end.map_or(toks.len(), |end| at + end);
                imports.extend(all_paths(tree, &toks[at + 1..end]));
            }
            IMPL_KW if is_impl_header(tree, toks, at) => impls.push(impl_header(tree, &toks[at + 1..])),
            L_BRACK if at > 0 && tree.kind(toks[at - 1]) == POUND => {
                let start = after_path_sep(tree, toks, at + 1).unwrap_or(at + 1);
                let inside = toks.get(start..matching_close(tree, toks, at)).unwrap_or_default();
                let holds_arg = |&t: &Idx| tree.kind(t) == DOLLAR;
                out.attribute_arg |= inside.first().is_some_and(holds_arg);
                if inside.is_empty() || !starts_path(tree, inside, 0) {
                    continue;
                }
                let next = gather(tree, toks, start, &mut path, &mut Vec::new());
                if matches!(path[path.len() - 1].as_str(), "derive" | "cfg_attr") {
                    let list = inside.get(next - start..).unwrap_or_default();
                    out.attribute_arg |= list.iter().any(holds_arg);
                    attributes.extend(all_paths(tree, list));
                }
                attributes.push(path.as_slice().into());
            }
            L_BRACK if toks.get(at + 1).is_some_and(|&t| tree.kind(t) == L_ANGLE) && tree.is_joint(toks[at]) => {
                out.glue = true;
            }
            TILDE => out.glue = true,
            _ => {}
        }
    }
    out.attributes = attributes.into();
    out.defines = sorted(defines);
    out.impls = impls.into();
    out.imports = imports.into();
    out.mods = mods(tree, toks);
    out
}

/// `mod x;` and `mod $x;`. A path may come from elsewhere, so every string that names a file of Rust may be it.
fn mods(tree: &Tree<'_>, toks: &[Idx]) -> Option<Box<ModTokens>> {
    let kind = |at: usize| toks.get(at).map(|&t| tree.kind(t));
    let (mut names, mut arg) = (Vec::new(), false);
    for at in (0..toks.len()).filter(|&at| kind(at) == Some(MOD_KW)) {
        match (kind(at + 1), kind(at + 2), kind(at + 3)) {
            (Some(DOLLAR), _, Some(SEMICOLON)) => arg = true,
            (Some(name), Some(SEMICOLON), _) if is_segment(name) => {
                names.push(Name::ident(tree.token_text(toks[at + 1])));
            }
            _ => {}
        }
    }
    let strings = toks.iter().filter(|&&t| tree.kind(t) == STRING);
    let files = strings
        .map(|&t| attrs::unquote(tree.token_text(t)))
        .filter(|it| it.ends_with(".rs"));
    let paths = sorted(files.map(Name::new).collect());
    let is_any = arg || !names.is_empty() || !paths.is_empty();
    is_any.then(|| {
        Box::new(ModTokens {
            names: sorted(names),
            arg,
            paths,
        })
    })
}

fn define(tree: &Tree<'_>, toks: &[Idx], keyword: usize, defines: &mut Vec<Name>, out: &mut ProvidedTokens) {
    // `*const T` is a type; in `$(..)* const X` the star repeats what is before.
    let before = |back: usize| keyword.checked_sub(back).map(|at| tree.kind(toks[at]));
    let repeats = before(2) == Some(R_PAREN) || before(3) == Some(R_PAREN);
    if tree.kind(toks[keyword]) == CONST_KW && before(1) == Some(STAR) && !repeats {
        return;
    }
    let skipped = |&&t: &&Idx| {
        matches!(
            tree.kind(t),
            MUT_KW | REF_KW | BANG | UNSAFE_KW | ASYNC_KW | EXTERN_KW | STRING
        )
    };
    let Some(&next) = toks[keyword + 1..].iter().find(|t| !skipped(t)) else {
        return;
    };
    match tree.kind(next) {
        DOLLAR => out.defines_arg = true,
        kind if is_segment(kind) => defines.push(Name::ident(tree.token_text(next))),
        _ => {}
    }
}

fn imported(tree: &Tree<'_>, toks: &[Idx], defines: &mut Vec<Name>, out: &mut ProvidedTokens) {
    let end = toks
        .iter()
        .position(|&t| tree.kind(t) == SEMICOLON)
        .unwrap_or(toks.len());
    for at in 0..end {
        let last = matches!(
            toks.get(at + 1).map(|&t| tree.kind(t)),
            Some(COMMA | R_CURLY | SEMICOLON) | None
        );
        match tree.kind(toks[at]) {
            DOLLAR if tree.kind(*toks.get(at + 1).unwrap_or(&toks[at])) != CRATE_KW => {
                out.defines_arg = true;
                out.imports_arg = true;
            }
            kind if last && is_segment(kind) => defines.push(Name::ident(tree.token_text(toks[at]))),
            _ => {}
        }
    }
}

/// Not the `impl Trait` of a type: a block follows in the same group, and where a type may stand, `for` before it.
fn is_impl_header(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    let kind = |at: usize| toks.get(at).map(|&t| tree.kind(t));
    let before = |back: usize| at.checked_sub(back).and_then(kind);
    let returned = before(1) == Some(THIN_ARROW) || (before(1) == Some(R_ANGLE) && before(2) == Some(MINUS));
    // `$x: impl ..` and `, impl ..` are argument types, or items that are handed on.
    let may_be_type = returned
        || matches!(
            before(1),
            Some(COLON | COMMA | L_ANGLE | L_PAREN | AMP | EQ | PLUS | MUT_KW)
        );
    if !may_be_type {
        return true;
    }
    let (mut depth, mut angles, mut has_for) = (0u32, 0u32, false);
    for here in at + 1..toks.len() {
        match kind(here) {
            Some(L_CURLY) if depth == 0 && angles == 0 => return has_for || !returned,
            Some(L_PAREN | L_BRACK | L_CURLY) => depth += 1,
            Some(R_PAREN | R_BRACK | R_CURLY) if depth == 0 => return false,
            Some(R_PAREN | R_BRACK | R_CURLY) => depth -= 1,
            Some(L_ANGLE) => angles += 1,
            Some(R_ANGLE) if !matches!(kind(here - 1), Some(MINUS | EQ)) => angles = angles.saturating_sub(1),
            Some(FOR_KW) => has_for |= kind(here + 1) != Some(L_ANGLE),
            Some(COMMA | SEMICOLON) if depth == 0 && angles == 0 && !has_for => return false,
            Some(SEMICOLON) if depth == 0 => return false,
            _ => {}
        }
    }
    false
}

/// The header whose `impl` is before `toks`.
fn impl_header(tree: &Tree<'_>, toks: &[Idx]) -> ImplTokens {
    let end = toks
        .iter()
        .position(|&t| matches!(tree.kind(t), L_CURLY | SEMICOLON))
        .unwrap_or(toks.len());
    let header = &toks[..end];
    let kind = |at: usize| header.get(at).map(|&t| tree.kind(t));
    // `for<'a>` is none.
    let is_for = |&at: &usize| kind(at) == Some(FOR_KW) && kind(at + 1) != Some(L_ANGLE);
    let start = (0..end).rfind(is_for).map_or(0, |at| at + 1);
    let stop = (start..end).find(|&at| kind(at) == Some(WHERE_KW)).unwrap_or(end);
    let arg = |at: usize| kind(at) == Some(DOLLAR) && kind(at + 1) != Some(CRATE_KW);
    let from = converted_from(tree, &header[..start.saturating_sub(1)]);
    ImplTokens {
        paths: all_paths(tree, header),
        self_paths: all_paths(tree, &header[start..stop]),
        self_arg: (start..stop).any(arg),
        self_params: params(tree, &header[start..stop]),
        from_paths: all_paths(tree, from),
        from_params: params(tree, from),
    }
}

/// The arguments of the trait in `<..> From<..>`.
fn converted_from<'t>(tree: &Tree<'_>, toks: &'t [Idx]) -> &'t [Idx] {
    let converts = |at: &usize| {
        let name = tree.token_text(toks[*at]);
        let opens = toks.get(at + 1).is_some_and(|&t| tree.kind(t) == L_ANGLE);
        opens && matches!(name, "From" | "Into" | "TryFrom" | "TryInto")
    };
    let at = (0..toks.len()).find(converts);
    at.map_or(&[], |at| &toks[at + 2..])
}

/// `$x` by name. A repetition is one whose name nobody has.
fn params(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Name]> {
    let dollar = |pair: &&[Idx]| tree.kind(pair[0]) == DOLLAR && tree.kind(pair[1]) != CRATE_KW;
    let names = toks.windows(2).filter(dollar);
    names.map(|pair| Name::ident(tree.token_text(pair[1]))).collect()
}

/// `.$x` or `::$x`, but not `::$crate`.
fn is_member_arg(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    let dollar = match tree.kind(toks[at]) {
        DOT => at + 1,
        _ => match after_path_sep(tree, toks, at) {
            Some(next) => next,
            None => return false,
        },
    };
    let kind_at = |i: usize| toks.get(i).map(|&t| tree.kind(t));
    kind_at(dollar) == Some(DOLLAR) && kind_at(dollar + 1) != Some(CRATE_KW)
}

/// `$x!(`, `$x!{` or `$x![`.
fn calls_argument(tree: &Tree<'_>, toks: &[Idx]) -> bool {
    let [dollar, name, bang, open] = *toks else {
        return false;
    };
    tree.kind(dollar) == DOLLAR
        && is_segment(tree.kind(name))
        && tree.kind(bang) == BANG
        && matches!(tree.kind(open), L_PAREN | L_BRACK | L_CURLY)
}

/// Every name; but not that of our own attribute, which would be in each call that hands it on.
pub fn idents(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Name]> {
    let is_attribute = |at: usize| at > 0 && matches!(tree.kind(toks[at - 1]), L_BRACK | COLON | COLON2);
    let names = (0..toks.len()).filter(|&at| {
        let is_ours = tree.token_text(toks[at]) == "cached" && is_attribute(at);
        is_segment(tree.kind(toks[at])) && !is_ours
    });
    sorted(names.map(|at| Name::ident(tree.token_text(toks[at]))).collect())
}

fn all_paths(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Path]> {
    let (mut out, mut path): (Vec<Path>, _) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < toks.len() {
        if tree.kind(toks[at]) == DOLLAR && !starts_path(tree, toks, at) {
            at += 2;
        } else if starts_path(tree, toks, at) {
            let next = gather(tree, toks, at, &mut path, &mut Vec::new());
            if !out.iter().any(|it| **it == *path) {
                out.push(path.as_slice().into());
            }
            at = next;
        } else {
            at += 1;
        }
    }
    out.into()
}

pub fn calls(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Path]> {
    let (mut out, mut path): (Vec<Path>, _) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < toks.len() {
        if starts_path(tree, toks, at) {
            let next = gather(tree, toks, at, &mut path, &mut Vec::new());
            if is_call(tree, toks, next) && !out.iter().any(|it| **it == *path) {
                out.push(path.as_slice().into());
            }
            at = next;
        } else {
            at += 1;
        }
    }
    out.into()
}
