//! Our own copies of residents' photos.
//!
//! Some platforms show a photo by an address that ends one day, and evidence must not end with it. A copy
//! is a file `CASE-HASH.jpg` in the store's directory, made after the report is on record: the file itself
//! is the mark that it is done, so nothing else has to be kept, and what a crash or an outage left undone
//! is found by the next look. When a report is erased, its photos are no longer named by any case, and
//! their copies go, too.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;
use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tracing::warn;
use url::Url;

use crate::channel::Channel;
use crate::domain::alert::Enclosure;
use crate::domain::clock::Clock;
use crate::domain::ids::AccountName;
use crate::domain::ids::IncidentId;
use crate::domain::incident::Incident;
use crate::outbox;
use crate::store::IncidentQuery;
use crate::store::Store;
use crate::store::StoreError;

/// The directory inside the store's.
pub(super) const DIRECTORY: &str = "photos";

/// What is still without a copy is looked for so often, and so is what must go.
const LOOK: Duration = Duration::from_secs(3600);

/// A case older than this is not looked through again: its photos are copied or their address has ended.
const LOOK_BACK: TimeDelta = TimeDelta::hours(72);

/// Larger photos are left where they are. Phones of today make photos of up to 8 MB.
const MAX_BYTES: usize = 16 << 20;

/// A photo that has not come by then is tried again at the next look.
const PATIENCE: Duration = Duration::from_secs(60);

/// An alert does not wait longer for its photo.
const ALERT_PATIENCE: Duration = Duration::from_secs(5);

/// What was done, in numbers.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) copied: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) erased: AtomicU64,
}

/// Whoever copies photos.
pub(super) struct Photos {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) http: reqwest::Client,
    pub(super) channels: HashMap<AccountName, Arc<dyn Channel>>,
    pub(super) directory: PathBuf,
    /// Cases that may have got a photo, or lost one.
    pub(super) cases: mpsc::Receiver<IncidentId>,
    pub(super) counts: Arc<Counts>,
}

impl Photos {
    /// Copies until `stop` turns true.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let mut looking = tokio::time::interval(LOOK);
        looking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let done = async {
                tokio::select! {
                    case = self.cases.recv() => match case {
                        Some(case) => self.case(case).await,
                        None => std::future::pending().await,
                    },
                    _ = looking.tick() => self.look().await,
                }
            };
            tokio::select! {
                done = done => done?,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
    }

    /// Everything that lacks a copy, and every copy that nothing names any more.
    async fn look(&self) -> Result<(), StoreError> {
        let query = IncidentQuery {
            from: Some(self.clock.now() - LOOK_BACK),
            ..IncidentQuery::default()
        };
        for case in self.store.incidents(&query).await? {
            self.copy(&case).await;
        }
        for id in self.copied_cases() {
            self.erase(id).await?;
        }
        Ok(())
    }

    async fn case(&self, id: IncidentId) -> Result<(), StoreError> {
        if let Some(case) = self.store.incident(id).await? {
            self.copy(&case).await;
        }
        self.erase(id).await
    }

    /// Copies the photos of a case that have no copy yet.
    async fn copy(&self, case: &Incident) {
        for (account, reference) in case.photos() {
            let stem = case.photo_stem(reference);
            let channel = self.channels.get(account);
            let Some(address) = channel.and_then(|channel| channel.photo_address(reference)) else {
                continue;
            };
            if self.files_of(&format!("{stem}.")).next().is_some() {
                continue;
            }
            match self.one(address, &stem).await {
                Ok(()) => self.counts.copied.fetch_add(1, Ordering::Relaxed),
                Err(error) => {
                    let error = format!("{error:#}");
                    warn!(%account, case = %case.id, error, "a photo could not be copied; it is tried again within the hour");
                    self.counts.failed.fetch_add(1, Ordering::Relaxed)
                }
            };
        }
    }

    async fn one(&self, address: Url, stem: &str) -> anyhow::Result<()> {
        let bytes = download(&self.http, address, PATIENCE).await?;
        let kind = kind(&bytes).context("what came is no picture")?;
        let directory = self.directory.clone();
        let name = format!("{stem}.{kind}");
        tokio::task::spawn_blocking(move || write(&directory, &name, &bytes))
            .await
            .context("the thread that writes photos")?
            .context("writing the copy of a photo")
    }

