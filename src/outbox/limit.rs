//! How often an account and a room may be spoken to.
//!
//! Platforms say "so many a second, so many a minute in one group". A leaky bucket that refills while
//! a burst is still under way lets almost twice that through in an unlucky second. So what is kept
//! here is a log of the sends themselves: another one may leave when fewer than the allowed number lie
//! inside the window that ends now.
//!
//! We do not know when the platform saw a send: somewhere between its release and its answer. A send
//! therefore counts from the moment its answer came. While there is none it counts from its release.
//! Hence, as long as answers take less than one window, the platform sees no more than the nominal
//! number in **any** window, whatever the network does in between (property-tested below).
//!
//! That alone would lose one round trip of every window: a tenth of the speed at 100 ms. But no answer
//! comes, and no send arrives, faster than light: once enough answers have come, most of the shortest
//! round trip among them is taken as the way that every send and every answer has to go, and a send counts
//! from that much before its answer.
//!
//! Also here, because they are the same question ("when may the next one leave?"): the pauses that a
//! platform asked for, of one room or of the account, and the pause we take by ourselves when sends to
//! many rooms fail one after the other.
//!
//! Pure: the time is handed in. Rooms that were silent for a window are forgotten.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::delivery::Lane;
use crate::domain::ids::RoomId;
use crate::domain::room::RoomKind;

/// Added to each window, so that clocks that tick differently cannot make us early.
const MARGIN: Duration = Duration::from_millis(1);

/// So many answers must have come before the shortest of their round trips is believed.
const LEARNT: u32 = 30;

/// This part of the shortest round trip, in sixteenths; the rest is for the day on which none of the answers
/// that were counted came without delay.
const CREDIT: u32 = 15;

/// What one person may be sent: Telegram asks for "about one a second, short bursts are fine".
const PRIVATE: Rate = Rate {
    most: 3,
    within: Duration::from_secs(3),
};

/// So many different rooms must fail in a row, without one success, before the account is rested.
const STRAIN: usize = 6;

/// The longest rest; then one send tries whether the platform is back.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// What a platform allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Sends of the account in any second; at least 1.
    pub per_second: u32,
    /// Sends into one group in any minute; at least 1.
    pub room_per_minute: u32,
}

/// So many in any stretch of so long.
#[derive(Debug, Clone, Copy)]
struct Rate {
    most: usize,
    within: Duration,
}

/// The sends inside one window.
#[derive(Debug, Default)]
struct Log {
    /// Moments at which answers came, oldest first.
    answered: VecDeque<Instant>,
    /// Sends without an answer, by number, with their release; numbers and releases grow together.
    open: VecDeque<(u64, Instant)>,
}

impl Log {
    /// How many sends count at `at`.
    fn count(&self, within: Duration, at: Instant) -> usize {
        let counts = |stamp: Instant| stamp + within > at;
        let answered = self.answered.len() - self.answered.partition_point(|&s| !counts(s));
        let open = self.open.len() - self.open.partition_point(|&(_, s)| !counts(s));
        answered + open
    }

    /// The first moment from `now` on at which fewer than `rate.most` count, as far as is known now:
    /// a send that is answered later counts longer.
    fn ready_at(&self, rate: Rate, now: Instant) -> Instant {
        let counts = |stamp: Instant| stamp + rate.within > now;
        let first_answered = self.answered.partition_point(|&s| !counts(s));
        let first_open = self.open.partition_point(|&(_, s)| !counts(s));
        let count = self.answered.len() - first_answered + self.open.len() - first_open;
        let Some(mut surplus) = count.checked_sub(rate.most.max(1)) else {
            return now;
        };
        let mut answered = self.answered.range(first_answered..).copied().peekable();
        let mut open = self.open.range(first_open..).map(|&(_, s)| s).peekable();
        loop {
            let oldest = match (answered.peek(), open.peek()) {
                (Some(a), Some(o)) if o < a => open.next(),
                (Some(_), _) => answered.next(),
                (None, _) => open.next(),
            };
            match (oldest, surplus) {
                (Some(oldest), 0) => return oldest + rate.within,
                (None, _) => return now,
                _ => surplus -= 1,
            }
        }
    }

    /// When a send left that has no answer yet.
    fn released(&self, number: u64) -> Option<Instant> {
        let index = self.open.binary_search_by_key(&number, |&(n, _)| n).ok()?;
        self.open.get(index).map(|&(_, released)| released)
    }

