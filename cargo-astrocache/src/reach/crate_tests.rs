//! Pinned packages: which of them a closure reads, and whose impls count in it.

use expect_test::{Expect, expect};

use crate::{
    fingerprint::fingerprint,
    resolve::resolver,
    testing::{Fixture, function, listing},
};

/// The closure of `app::root`, in order; then the crates that were read for it.
fn explore(fixture: &str) -> (String, String) {
    let fixture = Fixture::new(fixture);
    let closure = listing(&fixture.report("app::root"));
    let (db, workspace) = fixture.open();
    let root = function(&db, workspace, "app::root");
    fingerprint(&db, workspace, root);
    let world = resolver(&db, workspace);
    let read = world.read().map(|map| fixture.project.krate(map.krate).name.as_str());
    (closure, read.collect::<Vec<_>>().join(", "))
}

fn check(fixture: &str, expected: Expect) {
    let (closure, read) = explore(fixture);
    expected.assert_eq(&format!("{closure}read: {read}\n"));
}

#[test]
fn a_crate_that_nothing_leads_to_is_not_read() {
    check(
        "//- /app/src/lib.rs crate:app deps:used,unused
        pub fn root() -> u8 { used::f() }
        pub fn other() -> u8 { unused::f() }
        //- /used/src/lib.rs crate:used pinned
        pub fn f() -> u8 { 1 }
        pub fn g() -> u8 { 2 }
        //- /unused/src/lib.rs crate:unused pinned
        pub fn f() -> u8 { 1 }
        ",
        expect![[r#"
            fn app::root (root)
            fn used::f (R1)
            read: app, used
        "#]],
    );
}

#[test]
fn a_re_export_leads_through_crates_of_which_nothing_runs() {
    check(
        "//- /app/src/lib.rs crate:app deps:facade
        use facade::prelude::*;
        pub fn root(it: &Thing) -> u8 { it.value() }
        //- /facade/src/lib.rs crate:facade deps:core_of_it,more pinned
        pub mod prelude { pub use core_of_it::all::*; pub use more::Other; }
        impl Drop for prelude::Other { fn drop(&mut self) {} }
        //- /core/src/lib.rs crate:core_of_it pinned
        pub mod all {
            pub struct Thing(u8);
            pub trait Value { fn value(&self) -> u8; }
            impl Value for Thing { fn value(&self) -> u8 { self.0 } }
        }
        //- /more/src/lib.rs crate:more pinned
        pub struct Other;
        ",
        expect![[r#"
            fn app::root (root)
            struct core_of_it::all::Thing (R1)
            trait core_of_it::all::Value (R5)
            fn core_of_it::all::Value::value (R5)
            impl core_of_it::all::{impl core_of_it::all::Value for core_of_it::all::Thing} (R7)
            fn <core_of_it::all::Thing as core_of_it::all::Value>::value (R7)
            read: app, core_of_it, facade, more
        "#]],
    );
}

#[test]
fn impls_of_a_crate_count_once_something_of_it_is_live() {
    let fixture = |body: &str| {
        format!(
            "//- /app/src/lib.rs crate:app deps:base,late
            pub fn root() -> u8 {{ {body} base::Base.speak(&base::Base) }}
            use base::Speak;
            //- /base/src/lib.rs crate:base pinned
            pub struct Base;
            pub trait Speak<T> {{ fn speak(&self, to: &T) -> u8; }}
            impl Speak<Base> for Base {{ fn speak(&self, _: &Base) -> u8 {{ 1 }} }}
            //- /late/src/lib.rs crate:late deps:base pinned
            pub struct Own;
            impl base::Speak<Own> for base::Base {{ fn speak(&self, _: &Own) -> u8 {{ helper() }} }}
            impl Own {{ pub fn make() -> Own {{ Own }} }}
            fn helper() -> u8 {{ 2 }}
            "
        )
    };
    check(
        &fixture(""),
        expect![[r#"
            fn app::root (root)
            trait base::Speak (R5)
            fn base::Speak::speak (R5)
            struct base::Base (R1)
            impl base::{impl base::Speak for base::Base} (R7)
            fn <base::Base as base::Speak>::speak (R7)
            read: app, base
        "#]],
    );
    check(
        &fixture("late::Own::make();"),
        expect![[r#"
            fn app::root (root)
            struct late::Own (R1)
            fn late::Own::make (R4)
            trait base::Speak (R5)
            fn base::Speak::speak (R5)
            struct base::Base (R1)
            impl late::{impl base::Speak for base::Base} (R7)
            impl late::{impl late::Own} (R7)
            impl base::{impl base::Speak for base::Base} (R7)
            fn <base::Base as base::Speak>::speak (R7)
            fn <base::Base as base::Speak>::speak (R7)
            fn late::helper (R1)
            read: app, base, late
        "#]],
    );
}

#[test]
fn a_type_that_rustc_infers_from_the_one_impl_is_there() {
    check(
        "//- /app/src/lib.rs crate:app deps:base,late
        pub fn root() -> u8 { base::Base.speak(&Default::default()) }
        use base::Speak;
        //- /base/src/lib.rs crate:base pinned
        pub struct Base;
        pub trait Speak<T> { fn speak(&self, to: &T) -> u8; }
        //- /late/src/lib.rs crate:late deps:base pinned
        #[derive(Default)] pub struct Own;
        impl base::Speak<Own> for base::Base { fn speak(&self, _: &Own) -> u8 { helper() } }
        fn helper() -> u8 { 2 }
        ",
        expect![[r#"
            fn app::root (root)
            trait base::Speak (R5)
            fn base::Speak::speak (R5)
            struct base::Base (R1)
            impl late::{impl base::Speak for base::Base} (R7)
            fn <base::Base as base::Speak>::speak (R7)
            struct late::Own (R1)
            fn late::helper (R1)
            read: app, base, late
        "#]],
    );
}

/// What `late` calls the trait, whoever named it so.
#[test]
fn the_one_impl_is_found_under_any_name_of_its_trait() {
    let closure = |base: &str, between: &str, path: &str| {
        let (closure, read) = explore(&format!(
            "//- /app/src/lib.rs crate:app deps:base,late,other
            pub fn root() -> u8 {{ base::Base.speak(&Default::default()) }}
            use base::Speak;
            //- /base/src/lib.rs crate:base pinned
            pub struct Base;
            pub trait Speak<T> {{ fn speak(&self, to: &T) -> u8; }}
            {base}
            //- /between/src/lib.rs crate:between deps:base pinned
            {between}
            //- /late/src/lib.rs crate:late deps:base,between pinned
            #[derive(Default)] pub struct Own;
            impl {path}<Own> for base::Base {{ fn speak(&self, _: &Own) -> u8 {{ helper() }} }}
            fn helper() -> u8 {{ 2 }}
            //- /other/src/lib.rs crate:other deps:base pinned
            pub fn f() {{}}
            "
        ));
        format!("{}: {read}", closure.contains("fn late::helper"))
    };
    assert_eq!(closure("", "", "base::Speak"), "true: app, base, late");
    assert_eq!(
        closure("pub use self::Speak\n    as Talk;", "", "base::Talk"),
        "true: app, base, between, late, other"
    );
    assert_eq!(
        closure("", "pub use base::Speak as Talk;", "between::Talk"),
        "true: app, base, between, late"
    );
}

#[test]
fn symbols_and_what_runs_unnamed_are_found_in_crates_that_nothing_names() {
    check(
        "//- /app/src/lib.rs crate:app deps:exports,alloc_of_it,quiet
        pub fn root() -> u8 { unsafe { lookup(1) } }
        unsafe extern \"C\" { fn lookup(key: u8) -> u8; }
        //- /exports/src/lib.rs crate:exports pinned
        mod inner { #[unsafe(no_mangle)] pub extern \"C\" fn lookup(key: u8) -> u8 { super::table(key) } }
        fn table(key: u8) -> u8 { key }
        //- /alloc/src/lib.rs crate:alloc_of_it pinned
        #[global_allocator] static A: Counting = Counting;
        struct Counting;
        //- /quiet/src/lib.rs crate:quiet pinned
        pub extern \"C\" fn lookup(key: u8) -> u8 { key }
        ",
        expect![[r#"
            fn app::root (root)
            static alloc_of_it::A (R14)
            fn app::lookup (R1)
            struct alloc_of_it::Counting (R1)
            fn exports::inner::lookup (R14)
            fn exports::table (R1)
            read: alloc_of_it, app, exports
        "#]],
    );
}

#[test]
fn a_name_that_resolution_does_not_find_may_be_in_any_crate_in_sight() {
    check(
        "//- /app/src/lib.rs crate:app deps:there
        include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));
        pub fn root() -> u8 { nowhere::gone() }
        //- /there/src/lib.rs crate:there deps:behind pinned
        pub use behind::*;
        //- /behind/src/lib.rs crate:behind pinned
        pub fn gone() -> u8 { 1 }
        pub fn other() -> u8 { 1 }
        ",
        expect![[r#"
            fn app::root (root)
            macro call app::include! (R1)
            fn behind::gone (R15)
            read: app, behind, there
        "#]],
    );
}

#[test]
fn what_was_asked_before_makes_no_difference() {
    let text = "//- /app/src/lib.rs crate:app deps:a,b
        use a::prelude::*;
        pub fn first(it: &b::T) -> u8 { it.go() }
        pub fn second() -> u8 { a::f(); b::T::make().go() }
        //- /a/src/lib.rs crate:a deps:b pinned
        pub mod prelude { pub use crate::inner::*; }
        mod inner { pub use b::*; pub trait Go { fn go(&self) -> u8; } impl Go for b::T { fn go(&self) -> u8 { 7 } } }
        pub fn f() -> prelude::T { b::T }
        impl From<u8> for prelude::Local { fn from(_: u8) -> Self { prelude::Local } }
        //- /b/src/lib.rs crate:b pinned
        pub struct T;
        pub struct Local;
        impl T { pub fn make() -> T { T } }
        impl Drop for T { fn drop(&mut self) {} }
        ";
    let fixture = Fixture::new(text);
    let alone = ["app::first", "app::second"].map(|name| fixture.fingerprint(name));
    for order in [["app::first", "app::second"], ["app::second", "app::first"]] {
        let (db, workspace) = fixture.open();
        let mut found: Vec<(&str, String)> = order
            .iter()
            .map(|name| {
                let root = function(&db, workspace, name);
                (*name, fingerprint(&db, workspace, root).fingerprint.to_string())
            })
            .collect();
        found.sort();
        let found: Vec<String> = found.into_iter().map(|it| it.1).collect();
        assert_eq!(found, alone);
    }
}
