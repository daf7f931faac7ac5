//! Which waiting rows leave next.
//!
//! The rows of an account wait on disk, perhaps a hundred thousand of them; a [`Plan`] holds a window
//! of some thousands for each lane. It asks for pages ([`Plan::ask`]), is given them
//! ([`Plan::feed`]), and says what to claim now and when to look again ([`Plan::pick`]).
//!
//! Promises:
//! - **Lanes.** Urgent before reply before bulk, in the whole account and in each room. While alerts
//!   take all that the account may send, one reply still leaves every ten seconds: the officer's
//!   report must not wait an hour for the alert it reports on. Answers to pressed buttons are no
//!   messages and wait for nobody.
//! - **Order.** In a room, a row leaves only when every earlier row of its own or a more urgent lane
//!   has ended there; what was queued for a later hour counts from then on. Two lanes of a room do not wait for each other's answers, except the less urgent
//!   for the more urgent.
//! - **Fair.** In each lane the communes that an account serves take turns, message by message, whoever
//!   queued first: no commune waits for another's bulk. Groups that are bound to none and private chats
//!   are one more. What a commune has waiting beyond its share of the window stays on disk, and the reading
//!   goes on behind it.
//! - **No starving.** Rows of a room that may not be spoken to now are passed over; when they fill the
//!   window they are forgotten but for their room's mark, and read again when it is their time.
//! - **Folding.** When more receipts wait in a room than it may hear now, or a crowd of them, or the
//!   limits are nearly used up, those at its head become one message.
//!
//! Ids are handed out before they are stored, so a lower id may appear after a higher one was read:
//! reading on begins a little before the end, and a whole reading follows within a second.
//!
//! Pure: the time, the limits and the rows are handed in.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::BinaryHeap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::limit::Limits;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Lane;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::RoomId;
use crate::domain::room::RoomKind;

/// Rows are claimed this long before the limits let them leave, so that a disk write does not delay
/// them and many share one.
pub const AHEAD: Duration = Duration::from_millis(30);

/// Rows read at once.
const PAGE: usize = 256;

/// A lane's window in memory, counted in rows of ordinary length: a hundred receipts for each of the
/// thirty rooms of a ward, and some more.
const WINDOW: usize = 4096;

/// Rows of one room in the window.
const PER_ROOM: usize = 200;

/// So many of them stay when the window is full.
const SHORT_LINE: usize = 4;

/// Receipts in one message; a hundred codes fit the smallest platform.
const FOLD: usize = 100;

/// While messages are dear, a receipt waits so long for others. Emergency numbers may stand in it.
const MERGE: TimeDelta = TimeDelta::seconds(60);

/// So many receipts that wait in one room at the same moment become one message, whatever the limits
/// allow: answered one by one, they would come minutes late and nobody could read them.
const CROWD: usize = 40;

/// While alerts use everything up, one reply leaves this often.
const REPLY_EVERY: Duration = Duration::from_secs(10);

/// How far before the last id that was read the reading goes on.
const OVERLAP: u64 = 256;

/// A reading of a whole lane is followed by another one after at least so long for each page.
const PAGE_REST: Duration = Duration::from_millis(5);

/// New rows are followed by a whole reading within this time.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Rooms that must wait longer than this make place for others when the window is full.
const SHORT: Duration = Duration::from_secs(1);

/// What waits in one line: a room, or something that concerns no room's order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Line {
    /// A room, under the id it has now.
    Room(RoomId),
    /// The answer to a pressed button.
    Press(DeliveryId),
}

impl Line {
    /// The room that will hear it, if any.
    #[must_use]
    pub fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Room(room) => Some(room),
            Self::Press(_) => None,
        }
    }
}

/// Whose turn it is: a commune, or what belongs to none.
pub type Commune = Option<AreaId>;

/// Where the rows of a room leave from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The id it has now.
    pub room: RoomId,
    /// Group or private.
    pub kind: RoomKind,
    /// Whose turn it is when it is heard.
    pub commune: Commune,
}

/// A page to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Of which lane.
    pub lane: Lane,
    /// After which row.
    pub after: Option<DeliveryId>,
    /// At most so many.
    pub limit: usize,
    /// What was left on disk before is fetched.
    pub behind: bool,
}

