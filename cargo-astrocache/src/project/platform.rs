//! What rustc says of the platforms built for: the host's name, and the cfgs that hold on each platform whatever
//! the build. Deliberately not the cfgs that flags or profiles decide: debug assertions, panic, target features.

use std::collections::BTreeSet;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::cargo_platform::{Cfg, Platform};

use super::ProjectError;
use super::cargo::{errors_only, run, scrubbed};
use super::settings::Config;

/// The platforms of a project, sorted.
#[derive(Debug)]
pub(super) struct Platforms {
    pub(super) triples: Vec<String>,
    /// Where the toolchain is; `None` if its name is not UTF-8.
    pub(super) sysroot: Option<Utf8PathBuf>,
    /// All that rustc prints for each; `None` if it does not know one.
    lines: Option<Vec<Vec<String>>>,
}

impl Platforms {
    /// Asks the rustc of `manifest`'s directory (its toolchain file counts) for the platforms in `listed`, or else for the host
    /// and what `config` builds. None of them has to be installed. Starts one rustc, and one more for each that is not the host.
    pub(super) fn ask(
        manifest: &Utf8Path,
        config: &Config,
        listed: Option<&[String]>,
    ) -> Result<Platforms, ProjectError> {
        let Host {
            triple: host,
            sysroot,
            lines: host_lines,
        } = host(manifest)?;
        if let Some(listed) = listed {
            return Platforms::listed(manifest, listed, sysroot);
        }
        let mut triples = config.build_targets();
        triples.push(host.clone());
        triples.sort();
        triples.dedup();

        let mut lines = Some(Vec::new()).filter(|_| !config.has_json_target());
        for triple in &triples {
            let found = if *triple == host {
                Some(host_lines.clone())
            } else {
                let answer = printed(manifest, &["--print", "cfg", "--target", triple])?;
                answer.ok().map(|stdout| split(&stdout))
            };
            lines = lines.zip(found).map(|(mut lines, found)| {
                lines.push(found);
                lines
            });
        }
        Ok(Platforms {
            triples,
            sysroot,
            lines,
        })
    }

    /// As [`Platforms::ask`], for a list that is right or an error.
    fn listed(
        manifest: &Utf8Path,
        triples: &[String],
        sysroot: Option<Utf8PathBuf>,
    ) -> Result<Platforms, ProjectError> {
        let lines = triples.iter().map(|triple| {
            let answer = printed(manifest, &["--print", "cfg", "--target", triple])?;
            answer
                .map(|stdout| split(&stdout))
                .map_err(|stderr| ProjectError::Platform {
                    triple: triple.clone(),
                    message: errors_only(&stderr),
                })
        });
        Ok(Platforms {
            lines: Some(lines.collect::<Result<_, _>>()?),
            triples: triples.to_vec(),
            sysroot,
        })
    }

    /// What [`Project::platform_cfgs`](super::Project::platform_cfgs) holds.
    pub(super) fn atoms(&self) -> Option<Vec<BTreeSet<String>>> {
        let lines = self.lines.as_ref()?;
        Some(lines.iter().map(|it| atoms(it)).collect())
    }

    /// Which `[target.'cfg(..)']` sections hold, if rustc's own cfgs and the `--cfg` flags in `flags` are set.
    pub(super) fn sections(&self, flags: &BTreeSet<String>) -> Sections {
        let of = |lines: &Vec<String>| lines.iter().chain(flags).flat_map(|it| it.parse()).collect();
        let known = self.lines.as_ref();
        Sections {
            platforms: known.map(|lines| self.triples.iter().cloned().zip(lines.iter().map(of)).collect()),
        }
    }
}

/// Which `[target.'cfg(..)']` sections of manifests hold on some platform of a project.
#[derive(Debug)]
pub(super) struct Sections {
    /// `None`: unknown.
    platforms: Option<Vec<(String, Vec<Cfg>)>>,
}

impl Sections {
    pub(super) fn holds(&self, section: Option<&Platform>) -> bool {
        let (Some(section), Some(platforms)) = (section, &self.platforms) else {
            return true;
        };
        platforms.iter().any(|(triple, cfgs)| section.matches(triple, cfgs))
    }
}

/// What rustc says of the machine it runs on.
struct Host {
    triple: String,
    sysroot: Option<Utf8PathBuf>,
    lines: Vec<String>,
}

fn host(manifest: &Utf8Path) -> Result<Host, ProjectError> {
    let asked = ["--print", "host-tuple", "--print", "sysroot", "--print", "cfg"];
    let message = match printed(manifest, &asked)? {
        Ok(stdout) => {
            let mut lines = stdout.splitn(3, '\n');
            if let (Some(triple), Some(sysroot), Some(rest)) = (lines.next(), lines.next(), lines.next()) {
                return Ok(Host {
                    triple: triple.trim().to_owned(),
                    sysroot: Some(Utf8PathBuf::from(sysroot.trim())).filter(|it| it.is_dir()),
                    lines: split(rest),
                });
            }
            stdout
        }
        Err(stderr) => errors_only(&stderr),
    };
    Err(ProjectError::NoHost { message })
}

/// What rustc prints, or what it says if it fails.
fn printed(manifest: &Utf8Path, args: &[&str]) -> Result<Result<String, String>, ProjectError> {
    let mut command = scrubbed(&OsString::from("rustc"), manifest);
    command.args(args);
    let output = run(command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    })
}

