//! `Astrocache.lock`: the committed list of cached functions and their fingerprints, in the part of TOML that
//! `Cargo.lock` uses, so that a person can read a diff and git can merge one. Parsing is strict: a line that this version
//! does not understand is an error with its place, never skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::tokens::TokenHash;
use crate::{FORMAT_VERSION, Fingerprint, write_atomic};

const HEADING: &str = "\
# Written by `cargo astrocache update`. Commit this file; do not edit it by hand.
# It lists the cached functions of this workspace and what stands for the code that each can run.
";

/// The cached functions of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The target triples that the fingerprints are for, sorted. Code that only other targets have is in no fingerprint.
    pub platforms: Vec<String>,
    /// The local packages that were analyzed. Sorted by name and path when parsed or rendered.
    pub packages: Vec<ManifestPackage>,
    /// Sorted by package, target and path when parsed or rendered.
    pub roots: Vec<Root>,
}

/// A package whose source the user can edit, and how it was analyzed: with other features, other dependencies take part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManifestPackage {
    /// Package name.
    pub name: String,
    /// Its directory relative to the workspace root, with `/`; `.` for the root itself.
    pub path: String,
    /// The features that the analysis took to be on, sorted.
    pub features: Vec<String>,
}

/// One cached function. Package, target and path together name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root {
    /// Package name.
    pub package: String,
    /// `lib`, `bin:NAME`, `example:NAME`, `test:NAME` or `bench:NAME`.
    pub target: String,
    /// Definition path: `app::render::page`. Definitions that share a path are told apart by a suffix from `#2` on.
    pub path: String,
    /// Relative to the workspace root, with `/`.
    pub file: String,
    /// Hash of the function's own tokens.
    pub source: TokenHash,
    /// Hash of everything it can run.
    pub fingerprint: Fingerprint,
}

/// A manifest that cannot be used, and where.
#[derive(Debug)]
pub struct ManifestError {
    /// The file.
    pub origin: PathBuf,
    /// From 1; `None` where the file as a whole is meant.
    pub line: Option<u32>,
    /// What is wrong.
    pub kind: ManifestErrorKind,
}

/// What is wrong with a manifest.
#[derive(Debug)]
#[non_exhaustive]
pub enum ManifestErrorKind {
    /// `<<<<<<<`, `=======`, `|||||||` or `>>>>>>>` at the start of a line.
    ConflictMarker,
    /// The file's version is above [`FORMAT_VERSION`].
    NewerVersion(u32),
    /// No `version = N` before the first root.
    NoVersion,
    /// A version of zero, or not a number.
    BadVersion(String),
    /// Neither `[[package]]`, `[[root]]` nor `key = "value"`.
    NotUnderstood(String),
    /// A key that no such block has.
    UnknownKey(String),
    /// A key given twice in one block.
    RepeatedKey(String),
    /// A block without one of its keys.
    MissingKey(&'static str),
    /// A hash that is not 32 hexadecimal digits.
    BadHash(&'static str),
    /// Two roots of one name.
    DuplicateRoot(String),
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The file could not be read.
    Read(io::Error),
    /// The file could not be written.
    Write(io::Error),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for ManifestError {}

impl fmt::Display for ManifestErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ManifestErrorKind::*;
        match self {
            ConflictMarker => f.write_str("merge conflict marker; take either side and run `cargo astrocache update`"),
            NewerVersion(version) => write!(
                f,
                "version {version} was written by a newer cargo-astrocache (this one reads up to {FORMAT_VERSION}); \
                 update it with `cargo install cargo-astrocache`"
            ),
            NoVersion => f.write_str("no `version = ..` line; run `cargo astrocache update` to write the file anew"),
            BadVersion(text) => write!(
                f,
                "`{text}` is not a version; run `cargo astrocache update` to write the file anew"
            ),
            NotUnderstood(text) => write!(
                f,
                "expected `[[package]]`, `[[root]]` or `key = \"value\"`, found `{text}`"
            ),
            UnknownKey(key) => write!(f, "unknown key `{key}`"),
            RepeatedKey(key) => write!(f, "`{key}` is given twice"),
            MissingKey(key) => write!(f, "this block has no `{key}`"),
            BadHash(key) => write!(f, "`{key}` is not a hash of 32 hexadecimal digits"),
            DuplicateRoot(path) => {
                write!(f, "`{path}` is listed twice; run `cargo astrocache update`")
            }
            NotUtf8 => f.write_str("not UTF-8 text; run `cargo astrocache update` to write the file anew"),
            Read(error) => write!(f, "cannot be read: {error}"),
            Write(error) => write!(f, "cannot be written: {error}"),
        }
    }
}

impl Root {
    /// The function's own name: the last segment of the path, less a `#N` suffix.
    pub fn name(&self) -> &str {
        let last = self.path.rsplit("::").next().unwrap_or(&self.path);
        last.split('#').next().unwrap_or(last)
    }

