//! The cached call.

use crate::codec::CacheValue;
use crate::key::KeyBuilder;
use crate::site::Site;

/// A plain cached function.
pub fn call<V: CacheValue, F: FnOnce() -> V>(_site: &'static Site, key: KeyBuilder, f: F) -> V {
    let _key = key.finish::<F>();
    f()
}

/// A cached function that returns `Result`: only `Ok` is stored.
pub fn call_result<T: CacheValue, E, F: FnOnce() -> Result<T, E>>(
    _site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> Result<T, E> {
    let _key = key.finish::<F>();
    f()
}

/// A cached function that returns `Option`: only `Some` is stored.
pub fn call_option<T: CacheValue, F: FnOnce() -> Option<T>>(
    _site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> Option<T> {
    let _key = key.finish::<F>();
    f()
}

/// An async cached function.
pub async fn call_async<V: CacheValue, F: Future<Output = V>>(
    _site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> V {
    let _key = key.finish::<F>();
    f.await
}

/// An async cached function that returns `Result`.
pub async fn call_async_result<T: CacheValue, E, F: Future<Output = Result<T, E>>>(
    _site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> Result<T, E> {
    let _key = key.finish::<F>();
    f.await
}

/// An async cached function that returns `Option`.
pub async fn call_async_option<T: CacheValue, F: Future<Output = Option<T>>>(
    _site: &'static Site,
    key: KeyBuilder,
    f: F,
) -> Option<T> {
    let _key = key.finish::<F>();
    f.await
}
