//! What the commands on stored values share: the store of a workspace, and how its contents are named and told.

use std::collections::BTreeSet;

use anyhow::{anyhow, bail};
use astrocache::store::{Store, StoreError};
use camino::Utf8Path;

use super::session::nearest;
use super::ui::count;

/// The store of a workspace; one that does not exist is empty.
pub(super) fn open(workspace_root: &Utf8Path) -> anyhow::Result<Store> {
    Store::locate(workspace_root.as_std_path())
        .and_then(|path| Store::open(&path))
        .map_err(cannot)
}

pub(super) fn cannot(error: StoreError) -> anyhow::Error {
    anyhow!("cannot {error}")
}

/// Fails unless each of these packages is known.
pub(super) fn check_packages(wanted: &[String], known: &BTreeSet<&str>) -> anyhow::Result<()> {
    match wanted.iter().find(|it| !known.contains(it.as_str())) {
        None => Ok(()),
        Some(package) => bail!(
            "no cached function and no stored result of a package `{package}`{}",
            nearest(package, known.iter().copied())
        ),
    }
}

/// The full path of each function, given as such or as the end of one.
pub(super) fn full_paths(wanted: &[String], known: &BTreeSet<&str>) -> anyhow::Result<Vec<String>> {
    let full_path = |wanted: &String| -> anyhow::Result<String> {
        if known.contains(wanted.as_str()) {
            return Ok(wanted.clone());
        }
        let is_end = |path: &&str| {
            path.strip_suffix(wanted.as_str())
                .is_some_and(|rest| rest.ends_with("::"))
        };
        let found: Vec<&str> = known.iter().copied().filter(is_end).collect();
        match found[..] {
            [path] => Ok(path.to_owned()),
            [] => bail!(
                "no cached function and no stored result of a function `{wanted}`{}",
                nearest(wanted, known.iter().flat_map(|path| [*path, name(path)]))
            ),
            _ => bail!("`{wanted}` could be any of `{}`", found.join("`, `")),
        }
    };
    wanted.iter().map(full_path).collect()
}

/// The last segment of a path.
fn name(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// `1 result`, `2 results`
pub(super) fn results(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "result")
}

/// `512 B`, `27.4 KiB`, `1.2 GiB`
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// `12 us`, `3.5 ms`, `41.0 s`, `2.5 min`, `17.1 h`
pub(super) fn time(ns: u64) -> String {
    let us = ns as f64 / 1000.0;
    match us {
        _ if us < 1e3 => format!("{us:.0} us"),
        _ if us < 1e6 => format!("{:.1} ms", us / 1e3),
        _ if us < 60e6 => format!("{:.1} s", us / 1e6),
        _ if us < 3600e6 => format!("{:.1} min", us / 60e6),
        _ => format!("{:.1} h", us / 3600e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(28_058), "27.4 KiB");
        assert_eq!(size(3 << 40), "3.0 TiB");
    }

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let told = [900, 3_456_000, 41_000_000_000, 150_000_000_000, 61_560_000_000_000].map(time);
        assert_eq!(told, ["1 us", "3.5 ms", "41.0 s", "2.5 min", "17.1 h"]);
    }

    #[test]
    fn a_function_is_found_by_the_end_of_its_path() {
        let known = BTreeSet::from(["app::a::render", "app::b::render", "app::prerender", "total"]);
        let full = |wanted: &str| full_paths(&[wanted.to_owned()], &known).map_err(|error| error.to_string());
        assert_eq!(full("total").unwrap(), ["total"]);
        assert_eq!(full("a::render").unwrap(), ["app::a::render"]);
        assert_eq!(
            full("render").unwrap_err(),
            "`render` could be any of `app::a::render`, `app::b::render`"
        );
        assert_eq!(
            full("prerendr").unwrap_err(),
            "no cached function and no stored result of a function `prerendr`; did you mean `prerender`?"
        );
        assert_eq!(
            full("totle").unwrap_err(),
            "no cached function and no stored result of a function `totle`; did you mean `total`?"
        );
    }
}
