//! The channel against a scripted server: a few lines of HTTP over a socket, nothing shared with `sim`.

use std::collections::VecDeque;
use std::sync::Mutex;

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpListener;

use super::post::About;
use super::*;
use crate::channel::Source as _;
use crate::domain::delivery::Button;

const TOKEN: &str = "7000001:AAH-token_that_must_not_be_seen";

/// What the server does with a call.
enum Turn {
    Answer(u16, Vec<u8>),
    /// It takes the request and hangs up.
    HangUp,
}

fn ok(result: Value) -> Turn {
    Turn::Answer(
        200,
        json!({"ok": true, "result": result})
            .to_string()
            .into_bytes(),
    )
}

fn error(code: u16, description: &str, parameters: Value) -> Turn {
    let mut body = json!({"ok": false, "error_code": code, "description": description});
    if !parameters.is_null() {
        body["parameters"] = parameters;
    }
    Turn::Answer(code, body.to_string().into_bytes())
}

/// A server that answers by a script and remembers what it was asked.
struct Server {
    url: Url,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Server {
    async fn start(script: impl IntoIterator<Item = Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut script: VecDeque<Turn> = script.into_iter().collect();
        let seen = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Some(turn) = script.pop_front() {
                let (socket, _) = listener.accept().await.unwrap();
                let mut socket = BufReader::new(socket);
                let (mut path, mut length, mut line) = (String::new(), 0, String::new());
                while socket.read_line(&mut line).await.unwrap() > 2 {
                    let lower = line.to_ascii_lowercase();
                    if let Some(value) = lower.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    } else if path.is_empty() {
                        path = line.split(' ').nth(1).unwrap().to_owned();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                socket.read_exact(&mut body).await.unwrap();
                let marker = format!("/bot{TOKEN}/");
                let (base, method) = path.split_once(&marker).unwrap();
                let method = format!("{base}{method}");
                let body = serde_json::from_slice(&body).unwrap();
                seen.lock().unwrap().push((method, body));
                if let Turn::Answer(status, body) = turn {
                    let head = format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    socket.write_all(head.as_bytes()).await.unwrap();
                    socket.write_all(&body).await.unwrap();
                }
            }
        });
        Self {
            url: url.parse().unwrap(),
            calls,
        }
    }

    fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap().clone()
    }

    fn telegram(&self) -> Telegram {
        telegram(self.url.clone())
    }
}

fn telegram(api_url: Url) -> Telegram {
    Telegram::new(Settings {
        account: AccountName::parse("tg1").unwrap(),
        api_url,
        token: Secret::new(TOKEN),
        webhook_secret: Some(Secret::new("s3cret_of-the-hook")),
        hook_url: Some("https://keng.example.vn/hooks/tg1".parse().unwrap()),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    })
}

fn room(native: &str) -> RoomId {
    RoomId::new(AccountName::parse("tg1").unwrap(), native)
}

fn address(native: &str) -> Address {
    Address {
        room: room(native),
        thread: None,
        row: None,
    }
}

fn words(text: &str) -> Post {
    Post {
        text: text.to_owned(),
        ..Post::default()
    }
}

fn update(id: impl Into<Value>, text: &str) -> Value {
    json!({"update_id": id.into(), "message": {"message_id": 1, "date": 1_790_000_000,
        "chat": {"id": -5, "type": "group"}, "from": {"id": 1, "is_bot": false, "first_name": "Lan"},
        "text": text}})
}

fn texts(news: &[Inbound]) -> Vec<&str> {
    news.iter()
        .map(|inbound| match inbound {
            Inbound::Said(message) => message.text.as_str(),
            Inbound::NotUnderstood { .. } => "?",
            other => panic!("{other:?}"),
        })
        .collect()
}

#[track_caller]
fn not_now(answer: Result<Vec<Inbound>, PollError>) -> (String, Option<Duration>) {
    match answer {
        Err(PollError::NotNow { why, wait }) => (why, wait),
        other => panic!("{other:?}"),
    }
}

