//! What an analysis says.

use astrocache_manifest::{Finding, Fingerprint, tokens::TokenHash};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::wire;
use crate::{project::CrateId, reach::Rule, syntax::DefKind};

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Sorted by package, target and path.
    pub roots: Vec<RootReport>,
    pub stats: Stats,
    /// Sorted by file and line.
    pub diagnostics: Vec<Diagnostic>,
    /// The workspace's own files that were read, with the content they had. Sorted.
    pub local_files: Vec<LocalFile>,
    /// The workspace's crates that were searched for roots.
    pub crates: Vec<CrateId>,
    /// What went wrong with files that only save time. The answers are as right without them.
    pub notices: Vec<String>,
    /// When the first file was looked at: see `Ledger::taken_ns`.
    pub taken_ns: i128,
}

/// A file of the workspace as the analysis saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalFile {
    pub path: Utf8PathBuf,
    /// blake3 of its bytes; `None` if it could not be read, or is a directory.
    pub hash: Option<[u8; 32]>,
}

/// How much an analysis covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Those that a cached function may have code from.
    pub packages: usize,
    /// Source files that the user can edit.
    pub files: usize,
}

/// Something a person should know; never the end of the analysis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    pub file: Utf8PathBuf,
    /// From 1; 0 where it is about the whole file.
    pub line: u32,
    pub message: String,
    /// There may be code that was not seen.
    pub hides_code: bool,
}

impl Diagnostic {
    /// A file does not parse.
    pub fn syntax_errors(file: &Utf8Path, errors: u32) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            line: 0,
            message: format!("does not parse ({errors} syntax errors); analyzed as far as it does"),
            hides_code: true,
        }
    }
}

/// One root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootReport {
    /// Definition path; a second definition of the same path (`cfg` variants) ends in `#2`.
    pub path: String,
    pub package: String,
    /// `lib`, `bin:NAME`, `example:NAME`, `test:NAME` or `bench:NAME`.
    pub target: String,
    /// Relative to the workspace root where it is inside.
    pub file: Utf8PathBuf,
    /// Of the name, from 1.
    pub line: u32,
    pub column: u32,
    /// Where it ends, if it is a macro call that makes cached functions: see [`LedgerRoot::until`](astrocache_manifest::LedgerRoot).
    pub until: Option<(u32, u32)>,
    pub name: String,
    #[serde(with = "wire::token_hash")]
    pub source: TokenHash,
    #[serde(with = "wire::fingerprint")]
    pub fingerprint: Fingerprint,
    pub crates: Vec<String>,
    pub cfgs: Vec<String>,
    pub env: Vec<String>,
    /// Local files of the closure, absolute.
    pub files: Vec<Utf8PathBuf>,
    #[serde(with = "wire::findings")]
    pub findings: Vec<Finding>,
    /// Names that resolution did not find (R15).
    pub unresolved: Vec<String>,
    /// The closure, if asked for: the root first.
    #[serde(skip)]
    pub definitions: Vec<ClosureItem>,
}

/// One definition of a closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosureItem {
    pub path: String,
    pub kind: DefKind,
    pub package: String,
    /// Absolute.
    pub file: Utf8PathBuf,
    pub line: u32,
    pub rule: Rule,
    /// The definition that made it live: an index into the same list.
    pub via: Option<usize>,
}
