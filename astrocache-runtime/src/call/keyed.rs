//! One call that has a key: what it finds, what of that it may use, what it stores, and what it says.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use super::LARGE;
use crate::codec::{CODEC_ID, CacheValue};
use crate::hot::Hot;
use crate::key::{Key, NoKey};
use crate::modes::{self, Level, Mode, Modes};
use crate::notice::{self, Hex};
use crate::record::{self, Header, Image};
use crate::site::{Notice, Site};
use crate::store::{self, Event, Found, LiveStore, Scope};
use crate::task;

/// What became of a lookup.
pub(super) enum Usable<V> {
    Hit(V),
    /// A hit that was chosen to be verified.
    Verify(Arc<Image>),
    Miss,
}

/// One call that has a key.
#[derive(Clone, Copy)]
pub(super) struct Call {
    site: &'static Site,
    pub(super) key: Key,
    modes: &'static Modes,
    store: Option<&'static Arc<LiveStore>>,
    start: Instant,
}

impl Call {
    /// `None` if this call runs uncached.
    pub(super) fn begin(site: &'static Site, key: Result<Key, NoKey>) -> Option<Call> {
        let modes = modes::get();
        if modes.mode == Mode::Off {
            return None;
        }
        match key {
            Ok(key) => {
                FLUSH_AT_EXIT.with(|_| {});
                let store = site.state.store(site);
                Some(Call {
                    site,
                    key,
                    modes,
                    store,
                    start: Instant::now(),
                })
            }
            Err(why) => {
                uncached(site, modes, &why);
                None
            }
        }
    }

    fn scope(&self) -> Scope<'static> {
        match self.site.options.max_entries {
            None => Scope::Shared,
            Some(_) => Scope::Function(self.site.path),
        }
    }

    pub(super) fn hot(&self) -> Option<Arc<Image>> {
        hot().get(&self.key).filter(|image| self.is_fresh(image))
    }

    pub(super) fn look(&self) -> Option<Arc<Image>> {
        self.hot().or_else(|| match self.find()? {
            Found::Value(image) => self.found(image),
            Found::File(file) => self.found(file.read(&self.key, self.modes.mode != Mode::ReadOnly)?),
        })
    }

    pub(super) async fn look_async(&self) -> Option<Arc<Image>> {
        if let Some(image) = self.hot() {
            return Some(image);
        }
        let (key, touch) = (self.key, self.modes.mode != Mode::ReadOnly);
        match self.find()? {
            Found::Value(image) => self.found(image),
            Found::File(file) if file.len < LARGE => self.found(file.read(&key, touch)?),
            Found::File(file) => self.found(task::blocking(move || file.read(&key, touch)).await??),
        }
    }

    fn find(&self) -> Option<Found> {
        if self.modes.verify > 0 && is_refused(&self.key) {
            return None;
        }
        match self.modes.mode {
            Mode::On | Mode::ReadOnly => self.store?.find(&self.key, self.scope()),
            Mode::Off | Mode::Refresh => None,
        }
    }

    /// A value from disk becomes a hot one.
    fn found(&self, image: Image) -> Option<Arc<Image>> {
        if !self.is_fresh(&image) {
            return None;
        }
        let image = Arc::new(image);
        hot().insert(self.key, Arc::clone(&image));
        if self.modes.mode == Mode::On
            && let Some(store) = self.store
        {
            store.journal.note(&Event::Hit {
                key: self.key,
                at_ms: store::now_ms(),
            });
        }
        Some(image)
    }

    /// Within its time to live. An entry from the future says that a clock jumped: its age is unknown.
    fn is_fresh(&self, image: &Image) -> bool {
        let Some(ttl) = self.site.options.ttl_secs else {
            return true;
        };
        store::now_ms()
            .checked_sub(image.created_ms)
            .is_some_and(|age| age < ttl.saturating_mul(1000))
    }

    pub(super) fn usable<V: CacheValue>(&self, image: Option<Arc<Image>>) -> Usable<V> {
        match image {
            Some(image) if self.modes.verify > 0 && chosen(self.modes.verify) => Usable::Verify(image),
            image => self.usable_now(image),
        }
    }

    pub(super) fn usable_now<V: CacheValue>(&self, image: Option<Arc<Image>>) -> Usable<V> {
        let Some(image) = image else {
            return Usable::Miss;
        };
        match V::__decode(image.value()) {
            Some(value) => {
                self.site.state.count_hit(image.cost_ns);
                self.trace("hit");
                Usable::Hit(value)
            }
            None => {
                hot().remove(&self.key);
                Usable::Miss
            }
        }
    }

    pub(super) fn missed(&self) {
        self.site.state.count_miss();
        self.trace("miss");
    }

    /// The record to store; `None` for a value that must not be, or can't be.
    pub(super) fn record<V: CacheValue>(&self, value: Option<&V>, cost_ns: u64) -> Option<Vec<u8>> {
        match value?.__encode() {
            Ok(bytes) => Some(record::write(&self.header(cost_ns), &bytes)),
            Err(why) => {
                if self.modes.log >= Level::Warn && self.site.state.first(Notice::Codec) {
                    notice::line(format_args!(
                        "`{}` is not cached: its value cannot be stored exactly: {why}",
                        self.site.path
                    ));
                }
                None
            }
        }
    }

    fn header(&self, cost_ns: u64) -> Header<'static> {
        Header {
            key: self.key,
            function: self.site.path,
            package: self.site.package,
            fingerprint: self.site.fingerprint,
            kind: self.site.kind,
            codec: CODEC_ID,
            created_ms: store::now_ms(),
            cost_ns,
            removed: false,
        }
    }

    pub(super) fn put(self, record: Vec<u8>) {
        if self.modes.mode != Mode::ReadOnly
            && let Some(store) = self.store
        {
            // Without these two, an entry that is stored is one that was not there.
            let replaces = self.modes.mode == Mode::Refresh || self.site.options.ttl_secs.is_some();
            let put = if replaces { LiveStore::replace } else { LiveStore::put };
            match put(store, &self.key, &record, self.scope()) {
                Ok(()) => self.trace("stored"),
                Err(error) => store.complain(&error),
            }
            self.enforce_max(store);
        }
        if let Some(image) = Image::of_verified(record) {
            hot().insert(self.key, Arc::new(image));
        }
    }

    /// Counts the function's entries now and then: a sixteenth too many does no harm.
    fn enforce_max(&self, store: &LiveStore) {
        if let Some(max) = self.site.options.max_entries
            && self.site.state.count_put().is_multiple_of((max / 16).max(1))
        {
            store.enforce_max(self.site.path, max);
        }
    }

    /// Compares a hit with a new computation; a hit that differs is removed.
    pub(super) fn compare<V: CacheValue>(&self, image: &Image, value: Option<&V>) {
        if value.is_some_and(|value| value.__agrees(image.value())) {
            self.site.state.count_hit(0);
            return self.trace("hit");
        }
        hot().remove(&self.key);
        match self.store {
            Some(store) if self.modes.mode != Mode::ReadOnly => {
                if let Err(error) = store.remove(&self.header(0), self.scope()) {
                    refuse(self.key);
                    store.complain(&error);
                }
            }
            _ => refuse(self.key),
        }
        self.missed();
        if self.modes.log >= Level::Warn && self.site.state.first(Notice::Verify) {
            notice::line(format_args!(
                "`{}`: a stored value differs from a new computation (stored with fingerprint {}, now {}); \
                 the entry is refused. Does the function read something that is not an argument?",
                self.site.path,
                Hex(&image.fingerprint),
                Hex(&self.site.fingerprint)
            ));
        }
    }

    fn trace(&self, what: &str) {
        if self.modes.log == Level::Trace {
            trace(self.site, what, Some(&self.key), self.start);
        }
    }
}

