//! One account speaks: claim on disk, let go, use the network, settle on disk.
//!
//! The worker is one task that never waits for one thing only. It has one hand for looking and
//! claiming, one for settling, and as many sends under way as the limits and [`Settings::in_flight`]
//! allow:
//!
//! 1. Look: read pages of waiting rows, ask the [plan](super::plan) what may leave now or in the next
//!    30 ms, and claim those rows in one durable write.
//! 2. Claimed rows wait until the [limits](super::limit) really let them go; only then does a byte
//!    leave. A long text passes the limits once for each of its parts.
//! 3. What has been answered is settled in one durable write for all answers that came meanwhile. A row
//!    that goes back to the queue keeps its room closed until that write is done, so that no later row
//!    overtakes it.
//!
//! A row that cannot be rendered, even one that panics, fails alone with its reason. A row whose
//! process dies under way is found by the next start ([`after_crash`]). When the store fails the worker
//! ends with its error: nothing can be said that is not on record.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;
use tracing::error;
use tracing::info;
use tracing::trace;
use tracing::warn;

use super::cards::Cards;
use super::evidence::Evidence;
use super::late::Late;
use super::limit::Limits;
use super::limit::Rates;
use super::limit::Ticket;
use super::metrics::Metrics;
use super::plan::Ask;
use super::plan::Commune;
use super::plan::Group;
use super::plan::Line;
use super::plan::Places;
use super::plan::Plan;
use super::plan::Spot;
use super::quota::Ledger;
use super::render::Rendered;
use super::render::Words;
use super::rooms::Place;
use super::rooms::Rooms;
use super::settle::Policy;
use super::settle::after;
use super::settle::after_crash;
use super::settle::in_time;
use super::settle::pause;
use crate::channel::Address;
use crate::channel::Channel;
use crate::channel::Pin;
use crate::channel::echoes::Echoes;
use crate::domain::area::AreaBook;
use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::delivery::Settled;
use crate::domain::hand::HandGroups;
use crate::domain::ids::AccountName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::quota::Standing;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::store::Act;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;
use crate::store::hands;
use crate::store::hands::ByHand;

/// Without any news, look this often: a wake-up from another process may never come.
const IDLE_LOOK: Duration = Duration::from_secs(30);

/// A send that has been under way for longer takes no place: it hangs, and others need not wait.
const YOUNG: Duration = Duration::from_secs(2);

/// So many may hang at once.
const HANGING: usize = 1024;

/// Wake-ups that follow each other sooner than this are one: reading pages of waiting rows for every
/// batch that comes in would take more of the processor than the batches.
const GATHER: Duration = Duration::from_millis(10);

/// Pages read before something is picked.
const PAGES: usize = 8;

/// Claimed rows that must wait longer than this go back to the queue.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often an account that the platform refused is tried.
const REFUSED_REST: Duration = Duration::from_secs(60);

/// How often one part of a long text is tried, once earlier parts are in the room.
const PART_TRIES: u16 = 10;

/// A platform that makes a whole account wait so long has not been asked too often: somebody must look.
const LONG_WAIT: Duration = Duration::from_secs(600);

/// Until what a row rests on is on record.
const NOT_YET_REST: Duration = Duration::from_millis(500);

/// After a read that failed.
const READ_REST: Duration = Duration::from_secs(5);

/// How a worker works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the platform allows.
    pub rates: Rates,
    /// What is done about what went wrong.
    pub policy: Policy,
    /// Sends under way at once; those that hang for 2 s no longer count.
    pub in_flight: usize,
    /// Rows claimed in one durable write, at most.
    pub claim: usize,
    /// How long a stop waits for sends under way.
    pub drain: Duration,
    /// How long a send without an answer is looked for among our own posts, where they come back.
    pub evidence: Duration,
    /// The names of areas, for the words of alerts.
    pub areas: Arc<AreaBook>,
    /// The pictures that go with alerts.
    pub cards: Arc<Cards>,
    /// Groups in which a person posts by hand.
    pub hands: Arc<HandGroups>,
}

impl Settings {
    /// What suits the rates: a quarter of a second's sends under way, at least 64.
    #[must_use]
    pub fn new(rates: Rates, areas: Arc<AreaBook>) -> Self {
        Self {
            rates,
            policy: Policy::default(),
            in_flight: (rates.per_second as usize / 4).clamp(64, 512),
            claim: 256,
            drain: Duration::from_secs(8),
            evidence: Duration::from_secs(10),
            areas,
            cards: Arc::default(),
            hands: Arc::default(),
        }
    }
}

/// The outbox of one account.
#[derive(Debug)]
pub struct Worker {
    /// Where the rows are.
    pub store: Arc<dyn Store>,
    /// Who posts.
    pub channel: Arc<dyn Channel>,
    /// How.
    pub settings: Settings,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Told (`notify_one`) after rows of this account were committed.
    pub wake: Arc<Notify>,
    /// Told by the worker when rooms of an alert have ended; the reporter listens.
    pub news: Arc<Notify>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Our own posts, where the platform shows them to us.
    pub echoes: Arc<Echoes>,
    /// The books, where the platform counts a month's messages.
    pub ledger: Option<Arc<Ledger>>,
}

impl Worker {
    /// Sends until `stop` turns true (or its sender is dropped), then finishes what is under way.
    ///
    /// # Errors
    /// When the store fails. What was under way is found at the next start.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let account = self.channel.account().name.clone();
        settle_interrupted(&self, &account).await?;
        let evidence = Evidence {
            store: Arc::clone(&self.store),
            channel: Arc::clone(&self.channel),
            echoes: Arc::clone(&self.echoes),
            areas: Arc::clone(&self.settings.areas),
            clock: Arc::clone(&self.clock),
            news: Arc::clone(&self.news),
        };
        let sending = Run::new(self, account).run(stop.clone());
        tokio::try_join!(sending, evidence.run(stop))?;
        Ok(())
    }
}

