//! Composition root: the only file that names every part.
//!
//! [`App::start`] opens the store, proves the accounts, and starts one task for each thing that goes on:
//! a source that polls, an outbox worker for each account, the intake, the web. [`App::stop`] ends them in
//! the order in which nothing is lost: first no news is taken, then what was taken is recorded, then what
//! was claimed is settled, then the store is closed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::channel::Channel;
use crate::channel::PollError;
use crate::channel::Source;
use crate::channel::telegram::Settings as TelegramSettings;
use crate::channel::telegram::Telegram;
use crate::config::AccountConfig;
use crate::config::Config;
use crate::config::Receive;
use crate::config::StoreConfig;
use crate::config::StoreKind;
use crate::desk::Desk;
use crate::domain::account::Platform;
use crate::domain::clock::Clock;
use crate::domain::ids::AccountName;
use crate::domain::message::Message;
use crate::domain::message::Press;
use crate::domain::reading::Command;
use crate::domain::secret::Secret;
use crate::intake::Commands;
use crate::intake::Intake;
use crate::store::Act;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::memory::MemoryStore;
use crate::store::sled::SledStore;
use crate::web;

/// The file in the store's directory with the token of the running program's administrator.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";

/// The longest wait between two tries to reach a platform.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Everything that is claimed or on the way must be settled within this time of a stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running program.
#[derive(Debug)]
pub struct App {
    store: Arc<dyn Store>,
    address: SocketAddr,
    stop: watch::Sender<Stop>,
    failures: mpsc::Receiver<anyhow::Error>,
    sources: Vec<JoinHandle<()>>,
    intake: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    web: JoinHandle<()>,
    admin_file: Option<std::path::PathBuf>,
}

/// How far a stop has come; every part watches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// Everything goes on.
    No,
    /// No news is taken any more.
    Sources,
    /// Nothing new is sent any more.
    Everything,
}

/// The one HTTP client: kept-alive connections, no retries, no sleeping inside a call.
///
/// # Errors
/// When the TLS library cannot start.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // Above the longest poll; single calls set shorter limits of their own.
        .timeout(Duration::from_secs(75))
        .pool_idle_timeout(Duration::from_secs(90))
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("keng/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("building the HTTP client")
}

/// Opens the store that the config names.
///
/// # Errors
/// When another program has it open, the disk is full, or it is damaged beyond repair by itself.
pub async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let StoreConfig { kind, cache_bytes, min_free_bytes, keep_journal } = config.store.clone();
    let StoreKind::Sled(path) = kind else { return Ok(Arc::new(MemoryStore::new())) };
    let options = crate::store::sled::Options { cache_bytes, min_free_bytes, keep_journal, ..Default::default() };
    let shown = path.display().to_string();
    let store = tokio::task::spawn_blocking(move || SledStore::open(&path, options))
        .await
        .context("the thread that opens the store")?
        .with_context(|| format!("opening the store in {shown}"))?;
    Ok(Arc::new(store))
}

/// The desk, as the intake asks it.
#[derive(Debug)]
struct DeskCommands(Desk);

#[async_trait]
impl Commands for DeskCommands {
    async fn act(&self, message: &Message, command: &Command) -> Result<Option<Act>, StoreError> {
        self.0.act(message, command).await
    }

    async fn pressed(&self, press: &Press) -> Result<Option<Act>, StoreError> {
        self.0.pressed(press).await
    }

    async fn said_privately(&self, message: &Message) -> Result<Option<Act>, StoreError> {
        self.0.said_privately(message).await
    }
}

/// One account as the root holds it while wiring.
struct Wired {
    name: AccountName,
    channel: Arc<dyn Channel>,
    source: Option<Box<dyn Source>>,
}

fn wire(account: &AccountConfig, config: &Config, http: &reqwest::Client) -> anyhow::Result<Wired> {
    match account.platform {
        Platform::Telegram => {
            let (webhook_secret, hook_url) = match &account.receive {
                Receive::Poll => (None, None),
                Receive::Webhook(secret) => {
                    let base = config.web.public_url.as_ref().context("`web.public_url` is needed for webhooks")?;
                    let url = format!("{}/hooks/{}", base.as_str().trim_end_matches('/'), account.name);
                    (Some(secret.clone()), Some(url.parse().context("the address of the webhook")?))
                }
            };
            let polls = hook_url.is_none();
            let telegram = Telegram::new(TelegramSettings {
                account: account.name.clone(),
                api_url: account.api_url.clone(),
                token: account.token.clone(),
                webhook_secret,
                hook_url,
                http: http.clone(),
            });
            Ok(Wired {
                name: account.name.clone(),
                source: polls.then(|| Box::new(telegram.source()) as Box<dyn Source>),
                channel: Arc::new(telegram),
            })
        }
        other => anyhow::bail!("the platform {} is not built yet", other.as_str()),
    }
}

/// Asks the platform who we are until it answers. A platform that is away must not stop the others.
async fn introduce(channel: &Arc<dyn Channel>, stop: &mut watch::Receiver<Stop>) -> Option<crate::channel::Profile> {
    let account = channel.account().name.clone();
    let mut pause = Duration::from_secs(1);
    loop {
        let asked = async {
            channel.prepare().await?;
            channel.profile().await
        };
        let answer = tokio::select! {
            answer = asked => answer,
            _ = stop.changed() => return None,
        };
        match answer {
            Ok(profile) => {
                for warning in &profile.warnings {
                    warn!(%account, "{warning}");
                }
                return Some(profile);
            }
            Err(error) => warn!(%account, %error, wait_ms = pause.as_millis() as u64, "the platform did not introduce us"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => return None,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Polls, hands over, and polls again only when all of it is durable.
async fn receive(
    account: AccountName,
    mut source: Box<dyn Source>,
    intake: Intake,
    mut stop: watch::Receiver<Stop>,
    failed: mpsc::Sender<anyhow::Error>,
) {
    let mut pause = Duration::from_millis(250);
    loop {
        let news = tokio::select! {
            news = source.next() => news,
            _ = stop.changed() => break,
        };
        let wait = match news {
            Ok(inbound) => {
                pause = Duration::from_millis(250);
                if let Err(error) = intake.submit(inbound).await {
                    let _ = failed.send(anyhow::Error::new(error).context("recording news")).await;
                    return;
                }
                continue;
            }
            Err(PollError::NotNow { why, wait }) => {
                let wait = wait.unwrap_or(pause);
                warn!(%account, why, wait_ms = wait.as_millis() as u64, "no news from the platform");
                wait
            }
            Err(PollError::NeedsPerson(why)) => {
                error!(%account, why, "this account receives nothing until somebody acts");
                LONGEST_PAUSE
            }
        };
        pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => break,
        }
    }
    // What was handed over is durable: say so, or the platform tells it all again at the next start.
    if let Err(error) = tokio::time::timeout(Duration::from_secs(2), source.confirm()).await.unwrap_or(Ok(())) {
        info!(%account, %error, "the last news could not be confirmed; they will be told again and known");
    }
}
