//! From an update to what happened in a room. Pure; never panics; never loses a text.
//!
//! An update is first read the quick way (`wire`); if any part of it is not as it should be, the
//! patient way (`loose`) reads it again field by field. What neither understands becomes
//! [`Inbound::NotUnderstood`], without its contents. Channel posts, service messages without words and
//! kinds that we never asked for say nothing to us and become nothing.

use std::fmt;

use serde::Deserializer;
use serde::de;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Value;
use serde_json::value::RawValue;

use super::loose;
use super::wire;
use super::wire::EntityKind;
use crate::channel::json::Id;
use crate::channel::json::Object;
use crate::channel::json::Text;
use crate::channel::repair;
use crate::domain::clock;
use crate::domain::clock::Time;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Attachment;
use crate::domain::message::Inbound;
use crate::domain::message::Message;
use crate::domain::message::Press;
use crate::domain::message::ReplyTo;
use crate::domain::message::Sender;
use crate::domain::room::RoomKind;

/// The users that stand for people who write as the group, as a channel, or as a linked channel.
const STAND_INS: [i64; 3] = [1_087_968_824, 136_817_688, 777_000];

/// Kinds of updates that exist and are not our business (Bot API 10.3).
const OTHER_KINDS: [&str; 25] = [
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
    "subscription",
    "stopped_message_generation",
    "removed_chat_member",
    "story",
];

/// Ids above this cannot be update ids; confirming one would throw away everything before it.
pub(super) const HIGHEST_UPDATE: i64 = 1 << 53;

/// Who we are, as far as the platform has told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Me {
    /// The bot's user id.
    pub id: Option<i64>,
    /// The handle, without `@`.
    pub username: Option<String>,
    /// Privacy mode is off: every message of every group is seen.
    pub sees_all: bool,
}

/// An update that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Its number, if it has one that can be confirmed.
    pub id: Option<i64>,
    /// What it tells: usually one thing.
    pub inbound: Vec<Inbound>,
}

/// Reads one update, as received.
#[must_use]
pub fn update(raw: &str, account: &AccountName, me: &Me) -> Parsed {
    let reader = Reader { account, me };
    if let Ok(update) = serde_json::from_str::<wire::Update<'_>>(raw) {
        let inbound = reader.inbound(&update);
        if !inbound.is_empty() || !is_empty(&update) {
            return Parsed {
                id: confirmable(update.update_id),
                inbound,
            };
        }
    }
    let mended = repair::mended(raw.as_bytes());
    let Some(object) = Object::read(&mended) else {
        return Parsed {
            id: None,
            inbound: vec![not_understood("an update that is no JSON object")],
        };
    };
    let update = loose::update(&object);
    let mut inbound = reader.inbound(&update);
    if is_empty(&update) && !object.keys().any(|key| OTHER_KINDS.contains(&key)) {
        inbound.push(not_understood("an update of no kind that we know"));
    }
    Parsed {
        id: confirmable(update.update_id),
        inbound,
    }
}

/// Reads a usual answer to getUpdates in one pass; `None` when any part of it needs a closer look.
pub(super) fn batch(body: &str, account: &AccountName, me: &Me) -> Option<Vec<Parsed>> {
    let mut json = serde_json::Deserializer::from_str(body);
    let read = Answer(Reader { account, me }).deserialize(&mut json).ok()?;
    json.end().ok()?;
    read
}

/// The whole answer; its updates are taken in one by one, since one of them fills kilobytes.
struct Answer<'r>(Reader<'r>);

impl<'de> DeserializeSeed<'de> for Answer<'_> {
    type Value = Option<Vec<Parsed>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Answer<'_> {
    type Value = Option<Vec<Parsed>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut refused = false;
        let mut read = None;
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            match key.as_ref() {
                "ok" => refused = !map.next_value::<bool>()?,
                "result" => read = Some(map.next_value_seed(Updates(self.0))?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(read.filter(|_| !refused))
    }
}

