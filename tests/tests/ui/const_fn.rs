use astrocache::cached;
#[cached]
const fn f(x: i32) -> i32 {
    x
}
fn main() {}
