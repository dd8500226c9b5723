//! Where things are in a git repository; and the tree of a revision, as files in a directory of its own. Git writes it, through an index beside it, so neither the
//! repository nor its working tree is touched; attributes and filters apply as in any checkout.

use std::{
    env, fs, io,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

/// A killed process leaves its tree behind; who comes later than this removes it.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// A tree on disk, until this is dropped.
#[derive(Debug)]
pub struct GitTree {
    _dir: TempDir,
    /// The directory that was asked for, as it was.
    pub root: Utf8PathBuf,
    /// The commit's full hash.
    pub commit: String,
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("cannot run `git`: {0}; is it installed and on the PATH?")]
    NotRunnable(io::Error),

    #[error("`{dir}` is not in the working tree of a git repository ({message})")]
    NoRepository { dir: Utf8PathBuf, message: String },

    #[error("no commit `{rev}` in the git repository `{repository}`; `git log` lists them")]
    UnknownRevision { rev: String, repository: Utf8PathBuf },

    #[error("git cannot give the files of {commit}: {message}")]
    Refused { commit: String, message: String },

    #[error("there is no `{path}` in {commit}")]
    Missing { path: Utf8PathBuf, commit: String },

    #[error("cannot make a directory for the files of another revision: {0}")]
    Place(io::Error),
}

impl GitTree {
    /// The tree of `rev` in the repository that `dir` belongs to, in a new directory in `place`.
    ///
    /// # Errors
    ///
    /// See [`GitError`].
    pub fn checkout(dir: &Utf8Path, rev: &str, place: &Path) -> Result<GitTree, GitError> {
        let repository = top(dir)?;
        let prefix = said(&git(dir, &["rev-parse", "--show-prefix"])?.stdout);
        let object = format!("{rev}^{{commit}}");
        let commit = git(dir, &["rev-parse", "--verify", "--quiet", "--end-of-options", &object])?;
        if !commit.status.success() {
            return Err(GitError::UnknownRevision {
                rev: rev.to_owned(),
                repository,
            });
        }
        let commit = said(&commit.stdout);

        remove_abandoned(place);
        let dir = tempfile::Builder::new().prefix("tree-").tempdir_in(place);
        let dir = dir.map_err(GitError::Place)?;
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).map_err(GitError::Place)?;
        let to = format!("--prefix={}/", tree.display());
        for arguments in [
            ["read-tree", "--no-sparse-checkout", &commit].as_slice(),
            &["checkout-index", "--all", "--quiet", &to],
        ] {
            let mut command = command(&repository, arguments);
            command.env("GIT_INDEX_FILE", dir.path().join("index"));
            let output = command.output().map_err(GitError::NotRunnable)?;
            if !output.status.success() {
                return Err(GitError::Refused {
                    message: said(&output.stderr),
                    commit: commit.clone(),
                });
            }
        }
        let unusable = |_| GitError::Place(io::Error::other("its path is not UTF-8"));
        let root = Utf8PathBuf::from_path_buf(tree).map_err(unusable)?.join(&prefix);
        match root.is_dir() {
            true => Ok(GitTree {
                _dir: dir,
                root,
                commit,
            }),
            false => Err(GitError::Missing {
                path: prefix.into(),
                commit,
            }),
        }
    }

    /// The commit's hash, short enough to read.
    pub fn short(&self) -> &str {
        self.commit.get(..10).unwrap_or(&self.commit)
    }
}

/// The top of the working tree that `dir` is in.
///
/// # Errors
///
/// There is none, or no git.
pub fn top(dir: &Utf8Path) -> Result<Utf8PathBuf, GitError> {
    let output = git(dir, &["rev-parse", "--show-toplevel"])?;
    match output.status.success() {
        true => Ok(said(&output.stdout).into()),
        false => Err(GitError::NoRepository {
            dir: dir.to_owned(),
            message: said(&output.stderr),
        }),
    }
}

/// Where git looks for the hook `name`, as its configuration says.
///
/// # Errors
///
/// As [`top`].
pub fn hook(dir: &Utf8Path, name: &str) -> Result<Utf8PathBuf, GitError> {
    let top = top(dir)?;
    let output = git(&top, &["rev-parse", "--git-path", &format!("hooks/{name}")])?;
    Ok(top.join(said(&output.stdout)))
}

