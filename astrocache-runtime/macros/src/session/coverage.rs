//! Does an analysis speak of the code that this build links? A fingerprint holds the branches of all features, but not the code
//! of a dependency that only features bring which the analysis did not take: forced on the command line, or switched on by a
//! sibling. So every library of the build must be one that was analyzed, and where another feature could have brought an edge that
//! was not, the features must be those of the analysis.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use astrocache_manifest::{FOR_DOCUMENTATION, Ledger, LedgerLibrary, Manifest, ManifestPackage};

use super::argv::Compilation;
use super::matching::same_file;
use super::records::awaited_features_of;
use super::scripts::printed_cfg;
use super::units::{Unit, Units};

/// Is everything in this build in the ledger's graph?
pub fn by_ledger(ledger: &Ledger, compilation: &Compilation, units: &Units) -> Result<(), String> {
    outside_documentation(compilation, units)?;
    let by_hash: BTreeMap<&str, &Unit> = units
        .dependencies
        .iter()
        .map(|unit| (unit.hash.as_str(), unit))
        .collect();
    let libraries = Libraries::of(ledger);
    for unit in &units.dependencies {
        let library = libraries.at(&unit.root_file).ok_or_else(|| unseen(&unit.package))?;
        let linked = unit.uses.iter().filter_map(|hash| by_hash.get(hash.as_str()));
        let awakened = linked.map(|dep| &dep.package).find(|dep| library.dormant.contains(dep));
        if let Some(dep) = awakened {
            within(unit, &library.features, dep)?;
        }
    }
    let own = ledger
        .crates
        .iter()
        .find(|krate| same_file(&krate.root_file, &compilation.root_file));
    let linked = units.dependencies.iter().map(|unit| &unit.package);
    let awakened = own.and_then(|krate| Some((krate, linked.into_iter().find(|dep| krate.dormant.contains(dep))?)));
    match awakened {
        Some((krate, dep)) if !subset(compilation.features(), &krate.features) => {
            Err(with_features(&compilation.package, dep))
        }
        _ => Ok(()),
    }
}

/// Is all local code in this build in the manifest, with no more features? Other code is pinned, and its units' hashes are in
/// the context of a trusted answer.
pub fn by_manifest(manifest: &Manifest, compilation: &Compilation, units: &Units) -> Result<(), String> {
    outside_documentation(compilation, units)?;
    let root = fs::canonicalize(&compilation.cwd).unwrap_or_else(|_| compilation.cwd.clone());
    let dirs = manifest.packages.iter().filter_map(|package| {
        let dir = fs::canonicalize(root.join(&package.path)).ok()?;
        Some((dir, package))
    });
    let dirs: Vec<(PathBuf, &ManifestPackage)> = dirs.collect();
    // Packages can lie in one another: the innermost holds the file.
    let package_at = |file: &Path| {
        let file = fs::canonicalize(file).ok()?;
        let around = dirs.iter().filter(|(dir, _)| file.starts_with(dir));
        around
            .max_by_key(|(dir, _)| dir.as_os_str().len())
            .map(|(_, package)| *package)
    };
    let local: BTreeMap<&str, &Unit> = units
        .dependencies
        .iter()
        .filter(|unit| !unit.local_sources.is_empty())
        .map(|unit| (unit.hash.as_str(), unit))
        .collect();
    for unit in &units.dependencies {
        if !local.contains_key(unit.hash.as_str()) {
            // A package from a registry with a local one under it, by `[patch]`: its features are nowhere listed.
            let patched = unit.uses.iter().find_map(|hash| local.get(hash.as_str()));
            patched.map_or(Ok(()), |dep| Err(with_features(&unit.package, &dep.package)))?;
            continue;
        }
        let package = package_at(&unit.root_file)
            .filter(|package| package.name == unit.package)
            .ok_or_else(|| unseen(&unit.package))?;
        within(unit, &package.features, "other packages")?;
    }
    let own = package_at(&compilation.root_file).ok_or_else(|| unseen(&compilation.package))?;
    match subset(compilation.features(), &own.features) {
        true => Ok(()),
        false => Err(with_features(&compilation.package, "other packages")),
    }
}

