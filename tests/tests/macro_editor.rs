//! The macro in editors: rust-analyzer's own proc-macro server expands it, asked by its JSON protocol as the editor does, and a
//! rustc that no cargo started compiles it. Nothing is looked up then, and the user's tokens stay as and where they are, which
//! is what hover and go-to-definition work on.
//!
//! The server belongs to rustup's `rustc` component. A toolchain of other make may lack it; then only the second is tested, and
//! the run says so.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use astrocache_tests::project::{Project, Ran};
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use serde_json::{Value, json};

const FAKE: &str = env!("CARGO_BIN_EXE_fake-analyzer");

/// What one of them builds is a trace to the other.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("macro-editor")
}

/// A checked project, and the files that `cargo check` made of the runtime and of the macro.
struct Checked {
    project: Project,
    runtime: PathBuf,
    macros: PathBuf,
}

fn checked(name: &str) -> Checked {
    let project = Project::new(&target()).unwrap().env("ASTROCACHE_TOOL", FAKE);
    let project = project.package(".", name, "").unwrap();
    project
        .write(
            "src/lib.rs",
            "#[astrocache::cached]\npub fn f(x: u64) -> u64 { x + 1 }\n",
        )
        .unwrap();
    let ran = project.cargo(&["check", "--message-format", "json"]).unwrap();
    assert!(ran.ok, "{}", ran.stderr);
    let file = |name: &str, ending: &str| {
        let messages = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let artifact = messages
            .filter(|it| it["reason"] == "compiler-artifact" && it["target"]["name"] == name)
            .find_map(|it| {
                let files = it["filenames"].as_array()?.clone();
                files
                    .iter()
                    .filter_map(Value::as_str)
                    .find(|it| it.ends_with(ending))
                    .map(PathBuf::from)
            });
        artifact.unwrap_or_else(|| panic!("cargo made no {ending} of {name}"))
    };
    Checked {
        runtime: file("astrocache", ".rmeta"),
        macros: file("astrocache_macros", std::env::consts::DLL_SUFFIX),
        project,
    }
}

/// All files below a directory, with the time of their last change.
fn files(dir: &Path, out: &mut BTreeMap<PathBuf, SystemTime>) {
    for entry in fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        out.insert(entry.path(), metadata.modified().unwrap());
        if metadata.is_dir() {
            files(&entry.path(), out);
        }
    }
}

impl Checked {
    /// Nothing may be written while this runs: to the store, the target directory or the project.
    fn without_a_trace<T>(&self, f: impl FnOnce() -> T) -> T {
        let seen = || {
            let mut out = BTreeMap::new();
            for dir in [self.project.path(), self.project.store(), self.project.target()] {
                files(dir, &mut out);
            }
            out
        };
        let before = seen();
        let value = f();
        assert_eq!(before, seen());
        assert_eq!(fs::read_dir(self.project.store()).unwrap().count(), 0);
        value
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.project.path());
        self.project.environment(&mut command);
        command
    }
}

/// Spans as rust-analyzer sends them: file, item, start, end, context.
type Table = Vec<[u32; 5]>;

/// Tokens as flat arrays: a subtree is two spans, a delimiter and a range of `token_tree`; whose entries are an index and, in the
/// lowest two bits, which of the arrays it is for.
#[derive(Default)]
struct Flat {
    subtree: Vec<u32>,
    literal: Vec<u32>,
    punct: Vec<u32>,
    ident: Vec<u32>,
    token_tree: Vec<u32>,
    text: Vec<String>,
}

const NO_SUFFIX: u32 = u32::MAX;
const INTEGER: u32 = 3;
const STR: u32 = 5;

impl Flat {
    fn of(source: &str, table: &mut Table) -> Value {
        let mut flat = Flat::default();
        let tokens = TokenStream::from_str(source).unwrap();
        flat.group(tokens, 0, [0, 0], table);
        json!({
            "subtree": flat.subtree, "literal": flat.literal, "punct": flat.punct, "ident": flat.ident,
            "token_tree": flat.token_tree, "text": flat.text
        })
    }