    fn key(&self) -> (&str, &str, &str) {
        (&self.package, &self.target, &self.path)
    }
}

impl Manifest {
    /// The file's name, in the workspace root.
    pub const FILE_NAME: &'static str = "Astrocache.lock";

    /// Reads the text form. `origin` is for error messages.
    pub fn parse(text: &str, origin: &Path) -> Result<Manifest, ManifestError> {
        parse(text).map_err(|(line, kind)| ManifestError {
            origin: origin.to_path_buf(),
            line,
            kind,
        })
    }

    /// The text form, sorted: equal manifests render to equal bytes.
    pub fn render(&self) -> String {
        let mut roots: Vec<&Root> = self.roots.iter().collect();
        roots.sort();
        let mut packages: Vec<&ManifestPackage> = self.packages.iter().collect();
        packages.sort();
        let mut text = format!("{HEADING}version = {FORMAT_VERSION}\n");
        render_list(&mut text, "platforms", &self.platforms);
        for package in packages {
            text.push_str("\n[[package]]\n");
            render_line(&mut text, "name", &package.name);
            render_line(&mut text, "path", &package.path);
            render_list(&mut text, "features", &package.features);
        }
        for root in roots {
            let (source, fingerprint) = (root.source.to_string(), root.fingerprint.to_string());
            text.push_str("\n[[root]]\n");
            for (key, value) in [
                ("path", &root.path),
                ("package", &root.package),
                ("target", &root.target),
                ("file", &root.file),
                ("source", &source),
                ("fingerprint", &fingerprint),
            ] {
                render_line(&mut text, key, value);
            }
        }
        text
    }

    /// Reads a manifest; `None` if there is no such file.
    pub fn read(path: &Path) -> Result<Option<Manifest>, ManifestError> {
        let failed = |kind| ManifestError {
            origin: path.to_path_buf(),
            line: None,
            kind,
        };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(ManifestErrorKind::Read(error))),
        };
        let text = String::from_utf8(bytes).map_err(|_| failed(ManifestErrorKind::NotUtf8))?;
        Manifest::parse(&text, path).map(Some)
    }

    /// Writes the manifest unless the file already says the same (line ends aside); says whether it wrote.
    pub fn write_if_changed(&self, path: &Path) -> Result<bool, ManifestError> {
        let text = self.render();
        let same = fs::read_to_string(path).is_ok_and(|old| old == text || old.replace("\r\n", "\n") == text);
        if same {
            return Ok(false);
        }
        write_atomic(path, text.as_bytes())
            .map(|()| true)
            .map_err(|error| ManifestError {
                origin: path.to_path_buf(),
                line: None,
                kind: ManifestErrorKind::Write(error),
            })
    }
}

fn render_line(text: &mut String, key: &str, value: &str) {
    text.push_str(key);
    text.push_str(" = ");
    render_string(text, value);
    text.push('\n');
}

fn render_list(text: &mut String, key: &str, values: &[String]) {
    text.push_str(key);
    text.push_str(" = [");
    for (at, value) in values.iter().enumerate() {
        text.push_str(if at > 0 { ", " } else { "" });
        render_string(text, value);
    }
    text.push_str("]\n");
}

