//! Keeping the records: health, verify, backup and restore, beside a running server or alone.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;
use bytes::BytesMut;

use crate::app;
use crate::config::Config;
use crate::config::StoreKind;
use crate::store::Store;
use crate::store::backup as backups;
use crate::store::verify as invariants;

/// How a command reaches the records.
pub(super) enum Access {
    /// Nobody else has them open.
    Store(Arc<dyn Store>),
    /// A server has them open: ask it.
    Running(Running),
}

/// A server on this machine.
pub(super) struct Running {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// Lines of an answer, as they come.
pub(super) struct Lines {
    answer: reqwest::Response,
    buffer: BytesMut,
    ended: bool,
}

/// The store's directory.
pub(super) fn directory(config: &Config) -> anyhow::Result<&PathBuf> {
    match &config.store.kind {
        StoreKind::Sled(path) => Ok(path),
        StoreKind::Memory => bail!("`store.kind` is \"memory\": there is nothing on disk"),
    }
}

/// Opens the store, or finds the server that has it open.
pub(super) async fn open_or_ask(config: &Config) -> anyhow::Result<Access> {
    let directory = directory(config)?;
    if !directory.exists() {
        bail!(
            "there is no store in {}: run `keng serve` first, or give the right --config",
            directory.display()
        );
    }
    if let Some(running) = Running::find(config, directory).await? {
        return Ok(Access::Running(running));
    }
    Ok(Access::Store(app::open_store(config).await?))
}

/// As [`open_or_ask`], and makes the store if there is none.
pub(super) async fn open_or_create(config: &Config) -> anyhow::Result<Access> {
    if directory(config)?.exists() {
        open_or_ask(config).await
    } else {
        Ok(Access::Store(app::open_store(config).await?))
    }
}

impl Running {
    /// The server that has the store of this config open; its store is never opened here.
    pub(super) async fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        Self::find(config, directory(config)?).await
    }

    async fn find(config: &Config, directory: &Path) -> anyhow::Result<Option<Self>> {
        let Ok(token) = std::fs::read_to_string(directory.join(app::ADMIN_TOKEN_FILE)) else {
            return Ok(None);
        };
        let http = app::http_client()?;
        let base = format!("http://{}", config.web.listen);
        let answer = http
            .get(format!("{base}/health"))
            .timeout(Duration::from_secs(3))
            .send()
            .await;
        Ok(answer.is_ok().then(|| Self {
            http,
            base,
            token: token.trim().to_owned(),
        }))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
        request
            .bearer_auth(&self.token)
            .send()
            .await
            .with_context(|| format!("asking the running server at {}", self.base))
    }

    async fn get(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        let request = self.http.get(format!("{}/{path}", self.base));
        let answer = self.send(request).await?;
        if !answer.status().is_success() {
            bail!(
                "the running server at {} answered {}",
                self.base,
                answer.status()
            );
        }
        Ok(answer)
    }

    /// What is served at a path; nothing where there is nothing.
    pub(super) async fn file(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let request = self.http.get(format!("{}/{path}", self.base));
        let answer = self.send(request).await?;
        match answer.status() {
            reqwest::StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer.bytes().await?.to_vec())),
            status => bail!("the running server at {} answered {status}", self.base),
        }
    }

    /// Has something done; the server's own words when it could not be.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        let request = self
            .http
            .post(format!("{}/{path}", self.base))
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = self.send(request).await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the running server refused ({status}): {text}");
        }
        serde_json::from_str(&text).context("the running server sent an answer that is not JSON")
    }

    /// The lines of an answer.
    pub(super) async fn lines(&self, path: &str) -> anyhow::Result<Lines> {
        Ok(Lines {
            answer: self.get(path).await?,
            buffer: BytesMut::new(),
            ended: false,
        })
    }
}

impl Lines {
    /// The next line without its end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer) {
                let line = self.buffer.split_to(at + 1);
                return Ok(Some(
                    String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned(),
                ));
            }
            if self.ended {
                // The server ends each line; a rest without an end means that it broke off.
                if self.buffer.is_empty() {
                    return Ok(None);
                } else {
                    bail!("the running server broke off")
                }
            }
            match self
                .answer
                .chunk()
                .await
                .context("reading from the running server")?
            {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }
}

pub(super) fn health(config: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::config::load_without_secrets(config)?;
    super::serve::runtime()?.block_on(async {
        let url = format!("http://{}/health", config.web.listen);
        let answer = app::http_client()?
            .get(&url)
            .timeout(Duration::from_secs(3))
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => {
                outln!("ok");
                Ok(ExitCode::SUCCESS)
            }
            Ok(answer) => bail!(
                "{url} answered {}: {}",
                answer.status(),
                answer.text().await.unwrap_or_default().trim()
            ),
            Err(error) => bail!("{url} does not answer: {}", error.without_url()),
        }
    })
}

pub(super) fn verify(config: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::config::load_without_secrets(config)?;
    let directory = directory(&config)?;
    if !directory.exists() {
        bail!("there is no store in {}", directory.display());
    }
    let report = invariants::verify(directory, app::store_options(&config))?;
    outln!("{report}");
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

pub(super) fn backup(config: &Path, file: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::config::load_without_secrets(config)?;
    super::serve::runtime()?.block_on(async {
        match open_or_ask(&config).await? {
            Access::Store(store) => {
                let summary = store.backup(file).await?;
                store.close().await?;
                outln!("{}: {summary}", file.display());
            }
            Access::Running(server) => {
                // Written beside its final name and renamed, so that a half copy never looks like a whole one.
                let part = file.with_extension("part");
                let mut out = std::fs::File::create(&part)
                    .with_context(|| format!("creating {}", part.display()))?;
                let mut answer = server.get("api/backup").await?;
                while let Some(chunk) = answer
                    .chunk()
                    .await
                    .context("reading from the running server")?
                {
                    std::io::Write::write_all(&mut out, &chunk)?;
                }
                out.sync_all()?;
                let summary = backups::check(&part)?;
                std::fs::rename(&part, file)?;
                outln!(
                    "{}: {} keys, {} bytes",
                    file.display(),
                    summary.lines,
                    summary.bytes
                );
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn restore(config: &Path, file: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::config::load_without_secrets(config)?;
    let directory = directory(&config)?;
    let report = backups::restore(file, directory, app::store_options(&config))?;
    outln!("{}:\n{report}", directory.display());
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
