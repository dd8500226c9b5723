//! The command line of `cargo xtask oracle`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::closure::Tool;
use super::compare::{Comparison, Sources, compare};
use super::graph::Graph;
use super::project::{Workspace, projects};
use super::report::{Part, markdown};

const USAGE: &str = "cargo xtask oracle [NAME..] [--project DIR --package P --root PATH..] [--work DIR] [--tool PATH] [--markdown FILE]";

#[derive(Default)]
struct Options {
    names: Vec<String>,
    project: Option<PathBuf>,
    package: Option<String>,
    roots: Vec<String>,
    work: Option<PathBuf>,
    tool: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

/// Entry point of the subcommand. Without a name or `--project`, all built-in projects.
pub fn run(args: Vec<String>) -> Result<()> {
    let options = options(args)?;
    let work = options
        .work
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join("astrocache-oracle"));
    let tool = Tool::new(options.tool.clone())?;
    let mut sources = Sources::default();
    let mut parts = Vec::new();
    for (name, workspace) in workspaces(&options, &work)? {
        eprintln!("oracle: {name}");
        let comparisons = comparisons(&workspace, &work.join("target").join(&name), &tool, &mut sources)
            .with_context(|| format!("project `{name}`"))?;
        parts.push(Part {
            project: name,
            dir: workspace.dir,
            comparisons,
        });
    }
    let report = markdown(&parts, &mut sources);
    match &options.markdown {
        Some(file) => fs::write(file, &report).with_context(|| format!("cannot write {}", file.display()))?,
        None => print!("{report}"),
    }
    let missing: usize = parts
        .iter()
        .flat_map(|part| &part.comparisons)
        .map(|it| it.missing.len())
        .sum();
    ensure!(
        missing == 0,
        "{missing} functions that rustc reaches are not in our closures"
    );
    Ok(())
}

fn options(args: Vec<String>) -> Result<Options> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if !arg.starts_with('-') {
            options.names.push(arg);
            continue;
        }
        let value = args
            .next()
            .with_context(|| format!("`{arg}` needs a value\nusage: {USAGE}"))?;
        match arg.as_str() {
            "--project" => options.project = Some(value.into()),
            "--package" => options.package = Some(value),
            "--root" => options.roots.push(value),
            "--work" => options.work = Some(value.into()),
            "--tool" => options.tool = Some(value.into()),
            "--markdown" => options.markdown = Some(value.into()),
            _ => bail!("unknown argument `{arg}`\nusage: {USAGE}"),
        }
    }
    Ok(options)
}

fn workspaces(options: &Options, work: &std::path::Path) -> Result<Vec<(String, Workspace)>> {
    if let Some(dir) = &options.project {
        let package = options.package.clone().context("`--project` needs `--package`")?;
        ensure!(!options.roots.is_empty(), "`--project` needs at least one `--root`");
        let dir = dir
            .canonicalize()
            .with_context(|| format!("no project at {}", dir.display()))?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![(
            name,
            Workspace {
                dir,
                package,
                roots: options.roots.clone(),
            },
        )]);
    }
    let known = projects();
    let unknown = options
        .names
        .iter()
        .find(|name| known.iter().all(|project| project.name != **name));
    if let Some(name) = unknown {
        let names: Vec<&str> = known.iter().map(|project| project.name).collect();
        bail!("no project `{name}`; there are {}", names.join(", "));
    }
    let wanted = known
        .iter()
        .filter(|p| options.names.is_empty() || options.names.iter().any(|name| name == p.name));
    wanted
        .map(|project| Ok((project.name.to_owned(), project.lay(work)?)))
        .collect()
}

fn comparisons(
    workspace: &Workspace,
    target: &std::path::Path,
    tool: &Tool,
    sources: &mut Sources,
) -> Result<Vec<Comparison>> {
    let artifacts = super::build(&workspace.dir, &workspace.package, target)?;
    let graph = Graph::read(&artifacts)?;
    let one = |root: &String| {
        let node = graph.root(root)?;
        let closure = tool.closure(&workspace.dir, root)?;
        Ok(compare(&graph, node, root, &closure, sources))
    };
    workspace.roots.iter().map(one).collect()
}
