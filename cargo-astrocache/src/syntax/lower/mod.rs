//! One pass over a file's syntax -> [`FileFacts`].

mod attrs;
mod body;
mod funcs;
mod items;
mod paths;
mod tokens;

use std::sync::Arc;

use ra_ap_parser::Edition;

use super::{
    cfg::{Cfg, Condition},
    facts::{Def, DefBody, DefIdx, FileBodies, FileFacts, FileItems, MentionKind, Path, Scope, ScopeIdx},
    hash::short64,
    name::Name,
    tree::{Idx, Tree},
};
use body::Body;

/// The facts of a file. `text` has LF line ends and no BOM.
pub fn facts(text: &str, edition: Edition) -> FileFacts {
    let tree = Tree::file(text, edition);
    let lines = LineStarts::new(text);
    of_tree(&tree, edition, 0, &lines)
}

fn of_tree(tree: &Tree<'_>, edition: Edition, base: u32, lines: &LineStarts<'_>) -> FileFacts {
    let mut out = Output::default();
    let attrs = if tree.is_empty() {
        attrs::Attrs::default()
    } else {
        attrs::read(tree, 0)
    };
    out.push_scope(Scope {
        parent: None,
        name: None,
        owner: None,
        macro_use: false,
        cfg: attrs.cfg,
        cfg_atoms: body::sorted(attrs.cfg_atoms),
        when: attrs.when,
        test: attrs.test,
        path_attr: None,
    });
    let enclosing = Enclosing::default();
    let deals_in_tokens = ["proc_macro", "TokenStream", "OUT_DIR"]
        .iter()
        .any(|word| lines.text.contains(word));
    let mut cx = Lower {
        tree,
        out: &mut out,
        edition,
        base,
        lines,
        enclosing,
        deals_in_tokens,
    };
    if !tree.is_empty() {
        items::lower_list(&mut cx, 0, ScopeIdx(0), None);
    }
    FileFacts {
        items: Arc::new(out.items),
        bodies: out.bodies,
        errors: tree.errors,
    }
}

/// What is being read, and where its facts go.
struct Lower<'a, 'o> {
    tree: &'a Tree<'a>,
    out: &'o mut Output,
    edition: Edition,
    /// Where `tree` begins in the file: not 0 inside macro arguments.
    base: u32,
    lines: &'o LineStarts<'o>,
    enclosing: Enclosing,
    /// The file speaks of proc macros or of `OUT_DIR`: its strings may be code.
    deals_in_tokens: bool,
}

/// The macro calls around the items being read.
#[derive(Clone, Default)]
struct Enclosing {
    /// Outermost first.
    macros: Vec<Path>,
    /// An item around them has an attribute macro.
    rewritten: bool,
    /// Hash of the `if #[cfg(..)]` conditions around them, 0 if there are none.
    cfg: u64,
    cfg_atoms: Vec<Name>,
    when: Condition,
}

#[derive(Default)]
struct Output {
    items: FileItems,
    bodies: FileBodies,
}

impl Output {
    fn push_scope(&mut self, scope: Scope) -> ScopeIdx {
        self.items.scopes.push(scope);
        ScopeIdx(self.items.scopes.len() as u32 - 1)
    }

    fn push_def(&mut self, def: Def) -> DefIdx {
        self.items.defs.push(def);
        self.bodies.defs.push(DefBody::default());
        DefIdx(self.items.defs.len() as u32 - 1)
    }
}

impl Lower<'_, '_> {
    /// The attributes of `node`, conditions of enclosing macro calls included.
    fn attrs(&self, node: Idx) -> attrs::Attrs {
        let mut attrs = attrs::read(self.tree, node);
        attrs.cfg ^= self.enclosing.cfg;
        attrs.cfg_atoms.extend(&self.enclosing.cfg_atoms);
        attrs.when = Cfg::and(self.enclosing.when.clone(), attrs.when);
        attrs
    }

    /// Range, line, column and layout of an item.
    fn place(&self, node: Idx) -> DefBody {
        let (start, stop) = (self.tree.start(node), self.tree.stop(node));
        let name = self.tree.child(node, ra_ap_parser::SyntaxKind::NAME).unwrap_or(node);
        let (line, column) = self.lines.position(self.base + self.tree.start(name));
        let (first_line, first_column) = self.lines.position(self.base + start);
        let mut layout = Vec::new();
        layout.extend_from_slice(&first_line.to_le_bytes());
        layout.extend_from_slice(&first_column.to_le_bytes());
        layout.extend_from_slice(&self.tree.text.as_bytes()[start as usize..stop as usize]);
        DefBody {
            layout: short64(&layout),
            range: (self.base + start, self.base + stop),
            item_start: self.base + self.item_start(node),
            line,
            column,
            ..DefBody::default()
        }
    }

    /// Where an item starts after its outer attributes and doc comments.
    fn item_start(&self, node: Idx) -> u32 {
        use ra_ap_parser::SyntaxKind::{ATTR, COMMENT};
        let first = self
            .tree
            .children(node)
            .find(|&c| !matches!(self.tree.kind(c), ATTR | COMMENT));
        self.tree.start(first.unwrap_or(node))
    }

    /// Items read out of macro arguments exist only through those macros.
    fn mention_enclosing_macros(&self, body: &mut Body) {
        let header = std::mem::replace(&mut body.header, false);
        for path in &self.enclosing.macros {
            body.mention(MentionKind::Macro, path);
        }
        body.header = header;
    }
}

fn block_scope(parent: ScopeIdx, owner: DefIdx) -> Scope {
    Scope {
        parent: Some(parent),
        name: None,
        owner: Some(owner),
        macro_use: false,
        cfg: 0,
        cfg_atoms: Box::new([]),
        when: None,
        test: false,
        path_attr: None,
    }
}

/// Byte offsets to lines and columns.
struct LineStarts<'a> {
    text: &'a str,
    starts: Vec<u32>,
}

impl<'a> LineStarts<'a> {
    fn new(text: &'a str) -> LineStarts<'a> {
        let starts = std::iter::once(0).chain(
            text.bytes()
                .enumerate()
                .filter(|&(_, b)| b == b'\n')
                .map(|(at, _)| at as u32 + 1),
        );
        LineStarts {
            text,
            starts: starts.collect(),
        }
    }

    /// Line and column (in characters, as rustc counts), both from 1.
    fn position(&self, offset: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let column = self
            .text
            .get(start as usize..offset as usize)
            .map_or(0, |head| head.chars().count());
        (line as u32, column as u32 + 1)
    }
}
