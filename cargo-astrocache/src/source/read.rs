//! One source file, as rustc reads it: UTF-8, CRLF as LF, no byte order mark.

use std::fs::File;
use std::io::{self, Read};

use camino::{Utf8Path, Utf8PathBuf};

/// Larger files are refused: rustc takes up to 4 GiB, but nobody writes such source, and a parser's memory is a
/// multiple of it.
pub const MAX_BYTES: u64 = 64 << 20;

/// A source file's text and identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// CRLF is LF, a leading byte order mark is gone, as in rustc's own reader.
    pub text: String,
    /// blake3 of the bytes on disk.
    pub hash: [u8; 32],
}

/// Why a source file has no text. A diagnostic of the analysis, never its end. Its text fits after the file's name.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot be read: {source}")]
    Unreadable { path: Utf8PathBuf, source: io::Error },

    #[error("is not a regular file")]
    NotAFile { path: Utf8PathBuf },

    #[error("is not UTF-8: bad byte on line {line}; rustc will not compile it either, save it as UTF-8")]
    NotUtf8 { path: Utf8PathBuf, line: u32 },

    #[error("has {bytes} bytes, over the limit of {MAX_BYTES}; generated data belongs in `include_bytes!`")]
    TooLarge { path: Utf8PathBuf, bytes: u64 },
}

impl SourceError {
    /// The file.
    pub fn path(&self) -> &Utf8Path {
        match self {
            SourceError::Unreadable { path, .. }
            | SourceError::NotAFile { path }
            | SourceError::NotUtf8 { path, .. }
            | SourceError::TooLarge { path, .. } => path,
        }
    }

    /// Where in the file, counted from 1; 0 if it is about the whole file.
    pub fn line(&self) -> u32 {
        match self {
            SourceError::NotUtf8 { line, .. } => *line,
            _ => 0,
        }
    }

    /// There is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, SourceError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads `path`.
pub fn read(path: &Utf8Path) -> Result<SourceText, SourceError> {
    let bytes = read_bytes(path)?;
    let hash = *blake3::hash(&bytes).as_bytes();
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count() as u32;
            return Err(SourceError::NotUtf8 {
                path: path.to_owned(),
                line,
            });
        }
    };
    Ok(SourceText {
        text: normalized(text),
        hash,
    })
}

fn read_bytes(path: &Utf8Path) -> Result<Vec<u8>, SourceError> {
    let unreadable = |source| SourceError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Before the open: opening a pipe would wait for a writer.
    let stat = path.metadata().map_err(unreadable)?;
    if !stat.is_file() {
        return Err(SourceError::NotAFile { path: path.to_owned() });
    }
    let too_large = |bytes| SourceError::TooLarge {
        path: path.to_owned(),
        bytes,
    };
    if stat.len() > MAX_BYTES {
        return Err(too_large(stat.len()));
    }
    let mut bytes = Vec::with_capacity(stat.len() as usize);
    // A file can grow between the two calls.
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        Err(too_large(bytes.len() as u64))
    } else {
        Ok(bytes)
    }
}

fn normalized(text: String) -> String {
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    if text.contains("\r\n") {
        text.replace("\r\n", "\n")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_content(content: &[u8]) -> Result<SourceText, SourceError> {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("a.rs")).unwrap();
        fs::write(&path, content).unwrap();
        read(&path)
    }

    #[test]
    fn text_is_normalised_and_the_hash_is_of_the_bytes() {
        let windows = read_content(b"\xef\xbb\xbffn a() {}\r\nfn b() {}\r\n").unwrap();
        let unix = read_content(b"fn a() {}\nfn b() {}\n").unwrap();
        assert_eq!(windows.text, unix.text);
        assert_ne!(windows.hash, unix.hash);
        assert_eq!(unix.hash, *blake3::hash(b"fn a() {}\nfn b() {}\n").as_bytes());
    }

    #[test]
    fn a_lone_carriage_return_and_an_inner_mark_stay() {
        assert_eq!(read_content("a\rb\u{feff}".as_bytes()).unwrap().text, "a\rb\u{feff}");
        assert_eq!(read_content(b"").unwrap().text, "");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_told_by_line() {
        let error = read_content(b"fn a() {}\n// caf\xe9\n").unwrap_err();
        assert_eq!(error.line(), 2);
        assert!(error.to_string().contains("bad byte on line 2"), "{error}");
    }

    #[test]
    fn a_missing_file_a_directory_and_a_huge_file_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        assert!(read(&root.join("gone.rs")).unwrap_err().is_missing());
        assert!(matches!(read(root), Err(SourceError::NotAFile { .. })));

        let huge = root.join("huge.rs");
        File::create(&huge).unwrap().set_len(MAX_BYTES + 1).unwrap();
        let error = read(&huge).unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { bytes, .. } if bytes == MAX_BYTES + 1));
        assert_eq!(error.path(), huge);
    }
}
