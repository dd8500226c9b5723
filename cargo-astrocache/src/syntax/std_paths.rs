//! What of std gives access to what memoization cannot see, by path: clocks, environment, files, network, processes,
//! randomness, places in the source.

use std::borrow::Cow;

/// Paths of std by what they give access to. Addresses, exit codes and the like are plain data and not here.
const IMPURE: &[(&str, &str)] = &[
    ("std::time::Instant", "time"),
    ("std::time::SystemTime", "time"),
    ("std::env", "env"),
    ("std::fs", "fs"),
    ("std::io::stdin", "fs"),
    ("std::path::Path::exists", "fs"),
    ("std::os::fd", "fs"),
    ("std::os::unix::fs", "fs"),
    ("std::os::linux::fs", "fs"),
    ("std::os::windows::fs", "fs"),
    ("std::os::unix::net", "net"),
    ("std::os::unix::process", "process"),
    ("std::os::windows::process", "process"),
    ("std::net::TcpStream", "net"),
    ("std::net::TcpListener", "net"),
    ("std::net::UdpSocket", "net"),
    // Looks names up.
    ("std::net::ToSocketAddrs", "net"),
    ("std::process::Command", "process"),
    ("std::process::Child", "process"),
    ("std::process::exit", "process"),
    ("std::process::abort", "process"),
    ("std::process::id", "process"),
    ("std::thread::current", "process"),
    ("std::hash::RandomState", "random"),
    ("std::collections::hash_map::RandomState", "random"),
];

/// What is known of a path in std.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StdPath {
    /// What a value of this path gives access to: `time`, `env`, `fs`, `net`, `process`, `random`.
    pub impure: Option<&'static str>,
    /// It is told where code stands: `Location::caller`, a panic hook.
    pub tells_places: bool,
    /// As a macro, it makes what each thread has its own of.
    pub is_thread_local: bool,
}

impl StdPath {
    pub fn of(path: &str) -> StdPath {
        let hooks = ["Location::caller", "panic::set_hook", "panic::update_hook"];
        let whole = in_std(path);
        let found = IMPURE.iter().find(|(prefix, _)| {
            let rest = whole.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        });
        StdPath {
            impure: found.map(|it| it.1),
            tells_places: hooks.iter().any(|hook| path.ends_with(hook)),
            is_thread_local: path.ends_with("::thread_local"),
        }
    }
}

/// A path of `core` or `alloc` as one of `std`.
pub fn in_std(path: &str) -> Cow<'_, str> {
    let tail = path.strip_prefix("core::").or(path.strip_prefix("alloc::"));
    tail.map_or(path.into(), |tail| format!("std::{tail}").into())
}
