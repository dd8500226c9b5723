//! `watch`, end to end: a real process, real edits in every way that editors and git make them. What is waited for is what
//! the process says; after each edit its fingerprints are those of a new process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::scratch::{Scratch, TOOL, TWO_CACHED, without_times};

/// A process that says this little for so long is broken.
const LONG: Duration = Duration::from_secs(120);

/// A process that watches a scratch workspace.
struct Watch<'s> {
    scratch: &'s Scratch,
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What it said of each cached function last.
    fingerprints: BTreeMap<String, String>,
}

impl<'s> Watch<'s> {
    /// Starts it, and waits until it watches.
    fn start(scratch: &'s Scratch, arguments: &[&str]) -> Watch<'s> {
        let mut watch = Watch::spawn(scratch, &[&["--message-format", "json"], arguments].concat());
        watch.fingerprints = fresh(scratch);
        let line = watch.line();
        assert_eq!(line["reason"], "watching", "{line}");
        assert_eq!(line["roots"], watch.fingerprints.len());
        watch
    }

    fn spawn(scratch: &'s Scratch, arguments: &[&str]) -> Watch<'s> {
        let mut command = scratch.command(TOOL);
        command.args(["astrocache", "watch"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Watch {
            scratch,
            child,
            stdout: lines(stdout),
            stderr: lines(stderr),
            fingerprints: BTreeMap::new(),
        }
    }

    /// The next line of JSON.
    fn line(&mut self) -> Value {
        match self.stdout.recv_timeout(LONG) {
            Ok(line) => serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")),
            Err(error) => panic!(
                "no line ({error}); stderr: {:?}",
                self.stderr.try_iter().collect::<Vec<_>>()
            ),
        }
    }

    /// Waits until it knows all cached functions as a new process does. Returns what it said, each change of a function
    /// as `app::render changed: words::slug changed`.
    fn settle(&mut self) -> Vec<String> {
        let expected = fresh(self.scratch);
        let mut said = Vec::new();
        loop {
            let line = self.line();
            said.extend(self.take(&line));
            if self.fingerprints == expected {
                return said;
            }
        }
    }

    fn take(&mut self, line: &Value) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let none = Vec::new();
        let mut said = Vec::new();
        for root in line["invalidated"].as_array().unwrap_or(&none) {
            let path = text(&root["path"]);
            assert_eq!(
                self.fingerprints.get(&path).cloned().unwrap_or_default(),
                text(&root["was"])
            );
            match root["fingerprint"].as_str() {
                Some(fingerprint) => drop(self.fingerprints.insert(path.clone(), fingerprint.to_owned())),
                None => drop(self.fingerprints.remove(&path)),
            }
            let changes = root["changes"].as_array().unwrap_or(&none);
            let why: Vec<String> = changes
                .iter()
                .map(|it| format!("{} {}", text(&it["what"]), text(&it["status"])))
                .collect();
            said.push(format!("{path} {}: {}", text(&root["status"]), why.join(", ")));
        }
        said
    }

    /// Ctrl-C. Returns the exit code and what was said on stderr.
    fn interrupt(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.end()
    }

    fn end(&mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let said: Vec<String> = self.stderr.iter().collect();
        (
            code,
            said.join("\n").replace(self.scratch.root.to_str().unwrap(), "ROOT"),
        )
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    receive
}

/// The fingerprints that a new process finds.
fn fresh(scratch: &Scratch) -> BTreeMap<String, String> {
    let ran = scratch.run(&["list", "--message-format", "json"]);
    let roots: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    roots
        .iter()
        .map(|it| (text(&it["path"]), text(&it["fingerprint"])))
        .collect()
}

/// Edits in one step: who sees the file, sees it whole.
fn save(scratch: &Scratch, name: &str, from: &str, to: &str) {
    let text = scratch.read(name);
    assert_eq!(text.matches(from).count(), 1, "`{from}` in {name}:\n{text}");
    replace(scratch, name, text.replacen(from, to, 1));
}

fn replace(scratch: &Scratch, name: &str, text: impl AsRef<[u8]>) {
    scratch.write("saved", text);
    fs::rename(scratch.path("saved"), scratch.path(name)).unwrap();
}

fn says(said: &[String], expected: Expect) {
    expected.assert_eq(&said.join("\n"));
}

#[test]
fn a_save_names_the_functions_that_it_invalidates_and_the_cause() {
    let scratch = Scratch::new(TWO_CACHED);
    let mut watch = Watch::start(&scratch, &[]);
    save(&scratch, "words/src/lib.rs", "'-'", "'_'");
    let line = watch.line();
    assert_eq!(line["files"], serde_json::json!(["words/src/lib.rs"]));
    let change = &line["invalidated"][0]["changes"][0];
    assert_eq!(change["file"], "words/src/lib.rs");
    assert_eq!(change["line"], 2);
    assert_eq!(change["kind"], "const");
    says(
        &watch.take(&line),
        expect!["app::render changed: words::SEPARATOR changed"],
    );
    assert_eq!(watch.fingerprints, fresh(&scratch));

    save(&scratch, "words/src/lib.rs", "fn join(title", "/// Why.\nfn join(title");
    let line = watch.line();
    assert_eq!(
        line["invalidated"],
        serde_json::json!([]),
        "a comment invalidates nothing"
    );
    save(
        &scratch,
        "app/src/lib.rs",
        "numbers.iter().sum()",
        "numbers.iter().map(|it| it * 2).sum()",
    );
    says(&watch.settle(), expect!["app::total changed: app::total changed"]);
    let (code, stderr) = watch.interrupt();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(!scratch.path("Astrocache.lock").exists(), "only --update writes it");
    assert!(!scratch.path("Cargo.lock").exists());
}

#[test]
fn people_are_told_in_a_line_a_function() {
    let scratch = Scratch::new(TWO_CACHED);
    let watch = Watch::spawn(&scratch, &["--update", "--color", "never"]);
    let mut said = Vec::new();
    let mut wait = |verb: &str| {
        loop {
            let line = watch
                .stderr
                .recv_timeout(LONG)
                .unwrap_or_else(|error| panic!("{error}: {said:?}"));
            said.push(line);
            if said.last().is_some_and(|line| line.trim_start().starts_with(verb)) {
                return;
            }
        }
    };
    wait("Watching");
    save(&scratch, "words/src/lib.rs", "'-'", "'_'");
    wait("Stale");
    save(&scratch, "app/src/lib.rs", "<h1>{}</h1>", "<h2>{}</h2>");
    wait("Stale");
    save(
        &scratch,
        "app/src/lib.rs",
        "//! The cached functions.",
        "//! Cached functions.",
    );
    wait("Fresh");
    save(&scratch, "app/src/lib.rs", "pub fn total", "pub fn sum");
    wait("Stale");
    save(&scratch, "words/src/lib.rs", "fn join(", "fn join((");
    wait("warning");
    let (code, rest) = watch.interrupt();
    assert_eq!(code, Some(130), "{rest}");
    let said = without_times(&said.join("\n").replace(scratch.root.to_str().unwrap(), "ROOT"));
    expect![[r#"
            Watching 2 cached functions (4 packages, 4 local files in TIME)
             Changed app::render: words::SEPARATOR changed (words/src/lib.rs:2)
               Stale words/src/lib.rs: 1 of 2 cached functions invalidated in TIME, Astrocache.lock updated
             Changed app::render: its own code changed (app/src/lib.rs:4)
               Stale app/src/lib.rs: 1 of 2 cached functions invalidated in TIME, Astrocache.lock updated
               Fresh app/src/lib.rs: nothing invalidated in TIME
                 New app::sum (app/src/lib.rs:9)
                Gone app::total
               Stale app/src/lib.rs: 2 of 2 cached functions invalidated in TIME, Astrocache.lock updated
        warning: words/src/lib.rs: does not parse (15 syntax errors); analyzed as far as it does"#]]
    .assert_eq(&said);
    let listed: Vec<String> = fresh(&scratch).into_keys().collect();
    assert_eq!(listed, ["app::render", "app::sum"]);
    assert_eq!(scratch.read("Astrocache.lock").matches("[[root]]").count(), 2);
}

#[test]
fn every_way_to_save_a_file_is_seen() {
    let scratch = Scratch::new(TWO_CACHED);
    let mut watch = Watch::start(&scratch, &[]);
    let path = scratch.path("words/src/lib.rs");
    let text = |separator: &str| {
        scratch
            .read("words/src/lib.rs")
            .replacen(|it| "-_+~%".contains(it), separator, 1)
    };

    // Beside it, then renamed over it: vim, and many tools.
    fs::write(path.with_extension("tmp"), text("_")).unwrap();
    fs::rename(path.with_extension("tmp"), &path).unwrap();
    says(
        &watch.settle(),
        expect!["app::render changed: words::SEPARATOR changed"],
    );

    // The old one is moved away first.
    fs::rename(&path, path.with_extension("rs~")).unwrap();
    fs::write(
        &path,
        fs::read_to_string(path.with_extension("rs~"))
            .unwrap()
            .replace('_', "+"),
    )
    .unwrap();
    watch.settle();

    // Truncated, then written.
    let new = text("~");
    let file = fs::File::create(&path).unwrap();
    (&file).write_all(new.as_bytes()).unwrap();
    drop(file);
    watch.settle();

    // Through a link to it.
    fs::rename(&path, scratch.path("real.rs")).unwrap();
    std::os::unix::fs::symlink("../../real.rs", &path).unwrap();
    scratch.edit("real.rs", "'~'", "'%'");
    watch.settle();
    scratch.edit("real.rs", "'%'", "'-'");
    watch.settle();

    // Size and modification time as before.
    let modified = scratch.path("real.rs").metadata().unwrap().modified().unwrap();
    scratch.edit("real.rs", "'-'", "'_'");
    let file = fs::File::options().write(true).open(scratch.path("real.rs")).unwrap();
    file.set_modified(modified).unwrap();
    watch.settle();
}

#[test]
fn files_and_directories_that_come_and_go_are_seen() {
    let scratch = Scratch::new(TWO_CACHED);
    let mut watch = Watch::start(&scratch, &[]);
    scratch.edit("words/src/lib.rs", "fn join(", "mod inner;\nfn unused(");
    scratch.edit("words/src/lib.rs", "    join(title", "    inner::join(title");
    watch.settle();
    scratch.write("words/src/inner/mod.rs", "mod deep; pub use deep::*;");
    scratch.write(
        "words/src/inner/deep.rs",
        "pub fn join(title: &str, _: char) -> String { title.to_owned() }",
    );
    watch.settle();
    scratch.edit("words/src/inner/deep.rs", "title.to_owned()", "title.to_uppercase()");
    says(
        &watch.settle(),
        expect!["app::render changed: words::inner::deep::join changed"],
    );

    // As git does when it changes branches: the directory is gone and there again.
    fs::remove_dir_all(scratch.path("words/src/inner")).unwrap();
    watch.settle();
    scratch.write("words/src/inner/mod.rs", "mod deep; pub use deep::*;");
    scratch.write(
        "words/src/inner/deep.rs",
        "pub fn join(title: &str, _: char) -> String { title.to_owned() }",
    );
    watch.settle();
    scratch.edit("words/src/inner/deep.rs", "title.to_owned()", "title.repeat(2)");
    watch.settle();

    // A directory on the way is renamed, with the module.
    fs::rename(scratch.path("words/src/inner"), scratch.path("words/src/other")).unwrap();
    watch.settle();
    let text = scratch.read("words/src/lib.rs").replace("inner", "other");
    scratch.write("words/src/lib.rs", text);
    watch.settle();
    scratch.edit("words/src/other/deep.rs", "title.repeat(2)", "title.repeat(3)");
    watch.settle();

    // A file without a directory of its own.
    fs::remove_dir_all(scratch.path("words/src/other")).unwrap();
    scratch.write(
        "words/src/other.rs",
        "pub fn join(title: &str, _: char) -> String { title.repeat(4) }",
    );
    watch.settle();
}

/// Three hundred files at once, there and back, as `git checkout` writes them.
#[test]
fn a_burst_leads_where_a_new_process_gets() {
    let scratch = Scratch::new(TWO_CACHED);
    let checkout = |value: u32| {
        let mods: String = (0..300).map(|at| format!("mod m{at};\n")).collect();
        let calls: Vec<String> = (0..300).map(|at| format!("m{at}::f()")).collect();
        for at in 0..300 {
            scratch.write(
                &format!("words/src/m{at}.rs"),
                format!("pub fn f() -> u64 {{ {at} + {value} }}\n"),
            );
        }
        let slug = format!(
            "pub fn slug(title: &str) -> String {{ title.repeat(({}) as usize) }}",
            calls.join("+")
        );
        scratch.write("words/src/lib.rs", format!("{mods}{slug}\n"));
    };
    let mut watch = Watch::start(&scratch, &[]);
    checkout(1);
    watch.settle();
    checkout(2);
    watch.settle();
    fs::remove_dir_all(scratch.path("words/src")).unwrap();
    checkout(3);
    watch.settle();
}

#[test]
fn what_cargo_says_is_asked_anew_when_it_may_be_different() {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.edit("Cargo.toml", "\"words\"]", "\"words\", \"more/*\"]");
    scratch.write("more/old/Cargo.toml", "[package]\nname = \"old\"\nedition = \"2024\"\n");
    scratch.write("more/old/src/lib.rs", "");
    let mut watch = Watch::start(&scratch, &[]);
    scratch.write(
        "words/Cargo.toml",
        scratch.read("words/Cargo.toml").replace("2024", "2021"),
    );
    says(
        &watch.settle(),
        expect!["app::render changed: the edition of package `words` changed"],
    );

    // Broken for a while: told, and edits are answered as before.
    let whole = scratch.read("words/Cargo.toml");
    replace(&scratch, "words/Cargo.toml", "[package");
    let line = watch.line();
    assert_eq!(line["reason"], "trouble", "{line}");
    save(&scratch, "words/src/lib.rs", "'-'", "'_'");
    let line = watch.line();
    assert_eq!(watch.take(&line).len(), 1);
    replace(&scratch, "words/Cargo.toml", whole);
    let line = watch.line();
    assert_eq!(line["files"], serde_json::json!(["words/Cargo.toml"]), "{line}");
    assert_eq!(watch.fingerprints, fresh(&scratch));

    // A member by a pattern, a target that no manifest names, both with cached functions.
    let manifest = scratch
        .read("app/Cargo.toml")
        .replace("\"app\"", "\"new\"")
        .replace("../", "../../");
    scratch.write(
        "more/new/src/main.rs",
        "#[astrocache::cached] fn made() -> u8 { 1 }\nfn main() {}",
    );
    scratch.write("more/new/Cargo.toml", manifest);
    says(&watch.settle(), expect!["new::made new: "]);
    scratch.write(
        "app/src/bin/tool.rs",
        "#[astrocache::cached] fn tool() -> u8 { 1 }\nfn main() {}",
    );
    says(&watch.settle(), expect!["tool::tool new: "]);
    scratch.edit("app/src/bin/tool.rs", "1", "2");
    watch.settle();
    fs::remove_dir_all(scratch.path("more/new")).unwrap();
    says(&watch.settle(), expect!["new::made gone: "]);

    // A profile that changes what code does.
    scratch.write(".cargo/config.toml", "[profile.release]\noverflow-checks = true\n");
    watch.settle();
}

#[test]
fn a_file_that_does_not_parse_or_cannot_be_read_holds_the_manifest_back() {
    let scratch = Scratch::new(TWO_CACHED);
    let mut watch = Watch::start(&scratch, &["--update"]);
    let manifest = scratch.read("Astrocache.lock");
    let whole = scratch.read("words/src/lib.rs");
    for broken in [
        &b"pub fn slug(title: &str) -> String { title.to_owned( "[..],
        b"pub fn slug() {}\n\xff",
    ] {
        replace(&scratch, "words/src/lib.rs", broken);
        let line = watch.line();
        assert_eq!(line["diagnostics"][0]["file"], "words/src/lib.rs", "{line}");
        watch.take(&line);
        assert_eq!(watch.fingerprints, fresh(&scratch));
        assert_eq!(scratch.read("Astrocache.lock"), manifest);
        replace(&scratch, "words/src/lib.rs", &whole);
        watch.settle();
    }
    assert_eq!(scratch.read("Astrocache.lock"), manifest);
    save(&scratch, "words/src/lib.rs", "'-'", "'_'");
    let line = watch.line();
    assert_eq!(line["updated"], true);
    assert_eq!(scratch.run(&["check"]).code, Some(0));
    let (code, stderr) = watch.interrupt();
    assert_eq!(code, Some(130), "{stderr}");
    let names: Vec<String> = fs::read_dir(&scratch.root)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.iter().any(|it| it.contains("tmp")), "{names:?}");
}

#[test]
fn a_workspace_that_disappears_is_the_end() {
    let scratch = Scratch::new(TWO_CACHED);
    let fixture = scratch.files();
    let inner = Scratch::new("");
    for (path, content) in fixture {
        let path = path.strip_prefix(&scratch.root).unwrap();
        inner.write(&format!("ws/{}", path.to_str().unwrap()), content);
    }
    let root = inner.path("ws");
    let mut watch = Watch::spawn(
        &inner,
        &["--manifest-path", "ws/Cargo.toml", "--message-format", "json"],
    );
    assert_eq!(watch.line()["reason"], "watching");
    fs::rename(&root, inner.path("elsewhere")).unwrap();
    let (code, stderr) = watch.end();
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.ends_with("error: the workspace `ROOT/ws` is gone"), "{stderr}");
}

#[test]
fn only_packages_that_were_asked_for_are_told_of() {
    let scratch = Scratch::new(TWO_CACHED);
    let mut watch = Watch::spawn(&scratch, &["-p", "words", "--message-format", "json"]);
    assert_eq!(watch.line()["roots"], 0);
    save(&scratch, "words/src/lib.rs", "'-'", "'_'");
    assert_eq!(watch.line()["invalidated"], serde_json::json!([]));
    let mut other = Watch::spawn(&scratch, &["-p", "wrods"]);
    let (code, stderr) = other.end();
    assert_eq!(code, Some(2));
    assert_eq!(
        stderr,
        "error: no package `wrods` in the workspace; did you mean `words`?"
    );
}
