//! What can be cached and how: the checks on a function's shape, and the plan for its expansion. Each refusal stands on the
//! user's own tokens and says what to write instead. Types are checked later, by rustc, against the runtime's traits.

use std::fmt::Display;

use proc_macro2::TokenStream as SynTokens;
use quote::ToTokens;
use syn::parse::Parser;
use syn::visit::{self, Visit};
use syn::{Error, Lifetime, Pat, PatIdent, Result, Type};

use crate::args::Args;
use crate::parse::{Angles, CachedFn, Param, is_ident, is_punct, stream};
use crate::pm::{Delimiter, Ident, Span, TokenStream, TokenTree};

/// How the result is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The value itself.
    Whole,
    /// Only the inside of `Ok`.
    Ok,
    /// Only the inside of `Some`.
    Some,
}

/// One name that enters the key.
pub struct Input {
    /// An identifier, or `self`.
    pub name: TokenTree,
    pub text: String,
    pub span: Span,
    /// The name is a reference already.
    pub by_ref: bool,
    /// `#[cfg]` of the parameter.
    pub cfgs: Vec<TokenTree>,
}

/// What `expand` needs beyond the function itself.
pub struct Plan<'t> {
    pub inputs: Vec<Input>,
    pub const_params: Vec<&'t Ident>,
    pub stored: Stored,
    /// The return type could hide a `Result`.
    pub probe: bool,
}

/// Checks `f` and `args` against each other.
pub fn plan<'t>(f: &CachedFn<'t>, args: &Args) -> Result<Plan<'t>> {
    let mut errors = Errors(None);
    qualifiers(f, &mut errors);
    return_type(f, &mut errors)?;
    let inputs = inputs(f, &mut errors)?;
    named_arguments(&inputs, args, &mut errors);
    errors.finish()?;
    let last = last_segment(f.ret);
    let last = last.as_deref();
    let stored = stored(last, args);
    let probe = stored == Stored::Whole
        && args.result.is_none()
        && last.is_some_and(|name| name != "Result" && name != "Option" && !is_familiar(name));
    Ok(Plan {
        inputs,
        const_params: const_params(f.generics),
        stored,
        probe,
    })
}

/// Several mistakes, each reported once.
struct Errors(Option<Error>);

impl Errors {
    fn push(&mut self, at: impl Into<SynTokens>, message: impl Display) {
        let error = Error::new_spanned(at.into(), message);
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn qualifiers(f: &CachedFn<'_>, errors: &mut Errors) {
    for (at, token) in f.qualifiers.iter().enumerate() {
        if is_ident(token, "const") {
            errors.push(
                stream(&f.qualifiers[at..=at]),
                "a `const fn` cannot be cached, it may run at compile time; remove `const`",
            );
        } else if is_ident(token, "unsafe") {
            errors.push(
                stream(&f.qualifiers[at..=at]),
                "an `unsafe fn` cannot be cached; put the unsafe code into a safe function, or cache a safe caller",
            );
        } else if is_ident(token, "extern") {
            errors.push(
                stream(&f.qualifiers[at..]),
                "an `extern` function cannot be cached; cache a Rust function that it calls",
            );
        }
    }
}

fn return_type(f: &CachedFn<'_>, errors: &mut Errors) -> Result<()> {
    const NOTHING: &str =
        "this function returns nothing, so there is nothing to cache; remove `#[cached]` or return the result";
    match f.ret {
        [] => errors.push(TokenStream::from(TokenTree::from(f.name.clone())), NOTHING),
        [TokenTree::Group(unit)] if unit.delimiter() == Delimiter::Parenthesis && unit.stream().is_empty() => {
            errors.push(stream(f.ret), NOTHING);
        }
        [never] if is_punct(never, '!') => errors.push(stream(f.ret), "a function that never returns cannot be cached"),
        ret if mentions(ret, &|tree| {
            is_ident(tree, "impl") || is_punct(tree, '&') || is_punct(tree, '\'')
        }) =>
        {
            borrowed_or_opaque(&syn::parse2(stream(ret).into())?, errors);
        }
        _ => {}
    }
    Ok(())
}

/// Is one of these trees, or of those in their groups, such a token?
fn mentions(trees: &[TokenTree], such: &dyn Fn(&TokenTree) -> bool) -> bool {
    trees.iter().any(|tree| match tree {
        TokenTree::Group(group) => mentions(&group.stream().into_iter().collect::<Vec<_>>(), such),
        tree => such(tree),
    })
}

fn borrowed_or_opaque(ty: &Type, errors: &mut Errors) {
    let mut found = Found::default();
    found.visit_type(ty);
    if let Some(at) = found.impl_trait {
        errors.push(at, "a cached function must name its return type, `impl Trait` cannot be read back from the store; return for example a `Vec`");
    } else if let Some(at) = found.borrow {
        errors.push(at, "a cached function must return an owned value, a stored one has nothing to borrow from; return `String`, `Vec<T>` or `PathBuf` rather than a reference");
    }
}

/// The first `impl Trait` and the first borrow in a type.
#[derive(Default)]
struct Found {
    impl_trait: Option<SynTokens>,
    borrow: Option<SynTokens>,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.impl_trait.get_or_insert_with(|| ty.to_token_stream());
    }

    fn visit_type_reference(&mut self, ty: &'ast syn::TypeReference) {
        self.borrow.get_or_insert_with(|| ty.to_token_stream());
        visit::visit_type_reference(self, ty);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.borrow.get_or_insert_with(|| lifetime.to_token_stream());
        }
    }

