//! The units (crates as cargo compiled them) that this crate is linked with: which, from where, and when their compilation
//! began. Read from what cargo and rustc leave in the target directory; where that has an unknown form the answer is an
//! error, which callers take for "nothing can be known".
//!
//! The edges come from the crates' metadata, not from cargo's records: cargo writes those when a unit is finished, and
//! with pipelining a dependent starts before. A `.rmeta` begins with its list of dependencies, each with its unit hash. A proc
//! macro's metadata is compressed, but a proc macro is always finished before it is used, so there cargo's record tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::argv::Compilation;
use super::scan;

/// This crate's unit and all that it is compiled against.
#[derive(Debug)]
pub struct Units {
    /// When cargo started this rustc.
    pub started: SystemTime,
    pub dependencies: Vec<Unit>,
}

/// A unit that is compiled already, at least up to its metadata.
#[derive(Debug)]
pub struct Unit {
    pub package: String,
    pub hash: String,
    /// Cargo's record directory of the unit.
    pub records: PathBuf,
    pub started: SystemTime,
    /// Sources outside cargo's own directories: those a user edits.
    pub local_sources: Vec<PathBuf>,
    /// What the unit read by `env!`, as `NAME=value`.
    pub env: Vec<String>,
}

/// Bytes of metadata read at first: room for about 300 dependencies.
const HEAD: usize = 16 * 1024;

impl Units {
    /// Reads the units of a compilation.
    pub fn read(compilation: &Compilation) -> Result<Units, String> {
        let mut profiles = Profiles::default();
        let own = profiles.of(&compilation.out_dir)?;
        let records = own
            .records(&compilation.unit)
            .ok_or_else(|| unknown(&compilation.out_dir))?;
        let started = start_of(&records)?;
        let mut pending: Vec<PathBuf> = compilation.externs.iter().map(|dep| dep.path.clone()).collect();
        let mut seen = BTreeSet::new();
        let mut dependencies = Vec::new();
        while let Some(artifact) = pending.pop() {
            let artifact = Artifact::of(&artifact)?;
            if !seen.insert((artifact.dir.clone(), artifact.hash.clone())) {
                continue;
            }
            let profile = profiles.of(&artifact.dir)?;
            let unit = read_unit(compilation, profile, &artifact)?;
            let hashes = match artifact.is_proc_macro() {
                true if unit.local_sources.is_empty() => Vec::new(),
                true => profile.recorded_dependencies(&unit.records)?,
                false => artifact.dependencies()?,
            };
            dependencies.push(unit);
            for hash in hashes.iter().filter(|hash| profile.dirs.contains_key(*hash)) {
                pending.push(profile.artifact(&artifact.dir, hash)?);
            }
        }
        dependencies.sort_by(|a, b| (&a.package, &a.hash).cmp(&(&b.package, &b.hash)));
        Ok(Units { started, dependencies })
    }
}

fn unknown(at: &Path) -> String {
    format!(
        "cargo's records beside {} are missing or of an unknown form",
        at.display()
    )
}

fn start_of(records: &Path) -> Result<SystemTime, String> {
    mtime(&records.join("invoked.timestamp")).ok_or_else(|| unknown(records))
}

