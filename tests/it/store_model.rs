//! Random acts, with restarts in between: the sled store always tells what the store in memory tells.

use keng::domain::alert::AlertState;
use keng::domain::delivery::Body;
use keng::domain::delivery::Lane;
use keng::domain::delivery::Settled;
use keng::domain::ids::AlertId;
use keng::domain::ids::DeliveryId;
use keng::domain::ids::IncidentId;
use keng::domain::ids::MessageId;
use keng::domain::incident::Status;
use keng::store::Act;
use keng::store::Cursor;
use keng::store::Expect;
use keng::store::IncidentQuery;
use keng::store::Store;
use keng::store::Write;
use keng::store::memory::MemoryStore;
use keng::store::sled::Options;
use keng::store::sled::SledStore;
use proptest::prelude::*;

use crate::store_samples::account;
use crate::store_samples::alert;
use crate::store_samples::alert_row;
use crate::store_samples::appointment;
use crate::store_samples::at;
use crate::store_samples::audit;
use crate::store_samples::delivery;
use crate::store_samples::incident;
use crate::store_samples::message;
use crate::store_samples::receipt;
use crate::store_samples::record;

#[derive(Debug, Clone)]
enum Step {
    Record(u64, usize),
    Change(u64, u32, bool, usize),
    Alert(u8, bool, u8),
    Progress(u8),
    Claim(u64, u64),
    Settle(u64, u64, u8),
    Audit,
    Appoint(u8, u32, Option<i64>),
    /// Dropped without closing.
    Crash,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20u64, 0..3usize).prop_map(|(id, size)| Step::Record(id, size)),
        4 => (1..20u64, 0..4u32, any::<bool>(), 0..3usize)
            .prop_map(|(id, version, open, size)| Step::Change(id, version, open, size)),
        2 => (1..4u8, any::<bool>(), 1..6u8).prop_map(|(id, live, rows)| Step::Alert(id, live, rows)),
        1 => (1..4u8).prop_map(Step::Progress),
        3 => (0..8u64, 1..8u64).prop_map(|(after, count)| Step::Claim(after, count)),
        4 => (0..8u64, 1..6u64, 0..4u8).prop_map(|(after, count, how)| Step::Settle(after, count, how)),
        1 => Just(Step::Audit),
        2 => (1..4u8, 0..4u32, prop::option::of(0..50i64))
            .prop_map(|(room, revision, due)| Step::Appoint(room, revision, due)),
        1 => Just(Step::Crash),
        1 => Just(Step::Close),
    ]
}

fn text(size: usize) -> String {
    "chữ ".repeat([1, 300, 2500][size])
}

/// The rows of a lane that have not ended, as candidates; ids that do not exist are passed over.
fn candidates(after: u64, count: u64) -> Vec<keng::domain::delivery::Delivery> {
    (after * 8..(after + count) * 8)
        .flat_map(|n| {
            [
                receipt(n, n),
                alert_row(100 + n, 1),
                delivery(
                    1000 + n,
                    Lane::Bulk,
                    Body::Progress {
                        alert: AlertId(1),
                        edits: None,
                    },
                ),
            ]
        })
        .collect()
}

/// Rows get ids by the number of the step: an id is never used twice, as in life.
async fn apply(store: &impl Store, number: u64, step: &Step) -> String {
    let commit = async |act: Act| format!("{:?}", store.commit(vec![act]).await.unwrap());
    match step {
        Step::Record(id, size) => commit(record(*id, &text(*size))).await,
        Step::Change(id, version, open, size) => {
            let mut changed = incident(*id, "06862", 77, &text(*size));
            changed.version = version + 1;
            changed.status = if *open {
                Status::Accepted
            } else {
                Status::Done
            };
            commit(Act {
                expects: vec![Expect::Incident(IncidentId(*id), *version)],
                writes: vec![Write::Incident(Box::new(changed))],
            })
            .await
        }
        Step::Alert(id, live, rows) => {
            let state = if *live {
                AlertState::Live
            } else {
                AlertState::Expired
            };
            let id = u64::from(*id);
            let mut writes = vec![Write::Alert(Box::new(alert(id, 1, state)))];
            if *live {
                writes.extend(
                    (0..u64::from(*rows))
                        .map(|n| Write::Delivery(Box::new(alert_row(100 + 8 * number + n, 1)))),
                );
            }
            commit(Act {
                expects: vec![Expect::Alert(AlertId(id), u32::from(!*live))],
                writes,
            })
            .await
        }
        Step::Progress(alert) => {
            let body = Body::Progress {
                alert: AlertId(u64::from(*alert)),
                edits: None,
            };
            let row = delivery(1000 + 8 * number, Lane::Bulk, body);
            commit(Act {
                expects: vec![],
                writes: vec![Write::Delivery(Box::new(row))],
            })
            .await
        }
        Step::Claim(after, count) => {
            format!(
                "{:?}",
                store
                    .claim(candidates(*after, *count), at(1))
                    .await
                    .unwrap()
            )
        }
        Step::Settle(after, count, how) => {
            let how = match how {
                0 => Settled::Sent(Some(MessageId::from(5000))),
                1 => Settled::Failed("gone".to_owned()),
                2 => Settled::Unknown("silence".to_owned()),
                _ => Settled::Again {
                    due: at(9),
                    room: None,
                    maybe_twice: true,
                },
            };
            let ended = candidates(*after, *count)
                .into_iter()
                .map(|row| (row, how.clone()));
            format!("{:?}", store.settle(ended.collect(), at(2)).await.unwrap())
        }
        Step::Audit => {
            commit(Act {
                expects: vec![],
                writes: vec![Write::Audit(audit("a"))],
            })
            .await
        }
        Step::Appoint(native, revision, due) => {
            let set = appointment(&native.to_string(), revision + 1, *due);
            commit(Act {
                expects: vec![Expect::Appointment(set.room.clone(), *revision)],
                writes: vec![Write::Appointment(Box::new(set))],
            })
            .await
        }
        Step::Crash | Step::Close => String::new(),
    }
}

