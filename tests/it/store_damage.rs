//! What the sled store does when it was not stopped cleanly, or when something happened to its files.

use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;

use keng::domain::delivery::Lane;
use keng::domain::ids::IncidentId;
use keng::store::Cursor;
use keng::store::Store;
use keng::store::StoreError;
use keng::store::backup::backup;
use keng::store::backup::restore;
use keng::store::sled::Options;
use keng::store::sled::SledStore;
use keng::store::verify::verify;

use crate::store_samples::act;
use crate::store_samples::audit;
use crate::store_samples::receipt;
use crate::store_samples::record;
use crate::store_samples::room;

fn options() -> Options {
    Options {
        segment_bytes: 16 << 10,
        overlay_bytes: 4 << 10,
        ..Options::default()
    }
}

fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, options()).unwrap()
}

fn told(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn fill(store: &SledStore, ids: std::ops::RangeInclusive<u64>) {
    for id in ids {
        let mut act = record(id, "mất xe ở cổng chợ");
        act.writes.push(keng::store::Write::Audit(audit("x")));
        store.commit(vec![act]).await.unwrap();
    }
}

async fn count(store: &SledStore) -> usize {
    let mut all = 0;
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let (found, next) = store.scan_incidents(&cursor, 500).await.unwrap();
        all += found.len();
        from = next;
    }
    all
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "journal"))
        .collect();
    found.sort();
    found
}

fn flip(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

/// A copy of a store's files as they are now: what a power cut would leave at best.
fn copied(from: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            if path.is_dir() {
                copy(&path, &target);
            } else {
                fs::copy(&path, &target).unwrap();
            }
        }
    }
    let to = tempfile::tempdir().unwrap();
    copy(from, to.path());
    to
}

#[tokio::test]
async fn what_was_answered_survives_a_stop_without_closing() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let store = open(dir.path());
        assert_eq!(count(&store).await, round * 60);
        let first = round as u64 * 60 + 1;
        fill(&store, first..=first + 59).await;
        drop(store);
    }
    let report = verify(dir.path(), options()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (report.incidents, report.messages, report.audit_lines),
        (240, 240, 240)
    );
}

#[tokio::test]
async fn rows_that_were_being_sent_are_told_once_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let tg1 = room("x").account;
    let store = open(dir.path());
    fill(&store, 1..=3).await;
    let salt = store.salt();
    let at = crate::store_samples::at(5);
    store.claim(vec![receipt(2, 2)], at).await.unwrap();
    let last_id = store.delivery_ids(1).start;
    drop(store);
    let store = open(dir.path());
    let interrupted = store.interrupted(&tg1).await.unwrap();
    assert_eq!(interrupted.len(), 1);
    assert_eq!(interrupted[0].id.0, 2);
    assert_eq!(
        store
            .waiting(&tg1, Lane::Reply, None, 9)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(store.backlog().await.unwrap().reply, 3);
    assert_eq!(store.salt(), salt);
    assert!(store.delivery_ids(1).start > last_id);
    assert_eq!(store.incident_ids(1).start, 4);
}

#[tokio::test]
async fn a_second_opening_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = SledStore::open(dir.path(), options()).unwrap_err();
    assert!(
        told(&error).contains("another process holds it"),
        "{}",
        told(&error)
    );
    drop(store);
    open(dir.path());
}

#[tokio::test]
async fn a_nearly_full_disk_is_refused_before_anything_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let greedy = Options {
        min_free_bytes: u64::MAX,
        ..options()
    };
    let error = SledStore::open(dir.path(), greedy).unwrap_err();
    assert!(told(&error).contains("make room"), "{}", told(&error));
    assert!(!dir.path().join("sled").exists());
}

