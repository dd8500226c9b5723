//! A run that begins with the state of the last one, and does again only what a changed file can have changed.
//!
//! What a root's answer is computed from: the project, the signatures of all files, and what its closure looked at (see
//! [`Reads`](crate::resolve::Reads)). So while project and signatures are equal, a root is done again if and only if one
//! of its own files is not what it was. A changed signature does all roots again, from cached facts. In doubt, the
//! state is as good as none.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use astrocache_manifest::now_ns;
use camino::{Utf8Path, Utf8PathBuf};

use super::{
    keep,
    made::extent,
    report::{Analysis, Diagnostic, LocalFile},
    roots,
    run::{AnalysisError, Places, Request, Roots, Run, sort, tell_apart, threads},
    state::{Content, Hash, Root, Source, Spot, State, project_hash},
};
use crate::{
    db::{AnalysisDb, Db, Known, PackPlaces, Packs, SourceFile, bodies, code, facts, signature, source_of},
    ledger::frame::FrameError,
    project::Project,
    source::{self, Stamp},
};

/// Packs that no run tells of their use for a month go: a state that spares the look at them does not last so long.
const PACKS_UNUSED_NS: i128 = 10 * 24 * 60 * 60 * 1_000_000_000;

/// An analysis, and the database that it took; `None` if no query was asked at all.
type Outcome = (Analysis, Option<AnalysisDb>);

/// Analyzes `project`, with the state and the packs at `places`.
pub fn run(project: &Project, request: &Request, places: &Places) -> Result<Outcome, AnalysisError> {
    let taken_ns = now_ns();
    let keeps_state = matches!(request.roots, Roots::Annotated) && !request.explain;
    let place = places.state.as_deref().filter(|_| keeps_state);
    let hash = project_hash(project);
    let (state, notice) = read(place, hash, taken_ns);

    let seen = state.map(|state| Seen::of(state, taken_ns));
    if let Some(seen) = &seen
        && seen.is_same()
    {
        let mut notices: Vec<String> = notice.into_iter().collect();
        if seen.is_refreshed {
            notices.extend(write(place, &seen.state));
        }
        return Ok((analysis(&seen.state, notices, taken_ns), None));
    }
    let (mut analysis, db) =
        threads()?.install(|| computed(&Arc::new(project.clone()), request, places, place, seen, taken_ns))?;
    analysis.notices.extend(notice);
    Ok((analysis, db))
}

/// The state at `place`, if it is of this project, and what is wrong with it.
fn read(place: Option<&Path>, project: Hash, now: i128) -> (Option<State>, Option<String>) {
    let Some(place) = place else { return (None, None) };
    match State::read(place) {
        Ok(state) => {
            let age = now - state.packs_used_ns;
            let holds = state.project == project && (0..PACKS_UNUSED_NS).contains(&age);
            (Some(state).filter(|_| holds), None)
        }
        Err(FrameError::Missing | FrameError::Foreign) => (None, None),
        Err(error) => {
            let place = place.display();
            let notice = format!("what the last run left in `{place}` is not used: {error}; it is made anew");
            (None, Some(notice))
        }
    }
}

/// Writes a state; says what went wrong.
fn write(place: Option<&Path>, state: &State) -> Option<String> {
    let place = place?;
    let error = state.write(place).err()?;
    let place = place.display();
    Some(format!(
        "cannot keep what was found in `{place}`: {error}; until it can, each run starts anew"
    ))
}

