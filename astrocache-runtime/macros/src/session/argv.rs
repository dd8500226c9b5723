//! What rustc was told: its own command line, which a proc macro sees whole, and the environment cargo gave it. Nothing
//! here reads a file, except the list that stands for a command line too long for the system.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What the running process is for.
pub enum Task {
    /// Not a rustc started by cargo: an editor, rustdoc, a doctest, a build system of its own.
    Plain,
    /// rustc or clippy, and no code will come of it.
    Check,
    /// rustc, making code.
    Build(Box<Compilation>),
}

/// One crate being compiled.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compilation {
    pub cwd: PathBuf,
    pub crate_name: String,
    /// Absolute.
    pub root_file: PathBuf,
    pub out_dir: PathBuf,
    /// Cargo's target directory.
    pub target_dir: PathBuf,
    pub manifest_dir: PathBuf,
    pub package: String,
    /// `-C extra-filename`: a dash and the unit's hash.
    pub unit: String,
    pub edition: String,
    pub target: String,
    pub test: bool,
    pub cfgs: Vec<String>,
    /// The `-C` options that can change what code does, in their order.
    pub codegen: Vec<String>,
    pub externs: Vec<Extern>,
    /// A member of the workspace whose root is `cwd`.
    pub member: bool,
}

/// One `--extern`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extern {
    /// The name in the source, which may be a renaming.
    pub name: String,
    pub path: PathBuf,
}

/// The `-C` options that are part of the build context.
const CODEGEN: [&str; 6] = [
    "debug-assertions",
    "overflow-checks",
    "opt-level",
    "panic",
    "target-feature",
    "target-cpu",
];

/// Looks at the running process.
pub fn task() -> Task {
    let args: Vec<String> = env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let Ok(cwd) = env::current_dir() else {
        return Task::Plain;
    };
    task_of(&expand_lists(args), &cwd, &|name| env::var_os(name))
}

/// The name of the runtime's `--extern`; its own where there is none.
pub fn runtime_name() -> String {
    let args: Vec<String> = expand_lists(env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect());
    runtime_name_in(&args)
}

fn runtime_name_in(args: &[String]) -> String {
    let externs = Parsed::of(args.get(1..).unwrap_or_default()).externs;
    let mut externs = externs.into_iter().map(|(name, path)| Extern {
        name,
        path: path.into(),
    });
    externs
        .find(|dep| dep.crate_name() == Some("astrocache"))
        .map_or_else(|| "astrocache".to_owned(), |dep| dep.name)
}

/// `@file` holds one argument a line.
fn expand_lists(args: Vec<String>) -> Vec<String> {
    let mut expanded = Vec::with_capacity(args.len());
    for arg in args {
        match arg.strip_prefix('@').and_then(|list| fs::read_to_string(list).ok()) {
            Some(list) => expanded.extend(list.lines().map(str::to_owned)),
            None => expanded.push(arg),
        }
    }
    expanded
}

