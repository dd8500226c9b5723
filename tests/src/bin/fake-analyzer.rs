//! A stand-in for `cargo astrocache ledger`, for tests of the macro alone: it finds functions under `cached` by their tokens and gives
//! them the hash of all code of the workspace, comments aside, as fingerprint. It knows nothing of closures.
//!
//! `// fake cfg: P`, `// fake env: N` and `// fake finding: KIND NAME` in a source add to what it says about every root. Each
//! run adds a line to `fake-runs` in the target directory. `ASTROCACHE_FAKE` makes it misbehave: `fail`, `hang`, `silent`,
//! `garbage`, or `edit:FILE`, which appends a line of code to FILE before anything is read.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::str::FromStr;

use astrocache_manifest::tokens::{Tok, TokenHash, source_hash};
use astrocache_manifest::{FileStamp, Finding, Fingerprint, Ledger, LedgerCrate, LedgerLibrary, LedgerRoot, now_ns};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [astrocache, ledger, flag, manifest, target_flag, target] = &args[..] else {
        panic!("unexpected arguments {args:?}")
    };
    assert_eq!(
        [astrocache, ledger, flag, target_flag].map(String::as_str),
        ["astrocache", "ledger", "--manifest-path", "--target-dir"]
    );
    let mut stdin = Vec::new();
    assert_eq!(
        std::io::stdin().read_to_end(&mut stdin).unwrap(),
        0,
        "stdin must be empty"
    );
    let leaked = env::vars()
        .find(|(name, _)| name.starts_with("CARGO_PKG_") || name == "CARGO_TARGET_DIR" || name.ends_with("MAKEFLAGS"));
    assert_eq!(leaked, None, "the environment of rustc must not reach the tool");
    let root = workspace_root(Path::new(manifest));
    note_run(Path::new(target), &root);
    let path = Ledger::path_in(Path::new(target), &root);
    match env::var("ASTROCACHE_FAKE").unwrap_or_default().as_str() {
        "fail" => {
            eprintln!("error: the fake was told to fail\nand says more");
            return ExitCode::from(2);
        }
        "hang" => loop {
            std::thread::park();
        },
        "silent" => return ExitCode::SUCCESS,
        "garbage" => fs::write(&path, "garbage").unwrap(),
        mode => {
            if let Some(file) = mode.strip_prefix("edit:") {
                writeln!(
                    OpenOptions::new().append(true).open(root.join(file)).unwrap(),
                    "pub fn edited() {{}}"
                )
                .unwrap();
            }
            analyze(&root).write(&path).unwrap();
        }
    }
    ExitCode::SUCCESS
}

fn note_run(target: &Path, root: &Path) {
    let mut runs = OpenOptions::new()
        .append(true)
        .create(true)
        .open(target.join("fake-runs"))
        .unwrap();
    writeln!(runs, "{}", root.display()).unwrap();
}

/// The outermost directory with a lock file or a manifest, as the tests lay their projects out.
fn workspace_root(manifest: &Path) -> PathBuf {
    let dirs = manifest.parent().unwrap().ancestors();
    dirs.take_while(|dir| dir.parent().is_some())
        .find(|dir| dir.join("Cargo.lock").is_file())
        .unwrap()
        .to_path_buf()
}

