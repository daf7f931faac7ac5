//! Writes a store into one file while it runs, and makes a store of such a file again.
//!
//! The file is lines of JSON: a first line that says what it is, a line for each key (`key` and `value`
//! in hex), then, for what changed while that was being written, the journal's lines (a key may come
//! again, or be `gone`), and a last line with the place in the journal, the number of lines and the
//! CRC32 of everything before it. Read in order, later lines winning, it is the store of one moment.
//! It holds the vault and the salt, too: keep it as carefully as the store.

use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use super::StoreError;
use super::engine::Engine as _;
use super::kv::Kv as _;
use super::kv::Order;
use super::kv::Range;
use super::rows::Position;
use super::rows::SCHEMA;
use super::sled::Options;
use super::sled::Paths;
use super::sled::SledStore;
use super::sled::decode_frame;
use super::sled::journal;
use super::sled::journal::Journal;
use super::sled::journal::JournalError;
use super::sled::state::BATCH_KEYS;
use super::sled::state::State;
use super::sled::state::engine;
use super::verify;
use super::verify::Checksum;
use super::verify::Report;
use super::verify::hex;

/// How file names end that are looked at for a rebuild.
pub const SUFFIX: &str = "keng-backup";

#[derive(Serialize, Deserialize)]
struct First {
    keng_backup: u32,
    schema: u32,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

#[derive(Serialize, Deserialize)]
struct Last {
    end: End,
}

#[derive(Serialize, Deserialize)]
struct End {
    lines: u64,
    segment: u64,
    offset: u64,
    crc32: u32,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// Lines of keys.
    pub lines: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

struct Output {
    file: BufWriter<File>,
    crc: crc32fast::Hasher,
    lines: u64,
    bytes: u64,
}

impl Output {
    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.crc.update(&text);
        self.bytes += text.len() as u64;
        self.file.write_all(&text)
    }

    fn row(&mut self, key: &[u8], value: Option<&[u8]>) -> io::Result<()> {
        self.lines += 1;
        self.line(&Line {
            key: &hex(key),
            value: value.map(hex).as_deref(),
            gone: value.is_none(),
        })
    }
}

/// Writes a consistent backup of a running store. Blocks: call it where blocking is allowed.
///
/// Written under a temporary name, made durable, then renamed. In the store's own backup directory
/// ([`SledStore::backups`], ending in [`SUFFIX`]) it also serves for rebuilding a damaged sled, and the
/// journal before it is let go.
///
/// # Errors
/// When the file cannot be written or the store has stopped; then no file of that name was made.
pub fn backup(store: &SledStore, to: &Path) -> Result<Backup, StoreError> {
    let doing = |error: io::Error| engine(format!("writing the backup {}", to.display()), error);
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(doing)?;
    let temporary = to.with_extension("unfinished");
    let (output, end) = store.pinned(|from| {
        let file = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(doing)?;
        let mut output = Output {
            file: BufWriter::with_capacity(1 << 16, file),
            crc: crc32fast::Hasher::new(),
            lines: 0,
            bytes: 0,
        };
        output
            .line(&First {
                keng_backup: 1,
                schema: SCHEMA,
            })
            .map_err(doing)?;
        // A stretch at a time, so that writers never wait long. It is not one moment that is read thus,
        // but the journal from the beginning of the reading makes it one.
        let mut rest = Range::all();
        loop {
            let view = store.view()?;
            let mut last = None;
            for entry in view.scan(&rest, Order::Up).take(512) {
                let (key, value) = entry?;
                output.row(&key, Some(&value)).map_err(doing)?;
                last = Some(key);
            }
            match last {
                Some(key) => rest = rest.after(&key),
                None => break,
            }
        }
        let end = store.position()?;
        journal::read_between(&store.paths().journal, from, end, &mut |payload| {
            let set = decode_frame(payload).map_err(JournalError::Unusable)?;
            for (key, slot) in set {
                output
                    .row(&key, slot.value.as_deref())
                    .map_err(|error| JournalError::Unusable(error.to_string()))?;
            }
            Ok(())
        })
        .map_err(|error| engine("copying the journal into the backup", error))?;
        Ok((output, end))
    })?;
    let bytes = finish(output, end, &temporary, to).map_err(doing)?;
    journal::sync_dir(folder).map_err(doing)?;
    let own = to.extension().is_some_and(|kind| kind == SUFFIX)
        && fs::canonicalize(folder).ok() == fs::canonicalize(store.backups()).ok();
    if own {
        store.note_backup(end.segment);
    }
    Ok(Backup {
        path: to.to_owned(),
        lines: bytes.0,
        bytes: bytes.1,
    })
}

fn finish(mut output: Output, end: Position, from: &Path, to: &Path) -> io::Result<(u64, u64)> {
    let lines = output.lines;
    let last = Last {
        end: End {
            lines,
            segment: end.segment,
            offset: end.offset,
            crc32: output.crc.clone().finalize(),
        },
    };
    output.line(&last)?;
    let bytes = output.bytes;
    let file = output
        .file
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(from, to)?;
    Ok((lines, bytes))
}

/// Reads a backup to its end and checks it, without using it.
///
/// # Errors
/// When it is cut off, damaged or of a newer program.
pub fn check(path: &Path) -> Result<Backup, StoreError> {
    let mut lines = 0;
    read(path, &mut |_, _| {
        lines += 1;
        Ok(())
    })?;
    let bytes = fs::metadata(path)
        .map_err(|error| engine("reading the backup", error))?
        .len();
    Ok(Backup {
        path: path.to_owned(),
        lines,
        bytes,
    })
}

/// Makes a new store of a backup, and checks it.
///
/// # Errors
/// When the backup is damaged or cut off, when `into` already holds something, or when the disk refuses.
pub fn restore(from: &Path, into: &Path, options: Options) -> Result<Report, StoreError> {
    let doing = |error: io::Error| engine(format!("restoring into {}", into.display()), error);
    if fs::read_dir(into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(engine(
            format!("restoring into {}", into.display()),
            "there is something already: name a directory that does not exist yet",
        ));
    }
    // Read to the end once before anything is made: a damaged backup must not leave half a store.
    let end = read(from, &mut |_, _| Ok(()))?;
    let lock = super::sled::lock(into)?;
    let paths = Paths::new(into, &options);
    let report = {
        let state = State::open(&paths.sled, options.cache_bytes)?;
        load(from, &state)?;
        verify::check(&state.view(), Checksum::Made)
    };
    // The journal goes on where the backup ends, and the backup is at hand for a rebuild.
    fs::create_dir_all(&paths.journal).map_err(doing)?;
    Journal::create(&paths.journal, end, options.segment_bytes)
        .map_err(|error| engine("starting the journal", error))?;
    fs::create_dir_all(&paths.backups).map_err(doing)?;
    let copy = paths.backups.join(format!("restored.{SUFFIX}"));
    let unfinished = copy.with_extension("unfinished");
    fs::copy(from, &unfinished).map_err(doing)?;
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, &copy))
        .and_then(|()| journal::sync_dir(&paths.backups))
        .and_then(|()| journal::sync_dir(into))
        .map_err(doing)?;
    drop(lock);
    Ok(report)
}

