//! The function under `#[cached]`, cut into the parts that caching looks at. rustc has parsed the item before it calls us, so
//! a cut that trusts its form is enough; syn, which runs unoptimised here, is asked only where a part is not plain. The body is
//! not looked into: that is rustc's work, and its errors are better.

use syn::{Error, Result};

use crate::pm::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};

/// A function with a body, as pieces of its item.
pub struct CachedFn<'t> {
    /// Visibility, qualifiers, name, generics, parameters, return type and bounds: all from the outer attributes to the body.
    pub signature: &'t [TokenTree],
    /// `const`, `async`, `unsafe`, `extern "C"`.
    pub qualifiers: &'t [TokenTree],
    pub name: &'t Ident,
    /// With their angle brackets; empty if there are none.
    pub generics: &'t [TokenTree],
    pub params: Vec<Param>,
    /// Empty if there is none.
    pub ret: &'t [TokenTree],
    pub body_group: &'t Group,
    pub body: Vec<TokenTree>,
}

/// One parameter: `attrs pat: ty`, or a receiver, or `...`.
pub struct Param {
    pub attrs: Vec<TokenTree>,
    pub pat: Vec<TokenTree>,
    /// Empty for a receiver without a type.
    pub ty: Vec<TokenTree>,
}

const NOT_A_FN: &str = "#[cached] goes on a function or method with a body";

/// Cuts an item, the attributes included.
pub fn cached_fn(item: &[TokenTree]) -> Result<CachedFn<'_>> {
    let signature = &item[outer_attributes(item)..];
    let start = signature.first().map_or_else(Span::call_site, TokenTree::span);
    let not_a_fn = || Error::new(start.into(), NOT_A_FN);
    let after_vis = &signature[visibility(signature)..];
    let at = after_vis
        .iter()
        .position(|tree| is_ident(tree, "fn"))
        .ok_or_else(not_a_fn)?;
    let (qualifiers, rest) = after_vis.split_at(at);
    let [_, TokenTree::Ident(name), rest @ ..] = rest else {
        return Err(not_a_fn());
    };
    if !qualifiers.iter().all(is_qualifier) {
        return Err(not_a_fn());
    }
    let (generics, rest) = rest.split_at(angle_brackets(rest));
    let [TokenTree::Group(params), rest @ .., TokenTree::Group(body_group)] = rest else {
        return Err(without_body(name));
    };
    if body_group.delimiter() != Delimiter::Brace {
        return Err(without_body(name));
    }
    let ret = match rest {
        [TokenTree::Punct(dash), TokenTree::Punct(_), ret @ ..] if dash.as_char() == '-' => {
            let end = ret.iter().position(|tree| is_ident(tree, "where"));
            &ret[..end.unwrap_or(ret.len())]
        }
        _ => &[],
    };
    Ok(CachedFn {
        signature: &signature[..signature.len() - 1],
        qualifiers,
        name,
        generics,
        params: cut_params(params.stream()),
        ret,
        body_group,
        body: body_group.stream().into_iter().collect(),
    })
}

impl CachedFn<'_> {
    pub fn is_async(&self) -> bool {
        self.qualifiers.iter().any(|tree| is_ident(tree, "async"))
    }

    /// How many trees of the body are inner attributes.
    pub fn inner_attributes(&self) -> usize {
        let mut at = 0;
        while let [
            TokenTree::Punct(hash),
            TokenTree::Punct(bang),
            TokenTree::Group(group),
            ..,
        ] = &self.body[at..]
            && hash.as_char() == '#'
            && bang.as_char() == '!'
            && group.delimiter() == Delimiter::Bracket
        {
            at += 3;
        }
        at
    }

    /// The body, less its inner attributes.
    pub fn body_without_attributes(&self) -> Group {
        match self.inner_attributes() {
            0 => self.body_group.clone(),
            inner => {
                let mut group = Group::new(Delimiter::Brace, stream(&self.body[inner..]));
                group.set_span(self.body_group.span());
                group
            }
        }
    }
}

fn without_body(name: &Ident) -> Error {
    let message = format!("{NOT_A_FN}; a trait's method is cached in its impls");
    Error::new(name.span().into(), message)
}

/// How many trees at the front are outer attributes.
pub fn outer_attributes(trees: &[TokenTree]) -> usize {
    let mut at = 0;
    while let [TokenTree::Punct(hash), TokenTree::Group(group), ..] = &trees[at..]
        && hash.as_char() == '#'
        && group.delimiter() == Delimiter::Bracket
    {
        at += 2;
    }
    at
}

