//! The HTTP side: who may call, what a call meets on its way, and how it is answered.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::super::args::Args;
use super::super::door::{Door, Scissors};
use super::super::picture;
use super::world::{Fault, World};
use super::{Call, Options, control, method, webhook};

/// The largest request taken: a file of 5 MB and what is around it.
const LARGEST_BODY: usize = 6 << 20;

/// What the running simulator shares.
#[derive(Debug)]
pub(super) struct Inner {
    world: Mutex<World>,
    /// Events came, or time passed.
    pub(super) news: Notify,
    /// Something happened that somebody may wait for.
    pub(super) heard: Notify,
    pub(super) stop: watch::Sender<bool>,
    /// Webhooks being called.
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
    if path.ends_with(".jpg") {
        return match inner.change(|world| world.meet(&path)) {
            Some(_) => page(502, Vec::new(), "text/html"),
            None => page(200, picture::photo(), "image/png"),
        };
    }
    let field = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let kind = field(header::CONTENT_TYPE.as_str());
    let args = Args::read(head.uri.query(), &kind, &body).unwrap_or_default();
    let latency = inner.look().weather.latency();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let (fault, rest) = {
        let mut world = inner.look();
        let fault = world.meet(&path);
        // The token endpoint is another server.
        let oauth = path.starts_with("/v4/");
        (
            fault,
            if oauth {
                Some(0)
            } else {
                world.count_call(arrived)
            },
        )
    };
    let limit = inner.look().switches.per_minute;
    let carried = match (&fault, rest) {
        (Some(fault), _) if !fault.is_after() => json!({}),
        (_, None) => error(-32, "Your application reached limit call api"),
        _ => inner.change(|world| {
            let call = method::Call {
                post: head.method == Method::POST,
                path: &path,
                args: &args,
                access: &field("access_token"),
                secret: &field("secret_key"),
                form: kind.starts_with("application/x-www-form-urlencoded"),
                arrived,
            };
            method::carry_out(world, &call)
        }),
    };
    let (mut status, mut answer) = (200, carried.to_string().into_bytes());
    // The pages say `text/json` more often than not; clients that insist on the other type are wrong.
    let mut kind = "text/json;charset=utf-8";
    let (mut silent, mut hangs) = (false, false);
    match fault {
        None => {}
        Some(Fault::Error(code, words)) => answer = error(code, &words).to_string().into_bytes(),
        Some(Fault::Html(code) | Fault::HtmlAfter(code)) => {
            let access = field("access_token");
            // A careless gateway repeats the headers in its page.
            answer =
                format!("<html><h1>{code}</h1><!-- access_token: {access} --></html>").into_bytes();
            (status, kind) = (code, "text/html");
        }
        Some(Fault::CloseBefore | Fault::CloseAfter) => silent = true,
        Some(Fault::HangAfter) => (silent, hangs) = (true, true),
        Some(Fault::Body(bytes)) => answer = bytes,
    }
    inner.change(|world| {
        world.calls.push(Call {
            verb: head.method.to_string(),
            path: path.clone(),
            parameters: Value::Object(args.values),
            status: (!silent).then_some(status),
            answer: answer.clone(),
            arrived,
        });
    });
    if hangs {
        inner.stopped().await;
    }
    if silent {
        scissors.cut();
    }
    let mut response = page(status, answer, kind);
    let numbers = [
        ("X-RateLimit-Limit", limit),
        ("X-RateLimit-Remain", rest.unwrap_or(0)),
    ];
    for (name, number) in numbers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from(number));
    }
    response
}

/// The envelope of an error. Zalo sends it with status 200.
pub(super) fn error(code: i64, words: &str) -> Value {
    json!({"error": code, "message": words})
}

fn page(status: u16, body: Vec<u8>, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
