//! How a page looks.

use markup::{element, escape};
use serde::Serialize;

/// The looks to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Theme {
    Plain,
    Book { serif: bool },
}

impl Theme {
    /// A whole page around `body`.
    pub fn page(self, title: &str, contents: &str, body: &str) -> String {
        let style = match self {
            Theme::Plain => "body { max-width: 60em }",
            Theme::Book { serif: true } => "body { font-family: serif; max-width: 40em }",
            Theme::Book { serif: false } => "body { font-family: sans-serif; max-width: 40em }",
        };
        let head = format!("{}{}", element!("title"; escape(title)), element!("style"; style));
        let body = format!("{}{}", element!("nav", class = "contents"; contents), body);
        format!(
            "<!doctype html>{}",
            element!("html", lang = "en"; format!("{}{}", element!("head"; head), element!("body"; body)))
        )
    }
}
