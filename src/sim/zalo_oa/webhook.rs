//! Calls the webhook: each event when it is due, again on the rungs of a ladder when the bot did not
//! answer 200 within two seconds.
//!
//! Only loopback is ever called.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::server::Inner;
use super::world::Event;
use crate::sim::weather::Trouble;

/// How long the bot may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls under way at once.
const AT_ONCE: usize = 32;

/// Delivers until the simulator stops.
pub(super) async fn deliver(inner: Arc<Inner>) {
    let mut calls = JoinSet::new();
    loop {
        let news = inner.news.notified();
        tokio::pin!(news);
        // Listening before looking: what comes in between is not missed.
        news.as_mut().enable();
        let mut next_ms = None;
        while calls.len() < AT_ONCE {
            let (due, later) = take_due(&inner);
            next_ms = later;
            let Some((event, url)) = due else { break };
            let inner = Arc::clone(&inner);
            calls.spawn(async move {
                let taken = call(&url, &event).await;
                inner.change(|world| {
                    if taken {
                        world.stats.taken += 1;
                    } else {
                        world.missed(event);
                    }
                });
                inner.under_way.fetch_sub(1, Ordering::SeqCst);
                inner.heard.notify_waiters();
            });
        }
        let mut stop = inner.stop.subscribe();
        let wait =
            next_ms.map(|ms| Duration::from_millis(ms.saturating_sub(inner.look().now_ms())));
        tokio::select! {
            () = news => {}
            Some(_) = calls.join_next(), if !calls.is_empty() => {}
            () = tokio::time::sleep(wait.unwrap_or(PATIENCE)), if wait.is_some() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The first event that is due, and when the next one will be.
fn take_due(inner: &Inner) -> (Option<(Event, String)>, Option<u64>) {
    let mut world = inner.look();
    let Some(url) = world.webhook.clone() else {
        return (None, None);
    };
    if world.weather.is(Trouble::Outage) {
        return (None, None);
    }
    let now = world.now_ms();
    let due = world.events.iter().position(|event| event.due_ms <= now);
    match due.and_then(|at| world.events.remove(at)) {
        Some(event) => {
            // Under the lock: it is never seen in neither place.
            inner.under_way.fetch_add(1, Ordering::SeqCst);
            (Some((event, url)), None)
        }
        None => (None, world.events.iter().map(|event| event.due_ms).min()),
    }
}

/// Whether the bot answered 200 in time.
async fn call(url: &str, event: &Event) -> bool {
    let Some(rest) = url.strip_prefix("http://") else {
        return false;
    };
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if !host.starts_with("127.") && !host.starts_with("localhost") {
        return false;
    }
    let exchange = async {
        let mut stream = TcpStream::connect(host).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             X-ZEvent-Signature: {}\r\nnum_retry: {}\r\nConnection: close\r\n\r\n",
            event.body.len(),
            event.signature,
            event.tries
        )
        .into_bytes();
        request.extend_from_slice(&event.body);
        stream.write_all(&request).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        Some(head.ends_with(b" 200"))
    };
    let answered = tokio::time::timeout(PATIENCE, exchange).await;
    answered.ok().flatten() == Some(true)
}
