//! The limits of the original, a Python package of the same name, one by one: what happens here. README.md names
//! these tests in its table.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scratch::{Ran, Scratch, TOOL};

const HELPERS: &str = "\
//- Cargo.toml
[package]
name = \"app\"
version = \"0.1.0\"
edition = \"2024\"
//- src/lib.rs
const RATE: u64 = 3;

fn helper(x: u64) -> u64 {
    x + 1
}

fn outer(x: u64) -> u64 {
    x
}

pub struct Account(u64);

impl Account {
    fn fee(&self) -> u64 {
        self.0 / 100
    }

    pub fn balance(&self) -> u64 {
        self.0 - self.fee()
    }
}

pub fn assigned(x: u64) -> u64 {
    let call = helper;
    call(x)
}

pub fn passed(xs: &[u64]) -> Vec<u64> {
    xs.iter().copied().map(helper).collect()
}

pub fn nested(x: u64) -> u64 {
    outer(outer(helper(x)))
}

pub fn recursive(x: u64) -> u64 {
    if x == 0 { helper(x) } else { recursive(x - 1) }
}

pub fn constant(x: u64) -> u64 {
    x * RATE
}
";

/// `function`'s fingerprint changes with this edit, and changes back with it.
fn counts(function: &str, from: &str, to: &str) {
    let scratch = Scratch::new(HELPERS);
    let before = scratch.fingerprint(function);
    scratch.edit("src/lib.rs", from, to);
    assert_ne!(
        scratch.fingerprint(function),
        before,
        "{from} -> {to} changes what {function} returns"
    );
    scratch.edit("src/lib.rs", to, from);
    assert_eq!(scratch.fingerprint(function), before);
}

#[test]
fn a_function_assigned_to_a_variable_counts() {
    counts("app::assigned", "x + 1", "x + 2");
}

#[test]
fn a_function_passed_on_counts() {
    counts("app::passed", "x + 1", "x + 2");
}

#[test]
fn a_callee_nested_in_an_argument_counts() {
    counts("app::nested", "x + 1", "x + 2");
}

#[test]
fn a_recursive_function_counts_what_it_runs() {
    counts("app::recursive", "x + 1", "x + 2");
    counts("app::recursive", "x - 1", "x - 2");
}

#[test]
fn a_constant_counts() {
    counts("app::constant", "RATE: u64 = 3", "RATE: u64 = 4");
}

#[test]
fn methods_can_be_cached_and_are_followed() {
    counts("app::Account::balance", "self.0 / 100", "self.0 / 50");
    let program = Program::new();
    let first = program.run();
    assert!(first.stdout.contains("balance 99\n"), "{first}");
    let second = program.run();
    assert_eq!(second.events("balance"), ["hit"], "{first}{second}");
}

/// A program whose cached functions compute for real, against the runtime of this checkout.
struct Program {
    scratch: Scratch,
    target: PathBuf,
}

const PROGRAM: &str = r#"
//- src/main.rs
use std::fmt::Debug;

use serde::Serialize;

#[astrocache::cached]
fn joined(parts: &[&str]) -> String {
    parts.join("|") + SUFFIX
}

#[astrocache::cached]
fn shown<T: Serialize + Debug>(value: T) -> String {
    format!("{value:?}") + SUFFIX
}

const SUFFIX: &str = ".";

struct Account(u64);

impl Account {
    #[astrocache::cached(key = self.0)]
    fn balance(&self) -> u64 {
        self.0 - self.0 / 100
    }
}

fn main() {
    for parts in [&["a", "b"][..], &["ab"], &["a", "", "b"], &["", "a", "b"], &[]] {
        println!("{}", joined(parts));
    }
    println!("{} {} {} {}", shown(1u8), shown(1u64), shown(true), shown("1"));
    println!("balance {}", Account(100).balance());
}
"#;

