//! Reading a journal: events, and whatever a killed writer or a bad disk left between them.

use std::io;
use std::path::Path;

use super::{CUT, Counts, Event, MAGIC};
use crate::key::Key;
use crate::os;

/// The events of a journal file; damaged stretches are stepped over.
pub(in crate::store) fn read(path: &Path) -> io::Result<Vec<Event>> {
    let (file, metadata) = os::open_file(path)?;
    let bytes = os::read_exact_at(&file, 0, metadata.len().min(4 * CUT) as usize)?;
    Ok(parse(&bytes))
}

pub(super) fn parse(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        match parse_event(bytes) {
            Some((event, len)) => {
                events.push(event);
                bytes = &bytes[len..];
            }
            None => bytes = &bytes[1..],
        }
    }
    events
}

fn parse_event(bytes: &[u8]) -> Option<(Event, usize)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let len = usize::from(u16::from_le_bytes(*rest.first_chunk()?));
    let payload = rest.get(2..2 + len)?;
    if blake3::hash(payload).as_bytes()[..4] != *rest.get(2 + len..2 + len + 4)? {
        return None;
    }
    let (kind, fields) = payload.split_first()?;
    let number = |at: usize| Some(u64::from_le_bytes(*fields.get(at..)?.first_chunk()?));
    let event = match kind {
        1 => Event::Hit {
            key: Key(*fields.first_chunk()?),
            at_ms: number(32)?,
        },
        2 => {
            let counts = Counts {
                hits: number(0)?,
                misses: number(8)?,
                saved_ns: number(16)?,
            };
            let (package, function) = std::str::from_utf8(fields.get(24..)?).ok()?.split_once('\0')?;
            Event::Calls {
                package: package.into(),
                function: function.into(),
                counts,
            }
        }
        _ => return None,
    };
    Some((event, len + 8))
}
