use astrocache::cached;
#[cached]
fn f((ref mut a, b): (i32, i32)) -> i32 {
    *a + b
}
fn main() {}
