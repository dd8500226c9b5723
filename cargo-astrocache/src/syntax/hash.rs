//! Normalised token hashes: what is left of a definition when comments, layout, visibility and lint attributes go.

use ra_ap_parser::{Edition, SyntaxKind, SyntaxKind::*};

use super::{
    facts::Hash,
    tree::{Idx, Tree},
};
use astrocache_manifest::tokens::{self, Tok, TokenHash};

/// Collects tokens into one hash. Each token carries its length, so no two token sequences collide by concatenation.
#[derive(Default)]
pub struct TokenSink {
    buf: Vec<u8>,
}

impl TokenSink {
    pub fn text(&mut self, text: &str) {
        self.buf.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.buf.extend_from_slice(text.as_bytes());
    }

    fn joint(&mut self) {
        self.buf.push(b'+');
    }

    pub fn hash(&self) -> Hash {
        short(&self.buf)
    }

    pub fn hash64(&self) -> u64 {
        short64(&self.buf)
    }
}

/// The first 128 bits of blake3.
pub fn short(bytes: &[u8]) -> Hash {
    let mut out = [0; 16];
    out.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    out
}

/// The first 64 bits of blake3, never 0.
pub fn short64(bytes: &[u8]) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(out).max(1)
}

/// What of a subtree to leave out or keep in.
pub struct Normalise<'f> {
    /// Nodes that are definitions of their own, or otherwise counted elsewhere.
    pub skip: &'f dyn Fn(Idx) -> bool,
    /// Doc comments are data: the item has a derive or attribute macro that may read them.
    pub docs: bool,
}

/// Feeds the normalised tokens of `node` to `sink`.
pub fn feed(tree: &Tree<'_>, node: Idx, how: &Normalise<'_>, sink: &mut TokenSink) {
    let mut stack = vec![Frame {
        end: usize::MAX,
        kind: ERROR,
    }];
    let mut i = node;
    let end = tree.end(node);
    while i < end {
        while stack.last().is_some_and(|frame| i >= frame.end) {
            stack.pop();
        }
        let kind = tree.kind(i);
        if !tree.is_token(i) {
            if (i != node && (how.skip)(i)) || kind == VISIBILITY {
                i = tree.end(i);
                continue;
            }
            stack.push(Frame { end: tree.end(i), kind });
            i += 1;
            continue;
        }
        let parent = stack.last().map_or(ERROR, |frame| frame.kind);
        feed_token(tree, i, kind, parent, how.docs, sink);
        i += 1;
    }
}

struct Frame {
    end: Idx,
    kind: SyntaxKind,
}

fn feed_token(tree: &Tree<'_>, i: Idx, kind: SyntaxKind, parent: SyntaxKind, docs: bool, sink: &mut TokenSink) {
    let in_tokens = parent == TOKEN_TREE;
    if kind == COMMENT {
        if docs || in_tokens {
            sink.text(tree.token_text(i));
        }
        return;
    }
    if kind == COMMA && !in_tokens && is_trailing_comma(tree, i, parent) {
        return;
    }
    sink.text(tree.token_text(i));
    if in_tokens && kind.is_punct() && tree.is_joint(i) {
        sink.joint();
    }
}

/// rustfmt adds and removes these; only `(x,)` means something.
fn is_trailing_comma(tree: &Tree<'_>, i: Idx, parent: SyntaxKind) -> bool {
    let tuple = matches!(parent, TUPLE_EXPR | TUPLE_PAT | TUPLE_TYPE);
    match tree.following_token(i) {
        Some(R_CURLY | R_BRACK | R_ANGLE) => true,
        Some(R_PAREN) => !tuple,
        _ => false,
    }
}

/// The string literals of a file, unquoted, in order.
pub fn string_literals(text: &str, edition: Edition) -> Vec<String> {
    let lexed = ra_ap_parser::LexedStr::new(edition, text);
    let strings = (0..lexed.len())
        .filter(|&i| lexed.kind(i) == STRING)
        .map(|i| lexed.text(i));
    strings
        .map(|literal| {
            literal
                .trim_start_matches('r')
                .trim_matches('#')
                .trim_matches('"')
                .to_owned()
        })
        .collect()
}

/// The hash that the `#[cached]` macro computes over the same function, from the text of the item without its outer
/// attributes, or of a `func!`'s argument.
pub fn source_hash(text: &str, edition: Edition) -> TokenHash {
    let lexed = ra_ap_parser::LexedStr::new(edition, text);
    let mut toks = Vec::new();
    for i in 0..lexed.len() {
        push_tok(lexed.kind(i), lexed.text(i), &mut toks);
    }
    tokens::source_hash(toks)
}

/// The first name among the arguments of a macro call, or nothing: what the call is told apart by.
pub fn first_argument(call: &str, edition: Edition) -> &str {
    let lexed = ra_ap_parser::LexedStr::new(edition, call);
    let kinds = |i: &usize| lexed.kind(*i);
    let open = (0..lexed.len()).find(|i| matches!(kinds(i), L_PAREN | L_BRACK | L_CURLY));
    let name = open.and_then(|open| (open..lexed.len()).find(|i| kinds(i) == IDENT));
    name.map_or("", |i| &call[lexed.text_range(i)])
}

fn push_tok<'a>(kind: SyntaxKind, text: &'a str, out: &mut Vec<Tok<'a>>) {
    match kind {
        WHITESPACE | COMMENT | SHEBANG => {}
        LIFETIME_IDENT => out.push(Tok::Lifetime(text.trim_start_matches('\''))),
        L_PAREN | L_BRACK | L_CURLY => out.extend(text.chars().map(Tok::Open)),
        R_PAREN | R_BRACK | R_CURLY => out.extend(text.chars().map(Tok::Close)),
        _ if kind.is_literal() => out.push(Tok::Literal(text)),
        _ if text.starts_with(|c: char| c == '_' || c.is_alphabetic()) => {
            out.push(Tok::Ident(text.strip_prefix("r#").unwrap_or(text)));
        }
        _ => out.extend(text.chars().map(Tok::Punct)),
    }
}
