//! Scratch workspaces, and the tool run in them with nothing of the user's environment taking part.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The tool under test.
pub const TOOL: &str = env!("CARGO_BIN_EXE_astrocache-tool");

/// A workspace in a temporary directory.
pub struct Scratch {
    _dir: TempDir,
    pub root: PathBuf,
}

/// What a process said.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Scratch {
    /// Writes the files of `fixture`: `//- path` lines, each followed by the file's text.
    pub fn new(fixture: &str) -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let scratch = Scratch { _dir: dir, root };
        for part in fixture.split("//- ").skip(1) {
            let (name, text) = part.split_once('\n').unwrap();
            scratch.write(name.trim(), text);
        }
        scratch
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces `from`, which must be there once.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {name}:\n{text}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// Every file with its text, as what a command that writes nothing must leave alone. Not the target directory.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.root, &self.root.join("target"), &mut files);
        files.sort();
        files
    }

    /// A command in the workspace with a clean environment.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.root).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let kept = ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&name.as_str());
            if !kept && (name.starts_with("CARGO") || name.starts_with("RUST") || name.starts_with("ASTROCACHE")) {
                command.env_remove(name);
            }
        }
        command
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// `cargo astrocache ..`
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(TOOL);
        command.arg("astrocache").args(arguments);
        self.finish(command)
    }

    /// Runs `command`; the workspace's place and all durations are made equal in what it says.
    pub fn finish(&self, mut command: Command) -> Ran {
        let output = command.output().unwrap();
        let text =
            |bytes: &[u8]| without_times(&String::from_utf8_lossy(bytes).replace(self.root.to_str().unwrap(), "ROOT"));
        Ran {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The fingerprint of one function.
    pub fn fingerprint(&self, function: &str) -> String {
        let ran = self.run(&["fingerprint", function]);
        assert_eq!(ran.code, Some(0), "{ran}");
        let (path, fingerprint) = ran.stdout.trim().split_once(' ').unwrap_or_else(|| panic!("{ran}"));
        assert!(path.ends_with(function), "{ran}");
        fingerprint.to_owned()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("signal".to_owned(), |code| code.to_string());
        writeln!(f, "exit: {code}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}

fn collect(dir: &Path, target: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path != target {
            collect(&path, target, files);
        } else if path.is_file() {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
}

/// `in 0.21s` becomes `in TIME`.
pub fn without_times(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" in ") {
        let number = after
            .find(|it: char| !it.is_ascii_digit() && it != '.')
            .unwrap_or(after.len());
        out.push_str(before);
        match after[number..].strip_prefix('s') {
            Some(tail) if number > 0 => {
                out.push_str(" in TIME");
                rest = tail;
            }
            _ => {
                out.push_str(" in ");
                rest = after;
            }
        }
    }
    out + rest
}

/// A workspace of two members with two cached functions; `app::render` runs `words::slug`, `app::total` does not. What
/// they call `astrocache` does nothing: these tests compile nothing.
pub const TWO_CACHED: &str = r#"
//- Cargo.toml
[workspace]
members = ["app", "words"]
exclude = ["runtime", "macros"]
resolver = "3"
//- app/Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2024"
[dependencies]
astrocache-runtime = { path = "../runtime" }
words = { path = "../words" }
//- app/src/lib.rs
//! The cached functions.
/// Renders a title.
#[astrocache::cached]
pub fn render(title: &str) -> String {
    format!("<h1>{}</h1>", words::slug(title))
}

#[astrocache::cached]
pub fn total(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}
//- words/Cargo.toml
[package]
name = "words"
version = "0.1.0"
edition = "2024"
//- words/src/lib.rs
//! The helper.
const SEPARATOR: char = '-';

pub fn slug(title: &str) -> String {
    join(title, SEPARATOR)
}

fn join(title: &str, separator: char) -> String {
    title.replace(' ', &separator.to_string())
}
//- runtime/Cargo.toml
[package]
name = "astrocache-runtime"
version = "0.1.0"
edition = "2024"
[lib]
name = "astrocache"
[dependencies]
astrocache-macros = { path = "../macros" }
//- runtime/src/lib.rs
pub use astrocache_macros::cached;
//- macros/Cargo.toml
[package]
name = "astrocache-macros"
version = "0.1.0"
edition = "2024"
[lib]
proc-macro = true
//- macros/src/lib.rs
use proc_macro::TokenStream;
#[proc_macro_attribute]
pub fn cached(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
"#;