/// Ends what an earlier process had under way when it died.
async fn settle_interrupted(worker: &Worker, account: &AccountName) -> Result<(), StoreError> {
    let rows = worker.store.interrupted(account).await?;
    if rows.is_empty() {
        return Ok(());
    }
    info!(account = %account, rows = rows.len(), "the last process ended while it was sending");
    let now = worker.clock.now();
    if let Some(ledger) = &worker.ledger {
        rows.iter().for_each(|_| ledger.left());
        ledger.write_down().await?;
    }
    let ended: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let mut settled = after_crash(&row, &worker.settings.policy, now);
            // It may come back by itself: then it need not be repeated.
            if let Settled::Again { due, .. } = &mut settled
                && worker.channel.capabilities(&row.room).echoes
            {
                *due += in_time(worker.settings.evidence);
            }
            count(&worker.metrics, &settled);
            (row, settled)
        })
        .collect();
    for some in ended.chunks(worker.settings.claim.max(1)) {
        worker.store.settle(some.to_vec(), now).await?;
    }
    worker.news.notify_one();
    Ok(())
}

/// What sends need, shared by all of them.
#[derive(Debug)]
struct Shared {
    account: AccountName,
    store: Arc<dyn Store>,
    channel: Arc<dyn Channel>,
    clock: Arc<dyn Clock>,
    words: Words,
    rooms: Rooms,
    echoes: Arc<Echoes>,
    evidence: Duration,
    ledger: Option<Arc<Ledger>>,
    policy: Policy,
    keeping: tokio::sync::Mutex<()>,
    hands: Arc<HandGroups>,
}

impl Shared {
    /// Where a room is spoken to: for a group in which a person posts by hand, the chat of that person.
    fn reached_by(&self, room: &RoomId) -> RoomId {
        let group = self.hands.of(room);
        group.map_or_else(|| room.clone(), |group| group.admin.clone())
    }
}

/// Rows that were claimed together and become one message, or one after the other.
#[derive(Debug)]
struct Job {
    group: Group,
    /// The parts still to be posted; none before the rows are rendered.
    parts: Option<VecDeque<Post>>,
    /// The message that the first part became.
    first: Option<MessageId>,
    /// Parts that are in the room, but for those that the others can do without.
    posted: usize,
    /// Tries of the part that is next.
    tries: u16,
    not_before: Option<Instant>,
    /// Until when the alert it carries is in force.
    expires: Option<Time>,
}

impl Job {
    fn new(group: Group) -> Self {
        Self {
            group,
            parts: None,
            first: None,
            posted: 0,
            tries: 0,
            not_before: None,
            expires: None,
        }
    }
}

/// How one part of a job ended.
#[derive(Debug)]
enum End {
    /// Nothing left: the rows are settled without it.
    NotSent(Settled),
    /// The platform said, or did not say.
    Outcome(SendOutcome),
}

#[derive(Debug)]
struct Ended {
    job: Job,
    ticket: Ticket,
    released: Instant,
    end: End,
}

/// Rows to be settled, and what else their ends mean.
#[derive(Debug)]
struct Finished {
    line: Line,
    kind: RoomKind,
    commune: Commune,
    lane: Lane,
    rows: Vec<(Delivery, Settled)>,
    /// The line stays closed until the rows are settled.
    held: bool,
    room_gone: Option<RoomId>,
    moved: Option<(RoomId, RoomId)>,
}

/// What the looking hand brings.
enum Hand {
    Page(Ask, Vec<Delivery>, HashMap<RoomId, Place>),
    Unreadable(StoreError),
    Claimed(Vec<Group>, Vec<Delivery>),
    Broken(StoreError),
}

struct Run {
    shared: Arc<Shared>,
    settings: Settings,
    wake: Arc<Notify>,
    news: Arc<Notify>,
    metrics: Arc<Metrics>,
    plan: Plan,
    limits: Limits,
    /// Claimed and waiting for their moment, by lane.
    ready: [VecDeque<Job>; 3],
    in_flight: FuturesUnordered<BoxFuture<'static, Ended>>,
    released: BTreeSet<(Instant, u64)>,
    hand: Option<BoxFuture<'static, Hand>>,
    settling: Option<BoxFuture<'static, Result<Vec<Finished>, StoreError>>>,
    finished: Vec<Finished>,
    /// When to look next.
    look_at: Instant,
    /// When the last wake-up was looked at, or will be.
    woken_at: Option<Instant>,
    /// The account's limit is used up: nothing but time helps.
    used_up: bool,
    pages: usize,
    stopping: Option<Instant>,
}

