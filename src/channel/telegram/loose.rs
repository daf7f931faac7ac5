//! The patient reader: the same structs as [`super::wire`], field by field.
//!
//! A field that is not what it should be is left out and harms nothing beside it, so that a text is
//! never lost to a stranger in another field: a number out of range, a depth no parser walks, a lone
//! half of a surrogate pair.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::wire;
use super::wire::Id;
use super::wire::Text;

/// An object whose values are not looked into before they are asked for.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    fields.push((key, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

impl<'a> Object<'a> {
    /// Reads an object; `None` if it is something else.
    pub(super) fn read(raw: &'a str) -> Option<Self> {
        serde_json::from_str(raw).ok()
    }

    /// The names of the fields.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    /// The last field of this name; null counts as absent.
    pub(super) fn raw(&self, key: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }

    /// Reads one field by serde; a field that does not fit counts as absent.
    fn field<T: Deserialize<'a>>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.raw(key)?.get()).ok()
    }

    /// A string; a number or truth value is taken as it is written.
    pub(super) fn text(&self, key: &str) -> Option<Text<'a>> {
        let raw = self.raw(key)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok(),
            b'{' | b'[' => None,
            _ => Some(Text(raw.into())),
        }
    }

    /// An id: a number, or text.
    pub(super) fn id(&self, key: &str) -> Option<Id<'a>> {
        self.field(key)
    }

    /// A whole number, also in quotes.
    pub(super) fn whole(&self, key: &str) -> Option<i64> {
        self.id(key)?.number()
    }

    /// A number, also in quotes.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.text(key)?.as_str().trim().parse().ok()
    }

    /// Yes or no, also as text or number.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.text(key)?.as_str() {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        }
    }

    /// An object in a field.
    pub(super) fn object(&self, key: &str) -> Option<Self> {
        Self::read(self.raw(key)?.get())
    }

    /// A list in a field; what is no list is a list of one.
    pub(super) fn list(&self, key: &str) -> Vec<&'a RawValue> {
        let Some(raw) = self.raw(key) else {
            return Vec::new();
        };
        serde_json::from_str(raw.get()).unwrap_or_else(|_| vec![raw])
    }

    fn present(&self, key: &str) -> Option<IgnoredAny> {
        self.raw(key).map(|_| IgnoredAny)
    }
}

/// Reads an update of which at least the outer braces hold.
pub(super) fn update<'a>(object: &Object<'a>) -> wire::Update<'a> {
    wire::Update {
        update_id: object.whole("update_id"),
        message: object.object("message").map(|o| message(&o)),
        edited_message: object.object("edited_message").map(|o| message(&o)),
        callback_query: object.object("callback_query").map(|o| callback(&o)),
        my_chat_member: object.object("my_chat_member").map(|o| membership(&o)),
    }
}

/// Reads the envelope of an answer.
pub(super) fn answer<'a>(object: &Object<'a>) -> wire::Answer<'a> {
    wire::Answer {
        ok: object.flag("ok"),
        result: object.raw("result"),
        error_code: object.whole("error_code"),
        description: object.text("description"),
        parameters: object.object("parameters").map(|o| wire::Parameters {
            retry_after: o.number("retry_after").map(|seconds| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "`as` saturates, which is what we want of a wait"
                )]
                let whole = seconds.ceil() as u64;
                whole
            }),
            migrate_to_chat_id: o.id("migrate_to_chat_id"),
        }),
    }
}

