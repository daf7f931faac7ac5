//! The town's web page: every room as a phone, live; a visitor writes in any of them as anybody.
//!
//! | call | what it does |
//! | --- | --- |
//! | `GET /town` | the page |
//! | `GET /town/state` | where the town stands, with the latest messages of at most [`SHOWN`] groups |
//! | `GET /town/events?era=E&after=N` | server-sent events: every [`Event`] of those rooms after number N (or after `Last-Event-ID`) of the town that `state` called E; `town` with the clock and what goes wrong; `bot` with the bot's side; `reset` when too much was missed |
//! | `GET /town/bot` | the bot's side, as far as [`Side`] tells of it |
//! | `POST /town/act` | `{act: say\|reply\|edit\|remove\|photo\|press, person, room, text?, to?, button?}` |
//! | `POST /town/clock` | `{speed}` or `{advance}`, in seconds |
//! | `POST /town/fault` | `{platform, fault, on}` |
//! | `POST /town/bot` | `{act: kill\|start}` |
//! | `POST /town/scenario` | `{name}` |
//!
//! Whoever opens the page can act as an officer, so it is for this machine alone. A page from elsewhere that a visitor
//! has open must not reach in: the `Host` has to be an address or `localhost` (a name of somebody else's could lead
//! here), a POST has to come from this page, and nothing but this server's own files is loaded or run.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::town::{Event, Platform, Refused, Shared, Town, Trouble};

#[cfg(test)]
mod tests;

/// Groups that are shown. More phones than these nobody can watch, and a browser could not draw them.
pub const SHOWN: usize = 60;

/// How often the clock is told.
const TICK: Duration = Duration::from_secs(1);

/// After how long a browser that was let go comes back: the next town begins without it.
const RETRY: Duration = Duration::from_millis(300);

/// The largest act taken, in bytes: 20,000 letters of up to four bytes and what stands around them.
const MAX_BODY: usize = 96 << 10;

/// The furthest that the clock is moved at once.
const MAX_ADVANCE: Duration = Duration::from_secs(31 * 24 * 3600);

/// Scripts, styles and connections of this server's only, and no text may become markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// The page's files: the last part of the path, its type and what it holds.
const FILES: [(&str, &str, &str); 5] = [
    (
        "town.css",
        "text/css; charset=utf-8",
        include_str!("page/town.css"),
    ),
    (
        "town.js",
        "text/javascript; charset=utf-8",
        include_str!("page/town.js"),
    ),
    (
        "phone.js",
        "text/javascript; charset=utf-8",
        include_str!("page/phone.js"),
    ),
    (
        "bot.js",
        "text/javascript; charset=utf-8",
        include_str!("page/bot.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// A play that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Play {
    /// Its name in the address.
    pub name: String,
    /// Its name on the screen.
    pub title: String,
}

/// Something to be done beside the town.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// The bot is killed without warning.
    Kill,
    /// The bot is started again, with what it kept.
    Start,
    /// A play begins.
    Play(String),
}

/// What stands beside the town, where there is more than the simulators: somebody who watches the bot from outside,
/// and can kill it.
#[derive(Debug, Clone)]
pub struct Side {
    /// The bot's side as a JSON object; empty until something is known. It is only asked after while somebody looks.
    pub seen: watch::Receiver<Arc<str>>,
    /// The play that runs or has ended, as a JSON value.
    pub play: watch::Receiver<Arc<str>>,
    /// Where orders go.
    pub orders: mpsc::Sender<Order>,
    /// The plays there are.
    pub plays: Arc<[Play]>,
}

#[derive(Debug)]
struct Page {
    town: Town,
    side: Option<Side>,
    /// Of several towns after another at one address, which: a browser must not go on with numbers of the last one.
    era: u64,
    /// Becomes true when this town is at its end.
    over: watch::Receiver<bool>,
}

/// Opens an address for the page.
///
/// # Errors
/// When it is taken, or when other machines could reach it: whoever opens the page can act as an officer.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if address.ip().is_loopback() {
        TcpListener::bind(address).await
    } else {
        Err(io::Error::other(
            "other machines could reach the page there, and act as an officer; take an address of this machine alone, such as 127.0.0.1:8080",
        ))
    }
}

/// Serves the page until `end`: then every browser is let go, and comes back to whoever serves here next.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    town: Town,
    side: Option<Side>,
    end: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (ending, over) = watch::channel(false);
    let page = Page {
        era: town.now_ms(),
        town,
        side,
        over,
    };
    let end = async move {
        end.await;
        ending.send_replace(true);
    };
    axum::serve(listener, router(page))
        .with_graceful_shutdown(end)
        .await
}

fn router(page: Page) -> Router {
    let files = FILES
        .iter()
        .fold(Router::new(), |router, (name, kind, text)| {
            let answer = move || async move { ([(header::CONTENT_TYPE, *kind)], *text) };
            router.route(&format!("/town/{name}"), get(answer))
        });
    let html = include_str!("page/index.html");
    Router::new()
        .route(
            "/town",
            get(move || async move { axum::response::Html(html) }),
        )
        .route("/town/state", get(state))
        .route("/town/events", get(events))
        .route("/town/bot", get(bot).post(order))
        .route("/town/act", post(act))
        .route("/town/clock", post(clock))
        .route("/town/fault", post(fault))
        .route("/town/scenario", post(play))
        .with_state(Arc::new(page))
        .merge(files)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(guard))
}

