//! Which directories are watched, and which events are about what the answer rests on. An event only wakes: what changed is
//! found out by looking at all files.
//!
//! Directories one by one, never a whole tree: the target directory has thousands, and builds write there all the time.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Message;

/// See the module.
pub(super) struct Eyes {
    watcher: RecommendedWatcher,
    watched: FxHashSet<Utf8PathBuf>,
    /// Paths whose events count, with all links on the way resolved.
    paths: FxHashSet<PathBuf>,
    /// Directories of which every entry counts.
    folders: FxHashSet<PathBuf>,
}

/// What is to be watched.
#[derive(Default)]
struct Wanted {
    dirs: FxHashSet<Utf8PathBuf>,
    paths: FxHashSet<PathBuf>,
    folders: FxHashSet<PathBuf>,
    /// Directories with their links resolved; `None`: there is no such directory.
    real: FxHashMap<Utf8PathBuf, Option<Utf8PathBuf>>,
    seen: FxHashSet<Utf8PathBuf>,
}

impl Eyes {
    pub(super) fn new(messages: Sender<Message>) -> anyhow::Result<Eyes> {
        let wake = move |event| {
            // Nobody listens any more when the command ends.
            let _ = messages.send(Message::Event(event));
        };
        Ok(Eyes {
            watcher: notify::recommended_watcher(wake).context("cannot watch files")?,
            watched: FxHashSet::default(),
            paths: FxHashSet::default(),
            folders: FxHashSet::default(),
        })
    }

