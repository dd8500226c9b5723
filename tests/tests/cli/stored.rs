//! The commands on stored results: `prune`, `stats`, `verify`, `clear`. The results are made by real cached calls, in
//! processes of this test binary that play a program of the scratch workspace.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use astrocache::__private::{self as rt, KeyBuilder, Site};
use astrocache_manifest::Fingerprint;
use expect_test::{Expect, expect};
use serde_json::Value;

use crate::scratch::{Ran, Scratch, TOOL, TWO_CACHED};

/// A cached call: package, function, fingerprint, kind, argument, length of the value.
type Call<'a> = (&'a str, &'a str, &'a str, &'a str, u8, usize);

const OLD: &str = "11111111111111111111111111111111";
const OLDER: &str = "22222222222222222222222222222222";

/// A workspace with its own cache directory.
struct Stored(Scratch);

impl Stored {
    fn new() -> Stored {
        Stored(Scratch::new(TWO_CACHED))
    }

    /// With a manifest that fits, and results of the code as it is, of older code, and of functions that are gone.
    fn filled() -> Stored {
        let stored = Stored::new();
        assert_eq!(stored.run(&["update"]).code, Some(0));
        let [render, total] = ["app::render", "app::total"].map(|it| stored.0.fingerprint(it));
        stored.call(&[("app", "app::render", OLDER, "fine", 1, 100)]);
        stored.call(&[
            ("app", "app::render", OLD, "fine", 1, 100),
            ("app", "app::render", OLD, "fine", 2, 20_000),
            ("app", "app::render", &render, "fine", 1, 100),
            ("app", "app::total", &total, "trusted", 1, 30_000),
            ("words", "words::gone", OLD, "fine", 1, 100),
        ]);
        stored
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.0.command(program);
        command.env("ASTROCACHE_DIR", self.cache());
        command
    }

    fn cache(&self) -> PathBuf {
        self.0.path("target/cache")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(TOOL);
        command.arg("astrocache").args(arguments);
        self.named(self.0.finish(command))
    }

    fn check(&self, arguments: &[&str], expected: Expect) {
        expected.assert_eq(&self.run(arguments).to_string());
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--message-format", "json"]].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
    }

