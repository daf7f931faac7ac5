//! The other way round: the server posts updates to the bot's own URL.
//!
//! As on the real server, updates of one kind from one chat go one after the
//! other and the next waits until the one before it was taken; different
//! chats go side by side. An answer that is not 2xx is tried again at once,
//! then after a delay that doubles, or after what `Retry-After` asks for. An
//! answer may itself be a call (`{"method":"sendMessage",…}`).
//!
//! Only `http://` is spoken: this is for loopback.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::method::Failure;
use super::queue::Waiting;
use super::server::Inner;
use crate::sim::args::Args;

/// How long the bot may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A webhook that is set. Dropping it ends every delivery under way.
#[derive(Debug)]
pub(super) struct Webhook {
    url: String,
    connections: usize,
    last_error: Arc<Mutex<Option<(i64, String)>>>,
    task: JoinHandle<()>,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where to post.
#[derive(Debug, Clone)]
pub(super) struct Address {
    host: String,
    path: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, Failure> {
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            Failure::new(
                400,
                "Bad Request: bad webhook: this simulator posts over http:// only",
            )
        })?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let port = if host.contains(':') { "" } else { ":80" };
        Ok(Self {
            host: format!("{host}{port}"),
            path: path.to_owned(),
        })
    }
}

/// `getWebhookInfo`.
pub(super) fn info(inner: &Inner) -> Value {
    let (pending, allowed) = {
        let world = inner.look();
        (world.queue.len(), world.allowed.clone())
    };
    let webhook = inner.webhook();
    let mut info = json!({
        "url": webhook.as_ref().map_or("", |hook| hook.url.as_str()),
        "has_custom_certificate": false,
        "pending_update_count": pending,
    });
    if let Some(map) = info.as_object_mut() {
        if let Some(hook) = webhook.as_ref() {
            let error = hook
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Some((date, text)) = error {
                map.insert("last_error_date".into(), date.into());
                map.insert("last_error_message".into(), text.into());
            }
            map.insert("max_connections".into(), hook.connections.into());
            map.insert("ip_address".into(), "127.0.0.1".into());
        }
        if let Some(allowed) = allowed {
            map.insert("allowed_updates".into(), allowed.into());
        }
    }
    info
}

/// What all deliveries of one webhook share.
struct Post {
    inner: std::sync::Weak<Inner>,
    address: Address,
    secret: String,
    free: Semaphore,
    idle: Mutex<Vec<TcpStream>>,
    last_error: Arc<Mutex<Option<(i64, String)>>>,
    /// What waits, by order of delivery; an absent key has nobody at work.
    lines: Mutex<HashMap<i64, VecDeque<(u64, Waiting)>>>,
    pause: Duration,
}

/// Begins to post; everything that waits goes first.
pub(super) fn start(
    inner: &Arc<Inner>,
    url: &str,
    address: Address,
    secret: &str,
    connections: usize,
) -> Webhook {
    let last_error = Arc::new(Mutex::new(None));
    let post = Arc::new(Post {
        inner: Arc::downgrade(inner),
        address,
        secret: secret.to_owned(),
        free: Semaphore::new(connections),
        idle: Mutex::default(),
        last_error: last_error.clone(),
        lines: Mutex::default(),
        pause: inner.options.webhook_pause,
    });
    let task = tokio::spawn(distribute(post));
    Webhook {
        url: url.to_owned(),
        connections,
        last_error,
        task,
    }
}

async fn distribute(post: Arc<Post>) {
    let mut workers = JoinSet::new();
    let mut place = 0;
    loop {
        let Some(inner) = post.inner.upgrade() else {
            return;
        };
        let news = inner.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        let (fresh, shuffle) = {
            let world = inner.look();
            let (fresh, next) = if world.queue.held {
                (Vec::new(), place)
            } else {
                world.queue.waiting_from(place)
            };
            place = next;
            (fresh, world.faults.shuffle_webhook)
        };
        {
            let mut lines = post.lines.lock().unwrap_or_else(PoisonError::into_inner);
            for (place, one) in fresh {
                #[expect(
                    clippy::cast_possible_wrap,
                    reason = "only has to be different for each update"
                )]
                let key = if shuffle {
                    i64::MIN + place as i64
                } else {
                    one.key
                };
                match lines.entry(key) {
                    Entry::Occupied(mut line) => line.get_mut().push_back((place, one)),
                    Entry::Vacant(line) => {
                        line.insert(VecDeque::from([(place, one)]));
                        workers.spawn(work(post.clone(), key));
                    }
                }
            }
        }
        while workers.try_join_next().is_some() {}
        news.await;
    }
}

