//! Shapes, one by one, from the fixtures; what needs a server is tested against the simulator.

use std::collections::HashMap;

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::channel::Source as _;
use crate::channel::call::Silence;
use crate::domain::delivery::Picture;
use crate::domain::delivery::PictureKind;
use crate::domain::message::Attachment;
use crate::domain::message::Message;
use crate::domain::message::Sender;

const TOKEN: &str = "51234:zalo-token_that_must_not_be_seen";
const SECRET: &str = "bi-mat-xom-dinh";

fn bot() -> ZaloBot {
    ZaloBot::new(Settings {
        account: AccountName::parse("zb1").unwrap(),
        api_url: "http://127.0.0.1:1".parse().unwrap(),
        token: Secret::new(TOKEN),
        webhook_secret: Some(Secret::new(SECRET)),
        hook_url: Some("https://keng.example.vn/hooks/zb1".parse().unwrap()),
        poll_spacing: Duration::ZERO,
        names: vec!["Bot Xóm Đình".to_owned()],
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    })
}

fn address() -> Address {
    Address {
        room: RoomId::new(AccountName::parse("zb1").unwrap(), "0fe2d94b"),
        thread: None,
        row: None,
    }
}

fn said(news: &[Inbound]) -> Option<&Message> {
    news.iter().find_map(|inbound| match inbound {
        Inbound::Said(message) => Some(message),
        _ => None,
    })
}

#[test]
fn every_shape_that_was_seen_or_described_is_read() {
    let raw = include_str!("../../../tests/fixtures/zalo_bot/updates.jsonl");
    for line in raw.lines() {
        // As it is written: some numbers there are held by no float.
        let raw: HashMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        let about = &line["about"];
        let news = bot().0.read(raw["update"].get().as_bytes()).unwrap();
        let kinds: Vec<_> = news
            .iter()
            .map(|inbound| match inbound {
                Inbound::Said(_) => "said",
                Inbound::Met { .. } => "met",
                Inbound::Unread(_) => "unread",
                Inbound::NotUnderstood { .. } => "not_understood",
                other => panic!("{about}: {other:?}"),
            })
            .collect();
        assert_eq!(json!(kinds), line["becomes"], "{about}");
        let message = said(&news);
        let check = |key: &str, is: &dyn Fn(&Message) -> Value| {
            if let Some(wanted) = line.get(key) {
                assert_eq!(is(message.unwrap()), *wanted, "{about}: {key}");
            }
        };
        check("text", &|message| json!(message.text));
        check("mentioned", &|message| {
            assert_eq!(message.mentioned, message.perhaps_reply);
            json!(message.mentioned)
        });
        check("room", &|message| json!(&*message.room.native));
        check("id", &|message| json!(&*message.id.0));
        check("sender", &|message| match &message.sender {
            Sender::Person { native, .. } => json!(native),
            Sender::Bot => json!("a program"),
            Sender::Anonymous => json!("nobody"),
        });
        check("sent_at", &|message| {
            let wanted = line["sent_at"].as_str().unwrap();
            let wanted = DateTime::parse_from_rfc3339(wanted).unwrap();
            json!(if message.sent_at == wanted {
                line["sent_at"].clone()
            } else {
                json!(message.sent_at.to_rfc3339())
            })
        });
        check("photos", &|message| {
            let photos = message.attachments.iter().map(|one| match one {
                Attachment::Photo(address) => address.as_str(),
                other => panic!("{other:?}"),
            });
            json!(photos.collect::<Vec<_>>())
        });
        for inbound in &news {
            if let Inbound::Unread(unread) = inbound {
                assert_eq!(json!(unread.withheld), line["withheld"], "{about}");
            }
        }
    }
}

#[test]
fn a_message_without_an_id_has_the_same_one_whenever_it_is_told() {
    let told = |text: &str| {
        let body = json!({"event_name": "message.text.received", "message": {
            "chat": {"id": "c1", "chat_type": "PRIVATE"}, "date": 1_795_848_123, "text": text}});
        let news = bot().0.read(body.to_string().as_bytes()).unwrap();
        said(&news).unwrap().id.clone()
    };
    assert_eq!(told("mất xe"), told("mất xe"));
    assert_ne!(told("mất xe"), told("mất gà"));
}

#[test]
fn every_answer_to_a_send_means_something() {
    let raw = include_str!("../../../tests/fixtures/zalo_bot/answers.jsonl");
    for line in raw.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let body = match line["body"].as_str() {
            Some(words) => words.to_owned(),
            None => line["body"].to_string(),
        };
        let answered = Answered {
            status: line["status"].as_u64().unwrap().try_into().unwrap(),
            retry_after: line["retry_after"].as_u64(),
            body: body.into(),
        };
        let became = match post::outcome(&answered, str::to_owned) {
            SendOutcome::Closed(_) => "closed".to_owned(),
            SendOutcome::Accepted(id) => {
                format!("accepted {}", id.as_ref().map_or("-", |id| &*id.0))
            }
            SendOutcome::SlowDown { wait, .. } => format!("slow down {}", wait.as_secs()),
            SendOutcome::NotNow(_) => "not now".to_owned(),
            SendOutcome::Denied(_) => "denied".to_owned(),
            SendOutcome::Refused { room_gone, .. } => {
                assert!(!room_gone, "nothing here says that a room is lost");
                "refused".to_owned()
            }
            SendOutcome::AccountRefused(_) => "account refused".to_owned(),
            SendOutcome::Moved(_) => "moved".to_owned(),
            SendOutcome::Unknown(_) => "unknown".to_owned(),
        };
        assert_eq!(json!(became), line["becomes"], "{}", line["about"]);
    }
}

