//! What is known about the code that this rustc process compiles, found out once and asked per function. The answers, best
//! first: fine (the analyzer's ledger), trusted (the committed manifest), coarse (the package's files), none.

mod analyzer;
mod argv;
mod artifact;
mod coarse;
mod context;
mod coverage;
mod guard;
mod matching;
mod notice;
mod options;
mod records;
mod scan;
mod scripts;
mod units;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};

use astrocache_manifest::{Finding, Ledger, LedgerRoot, Manifest, Root};

use self::analyzer::NoLedger;
use self::argv::{Compilation, Task};
use self::context::Context;
use self::guard::Guard;
use self::matching::Match;
pub use self::matching::Place;
use self::units::Units;

/// Where a fingerprint comes from: the variants of the runtime's `Kind`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Fine,
    Trusted,
    Coarse,
    None,
}

/// What the expansion of one function embeds.
pub struct Found {
    pub kind: Kind,
    /// Definition path; without one the function's module path has to do.
    pub path: Option<String>,
    pub package: String,
    pub workspace: String,
    pub fingerprint: [u8; 16],
    pub context: [u8; 16],
    pub crates: Vec<String>,
    pub why: String,
    pub findings: Vec<Finding>,
}

/// How a function is to be expanded.
pub enum Answer {
    /// As it was written: documentation, an editor, no compiler we know.
    Plain,
    /// As it was written, with the types checked: no code will be made.
    Check,
    /// Cached.
    Site(Box<Found>),
}

/// Asks about one function. The first call of a process does the work.
pub fn ask(place: impl FnOnce() -> Place) -> Answer {
    static SESSION: LazyLock<Session> = LazyLock::new(Session::start);
    match &*SESSION {
        Session::Plain => Answer::Plain,
        Session::Check => Answer::Check,
        Session::Build(build) => Answer::Site(Box::new(build.find(&place()))),
    }
}

/// Files that cargo must watch for this crate; `None` after the first call of a process.
pub fn watched() -> Option<Vec<PathBuf>> {
    static FIRST: AtomicBool = AtomicBool::new(true);
    FIRST.swap(false, Ordering::Relaxed).then(analyzer::take_watched)
}

/// The name under which this crate knows the runtime.
pub fn runtime_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(argv::runtime_name);
    &NAME
}

impl Found {
    /// For code that is never run.
    pub fn inert() -> Found {
        Found {
            kind: Kind::None,
            path: None,
            package: String::new(),
            workspace: String::new(),
            fingerprint: [0; 16],
            context: [0; 16],
            crates: Vec::new(),
            why: String::new(),
            findings: Vec::new(),
        }
    }
}

enum Session {
    Plain,
    Check,
    Build(Box<Build>),
}

/// An entry's path, and a function's name and tokens.
type Taken = (String, String, [u8; 16]);

/// A compilation that makes code.
struct Build {
    compilation: Compilation,
    ledger: Result<Ledger, NoLedger>,
    manifest: Option<Manifest>,
    units: Result<Units, String>,
    coarse: OnceLock<Result<[u8; 16], String>>,
    /// Functions that got a fine answer, by entry, name and tokens.
    taken: Mutex<BTreeMap<Taken, usize>>,
    /// What is wrong with each of the ledger's files, or with a dependency.
    settled: OnceLock<Result<Vec<Option<String>>, String>>,
}

impl Session {
    fn start() -> Session {
        match argv::task() {
            Task::Plain => Session::Plain,
            Task::Check => Session::Check,
            Task::Build(compilation) => Session::Build(Box::new(Build::start(*compilation))),
        }
    }
}

impl Build {
    fn start(compilation: Compilation) -> Build {
        let units = Units::read(&compilation);
        let ledger = analyzer::ledger(&compilation).and_then(|ledger| match &units {
            Ok(units) => match coverage::by_ledger(&ledger, &compilation, units) {
                Ok(()) => Ok(ledger),
                Err(why) => {
                    analyzer::watch_the_manifest(&compilation);
                    Err(why.into())
                }
            },
            // Said for each function, as the reason why it is not cached.
            Err(_) => Ok(ledger),
        });
        let asked_for = std::env::var_os("ASTROCACHE_LOCKED").is_some_and(|value| value == "1");
        let manifest = match (&ledger, &units) {
            (Err(_), Ok(units)) if asked_for => trusted(&compilation, units),
            _ => None,
        };
        Build {
            compilation,
            ledger,
            manifest,
            units,
            coarse: OnceLock::new(),
            taken: Mutex::default(),
            settled: OnceLock::new(),
        }
    }

    fn find(&self, place: &Place) -> Found {
        let found = self
            .without_compiler()
            .or_else(|| self.fine(place))
            .or_else(|| self.trusted(place))
            .unwrap_or_else(|| self.coarse());
        self.tell(&found);
        found
    }

    fn without_compiler(&self) -> Option<Found> {
        let unknown = "the compiler would not say its version when astrocache-macros was built";
        context::RUSTC.is_empty().then(|| self.none(unknown.to_owned()))
    }

