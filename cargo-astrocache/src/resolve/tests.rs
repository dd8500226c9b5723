//! Name look-up, asked directly: what a path means in each namespace.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::{ModId, Ns, Res, Resolution, World, resolver};
use crate::{
    fingerprint::DefPath,
    syntax::{Name, known},
    testing::{Fixture, module_path},
};

/// Each question is `module: path`; a line of the answer for each namespace that has one.
fn check(fixture: &str, questions: &[&str], expected: Expect) {
    let fixture = Fixture::new(fixture);
    let (db, workspace) = fixture.open();
    let world = resolver(&db, workspace);
    let paths = DefPath { world: &world };
    let mut out = String::new();
    for question in questions {
        let (module, path) = question.split_once(": ").unwrap();
        let _ = writeln!(out, "{question}");
        for ns in [Ns::Type, Ns::Value, Ns::Macro] {
            let found = world.resolve(module_at(&world, module), &names(path), ns);
            if found.unresolved.is_none() {
                let _ = writeln!(out, "  {ns:?}: {}", listing(&world, &paths, &found));
            }
        }
    }
    expected.assert_eq(&out);
}

fn listing(world: &World<'_>, paths: &DefPath<'_>, found: &Resolution) -> String {
    let mut targets: Vec<String> = found
        .targets
        .iter()
        .map(|target| {
            let text = match target.res {
                Res::Def(id) => format!("{} {}", world.def(id).unwrap().kind, paths.of(id)),
                Res::Mod(id) => format!("mod {}", module_path(world, id)),
                Res::External(path) => format!("extern {path}"),
            };
            if target.cfg == 0 { text } else { format!("{text} [cfg]") }
        })
        .collect();
    targets.sort();
    let assoc = found.assoc_from.map_or(String::new(), |at| format!(" then item {at}"));
    format!("{}{assoc}", targets.join(", "))
}

fn names(path: &str) -> Vec<Name> {
    let (mut out, path) = match path.strip_prefix("::") {
        Some(rest) => (vec![known::ROOT], rest),
        None => (Vec::new(), path),
    };
    out.extend(path.split("::").map(Name::new));
    out
}

fn module_at(world: &World<'_>, path: &str) -> ModId {
    let modules = world.crates().flat_map(|krate| {
        let map = world.map(krate).unwrap();
        (0..map.modules.len() as u32).map(move |module| ModId { krate, module })
    });
    let mut modules = modules.filter(|&id| module_path(world, id) == path);
    modules.next().unwrap_or_else(|| panic!("no module `{path}`"))
}

