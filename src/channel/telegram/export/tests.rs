use proptest::prelude::*;

use super::*;

const FIXTURE: &str = include_str!("../../../../tests/fixtures/telegram/result.json");

fn account() -> AccountName {
    AccountName::parse("tg1").unwrap()
}

fn read(raw: &str) -> Export {
    read_export(raw.as_bytes(), &account()).unwrap()
}

fn single(kind: &str, id: &str, messages: &str) -> String {
    format!(r#"{{"name": "Tổ 5", "type": "{kind}", "id": {id}, "messages": [{messages}]}}"#)
}

#[test]
fn the_fixture_with_its_damage_is_read_whole() {
    let export = read(FIXTURE);
    let [chat] = export.chats.as_slice() else {
        panic!("{export:?}");
    };
    assert_eq!(chat.room, RoomId::new(account(), "-1001730156619"));
    assert_eq!(
        (chat.title.as_str(), chat.kind),
        ("Tổ dân phố 5 Hải Hòa", RoomKind::Group)
    );
    let lines: Vec<_> = chat
        .messages
        .iter()
        .map(|message| {
            let who = match &message.sender {
                Sender::Person { native, name } => format!("{native} {name}"),
                other => format!("{other:?}"),
            };
            let at = message.sent_at.format("%m-%dT%H:%M:%S");
            format!("{} | {at} | {} | {}", message.id, who.trim(), message.text)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "-999999874 | 10-01T06:59:00 | 5011223301 Bác Tư | Nhóm cũ, trước khi lên nhóm lớn",
            "2 | 10-01T07:05:00 | 5011223344 Lan Nguyễn | #tromcap mất xe Wave 14B1-234.56 ở cổng chợ\u{7} lúc 3h sáng",
            "3 | 10-01T07:06:10 | 5011223355 | 😮 sợ quá",
            r#"4 | 10-01T07:10:00 | Anonymous | Đường dẫn C:\x64\anh.jpg, xem "ảnh""#,
            "6 | 10-01T07:20:00 | 5011223 Hùng | Xuất bằng bản cũ, không có date_unixtime",
            "7 | 10-01T07:21:00 | 5011223 Hùng | ",
            // The old group and the supergroup both had a message 7.
            "7@1788222060 | 09-01T07:21:00 | 5011223 Hùng | ",
        ]
    );
    assert_eq!(export.service, 1);
    assert_eq!(
        export.put_aside,
        [
            "room tg1:-1001730156619, message 6: of a kind that Telegram Desktop does not export",
            "room tg1:-1001730156619, message 10: without text, photo, file or place",
        ]
    );

    let by_id = |id: &str| {
        let mut found = chat.messages.iter().filter(|m| m.id.as_str() == id);
        found.next().unwrap()
    };
    assert_eq!(
        by_id("3").reply_to,
        Some(ReplyTo {
            id: MessageId::from(2),
            to_bot: false
        })
    );
    assert!(matches!(
        by_id("4").attachments.as_slice(),
        [Attachment::Photo(_)]
    ));
    assert!(by_id("6").forwarded && !by_id("4").forwarded);
    assert_eq!(
        by_id("7").attachments,
        [Attachment::Location {
            latitude: 21.5246,
            longitude: 107.9663,
            name: Some("Chợ Móng Cái".to_owned())
        }]
    );
}

#[test]
fn rooms_get_the_ids_of_the_bot_api() {
    for (kind, id, wanted) in [
        ("private_group", "4012345", Some("-4012345")),
        ("private_supergroup", "1730156619", Some("-1001730156619")),
        ("public_supergroup", "1730156619", Some("-1001730156619")),
        (
            "public_supergroup",
            "-1001730156619",
            Some("-1001730156619"),
        ),
        ("private_group", "\"4012345\"", Some("-4012345")),
        ("personal_chat", "42", Some("42")),
        ("bot_chat", "42", Some("42")),
        ("something_new", "42", Some("42")),
        ("public_channel", "42", None),
        ("private_group", "null", None),
        ("private_group", "[]", None),
    ] {
        let export = read(&single(kind, id, ""));
        let rooms: Vec<_> = export.chats.iter().map(|chat| &*chat.room.native).collect();
        assert_eq!(rooms, Vec::from_iter(wanted), "{kind} {id}");
        assert_eq!(export.put_aside.is_empty(), wanted.is_some());
    }
}

#[test]
fn a_private_chat_has_no_title() {
    assert_eq!(read(&single("personal_chat", "42", "")).chats[0].title, "");
}

#[test]
fn an_export_of_the_whole_account_is_read_too() {
    let chat = |id: &str| {
        single(
            "private_group",
            id,
            r#"{"id":1,"type":"message","date_unixtime":"1790812740","from_id":"user1","from":"A","text":"a"}"#,
        )
    };
    let raw = format!(
        r#"{{"about": "x", "personal_information": {{"user_id": 5, "bio": ""}},
            "contacts": {{"about": "y", "list": [{{"user_id": 1}}]}}, "sessions": [1, null, "x", 2.5, true],
            "chats": {{"about": "z", "list": [{}, {}]}}, "left_chats": {{"about": "z", "list": [{}]}}}}"#,
        chat("1"),
        chat("2"),
        chat("3")
    );
    let export = read(&raw);
    let rooms: Vec<_> = export
        .chats
        .iter()
        .map(|chat| (&*chat.room.native, chat.messages.len()))
        .collect();
    assert_eq!(rooms, [("-1", 1), ("-2", 1), ("-3", 1)]);
}

