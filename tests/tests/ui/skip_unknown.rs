use astrocache::cached;
#[cached(skip(y))]
fn f(x: i32) -> i32 {
    x
}
fn main() {}