/// Every kind of request, as it leaves, and an answer to each. With `KENG_RECORD=FILE` the calls are
/// also written there, for `tests/peers/bot_api_models.py` to judge.
#[tokio::test]
async fn every_kind_of_request_leaves_as_documented() {
    let sent = json!({"message_id": 21, "date": 1_790_000_000, "text": "x",
        "chat": {"id": -1001, "type": "supergroup", "title": "Tổ 5"},
        "from": {"id": 7_000_001, "is_bot": true, "first_name": "Kẻng"}});
    let me = json!({"id": 7_000_001, "is_bot": true, "first_name": "Kẻng", "username": "KengBot",
        "can_join_groups": true, "can_read_all_group_messages": true, "supports_inline_queries": false});
    let webhook = json!({"url": "https://old.example.vn/", "has_custom_certificate": false,
        "pending_update_count": 0});
    let results = [
        me,
        json!(true),
        sent.clone(),
        sent.clone(),
        sent,
        json!(true),
        json!(true),
        json!(121),
        webhook,
        json!(true),
        json!([update(5, "a")]),
        json!([]),
    ];
    let server = Server::start(results.clone().map(ok)).await;
    let telegram = server.telegram();

    telegram.profile().await.unwrap();
    telegram.prepare().await.unwrap();
    let accepted = SendOutcome::Accepted(Some(MessageId::from(21)));
    assert_eq!(
        telegram
            .post(&address("-1001"), &words("Đã ghi nhận."))
            .await,
        accepted
    );
    let reply = Post {
        text: "Gửi tới 3 nhóm? <b>*_[".to_owned(),
        reply_to: Some(MessageId::from(10)),
        buttons: vec![vec![Button {
            label: "Gửi".to_owned(),
            data: "ok:7F3A9K".to_owned(),
        }]],
        edits: None,
        ..Post::default()
    };
    let topic = Address {
        room: room("-1001"),
        thread: Some("77".to_owned()),
        row: None,
    };
    assert_eq!(telegram.post(&topic, &reply).await, accepted);
    let edit = Post {
        edits: Some(MessageId::from(21)),
        ..reply
    };
    assert_eq!(telegram.post(&topic, &edit).await, accepted);
    let deleted = telegram.delete(&room("-1001"), &MessageId::from(21)).await;
    assert_eq!(deleted, SendOutcome::Accepted(None));
    let answered = telegram.answer_press("99", &"ư".repeat(300)).await;
    assert_eq!(answered, SendOutcome::Accepted(None));
    let people = telegram.people_in(&room("-1001")).await.unwrap();
    assert_eq!(people, Some(120), "the bot itself is not counted");
    let mut source = telegram.source();
    assert_eq!(texts(&source.next().await.unwrap()), ["a"]);
    source.confirm().await.unwrap();

    let calls = server.calls();
    let keyboard = json!({"inline_keyboard": [[{"text": "Gửi", "callback_data": "ok:7F3A9K"}]]});
    let kinds = json!([
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member"
    ]);
    assert_eq!(
        calls,
        [
            ("getMe", json!({})),
            (
                "setWebhook",
                json!({"url": "https://keng.example.vn/hooks/tg1", "allowed_updates": kinds,
                    "secret_token": "s3cret_of-the-hook"}),
            ),
            (
                "sendMessage",
                json!({"chat_id": -1001, "text": "Đã ghi nhận.", "link_preview_options": {"is_disabled": true}}),
            ),
            (
                "sendMessage",
                json!({"chat_id": -1001, "text": "Gửi tới 3 nhóm? <b>*_[", "message_thread_id": 77,
                    "link_preview_options": {"is_disabled": true}, "reply_markup": keyboard,
                    "reply_parameters": {"message_id": 10, "allow_sending_without_reply": true}}),
            ),
            (
                "editMessageText",
                json!({"chat_id": -1001, "message_id": 21, "text": "Gửi tới 3 nhóm? <b>*_[",
                    "link_preview_options": {"is_disabled": true}, "reply_markup": keyboard}),
            ),
            ("deleteMessage", json!({"chat_id": -1001, "message_id": 21})),
            (
                "answerCallbackQuery",
                json!({"callback_query_id": "99", "text": "ư".repeat(200)}),
            ),
            ("getChatMemberCount", json!({"chat_id": -1001})),
            ("getWebhookInfo", json!({})),
            ("deleteWebhook", json!({})),
            ("getUpdates", json!({"limit": 100, "timeout": 30, "allowed_updates": kinds})),
            (
                "getUpdates",
                json!({"offset": 6, "limit": 1, "timeout": 0, "allowed_updates": kinds}),
            ),
        ]
        .map(|(method, body)| (method.to_owned(), body))
    );

    if let Some(path) = std::env::var_os("KENG_RECORD") {
        let lines = calls
            .iter()
            .zip(results)
            .map(|((method, request), result)| {
                let response = json!({"ok": true, "result": result});
                json!({"method": method, "request": request, "response": response}).to_string()
                    + "\n"
            });
        std::fs::write(path, lines.collect::<String>()).unwrap();
    }
}

