//! `cargo xtask tidy`: the rules of this workspace that no other tool checks. The layers import downwards only,
//! every file says what it is, nothing is left undone, and the README names only tests that exist.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::workspace::{files, root};

/// The folders of the analyzer, in the direction of the data: each may use itself and those before it.
const LAYERS: [&str; 10] = [
    "project",
    "source",
    "syntax",
    "ledger",
    "db",
    "resolve",
    "reach",
    "fingerprint",
    "analysis",
    "cli",
];
const ANALYZER: &str = "cargo-astrocache/src/";

/// Sources that are input of a test, not code of ours.
const FIXTURES: [&str; 3] = ["tests/fixtures/", "tests/tests/ui/", "tests/matrix/"];

/// Written apart so that this file does not find itself.
const UNDONE: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("#[ig", "nore"),
    concat!("db", "g!("),
];

/// Checks all rules, prints every breach, and fails if there is one.
pub fn run(arguments: Vec<String>) -> anyhow::Result<()> {
    if let Some(argument) = arguments.first() {
        bail!("`cargo xtask tidy` takes no arguments, not even `{argument}`");
    }
    let root = root();
    let mut breaches = Vec::new();
    let mut sources = 0;
    for file in files(&root)? {
        let name = file.to_string_lossy().replace('\\', "/");
        if name.ends_with(".rs") && !FIXTURES.iter().any(|dir| name.starts_with(dir)) {
            let text = fs::read_to_string(root.join(&file)).with_context(|| format!("cannot read {name}"))?;
            breaches.extend(source_breaches(&name, &text));
            sources += 1;
        }
    }
    let readme = fs::read_to_string(root.join("README.md")).context("cannot read README.md")?;
    breaches.extend(readme_breaches(&root, &readme));

    for breach in &breaches {
        eprintln!("{breach}");
    }
    match breaches.len() {
        0 => {
            eprintln!("{sources} files are tidy");
            Ok(())
        }
        n => bail!("{n} breaches of the rules in xtask/src/tidy.rs"),
    }
}

fn source_breaches(name: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    if !text.starts_with("//!") {
        breaches.push(format!(
            "{name}:1: a file opens with a `//!` paragraph that says what it is"
        ));
    }
    for (line, number) in text.lines().zip(1..) {
        for mark in UNDONE.iter().filter(|mark| line.contains(**mark)) {
            breaches.push(format!("{name}:{number}: `{mark}`: finish it, or file an issue"));
        }
        if line.trim_start().starts_with("//") && !line.is_ascii() {
            breaches.push(format!("{name}:{number}: comments are plain ASCII"));
        }
    }
    breaches.extend(layer_breaches(name, text));
    breaches
}

fn layer_breaches(name: &str, text: &str) -> Vec<String> {
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let folder = name.strip_prefix(ANALYZER).and_then(|rest| rest.split('/').next());
    let Some(own) = folder.and_then(layer) else {
        return Vec::new();
    };
    let mut breaches = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for used in crate_modules(line)
            .into_iter()
            .filter_map(layer)
            .filter(|used| *used > own)
        {
            breaches.push(format!(
                "{name}:{number}: `{}` may not use `{}`: data goes one way, see DESIGN.md section 3",
                LAYERS[own], LAYERS[used]
            ));
        }
    }
    breaches
}

/// The names right behind `crate::` in a line, those in braces too.
fn crate_modules(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or(line);
    let mut modules = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(group) => group,
            None => rest.split(',').next().unwrap_or(rest),
        };
        modules.extend(names.split(',').map(|name| {
            let name = name.trim();
            name.split(|it: char| !it.is_alphanumeric() && it != '_')
                .next()
                .unwrap_or(name)
        }));
    }
    modules
}

/// Every `path/to/file.rs::test_name` in backquotes names a test.
fn readme_breaches(root: &Path, readme: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    for (line, number) in readme.lines().zip(1..) {
        for (file, test) in line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter_map(|code| code.split_once(".rs::"))
        {
            let file = format!("{file}.rs");
            let exists = fs::read_to_string(root.join(&file)).is_ok_and(|text| text.contains(&format!("fn {test}(")));
            if !exists {
                breaches.push(format!("README.md:{number}: there is no test `{test}` in {file}"));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_may_use_itself_and_those_before_it() {
        let syntax = "cargo-astrocache/src/syntax/a.rs";
        assert!(layer_breaches(syntax, "use crate::source::read;\nuse crate::syntax::facts;").is_empty());
        assert_eq!(layer_breaches(syntax, "use crate::db::Database;").len(), 1);
        assert_eq!(
            layer_breaches(syntax, "use crate::{project::Edition, resolve, cli::main};").len(),
            2
        );
        assert_eq!(
            layer_breaches(syntax, "let x = crate::reach::closure(a, crate::cli::b);").len(),
            2
        );
        assert!(layer_breaches(syntax, "// see crate::db").is_empty());
        assert!(layer_breaches("xtask/src/main.rs", "use crate::cli::x;").is_empty());
    }

    #[test]
    fn a_file_without_header_and_unfinished_work_are_breaches() {
        assert_eq!(source_breaches("a.rs", "use std::fs;\n").len(), 1);
        let undone = format!("//! A file.\nfn f() {{ {}) }}\n", UNDONE[0]);
        assert_eq!(source_breaches("a.rs", &undone).len(), 1);
        assert_eq!(source_breaches("a.rs", "//! A file.\n// caf\u{e9}\n").len(), 1);
        assert!(source_breaches("a.rs", "//! A file.\nfn f() {}\n").is_empty());
    }

    #[test]
    fn the_readme_may_name_only_tests_that_exist() {
        let root = root();
        let good = "`xtask/src/tidy.rs::the_readme_may_name_only_tests_that_exist`";
        assert!(readme_breaches(&root, good).is_empty());
        assert_eq!(readme_breaches(&root, "x `xtask/src/tidy.rs::no_such_test` y").len(), 1);
        assert_eq!(
            readme_breaches(&root, "`xtask/src/gone.rs::a`, `xtask/src/tidy.rs::b`").len(),
            2
        );
    }
}