pub fn mtime(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// The record directories of each profile, listed once.
#[derive(Default)]
struct Profiles(BTreeMap<PathBuf, Profile>);

#[derive(Default)]
struct Profile {
    root: PathBuf,
    /// Unit hash -> directory name.
    dirs: BTreeMap<String, String>,
}

impl Profiles {
    /// The profile that a directory of artifacts belongs to.
    fn of(&mut self, dir: &Path) -> Result<&Profile, String> {
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
    fn records(&self, unit: &str) -> Option<PathBuf> {
        let name = self.dirs.get(unit.trim_start_matches('-'))?;
        Some(self.root.join(".fingerprint").join(name))
    }

    /// The file of a unit known by its hash: usually the package's name says which, else the directory is searched.
    fn artifact(&self, dir: &Path, hash: &str) -> Result<PathBuf, String> {
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
    fn recorded_dependencies(&self, records: &Path) -> Result<Vec<String>, String> {
        let record = record_of(records).ok_or_else(|| unknown(records))?;
        let dependencies = dependencies_in(&record).ok_or_else(|| unknown(records))?;
        let libraries = dependencies
            .into_iter()
            .filter(|(name, _)| name != "build_script_build");
        libraries
            .map(|(name, fingerprint)| self.unit_with(&name, fingerprint).ok_or_else(|| unknown(records)))
            .collect()
    }

    /// The unit whose record has this fingerprint. Its package usually has the name that its dependent uses.
    fn unit_with(&self, name: &str, fingerprint: u64) -> Option<String> {
        let text: String = fingerprint
            .to_le_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
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

/// What rustc wrote for a unit.
struct Artifact {
    path: PathBuf,
    dir: PathBuf,
    /// File name without `lib` and extension.
    stem: String,
    hash: String,
}

impl Artifact {
    fn of(path: &Path) -> Result<Artifact, String> {
        let parts = || {
            let stem = path.file_stem()?.to_str()?;
            Some((path.parent()?.to_path_buf(), stem, stem.rsplit_once('-')?.1))
        };
        let (dir, stem, hash) = parts().ok_or_else(|| unknown(path))?;
        // Proc macros on Windows have no prefix.
        let stem = stem
            .strip_prefix("lib")
            .filter(|_| path.extension().is_none_or(|e| e != "dll"))
            .unwrap_or(stem);
        Ok(Artifact {
            path: path.to_path_buf(),
            dir,
            stem: stem.to_owned(),
            hash: hash.to_owned(),
        })
    }

    fn is_proc_macro(&self) -> bool {
        self.path
            .extension()
            .is_some_and(|extension| extension == "so" || extension == "dylib" || extension == "dll")
    }

    /// Unit hashes that the metadata names; those of the standard library are among them.
    fn dependencies(&self) -> Result<Vec<String>, String> {
        let metadata = self.path.with_extension("rmeta");
        let path = if metadata.is_file() { &metadata } else { &self.path };
        let mut file = File::open(path).map_err(|_| unknown(path))?;
        let mut bytes = Vec::new();
        file.by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut bytes)
            .map_err(|_| unknown(path))?;
        let (mut hashes, end) = unit_hashes(&bytes);
        if end + 1024 > HEAD || hashes.is_empty() {
            file.read_to_end(&mut bytes).map_err(|_| unknown(path))?;
            hashes = unit_hashes(&bytes).0;
        }
        // Every crate but core itself names the standard library.
        if hashes.is_empty() {
            Err(unknown(path))
        } else {
            Ok(hashes)
        }
    }
}

/// All `-0123456789abcdef` in the bytes, and where the last one ends.
fn unit_hashes(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut hashes = Vec::new();
    let mut end = 0;
    for at in scan::positions(bytes, b'-') {
        let Some(hash) = bytes
            .get(at + 1..at + 17)
            .and_then(|hash| std::str::from_utf8(hash).ok())
        else {
            continue;
        };
        if hash.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) {
            hashes.push(hash.to_owned());
            end = at + 17;
        }
    }
    (hashes, end)
}

fn read_unit(compilation: &Compilation, profile: &Profile, artifact: &Artifact) -> Result<Unit, String> {
    let records = profile.records(&artifact.hash).ok_or_else(|| unknown(&artifact.path))?;
    let dep_info = artifact.dir.join(format!("{}.d", artifact.stem));
    let text = fs::read_to_string(&dep_info).map_err(|_| unknown(&dep_info))?;
    let started = start_of(&records)?;
    let name = records
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (sources, env) = dep_info_parts(&text);
    if sources.is_empty() {
        return Err(unknown(&dep_info));
    }
    let local_sources = sources
        .into_iter()
        .filter_map(|source| local_source(compilation, &source))
        .collect();
    let package = name
        .rsplit_once('-')
        .map_or(name.as_str(), |(package, _)| package)
        .to_owned();
    Ok(Unit {
        package,
        hash: artifact.hash.clone(),
        records,
        started,
        local_sources,
        env,
    })
}

/// The sources on the first rule's right side, and the `# env-dep:` lines.
fn dep_info_parts(text: &str) -> (Vec<String>, Vec<String>) {
    let rule = text
        .lines()
        .next()
        .and_then(|line| line.split_once(": "))
        .map_or("", |(_, sources)| sources);
    let mut sources = vec![String::new()];
    let mut chars = rule.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&' ') => sources.last_mut().expect("starts with one").extend(chars.next()),
            ' ' => sources.push(String::new()),
            c => sources.last_mut().expect("only ever grows").push(c),
        }
    }
    sources.retain(|source| !source.is_empty());
    let env = text
        .lines()
        .filter_map(|line| line.strip_prefix("# env-dep:"))
        .map(str::to_owned)
        .collect();
    (sources, env)
}

