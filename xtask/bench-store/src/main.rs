//! The store beside its peers, in one run on one machine: absolute times vary, ratios are what to read.
//!
//! Every peer runs in a process of its own, keeps `u64 -> Vec<u8>`, promises no more than surviving a kill, and every value
//! read is compared. Ours is measured as a user sees it: the whole cached call, with key, codec and checks; the engines are
//! measured bare. `cached` is the peer that does the same job.

mod peers;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use peers::{PEERS, Peer, value};

const SIZES: [(usize, u64); 4] = [(64, 2000), (4096, 1000), (256 << 10, 40), (4 << 20, 8)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => report(&["table", "fresh", "short"]),
        ["measure", peer] => measure(&*peers::open(peer)),
        ["fill", peer, entries, len] => fill(&*peers::open(peer), number(entries), number(len)),
        ["hit", peer, key, len] => hit(peer, number(key), number(len)),
        ["short", peer, "check", all] => println!("{}", lost(peer, number(all))),
        ["short", peer, id, all] => short(peer, number(id), number(all)),
        ["million"] => million(),
        ref parts => report(parts),
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

fn report(parts: &[&str]) {
    for part in parts {
        match *part {
            "table" => table(),
            "fresh" => fresh(),
            "short" => shorts(),
            other => panic!("no part `{other}`: table, fresh, short or million"),
        }
    }
}

/// This program in a role, with the store in `dir`; what it printed.
fn child(dir: &Path, args: &[&str]) -> String {
    let output = command(dir, args)
        .stderr(Stdio::inherit())
        .output()
        .expect("the bench starts itself");
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command
        .args(args)
        .env("ASTROCACHE_DIR", dir)
        .env("BENCH_DIR", dir)
        .stdin(Stdio::null());
    for name in [
        "ASTROCACHE",
        "ASTROCACHE_LOG",
        "ASTROCACHE_VERIFY",
        "ASTROCACHE_MAX_SIZE",
    ] {
        command.env_remove(name);
    }
    command
}

fn table() {
    println!("\n### One process (us, median; ops/s with 1 and 2 threads: 64 B, 90 % hits)\n");
    println!(
        "| store | put 64B | put 4K | put 256K | put 4M | hit 64B | hit 4K | hit 256K | hit 4M | miss | 1 thread | 2 threads |"
    );
    println!("|-|-|-|-|-|-|-|-|-|-|-|-|");
    for peer in PEERS {
        let dir = tempfile::tempdir().expect("a directory");
        println!("| {peer} | {} |", child(dir.path(), &["measure", peer]));
    }
}

fn measure(peer: &dyn Peer) {
    let mut puts = Vec::new();
    let mut hits = Vec::new();
    for (class, (len, count)) in SIZES.into_iter().enumerate() {
        let keys = || (0..count).map(|n| ((class as u64) << 32) | n);
        puts.push(median(keys().map(|key| {
            let value = value(key, len);
            time(|| peer.put(key, value))
        })));
        for key in keys() {
            assert_eq!(peer.get(key), Some(value(key, len)));
        }
        hits.push(median(
            (0..5)
                .flat_map(|_| keys())
                .map(|key| time(|| std::hint::black_box(peer.get(key)))),
        ));
    }
    let miss = median((0..2000).map(|n| time(|| assert_eq!(peer.get((9 << 32) | n), None))));
    let mut cells: Vec<String> = puts
        .iter()
        .chain(&hits)
        .chain([&miss])
        .map(|us| format!("{us:.1}"))
        .collect();
    cells.extend([1, 2].map(|threads| format!("{:.0}k", throughput(peer, threads) / 1000.0)));
    println!("{}", cells.join(" | "));
}

fn throughput(peer: &dyn Peer, threads: u64) -> f64 {
    const OPS: u64 = 20_000;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for n in 0..OPS {
                    if n % 10 == 0 {
                        let key = ((20 + 8 * threads + thread) << 32) | n;
                        peer.put(key, value(key, 64));
                    } else {
                        assert!(peer.get(n % 2000).is_some());
                    }
                }
            });
        }
    });
    (OPS * threads) as f64 / start.elapsed().as_secs_f64()
}

