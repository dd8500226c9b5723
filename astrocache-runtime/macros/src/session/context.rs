//! The build context: what the compiler was told that can change what the same source does. It is hashed beside the
//! fingerprint, so that one manifest serves all builds and two builds never share a value they should not.
//!
//! What is hashed, in this order:
//! 1. the format version, and the kind of fingerprint;
//! 2. the compiler (`rustc -vV`);
//! 3. the target, with the content of a target file;
//! 4. `-C` debug-assertions, overflow-checks, opt-level, panic, target-feature, target-cpu, as given;
//! 5. the edition;
//! 6. the per-package profile sections of the workspace's and cargo's configuration: with them a dependency can be told
//!    otherwise than we are;
//! 7. cfgs. Fine: for each predicate of the closure, whether it holds. Else: all `--cfg`, and `--test`;
//! 8. features of dependencies. Fine: for each predicate of the closure, from cargo's record of each unit of that package; for
//!    what only build scripts are linked with, the hashes of our own output directory and of all local units.
//!    Trusted: the unit hashes of all dependencies. Coarse: nothing, their compiled form is in the fingerprint;
//! 9. environment variables. Fine: those that the closure reads by `env!`. Trusted: those that this package's text names and
//!    those that rustc recorded for dependencies. Coarse: nothing, they are in the fingerprint.
//!
//! Not here: cfgs that a dependency's build script sets from the environment. The script is part of the closure; what it saw is not.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use astrocache_manifest::{ALL_CFGS, FORMAT_VERSION, LedgerRoot};

use super::argv::Compilation;
use super::coarse;
use super::units::{Unit, Units, cargo_home};

pub struct Context<'a> {
    pub compilation: &'a Compilation,
    pub units: &'a Units,
}

/// The compiler of this crate, and so of the user's: see build.rs.
pub const RUSTC: &str = env!("ASTROCACHE_RUSTC");

/// The target of a compilation without `--target`; empty if the compiler would not say.
pub fn host() -> &'static str {
    let mut fields = RUSTC.split("; ");
    fields
        .find_map(|field| field.strip_prefix("host: "))
        .unwrap_or_default()
}

/// Fields with their lengths, so that no two lists run together.
#[derive(Clone, Default)]
pub struct Fields(Vec<u8>);

impl Fields {
    pub fn add(&mut self, field: impl AsRef<[u8]>) {
        let field = field.as_ref();
        self.0.extend_from_slice(&(field.len() as u64).to_le_bytes());
        self.0.extend_from_slice(field);
    }

    pub fn hash(&self) -> [u8; 16] {
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(&self.0).as_bytes()[..16]);
        hash
    }
}

impl Context<'_> {
    /// For a fingerprint from the ledger.
    pub fn fine(&self, root: &LedgerRoot) -> [u8; 16] {
        // The same for all functions of a compilation, and a process compiles one crate.
        static COMMON: OnceLock<Fields> = OnceLock::new();
        let mut fields = COMMON.get_or_init(|| self.common("fine")).clone();
        for predicate in &root.cfgs {
            fields.add(predicate);
            match package_feature(predicate) {
                _ if predicate == ALL_CFGS => self.all_cfgs(&mut fields),
                Some((package, feature)) => self.feature(&mut fields, package, feature),
                None => fields.add(if self.holds(predicate) { "on" } else { "off" }),
            }
        }
        for name in &root.env {
            add_variable(&mut fields, name);
        }
        fields.hash()
    }

    /// For a fingerprint from the manifest, which says nothing about cfgs and variables.
    pub fn trusted(&self) -> [u8; 16] {
        let mut fields = self.common("trusted");
        self.all_cfgs(&mut fields);
        for unit in &self.units.dependencies {
            fields.add(&unit.hash);
            unit.env.iter().for_each(|variable| fields.add(variable));
        }
        for name in coarse::variables(self.compilation) {
            add_variable(&mut fields, &name);
        }
        fields.hash()
    }

    /// For a fingerprint of the package's files and the compiled dependencies.
    pub fn coarse(&self) -> [u8; 16] {
        let mut fields = self.common("coarse");
        self.all_cfgs(&mut fields);
        fields.hash()
    }

    fn common(&self, kind: &str) -> Fields {
        let compilation = self.compilation;
        let mut fields = Fields::default();
        fields.add(FORMAT_VERSION.to_le_bytes());
        fields.add(kind);
        fields.add(RUSTC);
        fields.add(&compilation.target);
        if compilation.target.ends_with(".json") {
            fields.add(fs::read(compilation.cwd.join(&compilation.target)).unwrap_or_default());
        }
        fields.add((compilation.codegen.len() as u64).to_le_bytes());
        compilation.codegen.iter().for_each(|option| fields.add(option));
        fields.add(&compilation.edition);
        static PROFILES: OnceLock<Vec<String>> = OnceLock::new();
        PROFILES
            .get_or_init(|| package_profiles(compilation))
            .iter()
            .for_each(|section| fields.add(section));
        fields
    }

    fn all_cfgs(&self, fields: &mut Fields) {
        fields.add((self.compilation.cfgs.len() as u64).to_le_bytes());
        let cfgs: BTreeSet<&String> = self.compilation.cfgs.iter().collect();
        cfgs.into_iter().for_each(|cfg| fields.add(cfg));
        fields.add([u8::from(self.compilation.test)]);
    }

    /// Is the predicate among the `--cfg`s? Those that rustc sets by itself follow from what `common` hashes.
    fn holds(&self, predicate: &str) -> bool {
        let plain = |text: &str| text.replace(' ', "");
        (predicate == "test" && self.compilation.test)
            || self.compilation.cfgs.iter().any(|cfg| plain(cfg) == plain(predicate))
    }

    /// `feature` of a package, or `*` for all that it has, in this crate and in each unit of the package.
    fn feature(&self, fields: &mut Fields, package: &str, feature: &str) {
        let own = package == self.compilation.package;
        if own {
            add_feature(fields, feature, self.compilation.features());
        }
        let units = self.units.dependencies.iter().filter(|unit| unit.package == package);
        let mut found = own;
        for unit in units {
            found = true;
            match self.features_of(unit) {
                Some(features) => add_feature(fields, feature, features.iter().map(|name| name.trim_matches('"'))),
                None => fields.add(&unit.hash),
            }
        }
        if !found {
            self.build_time(fields);
        }
    }

    /// Something that only build scripts are linked with has features that decide what they do. Cargo puts those into the hashes
    /// of all that a script's output is compiled into: of our own output directory, and of the local units.
    fn build_time(&self, fields: &mut Fields) {
        let out_dir = std::env::var_os("OUT_DIR").map(PathBuf::from);
        let name = out_dir.as_deref().and_then(Path::parent).and_then(Path::file_name);
        fields.add(name.map_or(&[][..], |name| name.as_encoded_bytes()));
        let local = self
            .units
            .dependencies
            .iter()
            .filter(|unit| !unit.local_sources.is_empty());
        local.for_each(|unit| fields.add(&unit.hash));
    }

    /// The features that cargo recorded for a unit. The record is written when the unit is finished, which with pipelining can
    /// be later than now; then the unit's hash has to do, here and, so that keys stay what they are, in later builds.
    fn features_of<'u>(&self, unit: &'u Unit) -> Option<&'u [String]> {
        // Read once: what is added below is remembered by the unit itself.
        static KNOWN: OnceLock<String> = OnceLock::new();
        let memory = self.compilation.target_dir.join("astrocache").join("units-by-hash");
        let known = KNOWN.get_or_init(|| fs::read_to_string(&memory).unwrap_or_default());
        if known.lines().any(|line| line == unit.hash) {
            return None;
        }
        let features = unit.features();
        if features.is_none() {
            // A line that cannot be written costs a miss in a later build.
            let file = OpenOptions::new().append(true).create(true).open(&memory);
            let _ = file.and_then(|mut file| file.write_all(format!("{}\n", unit.hash).as_bytes()));
        }
        features
    }
}

