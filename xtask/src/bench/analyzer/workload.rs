//! The workspaces that are measured: a small one, this one, and one of over 500 packages from the registry. Each has a
//! member `measured` with cached functions and a module that is edited, and lies twice on the disk, as two workspaces with
//! equal dependencies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::workspace::{cargo, files, root, succeed};

/// Which workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Small,
    This,
    Large,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Small, Kind::This, Kind::Large];

    pub fn named(name: &str) -> anyhow::Result<Kind> {
        let found = Kind::ALL.into_iter().find(|it| it.name() == name);
        found.with_context(|| format!("no workload `{name}`; there are small, this and large"))
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Small => "small",
            Kind::This => "this",
            Kind::Large => "large",
        }
    }

    /// Of its member `measured`, in the form of a manifest.
    fn dependencies(self) -> String {
        let runtime = root().join("astrocache-runtime");
        let more = match self {
            Kind::Small => "serde_json = '=1.0.149'\n",
            Kind::This => "cargo-astrocache = { path = '../cargo-astrocache' }\n",
            Kind::Large => LARGE,
        };
        let runtime = match self {
            Kind::This => "../astrocache-runtime".to_owned(),
            _ => runtime.display().to_string(),
        };
        format!("astrocache = {{ package = 'astrocache-runtime', path = '{runtime}' }}\nmemchr = '2.7'\n{more}")
    }

    fn source(self) -> &'static str {
        match self {
            Kind::Small => {
                "#[astrocache::cached]\npub fn parsed(text: &str) -> u64 { serde_json::from_str(text).unwrap_or(edited::f()) }\n"
            }
            Kind::This => {
                "#[astrocache::cached]\npub fn facts(text: &str) -> u64 { cargo_astrocache::syntax::Name::new(text).as_str().len() as u64 + edited::f() }\n"
            }
            Kind::Large => LARGE_SOURCE,
        }
    }
}

/// Direct dependencies of the large workload. Exact, so that runs are alike; what these need in turn is up to the day.
const LARGE: &str = "\
actix-web = '=4.18.1'
aws-sdk-s3 = '=1.157.0'
axum = '=0.8.9'
chrono = '=0.4.45'
clap = { version = '=4.6.9', features = ['derive'] }
diesel = { version = '=2.3.14', default-features = false, features = ['32-column-tables'] }
futures = '=0.3.34'
hickory-resolver = '=0.25.2'
image = '=0.25.10'
itertools = '=0.14.0'
nalgebra = '=0.34.2'
opentelemetry_sdk = '=0.31.0'
rand = '=0.9.5'
ratatui = '=0.29.0'
rayon = '=1.12.0'
regex = '=1.13.2'
reqwest = { version = '=0.12.28', features = ['json', 'gzip', 'stream'] }
rustls = '=0.23.46'
sea-query = '=0.32.7'
serde = { version = '=1.0.229', features = ['derive'] }
serde_json = '=1.0.154'
sqlx = { version = '=0.8.6', default-features = false, features = ['runtime-tokio', 'postgres', 'macros'] }
syntect = { version = '=5.3.0', default-features = false, features = ['default-fancy'] }
tantivy = '=0.25.0'
tokio = { version = '=1.54.1', features = ['full'] }
tonic = '=0.14.9'
tower-http = { version = '=0.6.11', features = ['full'] }
tracing-subscriber = { version = '=0.3.23', features = ['env-filter', 'json'] }
wasmtime = { version = '=41.0.4', default-features = false, features = ['cranelift', 'runtime', 'component-model'] }
wgpu = '=27.0.1'
winit = '=0.30.13'
";

