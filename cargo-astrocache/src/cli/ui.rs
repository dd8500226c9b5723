//! How things are said: people read stderr in the manner of cargo, scripts read stdout.

use std::env;
use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::{Color, DisplayArgs, MessageFormat};
use super::progress::{Progress, Tell};

const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// A place for an annotation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Relative to the workspace root where it is inside.
    pub(super) file: &'a str,
    /// From 1; 0 for the whole file.
    pub(super) line: u32,
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Where a command says things.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ui {
    pub(super) format: MessageFormat,
    quiet: bool,
    verbose: bool,
}

impl Ui {
    /// Sets the colours of the process, too.
    pub(super) fn new(args: &DisplayArgs) -> Ui {
        let choice = args.color.or_else(|| match env::var("CARGO_TERM_COLOR").as_deref() {
            Ok("always") => Some(Color::Always),
            Ok("never") => Some(Color::Never),
            _ => None,
        });
        match choice {
            Some(Color::Always) => anstream::ColorChoice::Always.write_global(),
            Some(Color::Never) => anstream::ColorChoice::Never.write_global(),
            Some(Color::Auto) | None => anstream::ColorChoice::Auto.write_global(),
        }
        Ui {
            format: args.message_format,
            quiet: args.quiet,
            verbose: args.verbose,
        }
    }

    /// `   Updated Astrocache.lock`: good news. Not with `-q`.
    pub(super) fn status(&self, verb: &str, message: impl Display) {
        if !self.quiet {
            line(GREEN, verb, message);
        }
    }

    /// A detail for `-v`.
    pub(super) fn detail(&self, verb: &str, message: impl Display) {
        if self.verbose {
            line(CYAN, verb, message);
        }
    }

    /// Whether more is to be said.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// That the command is at work, for as long as the value is there. Not with `-q`; on stderr, if that is a terminal.
    #[must_use]
    pub(super) fn progress(&self, tell: Tell) -> Progress {
        match self.quiet {
            true => Progress::default(),
            false => Progress::new(tell),
        }
    }

    /// Something the user asked to be told: printed with `-q` too, as an annotation for GitHub.
    pub(super) fn finding(&self, verb: &str, place: Option<Place<'_>>, message: impl Display) {
        match (self.format, place) {
            (MessageFormat::Github, Some(place)) => {
                annotate("error", place, &format!("{}: {message}", verb.to_lowercase()));
            }
            (MessageFormat::Json, _) => {}
            (_, Some(place)) => line(YELLOW, verb, format_args!("{message} ({place})")),
            (_, None) => line(YELLOW, verb, message),
        }
    }

    /// Something is odd, but the command goes on.
    pub(super) fn warning(&self, place: Option<Place<'_>>, message: impl Display) {
        match (self.format, place) {
            (MessageFormat::Github, Some(place)) => annotate("warning", place, &message.to_string()),
            (_, Some(place)) => prefixed(YELLOW, "warning", format_args!("{place}: {message}")),
            (_, None) => prefixed(YELLOW, "warning", message),
        }
    }

    /// What to do next.
    pub(super) fn help(&self, message: impl Display) {
        if !self.quiet {
            prefixed(CYAN, "help", message);
        }
    }

    /// One JSON document on stdout.
    pub(super) fn json(&self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        self.stdout(&text)
    }

    /// One JSON document on a line of stdout, for a reader that waits for it.
    ///
    /// # Errors
    ///
    /// Also that the reader is gone.
    pub(super) fn json_line(&self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_string(value)?;
        text.push('\n');
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
    }

    /// What was asked for, on stdout. A reader that has seen enough (`| head`) is no error.
    pub(super) fn stdout(&self, text: &str) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

/// Why the command could not do its work: the whole chain, on stderr.
pub(super) fn error(error: &anyhow::Error) {
    prefixed(RED, "error", format_args!("{error:#}"));
}

/// Bold text for stdout.
pub(super) fn bold(text: impl Display) -> String {
    let style = Style::new().bold();
    format!("{style}{text}{style:#}")
}

/// `1 file`, `2 files`.
pub(super) fn count(n: usize, noun: &str) -> String {
    match (n, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {noun}s"),
    }
}

fn line(style: Style, verb: &str, message: impl Display) {
    let _ = writeln!(anstream::stderr(), "{style}{verb:>12}{style:#} {message}");
}

fn prefixed(style: Style, word: &str, message: impl Display) {
    let _ = writeln!(anstream::stderr(), "{style}{word}{style:#}: {message}");
}

/// A workflow command of GitHub Actions.
fn annotate(level: &str, place: Place<'_>, message: &str) {
    let text = message.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let file = place.file.replace('%', "%25").replace(':', "%3A").replace(',', "%2C");
    let line = if place.line == 0 {
        String::new()
    } else {
        format!(",line={}", place.line)
    };
    let _ = writeln!(
        io::stdout(),
        "::{level} file={file}{line},title=cargo-astrocache::{text}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(count(0, "root"), "0 roots");
        assert_eq!(count(1, "entry"), "1 entry");
        assert_eq!(count(2, "entry"), "2 entries");
    }

    #[test]
    fn a_place_without_a_line_is_the_file() {
        assert_eq!(Place { file: "a.rs", line: 0 }.to_string(), "a.rs");
        assert_eq!(Place { file: "a.rs", line: 3 }.to_string(), "a.rs:3");
    }
}
