//! The town by itself, asked in plain HTTP.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

async fn town(switches: Switches) -> ZaloBot {
    let options = Options {
        switches,
        ..Options::default()
    };
    ZaloBot::start(([127, 0, 0, 1], 0).into(), options)
        .await
        .unwrap()
}

/// One exchange: the status and the body.
async fn http(town: &ZaloBot, verb: &str, path: &str, kind: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(town.address).await.unwrap();
    let kind = if kind.is_empty() {
        String::new()
    } else {
        format!("content-type: {kind}\r\n")
    };
    let head = format!(
        "{verb} {path} HTTP/1.1\r\nhost: x\r\n{kind}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A connection that is cut has said what it had to say.
    let _ = stream.read_to_string(&mut answer).await;
    let status = answer.split(' ').nth(1).map_or(0, |s| s.parse().unwrap());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

async fn call(town: &ZaloBot, method: &str, body: Value) -> (u16, Value) {
    let path = format!("/bot{}/{method}", town.token());
    let body = body.to_string();
    let (status, body) = http(town, "POST", &path, "application/json", &body).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test]
async fn a_call_may_be_written_in_many_ways() {
    let town = town(Switches::default()).await;
    let path = |method: &str| format!("/bot{}/{method}", town.token());
    let lan = town.add_person("Lan");
    for (verb, kind, body) in [
        ("GET", "", ""),
        ("POST", "", ""),
        ("POST", "application/json", ""),
        ("POST", "application/json", "{}"),
        ("POST", "application/x-www-form-urlencoded", ""),
    ] {
        let (status, body) = http(&town, verb, &path("getMe"), kind, body).await;
        let me: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &me["ok"]), (200, &json!(true)), "{verb} {kind}");
        assert_eq!(me["result"]["display_name"], "Bot Kẻng");
        assert!(me.get("error_code").is_none());
    }
    let form = format!("chat_id={}&text=ch%C3%A0o", lan.id);
    let kind = "application/x-www-form-urlencoded";
    let (status, _) = http(&town, "POST", &path("sendMessage"), kind, &form).await;
    assert_eq!(status, 200);
    let query = format!("{}?{form}", path("sendMessage"));
    let (status, _) = http(&town, "GET", &query, "", "").await;
    assert_eq!(status, 200);
    let parts = format!(
        "--x\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n{}\r\n--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nchào\r\n--x--\r\n",
        lan.id
    );
    let kind = "multipart/form-data; boundary=x";
    let (status, _) = http(&town, "POST", &path("sendMessage"), kind, &parts).await;
    assert_eq!(status, 200);
    let texts: Vec<_> = town.all_sent().into_iter().map(|sent| sent.text).collect();
    assert_eq!(texts, ["chào"; 3]);
    let (status, _) = http(&town, "POST", "/bot1:wrong/getMe", "", "").await;
    assert_eq!(status, 401);
    assert_eq!(call(&town, "getme", json!({})).await.0, 404);
    town.switch(|switches| {
        switches.unknown_is_400 = true;
        switches.zero = true;
        switches.tells_name = false;
    });
    assert_eq!(call(&town, "editMessage", json!({})).await.0, 400);
    let (_, me) = call(&town, "getMe", json!({})).await;
    assert_eq!(me["error_code"], 0);
    assert!(me["result"].get("display_name").is_none());
}

#[tokio::test]
async fn a_group_hands_over_mentions_and_answers_only() {
    let town = town(Switches::default()).await;
    let lan = town.add_person("Lan");
    let group = town.add_group("Xóm Đình");
    town.mention(&lan, &group, "chưa có bot");
    assert!(town.join_bot(&group));
    town.say(&lan, &group, "ăn cơm chưa");
    town.say(&lan, &group, "@Bot Kẻng gõ tay");
    let (_, sent) = call(
        &town,
        "sendMessage",
        json!({"chat_id": &*group.id, "text": "chào"}),
    )
    .await;
    let ours = sent["result"]["message_id"].as_str().unwrap();
    let one = town.mention(&lan, &group, "một");
    let two = town.reply(&lan, &group, ours, "hai");
    town.reply(&lan, &group, &one, "ba");
    let mut told = Vec::new();
    while town.stats().pending > 0 {
        let (_, update) = call(&town, "getUpdates", json!({"timeout": "0"})).await;
        if update["ok"] == false {
            break;
        }
        let message = &update["result"]["message"];
        assert_eq!(message["chat"]["chat_type"], "GROUP");
        assert!(message.get("reply_to").is_none());
        told.push((
            message["message_id"].as_str().unwrap().to_owned(),
            message["text"].as_str().unwrap().to_owned(),
        ));
    }
    let wanted = [(one, "@Bot Kẻng một"), (two, "hai")];
    assert_eq!(told, wanted.map(|(id, text)| (id, text.to_owned())));
    for _ in 0..2 {
        let more = town.add_group("thêm");
        assert!(town.join_bot(&more));
    }
    let fourth = town.add_group("nhóm thứ tư");
    assert!(!town.join_bot(&fourth), "three groups and no more");
    town.kick_bot(&group);
    let said = json!({"chat_id": &*group.id, "text": "còn ai không"});
    assert_eq!(call(&town, "sendMessage", said).await.0, 403);
}

