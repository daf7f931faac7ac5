//! The planner by itself, and a worker with a channel that only listens.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;

use super::limit::Limits;
use super::limit::Rates;
use super::metrics::Metrics;
use super::plan::Ask;
use super::plan::Group;
use super::plan::Line;
use super::plan::Picked;
use super::plan::Places;
use super::plan::Plan;
use super::plan::Spot;
use super::worker::Settings;
use super::worker::Worker;
use crate::channel::Address;
use crate::channel::Capabilities;
use crate::channel::Channel;
use crate::channel::HookError;
use crate::channel::Pictures;
use crate::channel::PollError;
use crate::channel::Profile;
use crate::domain::account::Account;
use crate::domain::account::Platform;
use crate::domain::alert::Alert;
use crate::domain::alert::Tally;
use crate::domain::appointment::Appointment;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::clock::ManualClock;
use crate::domain::clock::Time;
use crate::domain::clock::from_unix_ms;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::delivery::Settled;
use crate::domain::errand::Errand;
use crate::domain::ids::AccountName;
use crate::domain::ids::AlertId;
use crate::domain::ids::CheckCode;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::incident::Incident;
use crate::domain::incident::Question;
use crate::domain::invite::Invite;
use crate::domain::message::Inbound;
use crate::domain::person::Identity;
use crate::domain::person::PersonKey;
use crate::domain::quota::Month;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::secret::Secret;
use crate::store::Act;
use crate::store::AuditLine;
use crate::store::Backlog;
use crate::store::Cursor;
use crate::store::Done;
use crate::store::IncidentQuery;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;
use crate::store::memory::MemoryStore;

fn tg1() -> AccountName {
    AccountName::parse("tg1").unwrap()
}

fn room(native: impl std::fmt::Display) -> RoomId {
    RoomId::new(tg1(), native.to_string())
}

/// Rooms whose name begins with a commune's code belong there.
fn commune_of(room: &RoomId) -> Option<AreaId> {
    let (code, _) = room.native.split_once(' ')?;
    AreaId::parse(code).ok()
}

fn noon() -> Time {
    from_unix_ms(1_795_507_500_000)
}

fn row(id: u64, lane: Lane, to: &str, body: Body) -> Delivery {
    Delivery {
        id: DeliveryId(id),
        room: room(to),
        thread: None,
        lane,
        body,
        state: DeliveryState::Waiting { due: noon() },
        attempts: 0,
        maybe_twice: false,
        queued_at: noon(),
    }
}

fn alarm(id: u64, to: &str) -> Delivery {
    let body = Body::Alert {
        alert: AlertId(1),
        version: 1,
        follows: None,
    };
    row(id, Lane::Urgent, to, body)
}

fn words(id: u64, lane: Lane, to: &str) -> Delivery {
    let post = Post {
        text: format!("lời {id}"),
        ..Post::default()
    };
    row(id, lane, to, Body::Text(post))
}

fn receipt(id: u64, to: &str) -> Delivery {
    let body = Body::Receipt {
        incident: IncidentId(id),
        reply_to: None,
        text: format!("mã {id}"),
        asks: None,
    };
    row(id, Lane::Reply, to, body)
}

fn press(id: u64, to: &str) -> Delivery {
    let body = Body::PressAnswer {
        press: format!("p{id}"),
        text: "Đã gửi".to_owned(),
    };
    row(id, Lane::Reply, to, body)
}

/// Rows on disk, a plan over them, and the time, which moves only when told.
struct Bench {
    disk: BTreeMap<(u8, DeliveryId), Delivery>,
    plan: Plan,
    limits: Limits,
    /// Claimed, and waiting for their moment.
    ready: Vec<Group>,
    now: Instant,
    start: Instant,
    wall: Time,
    /// What left, and when.
    left: Vec<(Duration, Vec<u64>)>,
    /// How many rows were read.
    read: Cell<usize>,
}

impl Bench {
    fn new(per_second: u32, room_per_minute: u32) -> Self {
        let now = Instant::now();
        Self {
            disk: BTreeMap::new(),
            plan: Plan::default(),
            limits: Limits::new(Rates {
                per_second,
                room_per_minute,
            }),
            ready: Vec::new(),
            now,
            start: now,
            wall: noon(),
            left: Vec::new(),
            read: Cell::new(0),
        }
    }

