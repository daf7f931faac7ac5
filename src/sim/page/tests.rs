//! The page's routes over real HTTP, with a town behind them.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::task::JoinHandle;

use super::*;
use crate::sim::town::{Role, Size};

const PATIENCE: Duration = Duration::from_secs(10);

struct Visitor {
    town: Town,
    http: reqwest::Client,
    base: String,
    seen: watch::Sender<Arc<str>>,
    orders: mpsc::Receiver<Order>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Visitor {
    async fn new() -> Self {
        let size = Size {
            rooms: 8,
            ..Size::default()
        };
        let town = Town::start(size, None).await.unwrap();
        let (seen, watched) = watch::channel("".into());
        let (ordering, orders) = mpsc::channel(1);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let ended = async {
            // An end that nobody asks for never comes.
            if ended.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let side = Side {
            seen: watched,
            play: watch::channel("null".into()).1,
            orders: ordering,
            plays: Arc::new([Play {
                name: "theft".to_owned(),
                title: "Một vụ trộm".to_owned(),
            }]),
        };
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let page = serve(listener, town.clone(), Some(side), ended);
        let serving = tokio::spawn(async move { page.await.unwrap() });
        Self {
            town,
            http: crate::app::http_client().unwrap(),
            base,
            seen,
            orders,
            end: Some(end),
            serving,
        }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.base));
        request.send().await.unwrap()
    }

    async fn state(&self) -> Value {
        serde_json::from_str(&self.get("/town/state").await.text().await.unwrap()).unwrap()
    }

    fn request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, String) {
        let request = self.request(path, &body).header("origin", &self.base);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn stream(&self, query: &str, last: Option<u64>) -> Told {
        let mut request = self.http.get(format!("{}/town/events?{query}", self.base));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        Told {
            answer: request.send().await.unwrap(),
            text: String::new(),
        }
    }
}

/// A stream of events as a browser reads it.
struct Told {
    answer: reqwest::Response,
    text: String,
}

