//! `watch`: a database that lives on. On each edit it tells which cached functions are invalidated and why, and keeps the
//! ledger up to date; with `--update` also the manifest.
//!
//! The loop: something happens to a path of interest; wait until it is quiet; look at all files; answer; tell; watch what
//! the answer now rests on. What happens meanwhile wakes it again, so no edit is missed.

mod eyes;
mod tell;

pub(super) use tell::change_json;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use camino::Utf8PathBuf;
use serde_json::json;

use self::eyes::Eyes;
use self::tell::Edit;
use super::args::{MessageFormat, PackageArgs, ProjectArgs};
use super::exit::Outcome;
use super::session::Session;
use super::ui::{Place, Ui};
use super::{ledger, progress, stamp, update};
use crate::analysis::{self, AnalysisError, Diagnostic, Live, RootChange, Update};
use crate::project::{self, Evidence, LoadOptions, Project};

/// Editors and git write in several steps; an answer in between is right, and soon wrong.
const QUIET: Duration = Duration::from_millis(15);
/// Whoever writes without a pause is answered all the same.
const PATIENCE: Duration = Duration::from_millis(500);

/// What wakes the loop.
enum Message {
    Event(notify::Result<notify::Event>),
    /// Ctrl-C.
    Stop,
}

pub(super) fn run(update: bool, args: &ProjectArgs, packages: &PackageArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let mut watch = Watch::open(update, args, packages, ui)?;
    match watch.follow() {
        // Nobody reads what is said.
        Err(error) if is_broken_pipe(&error) => Ok(Outcome::Done),
        // Cargo got the Ctrl-C as well and gave no answer.
        _ if watch.stop.load(Ordering::Relaxed) => Ok(Outcome::Interrupted),
        result => result,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
}

/// See the module.
struct Watch<'a> {
    updates: bool,
    args: &'a ProjectArgs,
    packages: &'a PackageArgs,
    ui: &'a Ui,
    live: Live,
    eyes: Eyes,
    messages: Receiver<Message>,
    stop: Arc<AtomicBool>,
    evidence: Evidence,
    /// Cargo answered on the evidence as it is.
    is_evidence_sure: bool,
    /// What was said last, not to be said again.
    told: Vec<Diagnostic>,
    trouble: Option<String>,
}