    fn queue(&mut self, rows: impl IntoIterator<Item = Delivery>) {
        for row in rows {
            self.disk.insert((row.lane as u8, row.id), row);
        }
        self.plan.woken(self.now);
    }

    fn page(&self, ask: Ask) -> Vec<Delivery> {
        let lane = ask.lane as u8;
        let after = ask
            .after
            .map_or(Bound::Included((lane, DeliveryId(0))), |id| {
                Bound::Excluded((lane, id))
            });
        let to = Bound::Included((lane, DeliveryId(u64::MAX)));
        let page: Vec<_> = { self.disk.range((after, to)) }
            .take(ask.limit)
            .map(|(_, row)| row.clone())
            .collect();
        self.read.set(self.read.get() + page.len());
        page
    }

    /// Reads what the plan asks for, and picks.
    fn pick(&mut self) -> Picked {
        for _ in 0..8 {
            let Some(ask) = self.plan.ask(self.now) else {
                break;
            };
            let rows = self.page(ask);
            let place = |room: &RoomId| Spot {
                room: room.clone(),
                kind: RoomKind::Group,
                commune: commune_of(room),
            };
            self.plan
                .feed(ask, rows, place, &self.limits, self.now, self.wall);
        }
        let places = Places([64, 48, 32]);
        self.plan.pick(
            &self.limits,
            places,
            self.ready.len(),
            256,
            self.now,
            self.wall,
        )
    }

    /// Sends what was picked, as soon as the limits let it go; the platform answers at once.
    fn send(&mut self, groups: Vec<Group>) {
        self.ready.extend(groups);
        self.ready.sort_by_key(|group| group.lane as u8);
        for group in std::mem::take(&mut self.ready) {
            let at = group.line.room().map(|room| (room, group.kind));
            let released = match at {
                Some(at) => self.limits.release(Some(at), group.lane, self.now),
                None => self.limits.pass(self.now),
            };
            let Ok(ticket) = released else {
                self.ready.push(group);
                continue;
            };
            self.limits.answered(&ticket, self.now);
            let ids = group.rows.iter().map(|row| row.id.0).collect();
            self.left.push((self.now - self.start, ids));
            for row in &group.rows {
                self.disk.remove(&(row.lane as u8, row.id));
                self.plan.gone(row.id);
            }
            self.plan.free(&group.line, group.lane);
        }
    }

    /// Works for a time, looking every 20 ms.
    fn works(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let picked = self.pick();
            self.send(picked.groups);
            self.now += Duration::from_millis(20);
        }
    }

    fn left_at(&self, id: u64) -> Option<Duration> {
        self.left
            .iter()
            .find(|(_, ids)| ids.contains(&id))
            .map(|(at, _)| *at)
    }
}

fn ids(picked: &Picked) -> Vec<u64> {
    picked
        .groups
        .iter()
        .flat_map(|group| &group.rows)
        .map(|row| row.id.0)
        .collect()
}

#[test]
fn while_an_alert_uses_everything_up_one_reply_leaves_every_ten_seconds() {
    let mut bench = Bench::new(10, 20);
    bench.queue((1..=600).map(|id| alarm(id, &format!("nhóm {id}"))));
    // The officer's own report, and a receipt behind it.
    bench.queue([
        words(1001, Lane::Reply, "cán bộ"),
        receipt(1002, "nhóm nhỏ"),
        words(2001, Lane::Bulk, "trưởng thôn"),
    ]);
    bench.works(Duration::from_secs(30));
    let seconds = |id| bench.left_at(id).map(|at| at.as_secs_f64());
    let first = seconds(1001).expect("the first reply leaves");
    let second = seconds(1002).expect("the second, too");
    assert!((10.0..10.6).contains(&first), "{first}");
    assert!((20.0..21.2).contains(&second), "{second}");
    // Digests wait; and the alert loses no more than those two turns.
    assert_eq!(bench.left_at(2001), None);
    assert!(bench.left.len() >= 290, "{}", bench.left.len());
    // After the alert everything else goes.
    bench.works(Duration::from_secs(35));
    assert!(bench.left_at(2001).is_some());
    assert!(bench.disk.is_empty());
}