impl Program {
    fn new() -> Program {
        let scratch = Scratch::new(PROGRAM);
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = format!(
            "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             astrocache-runtime = {{ path = {:?} }}\nserde = {{ version = \"1\", default-features = false }}\n",
            repository.join("astrocache-runtime")
        );
        scratch.write("Cargo.toml", manifest);
        // So that nothing has to be resolved anew, or downloaded.
        fs::copy(repository.join("Cargo.lock"), scratch.path("Cargo.lock")).unwrap();
        // Programs of one name in one target directory would overwrite each other.
        let target = scratch.path("target");
        Program { scratch, target }
    }

    /// Builds and runs it in a new process, with a store of its own.
    fn run(&self) -> Ran {
        let mut build = self.command("cargo");
        build.args(["build", "--quiet", "--offline"]);
        let built = self.scratch.finish(build);
        assert_eq!(built.code, Some(0), "{built}");
        let ran = self.scratch.finish(self.command(self.target.join("debug/program")));
        assert_eq!(ran.code, Some(0), "{ran}");
        ran
    }

    fn tool(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(TOOL);
        command.arg("astrocache").args(arguments);
        self.scratch.finish(command)
    }

    fn command(&self, program: impl AsRef<Path>) -> std::process::Command {
        let mut command = self.scratch.command(program);
        command
            .env("CARGO_TARGET_DIR", &self.target)
            .env("ASTROCACHE_TOOL", TOOL)
            .env("ASTROCACHE_DIR", self.scratch.path("store"))
            .env("ASTROCACHE_LOG", "trace");
        command
    }
}

impl Ran {
    /// `hit`, `miss`, `stored` or `uncached`, for each call of `function`.
    fn events(&self, function: &str) -> Vec<&str> {
        let lines = self.stderr.lines().filter_map(|line| line.strip_prefix("astrocache: "));
        let calls = lines.filter_map(|line| line.split_once(' '));
        calls
            .filter(|(_, rest)| rest.split(' ').next().is_some_and(|path| path.ends_with(function)))
            .map(|(event, _)| event)
            .collect()
    }
}

#[test]
fn arguments_that_look_alike_are_told_apart() {
    let program = Program::new();
    let expected = "a|b.\nab.\na||b.\n|a|b.\n.\n1. 1. true. \"1\".\nbalance 99\n";
    let first = program.run();
    assert_eq!(first.stdout, expected, "{first}");
    assert_eq!(first.events("joined"), ["miss", "stored"].repeat(5), "{first}");
    assert_eq!(first.events("shown"), ["miss", "stored"].repeat(4), "{first}");
    let second = program.run();
    assert_eq!(second.stdout, expected, "{second}");
    assert_eq!(second.events("joined"), ["hit"].repeat(5), "{second}");
    assert_eq!(second.events("shown"), ["hit"].repeat(4), "{second}");
}

#[test]
fn a_string_argument_hits_in_a_new_process() {
    let program = Program::new();
    let first = program.run();
    let second = program.run();
    assert!(
        second.stderr.contains("astrocache: hit program::joined "),
        "{first}{second}"
    );
    assert_eq!(second.events("joined"), ["hit"].repeat(5), "{first}{second}");
}

#[test]
fn prune_deletes_what_old_code_computed() {
    let program = Program::new();
    program.run();
    program
        .scratch
        .edit("src/main.rs", "SUFFIX: &str = \".\"", "SUFFIX: &str = \"!\"");
    let edited = program.run();
    assert_eq!(edited.events("joined"), ["miss", "stored"].repeat(5), "{edited}");
    assert_eq!(edited.events("balance"), ["hit"], "{edited}");
    assert_eq!(program.tool(&["update"]).code, Some(0));

    // Nine results of the old `joined` and `shown` go; the new ones stay.
    let removed = |arguments: &[&str]| {
        let ran = program.tool(&[arguments, &["--message-format", "json"]].concat());
        let json: serde_json::Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
        json["removed"].as_u64().unwrap()
    };
    assert_eq!(removed(&["prune", "-n"]), 9);
    assert_eq!(removed(&["prune"]), 9);
    assert_eq!(removed(&["prune"]), 0);
    let after = program.run();
    assert_eq!(after.events("joined"), ["hit"].repeat(5), "{after}");
}
