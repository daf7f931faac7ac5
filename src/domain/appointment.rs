//! A digest that comes by itself: into which chat, at what hour, for whom.
//!
//! One chat hears at most one such digest a day, so an appointment is named by its chat; asking again
//! changes the hour. One that was ended keeps its row, for the revision and the last day that was done.

use chrono::NaiveDate;
use chrono::NaiveTime;
use chrono::Timelike;

use super::clock::Time;
use super::clock::vietnam;
use super::ids::RoomId;

/// An hour of every day in Viet Nam, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour {
    /// Minutes since midnight; below 1440.
    minutes: u16,
}

impl Hour {
    /// Noon.
    pub const NOON: Self = Self { minutes: 12 * 60 };

    /// So many minutes after midnight; none when the day has fewer.
    #[must_use]
    pub fn from_minutes(minutes: u16) -> Option<Self> {
        (minutes < 24 * 60).then_some(Self { minutes })
    }

    /// Minutes since midnight.
    #[must_use]
    pub fn minutes(self) -> u16 {
        self.minutes
    }

    /// The hour and the minute, as a clock of 24 hours shows them.
    #[must_use]
    pub fn on_the_clock(self) -> (u16, u16) {
        (self.minutes / 60, self.minutes % 60)
    }

    /// This hour of one day. Viet Nam has no daylight saving, so there is exactly one.
    #[must_use]
    pub fn on(self, day: NaiveDate) -> Time {
        let time = NaiveTime::MIN
            .with_hour(u32::from(self.minutes / 60))
            .and_then(|time| time.with_minute(u32::from(self.minutes % 60)))
            .unwrap_or_default();
        day.and_time(time)
            .and_local_timezone(vietnam())
            .single()
            .unwrap_or_default()
    }

    /// The first such moment after `now` that does not lie on the day that is done already.
    #[must_use]
    pub fn next(self, now: Time, done: Option<NaiveDate>) -> Time {
        now.with_timezone(&vietnam())
            .date_naive()
            .iter_days()
            .filter(|day| Some(*day) != done)
            .map(|day| self.on(day))
            .find(|at| *at > now)
            .unwrap_or_default()
    }
}

/// A chat that gets the digest every day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// The chat.
    pub room: RoomId,
    /// The topic inside it.
    pub thread: Option<String>,
    /// Whoever asked, by the platform's user id; their role is looked up each time.
    pub native: String,
    /// Grows with each change.
    pub revision: u32,
    /// When, every day.
    pub hour: Hour,
    /// When it was last asked for.
    pub asked_at: Time,
    /// The next digest; none when it was ended.
    pub due: Option<Time>,
    /// The last day whose digest was sent, or was missed for good.
    pub done: Option<NaiveDate>,
}

impl Appointment {
    /// Whether it is somebody's own chat with the bot: on every platform here its id is the user's own.
    #[must_use]
    pub fn is_private(&self) -> bool {
        *self.room.native == *self.native
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, number).unwrap()
    }

    fn hour(hour: u16, minute: u16) -> Hour {
        Hour::from_minutes(hour * 60 + minute).unwrap()
    }

    #[test]
    fn the_next_time_is_later_today_or_tomorrow_and_never_twice_on_one_day() {
        let six = hour(18, 0);
        for (now, done, next) in [
            (hour(17, 59).on(day(24)), None, six.on(day(24))),
            (six.on(day(24)), None, six.on(day(25))),
            (hour(18, 1).on(day(24)), None, six.on(day(25))),
            (hour(17, 0).on(day(24)), Some(day(24)), six.on(day(25))),
            (hour(17, 0).on(day(24)), Some(day(23)), six.on(day(24))),
            (
                hour(23, 59).on(day(30)),
                None,
                six.on(day(30) + chrono::Days::new(1)),
            ),
        ] {
            assert_eq!(six.next(now, done), next, "{now}");
        }
        let midnight = hour(0, 0);
        assert_eq!(
            midnight.next(hour(23, 59).on(day(24)), Some(day(24))),
            midnight.on(day(25))
        );
        assert_eq!(
            midnight.on(day(25)).to_rfc3339(),
            "2026-11-25T00:00:00+07:00"
        );
        assert_eq!(Hour::from_minutes(1440), None);
    }
}
