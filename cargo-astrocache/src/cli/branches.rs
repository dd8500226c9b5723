//! The manifests on all branches of the git repository, local and remote-tracking, as the `git` command gives them.
//!
//! Three runs of git whatever the number of branches, each bounded in time and output.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use astrocache_manifest::Manifest;
use camino::Utf8Path;

use super::session::unusable_manifest;

const PATIENCE: Duration = Duration::from_secs(60);
const MAX_OUTPUT: u64 = 64 << 20;

/// The different manifests that branches have for the workspace at `root`. A branch may have none.
///
/// # Errors
///
/// No git, no repository, or a manifest that cannot be used: nothing is guessed.
pub(super) fn manifests(root: &Utf8Path) -> anyhow::Result<Vec<Manifest>> {
    let branches = git(
        root,
        &["for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes"],
        "",
    )?;
    let branches = String::from_utf8_lossy(&branches).into_owned();
    let asked: String = branches
        .lines()
        .map(|branch| format!("{branch}:./{}\n", Manifest::FILE_NAME))
        .collect();
    let found = git(root, &["cat-file", "--batch-check"], &asked)?;
    let found = String::from_utf8_lossy(&found).into_owned();
    // `<id> blob <size>`, or `<what was asked> missing`; many branches share one blob.
    let mut blobs: Vec<(&str, &str)> = found
        .lines()
        .zip(branches.lines())
        .filter_map(|(line, branch)| Some((line.split_once(" blob ")?.0, branch)))
        .collect();
    blobs.sort_unstable();
    blobs.dedup_by_key(|(id, _)| *id);
    let asked: String = blobs.iter().map(|(id, _)| format!("{id}\n")).collect();
    let mut contents = &git(root, &["cat-file", "--batch"], &asked)?[..];
    blobs
        .iter()
        .map(|(_, branch)| {
            let text = take_blob(&mut contents).with_context(|| format!("git gave no manifest of `{branch}`"))?;
            let origin = format!("{branch}:{}", Manifest::FILE_NAME);
            unusable_manifest(Manifest::parse(&String::from_utf8_lossy(text), Path::new(&origin)))
        })
        .collect()
}

/// One answer of `git cat-file --batch`: `<id> blob <size>\n<content>\n`.
fn take_blob<'a>(contents: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = contents.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = (std::str::from_utf8(&contents[..end]).ok()?, &contents[end + 1..]);
    let size: usize = head.rsplit_once(' ')?.1.parse().ok()?;
    let (blob, rest) = rest.split_at_checked(size)?;
    *contents = rest.strip_prefix(b"\n")?;
    Some(blob)
}

/// What git prints. Files instead of pipes: neither side can block the other.
fn git(root: &Utf8Path, arguments: &[&str], input: &str) -> anyhow::Result<Vec<u8>> {
    let scratch = || tempfile::tempfile().context("cannot make a temporary file");
    let (mut stdin, mut stdout, mut stderr) = (scratch()?, scratch()?, scratch()?);
    stdin.write_all(input.as_bytes()).and_then(|()| stdin.rewind())?;
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(root)
        // No question, no fetching of what a partial clone lacks, messages that do not depend on the user's language.
        .envs([
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("LC_ALL", "C"),
        ])
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .spawn()
        .context("cannot run `git`, which --keep-branches reads the branches with")?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let too_much = stdout.metadata()?.len() > MAX_OUTPUT;
        if too_much || start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            bail!(
                "`git {}` {}",
                arguments.join(" "),
                if too_much {
                    "said more than 64 MiB"
                } else {
                    "did not end within a minute"
                }
            );
        }
        thread::sleep(Duration::from_millis(2));
    };
    if !status.success() {
        let said = String::from_utf8_lossy(&all_of(&mut stderr)?).trim().to_owned();
        bail!("--keep-branches needs a git repository at `{root}`; git says: {said}");
    }
    all_of(&mut stdout)
}

fn all_of(file: &mut File) -> anyhow::Result<Vec<u8>> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(MAX_OUTPUT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_git_are_taken_one_by_one() {
        let mut contents = &b"abc blob 3\na\nb\nabd blob 0\n\nabe blob 9\nshort\n"[..];
        assert_eq!(take_blob(&mut contents), Some(&b"a\nb"[..]));
        assert_eq!(take_blob(&mut contents), Some(&b""[..]));
        assert_eq!(take_blob(&mut contents), None);
        assert_eq!(take_blob(&mut &b"abe missing\n"[..]), None);
    }
}