    /// Ends a send without an answer: it counts from `stamp`, or from its release.
    fn close(&mut self, number: u64, stamp: Option<Instant>) {
        let Ok(index) = self.open.binary_search_by_key(&number, |&(n, _)| n) else {
            return;
        };
        let Some((_, released)) = self.open.remove(index) else {
            return;
        };
        let stamp = stamp.unwrap_or(released);
        if self.answered.back().is_none_or(|&last| last <= stamp) {
            self.answered.push_back(stamp);
        } else {
            let index = self.answered.partition_point(|&s| s <= stamp);
            self.answered.insert(index, stamp);
        }
    }

    /// Takes back a send that never left.
    fn forget(&mut self, number: u64) {
        if let Ok(index) = self.open.binary_search_by_key(&number, |&(n, _)| n) {
            self.open.remove(index);
        }
    }

    fn trim(&mut self, within: Duration, now: Instant) {
        while self
            .answered
            .front()
            .is_some_and(|&stamp| stamp + within <= now)
        {
            self.answered.pop_front();
        }
    }

    fn is_empty(&self) -> bool {
        self.answered.is_empty() && self.open.is_empty()
    }
}

#[derive(Debug, Default)]
struct RoomLog {
    log: Log,
    frozen_until: Option<Instant>,
    within: Duration,
}

/// A send that was let out; given back when it ends.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a send that never ends counts from its release for ever"]
pub struct Ticket {
    number: u64,
    room: Option<RoomId>,
}

