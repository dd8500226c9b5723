//! Macro sites: calls in item or statement position, whose expansion may define things; and the arguments of such calls, and
//! macro bodies, that are items as they stand.

use ra_ap_parser::SyntaxKind::*;

use super::super::{
    cfg::{Cfg, Condition},
    facts::{Def, DefData, DefFlags, DefIdx, DefKind, MentionKind, Path, ProvidedTokens, ScopeIdx, SiteFacts},
    hash::{TokenSink, feed, feed_all},
    name::{Name, known},
    tree::{Idx, Tree},
};
use super::{
    Lower,
    attrs::{self, Attrs},
    body::Body,
    items, paths,
    provides::{arguments, calls, idents, provided},
    scan::{Mode, called, include_parts, scan},
    strings::ITEM_STARTS,
    tokens::inner_tokens,
};

/// The call of a statement that is a macro call which may define something.
pub fn statement_macro(tree: &Tree<'_>, statement: Idx) -> Option<Idx> {
    let expr = match tree.kind(statement) {
        EXPR_STMT => tree.child(statement, MACRO_EXPR)?,
        MACRO_EXPR => statement,
        _ => return None,
    };
    let call = tree.child(expr, MACRO_CALL)?;
    let name = paths::last_segment(tree, tree.child(call, PATH)?)?;
    (!is_plain_statement(name)).then_some(call)
}

/// Keeps a macro site for a statement that is a macro call.
pub fn statement_site(cx: &mut Lower<'_, '_>, statement: Idx, body: &Body) {
    if let Some(call) = statement_macro(cx.tree, statement) {
        let attrs = cx.attrs(statement);
        site(cx, call, body.scope, None, attrs);
    }
}

/// Keeps a macro site for a call in item position.
pub fn site(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, parent: Option<DefIdx>, attrs: Attrs) {
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
            provided(tree, toks)
        },
        calls: if lowered { Box::new([]) } else { calls(tree, toks) },
        idents: idents(tree, toks),
        args: arguments(tree, toks),
        lowered,
        bare: toks.is_empty(),
        words: is_words(tree, toks),
        include: include(tree, &path, toks),
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
    let mut body = cx.out.start(def, scope);
    body.header = false;
    body.cfg_atoms.extend(&attrs.cfg_atoms);
    body.mention(MentionKind::Macro, &path);
    cx.mention_enclosing_macros(&mut body);
    called(tree, &path, toks, &mut body);
    if !lowered {
        scan(tree, toks, Mode::ItemArgs, &mut body);
    }
    let mut out = cx.place(node);
    let sink = &mut cx.out.sink;
    sink.clear();
    feed(
        tree,
        node,
        false,
        |i, kind| kind == ATTR && attrs::is_lint(tree, i),
        sink,
    );
    out.hash = sink.hash();
    cx.out.finish(body, out);
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
        lower_groups(cx, args, path, scope, parent);
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
            feed_all(tree, part, &mut conditions);
            attrs::cfg_atoms(tree, part, &mut cx.enclosing.cfg_atoms);
            predicate.extend(tree.code(part).iter().map(|&t| tree.token_text(t)));
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

/// Reads each block among the arguments that holds items: `cfg_select! { unix => { mod a; } _ => { mod b; } }`. Which of them the
/// macro keeps, and where, it does not say: they hide nothing, and the call provides their names as well.
fn lower_groups(cx: &mut Lower<'_, '_>, args: Idx, path: &Path, scope: ScopeIdx, parent: Option<DefIdx>) {
    let tree = cx.tree;
    let outer = cx.enclosing.clone();
    for group in tree.children(args).filter(|&c| tree.kind(c) == TOKEN_TREE) {
        let (start, stop) = (tree.start(group) as usize, tree.stop(group) as usize);
        let Some(text) = tree.text.get(start..stop) else {
            continue;
        };
        let Some(inside) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            continue;
        };
        let mut maybe = TokenSink::default();
        maybe.text("a block among the arguments of a macro");
        cx.enclosing.cfg = outer.cfg ^ maybe.hash64();
        if !lower_text(cx, inside, start + 1, path, scope, parent) {
            lower_groups(cx, group, path, scope, parent);
        }
        cx.enclosing = outer.clone();
    }
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

/// `a, b`, `pub a; b;`
fn is_words(tree: &Tree<'_>, toks: &[Idx]) -> bool {
    let is_word = |&t: &Idx| matches!(tree.kind(t), IDENT | COMMA | SEMICOLON | PUB_KW | MOD_KW);
    !toks.is_empty() && toks.iter().all(is_word)
}

/// A text without any of these holds no item worth a parse.
fn may_hold_items(text: &str) -> bool {
    ITEM_STARTS.iter().any(|word| text.contains(word))
}

/// Reads the arm `() => { items }` of a `macro_rules!`: its body is its expansion, to the letter.
pub fn expansion(cx: &mut Lower<'_, '_>, rules: Idx, def: DefIdx) {
    let tree = cx.tree;
    let groups: Vec<Idx> = tree.children(rules).filter(|&c| tree.kind(c) == TOKEN_TREE).collect();
    let arm = groups
        .windows(2)
        .find(|pair| tree.tokens(pair[0]).count() == 2 && tree.tokens(pair[1]).count() > 2);
    let Some(&[_, body]) = arm else { return };
    let (start, stop) = (
        tree.start(body) as usize + 1,
        (tree.stop(body) as usize).saturating_sub(1),
    );
    let Some(text) = tree.text.get(start..stop).filter(|text| may_hold_items(text)) else {
        return;
    };
    let sub = Tree::items(text, cx.edition);
    if sub.errors > 0 || sub.is_empty() {
        return;
    }
    let facts = super::of_tree(&sub, cx.edition, cx.base + start as u32, cx.lines, cx.deals_in_tokens);
    if let DefData::Macro(mac) = &mut cx.out.items.defs[def.0 as usize].data {
        mac.expansion = Some(cx.out.bodies.expansions.len() as u32);
        mac.exact = groups.len() == 2;
        cx.out.items.expansions.push(facts.items);
        cx.out.bodies.expansions.push(facts.bodies);
    }
}

/// The file of an `include!` in item position.
fn include(tree: &Tree<'_>, path: &[Name], args: &[Idx]) -> Option<Box<[Name]>> {
    (path.last()?.as_str() == "include").then(|| include_parts(tree, args))
}

/// Expression macros of std that people call as statements. They define nothing, so no macro site is kept for them.
pub fn is_plain_statement(name: &str) -> bool {
    matches!(
        name,
        "println"
            | "print"
            | "eprintln"
            | "eprint"
            | "assert"
            | "assert_eq"
            | "assert_ne"
            | "debug_assert"
            | "debug_assert_eq"
            | "debug_assert_ne"
            | "panic"
            | "unreachable"
            | "todo"
            | "unimplemented"
            | "write"
            | "writeln"
            | "vec"
            | "format"
            | "dbg"
            | "matches"
            | "try"
    )
}
