//! Collects one definition's mentions, with locals by position.
//!
//! A `let` binds after its initialiser, arms, closures, `for` and `if let` have scopes, items inside see no locals.
//! Shadowing by name alone, without positions, loses real calls (`let len = match len(b) { .. }`).

use ra_ap_parser::{SyntaxKind, SyntaxKind::*};

use super::super::{
    facts::{DefBody, DefIdx, DefMentions, Effects, MentionKind, ScopeIdx},
    name::{Name, known},
    std_traits::StdTraits,
    tree::Idx,
};
use super::{Lower, Output, attrs, items, mentions::Mentions, paths, scan, sites, strings};

/// The growing body of one definition.
pub struct Body {
    pub def: DefIdx,
    pub scope: ScopeIdx,
    pub header: bool,
    pub locals: Vec<Name>,
    /// Those that are there under a `cfg` only: elsewhere the name may be an item's.
    conditional: Vec<Name>,
    pub effects: Effects,
    pub includes: Vec<super::super::facts::Include>,
    pub env: Vec<Name>,
    pub cfg_atoms: Vec<Name>,
    std_traits: StdTraits,
    emitted: StdTraits,
    mentions: Mentions,
    /// Bounds stand inside `dyn` or `impl`.
    object: bool,
}

impl Output {
    /// A body to be filled, in memory that an earlier one left.
    pub fn start(&mut self, def: DefIdx, scope: ScopeIdx) -> Body {
        let mut mentions = self.spare.pop().unwrap_or_default();
        mentions.clear();
        Body {
            def,
            scope,
            header: true,
            locals: Vec::new(),
            conditional: Vec::new(),
            effects: Effects::default(),
            includes: Vec::new(),
            env: Vec::new(),
            cfg_atoms: Vec::new(),
            std_traits: StdTraits::default(),
            emitted: StdTraits::default(),
            mentions,
            object: false,
        }
    }

    /// Keeps what was collected, with what `out` has already.
    pub fn finish(&mut self, body: Body, mut out: DefBody) {
        out.mentions = DefMentions {
            std_traits: body.std_traits,
            emitted: body.emitted,
            ..body.mentions.boxed()
        };
        out.effects = body.effects;
        out.effects.includes = body.includes.into();
        out.effects.env = sorted(body.env);
        out.cfg_atoms = sorted(body.cfg_atoms);
        self.bodies.defs[body.def.0 as usize] = out;
        self.spare.push(body.mentions);
    }
}

impl Body {
    /// Records a use of `path`, once per kind and scope.
    pub fn mention(&mut self, kind: MentionKind, path: &[Name]) {
        if !path.is_empty() {
            self.mentions.insert(kind, self.header, self.scope, path);
        }
    }

    /// Operators or format strings that may run an impl of these traits.
    pub fn reach(&mut self, traits: StdTraits) {
        self.std_traits = self.std_traits.and(traits);
    }

    /// The same where tokens for elsewhere are put.
    pub fn emit(&mut self, traits: StdTraits) {
        self.emitted = self.emitted.and(traits);
    }

    /// Whether a path is a local's name. One that is so under a `cfg` only is mentioned all the same.
    pub fn is_local(&mut self, path: &[Name]) -> bool {
        let is_local = matches!(path, [name] if self.locals.contains(name));
        if is_local && self.conditional.contains(&path[0]) {
            self.mention(MentionKind::WeakToken, path);
        }
        is_local
    }
}

/// Sorted by text and without repeats.
pub fn sorted(mut names: Vec<Name>) -> Box<[Name]> {
    if names.len() > 1 {
        // Repeats are many, and texts take longer to compare.
        names.sort_unstable_by_key(|name| name.number());
        names.dedup();
        names.sort_unstable_by_key(|name| name.as_str());
    }
    names.into()
}

