use astrocache::cached;
trait T {
    #[cached]
    fn m(&self) -> i32;
}
fn main() {}
