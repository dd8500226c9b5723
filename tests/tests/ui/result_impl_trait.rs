use astrocache::cached;
#[cached]
fn f(x: i32) -> impl Iterator<Item = i32> {
    0..x
}
fn main() {}
