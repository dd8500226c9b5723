use astrocache::cached;
struct S;
impl S {
    #[cached]
    fn m(&mut self, x: i32) -> i32 {
        x
    }
}
fn main() {
    let _ = S.m(1);
}