#[test]
fn without_an_alert_a_reply_waits_for_nothing() {
    let mut bench = Bench::new(10, 20);
    bench.queue((1..=5).map(|id| receipt(id, &format!("nhóm {id}"))));
    assert_eq!(ids(&bench.pick()), [1, 2, 3, 4, 5]);
}

#[test]
fn answers_to_pressed_buttons_take_no_turn_and_wait_for_no_limit() {
    let mut bench = Bench::new(2, 20);
    bench.queue((1..=50).map(|id| alarm(id, &format!("nhóm {id}"))));
    let picked = bench.pick();
    assert_eq!(ids(&picked), [1, 2]);
    bench.send(picked.groups);
    // The second is used up, and the room of the press has more waiting before it.
    bench.queue([
        receipt(60, "nhóm 9"),
        press(61, "nhóm 9"),
        press(62, "nhóm 9"),
    ]);
    let picked = bench.pick();
    assert_eq!(ids(&picked), [61, 62]);
    assert!(
        picked
            .groups
            .iter()
            .all(|group| matches!(group.line, Line::Press(_)))
    );
    // One under way is not picked again.
    assert_eq!(ids(&bench.pick()), [] as [u64; 0]);
    bench.send(picked.groups);
    // They have taken nothing of the next second.
    bench.now += Duration::from_millis(1002);
    assert_eq!(ids(&bench.pick()), [3, 4]);
}

#[test]
fn answers_to_pressed_buttons_rest_with_an_account_that_is_only_being_tried() {
    let mut bench = Bench::new(30, 20);
    bench.queue([press(1, "nhóm 1")]);
    bench.limits.refused(bench.now + Duration::from_secs(60));
    assert!(bench.limits.is_trying());
    assert_eq!(ids(&bench.pick()), [] as [u64; 0]);
}

#[test]
fn in_a_room_the_alert_goes_first_and_nothing_overtakes_what_is_under_way() {
    let mut bench = Bench::new(30, 20);
    bench.queue([
        alarm(1, "nhóm"),
        receipt(2, "nhóm"),
        words(3, Lane::Bulk, "nhóm"),
    ]);
    for id in 1..=3 {
        let picked = bench.pick();
        assert_eq!(ids(&picked), [id]);
        assert_eq!(ids(&bench.pick()), [] as [u64; 0], "behind {id}");
        bench.send(picked.groups);
    }
}

#[test]
fn while_messages_are_dear_receipts_wait_for_each_other_and_alerts_for_nobody() {
    let mut bench = Bench::new(1000, 1000);
    bench.plan.merge_receipts(true);
    bench.queue([receipt(1, "a"), receipt(2, "b")]);
    let picked = bench.pick();
    assert_eq!(picked.groups, []);
    let minute = bench.now + Duration::from_secs(60);
    assert!(picked.again.is_some_and(|again| again <= minute));
    bench.queue([alarm(3, "a"), receipt(4, "a")]);
    let alone: Vec<_> = bench.pick().groups;
    assert_eq!(alone.len(), 1);
    assert_eq!(alone[0].lane, Lane::Urgent);
    bench.plan.free(&alone[0].line, Lane::Urgent);
    // Their minute has passed.
    let mut old = [receipt(5, "c"), receipt(6, "c"), receipt(7, "c")];
    for row in &mut old[..2] {
        row.queued_at -= chrono::TimeDelta::seconds(61);
    }
    bench.queue(old);
    let picked = bench.pick();
    assert_eq!(picked.groups.len(), 1);
    assert_eq!(picked.groups[0].rows.len(), 3);
}

#[test]
fn receipts_above_what_a_room_may_hear_become_one_message_in_their_order() {
    let mut bench = Bench::new(30, 20);
    bench.queue((1..=40).map(|id| receipt(id, "nhóm")));
    let picked = bench.pick();
    assert_eq!(picked.groups.len(), 1);
    assert_eq!(ids(&picked), (1..=40).collect::<Vec<_>>());
    // A few go one by one.
    let mut bench = Bench::new(30, 20);
    bench.queue((1..=3).map(|id| receipt(id, "nhóm")));
    assert_eq!(ids(&bench.pick()), [1]);
}

