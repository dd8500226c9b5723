//! The folder of small values, whole and damaged.

use super::*;
use crate::site::Kind;

fn key(n: u32) -> Key {
    Key(*blake3::hash(&n.to_le_bytes()).as_bytes())
}

fn record_of(n: u32, value: &[u8], removed: bool) -> Vec<u8> {
    let header = Header {
        key: key(n),
        function: "f",
        package: "p",
        fingerprint: [0; 16],
        kind: Kind::Fine,
        codec: 1,
        created_ms: 0,
        cost_ns: 0,
        removed,
    };
    record::write(&header, value)
}

fn value(small: &Small, n: u32) -> Option<Vec<u8>> {
    small.get(&key(n)).map(|image| image.value().to_vec())
}

fn filled(dir: &Path, numbers: std::ops::Range<u32>) -> Small {
    let small = Small::new(dir.to_owned());
    for n in numbers {
        small.put(&record_of(n, &n.to_le_bytes(), false)).unwrap().unwrap();
    }
    small
}

#[test]
fn records_are_found_in_the_log_in_packs_and_after_merges() {
    let dir = tempfile::tempdir().unwrap();
    let reader = Small::new(dir.path().to_owned());
    for round in 0..5 {
        let writer = filled(dir.path(), round * 100..round * 100 + 100);
        for n in 0..round * 100 + 100 {
            assert_eq!(value(&reader, n), Some(n.to_le_bytes().to_vec()));
        }
        writer.rewrite(|_, _| true).unwrap().unwrap();
    }
    for n in 0..500 {
        assert_eq!(value(&reader, n), Some(n.to_le_bytes().to_vec()));
        assert_eq!(
            value(&Small::new(dir.path().to_owned()), n),
            Some(n.to_le_bytes().to_vec())
        );
    }
    assert_eq!(value(&reader, 500), None);
}

#[test]
fn a_full_log_is_packed_and_packs_merge_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let small = Small::new(dir.path().to_owned());
    let big = vec![7; 8000];
    let mut packed = 0;
    for n in 0..2400 {
        if small.put(&record_of(n, &big, false)).unwrap().unwrap() {
            small.maintain().unwrap().unwrap();
            packed += 1;
        }
    }
    assert!(packed >= 8, "{packed}");
    assert!(small.packs().unwrap().len() <= 4);
    assert!((0..2400).all(|n| value(&small, n).as_deref() == Some(&big)));
}

#[test]
fn removed_and_replaced_records_stay_so_through_merges() {
    let dir = tempfile::tempdir().unwrap();
    let small = filled(dir.path(), 0..10);
    small.rewrite(|_, _| true).unwrap().unwrap();
    small.put(&record_of(1, b"", true)).unwrap();
    small.put(&record_of(2, b"new", false)).unwrap();
    for _ in 0..2 {
        let reader = Small::new(dir.path().to_owned());
        assert_eq!(value(&reader, 1), None);
        assert_eq!(value(&reader, 2).as_deref(), Some(&b"new"[..]));
        assert_eq!(value(&reader, 3), Some(3u32.to_le_bytes().to_vec()));
        small.rewrite(|_, _| true).unwrap().unwrap();
    }
    let mut keys = 0;
    small.for_each(|_, _| keys += 1);
    assert_eq!(keys, 9);
}

#[test]
fn torn_records_cost_only_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let whole = record_of(1, b"one", false);
    for cut in 1..whole.len() {
        let _ = fs::remove_file(dir.path().join("active"));
        let small = Small::new(dir.path().to_owned());
        small.put(&whole[..cut]).unwrap();
        assert_eq!(value(&small, 1), None);
        small.put(&record_of(2, b"two", false)).unwrap();
        small.put(&record_of(3, b"three", false)).unwrap();
        for small in [&small, &Small::new(dir.path().to_owned())] {
            assert_eq!(value(small, 1), None, "cut {cut}");
            assert_eq!(value(small, 2).as_deref(), Some(&b"two"[..]), "cut {cut}");
            assert_eq!(value(small, 3).as_deref(), Some(&b"three"[..]), "cut {cut}");
        }
    }
}

#[test]
fn damaged_packs_and_foreign_files_are_misses() {
    let dir = tempfile::tempdir().unwrap();
    let small = filled(dir.path(), 0..100);
    small.rewrite(|_, _| true).unwrap().unwrap();
    fs::write(dir.path().join("pack-zz"), b"x").unwrap();
    fs::write(dir.path().join("pack-00000000000000ff-0"), b"not a pack").unwrap();
    fs::create_dir(dir.path().join("sealing-00000000000000fe")).unwrap();
    fs::remove_dir(dir.path().join("sealing-00000000000000fe")).unwrap();
    let pack = small
        .packs()
        .unwrap()
        .into_iter()
        .find(|pack| pack.len > 100)
        .unwrap()
        .path;
    let bytes = fs::read(&pack).unwrap();
    for at in (0..bytes.len()).step_by(37) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        fs::write(&pack, &damaged).unwrap();
        let reader = Small::new(dir.path().to_owned());
        let found = (0..100).filter_map(|n| value(&reader, n).map(|value| (n, value)));
        assert!(found.clone().all(|(n, value)| value == n.to_le_bytes()));
        if at < bytes.len() - 32 - 20 * 100 {
            assert!(found.count() >= 99);
        }
    }
}

#[test]
fn a_log_left_by_a_killed_packer_is_still_read_and_packed_later() {
    let dir = tempfile::tempdir().unwrap();
    let small = filled(dir.path(), 0..10);
    fs::rename(dir.path().join("active"), dir.path().join("sealing-0000000000000001")).unwrap();
    assert_eq!(
        value(&Small::new(dir.path().to_owned()), 3),
        Some(3u32.to_le_bytes().to_vec())
    );
    small.rewrite(|_, _| true).unwrap().unwrap();
    assert_eq!(
        list(dir.path())
            .unwrap()
            .iter()
            .filter(|name| name.starts_with("sealing"))
            .count(),
        0
    );
    assert_eq!(value(&small, 3), Some(3u32.to_le_bytes().to_vec()));
}
