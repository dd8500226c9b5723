//! Roots over serde_json, serde and itoa: serializers and visitors generic over everything.

use serde_json::{Value, json};

pub fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

pub fn print(value: &Value) -> String {
    value.to_string()
}

pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

pub fn typed(text: &str) -> Vec<(u32, String)> {
    serde_json::from_str(text).unwrap_or_default()
}

pub fn point(value: &Value) -> i64 {
    value.pointer("/a/0").and_then(Value::as_i64).unwrap_or(0)
}

pub fn build(n: i64) -> Value {
    json!({ "n": n, "list": [n, null, "text"] })
}
