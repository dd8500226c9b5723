//! One pass over a file's syntax -> [`FileFacts`].

mod attrs;
mod body;
mod funcs;
mod items;
mod mentions;
mod paths;
mod provides;
mod scan;
mod sites;
mod strings;
mod tokens;

use std::sync::Arc;

use ra_ap_parser::Edition;

use super::{
    cfg::{Cfg, Condition},
    facts::{Def, DefBody, DefIdx, FileBodies, FileFacts, FileItems, MentionKind, Path, Scope, ScopeIdx},
    hash::TokenSink,
    name::Name,
    tree::{Idx, Tree},
};
use body::Body;
use mentions::Mentions;

/// The facts of a file. `text` has LF line ends and no BOM.
pub fn facts(text: &str, edition: Edition) -> FileFacts {
    let tree = Tree::file(text, edition);
    let lines = Lines::new(text);
    let deals_in_tokens = ["proc_macro", "TokenStream", "OUT_DIR"]
        .iter()
        .any(|word| text.contains(word));
    of_tree(&tree, edition, 0, &lines, deals_in_tokens)
}

fn of_tree(tree: &Tree<'_>, edition: Edition, base: u32, lines: &Lines<'_>, deals_in_tokens: bool) -> FileFacts {
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
        rewritten: None,
    });
    let enclosing = Enclosing::default();
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
    out.items.speaks_of_unnamed = UNNAMED.iter().any(|word| tree.text.contains(word));
    out.items.shrink();
    FileFacts {
        items: Arc::new(out.items),
        bodies: out.bodies,
        errors: tree.errors,
    }
}

/// Attributes of items that run though nothing names them.
pub const UNNAMED: [&str; 2] = ["link_section", "global_allocator"];

/// What is being read, and where its facts go.
struct Lower<'a, 'o> {
    tree: &'a Tree<'a>,
    out: &'o mut Output,
    edition: Edition,
    /// Where `tree` begins in the file: not 0 inside macro arguments.
    base: u32,
    lines: &'o Lines<'o>,
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
    /// Emptied, for the next bodies.
    spare: Vec<Mentions>,
    /// Memory for one path.
    path: Vec<Name>,
    /// Memory for what is hashed.
    sink: TokenSink,
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
    fn place(&mut self, node: Idx) -> DefBody {
        let (start, stop) = (self.tree.start(node), self.tree.stop(node));
        let name = self.tree.child(node, ra_ap_parser::SyntaxKind::NAME).unwrap_or(node);
        let (line, column) = self.lines.position(self.base + self.tree.start(name));
        let (first_line, first_column) = self.lines.position(self.base + start);
        let layout = self.layout((first_line, first_column), start, stop);
        DefBody {
            layout,
            range: (self.base + start, self.base + stop),
            item_start: self.base + self.item_start(node),
            line,
            column,
            ..DefBody::default()
        }
    }

    /// Hash of a piece of text and of the line and column where it stands.
    fn layout(&mut self, (line, column): (u32, u32), start: u32, stop: u32) -> u64 {
        let sink = &mut self.out.sink;
        sink.clear();
        sink.bytes(&line.to_le_bytes());
        sink.bytes(&column.to_le_bytes());
        sink.bytes(&self.tree.text.as_bytes()[start as usize..stop as usize]);
        sink.hash64()
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
        rewritten: None,
    }
}

/// Byte offsets to lines and columns.
struct Lines<'a> {
    text: &'a str,
    /// How many lines end before each block of the text.
    before: Vec<u32>,
}

/// Few enough that a byte counts them.
const BLOCK: usize = 1 << 7;

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let mut ended = 0;
        let blocks = text.as_bytes().chunks(BLOCK);
        let before = std::iter::once(0).chain(blocks.map(|block| {
            ended += line_ends(block);
            ended
        }));
        Lines {
            text,
            before: before.collect(),
        }
    }

    /// Line and column (in characters, as rustc counts), both from 1.
    fn position(&self, offset: u32) -> (u32, u32) {
        let offset = offset as usize;
        let block = offset / BLOCK;
        let head = &self.text.as_bytes()[..offset];
        let line = self.before[block] + line_ends(&head[block * BLOCK..]);
        let start = head.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let column = self.text[start..offset].chars().count();
        (line + 1, column as u32 + 1)
    }
}

fn line_ends(bytes: &[u8]) -> u32 {
    let ends: u8 = bytes.iter().map(|&byte| u8::from(byte == b'\n')).sum();
    u32::from(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_those_of_the_text() {
        let text = "fn a() {}\n// \u{e9}\u{1f980}x\n\n".repeat(100);
        let lines = Lines::new(&text);
        let (mut line, mut column) = (1, 1);
        for (at, c) in text.char_indices() {
            assert_eq!(lines.position(at as u32), (line, column), "{at}");
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        assert_eq!(lines.position(text.len() as u32), (line, column));
        assert_eq!(Lines::new("").position(0), (1, 1));
    }
}
