//! The bot of the demo: this very program as `keng serve`, in a process of its own, so that it can be killed in the
//! middle of anything and started again with its records kept.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;
use tokio::sync::watch;

use crate::sim::town::Town;

/// What the bot logs when it is ready.
const READY: &str = "kẻng serves";

/// How long a start, and an orderly end, may take; a store of a hundred thousand rooms takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines of its log that are shown when it ends by itself.
const LAST_WORDS: usize = 12;

/// Tries to find a port that nobody takes between our looking and the bot's listening.
const TRIES: usize = 3;

/// The bot, running or not.
pub(super) struct Bot {
    program: PathBuf,
    town: Town,
    home: TempDir,
    web: SocketAddr,
    secrets: Vec<(String, String)>,
    /// Whoever plays and whoever watches may both switch it: one after the other.
    switch: tokio::sync::Mutex<()>,
    running: Mutex<Option<Running>>,
    /// The most memory that it held, in KiB, where the system tells.
    peak_kib: AtomicU64,
}

struct Running {
    child: Child,
    last_words: Arc<Mutex<VecDeque<String>>>,
}

impl Bot {
    /// Starts the program for this town, with a new store.
    pub(super) async fn start(program: &Path, town: &Town) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("keng-demo-")
            .tempdir()
            .context("making a directory for the store")?;
        let mut bot = Self {
            program: program.to_owned(),
            town: town.clone(),
            home,
            web: ([127, 0, 0, 1], 0).into(),
            secrets: Vec::new(),
            switch: tokio::sync::Mutex::new(()),
            running: Mutex::new(None),
            peak_kib: AtomicU64::new(0),
        };
        for left in (0..TRIES).rev() {
            bot.web = free_port()?;
            let (config, secrets) = super::super::town::config(town, &bot.data(), bot.web);
            std::fs::write(bot.config(), config).context("writing the bot's config")?;
            bot.secrets = secrets;
            match bot.switch_on().await {
                Ok(()) => return Ok(bot),
                Err(error) if left == 0 => return Err(error),
                Err(_) => {}
            }
        }
        Ok(bot)
    }

    /// The directory of its store.
    pub(super) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The file of its config.
    pub(super) fn config(&self) -> PathBuf {
        self.home.path().join("ward.toml")
    }

    /// It runs.
    pub(super) fn is_on(&self) -> bool {
        self.running().is_some()
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it with the store as it is; nothing where it runs.
    pub(super) async fn switch_on(&self) -> anyhow::Result<()> {
        let _turn = self.switch.lock().await;
        if self.is_on() {
            return Ok(());
        }
        let mut child = Command::new(&self.program)
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .envs(self.secrets.iter().map(|(name, secret)| (name, secret)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {} serve", self.program.display()))?;
        let log = child.stderr.take().context("the bot has no log")?;
        let (ready, mut is_ready) = watch::channel(false);
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&last_words);
        tokio::spawn(async move {
            let mut lines = BufReader::new(log).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains(READY) {
                    ready.send_replace(true);
                }
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LAST_WORDS {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        let started = tokio::time::timeout(PATIENCE, is_ready.wait_for(|ready| *ready)).await;
        let started = matches!(started, Ok(Ok(_)));
        let running = Running { child, last_words };
        if !started {
            bail!("the bot did not start: {}", running.said());
        }
        *self.running() = Some(running);
        for account in self.town.accounts() {
            account.set_webhook(&format!("http://{}/hooks/{}", self.web, account.name));
        }
        Ok(())
    }

    /// Kills it, as a power cut does.
    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        let _turn = self.switch.lock().await;
        self.measure();
        let running = self.running().take();
        if let Some(mut running) = running {
            running.child.kill().await.context("killing the bot")?;
        }
        Ok(())
    }

    /// Asks it to end, and sees that it does so in order.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let _turn = self.switch.lock().await;
        self.measure();
        let running = self.running().take();
        let Some(mut running) = running else {
            return Ok(());
        };
        let pid = running.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // It may have ended just now; then there is nobody to be asked, and the wait below tells how.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let ended = tokio::time::timeout(PATIENCE, running.child.wait()).await;
        let status = ended
            .context("the bot did not end when it was asked to")?
            .context("waiting for the bot to end")?;
        if !status.success() {
            bail!("the bot ended with {status}: {}", running.said());
        }
        Ok(())
    }

    /// Fails when it ended by itself.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(running) = &mut *self.running()
            && let Some(status) = running.child.try_wait()?
        {
            bail!("the bot ended by itself with {status}: {}", running.said());
        }
        Ok(())
    }

    /// The rows of `keng export`, beside it or while it is down.
    pub(super) async fn export(&self, what: &str) -> anyhow::Result<Vec<Value>> {
        let out = self.ask(&["export", what, "--format", "jsonl"]).await?;
        if !out.status.success() {
            bail!(
                "keng export {what}: {}",
                String::from_utf8_lossy(&out.stderr)
            );
        }
        let lines = String::from_utf8_lossy(&out.stdout).into_owned();
        let rows = lines.lines().map(serde_json::from_str);
        rows.collect::<Result<_, _>>()
            .context("reading what keng export wrote")
    }

    /// What `keng verify` says; nothing when all is well.
    pub(super) async fn verify(&self) -> anyhow::Result<Option<String>> {
        let out = self.ask(&["verify"]).await?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        Ok((!out.status.success()).then_some(said))
    }

    async fn ask(&self, what: &[&str]) -> anyhow::Result<std::process::Output> {
        Command::new(&self.program)
            .args(what)
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("running keng {}", what.join(" ")))
    }

    /// The most memory that it held so far, in KiB; 0 where the system does not tell.
    pub(super) fn peak_kib(&self) -> u64 {
        self.measure();
        self.peak_kib.load(Ordering::Relaxed)
    }

    fn measure(&self) {
        let running = self.running();
        let pid = running.as_ref().and_then(|running| running.child.id());
        if let Some(kib) = pid.and_then(|pid| peak_kib_of(&pid.to_string())) {
            self.peak_kib.fetch_max(kib, Ordering::Relaxed);
        }
    }
}

impl Running {
    fn said(&self) -> String {
        let lines = self
            .last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        format!("its last words:\n{}", lines.join("\n"))
    }
}

/// The most memory that a process held (`self` for this one), in KiB, where the system tells.
pub(super) fn peak_kib_of(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// An address that is free now.
fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("looking for a port")?;
    Ok(listener.local_addr()?)
}
