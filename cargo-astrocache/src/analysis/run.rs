//! From a project to reports.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use astrocache_manifest::{Fingerprint, now_ns, tokens::TokenHash};
use camino::Utf8PathBuf;
use rayon::prelude::*;

use super::{
    made,
    progress::{self, Phase},
    report::{Analysis, ClosureItem, Diagnostic, LocalFile, RootReport, Stats},
    roots, skip,
};
use crate::{
    db::{AnalysisDb, Db, Known, PackPlaces, Packs, SourceFile, Workspace, bodies, facts, source_of},
    fingerprint::{DefPath, fingerprint, source_file},
    ledger::sweep,
    project::{CrateId, CrateKind, PackageSource, Project},
    reach::{Finding, closure, findings},
    resolve::{DefId, World, declarations, is_editable, resolver},
    syntax::DefBody,
};

/// What to analyze.
#[derive(Debug, Clone)]
pub struct Request {
    pub roots: Roots,
    /// Report the definitions of each closure.
    pub explain: bool,
}

/// Which functions are roots.
#[derive(Debug, Clone)]
pub enum Roots {
    /// Those marked `#[cached]`.
    Annotated,
    /// Those of these paths, or of the one path that ends so.
    Named(Vec<String>),
}

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    #[error("no function `{name}` in the workspace{}", suggestion(.nearest))]
    UnknownFunction { name: String, nearest: Vec<String> },

    #[error("`{name}` is the end of several paths; write more of it: {}", .candidates.join(", "))]
    AmbiguousFunction { name: String, candidates: Vec<String> },

    #[error("cannot start threads for the analysis: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),

    #[error("source files keep changing while they are read; try again when they are at rest")]
    Unsettled,
}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; did you mean `{one}`?"),
        many => format!("; did you mean one of `{}`?", many.join("`, `")),
    }
}

/// Deeply nested expressions recurse deeply: a hundred thousand parentheses take over 64 MiB. Reserved, not used, until
/// then.
const STACK: usize = 256 << 20;

/// Analyzes `project`.
///
/// # Errors
///
/// Only what makes an answer impossible; files that cannot be read or parsed are diagnostics.
pub fn run(project: &Project, request: &Request) -> Result<Analysis, AnalysisError> {
    let (places, notice) = places(project);
    let (mut analysis, db) = skip::run(project, request, &places)?;
    // The process ends soon: to take a large database apart first would cost a tenth of a run.
    std::mem::forget(db);
    analysis.notices.extend(notice);
    Ok(analysis)
}

/// Where things are kept between runs.
#[derive(Debug, Clone, Default)]
pub struct Places {
    pub packs: PackPlaces,
    /// The file for what [`Roots::Annotated`] found.
    pub state: Option<PathBuf>,
}

impl From<PackPlaces> for Places {
    fn from(packs: PackPlaces) -> Places {
        Places { packs, state: None }
    }
}

/// Where things are kept between runs, and what is wrong with the place.
pub fn places(project: &Project) -> (Places, Option<String>) {
    let shared = astrocache::store::shared_folder("facts");
    let notice = shared
        .as_ref()
        .err()
        .map(|error| format!("facts are not kept for the next run: their folder in the cache directory: {error}"));
    let shared = shared.unwrap_or_default();
    // Not in the target directory: `check` leaves the workspace as it is.
    let root = blake3::hash(project.workspace_root.as_str().as_bytes()).to_hex();
    let own = |suffix: &str| {
        let name = format!("workspace-{}{suffix}", &root[..16]);
        shared.as_ref().map(|folder| folder.join(name))
    };
    let (own, state) = (own(sweep::PACK), own(sweep::STATE));
    let packs = PackPlaces { shared, own };
    (Places { packs, state }, notice)
}

/// Analyzes `project` with what is kept at `places`.
///
/// # Errors
///
/// As [`run`].
pub fn run_at(project: &Project, request: &Request, places: &Places) -> Result<Analysis, AnalysisError> {
    Ok(skip::run(project, request, places)?.0)
}