fn trace(site: &Site, what: &str, key: Option<&Key>, start: Instant) {
    let key = key.map_or("-".to_owned(), Key::to_string);
    notice::line(format_args!(
        "{what} {} fingerprint={} kind={} key={key} us={}",
        site.path,
        Hex(&site.fingerprint),
        site.kind.as_str(),
        start.elapsed().as_micros()
    ));
}

/// Says why a call runs uncached: once, unless it was asked for.
fn uncached(site: &Site, modes: &Modes, why: &NoKey) {
    if modes.log == Level::Trace {
        trace(site, "uncached", None, Instant::now());
    }
    let (notice, why) = match why {
        NoKey::Bypass => return,
        NoKey::NoFingerprint => (Notice::NoFingerprint, site.why),
        NoKey::Refused(why) => (Notice::Key, why.as_str()),
    };
    if modes.log >= Level::Warn && site.state.first(notice) {
        notice::line(format_args!("`{}` runs uncached: {why}", site.path));
    }
}

fn hot() -> &'static Hot {
    static HOT: OnceLock<Hot> = OnceLock::new();
    HOT.get_or_init(Hot::new)
}

/// Entries that were found wrong but could not be removed: this process does not read them again.
static REFUSED: Mutex<BTreeSet<Key>> = Mutex::new(BTreeSet::new());

fn refuse(key: Key) {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
}

fn is_refused(key: &Key) -> bool {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
}

/// True for a random `share` of the times it is asked, in 2^-32.
fn chosen(share: u32) -> bool {
    thread_local!(static STATE: Cell<u64> = Cell::new(store::unique() | 1));
    STATE.with(|state| {
        // Marsaglia's xorshift64.
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        (x >> 32) as u32 <= share
    })
}

/// Statistics are written when a thread that made calls ends: also the main thread, on return from `main` or `exit`.
struct FlushAtExit;

impl Drop for FlushAtExit {
    fn drop(&mut self) {
        store::flush_journals();
    }
}

thread_local!(static FLUSH_AT_EXIT: FlushAtExit = const { FlushAtExit });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{Kind, Options, SiteState};

    static SITE: Site = Site {
        path: "app::f",
        package: "app",
        workspace: "/w",
        kind: Kind::Fine,
        fingerprint: [0; 16],
        context: [0; 16],
        crates: "",
        why: "",
        options: Options {
            version: 0,
            ttl_secs: Some(60),
            max_entries: None,
        },
        state: SiteState::new(),
    };

    #[test]
    fn time_to_live_holds_when_the_clock_jumps() {
        let key = Key([1; 32]);
        let call = Call {
            site: &SITE,
            key,
            modes: modes::get(),
            store: None,
            start: Instant::now(),
        };
        let fresh_at = |created_ms: u64| {
            let record = record::write(
                &Header {
                    created_ms,
                    ..call.header(0)
                },
                b"",
            );
            call.is_fresh(&Image::of_verified(record).unwrap())
        };
        let now = store::now_ms();
        assert!(fresh_at(now));
        assert!(fresh_at(now - 50_000));
        assert!(!fresh_at(now - 61_000));
        assert!(
            !fresh_at(now + 3_600_000),
            "stored by a clock that was ahead: its age is unknown"
        );
        assert!(!fresh_at(0));
    }

    #[test]
    fn a_share_of_hits_is_chosen() {
        let count = |share: u32| (0..10_000).filter(|_| chosen(share)).count();
        assert_eq!(count(u32::MAX), 10_000);
        let half = count(u32::MAX / 2);
        assert!((4_500..5_500).contains(&half), "{half}");
    }
}
