//! The outbox at full size, on a simulated clock: hours pass in seconds, and limits are kept to the millisecond.
//!
//! `cargo bench --bench outbox` prints one table; `-- ROOMS ACCOUNTS` chooses other numbers (100,000 rooms over
//! 20 accounts). Every account may send 30 messages a second, a room 20 a minute. What is measured:
//!
//! - *last room*: when the last room of an alert had it, by the floor `(rooms - 30) / 30 s` of its account.
//!   100,000 digests wait already, and receipts and answers go on coming;
//! - *overtake*: how long the first room waited behind those digests;
//! - *limit errors*: messages that a platform with these limits would have answered with 429;
//! - what becomes of every room when one message in a hundred is lost without an answer, one is posted
//!   without an answer, one is answered with 429, and half of the accounts are away for ten minutes.
//!
//! The store is the one in memory: this is about the outbox. What disks cost, the town's bench measures.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use keng::channel::Address;
use keng::channel::Capabilities;
use keng::channel::Channel;
use keng::channel::HookError;
use keng::channel::PollError;
use keng::channel::Profile;
use keng::domain::account::Account;
use keng::domain::account::Platform;
use keng::domain::alert::Alert;
use keng::domain::alert::Level;
use keng::domain::alert::Step;
use keng::domain::alert::Versions;
use keng::domain::area::AreaBook;
use keng::domain::area::AreaId;
use keng::domain::clock::Clock;
use keng::domain::clock::Time;
use keng::domain::clock::from_unix_ms;
use keng::domain::delivery::Body;
use keng::domain::delivery::Delivery;
use keng::domain::delivery::DeliveryState;
use keng::domain::delivery::Lane;
use keng::domain::delivery::Post;
use keng::domain::delivery::SendOutcome;
use keng::domain::ids::AccountName;
use keng::domain::ids::AlertId;
use keng::domain::ids::CheckCode;
use keng::domain::ids::DeliveryId;
use keng::domain::ids::IncidentId;
use keng::domain::ids::MessageId;
use keng::domain::ids::RoomId;
use keng::domain::message::Inbound;
use keng::outbox::Metrics;
use keng::outbox::Rates;
use keng::outbox::Settings;
use keng::outbox::Worker;
use keng::store::Act;
use keng::store::Cursor;
use keng::store::Store;
use keng::store::Write;
use keng::store::memory::MemoryStore;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;

const RATES: Rates = Rates {
    per_second: 30,
    room_per_minute: 20,
};

/// How long a platform takes for an answer.
const ANSWER: Duration = Duration::from_millis(80);

/// Digests that wait when the alert comes.
const DIGESTS: usize = 100_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// One message in so many is lost without an answer, one is posted without, one is told to wait. 0: none.
    one_in: u64,
    /// Half of the accounts are away so long.
    half_away: Duration,
    /// The first account is revoked.
    first_revoked: bool,
}

/// A platform with the limits of the config, and the weather.
#[derive(Debug)]
struct Door {
    account: Account,
    weather: Weather,
    number: usize,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    dice: u64,
    second: VecDeque<Instant>,
    minutes: HashMap<RoomId, VecDeque<Instant>>,
    limit_errors: u64,
    first_alert: Option<Instant>,
    last_alert: Option<Instant>,
    others: u64,
    /// How often an alert stands in a room.
    stands: HashMap<RoomId, u32>,
    unanswered: u64,
}

impl Door {
    fn meets(&self, room: &RoomId, alert: bool) -> (SendOutcome, Duration) {
        let now = Instant::now();
        let mut state = self.state.lock().expect("no thread panics with it");
        if self.weather.first_revoked && self.number == 0 {
            return (SendOutcome::AccountRefused("Unauthorized".into()), ANSWER);
        }
        if self.number % 2 == 1 && now < self.start + self.weather.half_away {
            let away = SendOutcome::NotNow("connection refused".into());
            return (away, Duration::from_millis(1));
        }
        let second = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        while state.second.front().is_some_and(|at| *at <= second) {
            state.second.pop_front();
        }
        let minute = now.checked_sub(Duration::from_secs(60)).unwrap_or(now);
        let in_room = state.minutes.entry(room.clone()).or_default();
        while in_room.front().is_some_and(|at| *at <= minute) {
            in_room.pop_front();
        }
        let too_many = in_room.len() >= RATES.room_per_minute as usize
            || state.second.len() >= RATES.per_second as usize;
        if too_many {
            state.limit_errors += 1;
        }
        state.second.push_back(now);
        let in_room = state.minutes.entry(room.clone()).or_default();
        in_room.push_back(now);
        state.dice = state
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let luck = if self.weather.one_in == 0 {
            u64::MAX
        } else {
            (state.dice >> 33) % self.weather.one_in
        };
        let stands = match luck {
            0 | 2 => false,
            _ if too_many => false,
            _ => true,
        };
        if stands && alert {
            state.first_alert.get_or_insert(now);
            state.last_alert = Some(now);
            *state.stands.entry(room.clone()).or_default() += 1;
        } else if stands {
            state.others += 1;
        }
        state.unanswered += u64::from(matches!(luck, 0 | 1) && alert);
        match luck {
            0 | 1 => (
                SendOutcome::Unknown("no answer".into()),
                Duration::from_secs(30),
            ),
            _ if too_many || luck == 2 => {
                let slow = SendOutcome::SlowDown {
                    wait: Duration::from_secs(3),
                    whole_account: too_many,
                };
                (slow, ANSWER)
            }
            _ => (SendOutcome::Accepted(None), ANSWER),
        }
    }
}

