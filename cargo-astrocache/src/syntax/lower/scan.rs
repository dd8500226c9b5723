//! Mentions in token trees: macro arguments, macro bodies, attribute arguments.

use std::borrow::Cow;

use ra_ap_parser::SyntaxKind::*;

use super::super::{
    facts::{Include, MentionKind},
    name::{Name, known},
    std_traits::StdTraits,
    tree::{Idx, Tree},
};
use super::{
    Lower,
    attrs::{self, unquote},
    body::Body,
    funcs, paths, sites,
    strings::{code_paths, completes_path, format_names, string_paths},
    tokens::{
        after_path_sep, gather, inner_tokens, is_call, is_path_sep, is_segment, matching_close, qualifier_before,
        starts_path,
    },
};

/// How the tokens will be read by whoever gets them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Arguments of a macro call, where locals are in scope.
    Args,
    /// The same, but an item inside hides the locals.
    ItemArgs,
    /// The body of a `macro_rules!`.
    MacroBody,
    /// Arguments of an attribute macro.
    Attribute,
    /// Arguments of `quote!`: tokens for elsewhere.
    Quoted,
}

/// Macros whose arguments become the output of a proc macro: `quote!`, and what people wrap around it.
fn is_quote(name: &str) -> bool {
    name.contains("quote")
}

/// A macro call inside a body or a type.
pub fn macro_call(cx: &mut Lower<'_, '_>, node: Idx, body: &mut Body) {
    let tree = cx.tree;
    let Some(path) = tree.child(node, PATH).map(|p| paths::path(tree, p)) else {
        return;
    };
    body.mention(MentionKind::Macro, &path);
    let Some(args) = tree.child(node, TOKEN_TREE) else {
        return;
    };
    let toks = inner_tokens(tree, args);
    called(tree, &path, toks, body);
    let items = toks.iter().any(|&t| tree.kind(t) == FN_KW);
    let mode = if items { Mode::ItemArgs } else { Mode::Args };
    match path.last() {
        Some(name) if is_quote(name.as_str()) => scan_quote(tree, toks, mode, body),
        Some(name) if cx.deals_in_tokens && !sites::is_plain_statement(name.as_str()) => {
            scan(tree, toks, mode, body);
            // The macro may quote them.
            scan(tree, toks, Mode::Quoted, body);
        }
        _ => scan(tree, toks, mode, body),
    }
    funcs::lower(cx, node, body);
    for &token in toks.iter().filter(|&&t| tree.kind(t) == STRING) {
        let text = unquote(tree.token_text(token));
        if cx.deals_in_tokens || completes_path(text) {
            code_paths(text, body);
        }
    }
}

/// The body of a `macro_rules!` definition.
pub fn macro_body(cx: &mut Lower<'_, '_>, node: Idx, body: &mut Body) {
    scan(cx.tree, &cx.tree.all_tokens(node), Mode::MacroBody, body);
}

/// The inside of an attribute that is not a `cfg`. Its own name is no part of that: what the macro is, is a mention of
/// the item's, and in other namespaces the name means nothing.
pub fn attribute(cx: &mut Lower<'_, '_>, node: Idx, body: &mut Body) {
    let toks = cx.tree.all_tokens(node);
    let is_path = |&&token: &&Idx| is_segment(cx.tree.kind(token)) || cx.tree.token_text(token).starts_with(':');
    let (path, inside) = toks.split_at(toks.iter().take_while(is_path).count());
    let ours = path.last().is_some_and(|&name| cx.tree.token_text(name) == "cached");
    let inside = match ours {
        true => Cow::Owned(values(cx.tree, inside)),
        false => Cow::Borrowed(inside),
    };
    scan(cx.tree, &inside, Mode::Attribute, body);
}

/// The options of `#[cached(..)]` without their own words and the names of parameters: they mean nothing outside.
fn values(tree: &Tree<'_>, toks: &[Idx]) -> Vec<Idx> {
    let text = |at: usize| toks.get(at).map_or("", |&token| tree.token_text(token));
    let (mut out, mut depth, mut at) = (Vec::new(), 0usize, 0);
    while at < toks.len() {
        let starts = depth == 1 && matches!(text(at.wrapping_sub(1)), "(" | ",");
        match (text(at), text(at + 1)) {
            ("skip" | "file" | "allow", "(") if starts => at = matching_close(tree, toks, at + 1),
            (_, "=" | "," | ")") if starts => {}
            ("(" | "[" | "{", _) => {
                depth += 1;
                out.push(toks[at]);
            }
            (")" | "]" | "}", _) => {
                depth = depth.saturating_sub(1);
                out.push(toks[at]);
            }
            _ => out.push(toks[at]),
        }
        at += 1;
    }
    out
}

