//! What can go wrong with a whole platform for a while, the same for all four.
//!
//! The rules of one simulator (`Rule`, `Fault`) aim at single calls; this is for whoever wants to see how the bot
//! lives through a bad day.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::telegram::Dice;

/// How long a slow platform thinks about every call.
const SLOW: Duration = Duration::from_millis(400);

/// Of a hundred sends, so many are told to come later.
const TOO_MANY_PERCENT: f64 = 33.0;

/// Of a hundred sends, so many are carried out and never answered.
const LOST_PERCENT: f64 = 10.0;

/// The longest that a webhook is held back while their order is lost, in milliseconds.
const HELD_BACK_MS: usize = 1_500;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Every call takes long.
    Latency,
    /// A third of all sends is answered "too many".
    TooMany,
    /// A tenth of all sends is carried out, and the answer is lost.
    LostAnswers,
    /// What people do is told to the bot twice.
    ToldTwice,
    /// What people do is told to the bot in another order.
    Reordered,
    /// The bot's token is no longer taken. An Official Account can exchange it for another.
    ExpiredToken,
    /// Nothing is answered and nothing is told until it is over.
    Outage,
}

impl Trouble {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Latency,
        Self::TooMany,
        Self::LostAnswers,
        Self::ToldTwice,
        Self::Reordered,
        Self::ExpiredToken,
        Self::Outage,
    ];
}

/// What one call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is answered that there were too many, and nothing is done.
    TooMany,
    /// It is carried out, and the connection ends.
    LostAnswer,
    /// The token is refused.
    Token,
    /// The connection ends before anything is done.
    Outage,
}

/// The weather over one platform.
#[derive(Debug)]
pub(super) struct Weather {
    on: BTreeSet<Trouble>,
    dice: Dice,
}

impl Weather {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            on: BTreeSet::new(),
            dice: Dice::new(seed ^ 0x7765_6174),
        }
    }

    pub(super) fn set(&mut self, trouble: Trouble, on: bool) {
        if on {
            self.on.insert(trouble);
        } else {
            self.on.remove(&trouble);
        }
    }

    pub(super) fn is(&self, trouble: Trouble) -> bool {
        self.on.contains(&trouble)
    }

    pub(super) fn latency(&self) -> Duration {
        if self.is(Trouble::Latency) {
            SLOW
        } else {
            Duration::ZERO
        }
    }

    /// What a call meets; `posts`: it puts a message in a chat.
    pub(super) fn meet(&mut self, posts: bool) -> Option<Bad> {
        if self.is(Trouble::Outage) {
            return Some(Bad::Outage);
        }
        if self.is(Trouble::ExpiredToken) {
            return Some(Bad::Token);
        }
        if !posts {
            return None;
        }
        if self.is(Trouble::TooMany) && self.dice.percent(TOO_MANY_PERCENT) {
            return Some(Bad::TooMany);
        }
        (self.is(Trouble::LostAnswers) && self.dice.percent(LOST_PERCENT))
            .then_some(Bad::LostAnswer)
    }

    /// For how many milliseconds an event is held back before it is told.
    pub(super) fn held_back_ms(&mut self) -> u64 {
        if self.is(Trouble::Reordered) {
            self.dice.below(HELD_BACK_MS) as u64
        } else {
            0
        }
    }

    /// How often an event is told.
    pub(super) fn times(&self) -> usize {
        if self.is(Trouble::ToldTwice) { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_weather_is_seeded_and_ends() {
        let day = |seed| {
            let mut weather = Weather::new(seed);
            weather.set(Trouble::LostAnswers, true);
            (0..1_000).map(|_| weather.meet(true)).collect::<Vec<_>>()
        };
        assert_eq!(day(3), day(3));
        assert_ne!(day(3), day(4));
        let lost = day(3).iter().flatten().count();
        assert!((60..150).contains(&lost), "{lost}");
        let mut weather = Weather::new(1);
        weather.set(Trouble::Outage, true);
        assert_eq!(weather.meet(false), Some(Bad::Outage));
        weather.set(Trouble::Outage, false);
        assert_eq!((weather.meet(true), weather.times()), (None, 1));
    }
}
