//! Cached calls as an expansion makes them, each test in processes of its own: this test binary runs itself again with a
//! role in the environment, and the child reports on stdout what it returned and how often it computed.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use astrocache::__private::{self as rt, KeyBuilder, Kind, Options, Site, SiteState};
use serde::{Deserialize, Serialize};

const PLAIN: Options = Options {
    version: 0,
    ttl_secs: None,
    max_entries: None,
};

const fn site(path: &'static str, kind: Kind, options: Options) -> Site {
    Site {
        path,
        package: "app",
        workspace: "/work/space",
        kind,
        fingerprint: [1; 16],
        context: [2; 16],
        crates: "calls serde tokio",
        why: "there is no fingerprint",
        options,
        state: SiteState::new(),
    }
}

static RUNS: AtomicU32 = AtomicU32::new(0);

fn computed<T>(value: T) -> T {
    RUNS.fetch_add(1, Ordering::SeqCst);
    value
}

fn report(value: impl std::fmt::Debug) {
    println!("= {value:?} computed {}", RUNS.load(Ordering::SeqCst));
}

fn square(n: u64) -> u64 {
    static SITE: Site = site("app::square", Kind::Fine, PLAIN);
    let mut key = KeyBuilder::new(&SITE);
    key.arg("n", &n);
    rt::call::<u64, _>(&SITE, key, move || computed(n * n))
}

fn blob(len: usize) -> Vec<u8> {
    static SITE: Site = site("app::blob", Kind::Fine, PLAIN);
    let mut key = KeyBuilder::new(&SITE);
    key.arg("len", &len);
    rt::call(&SITE, key, move || computed(vec![7; len]))
}

fn parse(text: &str) -> Result<u32, String> {
    static SITE: Site = site("app::parse", Kind::Fine, PLAIN);
    let mut key = KeyBuilder::new(&SITE);
    key.arg("text", text);
    rt::call_result(&SITE, key, move || {
        computed(text.parse().map_err(|_| format!("bad {text}")))
    })
}

fn first(text: &str) -> Option<char> {
    static SITE: Site = site("app::first", Kind::Fine, PLAIN);
    let mut key = KeyBuilder::new(&SITE);
    key.arg("text", text);
    rt::call_option(&SITE, key, move || computed(text.chars().next()))
}

fn impure() -> u32 {
    static SITE: Site = site("app::impure", Kind::Fine, PLAIN);
    rt::call(&SITE, KeyBuilder::new(&SITE), || computed(std::process::id()))
}

fn short_lived() -> u32 {
    static SITE: Site = site(
        "app::short_lived",
        Kind::Fine,
        Options {
            ttl_secs: Some(0),
            ..PLAIN
        },
    );
    rt::call(&SITE, KeyBuilder::new(&SITE), || computed(1))
}

fn limited(n: u32) -> u32 {
    static SITE: Site = site(
        "app::limited",
        Kind::Fine,
        Options {
            max_entries: Some(3),
            ..PLAIN
        },
    );
    let mut key = KeyBuilder::new(&SITE);
    key.arg("n", &n);
    rt::call(&SITE, key, move || computed(n))
}

fn unknown() -> u8 {
    static SITE: Site = site("app::unknown", Kind::None, PLAIN);
    rt::call(&SITE, KeyBuilder::new(&SITE), || computed(1))
}

fn named(path: &Path) -> usize {
    static SITE: Site = site("app::named", Kind::Fine, PLAIN);
    let mut key = KeyBuilder::new(&SITE);
    key.arg("path", path);
    rt::call(&SITE, key, || computed(path.as_os_str().len()))
}

