//! How far the analysis of this process is: for people to look at while they wait. No answer depends on it, so it is one for
//! the process and goes through no argument. Whoever shows it reads it from time to time; nothing is called back.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an analysis is at, in the order in which it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The project: cargo is asked for it.
    Project,
    /// Crates are read.
    Crates,
    /// What names mean is looked up, for all crates at once.
    Names,
    /// The closures of functions are computed.
    Functions,
}

/// A phase, and how much of it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
    pub done: usize,
    /// 0 where there is nothing to count.
    pub all: usize,
}

static NOW: Mutex<Progress> = Mutex::new(Progress {
    phase: Phase::Project,
    done: 0,
    all: 0,
});

/// How far it is now.
pub fn progress() -> Progress {
    *now()
}

/// A phase of so many steps begins.
pub(super) fn begin(phase: Phase, all: usize) {
    *now() = Progress { phase, done: 0, all };
}

/// One of the steps is done.
pub(super) fn step() {
    now().done += 1;
}

fn now() -> MutexGuard<'static, Progress> {
    NOW.lock().unwrap_or_else(PoisonError::into_inner)
}
