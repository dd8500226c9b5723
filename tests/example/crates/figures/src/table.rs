//! CSV text -> rows.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One measured thing.
#[derive(Debug, Clone, Deserialize)]
pub struct Measurement {
    pub name: String,
    /// CPU seconds.
    pub seconds: f64,
    /// Peak memory in MiB.
    pub memory: f64,
}

/// A table that is not what it should be.
#[derive(Debug)]
pub enum TableError {
    Csv(csv::Error),
    Empty,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::Csv(error) => write!(f, "not a table: {error}"),
            TableError::Empty => f.write_str("the table has no rows"),
        }
    }
}

impl std::error::Error for TableError {}

impl From<csv::Error> for TableError {
    fn from(error: csv::Error) -> TableError {
        TableError::Csv(error)
    }
}

/// The rows of a CSV text with a header line.
pub fn rows<R: DeserializeOwned>(text: &str) -> Result<Vec<R>, TableError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let rows = reader.deserialize().collect::<Result<Vec<R>, _>>()?;
    if rows.is_empty() {
        Err(TableError::Empty)
    } else {
        Ok(rows)
    }
}
