//! The store for one machine: sled as the state, a journal of our own in front as the acknowledgement.
//!
//! sled 0.34.7 alone does not keep our promise: its `flush` does not reach the disk, it can refuse to
//! open after a kill, and it answers rot with a panic. So one thread owns all writes. It takes the
//! requests that wait, carries them out over a staged view, appends one frame to the [`journal`] with
//! one fdatasync, and answers; the writes then live in an [`overlay`] that readers look through, and go
//! to sled bit by bit, in [`pages`], each bit synced. From time to time the journal behind it is cut.
//!
//! What lies in the directory: `sled/` the state, `journal/` the segments, `backups/` where the store
//! looks for an export to rebuild from, `lock`, and `clean` after a clean stop. Without `clean`
//! everything is read and checked once before anybody is served. A sled that cannot be used is renamed
//! to `sled.damaged-N` and rebuilt from the newest backup and the journal, if those reach back far
//! enough; else the store refuses to open and says what to do.
//!
//! Any error while writing stops the store for good: every call fails from then on and the process
//! should end. A failed fsync is never repeated: the kernel may have dropped the pages.

mod frame;
pub(crate) mod journal;
mod open;
mod overlay;
mod pages;
pub(crate) mod state;
mod writer;

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::StoreError;
use super::acts::Answer;
use super::acts::Op;
use super::engine::Desk;
use super::engine::Engine;
use super::rows::Position;
use super::verify::Report;
use state::State;
use state::View;
use writer::Request;

pub(crate) use frame::decode as decode_frame;
pub(crate) use open::Paths;
pub(crate) use open::lock;

/// How a sled store is kept. The defaults are for a ward's small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// sled's cache in bytes. It bounds only a part of sled's memory.
    pub cache_bytes: u64,
    /// Length of a journal segment in bytes.
    pub segment_bytes: u64,
    /// How much may be in the journal and not yet in sled, in bytes of memory.
    pub overlay_bytes: usize,
    /// The longest time between two checkpoints while there is traffic.
    pub checkpoint_every: Duration,
    /// Keep the journal back to the last backup in the backup directory (all of it, before the first
    /// one), so that a damaged sled can be rebuilt. Otherwise it is cut at every checkpoint.
    pub keep_journal: bool,
    /// With less free space on the disk than this, in bytes, the store does not open.
    pub min_free_bytes: u64,
    /// Where backups for a rebuild are looked for; `None`: `backups` in the store's directory.
    pub backups: Option<PathBuf>,
    /// Whether a damaged sled is set aside and rebuilt; otherwise opening fails.
    pub rebuild: bool,
    /// Read and check everything even after a clean stop.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 8 << 20,
            segment_bytes: 32 << 20,
            overlay_bytes: 2 << 20,
            checkpoint_every: Duration::from_secs(10),
            keep_journal: true,
            min_free_bytes: 64 << 20,
            backups: None,
            rebuild: true,
            check: false,
        }
    }
}

/// The sled store. Clones are the same store; the writer ends with the last of them.
#[derive(Debug, Clone)]
pub struct SledStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    paths: Paths,
    /// Held as long as the store is open; one process at a time.
    _lock: File,
}

/// What the writer and the readers share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: State,
    desk: Desk,
    /// Why nothing goes any more.
    stopped: OnceLock<String>,
    /// Segments from this one on are being read by a backup.
    pinned: AtomicU64,
    /// The segment in which the newest backup ends; 0: there is none.
    backed_up: AtomicU64,
    /// One backup at a time.
    backup: Mutex<()>,
}

impl Shared {
    fn stopped(&self) -> Option<StoreError> {
        self.stopped
            .get()
            .map(|why| StoreError::Stopped(why.clone()))
    }
}