#[test]
fn a_name_has_three_meanings_at_once() {
    check(
        "//- /src/lib.rs
        pub mod a {
            pub struct x {}
            pub fn x() {}
            #[macro_export] macro_rules! x { () => {} }
            pub struct Tuple(u8);
            pub struct Braces {}
        }
        pub use a::x;
        ",
        &["app: x", "app: a::x", "app: a::Tuple", "app: a::Braces", "app: nothing"],
        expect![[r#"
            app: x
              Type: struct app::a::x
              Value: fn app::a::x
              Macro: macro app::a::x!
            app: a::x
              Type: struct app::a::x
              Value: fn app::a::x
            app: a::Tuple
              Type: struct app::a::Tuple
              Value: struct app::a::Tuple
            app: a::Braces
              Type: struct app::a::Braces
            app: nothing
        "#]],
    );
}

#[test]
fn renames_re_exports_and_paths_that_climb_are_followed() {
    check(
        "//- /src/lib.rs
        mod inner { pub fn f() {} pub mod deep { pub use super::f as g; pub use super::super::top; } }
        pub use inner::{deep::{self as below, g as h}, f};
        pub fn top() {}
        ",
        &[
            "app: h",
            "app: below::g",
            "app: below::top",
            "app::inner::deep: self::g",
            "app::inner::deep: super::super::f",
            "app::inner::deep: crate::h",
            "app: inner::g",
        ],
        expect![[r#"
            app: h
              Value: fn app::inner::f
            app: below::g
              Value: fn app::inner::f
            app: below::top
              Value: fn app::top
            app::inner::deep: self::g
              Value: fn app::inner::f
            app::inner::deep: super::super::f
              Value: fn app::inner::f
            app::inner::deep: crate::h
              Value: fn app::inner::f
            app: inner::g
        "#]],
    );
}

#[test]
fn what_is_declared_or_imported_by_name_hides_globs() {
    check(
        "//- /src/lib.rs
        mod a { pub fn f() {} pub fn g() {} pub fn both() {} }
        mod b { pub fn f() {} pub fn both() {} }
        use a::*;
        use b::*;
        use b::f;
        fn g() {}
        ",
        &["app: f", "app: g", "app: both"],
        expect![[r#"
            app: f
              Value: fn app::b::f
            app: g
              Value: fn app::g
            app: both
              Value: fn app::a::both, fn app::b::both
        "#]],
    );
}

#[test]
fn globs_in_a_circle_end_and_find_what_is_on_it() {
    check(
        "//- /src/lib.rs
        pub mod a { pub use crate::b::*; pub fn in_a() {} }
        pub mod b { pub use crate::c::*; pub fn in_b() {} }
        pub mod c { pub use crate::a::*; pub use self::*; pub fn in_c() {} }
        pub use x::y;
        pub mod x { pub use crate::y; }
        ",
        &[
            "app: a::in_c",
            "app: b::in_a",
            "app: c::in_b",
            "app: a::nothing",
            "app: y",
            "app: x::y",
        ],
        expect![[r#"
            app: a::in_c
              Value: fn app::c::in_c
            app: b::in_a
              Value: fn app::a::in_a
            app: c::in_b
              Value: fn app::b::in_b
            app: a::nothing
            app: y
            app: x::y
        "#]],
    );
}

#[test]
fn a_hundred_modules_of_globs_in_circles_finish() {
    let count = 100;
    let mut text = "//- /src/lib.rs\n".to_owned();
    for at in 0..count {
        let _ = writeln!(text, "pub mod m{at} {{ pub fn f{at}() {{}}");
        for step in [1, 7, 31] {
            let _ = writeln!(text, "pub use crate::m{}::*;", (at + step) % count);
        }
        let _ = writeln!(text, "}}");
    }
    check(
        &text,
        &["app: m0::f99", "app: m50::f3", "app: m7::f100"],
        expect![[r#"
        app: m0::f99
          Value: fn app::m99::f99
        app: m50::f3
          Value: fn app::m3::f3
        app: m7::f100
    "#]],
    );
}

/// `use list::*` brings in the module `list`, which rustc would not see from here: then the path would begin there, which
/// brings in nothing, so that it would not.
#[test]
fn a_glob_that_brings_in_a_module_of_its_own_name_finds_both() {
    check(
        "//- /list/src/lib.rs crate:list
        mod list { pub struct List; pub fn inner() {} }
        pub use list::List;
        pub fn outer() {}
        //- /src/lib.rs crate:app deps:list
        use list::*;
        ",
        &["app: List", "app: outer", "app: inner"],
        expect![[r#"
            app: List
              Type: struct list::list::List
              Value: struct list::list::List
            app: outer
              Value: fn list::outer
            app: inner
              Value: fn list::list::inner
        "#]],
    );
}

#[test]
fn both_twins_of_a_cfg_are_found() {
    check(
        "//- /src/lib.rs
        #[cfg(unix)] fn f() {}
        #[cfg(not(unix))] fn f() {}
        #[cfg(feature = \"x\")] use a::g;
        #[cfg(not(feature = \"x\"))] use b::g;
        mod a { pub fn g() {} }
        mod b { pub fn g() {} pub fn h() {} }
        #[cfg(feature = \"x\")] fn h() {}
        use b::*;
        ",
        &["app: f", "app: g", "app: h"],
        expect![[r#"
            app: f
              Value: fn app::f [cfg], fn app::f [cfg]
            app: g
              Value: fn app::a::g [cfg], fn app::b::g
            app: h
              Value: fn app::b::h, fn app::h [cfg]
        "#]],
    );
}

const TWO_CRATES: &str = "//- /dep/src/lib.rs crate:dep
        pub fn f() {}
        pub mod m { pub fn g() {} }
        #[macro_export] macro_rules! mac { () => {} }
        mod private { #[macro_export] macro_rules! deep { () => {} } }
        //- /src/lib.rs crate:app deps:dep,alias=dep
        extern crate dep as old;
        #[macro_use] extern crate alias;
        mod dep2 { pub use dep::m::*; pub use ::dep::f as local; }
        mod shadow { pub mod dep { pub fn mine() {} } }
        ";

#[test]
fn other_crates_are_found_by_their_names_here() {
    check(
        TWO_CRATES,
        &[
            "app: dep::f",
            "app: alias::m::g",
            "app: old::f",
            "app: dep2::g",
            "app: dep2::local",
            "app: ::dep::f",
            "app: crate::old::f",
            "app::shadow: dep::mine",
            "app::shadow: ::dep::f",
            "app: dep::mac",
            "app::dep2: deep",
            "app: dep::private::deep",
        ],
        expect![[r#"
            app: dep::f
              Value: fn dep::f
            app: alias::m::g
              Value: fn dep::m::g
            app: old::f
              Value: fn dep::f
            app: dep2::g
              Value: fn dep::m::g
            app: dep2::local
              Value: fn dep::f
            app: ::dep::f
              Value: fn dep::f
            app: crate::old::f
              Value: fn dep::f
            app::shadow: dep::mine
              Value: fn app::shadow::dep::mine
            app::shadow: ::dep::f
              Value: fn dep::f
            app: dep::mac
              Macro: macro dep::mac!
            app::dep2: deep
              Macro: macro dep::private::deep!
            app: dep::private::deep
        "#]],
    );
}

#[test]
fn the_prelude_comes_last() {
    check(
        "//- /src/lib.rs
        mod own { pub struct Option; pub fn f() {} }
        mod plain {}
        ",
        &[
            "app::own: Option",
            "app::plain: Option",
            "app::plain: Some",
            "app::plain: u8",
            "app::plain: println",
            "app::plain: std::fs::read",
            "app::plain: Vec::new",
        ],
        expect![[r#"
            app::own: Option
              Type: struct app::own::Option
              Value: struct app::own::Option
            app::plain: Option
              Type: extern std::prelude::Option
            app::plain: Some
              Value: extern std::prelude::Some
            app::plain: u8
              Type: extern std::prelude::u8
            app::plain: println
              Macro: extern std::prelude::println
            app::plain: std::fs::read
              Type: extern std::fs::read
              Value: extern std::fs::read
              Macro: extern std::fs::read
            app::plain: Vec::new
              Type: extern std::prelude::Vec::new
              Value: extern std::prelude::Vec::new
              Macro: extern std::prelude::Vec::new
        "#]],
    );
}

#[test]
fn macros_are_seen_by_the_modules_after_and_below_them() {
    check(
        "//- /src/lib.rs
        macro_rules! outer { () => {} }
        mod below { fn f() {} }
        mod closed { macro_rules! inner { () => {} } }
        #[macro_use] mod open { macro_rules! shared { () => {} } }
        mod after {}
        ",
        &[
            "app::below: outer",
            "app: inner",
            "app: shared",
            "app::after: shared",
            "app: self::outer",
        ],
        expect![[r#"
            app::below: outer
              Macro: macro app::outer!
            app: inner
            app: shared
              Macro: macro app::open::shared!
            app::after: shared
              Macro: macro app::open::shared!
            app: self::outer
        "#]],
    );
}

#[test]
fn a_macro_call_never_hides_what_is_written() {
    check(
        "//- /dep/src/lib.rs crate:bitflags
        #[macro_export] macro_rules! bitflags { ($($t:tt)*) => { $($t)* } }
        pub trait Flags {}
        //- /src/lib.rs crate:app deps:bitflags
        bitflags::bitflags! { pub struct Bits: u8 { const A = 1; } mod bitflags; }
        pub trait Written {}
        unknown! { Written bitflags Free }
        ",
        &["app: bitflags::Flags", "app: Bits", "app: Written", "app: Free"],
        expect![[r#"
            app: bitflags::Flags
              Type: macro call app::bitflags! [cfg], macro call app::unknown! [cfg], trait bitflags::Flags
              Value: macro call app::bitflags! [cfg], macro call app::unknown! [cfg] then item 1
              Macro: macro call app::bitflags! [cfg], macro call app::unknown! [cfg] then item 1
            app: Bits
              Type: macro call app::bitflags! [cfg]
              Value: macro call app::bitflags! [cfg]
              Macro: macro call app::bitflags! [cfg]
            app: Written
              Type: trait app::Written
              Value: macro call app::unknown! [cfg]
              Macro: macro call app::unknown! [cfg]
            app: Free
              Type: macro call app::unknown! [cfg]
              Value: macro call app::unknown! [cfg]
              Macro: macro call app::unknown! [cfg]
        "#]],
    );
}

#[test]
fn associated_items_are_told_from_modules() {
    check(
        "//- /src/lib.rs
        pub enum E { A, B(u8) }
        pub struct S;
        impl S { pub fn new() {} }
        pub type Alias = S;
        ",
        &["app: E::A", "app: E::from", "app: S::new", "app: Alias::new"],
        expect![[r#"
            app: E::A
              Type: enum app::E
              Value: enum app::E
              Macro: enum app::E
            app: E::from
              Type: enum app::E then item 1
              Value: enum app::E then item 1
              Macro: enum app::E then item 1
            app: S::new
              Type: struct app::S then item 1
              Value: struct app::S then item 1
              Macro: struct app::S then item 1
            app: Alias::new
              Type: type app::Alias then item 1
              Value: type app::Alias then item 1
              Macro: type app::Alias then item 1
        "#]],
    );
}

#[test]
fn circles_of_names_alone_end() {
    check(
        "//- /src/lib.rs
        use b as a;
        use a as b;
        mod m { pub use super::n::x; }
        mod n { pub use super::m::x; }
        pub use self::lost::*;
        use lost;
        ",
        &["app: a", "app: m::x", "app: lost::anything"],
        expect![[r#"
            app: a
            app: m::x
            app: lost::anything
        "#]],
    );
}
