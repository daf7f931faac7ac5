//! The other way round: the platform posts updates to the bot's own address, one after the other.
//!
//! Only loopback is ever called: the town does not leave the machine.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::server::Inner;
use super::world::{Hook, Probe};

/// How long the bot may take to answer (a third party says so; the platform does not).
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// A webhook that is set. Dropping it ends the delivery under way.
#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) set_at: u64,
    task: JoinHandle<()>,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where to post: host with port, and path.
#[derive(Debug, Clone)]
pub(super) struct Address {
    host: String,
    path: String,
}

/// Checks an address. `None`: it is allowed and lies outside, so nobody is called.
pub(super) fn address(url: &str, strict: bool) -> Result<Option<Address>, &'static str> {
    let split = |rest: &str| {
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        (host.to_owned(), path.to_owned())
    };
    if let Some(rest) = url.strip_prefix("https://") {
        let (host, _) = split(rest);
        let name = host.split(':').next().unwrap_or_default();
        let private = name == "localhost"
            || name.starts_with("127.")
            || name.starts_with("10.")
            || name.starts_with("192.168.")
            || name.starts_with('[')
            || !name.contains('.');
        return if private {
            Err("the address of a webhook must be public")
        } else {
            Ok(None)
        };
    }
    match url.strip_prefix("http://") {
        Some(rest) if !strict => {
            let (host, path) = split(rest);
            if host.starts_with("127.") || host.starts_with("localhost") {
                Ok(Some(Address { host, path }))
            } else {
                Err("this town calls nobody outside")
            }
        }
        _ => Err("the address of a webhook must begin with https://"),
    }
}

/// Begins to post; what waits goes first, behind the probe.
pub(super) fn start(
    inner: &Arc<Inner>,
    url: &str,
    address: Option<Address>,
    secret: &str,
) -> Webhook {
    let set_at = inner.look().now_ms();
    let (weak, secret) = (Arc::downgrade(inner), secret.to_owned());
    let task = tokio::spawn(async move {
        if let Some(address) = address {
            deliver(weak, address, secret).await;
        }
    });
    Webhook {
        url: url.to_owned(),
        set_at,
        task,
    }
}

async fn deliver(inner: Weak<Inner>, address: Address, secret: String) {
    let Some(alive) = inner.upgrade() else { return };
    let (probe, now) = {
        let world = alive.look();
        (world.switches.probe, world.now_ms())
    };
    let probe = match probe {
        Probe::Event => Some(
            json!({"event_name": "webhook.test", "message": {"date": now / 1_000,
                "message_id": "webhook-test", "text": "a test of the webhook, please answer 200"}})
            .to_string(),
        ),
        Probe::Empty => Some(String::new()),
        Probe::None => None,
    };
    if let Some(body) = probe {
        // The address is kept whatever the answer.
        let _ = post(&address, &secret, &body).await;
    }
    loop {
        let (taken, retries, repeats) = loop {
            let news = alive.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let mut world = alive.look();
                if let Some(update) = world.take() {
                    let body = match world.switches.hook {
                        Hook::Flat => update,
                        Hook::Wrapped => json!({"ok": true, "result": update}),
                    };
                    break (
                        body,
                        world.switches.hook_retries,
                        world.switches.hook_repeats,
                    );
                }
            }
            tokio::select! {
                () = news => {}
                () = alive.stopped() => return,
            }
        };
        tell(&address, &secret, &taken, retries, repeats).await;
        alive.change(super::world::World::asked_past);
    }
}

/// One update: again when it is not taken, and as often more as the switches say.
async fn tell(address: &Address, secret: &str, update: &Value, retries: u32, repeats: u32) {
    let body = update.to_string();
    for _ in 0..=retries {
        if matches!(post(address, secret, &body).await, Ok(status) if (200..300).contains(&status))
        {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    for _ in 0..repeats {
        let _ = post(address, secret, &body).await;
    }
}

/// Posts once; gives the status of the answer.
async fn post(address: &Address, secret: &str, body: &str) -> io::Result<u16> {
    let exchange = async {
        let mut stream = TcpStream::connect(&address.host).await?;
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nx-bot-api-secret-token: {secret}\r\n{kind}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            address.path,
            address.host,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let line = String::from_utf8_lossy(&answer);
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.ok_or_else(|| io::Error::other("no status line"))
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
