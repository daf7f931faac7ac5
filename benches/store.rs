//! How fast, how large, how soon: `cargo bench --bench store [-- ratios | load N]`.
//!
//! `ratios` measures durable commits against a raw append + fdatasync of the same bytes, in alternating
//! windows of one run, so that a busy disk disturbs both alike. "The same bytes" are the rows that the
//! group writes, as the journal holds them. `load N` records N messages from a tenth as many rooms and
//! tells disk, memory and the time of opening with a full check, then again after five rounds that
//! overwrite a fifth each. Memory is that of a process of its own that does nothing else.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::fs;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use keng::domain::area::AreaId;
use keng::domain::clock::from_unix_ms;
use keng::domain::delivery::Body;
use keng::domain::delivery::Delivery;
use keng::domain::delivery::DeliveryState;
use keng::domain::delivery::Lane;
use keng::domain::ids::AccountName;
use keng::domain::ids::DeliveryId;
use keng::domain::ids::IncidentId;
use keng::domain::ids::MessageId;
use keng::domain::ids::MessageKey;
use keng::domain::ids::RoomId;
use keng::domain::incident::Event;
use keng::domain::incident::EventKind;
use keng::domain::incident::Incident;
use keng::domain::incident::Report;
use keng::domain::incident::Sensitivity;
use keng::domain::incident::Status;
use keng::domain::person::PersonKey;
use keng::domain::reading::Category;
use keng::domain::reading::Facts;
use keng::domain::room::Room;
use keng::domain::room::RoomKind;
use keng::domain::room::RoomState;
use keng::store::Act;
use keng::store::Expect;
use keng::store::Store as _;
use keng::store::Write;
use keng::store::sled::Options;
use keng::store::sled::SledStore;

const WINDOW: Duration = Duration::from_millis(400);
const PAIRS: usize = 8;

fn incident(id: u64, officer: Option<&str>) -> Incident {
    let at = from_unix_ms(1_790_000_000_000 + i64::try_from(id).unwrap_or(0) * 1000);
    let room = RoomId::new(AccountName::parse("tg1").unwrap(), "-1001234567890");
    Incident {
        id: IncidentId(id),
        version: 1,
        area: AreaId::parse("06862/tan-truc-tung").unwrap(),
        status: Status::New,
        sensitivity: Sensitivity::Open,
        facts: Facts {
            categories: vec![Category::Theft],
            primary: Category::Theft,
            urgent: false,
            place: Some("cổng chợ Tân Trúc Tùng".to_owned()),
            time: None,
            phones: vec![],
            plates: vec!["14B1-23456".to_owned()],
            urls: vec![],
            handles: vec![],
            accounts: vec![],
        },
        received_at: at,
        reports: vec![Report {
            room,
            thread: None,
            message: MessageId::from(i64::try_from(id).unwrap_or(0)),
            reporter: Some(PersonKey([3; 16])),
            sent_at: at,
            // Varied, so that nothing on the way can profit from repetition.
            text: format!(
                "#tromcap mất xe Wave màu đỏ ở cổng chợ lúc 3h sáng, ai thấy báo giúp gia đình {:x}",
                id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ),
            attachments: vec![],
        }],
        more_reports: 0,
        asked: None,
        officer: officer.map(str::to_owned),
        timeline: vec![Event {
            at,
            what: EventKind::Opened,
        }],
        imported: false,
    }
}

/// A message as the intake records it: seen key, case with its index entry, receipt.
fn record(id: u64, with_receipt: bool) -> Act {
    let incident = incident(id, None);
    let first = incident.first();
    let key = MessageKey {
        room: first.room.clone(),
        message: first.message.clone(),
    };
    let mut writes = vec![Write::Seen(key.clone(), Some(incident.id))];
    if with_receipt {
        writes.push(Write::Delivery(Box::new(Delivery {
            id: DeliveryId(id),
            room: first.room.clone(),
            thread: None,
            lane: Lane::Reply,
            body: Body::Receipt {
                incident: incident.id,
                reply_to: Some(first.message.clone()),
                text: "Đã ghi nhận, mã 1204.".to_owned(),
                asks: None,
            },
            state: DeliveryState::Waiting {
                due: incident.received_at,
            },
            attempts: 0,
            maybe_twice: false,
            queued_at: incident.received_at,
        })));
    }
    writes.push(Write::Incident(Box::new(incident)));
    Act {
        expects: vec![Expect::Unseen(key)],
        writes,
    }
}

