//! Function values that can enter a key, and the way around the cache.

use std::cell::Cell;
use std::ops::Deref;

use serde::ser::Error;
use serde::{Serialize, Serializer};

/// A function value whose *code* is part of the cache key. Made with `astrocache::func!(path)` or `func!(|x| ..)`.
#[derive(Clone, Copy)]
pub struct Func<F> {
    fingerprint: Option<[u8; 16]>,
    f: F,
}

impl<F> Func<F> {
    #[doc(hidden)]
    pub const fn __new(fingerprint: Option<[u8; 16]>, f: F) -> Func<F> {
        const {
            assert!(
                size_of::<F>() == 0,
                "astrocache::func! takes a function, or a closure that captures nothing: pass captured values as arguments of their own"
            )
        };
        Func { fingerprint, f }
    }
}

impl<F> Deref for Func<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.f
    }
}

impl<F> Serialize for Func<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The type name keeps apart two functions whose closures happen to be one, and instances of a generic one.
        match &self.fingerprint {
            Some(fingerprint) => (fingerprint, std::any::type_name::<F>()).serialize(serializer),
            None => Err(S::Error::custom("this function value has no fingerprint in this build")),
        }
    }
}

thread_local!(static BYPASS: Cell<bool> = const { Cell::new(false) });

/// Runs `f` with every cached function called directly on this thread: nothing is looked up and nothing is stored.
///
/// An async cached function is bypassed when it is called (not polled) inside `f`.
pub fn uncached<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            BYPASS.set(self.0);
        }
    }
    let _restore = Restore(BYPASS.replace(true));
    f()
}

/// Is this thread inside [`uncached`]?
pub(crate) fn bypassed() -> bool {
    BYPASS.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncached_ends_with_its_closure_even_after_a_panic() {
        let caught = std::panic::catch_unwind(|| uncached(|| panic!("user")));
        assert!(caught.is_err());
        assert!(!bypassed());
        uncached(|| {
            uncached(|| assert!(bypassed()));
            assert!(bypassed());
        });
    }

    #[test]
    fn a_function_value_is_called_like_the_function() {
        let double = Func::__new(None, |x: i32| x * 2);
        assert_eq!(double(21), 42);
    }
}
