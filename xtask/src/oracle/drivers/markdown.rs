//! Roots over pulldown-cmark: a parser written as a hand-made state machine, with iterators and callbacks.

use pulldown_cmark::{Event, Options, Parser, Tag, html};

pub fn to_html(text: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, Parser::new(text));
    out
}

pub fn to_html_with_everything(text: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(text, Options::all()));
    out
}

pub fn headings(text: &str) -> Vec<usize> {
    let offsets = Parser::new(text).into_offset_iter();
    offsets.filter(|(event, _)| matches!(event, Event::Start(Tag::Heading { .. }))).map(|(_, range)| range.start).collect()
}

pub fn escape(text: &str) -> String {
    let mut out = String::new();
    pulldown_cmark_escape::escape_html(&mut out, text).map_or(String::new(), |()| out)
}