struct Updates<'r>(Reader<'r>);

impl<'de> DeserializeSeed<'de> for Updates<'_> {
    type Value = Vec<Parsed>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Updates<'_> {
    type Value = Vec<Parsed>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of updates")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut read = Vec::new();
        while let Some(update) = seq.next_element::<wire::Update<'de>>()? {
            if is_empty(&update) {
                return Err(de::Error::custom("an update for the patient reader"));
            }
            read.push(Parsed {
                id: confirmable(update.update_id),
                inbound: self.0.inbound(&update),
            });
        }
        Ok(read)
    }
}

fn is_empty(update: &wire::Update<'_>) -> bool {
    update.message.is_none()
        && update.edited_message.is_none()
        && update.callback_query.is_none()
        && update.my_chat_member.is_none()
}

fn confirmable(id: Option<i64>) -> Option<i64> {
    id.filter(|id| (0..=HIGHEST_UPDATE).contains(id))
}

fn not_understood(why: &str) -> Inbound {
    Inbound::NotUnderstood {
        why: why.to_owned(),
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    account: &'a AccountName,
    me: &'a Me,
}

impl Reader<'_> {
    fn inbound(self, update: &wire::Update<'_>) -> Vec<Inbound> {
        let id = update.update_id;
        let mut told = Vec::with_capacity(1);
        if let Some(message) = &update.message {
            told.extend(self.message(message, id, Inbound::Said));
        }
        if let Some(message) = &update.edited_message {
            told.extend(self.message(message, id, Inbound::Edited));
        }
        if let Some(callback) = &update.callback_query {
            told.extend(self.press(callback));
        }
        if let Some(membership) = &update.my_chat_member {
            told.extend(self.membership(membership));
        }
        told
    }

    fn room(self, native: &Id<'_>) -> RoomId {
        RoomId::new(self.account.clone(), native.to_string())
    }

    fn message(
        self,
        message: &wire::Message<'_>,
        update_id: Option<i64>,
        told: fn(Message) -> Inbound,
    ) -> Option<Inbound> {
        let Some((chat, native)) = known(message.chat.as_ref()) else {
            return Some(not_understood("a message without a chat"));
        };
        if let Some(to) = &message.migrate_to_chat_id {
            return Some(Inbound::Moved {
                from: self.room(native),
                to: self.room(to),
            });
        }
        if let Some(from) = &message.migrate_from_chat_id {
            return Some(Inbound::Moved {
                from: self.room(from),
                to: self.room(native),
            });
        }
        let room_kind = room_kind(chat, native)?;
        let text = words(message);
        let attachments = attachments(message);
        if text.is_empty() && attachments.is_empty() {
            return None;
        }
        let id = match (&message.message_id, update_id) {
            (Some(id), _) if *id != Id::Number(0) => MessageId(id.to_string().into()),
            // Ephemeral messages have no id of their own; the update's keeps two of them apart.
            (_, Some(update_id)) => MessageId(format!("update:{update_id}").into()),
            _ => return Some(not_understood("a message without an id")),
        };
        let in_topic = message.is_topic_message == Some(true);
        let thread = message.message_thread_id.as_ref().filter(|_| in_topic);
        Some(told(Message {
            room: self.room(native),
            room_kind,
            room_title: title(chat, room_kind),
            thread: thread.map(ToString::to_string),
            id,
            sender: self.sender(message, chat, room_kind),
            sent_at: moment(message.date),
            mentioned: self.is_mentioned(message),
            text,
            attachments,
            reply_to: self.reply_to(message, native, thread),
            album: message.media_group_id.as_ref().map(ToString::to_string),
            perhaps_reply: false,
            forwarded: message.forward_origin.is_some() || message.forward_date.is_some(),
            aside: None,
        }))
    }

    fn sender(
        self,
        message: &wire::Message<'_>,
        chat: &wire::Chat<'_>,
        room_kind: RoomKind,
    ) -> Sender {
        if message.sender_chat.is_some() {
            return Sender::Anonymous;
        }
        match (&message.from, room_kind) {
            (Some(user), _) => self.user(user),
            // In a private chat the chat is the person.
            (None, RoomKind::Private) => Sender::Person {
                native: chat
                    .id
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                name: full_name([chat.first_name.as_ref(), chat.last_name.as_ref()]),
            },
            (None, RoomKind::Group) => Sender::Anonymous,
        }
    }

    fn user(self, user: &wire::User<'_>) -> Sender {
        let Some(id) = &user.id else {
            return Sender::Anonymous;
        };
        if id.number().is_some_and(|id| STAND_INS.contains(&id)) {
            return Sender::Anonymous;
        }
        if user.is_bot == Some(true) || self.is_me(user) {
            return Sender::Bot;
        }
        let name = full_name([user.first_name.as_ref(), user.last_name.as_ref()]);
        Sender::Person {
            native: id.to_string(),
            name: if name.is_empty() {
                full_name([user.username.as_ref(), None])
            } else {
                name
            },
        }
    }

    fn is_me(self, user: &wire::User<'_>) -> bool {
        match (self.me.id, user.id.as_ref()) {
            (Some(me), Some(id)) => id.number() == Some(me),
            _ => user
                .username
                .as_ref()
                .is_some_and(|name| self.is_my_handle(name.as_str())),
        }
    }

    fn is_my_handle(self, handle: &str) -> bool {
        self.me
            .username
            .as_ref()
            .is_some_and(|me| me.eq_ignore_ascii_case(handle))
    }

    fn reply_to(
        self,
        message: &wire::Message<'_>,
        native: &Id<'_>,
        thread: Option<&Id<'_>>,
    ) -> Option<ReplyTo> {
        if let Some(replied) = &message.reply_to_message {
            let id = replied.message_id.as_ref()?;
            // Every message of a topic that answers nothing "answers" the notice that opened it.
            if thread == Some(id) {
                return None;
            }
            return Some(ReplyTo {
                id: MessageId(id.to_string().into()),
                to_bot: replied.from.as_ref().is_some_and(|user| self.is_me(user)),
            });
        }
        // An answer across topics of one group; across groups it names no message of this room.
        let external = message.external_reply.as_ref()?;
        let same_room = external
            .chat
            .as_ref()
            .is_some_and(|chat| chat.id.as_ref() == Some(native));
        let id = external.message_id.as_ref().filter(|_| same_room)?;
        let author = external
            .origin
            .as_ref()
            .and_then(|o| o.sender_user.as_ref());
        Some(ReplyTo {
            id: MessageId(id.to_string().into()),
            to_bot: author.is_some_and(|user| self.is_me(user)),
        })
    }

    fn is_mentioned(self, message: &wire::Message<'_>) -> bool {
        [
            (&message.entities, &message.text),
            (&message.caption_entities, &message.caption),
        ]
        .into_iter()
        .filter_map(|(entities, text)| Some((entities.as_ref()?, text.as_ref()?.as_str())))
        .any(|(entities, text)| entities.iter().any(|entity| self.names_me(entity, text)))
    }

    fn names_me(self, entity: &wire::Entity<'_>, text: &str) -> bool {
        match entity.kind {
            EntityKind::TextMention => entity.user.as_ref().is_some_and(|user| self.is_me(user)),
            EntityKind::Mention | EntityKind::BotCommand => utf16(text, entity)
                .and_then(|words| words.split_once('@'))
                .is_some_and(|(_, handle)| self.is_my_handle(handle)),
            EntityKind::Other => false,
        }
    }

    fn press(self, callback: &wire::Callback<'_>) -> Option<Inbound> {
        let Some(id) = &callback.id else {
            return Some(not_understood("a pressed button without an id"));
        };
        // A game button carries no data; we have no games.
        let data = callback.data.as_ref()?;
        let carrier = callback.message.as_ref();
        let sender = callback
            .from
            .as_ref()
            .map_or(Sender::Anonymous, |user| self.user(user));
        let (room, room_kind) = match (known(carrier.and_then(|c| c.chat.as_ref())), &sender) {
            (Some((chat, native)), _) => (self.room(native), room_kind(chat, native)?),
            // Without the message the presser's own chat is where an answer can go.
            (None, Sender::Person { native, .. }) => (
                RoomId::new(self.account.clone(), native.as_str()),
                RoomKind::Private,
            ),
            (None, _) => return Some(not_understood("a pressed button without a chat")),
        };
        let in_topic = carrier.is_some_and(|c| c.is_topic_message == Some(true));
        Some(Inbound::Pressed(Press {
            room,
            room_kind,
            thread: carrier
                .and_then(|c| c.message_thread_id.as_ref())
                .filter(|_| in_topic)
                .map(ToString::to_string),
            id: id.to_string(),
            sender,
            message: carrier
                .and_then(|c| c.message_id.as_ref())
                .filter(|id| **id != Id::Number(0))
                .map(|id| MessageId(id.to_string().into())),
            data: data.as_str().to_owned(),
        }))
    }

    fn membership(self, membership: &wire::Membership<'_>) -> Option<Inbound> {
        let Some((chat, native)) = known(membership.chat.as_ref()) else {
            return Some(not_understood("a change of membership without a chat"));
        };
        let kind = room_kind(chat, native)?;
        let member = membership.new_chat_member.as_ref();
        let status = member.and_then(|m| m.status.as_ref()).map(Text::as_str);
        let is_admin = matches!(status, Some("administrator" | "creator"));
        let is_in = match status {
            Some("administrator" | "creator" | "member") => true,
            Some("restricted") => member.is_some_and(|m| m.is_member != Some(false)),
            Some("left" | "kicked") => false,
            _ => return Some(not_understood("a change of membership of an unknown kind")),
        };
        let room = self.room(native);
        Some(if is_in {
            Inbound::Joined {
                room,
                kind,
                title: title(chat, kind),
                sees_all: is_admin || self.me.sees_all || kind == RoomKind::Private,
                at: moment(membership.date),
            }
        } else {
            Inbound::Removed { room }
        })
    }
}