/// Puts a backup's rows into a new sled, with the place in the journal from which to go on.
pub(crate) fn load(from: &Path, state: &State) -> Result<Position, StoreError> {
    let mut rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = Vec::with_capacity(BATCH_KEYS);
    let end = read(from, &mut |key, value| {
        rows.push((key, value));
        if rows.len() >= BATCH_KEYS {
            state.load(rows.drain(..))?;
        }
        Ok(())
    })?;
    state.load(rows.into_iter())?;
    state.flush()?;
    state.set_watermark(end)?;
    state.flush()?;
    Ok(end)
}

type OnRow<'a> = &'a mut dyn FnMut(Vec<u8>, Option<Vec<u8>>) -> Result<(), StoreError>;

/// Reads a backup to its end and checks it.
fn read(path: &Path, on_row: OnRow<'_>) -> Result<Position, StoreError> {
    let doing = || format!("reading the backup {}", path.display());
    let file = File::open(path).map_err(|error| engine(doing(), error))?;
    let mut input = BufReader::with_capacity(1 << 16, file);
    let mut crc = crc32fast::Hasher::new();
    let mut text = Vec::new();
    let mut lines = 0;
    for number in 1_u64.. {
        text.clear();
        let length = input
            .read_until(b'\n', &mut text)
            .map_err(|error| engine(doing(), error))?;
        let bad = |why: &str| {
            engine(
                doing(),
                format!("line {number}: {why}; take another backup"),
            )
        };
        if length == 0 {
            return Err(bad("the file is cut off before its last line"));
        }
        if number == 1 {
            let first: First =
                serde_json::from_slice(&text).map_err(|_| bad("this is no backup of ours"))?;
            if first.keng_backup != 1 || first.schema != SCHEMA {
                return Err(bad("a newer program wrote it, use that one"));
            }
        } else if let Ok(line) = serde_json::from_slice::<Line<'_>>(&text) {
            let key = unhex(line.key).ok_or_else(|| bad("its key is no hex"))?;
            let value = match line.value {
                Some(value) => Some(unhex(value).ok_or_else(|| bad("its value is no hex"))?),
                None if line.gone => None,
                None => return Err(bad("neither a value nor gone")),
            };
            on_row(key, value)?;
            lines += 1;
        } else {
            let last: Last = serde_json::from_slice(&text).map_err(|_| bad("it is damaged"))?;
            if last.end.crc32 != crc.finalize() || last.end.lines != lines {
                return Err(bad("the checksum of the file is wrong"));
            }
            return Ok(Position {
                segment: last.end.segment,
                offset: last.end.offset,
            });
        }
        crc.update(&text);
    }
    Err(engine(doing(), "it does not end"))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

/// The backup in a directory that goes furthest, by the last lines alone.
pub(crate) fn newest(dir: &Path) -> Option<(PathBuf, Position)> {
    let entries = fs::read_dir(dir).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == SUFFIX))
        .filter_map(|path| Some((place(&path)?, path)))
        .max()
        .map(|(end, path)| (path, end))
}

fn place(path: &Path) -> Option<Position> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(512)))
        .ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let line = tail.trim_ascii_end().rsplit(|&byte| byte == b'\n').next()?;
    let last: Last = serde_json::from_slice(line).ok()?;
    Some(Position {
        segment: last.end.segment,
        offset: last.end.offset,
    })
}
