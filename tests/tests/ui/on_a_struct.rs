use astrocache::cached;
#[cached]
struct S;
fn main() {
    let _ = S;
}
