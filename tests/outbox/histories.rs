//! Random histories.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use keng::domain::account::Account;
use keng::domain::account::Platform as Kind;
use keng::domain::alert::Alert;
use keng::domain::alert::Level;
use keng::domain::alert::Step;
use keng::domain::alert::Versions;
use keng::domain::area::AreaBook;
use keng::domain::area::AreaId;
use keng::domain::clock::Clock;
use keng::domain::delivery::Body;
use keng::domain::delivery::Delivery;
use keng::domain::delivery::DeliveryState;
use keng::domain::delivery::Lane;
use keng::domain::delivery::Post;
use keng::domain::ids::AccountName;
use keng::domain::ids::AlertId;
use keng::domain::ids::CheckCode;
use keng::domain::ids::DeliveryId;
use keng::domain::ids::IncidentId;
use keng::domain::ids::RoomId;
use keng::domain::room::Room;
use keng::domain::room::RoomKind;
use keng::domain::room::RoomState;
use keng::outbox::Metrics;
use keng::outbox::Rates;
use keng::outbox::Settings;
use keng::outbox::Worker;
use keng::store::Act;
use keng::store::Cursor;
use keng::store::Store;
use keng::store::StoreError;
use keng::store::Write;
use keng::store::memory::MemoryStore;
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::town::End;
use crate::town::Fault;
use crate::town::Heard;
use crate::town::Platform;
use crate::town::Wall;

const ACCOUNTS: usize = 2;
const ROOMS: usize = 4;
const COMMUNES: [&str; 2] = ["06862", "06863"];

/// Low, so that a short history meets them.
const RATES: Rates = Rates {
    per_second: 5,
    room_per_minute: 6,
};

/// Numbers of rows begin here: no other number in a text is as large.
const FIRST_NUMBER: u64 = 100_000;

/// How long an alert of a history is in force.
const IN_FORCE: TimeDelta = TimeDelta::hours(2);

/// One thing that happens.
#[derive(Debug, Clone)]
enum Op {
    /// An alert to the rooms of this mask, over all accounts.
    Publish(u8),
    /// So many receipts in a room.
    Receipts(usize, usize, u8),
    /// An answer in a room.
    Answer(usize, usize),
    /// A digest in a room.
    Digest(usize, usize),
    /// Digests for so many groups of one of two communes, which an account serves both.
    Digests(usize, usize, u8),
    /// The next message of an account meets this.
    Meets(usize, Fault),
    /// Time passes, in milliseconds.
    Wait(u64),
    /// The program is killed and started.
    Kill,
    /// The program is stopped and started.
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let room = || (0..ACCOUNTS, 0..ROOMS);
    let fault = prop_oneof![
        3 => (0_u64..5000).prop_map(Fault::Late),
        2 => (0_u64..80).prop_map(Fault::PostedUnanswered),
        2 => (0_u64..80).prop_map(Fault::LostUnanswered),
        1 => Just(Fault::Refuse),
        1 => Just(Fault::RoomGone),
        2 => (1_u64..400).prop_map(Fault::SlowRoom),
        2 => (1_u64..400).prop_map(Fault::SlowAccount),
        2 => Just(Fault::NotNow),
        1 => Just(Fault::Deny),
        1 => (1_u64..900).prop_map(Fault::AccountRefused),
    ];
    prop_oneof![
        3 => any::<u8>().prop_map(Op::Publish),
        3 => (room(), 1_u8..12).prop_map(|((account, room), count)| Op::Receipts(account, room, count)),
        2 => room().prop_map(|(account, room)| Op::Answer(account, room)),
        1 => room().prop_map(|(account, room)| Op::Digest(account, room)),
        1 => (0..ACCOUNTS, 0..COMMUNES.len(), 1_u8..80)
            .prop_map(|(account, commune, count)| Op::Digests(account, commune, count)),
        6 => (0..ACCOUNTS, fault).prop_map(|(account, fault)| Op::Meets(account, fault)),
        4 => (0_u64..3000).prop_map(Op::Wait),
        1 => (0_u64..400_000).prop_map(Op::Wait),
        1 => Just(Op::Kill),
        1 => Just(Op::Restart),
    ]
}

fn account(number: usize) -> AccountName {
    AccountName::parse(&format!("tk{number}")).unwrap()
}

fn group_of(of: usize, commune: usize, number: u64) -> RoomId {
    RoomId::new(account(of), format!("xã {commune} nhóm {number}"))
}

