//! The cached call: look up, else compute and store.
//!
//! A hit is checked bytes that decode. A miss runs the function, whose panic passes through and stores nothing, and whose
//! result is returned as it is, whatever becomes of storing it.

mod keyed;

use std::time::Instant;

use crate::codec::CacheValue;
use crate::flight::{self, Join, PATIENCE};
use crate::key::{Key, KeyBuilder, NoKey};
use crate::site::Site;
use crate::task;
use keyed::{Call, Usable};

/// Values from this size on are read and written off the executor by async calls.
const LARGE: u64 = 64 << 10;

/// A plain cached function.
pub fn call<V: CacheValue, F: FnOnce() -> V>(site: &'static Site, key: KeyBuilder, f: F) -> V {
    cached(site, key.finish::<F>(), f, |value| value, |value| Some(value))
}

/// A cached function that returns `Result`: only `Ok` is stored.
pub fn call_result<T: CacheValue, E, F: FnOnce() -> Result<T, E>>(
    site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> Result<T, E> {
    cached(site, key.finish::<F>(), f, Ok, |result| result.as_ref().ok())
}

/// A cached function that returns `Option`: only `Some` is stored.
pub fn call_option<T: CacheValue, F: FnOnce() -> Option<T>>(site: &'static Site, key: KeyBuilder, f: F) -> Option<T> {
    cached(site, key.finish::<F>(), f, Some, Option::as_ref)
}

/// An async cached function.
pub async fn call_async<V: CacheValue, F: Future<Output = V>>(site: &'static Site, key: KeyBuilder, f: F) -> V {
    cached_async(site, key.finish::<F>(), f, |value| value, |value| Some(value)).await
}

/// An async cached function that returns `Result`: only `Ok` is stored.
pub async fn call_async_result<T: CacheValue, E, F: Future<Output = Result<T, E>>>(
    site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> Result<T, E> {
    cached_async(site, key.finish::<F>(), f, Ok, |result| result.as_ref().ok()).await
}

/// An async cached function that returns `Option`: only `Some` is stored.
pub async fn call_async_option<T: CacheValue, F: Future<Output = Option<T>>>(
    site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> Option<T> {
    cached_async(site, key.finish::<F>(), f, Some, Option::as_ref).await
}

fn cached<R, V: CacheValue>(
    site: &'static Site,
    key: Result<Key, NoKey>,
    f: impl FnOnce() -> R,
    wrap: impl Fn(V) -> R,
    peek: impl Fn(&R) -> Option<&V>,
) -> R {
    let Some(call) = Call::begin(site, key) else {
        return f();
    };
    match call.usable::<V>(call.look()) {
        Usable::Hit(value) => return wrap(value),
        Usable::Verify(image) => {
            let result = flight::computing(f);
            call.compare(&image, peek(&result));
            return result;
        }
        Usable::Miss => {}
    }
    let mut lead = None;
    match flight::join(call.key) {
        Join::Lead(leading) => lead = Some(leading),
        Join::Follow(_) if flight::is_computing() => {}
        Join::Follow(flight) => {
            flight.wait(PATIENCE);
            if let Usable::Hit(value) = call.usable_now::<V>(call.look()) {
                return wrap(value);
            }
        }
    }
    // Whoever led between our look and our joining has stored the value by now.
    if lead.is_some()
        && let Usable::Hit(value) = call.usable_now::<V>(call.hot())
    {
        return wrap(value);
    }
    call.missed();
    let start = Instant::now();
    let result = flight::computing(f);
    let cost_ns = start.elapsed().as_nanos() as u64;
    if let Some(record) = call.record(peek(&result), cost_ns) {
        call.put(record);
    }
    drop(lead);
    result
}

async fn cached_async<R, V: CacheValue>(
    site: &'static Site,
    key: Result<Key, NoKey>,
    f: impl Future<Output = R>,
    wrap: impl Fn(V) -> R,
    peek: impl Fn(&R) -> Option<&V>,
) -> R {
    let Some(call) = Call::begin(site, key) else {
        return f.await;
    };
    match call.usable::<V>(call.look_async().await) {
        Usable::Hit(value) => return wrap(value),
        Usable::Verify(image) => {
            let result = f.await;
            call.compare(&image, peek(&result));
            return result;
        }
        Usable::Miss => {}
    }
    let mut lead = None;
    match flight::join(call.key) {
        Join::Lead(leading) => lead = Some(leading),
        Join::Follow(flight) => {
            flight.landing(PATIENCE).await;
            if let Usable::Hit(value) = call.usable_now::<V>(call.look_async().await) {
                return wrap(value);
            }
        }
    }
    if lead.is_some()
        && let Usable::Hit(value) = call.usable_now::<V>(call.hot())
    {
        return wrap(value);
    }
    call.missed();
    let start = Instant::now();
    let result = f.await;
    let cost_ns = start.elapsed().as_nanos() as u64;
    if let Some(record) = call.record(peek(&result), cost_ns) {
        if record.len() as u64 >= LARGE {
            task::blocking(move || call.put(record)).await;
        } else {
            call.put(record);
        }
    }
    drop(lead);
    result
}
