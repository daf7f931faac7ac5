//! One message of a chat, and how it is written as JSON.
//!
//! There is one writer for what people write and for what the bot sent, so an
//! update and an answer can never disagree about the same message. It writes
//! by hand because it stands on the hot path of every `sendMessage`.

use std::io::Write as _;
use std::time::Instant;

use crate::sim::args::Upload;
use serde_json::{Map, Value};

use super::entity::Entity;

/// Who stands as the author of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Author {
    Bot,
    Person(i64),
    /// An administrator who writes as the group, with a title if they have one.
    Anonymous(Option<String>),
}

/// What carries the text of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plain text.
    Text,
    /// A photo, its text being the caption.
    Photo,
    /// A file, its text being the caption.
    Document,
    /// A point on the map.
    Location,
    /// A notice by Telegram itself: a member joined, a message was pinned.
    Service,
}

/// A message as this server keeps it.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) id: i64,
    pub(super) author: Author,
    pub(super) date: i64,
    /// 0 while never edited.
    pub(super) edit_date: i64,
    /// 0 outside topics.
    pub(super) thread: i64,
    /// 0 when it answers nothing.
    pub(super) reply_to: i64,
    pub(super) kind: Kind,
    pub(super) text: String,
    /// A JSON array, or empty.
    pub(super) entities: String,
    /// A JSON object, or empty.
    pub(super) markup: String,
    /// Further members of the message, `"photo":[…],…`, or empty.
    pub(super) extra: String,
    pub(super) upload: Option<Upload>,
    pub(super) edits: u32,
    pub(super) deleted: bool,
    pub(super) pinned: bool,
    /// The bot was shown it, or wrote it.
    pub(super) shown: bool,
    pub(super) at: Instant,
    pub(super) edited_at: Option<Instant>,
}

impl Post {
    pub(super) fn new(id: i64, author: Author, date: i64, at: Instant) -> Self {
        Self {
            id,
            author,
            date,
            edit_date: 0,
            thread: 0,
            reply_to: 0,
            kind: Kind::Text,
            text: String::new(),
            entities: String::new(),
            markup: String::new(),
            extra: String::new(),
            upload: None,
            edits: 0,
            deleted: false,
            pinned: false,
            shown: false,
            at,
            edited_at: None,
        }
    }
}

/// A JSON string, escaped.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut *out, text);
}

/// `,"name":value` for a number.
pub(super) fn write_number(out: &mut Vec<u8>, name: &str, value: i64) {
    let _ = write!(out, ",\"{name}\":{value}");
}

/// The members of an object, without its braces.
pub(super) fn members(object: &Map<String, Value>) -> String {
    let whole = serde_json::to_string(object).unwrap_or_default();
    let inner = whole
        .strip_prefix('{')
        .and_then(|whole| whole.strip_suffix('}'));
    inner.unwrap_or_default().to_owned()
}

/// Entities as a JSON array; an empty string for none.
pub(super) fn entities_json(found: &[Entity]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let all: Vec<Value> = found
        .iter()
        .map(|one| {
            let mut value =
                serde_json::json!({"offset": one.offset, "length": one.length, "type": one.kind});
            if let (Some(url), Some(map)) = (&one.url, value.as_object_mut()) {
                map.insert("url".into(), url.clone().into());
            }
            value
        })
        .collect();
    Value::Array(all).to_string()
}

/// The chat and author fragments that a message is written with.
pub(super) struct Surroundings<'a> {
    /// The chat as JSON.
    pub(super) chat: &'a str,
    /// The author as JSON, or empty.
    pub(super) from: &'a str,
    /// The thread is a forum topic, not a chain of replies.
    pub(super) is_topic: bool,
}

/// Writes `post` as a Bot API message. `replied` writes the message that it
/// answers, if that is known.
pub(super) fn write_post(
    out: &mut Vec<u8>,
    post: &Post,
    around: &Surroundings<'_>,
    replied: impl FnOnce(&mut Vec<u8>),
) {
    let _ = write!(out, "{{\"message_id\":{}", post.id);
    if !around.from.is_empty() {
        out.extend_from_slice(b",\"from\":");
        out.extend_from_slice(around.from.as_bytes());
    }
    if let Author::Anonymous(title) = &post.author {
        if let Some(title) = title {
            out.extend_from_slice(b",\"author_signature\":");
            write_text(out, title);
        }
        out.extend_from_slice(b",\"sender_chat\":");
        out.extend_from_slice(around.chat.as_bytes());
    }
    out.extend_from_slice(b",\"chat\":");
    out.extend_from_slice(around.chat.as_bytes());
    write_number(out, "date", post.date);
    if post.edit_date > 0 {
        write_number(out, "edit_date", post.edit_date);
    }
    if post.thread != 0 {
        write_number(out, "message_thread_id", post.thread);
        if around.is_topic {
            out.extend_from_slice(b",\"is_topic_message\":true");
        }
    }
    if post.reply_to != 0 {
        replied(out);
    }
    if !post.extra.is_empty() {
        out.push(b',');
        out.extend_from_slice(post.extra.as_bytes());
    }
    if !post.text.is_empty() {
        let (text, entities) = match post.kind {
            Kind::Text => (&b",\"text\":"[..], &b",\"entities\":"[..]),
            _ => (&b",\"caption\":"[..], &b",\"caption_entities\":"[..]),
        };
        out.extend_from_slice(text);
        write_text(out, &post.text);
        if !post.entities.is_empty() {
            out.extend_from_slice(entities);
            out.extend_from_slice(post.entities.as_bytes());
        }
    }
    if !post.markup.is_empty() {
        out.extend_from_slice(b",\"reply_markup\":");
        out.extend_from_slice(post.markup.as_bytes());
    }
    out.push(b'}');
}
