//! The HTTP side: who may call, what a call meets on its way, and how it is answered.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::super::args::Args;
use super::super::door::{Door, Scissors};
use super::world::{Failure, Fault, World};
use super::{Call, Options, control, method, webhook};

/// The largest request taken: a picture of 8 MB and what is around it.
const LARGEST_BODY: usize = 9 << 20;

/// What the running simulator shares.
#[derive(Debug)]
pub(super) struct Inner {
    world: Mutex<World>,
    /// Events came, or time passed.
    pub(super) news: Notify,
    /// Something happened that somebody may wait for.
    pub(super) heard: Notify,
    pub(super) stop: watch::Sender<bool>,
    /// Changes and messages being told.
    pub(super) under_way: AtomicUsize,
}

impl Inner {
    pub(super) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(World::new(options)),
            news: Notify::new(),
            heard: Notify::new(),
            stop: watch::Sender::new(false),
            under_way: AtomicUsize::new(0),
        })
    }

    /// The world, to read it.
    pub(super) fn look(&self) -> MutexGuard<'_, World> {
        // A panic in a test's closure must not hide what the test wanted to say.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, then wakes whoever waits.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let done = act(&mut self.look());
        self.news.notify_waiters();
        self.heard.notify_waiters();
        done
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`, so this ends only when it says true.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

pub(super) async fn serve(inner: Arc<Inner>, listener: TcpListener) -> io::Result<()> {
    let deliverer = tokio::spawn(webhook::deliver(Arc::clone(&inner)));
    let stopped = Arc::clone(&inner);
    let routes = axum::Router::new().fallback(answer).with_state(inner);
    let service = routes.into_make_service_with_connect_info::<Scissors>();
    tokio::select! {
        served = async { axum::serve(Door(listener), service).await } => served?,
        () = stopped.stopped() => {}
    }
    deliverer.abort();
    Ok(())
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return page(413, Vec::new(), "text/plain");
    };
    let arrived = Instant::now();
    let path = head.uri.path().to_owned();
    if let Some(what) = path.strip_prefix("/sim/") {
        let (status, answer) = control::answer(&inner, what, head.uri.query(), &body);
        return page(status, answer.to_string().into_bytes(), "application/json");
    }
    let field = |name: header::HeaderName| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let kind = field(header::CONTENT_TYPE);
    let args = Args::read(head.uri.query(), &kind, &body).unwrap_or_default();
    let bearer = field(header::AUTHORIZATION);
    let bearer = bearer.strip_prefix("Bearer ").map(str::to_owned);
    let (fault, latency) = {
        let mut world = inner.look();
        (world.meet(&path), world.weather.latency())
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let call = method::Call {
        verb: head.method.as_str(),
        path: &path,
        args: &args,
        bearer: bearer.as_deref(),
        arrived,
    };
    let carried = match &fault {
        Some(fault) if !fault.is_after() => Ok(json!({})),
        _ => inner.change(|world| method::carry_out(world, &call)),
    };
    let (mut status, mut answer) = match carried {
        Ok(answer) => (200, answer.to_string().into_bytes()),
        Err(failure) => (400, error(failure).to_string().into_bytes()),
    };
    let mut kind = "application/json; charset=UTF-8";
    let mut silent = false;
    match fault {
        None => {}
        Some(Fault::Error(code, subcode) | Fault::ErrorAfter(code, subcode)) => {
            status = if code <= 2 { 500 } else { 400 };
            answer = error((code, subcode, "Some words of Meta's"))
                .to_string()
                .into_bytes();
        }
        Some(Fault::Html(code) | Fault::HtmlAfter(code)) => {
            answer = format!("<html><h1>{code}</h1></html>").into_bytes();
            (status, kind) = (code, "text/html");
        }
        Some(Fault::CloseBefore | Fault::CloseAfter) => silent = true,
        Some(Fault::Body(bytes)) => answer = bytes,
    }
    let usage = inner.change(|world| {
        world.stats.calls += 1;
        let mut parameters = args.values;
        parameters.remove("access_token");
        world.calls.push(Call {
            verb: head.method.to_string(),
            path: path.clone(),
            parameters: Value::Object(parameters),
            status: (!silent).then_some(status),
            answer: answer.clone(),
            arrived,
        });
        world.switches.usage
    });
    if silent {
        scissors.cut();
    }
    let mut response = page(status, answer, kind);
    let figures = |kind: &str, percent: u64| json!({"type": kind, "call_count": percent, "total_cputime": 1, "total_time": 1, "estimated_time_to_regain_access": 0});
    let told = json!({ inner.look().options.page_id.clone(): [figures("pages", usage.0), figures("messenger", usage.1)] });
    let headers = [
        ("x-business-use-case-usage", told.to_string()),
        ("facebook-api-version", "v26.0".to_owned()),
        ("x-fb-trace-id", "AbCdEfGhIjK".to_owned()),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The envelope of an error.
pub(super) fn error((code, subcode, words): Failure) -> Value {
    let mut error = json!({
        "message": format!("(#{code}) {words}"),
        "type": "OAuthException",
        "code": code,
    });
    if subcode != 0 {
        error["error_subcode"] = subcode.into();
    }
    error["fbtrace_id"] = "AbCdEfGhIjK".into();
    json!({ "error": error })
}

fn page(status: u16, body: Vec<u8>, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