#[test]
fn a_crowd_in_one_room_hears_one_message_though_the_limits_would_allow_many() {
    let mut bench = Bench::new(30_000, 30_000);
    bench.queue((1..=39).map(|id| receipt(id, "nhóm ít")));
    bench.queue((40..=90).map(|id| receipt(id, "nhóm đông")));
    let picked = bench.pick();
    let heard: Vec<usize> = picked.groups.iter().map(|group| group.rows.len()).collect();
    assert_eq!(heard, [1, 51]);
}

#[test]
fn a_row_that_is_stored_later_under_a_lower_id_is_found_within_a_second() {
    let mut bench = Bench::new(30, 20);
    bench.queue([receipt(900, "nhóm 1")]);
    bench.works(Duration::from_millis(40));
    assert!(bench.left_at(900).is_some());
    // Far below what was read: only a whole reading finds it, with no further wake-up.
    bench.queue([receipt(3, "nhóm 2")]);
    bench.works(Duration::from_millis(1100));
    assert!(bench.left_at(3).is_some(), "{:?}", bench.left);
}

#[test]
fn rooms_that_must_wait_starve_nobody_and_are_not_forgotten() {
    let mut bench = Bench::new(1000, 20);
    // More than any window holds, all of it for rooms that may not be spoken to now.
    for number in 0..60 {
        let silent = format!("câm {number}");
        bench
            .limits
            .freeze_room(&room(&silent), bench.now + Duration::from_secs(5));
        bench.queue((0..200).map(|n| words(1 + number + 60 * n, Lane::Reply, &silent)));
    }
    bench.queue([words(50_000, Lane::Reply, "nhóm khác")]);
    bench.works(Duration::from_secs(2));
    assert!(bench.left_at(50_000).is_some());
    assert_eq!(bench.left.len(), 1);
    // When their time comes, each hears its first words first.
    bench.works(Duration::from_secs(5));
    for number in 0..60 {
        let silent = room(format!("câm {number}"));
        let first = 1 + number;
        assert!(bench.left_at(first).is_some(), "{silent}");
    }
}

#[test]
fn what_waits_for_the_morning_holds_up_nothing_of_its_room() {
    let mut bench = Bench::new(30, 20);
    let mut early = alarm(1, "nhóm");
    early.lane = Lane::Bulk;
    let mut urgent = alarm(2, "nhóm");
    for row in [&mut early, &mut urgent] {
        row.state = DeliveryState::Waiting {
            due: noon() + chrono::TimeDelta::seconds(4),
        };
    }
    bench.queue([early, urgent]);
    bench.queue([receipt(3, "nhóm"), words(4, Lane::Bulk, "nhóm")]);
    bench.works(Duration::from_secs(2));
    assert!(bench.left_at(3).is_some() && bench.left_at(4).is_some());
    assert_eq!(bench.left.len(), 2);
    // The wall clock of the planner stands still in these tests: the hour has come.
    bench.wall += chrono::TimeDelta::seconds(4);
    bench.works(Duration::from_secs(4));
    assert!(bench.left_at(1).is_some() && bench.left_at(2).is_some());
}

#[test]
fn no_commune_waits_for_anothers_bulk() {
    let mut bench = Bench::new(10, 20);
    // Far more than any window holds, and queued first.
    bench.queue((1..=20_000).map(|id| words(id, Lane::Bulk, &format!("06862 nhóm {id}"))));
    bench.works(Duration::from_secs(2));
    bench.queue((30_001..=30_020).map(|id| words(id, Lane::Bulk, &format!("06863 nhóm {id}"))));
    bench.queue((40_001..=40_010).map(|id| words(id, Lane::Bulk, &format!("thư riêng {id}"))));
    let queued = bench.now - bench.start;
    bench.works(Duration::from_secs(6));
    for id in (30_001..=30_020).chain(40_001..=40_010) {
        let left = bench.left_at(id).map(|at| at - queued);
        assert!(
            left.is_some_and(|after| after < Duration::from_secs(6)),
            "{id}: {left:?}"
        );
    }
    // They took turns, and nobody lost anything by it.
    assert!(bench.left.len() >= 78, "{}", bench.left.len());
}