fn known<'m, 'a>(chat: Option<&'m wire::Chat<'a>>) -> Option<(&'m wire::Chat<'a>, &'m Id<'a>)> {
    let chat = chat?;
    Some((chat, chat.id.as_ref()?))
}

/// Group or private; `None` for channels, which are no conversation. A kind that does not exist yet
/// is told by the sign of the id.
fn room_kind(chat: &wire::Chat<'_>, native: &Id<'_>) -> Option<RoomKind> {
    match chat.kind.as_ref().map(Text::as_str) {
        Some("private" | "sender") => Some(RoomKind::Private),
        Some("group" | "supergroup") => Some(RoomKind::Group),
        Some("channel") => None,
        _ if native.number().is_some_and(|id| id > 0) => Some(RoomKind::Private),
        _ => Some(RoomKind::Group),
    }
}

/// A group's name; a private room has none, since it would be a person's.
fn title(chat: &wire::Chat<'_>, kind: RoomKind) -> String {
    match (kind, &chat.title) {
        (RoomKind::Group, Some(title)) => title.as_str().to_owned(),
        _ => String::new(),
    }
}

fn full_name(parts: [Option<&Text<'_>>; 2]) -> String {
    let mut name = String::new();
    for part in parts.into_iter().flatten() {
        let part = part.as_str().trim();
        if !name.is_empty() && !part.is_empty() {
            name.push(' ');
        }
        name.push_str(part);
    }
    name
}

/// From Unix seconds; some test servers write milliseconds. Without a believable date it is 1970, which
/// callers can tell from every real one.
pub(super) fn moment(date: Option<i64>) -> Time {
    const YEAR_5000: i64 = 95_617_584_000;
    let date = date.filter(|&date| date >= 0).unwrap_or(0);
    clock::from_unix_ms(match date {
        0..YEAR_5000 => date * 1000,
        _ if date < YEAR_5000 * 1000 => date,
        _ => 0,
    })
}

fn words(message: &wire::Message<'_>) -> String {
    [&message.text, &message.caption]
        .into_iter()
        .flatten()
        .map(Text::as_str)
        .find(|words| !words.is_empty())
        .map_or_else(
            || message.rich_message.map(rich_words).unwrap_or_default(),
            str::to_owned,
        )
}

/// The words of a rich message: every `text` in it, each block on a line.
fn rich_words(raw: &RawValue) -> String {
    fn gather(value: &Value, is_text: bool, out: &mut String) {
        match value {
            Value::String(words) if is_text => out.push_str(words),
            Value::Array(parts) => {
                for part in parts {
                    gather(part, is_text, out);
                    if !is_text && !out.is_empty() && !out.ends_with('\n') {
                        out.push('\n');
                    }
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    gather(value, key == "text", out);
                }
            }
            _ => {}
        }
    }
    let mut out = String::new();
    if let Ok(value) = serde_json::from_str::<Value>(raw.get()) {
        gather(&value, false, &mut out);
    }
    out.truncate(out.trim_end().len());
    out
}

/// The part of the text that an entity covers. Its offset and length count UTF-16 units; what lies
/// outside the text or cuts a letter in two is no part of it.
fn utf16<'t>(text: &'t str, entity: &wire::Entity<'_>) -> Option<&'t str> {
    let start = usize::try_from(entity.offset).ok()?;
    let end = start.checked_add(usize::try_from(entity.length).ok()?)?;
    let mut units = 0;
    let mut from = None;
    for (at, letter) in text.char_indices() {
        if units == start {
            from = Some(at);
        }
        if units == end {
            return text.get(from?..at);
        }
        units += letter.len_utf16();
    }
    (units == end).then(|| text.get(from?..)).flatten()
}

fn attachments(message: &wire::Message<'_>) -> Vec<Attachment> {
    let mut found = Vec::new();
    let sizes = message.photo.iter().flatten();
    let largest = sizes
        .filter_map(|size| {
            Some((
                size.width.saturating_mul(size.height),
                size.file_id.as_ref()?,
            ))
        })
        .max_by_key(|(area, _)| *area);
    if let Some((_, file_id)) = largest {
        found.push(Attachment::Photo(file_id.as_str().to_owned()));
    }
    // An animation also fills `document`, for programs that do not know animations.
    let document = message
        .document
        .as_ref()
        .filter(|_| message.animation.is_none());
    for (kind, file) in [
        ("animation", message.animation.as_ref()),
        ("document", document),
        ("video", message.video.as_ref()),
        ("video_note", message.video_note.as_ref()),
        ("voice", message.voice.as_ref()),
        ("audio", message.audio.as_ref()),
    ] {
        if let Some(reference) = file.and_then(|file| file.file_id.as_ref()) {
            found.push(Attachment::File {
                kind: kind.to_owned(),
                reference: reference.as_str().to_owned(),
            });
        }
    }
    // A venue also fills `location`.
    let venue = message.venue.as_ref();
    let place = venue
        .and_then(|venue| venue.location)
        .or(message.location)
        .and_then(|l| Some((l.latitude?, l.longitude?)))
        .filter(|(latitude, longitude)| latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
    if let Some((latitude, longitude)) = place {
        let name = venue.map(|venue| {
            let parts = [venue.title.as_ref(), venue.address.as_ref()];
            let parts = parts.into_iter().flatten().map(|part| part.as_str().trim());
            let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
            parts.join(", ")
        });
        found.push(Attachment::Location {
            latitude,
            longitude,
            name: name.filter(|name| !name.is_empty()),
        });
    }
    found
}

#[cfg(test)]
mod tests;
