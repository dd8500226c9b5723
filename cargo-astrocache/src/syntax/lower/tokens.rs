//! Token trees: macro arguments, macro bodies, attribute arguments, and what a macro call may bring into being.

use ra_ap_parser::SyntaxKind::*;

use super::super::{
    cfg::{Cfg, Condition},
    facts::{
        Def, DefData, DefFlags, DefIdx, DefKind, ImplTokens, Include, MacroFacts, MentionKind, Path, ProvidedTokens,
        ScopeIdx, SiteFacts,
    },
    hash::{Normalise, TokenSink, feed},
    name::{Name, known},
    std_traits::StdTraits,
    tree::{Idx, Tree},
};
use super::{
    Lower,
    attrs::{self, Attrs, unquote},
    body::{Body, sorted},
    funcs, items,
    paths::{self, after_path_sep, is_segment},
};

/// Expression macros of std that people call as statements. They define nothing, so no macro site is kept for them.
const PLAIN_STATEMENTS: &[&str] = &[
    "println",
    "print",
    "eprintln",
    "eprint",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "panic",
    "unreachable",
    "todo",
    "unimplemented",
    "write",
    "writeln",
    "vec",
    "format",
    "dbg",
    "matches",
    "try",
];

/// How the tokens will be read by whoever gets them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
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

/// Macros whose arguments become the output of a proc macro.
const QUOTES: &[&str] = &["quote", "quote_spanned", "parse_quote", "parse_quote_spanned"];

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
    called(tree, &path, &toks, body);
    let items = toks.iter().any(|&t| tree.kind(t) == FN_KW);
    let mode = if items { Mode::ItemArgs } else { Mode::Args };
    match path.last() {
        Some(name) if QUOTES.contains(&name.as_str()) => scan_quote(tree, &toks, mode, body),
        _ => scan(tree, &toks, mode, body),
    }
    funcs::lower(cx, node, body);
    if cx.deals_in_tokens {
        for &token in toks.iter().filter(|&&t| tree.kind(t) == STRING) {
            code_paths(unquote(tree.token_text(token)), body);
        }
    }
}

/// The body of a `macro_rules!` definition.
pub fn macro_body(cx: &mut Lower<'_, '_>, node: Idx, body: &mut Body) {
    let toks: Vec<Idx> = cx.tree.tokens(node).collect();
    scan(cx.tree, &toks, Mode::MacroBody, body);
}