/// The source files that an analysis of all cached functions of `project` reads, sorted. For measurements.
///
/// # Errors
///
/// There are no threads.
pub fn files(project: Project) -> Result<Vec<Utf8PathBuf>, AnalysisError> {
    let request = Request {
        roots: Roots::Annotated,
        explain: false,
    };
    let project = Arc::new(project);
    threads()?.install(|| {
        let run = Run {
            db: AnalysisDb::default(),
            project,
            request: &request,
            taken_ns: 0,
        };
        let (_, found) = run.analysis()?;
        let world = resolver(&run.db, found.workspace);
        let units = world.read().flat_map(|map| &map.units);
        let files: BTreeSet<Utf8PathBuf> = units.map(|unit| unit.file.path(&run.db).clone()).collect();
        Ok(files.into_iter().collect())
    })
}

/// Threads whose stacks are deep enough.
pub(super) fn threads() -> Result<rayon::ThreadPool, AnalysisError> {
    Ok(rayon::ThreadPoolBuilder::new().stack_size(STACK).build()?)
}

/// One attempt at a run; on [`threads`].
#[derive(Clone)]
pub(super) struct Run<'r> {
    pub(super) db: AnalysisDb,
    pub(super) project: Arc<Project>,
    pub(super) request: &'r Request,
    /// When it began, before it looked at any file.
    pub(super) taken_ns: i128,
}

/// What a whole run found, besides what it says of it.
pub(super) struct Found {
    pub(super) workspace: Workspace,
    pub(super) searched: Vec<CrateId>,
    pub(super) in_play: Vec<CrateId>,
    /// In the order of the analysis.
    pub(super) roots: Vec<Reported>,
}

/// A root's report, with the definitions that it speaks of by place only.
#[derive(Debug, Clone)]
pub(super) struct Reported {
    pub(super) id: DefId,
    pub(super) report: RootReport,
    /// Those of its findings, in order.
    pub(super) findings: Vec<DefId>,
}

/// A new database, and what it answers.
pub(super) fn begin<'r>(
    project: &Arc<Project>,
    request: &'r Request,
    places: &Places,
) -> Result<(Run<'r>, Analysis, Found), AnalysisError> {
    for attempt in 0..3 {
        // What the packs say of a pinned file may be what is wrong: from the second time on, the disk is asked.
        let packs = match attempt {
            0 => places.packs.clone(),
            _ => PackPlaces::default(),
        };
        let run = Run {
            db: AnalysisDb::new(Packs::new(project, packs), Known::default()),
            project: project.clone(),
            request,
            taken_ns: now_ns(),
        };
        let answer = run.analysis();
        if run.db.files().is_raced() {
            continue;
        }
        let (mut analysis, found) = answer?;
        run.db.save_packs();
        analysis.notices.extend(run.db.files().packs().take_notice());
        return Ok((run, analysis, found));
    }
    Err(AnalysisError::Unsettled)
}

