//! The HTTP side: who may call, what a call meets on its way, how a poll
//! waits, and how a connection is cut in the middle.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::fault::Fault;
use super::method::{self, Failure};
use super::webhook::{self, Webhook};
use super::world::World;
use super::{Call, Keep, Options, control};
use crate::sim::args::Args;
use crate::sim::door::{Door, Scissors};

/// The longest a poll may wait (LONG_POLL_MAX_TIMEOUT of the real server).
const LONGEST_POLL: i64 = 50;

/// The largest request taken; the real server takes files up to 50 MB.
const LARGEST_BODY: usize = 64 << 20;

/// What the running simulator shares.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) options: Options,
    world: Mutex<World>,
    poll: Mutex<Poll>,
    pub(super) webhook: Mutex<Option<Webhook>>,
    /// Updates came, or a poll must end.
    pub(super) news: Notify,
    /// The bot did something.
    pub(super) heard: Notify,
    pub(super) stop: watch::Sender<bool>,
    pub(super) started: Instant,
}

/// The one poll that may wait, and what the server remembers of earlier ones.
#[derive(Debug, Default)]
struct Poll {
    /// Whoever waits with an older ticket was replaced.
    ticket: u64,
    ended_by_webhook: bool,
    last_offset: Option<i64>,
    last_start: Option<Instant>,
    /// Conflicts before this moment are told three seconds late.
    quiet_until: Option<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a test's closure must not hide what the test wanted to say.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(super) fn new(options: Options) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(World::new(&options)),
            options,
            poll: Mutex::default(),
            webhook: Mutex::default(),
            news: Notify::new(),
            heard: Notify::new(),
            stop: watch::Sender::new(false),
            started: Instant::now(),
        })
    }

    /// The world, to read it.
    pub(super) fn look(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Changes the world, then wakes whoever waits for what changed.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let (done, came) = {
            let mut world = self.look();
            let before = world.queue.came;
            let done = act(&mut world);
            (done, world.queue.came != before)
        };
        if came {
            self.news.notify_waiters();
        }
        self.heard.notify_waiters();
        done
    }

    pub(super) fn webhook(&self) -> MutexGuard<'_, Option<Webhook>> {
        lock(&self.webhook)
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`, so this ends only when it says true.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Sleeps, without keeping a stopped server alive.
    async fn delay(&self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    /// Ends a waiting poll because a webhook takes over.
    fn end_poll(&self) {
        let mut poll = lock(&self.poll);
        poll.ticket += 1;
        poll.ended_by_webhook = true;
        drop(poll);
        self.news.notify_waiters();
    }

    /// The 409 answer, late if conflicts follow each other quickly.
    async fn conflict(&self, text: &'static str) -> Failure {
        let now = Instant::now();
        let late = {
            let mut poll = lock(&self.poll);
            let late = poll.quiet_until.is_some_and(|until| now < until);
            if !late {
                poll.quiet_until = Some(now + Duration::from_secs(3));
            }
            late
        };
        if late {
            self.delay(Duration::from_secs(3)).await;
        }
        Failure::new(409, text)
    }

    /// Confirms and gives updates; whoever waits for a confirmation hears of it now, not when the long
    /// poll that brought it ends.
    fn updates(&self, world: &mut World, offset: i64, limit: usize) -> Vec<Bytes> {
        let before = world.queue.confirmed();
        let batch = world.queue.poll(offset, limit);
        if world.queue.confirmed() != before {
            self.heard.notify_waiters();
        }
        batch
    }

    /// `getUpdates`.
    async fn poll(&self, args: &Args) -> Result<Vec<u8>, Failure> {
        if self.webhook().is_some() {
            let text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Err(self.conflict(text).await);
        }
        let offset = args.int("offset").unwrap_or(0);
        let mut limit =
            usize::try_from(args.int("limit").unwrap_or(100).clamp(1, 100)).unwrap_or(100);
        let mut timeout = args.int("timeout").unwrap_or(0).clamp(0, LONGEST_POLL);
        let start = Instant::now();
        let ticket = {
            let mut poll = lock(&self.poll);
            // A client that asks the same again in a hurry is slowed down.
            if poll.last_offset == Some(offset)
                && let Some(last) = poll.last_start
            {
                let since = start.duration_since(last);
                if since < Duration::from_secs(3) {
                    timeout = timeout.max(3);
                }
                if since < Duration::from_millis(500) {
                    limit = 1;
                }
            }
            poll.last_offset = Some(offset);
            poll.last_start = Some(start);
            let mut world = self.look();
            allow(&mut world, args);
            let batch = self.updates(&mut world, offset, limit);
            if !batch.is_empty() || timeout == 0 {
                return Ok(list(&batch));
            }
            poll.ticket += 1;
            poll.ended_by_webhook = false;
            poll.ticket
        };
        // Whoever waited until now sees a newer ticket.
        self.news.notify_waiters();
        let end = tokio::time::sleep(Duration::from_secs(u64::try_from(timeout).unwrap_or(0)));
        tokio::pin!(end);
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // Listening before looking: what comes in between is not missed.
            news.as_mut().enable();
            let replaced = {
                let poll = lock(&self.poll);
                (poll.ticket != ticket).then_some(poll.ended_by_webhook)
            };
            match replaced {
                Some(true) => {
                    return Err(self
                        .conflict("Conflict: terminated by setWebhook request")
                        .await);
                }
                Some(false) => {
                    let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
                    return Err(self.conflict(text).await);
                }
                None => {}
            }
            let batch = self.updates(&mut self.look(), offset, limit);
            if !batch.is_empty() {
                return Ok(list(&batch));
            }
            tokio::select! {
                () = &mut news => {}
                () = &mut end => return Ok(list(&[])),
                () = self.stopped() => return Ok(list(&[])),
            }
        }
    }

    /// `setWebhook` and `deleteWebhook`; the text goes into `description`.
    fn set_webhook(self: &Arc<Self>, args: &Args, delete: bool) -> Result<&'static str, Failure> {
        let url = if delete {
            ""
        } else {
            args.text("url").unwrap_or("")
        };
        allow(&mut self.look(), args);
        if args.flag("drop_pending_updates") {
            self.look().queue.clear();
        }
        if url.is_empty() {
            return Ok(match self.webhook().take() {
                Some(_) => "Webhook was deleted",
                None => "Webhook is already deleted",
            });
        }
        let secret = args.text("secret_token").unwrap_or("");
        if secret.len() > 256 {
            return Err(Failure::new(400, "Bad Request: secret token is too long"));
        }
        if !secret
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        {
            return Err(Failure::new(
                400,
                "Bad Request: secret token contains unallowed characters",
            ));
        }
        let connections =
            usize::try_from(args.int("max_connections").unwrap_or(40).clamp(1, 100)).unwrap_or(40);
        let address = webhook::Address::parse(url)?;
        self.end_poll();
        // The old one ends before the new one begins, so that no update is
        // under way twice.
        *self.webhook() = None;
        *self.webhook() = Some(webhook::start(self, url, address, secret, connections));
        Ok("Webhook was set")
    }

    /// Carries out a method for which no network is needed, unless it is too
    /// much for the limits.
    pub(super) fn carry_out(
        &self,
        method: &str,
        args: &Args,
        arrived: Instant,
    ) -> Result<Vec<u8>, Failure> {
        self.change(|world| {
            if method::posts(method) {
                let chat = method::chat_of(args).unwrap_or(0);
                let is_group = world
                    .rooms
                    .get(&chat)
                    .is_none_or(super::world::Room::is_group);
                if let Some(wait) = world.meter.admit(chat, is_group, arrived) {
                    world.meter.refused(chat, wait, arrived);
                    return Err(Failure::too_many(wait));
                }
            }
            method::call(world, method, args, arrived)
        })
    }
}

/// `allowed_updates` stays until it is given again; an empty list is the
/// default set.
fn allow(world: &mut World, args: &Args) {
    if let Ok(Some(Value::Array(kinds))) = args.json("allowed_updates") {
        let kinds: Vec<String> = kinds
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        world.allowed = (!kinds.is_empty()).then_some(kinds);
    }
}

fn list(batch: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::with_capacity(batch.iter().map(|one| one.len() + 1).sum::<usize>() + 2);
    out.push(b'[');
    for (i, one) in batch.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(one);
    }
    out.push(b']');
    out
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
    let (head, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(_) => return json(413, Failure::new(413, "Request Entity Too Large").body()),
    };
    let path = head.uri.path();
    if let Some(act) = path.strip_prefix("/sim/") {
        let (status, answer) = control::handle(&inner, act, head.uri.query(), &body).await;
        return json(status, answer.to_string().into_bytes());
    }
    let not_found = || json(404, Failure::new(404, "Not Found").body());
    if let Some(rest) = path.strip_prefix("/file/bot") {
        let Some((token, file)) = rest.split_once('/') else {
            return not_found();
        };
        return match file.split_once('/') {
            _ if token != inner.options.token => not_found(),
            Some(("photos", _)) => Response::new(Body::from(crate::sim::picture::photo())),
            Some(("music", _)) => Response::new(Body::from(crate::sim::picture::recording())),
            _ => not_found(),
        };
    }
    let Some(rest) = path.strip_prefix("/bot") else {
        return not_found();
    };
    let Some((token, method)) = rest.split_once('/') else {
        return not_found();
    };
    if token != inner.options.token {
        let text = match token.split_once(':') {
            Some((id, _)) if id.parse::<u64>().is_ok_and(|id| id > 0) => "Unauthorized",
            _ => "Unauthorized: invalid token specified",
        };
        return json(401, Failure::new(401, text).body());
    }
    let content_type = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let args = Args::read(head.uri.query(), content_type, &body);
    match answer(&inner, method, args).await {
        Some(response) => response,
        None => {
            scissors.cut();
            json(500, Vec::new())
        }
    }
}

/// Answers one call of the bot; `None` cuts the connection.
async fn answer(
    inner: &Arc<Inner>,
    name: &str,
    args: Result<Args, &'static str>,
) -> Option<Response> {
    let arrived = Instant::now();
    let method = name.to_ascii_lowercase();
    let args = match args {
        Ok(args) => args,
        Err(text) => return Some(json(400, Failure::new(400, text).body())),
    };
    let posts = method::posts(&method);
    let chat = method::chat_of(&args);
    let (latency, link, fault, keep) = {
        let mut world = inner.look();
        world.calls_seen += 1;
        if posts {
            world.meter.arrived(chat.unwrap_or(0), arrived);
        }
        let fault = match world.weather.meet(posts) {
            Some(bad) => Some(Fault::from(bad)),
            None => world.faults.meet(&method, posts, chat),
        };
        let latency = world.faults.latency + world.weather.latency();
        (latency, world.faults.link, fault, world.keep)
    };
    inner.delay(latency + link).await;
    let before = fault.as_ref().is_some_and(|fault| !fault.is_after());
    let mut description = None;
    let outcome = if before {
        Ok(Vec::new())
    } else {
        match method.as_str() {
            "getupdates" => inner.poll(&args).await,
            "setwebhook" | "deletewebhook" => inner
                .set_webhook(&args, method == "deletewebhook")
                .map(|text| {
                    description = Some(text);
                    b"true".to_vec()
                }),
            "getwebhookinfo" => Ok(webhook::info(inner).to_string().into_bytes()),
            _ => inner.carry_out(&method, &args, arrived),
        }
    };
    let (mut status, mut body, retry_after) = match outcome {
        Ok(result) => (200, wrap(&result, description), None),
        Err(failure) => (
            failure.code,
            failure.body(),
            failure
                .parameter
                .filter(|(name, _)| *name == "retry_after")
                .map(|(_, seconds)| seconds),
        ),
    };
    let mut html = false;
    let mut header = retry_after;
    let mut cut = false;
    let mut hang = false;
    match fault {
        None => {}
        Some(Fault::TooMany { retry_after }) => {
            if posts {
                inner
                    .look()
                    .meter
                    .refused(chat.unwrap_or(0), retry_after, arrived);
            }
            (status, body) = (429, Failure::too_many(retry_after).body());
            header = i64::try_from(retry_after).ok();
        }
        Some(Fault::Refuse { code, description }) => {
            (status, body) = (code, Failure::new(code, description).body())
        }
        Some(Fault::BadGateway | Fault::BadGatewayAfter) => {
            let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
            (status, body, html) = (502, page.as_bytes().to_vec(), true);
        }
        Some(Fault::ErrorAfter) => {
            (status, body) = (500, Failure::new(500, "Internal Server Error").body())
        }
        Some(Fault::CloseBefore | Fault::CloseAfter) => cut = true,
        Some(Fault::HangBefore | Fault::HangAfter) => hang = true,
        Some(Fault::Body(bytes)) => (status, body) = (200, bytes),
    }
    if keep == Keep::Everything {
        let call = Call {
            method: name.to_owned(),
            parameters: Value::Object(args.values),
            files: args.files.into_iter().map(|(_, file)| file.name).collect(),
            arrived,
            took: arrived.elapsed(),
            status: (!cut && !hang).then_some(status),
            answer: Bytes::from(body.clone()),
        };
        inner.look().calls.push(call);
    }
    inner.heard.notify_waiters();
    if hang {
        inner.stopped().await;
        return None;
    }
    inner.delay(link).await;
    if cut {
        return None;
    }
    let mut response = json(status, body);
    if html {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    }
    if let Some(seconds) = header {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Some(response)
}

fn wrap(result: &[u8], description: Option<&str>) -> Vec<u8> {
    let mut body = Vec::with_capacity(result.len() + 64);
    body.extend_from_slice(b"{\"ok\":true,\"result\":");
    body.extend_from_slice(result);
    if let Some(text) = description {
        body.extend_from_slice(b",\"description\":\"");
        body.extend_from_slice(text.as_bytes());
        body.push(b'"');
    }
    body.push(b'}');
    body
}

fn json(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
