//! The ledger: what the analyzer last found out about a workspace, kept under the target directory so that the macro
//! can use it without starting a process. It is a cache of our own making: whatever is odd about the file means "no
//! ledger", never an error. It does not say what a build was told; the macro adds that.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::tokens::TokenHash;
use crate::wire::{Reader, Writer};
use crate::{FORMAT_VERSION, Fingerprint, write_atomic};

const MAGIC: &[u8; 8] = b"astroldg";
const HEADER: usize = MAGIC.len() + 4 + 32;

/// What the analyzer knows about one workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The build id of the analyzer that wrote it.
    pub tool: String,
    /// The workspace's root directory, absolute.
    pub workspace_root: PathBuf,
    /// When the analyzer began to look at files: [`now_ns`] *before* the first stat. A file whose mtime is not clearly older is
    /// compared by content. Zero is always right and always slow.
    pub taken_ns: i128,
    /// The target triples that were analyzed for. Code that only other targets have is in no fingerprint.
    pub platforms: Vec<String>,
    /// Every local input: sources, manifests, `Cargo.lock`, cargo's configuration, included files, and places where a file must
    /// *not* appear.
    pub files: Vec<FileStamp>,
    /// The crate roots that the analyzer looked at.
    pub crates: Vec<LedgerCrate>,
    /// Every library and proc macro in the graph: code of any other is in no fingerprint.
    pub libraries: Vec<LedgerLibrary>,
    /// The cached functions.
    pub roots: Vec<LedgerRoot>,
}

/// One input file as the analyzer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStamp {
    /// Absolute.
    pub path: PathBuf,
    /// In bytes; `u64::MAX` says that there was no such file.
    pub size: u64,
    /// Since the epoch; may be negative.
    pub mtime_ns: i128,
    /// blake3 of the content.
    pub hash: [u8; 32],
}

/// One crate root that the ledger covers. A crate that is not listed was not analyzed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCrate {
    /// Absolute.
    pub root_file: PathBuf,
    /// Package name.
    pub package: String,
    /// `lib`, `bin:NAME`, `example:NAME`, `test:NAME` or `bench:NAME`.
    pub target: String,
    /// The package's features that the analysis took to be on, sorted.
    pub features: Vec<String>,
    /// As in [`LedgerLibrary::dormant`].
    pub dormant: Vec<String>,
}

/// One library that other crates can be linked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLibrary {
    /// Absolute.
    pub root_file: PathBuf,
    /// The package's features that the analysis took to be on, sorted. A fingerprint holds the code of all features, but no
    /// edge to a dependency that only others bring.
    pub features: Vec<String>,
    /// Packages of the graph that this one would depend on with other features.
    pub dormant: Vec<String>,
}

/// One cached function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRoot {
    /// Definition path, as in the manifest.
    pub path: String,
    /// Package name.
    pub package: String,
    /// As in [`LedgerCrate::target`].
    pub target: String,
    /// The file it is written in, absolute.
    pub file: PathBuf,
    /// The function's own name; a macro's for a call that makes functions; `func!` for `astrocache::func!(..)`.
    pub name: String,
    /// Line of the name, from 1.
    pub line: u32,
    /// Column of the name, from 1, in characters.
    pub column: u32,
    /// Of a macro call that makes cached functions: where it ends, as line and column. The place is that of the call then, the
    /// name that of the macro, and functions whose names are in between are made of what the fingerprint covers.
    pub until: Option<(u32, u32)>,
    /// Hash of the item without outer attributes; of the tokens inside the parentheses for `func!`.
    pub source: TokenHash,
    /// The closure's fingerprint.
    pub fingerprint: Fingerprint,
    /// Names of the crates that the fingerprint covers.
    pub crates: Vec<String>,
    /// The cfg predicates that occur in the closure: `debug_assertions`, `target_os="linux"`; features with their package in
    /// front: `serde feature="derive"`; `serde features` for all that it has, where a build script or a macro can ask for any;
    /// [`crate::ALL_CFGS`].
    pub cfgs: Vec<String>,
    /// Names read by `env!` and `option_env!` in the closure.
    pub env: Vec<String>,
    /// The local files of the closure, as positions in [`Ledger::files`].
    pub files: Vec<u32>,
    /// What memoization cannot see, for `#[cached(strict)]`.
    pub findings: Vec<Finding>,
}