fn commune_of(room: &RoomId) -> Option<usize> {
    let (commune, _) = room.native.strip_prefix("xã ")?.split_once(' ')?;
    commune.parse().ok()
}

fn room(of: usize, number: usize) -> RoomId {
    RoomId::new(account(of), format!("nhóm {number}"))
}

/// What was queued under a number.
#[derive(Debug, Clone)]
struct Queued {
    lane: Lane,
    room: RoomId,
    row: DeliveryId,
    at: Instant,
    alert: Option<AlertId>,
    receipt: bool,
    /// The commune of a group that hears nothing else.
    commune: Option<usize>,
}

/// The program at work, as it comes and goes.
struct Program {
    store: MemoryStore,
    wall: Arc<Wall>,
    platforms: Vec<Arc<Platform>>,
    bells: Vec<Arc<Notify>>,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<Result<(), StoreError>>>,
    next: u64,
    queued: BTreeMap<u64, Queued>,
    kills: usize,
    /// Groups of communes so far.
    groups: u64,
    /// How much each platform had heard when a process began.
    starts: Vec<Vec<usize>>,
}

impl Program {
    fn new() -> Self {
        let platforms = (0..ACCOUNTS)
            .map(|number| {
                Platform::new(Account {
                    name: account(number),
                    platform: Kind::Telegram,
                })
            })
            .collect();
        let mut program = Self {
            store: MemoryStore::new(),
            wall: Arc::new(Wall::new()),
            platforms,
            bells: Vec::new(),
            stop: watch::channel(false).0,
            workers: Vec::new(),
            next: FIRST_NUMBER,
            queued: BTreeMap::new(),
            kills: 0,
            groups: 0,
            starts: Vec::new(),
        };
        program.starts();
        program
    }

    fn starts(&mut self) {
        let (stop, stopped) = watch::channel(false);
        self.stop = stop;
        let heard = self.platforms.iter().map(|platform| platform.heard().len());
        self.starts.push(heard.collect());
        for platform in &self.platforms {
            platform.meets_a_newcomer();
        }
        self.bells = self
            .platforms
            .iter()
            .map(|_| Arc::new(Notify::new()))
            .collect();
        self.workers = self
            .platforms
            .iter()
            .zip(&self.bells)
            .map(|(platform, bell)| {
                let worker = Worker {
                    store: Arc::new(self.store.clone()),
                    channel: Arc::clone(platform) as Arc<_>,
                    settings: Settings::new(RATES, Arc::new(AreaBook::default())),
                    clock: Arc::clone(&self.wall) as Arc<dyn Clock>,
                    wake: Arc::clone(bell),
                    news: Arc::new(Notify::new()),
                    metrics: Arc::new(Metrics::default()),
                    echoes: Arc::default(),
                    ledger: None,
                };
                tokio::spawn(worker.run(stopped.clone()))
            })
            .collect();
    }

    async fn is_killed(&mut self) {
        for worker in self.workers.drain(..) {
            worker.abort();
            let _ = worker.await;
        }
        self.kills += 1;
        self.store = self.store.after_a_kill();
        self.starts();
    }

    async fn is_restarted(&mut self) {
        self.stop.send(true).unwrap();
        for worker in self.workers.drain(..) {
            worker.await.unwrap().unwrap();
        }
        self.store = self.store.after_a_kill();
        // A send that hangs longer than a stop may take is cut off.
        for number in 0..ACCOUNTS {
            let cut_off = self.store.interrupted(&account(number)).await.unwrap();
            self.kills += usize::from(!cut_off.is_empty());
        }
        self.starts();
    }