impl Run {
    fn new(worker: Worker, account: AccountName) -> Self {
        let shared = Shared {
            account,
            words: Words::new(
                Arc::clone(&worker.store),
                Arc::clone(&worker.settings.areas),
                Arc::clone(&worker.channel),
                Arc::clone(&worker.settings.cards),
                Arc::clone(&worker.settings.hands),
            ),
            rooms: Rooms::new(Arc::clone(&worker.store)),
            echoes: worker.echoes,
            evidence: worker.settings.evidence,
            ledger: worker.ledger,
            policy: worker.settings.policy,
            keeping: tokio::sync::Mutex::default(),
            hands: Arc::clone(&worker.settings.hands),
            store: worker.store,
            channel: worker.channel,
            clock: worker.clock,
        };
        Self {
            shared: Arc::new(shared),
            limits: Limits::new(worker.settings.rates),
            settings: worker.settings,
            wake: worker.wake,
            news: worker.news,
            metrics: worker.metrics,
            plan: Plan::default(),
            ready: Default::default(),
            in_flight: FuturesUnordered::new(),
            released: BTreeSet::new(),
            hand: None,
            settling: None,
            finished: Vec::new(),
            look_at: Instant::now(),
            woken_at: None,
            used_up: false,
            pages: 0,
            stopping: None,
        }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let wake = Arc::clone(&self.wake);
        // Listen before looking. A row that is queued between the look and the wait would otherwise
        // sleep until the next look.
        let mut woken = std::pin::pin!(wake.notified());
        woken.as_mut().enable();
        loop {
            let now = Instant::now();
            let next_release = self.release(now);
            self.look(now);
            self.settle();
            Metrics::set(&self.metrics.in_flight, self.in_flight.len());
            if let Some(until) = self.stopping
                && (self.is_done() || now >= until)
            {
                return self.leave().await;
            }
            let sleep_until = self.sleep_until(next_release);
            // In no fixed order: neither hand may starve behind sends that keep ending.
            tokio::select! {
                stopped = stop.wait_for(|&stop| stop), if self.stopping.is_none() => {
                    drop(stopped);
                    self.stop();
                }
                Some(ended) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.ended(ended);
                    while let Some(Some(ended)) = self.in_flight.next().now_or_never() {
                        self.ended(ended);
                    }
                }
                settled = outcome(&mut self.settling) => {
                    self.settling = None;
                    self.settled(settled?);
                }
                found = outcome(&mut self.hand) => {
                    self.hand = None;
                    self.found(found)?;
                }
                () = &mut woken => {
                    woken.set(wake.notified());
                    woken.as_mut().enable();
                    let now = Instant::now();
                    self.plan.woken(now);
                    // The first news is looked at at once; what follows on its heels is gathered.
                    let at = self.woken_at.map_or(now, |last| now.max(last + GATHER));
                    self.woken_at = Some(at);
                    self.look_soon(at);
                }
                () = tokio::time::sleep_until(sleep_until) => {
                    if !self.in_flight.is_empty() {
                        self.look_soon(Instant::now());
                    }
                }
            }
        }
    }

    fn look_soon(&mut self, at: Instant) {
        if !self.used_up {
            self.look_at = self.look_at.min(at);
        }
    }

    fn sleep_until(&self, next_release: Option<Instant>) -> Instant {
        let mut at = next_release;
        let mut sooner = |candidate: Instant| at = Some(at.map_or(candidate, |a| a.min(candidate)));
        match self.stopping {
            Some(until) => sooner(until),
            None if self.hand.is_none() => sooner(self.look_at),
            None => {}
        }
        // Sends that begin to hang give their places back without a sound.
        let now = Instant::now();
        let since = now.checked_sub(YOUNG).unwrap_or(now);
        if let Some((released, _)) = self.released.range((since, u64::MAX)..).next() {
            sooner(*released + YOUNG);
        }
        at.unwrap_or_else(|| Instant::now() + IDLE_LOOK)
    }

    // --- looking and claiming ---

    fn look(&mut self, now: Instant) {
        if self.hand.is_some() || self.stopping.is_some() || now < self.look_at {
            return;
        }
        if self.pages < PAGES
            && let Some(ask) = self.plan.ask(now)
        {
            self.pages += 1;
            self.hand = Some(read(Arc::clone(&self.shared), ask).boxed());
            return;
        }
        self.pages = 0;
        let places = self.places(now);
        let ready = self.ready.iter().map(VecDeque::len).sum();
        let ledger = self.shared.ledger.as_ref();
        self.plan
            .merge_receipts(ledger.is_some_and(|ledger| ledger.standing() > Standing::Plenty));
        let picked = self.plan.pick(
            &self.limits,
            places,
            ready,
            self.settings.claim,
            now,
            self.shared.clock.now(),
        );
        self.used_up = picked.used_up;
        self.look_at = picked.again.unwrap_or(now + IDLE_LOOK).min(now + IDLE_LOOK);
        if !picked.groups.is_empty() {
            self.hand = Some(claim(Arc::clone(&self.shared), picked.groups).boxed());
        } else if !self.used_up && self.plan.ask(now).is_some() {
            self.look_at = now;
        } else if self.look_at >= now + IDLE_LOOK {
            // Nothing is known to wait: should a wake-up have been lost, look at the disk then.
            self.plan.woken(now);
        }
    }

    /// How many more sends each lane may start.
    fn places(&self, now: Instant) -> Places {
        let waiting: usize = self.ready.iter().map(VecDeque::len).sum();
        if self.limits.is_trying() {
            let one = usize::from(self.in_flight.is_empty() && waiting == 0);
            return Places([one; 3]);
        }
        if self.in_flight.len() + waiting >= HANGING {
            return Places([0; 3]);
        }
        let since = now.checked_sub(YOUNG).unwrap_or(now);
        let young = self.released.range((since, 0)..).count() + waiting;
        let cap = self.settings.in_flight.max(4);
        Places([cap, cap * 3 / 4, cap / 2].map(|most| most.saturating_sub(young)))
    }

    fn found(&mut self, found: Hand) -> Result<(), StoreError> {
        let now = Instant::now();
        match found {
            Hand::Page(ask, rows, places) => {
                let place = |room: &RoomId| match places.get(room) {
                    Some(place) => Spot {
                        room: place.id.clone(),
                        kind: place.kind,
                        commune: place.commune.clone(),
                    },
                    None => Spot {
                        room: room.clone(),
                        kind: RoomKind::Group,
                        commune: None,
                    },
                };
                let wall = self.shared.clock.now();
                self.plan.feed(ask, rows, place, &self.limits, now, wall);
                self.look_at = now;
            }
            Hand::Unreadable(StoreError::Stopped(why)) => return Err(StoreError::Stopped(why)),
            Hand::Unreadable(cause) => {
                error!(
                    account = %self.shared.account,
                    error = &cause as &dyn std::error::Error,
                    "cannot read waiting rows"
                );
                self.look_at = now + READ_REST;
            }
            Hand::Claimed(groups, claimed) => self.claimed(groups, claimed, now),
            Hand::Broken(cause) => return Err(cause),
        }
        Ok(())
    }

    fn claimed(&mut self, groups: Vec<Group>, claimed: Vec<Delivery>, now: Instant) {
        let mut claimed: HashMap<DeliveryId, Delivery> =
            claimed.into_iter().map(|row| (row.id, row)).collect();
        for mut group in groups {
            let mut rows = Vec::with_capacity(group.rows.len());
            for row in &group.rows {
                match claimed.remove(&row.id) {
                    Some(row) => rows.push(row),
                    // Somebody else took it or took it back.
                    None => self.plan.gone(row.id),
                }
            }
            if rows.is_empty() {
                self.plan.free(&group.line, group.lane);
                continue;
            }
            group.rows = rows;
            let elsewhere = group
                .line
                .room()
                .filter(|room| group.rows.iter().any(|row| row.room != **room));
            if let Some(room) = elsewhere.cloned() {
                // The room has moved: the row moves first, so that its receipt is known there.
                self.give_back(group, None, Some(room));
            } else if self.stopping.is_some() {
                self.give_back(group, None, None);
            } else {
                if group.rows.len() > 1 {
                    Metrics::add(&self.metrics.folded, group.rows.len());
                }
                self.ready[group.lane as usize].push_back(Job::new(group));
            }
        }
        self.look_soon(now);
    }

    /// Rows that were claimed and did not leave wait again.
    fn give_back(&mut self, group: Group, wait: Option<Duration>, room: Option<RoomId>) {
        let due = self.shared.clock.now() + in_time(wait.unwrap_or_default());
        let rows = group
            .rows
            .into_iter()
            .map(|row| {
                let settled = Settled::Again {
                    due,
                    room: room.clone(),
                    maybe_twice: row.maybe_twice,
                };
                (row, settled)
            })
            .collect();
        self.finished.push(Finished {
            line: group.line,
            kind: group.kind,
            commune: group.commune,
            lane: group.lane,
            rows,
            held: true,
            room_gone: None,
            moved: None,
        });
    }

    // --- sending ---

    /// Lets go what the limits allow now; says when to try again.
    fn release(&mut self, now: Instant) -> Option<Instant> {
        let mut again: Option<Instant> = None;
        for lane in Lane::ALL {
            let mut waiting = std::mem::take(&mut self.ready[lane as usize]);
            while let Some(job) = waiting.pop_front() {
                let room = job.group.line.room().map(|room| (room, job.group.kind));
                let started = job.posted > 0;
                let early = job.not_before.filter(|&at| at > now);
                let released = match early {
                    Some(at) => Err(at),
                    None if room.is_none() => self.limits.pass(now),
                    None => self.limits.release(room, lane, now),
                };
                match released {
                    Ok(ticket) => self.start(job, ticket, now),
                    Err(at) if !started && at > now + PATIENCE => {
                        self.give_back(job.group, Some(at - now), None);
                    }
                    Err(at) => {
                        again = Some(again.map_or(at, |again| again.min(at)));
                        self.ready[lane as usize].push_back(job);
                        if self.limits.account_ready_at(now) > now + PATIENCE {
                            // The account itself was told to wait: see to the rest as well.
                            continue;
                        }
                        if self.limits.account_ready_at(now) > now {
                            break;
                        }
                    }
                }
            }
            self.ready[lane as usize].append(&mut waiting);
        }
        again
    }

    fn start(&mut self, job: Job, ticket: Ticket, now: Instant) {
        self.released.insert((now, ticket.number()));
        self.in_flight
            .push(send(Arc::clone(&self.shared), job, ticket, now).boxed());
    }

    fn ended(&mut self, ended: Ended) {
        let now = Instant::now();
        let Ended {
            mut job,
            ticket,
            released,
            end,
        } = ended;
        self.released.remove(&(released, ticket.number()));
        self.look_soon(now);
        let outcome = match end {
            End::NotSent(settled) => {
                self.limits.never_left(&ticket);
                let rows = job
                    .group
                    .rows
                    .drain(..)
                    .map(|row| (row, settled.clone()))
                    .collect();
                return self.finish(job, rows, None, None);
            }
            End::Outcome(outcome) => outcome,
        };
        self.note(&outcome, &job, &ticket, now);
        let Some(outcome) = self.next_part(&mut job, outcome, now) else {
            // More parts to come, or this one again.
            self.ready[job.group.lane as usize].push_front(job);
            return;
        };
        let wall = self.shared.clock.now();
        let policy = &self.settings.policy;
        let rows: Vec<(Delivery, Settled)> = job
            .group
            .rows
            .drain(..)
            .map(|row| {
                let settled = after(&outcome, &row, row.attempts, job.expires, policy, wall);
                tell(&self.shared.account, &row, &outcome, &settled, wall);
                if let (Body::Alert { .. }, SendOutcome::Unknown(_), Settled::Again { .. }) =
                    (&row.body, &outcome, &settled)
                {
                    Metrics::add(&self.metrics.resent, 1);
                }
                (row, settled)
            })
            .collect();
        let room = job.group.line.room().cloned();
        let (gone, moved) = match outcome {
            SendOutcome::Refused {
                room_gone: true, ..
            } => (room, None),
            SendOutcome::Moved(to) => (None, room.map(|from| (from, to))),
            _ => (None, None),
        };
        self.finish(job, rows, gone, moved);
    }

    /// What an outcome says about the room, the account and the platform.
    fn note(&mut self, outcome: &SendOutcome, job: &Job, ticket: &Ticket, now: Instant) {
        let room = job.group.line.room();
        if let (Some(ledger), SendOutcome::Accepted(_) | SendOutcome::Unknown(_)) =
            (&self.shared.ledger, outcome)
        {
            ledger.left();
        }
        match outcome {
            SendOutcome::Unknown(_) => self.limits.unanswered(ticket),
            _ => self.limits.answered(ticket, now),
        }
        match outcome {
            SendOutcome::Accepted(_) => {
                Metrics::add(&self.metrics.messages, 1);
                Metrics::set(&self.metrics.account_refused, 0);
                self.limits.went_well();
            }
            SendOutcome::Refused { .. } | SendOutcome::Closed(_) | SendOutcome::Moved(_) => {
                self.limits.went_well();
            }
            SendOutcome::SlowDown {
                wait,
                whole_account,
            } => {
                Metrics::add(&self.metrics.slowed, 1);
                self.limits.went_well();
                // An instant cannot hold every wait a platform could name.
                let until = now + (*wait).min(Duration::from_secs(86_400));
                match room {
                    Some(room) if !whole_account => self.limits.freeze_room(room, until),
                    _ => self.limits.freeze_account(until),
                }
                let (account, wait_ms) = (&self.shared.account, wait.as_millis() as u64);
                if *whole_account && *wait >= LONG_WAIT {
                    error!(account = %account, wait_ms, "the platform takes nothing more for now: is the month used up?");
                    if let Some(ledger) = &self.shared.ledger {
                        ledger.refused();
                    }
                } else {
                    debug!(account = %account, whole_account, wait_ms, "the platform asks us to wait");
                }
            }
            SendOutcome::NotNow(why) | SendOutcome::Denied(why) | SendOutcome::Unknown(why) => {
                if let Some(room) = room
                    && self.limits.went_wrong(room, now)
                {
                    warn!(account = %self.shared.account, why, "sends to many rooms fail: resting the account");
                }
            }
            SendOutcome::AccountRefused(why) => {
                self.limits.refused(now + REFUSED_REST);
                if self
                    .metrics
                    .account_refused
                    .swap(1, std::sync::atomic::Ordering::Relaxed)
                    == 0
                {
                    error!(
                        account = %self.shared.account,
                        why,
                        "the platform does not accept the account: a person must act; nothing is lost, everything waits"
                    );
                }
            }
        }
    }

    /// The end of the whole job, if this outcome is one; `None` when a part is to be sent next.
    fn next_part(&self, job: &mut Job, outcome: SendOutcome, now: Instant) -> Option<SendOutcome> {
        let parts = job.parts.get_or_insert_default();
        if parts.front().is_some_and(|post| post.is_extra) {
            return after_extra(job, outcome);
        }
        if let SendOutcome::Accepted(message) = outcome {
            parts.pop_front();
            if job.posted == 0 {
                job.first = message;
            }
            job.posted += 1;
            job.tries = 0;
            job.not_before = None;
            return parts
                .is_empty()
                .then(|| SendOutcome::Accepted(job.first.take()));
        }
        if job.posted == 0 {
            // The message to change is gone, or may not be changed any more: the words go after it.
            if let SendOutcome::Refused {
                room_gone: false, ..
            } = outcome
                && let (Some(Body::Alert { .. }), Some(post)) = (
                    job.group.rows.first().map(|row| &row.body),
                    parts.front_mut(),
                )
                && let Some(message) = post.edits.take()
            {
                // On a wall an answer would stand below what is wrong, if that is there at all.
                let room = job.group.line.room();
                if room.is_some_and(|room| self.shared.channel.capabilities(room).is_wall) {
                    parts.retain(|post| !post.is_extra);
                } else {
                    post.reply_to = Some(message);
                }
                return None;
            }
            return Some(outcome);
        }
        // The room has the beginning: starting again would repeat it.
        let number = job.posted + 1;
        let count = job.posted + parts.len();
        job.tries += 1;
        match outcome {
            SendOutcome::SlowDown { .. } if job.tries < PART_TRIES => None,
            SendOutcome::NotNow(_) | SendOutcome::Denied(_) if job.tries < PART_TRIES => {
                job.not_before = Some(now + pause(job.posted as u64, job.tries));
                None
            }
            SendOutcome::Refused { why, room_gone } => Some(SendOutcome::Refused {
                why: format!("part {number} of {count}: {why}"),
                room_gone,
            }),
            SendOutcome::Unknown(why) => Some(SendOutcome::Unknown(format!(
                "part {number} of {count}: {why}"
            ))),
            other => Some(SendOutcome::Unknown(format!(
                "part {number} of {count} could not be posted: {other:?}"
            ))),
        }
    }

    fn finish(
        &mut self,
        job: Job,
        rows: Vec<(Delivery, Settled)>,
        room_gone: Option<RoomId>,
        moved: Option<(RoomId, RoomId)>,
    ) {
        let held = rows
            .iter()
            .any(|(_, settled)| matches!(settled, Settled::Again { .. }));
        for (_, settled) in &rows {
            count(&self.metrics, settled);
        }
        let Group {
            line,
            kind,
            commune,
            lane,
            ..
        } = job.group;
        if !held {
            self.plan.free(&line, lane);
        }
        self.finished.push(Finished {
            line,
            kind,
            commune,
            lane,
            rows,
            held,
            room_gone,
            moved,
        });
    }

    // --- settling ---

    fn settle(&mut self) {
        if self.settling.is_none() && !self.finished.is_empty() {
            let some = self.finished.len().min(self.settings.claim.max(1));
            let batch: Vec<Finished> = self.finished.drain(..some).collect();
            self.settling = Some(settle(Arc::clone(&self.shared), batch).boxed());
        }
    }

    fn settled(&mut self, batch: Vec<Finished>) {
        let now = Instant::now();
        let mut alerts = false;
        for finished in batch {
            if let Some((from, to)) = &finished.moved {
                self.plan.moved(from, to);
                self.limits.moved(from, to);
            }
            for (mut row, settled) in finished.rows {
                match settled {
                    Settled::Again {
                        due,
                        room,
                        maybe_twice,
                    } => {
                        row.state = DeliveryState::Waiting { due };
                        row.maybe_twice |= maybe_twice;
                        if let Some(room) = room {
                            row.room = room;
                        }
                        let spot = Spot {
                            room: row.room.clone(),
                            kind: finished.kind,
                            commune: finished.commune.clone(),
                        };
                        self.plan.put_back(row, spot);
                    }
                    Settled::Sent(_) | Settled::Unknown(_) | Settled::Failed(_) => {
                        alerts |= matches!(row.body, Body::Alert { .. });
                        self.plan.gone(row.id);
                    }
                }
            }
            if finished.held {
                self.plan.free(&finished.line, finished.lane);
                if let Some((_, to)) = &finished.moved {
                    self.plan.free(&Line::Room(to.clone()), finished.lane);
                }
            }
        }
        if alerts {
            self.news.notify_one();
        }
        self.look_soon(now);
    }

    // --- stopping ---

    fn stop(&mut self) {
        info!(account = %self.shared.account, in_flight = self.in_flight.len(), "the outbox stops");
        self.stopping = Some(Instant::now() + self.settings.drain);
        for lane in Lane::ALL {
            let (started, fresh): (VecDeque<Job>, VecDeque<Job>) =
                std::mem::take(&mut self.ready[lane as usize])
                    .into_iter()
                    .partition(|job| job.posted > 0);
            self.ready[lane as usize] = started;
            for job in fresh {
                self.give_back(job.group, None, None);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.in_flight.is_empty()
            && self.ready.iter().all(VecDeque::is_empty)
            && self.finished.is_empty()
            && self.settling.is_none()
            && self.hand.is_none()
    }

    /// Settles what has ended; what has not stays `Sending` and is found at the next start.
    async fn leave(mut self) -> Result<(), StoreError> {
        if let Some(settling) = self.settling.take() {
            settling.await?;
        }
        let rest = std::mem::take(&mut self.finished);
        settle(Arc::clone(&self.shared), rest).await?;
        if !self.in_flight.is_empty() {
            warn!(
                account = %self.shared.account,
                in_flight = self.in_flight.len(),
                "stopped before every send was answered; the next start settles them"
            );
        }
        Ok(())
    }
}

/// What follows on a part that the others can do without: the next one, unless none can go now.
fn after_extra(job: &mut Job, outcome: SendOutcome) -> Option<SendOutcome> {
    let concerns_all = match &outcome {
        SendOutcome::Accepted(_)
        | SendOutcome::Unknown(_)
        | SendOutcome::Denied(_)
        | SendOutcome::Refused {
            room_gone: false, ..
        } => false,
        SendOutcome::SlowDown { .. }
        | SendOutcome::NotNow(_)
        | SendOutcome::AccountRefused(_)
        | SendOutcome::Closed(_)
        | SendOutcome::Moved(_)
        | SendOutcome::Refused {
            room_gone: true, ..
        } => true,
    };
    if concerns_all && job.posted == 0 {
        return Some(outcome);
    }
    job.tries += 1;
    if matches!(outcome, SendOutcome::SlowDown { .. }) && job.tries < PART_TRIES {
        return None;
    }
    job.tries = 0;
    let parts = job.parts.get_or_insert_default();
    parts.pop_front();
    parts
        .is_empty()
        .then(|| SendOutcome::Accepted(job.first.take()))
}

/// The end of what a hand does; never, when it does nothing.
async fn outcome<T>(hand: &mut Option<BoxFuture<'static, T>>) -> T {
    match hand {
        Some(doing) => doing.await,
        None => std::future::pending().await,
    }
}

async fn read(shared: Arc<Shared>, ask: Ask) -> Hand {
    let rows = shared
        .store
        .waiting(&shared.account, ask.lane, ask.after, ask.limit)
        .await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(cause) => return Hand::Unreadable(cause),
    };
    let mut places = HashMap::new();
    for row in &rows {
        if !places.contains_key(&row.room) {
            match shared.rooms.place(&row.room).await {
                Ok(place) => places.insert(row.room.clone(), place),
                Err(cause) => return Hand::Unreadable(cause),
            };
        }
    }
    Hand::Page(ask, rows, places)
}