    fn group(&mut self, tokens: TokenStream, delimiter: u32, spans: [u32; 2], table: &mut Table) -> u32 {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let start = self.token_tree.len();
        let stop = start + trees.len();
        let at = self.subtree.len() / 5;
        self.subtree
            .extend([spans[0], spans[1], delimiter, start as u32, stop as u32]);
        self.token_tree.resize(stop, u32::MAX);
        for (place, tree) in (start..).zip(trees) {
            let span = span(table, tree.span().byte_range());
            self.token_tree[place] = match tree {
                TokenTree::Group(group) => {
                    let delimiter = match group.delimiter() {
                        Delimiter::None => 0,
                        Delimiter::Parenthesis => 1,
                        Delimiter::Brace => 2,
                        Delimiter::Bracket => 3,
                    };
                    let spans = [group.span_open(), group.span_close()];
                    let spans = spans.map(|it| self::span(table, it.byte_range()));
                    self.group(group.stream(), delimiter, spans, table) << 2
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let (kind, text) = match text.strip_prefix('"') {
                        Some(text) => (STR, text.trim_end_matches('"').to_owned()),
                        None => (INTEGER, text),
                    };
                    let text = self.text(text);
                    self.literal.extend([span, text, kind, NO_SUFFIX]);
                    (self.literal.len() as u32 / 4 - 1) << 2 | 1
                }
                TokenTree::Punct(punct) => {
                    let joint = u32::from(punct.spacing() == Spacing::Joint);
                    self.punct.extend([span, punct.as_char() as u32, joint]);
                    (self.punct.len() as u32 / 3 - 1) << 2 | 2
                }
                TokenTree::Ident(name) => {
                    let text = self.text(name.to_string());
                    self.ident.extend([span, text, 0]);
                    (self.ident.len() as u32 / 3 - 1) << 2 | 3
                }
            };
        }
        at as u32
    }

    fn text(&mut self, text: String) -> u32 {
        self.text.push(text);
        self.text.len() as u32 - 1
    }
}

/// The number of a span; each is in the table once.
fn span(table: &mut Table, range: std::ops::Range<usize>) -> u32 {
    let span = [0, 0, range.start as u32, range.end as u32, 0];
    let known = table.iter().position(|it| *it == span);
    known.unwrap_or_else(|| {
        table.push(span);
        table.len() - 1
    }) as u32
}

/// The tokens of an answer in order, each with its place.
fn flattened(answer: &Value) -> Vec<(String, [u32; 2])> {
    let whole = answer;
    let answer = &answer["ExpandMacroExtended"]["Ok"];
    assert!(answer.is_object(), "{whole}");
    let numbers = |value: &Value| -> Vec<u32> {
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value} in {whole}"))
    };
    let tree = &answer["tree"];
    let [subtree, literal, punct, ident, token_tree] =
        ["subtree", "literal", "punct", "ident", "token_tree"].map(|name| numbers(&tree[name]));
    let text: Vec<String> = serde_json::from_value(tree["text"].clone()).unwrap();
    let spans = numbers(&answer["span_data_table"]);
    let place = |at: u32| {
        let at = at as usize * 5;
        [spans[at + 2], spans[at + 3]]
    };
    let row = |array: &[u32], width: usize, at: usize| array[at * width..(at + 1) * width].to_vec();
    let mut out = Vec::new();
    let mut waiting = vec![Ok(0)];
    while let Some(next) = waiting.pop() {
        let at = match next {
            Ok(at) => at,
            Err(closing) => {
                out.push(closing);
                continue;
            }
        };
        match at & 3 {
            1 => {
                let it = row(&literal, 4, at >> 2);
                let quote = if it[2] == STR { "\"" } else { "" };
                out.push((format!("{quote}{}{quote}", text[it[1] as usize]), place(it[0])));
            }
            2 => {
                let it = row(&punct, 3, at >> 2);
                out.push((char::from_u32(it[1]).unwrap().to_string(), place(it[0])));
            }
            3 => {
                let it = row(&ident, 3, at >> 2);
                out.push((text[it[1] as usize].clone(), place(it[0])));
            }
            _ => {
                let it = row(&subtree, 5, at >> 2);
                let marks = ["", "()", "{}", "[]"][it[2] as usize];
                if !marks.is_empty() {
                    out.push((marks[..1].to_owned(), place(it[0])));
                    waiting.push(Err((marks[1..].to_owned(), place(it[1]))));
                }
                let children = token_tree[it[3] as usize..it[4] as usize].iter().rev();
                waiting.extend(children.map(|&child| Ok(child as usize)));
            }
        }
    }
    out
}

/// The tokens of a source in order, each with its place: what an answer that changes nothing holds.
fn written(source: &str) -> Vec<(String, [u32; 2])> {
    let mut table = vec![[0; 5]];
    let tree = Flat::of(source, &mut table);
    let answer = json!({"ExpandMacroExtended": {"Ok": {"tree": tree, "span_data_table": table.concat()}}});
    flattened(&answer)
}

fn server() -> Option<PathBuf> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).unwrap().trim());
    let name = format!("rust-analyzer-proc-macro-srv{}", std::env::consts::EXE_SUFFIX);
    Some(sysroot.join("libexec").join(name)).filter(|it| it.is_file())
}

/// Asks the server; one answer for each question.
fn ask(checked: &Checked, server: &Path, questions: &[Value]) -> Vec<Value> {
    let mut child = checked
        .command(server)
        .env("RUST_ANALYZER_INTERNALS_DO_NOT_USE", "this is unstable")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for question in questions {
        writeln!(stdin, "{question}").unwrap();
    }
    drop(stdin);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len(), "{text}");
    answers
}

