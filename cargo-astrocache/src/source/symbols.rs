//! What packages may hold, told by the words in their text without parsing it: items that run or are linked without being
//! named in Rust, and a name at all.

use std::fs;

use camino::Utf8Path;
use memchr::memmem::Finder;

/// Attributes of items that the linker knows by a name.
const LINKED: [&str; 2] = ["no_mangle", "export_name"];
/// Attributes of items that run, or are read by the loader, though nothing names them.
const UNNAMED: [&str; 2] = ["link_section", "global_allocator"];

/// Of a package, cargo compiles none of these with a dependency.
const LEFT_OUT: [&str; 4] = ["tests", "benches", "examples", "target"];

/// What may be in a package.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Symbols {
    pub linked: bool,
    pub unnamed: bool,
}

impl Symbols {
    /// Where nothing is known.
    pub const ANY: Symbols = Symbols {
        linked: true,
        unnamed: true,
    };
}

/// What the source files of the package at `root` have words for. What cannot be read may hold anything: the parser will say
/// why.
pub fn symbols(root: &Utf8Path) -> Symbols {
    let words = |all: [&'static str; 2]| all.map(Finder::new);
    let (linked, unnamed) = (words(LINKED), words(UNNAMED));
    let mut found = Symbols::default();
    let is_rust = |path: &Utf8Path| path.extension() == Some("rs");
    let all = each_file(root, is_rust, |text| {
        found.linked |= linked.iter().any(|word| is_in_code(word, text));
        found.unnamed |= unnamed.iter().any(|word| is_in_code(word, text));
        found == Symbols::ANY
    });
    if all { found } else { Symbols::ANY }
}

/// Whether a word stands anywhere in the package at `root`, comments and files that `include!` may name included. Yes if
/// something cannot be read.
pub fn has_word(root: &Utf8Path, word: &str) -> bool {
    let word = Finder::new(word);
    has(root, |text| word.find(text).is_some())
}

/// Whether `word as` stands anywhere there: what the word names may have another name.
pub fn has_renamed(root: &Utf8Path, word: &str) -> bool {
    let finder = Finder::new(word);
    has(root, |text| {
        finder.find_iter(text).any(|at| {
            let rest = &text[at + word.len()..];
            let spaced = rest.trim_ascii_start();
            spaced.len() < rest.len() && spaced.starts_with(b"as")
        })
    })
}

/// Whether `is_it` holds for a file of the package at `root`, or one cannot be read.
fn has(root: &Utf8Path, is_it: impl Fn(&[u8]) -> bool) -> bool {
    let mut found = false;
    let all = each_file(
        root,
        |_| true,
        |text| {
            found = is_it(text);
            found
        },
    );
    found || !all
}

/// Shows those files of the package at `root` that a build may read and are `wanted` to `is_enough`, until it is. False if one
/// cannot be read.
fn each_file(root: &Utf8Path, wanted: impl Fn(&Utf8Path) -> bool, mut is_enough: impl FnMut(&[u8]) -> bool) -> bool {
    let Ok(entries) = root.read_dir_utf8() else {
        return false;
    };
    let mut waiting: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|it| it.into_path())
        .filter(|path| !LEFT_OUT.contains(&path.file_name().unwrap_or_default()))
        .collect();
    while let Some(path) = waiting.pop() {
        let Ok(kind) = path.symlink_metadata().map(|it| it.file_type()) else {
            return false;
        };
        if kind.is_dir() {
            match path.read_dir_utf8() {
                Ok(entries) => waiting.extend(entries.filter_map(Result::ok).map(|it| it.into_path())),
                Err(_) => return false,
            }
        } else if wanted(&path) {
            match fs::read(&path) {
                Ok(text) if is_enough(&text) => break,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
    true
}

/// Whether a word stands in a line that is no comment as a whole.
fn is_in_code(word: &Finder<'_>, text: &[u8]) -> bool {
    word.find_iter(text).any(|at| {
        let line = text[..at]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        !text[line..at].trim_ascii_start().starts_with(b"//")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_compiled_code_count() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "mod inner;\n    /// As `#[no_mangle]`.\npub fn g() {}");
        write("src/inner/mod.rs", "pub fn f() {}");
        write("tests/all.rs", "#[no_mangle] extern fn f() {}");
        write("src/words.txt", "no_mangle");
        assert_eq!(symbols(root), Symbols::default());
        write(
            "src/inner/mod.rs",
            "// x\n#[unsafe(no_mangle)] pub extern \"C\" fn f() {}",
        );
        let linked = Symbols {
            linked: true,
            unnamed: false,
        };
        assert_eq!(symbols(root), linked);
        write(
            "src/inner/more.rs",
            "#[link_section = \".init_array\"] static F: fn() = f;",
        );
        assert_eq!(symbols(root), Symbols::ANY);
        assert_eq!(symbols(&root.join("nowhere")), Symbols::ANY);
    }
}
