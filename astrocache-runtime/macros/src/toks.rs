//! rustc's tokens as `astrocache_manifest::tokens` wants them. The analyzer does the same from its own lexer; the two
//! must agree on every function.

use std::fmt::Write as _;

use astrocache_manifest::tokens::{SourceHasher, Tok, TokenHash};

use crate::parse::CachedFn;
use crate::pm::{Delimiter, Group, TokenStream, TokenTree};

/// The hash of a function's tokens, less its outer attributes.
pub fn function_hash(f: &CachedFn<'_>) -> TokenHash {
    let mut hashing = Hashing::default();
    for tree in f.signature {
        hashing.tree(tree);
    }
    hashing.hasher.push(Tok::Open('{'));
    for tree in &f.body {
        hashing.tree(tree);
    }
    hashing.hasher.push(Tok::Close('}'));
    hashing.hasher.finish()
}

/// The hash of tokens as they are.
pub fn hash(tokens: TokenStream) -> TokenHash {
    let mut hashing = Hashing::default();
    hashing.stream(tokens);
    hashing.hasher.finish()
}

#[derive(Default)]
struct Hashing {
    hasher: SourceHasher,
    /// The text of one token, kept for its room.
    text: String,
    /// An apostrophe, which with a name behind it is a lifetime.
    quote: bool,
}

impl Hashing {
    fn stream(&mut self, tokens: TokenStream) {
        for tree in tokens {
            self.tree(&tree);
        }
        self.apostrophe();
    }

    fn tree(&mut self, tree: &TokenTree) {
        if let TokenTree::Ident(ident) = tree {
            self.text.clear();
            // Writing to a String cannot fail.
            let _ = write!(self.text, "{ident}");
            let lifetime = std::mem::take(&mut self.quote);
            self.hasher.push(match lifetime {
                true => Tok::Lifetime(&self.text),
                false => Tok::Ident(&self.text),
            });
            return;
        }
        self.apostrophe();
        match tree {
            TokenTree::Punct(punct) => match punct.as_char() {
                '\'' => self.quote = true,
                c => self.hasher.push(Tok::Punct(c)),
            },
            TokenTree::Group(group) => self.group(group),
            other => {
                self.text.clear();
                let _ = write!(self.text, "{other}");
                self.hasher.push(Tok::Literal(&self.text));
            }
        }
    }

    /// One without a name behind it.
    fn apostrophe(&mut self) {
        if std::mem::take(&mut self.quote) {
            self.hasher.push(Tok::Punct('\''));
        }
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ('(', ')'),
            Delimiter::Bracket => ('[', ']'),
            Delimiter::Brace => ('{', '}'),
            Delimiter::None => return self.stream(group.stream()),
        };
        self.hasher.push(Tok::Open(open));
        self.stream(group.stream());
        self.hasher.push(Tok::Close(close));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::cached_fn;
    use astrocache_manifest::tokens::source_hash;

    fn of(text: &str) -> TokenHash {
        let trees: Vec<TokenTree> = text.parse::<TokenStream>().unwrap().into_iter().collect();
        function_hash(&cached_fn(&trees).unwrap())
    }

    #[test]
    fn comments_docs_layout_and_outer_attributes_do_not_count() {
        let plain = of("pub fn f<'a>(x: &'a str) -> u8 { x.1.0 >>= 2 }");
        assert_eq!(
            of("/// d\n#[inline]\npub fn f<'a>(x:&'a str)->u8{/* c */ /// e\n x.1.0>>=2}"),
            plain
        );
        assert_eq!(of("pub fn r#f<'a>(x: &'a str) -> u8 { x.1.0 >>= 2 }"), plain);
    }

    #[test]
    fn everything_else_counts() {
        let plain = of("fn f() { 1 }");
        for other in [
            "pub fn f() { 1 }",
            "fn f() { 1u8 }",
            "fn f() { (1) }",
            "fn f() { #[inline] 1 }",
            "fn g() { 1 }",
        ] {
            assert_ne!(of(other), plain, "{other}");
        }
    }

    #[test]
    fn the_hash_is_what_the_normalisation_says() {
        use Tok::*;
        let toks = [
            Ident("fn"),
            Ident("f"),
            Punct('<'),
            Lifetime("a"),
            Punct('>'),
            Open('('),
            Close(')'),
            Open('{'),
            Punct('-'),
            Literal("1"),
            Close('}'),
        ];
        assert_eq!(of("#[x] fn f<'a>() { -1 }"), source_hash(toks));
        assert_eq!(hash("fn f<'a>() { -1 }".parse().unwrap()), source_hash(toks));
    }
}