/// What a call tells by the macro's name alone.
pub fn called(tree: &Tree<'_>, path: &[Name], args: &[Idx], body: &mut Body) {
    let Some(name) = path.last() else { return };
    match name.as_str() {
        "write" | "writeln" => body.mention(MentionKind::Method, &[Name::new("write_fmt")]),
        "line" | "column" | "file" => body.effects.positions = true,
        "asm" | "global_asm" | "naked_asm" | "llvm_asm" => body.effects.asm = true,
        "cfg" => attrs::cfg_atoms_of(tree, args, &mut body.cfg_atoms),
        "env" | "option_env" => {
            let first = args.iter().find(|&&t| tree.kind(t) == STRING);
            body.env.extend(first.map(|&t| Name::new(unquote(tree.token_text(t)))));
        }
        "include" | "include_str" | "include_bytes" => {
            // May be a format string.
            body.reach(StdTraits::formatting());
            body.includes.push(Include {
                code: name.as_str() == "include",
                parts: include_parts(tree, args),
            });
        }
        _ => {}
    }
}

/// `concat!(env!("OUT_DIR"), "/x.rs")` -> `$OUT_DIR`, `/x.rs`.
pub fn include_parts(tree: &Tree<'_>, args: &[Idx]) -> Box<[Name]> {
    let mut out = Vec::new();
    for (at, &token) in args.iter().enumerate() {
        if tree.kind(token) != STRING {
            continue;
        }
        let value = unquote(tree.token_text(token));
        let macro_name = at.checked_sub(3).map(|back| tree.token_text(args[back]));
        match macro_name {
            Some("env" | "option_env") => out.push(Name::new(&format!("${value}"))),
            _ => out.push(Name::new(value)),
        }
    }
    out.into()
}

/// `quote!(tokens)`, `quote_spanned!(expression=> tokens)`: the expression runs here.
fn scan_quote(tree: &Tree<'_>, toks: &[Idx], mode: Mode, body: &mut Body) {
    let arrow = toks
        .windows(2)
        .position(|w| tree.kind(w[0]) == EQ && tree.kind(w[1]) == R_ANGLE && tree.is_joint(w[0]));
    let fat = toks.iter().position(|&t| tree.kind(t) == FAT_ARROW);
    // Only the first tokens can be a span; an arrow further in belongs to what is quoted.
    let (span, quoted) = match arrow.or(fat) {
        Some(at) => toks.split_at(at),
        None => (&[][..], toks),
    };
    scan(tree, span, mode, body);
    scan(tree, span, Mode::Quoted, body);
    scan(tree, quoted, Mode::Quoted, body);
}

/// Records every name in the arguments of a macro call, where no locals are in scope.
pub fn scan_args(tree: &Tree<'_>, toks: &[Idx], body: &mut Body) {
    scan(tree, toks, Mode::ItemArgs, body);
}

/// Records every name that the tokens may use.
pub fn scan(tree: &Tree<'_>, toks: &[Idx], mode: Mode, body: &mut Body) {
    for &token in toks {
        body.reach(StdTraits::of_punctuation(tree.kind(token)));
    }
    if mode != Mode::Quoted {
        cfg_atoms(tree, toks, body);
    }
    let (mut path, mut consumed) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < toks.len() {
        if !consumed.is_empty() && consumed.contains(&at) {
            at += 1;
            continue;
        }
        match tree.kind(toks[at]) {
            STRING => scan_string(tree.token_text(toks[at]), mode, body),
            L_BRACK if mode != Mode::Quoted => glued(tree, toks, at, body),
            TILDE if mode != Mode::Quoted => numbered(tree, toks, at, body),
            DOT => at = scan_member(tree, toks, at, mode, body),
            _ if starts_path(tree, toks, at) => {
                let next = gather(tree, toks, at, &mut path, &mut consumed);
                at = scan_path(tree, toks, (at, next), &mut path, mode, body);
                continue;
            }
            DOLLAR => at += 1,
            // `#x::name`: what follows is a path whose head nobody knows.
            POUND if mode == Mode::Quoted && is_path_sep(tree, toks, at + 2) => at += 1,
            _ => {}
        }
        at += 1;
    }
}

