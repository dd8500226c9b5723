//! Hashes the analyzer's own source into its build id: another build may compute other fingerprints.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let mut hasher = blake3::Hasher::new();
    for dir in ["src", "../astrocache-runtime/manifest/src"] {
        println!("cargo::rerun-if-changed={dir}");
        add(Path::new(dir), &mut hasher)?;
    }
    let hash = hasher.finalize().to_hex();
    println!("cargo::rustc-env=ASTROCACHE_SOURCE_HASH={}", &hash[..16]);
    Ok(())
}

fn add(path: &Path, hasher: &mut blake3::Hasher) -> io::Result<()> {
    if !path.is_dir() {
        // Not there in a published package, which has its version.
        if let Ok(content) = fs::read(path) {
            hasher.update(&content);
        }
        return Ok(());
    }
    let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        hasher.update(entry.file_name().as_encoded_bytes());
        add(&entry.path(), hasher)?;
    }
    Ok(())
}
