//! Every file and directory that decides what cargo says of a workspace, found without cargo: configuration, toolchain
//! files, lock file, and manifests from one to the next. Rather too much than too little: what is missing counts as well,
//! and where it cannot be told what cargo would read, the walk says so. Not the programs and variables: see
//! [`super::environment`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::time::UNIX_EPOCH;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

use super::environment::Hash;

/// What a walk saw.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// By what was looked at: hashes of contents, or of names in a directory.
    seen: BTreeMap<String, Hash>,
    /// Of the same and when each was written: an edit that is taken back shows here.
    stamps: blake3::Hasher,
    /// The manifests that exist.
    pub(super) manifests: BTreeSet<Utf8PathBuf>,
    /// Directories that stand for a registry.
    pub(super) vendored: Vec<Utf8PathBuf>,
    /// Programs that the configuration names.
    pub(super) programs: BTreeSet<String>,
    /// Something was met that may lead cargo where the walk does not follow.
    pub(super) is_lost: bool,
    visited: BTreeSet<Utf8PathBuf>,
    waiting: Vec<Utf8PathBuf>,
}

impl Walk {
    /// Walks from `manifest`, for a cargo that is started beside it.
    pub(super) fn from(manifest: &Utf8Path, cargo_home: Option<&Utf8Path>, rustup_home: Option<&Utf8Path>) -> Walk {
        let mut walk = Walk::default();
        let beside = manifest.parent().unwrap_or(Utf8Path::new("/"));
        for dir in beside.ancestors() {
            for name in ["rust-toolchain", "rust-toolchain.toml"] {
                walk.file(&dir.join(name));
            }
            walk.workspace(dir);
        }
        for name in ["config", "config.toml"] {
            cargo_home.inspect(|home| walk.config(&home.join(name)));
        }
        for home in rustup_home.into_iter().chain([Utf8Path::new("/etc/rustup")]) {
            walk.file(&home.join("settings.toml"));
        }
        walk.waiting.push(manifest.to_owned());
        while let Some(manifest) = walk.waiting.pop() {
            walk.manifest(&normal(&manifest));
        }
        walk
    }

    /// The hash of all that was seen.
    pub(super) fn contents(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        for (what, hash) in &self.seen {
            hasher.update(&(what.len() as u64).to_le_bytes());
            hasher.update(what.as_bytes()).update(hash);
        }
        *hasher.finalize().as_bytes()
    }

    /// The hash of all that was seen with its times.
    pub(super) fn stamps(&self) -> Hash {
        *self.stamps.finalize().as_bytes()
    }

    /// What the root of a workspace has besides its manifest.
    fn workspace(&mut self, dir: &Utf8Path) {
        for name in [".cargo/config", ".cargo/config.toml"] {
            self.config(&dir.join(name));
        }
        self.file(&dir.join("Cargo.lock"));
        self.waiting.push(dir.join("Cargo.toml"));
    }

    fn manifest(&mut self, path: &Utf8Path) {
        if !self.visited.insert(path.to_owned()) {
            return;
        }
        let Some(text) = self.file(path) else { return };
        let dir = path.parent().unwrap_or(Utf8Path::new("/"));
        self.manifests.insert(path.to_owned());
        // Whose root may be in any of these.
        self.waiting.extend(dir.ancestors().map(|it| it.join("Cargo.toml")));
        self.targets(dir);
        // Cargo does not understand it either, and there is no project.
        let Some(table) = parsed(&text) else { return };
        for inner in paths(&Value::Table(table.clone())) {
            let inner = dir.join(inner);
            self.kind(&inner);
            self.waiting.push(inner.join("Cargo.toml"));
        }
        let package = table.get("package").or_else(|| table.get("project"));
        for key in ["build", "workspace", "readme", "license-file"] {
            let Some(Value::String(named)) = package.and_then(|it| it.get(key)) else {
                continue;
            };
            self.kind(&dir.join(named));
            if key == "workspace" {
                self.workspace(&normal(&dir.join(named)));
            }
        }
        let workspace = table.get("workspace");
        for key in ["members", "default-members", "exclude"] {
            let patterns = workspace.and_then(|it| it.get(key)).and_then(Value::as_array);
            for pattern in patterns.into_iter().flatten().filter_map(Value::as_str) {
                self.members(&dir.join(pattern));
            }
        }
    }