/// Something in a closure that makes a function impure or opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `time`, `env`, `fs`, `net`, `process`, `random`, `static`, `ffi`, `opaque`.
    pub kind: String,
    /// What was found: `std::time::Instant::now`.
    pub name: String,
    /// Where, absolute.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
}

/// The time as [`Ledger::taken_ns`] counts it.
pub fn now_ns() -> i128 {
    since_epoch(SystemTime::now())
}

impl FileStamp {
    const ABSENT: u64 = u64::MAX;

    /// Reads and stamps a file. The stat comes before the read: a write between the two shows as a changed mtime later.
    pub fn of(path: &Path) -> io::Result<FileStamp> {
        let metadata = fs::metadata(path)?;
        let mtime_ns = since_epoch(metadata.modified()?);
        Ok(FileStamp {
            path: path.to_path_buf(),
            size: metadata.len(),
            mtime_ns,
            hash: hash_file(path)?,
        })
    }

    /// Says that there must be no file at `path`.
    pub fn absent(path: &Path) -> FileStamp {
        FileStamp {
            path: path.to_path_buf(),
            size: Self::ABSENT,
            mtime_ns: 0,
            hash: [0; 32],
        }
    }

    /// Is the file what it was when a ledger whose `taken_ns` this is was made?
    fn is_current(&self, taken_ns: i128) -> bool {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) => {
                return self.size == Self::ABSENT && error.kind() == io::ErrorKind::NotFound;
            }
        };
        if self.size != metadata.len() || !metadata.is_file() {
            return false;
        }
        let Ok(modified) = metadata.modified() else {
            return false;
        };
        if since_epoch(modified) == self.mtime_ns && self.mtime_ns + granularity_ns(self.mtime_ns) < taken_ns {
            return true;
        }
        hash_file(&self.path).is_ok_and(|hash| hash == self.hash)
    }
}

/// How far apart two writes can be and still leave the same mtime (git: "racily clean"). Linux stamps with the timer
/// tick; a whole second says that the file system keeps no more than that, FAT even two.
fn granularity_ns(mtime_ns: i128) -> i128 {
    if mtime_ns % 1_000_000_000 == 0 {
        2_000_000_000
    } else {
        20_000_000
    }
}

fn since_epoch(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

fn hash_file(path: &Path) -> io::Result<[u8; 32]> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.read_to_end(&mut bytes)?;
    Ok(*blake3::hash(&bytes).as_bytes())
}

impl Ledger {
    /// Where the ledger of a workspace lives in a target directory that several workspaces may share.
    pub fn path_in(target_dir: &Path, workspace_root: &Path) -> PathBuf {
        let hash = blake3::hash(workspace_root.as_os_str().as_encoded_bytes()).to_hex();
        target_dir.join("astrocache").join(format!("{}.ledger", &hash[..16]))
    }

    /// Reads a ledger. A missing, damaged, foreign or differently versioned file is `None`.
    pub fn read(path: &Path) -> Option<Ledger> {
        let bytes = fs::read(path).ok()?;
        let mut reader = Reader { bytes: &bytes };
        if reader.raw(MAGIC.len())? != MAGIC || reader.u32()? != FORMAT_VERSION {
            return None;
        }
        let checksum: [u8; 32] = reader.array()?;
        if blake3::hash(reader.bytes) != checksum {
            return None;
        }
        let ledger = read_ledger(&mut reader)?;
        reader.bytes.is_empty().then_some(ledger)
    }

    /// Writes the ledger, atomically; makes the directory. Fails on a path that is not UTF-8.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut body = Writer { bytes: vec![0; HEADER] };
        write_ledger(&mut body, self)?;
        let mut header = Writer::default();
        header.raw(MAGIC);
        header.u32(FORMAT_VERSION);
        header.raw(blake3::hash(&body.bytes[HEADER..]).as_bytes());
        body.bytes[..HEADER].copy_from_slice(&header.bytes);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        write_atomic(path, &body.bytes)
    }

    /// Are all inputs what they were? One stat a file; those that look changed, or could have changed unseen, are read.
    pub fn is_current(&self) -> bool {
        self.files.iter().all(|file| file.is_current(self.taken_ns))
    }

    /// The crate with this root file, if the analyzer looked at it.
    pub fn crate_at(&self, root_file: &Path) -> Option<&LedgerCrate> {
        self.crates.iter().find(|krate| krate.root_file == root_file)
    }
}

