//! Functions that macros make, that stand inside other functions, or in impl blocks there, with the real analyzer: fine where the
//! function or the call that makes it can be found, coarse otherwise, and never one for another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use astrocache_tests::project::{Project, Ran};

const TOOL: &str = env!("CARGO_BIN_EXE_astrocache-tool");

/// The projects build a program of one name into one directory, so they take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn project(main: &str) -> Project {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-made");
    let project = Project::new(&target).unwrap().env("ASTROCACHE_TOOL", TOOL);
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"kit\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let project = project
        .package("app", "app", "[dependencies]\nkit = { path = \"../kit\" }")
        .unwrap();
    project
        .write(
            "kit/Cargo.toml",
            "[package]\nname = \"kit\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        )
        .unwrap();
    let kit = "#[macro_export] macro_rules! exported { ($name:ident) => { #[::astrocache::cached] fn $name(x: u64) -> u64 { $crate::kit_help(x) } } }\n\
               pub fn kit_help(x: u64) -> u64 { x + 1 }\npub fn kit_other(x: u64) -> u64 { x }\n";
    project.write("kit/src/lib.rs", kit).unwrap();
    project.write("app/src/main.rs", main).unwrap();
    project
}

fn run(project: &Project) -> Ran {
    let ran = project.cargo(&["run", "-p", "app"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    assert_eq!(ran.notices(), [""; 0]);
    ran
}

/// The kind of each function's fingerprint, by path.
fn kinds(ran: &Ran) -> BTreeMap<String, String> {
    ran.calls().into_iter().map(|call| (call.path, call.kind)).collect()
}

/// The functions with a fine fingerprint that were computed. All but the one whose name no call shows have one.
fn missed(project: &Project) -> BTreeSet<String> {
    let calls = run(project).calls();
    let others = calls.iter().filter(|call| call.kind != "fine");
    assert!(others.clone().all(|call| call.path == "app::hidden"), "{calls:?}");
    let fine = calls
        .into_iter()
        .filter(|call| call.event == "miss" && call.kind == "fine");
    fine.map(|call| call.path).collect()
}

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|&path| path.to_owned()).collect()
}

const MAIN: &str = r#"
use astrocache::cached;

fn help_passed(x: u64) -> u64 { x + 1 }
fn help_item(x: u64) -> u64 { x + 2 }
fn help_named(x: u64) -> u64 { x + 3 }
fn help_given(x: u64) -> u64 { x + 4 }
fn help_body(x: u64) -> u64 { x + 5 }
fn help_pair(x: u64) -> u64 { x + 6 }
fn help_method(x: u64) -> u64 { x + 7 }
fn help_bare(x: u64) -> u64 { x + 8 }
fn help_inner(x: u64) -> u64 { x + 9 }
fn help_nested(x: u64) -> u64 { x + 10 }
fn help_outer(x: u64) -> u64 { x + 11 }
fn unrelated() {}

