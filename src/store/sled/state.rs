//! sled as the state behind the journal, and the views of both together.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;

use super::overlay::Overlay;
use super::pages::Pages;
use crate::store::StoreError;
use crate::store::kv::Entries;
use crate::store::kv::Kv;
use crate::store::kv::Merge;
use crate::store::kv::Order;
use crate::store::kv::Range;
use crate::store::kv::WriteSet;
use crate::store::kv::layer;
use crate::store::rows::Position;
use crate::store::rows::Row as _;
use crate::store::rows::key;

/// The most rows that go to sled at once: 256 messages' worth. More take sled gigabytes of memory, when
/// each row meets a page of its own.
pub(crate) const BATCH_KEYS: usize = 1024;

/// sled and what it does not have yet.
pub(crate) struct State {
    /// Beside the pages it holds the watermark.
    tree: ::sled::Tree,
    pages: Pages,
    db: ::sled::Db,
    /// A second descriptor of sled's file: its own flush does not reach the disk (sync_file_range).
    file: File,
    overlay: RwLock<Overlay>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

/// An error of the engine below us.
pub(crate) fn engine(
    doing: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    let (mut doing, source) = (doing.into(), source.into());
    if let Some(advice) = refused(&*source)
        && !doing.ends_with(advice)
    {
        doing.push_str(": ");
        doing.push_str(advice);
    }
    StoreError::Engine { doing, source }
}

/// What to do when it is the machine that refuses, and nothing is damaged.
pub(crate) fn refused(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use std::io::ErrorKind;
    let io = error.downcast_ref::<std::io::Error>().or_else(|| {
        match error.downcast_ref::<::sled::Error>() {
            // sled does not tell its source by the usual way.
            Some(::sled::Error::Io(error)) => Some(error),
            _ => None,
        }
    });
    match io.map(std::io::Error::kind) {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Some("the disk is full: make room and start again")
        }
        Some(ErrorKind::ReadOnlyFilesystem) => {
            Some("the disk is read-only: make it writable and start again")
        }
        Some(ErrorKind::PermissionDenied) => {
            Some("this user may not: give the directory to the user that runs the program")
        }
        _ => error.source().and_then(refused),
    }
}