fn write_ledger(w: &mut Writer, ledger: &Ledger) -> io::Result<()> {
    w.str(&ledger.tool)?;
    w.path(&ledger.workspace_root)?;
    w.i128(ledger.taken_ns);
    w.list(&ledger.platforms, |w, text| w.str(text))?;
    w.list(&ledger.files, |w, file| {
        w.path(&file.path)?;
        w.u64(file.size);
        w.i128(file.mtime_ns);
        w.raw(&file.hash);
        Ok(())
    })?;
    w.list(&ledger.crates, |w, krate| {
        w.path(&krate.root_file)?;
        w.str(&krate.package)?;
        w.str(&krate.target)?;
        w.list(&krate.features, |w, text| w.str(text))?;
        w.list(&krate.dormant, |w, text| w.str(text))
    })?;
    w.list(&ledger.libraries, |w, library| {
        w.path(&library.root_file)?;
        w.list(&library.features, |w, text| w.str(text))?;
        w.list(&library.dormant, |w, text| w.str(text))
    })?;
    w.list(&ledger.roots, write_root)
}

fn write_root(w: &mut Writer, root: &LedgerRoot) -> io::Result<()> {
    w.str(&root.path)?;
    w.str(&root.package)?;
    w.str(&root.target)?;
    w.path(&root.file)?;
    w.str(&root.name)?;
    w.u32(root.line);
    w.u32(root.column);
    let (line, column) = root.until.unwrap_or_default();
    w.u32(line);
    w.u32(column);
    w.raw(root.source.as_bytes());
    w.raw(root.fingerprint.as_bytes());
    w.list(&root.crates, |w, text| w.str(text))?;
    w.list(&root.cfgs, |w, text| w.str(text))?;
    w.list(&root.env, |w, text| w.str(text))?;
    w.list(&root.files, |w, file| {
        w.u32(*file);
        Ok(())
    })?;
    w.list(&root.findings, |w, finding| {
        w.str(&finding.kind)?;
        w.str(&finding.name)?;
        w.path(&finding.file)?;
        w.u32(finding.line);
        Ok(())
    })
}

fn read_ledger(r: &mut Reader<'_>) -> Option<Ledger> {
    let ledger = Ledger {
        tool: r.str()?,
        workspace_root: r.path()?,
        taken_ns: r.i128()?,
        platforms: r.list(|r| r.str())?,
        files: r.list(|r| {
            Some(FileStamp {
                path: r.path()?,
                size: r.u64()?,
                mtime_ns: r.i128()?,
                hash: r.array()?,
            })
        })?,
        crates: r.list(|r| {
            Some(LedgerCrate {
                root_file: r.path()?,
                package: r.str()?,
                target: r.str()?,
                features: r.list(|r| r.str())?,
                dormant: r.list(|r| r.str())?,
            })
        })?,
        libraries: r.list(|r| {
            Some(LedgerLibrary {
                root_file: r.path()?,
                features: r.list(|r| r.str())?,
                dormant: r.list(|r| r.str())?,
            })
        })?,
        roots: r.list(read_root)?,
    };
    let in_range = |root: &LedgerRoot| root.files.iter().all(|&file| (file as usize) < ledger.files.len());
    ledger.roots.iter().all(in_range).then_some(ledger)
}

fn read_root(r: &mut Reader<'_>) -> Option<LedgerRoot> {
    Some(LedgerRoot {
        path: r.str()?,
        package: r.str()?,
        target: r.str()?,
        file: r.path()?,
        name: r.str()?,
        line: r.u32()?,
        column: r.u32()?,
        until: Some((r.u32()?, r.u32()?)).filter(|until| *until != (0, 0)),
        source: TokenHash::from_bytes(r.array()?),
        fingerprint: Fingerprint::from_bytes(r.array()?),
        crates: r.list(|r| r.str())?,
        cfgs: r.list(|r| r.str())?,
        env: r.list(|r| r.str())?,
        files: r.list(|r| r.u32())?,
        findings: r.list(|r| {
            Some(Finding {
                kind: r.str()?,
                name: r.str()?,
                file: r.path()?,
                line: r.u32()?,
            })
        })?,
    })
}
