use astrocache::cached;
#[cached]
fn f(g: impl Fn(i32) -> i32) -> i32 {
    g(1)
}
fn main() {}
