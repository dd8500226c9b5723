//! Looking for a byte in a lot of bytes from unoptimised code: `read_until` and its kin call the C library's search, so the
//! loop over the bytes that do not match is not ours.

use std::io::BufRead;

/// The positions of `byte`.
pub fn positions(bytes: &[u8], byte: u8) -> impl Iterator<Item = usize> {
    let mut rest = bytes;
    let len = bytes.len();
    std::iter::from_fn(move || {
        // Reading from memory cannot fail.
        let skipped = rest.skip_until(byte).ok()?;
        let end = len - rest.len();
        (skipped > 0 && bytes[end - 1] == byte).then(|| end - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_found_once() {
        let at = |text: &str| positions(text.as_bytes(), b'-').collect::<Vec<_>>();
        assert_eq!(at("a-b--"), [1, 3, 4]);
        assert_eq!(at("-a"), [0]);
        assert_eq!(at("a"), Vec::<usize>::new());
        assert_eq!(at(""), Vec::<usize>::new());
    }
}