fn render_string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => {
                write!(text, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

type Failure = (Option<u32>, ManifestErrorKind);

/// What a `[[..]]` line begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Package,
    Root,
}

/// The keys of the block being read, with the line each stands on.
struct Block {
    kind: Kind,
    line: u32,
    values: BTreeMap<String, (u32, String)>,
}

fn parse(text: &str) -> Result<Manifest, Failure> {
    let mut version = None;
    let mut platforms = None;
    let mut block: Option<Block> = None;
    let mut packages = BTreeSet::new();
    let mut roots = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_end();
        let at = |kind| (Some(number), kind);
        if is_conflict_marker(line) {
            return Err(at(ManifestErrorKind::ConflictMarker));
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(kind) = block_kind(line) {
            version.ok_or_else(|| at(ManifestErrorKind::NoVersion))?;
            let next = Block {
                kind,
                line: number,
                values: BTreeMap::new(),
            };
            finish(block.replace(next), &mut packages, &mut roots)?;
            continue;
        }
        match (&mut block, line.split_once(" = ")) {
            (None, Some(("version", value))) if version.is_none() => version = Some(parse_version(value).map_err(at)?),
            (None, Some(("platforms", value))) if version.is_some() && platforms.is_none() => {
                let list = parse_list(value);
                platforms = Some(list.ok_or_else(|| at(ManifestErrorKind::NotUnderstood(shortened(line))))?);
            }
            (Some(block), Some((key, value))) => add(block, key, value, number).map_err(at)?,
            _ => return Err(at(ManifestErrorKind::NotUnderstood(shortened(line)))),
        }
    }
    version.ok_or((None, ManifestErrorKind::NoVersion))?;
    finish(block, &mut packages, &mut roots)?;
    Ok(Manifest {
        platforms: platforms.unwrap_or_default(),
        packages: packages.into_iter().collect(),
        roots: roots.into_values().collect(),
    })
}

fn block_kind(line: &str) -> Option<Kind> {
    match line {
        "[[package]]" => Some(Kind::Package),
        "[[root]]" => Some(Kind::Root),
        _ => None,
    }
}

fn is_conflict_marker(line: &str) -> bool {
    ["<<<<<<<", "|||||||", ">>>>>>>"]
        .iter()
        .any(|marker| line.starts_with(marker))
        || line == "======="
}

fn parse_version(value: &str) -> Result<u32, ManifestErrorKind> {
    match value.parse::<u32>() {
        Ok(version) if version > FORMAT_VERSION => Err(ManifestErrorKind::NewerVersion(version)),
        Ok(version) if version > 0 => Ok(version),
        _ => Err(ManifestErrorKind::BadVersion(shortened(value))),
    }
}

fn add(block: &mut Block, key: &str, value: &str, line: u32) -> Result<(), ManifestErrorKind> {
    let keys: &[&str] = match block.kind {
        Kind::Package => &["name", "path", "features"],
        Kind::Root => &["path", "package", "target", "file", "source", "fingerprint"],
    };
    if !keys.contains(&key) {
        return Err(ManifestErrorKind::UnknownKey(shortened(key)));
    }
    let understood = match key {
        "features" => parse_list(value).map(|_| value.to_owned()),
        _ => parse_string(value),
    };
    let value = understood.ok_or_else(|| ManifestErrorKind::NotUnderstood(shortened(value)))?;
    match block.values.insert(key.to_owned(), (line, value)) {
        None => Ok(()),
        Some(_) => Err(ManifestErrorKind::RepeatedKey(key.to_owned())),
    }
}

/// A list as [`render_list`] writes it.
fn parse_list(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?;
    let mut values = Vec::new();
    while !rest.is_empty() {
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|&(_, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let (value, tail) = rest.split_at(end?.0 + 1);
        values.push(parse_string(value)?);
        rest = match tail {
            "" => "",
            more => more.strip_prefix(", ").filter(|more| !more.is_empty())?,
        };
    }
    Some(values)
}

/// A basic string as [`render_line`] writes it.
fn parse_string(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        value.push(match c {
            '"' => return None,
            '\\' => match chars.next()? {
                c @ ('"' | '\\') => c,
                'u' => {
                    let (digits, rest) = chars.as_str().split_at_checked(4)?;
                    chars = rest.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                _ => return None,
            },
            c => c,
        });
    }
    Some(value)
}

fn finish(
    block: Option<Block>,
    packages: &mut BTreeSet<ManifestPackage>,
    roots: &mut BTreeMap<[String; 3], Root>,
) -> Result<(), Failure> {
    let Some(Block { kind, line, mut values }) = block else {
        return Ok(());
    };
    let mut take = |key: &'static str| {
        values
            .remove(key)
            .ok_or((Some(line), ManifestErrorKind::MissingKey(key)))
    };
    if kind == Kind::Package {
        let ((_, name), (_, path), (_, features)) = (take("name")?, take("path")?, take("features")?);
        packages.insert(ManifestPackage {
            name,
            path,
            features: parse_list(&features).unwrap_or_default(),
        });
        return Ok(());
    }
    let ((_, package), (_, target), (_, path), (_, file)) =
        (take("package")?, take("target")?, take("path")?, take("file")?);
    let ((source_line, source), (fingerprint_line, fingerprint)) = (take("source")?, take("fingerprint")?);
    let bad = |line, key| move |_| (Some(line), ManifestErrorKind::BadHash(key));
    let root = Root {
        source: source.parse().map_err(bad(source_line, "source"))?,
        fingerprint: fingerprint.parse().map_err(bad(fingerprint_line, "fingerprint"))?,
        package,
        target,
        path,
        file,
    };
    let (package, target, path) = root.key();
    match roots.insert([package.into(), target.into(), path.into()], root) {
        None => Ok(()),
        Some(first) => Err((Some(line), ManifestErrorKind::DuplicateRoot(first.path))),
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("..");
    }
    short
}