/// What the tokens may ask of the build: `cfg(..)` and `cfg_attr(..)` of an attribute. In `#[cfg($when)]` the predicate is an
/// argument: of those, features and `test` are known by their form; any other is among all that the crate is told.
fn cfg_atoms(tree: &Tree<'_>, toks: &[Idx], body: &mut Body) {
    let text = |at: usize| toks.get(at).map_or("", |&token| tree.token_text(token));
    for at in (0..toks.len()).filter(|&at| tree.kind(toks[at]) == IDENT) {
        let predicate = match text(at) {
            "cfg" | "cfg_attr" if text(at + 1) == "(" => at + 2..matching_close(tree, toks, at + 1),
            "feature" if text(at + 1) == "=" && text(at + 2).starts_with('"') => at..at + 3,
            "test" => at..at + 1,
            _ => continue,
        };
        let predicate = toks.get(predicate).unwrap_or_default();
        if predicate.iter().any(|&token| tree.kind(token) == DOLLAR) {
            body.cfg_atoms.push(Name::new(astrocache_manifest::ALL_CFGS));
        }
        attrs::cfg_atoms_of(tree, predicate, &mut body.cfg_atoms);
    }
}

/// `[<get_ $x:lower>]`, as `paste!` reads it.
fn glued(tree: &Tree<'_>, toks: &[Idx], open: usize, body: &mut Body) {
    let kind = |at: usize| toks.get(at).map(|&t| tree.kind(t));
    if kind(open + 1) != Some(L_ANGLE) || !tree.is_joint(toks[open]) {
        return;
    }
    let close = matching_close(tree, toks, open).saturating_sub(1);
    let mut parts = Vec::new();
    let mut at = open + 2;
    while at < close {
        match tree.kind(toks[at]) {
            DOLLAR => {
                parts.push(known::WILDCARD);
                at += 1;
            }
            COLON => at += 1,
            STRING => parts.push(Name::new(unquote(tree.token_text(toks[at])))),
            // Keywords and numbers as well.
            _ => {
                let text = tree.token_text(toks[at]);
                parts.extend(
                    text.starts_with(|c: char| c == '_' || c.is_alphanumeric())
                        .then(|| Name::ident(text)),
                );
            }
        }
        at += 1;
    }
    body.mention(MentionKind::Glued, &parts);
}

/// `get~N`, as `seq!` reads it.
fn numbered(tree: &Tree<'_>, toks: &[Idx], tilde: usize, body: &mut Body) {
    if let Some(&before) = tilde
        .checked_sub(1)
        .and_then(|at| toks.get(at))
        .filter(|&&t| is_segment(tree.kind(t)))
    {
        body.mention(
            MentionKind::Glued,
            &[Name::ident(tree.token_text(before)), known::NUMBER],
        );
    }
}

/// `.name(` and `.name::<` are method calls; a bare `.name` is a field unless a macro adds the call.
fn scan_member(tree: &Tree<'_>, toks: &[Idx], dot: usize, mode: Mode, body: &mut Body) -> usize {
    let Some(&name) = toks.get(dot + 1) else {
        return dot;
    };
    // `.#name(..)`, `.#name #generics(..)`: a method that the macro is told.
    let after = (dot + 1..toks.len())
        .step_by(2)
        .find(|&at| tree.kind(toks[at]) != POUND);
    let is_called = after.is_some_and(|at| tree.kind(toks[at]) == L_PAREN);
    if mode == Mode::Quoted && tree.kind(name) == POUND && is_called {
        body.mention(MentionKind::QuotedMethod, &[known::WILDCARD]);
        return dot + 2;
    }
    if !is_segment(tree.kind(name)) {
        return dot;
    }
    let name = Name::ident(tree.token_text(name));
    let called = toks.get(dot + 2).is_some_and(|&t| tree.kind(t) == L_PAREN) || is_path_sep(tree, toks, dot + 2);
    if mode == Mode::Quoted {
        body.mention(MentionKind::QuotedMethod, &[name]);
    } else if called {
        body.mention(MentionKind::Method, &[name]);
    } else if mode != Mode::Attribute {
        body.mention(MentionKind::TokenArg, &[name]);
    }
    dot + 1
}

