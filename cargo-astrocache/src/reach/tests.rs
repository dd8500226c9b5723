//! Closures of small fixtures, a rule of DESIGN.md section 5 at a time: what it makes live, and what it leaves out.

use std::fmt::Write;

use expect_test::{Expect, expect};

use crate::testing::{Fixture, listing};

/// The closure of `app::root`, in order.
fn check(fixture: &str, expected: Expect) {
    let report = Fixture::new(fixture).report("app::root");
    let mut out = listing(&report);
    for name in &report.unresolved {
        let _ = writeln!(out, "unresolved {name}");
    }
    expected.assert_eq(&out);
}

#[test]
fn r1_r2_paths_and_values_are_live_and_their_neighbours_are_not() {
    check(
        "//- /src/lib.rs
        pub fn root() -> u8 { a::called() + apply(passed) + LIMIT }
        mod a { pub fn called() -> u8 { inner() } fn inner() -> u8 { 1 } pub fn idle() {} }
        fn apply(f: fn() -> u8) -> u8 { f() }
        fn passed() -> u8 { 2 }
        const LIMIT: u8 = TABLE[0]();
        static TABLE: [fn() -> u8; 1] = [stored];
        fn stored() -> u8 { 3 }
        fn idle() {}
        ",
        expect![[r#"
            fn app::root (root)
            fn app::a::called (R1)
            fn app::apply (R1)
            fn app::passed (R1)
            const app::LIMIT (R1)
            fn app::a::inner (R1)
            static app::TABLE (R1)
            fn app::stored (R1)
        "#]],
    );
}

#[test]
fn r7_an_impl_for_a_crate_that_is_absent_is_not_there() {
    check(
        "//- /src/lib.rs crate:app absent:paint
        use paint::{self as p, brush::Paint};
        pub fn root() { S.go() }
        struct S;
        impl S { fn go(&self) {} }
        impl Paint for S { fn paint(&self) { helper() } }
        impl p::Other for S { fn paint(&self) { helper() } }
        impl ::paint::Third for S { fn paint(&self) { helper() } }
        impl Clone for S { fn clone(&self) -> S { S } }
        fn helper() {}
        ",
        expect![[r#"
            fn app::root (root)
            struct app::S (R1)
            fn app::S::go (R5)
            impl app::{impl Clone for app::S} (R6)
            impl app::{impl app::S} (R7)
            fn <app::S as Clone>::clone (R7)
        "#]],
    );
}

#[test]
fn r4_an_associated_function_is_that_of_its_type() {
    check(
        "//- /src/lib.rs
        pub fn root() { S::make(); Alias::by_trait(); }
        pub struct S;
        pub struct Other;
        type Alias = S;
        impl S { fn make() {} fn idle() {} }
        impl Other { fn make() {} }
        trait Tr { fn by_trait(); fn idle() {} }
        impl Tr for S { fn by_trait() {} }
        impl Tr for Other { fn by_trait() {} }
        ",
        expect![[r#"
            fn app::root (root)
            struct app::S (R1)
            fn app::S::make (R4)
            type app::Alias (R1)
            trait app::Tr (R4)
            fn app::Tr::by_trait (R4)
            impl app::{impl app::Tr for app::S} (R7)
            impl app::{impl app::S} (R7)
            fn <app::S as app::Tr>::by_trait (R7)
        "#]],
    );
}

#[test]
fn r5_a_method_is_that_of_live_types_and_traits_in_scope() {
    check(
        "//- /src/lib.rs
        use a::Seen;
        pub fn root(it: &Live) { it.run(); it.seen(); }
        pub struct Live;
        pub struct Dead;
        impl Live { fn run(&self) {} fn idle(&self) {} }
        impl Dead { fn run(&self) {} }
        mod a { pub trait Seen { fn seen(&self) {} } pub trait Unseen { fn seen(&self) {} } }
        impl Seen for Live {}
        impl a::Unseen for Live {}
        ",
        expect![[r#"
            fn app::root (root)
            struct app::Live (R1)
            fn app::Live::run (R5)
            trait app::a::Seen (R5)
            fn app::a::Seen::seen (R5)
            impl app::{impl app::a::Seen for app::Live} (R7)
            impl app::{impl app::Live} (R7)
        "#]],
    );
}

#[test]
fn r5_a_method_of_a_dyn_trait_must_be_named() {
    check(
        "//- /src/lib.rs
        pub struct It;
        fn make() -> Box<dyn Tr> { Box::new(It) }
        pub fn root() { make().named() }
        trait Tr { fn named(&self); fn unnamed(&self); }
        impl Tr for It { fn named(&self) {} fn unnamed(&self) {} }
        ",
        expect![[r#"
            fn app::root (root)
            trait app::Tr (R5)
            fn app::Tr::named (R5)
            fn app::make (R1)
            struct app::It (R1)
            impl app::{impl app::Tr for app::It} (R7)
            fn <app::It as app::Tr>::named (R7)
        "#]],
    );
}

#[test]
fn r6_impls_of_std_traits_of_a_live_type_are_live() {
    check(
        "//- /src/lib.rs
        pub fn root() { let _it = Guard; }
        pub struct Guard;
        pub struct Idle;
        impl Drop for Guard { fn drop(&mut self) { on_drop() } }
        impl Drop for Idle { fn drop(&mut self) { idle() } }
        fn on_drop() {}
        fn idle() {}
        ",
        expect![[r#"
            fn app::root (root)
            struct app::Guard (R1)
            impl app::{impl Drop for app::Guard} (R6)
            fn <app::Guard as Drop>::drop (R7)
            fn app::on_drop (R1)
        "#]],
    );
}

#[test]
fn r7_an_impl_is_live_with_its_trait_and_its_head() {
    check(
        "//- /src/lib.rs
        pub fn root(it: Head) { Tr::f(&it) }
        pub struct Head;
        pub struct Idle;
        pub trait Tr { type A; const N: u8; fn f(&self); }
        pub trait IdleTr { fn g(&self); }
        impl Tr for Head { type A = Carried; const N: u8 = number(); fn f(&self) {} }
        impl Tr for Idle { type A = u8; const N: u8 = 0; fn f(&self) {} }
        impl IdleTr for Head { fn g(&self) {} }
        pub struct Carried;
        const fn number() -> u8 { 1 }
        ",
        expect![[r#"
            fn app::root (root)
            struct app::Head (R1)
            trait app::Tr (R1)
            fn app::Tr::f (R4)
            impl app::{impl app::Tr for app::Head} (R7)
            type <app::Head as app::Tr>::A (R7)
            const <app::Head as app::Tr>::N (R7)
            fn <app::Head as app::Tr>::f (R7)
            struct app::Carried (R1)
            fn app::number (R1)
        "#]],
    );
}

#[test]
fn r8_types_that_a_caller_can_bring_are_live() {
    check(
        "//- /src/lib.rs
        pub fn root<T: Tr>(it: T) { it.f() }
        pub trait Tr { fn f(&self); }
        pub trait Closed { fn g(&self); }
        pub struct Never;
        impl Tr for Never { fn f(&self) { behind() } }
        impl Closed for Never { fn g(&self) { idle() } }
        fn behind() {}
        fn idle() {}
        ",
        expect![[r#"
            fn app::root (root)
            trait app::Tr (R8)
            impl app::{impl app::Tr for app::Never} (R8)
            struct app::Never (R8)
            fn app::Tr::f (R5)
            fn <app::Never as app::Tr>::f (R5)
            fn app::behind (R1)
        "#]],
    );
}

#[test]
fn r9_a_macro_brings_its_body_and_its_arguments() {
    check(
        "//- /src/lib.rs
        macro_rules! call { ($f:ident) => { { $f(); in_body() } } }
        macro_rules! idle { () => { idle() } }
        pub fn root() { call!(argument); println!(\"{WIDTH}\"); }
        fn argument() {}
        fn in_body() {}
        fn idle() {}
        const WIDTH: u8 = 1;
        ",
        expect![[r#"
            fn app::root (root)
            macro app::call! (R9)
            fn app::in_body (R9)
            fn app::argument (R1)
            const app::WIDTH (R1)
        "#]],
    );
}

#[test]
fn r9_a_macro_call_is_live_by_what_it_provides() {
    check(
        "//- /src/lib.rs
        macro_rules! make { ($($name:ident)*) => { $(pub fn $name() { behind() })* } }
        make! { made twin }
        make! { idle }
        pub fn root() { made() }
        fn behind() {}
        ",
        expect![[r#"
            fn app::root (root)
            macro call app::make! (R1)
            macro app::make! (R9)
            fn app::behind (R9)
        "#]],
    );
}

#[test]
fn r10_derives_attributes_and_the_paths_in_them_are_live() {
    check(
        "//- /mac/src/lib.rs crate:mac proc-macro
        #[proc_macro_derive(Wire, attributes(wire))]
        pub fn wire(input: TokenStream) -> TokenStream { expand() }
        fn expand() -> TokenStream { quote! { ::rt::emitted() } }
        #[proc_macro_derive(Idle)]
        pub fn idle(input: TokenStream) -> TokenStream { quote! { ::rt::idle() } }
        //- /rt/src/lib.rs crate:rt
        pub fn emitted() {}
        pub fn idle() {}
        //- /src/lib.rs crate:app deps:mac,rt
        pub fn root(it: S) {}
        #[derive(mac::Wire)]
        pub struct S { #[wire(with = \"helpers::with\")] field: u8 }
        mod apart { #[derive(mac::Idle)] pub struct Unused; }
        mod helpers { pub fn with() {} pub fn idle() {} }
        ",
        expect![[r#"
            fn app::root (root)
            struct app::S (R1)
            fn rt::emitted (R10)
            fn app::helpers::with (R10)
        "#]],
    );
}

/// A key of a helper attribute (`skip`, `with`) is no name that another derive of the module might have added.
#[test]
fn r10_neither_a_key_in_a_helper_attribute_nor_an_emitted_path_makes_other_derives_of_the_module_live() {
    let with = |emitted: &str, field: &str| {
        format!(
            "//- /mac/src/lib.rs crate:mac proc-macro
            #[proc_macro_derive(Wire, attributes(wire))]
            pub fn wire(input: TokenStream) -> TokenStream {{ quote! {{ {emitted} }} }}
            //- /rt/src/lib.rs crate:rt
            pub fn emitted() {{}}
            //- /src/lib.rs crate:app deps:mac,rt
            #[derive(mac::Wire)] pub struct Unused;
            pub fn root(it: S) {{}}
            #[derive(mac::Wire)] pub struct S {{ {field} field: u8 }}
            mod helpers {{ pub fn with() {{}} }}
            "
        )
    };
    check(
        &with("", "#[wire(skip)]"),
        expect![[r#"
            fn app::root (root)
            struct app::S (R1)
        "#]],
    );
    check(
        &with("", "#[wire(with = \"helpers::with\")]"),
        expect![[r#"
            fn app::root (root)
            struct app::S (R1)
            fn app::helpers::with (R10)
        "#]],
    );
    check(
        &with("::rt::emitted()", ""),
        expect![[r#"
        fn app::root (root)
        struct app::S (R1)
        fn rt::emitted (R10)
    "#]],
    );
    check(
        &with("rt::emitted()", ""),
        expect![[r#"
        fn app::root (root)
        struct app::S (R1)
        fn rt::emitted (R10)
    "#]],
    );
}

#[test]
fn r14_a_declared_symbol_is_its_definition_elsewhere() {
    check(
        "//- /src/lib.rs
        extern \"C\" { fn reached(); }
        pub fn root() { unsafe { reached() } }
        mod c {
            #[no_mangle] pub extern \"C\" fn reached() {}
            #[no_mangle] pub extern \"C\" fn idle() {}
            #[export_name = \"reached\"] pub extern \"C\" fn by_export() {}
        }
        ",
        expect![[r#"
            fn app::root (root)
            fn app::reached (R1)
            fn app::c::reached (R14)
            fn app::c::by_export (R14)
        "#]],
    );
}

#[test]
fn r15_a_name_that_is_not_found_means_every_definition_of_it() {
    check(
        "//- /src/lib.rs
        pub fn root() { lost(); Nowhere::make() }
        mod a { pub fn lost() {} pub fn idle() {} }
        mod b { pub fn lost() {} }
        ",
        expect![[r#"
            fn app::root (root)
            fn app::a::lost (R15)
            fn app::b::lost (R15)
            unresolved Nowhere::make
            unresolved lost
        "#]],
    );
}

#[test]
fn r9_conversions_by_a_macro_wait_for_what_they_convert() {
    let fixture = |body: &str| {
        format!(
            "//- /src/lib.rs
            pub fn root() {{ {body} }}
            pub struct Own;
            pub struct Far;
            pub struct Near;
            macro_rules! convert {{
                ($number:ty, $far:ty,) => {{
                    impl From<$far> for Own {{ fn from(_: $far) -> Own {{ helper() }} }}
                    impl From<Own> for $far {{ fn from(_: Own) -> $far {{ Far }} }}
                }};
            }}
            convert!(u8, Far,);
            macro_rules! both {{
                ($number:ty, $near:ty) => {{ impl From<$number> for Own {{ fn from(_: $number) -> Own {{ helper() }} }} }};
            }}
            both!(u8, Near);
            fn helper() -> Own {{ Own }}
            "
        )
    };
    check(
        &fixture("let _ = Own;"),
        expect![[r#"
            fn app::root (root)
            struct app::Own (R1)
            macro call app::both! (R7)
            macro app::both! (R9)
            fn app::helper (R9)
            struct app::Near (R1)
        "#]],
    );
    check(
        &fixture("let _: Own = Far.into();"),
        expect![[r#"
            fn app::root (root)
            struct app::Own (R1)
            struct app::Far (R1)
            macro call app::both! (R7)
            macro call app::convert! (R7)
            macro app::both! (R9)
            fn app::helper (R9)
            struct app::Near (R1)
            macro app::convert! (R9)
        "#]],
    );
}
