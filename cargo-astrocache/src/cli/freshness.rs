//! The manifest against the source: what is new, changed or gone. Pure; `check` tells it, `update` acts on it.

use std::collections::BTreeMap;

use astrocache_manifest::{Manifest, ManifestPackage, Root};
use camino::Utf8Path;
use serde::Serialize;

use crate::analysis::RootReport;
use crate::project::{PackageSource, Project};

/// How a cached function stands to the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    Fresh,
    New,
    Changed,
    Gone,
}

/// One cached function of the source, the manifest, or both.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub(super) standing: Standing,
    pub(super) reason: &'static str,
    pub(super) now: Option<&'a RootReport>,
    pub(super) was: Option<&'a Root>,
}

impl Entry<'_> {
    pub(super) fn path(&self) -> &str {
        self.now
            .map(|it| it.path.as_str())
            .or(self.was.map(|it| it.path.as_str()))
            .unwrap_or_default()
    }
}

/// Compares, in the order of the manifest. `None`: there is no manifest.
pub(super) fn compare<'a>(manifest: Option<&'a Manifest>, roots: &'a [RootReport]) -> Vec<Entry<'a>> {
    let mut both: BTreeMap<_, (Option<&Root>, Option<&RootReport>)> = BTreeMap::new();
    for root in manifest.iter().flat_map(|it| &it.roots) {
        both.entry((&root.package, &root.target, &root.path)).or_default().0 = Some(root);
    }
    for root in roots {
        both.entry((&root.package, &root.target, &root.path)).or_default().1 = Some(root);
    }
    both.into_values().map(|(was, now)| judge(was, now)).collect()
}

fn judge<'a>(was: Option<&'a Root>, now: Option<&'a RootReport>) -> Entry<'a> {
    let (standing, reason) = match (was, now) {
        (None, _) => (Standing::New, "not in Astrocache.lock"),
        (Some(_), None) => (Standing::Gone, "no longer in the source"),
        (Some(was), Some(now)) if was.source != now.source => (Standing::Changed, "its own code changed"),
        (Some(was), Some(now)) if was.fingerprint != now.fingerprint => {
            (Standing::Changed, "code that it can run changed")
        }
        (Some(was), Some(now)) if was.file != now.file.as_str() => (Standing::Changed, "it moved to another file"),
        (Some(_), Some(_)) => (Standing::Fresh, "as in Astrocache.lock"),
    };
    Entry {
        standing,
        reason,
        now,
        was,
    }
}

/// What a manifest says besides its functions: for which platforms it is, and with which features the local packages were analyzed.
pub(super) fn manifest_head(project: &Project) -> Manifest {
    let local = project.packages.iter().filter(|it| it.source == PackageSource::Path);
    Manifest {
        platforms: project.platforms.clone(),
        packages: local
            .map(|package| ManifestPackage {
                name: package.name.clone(),
                path: relative(&package.root, &project.workspace_root),
                features: package.features.iter().cloned().collect(),
            })
            .collect(),
        roots: Vec::new(),
    }
}

/// `path` as seen from `base`: `crates/a`, `../b`, `.`.
fn relative(path: &Utf8Path, base: &Utf8Path) -> String {
    let common = path
        .components()
        .zip(base.components())
        .take_while(|(a, b)| a == b)
        .count();
    if common == 0 {
        return path.to_string();
    }
    let up = base.components().skip(common).map(|_| "..");
    let down = path.components().skip(common).map(|it| it.as_str());
    let parts: Vec<&str> = up.chain(down).collect();
    match parts.is_empty() {
        true => ".".to_owned(),
        false => parts.join("/"),
    }
}

/// `a, b`, for people.
pub(super) fn platforms(triples: &[String]) -> String {
    match triples.is_empty() {
        true => "platforms that it does not name".to_owned(),
        false => triples.join(", "),
    }
}

/// The manifest's form of a report.
pub(super) fn root(report: &RootReport) -> Root {
    Root {
        package: report.package.clone(),
        target: report.target.clone(),
        path: report.path.clone(),
        file: report.file.to_string(),
        source: report.source,
        fingerprint: report.fingerprint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_as_seen_from_the_workspace() {
        let seen = |path: &str, base: &str| relative(Utf8Path::new(path), Utf8Path::new(base));
        assert_eq!(seen("/w", "/w"), ".");
        assert_eq!(seen("/w/crates/a", "/w"), "crates/a");
        assert_eq!(seen("/w/b", "/w/a"), "../b");
        assert_eq!(seen("/x/b", "/w/a"), "../../x/b");
        assert_eq!(seen("b", "/w"), "b");
    }
}
