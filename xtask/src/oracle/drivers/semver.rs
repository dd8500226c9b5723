//! Roots over semver: hand-packed identifiers, comparison by hand.

use semver::{Version, VersionReq};

pub fn parse(text: &str) -> Option<Version> {
    Version::parse(text).ok()
}

pub fn matches(requirement: &str, version: &str) -> bool {
    match (VersionReq::parse(requirement), Version::parse(version)) {
        (Ok(requirement), Ok(version)) => requirement.matches(&version),
        _ => false,
    }
}

pub fn newest(versions: &[Version]) -> Option<String> {
    versions.iter().max().map(ToString::to_string)
}