async fn claim(shared: Arc<Shared>, groups: Vec<Group>) -> Hand {
    let rows = groups
        .iter()
        .flat_map(|group| group.rows.iter().cloned())
        .collect();
    match shared.store.claim(rows, shared.clock.now()).await {
        Ok(claimed) => Hand::Claimed(groups, claimed),
        Err(cause) => Hand::Broken(cause),
    }
}

/// What is done that is no message.
#[derive(Debug)]
enum Call {
    Press { press: String, text: String },
    Pin { message: MessageId, pin: Pin },
}

/// Sends one part, rendering first when nothing has been sent yet.
async fn send(shared: Arc<Shared>, mut job: Job, ticket: Ticket, released: Instant) -> Ended {
    let end = match rendered(&shared, &mut job).await {
        Err(settled) => End::NotSent(settled),
        Ok(call) => {
            let posting = async {
                match (&call, job.parts.as_ref().and_then(VecDeque::front)) {
                    (Some(Call::Press { press, text }), _) => {
                        shared.channel.answer_press(press, text).await
                    }
                    (Some(Call::Pin { message, pin }), _) => match job.group.line.room() {
                        Some(room) => shared.channel.pin(room, message, *pin).await,
                        None => SendOutcome::Refused {
                            why: "there is no room to pin in".to_owned(),
                            room_gone: false,
                        },
                    },
                    (None, Some(post)) => {
                        let first = job.group.rows.first();
                        let address = Address {
                            room: shared.reached_by(
                                job.group
                                    .line
                                    .room()
                                    .or(first.map(|row| &row.room))
                                    .unwrap_or(&RoomId::new(shared.account.clone(), "")),
                            ),
                            thread: first.and_then(|row| row.thread.clone()),
                            row: first.map(|row| row.id),
                        };
                        let twice = first.filter(|row| row.maybe_twice);
                        let outcome = say_in_time(&shared, &address, post, &job, twice).await;
                        handed_over(&shared, &job, &outcome).await;
                        outcome
                    }
                    (None, None) => SendOutcome::Refused {
                        why: "there is nothing to say".to_owned(),
                        room_gone: false,
                    },
                }
            };
            End::Outcome(
                AssertUnwindSafe(posting)
                    .catch_unwind()
                    .await
                    // Whether a byte had left is not known.
                    .unwrap_or_else(|_| SendOutcome::Unknown("the channel panicked".to_owned())),
            )
        }
    };
    Ended {
        job,
        ticket,
        released,
        end,
    }
}