/// The inside of an attribute that is not a `cfg`. Its own name is no part of that: what the macro is, is a mention of
/// the item's, and in other namespaces the name means nothing.
pub fn attribute(cx: &mut Lower<'_, '_>, node: Idx, body: &mut Body) {
    let toks: Vec<Idx> = cx.tree.tokens(node).collect();
    let is_path = |&&token: &&Idx| is_segment(cx.tree.kind(token)) || cx.tree.token_text(token).starts_with(':');
    let (path, inside) = toks.split_at(toks.iter().take_while(is_path).count());
    let ours = path.last().is_some_and(|&name| cx.tree.token_text(name) == "cached");
    let inside = if ours { values(cx.tree, inside) } else { inside.to_vec() };
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

/// The call of a statement that is a macro call which may define something.
pub fn statement_macro(tree: &Tree<'_>, statement: Idx) -> Option<Idx> {
    let expr = match tree.kind(statement) {
        EXPR_STMT => tree.child(statement, MACRO_EXPR)?,
        MACRO_EXPR => statement,
        _ => return None,
    };
    let call = tree.child(expr, MACRO_CALL)?;
    let path = paths::path(tree, tree.child(call, PATH)?);
    let plain = PLAIN_STATEMENTS.contains(&path.last()?.as_str());
    (!plain).then_some(call)
}

/// Keeps a macro site for a statement that is a macro call.
pub fn statement_site(cx: &mut Lower<'_, '_>, statement: Idx, body: &Body) {
    if let Some(call) = statement_macro(cx.tree, statement) {
        let attrs = cx.attrs(statement);
        site(cx, call, body.scope, None, attrs);
    }
}

/// A macro call in item position.
pub fn item_site(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, parent: Option<DefIdx>, attrs: Attrs) {
    site(cx, node, scope, parent, attrs);
}

fn site(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, parent: Option<DefIdx>, attrs: Attrs) {
    let tree = cx.tree;
    let Some(path) = tree.child(node, PATH).map(|p| paths::path(tree, p)) else {
        return;
    };
    let Some(args) = tree.child(node, TOKEN_TREE) else {
        return;
    };
    let toks = inner_tokens(tree, args);
    let lowered = lower_args(cx, args, &path, scope, parent);
    let facts = SiteFacts {
        tokens: if lowered {
            ProvidedTokens::default()
        } else {
            provided(tree, &toks)
        },
        calls: if lowered { Box::new([]) } else { calls(tree, &toks) },
        idents: idents(tree, &toks),
        lowered,
        bare: toks.is_empty(),
        include: include(tree, &path, &toks),
        assoc: parent.is_some(),
        enclosed: !cx.enclosing.macros.is_empty() || cx.enclosing.rewritten || !attrs.macros.is_empty(),
        path: path.clone(),
    };
    let def = cx.out.push_def(Def {
        kind: DefKind::MacroSite,
        name: path.last().copied().unwrap_or(known::EMPTY),
        scope,
        parent,
        generics: Box::new([]),
        cfg: attrs.cfg,
        when: attrs.when.clone(),
        flags: DefFlags {
            test: attrs.test,
            has_body: true,
            ..DefFlags::default()
        },
        attrs: Box::new([]),
        data: DefData::Site(Box::new(facts)),
    });
    let mut body = Body::new(def, scope);
    body.header = false;
    body.cfg_atoms.extend(&attrs.cfg_atoms);
    body.mention(MentionKind::Macro, &path);
    cx.mention_enclosing_macros(&mut body);
    called(tree, &path, &toks, &mut body);
    if !lowered {
        scan(tree, &toks, Mode::ItemArgs, &mut body);
    }
    let mut sink = TokenSink::default();
    feed(
        tree,
        node,
        &Normalise {
            skip: &|i| attrs::is_lint_node(tree, i),
            docs: false,
        },
        &mut sink,
    );
    let mut out = cx.place(node);
    out.hash = sink.hash();
    body.finish(&mut out);
    cx.out.bodies.defs[def.0 as usize] = out;
}

/// Reads the arguments as items where they are items: `cfg_rt! { mod a; fn f() {} }`, `thread_local! { static A: .. }`,
/// the branches of `cfg_if!`. They stand as definitions that mention the macro, whose body so joins their closures.
fn lower_args(cx: &mut Lower<'_, '_>, args: Idx, path: &Path, scope: ScopeIdx, parent: Option<DefIdx>) -> bool {
    let tree = cx.tree;
    let inside = (
        tree.start(args) as usize + 1,
        (tree.stop(args) as usize).saturating_sub(1),
    );
    let Some(text) = tree.text.get(inside.0..inside.1) else {
        return false;
    };
    if lower_text(cx, text, inside.0, path, scope, parent) {
        return true;
    }
    let mut kinds = tree
        .children(args)
        .filter(|&c| tree.kind(c) != COMMENT)
        .map(|c| tree.kind(c))
        .skip(1);
    if (kinds.next(), kinds.next()) != (Some(IF_KW), Some(POUND)) {
        return false;
    }
    let outer = cx.enclosing.clone();
    let mut conditions = TokenSink::default();
    // The branch's own predicate, and those of the branches before it, which must have failed.
    let mut predicate: Vec<&str> = Vec::new();
    let mut failed: Condition = None;
    let mut lowered = false;
    for part in tree.children(args) {
        let (start, stop) = (
            tree.start(part) as usize + 1,
            (tree.stop(part) as usize).saturating_sub(1),
        );
        let branch = tree.kind(part) == TOKEN_TREE && tree.text.as_bytes().get(start - 1) == Some(&b'{');
        if !branch {
            feed(
                tree,
                part,
                &Normalise {
                    skip: &|_| false,
                    docs: false,
                },
                &mut conditions,
            );
            attrs::cfg_atoms(tree, part, &mut cx.enclosing.cfg_atoms);
            predicate.extend(
                tree.tokens(part)
                    .filter(|&t| tree.kind(t) != COMMENT)
                    .map(|t| tree.token_text(t)),
            );
        } else if let Some(text) = tree.text.get(start..stop) {
            cx.enclosing.cfg = outer.cfg ^ conditions.hash64();
            let own = attrs::condition_of(&predicate);
            predicate.clear();
            cx.enclosing.when = Cfg::and(outer.when.clone(), Cfg::and(failed.clone(), own.clone()));
            failed = Cfg::and(failed, own.map(|own| Box::new(Cfg::Not(own))));
            lowered |= lower_text(cx, text, start, path, scope, parent);
        }
    }
    cx.enclosing = outer;
    lowered
}

fn lower_text(
    cx: &mut Lower<'_, '_>,
    text: &str,
    offset: usize,
    path: &Path,
    scope: ScopeIdx,
    parent: Option<DefIdx>,
) -> bool {
    if !may_hold_items(text) {
        return false;
    }
    let sub = Tree::items(text, cx.edition);
    let is_item = |c: Idx| items::is_item(sub.kind(c)) || sub.kind(c) == MACRO_CALL;
    let has_item = !sub.is_empty() && sub.children(0).any(is_item);
    if sub.errors > 0 || !has_item {
        return false;
    }
    let mut enclosing = cx.enclosing.clone();
    enclosing.macros.push(path.clone());
    let mut inner = Lower {
        tree: &sub,
        out: &mut *cx.out,
        edition: cx.edition,
        base: cx.base + offset as u32,
        lines: cx.lines,
        enclosing,
        deals_in_tokens: cx.deals_in_tokens,
    };
    items::lower_list(&mut inner, 0, scope, parent);
    true
}

/// A text without any of these holds no item worth a parse.
fn may_hold_items(text: &str) -> bool {
    ITEM_STARTS.iter().any(|word| text.contains(word))
}

const ITEM_STARTS: &[&str] = &[
    "fn ",
    "mod ",
    "use ",
    "struct ",
    "enum ",
    "union ",
    "trait ",
    "impl",
    "type ",
    "const ",
    "static ",
    "macro_rules!",
    "extern ",
];

/// What a call tells by the macro's name alone.
fn called(tree: &Tree<'_>, path: &[Name], args: &[Idx], body: &mut Body) {
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

/// The file of an `include!` in item position.
fn include(tree: &Tree<'_>, path: &[Name], args: &[Idx]) -> Option<Box<[Name]>> {
    (path.last()?.as_str() == "include").then(|| include_parts(tree, args))
}

/// `concat!(env!("OUT_DIR"), "/x.rs")` -> `$OUT_DIR`, `/x.rs`.
fn include_parts(tree: &Tree<'_>, args: &[Idx]) -> Box<[Name]> {
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

/// What a `macro_rules!` or `macro` definition can bring into being.
pub fn macro_facts(tree: &Tree<'_>, node: Idx) -> MacroFacts {
    let toks: Vec<Idx> = tree.tokens(node).filter(|&t| tree.kind(t) != COMMENT).skip(3).collect();
    MacroFacts {
        tokens: provided(tree, &toks),
        calls: calls(tree, &toks),
        imports: toks.iter().any(|&t| tree.kind(t) == USE_KW),
        member_args: (0..toks.len()).any(|at| is_member_arg(tree, &toks, at)),
        expansion: None,
        exact: false,
    }
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

/// Reads the arm `() => { items }` of a `macro_rules!`: its body is its expansion, to the letter.
///
/// Returns whether that is all there is to the macro.
pub fn expansion(cx: &mut Lower<'_, '_>, rules: Idx, def: DefIdx) -> bool {
    let tree = cx.tree;
    let groups: Vec<Idx> = tree.children(rules).filter(|&c| tree.kind(c) == TOKEN_TREE).collect();
    let arm = groups
        .windows(2)
        .find(|pair| tree.tokens(pair[0]).count() == 2 && tree.tokens(pair[1]).count() > 2);
    let Some(&[_, body]) = arm else { return false };
    let (start, stop) = (
        tree.start(body) as usize + 1,
        (tree.stop(body) as usize).saturating_sub(1),
    );
    let Some(text) = tree.text.get(start..stop).filter(|text| may_hold_items(text)) else {
        return false;
    };
    let sub = Tree::items(text, cx.edition);
    if sub.errors > 0 || sub.is_empty() {
        return false;
    }
    let facts = super::of_tree(&sub, cx.edition, cx.base + start as u32, cx.lines);
    if let DefData::Macro(mac) = &mut cx.out.items.defs[def.0 as usize].data {
        mac.expansion = Some(cx.out.bodies.expansions.len() as u32);
        mac.exact = groups.len() == 2;
        cx.out.items.expansions.push(facts.items);
        cx.out.bodies.expansions.push(facts.bodies);
    }
    groups.len() == 2
}

/// Every name; but not that of our own attribute, which would be in each call that hands it on.
fn idents(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Name]> {
    let is_attribute = |at: usize| at > 0 && matches!(tree.kind(toks[at - 1]), L_BRACK | COLON | COLON2);
    let names = (0..toks.len()).filter(|&at| {
        let is_ours = tree.token_text(toks[at]) == "cached" && is_attribute(at);
        is_segment(tree.kind(toks[at])) && !is_ours
    });
    sorted(names.map(|at| Name::ident(tree.token_text(toks[at]))).collect())
}

fn all_paths(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Path]> {
    let mut out: Vec<Path> = Vec::new();
    let mut at = 0;
    while at < toks.len() {
        if tree.kind(toks[at]) == DOLLAR && !starts_path(tree, toks, at) {
            at += 2;
        } else if starts_path(tree, toks, at) {
            let (path, next) = gather(tree, toks, at, &mut Vec::new());
            if !out.contains(&path) {
                out.push(path);
            }
            at = next;
        } else {
            at += 1;
        }
    }
    out.into()
}

fn calls(tree: &Tree<'_>, toks: &[Idx]) -> Box<[Path]> {
    let mut out: Vec<Path> = Vec::new();
    let mut at = 0;
    while at < toks.len() {
        if starts_path(tree, toks, at) {
            let (path, next) = gather(tree, toks, at, &mut Vec::new());
            if is_call(tree, toks, next) && !out.contains(&path) {
                out.push(path);
            }
            at = next;
        } else {
            at += 1;
        }
    }
    out.into()
}

pub fn is_call(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    let kind_at = |i: usize| toks.get(i).map(|&t| tree.kind(t));
    kind_at(at) == Some(BANG) && matches!(kind_at(at + 1), Some(L_PAREN | L_BRACK | L_CURLY))
}

/// Names that the tokens define, as far as defining keywords tell.
fn provided(tree: &Tree<'_>, toks: &[Idx]) -> ProvidedTokens {
    let mut out = ProvidedTokens::default();
    let mut defines = Vec::new();
    let mut impls = Vec::new();
    let mut attributes = Vec::new();
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
                _ => {}
            },
            USE_KW => {
                out.aliases = true;
                imported(tree, &toks[at + 1..], &mut defines, &mut out);
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
                let (path, next) = gather(tree, toks, start, &mut Vec::new());
                if matches!(path[path.len() - 1].as_str(), "derive" | "cfg_attr") {
                    let list = inside.get(next - start..).unwrap_or_default();
                    out.attribute_arg |= list.iter().any(holds_arg);
                    attributes.extend(all_paths(tree, list));
                }
                attributes.push(path);
            }
            L_BRACK if toks.get(at + 1).is_some_and(|&t| tree.kind(t) == L_ANGLE) && tree.is_joint(toks[at]) => {
                out.glue = true;
            }
            _ => {}
        }
    }
    out.attributes = attributes.into();
    out.defines = sorted(defines);
    out.impls = impls.into();
    out
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
            DOLLAR if tree.kind(*toks.get(at + 1).unwrap_or(&toks[at])) != CRATE_KW => out.defines_arg = true,
            kind if last && is_segment(kind) => defines.push(Name::ident(tree.token_text(toks[at]))),
            _ => {}
        }
    }
}

