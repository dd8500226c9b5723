use astrocache::cached;
#[cached]
fn f(x: i32) {
    let _ = x;
}
fn main() {
    f(1);
}
