//! `func!`: the code it names is a root of its own, wherever the call stands, and an edit of that code, and of no other, is in
//! the keys of the calls it is passed to.

use std::path::{Path, PathBuf};

use astrocache_tests::project::Project;
use expect_test::expect;

const TOOL: &str = env!("CARGO_BIN_EXE_astrocache-tool");

const MAIN: &str = r#"
use astrocache::{Func, cached, func};

#[cached]
fn applied<F: Fn(u64) -> u64>(name: &str, f: Func<F>) -> u64 { f(name.len() as u64) }

mod inner {
    pub fn third(x: u64) -> u64 { deep(x) / 3 }
    fn deep(x: u64) -> u64 { x + 30 }
}
fn helper(x: u64) -> u64 { x + 1 }
fn unrelated(x: u64) -> u64 { x }

struct Doubler;
trait Double { fn double(x: u64) -> u64; }
impl Double for Doubler { fn double(x: u64) -> u64 { x * 2 } }
impl Doubler {
    fn own(x: u64) -> u64 { Self::deeper(x) }
    fn deeper(x: u64) -> u64 { x * 7 }
    fn run() -> u64 { applied("self", func!(Self::own)) }
}

// What is left to inference comes from the function around it, so that counts as well.
fn by_trait() -> u64 { applied("trait", func!(<Doubler as Double>::double)) }

struct Mark(u64);
trait Score { fn score(&self) -> u64; }
impl Score for Mark { fn score(&self) -> u64 { self.0 + 100 } }
#[cached]
fn scored<F: Fn(&Mark) -> u64>(x: u64, f: Func<F>) -> u64 { f(&Mark(x)) }
fn inferred() -> u64 { scored(1, func!(|m: &_| Score::score(m))) }
fn generic<T: Score>(t: &T) -> u64 { t.score() + 1 }
fn named() -> u64 { scored(2, func!(generic)) }

macro_rules! twice { ($e:expr) => { $e + $e } }

fn main() {
    let path = applied("path", func!(inner::third));
    let closure = applied("closure", astrocache::func!(|x: u64| -> u64 {
        // A comment.
        let y = helper(x);
        y * 2
    }));
    println!("{path} {closure} {} {}", applied("inside", func!(|x: u64| -> u64 { x - 1 })), Doubler::run());
    println!("{} {}", by_trait(), twice!(applied("rules", func!(helper))));
    println!("{} {}", inferred(), named());
    unrelated(1);
}
"#;

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-funcs")
}

/// What one run printed, and the names of the calls that were computed.
fn run(project: &Project) -> (String, Vec<String>) {
    let ran = project.cargo(&["run"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    assert_eq!(ran.notices(), [""; 0]);
    let calls = ran.calls();
    assert!(calls.iter().all(|call| call.kind == "fine"), "{calls:?}");
    let misses = calls.iter().filter(|call| call.event == "miss").count();
    (ran.stdout, vec![misses.to_string()])
}

#[test]
fn an_edit_counts_for_the_functions_that_run_it_and_for_no_other() {
    let project = Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", TOOL);
    let project = project.package(".", "funcs", "").unwrap();
    project.write("src/main.rs", MAIN).unwrap();
    let expect = |out: &str, misses: usize| assert_eq!(run(&project), (out.to_owned(), vec![misses.to_string()]));
    expect("11 16 5 28\n10 12\n101 103\n", 8);
    expect("11 16 5 28\n10 12\n101 103\n", 0);
    let edit = |from: &str, to: &str| project.edit("src/main.rs", from, to).unwrap();
    // Two levels below a path.
    edit("x + 30", "x + 33");
    expect("12 16 5 28\n10 12\n101 103\n", 1);
    // Below a closure and below a path inside another macro: its argument is used twice, and stored after the first.
    edit("x + 1 }", "x + 2 }");
    expect("12 18 5 28\n10 14\n101 103\n", 2);
    // The closure's own code, inside `println!`.
    edit("x - 1", "x - 2");
    expect("12 18 4 28\n10 14\n101 103\n", 1);
    // By `Self` in an impl, and by a trait.
    edit("x * 7", "x * 6");
    expect("12 18 4 24\n10 14\n101 103\n", 1);
    edit("x * 2 } }", "x * 3 } }");
    expect("12 18 4 24\n15 14\n101 103\n", 1);
    // A type that nothing in the `func!` names.
    edit("self.0 + 100", "self.0 + 200");
    expect("12 18 4 24\n15 14\n201 203\n", 2);
    // Comments, layout, and code that no function value runs.
    edit("// A comment.", "// Another one.\n");
    edit(
        "fn unrelated(x: u64) -> u64 { x }",
        "\n\nfn unrelated(x: u64) -> u64 { x + 1 }",
    );
    edit("func!(inner::third)", "func!( inner :: third )");
    expect("12 18 4 24\n15 14\n201 203\n", 0);
}

#[test]
fn they_are_listed_and_a_foreign_macro_of_that_name_is_not() {
    let project = Project::new(&target()).unwrap().package(".", "funcs", "").unwrap();
    let foreign = "macro_rules! func { ($e:expr) => { $e } }\n#[astrocache::cached] fn f() -> u64 { func!(1) }\n\
                   fn main() { f(); astrocache::func!(f); }\n";
    project.write("src/main.rs", foreign).unwrap();
    let ran = std::process::Command::new(TOOL)
        .args(["astrocache", "list", "--offline", "--manifest-path"])
        .arg(project.path().join("Cargo.toml"))
        .output()
        .unwrap();
    expect![[r#"
        funcs::f            src/main.rs:2  fe46cb7be9dfb05e6cbe2cac4d55524d  new
        funcs::main::func!  src/main.rs:3  3a40e2af4d42c1a8c20f81e61cf6e805  new
    "#]]
    .assert_eq(&String::from_utf8_lossy(&ran.stdout));
}
