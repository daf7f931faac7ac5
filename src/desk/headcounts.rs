//! How many people the rooms hold, as far as their platforms tell.
//!
//! Kept in memory beside the rooms and filled by somebody else in the background, so that a preview
//! never waits for a platform: what is not known yet is told as not known. A lost number is asked for
//! again; nothing of this is worth a place in the store.
//!
//! ```text
//! a room is bound ─▶ wanted ─▶ next ─▶ (the platform is asked) ─▶ told ─▶ a preview sums up
//! ```

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::domain::clock::Time;
use crate::domain::ids::AccountName;
use crate::domain::ids::RoomId;
use crate::domain::room::Room;
use crate::say::desk::People;

/// A group changes little in a day.
const FRESH: TimeDelta = TimeDelta::days(1);

/// When nothing was answered: the platform is away, or the bot is not in yet.
const RETRY: TimeDelta = TimeDelta::hours(1);

/// What is known of each room, and which are to be asked about.
#[derive(Debug, Default)]
pub struct Headcounts {
    known: Mutex<Known>,
    rung: Notify,
}

#[derive(Debug, Default)]
struct Known {
    rooms: HashMap<RoomId, Count>,
    /// By account, each room once.
    wanted: HashMap<AccountName, VecDeque<RoomId>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    people: Option<u64>,
    /// Not asked again before.
    again: Time,
}

impl Headcounts {
    /// These rooms are bound and may hear alerts: whoever asks about them is woken. Those whose number was
    /// asked for lately are passed over.
    pub fn want<'r>(&self, rooms: impl IntoIterator<Item = &'r RoomId>, now: Time) {
        self.queue(rooms, |count| count.again <= now);
    }

    /// The same for rooms that were bound, or that the bot was let into, just now: an answer that failed
    /// before is worth another question.
    pub(super) fn want_new<'r>(&self, rooms: impl IntoIterator<Item = &'r RoomId>, now: Time) {
        self.queue(rooms, |count| count.people.is_none() || count.again <= now);
    }

    fn queue<'r>(
        &self,
        rooms: impl IntoIterator<Item = &'r RoomId>,
        is_due: impl Fn(&Count) -> bool,
    ) {
        let mut known = self.known();
        let Known {
            rooms: counts,
            wanted,
        } = &mut *known;
        for (account, rooms) in by_account(rooms) {
            let queue = wanted.entry(account.clone()).or_default();
            let mut queued: HashSet<RoomId> = queue.iter().cloned().collect();
            for room in rooms {
                if counts.get(room).is_none_or(&is_due) && queued.insert(room.clone()) {
                    queue.push_back(room.clone());
                }
            }
        }
        drop(known);
        self.rung.notify_waiters();
    }

    /// Ends when rooms were wanted since it was asked for.
    pub fn rung(&self) -> Notified<'_> {
        self.rung.notified()
    }

    /// The next room of an account to ask about.
    pub fn next(&self, account: &AccountName, now: Time) -> Option<RoomId> {
        let mut known = self.known();
        let Known { rooms, wanted } = &mut *known;
        // A room that was wanted while it was asked about is known by now.
        let is_known = |room: &RoomId| {
            let count = rooms.get(room);
            count.is_some_and(|count| count.people.is_some() && count.again > now)
        };
        let queue = wanted.get_mut(account)?;
        loop {
            let room = queue.pop_front()?;
            if !is_known(&room) {
                return Some(room);
            }
        }
    }

    /// What the platform answered: so many, or that it does not tell.
    pub fn told(&self, room: &RoomId, people: Option<u64>, now: Time) {
        let again = now + FRESH;
        self.known()
            .rooms
            .insert(room.clone(), Count { people, again });
    }

    /// The platform answered nothing; a number from before stands.
    pub fn not_told(&self, room: &RoomId, now: Time) {
        let again = now + RETRY;
        self.known()
            .rooms
            .entry(room.clone())
            .and_modify(|count| count.again = again)
            .or_insert(Count {
                people: None,
                again,
            });
    }

    /// How many people are in these rooms. Somebody in two of them is counted twice.
    pub(super) fn of(&self, rooms: &[Room]) -> People {
        let known = self.known();
        let mut people = People::default();
        for room in rooms {
            match known.rooms.get(&room.id).and_then(|count| count.people) {
                Some(count) => {
                    people.count = people.count.saturating_add(count);
                    people.rooms += 1;
                }
                None => people.unknown += 1,
            }
        }
        people
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_account<'r>(
    rooms: impl IntoIterator<Item = &'r RoomId>,
) -> HashMap<&'r AccountName, Vec<&'r RoomId>> {
    let mut accounts: HashMap<&AccountName, Vec<&RoomId>> = HashMap::new();
    for room in rooms {
        accounts.entry(&room.account).or_default().push(room);
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_unix_ms;

    fn room(native: &str) -> RoomId {
        RoomId::new(AccountName::parse("tg1").unwrap(), native)
    }

    #[test]
    fn a_room_is_asked_about_once_a_day_and_after_a_failure_once_an_hour() {
        let counts = Headcounts::default();
        let (five, ha) = (room("-5"), room("-6"));
        let start = from_unix_ms(1_795_507_500_000);
        let asked = |after: TimeDelta| {
            counts.want([&five, &ha, &five], start + after);
            let next = || counts.next(&five.account, start + after);
            std::iter::from_fn(next).collect::<Vec<_>>()
        };
        let minute = TimeDelta::minutes(1);
        assert_eq!(asked(TimeDelta::zero()), [five.clone(), ha.clone()]);
        counts.told(&five, Some(120), start);
        counts.not_told(&ha, start);
        assert_eq!(asked(RETRY - minute), []);
        assert_eq!(asked(RETRY), std::slice::from_ref(&ha));
        counts.told(&ha, None, start + RETRY);
        assert_eq!(asked(FRESH - minute), []);
        assert_eq!(asked(FRESH), std::slice::from_ref(&five));
        // Away now: the number of yesterday is better than none.
        counts.not_told(&five, start + FRESH);
        assert_eq!(counts.known().rooms[&five].people, Some(120));
        // Whatever failed is asked anew when the bot comes in; what is known is not.
        counts.not_told(&ha, start + FRESH);
        let later = start + FRESH + minute;
        counts.want_new([&five, &ha], later);
        assert_eq!(counts.next(&ha.account, later), Some(ha.clone()));
        // It comes in while it is asked about: the answer serves both.
        counts.want_new([&ha], later);
        counts.told(&ha, Some(7), later);
        assert_eq!(counts.next(&ha.account, later), None);
    }

    #[test]
    fn each_account_is_given_its_own_rooms() {
        let counts = Headcounts::default();
        let oa = AccountName::parse("oa1").unwrap();
        let group = RoomId::new(oa.clone(), "c0ffee");
        let now = from_unix_ms(1_795_507_500_000);
        counts.want([&group, &room("-5")], now);
        assert_eq!(counts.next(&oa, now), Some(group));
        assert_eq!(counts.next(&oa, now), None);
        assert_eq!(counts.next(&room("").account, now), Some(room("-5")));
    }
}
