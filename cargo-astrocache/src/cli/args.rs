//! What can be typed. Names and headings are cargo's own, so that what one knows of cargo holds here.

use std::time::Duration;

use astrocache::store::parse_size;
use camino::{Utf8Path, Utf8PathBuf};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit;
use crate::project::LoadOptions;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Keeps durable memoization fresh: tells which cached functions can run changed code
#[derive(Debug, Parser)]
#[command(name = "cargo-astrocache", bin_name = "cargo astrocache", version, styles = STYLES)]
#[command(after_help = exit::TABLE, subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) display: DisplayArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell whether Astrocache.lock fits the source; write nothing
    #[command(after_help = exit::TABLE)]
    Check {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        packages: PackageArgs,
    },
    /// Write Astrocache.lock anew from the source
    #[command(after_help = exit::TABLE)]
    Update {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        packages: PackageArgs,
    },
    /// Delete stored results that neither Astrocache.lock nor the source asks for
    #[command(after_help = exit::TABLE)]
    Prune(PruneArgs),
    /// Count stored results, hits, misses, and the time they saved
    #[command(after_help = exit::TABLE)]
    Stats {
        #[command(flatten)]
        packages: PackageArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Read every stored result, and remove what is damaged
    #[command(after_help = exit::TABLE)]
    Verify(StoreArgs),
    /// Delete all stored results of the workspace
    #[command(after_help = exit::TABLE)]
    Clear(StoreArgs),
    /// Show all code that a function can run, and how it gets there
    #[command(after_help = exit::TABLE)]
    Explain {
        /// A function: `app::render::page`, `app::Page::render`, or the end of such a path
        function: String,
        /// Tell only what of that code is not as it was in this git revision
        #[arg(long, value_name = "REV")]
        since: Option<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Sum up the packages and files that the code of a function comes from
    #[command(after_help = exit::TABLE)]
    Deps {
        /// A function: `app::render::page`, or the end of such a path [default: all cached functions]
        function: Option<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// List the cached functions
    #[command(after_help = exit::TABLE)]
    List {
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        packages: PackageArgs,
    },
    /// Tell on each save which cached functions it invalidates, and why
    ///
    /// Runs until Ctrl-C. Keeps the ledger up to date, which the `#[cached]` macro reads while it compiles, so that a build
    /// after a save need not analyze anything.
    #[command(after_help = exit::TABLE)]
    Watch {
        /// Write Astrocache.lock too, whenever all source files parse
        #[arg(long)]
        update: bool,
        #[command(flatten)]
        project: ProjectArgs,
        #[command(flatten)]
        packages: PackageArgs,
    },
    /// Print the fingerprint of any functions of the workspace, cached or not
    #[command(after_help = exit::TABLE)]
    Fingerprint {
        /// Functions: `app::render::page`, `app::Page::render`, or the end of such a path
        #[arg(required = true)]
        functions: Vec<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Have Astrocache.lock checked before each commit, or by CI
    ///
    /// Writes what is missing and leaves alone what is there: a file that exists is not changed, but told what to add to it.
    #[command(after_help = exit::TABLE)]
    Init(InitArgs),
    /// Print a completion script for a shell
    ///
    /// It completes `cargo-astrocache`, which does the same as `cargo astrocache`. For bash, for example:
    /// `cargo astrocache completions bash > ~/.local/share/bash-completion/completions/cargo-astrocache`
    #[command(after_help = exit::TABLE)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the ledger that the `#[cached]` macro reads while it compiles
    #[command(hide = true)]
    Ledger {
        #[command(flatten)]
        project: ProjectArgs,
    },
}

/// What is read.
#[derive(Debug, Args)]
pub(super) struct ProjectArgs {
    /// Directory for what cargo builds, where the ledger is kept too
    #[arg(long, value_name = "DIRECTORY", help_heading = "Compilation Options")]
    target_dir: Option<Utf8PathBuf>,
    #[command(flatten)]
    features: FeatureArgs,
    #[command(flatten)]
    manifest: ManifestArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Feature Selection")]
struct FeatureArgs {
    /// Space or comma separated list of features to activate
    #[arg(short = 'F', long, value_name = "FEATURES")]
    features: Vec<String>,
    /// Activate all available features
    #[arg(long)]
    all_features: bool,
    /// Do not activate the `default` feature
    #[arg(long)]
    no_default_features: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Manifest Options")]
struct ManifestArgs {
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<Utf8PathBuf>,
    /// Assert that `Cargo.lock` will remain unchanged
    #[arg(long)]
    locked: bool,
    /// Run without accessing the network
    #[arg(long)]
    offline: bool,
    /// Equivalent to specifying both --locked and --offline
    #[arg(long)]
    frozen: bool,
}

/// Whose cached functions are looked at.
#[derive(Debug, Args)]
#[command(next_help_heading = "Package Selection")]
pub(super) struct PackageArgs {
    /// Only the cached functions of these packages
    #[arg(short, long = "package", value_name = "SPEC")]
    pub(super) packages: Vec<String>,
    /// All packages of the workspace (the default)
    #[arg(long, conflicts_with = "packages")]
    workspace: bool,
}

impl PackageArgs {
    /// Whether the command is about a package.
    pub(super) fn has(&self, package: &str) -> bool {
        self.packages.is_empty() || self.packages.iter().any(|it| it == package)
    }
}

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Tell what would be deleted; delete nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Delete everything, not only what is stale
    #[arg(long, conflicts_with_all = ["keep_versions", "keep_branches", "older_than", "max_size"])]
    pub(super) all: bool,
    /// Keep the newest N stale versions of each function
    #[arg(long, value_name = "N")]
    pub(super) keep_versions: Option<usize>,
    /// Keep what Astrocache.lock lists on any git branch
    #[arg(long)]
    pub(super) keep_branches: bool,
    /// Also delete what was not used for so long: 30s, 15m, 12h or 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) older_than: Option<Duration>,
    /// Also delete what is cheapest to compute again, until the store is this small: 500M, 2G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_size: Option<u64>,
    #[command(flatten)]
    pub(super) packages: PackageArgs,
    /// Only results of these functions: `app::render::page`, or the end of such a path
    #[arg(long = "function", value_name = "PATH", help_heading = "Package Selection")]
    pub(super) functions: Vec<String>,
    #[command(flatten)]
    pub(super) project: ProjectArgs,
}

/// Whose store is looked at.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest Options")]
    pub(super) manifest_path: Option<Utf8PathBuf>,
}

fn size(text: &str) -> Result<u64, &'static str> {
    parse_size(text).ok_or("write bytes, or a number with K, M, G or T")
}

/// With the units of `ttl = ".."`.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    parsed
        .map(Duration::from_secs)
        .ok_or("write a number and a unit: 30s, 15m, 12h or 7d")
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// What to set up [default: `pre-commit` where there is a .pre-commit-config.yaml, else `git-hook`; and `github` where
    /// there is a .github]
    #[arg(value_enum)]
    pub(super) what: Vec<Setup>,
    /// Tell what would be written; write nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest Options")]
    pub(super) manifest_path: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Setup {
    /// A hook of git itself
    GitHook,
    /// A hook for <https://pre-commit.com>
    PreCommit,
    /// A workflow for GitHub Actions
    Github,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Display Options")]
pub(super) struct DisplayArgs {
    /// Form of the output: JSON goes to stdout, `github` is annotations for GitHub Actions
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FMT")]
    pub(super) message_format: MessageFormat,
    /// Coloring [default: auto, or CARGO_TERM_COLOR]
    #[arg(long, global = true, value_enum, value_name = "WHEN")]
    pub(super) color: Option<Color>,
    /// Print only findings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum MessageFormat {
    #[default]
    Human,
    Json,
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl ProjectArgs {
    pub(super) fn manifest_path(&self) -> Option<&Utf8Path> {
        self.manifest.manifest_path.as_deref()
    }

    /// As the project layer takes them.
    pub(super) fn load_options(&self) -> LoadOptions {
        LoadOptions {
            features: self.features.features.clone(),
            all_features: self.features.all_features,
            no_default_features: self.features.no_default_features,
            offline: self.manifest.offline,
            locked: self.manifest.locked,
            frozen: self.manifest.frozen,
            target_dir: self.target_dir.clone(),
            keep_lock: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_need_a_unit_and_sizes_a_number() {
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(size("3K"), Ok(3072));
        for text in ["", "d", "5", "5 d", "-1d", "1.5d", "99999999999999999d", "5w", "é"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(size("many").is_err());
    }

    #[test]
    fn display_flags_stand_before_or_after_the_command() {
        for line in [["x", "-q", "check"], ["x", "check", "-q"]] {
            assert!(Cli::try_parse_from(line).unwrap().display.quiet);
        }
        assert!(Cli::try_parse_from(["x", "check", "-q", "-v"]).is_err());
        assert!(Cli::try_parse_from(["x", "explain"]).is_err());
    }
}
