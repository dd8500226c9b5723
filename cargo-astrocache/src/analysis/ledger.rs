//! An analysis as the macro's ledger.

use std::{collections::BTreeMap, path::Path};

use astrocache_manifest::{FileStamp, Ledger, LedgerCrate, LedgerLibrary, LedgerRoot};
use camino::Utf8PathBuf;

use super::{
    report::{Analysis, RootReport},
    run::target,
};
use crate::project::{CrateKind, Project};

/// What a macro needs to know to use `analysis` without asking again.
///
/// Every file is stamped with the content that the analysis saw: one that changed since then does not verify, so the
/// next question is answered anew.
pub fn ledger(project: &Project, analysis: &Analysis) -> Ledger {
    let mut stamps: BTreeMap<Utf8PathBuf, FileStamp> = BTreeMap::new();
    for path in &project.inputs {
        stamps.insert(path.clone(), input_stamp(path.as_std_path(), analysis.taken_ns));
    }
    for file in analysis.local_files.iter().filter(|file| !file.path.is_dir()) {
        stamps.insert(file.path.clone(), stamp(file.path.as_std_path(), file.hash));
    }
    let places: BTreeMap<Utf8PathBuf, u32> = stamps
        .keys()
        .enumerate()
        .map(|(at, path)| (path.clone(), at as u32))
        .collect();
    Ledger {
        tool: crate::build_id().to_owned(),
        workspace_root: project.workspace_root.clone().into_std_path_buf(),
        taken_ns: analysis.taken_ns,
        platforms: project.platforms.clone(),
        files: stamps.into_values().collect(),
        crates: analysis
            .crates
            .iter()
            .map(|&krate| LedgerCrate {
                root_file: project.krate(krate).root_file.clone().into_std_path_buf(),
                package: project.package_of(krate).name.clone(),
                target: target(project, krate),
                features: project.package_of(krate).features.iter().cloned().collect(),
                dormant: project.package_of(krate).dormant.iter().cloned().collect(),
            })
            .collect(),
        libraries: libraries(project),
        roots: analysis
            .roots
            .iter()
            .map(|report| root(project, report, &places))
            .collect(),
    }
}

/// All that code can be linked with. Edges are those of building all members, so the features are theirs as well.
fn libraries(project: &Project) -> Vec<LedgerLibrary> {
    let crates = project.crates.iter();
    let mut libraries: Vec<LedgerLibrary> = crates
        .filter(|it| matches!(it.kind, CrateKind::Lib | CrateKind::ProcMacro))
        .map(|it| {
            let package = project.package(it.package);
            LedgerLibrary {
                root_file: it.root_file.clone().into_std_path_buf(),
                features: package.features.iter().cloned().collect(),
                dormant: package.dormant.iter().cloned().collect(),
            }
        })
        .collect();
    libraries.sort_by(|a, b| a.root_file.cmp(&b.root_file));
    libraries
}

fn root(project: &Project, report: &RootReport, places: &BTreeMap<Utf8PathBuf, u32>) -> LedgerRoot {
    LedgerRoot {
        path: report.path.clone(),
        package: report.package.clone(),
        target: report.target.clone(),
        file: project.workspace_root.join(&report.file).into_std_path_buf(),
        name: report.name.clone(),
        line: report.line,
        column: report.column,
        until: report.until,
        source: report.source,
        fingerprint: report.fingerprint,
        crates: report.crates.clone(),
        cfgs: report.cfgs.clone(),
        env: report.env.clone(),
        files: report
            .files
            .iter()
            .filter_map(|path| places.get(path).copied())
            .collect(),
        findings: report.findings.clone(),
    }
}

/// A source file: what it is now, if that is what was analyzed.
fn stamp(path: &Path, seen: Option<[u8; 32]>) -> FileStamp {
    match (FileStamp::of(path), seen) {
        (Ok(stamp), Some(hash)) if stamp.hash == hash => stamp,
        (Err(_), None) => FileStamp::absent(path),
        (_, seen) => unverifiable(path, seen),
    }
}

/// A manifest or configuration file, read by cargo: one that was touched since the analysis began does not count.
fn input_stamp(path: &Path, taken_ns: i128) -> FileStamp {
    match FileStamp::of(path) {
        Ok(stamp) if stamp.mtime_ns < taken_ns => stamp,
        Ok(_) => unverifiable(path, None),
        Err(_) => FileStamp::absent(path),
    }
}

/// Compares equal to no file.
fn unverifiable(path: &Path, seen: Option<[u8; 32]>) -> FileStamp {
    FileStamp {
        path: path.to_path_buf(),
        size: u64::MAX - 1,
        mtime_ns: i128::MIN,
        hash: seen.unwrap_or([0xff; 32]),
    }
}
