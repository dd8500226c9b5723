//! A table of measurements -> a page with statistics and a chart.

use figures::{Measurement, TableError, bars, rows, summarise};
use serde::{Deserialize, Serialize};

/// What the measurements say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub seconds: Vec<(String, f64)>,
    pub memory: Vec<(String, f64)>,
    pub chart: String,
}

impl Report {
    /// Reads a table. A table that cannot be read is an error each time: only good results are stored.
    #[astrocache::cached]
    pub fn from_csv(text: &str) -> Result<Report, TableError> {
        let rows: Vec<Measurement> = rows(text)?;
        Ok(Report {
            seconds: summarise(&rows, |row| row.seconds),
            memory: summarise(&rows, |row| row.memory),
            chart: bars(rows.iter().map(|row| (row.name.as_str(), row.seconds))),
        })
    }
}
