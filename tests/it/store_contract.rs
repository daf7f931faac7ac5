//! What every store promises: one list of tests, run against each engine.

use keng::domain::alert::AlertState;
use keng::domain::alert::Tally;
use keng::domain::delivery::Body;
use keng::domain::delivery::DeliveryState;
use keng::domain::delivery::Lane;
use keng::domain::delivery::Settled;
use keng::domain::errand::Errand;
use keng::domain::errand::Work;
use keng::domain::ids::AccountName;
use keng::domain::ids::AlertId;
use keng::domain::ids::DeliveryId;
use keng::domain::ids::IncidentId;
use keng::domain::ids::MessageId;
use keng::domain::ids::RoomId;
use keng::domain::incident::Incident;
use keng::domain::incident::Missing;
use keng::domain::incident::Question;
use keng::domain::incident::Status;
use keng::domain::invite::Invite;
use keng::domain::invite::InviteHash;
use keng::domain::invite::InviteState;
use keng::domain::person::Identity;
use keng::domain::person::PersonKey;
use keng::domain::person::Role;
use keng::domain::quota::Month;
use keng::domain::room::Room;
use keng::domain::room::RoomKind;
use keng::domain::room::RoomState;
use keng::domain::secret::Secret;
use keng::store::Act;
use keng::store::Cursor;
use keng::store::Done;
use keng::store::Expect;
use keng::store::IncidentQuery;
use keng::store::Store;
use keng::store::StoreError;
use keng::store::Write;

use crate::store_samples::account;
use crate::store_samples::act;
use crate::store_samples::alert;
use crate::store_samples::alert_row;
use crate::store_samples::appointment;
use crate::store_samples::area;
use crate::store_samples::at;
use crate::store_samples::audit;
use crate::store_samples::delivery;
use crate::store_samples::incident;
use crate::store_samples::message;
use crate::store_samples::receipt;
use crate::store_samples::record;
use crate::store_samples::room;

macro_rules! contract {
    ($($test:ident,)+) => {
        macro_rules! store_contract {
            ($name:ident, $open:expr) => {
                mod $name {
                    $(
                        #[tokio::test]
                        async fn $test() {
                            let (_keep, store) = $open;
                            super::$test(&store).await;
                        }
                    )+
                }
            };
        }
    };
}

contract! {
    a_message_is_recorded_once,
    an_act_on_an_old_version_is_stale_and_writes_nothing,
    acts_of_one_batch_see_the_earlier_ones,
    closing_a_case_moves_it_in_the_lists,
    incidents_are_found_by_area_and_time_newest_first,
    long_texts_come_back_whole,
    questions_identities_and_rooms_are_replaced_and_taken_back,
    an_invitation_is_taken_once,
    a_page_of_a_notebook_is_its_accounts_own,
    appointments_are_found_when_they_are_due,
    a_day_is_marked_done_together_with_its_digest_and_once,
    an_errand_is_begun_once_and_gone_when_it_is_ended,
    alerts_are_found_by_code_and_while_open,
    rows_wait_are_claimed_once_and_leave,
    a_row_sent_again_keeps_its_place_or_moves,
    a_sent_receipt_leads_to_its_case,
    an_alert_is_tallied_with_reasons,
    progress_rows_stay_as_long_as_their_alert_is_open,
    audit_lines_are_chained,
    scans_go_on_where_they_stopped,
    messages_of_a_month_add_up,
    ids_grow,
    a_closed_store_takes_nothing,
}

store_contract!(memory, ((), keng::store::memory::MemoryStore::new()));

store_contract!(sled, {
    let dir = tempfile::tempdir().unwrap();
    let options = keng::store::sled::Options {
        segment_bytes: 16 << 10,
        overlay_bytes: 4 << 10,
        ..Default::default()
    };
    let store = keng::store::sled::SledStore::open(dir.path(), options).unwrap();
    (dir, store)
});

async fn one(store: &impl Store, act: Act) -> Done {
    store.commit(vec![act]).await.unwrap()[0]
}

