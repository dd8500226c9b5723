//! The code that takes a function's place. The body becomes a closure, so that `?`, `return`, patterns and generics mean
//! what they meant; no name is added beside the function, and the user's tokens keep their spans.

use astrocache_manifest::Finding;
use quote::ToTokens;
use syn::{Error, Expr, Result};

use crate::args::Args;
use crate::code::Code;
use crate::parse::{CachedFn, cached_fn, is_punct, outer_attributes};
use crate::pm::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use crate::session::{self, Answer, Found, Kind, Place};
use crate::toks;
use crate::validate::{Input, Plan, Stored, plan};

/// `#[cached]`
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut item: Vec<TokenTree> = item.into_iter().collect();
    match new_body(options, &item) {
        Ok(None) => {}
        Ok(Some((inner_attributes, body))) => {
            item.pop();
            let at = outer_attributes(&item);
            item.splice(at..at, inner_attributes);
            item.push(TokenTree::Group(body));
        }
        // The item as the user wrote it: one mistake gives one error, not ten about a missing function.
        Err(error) => item.extend(TokenStream::from(error.to_compile_error())),
    }
    item.into_iter().collect()
}

/// The body's inner attributes, as outer ones, and the body that takes the place of the user's; `None` to leave it.
fn new_body(options: TokenStream, item: &[TokenTree]) -> Result<Option<(Vec<TokenTree>, Group)>> {
    let args = match options.is_empty() {
        true => Args::default(),
        false => syn::parse2(options.into())?,
    };
    let f = cached_fn(item)?;
    let plan = plan(&f, &args)?;
    let name = plain_name(&f);
    let place = || Place::of(name, f.name.span().into(), toks::function_hash(&f));
    let code = match session::ask(place) {
        Answer::Plain => return Ok(None),
        Answer::Check => checked(&f, &args, &plan),
        Answer::Site(found) => {
            strictly(&args, &found)?;
            called(&f, &args, &plan, &found)
        }
    };
    let mut body = Group::new(Delimiter::Brace, code.into_stream());
    body.set_span(f.body_group.span());
    let inner = f.body[..f.inner_attributes()].iter();
    let as_outer = inner.filter(|tree| !is_punct(tree, '!')).cloned();
    Ok(Some((as_outer.collect(), body)))
}

/// Without `r#`.
fn plain_name(f: &CachedFn<'_>) -> String {
    let name = f.name.to_string();
    match name.strip_prefix("r#") {
        Some(plain) => plain.to_owned(),
        None => name,
    }
}

/// `func!(..)`
pub fn func(input: TokenStream) -> TokenStream {
    let Some(first) = input.clone().into_iter().next() else {
        let error = Error::new(Span::call_site().into(), "`func!` takes a function's path or a closure");
        return error.to_compile_error().into();
    };
    let place = || Place::of("func!".to_owned(), Span::call_site().into(), toks::hash(input.clone()));
    let fingerprint = match session::ask(place) {
        Answer::Site(found) if found.kind != Kind::None => {
            format!("::core::option::Option::Some({:?})", combined(&found))
        }
        _ => "::core::option::Option::None".to_owned(),
    };
    let mut code = Code::at(first.span());
    code.path(&[session::runtime_name(), "Func", "__new"]);
    code.group(Delimiter::Parenthesis, |code| {
        code.parsed(&fingerprint).sign(",").stream(input);
    });
    code.into_stream()
}

/// A function value carries one hash into keys that know nothing of its build context.
fn combined(found: &Found) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(&[found.fingerprint, found.context].concat()).as_bytes()[..16]);
    hash
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

/// The body when code is made: the user's becomes a closure, or a future.
fn called(f: &CachedFn<'_>, args: &Args, plan: &Plan<'_>, found: &Found) -> Code {
    let mut code = Code::at(Span::call_site());
    watched(&mut code);
    probe(&mut code, f, plan);
    site(&mut code, args, f, found);
    build_key(&mut code, args, plan);
    call_name(&mut code, f, plan);
    if plan.stored == Stored::Whole {
        code.with_span(span_of(f.ret), |code| {
            code.sign("::<");
            code.splice(f.ret.iter().cloned());
            code.sign(",").word("_").sign(">");
        });
    }
    code.group(Delimiter::Parenthesis, |code| {
        code.sign("&").word(SITE).sign(",").tree(key_ident()).sign(",");
        run(code, f);
    });
    if f.is_async() {
        code.sign(".").word("await");
    }
    code
}

