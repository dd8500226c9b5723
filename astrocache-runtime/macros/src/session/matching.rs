//! Which entry of the ledger or the manifest a function is: by file, name and own tokens, and by place. One that a macro made
//! has the entry of the macro's call, if its name is written there. Found by none of this means "not known", never "wrong".

use std::fs;
use std::path::{Path, PathBuf};

use astrocache_manifest::tokens::TokenHash;
use astrocache_manifest::{Ledger, LedgerRoot, Manifest, Root};
use proc_macro2::Span;

use super::argv::Compilation;

/// Where a function stands and what it looks like.
pub struct Place {
    /// Without `r#`.
    pub name: String,
    /// As rustc knows it; `None` for code without a file.
    pub file: Option<PathBuf>,
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    pub source: TokenHash,
}

impl Place {
    /// The place of a span. Only inside a proc macro.
    pub fn of(name: String, span: Span, source: TokenHash) -> Place {
        let span = span.unwrap();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            name,
            file: span.local_file(),
            line: number(span.line()),
            column: number(span.column()),
            source,
        }
    }
}

impl Place {
    /// A build context that holds for this function alone, whatever else its entry speaks for.
    pub fn told_apart(&self, context: [u8; 16]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&context)
            .update(self.source.as_bytes())
            .update(self.name.as_bytes());
        let mut out = [0; 16];
        out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        out
    }
}

/// An entry, and how many functions there can be that it speaks for.
pub struct Match<'l> {
    pub root: &'l LedgerRoot,
    pub times: usize,
}

/// The function's entry in the ledger.
pub fn ledger_root<'l>(ledger: &'l Ledger, compilation: &Compilation, place: &Place) -> Option<Match<'l>> {
    let file = compilation.cwd.join(place.file.as_ref()?);
    let same = |root: &&LedgerRoot| {
        // Of a long list, the tokens rule out most, and fastest. The place tells the function from one of the same tokens that a
        // macro made elsewhere in the file.
        root.source == place.source
            && (root.line, root.column) == (place.line, place.column)
            && plain(&root.name) == place.name
            && same_file(&root.file, &file)
    };
    only(ledger, compilation, ledger.roots.iter().filter(same).collect())
}

/// The entry of the macro call among whose arguments the function's name is written.
pub fn ledger_call<'l>(ledger: &'l Ledger, compilation: &Compilation, place: &Place) -> Option<Match<'l>> {
    let file = compilation.cwd.join(place.file.as_ref()?);
    let at = (place.line, place.column);
    let around = |root: &&LedgerRoot| {
        let inside = root
            .until
            .is_some_and(|until| (root.line, root.column) < at && at < until);
        inside && same_file(&root.file, &file)
    };
    only(ledger, compilation, ledger.roots.iter().filter(around).collect())
}

/// The one of these that is of this compilation. One file can be part of two targets, or of one more than once.
fn only<'l>(ledger: &Ledger, compilation: &Compilation, mut found: Vec<&'l LedgerRoot>) -> Option<Match<'l>> {
    let here = |root: &LedgerRoot| {
        ledger.crates.iter().any(|krate| {
            krate.package == root.package
                && krate.target == root.target
                && same_file(&krate.root_file, &compilation.root_file)
        })
    };
    if found.len() > 1 && found.iter().any(|root| here(root)) {
        found.retain(|root| here(root));
    }
    let root = found.first().filter(|_| one_answer(&found))?;
    Some(Match {
        root,
        times: found.len(),
    })
}

/// Raw names are the names they stand for.
fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Two entries whose answers differ in any way are two.
fn one_answer(roots: &[&LedgerRoot]) -> bool {
    let alike = |a: &LedgerRoot, b: &LedgerRoot| {
        a.fingerprint == b.fingerprint
            && a.crates == b.crates
            && a.cfgs == b.cfgs
            && a.env == b.env
            && a.files == b.files
    };
    roots.windows(2).all(|pair| alike(pair[0], pair[1]))
}

/// The function's entry in the manifest.
pub fn manifest_root<'m>(manifest: &'m Manifest, compilation: &Compilation, place: &Place) -> Option<&'m Root> {
    let file = compilation.cwd.join(place.file.as_ref()?);
    let alike = |root: &&Root| {
        plain(root.name()) == place.name
            && root.source == place.source
            && same_file(&compilation.cwd.join(&root.file), &file)
    };
    let found: Vec<&Root> = manifest
        .roots
        .iter()
        .filter(alike)
        .filter(|root| root.package == compilation.package)
        .collect();
    let first = *found.first()?;
    let one_answer = found.iter().all(|root| root.fingerprint == first.fingerprint);
    (one_answer && is_written(&file, place)).then_some(first)
}

/// Is the function written at its place, or did a macro make one of the same tokens?
fn is_written(file: &Path, place: &Place) -> bool {
    let Ok(text) = fs::read_to_string(file) else {
        return false;
    };
    if place.name == "func!" {
        return !text.contains("macro_rules!");
    }
    let line = text.lines().nth((place.line as usize).saturating_sub(1));
    let before: Option<String> =
        line.map(|line| line.chars().take((place.column as usize).saturating_sub(1)).collect());
    before.is_some_and(|before| before.trim_end().ends_with("fn"))
}