/// Rows that become one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Where they wait.
    pub line: Line,
    /// The kind of room.
    pub kind: RoomKind,
    /// Whose turn it took.
    pub commune: Commune,
    /// Their lane.
    pub lane: Lane,
    /// One row, or several receipts.
    pub rows: Vec<Delivery>,
}

/// What to do now.
#[derive(Debug, Default)]
pub struct Picked {
    /// To be claimed, most urgent first.
    pub groups: Vec<Group>,
    /// When to look again, if nothing happens before.
    pub again: Option<Instant>,
    /// The account's limit is used up: looking before `again` is of no use.
    pub used_up: bool,
}

/// How many more sends may be started, for each lane in order.
///
/// Less urgent lanes get less, so that sends that hang never fill all places.
#[derive(Debug, Clone, Copy)]
pub struct Places(pub [usize; 3]);

#[derive(Debug)]
struct Waiting {
    kind: RoomKind,
    commune: Commune,
    rows: VecDeque<Delivery>,
}

/// Where the rows of a room begin that were passed over.
#[derive(Debug, Clone, Copy)]
struct PassedOver {
    first: DeliveryId,
    reading: u64,
}

/// What a commune has of a window.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// The weight of its rows.
    weight: usize,
    /// When its next turn is; who has the lowest number is next.
    turn: u64,
}

/// Rows that were left on disk because their commune has its share of the window. They are fetched in
/// passes; of each commune a pass takes rows in order, up to its share.
#[derive(Debug)]
struct Behind {
    /// The first of them.
    first: DeliveryId,
    /// Whose they are.
    communes: BTreeSet<Commune>,
    /// How far this pass has come; none between passes.
    cursor: Option<DeliveryId>,
    /// The first row that this pass leaves on disk.
    left: Option<DeliveryId>,
    /// Whose rows it leaves.
    full: BTreeSet<Commune>,
    pages: u32,
    /// The next pass begins no sooner.
    rested_at: Option<Instant>,
}

impl Behind {
    fn new(first: DeliveryId) -> Self {
        Self {
            first,
            communes: BTreeSet::new(),
            cursor: None,
            left: None,
            full: BTreeSet::new(),
            pages: 0,
            rested_at: None,
        }
    }

    fn leave(&mut self, id: DeliveryId, commune: Commune) {
        self.left = Some(self.left.map_or(id, |left| left.min(id)));
        self.full.insert(commune);
    }
}

#[derive(Debug)]
struct Window {
    lines: HashMap<Line, Waiting>,
    /// The first row of each line, commune by commune.
    heads: BTreeMap<(Commune, DeliveryId), Line>,
    /// Communes with rows in the window.
    shares: BTreeMap<Commune, Share>,
    /// The turn that was taken last.
    turn: u64,
    /// What was left on disk.
    behind: Option<Behind>,
    /// The weight of all rows.
    weight: usize,
    /// Lines with rows on disk that are not in the window, by hash: a room costs 24 bytes, and two
    /// rooms with one hash only wait for each other.
    passed_over: HashMap<u64, PassedOver>,
    /// When the first line that was passed over may be spoken to.
    passed_over_until: Option<Instant>,
    /// When the first row is due that was queued for later: until then it holds up nothing of its room.
    scheduled_at: Option<Instant>,
    /// This reading has come so far.
    cursor: Option<DeliveryId>,
    at_end: bool,
    /// Counts readings from the beginning.
    reading: u64,
    /// Pages of this reading; none once it has reached the end.
    pages: Option<u32>,
    /// A new reading begins no sooner.
    rested_at: Option<Instant>,
    /// New rows came since the last reading began.
    second_look: Option<Instant>,
}

impl Window {
    fn new() -> Self {
        Self {
            lines: HashMap::new(),
            heads: BTreeMap::new(),
            shares: BTreeMap::new(),
            turn: 0,
            behind: None,
            weight: 0,
            passed_over: HashMap::new(),
            passed_over_until: None,
            scheduled_at: None,
            cursor: None,
            at_end: false,
            reading: 0,
            pages: Some(0),
            rested_at: None,
            second_look: None,
        }
    }

