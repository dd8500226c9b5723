//! The environment hash: of everything that decides what cargo and rustc say of a project. While it stays the same, the
//! [`Project`] of an earlier run is the project, and neither is started.
//!
//! | part | what is in it |
//! | --- | --- |
//! | key | the manifest, the options, `PATH` and `HOME`, the variables that cargo and rustup see, the `cargo` and `rustc` that `PATH` leads to |
//! | contents | what [`super::walk`] reads, and the programs that configuration names |
//! | toolchain | names, sizes, times and inodes in `bin` and `lib` of rustc's sysroot |
//! | sources | that the root file of each crate of a dependency is there |
//!
//! Not in it: the registry's index, and so nothing is kept of a load in which cargo had to write `Cargo.lock`; programs
//! that a wrapper starts in turn. Unknown ground (`include` and `paths` in a configuration, packages found where
//! the walk did not come by) leads to no answer rather than to one that may be old.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::cargo::{LoadOptions, cargo, is_scrubbed};
use super::load::{Loaded, find_manifest, given_target_dir, load_manifest};
use super::walk::{Walk, add_stamp};
use super::{PackageSource, Project, ProjectError};

/// blake3.
pub type Hash = [u8; 32];

/// What decides a project, as it is now.
#[derive(Debug)]
pub struct Environment {
    manifest: Utf8PathBuf,
    options: LoadOptions,
    key: Hash,
    contents: Hash,
    walk: Walk,
    cargo_home: Option<Utf8PathBuf>,
}

/// What decided a project when it was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    key: Hash,
    contents: Hash,
    sysroot: Utf8PathBuf,
    toolchain: Hash,
}

impl Environment {
    /// Looks at what decides the project of `manifest_path`, or of the nearest `Cargo.toml` at or above the current
    /// directory. Starts no process.
    ///
    /// # Errors
    ///
    /// There is no manifest.
    pub fn look(manifest_path: Option<&Utf8Path>, options: &LoadOptions) -> Result<Environment, ProjectError> {
        let manifest = find_manifest(manifest_path)?;
        let home = |name: &str, default: &str| -> Option<Utf8PathBuf> {
            let given = env::var(name).ok().filter(|it| !it.is_empty());
            let in_home = || Some(Utf8PathBuf::from(env::var("HOME").or(env::var("USERPROFILE")).ok()?).join(default));
            given.map(Utf8PathBuf::from).or_else(in_home)
        };
        let cargo_home = home("CARGO_HOME", ".cargo");
        let walk = Walk::from(
            &manifest,
            cargo_home.as_deref(),
            home("RUSTUP_HOME", ".rustup").as_deref(),
        );
        let mut contents = blake3::Hasher::new();
        contents.update(&walk.contents());
        for program in &walk.programs {
            contents.update(&stamp_of_program(program, &manifest).unwrap_or_default());
        }
        Ok(Environment {
            key: key(&manifest, options)?,
            contents: *contents.finalize().as_bytes(),
            manifest,
            options: options.clone(),
            walk,
            cargo_home,
        })
    }

    /// What is asked for, whatever the answer: projects of different keys are kept side by side.
    pub fn key(&self) -> Hash {
        self.key
    }

    /// Whether `project` is what cargo would say now.
    pub fn holds(&self, seal: &Seal, project: &Project) -> bool {
        self.key == seal.key
            && self.contents == seal.contents
            && self.knows(project)
            && toolchain(&seal.sysroot) == Some(seal.toolchain)
            && has_sources(project)
    }

    /// Loads the project, see [`super::load()`]; with a seal if it may be used again.
    ///
    /// # Errors
    ///
    /// As [`super::load()`].
    pub fn load(&self) -> Result<(Project, Option<Seal>), ProjectError> {
        let Loaded {
            project,
            sysroot,
            is_lock_final,
        } = load_manifest(&self.manifest, &self.options)?;
        let toolchain_before = sysroot.as_deref().and_then(toolchain);
        let after = Environment::look(Some(&self.manifest), &self.options)?;
        let is_at_rest =
            (after.key, after.contents, after.walk.stamps()) == (self.key, self.contents, self.walk.stamps());
        let seal = || {
            Some(Seal {
                key: self.key,
                contents: self.contents,
                toolchain: toolchain_before?,
                sysroot: sysroot?,
            })
        };
        let is_kept = is_lock_final && is_at_rest && self.knows(&project);
        Ok((project, if is_kept { seal() } else { None }))
    }

    /// Whether the walk came by everything that the project was made of.
    fn knows(&self, project: &Project) -> bool {
        let caches = self
            .cargo_home
            .iter()
            .flat_map(|home| [home.join("registry/src"), home.join("git/checkouts")]);
        let caches: Vec<Utf8PathBuf> = caches.chain(self.walk.vendored.iter().cloned()).collect();
        let known = |package: &super::Package| match package.source {
            PackageSource::Path => self.walk.manifests.contains(&package.root.join("Cargo.toml")),
            PackageSource::Locked { .. } => caches.iter().any(|dir| package.root.starts_with(dir)),
        };
        !self.walk.is_lost && project.packages.iter().all(known)
    }
}

