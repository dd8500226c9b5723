//! Values that change their size when they are replaced, and records that a clock has overtaken.

use super::*;
use crate::codec::CODEC_ID;
use crate::site::Kind;

fn record_of(key: Key, len: usize) -> Vec<u8> {
    let header = Header {
        key,
        function: "app::f",
        package: "app",
        fingerprint: [0; 16],
        kind: Kind::Fine,
        codec: CODEC_ID,
        created_ms: now_ms(),
        cost_ns: 1,
        removed: false,
    };
    record::write(&header, &vec![1; len])
}

#[test]
fn a_replaced_value_never_comes_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let store = Arc::new(LiveStore::new(root.clone(), 1 << 30));
    let key = Key([3; 32]);
    for len in [10, 100_000, 20, 30, 200_000, 300_000, 5] {
        store.replace(&key, &record_of(key, len), Scope::Shared).unwrap();
        let seen = |store: &LiveStore| store.get(&key, Scope::Shared).map(|image| image.value().len());
        assert_eq!(seen(&store), Some(len));
        let other = LiveStore::new(root.clone(), 1 << 30);
        assert_eq!(seen(&other), Some(len));
        // Even if the newer one is dropped again, the older one is gone.
        if len < 1000 {
            assert!(store.files.open(&key, Scope::Shared).is_none());
        } else {
            assert!(store.small.get(&key).is_none());
        }
        other.small.rewrite(|_, _| true).unwrap().unwrap();
        assert_eq!(seen(&LiveStore::new(root.clone(), 1 << 30)), Some(len));
    }
    let image = store.get(&key, Scope::Shared).unwrap();
    assert_eq!(image.value().len(), 5);
}

#[test]
fn small_values_over_their_share_lose_the_cheapest() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(LiveStore::new(dir.path().join("store"), 1 << 30));
    let key = |n: u64| Key(*blake3::hash(&n.to_le_bytes()).as_bytes());
    for n in 0..200 {
        let record = record_of(key(n), 1000);
        let header = Header {
            cost_ns: n,
            ..record::read_header(&record).unwrap()
        };
        store
            .put(&key(n), &record::write(&header, &[1; 1000]), Scope::Shared)
            .unwrap();
    }
    store.shrink_small(100_000).unwrap();
    let left: Vec<u64> = (0..200)
        .filter(|&n| store.get(&key(n), Scope::Shared).is_some())
        .collect();
    assert!((90..130).contains(&left.len()), "{}", left.len());
    assert_eq!(
        left,
        (200 - left.len() as u64..200).collect::<Vec<_>>(),
        "the dearest stay"
    );
}

#[cfg(unix)]
#[test]
fn a_folder_that_links_out_of_the_store_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("store"), dir.path().join("outside"));
    std::fs::create_dir(&outside).unwrap();
    let store = Arc::new(LiveStore::new(root.clone(), 1 << 30));
    let key = Key([1; 32]);
    let record = record_of(key, 50_000);
    store.put(&key, &record, Scope::Shared).unwrap();
    let file = store.files.path(&key, Scope::Shared);
    let shard = file.parent().unwrap();
    std::fs::rename(&file, outside.join(file.file_name().unwrap())).unwrap();
    std::fs::remove_dir(shard).unwrap();
    std::os::unix::fs::symlink(&outside, shard).unwrap();

    assert!(store.get(&key, Scope::Shared).is_none());
    let error = store.put(&key, &record, Scope::Shared).unwrap_err().to_string();
    assert_eq!(error, "a folder of the store is a link");
    usage::settle(&root, &store.files, 1 << 20, 1).unwrap();
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(root.join("temp")).unwrap().count(), 0);
}