/// Delivers one line until it is empty.
async fn work(post: Arc<Post>, key: i64) {
    let mut failures = 0_u32;
    loop {
        let next = {
            let lines = post.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.get(&key).and_then(|line| line.front().cloned())
        };
        let Some((place, update)) = next else { return };
        let tried = {
            let Ok(_permit) = post.free.acquire().await else {
                return;
            };
            post.deliver(&update.body).await
        };
        let Some(inner) = post.inner.upgrade() else {
            return;
        };
        match tried {
            Ok(answer) => {
                failures = 0;
                // A spare copy comes right behind, as after a lost answer.
                if inner.change(|world| world.faults.repeats()) {
                    let _ = post.deliver(&update.body).await;
                }
                inner.change(|world| world.queue.settle(place));
                answer_is_call(&inner, &answer);
                let mut lines = post.lines.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(line) = lines.get_mut(&key) else {
                    return;
                };
                line.pop_front();
                // Gone in the same breath as found empty: whoever comes next
                // starts a new line.
                if line.is_empty() {
                    lines.remove(&key);
                    return;
                }
            }
            Err((text, retry_after)) => {
                let date = inner.look().clock.now();
                *post
                    .last_error
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some((date, text));
                let pause = match (retry_after, failures) {
                    (Some(asked), _) => asked.min(Duration::from_secs(3600)),
                    (None, 0) => Duration::ZERO,
                    (None, n) => {
                        (post.pause * 2_u32.saturating_pow(n.min(16) - 1)).min(LONGEST_PAUSE)
                    }
                };
                failures += 1;
                drop(inner);
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn answer_is_call(inner: &Inner, answer: &[u8]) {
    let Ok(Value::Object(mut values)) = serde_json::from_slice(answer) else {
        return;
    };
    let Some(Value::String(method)) = values.remove("method") else {
        return;
    };
    let args = Args {
        values,
        files: Vec::new(),
    };
    let method = method.to_ascii_lowercase();
    let now = Instant::now();
    if super::method::posts(&method) {
        inner
            .look()
            .meter
            .arrived(super::method::chat_of(&args).unwrap_or(0), now);
    }
    // The result of a call made this way is told to nobody.
    let _ = inner.carry_out(&method, &args, now);
}

impl Post {
    /// Posts one update. The error is what `getWebhookInfo` shows, with the
    /// pause that the bot asked for.
    async fn deliver(&self, body: &Bytes) -> Result<Vec<u8>, (String, Option<Duration>)> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(body)).await;
        match exchange {
            Ok(Ok((status, _, answer))) if (200..300).contains(&status) => Ok(answer),
            Ok(Ok((status, retry_after, _))) => Err((
                format!("Wrong response from the webhook: {status}"),
                retry_after,
            )),
            Ok(Err(error)) => Err((format!("Connection failed: {error}"), None)),
            Err(_) => Err(("Read timeout expired".to_owned(), None)),
        }
    }

    async fn exchange(&self, body: &Bytes) -> io::Result<(u16, Option<Duration>, Vec<u8>)> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address.host).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let mut request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            self.address.path,
            self.address.host,
            body.len()
        );
        if !self.secret.is_empty() {
            request.push_str("X-Telegram-Bot-Api-Secret-Token: ");
            request.push_str(&self.secret);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request).await?;
        let (status, retry_after, answer, reusable) = read_answer(&mut stream).await?;
        if reusable {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(stream);
        }
        Ok((status, retry_after, answer))
    }
}

/// Reads an HTTP/1.1 answer: status, `Retry-After`, body, may be used again.
async fn read_answer(stream: &mut TcpStream) -> io::Result<(u16, Option<Duration>, Vec<u8>, bool)> {
    let mut read = Vec::with_capacity(1024);
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if read.len() > 1 << 16 || stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head =
        String::from_utf8_lossy(read.get(..head_end).unwrap_or_default()).to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.trim().parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    let field = |name: &str| {
        head.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(':')
                .map(|value| value.trim().to_owned())
        })
    };
    let retry_after = field("retry-after")
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    let close = field("connection").is_some_and(|value| value == "close");
    let mut body = read.split_off(head_end);
    if field("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        // Answers are small; the bot's own server sends them in one chunk.
        while !body.ends_with(b"0\r\n\r\n") {
            if stream.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok((status, retry_after, unchunk(&body), !close));
    }
    let length: usize = field("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((status, retry_after, body, !close))
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = body.windows(2).position(|two| two == b"\r\n") {
        let size = body.get(..at).and_then(|size| str::from_utf8(size).ok());
        let size =
            size.and_then(|size| usize::from_str_radix(size.split(';').next()?.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else {
            break;
        };
        out.extend_from_slice(body.get(at + 2..at + 2 + size).unwrap_or_default());
        body = body.get(at + 4 + size..).unwrap_or_default();
    }
    out
}
