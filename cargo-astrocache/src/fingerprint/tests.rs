//! What fingerprints are made of: a golden value, and what must and must not change them.

use std::fmt::Write;

use expect_test::expect;
use rayon::prelude::*;

use super::{fingerprint, own::Own};
use crate::{
    reach::closure,
    resolve::resolver,
    testing::{Fixture, function},
};

const FIXTURE: &str = "//- /src/lib.rs
mod page;
use page::Page;

pub fn root(page: &Page) -> String { page.render(helper(LIMIT)) }
fn helper(limit: u8) -> u8 { twice!(limit) }
const LIMIT: u8 = 3;
macro_rules! twice { ($e:expr) => { $e + $e } }
pub fn idle() {}
//- /src/page.rs
pub struct Page { pub title: String }
impl Page {
    pub fn render(&self, width: u8) -> String { format!(\"{}{width}\", self.title) }
}
impl Drop for Page { fn drop(&mut self) { flush() } }
fn flush() {}
";

fn of(text: &str) -> String {
    Fixture::new(text).fingerprint("app::root")
}

fn edited(from: &str, to: &str) -> String {
    assert!(FIXTURE.contains(from), "the fixture has no `{from}`");
    of(&FIXTURE.replacen(from, to, 1))
}

/// If this fails, fingerprints in committed manifests and ledgers are no longer what this build computes: raise
/// `astrocache_manifest::FORMAT_VERSION`, then update the values.
#[test]
fn own_hashes_and_the_fingerprint_are_pinned() {
    let fixture = Fixture::new(FIXTURE);
    let (db, workspace) = fixture.open();
    let root = function(&db, workspace, "app::root");
    let world = resolver(&db, workspace);
    let mut own = Own::new(&db, workspace, &world);
    let mut out = format!("format {}\n", astrocache_manifest::FORMAT_VERSION);
    for item in &closure(&db, workspace, root).items {
        let def = world.def(item.id).unwrap();
        let hash: String = own.hash(item.id).iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(out, "{hash} {} {}", def.kind, def.name);
    }
    let _ = writeln!(out, "{}", fingerprint(&db, workspace, root).fingerprint);
    expect![[r#"
        format 3
        f091c693fd4e3a7e5fc2e64dd9e82f5a fn root
        abbdd541fd38984c8f1ce5e1dfd36166 struct Page
        ac6c7b0713ea64258d9cd12833171220 fn render
        1008a4db555d5af51b61d4fbc02fa12f fn helper
        7a828b92d940018c046656419eafcdd1 const LIMIT
        6ceacf44f06212dc0056f03144edd1bd impl _
        53f166ef5161329b8c3e3ae3fc37e608 impl _
        a9659c407b5579e965d0a418517abe36 macro twice
        16413b3e641eb071fcf427cc62e21841 fn drop
        f12121d5f6dbaf49f62cd7c52f1cfb17 fn flush
        d1d33d6db5772149ca8d4310ff5470a9
    "#]]
    .assert_eq(&out);
}

#[test]
fn a_fingerprint_is_the_same_in_any_directory() {
    let (one, two) = (Fixture::new(FIXTURE), Fixture::new(FIXTURE));
    assert_ne!(one.root, two.root);
    assert_eq!(one.fingerprint("app::root"), two.fingerprint("app::root"));
}

#[test]
fn a_fingerprint_is_the_same_with_any_number_of_threads() {
    let fixture = Fixture::new(FIXTURE);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (db, workspace) = fixture.open();
        let names = ["app::root", "app::helper", "app::idle", "app::page::flush"];
        let print = |db: &mut crate::db::AnalysisDb, name: &&str| {
            let root = function(db, workspace, name);
            fingerprint(db, workspace, root).fingerprint.to_string()
        };
        pool.install(|| names.par_iter().map_with(db, print).collect::<Vec<String>>())
    };
    let one = with(1);
    assert_eq!(one[0], of(FIXTURE));
    assert_eq!(one, with(2));
}

#[test]
fn what_cannot_change_a_result_does_not_change_the_fingerprint() {
    let before = of(FIXTURE);
    for (from, to) in [
        ("{ page.render(", "{\n    // Why.\n    page . render ( "),
        ("fn helper", "/// What it does.\nfn helper"),
        ("fn helper", "pub(crate) fn helper"),
        ("pub struct Page", "pub(crate) struct Page"),
        (
            "fn helper",
            "#[allow(dead_code)]\n#[inline(never)]\n#[must_use]\nfn helper",
        ),
        (
            "pub fn idle() {}",
            "pub fn idle() { unheard() }\npub fn more() {}\nstruct New;",
        ),
        ("pub fn idle() {}", ""),
    ] {
        assert_eq!(edited(from, to), before, "`{from}` -> `{to}`");
    }
}

#[test]
fn the_order_of_items_does_not_matter() {
    let before = of(FIXTURE);
    for item in [
        "fn helper(limit: u8) -> u8 { twice!(limit) }\n",
        "const LIMIT: u8 = 3;\n",
        "pub fn idle() {}\n",
    ] {
        assert!(FIXTURE.contains(item));
        let moved = FIXTURE
            .replacen(item, "", 1)
            .replacen("mod page;\n", &format!("{item}mod page;\n"), 1);
        assert_eq!(of(&moved), before, "`{item}` first");
    }
    let item = "pub struct Page { pub title: String }\n";
    assert!(FIXTURE.contains(item));
    assert_eq!(of(&(FIXTURE.replacen(item, "", 1) + item)), before, "`{item}` last");
}

#[test]
fn any_token_of_reached_code_matters() {
    let before = of(FIXTURE);
    for (from, to) in [
        ("page.render(helper(LIMIT))", "page.render(helper(4))"),
        ("twice!(limit)", "twice!(limit + 0)"),
        ("LIMIT: u8 = 3", "LIMIT: u8 = 4"),
        ("$e + $e", "$e * $e"),
        ("{}{width}", "{} {width}"),
        ("title: String", "title: Box<str>"),
        ("fn flush() {}", "fn flush() { ; }"),
        ("{ flush() }", "{}"),
        ("fn helper", "#[track_caller]\nfn helper"),
        ("fn helper", "unsafe fn helper"),
    ] {
        assert_ne!(edited(from, to), before, "`{from}` -> `{to}`");
    }
}

#[test]
fn every_single_token_of_a_reached_body_matters() {
    let body = "let a = 1 ; if x > a { a + x } else { x . wrapping_sub ( 7 ) }";
    let with = |body: &str| of(&format!("//- /src/lib.rs\npub fn root(x: u8) -> u8 {{ {body} }}\n"));
    let before = with(body);
    let tokens: Vec<&str> = body.split(' ').collect();
    for at in 0..tokens.len() {
        let mut changed = tokens.clone();
        changed[at] = match tokens[at] {
            "{" | "}" | "(" | ")" => continue,
            "x" => "a",
            "=" => "==",
            ";" => ";;",
            "." => "..",
            "if" => "while",
            "else" => "",
            _ => "9",
        };
        assert_ne!(with(&changed.join(" ")), before, "token {at}, `{}`", tokens[at]);
    }
}

#[test]
fn the_same_text_that_means_something_else_has_another_fingerprint() {
    let with = |module: &str| {
        of(&format!(
            "//- /src/lib.rs\nuse {module}::f;\npub fn root() {{ f() }}\nmod a {{ pub fn f() {{}} }}\nmod b {{ pub fn f() {{}} }}\n"
        ))
    };
    assert_ne!(with("a"), with("b"));
}

#[test]
fn the_path_of_an_import_does_not_matter_its_target_does() {
    let with = |import: &str| {
        of(&format!(
            "//- /src/lib.rs\nuse {import};\npub fn root() {{ f() }}\nmod a {{ pub fn f() {{}} }}\nmod b {{ pub use crate::a::f; }}\n"
        ))
    };
    assert_eq!(with("a::f"), with("b::f"));
    assert_eq!(with("a::f"), with("crate::a::*"));
}

#[test]
fn an_included_file_counts_by_its_content() {
    let fixture = Fixture::new(
        "//- /src/lib.rs
pub fn root() -> &'static str { include_str!(\"data.txt\") }
//- /src/data.txt
one
",
    );
    let before = fixture.fingerprint("app::root");
    fixture.write("/src/data.txt", "two\n");
    let after = fixture.fingerprint("app::root");
    assert_ne!(after, before);
    fixture.write("/src/data.txt", "one\n");
    assert_eq!(fixture.fingerprint("app::root"), before);
}

/// Two macros, each of which is made with the other, or so it seems: the code of both counts, from wherever one comes in.
#[test]
fn programs_that_lead_back_to_themselves_have_a_fingerprint_that_covers_them_all() {
    const TEXT: &str = "//- /mac/src/lib.rs crate:mac proc-macro
#[proc_macro_derive(One)] pub fn one(item: TokenStream) -> TokenStream { A; first(); item }
#[proc_macro_derive(Two)] pub fn two(item: TokenStream) -> TokenStream { B; second(); item }
#[derive(Two)] struct A;
#[derive(One)] struct B;
fn first() {}
fn second() {}
fn idle() {}
//- /src/lib.rs crate:app deps:mac
#[derive(mac::One)] struct It;
#[derive(mac::Two)] struct Other;
pub fn root() { It; }
pub fn other() { Other; }
";
    let of = |text: &str| {
        let fixture = Fixture::new(text);
        (fixture.fingerprint("app::root"), fixture.fingerprint("app::other"))
    };
    let (root, other) = of(TEXT);
    assert_eq!(of(TEXT), (root.clone(), other.clone()));
    for body in ["fn first() {}", "fn second() {}"] {
        let edited = of(&TEXT.replace(body, &body.replace("{}", "{ 1; }")));
        assert!(edited.0 != root && edited.1 != other, "{body}");
    }
    assert_eq!(of(&TEXT.replace("fn idle() {}", "fn idle() { 1; }")), (root, other));
}