    async fn queue(&mut self, rows: Vec<(RoomId, Lane, Body)>, alert: Option<Alert>) {
        let now = self.wall.now();
        let ids = self.store.delivery_ids(rows.len() as u64);
        let alert_id = alert.as_ref().map(|alert| alert.id);
        let mut writes: Vec<Write> = alert
            .into_iter()
            .map(|alert| Write::Alert(Box::new(alert)))
            .collect();
        for (id, (room, lane, body)) in ids.zip(rows) {
            let number = match &body {
                Body::Receipt { incident, .. } => incident.0,
                _ => self.number(),
            };
            let receipt = matches!(body, Body::Receipt { .. });
            let body = match body {
                Body::Text(post) => Body::Text(Post {
                    text: format!("{} {number}", post.text),
                    ..post
                }),
                other => other,
            };
            let known = Queued {
                lane,
                room: room.clone(),
                row: DeliveryId(id),
                at: Instant::now(),
                alert: alert_id,
                receipt,
                commune: commune_of(&room),
            };
            self.queued.insert(number, known);
            writes.push(Write::Delivery(Box::new(Delivery {
                id: DeliveryId(id),
                room,
                thread: None,
                lane,
                body,
                state: DeliveryState::Waiting { due: now },
                attempts: 0,
                maybe_twice: false,
                queued_at: now,
            })));
        }
        let act = Act {
            expects: Vec::new(),
            writes,
        };
        self.store.commit(vec![act]).await.unwrap();
        self.bells.iter().for_each(|bell| bell.notify_one());
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    async fn does(&mut self, op: &Op) {
        match op {
            Op::Publish(mask) => {
                let id = self.store.alert_id();
                let now = self.wall.now();
                let words = format!("Cảnh báo số {}.", alert_number(id));
                let mut alert = Alert::draft(
                    id,
                    CheckCode::from_random(id.0.to_be_bytes()),
                    Level::Warning,
                    AreaId::parse("06862").unwrap(),
                    Versions::first(words, "Đ/c Hà", now),
                    room(0, 0),
                    now + IN_FORCE,
                );
                alert.step(Step::Publish).unwrap();
                let rows = (0..ACCOUNTS * ROOMS)
                    .filter(|bit| mask & (1 << bit) != 0)
                    .map(|bit| {
                        let body = Body::Alert {
                            alert: id,
                            version: 1,
                            follows: None,
                        };
                        (room(bit / ROOMS, bit % ROOMS), Lane::Urgent, body)
                    })
                    .collect();
                self.queue(rows, Some(alert)).await;
            }
            Op::Receipts(of, number, count) => {
                let rows = (0..*count)
                    .map(|_| {
                        let incident = self.number();
                        let body = Body::Receipt {
                            incident: IncidentId(incident),
                            reply_to: None,
                            text: format!("Đã ghi {incident}"),
                            asks: None,
                        };
                        (room(*of, *number), Lane::Reply, body)
                    })
                    .collect();
                self.queue(rows, None).await;
            }
            Op::Answer(of, number) => self.says(*of, *number, Lane::Reply, "Trả lời").await,
            Op::Digest(of, number) => self.says(*of, *number, Lane::Bulk, "Tổng hợp").await,
            Op::Digests(of, commune, count) => {
                let mut rows = Vec::new();
                for _ in 0..*count {
                    self.groups += 1;
                    let room = Room {
                        id: group_of(*of, *commune, self.groups),
                        kind: RoomKind::Group,
                        title: String::new(),
                        area: AreaId::parse(COMMUNES[*commune]).ok(),
                        state: RoomState::Active,
                        sees_all: None,
                        joined_at: self.wall.now(),
                        choices: None,
                    };
                    let post = Post {
                        text: "Tổng hợp".to_owned(),
                        ..Post::default()
                    };
                    rows.push((room.id.clone(), Lane::Bulk, Body::Text(post)));
                    let act = Act {
                        expects: Vec::new(),
                        writes: vec![Write::Room(Box::new(room))],
                    };
                    self.store.commit(vec![act]).await.unwrap();
                }
                self.queue(rows, None).await;
            }
            Op::Meets(of, fault) => self.platforms[*of].next(*fault),
            Op::Wait(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Op::Kill => self.is_killed().await,
            Op::Restart => self.is_restarted().await,
        }
    }

    async fn says(&mut self, of: usize, number: usize, lane: Lane, words: &str) {
        let post = Post {
            text: words.to_owned(),
            ..Post::default()
        };
        self.queue(vec![(room(of, number), lane, Body::Text(post))], None)
            .await;
    }

    /// The platforms are well again, and time passes until nothing waits.
    async fn comes_to_rest(&self) -> Result<(), String> {
        self.platforms.iter().for_each(|platform| platform.heals());
        for _ in 0..24 * 60 {
            let backlog = self.store.backlog().await.unwrap();
            if backlog.urgent + backlog.reply + backlog.bulk == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Err("after a day rows still wait or are on their way".to_owned())
    }

    /// The alerts' rows as they ended.
    async fn ended(&self) -> HashMap<DeliveryId, Delivery> {
        let mut rows = HashMap::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let (page, next) = self.store.scan_deliveries(&cursor, 500).await.unwrap();
            rows.extend(page.into_iter().map(|row| (row.id, row)));
            from = next;
        }
        rows
    }
}

fn alert_number(id: AlertId) -> u64 {
    10_000_000 + id.0
}

/// The numbers in a text that stand for rows or alerts.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .filter(|&number| number >= FIRST_NUMBER)
        .collect()
}

/// Everything that a platform was told about one row, in order.
fn tries<'h>(heard: &'h [Heard], number: u64, queued: &Queued) -> Vec<&'h Heard> {
    let number = queued.alert.map_or(number, alert_number);
    heard
        .iter()
        .filter(|heard| heard.room == queued.room && numbers(&heard.text).contains(&number))
        .collect()
}