    // A function pointer's own signature borrows nothing.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
}

fn inputs(f: &CachedFn<'_>, errors: &mut Errors) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for param in &f.params {
        if param.is_variadic() {
            errors.push(
                param.tokens(),
                "a function with a variable number of arguments cannot be cached",
            );
        } else if let Some(token) = param.pat.iter().find(|tree| is_ident(tree, "self")) {
            inputs.extend(self_input(param, token, errors));
        } else {
            typed_inputs(param, &mut inputs, errors)?;
        }
    }
    Ok(inputs)
}

fn self_input(receiver: &Param, token: &TokenTree, errors: &mut Errors) -> Option<Input> {
    let borrowed = receiver.pat.first().is_some_and(|tree| is_punct(tree, '&'));
    let borrowed_mutably = borrowed && receiver.pat.iter().any(|tree| is_ident(tree, "mut"));
    if borrowed_mutably || mutable_borrow(&receiver.ty).is_some() {
        errors.push(receiver.tokens(), "a method that takes `&mut self` cannot be cached, a hit would not change `self`; take `&self` and return the new value");
        return None;
    }
    let span = token.span();
    Some(Input {
        name: token.clone(),
        text: "self".to_owned(),
        span,
        by_ref: borrowed || receiver.ty.first().is_some_and(|tree| is_punct(tree, '&')),
        cfgs: Vec::new(),
    })
}

fn typed_inputs(param: &Param, inputs: &mut Vec<Input>, errors: &mut Errors) -> Result<()> {
    if mentions(&param.ty, &|tree| is_ident(tree, "impl")) {
        let mut found = Found::default();
        found.visit_type(&syn::parse2(stream(&param.ty).into())?);
        if let Some(at) = found.impl_trait {
            errors.push(at, "an `impl Trait` argument cannot be cached; name the type parameter (`fn f<T: Trait + serde::Serialize>(x: T)`), or take `astrocache::Func<F>` for a function");
            return Ok(());
        }
    }
    if let Some(at) = mutable_borrow(&param.ty) {
        errors.push(
            at,
            "a `&mut` argument cannot be cached, a hit would not write to it; return the new value instead",
        );
        return Ok(());
    }
    let mut bound = Bound::default();
    let plain = match param.pat.as_slice() {
        [name @ TokenTree::Ident(_)] => Some(name),
        [mutable, name @ TokenTree::Ident(_)] if is_ident(mutable, "mut") => Some(name),
        pat => {
            bound.visit_pat(&Pat::parse_single.parse2(stream(pat).into())?);
            None
        }
    };
    if let Some(at) = bound.ref_mut {
        errors.push(
            at,
            "`ref mut` cannot be cached, a hit would not write to it; return the new value instead",
        );
        return Ok(());
    }
    bound.names.extend(plain.filter(|name| !is_ident(name, "_")).cloned());
    let cfgs = param.cfgs();
    let span = param.ty.first().map_or_else(Span::call_site, TokenTree::span);
    let by_ref = plain.is_some() && param.ty.first().is_some_and(|tree| is_punct(tree, '&'));
    inputs.extend(bound.names.into_iter().map(|name| Input {
        text: name.to_string(),
        name,
        span,
        by_ref,
        cfgs: cfgs.clone(),
    }));
    Ok(())
}

