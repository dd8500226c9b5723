//! `func!(path)` and `func!(|x| ..)` in bodies: each is a root of its own, so each is a definition, under a name that no path can
//! have. The call may stand among the arguments of other macros (`println!("{}", run(func!(f)))`), so tokens are searched.
//! The body around it mentions the same code besides, as the arguments of any macro call.

use super::super::{
    facts::{Def, DefBody, DefData, DefFlags, DefKind, Func, MentionKind},
    hash::feed_all,
    name::Name,
    tree::Idx,
};
use super::{Lower, body::Body, scan, tokens};

/// What such a definition is called.
const NAME: &str = "func!";

/// Keeps a definition for each `func!(..)` in a macro call.
pub fn lower(cx: &mut Lower<'_, '_>, call: Idx, around: &Body) {
    let tree = cx.tree;
    let toks = tree.code(call);
    if !toks.iter().any(|&t| tree.token_text(t) == "func") {
        return;
    }
    let mut path = Vec::new();
    let mut at = 0;
    while at < toks.len() {
        if !tokens::starts_path(tree, toks, at) {
            at += 1;
            continue;
        }
        let next = tokens::gather(tree, toks, at, &mut path, &mut Vec::new());
        let is_func = path.last().is_some_and(|name| name.as_str() == "func");
        if is_func && tokens::is_call(tree, toks, next) {
            let close = tokens::matching_close(tree, toks, next + 1);
            if next + 2 < close && close < toks.len() {
                keep(cx, &path, toks[at], &toks[next + 1..=close], around);
            }
        }
        at = next.max(at + 1);
    }
}

/// `group`: from the opening to the closing parenthesis.
fn keep(cx: &mut Lower<'_, '_>, path: &[Name], start: Idx, group: &[Idx], around: &Body) {
    let tree = cx.tree;
    let (Some((&open, rest)), Some(&close)) = (group.split_first(), group.last()) else {
        return;
    };
    let inner = &rest[..rest.len() - 1];
    let owner = &cx.out.items.defs[around.def.0 as usize];
    let parent = owner.parent.map(|parent| &cx.out.items.defs[parent.0 as usize]);
    let params = owner
        .generics
        .iter()
        .chain(parent.iter().flat_map(|it| it.generics.iter()));
    let params: Vec<&str> = params.map(|name| name.as_str()).collect();
    let texts: Vec<&str> = inner.iter().map(|&token| tree.token_text(token)).collect();
    let open_name = |text: &&str| params.contains(text) || matches!(*text, "Self" | "dyn" | "impl");
    let func = Func {
        owner: around.def,
        typed: is_typed_closure(&texts) && !texts.iter().any(open_name),
        closure: texts.contains(&"|") || texts.contains(&"||"),
    };
    let def = Def {
        kind: DefKind::Fn,
        name: Name::new(NAME),
        scope: around.scope,
        parent: owner.parent,
        generics: owner.generics.clone(),
        cfg: owner.cfg,
        when: owner.when.clone(),
        flags: DefFlags {
            has_body: true,
            test: owner.flags.test,
            ..DefFlags::default()
        },
        attrs: Box::new([]),
        data: DefData::Func(func),
    };
    let def = cx.out.push_def(def);
    let mut body = cx.out.start(def, around.scope);
    body.header = false;
    body.cfg_atoms.extend(&around.cfg_atoms);
    body.mention(MentionKind::Macro, path);
    scan::scan_args(tree, inner, &mut body);
    let sink = &mut cx.out.sink;
    sink.clear();
    inner.iter().for_each(|&token| feed_all(tree, token, sink));
    let hash = sink.hash();
    let (from, to) = (tree.stop(open), tree.start(close));
    let (line, column) = cx.lines.position(cx.base + tree.start(start));
    let layout = cx.layout((line, column), from, to);
    let out = DefBody {
        hash,
        layout,
        range: (cx.base + from, cx.base + to),
        item_start: cx.base + from,
        line,
        column,
        ..DefBody::default()
    };
    cx.out.finish(body, out);
}

/// `|a: u8, b: &str| -> String { .. }`, with `move` or without: no type is left to inference from outside.
fn is_typed_closure(texts: &[&str]) -> bool {
    let texts = texts.strip_prefix(&["move"]).unwrap_or(texts);
    let (params, rest) = match texts {
        ["||", rest @ ..] => (&[][..], rest),
        ["|", rest @ ..] => match rest.iter().position(|&text| text == "|") {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => return false,
        },
        _ => return false,
    };
    let end = rest.iter().position(|&text| text == "{").unwrap_or(rest.len());
    let result = &rest[..end];
    let returns = matches!(result, ["->", ..] | ["-", ">", ..]);
    let mut depth = 0usize;
    let mut param_is_typed = params.is_empty();
    for &text in params {
        match text {
            "(" | "[" | "<" => depth += 1,
            ")" | "]" | ">" => depth = depth.saturating_sub(1),
            "," if depth == 0 && !param_is_typed => return false,
            "," if depth == 0 => param_is_typed = false,
            ":" if depth == 0 => param_is_typed = true,
            _ => {}
        }
    }
    let trailing_comma = params.last() == Some(&",");
    let inferred = params.iter().chain(result).any(|&text| text == "_");
    returns && end < rest.len() && (param_is_typed || trailing_comma) && !inferred
}

#[cfg(test)]
mod tests {
    use super::is_typed_closure;

    fn typed(text: &str) -> bool {
        is_typed_closure(&text.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn a_closure_is_typed_if_nothing_is_left_to_infer() {
        for text in [
            "| x : u64 | -> u64 { x }",
            "move | x : u64 , y : ( u8 , u8 ) | -> Vec < u8 > { x }",
            "|| -> u8 { 1 }",
            "| x : & str , | - > u8 { 1 }",
        ] {
            assert!(typed(text), "{text}");
        }
        for text in [
            "| x | -> u64 { x }",
            "| x : u64 , y | -> u64 { x }",
            "| x , y : u64 | -> u64 { x }",
            "| x : u64 | x",
            "| x : u64 | { x }",
            "| x : _ | -> u64 { x }",
            "| x : u64 | -> Vec < _ > { x }",
            "| ( x , y ) | -> u64 { x }",
            "| x : u64 | -> u64",
            "f",
            "|",
            "||",
            "a || b",
        ] {
            assert!(!typed(text), "{text}");
        }
    }
}
