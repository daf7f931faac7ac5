//! How often one person may ask: kept in memory, forgotten at a restart.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use chrono::TimeDelta;

use crate::domain::clock::Time;
use crate::domain::ids::RoomId;

/// Beyond this many people, those whose minute is over are forgotten.
const MOST_PEOPLE: usize = 4096;

/// Whether a question may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Answer it.
    Fine,
    /// The first one too many: say so, once.
    FirstTooMany,
    /// Be silent.
    TooMany,
}

/// A number of questions a minute for each person.
#[derive(Debug)]
pub(crate) struct PerMinute {
    most: u32,
    asked: Mutex<HashMap<RoomId, (Time, u32)>>,
}

impl PerMinute {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            asked: Mutex::default(),
        }
    }

    /// Counts a question. `who` is a person's account, in the form of their private room.
    pub(crate) fn turn(&self, who: &RoomId, now: Time) -> Turn {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: Time| (now - since).abs() >= TimeDelta::minutes(1);
        if asked.len() >= MOST_PEOPLE {
            asked.retain(|_, (since, _)| !is_over(*since));
        }
        let (since, count) = asked.entry(who.clone()).or_insert((now, 0));
        if is_over(*since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        match *count {
            n if n <= self.most => Turn::Fine,
            n if n == self.most.saturating_add(1) => Turn::FirstTooMany,
            _ => Turn::TooMany,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::ids::AccountName;

    #[test]
    fn one_person_asks_ten_times_a_minute() {
        let limit = PerMinute::new(10);
        let who = |native: &str| RoomId::new(AccountName::parse("tg1").unwrap(), native);
        let now = from_unix_ms(1_700_000_000_000);
        for _ in 0..10 {
            assert_eq!(limit.turn(&who("1"), now), Turn::Fine);
        }
        assert_eq!(limit.turn(&who("1"), now), Turn::FirstTooMany);
        assert_eq!(limit.turn(&who("1"), now), Turn::TooMany);
        assert_eq!(limit.turn(&who("2"), now), Turn::Fine);
        assert_eq!(
            limit.turn(&who("1"), now + TimeDelta::minutes(1)),
            Turn::Fine
        );
    }
}
