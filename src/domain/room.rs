//! One conversation reached through one account.

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