impl Run<'_> {
    /// The answer of a new database.
    pub(super) fn analysis(&self) -> Result<(Analysis, Found), AnalysisError> {
        let searched = self.searched();
        let scout = Workspace::new(&self.db, self.project.clone(), Arc::from([]));
        let in_play = self.in_play(scout, &searched);
        let workspace = Workspace::new(&self.db, self.project.clone(), in_play.clone().into());
        self.answer(workspace, searched, in_play)
    }

    /// The crates to search for roots.
    fn searched(&self) -> Vec<CrateId> {
        match &self.request.roots {
            Roots::Annotated => roots::annotated_crates(&self.project),
            Roots::Named(names) => roots::named_crates(&self.project, names),
        }
    }

    /// Those to read for roots in `searched`. Of `workspace` only the project counts.
    pub(super) fn in_play(&self, workspace: Workspace, searched: &[CrateId]) -> Vec<CrateId> {
        let of_project = roots::crates_in_play(&self.project, searched, &[]);
        let tested: Vec<CrateId> = searched
            .iter()
            .copied()
            .filter(|&krate| {
                let mut deps = self.project.krate(krate).test_deps.iter();
                deps.any(|dep| !of_project.contains(&dep.krate))
            })
            .collect();
        let tested = match &self.request.roots {
            Roots::Annotated => {
                self.read_all(workspace, &tested);
                roots::with_roots_in_tests(&self.db, workspace, &tested)
            }
            Roots::Named(_) => tested,
        };
        match tested.is_empty() {
            true => of_project,
            false => roots::crates_in_play(&self.project, searched, &tested),
        }
    }

    /// The answer of a database that holds `workspace`, whose crates are `in_play`.
    pub(super) fn answer(
        &self,
        workspace: Workspace,
        searched: Vec<CrateId>,
        in_play: Vec<CrateId>,
    ) -> Result<(Analysis, Found), AnalysisError> {
        self.read_all(workspace, &in_play);
        let selected = self.select(workspace, &searched)?;
        let mut reported = self.reports(workspace, &selected);
        if matches!(self.request.roots, Roots::Annotated) {
            reported.sort_by_cached_key(|it| listed(&it.report));
        }
        let mut reports: Vec<RootReport> = reported.iter().map(|it| it.report.clone()).collect();
        let local = self.local_sources(workspace, &in_play);
        let mut diagnostics = self.diagnostics(&local);
        tell_apart(&mut reports, &mut diagnostics);
        diagnostics.sort();
        let analysis = Analysis {
            roots: reports,
            stats: self.stats(&in_play, &local),
            diagnostics,
            local_files: self.local_files(workspace, &local, &reported),
            crates: searched.clone(),
            notices: Vec::new(),
            taken_ns: self.taken_ns,
        };
        let found = Found {
            workspace,
            searched,
            in_play,
            roots: reported,
        };
        Ok((analysis, found))
    }

    /// Parses those of `crates` that the user can edit, in parallel, and searches the others for symbols. They are parsed
    /// when something leads there.
    pub(super) fn read_all(&self, workspace: Workspace, crates: &[CrateId]) {
        progress::begin(Phase::Crates, crates.len());
        let project = &self.project;
        crates.par_iter().for_each_with(self.db.clone(), |db, &krate| {
            if is_editable(project, krate) {
                declarations(db, workspace, krate);
            } else {
                db.files().packs().symbols(&project.package_of(krate).root);
            }
            progress::step();
        });
    }

    /// The roots, with the name each was asked for.
    fn select(&self, workspace: Workspace, crates: &[CrateId]) -> Result<Vec<(Option<String>, DefId)>, AnalysisError> {
        match &self.request.roots {
            Roots::Annotated => {
                let all = roots::annotated(&self.db, workspace, crates);
                Ok(all.into_iter().map(|id| (None, id)).collect())
            }
            Roots::Named(names) => {
                let all = roots::functions(&self.db, &resolver(&self.db, workspace), crates);
                let mut out = Vec::new();
                for name in names {
                    out.extend(find(name, &all)?.into_iter().map(|id| (Some(name.clone()), id)));
                }
                Ok(out)
            }
        }
    }

    pub(super) fn reports(&self, workspace: Workspace, selected: &[(Option<String>, DefId)]) -> Vec<Reported> {
        progress::begin(Phase::Names, 0);
        resolver(&self.db, workspace);
        progress::begin(Phase::Functions, selected.len());
        selected
            .par_iter()
            .map_with(self.db.clone(), |db, (asked, id)| {
                let asked = asked.as_deref();
                let report = report(db, workspace, asked, *id, self.request.explain);
                progress::step();
                report
            })
            .collect()
    }

    fn diagnostics(&self, local: &[SourceFile]) -> Vec<Diagnostic> {
        let problems = self.db.files().problems().into_iter();
        let mut out: Vec<Diagnostic> = problems
            .map(|it| Diagnostic {
                file: it.path,
                line: it.line,
                message: it.message,
                hides_code: true,
            })
            .collect();
        for &file in local {
            let errors = facts(&self.db, file).errors();
            if errors > 0 {
                out.push(Diagnostic::syntax_errors(file.path(&self.db), errors));
            }
        }
        out
    }

    /// The files of those of `crates` that are no dependencies from elsewhere, each once.
    pub(super) fn local_sources(&self, workspace: Workspace, crates: &[CrateId]) -> Vec<SourceFile> {
        let mut out = BTreeMap::new();
        let is_local = |krate: &&CrateId| self.project.package_of(**krate).source == PackageSource::Path;
        for &krate in crates.iter().filter(is_local) {
            for unit in &declarations(&self.db, workspace, krate).units {
                out.insert(unit.file.path(&self.db).clone(), unit.file);
            }
        }
        out.into_values().collect()
    }

    fn local_files(&self, workspace: Workspace, local: &[SourceFile], roots: &[Reported]) -> Vec<LocalFile> {
        let sources = local.iter();
        let mut out: Vec<LocalFile> = sources
            .map(|&file| LocalFile {
                path: file.path(&self.db).clone(),
                hash: file.revision(&self.db),
            })
            .collect();
        // Not all data that was ever looked at: a database that lives on knows of more.
        let data = roots.iter().flat_map(|root| {
            let printed = fingerprint(&self.db, workspace, root.id);
            printed.reads.data.iter().cloned().collect::<Vec<_>>()
        });
        out.extend(data.collect::<BTreeSet<_>>().into_iter().map(|path| LocalFile {
            hash: self.db.files().blob(&self.db, &path).revision(&self.db),
            path,
        }));
        out.sort();
        out.dedup();
        out
    }

    fn stats(&self, crates: &[CrateId], local: &[SourceFile]) -> Stats {
        let packages: BTreeSet<_> = crates.iter().map(|&krate| self.project.krate(krate).package).collect();
        Stats {
            packages: packages.len(),
            files: local.len(),
        }
    }
}

