//! Roots over regex, regex-automata, regex-syntax, aho-corasick and memchr: trait objects, generic engines, big enums.

use regex::{Regex, RegexSet, bytes};

pub fn is_match(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
}

pub fn replace(pattern: &str, text: &str, with: &str) -> String {
    Regex::new(pattern).map_or(String::new(), |regex| regex.replace_all(text, with).into_owned())
}

pub fn captures(pattern: &str, text: &str) -> Vec<String> {
    let Ok(regex) = Regex::new(pattern) else { return Vec::new() };
    regex.captures_iter(text).filter_map(|c| Some(c.get(1)?.as_str().to_owned())).collect()
}

pub fn set(text: &str) -> Vec<usize> {
    RegexSet::new(["a+", "b|c"]).map_or(Vec::new(), |set| set.matches(text).into_iter().collect())
}

pub fn bytes_split(text: &[u8]) -> usize {
    bytes::Regex::new("[ \t]+").map_or(0, |regex| regex.split(text).count())
}

pub fn escape(text: &str) -> String {
    regex::escape(text)
}

pub fn syntax(pattern: &str) -> usize {
    regex_syntax::Parser::new().parse(pattern).map_or(0, |hir| hir.properties().explicit_captures_len())
}

pub fn literal(text: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, b"needle")
}

pub fn words(text: &str) -> usize {
    aho_corasick::AhoCorasick::new(["one", "two"]).map_or(0, |ac| ac.find_iter(text).count())
}
