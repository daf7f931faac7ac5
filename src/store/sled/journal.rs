//! The journal: what was acknowledged, in frames that are on disk before anybody is answered.
//!
//! Segments `<number, 16 hex digits>.journal` are filled with zeros when they are made, so that an
//! append changes no metadata of the file system and one fdatasync of it is cheap (measured: 1.4 to
//! 1.9 times cheaper than growing the file). A segment begins with a head of 32 bytes: magic, its
//! number, where the segment before it ended, CRC32. Then frames: length and CRC32 (little-endian),
//! payload. The CRC covers the frame's place as well, so that no frame counts anywhere else.
//!
//! A frame may be torn only where writing stopped: at the end of the newest segment, with no good frame
//! behind it, at or after what sled already holds. And it lacks something: where a sector was not
//! written, the zeros of the new segment still stand. Anything else is damage: it is reported with its
//! place, and nothing is changed.

use std::fs;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::thread::JoinHandle;

use thiserror::Error;

use crate::store::rows::Position;

const MAGIC: &[u8; 8] = b"KENGJ\0\0\x01";

/// Where the first frame of a segment begins.
pub(crate) const HEAD: u64 = 32;

/// Length and checksum before each payload.
const FRAME: u64 = 8;

/// Why a journal cannot be used.
#[derive(Debug, Error)]
pub(crate) enum JournalError {
    /// The file system refused.
    #[error("{doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    /// Bytes that were once good are not any more.
    #[error(
        "journal segment {segment} is damaged at offset {offset}: {why}; nothing was changed. \
         Keep a copy of the directory, then restore the last backup into a new one (`keng restore`)"
    )]
    Damaged {
        segment: u64,
        offset: u64,
        why: String,
    },
    /// The journal does not reach back to what the state behind it holds.
    #[error("the journal does not reach back to {0:?}")]
    Gap(Position),
    /// A caller could not use a frame.
    #[error("a journal frame could not be used: {0}")]
    Unusable(String),
}

fn doing<T>(result: io::Result<T>, what: impl FnOnce() -> String) -> Result<T, JournalError> {
    result.map_err(|source| JournalError::Io {
        doing: what(),
        source,
    })
}

/// The journal, open for appending. Only the writer has it.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    segment_bytes: u64,
    file: File,
    /// Length of the current segment's file.
    capacity: u64,
    end: Position,
    /// The end of the segment before, for the head; the head is written with the first frame.
    before: u64,
    buffer: Vec<u8>,
    /// The next segment, made ahead by another thread.
    spare: Option<JoinHandle<io::Result<(PathBuf, File)>>>,
}

pub(crate) fn segment_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:016x}.journal"))
}

/// The numbers of the segments that are there, in order.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(".journal"))
            .and_then(|digits| u64::from_str_radix(digits, 16).ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a file of zeros that is on disk, under a name that means nothing yet.
fn make(dir: &Path, segment: u64, bytes: u64) -> io::Result<(PathBuf, File)> {
    let path = dir.join(format!("{segment:016x}.spare"));
    let file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)?;
    let zeros = vec![0; 1 << 18];
    let mut at = 0;
    while at < bytes {
        let piece = (bytes - at).min(zeros.len() as u64);
        file.write_all_at(zeros.get(..piece as usize).unwrap_or(&zeros), at)?;
        at += piece;
    }
    file.sync_all()?;
    Ok((path, file))
}

fn head(segment: u64, before: u64) -> [u8; HEAD as usize] {
    let mut made = [0; HEAD as usize];
    let mut fields = Vec::with_capacity(28);
    fields.extend_from_slice(MAGIC);
    fields.extend_from_slice(&segment.to_le_bytes());
    fields.extend_from_slice(&before.to_le_bytes());
    fields.extend_from_slice(&crc32fast::hash(&fields).to_le_bytes());
    for (to, from) in made.iter_mut().zip(fields) {
        *to = from;
    }
    made
}

/// The end of the segment before, if this is the head of `segment`.
fn read_head(raw: &[u8; HEAD as usize], segment: u64) -> Option<u64> {
    let (_, rest) = raw.split_first_chunk::<16>()?;
    let before = u64::from_le_bytes(*rest.first_chunk::<8>()?);
    (head(segment, before) == *raw).then_some(before)
}

