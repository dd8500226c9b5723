//! A small Rust lexer and finder of `fn` items, also inside macro bodies, where a parser sees only tokens. It is not the
//! analyzer's: an oracle that shared its front end would share its mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ident,
    Lifetime,
    Number,
    Text,
    Punct,
}

/// One token: kind and place.
#[derive(Debug, Clone)]
pub struct Tok {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// One `fn` with a body.
#[derive(Debug, Clone)]
pub struct FnItem {
    pub name: String,
    /// First modifier (`pub`, `const`, ..) to the closing brace.
    pub range: Range<usize>,
    /// Offset of the word `fn`.
    pub word: usize,
    /// Token numbers of the opening and closing brace.
    pub body: Range<usize>,
    /// 1-based lines of `range`.
    pub lines: Range<usize>,
    pub is_const: bool,
}

/// A source file, lexed.
#[derive(Debug)]
pub struct File {
    pub text: String,
    pub toks: Vec<Tok>,
    pub fns: Vec<FnItem>,
    line_starts: Vec<usize>,
    closers: BTreeMap<usize, usize>,
}

const MODIFIERS: [&str; 11] = [
    "pub", "const", "unsafe", "async", "extern", "default", "crate", "in", "super", "self", "safe",
];

impl File {
    pub fn new(text: String) -> File {
        let toks = lex(&text);
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let mut file = File {
            closers: closers(&text, &toks),
            text,
            toks,
            fns: Vec::new(),
            line_starts,
        };
        file.fns = (0..file.toks.len()).filter_map(|i| file.fn_at(i)).collect();
        file
    }

    /// 1-based line of an offset.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Text of a token; empty past the end.
    pub fn word(&self, tok: usize) -> &str {
        self.toks.get(tok).map_or("", |tok| &self.text[tok.range.clone()])
    }

    /// Identifiers of these tokens that are called as methods or stand at the end of a path.
    pub fn said(&self, tokens: Range<usize>, said: &mut BTreeSet<String>) {
        let word = |at: usize, off: isize| self.word(at.wrapping_add_signed(off));
        let method = |at: usize| word(at, -1) == "." && matches!(word(at, 1), "(" | ":");
        let in_path = |at: usize| word(at, -1) == ":" && word(at, -2) == ":";
        let after = |at: &usize| method(*at) || in_path(*at);
        let names = tokens.filter(|at| self.toks[*at].kind == Kind::Ident).filter(after);
        said.extend(names.map(|at| self.word(at).to_owned()));
    }

    /// The innermost fn whose lines hold this one.
    pub fn innermost(&self, line: usize) -> Option<&FnItem> {
        self.fns
            .iter()
            .filter(|f| f.lines.contains(&line))
            .max_by_key(|f| f.range.start)
    }

    /// The fn that rustc calls `name` and puts at `line`.
    pub fn fn_named(&self, name: &str, line: usize) -> Option<&FnItem> {
        let bare = name.split('<').next().unwrap_or(name);
        let starts = |f: &&FnItem| f.name == bare && (f.lines.start == line || self.line(f.word) == line);
        self.fns.iter().rev().find(starts).or_else(|| self.innermost(line))
    }

    /// Tokens of the item that starts at `line`.
    pub fn item_at(&self, line: usize) -> Option<Range<usize>> {
        let first = self.toks.iter().position(|tok| self.line(tok.range.start) >= line)?;
        Some(first..self.item_end(first)?)
    }

    /// Behind the closing brace or the semicolon of the item whose first token this is.
    pub fn item_end(&self, first: usize) -> Option<usize> {
        let mut at = first;
        while at < self.toks.len() {
            match self.word(at) {
                "{" => return Some(self.closer(at)? + 1),
                ";" => return Some(at + 1),
                "(" | "[" => at = self.closer(at)?,
                ")" | "]" | "}" => return Some(at),
                _ => {}
            }
            at += 1;
        }
        Some(at)
    }

    /// The token that closes a bracket.
    pub fn closer(&self, open: usize) -> Option<usize> {
        self.closers.get(&open).copied()
    }

    fn fn_at(&self, i: usize) -> Option<FnItem> {
        if self.word(i) != "fn" {
            return None;
        }
        let name = if self.word(i + 1) == "$" { i + 2 } else { i + 1 };
        if self.toks.get(name)?.kind != Kind::Ident {
            return None;
        }
        let mut open = name + 1;
        loop {
            match self.word(open) {
                "{" => break,
                "" | ";" | ")" | "]" | "}" => return None,
                "(" | "[" => open = self.closer(open)?,
                _ => {}
            }
            open += 1;
        }
        let close = self.closer(open)?;
        let (first, is_const) = self.first_modifier(i);
        let range = self.toks[first].range.start..self.toks[close].range.end;
        Some(FnItem {
            name: self.word(name).trim_start_matches("r#").to_owned(),
            word: self.toks[i].range.start,
            body: open..close,
            lines: self.line(range.start)..self.line(range.end - 1) + 1,
            range,
            is_const,
        })
    }