    fn fine(&self, place: &Place) -> Option<Found> {
        let ledger = self.ledger.as_ref().ok()?;
        let written = matching::ledger_root(ledger, &self.compilation, place);
        let is_made = written.is_none();
        let found = written.or_else(|| matching::ledger_call(ledger, &self.compilation, place))?;
        let root = found.root;
        if !self.is_free(&found, place) {
            return None;
        }
        if let Err(why) = self.settled(ledger, root) {
            return Some(self.none(why));
        }
        let units = self.units.as_ref().ok()?;
        let context = Context {
            compilation: &self.compilation,
            units,
        }
        .fine(root);
        // One entry speaks for all that a call makes.
        let context = match is_made {
            true => place.told_apart(context),
            false => context,
        };
        Some(Found {
            kind: Kind::Fine,
            path: Some(root.path.clone()),
            package: root.package.clone(),
            workspace: ledger.workspace_root.to_string_lossy().into_owned(),
            fingerprint: *root.fingerprint.as_bytes(),
            context,
            crates: root.crates.clone(),
            why: String::new(),
            findings: root.findings.clone(),
        })
    }

    /// A macro that pastes its arguments twice makes functions that nothing here tells apart: all but the first go without.
    /// A `func!` is pasted with its surroundings, and its value is of a type of its own.
    fn is_free(&self, found: &Match<'_>, place: &Place) -> bool {
        if place.name == "func!" {
            return true;
        }
        let name = (found.root.path.clone(), place.name.clone(), *place.source.as_bytes());
        let Ok(mut taken) = self.taken.lock() else { return false };
        let times = taken.entry(name).or_default();
        *times += 1;
        *times <= found.times
    }

    /// Were the closure's files left alone while they were compiled? All files are looked at once, for all functions.
    fn settled(&self, ledger: &Ledger, root: &LedgerRoot) -> Result<(), String> {
        let units = self.units.as_ref().map_err(String::clone)?;
        let own = self.settled.get_or_init(|| {
            let guard = Guard { units };
            guard.dependencies()?;
            Ok(ledger
                .files
                .iter()
                .map(|file| guard.own([file.path.as_path()]).err())
                .collect())
        });
        let own = own.as_ref().map_err(String::clone)?;
        let changed = root.files.iter().find_map(|&file| own.get(file as usize)?.clone());
        changed.map_or(Ok(()), Err)
    }

    fn trusted(&self, place: &Place) -> Option<Found> {
        let root: &Root = matching::manifest_root(self.manifest.as_ref()?, &self.compilation, place)?;
        let units = match &self.units {
            Ok(units) => units,
            Err(why) => return Some(self.none(why.clone())),
        };
        Some(Found {
            kind: Kind::Trusted,
            path: Some(root.path.clone()),
            package: root.package.clone(),
            workspace: self.compilation.cwd.to_string_lossy().into_owned(),
            fingerprint: *root.fingerprint.as_bytes(),
            context: Context {
                compilation: &self.compilation,
                units,
            }
            .trusted(),
            crates: self.compilation.crates(),
            why: String::new(),
            findings: Vec::new(),
        })
    }

    fn coarse(&self) -> Found {
        let units = match &self.units {
            Ok(units) => units,
            Err(why) => return self.none(why.clone()),
        };
        let hash = self
            .coarse
            .get_or_init(|| coarse::fingerprint(&self.compilation, &Guard { units }));
        let fingerprint = match hash {
            Ok(fingerprint) => *fingerprint,
            Err(why) => return self.none(why.clone()),
        };
        let why = match &self.ledger {
            Ok(_) => "the analyzer does not know this function by its place and tokens; a macro may have made it",
            Err(none) => &none.why,
        };
        Found {
            kind: Kind::Coarse,
            fingerprint,
            context: Context {
                compilation: &self.compilation,
                units,
            }
            .coarse(),
            crates: self.compilation.crates(),
            ..self.none(why.to_owned())
        }
    }

    fn none(&self, why: String) -> Found {
        Found {
            package: self.compilation.package.clone(),
            workspace: self.compilation.label().to_string_lossy().into_owned(),
            why,
            ..Found::inert()
        }
    }

    fn tell(&self, found: &Found) {
        match found.kind {
            Kind::None => notice::uncached(&self.compilation, &found.why),
            // A function made by a macro is coarse by design, and a dependency is not the user's to change.
            Kind::Coarse if self.ledger.as_ref().is_err_and(|none| !none.expected) => {
                notice::coarse(&self.compilation, &found.why)
            }
            _ => {}
        }
    }
}

/// The committed manifest, if it speaks of this build.
fn trusted(compilation: &Compilation, units: &Units) -> Option<Manifest> {
    if !compilation.member {
        return None;
    }
    let path = compilation.cwd.join(Manifest::FILE_NAME);
    let manifest = match Manifest::read(&path) {
        Ok(manifest) => manifest?,
        Err(error) => {
            notice::once(compilation, &error.to_string());
            return None;
        }
    };
    let spoken_of = match analyzer::beyond(&manifest.platforms, compilation) {
        Some(platform) => Err(format!("it is not for {platform}")),
        None => coverage::by_manifest(&manifest, compilation, units),
    };
    match spoken_of {
        Ok(()) => Some(manifest),
        Err(why) => {
            let name = Manifest::FILE_NAME;
            notice::once(compilation, &format!("{name} does not speak of this build: {why}"));
            None
        }
    }
}
