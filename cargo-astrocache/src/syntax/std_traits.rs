//! The traits of std that run only where code says so: with an operator, or with one of a few words.
//!
//! std calls a user's impl of its traits from its own code, which is not analyzed. For the traits below it is known which
//! functions and macros of std do: a closure without any of those words, and without the trait's methods, cannot reach an
//! impl of the trait. For all others (`Drop`, `Deref`, comparison, `Clone`, `From`, `Iterator`..) there are too many ways.

use ra_ap_parser::{SyntaxKind, SyntaxKind::*};
use serde::{Deserialize, Serialize};

/// A set of such traits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StdTraits {
    /// For operators: applied to operands of any type.
    any: u64,
    /// Operators applied with a literal on one side: cannot be `T op T` for a user's type.
    literal: u64,
}

/// Operator traits: name and method.
const OPERATORS: &[(&str, &str)] = &[
    ("Add", "add"),
    ("Sub", "sub"),
    ("Mul", "mul"),
    ("Div", "div"),
    ("Rem", "rem"),
    ("BitAnd", "bitand"),
    ("BitOr", "bitor"),
    ("BitXor", "bitxor"),
    ("Shl", "shl"),
    ("Shr", "shr"),
    ("AddAssign", "add_assign"),
    ("SubAssign", "sub_assign"),
    ("MulAssign", "mul_assign"),
    ("DivAssign", "div_assign"),
    ("RemAssign", "rem_assign"),
    ("BitAndAssign", "bitand_assign"),
    ("BitOrAssign", "bitor_assign"),
    ("BitXorAssign", "bitxor_assign"),
    ("ShlAssign", "shl_assign"),
    ("ShrAssign", "shr_assign"),
    ("Neg", "neg"),
    ("Not", "not"),
    ("Index", "index"),
    ("IndexMut", "index_mut"),
];

/// Traits with the functions, methods and macros through which code reaches an impl: the trait's own methods, and what of
/// std calls those on a type of the caller's. Where a whole family does (`HashMap`, `Hasher`, `hash_one`; `or_default`,
/// `BuildHasherDefault`), see [`FAMILIES`].
const NAMED: &[(&str, &[&str])] = &[
    ("FromStr", &["from_str", "parse"]),
    ("Sum", &["sum"]),
    ("Product", &["product"]),
    ("FromIterator", &["from_iter", "collect", "try_collect"]),
    (
        "Extend",
        &[
            "extend",
            "extend_one",
            "extend_reserve",
            "unzip",
            "partition",
            "collect",
            "collect_into",
            "try_collect",
            "from_iter",
        ],
    ),
    ("TryFrom", &["try_from", "try_into"]),
    (
        "Default",
        &["take", "unzip", "partition", "collect", "try_collect", "from_iter"],
    ),
    ("Hash", &[]),
    ("Display", &["fmt", "to_string"]),
    (
        "Debug",
        &[
            "fmt",
            "unwrap",
            "unwrap_err",
            "expect",
            "expect_err",
            "assert_eq",
            "assert_ne",
            "debug_assert_eq",
            "debug_assert_ne",
            "assert_matches",
            "debug_assert_matches",
            "dbg",
            "field",
            "field_with",
            "key",
            "key_with",
            "value",
            "value_with",
            "entry",
            "entry_with",
            "entries",
            "report",
        ],
    ),
    ("LowerHex", &["fmt"]),
    ("UpperHex", &["fmt"]),
    ("Octal", &["fmt"]),
    ("Binary", &["fmt"]),
    ("LowerExp", &["fmt"]),
    ("UpperExp", &["fmt"]),
    ("Pointer", &["fmt"]),
];

/// Parts of words, in lower case, and the trait that every word with such a part may reach.
const FAMILIES: &[(&str, &str)] = &[("hash", "Hash"), ("default", "Default")];

/// Macros of std that format. What they format is seen in their arguments, but not if only their name is known.
const FORMATTING: &[&str] = &[
    "format",
    "format_args",
    "write",
    "writeln",
    "print",
    "println",
    "eprint",
    "eprintln",
    "panic",
    "assert",
    "debug_assert",
    "todo",
    "unimplemented",
    "unreachable",
];