impl Lower<'_, '_> {
    /// Walks `node`, collecting mentions and lowering the items inside.
    pub fn walk(&mut self, node: Idx, body: &mut Body) {
        if self.tree.is_token(node) {
            return;
        }
        let kind = self.tree.kind(node);
        let bound = body.locals.len();
        match kind {
            _ if items::is_item(kind) => items::lower(self, node, body.scope, None),
            PATH => self.walk_path(node, MentionKind::Value, body),
            PATH_TYPE => self.walk_paths(node, MentionKind::Type, body),
            RECORD_EXPR => self.walk_paths(node, MentionKind::Type, body),
            PATH_PAT | TUPLE_STRUCT_PAT | RECORD_PAT => self.walk_paths(node, MentionKind::Pattern, body),
            DYN_TRAIT_TYPE | IMPL_TRAIT_TYPE => self.walk_object(node, body),
            TYPE_BOUND => self.walk_bound(node, body),
            IDENT_PAT => self.walk_ident_pat(node, body),
            METHOD_CALL_EXPR => self.walk_method_call(node, body),
            MACRO_CALL => scan::macro_call(self, node, body),
            LET_STMT | LET_EXPR => self.walk_let(node, body),
            FOR_EXPR => self.walk_for(node, body),
            IF_EXPR => self.walk_if(node, body),
            MATCH_ARM | WHILE_EXPR | CLOSURE_EXPR => self.walk_scoped(node, body),
            STMT_LIST => self.walk_block(node, body),
            ATTR => self.walk_attr(node, body),
            VISIBILITY => {}
            LITERAL if self.deals_in_tokens => self.walk_literal(node, body),
            BIN_EXPR | PREFIX_EXPR | INDEX_EXPR => self.walk_operator(node, body),
            _ => self.walk_children(node, body),
        }
        let may_bind = matches!(kind, LET_STMT | PARAM | RECORD_PAT_FIELD);
        if may_bind && attrs::is_conditional(self.tree, node) {
            let names = body.locals.get(bound..).unwrap_or_default();
            body.conditional.extend(names);
        }
    }

    fn walk_operator(&mut self, node: Idx, body: &mut Body) {
        let kind = self.tree.kind(node);
        let literal = kind == BIN_EXPR && self.tree.child(node, LITERAL).is_some();
        for child in self.tree.children(node).filter(|&c| self.tree.is_token(c)) {
            let operator = StdTraits::of_expression(kind, self.tree.kind(child));
            body.reach(if literal { operator.with_literal() } else { operator });
        }
        self.walk_children(node, body);
    }

    pub fn walk_children(&mut self, node: Idx, body: &mut Body) {
        let tree = self.tree;
        for child in tree.children(node).filter(|&c| !tree.is_token(c)) {
            self.walk(child, body);
        }
    }

    /// Children of a node whose own `PATH` is a mention of `kind`.
    fn walk_paths(&mut self, node: Idx, kind: MentionKind, body: &mut Body) {
        for child in self.tree.children(node) {
            match self.tree.kind(child) {
                PATH => self.walk_path(child, kind, body),
                _ => self.walk(child, body),
            }
        }
    }

    /// Records the path, then what stands inside it: generic arguments, anchors.
    fn walk_path(&mut self, node: Idx, kind: MentionKind, body: &mut Body) {
        let value = kind == MentionKind::Value;
        if let Some(name) = paths::single(self.tree, node) {
            if !(value && (name == known::SELF || body.is_local(&[name]))) {
                body.mention(kind, &[name]);
            }
            return;
        }
        let mut path = std::mem::take(&mut self.out.path);
        path.clear();
        paths::push_path(self.tree, node, &mut path);
        if !(value && (body.is_local(&path) || path == [known::SELF])) {
            body.mention(kind, &path);
        }
        self.out.path = path;
        self.walk_inside_path(node, body);
    }

    fn walk_inside_path(&mut self, node: Idx, body: &mut Body) {
        let object = std::mem::replace(&mut body.object, false);
        for child in self.tree.children(node) {
            match self.tree.kind(child) {
                PATH => self.walk_inside_path(child, body),
                PATH_SEGMENT => self.walk_children(child, body),
                _ => {}
            }
        }
        body.object = object;
    }

    fn walk_object(&mut self, node: Idx, body: &mut Body) {
        let object = std::mem::replace(&mut body.object, true);
        self.walk_children(node, body);
        body.object = object;
    }

    fn walk_bound(&mut self, node: Idx, body: &mut Body) {
        let kind = if body.object {
            MentionKind::Object
        } else {
            MentionKind::Bound
        };
        for child in self.tree.children(node) {
            match self.tree.kind(child) {
                PATH_TYPE => self.walk_paths(child, kind, body),
                _ => self.walk(child, body),
            }
        }
    }

