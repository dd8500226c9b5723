use astrocache::cached;
#[cached(file(x))]
fn f(x: i32) -> i32 {
    x
}
fn main() {}
