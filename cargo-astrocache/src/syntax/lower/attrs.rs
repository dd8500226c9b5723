//! Attributes: which are built in, what `cfg`s they hold, which are macros.

use ra_ap_parser::SyntaxKind::*;

use super::super::{
    cfg::{self, Condition},
    facts::{AttrUse, Path, Unnamed, is_std_derive},
    hash::{TokenSink, feed, feed_all},
    name::Name,
    tree::{Idx, Tree},
};
use super::{paths, provides, tokens};

/// The attributes of one item, sorted by what they do.
#[derive(Default)]
pub struct Attrs {
    /// Hash of the `cfg`s, 0 if there are none.
    pub cfg: u64,
    pub cfg_atoms: Vec<Name>,
    pub when: Condition,
    pub test: bool,
    pub macro_use: bool,
    pub exported: bool,
    pub unnamed: Unnamed,
    /// `#[path]` values; `true` where no `cfg_attr` guards it.
    pub paths: Vec<(Name, bool)>,
    /// `no_mangle` (as an empty name), `export_name`, `link_name`.
    pub link: Option<Name>,
    pub proc_macro: Option<ProcMacroAttr>,
    /// Attribute macros and derives, with the hash of their tokens.
    pub macros: Vec<(AttrUse, u64)>,
    /// Nodes of the attribute macros, left out of the own hash.
    pub macro_nodes: Vec<Idx>,
    /// Lint-like attributes, left out of every hash.
    pub lint_nodes: Vec<Idx>,
    /// A derive or attribute that may read doc comments.
    pub reads_docs: bool,
}

/// `#[proc_macro]`, `#[proc_macro_attribute]` or `#[proc_macro_derive(Name)]`.
pub enum ProcMacroAttr {
    Named,
    Derive(Name),
}

impl Attrs {
    /// The item is put in a section of its own.
    fn add_section(&mut self, name: Option<&str>) {
        let of_windows = name.is_some_and(|name| name.starts_with(".CRT$"));
        self.unnamed = match (self.unnamed, of_windows) {
            (Unnamed::Not | Unnamed::RunsOnWindows, true) => Unnamed::RunsOnWindows,
            _ => Unnamed::Runs,
        };
    }
}

/// Attributes that cannot change what code does.
fn is_lint_like(head: &str) -> bool {
    matches!(
        head,
        "allow"
            | "warn"
            | "deny"
            | "forbid"
            | "expect"
            | "must_use"
            | "inline"
            | "cold"
            | "doc"
            | "deprecated"
            | "rustfmt"
            | "clippy"
            | "diagnostic"
            | "rustdoc"
            | "stable"
            | "unstable"
            | "rustc_const_stable"
            | "rustc_const_unstable"
    )
}

/// All others that are no macros.
fn is_built_in(head: &str) -> bool {
    matches!(
        head,
        "cfg"
            | "cfg_attr"
            | "derive"
            | "test"
            | "bench"
            | "ignore"
            | "should_panic"
            | "macro_use"
            | "macro_export"
            | "path"
            | "repr"
            | "no_mangle"
            | "export_name"
            | "link_name"
            | "link_section"
            | "link"
            | "used"
            | "track_caller"
            | "target_feature"
            | "non_exhaustive"
            | "automatically_derived"
            | "proc_macro"
            | "proc_macro_derive"
            | "proc_macro_attribute"
            | "global_allocator"
            | "panic_handler"
            | "no_std"
            | "no_core"
            | "no_main"
            | "feature"
            | "recursion_limit"
            | "type_length_limit"
            | "crate_type"
            | "crate_name"
            | "default"
            | "instruction_set"
            | "naked"
            | "no_link"
            | "windows_subsystem"
            | "no_builtins"
            | "optimize"
            | "coverage"
            | "fundamental"
            | "marker"
            | "lang"
            | "rustc_on_unimplemented"
            | "may_dangle"
            | "thread_local"
            | "unsafe"
    )
}

/// Whether the attribute cannot change what code does.
pub fn is_lint(tree: &Tree<'_>, attr: Idx) -> bool {
    attr_head(tree, attr).is_some_and(is_lint_like)
}

/// Whether a `#[cfg(..)]` stands on `node`.
pub fn is_conditional(tree: &Tree<'_>, node: Idx) -> bool {
    let mut attributes = tree.children(node).filter(|&c| tree.kind(c) == ATTR);
    attributes.any(|attr| attr_head(tree, attr) == Some("cfg"))
}

/// Reads the outer and inner attributes that are direct children of `node`.
pub fn read(tree: &Tree<'_>, node: Idx) -> Attrs {
    let mut out = Attrs::default();
    let mut cfg = TokenSink::default();
    for attr in tree.children(node).filter(|&c| tree.kind(c) == ATTR) {
        read_one(tree, attr, &mut out, &mut cfg);
    }
    if !out.cfg_atoms.is_empty() {
        out.cfg = cfg.hash64();
    }
    out
}

