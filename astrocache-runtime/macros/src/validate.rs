//! What can be cached and how: the checks on a function's shape, and the plan for its expansion. Each refusal stands on the
//! user's own tokens and says what to write instead. Types are checked later, by rustc, against the runtime's traits.

use std::fmt::Display;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Error, FnArg, Lifetime, Pat, PatIdent, PatType, Receiver, ReceiverKind, Result, ReturnType, Safety, Type,
};

use crate::args::Args;
use crate::parse::CachedFn;

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
    pub name: Ident,
    pub span: Span,
    /// The name is a reference already.
    pub by_ref: bool,
    /// `#[cfg]` of the parameter.
    pub cfgs: Vec<Attribute>,
}

/// What `expand` needs beyond the function itself.
pub struct Plan {
    pub inputs: Vec<Input>,
    pub ret: Type,
    pub stored: Stored,
    /// The return type could hide a `Result`.
    pub probe: bool,
}

/// Checks `f` and `args` against each other.
pub fn plan(f: &CachedFn, args: &Args) -> Result<Plan> {
    let mut errors = Errors(None);
    qualifiers(f, &mut errors);
    let ret = return_type(f, &mut errors);
    let inputs = inputs(f, &mut errors);
    named_arguments(&inputs, args, &mut errors);
    errors.finish()?;
    let ret = ret.ok_or_else(|| {
        Error::new(
            f.sig.ident.span(),
            "this function returns nothing, so there is nothing to cache",
        )
    })?;
    let stored = stored(&ret, args);
    let probe =
        stored == Stored::Whole && args.result.is_none() && !ends_in(&ret, "Result") && !ends_in(&ret, "Option");
    Ok(Plan {
        inputs,
        ret,
        stored,
        probe,
    })
}

/// Several mistakes, each reported once.
struct Errors(Option<Error>);

