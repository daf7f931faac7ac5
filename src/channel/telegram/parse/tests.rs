use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::*;

fn account() -> AccountName {
    AccountName::parse("tg1").unwrap()
}

fn me() -> Me {
    Me {
        id: Some(7_000_001),
        username: Some("KengBot".to_owned()),
        sees_all: false,
    }
}

fn read(raw: &str) -> Vec<Inbound> {
    update(raw, &account(), &me()).inbound
}

fn read_value(value: &Value) -> Vec<Inbound> {
    read(&value.to_string())
}

/// A message of a resident in a supergroup, with more fields or other values.
fn message(extra: Value) -> Value {
    let mut message = json!({
        "message_id": 10, "date": 1_790_000_000,
        "chat": {"id": -1_001_234_567_890_i64, "type": "supergroup", "title": "Tổ 5 Hải Hòa"},
        "from": {"id": 1001, "is_bot": false, "first_name": "Nguyễn", "last_name": "Lan"},
    });
    for (key, value) in extra.as_object().unwrap() {
        message[key] = value.clone();
    }
    message
}

fn in_update(kind: &str, value: Value) -> Value {
    json!({"update_id": 500, kind: value})
}

#[track_caller]
fn said(extra: Value) -> Message {
    said_as_is(message(extra))
}

#[track_caller]
fn said_as_is(message: Value) -> Message {
    match read_value(&in_update("message", message)).as_slice() {
        [Inbound::Said(message)] => message.clone(),
        other => panic!("{other:?}"),
    }
}

fn room(native: &str) -> RoomId {
    RoomId::new(account(), native)
}

#[test]
fn a_plain_message_is_read_whole() {
    let said = said(json!({"text": "#tromcap mất xe ở cổng chợ"}));
    assert_eq!(
        said,
        Message {
            room: room("-1001234567890"),
            room_kind: RoomKind::Group,
            room_title: "Tổ 5 Hải Hòa".to_owned(),
            thread: None,
            id: MessageId::from("10"),
            sender: Sender::Person {
                native: "1001".to_owned(),
                name: "Nguyễn Lan".to_owned()
            },
            sent_at: clock::from_unix_ms(1_790_000_000_000),
            text: "#tromcap mất xe ở cổng chợ".to_owned(),
            attachments: Vec::new(),
            reply_to: None,
            mentioned: false,
            album: None,
            perhaps_reply: false,
            forwarded: false,
            aside: None,
        }
    );
}