    /// Where cargo looks for targets that no manifest names.
    fn targets(&mut self, dir: &Utf8Path) {
        let single = ["build.rs", "src/lib.rs", "src/main.rs"];
        for name in single.iter().chain(&["README.md", "README.txt", "README"]) {
            self.kind(&dir.join(name));
        }
        for name in ["src/bin", "examples", "tests", "benches"] {
            let dir = dir.join(name);
            let mut found = Vec::new();
            for entry in dir.read_dir_utf8().into_iter().flatten().flatten() {
                let path = entry.path();
                let main = path.join("main.rs");
                match path.extension() == Some("rs") {
                    true => found.push(format!("{path} {}", kind(path))),
                    false if main.exists() => found.push(format!("{main} {}", kind(&main))),
                    false => {}
                }
            }
            found.sort();
            self.note("targets", &dir, found.join("\n").as_bytes());
        }
    }

    /// The directories that a pattern among a workspace's members means.
    fn members(&mut self, pattern: &Utf8Path) {
        let Ok(found) = glob::glob(normal(pattern).as_str()) else {
            return;
        };
        for path in found {
            match path.map(Utf8PathBuf::from_path_buf) {
                Ok(Ok(path)) => {
                    self.note("member", &path, &[]);
                    self.waiting.push(path.join("Cargo.toml"));
                }
                Ok(Err(_)) | Err(_) => self.is_lost = true,
            }
        }
    }

    fn config(&mut self, path: &Utf8Path) {
        let Some(table) = self.file(path).and_then(|text| parsed(&text)) else {
            return;
        };
        // Paths are relative to the directory that holds `.cargo`.
        let base = path.parent().and_then(Utf8Path::parent).unwrap_or(Utf8Path::new("/"));
        let lockfile = table.get("resolver").and_then(|it| it.get("lockfile-path"));
        self.is_lost |= ["include", "paths"].iter().any(|key| table.contains_key(*key)) || lockfile.is_some();
        let patched = table.get("patch").map(paths).unwrap_or_default();
        self.waiting
            .extend(patched.iter().map(|it| base.join(it).join("Cargo.toml")));
        for key in ["rustc", "rustc-wrapper", "rustc-workspace-wrapper"] {
            let program = table.get("build").and_then(|it| it.get(key)).and_then(Value::as_str);
            self.programs.extend(program.map(str::to_owned));
        }
        let sources = table.get("source").and_then(Value::as_table).into_iter();
        for source in sources.flat_map(Table::values) {
            self.is_lost |= source.get("local-registry").is_some();
            if let Some(dir) = source.get("directory").and_then(Value::as_str) {
                self.vendored(&normal(&base.join(dir)));
            }
        }
    }

    fn vendored(&mut self, dir: &Utf8Path) {
        let mut packages = Vec::new();
        for entry in dir.read_dir_utf8().into_iter().flatten().flatten() {
            packages.push(entry.path().to_owned());
        }
        packages.sort();
        for package in packages {
            self.file(&package.join("Cargo.toml"));
            self.targets(&package);
        }
        self.vendored.push(dir.to_owned());
    }

    /// A file's content, if it has one.
    fn file(&mut self, path: &Utf8Path) -> Option<String> {
        let (kind, content) = match path.metadata() {
            Ok(stat) if stat.is_file() => match fs::read(path) {
                Ok(bytes) => ("file", bytes),
                Err(_) => ("unreadable", Vec::new()),
            },
            Ok(_) => ("other", Vec::new()),
            Err(error) if is_missing(&error) => ("missing", Vec::new()),
            Err(_) => ("unreadable", Vec::new()),
        };
        self.is_lost |= kind == "unreadable";
        self.note(kind, path, &content);
        (kind == "file").then(|| String::from_utf8_lossy(&content).into_owned())
    }

    /// Whether something is there, and what.
    fn kind(&mut self, path: &Utf8Path) {
        self.note("kind", path, kind(path).as_bytes());
    }

    fn note(&mut self, what: &str, path: &Utf8Path, content: &[u8]) {
        let hash = *blake3::hash(content).as_bytes();
        self.seen.insert(format!("{what} {path}"), hash);
        if let Ok(stat) = path.metadata()
            && stat.is_file()
        {
            add_stamp(path.as_str(), &stat, &mut self.stamps);
        }
    }
}

/// Adds what the file system says of a file that is written anew.
pub(super) fn add_stamp(name: &str, stat: &Metadata, hasher: &mut blake3::Hasher) {
    hasher
        .update(&(name.len() as u64).to_le_bytes())
        .update(name.as_bytes());
    let modified = stat.modified().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    hasher.update(&modified.to_le_bytes()).update(&stat.len().to_le_bytes());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        for number in [stat.ctime(), stat.ctime_nsec(), stat.ino() as i64, stat.dev() as i64] {
            hasher.update(&number.to_le_bytes());
        }
    }
}