    /// Watches `files` and all that is in `folders`, be they there or not, and nothing else any more. Whether there are
    /// directories that were not watched before: what happened in them until now has to be looked at.
    pub(super) fn watch(&mut self, files: &[Utf8PathBuf], folders: &[Utf8PathBuf]) -> notify::Result<bool> {
        let mut wanted = Wanted::default();
        for path in files {
            wanted.add(path);
        }
        // Of those above, only that they are there counts: they may belong to others.
        let needed = wanted.parents(files.iter().chain(folders));
        for folder in folders {
            wanted.add(folder);
            if let Some(real) = wanted.real(folder) {
                wanted.folders.insert(real.as_std_path().to_owned());
                wanted.dirs.insert(real);
            }
        }
        let gone: Vec<Utf8PathBuf> = self.watched.difference(&wanted.dirs).cloned().collect();
        for dir in gone {
            self.forget(&dir);
        }
        (self.paths, self.folders) = (wanted.paths, wanted.folders);
        let mut new: Vec<Utf8PathBuf> = wanted
            .dirs
            .into_iter()
            .filter(|dir| !self.watched.contains(dir))
            .collect();
        new.sort();
        let mut is_more = false;
        for dir in new {
            match self.watcher.watch(dir.as_std_path(), RecursiveMode::NonRecursive) {
                Ok(()) => is_more |= self.watched.insert(dir),
                // Gone again: its parent has an event for that.
                Err(_) if !dir.exists() || !needed.contains(&dir) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(is_more)
    }

    /// Whether what happened may change the answer. Directories that it took away are watched anew next time.
    pub(super) fn is_of_interest(&mut self, event: &Event) -> bool {
        if event.need_rescan() || event.paths.is_empty() {
            // Events were lost, those of directories too.
            self.forget_all();
            return true;
        }
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            // Reads, our own among them.
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {}
            _ => {
                for path in &event.paths {
                    self.forget_inside(path);
                }
            }
        }
        let counts = |path: &PathBuf| {
            self.paths.contains(path)
                || self.folders.contains(path)
                || path.parent().is_some_and(|dir| self.folders.contains(dir))
        };
        event.paths.iter().any(counts)
    }

    fn forget_inside(&mut self, path: &Path) {
        let Some(path) = Utf8Path::from_path(path) else { return };
        if !self.watched.contains(path) {
            return;
        }
        let inside: Vec<Utf8PathBuf> = self.watched.iter().filter(|it| it.starts_with(path)).cloned().collect();
        for dir in inside {
            self.forget(&dir);
        }
    }

    fn forget_all(&mut self) {
        for dir in std::mem::take(&mut self.watched) {
            let _ = self.watcher.unwatch(dir.as_std_path());
        }
    }

    fn forget(&mut self, dir: &Utf8Path) {
        self.watched.remove(dir);
        // One that is gone is not watched any more.
        let _ = self.watcher.unwatch(dir.as_std_path());
    }
}

impl Wanted {
    /// A path, all directories on the way to it, and what links lead to.
    fn add(&mut self, path: &Utf8Path) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return;
        };
        self.add(parent);
        let Some(real) = self.real(parent) else { return };
        self.paths.insert(real.join(name).into_std_path_buf());
        self.dirs.insert(real);
        let is_link = path.symlink_metadata().is_ok_and(|it| it.is_symlink());
        if is_link && let Ok(target) = path.canonicalize_utf8() {
            self.add(&target);
        }
    }

    fn real(&mut self, dir: &Utf8Path) -> Option<Utf8PathBuf> {
        let real = self.real.entry(dir.to_owned());
        real.or_insert_with(|| dir.canonicalize_utf8().ok().filter(|it| it.is_dir()))
            .clone()
    }

    fn parents<'p>(&mut self, files: impl Iterator<Item = &'p Utf8PathBuf>) -> FxHashSet<Utf8PathBuf> {
        let parents: FxHashSet<&Utf8Path> = files.filter_map(|it| it.parent()).collect();
        parents.into_iter().filter_map(|dir| self.real(dir)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::channel;

    use notify::event::{CreateKind, DataChange, Flag, RemoveKind};

    use super::*;

    /// A directory `src` with `a.rs`, which is watched, as is `data` with all in it.
    fn eyes() -> (tempfile::TempDir, Utf8PathBuf, Eyes) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        for name in ["src", "data", "target"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let mut eyes = Eyes::new(channel().0).unwrap();
        assert!(watch(&mut eyes, &root));
        assert!(!watch(&mut eyes, &root));
        (dir, root, eyes)
    }

    fn watch(eyes: &mut Eyes, root: &Utf8Path) -> bool {
        let files = [root.join("src/a.rs"), root.join("src/a/mod.rs")];
        eyes.watch(&files, &[root.join("data")]).unwrap()
    }

    fn event(kind: EventKind, path: Utf8PathBuf) -> Event {
        Event::new(kind).add_path(path.into_std_path_buf())
    }

    #[test]
    fn only_what_can_change_the_answer_is_of_interest() {
        let (_dir, root, mut eyes) = eyes();
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let create = EventKind::Create(CreateKind::Any);
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let mut is_of_interest = |kind, path: &str| eyes.is_of_interest(&event(kind, root.join(path)));
        assert!(is_of_interest(data, "src/a.rs"));
        assert!(is_of_interest(create, "src/a"));
        assert!(is_of_interest(create, "data/new.txt"));
        assert!(is_of_interest(EventKind::Remove(RemoveKind::Folder), ""));
        assert!(!is_of_interest(open, "src/a.rs"));
        assert!(!is_of_interest(data, "src/b.rs"));
        assert!(!is_of_interest(create, "target/x"));
    }

    #[test]
    fn after_lost_events_everything_is_looked_at_and_watched_anew() {
        let (_dir, root, mut eyes) = eyes();
        let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(eyes.is_of_interest(&lost));
        assert!(watch(&mut eyes, &root));
    }

    #[test]
    fn a_directory_that_was_replaced_is_watched_anew() {
        let (_dir, root, mut eyes) = eyes();
        fs::remove_dir(root.join("src")).unwrap();
        fs::create_dir(root.join("src")).unwrap();
        assert!(eyes.is_of_interest(&event(EventKind::Create(CreateKind::Folder), root.join("src"))));
        assert!(watch(&mut eyes, &root));
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_is_watched() {
        let (_dir, root, mut eyes) = eyes();
        fs::create_dir(root.join("far")).unwrap();
        fs::write(root.join("far/real.rs"), "").unwrap();
        std::os::unix::fs::symlink("../far/real.rs", root.join("src/a.rs")).unwrap();
        assert!(watch(&mut eyes, &root));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(eyes.is_of_interest(&event(data, root.join("far/real.rs"))));
    }
}
