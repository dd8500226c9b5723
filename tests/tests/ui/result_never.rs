use astrocache::cached;
#[cached]
fn f(x: i32) -> ! {
    panic!("{x}")
}
fn main() {}
