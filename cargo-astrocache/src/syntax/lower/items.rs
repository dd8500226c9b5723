//! Items -> definitions, scopes, imports and module declarations.

use ra_ap_parser::{SyntaxKind, SyntaxKind::*};

use super::super::{
    cfg::Cfg,
    facts::{
        Def, DefData, DefFlags, DefIdx, DefKind, Hash, Head, ImplHeader, Import, ImportKind, MentionKind, ModDecl,
        Path, ProcMacro, Scope, ScopeIdx, SelfShape,
    },
    hash::{TokenSink, feed, feed_all},
    name::{Name, known},
    tree::{Idx, Tree},
};
use super::{
    Lower,
    attrs::{self, Attrs, ProcMacroAttr},
    body::{Body, sorted},
    paths, provides, scan, sites,
};

/// Nodes that declare something others can name, or that hold such nodes.
pub fn is_item(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        FN | CONST
            | STATIC
            | STRUCT
            | ENUM
            | UNION
            | TRAIT
            | TYPE_ALIAS
            | IMPL
            | MODULE
            | USE
            | EXTERN_CRATE
            | EXTERN_BLOCK
            | MACRO_RULES
            | MACRO_DEF
    )
}

/// Lowers one item declared in `scope`, or held by `parent`.
pub fn lower(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, parent: Option<DefIdx>) {
    let attrs = cx.attrs(node);
    let outside = cx.enclosing.rewritten;
    cx.enclosing.rewritten |= attrs.macros.iter().any(|(it, _)| !it.derive);
    match cx.tree.kind(node) {
        USE => lower_use(cx, node, scope, &attrs),
        EXTERN_CRATE => lower_extern_crate(cx, node, scope, &attrs),
        MODULE => lower_module(cx, node, scope, attrs),
        EXTERN_BLOCK => lower_extern_block(cx, node, scope),
        MACRO_CALL => sites::site(cx, node, scope, parent, attrs),
        _ => {
            lower_def(cx, node, scope, parent, attrs, NO_PREFIX);
        }
    }
    cx.enclosing.rewritten = outside;
}

/// Lowers what stands directly in a module, a file or an item list.
pub fn lower_list(cx: &mut Lower<'_, '_>, list: Idx, scope: ScopeIdx, parent: Option<DefIdx>) {
    for child in cx.tree.children(list) {
        let kind = cx.tree.kind(child);
        if is_item(kind) || kind == MACRO_CALL {
            lower(cx, child, scope, parent);
        }
    }
}

fn def_kind(kind: SyntaxKind) -> DefKind {
    match kind {
        FN => DefKind::Fn,
        CONST => DefKind::Const,
        STATIC => DefKind::Static,
        STRUCT => DefKind::Struct,
        ENUM => DefKind::Enum,
        UNION => DefKind::Union,
        TRAIT => DefKind::Trait,
        TYPE_ALIAS => DefKind::TypeAlias,
        IMPL => DefKind::Impl,
        MACRO_RULES | MACRO_DEF => DefKind::Macro,
        _ => DefKind::Other,
    }
}

fn lower_def(
    cx: &mut Lower<'_, '_>,
    node: Idx,
    scope: ScopeIdx,
    parent: Option<DefIdx>,
    attrs: Attrs,
    prefix: &str,
) -> DefIdx {
    let tree = cx.tree;
    let kind = def_kind(tree.kind(node));
    let name = name_of(tree, node);
    let def = cx.out.push_def(Def {
        kind,
        name,
        scope,
        parent,
        generics: generics(tree, node),
        cfg: attrs.cfg,
        when: attrs.when.clone(),
        flags: flags(tree, node, &attrs),
        attrs: attrs.macros.iter().map(|(it, _)| it.clone()).collect(),
        data: data(tree, node, kind, name, &attrs),
    });
    let mut body = cx.out.start(def, scope);
    body.cfg_atoms.extend(&attrs.cfg_atoms);
    body.effects.mutable_static = kind == DefKind::Static && tree.child(node, MUT_KW).is_some();
    mention_attrs(&attrs, &mut body);
    cx.mention_enclosing_macros(&mut body);
    let skip: Vec<Idx> = attrs.macro_nodes.iter().chain(&attrs.lint_nodes).copied().collect();
    walk_def(cx, node, kind, def, &skip, &mut body);
    finish(cx, node, kind, &attrs, prefix, body);
    if let DefData::Impl(header) = &mut cx.out.items.defs[def.0 as usize].data {
        header.hash = cx.out.bodies.defs[def.0 as usize].hash;
    }
    def
}

