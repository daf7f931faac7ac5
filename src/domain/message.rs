//! What a platform told us, in our own words.

use super::clock::Time;
use super::ids::MessageId;
use super::ids::RoomId;
use super::room::RoomKind;

/// Something a platform told us. Anything else it says is not our business.
#[derive(Debug, Clone, PartialEq)]
pub enum Inbound {
    /// A person wrote in a room.
    Said(Message),
    /// A person changed what they wrote; the message is the whole new version.
    Edited(Message),
    /// A person pressed a button under one of our messages.
    Pressed(Press),
    /// The bot was let into a room, or its rights there changed.
    Joined {
        /// Which room.
        room: RoomId,
        /// Group or private.
        kind: RoomKind,
        /// Its name.
        title: String,
        /// Whether the bot is an administrator there, or otherwise sees everything.
        sees_all: bool,
        /// When.
        at: Time,
    },
    /// The bot was put out of a room; nothing more can be posted there.
    Removed {
        /// Which room.
        room: RoomId,
    },
    /// A room goes on under another id.
    Moved {
        /// The id that no longer works.
        from: RoomId,
        /// The id from now on.
        to: RoomId,
    },
    /// One of our own posts came back: evidence that it is in the room.
    Echo {
        /// Which room.
        room: RoomId,
        /// Its id there.
        message: MessageId,
        /// What it says there.
        text: String,
        /// When it was posted.
        at: Time,
    },
    /// The bot is in a group whose platform never tells of joining, and hands over only what mentions
    /// the bot or answers it. Told with every message from there.
    Met {
        /// Which room.
        room: RoomId,
        /// When.
        at: Time,
    },
    /// A person wrote to the bot, and the platform keeps from us what.
    Unread(Unread),
    /// A person took their message away, or an administrator did.
    Deleted {
        /// Which room.
        room: RoomId,
        /// Its id there.
        message: MessageId,
    },
    /// From now on until then a person may be written to; after that not before their next word. Told
    /// with every word of theirs, and with whatever else the platform counts as one.
    Opened {
        /// The chat with this person.
        room: RoomId,
        /// The first moment at which nothing is taken any more.
        until: Time,
    },
    /// Something we could not understand, counted and passed over. Holds no text of anybody.
    NotUnderstood {
        /// What was wrong with it, in English, without its contents.
        why: String,
    },
}

/// A message as a person wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where.
    pub room: RoomId,
    /// Group or private.
    pub room_kind: RoomKind,
    /// The room's name, when the platform tells it.
    pub room_title: String,
    /// The topic inside the room, where platforms have them.
    pub thread: Option<String>,
    /// Its id in the room.
    pub id: MessageId,
    /// Who.
    pub sender: Sender,
    /// When it was written.
    pub sent_at: Time,
    /// The text or caption, exactly as received; may be empty when there is only a photo.
    pub text: String,
    /// Photos, places and files, by reference.
    pub attachments: Vec<Attachment>,
    /// The message it answers, if any.
    pub reply_to: Option<ReplyTo>,
    /// The platform says that the bot is mentioned.
    pub mentioned: bool,
    /// It mentions the bot or answers one of its messages, and the platform does not say which.
    pub perhaps_reply: bool,
    /// Messages with the same album were sent as one.
    pub album: Option<String>,
    /// Written by somebody else and passed on.
    pub forwarded: bool,
    /// Where its author alone can be answered, once, though it was written in front of everybody.
    pub aside: Option<RoomId>,
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A person with an account on the platform.
    Person {
        /// The platform's id of the account.
        native: String,
        /// The name it shows.
        name: String,
    },
    /// A person writing as the group or a channel: nobody in particular.
    Anonymous,
    /// A program; never answered.
    Bot,
}

/// The message that this one answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTo {
    /// Its id in the same room.
    pub id: MessageId,
    /// Whether our bot wrote it.
    pub to_bot: bool,
}

/// Something that came with a message. Only references: nothing is fetched unless an officer asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Attachment {
    /// A photo, by the platform's file id or URL.
    Photo(String),
    /// Another kind of file.
    File {
        /// `video`, `voice`, `document` …
        kind: String,
        /// The platform's file id or URL.
        reference: String,
    },
    /// A place on the map, in degrees (WGS 84).
    Location {
        /// North is positive.
        latitude: f64,
        /// East is positive.
        longitude: f64,
        /// The name of the place, when the sender chose one.
        name: Option<String>,
    },
}

impl Attachment {
    /// The address at which the platform shows a photo; none where it has another kind of id.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Photo(reference) => (reference.starts_with("https://")
                || reference.starts_with("http://"))
            .then_some(reference.as_str()),
            Self::File { .. } | Self::Location { .. } => None,
        }
    }
}

/// A message of which only the envelope is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where.
    pub room: RoomId,
    /// Its id in the room.
    pub id: MessageId,
    /// When it was written.
    pub sent_at: Time,
    /// There were words or a file, and they are withheld; else there was nothing to read, as in a sticker.
    pub withheld: bool,
}

/// A button was pressed.
#[derive(Debug, Clone, PartialEq)]
pub struct Press {
    /// Where.
    pub room: RoomId,
    /// Group or private.
    pub room_kind: RoomKind,
    /// The topic inside the room, where platforms have them.
    pub thread: Option<String>,
    /// The id of this press, unique within the account.
    pub id: String,
    /// Who.
    pub sender: Sender,
    /// The message that carried the button.
    pub message: Option<MessageId>,
    /// What the button says to us. Sent by the client: check that it was really offered.
    pub data: String,
}
