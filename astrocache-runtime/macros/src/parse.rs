//! The function under `#[cached]`: attributes, visibility, signature, and its body as plain tokens. The body is not
//! parsed: that is rustc's work, and its errors are better.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, Signature, Visibility};

/// A function with a body.
pub struct CachedFn {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub sig: Signature,
    /// The braces and what is in them, less inner attributes.
    pub body: Group,
    /// `#![..]` at the start of the body, as outer attributes.
    pub inner_attrs: Vec<TokenStream>,
}

const NOT_A_FN: &str = "#[cached] goes on a function or method with a body";

impl Parse for CachedFn {
    fn parse(input: ParseStream<'_>) -> Result<CachedFn> {
        let attrs = input.call(Attribute::parse_outer)?;
        let start = input.span();
        let vis = input.parse::<Visibility>()?;
        let sig = input
            .parse::<Signature>()
            .map_err(|error| signature_error(start, input, error))?;
        let rest: Vec<TokenTree> = input.parse::<TokenStream>()?.into_iter().collect();
        match rest.as_slice() {
            [TokenTree::Group(body)] if body.delimiter() == Delimiter::Brace => {
                let (inner_attrs, body) = split_inner(body);
                Ok(CachedFn {
                    attrs,
                    vis,
                    sig,
                    body,
                    inner_attrs,
                })
            }
            _ => Err(Error::new(
                sig.ident.span(),
                format!("{NOT_A_FN}; a trait's method is cached in its impls"),
            )),
        }
    }
}

/// A struct under `#[cached]` deserves better than "expected `fn`"; a broken signature deserves syn's own words.
fn signature_error(start: Span, input: ParseStream<'_>, error: Error) -> Error {
    let is_fn = input
        .cursor()
        .token_stream()
        .into_iter()
        .any(|tree| matches!(&tree, TokenTree::Ident(i) if i == "fn"));
    let at_start = format!("{:?}", error.span()) == format!("{start:?}");
    if is_fn && !at_start {
        error
    } else {
        Error::new(start, NOT_A_FN)
    }
}

fn split_inner(body: &Group) -> (Vec<TokenStream>, Group) {
    let trees: Vec<TokenTree> = body.stream().into_iter().collect();
    let mut rest = &trees[..];
    let mut attrs = Vec::new();
    while let [
        TokenTree::Punct(hash),
        TokenTree::Punct(bang),
        TokenTree::Group(group),
        tail @ ..,
    ] = rest
    {
        if hash.as_char() != '#' || bang.as_char() != '!' || group.delimiter() != Delimiter::Bracket {
            break;
        }
        attrs.push(
            [TokenTree::Punct(hash.clone()), TokenTree::Group(group.clone())]
                .into_iter()
                .collect(),
        );
        rest = tail;
    }
    let mut group = Group::new(Delimiter::Brace, rest.iter().cloned().collect());
    group.set_span(body.span());
    (attrs, group)
}

/// An error, followed by the item as the user wrote it: one mistake gives one error, not ten about a missing function.
pub fn error_and_item(error: &Error, item: TokenStream) -> TokenStream {
    let mut tokens = item;
    tokens.extend(error.to_compile_error());
    tokens
}