// Who may come in -------------------------------------------------------------

/// Refuses what comes from elsewhere, and tells the browser to load nothing from there.
async fn guard(request: Request, next: Next) -> Response {
    let mut answer = match refusal(request.method(), request.headers()) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in headers {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Why a request is not for this page.
fn refusal(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let Some(host) = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
    else {
        return Some("the request names no host\n");
    };
    if !is_own_host(host) {
        return Some("the page is reached by address or as localhost, not by another name\n");
    }
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    let own = format!("http://{host}");
    if *method == Method::POST && origin != Some(own.as_bytes()) {
        return Some("only this page may act here (header Origin)\n");
    }
    None
}

/// An address, which nobody can give a meaning of their own, or this machine's own name.
fn is_own_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

// What is told ----------------------------------------------------------------

async fn state(State(page): State<Arc<Page>>) -> Response {
    let mut state = match serde_json::to_value(page.town.snapshot(SHOWN)) {
        Ok(Value::Object(state)) => state,
        // A snapshot is an object of plain values.
        Ok(_) | Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    state.extend(page.status());
    Json(state).into_response()
}

async fn bot(State(page): State<Arc<Page>>) -> Response {
    match &page.side {
        Some(side) => {
            let seen = Arc::clone(&side.seen.borrow());
            (
                [(header::CONTENT_TYPE, "application/json")],
                seen.to_string(),
            )
                .into_response()
        }
        None => NO_BOT.into_response(),
    }
}

const NO_BOT: (StatusCode, &str) = (
    StatusCode::NOT_FOUND,
    "ở đây chỉ có xã, không có bot: hãy chạy `keng demo`\n",
);

impl Page {
    /// What is told again every second.
    fn status(&self) -> serde_json::Map<String, Value> {
        let now = self.town.snapshot(0);
        let play = self
            .side
            .as_ref()
            .map(|side| side.play.borrow().to_string());
        let play = play.and_then(|play| serde_json::from_str::<Value>(&play).ok());
        let plays = self.side.as_ref().map(|side| side.plays.to_vec());
        let status = json!({
            "era": self.era,
            "clock": now.clock,
            "speed": now.speed,
            "rooms_in_all": now.rooms_in_all,
            "counts": now.counts,
            "faults": now.faults,
            "with_bot": self.side.is_some(),
            "scenarios": plays.unwrap_or_default(),
            "scenario": play,
        });
        match status {
            Value::Object(status) => status,
            _ => serde_json::Map::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct After {
    after: Option<u64>,
    era: Option<u64>,
}

async fn events(
    State(page): State<Arc<Page>>,
    Query(query): Query<After>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    // A browser that was cut off says where it stopped; that is later than where its page began.
    let last = headers.get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok()?.parse().ok());
    let after = last.or(query.after).unwrap_or_else(|| page.town.seq());
    let same = query.era.is_none_or(|era| era == page.era) && after <= page.town.seq();
    let mut watching = Watching::new(page, after);
    if !same {
        watching.begin_anew();
    }
    let told = stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok(event), watching))
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}

/// One browser that looks.
struct Watching {
    page: Arc<Page>,
    after: u64,
    /// Rooms and people whose rooms are shown.
    shown: HashSet<Shared>,
    seen: Option<watch::Receiver<Arc<str>>>,
    over: watch::Receiver<bool>,
    tick: tokio::time::Interval,
    ready: VecDeque<sse::Event>,
}

impl Watching {
    fn new(page: Arc<Page>, after: u64) -> Self {
        let now = page.town.snapshot(SHOWN);
        let rooms = now.rooms.into_iter().map(|one| one.room.id);
        let people = now.people.into_iter().map(|one| one.id);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen = page.side.as_ref().map(|side| side.seen.clone());
        if let Some(seen) = &mut seen {
            seen.mark_changed();
        }
        let again = sse::Event::default().retry(RETRY);
        Self {
            shown: rooms.chain(people).collect(),
            ready: VecDeque::from([again]),
            over: page.over.clone(),
            page,
            after,
            seen,
            tick,
        }
    }

    /// The browser has missed too much, or what it knows is of another town.
    fn begin_anew(&mut self) {
        let reset = sse::Event::default().event("reset").data("{}");
        self.ready.push_back(reset);
    }

    /// What the browser is told next; nothing at the town's end.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let town = self.page.town.clone();
            tokio::select! {
                happened = town.events(self.after) => self.take(&happened),
                () = ended(&mut self.over) => return None,
                _ = self.tick.tick() => {
                    let status = Value::Object(self.page.status());
                    return Some(sse::Event::default().event("town").data(status.to_string()));
                }
                seen = changed(&mut self.seen) => {
                    if !seen.is_empty() {
                        return Some(sse::Event::default().event("bot").data(&*seen));
                    }
                }
            }
        }
    }

    /// Lays what happened ready, as far as it is shown.
    fn take(&mut self, happened: &[Arc<Event>]) {
        let Some(first) = happened.first() else {
            return;
        };
        // Numbers have no gaps.
        if first.seq != self.after + 1 {
            self.begin_anew();
        }
        for event in happened {
            self.after = event.seq;
            if self.shown.contains(&event.room)
                && let Ok(text) = serde_json::to_string(&**event)
            {
                let event = sse::Event::default().id(event.seq.to_string()).data(text);
                self.ready.push_back(event);
            }
        }
    }
}

/// Until the town is at its end, or nobody serves it any more.
async fn ended(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
}

/// The bot's side once it is another one; never, where there is none or nobody tells of it any more.
async fn changed(seen: &mut Option<watch::Receiver<Arc<str>>>) -> Arc<str> {
    if let Some(seen) = seen
        && seen.changed().await.is_ok()
    {
        return Arc::clone(&seen.borrow_and_update());
    }
    std::future::pending().await
}

// What a visitor does ---------------------------------------------------------

/// What somebody does in a room.
#[derive(Debug, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum Act {
    Say {
        person: String,
        room: String,
        text: String,
    },
    Reply {
        person: String,
        room: String,
        to: String,
        text: String,
    },
    Edit {
        person: String,
        room: String,
        to: String,
        text: String,
    },
    Remove {
        person: String,
        room: String,
        to: String,
    },
    Photo {
        person: String,
        room: String,
        text: String,
    },
    Press {
        person: String,
        room: String,
        to: String,
        button: String,
    },
}

