//! The stores that are compared, behind one small trait.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use astrocache::__private::{self as rt, KeyBuilder, Site};
use cached::{ConcurrentCached, RedbCache};
use heed::types::{Bytes, U64};
use heed::{Database, Env, EnvFlags, EnvOpenOptions, byteorder::BE};
use redb::{ReadableDatabase, TableDefinition};
use rusqlite::{Connection, OptionalExtension, params};

/// All that keep something.
pub const PEERS: [&str; 6] = [
    "astrocache",
    "cached 4.1 (redb)",
    "redb 4",
    "LMDB (heed)",
    "sqlite",
    "plain files",
];

/// What every store can do.
pub trait Peer: Sync {
    fn get(&self, key: u64) -> Option<Vec<u8>>;
    fn put(&self, key: u64, value: Vec<u8>);
}

/// The value a key stands for.
pub fn value(key: u64, len: usize) -> Vec<u8> {
    let mut state = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Opens a peer in the directory of this process.
pub fn open(name: &str) -> Box<dyn Peer> {
    let dir = PathBuf::from(std::env::var_os("BENCH_DIR").expect("BENCH_DIR is set"));
    match name {
        "none" => Box::new(Nothing),
        "astrocache" => Box::new(Ours),
        "cached 4.1 (redb)" => Box::new(Cached(
            RedbCache::builder("bench")
                .disk_dir(&dir)
                .durable(false)
                .build()
                .expect("cached opens"),
        )),
        "redb 4" => Box::new(Redb(redb::Database::create(dir.join("redb")).expect("redb opens"))),
        "LMDB (heed)" => Box::new(Lmdb::open(&dir)),
        "sqlite" => Box::new(Sqlite::open(&dir)),
        "plain files" => Box::new(Files::open(&dir)),
        other => panic!("no peer `{other}`"),
    }
}

struct Nothing;

impl Peer for Nothing {
    fn get(&self, _: u64) -> Option<Vec<u8>> {
        None
    }
    fn put(&self, _: u64, _: Vec<u8>) {}
}

/// A whole cached call: a hit returns the value, a miss of `get` computes `None`, which is not stored.
struct Ours;

static SITE: Site = Site::fine(
    "bench::value",
    "bench",
    "/bench",
    u128::from_be_bytes([1; 16]),
    u128::from_be_bytes([2; 16]),
    "bench_store",
);

fn cached_value(key: u64, compute: &dyn Fn() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut builder = KeyBuilder::new(&SITE);
    builder.arg("key", &key);
    rt::call_option(&SITE, builder, compute)
}

impl Peer for Ours {
    fn get(&self, key: u64) -> Option<Vec<u8>> {
        cached_value(key, &|| None)
    }
    fn put(&self, key: u64, value: Vec<u8>) {
        cached_value(key, &|| Some(value.clone()));
    }
}

struct Cached(RedbCache<u64, Vec<u8>>);

impl Peer for Cached {
    fn get(&self, key: u64) -> Option<Vec<u8>> {
        self.0.cache_get(&key).expect("cached reads")
    }
    fn put(&self, key: u64, value: Vec<u8>) {
        self.0.cache_set(key, value).expect("cached writes");
    }
}

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("values");

struct Redb(redb::Database);

impl Peer for Redb {
    fn get(&self, key: u64) -> Option<Vec<u8>> {
        let read = self.0.begin_read().expect("redb reads");
        let table = read.open_table(TABLE).ok()?;
        table.get(key).expect("redb reads").map(|value| value.value().to_vec())
    }
    fn put(&self, key: u64, value: Vec<u8>) {
        let mut write = self.0.begin_write().expect("redb writes");
        write.set_durability(redb::Durability::None).expect("redb writes");
        write
            .open_table(TABLE)
            .expect("redb writes")
            .insert(key, &value[..])
            .expect("redb writes");
        write.commit().expect("redb commits");
    }
}

struct Lmdb {
    env: Env,
    values: Database<U64<BE>, Bytes>,
}

impl Lmdb {
    fn open(dir: &Path) -> Lmdb {
        let mut options = EnvOpenOptions::new();
        options.map_size(4 << 30);
        // SAFETY: no one else maps or truncates this file; without syncs a power failure may cost data, which is fine here.
        let env = unsafe { options.flags(EnvFlags::NO_SYNC).open(dir) }.expect("LMDB opens");
        let mut write = env.write_txn().expect("LMDB writes");
        let values = env.create_database(&mut write, None).expect("LMDB writes");
        write.commit().expect("LMDB commits");
        Lmdb { env, values }
    }
}

impl Peer for Lmdb {
    fn get(&self, key: u64) -> Option<Vec<u8>> {
        let read = self.env.read_txn().expect("LMDB reads");
        self.values.get(&read, &key).expect("LMDB reads").map(<[u8]>::to_vec)
    }
    fn put(&self, key: u64, value: Vec<u8>) {
        let mut write = self.env.write_txn().expect("LMDB writes");
        self.values.put(&mut write, &key, &value).expect("LMDB writes");
        write.commit().expect("LMDB commits");
    }
}

struct Sqlite(Mutex<Connection>);

impl Sqlite {
    fn open(dir: &Path) -> Sqlite {
        let connection = Connection::open(dir.join("sqlite")).expect("sqlite opens");
        connection
            .busy_timeout(std::time::Duration::from_secs(30))
            .expect("sqlite opens");
        // To switch to the WAL while another process does the same is refused at once, whatever the timeout.
        let mut tries = 0;
        while let Err(error) = connection.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE IF NOT EXISTS v(k INTEGER PRIMARY KEY, v BLOB);",
        ) {
            tries += 1;
            assert!(tries < 1000, "sqlite opens: {error}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Sqlite(Mutex::new(connection))
    }
}

impl Peer for Sqlite {
    fn get(&self, key: u64) -> Option<Vec<u8>> {
        let connection = self.0.lock().expect("no panics");
        let mut get = connection
            .prepare_cached("SELECT v FROM v WHERE k = ?")
            .expect("sqlite reads");
        get.query_row([key as i64], |row| row.get(0))
            .optional()
            .expect("sqlite reads")
    }
    fn put(&self, key: u64, value: Vec<u8>) {
        let connection = self.0.lock().expect("no panics");
        let mut put = connection
            .prepare_cached("INSERT OR REPLACE INTO v VALUES (?, ?)")
            .expect("sqlite writes");
        put.execute(params![key as i64, value]).expect("sqlite writes");
    }
}

/// One file a value, temporary name and rename, no checksum.
struct Files {
    dir: PathBuf,
    next: AtomicU64,
}

impl Files {
    fn open(dir: &Path) -> Files {
        Files {
            dir: dir.to_owned(),
            next: AtomicU64::new(0),
        }
    }
}

impl Peer for Files {
    fn get(&self, key: u64) -> Option<Vec<u8>> {
        std::fs::read(self.dir.join(key.to_string())).ok()
    }
    fn put(&self, key: u64, value: Vec<u8>) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let temp = self.dir.join(format!("temp-{}-{next}", std::process::id()));
        std::fs::write(&temp, value).expect("a file is written");
        std::fs::rename(temp, self.dir.join(key.to_string())).expect("a file is renamed");
    }
}
