//! Roots over what serde's derives make: tagged, untagged and flattened types, remote ones, functions that attributes name.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind")]
pub enum Tagged {
    Point { x: i32 },
    Named(Named),
    Nothing,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "t", content = "c", rename_all = "snake_case")]
pub enum Adjacent {
    One(u8),
    Two { value: Option<f64> },
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
pub enum Untagged {
    Text(String),
    Number(i64),
    List(Vec<Untagged>),
}

#[derive(Deserialize, Serialize)]
pub struct Named {
    #[serde(default = "nameless", skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(with = "doubled")]
    size: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

fn nameless() -> String {
    "nameless".to_owned()
}

mod doubled {
    use super::*;

    pub fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(value * 2)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        Ok(u32::deserialize(deserializer)? / 2)
    }
}

pub fn tagged(text: &str) -> Option<Tagged> {
    serde_json::from_str(text).ok()
}

pub fn adjacent(text: &str) -> Option<Adjacent> {
    serde_json::from_str(text).ok()
}

pub fn untagged(text: &str) -> Option<Untagged> {
    serde_json::from_str(text).ok()
}

pub fn named(text: &str) -> Option<Named> {
    serde_json::from_str(text).ok()
}

pub fn show(value: &Tagged) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