/// Notes that the last part of an alert is with somebody who posts it by hand. It is a note for the report
/// alone: without it the group counts as one that simply has the alert.
async fn handed_over(shared: &Shared, job: &Job, outcome: &SendOutcome) {
    let is_last = job.parts.as_ref().is_some_and(|parts| parts.len() == 1);
    let room = job.group.line.room();
    let (Some(group), [row], SendOutcome::Accepted(_), true) = (
        room.and_then(|room| shared.hands.of(room)),
        &job.group.rows[..],
        outcome,
        is_last,
    ) else {
        return;
    };
    let Body::Alert { alert, version, .. } = &row.body else {
        return;
    };
    let act = Act {
        expects: Vec::new(),
        writes: vec![hands::is(group, *alert, *version, ByHand::HandedOver)],
    };
    if let Err(error) = shared.store.commit(vec![act]).await {
        warn!(account = %shared.account, %error, "what was handed over could not be noted");
    }
}

/// Says it, unless the person's time to be written to is over.
async fn say_in_time(
    shared: &Shared,
    to: &Address,
    post: &Post,
    job: &Job,
    twice: Option<&Delivery>,
) -> SendOutcome {
    let late = Late {
        store: shared.store.as_ref(),
        channel: shared.channel.as_ref(),
        clock: shared.clock.as_ref(),
        keeping: &shared.keeping,
    };
    let closes = shared.channel.capabilities(&to.room).closes && job.posted == 0;
    let is_whole = job.parts.as_ref().is_some_and(|parts| parts.len() == 1);
    let in_time = async {
        let until = if closes {
            late.until(&to.room).await?
        } else {
            None
        };
        if !closes || !late.is_over(until) {
            match say(shared, to, post, twice).await {
                SendOutcome::Closed(_) if closes => {}
                outcome => return Ok(outcome),
            }
        }
        late.send(to, post, &job.group.rows, is_whole, until).await
    };
    in_time.await.unwrap_or_else(|error: StoreError| {
        SendOutcome::NotNow(format!("whether it may be sent cannot be read: {error}"))
    })
}

