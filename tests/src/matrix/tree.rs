//! Source trees: a case's files with its edits applied, made whole (manifests, lock file) and written to disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::parse::{Case, Edit, Step};

/// What a case's tree looks like at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Path (with `/`) to text. Every package has its manifest.
    pub files: BTreeMap<String, String>,
    /// Registry packages held at a version in `Cargo.lock`; a version may be the beginning of one.
    pub locks: BTreeMap<String, String>,
}

/// Why a tree could not be made.
#[derive(Debug)]
pub enum TreeError {
    /// The edit does not fit the tree.
    Edit(String),
    /// Disk trouble.
    Io(PathBuf, io::Error),
    /// cargo could not make the lock file.
    Cargo(String),
}

impl std::error::Error for TreeError {}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeError::Edit(what) => write!(f, "the edit does not fit the tree: {what}"),
            TreeError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            TreeError::Cargo(what) => write!(f, "cargo could not lock the tree: {what}"),
        }
    }
}

impl Tree {
    /// The tree of a case before any edit.
    pub fn base(case: &Case) -> Tree {
        Tree {
            files: whole(case.files.clone()),
            locks: case.locks.clone(),
        }
    }

    /// The tree of a case after one edit.
    pub fn edited(case: &Case, edit: &Edit) -> Result<Tree, TreeError> {
        let mut tree = Tree {
            files: case.files.clone(),
            locks: case.locks.clone(),
        };
        for step in &edit.steps {
            tree.apply(step).map_err(TreeError::Edit)?;
        }
        let tree = Tree {
            files: whole(tree.files),
            ..tree
        };
        if tree == Tree::base(case) {
            return Err(TreeError::Edit("it changes nothing".to_owned()));
        }
        Ok(tree)
    }

    /// Makes `dir` hold exactly this tree, with a lock file of its own. Files that are right already are not touched, nor
    /// are directories whose name starts with `target`.
    pub fn write_to(&self, dir: &Path) -> Result<(), TreeError> {
        let keep: BTreeSet<PathBuf> = self.files.keys().map(|name| dir.join(name)).collect();
        remove_others(dir, &keep).map_err(|e| TreeError::Io(dir.to_owned(), e))?;
        let mut lock_is_old = !self.locks.is_empty() || !dir.join("Cargo.lock").exists();
        for (name, text) in &self.files {
            let path = dir.join(name);
            if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
                continue;
            }
            lock_is_old |= name.ends_with("Cargo.toml");
            let parent = path.parent().unwrap_or(dir);
            fs::create_dir_all(parent).map_err(|e| TreeError::Io(parent.to_owned(), e))?;
            fs::write(&path, text).map_err(|e| TreeError::Io(path, e))?;
        }
        if lock_is_old { self.lock(dir) } else { Ok(()) }
    }

    /// A lock file from nothing, so that it depends on this tree alone and not on the one before it.
    fn lock(&self, dir: &Path) -> Result<(), TreeError> {
        let path = dir.join("Cargo.lock");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(TreeError::Io(path, error));
            }
            _ => cargo(dir, &["generate-lockfile"])?,
        }
        for (package, version) in &self.locks {
            let version = locked_here(package, version)?;
            cargo(dir, &["update", package, "--precise", &version])?;
        }
        Ok(())
    }

    fn apply(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Replace { file, old, new } => self.replace(file.as_deref(), old, new)?,
            Step::Lines { file, old, new } => {
                let text = self.text(file)?;
                *text = with_lines(text, old, new)
                    .ok_or_else(|| format!("`{file}` does not hold these lines exactly once: {old:?}"))?;
            }
            Step::Write { file, text } => {
                self.files.insert(file.clone(), text.clone());
            }
            Step::Delete { file } => {
                self.text(file)?;
                self.files.remove(file);
            }
            Step::WindowsLines { file } => {
                let text = self.text(file)?;
                *text = text.replace('\n', "\r\n");
            }
            Step::Mark { file } => self.text(file)?.insert(0, '\u{feff}'),
            Step::Lock { package, version } => {
                self.locks.insert(package.clone(), version.clone());
            }
        }
        Ok(())
    }

    fn text(&mut self, file: &str) -> Result<&mut String, String> {
        self.files.get_mut(file).ok_or_else(|| format!("there is no `{file}`"))
    }

    fn replace(&mut self, file: Option<&str>, old: &str, new: &str) -> Result<(), String> {
        let wanted = |name: &str| file.is_none_or(|file| file == name);
        let holders: Vec<&String> = self
            .files
            .iter()
            .flat_map(|(name, text)| text.matches(old).map(move |_| name))
            .filter(|n| wanted(n))
            .collect();
        let [holder] = holders.as_slice() else {
            let place = file.unwrap_or("the tree");
            return Err(format!("`{old}` stands {} times in {place}, not once", holders.len()));
        };
        let holder = (*holder).clone();
        let text = self.text(&holder)?;
        *text = text.replacen(old, new, 1);
        Ok(())
    }
}

