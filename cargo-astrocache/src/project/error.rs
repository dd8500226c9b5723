//! Why a project could not be loaded. Each text fits after "failed to load the project: " and ends with what to do.

use std::io;

use camino::Utf8PathBuf;

/// Why [`load`](super::load()) gave no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Neither the directory nor any parent holds a manifest.
    #[error(
        "no `Cargo.toml` in `{dir}` or any parent directory; run this inside a cargo project, or name one with --manifest-path"
    )]
    NoManifest { dir: Utf8PathBuf },

    /// `--manifest-path` names nothing.
    #[error("the manifest `{path}` does not exist; --manifest-path takes the path of a `Cargo.toml`")]
    ManifestMissing { path: Utf8PathBuf },

    /// The current directory cannot be used.
    #[error("cannot tell the current directory: {reason}")]
    CurrentDir { reason: String },

    /// The executable is not there or cannot be run.
    #[error("cannot run `{program}`: {source}; is cargo installed and on the PATH? (`CARGO` may name it)")]
    NotRunnable { program: String, source: io::Error },

    /// Rustc did not name its host.
    #[error(
        "`rustc --print host-tuple` does not tell its host platform: {message}; is the toolchain older than Rust 1.84?"
    )]
    NoHost { message: String },

    /// A platform that the workspace lists and rustc does not know.
    #[error(
        "rustc does not know the platform `{triple}`, which `platforms` in [workspace.metadata.astrocache] lists (`rustc --print target-list` names all): {message}"
    )]
    Platform { triple: String, message: String },

    /// Cargo refused the project; its own words.
    #[error("cargo could not read the project at `{manifest}`:\n{message}")]
    Cargo { manifest: Utf8PathBuf, message: String },

    /// A dependency has to be downloaded, and may not be.
    #[error(
        "a dependency of `{manifest}` is not on this machine, and the network may not be used; run `cargo fetch` once:\n{message}"
    )]
    Offline { manifest: Utf8PathBuf, message: String },

    /// `--locked` and the lock file is missing or does not fit.
    #[error(
        "`Cargo.lock` is missing or does not fit the manifests, and --locked forbids to write it; run `cargo generate-lockfile` or `cargo update --workspace`:\n{message}"
    )]
    Locked { message: String },

    /// Cargo printed something else than its metadata.
    #[error(
        "cannot understand what `cargo metadata` printed for `{manifest}`: {reason}; this cargo may be newer than cargo-astrocache"
    )]
    Output { manifest: Utf8PathBuf, reason: String },

    /// The registry's copy of a dependency is damaged.
    #[error(
        "the source of the dependency `{package}` is incomplete: `{path}` is missing; delete its directory and run `cargo fetch`"
    )]
    DependencySource { package: String, path: Utf8PathBuf },

    /// A target has an edition that this tool does not know.
    #[error("`{package}` uses edition {edition}, which this version of cargo-astrocache does not know; update it")]
    Edition { package: String, edition: String },

    /// A file that decides what the project is cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read { path: Utf8PathBuf, source: io::Error },

    /// A file that decides what the project is does not parse.
    #[error("cannot understand `{path}`: {reason}")]
    Parse { path: Utf8PathBuf, reason: String },

    /// `Cargo.lock` was to stay as it was.
    #[error("cannot put `{path}` back as it was: {source}")]
    RestoreLock { path: Utf8PathBuf, source: io::Error },
}