/// The lines of rustc's answer, without spaces.
fn split(stdout: &str) -> Vec<String> {
    let lines = stdout.lines().map(|line| line.replace(' ', ""));
    lines.filter(|line| !line.is_empty()).collect()
}

/// Those that the platform alone decides.
fn atoms(lines: &[String]) -> BTreeSet<String> {
    let kept = lines.iter().filter(|atom| is_of_the_platform(atom));
    kept.cloned().collect()
}

fn is_of_the_platform(atom: &str) -> bool {
    const KEPT: [&str; 10] = [
        "unix",
        "windows",
        "target_os",
        "target_family",
        "target_arch",
        "target_env",
        "target_vendor",
        "target_endian",
        "target_pointer_width",
        "target_abi",
    ];
    let key = atom.split_once('=').map_or(atom, |(key, _)| key);
    KEPT.contains(&key) || key.starts_with("target_has_atomic")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::expect;

    use super::*;

    /// What a project with this cargo configuration builds for.
    fn platforms(config: &str) -> Platforms {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        fs::create_dir(root.join(".cargo")).unwrap();
        fs::write(root.join(".cargo/config.toml"), config).unwrap();
        Platforms::ask(&root.join("Cargo.toml"), &Config::read(root).unwrap(), None).unwrap()
    }

    #[test]
    fn listed_platforms_stand_for_themselves_and_an_unknown_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = Utf8Path::from_path(dir.path()).unwrap().join("Cargo.toml");
        let ask = |triples: &[&str]| {
            let triples: Vec<String> = triples.iter().map(|&it| it.to_owned()).collect();
            Platforms::ask(&manifest, &Config::default(), Some(&triples))
        };
        let mac = ask(&["aarch64-apple-darwin"]).unwrap();
        assert_eq!(mac.triples, ["aarch64-apple-darwin"]);
        assert!(mac.atoms().unwrap()[0].contains("target_os=\"macos\""));
        let error = ask(&["aarch64-apple-darwin", "no-such-platform"])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("rustc does not know the platform `no-such-platform`"),
            "{error}"
        );
    }

    #[test]
    fn what_flags_and_profiles_decide_is_left_out() {
        let stdout = "debug_assertions\nfeature=\"x\"\noverflow_checks\npanic=\"unwind\"\ntarget_abi=\"\"\n\
            target_feature=\"sse2\"\ntarget_has_atomic\ntarget_has_atomic_load_store = \"8\"\r\ntarget_os=\"linux\"\n\
            target_thread_local\nub_checks\nunix\n\n";
        expect![[r#"
            {
                "target_abi=\"\"",
                "target_has_atomic",
                "target_has_atomic_load_store=\"8\"",
                "target_os=\"linux\"",
                "unix",
            }
        "#]]
        .assert_debug_eq(&atoms(&split(stdout)));
        assert!(atoms(&split("\u{fffd}\n=\n")).is_empty());
    }

    #[test]
    fn each_platform_has_its_own_cfgs() {
        let platforms = platforms("build.target = ['wasm32-unknown-unknown', 'x86_64-pc-windows-msvc']");
        let all = platforms.atoms().unwrap();
        assert_eq!(all.len(), platforms.triples.len());
        let of = |triple: &str| &all[platforms.triples.iter().position(|it| it == triple).unwrap()];
        let (wasm, windows) = (of("wasm32-unknown-unknown"), of("x86_64-pc-windows-msvc"));
        assert!(wasm.contains("target_family=\"wasm\"") && !wasm.contains("unix"));
        assert!(windows.contains("windows") && windows.contains("target_os=\"windows\""));
        let pointers_of_64_bits = |it: &BTreeSet<String>| it.contains("target_pointer_width=\"64\"");
        assert!(pointers_of_64_bits(windows) && !pointers_of_64_bits(wasm));
    }

    #[test]
    fn the_host_is_asked_for_with_its_cfgs() {
        let platforms = platforms("");
        let all = platforms.atoms().unwrap();
        assert!(platforms.triples.len() == 1 && all.len() == 1);
        assert_eq!(all[0].contains("unix"), cfg!(unix));
        assert_eq!(all[0].contains("windows"), cfg!(windows));
    }

    #[test]
    fn one_platform_that_rustc_does_not_know_makes_all_unknown_and_each_section_hold() {
        for config in ["build.target = ['no-such-platform']", "build.target = 'mine.json'"] {
            let platforms = platforms(config);
            assert_eq!(platforms.atoms(), None);
            let sections = platforms.sections(&BTreeSet::new());
            assert!(sections.holds(Some(&"cfg(target_os = \"none\")".parse().unwrap())));
        }
    }

    #[test]
    fn a_section_holds_if_it_does_on_some_platform() {
        let platforms = platforms("build.target = 'x86_64-pc-windows-msvc'");
        let sections = platforms.sections(&BTreeSet::from(["loom".to_owned(), "not a cfg".to_owned()]));
        let holds = |section: &str| sections.holds(Some(&section.parse().unwrap()));
        assert!(sections.holds(None));
        assert!(holds("cfg(windows)") && holds("cfg(loom)") && holds("x86_64-pc-windows-msvc"));
        assert!(holds(
            "cfg(all(windows, target_env = \"msvc\", target_feature = \"sse2\"))"
        ));
        assert!(!holds("cfg(all(windows, unix))") && !holds("wasm32-unknown-unknown") && !holds("cfg(tokio)"));
    }
}
