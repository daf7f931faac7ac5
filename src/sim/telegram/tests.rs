//! The tricky semantics, through the front door: over HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const SOON: Duration = Duration::from_secs(5);

async fn town(options: Options) -> (Telegram, Person, Chat) {
    let telegram = Telegram::start("127.0.0.1:0".parse().unwrap(), options)
        .await
        .unwrap();
    let lan = telegram.add_person("Nguyễn Thị Lan");
    let group = telegram.add_supergroup("Tổ dân phố 5");
    telegram.join_bot(group);
    (telegram, lan, group)
}

/// One request on its own connection; the error of a connection that ends.
async fn request(address: SocketAddr, path: &str, body: &Value) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    ))
}

async fn call(telegram: &Telegram, method: &str, body: Value) -> Value {
    let path = format!("/bot{}/{method}", telegram.token());
    let (_, body) = request(telegram.address, &path, &body).await.unwrap();
    serde_json::from_str(&body).unwrap()
}

async fn sim(telegram: &Telegram, act: &str, body: Value) -> Value {
    let (_, body) = request(telegram.address, &format!("/sim/{act}"), &body)
        .await
        .unwrap();
    serde_json::from_str(&body).unwrap()
}

async fn poll(telegram: &Telegram, offset: i64, timeout: u32) -> Vec<Value> {
    let answer = call(
        telegram,
        "getUpdates",
        json!({"offset": offset, "timeout": timeout}),
    )
    .await;
    answer["result"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .clone()
}

fn description(answer: &Value) -> &str {
    answer["description"]
        .as_str()
        .unwrap_or_else(|| panic!("no error: {answer}"))
}

#[tokio::test]
async fn a_tagged_message_reaches_the_bot_and_its_receipt_the_group() {
    let (telegram, lan, group) = town(Options::default()).await;
    let id = telegram.say(lan, group, "😀 #trộm_cắp mất xe");
    let updates = poll(&telegram, 0, 0).await;
    assert_eq!(
        updates[0]["my_chat_member"]["new_chat_member"]["status"],
        "member"
    );
    assert_eq!(
        updates[1]["message"]["new_chat_members"][0]["username"],
        "keng_thu_bot"
    );
    let message = &updates[2]["message"];
    assert_eq!(message["message_id"], id);
    assert_eq!(message["from"]["first_name"], "Lan");
    assert_eq!(
        message["chat"],
        json!({"id": group.id, "title": "Tổ dân phố 5", "type": "supergroup"})
    );
    assert_eq!(
        message["entities"],
        json!([{"offset": 3, "length": 9, "type": "hashtag"}])
    );

    let keyboard = json!({"inline_keyboard": [[{"text": "Rút", "callback_data": "rut:12"}]]});
    let answer = call(
        &telegram,
        "SendMessage",
        json!({"chat_id": group.id, "text": "Đã ghi <b>V-12</b>", "parse_mode": "HTML",
               "reply_parameters": {"message_id": id}, "reply_markup": keyboard}),
    )
    .await;
    assert_eq!(answer["result"]["text"], "Đã ghi V-12");
    assert_eq!(answer["result"]["reply_to_message"]["message_id"], id);
    let sent = telegram
        .wait_for(group, |sent| sent.reply_to == Some(id), SOON)
        .await
        .unwrap();
    assert_eq!(sent.button("Rút"), Some("rut:12"));

    assert_eq!(telegram.press(lan, group, sent.message_id, "rut:13"), None);
    let query = telegram
        .press(lan, group, sent.message_id, "rut:12")
        .unwrap();
    let updates = poll(&telegram, -1, 0).await;
    assert_eq!(
        updates[0]["callback_query"]["message"]["message_id"],
        sent.message_id
    );
    let answered = call(
        &telegram,
        "answerCallbackQuery",
        json!({"callback_query_id": query, "text": "Đã rút"}),
    )
    .await;
    assert_eq!(answered["result"], true);
    assert_eq!(telegram.callback_answer(&query).unwrap()["text"], "Đã rút");
    let again = call(
        &telegram,
        "answerCallbackQuery",
        json!({"callback_query_id": query}),
    )
    .await;
    assert_eq!(
        description(&again),
        "Bad Request: query is too old and response timeout expired or query ID is invalid"
    );
    assert!(
        telegram
            .calls()
            .iter()
            .any(|call| call.method == "SendMessage" && call.answer_json()["ok"] == true)
    );
}

#[tokio::test]
async fn a_long_poll_wakes_at_once() {
    let (telegram, lan, group) = town(Options::default()).await;
    let first = poll(&telegram, 0, 0).await;
    let offset = first.last().unwrap()["update_id"].as_i64().unwrap() + 1;
    let waiting = tokio::spawn({
        let telegram = telegram.clone();
        async move { (poll(&telegram, offset, 50).await, Instant::now()) }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(telegram.confirmed_offset(), offset);
    let written = Instant::now();
    telegram.say(lan, group, "#tromcap");
    let (updates, woke) = waiting.await.unwrap();
    assert_eq!(updates.len(), 1);
    assert!(
        woke - written < Duration::from_millis(500),
        "{:?}",
        woke - written
    );
}

#[tokio::test]
async fn a_second_poller_ends_the_first_with_409() {
    let (telegram, lan, group) = town(Options::default()).await;
    let next = telegram.inner.look().queue.next_id();
    let ask = |timeout: u32| {
        let telegram = telegram.clone();
        tokio::spawn(async move {
            call(
                &telegram,
                "getUpdates",
                json!({"offset": next, "timeout": timeout}),
            )
            .await
        })
    };
    let first = ask(50);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = ask(50);
    let ended = first.await.unwrap();
    assert_eq!(ended["error_code"], 409);
    assert_eq!(
        description(&ended),
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    telegram.say(lan, group, "#tromcap");
    assert_eq!(second.await.unwrap()["result"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn allowed_updates_stay_until_given_again() {
    let (telegram, lan, group) = town(Options::default()).await;
    let asked = json!({"offset": -1, "allowed_updates": ["callback_query"]});
    let last = call(&telegram, "getUpdates", asked).await["result"][0]["update_id"]
        .as_i64()
        .unwrap();
    telegram.say(lan, group, "không ai nghe");
    assert_eq!(telegram.stats().pending, 1);
    let asked = json!({"offset": last + 1, "allowed_updates": []});
    call(&telegram, "getUpdates", asked).await;
    telegram.say(lan, group, "có người nghe");
    assert_eq!(
        poll(&telegram, last + 1, 0).await[0]["message"]["text"],
        "có người nghe"
    );
}

#[tokio::test]
async fn wrong_tokens_methods_and_chats_are_refused_in_the_servers_words() {
    let (telegram, lan, group) = town(Options::default()).await;
    let (status, body) = request(telegram.address, "/bot1:x/getMe", &json!({}))
        .await
        .unwrap();
    assert_eq!(
        (status, body.as_str()),
        (
            401,
            r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#
        )
    );
    let answer = call(&telegram, "getTea", json!({})).await;
    assert_eq!(description(&answer), "Not Found: method not found");

    let send = |chat: i64, text: &str| {
        let body = json!({"chat_id": chat, "text": text});
        let telegram = telegram.clone();
        async move { call(&telegram, "sendMessage", body).await }
    };
    assert_eq!(
        description(&send(-100, "a").await),
        "Bad Request: chat not found"
    );
    assert_eq!(
        description(&send(lan.id, "a").await),
        "Forbidden: bot can't initiate conversation with a user"
    );
    assert_eq!(
        description(&send(group.id, "").await),
        "Bad Request: message text is empty"
    );
    assert_eq!(
        description(&send(group.id, &"ằ".repeat(4097)).await),
        "Bad Request: message is too long"
    );
    assert_eq!(send(group.id, &"😀".repeat(2048)).await["ok"], true);
    assert_eq!(
        description(&send(group.id, &"😀".repeat(2049)).await),
        "Bad Request: message is too long"
    );
    telegram.start_private(lan);
    assert_eq!(send(lan.id, "a").await["ok"], true);
    telegram.kick_bot(Chat { id: lan.id });
    assert_eq!(
        description(&send(lan.id, "a").await),
        "Forbidden: bot was blocked by the user"
    );
    telegram.kick_bot(group);
    let kicked = send(group.id, "a").await;
    assert_eq!(
        (kicked["error_code"].as_u64(), description(&kicked)),
        (
            Some(403),
            "Forbidden: bot was kicked from the supergroup chat"
        )
    );
}

#[tokio::test]
async fn an_upgraded_group_names_its_new_id() {
    let (telegram, lan, _) = town(Options::default()).await;
    let old = telegram.add_group("Thôn Đông");
    telegram.join_bot(old);
    telegram.say(lan, old, "chào");
    let new = telegram.migrate(old).unwrap();
    let answer = call(
        &telegram,
        "sendMessage",
        json!({"chat_id": old.id, "text": "a"}),
    )
    .await;
    assert_eq!(answer["parameters"], json!({"migrate_to_chat_id": new.id}));
    assert_eq!(
        description(&answer),
        "Bad Request: group chat was upgraded to a supergroup chat"
    );
    let updates = poll(&telegram, -2, 0).await;
    assert_eq!(updates[0]["message"]["migrate_to_chat_id"], new.id);
    assert_eq!(updates[1]["message"]["migrate_from_chat_id"], old.id);
    assert_eq!(updates[1]["message"]["message_id"], 1);
    assert_eq!(
        call(
            &telegram,
            "sendMessage",
            json!({"chat_id": new.id, "text": "a"})
        )
        .await["ok"],
        true
    );
    assert_eq!(telegram.migrate(old), None);
}

#[tokio::test]
async fn topics_and_replies_across_them_have_telegrams_shape() {
    let (telegram, lan, _) = town(Options::default()).await;
    let forum = telegram.add_forum("Khu phố 2");
    telegram.join_bot(forum);
    let (market, school) = (
        telegram.add_topic(forum, lan, "Chợ"),
        telegram.add_topic(forum, lan, "Trường"),
    );
    let first = telegram.say_in_topic(lan, forum, market, "#tromcap");
    telegram
        .inner
        .change(|world| say(world, lan.id, forum.id, "xem bên kia", first, school));
    let updates = poll(&telegram, -2, 0).await;
    assert_eq!(updates[0]["message"]["is_topic_message"], true);
    assert_eq!(updates[0]["message"]["message_thread_id"], market);
    assert_eq!(updates[1]["message"]["external_reply"]["message_id"], first);
    assert!(updates[1]["message"].get("reply_to_message").is_none());
    let lost = call(
        &telegram,
        "sendMessage",
        json!({"chat_id": forum.id, "text": "a", "message_thread_id": 99}),
    )
    .await;
    assert_eq!(description(&lost), "Bad Request: message thread not found");
    telegram.close_topic(forum, school);
    let closed = call(
        &telegram,
        "sendMessage",
        json!({"chat_id": forum.id, "text": "a", "message_thread_id": school}),
    )
    .await;
    assert_eq!(description(&closed), "Bad Request: TOPIC_CLOSED");
}

#[tokio::test]
async fn with_privacy_mode_the_bot_hears_only_what_is_meant_for_it() {
    let (telegram, lan, group) = town(Options {
        privacy_mode: true,
        ..Options::default()
    })
    .await;
    let before = telegram.stats().pending;
    telegram.say(lan, group, "#tromcap mất xe");
    telegram.say(lan, group, "/bao mất xe");
    assert_eq!(telegram.stats().pending, before);
    telegram.say(lan, group, "/bao@Keng_Thu_Bot mất xe");
    telegram.say(lan, group, "gọi @keng_thu_bot với");
    assert_eq!(telegram.stats().pending, before + 2);
    let sent = call(
        &telegram,
        "sendMessage",
        json!({"chat_id": group.id, "text": "Ở đâu?"}),
    )
    .await;
    telegram.reply(
        lan,
        group,
        sent["result"]["message_id"].as_i64().unwrap(),
        "cổng chợ",
    );
    telegram.say(lan, group, "/bao mất xe");
    assert_eq!(telegram.stats().pending, before + 4);
    telegram.promote_bot(group);
    telegram.say(lan, group, "chuyện thường");
    assert_eq!(telegram.stats().pending, before + 6);
}

#[tokio::test]
async fn edits_pins_and_deletions_follow_the_rules() {
    let (telegram, lan, group) = town(Options::default()).await;
    let theirs = telegram.say(lan, group, "chào");
    let sent = call(
        &telegram,
        "sendMessage",
        json!({"chat_id": group.id, "text": "một"}),
    )
    .await;
    let id = sent["result"]["message_id"].as_i64().unwrap();
    let body = json!({"chat_id": group.id, "message_id": id, "text": "hai"});
    assert_eq!(
        call(&telegram, "editMessageText", body.clone()).await["result"]["text"],
        "hai"
    );
    assert!(
        description(&call(&telegram, "editMessageText", body).await)
            .starts_with("Bad Request: message is not modified: ")
    );
    let body = json!({"chat_id": group.id, "message_id": theirs, "text": "hai"});
    assert_eq!(
        description(&call(&telegram, "editMessageText", body).await),
        "Bad Request: message can't be edited"
    );
    let one = json!({"chat_id": group.id, "message_id": id});
    let refused = call(&telegram, "pinChatMessage", one.clone()).await;
    assert_eq!(
        description(&refused),
        "Bad Request: not enough rights to manage pinned messages in the chat"
    );
    telegram.promote_bot(group);
    assert_eq!(
        call(&telegram, "pinChatMessage", one.clone()).await["result"],
        true
    );
    assert_eq!(
        poll(&telegram, -1, 0).await[0]["message"]["pinned_message"]["message_id"],
        id
    );
    assert_eq!(
        call(&telegram, "deleteMessage", one.clone()).await["result"],
        true
    );
    assert_eq!(
        description(&call(&telegram, "deleteMessage", one).await),
        "Bad Request: message to delete not found"
    );
    let sent = telegram.sent(group);
    assert_eq!((sent.len(), sent[0].edits, sent[0].deleted), (1, 1, true));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_message_posted() {
    let (telegram, _, group) = town(Options::default()).await;
    let path = format!("/bot{}/sendMessage", telegram.token());
    let body = json!({"chat_id": group.id, "text": "cảnh báo"});
    telegram.fault(Rule::once("send*", Fault::CloseAfter));
    assert!(request(telegram.address, &path, &body).await.is_err());
    assert_eq!(telegram.sent(group).len(), 1);
    telegram.fault(Rule::once("sendMessage", Fault::CloseBefore).for_chat(group));
    assert!(request(telegram.address, &path, &body).await.is_err());
    assert_eq!(telegram.sent(group).len(), 1);
    telegram.fault(Rule::once("*", Fault::BadGatewayAfter));
    let (status, page) = request(telegram.address, &path, &body).await.unwrap();
    assert!(status == 502 && page.starts_with("<html>"));
    assert_eq!(telegram.sent(group).len(), 2);
    telegram.fault(Rule::once("sendMessage", Fault::TooMany { retry_after: 7 }));
    let refused = call(&telegram, "sendMessage", body.clone()).await;
    assert_eq!(refused["parameters"]["retry_after"], 7);
    call(&telegram, "sendMessage", body).await;
    let stats = telegram.stats();
    assert_eq!(
        (
            stats.sends,
            stats.posted,
            stats.answered_429,
            stats.impatient,
            stats.faults
        ),
        (5, 3, 1, 1, 4)
    );
}

#[tokio::test]
async fn limits_are_enforced_as_the_real_server_does() {
    let (telegram, _, group) = town(Options {
        limits: Some(Limits {
            per_second: 30,
            group_per_minute: 3,
        }),
        ..Options::default()
    })
    .await;
    for _ in 0..3 {
        assert_eq!(
            call(
                &telegram,
                "sendMessage",
                json!({"chat_id": group.id, "text": "a"})
            )
            .await["ok"],
            true
        );
    }
    let refused = call(
        &telegram,
        "sendMessage",
        json!({"chat_id": group.id, "text": "a"}),
    )
    .await;
    let wait = refused["parameters"]["retry_after"].as_u64().unwrap();
    assert!((58..=60).contains(&wait), "{wait}");
    assert_eq!(
        description(&refused),
        format!("Too Many Requests: retry after {wait}")
    );
    assert_eq!(telegram.stats().max_in_any_second, 4);
}

#[tokio::test]
async fn hostile_updates_and_answers_come_as_they_are() {
    let (telegram, lan, group) = town(Options::default()).await;
    let last = poll(&telegram, -1, 0).await[0]["update_id"]
        .as_i64()
        .unwrap();
    telegram.inject_raw(json!({"update_id": "mười", "message": 5}));
    telegram.inject_raw(json!({"tea": true}));
    telegram.say(lan, group, "#tromcap");
    telegram.repeat_updates(1);
    let updates = poll(&telegram, last + 1, 0).await;
    assert_eq!(updates.len(), 4);
    assert_eq!(updates[0]["update_id"], "mười");
    assert_eq!(updates[1]["tea"], true);
    assert_eq!(updates[2], updates[3]);
    let last = updates[2]["update_id"].as_i64().unwrap();
    assert_eq!(poll(&telegram, last + 1, 0).await, [] as [Value; 0]);
    telegram.inject_raw_bytes(&b"{\"ok\":true,\"result\":[{"[..]);
    let path = format!("/bot{}/getUpdates", telegram.token());
    let (status, body) = request(telegram.address, &path, &json!({"offset": last + 1}))
        .await
        .unwrap();
    assert_eq!((status, body.as_str()), (200, "{\"ok\":true,\"result\":[{"));
}

/// A bot's web server: answers with the next status of the list, 200 after.
async fn hook(statuses: Vec<u16>) -> (String, Arc<Mutex<Vec<(String, Value)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/tg1", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let statuses = Arc::new(Mutex::new(statuses.into_iter()));
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (kept, statuses) = (kept.clone(), statuses.clone());
            tokio::spawn(async move {
                let mut read = Vec::new();
                while stream.read_buf(&mut read).await.is_ok_and(|n| n > 0) {
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    let Ok(update) = serde_json::from_str(body) else {
                        continue;
                    };
                    kept.lock().unwrap().push((head.to_owned(), update));
                    let status = statuses.lock().unwrap().next().unwrap_or(200);
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    read.clear();
                }
            });
        }
    });
    (url, heard)
}

#[tokio::test]
async fn a_confirmation_wakes_whoever_waits_for_it_while_the_poll_that_brought_it_still_waits() {
    let (telegram, ..) = town(Options::default()).await;
    let updates = poll(&telegram, 0, 0).await;
    let next = updates.last().unwrap()["update_id"].as_i64().unwrap() + 1;
    let bot = telegram.clone();
    // Nothing comes after the confirmation: the poll lasts for its 50 seconds.
    let long = tokio::spawn(async move { poll(&bot, next, 50).await });
    let asked = Instant::now();
    assert!(telegram.wait_confirmed(2 * SOON).await);
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert!(!long.is_finished());
    long.abort();
}

#[tokio::test]
async fn a_webhook_is_retried_and_keeps_the_order_of_a_chat() {
    let options = Options {
        webhook_pause: Duration::from_millis(20),
        ..Options::default()
    };
    let (telegram, lan, group) = town(options).await;
    call(&telegram, "getUpdates", json!({"offset": -1})).await;
    let (url, heard) = hook(vec![500, 502, 503]).await;
    let set = call(
        &telegram,
        "setWebhook",
        json!({"url": url, "secret_token": "bi-mat_1", "drop_pending_updates": true}),
    )
    .await;
    assert_eq!(description(&set), "Webhook was set");
    for i in 0..5 {
        telegram.say(lan, group, &format!("tin {i}"));
    }
    assert!(telegram.wait_confirmed(SOON).await);
    let heard = heard.lock().unwrap().clone();
    let texts: Vec<&str> = heard
        .iter()
        .map(|(_, update)| update["message"]["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "tin 0", "tin 0", "tin 0", "tin 0", "tin 1", "tin 2", "tin 3", "tin 4"
        ]
    );
    assert!(
        heard[0]
            .0
            .contains("X-Telegram-Bot-Api-Secret-Token: bi-mat_1")
    );
    let info = call(&telegram, "getWebhookInfo", json!({})).await;
    assert_eq!(
        info["result"]["last_error_message"],
        "Wrong response from the webhook: 503"
    );
    let conflict = call(&telegram, "getUpdates", json!({})).await;
    assert_eq!(conflict["error_code"], 409);
    assert_eq!(
        description(&call(&telegram, "deleteWebhook", json!({})).await),
        "Webhook was deleted"
    );
    telegram.say(lan, group, "tin 5");
    assert_eq!(poll(&telegram, 0, 0).await[0]["message"]["text"], "tin 5");
}

#[tokio::test]
async fn preloaded_updates_are_whole_and_can_be_answered_when_only_counts_are_kept() {
    let (telegram, lan, group) = town(Options {
        keep: Keep::Counts,
        ..Options::default()
    })
    .await;
    poll(&telegram, -1, 0).await;
    let first = telegram.preload(1_200, |i| Line {
        chat: group,
        person: lan,
        text: format!("#tromcap {i}"),
    });
    let mut offset = first;
    let mut seen = Vec::new();
    loop {
        let updates = poll(&telegram, offset, 0).await;
        let Some(last) = updates.last() else { break };
        offset = last["update_id"].as_i64().unwrap() + 1;
        seen.extend(
            updates
                .iter()
                .map(|update| update["message"]["text"].as_str().unwrap().to_owned()),
        );
        let to = last["message"]["message_id"].as_i64().unwrap();
        let body =
            json!({"chat_id": group.id, "text": "Đã ghi", "reply_parameters": {"message_id": to}});
        assert_eq!(call(&telegram, "sendMessage", body).await["ok"], true);
    }
    assert_eq!(seen.len(), 1_200);
    assert_eq!(seen[1_199], "#tromcap 1199");
    assert_eq!(telegram.sent_counts()[&group.id], 12);
}

#[tokio::test]
async fn the_control_api_can_run_a_whole_town() {
    let telegram = Telegram::start("127.0.0.1:0".parse().unwrap(), Options::default())
        .await
        .unwrap();
    let lan = sim(
        &telegram,
        "person",
        json!({"name": "Lê Thị Lan", "id": 1001}),
    )
    .await;
    assert_eq!(lan["id"], 1001);
    let chat = sim(
        &telegram,
        "chat",
        json!({"title": "Thôn Đoài", "kind": "forum", "topics": ["Chợ"], "bot": "admin"}),
    )
    .await;
    let said = sim(&telegram, "say", json!({"person": 1001, "chat": chat["id"], "thread": chat["topics"][0], "text": "#tromcap"})).await;
    assert!(said["message_id"].as_i64().unwrap() > 0);
    let answer = call(&telegram, "sendMessage", json!({"chat_id": chat["id"], "text": "Đã ghi", "reply_parameters": {"message_id": said["message_id"]}})).await;
    assert_eq!(answer["result"]["message_thread_id"], chat["topics"][0]);
    let sent = sim(&telegram, "sent", json!({"chat": chat["id"]})).await;
    assert_eq!(sent[0]["text"], "Đã ghi");
    sim(&telegram, "faults", json!({"rules": [{"method": "sendMessage", "fault": "too_many", "retry_after": 3, "times": 1}]})).await;
    let refused = call(
        &telegram,
        "sendMessage",
        json!({"chat_id": chat["id"], "text": "b"}),
    )
    .await;
    assert_eq!(refused["error_code"], 429);
    sim(
        &telegram,
        "preload",
        json!({"updates": 100, "tagged_percent": 10, "chats": 5}),
    )
    .await;
    let stats = sim(&telegram, "stats", json!({})).await;
    assert!(stats["pending"].as_u64().unwrap() >= 100);
    assert_eq!(
        (stats["posted"].as_u64(), stats["answered_429"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(
        sim(&telegram, "tea", json!({})).await["error"],
        "there is no call `tea`"
    );
}

#[tokio::test]
async fn people_are_watched_writing_and_an_album_is_one_group_of_photos() {
    let (telegram, lan, group) = town(Options::default()).await;
    let (see, seen) = std::sync::mpsc::channel();
    telegram.watch(Watcher::new(move |scene| see.send(scene).unwrap()));
    let album = telegram.album(lan, group, "#tainan ngã tư", 3);
    let scene = seen.try_recv().unwrap();
    assert_eq!(
        (scene.who.as_deref(), scene.text.as_str()),
        (Some("Nguyễn Thị Lan"), "#tainan ngã tư")
    );
    let updates = poll(&telegram, -3, 0).await;
    assert_eq!(
        updates[0]["message"]["caption_entities"][0]["type"],
        "hashtag"
    );
    assert_eq!(
        updates[0]["message"]["media_group_id"],
        updates[2]["message"]["media_group_id"]
    );
    assert_eq!(updates[2]["message"]["message_id"], album[2]);
    telegram.edit(lan, group, album[0], "#tainan ngã ba");
    assert_eq!(
        poll(&telegram, -1, 0).await[0]["edited_message"]["caption"],
        "#tainan ngã ba"
    );
}
