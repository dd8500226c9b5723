//! Where a workspace's store is, and whether it may be used.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::notice::Hex;
use crate::os;

/// Folders of a store. Each must be a real folder, not a link out of it.
const FOLDERS: [&str; 6] = ["files", "small", "limited", "temp", "journal", "catalogue"];
/// Files beside them.
#[cfg(feature = "catalogue")]
const FILES: [&str; 4] = [TAG, "usage", "usage.lock", "catalogue.lock"];
const TAG: &str = "CACHEDIR.TAG";

/// The store of a workspace: under `base` if given, else in the user's cache directory. `None` if there is no such place.
pub(crate) fn locate(base: Option<&Path>, workspace: &Path) -> Option<PathBuf> {
    Some(base_dir(base)?.join(label(workspace)))
}

fn base_dir(base: Option<&Path>) -> Option<PathBuf> {
    match base {
        Some(base) => Some(base.to_owned()),
        None => Some(user_cache_dir(|name| std::env::var_os(name))?.join("astrocache")),
    }
}

/// The folder `name` beside the stores, for what all workspaces of the user share. Made if need be, for this user alone;
/// `None` if there is no place for it.
///
/// # Errors
///
/// It cannot be made, or belongs to someone else.
#[cfg(feature = "catalogue")]
pub fn shared_folder(name: &str) -> io::Result<Option<PathBuf>> {
    let Some(base) = base_dir(crate::modes::get().dir.as_deref()) else {
        return Ok(None);
    };
    let folder = base.join(name);
    os::create_private_dirs(&folder)?;
    let metadata = fs::symlink_metadata(&folder)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a directory"));
    }
    os::check_owner(&folder, &metadata)?;
    Ok(Some(folder))
}

/// A folder name for a workspace: readable, and unique by the path's hash.
fn label(workspace: &Path) -> String {
    let name = workspace.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).take(40).collect();
    let hash = blake3::hash(workspace.as_os_str().as_encoded_bytes());
    format!("{name}-{}", Hex(&hash.as_bytes()[..8]))
}

fn user_cache_dir(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    if cfg!(target_os = "macos") {
        return absolute("HOME").map(|home| home.join("Library/Caches"));
    }
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
}

/// Checks a store that exists: a real directory of ours, private, with real folders in it. `false` if there is none yet.
pub(crate) fn check(root: &Path) -> io::Result<bool> {
    let Some(metadata) = found(root)? else {
        return Ok(false);
    };
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a directory"));
    }
    os::check_owner(root, &metadata)?;
    for folder in FOLDERS {
        if found(&root.join(folder))?.is_some_and(|metadata| !metadata.is_dir()) {
            return Err(io::Error::other(format!("`{folder}` in it is not a directory")));
        }
    }
    Ok(true)
}

/// What is in a store's directory, to be removed.
///
/// # Errors
///
/// Something in it is not of a store, so that this is perhaps none.
#[cfg(feature = "catalogue")]
pub(super) fn parts(root: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut parts = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let expected = if entry.file_type()?.is_dir() {
            &FOLDERS[..]
        } else {
            &FILES[..]
        };
        if !expected.iter().any(|it| name == **it) {
            return Err(io::Error::other(format!(
                "`{}` in it is not of a store",
                name.display()
            )));
        }
        parts.push(entry.path());
    }
    Ok(parts)
}

fn found(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the store's directory, private, with the tag that tells backup tools to pass it by.
pub(crate) fn create(root: &Path) -> io::Result<()> {
    os::create_private_dirs(root)?;
    check(root)?;
    let tag = root.join(TAG);
    if !tag.exists() {
        let text = "Signature: 8a477f597d28d172789f06886806bc55\n# A store of cargo-astrocache.\n";
        // Only a courtesy: a store without the tag works.
        let _ = fs::write(tag, text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_workspace_has_a_readable_place_of_its_own() {
        let base = Path::new("/base");
        let a = locate(Some(base), Path::new("/home/me/my app")).unwrap();
        let b = locate(Some(base), Path::new("/home/you/my app")).unwrap();
        assert_ne!(a, b);
        assert!(a.to_str().unwrap().starts_with("/base/my_app-"), "{a:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_cache_directory_follows_the_environment() {
        let dir = |vars: &'static [(&str, &str)]| {
            user_cache_dir(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).into()))
        };
        assert_eq!(dir(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Some("/c".into()));
        assert_eq!(
            dir(&[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")]),
            Some("/h/.cache".into())
        );
        assert_eq!(dir(&[]), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_store_is_private_and_links_are_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        assert!(!check(&root).unwrap());
        create(&root).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(check(&root).unwrap());
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);

        let link = dir.path().join("link");
        symlink(&root, &link).unwrap();
        assert!(check(&link).is_err());
        symlink(dir.path(), root.join("files")).unwrap();
        assert_eq!(
            check(&root).unwrap_err().to_string(),
            "`files` in it is not a directory"
        );
        assert!(create(&root).is_err());
    }
}