#[test]
fn what_stays_on_disk_for_fairness_comes_in_order_and_is_not_read_over_and_over() {
    let mut bench = Bench::new(2000, 1000);
    let communes = [("06862", 12_000), ("06863", 6_000), ("06864", 300)];
    let mut id = 0;
    let mut queued: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (commune, count) in communes {
        for number in 0..count {
            id += 1;
            // Three rows for each room, far apart.
            let to = format!("{commune} nhóm {}", number % (count / 3));
            bench.queue([words(id, Lane::Bulk, &to)]);
            queued.entry(to).or_default().push(id);
        }
    }
    bench.works(Duration::from_secs(14));
    assert!(bench.disk.is_empty(), "{} rows wait", bench.disk.len());
    let mut place: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, id) in bench.left.iter().flat_map(|(_, ids)| ids).enumerate() {
        assert_eq!(place.insert(*id, at), None, "{id} left twice");
    }
    for (to, ids) in queued {
        assert!(ids.is_sorted_by_key(|id| place.get(id)), "{to}: {ids:?}");
    }
    // Each row is read when it comes, when it is fetched, and once more in a whole reading or two.
    let read = bench.read.get();
    assert!(read < 18_300 * 6, "{read} rows were read");
}

/// A channel that notes what it is told, and panics for one room.
#[derive(Debug)]
struct Ear {
    account: Account,
    heard: Mutex<Vec<(Instant, String)>>,
    news: Notify,
}

impl Ear {
    fn hear(&self, what: String) -> SendOutcome {
        self.heard.lock().unwrap().push((Instant::now(), what));
        self.news.notify_waiters();
        SendOutcome::Accepted(None)
    }

    fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|(_, what)| what.clone()).collect()
    }

    /// Waits until so much was heard.
    async fn hears(&self, count: usize) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let heard = self.heard();
            if heard.len() >= count {
                return heard;
            }
            tokio::time::timeout_at(until, news)
                .await
                .unwrap_or_else(|_| panic!("only {heard:?}"));
        }
    }
}

#[async_trait]
impl Channel for Ear {
    fn account(&self) -> &Account {
        &self.account
    }

    fn capabilities(&self, _room: &RoomId) -> Capabilities {
        Capabilities {
            can_edit: true,
            can_delete: true,
            can_pin: true,
            buttons: true,
            echoes: false,
            max_text: 4096,
            pictures: Pictures::Never,
            closes: false,
            is_wall: false,
        }
    }

    async fn profile(&self) -> Result<Profile, PollError> {
        Ok(Profile::default())
    }

    async fn post(&self, to: &Address, post: &Post) -> SendOutcome {
        assert!(!to.room.native.starts_with("độc"), "a poisonous room");
        self.hear(post.text.clone())
    }

    async fn delete(&self, _room: &RoomId, _message: &MessageId) -> SendOutcome {
        SendOutcome::Accepted(None)
    }

    async fn answer_press(&self, press: &str, _text: &str) -> SendOutcome {
        self.hear(press.to_owned())
    }

    fn parse_hook(
        &self,
        _headers: &[(String, Vec<u8>)],
        _body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError> {
        Err(HookError::NotExpected)
    }
}

/// A store in memory that counts how often its waiting rows are read.
#[derive(Debug)]
struct Counted {
    inner: MemoryStore,
    reads: AtomicUsize,
}

#[async_trait]
impl Store for Counted {
    async fn waiting(
        &self,
        account: &AccountName,
        lane: Lane,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.waiting(account, lane, after, limit).await
    }

