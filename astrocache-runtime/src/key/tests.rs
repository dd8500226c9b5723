//! Golden keys, and what must and must not be the same key.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::*;
use crate::site::{Options, SiteState};

static SITE: Site = site("app::f", Kind::Fine, 0);

const fn site(path: &'static str, kind: Kind, version: u64) -> Site {
    site_with(path, kind, version, "app", [1; 16], [2; 16], "astrocache serde_json")
}

const fn site_with(
    path: &'static str,
    kind: Kind,
    version: u64,
    package: &'static str,
    fingerprint: [u8; 16],
    context: [u8; 16],
    crates: &'static str,
) -> Site {
    Site {
        path,
        package,
        workspace: "/w",
        kind,
        fingerprint,
        context,
        crates,
        why: "",
        options: Options {
            version,
            ttl_secs: None,
            max_entries: None,
        },
        state: SiteState::new(),
    }
}

fn digest<T: Serialize + ?Sized>(value: &T) -> String {
    let digest = Canonical::digest(value).expect("it has a canonical form");
    Hex(&digest[..8]).to_string()
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct Newtype(u8);
#[derive(Serialize)]
struct Pair(u8, u8);
#[derive(Serialize)]
struct Named {
    a: u8,
    b: Option<&'static str>,
}
#[derive(Serialize)]
enum Enum {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Struct { a: u8 },
}

/// A map with its entries in the given order.
struct Map(Vec<(&'static str, Vec<u8>)>);

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0
            .iter()
            .try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
}

#[test]
fn the_canonical_form_is_pinned() {
    // A change here makes every stored value unreachable: bump KEY_FORMAT with it.
    let all = [
        (
            "scalars",
            digest(&(true, 1i8, 2i16, 3i32, 4i64, 5i128, 6u8, 7u16, 8u32, 9u64, 10u128, 'c')),
        ),
        ("usize is u64", digest(&9usize)),
        ("u64", digest(&9u64)),
        ("floats", digest(&(1.5f32, -0.0f64, f64::NAN))),
        ("text", digest(&("a", "", String::from("é")))),
        ("options", digest(&(None::<u8>, Some(1u8), Some(None::<u8>), ()))),
        ("lists", digest(&(vec![1u8, 2], [1u8, 2], Vec::<u8>::new()))),
        (
            "structs",
            digest(&(Unit, Newtype(1), Pair(1, 2), Named { a: 1, b: Some("x") })),
        ),
        (
            "enums",
            digest(&(Enum::Unit, Enum::Newtype(1), Enum::Tuple(1, 2), Enum::Struct { a: 1 })),
        ),
        ("map", digest(&Map(vec![("b", vec![1]), ("a", vec![])]))),
        ("path", digest(Path::new("a/b"))),
        ("long text", digest(&"x".repeat(200_000))),
        ("long list", digest(&vec![7u64; 50_000])),
    ];
    let lines: Vec<String> = all.iter().map(|(name, digest)| format!("{name}: {digest}")).collect();
    expect![[r#"
        scalars: 2db239a36926397f
        usize is u64: 1eb4770ac440cc28
        u64: 1eb4770ac440cc28
        floats: 13262eab4e9eda31
        text: 3f46d4b580aee18d
        options: 7bda1108049fe533
        lists: 348c97c67c3d3819
        structs: 72028b3ad8b48acd
        enums: 275d2a47fc9210e0
        map: 045a45e20e26c0d6
        path: 90ffd85b978766b5
        long text: d0822125bc7ac751
        long list: b189b1c3ebfd68bb"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_whole_key_is_pinned() {
    let mut key = KeyBuilder::new(&SITE);
    key.arg("n", &1u32);
    key.arg("text", "a");
    expect!["b5bbfd77a8ef44cf85fd6cfdcb290f92a5750d454ac71edb7cd810fe986330c9"]
        .assert_eq(&key.finish::<u8>().unwrap().to_string());
}

#[test]
fn different_values_of_like_bytes_differ() {
    let all = [
        digest(&(1u8, 2u32)),
        digest(&(1u64, 2u8)),
        digest(&Some(1u8)),
        digest(&(1u8, 1u8)),
        digest(&1u8),
        digest(&1i8),
        digest(&vec![1u8, 2]),
        digest(&"\x01\x02"),
        digest(&[1u8, 2]),
        digest(&("ab", "c")),
        digest(&("a", "bc")),
        digest(&(vec!["a"], vec!["b", "c"])),
        digest(&(vec!["a", "b"], vec!["c"])),
        digest(&vec![vec![1u8], vec![]]),
        digest(&vec![vec![], vec![1u8]]),
        digest(&vec![vec![1u8]]),
        digest(&0.0f64),
        digest(&-0.0f64),
        digest(&()),
        digest(&Unit),
        digest(&None::<u8>),
        digest(&Some(None::<u8>)),
        digest(&true),
        digest(&Newtype(1)),
        digest(&Pair(1, 2)),
        digest(&Enum::Unit),
        digest(&Enum::Newtype(1)),
        digest(&"Unit"),
        digest(&Map(vec![("a", vec![1]), ("b", vec![])])),
        digest(&Map(vec![("a", vec![]), ("b", vec![1])])),
    ];
    let mut distinct = all.to_vec();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn a_map_has_one_key_in_any_order() {
    let one = Map(vec![("a", vec![1]), ("b", vec![2, 3]), ("c", vec![])]);
    let other = Map(vec![("c", vec![]), ("b", vec![2, 3]), ("a", vec![1])]);
    assert_eq!(digest(&one), digest(&other));
    assert_eq!(digest(&vec![&one, &other]), digest(&vec![&other, &one]));
    let large = |reverse: bool| {
        let mut entries: Vec<_> = (0..20_000u32).map(|n| (n, n.to_string())).collect();
        if reverse {
            entries.reverse();
        }
        entries
    };
    #[allow(clippy::disallowed_types)]
    let hash = |reverse| digest(&large(reverse).into_iter().collect::<std::collections::HashMap<_, _>>());
    assert_eq!(hash(false), hash(true));
    assert_eq!(
        hash(false),
        digest(&large(false).into_iter().collect::<BTreeMap<_, _>>())
    );
}

#[test]
fn how_text_reaches_the_hasher_does_not_matter() {
    // Around the sizes at which the buffer is flushed and text bypasses it, alone and inside a map.
    for len in [65_400, 65_535, 65_536, 65_537, 131_072] {
        let text = "y".repeat(len);
        let mut distinct = vec![
            digest(&text),
            digest(&(&text, 1u8)),
            digest(&(1u8, &text)),
            digest(&[&text]),
        ];
        distinct.push(digest(&BTreeMap::from([("k", &text)])));
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 5);
        assert_eq!(digest(&text), digest(&*text.clone()));
    }
}

#[test]
fn too_deep_or_failing_values_have_no_key() {
    let deep = (0..300).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
    let mut key = KeyBuilder::new(&SITE);
    key.arg("deep", &deep);
    key.arg("more", &1);
    let why = key.finish::<u8>().unwrap_err();
    assert_eq!(
        why,
        NoKey::Refused("argument `deep` has no key: nested deeper than 200 levels".to_owned())
    );
}

#[test]
fn every_input_of_the_list_changes_the_key() {
    static SITES: [Site; 4] = [
        site("app::f", Kind::Trusted, 0),
        site("app::g", Kind::Fine, 0),
        site("app::f", Kind::Fine, 1),
        site("app::f", Kind::Coarse, 0),
    ];
    static CODE: Site = site_with("app::f", Kind::Fine, 0, "app", [9; 16], [2; 16], "");
    static CONTEXT: Site = site_with("app::f", Kind::Fine, 0, "app", [1; 16], [9; 16], "");
    static PACKAGE: Site = site_with("app::f", Kind::Fine, 0, "lib", [1; 16], [2; 16], "");
    let key = |site: &'static Site| {
        let mut key = KeyBuilder::new(site);
        key.arg("a", &1u8);
        key.finish::<u8>().unwrap()
    };
    let base = key(&SITE);
    assert_eq!(base, key(&SITES[0]), "a trusted fingerprint is a fine one");
    for site in [&SITES[1], &SITES[2], &SITES[3], &CODE, &CONTEXT, &PACKAGE] {
        assert_ne!(base, key(site));
    }
    let mut named = KeyBuilder::new(&SITE);
    named.arg("b", &1u8);
    assert_ne!(base, named.finish::<u8>().unwrap());
    let mut typed = KeyBuilder::new(&SITE);
    typed.arg("a", &1u8);
    assert_ne!(base, typed.finish::<u16>().unwrap());
}

#[test]
fn a_type_of_a_foreign_crate_brings_the_executable_into_the_key() {
    static NARROW: Site = site_with("app::f", Kind::Fine, 0, "app", [1; 16], [2; 16], "");
    static WIDE: Site = site("app::f", Kind::Fine, 0);
    assert_eq!(
        KeyBuilder::new(&NARROW).finish::<Vec<u8>>(),
        KeyBuilder::new(&WIDE).finish::<Vec<u8>>()
    );
    let foreign = KeyBuilder::new(&NARROW).finish::<Vec<serde_json::Value>>().unwrap();
    assert_ne!(
        foreign,
        KeyBuilder::new(&WIDE).finish::<Vec<serde_json::Value>>().unwrap()
    );
}

#[test]
fn files_count_by_content_and_missing_ones_have_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let mut key = KeyBuilder::new(&SITE);
        key.file("path", &dir.path().join(name));
        key.finish::<u8>()
    };
    std::fs::write(dir.path().join("a"), "one").unwrap();
    std::fs::write(dir.path().join("b"), "one").unwrap();
    std::fs::write(dir.path().join("c"), "two").unwrap();
    assert_eq!(key("a").unwrap(), key("b").unwrap());
    assert_ne!(key("a").unwrap(), key("c").unwrap());
    assert!(matches!(key("missing"), Err(NoKey::Refused(_))));
    assert!(matches!(key("."), Err(NoKey::Refused(_))));
}

#[test]
fn a_bypassed_call_has_no_key() {
    let mut key = KeyBuilder::new(&SITE);
    key.bypass();
    key.arg("a", &1);
    assert_eq!(key.finish::<u8>(), Err(NoKey::Bypass));
    assert_eq!(
        func::uncached(|| KeyBuilder::new(&SITE)).finish::<u8>(),
        Err(NoKey::Bypass)
    );
}
