//! String literals: names that a format string captures, and text that may become code.

use super::super::{
    facts::MentionKind,
    name::{Name, known},
};
use super::body::Body;

/// Names that a format string captures: `{NAME}`, `{x:>WIDTH$}`, `{x:.PREC$}`.
pub fn format_names(text: &str, mut each: impl FnMut(&str)) {
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        rest = &rest[open + 1..];
        if let Some(escaped) = rest.strip_prefix('{') {
            rest = escaped;
            continue;
        }
        let Some(close) = rest.find('}') else { return };
        let (name, spec) = rest[..close].split_once(':').unwrap_or((&rest[..close], ""));
        if is_ident(name.trim()) {
            each(name.trim());
        }
        for part in spec.split('$').rev().skip(1) {
            let start = part
                .rfind(|c: char| !c.is_alphanumeric() && c != '_')
                .map_or(0, |at| at + 1);
            if is_ident(&part[start..]) {
                each(&part[start..]);
            }
        }
        rest = &rest[close + 1..];
    }
}

/// Every `a::b::c` in a string.
pub fn string_paths(text: &str, mut each: impl FnMut(&[Name])) {
    let is_path_char = |c: char| c == '_' || c == ':' || c.is_alphanumeric();
    for word in text.split(|c: char| !is_path_char(c)).filter(|word| !word.is_empty()) {
        let segments: Vec<Name> = word.split("::").filter(|seg| is_ident(seg)).map(Name::ident).collect();
        if !segments.is_empty() {
            each(&segments);
        }
    }
}

/// What a string may emit, where it may be code.
pub fn code_paths(text: &str, body: &mut Body) {
    if may_be_code(text) {
        string_paths(text, |path| body.mention(MentionKind::Quoted, path));
        for (at, _) in text.match_indices("::{") {
            let is_path_char = |c: char| c == '_' || c == ':' || c.is_alphanumeric();
            let path = text[..at].rsplit(|c| !is_path_char(c)).next().unwrap_or_default();
            string_paths(path, |path| {
                body.mention(MentionKind::Quoted, &[path, &[known::WILDCARD]].concat());
            });
        }
        defined_names(text, |name| body.mention(MentionKind::QuotedName, &[Name::ident(name)]));
    }
}

/// `filters::{name}`: the path is code, whatever the rest of the file is about.
pub fn completes_path(text: &str) -> bool {
    text.contains("::{")
}

/// Names of items in a string: those behind a defining keyword and before what follows a name, and one that stands alone. Lone words
/// in lower case are what attributes are told, those in upper case are variables.
fn defined_names(text: &str, mut each: impl FnMut(&str)) {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let word = &rest[start..];
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        rest = after;
        let name = after.trim_start();
        if is_defining(word) && name.starts_with(is_word) {
            let end = name.find(|c| !is_word(c)).unwrap_or(name.len());
            if is_ident(&name[..end]) && name[end..].trim_start().starts_with(['(', '<', '{', ';', ':', '=']) {
                each(&name[..end]);
            }
        }
    }
    let is_lone = text.chars().all(is_word) && text.starts_with(|c: char| c == '_' || c.is_uppercase());
    if is_lone && text.contains(char::is_lowercase) {
        each(text);
    }
}

fn is_defining(word: &str) -> bool {
    matches!(
        word,
        "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" | "mod"
    )
}

/// Whether a string may be, or become part of, source text: a name, something with the marks of code, or the start of an
/// item. All else is prose, whose words mean nothing.
fn may_be_code(text: &str) -> bool {
    let lone = !text.trim().contains(char::is_whitespace);
    let marks =
        text.contains(['(', '{', '[', '<', ';', '=', '#', '&', '|', '!', '>', '}', ']', ')']) || text.contains("::");
    let first = text.split_whitespace().next().unwrap_or_default();
    lone || marks
        || ITEM_STARTS.iter().any(|word| first == word.trim_end())
        || matches!(
            first,
            "pub"
                | "unsafe"
                | "async"
                | "let"
                | "return"
                | "match"
                | "if"
                | "for"
                | "while"
                | "loop"
                | "where"
                | "dyn"
                | "mut"
                | "move"
        )
}

fn is_ident(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphabetic()) && text.chars().all(|c| c == '_' || c.is_alphanumeric())
}

/// How items begin.
pub const ITEM_STARTS: &[&str] = &[
    "fn ",
    "mod ",
    "use ",
    "struct ",
    "enum ",
    "union ",
    "trait ",
    "impl",
    "type ",
    "const ",
    "static ",
    "macro_rules!",
    "extern ",
];
