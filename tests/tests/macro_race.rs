//! Edits while a build runs: old code must never get the fingerprint of new text. The builds are real; what makes the edit
//! land in the middle is a build script, a proc macro, or the stand-in analyzer, each of which runs at a known moment.

use std::fs;
use std::path::{Path, PathBuf};

use astrocache_tests::project::{Project, Ran};

const FAKE: &str = env!("CARGO_BIN_EXE_fake-analyzer");

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-race")
}

/// `NAME-app` -> `NAME-near` -> `NAME-far`, all in one workspace; the app's function is cached. Tests share a target directory,
/// where members of equal names would be one unit.
fn chain(name: &str) -> Project {
    let project = Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", FAKE);
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"near\", \"far\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let near = format!("[dependencies]\nnear = {{ package = \"{name}-near\", path = \"../near\" }}");
    let project = project.package("app", &format!("{name}-app"), &near).unwrap();
    let plain = |package: &str, rest: &str| {
        format!("[package]\nname = \"{name}-{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    let far = format!("[dependencies]\nfar = {{ package = \"{name}-far\", path = \"../far\" }}\n");
    project.write("near/Cargo.toml", &plain("near", &far)).unwrap();
    project.write("far/Cargo.toml", &plain("far", "")).unwrap();
    project
        .write("near/src/lib.rs", "pub fn near() -> u64 { far::far() }\n")
        .unwrap();
    project.write("far/src/lib.rs", "pub fn far() -> u64 { 1 }\n").unwrap();
    let main =
        "#[astrocache::cached]\nfn app(x: u64) -> u64 { x + near::near() }\nfn main() { println!(\"{}\", app(1)); }\n";
    project.write("app/src/main.rs", main).unwrap();
    project
}

/// The first call, without the package's name.
fn first_call(ran: &Ran) -> String {
    let call = &ran.calls()[0];
    format!("{} {}", call.event, call.kind)
}

fn run(project: &Project) -> Ran {
    let ran = project.cargo(&["run"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    ran
}

fn check_edit_of(name: &str, file: &str) {
    let mut project = chain(name);
    project.set("ASTROCACHE_FAKE", &format!("edit:{file}"));
    let during = run(&project);
    assert_eq!(first_call(&during), "uncached none", "{}", during.stderr);
    let told = "changed while it was being compiled; build again";
    assert!(
        during.notices()[0].contains(told) && during.notices()[0].contains(file),
        "{:?}",
        during.notices()
    );

    project.unset("ASTROCACHE_FAKE");
    let healed = run(&project);
    assert_eq!(first_call(&healed), "miss fine", "{}", healed.stderr);
    assert_eq!(healed.notices(), [""; 0]);
}

#[test]
fn an_edit_of_the_crate_itself_leaves_it_uncached_until_the_next_build() {
    check_edit_of("own", "app/src/main.rs");
}

#[test]
fn an_edit_of_a_direct_dependency_leaves_it_uncached_until_the_next_build() {
    check_edit_of("direct", "near/src/lib.rs");
}

#[test]
fn an_edit_of_a_transitive_dependency_leaves_it_uncached_until_the_next_build() {
    check_edit_of("transitive", "far/src/lib.rs");
}

#[test]
fn an_edit_of_what_a_proc_macro_is_made_of_leaves_it_uncached_until_the_next_build() {
    let mut project = chain("made");
    let plain = "version = \"0.1.0\"\nedition = \"2024\"\n";
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"near\", \"far\", \"derive\", \"core\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let derive = format!(
        "[package]\nname = \"made-derive\"\n{plain}[lib]\nproc-macro = true\n[dependencies]\ninner = {{ package = \"made-core\", path = \"../core\" }}\n"
    );
    project.write("derive/Cargo.toml", &derive).unwrap();
    project
        .write("core/Cargo.toml", &format!("[package]\nname = \"made-core\"\n{plain}"))
        .unwrap();
    project
        .write("core/src/lib.rs", "pub fn text() -> String { \"2\".into() }\n")
        .unwrap();
    let derive = "#[proc_macro] pub fn two(_: proc_macro::TokenStream) -> proc_macro::TokenStream { inner::text().parse().unwrap() }\n";
    project.write("derive/src/lib.rs", derive).unwrap();
    project
        .edit(
            "app/Cargo.toml",
            "[dependencies]",
            "[dependencies]\nmade-derive = { path = \"../derive\" }",
        )
        .unwrap();
    project
        .edit("app/src/main.rs", "x + near", "made_derive::two!() + x + near")
        .unwrap();
    project.set("ASTROCACHE_FAKE", "edit:core/src/lib.rs");
    assert_eq!(first_call(&run(&project)), "uncached none");
    project.unset("ASTROCACHE_FAKE");
    assert_eq!(first_call(&run(&project)), "miss fine");
    project.edit("core/src/lib.rs", "\"2\"", "\"3\"").unwrap();
    assert_eq!(first_call(&run(&project)), "miss fine");
}

#[test]
fn an_edit_of_a_dependency_before_its_dependents_compile_is_noticed() {
    let project = chain("before");
    // The build script of `app` runs after `far` is compiled, and before `app` is.
    let far = project.path().join("far/src/lib.rs");
    let script = format!(
        "fn main() {{\n println!(\"cargo::rerun-if-changed=build.rs\");\n far::far();\n let mut text = std::fs::read_to_string({far:?}).unwrap();\n \
         if !text.contains(\"late\") {{ text += \"pub fn late() {{}}\"; std::fs::write({far:?}, text).unwrap(); }}\n}}\n"
    );
    project.write("app/build.rs", &script).unwrap();
    project
        .edit(
            "app/Cargo.toml",
            "[dependencies]",
            "[build-dependencies]\nfar = { package = \"before-far\", path = \"../far\" }\n[dependencies]",
        )
        .unwrap();
    let during = run(&project);
    assert_eq!(first_call(&during), "uncached none", "{}", during.stderr);
    assert_eq!(first_call(&run(&project)), "miss fine");
}

#[test]
fn normal_builds_raise_no_alarm() {
    let project = chain("normal");
    for edit in ["app/src/main.rs", "near/src/lib.rs", "far/src/lib.rs"] {
        let text = fs::read_to_string(project.path().join(edit)).unwrap();
        project.write(edit, &format!("{text}pub fn more() {{}}\n")).unwrap();
        let ran = run(&project);
        assert_eq!(first_call(&ran).split(' ').nth(1), Some("fine"), "{}", ran.stderr);
        assert_eq!(ran.notices(), [""; 0]);
    }
    assert_eq!(first_call(&run(&project)), "hit fine");
}

#[test]
fn an_edit_during_a_build_without_the_tool_is_noticed_too() {
    let project = chain("toolless").env("ASTROCACHE_TOOL", "off");
    // A macro that rustc expands before ours: a dependency's edit is in the compiled dependency, the crate's own is not.
    project
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"near\", \"far\", \"late\"]\nresolver = \"3\"\n",
        )
        .unwrap();
    let manifest = "[package]\nname = \"late\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n";
    project.write("late/Cargo.toml", manifest).unwrap();
    let main = project.path().join("app/src/main.rs");
    let late = format!(
        "#[proc_macro] pub fn edit(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{\n use std::io::Write;\n \
         let mut file = std::fs::OpenOptions::new().append(true).open({main:?}).unwrap();\n writeln!(file, \"// late\").unwrap();\n \
         proc_macro::TokenStream::new()\n}}\n"
    );
    project.write("late/src/lib.rs", &late).unwrap();
    project
        .edit(
            "app/Cargo.toml",
            "[dependencies]",
            "[dependencies]\nlate = { path = \"../late\" }",
        )
        .unwrap();
    project
        .edit("app/src/main.rs", "#[astrocache", "late::edit!();\n#[astrocache")
        .unwrap();
    let during = run(&project);
    assert_eq!(first_call(&during), "uncached none", "{}", during.stderr);
    project.edit("app/src/main.rs", "late::edit!();", "").unwrap();
    assert_eq!(first_call(&run(&project)), "miss coarse");
}
