//! The salsa database: source files as inputs, and the queries per file.
//!
//! A file's *content hash* is the input; its text is fetched when facts are asked for. [`items`] is the firewall: an
//! edit inside a body gives new [`facts`] and equal items, so nothing that only resolves names runs again. [`bodies`] is one
//! for edits that only move code, [`mentions`] one for those that change code and no name in it.

mod ahead;
mod file_facts;
mod files;
mod packs;
mod query_log;

pub use file_facts::Facts;
pub use files::{Files, Known, Problem};
pub use packs::{PackPlaces, Packs};
pub use query_log::QueryLog;

use std::sync::Arc;

use ahead::Ahead;
use camino::Utf8PathBuf;

use crate::{
    project::{CrateId, Edition, Project},
    syntax::{self, DefMentions, FileBodies, FileFacts, FileItems},
};

/// What a file holds: blake3 of its bytes, or `None` if it cannot be read.
pub type Revision = Option<[u8; 32]>;

/// A path that a crate reads, or would read if there were a file.
#[salsa::input(debug)]
pub struct SourceFile {
    #[returns(ref)]
    pub path: Utf8PathBuf,
    #[returns(copy)]
    pub edition: Edition,
    #[returns(copy)]
    pub revision: Revision,
}

/// A file or directory that is data to the analysis: blake3 of its content, `None` if there is nothing to read.
#[salsa::input(debug)]
pub struct Blob {
    #[returns(ref)]
    pub path: Utf8PathBuf,
    #[returns(copy)]
    pub revision: Revision,
}

/// The project, as one input.
#[salsa::input(debug)]
pub struct Workspace {
    #[returns(ref)]
    pub project: Arc<Project>,
    /// The crates whose sources are read, sorted.
    #[returns(ref)]
    pub crates: Arc<[CrateId]>,
}

/// What queries need besides salsa: the files of this process.
#[salsa::db]
pub trait Db: salsa::Database {
    fn files(&self) -> &Files;

    /// Has work done by another thread, if one may be free, and says whether. See `ahead`.
    fn ahead(&self, work: &mut dyn FnMut() -> Work) -> bool;
}

/// What is to be done ahead.
pub type Work = Box<dyn FnOnce(&AnalysisDb) + Send>;

/// The database of one process.
#[salsa::db]
#[derive(Clone)]
pub struct AnalysisDb {
    storage: salsa::Storage<Self>,
    files: Arc<Files>,
    log: QueryLog,
    ahead: Ahead,
}

#[salsa::db]
impl salsa::Database for AnalysisDb {}

#[salsa::db]
impl Db for AnalysisDb {
    fn files(&self) -> &Files {
        &self.files
    }

    fn ahead(&self, work: &mut dyn FnMut() -> Work) -> bool {
        let is_free = self.ahead.is_free();
        if is_free {
            self.ahead.spawn(self.clone(), work());
        }
        is_free
    }
}

impl Default for AnalysisDb {
    fn default() -> AnalysisDb {
        AnalysisDb::new(Packs::default(), Known::default())
    }
}

impl AnalysisDb {
    /// An empty database that takes from `packs` what they hold, and `known` for what the disk says.
    pub fn new(packs: Packs, known: Known) -> AnalysisDb {
        let log = QueryLog::default();
        AnalysisDb {
            storage: salsa::Storage::new(Some(log.callback())),
            files: Arc::new(Files::new(packs, known)),
            log,
            ahead: Ahead::default(),
        }
    }

    /// Waits until no thread does work ahead: then the only handles are the callers'.
    pub fn wait(&self) {
        self.ahead.wait();
    }

    /// Names and counts of the queries that ran since the last call.
    pub fn executed(&self) -> std::collections::BTreeMap<String, usize> {
        self.log.take(self)
    }
}

/// Everything a file says. A file that cannot be read says nothing, and is a [`Problem`].
#[salsa::tracked(returns(clone), no_eq)]
pub fn facts(db: &dyn Db, file: SourceFile) -> Arc<Facts> {
    let (path, edition) = (file.path(db), file.edition(db));
    let stored = file
        .revision(db)
        .and_then(|hash| db.files().packs().find(path, hash, edition));
    Arc::new(stored.unwrap_or_else(|| Facts::made(&parse(db, file))))
}

/// What only its own closure reads of a definition, for all definitions of a file. Another firewall: to queries, an edit that
/// moves code and changes none leaves it equal. Whatever depends on places must ask for the file's revision as well.
pub fn bodies(db: &dyn Db, file: SourceFile) -> Arc<FileBodies> {
    tracked::bodies(db, file).0
}

/// What the definitions of a file mention. A firewall once more: an edit that leaves it equal changes no closure.
#[derive(Debug, Clone)]
pub struct Mentions(Arc<FileBodies>);