/// Posts, and where no answer comes looks whether the post comes back by itself.
///
/// A picture that is not wanted there takes no words with it: they go again without it, since surely
/// nothing was posted.
async fn say(shared: &Shared, to: &Address, post: &Post, twice: Option<&Delivery>) -> SendOutcome {
    let outcome = say_once(shared, to, post, twice).await;
    let room_gone = match &outcome {
        SendOutcome::Refused { room_gone, .. } => *room_gone,
        SendOutcome::Denied(_) => false,
        _ => return outcome,
    };
    if room_gone || post.picture.is_none() || post.text.is_empty() {
        return outcome;
    }
    warn!(account = %shared.account, room = %to.room, ?outcome, "a picture was refused; its words go alone");
    let words = Post {
        picture: None,
        ..post.clone()
    };
    say_once(shared, to, &words, twice).await
}

async fn say_once(
    shared: &Shared,
    to: &Address,
    post: &Post,
    twice: Option<&Delivery>,
) -> SendOutcome {
    if !shared.channel.capabilities(&to.room).echoes {
        return shared.channel.post(to, post).await;
    }
    let (echoes, room) = (&shared.echoes, &to.room);
    if let Some(row) = twice
        && let Some(message) = echoes.take(room, &post.text, row.queued_at)
    {
        info!(account = %shared.account, %room, delivery = %row.id, "an earlier try has arrived after all");
        return SendOutcome::Accepted(Some(message));
    }
    let since = shared.clock.now();
    match shared.channel.post(to, post).await {
        SendOutcome::Accepted(Some(message)) => {
            echoes.answered(room, &message);
            SendOutcome::Accepted(Some(message))
        }
        SendOutcome::Unknown(why) => {
            match echoes.wait(room, &post.text, since, shared.evidence).await {
                Some(message) => SendOutcome::Accepted(Some(message)),
                None => SendOutcome::Unknown(why),
            }
        }
        other => other,
    }
}