/// Header, then body; assoc items become definitions of their own.
fn walk_def(cx: &mut Lower<'_, '_>, node: Idx, kind: DefKind, def: DefIdx, skip: &[Idx], body: &mut Body) {
    let tree = cx.tree;
    for child in tree.children(node) {
        match tree.kind(child) {
            _ if skip.contains(&child) => {
                if !attrs::is_lint(tree, child) {
                    body.header = false;
                    cx.walk(child, body);
                    body.header = true;
                }
            }
            ASSOC_ITEM_LIST => lower_list(cx, child, body.scope, Some(def)),
            BLOCK_EXPR => {
                body.header = false;
                cx.walk(child, body);
            }
            TOKEN_TREE if kind == DefKind::Macro => {
                body.header = false;
                sites::expansion(cx, child, def);
                scan::macro_body(cx, child, body);
            }
            _ => {
                body.header = matches!(kind, DefKind::Fn | DefKind::Impl | DefKind::Trait);
                cx.walk(child, body);
            }
        }
    }
}

fn mention_attrs(attrs: &Attrs, body: &mut Body) {
    body.header = false;
    for (attr, _) in &attrs.macros {
        let kind = if attr.derive {
            MentionKind::Derive
        } else {
            MentionKind::Attribute
        };
        body.mention(kind, &attr.path);
    }
    body.header = true;
}

fn finish(cx: &mut Lower<'_, '_>, node: Idx, kind: DefKind, attrs: &Attrs, prefix: &str, body: Body) {
    let mut out = cx.place(node);
    out.hash = own_hash(cx, node, kind, attrs, prefix);
    out.attr_hashes = attrs.macros.iter().map(|&(_, hash)| hash).collect();
    cx.out.finish(body, out);
}

fn own_hash(cx: &mut Lower<'_, '_>, node: Idx, kind: DefKind, attrs: &Attrs, prefix: &str) -> Hash {
    let tree = cx.tree;
    let holds_items = matches!(kind, DefKind::Impl | DefKind::Trait);
    let skip = |i: Idx, kind: SyntaxKind| match kind {
        ATTR => attrs.macro_nodes.contains(&i) || attrs::is_lint(tree, i),
        ASSOC_ITEM_LIST => holds_items,
        other => is_item(other),
    };
    let sink = &mut cx.out.sink;
    sink.clear();
    sink.text(prefix);
    feed(tree, node, attrs.reads_docs, skip, sink);
    sink.hash()
}

/// What the own hashes of items begin with: a hash of nothing, where no `extern` block is around them.
const NO_PREFIX: &str = "a6a1f9f5b94913af";

fn hex(sink: &TokenSink) -> String {
    format!("{:x}", sink.hash64())
}

fn name_of(tree: &Tree<'_>, node: Idx) -> Name {
    let named = tree.child(node, NAME).and_then(|name| tree.tokens(name).next());
    named.map_or(known::UNDERSCORE, |token| Name::ident(tree.token_text(token)))
}

fn generics(tree: &Tree<'_>, node: Idx) -> Box<[Name]> {
    let Some(list) = tree.child(node, GENERIC_PARAM_LIST) else {
        return Box::new([]);
    };
    tree.children(list)
        .filter(|&c| matches!(tree.kind(c), TYPE_PARAM | CONST_PARAM) && !attrs::is_conditional(tree, c))
        .map(|c| name_of(tree, c))
        .collect()
}

fn flags(tree: &Tree<'_>, node: Idx, attrs: &Attrs) -> DefFlags {
    let kind = tree.kind(node);
    DefFlags {
        has_body: match kind {
            FN => tree.child(node, BLOCK_EXPR).is_some(),
            CONST | STATIC | TYPE_ALIAS => tree.child(node, EQ).is_some(),
            _ => true,
        },
        exported: attrs.exported,
        value_struct: kind == STRUCT && tree.child(node, RECORD_FIELD_LIST).is_none(),
        foreign: false,
        test: attrs.test,
        unnamed: attrs.unnamed,
        method: tree
            .child(node, PARAM_LIST)
            .is_some_and(|list| tree.child(list, SELF_PARAM).is_some()),
    }
}

