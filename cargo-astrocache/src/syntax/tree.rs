//! A file's syntax as one flat array: nodes and significant tokens in order, straight from the parser's events.
//!
//! Cheaper than a rowan tree (two allocations, no reference counts, no recursive drop) and still random access:
//! each node knows where it ends. Whitespace and plain comments are gone; doc comments stay, because they are
//! data to derives and macros.

use std::borrow::Cow;

use ra_ap_parser::{Edition, Input, LexedStr, Step, SyntaxKind, SyntaxKind::*, TopEntryPoint};

/// Index of a node or token in a [`Tree`].
pub type Idx = u32;

/// A node or a token.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub kind: SyntaxKind,
    /// Of a token: the kind of the node it is in.
    pub parent: Option<SyntaxKind>,
    /// Byte offset in the text.
    pub start: u32,
    /// A token's byte length; a node's index just past its last event.
    pub extent: u32,
    /// How many tokens of code come before.
    code_before: u32,
}

/// The parsed form of one text.
pub struct Tree<'a> {
    pub text: &'a str,
    events: Vec<Event>,
    /// All tokens but doc comments.
    code: Vec<Idx>,
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
        let (input, tokens) = code_of(&lexed, edition);
        let output = entry.parse(&input);
        let mut builder = Builder::new(&lexed, &tokens);
        for step in output.iter() {
            match step {
                Step::Token { kind, n_input_tokens } => builder.token(kind, usize::from(n_input_tokens)),
                Step::FloatSplit { ends_in_dot } => builder.split_float(ends_in_dot),
                Step::Enter { kind } => builder.enter(kind),
                Step::Exit => builder.exit(),
                Step::Error { .. } => builder.errors += 1,
            }
        }
        Tree {
            text,
            events: builder.events,
            code: builder.code,
            errors: builder.errors,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub fn kind(&self, i: Idx) -> SyntaxKind {
        self.events[i as usize].kind
    }

    pub fn is_token(&self, i: Idx) -> bool {
        self.events[i as usize].parent.is_some()
    }

    /// Index just past the node or token.
    pub fn end(&self, i: Idx) -> Idx {
        let event = &self.events[i as usize];
        match event.parent {
            Some(_) => i + 1,
            None => event.extent,
        }
    }

    /// Text of a token.
    pub fn token_text(&self, i: Idx) -> &'a str {
        let event = &self.events[i as usize];
        &self.text[event.start as usize..(event.start + event.extent) as usize]
    }

    /// Byte offset where a token or a node's first significant token begins.
    pub fn start(&self, i: Idx) -> u32 {
        let first = self.events_of(i).iter().find(|event| event.parent.is_some());
        first.unwrap_or(&self.events[i as usize]).start
    }

    /// Byte offset just past the last significant token.
    pub fn stop(&self, i: Idx) -> u32 {
        let last = self.events_of(i).iter().rfind(|event| event.parent.is_some());
        last.map_or(self.events[i as usize].start, |event| event.start + event.extent)
    }

    /// The node or token and all under it.
    pub fn events_of(&self, i: Idx) -> &[Event] {
        &self.events[i as usize..self.end(i) as usize]
    }

    /// Direct children, tokens included.
    pub fn children(&self, i: Idx) -> Children<'_, 'a> {
        let (next, end) = if self.is_token(i) { (i, i) } else { (i + 1, self.end(i)) };
        Children { tree: self, next, end }
    }

    /// First direct child of a kind.
    pub fn child(&self, i: Idx, kind: SyntaxKind) -> Option<Idx> {
        self.children(i).find(|&c| self.kind(c) == kind)
    }

    /// All tokens under a node, doc comments included.
    pub fn tokens(&self, i: Idx) -> impl Iterator<Item = Idx> + '_ {
        (i..self.end(i)).filter(|&k| self.is_token(k))
    }

    /// All tokens under a node, doc comments excluded.
    pub fn code(&self, i: Idx) -> &[Idx] {
        let before = |k: Idx| match self.events.get(k as usize) {
            Some(event) => event.code_before as usize,
            None => self.code.len(),
        };
        &self.code[before(i)..before(self.end(i))]
    }

    /// [`Tree::tokens`] as a slice.
    pub fn all_tokens(&self, i: Idx) -> Cow<'_, [Idx]> {
        match self.tokens(i).any(|k| self.kind(k) == COMMENT) {
            true => self.tokens(i).collect(),
            false => self.code(i).into(),
        }
    }

    /// Kind of the next significant token.
    pub fn following_token(&self, i: Idx) -> Option<SyntaxKind> {
        self.after(i).map(|event| event.kind)
    }

    /// Whether the token is directly followed by the next one, with nothing between.
    pub fn is_joint(&self, i: Idx) -> bool {
        let token = &self.events[i as usize];
        self.after(i)
            .is_some_and(|event| event.start == token.start + token.extent)
    }

    fn after(&self, i: Idx) -> Option<&Event> {
        let after = &self.events[i as usize + 1..];
        after.iter().find(|event| event.parent.is_some())
    }
}

