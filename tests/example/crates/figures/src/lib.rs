//! Statistics and bar charts over CSV tables. Knows nothing of Markdown or caches.

mod chart;
mod statistic;
mod table;

pub use chart::bars;
pub use statistic::{Statistic, all, summarise};
pub use table::{Measurement, TableError, rows};
