//! Cargo's records of the units it built: the directories under `.fingerprint`, and what the files in them say. Their form is
//! cargo's own business: whatever does not read as expected is "unknown", never guessed at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::units::mtime;

/// How long a unit that is still being compiled may take to be recorded.
const PATIENCE: Duration = Duration::from_secs(60);

/// The error for all that is not as expected.
pub fn unknown(at: &Path) -> String {
    format!(
        "cargo's records beside {} are missing or of an unknown form",
        at.display()
    )
}

/// When cargo started the compilation that these are the records of.
pub fn start_of(records: &Path) -> Result<SystemTime, String> {
    mtime(&records.join("invoked.timestamp")).ok_or_else(|| unknown(records))
}

/// The record directories of each profile, listed once.
#[derive(Default)]
pub struct Profiles(BTreeMap<PathBuf, Profile>);

#[derive(Default)]
pub struct Profile {
    pub root: PathBuf,
    /// Unit hash -> directory name.
    dirs: BTreeMap<String, String>,
}

impl Profiles {
    /// The profile that a directory of artifacts belongs to.
    pub fn of(&mut self, dir: &Path) -> Result<&Profile, String> {
        let root = dir
            .ancestors()
            .find(|dir| dir.join(".fingerprint").is_dir())
            .ok_or_else(|| unknown(dir))?;
        if !self.0.contains_key(root) {
            self.0
                .insert(root.to_path_buf(), Profile::list(root).map_err(|_| unknown(dir))?);
        }
        self.0.get(root).ok_or_else(|| unknown(dir))
    }
}

impl Profile {
    /// Where proc macros and build scripts are when there is a `--target`: `target/debug` beside `target/TRIPLE/debug`.
    pub fn host_deps(&self) -> Option<PathBuf> {
        let host = self.root.parent()?.parent()?.join(self.root.file_name()?);
        host.join(".fingerprint").is_dir().then(|| host.join("deps"))
    }

    fn list(root: &Path) -> std::io::Result<Profile> {
        let mut dirs = BTreeMap::new();
        for entry in fs::read_dir(root.join(".fingerprint"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some((_, hash)) = name.rsplit_once('-') {
                dirs.insert(hash.to_owned(), name);
            }
        }
        Ok(Profile {
            root: root.to_path_buf(),
            dirs,
        })
    }

    /// `unit` with or without the dash in front.
    pub fn records(&self, unit: &str) -> Option<PathBuf> {
        let name = self.dirs.get(unit.trim_start_matches('-'))?;
        Some(self.root.join(".fingerprint").join(name))
    }

    /// Is this the hash of a library, or of a proc macro? A build script's is in the path of its output, which metadata can hold.
    pub fn is_library(&self, hash: &str) -> bool {
        let Some(records) = self.records(hash) else {
            return false;
        };
        let entries = fs::read_dir(records).into_iter().flatten().filter_map(Result::ok);
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        !names.any(|name| name.starts_with("run-build-script-") || name.starts_with("build-script-"))
    }

    /// The file of a unit known by its hash: usually the package's name says which, else the directory is searched.
    pub fn artifact(&self, dir: &Path, hash: &str) -> Result<PathBuf, String> {
        let package = self
            .dirs
            .get(hash)
            .and_then(|name| name.rsplit_once('-'))
            .map_or("", |(package, _)| package);
        let usual = dir.join(format!("lib{}-{hash}.rmeta", package.replace('-', "_")));
        if usual.is_file() {
            return Ok(usual);
        }
        let ends = [".rmeta", ".rlib", ".so", ".dylib", ".dll"].map(|extension| format!("-{hash}{extension}"));
        let entries = fs::read_dir(dir).map_err(|_| unknown(dir))?;
        let mut names = entries
            .filter_map(|entry| entry.ok())
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        let name = names.find(|name| ends.iter().any(|end| name.ends_with(end)));
        name.map(|name| dir.join(name)).ok_or_else(|| unknown(&usual))
    }
}

impl Profile {
    /// Hashes of the libraries that a finished unit was compiled against, by cargo's record of it.
    pub fn recorded_dependencies(&self, records: &Path) -> Result<Vec<String>, String> {
        let record = record_of(records).ok_or_else(|| unknown(records))?;
        let dependencies = dependencies_in(&record).ok_or_else(|| unknown(records))?;
        let libraries = dependencies.into_iter().filter(|(name, _)| !is_script(name));
        libraries
            .map(|(name, fingerprint)| self.unit_with(&name, fingerprint).ok_or_else(|| unknown(records)))
            .collect()
    }

    /// The unit whose record has this fingerprint. Its package usually has the name that its dependent uses.
    fn unit_with(&self, name: &str, fingerprint: u64) -> Option<String> {
        let text = as_text(fingerprint);
        let named = |dir: &str| {
            dir.rsplit_once('-')
                .is_some_and(|(package, _)| package.replace('-', "_") == name)
        };
        let (likely, others): (Vec<_>, Vec<_>) = self.dirs.iter().partition(|(_, dir)| named(dir));
        let has = |dir: &str| {
            let entries = fs::read_dir(self.root.join(".fingerprint").join(dir))
                .into_iter()
                .flatten()
                .filter_map(Result::ok);
            let mut libraries = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("lib-"));
            libraries.any(|entry| fs::read_to_string(entry.path()).is_ok_and(|found| found == text))
        };
        let mut units = likely.into_iter().chain(others);
        units.find(|(_, dir)| has(dir)).map(|(hash, _)| hash.clone())
    }
}

