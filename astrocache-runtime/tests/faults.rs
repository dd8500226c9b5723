//! Faults: processes killed at any time, damaged and foreign files, full disks, vanished directories, forks. The program
//! must go on with right values; the cache may only forget. As in `calls.rs`, children are this binary with a role.

#![cfg(unix)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use astrocache::__private::{self as rt, KeyBuilder, Kind, Options, Site, SiteState};

const fn site(path: &'static str, max_entries: Option<u64>) -> Site {
    Site {
        path,
        package: "app",
        workspace: "/work/space",
        kind: Kind::Fine,
        fingerprint: [1; 16],
        context: [2; 16],
        crates: "faults",
        why: "",
        options: Options {
            version: 0,
            ttl_secs: None,
            max_entries,
        },
        state: SiteState::new(),
    }
}

static RUNS: AtomicU64 = AtomicU64::new(0);

/// Lengths on both sides of the line between the log and files of their own.
fn len_of(n: u64) -> usize {
    match n % 50 {
        0 => 100_000,
        1..=4 => 12_000,
        5..=29 => 6_000,
        _ => 64,
    }
}

fn expected(p: u64, n: u64) -> Vec<u8> {
    let mut hash = p.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n;
    let step = |hash: &mut u64| {
        *hash = hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (*hash >> 56) as u8
    };
    (0..len_of(n)).map(|_| step(&mut hash)).collect()
}

fn value(p: u64, n: u64) -> Vec<u8> {
    static SITE: Site = site("app::value", None);
    let mut key = KeyBuilder::new(&SITE);
    key.arg("p", &p);
    key.arg("n", &n);
    rt::call(&SITE, key, || {
        RUNS.fetch_add(1, Ordering::SeqCst);
        expected(p, n)
    })
}

fn limited(n: u64) -> Vec<u8> {
    static SITE: Site = site("app::limited", Some(20));
    let mut key = KeyBuilder::new(&SITE);
    key.arg("n", &n);
    rt::call(&SITE, key, || expected(1000, n))
}

/// Calls for `n` in `range`, checks each value, and returns how many were computed.
fn checked(p: u64, range: std::ops::Range<u64>) -> u64 {
    let before = RUNS.load(Ordering::SeqCst);
    for n in range {
        assert_eq!(value(p, n), expected(p, n), "{p} {n}");
    }
    RUNS.load(Ordering::SeqCst) - before
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set for a child"))
}

fn number(name: &str) -> u64 {
    var(name).parse().unwrap()
}

fn store_dir() -> PathBuf {
    PathBuf::from(var("ASTROCACHE_DIR"))
}

fn play(role: &str) {
    match role {
        "hammer" => hammer(number("ASTRO_P"), number("ASTRO_FROM")),
        "settle" => println!("= {}", settle()),
        "fill" => {
            println!("= {}", checked(0, 0..number("ASTRO_N")));
            (0..10).for_each(|n| assert_eq!(limited(n), expected(1000, n)));
        }
        "removed" => {
            assert_eq!(checked(0, 0..60), 60);
            fs::remove_dir_all(store_dir()).unwrap();
            assert_eq!(checked(0, 60..120), 60);
            println!("= done");
        }
        "limit" => {
            limit_file_size(20_000);
            println!("= {}", checked(0, 0..200));
        }
        "unwritable" => {
            limit_file_size(0);
            println!("= {} {}", checked(0, 0..200), checked(1, 0..20));
        }
        "fork" => fork(),
        other => panic!("no role `{other}`"),
    }
}

/// Calls without end, noting each value in a file once the call has returned.
fn hammer(p: u64, from: u64) {
    let mut acks = OpenOptions::new()
        .append(true)
        .create(true)
        .open(store_dir().join(format!("acks.{p}")))
        .unwrap();
    for n in from.. {
        assert_eq!(value(p, n), expected(p, n));
        acks.write_all(&n.to_le_bytes()).unwrap();
        // Another process's value, which may or may not be there.
        let other = (p + n) % 8;
        let m = n / 2;
        assert_eq!(value(other, m), expected(other, m));
    }
}