impl StdTraits {
    pub const NONE: StdTraits = StdTraits { any: 0, literal: 0 };
    pub const ALL: StdTraits = StdTraits {
        any: (1 << (OPERATORS.len() + NAMED.len())) - 1,
        literal: 0,
    };
    /// All operators.
    pub const OPERATORS: StdTraits = StdTraits {
        any: (1 << OPERATORS.len()) - 1,
        literal: 0,
    };

    const fn bit(at: usize) -> StdTraits {
        StdTraits {
            any: 1 << at,
            literal: 0,
        }
    }

    const fn operator(name: &str) -> StdTraits {
        let mut at = 0;
        while at < OPERATORS.len() {
            if is_same(OPERATORS[at].0, name) {
                return StdTraits::bit(at);
            }
            at += 1;
        }
        StdTraits::NONE
    }

    const fn operators(names: &[&str]) -> StdTraits {
        let (mut out, mut at) = (StdTraits::NONE, 0);
        while at < names.len() {
            out = out.and(StdTraits::operator(names[at]));
            at += 1;
        }
        out
    }

    const fn named(name: &str) -> StdTraits {
        let mut at = 0;
        while at < NAMED.len() {
            if is_same(NAMED[at].0, name) {
                return StdTraits::bit(OPERATORS.len() + at);
            }
            at += 1;
        }
        StdTraits::NONE
    }

    /// The trait at the end of a path of std: `std::ops::Add`, `core::fmt::Display`.
    pub fn of_trait(path: &str) -> StdTraits {
        let last = path.rsplit("::").next().unwrap_or(path);
        if path.split("::").any(|segment| segment == "ops") {
            StdTraits::operator(last)
        } else {
            StdTraits::named(last)
        }
    }