    /// Makes these calls in a process of its own.
    fn call(&self, calls: &[Call<'_>]) {
        let calls: Vec<String> = calls
            .iter()
            .map(|(package, function, fingerprint, kind, n, len)| {
                format!("{package} {function} {fingerprint} {kind} {n} {len}")
            })
            .collect();
        let mut command = self.command(env::current_exe().unwrap());
        command
            .args(["--exact", "stored::child_process", "--nocapture"])
            .env("ASTRO_WORKSPACE", &self.0.root)
            .env("ASTRO_CALLS", calls.join("\n"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// The store's folder, which is named after the workspace's place.
    fn store(&self) -> PathBuf {
        let folders = fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().path());
        let stores: Vec<PathBuf> = folders.filter(|path| !path.ends_with("facts")).collect();
        assert_eq!(stores.len(), 1, "{stores:?}");
        stores[0].clone()
    }

    /// The store's folder is called STORE in what is said.
    fn named(&self, ran: Ran) -> Ran {
        let label = self.0.root.file_name().unwrap().to_str().unwrap().replace('.', "_") + "-";
        let named = |text: &str| {
            let mut parts = text.split(&label);
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |text, part| text + "STORE" + &part[16..])
        };
        Ran {
            stdout: named(&ran.stdout),
            stderr: named(&ran.stderr),
            ..ran
        }
    }

    /// How many results of each function are left.
    fn left(&self) -> String {
        let stats = self.json(&["stats"]);
        let functions = stats["functions"].as_array().unwrap().iter();
        let lines: Vec<String> = functions
            .filter(|it| it["results"] != 0)
            .map(|it| format!("{} {}", it["path"].as_str().unwrap(), it["results"]))
            .collect();
        lines.join(", ")
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = self.0.command("git");
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        let output = command
            .args(["-c", "user.name=me", "-c", "user.email=me@example.com"])
            .args(arguments)
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")])
            .output()
            .expect("these tests need git");
        assert!(output.status.success(), "{output:?}");
    }
}

/// The program that a child process plays; without a workspace, a call of it is checked with nothing stored.
#[test]
fn child_process() {
    let Ok(workspace) = env::var("ASTRO_WORKSPACE") else {
        let value = astrocache::uncached(|| cached("/nowhere", &format!("app app::f {OLD} fine 7 3")));
        assert_eq!(value, [7; 3]);
        return;
    };
    let workspace: &'static str = workspace.leak();
    for line in env::var("ASTRO_CALLS").unwrap().lines() {
        let (n, len) = argument_and_length(line);
        assert_eq!(cached(workspace, line), vec![n; len]);
    }
}

fn argument_and_length(line: &str) -> (u8, usize) {
    let mut words = line.rsplit(' ');
    let len = words.next().unwrap().parse().unwrap();
    (words.next().unwrap().parse().unwrap(), len)
}

fn cached(workspace: &'static str, line: &str) -> Vec<u8> {
    let words: Vec<&'static str> = line.to_owned().leak().split(' ').collect();
    let fingerprint = u128::from_be_bytes(*words[2].parse::<Fingerprint>().unwrap().as_bytes());
    let site = Site::fine(words[1], words[0], workspace, fingerprint, 0, "main");
    let site: &'static Site = Box::leak(Box::new(match words[3] {
        "trusted" => site.trusted(),
        "coarse" => site.coarse(""),
        _ => site,
    }));
    let (n, len) = argument_and_length(line);
    let mut key = KeyBuilder::new(site);
    key.arg("n", &n);
    rt::call(site, key, move || vec![n; len])
}

