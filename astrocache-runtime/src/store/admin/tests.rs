//! The tool's view of a store, and the catalogue's faults.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::os;
use crate::record;
use crate::store::{Counts, Event, Scope, now_ms};

struct Fixture {
    dir: tempfile::TempDir,
    live: Arc<LiveStore>,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let live = Arc::new(LiveStore::new(dir.path().join("store"), 1 << 30));
    Fixture { dir, live }
}

impl Fixture {
    fn store(&self) -> Store {
        Store::open(&self.dir.path().join("store")).unwrap()
    }

    /// Puts a value of `len` bytes that took `cost_ns`; the key follows from function, version and number.
    fn put(&self, function: &str, version: u8, n: u8, len: usize, cost_ns: u64, kind: Kind) -> Key {
        let key = Key(*blake3::hash(format!("{function} {version} {n}").as_bytes()).as_bytes());
        let header = Header {
            key,
            function,
            package: function.split("::").next().unwrap(),
            fingerprint: fingerprint(function, version),
            kind,
            codec: CODEC_ID,
            created_ms: now_ms() - 1000 + u64::from(version),
            cost_ns,
            removed: false,
        };
        self.live
            .put(&key, &record::write(&header, &vec![n; len]), Scope::Shared)
            .unwrap();
        key
    }

    /// Small and large, old and new, fine and coarse.
    fn fill(&self) {
        for (function, kind) in [
            ("app::f", Kind::Fine),
            ("app::g", Kind::Coarse),
            ("lib::h", Kind::Trusted),
        ] {
            for version in 1..=3 {
                self.put(function, version, 0, 10, 5_000 * u64::from(version), kind);
                self.put(function, version, 1, 10_000, 100 * u64::from(version), kind);
            }
        }
    }
}

