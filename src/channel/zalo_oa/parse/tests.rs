//! Events of every kind, with ids of our own.

use insta::assert_debug_snapshot;

use super::*;

const OA: &str = "4410000000000000007";

fn with(read: impl FnOnce(Reader<'_>) -> Vec<Inbound>) -> Vec<Inbound> {
    let account = AccountName::parse("oa1").expect("a name");
    let name = |person: &str| {
        if person == "9007199254740993001" {
            "Nguyễn Thị Lan".to_owned()
        } else {
            String::new()
        }
    };
    let ours = |message: &str| message == "aa00000000000000ff01";
    read(Reader {
        account: &account,
        oa_id: OA,
        name: &name,
        ours: &ours,
    })
}

fn read(body: &str) -> Vec<Inbound> {
    with(|reader| reader.event(body))
}

/// An event in a group, with this in it.
fn group(name: &str, message: &str) -> Vec<Inbound> {
    read(&format!(
        r#"{{"app_id":"31","oa_id":"{OA}","event_name":"{name}","timestamp":"1790000000123","sender":{{"id":"9007199254740993001"}},"recipient":{{"id":"c0ffee00112233445566"}},"message":{message}}}"#
    ))
}

fn said(told: Vec<Inbound>) -> Message {
    match <[Inbound; 1]>::try_from(told) {
        Ok([Inbound::Said(message)]) => message,
        other => panic!("no message: {other:?}"),
    }
}

fn why(told: Vec<Inbound>) -> String {
    match <[Inbound; 1]>::try_from(told) {
        Ok([Inbound::NotUnderstood { why }]) => why,
        other => panic!("understood: {other:?}"),
    }
}

#[test]
fn a_group_message_is_in_the_group_by_its_author() {
    let message = said(group(
        "user_send_group_text",
        r##"{"text":"#tromcap mất xe ở cổng chợ","msg_id":"bb00000000000000ff01"}"##,
    ));
    assert_debug_snapshot!(message, @r##"
    Message {
        room: RoomId {
            account: AccountName(
                "oa1",
            ),
            native: "c0ffee00112233445566",
        },
        room_kind: Group,
        room_title: "",
        thread: None,
        id: MessageId(
            "bb00000000000000ff01",
        ),
        sender: Person {
            native: "9007199254740993001",
            name: "Nguyễn Thị Lan",
        },
        sent_at: 2026-09-21T21:13:20.123+07:00,
        text: "#tromcap mất xe ở cổng chợ",
        attachments: [],
        reply_to: None,
        mentioned: false,
        perhaps_reply: false,
        album: None,
        forwarded: false,
        aside: None,
    }
    "##);
}

#[test]
fn ids_and_times_may_be_numbers_of_any_size() {
    let told = read(&format!(
        r#"{{"oa_id":{OA},"event_name":"user_send_group_text","timestamp":1790000000123,"sender":{{"id":18446744073709551617}},"recipient":{{"id":"c0ffee00112233445566"}},"message":{{"text":"xin chào","msg_id":9007199254740993}}}}"#
    ));
    let message = said(told);
    assert_eq!(message.id, MessageId::from("9007199254740993"));
    assert_eq!(
        message.sender,
        Sender::Person {
            native: "18446744073709551617".to_owned(),
            name: String::new()
        }
    );
    assert_eq!(message.sent_at.timestamp_millis(), 1_790_000_000_123);
}

#[test]
fn a_private_message_is_in_the_persons_room() {
    let message = said(read(&format!(
        r#"{{"app_id":"31","event_name":"user_send_text","timestamp":"1790000000123","sender":{{"id":"77"}},"recipient":{{"id":"{OA}"}},"user_id_by_app":"88","message":{{"text":"của tôi","msg_id":"m1"}}}}"#
    )));
    assert_eq!(&*message.room.native, "77");
    assert_eq!(message.room_kind, RoomKind::Private);
    let other = r#"{"event_name":"user_send_text","sender":{"id":"77"},"recipient":{"id":"5"},"message":{"text":"a","msg_id":"m"}}"#;
    assert_eq!(
        why(read(other)),
        "a private message for another Official Account"
    );
}

#[test]
fn an_answer_to_us_is_known_by_its_author_or_by_its_id() {
    let quote = |quote: &str| {
        let message = format!(r#"{{"text":"ở ngõ 12","msg_id":"m2",{quote}}}"#);
        said(group("user_send_group_text", &message)).reply_to
    };
    let to = |id: &str, to_bot| {
        Some(ReplyTo {
            id: MessageId::from(id),
            to_bot,
        })
    };
    let by_oa = format!(r#""quote_msg":{{"msg_id":"x1","text":"hỏi","sender":{{"id":"{OA}"}}}}"#);
    assert_eq!(quote(&by_oa), to("x1", true));
    let by_lan = r#""quote_msg":{"msg_id":"x1","sender":{"id":"9"}}"#;
    assert_eq!(quote(by_lan), to("x1", false));
    let known = r#""quote_msg_id":"aa00000000000000ff01""#;
    assert_eq!(quote(known), to("aa00000000000000ff01", true));
    assert_eq!(quote(r#""quote_msg_id":"x9""#), to("x9", false));
    assert_eq!(quote(r#""quote_msg":null"#), None);
}

#[test]
fn what_comes_with_a_message_is_kept_by_reference() {
    let with = |kind: &str, attachment: &str| {
        let message = format!(r#"{{"text":"","msg_id":"m3","attachments":[{attachment}]}}"#);
        group(&format!("user_send_group_{kind}"), &message)
    };
    let one = |kind: &str, attachment: &str| said(with(kind, attachment)).attachments.remove(0);
    assert_eq!(
        one(
            "image",
            r#"{"type":"image","payload":{"thumbnail":"https://z.invalid/t.jpg","url":"https://z.invalid/f.jpg"}}"#
        ),
        Attachment::Photo("https://z.invalid/f.jpg".to_owned())
    );
    for coordinates in [
        r#"{"latitude":21.3298,"longitude":107.4061}"#,
        r#"{"latitude":"21.3298","longitude":"107.4061"}"#,
    ] {
        let place = format!(r#"{{"type":"location","payload":{{"coordinates":{coordinates}}}}}"#);
        assert_eq!(
            one("location", &place),
            Attachment::Location {
                latitude: 21.3298,
                longitude: 107.4061,
                name: None
            }
        );
    }
    for kind in ["video", "audio", "file", "gif", "link"] {
        let attachment =
            format!(r#"{{"type":"{kind}","payload":{{"url":"https://z.invalid/x"}}}}"#);
        assert_eq!(
            one(kind, &attachment),
            Attachment::File {
                kind: kind.to_owned(),
                reference: "https://z.invalid/x".to_owned()
            }
        );
    }
    for kind in ["sticker", "business_card"] {
        let attachment =
            format!(r#"{{"type":"{kind}","payload":{{"url":"https://z.invalid/x"}}}}"#);
        assert_eq!(with(kind, &attachment), []);
    }
    // A caption is a text like any other, whatever its attachments are.
    let odd =
        r#"{"text":"cổng sau","msg_id":"m4","attachments":[{"type":"image"},7,{"payload":{}}]}"#;
    assert_eq!(said(group("user_send_group_image", odd)).text, "cổng sau");
}

#[test]
fn our_own_posts_come_back_as_echoes() {
    let told = read(&format!(
        r#"{{"oa_id":"{OA}","event_name":"oa_send_group_text","timestamp":"1790000000123","sender":{{"id":"{OA}","admin_id":"5"}},"recipient":{{"id":"c0ffee00112233445566"}},"message":{{"text":"Đã ghi nhận.","msg_id":"aa1"}}}}"#
    ));
    assert_debug_snapshot!(told, @r#"
    [
        Echo {
            room: RoomId {
                account: AccountName(
                    "oa1",
                ),
                native: "c0ffee00112233445566",
            },
            message: MessageId(
                "aa1",
            ),
            text: "Đã ghi nhận.",
            at: 2026-09-21T21:13:20.123+07:00,
        },
    ]
    "#);
    let private = format!(
        r#"{{"event_name":"oa_send_text","timestamp":"1790000000123","sender":{{"id":"{OA}"}},"recipient":{{"id":"77"}},"message":{{"text":"Đã ghi nhận.","msg_id":"aa2"}}}}"#
    );
    assert!(
        matches!(&read(&private)[..], [Inbound::Echo { room, .. }] if &*room.native == "77"),
        "{:?}",
        read(&private)
    );
}

#[test]
fn groups_come_and_go_under_every_name() {
    let told = |name: &str, rest: &str| {
        read(&format!(
            r#"{{"app_id":"31","oa_id":"{OA}","event_name":"{name}","timestamp":"1790000000123"{rest}}}"#
        ))
    };
    for place in [
        r#","group_id":"c0ffee00112233445566","group_name":"Tổ 5""#,
        r#","recipient":{"id":"c0ffee00112233445566"},"name":"Tổ 5""#,
        r#","group":{"id":"c0ffee00112233445566","name":"Tổ 5"}"#,
        r#","data":{"group_id":"c0ffee00112233445566","group_name":"Tổ 5"}"#,
        r#","sender":{"id":"4410000000000000007"},"group_info":{"group_id":"c0ffee00112233445566","name":"Tổ 5"}"#,
    ] {
        for name in GROUP_IS {
            assert!(
                matches!(&told(name, place)[..], [Inbound::Joined { room, title, sees_all: true, .. }]
                    if &*room.native == "c0ffee00112233445566" && title == "Tổ 5"),
                "{name} {place}"
            );
        }
        for name in GROUP_GONE {
            assert!(
                matches!(&told(name, place)[..], [Inbound::Removed { room }]
                    if &*room.native == "c0ffee00112233445566"),
                "{name} {place}"
            );
        }
        for name in LEFT {
            let we_left = format!(r#"{place},"user_id":"{OA}""#);
            assert_eq!(told(name, &we_left).len(), 1, "{name}");
            let lan_left = format!(r#"{place},"user_id":"77""#);
            assert_eq!(told(name, &lan_left), [], "{name}");
        }
    }
    assert_eq!(
        why(told(
            "create_group",
            r#","recipient":{"id":"4410000000000000007"}"#
        )),
        "a group without an id came to be"
    );
}

#[test]
fn who_joins_or_follows_is_nobodys_to_watch() {
    for name in OTHER {
        let event = format!(
            r#"{{"event_name":"{name}","timestamp":"1","sender":{{"id":"77"}},"recipient":{{"id":"c0ffee00112233445566"}},"follower":{{"id":"78"}},"message":{{"text":"kín 4711","msg_id":"m"}}}}"#
        );
        assert_eq!(read(&event), [], "{name}");
    }
    assert_eq!(
        read(r#"{"event_name":"anonymous_send_text","message":{"text":"a"}}"#),
        []
    );
}

#[test]
fn what_nobody_knows_is_counted_without_its_contents() {
    for (body, wanted) in [
        ("", "an event that is no JSON object"),
        ("[]", "an event that is no JSON object"),
        ("{}", "an event without a name"),
        (r#"{"event_name":7}"#, "an event without a name"),
        (
            r#"{"event_name":"kín 4711","x":"kín 4711"}"#,
            "an event of no kind that we know",
        ),
        (
            r#"{"oa_id":"8","event_name":"user_send_text"}"#,
            "an event of another Official Account",
        ),
        (
            r#"{"event_name":"user_send_group_text","message":{"text":"kín 4711"}}"#,
            "a message without a sender",
        ),
        (
            r#"{"event_name":"user_send_group_text","sender":{"id":"7"},"message":{"text":"kín 4711"}}"#,
            "a group message without a group",
        ),
        (
            r#"{"event_name":"oa_send_group_text","message":{"text":"kín 4711"}}"#,
            "a message of our own without its room or id",
        ),
    ] {
        assert_eq!(why(read(body)), wanted, "{body}");
    }
    assert_eq!(
        why(group("user_send_group_text", "{}")),
        "a text message without a text"
    );
}

#[test]
fn a_text_is_not_lost_for_the_fields_beside_it() {
    let message = said(group(
        "user_send_group_text",
        r#"{"text":"kẻ gian \ud83d ở ngõ","msg_id":null,"attachments":{},"quote_msg":"x","links":[1]}"#,
    ));
    assert_eq!(message.text, "kẻ gian \u{fffd} ở ngõ");
    assert_eq!(
        message.id,
        MessageId::from("at:1790000000123:9007199254740993001")
    );
}

#[test]
fn history_tells_the_same_as_the_events() {
    let lines = format!(
        r#"{{"all":[
        {{"src":1,"time":1790000000123,"type":"text","message":"mất xe","message_id":"h1","from_id":"77","from_display_name":"Trần Minh","group_id":"c0ffee00112233445566"}},
        {{"src":0,"time":1790000000124,"type":"text","message":"Đã ghi nhận.","message_id":"h2","from_id":"{OA}","group_id":"c0ffee00112233445566"}},
        {{"src":"1","time":"1790000000125","type":"photo","url":"https://z.invalid/f.jpg","thumb":"https://z.invalid/t.jpg","description":"cổng sau","message_id":"h3","from_id":77,"group_id":"c0ffee00112233445566"}},
        {{"src":1,"time":1790000000126,"type":"sticker","message_id":"h4","from_id":"77","group_id":"c0ffee00112233445566"}},
        {{"src":1,"type":"text"}}]}}"#
    );
    let lines = Object::read(&lines)
        .expect("an object")
        .objects("all")
        .expect("a list");
    let read = |at: usize| {
        let mut line = None;
        with(|reader| {
            line = reader.line(&lines[at]);
            Vec::new()
        });
        line
    };
    let told = |at| read(at).expect("a line").told;
    let Some(Inbound::Said(message)) = told(0) else {
        panic!("{:?}", told(0))
    };
    assert_eq!(message.text, "mất xe");
    assert_eq!(
        message.sender,
        Sender::Person {
            native: "77".to_owned(),
            name: "Trần Minh".to_owned()
        }
    );
    assert!(matches!(told(1), Some(Inbound::Echo { message, .. }) if message.as_str() == "h2"));
    let Some(Inbound::Said(photo)) = told(2) else {
        panic!("{:?}", told(2))
    };
    assert_eq!(photo.text, "cổng sau");
    assert_eq!(
        photo.attachments,
        [Attachment::Photo("https://z.invalid/f.jpg".to_owned())]
    );
    assert_eq!(told(3), None);
    assert_eq!(read(4), None);
}
