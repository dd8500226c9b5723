use astrocache::cached;
use std::borrow::Cow;
#[cached]
fn f(x: &str) -> Vec<Cow<'_, str>> {
    vec![x.into()]
}
fn main() {}