    /// When the lane should be read from its beginning again.
    fn rereading_at(&self) -> Option<Instant> {
        // While a commune has more than its share, whole readings would be long and many.
        let second_look = self.second_look.filter(|_| self.behind.is_none());
        let wanted = [self.passed_over_until, self.scheduled_at, second_look]
            .into_iter()
            .flatten()
            .min()?;
        Some(self.rested_at.map_or(wanted, |rested| wanted.max(rested)))
    }

    /// What a commune may have of a full window; `more`: besides those that are in it.
    fn share(&self, more: usize) -> usize {
        WINDOW / (self.shares.len() + more).max(1)
    }

    fn weight_of(&self, commune: &Commune) -> usize {
        self.shares.get(commune).map_or(0, |share| share.weight)
    }

    /// Whether a commune has all it may have of a full window.
    fn has_its_share(&self, commune: &Commune) -> bool {
        let more = usize::from(!self.shares.contains_key(commune));
        self.weight >= WINDOW && self.weight_of(commune) >= self.share(more)
    }

    /// Whether what was left on disk should be fetched now.
    fn fetches(&self, now: Instant) -> bool {
        let Some(behind) = &self.behind else {
            return false;
        };
        if behind.cursor.is_some() {
            return true;
        }
        let low = self.share(0) / 2;
        behind.rested_at.is_none_or(|rested| rested <= now) && { behind.communes.iter() }
            .any(|commune| self.weight_of(commune) <= low)
    }

    fn weighs_more(&mut self, commune: &Commune, weight: usize) {
        self.weight += weight;
        let turn = self.turn;
        self.shares
            .entry(commune.clone())
            .or_insert(Share { weight: 0, turn })
            .weight += weight;
    }

    fn weighs_less(&mut self, commune: &Commune, weight: usize) {
        self.weight -= weight;
        if let Some(share) = self.shares.get_mut(commune) {
            share.weight -= weight;
            if share.weight == 0 {
                self.shares.remove(commune);
            }
        }
    }

    fn insert(&mut self, line: Line, kind: RoomKind, commune: Commune, row: Delivery) {
        let waiting = self.lines.entry(line.clone()).or_insert_with(|| Waiting {
            kind,
            commune,
            rows: VecDeque::new(),
        });
        waiting.kind = kind;
        let Err(index) = waiting.rows.binary_search_by_key(&row.id, |row| row.id) else {
            return;
        };
        // A room that was bound elsewhere meanwhile changes sides when its line has ended.
        let commune = waiting.commune.clone();
        if index == 0 {
            if let Some(head) = waiting.rows.front() {
                self.heads.remove(&(commune.clone(), head.id));
            }
            self.heads.insert((commune.clone(), row.id), line);
        }
        let weight = weight(&row);
        waiting.rows.insert(index, row);
        self.weighs_more(&commune, weight);
    }

    /// Takes the first `count` rows of a line.
    fn take(&mut self, line: &Line, count: usize) -> Vec<Delivery> {
        let Some(waiting) = self.lines.get_mut(line) else {
            return Vec::new();
        };
        let commune = waiting.commune.clone();
        if let Some(head) = waiting.rows.front() {
            self.heads.remove(&(commune.clone(), head.id));
        }
        let count = count.min(waiting.rows.len());
        let rows: Vec<Delivery> = waiting.rows.drain(..count).collect();
        match waiting.rows.front() {
            Some(head) => {
                self.heads.insert((commune.clone(), head.id), line.clone());
            }
            None => {
                self.lines.remove(line);
            }
        }
        self.weighs_less(&commune, rows.iter().map(weight).sum());
        rows
    }

    /// Whether a row is one of those that were passed over in this reading.
    fn passes_over(&mut self, hash: u64, id: DeliveryId) -> bool {
        match self.passed_over.get_mut(&hash) {
            Some(passed) if passed.reading == self.reading => {
                passed.first = passed.first.min(id);
                true
            }
            // An earlier reading passed it over; this one has seen every row up to here.
            Some(_) => {
                self.passed_over.remove(&hash);
                false
            }
            None => false,
        }
    }