fn run(code: &mut Code, f: &CachedFn<'_>) {
    let body = f.body_without_attributes();
    if !f.is_async() {
        code.word("move")
            .sign("||")
            .sign("->")
            .splice(f.ret.iter().cloned())
            .tree(body);
        return;
    }
    code.word("async").word("move").group(Delimiter::Brace, |code| {
        // The dead branch gives the block its type, as the closure's signature does above.
        code.parsed("#[allow(unreachable_code, unused, clippy::all)] if false");
        code.group(Delimiter::Brace, |code| {
            code.word("let").word("ret").sign(":").splice(f.ret.iter().cloned());
            code.parsed("= loop {}; return ret;");
        });
        code.stream(body.stream());
    });
}

/// The body when only types are checked: the user's untouched, and before it, never run, what caching asks of the types.
fn checked(f: &CachedFn<'_>, args: &Args, plan: &Plan<'_>) -> Code {
    let mut code = Code::at(Span::call_site());
    code.parsed("#[allow(unused, unreachable_code, clippy::all, clippy::pedantic, clippy::restriction)] if false");
    code.group(Delimiter::Brace, |code| {
        probe(code, f, plan);
        site(code, args, f, &Found::inert());
        build_key(code, args, plan);
        code.word("let").word("_").sign("=");
        call_name(code, f, plan);
        code.sign("::<");
        match plan.stored {
            Stored::Ok => code.word("_").sign(",").word("_"),
            Stored::Some => code.word("_"),
            Stored::Whole => code.splice(f.ret.iter().cloned()),
        };
        code.sign(",");
        match f.is_async() {
            true => code
                .path(&["core", "future", "Ready"])
                .sign("<")
                .splice(f.ret.iter().cloned())
                .sign(">"),
            false => code
                .word("fn")
                .group(Delimiter::Parenthesis, |_| {})
                .sign("->")
                .splice(f.ret.iter().cloned()),
        };
        code.sign(">").sign(";");
    });
    code.stream(f.body_without_attributes().stream());
    code
}

/// `::astrocache::__private::call` or one of its kin, at the return type: that is what its bounds are about.
fn call_name(code: &mut Code, f: &CachedFn<'_>, plan: &Plan<'_>) {
    let name = match (f.is_async(), plan.stored) {
        (false, Stored::Whole) => "call",
        (false, Stored::Ok) => "call_result",
        (false, Stored::Some) => "call_option",
        (true, Stored::Whole) => "call_async",
        (true, Stored::Ok) => "call_async_result",
        (true, Stored::Some) => "call_async_option",
    };
    code.with_span(span_of(f.ret), |code| {
        private(code, name);
    });
}

fn private(code: &mut Code, name: &str) {
    code.path(&[session::runtime_name(), "__private", name]);
}

/// Where an expression begins.
fn span_in(expr: &Expr) -> Span {
    let tokens = TokenStream::from(expr.to_token_stream());
    tokens
        .into_iter()
        .next()
        .map_or_else(Span::call_site, |tree| tree.span())
}

fn span_of(trees: &[TokenTree]) -> Span {
    trees.first().map_or_else(Span::call_site, TokenTree::span)
}

/// An item, and items see no hygiene: the name has to be unlikely.
const SITE: &str = "__ASTROCACHE_SITE";

/// Seen by no code but ours.
fn key_ident() -> Ident {
    Ident::new("__astrocache_key", Span::mixed_site())
}

/// `Result` behind an alias looks like any other type to us, not to the compiler.
fn probe(code: &mut Code, f: &CachedFn<'_>, plan: &Plan<'_>) {
    if !plan.probe {
        return;
    }
    code.with_span(span_of(f.ret), |code| {
        private(code, "not_an_alias_of_result");
        code.sign("!").group(Delimiter::Parenthesis, |code| {
            code.splice(f.ret.iter().cloned());
        });
        code.sign(";");
    });
}

