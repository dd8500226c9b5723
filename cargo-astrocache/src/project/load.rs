//! Finds the manifest, asks cargo, and puts the [`Project`] together.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};

use super::cargo::{LoadOptions, metadata, workspace_manifest};
use super::features::member_features;
use super::graph::{Graph, graph};
use super::lock::{LockSnapshot, Pins};
use super::options::WorkspaceOptions;
use super::platform::Platforms;
use super::settings::{Config, settings};
use super::weak::cut_weak_edges;
use super::{Package, PackageSource, Project, ProjectError};

/// Loads the project of `manifest_path`, or of the nearest `Cargo.toml` at or above the current directory.
///
/// Dependencies are those of the platforms in [`Project::platforms`]: what `[workspace.metadata.astrocache]` lists, else the host
/// and what the workspace builds by default. Code of a package that only other platforms use is not part of the project.
///
/// Starts rustc once for each platform and cargo twice: some 0.1 s for a small graph, 0.7 s for one of 600 packages. Needs no network
/// once the dependencies are on the machine. Cargo may write `Cargo.lock`; `keep_lock` puts it back.
///
/// # Errors
///
/// See [`ProjectError`]; each says what to do.
pub fn load(manifest_path: Option<&Utf8Path>, options: &LoadOptions) -> Result<Project, ProjectError> {
    Ok(load_manifest(&find_manifest(manifest_path)?, options)?.project)
}

/// A project, and what else was learnt on the way.
pub(super) struct Loaded {
    pub(super) project: Project,
    /// Where the toolchain is.
    pub(super) sysroot: Option<Utf8PathBuf>,
    /// Cargo found `Cargo.lock` to be complete.
    pub(super) is_lock_final: bool,
}

pub(super) fn load_manifest(manifest: &Utf8Path, options: &LoadOptions) -> Result<Loaded, ProjectError> {
    let root_manifest = workspace_manifest(manifest)?;
    let workspace_root = root_manifest.parent().unwrap_or(&root_manifest);
    let config = Config::read(workspace_root)?;
    let wished = WorkspaceOptions::read(&root_manifest)?;
    let options = &wished.under(options);
    let platforms = Platforms::ask(manifest, &config, wished.platforms.as_deref())?;

    let lock_file = workspace_root.join("Cargo.lock");
    let lock = LockSnapshot::take(lock_file.clone());
    let found =
        metadata(manifest, &platforms.triples, options).and_then(|metadata| Ok((metadata, Pins::read(&lock_file)?)));
    let is_lock_final = lock.is_unchanged();
    if options.keep_lock {
        lock.restore()?;
    }
    let (mut metadata, pins) = found?;
    cut_weak_edges(&mut metadata, options);

    let Graph { ids, packages, crates } = graph(&metadata, &pins)?;
    let settings = settings(&root_manifest, &config)?;
    let sections = platforms.sections(&settings.cfgs);
    let project = Project {
        member_features: member_features(&metadata, &ids, &sections, options),
        target_dir: given_target_dir(options)?.unwrap_or_else(|| metadata.target_directory.clone()),
        settings,
        inputs: inputs(workspace_root, &packages, config.files),
        workspace_root: workspace_root.to_owned(),
        platform_cfgs: platforms.atoms(),
        platforms: platforms.triples,
        packages,
        crates,
    };
    Ok(Loaded {
        project,
        sysroot: platforms.sysroot,
        is_lock_final,
    })
}

/// The root of the workspace that `manifest_path`, or else the nearest `Cargo.toml`, belongs to.
pub fn workspace_root(manifest_path: Option<&Utf8Path>) -> Result<Utf8PathBuf, ProjectError> {
    let root_manifest = workspace_manifest(&find_manifest(manifest_path)?)?;
    Ok(root_manifest.parent().unwrap_or(&root_manifest).to_owned())
}

fn current_dir() -> Result<Utf8PathBuf, ProjectError> {
    let unusable = |reason: String| ProjectError::CurrentDir { reason };
    let dir = env::current_dir().map_err(|error| unusable(error.to_string()))?;
    Utf8PathBuf::from_path_buf(dir).map_err(|dir| unusable(format!("`{}` is not UTF-8", dir.display())))
}

pub(super) fn find_manifest(given: Option<&Utf8Path>) -> Result<Utf8PathBuf, ProjectError> {
    let dir = current_dir()?;
    if let Some(given) = given {
        let path = dir.join(given);
        return if path.exists() {
            Ok(path)
        } else {
            Err(ProjectError::ManifestMissing { path })
        };
    }
    let found = dir.ancestors().map(|it| it.join("Cargo.toml")).find(|it| it.is_file());
    found.ok_or(ProjectError::NoManifest { dir })
}

/// The target directory that the command line or the environment names, else what cargo says is right.
pub(super) fn given_target_dir(options: &LoadOptions) -> Result<Option<Utf8PathBuf>, ProjectError> {
    let from_env = || {
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"]
            .iter()
            .find_map(|name| env::var(name).ok())
    };
    match options
        .target_dir
        .clone()
        .or_else(|| from_env().filter(|it| !it.is_empty()).map(Utf8PathBuf::from))
    {
        Some(dir) => Ok(Some(current_dir()?.join(dir))),
        None => Ok(None),
    }
}

/// Every file that decided what the project is, sorted. A path dependency outside the workspace can inherit from
/// a workspace of its own, so the manifests above it count.
fn inputs(workspace_root: &Utf8Path, packages: &[Package], config: Vec<Utf8PathBuf>) -> Vec<Utf8PathBuf> {
    let mut inputs = config;
    inputs.push(workspace_root.join("Cargo.toml"));
    inputs.push(workspace_root.join("Cargo.lock"));
    for package in packages.iter().filter(|it| it.source == PackageSource::Path) {
        let levels = if package.member { 1 } else { usize::MAX };
        inputs.extend(package.root.ancestors().take(levels).map(|dir| dir.join("Cargo.toml")));
    }
    inputs.retain(|path| path.is_file());
    inputs.sort();
    inputs.dedup();
    inputs
}