    /// Takes a row in, or leaves it on disk: where its room has too many, or its commune its share.
    fn admit(
        &mut self,
        ask: Ask,
        (line, hash): (Line, u64),
        kind: RoomKind,
        commune: Commune,
        row: Delivery,
    ) {
        let id = row.id;
        if let Some(waiting) = self.lines.get(&line) {
            let is_full = waiting.rows.len() >= PER_ROOM
                && waiting.rows.back().is_some_and(|last| last.id < id);
            if is_full {
                let reading = self.reading;
                self.passed_over
                    .insert(hash, PassedOver { first: id, reading });
            } else {
                // Whatever the shares are, a room's later rows do not go before its earlier ones.
                self.insert(line, kind, commune, row);
            }
            return;
        }
        let has_its_share = self.has_its_share(&commune);
        if ask.behind {
            if let Some(behind) = &mut self.behind
                && (has_its_share || behind.full.contains(&commune))
            {
                return behind.leave(id, commune);
            }
        } else {
            let was_left =
                { self.behind.as_ref() }.is_some_and(|behind| behind.communes.contains(&commune));
            if has_its_share || was_left {
                let behind = self.behind.get_or_insert_with(|| Behind::new(id));
                match behind.cursor {
                    None => behind.first = behind.first.min(id),
                    // The pass under way has gone by already.
                    Some(cursor) if cursor >= id => behind.leave(id, commune.clone()),
                    Some(_) => {}
                }
                behind.communes.insert(commune);
                return;
            }
        }
        self.insert(line, kind, commune, row);
    }

    fn has_read(&mut self, ask: Ask, id: DeliveryId) {
        if !ask.behind {
            self.cursor = self.cursor.max(Some(id));
        } else if let Some(behind) = &mut self.behind {
            behind.cursor = behind.cursor.max(Some(id));
        }
    }

    /// Whether every commune that had rows left on disk has its share now.
    fn has_fetched_all(&self) -> bool {
        { self.behind.as_ref() }.is_some_and(|behind| behind.full.is_superset(&behind.communes))
    }

    /// What was left on disk has been looked through; to its end, unless everybody had enough before.
    fn end_pass(&mut self, to_its_end: bool, now: Instant) {
        let Some(mut behind) = self.behind.take() else {
            return;
        };
        let Some(left) = behind.left.take() else {
            return;
        };
        behind.first = left;
        let full = std::mem::take(&mut behind.full);
        if to_its_end {
            behind.communes = full;
        }
        behind.cursor = None;
        behind.rested_at = Some(now + PAGE_REST * behind.pages);
        behind.pages = 0;
        self.behind = Some(behind);
    }

    fn holds(&self, line: &Line, id: DeliveryId) -> bool {
        self.lines
            .get(line)
            .is_some_and(|waiting| waiting.rows.binary_search_by_key(&id, |row| row.id).is_ok())
    }

    /// Whether a row of the line with a lower id waits, in the window or passed over.
    fn has_before(&self, line: &Line, hash: u64, id: DeliveryId) -> bool {
        self.lines
            .get(line)
            .and_then(|waiting| waiting.rows.front())
            .is_some_and(|head| head.id < id)
            || self
                .passed_over
                .get(&hash)
                .is_some_and(|passed| passed.first < id)
    }
}

/// The waiting rows of one account.
#[derive(Debug)]
pub struct Plan {
    windows: [Window; 3],
    /// Picked and not yet settled: on disk they may still look like waiting.
    taken: HashSet<DeliveryId>,
    /// Lines in which something is under way, a bit for each lane.
    busy: HashMap<Line, u8>,
    /// While alerts leave: when a reply may go before them.
    owed_at: Option<Instant>,
    /// Messages are dear: receipts wait for each other.
    merging: bool,
    hasher: RandomState,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            windows: [Window::new(), Window::new(), Window::new()],
            taken: HashSet::new(),
            busy: HashMap::new(),
            owed_at: None,
            merging: false,
            hasher: RandomState::new(),
        }
    }
}

impl Plan {
    /// Whether receipts of a room wait for each other for [`MERGE`], so that they leave in one message.
    pub fn merge_receipts(&mut self, merging: bool) {
        self.merging = merging;
    }

    /// New rows may have been queued.
    pub fn woken(&mut self, now: Instant) {
        for window in &mut self.windows {
            if window.at_end {
                window.at_end = false;
                window.cursor = window
                    .cursor
                    .and_then(|cursor| cursor.0.checked_sub(OVERLAP))
                    .map(DeliveryId);
            }
            window.second_look.get_or_insert(now + SECOND_LOOK);
        }
    }