/// The type, if it is a mutable borrow, also in parentheses.
fn mutable_borrow(ty: &[TokenTree]) -> Option<TokenStream> {
    let [first, rest @ ..] = ty else {
        return None;
    };
    match first {
        TokenTree::Group(group) if rest.is_empty() && group.delimiter() != Delimiter::Bracket => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let tuple = inside.iter().any(|tree| is_punct(tree, ','));
            if tuple { None } else { mutable_borrow(&inside) }
        }
        first if is_punct(first, '&') => {
            let rest = match rest {
                [quote, _, rest @ ..] if is_punct(quote, '\'') => rest,
                rest => rest,
            };
            let mutable = rest.first().is_some_and(|tree| is_ident(tree, "mut"));
            mutable.then(|| stream(ty))
        }
        _ => None,
    }
}

/// The names of const parameters.
fn const_params(generics: &[TokenTree]) -> Vec<&Ident> {
    let params = generics.windows(3).filter_map(|trees| match trees {
        [word, TokenTree::Ident(name), colon] if is_ident(word, "const") && is_punct(colon, ':') => Some(name),
        _ => None,
    });
    params.collect()
}

/// The names that a pattern binds.
#[derive(Default)]
struct Bound {
    names: Vec<TokenTree>,
    ref_mut: Option<SynTokens>,
}

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        // `None` and other constants look like bindings in no irrefutable pattern.
        if pat.by_ref.is_some() && pat.mutability.is_some() {
            self.ref_mut.get_or_insert_with(|| pat.to_token_stream());
        }
        self.names.extend(TokenStream::from(pat.ident.to_token_stream()));
        visit::visit_pat_ident(self, pat);
    }
}

fn named_arguments(inputs: &[Input], args: &Args, errors: &mut Errors) {
    for (option, names) in [("skip", &args.skip), ("file", &args.file)] {
        for name in names
            .iter()
            .filter(|name| inputs.iter().all(|input| **name != input.text))
        {
            let known: Vec<String> = inputs.iter().map(|input| format!("`{}`", input.text)).collect();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("there is {}", known.join(", "))
            };
            errors.push(
                name.to_token_stream(),
                format!("`{option}` names no argument of this function; {known}"),
            );
        }
    }
}

fn stored(last: Option<&str>, args: &Args) -> Stored {
    let is = |name: &str| last == Some(name);
    match (args.result, args.option) {
        (Some(true), _) => Stored::Ok,
        (_, Some(true)) => Stored::Some,
        (None, _) if is("Result") => Stored::Ok,
        (_, None) if is("Option") => Stored::Some,
        _ => Stored::Whole,
    }
}

/// The last name of a path, also in parentheses; `None` if the type is no path.
fn last_segment(ty: &[TokenTree]) -> Option<String> {
    if let [TokenTree::Group(group)] = ty
        && group.delimiter() != Delimiter::Bracket
    {
        return last_segment(&group.stream().into_iter().collect::<Vec<_>>());
    }
    let mut angles = Angles::default();
    let mut last = None;
    let mut after_name = false;
    for tree in ty {
        angles.pass(tree);
        match tree {
            _ if angles.depth > 0 => {}
            TokenTree::Ident(_) if after_name => return None,
            TokenTree::Ident(name) => last = Some(name),
            TokenTree::Punct(punct) if matches!(punct.as_char(), ':' | '>') => {}
            _ => return None,
        }
        after_name = matches!(tree, TokenTree::Ident(_)) && angles.depth == 0;
    }
    last.map(Ident::to_string)
}

/// Nobody gives such a name to an alias of `Result`.
fn is_familiar(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "char"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
            | "f32"
            | "f64"
            | "String"
    )
}
