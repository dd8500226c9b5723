//! What a loaded project was decided by, as far as the disk shows: while this is equal, cargo need not be asked again.
//!
//! More than needed in doubt: what is not in here must not be able to change the project, but what is in here may leave it
//! as it is. Not in here: the environment of this process, which does not change under it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    time::SystemTime,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{PackageSource, Project};

/// See the module. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Manifests, lock file, configuration, toolchain files, also where there are none: blake3 of the content.
    contents: BTreeMap<Utf8PathBuf, Option<[u8; 32]>>,
    /// Files that make a target by being there.
    present: BTreeMap<Utf8PathBuf, bool>,
    /// Names in directories where targets and members are found.
    folders: BTreeMap<Utf8PathBuf, BTreeSet<String>>,
}

impl Evidence {
    /// As it is now.
    pub fn of(project: &Project) -> Evidence {
        let mut evidence = Evidence {
            contents: BTreeMap::new(),
            present: BTreeMap::new(),
            folders: BTreeMap::new(),
        };
        for path in &project.inputs {
            evidence.add_content(path.clone());
        }
        evidence.add_content(project.workspace_root.join("Cargo.lock"));
        for dir in project.workspace_root.ancestors() {
            for name in [
                "Cargo.toml",
                ".cargo/config",
                ".cargo/config.toml",
                "rust-toolchain",
                "rust-toolchain.toml",
            ] {
                evidence.add_content(dir.join(name));
            }
        }
        for name in ["config", "config.toml"] {
            evidence.contents.extend(cargo_home().map(|home| {
                let path = home.join(name);
                let content = content(&path);
                (path, content)
            }));
        }
        let local = project.packages.iter().filter(|it| it.source == PackageSource::Path);
        for package in local {
            evidence.add_content(package.root.join("Cargo.toml"));
            evidence.add_targets(&package.root);
        }
        evidence.add_members(&project.workspace_root);
        evidence
    }

    /// Files that count, be they there or not.
    pub fn files(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        self.contents.keys().chain(self.present.keys())
    }

    /// Directories whose entries count, be they there or not.
    pub fn folders(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        self.folders.keys()
    }

    /// What is not the same in `later`.
    pub fn differences(&self, later: &Evidence) -> BTreeSet<Utf8PathBuf> {
        let mut out = BTreeSet::new();
        differences(&self.contents, &later.contents, &mut out);
        differences(&self.present, &later.present, &mut out);
        differences(&self.folders, &later.folders, &mut out);
        out
    }

    /// Whether all of it was written before `time`, by more than clocks of file systems err.
    pub fn is_older_than(&self, time: SystemTime) -> bool {
        let Some(limit) = time.checked_sub(std::time::Duration::from_secs(2)) else {
            return false;
        };
        let is_old = |path: &Utf8PathBuf| match path.metadata().and_then(|stat| stat.modified()) {
            Ok(modified) => modified < limit,
            // Its absence is older than this if its directory is.
            Err(_) => path
                .parent()
                .and_then(|dir| dir.metadata().ok()?.modified().ok())
                .is_none_or(|modified| modified < limit),
        };
        self.files().chain(self.folders()).all(is_old)
    }

    fn add_content(&mut self, path: Utf8PathBuf) {
        let content = content(&path);
        self.contents.insert(path, content);
    }

    fn add_present(&mut self, path: Utf8PathBuf) {
        let is_file = path.is_file();
        self.present.insert(path, is_file);
    }

    /// Where cargo finds targets that no manifest names.
    fn add_targets(&mut self, root: &Utf8Path) {
        for name in ["build.rs", "src/lib.rs", "src/main.rs"] {
            self.add_present(root.join(name));
        }
        for name in ["src/bin", "examples", "tests", "benches"] {
            let folder = root.join(name);
            let mut found = BTreeSet::new();
            for entry in entries(&folder) {
                if entry.is_dir() {
                    self.add_present(entry.join("main.rs"));
                } else if entry.extension() == Some("rs") {
                    found.extend(entry.file_name().map(str::to_owned));
                }
            }
            self.folders.insert(folder, found);
        }
    }

