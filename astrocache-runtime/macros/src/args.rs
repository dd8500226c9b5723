//! The options of `#[cached(..)]`: text to values, unknown, repeated and conflicting ones refused. Whether they fit the
//! function is `validate`'s business.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, LitBool, LitInt, LitStr, Path, Result, Token, parenthesized};

const NAMES: [&str; 11] = [
    "key",
    "skip",
    "file",
    "if",
    "version",
    "ttl",
    "max_entries",
    "result",
    "option",
    "strict",
    "allow",
];

/// What the user asked for.
#[derive(Default)]
pub struct Args {
    pub key: Option<Expr>,
    pub skip: Vec<Ident>,
    pub file: Vec<Ident>,
    pub condition: Option<Expr>,
    pub version: u64,
    pub ttl_secs: Option<u64>,
    pub max_entries: Option<u64>,
    pub result: Option<bool>,
    pub option: Option<bool>,
    pub strict: Option<Span>,
    pub allow: Vec<String>,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Args> {
        let mut args = Args::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let name = input.call(Ident::parse_any)?;
            if seen.contains(&name) {
                return Err(Error::new(name.span(), format!("`{name}` is given twice; keep one")));
            }
            args.option_named(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        args.conflicts(&seen)?;
        Ok(args)
    }
}

impl Args {
    fn option_named(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        match name.to_string().as_str() {
            "key" => self.key = Some(value(input)?),
            "if" => self.condition = Some(value(input)?),
            "skip" => self.skip = names(name, input)?,
            "file" => self.file = names(name, input)?,
            "version" => self.version = number(input)?,
            "ttl" => self.ttl_secs = Some(duration(input)?),
            "max_entries" => self.max_entries = Some(positive(input)?),
            "result" => self.result = Some(switch(input)?),
            "option" => self.option = Some(switch(input)?),
            "strict" => self.strict = Some(name.span()),
            "allow" => self.allow = paths(name, input)?,
            other => return Err(Error::new(name.span(), unknown(other))),
        }
        Ok(())
    }