#[tokio::test]
async fn a_leftover_snapshot_does_not_keep_the_store_from_opening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 1..=20).await;
    store.close().await.unwrap();
    drop(store);
    let leftover = dir.path().join("sled/snap.0000000000001234.generating");
    fs::write(&leftover, b"half").unwrap();
    let store = open(dir.path());
    assert_eq!(count(&store).await, 20);
    assert!(!leftover.exists());
    let aside = dir.path().join("sled.damaged-1");
    assert!(!aside.exists(), "no rebuild was needed");
}

#[tokio::test]
async fn a_torn_last_frame_is_forgotten_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 1..=4).await;
    let copy = copied(dir.path());
    // The fifth stands in the copy's journal alone: its sled was copied before.
    fill(&store, 5..=5).await;
    for segment in segments(dir.path()) {
        let name = segment.file_name().unwrap();
        fs::copy(&segment, copy.path().join("journal").join(name)).unwrap();
    }
    drop(store);
    let newest = segments(copy.path()).pop().unwrap();
    let bytes = fs::read(&newest).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    // A flipped bit is no torn write: the fifth was answered for.
    flip(&newest, last as u64 - 20);
    let error = told(&SledStore::open(copy.path(), options()).unwrap_err());
    assert!(error.contains("nothing was changed"), "{error}");
    // Its last sector was never written.
    let mut torn = bytes;
    torn.get_mut(last / 512 * 512..=last).unwrap().fill(0);
    fs::write(&newest, torn).unwrap();
    let store = open(copy.path());
    assert_eq!(count(&store).await, 4);
    fill(&store, 5..=6).await;
    assert!(store.verify().unwrap().is_clean());
}

#[tokio::test]
async fn damage_in_the_journal_is_named_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 1..=5).await;
    let copy = copied(dir.path());
    drop(store);
    let newest = segments(copy.path()).pop().unwrap();
    flip(&newest, 1500);
    let before = fs::read(&newest).unwrap();
    for _ in 0..2 {
        let error = told(&SledStore::open(copy.path(), options()).unwrap_err());
        assert!(
            error.contains("journal segment 1 is damaged at offset"),
            "{error}"
        );
        assert!(error.contains("nothing was changed"), "{error}");
    }
    assert_eq!(before, fs::read(&newest).unwrap());
    flip(&newest, 1500);
    assert_eq!(count(&open(copy.path())).await, 5);
}

/// Spoils sled's file until it no longer serves.
fn spoil_sled(dir: &Path) {
    let db = dir.join("sled/db");
    let length = fs::metadata(&db).unwrap().len();
    let file = File::options().write(true).open(&db).unwrap();
    for offset in (0..length).step_by(997) {
        file.write_all_at(&[0xa5; 64], offset).unwrap();
    }
}

fn spoil_snapshot(dir: &Path) {
    let mut spoilt = 0;
    for entry in fs::read_dir(dir.join("sled")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("snap.")
        {
            flip(&path, fs::metadata(&path).unwrap().len() / 2);
            spoilt += 1;
        }
    }
    assert_eq!(spoilt, 1);
}

#[tokio::test]
async fn a_damaged_sled_is_rebuilt_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 1..=100).await;
    let before = store.verify().unwrap();
    store.close().await.unwrap();
    drop(store);
    // sled writes its snapshot when it is opened, and with a bit of it flipped it does not open.
    open(dir.path()).close().await.unwrap();
    spoil_snapshot(dir.path());
    let store = open(dir.path());
    assert_eq!(store.verify().unwrap(), before);
    assert!(dir.path().join("sled.damaged-1").exists());
}

