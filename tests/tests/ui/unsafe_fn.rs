use astrocache::cached;
#[cached]
unsafe fn f(x: i32) -> i32 {
    x
}
fn main() {}
