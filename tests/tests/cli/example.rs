//! The example project through the analyzer: what its cached functions reach, and what they do not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;

use crate::scratch::Scratch;

/// A copy of `tests/example` whose runtime is this checkout's. Its packages are on this machine afterwards, as the
/// commands under test run offline.
fn example() -> Scratch {
    static FETCHED: Once = Once::new();
    FETCHED.call_once(|| {
        let status = Command::new("cargo")
            .args(["fetch", "--quiet", "--locked"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("example"))
            .stdin(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "`cargo fetch` in tests/example");
    });
    let scratch = Scratch::new("");
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&package.join("example"), &scratch.root);
    let runtime = package.parent().unwrap().join("astrocache-runtime");
    scratch.edit("Cargo.toml", "../../astrocache-runtime", runtime.to_str().unwrap());
    scratch
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && name != "target" {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_helper_counts_for_the_function_that_reaches_it_and_for_no_other() {
    let scratch = example();
    assert_eq!(scratch.run(&["update"]).code, Some(0));
    scratch.edit(
        "crates/markup/src/slug.rs",
        "//! Names for URLs.",
        "//! Names that URLs can hold.",
    );
    assert_eq!(scratch.run(&["check"]).code, Some(0));

    scratch.edit("crates/markup/src/slug.rs", "= '-'", "= '_'");
    let ran = scratch.run(&["check"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("site::page::render"), "{ran}");
    assert!(!ran.stderr.contains("from_csv"), "{ran}");
}

#[test]
fn implementations_of_a_trait_and_macros_count() {
    let scratch = example();
    let report = scratch.fingerprint("Report::from_csv");
    let render = scratch.fingerprint("page::render");
    scratch.edit(
        "crates/figures/src/statistic.rs",
        "sorted[sorted.len() - 1] - sorted[0]",
        "sorted[sorted.len() - 1]",
    );
    assert_ne!(scratch.fingerprint("Report::from_csv"), report);
    assert_eq!(scratch.fingerprint("page::render"), render);
    scratch.edit("crates/markup/src/html.rs", "out.push('>');", "out.push_str(\" >\");");
    assert_ne!(scratch.fingerprint("page::render"), render);
}