#[tokio::test]
async fn the_offset_moves_only_with_the_next_call() {
    let server = Server::start([
        ok(json!({"url": ""})),
        ok(json!([update(5, "a"), update(6, "b")])),
        Turn::HangUp,
        ok(json!([update(9, "c")])),
        ok(json!([])),
    ])
    .await;
    let mut source = server.telegram().source();
    assert_eq!(texts(&source.next().await.unwrap()), ["a", "b"]);
    not_now(source.next().await);
    assert_eq!(texts(&source.next().await.unwrap()), ["c"]);
    source.confirm().await.unwrap();
    let offsets: Vec<_> = server
        .calls()
        .iter()
        .map(|(_, body)| body["offset"].clone())
        .collect();
    assert_eq!(json!(offsets), json!([null, null, 7, 7, 10]));
}

#[tokio::test]
async fn one_bad_update_harms_no_neighbour() {
    let server = Server::start([
        error(404, "Not Found: method not found", Value::Null),
        ok(json!([
            update(5, "a"),
            "what is this",
            update(Value::Null, "b"),
            update("seven", "c"),
            {"update_id": 7, "message": 5},
            update("8", "d"),
        ])),
        ok(json!([])),
    ])
    .await;
    let mut source = server.telegram().source();
    let news = source.next().await.unwrap();
    assert_eq!(texts(&news), ["a", "?", "b", "c", "?", "d"]);
    source.confirm().await.unwrap();
    assert_eq!(server.calls().last().unwrap().1["offset"], 9);
}

