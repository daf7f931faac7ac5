//! The `result.json` that Telegram Desktop exports, of one chat or of a whole account.
//!
//! The file is read as a stream and mended on the way (`repair`); only one message is held at
//! a time. What cannot be understood is put aside with the reason, without its words, and the reading
//! goes on; a file that breaks off is read as far as it goes. The chats get the ids that the Bot API
//! gives them, so that what is imported and what is received later belong together.
//!
//! An export shows edited messages as they are now, and deleted ones not at all.

use std::collections::HashMap;
use std::fmt;
use std::io::BufReader;
use std::io::Read;

use chrono::NaiveDateTime;
use serde::Deserializer;
use serde::de;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use thiserror::Error;

use super::parse::moment;
use crate::channel::json::Id;
use crate::channel::json::Object;
use crate::channel::json::Text;
use crate::channel::repair::Mended;
use crate::domain::clock;
use crate::domain::clock::Time;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Attachment;
use crate::domain::message::Message;
use crate::domain::message::ReplyTo;
use crate::domain::message::Sender;
use crate::domain::room::RoomKind;

/// How deep a formatted text may be nested before we stop looking for words.
const DEPTH: usize = 8;

/// A file that is no export at all.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ExportError {
    /// It could not be read to the end of its first chat's head.
    #[error("reading the export, line {line}, column {column}: {what}")]
    Unreadable {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// It is JSON, and holds no chat.
    #[error("the file holds no chat: is it the result.json of an export in the JSON format?")]
    NoChat,
}

/// Everything of an export that we can use.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Export {
    /// The chats, in the order of the file.
    pub chats: Vec<ExportedChat>,
    /// What was put aside and why, by line or message id, without anybody's words.
    pub put_aside: Vec<String>,
    /// Service messages (joined, pinned, renamed …), which say nothing to record.
    pub service: usize,
}

/// One chat of an export with its messages.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedChat {
    /// Its room, under the id of the Bot API.
    pub room: RoomId,
    /// A group's name; empty for a private chat.
    pub title: String,
    /// Group or private.
    pub kind: RoomKind,
    /// Its messages, in the order of the file.
    pub messages: Vec<Message>,
}

/// What a reader of an export is told, as it comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A chat begins; its messages follow.
    Chat {
        /// Its room, under the id of the Bot API.
        room: RoomId,
        /// A group's name; empty for a private chat.
        title: String,
        /// Group or private.
        kind: RoomKind,
    },
    /// A message of the chat that began last.
    Message(Box<Message>),
    /// A service message was passed over.
    Service,
    /// Something was put aside: why, and where.
    PutAside(String),
}

/// Reads a whole export into memory.
///
/// # Errors
/// When the file holds no chat.
pub fn read_export(reader: impl Read, account: &AccountName) -> Result<Export, ExportError> {
    let mut export = Export::default();
    stream_export(reader, account, &mut |found| match found {
        Found::Chat { room, title, kind } => export.chats.push(ExportedChat {
            room,
            title,
            kind,
            messages: Vec::new(),
        }),
        Found::Message(message) => {
            if let Some(chat) = export.chats.last_mut() {
                chat.messages.push(*message);
            }
        }
        Found::Service => export.service += 1,
        Found::PutAside(why) => export.put_aside.push(why),
    })?;
    Ok(export)
}

/// Reads an export of any size, and tells what it finds as it goes.
///
/// # Errors
/// When the file holds no chat.
pub fn stream_export(
    reader: impl Read,
    account: &AccountName,
    tell: &mut dyn FnMut(Found),
) -> Result<(), ExportError> {
    let reader = BufReader::with_capacity(64 << 10, Mended::new(reader));
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut walk = Walk {
        account,
        tell,
        chats: 0,
    };
    let end = Level(&mut walk).deserialize(&mut json);
    let chats = walk.chats;
    match end {
        Ok(()) if chats == 0 => Err(ExportError::NoChat),
        Ok(()) => Ok(()),
        Err(error) => {
            let what = match error.classify() {
                serde_json::error::Category::Eof => "the file breaks off",
                serde_json::error::Category::Io => "the file cannot be read",
                _ => "this is not JSON",
            };
            let (line, column) = (error.line(), error.column());
            if chats == 0 {
                return Err(ExportError::Unreadable { line, column, what });
            }
            tell(Found::PutAside(format!(
                "line {line}, column {column}: {what}; nothing after this was read"
            )));
            Ok(())
        }
    }
}

