//! Keeping a directory of packs bounded: those that no workspace has used for a month go. Nothing waits here, and nothing
//! that fails matters: two sweeps at once remove the same files.

use std::{
    fs::{self, DirEntry, File},
    path::Path,
    time::{Duration, SystemTime},
};

use super::frame::TEMPORARY;

/// How names of packs end.
pub const PACK: &str = ".pack";
/// How names of states end.
pub const STATE: &str = ".state";
/// How names of kept projects end.
pub const PROJECT: &str = ".project";
/// When the last sweep was, as a file's modification time.
const STAMP: &str = "swept";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Says that the pack at `path` is in use, at most daily.
pub fn touch(path: &Path, now: SystemTime) {
    if age(path, now) > DAY {
        set_modified(path, now);
    }
}

/// Removes packs that nobody touched for 30 days, and what killed processes left, at most daily.
pub fn sweep(dir: &Path, now: SystemTime) {
    let stamp = dir.join(STAMP);
    if age(&stamp, now) <= DAY {
        return;
    }
    // Before the work, so that of many processes few do it.
    if fs::write(&stamp, "").is_err() {
        return;
    }
    set_modified(&stamp, now);
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if is_stale(&entry, now) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_stale(entry: &DirEntry, now: SystemTime) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let kept = match () {
        () if [PACK, STATE, PROJECT].iter().any(|end| name.ends_with(end)) => KEPT,
        () if name.starts_with(TEMPORARY) => DAY,
        () => return false,
    };
    age(&entry.path(), now) > kept
}

/// How long ago a file was written; for ever if there is none, not at all if its time is to come.
fn age(path: &Path, now: SystemTime) -> Duration {
    let modified = fs::symlink_metadata(path).and_then(|stat| stat.modified());
    modified.map_or(Duration::MAX, |time| now.duration_since(time).unwrap_or_default())
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = File::options().append(true).open(path);
    let _ = file.and_then(|file| file.set_modified(time));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|it| it.unwrap());
        let mut names: Vec<String> = entries.map(|it| it.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn unused_packs_go_after_a_month_and_used_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, days) in [
            ("old.pack", 31),
            ("used.pack", 31),
            ("new.pack", 29),
            ("old.state", 31),
            ("new.state", 29),
            ("old.project", 31),
            ("new.project", 29),
            (".writing-x", 2),
            (".writing-y", 0),
            ("other", 400),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, "x").unwrap();
            set_modified(&path, now - DAY * days);
        }
        touch(&dir.path().join("used.pack"), now);
        touch(&dir.path().join("none.pack"), now);
        sweep(dir.path(), now);
        assert_eq!(
            names(dir.path()),
            [
                ".writing-y",
                "new.pack",
                "new.project",
                "new.state",
                "other",
                "swept",
                "used.pack"
            ]
        );
    }

    #[test]
    fn a_sweep_is_daily() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        sweep(dir.path(), now);
        fs::write(dir.path().join("late.pack"), "x").unwrap();
        set_modified(&dir.path().join("late.pack"), now - DAY * 40);
        sweep(dir.path(), now + DAY / 2);
        assert_eq!(names(dir.path()), ["late.pack", "swept"]);
        sweep(dir.path(), now + DAY * 2);
        assert_eq!(names(dir.path()), ["swept"]);
        sweep(&dir.path().join("none"), now);
    }
}