fn key(manifest: &Utf8Path, options: &LoadOptions) -> Result<Hash, ProjectError> {
    let LoadOptions {
        features,
        all_features,
        no_default_features,
        offline,
        locked,
        frozen,
        target_dir: _,
        // Says what becomes of `Cargo.lock`, not what cargo says.
        keep_lock: _,
    } = options;
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    add(manifest.as_str().as_bytes());
    let target_dir = given_target_dir(options)?;
    add(target_dir.as_ref().map_or("", |it| it.as_str()).as_bytes());
    add(&[*all_features, *no_default_features, *offline, *locked, *frozen].map(u8::from));
    features.iter().for_each(|it| add(it.as_bytes()));
    let mut variables: Vec<_> = env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(is_seen))
        .collect();
    variables.sort();
    for (name, value) in &variables {
        add(name.as_encoded_bytes());
        add(value.as_encoded_bytes());
    }
    for program in [cargo().to_string_lossy().as_ref(), "rustc"] {
        add(&stamp_of_program(program, manifest).unwrap_or_default());
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Whether a variable reaches cargo or rustc and may change what they say.
fn is_seen(name: &str) -> bool {
    let ours = ["CARGO", "RUST", "__CARGO"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    (ours && !is_scrubbed(name)) || ["PATH", "HOME", "USERPROFILE"].contains(&name)
}

/// Which program a name means, and which build of it is there.
fn stamp_of_program(name: &str, manifest: &Utf8Path) -> Option<Hash> {
    let dir = manifest.parent()?;
    let path = match name.contains(['/', '\\']) {
        true => dir.join(name).into_std_path_buf(),
        false => env::split_paths(&env::var_os("PATH")?)
            .map(|entry| {
                dir.as_std_path()
                    .join(entry)
                    .join(name)
                    .with_extension(env::consts::EXE_EXTENSION)
            })
            .find(|it| it.is_file())?,
    };
    let path = path.canonicalize().ok()?;
    let mut hasher = blake3::Hasher::new();
    add_stamp(&path.to_string_lossy(), &path.metadata().ok()?, &mut hasher);
    Some(*hasher.finalize().as_bytes())
}

/// Which build of a toolchain is there.
fn toolchain(sysroot: &Utf8Path) -> Option<Hash> {
    let mut hasher = blake3::Hasher::new();
    for dir in ["bin", "lib"] {
        let entries = sysroot.join(dir).read_dir_utf8().ok()?.flatten();
        let mut paths: Vec<Utf8PathBuf> = entries.map(|it| it.path().to_owned()).collect();
        paths.sort();
        for path in paths {
            add_stamp(path.as_str(), &path.metadata().ok()?, &mut hasher);
        }
    }
    Some(*hasher.finalize().as_bytes())
}

/// Nobody emptied cargo's cache of sources.
fn has_sources(project: &Project) -> bool {
    project
        .crates
        .iter()
        .all(|krate| match project.package(krate.package).source {
            PackageSource::Path => true,
            PackageSource::Locked { .. } => krate.root_file.is_file(),
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn variables_that_cargo_sees_count_and_no_others() {
        let seen = [
            "CARGO",
            "CARGO_HOME",
            "RUSTUP_TOOLCHAIN",
            "CARGO_SOURCE_X_DIRECTORY",
            "PATH",
            "HOME",
        ];
        assert!(seen.into_iter().all(is_seen));
        // These never reach cargo: it is started without them.
        let scrubbed = ["RUSTFLAGS", "CARGO_PKG_NAME", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET"];
        assert!(!scrubbed.into_iter().chain(["EDITOR", "LANG"]).any(is_seen));
    }

    #[test]
    fn a_program_or_toolchain_that_is_replaced_has_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let (bin, lib) = (root.join("bin"), root.join("lib"));
        assert_eq!(toolchain(root), None);
        fs::create_dir(&bin).unwrap();
        fs::create_dir(&lib).unwrap();
        fs::write(bin.join("rustc"), "old").unwrap();
        let manifest = root.join("Cargo.toml");
        let program = || stamp_of_program("bin/rustc", &manifest);
        let (stamp, tools) = (program(), toolchain(root));
        assert!(stamp.is_some() && tools.is_some());
        assert_eq!((program(), toolchain(root)), (stamp, tools));

        fs::write(bin.join("new"), "newer").unwrap();
        fs::rename(bin.join("new"), bin.join("rustc")).unwrap();
        assert!(program() != stamp && toolchain(root) != tools);
        let tools = toolchain(root);
        fs::write(lib.join("librustc_driver.so"), "").unwrap();
        assert_ne!(toolchain(root), tools);
        assert_eq!(stamp_of_program("bin/none", &manifest), None);
        assert_eq!(stamp_of_program("no-such-program-anywhere", &manifest), None);
    }
}