#[async_trait]
impl Channel for Door {
    fn account(&self) -> &Account {
        &self.account
    }

    fn capabilities(&self, _room: &RoomId) -> Capabilities {
        Capabilities {
            can_edit: true,
            can_delete: true,
            can_pin: false,
            buttons: true,
            echoes: false,
            max_text: 4096,
            pictures: keng::channel::Pictures::Never,
            closes: false,
            is_wall: false,
        }
    }

    async fn profile(&self) -> Result<Profile, PollError> {
        Ok(Profile::default())
    }

    async fn post(&self, to: &Address, post: &Post) -> SendOutcome {
        let (outcome, after) = self.meets(&to.room, post.text.contains(WORDS));
        tokio::time::sleep(after).await;
        outcome
    }

    async fn delete(&self, _room: &RoomId, _message: &MessageId) -> SendOutcome {
        SendOutcome::Accepted(None)
    }

    async fn answer_press(&self, _press: &str, _text: &str) -> SendOutcome {
        SendOutcome::Accepted(None)
    }

    fn parse_hook(
        &self,
        _headers: &[(String, Vec<u8>)],
        _body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError> {
        Err(HookError::NotExpected)
    }
}

const WORDS: &str = "Có người giả danh công an gọi điện";

#[derive(Debug)]
struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Time {
        let passed = i64::try_from(self.0.elapsed().as_millis()).unwrap_or_default();
        from_unix_ms(1_795_507_500_000 + passed)
    }
}

fn account(number: usize) -> AccountName {
    AccountName::parse(&format!("tk{number}")).expect("a name")
}

fn row(id: u64, room: RoomId, lane: Lane, body: Body, now: Time) -> Write {
    Write::Delivery(Box::new(Delivery {
        id: DeliveryId(id),
        room,
        thread: None,
        lane,
        body,
        state: DeliveryState::Waiting { due: now },
        attempts: 0,
        maybe_twice: false,
        queued_at: now,
    }))
}