/// The functions that `name` means: of that path, else the one path that ends so.
fn find(name: &str, all: &[(String, Option<String>, DefId)]) -> Result<Vec<DefId>, AnalysisError> {
    let is = |it: &&(String, Option<String>, DefId)| it.0 == name || it.1.as_deref() == Some(name);
    let exact: Vec<DefId> = all.iter().filter(is).map(|it| it.2).collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let tail = format!("::{name}");
    let ends = |path: &str| path.ends_with(&tail);
    let close = all.iter().filter(|it| ends(&it.0) || it.1.as_deref().is_some_and(ends));
    let mut by_path: BTreeMap<&str, Vec<DefId>> = BTreeMap::new();
    for it in close {
        by_path.entry(&it.0).or_default().push(it.2);
    }
    match by_path.len() {
        0 => Err(AnalysisError::UnknownFunction {
            name: name.to_owned(),
            nearest: nearest(name, all),
        }),
        1 => Ok(by_path.into_values().flatten().collect()),
        _ => {
            let candidates = by_path.keys().take(8).map(|path| format!("`{path}`")).collect();
            Err(AnalysisError::AmbiguousFunction {
                name: name.to_owned(),
                candidates,
            })
        }
    }
}

fn nearest(name: &str, all: &[(String, Option<String>, DefId)]) -> Vec<String> {
    let last = |path: &str| path.rsplit("::").next().unwrap_or_default().to_owned();
    let score = |path: &str| {
        let tails = strsim::jaro_winkler(&last(name), &last(path));
        strsim::jaro_winkler(name, path).max(0.9 * tails)
    };
    let mut scored: Vec<(f64, &str)> = all
        .iter()
        .map(|it| (score(&it.0), it.0.as_str()))
        .filter(|it| it.0 > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, path)| path.to_owned()).collect()
}

fn report(db: &dyn Db, workspace: Workspace, asked: Option<&str>, id: DefId, explain: bool) -> Reported {
    let world = &resolver(db, workspace);
    let paths = DefPath { world };
    let printed = fingerprint(db, workspace, id);
    let closure = closure(db, workspace, id);
    let place = place(db, world, id);
    let project = &world.project;
    let root = &project.workspace_root;
    let file = place
        .file
        .strip_prefix(root)
        .map_or(place.file.clone(), |path| path.to_owned());
    let found = found(db, workspace, id);
    let definitions = match explain {
        true => closure
            .items
            .iter()
            .map(|item| closure_item(db, world, &paths, item))
            .collect(),
        false => Vec::new(),
    };
    let report = RootReport {
        path: asked
            .filter(|name| name.contains("::"))
            .map_or_else(|| roots::path(db, world, paths, id), str::to_owned),
        package: project.package_of(id.krate).name.clone(),
        target: target(project, id.krate),
        file,
        line: place.line,
        column: place.column,
        until: made::extent_of(db, world, id).map(|it| it.1),
        name: world.def(id).map_or(String::new(), |def| def.name.as_str().to_owned()),
        source: source(db, world, id),
        fingerprint: printed.fingerprint,
        crates: printed.crates.clone(),
        cfgs: printed.cfgs.iter().cloned().collect(),
        env: printed.env.iter().cloned().collect(),
        files: printed.files.iter().cloned().collect(),
        findings: found.iter().map(|it| finding(db, world, it)).collect(),
        unresolved: closure.unresolved.iter().cloned().collect(),
        definitions,
    };
    Reported {
        id,
        report,
        findings: found.iter().map(|it| it.id).collect(),
    }
}