/// One expansion as rust-analyzer asks for it, with the variables of a package as it sets them.
fn expansion(checked: &Checked, name: &str, options: Option<&str>, source: &str) -> Value {
    let dir = checked.project.path();
    let mut table = vec![[0, 0, 0, source.len() as u32, 0]];
    let body = Flat::of(source, &mut table);
    let attributes = options.map(|options| Flat::of(options, &mut table));
    json!({"ExpandMacro": {
        "lib": checked.macros,
        "env": [
            ["CARGO", "cargo"], ["CARGO_CRATE_NAME", "editor"], ["CARGO_MANIFEST_DIR", dir], ["CARGO_PKG_NAME", "editor"],
            ["CARGO_PRIMARY_PACKAGE", "1"], ["OUT_DIR", dir.join("out")]
        ],
        "current_dir": dir,
        "macro_body": body, "macro_name": name, "attributes": attributes,
        "has_global_spans": {"serialize": true, "def_site": 0, "call_site": 0, "mixed_site": 0},
        "span_data_table": table.concat()
    }})
}

const ITEMS: [&str; 4] = [
    "/// Docs.\n#[inline] pub fn f(x: u64, (a, b): (u8, u8)) -> Result<u64, String> { let y = x.checked_add(1)?; Ok(y) }",
    "async fn later<'a, T: Clone + 'a, const N: usize>(x: &'a [T; N]) -> usize where T: Send { x.iter().count() + 7 }",
    "fn method(&self, mut name: String) -> String { name += \"text\"; name }",
    "pub(crate) fn broken(x: u64) -> u64 { x. }",
];

#[test]
fn rust_analyzers_server_gets_the_item_back_as_it_was_written() {
    let _alone = alone();
    let checked = checked("editor");
    let Some(server) = server() else {
        let said = "this toolchain has no rust-analyzer-proc-macro-srv: only a rustc without cargo was tested";
        writeln!(std::io::stderr(), "{said}").unwrap();
        return;
    };
    let mut questions = vec![
        json!({"ApiVersionCheck": {}}),
        json!({"SetConfig": {"span_mode": "RustAnalyzer"}}),
        json!({"ListMacros": {"dylib_path": checked.macros}}),
    ];
    let options = ["", "version = 2, skip(x)", "key = name.len(), ttl = \"1h\"", "strict"];
    let items = ITEMS.iter().zip(options);
    questions.extend(items.map(|(item, options)| expansion(&checked, "cached", Some(options), item)));
    questions.push(expansion(&checked, "cached", Some("versoin = 2"), ITEMS[0]));
    questions.push(expansion(&checked, "func", None, "|x: u64| x + 1"));
    let answers = checked.without_a_trace(|| ask(&checked, &server, &questions));

    let version = answers[0]["ApiVersionCheck"].as_u64().unwrap();
    assert!(
        version >= 5,
        "the form of trees that is sent here began with version 5, this is {version}"
    );
    assert_eq!(answers[1]["SetConfig"]["span_mode"], "RustAnalyzer");
    assert_eq!(
        answers[2]["ListMacros"]["Ok"],
        json!([["cached", "Attr"], ["func", "FuncLike"]])
    );
    for (item, answer) in ITEMS.iter().zip(&answers[3..]) {
        assert_eq!(flattened(answer), written(item), "{answer}");
    }
    // A mistake leaves the item, followed by the error.
    let mistaken = flattened(&answers[7]);
    let item = written(ITEMS[0]);
    assert_eq!(mistaken[..item.len()], item);
    let error: Vec<&str> = mistaken[item.len()..].iter().map(|(text, _)| text.as_str()).collect();
    assert!(
        error.contains(&"compile_error") && error.iter().any(|it| it.contains("versoin")),
        "{error:?}"
    );
    let func = flattened(&answers[8]);
    let closure = written("|x: u64| x + 1");
    assert!(func.windows(closure.len()).any(|tokens| tokens == closure), "{func:?}");
    let none = ["Option", ":", ":", "None"];
    assert!(
        func.windows(4).any(|it| it.iter().map(|(text, _)| text).eq(none)),
        "no fingerprint is looked up: {func:?}"
    );
}

#[test]
fn a_rustc_that_no_cargo_started_compiles_the_item_as_it_was_written() {
    let _alone = alone();
    let checked = checked("by-hand");
    let source = "#[astrocache::cached]\nfn f(x: u64) -> u64 { x + 1 }\nfn main() { println!(\"{}\", f(1)); }\n";
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("main.rs"), source).unwrap();
    let ran = checked.without_a_trace(|| {
        let output = checked
            .command("rustc")
            .args(["--edition=2024", "--emit=metadata", "-Dwarnings", "--crate-name=main"])
            .arg(dir.path().join("main.rs"))
            .arg("--out-dir")
            .arg(dir.path())
            .arg(format!("--extern=astrocache={}", checked.runtime.display()))
            .arg("-L")
            .arg(format!("dependency={}", checked.runtime.parent().unwrap().display()))
            .stdin(Stdio::null())
            .output();
        Ran::from(output.unwrap())
    });
    assert!(ran.ok && ran.stderr.is_empty(), "{}", ran.stderr);
}
