use astrocache::cached;
#[cached(ttl = 5)]
fn f(x: i32) -> i32 {
    x
}
fn main() {}