    /// The traits that code may reach by a path or method of these segments.
    pub fn of_words<'w>(segments: impl Iterator<Item = &'w str>) -> StdTraits {
        let (mut out, mut last) = (StdTraits::NONE, "");
        for segment in segments {
            last = segment;
            out = out.and(StdTraits::of_part(segment));
        }
        out.and(StdTraits::of_word(last))
    }

    fn of_word(word: &str) -> StdTraits {
        let operator = OPERATORS.iter().position(|it| it.1 == word).into_iter();
        let named = (OPERATORS.len()..).zip(NAMED).filter(|(_, it)| it.1.contains(&word));
        let all = operator.chain(named.map(|(at, _)| at));
        all.map(StdTraits::bit).fold(StdTraits::NONE, StdTraits::and)
    }

    fn of_part(word: &str) -> StdTraits {
        let found = FAMILIES.iter().filter(|(part, _)| contains_ignoring_case(word, part));
        found
            .map(|(_, name)| StdTraits::named(name))
            .fold(StdTraits::NONE, StdTraits::and)
    }

    /// The traits that the output of a proc macro may reach that holds such a path or method.
    pub fn of_emitted<'w>(segments: impl Iterator<Item = &'w str> + Clone) -> StdTraits {
        let formats = segments.clone().any(|it| FORMATTING.contains(&it));
        let found = StdTraits::of_words(segments);
        if formats {
            found.and(StdTraits::formatting())
        } else {
            found
        }
    }

    /// The formatting traits.
    pub fn formatting() -> StdTraits {
        StdTraits::of_word("fmt")
    }

    /// The formatting traits that a format string may reach, if it is one: `Debug` for `{:?}`.
    pub fn of_format_string(text: &str) -> StdTraits {
        let (mut out, mut rest) = (StdTraits::NONE, text);
        while let Some(open) = rest.find('{') {
            rest = &rest[open + 1..];
            if let Some(escaped) = rest.strip_prefix('{') {
                rest = escaped;
                continue;
            }
            // A part of a string that `concat!` puts together.
            let Some(close) = rest.find('}') else {
                return StdTraits::formatting();
            };
            let spec = rest[..close].split_once(':').map_or("", |(_, spec)| spec.trim_end());
            out = out.and(match spec.chars().next_back() {
                Some('?') => const { StdTraits::named("Debug") },
                Some('x') => const { StdTraits::named("LowerHex") },
                Some('X') => const { StdTraits::named("UpperHex") },
                Some('o') => const { StdTraits::named("Octal") },
                Some('b') => const { StdTraits::named("Binary") },
                Some('e') => const { StdTraits::named("LowerExp") },
                Some('E') => const { StdTraits::named("UpperExp") },
                Some('p') => const { StdTraits::named("Pointer") },
                _ => const { StdTraits::named("Display") },
            });
            rest = &rest[close + 1..];
        }
        out
    }

    /// Operators of an expression node's token.
    pub fn of_expression(expression: SyntaxKind, token: SyntaxKind) -> StdTraits {
        match (expression, token) {
            (INDEX_EXPR, L_BRACK) => const { StdTraits::operators(&["Index", "IndexMut"]) },
            (PREFIX_EXPR, MINUS) => const { StdTraits::operator("Neg") },
            (PREFIX_EXPR, BANG) => const { StdTraits::operator("Not") },
            (BIN_EXPR, PLUS) => const { StdTraits::operator("Add") },
            (BIN_EXPR, MINUS) => const { StdTraits::operator("Sub") },
            (BIN_EXPR, STAR) => const { StdTraits::operator("Mul") },
            (BIN_EXPR, SLASH) => const { StdTraits::operator("Div") },
            (BIN_EXPR, PERCENT) => const { StdTraits::operator("Rem") },
            (BIN_EXPR, AMP) => const { StdTraits::operator("BitAnd") },
            (BIN_EXPR, PIPE) => const { StdTraits::operator("BitOr") },
            (BIN_EXPR, CARET) => const { StdTraits::operator("BitXor") },
            (BIN_EXPR, SHL) => const { StdTraits::operator("Shl") },
            (BIN_EXPR, SHR) => const { StdTraits::operator("Shr") },
            (BIN_EXPR, PLUSEQ) => const { StdTraits::operator("AddAssign") },
            (BIN_EXPR, MINUSEQ) => const { StdTraits::operator("SubAssign") },
            (BIN_EXPR, STAREQ) => const { StdTraits::operator("MulAssign") },
            (BIN_EXPR, SLASHEQ) => const { StdTraits::operator("DivAssign") },
            (BIN_EXPR, PERCENTEQ) => const { StdTraits::operator("RemAssign") },
            (BIN_EXPR, AMPEQ) => const { StdTraits::operator("BitAndAssign") },
            (BIN_EXPR, PIPEEQ) => const { StdTraits::operator("BitOrAssign") },
            (BIN_EXPR, CARETEQ) => const { StdTraits::operator("BitXorAssign") },
            (BIN_EXPR, SHLEQ) => const { StdTraits::operator("ShlAssign") },
            (BIN_EXPR, SHREQ) => const { StdTraits::operator("ShrAssign") },
            _ => StdTraits::NONE,
        }
    }

    /// Operators that a single character in a token tree may be, or be part of.
    pub fn of_punctuation(token: SyntaxKind) -> StdTraits {
        match token {
            PLUS => const { StdTraits::operators(&["Add", "AddAssign"]) },
            MINUS => const { StdTraits::operators(&["Sub", "SubAssign", "Neg"]) },
            STAR => const { StdTraits::operators(&["Mul", "MulAssign"]) },
            SLASH => const { StdTraits::operators(&["Div", "DivAssign"]) },
            PERCENT => const { StdTraits::operators(&["Rem", "RemAssign"]) },
            AMP => const { StdTraits::operators(&["BitAnd", "BitAndAssign"]) },
            PIPE => const { StdTraits::operators(&["BitOr", "BitOrAssign"]) },
            CARET => const { StdTraits::operators(&["BitXor", "BitXorAssign"]) },
            L_ANGLE => const { StdTraits::operators(&["Shl", "ShlAssign"]) },
            R_ANGLE => const { StdTraits::operators(&["Shr", "ShrAssign"]) },
            BANG => const { StdTraits::operators(&["Not"]) },
            L_BRACK => const { StdTraits::operators(&["Index", "IndexMut"]) },
            _ => StdTraits::NONE,
        }
    }

    /// The same operators, one operand of which is a literal.
    #[must_use]
    pub fn with_literal(self) -> StdTraits {
        StdTraits {
            any: 0,
            literal: self.any | self.literal,
        }
    }

    #[must_use]
    pub const fn and(self, other: StdTraits) -> StdTraits {
        StdTraits {
            any: self.any | other.any,
            literal: self.literal | other.literal,
        }
    }

    /// Whether `other` adds nothing.
    pub fn includes(self, other: StdTraits) -> bool {
        self.and(other) == self
    }

    /// Whether an impl of one of these traits can run. `same`: an operator's right side has the type of its left.
    pub fn reach(self, trait_: StdTraits, same: bool) -> bool {
        let usable = if same { self.any } else { self.any | self.literal };
        usable & trait_.any == trait_.any || (trait_ == StdTraits::named("Default") && self.joins_sets())
    }

    /// `&set | &set` makes the hasher of a new set by `Default`.
    fn joins_sets(self) -> bool {
        let joins = ["BitOr", "BitAnd", "BitXor", "Sub"].map(|name| StdTraits::operator(name).any);
        let hashes = self.any & StdTraits::named("Hash").any != 0;
        hashes && joins.iter().any(|join| self.any & join != 0)
    }
}

