//! Durable memoization that refreshes itself when the code changes.
//!
//! ```text
//! #[astrocache::cached]
//! fn render(page: &Page, theme: &str) -> Html { slow_parse(page).render(theme) }
//! ```
//!
//! Every later call with equal arguments, in this process or any later one, returns the stored value, until the code
//! that can run inside `render` changes. What is stored, where, and what a fault does is told in the modules below, which
//! read in this order: key, codec, record, store, call. Nothing here ever panics, hangs or fails a user's call: when the
//! cache can't help, the function runs.
//!
//! The environment: `ASTROCACHE=on|off|refresh|read-only`, `ASTROCACHE_DIR`, `ASTROCACHE_VERIFY=<share of hits>`,
//! `ASTROCACHE_LOG=off|warn|trace`, `ASTROCACHE_MAX_SIZE=<bytes, or 500M, 4G>`.

#![deny(missing_docs)]

mod call;
mod codec;
mod flight;
mod forward;
mod func;
mod hot;
mod key;
mod modes;
mod notice;
mod os;
mod record;
mod site;
#[cfg(feature = "catalogue")]
pub mod store;
#[cfg(not(feature = "catalogue"))]
mod store;
mod task;

pub use astrocache_macros::{cached, func};
pub use codec::CacheValue;
pub use func::{Func, uncached};
pub use key::CacheArg;
#[cfg(feature = "catalogue")]
pub use key::Key;
#[cfg(feature = "catalogue")]
pub use site::Kind;

#[doc(hidden)]
pub mod __private {
    //! What the expansion of `#[cached]` calls. Not for people; it changes with the macro.

    pub use crate::__not_an_alias_of_result as not_an_alias_of_result;
    pub use crate::call::{call, call_async, call_async_option, call_async_result, call_option, call_result};
    pub use crate::codec::CacheValue;
    pub use crate::key::{CacheArg, KeyBuilder};
    pub use crate::site::{Kind, NotResult, Options, ResultProbe, Site, SiteState};
}
