use astrocache::cached;
#[cached(key = x, skip(x))]
fn f(x: i32) -> i32 {
    x
}
fn main() {}
