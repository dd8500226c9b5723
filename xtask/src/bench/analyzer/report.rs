//! The tables, and what of the bars is met.

use std::fmt::Write as _;
use std::time::Duration;

use super::measure::Cost;
use super::scenes::Scenes;
use super::workload::{Kind, Workload};

/// What stands above the tables.
pub fn intro(is_check_cold: bool, kinds: &[Kind]) -> String {
    let mut command = "cargo xtask bench analyzer".to_owned();
    let flag = is_check_cold.then_some("--cold-check");
    for word in flag.into_iter().chain(kinds.iter().map(|it| it.name())) {
        command.push(' ');
        command.push_str(word);
    }
    let cores = std::thread::available_parallelism().map_or(1, |it| it.get());
    format!(
        "# The analyzer beside cargo\n\n\
        Made by `{command}` on {cores} cores. Each figure is the least of three runs, of one where it takes over 30 s and for a cold `cargo check`; all in\n\
        processes of their own with warm file caches, `cargo` as child processes included. Read ratios, not times.\n\n"
    )
}

/// What was measured of one workload.
pub fn table(workload: &Workload, scenes: &Scenes) -> String {
    let mib = scenes.bytes as f64 / (1 << 20) as f64;
    let mut out = format!(
        "## {}: {} packages, {} files, {mib:.1} MiB read\n\n\
        | what | wall ms | CPU ms | peak MiB | of `cargo metadata` |\n| --- | --- | --- | --- | --- |\n",
        workload.kind.name(),
        workload.packages,
        scenes.files,
    );
    let rows = [
        ("`check`, cold", Some(scenes.cold)),
        (
            "`check`, second workspace with the same dependencies",
            Some(scenes.second),
        ),
        ("`check`, nothing changed", Some(scenes.unchanged)),
        ("`check`, one comment", Some(scenes.comment)),
        ("`check`, one body", Some(scenes.body)),
        ("`check`, one signature", Some(scenes.signature)),
        ("`check`, one version in `Cargo.lock`", Some(scenes.lock)),
        ("`cargo metadata`", Some(scenes.metadata)),
        ("`cargo check`, cold", scenes.check_cold),
        ("`cargo check`, nothing to do", scenes.check_noop),
        ("floor: read and hash", Some(scenes.hash)),
        ("floor: read and parse, no tree", Some(scenes.parse)),
    ];
    for (name, cost) in rows {
        let _ = match cost {
            Some(it) => writeln!(
                out,
                "| {name} | {:.0} | {:.0} | {:.0} | {:.2} |",
                ms(it.wall),
                ms(it.cpu),
                it.peak_mib,
                ratio(it.wall, scenes.metadata.wall)
            ),
            None => writeln!(out, "| {name} | not measured | | | |"),
        };
    }
    out.push_str("\n| bar | measured | at most | |\n| --- | --- | --- | --- |\n");
    for (name, measured, most) in bars(workload.kind, scenes) {
        let _ = match measured {
            Some(it) => writeln!(
                out,
                "| {name} | {it:.2} | {most} | {} |",
                if it <= most { "pass" } else { "miss" }
            ),
            None => writeln!(out, "| {name} | not measured | {most} | |"),
        };
    }
    out.push('\n');
    out
}

fn bars(kind: Kind, scenes: &Scenes) -> Vec<(&'static str, Option<f64>, f64)> {
    let of = |a: Cost, b: Cost| ratio(a.wall, b.wall);
    let mut bars = vec![
        (
            "nothing changed / `cargo metadata`, wall",
            Some(of(scenes.unchanged, scenes.metadata)),
            0.3,
        ),
        (
            "nothing changed / `cargo check` with nothing to do, wall",
            scenes.check_noop.map(|it| of(scenes.unchanged, it)),
            1.0,
        ),
        (
            "one body / `cargo metadata`, wall",
            Some(of(scenes.body, scenes.metadata)),
            1.0,
        ),
    ];
    if kind == Kind::Large {
        bars.extend([
            (
                "cold / parse alone, CPU",
                Some(ratio(scenes.cold.cpu, scenes.parse.cpu)),
                3.0,
            ),
            (
                "cold / cold `cargo check`, wall",
                scenes.check_cold.map(|it| of(scenes.cold, it)),
                0.15,
            ),
            ("cold, peak MiB", Some(scenes.cold.peak_mib), 400.0),
            (
                "second workspace / cold, wall",
                Some(of(scenes.second, scenes.cold)),
                0.25,
            ),
        ]);
    }
    bars
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(1e-9)
}