/// Makes the parts of a job; gives what is to be done instead where it says nothing.
async fn rendered(shared: &Shared, job: &mut Job) -> Result<Option<Call>, Settled> {
    if job.parts.is_some() {
        return Ok(None);
    }
    let wall = shared.clock.now();
    let again = |due: Time, room: Option<RoomId>, row: Option<&Delivery>| Settled::Again {
        due,
        room,
        maybe_twice: row.is_some_and(|row| row.maybe_twice),
    };
    let unreadable = |cause: StoreError| {
        warn!(
            account = %shared.account,
            error = &cause as &dyn std::error::Error,
            "cannot read what to say"
        );
        match cause {
            StoreError::Damaged { key, why } => {
                Settled::Failed(format!("row `{key}` is damaged: {why}"))
            }
            StoreError::Stopped(_) | StoreError::Engine { .. } => {
                again(wall + in_time(READ_REST), None, job.group.rows.first())
            }
        }
    };
    if let Some(room) = job.group.line.room() {
        let place = shared.rooms.place(room).await.map_err(&unreadable)?;
        if place.gone {
            return Err(Settled::Failed("the bot is not in the room".to_owned()));
        }
        if place.id != *room {
            return Err(again(wall, Some(place.id), job.group.rows.first()));
        }
    }
    if let Some(ledger) = &shared.ledger
        && !ledger.admits(&job.group.rows).await.map_err(&unreadable)?
    {
        return Err(Settled::Failed(
            "withheld: it waited too long, or what is left of the month is kept for alerts"
                .to_owned(),
        ));
    }
    let place = job.group.line.room();
    let Some(place) = place.or(job.group.rows.first().map(|row| &row.room)) else {
        return Err(Settled::Failed("there is nothing to say".to_owned()));
    };
    let rendering = shared.words.render(&job.group.rows, place, wall);
    let (rendered, expires) = match AssertUnwindSafe(rendering).catch_unwind().await {
        Ok(rendered) => rendered.map_err(&unreadable)?,
        Err(_) => {
            return Err(Settled::Failed("it cannot be rendered".to_owned()));
        }
    };
    job.expires = expires;
    match rendered {
        Rendered::Posts(posts) => {
            job.parts = Some(posts);
            Ok(None)
        }
        Rendered::Press { press, text } => {
            job.parts = Some(VecDeque::new());
            Ok(Some(Call::Press { press, text }))
        }
        Rendered::Pin { message, pin } => {
            job.parts = Some(VecDeque::new());
            Ok(Some(Call::Pin { message, pin }))
        }
        Rendered::Later => {
            let first = job.group.rows.first();
            let policy = &shared.policy;
            match first.map(|row| policy.deadline(row, expires)) {
                Some(deadline) if wall < deadline => {
                    Err(again(wall + in_time(NOT_YET_REST), None, first))
                }
                _ => Err(Settled::Failed("what it rests on never ended".to_owned())),
            }
        }
        Rendered::Useless(why) => Err(Settled::Failed(why)),
    }
}

