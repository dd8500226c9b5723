use astrocache::cached;
struct NoSer;
#[cached(key = NoSer)]
fn f(x: i32) -> i32 {
    x
}
fn main() {}
