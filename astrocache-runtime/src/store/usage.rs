//! Keeps a store under its size limit, a little at a time.
//!
//! Nobody counts every byte. A put of `n` bytes triggers with probability `n / step` (keys are uniform, so the key decides),
//! and a trigger stands for `max(n, step)` bytes, whatever process it happens in. Each trigger also measures one folder, so
//! that the estimate is corrected once a round. Over the limit, a trigger looks at some folders and removes what is cheapest
//! to recompute per byte: GreedyDual-Size (Cao & Irani 1997), with the age since last use in place of its inflation value.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::files::{self, Files, Listed, SHARDS};
use super::unique;
use crate::key::Key;
use crate::os;

const MAGIC: &[u8; 8] = b"astrous\x01";
/// Files one trigger looks at.
const LOOK_AT: usize = 2000;

/// The shared estimate. Small values are not in it: their folder is a few files, and counted when needed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub total: u64,
    /// Folders measured in this round, and their bytes.
    measured: u32,
    measured_bytes: u64,
}

/// How many bytes a put stands for, if it is one that triggers.
pub(super) fn trigger(key: &Key, len: u64, limit: u64) -> Option<u64> {
    let step = (limit / 256).max(4096);
    (super::pack::prefix(key) % step < len).then_some(len.max(step))
}

/// Adds `added` bytes to the estimate and makes room if the store is over its limit. Does nothing while someone else is at it.
pub(super) fn settle(root: &Path, files: &Files, added: u64, limit: u64) -> io::Result<()> {
    let Some(_lock) = os::try_lock(&root.join("usage.lock"))? else {
        return Ok(());
    };
    let mut usage = read(root);
    usage.total = usage.total.saturating_add(added);
    measure_one(&mut usage, root, files);
    let limit = limit.saturating_sub(sum(&root.join("small")));
    if usage.total > limit {
        make_room(&mut usage, root, files, limit);
    }
    write(root, usage)
}

/// Replaces the estimate by what a full walk found.
#[cfg(feature = "catalogue")]
pub(super) fn set(root: &Path, total: u64) -> io::Result<()> {
    write(
        root,
        Usage {
            total,
            ..Usage::default()
        },
    )
}

/// What an entry is worth: nanoseconds saved per byte kept, less the longer it has not been used.
pub(super) fn worth(cost_ns: u64, len: u64, age_ms: u64) -> f64 {
    let days = age_ms as f64 / 86_400_000.0;
    cost_ns as f64 / len.max(1) as f64 / (1.0 + days)
}

fn measure_one(usage: &mut Usage, root: &Path, files: &Files) {
    let bytes = files::list(&files.shard_dir(usage.measured))
        .iter()
        .map(|file| file.len)
        .sum::<u64>();
    usage.measured_bytes += bytes;
    usage.measured += 1;
    if usage.measured >= SHARDS {
        *usage = Usage {
            total: usage.measured_bytes + other_bytes(root, files),
            ..Usage::default()
        };
    }
}

/// Bytes of value files outside the shards.
fn other_bytes(root: &Path, files: &Files) -> u64 {
    files
        .dirs()
        .iter()
        .filter(|dir| !dir.starts_with(root.join("files")))
        .map(|dir| sum(dir))
        .sum()
}

fn sum(dir: &Path) -> u64 {
    files::list(dir).iter().map(|file| file.len).sum()
}

fn make_room(usage: &mut Usage, root: &Path, files: &Files, limit: u64) {
    let goal = usage.total - limit + limit / 32;
    let start = unique() as u32;
    let mut found: Vec<Listed> = Vec::new();
    let mut bytes = 0;
    let mut shards = 0;
    while shards < SHARDS && (found.len() < LOOK_AT && bytes / 4 < goal || found.is_empty()) {
        let listed = files::list(&files.shard_dir(start.wrapping_add(shards)));
        bytes += listed.iter().map(|file| file.len).sum::<u64>();
        found.extend(listed);
        shards += 1;
    }
    let whole = shards == SHARDS;
    if whole {
        usage.total = bytes + other_bytes(root, files);
    }
    // Of a sample, only the cheaper half: its folders are no worse than the others.
    let may = if whole {
        usage.total.saturating_sub(limit - limit / 32)
    } else {
        goal.min(bytes / 2)
    };
    usage.total = usage.total.saturating_sub(remove_cheapest(found, may));
}

/// Removes files, cheapest first, until `goal` bytes are free; returns the bytes freed.
fn remove_cheapest(found: Vec<Listed>, goal: u64) -> u64 {
    let now = SystemTime::now();
    let value = |file: &Listed| {
        let age = now.duration_since(file.used).map_or(0, |age| age.as_millis() as u64);
        let cost = files::with_header(&file.path, |header| header.cost_ns).unwrap_or(0);
        worth(cost, file.len, age)
    };
    let mut valued: Vec<_> = found.into_iter().map(|file| (value(&file), file)).collect();
    valued.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut freed = 0;
    for (_, file) in valued {
        if freed >= goal {
            break;
        }
        if fs::remove_file(&file.path).is_ok() {
            freed += file.len;
        }
    }
    freed
}

/// The estimate; a missing or damaged one is zero and corrects itself.
fn read(root: &Path) -> Usage {
    let bytes = fs::read(root.join("usage")).unwrap_or_default();
    parse(&bytes).unwrap_or_default()
}

fn parse(bytes: &[u8]) -> Option<Usage> {
    let (content, checksum) = bytes.split_last_chunk::<8>()?;
    if blake3::hash(content).as_bytes()[..8] != *checksum {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?;
    Some(Usage {
        total: u64::from_le_bytes(*rest.first_chunk()?),
        measured: u32::from_le_bytes(*rest.get(8..)?.first_chunk()?),
        measured_bytes: u64::from_le_bytes(*rest.get(12..)?.first_chunk()?),
    })
}

fn write(root: &Path, usage: Usage) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&usage.total.to_le_bytes());
    bytes.extend_from_slice(&usage.measured.to_le_bytes());
    bytes.extend_from_slice(&usage.measured_bytes.to_le_bytes());
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(&checksum.as_bytes()[..8]);
    // Written in place: a torn estimate fails its checksum and counts as none.
    fs::write(root.join("usage"), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_survives_and_damage_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), Usage::default());
        let usage = Usage {
            total: 7,
            measured: 3,
            measured_bytes: 5,
        };
        write(dir.path(), usage).unwrap();
        assert_eq!(read(dir.path()), usage);
        let bytes = fs::read(dir.path().join("usage")).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(parse(&damaged), None);
        }
    }

    #[test]
    fn triggers_stand_for_the_bytes_that_were_put() {
        let limit = 1 << 30;
        let triggered: u64 = (0..20_000u32)
            .filter_map(|n| trigger(&Key(*blake3::hash(&n.to_le_bytes()).as_bytes()), 100_000, limit))
            .sum();
        let put = 20_000 * 100_000;
        assert!(
            (put * 9 / 10..put * 11 / 10).contains(&triggered),
            "{triggered} of {put}"
        );
        assert_eq!(trigger(&Key([0xff; 32]), limit, limit), Some(limit));
    }

    #[test]
    fn what_is_cheap_large_and_old_is_worth_least() {
        let day = 86_400_000;
        assert!(worth(1000, 10, 0) > worth(1000, 100, 0));
        assert!(worth(1000, 10, 0) > worth(10, 10, 0));
        assert!(worth(1000, 10, 0) > worth(1000, 10, day));
        assert_eq!(worth(5, 0, 0), 5.0);
    }
}