    /// The next page to read, most urgent lane first; none when the windows hold enough.
    pub fn ask(&mut self, now: Instant) -> Option<Ask> {
        for lane in Lane::ALL {
            let window = &mut self.windows[lane as usize];
            if window.at_end && window.rereading_at().is_some_and(|at| at <= now) {
                window.at_end = false;
                window.cursor = None;
                window.reading += 1;
                window.pages = Some(0);
                window.passed_over_until = None;
                window.scheduled_at = None;
                window.second_look = None;
                window.behind = None;
            }
            if window.fetches(now)
                && let Some(behind) = &mut window.behind
            {
                let before = behind.first.0.checked_sub(1).map(DeliveryId);
                return Some(Ask {
                    lane,
                    after: behind.cursor.or(before),
                    limit: PAGE,
                    behind: true,
                });
            }
            if !window.at_end {
                return Some(Ask {
                    lane,
                    after: window.cursor,
                    limit: PAGE,
                    behind: false,
                });
            }
        }
        None
    }

    /// Takes in the page that was asked for. `place` tells where a room is reached now.
    pub fn feed(
        &mut self,
        ask: Ask,
        rows: Vec<Delivery>,
        place: impl Fn(&RoomId) -> Spot,
        limits: &Limits,
        now: Instant,
        wall: Time,
    ) {
        let last_page = rows.len() < ask.limit;
        let window = &mut self.windows[ask.lane as usize];
        if !ask.behind {
            window.pages = window.pages.map(|pages| pages + 1);
        } else if let Some(behind) = &mut window.behind {
            behind.pages += 1;
        }
        let mut made_place = false;
        for row in rows {
            let id = row.id;
            if let Some(due) = scheduled(&row, now, wall) {
                sooner(&mut window.scheduled_at, due);
            } else if !self.taken.contains(&id) {
                let (line, kind, commune) = match &row.body {
                    Body::PressAnswer { .. } => (Line::Press(id), RoomKind::Private, None),
                    _ => {
                        let spot = place(&row.room);
                        (Line::Room(spot.room), spot.kind, spot.commune)
                    }
                };
                let hash = self.hasher.hash_one(&line);
                if !window.holds(&line, id) && !window.passes_over(hash, id) {
                    if window.weight >= WINDOW && !made_place {
                        made_place = true;
                        make_place(window, &self.hasher, ask.lane, limits, now, wall);
                    }
                    if !window.passed_over.contains_key(&hash) {
                        window.admit(ask, (line, hash), kind, commune, row);
                    }
                }
            }
            window.has_read(ask, id);
            if ask.behind && window.has_fetched_all() {
                break;
            }
        }
        let fetched_all = ask.behind && (last_page || window.has_fetched_all());
        if fetched_all {
            window.end_pass(last_page, now);
        }
        if last_page && !ask.behind {
            window.at_end = true;
            if let Some(pages) = window.pages.take() {
                // A long lane is read again less often: there is much to send from it meanwhile.
                let long = if window.behind.is_some() { 4 } else { 1 };
                window.rested_at = Some(now + PAGE_REST * pages * long);
            }
            let reading = window.reading;
            window
                .passed_over
                .retain(|_, passed| passed.reading == reading);
            if window.passed_over.is_empty() {
                window.passed_over_until = None;
            }
        }
    }