    fn first_modifier(&self, fn_word: usize) -> (usize, bool) {
        let (mut first, mut is_const) = (fn_word, false);
        while first > 0 {
            let word = self.word(first - 1);
            if MODIFIERS.contains(&word) {
                is_const |= word == "const";
                first -= 1;
            } else if self.toks[first - 1].kind == Kind::Text && first > 1 && self.word(first - 2) == "extern" {
                first -= 1;
            } else if word == ")" {
                let open = (first.saturating_sub(8)..first).rev().find(|k| self.word(*k) == "(");
                match open {
                    Some(open) if open > 0 && self.word(open - 1) == "pub" => first = open - 1,
                    _ => break,
                }
            } else {
                break;
            }
        }
        (first, is_const)
    }
}

fn closers(text: &str, toks: &[Tok]) -> BTreeMap<usize, usize> {
    let (mut open, mut found) = (Vec::new(), BTreeMap::new());
    for (i, tok) in toks.iter().enumerate().filter(|(_, tok)| tok.kind == Kind::Punct) {
        match &text[tok.range.clone()] {
            "(" | "[" | "{" => open.push(i),
            ")" | "]" | "}" => {
                if let Some(start) = open.pop() {
                    found.insert(start, i);
                }
            }
            _ => {}
        }
    }
    found
}

/// Tokens without white space and comments. Text that is no Rust still gives tokens.
pub fn lex(text: &str) -> Vec<Tok> {
    let bytes = text.as_bytes();
    let (mut toks, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &text[at..];
        let first = rest.chars().next().unwrap_or(' ');
        let (kind, len) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, block_comment(rest))
        } else if let Some(len) = string(rest) {
            (Some(Kind::Text), len)
        } else if first == '\'' {
            quote(rest)
        } else if first.is_alphabetic() || first == '_' {
            let raw = if rest.starts_with("r#") { 2 } else { 0 };
            (Some(Kind::Ident), raw + word_len(&rest[raw..]))
        } else if first.is_ascii_digit() {
            (Some(Kind::Number), number(rest))
        } else {
            (Some(Kind::Punct), first.len_utf8())
        };
        if let Some(kind) = kind {
            toks.push(Tok {
                kind,
                range: at..at + len,
            });
        }
        at += len;
    }
    toks
}

fn word_len(rest: &str) -> usize {
    rest.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len())
}

fn number(rest: &str) -> usize {
    let whole = word_len(rest);
    let fraction = rest[whole..]
        .strip_prefix('.')
        .filter(|tail| tail.starts_with(|c: char| c.is_ascii_digit()));
    let len = whole + fraction.map_or(0, |tail| 1 + word_len(tail));
    let exponent = rest[..len].ends_with(['e', 'E']) && !rest.starts_with("0x") && rest[len..].starts_with(['+', '-']);
    if exponent {
        len + 1 + word_len(&rest[len + 1..])
    } else {
        len
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Length of a string literal of any kind at the start.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let tail = rest.strip_prefix(prefix);
        tail.is_some_and(|tail| tail.starts_with('"') || (prefix.ends_with('r') && raw_fence(tail).is_some()))
    })?;
    let tail = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let fence = format!("\"{}", "#".repeat(raw_fence(tail)?));
        let open = prefix.len() + fence.len();
        return Some(
            rest[open..]
                .find(&fence)
                .map_or(rest.len(), |end| open + end + fence.len()),
        );
    }
    let mut chars = tail.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

fn raw_fence(tail: &str) -> Option<usize> {
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    tail[hashes..].starts_with('"').then_some(hashes)
}

/// A character literal or a lifetime.
fn quote(rest: &str) -> (Option<Kind>, usize) {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            let from = at + c.len_utf8();
            (
                Some(Kind::Text),
                rest[from..].find('\'').map_or(rest.len(), |end| from + end + 1),
            )
        }
        (Some(_), Some((at, '\''))) => (Some(Kind::Text), at + 1),
        _ => (Some(Kind::Lifetime), 1 + word_len(&rest[1..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        lex(text).into_iter().map(|tok| &text[tok.range]).collect()
    }

    #[test]
    fn strings_comments_and_lifetimes_do_not_confuse_the_lexer() {
        assert_eq!(words("a /* x /* y */ } */ b // fn\n"), ["a", "b"]);
        assert_eq!(
            words(r###"br#"a"b"# 'x' '\'' 'a: "\"" r#fn"###),
            ["br#\"a\"b\"#", "'x'", "'\\''", "'a", ":", "\"\\\"\"", "r#fn"]
        );
        assert_eq!(
            words("1.0e-3 1..2 x.1.0 0xff_u8"),
            ["1.0e-3", "1", ".", ".", "2", "x", ".", "1.0", "0xff_u8"]
        );
    }

    #[test]
    fn a_fn_is_found_with_its_modifiers_and_its_lines() {
        let file = File::new(
            "mod m {\n  pub(crate) const unsafe fn f<const N: usize>(x: [u8; N])\n  -> u8 { { 1 } }\n}\n".into(),
        );
        let [f] = file.fns.as_slice() else { panic!("one fn") };
        assert_eq!((f.name.as_str(), f.lines.clone(), f.is_const), ("f", 2..4, true));
        assert!(file.text[f.range.clone()].starts_with("pub(crate)"));
    }

    #[test]
    fn fns_in_macro_bodies_count_and_declarations_do_not() {
        let file =
            File::new("macro_rules! m { ($n:ident) => { fn $n() { fn inner() {} } } }\ntrait T { fn d(); }".into());
        let names: Vec<&str> = file.fns.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["n", "inner"]);
        assert_eq!(file.innermost(1).map(|f| f.name.as_str()), Some("inner"));
    }
}
