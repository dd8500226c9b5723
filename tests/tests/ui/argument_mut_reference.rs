use astrocache::cached;
#[cached]
fn f(v: &mut Vec<i32>) -> i32 {
    v.push(1);
    1
}
fn main() {}
