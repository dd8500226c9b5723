//! The conformance table: for each kind of type, what comes back. Exact, or refused; never another value.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::*;

/// "exact", or why the value is refused. Panics when it comes back different.
fn outcome<T: Serialize + DeserializeOwned + Debug>(value: T) -> String {
    let shown = format!("{value:?}");
    match value.__encode() {
        Err(why) => why,
        Ok(bytes) => {
            let back = T::__decode(&bytes).expect("what was accepted decodes");
            assert_eq!(format!("{back:?}"), shown);
            assert!(back.__agrees(&bytes));
            "exact".to_owned()
        }
    }
}

fn exact<T: Serialize + DeserializeOwned + Debug>(value: T) {
    let shown = format!("{value:?}");
    assert_eq!(outcome(value), "exact", "{shown}");
}

fn refused<T: Serialize + DeserializeOwned + Debug>(value: T, why: Expect) {
    why.assert_eq(&outcome(value));
}

#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
struct Plain {
    a: u8,
    b: String,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
enum External {
    Unit,
    Newtype(u32),
    Tuple(u8, String),
    Struct { x: f64, y: Option<Plain> },
}

fn externals() -> Vec<External> {
    vec![
        External::Unit,
        External::Newtype(7),
        External::Tuple(1, "t".into()),
        External::Struct {
            x: -0.0,
            y: Some(Plain { a: 1, b: "é".into() }),
        },
    ]
}

#[test]
fn scalars_come_back_exactly() {
    exact((i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    exact((u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    exact((true, false, 'ß', '\u{10ffff}', usize::MAX, isize::MIN));
    exact((String::new(), "a\0b".to_owned(), ()));
}

#[test]
fn floats_come_back_bit_for_bit() {
    for bits in [
        f64::NAN.to_bits(),
        0x7ff0_0000_0000_0001,
        (-0.0f64).to_bits(),
        f64::INFINITY.to_bits(),
        1,
    ] {
        let bytes = f64::from_bits(bits).__encode().unwrap();
        assert_eq!(f64::__decode(&bytes).unwrap().to_bits(), bits);
        let bytes = vec![f64::from_bits(bits); 3].__encode().unwrap();
        assert_eq!(Vec::<f64>::__decode(&bytes).unwrap()[2].to_bits(), bits);
    }
    let nan = f32::from_bits(0xffc0_1234);
    assert_eq!(f32::__decode(&nan.__encode().unwrap()).unwrap().to_bits(), 0xffc0_1234);
}

#[test]
fn options_nest() {
    exact(None::<Option<u8>>);
    exact(Some(None::<u8>));
    exact(Some(Some(1u8)));
    exact(Some(()));
    exact(None::<()>);
    exact(vec![Some(Some(None)), Some(None), None::<Option<Option<()>>>]);
}

#[test]
fn enums_of_all_shapes() {
    exact(externals());

    #[derive(Serialize, Deserialize, Debug)]
    #[serde(tag = "kind")]
    enum Internal {
        Unit,
        Struct { x: u64, inner: External },
        Newtype(Plain),
    }
    exact(vec![Internal::Unit, Internal::Newtype(Plain::default())]);
    for inner in externals() {
        exact(Internal::Struct { x: 1, inner });
    }

    #[derive(Serialize, Deserialize, Debug)]
    #[serde(tag = "t", content = "c")]
    enum Adjacent {
        Unit,
        Newtype(Option<Option<u8>>),
        Tuple(u8, u8),
        Struct { x: Vec<u8> },
    }
    exact(vec![
        Adjacent::Unit,
        Adjacent::Newtype(Some(None)),
        Adjacent::Newtype(None),
        Adjacent::Tuple(1, 2),
        Adjacent::Struct { x: vec![1] },
    ]);
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Untagged {
    Small(u32),
    Large(u64),
    Text(String),
    Opt(Option<Option<u8>>),
    Pair(u8, External),
    Struct { x: External },
}

#[test]
fn untagged_enums_come_back_exactly_or_are_refused() {
    exact(Untagged::Small(1));
    exact(Untagged::Large(u64::MAX));
    exact(Untagged::Text("t".into()));
    exact(Untagged::Opt(Some(Some(1))));
    for inner in externals() {
        exact(Untagged::Struct { x: inner.clone() });
        exact(Untagged::Pair(1, inner));
    }
    // `Large(5)` reads as `Small(5)`, as in every serde format; here the type tag shows it.
    refused(
        Untagged::Large(5),
        expect!["it comes back different from serde's round trip"],
    );
}

#[test]
fn flattened_fields() {
    #[derive(Serialize, Deserialize, Debug)]
    struct Outer {
        id: u32,
        #[serde(flatten)]
        plain: Plain,
        #[serde(flatten)]
        rest: BTreeMap<String, Option<External>>,
    }
    for inner in externals() {
        let rest = BTreeMap::from([("k".to_owned(), Some(inner)), ("n".to_owned(), None)]);
        exact(Outer {
            id: 1,
            plain: Plain { a: 2, b: "b".into() },
            rest,
        });
    }
}

#[test]
fn skipped_defaulted_and_renamed_fields() {
    #[derive(Serialize, Deserialize, Debug, Default)]
    struct Skips {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        a: Option<u8>,
        s: u8,
        #[serde(rename = "type")]
        t: Vec<u8>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        u: Vec<u8>,
    }
    exact(Skips {
        a: None,
        s: 1,
        t: vec![0, 0],
        u: vec![],
    });
    exact(Skips {
        a: Some(2),
        s: 0,
        t: vec![],
        u: vec![1],
    });
    exact(vec![
        Skips::default(),
        Skips {
            a: Some(0),
            ..Skips::default()
        },
        Skips::default(),
    ]);
}

mod seconds {
    use super::*;
    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(d.as_secs())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_secs)
    }
}

mod whole {
    use super::*;
    pub fn serialize<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_u32(*x as u32)
        } else {
            s.serialize_f64(*x)
        }
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        u32::deserialize(d).map(f64::from)
    }
}

mod rounded {
    use super::*;
    pub fn serialize<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&format!("{x:.1}"))
        } else {
            s.serialize_f64(*x)
        }
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[test]
fn fields_with_code_of_their_own() {
    #[derive(Serialize, Deserialize, Debug)]
    struct With {
        #[serde(with = "seconds")]
        d: Duration,
    }
    exact(With {
        d: Duration::from_secs(3),
    });

    #[derive(Serialize, Deserialize, Debug)]
    struct Rounded(#[serde(with = "rounded")] f64);
    #[derive(Serialize, Deserialize, Debug)]
    struct Whole(#[serde(with = "whole")] f64);
    exact(Rounded(1.5));
    exact(vec![Whole(1.0)]);
    refused(
        vec![Whole(1.5)],
        expect!["its printed form does not carry the whole value"],
    );
    refused(
        Rounded(1.25),
        expect!["its printed form does not carry the whole value"],
    );
}

#[test]
fn foreign_types() {
    exact("::1".parse::<IpAddr>().unwrap());
    exact(Duration::from_nanos(1));
    exact(serde_json::json!({"a": [1, -2.5, null, {"b": "c"}], "z": u64::MAX}));
    exact(Some(serde_json::Value::Null));
}

#[test]
fn maps_with_any_keys_and_unordered_containers() {
    exact(BTreeMap::from([((1u8, Some('x')), vec![1.5f32]), ((0, None), vec![])]));
    exact(BTreeMap::from([(vec![1u8], ()), (vec![], ())]));
    exact(BTreeSet::from(["b", "a"].map(str::to_owned)));
    exact(VecDeque::from([1, 2, 3]));
}

/// Shown sorted, since two hash maps with the same entries print differently.
#[test]
#[allow(clippy::disallowed_types)]
fn hash_maps_and_sets_are_kept_though_their_order_changes() {
    use std::collections::{HashMap, HashSet};
    for n in [2, 3, 50] {
        let map: HashMap<String, HashSet<u32>> = (0..n).map(|i| (i.to_string(), (0..n).collect())).collect();
        let bytes = map.__encode().expect("a hash map is storable");
        let back = HashMap::<String, HashSet<u32>>::__decode(&bytes).unwrap();
        assert_eq!(back, map);
        assert!(back.__agrees(&bytes));
        let listed: HashSet<Vec<u32>> = (0..n).flat_map(|i| [vec![i, i + 1], vec![i + 1, i]]).collect();
        let bytes = listed.__encode().expect("a set of lists is storable");
        assert_eq!(HashSet::<Vec<u32>>::__decode(&bytes).unwrap(), listed);
        let mut other = listed.clone();
        other.insert(vec![]);
        assert!(!other.__agrees(&bytes));
    }
}

/// Lists and sets in each other, with a few elements that are each other turned round.
#[test]
#[allow(clippy::disallowed_types)]
fn unordered_containers_in_any_others_are_kept() {
    use std::collections::{HashMap, HashSet};
    fn kept<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
        let bytes = value.__encode().expect("storable");
        let back = T::__decode(&bytes).unwrap();
        assert_eq!(back, *value);
        assert!(back.__agrees(&bytes));
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum Tree {
        Leaf(Vec<u8>),
        Node(HashMap<String, Tree>),
        Both {
            set: HashSet<Vec<u8>>,
            list: Vec<HashSet<u8>>,
        },
    }
    let set = || HashSet::from([vec![1, 2], vec![2, 1], vec![1, 1, 2], vec![2, 1, 1]]);
    let list = || (0..5).map(|n| (n..n + 7).collect()).collect();
    let mut tree = Tree::Both {
        set: set(),
        list: list(),
    };
    for depth in 0..30u8 {
        let leaf = (format!("leaf {depth}"), Tree::Leaf(vec![depth, 0, depth]));
        let both = (
            format!("both {depth}"),
            Tree::Both {
                set: set(),
                list: list(),
            },
        );
        tree = Tree::Node(HashMap::from([leaf, both, (depth.to_string(), tree)]));
    }
    // Orders are random: some tries meet all of few elements.
    for _ in 0..50 {
        kept(&HashMap::from([(0, HashSet::from([0, 1])), (1, HashSet::from([0, 1]))]));
        kept(&HashMap::from([(0, vec![set(), set()]), (1, vec![set(), set()])]));
        kept(&set());
        kept(&list());
        kept(&(list(), set(), Some(HashMap::from([(set().len(), set()), (0, set())]))));
    }
    kept(&tree);
}

#[test]
fn a_list_that_comes_back_in_another_order_is_refused() {
    /// Pops what was pushed last first; keeps at most so many.
    #[derive(Debug)]
    struct Bounded<const MAX: usize>(Vec<u8>);
    impl<const MAX: usize> Serialize for Bounded<MAX> {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.collect_seq(self.0.iter().rev())
        }
    }
    impl<'de, const MAX: usize> Deserialize<'de> for Bounded<MAX> {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Bounded<MAX>, D::Error> {
            let mut list = Vec::deserialize(d)?;
            list.truncate(MAX);
            Ok(Bounded(list))
        }
    }
    refused(
        Bounded::<2>(vec![1, 2]),
        expect!["it comes back different from serde's round trip"],
    );
    refused(
        (BTreeSet::from([1, 2]), Bounded::<3>(vec![1, 2, 3])),
        expect!["it comes back different from serde's round trip"],
    );
    #[derive(Debug)]
    struct Stack(Vec<u8>);
    impl Serialize for Stack {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.collect_seq(self.0.iter().rev())
        }
    }
    impl<'de> Deserialize<'de> for Stack {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Stack, D::Error> {
            Vec::deserialize(d).map(Stack)
        }
    }
    refused(
        Stack(vec![1, 2, 3]),
        expect!["it comes back different from serde's round trip"],
    );
    exact(Stack(vec![1, 1]));
}

#[derive(Serialize, Deserialize, Debug)]
struct Chain(Option<Box<Chain>>);

fn chain(levels: usize) -> Chain {
    (1..levels).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))))
}