fn kind(path: &Utf8Path) -> &'static str {
    match path.metadata() {
        Ok(stat) if stat.is_file() => "file",
        Ok(stat) if stat.is_dir() => "directory",
        Ok(_) => "other",
        Err(_) => "none",
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parsed(text: &str) -> Option<Table> {
    text.parse().ok()
}

/// All strings under a key `path`, at any depth.
fn paths(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                match value {
                    Value::String(path) if key == "path" => found.push(path.clone()),
                    _ => found.extend(paths(value)),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|it| found.extend(paths(it))),
        _ => {}
    }
    found
}

/// Without `.` and `..`, by the letter, as cargo has it.
fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                out.pop();
            }
            _ => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::workspace;

    /// What a walk sees of a workspace whose cargo and rustup live beside it.
    fn walked(root: &Utf8Path) -> Walk {
        let home = |name: &str| root.join("home").join(name);
        Walk::from(&root.join("ws/Cargo.toml"), Some(&home("cargo")), Some(&home("rustup")))
    }

    const WORKSPACE: &str = "//- ws/Cargo.toml\n[package]\nname = 'a'\n//- home/cargo/config.toml\n";

    #[test]
    fn the_users_own_configuration_and_toolchain_settings_count() {
        let (_dir, root) = workspace(WORKSPACE);
        let mut before = walked(&root).contents();
        for (path, text) in [
            ("home/cargo/config.toml", "[build]\nrustc-wrapper = 'sccache'\n"),
            ("home/cargo/config", ""),
            ("home/rustup/settings.toml", "default_toolchain = 'nightly'\n"),
            ("ws/rust-toolchain", "nightly\n"),
            ("rust-toolchain.toml", "[toolchain]\n"),
            ("Cargo.toml", "[workspace]\n"),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
            let after = walked(&root).contents();
            assert_ne!(after, before, "{path}");
            before = after;
        }
        assert_eq!(walked(&root).programs, BTreeSet::from(["sccache".to_owned()]));
        assert!(!walked(&root).is_lost);
    }

    #[test]
    fn vendored_manifests_count() {
        let (_dir, root) = workspace(
            "//- ws/Cargo.toml\n[package]\nname = 'a'\n//- ws/.cargo/config.toml\n[source.v]\ndirectory = 'vendor'\n\
             //- ws/vendor/b/Cargo.toml\n[package]\nname = 'b'\n//- ws/vendor/b/src/lib.rs\n",
        );
        let before = walked(&root);
        assert_eq!(before.vendored, [root.join("ws/vendor")]);
        fs::write(root.join("ws/vendor/b/build.rs"), "").unwrap();
        let with_script = walked(&root).contents();
        assert_ne!(with_script, before.contents());
        fs::write(
            root.join("ws/vendor/b/Cargo.toml"),
            "[package]\nname = 'b'\nedition = '2021'\n",
        )
        .unwrap();
        assert_ne!(walked(&root).contents(), with_script);
    }

    #[test]
    fn garbage_and_unknown_ground_end_and_say_so() {
        let (_dir, root) = workspace(WORKSPACE);
        for config in [
            "include = 'more.toml'",
            "paths = ['x']",
            "resolver.lockfile-path = 'x'",
            "source.x.local-registry = 'x'",
        ] {
            fs::write(root.join("home/cargo/config.toml"), config).unwrap();
            assert!(walked(&root).is_lost, "{config}");
        }
        fs::write(root.join("home/cargo/config.toml"), "").unwrap();
        for manifest in [
            "\u{0}",
            "[workspace]\nmembers = 3",
            "[workspace]\nmembers = ['***', '[', '../**']",
            "path = '.'",
        ] {
            fs::write(root.join("ws/Cargo.toml"), manifest).unwrap();
            assert!(!walked(&root).is_lost, "{manifest}");
        }
        fs::write(root.join("ws/Cargo.toml"), [0xff, 0xfe]).unwrap();
        walked(&root);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_in_circles_end() {
        let (_dir, root) = workspace(
            "//- ws/Cargo.toml\n[workspace]\nmembers = ['*']\n[package]\nname = 'a'\n//- ws/b/Cargo.toml\n[package]\nname = 'b'\n[dependencies]\na = { path = '../loop' }\n",
        );
        std::os::unix::fs::symlink(root.join("ws"), root.join("ws/loop")).unwrap();
        walked(&root);
    }
}
