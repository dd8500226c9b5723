//! `init`: has the manifest checked where it is easily forgotten. What is there is never changed: whoever has a hook or a
//! configuration already is told what to add.

use std::fs::{self, File};
use std::io::{self, Write as _};

use anyhow::Context as _;
use astrocache_manifest::Manifest;
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;

use super::args::{InitArgs, MessageFormat, Setup};
use super::exit::Outcome;
use super::ui::Ui;
use crate::project;
use crate::source::git;

/// Whoever has this in a file has what `init` would write.
const MARK: &str = "astrocache check";

pub(super) fn run(args: &InitArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let root = project::workspace_root(args.manifest_path.as_deref())?;
    let mut setups = match args.what.is_empty() {
        true => detected(&root)?,
        false => args.what.clone(),
    };
    setups.sort();
    setups.dedup();
    // All that can go wrong goes wrong before anything is written.
    let pieces: Vec<Piece> = setups
        .iter()
        .map(|&it| Piece::of(it, &root))
        .collect::<anyhow::Result<_>>()?;
    let mut told = Vec::new();
    let mut all_done = true;
    for piece in &pieces {
        let standing = piece.set_up(args.dry_run)?;
        all_done &= standing != Standing::Theirs;
        told.push(piece.json(standing));
        piece.tell(standing, ui)?;
    }
    if ui.format == MessageFormat::Json {
        ui.json(&told)?;
    }
    if !root.join(Manifest::FILE_NAME).exists() {
        ui.help("run `cargo astrocache update` and commit Astrocache.lock");
    }
    Ok(if all_done { Outcome::Done } else { Outcome::Findings })
}

/// What the repository's own files speak for.
fn detected(root: &Utf8Path) -> anyhow::Result<Vec<Setup>> {
    let top = git::top(root)?;
    let hook = match top.join(PRE_COMMIT_CONFIG).exists() {
        true => Setup::PreCommit,
        false => Setup::GitHook,
    };
    let github = top.join(".github").is_dir().then_some(Setup::Github);
    Ok([hook].into_iter().chain(github).collect())
}

const PRE_COMMIT_CONFIG: &str = ".pre-commit-config.yaml";

/// Something to set up.
struct Piece {
    setup: Setup,
    path: Utf8PathBuf,
    /// All of the file, where there is none.
    whole: String,
    /// For a file that is there.
    addition: String,
    /// Says where `addition` belongs.
    place: &'static str,
    /// Something there says the same already.
    is_there: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Written,
    WouldWrite,
    Present,
    /// The file is somebody else's.
    Theirs,
}

impl Piece {
    fn of(setup: Setup, root: &Utf8Path) -> anyhow::Result<Piece> {
        let top = git::top(root)?;
        // Git speaks of real paths.
        let real = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
        let inside = real.strip_prefix(&top).unwrap_or(Utf8Path::new(""));
        let check = match inside.as_str() {
            "" => "cargo astrocache check".to_owned(),
            inside => format!("cargo astrocache check --manifest-path {inside}/Cargo.toml"),
        };
        Ok(match setup {
            Setup::GitHook => git_hook(git::hook(root, "pre-commit")?, &check),
            Setup::PreCommit => pre_commit(top.join(PRE_COMMIT_CONFIG), &check),
            Setup::Github => github(&top.join(".github/workflows"), &check),
        })
    }

    fn set_up(&self, dry_run: bool) -> anyhow::Result<Standing> {
        if self.is_there {
            return Ok(Standing::Present);
        }
        if self.path.symlink_metadata().is_ok() {
            return Ok(Standing::Theirs);
        }
        if dry_run {
            return Ok(Standing::WouldWrite);
        }
        let cannot = || format!("cannot write `{}`", self.path);
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir).with_context(cannot)?;
        }
        match File::create_new(&self.path) {
            Ok(mut file) => file.write_all(self.whole.as_bytes()).with_context(cannot)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Standing::Theirs),
            Err(error) => return Err(error).with_context(cannot),
        }
        #[cfg(unix)]
        if self.setup == Setup::GitHook {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&self.path, fs::Permissions::from_mode(0o755)).with_context(cannot)?;
        }
        Ok(Standing::Written)
    }

    fn tell(&self, standing: Standing, ui: &Ui) -> io::Result<()> {
        let path = &self.path;
        match standing {
            Standing::Written => ui.status("Written", path),
            Standing::WouldWrite => ui.status("Would write", path),
            Standing::Present => ui.status("Fresh", format_args!("{path} runs `{MARK}` already")),
            Standing::Theirs => {
                ui.finding(
                    "Yours",
                    None,
                    format_args!("{path} is there and is left as it is; {}", self.place),
                );
                if ui.format != MessageFormat::Json {
                    ui.stdout(&self.addition)?;
                }
            }
        }
        Ok(())
    }

    fn json(&self, standing: Standing) -> serde_json::Value {
        let (status, add) = match standing {
            Standing::Written => ("written", None),
            Standing::WouldWrite => ("would-write", None),
            Standing::Present => ("present", None),
            Standing::Theirs => ("yours", Some(&self.addition)),
        };
        let what = match self.setup {
            Setup::GitHook => "git-hook",
            Setup::PreCommit => "pre-commit",
            Setup::Github => "github",
        };
        json!({ "what": what, "file": self.path, "status": status, "add": add })
    }
}

fn says_so(path: &Utf8Path) -> bool {
    fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(MARK))
}

fn git_hook(path: Utf8PathBuf, check: &str) -> Piece {
    Piece {
        setup: Setup::GitHook,
        is_there: says_so(&path),
        path,
        whole: format!(
            "#!/bin/sh\n# By `cargo astrocache init`: no commit whose Astrocache.lock does not fit the source.\nexec {check} --quiet\n"
        ),
        addition: format!("{check} --quiet || exit 1\n"),
        place: "add to it this line",
    }
}

fn pre_commit(path: Utf8PathBuf, check: &str) -> Piece {
    let hook = format!(
        r"  - repo: local
    hooks:
      - id: cargo-astrocache-check
        name: cargo astrocache check
        entry: {check}
        language: system
        always_run: true
        pass_filenames: false
"
    );
    Piece {
        setup: Setup::PreCommit,
        is_there: says_so(&path) || fs::read_to_string(&path).is_ok_and(|it| it.contains("cargo-astrocache-check")),
        path,
        whole: format!("# By `cargo astrocache init`. Run `pre-commit install` once in each clone.\nrepos:\n{hook}"),
        addition: hook,
        place: "add under `repos:`",
    }
}

fn github(workflows: &Utf8Path, check: &str) -> Piece {
    let version = env!("CARGO_PKG_VERSION");
    let steps = format!(
        r"      - uses: actions/checkout@v4
      # Another version may make other fingerprints.
      - run: cargo install cargo-astrocache --locked --version {version}
      - run: {check} --message-format github
"
    );
    let mut files = workflows.read_dir_utf8().into_iter().flatten().flatten();
    Piece {
        setup: Setup::Github,
        path: workflows.join("astrocache.yml"),
        whole: format!(
            r"# By `cargo astrocache init`: fails where Astrocache.lock does not fit the source.
name: astrocache
on: [push, pull_request]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
{steps}"
        ),
        addition: steps,
        place: "add these steps to a job",
        is_there: files.any(|it| says_so(it.path())),
    }
}