fn data(tree: &Tree<'_>, node: Idx, kind: DefKind, name: Name, attrs: &Attrs) -> DefData {
    match kind {
        DefKind::Impl => DefData::Impl(Box::new(impl_header(tree, node))),
        DefKind::Trait => DefData::Trait(bounds(tree, node)),
        DefKind::Enum => DefData::Enum(variants(tree, node)),
        DefKind::TypeAlias => {
            let target = tree.children(node).find(|&c| paths::is_type(tree.kind(c)));
            DefData::Alias(target.map_or(Head::Other, |ty| paths::head(tree, ty)))
        }
        DefKind::Macro => DefData::Macro(Box::new(provides::macro_facts(tree, node))),
        DefKind::Fn | DefKind::Static => match (&attrs.proc_macro, attrs.link) {
            (Some(ProcMacroAttr::Derive(exported)), _) => DefData::ProcMacro(ProcMacro {
                exported: *exported,
                derive: true,
            }),
            (Some(ProcMacroAttr::Named), _) => DefData::ProcMacro(ProcMacro {
                exported: name,
                derive: false,
            }),
            (None, Some(link)) => DefData::Linked(if link == known::EMPTY { name } else { link }),
            (None, None) => DefData::None,
        },
        _ => DefData::None,
    }
}

fn variants(tree: &Tree<'_>, node: Idx) -> Box<[Name]> {
    let list = tree.child(node, VARIANT_LIST);
    list.into_iter()
        .flat_map(|list| tree.children(list).filter(|&c| tree.kind(c) == VARIANT))
        .map(|variant| name_of(tree, variant))
        .collect()
}

/// Every bound in a trait's header.
fn bounds(tree: &Tree<'_>, node: Idx) -> Box<[Path]> {
    let mut out = Vec::new();
    for child in tree.children(node) {
        if matches!(tree.kind(child), TYPE_BOUND_LIST | WHERE_CLAUSE | GENERIC_PARAM_LIST) {
            collect_paths(tree, child, &mut out);
        }
    }
    out.into()
}

fn impl_header(tree: &Tree<'_>, node: Idx) -> ImplHeader {
    let types: Vec<Idx> = tree.children(node).filter(|&c| paths::is_type(tree.kind(c))).collect();
    let params = generics(tree, node);
    let (trait_ty, self_ty) = match types.as_slice() {
        [trait_ty, self_ty, ..] => (Some(*trait_ty), Some(*self_ty)),
        [self_ty] => (None, Some(*self_ty)),
        [] => (None, None),
    };
    let mut self_types = Vec::new();
    let mut header_types = Vec::new();
    if let Some(ty) = self_ty {
        collect_paths(tree, ty, &mut self_types);
    }
    for child in tree
        .children(node)
        .filter(|&c| Some(c) != self_ty && tree.kind(c) != ASSOC_ITEM_LIST)
    {
        collect_paths(tree, child, &mut header_types);
    }
    let trait_path = trait_ty
        .and_then(|ty| tree.child(ty, PATH))
        .map(|p| paths::path(tree, p));
    let trait_args = trait_ty.is_some_and(|ty| (ty..tree.end(ty)).any(|i| tree.kind(i) == GENERIC_ARG_LIST));
    let arg_heads = trait_ty.map(|ty| arg_heads(tree, ty)).unwrap_or_default();
    let is_param = |path: &Path| matches!(path.as_ref(), [name] if params.contains(name));
    ImplHeader {
        hash: Hash::default(),
        trait_: trait_path,
        trait_args,
        arg_heads,
        trait_hash: trait_ty.map_or(0, |ty| token_hash(tree, ty)),
        self_args: self_ty.map(|ty| arg_heads_inside(tree, ty)).unwrap_or_default(),
        shape: self_ty.map_or(SelfShape::Other, |ty| self_shape(tree, ty)),
        negative: tree.child(node, BANG).is_some(),
        head: self_ty.map_or(Head::Other, |ty| paths::head(tree, ty)),
        partial: self_types.iter().skip(1).any(|path| !is_param(path)),
        self_types: self_types.into(),
        header_types: header_types.into(),
    }
}

fn self_shape(tree: &Tree<'_>, ty: Idx) -> SelfShape {
    let to_path = tree.child(ty, PATH_TYPE).is_some();
    match tree.kind(ty) {
        PATH_TYPE => SelfShape::Plain,
        REF_TYPE if to_path && tree.child(ty, MUT_KW).is_some() => SelfShape::RefMut,
        REF_TYPE if to_path => SelfShape::Ref,
        _ => SelfShape::Other,
    }
}

/// The same for a type behind `&`.
fn arg_heads_inside(tree: &Tree<'_>, ty: Idx) -> Box<[Path]> {
    arg_heads(tree, tree.child(ty, PATH_TYPE).unwrap_or(ty))
}

