//! Scratch projects: real cargo packages in a temporary directory that depend on this checkout's `astrocache-runtime`, built
//! offline into a target directory that the tests of one binary share, with an environment of their own.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A cargo project that goes away with the value.
pub struct Project {
    dir: TempDir,
    target: PathBuf,
    /// Cargo is told where to build.
    says_target: bool,
    store: TempDir,
    env: Vec<(String, String)>,
}

/// What one cargo command did.
pub struct Ran {
    /// Did it succeed?
    pub ok: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error, the build's and the program's.
    pub stderr: String,
}

/// One trace line of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `hit`, `miss`, `stored`, `uncached`.
    pub event: String,
    /// The function.
    pub path: String,
    /// Its fingerprint, in hex.
    pub fingerprint: String,
    /// `fine`, `trusted`, `coarse`, `none`.
    pub kind: String,
    /// The key, in hex.
    pub key: String,
}

/// The repository's root.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is inside the repository")
        .to_path_buf()
}

impl Project {
    /// An empty project that builds into `target` and finds no analyzer.
    pub fn new(target: &Path) -> io::Result<Project> {
        let dir = tempfile::tempdir()?;
        fs::copy(checkout().join("Cargo.lock"), dir.path().join("Cargo.lock"))?;
        let project = Project {
            dir,
            target: target.to_path_buf(),
            says_target: true,
            store: tempfile::tempdir()?,
            env: Vec::new(),
        };
        Ok(project.env("ASTROCACHE_TOOL", "off"))
    }

    /// A package with the runtime and serde as dependencies; `more` is added to its manifest.
    pub fn package(self, dir: &str, name: &str, more: &str) -> io::Result<Project> {
        let mut manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}\n");
        if !more.contains("[dependencies]") {
            manifest += "[dependencies]\n";
        }
        writeln!(manifest, "{}", runtime("astrocache-runtime")).expect("writing to a String cannot fail");
        self.write(&format!("{dir}/Cargo.toml"), &manifest)?;
        Ok(self)
    }

    /// Sets a variable for all later commands.
    pub fn env(mut self, name: &str, value: &str) -> Project {
        self.set(name, value);
        self
    }

    /// As [`Project::env`], in place.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable away again.
    pub fn unset(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    /// Leaves it to the project's configuration where cargo builds.
    pub fn unset_target(&mut self) {
        self.says_target = false;
    }

    /// The project's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The target directory.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The directory for stored values.
    pub fn store(&self) -> &Path {
        self.store.path()
    }

    /// Writes a file, with its directories.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let path = self.path().join(path);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(path, text)
    }

    /// Replaces text in a file; it must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) -> io::Result<()> {
        let path = self.path().join(path);
        let text = fs::read_to_string(&path)?;
        if !text.contains(from) {
            return Err(io::Error::other(format!("{} has no `{from}`", path.display())));
        }
        fs::write(path, text.replacen(from, to, 1))
    }

    /// Runs `cargo ARGS` in the project's directory.
    pub fn cargo(&self, args: &[&str]) -> io::Result<Ran> {
        self.cargo_in(".", args)
    }

    /// Runs `cargo ARGS` in a directory of the project.
    pub fn cargo_in(&self, dir: &str, args: &[&str]) -> io::Result<Ran> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(args)
            .current_dir(self.path().join(dir))
            .stdin(Stdio::null());
        self.environment(&mut command);
        command.output().map(Ran::from)
    }

    /// Gives a command the project's environment: of the tests' own, nothing that cargo, rustc or the runtime would read.
    pub fn environment(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let foreign = ["CARGO", "RUST", "ASTROCACHE"]
                .iter()
                .any(|front| name.starts_with(front))
                || name.ends_with("MAKEFLAGS");
            if foreign && !["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&&*name) {
                command.env_remove(&*name);
            }
        }
        command.env("CARGO_NET_OFFLINE", "true");
        if self.says_target {
            command.env("CARGO_TARGET_DIR", &self.target);
        }
        command
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TERM_COLOR", "never");
        command
            .env("ASTROCACHE_DIR", self.store.path())
            .env("ASTROCACHE_LOG", "trace");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }

    /// `cargo run ARGS`, which must succeed, and the calls it traced.
    pub fn run(&self, args: &[&str]) -> io::Result<Vec<Call>> {
        let ran = self.cargo(&[&["run", "--quiet"], args].concat())?;
        if ran.ok {
            Ok(ran.calls())
        } else {
            Err(io::Error::other(ran.stderr))
        }
    }
}

/// The manifest line that depends on the runtime; another name than its own is a renaming.
pub fn runtime(name: &str) -> String {
    let path = checkout().join("astrocache-runtime");
    let package = if name == "astrocache-runtime" {
        ""
    } else {
        "package = \"astrocache-runtime\", "
    };
    format!("{name} = {{ {package}path = \"{}\" }}", path.display())
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            ok: output.status.success(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

impl Ran {
    /// The runtime's trace lines.
    pub fn calls(&self) -> Vec<Call> {
        self.stderr.lines().filter_map(Call::parse).collect()
    }

    /// The macro's notices.
    pub fn notices(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| line.starts_with("note: astrocache "))
            .collect()
    }

    /// How many errors rustc reported.
    pub fn errors(&self) -> usize {
        let errors = self.stderr.lines().filter(|line| line.starts_with("error"));
        errors
            .filter(|line| !line.contains("could not compile") && !line.contains("aborting due to"))
            .count()
    }

    /// Did cargo compile this package?
    pub fn compiled(&self, package: &str) -> bool {
        self.stderr
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("Compiling {package} v")))
    }
}

impl Call {
    /// Test runners indent what they pass on.
    fn parse(line: &str) -> Option<Call> {
        let rest = line.trim_start().strip_prefix("astrocache: ")?;
        let (event, rest) = rest.split_once(' ')?;
        let (path, fields) = rest.split_once(" fingerprint=")?;
        let field = |name: &str| {
            fields
                .split(' ')
                .find_map(|field| field.strip_prefix(name))
                .unwrap_or("")
                .to_owned()
        };
        let fingerprint = fields.split(' ').next()?.to_owned();
        Some(Call {
            event: event.into(),
            path: path.into(),
            fingerprint,
            kind: field("kind="),
            key: field("key="),
        })
    }

    /// `hit app::f fine`
    pub fn short(&self) -> String {
        format!("{} {} {}", self.event, self.path, self.kind)
    }
}
