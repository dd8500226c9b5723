//! The key of one call: what was compiled, for which types, with which arguments.
//!
//! `std::hash::Hash` is deliberately not used: it depends on word size and byte order, promises no stability, and a
//! user's impl may leave fields out.
//!
//! The inputs, in this order (a change here bumps [`KEY_FORMAT`]):
//!
//! 1. `KEY_FORMAT`
//! 2. the class of the fingerprint: per function (fine and trusted are the same thing) or per package
//! 3. the function's path and its package
//! 4. the fingerprint of the compiled code
//! 5. the build context
//! 6. `version = n`
//! 7. each argument: its name, then its value in the canonical form of [`canonical`]; of a `file(arg)` the content's hash
//! 8. the type name of the instance (generic arguments, `Self`)
//! 9. the executable's hash, if that type name mentions a crate that the fingerprint does not cover

mod canonical;
mod identity;

use std::fmt;
use std::fs::File;
use std::path::Path;

use serde::Serialize;

use crate::func;
use crate::notice::Hex;
use crate::site::{Kind, Site};
pub(crate) use canonical::Canonical;

/// Version of the list above.
const KEY_FORMAT: u32 = 1;

/// A finished key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(crate) [u8; 32]);

#[cfg(feature = "catalogue")]
impl Key {
    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hex(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hex(&self.0))
    }
}

/// Why a call has no key and runs uncached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// Asked for: `uncached`, `if = expr`, `ASTROCACHE=off`.
    Bypass,
    /// The site has no fingerprint.
    NoFingerprint,
    /// Something can't be hashed; says what.
    Refused(String),
}

/// A value that can be part of a key: anything that implements `serde::Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of an astrocache key",
    label = "this argument's type does not implement `serde::Serialize`",
    note = "add `#[derive(serde::Serialize)]` to it, or leave it out of the key with `#[cached(skip(arg))]` if it cannot change the result"
)]
pub trait CacheArg {
    #[doc(hidden)]
    fn __feed(&self, stream: &mut __Stream) -> Result<(), String>;
}

/// The stream arguments are written to. Opaque.
#[doc(hidden)]
pub struct __Stream(Canonical);

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> CacheArg for T {
    fn __feed(&self, stream: &mut __Stream) -> Result<(), String> {
        stream.0.value(self).map_err(|error| error.to_string())
    }
}

/// Gathers the inputs of one call's key.
pub struct KeyBuilder {
    site: &'static Site,
    stream: __Stream,
    state: Result<(), NoKey>,
}

impl KeyBuilder {
    /// Starts a key with what is known at compile time.
    pub fn new(site: &'static Site) -> KeyBuilder {
        let state = match site.kind {
            _ if func::bypassed() => Err(NoKey::Bypass),
            Kind::None => Err(NoKey::NoFingerprint),
            Kind::Fine | Kind::Trusted | Kind::Coarse => Ok(()),
        };
        let mut stream = Canonical::new();
        if state.is_ok() {
            stream.raw(&KEY_FORMAT.to_le_bytes());
            stream.raw(&[u8::from(site.kind == Kind::Coarse)]);
            stream.text(site.path);
            stream.text(site.package);
            stream.raw(&site.fingerprint);
            stream.raw(&site.context);
            stream.raw(&site.options.version.to_le_bytes());
        }
        KeyBuilder {
            site,
            stream: __Stream(stream),
            state,
        }
    }

    /// Adds an argument. One that does not serialize makes the call run uncached.
    pub fn arg<T: CacheArg + ?Sized>(&mut self, name: &str, value: &T) {
        if self.state.is_err() {
            return;
        }
        self.stream.0.text(name);
        if let Err(error) = value.__feed(&mut self.stream) {
            self.state = Err(NoKey::Refused(format!("argument `{name}` has no key: {error}")));
        }
    }

    /// Adds the content of the file at `path`. One that can't be read makes the call run uncached.
    pub fn file<P: AsRef<Path> + ?Sized>(&mut self, name: &str, path: &P) {
        if self.state.is_err() {
            return;
        }
        match hash_file(path.as_ref()) {
            Ok(hash) => {
                self.stream.0.text(name);
                self.stream.0.raw(hash.as_bytes());
            }
            Err(error) => {
                let path = path.as_ref().display();
                self.state = Err(NoKey::Refused(format!(
                    "argument `{name}`: cannot read `{path}`: {error}"
                )));
            }
        }
    }

    /// Makes this call run uncached.
    pub fn bypass(&mut self) {
        self.state = Err(NoKey::Bypass);
    }

    /// Finishes the key for the instance whose body is `F`.
    pub(crate) fn finish<F: ?Sized>(mut self) -> Result<Key, NoKey> {
        self.state?;
        let name = std::any::type_name::<F>();
        self.stream.0.text(name);
        if identity::is_foreign(name, self.site.crates()) {
            match identity::executable_hash() {
                Some(hash) => self.stream.0.raw(hash),
                None => {
                    let why = format!("`{name}` needs the executable's hash, and the executable cannot be read");
                    return Err(NoKey::Refused(why));
                }
            }
        }
        Ok(Key(self.stream.0.finish()))
    }
}

fn hash_file(path: &Path) -> std::io::Result<blake3::Hash> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a file"));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests;
