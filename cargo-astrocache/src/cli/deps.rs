//! `deps`: the packages and files that the code of a cached function comes from, and the data and variables it is compiled
//! with. What `explain` lists one by one, summed up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use camino::Utf8Path;
use serde_json::{Value, json};

use super::args::{MessageFormat, ProjectArgs};
use super::exit::Outcome;
use super::session::{Access, Session};
use super::ui::{Place, Ui, bold, count};
use crate::analysis::{Request, RootReport, Roots};
use crate::project::{Package, PackageSource, Project};

pub(super) fn run(function: Option<&str>, project: &ProjectArgs, ui: &Ui) -> anyhow::Result<Outcome> {
    let roots = match function {
        Some(function) => Roots::Named(vec![function.to_owned()]),
        None => Roots::Annotated,
    };
    let request = Request { roots, explain: true };
    let session = Session::open(project, Access::Read, &request, ui)?;
    let all = session.analysis.roots.iter();
    let all: Vec<Deps<'_>> = all.map(|root| Deps::of(root, &session.project)).collect();
    if ui.format == MessageFormat::Json {
        let all: Vec<Value> = all.iter().map(|it| it.json(&session)).collect();
        ui.json(&all)?;
    } else {
        let all: Vec<String> = all.iter().map(|it| it.human(&session, ui)).collect();
        ui.stdout(&all.join("\n"))?;
    }
    if session.analysis.roots.is_empty() {
        ui.help("no cached functions; mark one with `#[astrocache::cached]`, or name any function");
    }
    Ok(Outcome::Done)
}

/// Where the code of one root comes from.
struct Deps<'a> {
    root: &'a RootReport,
    /// The root's own package first, then local ones, then the others, by name and version.
    packages: Vec<Origin<'a>>,
    /// Local files that are no source of a definition: included ones, inputs of build scripts, code of proc macros.
    others: BTreeSet<&'a Utf8Path>,
}

/// A package, and how many definitions each of its files gives.
struct Origin<'a> {
    package: &'a Package,
    files: BTreeMap<&'a Utf8Path, usize>,
}

impl<'a> Deps<'a> {
    fn of(root: &'a RootReport, project: &'a Project) -> Deps<'a> {
        let mut files: BTreeMap<&Utf8Path, (&str, usize)> = BTreeMap::new();
        for item in &root.definitions {
            files.entry(&item.file).or_insert((&item.package, 0)).1 += 1;
        }
        let others = root.files.iter().map(|it| it.as_path());
        let others = others.filter(|it| !files.contains_key(it)).collect();
        let mut packages: BTreeMap<_, Origin<'_>> = BTreeMap::new();
        for (file, (name, definitions)) in files {
            let Some(package) = package(project, name, file) else {
                continue;
            };
            let is_other = package.name != root.package;
            let is_foreign = package.source != PackageSource::Path;
            let key = (is_other, is_foreign, &package.name, &package.version);
            let origin = packages.entry(key).or_insert_with(|| Origin {
                package,
                files: BTreeMap::new(),
            });
            origin.files.insert(file, definitions);
        }
        Deps {
            root,
            packages: packages.into_values().collect(),
            others,
        }
    }

    fn json(&self, session: &Session) -> Value {
        let packages = self.packages.iter().map(|it| {
            let files = it.files.iter();
            let files = files.map(|(file, n)| json!({ "file": session.relative(file.as_str()), "definitions": n }));
            json!({
                "name": it.package.name,
                "version": it.package.version,
                "local": it.package.source == PackageSource::Path,
                "definitions": it.definitions(),
                "files": files.collect::<Vec<_>>(),
            })
        });
        let others = self.others.iter().map(|it| session.relative(it.as_str()));
        json!({
            "root": self.root.path,
            "packages": packages.collect::<Vec<_>>(),
            "other_files": others.collect::<Vec<_>>(),
            "env": self.root.env,
        })
    }

    fn human(&self, session: &Session, ui: &Ui) -> String {
        let place = Place {
            file: self.root.file.as_str(),
            line: self.root.line,
        };
        let mut out = format!("{}  {place}\n", bold(&self.root.path));
        for it in &self.packages {
            let (definitions, files) = (count(it.definitions(), "definition"), count(it.files.len(), "file"));
            let package = format!("{} v{}", it.package.name, it.package.version);
            let _ = writeln!(out, "  {package}  {definitions} in {files}");
            // Of a registry's files, the user can do nothing about any.
            if it.package.source == PackageSource::Path || ui.is_verbose() {
                for (file, n) in &it.files {
                    let _ = writeln!(out, "    {}  {n}", session.relative(file.as_str()));
                }
            }
        }
        if !self.others.is_empty() {
            let _ = writeln!(out, "  besides: data, and code that runs while it is compiled");
            for it in &self.others {
                let _ = writeln!(out, "    {}", session.relative(it.as_str()));
            }
        }
        if !self.root.env.is_empty() {
            let _ = writeln!(
                out,
                "  environment variables while it is compiled: {}",
                self.root.env.join(", ")
            );
        }
        out
    }
}

impl Origin<'_> {
    fn definitions(&self) -> usize {
        self.files.values().sum()
    }
}

/// The package of this name that holds `file`: two versions differ by their directories.
fn package<'p>(project: &'p Project, name: &str, file: &Utf8Path) -> Option<&'p Package> {
    let named = project.packages.iter().filter(|it| it.name == name);
    let inside = named.clone().filter(|it| file.starts_with(&it.root));
    // `#[path]` can lead out of the package.
    inside
        .max_by_key(|it| it.root.as_str().len())
        .or_else(|| named.clone().next())
}