fn task_of(args: &[String], cwd: &Path, var: &dyn Fn(&str) -> Option<OsString>) -> Task {
    let program = args.first().map_or("", String::as_str);
    let parsed = Parsed::of(args.get(1..).unwrap_or_default());
    let rustdoc = Path::new(program)
        .file_stem()
        .is_some_and(|stem| stem.to_string_lossy().contains("rustdoc"));
    let (Some(crate_name), Some(manifest_dir), false) = (parsed.crate_name, var("CARGO_MANIFEST_DIR"), rustdoc) else {
        return Task::Plain;
    };
    if !parsed
        .emit
        .iter()
        .any(|kind| kind == "link" || kind == "obj" || kind == "asm")
    {
        return Task::Check;
    }
    let (Some(out_dir), Some(root_file)) = (parsed.out_dir, parsed.root_file) else {
        return Task::Plain;
    };
    let out_dir = cwd.join(out_dir);
    let text = |name| {
        var(name)
            .map(|value| value.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let mut compilation = Compilation {
        crate_name,
        root_file: cwd.join(root_file),
        target_dir: target_dir(&out_dir, &parsed.target),
        out_dir,
        manifest_dir: manifest_dir.into(),
        package: text("CARGO_PKG_NAME"),
        unit: parsed.unit,
        edition: parsed.edition,
        target: parsed.target,
        test: parsed.test,
        cfgs: parsed.cfgs,
        codegen: parsed.codegen,
        externs: parsed
            .externs
            .into_iter()
            .map(|(name, path)| Extern {
                name,
                path: cwd.join(path),
            })
            .collect(),
        member: false,
        cwd: cwd.to_path_buf(),
    };
    compilation.member = !parsed.capped && compilation.is_member(var("CARGO_PRIMARY_PACKAGE").is_some());
    Task::Build(Box::new(compilation))
}

/// The directory above the profile's (and the target's) with cargo's records in it; where there are none, the one that cargo
/// tagged as its own.
fn target_dir(out_dir: &Path, target: &str) -> PathBuf {
    let above = 1 + usize::from(!target.is_empty());
    let recorded = out_dir
        .ancestors()
        .skip_while(|dir| !dir.join(".fingerprint").is_dir())
        .nth(above);
    let tagged = || out_dir.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    recorded
        .or_else(tagged)
        .or(out_dir.parent())
        .unwrap_or(out_dir)
        .to_path_buf()
}

impl Compilation {
    /// Cargo compiles a member in the workspace's root, and any other package in the package's own. A package in its own root is
    /// the workspace's root package or somebody's dependency: the former is what cargo was asked for, or builds into a target
    /// directory that is its own.
    fn is_member(&self, primary: bool) -> bool {
        if self.cwd != self.manifest_dir {
            return self.cwd.join("Cargo.toml").is_file();
        }
        let owner = self
            .target_dir
            .ancestors()
            .skip(1)
            .find(|dir| dir.join("Cargo.lock").is_file());
        primary || owner == Some(&self.cwd)
    }

    /// The target triple, or file, that code is made for.
    pub fn target_or<'a>(&'a self, host: &'a str) -> &'a str {
        if self.target.is_empty() { host } else { &self.target }
    }

    /// What names the store: the workspace, or the package where that is unknown.
    pub fn label(&self) -> &Path {
        if self.member { &self.cwd } else { &self.manifest_dir }
    }

    /// This crate and the ones it is compiled against, by the names that type names show.
    pub fn crates(&self) -> Vec<String> {
        let mut crates: Vec<String> = self
            .externs
            .iter()
            .filter_map(Extern::crate_name)
            .map(str::to_owned)
            .collect();
        crates.push(self.crate_name.clone());
        crates.sort();
        crates.dedup();
        crates
    }
}

impl Extern {
    /// `libserde-0123456789abcdef.rmeta` -> `serde`
    pub fn crate_name(&self) -> Option<&str> {
        let stem = self.path.file_stem()?.to_str()?;
        let stem = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
        Some(stem.strip_prefix("lib").unwrap_or(stem))
    }
}

/// The command line, option by option.
#[derive(Default)]
struct Parsed {
    crate_name: Option<String>,
    root_file: Option<String>,
    out_dir: Option<String>,
    emit: Vec<String>,
    unit: String,
    edition: String,
    target: String,
    test: bool,
    capped: bool,
    cfgs: Vec<String>,
    codegen: Vec<String>,
    externs: Vec<(String, String)>,
}

/// The options that take a value, and matter or could be mistaken for the source file.
const VALUED: [&str; 18] = [
    "--crate-name",
    "--crate-type",
    "--edition",
    "--emit",
    "--out-dir",
    "--target",
    "--cfg",
    "--check-cfg",
    "--extern",
    "--cap-lints",
    "--codegen",
    "--error-format",
    "--json",
    "--sysroot",
    "--remap-path-prefix",
    "-C",
    "-L",
    "-l",
];

impl Parsed {
    fn of(args: &[String]) -> Parsed {
        let mut parsed = Parsed::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if let Some((name, value)) = arg.split_once('=').filter(|(name, _)| name.starts_with("--")) {
                parsed.option(name, value);
            } else if VALUED.contains(&arg.as_str()) {
                parsed.option(arg, args.next().map_or("", String::as_str));
            } else if let Some(value) = arg.strip_prefix("-C") {
                parsed.option("-C", value);
            } else if arg == "--test" {
                parsed.test = true;
            } else if !arg.starts_with('-') && arg.ends_with(".rs") {
                parsed.root_file.get_or_insert_with(|| arg.clone());
            }
        }
        parsed
    }

    fn option(&mut self, name: &str, value: &str) {
        match name {
            "--crate-name" => self.crate_name = Some(value.to_owned()),
            "--edition" => self.edition = value.to_owned(),
            "--emit" => self.emit.extend(
                value
                    .split(',')
                    .map(|kind| kind.split('=').next().unwrap_or(kind).to_owned()),
            ),
            "--out-dir" => self.out_dir = Some(value.to_owned()),
            "--target" => self.target = value.to_owned(),
            "--cfg" => self.cfgs.push(value.to_owned()),
            "--cap-lints" => self.capped = true,
            "--extern" => self.externs.extend(split_extern(value)),
            "-C" | "--codegen" => self.codegen_option(value),
            _ => {}
        }
    }

    fn codegen_option(&mut self, value: &str) {
        let value = value.trim_start();
        let (name, text) = value.split_once('=').unwrap_or((value, ""));
        let name = name.replace('_', "-");
        if name == "extra-filename" {
            self.unit = text.to_owned();
        } else if CODEGEN.contains(&name.as_str()) {
            self.codegen.push(format!("{name}={text}"));
        }
    }
}

/// `priv,noprelude:name=path` -> name, path. Crates of the sysroot have no path.
fn split_extern(value: &str) -> Option<(String, String)> {
    let (name, path) = value.split_once('=')?;
    let name = name.rsplit(':').next().unwrap_or(name);
    Some((name.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn run(args: &str, vars: &[(&str, &str)]) -> Task {
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        let vars: Vec<(String, String)> = vars.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        task_of(&args, Path::new("/w"), &|name| {
            vars.iter().find(|(k, _)| k == name).map(|(_, v)| v.into())
        })
    }

    const CARGO: [(&str, &str); 2] = [("CARGO_MANIFEST_DIR", "/w/a"), ("CARGO_PKG_NAME", "a")];

    fn name(task: &Task) -> &'static str {
        match task {
            Task::Plain => "plain",
            Task::Check => "check",
            Task::Build(_) => "build",
        }
    }

    fn check(args: &str, expected: Expect) {
        let Task::Build(compilation) = run(args, &CARGO) else {
            panic!("not a build")
        };
        expected.assert_debug_eq(&compilation);
    }

    #[test]
    fn only_a_rustc_of_cargo_that_makes_code_is_a_build() {
        for (args, want) in [
            (
                "rustc --crate-name a src/lib.rs --emit=dep-info,metadata,link --out-dir /t",
                "build",
            ),
            (
                "rustc --crate-name a src/lib.rs --emit dep-info,link=/x --out-dir=/t",
                "build",
            ),
            (
                "rustc --crate-name a src/lib.rs --emit=dep-info,metadata --out-dir /t",
                "check",
            ),
            (
                "clippy-driver rustc --crate-name a src/lib.rs --emit=dep-info,metadata --out-dir /t",
                "check",
            ),
            ("/x/rustdoc --crate-name a src/lib.rs --emit=link --out-dir /t", "plain"),
            ("rust-analyzer-proc-macro-srv", "plain"),
            ("rustc --crate-name a --emit=link --out-dir /t", "plain"),
            ("rustc --crate-name a src/lib.rs --emit=link", "plain"),
            ("", "plain"),
        ] {
            assert_eq!(name(&run(args, &CARGO)), want, "{args}");
        }
        assert_eq!(
            name(&run("rustc --crate-name a src/lib.rs --emit=link --out-dir /t", &[])),
            "plain"
        );
    }

    #[test]
    fn a_command_line_of_cargo_is_understood() {
        check(
            "rustc --crate-name a --edition=2021 a/src/lib.rs --error-format=json --crate-type lib --emit=dep-info,link -C opt-level=3 \
             -Cpanic=abort -C debuginfo=2 --codegen overflow_checks=on --cfg feature=\"x\" --check-cfg cfg(docsrs,test) --test \
             -C metadata=1 -C extra-filename=-35e71a0fdd29a0f5 --out-dir /t/debug/deps -L dependency=/t/debug/deps.rs \
             --extern priv,noprelude:ren=/t/debug/deps/libreal_name-20be7b14652ebd10.rmeta --extern proc_macro --target t.json",
            expect![[r#"
                Compilation {
                    cwd: "/w",
                    crate_name: "a",
                    root_file: "/w/a/src/lib.rs",
                    out_dir: "/t/debug/deps",
                    target_dir: "/t/debug",
                    manifest_dir: "/w/a",
                    package: "a",
                    unit: "-35e71a0fdd29a0f5",
                    edition: "2021",
                    target: "t.json",
                    test: true,
                    cfgs: [
                        "feature=\"x\"",
                    ],
                    codegen: [
                        "opt-level=3",
                        "panic=abort",
                        "overflow-checks=on",
                    ],
                    externs: [
                        Extern {
                            name: "ren",
                            path: "/t/debug/deps/libreal_name-20be7b14652ebd10.rmeta",
                        },
                    ],
                    member: false,
                }
            "#]],
        );
    }

    #[test]
    fn an_extern_shows_the_real_name() {
        let of = |path: &str| Extern {
            name: "x".into(),
            path: path.into(),
        };
        assert_eq!(
            of("/t/deps/libreal_name-20be7b14652ebd10.rmeta").crate_name(),
            Some("real_name")
        );
        assert_eq!(of("/t/libx.rlib").crate_name(), Some("x"));
    }

    #[test]
    fn a_renamed_runtime_goes_by_its_new_name() {
        let name = |args: &str| runtime_name_in(&args.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(
            name("rustc --extern memo=/t/libastrocache-0123456789abcdef.rmeta"),
            "memo"
        );
        assert_eq!(
            name("rustc --extern memo=/t/libmemo-0123456789abcdef.rmeta"),
            "astrocache"
        );
        assert_eq!(name(""), "astrocache");
    }

    #[test]
    fn a_list_file_stands_for_its_lines() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("args");
        fs::write(&list, "--crate-name\nmy crate\n").unwrap();
        let args = vec!["rustc".into(), format!("@{}", list.display()), "@/no/such".into()];
        assert_eq!(expand_lists(args), ["rustc", "--crate-name", "my crate", "@/no/such"]);
    }
}
