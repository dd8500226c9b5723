//! One Markdown document, taken apart by pulldown-cmark.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use serde::{Deserialize, Serialize};

use crate::slug::slug;

/// A heading and where a link to it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heading {
    pub level: u8,
    pub text: String,
    pub anchor: String,
}

/// What a document holds, besides its looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub title: String,
    pub headings: Vec<Heading>,
    pub text: String,
    pub html: String,
}

impl Document {
    /// Parses `source`. The title is the first heading, else `fallback`.
    pub fn parse(source: &str, fallback: &str) -> Document {
        let mut events: Vec<Event<'_>> = Parser::new_ext(source, Options::ENABLE_TABLES).collect();
        let headings = anchor_headings(&mut events);
        let mut html = String::with_capacity(source.len() * 3 / 2);
        html::push_html(&mut html, events.iter().cloned());
        Document {
            title: headings.first().map_or(fallback, |heading| &heading.text).to_owned(),
            headings,
            text: plain_text(&events),
            html,
        }
    }
}

/// Collects the headings and gives each the `id` that links use.
fn anchor_headings(events: &mut [Event<'_>]) -> Vec<Heading> {
    let mut headings = Vec::new();
    let mut start = 0;
    for at in 0..events.len() {
        match &events[at] {
            Event::Start(Tag::Heading { .. }) => start = at,
            Event::End(TagEnd::Heading(level)) => {
                let text = plain_text(&events[start..at]).trim().to_owned();
                let heading = Heading {
                    level: depth(*level),
                    anchor: slug(&text),
                    text,
                };
                if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
                    *id = Some(CowStr::from(heading.anchor.clone()));
                }
                headings.push(heading);
            }
            _ => {}
        }
    }
    headings
}

fn depth(level: HeadingLevel) -> u8 {
    level as u8
}

fn plain_text(events: &[Event<'_>]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            Event::Text(piece) | Event::Code(piece) => text.push_str(piece),
            Event::SoftBreak | Event::HardBreak | Event::End(_) => text.push(' '),
            _ => {}
        }
    }
    text
}