    /// Takes the copies away that the case does not name any more.
    async fn erase(&self, id: IncidentId) -> Result<(), StoreError> {
        let case = self.store.incident(id).await?;
        let named: Vec<String> = case
            .iter()
            .flat_map(|case| {
                case.photos()
                    .map(|(_, reference)| case.photo_stem(reference))
            })
            .collect();
        for file in self.files_of(&format!("{id}-")) {
            let stem = file.file_stem().and_then(|stem| stem.to_str());
            if named.iter().any(|name| Some(name.as_str()) == stem) {
                continue;
            }
            match std::fs::remove_file(&file) {
                Ok(()) => {
                    self.counts.erased.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    warn!(case = %id, %error, "the copy of an erased photo could not be removed")
                }
            }
        }
        Ok(())
    }

    /// Cases of which there are copies.
    fn copied_cases(&self) -> Vec<IncidentId> {
        let mut cases: Vec<IncidentId> = self
            .files_of("")
            .filter_map(|file| {
                let (code, _) = file.file_name()?.to_str()?.split_once('-')?;
                IncidentId::parse(code)
            })
            .collect();
        cases.sort_unstable();
        cases.dedup();
        cases
    }

    fn files_of(&self, start: &str) -> impl Iterator<Item = PathBuf> {
        let start = start.to_owned();
        let files = std::fs::read_dir(&self.directory).into_iter().flatten();
        files.flatten().map(|file| file.path()).filter(move |file| {
            let name = file.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&start))
        })
    }
}

/// A file of a platform. Its address may hold a secret, and is in no error.
async fn download(
    http: &reqwest::Client,
    address: Url,
    patience: Duration,
) -> anyhow::Result<Vec<u8>> {
    let asked = http.get(address).timeout(patience).send().await;
    let mut answer = asked.map_err(reqwest::Error::without_url)?;
    if !answer.status().is_success() {
        bail!("the platform answered {}", answer.status());
    }
    let mut bytes = Vec::new();
    while let Some(some) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        bytes.extend_from_slice(&some);
        if bytes.len() > MAX_BYTES {
            bail!("it has more than {} MiB", MAX_BYTES >> 20);
        }
    }
    Ok(bytes)
}

/// The files that officers attach to alerts.
pub(super) struct OfOfficers {
    pub(super) http: reqwest::Client,
    pub(super) channels: HashMap<AccountName, Arc<dyn Channel>>,
}

impl std::fmt::Debug for OfOfficers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfOfficers").finish_non_exhaustive()
    }
}

#[async_trait]
impl outbox::Enclosures for OfOfficers {
    async fn fetch(&self, enclosure: &Enclosure) -> Option<Vec<u8>> {
        let channel = self.channels.get(&enclosure.account)?;
        let fetched = async {
            let address = channel.file_now(&enclosure.reference).await;
            let address = address.context("the platform does not tell where it is")?;
            download(&self.http, address, ALERT_PATIENCE).await
        };
        match tokio::time::timeout(ALERT_PATIENCE, fetched).await {
            Ok(Ok(bytes)) => Some(bytes),
            Ok(Err(error)) => {
                let error = format!("{error:#}");
                warn!(account = %enclosure.account, error, "an alert goes without its author's file");
                None
            }
            Err(_) => {
                warn!(account = %enclosure.account, "an alert goes without its author's file: it did not come in time");
                None
            }
        }
    }
}

/// What a picture is, by its first bytes: what a server says of it may be wrong.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Some("jpg"),
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [b'G', b'I', b'F', b'8', ..] => Some("gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', ..] => Some("heic"),
        _ => None,
    }
}

/// Whole or not at all: a copy that is there is never looked at again.
fn write(directory: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".copy-")
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(directory.join(name))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        for (bytes, wanted) in [
            (&b"\xFF\xD8\xFF\xE0 jfif"[..], Some("jpg")),
            (b"\x89PNG\r\n", Some("png")),
            (b"GIF89a", Some("gif")),
            (b"RIFF\0\0\0\0WEBPVP8", Some("webp")),
            (b"\0\0\0\x18ftypheic", Some("heic")),
            (b"<html>404</html>", None),
            (b"", None),
        ] {
            assert_eq!(kind(bytes), wanted, "{bytes:?}");
        }
    }
}