/// `==` of strings, which is not yet const.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

fn contains_ignoring_case(word: &str, part: &str) -> bool {
    let (word, part) = (word.as_bytes(), part.as_bytes());
    word.windows(part.len()).any(|it| it.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(found: StdTraits) -> Vec<&'static str> {
        let names = OPERATORS.iter().map(|it| it.0).chain(NAMED.iter().map(|it| it.0));
        let all = names.enumerate().filter(|(at, _)| found.any & 1 << at != 0);
        all.map(|(_, name)| name).collect()
    }

    #[test]
    fn a_format_string_reaches_the_traits_of_its_places() {
        let of = |text| reaches(StdTraits::of_format_string(text));
        assert_eq!(of("plain {{}}"), [""; 0]);
        assert_eq!(of("{} {x}"), ["Display"]);
        assert_eq!(of("{:?} {a:#?} {0:02x?}"), ["Debug"]);
        assert_eq!(of("{:#x} {:>width$}"), ["Display", "LowerHex"]);
        assert_eq!(of("{:x<5}{:.p$}"), ["Display"]);
        assert_eq!(of("{").len(), 9);
    }

    #[test]
    fn a_path_reaches_traits_by_its_last_word_and_by_families_of_words() {
        let of = |path: &str| reaches(StdTraits::of_words(path.split("::")));
        assert_eq!(of("str::parse"), ["FromStr"]);
        assert_eq!(of("fmt::Formatter"), [""; 0]);
        assert_eq!(of("std::collections::hash_map::Entry"), ["Hash"]);
        assert_eq!(of("or_default"), ["Default"]);
        assert_eq!(of("BuildHasherDefault"), ["Default", "Hash"]);
        assert_eq!(of("a::neg"), ["Neg"]);
        assert_eq!(of("len"), [""; 0]);
    }

    #[test]
    fn what_a_proc_macro_emits_formats_by_the_name_of_a_macro() {
        let of = |path: &str| reaches(StdTraits::of_emitted(path.split("::")));
        assert_eq!(of("core::write").len(), 9);
        assert_eq!(of("core::clone"), [""; 0]);
    }

    #[test]
    fn a_trait_is_told_by_its_path() {
        assert_eq!(reaches(StdTraits::of_trait("core::ops::Add")), ["Add"]);
        assert_eq!(reaches(StdTraits::of_trait("std::prelude::Default")), ["Default"]);
        assert_eq!(reaches(StdTraits::of_trait("std::ops::Deref")), [""; 0]);
        assert_eq!(reaches(StdTraits::of_trait("std::convert::From")), [""; 0]);
    }
}
