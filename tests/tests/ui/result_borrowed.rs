use astrocache::cached;
#[cached]
fn f(x: &str) -> &str {
    x
}
fn main() {}