#[test]
fn recursion_is_exact_up_to_a_bound_and_refused_above_it() {
    exact(chain(40));
    refused(chain(300), expect!["nested deeper than 128 levels"]);
    let nested = (0..300).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
    refused(nested, expect!["nested deeper than 128 levels"]);
}

#[test]
fn a_bound_on_depth_holds_on_a_small_stack() {
    let run = || {
        exact((0..60).fold(serde_json::json!(1), |inner, _| serde_json::json!({ "k": [inner] })));
        refused(chain(2000), expect!["nested deeper than 128 levels"]);
    };
    let small = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap();
    small.join().unwrap();
}

#[test]
fn zero_sized_and_packed_lists() {
    #[derive(Serialize, Deserialize, Debug, Clone)]
    struct Zst;
    exact(Zst);
    exact(vec![Zst; 5]);
    exact(vec![(); 3]);
    exact([0u8; 0]);
    exact(([1u8, 2], [1u16, 2], vec![1i128], vec![f32::MIN]));
    exact(vec![
        serde_json::json!(1),
        serde_json::json!(2),
        serde_json::json!("x"),
        serde_json::json!(-1),
    ]);
    exact(vec![Some(1u8), None]);
    exact((1u8, 2u8, "mixed".to_owned(), 3u16));
}

