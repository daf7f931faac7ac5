//! The one thread that writes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::TryRecvError;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::oneshot;

use super::Options;
use super::Shared;
use super::frame;
use super::journal::Journal;
use super::open;
use super::open::Paths;
use super::state::BATCH_KEYS;
use super::state::engine;
use crate::store::StoreError;
use crate::store::acts;
use crate::store::acts::Answer;
use crate::store::acts::Op;
use crate::store::acts::Running;
use crate::store::kv::Staged;
use crate::store::rows::Position;

/// The largest group: larger ones buy no throughput (measured) and cost sled memory.
const GROUP_ACTS: usize = 256;
const GROUP_BYTES: usize = 128 << 10;

/// Under load sled gets so many rows at a time: each time costs a sync or two, and whoever waits meanwhile
/// waits some two milliseconds longer.
const PIECE_KEYS: usize = 256;

/// After this long without a request, what sled lacks is applied even if it is little.
const IDLE: Duration = Duration::from_millis(250);

type Reply = oneshot::Sender<Result<Answer, StoreError>>;

/// What the writer is asked.
#[derive(Debug)]
pub(crate) enum Request {
    /// Carry this out and answer when it is durable.
    Run(Op, Reply),
    /// Say where the journal ends; also a sign of life.
    Ask(oneshot::Sender<Position>),
    /// Apply everything, make it durable, mark a clean stop.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

struct Writer {
    shared: Arc<Shared>,
    journal: Journal,
    running: Running,
    paths: Paths,
    options: Options,
    inbox: Receiver<Request>,
    /// A request that was taken out of the inbox and does not belong into the group.
    pending: Option<Request>,
    /// Keys that sled should have got by now, at the pace of the writes.
    owed: usize,
    /// Where the journal ended when the frozen writes were frozen.
    frozen_at: Position,
    /// Everything before this is in sled.
    applied: Position,
    /// Everything before this is durable in sled.
    durable: Position,
    last_checkpoint: Instant,
    /// A checkpoint is due as soon as the frozen writes are applied.
    checkpoint_due: bool,
}

pub(super) fn start(
    shared: Arc<Shared>,
    journal: Journal,
    running: Running,
    applied: Position,
    paths: Paths,
    options: Options,
    inbox: Receiver<Request>,
) -> Result<JoinHandle<()>, StoreError> {
    let mut writer = Writer {
        shared,
        journal,
        running,
        paths,
        options,
        inbox,
        pending: None,
        owed: 0,
        frozen_at: applied,
        applied,
        durable: applied,
        last_checkpoint: Instant::now(),
        checkpoint_due: false,
    };
    std::thread::Builder::new()
        .name("keng-store".to_owned())
        .spawn(move || {
            // sled panics on damage: to our callers that is an error like any other.
            let ended = std::panic::catch_unwind(AssertUnwindSafe(|| writer.run()));
            let why = match ended {
                Ok(Ok(why)) => why,
                Ok(Err(error)) => stop_text(&error),
                Err(_) => "its writer panicked, most likely on a damaged page of sled; \
                           start the program again, it will check and rebuild"
                    .to_owned(),
            };
            if !why.is_empty() {
                tracing::error!(why, "the store has stopped; the process must end");
            }
            // Before the inbox goes: whoever finds it gone then finds the reason.
            let why = if why.is_empty() {
                "it was closed".to_owned()
            } else {
                why
            };
            drop(writer.shared.stopped.set(why));
        })
        .map_err(|error| engine("starting the writer of the store", error))
}

fn stop_text(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Writer {
    /// Works until it is closed or dropped (an empty text) or cannot go on.
    fn run(&mut self) -> Result<String, StoreError> {
        loop {
            let Some(request) = self.next() else {
                return Ok(String::new());
            };
            match request {
                Some(Request::Run(op, reply)) => self.group(op, reply)?,
                Some(Request::Ask(reply)) => drop(reply.send(self.journal.end())),
                Some(Request::Close(reply)) => {
                    let closed = self.close();
                    // Set before the answer: whoever has it must not get another write in.
                    drop(self.shared.stopped.set("it was closed".to_owned()));
                    let failed = closed.is_err();
                    if let Err(error) = &closed {
                        tracing::error!(why = stop_text(error), "the store did not stop cleanly");
                    }
                    drop(reply.send(closed));
                    return Ok(if failed {
                        "it did not stop cleanly".to_owned()
                    } else {
                        String::new()
                    });
                }
                None => self.idle()?,
            }
        }
    }

    /// The next request; `Some(None)`: there is time for other work; `None`: nobody can ask any more.
    fn next(&mut self) -> Option<Option<Request>> {
        if let Some(request) = self.pending.take() {
            return Some(Some(request));
        }
        if self.shared.state.has_frozen() {
            return match self.inbox.try_recv() {
                Ok(request) => Some(Some(request)),
                Err(TryRecvError::Empty) => Some(None),
                Err(TryRecvError::Disconnected) => None,
            };
        }
        let wait = if self.shared.state.has_active() {
            IDLE
        } else if self.applied > self.durable {
            self.options
                .checkpoint_every
                .saturating_sub(self.last_checkpoint.elapsed())
        } else {
            // Nothing to do until somebody asks.
            Duration::from_secs(3600)
        };
        match self.inbox.recv_timeout(wait) {
            Ok(request) => Some(Some(request)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Carries out what waits, in one durable write.
    fn group(&mut self, op: Op, reply: Reply) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let mut answers: Vec<(Result<Answer, StoreError>, Reply)> = Vec::new();
        let set = {
            let view = shared.state.view();
            let mut staged = Staged::new(&view);
            let mut next = Some((op, reply));
            let mut acts = 0;
            while let Some((op, reply)) = next.take() {
                acts += op.weight();
                let answer = acts::execute(&mut staged, &mut self.running, op);
                let broken = matches!(answer, Err(StoreError::Engine { .. }));
                answers.push((answer, reply));
                if broken || acts >= GROUP_ACTS || staged.size() >= GROUP_BYTES {
                    break;
                }
                // No timer: while the disk works on this group, the next one gathers.
                match self.inbox.try_recv() {
                    Ok(Request::Run(op, reply)) => next = Some((op, reply)),
                    Ok(other) => self.pending = Some(other),
                    Err(_) => {}
                }
            }
            staged.into_set()
        };
        if let Some((Err(StoreError::Engine { .. }), _)) = answers.last() {
            let Some((Err(error), _)) = answers.pop() else {
                return Ok(());
            };
            return Err(self.fail(error));
        }
        let keys = set.len();
        if keys > 0 {
            let segment = self.journal.end().segment;
            if let Err(error) = self.journal.append(&frame::encode(&set)) {
                return Err(self.fail(engine("writing the journal", error)));
            }
            if self.journal.end().segment != segment {
                self.checkpoint_due = true;
            }
            self.shared.state.absorb(set);
            self.shared.desk.tell(&self.running);
        }
        for (answer, reply) in answers {
            // Whoever does not wait for the answer any more has lost nothing by it.
            drop(reply.send(answer));
        }
        self.keep_pace(keys)
    }

    /// Nobody may be answered any more, those of the group included: their reply ends unanswered, after
    /// the reason is known.
    fn fail(&self, error: StoreError) -> StoreError {
        drop(self.shared.stopped.set(stop_text(&error)));
        error
    }

    /// Lets sled follow at the pace of the writes, so that nobody waits long for it at once.
    fn keep_pace(&mut self, keys: usize) -> Result<(), StoreError> {
        if self.shared.state.has_frozen() {
            self.owed += (2 * keys).max(16);
            while self.owed >= PIECE_KEYS && self.shared.state.has_frozen() {
                let piece = self.owed.min(BATCH_KEYS);
                self.owed -= piece;
                self.apply(piece)?;
            }
        }
        if self.shared.state.overlay_bytes() > self.options.overlay_bytes {
            while self.shared.state.has_frozen() {
                self.apply(BATCH_KEYS)?;
            }
            self.freeze();
        }
        if self.last_checkpoint.elapsed() >= self.options.checkpoint_every {
            self.checkpoint_due = true;
        }
        if self.checkpoint_due && !self.shared.state.has_frozen() {
            // Up to here everything frozen is in sled; what is active belongs to the next checkpoint.
            self.checkpoint()?;
            self.freeze();
        }
        Ok(())
    }

    fn freeze(&mut self) {
        self.shared.state.freeze();
        self.owed = 0;
        self.frozen_at = self.journal.end();
    }

    fn apply(&mut self, limit: usize) -> Result<(), StoreError> {
        if self.shared.state.apply(limit, self.frozen_at)? {
            self.applied = self.frozen_at;
        }
        Ok(())
    }

    /// Time for other work: one piece of it, then the inbox is looked at again.
    fn idle(&mut self) -> Result<(), StoreError> {
        if self.shared.state.has_frozen() {
            return self.apply(BATCH_KEYS);
        }
        if self.shared.state.has_active() {
            self.freeze();
            if !self.shared.state.has_frozen() {
                // Everything came and went; only the watermark moves.
                return self.apply(1);
            }
            return Ok(());
        }
        if self.applied > self.durable
            && (self.checkpoint_due
                || self.last_checkpoint.elapsed() >= self.options.checkpoint_every)
        {
            return self.checkpoint();
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.checkpoint_due = false;
        self.last_checkpoint = Instant::now();
        if self.applied > self.durable {
            let applied = self.applied;
            self.shared.state.flush()?;
            self.durable = applied;
        }
        let mut keep = self.durable.segment;
        if self.options.keep_journal {
            keep = keep.min(self.shared.backed_up.load(Ordering::SeqCst));
        }
        keep = keep.min(self.shared.pinned.load(Ordering::SeqCst));
        self.journal
            .cut(keep)
            .map_err(|error| engine("cutting the journal", error))
    }

    fn close(&mut self) -> Result<(), StoreError> {
        while self.shared.state.has_frozen() {
            self.apply(BATCH_KEYS)?;
        }
        self.freeze();
        self.shared.state.apply_all(self.frozen_at)?;
        self.applied = self.frozen_at;
        self.checkpoint()?;
        open::mark_clean(&self.paths)
    }
}
