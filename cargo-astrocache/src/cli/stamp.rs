//! The stamp in the target directory: crates that were built without this tool watch it, and the macro leaves it with a
//! time long past. Whoever finds it so sets it to now, once: cargo then builds those crates again, with us.

use std::fs::{File, FileTimes, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// As the macro makes it: see `watch_for_the_tool` there.
const UNTOUCHED: Duration = Duration::from_secs(1);

/// Says that the tool is here. A stamp that cannot be written costs those crates a finer fingerprint, no more.
pub(super) fn touch(target_dir: &Path) {
    let _ = try_touch(&target_dir.join("astrocache").join("stamp"));
}

fn try_touch(stamp: &Path) -> io::Result<()> {
    if !stamp.metadata().is_ok_and(|it| is_untouched(&it)) {
        return Ok(());
    }
    let file = File::options().write(true).open(stamp)?;
    file.set_times(FileTimes::new().set_modified(SystemTime::now()))
}

fn is_untouched(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.modified().ok() == Some(SystemTime::UNIX_EPOCH + UNTOUCHED)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mtime(path: &Path) -> SystemTime {
        path.metadata().unwrap().modified().unwrap()
    }

    #[test]
    fn an_untouched_stamp_is_set_to_now_once_and_none_is_made() {
        let target = tempfile::tempdir().unwrap();
        touch(target.path());
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);

        let dir = target.path().join("astrocache");
        fs::create_dir(&dir).unwrap();
        let stamp = dir.join("stamp");
        let file = File::create(&stamp).unwrap();
        let times = |time| FileTimes::new().set_modified(time);
        file.set_times(times(SystemTime::UNIX_EPOCH + UNTOUCHED)).unwrap();
        let before = SystemTime::now() - Duration::from_secs(10);
        touch(target.path());
        assert!(mtime(&stamp) > before);

        let touched = SystemTime::UNIX_EPOCH + Duration::from_secs(5000);
        file.set_times(times(touched)).unwrap();
        touch(target.path());
        assert_eq!(mtime(&stamp), touched);
    }

    #[test]
    fn a_directory_in_its_place_is_left_alone() {
        let target = tempfile::tempdir().unwrap();
        fs::create_dir_all(target.path().join("astrocache/stamp")).unwrap();
        touch(target.path());
    }
}