async fn messages_of_a_month_add_up(store: &impl Store) {
    let (zb1, zb2) = (account("zb1"), account("zb2"));
    let month = Month::of(at(0));
    let next = Month::of(at(40 * 86_400));
    let usage = |account: &AccountName, month, messages| Write::Usage {
        account: account.clone(),
        month,
        messages,
    };
    assert_eq!(store.usage(&zb1, month).await.unwrap(), 0);
    let act = |writes| Act {
        expects: Vec::new(),
        writes,
    };
    let first = act(vec![usage(&zb1, month, 2), usage(&zb1, month, 3)]);
    let second = act(vec![usage(&zb2, month, 7), usage(&zb1, next, 1)]);
    store.commit(vec![first, second]).await.unwrap();
    // What is seen already is not counted again.
    assert_eq!(one(store, record(1, "mất xe")).await, Done::Written);
    let mut again = record(1, "mất xe");
    again.writes.push(usage(&zb1, month, 1));
    assert_eq!(one(store, again).await, Done::Seen);
    assert_eq!(store.usage(&zb1, month).await.unwrap(), 5);
    assert_eq!(store.usage(&zb2, month).await.unwrap(), 7);
    assert_eq!(store.usage(&zb1, next).await.unwrap(), 1);
}

async fn a_message_is_recorded_once(store: &impl Store) {
    let key = message("-100", 1);
    assert_eq!(store.seen(&key).await.unwrap(), None);
    assert_eq!(one(store, record(1, "mất xe")).await, Done::Written);
    assert_eq!(one(store, record(1, "lần hai")).await, Done::Seen);
    assert_eq!(store.seen(&key).await.unwrap(), Some(Some(IncidentId(1))));
    let kept = store.incident(IncidentId(1)).await.unwrap().unwrap();
    assert_eq!(
        kept,
        incident(1, "06862/tan-truc-tung", 1, "mất xe"),
        "the first one stands"
    );
    let press = message("-100", 2);
    one(store, act(vec![Write::Seen(press.clone(), None)])).await;
    assert_eq!(store.seen(&press).await.unwrap(), Some(None));
    assert_eq!(store.seen(&message("-101", 1)).await.unwrap(), None);
}

async fn an_act_on_an_old_version_is_stale_and_writes_nothing(store: &impl Store) {
    one(store, record(1, "mất xe")).await;
    let mut changed = incident(1, "06862/tan-truc-tung", 1, "mất xe");
    changed.version = 2;
    changed.officer = Some("Đ/c Hà".to_owned());
    let take = |version| Act {
        expects: vec![Expect::Incident(IncidentId(1), version)],
        writes: vec![
            Write::Incident(Box::new(changed.clone())),
            Write::Audit(audit("1")),
        ],
    };
    assert_eq!(one(store, take(0)).await, Done::Stale);
    assert_eq!(one(store, take(1)).await, Done::Written);
    assert_eq!(one(store, take(1)).await, Done::Stale);
    assert_eq!(store.incident(IncidentId(1)).await.unwrap(), Some(changed));
    let lines = store.scan_audit(&Cursor::default(), 10).await.unwrap().0;
    assert_eq!(lines.len(), 1);
    let publish = |expected, revision| Act {
        expects: vec![Expect::Alert(AlertId(1), expected)],
        writes: vec![Write::Alert(Box::new(alert(
            1,
            revision,
            AlertState::Draft,
        )))],
    };
    assert_eq!(one(store, publish(1, 2)).await, Done::Stale);
    assert_eq!(one(store, publish(0, 1)).await, Done::Written);
    assert_eq!(one(store, publish(0, 1)).await, Done::Stale);
}

async fn acts_of_one_batch_see_the_earlier_ones(store: &impl Store) {
    let done = store
        .commit(vec![record(1, "một"), record(1, "hai"), record(2, "ba")])
        .await
        .unwrap();
    assert_eq!(done, [Done::Written, Done::Seen, Done::Written]);
    assert_eq!(store.backlog().await.unwrap().reply, 2);
    assert_eq!(store.commit(vec![]).await.unwrap(), []);
}