#[tokio::test]
async fn a_poison_update_is_found_passed_over_and_counted() {
    let envelope = |updates: &[&str]| {
        let body = format!(r#"{{"ok":true,"result":[{}]}}"#, updates.join(","));
        Turn::Answer(200, body.into_bytes())
    };
    let (a, b) = (update(5, "a").to_string(), update(7, "b").to_string());
    let poison = r#"{"update_id": 6, "message": {"text": "x", }}"#;
    let all = [a.as_str(), poison, b.as_str()];
    let server = Server::start([
        ok(json!({"url": ""})),
        envelope(&all),
        envelope(&all),
        envelope(&[&a]),
        envelope(&[poison]),
        envelope(&[poison]),
        envelope(&[&b]),
        ok(json!([])),
    ])
    .await;
    let mut source = server.telegram().source();
    not_now(source.next().await);
    not_now(source.next().await);
    assert_eq!(texts(&source.next().await.unwrap()), ["a"]);
    not_now(source.next().await);
    assert_eq!(texts(&source.next().await.unwrap()), ["?"]);
    assert_eq!(texts(&source.next().await.unwrap()), ["b"]);
    source.confirm().await.unwrap();
    let asked: Vec<_> = server
        .calls()
        .iter()
        .skip(1)
        .map(|(_, body)| json!([body["offset"], body["limit"]]))
        .collect();
    assert_eq!(
        json!(asked),
        json!([
            [null, 100],
            [null, 100],
            [null, 1],
            [6, 1],
            [6, 1],
            [7, 100],
            [8, 1]
        ])
    );
}

#[tokio::test]
async fn a_page_of_a_proxy_is_never_passed_over() {
    let page = || Turn::Answer(200, b"<html>please log in</html>".to_vec());
    let start = [ok(json!({"url": ""})), ok(json!([update(5, "a")]))];
    let end = ok(json!([update(6, "b")]));
    let script = start.into_iter().chain((0..8).map(|_| page())).chain([end]);
    let server = Server::start(script).await;
    let mut source = server.telegram().source();
    source.next().await.unwrap();
    for _ in 0..8 {
        assert!(not_now(source.next().await).1.is_some());
    }
    assert_eq!(texts(&source.next().await.unwrap()), ["b"]);
    assert_eq!(server.calls().last().unwrap().1["offset"], 6);
}

#[tokio::test]
async fn broken_bytes_are_mended_before_anything_is_given_up() {
    let mut body = json!({"ok": true, "result": [update(5, "mất xe")]})
        .to_string()
        .into_bytes();
    let at = body.windows(2).position(|pair| pair == b"xe").unwrap();
    body.splice(at..at, [0xff, 0x07]);
    let server = Server::start([ok(json!({"url": ""})), Turn::Answer(200, body)]).await;
    let news = server.telegram().source().next().await.unwrap();
    assert_eq!(texts(&news), ["mất \u{fffd}\u{7}xe"]);
}

#[tokio::test]
async fn a_server_without_numbers_does_not_make_us_run_in_a_circle() {
    let same = || ok(json!([update(Value::Null, "a")]));
    let server = Server::start([
        ok(json!({"url": ""})),
        same(),
        same(),
        ok(json!([update(Value::Null, "b")])),
    ])
    .await;
    let mut source = server.telegram().source();
    assert_eq!(texts(&source.next().await.unwrap()), ["a"]);
    assert!(not_now(source.next().await).1.is_some());
    assert_eq!(texts(&source.next().await.unwrap()), ["b"]);
}

#[tokio::test]
async fn what_keeps_us_from_polling_is_told_apart() {
    for (turn, wanted) in [
        (
            error(401, "Unauthorized", Value::Null),
            "person: the token is not accepted",
        ),
        (
            error(404, "Not Found", Value::Null),
            "person: the token is not accepted",
        ),
        (
            error(
                409,
                "Conflict: terminated by other getUpdates request",
                Value::Null,
            ),
            "person: another program asks",
        ),
        (
            error(
                409,
                "Conflict: can't use getUpdates method while webhook is active",
                Value::Null,
            ),
            "person: a webhook is set",
        ),
        (
            error(
                429,
                "Too Many Requests: retry after 7",
                json!({"retry_after": 7}),
            ),
            "wait 7: the server answered 429",
        ),
        (
            Turn::Answer(502, b"<html>Bad Gateway</html>".to_vec()),
            "wait 0: the server answered 502",
        ),
        (
            error(500, "Internal Server Error: restart", Value::Null),
            "wait 0: the server answered 500",
        ),
        (
            error(400, "Bad Request: x", Value::Null),
            "wait 0: the server answered 400",
        ),
        (Turn::HangUp, "wait 0: "),
    ] {
        let server = Server::start([ok(json!({"url": ""})), turn]).await;
        let told = match server.telegram().source().next().await {
            Err(PollError::NeedsPerson(why)) => format!("person: {why}"),
            Err(PollError::NotNow { why, wait }) => {
                format!("wait {}: {why}", wait.unwrap_or_default().as_secs())
            }
            Ok(news) => panic!("{news:?}"),
        };
        assert!(told.starts_with(wanted), "{told}");
        assert!(!told.contains("must_not_be_seen"), "{told}");
    }
}

#[tokio::test]
async fn the_profile_survives_a_server_that_tells_little() {
    // As npm telegram-test-api answers.
    let little = json!({"username": "TestNameBot", "first_name": "Test First name", "id": 666});
    let server = Server::start([
        ok(little),
        ok(json!({"id": "666", "can_read_all_group_messages": false, "can_join_groups": false})),
        ok(json!({})),
        ok(Value::Null),
        error(401, "Unauthorized", Value::Null),
    ])
    .await;
    let telegram = server.telegram();
    assert_eq!(
        telegram.profile().await.unwrap(),
        Profile {
            id: "666".to_owned(),
            names: vec!["TestNameBot".to_owned(), "Test First name".to_owned()],
            warnings: Vec::new(),
        }
    );
    let blind = telegram.profile().await.unwrap();
    assert_eq!((blind.id.as_str(), blind.warnings.len()), ("666", 2));
    assert!(blind.warnings[0].starts_with("privacy mode is on"));
    assert_eq!(telegram.profile().await.unwrap().id, "7000001");
    assert!(matches!(
        telegram.profile().await,
        Err(PollError::NotNow { .. })
    ));
    assert!(matches!(
        telegram.profile().await,
        Err(PollError::NeedsPerson(_))
    ));
}

#[test]
fn every_answer_is_given_its_meaning() {
    let unknown = |why: &str| SendOutcome::Unknown(why.to_owned());
    let refused = |why: &str, room_gone| SendOutcome::Refused {
        why: why.to_owned(),
        room_gone,
    };
    let slow = |seconds, whole_account| SendOutcome::SlowDown {
        wait: Duration::from_secs(seconds),
        whole_account,
    };
    let accepted = |id: Option<i64>| SendOutcome::Accepted(id.map(MessageId::from));
    let not_now = |why: &str| SendOutcome::NotNow(why.to_owned());
    let account = |why: &str| SendOutcome::AccountRefused(why.to_owned());
    let moved = || SendOutcome::Moved(room("-1002"));
    let message = About::Message(room("-1001"));
    let edit = About::Edit(room("-1001"), MessageId::from(7));
    let deletion = About::Deletion(room("-1001"));
    let failed = |code: u16, words: &str, parameters: Value| {
        let mut body = json!({"ok": false, "error_code": code, "description": words});
        if !parameters.is_null() {
            body["parameters"] = parameters;
        }
        (code, body.to_string())
    };
    let plain = |code: u16, words: &str| failed(code, words, Value::Null);
    let done = |result: Value| (200, json!({"ok": true, "result": result}).to_string());

    for (about, (status, body), wanted) in [
        (
            &message,
            done(json!({"message_id": 9, "date": 1})),
            accepted(Some(9)),
        ),
        (
            &message,
            done(json!({"message_id": "9"})),
            accepted(Some(9)),
        ),
        (&message, done(json!({"message_id": 0})), accepted(None)),
        (&message, done(json!({})), accepted(None)),
        (&message, done(json!(true)), accepted(None)),
        (&message, done(Value::Null), accepted(None)),
        (&edit, done(json!({"message_id": 7})), accepted(Some(7))),
        (&edit, done(json!(true)), accepted(Some(7))),
        (&edit, done(Value::Null), accepted(Some(7))),
        (&deletion, done(json!(true)), accepted(None)),
        (
            &message,
            (200, String::new()),
            unknown("the answer 200 is not readable"),
        ),
        (
            &message,
            (200, "<html>".to_owned()),
            unknown("the answer 200 is not readable"),
        ),
        (
            &message,
            (200, "{}".to_owned()),
            unknown("the answer 200 is not readable"),
        ),
        (
            &message,
            failed(
                429,
                "Too Many Requests: retry after 35",
                json!({"retry_after": 35}),
            ),
            slow(35, false),
        ),
        (
            &message,
            plain(429, "Too Many Requests: retry after 35"),
            slow(35, false),
        ),
        (
            &message,
            failed(429, "x", json!({"retry_after": "12"})),
            slow(12, false),
        ),
        (&message, failed(429, "x", json!({})), slow(5, false)),
        (&message, (429, "slow down".to_owned()), slow(5, false)),
        (
            &About::Press,
            failed(429, "x", json!({"retry_after": 0})),
            slow(1, true),
        ),
        (
            &message,
            failed(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                json!({"migrate_to_chat_id": -1002}),
            ),
            moved(),
        ),
        (
            &edit,
            failed(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                json!({"migrate_to_chat_id": "-1002"}),
            ),
            moved(),
        ),
        (
            &message,
            plain(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
            ),
            refused(
                "Bad Request: group chat was upgraded to a supergroup chat",
                true,
            ),
        ),
        (
            &message,
            plain(403, "Forbidden: bot was kicked from the supergroup chat"),
            refused("Forbidden: bot was kicked from the supergroup chat", true),
        ),
        (
            &message,
            plain(403, "Forbidden: bot was blocked by the user"),
            refused("Forbidden: bot was blocked by the user", true),
        ),
        (
            &message,
            plain(
                403,
                "Forbidden: bot can't initiate conversation with a user",
            ),
            refused(
                "Forbidden: bot can't initiate conversation with a user",
                true,
            ),
        ),
        (
            &message,
            plain(403, "Forbidden: the group chat was deleted"),
            refused("Forbidden: the group chat was deleted", true),
        ),
        (
            &message,
            plain(400, "Bad Request: chat not found"),
            refused("Bad Request: chat not found", true),
        ),
        (
            &message,
            plain(400, "Bad Request: message is too long"),
            refused("Bad Request: message is too long", false),
        ),
        (
            &message,
            plain(
                400,
                "Bad Request: not enough rights to send text messages to the chat",
            ),
            refused(
                "Bad Request: not enough rights to send text messages to the chat",
                false,
            ),
        ),
        (
            &message,
            plain(400, "Bad Request: message thread not found"),
            refused("Bad Request: message thread not found", false),
        ),
        (
            &message,
            plain(400, "Bad Request: TOPIC_CLOSED"),
            refused("Bad Request: TOPIC_CLOSED", false),
        ),
        (
            &edit,
            plain(
                400,
                "Bad Request: message is not modified: specified new message content \
                and reply markup are exactly the same",
            ),
            accepted(Some(7)),
        ),
        (
            &edit,
            plain(400, "Bad Request: message to edit not found"),
            refused("Bad Request: message to edit not found", false),
        ),
        (
            &deletion,
            plain(400, "Bad Request: message to delete not found"),
            accepted(None),
        ),
        (
            &deletion,
            plain(400, "Bad Request: message can't be deleted for everyone"),
            refused("Bad Request: message can't be deleted for everyone", false),
        ),
        (
            &About::Press,
            plain(
                400,
                "Bad Request: query is too old and response timeout expired or query ID is invalid",
            ),
            refused(
                "Bad Request: query is too old and response timeout expired or query ID is invalid",
                false,
            ),
        ),
        (
            &About::Press,
            plain(403, "Forbidden"),
            refused("Forbidden", false),
        ),
        (
            &message,
            plain(401, "Unauthorized"),
            account("Unauthorized"),
        ),
        (&message, plain(404, "Not Found"), account("Not Found")),
        (
            &message,
            (401, "no".to_owned()),
            account("the server answered 401"),
        ),
        (
            &About::Press,
            plain(404, "Not Found: method not found"),
            refused("Not Found: method not found", false),
        ),
        (
            &message,
            (502, "<html>".to_owned()),
            unknown("the server answered 502"),
        ),
        (
            &message,
            plain(500, "Internal Server Error"),
            unknown("the server answered 500"),
        ),
        (
            &message,
            (503, "{}".to_owned()),
            unknown("the server answered 503"),
        ),
        (
            &message,
            (504, String::new()),
            unknown("the server answered 504"),
        ),
        (
            &message,
            (403, "<html>".to_owned()),
            not_now("the server answered 403 without JSON"),
        ),
        (
            &message,
            (413, "<html>".to_owned()),
            refused("the server answered 413", false),
        ),
        // Servers that say everything with 200.
        (
            &message,
            (
                200,
                json!({"ok": false, "error_code": 403, "description": "Forbidden: x"}).to_string(),
            ),
            refused("Forbidden: x", true),
        ),
        (
            &message,
            (200, json!({"ok": false}).to_string()),
            refused("the server answered 200", false),
        ),
        // One field that is not what it should be does not hide the others.
        (
            &message,
            (
                429,
                json!({"ok": "no", "error_code": "429", "parameters": {"retry_after": 3.2}})
                    .to_string(),
            ),
            slow(4, false),
        ),
    ] {
        let answered = Answered {
            status,
            retry_after: None,
            body: body.clone().into(),
        };
        assert_eq!(post::outcome(&answered, about), wanted, "{status} {body}");
    }

    let by_header = Answered {
        status: 429,
        retry_after: Some(8),
        body: "busy".into(),
    };
    assert_eq!(post::outcome(&by_header, &message), slow(8, false));
}

#[tokio::test]
async fn what_never_arrived_is_told_from_what_nobody_knows() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    for url in [url.as_str(), "http://no-such-name.invalid/"] {
        let outcome = telegram(url.parse().unwrap())
            .post(&address("1"), &words("a"))
            .await;
        assert!(matches!(outcome, SendOutcome::NotNow(_)), "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("must_not_be_seen"));
    }
    let server = Server::start([Turn::HangUp]).await;
    let outcome = server.telegram().post(&address("1"), &words("a")).await;
    assert!(matches!(outcome, SendOutcome::Unknown(_)), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let api = Api::new(
        reqwest::Client::builder().no_proxy().build().unwrap(),
        url.parse().unwrap(),
        Secret::new(TOKEN),
    );
    let call = api.call("sendMessage", b"{}".to_vec(), Duration::from_millis(50));
    let silence = call.await.unwrap_err();
    assert!(
        matches!(silence, crate::channel::call::Silence::NoAnswer(_)),
        "{silence:?}"
    );
    assert!(
        !format!("{silence:?}").contains("must_not_be_seen"),
        "{silence:?}"
    );
}

#[tokio::test]
async fn the_token_is_seen_nowhere() {
    let echo = format!("Cannot POST /bot{TOKEN}/sendMessage");
    let server = Server::start([
        error(404, &echo, Value::Null),
        error(400, &echo, Value::Null),
        error(409, &echo, Value::Null),
        error(409, &echo, Value::Null),
    ])
    .await;
    let telegram = server.telegram();
    let (to, post) = (address("1"), words("a"));
    let mut seen = format!("{telegram:?} {:?}", telegram.source());
    seen += &format!("{:?}", telegram.post(&to, &post).await);
    seen += &format!("{:?}", telegram.post(&to, &post).await);
    seen += &format!("{:?}", telegram.profile().await);
    seen += &format!("{:?}", telegram.prepare().await);
    assert!(!seen.contains("must_not_be_seen"), "{seen}");
    assert!(!seen.contains("s3cret"), "{seen}");
    assert!(seen.contains("/bot***/sendMessage"), "{seen}");
}

#[tokio::test]
async fn what_telegram_could_not_name_does_not_leave() {
    let telegram = telegram("http://127.0.0.1:1/".parse().unwrap());
    let edit = |id: &str| Post {
        edits: Some(MessageId::from(id)),
        ..words("a")
    };
    for outcome in [
        telegram.post(&address("not a chat"), &words("a")).await,
        telegram.post(&address("1"), &edit("update:5")).await,
        telegram.post(&address("1"), &edit("0")).await,
        telegram.post(&address("1"), &edit("99999999999")).await,
        telegram.delete(&room("1"), &MessageId::from("x")).await,
    ] {
        assert!(
            matches!(
                outcome,
                SendOutcome::Refused {
                    room_gone: false,
                    ..
                }
            ),
            "{outcome:?}"
        );
    }
    // A reply to something without an id is still said, as a message of its own.
    let reply = Post {
        reply_to: Some(MessageId::from("update:5")),
        ..words("a")
    };
    let request = post::message(&address("1"), &reply).unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body.get("reply_parameters"), None);
}

#[test]
fn a_webhook_is_taken_only_with_the_secret() {
    let telegram = telegram("http://127.0.0.1:1/".parse().unwrap());
    let body = Bytes::from(update(5, "a").to_string());
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.as_bytes().to_vec())];
    let good = header("x-telegram-bot-api-secret-token", "s3cret_of-the-hook");
    assert_eq!(texts(&telegram.parse_hook(&good, &body).unwrap()), ["a"]);
    for forged in [
        Vec::new(),
        header("X-Telegram-Bot-Api-Secret-Token", ""),
        header("X-Telegram-Bot-Api-Secret-Token", "s3cret_of-the-hooK"),
        header("X-Telegram-Bot-Api-Secret-Token", "s3cret_of-the-hook2"),
        header("Authorization", "s3cret_of-the-hook"),
    ] {
        assert_eq!(telegram.parse_hook(&forged, &body), Err(HookError::Forged));
    }
    for unreadable in ["", "not json", "[]", r#"{"update_id":1"#] {
        let read = telegram.parse_hook(&good, &Bytes::from(unreadable));
        assert!(
            matches!(read, Err(HookError::Unreadable(_))),
            "{unreadable}"
        );
    }
    let strange = telegram.parse_hook(&good, &Bytes::from(r#"{"update_id":1,"message":5}"#));
    assert_eq!(texts(&strange.unwrap()), ["?"]);

    let deaf = Telegram::new(Settings {
        account: AccountName::parse("tg1").unwrap(),
        api_url: "http://127.0.0.1:1/".parse().unwrap(),
        token: Secret::new(TOKEN),
        webhook_secret: None,
        hook_url: None,
        http: reqwest::Client::builder().build().unwrap(),
    });
    assert_eq!(deaf.parse_hook(&good, &body), Err(HookError::NotExpected));
}

#[tokio::test]
async fn a_base_with_a_path_is_kept() {
    for base in ["telegram", "telegram/"] {
        let server = Server::start([ok(json!({"id": 1}))]).await;
        let telegram = telegram(server.url.join(base).unwrap());
        telegram.profile().await.unwrap();
        assert_eq!(server.calls()[0].0, "/telegramgetMe");
    }
}

proptest! {
    #[test]
    fn any_answer_has_a_meaning(status in 100_u16..600, body in any::<Vec<u8>>()) {
        let answered = Answered { status, retry_after: None, body: body.into() };
        post::outcome(&answered, &About::Message(room("1")));
    }

    #[test]
    fn any_hook_body_is_taken_without_panic(body in any::<Vec<u8>>()) {
        let telegram = telegram("http://127.0.0.1:1/".parse().unwrap());
        let secret = ("X-Telegram-Bot-Api-Secret-Token".to_owned(), b"s3cret_of-the-hook".to_vec());
        let _ = telegram.parse_hook(&[secret], &body.into());
    }
}