fn git(dir: &Utf8Path, arguments: &[&str]) -> Result<Output, GitError> {
    command(dir, arguments).output().map_err(GitError::NotRunnable)
}

/// Hooks run with variables that speak of the index and place of a commit in the making.
fn command(dir: &Utf8Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(arguments).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let is_place = |name: &str| {
            name.starts_with("GIT_")
                && !["GIT_CONFIG", "GIT_SSH", "GIT_EXEC"]
                    .iter()
                    .any(|it| name.starts_with(it))
        };
        if name.to_str().is_some_and(is_place) {
            command.env_remove(&name);
        }
    }
    command
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim()
        .trim_start_matches("fatal: ")
        .to_owned()
}

fn remove_abandoned(place: &Path) {
    let is_old = |path: &Path| {
        let modified = path.metadata().and_then(|it| it.modified());
        let age = modified.ok().and_then(|it| SystemTime::now().duration_since(it).ok());
        age.is_some_and(|age| age > ABANDONED)
    };
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_tree = entry.file_name().to_string_lossy().starts_with("tree-");
        if is_tree && is_old(&entry.path()) {
            // Whoever cannot remove it leaves it to the next.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one commit: `a.txt` and `in/b.txt`.
    fn repository() -> (TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        fs::create_dir(root.join("in")).unwrap();
        fs::write(root.join("a.txt"), "a").unwrap();
        fs::write(root.join("in/b.txt"), "b").unwrap();
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        for arguments in [
            ["init", "--quiet"].as_slice(),
            &["add", "."],
            &[&who[..], &["commit", "--quiet", "-m", "x"]].concat(),
        ] {
            let output = git(&root, arguments).unwrap();
            assert!(output.status.success(), "{}", said(&output.stderr));
        }
        (dir, root)
    }

    #[test]
    fn a_tree_is_what_was_committed_and_goes_with_its_value() {
        let (_dir, root) = repository();
        let place = tempfile::tempdir().unwrap();
        let status = || said(&git(&root, &["status", "--porcelain"]).unwrap().stdout);
        fs::write(root.join("in/b.txt"), "edited").unwrap();
        fs::write(root.join("in/new.txt"), "new").unwrap();
        let before = status();
        let tree = GitTree::checkout(&root.join("in"), "HEAD", place.path()).unwrap();
        assert_eq!(fs::read_to_string(tree.root.join("b.txt")).unwrap(), "b");
        assert!(!tree.root.join("new.txt").exists());
        assert_eq!(fs::read_to_string(tree.root.join("../a.txt")).unwrap(), "a");
        assert_eq!(status(), before);
        assert_eq!(fs::read_to_string(root.join("in/b.txt")).unwrap(), "edited");
        drop(tree);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_git_does_not_know_is_an_error_that_says_so() {
        let (_dir, root) = repository();
        let place = tempfile::tempdir().unwrap();
        let error = |dir: &Utf8Path, rev: &str| GitTree::checkout(dir, rev, place.path()).unwrap_err();
        for rev in ["nope", "", "--all", "HEAD~1", "HEAD:a.txt", "a b"] {
            assert!(matches!(error(&root, rev), GitError::UnknownRevision { .. }), "{rev}");
        }
        fs::create_dir(root.join("later")).unwrap();
        assert!(matches!(error(&root.join("later"), "HEAD"), GitError::Missing { .. }));
        let elsewhere = Utf8Path::from_path(place.path()).unwrap();
        let error = error(elsewhere, "HEAD").to_string();
        assert!(error.contains("is not in the working tree"), "{error}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn trees_of_killed_processes_go_after_a_while() {
        let place = tempfile::tempdir().unwrap();
        for name in ["tree-old", "tree-new", "other"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        let old = SystemTime::now() - 2 * ABANDONED;
        for name in ["tree-old", "other"] {
            let dir = fs::File::open(place.path().join(name)).unwrap();
            dir.set_modified(old).unwrap();
        }
        remove_abandoned(place.path());
        let names = fs::read_dir(place.path()).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["other", "tree-new"]);
    }
}