/// Fills in what a page leaves out: a manifest for each directory with a `src`, its `[package]` table, and a workspace
/// manifest where the package is not at the top.
fn whole(mut files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let of_src = |name: &String| {
        let (dir, _) = name.split_once("src/")?;
        (dir.is_empty() || dir.ends_with('/')).then(|| dir.to_owned())
    };
    let of_manifest = |name: &String| name.strip_suffix("Cargo.toml").map(str::to_owned);
    let mut packages: BTreeSet<String> = files.keys().filter_map(of_src).collect();
    packages.extend(files.keys().filter_map(of_manifest).filter(|dir| !dir.is_empty()));
    for dir in &packages {
        let text = files.entry(format!("{dir}Cargo.toml")).or_default();
        if !text.contains("[package]") {
            let name = dir
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .filter(|n| !n.is_empty())
                .unwrap_or("case");
            *text = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{text}");
        }
    }
    files.entry("Cargo.toml".to_owned()).or_insert_with(|| {
        let members: Vec<String> = packages
            .iter()
            .map(|dir| format!("{:?}", dir.trim_end_matches('/')))
            .collect();
        format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", "))
    });
    files
}

/// `text` with the one block of lines `old` replaced; no `old` means that `new` goes to the end.
fn with_lines(text: &str, old: &[String], new: &[String]) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = match old.len() {
        0 => lines.len(),
        n => {
            let mut hits = lines
                .windows(n)
                .enumerate()
                .filter(|(_, window)| window == &old)
                .map(|(at, _)| at);
            let first = hits.next()?;
            if hits.next().is_some() {
                return None;
            }
            first
        }
    };
    let mut out = lines[..at].to_vec();
    out.extend(new.iter().map(String::as_str));
    out.extend(&lines[at + old.len()..]);
    Some(out.join("\n") + "\n")
}

fn remove_others(dir: &Path, keep: &BTreeSet<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return fs::create_dir_all(dir),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with("target") {
                remove_others(&path, keep)?;
            }
        } else if name != "Cargo.lock" && !keep.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The version that this repository's own lock file holds: those are the packages a machine that builds it has.
fn locked_here(package: &str, prefix: &str) -> Result<String, TreeError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let text = fs::read_to_string(&path).map_err(|e| TreeError::Io(path, e))?;
    let head = format!("name = \"{package}\"\nversion = \"");
    text.split(&head)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|version| version.starts_with(prefix))
        .map(str::to_owned)
        .ok_or_else(|| TreeError::Cargo(format!("the repository's Cargo.lock has no `{package}` {prefix}")))
}

fn cargo(dir: &Path, args: &[&str]) -> Result<(), TreeError> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(args)
        .args(["--offline", "--quiet"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| TreeError::Cargo(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(TreeError::Cargo(format!(
        "`cargo {}` in {}: {}",
        args.join(" "),
        dir.display(),
        said.trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn case(page: &str) -> Case {
        let text = format!("## C\n\nR1\n\n{page}");
        parse("p.md", &text).unwrap_or_else(|flaw| panic!("{flaw}")).remove(0)
    }

    fn edit_error(step: &str) -> String {
        let case = case(&format!(
            "```rust src/lib.rs\none one\ntwo\n```\n\n### stays: t\n\n{step}\n"
        ));
        Tree::edited(&case, &case.edits[0])
            .expect_err("the edit does not fit")
            .to_string()
    }

    #[test]
    fn packages_get_their_manifests_and_the_workspace_its_members() {
        let case = case(
            "```rust case/src/lib.rs\n```\n\n```toml util/Cargo.toml\n[features]\n```\n\n```rust util/src/lib.rs\n```\n\n### stays: t\n\n`[features]` goes.\n",
        );
        let tree = Tree::base(&case);
        assert_eq!(
            tree.files["Cargo.toml"],
            "[workspace]\nresolver = \"3\"\nmembers = [\"case\", \"util\"]\n"
        );
        assert!(tree.files["util/Cargo.toml"].starts_with("[package]\nname = \"util\"\n"));
        assert!(tree.files["util/Cargo.toml"].ends_with("\n\n[features]\n"));
        assert!(tree.files["case/Cargo.toml"].contains("name = \"case\""));
    }

    #[test]
    fn an_edit_that_fits_nowhere_or_twice_is_refused() {
        assert!(edit_error("`one` becomes `1`.").contains("`one` stands 2 times in the tree"));
        assert!(edit_error("`three` goes.").contains("stands 0 times"));
        assert!(edit_error("`two` becomes `2` in `src/main.rs`.").contains("stands 0 times in src/main.rs"));
        assert!(edit_error("`two` becomes `two`.").contains("it changes nothing"));
        assert!(edit_error("`src/main.rs` is deleted.").contains("there is no `src/main.rs`"));
        assert!(edit_error("```diff src/lib.rs\n-one\n```").contains("exactly once"));
    }

    #[test]
    fn lines_are_replaced_as_a_block_or_go_to_the_end() {
        let lines = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            with_lines("a\nb\nc\n", &lines(&["b", "c"]), &lines(&["x"])).as_deref(),
            Some("a\nx\n")
        );
        assert_eq!(with_lines("a\n", &[], &lines(&["b"])).as_deref(), Some("a\nb\n"));
        assert_eq!(with_lines("a\na\n", &lines(&["a"]), &[]), None);
    }

    #[test]
    fn a_tree_on_disk_is_exactly_the_tree() {
        let dir = tempfile::tempdir().expect("a directory");
        let case =
            case("```rust src/lib.rs\na\n```\n\n```rust src/m.rs\n```\n\n### stays: t\n\n`src/m.rs` is deleted.\n");
        Tree::base(&case).write_to(dir.path()).expect("written");
        assert!(dir.path().join("src/m.rs").exists() && dir.path().join("Cargo.lock").exists());
        Tree::edited(&case, &case.edits[0])
            .expect("fits")
            .write_to(dir.path())
            .expect("written");
        assert!(!dir.path().join("src/m.rs").exists() && dir.path().join("src/lib.rs").exists());
    }
}
