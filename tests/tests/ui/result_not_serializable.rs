use astrocache::cached;
struct NoSer;
#[cached]
fn f(x: i32) -> NoSer {
    let _ = x;
    NoSer
}
fn main() {}
