//! Roots over pest: a parser that a derive generates with macros of its own around `quote!`.

use pest::Parser;

#[derive(pest_derive::Parser)]
#[grammar_inline = r#"
num = @{ ASCII_DIGIT+ }
word = ${ (!"]" ~ ASCII_ALPHA)+ }
list = { SOI ~ "[" ~ ((num | word) ~ ("," ~ (num | word))*)? ~ "]" ~ EOI }
WHITESPACE = _{ " " }
COMMENT = _{ "/*" ~ (!"*/" ~ ANY)* ~ "*/" }
"#]
pub struct Lists;

pub fn numbers(text: &str) -> Vec<u32> {
    let Ok(pairs) = Lists::parse(Rule::list, text) else { return Vec::new() };
    let numbers = pairs.flatten().filter(|pair| pair.as_rule() == Rule::num);
    numbers.filter_map(|pair| pair.as_str().parse().ok()).collect()
}

pub fn complaint(text: &str) -> Option<String> {
    Lists::parse(Rule::list, text).err().map(|error| error.to_string())
}
