//! The token normalisation by which the macro (rustc's tokens) and the analyzer (its own lexer's) agree on "the same
//! function": over 11,000 registry files the two streams differ only in line ends inside string literals. This is
//! for *matching*; what a change means is the fingerprint's business.
//!
//! The caller brings: the item without its outer attributes, from its visibility to its last brace; CRLF as LF inside
//! literals; no comments; one [`Tok::Punct`] per character; no invisible groups.

use crate::hex::sixteen_bytes;

/// One token, however the caller's lexer represents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tok<'a> {
    /// An identifier or keyword; a leading `r#` does not count.
    Ident(&'a str),
    /// A lifetime or label, without its apostrophe; a leading `r#` does not count.
    Lifetime(&'a str),
    /// A literal as written, with prefix and suffix. A minus sign is a [`Tok::Punct`] before it.
    Literal(&'a str),
    /// One punctuation character. Joint or alone makes no difference.
    Punct(char),
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
}

/// The hash of a function's normalised tokens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 16]);

sixteen_bytes!(TokenHash);

/// Hashes a token stream, less its doc attributes (`#[doc ..]`, `#![doc ..]`: what doc comments become in rustc).
pub fn source_hash<'a>(toks: impl IntoIterator<Item = Tok<'a>>) -> TokenHash {
    let mut hasher = SourceHasher::default();
    toks.into_iter().for_each(|tok| hasher.push(tok));
    hasher.finish()
}

/// [`source_hash`], token by token: for a caller that does not have them all at hand.
#[derive(Debug, Default)]
pub struct SourceHasher {
    bytes: Vec<u8>,
    doc: Doc,
}

/// How much of a doc attribute has been seen, and where in the bytes it began.
#[derive(Debug, Clone, Copy, Default)]
enum Doc {
    #[default]
    No,
    Hash(usize),
    Bang(usize),
    Open(usize),
    /// With the number of groups around the next token.
    Inside(usize, usize),
}

impl SourceHasher {
    /// Adds a token: a tag, the text, and a byte that occurs in no UTF-8 text, so that no two streams run together.
    pub fn push(&mut self, tok: Tok<'_>) {
        let start = self.bytes.len();
        let (tag, text) = match tok {
            Tok::Ident(text) => (b'i', text.strip_prefix("r#").unwrap_or(text)),
            Tok::Lifetime(text) => (b'l', text.strip_prefix("r#").unwrap_or(text)),
            Tok::Literal(text) => (b'c', text),
            Tok::Punct(c) => return self.push_char(b'p', c, start),
            Tok::Open(c) => return self.push_char(b'o', c, start),
            Tok::Close(c) => return self.push_char(b'e', c, start),
        };
        self.bytes.push(tag);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0xff);
        self.doc = match self.doc {
            Doc::Inside(..) => self.doc,
            Doc::Open(start) if tok == Tok::Ident("doc") => Doc::Inside(start, 1),
            _ => Doc::No,
        };
    }

    fn push_char(&mut self, tag: u8, c: char, start: usize) {
        if c.is_ascii() {
            // At once: the macro runs this unoptimised.
            self.bytes.extend_from_slice(&[tag, c as u8, 0xff]);
        } else {
            self.bytes.push(tag);
            self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            self.bytes.push(0xff);
        }
        self.doc = match (self.doc, tag, c) {
            // Its last bracket is here: as if it had never been.
            (Doc::Inside(start, 1), b'e', _) => {
                self.bytes.truncate(start);
                Doc::No
            }
            (Doc::Inside(start, depth), b'e', _) => Doc::Inside(start, depth - 1),
            (Doc::Inside(start, depth), b'o', _) => Doc::Inside(start, depth + 1),
            (Doc::Inside(..), ..) => self.doc,
            (_, b'p', '#') => Doc::Hash(start),
            (Doc::Hash(start), b'p', '!') => Doc::Bang(start),
            (Doc::Hash(start) | Doc::Bang(start), b'o', '[') => Doc::Open(start),
            _ => Doc::No,
        };
    }

    /// The hash of what was added.
    pub fn finish(self) -> TokenHash {
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(&self.bytes).as_bytes()[..16]);
        TokenHash(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::Tok::{Close, Ident, Lifetime, Literal, Open, Punct};
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_hash_of_a_stream_is_pinned() {
        let toks = [
            Ident("fn"),
            Ident("f"),
            Open('('),
            Close(')'),
            Open('{'),
            Literal("1u8"),
            Close('}'),
        ];
        expect!["00d41f77"].assert_eq(&source_hash(toks).to_string()[..8]);
        expect!["af1349b9f5f9a1a6a0404dea36dcc949"].assert_eq(&source_hash([]).to_string());
    }

    #[test]
    fn doc_attributes_do_not_count() {
        let code = [Ident("x"), Punct('='), Literal("1")];
        let outer = [
            Punct('#'),
            Open('['),
            Ident("doc"),
            Punct('='),
            Literal("\" d\""),
            Close(']'),
        ];
        let inner = [
            Punct('#'),
            Punct('!'),
            Open('['),
            Ident("doc"),
            Open('('),
            Ident("hidden"),
            Close(')'),
            Close(']'),
        ];
        for docs in [outer.as_slice(), inner.as_slice()] {
            let documented = docs.iter().chain(&code).chain(docs).copied();
            assert_eq!(source_hash(documented), source_hash(code));
        }
    }

    #[test]
    fn other_attributes_and_half_a_doc_attribute_count() {
        let kept: [&[Tok<'_>]; 3] = [
            &[Punct('#'), Open('['), Ident("docs"), Close(']')],
            &[Punct('#'), Open('['), Ident("doc")],
            &[Punct('#'), Ident("doc")],
        ];
        for toks in kept {
            assert_ne!(source_hash(toks.iter().copied()), source_hash([]), "{toks:?}");
        }
    }

    #[test]
    fn raw_names_are_the_names_they_stand_for() {
        assert_eq!(
            source_hash([Ident("r#fn"), Lifetime("r#a")]),
            source_hash([Ident("fn"), Lifetime("a")])
        );
    }

    #[test]
    fn tokens_never_run_together_or_change_kind() {
        let streams: [&[Tok<'_>]; 7] = [
            &[Ident("ab")],
            &[Ident("a"), Ident("b")],
            &[Lifetime("ab")],
            &[Literal("ab")],
            &[Punct('('), Punct(')')],
            &[Open('('), Close(')')],
            &[Ident("ab"), Ident("")],
        ];
        for (i, a) in streams.iter().enumerate() {
            for b in &streams[i + 1..] {
                assert_ne!(
                    source_hash(a.iter().copied()),
                    source_hash(b.iter().copied()),
                    "{a:?} {b:?}"
                );
            }
        }
    }
}