#[tokio::test]
async fn an_idle_poll_and_told_updates_follow_the_switches() {
    let town = town(Switches {
        longest_hold: Duration::from_millis(20),
        ..Switches::default()
    })
    .await;
    let lan = town.add_person("Lan");
    let home = town.private(&lan);
    let poll = async || call(&town, "getUpdates", json!({"timeout": 30})).await;
    let idle = json!({"ok": false, "description": "Request timeout", "error_code": 408});
    assert_eq!(poll().await, (408, idle.clone()));
    town.switch(|switches| switches.idle = Idle::Body);
    assert_eq!(poll().await, (200, idle));
    town.switch(|switches| switches.delivery = Delivery::Again(1));
    town.say(&lan, &home, "một");
    town.say(&lan, &home, "hai");
    let mut told = Vec::new();
    for _ in 0..4 {
        let (_, update) = poll().await;
        told.push(update["result"]["message"]["text"].clone());
    }
    assert_eq!(told, ["một", "hai", "một", "hai"]);
    assert_eq!(poll().await.1["error_code"], 408);
    town.switch(|switches| {
        switches.delivery = Delivery::WhileAsked(Duration::ZERO);
        switches.lists = true;
    });
    town.say(&lan, &home, "không ai nghe");
    assert_eq!(poll().await.1["error_code"], 408);
    assert_eq!(town.stats().lost, 1);
    town.switch(|switches| {
        switches.delivery = Delivery::Once;
        switches.numbers = true;
        switches.seconds = true;
    });
    town.photo(&lan, &home, "ảnh", false);
    let (_, list) = poll().await;
    let message = &list["result"][0]["message"];
    assert!(message["message_id"].as_u64().unwrap() > 1 << 53);
    assert!(message["date"].as_u64().unwrap() < 100_000_000_000);
    assert!(message["photo_url"].as_str().unwrap().contains(".zdn.vn/"));
}

#[tokio::test]
async fn the_month_ends_the_sending() {
    let town = town(Switches {
        quota: Some(Quota {
            monthly: 3,
            both_ways: true,
        }),
        ..Switches::default()
    })
    .await;
    let lan = town.add_person("Lan");
    let home = town.private(&lan);
    town.say(&lan, &home, "một");
    let send = async || {
        let body = json!({"chat_id": &*home.id, "text": "hai"});
        call(&town, "sendMessage", body).await.0
    };
    assert_eq!([send().await, send().await, send().await], [200, 200, 429]);
    assert_eq!((town.stats().used, town.stats().over), (3, 1));
    town.advance(Duration::from_secs(32 * 86_400));
    assert_eq!((town.stats().used, send().await), (0, 200));
}