/// Is it one file, whatever links lead to it?
pub fn same_file(a: &Path, b: &Path) -> bool {
    if a == b {
        return true;
    }
    if a.file_name() != b.file_name() {
        return false;
    }
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use astrocache_manifest::{Fingerprint, LedgerCrate};

    fn root(target: &str, line: u32, column: u32, fingerprint: u8) -> LedgerRoot {
        LedgerRoot {
            path: format!("{target}::f{line}"),
            package: "p".into(),
            target: target.into(),
            file: "/w/src/a.rs".into(),
            name: "f".into(),
            line,
            column,
            until: None,
            source: TokenHash::from_bytes([1; 16]),
            fingerprint: Fingerprint::from_bytes([fingerprint; 16]),
            crates: vec![],
            cfgs: vec![],
            env: vec![],
            files: vec![],
            findings: vec![],
        }
    }

    fn find(roots: Vec<LedgerRoot>, change: impl Fn(&mut Place)) -> Option<u8> {
        let krate = |file: &str, target: &str| LedgerCrate {
            root_file: file.into(),
            package: "p".into(),
            target: target.into(),
            features: Vec::new(),
            dormant: Vec::new(),
        };
        let crates = vec![krate("/w/src/lib.rs", "lib"), krate("/w/src/main.rs", "bin:p")];
        let ledger = Ledger {
            roots,
            crates,
            ..Ledger::default()
        };
        let compilation = Compilation {
            cwd: "/w".into(),
            root_file: "/w/src/lib.rs".into(),
            ..Compilation::default()
        };
        let file = Some("src/a.rs".into());
        let mut place = Place {
            name: "f".into(),
            file,
            line: 3,
            column: 4,
            source: TokenHash::from_bytes([1; 16]),
        };
        change(&mut place);
        ledger_root(&ledger, &compilation, &place).map(|found| found.root.fingerprint.as_bytes()[0])
    }

    #[test]
    fn file_name_tokens_and_place_must_all_agree() {
        let one = || vec![root("lib", 3, 4, 7)];
        assert_eq!(find(one(), |_| ()), Some(7));
        assert_eq!(find(one(), |place| place.name = "g".into()), None);
        assert_eq!(find(one(), |place| place.source = TokenHash::from_bytes([2; 16])), None);
        assert_eq!(find(one(), |place| place.file = Some("src/b/a.rs".into())), None);
        assert_eq!(find(one(), |place| place.file = None), None);
        assert_eq!(find(vec![root("lib", 2, 4, 7)], |_| ()), None);
        assert_eq!(find(vec![root("lib", 3, 5, 7)], |_| ()), None);
    }

    #[test]
    fn the_target_being_compiled_comes_before_another_with_the_same_file() {
        assert_eq!(
            find(vec![root("bin:p", 3, 4, 8), root("lib", 3, 4, 7)], |_| ()),
            Some(7)
        );
        assert_eq!(find(vec![root("bin:p", 3, 4, 8)], |_| ()), Some(8));
    }

    #[test]
    fn twins_are_told_apart_by_place_or_not_at_all() {
        assert_eq!(find(vec![root("lib", 1, 4, 7), root("lib", 3, 4, 8)], |_| ()), Some(8));
        assert_eq!(find(vec![root("lib", 3, 1, 7), root("lib", 3, 4, 8)], |_| ()), Some(8));
        // A file that is two modules.
        assert_eq!(find(vec![root("lib", 3, 4, 7), root("lib", 3, 4, 8)], |_| ()), None);
        assert_eq!(find(vec![root("lib", 3, 4, 7), root("lib", 3, 4, 7)], |_| ()), Some(7));
    }

    #[test]
    fn a_made_function_is_found_by_the_call_around_its_name() {
        let call = |line, column, until| LedgerRoot {
            until: Some(until),
            ..root("lib", line, column, 7)
        };
        let found = |root: LedgerRoot| {
            let compilation = Compilation {
                cwd: "/w".into(),
                ..Compilation::default()
            };
            let place = Place {
                name: "g".into(),
                file: Some("src/a.rs".into()),
                line: 3,
                column: 4,
                source: TokenHash::from_bytes([2; 16]),
            };
            let ledger = Ledger {
                roots: vec![root],
                ..Ledger::default()
            };
            ledger_call(&ledger, &compilation, &place).is_some()
        };
        assert!(found(call(3, 1, (3, 9))) && found(call(2, 9, (4, 1))) && found(call(3, 3, (3, 5))));
        assert!(!found(call(3, 4, (3, 9))) && !found(call(3, 1, (3, 4))) && !found(call(4, 1, (5, 1))));
        assert!(!found(root("lib", 1, 1, 7)), "not every entry is a call");
    }

    #[test]
    fn a_function_of_the_manifest_is_written_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.rs");
        fs::write(&file, "mod a { pub fn f() {} }\nmake!(f);\n").unwrap();
        let place = |line, column| Place {
            name: "f".into(),
            file: None,
            line,
            column,
            source: TokenHash::from_bytes([1; 16]),
        };
        assert!(is_written(&file, &place(1, 16)));
        assert!(
            !is_written(&file, &place(2, 7)) && !is_written(&file, &place(9, 1)) && !is_written(&file, &place(0, 0))
        );
    }
}