#[tokio::test]
async fn a_damaged_sled_is_rebuilt_from_backup_and_journal() {
    let dir = tempfile::tempdir().unwrap();
    let keep = Options {
        checkpoint_every: std::time::Duration::ZERO,
        ..options()
    };
    let store = SledStore::open(dir.path(), keep.clone()).unwrap();
    fill(&store, 1..=100).await;
    let to = store.backups().join("1.keng-backup");
    let (copy, name) = (store.clone(), to.clone());
    tokio::task::spawn_blocking(move || backup(&copy, &name).unwrap())
        .await
        .unwrap();
    fill(&store, 101..=200).await;
    let before = store.verify().unwrap();
    assert!(
        !segments(dir.path())[0].ends_with("0000000000000001.journal"),
        "the journal was cut"
    );
    drop(store);
    spoil_sled(dir.path());
    let store = SledStore::open(dir.path(), keep).unwrap();
    assert_eq!(store.verify().unwrap(), before);
    drop(store);
    // And without the backup there is nothing to rebuild from: say so, touch nothing.
    fs::remove_file(to).unwrap();
    spoil_sled(dir.path());
    let error = told(&SledStore::open(dir.path(), options()).unwrap_err());
    assert!(error.contains("keng restore"), "{error}");
    assert!(!dir.path().join("sled.damaged-2").exists());
}

#[tokio::test]
async fn a_backup_of_a_running_store_restores_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 1..=50).await;
    let long = crate::store_samples::incident(51, "06862", 1, &"dài ".repeat(4000));
    let long = keng::store::Write::Incident(Box::new(long));
    store.commit(vec![act(vec![long])]).await.unwrap();
    // Writing goes on while the backup is taken.
    let (copy, to) = (store.clone(), dir.path().join("while-running.keng-backup"));
    let name = to.clone();
    let taking = tokio::task::spawn_blocking(move || backup(&copy, &name).unwrap());
    fill(&store, 60..=160).await;
    taking.await.unwrap();
    let target = tempfile::tempdir().unwrap();
    let into = target.path().join("new");
    let during = restore(&to, &into, options()).unwrap();
    assert!(during.is_clean(), "{during}");
    // At rest: byte for byte.
    let to = dir.path().join("at-rest.keng-backup");
    let (copy, name) = (store.clone(), to.clone());
    tokio::task::spawn_blocking(move || backup(&copy, &name).unwrap())
        .await
        .unwrap();
    let into = target.path().join("at-rest");
    let report = restore(&to, &into, options()).unwrap();
    assert_eq!(report, store.verify().unwrap());
    assert!(
        restore(&to, &into, options()).is_err(),
        "never over an existing store"
    );
    let restored = open(&into);
    assert_eq!(restored.salt(), store.salt());
    fill(&restored, 200..=260).await;
    drop(restored);
    // A restored store can be rebuilt as well: from its copy of the backup.
    spoil_sled(&into);
    let restored = open(&into);
    assert_eq!(count(&restored).await, 51 + 101 + 61);
    assert!(restored.incident(IncidentId(51)).await.unwrap().is_some());
    // A damaged backup makes no store.
    let length = fs::metadata(&to).unwrap().len();
    flip(&to, length / 2);
    let into = target.path().join("damaged");
    assert!(restore(&to, &into, options()).is_err());
    assert!(!into.exists());
}

#[tokio::test]
async fn the_journal_is_cut_when_it_is_not_to_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let lean = Options {
        keep_journal: false,
        checkpoint_every: std::time::Duration::ZERO,
        ..options()
    };
    let store = SledStore::open(dir.path(), lean.clone()).unwrap();
    fill(&store, 1..=200).await;
    assert!(
        segments(dir.path()).len() <= 3,
        "{:?}",
        segments(dir.path())
    );
    drop(store);
    let store = SledStore::open(dir.path(), lean).unwrap();
    assert_eq!(count(&store).await, 200);
}

#[tokio::test]
async fn many_callers_share_groups_and_all_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut tasks = tokio::task::JoinSet::new();
    for id in 1..=300 {
        let store = store.clone();
        tasks.spawn(async move { store.commit(vec![record(id, "x")]).await.unwrap() });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap(), [keng::store::Done::Written]);
    }
    assert_eq!(count(&store).await, 300);
    assert!(store.verify().unwrap().is_clean());
}