fn lines_of(path: &Path) -> usize {
    static SITE: Site = site("app::lines_of", Kind::Fine, PLAIN);
    let mut key = KeyBuilder::new(&SITE);
    key.file("path", path);
    rt::call(&SITE, key, || {
        computed(std::fs::read_to_string(path).unwrap_or_default().lines().count())
    })
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Ambiguous {
    Small(u32),
    Large(u64),
}

fn ambiguous() -> Ambiguous {
    static SITE: Site = site("app::ambiguous", Kind::Fine, PLAIN);
    rt::call(&SITE, KeyBuilder::new(&SITE), || computed(Ambiguous::Large(5)))
}

fn generic<T: Serialize + serde::de::DeserializeOwned + Default>() -> T {
    static SITE: Site = site("app::generic", Kind::Fine, PLAIN);
    rt::call::<T, _>(&SITE, KeyBuilder::new(&SITE), || computed(T::default()))
}

async fn delayed(n: u32) -> Vec<u32> {
    static SITE: Site = site("app::delayed", Kind::Fine, PLAIN);
    let mut key = KeyBuilder::new(&SITE);
    key.arg("n", &n);
    rt::call_async(&SITE, key, async move {
        yield_now().await;
        computed(vec![n; 50_000])
    })
    .await
}

async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = std::pin::pin!(future);
    let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

/// What a child process does.
fn play(role: &str) {
    match role {
        "square" => report(square(12)),
        "square twice" => report((square(12), square(12), square(13))),
        "blob" => report(blob(300_000).len()),
        "result" => report((parse("7"), parse("x"), parse("x"))),
        "option" => report((first("a"), first(""), first(""))),
        "impure" => report(impure() == std::process::id()),
        "impure thrice" => report([(); 3].map(|()| impure() == std::process::id())),
        "ttl" => report((short_lived(), short_lived())),
        "limited" => report((0..10).map(limited).sum::<u32>()),
        "unknown" => report((unknown(), unknown())),
        "file" => report(lines_of(Path::new(&std::env::var("ASTRO_FILE").unwrap()))),
        "ambiguous" => report((ambiguous(), ambiguous())),
        "generic" => report((generic::<u8>(), generic::<u16>(), generic::<u8>(), generic::<String>())),
        "async" => report(block_on(delayed(3)).len()),
        "uncached" => report(astrocache::uncached(|| square(12) + square(12))),
        "no name" => report(named(odd_path().as_ref())),
        "panic" => report(
            std::panic::catch_unwind(|| {
                static SITE: Site = site("app::panics", Kind::Fine, PLAIN);
                rt::call::<u8, _>(&SITE, KeyBuilder::new(&SITE), || panic!("{}", computed("user")))
            })
            .is_err(),
        ),
        "threads" => {
            let slow = || {
                static SITE: Site = site("app::slow", Kind::Fine, PLAIN);
                let body = || {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                    computed(5)
                };
                rt::call::<u32, _>(&SITE, KeyBuilder::new(&SITE), body)
            };
            let start = std::sync::Barrier::new(8);
            let sum: u32 = std::thread::scope(|scope| {
                let run = || {
                    start.wait();
                    slow()
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            report(sum);
        }
        "tasks" => {
            let (mut a, mut b) = (Box::pin(delayed(4)), Box::pin(delayed(4)));
            let mut done = (None, None);
            let both = std::future::poll_fn(|context| {
                for (task, done) in [(&mut a, &mut done.0), (&mut b, &mut done.1)] {
                    if done.is_none()
                        && let std::task::Poll::Ready(value) = task.as_mut().poll(context)
                    {
                        *done = Some(value.len());
                    }
                }
                if done.0.is_some() && done.1.is_some() {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            });
            block_on(both);
            report(done);
        }
        "cancelled" => {
            let mut first = Box::pin(delayed(5));
            let waker = std::task::Waker::noop();
            assert!(
                first
                    .as_mut()
                    .poll(&mut std::task::Context::from_waker(waker))
                    .is_pending()
            );
            drop(first);
            report(block_on(delayed(5)).len());
        }
        other => panic!("no role `{other}`"),
    }
}

#[cfg(unix)]
fn odd_path() -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![b'a', 0xff])
}

#[cfg(not(unix))]
fn odd_path() -> std::ffi::OsString {
    "a".into()
}

/// A child's entry point; without a role it checks a call in this process, with the store off.
#[test]
fn child_process() {
    match std::env::var("ASTRO_ROLE") {
        Ok(role) => play(&role),
        Err(_) => {
            let value = astrocache::uncached(|| square(3));
            assert_eq!(value, 9);
        }
    }
}

fn run(dir: &Path, role: &str, vars: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_process", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null());
    for name in [
        "ASTROCACHE",
        "ASTROCACHE_VERIFY",
        "ASTROCACHE_LOG",
        "ASTROCACHE_MAX_SIZE",
    ] {
        command.env_remove(name);
    }
    command
        .env("ASTROCACHE_DIR", dir)
        .env("ASTRO_ROLE", role)
        .envs(vars.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{role}: {output:?}");
    output
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| line.starts_with("astrocache:"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The child's report.
fn said(dir: &Path, role: &str, vars: &[(&str, &str)]) -> String {
    let output = run(dir, role, vars);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = stdout
        .lines()
        .find_map(|line| line.split_once("= ").map(|(_, said)| said.to_owned()));
    line.unwrap_or_else(|| panic!("{output:?}"))
}

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_value_is_computed_once_and_found_by_later_processes() {
    let dir = temp();
    assert_eq!(said(dir.path(), "square twice", &[]), "(144, 144, 169) computed 2");
    assert_eq!(said(dir.path(), "square twice", &[]), "(144, 144, 169) computed 0");
    assert_eq!(said(dir.path(), "blob", &[]), "300000 computed 1");
    assert_eq!(said(dir.path(), "blob", &[]), "300000 computed 0");
}

#[test]
fn only_ok_and_some_are_stored() {
    let dir = temp();
    assert_eq!(
        said(dir.path(), "result", &[]),
        r#"(Ok(7), Err("bad x"), Err("bad x")) computed 3"#
    );
    assert_eq!(
        said(dir.path(), "result", &[]),
        r#"(Ok(7), Err("bad x"), Err("bad x")) computed 2"#
    );
    assert_eq!(said(dir.path(), "option", &[]), "(Some('a'), None, None) computed 3");
    assert_eq!(said(dir.path(), "option", &[]), "(Some('a'), None, None) computed 2");
}

#[test]
fn a_panic_passes_through_and_stores_nothing() {
    let dir = temp();
    assert_eq!(said(dir.path(), "panic", &[]), "true computed 1");
    assert_eq!(said(dir.path(), "panic", &[]), "true computed 1");
}

#[test]
fn equal_calls_at_the_same_time_compute_once() {
    assert_eq!(said(temp().path(), "threads", &[]), "40 computed 1");
    assert_eq!(
        said(temp().path(), "tasks", &[]),
        "(Some(50000), Some(50000)) computed 1"
    );
    assert_eq!(said(temp().path(), "cancelled", &[]), "50000 computed 1");
}

#[test]
fn async_values_are_found_by_later_processes() {
    let dir = temp();
    assert_eq!(said(dir.path(), "async", &[]), "50000 computed 1");
    assert_eq!(said(dir.path(), "async", &[]), "50000 computed 0");
}

#[test]
fn a_generic_function_has_one_entry_per_instance() {
    let dir = temp();
    assert_eq!(said(dir.path(), "generic", &[]), r#"(0, 0, 0, "") computed 3"#);
    assert_eq!(said(dir.path(), "generic", &[]), r#"(0, 0, 0, "") computed 0"#);
}

#[test]
fn the_modes_do_what_they_say() {
    let dir = temp();
    let read_only = [("ASTROCACHE", "read-only")];
    assert_eq!(said(dir.path(), "square", &read_only), "144 computed 1");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "read-only writes nothing"
    );
    assert_eq!(said(dir.path(), "impure", &[]), "true computed 1");
    assert_eq!(said(dir.path(), "impure", &[]), "false computed 0");
    assert_eq!(said(dir.path(), "impure", &read_only), "false computed 0");
    assert_eq!(said(dir.path(), "impure", &[("ASTROCACHE", "off")]), "true computed 1");
    assert_eq!(said(dir.path(), "impure", &[]), "false computed 0");
    assert_eq!(
        said(dir.path(), "impure", &[("ASTROCACHE", "refresh")]),
        "true computed 1"
    );
    assert_eq!(said(dir.path(), "square", &[]), "144 computed 1");
    assert_eq!(
        said(dir.path(), "square twice", &[("ASTROCACHE", "refresh")]),
        "(144, 144, 169) computed 2"
    );
    assert_eq!(said(dir.path(), "uncached", &[]), "288 computed 2");
}

#[test]
fn a_verified_hit_that_differs_is_reported_and_refused() {
    let dir = temp();
    let verify = [("ASTROCACHE_VERIFY", "1")];
    run(dir.path(), "impure", &[]);
    let output = run(dir.path(), "impure", &verify);
    assert!(
        stderr(&output).contains("`app::impure`: a stored value differs from a new computation"),
        "{output:?}"
    );
    assert!(stderr(&output).contains("stored with fingerprint 01010101010101010101010101010101, now 0101"));
    assert_eq!(
        said(dir.path(), "impure", &[]),
        "true computed 1",
        "the refused entry is gone"
    );
    run(dir.path(), "blob", &[]);
    assert_eq!(stderr(&run(dir.path(), "blob", &verify)), "");
    assert_eq!(said(dir.path(), "blob", &verify), "300000 computed 1");
}

#[test]
fn a_refused_entry_that_cannot_be_removed_is_not_read_again() {
    let dir = temp();
    run(dir.path(), "impure", &[]);
    let vars = [
        ("ASTROCACHE", "read-only"),
        ("ASTROCACHE_VERIFY", "1"),
        ("ASTROCACHE_LOG", "trace"),
    ];
    let output = run(dir.path(), "impure thrice", &vars);
    let lines = stderr(&output);
    let events: Vec<&str> = lines
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap_or_default())
        .collect();
    // The third is of what the second computed, kept in memory.
    assert_eq!(events, ["miss", "`app::impure`:", "miss", "hit"], "{lines}");
    assert_eq!(
        said(dir.path(), "impure", &[]),
        "false computed 0",
        "read-only removed nothing"
    );
}

#[test]
fn an_entry_lives_no_longer_than_its_ttl() {
    let dir = temp();
    assert_eq!(said(dir.path(), "ttl", &[]), "(1, 1) computed 2");
}

#[test]
fn max_entries_bounds_what_a_function_keeps() {
    let dir = temp();
    assert_eq!(said(dir.path(), "limited", &[]), "45 computed 10");
    let mut folders = vec![dir.path().to_owned()];
    let mut entries = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let limited = entry.path().to_str().unwrap().contains("limited");
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => entries += u32::from(limited),
            }
        }
    }
    assert_eq!(entries, 3);
}

#[test]
fn what_cannot_be_cached_runs_and_is_said_once() {
    let dir = temp();
    let output = run(dir.path(), "unknown", &[]);
    assert_eq!(
        stderr(&output),
        "astrocache: `app::unknown` runs uncached: there is no fingerprint"
    );
    assert_eq!(said(dir.path(), "unknown", &[]), "(1, 1) computed 2");
    let output = run(dir.path(), "ambiguous", &[]);
    assert_eq!(
        stderr(&output),
        "astrocache: `app::ambiguous` is not cached: its value cannot be stored exactly: \
         it comes back different from serde's round trip"
    );
    assert_eq!(said(dir.path(), "ambiguous", &[]), "(Large(5), Large(5)) computed 2");
    assert_eq!(stderr(&run(dir.path(), "unknown", &[("ASTROCACHE_LOG", "off")])), "");
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_unicode_runs_uncached_and_is_said() {
    let output = run(temp().path(), "no name", &[]);
    assert_eq!(
        stderr(&output),
        "astrocache: `app::named` runs uncached: argument `path` has no key: path contains invalid UTF-8 characters"
    );
}

#[cfg(unix)]
#[test]
fn a_store_in_a_folder_that_is_not_unicode_works() {
    let dir = temp();
    let folder = dir.path().join(odd_path());
    assert_eq!(said(&folder, "square", &[]), "144 computed 1");
    assert_eq!(said(&folder, "blob", &[]), "300000 computed 1");
    assert_eq!(said(&folder, "square", &[]), "144 computed 0");
    assert_eq!(said(&folder, "blob", &[]), "300000 computed 0");
    assert!(folder.is_dir());
}

#[test]
fn a_file_argument_counts_by_its_content() {
    let dir = temp();
    let file = dir.path().join("text");
    let vars = [("ASTRO_FILE", file.to_str().unwrap())];
    assert_eq!(
        said(dir.path(), "file", &vars),
        "0 computed 1",
        "a missing file runs uncached"
    );
    std::fs::write(&file, "a\nb").unwrap();
    assert_eq!(said(dir.path(), "file", &vars), "2 computed 1");
    assert_eq!(said(dir.path(), "file", &vars), "2 computed 0");
    std::fs::write(&file, "a\nb\nc").unwrap();
    assert_eq!(said(dir.path(), "file", &vars), "3 computed 1");
}

#[test]
fn trace_shows_one_line_a_call() {
    let dir = temp();
    let lines = |output: Output| {
        let strip = |line: &str| line.split(" key=").next().unwrap_or_default().to_owned();
        stderr(&output).lines().map(strip).collect::<Vec<_>>()
    };
    let trace = [("ASTROCACHE_LOG", "trace")];
    let tail = "app::square fingerprint=01010101010101010101010101010101 kind=fine";
    let line = |what: &str| format!("astrocache: {what} {tail}");
    assert_eq!(lines(run(dir.path(), "square", &trace)), [line("miss"), line("stored")]);
    let output = run(dir.path(), "square", &trace);
    assert!(stderr(&output).contains(" us="));
    assert_eq!(lines(output), [line("hit")]);
    assert_eq!(
        lines(run(dir.path(), "unknown", &trace))[0],
        "astrocache: uncached app::unknown fingerprint=01010101010101010101010101010101 kind=none"
    );
}

#[test]
fn garbage_in_the_environment_is_said_once_and_ignored() {
    let dir = temp();
    let output = run(dir.path(), "square twice", &[("ASTROCACHE", "perhaps")]);
    assert_eq!(
        stderr(&output),
        "astrocache: ASTROCACHE=perhaps is not understood, using the default; write on, off, refresh or read-only"
    );
    assert_eq!(said(dir.path(), "square twice", &[]), "(144, 144, 169) computed 0");
}

#[test]
fn without_a_place_to_store_the_program_runs() {
    let output = run(Path::new(""), "square", &[("HOME", ""), ("XDG_CACHE_HOME", "")]);
    assert_eq!(
        stderr(&output),
        "astrocache: no cache directory: neither ASTROCACHE_DIR nor HOME is set; values are not kept"
    );
}