/// What is known while walking through the file.
struct Walk<'w> {
    account: &'w AccountName,
    tell: &'w mut dyn FnMut(Found),
    chats: usize,
}

/// The outermost object: one chat, or an account with lists of chats.
struct Level<'l, 'w>(&'l mut Walk<'w>);

impl<'de> DeserializeSeed<'de> for Level<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! pass_over_plain_values {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a Telegram Desktop export")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
    };
}

impl<'de> de::Visitor<'de> for Level<'_, '_> {
    type Value = ();

    pass_over_plain_values!();

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut head = Head::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "chats" | "left_chats" | "list" => map.next_value_seed(Level(self.0))?,
                "messages" => map.next_value_seed(Messages {
                    walk: self.0,
                    head: &head,
                })?,
                "name" | "type" | "id" => {
                    head.fields.insert(key, map.next_value()?);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Level(self.0))?.is_some() {}
        Ok(())
    }
}

/// `name`, `type` and `id` of a chat; Telegram Desktop writes them before the messages.
#[derive(Default)]
struct Head {
    fields: HashMap<String, Box<RawValue>>,
}

impl Head {
    fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.fields.get(key)?.get()).ok()
    }

    /// The room under the id of the Bot API, and what is in it. `None` for channels.
    fn room(&self, account: &AccountName) -> Option<(RoomId, RoomKind)> {
        const SUPERGROUPS: i64 = -1_000_000_000_000;
        let bare = self.fields.get("id")?;
        let bare = serde_json::from_str::<Id<'_>>(bare.get()).ok()?.number()?;
        let kind = self.text("type").unwrap_or_default();
        let (native, kind) = if bare < 0 {
            // Already as the Bot API writes it.
            (bare, RoomKind::Group)
        } else if kind.ends_with("supergroup") {
            (SUPERGROUPS.checked_sub(bare)?, RoomKind::Group)
        } else if kind.ends_with("group") {
            (-bare, RoomKind::Group)
        } else if kind.ends_with("channel") {
            return None;
        } else {
            (bare, RoomKind::Private)
        };
        Some((RoomId::new(account.clone(), native.to_string()), kind))
    }
}

struct Messages<'l, 'w, 'h> {
    walk: &'l mut Walk<'w>,
    head: &'h Head,
}

impl<'de> DeserializeSeed<'de> for Messages<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Messages<'_, '_, '_> {
    type Value = ();

    pass_over_plain_values!();

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.walk.chats += 1;
        let Some((room, kind)) = self.head.room(self.walk.account) else {
            let which = self.walk.chats;
            (self.walk.tell)(Found::PutAside(format!(
                "chat {which} of the file is a channel or has no id"
            )));
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let title = match kind {
            RoomKind::Group => self.head.text("name").unwrap_or_default(),
            RoomKind::Private => String::new(),
        };
        (self.walk.tell)(Found::Chat {
            room: room.clone(),
            title: title.clone(),
            kind,
        });
        let mut chat = Chat {
            room,
            title,
            kind,
            ids: HashMap::new(),
            count: 0,
        };
        while let Some(raw) = list.next_element::<Box<RawValue>>()? {
            (self.walk.tell)(chat.read(&raw));
        }
        Ok(())
    }
}

/// One chat while its messages are read.
struct Chat {
    room: RoomId,
    title: String,
    kind: RoomKind,
    /// When the message of each id was written.
    ids: HashMap<i64, i64>,
    count: usize,
}

impl Chat {
    fn read(&mut self, raw: &RawValue) -> Found {
        self.count += 1;
        let nth = self.count;
        let room = self.room.clone();
        let aside = |what: &str| Found::PutAside(format!("room {room}, message {nth}: {what}"));
        let Some(o) = Object::read(raw.get()) else {
            return aside("no JSON object");
        };
        match o.text("type").as_ref().map(Text::as_str) {
            Some("service") => return Found::Service,
            Some("unsupported") => return aside("of a kind that Telegram Desktop does not export"),
            _ => {}
        }
        let Some(id) = o.whole("id") else {
            return aside("without an id");
        };
        let Some(sent_at) = written_at(&o) else {
            return aside("without a date");
        };
        let text = words(&o);
        let attachments = attachments(&o);
        if text.is_empty() && attachments.is_empty() {
            return aside("without text, photo, file or place");
        }
        // A group that became a supergroup is exported with the messages of both, whose ids collide.
        let seconds = sent_at.timestamp();
        let name = match self.ids.insert(id, seconds) {
            Some(earlier) if earlier == seconds => return aside("told a second time"),
            Some(_) => format!("{id}@{seconds}"),
            None => id.to_string(),
        };
        let elsewhere = o.raw("reply_to_peer_id").is_some();
        Found::Message(Box::new(Message {
            room,
            room_kind: self.kind,
            room_title: self.title.clone(),
            thread: None,
            id: MessageId(name.into()),
            sender: sender(&o),
            sent_at,
            text,
            attachments,
            reply_to: o
                .whole("reply_to_message_id")
                .filter(|_| !elsewhere)
                .map(|id| ReplyTo {
                    id: MessageId::from(id),
                    to_bot: false,
                }),
            mentioned: false,
            album: None,
            perhaps_reply: false,
            forwarded: o.keys().any(|key| key.starts_with("forwarded_from")),
            aside: None,
        }))
    }
}