/// Writes down how rows ended, and what that means for their rooms, durably.
async fn settle(shared: Arc<Shared>, batch: Vec<Finished>) -> Result<Vec<Finished>, StoreError> {
    let now = shared.clock.now();
    for finished in &batch {
        if let Some((from, to)) = &finished.moved {
            move_room(&shared, from, to, now).await?;
        }
    }
    let gone: HashSet<&RoomId> = batch
        .iter()
        .filter_map(|finished| finished.room_gone.as_ref())
        .collect();
    for room in gone {
        close_room(&shared, room).await?;
    }
    // Counted before the rows end: dying in between counts twice rather than never.
    if let Some(ledger) = &shared.ledger {
        ledger.write_down().await?;
    }
    let rows: Vec<_> = batch
        .iter()
        .flat_map(|finished| finished.rows.iter().cloned())
        .collect();
    shared.store.settle(rows, now).await?;
    Ok(batch)
}

/// The room goes on under another id: the old one points there, the new one has its name and area.
async fn move_room(
    shared: &Shared,
    from: &RoomId,
    to: &RoomId,
    now: Time,
) -> Result<(), StoreError> {
    let old = shared.store.room(from).await?;
    let new = shared.store.room(to).await?;
    let mut writes = Vec::new();
    let mut next = match (&old, new) {
        (_, Some(new)) => new,
        (Some(old), None) => Room {
            id: to.clone(),
            ..old.clone()
        },
        // Nobody has bound either: only the row moves.
        (None, None) => return Ok(()),
    };
    next.state = RoomState::Active;
    if let Some(mut old) = old {
        if next.area.is_none() {
            next.area = old.area.clone();
        }
        if next.title.is_empty() {
            next.title.clone_from(&old.title);
        }
        next.choices = next.choices.or(old.choices);
        old.state = RoomState::Moved(to.clone());
        writes.push(Write::Room(Box::new(old)));
    }
    writes.push(Write::Room(Box::new(next)));
    shared
        .store
        .commit(vec![Act {
            expects: Vec::new(),
            writes,
        }])
        .await?;
    shared.rooms.forget(from);
    shared.rooms.forget(to);
    info!(account = %shared.account, room = %from, to = %to, at = %now, "a room goes on under another id");
    Ok(())
}

/// The bot is out of the room, or the room is gone.
async fn close_room(shared: &Shared, id: &RoomId) -> Result<(), StoreError> {
    if let Some(mut room) = shared.store.room(id).await?
        && room.state == RoomState::Active
    {
        room.state = RoomState::Removed;
        shared
            .store
            .commit(vec![Act {
                expects: Vec::new(),
                writes: vec![Write::Room(Box::new(room))],
            }])
            .await?;
        info!(account = %shared.account, room = %id, "the bot is not in the room any more");
    }
    shared.rooms.forget(id);
    Ok(())
}

fn count(metrics: &Metrics, settled: &Settled) {
    let counter = match settled {
        Settled::Sent(_) => &metrics.sent,
        Settled::Unknown(_) => &metrics.unknown,
        Settled::Failed(_) => &metrics.failed,
        Settled::Again { .. } => &metrics.again,
    };
    Metrics::add(counter, 1);
}

/// One line for each try, without anybody's words.
fn tell(
    account: &AccountName,
    row: &Delivery,
    outcome: &SendOutcome,
    settled: &Settled,
    now: Time,
) {
    let wait_ms = (now - row.queued_at).num_milliseconds();
    let (room, attempt, id) = (&row.room, row.attempts, row.id);
    match (settled, outcome) {
        (Settled::Sent(_), _) => {
            trace!(account = %account, room = %room, delivery = %id, attempt, wait_ms, "sent");
        }
        // Many groups do not let the bot pin.
        (Settled::Unknown(why) | Settled::Failed(why), _)
            if matches!(row.body, Body::Pin { .. }) =>
        {
            debug!(account = %account, room = %room, delivery = %id, attempt, wait_ms, why, "not pinned");
        }
        (Settled::Unknown(why) | Settled::Failed(why), _) => {
            warn!(account = %account, room = %room, delivery = %id, attempt, wait_ms, why, "not sent");
        }
        (
            Settled::Again { .. },
            SendOutcome::NotNow(why) | SendOutcome::Denied(why) | SendOutcome::Unknown(why),
        ) => {
            debug!(account = %account, room = %room, delivery = %id, attempt, wait_ms, why, "tried again later");
        }
        (Settled::Again { .. }, _) => {
            debug!(account = %account, room = %room, delivery = %id, attempt, wait_ms, "waits again");
        }
    }
}
