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

/// Where the two that are compared stand in [`PEERS`].
const OURS: usize = 0;
const CACHED: usize = 1;

/// How often each peer is measured.
const ROUNDS: usize = 3;

const SIZES: [(usize, u64); 4] = [(64, 2000), (4096, 1000), (256 << 10, 40), (4 << 20, 8)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => report(&["table", "fresh", "short", "limit"]),
        ["measure", peer] => measure(&*peers::open(peer)),
        ["fill", peer, entries, len] => fill(&*peers::open(peer), number(entries), number(len)),
        ["hit", peer, key, len] => hit(peer, number(key), number(len)),
        ["short", peer, "check", all] => println!("{}", lost(peer, number(all))),
        ["short", peer, id, all] => short(peer, number(id), number(all)),
        ["limited"] => limited(),
        ref parts => report(parts),
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

fn report(parts: &[&str]) {
    let mut bars = Vec::new();
    for part in parts {
        bars.extend(match *part {
            "table" => table(),
            "fresh" => fresh(),
            "short" => shorts(),
            "million" => million(),
            "limit" => limit(),
            other => panic!("no part `{other}`: table, fresh, short, million, limit"),
        });
    }
    println!("\n### The bars\n\n| what | bar | measured |\n|-|-|-|");
    for Bar {
        what,
        at_most,
        measured,
    } in bars
    {
        let verdict = if measured <= at_most { "" } else { " **missed**" };
        println!("| {what} | {at_most:.1} | {measured:.2}{verdict} |");
    }
}

/// A bound that was set for a ratio.
struct Bar {
    what: String,
    at_most: f64,
    measured: f64,
}

impl Bar {
    fn new(what: impl Into<String>, at_most: f64, measured: f64) -> Bar {
        Bar {
            what: what.into(),
            at_most,
            measured,
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
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
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

fn table() -> Vec<Bar> {
    println!("\n### One process (us, median, the best of 3 rounds; ops/s with 1 and 2 threads: 64 B, 90 % hits)\n");
    println!(
        "| store | put 64B | put 4K | put 256K | put 4M | hit 64B | hit 4K | hit 256K | hit 4M | miss | 1 thread | 2 threads |"
    );
    println!("|-|-|-|-|-|-|-|-|-|-|-|-|");
    // What else the machine does comes and goes: the rounds take turns, and the best of each cell counts.
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for _ in 0..ROUNDS {
        for (at, peer) in PEERS.iter().enumerate() {
            let dir = tempfile::tempdir().expect("a directory");
            let cells = child(dir.path(), &["measure", peer]);
            let cells: Vec<f64> = cells.split(" | ").map(number).collect();
            match rows.get_mut(at) {
                Some(best) => best
                    .iter_mut()
                    .zip(cells)
                    .for_each(|(best, cell)| *best = best.min(cell)),
                None => rows.push(cells),
            }
        }
    }
    for (peer, row) in PEERS.iter().zip(&rows) {
        let (us, ops) = row.split_at(2 * SIZES.len() + 1);
        let us: Vec<String> = us.iter().map(|us| format!("{us:.1}")).collect();
        let ops: Vec<String> = ops.iter().map(|us| format!("{:.0}k", 1000.0 / us)).collect();
        println!("| {peer} | {} | {} |", us.join(" | "), ops.join(" | "));
    }
    let beside_cached = |column: usize| rows[OURS][column] / rows[CACHED][column];
    let bar =
        |what: &str, at_most, column| Bar::new(format!("{what}, beside `cached`"), at_most, beside_cached(column));
    vec![
        bar("hit in process, 64 B", 1.0, SIZES.len()),
        bar("hit, 4 MiB", 1.0, SIZES.len() + 3),
        bar("put, 64 B", 2.0, 0),
        bar("put, 4 KiB", 2.0, 1),
        bar("put, 4 MiB", 1.0, 3),
    ]
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
    // Microseconds for one operation, so that in all cells less is better.
    cells.extend([1, 2].map(|threads| format!("{:.4}", 1e6 / throughput(peer, threads))));
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

fn fresh() -> Vec<Bar> {
    const ENTRIES: u64 = 100_000;
    println!("\n### A fresh process: open and one hit (us, median of 15), and disk use\n");
    println!(
        "| store | 100 entries | 100k entries of 64 B | disk blocks / payload (key 8 B + value) | 2000 of 10 KB |"
    );
    println!("|-|-|-|-|-|");
    let row = |peer: &str| {
        let cell = |entries: u64, len: usize| {
            let dir = tempfile::tempdir().expect("a directory");
            child(dir.path(), &["fill", peer, &entries.to_string(), &len.to_string()]);
            let us = median((0..15).map(|n| {
                let key = (n * 7919 % entries).to_string();
                Duration::from_nanos(number(&child(dir.path(), &["hit", peer, &key, &len.to_string()])))
            }));
            (us, disk_blocks(dir.path()) as f64 / (entries * (len as u64 + 8)) as f64)
        };
        let (few, _) = cell(100, 64);
        let (many, ratio) = cell(ENTRIES, 64);
        let (_, large) = cell(2000, 10_000);
        println!("| {peer} | {few:.0} | {many:.0} | {ratio:.1} | {large:.2} |");
        many
    };
    let hits: Vec<f64> = PEERS.iter().map(|peer| row(peer)).collect();
    vec![Bar::new(
        "fresh process with 100k entries: open and one hit, beside `cached`",
        0.3,
        hits[OURS] / hits[CACHED],
    )]
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

fn shorts() -> Vec<Bar> {
    println!("\n### A test runner's pattern: 300 processes, 8 at a time, 20 gets and 3 puts of 2000 B each\n");
    println!("| store | seconds | beside none | entries lost |");
    println!("|-|-|-|-|");
    let mut none = 0.0;
    let mut bars = Vec::new();
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
        println!("| {peer} | {seconds:.2} | {:.2}x | {lost} |", seconds / none);
        if peer == "astrocache" {
            bars.push(Bar::new("short processes, beside no store", 3.0, seconds / none));
            bars.push(Bar::new("entries that short processes lost", 0.0, number(&lost)));
        }
    }
    bars
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
    keys.filter(|&key| peer.get(key) != Some(value(key, 2000))).count()
}

/// A million values of 64 bytes: time, and what they take on disk.
fn million() -> Vec<Bar> {
    const ALL: u64 = 1_000_000;
    let dir = tempfile::tempdir().expect("a directory");
    let start = Instant::now();
    child(dir.path(), &["fill", "astrocache", &ALL.to_string(), "64"]);
    let seconds = start.elapsed().as_secs_f64();
    let each = disk_blocks(dir.path()) / ALL;
    let hit = |key: u64| -> u64 { number(&child(dir.path(), &["hit", "astrocache", &key.to_string(), "64"])) };
    let us = median(
        [0, ALL / 2, ALL - 1]
            .map(|key| Duration::from_nanos(hit(key)))
            .into_iter(),
    );
    println!("\n### A million values of 64 B\n");
    println!("Stored in {seconds:.1} s; {each} B on disk for each; open and one hit in a fresh process: {us:.0} us.");
    let payload = 32 + 64;
    vec![Bar::new(
        "disk use of a million values of 64 B, beside key and value",
        3.0,
        each as f64 / payload as f64,
    )]
}

/// Puts into a store that is at its limit, beside puts into one that is not. No bar was set.
fn limit() -> Vec<Bar> {
    println!(
        "\n### At the size limit: the last 2000 of 6000 puts of 32 KiB (us)\n\n| limit | median | 99 of 100 |\n|-|-|-|"
    );
    for limit in ["4G", "96M"] {
        let dir = tempfile::tempdir().expect("a directory");
        let output = command(dir.path(), &["limited"])
            .env("ASTROCACHE_MAX_SIZE", limit)
            .output()
            .expect("the bench starts itself");
        let cells = String::from_utf8(output.stdout).expect("text");
        println!("| {limit} | {} |", cells.trim());
    }
    Vec::new()
}

fn limited() {
    let peer = peers::open("astrocache");
    let times = (0..6000).map(|key| {
        let value = value(key, 32 << 10);
        time(|| peer.put(key, value))
    });
    let mut times: Vec<Duration> = times.skip(4000).collect();
    times.sort_unstable();
    let us = |at: usize| times[at].as_nanos() as f64 / 1000.0;
    println!("{:.1} | {:.1}", us(1000), us(1980));
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
