//! rustc's tokens as `astrocache_manifest::tokens` wants them. The analyzer does the same from its own lexer; the two
//! must agree on every function.

use astrocache_manifest::tokens::{Tok, TokenHash, source_hash};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

enum Owned {
    Ident(String),
    Lifetime(String),
    Literal(String),
    Punct(char),
    Open(char),
    Close(char),
}

/// The hash of an item's tokens, less its outer attributes.
pub fn item_hash(item: TokenStream) -> TokenHash {
    let trees: Vec<TokenTree> = item.into_iter().collect();
    let mut rest = &trees[..];
    while let [TokenTree::Punct(hash), TokenTree::Group(group), tail @ ..] = rest {
        if hash.as_char() != '#' || group.delimiter() != Delimiter::Bracket {
            break;
        }
        rest = tail;
    }
    let outer = trees.len() - rest.len();
    hash(trees.into_iter().skip(outer))
}

/// The hash of tokens as they are.
pub fn hash(tokens: impl IntoIterator<Item = TokenTree>) -> TokenHash {
    let mut owned = Vec::new();
    flatten(tokens, &mut owned);
    source_hash(owned.iter().map(|tok| match tok {
        Owned::Ident(text) => Tok::Ident(text),
        Owned::Lifetime(text) => Tok::Lifetime(text),
        Owned::Literal(text) => Tok::Literal(text),
        Owned::Punct(c) => Tok::Punct(*c),
        Owned::Open(c) => Tok::Open(*c),
        Owned::Close(c) => Tok::Close(*c),
    }))
}

fn flatten(tokens: impl IntoIterator<Item = TokenTree>, out: &mut Vec<Owned>) {
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Ident(ident) => out.push(Owned::Ident(ident.to_string())),
            TokenTree::Literal(literal) => out.push(Owned::Literal(literal.to_string())),
            TokenTree::Punct(punct) if punct.as_char() == '\'' => match trees.next_if(is_ident) {
                Some(name) => out.push(Owned::Lifetime(name.to_string())),
                None => out.push(Owned::Punct('\'')),
            },
            TokenTree::Punct(punct) => out.push(Owned::Punct(punct.as_char())),
            TokenTree::Group(group) => {
                let delimiters = match group.delimiter() {
                    Delimiter::Parenthesis => Some(('(', ')')),
                    Delimiter::Bracket => Some(('[', ']')),
                    Delimiter::Brace => Some(('{', '}')),
                    Delimiter::None => None,
                };
                out.extend(delimiters.map(|(open, _)| Owned::Open(open)));
                flatten(group.stream(), out);
                out.extend(delimiters.map(|(_, close)| Owned::Close(close)));
            }
        }
    }
}

fn is_ident(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Ident(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> TokenHash {
        item_hash(text.parse().unwrap())
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
    }
}
