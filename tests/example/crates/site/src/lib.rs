//! A small site generator. Its slow steps are cached: rendering a page, reading the figures, the search index.

mod index;
mod page;
mod report;
mod theme;

pub use index::{Index, search_index};
pub use page::{Page, Source, render};
pub use report::Report;
pub use theme::Theme;
