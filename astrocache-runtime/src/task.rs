//! What async cached calls may not do on the executor: long reads and writes, and waiting for a time.
//!
//! One helper thread, started when it is first needed. Where none can be started, the work is done in place.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

enum Message {
    Run(Box<dyn FnOnce() + Send>),
    WakeAt(Instant, Waker),
}

/// The helper's inbox and the process it lives in: a forked child has no such thread.
static HELPER: Mutex<Option<(u32, Sender<Message>)>> = Mutex::new(None);

/// Runs `work` on the helper thread. `None` if it panicked.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let slot = Arc::new(Slot {
        state: Mutex::new(SlotState {
            result: None,
            waker: None,
        }),
    });
    let filled = Arc::clone(&slot);
    let run = Box::new(move || filled.fill(catch_unwind(AssertUnwindSafe(work)).ok()));
    if let Err(Message::Run(run)) = send(Message::Run(run)) {
        run();
    }
    Filled(slot).await
}

/// Wakes a task at a time. `false` if that can't be done.
pub(crate) fn wake_at(time: Instant, waker: Waker) -> bool {
    send(Message::WakeAt(time, waker)).is_ok()
}

fn send(message: Message) -> Result<(), Message> {
    let pid = std::process::id();
    let mut helper = HELPER.lock().unwrap_or_else(PoisonError::into_inner);
    let message = match &*helper {
        Some((owner, inbox)) if *owner == pid => match inbox.send(message) {
            Ok(()) => return Ok(()),
            Err(mpsc::SendError(message)) => message,
        },
        _ => message,
    };
    let (inbox, messages) = mpsc::channel();
    if thread::Builder::new()
        .name("astrocache-async".to_owned())
        .spawn(move || serve(&messages))
        .is_err()
    {
        return Err(message);
    }
    let sent = inbox.send(message).map_err(|mpsc::SendError(message)| message);
    *helper = Some((pid, inbox));
    sent
}

fn serve(messages: &mpsc::Receiver<Message>) {
    let mut timers: BTreeMap<Instant, Vec<Waker>> = BTreeMap::new();
    loop {
        while let Some(first) = timers.first_entry().filter(|first| *first.key() <= Instant::now()) {
            first.remove().into_iter().for_each(Waker::wake);
        }
        let idle = Duration::from_secs(3600);
        let next = timers
            .keys()
            .next()
            .map_or(idle, |time| time.saturating_duration_since(Instant::now()));
        match messages.recv_timeout(next) {
            Ok(Message::Run(work)) => work(),
            Ok(Message::WakeAt(time, waker)) => timers.entry(time).or_default().push(waker),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

struct Slot<T> {
    state: Mutex<SlotState<T>>,
}

struct SlotState<T> {
    result: Option<Option<T>>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    fn fill(&self, result: Option<T>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Filled<T>(Arc<Slot<T>>);

impl<T> Future for Filled<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// The smallest executor.
    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(value) => return value,
                Poll::Pending => thread::park(),
            }
        }
    }

    #[test]
    fn work_runs_elsewhere_and_its_panic_is_only_a_missing_result() {
        let here = thread::current().id();
        assert_eq!(block_on(blocking(move || thread::current().id() != here)), Some(true));
        assert_eq!(block_on(blocking(|| -> u8 { panic!("work") })), None);
        assert_eq!(block_on(blocking(|| 7)), Some(7));
    }

    #[test]
    fn a_task_is_woken_at_its_time() {
        struct Flag(AtomicBool, thread::Thread);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Release);
                self.1.unpark();
            }
        }
        let flag = Arc::new(Flag(AtomicBool::new(false), thread::current()));
        let start = Instant::now();
        assert!(wake_at(
            start + Duration::from_millis(5),
            Waker::from(Arc::clone(&flag))
        ));
        while !flag.0.load(Ordering::Acquire) {
            thread::park();
        }
        assert!(start.elapsed() >= Duration::from_millis(5));
    }
}