    // The rest is the inner store's.
    async fn commit(&self, acts: Vec<Act>) -> Result<Vec<Done>, StoreError> {
        self.inner.commit(acts).await
    }
    fn incident_ids(&self, count: u64) -> Range<u64> {
        self.inner.incident_ids(count)
    }
    fn alert_id(&self) -> AlertId {
        self.inner.alert_id()
    }
    fn delivery_ids(&self, count: u64) -> Range<u64> {
        self.inner.delivery_ids(count)
    }
    fn salt(&self) -> [u8; 32] {
        self.inner.salt()
    }
    async fn seen(&self, key: &MessageKey) -> Result<Option<Option<IncidentId>>, StoreError> {
        self.inner.seen(key).await
    }
    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.inner.incident(id).await
    }
    async fn question(
        &self,
        room: &RoomId,
        person: &PersonKey,
    ) -> Result<Option<Question>, StoreError> {
        self.inner.question(room, person).await
    }
    async fn recent_open(&self, area: &AreaId, limit: usize) -> Result<Vec<Incident>, StoreError> {
        self.inner.recent_open(area, limit).await
    }
    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        self.inner.incidents(query).await
    }
    async fn identity(&self, person: &PersonKey) -> Result<Option<Identity>, StoreError> {
        self.inner.identity(person).await
    }
    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        self.inner.room(id).await
    }
    async fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        self.inner.rooms().await
    }
    async fn invites(&self) -> Result<Vec<Invite>, StoreError> {
        self.inner.invites().await
    }
    async fn note(&self, account: &AccountName, page: &str) -> Result<Option<Secret>, StoreError> {
        self.inner.note(account, page).await
    }
    async fn errands(&self) -> Result<Vec<Errand>, StoreError> {
        self.inner.errands().await
    }
    async fn appointment(&self, room: &RoomId) -> Result<Option<Appointment>, StoreError> {
        self.inner.appointment(room).await
    }
    async fn appointments_due(
        &self,
        now: Time,
        limit: usize,
    ) -> Result<(Vec<Appointment>, Option<Time>), StoreError> {
        self.inner.appointments_due(now, limit).await
    }
    async fn alert(&self, id: AlertId) -> Result<Option<Alert>, StoreError> {
        self.inner.alert(id).await
    }
    async fn alert_by_code(&self, code: &CheckCode) -> Result<Option<Alert>, StoreError> {
        self.inner.alert_by_code(code).await
    }
    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.inner.open_alerts().await
    }
    async fn alerts_since(&self, since: Time) -> Result<Vec<Alert>, StoreError> {
        self.inner.alerts_since(since).await
    }
    async fn alert_rows(&self, alert: AlertId) -> Result<Vec<Delivery>, StoreError> {
        self.inner.alert_rows(alert).await
    }
    async fn followed(
        &self,
        alert: AlertId,
        follows: Follows,
    ) -> Result<Option<Delivery>, StoreError> {
        self.inner.followed(alert, follows).await
    }
    async fn tally(&self, alert: AlertId, version: u32) -> Result<Tally, StoreError> {
        self.inner.tally(alert, version).await
    }
    async fn failures(
        &self,
        alert: AlertId,
        version: u32,
    ) -> Result<Vec<(String, u32)>, StoreError> {
        self.inner.failures(alert, version).await
    }
    async fn interrupted(&self, account: &AccountName) -> Result<Vec<Delivery>, StoreError> {
        self.inner.interrupted(account).await
    }
    async fn claim(&self, rows: Vec<Delivery>, now: Time) -> Result<Vec<Delivery>, StoreError> {
        self.inner.claim(rows, now).await
    }
    async fn settle(&self, ended: Vec<(Delivery, Settled)>, now: Time) -> Result<(), StoreError> {
        self.inner.settle(ended, now).await
    }
    async fn sent_message(&self, row: DeliveryId) -> Result<Option<MessageId>, StoreError> {
        self.inner.sent_message(row).await
    }
    async fn usage(&self, account: &AccountName, month: Month) -> Result<u64, StoreError> {
        self.inner.usage(account, month).await
    }
    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.inner.backlog().await
    }
    async fn scan_incidents(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Incident>, Option<Cursor>), StoreError> {
        self.inner.scan_incidents(from, limit).await
    }
    async fn scan_alerts(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Alert>, Option<Cursor>), StoreError> {
        self.inner.scan_alerts(from, limit).await
    }
    async fn scan_deliveries(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Delivery>, Option<Cursor>), StoreError> {
        self.inner.scan_deliveries(from, limit).await
    }
    async fn scan_audit(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<AuditLine>, Option<Cursor>), StoreError> {
        self.inner.scan_audit(from, limit).await
    }
    async fn backup(&self, to: &Path) -> Result<String, StoreError> {
        self.inner.backup(to).await
    }
    async fn health(&self) -> Result<(), StoreError> {
        self.inner.health().await
    }
    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

