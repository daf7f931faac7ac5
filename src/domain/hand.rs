//! Groups that no program may enter, such as Facebook groups: a person posts there by hand.

use super::area::AreaId;
use super::ids::RoomId;

/// How the native id of such a group begins, among the rooms of its administrator's account.
pub const PREFIX: &str = "hand:";

/// One such group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandGroup {
    /// Under which it is kept among the rooms: the account by which its administrator is reached, and
    /// [`PREFIX`] with a name of ours.
    pub id: RoomId,
    /// What it is called.
    pub name: String,
    /// Where its members live.
    pub area: AreaId,
    /// The chat of the person who posts there.
    pub admin: RoomId,
}

/// All of them; there are few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandGroups(pub Vec<HandGroup>);

impl HandGroups {
    /// The group that is kept as this room.
    #[must_use]
    pub fn of(&self, room: &RoomId) -> Option<&HandGroup> {
        self.0.iter().find(|group| group.id == *room)
    }

    /// The groups of the person whose chat this is.
    pub fn of_admin<'a>(&'a self, chat: &'a RoomId) -> impl Iterator<Item = &'a HandGroup> {
        self.0.iter().filter(move |group| group.admin == *chat)
    }
}