    /// What to claim now. `ready` rows are claimed and wait for their moment already.
    pub fn pick(
        &mut self,
        limits: &Limits,
        places: Places,
        ready: usize,
        most: usize,
        now: Instant,
        wall: Time,
    ) -> Picked {
        let mut picked = Picked::default();
        self.pick_presses(limits, most, now, wall, &mut picked);
        let mut budget = limits
            .account_free_by(now + AHEAD)
            .saturating_sub(ready)
            .min(most);
        let mut places = places.0;
        let owed = self.owed_at.is_some_and(|at| at <= now);
        for (lane, at_most) in [
            (Lane::Reply, usize::from(owed)),
            (Lane::Urgent, usize::MAX),
            (Lane::Reply, usize::MAX),
            (Lane::Bulk, usize::MAX),
        ] {
            let allowed = at_most.min(budget).min(places[lane as usize]);
            if at_most == 0 {
                continue;
            }
            let before = picked.groups.len();
            self.pick_lane(lane, allowed, budget, limits, now, wall, &mut picked);
            let count = picked.groups.len() - before;
            budget -= count;
            for place in &mut places {
                *place = place.saturating_sub(count);
            }
            match lane {
                Lane::Urgent if count > 0 => {
                    self.owed_at.get_or_insert(now + REPLY_EVERY);
                }
                Lane::Urgent if self.windows[lane as usize].heads.is_empty() => {
                    self.owed_at = None;
                }
                Lane::Reply if owed && count > 0 => self.owed_at = Some(now + REPLY_EVERY),
                Lane::Urgent | Lane::Reply | Lane::Bulk => {}
            }
        }
        let waits = self.windows.iter().any(|window| !window.heads.is_empty());
        if budget == 0 && waits && picked.groups.len() < most {
            picked.used_up = true;
            let ready_at = limits.account_ready_at(now);
            let early = ready_at.checked_sub(AHEAD).unwrap_or(ready_at);
            picked.again = Some(early.max(now + AHEAD / 2));
        }
        for window in &self.windows {
            if window.at_end
                && let Some(at) = window.rereading_at()
            {
                sooner(&mut picked.again, at);
            }
        }
        picked
    }

    /// Answers to pressed buttons are no messages and take nobody's turn: whoever pressed looks at a
    /// turning wheel until they come.
    fn pick_presses(
        &mut self,
        limits: &Limits,
        most: usize,
        now: Instant,
        wall: Time,
        picked: &mut Picked,
    ) {
        if limits.is_trying() {
            return;
        }
        let window = &mut self.windows[Lane::Reply as usize];
        let due = |line: &Line| {
            let head = window.lines.get(line).and_then(|line| line.rows.front());
            head.is_some_and(|head| due_at(head, now, wall) <= now)
        };
        let presses: Vec<Line> = window
            .heads
            .values()
            .filter(|line| matches!(line, Line::Press(_)) && due(line))
            .take(most)
            .cloned()
            .collect();
        for line in presses {
            let rows = window.take(&line, 1);
            self.taken.extend(rows.iter().map(|row| row.id));
            *self.busy.entry(line.clone()).or_default() |= 1 << Lane::Reply as u8;
            picked.groups.push(Group {
                line,
                kind: RoomKind::Private,
                commune: None,
                lane: Lane::Reply,
                rows,
            });
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of pick, which has them all"
    )]
    fn pick_lane(
        &mut self,
        lane: Lane,
        allowed: usize,
        budget: usize,
        limits: &Limits,
        now: Instant,
        wall: Time,
        picked: &mut Picked,
    ) {
        if allowed == 0 {
            return;
        }
        let (more_urgent, rest) = self.windows.split_at_mut(lane as usize);
        let Some(window) = rest.first_mut() else {
            return;
        };
        let blocking = (2_u8 << lane as u8) - 1;
        // The account is the narrow place when it cannot serve every room that waits.
        let narrow = budget < window.lines.len();
        let mut chosen: Vec<(Line, RoomKind, usize)> = Vec::new();
        let mut queues: Vec<_> = window
            .shares
            .iter()
            .map(|(commune, share)| {
                let all =
                    (commune.clone(), DeliveryId(0))..=(commune.clone(), DeliveryId(u64::MAX));
                (
                    share.turn.max(window.turn),
                    window.heads.range(all).peekable(),
                )
            })
            .collect();
        // Whose turn comes first; among equals, who has waited longest.
        let mut turns = BinaryHeap::new();
        for (index, (turn, heads)) in queues.iter_mut().enumerate() {
            if let Some(((_, id), _)) = heads.peek() {
                turns.push(Reverse((*turn, *id, index)));
            }
        }
        let mut last_turn = window.turn;
        'turns: while chosen.len() < allowed
            && let Some(Reverse((turn, _, index))) = turns.pop()
        {
            let Some((next_turn, heads)) = queues.get_mut(index) else {
                continue;
            };
            while let Some(((_, id), line)) = heads.next() {
                let id = *id;
                if self.busy.get(line).is_some_and(|bits| bits & blocking != 0) {
                    continue;
                }
                let Some(waiting) = window.lines.get(line) else {
                    continue;
                };
                let Some(head) = waiting.rows.front() else {
                    continue;
                };
                if !more_urgent.is_empty() {
                    let hash = self.hasher.hash_one(line);
                    if more_urgent
                        .iter()
                        .any(|lane| lane.has_before(line, hash, id))
                    {
                        continue;
                    }
                }
                let mut due = due_at(head, now, wall);
                if self.merging && matches!(head.body, Body::Receipt { .. }) {
                    due = due.max(moment(head.queued_at + MERGE, now, wall));
                }
                let mut at = due;
                if let Some(room) = line.room() {
                    at = at.max(limits.room_ready_at(room, waiting.kind, lane, now));
                }
                if at > now + AHEAD || (at > now && due > now) {
                    sooner(&mut picked.again, at);
                    continue;
                }
                let mut count = 1;
                if let Some(room) = line.room() {
                    let run = receipts_at_head(&waiting.rows, now, wall);
                    if run > 1 {
                        let free = limits.room_free(room, waiting.kind, lane, now);
                        let scarce = free * 4 < limits.room_most(waiting.kind, lane);
                        if run > free || run >= CROWD || scarce || narrow || self.merging {
                            count = run;
                        }
                    }
                }
                chosen.push((line.clone(), waiting.kind, count));
                last_turn = last_turn.max(turn);
                *next_turn = turn + 1;
                if let Some(((_, id), _)) = heads.peek() {
                    turns.push(Reverse((turn + 1, *id, index)));
                }
                continue 'turns;
            }
        }
        let next_turns: Vec<u64> = queues.into_iter().map(|(turn, _)| turn).collect();
        for (share, turn) in window.shares.values_mut().zip(next_turns) {
            share.turn = turn;
        }
        window.turn = last_turn;
        for (line, kind, count) in chosen {
            let commune = { window.lines.get(&line) }.and_then(|line| line.commune.clone());
            let rows = window.take(&line, count);
            self.taken.extend(rows.iter().map(|row| row.id));
            *self.busy.entry(line.clone()).or_default() |= 1 << lane as u8;
            if !window.lines.contains_key(&line)
                && window
                    .passed_over
                    .contains_key(&self.hasher.hash_one(&line))
            {
                // The rest of this room is on disk only.
                window.passed_over_until =
                    Some(window.passed_over_until.map_or(now, |at| at.min(now)));
            }
            picked.groups.push(Group {
                line,
                kind,
                commune,
                lane,
                rows,
            });
        }
    }