fn analyze(root: &Path) -> Ledger {
    let mut ledger = Ledger {
        tool: "fake".into(),
        workspace_root: root.into(),
        taken_ns: now_ns(),
        platforms: vec![host()],
        libraries: libraries(&root.join("Cargo.toml")),
        ..Ledger::default()
    };
    let mut files = Vec::new();
    walk(root, &mut files);
    files.sort();
    let mut said = Said::default();
    let mut all = String::new();
    for file in &files {
        ledger.files.push(FileStamp::of(file).unwrap());
        let text = fs::read_to_string(file).unwrap();
        said.read(&text, file);
        if let Some((package, target)) = crate_of(root, file) {
            ledger.crates.push(LedgerCrate {
                root_file: file.clone(),
                package,
                target,
                features: Vec::new(),
                dormant: Vec::new(),
            });
        }
        let Ok(tokens) = TokenStream::from_str(&text) else {
            continue;
        };
        all += &hash(tokens.clone()).to_string();
        let (package, target) = owner(root, file);
        find_roots(tokens, &mut |name, span, source| {
            ledger.roots.push(LedgerRoot {
                path: format!("{package}::{name}"),
                package: package.clone(),
                target: target.clone(),
                file: file.clone(),
                name,
                line: span.start().line as u32,
                column: span.start().column as u32 + 1,
                until: None,
                source,
                fingerprint: Fingerprint::from_bytes([0; 16]),
                crates: vec![],
                cfgs: vec![],
                env: vec![],
                files: vec![],
                findings: vec![],
            });
        });
    }
    let fingerprint: [u8; 16] = source_hash([Tok::Literal(&all)]).as_bytes().to_owned();
    let crates: BTreeSet<String> = ledger
        .crates
        .iter()
        .map(|krate| krate.package.replace('-', "_"))
        .collect();
    let indices: Vec<u32> = (0..files.len() as u32).collect();
    for root in &mut ledger.roots {
        root.fingerprint = Fingerprint::from_bytes(fingerprint);
        root.crates = crates.iter().cloned().chain(["core".into()]).collect();
        root.files = indices.clone();
        (root.cfgs, root.env, root.findings) = (said.cfgs.clone(), said.env.clone(), said.findings.clone());
    }
    ledger
}

/// All crate roots that cargo knows of, found in the text of its answer.
fn libraries(manifest: &Path) -> Vec<LedgerLibrary> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--offline", "--manifest-path"]);
    let output = command.arg(manifest).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.split("\"src_path\":\"").skip(1);
    paths
        .map(|rest| LedgerLibrary {
            root_file: rest.split('"').next().unwrap().into(),
            features: Vec::new(),
            dormant: Vec::new(),
        })
        .collect()
}

/// The target that rustc makes code for when it is told nothing.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap().to_owned()
}

#[derive(Default)]
struct Said {
    cfgs: Vec<String>,
    env: Vec<String>,
    findings: Vec<Finding>,
}

impl Said {
    fn read(&mut self, text: &str, file: &Path) {
        for (line, number) in text.lines().zip(1..) {
            let Some((what, value)) = line
                .trim()
                .strip_prefix("// fake ")
                .and_then(|rest| rest.split_once(": "))
            else {
                continue;
            };
            match what {
                "cfg" => self.cfgs.push(value.into()),
                "env" => self.env.push(value.into()),
                _ => {
                    let (kind, name) = value.split_once(' ').unwrap();
                    self.findings.push(Finding {
                        kind: kind.into(),
                        name: name.into(),
                        file: file.into(),
                        line: number,
                    });
                }
            }
        }
    }
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden && !path.join("CACHEDIR.TAG").exists() && !path.join("outside").exists() {
            walk(&path, files);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "toml" || extension == "lock")
        {
            files.push(path);
        }
    }
}

fn package_dir(root: &Path, file: &Path) -> PathBuf {
    let mut dirs = file.ancestors().skip(1).take_while(|dir| dir.starts_with(root));
    dirs.find(|dir| dir.join("Cargo.toml").exists())
        .unwrap_or(root)
        .to_path_buf()
}

fn package_name(dir: &Path) -> String {
    let text = fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("name = \""))
        .unwrap_or("\"");
    name.trim_end_matches('"').to_owned()
}