/// Asks for everything that was acknowledged: how much had to be computed again.
fn settle() -> u64 {
    for p in 0..8 {
        let acks = fs::read(store_dir().join(format!("acks.{p}"))).unwrap_or_default();
        for n in acks.chunks_exact(8) {
            let n = u64::from_le_bytes(n.try_into().unwrap());
            assert_eq!(value(p, n), expected(p, n));
        }
    }
    RUNS.load(Ordering::SeqCst)
}

fn limit_file_size(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: plain system calls on valid arguments, in a process of our own.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

/// Parent and forked child both go on calling; neither may hang or disturb the other.
fn fork() {
    checked(0, 0..60);
    // SAFETY: the child only makes cached calls and leaves by `_exit`; other threads of this process hold no lock it needs.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let right = std::panic::catch_unwind(|| checked(1, 0..60) == 60 && checked(0, 0..60) == 0);
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(!right.unwrap_or(false))) };
    }
    assert_eq!(checked(2, 0..60), 60);
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0, "the child's status");
    println!("= {}", checked(1, 0..60));
}

/// A child's entry point; without a role it checks that this file's expectations are stable.
#[test]
fn child_process() {
    match std::env::var("ASTRO_ROLE") {
        Ok(role) => play(&role),
        Err(_) => assert_eq!(expected(1, 40).len(), 64),
    }
}

fn child(dir: &Path, role: &str, vars: &[(&str, &str)]) -> Command {
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
    command
}

