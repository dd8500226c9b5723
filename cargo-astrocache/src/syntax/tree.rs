//! A file's syntax as one flat array: nodes and significant tokens in order, straight from the parser's events.
//!
//! Cheaper than a rowan tree (one allocation, no reference counts, no recursive drop) and still random access:
//! each node knows where it ends. Whitespace and plain comments are gone; doc comments stay, because they are
//! data to derives and macros.

use ra_ap_parser::{Edition, LexedStr, StrStep, SyntaxKind, TopEntryPoint};

/// Index of a node or token in a [`Tree`].
pub type Idx = usize;

#[derive(Debug, Clone, Copy)]
struct Event {
    kind: SyntaxKind,
    /// Byte offset in the text.
    start: u32,
    /// A token's byte length; a node's index just past its last event.
    extent: u32,
    token: bool,
}

/// The parsed form of one text.
pub struct Tree<'a> {
    pub text: &'a str,
    events: Vec<Event>,
    pub errors: u32,
}

impl<'a> Tree<'a> {
    /// Parses a whole file.
    pub fn file(text: &'a str, edition: Edition) -> Tree<'a> {
        Tree::parse(text, edition, TopEntryPoint::SourceFile)
    }

    /// Parses the inside of a macro call as items.
    pub fn items(text: &'a str, edition: Edition) -> Tree<'a> {
        Tree::parse(text, edition, TopEntryPoint::MacroItems)
    }

    fn parse(text: &'a str, edition: Edition, entry: TopEntryPoint) -> Tree<'a> {
        let lexed = LexedStr::new(edition, text);
        let output = entry.parse(&lexed.to_input(edition));
        let mut events: Vec<Event> = Vec::with_capacity(lexed.len() * 2);
        let mut open: Vec<usize> = Vec::new();
        let mut offset = 0u32;
        let mut errors = lexed.errors().count() as u32;
        lexed.intersperse_trivia(&output, &mut |step| match step {
            StrStep::Enter { kind } => {
                open.push(events.len());
                events.push(Event {
                    kind,
                    start: offset,
                    extent: 0,
                    token: false,
                });
            }
            StrStep::Exit => {
                if let Some(node) = open.pop() {
                    events[node].extent = events.len() as u32;
                }
            }
            StrStep::Token { kind, text } => {
                let significant = match kind {
                    SyntaxKind::WHITESPACE => false,
                    SyntaxKind::COMMENT => is_doc_comment(text),
                    _ => true,
                };
                if significant {
                    events.push(Event {
                        kind,
                        start: offset,
                        extent: text.len() as u32,
                        token: true,
                    });
                }
                offset += text.len() as u32;
            }
            StrStep::Error { .. } => errors += 1,
        });
        Tree { text, events, errors }
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub fn kind(&self, i: Idx) -> SyntaxKind {
        self.events[i].kind
    }

    pub fn is_token(&self, i: Idx) -> bool {
        self.events[i].token
    }

    /// Index just past the node or token.
    pub fn end(&self, i: Idx) -> Idx {
        if self.events[i].token {
            i + 1
        } else {
            self.events[i].extent as usize
        }
    }

    /// Text of a token.
    pub fn token_text(&self, i: Idx) -> &'a str {
        let event = &self.events[i];
        &self.text[event.start as usize..(event.start + event.extent) as usize]
    }

    /// Byte offset where a token or a node's first significant token begins.
    pub fn start(&self, i: Idx) -> u32 {
        let end = self.end(i);
        (i..end)
            .find(|&k| self.events[k].token)
            .map_or(self.events[i].start, |k| self.events[k].start)
    }

    /// Byte offset just past the last significant token.
    pub fn stop(&self, i: Idx) -> u32 {
        (i..self.end(i))
            .rev()
            .find(|&k| self.events[k].token)
            .map_or(self.events[i].start, |k| self.events[k].start + self.events[k].extent)
    }

    /// Direct children, tokens included.
    pub fn children(&self, i: Idx) -> Children<'_, 'a> {
        let (next, end) = if self.events[i].token {
            (i, i)
        } else {
            (i + 1, self.end(i))
        };
        Children { tree: self, next, end }
    }

    /// First direct child of a kind.
    pub fn child(&self, i: Idx, kind: SyntaxKind) -> Option<Idx> {
        self.children(i).find(|&c| self.kind(c) == kind)
    }

    /// All tokens under a node, doc comments included.
    pub fn tokens(&self, i: Idx) -> impl Iterator<Item = Idx> + '_ {
        (i..self.end(i)).filter(|&k| self.events[k].token)
    }

    /// Kind of the next significant token.
    pub fn following_token(&self, i: Idx) -> Option<SyntaxKind> {
        (i + 1..self.events.len())
            .find(|&k| self.events[k].token)
            .map(|k| self.events[k].kind)
    }

    /// Whether the token is directly followed by the next one, with nothing between.
    pub fn is_joint(&self, i: Idx) -> bool {
        let end = self.events[i].start + self.events[i].extent;
        (i + 1..self.events.len())
            .find(|&k| self.events[k].token)
            .is_some_and(|k| self.events[k].start == end)
    }
}

/// See [`Tree::children`].
pub struct Children<'t, 'a> {
    tree: &'t Tree<'a>,
    next: Idx,
    end: Idx,
}

impl Iterator for Children<'_, '_> {
    type Item = Idx;

    fn next(&mut self) -> Option<Idx> {
        if self.next >= self.end {
            return None;
        }
        let i = self.next;
        self.next = self.tree.end(i);
        Some(i)
    }
}

/// `///`, `//!`, `/**`, `/*!`, but not `////`, `/***` or `/**/`.
pub fn is_doc_comment(text: &str) -> bool {
    let line = (text.starts_with("///") && !text.starts_with("////")) || text.starts_with("//!");
    let block = (text.starts_with("/**") && !text.starts_with("/***") && text != "/**/") || text.starts_with("/*!");
    line || block
}