async fn act(State(page): State<Arc<Page>>, Json(act): Json<Act>) -> Response {
    let town = &page.town;
    let done = match &act {
        Act::Say { person, room, text } => town.say(person, room, text).map(Some),
        Act::Reply {
            person,
            room,
            to,
            text,
        } => town.reply(person, room, to, text).map(Some),
        Act::Photo { person, room, text } => town.photo(person, room, text).map(Some),
        Act::Edit {
            person,
            room,
            to,
            text,
        } => town.edit(person, room, to, text).map(|()| None),
        Act::Remove { person, room, to } => town.remove(person, room, to).map(|()| None),
        Act::Press {
            person,
            room,
            to,
            button,
        } => town.press(person, room, to, button).map(|()| None),
    };
    match done {
        Ok(message) => Json(json!({ "message_id": message })).into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, told(&why)).into_response(),
    }
}

/// Why it could not be done, for a visitor.
fn told(why: &Refused) -> String {
    match why {
        Refused::Room(_) => "không có nhóm này".to_owned(),
        Refused::Person(_) => "không có người này".to_owned(),
        Refused::Elsewhere(..) => "người này không ở nhóm này".to_owned(),
        Refused::Message(_) => "không còn tin nhắn này".to_owned(),
        Refused::Button(_) => "nút này không còn nữa".to_owned(),
        Refused::Impossible(platform, _) => format!("{platform} không cho làm việc này"),
    }
}

/// How the clock is set.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Hands {
    Speed { speed: f64 },
    Advance { advance: f64 },
}

async fn clock(State(page): State<Arc<Page>>, Json(hands): Json<Hands>) -> Response {
    match hands {
        Hands::Speed { speed } => page.town.set_speed(speed),
        Hands::Advance { advance } => match Duration::try_from_secs_f64(advance) {
            Ok(by) if by <= MAX_ADVANCE => page.town.advance(by),
            _ => {
                return (
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "chỉ đi tới, mỗi lần tối đa 31 ngày",
                )
                    .into_response();
            }
        },
    }
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Debug, Deserialize)]
struct Weather {
    platform: Platform,
    fault: Trouble,
    on: bool,
}

async fn fault(State(page): State<Arc<Page>>, Json(weather): Json<Weather>) -> StatusCode {
    page.town.fault(weather.platform, weather.fault, weather.on);
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum BotAct {
    Kill,
    Start,
}

async fn order(State(page): State<Arc<Page>>, Json(act): Json<BotAct>) -> Response {
    page.order(match act {
        BotAct::Kill => Order::Kill,
        BotAct::Start => Order::Start,
    })
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

async fn play(State(page): State<Arc<Page>>, Json(named): Json<Named>) -> Response {
    let known = page
        .side
        .as_ref()
        .is_some_and(|side| side.plays.iter().any(|play| play.name == named.name));
    if known {
        page.order(Order::Play(named.name))
    } else {
        (StatusCode::NOT_FOUND, "không có kịch bản này").into_response()
    }
}

impl Page {
    fn order(&self, order: Order) -> Response {
        let Some(side) = &self.side else {
            return NO_BOT.into_response();
        };
        match side.orders.try_send(order) {
            Ok(()) => StatusCode::ACCEPTED.into_response(),
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "đang bận, xin thử lại").into_response(),
        }
    }
}