/// Records the path that stands at `at`; `next` is behind it.
fn scan_path(
    tree: &Tree<'_>,
    toks: &[Idx],
    (at, next): (usize, usize),
    path: &mut Vec<Name>,
    mode: Mode,
    body: &mut Body,
) -> usize {
    if is_defined_here(tree, toks, at) {
        let is_item = tree.kind(toks[at - 1]) != LET_KW && !is_method(tree, toks, next);
        if mode == Mode::Quoted && is_item {
            body.mention(MentionKind::QuotedName, path);
        }
        return next;
    }
    if let Some(qualifier) = qualifier_before(tree, toks, at) {
        path.splice(..0, qualifier);
    }
    if mode == Mode::Quoted {
        body.mention(MentionKind::Quoted, path);
        // `name::#x`: something of a module.
        if after_path_sep(tree, toks, next).is_some_and(|at| toks.get(at).is_some_and(|&t| tree.kind(t) == POUND)) {
            path.push(known::WILDCARD);
            body.mention(MentionKind::Quoted, path);
        }
        return next;
    }
    if is_call(tree, toks, next) {
        body.mention(MentionKind::Macro, path);
        let close = matching_close(tree, toks, next + 1);
        let args = toks.get(next + 2..close).unwrap_or_default();
        called(tree, path, args, body);
        if path.last().is_some_and(|name| is_quote(name.as_str())) {
            scan_quote(tree, args, mode, body);
            return close;
        }
        return next;
    }
    if mode == Mode::Attribute {
        body.mention(MentionKind::AttributePath, path);
        return next;
    }
    let local = mode == Mode::Args && body.is_local(path);
    if !local && *path != [known::SELF] {
        body.mention(token_kind(tree, toks, next, path), path);
    }
    if let Some(&last) = path.last() {
        body.mention(MentionKind::TokenArg, &[last]);
    }
    next
}

/// What is called, or named like a type or a const, is surely meant as a name of something.
fn token_kind(tree: &Tree<'_>, toks: &[Idx], next: usize, path: &[Name]) -> MentionKind {
    let called = toks.get(next).is_some_and(|&t| tree.kind(t) == L_PAREN);
    if is_lower(path) && !called {
        MentionKind::WeakToken
    } else {
        MentionKind::Token
    }
}

/// A lone lower-case identifier.
fn is_lower(path: &[Name]) -> bool {
    matches!(path, [one] if one.as_str().starts_with(|c: char| c == '_' || c.is_lowercase()))
}

/// `(&self` follows, or a like list of parameters.
fn is_method(tree: &Tree<'_>, toks: &[Idx], next: usize) -> bool {
    let open = (next..toks.len()).find(|&at| matches!(tree.kind(toks[at]), L_PAREN | L_CURLY | SEMICOLON));
    let Some(open) = open.filter(|&at| tree.kind(toks[at]) == L_PAREN) else {
        return false;
    };
    let mut inside = toks[open + 1..].iter().map(|&t| tree.kind(t));
    inside.find(|kind| !matches!(kind, AMP | LIFETIME_IDENT | MUT_KW)) == Some(SELF_KW)
}

/// Right after a defining keyword or `let`: the name of something new.
fn is_defined_here(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    let kind = |back: usize| at.checked_sub(back).map(|i| tree.kind(toks[i]));
    match kind(1) {
        Some(FN_KW | STRUCT_KW | ENUM_KW | TRAIT_KW | TYPE_KW | MOD_KW | LET_KW | STATIC_KW) => true,
        Some(CONST_KW) => kind(2) != Some(STAR),
        Some(MUT_KW | REF_KW) => matches!(kind(2), Some(LET_KW | STATIC_KW)),
        // `$x:expr`
        Some(COLON) => kind(3) == Some(DOLLAR),
        _ => false,
    }
}

fn scan_string(literal: &str, mode: Mode, body: &mut Body) {
    let text = unquote(literal);
    match mode {
        Mode::Attribute => {
            return string_paths(text, |path| body.mention(MentionKind::AttributePath, path));
        }
        Mode::Quoted => return body.emit(StdTraits::of_format_string(text)),
        _ => body.reach(StdTraits::of_format_string(text)),
    }
    format_names(text, |name| {
        let path = [Name::ident(name)];
        if mode != Mode::Args || !body.is_local(&path) {
            body.mention(
                if is_lower(&path) {
                    MentionKind::WeakToken
                } else {
                    MentionKind::Token
                },
                &path,
            );
        }
    });
}