impl SledStore {
    /// Opens the store in a directory, making it if it is not there.
    ///
    /// May take seconds after an unclean stop (some five for a million incidents): call it where
    /// blocking is allowed.
    ///
    /// # Errors
    /// When another process holds the store, the disk is nearly full, the journal is damaged, or sled is
    /// damaged and cannot be rebuilt. The text says what to do.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let opened = open::open(path.as_ref(), &options)?;
        let shared = Arc::new(Shared {
            state: opened.state,
            desk: opened.desk,
            stopped: OnceLock::new(),
            pinned: AtomicU64::new(u64::MAX),
            backed_up: AtomicU64::new(opened.backed_up),
            backup: Mutex::new(()),
        });
        let (requests, inbox) = mpsc::channel();
        let writer = writer::start(
            Arc::clone(&shared),
            opened.journal,
            opened.running,
            opened.applied,
            opened.paths.clone(),
            options,
            inbox,
        )?;
        Ok(Self(Arc::new(Inner {
            shared,
            requests: Mutex::new(Some(requests)),
            writer: Mutex::new(Some(writer)),
            paths: opened.paths,
            _lock: opened.lock,
        })))
    }

    /// Reads everything and checks every invariant of the layout. Writers wait meanwhile (some seconds
    /// for a million incidents).
    ///
    /// # Errors
    /// When the store has stopped. Damage is no error here but a finding.
    pub fn verify(&self) -> Result<Report, StoreError> {
        Ok(super::verify::check(
            &self.view()?,
            super::verify::Checksum::Made,
        ))
    }

    /// [`super::Store::close`] for callers outside of async code.
    ///
    /// # Errors
    /// When not everything could be made durable.
    pub fn close_now(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Close(reply))?;
        wait(answer).unwrap_or_else(|| Err(self.gone()))
    }

    /// Where backups for a rebuild are looked for, and where they should be written.
    #[must_use]
    pub fn backups(&self) -> &Path {
        &self.0.paths.backups
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.0.paths
    }

    fn send(&self, request: Request) -> Result<(), StoreError> {
        if let Some(error) = self.0.shared.stopped() {
            return Err(error);
        }
        let requests = self.0.requests.lock();
        let requests = requests.unwrap_or_else(PoisonError::into_inner);
        requests
            .as_ref()
            .and_then(|requests| requests.send(request).ok())
            .ok_or_else(|| self.gone())
    }

    /// The writer is gone; the reason is already known, or it was closed.
    fn gone(&self) -> StoreError {
        self.0
            .shared
            .stopped()
            .unwrap_or_else(|| StoreError::Stopped("its writer has ended".to_owned()))
    }

    /// The journal's end; everything before it is in every later view.
    pub(crate) fn position(&self) -> Result<Position, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Ask(reply))?;
        // The writer answers in any case or drops the sender; a backup is not called from async code.
        wait(answer).ok_or_else(|| self.gone())
    }

    /// Runs `work` while no journal segment from the given one on is removed.
    pub(crate) fn pinned<R>(
        &self,
        work: impl FnOnce(Position) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let shared = &self.0.shared;
        let _one_at_a_time = shared.backup.lock().unwrap_or_else(PoisonError::into_inner);
        // Everything is pinned before the place is known, so that nothing slips away in between.
        shared.pinned.store(0, Ordering::SeqCst);
        let done = self.position().and_then(|from| {
            shared.pinned.store(from.segment, Ordering::SeqCst);
            work(from)
        });
        shared.pinned.store(u64::MAX, Ordering::SeqCst);
        done
    }

    /// A backup that ends in this segment is in the backup directory.
    pub(crate) fn note_backup(&self, segment: u64) {
        self.0.shared.backed_up.fetch_max(segment, Ordering::SeqCst);
    }
}

/// Waits for an answer outside of async code and inside of it.
fn wait<T>(mut answer: oneshot::Receiver<T>) -> Option<T> {
    loop {
        match answer.try_recv() {
            Ok(answer) => return Some(answer),
            Err(oneshot::error::TryRecvError::Closed) => return None,
            Err(oneshot::error::TryRecvError::Empty) => {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a `close` this is as good as a kill: nothing more is written, and the next opening
        // replays the journal. The thread is awaited so that the lock is free when this returns.
        let slot = self.requests.get_mut();
        drop(slot.unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.get_mut();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the writer of the store panicked while it ended");
        }
    }
}

#[async_trait]
impl Engine for SledStore {
    type View<'a> = View<'a>;

    fn desk(&self) -> &Desk {
        &self.0.shared.desk
    }

    fn view(&self) -> Result<View<'_>, StoreError> {
        match self.0.shared.stopped() {
            Some(error) => Err(error),
            None => Ok(self.0.shared.state.view()),
        }
    }

    async fn run(&self, op: Op) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Run(op, reply))?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    async fn ask_backup(&self, to: &Path) -> Result<String, StoreError> {
        let (store, to) = (self.clone(), to.to_owned());
        let copied = tokio::task::spawn_blocking(move || super::backup::backup(&store, &to)).await;
        let backup = copied.map_err(|error| StoreError::Stopped(error.to_string()))??;
        Ok(format!("{} keys, {} bytes", backup.lines, backup.bytes))
    }

    async fn ask_health(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Ask(reply))?;
        answer.await.map_err(|_| self.gone())?;
        let view = self.view()?;
        super::kv::load(&view, super::rows::key::META_SALT)?;
        Ok(())
    }

    async fn stop(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Close(reply))?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }
}
