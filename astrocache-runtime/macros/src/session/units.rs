//! The units (crates as cargo compiled them) that this crate is linked with: which, from where, and when their compilation
//! began. Read from what cargo and rustc leave in the target directory; where that has an unknown form the answer is an
//! error, which callers take for "nothing can be known".
//!
//! The edges come from the crates' metadata, not from cargo's records: cargo writes those when a unit is finished, and
//! with pipelining a dependent starts before. A `.rmeta` begins with its list of dependencies, each with its unit hash. A proc
//! macro's metadata is compressed, but a proc macro is always finished before it is used, so there cargo's record tells.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use super::argv::Compilation;
use super::artifact::{Artifact, dep_info_env, dep_info_sources};
use super::records::{Profile, Profiles, features_of, start_of, unknown};

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
    /// The crate's root file.
    pub root_file: PathBuf,
    /// Unit hashes of the libraries that it is linked with, transitively.
    pub uses: Vec<String>,
    /// Sources outside cargo's own directories: those a user edits.
    pub local_sources: Vec<PathBuf>,
    /// What a unit with such sources read by `env!`, as `NAME=value`.
    pub env: Vec<String>,
    pub(super) features: OnceLock<Option<Vec<String>>>,
}

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
            // A library is in many lists, and among the externs too.
            seen.insert((artifact.dir.clone(), artifact.hash.clone()));
            if dependencies.iter().any(|unit: &Unit| unit.hash == artifact.hash) {
                continue;
            }
            let profile = profiles.of(&artifact.dir)?;
            let mut unit = read_unit(compilation, profile, &artifact)?;
            unit.uses = match artifact.is_proc_macro() {
                true => profile.recorded_dependencies(&unit.records)?,
                false => artifact.dependencies()?,
            };
            let mut elsewhere = Vec::new();
            for hash in &unit.uses {
                if !seen.insert((artifact.dir.clone(), hash.clone())) {
                    continue;
                }
                match profile.is_library(hash) {
                    true => pending.push(profile.artifact(&artifact.dir, hash)?),
                    false => elsewhere.push(hash),
                }
            }
            // Those of the standard library are nowhere; proc macros are among what is built for the host.
            if let Some(dir) = profile.host_deps().filter(|_| !elsewhere.is_empty()) {
                let host = profiles.of(&dir)?;
                for hash in elsewhere.into_iter().filter(|hash| host.is_library(hash)) {
                    pending.push(host.artifact(&dir, hash)?);
                }
            }
            dependencies.push(unit);
        }
        dependencies.sort_by(|a, b| (&a.package, &a.hash).cmp(&(&b.package, &b.hash)));
        Ok(Units { started, dependencies })
    }
}

pub fn mtime(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
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
    let mut sources = dep_info_sources(&text);
    // rustc reads it first.
    let root_file = absolute(compilation, &sources.next().ok_or_else(|| unknown(&dep_info))?);
    let (mut local_sources, mut env) = (Vec::new(), Vec::new());
    if !kept(&root_file) {
        local_sources.push(root_file.clone());
        local_sources.extend(sources.map(|source| absolute(compilation, &source)));
        env = dep_info_env(&text);
    }
    let package = name
        .rsplit_once('-')
        .map_or(name.as_str(), |(package, _)| package)
        .to_owned();
    Ok(Unit {
        package,
        hash: artifact.hash.clone(),
        records,
        started,
        root_file,
        uses: Vec::new(),
        local_sources,
        env,
        features: OnceLock::new(),
    })
}

impl Unit {
    /// The features it was built with, in quotes, if cargo has recorded it already. Read once.
    pub fn features(&self) -> Option<&[String]> {
        self.features.get_or_init(|| features_of(&self.records)).as_deref()
    }
}

/// Where a source is. A relative one is relative to the workspace's root, which is where we are or above the target directory.
fn absolute(compilation: &Compilation, source: &str) -> PathBuf {
    let path = Path::new(source);
    if path.is_absolute() {
        return path.to_path_buf();
    }
    let places = [compilation.cwd.as_path()]
        .into_iter()
        .chain(compilation.target_dir.ancestors());
    let found = places.map(|dir| dir.join(path)).find(|path| path.is_file());
    found.unwrap_or_else(|| compilation.cwd.join(path))
}

/// Does cargo keep this crate's sources, so that nobody edits them? It does in its own directories, and it compares those of a
/// vendored package with their checksums.
fn kept(root_file: &Path) -> bool {
    let cargos = ["registry", "git"]
        .iter()
        .any(|dir| root_file.starts_with(cargo_home().join(dir)));
    cargos
        || root_file
            .ancestors()
            .skip(1)
            .take(4)
            .any(|dir| dir.join(".cargo-checksum.json").is_file())
}

/// `$CARGO_HOME`, or where it is without that.
pub fn cargo_home() -> PathBuf {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
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