#[tokio::test]
async fn a_webhook_is_checked_probed_and_told_until_it_answers() {
    let town = town(Switches {
        strict_hooks: true,
        verifies: true,
        ..Switches::default()
    })
    .await;
    let set = async |url: &str, secret: &str| {
        let body = json!({"url": url, "secret_token": secret});
        call(&town, "setWebhook", body).await
    };
    assert_eq!(call(&town, "getWebhookInfo", json!({})).await.0, 404);
    for (url, secret) in [
        ("http://keng.example.vn/hooks/zb1", "du-tam-ky-tu"),
        ("https://localhost/hooks/zb1", "du-tam-ky-tu"),
        ("https://192.168.1.7/hooks/zb1", "du-tam-ky-tu"),
        ("https://keng.example.vn/hooks/zb1", "ngan"),
    ] {
        assert_eq!(set(url, secret).await.0, 400, "{url} {secret}");
    }
    let (status, answer) = set("https://keng.example.vn/hooks/zb1", "du-tam-ky-tu").await;
    assert_eq!(status, 200);
    assert_eq!(answer["result"]["verification"]["outcome"], "webhook.ok");
    assert_eq!(call(&town, "getUpdates", json!({})).await.0, 400);
    let (_, info) = call(&town, "getWebhookInfo", json!({})).await;
    assert_eq!(info["result"]["url"], "https://keng.example.vn/hooks/zb1");
    assert_eq!(call(&town, "testWebhook", json!({})).await.0, 200);
    let (_, gone) = call(&town, "deleteWebhook", json!({})).await;
    assert_eq!(gone["result"]["url"], "");

    // On loopback it is really called.
    town.switch(|switches| switches.strict_hooks = false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/zb1", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        for status in [200, 503, 200] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut raw = vec![0; 4096];
            let read = stream.read(&mut raw).await.unwrap();
            let text = String::from_utf8_lossy(&raw[..read]).into_owned();
            assert!(text.contains("x-bot-api-secret-token: du-tam-ky-tu\r\n"));
            heard.push(text.contains("webhook.test"));
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        heard
    });
    let lan = town.add_person("Lan");
    town.say(&lan, &town.private(&lan), "một");
    assert_eq!(set(&url, "du-tam-ky-tu").await.0, 200);
    let heard = tokio::time::timeout(PATIENCE, heard).await.unwrap();
    assert_eq!(heard.unwrap(), [true, false, false]);
    assert!(town.wait_taken(PATIENCE).await);
}

#[tokio::test]
async fn faults_meet_the_calls_they_are_for() {
    let town = town(Switches::default()).await;
    let lan = town.add_person("Lan");
    let send = async || {
        let body = json!({"chat_id": &*lan.id, "text": "chào"});
        call(&town, "sendMessage", body).await.0
    };
    town.fault(Rule::once(
        "send*",
        Fault::Refuse(400, "not this".to_owned()),
    ));
    town.fault(Rule::once("sendMessage", Fault::Html(502)));
    town.fault(Rule::once("sendMessage", Fault::HtmlAfter(504)));
    town.fault(Rule::once("sendMessage", Fault::CloseAfter));
    let met = [send().await, send().await, send().await, send().await];
    assert_eq!(met, [400, 502, 504, 0]);
    assert_eq!(
        town.all_sent().len(),
        2,
        "two were carried out all the same"
    );
    assert_eq!(send().await, 200);
    assert_eq!(town.calls().len(), 5);
}

#[tokio::test]
async fn the_control_api_does_what_the_handle_does() {
    let town = town(Switches::default()).await;
    let sim = async |act: &str, body: Value| {
        let path = format!("/sim/{act}");
        let (status, body) = http(&town, "POST", &path, "", &body.to_string()).await;
        assert_eq!(status, 200, "{act}: {body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let lan = sim("person", json!({"name": "Lan"})).await["id"].clone();
    let group = sim("group", json!({"title": "Xóm", "bot": true})).await["id"].clone();
    sim(
        "switches",
        json!({"mention_kept": false, "idle": "body", "quota": {"monthly": 9}}),
    )
    .await;
    let said = json!({"person": lan, "chat": group, "text": "một {bot} hai"});
    sim("mention", said).await;
    let (_, update) = call(&town, "getUpdates", json!({"timeout": 1})).await;
    assert_eq!(update["result"]["message"]["text"], "một  hai");
    let rules =
        json!({"rules": [{"method": "sendMessage", "times": 1, "fault": "refuse", "code": 429}]});
    sim("faults", rules).await;
    let body = json!({"chat_id": group, "text": "chào"});
    assert_eq!(call(&town, "sendMessage", body.clone()).await.0, 429);
    assert_eq!(call(&town, "sendMessage", body).await.0, 200);
    let (_, sent) = http(&town, "GET", "/sim/sent?after=0", "", "").await;
    assert!(sent.contains("chào"), "{sent}");
    assert_eq!(sim("stats", json!({})).await["used"], 1);
    let (status, _) = http(&town, "POST", "/sim/dance", "", "{}").await;
    assert_eq!(status, 400);
}
