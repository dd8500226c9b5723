//! Which entry of the ledger or the manifest a function is: by file, name and own tokens; where that leaves several with
//! different fingerprints, by place. Found by none of this means "not known", never "wrong".

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

/// The function's entry in the ledger.
pub fn ledger_root<'l>(ledger: &'l Ledger, compilation: &Compilation, place: &Place) -> Option<&'l LedgerRoot> {
    let file = compilation.cwd.join(place.file.as_ref()?);
    let alike = |root: &&LedgerRoot| {
        // Of a long list, the tokens rule out most, and fastest.
        root.source == place.source && plain(&root.name) == place.name && same_file(&root.file, &file)
    };
    let mut found: Vec<&LedgerRoot> = ledger.roots.iter().filter(alike).collect();
    // One file can be part of two targets.
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
    if one_answer(&found) {
        return found.first().copied();
    }
    found.retain(|root| root.line == place.line);
    if !one_answer(&found) {
        found.retain(|root| root.column == place.column);
    }
    if one_answer(&found) {
        found.first().copied()
    } else {
        None
    }
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
    found
        .iter()
        .all(|root| root.fingerprint == first.fingerprint)
        .then_some(first)
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
        ledger_root(&ledger, &compilation, &place).map(|root| root.fingerprint.as_bytes()[0])
    }

    #[test]
    fn file_name_and_tokens_must_all_agree() {
        assert_eq!(find(vec![root("lib", 9, 9, 7)], |_| ()), Some(7));
        assert_eq!(find(vec![root("lib", 3, 4, 7)], |place| place.name = "g".into()), None);
        assert_eq!(
            find(vec![root("lib", 3, 4, 7)], |place| place.source =
                TokenHash::from_bytes([2; 16])),
            None
        );
        assert_eq!(
            find(vec![root("lib", 3, 4, 7)], |place| place.file =
                Some("src/b/a.rs".into())),
            None
        );
        assert_eq!(find(vec![root("lib", 3, 4, 7)], |place| place.file = None), None);
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
        assert_eq!(find(vec![root("lib", 1, 4, 7), root("lib", 2, 4, 8)], |_| ()), None);
        assert_eq!(find(vec![root("lib", 1, 4, 7), root("lib", 2, 4, 7)], |_| ()), Some(7));
    }
}
