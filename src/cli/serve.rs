//! `keng serve` and `keng check-config`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::config::Config;
use crate::config::Door;
use crate::config::LogFormat;
use crate::config::StoreKind;
use crate::domain::clock::SystemClock;

/// Two threads serve a ward; the store has its own.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the async runtime")
}

/// Logs go to standard error: standard output is for what was asked.
fn log(config: &Config) {
    let filter = config
        .log
        .level
        .parse::<EnvFilter>()
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

pub(super) fn serve(path: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::config::load(path)?;
    log(&config);
    runtime()?.block_on(async {
        // Listening before anything is started: a signal during the start is not lost.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut app = App::start(config, Arc::new(SystemClock)).await?;
        info!(listen = %app.address(), "kẻng serves");
        let ended = tokio::select! {
            _ = terminate.recv() => { info!("SIGTERM: stopping"); Ok(()) }
            _ = interrupt.recv() => { info!("SIGINT: stopping"); Ok(()) }
            failed = app.failed() => Err(failed),
        };
        let stopped = app.stop().await;
        // Why it had to end comes first: that it then did not end cleanly follows from it.
        ended?;
        stopped?;
        info!("stopped cleanly");
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn check_config(path: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::config::load(path)?;
    match &config.store.kind {
        StoreKind::Sled(path) => outln!("store: sled in {}", path.display()),
        StoreKind::Memory => outln!("store: in memory, forgotten at the end"),
    }
    outln!("web: {}", config.web.listen);
    if let Some(url) = &config.web.public_url {
        outln!("public: {url}");
    }
    for account in &config.accounts {
        let receive = if account.takes_webhooks() {
            format!("webhook at /hooks/{}", account.name)
        } else {
            "poll".to_owned()
        };
        outln!(
            "account {}: {} at {}, {receive}, token ***, {} a second, {} a minute in one group",
            account.name,
            account.platform().as_str(),
            account.api_url(),
            account.limits.per_second,
            account.limits.room_per_minute
        );
        if let Door::ZaloBot(door) = &account.door {
            match door.quota {
                Some(quota) => outln!(
                    "  {} messages a month, both ways; {} of them kept for alerts",
                    quota.monthly,
                    quota.reserve
                ),
                None => outln!("  no monthly limit"),
            }
        }
    }
    outln!(
        "alert templates: {}",
        crate::app::templates(&config)?.all().len()
    );
    for person in &config.staff {
        outln!(
            "{}: {} in {} ({}), on {}",
            person.name,
            person.role.as_str(),
            config.areas.title(&person.area),
            person.area,
            person
                .identities
                .iter()
                .map(|(account, _)| account.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let mut bindings: Vec<_> = config.bindings.iter().collect();
    bindings.sort();
    for (room, area) in bindings {
        outln!("room {room}: {} ({area})", config.areas.title(area));
    }
    if config.accounts.is_empty() {
        outln!("note: no [[account]]: nothing would be received; see config/ward.example.toml");
    }
    if config.staff.is_empty() {
        outln!("note: no [[officer]]: nobody could send an alert or read a digest");
    }
    outln!("ok");
    Ok(ExitCode::SUCCESS)
}
