use astrocache::cached;
#[cached]
extern "C" fn f(x: i32) -> i32 {
    x
}
fn main() {}