/// Where a source is, unless cargo keeps it and nobody edits it. A relative one is relative to the workspace's root, which
/// is where we are or above the target directory.
fn local_source(compilation: &Compilation, source: &str) -> Option<PathBuf> {
    let path = Path::new(source);
    if path.is_absolute() {
        let kept = ["registry", "git"]
            .iter()
            .any(|dir| path.starts_with(cargo_home().join(dir)));
        return (!kept).then(|| path.to_path_buf());
    }
    let places = [compilation.cwd.as_path()]
        .into_iter()
        .chain(compilation.target_dir.ancestors());
    let found = places.map(|dir| dir.join(path)).find(|path| path.is_file());
    Some(found.unwrap_or_else(|| compilation.cwd.join(path)))
}

/// `$CARGO_HOME`, or where it is without that.
pub fn cargo_home() -> PathBuf {
    static HOME: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let find = || match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => std::env::home_dir().unwrap_or_default().join(".cargo"),
    };
    HOME.get_or_init(find).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dep_info_gives_sources_with_spaces_and_env() {
        let text = "/t/a.d: src/lib.rs src/a\\ b.rs\n\nsrc/lib.rs:\n\n# env-dep:X=1\n# env-dep:Y\n";
        let (sources, env) = dep_info_parts(text);
        assert_eq!(sources, ["src/lib.rs", "src/a b.rs"]);
        assert_eq!(env, ["X=1", "Y"]);
        for garbage in ["", "\n", "no colon", ": ", "\\", "a: \\"] {
            let _ = dep_info_parts(garbage);
        }
    }

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
    fn unit_hashes_are_found_in_any_bytes() {
        let bytes = b"\xff-20be7b14652ebd10\xc1-nothexnothexnoth--0b450aa58978fe09-0b450a";
        let (hashes, end) = unit_hashes(bytes);
        assert_eq!(hashes, ["20be7b14652ebd10", "0b450aa58978fe09"]);
        assert_eq!(end, bytes.len() - 7);
        assert_eq!(unit_hashes(b""), (vec![], 0));
    }

    #[test]
    fn a_target_directory_of_unknown_form_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let out_dir = dir.path().join("debug/deps");
        fs::create_dir_all(&out_dir).unwrap();
        let compilation = Compilation {
            out_dir,
            unit: "-1".into(),
            ..Compilation::default()
        };
        assert!(
            Units::read(&compilation)
                .unwrap_err()
                .contains("missing or of an unknown form")
        );
        fs::create_dir_all(dir.path().join("debug/.fingerprint/a-1")).unwrap();
        assert!(
            Units::read(&compilation)
                .unwrap_err()
                .contains("missing or of an unknown form")
        );
        fs::write(dir.path().join("debug/.fingerprint/a-1/invoked.timestamp"), "").unwrap();
        assert!(Units::read(&compilation).unwrap().dependencies.is_empty());
    }
}