impl<'a> Watch<'a> {
    fn open(updates: bool, args: &'a ProjectArgs, packages: &'a PackageArgs, ui: &'a Ui) -> anyhow::Result<Watch<'a>> {
        let (started, begun) = (Instant::now(), SystemTime::now());
        let progress = ui.progress(progress::of_analysis);
        let project = load(args, updates)?;
        stamp::touch(project.target_dir.as_std_path());
        let evidence = Evidence::of(&project);
        let (places, notice) = analysis::places(&project);
        let live = Live::open(&project, places)?;
        drop(progress);
        let (wake, messages) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let mut watch = Watch {
            updates,
            args,
            packages,
            ui,
            live,
            eyes: Eyes::new(wake.clone())?,
            messages,
            stop: stop.clone(),
            is_evidence_sure: evidence.is_older_than(begun),
            evidence,
            told: Vec::new(),
            trouble: None,
        };
        if let Some(notice) = notice {
            ui.warning(None, notice);
        }
        let session = watch.session(started);
        let selected = session.selection(packages)?;
        session.tell_diagnostics(ui);
        watch.told = session.analysis.diagnostics.clone();
        watch.keep(&session)?;
        watch.watch_what_counts()?;
        ctrlc::set_handler(move || {
            stop.store(true, Ordering::Relaxed);
            let _ = wake.send(Message::Stop);
        })
        .context("cannot catch Ctrl-C")?;
        let roots = session.analysis.roots.iter().filter(|it| selected(&it.package)).count();
        if ui.format == MessageFormat::Json {
            let diagnostics = session.diagnostics_json();
            let seconds = started.elapsed().as_secs_f64();
            ui.json_line(
                &json!({ "reason": "watching", "roots": roots, "diagnostics": diagnostics, "seconds": seconds }),
            )?;
        }
        ui.status("Watching", session.summary(roots));
        if session.analysis.roots.is_empty() {
            ui.help("mark a function with `#[astrocache::cached]` to have its results kept");
        }
        Ok(watch)
    }

    fn session(&self, started: Instant) -> Session {
        Session::of(&self.live, started)
    }

    fn follow(&mut self) -> anyhow::Result<Outcome> {
        // Edits since the analysis began had nobody to tell of them.
        let mut is_due = true;
        loop {
            let Some(since) = self.wait(is_due)? else {
                return Ok(Outcome::Interrupted);
            };
            self.look(since)?;
            is_due = self.watch_what_counts()? || !self.is_evidence_sure;
        }
    }

    /// Until something happened and it is quiet again. When it happened; `None`: enough.
    fn wait(&mut self, is_due: bool) -> anyhow::Result<Option<Instant>> {
        let mut first = is_due.then(Instant::now);
        let mut last = first;
        loop {
            let message = match (first, last) {
                (Some(first), Some(last)) => {
                    let until = (last + QUIET).min(first + PATIENCE);
                    match self
                        .messages
                        .recv_timeout(until.saturating_duration_since(Instant::now()))
                    {
                        Ok(message) => message,
                        Err(RecvTimeoutError::Timeout) => return Ok(Some(first)),
                        Err(error) => return Err(error).context("nobody watches any more"),
                    }
                }
                _ => self.messages.recv().context("nobody watches any more")?,
            };
            let counts = match message {
                Message::Stop => return Ok(None),
                Message::Event(Ok(event)) => self.eyes.is_of_interest(&event),
                Message::Event(Err(error)) => {
                    self.ui.warning(None, format_args!("cannot watch files: {error}"));
                    true
                }
            };
            if counts {
                last = Some(Instant::now());
                first = first.or(last);
            }
        }
    }

    /// Looks at all files, answers, tells.
    fn look(&mut self, since: Instant) -> anyhow::Result<()> {
        let root = &self.live.project().workspace_root;
        if !root.is_dir() {
            bail!("the workspace `{root}` is gone");
        }
        let (project, decisive) = match self.look_at_project() {
            Ok(seen) => seen,
            Err(error) => {
                self.say_once(format!("{error:#}\ngoing on with the project as it was"))?;
                (None, BTreeSet::new())
            }
        };
        let update = match self.live.update(project.as_ref()) {
            Ok(Some(update)) => update,
            Ok(None) if project.is_some() && !decisive.is_empty() => Update::default(),
            Ok(None) => return Ok(()),
            // The edits that go on are events.
            Err(AnalysisError::Unsettled) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let files: Vec<Utf8PathBuf> = decisive.into_iter().chain(update.files).collect();
        self.tell(since, &files, &update.roots)
    }

    /// Another project and what says so, if what decided it is not what it was.
    fn look_at_project(&mut self) -> anyhow::Result<(Option<Project>, BTreeSet<Utf8PathBuf>)> {
        let evidence = Evidence::of(self.live.project());
        let decisive = self.evidence.differences(&evidence);
        if decisive.is_empty() && self.is_evidence_sure {
            return Ok((None, decisive));
        }
        // Not asked again of the same evidence, whatever the answer is.
        self.evidence = evidence.clone();
        self.is_evidence_sure = true;
        let project = load(self.args, self.updates)?;
        let (was, now) = (&self.live.project().workspace_root, &project.workspace_root);
        if was != now {
            bail!("the workspace is `{now}` now, and no longer `{was}`; start `cargo astrocache watch` anew");
        }
        self.evidence = Evidence::of(&project);
        self.is_evidence_sure = self.evidence == evidence;
        self.trouble = None;
        Ok((Some(project), decisive))
    }

    fn tell(&mut self, since: Instant, files: &[Utf8PathBuf], roots: &[RootChange]) -> anyhow::Result<()> {
        let session = self.session(since);
        if self.told != session.analysis.diagnostics {
            session.tell_diagnostics(self.ui);
            self.told = session.analysis.diagnostics.clone();
        }
        let updated = self.keep(&session)?;
        // A package that was asked for may be gone now.
        let selected = |package: &str| self.packages.has(package);
        let roots: Vec<&RootChange> = roots.iter().filter(|it| selected(&it.report.package)).collect();
        let edit = Edit {
            files,
            roots: &roots,
            of: session.analysis.roots.iter().filter(|it| selected(&it.package)).count(),
            updated,
            seconds: since.elapsed().as_secs_f64(),
        };
        if self.ui.format == MessageFormat::Json {
            self.ui.json_line(&tell::json(&session, &edit))?;
        }
        tell::people(&session, &edit, self.ui);
        Ok(())
    }

    /// Writes the ledger and, if asked for, the manifest. Whether the latter was another one.
    fn keep(&mut self, session: &Session) -> anyhow::Result<bool> {
        if let Err(error) = ledger::write(session) {
            self.say_once(format!("{error:#}; the next build asks again"))?;
        }
        if !self.updates {
            return Ok(false);
        }
        if let Some(it) = session.analysis.diagnostics.iter().find(|it| it.hides_code) {
            let file = session.relative(it.file.as_str());
            self.ui.detail(
                "Waiting",
                format_args!("Astrocache.lock stays as it is until `{file}` is whole"),
            );
            return Ok(false);
        }
        match update::write(session, self.packages, self.ui) {
            Ok(it) => Ok(it.written),
            Err(error) => self.say_once(format!("{error:#}")).map(|()| false),
        }
    }

    /// Something that stands in the way until the user does something about it.
    fn say_once(&mut self, trouble: String) -> anyhow::Result<()> {
        if self.stop.load(Ordering::Relaxed) || self.trouble.as_ref() == Some(&trouble) {
            return Ok(());
        }
        if self.ui.format == MessageFormat::Json {
            self.ui.json_line(&json!({ "reason": "trouble", "message": trouble }))?;
        }
        self.ui.warning(None::<Place<'_>>, &trouble);
        self.trouble = Some(trouble);
        Ok(())
    }

    /// Whether some of it was not watched until now.
    fn watch_what_counts(&mut self) -> anyhow::Result<bool> {
        let (mut files, mut folders) = self.live.paths();
        files.extend(self.evidence.files().cloned());
        // Of a directory that may hold targets or members, every entry counts.
        folders.extend(self.evidence.folders().cloned());
        self.eyes.watch(&files, &folders).map_err(|error| match error.kind {
            notify::ErrorKind::MaxFilesWatch => anyhow::anyhow!(
                "cannot watch more directories: the limit of the system is reached; raise `fs.inotify.max_user_watches` (`sysctl`)"
            ),
            _ => anyhow::Error::from(error).context("cannot watch files"),
        })
    }
}

fn load(args: &ProjectArgs, writes: bool) -> anyhow::Result<Project> {
    let options = LoadOptions {
        keep_lock: !writes,
        ..args.load_options()
    };
    Ok(project::load(args.manifest_path(), &options)?)
}