    fn conflicts(&self, seen: &[Ident]) -> Result<()> {
        let conflict =
            |a: &str, b: &str, why: &str| match (seen.iter().find(|n| *n == a), seen.iter().find(|n| *n == b)) {
                (Some(_), Some(second)) => Err(Error::new(
                    second.span(),
                    format!("`{a}` and `{b}` do not go together: {why}"),
                )),
                _ => Ok(()),
            };
        conflict("key", "skip", "`key` already says what the key is; remove `skip`")?;
        if self.result == Some(true) && self.option == Some(true) {
            conflict("result", "option", "the return type is one or the other; remove one")?;
        }
        match self.skip.iter().find(|skipped| self.file.contains(skipped)) {
            Some(name) => Err(Error::new(
                name.span(),
                format!("`{name}` is in both `skip` and `file`; remove it from one"),
            )),
            None => Ok(()),
        }
    }
}

fn unknown(name: &str) -> String {
    let near = NAMES.iter().find(|known| close(known, name));
    match near {
        Some(known) => format!("unknown option `{name}`; did you mean `{known}`?"),
        None => format!(
            "unknown option `{name}`; `cached` takes {}",
            NAMES.map(|name| format!("`{name}`")).join(", ")
        ),
    }
}

/// One letter more, less or different, or the same but for case, plural and underscores.
fn close(known: &str, name: &str) -> bool {
    let plain = |text: &str| {
        text.to_ascii_lowercase()
            .replace('_', "")
            .trim_end_matches('s')
            .to_owned()
    };
    let (a, b) = (plain(known), plain(name));
    let same_front = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let same_back = a.bytes().rev().zip(b.bytes().rev()).take_while(|(x, y)| x == y).count();
    a == b || (same_front + same_back + 1 >= a.len().max(b.len()) && a.len() > 3)
}

fn value(input: ParseStream<'_>) -> Result<Expr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `name(a, b)`
fn list<T>(name: &Ident, input: ParseStream<'_>, each: fn(ParseStream<'_>) -> Result<T>) -> Result<Vec<T>> {
    if !input.peek(syn::token::Paren) {
        return Err(Error::new(
            name.span(),
            format!("write `{name}(..)` with one or more names"),
        ));
    }
    let content;
    parenthesized!(content in input);
    let items = Punctuated::<T, Token![,]>::parse_terminated_with(&content, each)?;
    if items.is_empty() {
        return Err(Error::new(
            name.span(),
            format!("`{name}()` names nothing; remove it or name an argument"),
        ));
    }
    Ok(items.into_iter().collect())
}

fn names(name: &Ident, input: ParseStream<'_>) -> Result<Vec<Ident>> {
    list(name, input, Ident::parse_any)
}

fn paths(name: &Ident, input: ParseStream<'_>) -> Result<Vec<String>> {
    let paths = list(name, input, |input| input.call(Path::parse_mod_style))?;
    Ok(paths
        .iter()
        .map(|path| path.to_token_stream().to_string().replace(' ', ""))
        .collect())
}

fn number(input: ParseStream<'_>) -> Result<u64> {
    input.parse::<Token![=]>()?;
    let span = input.span();
    let literal = input.parse::<LitInt>().and_then(|literal| literal.base10_parse());
    literal.map_err(|_| Error::new(span, "write a whole number from 0 to 18446744073709551615"))
}

fn positive(input: ParseStream<'_>) -> Result<u64> {
    let span = input.span();
    match number(input)? {
        0 => Err(Error::new(
            span,
            "a function that keeps no entries is not cached; remove `#[cached]` or raise the number",
        )),
        n => Ok(n),
    }
}

fn switch(input: ParseStream<'_>) -> Result<bool> {
    if !input.peek(Token![=]) {
        return Ok(true);
    }
    input.parse::<Token![=]>()?;
    Ok(input.parse::<LitBool>()?.value)
}

fn duration(input: ParseStream<'_>) -> Result<u64> {
    input.parse::<Token![=]>()?;
    let remedy = "write a number and a unit in quotes: \"30s\", \"15m\", \"12h\" or \"7d\"";
    if input.peek(LitInt) {
        return Err(Error::new(input.span(), format!("`ttl` needs a unit; {remedy}")));
    }
    let literal: LitStr = input.parse()?;
    seconds(&literal.value()).ok_or_else(|| Error::new(literal.span(), format!("not a time; {remedy}")))
}

fn seconds(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|&secs| secs > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_error(text: &str, expected: Expect) {
        let error = syn::parse_str::<Args>(text).err().map(|error| error.to_string());
        expected.assert_eq(&error.unwrap_or_else(|| "accepted".into()));
    }

    #[test]
    fn all_options_together_are_understood() {
        let text = r#"file(a), if = x > 1, version = 3, ttl = "2h", max_entries = 9, option = false, strict, allow(time, std::env::var),"#;
        let args = syn::parse_str::<Args>(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            (args.version, args.ttl_secs, args.max_entries, args.option),
            (3, Some(7200), Some(9), Some(false))
        );
        assert_eq!(args.allow, ["time", "std::env::var"]);
        assert!(args.file[0] == "a" && args.condition.is_some() && args.strict.is_some() && args.result.is_none());
    }

    #[test]
    fn wrong_options_are_told_what_to_write() {
        check_error(
            "kye = 1",
            expect![
                "unknown option `kye`; `cached` takes `key`, `skip`, `file`, `if`, `version`, `ttl`, `max_entries`, `result`, `option`, `strict`, `allow`"
            ],
        );
        check_error(
            "versions = 1",
            expect!["unknown option `versions`; did you mean `version`?"],
        );
        check_error(
            "frob",
            expect![
                "unknown option `frob`; `cached` takes `key`, `skip`, `file`, `if`, `version`, `ttl`, `max_entries`, `result`, `option`, `strict`, `allow`"
            ],
        );
        check_error("skip", expect!["write `skip(..)` with one or more names"]);
        check_error(
            "skip()",
            expect!["`skip()` names nothing; remove it or name an argument"],
        );
        check_error(
            "ttl = 5",
            expect![[r#"`ttl` needs a unit; write a number and a unit in quotes: "30s", "15m", "12h" or "7d""#]],
        );
        check_error(
            "ttl = \"5 minutes\"",
            expect![[r#"not a time; write a number and a unit in quotes: "30s", "15m", "12h" or "7d""#]],
        );
        check_error(
            "ttl = \"é\"",
            expect![[r#"not a time; write a number and a unit in quotes: "30s", "15m", "12h" or "7d""#]],
        );
        check_error(
            "ttl = \"99999999999999999999d\"",
            expect![[r#"not a time; write a number and a unit in quotes: "30s", "15m", "12h" or "7d""#]],
        );
        check_error(
            "max_entries = 0",
            expect!["a function that keeps no entries is not cached; remove `#[cached]` or raise the number"],
        );
        check_error(
            "version = -1",
            expect!["write a whole number from 0 to 18446744073709551615"],
        );
        check_error("strict, strict", expect!["`strict` is given twice; keep one"]);
        check_error(
            "key = 1, skip(a)",
            expect!["`key` and `skip` do not go together: `key` already says what the key is; remove `skip`"],
        );
        check_error(
            "result, option",
            expect!["`result` and `option` do not go together: the return type is one or the other; remove one"],
        );
        check_error(
            "skip(a), file(a)",
            expect!["`a` is in both `skip` and `file`; remove it from one"],
        );
        check_error("result, option = false", expect!["accepted"]);
    }
}