async fn commit(store: &MemoryStore, writes: Vec<Write>) {
    let act = Act {
        expects: Vec::new(),
        writes,
    };
    let done = store.commit(vec![act]).await;
    done.expect("the store in memory takes everything");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

async fn run(name: &str, rooms: usize, accounts: usize, weather: Weather) {
    let real = std::time::Instant::now();
    let start = Instant::now();
    let store = MemoryStore::new();
    let wall: Arc<dyn Clock> = Arc::new(Wall(start));
    let mut doors = Vec::new();
    let mut bells = Vec::new();
    let mut workers = Vec::new();
    let (stop, stopped) = watch::channel(false);
    for number in 0..accounts {
        let door = Arc::new(Door {
            account: Account {
                name: account(number),
                platform: Platform::Telegram,
            },
            weather,
            number,
            start,
            state: Mutex::new(State {
                dice: number as u64 + 1,
                ..State::default()
            }),
        });
        let bell = Arc::new(Notify::new());
        let worker = Worker {
            store: Arc::new(store.clone()),
            channel: Arc::clone(&door) as Arc<dyn Channel>,
            settings: Settings::new(RATES, Arc::new(AreaBook::default())),
            clock: Arc::clone(&wall),
            wake: Arc::clone(&bell),
            news: Arc::new(Notify::new()),
            metrics: Arc::new(Metrics::default()),
            echoes: Arc::default(),
            ledger: None,
        };
        workers.push(tokio::spawn(worker.run(stopped.clone())));
        doors.push(door);
        bells.push(bell);
    }
    let room =
        |index: usize| RoomId::new(account(index % accounts), format!("{}", index / accounts));
    let ring = || bells.iter().for_each(|bell| bell.notify_one());
    let says = |text: String| {
        Body::Text(Post {
            text,
            ..Post::default()
        })
    };

    let now = wall.now();
    let ids: Vec<u64> = store.delivery_ids(DIGESTS as u64).collect();
    for chunk in ids.chunks(1000) {
        let writes = chunk.iter().map(|&id| {
            let body = says(format!("Tổng hợp {id}"));
            row(id, room(id as usize % rooms), Lane::Bulk, body, now)
        });
        commit(&store, writes.collect()).await;
    }
    ring();
    tokio::time::sleep(Duration::from_secs(20)).await;

    let published = Instant::now();
    let now = wall.now();
    let id = AlertId(1);
    let mut alert = Alert::draft(
        id,
        CheckCode::from_random([7; 8]),
        Level::Urgent,
        AreaId::parse("06862").expect("an area"),
        Versions::first(WORDS, "Đ/c Hà", now),
        room(0),
        now + TimeDelta::hours(24),
    );
    alert.step(Step::Publish).expect("a draft is published");
    let mut writes = vec![Write::Alert(Box::new(alert))];
    for (index, row_id) in store.delivery_ids(rooms as u64).enumerate() {
        let body = Body::Alert {
            alert: id,
            version: 1,
            follows: None,
        };
        writes.push(row(row_id, room(index), Lane::Urgent, body, now));
    }
    commit(&store, writes).await;
    ring();
    let resident = resident_kib();
    let mut highest = resident;

    // Residents go on writing: two receipts a second for each account.
    let mut incident = 1000;
    let mut ended_at = None;
    for second in 0.. {
        let tally = store.tally(id, 1).await.expect("a tally");
        if tally.planned > 0 && tally.waiting() == 0 {
            ended_at = Some(second);
            break;
        }
        if second > 1800 {
            break;
        }
        let now = wall.now();
        let mut writes = Vec::new();
        for (index, row_id) in store.delivery_ids(2 * accounts as u64).enumerate() {
            incident += 1;
            let body = Body::Receipt {
                incident: IncidentId(incident),
                reply_to: None,
                text: format!("✅ Đã ghi nhận, mã {incident}."),
                asks: None,
            };
            let to = room((index + second * 7 * accounts) % rooms);
            writes.push(row(row_id, to, Lane::Reply, body, now));
        }
        commit(&store, writes).await;
        ring();
        tokio::time::sleep(Duration::from_secs(1)).await;
        highest = highest.max(resident_kib());
    }
    let tally = store.tally(id, 1).await.expect("a tally");
    let _ = stop.send(true);
    for worker in workers {
        worker
            .await
            .expect("a worker ends")
            .expect("the store in memory does not fail");
    }

    let per_account = rooms / accounts;
    let floor = (per_account as f64 - f64::from(RATES.per_second)) / f64::from(RATES.per_second);
    let mut last: f64 = 0.0;
    let mut last_of_well: f64 = 0.0;
    let mut overtake: f64 = 0.0;
    let (mut limit_errors, mut twice, mut unanswered, mut others) = (0, 0, 0, 0);
    for door in &doors {
        let state = door.state.lock().expect("no thread panics with it");
        limit_errors += state.limit_errors;
        unanswered += state.unanswered;
        others += state.others;
        twice += state.stands.values().filter(|times| **times > 1).count();
        let after = |at: Option<Instant>| at.map_or(0.0, |at| (at - published).as_secs_f64());
        last = last.max(after(state.last_alert));
        if door.number % 2 == 0 {
            last_of_well = last_of_well.max(after(state.last_alert));
            overtake = overtake.max(after(state.first_alert));
        }
    }
    let maybe_twice = maybe_twice(&store).await;
    println!("\n{name}: {rooms} rooms over {accounts} accounts");
    println!(
        "  last room           {last:.1} s, floor {floor:.1} s: {:.3}; over accounts that were well {:.3}",
        last / floor,
        last_of_well / floor
    );
    println!("  overtake            {overtake:.3} s behind {DIGESTS} digests");
    println!("  limit errors        {limit_errors}");
    println!(
        "  rooms               {} sent ({} perhaps twice, {twice} really), {} unknown, {} failed, {} waiting; {unanswered} sends without an answer",
        tally.sent,
        maybe_twice,
        tally.unknown,
        tally.failed,
        tally.waiting()
    );
    println!(
        "  meanwhile           {others} receipts and digests; all settled after {} s",
        ended_at.map_or("-".to_owned(), |second: usize| second.to_string())
    );
    println!(
        "  memory              {} MiB when published, highest {} MiB (with the store's rows); {:.1} s of real time",
        resident >> 10,
        highest >> 10,
        real.elapsed().as_secs_f64()
    );
}

async fn maybe_twice(store: &MemoryStore) -> usize {
    let mut count = 0;
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let page = store.scan_deliveries(&cursor, 5000).await;
        let (rows, next) = page.expect("rows");
        count += rows.iter().filter(|row| row.maybe_twice).count();
        from = next;
    }
    count
}

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let rooms = numbers.first().copied().unwrap_or(100_000);
    let accounts = numbers.get(1).copied().unwrap_or(20);
    let cases = [
        ("fair weather", Weather::default()),
        (
            "1 % lost, 1 % unanswered, 1 % told to wait",
            Weather {
                one_in: 100,
                ..Weather::default()
            },
        ),
        (
            "half of the accounts away for ten minutes",
            Weather {
                half_away: Duration::from_secs(600),
                ..Weather::default()
            },
        ),
        (
            "one account revoked",
            Weather {
                first_revoked: true,
                ..Weather::default()
            },
        ),
    ];
    for (name, weather) in cases {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(run(name, rooms, accounts, weather));
    }
}