fn token_hash(tree: &Tree<'_>, node: Idx) -> u64 {
    let mut sink = TokenSink::default();
    feed_all(tree, node, &mut sink);
    sink.hash64()
}

/// Heads of the type arguments of a path's last segment; of a tuple all of its own.
fn arg_heads(tree: &Tree<'_>, ty: Idx) -> Box<[Path]> {
    let segment = tree
        .child(ty, PATH)
        .and_then(|path| tree.children(path).filter(|&c| tree.kind(c) == PATH_SEGMENT).last());
    let list = segment.and_then(|segment| tree.child(segment, GENERIC_ARG_LIST));
    let args = list.into_iter().flat_map(|list| tree.children(list));
    let types = args
        .filter(|&arg| tree.kind(arg) == TYPE_ARG)
        .filter_map(|arg| tree.children(arg).find(|&c| paths::is_type(tree.kind(c))));
    let mut heads = Vec::new();
    let mut waiting: Vec<Idx> = types.collect();
    waiting.reverse();
    while let Some(ty) = waiting.pop() {
        match paths::head(tree, ty) {
            Head::Path(path) => heads.push(path),
            _ if tree.kind(ty) == TUPLE_TYPE => {
                waiting.extend(tree.children(ty).filter(|&c| paths::is_type(tree.kind(c))));
            }
            _ => {}
        }
    }
    heads.into()
}

/// All paths under `node`, nested ones too.
fn collect_paths(tree: &Tree<'_>, node: Idx, out: &mut Vec<Path>) {
    let end = tree.end(node);
    let mut i = node;
    let mut outer_end = 0;
    while i < end {
        if !tree.is_token(i) && tree.kind(i) == PATH {
            // A qualifier is a PATH directly inside a PATH; a nested path has a type node between.
            if i >= outer_end || !is_qualifier(tree, i) {
                out.push(paths::path(tree, i));
                outer_end = tree.end(i);
            }
        }
        i += 1;
    }
}

/// A qualifier directly follows its parent `PATH` in the array.
fn is_qualifier(tree: &Tree<'_>, path: Idx) -> bool {
    path > 0 && !tree.is_token(path - 1) && tree.kind(path - 1) == PATH
}

fn lower_module(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, attrs: Attrs) {
    let name = name_of(cx.tree, node);
    let Some(list) = cx.tree.child(node, ITEM_LIST) else {
        cx.out.items.mods.push(ModDecl {
            scope,
            name,
            fixed_path: attrs.paths.iter().any(|&(_, fixed)| fixed),
            paths: attrs.paths.iter().map(|&(path, _)| path).collect(),
            macro_use: attrs.macro_use,
            cfg: attrs.cfg,
            cfg_atoms: sorted(attrs.cfg_atoms),
            when: attrs.when,
            test: attrs.test,
        });
        return;
    };
    let is_rewritten = attrs.macros.iter().any(|(it, _)| !it.is_std());
    let rewritten = is_rewritten.then(|| lower_rewritten(cx, node, scope, &attrs));
    let inner = cx.out.push_scope(Scope {
        parent: Some(scope),
        name: Some(name),
        owner: None,
        macro_use: attrs.macro_use,
        cfg: attrs.cfg,
        cfg_atoms: sorted(attrs.cfg_atoms),
        when: attrs.when,
        test: attrs.test,
        path_attr: attrs.paths.first().map(|&(path, _)| path),
        rewritten,
    });
    lower_list(cx, list, inner, None);
}

/// What an attribute macro makes of a module: it is told all of its tokens.
fn lower_rewritten(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, attrs: &Attrs) -> DefIdx {
    let tree = cx.tree;
    let def = cx.out.push_def(Def {
        kind: DefKind::Module,
        name: name_of(tree, node),
        scope,
        parent: None,
        generics: Box::new([]),
        cfg: attrs.cfg,
        when: attrs.when.clone(),
        flags: DefFlags {
            test: attrs.test,
            ..DefFlags::default()
        },
        attrs: attrs.macros.iter().map(|(it, _)| it.clone()).collect(),
        data: DefData::None,
    });
    let mut body = cx.out.start(def, scope);
    body.header = false;
    body.cfg_atoms.extend(&attrs.cfg_atoms);
    mention_attrs(attrs, &mut body);
    cx.mention_enclosing_macros(&mut body);
    for &attr in &attrs.macro_nodes {
        cx.walk(attr, &mut body);
    }
    let mut out = cx.place(node);
    let sink = &mut cx.out.sink;
    sink.clear();
    let skip = |i: Idx, kind: SyntaxKind| kind == ATTR && (attrs.macro_nodes.contains(&i) || attrs::is_lint(tree, i));
    feed(tree, node, true, skip, sink);
    out.hash = sink.hash();
    out.attr_hashes = attrs.macros.iter().map(|&(_, hash)| hash).collect();
    cx.out.finish(body, out);
    def
}

