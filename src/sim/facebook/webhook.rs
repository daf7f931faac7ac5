//! Calls the webhook: first the question whether it is the bot's, then everything that is due, and again
//! what was not answered 200 within five seconds.
//!
//! Only loopback is ever called.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::server::Inner;
use super::world::Call;

/// How long the bot may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries to verify a webhook.
const VERIFY_AGAIN: Duration = Duration::from_millis(50);

/// Calls under way at once.
const AT_ONCE: usize = 8;

/// Delivers until the simulator stops.
pub(super) async fn deliver(inner: Arc<Inner>) {
    let mut calls = JoinSet::new();
    loop {
        let news = inner.news.notified();
        tokio::pin!(news);
        // Listening before looking: what comes in between is not missed.
        news.as_mut().enable();
        let mut next_ms = None;
        let mut wait = None;
        if verified(&inner).await {
            while calls.len() < AT_ONCE {
                let (due, later) = take_due(&inner);
                next_ms = later;
                let Some((call, url)) = due else { break };
                let inner = Arc::clone(&inner);
                calls.spawn(async move {
                    let taken = post(&url, &call).await;
                    inner.change(|world| {
                        if taken {
                            world.stats.taken += 1;
                        } else {
                            world.missed(call.clone());
                        }
                    });
                    inner.under_way.fetch_sub(call.count, Ordering::SeqCst);
                    inner.heard.notify_waiters();
                });
            }
        } else if inner.look().webhook.is_some() {
            wait = Some(VERIFY_AGAIN);
        }
        let due = next_ms.map(|ms| Duration::from_millis(ms.saturating_sub(inner.look().now_ms())));
        let wait = wait.or(due);
        let mut stop = inner.stop.subscribe();
        tokio::select! {
            () = news => {}
            Some(_) = calls.join_next(), if !calls.is_empty() => {}
            () = tokio::time::sleep(wait.unwrap_or(PATIENCE)), if wait.is_some() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Whether the webhook has answered the challenge.
async fn verified(inner: &Inner) -> bool {
    let (url, token) = {
        let world = inner.look();
        if world.verified {
            return world.webhook.is_some();
        }
        let Some(url) = world.webhook.clone() else {
            return false;
        };
        (url, world.options.verify_token.clone())
    };
    let challenge = "1158201444";
    let query = format!("?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}");
    let answer = exchange(&url, &query, "GET", "", &[]).await;
    let is_right = answer.is_some_and(|answer| {
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(&format!("\r\n\r\n{challenge}"))
    });
    if is_right {
        inner.look().verified = true;
    }
    is_right
}

fn take_due(inner: &Inner) -> (Option<(Call, String)>, Option<u64>) {
    let mut world = inner.look();
    let Some(url) = world.webhook.clone() else {
        return (None, None);
    };
    match world.next_call() {
        (Some(call), _) => {
            // Under the lock: it is never seen in neither place.
            inner.under_way.fetch_add(call.count, Ordering::SeqCst);
            (Some((call, url)), None)
        }
        (None, later) => (None, later),
    }
}

async fn post(url: &str, call: &Call) -> bool {
    let header = format!("X-Hub-Signature-256: {}\r\n", call.signature);
    let answer = exchange(url, "", "POST", &header, &call.body).await;
    answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The whole answer, if it came in time.
async fn exchange(
    url: &str,
    query: &str,
    method: &str,
    headers: &str,
    body: &[u8],
) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if !host.starts_with("127.") && !host.starts_with("localhost") {
        return None;
    }
    let talk = async {
        let mut stream = TcpStream::connect(host).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let mut request = format!(
            "{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{headers}Connection: close\r\n\r\n",
            body.len(),
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::time::timeout(PATIENCE, talk).await.ok().flatten()
}