/// A build script's name among the dependencies: `build_script_` and the stem of its file.
fn is_script(name: &str) -> bool {
    name.starts_with("build_script_")
}

/// As cargo writes a fingerprint into a file of its own.
fn as_text(fingerprint: u64) -> String {
    fingerprint
        .to_le_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The directory name of the run of a build script that a unit was built with; `None` in it if it has no script. `None`: it is
/// not recorded yet, or in an unknown form.
pub fn script_of(records: &Path, package: &str) -> Option<Option<String>> {
    let dependencies = dependencies_in(&record_of(records)?)?;
    let Some((_, fingerprint)) = dependencies.into_iter().find(|(name, _)| is_script(name)) else {
        return Some(None);
    };
    let text = as_text(fingerprint);
    let is_it = |run: &fs::DirEntry| {
        let files = fs::read_dir(run.path()).into_iter().flatten().filter_map(Result::ok);
        let mut files = files.filter(|file| file.file_name().to_string_lossy().starts_with("run-build-script-"));
        files.any(|file| fs::read_to_string(file.path()).is_ok_and(|found| found == text))
    };
    let of_package = |run: &fs::DirEntry| {
        let name = run.file_name().to_string_lossy().into_owned();
        name.rsplit_once('-').is_some_and(|(name, _)| name == package)
    };
    let mut runs = fs::read_dir(records.parent()?).ok()?.filter_map(Result::ok);
    let run = runs.find(|run| of_package(run) && is_it(run))?;
    Some(Some(run.file_name().to_string_lossy().into_owned()))
}

/// Cargo's record of a library or proc macro.
pub fn record_of(records: &Path) -> Option<String> {
    let is_record = |name: &str| (name.starts_with("lib-") || name.starts_with("test-lib-")) && name.ends_with(".json");
    let mut entries = fs::read_dir(records).ok()?.filter_map(Result::ok);
    let record = entries.find(|entry| entry.file_name().to_str().is_some_and(is_record))?;
    fs::read_to_string(record.path()).ok()
}

/// The names and fingerprints in `"deps":[[1,"name",false,2],..],"local"`.
fn dependencies_in(record: &str) -> Option<Vec<(String, u64)>> {
    let (_, rest) = record.split_once("\"deps\":[")?;
    let (list, _) = rest.split_once("],\"local\"")?;
    let entries = list
        .split("],[")
        .map(|entry| entry.trim_matches(['[', ']']))
        .filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let mut fields = entry.split(',').skip(1);
            let name = fields.next()?.trim_matches('"').to_owned();
            Some((name, fields.nth(1)?.parse().ok()?))
        })
        .collect()
}

/// The features of a unit, in quotes; `None` while it has no record.
pub fn features_of(records: &Path) -> Option<Vec<String>> {
    record_of(records).and_then(|record| features_in(&record))
}

/// As [`features_of`], for a unit that may still be compiling: with pipelining its metadata is used before it is finished.
/// Its rustc waits for nothing of ours, so the record comes.
pub fn awaited_features_of(records: &Path) -> Option<Vec<String>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let features = features_of(records);
        if features.is_some() || Instant::now() >= deadline {
            return features;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The quoted names in the record's `"features":"[\"a\", \"b\"]"`.
fn features_in(record: &str) -> Option<Vec<String>> {
    let (_, rest) = record.split_once(r#""features":"["#)?;
    let (list, _) = rest.split_once(r#"]""#)?;
    Some(
        list.split(", ")
            .filter(|name| !name.is_empty())
            .map(|name| name.replace('\\', ""))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_cargos_record_and_nothing_from_garbage() {
        let record = r#"{"deps":[[678,"b",false,2871116003874042892],[1,"build_script_build",true,3]],"local":[[1]]}"#;
        let names = [
            ("b".to_owned(), 2871116003874042892),
            ("build_script_build".to_owned(), 3),
        ];
        assert_eq!(dependencies_in(record).unwrap(), names);
        assert_eq!(dependencies_in(r#"{"deps":[],"local":[]}"#).unwrap(), []);
        for garbage in [
            "",
            "{",
            r#""deps":[[1,"b",false]],"local""#,
            r#""deps":[[1,"b",false,-2]],"local""#,
            r#""deps":[1"#,
        ] {
            assert_eq!(dependencies_in(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn features_are_read_from_cargos_record_and_nothing_from_garbage() {
        let record = r#"{"rustc":1,"features":"[\"std\", \"x-y\"]","declared_features":"[\"z\"]"}"#;
        assert_eq!(features_in(record).unwrap(), ["\"std\"", "\"x-y\""]);
        assert_eq!(features_in(r#"{"features":"[]","x":"]"}"#).unwrap(), [""; 0]);
        for garbage in ["", "{", r#"{"features":["a"]}"#, r#"{"features":"[a"#] {
            assert_eq!(features_in(garbage), None, "{garbage}");
        }
    }
}
