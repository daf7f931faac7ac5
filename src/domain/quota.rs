//! A month's messages, where a platform counts them.
//!
//! ```
//! use keng::domain::quota::{Quota, Standing};
//!
//! let quota = Quota { monthly: 3_000, reserve: 300 };
//! assert_eq!(quota.standing(2_099), Standing::Plenty);
//! assert_eq!(quota.standing(2_100), Standing::Scarce);
//! assert_eq!(quota.standing(2_700), Standing::Reserve);
//! ```

use std::fmt;

use chrono::Datelike as _;

use super::clock::Time;
use super::clock::vietnam;
use super::delivery::Body;
use super::delivery::Delivery;
use super::delivery::Lane;

/// The shares of a month's messages, in percent, at which somebody is told.
pub const MARKS: [u64; 2] = [70, 90];

/// What an account may send and receive in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// All of it.
    pub monthly: u64,
    /// Of this, kept for alerts.
    pub reserve: u64,
}

/// How a month stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing has to be saved.
    Plenty,
    /// Receipts are merged.
    Scarce,
    /// Only the reserve is left: alerts and what belongs to them.
    Reserve,
}

impl Quota {
    /// How a month stands after so many messages.
    #[must_use]
    pub fn standing(&self, used: u64) -> Standing {
        if used.saturating_add(self.reserve) >= self.monthly {
            Standing::Reserve
        } else if self.percent(used) >= MARKS[0] {
            Standing::Scarce
        } else {
            Standing::Plenty
        }
    }

    /// How much of the month is used, in percent.
    #[must_use]
    pub fn percent(&self, used: u64) -> u64 {
        used.saturating_mul(100) / self.monthly.max(1)
    }
}

impl Standing {
    /// Whether a row may leave. Of the reserve live alerts, their previews (the only answers with buttons
    /// to offer) and their reports.
    #[must_use]
    pub fn admits(self, row: &Delivery) -> bool {
        if self < Self::Reserve || row.lane == Lane::Urgent {
            return true;
        }
        match &row.body {
            Body::Alert { .. } | Body::Progress { .. } | Body::PressAnswer { .. } => true,
            Body::Text(post) => !post.buttons.is_empty(),
            Body::Receipt { .. } | Body::Pin { .. } => false,
        }
    }
}

/// A calendar month in Viet Nam.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u32);

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(time: Time) -> Self {
        let day = time.with_timezone(&vietnam());
        let year = u32::try_from(day.year()).unwrap_or(0);
        Self(year * 12 + day.month0())
    }

    /// Its number, growing from month to month.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// As it is said: `11/2026`.
    #[must_use]
    pub fn said(self) -> String {
        format!("{}/{}", self.0 % 12 + 1, self.0 / 12)
    }
}

/// As it is written in keys and logs: `2026-11`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_month_begins_at_midnight_in_viet_nam() {
        let month = |text| Month::of(DateTime::parse_from_rfc3339(text).unwrap());
        assert_eq!(month("2026-11-30T16:59:59Z").to_string(), "2026-11");
        assert_eq!(month("2026-11-30T17:00:00Z").to_string(), "2026-12");
        assert_eq!(month("2026-12-31T17:00:00Z").to_string(), "2027-01");
        assert_eq!(month("2026-12-31T17:00:00Z").said(), "1/2027");
        assert!(month("2026-12-01T00:00:00Z") < month("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn a_month_without_messages_is_all_reserve() {
        let none = Quota {
            monthly: 1,
            reserve: 1,
        };
        assert_eq!(none.standing(0), Standing::Reserve);
        let most = Quota {
            monthly: u64::MAX,
            reserve: 0,
        };
        assert_eq!(most.standing(u64::MAX), Standing::Reserve);
    }
}