impl Told {
    /// The next event of a kind: its id and data.
    async fn next(&mut self, kind: &str) -> (Option<u64>, String) {
        let found = async {
            loop {
                while let Some((event, rest)) = self.text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.text = rest;
                    let field = |name: &str| {
                        let mut lines = event.lines();
                        lines
                            .find_map(|line| line.strip_prefix(name))
                            .map(|value| value.trim().to_owned())
                    };
                    // Without data nothing is told, only how to come back.
                    if let Some(data) = field("data:")
                        && field("event:").unwrap_or_default() == kind
                    {
                        return (field("id:").and_then(|id| id.parse().ok()), data);
                    }
                }
                let chunk = self
                    .answer
                    .chunk()
                    .await
                    .unwrap()
                    .expect("the stream goes on");
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .expect("the event is told")
    }
}

#[tokio::test]
async fn a_resident_writes_on_the_page_and_every_watcher_sees_it() {
    let visitor = Visitor::new().await;
    let room = visitor.town.nth_room(Platform::ZaloOa, 1).unwrap();
    let lan = visitor.town.resident(&room.id, 1).unwrap();
    let state = visitor.state().await;
    assert_eq!(
        state["rooms"].as_array().unwrap().len(),
        state["rooms_in_all"].as_u64().unwrap() as usize
    );
    let mut told = visitor
        .stream(
            &format!("era={}&after={}", state["era"], state["seq"]),
            None,
        )
        .await;

    let words = "#tromcap mất xe <b>đạp</b>";
    let act = json!({ "act": "say", "person": lan.id, "room": room.id, "text": words });
    let (status, answer) = visitor.post("/town/act", act).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (id, event) = told.next("").await;
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(
        (&event["text"], &event["room"]),
        (&json!(words), &json!(room.id))
    );
    assert_eq!(event["from"]["id"], json!(lan.id));
    assert!(answer.contains(event["message_id"].as_str().unwrap()));

    // A browser that was away is told what it missed, and nothing twice.
    visitor.town.say(&lan.id, &room.id, "lời thứ hai").unwrap();
    let mut again = visitor.stream("after=0", id).await;
    let (_, missed) = again.next("").await;
    assert!(missed.contains("lời thứ hai"), "{missed}");
}

#[tokio::test]
async fn the_bots_side_and_the_clock_are_told_on_the_same_stream() {
    let visitor = Visitor::new().await;
    assert!(visitor.state().await["with_bot"].as_bool().unwrap());
    let mut told = visitor.stream("", None).await;
    visitor.seen.send_replace("{\"alive\":true}".into());
    assert_eq!(told.next("bot").await.1, "{\"alive\":true}");
    assert_eq!(
        visitor.get("/town/bot").await.text().await.unwrap(),
        "{\"alive\":true}"
    );
    assert_eq!(
        visitor.post("/town/clock", json!({ "speed": 60 })).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        visitor
            .post("/town/clock", json!({ "advance": -1 }))
            .await
            .0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let fault = json!({ "platform": "telegram", "fault": "outage", "on": true });
    assert_eq!(
        visitor.post("/town/fault", fault.clone()).await.0,
        StatusCode::NO_CONTENT
    );
    loop {
        let status: Value = serde_json::from_str(&told.next("town").await.1).unwrap();
        if status["speed"] == 60.0 {
            assert_eq!(
                status["faults"],
                json!([{ "platform": "telegram", "fault": "outage" }])
            );
            break;
        }
    }
}

#[tokio::test]
async fn whoever_comes_from_another_town_begins_anew() {
    let visitor = Visitor::new().await;
    // A number, and then a town, that are not of this one.
    visitor
        .stream("after=0", Some(1_000_000))
        .await
        .next("reset")
        .await;
    visitor
        .stream("after=0&era=1", None)
        .await
        .next("reset")
        .await;
}

#[tokio::test]
async fn at_the_towns_end_its_browsers_are_let_go() {
    let mut visitor = Visitor::new().await;
    let mut told = visitor.stream("after=0", None).await;
    told.next("town").await;
    visitor.end.take().unwrap().send(()).unwrap();
    let ended = async { while told.answer.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("the stream ends");
    tokio::time::timeout(PATIENCE, &mut visitor.serving)
        .await
        .expect("so does the server")
        .unwrap();
}

#[tokio::test]
async fn orders_go_to_whoever_runs_the_bot_and_only_known_plays_are_played() {
    let mut visitor = Visitor::new().await;
    assert_eq!(
        visitor.post("/town/bot", json!({ "act": "kill" })).await.0,
        StatusCode::ACCEPTED
    );
    assert_eq!(visitor.orders.recv().await, Some(Order::Kill));
    assert_eq!(
        visitor
            .post("/town/scenario", json!({ "name": "theft" }))
            .await
            .0,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        visitor.orders.recv().await,
        Some(Order::Play("theft".to_owned()))
    );
    let unknown = json!({ "name": "../../etc/passwd" });
    assert_eq!(
        visitor.post("/town/scenario", unknown).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn nobody_acts_for_somebody_who_is_not_there() {
    let visitor = Visitor::new().await;
    let room = visitor.town.nth_room(Platform::ZaloOa, 1).unwrap();
    let officer = visitor.town.nth_person(Role::Officer, 1).unwrap();
    let act = json!({ "act": "say", "person": officer.id, "room": room.id, "text": "x" });
    let refused = (
        StatusCode::UNPROCESSABLE_ENTITY,
        "người này không ở nhóm này".to_owned(),
    );
    assert_eq!(visitor.post("/town/act", act).await, refused);
    let act = json!({ "act": "dance", "person": officer.id, "room": room.id });
    assert_eq!(
        visitor.post("/town/act", act).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn a_page_from_elsewhere_cannot_look_or_act() {
    let visitor = Visitor::new().await;
    let act = json!({ "speed": 0 });
    for origin in ["http://keng.example", "null", "https://127.0.0.1:1"] {
        let request = visitor
            .request("/town/clock", &act)
            .header("origin", origin);
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::FORBIDDEN,
            "{origin}"
        );
    }
    let without = visitor.request("/town/clock", &act);
    assert_eq!(
        without.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    // A form can be sent from anywhere, and is no JSON.
    let form = visitor.http.post(format!("{}/town/clock", visitor.base));
    let form = form
        .header("origin", &visitor.base)
        .header("content-type", "text/plain");
    let form = form.body(act.to_string()).send().await.unwrap();
    assert_eq!(form.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // A name of somebody else's that leads to this machine.
    let request = visitor.http.get(format!("{}/town/state", visitor.base));
    let rebound = request
        .header("host", "rebind.example:8080")
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
    assert_eq!(visitor.state().await["speed"], 1.0);
}

#[tokio::test]
async fn the_page_is_for_this_machine_alone() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = bind(address.parse().unwrap()).await.unwrap_err();
        assert!(refused.to_string().contains("127.0.0.1"), "{refused}");
    }
}

#[test]
fn addresses_and_localhost_are_own_hosts() {
    for host in [
        "127.0.0.1:8080",
        "127.0.0.1",
        "localhost:1",
        "LOCALHOST",
        "[::1]:8080",
        "192.0.2.7:80",
    ] {
        assert!(is_own_host(host), "{host}");
    }
    for host in [
        "keng.example",
        "127.0.0.1.keng.example:80",
        "localhost.keng.example",
        "",
        "127.0.0.1@keng.example",
    ] {
        assert!(!is_own_host(host), "{host}");
    }
}

#[tokio::test]
async fn every_file_of_the_page_comes_from_here_and_runs_nothing_inline() {
    let visitor = Visitor::new().await;
    let page = visitor.get("/town").await;
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"));
    let page = page.text().await.unwrap();
    for attribute in ["src", "href"] {
        for link in page.split(&format!(" {attribute}=\"")).skip(1) {
            let (link, _) = link.split_once('"').unwrap();
            if link.starts_with('#') {
                continue;
            }
            assert!(link.starts_with("/town/"), "{link}");
            assert_eq!(visitor.get(link).await.status(), StatusCode::OK, "{link}");
        }
    }
    for (name, _, text) in FILES {
        for loaded in text.split("from \"./").skip(1) {
            let (loaded, _) = loaded.split_once('"').unwrap();
            assert!(
                FILES.iter().any(|(one, _, _)| *one == loaded),
                "{name} loads {loaded}"
            );
        }
        let text = text.replace("http://www.w3.org/", "");
        for never in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "://",
        ] {
            assert!(!text.contains(never), "{name}: {never}");
        }
    }
    assert!(!page.contains(" onclick") && !page.contains("<style") && !page.contains(" style="));
}