/// Items of an `extern` block carry the block's ABI and link attributes in their hashes.
fn lower_extern_block(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx) {
    let tree = cx.tree;
    let mut prefix = TokenSink::default();
    for child in tree.children(node).filter(|&c| tree.kind(c) != EXTERN_ITEM_LIST) {
        feed_all(tree, child, &mut prefix);
    }
    let prefix = hex(&prefix);
    let block_attrs = attrs::read(tree, node);
    let Some(list) = tree.child(node, EXTERN_ITEM_LIST) else {
        return;
    };
    for child in tree.children(list) {
        let mut attrs = cx.attrs(child);
        attrs.cfg ^= block_attrs.cfg;
        attrs.cfg_atoms.extend(&block_attrs.cfg_atoms);
        attrs.when = Cfg::and(block_attrs.when.clone(), attrs.when);
        match tree.kind(child) {
            MACRO_CALL => sites::site(cx, child, scope, None, attrs),
            kind if is_item(kind) => {
                let def = lower_def(cx, child, scope, None, attrs, &prefix);
                let it = &mut cx.out.items.defs[def.0 as usize];
                it.flags.foreign = true;
                match it.kind {
                    // `type X;`: a type of its own.
                    DefKind::TypeAlias => (it.kind, it.data) = (DefKind::Struct, DefData::None),
                    _ if matches!(it.data, DefData::None) => it.data = DefData::Linked(it.name),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn lower_extern_crate(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, attrs: &Attrs) {
    let tree = cx.tree;
    let Some(token) = tree.child(node, NAME_REF).and_then(|name| tree.tokens(name).next()) else {
        return;
    };
    let path: Path = [Name::ident(tree.token_text(token))].into();
    let name = rename(tree, node).unwrap_or(path[0]);
    let kind = ImportKind::ExternCrate {
        name,
        macro_use: attrs.macro_use,
    };
    cx.out.items.imports.push(Import {
        scope,
        path,
        kind,
        cfg: attrs.cfg,
        cfg_atoms: sorted(attrs.cfg_atoms.clone()),
        when: attrs.when.clone(),
    });
}

fn rename(tree: &Tree<'_>, node: Idx) -> Option<Name> {
    let rename = tree.child(node, RENAME)?;
    let token = tree.tokens(rename).nth(1)?;
    Some(Name::ident(tree.token_text(token)))
}

fn lower_use(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, attrs: &Attrs) {
    if let Some(use_tree) = cx.tree.child(node, USE_TREE) {
        lower_use_tree(cx, use_tree, scope, attrs, &[]);
    }
}

fn lower_use_tree(cx: &mut Lower<'_, '_>, node: Idx, scope: ScopeIdx, attrs: &Attrs, prefix: &[Name]) {
    let tree = cx.tree;
    let mut path = prefix.to_vec();
    if let Some(own) = tree.child(node, PATH) {
        path.extend(paths::path(tree, own).iter().copied());
    } else if path.is_empty() && tree.child(node, COLON2).is_some() {
        path.push(known::ROOT);
    }
    if let Some(list) = tree.child(node, USE_TREE_LIST) {
        for child in tree.children(list).filter(|&c| tree.kind(c) == USE_TREE) {
            lower_use_tree(cx, child, scope, attrs, &path);
        }
        return;
    }
    let kind = if tree.child(node, STAR).is_some() {
        ImportKind::Glob
    } else {
        let to_self = path.len() > 1 && path.last() == Some(&known::SELF);
        if to_self {
            path.pop();
        }
        let Some(&last) = path.last() else { return };
        let name = rename(tree, node).unwrap_or(last);
        if to_self {
            ImportKind::TypeOnly(name)
        } else {
            ImportKind::Named(name)
        }
    };
    let cfg_atoms = sorted(attrs.cfg_atoms.clone());
    cx.out.items.imports.push(Import {
        scope,
        path: path.into(),
        kind,
        cfg: attrs.cfg,
        cfg_atoms,
        when: attrs.when.clone(),
    });
}
