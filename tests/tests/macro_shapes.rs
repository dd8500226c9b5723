//! Every shape of function and every option, in one program that says what it got; run twice, the second time all from the store.

use std::path::{Path, PathBuf};

use astrocache_tests::project::Project;

const FAKE: &str = env!("CARGO_BIN_EXE_fake-analyzer");

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-shapes")
}

const SHAPES: &str = r##"
#![deny(warnings)]
#![warn(missing_docs)]
//! Shapes.
use astrocache::{cached, func, Func};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct P { x: i32, y: i32 }
#[derive(Serialize)]
struct G<T>(T);

#[cached] fn plain(x: i32) -> i32 { x + 1 }
#[cached] fn borrowed(s: &str, v: &[u8]) -> String { format!("{s}{}", v.len()) }
#[cached] fn patterns((a, _): (i32, i32), P { x, .. }: P, [h, ..]: [u8; 3], _: i32) -> i32 { a + x + i32::from(h) }
#[cached] fn mutable(mut v: Vec<i32>) -> Vec<i32> { v.sort(); v }
#[cached] fn early(x: i32) -> i32 { if x > 1 { return 7; } x }
#[cached] fn question(s: &str) -> Result<i32, std::num::ParseIntError> { let n: i32 = s.parse()?; Ok(n) }
#[cached] fn option(x: i32) -> Option<i32> { let y = x.checked_sub(1)?; Some(y) }
#[cached(option = false)] fn whole(x: i32) -> Option<i32> { (x > 100).then_some(x) }
type Alias<T> = Result<T, String>;
#[cached(result)] fn alias(x: i32) -> Alias<i32> { Ok(x) }
#[cached(result = false)] fn alias_whole(x: i32) -> Alias<i32> { Err(x.to_string()) }
#[cached] fn generic<T: Serialize + ?Sized>(x: &T) -> String where for<'a> &'a T: Display { format!("{x}") }
#[cached] fn constant<const N: usize>(x: i32) -> [i32; 2] { [x, N as i32] }
#[cached] fn lifetimes<'a, 'b: 'a>(a: &'a str, b: &'b str) -> String { [a, b].concat() }
#[cached] fn recursive(n: u64) -> u64 { if n < 2 { n } else { recursive(n - 1) + recursive(n - 2) } }
#[cached] async fn later(x: i32) -> i32 { nothing().await; x * 2 }
#[cached] async fn later_result(s: &str) -> Result<i32, std::num::ParseIntError> { nothing().await; let n: i32 = s.parse()?; Ok(n) }
async fn nothing() {}
#[cached(key = x.len())] fn keyed(x: &str) -> usize { x.len() }
#[cached(skip(y))] fn skipped(x: i32, y: &dyn Fn() -> i32) -> i32 { x + y() }
#[cached(if = x > 10)] fn sometimes(x: i32) -> i32 { x }
#[cached(version = 3, ttl = "1h", max_entries = 10)] fn tuned(x: i32) -> i32 { x }
#[cached(file(path))] fn reads(path: &std::path::Path) -> String { std::fs::read_to_string(path).unwrap() }
#[cached] fn r#match(x: i32) -> i32 { #![allow(unused_parens)] (x) }
#[cached] fn takes<F: Fn(i32) -> i32>(f: Func<F>, x: i32) -> i32 { f(x) }
fn triple(x: i32) -> i32 { x * 3 }

