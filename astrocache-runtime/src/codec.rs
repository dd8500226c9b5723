//! What a cached function may return.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that can be stored: anything owned that implements `serde::Serialize` and `serde::Deserialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in the astrocache store",
    label = "a cached function must return an owned type that implements `serde::Serialize` and `serde::Deserialize`",
    note = "return an owned value (`String` rather than `&str`) and derive `Serialize, Deserialize` for it",
    note = "if this is an alias of `Result`, write `#[cached(result)]`: only the `Ok` value is stored"
)]
pub trait CacheValue: Sized {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> CacheValue for T {}
