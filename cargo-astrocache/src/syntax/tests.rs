//! Facts of small texts, as a listing.

use std::fmt::Write;

use expect_test::{Expect, expect};
use ra_ap_parser::Edition;

use super::{DefData, DefIdx, DefKind, FileFacts, ImportKind, Name, facts};

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&listing(&facts(text, Edition::Edition2021)));
}

fn listing(facts: &FileFacts) -> String {
    let mut out = String::new();
    for import in &facts.items.imports {
        let _ = match import.kind {
            ImportKind::Glob => writeln!(out, "use {}::*", join(&import.path)),
            kind => writeln!(out, "use {} {kind:?}", join(&import.path)),
        };
    }
    for module in &facts.items.mods {
        let _ = writeln!(out, "mod {} in {}", module.name, module.scope.0);
    }
    for (at, def) in facts.items.defs.iter().enumerate() {
        let body = &facts.bodies.defs[at];
        let parent = def.parent.map_or(String::new(), |DefIdx(p)| format!(" of {p}"));
        let _ = writeln!(out, "{at} {:?} {} in {}{parent}", def.kind, def.name, def.scope.0);
        if let DefData::Impl(header) = &def.data {
            let _ = writeln!(
                out,
                "  trait {:?} head {:?} partial {}",
                header.trait_, header.head, header.partial
            );
        }
        if let DefData::Site(site) = &def.data {
            let _ = writeln!(out, "  defines {:?} lowered {}", site.tokens.defines, site.lowered);
        }
        if let DefData::Macro(mac) = &def.data {
            let _ = writeln!(
                out,
                "  {:?} calls {:?} member_args {} expansion {:?}",
                mac.tokens, mac.calls, mac.member_args, mac.expansion
            );
        }
        for mention in &body.mentions.all {
            let header = if mention.header { " header" } else { "" };
            let _ = writeln!(
                out,
                "  {:?}{header} {} in {}",
                mention.kind,
                join(body.mentions.path(mention)),
                mention.scope.0
            );
        }
    }
    out
}

fn join(path: &[Name]) -> String {
    path.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("::")
}