#[test]
fn bytes_stay_bytes() {
    #[derive(Debug)]
    struct Bytes(Vec<u8>);
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_bytes(&self.0)
        }
    }
    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Bytes, D::Error> {
            struct Visit;
            impl serde::de::Visitor<'_> for Visit {
                type Value = Bytes;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E>(self, v: &[u8]) -> Result<Bytes, E> {
                    Ok(Bytes(v.to_vec()))
                }
            }
            d.deserialize_bytes(Visit)
        }
    }
    exact(Bytes(vec![]));
    exact(Some(Bytes(vec![0, 255])));
}

#[test]
fn failing_and_panicking_impls_are_refused() {
    #[derive(Debug, Serialize)]
    struct Fails(u8);
    impl<'de> Deserialize<'de> for Fails {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Fails, D::Error> {
            Err(serde::de::Error::custom("never"))
        }
    }
    refused(Fails(1), expect!["it does not deserialize: never"]);

    #[derive(Debug, Deserialize)]
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    refused(Refuses, expect!["no"]);

    #[derive(Debug, Deserialize)]
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("a user's bug")
        }
    }
    refused(Panics, expect!["its serde impl panicked"]);
}

#[test]
fn every_damaged_byte_gives_a_value_or_nothing_but_never_a_panic() {
    let value = (
        externals(),
        serde_json::json!({"a": [1, {"b": null}]}),
        vec![1u32; 20],
        Some(Some("x".to_owned())),
    );
    let bytes = value.__encode().unwrap();
    type Value = (Vec<External>, serde_json::Value, Vec<u32>, Option<Option<String>>);
    for at in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            let _ = de::from_bytes::<Value>(&damaged);
            let _ = same::same::<Value>(&bytes, &damaged);
        }
        assert!(de::from_bytes::<Value>(&bytes[..at]).is_err());
    }
}

#[test]
fn names_cost_their_text_once() {
    let many = vec![Plain { a: 1, b: String::new() }; 100];
    let bytes = many.__encode().unwrap();
    assert!(bytes.len() < 1000, "{}", bytes.len());
    let packed = vec![0u8; 1000].__encode().unwrap();
    assert_eq!(packed.len(), 1006);
}
