//! What the macro knows about one cached function: a static per call site. Data and once-flags only.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::key::KeyBuilder;
use crate::store::{self, Counts, LiveStore};

/// How much the site's fingerprint can be trusted to move with the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Per function, from the analyzer.
    Fine,
    /// Per function, from the committed manifest.
    Trusted,
    /// Per package, from the macro alone.
    Coarse,
    /// Unknown: the call runs uncached.
    None,
}

impl Kind {
    /// The word used in trace lines and headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Fine => "fine",
            Kind::Trusted => "trusted",
            Kind::Coarse => "coarse",
            Kind::None => "none",
        }
    }
}

/// The options of `#[cached(..)]` that matter at run time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `version = n`: part of the key.
    pub version: u64,
    /// `ttl`: seconds after which an entry counts as a miss.
    pub ttl_secs: Option<u64>,
    /// `max_entries`: how many entries of this function the store keeps.
    pub max_entries: Option<u64>,
}

/// One cached function, as a static in its expansion.
pub struct Site {
    /// Definition path, as in the manifest.
    pub path: &'static str,
    /// Package that holds it.
    pub package: &'static str,
    /// Workspace root (or package root): names the store directory.
    pub workspace: &'static str,
    /// Where the fingerprint comes from.
    pub kind: Kind,
    /// The fingerprint of the code that was compiled.
    pub fingerprint: [u8; 16],
    /// What the compiler was told.
    pub context: [u8; 16],
    /// Crates whose code the fingerprint covers, a space between them: one token of an expansion, where there can be dozens.
    pub crates: &'static str,
    /// Why the kind is `None` or `Coarse`.
    pub why: &'static str,
    /// Run-time options.
    pub options: Options,
    /// Once-flags and counters.
    pub state: SiteState,
}

/// What expansions call. Short: each token of an expansion costs its user's compiler time.
impl Site {
    /// A site of [`Kind::Fine`] without options. Of the hashes the first byte is the highest.
    pub const fn fine(
        path: &'static str,
        package: &'static str,
        workspace: &'static str,
        fingerprint: u128,
        context: u128,
        crates: &'static str,
    ) -> Site {
        Site {
            path,
            package,
            workspace,
            kind: Kind::Fine,
            fingerprint: fingerprint.to_be_bytes(),
            context: context.to_be_bytes(),
            crates,
            why: "",
            options: Options {
                version: 0,
                ttl_secs: None,
                max_entries: None,
            },
            state: SiteState::new(),
        }
    }

    /// The same of [`Kind::Trusted`].
    pub const fn trusted(mut self) -> Site {
        self.kind = Kind::Trusted;
        self
    }

    /// The same of [`Kind::Coarse`], and why.
    pub const fn coarse(mut self, why: &'static str) -> Site {
        self.kind = Kind::Coarse;
        self.why = why;
        self
    }

    /// The same of [`Kind::None`], and why.
    pub const fn none(mut self, why: &'static str) -> Site {
        self.kind = Kind::None;
        self.why = why;
        self
    }

    /// Starts the key of one call.
    pub fn key(&'static self) -> KeyBuilder {
        KeyBuilder::new(self)
    }

    /// [`Site::crates`], one by one.
    pub(crate) fn crates(&self) -> &[&'static str] {
        self.state.crates.get_or_init(|| self.crates.split(' ').collect())
    }

    /// The same with options, in [`Options`]' order; no limit is 0.
    pub const fn with(mut self, version: u64, ttl_secs: u64, max_entries: u64) -> Site {
        self.options = Options {
            version,
            ttl_secs: if ttl_secs == 0 { None } else { Some(ttl_secs) },
            max_entries: if max_entries == 0 { None } else { Some(max_entries) },
        };
        self
    }
}

/// What a site remembers within the process.
#[derive(Default)]
pub struct SiteState {
    said: AtomicU32,
    puts: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    saved_ns: AtomicU64,
    store: OnceLock<Option<Arc<LiveStore>>>,
    crates: OnceLock<Box<[&'static str]>>,
}

impl SiteState {
    /// Nothing said yet, nothing counted.
    pub const fn new() -> SiteState {
        SiteState {
            said: AtomicU32::new(0),
            puts: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            saved_ns: AtomicU64::new(0),
            store: OnceLock::new(),
            crates: OnceLock::new(),
        }
    }

    /// True the first time it is asked about this notice.
    pub(crate) fn first(&self, notice: Notice) -> bool {
        let bit = 1 << notice as u32;
        self.said.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    pub(crate) fn count_hit(&self, saved_ns: u64) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.saved_ns.fetch_add(saved_ns, Ordering::Relaxed);
    }

    pub(crate) fn count_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts since they were last taken.
    pub(crate) fn take_counts(&self) -> Counts {
        Counts {
            hits: self.hits.swap(0, Ordering::Relaxed),
            misses: self.misses.swap(0, Ordering::Relaxed),
            saved_ns: self.saved_ns.swap(0, Ordering::Relaxed),
        }
    }

    /// The store this site's values live in, found the first time it is asked.
    pub(crate) fn store(&'static self, site: &'static Site) -> Option<&'static Arc<LiveStore>> {
        let open = || {
            let store = store::of_workspace(Path::new(site.workspace))?;
            store.journal.watch(site);
            Some(store)
        };
        self.store.get_or_init(open).as_ref()
    }

    /// Counts a put and returns how many there were before it.
    pub(crate) fn count_put(&self) -> u64 {
        self.puts.fetch_add(1, Ordering::Relaxed)
    }
}

/// Notices given at most once per site and process.
#[derive(Clone, Copy)]
pub(crate) enum Notice {
    /// The arguments can't be turned into a key.
    Key,
    /// The value does not survive the codec.
    Codec,
    /// A verified hit differed.
    Verify,
    /// No fingerprint.
    NoFingerprint,
}

/// Stops the compilation if the type is `Result`, which the macro has not seen from its name.
#[doc(hidden)]
#[macro_export]
macro_rules! __not_an_alias_of_result {
    ($ret:ty) => {
        const {
            #[allow(unused_imports)]
            use $crate::__private::NotResult as _;
            if <$crate::__private::ResultProbe<$ret>>::IS_RESULT {
                ::core::panic!(
                    "this return type is an alias of `Result`: write #[cached(result)] to store only `Ok`, or #[cached(result = false)] to store errors too"
                );
            }
        }
    };
}

/// Tells a type that is `Result` by an inherent constant from one that is not by a trait's: the inherent one wins.
pub struct ResultProbe<R>(PhantomData<R>);

impl<T, E> ResultProbe<Result<T, E>> {
    /// This type is a `Result`, whatever alias it was written as.
    pub const IS_RESULT: bool = true;
}

/// The fallback of [`ResultProbe`].
pub trait NotResult {
    /// This type is not a `Result`.
    const IS_RESULT: bool = false;
}

impl<R> NotResult for ResultProbe<R> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_behind_an_alias_is_noticed() {
        type Alias = std::io::Result<u8>;
        const { assert!(ResultProbe::<Alias>::IS_RESULT) };
        const { assert!(!ResultProbe::<Vec<u8>>::IS_RESULT) };
    }

    #[test]
    fn a_notice_is_given_once() {
        let state = SiteState::new();
        assert!(state.first(Notice::Key));
        assert!(!state.first(Notice::Key));
        assert!(state.first(Notice::Codec));
    }
}
