//! What packages may hold, told by the words in their text without parsing it: items that run or are linked without being
//! named in Rust, and a name at all.

use std::{
    fs::{File, FileType},
    io::{self, Read},
};

use camino::{Utf8Path, Utf8PathBuf};
use memchr::memmem::Finder;

/// Attributes of items that the linker knows by a name.
const LINKED: [&str; 2] = ["no_mangle", "export_name"];
/// Of items that run, or are read by the loader, though nothing names them.
const ALLOCATOR: &str = "global_allocator";
const SECTION: &str = "link_section";

/// Of a package, cargo compiles none of these with a dependency.
const LEFT_OUT: [&str; 4] = ["tests", "benches", "examples", "target"];

/// What may be in a package.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Symbols {
    pub linked: bool,
    pub unnamed: bool,
    /// The same for Windows alone: sections that only its C runtime knows.
    pub for_windows: bool,
}

impl Symbols {
    /// Where nothing is known.
    pub const ANY: Symbols = Symbols {
        linked: true,
        unnamed: true,
        for_windows: true,
    };
}

/// What the source files of the package at `root` have words for. What cannot be read may hold anything: the parser will say
/// why.
pub fn symbols(root: &Utf8Path) -> Symbols {
    let linked = LINKED.map(Finder::new);
    let (allocator, section) = (Finder::new(ALLOCATOR), Finder::new(SECTION));
    let mut found = Symbols::default();
    let is_rust = |path: &Utf8Path| path.extension() == Some("rs");
    let all = each_file(root, is_rust, |text| {
        found.linked |= linked.iter().any(|word| in_code(word, text).next().is_some());
        found.unnamed |= in_code(&allocator, text).next().is_some();
        for after in in_code(&section, text) {
            match is_of_windows(after) {
                true => found.for_windows = true,
                false => found.unnamed = true,
            }
        }
        found == Symbols::ANY
    });
    if all { found } else { Symbols::ANY }
}

/// Whether `= ".CRT$` follows.
fn is_of_windows(after: &[u8]) -> bool {
    let value = after.trim_ascii_start().strip_prefix(b"=");
    value.is_some_and(|value| value.trim_ascii_start().starts_with(b"\".CRT$"))
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
    let is_left_out = |path: &Utf8Path| LEFT_OUT.contains(&path.file_name().unwrap_or_default());
    let mut folders = vec![root.to_owned()];
    // One piece of memory for all texts: a fresh one costs more than to read into it.
    let mut text = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = entries(&folder) else {
            return false;
        };
        for (path, kind) in entries {
            if folder == root && is_left_out(&path) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() && path.is_dir() {
                return false;
            } else if wanted(&path) {
                text.clear();
                match File::open(&path).and_then(|mut file| file.read_to_end(&mut text)) {
                    Ok(_) if is_enough(&text) => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        }
    }
    true
}

fn entries(folder: &Utf8Path) -> io::Result<Vec<(Utf8PathBuf, FileType)>> {
    let entries = folder.read_dir_utf8()?;
    entries
        .map(|it| it.and_then(|it| Ok((it.path().to_owned(), it.file_type()?))))
        .collect()
}

/// What follows a word wherever it stands by itself in a line that is no comment as a whole.
fn in_code<'t>(word: &'t Finder<'_>, text: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
    let continues = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    word.find_iter(text).filter_map(move |at| {
        let (before, after) = (&text[..at], &text[at + word.needle().len()..]);
        let line = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let stands = !continues(before.last()) && !continues(after.first());
        (stands && !before[line..].trim_ascii_start().starts_with(b"//")).then_some(after)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        write("src/more.rs", "struct Elf { sh_link_section: u8 }");
        write("tests/all.rs", "#[no_mangle] extern fn f() {}");
        write("src/words.txt", "no_mangle");
        assert_eq!(symbols(root), Symbols::default());
        write(
            "src/inner/mod.rs",
            "// x\n#[unsafe(no_mangle)] pub extern \"C\" fn f() {}",
        );
        let linked = Symbols {
            linked: true,
            ..Symbols::default()
        };
        assert_eq!(symbols(root), linked);
        write(
            "src/inner/windows.rs",
            "#[link_section = \".CRT$XCU\"] static F: fn() = f;",
        );
        let for_windows = Symbols {
            for_windows: true,
            ..linked
        };
        assert_eq!(symbols(root), for_windows);
        write(
            "src/inner/more.rs",
            "#[link_section = \".init_array\"] static F: fn() = f;",
        );
        assert_eq!(symbols(root), Symbols::ANY);
        assert_eq!(symbols(&root.join("nowhere")), Symbols::ANY);
    }
}