/// What memoization cannot see in the closure of `root`.
#[salsa::tracked(returns(clone), no_eq)]
fn found(db: &dyn Db, workspace: Workspace, root: DefId) -> Arc<Vec<Finding>> {
    Arc::new(findings(db, workspace, &closure(db, workspace, root)))
}

fn finding(db: &dyn Db, world: &World<'_>, it: &Finding) -> astrocache_manifest::Finding {
    let place = place(db, world, it.id);
    astrocache_manifest::Finding {
        kind: it.kind.to_owned(),
        name: it.name.clone(),
        file: place.file.into_std_path_buf(),
        line: place.line,
    }
}

fn closure_item(db: &dyn Db, world: &World<'_>, paths: &DefPath<'_>, item: &crate::reach::Item) -> ClosureItem {
    let place = place(db, world, item.id);
    ClosureItem {
        path: paths.of(item.id),
        kind: world.def(item.id).map_or(crate::syntax::DefKind::Other, |def| def.kind),
        package: world.project.package_of(item.id.krate).name.clone(),
        file: place.file,
        line: place.line,
        rule: item.rule,
        via: item.via.map(|via| via as usize),
    }
}

/// Where a definition stands.
#[derive(Default)]
pub(super) struct Place {
    file: Utf8PathBuf,
    pub(super) line: u32,
    column: u32,
}

pub(super) fn place(db: &dyn Db, world: &World<'_>, id: DefId) -> Place {
    let place = with_body(db, world, id, |file, body| Place {
        file: file.path(db).clone(),
        line: body.line,
        column: body.column,
    });
    place.unwrap_or_default()
}

/// The hash of a root's own tokens, as the macro computes it. Reads the root's file.
fn source(db: &dyn Db, world: &World<'_>, id: DefId) -> TokenHash {
    let source = with_body(db, world, id, |file, body| {
        source_of(db, file, body.item_start, body.range.1)
    });
    source.flatten().map_or(TokenHash::from_bytes([0; 16]), |it| it.0)
}

fn with_body<T>(db: &dyn Db, world: &World<'_>, id: DefId, f: impl FnOnce(SourceFile, &DefBody) -> T) -> Option<T> {
    let file = source_file(world, id)?;
    let unit = &world.map(id.krate)?.units[id.unit as usize];
    let bodies = bodies(db, file);
    bodies
        .unit(&unit.expansion)
        .get(id.def as usize)
        .map(|body| f(file, body))
}

/// As the manifest names a target.
pub fn target(project: &Project, krate: CrateId) -> String {
    let it = project.krate(krate);
    match it.kind {
        CrateKind::Lib | CrateKind::ProcMacro => "lib".to_owned(),
        CrateKind::Bin => format!("bin:{}", it.target),
        CrateKind::Example => format!("example:{}", it.target),
        CrateKind::Test => format!("test:{}", it.target),
        CrateKind::Bench => format!("bench:{}", it.target),
        CrateKind::BuildScript => "build-script".to_owned(),
    }
}

/// As they are listed.
pub(super) fn sort(reports: &mut [RootReport]) {
    reports.sort_by_cached_key(listed);
}

fn listed(it: &RootReport) -> impl Ord + use<> {
    (
        it.package.clone(),
        it.target.clone(),
        it.path.clone(),
        it.source.to_string(),
    )
}

/// Two definitions of one path are `cfg` variants, or a mistake; each gets a path of its own.
pub(super) fn tell_apart(reports: &mut [RootReport], diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<(String, String, String), (u32, Fingerprint)> = BTreeMap::new();
    for report in reports.iter_mut().filter(|report| !report.path.is_empty()) {
        let key = (report.package.clone(), report.target.clone(), report.path.clone());
        let entry = seen.entry(key).or_insert((0, report.fingerprint));
        entry.0 += 1;
        if entry.0 > 1 {
            let message = format!(
                "`{}` is defined more than once; the second is listed as `{0}#{}`",
                report.path, entry.0
            );
            diagnostics.push(Diagnostic {
                file: report.file.clone(),
                line: report.line,
                message,
                hides_code: false,
            });
            report.path = format!("{}#{}", report.path, entry.0);
        }
    }
}
