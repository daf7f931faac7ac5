//! One thing to be said in one room: the rows of the outbox.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Time;
use super::ids::AlertId;
use super::ids::DeliveryId;
use super::ids::IncidentId;
use super::ids::MessageId;
use super::ids::RoomId;
use super::incident::Missing;

/// Which queue a row waits in; the first is emptied before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Warnings and danger.
    Urgent,
    /// Receipts and answers to commands.
    Reply,
    /// Information, digests and everything else that can wait.
    Bulk,
}

impl Lane {
    /// All lanes, most urgent first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Reply, Self::Bulk];

    /// The id used in exports and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Reply => "reply",
            Self::Bulk => "bulk",
        }
    }
}

/// A button under a message, where the platform has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What it says, in Vietnamese.
    pub label: String,
    /// What comes back when it is pressed; at most 64 bytes (Telegram's limit, the smallest).
    pub data: String,
}

/// In which form a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PictureKind {
    /// What we draw.
    Png,
    /// What people take.
    Jpeg,
}

impl PictureKind {
    /// What a picture is, by its first bytes; none: nothing that every platform shows.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            _ => None,
        }
    }

    /// Its MIME type.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// What its file is called where it is given to a platform.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Png => "canh-bao.png",
            Self::Jpeg => "canh-bao.jpg",
        }
    }
}

/// A picture that goes with words.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Stands for it within this process: what a platform was given once need not be given again.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// What kind of file it is.
    pub kind: PictureKind,
    /// Where a platform that fetches pictures itself finds it.
    pub address: Option<String>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// What to say. Plain text always: nothing in it is markup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Post {
    /// The words. A channel splits what is too long for its platform.
    pub text: String,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// Our own earlier message that it replaces, where the platform edits.
    pub edits: Option<MessageId>,
    /// What is shown above the words. It is made when the post leaves, and never kept in a row.
    pub picture: Option<Arc<Picture>>,
    /// It goes along with others that can do without it: where it does not go, they do. Never kept in a
    /// row.
    pub is_extra: bool,
}

/// What a row says, rendered when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Ready words: an answer, a preview, a digest.
    Text(Post),
    /// A receipt. Several for one room may be folded into one message that lists the codes.
    Receipt {
        /// The case that was recorded.
        incident: IncidentId,
        /// The message it answers.
        reply_to: Option<MessageId>,
        /// The whole receipt when it goes alone.
        text: String,
        /// The question it asks.
        asks: Option<Missing>,
    },
    /// A version of an alert; the words are kept once, with the alert.
    Alert {
        /// Which.
        alert: AlertId,
        /// Which version.
        version: u32,
        /// The room's row of an earlier version, which this one corrects or ends.
        follows: Option<Follows>,
    },
    /// The officer's report of how an alert goes, rendered from the tally at the moment of sending.
    Progress {
        /// Of which alert.
        alert: AlertId,
        /// The earlier progress row whose message this one replaces.
        edits: Option<DeliveryId>,
    },
    /// The message that tells a version of an alert is kept on top of its room, or no more.
    Pin {
        /// Of which alert.
        alert: AlertId,
        /// The row by which the room was told.
        of: Follows,
        /// What becomes of its message.
        pinned: Pinned,
    },
    /// The answer to a pressed button, which stops its spinning.
    PressAnswer {
        /// The press.
        press: String,
        /// A short word shown to the presser.
        text: String,
    },
}

/// Whether a message stays on top of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// As long as the alert is in force.
    Kept,
    /// Not any more; unless it has become, by editing, what a later row tells.
    NoLonger {
        /// That later row, if there is one.
        unless: Option<Follows>,
    },
}

/// The row by which a room was told an earlier version of an alert. Whether it has seen that version is
/// known when that row has ended; what it did not see may hang on a row before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follows {
    /// Of which version.
    pub version: u32,
    /// Which row.
    pub row: DeliveryId,
}

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, not before `due`.
    Waiting {
        /// Not before this moment.
        due: Time,
    },
    /// Claimed; a byte may have left.
    Sending {
        /// Since when.
        since: Time,
    },
    /// The platform has it.
    Sent {
        /// When it answered.
        at: Time,
        /// Its id there, when told.
        message: Option<MessageId>,
    },
    /// It left, and nobody knows whether it arrived.
    Unknown {
        /// When we gave up.
        at: Time,
        /// What happened, in English.
        why: String,
    },
    /// It surely did not arrive and will not be tried again.
    Failed {
        /// When.
        at: Time,
        /// Why, in English, without anybody's words.
        why: String,
    },
}

impl DeliveryState {
    /// The id used in exports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Sending { .. } => "sending",
            Self::Sent { .. } => "sent",
            Self::Unknown { .. } => "unknown",
            Self::Failed { .. } => "failed",
        }
    }
}

/// One row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id; ids of one process grow, so they are also the order of a room.
    pub id: DeliveryId,
    /// Where to.
    pub room: RoomId,
    /// The topic inside it.
    pub thread: Option<String>,
    /// Which queue.
    pub lane: Lane,
    /// What.
    pub body: Body,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many tries have been made.
    pub attempts: u16,
    /// A try went unanswered before: the room may already have it.
    pub maybe_twice: bool,
    /// When it was queued.
    pub queued_at: Time,
}

/// How a try to send ended: what happened, not what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The platform has it. The id is missing where the platform gives none.
    Accepted(Option<MessageId>),
    /// Surely not posted: come back after this long.
    SlowDown {
        /// How long.
        wait: Duration,
        /// Whether the whole account must wait, or only this room.
        whole_account: bool,
    },
    /// Surely not posted, the fault will pass: refused connection, DNS, overload before the body.
    NotNow(String),
    /// Surely not posted, and it will not be: the bot is out of the room, the text is not allowed.
    Refused {
        /// Why, in English.
        why: String,
        /// The room itself is lost to us.
        room_gone: bool,
    },
    /// Surely not posted, and the platform does not say whether that is for good: worth a few tries.
    Denied(String),
    /// Surely not posted: the person's time to be written to is over, and begins again with their next
    /// word.
    Closed(String),
    /// The account itself is not accepted (a revoked token): nothing of it can be sent until a person acts.
    AccountRefused(String),
    /// Surely not posted: the room goes on under another id.
    Moved(RoomId),
    /// It left, and no answer came.
    Unknown(String),
}

/// How a row ends, or waits on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The platform has it.
    Sent(Option<MessageId>),
    /// Nobody knows.
    Unknown(String),
    /// It will not arrive.
    Failed(String),
    /// Back to the queue.
    Again {
        /// Not before this moment.
        due: Time,
        /// The room it goes to from now on, if that changed.
        room: Option<RoomId>,
        /// The try went unanswered.
        maybe_twice: bool,
    },
}
