//! Roots over textwrap, smawk, unicode-width and unicode-linebreak: enums of algorithms, tables.

use textwrap::{Options, WrapAlgorithm};

pub fn fill(text: &str, width: usize) -> String {
    textwrap::fill(text, width)
}

pub fn first_fit(text: &str, width: usize) -> usize {
    textwrap::wrap(text, Options::new(width).wrap_algorithm(WrapAlgorithm::FirstFit)).len()
}

pub fn columns(text: &str) -> usize {
    textwrap::wrap_columns(text, 3, 40, "|", " ", "|").len()
}

pub fn refill(text: &str) -> String {
    textwrap::refill(text, 60)
}

pub fn dedent(text: &str) -> String {
    textwrap::dedent(text)
}