#[test]
fn locals_shadow_by_position() {
    check(
        "fn f(a: A) { let len = match len(a) { k => k }; len; for i in i { i } if let Some(q) = q { q } else { q } }",
        expect![[r#"
            0 Fn f in 0
              Pattern header a in 0
              Type header A in 0
              Value len in 0
              Pattern k in 0
              Pattern len in 0
              Value i in 0
              Pattern i in 0
              Value q in 0
              Pattern Some in 0
              Pattern q in 0
        "#]],
    );
}

#[test]
fn qualified_paths_keep_what_can_be_named() {
    check(
        "fn f() { <T as Tr>::m(); <T>::n(); <[u8]>::k(); Vec::<X>::new(); }",
        expect![[r#"
        0 Fn f in 0
          Value Tr::m in 0
          Type T in 0
          Type Tr in 0
          Value T::n in 0
          Value <>::k in 0
          Type u8 in 0
          Value Vec::new in 0
          Type X in 0
    "#]],
    );
}

#[test]
fn impls_traits_and_bounds_are_read_from_headers() {
    check(
        "impl<T> Tr<u8> for &'a Vec<T> where T: D { type A = u8; fn m(&self) -> Box<dyn O> { self.go() } } impl X<u8> {} trait S: A + B { fn d() {} }",
        expect![[r#"
            0 Impl _ in 0
              trait Some([Tr]) head Path([Vec]) partial false
              Type header Tr in 0
              Type header u8 in 0
              Type header Vec in 0
              Type header T in 0
              Bound header D in 0
            1 TypeAlias A in 0 of 0
              Type u8 in 0
            2 Fn m in 0 of 0
              Type header Box in 0
              Object header O in 0
              Method go in 0
            3 Impl _ in 0
              trait None head Path([X]) partial true
              Type header X in 0
              Type header u8 in 0
            4 Trait S in 0
              Bound header A in 0
              Bound header B in 0
            5 Fn d in 0 of 4
        "#]],
    );
}

#[test]
fn token_trees_are_read_for_paths_methods_and_captured_names() {
    check(
        r#"fn f(x: u8) { println!("{x} {NAME:>WIDTH$}", a::b(x.go()), Vec::<T>::new(), <A as B>::c(), y.field); write!(o, "") }"#,
        expect![[r#"
            0 Fn f in 0
              Pattern header x in 0
              Type header u8 in 0
              Macro println in 0
              Token NAME in 0
              Token WIDTH in 0
              Token a::b in 0
              TokenArg b in 0
              TokenArg x in 0
              Method go in 0
              Token Vec::new in 0
              TokenArg new in 0
              Token T in 0
              TokenArg T in 0
              Token A in 0
              TokenArg A in 0
              Token B in 0
              TokenArg B in 0
              Token B::c in 0
              TokenArg c in 0
              WeakToken y in 0
              TokenArg y in 0
              TokenArg field in 0
              Macro write in 0
              Method write_fmt in 0
              WeakToken o in 0
              TokenArg o in 0
        "#]],
    );
}

#[test]
fn macro_definitions_tell_what_they_may_define() {
    check(
        "macro_rules! m { ($n:ident) => { pub fn $n() { $crate::deep::go(); inner!($n); x.$n() } struct Fixed; impl Tr for $n {} mod file; } }",
        expect![[r#"
            0 Macro m in 0
              ProvidedTokens { defines: [Fixed, file], defines_arg: true, impls: [ImplTokens { paths: [[Tr]], self_paths: [], self_arg: true, self_params: [n], from_paths: [], from_params: [] }], has_trait: false, aliases: false, imports: [], imports_arg: false, glue: false, attributes: [], attribute_arg: false, test: false, unnamed: false, mods: Some(ModTokens { names: [file], arg: false, paths: [] }) } calls [[inner]] member_args true expansion None
              Token $crate::deep::go in 0
              TokenArg go in 0
              Macro inner in 0
              WeakToken x in 0
              TokenArg x in 0
              Token Tr in 0
              TokenArg Tr in 0
        "#]],
    );
}

#[test]
fn item_macro_arguments_that_are_items_become_definitions() {
    check(
        "cfg_rt! { mod a; fn go() { b() } } cfg_if! { if #[cfg(x)] { fn p() {} } else { fn q() {} } } flags! { struct A: u8; }",
        expect![[r#"
            mod a in 0
            0 Fn go in 0
              Macro cfg_rt in 0
              Value b in 0
            1 MacroSite cfg_rt in 0
              defines [] lowered true
              Macro cfg_rt in 0
            2 Fn p in 0
              Macro cfg_if in 0
            3 Fn q in 0
              Macro cfg_if in 0
            4 MacroSite cfg_if in 0
              defines [] lowered true
              Macro cfg_if in 0
            5 MacroSite flags in 0
              defines [A] lowered false
              Macro flags in 0
              WeakToken u8 in 0
              TokenArg u8 in 0
        "#]],
    );
}

#[test]
fn an_attributes_own_name_and_the_words_of_cached_are_not_mentioned() {
    check(
        "#[a::cached(skip(x, y), strict, version = V, if = ok(z), allow(t::u))] fn f() {} struct S { #[serde(with = \"m\")] s: u8 }",
        expect![[r#"
            0 Fn f in 0
              Attribute a::cached in 0
              AttributePath V in 0
              AttributePath ok in 0
              AttributePath z in 0
            1 Struct S in 0
              AttributePath with in 0
              AttributePath m in 0
              Type u8 in 0
        "#]],
    );
}

#[test]
fn imports_are_flattened() {
    check(
        "use a::{self, b::*, c as d}; pub(in crate::x) use ::k as _; extern crate foo as bar; use super::{x::{y, self as z}};",
        expect![[r#"
        use a TypeOnly(a)
        use a::b::*
        use a::c Named(d)
        use ::::k Named(_)
        use foo ExternCrate { name: bar, macro_use: false }
        use super::x::y Named(y)
        use super::x TypeOnly(z)
    "#]],
    );
}

#[test]
fn a_file_with_errors_still_gives_facts() {
    let facts = facts("fn broken( { } fn whole() { helper() } %%%", Edition::Edition2021);
    assert!(facts.errors > 0);
    assert!(
        facts
            .items
            .defs
            .iter()
            .any(|def| def.kind == DefKind::Fn && def.name.as_str() == "whole")
    );
}