#[test]
fn odd_messages_are_put_aside_and_their_neighbours_kept() {
    let good = |id: i64| {
        format!(r#"{{"id":{id},"type":"message","date_unixtime":"1790812740","text":"a{id}"}}"#)
    };
    let odd = [
        "null",
        "5",
        r#""bí mật""#,
        r#"{"type":"message","date_unixtime":"1790812740","text":"bí mật"}"#,
        r#"{"id":5,"type":"message","text":"bí mật"}"#,
        r#"{"id":5,"type":"message","date":"hôm qua","text":"bí mật"}"#,
        r#"{"id":6,"type":"message","date_unixtime":"1790812740","text":{"a":"bí mật"}}"#,
        r#"{"id":1,"type":"message","date_unixtime":"1790812740","text":"bí mật"}"#,
    ];
    let export = read(&single(
        "private_group",
        "1",
        &format!("{},{},{}", good(1), odd.join(","), good(2)),
    ));
    let texts: Vec<_> = export.chats[0]
        .messages
        .iter()
        .map(|m| m.text.as_str())
        .collect();
    assert_eq!(texts, ["a1", "a2"]);
    assert_eq!(export.put_aside.len(), odd.len(), "{:?}", export.put_aside);
    assert!(export.put_aside.iter().all(|why| !why.contains("mật")));
}

#[test]
fn a_file_that_breaks_off_is_read_as_far_as_it_goes() {
    let (start, _) = FIXTURE.split_once("\"id\": 5").unwrap();
    let export = read(start);
    assert_eq!(export.chats[0].messages.len(), 4);
    assert_eq!(
        export.put_aside,
        ["line 110, column 3: the file breaks off; nothing after this was read"]
    );
}

#[test]
fn what_is_no_export_is_refused() {
    let refused = |raw: &[u8]| read_export(raw, &account()).unwrap_err();
    assert_eq!(refused(b"{}"), ExportError::NoChat);
    assert_eq!(refused(br#"{"result": [1, 2]}"#), ExportError::NoChat);
    for raw in [&b""[..], b"<html>", b"{\"name\": \"x\", ", b"\xff\xfe\x00"] {
        assert!(matches!(refused(raw), ExportError::Unreadable { .. }));
    }
}

#[test]
fn a_deep_or_broken_text_costs_nothing_else() {
    let deep = format!("{}\"a\"{}", "[".repeat(3000), "]".repeat(3000));
    let message = |text: &str| {
        format!(
            r#"{{"id":1,"type":"message","date_unixtime":"1790812740","x":{deep},"text":{text}}}"#
        )
    };
    let export = read(&single(
        "private_group",
        "1",
        &message(r#""mất \ud83d xe""#),
    ));
    assert_eq!(export.chats[0].messages[0].text, "mất \u{fffd} xe");
    assert!(
        read(&single("private_group", "1", &message(&deep))).chats[0]
            .messages
            .is_empty()
    );
}

#[test]
fn a_large_export_is_streamed() {
    /// Makes the file as it is read.
    struct Endless {
        left: u32,
        ready: Vec<u8>,
        at: usize,
    }
    impl Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            if self.at == self.ready.len() {
                self.at = 0;
                self.ready = match self.left {
                    0 => return Ok(0),
                    1 => b"{\"id\":0,\"type\":\"service\"}]}".to_vec(),
                    n => format!(
                        "{{\"id\":{n},\"type\":\"message\",\"date_unixtime\":\"1790812740\",\"text\":\"ồn ào {n}\"}},"
                    )
                    .into_bytes(),
                };
                self.left -= 1;
            }
            let n = out.len().min(self.ready.len() - self.at).min(7);
            out[..n].copy_from_slice(&self.ready[self.at..self.at + n]);
            self.at += n;
            Ok(n)
        }
    }
    let file = Endless {
        left: 20_001,
        ready: br#"{"type":"private_group","id":1,"messages":["#.to_vec(),
        at: 0,
    };
    let mut messages = 0;
    stream_export(file, &account(), &mut |found| {
        messages += u32::from(matches!(found, Found::Message(_)));
    })
    .unwrap();
    assert_eq!(messages, 20_000);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(raw in any::<Vec<u8>>()) {
        let _ = read_export(raw.as_slice(), &account());
    }

    #[test]
    fn a_damaged_export_is_read_without_panic(at in 0_usize..4000, byte in any::<u8>()) {
        let mut raw = FIXTURE.as_bytes().to_vec();
        let at = at.min(raw.len() - 1);
        raw[at] = byte;
        let _ = read_export(raw.as_slice(), &account());
    }
}