    /// Where `workspace.members` can find members by a pattern.
    fn add_members(&mut self, root: &Utf8Path) {
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let members = manifest.get("workspace").and_then(|it| it.get("members"));
        let members = members.and_then(toml::Value::as_array);
        for pattern in members.into_iter().flatten().filter_map(toml::Value::as_str) {
            let mut dirs = vec![root.to_owned()];
            for part in pattern.split('/').filter(|it| !it.is_empty()) {
                match part.contains(['*', '?', '[']) {
                    false => dirs.iter_mut().for_each(|dir| dir.push(part)),
                    true => dirs = dirs.iter().flat_map(|dir| self.add_folder(dir)).collect(),
                }
            }
            for dir in dirs {
                self.add_content(dir.join("Cargo.toml"));
            }
        }
    }

    /// The directories in `dir`, all of which count.
    fn add_folder(&mut self, dir: &Utf8Path) -> Vec<Utf8PathBuf> {
        let inner: Vec<Utf8PathBuf> = entries(dir).into_iter().filter(|it| it.is_dir()).collect();
        let names = inner.iter().filter_map(|it| it.file_name());
        self.folders.insert(dir.to_owned(), names.map(str::to_owned).collect());
        inner
    }
}

fn differences<T: PartialEq>(
    before: &BTreeMap<Utf8PathBuf, T>,
    after: &BTreeMap<Utf8PathBuf, T>,
    out: &mut BTreeSet<Utf8PathBuf>,
) {
    let differs = |path: &&Utf8PathBuf| before.get(*path) != after.get(*path);
    out.extend(before.keys().chain(after.keys()).filter(differs).cloned());
}

fn content(path: &Utf8Path) -> Option<[u8; 32]> {
    // Opening a pipe would wait for a writer.
    let is_file = path.is_file();
    let bytes = is_file.then(|| fs::read(path).ok()).flatten()?;
    Some(*blake3::hash(&bytes).as_bytes())
}

fn entries(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = dir.read_dir_utf8().into_iter().flatten().flatten();
    entries.map(|entry| entry.into_path()).collect()
}

fn cargo_home() -> Option<Utf8PathBuf> {
    let set = |name| env::var(name).ok().filter(|it| !it.is_empty()).map(Utf8PathBuf::from);
    set("CARGO_HOME").or_else(|| Some(set("HOME").or_else(|| set("USERPROFILE"))?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn what_can_change_the_project_is_seen_and_nothing_else_is() {
        let fixture = Fixture::new("//- /app/src/lib.rs crate:app\n//- /app/src/a.rs\n");
        fixture.write("Cargo.toml", "[workspace]\nmembers = [\"app\", \"crates/*\"]\n");
        let mut last = Evidence::of(&fixture.project);
        let mut check = |path: &str, content: &str, expected: &[&str]| {
            fixture.write(path, content);
            let now = Evidence::of(&fixture.project);
            let differences = last.differences(&now).into_iter();
            let differences: Vec<String> = differences
                .map(|it| it.strip_prefix(&fixture.root).unwrap().to_string())
                .collect();
            assert_eq!(differences, expected, "{path}");
            assert_eq!(last == now, expected.is_empty());
            last = now;
        };
        check("app/src/a.rs", "fn f() {}", &[]);
        check("app/src/lib.rs", "mod a;", &[]);
        check("README.md", "text", &[]);
        check("app/Cargo.toml", "[package]", &["app/Cargo.toml"]);
        check("Cargo.lock", "version = 4", &["Cargo.lock"]);
        check(".cargo/config.toml", "[env]", &[".cargo/config.toml"]);
        check("rust-toolchain.toml", "[toolchain]", &["rust-toolchain.toml"]);
        check("app/build.rs", "fn main() {}", &["app/build.rs"]);
        check("app/src/main.rs", "fn main() {}", &["app/src/main.rs"]);
        check("app/src/main.rs", "fn main() { }", &[]);
        check("app/tests/it.rs", "", &["app/tests"]);
        check("app/tests/data.txt", "", &[]);
        check("app/examples/big/main.rs", "", &["app/examples/big/main.rs"]);
        check("crates/new/Cargo.toml", "", &["crates", "crates/new/Cargo.toml"]);
    }

    #[test]
    fn what_was_just_written_is_not_old() {
        let fixture = Fixture::new("//- /app/src/lib.rs crate:app\n");
        fixture.write("Cargo.toml", "[workspace]\n");
        let evidence = Evidence::of(&fixture.project);
        let now = SystemTime::now();
        assert!(!evidence.is_older_than(now));
        assert!(evidence.is_older_than(now + std::time::Duration::from_secs(60)));
    }
}