async fn everything(store: &impl Store) -> String {
    let mut told = String::new();
    let mut tell = |part: String| {
        told.push_str(&part);
        told.push('\n');
    };
    let first = Cursor::default();
    tell(format!(
        "{:?}",
        store.scan_incidents(&first, 500).await.unwrap()
    ));
    tell(format!(
        "{:?}",
        store.scan_alerts(&first, 500).await.unwrap()
    ));
    tell(format!(
        "{:?}",
        store.scan_audit(&first, 500).await.unwrap()
    ));
    let ended = store.scan_deliveries(&first, 500).await.unwrap();
    tell(format!(
        "{:?}",
        store
            .scan_deliveries(&ended.1.clone().unwrap(), 500)
            .await
            .unwrap()
    ));
    tell(format!("{ended:?}"));
    tell(format!("{:?}", store.open_alerts().await.unwrap()));
    for now in [20, 99] {
        tell(format!(
            "{:?}",
            store.appointments_due(at(now), 9).await.unwrap()
        ));
    }
    tell(format!("{:?}", store.backlog().await.unwrap()));
    for open_only in [true, false] {
        let query = IncidentQuery {
            open_only,
            ..Default::default()
        };
        tell(format!("{:?}", store.incidents(&query).await.unwrap()));
    }
    for lane in Lane::ALL {
        let rows = store
            .waiting(&account("tg1"), lane, None, 500)
            .await
            .unwrap();
        tell(format!("{rows:?}"));
    }
    for n in 1..20 {
        tell(format!(
            "{:?}",
            store.seen(&message("-100", n)).await.unwrap()
        ));
    }
    tell(format!(
        "{:?}",
        store.seen(&message("-100", 5000)).await.unwrap()
    ));
    for n in 1..60 {
        tell(format!("{:?}", store.tally(AlertId(n), 1).await.unwrap()));
        tell(format!(
            "{:?}",
            store.failures(AlertId(n), 1).await.unwrap()
        ));
        tell(format!(
            "{:?}",
            store.sent_message(DeliveryId(1000 + 8 * n)).await.unwrap()
        ));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sled_tells_what_memory_tells(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let options = Options {
                segment_bytes: 8 << 10,
                overlay_bytes: 2 << 10,
                checkpoint_every: std::time::Duration::from_millis(5),
                cache_bytes: 1 << 20,
                ..Options::default()
            };
            let memory = MemoryStore::new();
            let mut sled = Some(SledStore::open(dir.path(), options.clone()).unwrap());
            for (number, step) in (0..).zip(&steps) {
                if matches!(step, Step::Crash | Step::Close) {
                    let store = sled.take().unwrap();
                    if matches!(step, Step::Close) {
                        store.close().await.unwrap();
                    }
                    drop(store);
                    let store = SledStore::open(dir.path(), options.clone()).unwrap();
                    sled = Some(store);
                }
                let store = sled.as_ref().unwrap();
                assert_eq!(apply(store, number, step).await, apply(&memory, number, step).await, "{step:?}");
            }
            let store = sled.unwrap();
            assert_eq!(everything(&store).await, everything(&memory).await);
            let report = store.verify().unwrap();
            assert!(report.is_clean(), "{report}");
        });
    }
}
