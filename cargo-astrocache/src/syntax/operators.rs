//! The operator traits of std that run only where the operator, the trait or its method is written.
//!
//! `Deref`, `Drop`, comparison, `Fn` and the like are not among them: std and the compiler use those unseen.

use ra_ap_parser::{SyntaxKind, SyntaxKind::*};
use serde::{Deserialize, Serialize};

/// A set of operator traits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Operators {
    /// Applied to operands of any type.
    any: u32,
    /// Applied with a literal on one side: cannot be `T op T` for a user's type.
    literal: u32,
}

/// Trait, method, the same with assignment.
const TRAITS: &[(&str, &str)] = &[
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

impl Operators {
    pub const ALL: Operators = Operators {
        any: (1 << TRAITS.len()) - 1,
        literal: 0,
    };
    const NONE: Operators = Operators { any: 0, literal: 0 };

    fn of(name: &str) -> Operators {
        Operators {
            any: TRAITS.iter().position(|it| it.0 == name).map_or(0, |at| 1 << at),
            literal: 0,
        }
    }

    /// The trait at the end of a path of std: `std::ops::Add`, `core::ops::arith::Add`.
    pub fn of_trait(path: &str) -> Operators {
        let in_ops = path.split("::").any(|segment| segment == "ops");
        let last = path.rsplit("::").next().filter(|_| in_ops);
        last.map_or(Operators::NONE, Operators::of)
    }

    /// The traits that have a method of this name.
    pub fn of_method(name: &str) -> Operators {
        Operators {
            any: TRAITS.iter().position(|it| it.1 == name).map_or(0, |at| 1 << at),
            literal: 0,
        }
    }

    /// Operators of an expression node's token.
    pub fn of_expression(expression: SyntaxKind, token: SyntaxKind) -> Operators {
        let name = match (expression, token) {
            (INDEX_EXPR, L_BRACK) => return Operators::of("Index").and(Operators::of("IndexMut")),
            (PREFIX_EXPR, MINUS) => "Neg",
            (PREFIX_EXPR, BANG) => "Not",
            (BIN_EXPR, PLUS) => "Add",
            (BIN_EXPR, MINUS) => "Sub",
            (BIN_EXPR, STAR) => "Mul",
            (BIN_EXPR, SLASH) => "Div",
            (BIN_EXPR, PERCENT) => "Rem",
            (BIN_EXPR, AMP) => "BitAnd",
            (BIN_EXPR, PIPE) => "BitOr",
            (BIN_EXPR, CARET) => "BitXor",
            (BIN_EXPR, SHL) => "Shl",
            (BIN_EXPR, SHR) => "Shr",
            (BIN_EXPR, PLUSEQ) => "AddAssign",
            (BIN_EXPR, MINUSEQ) => "SubAssign",
            (BIN_EXPR, STAREQ) => "MulAssign",
            (BIN_EXPR, SLASHEQ) => "DivAssign",
            (BIN_EXPR, PERCENTEQ) => "RemAssign",
            (BIN_EXPR, AMPEQ) => "BitAndAssign",
            (BIN_EXPR, PIPEEQ) => "BitOrAssign",
            (BIN_EXPR, CARETEQ) => "BitXorAssign",
            (BIN_EXPR, SHLEQ) => "ShlAssign",
            (BIN_EXPR, SHREQ) => "ShrAssign",
            _ => return Operators::NONE,
        };
        Operators::of(name)
    }

    /// Operators that a single character in a token tree may be, or be part of.
    pub fn of_punctuation(token: SyntaxKind) -> Operators {
        let names: &[&str] = match token {
            PLUS => &["Add", "AddAssign"],
            MINUS => &["Sub", "SubAssign", "Neg"],
            STAR => &["Mul", "MulAssign"],
            SLASH => &["Div", "DivAssign"],
            PERCENT => &["Rem", "RemAssign"],
            AMP => &["BitAnd", "BitAndAssign"],
            PIPE => &["BitOr", "BitOrAssign"],
            CARET => &["BitXor", "BitXorAssign"],
            L_ANGLE => &["Shl", "ShlAssign"],
            R_ANGLE => &["Shr", "ShrAssign"],
            BANG => &["Not"],
            L_BRACK => &["Index", "IndexMut"],
            _ => &[],
        };
        names
            .iter()
            .fold(Operators::NONE, |all, name| all.and(Operators::of(name)))
    }

    /// The same operators, one operand of which is a literal.
    #[must_use]
    pub fn with_literal(self) -> Operators {
        Operators {
            any: 0,
            literal: self.any | self.literal,
        }
    }

    #[must_use]
    pub fn and(self, other: Operators) -> Operators {
        Operators {
            any: self.any | other.any,
            literal: self.literal | other.literal,
        }
    }

    /// Whether `other` adds nothing.
    pub fn includes(self, other: Operators) -> bool {
        self.and(other) == self
    }

    /// Whether an impl of `operator` can run. `same`: its right side has the type of its left.
    pub fn reach(self, operator: Operators, same: bool) -> bool {
        let usable = if same { self.any } else { self.any | self.literal };
        usable & operator.any == operator.any
    }
}
