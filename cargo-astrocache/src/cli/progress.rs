//! One line on a terminal's stderr that says what a command is at, in the manner of cargo: from half a second on, and gone
//! without a trace when the work is done. Not a log: what is to stay is said by [`super::ui`] afterwards.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, iter};

use anstyle::{AnsiColor, Style};

use crate::analysis::{Phase, progress};

/// What is done sooner needs no word.
const DELAY: Duration = Duration::from_millis(500);
const PERIOD: Duration = Duration::from_millis(100);
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// What the work is at: a verb, and the rest. Short, as a line that wraps cannot be taken back.
pub(super) type Tell = fn() -> (&'static str, String);

/// The line is there as long as this is, or shorter.
#[derive(Debug, Default)]
pub(super) struct Progress {
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Shows what `tell` says, if there is someone to see it.
    pub(super) fn new(tell: Tell) -> Progress {
        if !is_seen() {
            return Progress::default();
        }
        let (stop, stopped) = channel();
        let ticker = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || tick(&mut anstream::stderr(), &stopped, DELAY, tell));
        // No thread, no line: the work matters more.
        Progress {
            ticker: ticker.ok().map(|ticker| (stop, ticker)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, ticker)) = self.ticker.take() {
            drop(stop);
            let _ = ticker.join();
        }
    }
}

/// A terminal that can go back to the start of a line, and nobody who asked to be spared.
fn is_seen() -> bool {
    let is = |name: &str, value: &str| env::var_os(name).is_some_and(|it| it == value);
    io::stderr().is_terminal() && !is("TERM", "dumb") && !is("CARGO_TERM_PROGRESS_WHEN", "never")
}

/// Draws the line until the sender is gone, and takes it back. Without control sequences: spaces overwrite on every terminal.
fn tick(out: &mut impl Write, stopped: &Receiver<()>, delay: Duration, tell: Tell) {
    let mut shown = 0_usize;
    let mut wait = delay;
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let (verb, rest) = tell();
        let width = 13 + rest.chars().count();
        let blank = spaces(shown.saturating_sub(width));
        let _ = write!(out, "\r{CYAN}{verb:>12}{CYAN:#} {rest}{blank}").and_then(|()| out.flush());
        (shown, wait) = (width, PERIOD);
    }
    if shown > 0 {
        let _ = write!(out, "\r{}\r", spaces(shown)).and_then(|()| out.flush());
    }
}

fn spaces(n: usize) -> String {
    iter::repeat_n(' ', n).collect()
}

/// What the analysis is at.
pub(super) fn of_analysis() -> (&'static str, String) {
    let now = progress();
    let of = |noun: &str| format!("{}/{} {noun}", now.done, now.all);
    match now.phase {
        Phase::Project => ("Loading", "the workspace".to_owned()),
        Phase::Crates => ("Reading", of("crates")),
        Phase::Names => ("Resolving", "names".to_owned()),
        Phase::Functions => ("Analyzing", of("functions")),
    }
}

/// That stored results are gone through.
pub(super) fn of_store() -> (&'static str, String) {
    ("Looking", "at stored results".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What a terminal shows of `text`: each carriage return starts the line over.
    fn screen(text: &str) -> Vec<String> {
        let mut line: Vec<char> = Vec::new();
        let mut seen = Vec::new();
        for part in anstream::adapter::strip_str(text).to_string().split('\r') {
            for (at, c) in part.chars().enumerate() {
                match line.get_mut(at) {
                    Some(old) => *old = c,
                    None => line.push(c),
                }
            }
            seen.push(line.iter().collect::<String>().trim_end().to_owned());
        }
        seen
    }

    #[test]
    fn a_line_replaces_the_longer_one_before_it_and_is_gone_at_the_end() {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        static STOP: std::sync::Mutex<Option<Sender<()>>> = std::sync::Mutex::new(None);
        fn tell() -> (&'static str, String) {
            match TURN.fetch_add(1, Ordering::Relaxed) {
                0 => ("Reading", "100/100 crates".to_owned()),
                _ => {
                    STOP.lock().unwrap().take();
                    ("Resolving", "names".to_owned())
                }
            }
        }
        let (stop, stopped) = channel();
        *STOP.lock().unwrap() = Some(stop);
        let mut out = Vec::new();
        tick(&mut out, &stopped, Duration::ZERO, tell);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(
            screen(&out),
            ["", "     Reading 100/100 crates", "   Resolving names", "", ""]
        );
    }

    #[test]
    fn work_that_is_done_before_the_delay_shows_nothing() {
        let (stop, stopped) = channel();
        drop(stop);
        let mut out = Vec::new();
        tick(&mut out, &stopped, Duration::from_secs(3600), of_store);
        assert_eq!(out, b"");
    }

    #[test]
    fn lines_fit_into_a_narrow_terminal() {
        for (verb, rest) in [of_analysis(), of_store()] {
            assert!(verb.len() <= 12 && rest.len() <= 40, "{verb} {rest}");
        }
    }
}
