//! The `#[cached]` attribute and `func!`: options (`args`), the function's shape (`parse`), what cannot be cached
//! (`validate`), the code that takes its place (`expand`, of `code`), and what is known about the code that is being compiled (`session`).
//! No analysis happens here: proc macros run unoptimised, and the analyzer is a program of its own.

#![deny(missing_docs)]
// Between `pm` and proc-macro2: in tests they are one.
#![allow(clippy::useless_conversion)]

mod args;
mod code;
mod expand;
mod parse;
mod session;
mod toks;
mod validate;

use proc_macro::TokenStream;

mod pm {
    //! The compiler's own tokens, which cost half of what proc-macro2's do; it stands in for them in unit tests, which no
    //! compiler runs.

    #[cfg(not(test))]
    pub use proc_macro::*;
    #[cfg(test)]
    pub use proc_macro2::*;
}

/// Caches a function's results across calls and processes, until the code it can run changes.
///
/// The function returns an owned value that serde can write and read; its arguments are part of the key and implement
/// `serde::Serialize`. Of a `Result` or `Option` only `Ok` and `Some` are stored.
///
/// | option | meaning |
/// |---|---|
/// | `key = expr` | the key is this value instead of the arguments |
/// | `skip(arg, ..)` | these arguments do not enter the key |
/// | `file(arg, ..)` | these arguments are paths: the content of the file enters the key too |
/// | `if = expr` | cache only when this holds |
/// | `version = n` | a number of your own in the key: raise it to drop what is stored |
/// | `ttl = "1h"` | a stored value counts for this long (`s`, `m`, `h`, `d`) |
/// | `max_entries = n` | keep this many values of this function |
/// | `result`, `option` | the return type is an alias of `Result` or `Option`; `= false` stores `Err` and `None` too |
/// | `strict` | code in the closure that reads more than its arguments is an error |
/// | `allow(what, ..)` | accept these findings, by kind (`time`) or by path (`std::env::var`, or `std::env` for all in it) |
///
/// What `strict` finds: clocks, environment, files, network, processes, randomness, mutable statics, thread-locals, foreign
/// functions, assembly, and code that a local build script writes. `cargo astrocache explain` lists the same as notes.
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::cached(options.into(), item.into()).into()
}

/// Makes a function a value whose *code* enters the key of the cached function it is passed to: `func!(path)` or
/// `func!(|x: i32| x + 1)`. A closure captures nothing.
///
/// An edit of what the function can run drops what was computed with it. Where types are left to inference, edits of the code
/// around the call count as well; a function's path, or a closure like `|x: i32| -> i32 { x + 1 }`, leaves none.
#[proc_macro]
pub fn func(input: TokenStream) -> TokenStream {
    expand::func(input.into()).into()
}
