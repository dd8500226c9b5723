//! `Astrocache.lock` from outside: what is written, what comes back, and what each kind of garbage is told.

use std::fs;
use std::path::Path;

use astrocache_manifest::{Fingerprint, Manifest, ManifestErrorKind, ManifestPackage, Root, tokens};
use expect_test::{Expect, expect};

fn root(package: &str, target: &str, path: &str) -> Root {
    Root {
        package: package.into(),
        target: target.into(),
        path: path.into(),
        file: "src/lib.rs".into(),
        source: tokens::source_hash([tokens::Tok::Ident(path)]),
        fingerprint: Fingerprint::from_bytes([7; 16]),
    }
}

fn package(name: &str, path: &str, features: &[&str]) -> ManifestPackage {
    ManifestPackage {
        name: name.into(),
        path: path.into(),
        features: features.iter().map(|&it| it.into()).collect(),
    }
}

/// For one platform and one package.
fn listing(roots: Vec<Root>) -> Manifest {
    Manifest {
        platforms: vec!["x86_64-unknown-linux-gnu".into()],
        packages: vec![package("a", ".", &["std"])],
        roots,
    }
}

fn check_error(text: &str, expected: Expect) {
    let error = Manifest::parse(text, Path::new("Astrocache.lock")).unwrap_err();
    expected.assert_eq(&error.to_string());
}

#[test]
fn the_text_form_is_sorted_and_pinned() {
    let manifest = Manifest {
        platforms: vec!["aarch64-apple-darwin".into(), "x86_64-unknown-linux-gnu".into()],
        packages: vec![package("b", "crates/b", &["default", "x"]), package("a", ".", &[])],
        roots: vec![
            root("b", "lib", "b::f"),
            root("a", "lib", "a::g"),
            root("a", "bin:x", "x::h"),
        ],
    };
    expect![[r##"
        # Written by `cargo astrocache update`. Commit this file; do not edit it by hand.
        # It lists the cached functions of this workspace and what stands for the code that each can run.
        version = 3
        platforms = ["aarch64-apple-darwin", "x86_64-unknown-linux-gnu"]

        [[package]]
        name = "a"
        path = "."
        features = []

        [[package]]
        name = "b"
        path = "crates/b"
        features = ["default", "x"]

        [[root]]
        path = "x::h"
        package = "a"
        target = "bin:x"
        file = "src/lib.rs"
        source = "9c3838874692779f4012a567bde7886e"
        fingerprint = "07070707070707070707070707070707"

        [[root]]
        path = "a::g"
        package = "a"
        target = "lib"
        file = "src/lib.rs"
        source = "a38f43ab358a5941e0746958237bfa08"
        fingerprint = "07070707070707070707070707070707"

        [[root]]
        path = "b::f"
        package = "b"
        target = "lib"
        file = "src/lib.rs"
        source = "b75a4fc490655da9631692a1f934cce4"
        fingerprint = "07070707070707070707070707070707"
    "##]]
    .assert_eq(&manifest.render());
}

#[test]
fn what_is_rendered_parses_back_whatever_the_names_hold() {
    let odd = root(
        "p\"q\\",
        "test:é",
        "<a::B<'_, \"\\u0041\"> as c::D>::\u{1}\n\t\u{7f}[[root]]",
    );
    let mut manifest = listing(vec![odd, root("a", "lib", "a::f"), root("a", "lib", "a::f#2")]);
    manifest.platforms.push("a\"b\\, \"c".into());
    manifest
        .packages
        .push(package("p\"q\\", "../\u{1}é", &["a/b", "\\", "\", \""]));
    manifest.roots.sort();
    assert_eq!(Manifest::parse(&manifest.render(), Path::new("x")).unwrap(), manifest);
}

#[test]
fn windows_line_ends_are_read_and_not_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(Manifest::FILE_NAME);
    let manifest = listing(vec![root("a", "lib", "a::f")]);
    let text = manifest.render().replace('\n', "\r\n");
    fs::write(&path, &text).unwrap();
    assert_eq!(Manifest::read(&path).unwrap().unwrap(), manifest);
    assert!(!manifest.write_if_changed(&path).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_file_is_written_once_and_again_only_for_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(Manifest::FILE_NAME);
    assert!(Manifest::read(&path).unwrap().is_none());
    let mut manifest = Manifest::default();
    assert!(manifest.write_if_changed(&path).unwrap());
    assert!(!manifest.write_if_changed(&path).unwrap());
    manifest.roots.push(root("a", "lib", "a::f"));
    assert!(manifest.write_if_changed(&path).unwrap());
    assert_eq!(Manifest::read(&path).unwrap().unwrap(), manifest);
}

#[test]
fn a_path_that_is_no_file_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Manifest::read(dir.path()).unwrap_err().kind,
        ManifestErrorKind::Read(_)
    ));
    let nowhere = dir.path().join("no/dir/Astrocache.lock");
    assert!(matches!(
        Manifest::default().write_if_changed(&nowhere).unwrap_err().kind,
        ManifestErrorKind::Write(_)
    ));
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(Manifest::FILE_NAME);
    fs::write(&path, b"version = 1\n\xff\xfe").unwrap();
    assert!(matches!(
        Manifest::read(&path).unwrap_err().kind,
        ManifestErrorKind::NotUtf8
    ));
}