/// The analyzer leaves out the branches of documentation builds. Our own command line shows what flags and our own build script
/// bring them in; a build script of a dependency does it by what it prints, maybe because of docs.rs's variable.
fn outside_documentation(compilation: &Compilation, units: &Units) -> Result<(), String> {
    let by_flag = || documents(compilation.cfgs.iter().map(String::as_str)).map(|cfg| format!("`--cfg {cfg}` is set"));
    let by_variable = || std::env::var_os("DOCS_RS").map(|_| "the variable DOCS_RS is set".to_owned());
    let set = match by_flag().or_else(by_variable) {
        Some(set) => Some(set),
        None => {
            let printed = printed_cfg(&units.dependencies, |cfg| documents([cfg]).is_some())?;
            printed.map(|(package, cfg)| format!("the build script of `{package}` sets `--cfg {cfg}`"))
        }
    };
    match set {
        Some(set) => Err(format!(
            "{set}, and cargo-astrocache leaves out code that is only for documentation"
        )),
        None => Ok(()),
    }
}

/// The first of these that names a cfg of documentation builds, however it is written.
fn documents<'a>(cfgs: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let named = |cfg: &&str| {
        let name = cfg.split('=').next().unwrap_or_default();
        let mut words = name.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| FOR_DOCUMENTATION.contains(&word))
    };
    cfgs.into_iter().find(named)
}

fn unseen(package: &str) -> String {
    format!(
        "this build links `{package}`, which cargo-astrocache did not see (list the features that you build with as `features` in \
         [workspace.metadata.astrocache])"
    )
}

fn with_features(package: &str, dep: &str) -> String {
    format!(
        "`{package}` has features here that cargo-astrocache did not take, and may use {dep} by them (list the features that you \
         build with as `features` in [workspace.metadata.astrocache])"
    )
}

/// Was the unit built with no other features than these?
fn within(unit: &Unit, features: &[String], dep: &str) -> Result<(), String> {
    let built = unit.features().map(<[String]>::to_vec);
    let built = built.or_else(|| awaited_features_of(&unit.records));
    let names = built.iter().flatten().map(|name| name.trim_matches('"'));
    match built.is_some() && subset(names, features) {
        true => Ok(()),
        false => Err(with_features(&unit.package, dep)),
    }
}

fn subset<'a>(names: impl IntoIterator<Item = &'a str>, known: &[String]) -> bool {
    names.into_iter().all(|name| known.iter().any(|it| it == name))
}

/// The ledger's libraries by their root files, as cargo names them and as they are behind links.
struct Libraries<'l> {
    named: BTreeMap<&'l Path, &'l LedgerLibrary>,
    real: std::cell::OnceCell<BTreeMap<PathBuf, &'l LedgerLibrary>>,
}

impl<'l> Libraries<'l> {
    fn of(ledger: &'l Ledger) -> Libraries<'l> {
        let named = ledger.libraries.iter().map(|it| (it.root_file.as_path(), it)).collect();
        Libraries {
            named,
            real: std::cell::OnceCell::new(),
        }
    }

    fn at(&self, root_file: &Path) -> Option<&'l LedgerLibrary> {
        if let Some(library) = self.named.get(root_file) {
            return Some(library);
        }
        let real = self.real.get_or_init(|| {
            let named = self.named.iter();
            named
                .filter_map(|(path, library)| Some((fs::canonicalize(path).ok()?, *library)))
                .collect()
        });
        real.get(&fs::canonicalize(root_file).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_for_documentation_is_seen_however_it_is_written() {
        let seen = |cfg: &str| documents(["feature=\"doc\"", cfg]).is_some();
        for cfg in ["doc", "docsrs", "doctest", " docsrs ", "r#doc", "docsrs/* x */"] {
            assert!(seen(cfg), "{cfg}");
        }
        for cfg in ["docs", "my_doc", "feature=\"docsrs\"", "test", ""] {
            assert!(!seen(cfg), "{cfg}");
        }
    }
}
