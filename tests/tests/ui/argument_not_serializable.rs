use astrocache::cached;
struct NoSer;
#[cached]
fn f(x: &NoSer) -> i32 {
    let _ = x;
    1
}
fn main() {}