/// Bytes that the journal takes for one such message, measured on a store of its own.
fn bytes_of_one(with_receipt: bool) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 4 << 20,
        ..Options::default()
    };
    let store = SledStore::open(dir.path(), options).unwrap();
    let runtime = runtime();
    let used = || {
        let bytes = fs::read(dir.path().join("journal/0000000000000001.journal")).unwrap();
        bytes.iter().rposition(|&byte| byte != 0).unwrap()
    };
    let commit = |ids: std::ops::Range<u64>| {
        let acts = ids.map(|id| record(id, with_receipt)).collect();
        runtime.block_on(store.commit(acts)).unwrap();
    };
    commit(1..11);
    let before = used();
    commit(11..111);
    (used() - before) / 100
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ratios(with_receipt: bool) {
    let one = bytes_of_one(with_receipt);
    println!(
        "durable intake{}, {one} bytes a message; ratio to raw append + fdatasync, median of {PAIRS} pairs",
        if with_receipt {
            " with receipt rows"
        } else {
            ""
        }
    );
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path().join("store"), Options::default()).unwrap();
    let runtime = runtime();
    let mut next = 1_u64;
    runtime.block_on(async {
        for _ in 0..200 {
            let acts = (next..next + 250)
                .map(|id| record(id, with_receipt))
                .collect();
            next += 250;
            store.commit(acts).await.unwrap();
        }
    });
    let mut raw_file = File::create(dir.path().join("raw")).unwrap();
    for (group, floor) in [(1_u64, 0.45), (64, 0.13), (256, 0.045)] {
        let mut found = Vec::new();
        let (mut ours_all, mut raw_all) = (Vec::new(), Vec::new());
        let block = vec![0x5a; one * group as usize];
        for _ in 0..PAIRS {
            let raw = window(|| {
                raw_file.write_all(black_box(&block)).unwrap();
                raw_file.sync_data().unwrap();
                group
            });
            let ours = window(|| {
                let acts = (next..next + group)
                    .map(|id| record(id, with_receipt))
                    .collect();
                next += group;
                runtime.block_on(store.commit(acts)).unwrap();
                group
            });
            found.push(ours / raw);
            ours_all.push(ours);
            raw_all.push(raw);
        }
        verdict(
            &format!("groups of {group}"),
            median(found),
            floor,
            &ours_all,
            &raw_all,
        );
    }
    for (callers, floor) in [(16_usize, 0.32), (256, 0.16)] {
        let mut found = Vec::new();
        let (mut ours_all, mut raw_all) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let raw = raw_callers(&runtime, dir.path(), callers, one);
            let ours = our_callers(&runtime, &store, &mut next, callers, with_receipt);
            found.push(ours / raw);
            ours_all.push(ours);
            raw_all.push(raw);
        }
        verdict(
            &format!("{callers} waiting callers"),
            median(found),
            floor,
            &ours_all,
            &raw_all,
        );
    }
    runtime.block_on(store.close()).unwrap();
}

fn verdict(what: &str, ratio: f64, floor: f64, ours: &[f64], raw: &[f64]) {
    let held = if ratio >= floor { "held" } else { "MISSED" };
    println!(
        "  {what:20} {ratio:.3} (floor {floor}, {held}); {:.0}/s against {:.0}/s",
        median(ours.to_vec()),
        median(raw.to_vec())
    );
}