fn check(plan: &PrunePlan, expected: Expect) {
    let fixture = fixture();
    fixture.fill();
    let dry = fixture
        .store()
        .prune(&PrunePlan {
            dry_run: true,
            ..plan.clone()
        })
        .unwrap();
    assert_eq!(fixture.store().entries().unwrap().len(), 18);
    let report = fixture.store().prune(plan).unwrap();
    assert_eq!(report, dry);
    let left = fixture.store().entries().unwrap();
    assert_eq!(left.len() as u64, report.kept_entries);
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &left {
        versions.entry(entry.function.clone()).or_default().push(format!(
            "{}x{}",
            entry.fingerprint[0],
            entry.size / 1000
        ));
    }
    let lines: Vec<String> = versions
        .into_iter()
        .map(|(function, mut versions)| {
            versions.sort();
            format!("{function}: {}", versions.join(" "))
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

/// The fingerprints of these functions in these versions.
fn live(list: &[(&str, u8)]) -> Option<BTreeSet<[u8; 16]>> {
    Some(
        list.iter()
            .map(|(function, version)| fingerprint(function, *version))
            .collect(),
    )
}

fn fingerprint(function: &str, version: u8) -> [u8; 16] {
    let mut fingerprint = [version; 16];
    fingerprint[1..].copy_from_slice(&blake3::hash(function.as_bytes()).as_bytes()[..15]);
    fingerprint
}

#[test]
fn an_empty_plan_keeps_everything() {
    check(
        &PrunePlan::default(),
        expect![[r#"
            app::f: 1x0 1x10 2x0 2x10 3x0 3x10
            app::g: 1x0 1x10 2x0 2x10 3x0 3x10
            lib::h: 1x0 1x10 2x0 2x10 3x0 3x10"#]],
    );
}

#[test]
fn what_the_manifest_does_not_list_goes_and_coarse_versions_stay_by_age() {
    check(
        &PrunePlan {
            live: live(&[("app::f", 2)]),
            ..PrunePlan::default()
        },
        expect![[r#"
            app::f: 2x0 2x10
            app::g: 3x0 3x10"#]],
    );
}

#[test]
fn other_versions_can_be_kept_too() {
    check(
        &PrunePlan {
            live: live(&[("app::f", 1)]),
            keep_versions: 1,
            ..PrunePlan::default()
        },
        expect![[r#"
            app::f: 1x0 1x10 3x0 3x10
            app::g: 2x0 2x10 3x0 3x10
            lib::h: 3x0 3x10"#]],
    );
}

#[test]
fn a_plan_can_be_limited_to_packages_and_functions() {
    check(
        &PrunePlan {
            all: true,
            packages: vec!["app".into()],
            functions: vec!["app::g".into()],
            ..PrunePlan::default()
        },
        expect![[r#"
            app::f: 1x0 1x10 2x0 2x10 3x0 3x10
            lib::h: 1x0 1x10 2x0 2x10 3x0 3x10"#]],
    );
    check(
        &PrunePlan {
            all: true,
            ..PrunePlan::default()
        },
        expect![""],
    );
}

#[test]
fn over_the_size_the_cheapest_per_byte_go_first() {
    check(
        &PrunePlan {
            max_size: Some(35_000),
            ..PrunePlan::default()
        },
        expect![[r#"
            app::f: 1x0 2x0 3x0 3x10
            app::g: 1x0 2x0 3x0 3x10
            lib::h: 1x0 2x0 3x0 3x10"#]],
    );
}

#[test]
fn what_was_not_used_for_long_goes() {
    let fixture = fixture();
    fixture.fill();
    let prune = |days: u64| {
        let age = Duration::from_secs(days * 86_400);
        fixture
            .store()
            .prune(&PrunePlan {
                older_than: Some(age),
                ..PrunePlan::default()
            })
            .unwrap()
            .total()
            .0
    };
    assert_eq!(prune(1), 0);
    let plan = PrunePlan {
        older_than: Some(Duration::ZERO),
        ..PrunePlan::default()
    };
    assert_eq!(fixture.store().prune(&plan).unwrap().total().0, 18);
}

#[test]
fn pruned_entries_are_gone_for_running_processes_too() {
    let fixture = fixture();
    let keys = [
        fixture.put("app::f", 1, 0, 10, 1, Kind::Fine),
        fixture.put("app::f", 1, 1, 10_000, 1, Kind::Fine),
    ];
    assert!(keys.iter().all(|key| fixture.live.get(key, Scope::Shared).is_some()));
    fixture
        .store()
        .prune(&PrunePlan {
            all: true,
            ..PrunePlan::default()
        })
        .unwrap();
    let reader = LiveStore::new(fixture.dir.path().join("store"), 1 << 30);
    assert!(keys.iter().all(|key| reader.get(key, Scope::Shared).is_none()));
    let key = fixture.put("app::f", 1, 2, 10, 1, Kind::Fine);
    assert!(reader.get(&key, Scope::Shared).is_some());
}

fn note_calls(fixture: &Fixture, key: Key) {
    let counts = Counts {
        hits: 4,
        misses: 1,
        saved_ns: 70,
    };
    fixture.live.journal.note(&Event::Calls {
        package: "app".into(),
        function: "app::f".into(),
        counts,
    });
    fixture.live.journal.note(&Event::Hit {
        key,
        at_ms: now_ms() + 5,
    });
    fixture.live.journal.flush();
}

#[test]
fn calls_and_hits_are_counted_through_the_journal() {
    let fixture = fixture();
    let key = fixture.put("app::f", 1, 0, 10, 1, Kind::Fine);
    note_calls(&fixture, key);
    fixture.store().stats().unwrap();
    note_calls(&fixture, key);
    let stats = fixture.store().stats().unwrap();
    let function = &stats.functions[&("app".to_owned(), "app::f".to_owned())];
    let entry = fixture.store().entries().unwrap().remove(0);
    expect!["entries 1 hits 8 misses 2 saved 140; entry hits 2, used later: true"].assert_eq(&format!(
        "entries {} hits {} misses {} saved {}; entry hits {}, used later: {}",
        function.entries,
        function.hits,
        function.misses,
        function.saved_ns,
        entry.hits,
        entry.used_ms > entry.created_ms
    ));
}

#[test]
fn a_lock_that_is_about_to_go_is_no_damage() {
    let fixture = fixture();
    let key = fixture.put("app::f", 1, 0, 10, 1, Kind::Fine);
    note_calls(&fixture, key);
    fixture.store().stats().unwrap();
    let db = sled::open(fixture.dir.path().join("store/catalogue")).unwrap();
    let holder = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        drop(db);
    });
    let stats = fixture.store().stats().unwrap();
    holder.join().unwrap();
    assert_eq!(stats.functions[&("app".to_owned(), "app::f".to_owned())].hits, 4);
}

#[test]
fn a_damaged_catalogue_is_made_again() {
    let fixture = fixture();
    let key = fixture.put("app::f", 1, 0, 10, 1, Kind::Fine);
    note_calls(&fixture, key);
    fixture.store().verify().unwrap();
    let dir = fixture.dir.path().join("store/catalogue");
    let files: Vec<PathBuf> = fs::read_dir(&dir)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    for round in 0..6 {
        for path in files.iter().filter(|path| path.is_file()) {
            let mut bytes = fs::read(path).unwrap_or_default();
            match round {
                0 => bytes.clear(),
                1 => bytes.fill(0),
                2 => bytes.fill(0xff),
                _ => bytes.iter_mut().step_by(97 + round).for_each(|byte| *byte ^= 0x55),
            }
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(fixture.store().entries().unwrap().len(), 1, "round {round}");
        note_calls(&fixture, key);
        fixture.store().verify().unwrap();
        let stats = fixture.store().stats().unwrap();
        assert_eq!(stats.entries, 1);
        assert!(stats.functions[&("app".to_owned(), "app::f".to_owned())].hits >= 4);
    }
}

#[test]
fn verify_removes_what_is_damaged_and_keeps_the_rest() {
    let fixture = fixture();
    fixture.fill();
    let clean = |good| VerifyReport {
        good,
        ..VerifyReport::default()
    };
    assert_eq!(fixture.store().verify().unwrap(), clean(18));
    let files: Vec<PathBuf> = fixture
        .store()
        .entries()
        .unwrap()
        .into_iter()
        .filter_map(|it| it.file)
        .collect();
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[5000] ^= 1;
    fs::write(&files[0], bytes).unwrap();
    let stranger = files[0].with_file_name("stranger");
    fs::write(&stranger, b"hello").unwrap();
    let empty = files[0].with_file_name("empty");
    fs::create_dir(&empty).unwrap();
    let full = files[0].with_file_name("full");
    fs::create_dir_all(full.join("inner")).unwrap();

    let report = fixture.store().verify().unwrap();
    let mut removed = vec![files[0].clone(), stranger, empty];
    removed.sort_unstable();
    let expected = VerifyReport {
        removed,
        left: vec![full.clone()],
        ..clean(17)
    };
    assert_eq!(report, expected);
    assert!(!report.is_clean());
    fs::remove_dir_all(full).unwrap();
    assert_eq!(fixture.store().verify().unwrap(), clean(17));
}

#[test]
fn verify_drops_damaged_records_of_logs_and_packs() {
    let fixture = fixture();
    for n in 0..10 {
        fixture.put("app::f", 1, n, 1000, 1, Kind::Fine);
    }
    let damage = |name: &str| {
        let folder = fs::read_dir(fixture.dir.path().join("store/small")).unwrap().flatten();
        let path = folder
            .map(|entry| entry.path())
            .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name))
            .unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[2500] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    for (name, good) in [("active", 9), ("pack-", 8)] {
        damage(name);
        let report = fixture.store().verify().unwrap();
        assert_eq!((report.good, report.is_clean()), (good, false), "{name}: {report:?}");
        assert!(fixture.store().verify().unwrap().is_clean(), "{name}");
    }
}

#[test]
fn a_store_that_is_not_there_is_empty_and_clear_makes_it_so() {
    let fixture = fixture();
    let store = fixture.store();
    assert_eq!(store.entries().unwrap(), vec![]);
    assert_eq!(store.stats().unwrap(), Stats::default());
    assert_eq!(store.verify().unwrap(), VerifyReport::default());
    let all = PrunePlan {
        all: true,
        ..PrunePlan::default()
    };
    assert_eq!(store.prune(&all).unwrap(), PruneReport::default());
    assert_eq!(store.clear().unwrap(), ClearReport::default());
    fixture.fill();
    store.stats().unwrap();
    let report = store.clear().unwrap();
    assert_eq!(report.entries, 18);
    assert!(report.bytes > 90_000, "{report:?}");
    assert!(!store.path().exists());
    fixture.fill();
    assert_eq!(store.entries().unwrap().len(), 18);
}

#[test]
fn clear_leaves_a_folder_alone_that_is_no_store() {
    let fixture = fixture();
    fixture.fill();
    let foreign = fixture.dir.path().join("store/photos");
    for make in [fs::create_dir::<&Path>, |path| fs::write(path, "a file")] {
        make(&foreign).unwrap();
        let error = fixture.store().clear().unwrap_err().to_string();
        assert!(error.contains("`photos` in it is not of a store"), "{error}");
        assert_eq!(fixture.store().entries().unwrap().len(), 18);
        fs::remove_dir(&foreign).or_else(|_| fs::remove_file(&foreign)).unwrap();
    }
    assert_eq!(fixture.store().clear().unwrap().entries, 18);
}

#[test]
fn a_catalogue_in_use_is_told_and_the_entries_are_listed_without_it() {
    let fixture = fixture();
    fixture.put("app::f", 1, 0, 10, 1, Kind::Fine);
    assert!(!fixture.store().stats().unwrap().calls_unknown);
    let _held = os::try_lock(&fixture.dir.path().join("store/catalogue.lock"))
        .unwrap()
        .unwrap();
    let stats = fixture.store().stats().unwrap();
    assert_eq!((stats.entries, stats.calls_unknown), (1, true));
}

#[test]
fn an_entry_of_a_clock_that_was_ahead_is_not_old() {
    let fixture = fixture();
    let key = fixture.put("app::f", 1, 0, 10, 1, Kind::Fine);
    fixture.live.journal.note(&Event::Hit {
        key,
        at_ms: now_ms() + 86_400_000,
    });
    fixture.live.journal.flush();
    let plan = PrunePlan {
        older_than: Some(Duration::from_secs(1)),
        ..PrunePlan::default()
    };
    assert_eq!(fixture.store().prune(&plan).unwrap().kept_entries, 1);
}

#[test]
fn a_place_that_is_no_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fs::write(&path, b"").unwrap();
    let error = Store::open(&path).err().unwrap().to_string();
    assert!(
        error.ends_with("it is not a directory; remove it, or set ASTROCACHE_DIR"),
        "{error}"
    );
}
