//! Type identity: whose code an instance can run, and the executable's hash for when the fingerprint can't know.
//!
//! A generic function's fingerprint covers its own crate and the crates below it. An instance for a type of a crate
//! *above* runs impls the fingerprint has never seen; `std::any::type_name` shows that crate's name. `type_name` promises
//! no stability, which costs at most a miss: it changes with the compiler, and the compiler is in the build context.

use std::fs::File;
use std::sync::OnceLock;

/// Does this type name mention a crate outside std and `crates`?
pub(super) fn is_foreign(type_name: &str, crates: &[&str]) -> bool {
    heads(type_name).any(|head| !matches!(head, "core" | "alloc" | "std") && !crates.contains(&head))
}

/// The first segments of all paths in a type name.
fn heads(type_name: &str) -> impl Iterator<Item = &str> {
    let bytes = type_name.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && is_ident(bytes[at]) {
                at += 1;
            }
            if start == at {
                at += 1;
                continue;
            }
            let continues = start >= 2 && &bytes[start - 2..start] == b"::";
            if !continues && bytes[at..].starts_with(b"::") {
                return Some(&type_name[start..at]);
            }
        }
        None
    })
}

fn is_ident(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Hash of the running executable's bytes, computed once. `None` if it can't be read.
pub(super) fn executable_hash() -> Option<&'static [u8; 32]> {
    static HASH: OnceLock<Option<[u8; 32]>> = OnceLock::new();
    HASH.get_or_init(|| {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(open_executable()?).ok()?;
        Some(*hasher.finalize().as_bytes())
    })
    .as_ref()
}

/// The file this process was started from, even if another one has taken its place at that path since.
fn open_executable() -> Option<File> {
    if cfg!(target_os = "linux") {
        return File::open("/proc/self/exe").ok();
    }
    File::open(std::env::current_exe().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_outside_the_fingerprint_are_noticed_wherever_they_stand() {
        let crates = ["shapes", "serde"];
        for (name, foreign) in [
            ("shapes::total<hole::B>::{{closure}}", true),
            ("shapes::total<i32>::{{closure}}", false),
            ("<shapes::Me as shapes::Greet>::hi::{{closure}}", false),
            ("<shapes::Me as greet::Greet>::hi::{{closure}}", true),
            ("shapes::f<alloc::vec::Vec<(i32, other::X)>>", true),
            ("shapes::G<serde::X, [u8; 3]>::m", false),
            ("shapes::f<&dyn core::fmt::Debug>", false),
            ("shapes::f<&(dyn other::T + core::marker::Send)>", true),
            ("shapes::other::f", false),
        ] {
            assert_eq!(is_foreign(name, &crates), foreign, "{name}");
        }
    }

    #[test]
    fn the_executable_can_be_hashed() {
        assert!(executable_hash().is_some());
    }
}