    /// Nothing of this lane is under way in this line any more.
    pub fn free(&mut self, line: &Line, lane: Lane) {
        if let Some(bits) = self.busy.get_mut(line) {
            *bits &= !(1 << lane as u8);
            if *bits == 0 {
                self.busy.remove(line);
            }
        }
    }

    /// A row has ended on disk, or was not there to be claimed.
    pub fn gone(&mut self, id: DeliveryId) {
        self.taken.remove(&id);
    }

    /// A row waits again, on disk already, at the spot at which it is reached now.
    pub fn put_back(&mut self, row: Delivery, spot: Spot) {
        self.taken.remove(&row.id);
        let line = match &row.body {
            Body::PressAnswer { .. } => Line::Press(row.id),
            _ => Line::Room(spot.room),
        };
        let hash = self.hasher.hash_one(&line);
        let window = &mut self.windows[row.lane as usize];
        if window
            .passed_over
            .get(&hash)
            .is_some_and(|passed| passed.first < row.id)
        {
            return;
        }
        window.insert(line, spot.kind, spot.commune, row);
    }

    /// A room goes on under another id: what waits for the old one joins the new one's line.
    pub fn moved(&mut self, from: &RoomId, to: &RoomId) {
        let old = Line::Room(from.clone());
        let new = Line::Room(to.clone());
        for window in &mut self.windows {
            if let Some(passed) = window.passed_over.remove(&self.hasher.hash_one(&old)) {
                let entry = window
                    .passed_over
                    .entry(self.hasher.hash_one(&new))
                    .or_insert(passed);
                entry.first = entry.first.min(passed.first);
            }
            let side = window.lines.get(&old);
            if let Some((kind, commune)) = side.map(|side| (side.kind, side.commune.clone())) {
                for row in window.take(&old, usize::MAX) {
                    window.insert(new.clone(), kind, commune.clone(), row);
                }
            }
        }
        if let Some(bits) = self.busy.remove(&old) {
            *self.busy.entry(new).or_default() |= bits;
        }
    }