/// Exact since 2021; before, the local time of the exporting machine, taken for Viet Nam's.
fn written_at(o: &Object<'_>) -> Option<Time> {
    if let Some(seconds) = o.whole("date_unixtime") {
        return Some(moment(Some(seconds)));
    }
    let local = o.text("date")?;
    NaiveDateTime::parse_from_str(local.as_str().trim(), "%Y-%m-%dT%H:%M:%S")
        .ok()?
        .and_local_timezone(clock::vietnam())
        .single()
}

/// `user123`, `channel123`, `chat123`; in old exports a number, in which groups and channels begin
/// above 32 bits. `from` is null for a deleted account.
fn sender(o: &Object<'_>) -> Sender {
    let name = o.text("from").map(|name| name.as_str().trim().to_owned());
    let native = o.text("from_id").map(|id| id.as_str().trim().to_owned());
    let native = native.and_then(|id| match id.strip_prefix("user") {
        Some(user) => Some(user.to_owned()),
        None => id
            .parse::<u64>()
            .is_ok_and(|id| id <= u64::from(u32::MAX))
            .then_some(id),
    });
    match native.filter(|native| !native.is_empty()) {
        Some(native) => Sender::Person {
            native,
            name: name.unwrap_or_default(),
        },
        None => Sender::Anonymous,
    }
}

/// The text: a string, or a list of strings and formatted parts.
fn words(o: &Object<'_>) -> String {
    let mut out = String::new();
    for key in ["text", "text_entities"] {
        if let Some(raw) = o.raw(key) {
            gather(raw, 0, &mut out);
        }
        if !out.is_empty() {
            break;
        }
    }
    out
}

fn gather(raw: &RawValue, depth: usize, out: &mut String) {
    if depth > DEPTH {
        return;
    }
    let written = raw.get();
    match written.as_bytes().first() {
        Some(b'"') => out.push_str(&serde_json::from_str::<String>(written).unwrap_or_default()),
        Some(b'[') => {
            for part in serde_json::from_str::<Vec<&RawValue>>(written).unwrap_or_default() {
                gather(part, depth + 1, out);
            }
        }
        Some(b'{') => {
            if let Some(text) = Object::read(written).and_then(|part| part.raw("text")) {
                gather(text, depth + 1, out);
            }
        }
        _ => {}
    }
}

fn attachments(o: &Object<'_>) -> Vec<Attachment> {
    // "(File not included. Change data exporting settings to download.)" says that there was one.
    let path = |key| o.text(key).map(|path| path.as_str().to_owned());
    let mut found = Vec::new();
    found.extend(path("photo").map(Attachment::Photo));
    if let Some(reference) = path("file") {
        let kind = match o.text("media_type").as_ref().map(Text::as_str) {
            Some("sticker") => None,
            Some("voice_message") => Some("voice"),
            Some("video_message") => Some("video_note"),
            Some("video_file") => Some("video"),
            Some("audio_file") => Some("audio"),
            Some("animation") => Some("animation"),
            _ => Some("document"),
        };
        found.extend(kind.map(|kind| Attachment::File {
            kind: kind.to_owned(),
            reference,
        }));
    }
    let place = o
        .object("location_information")
        .and_then(|place| Some((place.number("latitude")?, place.number("longitude")?)))
        .filter(|(latitude, longitude)| latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
    if let Some((latitude, longitude)) = place {
        found.push(Attachment::Location {
            latitude,
            longitude,
            name: path("place_name").filter(|name| !name.is_empty()),
        });
    }
    found
}

#[cfg(test)]
mod tests;
