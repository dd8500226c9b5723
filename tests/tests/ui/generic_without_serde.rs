use astrocache::cached;
#[cached]
fn f<T: Ord>(v: Vec<T>) -> Option<T> {
    v.into_iter().max()
}
fn main() {}
