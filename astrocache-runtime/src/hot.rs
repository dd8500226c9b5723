//! Values that this process has used lately, encoded, bounded by bytes.
//!
//! Two generations: what is used moves to the young one, and when that is full the old one is dropped. Every operation is
//! constant time, and nothing that is used often is lost.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::key::Key;
use crate::record::Image;

const SHARDS: usize = 16;
/// Bytes of one generation of one shard: 64 MiB in all.
const GENERATION: usize = (64 << 20) / SHARDS / 2;
/// What an entry takes beside its value.
const OVERHEAD: usize = 160;

/// The map.
pub(crate) struct Hot {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    young: FxHashMap<Key, Arc<Image>>,
    old: FxHashMap<Key, Arc<Image>>,
    young_bytes: usize,
}

impl Hot {
    pub(crate) fn new() -> Hot {
        Hot {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Image>> {
        let mut shard = self.shard(key);
        if let Some(image) = shard.young.get(key) {
            return Some(Arc::clone(image));
        }
        let image = shard.old.remove(key)?;
        shard.insert(*key, Arc::clone(&image));
        Some(image)
    }

    /// Keeps a value, unless it is so large that it would displace most others.
    pub(crate) fn insert(&self, key: Key, image: Arc<Image>) {
        if image.value().len() <= GENERATION / 2 {
            self.shard(&key).insert(key, image);
        }
    }

    pub(crate) fn remove(&self, key: &Key) {
        let mut shard = self.shard(key);
        shard.young.remove(key);
        shard.old.remove(key);
    }

    fn shard(&self, key: &Key) -> std::sync::MutexGuard<'_, Shard> {
        self.shards[usize::from(key.0[31]) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn insert(&mut self, key: Key, image: Arc<Image>) {
        let bytes = image.value().len() + OVERHEAD;
        if self.young_bytes + bytes > GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, image);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::CODEC_ID;
    use crate::record::{self, Header};
    use crate::site::Kind;

    fn key(n: u32) -> Key {
        Key(*blake3::hash(&n.to_le_bytes()).as_bytes())
    }

    fn image(n: u32, len: usize) -> Arc<Image> {
        let header = Header {
            key: key(n),
            function: "f",
            package: "p",
            fingerprint: [0; 16],
            kind: Kind::Fine,
            codec: CODEC_ID,
            created_ms: 0,
            cost_ns: 0,
            removed: false,
        };
        Arc::new(Image::of_verified(record::write(&header, &vec![0; len])).unwrap())
    }

    #[test]
    fn what_is_used_stays_and_the_whole_is_bounded() {
        let hot = Hot::new();
        hot.insert(key(0), image(0, 10));
        for n in 1..400 {
            hot.insert(key(n), image(n, 1 << 20));
            assert!(hot.get(&key(0)).is_some(), "{n}");
        }
        let bytes: usize = (1..400)
            .filter_map(|n| hot.get(&key(n)))
            .map(|image| image.value().len())
            .sum();
        assert!(bytes <= 64 << 20, "{bytes}");
        assert!(bytes >= 16 << 20, "{bytes}");
    }

    #[test]
    fn a_value_that_would_displace_the_others_is_not_kept() {
        let hot = Hot::new();
        hot.insert(key(1), image(1, GENERATION));
        assert!(hot.get(&key(1)).is_none());
        hot.insert(key(1), image(1, 1));
        hot.remove(&key(1));
        assert!(hot.get(&key(1)).is_none());
    }
}
