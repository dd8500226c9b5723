//! Which packages may hold items that run or are linked without being named in Rust: found by the words in their text,
//! without parsing it.

use std::fs;

use camino::Utf8Path;
use memchr::memmem::Finder;

/// Attributes of such items.
const WORDS: [&str; 5] = [
    "no_mangle",
    "export_name",
    "link_section",
    "global_allocator",
    "panic_handler",
];

/// Of a package, cargo compiles none of these with a dependency.
const LEFT_OUT: [&str; 4] = ["tests", "benches", "examples", "target"];

/// Whether a source file of the package at `root` has one of the words. What cannot be read has: the parser will say why.
pub fn has_symbols(root: &Utf8Path) -> bool {
    let finders = WORDS.map(Finder::new);
    let entries = match root.read_dir_utf8() {
        Ok(entries) => entries.filter_map(Result::ok),
        Err(_) => return true,
    };
    let mut waiting: Vec<_> = entries
        .map(|it| it.into_path())
        .filter(|path| !LEFT_OUT.contains(&path.file_name().unwrap_or_default()))
        .collect();
    while let Some(path) = waiting.pop() {
        let Ok(kind) = path.symlink_metadata().map(|it| it.file_type()) else {
            return true;
        };
        if kind.is_dir() {
            match path.read_dir_utf8() {
                Ok(entries) => waiting.extend(entries.filter_map(Result::ok).map(|it| it.into_path())),
                Err(_) => return true,
            }
        } else if path.extension() == Some("rs") {
            match fs::read(&path) {
                Ok(text) if !finders.iter().any(|finder| finder.find(&text).is_some()) => {}
                _ => return true,
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_compiled_sources_count() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "mod inner;");
        write("src/inner/mod.rs", "pub fn f() {}");
        write("tests/all.rs", "#[no_mangle] extern fn f() {}");
        write("src/words.txt", "no_mangle");
        assert!(!has_symbols(root));
        write("src/inner/mod.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn f() {}");
        assert!(has_symbols(root));
        assert!(has_symbols(&root.join("nowhere")));
    }
}
