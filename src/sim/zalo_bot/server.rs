//! The HTTP side: who may call, how a poll waits, and what an answer looks like.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::super::picture;
use super::webhook::{self, Webhook};
use super::world::{Fault, Idle, World};
use super::{Call, Options, control};
use crate::sim::args::Args;
use crate::sim::door::{Door, Scissors};

/// The largest request taken.
const LARGEST_BODY: usize = 8 << 20;

/// How long a poll is held that does not say.
const USUAL_HOLD: u64 = 30;

/// Most text in one message; the unit is not documented, and this is the stricter one.
const MAX_TEXT: usize = 2_000;

/// `testWebhook` may be asked so often a day.
const TESTS: u64 = 20;

/// What the running simulator shares.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) token: String,
    account_name: String,
    bot_id: String,
    display_name: String,
    world: Mutex<World>,
    webhook: Mutex<Option<Webhook>>,
    tests: AtomicU64,
    /// Updates came.
    pub(super) news: Notify,
    /// The bot did something.
    pub(super) heard: Notify,
    pub(super) stop: watch::Sender<bool>,
}

/// An error as the platform tells it.
pub(super) struct Failure(u16, String);

fn fail<T>(code: u16, why: &str) -> Result<T, Failure> {
    Err(Failure(code, why.to_owned()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a test's closure must not hide what the test wanted to say.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(super) fn new(options: Options) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(World::new(&options)),
            token: options.token,
            account_name: "bot.KengXomDinh".to_owned(),
            bot_id: "2718281828459045235".to_owned(),
            display_name: options.display_name,
            webhook: Mutex::default(),
            tests: AtomicU64::new(0),
            news: Notify::new(),
            heard: Notify::new(),
            stop: watch::Sender::new(false),
        })
    }

    /// The world, to read it.
    pub(super) fn look(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Changes the world, then wakes whoever waits for what changed.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let done = act(&mut self.look());
        self.news.notify_waiters();
        self.heard.notify_waiters();
        done
    }

    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`, so this ends only when it says true.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    fn me(&self) -> Value {
        let world = self.look();
        let mut me = json!({
            "id": self.bot_id,
            "account_name": self.account_name,
            "account_type": "BASIC",
            "can_join_groups": world.switches.can_join_groups,
        });
        if world.switches.tells_name
            && let Some(map) = me.as_object_mut()
        {
            map.insert("display_name".into(), self.display_name.clone().into());
        }
        me
    }

    /// One update, as soon as there is one.
    async fn poll(&self, args: &Args) -> Result<Option<Value>, Failure> {
        if lock(&self.webhook).is_some() {
            return fail(400, "a webhook is set; delete it before polling");
        }
        let asked = args
            .int("timeout")
            .and_then(|seconds| u64::try_from(seconds).ok());
        let hold = {
            let mut world = self.look();
            world.polls += 1;
            world.asked_past();
            world.asking += 1;
            let asked = Duration::from_secs(asked.unwrap_or(USUAL_HOLD));
            asked.min(world.switches.longest_hold)
        };
        self.heard.notify_waiters();
        // However it ends, even by a client that hangs up.
        let _asking = Asking(self);
        let end = tokio::time::sleep(hold);
        tokio::pin!(end);
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // Listening before looking: what comes in between is not missed.
            news.as_mut().enable();
            let taken = {
                let mut world = self.look();
                let lists = world.switches.lists;
                world
                    .take()
                    .map(|update| if lists { json!([update]) } else { update })
            };
            if taken.is_some() {
                self.heard.notify_waiters();
                return Ok(taken);
            }
            tokio::select! {
                () = &mut news => {}
                () = &mut end => return Ok(None),
                () = self.stopped() => return Ok(None),
            }
        }
    }

    fn set_webhook(self: &Arc<Self>, args: &Args) -> Result<Value, Failure> {
        let url = args.text("url").unwrap_or("");
        let secret = args.text("secret_token").unwrap_or("");
        if !(8..=256).contains(&secret.chars().count()) {
            return fail(400, "secret_token must have 8 to 256 characters");
        }
        let strict = self.look().switches.strict_hooks;
        let address = webhook::address(url, strict).map_err(|why| Failure(400, why.to_owned()))?;
        let hook = webhook::start(self, url, address, secret);
        *lock(&self.webhook) = Some(hook);
        let world = &mut *self.look();
        world.hooked = true;
        let mut result = json!({"url": url, "updated_at": world.now_ms()});
        if world.switches.verifies
            && let Some(map) = result.as_object_mut()
        {
            let trial = if world.switches.unreachable {
                json!({"ok": false, "status_code": 403, "outcome": "webhook.http.403",
                    "latency_ms": 21, "hint": "check the path"})
            } else {
                json!({"ok": true, "status_code": 200, "outcome": "webhook.ok", "latency_ms": 21, "hint": ""})
            };
            map.insert("verification".into(), trial);
        }
        Ok(result)
    }

    fn post(&self, method: &str, args: &Args, at: Instant) -> Result<Value, Failure> {
        let word = |name: &str| match args.values.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let chat = word("chat_id");
        let units = |text: &str| text.encode_utf16().count();
        let (text, unseen) = match method {
            "sendMessage" => {
                let text = word("text");
                if text.is_empty() || units(&text) > MAX_TEXT {
                    return fail(400, "text must have 1 to 2000 characters");
                }
                (text, false)
            }
            "sendPhoto" => {
                let caption = word("caption");
                if !word("photo").starts_with("http") || units(&caption) > MAX_TEXT {
                    return fail(400, "photo is no address or caption is too long");
                }
                (format!("[ảnh] {caption}"), false)
            }
            "sendSticker" if word("sticker").is_empty() => return fail(400, "sticker is missing"),
            "sendSticker" => ("[nhãn dán]".to_owned(), false),
            _ if word("voice_url").is_empty() => return fail(400, "voice_url is missing"),
            // In a group it is answered as if it had gone well, and nobody sees it.
            _ => ("[tiếng nói]".to_owned(), self.look().is_group(&chat)),
        };
        self.change(|world| {
            if chat.is_empty() {
                return fail(400, "chat_id is missing");
            }
            if !world.reaches(&chat) {
                return fail(403, "Internal server error");
            }
            if !world.spend() {
                return fail(429, "Quota exceeded");
            }
            if unseen {
                return Ok(json!({"message_id": "0", "date": world.now_ms()}));
            }
            Ok(world.post(&chat, &text, at))
        })
    }

    /// Carries a call out; the result is absent where the platform gives none.
    async fn carry_out(
        self: &Arc<Self>,
        method: &str,
        args: &Args,
        at: Instant,
    ) -> Result<Option<Value>, Failure> {
        match method {
            "getMe" => Ok(Some(self.me())),
            "getUpdates" => match self.poll(args).await? {
                Some(update) => Ok(Some(update)),
                None => fail(408, "Request timeout"),
            },
            "setWebhook" => self.set_webhook(args).map(Some),
            "deleteWebhook" => {
                lock(&self.webhook).take();
                let mut world = self.look();
                world.hooked = false;
                Ok(Some(json!({"url": "", "updated_at": world.now_ms()})))
            }
            "getWebhookInfo" => match lock(&self.webhook).as_ref() {
                Some(hook) => Ok(Some(json!({"url": hook.url, "updated_at": hook.set_at}))),
                None => fail(404, "Not Found"),
            },
            "testWebhook" => {
                if self.tests.fetch_add(1, Ordering::Relaxed) >= TESTS {
                    return fail(426, "daily limit");
                }
                match lock(&self.webhook).as_ref() {
                    Some(hook) => Ok(Some(
                        json!({"ok": true, "url": hook.url, "status_code": 200, "outcome": "webhook.ok", "latency_ms": 21, "hint": ""}),
                    )),
                    None => fail(404, "Not Found"),
                }
            }
            "sendMessage" | "sendPhoto" | "sendSticker" | "sendVoice" => {
                self.post(method, args, at).map(Some)
            }
            "sendChatAction" => match args.text("action") {
                Some("typing") => Ok(None),
                _ => fail(400, "action must be typing"),
            },
            _ if self.look().switches.unknown_is_400 => fail(400, "Bad request"),
            _ => fail(404, "Not Found"),
        }
    }
}

/// Somebody is polling, as long as this lives.
struct Asking<'a>(&'a Inner);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut world = self.0.look();
        world.asking = world.asking.saturating_sub(1);
        world.last_asked = Some(Instant::now());
    }
}

/// Serves until `inner.stop` says true.
pub(super) async fn serve(inner: Arc<Inner>, listener: TcpListener) -> io::Result<()> {
    let app = axum::Router::new()
        .fallback(handle)
        .with_state(inner.clone())
        .into_make_service_with_connect_info::<Scissors>();
    axum::serve(Door(listener), app)
        .with_graceful_shutdown(async move { inner.stopped().await })
        .await
}

async fn handle(
    State(inner): State<Arc<Inner>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return failed(&Failure(400, "the body is too large".to_owned()), 400);
    };
    let path = head.uri.path();
    if let Some(act) = path.strip_prefix("/sim/") {
        let (status, answer) = control::handle(&inner, act, head.uri.query(), &body);
        return page(status, answer.to_string().into_bytes(), "application/json");
    }
    if path.ends_with(".jpg") {
        return page(200, picture::photo(), "image/png");
    }
    let not_found = || failed(&Failure(404, "Not Found".to_owned()), 404);
    let called = path
        .strip_prefix("/bot")
        .and_then(|rest| rest.split_once('/'));
    let Some((token, method)) = called else {
        return not_found();
    };
    if head.method != Method::GET && head.method != Method::POST {
        return not_found();
    }
    if token != inner.token {
        return failed(&Failure(401, "Unauthorized".to_owned()), 401);
    }
    let kind = head.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
    // Strange types and bodies that say nothing are taken as no parameters at all.
    let args = Args::read(head.uri.query(), kind, &body).unwrap_or_default();
    let (fault, latency) = {
        let mut world = inner.look();
        (world.meet(method), world.weather.latency())
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let outcome = match &fault {
        Some(fault) if !fault.is_carried_out() => Ok(None),
        _ => inner.carry_out(method, &args, arrived).await,
    };
    let (idle, zero) = {
        let world = inner.look();
        (world.switches.idle, world.switches.zero)
    };
    let (mut status, mut answer) = match outcome {
        Ok(result) => (200, succeeded(result, zero)),
        Err(failure) => {
            let is_idle = failure.0 == 408 && method == "getUpdates" && idle == Idle::Body;
            let status = if is_idle { 200 } else { failure.0 };
            (status, failure_body(&failure))
        }
    };
    let mut kind = "application/json";
    let mut silent = false;
    let mut hangs = false;
    match fault {
        None => {}
        Some(Fault::Refuse(code, why)) => {
            (status, answer) = (code, failure_body(&Failure(code, why)));
        }
        Some(Fault::Html(code) | Fault::HtmlAfter(code)) => {
            let text =
                format!("<html><head><title>{code}</title></head><body>{path}</body></html>");
            (status, answer, kind) = (code, text.into_bytes(), "text/html");
        }
        Some(Fault::CloseBefore | Fault::CloseAfter) => silent = true,
        Some(Fault::HangAfter) => (silent, hangs) = (true, true),
        Some(Fault::Body(bytes)) => (status, answer) = (200, bytes),
    }
    inner.change(|world| {
        world.calls.push(Call {
            method: method.to_owned(),
            verb: head.method.to_string(),
            parameters: Value::Object(args.values),
            arrived,
            status: (!silent).then_some(status),
            answer: answer.clone(),
        });
    });
    if hangs {
        inner.stopped().await;
    }
    if silent {
        scissors.cut();
    }
    page(status, answer, kind)
}

fn succeeded(result: Option<Value>, zero: bool) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("ok".into(), true.into());
    if let Some(result) = result {
        body.insert("result".into(), result);
    }
    if zero {
        body.insert("error_code".into(), 0.into());
    }
    Value::Object(body).to_string().into_bytes()
}

fn failure_body(Failure(code, why): &Failure) -> Vec<u8> {
    json!({"ok": false, "description": why, "error_code": code})
        .to_string()
        .into_bytes()
}

fn failed(failure: &Failure, status: u16) -> Response {
    page(status, failure_body(failure), "application/json")
}

fn page(status: u16, body: Vec<u8>, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
