//! Work that is sure to be asked for, done ahead by a thread that has nothing else to do. It changes no answer: whoever asks
//! finds it done, or does it.
//!
//! Most of what a closure takes hangs together, so one thread alone can follow it; what it will need next, another can prepare.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::AnalysisDb;

/// How much is under way, for all handles of one database.
#[derive(Clone, Default)]
pub struct Ahead(Arc<AtomicUsize>);

impl Ahead {
    /// Whether a thread may be free: there is more than one, and none has been given work that is not done.
    pub fn is_free(&self) -> bool {
        rayon::current_thread_index().is_some()
            && rayon::current_num_threads() > 1
            && self.0.load(Ordering::Relaxed) < rayon::current_num_threads() - 1
    }

    /// Hands work to whichever thread is free first. Only where [`Ahead::is_free`]: other pools have small stacks.
    pub(super) fn spawn(&self, db: AnalysisDb, work: impl FnOnce(&AnalysisDb) + Send + 'static) {
        self.0.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay(self.0.clone());
        rayon::spawn(move || {
            // Dropped in this order: who waits for the end must find no handle of the database left.
            let _under_way = under_way;
            let db = db;
            // Whoever asks for the same fails in the same way, where it can be told.
            let _ = catch_unwind(AssertUnwindSafe(|| work(&db)));
        });
    }

    /// Waits until nothing is under way. A database with a second handle takes no changes.
    pub fn wait(&self) {
        while self.0.load(Ordering::Acquire) > 0 {
            if rayon::yield_now() != Some(rayon::Yield::Executed) {
                std::thread::yield_now();
            }
        }
    }
}

/// Counts down when dropped, a panic included.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}