impl Mentions {
    /// Of the `def`th definition of the file itself, or of an expansion in it.
    pub fn of(&self, expansion: &[u32], def: u32) -> Option<&DefMentions> {
        Some(&self.0.unit(expansion).get(def as usize)?.mentions)
    }
}

impl PartialEq for Mentions {
    fn eq(&self, other: &Mentions) -> bool {
        self.0.mention_the_same(&other.0)
    }
}

/// See [`Mentions`].
#[salsa::tracked(returns(clone))]
pub fn mentions(db: &dyn Db, file: SourceFile) -> Mentions {
    Mentions(bodies(db, file))
}

mod tracked {
    use super::*;

    /// Compared without the places where things stand.
    #[derive(Debug, Clone)]
    pub struct Bodies(pub Arc<FileBodies>);

    impl PartialEq for Bodies {
        fn eq(&self, other: &Bodies) -> bool {
            syntax::code_hash(&self.0) == syntax::code_hash(&other.0)
        }
    }

    #[salsa::tracked(returns(clone))]
    pub fn bodies(db: &dyn Db, file: SourceFile) -> Bodies {
        Bodies(facts(db, file).bodies().unwrap_or_else(|| {
            db.files().packs().damaged();
            Arc::new(parse(db, file).bodies)
        }))
    }
}

fn parse(db: &dyn Db, file: SourceFile) -> FileFacts {
    let text = file.revision(db).and_then(|hash| db.files().text(file.path(db), hash));
    let facts = text.map(|text| syntax::facts(&text, parser_edition(file.edition(db))));
    facts.unwrap_or_default()
}

/// Whether there is a file to read: what a module tree depends on, and no edit inside a file changes.
#[salsa::tracked(returns(copy))]
pub fn is_readable(db: &dyn Db, file: SourceFile) -> bool {
    file.revision(db).is_some()
}

/// The hash of all that other files can see of a file: the same in every process.
#[salsa::tracked(returns(copy))]
pub fn signature(db: &dyn Db, file: SourceFile) -> [u8; 32] {
    facts(db, file).signature()
}

/// The hash of a file's bodies without the places where things stand: an edit that changes neither this nor the signature
/// changes no closure that does not speak of places.
#[salsa::tracked(returns(copy))]
pub fn code(db: &dyn Db, file: SourceFile) -> [u8; 32] {
    syntax::code_hash(&bodies(db, file))
}

/// The string literals of a file.
#[salsa::tracked(returns(clone))]
pub fn string_literals(db: &dyn Db, file: SourceFile) -> Arc<Vec<String>> {
    let text = file.revision(db).and_then(|hash| db.files().text(file.path(db), hash));
    Arc::new(text.map_or_else(Vec::new, |text| {
        syntax::string_literals(&text, parser_edition(file.edition(db)))
    }))
}

/// Those in a piece of it.
#[salsa::tracked(returns(clone))]
pub fn literals_between(db: &dyn Db, file: SourceFile, start: u32, stop: u32) -> Arc<Vec<String>> {
    let text = text_of(db, file);
    let piece = text.as_deref().and_then(|text| text.get(start as usize..stop as usize));
    Arc::new(piece.map_or_else(Vec::new, |piece| {
        syntax::string_literals(piece, parser_edition(file.edition(db)))
    }))
}

/// The hash of the `#[cached]` macro for a piece of a file: see `syntax::source_hash`.
#[salsa::tracked(returns(copy))]
pub fn source_of(db: &dyn Db, file: SourceFile, start: u32, stop: u32) -> Option<syntax::SourceHash> {
    let text = file
        .revision(db)
        .and_then(|hash| db.files().text(file.path(db), hash))?;
    let piece = text.get(start as usize..stop as usize)?;
    Some(syntax::SourceHash(syntax::source_hash(
        piece,
        parser_edition(file.edition(db)),
    )))
}

/// The text that was hashed for a file; `None` if it is another by now, which is noticed.
pub fn text_of(db: &dyn Db, file: SourceFile) -> Option<Arc<str>> {
    db.files().text(file.path(db), file.revision(db)?)
}

/// What other files can see of a file.
#[salsa::tracked(returns(clone))]
pub fn items(db: &dyn Db, file: SourceFile) -> Arc<FileItems> {
    facts(db, file).items().clone()
}

/// The parser's name of an edition.
pub fn parser_edition(edition: Edition) -> ra_ap_parser::Edition {
    match edition {
        Edition::E2015 => ra_ap_parser::Edition::Edition2015,
        Edition::E2018 => ra_ap_parser::Edition::Edition2018,
        Edition::E2021 => ra_ap_parser::Edition::Edition2021,
        Edition::E2024 => ra_ap_parser::Edition::Edition2024,
    }
}