/// sled's threads let go of its file a moment after a `Db` is dropped, as one is before a rebuild. Nobody
/// else can hold it: we have the lock of the store's directory.
fn open_once_free(config: &::sled::Config) -> ::sled::Result<::sled::Db> {
    let given_up = Instant::now() + Duration::from_secs(10);
    loop {
        match config.open() {
            Err(::sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && Instant::now() < given_up =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            opened => return opened,
        }
    }
}

impl State {
    /// Opens sled. It may panic on damage, and may take for ever: call it behind a guard.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let io = |error| engine(format!("opening sled in {}", dir.display()), error);
        fs::create_dir_all(dir).map_err(io)?;
        // sled passes over unfinished snapshots by another name than the one it writes them under, and
        // then refuses to open: `Corruption` until the file is removed.
        for entry in fs::read_dir(dir).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating")) {
                tracing::warn!(file = %path.display(), "removing an unfinished snapshot of sled");
                fs::remove_file(&path).map_err(io)?;
            }
        }
        let config = ::sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            // Its thread also collects garbage; without it memory grows without bound.
            .flush_every_ms(Some(500));
        let db = open_once_free(&config)
            .map_err(|error| engine(format!("opening sled in {}", dir.display()), error))?;
        let file = File::open(dir.join("db")).map_err(io)?;
        file.sync_all().map_err(io)?;
        let parent = dir.parent().into_iter();
        for dir in [dir.to_owned(), dir.join("blobs")]
            .iter()
            .map(AsRef::as_ref)
            .chain(parent)
        {
            if dir.is_dir() {
                File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
            }
        }
        Ok(Self {
            tree: (*db).clone(),
            pages: Pages::new((*db).clone()),
            db,
            file,
            overlay: RwLock::default(),
        })
    }

    /// How far sled has followed the journal.
    pub(crate) fn watermark(&self) -> Result<Position, StoreError> {
        let raw = self
            .tree
            .get(key::META_WATERMARK)
            .map_err(|error| engine("reading the watermark", error))?;
        raw.map_or(Ok(Position::default()), |raw| {
            Position::open(&raw).map_err(|why| crate::store::kv::damaged(key::META_WATERMARK, &why))
        })
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            overlay: self.overlay.read().unwrap_or_else(PoisonError::into_inner),
            pages: &self.pages,
        }
    }

    fn overlay_mut<R>(&self, change: impl FnOnce(&mut Overlay) -> R) -> R {
        change(&mut self.overlay.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn overlay<R>(&self, look: impl FnOnce(&Overlay) -> R) -> R {
        look(&self.overlay.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what is durable in the journal; readers see it from now on.
    pub(crate) fn absorb(&self, set: WriteSet) {
        self.overlay_mut(|overlay| overlay.absorb(set));
    }

    pub(crate) fn overlay_bytes(&self) -> usize {
        self.overlay(Overlay::bytes)
    }

    pub(crate) fn has_active(&self) -> bool {
        self.overlay(|overlay| !overlay.active.is_empty())
    }

    pub(crate) fn has_frozen(&self) -> bool {
        self.overlay(|overlay| !overlay.frozen.is_empty())
    }

    pub(crate) fn freeze(&self) {
        self.overlay_mut(Overlay::freeze);
    }

    /// Applies some frozen writes to sled and makes them durable; after the last ones, the watermark.
    /// True when none are left.
    ///
    /// Every batch is synced at once. sled takes what it has flushed for durable and writes over the space
    /// of what it has moved: were many batches left to one sync at the end, a power cut in between would
    /// tear pages that had long been on disk (seen within three cuts).
    pub(crate) fn apply(&self, limit: usize, watermark: Position) -> Result<bool, StoreError> {
        let limit = limit.clamp(1, BATCH_KEYS);
        let (writes, keys, done) = self.overlay(|overlay| {
            let (writes, keys) = overlay.next(limit);
            let done = keys.len() == overlay.frozen.len();
            (writes, keys, done)
        });
        let mut steps = self.pages.steps(&writes)?;
        if !steps.grow.is_empty() {
            for batch in std::mem::take(&mut steps.grow) {
                self.write(batch)?;
            }
            self.flush()?;
        }
        if done {
            steps.last(|batch| mark(batch, watermark));
        }
        // Until here readers found these keys in the overlay, from here on in sled.
        let wrote = self.overlay_mut(|overlay| {
            let wrote = steps.last.map(|batch| self.write(batch)).transpose()?;
            overlay.finished(&keys);
            Ok::<_, StoreError>(wrote)
        })?;
        if wrote.is_some() {
            self.flush()?;
        }
        Ok(done)
    }

    fn write(&self, batch: ::sled::Batch) -> Result<(), StoreError> {
        self.pages
            .write(batch)
            .map_err(|error| engine("writing rows into sled", error))
    }

    /// Applies everything.
    pub(crate) fn apply_all(&self, watermark: Position) -> Result<(), StoreError> {
        while !self.apply(BATCH_KEYS, watermark)? {}
        Ok(())
    }

    /// Writes straight into sled, beside the journal: only when a store is being built.
    pub(crate) fn load(
        &self,
        rows: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        let writes = rows
            .map(|(key, value)| (Bytes::from(key), value.map(Bytes::from)))
            .collect();
        let steps = self.pages.steps(&writes)?;
        steps
            .grow
            .into_iter()
            .chain(steps.last)
            .try_for_each(|batch| self.write(batch))
    }

    /// That a store being built goes on from here.
    pub(crate) fn set_watermark(&self, watermark: Position) -> Result<(), StoreError> {
        let mut batch = ::sled::Batch::default();
        mark(&mut batch, watermark);
        self.write(batch)
    }

    /// Makes everything that was applied durable.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.db
            .flush()
            .map_err(|error| engine("flushing sled", error))?;
        self.file
            .sync_data()
            .map_err(|error| engine("flushing sled's file to the disk", error))
    }
}

/// Notes how far sled has followed the journal.
fn mark(batch: &mut ::sled::Batch, watermark: Position) {
    batch.insert(key::META_WATERMARK, &watermark.seal()[..]);
}

/// One moment: sled under what it does not have yet. The writer applies to sled only what a view finds
/// in the overlay, and takes nothing out of a page while there is a view: nothing changes under a view.
pub(crate) struct View<'a> {
    overlay: RwLockReadGuard<'a, Overlay>,
    pages: &'a Pages,
}

impl Kv for View<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let overlay = &self.overlay;
        if let Some(slot) = overlay.active.get(key).or_else(|| overlay.frozen.get(key)) {
            return Ok(slot.value.clone());
        }
        self.pages.get(key)
    }

    fn scan(&self, range: &Range, order: Order) -> Entries<'_> {
        let below = self.pages.scan(range, order);
        let overlay = &self.overlay;
        Merge::entries(
            vec![
                layer(&overlay.active, range, order, |slot| slot.value.clone()),
                layer(&overlay.frozen, range, order, |slot| slot.value.clone()),
                Box::new(below.map(|row| row.map(|(key, value)| (key, Some(value))))),
            ],
            order,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_full_disk_is_no_damage_and_says_what_to_do() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        for error in [
            engine("flushing sled", full()),
            engine("flushing sled", ::sled::Error::Io(full())),
        ] {
            assert_eq!(
                error.to_string(),
                "flushing sled: the disk is full: make room and start again"
            );
            assert!(refused(&error).is_some());
        }
        let rot = ::sled::Error::Corruption { at: None, bt: () };
        assert!(refused(&engine("reading sled", rot)).is_none());
        assert!(refused(&engine("reading", io::Error::other("EIO"))).is_none());
    }
}
