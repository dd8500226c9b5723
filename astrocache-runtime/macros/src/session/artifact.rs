//! What rustc wrote for a unit: the libraries that its metadata names, and the sources and variables in its `.d` file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::records::unknown;
use super::scan;

/// Bytes of metadata read at first: room for about 300 dependencies.
const HEAD: usize = 16 * 1024;

/// What rustc wrote for a unit.
pub struct Artifact {
    pub path: PathBuf,
    pub dir: PathBuf,
    /// File name without `lib` and extension.
    pub stem: String,
    pub hash: String,
}

impl Artifact {
    pub fn of(path: &Path) -> Result<Artifact, String> {
        let parts = || {
            let stem = path.file_stem()?.to_str()?;
            Some((path.parent()?.to_path_buf(), stem, stem.rsplit_once('-')?.1))
        };
        let (dir, stem, hash) = parts().ok_or_else(|| unknown(path))?;
        // Proc macros on Windows have no prefix.
        let stem = stem
            .strip_prefix("lib")
            .filter(|_| path.extension().is_none_or(|e| e != "dll"))
            .unwrap_or(stem);
        Ok(Artifact {
            path: path.to_path_buf(),
            dir,
            stem: stem.to_owned(),
            hash: hash.to_owned(),
        })
    }

    pub fn is_proc_macro(&self) -> bool {
        self.path
            .extension()
            .is_some_and(|extension| extension == "so" || extension == "dylib" || extension == "dll")
    }

    /// Unit hashes that the metadata names; those of the standard library are among them.
    pub fn dependencies(&self) -> Result<Vec<String>, String> {
        let metadata = self.path.with_extension("rmeta");
        let path = if metadata.is_file() { &metadata } else { &self.path };
        let mut file = File::open(path).map_err(|_| unknown(path))?;
        let mut bytes = Vec::new();
        file.by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut bytes)
            .map_err(|_| unknown(path))?;
        let (mut hashes, end) = unit_hashes(&bytes);
        if end + 1024 > HEAD || hashes.is_empty() {
            file.read_to_end(&mut bytes).map_err(|_| unknown(path))?;
            hashes = unit_hashes(&bytes).0;
        }
        // Every crate but core itself names the standard library.
        if hashes.is_empty() {
            Err(unknown(path))
        } else {
            Ok(hashes)
        }
    }
}

/// All `-0123456789abcdef` in the bytes, and where the last one ends.
fn unit_hashes(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut hashes = Vec::new();
    let mut end = 0;
    for at in scan::positions(bytes, b'-') {
        let Some(hash) = bytes
            .get(at + 1..at + 17)
            .and_then(|hash| std::str::from_utf8(hash).ok())
        else {
            continue;
        };
        if hash.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) {
            hashes.push(hash.to_owned());
            end = at + 17;
        }
    }
    (hashes, end)
}

/// The sources in a `.d` file, on the first rule's right side. A space in a name has a backslash before it.
pub fn dep_info_sources(text: &str) -> impl Iterator<Item = String> {
    let line = text.split('\n').next().unwrap_or_default();
    let (_, rule) = line.split_once(": ").unwrap_or_default();
    let mut parts = rule.split(' ');
    std::iter::from_fn(move || {
        let mut source = String::new();
        for part in parts.by_ref() {
            match part.strip_suffix('\\') {
                Some(part) => source.extend([part, " "]),
                None => source.push_str(part),
            }
            if !source.is_empty() && !part.ends_with('\\') {
                break;
            }
        }
        (!source.is_empty()).then_some(source)
    })
}

/// The variables that were read by `env!`, as `NAME=value`: the `# env-dep:` lines of a `.d` file.
pub fn dep_info_env(text: &str) -> Vec<String> {
    let start = text.find("# env-dep:").unwrap_or(text.len());
    let lines = text[start..].lines();
    lines
        .filter_map(|line| line.strip_prefix("# env-dep:"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dep_info_gives_sources_with_spaces_and_env() {
        let text = "/t/a.d: src/lib.rs src/a\\ b.rs\n\nsrc/lib.rs:\n\n# env-dep:X=1\n# env-dep:Y\n";
        let sources: Vec<String> = dep_info_sources(text).collect();
        assert_eq!(sources, ["src/lib.rs", "src/a b.rs"]);
        assert_eq!(dep_info_env(text), ["X=1", "Y"]);
        for garbage in ["", "\n", "no colon", ": ", "\\", "a: \\"] {
            let _ = (dep_info_sources(garbage).count(), dep_info_env(garbage));
        }
        assert_eq!(
            dep_info_sources("/t/a.d:  a\\ b\\  c\\ \\ d  e").collect::<Vec<_>>(),
            ["a b ", "c  d", "e"]
        );
    }

    #[test]
    fn unit_hashes_are_found_in_any_bytes() {
        let bytes = b"\xff-20be7b14652ebd10\xc1-nothexnothexnoth--0b450aa58978fe09-0b450a";
        let (hashes, end) = unit_hashes(bytes);
        assert_eq!(hashes, ["20be7b14652ebd10", "0b450aa58978fe09"]);
        assert_eq!(end, bytes.len() - 7);
        assert_eq!(unit_hashes(b""), (vec![], 0));
    }
}