trait Greet { fn hi(&self, n: i32) -> String; }
impl Greet for P { #[cached] fn hi(&self, n: i32) -> String { format!("{}-{n}", self.x) } }
impl P {
    #[cached] fn method(&self, n: i32) -> i32 { self.y + n }
    #[cached] fn owned(self, n: i32) -> P { P { x: self.x + n, ..self } }
    #[cached] fn boxed(self: Box<Self>) -> i32 { self.x }
    #[cached] fn make(x: i32) -> Self { P { x, y: 0 } }
}
impl<T: Serialize + Display> G<T> { #[cached] fn show(&self) -> String { format!("<{}>", self.0) } }
macro_rules! mk { ($name:ident) => { #[cached] fn $name(x: i32) -> i32 { x - 1 } } }
mk!(made);
fn outer() -> i32 {
    #[cached] fn inner(x: i32) -> i32 { x + 40 }
    struct L;
    impl L { #[cached] fn m(x: i32) -> i32 { x + 50 } }
    inner(1) + L::m(1)
}

fn block<F: Future>(f: F) -> F::Output {
    let mut f = std::pin::pin!(f);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop { if let std::task::Poll::Ready(value) = f.as_mut().poll(&mut context) { return value; } }
}

fn main() {
    let p = P { x: 1, y: 2 };
    println!("{} {} {} {:?} {}", plain(1), borrowed("a", &[1, 2]), patterns((1, 2), p.clone(), [4, 5, 6], 9), mutable(vec![3, 1]), early(2));
    println!("{:?} {:?} {:?} {:?} {:?} {:?}", question("5"), option(3), whole(1), alias(1), alias_whole(1), r#match(2));
    println!("{} {} {:?} {:?} {} {}", generic(&1), generic(&"s"), constant::<3>(1), constant::<4>(1), lifetimes("a", "b"), recursive(10));
    println!("{} {:?} {} {} {} {}", block(later(4)), block(later_result("6")), keyed("abc"), skipped(1, &|| 2), sometimes(20), tuned(1));
    println!("{} {} {} {:?} {} {:?}", p.hi(3), p.method(1), G(5).show(), p.clone().owned(1), Box::new(p).boxed(), P::make(8));
    println!("{} {} {} {}", made(1), outer(), takes(func!(triple), 2), takes(func!(|x: i32| x + 9), 2));
    println!("{}", reads(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data.txt"))));
}
"##;

fn shapes(name: &str) -> Project {
    let serde = "[dependencies]\nserde = { version = \"1\", features = [\"derive\"] }";
    let project = Project::new(&target())
        .unwrap()
        .env("ASTROCACHE_TOOL", FAKE)
        .package(".", name, serde)
        .unwrap();
    project.write("src/main.rs", SHAPES.trim_start()).unwrap();
    project.write("data.txt", "data").unwrap();
    project
}

const SAID: &str = "\
2 a2 6 [1, 3] 7
Ok(5) Some(2) None Ok(1) Err(\"1\") 2
1 s [1, 3] [1, 4] ab 55
8 Ok(6) 3 3 20 1
1-3 3 <5> P { x: 2, y: 2 } 1 P { x: 8, y: 0 }
0 92 6 11
data
";

#[test]
fn every_shape_runs_is_stored_and_comes_back() {
    let project = shapes("shapes");
    let first = project.cargo(&["run"]).unwrap();
    assert_eq!(first.stdout, SAID, "{}", first.stderr);
    assert!(!first.stderr.contains("warning"), "{}", first.stderr);
    let second = project.cargo(&["run"]).unwrap();
    assert_eq!(second.stdout, SAID);
    let missed: Vec<_> = second.calls().into_iter().filter(|call| call.event != "hit").collect();
    assert!(missed.is_empty(), "{missed:?}");
    let coarse: Vec<_> = second
        .calls()
        .into_iter()
        .filter(|call| call.kind != "fine")
        .map(|call| call.short())
        .collect();
    assert_eq!(
        coarse,
        ["hit shapes::made coarse"],
        "only what macro_rules! wrote has no place of its own"
    );
}

#[test]
fn check_and_clippy_find_nothing_to_say_about_any_shape() {
    let project = shapes("shapes-checked");
    for command in ["check", "clippy"] {
        let ran = project.cargo(&[command]).unwrap();
        assert!(ran.ok && !ran.stderr.contains("warning"), "{command}: {}", ran.stderr);
    }
}

#[test]
fn the_content_of_a_file_argument_is_in_the_key() {
    let project = shapes("shapes-file");
    project.run(&[]).unwrap();
    project.write("data.txt", "other").unwrap();
    let ran = project.cargo(&["run"]).unwrap();
    assert!(ran.stdout.ends_with("other\n"), "{}", ran.stdout);
    let missed: Vec<_> = ran
        .calls()
        .into_iter()
        .filter(|call| call.event == "miss")
        .map(|call| call.short())
        .collect();
    assert_eq!(missed, ["miss shapes-file::reads fine"]);
}

#[test]
fn a_captured_variable_in_func_is_an_error_when_code_is_made() {
    let project = Project::new(&target()).unwrap().package(".", "captures", "").unwrap();
    project
        .write(
            "src/main.rs",
            "fn main() { let k = 5; let f = astrocache::func!(|x: i32| x + k); println!(\"{}\", f(1)); }\n",
        )
        .unwrap();
    let ran = project.cargo(&["build"]).unwrap();
    assert!(!ran.ok && ran.errors() == 1, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("a closure that captures nothing: pass captured values as arguments of their own"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_alias_of_result_is_an_error_when_code_is_made() {
    let project = Project::new(&target()).unwrap().package(".", "alias", "").unwrap();
    let main = "type Res<T> = Result<T, String>;\n#[astrocache::cached]\nfn f(x: i32) -> Res<i32> { Ok(x) }\nfn main() { f(1).unwrap(); }\n";
    project.write("src/main.rs", main).unwrap();
    let ran = project.cargo(&["build"]).unwrap();
    assert!(!ran.ok && ran.errors() == 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("write #[cached(result)] to store only `Ok`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn downstream_impls_and_default_methods_never_share_a_key_across_code() {
    let project = Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", FAKE);
    project
        .write("Cargo.toml", "[workspace]\nmembers = [\"lib\"]\nresolver = \"3\"\n")
        .unwrap();
    let project = project.package("lib", "down-lib", "").unwrap();
    project.write(
        "lib/src/lib.rs",
        "pub trait Weight { fn weight(&self) -> u64; #[astrocache::cached(skip(self))] fn twice(&self) -> u64 { self.weight() * 2 } }\n\
         #[astrocache::cached(skip(x))] pub fn total<T: Weight>(x: T) -> u64 { x.weight() * 3 }\n",
    ).unwrap();
    // Not a member: the library's fingerprint cannot cover it.
    let project = project
        .package(
            "app",
            "down-app",
            "[workspace]\n[dependencies]\ndown-lib = { path = \"../lib\" }",
        )
        .unwrap();
    std::fs::copy(project.path().join("Cargo.lock"), project.path().join("app/Cargo.lock")).unwrap();
    let main = "struct A; impl down_lib::Weight for A { fn weight(&self) -> u64 { 10 } }\nfn main() { use down_lib::Weight; println!(\"{} {}\", down_lib::total(A), A.twice()); }\n";
    project.write("app/src/main.rs", main).unwrap();
    let answer = || project.cargo_in("app", &["run"]).unwrap().stdout;
    assert_eq!(answer(), "30 20\n");
    project.edit("app/src/main.rs", "{ 10 }", "{ 1000 }").unwrap();
    assert_eq!(answer(), "3000 2000\n");
}