/// A token that the parser sees, by its number in the [`LexedStr`].
#[derive(Clone, Copy)]
struct Token {
    start: u32,
    end: u32,
    number: u32,
    /// There are comments right before it.
    commented: bool,
}

/// What the parser sees of a text, as `LexedStr::to_input` gives it, and where those tokens stand. Ends with a token for
/// the end of the text.
fn code_of(lexed: &LexedStr<'_>, edition: Edition) -> (Input, Vec<Token>) {
    let mut input = Input::with_capacity(lexed.len());
    let mut tokens = Vec::with_capacity(lexed.len() / 2 + 1);
    let (mut start, mut commented) = (0, false);
    // Whether the next token is joined to the last, should nothing stand between.
    let mut may_join = false;
    for number in 0..lexed.len() {
        let kind = lexed.kind(number);
        let end = lexed.text_start(number + 1) as u32;
        match kind {
            WHITESPACE => may_join = false,
            COMMENT => {
                may_join = false;
                commented = true;
            }
            _ => {
                if kind == IDENT {
                    // Whether an identifier is joined to anything, nobody asks.
                    let keyword = SyntaxKind::from_contextual_keyword(lexed.text(number), edition);
                    input.push_ident(keyword.unwrap_or(IDENT), edition);
                } else {
                    if may_join {
                        input.was_joint();
                    }
                    input.push(kind, edition);
                    match kind {
                        // A float is joint if there is something after its dot.
                        FLOAT_NUMBER if lexed.text(number).ends_with('.') => may_join = false,
                        FLOAT_NUMBER => input.was_joint(),
                        _ => may_join = true,
                    }
                }
                tokens.push(Token {
                    start,
                    end,
                    number: number as u32,
                    commented: std::mem::take(&mut commented),
                });
            }
        }
        start = end;
    }
    tokens.push(Token {
        start,
        end: start,
        number: lexed.len() as u32,
        commented,
    });
    (input, tokens)
}

/// Brings the parser's events, which know no comments, and the lexer's tokens together.
///
/// Which node a comment stands in is decided as `LexedStr::intersperse_trivia` does, which serves trees that keep all trivia,
/// and is slower for it.
struct Builder<'l> {
    lexed: &'l LexedStr<'l>,
    /// From the next one on.
    tokens: &'l [Token],
    /// Number in `lexed` of the first token that may not be in the tree yet.
    at: usize,
    events: Vec<Event>,
    code: Vec<Idx>,
    /// The innermost node that has not ended; until it has, its `extent` is the one around it.
    node: Idx,
    kind: SyntaxKind,
    errors: u32,
}

/// What is around the root.
const NO_NODE: Idx = Idx::MAX;

