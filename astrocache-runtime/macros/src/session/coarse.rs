//! The fingerprint that needs nothing but rustc: all files of the package, files from elsewhere that its sources include, the
//! variables they read at compile time, and the compiled form of each dependency. Sound but blunt, and tied to this
//! machine: compiled crates differ between directories.
//!
//! What it cannot see is a file outside the package that a macro of somebody else's reads or names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::argv::Compilation;
use super::context::Fields;
use super::guard::Guard;
use super::scan;

/// The package's fingerprint, or why there is none.
pub fn fingerprint(compilation: &Compilation, guard: &Guard<'_>) -> Result<[u8; 16], String> {
    let files = package_files(&compilation.manifest_dir);
    let mut fields = Fields::default();
    fields.add("coarse");
    fields.add(&compilation.crate_name);
    add_path(&mut fields, compilation, &compilation.root_file);
    let mut included = Included::default();
    for file in &files {
        let bytes = read(file)?;
        included.scan(file, &bytes);
        add_path(&mut fields, compilation, file);
        fields.add(blake3::hash(&bytes).as_bytes());
    }
    let elsewhere = included.elsewhere(&files);
    for file in &elsewhere {
        add_path(&mut fields, compilation, file);
        // A file that is not there is rustc's to complain about, or a guess of ours.
        fields.add(
            fs::read(file)
                .map(|bytes| blake3::hash(&bytes).as_bytes().to_vec())
                .unwrap_or_default(),
        );
    }
    for name in &included.variables {
        fields.add(name);
        fields.add(
            std::env::var_os(name)
                .map(|value| value.as_encoded_bytes().to_vec())
                .unwrap_or_else(|| vec![0xff]),
        );
    }
    for dependency in &compilation.externs {
        fields.add(&dependency.name);
        fields.add(compiled_form(&dependency.path)?);
    }
    guard.own(files.iter().chain(&elsewhere).map(PathBuf::as_path))?;
    Ok(fields.hash())
}

/// The variables that the package's sources read at compile time.
pub fn variables(compilation: &Compilation) -> BTreeSet<String> {
    let mut included = Included::default();
    for file in package_files(&compilation.manifest_dir) {
        if let Ok(bytes) = fs::read(&file) {
            included.scan(&file, &bytes);
        }
    }
    included.variables
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

fn add_path(fields: &mut Fields, compilation: &Compilation, file: &Path) {
    let relative = file.strip_prefix(&compilation.manifest_dir).unwrap_or(file);
    fields.add(relative.as_os_str().as_encoded_bytes());
}

/// The metadata names every public and every reachable private body by hash, and is there before the code is.
fn compiled_form(path: &Path) -> Result<[u8; 32], String> {
    let metadata = path.with_extension("rmeta");
    let bytes = if metadata.is_file() {
        read(&metadata)?
    } else {
        read(path)?
    };
    Ok(*blake3::hash(&bytes).as_bytes())
}

/// All files of a package, sorted. Not: hidden ones, build output, and packages inside it.
fn package_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(root, &mut files, &mut BTreeSet::new());
    files.sort();
    files
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>, seen: &mut BTreeSet<PathBuf>) {
    // Symbolic links can lead in circles.
    if !fs::canonicalize(dir).is_ok_and(|real| seen.insert(real)) {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => files.push(path),
            Ok(metadata) if metadata.is_dir() => {
                let foreign = path.join("Cargo.toml").is_file() || path.join("CACHEDIR.TAG").is_file();
                if !foreign {
                    walk(&path, files, seen);
                }
            }
            _ => {}
        }
    }
}

/// What sources name from outside: found by their text alone, wherever it stands.
#[derive(Default)]
struct Included {
    paths: BTreeSet<PathBuf>,
    variables: BTreeSet<String>,
    out_dir: bool,
}

