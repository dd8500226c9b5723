//! Settings of the workspace's own files that change what code does: profiles, `--cfg` flags, `[env]`, platforms.
//! Deliberately not the user's or a parent directory's configuration: the compiler's own arguments tell that.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

use super::{ProjectError, Settings};

/// A workspace's cargo configuration and what it says.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// The files read.
    pub(super) files: Vec<Utf8PathBuf>,
    table: Table,
}

impl Config {
    /// Reads the configuration of the workspace at `root`: `.cargo/config`, else `.cargo/config.toml`, as cargo prefers.
    pub(super) fn read(root: &Utf8Path) -> Result<Config, ProjectError> {
        for name in [".cargo/config", ".cargo/config.toml"] {
            let path = root.join(name);
            if let Some(table) = read_table(&path)? {
                return Ok(Config {
                    files: vec![path],
                    table,
                });
            }
        }
        Ok(Config::default())
    }

    /// `build.target`: what is built when no `--target` is given. JSON target files are left out: cargo cannot
    /// filter by them without a build.
    pub(super) fn build_targets(&self) -> Vec<String> {
        let mut targets = self.configured_targets();
        targets.retain(|triple| !triple.ends_with(".json") && triple != "host-tuple");
        targets
    }

    /// `build.target` names a JSON target file, which [`Config::build_targets`] leaves out.
    pub(super) fn has_json_target(&self) -> bool {
        let targets = self.configured_targets();
        targets.iter().any(|triple| triple.ends_with(".json"))
    }

    fn configured_targets(&self) -> Vec<String> {
        let build = self.table.get("build");
        strings(build.and_then(|build| build.get("target")))
    }
}

/// Settings as the root manifest and `config` give them; the configuration wins, as in cargo.
pub(super) fn settings(root_manifest: &Utf8Path, config: &Config) -> Result<Settings, ProjectError> {
    let manifest = read_table(root_manifest)?.unwrap_or_default();
    let mut settings = Settings::default();
    for table in [&manifest, &config.table] {
        if let Some(Value::Table(profiles)) = table.get("profile") {
            for (name, profile) in profiles {
                add_profile(name, profile, &mut settings);
            }
        }
    }
    for flags in rustflags(&config.table) {
        add_cfgs(&flags, &mut settings);
    }
    if let Some(Value::Table(env)) = config.table.get("env") {
        for (name, value) in env {
            add_env(name, value, &mut settings);
        }
    }
    Ok(settings)
}

pub(super) fn read_table(path: &Utf8Path) -> Result<Option<Table>, ProjectError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => {
            return Err(ProjectError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    match text.parse::<Table>() {
        Ok(table) => Ok(Some(table)),
        Err(error) => Err(ProjectError::Parse {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// Keys that change results, of a profile, its `package.<spec>` and its `build-override`.
fn add_profile(prefix: &str, profile: &Value, settings: &mut Settings) {
    const CHANGES_RESULTS: [&str; 4] = ["overflow-checks", "debug-assertions", "panic", "inherits"];
    let Value::Table(profile) = profile else {
        return;
    };
    for (key, value) in profile {
        match value {
            Value::Table(packages) if key == "package" => {
                for (spec, overrides) in packages {
                    add_profile(&format!("{prefix}.package.{spec}"), overrides, settings);
                }
            }
            Value::Table(_) if key == "build-override" => {
                add_profile(&format!("{prefix}.build-override"), value, settings);
            }
            _ if CHANGES_RESULTS.contains(&key.as_str()) => {
                settings.profile.insert(format!("{prefix}.{key}"), plain(value));
            }
            _ => {}
        }
    }
}

/// `build.rustflags` and `target.<any>.rustflags`.
fn rustflags(config: &Table) -> Vec<Vec<String>> {
    let of = |table: &Value| {
        strings(table.get("rustflags"))
            .iter()
            .flat_map(|it| words(it))
            .collect()
    };
    let build = config.get("build").into_iter();
    let targets = config
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values);
    build.chain(targets).map(of).collect()
}

fn words(flags: &str) -> Vec<String> {
    flags.split_ascii_whitespace().map(str::to_owned).collect()
}

fn add_cfgs(flags: &[String], settings: &mut Settings) {
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let cfg = match flag.strip_prefix("--cfg") {
            Some("") => flags.next().cloned(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        settings.cfgs.extend(cfg);
    }
}

fn add_env(name: &str, value: &Value, settings: &mut Settings) {
    let value = match value {
        Value::Table(table) => table.get("value").map(plain),
        other => Some(plain(other)),
    };
    if let Some(value) = value {
        settings.env.insert(name.to_owned(), value);
    }
}

/// A string, or the strings of an array.
fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Boolean(on) => on.to_string(),
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(manifest: &str, config: &str, expected: Expect) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        fs::create_dir(root.join(".cargo")).unwrap();
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
        fs::write(root.join(".cargo/config.toml"), config).unwrap();
        let text = match Config::read(root)
            .and_then(|config| Ok((settings(&root.join("Cargo.toml"), &config)?, config.build_targets())))
        {
            Ok((settings, targets)) => format!("{settings:#?}\n{targets:?}"),
            Err(error) => error.to_string().replace(root.as_str(), "ROOT"),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn profile_keys_that_change_results_are_kept_and_the_configuration_wins() {
        check(
            r#"
[profile.dev]
overflow-checks = false
opt-level = 3
[profile.dev.package.fast]
overflow-checks = false
[profile.dist]
inherits = "release"
panic = "abort"
"#,
            "[profile.dev]\noverflow-checks = true\n",
            expect![[r#"
                Settings {
                    profile: {
                        "dev.overflow-checks": "true",
                        "dev.package.fast.overflow-checks": "false",
                        "dist.inherits": "release",
                        "dist.panic": "abort",
                    },
                    cfgs: {},
                    env: {},
                }
                []"#]],
        );
    }

    #[test]
    fn cfg_flags_env_and_targets_come_from_the_configuration() {
        check(
            "",
            r#"
[build]
target = ["wasm32-unknown-unknown", "mine.json"]
rustflags = "--cfg loom -C opt-level=1"
[target.'cfg(unix)']
rustflags = ["--cfg", "feature=\"x\"", "--cfg=tokio_unstable"]
[env]
PLAIN = "a"
TABLE = { value = "b", force = true }
"#,
            expect![[r#"
                Settings {
                    profile: {},
                    cfgs: {
                        "feature=\"x\"",
                        "loom",
                        "tokio_unstable",
                    },
                    env: {
                        "PLAIN": "a",
                        "TABLE": "b",
                    },
                }
                ["wasm32-unknown-unknown"]"#]],
        );
    }

    #[test]
    fn odd_shapes_are_passed_over_and_garbage_is_an_error() {
        check(
            "profile = 3\n",
            "build = 1\ntarget = []\nenv = 'x'\n",
            expect![[r#"
                Settings {
                    profile: {},
                    cfgs: {},
                    env: {},
                }
                []"#]],
        );
        check(
            "",
            "[build\n",
            expect![[r#"
            cannot understand `ROOT/.cargo/config.toml`: TOML parse error at line 1, column 7
              |
            1 | [build
              |       ^
            unclosed table, expected `]`
        "#]],
        );
    }
}
