//! Opens a store: lock, disk space, sled behind a guard, journal, checks, and the rebuild of a damaged
//! sled.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use super::Options;
use super::frame;
use super::journal;
use super::journal::Journal;
use super::journal::JournalError;
use super::state::State;
use super::state::engine;
use super::state::refused;
use crate::store::StoreError;
use crate::store::acts::Running;
use crate::store::acts::read;
use crate::store::backup;
use crate::store::engine::Desk;
use crate::store::kv::Kv as _;
use crate::store::kv::Order;
use crate::store::kv::Range;
use crate::store::kv::Slot;
use crate::store::kv::WriteSet;
use crate::store::rows::NumberRow;
use crate::store::rows::Position;
use crate::store::rows::Row as _;
use crate::store::rows::SCHEMA;
use crate::store::rows::SaltRow;
use crate::store::rows::key;
use crate::store::verify;
use crate::store::verify::Checksum;

/// sled has been seen to hang on damage; this long it may take.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// Where things lie in a store's directory.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) dir: PathBuf,
    pub(crate) sled: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) backups: PathBuf,
    pub(crate) clean: PathBuf,
}

impl Paths {
    pub(crate) fn new(dir: &Path, options: &Options) -> Self {
        Self {
            dir: dir.to_owned(),
            sled: dir.join("sled"),
            journal: dir.join("journal"),
            backups: options
                .backups
                .clone()
                .unwrap_or_else(|| dir.join("backups")),
            clean: dir.join("clean"),
        }
    }
}

/// An open store that nobody writes to yet.
pub(super) struct Opened {
    pub(super) state: State,
    pub(super) journal: Journal,
    pub(super) desk: Desk,
    pub(super) running: Running,
    pub(super) applied: Position,
    pub(super) backed_up: u64,
    pub(super) paths: Paths,
    pub(super) lock: File,
}

/// Why an attempt to open failed.
enum Failure {
    /// sled is damaged or lost: a rebuild may help.
    Sled(String),
    /// Nothing that a rebuild would mend.
    Other(StoreError),
}

