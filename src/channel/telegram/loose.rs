//! The patient reader: the same structs as [`super::wire`], field by field.
//!
//! A field that is not what it should be is left out and harms nothing beside it, so that a text is
//! never lost to a stranger in another field: a number out of range, a depth no parser walks, a lone
//! half of a surrogate pair.

use super::wire;
use crate::channel::json::Object;

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