/// Messages a second over one window.
fn window(mut work: impl FnMut() -> u64) -> f64 {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < WINDOW {
        done += work();
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn our_callers(
    runtime: &tokio::runtime::Runtime,
    store: &SledStore,
    next: &mut u64,
    callers: usize,
    with_receipt: bool,
) -> f64 {
    let ids = Arc::new(AtomicU64::new(*next));
    let first = *next;
    let start = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let (store, ids) = (store.clone(), Arc::clone(&ids));
            tasks.spawn(async move {
                while start.elapsed() < WINDOW {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    store.commit(vec![record(id, with_receipt)]).await.unwrap();
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    });
    *next = ids.load(Ordering::Relaxed);
    (*next - first) as f64 / start.elapsed().as_secs_f64()
}

/// The same callers, before a thread that does nothing but append and sync.
fn raw_callers(runtime: &tokio::runtime::Runtime, dir: &Path, callers: usize, one: usize) -> f64 {
    type Waiting = (Vec<u8>, tokio::sync::oneshot::Sender<()>);
    let (send, inbox) = mpsc::channel::<Waiting>();
    let path = dir.join("raw-callers");
    let writer = std::thread::spawn(move || {
        let mut file = File::create(path).unwrap();
        while let Ok(first) = inbox.recv() {
            let mut group = vec![first];
            while group.len() < 256
                && let Ok(more) = inbox.try_recv()
            {
                group.push(more);
            }
            let bytes: Vec<u8> = group.iter().flat_map(|(bytes, _)| bytes).copied().collect();
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
            for (_, reply) in group {
                reply.send(()).unwrap();
            }
        }
    });
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let (send, done) = (send.clone(), Arc::clone(&done));
            tasks.spawn(async move {
                while start.elapsed() < WINDOW {
                    let (reply, answer) = tokio::sync::oneshot::channel();
                    send.send((vec![0x5a; one], reply)).unwrap();
                    answer.await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        drop(send);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    });
    let rate = done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    writer.join().unwrap();
    rate
}

fn disk(dir: &Path) -> u64 {
    fs::read_dir(dir).map_or(0, |entries| {
        entries
            .flatten()
            .map(|entry| match entry.metadata() {
                Ok(data) if data.is_dir() => disk(&entry.path()),
                Ok(data) => data.len(),
                Err(_) => 0,
            })
            .sum()
    })
}

/// A line of /proc/self/status in MiB.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib >> 10)
}

fn load(count: u64) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let options = Options {
        keep_journal: false,
        ..Options::default()
    };
    let store = SledStore::open(dir.path(), options.clone()).unwrap();
    println!(
        "opened empty: {} MiB resident; disk {} MiB",
        memory("VmRSS"),
        disk(dir.path()) >> 20
    );
    let start = Instant::now();
    for first in (1..=count).step_by(250) {
        let acts = (first..(first + 250).min(count + 1))
            .map(|id| record(id, false))
            .collect();
        runtime.block_on(store.commit(acts)).unwrap();
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    for first in (0..count / 10).step_by(250) {
        let writes = (first..(first + 250).min(count / 10)).map(|number| {
            Write::Room(Box::new(Room {
                id: RoomId::new(
                    AccountName::parse("tg1").unwrap(),
                    format!("-100{number:09}"),
                ),
                kind: RoomKind::Group,
                title: format!("Tổ dân phố số {number}"),
                area: Some(AreaId::parse("06862/tan-truc-tung").unwrap()),
                state: RoomState::Active,
                sees_all: Some(true),
                joined_at: from_unix_ms(1_790_000_000_000),
                choices: None,
            }))
        });
        let act = Act {
            expects: vec![],
            writes: writes.collect(),
        };
        runtime.block_on(store.commit(vec![act])).unwrap();
    }
    runtime.block_on(store.close()).unwrap();
    drop(store);
    println!(
        "loaded {count} at {rate:.0}/s; {} MiB resident at most, {} now",
        memory("VmHWM"),
        memory("VmRSS")
    );
    println!("a process of its own: {}", used(dir.path(), count));
    let logical = reopen(dir.path(), &options, "after loading");
    let store = SledStore::open(dir.path(), options.clone()).unwrap();
    let start = Instant::now();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..5 {
        let officer = format!("Đ/c số {round}");
        for _ in 0..count / 5 / 250 {
            let writes = (0..250).map(|_| {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                Write::Incident(Box::new(incident(1 + dice % count, Some(&officer))))
            });
            let act = Act {
                expects: vec![],
                writes: writes.collect(),
            };
            runtime.block_on(store.commit(vec![act])).unwrap();
        }
    }
    let rate = (count / 250 * 250) as f64 / start.elapsed().as_secs_f64();
    runtime.block_on(store.close()).unwrap();
    drop(store);
    println!(
        "overwrote at {rate:.0}/s; {} MiB resident at most",
        memory("VmHWM")
    );
    reopen(
        dir.path(),
        &options,
        "after five rounds of overwriting a fifth",
    );
    println!("logical bytes after loading: {} MiB", logical >> 20);
}

fn reopen(dir: &Path, options: &Options, when: &str) -> u64 {
    let sled = disk(&dir.join("sled"));
    let journal = disk(&dir.join("journal"));
    fs::remove_file(dir.join("clean")).unwrap();
    let start = Instant::now();
    let store = SledStore::open(dir, options.clone()).unwrap();
    let opened = start.elapsed();
    let report = store.verify().unwrap();
    assert!(report.is_clean(), "{report}");
    println!(
        "{when}: sled {} MiB + journal {} MiB = {:.2} × the logical {} MiB; \
         opened with a full check in {:.2} s; {} MiB resident",
        sled >> 20,
        journal >> 20,
        (sled + journal) as f64 / report.bytes as f64,
        report.bytes >> 20,
        opened.as_secs_f64(),
        memory("VmRSS")
    );
    store.close_now().unwrap();
    report.bytes
}

/// What a fresh process says that opens the store and uses it.
fn used(dir: &Path, count: u64) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("use")
        .arg(dir)
        .arg(count.to_string())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Opens a store after a clean stop and after an unclean one, and overwrites incidents all over it.
fn make_use(dir: &Path, count: u64) {
    let options = Options {
        keep_journal: false,
        ..Options::default()
    };
    let runtime = runtime();
    let store = SledStore::open(dir, options.clone()).unwrap();
    print!("{} MiB after a clean stop", memory("VmRSS"));
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..100 {
        let writes = (0..200).map(|_| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            Write::Incident(Box::new(incident(1 + dice % count, None)))
        });
        let act = Act {
            expects: vec![],
            writes: writes.collect(),
        };
        runtime.block_on(store.commit(vec![act])).unwrap();
    }
    runtime.block_on(store.close()).unwrap();
    drop(store);
    print!(
        ", {} MiB at most while 20,000 of them anywhere change",
        memory("VmHWM")
    );
    fs::remove_file(dir.join("clean")).unwrap();
    let store = SledStore::open(dir, options).unwrap();
    println!(
        ", {} MiB at most when opened with a full check",
        memory("VmHWM")
    );
    store.close_now().unwrap();
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["ratios"] => {
            ratios(false);
            ratios(true);
        }
        ["load", count] => load(count.parse().unwrap_or(100_000)),
        ["use", dir, count] => make_use(Path::new(dir), count.parse().unwrap_or(1)),
        _ => println!("usage: cargo bench --bench store [-- ratios | load N]"),
    }
}