fn build_key(code: &mut Code, args: &Args, plan: &Plan<'_>) {
    let key = key_ident();
    if plan.inputs.iter().any(|input| !input.cfgs.is_empty()) {
        code.parsed("#[allow(unused_mut)]");
    }
    code.word("let");
    if feeds(args, plan) {
        code.word("mut");
    }
    code.tree(key.clone()).sign("=");
    code.word(SITE)
        .sign(".")
        .word("key")
        .group(Delimiter::Parenthesis, |_| {});
    code.sign(";");
    if let Some(expr) = &args.key {
        code.with_span(span_in(expr), |code| {
            feed(code, &key, "arg", "key", |code| {
                code.sign("&").group(Delimiter::Parenthesis, |code| {
                    code.tokens(expr);
                });
            });
        });
    }
    for input in &plan.inputs {
        let Some(method) = method(args, input) else {
            continue;
        };
        code.with_span(input.span, |code| {
            code.splice(input.cfgs.iter().cloned());
            feed(code, &key, method, &input.text, |code| {
                if !input.by_ref {
                    code.sign("&");
                }
                code.tree(input.name.clone());
            });
        });
    }
    for name in &plan.const_params {
        code.with_span(name.span(), |code| {
            feed(code, &key, "arg", &name.to_string(), |code| {
                code.sign("&").tree((*name).clone());
            });
        });
    }
    if let Some(expr) = &args.condition {
        let holds = Ident::new("__astrocache_if", Span::mixed_site());
        code.with_span(span_in(expr), |code| {
            code.word("let")
                .tree(holds.clone())
                .sign(":")
                .word("bool")
                .sign("=")
                .tokens(expr)
                .sign(";");
        });
        code.word("if").sign("!").tree(holds).group(Delimiter::Brace, |code| {
            code.tree(key.clone()).parsed(".bypass();");
        });
    }
}

/// The method, if any, by which an argument enters the key.
fn method(args: &Args, input: &Input) -> Option<&'static str> {
    if args.file.iter().any(|name| *name == input.text) {
        return Some("file");
    }
    (args.key.is_none() && !args.skip.iter().any(|name| *name == input.text)).then_some("arg")
}

/// Is there anything to add to a key?
fn feeds(args: &Args, plan: &Plan<'_>) -> bool {
    let own = args.key.is_some() || args.condition.is_some() || !plan.const_params.is_empty();
    own || plan.inputs.iter().any(|input| method(args, input).is_some())
}

/// `key.method("name", value);`
fn feed(code: &mut Code, key: &Ident, method: &str, name: &str, value: impl FnOnce(&mut Code)) {
    code.tree(key.clone())
        .sign(".")
        .word(method)
        .group(Delimiter::Parenthesis, |code| {
            code.text(name).sign(",");
            value(code);
        });
    code.sign(";");
}

fn site(code: &mut Code, args: &Args, f: &CachedFn<'_>, found: &Found) {
    let runtime = session::runtime_name();
    let path = match &found.path {
        Some(path) => format!("{path:?}"),
        None => format!(
            "::core::concat!(::core::module_path!(), \"::\", {:?})",
            f.name.to_string()
        ),
    };
    let Found {
        package,
        workspace,
        crates,
        why,
        ..
    } = found;
    let crates = crates.join(" ");
    let fingerprint = u128::from_be_bytes(found.fingerprint);
    let context = u128::from_be_bytes(found.context);
    let kind = match found.kind {
        Kind::Fine => String::new(),
        Kind::Trusted => ".trusted()".to_owned(),
        Kind::Coarse => format!(".coarse({why:?})"),
        Kind::None => format!(".none({why:?})"),
    };
    let options = match (args.version, args.ttl_secs, args.max_entries) {
        (0, None, None) => String::new(),
        // No time and no number of entries is zero: `args` refuses that.
        (version, ttl, max) => format!(".with({version}, {}, {})", ttl.unwrap_or(0), max.unwrap_or(0)),
    };
    code.parsed(&format!(
        "static {SITE}: ::{runtime}::__private::Site = ::{runtime}::__private::Site::fine\
         ({path}, {package:?}, {workspace:?}, {fingerprint}, {context}, {crates:?}){kind}{options};"
    ));
}

/// What makes cargo compile this crate again although no source changed: said once per crate, in its first function.
fn watched(code: &mut Code) {
    let Some(files) = session::watched() else {
        return;
    };
    code.parsed(
        "const _: [::core::option::Option<&str>; 3] = [
            ::core::option_env!(\"ASTROCACHE_TOOL\"),
            ::core::option_env!(\"ASTROCACHE_LOCKED\"),
            ::core::option_env!(\"DOCS_RS\"),
        ];",
    );
    for file in files.iter().filter_map(|file| file.to_str()) {
        code.parsed(&format!("const _: &[u8] = ::core::include_bytes!({file:?});"));
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
