use astrocache::cached;
#[cached(version = 1, version = 2)]
fn f(x: i32) -> i32 {
    x
}
fn main() {}
