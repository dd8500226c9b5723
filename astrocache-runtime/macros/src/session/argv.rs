//! What rustc was told: its own command line, which a proc macro sees whole, and the environment cargo gave it. Nothing
//! here reads a file, except the list that stands for a command line too long for the system.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::options::{Parsed, expand_lists};

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

    /// The features of this crate's package that are on.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        let cfgs = self.cfgs.iter();
        cfgs.filter_map(|cfg| cfg.strip_prefix("feature=\"")?.strip_suffix('"'))
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
}