/// What holds at the end of every history; the words name what does not.
async fn promises(program: &Program) -> Result<(), String> {
    let ended = program.ended().await;
    let mut wrong = String::new();
    for (number, platform) in program.platforms.iter().enumerate() {
        let heard = platform.heard();
        for trespass in platform.trespasses() {
            let _ = writeln!(wrong, "never sooner than the platform asked: {trespass}");
        }
        // What a process before it has sent, a new one does not know.
        for (index, start) in program.starts.iter().enumerate() {
            let end = program
                .starts
                .get(index + 1)
                .map_or(heard.len(), |next| next[number]);
            within_rates(&heard[start[number]..end], &mut wrong);
        }
        let own: Vec<(u64, &Queued)> = program
            .queued
            .iter()
            .filter(|(_, queued)| queued.room.account == account(number))
            .map(|(number, queued)| (*number, queued))
            .collect();
        for (number, queued) in &own {
            let tries = tries(&heard, *number, queued);
            one_row(program, *number, queued, &tries, &ended, &mut wrong);
        }
        in_order(&heard, &own, &mut wrong);
        by_turns(&heard, &own, program.starts.len(), &mut wrong);
    }
    for alert in program
        .queued
        .values()
        .filter_map(|queued| queued.alert)
        .collect::<HashSet<_>>()
    {
        let tally = program.store.tally(alert, 1).await.unwrap();
        let states: Vec<&str> = ended
            .values()
            .filter(|row| matches!(row.body, Body::Alert { alert: of, .. } if of == alert))
            .map(|row| row.state.as_str())
            .collect();
        let count = |state| states.iter().filter(|one| **one == state).count() as u32;
        if tally.waiting() != 0
            || (tally.sent, tally.unknown, tally.failed)
                != (count("sent"), count("unknown"), count("failed"))
            || tally.planned as usize != states.len()
        {
            let _ = writeln!(
                wrong,
                "the tally is what the rows are: {tally:?} {states:?}"
            );
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn one_row(
    program: &Program,
    number: u64,
    queued: &Queued,
    tries: &[&Heard],
    ended: &HashMap<DeliveryId, Delivery>,
    wrong: &mut String,
) {
    let stands = tries
        .iter()
        .filter(|heard| matches!(heard.end, End::Accepted | End::Unanswered))
        .count();
    let unanswered = tries
        .iter()
        .filter(|heard| matches!(heard.end, End::Unanswered | End::Lost))
        .count();
    let mut claim = |holds: bool, what: &str| {
        if !holds {
            let ends: Vec<End> = tries.iter().map(|heard| heard.end).collect();
            let row = ended.get(&queued.row);
            let _ = writeln!(wrong, "{what}: {number} {queued:?} {ends:?} {row:?}");
        }
    };
    if queued.alert.is_some() {
        let Some(row) = ended.get(&queued.row) else {
            claim(false, "every room of an alert ends on record");
            return;
        };
        claim(stands <= 2, "an alert stands at most twice in a room");
        claim(
            stands < 2 || row.maybe_twice,
            "what may stand there twice is said to",
        );
        match &row.state {
            DeliveryState::Sent { .. } => claim(stands >= 1, "what was sent stands there"),
            DeliveryState::Failed { why, .. } => {
                claim(
                    stands == 0 || row.maybe_twice,
                    "what failed does not stand there",
                );
                claim(!why.is_empty(), "a failure has its reason");
            }
            DeliveryState::Unknown { .. } => claim(
                unanswered > 0 || program.kills > 0,
                "unknown is only what went unanswered",
            ),
            DeliveryState::Waiting { .. } | DeliveryState::Sending { .. } => {
                claim(false, "every row ends");
            }
        }
        return;
    }
    let again = if queued.lane == Lane::Bulk {
        0
    } else {
        program.kills
    };
    claim(
        stands <= 1 + again,
        "receipts and answers are not repeated but after a kill, digests never",
    );
    let patience = Duration::from_secs(if queued.lane == Lane::Bulk { 6 } else { 1 } * 3600);
    let was_late = tries
        .last()
        .is_none_or(|last| last.at + Duration::from_secs(600) > queued.at + patience);
    let hopeless = tries.iter().any(|heard| heard.end == End::Refused)
        || unanswered > 0
        || tries.iter().filter(|heard| heard.end == End::Later).count() >= 5
        || program.kills > 0
        || was_late
        || (queued.receipt && tries.is_empty());
    claim(
        stands >= 1 || hopeless,
        "nothing that could be said is left unsaid",
    );
}

/// In a room, what is of one lane stands in the order in which it was queued. Rows whose first try went
/// unanswered come when they come: nobody knows where they stand.
fn in_order(heard: &[Heard], own: &[(u64, &Queued)], wrong: &mut String) {
    let mut last: HashMap<(RoomId, Lane), DeliveryId> = HashMap::new();
    let mut seen = HashSet::new();
    for heard in heard.iter().filter(|heard| heard.end == End::Accepted) {
        for (number, queued) in own {
            let named = queued.alert.map_or(*number, alert_number);
            if queued.room != heard.room || !numbers(&heard.text).contains(&named) {
                continue;
            }
            if !seen.insert(queued.row) {
                continue;
            }
            let key = (queued.room.clone(), queued.lane);
            let before = last.entry(key).or_insert(queued.row);
            if *before > queued.row {
                let _ = writeln!(
                    wrong,
                    "a room hears in order: {queued:?} after row {before:?}"
                );
            }
            *before = queued.row.max(*before);
        }
    }
}

/// No commune waits for another's bulk: between the hour at which a digest was queued and its own first try,
/// the other commune had no more tries than its own, but for what had been claimed already.
fn by_turns(heard: &[Heard], own: &[(u64, &Queued)], starts: usize, wrong: &mut String) {
    let claimed = 2 * RATES.per_second as usize * starts;
    for (number, queued) in own {
        let Some(commune) = queued.commune else {
            continue;
        };
        let mine = heard.iter().position(|heard| heard.room == queued.room);
        let before = { heard.iter().take(mine.unwrap_or(heard.len())) }
            .filter(|heard| heard.at >= queued.at)
            .filter_map(|heard| commune_of(&heard.room));
        let (same, other): (Vec<usize>, Vec<usize>) = before.partition(|one| *one == commune);
        if mine.is_some() && other.len() > same.len() + claimed {
            let _ = writeln!(
                wrong,
                "no commune waits for another's bulk: {number} {queued:?} after {} of the other and {} of its own",
                other.len(),
                same.len()
            );
        }
    }
}

/// Never more than the limits in any sliding second, and in a room in any sliding minute.
fn within_rates(heard: &[Heard], wrong: &mut String) {
    let mut check = |times: &[Instant], most: u32, span: Duration, what: &str| {
        for window in times.windows(most as usize + 1) {
            if let [first, .., last] = window
                && *last - *first < span
            {
                let _ = writeln!(wrong, "within the limits of {what}: {window:?}");
            }
        }
    };
    let times: Vec<Instant> = heard.iter().map(|heard| heard.at).collect();
    check(
        &times,
        RATES.per_second,
        Duration::from_secs(1),
        "the account",
    );
    let rooms: HashSet<&RoomId> = heard.iter().map(|heard| &heard.room).collect();
    for room in rooms {
        let times: Vec<Instant> = heard
            .iter()
            .filter(|heard| heard.room == *room)
            .map(|heard| heard.at)
            .collect();
        let minute = Duration::from_secs(60);
        check(&times, RATES.room_per_minute, minute, &room.to_string());
    }
}

#[test]
fn whatever_happens_the_promises_hold() {
    let count = std::env::var("KENG_HISTORIES")
        .ok()
        .and_then(|count| count.parse().ok());
    let seed: u64 = std::env::var("KENG_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let config = Config {
        cases: count.unwrap_or(300),
        failure_persistence: None,
        ..Config::default()
    };
    let cases = config.cases;
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let messages = std::cell::Cell::new(0);
    let outcome = runner.run(&proptest::collection::vec(op(), 1..40), |ops| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let held = runtime.block_on(async {
            let mut program = Program::new();
            for op in &ops {
                program.does(op).await;
            }
            program.comes_to_rest().await?;
            program.is_restarted().await;
            let heard: usize = program
                .platforms
                .iter()
                .map(|platform| platform.heard().len())
                .sum();
            messages.set(messages.get() + heard);
            promises(&program).await
        });
        held.map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    println!(
        "{cases} histories, {} messages at the platforms, seed {seed}: every promise held",
        messages.get()
    );
}
