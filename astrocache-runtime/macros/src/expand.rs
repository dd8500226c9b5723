//! The code that takes a function's place. The body becomes a closure, so that `?`, `return`, patterns and generics mean
//! what they meant; no name is added beside the function, and the user's tokens keep their spans.

use astrocache_manifest::Finding;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Result};

use crate::args::Args;
use crate::parse::{CachedFn, error_and_item};
use crate::session::{self, Answer, Found, Kind, Place};
use crate::toks;
use crate::validate::{Plan, Stored, plan};

/// `#[cached]`
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    match try_cached(options, item.clone()) {
        Ok(tokens) => tokens,
        Err(error) => error_and_item(&error, item),
    }
}

fn try_cached(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let args: Args = syn::parse2(options)?;
    let f: CachedFn = syn::parse2(item.clone())?;
    let plan = plan(&f, &args)?;
    let name = f.sig.ident.to_string();
    let name = name.strip_prefix("r#").unwrap_or(&name);
    let place = || Place::of(name.to_owned(), f.sig.ident.span(), toks::item_hash(item.clone()));
    match session::ask(place) {
        Answer::Plain => Ok(item),
        Answer::Check => Ok(checked(&f, &args, &plan)),
        Answer::Site(found) => {
            strictly(&args, &found)?;
            Ok(called(&f, &args, &plan, &found))
        }
    }
}

