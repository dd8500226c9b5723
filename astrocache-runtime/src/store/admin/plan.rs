//! What to prune: the plan, and which entries it dooms. Pure; it touches no file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Entry;
use crate::site::Kind;
use crate::store::{now_ms, usage};

/// What to remove. The default removes nothing.
#[derive(Clone, Debug, Default)]
pub struct PrunePlan {
    /// The fingerprints that are alive (each holds its function's identity): per-function entries with another one go.
    /// Entries with a fingerprint per package can't be judged so: of those the newest version of each function stays.
    pub live: Option<BTreeSet<[u8; 16]>>,
    /// With `live`: how many of the newest other versions of each function stay too.
    pub keep_versions: usize,
    /// Remove what has not been used for so long.
    pub older_than: Option<Duration>,
    /// Then remove the cheapest to recompute per byte until the rest is this small.
    pub max_size: Option<u64>,
    /// Remove everything (within `packages` and `functions`).
    pub all: bool,
    /// Only entries of these packages; empty means all.
    pub packages: Vec<String>,
    /// Only entries of these functions; empty means all.
    pub functions: Vec<String>,
    /// Only say what would go.
    pub dry_run: bool,
}

impl PrunePlan {
    /// For each entry whether it goes.
    pub(super) fn doomed(&self, entries: &[Entry]) -> Vec<bool> {
        let now = now_ms();
        let spared = self.spared_versions(entries);
        let mut doomed: Vec<bool> = entries
            .iter()
            .map(|entry| self.concerns(entry) && self.is_dead(entry, &spared, now))
            .collect();
        if let Some(max) = self.max_size {
            self.shrink(entries, &mut doomed, max, now);
        }
        doomed
    }

    fn concerns(&self, entry: &Entry) -> bool {
        let named = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        named(&self.packages, &entry.package) && named(&self.functions, &entry.function)
    }

    fn is_dead(&self, entry: &Entry, spared: &BTreeSet<(&str, [u8; 16])>, now: u64) -> bool {
        let too_old = |age: Duration| u128::from(now.saturating_sub(entry.used_ms)) > age.as_millis();
        let version = (entry.function.as_str(), entry.fingerprint);
        self.all || self.older_than.is_some_and(too_old) || self.live.is_some() && !spared.contains(&version)
    }

    /// The versions that stay: the living, and the newest others.
    fn spared_versions<'a>(&self, entries: &'a [Entry]) -> BTreeSet<(&'a str, [u8; 16])> {
        let Some(live) = &self.live else {
            return BTreeSet::new();
        };
        let mut newest: BTreeMap<(&str, bool), BTreeMap<[u8; 16], u64>> = BTreeMap::new();
        let mut spared = BTreeSet::new();
        for entry in entries {
            let coarse = entry.kind == Kind::Coarse;
            if !coarse && live.contains(&entry.fingerprint) {
                spared.insert((entry.function.as_str(), entry.fingerprint));
                continue;
            }
            let versions = newest.entry((&entry.function, coarse)).or_default();
            let created = versions.entry(entry.fingerprint).or_default();
            *created = entry.created_ms.max(*created);
        }
        for ((function, coarse), versions) in newest {
            let mut versions: Vec<_> = versions
                .into_iter()
                .map(|(version, created)| (created, version))
                .collect();
            versions.sort_unstable_by(|a, b| b.cmp(a));
            let keep = self.keep_versions + usize::from(coarse);
            spared.extend(versions.into_iter().take(keep).map(|(_, version)| (function, version)));
        }
        spared
    }

    fn shrink(&self, entries: &[Entry], doomed: &mut [bool], max: u64, now: u64) {
        let staying = |doomed: &[bool]| -> u64 {
            entries
                .iter()
                .zip(doomed)
                .filter(|(_, doomed)| !**doomed)
                .map(|(entry, _)| entry.size)
                .sum()
        };
        let mut bytes = staying(doomed);
        let worth = |i: &usize| {
            let entry = &entries[*i];
            usage::worth(entry.cost_ns, entry.size, now.saturating_sub(entry.used_ms))
        };
        let mut order: Vec<usize> = (0..entries.len())
            .filter(|&i| !doomed[i] && self.concerns(&entries[i]))
            .collect();
        order.sort_by(|a, b| worth(a).total_cmp(&worth(b)));
        for i in order {
            if bytes <= max {
                break;
            }
            doomed[i] = true;
            bytes -= entries[i].size;
        }
    }
}