impl<'l> Builder<'l> {
    fn new(lexed: &'l LexedStr<'l>, tokens: &'l [Token]) -> Builder<'l> {
        Builder {
            lexed,
            tokens,
            at: 0,
            events: Vec::with_capacity(tokens.len() * 3),
            code: Vec::with_capacity(tokens.len()),
            node: NO_NODE,
            kind: ERROR,
            errors: lexed.errors().count() as u32,
        }
    }

    fn token(&mut self, kind: SyntaxKind, n_tokens: usize) {
        let (tokens, rest) = self.tokens.split_at(n_tokens);
        let (first, last) = (tokens[0], tokens[n_tokens - 1]);
        if first.commented {
            self.comments(first.number as usize);
        }
        self.tokens = rest;
        self.push_token(kind, first.start, last.end);
    }

    fn push_token(&mut self, kind: SyntaxKind, start: u32, end: u32) {
        let at = self.events.len() as Idx;
        self.push_token_event(kind, start, end);
        self.code.push(at);
    }

    fn push_token_event(&mut self, kind: SyntaxKind, start: u32, end: u32) {
        self.events.push(Event {
            kind,
            parent: Some(self.kind),
            start,
            extent: end - start,
            code_before: self.code.len() as u32,
        });
    }

    fn enter(&mut self, kind: SyntaxKind) {
        let next = self.tokens[0];
        if self.node == NO_NODE {
            // All of a file is in the root.
            self.push_node(kind, 0);
        } else if next.commented {
            let inside = self.first_attached(kind, next.number as usize);
            self.comments(inside);
            self.push_node(kind, self.lexed.text_start(inside) as u32);
            self.comments(next.number as usize);
        } else {
            self.push_node(kind, next.start);
        }
    }

    fn push_node(&mut self, kind: SyntaxKind, start: u32) {
        let node = self.events.len() as Idx;
        self.events.push(Event {
            kind,
            parent: None,
            start,
            extent: self.node,
            code_before: self.code.len() as u32,
        });
        (self.node, self.kind) = (node, kind);
    }

    fn exit(&mut self) {
        let next = self.tokens[0];
        // All of a file is in the root.
        if self.node == 0 && next.commented {
            self.comments(next.number as usize);
        }
        self.close();
    }

    fn close(&mut self) {
        let end = self.events.len() as u32;
        let Some(node) = self.events.get_mut(self.node as usize) else {
            return;
        };
        self.node = std::mem::replace(&mut node.extent, end);
        self.kind = self.events.get(self.node as usize).map_or(ERROR, |around| around.kind);
    }

    /// Adds the doc comments before the token of this number, which is commented.
    fn comments(&mut self, to: usize) {
        // Tokens of code in between are in the tree, and their text is no doc comment.
        for at in self.at..to {
            if self.lexed.kind(at) == COMMENT && is_doc_comment(self.lexed.text(at)) {
                let range = self.lexed.text_range(at);
                self.push_token_event(COMMENT, range.start as u32, range.end as u32);
            }
        }
        self.at = to;
    }

    /// The first of the trivia before an item that is part of it: its comments, up to an empty line that no outer doc
    /// comment precedes, or an inner doc comment. `next` itself if there is none.
    fn first_attached(&self, kind: SyntaxKind, next: usize) -> usize {
        let mut first = next;
        if !takes_comments(kind) {
            return first;
        }
        for at in (self.at..next).rev() {
            let text = self.lexed.text(at);
            match self.lexed.kind(at) {
                COMMENT if is_inner_doc(text) => break,
                COMMENT => first = at,
                WHITESPACE if text.contains("\n\n") => {
                    let is_outer = |above| self.lexed.kind(above) == COMMENT && is_outer_doc(self.lexed.text(above));
                    if at == self.at || !is_outer(at - 1) {
                        break;
                    }
                }
                WHITESPACE => {}
                _ => break,
            }
        }
        first
    }

    /// `1.2` of `x.1.2` is one token and two field names; with `ends_in_dot`, the second is a token of its own.
    ///
    /// The event comes inside the node that the first name is a field of, and stands for that node's end as well.
    fn split_float(&mut self, ends_in_dot: bool) {
        let Token {
            start,
            end,
            number,
            commented,
        } = self.tokens[0];
        if commented {
            self.comments(number as usize);
        }
        self.tokens = &self.tokens[1..];
        if let Some(dot) = self.lexed.text(number as usize).find('.') {
            let dot = start + dot as u32;
            self.field_name(start, dot);
            self.close();
            self.push_token(DOT, dot, dot + 1);
            if !ends_in_dot {
                self.field_name(dot + 1, end);
            }
        } else {
            self.errors += 1;
            self.push_node(ERROR, start);
            self.push_token(FLOAT_NUMBER, start, end);
            self.close();
            self.close();
        }
        if !ends_in_dot {
            self.close();
        }
    }

    fn field_name(&mut self, start: u32, end: u32) {
        self.push_node(NAME_REF, start);
        self.push_token(INT_NUMBER, start, end);
        self.close();
    }
}

/// Nodes that own the comments above them.
fn takes_comments(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        CONST
            | ENUM
            | EXTERN_CRATE
            | FN
            | IMPL
            | MACRO_CALL
            | MACRO_DEF
            | MACRO_RULES
            | MODULE
            | RECORD_FIELD
            | STATIC
            | STRUCT
            | TRAIT
            | TUPLE_FIELD
            | TYPE_ALIAS
            | UNION
            | USE
            | VARIANT
    )
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
fn is_doc_comment(text: &str) -> bool {
    is_inner_doc(text) || (is_outer_doc(text) && text != "/**/")
}

fn is_outer_doc(text: &str) -> bool {
    match text.as_bytes() {
        [b'/', b'/', b'/', rest @ ..] => rest.first() != Some(&b'/'),
        [b'/', b'*', b'*', rest @ ..] => rest.first() != Some(&b'*'),
        _ => false,
    }
}

fn is_inner_doc(text: &str) -> bool {
    matches!(text.as_bytes(), [b'/', b'/' | b'*', b'!', ..])
}

#[cfg(test)]
mod tests {
    use ra_ap_parser::StrStep;

