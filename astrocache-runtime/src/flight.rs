//! Equal calls at the same time compute once.
//!
//! The first caller of a key leads; the others wait for it and look again. Waiting can deadlock where the leader needs the
//! waiter: a work-stealing pool runs a leader's subtask on top of a waiter's stack. So a thread that is itself computing a
//! cached function never waits, and no one waits longer than [`PATIENCE`]: whoever does not wait computes again, which is
//! only slower.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::key::Key;
use crate::task;

/// How long a caller waits for another one's result.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

static FLIGHTS: Mutex<BTreeMap<Key, Arc<Flight>>> = Mutex::new(BTreeMap::new());

thread_local!(static COMPUTING: Cell<u32> = const { Cell::new(0) });

/// A computation under way.
pub(crate) struct Flight {
    state: Mutex<State>,
    landed: Condvar,
    /// The leader of another process (before a fork) will never land here.
    pid: u32,
}

#[derive(Default)]
struct State {
    done: bool,
    wakers: Vec<Waker>,
}

/// What a caller that missed does.
pub(crate) enum Join {
    /// Compute; the others wait until this is dropped.
    Lead(Lead),
    /// Wait for the leader.
    Follow(Arc<Flight>),
}

/// Held by the one that computes.
pub(crate) struct Lead {
    key: Key,
    flight: Arc<Flight>,
}

/// Joins the computation of a key.
pub(crate) fn join(key: Key) -> Join {
    let pid = std::process::id();
    let mut flights = lock(&FLIGHTS);
    if let Some(flight) = flights.get(&key).filter(|flight| flight.pid == pid) {
        return Join::Follow(Arc::clone(flight));
    }
    let flight = Arc::new(Flight {
        state: Mutex::default(),
        landed: Condvar::new(),
        pid,
    });
    flights.insert(key, Arc::clone(&flight));
    Join::Lead(Lead { key, flight })
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut flights = lock(&FLIGHTS);
        if flights
            .get(&self.key)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
        {
            flights.remove(&self.key);
        }
        drop(flights);
        let mut state = lock(&self.flight.state);
        state.done = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.flight.landed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Flight {
    /// Blocks until the leader is done, for a while.
    pub(crate) fn wait(&self, patience: Duration) {
        let state = lock(&self.state);
        let waited = self.landed.wait_timeout_while(state, patience, |state| !state.done);
        drop(waited);
    }

    /// The same without blocking the executor.
    pub(crate) fn landing(self: Arc<Flight>, patience: Duration) -> Landing {
        Landing {
            flight: self,
            deadline: Instant::now() + patience,
            timer: false,
        }
    }
}

/// Resolves when the leader is done, or patience ends.
pub(crate) struct Landing {
    flight: Arc<Flight>,
    deadline: Instant,
    timer: bool,
}

impl Future for Landing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.flight.state);
        if state.done || Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        drop(state);
        // Without a timer we could wait for ever, so then we do not wait.
        if !self.timer && !task::wake_at(self.deadline, context.waker().clone()) {
            return Poll::Ready(());
        }
        self.timer = true;
        Poll::Pending
    }
}

/// Is this thread inside a cached function's body?
pub(crate) fn is_computing() -> bool {
    COMPUTING.get() > 0
}

/// Runs a cached function's body.
pub(crate) fn computing<R>(f: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            COMPUTING.set(COMPUTING.get() - 1);
        }
    }
    COMPUTING.set(COMPUTING.get() + 1);
    let _leave = Leave;
    f()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key([n; 32])
    }

    #[test]
    fn followers_go_on_when_the_leader_panics() {
        let leader = std::thread::spawn(|| {
            let Join::Lead(_lead) = join(key(1)) else {
                panic!("first")
            };
            let Join::Follow(flight) = join(key(1)) else {
                panic!("second")
            };
            let follower = std::thread::spawn(move || flight.wait(PATIENCE));
            (follower, std::panic::catch_unwind(|| panic!("user")).is_err())
        });
        let (follower, panicked) = leader.join().unwrap();
        assert!(panicked);
        follower.join().unwrap();
        assert!(matches!(join(key(1)), Join::Lead(_)));
    }

    #[test]
    fn patience_ends() {
        let Join::Lead(_lead) = join(key(2)) else {
            panic!("first")
        };
        let Join::Follow(flight) = join(key(2)) else {
            panic!("second")
        };
        flight.wait(Duration::from_millis(1));
        task::tests::block_on(flight.landing(Duration::from_millis(1)));
    }

    #[test]
    fn a_body_is_left_even_by_a_panic() {
        let caught = std::panic::catch_unwind(|| computing(|| computing(|| panic!("user"))));
        assert!(caught.is_err());
        assert!(!is_computing());
    }
}