/// An error of sled. A machine that refuses has damaged nothing: a rebuild would only need more room.
fn sled_failed(error: StoreError) -> Failure {
    if refused(&error).is_some() {
        Failure::Other(error)
    } else {
        Failure::Sled(text(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

/// How long the lock may be somebody's who is about to let go of it: a program that is being started keeps
/// what its parent had open for a moment.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);

/// Makes the directory for its owner's eyes only, and locks it.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let doing = |error| {
        engine(
            format!("opening the store's directory {}", dir.display()),
            error,
        )
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(doing)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("lock"))
        .map_err(doing)?;
    let given_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < given_up => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(engine(
                    format!("opening the store {}", dir.display()),
                    "another process holds it: stop that one first, or ask it over HTTP",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(doing(error)),
        }
    }
}

fn enough_space(dir: &Path, options: &Options) -> Result<(), StoreError> {
    let stat = rustix::fs::statvfs(dir)
        .map_err(|error| engine("asking for the free space of the disk", error))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < options.min_free_bytes {
        return Err(engine(
            format!("opening the store {}", dir.display()),
            format!(
                "the disk has only {} MiB free and {} are needed: make room and start again",
                free >> 20,
                options.min_free_bytes >> 20
            ),
        ));
    }
    Ok(())
}

/// Marks a clean stop.
pub(super) fn mark_clean(paths: &Paths) -> Result<(), StoreError> {
    File::create(&paths.clean)
        .and_then(|file| file.sync_all())
        .and_then(|()| journal::sync_dir(&paths.dir))
        .map_err(|error| engine("marking a clean stop", error))
}

fn take_clean_mark(paths: &Paths) -> Result<bool, StoreError> {
    match fs::remove_file(&paths.clean) {
        Ok(()) => journal::sync_dir(&paths.dir)
            .map(|()| true)
            .map_err(|error| engine("removing the mark of the clean stop", error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(engine("removing the mark of the clean stop", error)),
    }
}

pub(super) fn open(dir: &Path, options: &Options) -> Result<Opened, StoreError> {
    let lock = lock(dir)?;
    enough_space(dir, options)?;
    let paths = Paths::new(dir, options);
    let clean = take_clean_mark(&paths)? && !options.check;
    let (state, journal, applied) = match attempt(&paths, options, clean) {
        Ok(opened) => opened,
        Err(Failure::Other(error)) => return Err(error),
        Err(Failure::Sled(why)) if !options.rebuild => {
            return Err(engine(format!("opening the store {}", dir.display()), why));
        }
        Err(Failure::Sled(why)) => {
            rebuild(&paths, options, &why)?;
            match attempt(&paths, options, false) {
                Ok(opened) => opened,
                Err(Failure::Other(error)) => return Err(error),
                Err(Failure::Sled(why)) => {
                    return Err(engine("opening the store after its rebuild", why));
                }
            }
        }
    };
    let (journal, applied) = begin(&state, journal, applied)?;
    let (desk, running) = {
        let view = state.view();
        let salt: SaltRow = read(&view, key::META_SALT)?
            .ok_or_else(|| crate::store::kv::damaged(key::META_SALT, "it is missing"))?;
        Desk::opened(salt.0, &view)?
    };
    let backed_up = backup::newest(&paths.backups).map_or(0, |(_, end)| end.segment);
    Ok(Opened {
        state,
        journal,
        desk,
        running,
        applied,
        backed_up,
        paths,
        lock,
    })
}

/// Runs `work` in a thread of its own: sled panics on damage, and may hang.
fn guarded<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    let (done, result) = mpsc::channel();
    let spawned = std::thread::Builder::new()
        .name("keng-open".to_owned())
        .spawn(move || {
            let worked = std::panic::catch_unwind(AssertUnwindSafe(work));
            drop(done.send(worked));
        });
    if let Err(error) = spawned {
        return Err(Failure::Other(engine(
            "starting a thread to open sled",
            error,
        )));
    }
    match result.recv_timeout(OPEN_LIMIT) {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) => Err(sled_failed(error)),
        Ok(Err(_)) => Err(Failure::Sled("sled panicked while it opened".to_owned())),
        // The thread still holds sled's files: a rebuild beside it would not be safe.
        Err(_) => Err(Failure::Other(engine(
            "opening sled",
            "it took longer than a minute: rename the directory `sled` and start again, \
             then it is rebuilt",
        ))),
    }
}

fn text(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(
        || error.to_string(),
        |source| format!("{error}: {}", text(source)),
    )
}

fn attempt(
    paths: &Paths,
    options: &Options,
    clean: bool,
) -> Result<(State, Journal, Position), Failure> {
    let (dir, cache) = (paths.sled.clone(), options.cache_bytes);
    let state = guarded(move || State::open(&dir, cache))?;
    // Not every damage shows when sled is opened; later reads may panic as well.
    let worked =
        std::panic::catch_unwind(AssertUnwindSafe(|| follow(&state, paths, options, clean)));
    match worked {
        Ok(Ok((journal, applied))) => Ok((state, journal, applied)),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::Sled("sled panicked while it was read".to_owned())),
    }
}

/// Lets sled follow the journal to its end, and checks everything unless the stop was clean.
fn follow(
    state: &State,
    paths: &Paths,
    options: &Options,
    clean: bool,
) -> Result<(Journal, Position), Failure> {
    let watermark = state.watermark().map_err(sled_failed)?;
    let mut applied = watermark;
    let mut failed = None;
    let recovered = Journal::recover(
        &paths.journal,
        watermark,
        options.segment_bytes,
        &mut |end, payload| {
            let set = frame::decode(payload).map_err(JournalError::Unusable)?;
            state.absorb(set);
            applied = end;
            if state.overlay_bytes() > options.overlay_bytes {
                state.freeze();
                if let Err(error) = state.apply_all(applied) {
                    failed = Some(error);
                    return Err(JournalError::Unusable("sled did not take it".to_owned()));
                }
            }
            Ok(())
        },
    );
    if let Some(error) = failed {
        return Err(sled_failed(error));
    }
    let journal = match recovered {
        Ok(journal) => journal,
        Err(error @ JournalError::Gap(_)) => return Err(Failure::Sled(error.to_string())),
        Err(error) => {
            let doing = format!("opening the journal {}", paths.journal.display());
            return Err(Failure::Other(engine(doing, error)));
        }
    };
    if !clean {
        let report = verify::check(&state.view(), Checksum::Left);
        if let Some(first) = report.findings.first() {
            let all = report.findings.len();
            return Err(Failure::Sled(format!("{all} findings, the first: {first}")));
        }
    }
    if state.has_active() || applied > watermark {
        state.freeze();
        state.apply_all(applied).map_err(sled_failed)?;
        state.flush().map_err(sled_failed)?;
    }
    Ok((journal, applied))
}

/// Gives a store that was just made its salt, through the journal, so that the journal tells all.
fn begin(
    state: &State,
    mut journal: Journal,
    applied: Position,
) -> Result<(Journal, Position), StoreError> {
    {
        let view = state.view();
        if let Some(schema) = read::<NumberRow>(&view, key::META_SCHEMA)? {
            if schema.0 != u64::from(SCHEMA) {
                return Err(engine(
                    "opening the store",
                    format!(
                        "its layout {} is unknown here: a newer program wrote it, use that one",
                        schema.0
                    ),
                ));
            }
            return Ok((journal, applied));
        }
        if view.scan(&Range::all(), Order::Up).next().is_some() {
            return Err(crate::store::kv::damaged(
                key::META_SCHEMA,
                "it is missing: this is no store of ours, or a damaged one",
            ));
        }
    }
    let mut salt = [0; 32];
    getrandom::fill(&mut salt)
        .map_err(|error| engine("asking the system for random bytes", error.to_string()))?;
    let rows = [
        (key::META_SALT, SaltRow(salt).seal()),
        (key::META_SCHEMA, NumberRow(u64::from(SCHEMA)).seal()),
    ];
    let set: WriteSet = rows
        .into_iter()
        .map(|(key, value)| {
            let slot = Slot {
                value: Some(value),
                fresh: true,
            };
            (bytes::Bytes::from_static(key), slot)
        })
        .collect();
    journal
        .append(&frame::encode(&set))
        .map_err(|error| engine("writing the first frame of the journal", error))?;
    state.absorb(set);
    Ok((journal, applied))
}

/// Sets a damaged sled aside and puts the last backup in its place; the journal does the rest.
fn rebuild(paths: &Paths, options: &Options, why: &str) -> Result<(), StoreError> {
    let backup = backup::newest(&paths.backups)
        .filter(|(_, end)| journal::reaches_back(&paths.journal, *end));
    let from_journal = journal::reaches_back(&paths.journal, Position::default());
    tracing::error!(
        why,
        backup = ?backup.as_ref().map(|(path, _)| path.display().to_string()),
        "sled is damaged; setting it aside and rebuilding it"
    );
    if backup.is_none() && !from_journal {
        return Err(engine(
            format!("opening the store {}", paths.dir.display()),
            format!(
                "sled is damaged ({why}), and there is neither a backup in {} that the journal goes \
                 on from nor a journal from the beginning. Nothing was changed. Keep a copy of the \
                 directory, then restore a backup into a new one (`keng restore`)",
                paths.backups.display()
            ),
        ));
    }
    let aside = (1..)
        .map(|n| paths.dir.join(format!("sled.damaged-{n}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| paths.dir.join("sled.damaged"));
    fs::rename(&paths.sled, &aside)
        .and_then(|()| journal::sync_dir(&paths.dir))
        .map_err(|error| engine("setting the damaged sled aside", error))?;
    tracing::error!(aside = %aside.display(), "the damaged sled is kept there; remove it some day");
    // From the beginning where the journal still has it: then not even a backup is believed.
    if let Some((path, _)) = backup.filter(|_| !from_journal) {
        let state = State::open(&paths.sled, options.cache_bytes)?;
        backup::load(&path, &state)?;
    }
    Ok(())
}