impl Ticket {
    /// Its number; they grow.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// The limits of one account and of every room it speaks to.
#[derive(Debug)]
pub struct Limits {
    account: Rate,
    group: Rate,
    log: Log,
    rooms: HashMap<RoomId, RoomLog>,
    frozen_until: Option<Instant>,
    next_number: u64,
    /// Answers that came, and the shortest time in which one did.
    answers: u32,
    shortest: Duration,
    next_forgetting: Option<Instant>,
    /// Different rooms that failed since the last success, at most [`STRAIN`].
    strained: Vec<RoomId>,
    rests: u32,
    /// The platform did not accept the account.
    refused: bool,
}

impl Limits {
    /// Nothing sent yet.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self {
            account: Rate {
                most: rates.per_second.max(1) as usize,
                within: Duration::from_secs(1) + MARGIN,
            },
            group: Rate {
                most: rates.room_per_minute.max(1) as usize,
                within: Duration::from_secs(60) + MARGIN,
            },
            log: Log::default(),
            rooms: HashMap::new(),
            frozen_until: None,
            next_number: 0,
            answers: 0,
            shortest: Duration::MAX,
            next_forgetting: None,
            strained: Vec::new(),
            rests: 0,
            refused: false,
        }
    }

    /// What a room may be sent by a lane. A tenth of a group's minute is kept for alerts: else twenty
    /// receipts would make the alarm wait a minute.
    fn rate(&self, kind: RoomKind, lane: Lane) -> Rate {
        match (kind, lane) {
            (RoomKind::Private, _) => PRIVATE,
            (RoomKind::Group, Lane::Urgent) => self.group,
            (RoomKind::Group, Lane::Reply | Lane::Bulk) => Rate {
                most: self.group.most - self.group.most / 10,
                ..self.group
            },
        }
    }

    /// When the account may send next, as far as is known now.
    #[must_use]
    pub fn account_ready_at(&self, now: Instant) -> Instant {
        let ready = self.log.ready_at(self.account, now);
        self.frozen_until.map_or(ready, |until| ready.max(until))
    }

    /// How many sends the account may make by `at`, as far as is known now.
    #[must_use]
    pub fn account_free_by(&self, at: Instant) -> usize {
        if self.frozen_until.is_some_and(|until| until > at) {
            return 0;
        }
        self.account
            .most
            .saturating_sub(self.log.count(self.account.within, at))
    }

    /// When this room may hear the lane next, apart from the account's own limit.
    #[must_use]
    pub fn room_ready_at(
        &self,
        room: &RoomId,
        kind: RoomKind,
        lane: Lane,
        now: Instant,
    ) -> Instant {
        let Some(room) = self.rooms.get(room) else {
            return now;
        };
        let ready = room.log.ready_at(self.rate(kind, lane), now);
        room.frozen_until.map_or(ready, |until| ready.max(until))
    }

    /// How many sends of the lane this room may hear at once now.
    #[must_use]
    pub fn room_free(&self, room: &RoomId, kind: RoomKind, lane: Lane, now: Instant) -> usize {
        let rate = self.rate(kind, lane);
        let Some(room) = self.rooms.get(room) else {
            return rate.most;
        };
        if room.frozen_until.is_some_and(|until| until > now) {
            return 0;
        }
        rate.most.saturating_sub(room.log.count(rate.within, now))
    }

    /// How many the lane may send to this room in a whole window.
    #[must_use]
    pub fn room_most(&self, kind: RoomKind, lane: Lane) -> usize {
        self.rate(kind, lane).most
    }

    /// Lets one send out, or says when to ask again.
    ///
    /// # Errors
    /// The moment at which to ask again, when the account or the room may not send now.
    pub fn release(
        &mut self,
        room: Option<(&RoomId, RoomKind)>,
        lane: Lane,
        now: Instant,
    ) -> Result<Ticket, Instant> {
        self.forget_silent(now);
        let mut ready = self.account_ready_at(now);
        if let Some((room, kind)) = room {
            ready = ready.max(self.room_ready_at(room, kind, lane, now));
        }
        if ready > now {
            return Err(ready);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.log.trim(self.account.within, now);
        self.log.open.push_back((number, now));
        if let Some((room, kind)) = room {
            // The longer of the two windows that may be asked of it, should the kind ever be learnt
            // late.
            let within = match kind {
                RoomKind::Private => PRIVATE.within,
                RoomKind::Group => self.group.within,
            };
            let entry = self.rooms.entry(room.clone()).or_default();
            entry.within = entry.within.max(within);
            entry.log.trim(entry.within, now);
            entry.log.open.push_back((number, now));
        }
        Ok(Ticket {
            number,
            room: room.map(|(room, _)| room.clone()),
        })
    }

    /// Lets out what is no message and so counts for no limit (the answer to a pressed button); only a
    /// pause that the platform asked for holds it.
    ///
    /// # Errors
    /// The moment at which to ask again.
    pub fn pass(&mut self, now: Instant) -> Result<Ticket, Instant> {
        if let Some(until) = self.frozen_until.filter(|&until| until > now) {
            return Err(until);
        }
        let number = self.next_number;
        self.next_number += 1;
        Ok(Ticket { number, room: None })
    }

    /// The platform answered, whatever it said: the send counts from about now.
    pub fn answered(&mut self, ticket: &Ticket, now: Instant) {
        let Some(released) = self.log.released(ticket.number) else {
            return self.close(ticket, Some(now));
        };
        self.answers = self.answers.saturating_add(1);
        self.shortest = self.shortest.min(now - released);
        let way = if self.answers > LEARNT {
            self.shortest * CREDIT / 16
        } else {
            Duration::ZERO
        };
        let seen = now.checked_sub(way).unwrap_or(now).max(released);
        self.close(ticket, Some(seen));
    }

    /// No answer will come: the send counts from its release.
    pub fn unanswered(&mut self, ticket: &Ticket) {
        self.close(ticket, None);
    }

    /// No byte left after all: the send does not count.
    pub fn never_left(&mut self, ticket: &Ticket) {
        self.log.forget(ticket.number);
        if let Some(room) = ticket
            .room
            .as_ref()
            .and_then(|room| self.rooms.get_mut(room))
        {
            room.log.forget(ticket.number);
        }
    }

    fn close(&mut self, ticket: &Ticket, stamp: Option<Instant>) {
        self.log.close(ticket.number, stamp);
        if let Some(room) = ticket
            .room
            .as_ref()
            .and_then(|room| self.rooms.get_mut(room))
        {
            room.log.close(ticket.number, stamp);
        }
    }

    /// Nothing into this room before `until`; the others go on.
    pub fn freeze_room(&mut self, room: &RoomId, until: Instant) {
        let entry = self.rooms.entry(room.clone()).or_default();
        entry.frozen_until = entry.frozen_until.max(Some(until));
    }

    /// Nothing of this account before `until`.
    pub fn freeze_account(&mut self, until: Instant) {
        self.frozen_until = self.frozen_until.max(Some(until));
    }

    /// The room goes on under another id, and what it has heard lately goes with it.
    pub fn moved(&mut self, from: &RoomId, to: &RoomId) {
        let Some(old) = self.rooms.remove(from) else {
            return;
        };
        let new = self.rooms.entry(to.clone()).or_default();
        new.within = new.within.max(old.within);
        new.log.answered.extend(old.log.answered);
        new.log
            .answered
            .extend(old.log.open.into_iter().map(|(_, released)| released));
        new.log.answered.make_contiguous().sort_unstable();
    }

    /// A send succeeded: the platform is there.
    pub fn went_well(&mut self) {
        self.strained.clear();
        self.rests = 0;
        self.refused = false;
    }

    /// A send failed in a way that may have to do with the whole platform. When many different rooms
    /// fail in a row the account rests, a little longer each time; `true` when a rest begins.
    pub fn went_wrong(&mut self, room: &RoomId, now: Instant) -> bool {
        if self.strained.len() < STRAIN && !self.strained.contains(room) {
            self.strained.push(room.clone());
        }
        let resting = self.frozen_until.is_some_and(|until| until > now);
        if self.strained.len() < STRAIN || resting {
            return false;
        }
        let rest = Duration::from_secs(1 << self.rests.min(4)).min(LONGEST_REST);
        self.rests += 1;
        self.freeze_account(now + rest);
        true
    }

    /// The next send only tries whether the platform is back: one at a time.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        self.refused || self.strained.len() >= STRAIN
    }

    /// The platform does not accept the account: nothing before `until`, then one try.
    pub fn refused(&mut self, until: Instant) {
        self.refused = true;
        self.freeze_account(until);
    }

    /// How many rooms are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.rooms.len()
    }

    fn forget_silent(&mut self, now: Instant) {
        if self.next_forgetting.is_some_and(|at| now < at) {
            return;
        }
        self.next_forgetting = Some(now + Duration::from_secs(15));
        self.rooms.retain(|_, room| {
            room.log.trim(room.within, now);
            !room.log.is_empty() || room.frozen_until.is_some_and(|until| until > now)
        });
        if self.rooms.capacity() > 4 * self.rooms.len() + 64 {
            self.rooms.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::AccountName;

    fn room(native: &str) -> RoomId {
        RoomId::new(AccountName::parse("tg1").unwrap(), native)
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn limits(per_second: u32, room_per_minute: u32) -> Limits {
        Limits::new(Rates {
            per_second,
            room_per_minute,
        })
    }

    /// Sends to `rooms` rooms as fast as allowed, each answered after `latency`; gives the time from
    /// the first release to the last one.
    fn sweep(per_second: u32, rooms: usize, latency: Duration) -> Duration {
        let start = Instant::now();
        let mut limits = limits(per_second, 20);
        let mut now = start;
        let mut answers = VecDeque::new();
        for n in 0..rooms {
            loop {
                while let Some((_, ticket)) = answers.pop_front_if(|(at, _)| *at <= now) {
                    limits.answered(&ticket, now);
                }
                match limits.release(
                    Some((&room(&n.to_string()), RoomKind::Group)),
                    Lane::Urgent,
                    now,
                ) {
                    Ok(ticket) => break answers.push_back((now + latency, ticket)),
                    Err(at) => now = answers.front().map_or(at, |(answer, _)| at.min(*answer)),
                }
            }
        }
        now - start
    }

    #[test]
    fn the_floor_is_reached() {
        // (rooms − burst) ÷ rate, and a little for the answers on the way.
        let thirty = sweep(30, 300, ms(5)).as_secs_f64();
        assert!((9.0..9.0 * 1.02).contains(&thirty), "{thirty}");
        let thousand = sweep(1000, 2000, ms(20)).as_secs_f64();
        assert!((1.0..1.10).contains(&thousand), "{thousand}");
    }

    #[test]
    fn the_way_to_the_platform_costs_no_speed() {
        for latency in [40, 80, 200] {
            let taken = sweep(30, 3000, ms(latency)).as_secs_f64();
            let most = 1.02 + f64::from(latency as u32) / 8000.0;
            assert!(
                (99.0..99.0 * most).contains(&taken),
                "{latency} ms: {taken}"
            );
        }
    }

    #[test]
    fn one_frozen_room_does_not_hold_the_others() {
        let now = Instant::now();
        let mut limits = limits(30, 20);
        limits.freeze_room(&room("a"), now + ms(8000));
        assert_eq!(
            limits.release(Some((&room("a"), RoomKind::Group)), Lane::Urgent, now),
            Err(now + ms(8000))
        );
        assert!(
            limits
                .release(Some((&room("b"), RoomKind::Group)), Lane::Bulk, now)
                .is_ok()
        );
        limits.freeze_account(now + ms(500));
        assert_eq!(
            limits.release(Some((&room("b"), RoomKind::Group)), Lane::Urgent, now),
            Err(now + ms(500))
        );
        assert_eq!(limits.account_free_by(now), 0);
    }

    #[test]
    fn receipts_leave_a_group_room_for_an_alert() {
        let now = Instant::now();
        let mut limits = limits(1000, 20);
        let group = room("a");
        let mut receipts = 0;
        while let Ok(ticket) = limits.release(Some((&group, RoomKind::Group)), Lane::Reply, now) {
            limits.answered(&ticket, now);
            receipts += 1;
        }
        assert_eq!(receipts, 18);
        assert_eq!(
            limits.room_free(&group, RoomKind::Group, Lane::Reply, now),
            0
        );
        assert!(
            limits
                .release(Some((&group, RoomKind::Group)), Lane::Urgent, now)
                .is_ok()
        );
    }

    #[test]
    fn silent_rooms_are_forgotten() {
        let start = Instant::now();
        let mut limits = limits(1000, 20);
        for n in 0..500 {
            let ticket = limits
                .release(
                    Some((&room(&n.to_string()), RoomKind::Group)),
                    Lane::Bulk,
                    start,
                )
                .unwrap();
            limits.answered(&ticket, start + ms(3));
        }
        assert_eq!(limits.remembered(), 500);
        let later = start + ms(61_000);
        assert!(limits.release(None, Lane::Bulk, later).is_ok());
        assert_eq!(limits.remembered(), 0);
    }

    #[test]
    fn many_failing_rooms_rest_the_account_and_one_does_not() {
        let mut now = Instant::now();
        let mut limits = limits(30, 20);
        for _ in 0..50 {
            assert!(!limits.went_wrong(&room("a"), now));
        }
        let rests: Vec<bool> = (0..8)
            .map(|n| limits.went_wrong(&room(&n.to_string()), now))
            .collect();
        assert_eq!(rests.iter().filter(|&&rest| rest).count(), 1);
        assert_eq!(limits.account_ready_at(now), now + ms(1000));
        now += ms(1000);
        assert!(limits.is_trying());
        assert!(limits.went_wrong(&room("9"), now));
        assert_eq!(limits.account_ready_at(now), now + ms(2000));
        limits.went_well();
        assert!(!limits.is_trying());
    }

    proptest! {
        /// The platform sees each send somewhere between release and answer: after a way there, and as long
        /// before the answer as the way back is, both of them now and then longer. In no window does it see
        /// more than is allowed.
        #[test]
        fn no_window_of_the_platform_sees_too_many(
            per_second in 1_u32..8,
            room_per_minute in 1_u32..6,
            there in 0_u64..150,
            back in 0_u64..150,
            sends in prop::collection::vec((0_u8..3, 0_u64..400, 0_u64..650, 0.0_f64..=1.0, any::<bool>()), 1..200),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut limits = limits(per_second, room_per_minute);
            let mut open: Vec<(Instant, Ticket, bool)> = Vec::new();
            let mut seen: Vec<(Instant, u8)> = Vec::new();
            for (native, pause, latency, arrives, silent) in sends {
                now += ms(pause);
                // Half of the time, wait until it is allowed.
                for _ in 0..50 {
                    open.sort_by_key(|(at, ..)| *at);
                    while open.first().is_some_and(|(at, ..)| *at <= now) {
                        let (at, ticket, silent) = open.remove(0);
                        if silent { limits.unanswered(&ticket) } else { limits.answered(&ticket, at) }
                    }
                    match limits.release(Some((&room(&native.to_string()), RoomKind::Group)), Lane::Urgent, now) {
                        Ok(ticket) => {
                            // A silent one was seen at once or never.
                            let silent = silent && arrives < 0.2 && seen.len() != 3;
                            // One of the first came without any delay.
                            let delay = if seen.len() == 3 { 0 } else { latency };
                            let at = now + ms(there) + ms(delay).mul_f64(arrives);
                            let at = if silent { now + ms(there) } else { at };
                            seen.push((at, native));
                            open.push((now + ms(there + delay + back), ticket, silent));
                            break;
                        }
                        Err(at) if pause % 2 == 0 => {
                            prop_assert!(at > now);
                            now = open.first().map_or(at, |(answer, ..)| at.min(*answer));
                        }
                        Err(_) => break,
                    }
                }
            }
            seen.sort();
            for (index, &(first, _)) in seen.iter().enumerate() {
                let second = seen.iter().skip(index).filter(|(at, _)| *at < first + ms(1000)).count();
                prop_assert!(second <= per_second as usize, "{second} in a second");
                for native in 0..3 {
                    let minute = seen.iter().skip(index).filter(|(at, room)| *at < first + ms(60_000) && *room == native).count();
                    prop_assert!(minute <= room_per_minute as usize, "{minute} in a minute");
                }
            }
        }
    }
}