fn checksum(at: Position, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&at.segment.to_le_bytes());
    crc.update(&at.offset.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

/// Takes a frame: where it ends, and its payload.
type OnFrame<'a> = &'a mut dyn FnMut(Position, &[u8]) -> Result<(), JournalError>;

/// How reading a segment ended.
enum Stop {
    /// Zeros, or the end of the file.
    Blank,
    /// Something that is no frame.
    Bad(&'static str),
    /// The head of the segment is not there: nothing was ever written, or that write was torn.
    NoHead,
}

struct Walk {
    /// What the head says of the segment before.
    before: Option<u64>,
    end: u64,
    stop: Stop,
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Calls `frame` for every good frame of a segment with the frame's end.
fn walk(dir: &Path, segment: u64, frame: OnFrame<'_>) -> Result<Walk, JournalError> {
    let path = segment_path(dir, segment);
    let what = || format!("reading journal segment {}", path.display());
    let file = doing(File::open(&path), what)?;
    let size = doing(file.metadata(), what)?.len();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut raw = [0; HEAD as usize];
    let before = if doing(fill(&mut reader, &mut raw), what)? {
        read_head(&raw, segment)
    } else {
        None
    };
    let ended = |end, stop| Walk { before, end, stop };
    if before.is_none() {
        return Ok(ended(0, Stop::NoHead));
    }
    let mut offset = HEAD;
    let mut payload = Vec::new();
    loop {
        let mut lead = [0; FRAME as usize];
        if offset + FRAME > size || !doing(fill(&mut reader, &mut lead), what)? {
            return Ok(ended(offset, Stop::Blank));
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = lead;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let crc = u32::from_le_bytes([c0, c1, c2, c3]);
        if length == 0 && crc == 0 {
            return Ok(ended(offset, Stop::Blank));
        }
        if length == 0 || offset + FRAME + u64::from(length) > size {
            return Ok(ended(offset, Stop::Bad("a frame's length is impossible")));
        }
        payload.resize(length as usize, 0);
        if !doing(fill(&mut reader, &mut payload), what)? {
            return Ok(ended(offset, Stop::Bad("a frame is cut off")));
        }
        if checksum(Position { segment, offset }, &payload) != crc {
            return Ok(ended(offset, Stop::Bad("a frame's checksum is wrong")));
        }
        offset += FRAME + u64::from(length);
        frame(Position { segment, offset }, &payload)?;
    }
}

/// What stands behind the last good frame of the newest segment.
enum Behind {
    /// Zeros.
    Nothing,
    /// A write that the stop cut short, up to here.
    Torn(u64),
    /// A frame that is all there, and is not good any more: somebody may have been answered for it.
    Damaged,
    /// A good frame begins here.
    Good(u64),
}

/// A payload may end in a few zeros, never in many: rows end in checksums.
const MOST_ZEROS: usize = 64;

/// What a disk writes wholly or not at all.
const SECTOR: usize = 512;

fn behind(path: &Path, segment: u64, from: u64) -> io::Result<Behind> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    let Some(last) = rest.iter().rposition(|&byte| byte != 0) else {
        return Ok(Behind::Nothing);
    };
    for at in 0..=last {
        let Some(lead) = rest.get(at..).and_then(|tail| tail.first_chunk::<8>()) else {
            break;
        };
        let [l0, l1, l2, l3, c0, c1, c2, c3] = *lead;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length == 0 || at + 8 + length > last + MOST_ZEROS {
            continue;
        }
        let Some(payload) = rest.get(at + 8..at + 8 + length) else {
            continue;
        };
        let offset = from + at as u64;
        if checksum(Position { segment, offset }, payload) == u32::from_le_bytes([c0, c1, c2, c3]) {
            return Ok(Behind::Good(offset));
        }
    }
    rest.truncate(last + 1);
    let place = Position {
        segment,
        offset: from,
    };
    if is_torn(&mut rest, place) {
        Ok(Behind::Torn(from + last as u64 + 1))
    } else {
        Ok(Behind::Damaged)
    }
}

/// Whether `rest`, which is no good frame and does not end in zeros, is one that lacks its end or a sector.
fn is_torn(rest: &mut Vec<u8>, place: Position) -> bool {
    let used = rest.len();
    let Some(lead) = rest.first_chunk::<8>() else {
        return true;
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *lead;
    let whole = FRAME as usize + u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let lacks_end = whole > used + MOST_ZEROS;
    rest.resize(used.max(if lacks_end { 0 } else { whole }), 0);
    let (first, sectors) = rest.split_at((SECTOR - place.offset as usize % SECTOR).min(rest.len()));
    if std::iter::once(first)
        .chain(sectors.chunks(SECTOR))
        .any(|sector| sector.iter().all(|&byte| byte == 0))
    {
        return true;
    }
    // Unless only its length was damaged, and it is all there.
    let crc = u32::from_le_bytes([c0, c1, c2, c3]);
    rest.resize(used + MOST_ZEROS, 0);
    lacks_end
        && !(used..=used + MOST_ZEROS).any(|end| {
            rest.get(FRAME as usize..end)
                .is_some_and(|payload| checksum(place, payload) == crc)
        })
}

/// Where a walk over several segments begins.
fn first_needed(dir: &Path, found: &[u64], after: Position) -> Result<u64, JournalError> {
    if after == Position::default() {
        return match found.first() {
            Some(1) | None => Ok(1),
            Some(_) => Err(JournalError::Gap(after)),
        };
    }
    if found.contains(&after.segment) {
        return Ok(after.segment);
    }
    // A restored store begins with the segment after its backup, whose head names the backup's end.
    let next = after.segment + 1;
    if found.first() == Some(&next) {
        let walked = walk(dir, next, &mut |_, _| Ok(()))?;
        if walked.before == Some(after.offset) || walked.before.is_none() {
            return Ok(next);
        }
    }
    Err(JournalError::Gap(after))
}

/// Whether every frame after this place is still there.
pub(crate) fn reaches_back(dir: &Path, after: Position) -> bool {
    segments(dir).is_ok_and(|found| !found.is_empty() && first_needed(dir, &found, after).is_ok())
}

/// Calls `frame` for every frame after `after`, up to `to` (included).
pub(crate) fn read_between(
    dir: &Path,
    after: Position,
    to: Position,
    frame: &mut dyn FnMut(&[u8]) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    for segment in after.segment.max(1)..=to.segment {
        let mut reached = Position { segment, offset: 0 };
        let walked = walk(dir, segment, &mut |end, payload| {
            reached = end;
            if end > after && end <= to {
                frame(payload)?;
            }
            Ok(())
        })?;
        // Beyond `to` the writer goes on while we read; what it is writing may look torn.
        if reached < to && (segment == to.segment || !matches!(walked.stop, Stop::Blank)) {
            let nothing_there = segment == to.segment && to.offset <= HEAD;
            if !nothing_there && to > after {
                return Err(JournalError::Damaged {
                    segment,
                    offset: walked.end,
                    why: "frames that were written are not there any more".to_owned(),
                });
            }
        }
    }
    Ok(())
}

impl Journal {
    /// Starts a journal whose first segment follows `before`.
    pub(crate) fn create(
        dir: &Path,
        before: Position,
        segment_bytes: u64,
    ) -> Result<Self, JournalError> {
        let segment = before.segment + 1;
        let (file, capacity) = Self::begin(dir, segment, segment_bytes, None)?;
        Ok(Self {
            dir: dir.to_owned(),
            segment_bytes,
            file,
            capacity,
            end: Position { segment, offset: 0 },
            before: before.offset,
            buffer: Vec::new(),
            spare: None,
        })
    }

    fn begin(
        dir: &Path,
        segment: u64,
        bytes: u64,
        spare: Option<JoinHandle<io::Result<(PathBuf, File)>>>,
    ) -> Result<(File, u64), JournalError> {
        let what = || format!("making journal segment {segment}");
        let made = match spare {
            Some(spare) => spare
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the thread that makes it panicked"))),
            None => make(dir, segment, bytes),
        };
        let (path, file) = doing(made, what)?;
        doing(fs::rename(path, segment_path(dir, segment)), what)?;
        doing(sync_dir(dir), what)?;
        let capacity = doing(file.metadata(), what)?.len();
        Ok((file, capacity))
    }

    /// Opens the journal, calling `frame` for every frame after `after` (what sled holds), oldest first.
    pub(crate) fn recover(
        dir: &Path,
        after: Position,
        segment_bytes: u64,
        frame: OnFrame<'_>,
    ) -> Result<Self, JournalError> {
        let what = || format!("reading the journal {}", dir.display());
        doing(fs::create_dir_all(dir), what)?;
        for entry in doing(fs::read_dir(dir), what)? {
            let path = doing(entry, what)?.path();
            if path.extension().is_some_and(|kind| kind == "spare") {
                doing(fs::remove_file(path), what)?;
            }
        }
        let found = doing(segments(dir), what)?;
        let Some(&newest) = found.last() else {
            if after == Position::default() {
                return Self::create(dir, after, segment_bytes);
            }
            return Err(JournalError::Damaged {
                segment: after.segment,
                offset: after.offset,
                why: "the whole journal is missing".to_owned(),
            });
        };
        let first = first_needed(dir, &found, after)?;
        let mut before = None;
        for segment in first..=newest {
            if !found.contains(&segment) {
                return Err(JournalError::Damaged {
                    segment,
                    offset: 0,
                    why: "the segment is missing".to_owned(),
                });
            }
            let walked = walk(dir, segment, &mut |end, payload| {
                if end > after {
                    frame(end, payload)?;
                }
                Ok(())
            })?;
            let damaged = |why: &str| JournalError::Damaged {
                segment,
                offset: walked.end,
                why: why.to_owned(),
            };
            if let (Some(before), Some(told)) = (before, walked.before)
                && before != told
            {
                return Err(JournalError::Damaged {
                    segment: segment - 1,
                    offset: before,
                    why: format!(
                        "it ends there, but the next segment says that it ended at {told}"
                    ),
                });
            }
            if segment < newest {
                match walked.stop {
                    Stop::Blank => before = Some(walked.end),
                    Stop::Bad(why) => return Err(damaged(why)),
                    Stop::NoHead => return Err(damaged("its head is unreadable")),
                }
                continue;
            }
            return Self::resume(dir, segment_bytes, after, before, segment, &walked);
        }
        // Segments up to the newest were walked, and the newest returns; only a watermark beyond every
        // segment gets here.
        Err(JournalError::Damaged {
            segment: after.segment,
            offset: after.offset,
            why: "sled holds more than the journal, so the journal's end is lost".to_owned(),
        })
    }

    /// Goes on at the end of the newest segment, if that end is an honest one.
    fn resume(
        dir: &Path,
        segment_bytes: u64,
        after: Position,
        before: Option<u64>,
        segment: u64,
        walked: &Walk,
    ) -> Result<Self, JournalError> {
        let damaged = |offset, why: &str| JournalError::Damaged {
            segment,
            offset,
            why: why.to_owned(),
        };
        let end = Position {
            segment,
            offset: walked.end,
        };
        if end < after {
            let why = match walked.stop {
                Stop::Bad(why) => why,
                Stop::Blank | Stop::NoHead => "it ends there, but sled already holds more",
            };
            return Err(damaged(walked.end, why));
        }
        let path = segment_path(dir, segment);
        let what = || format!("opening journal segment {}", path.display());
        let why = match walked.stop {
            Stop::Bad(why) => why,
            Stop::Blank => "zeros stand there",
            Stop::NoHead => "its head is unreadable",
        };
        let used = match doing(behind(&path, segment, walked.end), what)? {
            Behind::Nothing => walked.end,
            Behind::Torn(used) => used,
            Behind::Damaged => return Err(damaged(walked.end, why)),
            Behind::Good(good) => {
                let why = format!("{why}, but a good frame follows at {good}");
                return Err(damaged(walked.end, &why));
            }
        };
        let file = doing(File::options().read(true).write(true).open(&path), what)?;
        if used > walked.end {
            tracing::warn!(
                segment,
                offset = walked.end,
                bytes = used - walked.end,
                "the last journal frame was torn by the stop; nobody was answered for it"
            );
            // It must not look like a frame once good ones stand before it.
            let zeros = vec![0; 1 << 16];
            let mut at = walked.end;
            while at < used {
                let piece = (used - at).min(zeros.len() as u64);
                let piece = zeros.get(..piece as usize).unwrap_or(&zeros);
                doing(file.write_all_at(piece, at), what)?;
                at += piece.len() as u64;
            }
            doing(file.sync_data(), what)?;
        }
        let capacity = doing(file.metadata(), what)?.len();
        Ok(Self {
            dir: dir.to_owned(),
            segment_bytes,
            file,
            capacity,
            end,
            before: before.or(walked.before).unwrap_or(after.offset),
            buffer: Vec::new(),
            spare: None,
        })
    }

    /// Where the next frame will begin.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Appends a frame; it is durable when this returns. After an error nothing may be appended any more:
    /// the kernel may have dropped the pages that it could not write.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<(), JournalError> {
        let length = u32::try_from(payload.len())
            .map_err(|_| JournalError::Unusable("it is larger than 4 GiB".to_owned()))?;
        let needed = FRAME + u64::from(length);
        if self.end.offset.max(HEAD) + needed > self.capacity {
            self.roll(needed)?;
        }
        self.buffer.clear();
        let write_at = self.end.offset;
        if self.end.offset == 0 {
            self.buffer
                .extend_from_slice(&head(self.end.segment, self.before));
            self.end.offset = HEAD;
        }
        let crc = checksum(self.end, payload);
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.buffer.extend_from_slice(payload);
        let segment = self.end.segment;
        let what = || format!("writing journal segment {segment}");
        doing(self.file.write_all_at(&self.buffer, write_at), what)?;
        doing(self.file.sync_data(), what)?;
        self.end.offset += needed;
        if self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        if self.spare.is_none() && self.end.offset > self.capacity / 2 {
            let (dir, next, bytes) = (self.dir.clone(), segment + 1, self.segment_bytes);
            self.spare = std::thread::Builder::new()
                .name("keng-journal".to_owned())
                .spawn(move || make(&dir, next, bytes))
                .ok();
        }
        Ok(())
    }

    fn roll(&mut self, needed: u64) -> Result<(), JournalError> {
        let segment = self.end.segment + 1;
        // An act may be larger than a segment (an alert for thousands of rooms); its segment is, too.
        let bytes = self.segment_bytes.max(HEAD + needed);
        let mut spare = self.spare.take();
        if bytes > self.segment_bytes
            && let Some(small) = spare.take()
        {
            drop(small.join());
        }
        let (file, capacity) = Self::begin(&self.dir, segment, bytes, spare)?;
        self.file = file;
        self.capacity = capacity;
        self.before = self.end.offset;
        self.end = Position { segment, offset: 0 };
        Ok(())
    }

    /// Removes the segments before `keep`.
    pub(crate) fn cut(&self, keep: u64) -> Result<(), JournalError> {
        let what = || "removing old journal segments".to_owned();
        for segment in doing(segments(&self.dir), what)? {
            if segment < keep.min(self.end.segment) {
                doing(fs::remove_file(segment_path(&self.dir, segment)), what)?;
            }
        }
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Else a store that is opened again at once would meet a spare that is still being made.
        if let Some(spare) = self.spare.take() {
            drop(spare.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: u64 = 4096;

    fn filled(dir: &Path, frames: u8) -> Vec<Position> {
        let mut journal =
            Journal::recover(dir, Position::default(), SMALL, &mut |_, _| Ok(())).unwrap();
        (0..frames)
            .map(|n| {
                journal.append(&[n + 1; 500]).unwrap();
                journal.end()
            })
            .collect()
    }

    fn replay(dir: &Path, after: Position) -> Result<Vec<u8>, JournalError> {
        let mut seen = Vec::new();
        Journal::recover(dir, after, SMALL, &mut |_, payload| {
            seen.push(payload[0]);
            Ok(())
        })?;
        Ok(seen)
    }

    fn flip(dir: &Path, segment: u64, offset: u64) {
        let file = File::options()
            .read(true)
            .write(true)
            .open(segment_path(dir, segment))
            .unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
    }

    #[test]
    fn frames_come_back_over_several_segments() {
        let dir = tempfile::tempdir().unwrap();
        let ends = filled(dir.path(), 20);
        assert!(ends[19].segment >= 3);
        let all: Vec<u8> = (1..=20).collect();
        assert_eq!(replay(dir.path(), Position::default()).unwrap(), all);
        assert_eq!(replay(dir.path(), ends[11]).unwrap(), all[12..]);
        let mut between = Vec::new();
        read_between(dir.path(), ends[4], ends[15], &mut |payload| {
            between.push(payload[0]);
            Ok(())
        })
        .unwrap();
        assert_eq!(between, all[5..16]);
    }

    /// Puts back the zeros that stood in a place before it was written.
    fn unwrite(dir: &Path, segment: u64, range: std::ops::Range<u64>) {
        let path = segment_path(dir, segment);
        let file = File::options().write(true).open(path).unwrap();
        let zeros = vec![0; (range.end - range.start) as usize];
        file.write_all_at(&zeros, range.start).unwrap();
    }

    #[test]
    fn a_torn_tail_is_cut_and_writing_goes_on() {
        // The third frame stands from 1048 to 1556; sectors end at 1536 and 2048.
        for torn in [1048..1536, 1536..1556, 1100..1556, 1050..1556, 1555..1556] {
            let dir = tempfile::tempdir().unwrap();
            let ends = filled(dir.path(), 3);
            assert_eq!((ends[1].offset, ends[2].offset), (1048, 1556));
            // Less than a sector at the end: as if the frame had reached over into the next one.
            if torn.start == 1555 {
                unwrite(dir.path(), 1, 1536..1555);
            }
            unwrite(dir.path(), 1, torn);
            assert_eq!(replay(dir.path(), Position::default()).unwrap(), [1, 2]);
            let mut journal =
                Journal::recover(dir.path(), ends[1], SMALL, &mut |_, _| Ok(())).unwrap();
            journal.append(&[9; 10]).unwrap();
            drop(journal);
            assert_eq!(replay(dir.path(), Position::default()).unwrap(), [1, 2, 9]);
        }
    }

    /// It was taken for a torn frame once, and what somebody had been answered for was gone.
    #[test]
    fn a_flipped_bit_in_the_last_frame_is_damage_whichever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let ends = filled(dir.path(), 3);
        let path = segment_path(dir.path(), 1);
        let good = fs::read(&path).unwrap();
        for bit in 8 * ends[1].offset as usize..8 * ends[2].offset as usize {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            let error = replay(dir.path(), Position::default()).unwrap_err();
            assert!(
                matches!(error, JournalError::Damaged { offset: 1048, .. }),
                "bit {bit}: {error}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn damage_before_the_tail_is_named_and_nothing_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let ends = filled(dir.path(), 5);
        for offset in [ends[1].offset, ends[1].offset + 4, ends[1].offset + 100, 10] {
            flip(dir.path(), 1, offset);
            let before = fs::read(segment_path(dir.path(), 1)).unwrap();
            let error = replay(dir.path(), Position::default()).unwrap_err();
            let JournalError::Damaged {
                segment: 1,
                offset: at,
                ..
            } = error
            else {
                panic!("{error}");
            };
            assert!(at == ends[1].offset || at == 0, "{at}");
            assert_eq!(before, fs::read(segment_path(dir.path(), 1)).unwrap());
            flip(dir.path(), 1, offset);
        }
        assert_eq!(replay(dir.path(), Position::default()).unwrap().len(), 5);
    }

    #[test]
    fn a_tear_before_what_sled_holds_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let ends = filled(dir.path(), 3);
        flip(dir.path(), 1, ends[2].offset - 1);
        let error = replay(dir.path(), ends[2]).unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { segment: 1, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_missing_segment_is_damage_and_a_cut_beginning_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let ends = filled(dir.path(), 20);
        fs::remove_file(segment_path(dir.path(), 2)).unwrap();
        let error = replay(dir.path(), Position::default()).unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { segment: 2, .. }),
            "{error}"
        );
        fs::remove_file(segment_path(dir.path(), 1)).unwrap();
        let error = replay(dir.path(), Position::default()).unwrap_err();
        assert!(matches!(error, JournalError::Gap(_)), "{error}");
        assert!(replay(dir.path(), ends[18]).is_ok());
    }

    #[test]
    fn a_frame_larger_than_a_segment_gets_its_own() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 2);
        let mut journal =
            Journal::recover(dir.path(), Position::default(), SMALL, &mut |_, _| Ok(())).unwrap();
        journal.append(&[8; 20_000]).unwrap();
        journal.append(&[9; 10]).unwrap();
        drop(journal);
        assert_eq!(
            replay(dir.path(), Position::default()).unwrap(),
            [1, 2, 8, 9]
        );
    }
}