/// Not the `impl Trait` of a type.
fn is_impl_header(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|i| tree.kind(toks[i]));
    match before(1) {
        // `$( impl .. )*`, `-> impl ..`
        Some(L_PAREN) => before(2) == Some(DOLLAR),
        Some(R_ANGLE) => before(2) != Some(MINUS),
        Some(COLON | COMMA | L_ANGLE | AMP | EQ | PLUS | MUT_KW | THIN_ARROW) => false,
        _ => true,
    }
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
    ImplTokens {
        paths: all_paths(tree, header),
        self_paths: all_paths(tree, &header[start..stop]),
        self_arg: (start..stop).any(arg),
    }
}

fn inner_tokens(tree: &Tree<'_>, args: Idx) -> Vec<Idx> {
    let mut toks: Vec<Idx> = tree.tokens(args).filter(|&t| tree.kind(t) != COMMENT).collect();
    if toks.len() >= 2 {
        toks.pop();
        toks.remove(0);
    }
    toks
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
fn scan(tree: &Tree<'_>, toks: &[Idx], mode: Mode, body: &mut Body) {
    for &token in toks {
        body.reach(StdTraits::of_punctuation(tree.kind(token)));
    }
    if mode != Mode::Quoted {
        cfg_atoms(tree, toks, body);
    }
    let mut consumed = Vec::new();
    let mut at = 0;
    while at < toks.len() {
        if consumed.contains(&at) {
            at += 1;
            continue;
        }
        match tree.kind(toks[at]) {
            STRING => scan_string(tree.token_text(toks[at]), mode, body),
            DOT => at = scan_member(tree, toks, at, mode, body),
            _ if starts_path(tree, toks, at) => {
                at = scan_path(tree, toks, at, mode, body, &mut consumed);
                continue;
            }
            DOLLAR => at += 1,
            _ => {}
        }
        at += 1;
    }
}

/// What the tokens may ask of the build: `cfg(..)` and `cfg_attr(..)` of an attribute. In `#[cfg($when)]` the predicate is an
/// argument: of those, features and `test` are known by their form; any other is among all that the crate is told.
fn cfg_atoms(tree: &Tree<'_>, toks: &[Idx], body: &mut Body) {
    let text = |at: usize| toks.get(at).map_or("", |&token| tree.token_text(token));
    for at in 0..toks.len() {
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

/// `$crate` starts a path, `$x` does not.
pub fn starts_path(tree: &Tree<'_>, toks: &[Idx], at: usize) -> bool {
    match tree.kind(toks[at]) {
        DOLLAR => toks.get(at + 1).is_some_and(|&t| tree.kind(t) == CRATE_KW),
        kind => is_segment(kind),
    }
}

/// `.name(` and `.name::<` are method calls; a bare `.name` is a field unless a macro adds the call.
fn scan_member(tree: &Tree<'_>, toks: &[Idx], dot: usize, mode: Mode, body: &mut Body) -> usize {
    let Some(&name) = toks.get(dot + 1) else {
        return dot;
    };
    // `.#name(..)`: a method that the macro is told.
    if mode == Mode::Quoted && tree.kind(name) == POUND && toks.get(dot + 3).is_some_and(|&t| tree.kind(t) == L_PAREN) {
        body.mention(MentionKind::QuotedMethod, &[known::WILDCARD]);
        return dot + 2;
    }
    if !is_segment(tree.kind(name)) {
        return dot;
    }
    let name = Name::ident(tree.token_text(name));
    let called = toks.get(dot + 2).is_some_and(|&t| tree.kind(t) == L_PAREN) || paths::is_path_sep(tree, toks, dot + 2);
    if mode == Mode::Quoted {
        body.mention(MentionKind::QuotedMethod, &[name]);
    } else if called {
        body.mention(MentionKind::Method, &[name]);
    } else if mode != Mode::Attribute {
        body.mention(MentionKind::TokenArg, &[name]);
    }
    dot + 1
}

fn scan_path(
    tree: &Tree<'_>,
    toks: &[Idx],
    at: usize,
    mode: Mode,
    body: &mut Body,
    consumed: &mut Vec<usize>,
) -> usize {
    let (mut path, next) = gather(tree, toks, at, consumed);
    if is_defined_here(tree, toks, at) {
        return next;
    }
    if let Some(qualifier) = qualifier_before(tree, toks, at) {
        path = qualifier.iter().chain(path.iter()).copied().collect();
    }
    if mode == Mode::Quoted {
        body.mention(MentionKind::Quoted, &path);
        return next;
    }
    if is_call(tree, toks, next) {
        body.mention(MentionKind::Macro, &path);
        let close = matching_close(tree, toks, next + 1);
        let args = toks.get(next + 2..close).unwrap_or_default();
        called(tree, &path, args, body);
        if path.last().is_some_and(|name| QUOTES.contains(&name.as_str())) {
            scan_quote(tree, args, mode, body);
            return close;
        }
        return next;
    }
    if mode == Mode::Attribute {
        body.mention(MentionKind::AttributePath, &path);
        return next;
    }
    let local = mode == Mode::Args && body.is_local(&path);
    if !local && path.as_ref() != [known::SELF] {
        body.mention(token_kind(tree, toks, next, &path), &path);
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

/// The path that starts at `at`, through turbofish, and the position after it.
pub fn gather(tree: &Tree<'_>, toks: &[Idx], at: usize, consumed: &mut Vec<usize>) -> (Path, usize) {
    let mut segments = Vec::new();
    let mut next = at + 1;
    if tree.kind(toks[at]) == DOLLAR {
        segments.push(known::DOLLAR_CRATE);
        next = at + 2;
    } else {
        let rooted = at >= 2
            && paths::is_path_sep(tree, toks, at - 2)
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
    (segments.into(), first_run)
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
fn qualifier_before(tree: &Tree<'_>, toks: &[Idx], at: usize) -> Option<Path> {
    let sep = at.checked_sub(2).filter(|&i| paths::is_path_sep(tree, toks, i))?;
    let close = sep.checked_sub(1)?;
    match tree.kind(toks[close]) {
        R_ANGLE => Some(anchor_before(tree, toks, close)),
        // `$x::name`, `#x::name`, in the middle of a path too: `a::#x::name`
        IDENT if close > 0 && matches!(tree.kind(toks[close - 1]), DOLLAR | POUND) => Some([known::WILDCARD].into()),
        _ => None,
    }
}

fn anchor_before(tree: &Tree<'_>, toks: &[Idx], close: usize) -> Path {
    let unknown: Path = [known::ANY_TYPE].into();
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
                    return if segments {
                        gather(tree, toks, first, &mut Vec::new()).0
                    } else {
                        unknown
                    };
                }
            }
            AS_KW if depth == 1 => cast = Some(i),
            SEMICOLON | L_CURLY | R_CURLY => return unknown,
            _ => {}
        }
    }
    unknown
}

fn scan_string(literal: &str, mode: Mode, body: &mut Body) {
    let text = unquote(literal);
    match mode {
        Mode::Attribute => {
            return string_paths(text, |path| body.mention(MentionKind::AttributePath, path));
        }
        Mode::Quoted => {
            body.effects.emitted = body.effects.emitted.and(StdTraits::of_format_string(text));
            return;
        }
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

/// Names that a format string captures: `{NAME}`, `{x:>WIDTH$}`, `{x:.PREC$}`.
fn format_names(text: &str, mut each: impl FnMut(&str)) {
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        rest = &rest[open + 1..];
        if let Some(escaped) = rest.strip_prefix('{') {
            rest = escaped;
            continue;
        }
        let Some(close) = rest.find('}') else { return };
        let (name, spec) = rest[..close].split_once(':').unwrap_or((&rest[..close], ""));
        if is_ident(name.trim()) {
            each(name.trim());
        }
        for part in spec.split('$').rev().skip(1) {
            let start = part
                .rfind(|c: char| !c.is_alphanumeric() && c != '_')
                .map_or(0, |at| at + 1);
            if is_ident(&part[start..]) {
                each(&part[start..]);
            }
        }
        rest = &rest[close + 1..];
    }
}

fn is_ident(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphabetic()) && text.chars().all(|c| c == '_' || c.is_alphanumeric())
}

/// Whether a string may be, or become part of, source text: a name, something with the marks of code, or the start of an
/// item. All else is prose, whose words mean nothing.
fn may_be_code(text: &str) -> bool {
    let lone = !text.trim().contains(char::is_whitespace);
    let marks =
        text.contains(['(', '{', '[', '<', ';', '=', '#', '&', '|', '!', '>', '}', ']', ')']) || text.contains("::");
    let first = text.split_whitespace().next().unwrap_or_default();
    lone || marks
        || ITEM_STARTS.iter().any(|word| first == word.trim_end())
        || matches!(
            first,
            "pub"
                | "unsafe"
                | "async"
                | "let"
                | "return"
                | "match"
                | "if"
                | "for"
                | "while"
                | "loop"
                | "where"
                | "dyn"
                | "mut"
                | "move"
        )
}

/// What a string may emit, where it may be code.
pub fn code_paths(text: &str, body: &mut Body) {
    if may_be_code(text) {
        string_paths(text, |path| body.mention(MentionKind::Quoted, path));
    }
}

/// Every `a::b::c` in a string.
fn string_paths(text: &str, mut each: impl FnMut(&[Name])) {
    let is_path_char = |c: char| c == '_' || c == ':' || c.is_alphanumeric();
    for word in text.split(|c: char| !is_path_char(c)).filter(|word| !word.is_empty()) {
        let segments: Vec<Name> = word.split("::").filter(|seg| is_ident(seg)).map(Name::ident).collect();
        if !segments.is_empty() {
            each(&segments);
        }
    }
}
