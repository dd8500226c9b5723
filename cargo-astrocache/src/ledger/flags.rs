//! A small file of answers by key: some flags, and the day they were last asked for. What nobody asks for in a month is not
//! written again.

use std::{collections::BTreeMap, io, path::Path};

use super::frame::{self, FrameError, Kind};

const KIND: Kind = Kind(b"acflags\x01");
const KEPT_DAYS: u32 = 30;

/// What is asked.
pub type Key = [u8; 16];

/// See the module.
#[derive(Debug, Default)]
pub struct Flags(BTreeMap<Key, (u8, u32)>);

impl Flags {
    /// Those at `path`.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub fn read(path: &Path) -> Result<Flags, FrameError> {
        let body = frame::read(path, KIND)?;
        postcard::from_bytes(&body).map(Flags).map_err(|_| FrameError::Damaged)
    }

    pub fn get(&self, key: &Key) -> Option<u8> {
        self.0.get(key).map(|it| it.0)
    }

    /// Adds `asked` of `today`, in days since 1970, to the file at `path`, if that says anything new. Of two processes at once
    /// one may lose what it found, which costs a second look.
    ///
    /// # Errors
    ///
    /// The old file, or none, is left where it was.
    pub fn add(path: &Path, asked: &BTreeMap<Key, u8>, today: u32) -> io::Result<()> {
        let mut all = Flags::read(path).unwrap_or_default().0;
        let is_known = |(key, flag): (&Key, &u8)| all.get(key) == Some(&(*flag, today));
        if asked.iter().all(is_known) {
            return Ok(());
        }
        all.extend(asked.iter().map(|(&key, &flag)| (key, (flag, today))));
        all.retain(|_, (_, day)| today.saturating_sub(*day) <= KEPT_DAYS);
        let body = postcard::to_allocvec(&all).map_err(io::Error::other)?;
        frame::write(path, KIND, &body)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn answers_are_kept_for_a_month_after_the_last_question() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flags");
        assert!(matches!(Flags::read(&path), Err(FrameError::Missing)));
        Flags::add(&path, &BTreeMap::from([([1; 16], 3), ([2; 16], 0)]), 100).unwrap();
        Flags::add(&path, &BTreeMap::from([([2; 16], 0)]), 131).unwrap();
        let flags = Flags::read(&path).unwrap();
        assert_eq!(flags.get(&[1; 16]), None);
        assert_eq!(flags.get(&[2; 16]), Some(0));
        assert_eq!(flags.get(&[3; 16]), None);
    }

    #[test]
    fn a_damaged_file_is_refused_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flags");
        Flags::add(&path, &BTreeMap::from([([1; 16], 1)]), 1).unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, bytes).unwrap();
            assert!(Flags::read(&path).is_err(), "byte {at}");
        }
        Flags::add(&path, &BTreeMap::from([([2; 16], 1)]), 1).unwrap();
        assert_eq!(Flags::read(&path).unwrap().get(&[2; 16]), Some(1));
    }
}
