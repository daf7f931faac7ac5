//! What somebody of the staff asked a platform for by chat: it takes a call that may be slow or fail, so it
//! is done beside the conversation and answered when it is done.
//!
//! An errand is written down with the message that asked for it and is gone when it is answered. It is
//! begun at most once: a group that may have been made already is not made again.

use super::area::AreaId;
use super::ids::AccountName;
use super::ids::MessageKey;
use super::room::RoomKind;

/// Work to be done with the groups of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// The message that asked; it names the errand.
    pub asked: MessageKey,
    /// The topic inside its room.
    pub thread: Option<String>,
    /// Whether others read the answer, too.
    pub kind: RoomKind,
    /// Who asked, by the name colleagues know.
    pub by: String,
    /// The account whose groups they are.
    pub account: AccountName,
    /// What is to be done.
    pub work: Work,
    /// A process has begun it. If that one is no more, nobody knows how far it came.
    pub begun: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Make a group for an area.
    Create {
        /// What its members will see.
        name: String,
        /// The area it is bound to.
        area: AreaId,
        /// The platform's ids of the people who are in it from the start.
        people: Vec<String>,
    },
    /// Tell by which link people join these groups, by the platform's ids.
    Links(Vec<String>),
    /// Tell how many are in these groups, and in private who.
    Members(Vec<String>),
    /// Ask the staff of an area into these groups.
    Invite {
        /// The groups.
        groups: Vec<String>,
        /// The platform's ids of the people.
        people: Vec<String>,
    },
}
