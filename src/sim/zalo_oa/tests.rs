//! The simulator by itself: what it promises in its header, and its bodies against the documented shapes.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

use super::*;

const SOON: Duration = Duration::from_secs(10);

/// A bot's side: calls with a token, and a webhook whose calls can be looked at.
struct Bot {
    zalo: ZaloOa,
    http: reqwest::Client,
    access: String,
    refresh: String,
    hooks: mpsc::UnboundedReceiver<(HeaderMap, Vec<u8>)>,
}

type Told = mpsc::UnboundedSender<(HeaderMap, Vec<u8>)>;

async fn take(
    State((told, answer)): State<(Told, u16)>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> (StatusCode, Body) {
    let _ = told.send((headers, body.to_vec()));
    (StatusCode::from_u16(answer).unwrap(), Body::empty())
}

/// A webhook that answers with this status.
async fn hook(answer: u16) -> (String, mpsc::UnboundedReceiver<(HeaderMap, Vec<u8>)>) {
    let (told, hooks) = mpsc::unbounded_channel();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let routes = axum::Router::new()
        .fallback(take)
        .with_state((told, answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, hooks)
}

impl Bot {
    async fn new(options: Options) -> Self {
        let zalo = ZaloOa::start(([127, 0, 0, 1], 0).into(), options)
            .await
            .unwrap();
        let pair: Value = serde_json::from_str(&zalo.new_pair()).unwrap();
        let (url, hooks) = hook(200).await;
        zalo.set_webhook(&url);
        let word = |key: &str| pair[key].as_str().unwrap().to_owned();
        Self {
            access: word("access_token"),
            refresh: word("refresh_token"),
            http: crate::app::http_client().unwrap(),
            zalo,
            hooks,
        }
    }

    async fn told(&mut self) -> (HeaderMap, Vec<u8>) {
        tokio::time::timeout(SOON, self.hooks.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn event(&mut self) -> Value {
        serde_json::from_slice(&self.told().await.1).unwrap()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request
            .header("access_token", &self.access)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/json")
        );
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.send(self.http.get(format!("{}{path}", self.zalo.url())))
            .await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.zalo.url());
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    async fn say(&self, group: &Chat, text: &str) -> Value {
        let body = json!({"recipient": {"group_id": &*group.id}, "message": {"text": text}});
        self.post("/v3.0/oa/group/message", body).await
    }

    async fn renew(&self, refresh: &str) -> Value {
        let form = format!(
            "refresh_token={refresh}&app_id={}&grant_type=refresh_token",
            self.zalo.options().app_id
        );
        let answer = self
            .http
            .post(format!("{}/v4/oa/access_token", self.zalo.url()))
            .header("secret_key", &self.zalo.options().app_secret)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn tokens_rotate_and_a_spent_one_is_refused() {
    let mut bot = Bot::new(Options::default()).await;
    let lan = bot.zalo.add_person("Nguyễn Thị Lan");
    let group = bot.zalo.add_group("Tổ 5", &[&lan]);
    assert_eq!(bot.say(&group, "xin chào").await["error"], 0);
    bot.zalo.advance(Duration::from_secs(90_001));
    let ended = bot.say(&group, "xin chào").await;
    assert_eq!(
        ended,
        json!({"error": -216, "message": "Access token has expired"})
    );
    bot.zalo
        .switch(|switches| switches.expiry = Expiry::Removed);
    assert_eq!(bot.say(&group, "xin chào").await["error"], -220);
    let pair = bot.renew(&bot.refresh.clone()).await;
    assert_eq!(pair["expires_in"], "90000");
    let again = bot.renew(&bot.refresh.clone()).await;
    assert!(again.get("access_token").is_none() && again["error"].as_i64().unwrap() < 0);
    bot.access = pair["access_token"].as_str().unwrap().to_owned();
    assert_eq!(bot.say(&group, "xin chào").await["error"], 0);
    assert_eq!(
        (bot.zalo.stats().rotations, bot.zalo.stats().reused),
        (1, 1)
    );
    // The OA's token is no bearer token.
    let bearer = bot
        .http
        .get(format!("{}/v2.0/oa/getoa", bot.zalo.url()))
        .header("authorization", format!("Bearer {}", bot.access))
        .send()
        .await
        .unwrap();
    assert!(bearer.text().await.unwrap().contains("-216"));
}

#[tokio::test]
async fn a_webhook_is_signed_over_its_bytes_and_climbs_the_ladder() {
    let mut bot = Bot::new(Options::default()).await;
    let lan = bot.zalo.add_person("Nguyễn Thị Lan");
    let group = bot.zalo.add_group("Tổ 5", &[&lan]);
    assert_eq!(bot.event().await["event_name"], "create_group");
    let (failing, mut hooks) = hook(500).await;
    bot.zalo.set_webhook(&failing);
    let id = bot.zalo.say(&lan, &group, "có ai ở nhà không");
    for (rung, minutes) in [0, 1, 5, 15, 30, 60].into_iter().enumerate() {
        bot.zalo.advance(Duration::from_secs(60 * minutes));
        let (headers, body) = tokio::time::timeout(SOON, hooks.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(headers["num_retry"], rung.to_string());
        let event: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(event["message"]["msg_id"], id);
        let timestamp = event["timestamp"].as_str().unwrap();
        let signed = bot.zalo.signature(&body, timestamp);
        assert_eq!(headers["x-zevent-signature"], signed);
    }
    assert!(
        bot.zalo
            .wait(SOON, || (bot.zalo.stats().lost == 1).then_some(()))
            .await
            .is_some()
    );
    assert_eq!(bot.zalo.stats().failed, 6);
}

#[tokio::test]
async fn groups_have_their_states_and_everybody_is_called_by_brackets() {
    let bot = Bot::new(Options::default()).await;
    let lan = bot.zalo.add_person("Nguyễn Thị Lan");
    let group = bot.zalo.add_group("Tổ 5", &[&lan]);
    bot.say(
        &group,
        &format!("chào [@{}] và [@{}] [@ai]", lan.id, group.id),
    )
    .await;
    let sent = bot.zalo.sent(&group).remove(0);
    assert_eq!(sent.text, "chào @Nguyễn Thị Lan và @All [@ai]");
    assert_eq!(sent.called, [lan.id.to_string(), group.id.to_string()]);
    bot.zalo.disable(&group);
    assert_eq!(bot.say(&group, "a").await["error"], -237);
    bot.zalo.put_out(&group);
    assert_eq!(bot.say(&group, "a").await["error"], -403);
    bot.zalo.delete(&group);
    assert_eq!(bot.say(&group, "a").await["error"], -201);
    bot.zalo.enable(&group);
    assert_eq!(bot.say(&group, &"á".repeat(2000)).await["error"], 0);
    assert_eq!(bot.say(&group, &"á".repeat(2001)).await["error"], -210);
    assert_eq!(bot.say(&group, "").await["error"], -201);
    let never_wrote = json!({"recipient": {"user_id": &*lan.id}, "message": {"text": "a"}});
    assert_eq!(
        bot.post("/v3.0/oa/message/cs", never_wrote).await["error"],
        -230
    );
    bot.zalo.switch(|switches| switches.per_minute = 1);
    assert_eq!(bot.say(&group, "a").await["error"], -32);
}

/// The same keys and kinds of values, down to the leaves; of a list each element like the first.
fn like(shape: &Value, body: &Value, at: &str, faults: &mut Vec<String>) {
    match (shape, body) {
        (Value::Object(shape), Value::Object(body)) => {
            let known: BTreeSet<&str> = shape.keys().map(|key| key.trim_end_matches('?')).collect();
            for key in body.keys().filter(|key| !known.contains(key.as_str())) {
                faults.push(format!("{at}: `{key}` is not documented"));
            }
            for (key, shape) in shape {
                let name = key.trim_end_matches('?');
                match body.get(name) {
                    Some(value) => like(shape, value, &format!("{at}.{name}"), faults),
                    None if key.ends_with('?') => {}
                    None => faults.push(format!("{at}: `{name}` is missing")),
                }
            }
        }
        (Value::Array(shape), Value::Array(body)) => {
            for (index, value) in body.iter().enumerate() {
                like(&shape[0], value, &format!("{at}[{index}]"), faults);
            }
        }
        _ => {
            let same = std::mem::discriminant(shape) == std::mem::discriminant(body);
            if !same {
                faults.push(format!("{at}: {body} is of another kind than {shape}"));
            }
        }
    }
}

#[tokio::test]
async fn every_body_has_the_documented_shape() {
    let shapes: Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/zalo_oa/shapes.json")).unwrap();
    let mut bot = Bot::new(Options::default()).await;
    let lan = bot.zalo.add_person("Nguyễn Thị Lan");
    let minh = bot.zalo.add_person("Trần Văn Minh");
    let package = {
        let kinds = ["gmf10", "gmf50", "gmf100", "gmf1000"];
        let mut found = None;
        for (kind, origin) in kinds
            .iter()
            .flat_map(|kind| [(kind, "sub_quota"), (kind, "purchase_quota")])
        {
            let body = json!({"quota_owner": "OA", "product_type": kind, "quota_type": origin});
            let all = bot.post("/v3.0/oa/quota/group", body).await;
            found = found.or(all["data"][0]["asset_id"].as_str().map(str::to_owned));
        }
        found.unwrap()
    };
    let made = bot
        .post(
            "/v3.0/oa/group/creategroupwithoa",
            json!({"group_name": "Tổ 5", "group_description": "", "asset_id": package, "member_user_ids": [&*lan.id]}),
        )
        .await;
    let id: Arc<str> = made["data"]["group_id"].as_str().unwrap().into();
    let group = Chat {
        id: Arc::clone(&id),
    };
    bot.say(&group, "xin chào").await;
    bot.zalo.photo(&lan, &group, "cổng sau");
    let hello = bot.zalo.say(&lan, &group, "xin chào");
    bot.zalo.reply(&minh, &group, &hello, "chào chị");
    bot.zalo.say(&lan, &bot.zalo.private(&lan), "chào");
    bot.post(
        "/v3.0/oa/message/cs",
        json!({"recipient": {"user_id": &*lan.id}, "message": {"text": "chào"}}),
    )
    .await;
    for what in [
        "getgroup",
        "listmember",
        "listpendinginvite",
        "conversation",
    ] {
        bot.get(&format!(
            "/v3.0/oa/group/{what}?group_id={id}&offset=0&count=5"
        ))
        .await;
    }
    for what in ["getgroupsofoa", "listrecentchat"] {
        bot.get(&format!("/v3.0/oa/group/{what}?offset=0&count=5"))
            .await;
    }
    let people = json!({"group_id": &*id, "member_user_ids": [&*minh.id]});
    bot.post("/v3.0/oa/group/invite", people.clone()).await;
    bot.post("/v3.0/oa/group/removemembers", people).await;
    bot.post(
        "/v3.0/oa/group/updateinfo",
        json!({"group_id": &*id, "group_name": "Tổ 5B", "join_appr": true}),
    )
    .await;
    for (what, name) in [("image", "a.png"), ("file", "a.pdf")] {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        );
        let body = [head.as_bytes(), b"\x89PNG\r\n\x1a\nabc\r\n--x--\r\n"].concat();
        let request = bot
            .http
            .post(format!("{}/v2.0/oa/upload/{what}", bot.zalo.url()))
            .header("content-type", "multipart/form-data; boundary=x");
        bot.send(request.body(body)).await;
    }
    bot.renew(&bot.refresh.clone()).await;

    let mut faults = Vec::new();
    let mut checked = BTreeSet::new();
    for call in bot.zalo.calls() {
        let name = format!("{} {}", call.verb, call.path);
        let shape = &shapes["answers"][&name];
        assert!(!shape.is_null(), "{name} has no documented shape");
        like(shape, &call.answer_json(), &name, &mut faults);
        checked.insert(name);
    }
    assert!(bot.zalo.wait_taken(SOON).await);
    while let Ok((_, body)) = bot.hooks.try_recv() {
        let event: Value = serde_json::from_slice(&body).unwrap();
        let name = event["event_name"].as_str().unwrap().to_owned();
        let shape = &shapes["webhooks"][&name];
        // What lifecycle events hold is documented nowhere.
        if !shape.is_null() {
            like(shape, &event, &name, &mut faults);
            checked.insert(name);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for kind in ["answers", "webhooks"] {
        for name in shapes[kind].as_object().unwrap().keys() {
            // Our own posts in private come back, too; nobody wrote down how.
            assert!(checked.contains(name), "{name} was not seen");
        }
    }
}