fn add_feature<'f>(fields: &mut Fields, feature: &str, all: impl Iterator<Item = &'f str>) {
    let mut all: Vec<&str> = all.collect();
    match feature {
        "*" => {
            all.sort_unstable();
            fields.add(all.join(" "));
        }
        _ => fields.add(if all.contains(&feature) { "on" } else { "off" }),
    }
}

fn add_variable(fields: &mut Fields, name: &str) {
    fields.add(name);
    match std::env::var_os(name) {
        Some(value) => fields.add(value.as_encoded_bytes()),
        None => fields.0.push(0xff),
    }
}

/// `serde feature="derive"` -> serde, derive; `serde features` -> serde, *
fn package_feature(predicate: &str) -> Option<(&str, &str)> {
    if let Some(package) = predicate.strip_suffix(" features") {
        return Some((package, "*"));
    }
    let (package, rest) = predicate.split_once(" feature")?;
    let name = rest
        .trim_start()
        .strip_prefix('=')?
        .trim()
        .strip_prefix('"')?
        .strip_suffix('"')?;
    Some((package, name))
}

/// Sections such as `[profile.dev.package.image]`, where a dependency gets settings of its own.
fn package_profiles(compilation: &Compilation) -> Vec<String> {
    let root = if compilation.member {
        &compilation.cwd
    } else {
        &compilation.manifest_dir
    };
    let mut files = vec![root.join("Cargo.toml")];
    let places = root.ancestors().map(|dir| dir.join(".cargo")).chain([cargo_home()]);
    files.extend(places.flat_map(|dir| [dir.join("config.toml"), dir.join("config")]));
    files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| profile_sections(&text))
        .collect()
}

fn profile_sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.starts_with("[profile");
        }
        if inside && !line.is_empty() && !line.starts_with('#') {
            sections.push(line.to_owned());
        }
    }
    let matters = sections
        .iter()
        .any(|line| line.contains("package") || line.contains("build-override"));
    if matters { sections } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_predicate_with_a_package_is_a_feature_of_it() {
        assert_eq!(package_feature("serde feature=\"derive\""), Some(("serde", "derive")));
        assert_eq!(package_feature("serde feature = \"derive\""), Some(("serde", "derive")));
        assert_eq!(package_feature("serde features"), Some(("serde", "*")));
        for other in [
            "feature=\"x\"",
            "debug_assertions",
            "a feature",
            "a feature=x",
            "a feature=\"x",
            "",
        ] {
            assert_eq!(package_feature(other), None, "{other}");
        }
    }

    #[test]
    fn profile_sections_count_only_where_a_package_has_its_own() {
        assert!(profile_sections("[profile.dev]\ndebug = 1\n[dependencies]\npackage = 1\n").is_empty());
        let text = "[profile.dev.package.b]\n# c\nopt-level = 3\n\n[dependencies]\nx = 1\n";
        assert_eq!(profile_sections(text), ["[profile.dev.package.b]", "opt-level = 3"]);
    }

    #[test]
    fn fields_do_not_run_together() {
        let hash = |list: &[&str]| {
            let mut fields = Fields::default();
            list.iter().for_each(|field| fields.add(field));
            fields.hash()
        };
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["a"]), hash(&["a", ""]));
    }
}