impl Errors {
    fn push(&mut self, at: impl ToTokens, message: impl Display) {
        let error = Error::new_spanned(at, message);
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn qualifiers(f: &CachedFn, errors: &mut Errors) {
    let sig = &f.sig;
    if let Some(token) = &sig.constness {
        errors.push(
            token,
            "a `const fn` cannot be cached, it may run at compile time; remove `const`",
        );
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.push(
            token,
            "an `unsafe fn` cannot be cached; put the unsafe code into a safe function, or cache a safe caller",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.push(
            abi,
            "an `extern` function cannot be cached; cache a Rust function that it calls",
        );
    }
    if let Some(variadic) = &sig.variadic {
        errors.push(
            variadic,
            "a function with a variable number of arguments cannot be cached",
        );
    }
}

fn return_type(f: &CachedFn, errors: &mut Errors) -> Option<Type> {
    let ty = match &f.sig.output {
        ReturnType::Default => {
            errors.push(
                &f.sig.ident,
                "this function returns nothing, so there is nothing to cache; remove `#[cached]` or return the result",
            );
            return None;
        }
        ReturnType::Type(_, ty) => ty,
    };
    match &**ty {
        Type::Never(_) => errors.push(ty, "a function that never returns cannot be cached"),
        Type::Tuple(tuple) if tuple.elems.is_empty() => {
            errors.push(
                ty,
                "this function returns nothing, so there is nothing to cache; remove `#[cached]` or return the result",
            );
        }
        _ => borrowed_or_opaque(ty, errors),
    }
    Some((**ty).clone())
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
    impl_trait: Option<TokenStream>,
    borrow: Option<TokenStream>,
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

fn inputs(f: &CachedFn, errors: &mut Errors) -> Vec<Input> {
    let mut inputs = Vec::new();
    for arg in &f.sig.inputs {
        match arg {
            FnArg::Receiver(receiver) => inputs.extend(self_input(receiver, errors)),
            FnArg::Typed(typed) => typed_inputs(typed, &mut inputs, errors),
        }
    }
    inputs
}

fn self_input(receiver: &Receiver, errors: &mut Errors) -> Option<Input> {
    let (mutable, by_ref) = match &receiver.kind {
        ReceiverKind::Reference(_, _, mutable) => (mutable.is_some(), true),
        ReceiverKind::Typed(_, ty) => (mutable_borrow(ty).is_some(), matches!(**ty, Type::Reference(_))),
        _ => (false, false),
    };
    if mutable {
        errors.push(receiver, "a method that takes `&mut self` cannot be cached, a hit would not change `self`; take `&self` and return the new value");
        return None;
    }
    let span = receiver.self_token.span;
    Some(Input {
        name: Ident::new("self", span),
        span,
        by_ref,
        cfgs: Vec::new(),
    })
}

fn typed_inputs(typed: &PatType, inputs: &mut Vec<Input>, errors: &mut Errors) {
    let mut found = Found::default();
    found.visit_type(&typed.ty);
    if let Some(at) = found.impl_trait {
        errors.push(at, "an `impl Trait` argument cannot be cached; name the type parameter (`fn f<T: Trait + serde::Serialize>(x: T)`), or take `astrocache::Func<F>` for a function");
        return;
    }
    if let Some(at) = mutable_borrow(&typed.ty) {
        errors.push(
            at,
            "a `&mut` argument cannot be cached, a hit would not write to it; return the new value instead",
        );
        return;
    }
    let mut bound = Bound::default();
    bound.visit_pat(&typed.pat);
    if let Some(at) = bound.ref_mut {
        errors.push(
            at,
            "`ref mut` cannot be cached, a hit would not write to it; return the new value instead",
        );
        return;
    }
    let cfgs: Vec<Attribute> = typed
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"))
        .cloned()
        .collect();
    let plain = matches!(&*typed.pat, Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none());
    let by_ref = plain && matches!(&*typed.ty, Type::Reference(_));
    inputs.extend(bound.names.into_iter().map(|name| Input {
        name,
        span: typed.ty.span(),
        by_ref,
        cfgs: cfgs.clone(),
    }));
}

fn mutable_borrow(ty: &Type) -> Option<TokenStream> {
    match ty {
        Type::Reference(reference) => reference.mutability.as_ref().map(|_| reference.to_token_stream()),
        Type::Paren(inner) => mutable_borrow(&inner.elem),
        Type::Group(inner) => mutable_borrow(&inner.elem),
        _ => None,
    }
}

/// The names that a pattern binds.
#[derive(Default)]
struct Bound {
    names: Vec<Ident>,
    ref_mut: Option<TokenStream>,
}

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        // `None` and other constants look like bindings in no irrefutable pattern.
        if pat.by_ref.is_some() && pat.mutability.is_some() {
            self.ref_mut.get_or_insert_with(|| pat.to_token_stream());
        }
        self.names.push(pat.ident.clone());
        visit::visit_pat_ident(self, pat);
    }
}

fn named_arguments(inputs: &[Input], args: &Args, errors: &mut Errors) {
    for (option, names) in [("skip", &args.skip), ("file", &args.file)] {
        for name in names
            .iter()
            .filter(|name| inputs.iter().all(|input| input.name != **name))
        {
            let known: Vec<String> = inputs.iter().map(|input| format!("`{}`", input.name)).collect();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("there is {}", known.join(", "))
            };
            errors.push(name, format!("`{option}` names no argument of this function; {known}"));
        }
    }
}

fn stored(ret: &Type, args: &Args) -> Stored {
    match (args.result, args.option) {
        (Some(true), _) => Stored::Ok,
        (_, Some(true)) => Stored::Some,
        (None, _) if ends_in(ret, "Result") => Stored::Ok,
        (_, None) if ends_in(ret, "Option") => Stored::Some,
        _ => Stored::Whole,
    }
}

fn ends_in(ty: &Type, name: &str) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == name),
        Type::Paren(inner) => ends_in(&inner.elem, name),
        Type::Group(inner) => ends_in(&inner.elem, name),
        _ => false,
    }
}
