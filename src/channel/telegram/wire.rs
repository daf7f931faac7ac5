//! What the Bot API writes, as far as we read it.
//!
//! Everything is optional and borrowed from the answer; unknown fields and entities are passed over.
//! A field of an unexpected type makes this quick reading fail as a whole, and [`super::loose`] then
//! reads the same structs field by field.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::channel::json::Id;
use crate::channel::json::Text;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Update<'a> {
    pub(super) update_id: Option<i64>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) edited_message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) callback_query: Option<Callback<'a>>,
    #[serde(borrow)]
    pub(super) my_chat_member: Option<Membership<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) message_id: Option<Id<'a>>,
    pub(super) date: Option<i64>,
    #[serde(borrow)]
    pub(super) chat: Option<Chat<'a>>,
    #[serde(borrow)]
    pub(super) from: Option<User<'a>>,
    pub(super) sender_chat: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) message_thread_id: Option<Id<'a>>,
    pub(super) is_topic_message: Option<bool>,
    #[serde(borrow)]
    pub(super) reply_to_message: Option<Replied<'a>>,
    #[serde(borrow)]
    pub(super) external_reply: Option<External<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) caption: Option<Text<'a>>,
    /// Formatted text of the newer kind (Bot API 10.1); we want its words only.
    #[serde(borrow)]
    pub(super) rich_message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) entities: Option<Vec<Entity<'a>>>,
    #[serde(borrow)]
    pub(super) caption_entities: Option<Vec<Entity<'a>>>,
    #[serde(borrow)]
    pub(super) photo: Option<Vec<PhotoSize<'a>>>,
    #[serde(borrow)]
    pub(super) animation: Option<FileRef<'a>>,
    #[serde(borrow)]
    pub(super) document: Option<FileRef<'a>>,
    #[serde(borrow)]
    pub(super) video: Option<FileRef<'a>>,
    #[serde(borrow)]
    pub(super) video_note: Option<FileRef<'a>>,
    #[serde(borrow)]
    pub(super) voice: Option<FileRef<'a>>,
    #[serde(borrow)]
    pub(super) audio: Option<FileRef<'a>>,
    pub(super) location: Option<Location>,
    #[serde(borrow)]
    pub(super) venue: Option<Venue<'a>>,
    #[serde(borrow)]
    pub(super) media_group_id: Option<Id<'a>>,
    pub(super) forward_origin: Option<IgnoredAny>,
    /// Servers before Bot API 7.0 tell a forward by this field.
    pub(super) forward_date: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) migrate_to_chat_id: Option<Id<'a>>,
    #[serde(borrow)]
    pub(super) migrate_from_chat_id: Option<Id<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chat<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Id<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) first_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) last_name: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Id<'a>>,
    pub(super) is_bot: Option<bool>,
    #[serde(borrow)]
    pub(super) first_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) last_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) username: Option<Text<'a>>,
}

/// The answered message: only what tells which it is and whether our bot wrote it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Replied<'a> {
    #[serde(borrow)]
    pub(super) message_id: Option<Id<'a>>,
    #[serde(borrow)]
    pub(super) from: Option<User<'a>>,
}

/// An answered message of another topic or chat.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct External<'a> {
    #[serde(borrow)]
    pub(super) message_id: Option<Id<'a>>,
    #[serde(borrow)]
    pub(super) chat: Option<Chat<'a>>,
    #[serde(borrow)]
    pub(super) origin: Option<Origin<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Origin<'a> {
    #[serde(borrow)]
    pub(super) sender_user: Option<User<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entity<'a> {
    #[serde(rename = "type")]
    pub(super) kind: EntityKind,
    pub(super) offset: i64,
    pub(super) length: i64,
    #[serde(borrow)]
    pub(super) user: Option<User<'a>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntityKind {
    Mention,
    TextMention,
    BotCommand,
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PhotoSize<'a> {
    #[serde(borrow)]
    pub(super) file_id: Option<Text<'a>>,
    pub(super) width: i64,
    pub(super) height: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FileRef<'a> {
    #[serde(borrow)]
    pub(super) file_id: Option<Text<'a>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct Location {
    pub(super) latitude: Option<f64>,
    pub(super) longitude: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Venue<'a> {
    pub(super) location: Option<Location>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) address: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Callback<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Id<'a>>,
    #[serde(borrow)]
    pub(super) from: Option<User<'a>>,
    /// Accessible or not: the stub of an inaccessible message has the same ids.
    #[serde(borrow)]
    pub(super) message: Option<Carrier<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
}

/// The message under which a button was pressed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Carrier<'a> {
    #[serde(borrow)]
    pub(super) message_id: Option<Id<'a>>,
    #[serde(borrow)]
    pub(super) chat: Option<Chat<'a>>,
    #[serde(borrow)]
    pub(super) message_thread_id: Option<Id<'a>>,
    pub(super) is_topic_message: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Membership<'a> {
    #[serde(borrow)]
    pub(super) chat: Option<Chat<'a>>,
    pub(super) date: Option<i64>,
    #[serde(borrow)]
    pub(super) new_chat_member: Option<Member<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Member<'a> {
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    pub(super) is_member: Option<bool>,
}

/// The envelope of every answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer<'a> {
    pub(super) ok: Option<bool>,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    pub(super) error_code: Option<i64>,
    #[serde(borrow)]
    pub(super) description: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) parameters: Option<Parameters<'a>>,
}

/// What an error says beside its words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters<'a> {
    pub(super) retry_after: Option<u64>,
    #[serde(borrow)]
    pub(super) migrate_to_chat_id: Option<Id<'a>>,
}