#[test]
fn a_merge_conflict_is_named_with_its_line() {
    for marker in ["<<<<<<< HEAD", "=======", "||||||| base", ">>>>>>> branch"] {
        check_error(
            &format!("version = 1\n\n{marker}\n"),
            expect!["Astrocache.lock:3: merge conflict marker; take either side and run `cargo astrocache update`"],
        );
    }
}

#[test]
fn a_newer_version_asks_for_a_newer_tool() {
    check_error(
        "version = 4\n[[crate]]\n",
        expect![
            "Astrocache.lock:1: version 4 was written by a newer cargo-astrocache (this one reads up to 3); update it with `cargo install cargo-astrocache`"
        ],
    );
}

#[test]
fn a_missing_or_senseless_version_is_refused() {
    check_error(
        "",
        expect!["Astrocache.lock: no `version = ..` line; run `cargo astrocache update` to write the file anew"],
    );
    check_error(
        "[[root]]\n",
        expect!["Astrocache.lock:1: no `version = ..` line; run `cargo astrocache update` to write the file anew"],
    );
    check_error(
        "version = one\n",
        expect!["Astrocache.lock:1: `one` is not a version; run `cargo astrocache update` to write the file anew"],
    );
    check_error(
        "version = 0\n",
        expect!["Astrocache.lock:1: `0` is not a version; run `cargo astrocache update` to write the file anew"],
    );
    check_error(
        "version = 1\nversion = 1\n",
        expect![[r#"Astrocache.lock:2: expected `[[package]]`, `[[root]]` or `key = "value"`, found `version = 1`"#]],
    );
}

#[test]
fn a_damaged_root_is_refused_with_the_line_that_is_wrong() {
    let good = listing(vec![root("a", "lib", "a::f")]).render();
    let source = good.lines().find(|line| line.starts_with("source")).unwrap();
    check_error(
        &good.replace(source, "source = \"xyz\""),
        expect!["Astrocache.lock:16: `source` is not a hash of 32 hexadecimal digits"],
    );
    check_error(
        &good.replace(source, ""),
        expect!["Astrocache.lock:11: this block has no `source`"],
    );
    check_error(
        &good.replace(source, &format!("{source}\n{source}")),
        expect!["Astrocache.lock:17: `source` is given twice"],
    );
    check_error(
        &good.replace(source, "sauce = \"x\""),
        expect!["Astrocache.lock:16: unknown key `sauce`"],
    );
    check_error(
        &good.replace("\"lib\"", "lib"),
        expect![[r#"Astrocache.lock:14: expected `[[package]]`, `[[root]]` or `key = "value"`, found `lib`"#]],
    );
    check_error(
        &good.replace("\"lib\"", "\"l\"ib\""),
        expect![[r#"Astrocache.lock:14: expected `[[package]]`, `[[root]]` or `key = "value"`, found `"l"ib"`"#]],
    );
    check_error(
        &good.replace("\"lib\"", "\"\\x\""),
        expect![[r#"Astrocache.lock:14: expected `[[package]]`, `[[root]]` or `key = "value"`, found `"\x"`"#]],
    );
    check_error(
        &good.replace("\"lib\"", "\"\\ud800\""),
        expect![[r#"Astrocache.lock:14: expected `[[package]]`, `[[root]]` or `key = "value"`, found `"\ud800"`"#]],
    );
    check_error(
        &good.replace("\"lib\"", "\"\\u00é\""),
        expect![[r#"Astrocache.lock:14: expected `[[package]]`, `[[root]]` or `key = "value"`, found `"\u00é"`"#]],
    );
    check_error(
        &good.replace("[[root]]", "[root]"),
        expect![[r#"Astrocache.lock:11: expected `[[package]]`, `[[root]]` or `key = "value"`, found `[root]`"#]],
    );
}

#[test]
fn a_damaged_package_or_platform_list_is_refused_with_the_line_that_is_wrong() {
    let good = listing(vec![]).render();
    let features = "features = [\"std\"]";
    for bad in [
        "std",
        "[std]",
        "[\"std\"",
        "[\"std\",]",
        "[\"std\", ]",
        "[\"std\"\"x\"]",
        "[\"",
        "[\"\\\"]",
    ] {
        let text = good.replace(features, &format!("features = {bad}"));
        let error = Manifest::parse(&text, Path::new("x")).unwrap_err().to_string();
        assert!(error.starts_with("x:9: expected `[[package]]`"), "{bad}: {error}");
        let text = good.replace("[\"x86_64-unknown-linux-gnu\"]", bad);
        let error = Manifest::parse(&text, Path::new("x")).unwrap_err().to_string();
        assert!(error.starts_with("x:4: expected `[[package]]`"), "{bad}: {error}");
    }
    check_error(
        &good.replace(features, ""),
        expect!["Astrocache.lock:6: this block has no `features`"],
    );
    check_error(
        &good.replace(features, "target = \"lib\""),
        expect!["Astrocache.lock:9: unknown key `target`"],
    );
    check_error(
        &good.replace("platforms", "platform"),
        expect![[
            r#"Astrocache.lock:4: expected `[[package]]`, `[[root]]` or `key = "value"`, found `platform = ["x86_64-unknown-linux-gnu"]`"#
        ]],
    );
    check_error(
        &format!("{good}platforms = []\n"),
        expect!["Astrocache.lock:10: unknown key `platforms`"],
    );
    let first = Manifest::parse("version = 1\n", Path::new("x")).unwrap();
    assert_eq!(first, Manifest::default(), "written before platforms were");
}

#[test]
fn a_root_listed_twice_is_refused() {
    let manifest = listing(vec![root("a", "lib", "a::f"), root("a", "lib", "a::f")]);
    check_error(
        &manifest.render(),
        expect!["Astrocache.lock:19: `a::f` is listed twice; run `cargo astrocache update`"],
    );
}

#[test]
fn every_cut_and_every_changed_byte_of_a_manifest_parses_or_is_refused_in_words() {
    let text = listing(vec![root("a", "lib", "a::f"), root("b", "bin:b", "b::g")]).render();
    for at in 0..text.len() {
        let _ = Manifest::parse(&text[..at], Path::new("cut"));
        for byte in [b'\0', b'"', b'\\', b'\n', b'=', b'z'] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let changed = String::from_utf8(bytes).unwrap();
            if let Err(error) = Manifest::parse(&changed, Path::new("changed")) {
                assert!(error.to_string().starts_with("changed:"), "{error}");
            }
        }
    }
}

#[test]
fn the_name_of_a_root_is_its_last_segment_without_its_number() {
    assert_eq!(root("a", "lib", "a::m::f").name(), "f");
    assert_eq!(root("a", "lib", "a::m::f#2").name(), "f");
    assert_eq!(root("a", "lib", "<a::T as a::Tr<b::X>>::m").name(), "m");
    assert_eq!(root("a", "lib", "a::main::func!#3").name(), "func!");
}