fn message<'a>(o: &Object<'a>) -> wire::Message<'a> {
    wire::Message {
        message_id: o.id("message_id"),
        date: o.whole("date"),
        chat: o.object("chat").map(|o| chat(&o)),
        from: o.object("from").map(|o| user(&o)),
        sender_chat: o.present("sender_chat"),
        message_thread_id: o.id("message_thread_id"),
        is_topic_message: o.flag("is_topic_message"),
        reply_to_message: o.object("reply_to_message").map(|o| wire::Replied {
            message_id: o.id("message_id"),
            from: o.object("from").map(|o| user(&o)),
        }),
        external_reply: o.object("external_reply").map(|o| wire::External {
            message_id: o.id("message_id"),
            chat: o.object("chat").map(|o| chat(&o)),
            origin: o.object("origin").map(|o| wire::Origin {
                sender_user: o.object("sender_user").map(|o| user(&o)),
            }),
        }),
        text: o.text("text"),
        caption: o.text("caption"),
        rich_message: o.raw("rich_message"),
        entities: entities(o, "entities"),
        caption_entities: entities(o, "caption_entities"),
        photo: o.raw("photo").map(|_| {
            objects(o, "photo")
                .map(|o| wire::PhotoSize {
                    file_id: o.text("file_id"),
                    width: o.whole("width").unwrap_or(0),
                    height: o.whole("height").unwrap_or(0),
                })
                .collect()
        }),
        animation: file(o, "animation"),
        document: file(o, "document"),
        video: file(o, "video"),
        video_note: file(o, "video_note"),
        voice: file(o, "voice"),
        audio: file(o, "audio"),
        location: o.object("location").map(|o| location(&o)),
        venue: o.object("venue").map(|o| wire::Venue {
            location: o.object("location").map(|o| location(&o)),
            title: o.text("title"),
            address: o.text("address"),
        }),
        media_group_id: o.id("media_group_id"),
        forward_origin: o.present("forward_origin"),
        forward_date: o.present("forward_date"),
        migrate_to_chat_id: o.id("migrate_to_chat_id"),
        migrate_from_chat_id: o.id("migrate_from_chat_id"),
    }
}

fn chat<'a>(o: &Object<'a>) -> wire::Chat<'a> {
    wire::Chat {
        id: o.id("id"),
        kind: o.text("type"),
        title: o.text("title"),
        first_name: o.text("first_name"),
        last_name: o.text("last_name"),
    }
}

fn user<'a>(o: &Object<'a>) -> wire::User<'a> {
    wire::User {
        id: o.id("id"),
        is_bot: o.flag("is_bot"),
        first_name: o.text("first_name"),
        last_name: o.text("last_name"),
        username: o.text("username"),
    }
}

fn objects<'a>(o: &Object<'a>, key: &str) -> impl Iterator<Item = Object<'a>> {
    o.list(key)
        .into_iter()
        .filter_map(|raw| Object::read(raw.get()))
}

fn entities<'a>(o: &Object<'a>, key: &str) -> Option<Vec<wire::Entity<'a>>> {
    o.raw(key)?;
    let read = objects(o, key).map(|o| wire::Entity {
        kind: o.field("type").unwrap_or_default(),
        offset: o.whole("offset").unwrap_or(-1),
        length: o.whole("length").unwrap_or(-1),
        user: o.object("user").map(|o| user(&o)),
    });
    Some(read.collect())
}

fn file<'a>(o: &Object<'a>, key: &str) -> Option<wire::FileRef<'a>> {
    o.object(key).map(|o| wire::FileRef {
        file_id: o.text("file_id"),
    })
}

fn location(o: &Object<'_>) -> wire::Location {
    wire::Location {
        latitude: o.number("latitude"),
        longitude: o.number("longitude"),
    }
}

fn callback<'a>(o: &Object<'a>) -> wire::Callback<'a> {
    wire::Callback {
        id: o.id("id"),
        from: o.object("from").map(|o| user(&o)),
        message: o.object("message").map(|o| wire::Carrier {
            message_id: o.id("message_id"),
            chat: o.object("chat").map(|o| chat(&o)),
            message_thread_id: o.id("message_thread_id"),
            is_topic_message: o.flag("is_topic_message"),
        }),
        data: o.text("data"),
    }
}

fn membership<'a>(o: &Object<'a>) -> wire::Membership<'a> {
    wire::Membership {
        chat: o.object("chat").map(|o| chat(&o)),
        date: o.whole("date"),
        new_chat_member: o.object("new_chat_member").map(|o| wire::Member {
            status: o.text("status"),
            is_member: o.flag("is_member"),
        }),
    }
}