/// An analysis that asks queries: few if the state holds for the most part, else all.
fn computed(
    project: &Arc<Project>,
    request: &Request,
    places: &Places,
    place: Option<&Path>,
    seen: Option<Seen>,
    taken_ns: i128,
) -> Result<Outcome, AnalysisError> {
    let run = |packs: PackPlaces, known: Known| Run {
        db: AnalysisDb::new(Packs::new(project, packs), known),
        project: project.clone(),
        request,
        taken_ns,
    };
    let mut seen = seen;
    // A file that changes between its hash and its parse gives facts of neither state: start over.
    for attempt in 0..3 {
        // What the packs say of a pinned file may be what is wrong: from the second time on, the disk is asked.
        let packs = match attempt {
            0 => places.packs.clone(),
            _ => PackPlaces::default(),
        };
        let known = seen.as_ref().map(Seen::known).unwrap_or_default();
        let run = run(packs, known);
        let renewed = seen.take().and_then(|seen| renewed(&run, seen));
        let (result, state) = match renewed {
            Some(state) => (Ok(analysis(&state, Vec::new(), taken_ns)), Some(state)),
            None => match run.analysis() {
                Ok((analysis, found)) => {
                    let state = place.and_then(|_| keep::state(&run, &found, &analysis));
                    if !run.db.files().is_raced() {
                        run.db.save_packs();
                    }
                    (Ok(analysis), state)
                }
                Err(error) => (Err(error), None),
            },
        };
        if run.db.files().take_raced() {
            continue;
        }
        let mut analysis = result?;
        analysis.notices.extend(run.db.files().packs().take_notice());
        analysis.notices.extend(state.and_then(|state| write(place, &state)));
        return Ok((analysis, Some(run.db)));
    }
    Err(AnalysisError::Unsettled)
}

/// A state beside what the disk says now.
struct Seen {
    /// With the contents as they are now; all else is of the last run.
    state: State,
    /// What is not what it was.
    sources: BTreeSet<u32>,
    data: BTreeSet<Utf8PathBuf>,
    /// A source appeared or is gone, or other targets are to be searched.
    files_differ: bool,
    /// Contents are equal, but next time fewer files need a look inside.
    is_refreshed: bool,
}

impl Seen {
    fn of(mut state: State, taken_ns: i128) -> Seen {
        let (mut sources, mut data) = (BTreeSet::new(), BTreeSet::new());
        let (mut files_differ, mut is_refreshed) = (false, false);
        let mut look = |path: &Utf8Path, content: &mut Content, hash: fn(&Utf8Path) -> Option<Hash>| {
            let now = look(path, content, hash, taken_ns);
            let differs = now.hash != content.hash;
            is_refreshed |= now.stamp != content.stamp;
            *content = now;
            differs
        };
        for (it, at) in state.sources.iter_mut().zip(0..) {
            let was_there = it.content.hash.is_some();
            if look(&it.path, &mut it.content, text_hash) {
                sources.insert(at);
                files_differ |= was_there != it.content.hash.is_some();
            }
        }
        for (path, content) in &mut state.data {
            if look(path, content, source::hash) {
                data.insert(path.clone());
            }
        }
        for it in &mut state.side_targets {
            if look(&it.path, &mut it.content, text_hash) {
                files_differ |= roots::may_hold_roots(&it.path) != it.searched;
            }
        }
        Seen {
            state,
            sources,
            data,
            files_differ,
            is_refreshed,
        }
    }

    fn is_same(&self) -> bool {
        self.sources.is_empty() && self.data.is_empty() && !self.files_differ
    }

    fn known(&self) -> Known {
        let sources = self.state.sources.iter().zip(0..);
        // Why a file can no longer be read is for whoever asks for it to find out.
        let sources = sources.filter(|(it, at)| it.content.hash.is_some() || !self.sources.contains(at));
        let data = self.state.data.iter();
        Known {
            sources: sources.map(|(it, _)| (it.path.clone(), it.content.hash)).collect(),
            data: data.map(|(path, content)| (path.clone(), content.hash)).collect(),
        }
    }
}

fn text_hash(path: &Utf8Path) -> Option<Hash> {
    source::read(path).ok().map(|it| it.hash)
}

/// What is at `path`, read only if it may not be what it was.
fn look(path: &Utf8Path, was: &Content, hash: fn(&Utf8Path) -> Option<Hash>, taken_ns: i128) -> Content {
    let stamp = match Stamp::of(path) {
        Ok(None) => {
            return Content {
                hash: None,
                stamp: None,
            };
        }
        Ok(stamp) => stamp,
        Err(_) => None,
    };
    if stamp.is_some() && stamp == was.stamp {
        return *was;
    }
    Content {
        hash: hash(path),
        stamp: stamp.filter(|it| it.is_settled(taken_ns)),
    }
}

