use astrocache::cached;
#[cached]
fn f(x: i32) -> i32 {
    let _ = x;
    "no"
}
fn main() {}