/// The rows of the sheet's section 4.2: what teloxide's types lose, and we must not.
#[test]
fn no_stranger_in_another_field_costs_the_text() {
    const WORDS: &str = "mất xe 🚲 ở ngõ 12";
    let strangers = [
        (
            "a reply to a text message of another topic",
            json!({"external_reply": {"origin": {"type": "user", "date": 1,
            "sender_user": {"id": 3, "is_bot": false, "first_name": "A"}},
            "chat": {"id": -1_001_234_567_890_i64, "type": "supergroup"}, "message_id": 4}}),
        ),
        (
            "with link preview options",
            json!({"external_reply": {"origin": {"type": "hidden_user",
            "date": 1, "sender_user_name": "x"}, "link_preview_options": {"is_disabled": true}}}),
        ),
        (
            "a date_time entity",
            json!({"entities": [{"type": "date_time", "offset": 0, "length": 3,
            "unix_time": 1, "date_time_format": "d"}]}),
        ),
        (
            "an entity that does not exist yet",
            json!({"entities": [{"type": "hologram", "offset": 0, "length": 3, "x": {}}]}),
        ),
        (
            "an entity without a type",
            json!({"entities": [{"offset": 0}]}),
        ),
        ("entities that are no list", json!({"entities": "none"})),
        (
            "entities out of range",
            json!({"entities": [
            {"type": "mention", "offset": 9999, "length": 3}, {"type": "mention", "offset": -5, "length": 3},
            {"type": "mention", "offset": 8, "length": 1}, {"type": "mention", "offset": 0, "length": 999},
            {"type": "mention", "offset": i64::MAX, "length": i64::MAX}]}),
        ),
        (
            "a link that is no URL",
            json!({"entities": [{"type": "text_link", "offset": 0, "length": 3,
            "url": "http://["}]}),
        ),
        (
            "a keyboard of an unknown kind",
            json!({"reply_markup": {"inline_keyboard": [[{"text": "x",
            "teleport": {}}]]}}),
        ),
        (
            "a video without a mime type",
            json!({"video": {"file_id": "V", "file_unique_id": "v",
            "width": 1, "height": 1, "duration": 1}}),
        ),
        (
            "a voice without a mime type",
            json!({"voice": {"file_id": "O", "file_unique_id": "o", "duration": 1}}),
        ),
        (
            "a document with a malformed mime type",
            json!({"document": {"file_id": "D", "mime_type": "///"}}),
        ),
        (
            "a new kind of chat",
            json!({"chat": {"id": -5, "type": "community", "title": "x"}}),
        ),
        (
            "a message id beyond 32 bits",
            json!({"message_id": 1_i64 << 40}),
        ),
        ("a message id in quotes", json!({"message_id": "11"})),
        ("a negative message id", json!({"message_id": -11})),
        (
            "a message id beyond 64 bits",
            json!({"message_id": 18_000_000_000_000_000_000_u64}),
        ),
        ("a message id of zero", json!({"message_id": 0})),
        ("no message id", json!({"message_id": null})),
        (
            "a chat id in quotes",
            json!({"chat": {"id": "-100123", "type": "group"}}),
        ),
        ("a date in quotes", json!({"date": "1790000000"})),
        ("no date", json!({"date": null})),
        ("a date far away", json!({"date": i64::MAX})),
        ("a date long gone", json!({"date": i64::MIN})),
        ("a sender that is no object", json!({"from": [1, 2]})),
        ("no sender", json!({"from": null})),
        ("a reply that is no object", json!({"reply_to_message": 5})),
        (
            "a reply that cannot be reached",
            json!({"reply_to_message": {"message_id": 4, "date": 0}}),
        ),
        (
            "photos that are no list",
            json!({"photo": {"file_id": "P"}}),
        ),
        (
            "a place that is none",
            json!({"location": {"latitude": "north"}}),
        ),
        (
            "a place off the map",
            json!({"location": {"latitude": 91.0, "longitude": 1e300}}),
        ),
        (
            "fields of the next version",
            json!({"sender_tag": "x", "community": {"a": [1]}}),
        ),
        (
            "a flag as a number",
            json!({"is_topic_message": 1, "message_thread_id": 3}),
        ),
    ];
    for (what, stranger) in strangers {
        for (field, entities) in [("text", "entities"), ("caption", "caption_entities")] {
            let mut extra = json!({ field: WORDS });
            for (key, value) in stranger.as_object().unwrap() {
                let key = if key == "entities" { entities } else { key };
                extra[key] = value.clone();
            }
            assert_eq!(said(extra).text, WORDS, "{what}, {field}");
        }
    }
}

