//! Markdown to HTML, headings and words. Knows nothing of files, themes or caches.

mod document;
mod html;
mod slug;
mod words;

pub use document::{Document, Heading};
pub use html::escape;
pub use slug::slug;
pub use words::{Counter, words};