#[test]
fn what_never_left_is_tried_again_and_what_was_not_answered_is_not() {
    let why = || "x".to_owned();
    assert!(matches!(
        post::unanswered(Silence::NotSent(why())),
        SendOutcome::NotNow(_)
    ));
    assert!(matches!(
        post::unanswered(Silence::NoAnswer(why())),
        SendOutcome::Unknown(_)
    ));
}

#[test]
fn a_text_leaves_composed_plain_and_within_the_limit() {
    let body = |text: &str| {
        let post = Post {
            text: text.to_owned(),
            ..Post::default()
        };
        post::message(&address(), &post)
    };
    let (method, sent) = body("Mất xe o\u{302}\u{323} *x*").unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(method, "sendMessage");
    assert_eq!(sent, json!({"chat_id": "0fe2d94b", "text": "Mất xe ộ *x*"}));
    let post = Post {
        text: "Cháy".to_owned(),
        picture: Some(Arc::new(Picture {
            kind: PictureKind::Png,
            name: "7F3A9K-1".to_owned(),
            bytes: Vec::new(),
            address: Some("https://keng.example.vn/api/alerts/7F3A9K-1.png".to_owned()),
        })),
        ..Post::default()
    };
    let (method, sent) = post::message(&address(), &post).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(method, "sendPhoto");
    assert_eq!(
        sent,
        json!({"chat_id": "0fe2d94b", "caption": "Cháy", "photo": "https://keng.example.vn/api/alerts/7F3A9K-1.png"})
    );
    assert!(body(&"ừ".repeat(2000)).is_ok());
    for text in ["", " \n", &"ừ".repeat(2001), &"🔔".repeat(1001)] {
        assert!(matches!(body(text), Err(SendOutcome::Refused { .. })));
    }
}

#[test]
fn a_webhook_must_know_the_secret_and_may_be_empty() {
    let call = |secret: Option<&str>, body: &str| {
        let headers: Vec<(String, Vec<u8>)> = { secret.into_iter() }
            .map(|secret| ("x-bot-api-secret-token".to_owned(), secret.into()))
            .collect();
        bot().parse_hook(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    };
    let body = r#"{"event_name":"message.text.received","message":{"chat":{"id":"c"},"from":{"id":"c"},"message_id":"m","text":"mất xe"}}"#;
    assert_eq!(call(Some(SECRET), body).unwrap().len(), 1);
    assert_eq!(call(Some("bi-mat-xom-dinH"), body), Err(HookError::Forged));
    assert_eq!(call(Some(""), body), Err(HookError::Forged));
    assert_eq!(call(None, body), Err(HookError::Forged));
    assert_eq!(call(None, " \n"), Ok(Vec::new()));
    assert_eq!(call(Some(SECRET), ""), Ok(Vec::new()));
    for broken in [r#"{"event_name":"mes"#, "ba hoa", "17", "\"x\""] {
        assert!(matches!(
            call(Some(SECRET), broken),
            Err(HookError::Unreadable(_))
        ));
    }
    // Half a surrogate pair spoils one letter, not the message.
    let torn = body.replace("mất xe", r"mất xe \ud83d");
    let news = call(Some(SECRET), &torn).unwrap();
    assert_eq!(said(&news).unwrap().text, "mất xe \u{fffd}");
}

#[tokio::test]
async fn no_error_and_no_debug_output_holds_the_token() {
    let bot = bot();
    let post = Post {
        text: "Cẩn thận".to_owned(),
        ..Post::default()
    };
    let outcome = bot.post(&address(), &post).await;
    assert!(matches!(outcome, SendOutcome::NotNow(_)), "{outcome:?}");
    let asked = bot.profile().await.unwrap_err();
    let polled = bot.source().next().await.unwrap_err();
    let page = Answered {
        status: 502,
        retry_after: None,
        body: format!("<a href=\"/bot{TOKEN}/sendMessage\">").into(),
    };
    let told = Answered {
        status: 400,
        retry_after: None,
        body: json!({"ok": false, "error_code": 400, "description": format!("no /bot{TOKEN}/x")})
            .to_string()
            .into(),
    };
    let shown = format!(
        "{outcome:?} {asked:?} {asked} {polled:?} {bot:?} {:?} {:?} {:?}",
        bot.0.refusal(&page),
        bot.0.refusal(&told),
        post::outcome(&told, |words| bot.0.api.redact(words)),
    );
    assert!(!shown.contains("must_not_be_seen"), "{shown}");
    assert!(shown.contains("no /bot***/x"), "{shown}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(raw in any::<Vec<u8>>(), text in "(?s).{0,80}") {
        let bot = bot();
        let _ = bot.0.read(&raw);
        let body = json!({"event_name": text, "message": {"chat": {"id": text, "chat_type": text},
            "from": text, "date": text, "text": format!("@{text}"), "photo": [text]}});
        prop_assert!(bot.0.read(body.to_string().as_bytes()).is_some());
    }

    #[test]
    fn only_the_name_is_taken_off(words in "[a-zà-ỹ #@]{0,30}") {
        let body = |text: &str| json!({"event_name": "message.text.received", "message": {
            "chat": {"id": "g", "chat_type": "GROUP"}, "message_id": "1", "text": text}}).to_string();
        let bot = bot();
        let news = bot.0.read(body(&format!("@bot xóm đình {words}")).as_bytes()).unwrap();
        let words: String = unicode_normalization::UnicodeNormalization::nfc(words.as_str()).collect();
        prop_assert_eq!(said(&news).unwrap().text.as_str(), words.trim());
    }
}
