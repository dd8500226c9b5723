//! What build scripts told cargo to pass to rustc as `--cfg`. Cargo keeps what each run of a script printed, and records with a
//! finished unit which run was its. Until then, all runs for its package count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::records::{script_of, unknown};
use super::units::Unit;

/// A cfg that is `wanted` and that the build script of one of these units printed, with the package's name.
pub fn printed_cfg(units: &[Unit], wanted: impl Fn(&str) -> bool) -> Result<Option<(String, String)>, String> {
    let mut profiles: BTreeMap<&Path, BTreeSet<&str>> = BTreeMap::new();
    for unit in units {
        // `PROFILE/.fingerprint/PACKAGE-HASH`
        let profile = unit.records.ancestors().nth(2).ok_or_else(|| unknown(&unit.records))?;
        profiles.entry(profile).or_default().insert(&unit.package);
    }
    for (profile, packages) in profiles {
        let dir = profile.join("build");
        let runs = runs_in(&dir, &packages, &wanted).map_err(|_| unknown(&dir))?;
        for (run, package, cfg) in runs {
            let mut units = units
                .iter()
                .filter(|it| it.package == package && it.records.starts_with(profile));
            if units.any(|unit| script_of(&unit.records, &unit.package).is_none_or(|its| its.as_ref() == Some(&run))) {
                return Ok(Some((package, cfg)));
            }
        }
    }
    Ok(None)
}

/// The runs in `PROFILE/build` that printed a cfg that is wanted: directory, package, cfg.
fn runs_in(
    dir: &Path,
    packages: &BTreeSet<&str>,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<Vec<(String, String, String)>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // No package of this profile has a build script.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((package, _)) = name.rsplit_once('-').filter(|(package, _)| packages.contains(package)) else {
            continue;
        };
        match fs::read(entry.path().join("output")) {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output);
                let cfg = cfgs_in(&text).find(|cfg| wanted(cfg));
                found.extend(cfg.map(|cfg| (name.clone(), package.to_owned(), cfg.to_owned())));
            }
            // The script itself, compiled.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The values of `cargo::rustc-cfg=` lines, in the old form with one colon too.
fn cfgs_in(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("cargo:")?;
        line.strip_prefix(':').unwrap_or(line).strip_prefix("rustc-cfg=")
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn cfgs_are_read_from_what_a_script_printed() {
        let output = "cargo::rustc-cfg=docsrs\nhello\ncargo:rustc-cfg=a=\"b\"\n\
                      cargo::rustc-check-cfg=cfg(doc)\n  cargo:rustc-env=rustc-cfg=x\ncargo:::rustc-cfg=y";
        assert_eq!(cfgs_in(output).collect::<Vec<_>>(), ["docsrs", "a=\"b\""]);
    }

    fn unit(package: &str, records: &Path) -> Unit {
        Unit {
            package: package.to_owned(),
            hash: String::new(),
            records: records.to_path_buf(),
            started: SystemTime::UNIX_EPOCH,
            root_file: PathBuf::new(),
            uses: Vec::new(),
            local_sources: Vec::new(),
            env: Vec::new(),
            features: OnceLock::new(),
        }
    }

    /// A profile with two runs of `a`'s script, and a unit of `a`.
    fn profile(record: Option<&str>) -> (tempfile::TempDir, Unit) {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (name, cfg, fingerprint) in [("a-1", "one", "0100000000000000"), ("a-2", "two", "0200000000000000")] {
            write(&format!("build/{name}/output"), &format!("cargo::rustc-cfg={cfg}\n"));
            write(
                &format!(".fingerprint/{name}/run-build-script-build-script-build"),
                fingerprint,
            );
        }
        write("build/a-3/build-script-build", "");
        write("build/a-b-1/output", "cargo::rustc-cfg=three\n");
        let records = dir.path().join(".fingerprint/a-4");
        fs::create_dir_all(&records).unwrap();
        if let Some(record) = record {
            write(".fingerprint/a-4/lib-a.json", record);
        }
        let unit = unit("a", &records);
        (dir, unit)
    }

    #[test]
    fn the_run_that_a_unit_was_built_with_counts_and_all_while_none_is_recorded() {
        let found = |record: Option<&str>, cfg: &str| {
            let (_dir, unit) = profile(record);
            printed_cfg(&[unit], |it| it == cfg).unwrap().is_some()
        };
        let with =
            |fingerprint: u64| format!(r#"{{"deps":[[1,"build_script_build",false,{fingerprint}]],"local":[]}}"#);
        assert!(found(None, "one") && found(None, "two") && !found(None, "three"));
        assert!(found(Some(&with(1)), "one") && !found(Some(&with(1)), "two"));
        assert!(found(Some(&with(9)), "one"), "a record of another build");
        assert!(found(Some("garbage"), "one"));
        assert!(!found(Some(r#"{"deps":[],"local":[]}"#), "one"), "no script at all");
    }

    #[test]
    fn a_profile_without_scripts_prints_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let unit = unit("a", &dir.path().join(".fingerprint/a-1"));
        assert_eq!(printed_cfg(&[unit], |_| true).unwrap(), None);
    }
}