/// The state as a whole run would leave it, if signatures are equal and no root was added, for which only what changed
/// was computed. `None`: everything is to be done again.
fn renewed(run: &Run<'_>, seen: Seen) -> Option<State> {
    if seen.files_differ {
        return None;
    }
    let Seen {
        mut state,
        sources,
        data,
        ..
    } = seen;
    let db = &run.db;
    let mut rewritten = BTreeSet::new();
    for &at in &sources {
        let it = &mut state.sources[at as usize];
        let file = db.files().file(db, &it.path, it.edition);
        if signature(db, file) != it.signature {
            return None;
        }
        it.errors = facts(db, file).errors();
        if let Some(was) = it.code {
            let now = code(db, file);
            it.code = Some(now);
            rewritten.extend(Some(at).filter(|_| now != was));
        }
    }
    let is_stale = |root: &Root| {
        root.code.iter().any(|at| rewritten.contains(at))
            || root.texts.iter().any(|at| sources.contains(at))
            || root.data.iter().any(|path| data.contains(path))
    };
    let stale: Vec<usize> = (0..state.roots.len())
        .filter(|&at| is_stale(&state.roots[at]))
        .collect();
    for (at, root) in state.roots.iter_mut().enumerate() {
        if stale.binary_search(&at).is_err() {
            move_places(run, &state.sources, &sources, root)?;
        }
    }
    if !stale.is_empty() {
        keep::redo(run, &mut state, &stale);
    }
    (!db.files().is_raced()).then_some(state)
}

/// Edits that change no code may still move what a report speaks of.
fn move_places(run: &Run<'_>, all: &[Source], changed: &BTreeSet<u32>, root: &mut Root) -> Option<()> {
    let db = &run.db;
    let moved = |spot: &Spot| -> Option<SourceFile> {
        let it = &all[spot.source as usize];
        changed
            .contains(&spot.source)
            .then(|| db.files().file(db, &it.path, it.edition))
    };
    for (at, spot) in root.spots.iter().enumerate() {
        let Some(spot) = spot else { continue };
        let Some(file) = moved(spot) else { continue };
        let bodies = bodies(db, file);
        let body = bodies.unit(&spot.expansion).get(spot.def as usize)?;
        match at {
            0 => {
                root.report.line = body.line;
                root.report.column = body.column;
                if root.report.until.is_some() {
                    root.report.until = Some(extent(db, file, &spot.expansion, spot.def)?.1);
                }
                root.report.source = source_of(db, file, body.item_start, body.range.1)?.0;
            }
            _ => root.report.findings.get_mut(at - 1)?.line = body.line,
        }
    }
    Some(())
}

/// What a whole run would say.
fn analysis(state: &State, notices: Vec<String>, taken_ns: i128) -> Analysis {
    let mut reports: Vec<_> = state.roots.iter().map(|root| root.report.clone()).collect();
    sort(&mut reports);
    let local = state.sources.iter().filter(|it| it.local);
    let mut diagnostics: Vec<Diagnostic> = local
        .clone()
        .filter(|it| it.errors > 0)
        .map(|it| Diagnostic::syntax_errors(&it.path, it.errors))
        .collect();
    tell_apart(&mut reports, &mut diagnostics);
    diagnostics.sort();
    let sources = local.map(|it| (&it.path, it.content.hash));
    let data = state.data.iter().map(|(path, content)| (path, content.hash));
    let mut local_files: Vec<LocalFile> = sources
        .chain(data)
        .map(|(path, hash)| LocalFile {
            path: path.clone(),
            hash,
        })
        .collect();
    local_files.sort();
    local_files.dedup();
    Analysis {
        roots: reports,
        stats: state.stats,
        diagnostics,
        local_files,
        crates: state.searched.clone(),
        notices,
        taken_ns,
    }
}
