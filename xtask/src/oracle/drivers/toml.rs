//! Roots over toml, toml_parser, winnow and serde: event parsers, visitors, error paths.

use std::str::FromStr;

pub fn parse(text: &str) -> Option<toml::Table> {
    text.parse().ok()
}

pub fn print(table: &toml::Table) -> String {
    toml::to_string_pretty(table).unwrap_or_default()
}

pub fn datetime(text: &str) -> Option<String> {
    Some(toml::value::Datetime::from_str(text).ok()?.to_string())
}

pub fn lexemes(text: &str) -> usize {
    toml_parser::Source::new(text).lex().count()
}

pub fn error(text: &str) -> String {
    toml::from_str::<toml::Value>(text).map_or_else(|error| error.to_string(), |_| String::new())
}