    use super::*;

    /// The same events by the parser's own slower way.
    fn reference(text: &str, edition: Edition, entry: TopEntryPoint) -> (Vec<(SyntaxKind, bool, u32, u32)>, u32) {
        let lexed = LexedStr::new(edition, text);
        let output = entry.parse(&lexed.to_input(edition));
        let (mut events, mut open, mut offset) = (Vec::new(), Vec::new(), 0);
        let mut errors = lexed.errors().count() as u32;
        lexed.intersperse_trivia(&output, &mut |step| match step {
            StrStep::Enter { kind } => {
                open.push(events.len());
                events.push((kind, false, offset, 0));
            }
            StrStep::Exit => {
                let node = open.pop().unwrap();
                events[node].3 = events.len() as u32;
            }
            StrStep::Token { kind, text } => {
                let len = text.len() as u32;
                let doc = kind == COMMENT && is_doc_comment(text);
                if doc || !kind.is_trivia() {
                    events.push((kind, true, offset, len));
                }
                offset += len;
            }
            StrStep::Error { .. } => errors += 1,
        });
        (events, errors)
    }

    fn check(text: &str, edition: Edition, entry: fn() -> TopEntryPoint) {
        let expected = reference(text, edition, entry());
        let tree = Tree::parse(text, edition, entry());
        let events = tree.events.iter();
        let events = events.map(|it| (it.kind, it.parent.is_some(), it.start, it.extent));
        assert_eq!((events.collect(), tree.errors), expected, "{text}");
    }

    const SAMPLES: &[&str] = &[
        "",
        "// only\n",
        "//! of the file\n\n/// of f\n// why\n\n/// more\nfn f() {} // end",
        "/// a\n\n\n// b\n\nstruct S {\n    /// c\n    //! d\n    x: u8, // e\n\n    /** f */ /*** g */ /**/ y: u8,\n}",
        "fn f() { x.0.1; x.1.; x . 0.1 .2; x.1e3; x.0.1.2.3(); x /* a */ . /** b */ 0 /** c */ .1 }",
        "fn f() { a >>= b; a..=b; a::b; Vec::<Vec<u8>>::new() && c || d -> e => f; }",
        "#!/bin/run\n#![a]\nfn f( { } struct; %%% \"open",
        "m! { /// a\n fn /// b\n f() {} } /// nothing\n",
        "enum E { /// a\n\n /// b\n A, // c\n B, }\n\n// d\nimpl E { // e\n /// f\n const A: u8 = 1.; /// g\n }",
    ];

    #[test]
    fn nodes_and_comments_stand_where_the_parsers_own_trees_have_them() {
        for text in SAMPLES {
            for edition in [Edition::Edition2015, Edition::Edition2021, Edition::Edition2024] {
                check(text, edition, || TopEntryPoint::SourceFile);
                check(text, edition, || TopEntryPoint::MacroItems);
            }
        }
        check(include_str!("tree.rs"), Edition::Edition2024, || {
            TopEntryPoint::SourceFile
        });
        check(include_str!("lower/attrs.rs"), Edition::Edition2024, || {
            TopEntryPoint::MacroItems
        });
    }

    #[test]
    fn code_is_all_tokens_but_doc_comments() {
        for text in SAMPLES {
            let tree = Tree::file(text, Edition::Edition2021);
            for i in 0..tree.events.len() as Idx {
                let all: Vec<Idx> = tree.tokens(i).collect();
                let code: Vec<Idx> = all.iter().copied().filter(|&k| tree.kind(k) != COMMENT).collect();
                assert_eq!((tree.code(i), &*tree.all_tokens(i)), (&*code, &*all), "{i} of {text}");
            }
        }
    }
}