macro_rules! pass { ($($t:tt)*) => { $($t)* } }
pass! { #[cached] fn passed(x: u64) -> u64 { help_passed(x) } }

macro_rules! item { ($i:item) => { $i } }
item! { #[cached] fn whole(x: u64) -> u64 { help_item(x) } }

macro_rules! make { ($name:ident) => { #[cached] fn $name(x: u64) -> u64 { help_named(x) } } }
make!(made);
mod deep { use super::*; make!(made); pub fn call(x: u64) -> u64 { made(x) } }

macro_rules! with { ($name:ident, $help:path) => { #[cached] fn $name(x: u64) -> u64 { $help(x) } } }
with!(given, help_given);

macro_rules! calc { ($(#[$a:meta])* $name:ident($x:ident) = $e:expr) => { $(#[$a])* fn $name($x: u64) -> u64 { $e } } }
calc!(#[cached] calculated(number) = help_body(number) * 2);

macro_rules! pair { ($one:ident $two:ident) => {
    #[cached] fn $one(x: u64) -> u64 { help_pair(x) }
    #[cached] fn $two(x: u64) -> u64 { help_pair(x) * 100 }
} }
pair!(first second);

struct S;
macro_rules! method { ($name:ident) => { #[cached] fn $name(x: u64) -> u64 { help_method(x) } } }
impl S { method!(assoc); }

macro_rules! bare { () => { #[cached] fn hidden(x: u64) -> u64 { help_bare(x) } } }
bare!();

kit::exported!(foreign);

fn outer(x: u64) -> u64 {
    #[cached]
    fn inner(x: u64) -> u64 {
        #[cached]
        fn innermost(x: u64) -> u64 { help_nested(x) }
        help_inner(x) + innermost(x)
    }
    struct L;
    impl L { #[cached] fn in_impl(x: u64) -> u64 { help_nested(x) } }
    with!(in_fn, help_outer);
    inner(x) + L::in_impl(x) + in_fn(x)
}

fn main() {
    println!("{} {} {} {} {}", passed(1), whole(1), made(1), deep::call(1), given(1));
    println!("{} {} {} {} {} {} {}", calculated(1), first(1), second(1), S::assoc(1), hidden(1), foreign(1), outer(1));
}
"#;

#[test]
fn what_macros_make_is_fine_where_it_can_be_found_and_follows_what_it_runs() {
    let _alone = alone();
    let project = project(MAIN);
    let first = run(&project);
    assert_eq!(first.stdout, "2 3 4 4 5\n12 7 700 8 9 2 44\n");
    let fine = [
        "app::passed",
        "app::whole",
        "app::make!(made)",
        "app::deep::make!(made)",
        "app::with!(given)",
        "app::calc!(cached)",
        "app::pair!(first)",
        "app::S::method!(assoc)",
        "app::exported!(foreign)",
        "app::outer::inner",
        "app::outer::inner::innermost",
        "app::outer::L::in_impl",
        "app::outer::with!(in_fn)",
    ];
    let mut expected: BTreeMap<String, String> = fine.iter().map(|&path| (path.into(), "fine".into())).collect();
    expected.insert("app::hidden".into(), "coarse".into());
    assert_eq!(kinds(&first), expected);
    assert_eq!(
        run(&project).calls().iter().filter(|call| call.event != "hit").count(),
        0
    );

    project
        .edit(
            "app/src/main.rs",
            "fn unrelated() {}",
            "// A comment.\nfn unrelated() { made(2); }",
        )
        .unwrap();
    project
        .edit(
            "kit/src/lib.rs",
            "kit_other(x: u64) -> u64 { x }",
            "kit_other(x: u64) -> u64 { x + 1 }",
        )
        .unwrap();
    assert_eq!(missed(&project), set(&[]));
    for (helper, runners) in [
        ("help_passed(x: u64) -> u64 { x", &["app::passed"][..]),
        ("help_item(x: u64) -> u64 { x", &["app::whole"]),
        (
            "help_named(x: u64) -> u64 { x",
            &["app::make!(made)", "app::deep::make!(made)"],
        ),
        ("help_given(x: u64) -> u64 { x", &["app::with!(given)"]),
        ("help_body(x: u64) -> u64 { x", &["app::calc!(cached)"]),
        ("help_pair(x: u64) -> u64 { x", &["app::pair!(first)"]),
        ("help_method(x: u64) -> u64 { x", &["app::S::method!(assoc)"]),
        ("help_inner(x: u64) -> u64 { x", &["app::outer::inner"]),
        (
            "help_nested(x: u64) -> u64 { x",
            &[
                "app::outer::L::in_impl",
                "app::outer::inner",
                "app::outer::inner::innermost",
            ],
        ),
        ("help_outer(x: u64) -> u64 { x", &["app::outer::with!(in_fn)"]),
    ] {
        project
            .edit("app/src/main.rs", helper, &format!("{helper} + 0"))
            .unwrap();
        assert_eq!(missed(&project), set(runners), "{helper}");
    }
    project
        .edit(
            "kit/src/lib.rs",
            "kit_help(x: u64) -> u64 { x",
            "kit_help(x: u64) -> u64 { x + 0",
        )
        .unwrap();
    assert_eq!(missed(&project), set(&["app::exported!(foreign)"]));
    project
        .edit("app/src/main.rs", "help_pair(x) * 100", "help_pair(x) * 1000")
        .unwrap();
    let ran = run(&project);
    assert!(ran.stdout.contains(" 7 7000 "), "{}", ran.stdout);
}

/// Every pair of functions here has the same tokens, and different code behind their names.
const TWINS: &str = r#"
use astrocache::cached;

macro_rules! make { ($name:ident) => { #[cached] pub fn $name() -> u64 { help() } } }
mod written { fn help() -> u64 { 1 } #[super::cached] pub fn f() -> u64 { help() } }
mod made { use super::cached; fn help() -> u64 { 2 } make!(f); }

macro_rules! bare { () => { #[cached] pub fn g() -> u64 { help() } } }
macro_rules! call { ($m:ident) => { $m!(); } }
mod seen { use super::cached; fn help() -> u64 { 3 } bare!(); }
mod unseen { use super::cached; fn help() -> u64 { 4 } call!(bare); }

macro_rules! twice { ($($t:tt)*) => {
    fn both() -> (u64, u64) {
        ({ fn help() -> u64 { 5 } $($t)* t() }, { fn help() -> u64 { 6 } $($t)* t() })
    }
} }
twice! { #[cached] fn t() -> u64 { help() } }

macro_rules! blocks { ($name:ident) => {
    fn blocks() -> (u64, u64) {
        ({ fn help() -> u64 { 7 } #[cached] fn $name() -> u64 { help() } $name() }, { fn help() -> u64 { 8 } #[cached] fn $name() -> u64 { help() } $name() })
    }
} }
blocks!(b);

trait Weight { fn weight(&self) -> u64; }
struct A;
impl Weight for A { fn weight(&self) -> u64 { 9 } }
macro_rules! open { ($name:ident $x:ident $($sig:tt)*) => { #[cached(skip($x))] fn $name $($sig)* { $x.weight() } } }
open!(weigh x <T: Weight>(x: &T) -> u64);
open!(weigh_dyn x (x: &dyn Weight) -> u64);

fn main() {
    println!("{} {} {} {}", written::f(), made::f(), seen::g(), unseen::g());
    println!("{:?} {:?} {} {}", both(), blocks(), weigh(&A), weigh_dyn(&A));
}
"#;

#[test]
fn functions_of_the_same_tokens_never_share_a_key_and_are_never_stale() {
    let _alone = alone();
    let project = project(TWINS);
    project
        .edit(
            "app/src/main.rs",
            "\nuse astrocache",
            "\n#![allow(dead_code)]\nuse astrocache",
        )
        .unwrap();
    let mut numbers: Vec<u64> = (1..=8).chain([9, 9]).collect();
    let said = |numbers: &[u64]| {
        let [a, b, c, d, e, f, g, h, i, j] = numbers else {
            panic!()
        };
        format!("{a} {b} {c} {d}\n({e}, {f}) ({g}, {h}) {i} {j}\n")
    };
    assert_eq!(run(&project).stdout, said(&numbers));
    assert_eq!(run(&project).stdout, said(&numbers), "from the store");
    for at in 0..9 {
        let (from, to) = (at + 1, at + 101);
        project
            .edit(
                "app/src/main.rs",
                &format!("-> u64 {{ {from} }}"),
                &format!("-> u64 {{ {to} }}"),
            )
            .or_else(|_| project.edit("app/src/main.rs", &format!("{{ {from} }}"), &format!("{{ {to} }}")))
            .unwrap();
        numbers[at] = to as u64;
        if at == 8 {
            numbers[9] = to as u64;
        }
        assert_eq!(run(&project).stdout, said(&numbers), "after the edit of {from}");
    }
    let keys: Vec<String> = run(&project).calls().into_iter().map(|call| call.key).collect();
    let different: BTreeSet<&String> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (10, 10));
}
