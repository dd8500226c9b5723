fn main() {
    let _ = astrocache::func!();
}