fn run(dir: &Path, role: &str, vars: &[(&str, &str)]) -> (String, Output) {
    let output = child(dir, role, vars).output().unwrap();
    assert!(
        output.status.success(),
        "{role}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = stdout
        .lines()
        .find_map(|line| line.split_once("= "))
        .map(|(_, said)| said.to_owned());
    (said.unwrap_or_else(|| panic!("{output:?}")), output)
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

#[test]
fn killed_processes_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let seconds = std::env::var("ASTRO_FAULT_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let acked = |p: u64| fs::read(dir.path().join(format!("acks.{p}"))).unwrap_or_default();
    let spawn = |p: u64| -> Child {
        let last = acked(p)
            .rchunks_exact(8)
            .next()
            .map_or(0, |n| u64::from_le_bytes(n.try_into().unwrap()) + 3);
        let vars = [("ASTRO_P", p.to_string()), ("ASTRO_FROM", last.to_string())];
        child(dir.path(), "hammer", &[])
            .envs(vars)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut random = Random(7);
    let mut children: Vec<Child> = (0..8).map(spawn).collect();
    let start = Instant::now();
    let mut kills = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_millis(20 + random.below(150) as u64));
        let p = random.below(8);
        assert_eq!(
            children[p].try_wait().unwrap(),
            None,
            "a worker ended by itself: a wrong value or a panic"
        );
        children[p].kill().unwrap();
        children[p].wait().unwrap();
        children[p] = spawn(p as u64);
        kills += 1;
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let total: usize = (0..8).map(|p| acked(p).len() / 8).sum();
    let (lost, _) = run(dir.path(), "settle", &[("ASTROCACHE", "read-only")]);
    println!("{kills} kills, {total} acknowledged, {lost} lost");
    assert!(kills > 5 && total > 500, "{kills} kills, {total} acknowledged");
    assert_eq!(lost, "0", "of {total}");
}

fn files_under(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files_under(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

/// Does one kind of damage to a file.
fn damage(path: &Path, random: &mut Random) {
    let len = fs::metadata(path).map_or(0, |metadata| metadata.len()) as usize;
    let write_at = |at: usize, bytes: &[u8]| {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(bytes).unwrap();
    };
    let replace = |make: &dyn Fn()| {
        fs::remove_file(path).unwrap();
        make();
    };
    match random.below(9) {
        0..=2 => {
            let at = random.below(len);
            let mut byte = [0];
            let mut file = File::open(path).unwrap();
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            let _ = file.read(&mut byte).unwrap();
            write_at(at, &[byte[0] ^ (1 << random.below(8))]);
        }
        3 => OpenOptions::new()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(random.below(len) as u64)
            .unwrap(),
        4 => write_at(random.below(len), &[0; 4096]),
        5 => fs::write(path, "a file of someone else's\n").unwrap(),
        6 => replace(&|| std::os::unix::fs::symlink("/etc/hostname", path).unwrap()),
        7 => replace(&|| fs::create_dir(path).unwrap()),
        _ => replace(&|| {
            let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
            // SAFETY: a valid path.
            assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        }),
    }
}

#[test]
fn damaged_and_foreign_files_are_only_forgotten() {
    let mut random = Random(11);
    let mut damages = 0;
    for _ in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        // Enough for logs that are packed; the reading child repairs by storing again.
        run(dir.path(), "fill", &[("ASTRO_N", "900")]);
        for _ in 0..6 {
            let mut files = Vec::new();
            files_under(dir.path(), &mut files);
            for _ in 0..130 {
                let path = &files[random.below(files.len())];
                if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
                    damage(path, &mut random);
                    damages += 1;
                }
            }
            run(dir.path(), "fill", &[("ASTRO_N", "250")]);
        }
    }
    println!("{damages} damages, 0 wrong values, 0 panics, 0 hangs");
    assert!(damages >= 1000, "{damages}");
}

#[test]
fn a_store_that_cannot_be_written_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for place in [file.as_path(), Path::new("/proc/self/store")] {
        let (said, output) = run(place, "fill", &[("ASTRO_N", "100")]);
        assert_eq!(said, "100");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(stderr.matches("astrocache: ").count(), 1, "{stderr}");
    }
}

#[test]
fn a_full_disk_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let (said, output) = run(dir.path(), "limit", &[]);
    assert_eq!(said, "200");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        stderr.matches("astrocache: cannot write to the store").count(),
        1,
        "{stderr}"
    );
    let (computed, _) = run(dir.path(), "fill", &[("ASTRO_N", "200")]);
    let computed: u64 = computed.parse().unwrap();
    assert!(
        (4..200).contains(&computed),
        "what fitted is found, what did not is computed: {computed}"
    );
    assert_eq!(run(dir.path(), "fill", &[("ASTRO_N", "200")]).0, "0");
}

#[test]
fn a_filled_store_that_can_no_longer_be_written_still_answers() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "fill", &[("ASTRO_N", "200")]);
    let (computed, output) = run(dir.path(), "unwritable", &[]);
    assert_eq!(computed, "0 20");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        stderr.matches("astrocache: cannot write to the store").count(),
        1,
        "{stderr}"
    );
    assert_eq!(run(dir.path(), "fill", &[("ASTRO_N", "200")]).0, "0");
}

#[test]
fn a_directory_removed_while_in_use_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    run(&store, "removed", &[]);
    let (computed, _) = run(&store, "fill", &[("ASTRO_N", "120")]);
    assert_eq!(computed, "60", "the values stored after the removal are found");
}

#[test]
fn a_forked_process_goes_on_caching() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), "fork", &[]).0, "0");
    assert_eq!(run(dir.path(), "fill", &[("ASTRO_N", "60")]).0, "0");
}

#[test]
fn the_store_stays_under_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    run(
        dir.path(),
        "fill",
        &[("ASTRO_N", "3000"), ("ASTROCACHE_MAX_SIZE", "4M")],
    );
    let mut files = Vec::new();
    files_under(dir.path(), &mut files);
    let bytes: u64 = files
        .iter()
        .map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()))
        .sum();
    // 13 MB were put. Upkeep is a background matter, so the limit is kept roughly.
    assert!((2 << 20..6 << 20).contains(&bytes), "{bytes}");
}