/// The target whose root this file is.
fn crate_of(root: &Path, file: &Path) -> Option<(String, String)> {
    let dir = package_dir(root, file);
    let package = package_name(&dir);
    let stem = file.file_stem()?.to_str()?;
    let target = match file.strip_prefix(&dir).ok()?.to_str()? {
        "src/lib.rs" => "lib".to_owned(),
        "src/main.rs" => format!("bin:{package}"),
        other => {
            let kind = ["src/bin/", "examples/", "tests/", "benches/"]
                .iter()
                .position(|front| other.starts_with(front))?;
            format!("{}:{stem}", ["bin", "example", "test", "bench"][kind])
        }
    };
    file.extension()
        .is_some_and(|extension| extension == "rs")
        .then_some((package, target))
}

fn owner(root: &Path, file: &Path) -> (String, String) {
    crate_of(root, file).unwrap_or_else(|| (package_name(&package_dir(root, file)), "lib".to_owned()))
}

/// Items whose attributes have a `cached` in them, and `func!(..)`, wherever they stand; not inside `macro_rules!`.
fn find_roots(tokens: TokenStream, found: &mut dyn FnMut(String, proc_macro2::Span, TokenHash)) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at..] {
            [TokenTree::Ident(rules), ..] if rules == "macro_rules" => at += 3,
            [
                TokenTree::Ident(func),
                TokenTree::Punct(bang),
                TokenTree::Group(group),
                ..,
            ] if func == "func" && bang.as_char() == '!' => {
                found("func!".into(), func.span(), hash(group.stream()));
            }
            [TokenTree::Punct(sign), TokenTree::Group(attribute), ..]
                if sign.as_char() == '#' && attribute.stream().to_string().contains("cached") =>
            {
                let item = &trees[at..];
                let start = item
                    .chunks(2)
                    .take_while(|pair| matches!(&pair[0], TokenTree::Punct(p) if p.as_char() == '#'))
                    .count()
                    * 2;
                let is_body =
                    |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                let end = item.iter().position(is_body).unwrap();
                let name = item.windows(2).find(|pair| pair[0].to_string() == "fn").unwrap()[1].clone();
                found(
                    name.to_string(),
                    name.span(),
                    hash(item[start..=end].iter().cloned().collect()),
                );
                at += start - 1;
            }
            _ => {}
        }
        if let Some(TokenTree::Group(group)) = trees.get(at) {
            find_roots(group.stream(), found);
        }
        at += 1;
    }
}

/// Written apart from the macro's own, so that the two check each other.
fn hash(tokens: TokenStream) -> TokenHash {
    let mut texts = Vec::new();
    flatten(tokens, &mut texts);
    source_hash(texts.iter().map(|(kind, text)| match kind {
        'i' => Tok::Ident(text),
        'l' => Tok::Lifetime(text),
        'c' => Tok::Literal(text),
        'o' => Tok::Open(text.chars().next().unwrap()),
        'e' => Tok::Close(text.chars().next().unwrap()),
        _ => Tok::Punct(text.chars().next().unwrap()),
    }))
}

fn flatten(tokens: TokenStream, texts: &mut Vec<(char, String)>) {
    for tree in tokens {
        match tree {
            TokenTree::Ident(name) if texts.last().is_some_and(|(kind, text)| *kind == 'p' && text == "'") => {
                texts.pop();
                texts.push(('l', name.to_string()));
            }
            TokenTree::Ident(name) => texts.push(('i', name.to_string())),
            TokenTree::Literal(literal) => texts.push(('c', literal.to_string())),
            TokenTree::Punct(punct) => texts.push(('p', punct.as_char().to_string())),
            TokenTree::Group(group) => {
                let pair = match group.delimiter() {
                    Delimiter::Parenthesis => Some("()"),
                    Delimiter::Bracket => Some("[]"),
                    Delimiter::Brace => Some("{}"),
                    Delimiter::None => None,
                };
                texts.extend(pair.map(|pair| ('o', pair[..1].to_owned())));
                flatten(group.stream(), texts);
                texts.extend(pair.map(|pair| ('e', pair[1..].to_owned())));
            }
        }
    }
}