const LARGE_SOURCE: &str = "\
#[astrocache::cached]
pub fn matches(text: &str) -> bool { regex::Regex::new(text).is_ok_and(|it| it.is_match(text)) && edited::f() > 0 }
#[astrocache::cached]
pub fn parsed(text: &str) -> u64 { serde_json::from_str(text).unwrap_or(edited::f()) }
#[astrocache::cached]
pub fn weekday(day: i32) -> u32 { chrono::NaiveDate::from_num_days_from_ce_opt(day).map_or(0, |it| chrono::Datelike::day(&it)) }
#[astrocache::cached]
pub fn norm(x: f64, y: f64) -> f64 { nalgebra::Vector2::new(x, y).norm() }
#[astrocache::cached]
pub fn joined(words: &[String]) -> String { itertools::join(words, \", \") }
#[astrocache::cached]
pub fn sum(numbers: &[u64]) -> u64 { use rayon::prelude::*; numbers.par_iter().sum() }
#[astrocache::cached]
pub fn query(table: &str) -> String { sea_query::Query::select().from(sea_query::Alias::new(table)).to_string(sea_query::PostgresQueryBuilder) }
#[astrocache::cached]
pub fn plain(n: u64) -> u64 { n + edited::f() }
";

/// A workload on the disk.
pub struct Workload {
    pub kind: Kind,
    /// Two workspaces with equal dependencies.
    pub one: PathBuf,
    pub two: PathBuf,
    /// Packages that take part on this platform.
    pub packages: usize,
    locks: [Vec<u8>; 2],
}

/// How the edited module stands.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    pub comments: usize,
    pub body: usize,
    pub items: usize,
}

impl Workload {
    /// Writes it under `target/`, and fetches what it depends on.
    pub fn prepare(kind: Kind) -> anyhow::Result<Workload> {
        let base = root().join("target/bench-analyzer").join(kind.name());
        let (one, two) = (base.join("one"), base.join("two"));
        write_workspace(kind, &one)?;
        let memchr = |version: &str| -> anyhow::Result<Vec<u8>> {
            let mut update = cargo(&one);
            update.args(["update", "--quiet", "--package", "memchr", "--precise", version]);
            succeed(update, "cargo update")?;
            let mut fetch = cargo(&one);
            fetch.args(["fetch", "--quiet"]);
            succeed(fetch, "cargo fetch")?;
            Ok(fs::read(one.join("Cargo.lock"))?)
        };
        let locks = [memchr("2.7.6")?, memchr("2.8.3")?];
        fs::write(one.join("Cargo.lock"), &locks[0])?;
        write_workspace(kind, &two)?;
        fs::write(two.join("Cargo.lock"), &locks[0])?;
        let packages = packages(&one)?;
        if kind == Kind::Large && packages < 500 {
            bail!("the large workload has only {packages} packages on this platform");
        }
        let workload = Workload {
            kind,
            one,
            two,
            packages,
            locks,
        };
        workload.edit(Edit {
            comments: 0,
            body: 1,
            items: 0,
        })?;
        Ok(workload)
    }

    /// Writes the edited module of the first workspace.
    pub fn edit(&self, edit: Edit) -> anyhow::Result<()> {
        write_edited(&self.one, edit)
    }

    /// Puts the first or the second lock file in place.
    pub fn lock(&self, which: usize) -> anyhow::Result<()> {
        Ok(fs::write(self.one.join("Cargo.lock"), &self.locks[which])?)
    }
}

fn write_workspace(kind: Kind, dir: &Path) -> anyhow::Result<()> {
    // What cargo built there stays.
    if kind == Kind::This {
        for file in files(&root())? {
            let to = dir.join(&file);
            fs::create_dir_all(to.parent().context("a file without a directory")?)?;
            fs::copy(root().join(&file), to)?;
        }
        let manifest = fs::read_to_string(dir.join("Cargo.toml"))?;
        let member = manifest.replacen("members = [", "members = [\n    \"measured\",", 1);
        fs::write(dir.join("Cargo.toml"), member)?;
    } else {
        fs::create_dir_all(dir)?;
        fs::write(
            dir.join("Cargo.toml"),
            "[workspace]\nmembers = ['measured']\nresolver = '3'\n",
        )?;
    }
    let member = dir.join("measured");
    fs::create_dir_all(member.join("src"))?;
    let dependencies = kind.dependencies();
    fs::write(
        member.join("Cargo.toml"),
        format!("[package]\nname = 'measured'\nversion = '0.1.0'\nedition = '2024'\n[dependencies]\n{dependencies}"),
    )?;
    fs::write(member.join("src/lib.rs"), format!("mod edited;\n{}", kind.source()))?;
    write_edited(
        dir,
        Edit {
            comments: 0,
            body: 1,
            items: 0,
        },
    )
}

fn write_edited(dir: &Path, edit: Edit) -> anyhow::Result<()> {
    let mut text = "// A comment.\n".repeat(edit.comments);
    text.push_str(&format!("pub fn f() -> u64 {{ {} }}\n", edit.body));
    for item in 0..edit.items {
        text.push_str(&format!("pub fn more_{item}() {{}}\n"));
    }
    Ok(fs::write(dir.join("measured/src/edited.rs"), text)?)
}

fn packages(dir: &Path) -> anyhow::Result<usize> {
    let mut tree = cargo(dir);
    tree.args([
        "tree",
        "--offline",
        "--workspace",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let output = tree.output().context("cannot start cargo tree")?;
    let mut lines: Vec<&str> = std::str::from_utf8(&output.stdout)?.lines().collect();
    let name = |line: &mut &str| *line = line.trim_end_matches(" (*)");
    lines.iter_mut().for_each(name);
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.len())
}