    /// How many rows the windows hold.
    #[must_use]
    pub fn loaded(&self) -> usize {
        self.windows
            .iter()
            .flat_map(|window| window.lines.values())
            .map(|waiting| waiting.rows.len())
            .sum()
    }
}

/// Forgets the rows of rooms that must wait for long, but for a mark; if that is not enough, also the
/// far ends of long lines.
fn make_place(
    window: &mut Window,
    hasher: &RandomState,
    lane: Lane,
    limits: &Limits,
    now: Instant,
    wall: Time,
) {
    let mut long: Vec<(Line, DeliveryId)> = Vec::new();
    for ((_, id), line) in &window.heads {
        let id = *id;
        let Some(waiting) = window.lines.get(line) else {
            continue;
        };
        let Some(head) = waiting.rows.front() else {
            continue;
        };
        let mut at = due_at(head, now, wall);
        if let Some(room) = line.room() {
            at = at.max(limits.room_ready_at(room, waiting.kind, lane, now));
        }
        if at > now + SHORT {
            sooner(&mut window.passed_over_until, at);
            long.push((line.clone(), id));
        }
    }
    let reading = window.reading;
    for (line, first) in long {
        window.take(&line, usize::MAX);
        let passed = window
            .passed_over
            .entry(hasher.hash_one(&line))
            .or_insert(PassedOver { first, reading });
        passed.first = passed.first.min(first);
        passed.reading = reading;
    }
    if window.weight < WINDOW * 3 / 4 {
        return;
    }
    let mut lighter: Vec<(Commune, usize)> = Vec::new();
    for (line, waiting) in &mut window.lines {
        let Some(first) = waiting.rows.get(SHORT_LINE).map(|row| row.id) else {
            continue;
        };
        let weight = { waiting.rows.drain(SHORT_LINE..) }
            .map(|row| weight(&row))
            .sum();
        lighter.push((waiting.commune.clone(), weight));
        let passed = window
            .passed_over
            .entry(hasher.hash_one(line))
            .or_insert(PassedOver { first, reading });
        passed.first = passed.first.min(first);
        passed.reading = reading;
    }
    for (commune, weight) in lighter {
        window.weighs_less(&commune, weight);
    }
}

/// When a row's own time comes.
fn due_at(row: &Delivery, now: Instant, wall: Time) -> Instant {
    match row.state {
        DeliveryState::Waiting { due } => moment(due, now, wall),
        _ => now,
    }
}

/// When a row is due that was queued for a later hour, and never tried: it waits on disk.
fn scheduled(row: &Delivery, now: Instant, wall: Time) -> Option<Instant> {
    let due = due_at(row, now, wall);
    (row.attempts == 0 && due > now + SHORT).then_some(due)
}

/// When a moment of the wall clock comes; what is past is now.
fn moment(time: Time, now: Instant, wall: Time) -> Instant {
    // A year is for ever, and an instant cannot hold much more.
    let wait = (time - wall).to_std().unwrap_or_default();
    now + wait.min(Duration::from_secs(366 * 86_400))
}

/// How many receipts at the head of a line could be one message.
fn receipts_at_head(rows: &VecDeque<Delivery>, now: Instant, wall: Time) -> usize {
    let thread = rows.front().and_then(|row| row.thread.as_ref());
    rows.iter()
        .take(FOLD)
        .take_while(|row| {
            matches!(row.body, Body::Receipt { .. })
                && row.thread.as_ref() == thread
                && due_at(row, now, wall) <= now
        })
        .count()
}

/// How much of the window a row takes: long texts count for several.
fn weight(row: &Delivery) -> usize {
    let text = match &row.body {
        Body::Text(post) => post.text.len(),
        Body::Receipt { text, .. } | Body::PressAnswer { text, .. } => text.len(),
        Body::Alert { .. } | Body::Progress { .. } | Body::Pin { .. } => 0,
    };
    1 + text / 4096
}

fn sooner(at: &mut Option<Instant>, candidate: Instant) {
    *at = Some(at.map_or(candidate, |at| at.min(candidate)));
}