fn read_one(tree: &Tree<'_>, attr: Idx, out: &mut Attrs, hash: &mut TokenSink) {
    let Some(head) = attr_head(tree, attr) else { return };
    let is_single = || attr_path(tree, attr).len() == 1;
    let strings = || string_literals(tree, attr);
    match head {
        _ if is_lint_like(head) => out.lint_nodes.push(attr),
        "cfg" => {
            cfg_atoms(tree, attr, &mut out.cfg_atoms);
            out.test |= cfg_is_test(tree, attr);
            out.when = cfg::Cfg::and(out.when.take(), condition(tree, attr));
            feed_all(tree, attr, hash);
        }
        "cfg_attr" => read_cfg_attr(tree, attr, out, hash),
        "test" | "bench" => out.test = true,
        "macro_use" => out.macro_use = true,
        "macro_export" => out.exported = true,
        "global_allocator" => out.unnamed = Unnamed::Runs,
        "link_section" => out.add_section(strings().first().map(|it| it.as_str())),
        "path" => out.paths.extend(strings().into_iter().map(|s| (s, true))),
        "no_mangle" => out.link = Some(Name::new("")),
        "export_name" | "link_name" => out.link = strings().first().copied(),
        "unsafe" => read_unsafe(tree, attr, out),
        "proc_macro" | "proc_macro_attribute" if is_single() => out.proc_macro = Some(ProcMacroAttr::Named),
        "proc_macro_derive" => {
            let name = tree.tokens(attr).filter(|&t| tree.kind(t) == IDENT).nth(1);
            out.proc_macro = name.map(|t| ProcMacroAttr::Derive(Name::ident(tree.token_text(t))));
        }
        "derive" => push_derives(tree, tree.code(attr), out),
        _ if is_built_in(head) && is_single() => {}
        _ => push_attribute_macro(tree, attr, out),
    }
}

/// `#[unsafe(no_mangle)]`, `#[unsafe(export_name = "..")]`, `#[unsafe(link_section = "..")]`.
fn read_unsafe(tree: &Tree<'_>, attr: Idx, out: &mut Attrs) {
    for token in tree.tokens(attr).filter(|&t| tree.kind(t) == IDENT) {
        match tree.token_text(token) {
            "no_mangle" => out.link = Some(Name::new("")),
            "link_section" => out.add_section(string_literals(tree, attr).first().map(|it| it.as_str())),
            "export_name" | "link_name" => out.link = string_literals(tree, attr).first().copied(),
            _ => {}
        }
    }
}

/// The attributes behind a `cfg_attr` may or may not be there: each counts as if it were, and the predicate joins the
/// item's `cfg`s.
fn read_cfg_attr(tree: &Tree<'_>, attr: Idx, out: &mut Attrs, cfg: &mut TokenSink) {
    cfg_atoms(tree, attr, &mut out.cfg_atoms);
    feed_all(tree, attr, cfg);
    for attribute in guarded(tree, tree.code(attr)) {
        read_guarded(tree, attribute, out, cfg.hash64());
    }
}

fn read_guarded(tree: &Tree<'_>, attribute: &[Idx], out: &mut Attrs, hash: u64) {
    let Some(path) = tokens::token_paths(tree, attribute).into_iter().next() else {
        return;
    };
    let string = || {
        let literal = attribute.iter().find(|&&t| tree.kind(t) == STRING)?;
        Some(unquote(tree.token_text(*literal)))
    };
    match path[0].as_str() {
        "path" => out.paths.extend(string().map(|it| (Name::new(it), false))),
        "macro_use" => out.macro_use = true,
        "macro_export" => out.exported = true,
        "no_mangle" => out.link = Some(Name::new("")),
        "export_name" | "link_name" => out.link = string().map(Name::new),
        "global_allocator" => out.unnamed = Unnamed::Runs,
        "link_section" => out.add_section(string()),
        "unsafe" => read_guarded(tree, attribute.get(2..).unwrap_or_default(), out, hash),
        "derive" => push_derives(tree, attribute, out),
        "proc_macro" | "proc_macro_attribute" if path.len() == 1 => out.proc_macro = Some(ProcMacroAttr::Named),
        "proc_macro_derive" => {
            let name = attribute.iter().filter(|&&t| tree.kind(t) == IDENT).nth(1);
            out.proc_macro = name.map(|&t| ProcMacroAttr::Derive(Name::ident(tree.token_text(t))));
        }
        head if is_built_in(head) || is_lint_like(head) => {}
        _ => {
            out.macros.push((AttrUse { path, derive: false }, hash));
            out.reads_docs = true;
        }
    }
}

/// The attributes in `cfg_attr(predicate, ..)`, also those in another one inside.
fn guarded<'t>(tree: &Tree<'_>, toks: &'t [Idx]) -> Vec<&'t [Idx]> {
    let Some(open) = toks.iter().position(|&t| tree.kind(t) == L_PAREN) else {
        return Vec::new();
    };
    let inside = toks.get(open + 1..tokens::matching_close(tree, toks, open));
    let attributes = provides::split_at_commas(tree, inside.unwrap_or_default())
        .into_iter()
        .skip(1);
    let nested = |it: &[Idx]| it.first().is_some_and(|&t| tree.token_text(t) == "cfg_attr");
    attributes
        .flat_map(|it| if nested(it) { guarded(tree, it) } else { vec![it] })
        .collect()
}

