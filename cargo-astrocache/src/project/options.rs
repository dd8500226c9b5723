//! What a workspace asks of cargo-astrocache itself: `[workspace.metadata.astrocache]` in its root manifest. Cargo leaves that
//! table alone, so a misspelt key would be silent: here it is an error.

use camino::Utf8Path;
use toml::{Table, Value};

use super::settings::read_table;
use super::{LoadOptions, ProjectError};

/// The table's keys, as given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WorkspaceOptions {
    /// Target triples to analyze for, sorted. `None`: the host and `build.target`.
    pub(super) platforms: Option<Vec<String>>,
    features: Vec<String>,
    all_features: bool,
    no_default_features: bool,
}

impl WorkspaceOptions {
    /// Reads them from the workspace's root manifest; `[package.metadata.astrocache]` does where there is no `[workspace]`.
    pub(super) fn read(root_manifest: &Utf8Path) -> Result<WorkspaceOptions, ProjectError> {
        let manifest = read_table(root_manifest)?.unwrap_or_default();
        let section = match manifest.contains_key("workspace") {
            true => "workspace",
            false => "package",
        };
        let metadata = manifest.get(section).and_then(|it| it.get("metadata"));
        let Some(value) = metadata.and_then(|it| it.get("astrocache")) else {
            return Ok(WorkspaceOptions::default());
        };
        let parsed = match value {
            Value::Table(table) => parse(table),
            _ => Err("is not a table".to_owned()),
        };
        parsed.map_err(|reason| ProjectError::Parse {
            path: root_manifest.to_owned(),
            reason: format!("[{section}.metadata.astrocache] {reason}"),
        })
    }

    /// `options`, with the workspace's features where the command line says nothing of features.
    pub(super) fn under(&self, options: &LoadOptions) -> LoadOptions {
        let mut options = options.clone();
        if options.features.is_empty() && !options.all_features && !options.no_default_features {
            options.features.clone_from(&self.features);
            options.all_features = self.all_features;
            options.no_default_features = self.no_default_features;
        }
        options
    }
}

fn parse(table: &Table) -> Result<WorkspaceOptions, String> {
    let mut options = WorkspaceOptions::default();
    for (key, value) in table {
        match key.as_str() {
            "platforms" => options.platforms = Some(platforms(value)?),
            "features" => options.features = strings(key, value)?,
            "all-features" => options.all_features = boolean(key, value)?,
            "no-default-features" => options.no_default_features = boolean(key, value)?,
            other => {
                return Err(format!(
                    "has the unknown key `{other}`; there are `platforms`, `features`, `all-features`, `no-default-features`"
                ));
            }
        }
    }
    Ok(options)
}

fn platforms(value: &Value) -> Result<Vec<String>, String> {
    let mut platforms = strings("platforms", value)?;
    platforms.sort();
    platforms.dedup();
    match platforms
        .iter()
        .find(|it| it.is_empty() || it.starts_with('-') || it.ends_with(".json"))
    {
        Some(odd) => Err(format!(
            "`platforms` lists `{odd}`, which is no target triple (`rustc --print target-list` names them)"
        )),
        None if platforms.is_empty() => {
            Err("`platforms` is empty; list target triples, or remove it for the host and `build.target`".to_owned())
        }
        None => Ok(platforms),
    }
}

fn strings(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let texts = value
        .as_array()
        .and_then(|list| list.iter().map(|it| it.as_str().map(str::to_owned)).collect());
    texts.ok_or_else(|| format!("`{key}` is not a list of strings"))
}

fn boolean(key: &str, value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("`{key}` is neither true nor false"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::{Expect, expect};

    use super::*;

    fn read(text: &str) -> Result<WorkspaceOptions, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("Cargo.toml");
        fs::write(&path, text).unwrap();
        WorkspaceOptions::read(&path).map_err(|error| error.to_string().replace(path.as_str(), "Cargo.toml"))
    }

    fn check_error(table: &str, expected: Expect) {
        expected.assert_eq(&read(&format!("[workspace.metadata.astrocache]\n{table}\n")).unwrap_err());
    }

    #[test]
    fn platforms_are_sorted_and_a_single_package_may_say_them_too() {
        let of =
            |section: &str| read(&format!("[{section}.metadata.astrocache]\nplatforms = ['b', 'a', 'b']")).unwrap();
        assert_eq!(of("workspace").platforms.unwrap(), ["a", "b"]);
        assert_eq!(of("package").platforms.unwrap(), ["a", "b"]);
        assert_eq!(
            read("[workspace]\n[package.metadata.astrocache]\nplatforms = ['a']").unwrap(),
            WorkspaceOptions::default()
        );
        assert_eq!(read("[package]\nmetadata = 1").unwrap(), WorkspaceOptions::default());
    }

    #[test]
    fn the_command_line_comes_before_the_workspaces_features() {
        let ours = read("[workspace.metadata.astrocache]\nfeatures = ['x']\nno-default-features = true").unwrap();
        let taken = ours.under(&LoadOptions::default());
        assert!(taken.features == ["x"] && taken.no_default_features);
        let typed = LoadOptions {
            all_features: true,
            ..LoadOptions::default()
        };
        let taken = ours.under(&typed);
        assert!(taken.features.is_empty() && taken.all_features && !taken.no_default_features);
    }

    #[test]
    fn garbage_is_told_with_its_place() {
        check_error(
            "platform = []",
            expect![
                "cannot understand `Cargo.toml`: [workspace.metadata.astrocache] has the unknown key `platform`; there are `platforms`, `features`, `all-features`, `no-default-features`"
            ],
        );
        check_error(
            "platforms = 'linux'",
            expect![
                "cannot understand `Cargo.toml`: [workspace.metadata.astrocache] `platforms` is not a list of strings"
            ],
        );
        check_error(
            "platforms = [1]",
            expect![
                "cannot understand `Cargo.toml`: [workspace.metadata.astrocache] `platforms` is not a list of strings"
            ],
        );
        check_error(
            "platforms = []",
            expect![
                "cannot understand `Cargo.toml`: [workspace.metadata.astrocache] `platforms` is empty; list target triples, or remove it for the host and `build.target`"
            ],
        );
        check_error(
            "platforms = ['own.json']",
            expect![
                "cannot understand `Cargo.toml`: [workspace.metadata.astrocache] `platforms` lists `own.json`, which is no target triple (`rustc --print target-list` names them)"
            ],
        );
        check_error(
            "platforms = ['']",
            expect![
                "cannot understand `Cargo.toml`: [workspace.metadata.astrocache] `platforms` lists ``, which is no target triple (`rustc --print target-list` names them)"
            ],
        );
        check_error(
            "all-features = 'yes'",
            expect![
                "cannot understand `Cargo.toml`: [workspace.metadata.astrocache] `all-features` is neither true nor false"
            ],
        );
        expect!["cannot understand `Cargo.toml`: [workspace.metadata.astrocache] is not a table"]
            .assert_eq(&read("[workspace.metadata]\nastrocache = true").unwrap_err());
    }
}