async fn closing_a_case_moves_it_in_the_lists(store: &impl Store) {
    let village = area("06862/tan-truc-tung");
    store
        .commit(vec![record(1, "một"), record(2, "hai"), record(3, "ba")])
        .await
        .unwrap();
    let ids = |rows: Vec<Incident>| rows.iter().map(|row| row.id.0).collect::<Vec<_>>();
    assert_eq!(ids(store.recent_open(&village, 2).await.unwrap()), [3, 2]);
    let mut closed = incident(2, "06862/tan-truc-tung", 2, "hai");
    closed.status = Status::Done;
    one(store, act(vec![Write::Incident(Box::new(closed))])).await;
    assert_eq!(ids(store.recent_open(&village, 9).await.unwrap()), [3, 1]);
    assert!(
        store
            .recent_open(&area("06862"), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let query = |open_only| IncidentQuery {
        open_only,
        ..Default::default()
    };
    assert_eq!(ids(store.incidents(&query(true)).await.unwrap()), [3, 1]);
    assert_eq!(
        ids(store.incidents(&query(false)).await.unwrap()),
        [3, 2, 1]
    );
}

async fn incidents_are_found_by_area_and_time_newest_first(store: &impl Store) {
    let places = [
        (1, "06862", 10),
        (2, "06862/a", 20),
        (3, "06862/b", 30),
        (4, "06863/a", 40),
        (5, "06862/a-b", 50),
        (6, "06862/a", -5_000_000_000),
    ];
    let writes = places
        .iter()
        .map(|&(id, area, seconds)| Write::Incident(Box::new(incident(id, area, seconds, "x"))));
    one(store, act(writes.collect())).await;
    let find = async |area_id: Option<&str>, from: Option<i64>, to: Option<i64>, limit| {
        let query = IncidentQuery {
            area: area_id.map(area),
            from: from.map(at),
            to: to.map(at),
            open_only: false,
            limit,
        };
        let found = store.incidents(&query).await.unwrap();
        found.iter().map(|row| row.id.0).collect::<Vec<_>>()
    };
    assert_eq!(find(None, None, None, None).await, [5, 4, 3, 2, 1, 6]);
    assert_eq!(find(Some("06862"), None, None, None).await, [5, 3, 2, 1, 6]);
    assert_eq!(find(Some("06862/a"), None, None, None).await, [2, 6]);
    assert_eq!(find(Some("06862"), Some(20), Some(50), None).await, [3, 2]);
    assert_eq!(find(Some("06862"), None, None, Some(2)).await, [5, 3]);
    assert_eq!(find(None, None, Some(10), None).await, [6]);
    assert_eq!(find(Some("06864"), None, None, None).await, [0; 0]);
    // Another area and another time: the lists follow.
    one(
        store,
        act(vec![Write::Incident(Box::new(incident(
            2, "06863", 60, "x",
        )))]),
    )
    .await;
    assert_eq!(find(Some("06863"), None, None, None).await, [2, 4]);
    assert_eq!(find(Some("06862/a"), None, None, None).await, [6]);
}

async fn long_texts_come_back_whole(store: &impl Store) {
    let text = "ộ".repeat(20_000);
    for words in [text.as_str(), "ngắn", &"dài ".repeat(3000), "ngắn"] {
        let kept = incident(1, "06862", 1, words);
        one(store, act(vec![Write::Incident(Box::new(kept.clone()))])).await;
        assert_eq!(
            store.incident(IncidentId(1)).await.unwrap(),
            Some(kept.clone())
        );
        let found = store.scan_incidents(&Cursor::default(), 9).await.unwrap();
        assert_eq!(found, (vec![kept], None));
    }
}

async fn questions_identities_and_rooms_are_replaced_and_taken_back(store: &impl Store) {
    let person = PersonKey([9; 16]);
    let question = |incident| Question {
        incident: IncidentId(incident),
        missing: Missing::Place,
        asked_at: at(1),
    };
    one(
        store,
        act(vec![Write::Incident(Box::new(incident(
            2, "06862", 1, "x",
        )))]),
    )
    .await;
    for (kept, expected) in [
        (Some(2), Some(2)),
        (None, None),
        (None, None),
        (Some(2), Some(2)),
    ] {
        let write = Write::Question(room("-1"), person, kept.map(question));
        one(store, act(vec![write])).await;
        let found = store.question(&room("-1"), &person).await.unwrap();
        assert_eq!(found, expected.map(question));
    }
    assert_eq!(store.question(&room("-2"), &person).await.unwrap(), None);
    for name in ["Lan", "Lan", "Lan Anh"] {
        let identity = Identity {
            account: room("-1").account,
            native: "55".to_owned(),
            name: name.to_owned(),
        };
        one(store, act(vec![Write::Identity(person, identity.clone())])).await;
        assert_eq!(store.identity(&person).await.unwrap(), Some(identity));
    }
    let mut group = Room {
        id: room("-1"),
        kind: RoomKind::Group,
        title: "Tổ 5".to_owned(),
        area: Some(area("06862/to-5")),
        state: RoomState::Active,
        sees_all: Some(true),
        joined_at: at(3),
        choices: None,
    };
    one(store, act(vec![Write::Room(Box::new(group.clone()))])).await;
    group.state = RoomState::Moved(room("-1001"));
    let mut other = group.clone();
    other.id = RoomId::new(room("-1").account, "x".repeat(5000));
    let writes = vec![
        Write::Room(Box::new(group.clone())),
        Write::Room(Box::new(other.clone())),
    ];
    one(store, act(writes)).await;
    assert_eq!(store.room(&room("-1")).await.unwrap(), Some(group.clone()));
    let rooms = store.rooms().await.unwrap();
    assert_eq!(rooms.len(), 2);
    assert!(rooms.contains(&group) && rooms.contains(&other));
}

async fn a_page_of_a_notebook_is_its_accounts_own(store: &impl Store) {
    let (one_account, other) = (account("oa1"), account("oa2"));
    let write = |of: &AccountName, words: &str| {
        act(vec![Write::Note(
            of.clone(),
            "tokens".to_owned(),
            Secret::new(words),
        )])
    };
    assert_eq!(store.note(&one_account, "tokens").await.unwrap(), None);
    one(store, write(&one_account, "một")).await;
    one(store, write(&other, "hai")).await;
    // Longer than the store keeps in one piece.
    let long = "dài ".repeat(3000);
    one(store, write(&one_account, &long)).await;
    let note = store.note(&one_account, "tokens").await.unwrap();
    assert_eq!(note, Some(Secret::new(&long)));
    let note = store.note(&other, "tokens").await.unwrap();
    assert_eq!(note, Some(Secret::new("hai")));
    assert_eq!(store.note(&other, "taken").await.unwrap(), None);
    assert!(!format!("{:?}", write(&other, "hai")).contains("hai"));
}

async fn an_invitation_is_taken_once(store: &impl Store) {
    let hash = InviteHash([9; 32]);
    let mut invite = Invite {
        hash,
        revision: 1,
        name: "Bác Bình".to_owned(),
        role: Role::Head,
        area: area("06862/to-5"),
        by: "Anh Quang".to_owned(),
        made_at: at(0),
        expires_at: at(60),
        state: InviteState::Open,
    };
    let write = |expected: u32, invite: &Invite| Act {
        expects: vec![Expect::Invite(hash, expected)],
        writes: vec![Write::Invite(Box::new(invite.clone()))],
    };
    assert_eq!(one(store, write(0, &invite)).await, Done::Written);
    assert_eq!(one(store, write(0, &invite)).await, Done::Stale);
    assert_eq!(store.invites().await.unwrap(), [invite.clone()]);
    invite.revision = 2;
    invite.state = InviteState::Used {
        account: room("-1").account,
        native: "55".to_owned(),
        at: at(1),
    };
    // Two people with one code, in one batch: the second comes too late.
    let done = store
        .commit(vec![write(1, &invite), write(1, &invite)])
        .await
        .unwrap();
    assert_eq!(done, [Done::Written, Done::Stale]);
    assert_eq!(store.invites().await.unwrap(), [invite]);
}

async fn appointments_are_found_when_they_are_due(store: &impl Store) {
    let long = "x".repeat(5000);
    let dues = [("3", 30), ("1", 10), (long.as_str(), 20), ("4", 40)];
    let set = |(native, due)| Write::Appointment(Box::new(appointment(native, 1, Some(due))));
    one(store, act(dues.map(set).into())).await;
    let due = async |now, limit| {
        let (due, next) = store.appointments_due(at(now), limit).await.unwrap();
        let natives: Vec<_> = due.into_iter().map(|found| found.native).collect();
        (natives, next)
    };
    let named = |natives: &[&str]| natives.iter().map(|&one| one.to_owned()).collect();
    assert_eq!(due(9, 9).await, (vec![], Some(at(10))));
    assert_eq!(due(10, 9).await, (named(&["1"]), Some(at(20))));
    assert_eq!(due(30, 9).await, (named(&["1", &long, "3"]), Some(at(40))));
    assert_eq!(due(30, 2).await, (named(&["1", &long]), Some(at(30))));
    assert_eq!(
        due(99, 9).await,
        (named(&["1", &long, "3", "4"]), None),
        "all of them"
    );
    // One moves, one is ended, one is written as it was.
    let mut later = appointment("1", 2, Some(50));
    later.done = chrono::NaiveDate::from_ymd_opt(2026, 11, 24);
    let ended = appointment("3", 2, None);
    let writes = [later.clone(), ended.clone(), appointment("4", 2, Some(40))];
    let writes = writes.map(|one| Write::Appointment(Box::new(one)));
    one(store, act(writes.into())).await;
    assert_eq!(due(45, 9).await, (named(&[&long, "4"]), Some(at(50))));
    assert_eq!(store.appointment(&room("1")).await.unwrap(), Some(later));
    assert_eq!(store.appointment(&room("3")).await.unwrap(), Some(ended));
    assert_eq!(store.appointment(&room("9")).await.unwrap(), None);
}

async fn a_day_is_marked_done_together_with_its_digest_and_once(store: &impl Store) {
    let set = |revision, due| Write::Appointment(Box::new(appointment("1", revision, Some(due))));
    let expecting = |revision, writes| Act {
        expects: vec![Expect::Appointment(room("1"), revision)],
        writes,
    };
    assert_eq!(one(store, expecting(1, vec![set(2, 9)])).await, Done::Stale);
    assert_eq!(
        one(store, expecting(0, vec![set(1, 10)])).await,
        Done::Written
    );
    // Two programs find it due at the same moment.
    let digest = |id| {
        let row = delivery(id, Lane::Bulk, Body::Text(Default::default()));
        expecting(1, vec![Write::Delivery(Box::new(row)), set(2, 20)])
    };
    let done = store.commit(vec![digest(1), digest(2)]).await.unwrap();
    assert_eq!(done, [Done::Written, Done::Stale]);
    assert_eq!(store.backlog().await.unwrap().bulk, 1);
    let (due, next) = store.appointments_due(at(10), 9).await.unwrap();
    assert_eq!((due, next), (vec![], Some(at(20))));
}

async fn an_errand_is_begun_once_and_gone_when_it_is_ended(store: &impl Store) {
    let asked = message("1", 7);
    let errand = |begun| {
        Write::Errand(Box::new(Errand {
            asked: asked.clone(),
            thread: None,
            kind: RoomKind::Private,
            by: "Anh Quang".to_owned(),
            account: account("oa1"),
            work: Work::Links(vec!["g1".to_owned()]),
            begun,
        }))
    };
    let expecting = |begun, write| Act {
        expects: vec![Expect::Errand(asked.clone(), begun)],
        writes: vec![write],
    };
    let end = || expecting(true, Write::ErrandEnded(asked.clone()));
    assert_eq!(
        one(store, expecting(false, errand(true))).await,
        Done::Stale
    );
    one(store, act(vec![errand(false)])).await;
    assert_eq!(one(store, end()).await, Done::Stale);
    // Two programs begin it.
    let begin = || expecting(false, errand(true));
    let done = store.commit(vec![begin(), begin()]).await.unwrap();
    assert_eq!(done, [Done::Written, Done::Stale]);
    let all = store.errands().await.unwrap();
    assert!(all.len() == 1 && all[0].begun, "{all:?}");
    assert_eq!(one(store, end()).await, Done::Written);
    assert_eq!(store.errands().await.unwrap(), []);
}

async fn alerts_are_found_by_code_and_while_open(store: &impl Store) {
    let writes = [
        (2, AlertState::Live),
        (1, AlertState::Draft),
        (3, AlertState::Dropped),
    ]
    .map(|(id, state)| Write::Alert(Box::new(alert(id, 1, state))));
    one(store, act(writes.into())).await;
    let open = store.open_alerts().await.unwrap();
    assert_eq!(
        open.iter().map(|alert| alert.id.0).collect::<Vec<_>>(),
        [1, 2]
    );
    let ended = alert(2, 2, AlertState::Expired);
    one(store, act(vec![Write::Alert(Box::new(ended.clone()))])).await;
    assert_eq!(store.open_alerts().await.unwrap().len(), 1);
    assert_eq!(store.alert(AlertId(2)).await.unwrap(), Some(ended.clone()));
    assert_eq!(store.alert_by_code(&ended.code).await.unwrap(), Some(ended));
    let unknown = alert(9, 1, AlertState::Live).code;
    assert_eq!(store.alert_by_code(&unknown).await.unwrap(), None);
}

async fn rows_wait_are_claimed_once_and_leave(store: &impl Store) {
    let tg1 = room("x").account;
    let rows: Vec<_> = (1..=5).map(|id| receipt(id, 1)).collect();
    let writes = rows
        .iter()
        .cloned()
        .map(|row| Write::Delivery(Box::new(row)));
    one(store, act(writes.collect())).await;
    let ids = async |after: Option<u64>, limit| {
        let rows = store
            .waiting(&tg1, Lane::Reply, after.map(DeliveryId), limit)
            .await
            .unwrap();
        rows.iter().map(|row| row.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 3).await, [1, 2, 3]);
    assert_eq!(ids(Some(3), 3).await, [4, 5]);
    assert!(
        store
            .waiting(&tg1, Lane::Bulk, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let claimed = store.claim(rows[..2].to_vec(), at(9)).await.unwrap();
    assert_eq!(claimed.len(), 2);
    assert_eq!(claimed[0].state, DeliveryState::Sending { since: at(9) });
    assert_eq!(claimed[0].attempts, 1);
    assert!(
        store
            .claim(rows[..2].to_vec(), at(9))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(ids(None, 2).await, [3, 4]);
    assert!(
        store.interrupted(&tg1).await.unwrap().is_empty(),
        "claimed by ourselves"
    );
    assert_eq!(store.backlog().await.unwrap().reply, 5);
    let ended = claimed
        .into_iter()
        .map(|row| (row, Settled::Failed("no".to_owned())))
        .collect::<Vec<_>>();
    store.settle(ended.clone(), at(10)).await.unwrap();
    store.settle(ended, at(10)).await.unwrap();
    assert_eq!(store.backlog().await.unwrap().reply, 3);
    assert_eq!(ids(None, 9).await, [3, 4, 5]);
}

async fn a_row_sent_again_keeps_its_place_or_moves(store: &impl Store) {
    let tg1 = room("x").account;
    one(store, act(vec![Write::Delivery(Box::new(receipt(1, 1)))])).await;
    let again = |room, maybe_twice| Settled::Again {
        due: at(60),
        room,
        maybe_twice,
    };
    let claimed = store.claim(vec![receipt(1, 1)], at(1)).await.unwrap();
    let how = again(Some(room("-1009")), true);
    store
        .settle(vec![(claimed[0].clone(), how)], at(2))
        .await
        .unwrap();
    let waiting = store.waiting(&tg1, Lane::Reply, None, 9).await.unwrap();
    assert_eq!(waiting[0].state, DeliveryState::Waiting { due: at(60) });
    assert_eq!(waiting[0].room, room("-1009"));
    assert!(waiting[0].maybe_twice && waiting[0].attempts == 1);
    let elsewhere = RoomId::new(crate::store_samples::account("zb1"), "g");
    let claimed = store.claim(waiting, at(3)).await.unwrap();
    let how = again(Some(elsewhere.clone()), false);
    store
        .settle(vec![(claimed[0].clone(), how)], at(4))
        .await
        .unwrap();
    assert!(
        store
            .waiting(&tg1, Lane::Reply, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let waiting = store
        .waiting(&elsewhere.account, Lane::Reply, None, 9)
        .await
        .unwrap();
    assert!(waiting[0].maybe_twice && waiting[0].attempts == 2);
    assert_eq!(store.backlog().await.unwrap().reply, 1);
}

async fn a_sent_receipt_leads_to_its_case(store: &impl Store) {
    store
        .commit(vec![record(1, "a"), record(2, "b")])
        .await
        .unwrap();
    let rows = store
        .claim(vec![receipt(1, 1), receipt(2, 2)], at(1))
        .await
        .unwrap();
    let sent = Settled::Sent(Some(MessageId::from(900)));
    let folded = rows.into_iter().map(|row| (row, sent.clone())).collect();
    store.settle(folded, at(2)).await.unwrap();
    assert_eq!(
        store.seen(&message("-100", 900)).await.unwrap(),
        Some(Some(IncidentId(1)))
    );
}

async fn an_alert_is_tallied_with_reasons(store: &impl Store) {
    let mut writes = vec![Write::Alert(Box::new(alert(1, 1, AlertState::Live)))];
    let rows: Vec<_> = (1..=6).map(|id| alert_row(id, 1)).collect();
    writes.extend(
        rows.iter()
            .cloned()
            .map(|row| Write::Delivery(Box::new(row))),
    );
    one(store, act(writes)).await;
    let again = Settled::Again {
        due: at(0),
        room: None,
        maybe_twice: true,
    };
    store
        .settle(vec![(rows[0].clone(), again)], at(1))
        .await
        .unwrap();
    let claimed = store.claim(rows, at(1)).await.unwrap();
    let how = [
        Settled::Sent(Some(MessageId::from(1))),
        Settled::Sent(None),
        Settled::Unknown("no answer".to_owned()),
        Settled::Failed("room gone".to_owned()),
        Settled::Failed("room gone".to_owned()),
    ];
    store
        .settle(claimed.into_iter().zip(how).collect(), at(2))
        .await
        .unwrap();
    let tally = store.tally(AlertId(1), 1).await.unwrap();
    let expected = Tally {
        planned: 6,
        sent: 2,
        unknown: 1,
        failed: 2,
        maybe_twice: 1,
    };
    assert_eq!((tally, tally.waiting()), (expected, 1));
    assert_eq!(store.tally(AlertId(1), 2).await.unwrap(), Tally::default());
    assert_eq!(
        store.failures(AlertId(1), 1).await.unwrap(),
        [("room gone".to_owned(), 2)]
    );
    let mut rows = Vec::new();
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let (found, next) = store.scan_deliveries(&cursor, 2).await.unwrap();
        rows.extend(found);
        from = next;
    }
    assert_eq!(rows.len(), 6, "ended and waiting");
    assert_eq!(store.backlog().await.unwrap().urgent, 1);
    // Evidence comes late. It tells of the unknown one alone, and once.
    let message = Some(MessageId::from(9));
    let late = Settled::Sent(message.clone());
    let all: Vec<_> = rows
        .iter()
        .cloned()
        .map(|row| (row, late.clone()))
        .collect();
    let ended = all.into_iter().filter(|(row, _)| {
        !matches!(
            row.state,
            DeliveryState::Waiting { .. } | DeliveryState::Sending { .. }
        )
    });
    let ended: Vec<_> = ended.collect();
    for _ in 0..2 {
        store.settle(ended.clone(), at(9)).await.unwrap();
    }
    let tally = store.tally(AlertId(1), 1).await.unwrap();
    let expected = Tally {
        sent: 3,
        unknown: 0,
        ..expected
    };
    assert_eq!((tally, tally.waiting()), (expected, 1));
    let rows = store.alert_rows(AlertId(1)).await.unwrap();
    let arrived = DeliveryState::Sent { at: at(9), message };
    let told: Vec<_> = rows.iter().filter(|row| row.state == arrived).collect();
    assert_eq!(told.len(), 1, "{rows:#?}");
    store.health().await.unwrap();
}

async fn progress_rows_stay_as_long_as_their_alert_is_open(store: &impl Store) {
    let progress = delivery(
        5,
        Lane::Reply,
        Body::Progress {
            alert: AlertId(1),
            edits: None,
        },
    );
    let writes = vec![
        Write::Alert(Box::new(alert(1, 1, AlertState::Live))),
        Write::Delivery(Box::new(progress.clone())),
    ];
    one(store, act(writes)).await;
    assert_eq!(store.sent_message(DeliveryId(5)).await.unwrap(), None);
    let sent = Settled::Sent(Some(MessageId::from(77)));
    store.settle(vec![(progress, sent)], at(1)).await.unwrap();
    let found = store.sent_message(DeliveryId(5)).await.unwrap();
    assert_eq!(found, Some(MessageId::from(77)));
    let over = alert(1, 2, AlertState::AllClear);
    one(store, act(vec![Write::Alert(Box::new(over))])).await;
    assert_eq!(store.sent_message(DeliveryId(5)).await.unwrap(), None);
}

async fn audit_lines_are_chained(store: &impl Store) {
    for object in ["a", "b", "c"] {
        one(store, act(vec![Write::Audit(audit(object))])).await;
    }
    let (lines, next) = store.scan_audit(&Cursor::default(), 2).await.unwrap();
    assert_eq!(
        lines.iter().map(|line| line.number).collect::<Vec<_>>(),
        [1, 2]
    );
    let (rest, _) = store.scan_audit(&next.unwrap(), 2).await.unwrap();
    assert_eq!(rest[0].entry, audit("c"));
    assert_ne!(lines[0].hash, lines[1].hash);
}

async fn scans_go_on_where_they_stopped(store: &impl Store) {
    let acts = (1..=25).map(|id| record(id, "x")).collect();
    store.commit(acts).await.unwrap();
    let mut ids = Vec::new();
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let (found, next) = store.scan_incidents(&cursor, 10).await.unwrap();
        ids.extend(found.iter().map(|row| row.id.0));
        from = next;
    }
    assert_eq!(ids, (1..=25).collect::<Vec<_>>());
}

async fn ids_grow(store: &impl Store) {
    let first = store.incident_ids(3);
    assert_eq!(first, 1..4);
    assert_eq!(store.incident_ids(1), 4..5);
    assert_eq!(store.alert_id(), AlertId(1));
    assert_eq!(store.delivery_ids(2).count(), 2);
    store.health().await.unwrap();
}

async fn a_closed_store_takes_nothing(store: &impl Store) {
    one(store, record(1, "x")).await;
    store.close().await.unwrap();
    let late = store.commit(vec![record(2, "y")]).await;
    assert!(matches!(late, Err(StoreError::Stopped(_))), "{late:?}");
    assert!(store.health().await.is_err());
}