/// `func!(..)`
pub fn func(input: TokenStream) -> TokenStream {
    if input.is_empty() {
        return Error::new(Span::call_site(), "`func!` takes a function's path or a closure").to_compile_error();
    }
    let place = || Place::of("func!".to_owned(), Span::call_site(), toks::hash(input.clone()));
    let fingerprint = match session::ask(place) {
        Answer::Site(found) if found.kind != Kind::None => {
            let bytes = bytes(&combined(&found));
            quote!(::core::option::Option::Some(#bytes))
        }
        _ => quote!(::core::option::Option::None),
    };
    let astrocache = runtime();
    let span = input
        .clone()
        .into_iter()
        .next()
        .map_or_else(Span::call_site, |tree| tree.span());
    quote_spanned!(span=> #astrocache::Func::__new(#fingerprint, #input))
}

/// A function value carries one hash into keys that know nothing of its build context.
fn combined(found: &Found) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(&[found.fingerprint, found.context].concat()).as_bytes()[..16]);
    hash
}

/// The runtime's crate, under the name that the user gave it.
fn runtime() -> TokenStream {
    let name = Ident::new(session::runtime_name(), Span::call_site());
    quote!(::#name)
}

/// `strict`: whatever memoization cannot see is an error, unless it was allowed.
fn strictly(args: &Args, found: &Found) -> Result<()> {
    let Some(span) = args.strict else {
        return Ok(());
    };
    let refused = found
        .findings
        .iter()
        .filter(|finding| !args.allow.iter().any(|allowed| accepts(allowed, finding)));
    let mut list: Vec<String> = refused
        .map(|finding| {
            format!(
                "{} ({}) at {}:{}",
                finding.name,
                finding.kind,
                finding.file.display(),
                finding.line
            )
        })
        .collect();
    if list.is_empty() {
        return Ok(());
    }
    list.sort();
    list.dedup();
    let more = list.len().saturating_sub(5);
    list.truncate(5);
    if more > 0 {
        list.push(format!("and {more} more"));
    }
    let message = format!(
        "`strict`: this function can run code that memoization cannot see\n  {}\n  accept it with `allow(kind)` or `allow(path)`, or pass what it reads as an argument",
        list.join("\n  ")
    );
    Err(Error::new(span, message))
}

/// Does `allow(..)` with this mean the finding: by its kind, by its path, or by a path around it?
fn accepts(allowed: &str, finding: &Finding) -> bool {
    let inside = |rest: &str| rest.is_empty() || rest.starts_with("::");
    finding.kind == allowed || finding.name.strip_prefix(allowed).is_some_and(inside)
}

/// The function when code is made.
fn called(f: &CachedFn, args: &Args, plan: &Plan, found: &Found) -> TokenStream {
    let astrocache = runtime();
    let CachedFn {
        attrs,
        vis,
        sig,
        body,
        inner_attrs,
    } = f;
    let ret = &plan.ret;
    let call = call_path(&astrocache, f, plan);
    let (run, wait) = match sig.asyncness {
        None => (quote!(move || -> #ret #body), None),
        // The dead branch gives the block its type, as the closure's signature does above.
        Some(_) => {
            let dead = quote!(#[allow(unreachable_code, unused, clippy::all)] if false { let ret: #ret = loop {}; return ret; });
            let statements = body.stream();
            (quote!(async move { #dead #statements }), Some(quote!(.await)))
        }
    };
    let site = site(&astrocache, args, sig, found);
    let watched = watched();
    let probe = probe(&astrocache, plan);
    let key = key_ident();
    let build_key = build_key(&astrocache, f, args, plan);
    quote! {
        #(#attrs)* #(#inner_attrs)* #vis #sig {
            #watched
            #probe
            #site
            #build_key
            #call(&__ASTROCACHE_SITE, #key, #run) #wait
        }
    }
}

/// The function when only types are checked: its body untouched, and beside it, never run, what caching asks of the types.
fn checked(f: &CachedFn, args: &Args, plan: &Plan) -> TokenStream {
    let astrocache = runtime();
    let CachedFn {
        attrs,
        vis,
        sig,
        body,
        inner_attrs,
    } = f;
    let statements = body.stream();
    let ret = &plan.ret;
    let call = call_path(&astrocache, f, plan);
    let runs = match sig.asyncness {
        None => quote!(fn() -> #ret),
        Some(_) => quote!(::core::future::Ready<#ret>),
    };
    let generics = match plan.stored {
        Stored::Ok => quote!(<_, _, #runs>),
        Stored::Some => quote!(<_, #runs>),
        Stored::Whole => quote!(<#ret, #runs>),
    };
    let call = match plan.stored {
        Stored::Whole => call_name(&astrocache, f, plan),
        _ => call,
    };
    let site = site(&astrocache, args, sig, &Found::inert());
    let probe = probe(&astrocache, plan);
    let build_key = build_key(&astrocache, f, args, plan);
    quote! {
        #(#attrs)* #(#inner_attrs)* #vis #sig {
            #[allow(unused, unreachable_code, clippy::all, clippy::pedantic, clippy::restriction)]
            if false {
                #probe
                #site
                #build_key
                let _ = #call::#generics;
            }
            #statements
        }
    }
}

fn call_name(astrocache: &TokenStream, f: &CachedFn, plan: &Plan) -> TokenStream {
    let name = match plan.stored {
        Stored::Whole => "",
        Stored::Ok => "_result",
        Stored::Some => "_option",
    };
    let infix = if f.sig.asyncness.is_some() { "_async" } else { "" };
    let name = Ident::new(&format!("call{infix}{name}"), plan.ret.span());
    quote_spanned!(plan.ret.span()=> #astrocache::__private::#name)
}

fn call_path(astrocache: &TokenStream, f: &CachedFn, plan: &Plan) -> TokenStream {
    let name = call_name(astrocache, f, plan);
    let ret = &plan.ret;
    match plan.stored {
        Stored::Whole => quote_spanned!(ret.span()=> #name::<#ret, _>),
        _ => name,
    }
}

/// Seen by no code but ours.
fn key_ident() -> Ident {
    Ident::new("__astrocache_key", Span::mixed_site())
}

/// `Result` behind an alias looks like any other type to us, not to the compiler.
fn probe(astrocache: &TokenStream, plan: &Plan) -> Option<TokenStream> {
    let ret = &plan.ret;
    plan.probe.then(|| {
        quote_spanned! {ret.span()=>
            const {
                #[allow(unused_imports)]
                use #astrocache::__private::NotResult as _;
                if <#astrocache::__private::ResultProbe<#ret>>::IS_RESULT {
                    ::core::panic!("this return type is an alias of `Result`: write #[cached(result)] to store only `Ok`, or #[cached(result = false)] to store errors too");
                }
            };
        }
    })
}

fn build_key(astrocache: &TokenStream, f: &CachedFn, args: &Args, plan: &Plan) -> TokenStream {
    let key = key_ident();
    let mut feeds = Vec::new();
    if let Some(expr) = &args.key {
        feeds.push(quote_spanned!(expr.span()=> #key.arg("key", &(#expr));));
    }
    for input in &plan.inputs {
        let (name, cfgs) = (&input.name, &input.cfgs);
        let text = name.to_string();
        let value = if input.by_ref {
            quote!(#name)
        } else {
            quote_spanned!(input.span=> &#name)
        };
        let is_file = args.file.contains(name);
        if is_file {
            feeds.push(quote_spanned!(input.span=> #(#cfgs)* #key.file(#text, #value);));
        } else if args.key.is_none() && !args.skip.contains(name) {
            feeds.push(quote_spanned!(input.span=> #(#cfgs)* #key.arg(#text, #value);));
        }
    }
    for param in f.sig.generics.const_params() {
        let (name, text) = (&param.ident, param.ident.to_string());
        feeds.push(quote_spanned!(name.span()=> #key.arg(#text, &#name);));
    }
    if let Some(expr) = &args.condition {
        let holds = Ident::new("__astrocache_if", Span::mixed_site());
        feeds.push(quote_spanned!(expr.span()=> let #holds: bool = #expr;));
        feeds.push(quote!(if !#holds { #key.bypass(); }));
    }
    quote! {
        #[allow(unused_mut)]
        let mut #key = #astrocache::__private::KeyBuilder::new(&__ASTROCACHE_SITE);
        #(#feeds)*
    }
}

fn site(astrocache: &TokenStream, args: &Args, sig: &syn::Signature, found: &Found) -> TokenStream {
    let kind = format_ident!("{}", format!("{:?}", found.kind));
    let name = sig.ident.to_string();
    let path = match &found.path {
        Some(path) => quote!(#path),
        None => quote!(::core::concat!(::core::module_path!(), "::", #name)),
    };
    let (package, workspace, why, crates) = (&found.package, &found.workspace, &found.why, &found.crates);
    let (fingerprint, context) = (bytes(&found.fingerprint), bytes(&found.context));
    let version = args.version;
    let (ttl_secs, max_entries) = (optional(args.ttl_secs), optional(args.max_entries));
    quote! {
        static __ASTROCACHE_SITE: #astrocache::__private::Site = #astrocache::__private::Site {
            path: #path,
            package: #package,
            workspace: #workspace,
            kind: #astrocache::__private::Kind::#kind,
            fingerprint: #fingerprint,
            context: #context,
            crates: &[#(#crates),*],
            why: #why,
            options: #astrocache::__private::Options { version: #version, ttl_secs: #ttl_secs, max_entries: #max_entries },
            state: #astrocache::__private::SiteState::new(),
        };
    }
}

/// `*b"..."`: one token instead of sixteen.
fn bytes(bytes: &[u8; 16]) -> TokenStream {
    let literal = Literal::byte_string(bytes);
    quote!(*#literal)
}

fn optional(value: Option<u64>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// What makes cargo compile this crate again although no source changed: said once per crate, in its first function.
fn watched() -> TokenStream {
    let Some(files) = session::watched() else {
        return TokenStream::new();
    };
    let files = files
        .iter()
        .filter_map(|file| file.to_str().map(ToTokens::to_token_stream));
    quote! {
        const _: [::core::option::Option<&str>; 3] = [
            ::core::option_env!("ASTROCACHE_TOOL"),
            ::core::option_env!("ASTROCACHE_LOCKED"),
            ::core::option_env!("DOCS_RS"),
        ];
        #(const _: &[u8] = ::core::include_bytes!(#files);)*
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_accepted_by_kind_by_path_and_by_a_path_around_it() {
        let finding = Finding {
            kind: "net".into(),
            name: "std::net::TcpStream::connect".into(),
            file: "/a.rs".into(),
            line: 1,
        };
        for allowed in [
            "net",
            "std::net::TcpStream::connect",
            "std::net::TcpStream",
            "std::net",
            "std",
        ] {
            assert!(accepts(allowed, &finding), "{allowed}");
        }
        for other in ["time", "std::net::Tcp", "std::ne", "connect", ""] {
            assert!(!accepts(other, &finding), "{other}");
        }
    }
}