fn push_derives(tree: &Tree<'_>, toks: &[Idx], out: &mut Attrs) {
    for path in tokens::token_paths(tree, toks) {
        let last = path.last().map_or("", |n| n.as_str());
        if matches!(last, "derive" | "cfg_attr") {
            continue;
        }
        out.reads_docs |= !is_std_derive(last);
        let mut sink = TokenSink::default();
        path.iter().for_each(|seg| sink.text(seg.as_str()));
        out.macros.push((AttrUse { path, derive: true }, sink.hash64()));
    }
}

fn push_attribute_macro(tree: &Tree<'_>, attr: Idx, out: &mut Attrs) {
    let path = attr_path(tree, attr);
    let mut sink = TokenSink::default();
    feed(tree, attr, true, |_, _| false, &mut sink);
    out.reads_docs |= !is_ours(&path);
    out.macros.push((AttrUse { path, derive: false }, sink.hash64()));
    out.macro_nodes.push(attr);
}

/// `#[cached]` and `#[astrocache::cached]`, which read no docs. Whose `cached` it is, resolution decides.
fn is_ours(path: &[Name]) -> bool {
    path.last().is_some_and(|name| name.as_str() == "cached")
}

/// The first segment of an attribute's path.
fn attr_head<'a>(tree: &Tree<'a>, attr: Idx) -> Option<&'a str> {
    for meta in tree.children(attr) {
        match tree.kind(meta) {
            CFG_META => return Some("cfg"),
            CFG_ATTR_META => return Some("cfg_attr"),
            UNSAFE_META => return Some("unsafe"),
            _ if !tree.is_token(meta) => {
                if let Some(path) = tree.child(meta, PATH) {
                    return paths::first_segment(tree, path);
                }
            }
            _ => {}
        }
    }
    None
}

/// The path of an attribute that is a macro, as far as it is named.
fn attr_path(tree: &Tree<'_>, attr: Idx) -> Path {
    let metas = tree.children(attr).filter(|&meta| !tree.is_token(meta));
    let path = metas.filter_map(|meta| tree.child(meta, PATH)).next();
    path.map_or_else(Path::default, |path| paths::path(tree, path))
}

/// The predicate of a `#[cfg(..)]`, wherever it stands among other tokens.
pub fn condition(tree: &Tree<'_>, node: Idx) -> Condition {
    let toks: Vec<&str> = tree.code(node).iter().map(|&t| tree.token_text(t)).collect();
    condition_of(&toks)
}

/// See [`condition`]; `cfg ( .. )` among `tokens`.
pub fn condition_of(tokens: &[&str]) -> Condition {
    let start = tokens.windows(2).position(|w| w == ["cfg", "("])? + 2;
    let mut depth = 1;
    let end = tokens[start..].iter().position(|&token| {
        depth += i32::from(token == "(") - i32::from(token == ")");
        depth == 0
    })?;
    let inner = &tokens[start..start + end];
    let inner = inner.strip_suffix(&[","]).unwrap_or(inner);
    cfg::parse(inner).map(Box::new)
}

/// `test` is true only for the atom itself, not inside `not(..)`.
fn cfg_is_test(tree: &Tree<'_>, attr: Idx) -> bool {
    let toks: Vec<&str> = tree.tokens(attr).map(|t| tree.token_text(t)).collect();
    toks.contains(&"test") && !toks.contains(&"not") && !toks.contains(&"any")
}

/// Appends the atoms of every `cfg` predicate under `node`: `unix`, `feature="x"`.
pub fn cfg_atoms(tree: &Tree<'_>, node: Idx, out: &mut Vec<Name>) {
    cfg_atoms_of(tree, tree.code(node), out);
}

/// See [`cfg_atoms`]; over a token list.
pub fn cfg_atoms_of(tree: &Tree<'_>, toks: &[Idx], out: &mut Vec<Name>) {
    for (at, &token) in toks.iter().enumerate() {
        let text = tree.token_text(token);
        if !text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            || matches!(text, "cfg" | "cfg_attr" | "all" | "any" | "not" | "if" | "else")
        {
            continue;
        }
        let equals = toks.get(at + 1).is_some_and(|&t| tree.token_text(t) == "=");
        let value = toks
            .get(at + 2)
            .map(|&t| tree.token_text(t))
            .filter(|v| equals && v.starts_with('"'));
        out.push(match value {
            Some(value) => Name::new(&format!("{text}={value}")),
            None => Name::new(text),
        });
    }
}

/// String literals under `node`, unquoted.
pub fn string_literals(tree: &Tree<'_>, node: Idx) -> Vec<Name> {
    tree.tokens(node)
        .filter(|&t| tree.kind(t) == STRING)
        .map(|t| Name::new(unquote(tree.token_text(t))))
        .collect()
}

/// The inside of a string literal, raw or not; escapes stay as written.
pub fn unquote(literal: &str) -> &str {
    let Some(open) = literal.find('"') else {
        return literal;
    };
    let Some(close) = literal.rfind('"') else {
        return literal;
    };
    literal.get(open + 1..close).unwrap_or(literal)
}
