//! What the runtime says, always on stderr and never with a panic: warnings once, and the trace line of each call.

use std::fmt;
use std::io::Write;

/// Writes one line to stderr. A closed stderr is nobody's problem.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut out = String::from("astrocache: ");
    let _ = fmt::write(&mut out, text);
    out.push('\n');
    let _ = std::io::stderr().write_all(out.as_bytes());
}

/// Lower-case hex.
pub(crate) struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