impl Included {
    fn scan(&mut self, file: &Path, bytes: &[u8]) {
        if file.extension().is_none_or(|extension| extension != "rs") {
            return;
        }
        let dir = file.parent().unwrap_or(file);
        for at in scan::positions(bytes, b'!') {
            let name = ident_before(&bytes[..at]);
            match name {
                b"env" | b"option_env" => self.variables.extend(literal_after(&bytes[at + 1..])),
                b"include" | b"include_str" | b"include_bytes" => match literal_after(&bytes[at + 1..]) {
                    Some(path) => drop(self.paths.insert(dir.join(path))),
                    None => self.out_dir = true,
                },
                _ => {}
            }
        }
        for at in scan::positions(bytes, b'#') {
            let attribute = trim(&bytes[at + 1..])
                .strip_prefix(b"[")
                .map(trim)
                .and_then(|rest| rest.strip_prefix(b"path"));
            self.paths
                .extend(attribute.and_then(literal_after).map(|path| dir.join(path)));
        }
    }

    /// The included files that the walk did not find.
    fn elsewhere(&self, walked: &[PathBuf]) -> Vec<PathBuf> {
        let walked: BTreeSet<PathBuf> = walked.iter().filter_map(|file| fs::canonicalize(file).ok()).collect();
        let mut paths: BTreeSet<PathBuf> = self
            .paths
            .iter()
            .map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
            .collect();
        if let Some(out_dir) = std::env::var_os("OUT_DIR").filter(|_| self.out_dir) {
            let mut generated = Vec::new();
            walk(Path::new(&out_dir), &mut generated, &mut BTreeSet::new());
            paths.extend(generated);
        }
        paths.into_iter().filter(|path| !walked.contains(path)).collect()
    }
}

fn ident_before(bytes: &[u8]) -> &[u8] {
    let is_ident = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let len = bytes.iter().rev().take_while(|byte| is_ident(byte)).count();
    &bytes[bytes.len() - len..]
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_start()
}

/// A plain string literal after `(`, `=`, `r` and the like, within the next few bytes.
fn literal_after(bytes: &[u8]) -> Option<String> {
    let start = bytes
        .iter()
        .take(64)
        .position(|&byte| !b" \t\r\n([{=r#".contains(&byte))?;
    let rest = bytes[start..].strip_prefix(b"\"")?;
    let end = rest.iter().take(4096).position(|&byte| byte == b'"')?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> Included {
        let mut included = Included::default();
        included.scan(Path::new("/p/src/a.rs"), text.as_bytes());
        included
    }

    #[test]
    fn included_files_and_variables_are_found_in_the_text() {
        let included = scanned(
            r##"fn f() { env!("A"); std::option_env!( "B", ); include_str!(r#"x.txt"#); include!{"../y.rs"} } #[path = "z.rs"] mod z; not!("C"); 1 != "D""##,
        );
        assert_eq!(included.variables.iter().collect::<Vec<_>>(), ["A", "B"]);
        let paths: Vec<String> = included.paths.iter().map(|path| path.display().to_string()).collect();
        assert_eq!(paths, ["/p/src/../y.rs", "/p/src/x.txt", "/p/src/z.rs"]);
        assert!(!included.out_dir);
        assert!(scanned(r#"include!(concat!(env!("OUT_DIR"), "/x.rs"))"#).out_dir);
    }

    #[test]
    fn cut_and_senseless_text_is_survived() {
        for text in [
            "!",
            "env!",
            "env!(",
            "env!(\"",
            "#",
            "#[",
            "#[path",
            "#[path=\"",
            "include!(\"\u{e9}",
            "#!",
        ] {
            assert!(scanned(text).variables.is_empty(), "{text}");
        }
        let mut included = Included::default();
        included.scan(Path::new("a.rs"), b"env!(\"\xff\")");
        assert!(included.variables.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_walk_takes_the_packages_files_and_survives_circles() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for file in [
            "Cargo.toml",
            "src/lib.rs",
            ".git/x",
            "inner/Cargo.toml",
            "inner/x.rs",
            "out/CACHEDIR.TAG",
            "data/t.txt",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("src/loop")).unwrap();
        std::os::unix::fs::symlink("/no/such", root.join("src/broken")).unwrap();
        let files = package_files(root);
        let names: Vec<_> = files
            .iter()
            .map(|file| file.strip_prefix(root).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["Cargo.toml", "data/t.txt", "src/lib.rs"]);
    }
}
