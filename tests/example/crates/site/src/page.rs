//! A Markdown file -> a page.

use markup::{Document, Heading, element, escape};
use serde::{Deserialize, Serialize};

use crate::theme::Theme;

/// A file to render.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub name: String,
    pub title: String,
    pub text: String,
    pub html: String,
}

/// Renders one file.
#[astrocache::cached]
pub fn render(source: &Source, theme: Theme) -> Page {
    let document = Document::parse(&source.text, &source.name);
    let contents = contents(&document.headings);
    Page {
        html: theme.page(&document.title, &contents, &document.html),
        name: source.name.clone(),
        title: document.title,
        text: document.text,
    }
}

/// The list of contents: the two upper levels.
fn contents(headings: &[Heading]) -> String {
    let upper = headings.iter().filter(|heading| heading.level <= 2);
    upper
        .map(|it| element!("a", href = format!("#{}", it.anchor); escape(&it.text)))
        .collect()
}
