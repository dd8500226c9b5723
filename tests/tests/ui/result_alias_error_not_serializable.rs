use astrocache::cached;
type Res<T> = Result<T, std::fmt::Error>;
#[cached]
fn f(x: i32) -> Res<i32> {
    Ok(x)
}
fn main() {}