#[test]
fn what_no_json_value_can_hold_harms_only_its_own_field() {
    let head =
        r#"{"update_id":1,"message":{"message_id":2,"date":3,"chat":{"id":-4,"type":"group"}"#;
    let deep = format!(r#""x":{}{}"#, "[".repeat(5000), "]".repeat(5000));
    for (tail, wanted) in [
        (r#""date":1e999,"text":"mất xe""#.to_owned(), "mất xe"),
        (
            r#""from":{"id":1e999},"text":"mất xe""#.to_owned(),
            "mất xe",
        ),
        (format!(r#"{deep},"text":"mất xe""#), "mất xe"),
        (
            format!(r#""rich_message":{{"blocks":[{{{deep}}}]}},"text":"mất xe""#),
            "mất xe",
        ),
        (r#""text":"mất \ud83d xe""#.to_owned(), "mất \u{fffd} xe"),
        (
            r#""from":{"first_name":"\udc00"},"text":"mất xe""#.to_owned(),
            "mất xe",
        ),
        (r#""text":"x","text":"mất xe""#.to_owned(), "mất xe"),
        (r#""text":113"#.to_owned(), "113"),
    ] {
        let told = read(&format!("{head},{tail}}}}}"));
        let [Inbound::Said(message)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!(message.text, wanted);
    }
}

#[test]
fn an_unknown_first_key_does_not_hide_the_message() {
    let raw = in_update("aaa_new_kind", json!({"x": 1}));
    let mut raw = raw.as_object().unwrap().clone();
    raw.insert("message".to_owned(), message(json!({"text": "a"})));
    assert!(matches!(
        read_value(&Value::Object(raw)).as_slice(),
        [Inbound::Said(_)]
    ));
}

#[test]
fn senders_are_told_apart() {
    let person = |native: &str, name: &str| Sender::Person {
        native: native.to_owned(),
        name: name.to_owned(),
    };
    for (extra, wanted) in [
        (json!({}), person("1001", "Nguyễn Lan")),
        (
            json!({"from": {"id": 5, "username": "lan"}}),
            person("5", "lan"),
        ),
        (json!({"from": {"id": 5}}), person("5", "")),
        (json!({"from": {"id": 5, "is_bot": true}}), Sender::Bot),
        (json!({"from": {"id": 7_000_001}}), Sender::Bot),
        (
            json!({"from": {"id": 1_087_968_824, "is_bot": true}, "sender_chat": {"id": -1, "type": "supergroup"}}),
            Sender::Anonymous,
        ),
        (
            json!({"from": {"id": 1_087_968_824, "is_bot": true}}),
            Sender::Anonymous,
        ),
        (
            json!({"from": {"id": 136_817_688, "is_bot": true}}),
            Sender::Anonymous,
        ),
        (json!({"from": {"id": 777_000}}), Sender::Anonymous),
        (
            json!({"sender_chat": {"id": -1, "type": "channel"}}),
            Sender::Anonymous,
        ),
        (json!({"from": null}), Sender::Anonymous),
        (
            json!({"from": null, "chat": {"id": 42, "type": "private", "first_name": "Lan"}}),
            person("42", "Lan"),
        ),
    ] {
        let mut all = extra.clone();
        all["text"] = json!("a");
        assert_eq!(said(all).sender, wanted, "{extra}");
    }
}

#[test]
fn a_private_room_has_no_title() {
    let chat = json!({"id": 42, "type": "private", "first_name": "Lan", "title": "Lan"});
    let said = said(json!({"text": "a", "chat": chat}));
    assert_eq!(
        (said.room_kind, said.room_title.as_str()),
        (RoomKind::Private, "")
    );
}

#[test]
fn a_topic_needs_both_signs() {
    for (extra, wanted) in [
        (
            json!({"message_thread_id": 77, "is_topic_message": true}),
            Some("77"),
        ),
        (json!({"message_thread_id": 77}), None),
        (json!({"is_topic_message": true}), None),
    ] {
        let mut all = extra.clone();
        all["text"] = json!("a");
        assert_eq!(said(all).thread.as_deref(), wanted, "{extra}");
    }
}

#[test]
fn replies_name_the_message_and_whether_it_is_ours() {
    let here = json!({"id": -1_001_234_567_890_i64, "type": "supergroup"});
    let reply = |id: i64, to_bot| {
        Some(ReplyTo {
            id: MessageId::from(id),
            to_bot,
        })
    };
    for (extra, wanted) in [
        (
            json!({"reply_to_message": {"message_id": 4, "from": {"id": 5}}}),
            reply(4, false),
        ),
        (
            json!({"reply_to_message": {"message_id": 4, "from": {"id": 7_000_001, "is_bot": true}}}),
            reply(4, true),
        ),
        (
            json!({"reply_to_message": {"message_id": 4, "from": {"username": "kengbot"}}}),
            reply(4, true),
        ),
        (
            json!({"reply_to_message": {"message_id": 4}}),
            reply(4, false),
        ),
        // The notice that opened the topic is answered by everybody and nobody.
        (
            json!({"reply_to_message": {"message_id": 77, "forum_topic_created": {}},
                "message_thread_id": 77, "is_topic_message": true}),
            None,
        ),
        (
            json!({"external_reply": {"chat": here, "message_id": 4,
                "origin": {"type": "user", "sender_user": {"id": 7_000_001}}}}),
            reply(4, true),
        ),
        (
            json!({"external_reply": {"chat": {"id": -9, "type": "group"}, "message_id": 4}}),
            None,
        ),
        (
            json!({"external_reply": {"origin": {"type": "hidden_user"}}}),
            None,
        ),
    ] {
        let mut all = extra.clone();
        all["text"] = json!("a");
        assert_eq!(said(all).reply_to, wanted, "{extra}");
    }
}

#[test]
fn mentions_are_cut_by_utf16_units() {
    let entity = |kind: &str, offset: i64, length: i64| json!({"type": kind, "offset": offset, "length": length});
    for (text, entities, wanted) in [
        ("🚲 @kengbot ơi", json!([entity("mention", 3, 8)]), true),
        ("🚲 @kengbot ơi", json!([entity("mention", 2, 8)]), false),
        ("trộm @KENGBOT", json!([entity("mention", 5, 8)]), true),
        (
            "tro\u{302}\u{323}m @KengBot",
            json!([entity("mention", 7, 8)]),
            true,
        ),
        ("@khac", json!([entity("mention", 0, 5)]), false),
        (
            "/bao@KengBot mất xe",
            json!([entity("bot_command", 0, 12)]),
            true,
        ),
        (
            "/bao@khac mất xe",
            json!([entity("bot_command", 0, 9)]),
            false,
        ),
        ("/bao mất xe", json!([entity("bot_command", 0, 4)]), false),
        // Not marked as a mention: the reader of texts may still find the name.
        ("@KengBot", json!([entity("hashtag", 0, 8)]), false),
        (
            "Kẻng ơi",
            json!([{"type": "text_mention", "offset": 0, "length": 4, "user": {"id": 7_000_001}}]),
            true,
        ),
        (
            "Lan ơi",
            json!([{"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 1}}]),
            false,
        ),
        (
            "🚲",
            json!([entity("mention", 1, 1), entity("mention", 0, 1)]),
            false,
        ),
        ("", json!([entity("mention", 0, 0)]), false),
    ] {
        let photo = json!([{"file_id": "P"}]);
        let as_text = said(json!({"text": text, "entities": entities, "photo": photo}));
        assert_eq!(as_text.mentioned, wanted, "{text} {entities}");
        let as_caption =
            said(json!({"caption": text, "caption_entities": entities, "photo": photo}));
        assert_eq!(as_caption.mentioned, wanted, "{text} {entities}");
    }
}

#[test]
fn attachments_are_kept_by_reference() {
    let file = |kind: &str, reference: &str| Attachment::File {
        kind: kind.to_owned(),
        reference: reference.to_owned(),
    };
    for (extra, wanted) in [
        (
            json!({"photo": [{"file_id": "S", "width": 90, "height": 90}, {"file_id": "L", "width": 800, "height": 800},
                {"file_id": "M", "width": 320, "height": 320}, {"width": 9000, "height": 9000}]}),
            Attachment::Photo("L".to_owned()),
        ),
        (
            json!({"photo": [{"file_id": "a"}, {"file_id": "b"}]}),
            Attachment::Photo("b".to_owned()),
        ),
        (json!({"document": {"file_id": "D"}}), file("document", "D")),
        (
            json!({"animation": {"file_id": "A"}, "document": {"file_id": "A"}}),
            file("animation", "A"),
        ),
        (json!({"video": {"file_id": "V"}}), file("video", "V")),
        (
            json!({"video_note": {"file_id": "N"}}),
            file("video_note", "N"),
        ),
        (json!({"voice": {"file_id": "O"}}), file("voice", "O")),
        (json!({"audio": {"file_id": "U"}}), file("audio", "U")),
        (
            json!({"location": {"latitude": 21.5, "longitude": 107.9, "live_period": 60}}),
            Attachment::Location {
                latitude: 21.5,
                longitude: 107.9,
                name: None,
            },
        ),
        (
            json!({"location": {"latitude": 1, "longitude": 1},
                "venue": {"location": {"latitude": 21.5, "longitude": "107.9"}, "title": "Chợ", "address": "phố 1"}}),
            Attachment::Location {
                latitude: 21.5,
                longitude: 107.9,
                name: Some("Chợ, phố 1".to_owned()),
            },
        ),
    ] {
        let said = said(extra.clone());
        assert_eq!(
            (said.text.as_str(), said.attachments),
            ("", vec![wanted]),
            "{extra}"
        );
    }
}

#[test]
fn albums_forwards_and_rich_words_are_kept() {
    let photo = json!([{"file_id": "P"}]);
    assert_eq!(
        said(json!({"photo": photo, "media_group_id": "134"}))
            .album
            .as_deref(),
        Some("134")
    );
    assert!(said(json!({"text": "a", "forward_origin": {"type": "hidden_user"}})).forwarded);
    assert!(said(json!({"text": "a", "forward_date": 1})).forwarded);
    let rich = json!({"rich_message": {"blocks": [
        {"type": "heading", "size": 1, "text": "#tromcap"},
        {"type": "paragraph", "text": ["mất ", {"type": "bold", "text": "xe"}, {"type": "italic", "text": [" Wave"]}]},
        {"type": "divider"}]}});
    assert_eq!(said(rich).text, "#tromcap\nmất xe Wave");
}

#[test]
fn an_edit_is_the_whole_new_version() {
    let edited = message(json!({"text": "b", "edit_date": 1_790_000_100}));
    let told = read_value(&in_update("edited_message", edited));
    let [Inbound::Edited(message)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(message.text, "b");
    assert_eq!(message.sent_at, clock::from_unix_ms(1_790_000_000_000));
}

#[test]
fn a_group_that_moves_is_told_from_both_sides() {
    let moved = Inbound::Moved {
        from: room("-5"),
        to: room("-1001"),
    };
    for message in [
        json!({"message_id": 1, "date": 1, "chat": {"id": -5, "type": "group"}, "migrate_to_chat_id": -1001}),
        json!({"message_id": 1, "date": 1, "chat": {"id": -1001, "type": "supergroup"}, "migrate_from_chat_id": -5}),
        json!({"message_id": 1, "date": 1, "chat": {"id": "-1001", "type": "supergroup"}, "migrate_from_chat_id": "-5"}),
    ] {
        assert_eq!(
            read_value(&in_update("message", message)),
            std::slice::from_ref(&moved)
        );
    }
}

#[test]
fn membership_is_told_with_what_the_bot_sees() {
    let group = json!({"id": -5, "type": "supergroup", "title": "Tổ 5"});
    let person = json!({"id": 42, "type": "private", "first_name": "Lan"});
    let joined = |native: &str, kind, title: &str, sees_all| Inbound::Joined {
        room: room(native),
        kind,
        title: title.to_owned(),
        sees_all,
        at: clock::from_unix_ms(9000),
    };
    let removed = |native: &str| Inbound::Removed { room: room(native) };
    for (chat, member, wanted) in [
        (
            &group,
            json!({"status": "member"}),
            joined("-5", RoomKind::Group, "Tổ 5", false),
        ),
        (
            &group,
            json!({"status": "administrator", "can_delete_messages": true}),
            joined("-5", RoomKind::Group, "Tổ 5", true),
        ),
        (
            &group,
            json!({"status": "restricted", "is_member": true}),
            joined("-5", RoomKind::Group, "Tổ 5", false),
        ),
        (
            &group,
            json!({"status": "restricted", "is_member": false}),
            removed("-5"),
        ),
        (&group, json!({"status": "left"}), removed("-5")),
        (
            &group,
            json!({"status": "kicked", "until_date": 0}),
            removed("-5"),
        ),
        (
            &person,
            json!({"status": "member"}),
            joined("42", RoomKind::Private, "", true),
        ),
        (&person, json!({"status": "kicked"}), removed("42")),
        (
            &group,
            json!({"status": "guest"}),
            not_understood("a change of membership of an unknown kind"),
        ),
    ] {
        let change = json!({"chat": chat, "date": 9, "from": {"id": 1}, "old_chat_member": {"status": "left"},
            "new_chat_member": member});
        assert_eq!(
            read_value(&in_update("my_chat_member", change)),
            [wanted],
            "{member}"
        );
    }
    let channel =
        json!({"chat": {"id": -5, "type": "channel"}, "new_chat_member": {"status": "member"}});
    assert_eq!(read_value(&in_update("my_chat_member", channel)), []);
}

#[test]
fn a_bot_without_privacy_mode_sees_all_where_it_is_a_member() {
    let change = in_update(
        "my_chat_member",
        json!({"chat": {"id": -5, "type": "group"}, "new_chat_member": {"status": "member"}}),
    );
    let me = Me {
        sees_all: true,
        ..me()
    };
    let told = update(&change.to_string(), &account(), &me).inbound;
    assert!(matches!(
        told.as_slice(),
        [Inbound::Joined { sees_all: true, .. }]
    ));
}

#[test]
fn a_press_is_read_with_and_without_its_message() {
    let from = json!({"id": 1001, "is_bot": false, "first_name": "Hà"});
    let press = |message: Value| {
        let callback = json!({"id": "99", "from": from, "chat_instance": "1", "data": "ok:1", "message": message});
        match read_value(&in_update("callback_query", callback)).as_slice() {
            [Inbound::Pressed(press)] => press.clone(),
            other => panic!("{other:?}"),
        }
    };
    let whole = press(
        json!({"message_id": 5, "date": 1, "chat": {"id": -5, "type": "group"}, "text": "x",
        "message_thread_id": 3, "is_topic_message": true}),
    );
    assert_eq!((whole.id.as_str(), whole.data.as_str()), ("99", "ok:1"));
    assert_eq!(whole.room, room("-5"));
    assert_eq!(
        (whole.message, whole.thread.as_deref()),
        (Some(MessageId::from(5)), Some("3"))
    );
    let stub = press(json!({"message_id": 5, "date": 0, "chat": {"id": -5, "type": "group"}}));
    assert_eq!(
        (stub.room, stub.message),
        (room("-5"), Some(MessageId::from(5)))
    );
    // As npm telegram-test-api writes it.
    let bare = press(json!({"chat": {"id": 1001, "type": "private"}}));
    assert_eq!((bare.room, bare.message), (room("1001"), None));
    let none = press(Value::Null);
    assert_eq!(
        (none.room, none.room_kind),
        (room("1001"), RoomKind::Private)
    );
    let game = json!({"id": "99", "from": from, "chat_instance": "1", "game_short_name": "g"});
    assert_eq!(read_value(&in_update("callback_query", game)), []);
}

#[test]
fn what_says_nothing_to_us_becomes_nothing() {
    for silent in [
        in_update("message", message(json!({"new_chat_members": [{"id": 1}]}))),
        in_update("message", message(json!({"sticker": {"file_id": "S"}}))),
        in_update(
            "message",
            message(json!({"pinned_message": {"message_id": 1, "date": 0}})),
        ),
        in_update(
            "message",
            message(json!({"text": "a", "chat": {"id": -1, "type": "channel"}})),
        ),
        in_update("channel_post", message(json!({"text": "a"}))),
        in_update("message_reaction", json!({"chat": {"id": 1}})),
        in_update("poll_answer", json!({"poll_id": "1"})),
        in_update("guest_message", message(json!({"text": "a"}))),
    ] {
        assert_eq!(read_value(&silent), [], "{silent}");
    }
}

#[test]
fn what_is_not_understood_is_counted_without_its_words() {
    for raw in [
        "",
        "null",
        "7",
        "[]",
        r#""bí mật""#,
        "{}",
        r#"{"update_id":1}"#,
        r#"{"update_id":1,"brand_new":{"text":"bí mật"}}"#,
        r#"{"update_id":1,"message":"bí mật"}"#,
        r#"{"update_id":1,"message":{"text":"bí mật"}}"#,
        r#"{"update_id":1,"message":{"chat":{"title":"bí mật"},"text":"bí mật"}}"#,
        r#"{"message":{"chat":{"id":1},"text":"bí mật"}}"#,
        r#"{"update_id":1,"callback_query":{"data":"bí mật"}}"#,
        r#"{"update_id":1,"callback_query":{"id":"1","data":"bí mật"}}"#,
        r#"{"update_id":1,"my_chat_member":{}}"#,
        r#"{"update_id":1,"message":{"#,
    ] {
        let told = read(raw);
        let [Inbound::NotUnderstood { why }] = told.as_slice() else {
            panic!("{raw}: {told:?}");
        };
        assert!(!why.contains("mật"), "{why}");
    }
}

#[test]
fn only_an_id_that_can_be_one_is_confirmed() {
    for (id, wanted) in [
        (json!(5), Some(5)),
        (json!("5"), Some(5)),
        (json!(0), Some(0)),
        (json!(-5), None),
        (json!(null), None),
        (json!("x"), None),
        (json!(5.5), None),
        (json!(i64::MAX), None),
        (json!(u64::MAX), None),
    ] {
        let raw = json!({"update_id": id, "message": message(json!({"text": "a"}))}).to_string();
        let parsed = update(&raw, &account(), &me());
        assert_eq!(parsed.id, wanted, "{raw}");
        assert!(matches!(parsed.inbound.as_slice(), [Inbound::Said(_)]));
    }
}

#[test]
fn a_megabyte_and_invisible_letters_pass_unchanged() {
    for text in [
        "a".repeat(1 << 20),
        "\u{200b}\u{202e}#tromcap\u{feff}\u{2066}".to_owned(),
    ] {
        assert_eq!(said(json!({ "text": text })).text, text);
    }
}

/// Golden samples in the true shape, one a line, and what they become.
#[test]
fn the_fixture_is_read_without_loss() {
    let raw = include_str!("../../../../tests/fixtures/telegram/updates.jsonl");
    for line in raw.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let told = read_value(&line["update"]);
        let kinds: Vec<_> = told
            .iter()
            .map(|inbound| match inbound {
                Inbound::Said(_) => "said",
                Inbound::Edited(_) => "edited",
                Inbound::Pressed(_) => "pressed",
                Inbound::Joined { .. } => "joined",
                Inbound::Removed { .. } => "removed",
                Inbound::Moved { .. } => "moved",
                Inbound::Echo { .. } => "echo",
                Inbound::Met { .. } => "met",
                Inbound::Unread(_) => "unread",
                Inbound::Deleted { .. } => "deleted",
                Inbound::Opened { .. } => "opened",
                Inbound::NotUnderstood { .. } => "not_understood",
            })
            .collect();
        assert_eq!(json!(kinds), line["becomes"], "{}", line["about"]);
        let message = |kind: &str| &line["update"][kind];
        for (inbound, raw) in told.iter().filter_map(|inbound| match inbound {
            Inbound::Said(said) => Some((said, message("message"))),
            Inbound::Edited(said) => Some((said, message("edited_message"))),
            _ => None,
        }) {
            let words = raw["text"]
                .as_str()
                .or(raw["caption"].as_str())
                .unwrap_or("");
            assert_eq!(inbound.text, words, "{}", line["about"]);
        }
    }
}

fn holds_odd_list(value: &Value) -> bool {
    const LISTS: [&str; 4] = ["entities", "caption_entities", "photo", "blocks"];
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            (value.is_array() && !LISTS.contains(&key.as_str())) || holds_odd_list(value)
        }),
        Value::Array(items) => items
            .iter()
            .any(|item| item.is_array() || holds_odd_list(item)),
        _ => false,
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3_i64..40).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("mention"),
            Just("text_mention"),
            Just("bot_command"),
            Just("private"),
            Just("supergroup"),
            Just("administrator"),
            Just("🚲 @KengBot ộ"),
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 10, |inner| {
        let key = prop_oneof![
            3 => prop::sample::select(vec![
                "update_id", "message", "edited_message", "callback_query", "my_chat_member", "chat",
                "id", "type", "from", "text", "caption", "entities", "caption_entities", "offset",
                "length", "user", "photo", "file_id", "width", "height", "location", "venue",
                "latitude", "longitude", "date", "message_id", "data", "new_chat_member", "status",
                "reply_to_message", "external_reply", "origin", "rich_message", "blocks",
                "message_thread_id", "is_topic_message", "migrate_to_chat_id",
            ]).prop_map(str::to_owned),
            1 => ".{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..10)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_without_panic(value in any_json()) {
        read_value(&value);
        read_value(&in_update("message", value.clone()));
        read_value(&in_update("callback_query", value.clone()));
        read_value(&in_update("my_chat_member", value.clone()));
        if value.is_object() {
            read_value(&in_update("edited_message", message(value)));
        }
    }

    #[test]
    fn any_text_is_read_without_panic(raw in ".{0,200}") {
        read(&raw);
    }

    #[test]
    fn no_value_of_another_field_loses_the_text(key in "[a-z_]{1,20}", value in any_json()) {
        prop_assume!(!matches!(key.as_str(), "text" | "chat" | "migrate_to_chat_id" | "migrate_from_chat_id"));
        prop_assert_eq!(said(json!({key: value, "text": "mất xe"})).text, "mất xe");
    }

    #[test]
    fn quick_and_patient_reading_agree(value in any_json()) {
        let mut raw = message(json!({"text": "mất xe"}));
        if let Value::Object(fields) = value {
            for (key, value) in fields { raw[key] = value; }
        }
        // serde also takes a list for a struct; nobody writes that.
        prop_assume!(!holds_odd_list(&raw));
        let raw = in_update("message", raw).to_string();
        if let Ok(quick) = serde_json::from_str::<wire::Update<'_>>(&raw) {
            let (account, me) = (account(), me());
            let reader = Reader { account: &account, me: &me };
            let object = Object::read(&raw).unwrap();
            prop_assert_eq!(reader.inbound(&quick), reader.inbound(&loose::update(&object)));
        }
    }
}

/// Prints the cost of an ordinary update: `cargo test --release -- --nocapture reading_is_quick`.
#[test]
fn reading_is_quick() {
    let raw = in_update(
        "message",
        message(
            json!({"text": "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng",
        "entities": [{"type": "hashtag", "offset": 0, "length": 8}]}),
        ),
    )
    .to_string();
    let (account, me) = (account(), me());
    let started = std::time::Instant::now();
    let rounds = 20_000;
    for _ in 0..rounds {
        std::hint::black_box(update(std::hint::black_box(&raw), &account, &me));
    }
    println!("{} ns per update", started.elapsed().as_nanos() / rounds);
}