/// How many trees at the front are `pub`, `pub(..)`, or a macro's `$vis`.
fn visibility(trees: &[TokenTree]) -> usize {
    match trees {
        [TokenTree::Group(vis), ..] if vis.delimiter() == Delimiter::None => 1,
        [public, TokenTree::Group(scope), ..]
            if is_ident(public, "pub") && scope.delimiter() == Delimiter::Parenthesis =>
        {
            2
        }
        [public, ..] if is_ident(public, "pub") => 1,
        _ => 0,
    }
}

fn is_qualifier(tree: &TokenTree) -> bool {
    match tree {
        TokenTree::Ident(word) => matches!(
            word.to_string().as_str(),
            "const" | "async" | "unsafe" | "extern" | "safe" | "default"
        ),
        // The ABI.
        TokenTree::Literal(_) => true,
        _ => false,
    }
}

/// How many trees the angle brackets at the front take, if there are any.
fn angle_brackets(trees: &[TokenTree]) -> usize {
    let mut angles = Angles::default();
    for (at, tree) in trees.iter().enumerate() {
        angles.pass(tree);
        if angles.depth == 0 {
            return if at == 0 { 0 } else { at + 1 };
        }
    }
    0
}

fn cut_params(params: TokenStream) -> Vec<Param> {
    let mut all = Vec::new();
    let mut trees = Vec::new();
    let mut angles = Angles::default();
    for tree in params {
        angles.pass(&tree);
        if angles.depth == 0 && is_punct(&tree, ',') {
            all.push(cut_param(std::mem::take(&mut trees)));
        } else {
            trees.push(tree);
        }
    }
    if !trees.is_empty() {
        all.push(cut_param(trees));
    }
    all
}

fn cut_param(mut attrs: Vec<TokenTree>) -> Param {
    let mut pat = attrs.split_off(outer_attributes(&attrs));
    let mut ty = Vec::new();
    if let Some(colon) = colon(&pat) {
        ty = pat.split_off(colon + 1);
        pat.truncate(colon);
    }
    Param { attrs, pat, ty }
}

/// The first colon that is not half of `::`.
fn colon(trees: &[TokenTree]) -> Option<usize> {
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                let joint = punct.spacing() == Spacing::Joint;
                if !joint || !trees.get(at + 1).is_some_and(|next| is_punct(next, ':')) {
                    return Some(at);
                }
                at += 2;
            }
            _ => at += 1,
        }
    }
    None
}

impl Param {
    /// Its `#[cfg(..)]`.
    pub fn cfgs(&self) -> Vec<TokenTree> {
        let is_cfg = |attr: &&[TokenTree]| match attr {
            [_, TokenTree::Group(group)] => group
                .stream()
                .into_iter()
                .next()
                .is_some_and(|tree| is_ident(&tree, "cfg")),
            _ => false,
        };
        self.attrs.chunks(2).filter(is_cfg).flatten().cloned().collect()
    }

    /// C's `...`
    pub fn is_variadic(&self) -> bool {
        let trees = if self.ty.is_empty() { &self.pat } else { &self.ty };
        matches!(trees.as_slice(), [.., a, b, c] if [a, b, c].iter().all(|tree| is_punct(tree, '.')))
    }

    /// All but the attributes, for a message about it.
    pub fn tokens(&self) -> TokenStream {
        self.pat.iter().chain(&self.ty).cloned().collect()
    }
}

/// How many angle brackets are open around a place in a type.
#[derive(Default)]
pub struct Angles {
    pub depth: usize,
    arrow: bool,
}

impl Angles {
    /// Goes past one tree. The bracket of `->` is none.
    pub fn pass(&mut self, tree: &TokenTree) {
        let TokenTree::Punct(punct) = tree else {
            self.arrow = false;
            return;
        };
        match punct.as_char() {
            '<' => self.depth += 1,
            '>' if !self.arrow => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.arrow = punct.as_char() == '-';
    }
}

pub fn is_ident(tree: &TokenTree, name: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident.to_string().as_str() == name)
}

pub fn is_punct(tree: &TokenTree, c: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == c)
}

/// Trees as a stream.
pub fn stream(trees: &[TokenTree]) -> TokenStream {
    trees.iter().cloned().collect()
}
