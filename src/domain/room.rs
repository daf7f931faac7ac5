//! One conversation reached through one account.

use super::appointment::Hour;
use super::area::AreaId;
use super::clock::Time;
use super::ids::RoomId;

/// Who is in a room besides the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// Many people: a group, or a Page's feed.
    Group,
    /// One person.
    Private,
}

/// Whether anything can still be posted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomState {
    /// The bot is in.
    Active,
    /// The bot was put out, or the room is gone.
    Removed,
    /// The room goes on under another id (a Telegram group that became a supergroup).
    Moved(RoomId),
}

/// The hours in which a room is left alone by what can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// From this hour.
    pub from: Hour,
    /// To this one, perhaps of the next day.
    pub to: Hour,
}

impl Quiet {
    /// `22h-6h`, `22:00 - 05:30`; the two must differ.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let (from, to) = raw.split_once('-')?;
        let hour = |raw: &str| {
            let raw = raw.trim().trim_end_matches(['h', ':']);
            let (hour, minute) = raw.split_once(['h', ':']).unwrap_or((raw, "0"));
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            if hour > 23 || minute > 59 {
                return None;
            }
            Hour::from_minutes(hour * 60 + minute)
        };
        let (from, to) = (hour(from)?, hour(to)?);
        (from != to).then_some(Self { from, to })
    }

    /// When the quiet that holds now is over; none: it does not hold.
    #[must_use]
    pub fn over_at(self, now: Time) -> Option<Time> {
        let starts = self.from.next(now, None);
        let ends = self.to.next(now, None);
        (ends < starts).then_some(ends)
    }
}

/// What was chosen for a room by command; it goes before what the config says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choices {
    /// Whether it hears exercises, where that was chosen.
    pub drills: Option<bool>,
    /// Its quiet hours (inside: none at all), where they were chosen.
    pub quiet: Option<Option<Quiet>>,
}

/// A room that the bot was let into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Which.
    pub id: RoomId,
    /// Group or private.
    pub kind: RoomKind,
    /// The name its members gave it; never a person's name (private rooms have none).
    pub title: String,
    /// The area it is bound to; a room without one gets no alerts.
    pub area: Option<AreaId>,
    /// In, out or moved.
    pub state: RoomState,
    /// Whether the bot sees every message there, as far as the platform tells.
    pub sees_all: Option<bool>,
    /// When the bot came in.
    pub joined_at: Time,
    /// What was chosen for it by command, if anything ever was.
    pub choices: Option<Choices>,
}

impl Room {
    /// Whether an alert for `area` belongs here.
    #[must_use]
    pub fn hears(&self, area: &AreaId) -> bool {
        self.kind == RoomKind::Group
            && self.state == RoomState::Active
            && self.area.as_ref().is_some_and(|own| area.contains(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_unix_ms;
    use chrono::TimeDelta;

    #[test]
    fn quiet_hours_end_in_the_morning() {
        // 24 November 2026, 15:05 in Viet Nam.
        let now = from_unix_ms(1_795_507_500_000);
        let night = Quiet::parse("22h-6h").unwrap();
        assert_eq!(Quiet::parse("22:00 - 06:00"), Some(night));
        assert_eq!(night.over_at(now), None);
        let late = now + TimeDelta::hours(8);
        let early = now + TimeDelta::hours(14);
        let morning = now + TimeDelta::minutes(14 * 60 + 55);
        assert_eq!(night.over_at(late), Some(morning));
        assert_eq!(night.over_at(early), Some(morning));
        assert_eq!(night.over_at(morning), None);
        let noon = Quiet::parse("12h-13h30").unwrap();
        assert_eq!(noon.over_at(now), None);
        assert!(noon.over_at(now - TimeDelta::hours(2)).is_some());
        for raw in [
            "",
            "22h",
            "22h-22h",
            "25h-6h",
            "22h-6h60",
            "x-y",
            "99999h-1h",
        ] {
            assert_eq!(Quiet::parse(raw), None, "{raw}");
        }
    }
}