    /// `x` may be a const, a static or a unit struct; else it binds.
    fn walk_ident_pat(&mut self, node: Idx, body: &mut Body) {
        if let Some(token) = self
            .tree
            .child(node, NAME)
            .and_then(|name| self.tree.tokens(name).next())
        {
            let name = Name::ident(self.tree.token_text(token));
            let plain = self.tree.child(node, REF_KW).is_none() && self.tree.child(node, MUT_KW).is_none();
            if plain {
                body.mention(MentionKind::Pattern, &[name]);
            }
            body.locals.push(name);
        }
        self.walk_children(node, body);
    }

    fn walk_method_call(&mut self, node: Idx, body: &mut Body) {
        if let Some(token) = self
            .tree
            .child(node, NAME_REF)
            .and_then(|name| self.tree.tokens(name).next())
        {
            body.mention(MentionKind::Method, &[Name::ident(self.tree.token_text(token))]);
        }
        self.walk_children(node, body);
    }

    /// The pattern comes last: its names are not in scope in the initialiser, the type or the `else`.
    fn walk_let(&mut self, node: Idx, body: &mut Body) {
        let pattern = self.tree.children(node).find(|&c| is_pattern(self.tree.kind(c)));
        for child in self.tree.children(node).filter(|&c| Some(c) != pattern) {
            self.walk(child, body);
        }
        if let Some(pattern) = pattern {
            self.walk(pattern, body);
        }
    }

    /// `for pattern in iterable { body }`: the iterable sees nothing of the pattern.
    fn walk_for(&mut self, node: Idx, body: &mut Body) {
        let mark = body.locals.len();
        let tree = self.tree;
        let parts = || tree.children(node).filter(|&c| !tree.is_token(c));
        let loop_body = parts().filter(|&c| tree.kind(c) == BLOCK_EXPR).last();
        for part in parts().filter(|&c| !is_pattern(tree.kind(c)) && Some(c) != loop_body) {
            self.walk(part, body);
        }
        for part in parts().filter(|&c| is_pattern(tree.kind(c))).chain(loop_body) {
            self.walk(part, body);
        }
        body.locals.truncate(mark);
    }

    /// Names bound in the condition live in the first branch only.
    fn walk_if(&mut self, node: Idx, body: &mut Body) {
        let mark = body.locals.len();
        for child in self.tree.children(node) {
            match self.tree.kind(child) {
                ELSE_KW => body.locals.truncate(mark),
                _ => self.walk(child, body),
            }
        }
        body.locals.truncate(mark);
    }

    fn walk_scoped(&mut self, node: Idx, body: &mut Body) {
        let mark = body.locals.len();
        self.walk_children(node, body);
        body.locals.truncate(mark);
    }

    fn walk_block(&mut self, node: Idx, body: &mut Body) {
        let mark = body.locals.len();
        let outer = body.scope;
        if self.holds_items(node) {
            body.scope = self.out.push_scope(super::block_scope(outer, body.def));
        }
        for child in self.tree.children(node) {
            sites::statement_site(self, child, body);
            self.walk(child, body);
        }
        body.scope = outer;
        body.locals.truncate(mark);
    }

    fn holds_items(&self, block: Idx) -> bool {
        self.tree
            .children(block)
            .any(|c| items::is_item(self.tree.kind(c)) || sites::statement_macro(self.tree, c).is_some())
    }

    /// A proc macro may parse its output from text.
    fn walk_literal(&mut self, node: Idx, body: &mut Body) {
        for token in self.tree.tokens(node).filter(|&t| self.tree.kind(t) == STRING) {
            strings::code_paths(attrs::unquote(self.tree.token_text(token)), body);
        }
    }

    fn walk_attr(&mut self, node: Idx, body: &mut Body) {
        if attrs::is_lint(self.tree, node) {
            return;
        }
        for child in self.tree.children(node) {
            match self.tree.kind(child) {
                CFG_META | CFG_ATTR_META => attrs::cfg_atoms(self.tree, child, &mut body.cfg_atoms),
                _ => scan::attribute(self, child, body),
            }
        }
    }
}

fn is_pattern(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        IDENT_PAT
            | TUPLE_PAT
            | TUPLE_STRUCT_PAT
            | RECORD_PAT
            | PATH_PAT
            | REF_PAT
            | BOX_PAT
            | OR_PAT
            | PAREN_PAT
            | SLICE_PAT
            | RANGE_PAT
            | LITERAL_PAT
            | WILDCARD_PAT
            | REST_PAT
            | MACRO_PAT
            | CONST_BLOCK_PAT
            | DEREF_PAT
    )
}
