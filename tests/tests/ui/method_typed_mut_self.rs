use astrocache::cached;
struct S;
impl S {
    #[cached]
    fn m(self: &mut Self, x: i32) -> i32 {
        x
    }
}
fn main() {}
