//! What a run found, as the state that the next one begins with.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    report::Analysis,
    roots,
    run::{Found, Reported, Run},
    state::{Content, Hash, Root, SideTarget, Source, Spot, State, project_hash},
};
use crate::{
    db::{Db, SourceFile, Workspace, code, facts, signature},
    fingerprint::fingerprint,
    resolve::{DefId, Reads, UnitId, World, resolver},
    source::{self, Stamp},
};

/// The state after a whole run. `None` if another run may find something else though no file changes.
pub fn state(run: &Run<'_>, found: &Found, analysis: &Analysis) -> Option<State> {
    let db = &run.db;
    if !db.files().problems().is_empty() {
        return None;
    }
    let world = resolver(db, found.workspace);
    let reads = reads(run, found.workspace, &found.roots);
    let looked_at = files(&world, reads.iter().flat_map(|it| &it.code));
    let local: FxHashSet<SourceFile> = run.local_sources(found.workspace, &found.in_play).into_iter().collect();
    let sources: Vec<Source> = db
        .files()
        .sources(db)
        .into_iter()
        .map(|file| Source {
            path: file.path(db).clone(),
            edition: file.edition(db),
            content: content(run, file.path(db), file.revision(db)),
            signature: signature(db, file),
            code: looked_at.contains(&file).then(|| code(db, file)),
            errors: facts(db, file).errors(),
            local: local.contains(&file),
        })
        .collect();
    let numbers = Numbers::new(run, &world, &sources);
    let roots = found.roots.iter().zip(&reads);
    Some(State {
        project: project_hash(&run.project),
        packs_used_ns: run.taken_ns,
        searched: found.searched.clone(),
        in_play: found.in_play.clone(),
        side_targets: side_targets(run, found)?,
        stats: analysis.stats,
        roots: roots.map(|(it, reads)| numbers.root(it, reads)).collect(),
        sources,
        data: data(run),
    })
}

/// Does the roots of these numbers again, in a project and beside signatures that are those of `state`.
pub fn redo(run: &Run<'_>, state: &mut State, stale: &[usize]) {
    let db = &run.db;
    let workspace = Workspace::new(db, run.project.clone(), state.in_play.clone().into());
    run.read_all(workspace, &state.in_play);
    let selected: Vec<(Option<String>, DefId)> = stale.iter().map(|&at| (None, state.roots[at].id)).collect();
    let reported = run.reports(workspace, &selected);
    let world = resolver(db, workspace);
    let reads = reads(run, workspace, &reported);

    let numbers = Numbers::new(run, &world, &state.sources);
    let renewed: Vec<Root> = reported
        .iter()
        .zip(&reads)
        .map(|(it, reads)| numbers.root(it, reads))
        .collect();
    let looked_at = files(&world, reads.iter().flat_map(|it| &it.code));
    for (file, &at) in looked_at
        .iter()
        .filter_map(|file| Some((*file, numbers.sources.get(file)?)))
    {
        state.sources[at as usize].code.get_or_insert_with(|| code(db, file));
    }
    for (&at, root) in stale.iter().zip(renewed) {
        state.roots[at] = root;
    }
    for (path, content) in data(run) {
        state.data.entry(path).or_insert(content);
    }
    let used: BTreeSet<&Utf8PathBuf> = state.roots.iter().flat_map(|root| &root.data).collect();
    state.data.retain(|path, _| used.contains(path));
    db.save_packs();
}

/// What each of these roots was computed from.
fn reads(run: &Run<'_>, workspace: Workspace, roots: &[Reported]) -> Vec<Reads> {
    let of = |it: &Reported| fingerprint(&run.db, workspace, it.id).reads.clone();
    roots.iter().map(of).collect()
}

fn files<'u>(world: &World<'_>, units: impl Iterator<Item = &'u UnitId>) -> FxHashSet<SourceFile> {
    units.filter_map(|unit| file(world, *unit)).collect()
}

fn file(world: &World<'_>, (krate, unit): UnitId) -> Option<SourceFile> {
    Some(world.map(krate)?.units.get(unit as usize)?.file)
}

fn content(run: &Run<'_>, path: &Utf8Path, hash: Option<Hash>) -> Content {
    let stamp = hash.and_then(|_| Stamp::of(path).ok().flatten());
    Content {
        hash,
        stamp: stamp.filter(|it| it.is_settled(run.taken_ns)),
    }
}

fn data(run: &Run<'_>) -> BTreeMap<Utf8PathBuf, Content> {
    let db = &run.db;
    let all = db.files().blobs().into_iter();
    all.map(|it| (it.path(db).clone(), content(run, it.path(db), it.revision(db))))
        .collect()
}

/// `None` if a file changed since it was looked at.
fn side_targets(run: &Run<'_>, found: &Found) -> Option<Vec<SideTarget>> {
    let target = |krate| {
        let path = run.project.krate(krate).root_file.clone();
        let searched = roots::may_hold_roots(&path);
        let hash = source::read(&path).ok().map(|it| it.hash);
        let content = content(run, &path, hash);
        (searched == found.searched.contains(&krate)).then_some(SideTarget {
            path,
            content,
            searched,
        })
    };
    roots::side_targets(&run.project).into_iter().map(target).collect()
}

/// From files to their places in a state.
struct Numbers<'r> {
    world: &'r World<'r>,
    sources: FxHashMap<SourceFile, u32>,
}

impl<'r> Numbers<'r> {
    fn new(run: &Run<'_>, world: &'r World<'r>, sources: &[Source]) -> Numbers<'r> {
        let file = |it: &Source| run.db.files().file(&run.db, &it.path, it.edition);
        Numbers {
            world,
            sources: sources.iter().zip(0..).map(|(it, at)| (file(it), at)).collect(),
        }
    }

    fn root(&self, it: &Reported, reads: &Reads) -> Root {
        let numbers = |units: &BTreeSet<UnitId>| -> Vec<u32> {
            let files = files(self.world, units.iter());
            let mut all: Vec<u32> = files
                .iter()
                .filter_map(|file| self.sources.get(file).copied())
                .collect();
            all.sort_unstable();
            all
        };
        Root {
            id: it.id,
            report: it.report.clone(),
            code: numbers(&reads.code),
            texts: numbers(&reads.texts),
            data: reads.data.iter().cloned().collect(),
            spots: [it.id].iter().chain(&it.findings).map(|&id| self.spot(id)).collect(),
        }
    }

    fn spot(&self, id: DefId) -> Option<Spot> {
        let unit = self.world.map(id.krate)?.units.get(id.unit as usize)?;
        Some(Spot {
            source: *self.sources.get(&unit.file)?,
            expansion: unit.expansion.clone(),
            def: id.def,
        })
    }
}