fn fresh() {
    const ENTRIES: u64 = 100_000;
    println!("\n### A fresh process: open and one hit (us, median of 15), and disk use\n");
    println!(
        "| store | 100 entries | 100k entries of 64 B | disk blocks / payload (key 8 B + value) | 2000 of 10 KB |"
    );
    println!("|-|-|-|-|-|");
    for peer in PEERS {
        let cell = |entries: u64, len: usize| {
            let dir = tempfile::tempdir().expect("a directory");
            child(
                dir.path(),
                &["fill", peer, &entries.to_string(), &len.to_string()],
            );
            let us = median((0..15).map(|n| {
                let key = (n * 7919 % entries).to_string();
                Duration::from_nanos(number(&child(
                    dir.path(),
                    &["hit", peer, &key, &len.to_string()],
                )))
            }));
            (
                us,
                disk_blocks(dir.path()) as f64 / (entries * (len as u64 + 8)) as f64,
            )
        };
        let (few, _) = cell(100, 64);
        let (many, ratio) = cell(ENTRIES, 64);
        let (_, large) = cell(2000, 10_000);
        println!("| {peer} | {few:.0} | {many:.0} | {ratio:.1} | {large:.2} |");
    }
}

fn fill(peer: &dyn Peer, entries: u64, len: usize) {
    for key in 0..entries {
        peer.put(key, value(key, len));
    }
}

fn hit(peer: &str, key: u64, len: usize) {
    let start = Instant::now();
    let got = peers::open(peer).get(key);
    let elapsed = start.elapsed();
    assert_eq!(got, Some(value(key, len)));
    println!("{}", elapsed.as_nanos());
}

fn shorts() {
    println!(
        "\n### A test runner's pattern: 300 processes, 8 at a time, 20 gets and 3 puts of 2000 B each\n"
    );
    println!("| store | seconds | beside none | entries lost |");
    println!("|-|-|-|-|");
    let mut none = 0.0;
    // Engines of one process can't play: their second process is refused.
    for peer in ["none", "astrocache", "plain files", "LMDB (heed)", "sqlite"] {
        let dir = tempfile::tempdir().expect("a directory");
        let seconds = swarm(dir.path(), peer);
        if peer == "none" {
            none = seconds;
        }
        let lost = if peer == "none" {
            "-".to_owned()
        } else {
            child(dir.path(), &["short", peer, "check", "300"])
        };
        println!(
            "| {peer} | {seconds:.2} | {:.2}x | {lost} |",
            seconds / none
        );
    }
}

fn swarm(dir: &Path, peer: &str) -> f64 {
    const ALL: u64 = 300;
    let start = Instant::now();
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let id = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if id >= ALL {
                        return;
                    }
                    let status = command(dir, &["short", peer, &id.to_string(), "300"])
                        .status()
                        .expect("a child");
                    assert!(status.success());
                }
            });
        }
    });
    start.elapsed().as_secs_f64()
}

fn short(peer: &str, id: u64, all: u64) {
    let peer = peers::open(peer);
    for n in 0..20 {
        let key = (id * 31 + n * 17) % all * 8;
        if let Some(found) = peer.get(key) {
            assert_eq!(found, value(key, 2000));
        }
    }
    for n in 0..3 {
        peer.put(id * 8 + n, value(id * 8 + n, 2000));
    }
}

/// How many values of the short processes are gone.
fn lost(peer: &str, all: u64) -> usize {
    let peer = peers::open(peer);
    let keys = (0..all).flat_map(|id| (0..3).map(move |n| id * 8 + n));
    keys.filter(|&key| peer.get(key) != Some(value(key, 2000)))
        .count()
}

/// A million values of 64 bytes: time, and what they take on disk.
fn million() {
    let dir = tempfile::tempdir().expect("a directory");
    let start = Instant::now();
    child(dir.path(), &["fill", "astrocache", "1000000", "64"]);
    let seconds = start.elapsed().as_secs_f64();
    let blocks = disk_blocks(dir.path());
    println!(
        "1,000,000 values of 64 B: {seconds:.1} s, {} MB on disk, {} B an entry",
        blocks >> 20,
        blocks / 1_000_000
    );
    for key in [0, 500_000, 999_999] {
        let ns: u64 = number(&child(
            dir.path(),
            &["hit", "astrocache", &key.to_string(), "64"],
        ));
        println!("open and hit in a fresh process: {} us", ns / 1000);
    }
}

fn disk_blocks(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).expect("a directory");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let metadata = entry.metadata().expect("its metadata");
            metadata.blocks() * 512
                + if metadata.is_dir() {
                    disk_blocks(&entry.path())
                } else {
                    0
                }
        })
        .sum()
}

fn time<R>(f: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    std::hint::black_box(f());
    start.elapsed()
}

fn median(times: impl Iterator<Item = Duration>) -> f64 {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times[times.len() / 2].as_nanos() as f64 / 1000.0
}
