use astrocache::cached;
struct S;
impl S {
    #[cached]
    fn m(&self, x: i32) -> i32 {
        x
    }
    #[cached(skip(self))]
    fn ok(&self, x: i32) -> i32 {
        x
    }
}
fn main() {
    let _ = (S.m(1), S.ok(1));
}
