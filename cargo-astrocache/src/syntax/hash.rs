//! Normalised token hashes: what is left of a definition when comments, layout, visibility and lint attributes go.

use ra_ap_parser::{Edition, SyntaxKind, SyntaxKind::*};

use super::{
    facts::Hash,
    tree::{Event, Idx, Tree},
};
use astrocache_manifest::tokens::{self, Tok, TokenHash};

/// Collects tokens into one hash. Each token carries its length, so no two token sequences collide by concatenation.
#[derive(Default)]
pub struct TokenSink {
    buf: Vec<u8>,
}

impl TokenSink {
    pub fn clear(&mut self) {
        self.buf.clear();
    }

    /// As they are, without their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.token(text.as_bytes(), 0, text.len());
    }

    /// The text at `start` of `source`.
    fn token(&mut self, source: &[u8], start: usize, len: usize) {
        const SHORT: usize = 16;
        let prefix = (len as u32).to_le_bytes();
        let piece = source.get(start..).and_then(|rest| rest.first_chunk::<SHORT>());
        match piece {
            // A copy of known length takes a fraction of the time, and most tokens are short.
            Some(piece) if len <= SHORT => {
                let end = self.buf.len() + prefix.len() + len;
                let mut both = [0; 4 + SHORT];
                both[..4].copy_from_slice(&prefix);
                both[4..].copy_from_slice(piece);
                self.buf.extend_from_slice(&both);
                self.buf.truncate(end);
            }
            _ => {
                self.buf.extend_from_slice(&prefix);
                self.buf.extend_from_slice(&source[start..start + len]);
            }
        }
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

/// Feeds the normalised tokens of `node` to `sink`, without the nodes inside that `skip` names: those are definitions of their
/// own, or otherwise counted elsewhere. With `docs`, doc comments are data: the item has a derive or attribute macro that may
/// read them.
pub fn feed(tree: &Tree<'_>, node: Idx, docs: bool, skip: impl Fn(Idx, SyntaxKind) -> bool, sink: &mut TokenSink) {
    let events = tree.events_of(node);
    let mut at = 0;
    while let Some(event) = events.get(at) {
        let i = node + at as Idx;
        match event.parent {
            // What a token that is fed alone stands in does not count.
            Some(_) if at == 0 => feed_token(tree, i, event, ERROR, docs, sink),
            Some(parent) => feed_token(tree, i, event, parent, docs, sink),
            None if event.kind == VISIBILITY || (at > 0 && skip(i, event.kind)) => {
                at = (event.extent - node) as usize;
                continue;
            }
            None => {}
        }
        at += 1;
    }
}

/// Feeds all tokens of `node` but doc comments and visibility.
pub fn feed_all(tree: &Tree<'_>, node: Idx, sink: &mut TokenSink) {
    feed(tree, node, false, |_, _| false, sink);
}

#[inline]
fn feed_token(tree: &Tree<'_>, i: Idx, token: &Event, parent: SyntaxKind, docs: bool, sink: &mut TokenSink) {
    let in_tokens = parent == TOKEN_TREE;
    match token.kind {
        COMMENT if !docs && !in_tokens => {}
        COMMA if !in_tokens && is_trailing_comma(tree, i, parent) => {}
        kind => {
            sink.token(tree.text.as_bytes(), token.start as usize, token.extent as usize);
            if in_tokens && kind.is_punct() && tree.is_joint(i) {
                sink.joint();
            }
        }
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