/// A worker at work.
struct AtWork {
    store: Arc<Counted>,
    ear: Arc<Ear>,
    wake: Arc<Notify>,
    metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl AtWork {
    fn new(per_second: u32) -> Self {
        let store = Arc::new(Counted {
            inner: MemoryStore::new(),
            reads: AtomicUsize::new(0),
        });
        let ear = Arc::new(Ear {
            account: Account {
                name: tg1(),
                platform: Platform::Telegram,
            },
            heard: Mutex::default(),
            news: Notify::new(),
        });
        let rates = Rates {
            per_second,
            room_per_minute: 1000,
        };
        let (wake, metrics) = (Arc::new(Notify::new()), Arc::new(Metrics::default()));
        let worker = Worker {
            store: store.clone(),
            channel: ear.clone(),
            settings: Settings::new(rates, Arc::new(AreaBook::default())),
            clock: Arc::new(ManualClock::at(noon())),
            wake: wake.clone(),
            news: Arc::new(Notify::new()),
            metrics: metrics.clone(),
            echoes: Arc::default(),
            ledger: None,
        };
        let (stop, stopped) = watch::channel(false);
        Self {
            store,
            ear,
            wake,
            metrics,
            stop,
            task: tokio::spawn(worker.run(stopped)),
        }
    }

    async fn queue(&self, rows: impl IntoIterator<Item = Delivery>) {
        let writes = rows
            .into_iter()
            .map(|row| Write::Delivery(Box::new(row)))
            .collect();
        let act = Act {
            expects: Vec::new(),
            writes,
        };
        self.store.commit(vec![act]).await.unwrap();
        self.wake.notify_one();
    }

    async fn ends(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_pressed_button_is_answered_while_the_account_has_used_up_its_second() {
    let work = AtWork::new(1);
    work.queue((1..=5).map(|id| words(id, Lane::Reply, &format!("nhóm {id}"))))
        .await;
    work.ear.hears(1).await;
    work.queue([press(6, "nhóm 9")]).await;
    let heard = work.ear.hears(2).await;
    assert_eq!(heard, ["lời 1", "p6"]);
    work.ends().await;
}

#[tokio::test]
async fn wake_ups_on_each_others_heels_are_looked_at_together() {
    let work = AtWork::new(1000);
    work.queue([words(1, Lane::Reply, "nhóm 1")]).await;
    work.ear.hears(1).await;
    // Everything is read, also the second time.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let before = work.store.reads.load(Ordering::SeqCst);
    let started = Instant::now();
    let mut rung = 0;
    while started.elapsed() < Duration::from_millis(200) {
        work.wake.notify_one();
        rung += 1;
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let reads = work.store.reads.load(Ordering::SeqCst) - before;
    // Three lanes at most every 10 ms; on a slow machine fewer.
    assert!(rung > 40, "{rung}");
    assert!(reads <= 3 * 22, "{reads} reads for {rung} wake-ups");
    assert!(reads > 0);
    // What comes with the last of them is not left lying.
    work.queue([words(2, Lane::Reply, "nhóm 2")]).await;
    work.ear.hears(2).await;
    work.ends().await;
}

#[tokio::test]
async fn a_row_that_makes_the_channel_panic_fails_alone() {
    let work = AtWork::new(1000);
    work.queue([
        words(1, Lane::Reply, "nhóm 1"),
        words(2, Lane::Reply, "độc"),
        words(3, Lane::Reply, "nhóm 3"),
    ])
    .await;
    let mut heard = work.ear.hears(2).await;
    heard.sort();
    assert_eq!(heard, ["lời 1", "lời 3"]);
    let metrics = work.metrics.clone();
    let store = work.store.clone();
    work.ends().await;
    let count = |name| {
        let all = metrics.values();
        all.iter().find(|(known, _)| *known == name).unwrap().1
    };
    assert_eq!(
        (count("sent"), count("unknown"), count("failed")),
        (2, 1, 0)
    );
    assert_eq!(store.backlog().await.unwrap(), Backlog::default());
}
