//! The projects: published crates, copied out of cargo's registry into a scratch workspace with a small package of roots.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A set of published crates and the roots that use them.
pub struct Project {
    pub name: &'static str,
    /// `[dependencies]` of the package of roots. Exact versions: a table of results is about these.
    pub dependencies: &'static str,
    /// Packages that become members of the workspace, so that they are the user's own code and can be edited.
    pub members: &'static [&'static str],
    driver: &'static str,
}

/// A project laid out on disk.
pub struct Workspace {
    pub dir: PathBuf,
    /// The package that holds the roots.
    pub package: String,
    /// Paths of the roots, crate name first.
    pub roots: Vec<String>,
}

/// All projects, none of them written for this purpose.
pub fn projects() -> Vec<Project> {
    let project = |name, dependencies, members, driver| Project {
        name,
        dependencies,
        members,
        driver,
    };
    vec![
        project(
            "markdown",
            "pulldown-cmark = { version = \"=0.13.6\", default-features = false, features = [\"html\"] }\npulldown-cmark-escape = \"=0.11.0\"",
            &["pulldown-cmark", "pulldown-cmark-escape", "unicase"],
            include_str!("drivers/markdown.rs"),
        ),
        project(
            "regex",
            "regex = \"=1.13.2\"\nregex-syntax = \"=0.8.12\"\nmemchr = \"=2.8.3\"\naho-corasick = \"=1.1.5\"",
            &["regex", "regex-automata", "regex-syntax", "aho-corasick"],
            include_str!("drivers/regex.rs"),
        ),
        project(
            "toml",
            "toml = \"=1.2.1\"\ntoml_parser = \"=1.1.5\"",
            &["toml", "toml_parser", "toml_datetime", "toml_writer", "serde_spanned"],
            include_str!("drivers/toml.rs"),
        ),
        project(
            "json",
            "serde_json = \"=1.0.154\"",
            &["serde_json", "itoa"],
            include_str!("drivers/json.rs"),
        ),
        project(
            "csv",
            "csv = \"=1.4.0\"",
            &["csv", "csv-core"],
            include_str!("drivers/csv.rs"),
        ),
        project(
            "minijinja",
            "minijinja = { version = \"=3.1.0\", features = [\"serde\"] }",
            &["minijinja"],
            include_str!("drivers/minijinja.rs"),
        ),
        project(
            "textwrap",
            "textwrap = \"=0.16.4\"",
            &["textwrap", "smawk"],
            include_str!("drivers/textwrap.rs"),
        ),
        project(
            "semver",
            "semver = \"=1.0.28\"",
            &["semver"],
            include_str!("drivers/semver.rs"),
        ),
        project(
            "png",
            "png = \"=0.18.1\"",
            &["png", "fdeflate"],
            include_str!("drivers/png.rs"),
        ),
        project(
            "chrono",
            "chrono = { version = \"=0.4.45\", default-features = false, features = [\"std\", \"clock\"] }",
            &["chrono"],
            include_str!("drivers/chrono.rs"),
        ),
        project(
            "derive",
            "serde = { version = \"=1.0.229\", features = [\"derive\"] }\nserde_json = \"=1.0.154\"",
            &["serde"],
            include_str!("drivers/derive.rs"),
        ),
        project(
            "pest",
            "pest = \"=2.9.6\"\npest_derive = { version = \"=2.9.6\", features = [\"grammar-extras\"] }",
            &["pest"],
            include_str!("drivers/pest.rs"),
        ),
        project(
            "time",
            "time = { version = \"=0.3.55\", features = [\"formatting\", \"parsing\", \"macros\"] }",
            &["time"],
            include_str!("drivers/time.rs"),
        ),
    ]
}

impl Project {
    /// Lays the project out below `dir`; what is there already is kept, but for the package of roots.
    pub fn lay(&self, dir: &Path) -> Result<Workspace> {
        let dir = dir.join(self.name);
        let app = dir.join("app");
        write(&app.join("src/lib.rs"), self.driver)?;
        let manifest = format!(
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{}\n",
            self.dependencies
        );
        write(&app.join("Cargo.toml"), &manifest)?;
        if !dir.join("Cargo.toml").exists() {
            write(
                &dir.join("Cargo.toml"),
                "[workspace]\nresolver = \"3\"\nmembers = [\"app\"]\n",
            )?;
            let sources = self.sources(&dir)?;
            for (name, source) in &sources {
                copy(source, &dir.join("crates").join(name))?;
            }
            write(&dir.join("Cargo.toml"), &self.manifest())?;
            cargo(&dir, &["fetch"])?;
        }
        let roots = roots(self.driver);
        ensure!(
            !roots.is_empty(),
            "the driver of `{}` has no public function",
            self.name
        );
        Ok(Workspace {
            dir,
            package: "app".to_owned(),
            roots,
        })
    }