#[test]
fn prune_deletes_what_neither_the_manifest_nor_the_source_asks_for() {
    let stored = Stored::filled();
    stored.check(
        &["prune", "-n"],
        expect![[r#"
        exit: 0
        --- stderr
        Would remove app::render: 3 results, 20.2 KiB
        Would remove words::gone: 1 result, 248 B
         Would prune 4 results, 20.4 KiB; kept 2 results, 29.7 KiB
    "#]],
    );
    assert_eq!(stored.left(), "app::render 4, app::total 1, words::gone 1");
    stored.check(
        &["prune"],
        expect![[r#"
        exit: 0
        --- stderr
             Removed app::render: 3 results, 20.2 KiB
             Removed words::gone: 1 result, 248 B
              Pruned 4 results, 20.4 KiB; kept 2 results, 29.7 KiB
    "#]],
    );
    assert_eq!(stored.left(), "app::render 1, app::total 1");
    let json = stored.json(&["prune"]);
    expect![[r#"{"dry_run":false,"functions":[],"kept":2,"kept_bytes":30391,"removed":0,"removed_bytes":0}"#]]
        .assert_eq(&json.to_string());
}

#[test]
fn results_of_edited_code_stay_before_the_manifest_is_updated() {
    let stored = Stored::filled();
    stored.0.edit("words/src/lib.rs", "'-'", "'_'");
    let edited = stored.0.fingerprint("app::render");
    stored.call(&[("app", "app::render", &edited, "fine", 1, 100)]);
    stored.run(&["prune"]);
    assert_eq!(stored.left(), "app::render 2, app::total 1");
    stored.run(&["update"]);
    stored.run(&["prune"]);
    assert_eq!(stored.left(), "app::render 1, app::total 1");
}

#[test]
fn stale_versions_can_be_kept() {
    let stored = Stored::filled();
    stored.run(&["prune", "--keep-versions", "1"]);
    assert_eq!(stored.left(), "app::render 3, app::total 1, words::gone 1");
}

#[test]
fn prune_can_be_limited_to_packages_and_functions() {
    let stored = Stored::filled();
    stored.run(&["prune", "-p", "words"]);
    assert_eq!(stored.left(), "app::render 4, app::total 1");
    stored.run(&["prune", "--all", "--function", "total"]);
    assert_eq!(stored.left(), "app::render 4");
    stored.check(
        &["prune", "-p", "word"],
        expect![[r#"
        exit: 2
        --- stderr
        error: no cached function and no stored result of a package `word`
    "#]],
    );
    stored.check(
        &["prune", "--function", "rendr"],
        expect![[r#"
            exit: 2
            --- stderr
            error: no cached function and no stored result of a function `rendr`; did you mean `render`?
        "#]],
    );
    stored.check(
        &["prune", "--all"],
        expect![[r#"
        exit: 0
        --- stderr
             Removed app::render: 4 results, 20.4 KiB
              Pruned 4 results, 20.4 KiB; kept 0 results, 0 B
    "#]],
    );
}

#[test]
fn age_and_size_are_further_reasons() {
    let stored = Stored::filled();
    stored.run(&["prune", "--older-than", "1d"]);
    assert_eq!(stored.left(), "app::render 1, app::total 1");
    stored.run(&["prune", "--max-size", "10K"]);
    assert_eq!(stored.left(), "app::render 1");
    std::thread::sleep(std::time::Duration::from_millis(5));
    stored.run(&["prune", "--older-than", "0s"]);
    assert_eq!(stored.left(), "");
}

#[test]
fn without_a_manifest_only_age_size_and_all_are_reasons() {
    let stored = Stored::filled();
    fs::remove_file(stored.0.path("Astrocache.lock")).unwrap();
    stored.check(
        &["prune"],
        expect![[r#"
        exit: 2
        --- stderr
        error: no `ROOT/Astrocache.lock` tells which results are still wanted; run `cargo astrocache update` first
    "#]],
    );
    stored.check(
        &["prune", "--max-size", "1G"],
        expect![[r#"
        exit: 0
        --- stderr
        warning: no `ROOT/Astrocache.lock`: results are judged by their age and size alone
              Pruned 0 results, 0 B; kept 6 results, 50.1 KiB
    "#]],
    );
    assert_eq!(stored.left(), "app::render 4, app::total 1, words::gone 1");
    assert_eq!(stored.run(&["prune", "--all"]).code, Some(0));
    assert_eq!(stored.left(), "");
}

#[test]
fn what_other_branches_list_can_be_kept() {
    let stored = Stored::filled();
    stored.git(&["init", "-q", "-b", "main"]);
    stored.git(&["add", "Astrocache.lock", "Cargo.toml"]);
    stored.git(&["commit", "-q", "-m", "one"]);
    stored.git(&["branch", "same"]);
    stored.git(&["switch", "-q", "-c", "other"]);
    let here = stored.0.read("Astrocache.lock");
    stored.0.write(
        "Astrocache.lock",
        here.replace(&stored.0.fingerprint("app::render"), OLD),
    );
    stored.git(&["commit", "-q", "-a", "-m", "two"]);
    stored.git(&["rm", "-q", "Astrocache.lock"]);
    stored.git(&["commit", "-q", "-m", "none"]);
    stored.git(&["branch", "none"]);
    stored.git(&["reset", "-q", "--hard", "HEAD~"]);
    stored.git(&["switch", "-q", "main"]);

    stored.check(
        &["prune", "--keep-branches", "-v"],
        expect![[r#"
        exit: 0
        --- stderr
             Keeping 2 manifests of the branches
             Removed app::render: 1 result, 246 B
              Pruned 1 result, 246 B; kept 5 results, 49.8 KiB
    "#]],
    );
    assert_eq!(stored.left(), "app::render 3, app::total 1, words::gone 1");
    stored.run(&["prune"]);
    assert_eq!(stored.left(), "app::render 1, app::total 1");
}

#[test]
fn a_branch_that_cannot_be_judged_stops_prune() {
    let stored = Stored::filled();
    stored.check(&["prune", "--keep-branches"], expect![[r#"
        exit: 2
        --- stderr
        error: --keep-branches needs a git repository at `ROOT`; git says: fatal: not a git repository (or any of the parent directories): .git
    "#]]);
    let mut no_git = stored.command(TOOL);
    no_git
        .args(["astrocache", "prune", "--keep-branches"])
        .env("CARGO", env!("CARGO"))
        .env("PATH", "/nowhere");
    expect![[r#"
        exit: 2
        --- stderr
        error: cannot run `git`, which --keep-branches reads the branches with: No such file or directory (os error 2)
    "#]]
    .assert_eq(&stored.named(stored.0.finish(no_git)).to_string());

    stored.git(&["init", "-q", "-b", "main"]);
    let here = stored.0.read("Astrocache.lock");
    stored.0.write("Astrocache.lock", "<<<<<<< ours\n");
    stored.git(&["add", "Astrocache.lock"]);
    stored.git(&["commit", "-q", "-m", "one"]);
    stored.0.write("Astrocache.lock", here);
    stored.check(&["prune", "--keep-branches"], expect![[r#"
        exit: 2
        --- stderr
        error: cannot use the manifest: refs/heads/main:Astrocache.lock:1: merge conflict marker; take either side and run `cargo astrocache update`
    "#]]);
    assert_eq!(stored.left(), "app::render 4, app::total 1, words::gone 1");
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let stored = Stored::new();
    for arguments in [
        &["prune", "--older-than", "5"][..],
        &["prune", "--max-size", "lots"],
        &["prune", "--keep-versions", "-1"],
        &["prune", "--all", "--max-size", "1G"],
        &["verify", "-p", "app"],
        &["clear", "--all"],
    ] {
        let ran = stored.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran}");
        assert!(ran.stderr.starts_with("error: "), "{arguments:?}: {ran}");
    }
}

#[test]
fn stats_count_results_and_calls_by_function() {
    let stored = Stored::filled();
    let [render, total] = ["app::render", "app::total"].map(|it| stored.0.fingerprint(it));
    stored.call(&[
        ("app", "app::render", &render, "fine", 1, 100),
        ("app", "app::total", &total, "trusted", 1, 30_000),
        ("app", "app::total", &total, "trusted", 1, 30_000),
    ]);
    // The time saved is in the last column, and not the same in each run.
    let ran = stored.run(&["stats", "-q"]);
    let table: Vec<&str> = ran
        .stdout
        .lines()
        .map(|line| line.rsplit_once("  ").unwrap().0.trim_end())
        .collect();
    expect![[r#"
        function     results      size  hits  misses
        app::render        4  20.4 KiB     1       4
        app::total         1  29.4 KiB     2       1
        words::gone        1     248 B     0       1
        all                6  50.1 KiB     3       6"#]]
    .assert_eq(&table.join("\n"));
    assert!(ran.stdout.lines().next().unwrap().ends_with("saved"), "{ran}");

    let json = stored.json(&["stats", "-p", "words"]);
    assert_eq!(json["results"], 6);
    assert_eq!(json["calls_known"], true);
    expect![[r#"[{"bytes":248,"hits":0,"misses":1,"package":"words","path":"words::gone","results":1,"saved_ns":0}]"#]]
        .assert_eq(&json["functions"].to_string());
    let ran = stored.run(&["stats"]);
    assert!(ran.stderr.contains("Store 6 results, "), "{ran}");
    assert!(ran.stderr.ends_with(" on disk in `ROOT/target/cache/STORE`\n"), "{ran}");
}

#[test]
fn verify_removes_what_is_damaged_and_exits_with_a_finding() {
    let stored = Stored::filled();
    stored.check(
        &["verify"],
        expect![[r#"
            exit: 0
            --- stderr
                Verified 6 whole results in `ROOT/target/cache/STORE`
        "#]],
    );
    let shard = fs::read_dir(stored.store().join("files"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = fs::read_dir(&shard).unwrap().next().unwrap().unwrap().path();
    let name = file.strip_prefix(stored.store()).unwrap().to_str().unwrap().to_owned();
    let mut bytes = fs::read(&file).unwrap();
    bytes[700] ^= 4;
    fs::write(&file, bytes).unwrap();
    let ran = stored.run(&["verify"]).to_string().replace(&name, "FILE");
    expect![[r#"
        exit: 1
        --- stderr
             Removed `FILE`: no whole result
            Verified 5 whole results in `ROOT/target/cache/STORE`
    "#]]
    .assert_eq(&ran);
    fs::write(shard.join("notes.txt"), "mine").unwrap();
    let json = stored.json(&["verify"]);
    assert_eq!(json["removed"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(
        (&json["results"], &json["dropped_records"]),
        (&5.into(), &0.into()),
        "{json}"
    );
    assert_eq!(stored.run(&["verify"]).code, Some(0));
}

#[test]
fn a_damaged_catalogue_is_repaired() {
    let stored = Stored::filled();
    stored.run(&["stats"]);
    let mut folders = vec![stored.store().join("catalogue")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => fs::write(path, [0xff; 100]).unwrap(),
            }
        }
    }
    stored.check(
        &["verify"],
        expect![[r#"
            exit: 0
            --- stderr
                Repaired catalogue: it was damaged; uses are counted anew
                Verified 6 whole results in `ROOT/target/cache/STORE`
        "#]],
    );
    stored.check(
        &["verify"],
        expect![[r#"
            exit: 0
            --- stderr
                Verified 6 whole results in `ROOT/target/cache/STORE`
        "#]],
    );
}

#[test]
fn clear_deletes_the_store_and_says_what_went() {
    let stored = Stored::filled();
    let ran = stored.run(&["clear"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("Cleared 6 results, "), "{ran}");
    assert!(ran.stderr.ends_with(" in `ROOT/target/cache/STORE`\n"), "{ran}");
    stored.check(
        &["clear"],
        expect![[r#"
        exit: 0
        --- stderr
             Cleared 0 results, 0 B in `ROOT/target/cache/STORE`
    "#]],
    );
    stored.check(
        &["stats"],
        expect![[r#"
        exit: 0
        --- stderr
               Store 0 results, 0 B on disk in `ROOT/target/cache/STORE`
    "#]],
    );
    stored.check(
        &["verify"],
        expect![[r#"
            exit: 0
            --- stderr
                Verified 0 whole results in `ROOT/target/cache/STORE`
        "#]],
    );
}

#[test]
fn what_is_no_store_is_left_alone() {
    let stored = Stored::filled();
    fs::write(stored.store().join("thesis.tex"), "years of work").unwrap();
    stored.check(
        &["clear"],
        expect![[r#"
        exit: 2
        --- stderr
        error: cannot clear `ROOT/target/cache/STORE`: `thesis.tex` in it is not of a store; nothing was removed
    "#]],
    );
    assert_eq!(stored.left(), "app::render 4, app::total 1, words::gone 1");

    let mut nowhere = stored.0.command(TOOL);
    nowhere
        .args(["astrocache", "clear"])
        .env_remove("HOME")
        .env_remove("XDG_CACHE_HOME");
    expect![[r#"
        exit: 2
        --- stderr
        error: cannot find a cache directory: set ASTROCACHE_DIR or HOME
    "#]]
    .assert_eq(&stored.0.finish(nowhere).to_string());
}

#[cfg(unix)]
#[test]
fn a_store_behind_a_link_is_refused() {
    let stored = Stored::filled();
    let (store, elsewhere) = (stored.store(), stored.0.path("elsewhere"));
    fs::rename(&store, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &store).unwrap();
    for command in ["stats", "verify", "clear", "prune"] {
        let ran = stored.run(&[command]);
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains("it is not a directory"), "{ran}");
    }
    assert!(elsewhere.join("files").is_dir());
}
