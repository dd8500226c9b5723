//! Files that are data: what `include_bytes!` and build scripts read. Hashed, never decoded.

use std::{collections::BTreeSet, fs};

use astrocache_manifest::Manifest;
use camino::{Utf8Path, Utf8PathBuf};

/// blake3 of a file, or of everything under a directory but build output, hidden entries and our own manifest. `None`:
/// nothing to read.
pub fn hash(path: &Utf8Path) -> Option<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    add(path, "", 0, &mut hasher)?;
    Some(*hasher.finalize().as_bytes())
}

fn add(path: &Utf8Path, name: &str, depth: usize, hasher: &mut blake3::Hasher) -> Option<()> {
    let stat = fs::symlink_metadata(path).ok()?;
    // A link inside a directory may lead back into it.
    let stat = if depth == 0 { fs::metadata(path).ok()? } else { stat };
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name.as_bytes());
    if !stat.is_dir() {
        let content = if stat.is_file() {
            fs::read(path).ok()?
        } else {
            Vec::new()
        };
        hasher.update(&(content.len() as u64).to_le_bytes());
        hasher.update(&content);
        return Some(());
    }
    for inner in inner_names(path, depth)? {
        add(&path.join(&inner), &inner, depth + 1, hasher);
    }
    hasher.update(b"end");
    Some(())
}

/// Every name in the texts of a file, or of all that [`hash`] counts under a directory. Of what is no text, or larger than a
/// template ever is, none.
pub fn words(path: &Utf8Path) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    add_words(path, 0, &mut out);
    out
}

fn add_words(path: &Utf8Path, depth: usize, out: &mut BTreeSet<String>) {
    const LARGE: u64 = 1 << 20;
    let stat = if depth == 0 {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    let Ok(stat) = stat else { return };
    if stat.is_dir() {
        for inner in inner_names(path, depth).unwrap_or_default() {
            add_words(&path.join(inner), depth + 1, out);
        }
    } else if stat.is_file()
        && stat.len() <= LARGE
        && let Ok(text) = fs::read_to_string(path)
    {
        let is_part = |c: char| c == '_' || c.is_alphanumeric();
        let words = text.split(|c| !is_part(c));
        let names = words.filter(|word| word.starts_with(|c: char| c == '_' || c.is_alphabetic()));
        out.extend(names.map(str::to_owned));
    }
}

/// The directories whose entries [`hash`] looks at, `path` first; none if it is not one.
pub fn folders(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut out = Vec::new();
    let mut queue = vec![(path.to_owned(), 0)];
    while let Some((folder, depth)) = queue.pop() {
        let is_folder = match depth {
            0 => folder.is_dir(),
            _ => folder.symlink_metadata().is_ok_and(|it| it.is_dir()),
        };
        if is_folder {
            let names = inner_names(&folder, depth).unwrap_or_default();
            queue.extend(names.iter().map(|name| (folder.join(name), depth + 1)));
            out.push(folder);
        }
    }
    out
}

/// What counts of a directory at this depth, sorted.
pub(super) fn inner_names(path: &Utf8Path, depth: usize) -> Option<Vec<String>> {
    let entries = path.read_dir_utf8().ok()?.flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_owned()).collect();
    let built = |name: &str| name == "target" && path.join(name).join("CACHEDIR.TAG").exists();
    // Fingerprints that hash a package's directory are listed in it.
    let ours = |name: &str| depth == 0 && name == Manifest::FILE_NAME;
    names.retain(|name| depth < 64 && !name.starts_with('.') && !built(name) && !ours(name));
    names.sort();
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_its_names_and_contents_without_hidden_entries_and_our_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        fs::create_dir_all(root.join("data")).unwrap();
        fs::write(root.join("data/a.txt"), "1").unwrap();
        let before = hash(&root.join("data"));
        fs::write(root.join("data/.hidden"), "x").unwrap();
        fs::write(root.join("data").join(Manifest::FILE_NAME), "x").unwrap();
        assert_eq!(hash(&root.join("data")), before);
        fs::rename(root.join("data/a.txt"), root.join("data/b.txt")).unwrap();
        assert_ne!(hash(&root.join("data")), before);
        assert_eq!(hash(&root.join("none")), None);
        assert_eq!(folders(root), [root, &root.join("data")]);
        fs::write(root.join("data/page.html"), "<b>{{ x.go(1) }}</b>").unwrap();
        fs::write(root.join("data/image"), b"\xff\x00word").unwrap();
        let words: Vec<String> = words(&root.join("data")).into_iter().collect();
        assert_eq!(words, ["b", "go", "x"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_back_into_its_own_directory_ends() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        std::os::unix::fs::symlink(root, root.join("loop")).unwrap();
        assert!(hash(root).is_some());
    }
}