    fn manifest(&self) -> String {
        let members: Vec<String> = self.members.iter().map(|name| format!("\"crates/{name}\"")).collect();
        let patches: Vec<String> = self
            .members
            .iter()
            .map(|name| format!("{name} = {{ path = \"crates/{name}\" }}\n"))
            .collect();
        format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"app\", {}]\n\n[patch.crates-io]\n{}",
            members.join(", "),
            patches.concat()
        )
    }

    /// Where cargo unpacked the packages that become members; cargo downloads what is missing.
    fn sources(&self, dir: &Path) -> Result<Vec<(String, PathBuf)>> {
        let stdout = cargo(dir, &["metadata", "--format-version", "1"])?;
        let metadata: Value = serde_json::from_slice(&stdout).context("`cargo metadata` gave no JSON")?;
        let mut sources = Vec::new();
        for name in self.members {
            let packages = metadata["packages"].as_array().into_iter().flatten();
            let found = packages
                .filter(|p| p["name"] == *name)
                .find_map(|p| p["manifest_path"].as_str());
            let manifest = found.with_context(|| format!("`{}` does not depend on `{name}`", self.name))?;
            let source = Path::new(manifest).parent().context("a manifest without a directory")?;
            sources.push(((*name).to_owned(), source.to_owned()));
        }
        Ok(sources)
    }
}

/// Runs cargo, with the network: a package may have to be downloaded once.
fn cargo(dir: &Path, args: &[&str]) -> Result<Vec<u8>> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`cargo {}` failed in {}:\n{said}",
        args.join(" "),
        dir.display()
    );
    Ok(output.stdout)
}

/// Every top-level `pub fn` of a driver.
fn roots(driver: &str) -> Vec<String> {
    let names = driver
        .lines()
        .filter_map(|line| line.strip_prefix("pub fn ")?.split('(').next());
    names.map(|name| format!("app::{name}")).collect()
}

/// A published package as a member: its sources, and its manifest without tests and what only they need.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        let hidden = name.to_string_lossy().starts_with('.');
        if hidden
            || ["tests", "benches", "examples", "Cargo.lock", "Cargo.toml.orig"]
                .iter()
                .any(|n| name == *n)
        {
            continue;
        }
        let target = to.join(&name);
        if path.is_dir() {
            copy(&path, &target)?;
        } else if name == "Cargo.toml" {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            write(&target, &without_tests(&text))?;
        } else {
            fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
            let copied = fs::read(&path).and_then(|bytes| fs::write(&target, bytes));
            copied.with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

fn without_tests(manifest: &str) -> String {
    let mut keep = true;
    let mut out = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            let dropped = ["[[test", "[[bench", "[[example", "[[bin", "[lints", "[badges"];
            keep = !line.contains("dev-dependencies") && !dropped.iter().any(|head| line.starts_with(head));
        }
        if keep {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let parent = path.parent().context("a file without a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_project_has_roots_and_there_are_enough_of_them() {
        let projects = projects();
        let all: usize = projects.iter().map(|project| roots(project.driver).len()).sum();
        assert!(
            projects.len() >= 6 && all >= 25,
            "{} projects, {all} roots",
            projects.len()
        );
        assert!(projects.iter().all(|project| !roots(project.driver).is_empty()));
    }

    #[test]
    fn a_manifest_loses_its_tests_and_keeps_the_rest() {
        let text = "[package]\nname = \"x\"\n[dev-dependencies.y]\nversion = \"1\"\n[features]\nz = []\n[[bench]]\nname = \"b\"\n[lib]\n";
        assert_eq!(
            without_tests(text),
            "[package]\nname = \"x\"\n[features]\nz = []\n[lib]\n"
        );
    }
}
