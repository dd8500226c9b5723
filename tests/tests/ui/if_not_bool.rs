use astrocache::cached;
#[cached(if = x)]
fn f(x: String) -> String {
    x
}
fn main() {}
