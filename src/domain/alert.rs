//! An officer's words for every group of an area, in numbered versions.

use super::area::AreaId;
use super::clock::Time;
use super::ids::AlertId;
use super::ids::CheckCode;
use super::ids::DeliveryId;
use super::ids::RoomId;

/// How loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Information.
    Info,
    /// A warning; what an alert is when no level is named.
    Warning,
    /// Danger now.
    Urgent,
}

impl Level {
    /// The id used in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
        }
    }
}

/// Where an alert stands. Approval by a second officer will be a state between draft and live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertState {
    /// Previewed, not confirmed.
    Draft,
    /// Sent, and in force until it expires.
    Live,
    /// Thrown away before it was sent.
    Dropped,
    /// The danger is over.
    AllClear,
    /// Taken back.
    Withdrawn,
    /// Its time has passed.
    Expired,
}

impl AlertState {
    /// The id used in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Live => "live",
            Self::Dropped => "dropped",
            Self::AllClear => "all_clear",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Counts every change of this row; a change names the revision it started from.
    pub revision: u32,
    /// The version of the words that rooms see, from 1.
    pub version: u32,
    /// What people type to check that it is real, and the author to confirm it.
    pub code: CheckCode,
    /// Where it stands.
    pub state: AlertState,
    /// How loud.
    pub level: Level,
    /// For whom.
    pub area: AreaId,
    /// The officer's words, at most 20,000 characters.
    pub text: String,
    /// Who wrote it, by the name colleagues know.
    pub author: String,
    /// The room in which it was drafted: where the preview and the report go.
    pub desk: RoomId,
    /// The topic inside that room.
    pub desk_thread: Option<String>,
    /// When it was drafted.
    pub drafted_at: Time,
    /// When it was confirmed.
    pub published_at: Option<Time>,
    /// When it stops being in force.
    pub expires_at: Time,
    /// The message that shows the author how the sending goes.
    pub progress: Option<DeliveryId>,
    /// The last report has been given.
    pub reported: bool,
}

/// How the sending of one version goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rooms it was meant for.
    pub planned: u32,
    /// Rooms that have it.
    pub sent: u32,
    /// Rooms where nobody knows: sent, but no answer came.
    pub unknown: u32,
    /// Rooms that did not get it.
    pub failed: u32,
    /// Of those sent, how many were sent again after an unanswered try, and may stand there twice.
    pub maybe_twice: u32,
}

impl Tally {
    /// Rooms that are still to come.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.planned
            .saturating_sub(self.sent + self.unknown + self.failed)
    }
}
