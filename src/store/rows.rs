//! What a row looks like on disk: its key, and the bytes of its value.
//!
//! A value is one version byte, the row in postcard, and the CRC32 of both. The domain types have no
//! serde on purpose: the structs here mirror them, borrow from them when writing and from the bytes
//! when reading, and only they may never change. Postcard does not describe itself, so a field is
//! never added to, taken from or moved inside a version: a new version gets a new struct, and the old
//! one stays to be read. `tests/fixtures/store/` keeps bytes of every version of every row.
//!
//! Keys (integers big-endian; `short` is a length byte and the text, or 255 and its SHA-256):
//!
//! | first byte | then | value |
//! | --- | --- | --- |
//! | `i` | incident | the incident |
//! | `m` | short account, short room, short message | the incident it became, or none |
//! | `a` | area, 0, open (1) or closed (0), received in ms, incident | nothing |
//! | `q` | short account, short room, person | the question |
//! | `v` | person | the identity |
//! | `r` | short account, short room | the room |
//! | `n` | hash of the code | the invitation |
//! | `k` | short account, short page | a page of the account's notebook |
//! | `h` | short account, short room | the appointment for a daily digest |
//! | `j` | short account, short room, short message | the errand it asked for |
//! | `d` | when it is due in ms, short account, short room | nothing |
//! | `l` | alert | the alert |
//! | `c` | check code | the alert's id |
//! | `o` | alert that is draft or live | nothing |
//! | `w` | short account, lane, delivery | the delivery, waiting or being sent |
//! | `e` | alert, version, delivery | an alert's delivery that has ended |
//! | `t` | alert, version | the tally |
//! | `f` | alert, version, short reason | the reason and its number of rooms |
//! | `p` | delivery | an ended progress row of a live alert |
//! | `g` | alert, delivery | nothing: the progress rows of an alert |
//! | `u` | number | a line of the audit chain |
//! | `!` | name | schema, salt, next free delivery id, head of the audit chain, watermark |
//! | `~` | key, part | a part of a long value (`kv`) |

use bytes::Bytes;
use chrono::DateTime;
use chrono::Datelike as _;
use chrono::NaiveDate;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;

use super::StoreError;
use super::kv::damaged;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Approval;
use crate::domain::alert::Enclosure;
use crate::domain::alert::Level;
use crate::domain::alert::Tally;
use crate::domain::alert::Target;
use crate::domain::alert::Version;
use crate::domain::alert::VersionKind;
use crate::domain::alert::Versions;
use crate::domain::appointment::Appointment;
use crate::domain::appointment::Hour;
use crate::domain::area::AreaId;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Time;
use crate::domain::clock::vietnam;
use crate::domain::delivery::Body;
use crate::domain::delivery::Button;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Pinned;
use crate::domain::delivery::Post;
use crate::domain::errand::Errand;
use crate::domain::errand::Work;
use crate::domain::ids::AccountName;
use crate::domain::ids::AlertId;
use crate::domain::ids::CheckCode;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::incident::Event;
use crate::domain::incident::EventKind;
use crate::domain::incident::Incident;
use crate::domain::incident::Missing;
use crate::domain::incident::Question;
use crate::domain::incident::Report;
use crate::domain::incident::Sensitivity;
use crate::domain::incident::Status;
use crate::domain::invite::Invite;
use crate::domain::invite::InviteHash;
use crate::domain::invite::InviteState;
use crate::domain::message::Attachment;
use crate::domain::person::Identity;
use crate::domain::person::PersonKey;
use crate::domain::person::Role;
use crate::domain::quota::Month;
use crate::domain::reading;
use crate::domain::reading::Category;
use crate::domain::reading::Facts;
use crate::domain::reading::When;
use crate::domain::room::Choices;
use crate::domain::room::Quiet;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;

/// The layout of keys that this program writes.
pub(crate) const SCHEMA: u32 = 1;

/// Keys, one function for each kind of row.
pub(crate) mod key {
    use super::*;

    pub(crate) const INCIDENT: u8 = b'i';
    pub(crate) const MESSAGE: u8 = b'm';
    pub(crate) const BY_AREA: u8 = b'a';
    pub(crate) const QUESTION: u8 = b'q';
    pub(crate) const IDENTITY: u8 = b'v';
    pub(crate) const ROOM: u8 = b'r';
    pub(crate) const INVITE: u8 = b'n';
    pub(crate) const NOTE: u8 = b'k';
    pub(crate) const APPOINTMENT: u8 = b'h';
    pub(crate) const DUE: u8 = b'd';
    pub(crate) const ERRAND: u8 = b'j';
    pub(crate) const ALERT: u8 = b'l';
    pub(crate) const CODE: u8 = b'c';
    pub(crate) const OPEN_ALERT: u8 = b'o';
    pub(crate) const OUTBOX: u8 = b'w';
    pub(crate) const ENDED: u8 = b'e';
    pub(crate) const TALLY: u8 = b't';
    pub(crate) const FAILURE: u8 = b'f';
    pub(crate) const PROGRESS: u8 = b'p';
    pub(crate) const PROGRESS_OF: u8 = b'g';
    pub(crate) const AUDIT: u8 = b'u';
    pub(crate) const USAGE: u8 = b's';
    pub(crate) const META: u8 = b'!';

    pub(crate) const META_SCHEMA: &[u8] = b"!schema";
    pub(crate) const META_SALT: &[u8] = b"!salt";
    pub(crate) const META_FLOOR: &[u8] = b"!floor";
    pub(crate) const META_AUDIT: &[u8] = b"!audit";
    /// How far sled has followed the journal; sled's own, in no backup.
    pub(crate) const META_WATERMARK: &[u8] = b"!watermark";

    /// Text inside a key: short and injective whatever a platform sends.
    fn short(made: &mut Vec<u8>, text: &str) {
        match u8::try_from(text.len()) {
            Ok(length @ ..=200) => {
                made.push(length);
                made.extend_from_slice(text.as_bytes());
            }
            _ => {
                made.push(u8::MAX);
                made.extend_from_slice(&Sha256::digest(text.as_bytes()));
            }
        }
    }

    fn numbered(kind: u8, numbers: &[u64]) -> Vec<u8> {
        let mut made = vec![kind];
        for number in numbers {
            made.extend_from_slice(&number.to_be_bytes());
        }
        made
    }

    /// The number that a key ends in.
    pub(crate) fn last_number(key: &[u8]) -> Option<u64> {
        key.last_chunk::<8>().copied().map(u64::from_be_bytes)
    }

    pub(crate) fn incident(id: IncidentId) -> Vec<u8> {
        numbered(INCIDENT, &[id.0])
    }

    pub(crate) fn message(room: &RoomId, message: &MessageId) -> Vec<u8> {
        let mut made = Vec::with_capacity(48);
        made.push(MESSAGE);
        short(&mut made, room.account.as_str());
        short(&mut made, &room.native);
        short(&mut made, message.as_str());
        made
    }

    pub(crate) fn seen(seen: &MessageKey) -> Vec<u8> {
        message(&seen.room, &seen.message)
    }

    /// Area ids are digits, `a-z`, `-` and `/`: a zero byte ends them.
    pub(crate) fn area(area: &AreaId) -> Vec<u8> {
        let mut made = vec![BY_AREA];
        made.extend_from_slice(area.as_str().as_bytes());
        made.push(0);
        made
    }

    /// Milliseconds as a key: shifted so that moments before 1970 sort before later ones.
    pub(crate) fn moment(made: &mut Vec<u8>, ms: i64) {
        made.extend_from_slice(&(ms.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    }

    pub(crate) fn by_area(incident: &Incident) -> Vec<u8> {
        let mut made = area(&incident.area);
        made.push(u8::from(incident.status.is_open()));
        moment(&mut made, incident.received_at.timestamp_millis());
        made.extend_from_slice(&incident.id.0.to_be_bytes());
        made
    }

    pub(crate) fn question(room: &RoomId, person: &PersonKey) -> Vec<u8> {
        let mut made = vec![QUESTION];
        short(&mut made, room.account.as_str());
        short(&mut made, &room.native);
        made.extend_from_slice(&person.0);
        made
    }

    pub(crate) fn identity(person: &PersonKey) -> Vec<u8> {
        let mut made = vec![IDENTITY];
        made.extend_from_slice(&person.0);
        made
    }

    pub(crate) fn room(room: &RoomId) -> Vec<u8> {
        let mut made = vec![ROOM];
        short(&mut made, room.account.as_str());
        short(&mut made, &room.native);
        made
    }

    pub(crate) fn invite(hash: &InviteHash) -> Vec<u8> {
        let mut made = vec![INVITE];
        made.extend_from_slice(&hash.0);
        made
    }

    pub(crate) fn note(account: &AccountName, page: &str) -> Vec<u8> {
        let mut made = vec![NOTE];
        short(&mut made, account.as_str());
        short(&mut made, page);
        made
    }

    pub(crate) fn appointment(room: &RoomId) -> Vec<u8> {
        let mut made = vec![APPOINTMENT];
        short(&mut made, room.account.as_str());
        short(&mut made, &room.native);
        made
    }

    pub(crate) fn errand(asked: &MessageKey) -> Vec<u8> {
        let mut made = vec![ERRAND];
        short(&mut made, asked.room.account.as_str());
        short(&mut made, &asked.room.native);
        short(&mut made, &asked.message.0);
        made
    }

    /// The mark of an appointment that is not ended: the moment, and the rest of its key.
    pub(crate) fn due_mark(appointment: &Appointment) -> Option<Vec<u8>> {
        let mut made = vec![DUE];
        moment(&mut made, appointment.due.as_ref()?.timestamp_millis());
        let key = self::appointment(&appointment.room);
        made.extend(key.into_iter().skip(1));
        Some(made)
    }

    /// The moment in a mark, and the key of its appointment.
    pub(crate) fn marked(mark: &[u8]) -> Option<(i64, Vec<u8>)> {
        let (_, rest) = mark.split_first()?;
        let (ms, tail) = rest.split_first_chunk::<8>()?;
        let mut key = vec![APPOINTMENT];
        key.extend_from_slice(tail);
        Some(((u64::from_be_bytes(*ms) ^ (1 << 63)).cast_signed(), key))
    }

    pub(crate) fn alert(id: AlertId) -> Vec<u8> {
        numbered(ALERT, &[id.0])
    }

    pub(crate) fn code(code: &CheckCode) -> Vec<u8> {
        let mut made = vec![CODE];
        made.extend_from_slice(code.as_str().as_bytes());
        made
    }

    pub(crate) fn open_alert(id: AlertId) -> Vec<u8> {
        numbered(OPEN_ALERT, &[id.0])
    }

    pub(crate) fn account_queue(account: &AccountName) -> Vec<u8> {
        let mut made = vec![OUTBOX];
        short(&mut made, account.as_str());
        made
    }

    /// The account's part of the key of a waiting row: all its lanes begin so.
    pub(crate) fn account_of(outbox: &[u8]) -> Option<&[u8]> {
        let length = match *outbox.get(1)? {
            u8::MAX => 32,
            length => usize::from(length),
        };
        outbox.get(..2 + length)
    }

    /// A lane behind an account's part of a key.
    pub(crate) fn lane_of(account: &[u8], lane: Lane) -> Vec<u8> {
        let mut made = account.to_vec();
        made.push(match lane {
            Lane::Urgent => 0,
            Lane::Reply => 1,
            Lane::Bulk => 2,
        });
        made
    }

    pub(crate) fn queue(account: &AccountName, lane: Lane) -> Vec<u8> {
        lane_of(&account_queue(account), lane)
    }

    pub(crate) fn outbox(delivery: &Delivery) -> Vec<u8> {
        let mut made = queue(&delivery.room.account, delivery.lane);
        made.extend_from_slice(&delivery.id.0.to_be_bytes());
        made
    }

    fn versioned(kind: u8, alert: AlertId, version: u32) -> Vec<u8> {
        let mut made = numbered(kind, &[alert.0]);
        made.extend_from_slice(&version.to_be_bytes());
        made
    }

    pub(crate) fn ended(alert: AlertId, version: u32, id: DeliveryId) -> Vec<u8> {
        let mut made = versioned(ENDED, alert, version);
        made.extend_from_slice(&id.0.to_be_bytes());
        made
    }

    /// The rows of all versions of an alert that have ended.
    pub(crate) fn ended_of(alert: AlertId) -> Vec<u8> {
        numbered(ENDED, &[alert.0])
    }

    pub(crate) fn tally(alert: AlertId, version: u32) -> Vec<u8> {
        versioned(TALLY, alert, version)
    }

    pub(crate) fn failures(alert: AlertId, version: u32) -> Vec<u8> {
        versioned(FAILURE, alert, version)
    }

    pub(crate) fn failure(alert: AlertId, version: u32, why: &str) -> Vec<u8> {
        let mut made = failures(alert, version);
        short(&mut made, why);
        made
    }

    pub(crate) fn progress(id: DeliveryId) -> Vec<u8> {
        numbered(PROGRESS, &[id.0])
    }

    pub(crate) fn progress_rows(alert: AlertId) -> Vec<u8> {
        numbered(PROGRESS_OF, &[alert.0])
    }

    pub(crate) fn progress_of(alert: AlertId, id: DeliveryId) -> Vec<u8> {
        numbered(PROGRESS_OF, &[alert.0, id.0])
    }

    pub(crate) fn usage(account: &AccountName, month: Month) -> Vec<u8> {
        let mut made = vec![USAGE];
        short(&mut made, account.as_str());
        made.extend_from_slice(&month.number().to_be_bytes());
        made
    }

    pub(crate) fn audit(number: u64) -> Vec<u8> {
        numbered(AUDIT, &[number])
    }
}

/// A domain value that can be kept.
pub(crate) trait Row: Sized {
    /// The bytes of its newest version.
    fn seal(&self) -> Bytes;
    /// Reads the bytes of any version there ever was.
    fn open(sealed: &[u8]) -> Result<Self, String>;
}

/// Reads a row and names its key when it is damaged.
pub(crate) fn read<R: Row>(key: &[u8], sealed: &[u8]) -> Result<R, StoreError> {
    R::open(sealed).map_err(|why| damaged(key, &why))
}

fn seal<T: Serialize>(version: u8, row: &T) -> Bytes {
    // Writing into memory fails for no row of ours; were it to, the checksum of an empty body would
    // still be right and reading it would say what is wrong.
    let mut sealed = postcard::to_extend(row, vec![version]).unwrap_or_else(|_| vec![version]);
    let checksum = crc32fast::hash(&sealed);
    sealed.extend_from_slice(&checksum.to_be_bytes());
    sealed.into()
}

/// Checks the checksum and gives the version and the body.
fn unseal(sealed: &[u8]) -> Result<(u8, &[u8]), String> {
    let (content, checksum) = sealed
        .split_last_chunk::<4>()
        .ok_or("it is too short to be a row")?;
    if crc32fast::hash(content) != u32::from_be_bytes(*checksum) {
        return Err("its checksum is wrong".to_owned());
    }
    let (version, body) = content.split_first().ok_or("it is empty")?;
    Ok((*version, body))
}

fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    match postcard::take_from_bytes(body) {
        Ok((row, [])) => Ok(row),
        Ok(_) => Err("bytes are left over after its last field".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn unknown_version(version: u8) -> String {
    format!("its version {version} is unknown here: a newer program wrote it, use that one")
}

/// A row whose only version so far is 1, mirrored by one struct.
macro_rules! first_version {
    ($($domain:ty => $mirror:ident,)+) => {$(
        impl Row for $domain {
            fn seal(&self) -> Bytes {
                seal(1, &$mirror::from(self))
            }

            fn open(sealed: &[u8]) -> Result<Self, String> {
                match unseal(sealed)? {
                    (1, body) => decode::<$mirror<'_>>(body)?.into_domain(),
                    (version, _) => Err(unknown_version(version)),
                }
            }
        }
    )+};
}

first_version! {
    Incident => Incident1,
    Question => Question1,
    Identity => Identity1,
    Invite => Invite1,
    Appointment => Appointment1,
    Errand => Errand1,
}

/// Version 2 knows what was chosen for a room. Where nothing was, version 1 is written, so that an older
/// program reads it.
impl Row for Room {
    fn seal(&self) -> Bytes {
        match &self.choices {
            None => seal(1, &Room1::from(self)),
            Some(choices) => seal(2, &Room2(self.into(), choices.into())),
        }
    }

    fn open(sealed: &[u8]) -> Result<Self, String> {
        match unseal(sealed)? {
            (1, body) => decode::<Room1<'_>>(body)?.into_domain(),
            (2, body) => {
                let Room2(room, choices) = decode::<Room2<'_>>(body)?;
                Ok(Self {
                    choices: Some(choices.into_domain()?),
                    ..room.into_domain()?
                })
            }
            (version, _) => Err(unknown_version(version)),
        }
    }
}

/// Version 3 knows photos, version 4 recordings, too. Where there is none, the earlier version is written, so
/// that an older program reads it.
impl Row for Alert {
    fn seal(&self) -> Bytes {
        let (photos, recordings): (Vec<_>, Vec<_>) = { self.versions.iter() }
            .map(|version| (stored(&version.photo), stored(&version.recording)))
            .unzip();
        let none = |all: &[Option<Enclosure3<'_>>]| all.iter().all(Option::is_none);
        match (none(&photos), none(&recordings)) {
            (true, true) => seal(2, &Alert2::from(self)),
            (false, true) => seal(3, &Alert3(self.into(), photos)),
            (_, false) => seal(4, &Alert4(Alert3(self.into(), photos), recordings)),
        }
    }

    fn open(sealed: &[u8]) -> Result<Self, String> {
        match unseal(sealed)? {
            (1, body) => decode::<Alert1<'_>>(body)?.into_domain(),
            (2, body) => decode::<Alert2<'_>>(body)?.into_domain(),
            (3, body) => {
                let alert = decode::<Alert3<'_>>(body)?;
                let recordings = vec![None; alert.1.len()];
                Alert4(alert, recordings).into_domain()
            }
            (4, body) => decode::<Alert4<'_>>(body)?.into_domain(),
            (version, _) => Err(unknown_version(version)),
        }
    }
}

/// Version 2 knows rows that correct or end an alert, version 3 those that pin one. All others are written
/// as version 1, so that an older program reads them.
impl Row for Delivery {
    fn seal(&self) -> Bytes {
        let version = match self.body {
            Body::Alert {
                follows: Some(_), ..
            } => 2,
            Body::Pin { .. } => 3,
            _ => 1,
        };
        seal(version, &Delivery1::from(self))
    }

    fn open(sealed: &[u8]) -> Result<Self, String> {
        match unseal(sealed)? {
            (1..=3, body) => decode::<Delivery1<'_>>(body)?.into_domain(),
            (version, _) => Err(unknown_version(version)),
        }
    }
}

/// A row that is stored as it stands.
macro_rules! plain_row {
    ($($row:ty,)+) => {$(
        impl Row for $row {
            fn seal(&self) -> Bytes {
                seal(1, self)
            }

            fn open(sealed: &[u8]) -> Result<Self, String> {
                match unseal(sealed)? {
                    (1, body) => decode(body),
                    (version, _) => Err(unknown_version(version)),
                }
            }
        }
    )+};
}

/// What a message became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenRow(pub(crate) Option<u64>);

/// A number of ours: schema, next free id, an alert's id under its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberRow(pub(crate) u64);

/// The store's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SaltRow(pub(crate) [u8; 32]);

/// A page of a notebook. It may hold tokens, so it is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoteRow(pub(crate) String);

impl std::fmt::Debug for NoteRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoteRow(***)")
    }
}

/// A place in the journal: everything before it is in sled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// How many rooms did not get an alert for this reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailureRow {
    pub(crate) why: String,
    pub(crate) rooms: u32,
}

/// The last line of the audit chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(crate) struct AuditHead {
    pub(crate) number: u64,
    pub(crate) hash: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TallyRow {
    planned: u32,
    sent: u32,
    unknown: u32,
    failed: u32,
    maybe_twice: u32,
}

/// A line of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditRow {
    pub(crate) entry: AuditEntry,
    pub(crate) hash: [u8; 32],
}

plain_row! { SeenRow, NumberRow, NoteRow, SaltRow, Position, FailureRow, AuditHead, TallyRow, }

impl Row for Tally {
    fn seal(&self) -> Bytes {
        TallyRow {
            planned: self.planned,
            sent: self.sent,
            unknown: self.unknown,
            failed: self.failed,
            maybe_twice: self.maybe_twice,
        }
        .seal()
    }

    fn open(sealed: &[u8]) -> Result<Self, String> {
        let row = TallyRow::open(sealed)?;
        Ok(Self {
            planned: row.planned,
            sent: row.sent,
            unknown: row.unknown,
            failed: row.failed,
            maybe_twice: row.maybe_twice,
        })
    }
}

impl Row for AuditRow {
    fn seal(&self) -> Bytes {
        seal(1, &(Audit1::from(&self.entry), self.hash))
    }

    fn open(sealed: &[u8]) -> Result<Self, String> {
        match unseal(sealed)? {
            (1, body) => {
                let (entry, hash) = decode::<(Audit1<'_>, [u8; 32])>(body)?;
                Ok(Self {
                    entry: entry.into_domain()?,
                    hash,
                })
            }
            (version, _) => Err(unknown_version(version)),
        }
    }
}

/// The hash of an audit line: SHA-256 over the hash before it, its number and its fields.
pub(crate) fn audit_hash(before: &[u8; 32], number: u64, entry: &AuditEntry) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(number.to_be_bytes());
    hash.update(entry.at.timestamp().to_be_bytes());
    hash.update(entry.at.timestamp_subsec_nanos().to_be_bytes());
    for field in [&entry.who, &entry.act, &entry.object, &entry.detail] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize().into()
}

/// Seconds and nanoseconds since 1970: every moment of the calendar, nothing rounded.
type Moment = (i64, u32);

fn moment(time: &Time) -> Moment {
    (time.timestamp(), time.timestamp_subsec_nanos())
}

fn time((seconds, nanos): Moment) -> Result<Time, String> {
    DateTime::from_timestamp(seconds, nanos)
        .map(|time| time.with_timezone(&vietnam()))
        .ok_or_else(|| "it holds a moment outside the calendar".to_owned())
}

fn area(raw: &str) -> Result<AreaId, String> {
    AreaId::parse(raw).map_err(|error| error.to_string())
}

fn account(raw: &str) -> Result<AccountName, String> {
    AccountName::parse(raw).map_err(|error| error.to_string())
}

fn list<T, U>(items: Vec<T>, read: impl FnMut(T) -> Result<U, String>) -> Result<Vec<U>, String> {
    items.into_iter().map(read).collect()
}

fn owned(text: &str) -> String {
    text.to_owned()
}

fn message(raw: &str) -> MessageId {
    MessageId(raw.into())
}

#[derive(Serialize, Deserialize)]
struct RoomId1<'a> {
    account: &'a str,
    native: &'a str,
}

impl<'a> From<&'a RoomId> for RoomId1<'a> {
    fn from(room: &'a RoomId) -> Self {
        Self {
            account: room.account.as_str(),
            native: &room.native,
        }
    }
}

impl RoomId1<'_> {
    fn into_domain(self) -> Result<RoomId, String> {
        Ok(RoomId::new(account(self.account)?, self.native))
    }
}

#[derive(Serialize, Deserialize)]
struct Incident1<'a> {
    id: u64,
    version: u32,
    #[serde(borrow)]
    area: &'a str,
    status: Status1,
    private: bool,
    facts: Facts1<'a>,
    received_at: Moment,
    reports: Vec<Report1<'a>>,
    more_reports: u32,
    asked: Option<Missing1>,
    officer: Option<&'a str>,
    timeline: Vec<(Moment, Event1<'a>)>,
    imported: bool,
}

impl<'a> From<&'a Incident> for Incident1<'a> {
    fn from(incident: &'a Incident) -> Self {
        Self {
            id: incident.id.0,
            version: incident.version,
            area: incident.area.as_str(),
            status: (&incident.status).into(),
            private: incident.sensitivity == Sensitivity::Private,
            facts: (&incident.facts).into(),
            received_at: moment(&incident.received_at),
            reports: incident.reports.iter().map(Into::into).collect(),
            more_reports: incident.more_reports,
            asked: incident.asked.map(Into::into),
            officer: incident.officer.as_deref(),
            timeline: incident
                .timeline
                .iter()
                .map(|event| (moment(&event.at), (&event.what).into()))
                .collect(),
            imported: incident.imported,
        }
    }
}

impl Incident1<'_> {
    fn into_domain(self) -> Result<Incident, String> {
        Ok(Incident {
            id: IncidentId(self.id),
            version: self.version,
            area: area(self.area)?,
            status: self.status.into(),
            sensitivity: if self.private {
                Sensitivity::Private
            } else {
                Sensitivity::Open
            },
            facts: self.facts.into_domain()?,
            received_at: time(self.received_at)?,
            reports: list(self.reports, Report1::into_domain)?,
            more_reports: self.more_reports,
            asked: self.asked.map(Into::into),
            officer: self.officer.map(owned),
            timeline: list(self.timeline, |(at, what)| {
                Ok(Event {
                    at: time(at)?,
                    what: what.into_domain(),
                })
            })?,
            imported: self.imported,
        })
    }
}

#[derive(Serialize, Deserialize)]
enum Status1 {
    New,
    Accepted,
    Done,
    Rejected,
    Withdrawn,
    Merged(u64),
}

impl From<&Status> for Status1 {
    fn from(status: &Status) -> Self {
        match status {
            Status::New => Self::New,
            Status::Accepted => Self::Accepted,
            Status::Done => Self::Done,
            Status::Rejected => Self::Rejected,
            Status::Withdrawn => Self::Withdrawn,
            Status::Merged(with) => Self::Merged(with.0),
        }
    }
}

impl From<Status1> for Status {
    fn from(status: Status1) -> Self {
        match status {
            Status1::New => Self::New,
            Status1::Accepted => Self::Accepted,
            Status1::Done => Self::Done,
            Status1::Rejected => Self::Rejected,
            Status1::Withdrawn => Self::Withdrawn,
            Status1::Merged(with) => Self::Merged(IncidentId(with)),
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Missing1 {
    What,
    Place,
    Time,
}

impl From<Missing> for Missing1 {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::What => Self::What,
            Missing::Place => Self::Place,
            Missing::Time => Self::Time,
        }
    }
}

impl From<Missing1> for Missing {
    fn from(missing: Missing1) -> Self {
        match missing {
            Missing1::What => Self::What,
            Missing1::Place => Self::Place,
            Missing1::Time => Self::Time,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Facts1<'a> {
    /// By their fixed ids: the order of the definition is nobody's promise.
    #[serde(borrow)]
    categories: Vec<&'a str>,
    primary: &'a str,
    urgent: bool,
    place: Option<&'a str>,
    time: Option<When1>,
    phones: Vec<&'a str>,
    plates: Vec<&'a str>,
    urls: Vec<&'a str>,
    handles: Vec<&'a str>,
    accounts: Vec<(&'a str, Option<&'a str>)>,
}

#[derive(Serialize, Deserialize)]
enum When1 {
    At(Moment),
    Between(Moment, Moment),
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().copied().map(owned).collect()
}

fn category(id: &str) -> Result<Category, String> {
    Category::parse(id).ok_or_else(|| format!("its category `{id}` is unknown here"))
}

impl<'a> From<&'a Facts> for Facts1<'a> {
    fn from(facts: &'a Facts) -> Self {
        Self {
            categories: facts.categories.iter().map(|kind| kind.as_str()).collect(),
            primary: facts.primary.as_str(),
            urgent: facts.urgent,
            place: facts.place.as_deref(),
            time: facts.time.as_ref().map(|when| match when {
                When::At(at) => When1::At(moment(at)),
                When::Between(from, to) => When1::Between(moment(from), moment(to)),
            }),
            phones: texts(&facts.phones),
            plates: texts(&facts.plates),
            urls: texts(&facts.urls),
            handles: texts(&facts.handles),
            accounts: facts
                .accounts
                .iter()
                .map(|account| (account.number.as_str(), account.bank.as_deref()))
                .collect(),
        }
    }
}

impl Facts1<'_> {
    fn into_domain(self) -> Result<Facts, String> {
        Ok(Facts {
            categories: list(self.categories, category)?,
            primary: category(self.primary)?,
            urgent: self.urgent,
            place: self.place.map(owned),
            time: match self.time {
                None => None,
                Some(When1::At(at)) => Some(When::At(time(at)?)),
                Some(When1::Between(from, to)) => Some(When::Between(time(from)?, time(to)?)),
            },
            phones: strings(&self.phones),
            plates: strings(&self.plates),
            urls: strings(&self.urls),
            handles: strings(&self.handles),
            accounts: self
                .accounts
                .into_iter()
                .map(|(number, bank)| reading::Account {
                    number: owned(number),
                    bank: bank.map(owned),
                })
                .collect(),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Report1<'a> {
    #[serde(borrow)]
    room: RoomId1<'a>,
    thread: Option<&'a str>,
    message: &'a str,
    reporter: Option<[u8; 16]>,
    sent_at: Moment,
    text: &'a str,
    attachments: Vec<Attachment1<'a>>,
}

#[derive(Serialize, Deserialize)]
enum Attachment1<'a> {
    Photo(&'a str),
    File {
        kind: &'a str,
        reference: &'a str,
    },
    Location {
        latitude: f64,
        longitude: f64,
        name: Option<&'a str>,
    },
}

impl<'a> From<&'a Report> for Report1<'a> {
    fn from(report: &'a Report) -> Self {
        Self {
            room: (&report.room).into(),
            thread: report.thread.as_deref(),
            message: report.message.as_str(),
            reporter: report.reporter.map(|person| person.0),
            sent_at: moment(&report.sent_at),
            text: &report.text,
            attachments: report
                .attachments
                .iter()
                .map(|attachment| match attachment {
                    Attachment::Photo(reference) => Attachment1::Photo(reference),
                    Attachment::File { kind, reference } => Attachment1::File { kind, reference },
                    Attachment::Location {
                        latitude,
                        longitude,
                        name,
                    } => Attachment1::Location {
                        latitude: *latitude,
                        longitude: *longitude,
                        name: name.as_deref(),
                    },
                })
                .collect(),
        }
    }
}

impl Report1<'_> {
    fn into_domain(self) -> Result<Report, String> {
        Ok(Report {
            room: self.room.into_domain()?,
            thread: self.thread.map(owned),
            message: message(self.message),
            reporter: self.reporter.map(PersonKey),
            sent_at: time(self.sent_at)?,
            text: owned(self.text),
            attachments: self
                .attachments
                .into_iter()
                .map(|attachment| match attachment {
                    Attachment1::Photo(reference) => Attachment::Photo(owned(reference)),
                    Attachment1::File { kind, reference } => Attachment::File {
                        kind: owned(kind),
                        reference: owned(reference),
                    },
                    Attachment1::Location {
                        latitude,
                        longitude,
                        name,
                    } => Attachment::Location {
                        latitude,
                        longitude,
                        name: name.map(owned),
                    },
                })
                .collect(),
        })
    }
}

#[derive(Serialize, Deserialize)]
enum Event1<'a> {
    Opened,
    ReportJoined,
    DetailAdded,
    Edited,
    Withdrawn,
    Accepted { by: &'a str },
    Assigned { by: &'a str, to: &'a str },
    Closed { by: &'a str, result: &'a str },
    Rejected { by: &'a str, reason: &'a str },
    Merged { by: Option<&'a str>, with: u64 },
    Clipped,
    Deleted,
}

impl<'a> From<&'a EventKind> for Event1<'a> {
    fn from(event: &'a EventKind) -> Self {
        match event {
            EventKind::Opened => Self::Opened,
            EventKind::ReportJoined => Self::ReportJoined,
            EventKind::DetailAdded => Self::DetailAdded,
            EventKind::Edited => Self::Edited,
            EventKind::Withdrawn => Self::Withdrawn,
            EventKind::Accepted { by } => Self::Accepted { by },
            EventKind::Assigned { by, to } => Self::Assigned { by, to },
            EventKind::Closed { by, result } => Self::Closed { by, result },
            EventKind::Rejected { by, reason } => Self::Rejected { by, reason },
            EventKind::Merged { by, with } => Self::Merged {
                by: by.as_deref(),
                with: with.0,
            },
            EventKind::Clipped => Self::Clipped,
            EventKind::Deleted => Self::Deleted,
        }
    }
}

impl Event1<'_> {
    fn into_domain(self) -> EventKind {
        match self {
            Self::Opened => EventKind::Opened,
            Self::ReportJoined => EventKind::ReportJoined,
            Self::DetailAdded => EventKind::DetailAdded,
            Self::Edited => EventKind::Edited,
            Self::Withdrawn => EventKind::Withdrawn,
            Self::Accepted { by } => EventKind::Accepted { by: owned(by) },
            Self::Assigned { by, to } => EventKind::Assigned {
                by: owned(by),
                to: owned(to),
            },
            Self::Closed { by, result } => EventKind::Closed {
                by: owned(by),
                result: owned(result),
            },
            Self::Rejected { by, reason } => EventKind::Rejected {
                by: owned(by),
                reason: owned(reason),
            },
            Self::Merged { by, with } => EventKind::Merged {
                by: by.map(owned),
                with: IncidentId(with),
            },
            Self::Clipped => EventKind::Clipped,
            Self::Deleted => EventKind::Deleted,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Question1<'a> {
    incident: u64,
    missing: Missing1,
    asked_at: Moment,
    /// Keeps the lifetime that the macro above gives every mirror.
    #[serde(skip)]
    borrowed: std::marker::PhantomData<&'a ()>,
}

impl From<&Question> for Question1<'_> {
    fn from(question: &Question) -> Self {
        Self {
            incident: question.incident.0,
            missing: question.missing.into(),
            asked_at: moment(&question.asked_at),
            borrowed: std::marker::PhantomData,
        }
    }
}

impl Question1<'_> {
    fn into_domain(self) -> Result<Question, String> {
        Ok(Question {
            incident: IncidentId(self.incident),
            missing: self.missing.into(),
            asked_at: time(self.asked_at)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Identity1<'a> {
    account: &'a str,
    native: &'a str,
    name: &'a str,
}

impl<'a> From<&'a Identity> for Identity1<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self {
            account: identity.account.as_str(),
            native: &identity.native,
            name: &identity.name,
        }
    }
}

impl Identity1<'_> {
    fn into_domain(self) -> Result<Identity, String> {
        Ok(Identity {
            account: account(self.account)?,
            native: owned(self.native),
            name: owned(self.name),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Invite1<'a> {
    hash: [u8; 32],
    revision: u32,
    name: &'a str,
    role: &'a str,
    area: &'a str,
    by: &'a str,
    made_at: Moment,
    expires_at: Moment,
    #[serde(borrow)]
    state: InviteState1<'a>,
}

#[derive(Serialize, Deserialize)]
enum InviteState1<'a> {
    Open,
    Used {
        account: &'a str,
        native: &'a str,
        at: Moment,
    },
    Ended {
        at: Moment,
    },
}

impl<'a> From<&'a Invite> for Invite1<'a> {
    fn from(invite: &'a Invite) -> Self {
        Self {
            hash: invite.hash.0,
            revision: invite.revision,
            name: &invite.name,
            role: invite.role.as_str(),
            area: invite.area.as_str(),
            by: &invite.by,
            made_at: moment(&invite.made_at),
            expires_at: moment(&invite.expires_at),
            state: match &invite.state {
                InviteState::Open => InviteState1::Open,
                InviteState::Used {
                    account,
                    native,
                    at,
                } => InviteState1::Used {
                    account: account.as_str(),
                    native,
                    at: moment(at),
                },
                InviteState::Ended { at } => InviteState1::Ended { at: moment(at) },
            },
        }
    }
}

impl Invite1<'_> {
    fn into_domain(self) -> Result<Invite, String> {
        Ok(Invite {
            hash: InviteHash(self.hash),
            revision: self.revision,
            name: owned(self.name),
            role: Role::parse(self.role).ok_or_else(|| format!("no role is `{}`", self.role))?,
            area: area(self.area)?,
            by: owned(self.by),
            made_at: time(self.made_at)?,
            expires_at: time(self.expires_at)?,
            state: match self.state {
                InviteState1::Open => InviteState::Open,
                InviteState1::Used {
                    account: name,
                    native,
                    at,
                } => InviteState::Used {
                    account: account(name)?,
                    native: owned(native),
                    at: time(at)?,
                },
                InviteState1::Ended { at } => InviteState::Ended { at: time(at)? },
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Appointment1<'a> {
    #[serde(borrow)]
    room: RoomId1<'a>,
    thread: Option<&'a str>,
    native: &'a str,
    revision: u32,
    /// Minutes since midnight.
    hour: u16,
    asked_at: Moment,
    due: Option<Moment>,
    /// Days of the common era.
    done: Option<i32>,
}

impl<'a> From<&'a Appointment> for Appointment1<'a> {
    fn from(appointment: &'a Appointment) -> Self {
        Self {
            room: (&appointment.room).into(),
            thread: appointment.thread.as_deref(),
            native: &appointment.native,
            revision: appointment.revision,
            hour: appointment.hour.minutes(),
            asked_at: moment(&appointment.asked_at),
            due: appointment.due.as_ref().map(moment),
            done: appointment.done.map(|day| day.num_days_from_ce()),
        }
    }
}

impl Appointment1<'_> {
    fn into_domain(self) -> Result<Appointment, String> {
        let day = |days| {
            NaiveDate::from_num_days_from_ce_opt(days)
                .ok_or_else(|| "it holds a day outside the calendar".to_owned())
        };
        Ok(Appointment {
            room: self.room.into_domain()?,
            thread: self.thread.map(owned),
            native: owned(self.native),
            revision: self.revision,
            hour: Hour::from_minutes(self.hour)
                .ok_or_else(|| format!("no day has {} minutes", self.hour))?,
            asked_at: time(self.asked_at)?,
            due: self.due.map(time).transpose()?,
            done: self.done.map(day).transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Errand1<'a> {
    #[serde(borrow)]
    room: RoomId1<'a>,
    message: &'a str,
    thread: Option<&'a str>,
    private: bool,
    by: &'a str,
    account: &'a str,
    work: Work1<'a>,
    begun: bool,
}

#[derive(Serialize, Deserialize)]
enum Work1<'a> {
    Create {
        name: &'a str,
        area: &'a str,
        people: Vec<&'a str>,
    },
    Links(Vec<&'a str>),
    Members(Vec<&'a str>),
    Invite {
        groups: Vec<&'a str>,
        people: Vec<&'a str>,
    },
}

impl<'a> From<&'a Errand> for Errand1<'a> {
    fn from(errand: &'a Errand) -> Self {
        fn all(texts: &[String]) -> Vec<&str> {
            texts.iter().map(String::as_str).collect()
        }
        Self {
            room: (&errand.asked.room).into(),
            message: &errand.asked.message.0,
            thread: errand.thread.as_deref(),
            private: errand.kind == RoomKind::Private,
            by: &errand.by,
            account: errand.account.as_str(),
            work: match &errand.work {
                Work::Create { name, area, people } => Work1::Create {
                    name,
                    area: area.as_str(),
                    people: all(people),
                },
                Work::Links(groups) => Work1::Links(all(groups)),
                Work::Members(groups) => Work1::Members(all(groups)),
                Work::Invite { groups, people } => Work1::Invite {
                    groups: all(groups),
                    people: all(people),
                },
            },
            begun: errand.begun,
        }
    }
}

impl Errand1<'_> {
    fn into_domain(self) -> Result<Errand, String> {
        fn all(texts: Vec<&str>) -> Vec<String> {
            texts.into_iter().map(owned).collect()
        }
        Ok(Errand {
            asked: MessageKey {
                room: self.room.into_domain()?,
                message: MessageId(self.message.into()),
            },
            thread: self.thread.map(owned),
            kind: if self.private {
                RoomKind::Private
            } else {
                RoomKind::Group
            },
            by: owned(self.by),
            account: account(self.account)?,
            work: match self.work {
                Work1::Create {
                    name,
                    area: id,
                    people,
                } => Work::Create {
                    name: owned(name),
                    area: area(id)?,
                    people: all(people),
                },
                Work1::Links(groups) => Work::Links(all(groups)),
                Work1::Members(groups) => Work::Members(all(groups)),
                Work1::Invite { groups, people } => Work::Invite {
                    groups: all(groups),
                    people: all(people),
                },
            },
            begun: self.begun,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Room1<'a> {
    #[serde(borrow)]
    id: RoomId1<'a>,
    private: bool,
    title: &'a str,
    area: Option<&'a str>,
    state: RoomState1<'a>,
    sees_all: Option<bool>,
    joined_at: Moment,
}

#[derive(Serialize, Deserialize)]
enum RoomState1<'a> {
    Active,
    Removed,
    Moved(#[serde(borrow)] RoomId1<'a>),
}

impl<'a> From<&'a Room> for Room1<'a> {
    fn from(room: &'a Room) -> Self {
        Self {
            id: (&room.id).into(),
            private: room.kind == RoomKind::Private,
            title: &room.title,
            area: room.area.as_ref().map(AreaId::as_str),
            state: match &room.state {
                RoomState::Active => RoomState1::Active,
                RoomState::Removed => RoomState1::Removed,
                RoomState::Moved(to) => RoomState1::Moved(to.into()),
            },
            sees_all: room.sees_all,
            joined_at: moment(&room.joined_at),
        }
    }
}

impl Room1<'_> {
    fn into_domain(self) -> Result<Room, String> {
        Ok(Room {
            id: self.id.into_domain()?,
            kind: if self.private {
                RoomKind::Private
            } else {
                RoomKind::Group
            },
            title: owned(self.title),
            area: self.area.map(area).transpose()?,
            state: match self.state {
                RoomState1::Active => RoomState::Active,
                RoomState1::Removed => RoomState::Removed,
                RoomState1::Moved(to) => RoomState::Moved(to.into_domain()?),
            },
            sees_all: self.sees_all,
            joined_at: time(self.joined_at)?,
            choices: None,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Room2<'a>(#[serde(borrow)] Room1<'a>, Choices2);

#[derive(Serialize, Deserialize)]
struct Choices2 {
    drills: Option<bool>,
    /// From and to, in minutes after midnight; inside none: no quiet hours at all.
    quiet: Option<Option<(u16, u16)>>,
}

impl From<&Choices> for Choices2 {
    fn from(choices: &Choices) -> Self {
        Self {
            drills: choices.drills,
            quiet: { choices.quiet }
                .map(|quiet| quiet.map(|quiet| (quiet.from.minutes(), quiet.to.minutes()))),
        }
    }
}

impl Choices2 {
    fn into_domain(self) -> Result<Choices, String> {
        let hour = |minutes| Hour::from_minutes(minutes).ok_or("its quiet hours are no hours");
        let quiet = |(from, to)| -> Result<Quiet, String> {
            Ok(Quiet {
                from: hour(from)?,
                to: hour(to)?,
            })
        };
        Ok(Choices {
            drills: self.drills,
            quiet: { self.quiet }
                .map(|hours| hours.map(quiet).transpose())
                .transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Alert1<'a> {
    id: u64,
    revision: u32,
    version: u32,
    code: &'a str,
    state: AlertState1,
    level: Level1,
    area: &'a str,
    text: &'a str,
    author: &'a str,
    #[serde(borrow)]
    desk: RoomId1<'a>,
    desk_thread: Option<&'a str>,
    drafted_at: Moment,
    published_at: Option<Moment>,
    expires_at: Moment,
    progress: Option<u64>,
    reported: bool,
}

#[derive(Serialize, Deserialize)]
enum AlertState1 {
    Draft,
    Live,
    Dropped,
    AllClear,
    Withdrawn,
    Expired,
}

#[derive(Serialize, Deserialize)]
enum Level1 {
    Info,
    Warning,
    Urgent,
}

impl From<Level> for Level1 {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
            Level::Urgent => Self::Urgent,
        }
    }
}

impl From<Level1> for Level {
    fn from(level: Level1) -> Self {
        match level {
            Level1::Info => Self::Info,
            Level1::Warning => Self::Warning,
            Level1::Urgent => Self::Urgent,
        }
    }
}

/// The alerts of the first program: one version, for every room of one area.
impl Alert1<'_> {
    fn into_domain(self) -> Result<Alert, String> {
        let drafted_at = time(self.drafted_at)?;
        let published_at = self.published_at.map(time).transpose()?;
        let area = area(self.area)?;
        let mut versions =
            Versions::first(self.text, self.author, published_at.unwrap_or(drafted_at));
        versions.latest_mut().number = self.version;
        Ok(Alert {
            id: AlertId(self.id),
            revision: self.revision,
            code: CheckCode::parse(self.code).ok_or("its check code is none")?,
            state: match self.state {
                AlertState1::Draft => AlertState::Draft,
                AlertState1::Live => AlertState::Live,
                AlertState1::Dropped => AlertState::Dropped,
                AlertState1::AllClear => AlertState::AllClear,
                AlertState1::Withdrawn => AlertState::Withdrawn,
                AlertState1::Expired => AlertState::Expired,
            },
            level: self.level.into(),
            target: Target::area(area.clone()),
            area,
            drill: false,
            versions,
            desk: self.desk.into_domain()?,
            desk_thread: self.desk_thread.map(owned),
            drafted_at,
            approval: None,
            published_at,
            expires_at: time(self.expires_at)?,
            end_named: false,
            progress: self.progress.map(DeliveryId),
            reported: self.reported,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Alert2<'a> {
    id: u64,
    revision: u32,
    code: &'a str,
    state: AlertState2,
    level: Level1,
    area: &'a str,
    #[serde(borrow)]
    target: Target2<'a>,
    drill: bool,
    versions: Vec<Version2<'a>>,
    desk: RoomId1<'a>,
    desk_thread: Option<&'a str>,
    drafted_at: Moment,
    /// When a second officer was asked, and when reminded.
    approval: Option<(Moment, Option<Moment>)>,
    published_at: Option<Moment>,
    expires_at: Moment,
    end_named: bool,
    progress: Option<u64>,
    reported: bool,
}

/// A file of an officer, by account and reference.
type Enclosure3<'a> = (&'a str, &'a str);

/// An alert, and what its versions show.
#[derive(Serialize, Deserialize)]
struct Alert3<'a>(#[serde(borrow)] Alert2<'a>, Vec<Option<Enclosure3<'a>>>);

/// An alert with what its versions show, and what was recorded of them.
#[derive(Serialize, Deserialize)]
struct Alert4<'a>(#[serde(borrow)] Alert3<'a>, Vec<Option<Enclosure3<'a>>>);

impl Alert4<'_> {
    fn into_domain(self) -> Result<Alert, String> {
        let Self(Alert3(alert, photos), recordings) = self;
        let mut alert = alert.into_domain()?;
        let (photos, recordings) = (list(photos, enclosure)?, list(recordings, enclosure)?);
        let as_many = photos.len() == recordings.len();
        let enclosed = photos.into_iter().zip(recordings).collect();
        if !as_many || !alert.versions.enclose(enclosed) {
            return Err("it has files of versions that it has not".to_owned());
        }
        Ok(alert)
    }
}

fn stored(enclosure: &Option<Enclosure>) -> Option<Enclosure3<'_>> {
    let enclosure = enclosure.as_ref()?;
    Some((enclosure.account.as_str(), enclosure.reference.as_str()))
}

fn enclosure(stored: Option<Enclosure3<'_>>) -> Result<Option<Enclosure>, String> {
    let Some((name, reference)) = stored else {
        return Ok(None);
    };
    Ok(Some(Enclosure {
        account: account(name)?,
        reference: owned(reference),
    }))
}

#[derive(Serialize, Deserialize)]
enum AlertState2 {
    Draft,
    Pending,
    Live,
    Dropped,
    AllClear,
    Withdrawn,
    Expired,
}

#[derive(Serialize, Deserialize)]
struct Target2<'a> {
    #[serde(borrow)]
    areas: Vec<&'a str>,
    accounts: Vec<&'a str>,
    rooms: Vec<RoomId1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Version2<'a> {
    number: u32,
    kind: VersionKind2,
    words: &'a str,
    author: &'a str,
    approver: Option<&'a str>,
    at: Moment,
}

#[derive(Serialize, Deserialize)]
enum VersionKind2 {
    First,
    Correction,
    AllClear,
    Withdrawal,
}

impl<'a> From<&'a Alert> for Alert2<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            id: alert.id.0,
            revision: alert.revision,
            code: alert.code.as_str(),
            state: match alert.state {
                AlertState::Draft => AlertState2::Draft,
                AlertState::Pending => AlertState2::Pending,
                AlertState::Live => AlertState2::Live,
                AlertState::Dropped => AlertState2::Dropped,
                AlertState::AllClear => AlertState2::AllClear,
                AlertState::Withdrawn => AlertState2::Withdrawn,
                AlertState::Expired => AlertState2::Expired,
            },
            level: alert.level.into(),
            area: alert.area.as_str(),
            target: Target2 {
                areas: alert.target.areas.iter().map(AreaId::as_str).collect(),
                accounts: alert
                    .target
                    .accounts
                    .iter()
                    .map(AccountName::as_str)
                    .collect(),
                rooms: alert.target.rooms.iter().map(Into::into).collect(),
            },
            drill: alert.drill,
            versions: alert.versions.iter().map(Into::into).collect(),
            desk: (&alert.desk).into(),
            desk_thread: alert.desk_thread.as_deref(),
            drafted_at: moment(&alert.drafted_at),
            approval: alert.approval.as_ref().map(|approval| {
                (
                    moment(&approval.asked_at),
                    approval.reminded_at.as_ref().map(moment),
                )
            }),
            published_at: alert.published_at.as_ref().map(moment),
            expires_at: moment(&alert.expires_at),
            end_named: alert.end_named,
            progress: alert.progress.map(|row| row.0),
            reported: alert.reported,
        }
    }
}

impl<'a> From<&'a Version> for Version2<'a> {
    fn from(version: &'a Version) -> Self {
        Self {
            number: version.number,
            kind: match version.kind {
                VersionKind::First => VersionKind2::First,
                VersionKind::Correction => VersionKind2::Correction,
                VersionKind::AllClear => VersionKind2::AllClear,
                VersionKind::Withdrawal => VersionKind2::Withdrawal,
            },
            words: &version.words,
            author: &version.author,
            approver: version.approver.as_deref(),
            at: moment(&version.at),
        }
    }
}

impl Version2<'_> {
    fn into_domain(self) -> Result<Version, String> {
        Ok(Version {
            number: self.number,
            kind: match self.kind {
                VersionKind2::First => VersionKind::First,
                VersionKind2::Correction => VersionKind::Correction,
                VersionKind2::AllClear => VersionKind::AllClear,
                VersionKind2::Withdrawal => VersionKind::Withdrawal,
            },
            words: owned(self.words),
            author: owned(self.author),
            approver: self.approver.map(owned),
            at: time(self.at)?,
            photo: None,
            recording: None,
        })
    }
}

impl Alert2<'_> {
    fn into_domain(self) -> Result<Alert, String> {
        let versions = list(self.versions, Version2::into_domain)?;
        Ok(Alert {
            id: AlertId(self.id),
            revision: self.revision,
            code: CheckCode::parse(self.code).ok_or("its check code is none")?,
            state: match self.state {
                AlertState2::Draft => AlertState::Draft,
                AlertState2::Pending => AlertState::Pending,
                AlertState2::Live => AlertState::Live,
                AlertState2::Dropped => AlertState::Dropped,
                AlertState2::AllClear => AlertState::AllClear,
                AlertState2::Withdrawn => AlertState::Withdrawn,
                AlertState2::Expired => AlertState::Expired,
            },
            level: self.level.into(),
            area: area(self.area)?,
            target: Target {
                areas: list(self.target.areas, area)?,
                accounts: list(self.target.accounts, account)?,
                rooms: list(self.target.rooms, RoomId1::into_domain)?,
            },
            drill: self.drill,
            versions: Versions::kept(versions).ok_or("it has no version")?,
            desk: self.desk.into_domain()?,
            desk_thread: self.desk_thread.map(owned),
            drafted_at: time(self.drafted_at)?,
            approval: match self.approval {
                None => None,
                Some((asked_at, reminded_at)) => Some(Approval {
                    asked_at: time(asked_at)?,
                    reminded_at: reminded_at.map(time).transpose()?,
                }),
            },
            published_at: self.published_at.map(time).transpose()?,
            expires_at: time(self.expires_at)?,
            end_named: self.end_named,
            progress: self.progress.map(DeliveryId),
            reported: self.reported,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Delivery1<'a> {
    id: u64,
    #[serde(borrow)]
    room: RoomId1<'a>,
    thread: Option<&'a str>,
    lane: Lane1,
    body: Body1<'a>,
    state: DeliveryState1<'a>,
    attempts: u16,
    maybe_twice: bool,
    queued_at: Moment,
}

#[derive(Serialize, Deserialize)]
enum Lane1 {
    Urgent,
    Reply,
    Bulk,
}

#[derive(Serialize, Deserialize)]
enum Body1<'a> {
    Text {
        text: &'a str,
        reply_to: Option<&'a str>,
        /// Rows of label and data.
        #[serde(borrow)]
        buttons: Vec<Vec<(&'a str, &'a str)>>,
        edits: Option<&'a str>,
    },
    Receipt {
        incident: u64,
        reply_to: Option<&'a str>,
        text: &'a str,
        asks: Option<Missing1>,
    },
    Alert {
        alert: u64,
        version: u32,
    },
    Progress {
        alert: u64,
        edits: Option<u64>,
    },
    PressAnswer {
        press: &'a str,
        text: &'a str,
    },
    /// Since version 2.
    AlertAfter {
        alert: u64,
        version: u32,
        /// The version and the row that it follows.
        follows: (u32, u64),
    },
    /// Since version 3.
    Pin {
        alert: u64,
        of: (u32, u64),
    },
    /// Since version 3.
    Unpin {
        alert: u64,
        of: (u32, u64),
        unless: Option<(u32, u64)>,
    },
}

fn followed(follows: &Follows) -> (u32, u64) {
    (follows.version, follows.row.0)
}

fn follows((version, row): (u32, u64)) -> Follows {
    Follows {
        version,
        row: DeliveryId(row),
    }
}

#[derive(Serialize, Deserialize)]
enum DeliveryState1<'a> {
    Waiting {
        due: Moment,
    },
    Sending {
        since: Moment,
    },
    Sent {
        at: Moment,
        message: Option<&'a str>,
    },
    Unknown {
        at: Moment,
        why: &'a str,
    },
    Failed {
        at: Moment,
        why: &'a str,
    },
}

impl<'a> From<&'a Body> for Body1<'a> {
    fn from(body: &'a Body) -> Self {
        match body {
            Body::Text(post) => Self::Text {
                text: &post.text,
                reply_to: post.reply_to.as_ref().map(MessageId::as_str),
                buttons: post
                    .buttons
                    .iter()
                    .map(|row| {
                        row.iter()
                            .map(|button| (button.label.as_str(), button.data.as_str()))
                            .collect()
                    })
                    .collect(),
                edits: post.edits.as_ref().map(MessageId::as_str),
            },
            Body::Receipt {
                incident,
                reply_to,
                text,
                asks,
            } => Self::Receipt {
                incident: incident.0,
                reply_to: reply_to.as_ref().map(MessageId::as_str),
                text,
                asks: asks.map(Into::into),
            },
            Body::Alert {
                alert,
                version,
                follows: None,
            } => Self::Alert {
                alert: alert.0,
                version: *version,
            },
            Body::Alert {
                alert,
                version,
                follows: Some(follows),
            } => Self::AlertAfter {
                alert: alert.0,
                version: *version,
                follows: followed(follows),
            },
            Body::Progress { alert, edits } => Self::Progress {
                alert: alert.0,
                edits: edits.map(|row| row.0),
            },
            Body::PressAnswer { press, text } => Self::PressAnswer { press, text },
            Body::Pin {
                alert,
                of,
                pinned: Pinned::Kept,
            } => Self::Pin {
                alert: alert.0,
                of: followed(of),
            },
            Body::Pin {
                alert,
                of,
                pinned: Pinned::NoLonger { unless },
            } => Self::Unpin {
                alert: alert.0,
                of: followed(of),
                unless: unless.as_ref().map(followed),
            },
        }
    }
}

impl From<Body1<'_>> for Body {
    fn from(body: Body1<'_>) -> Self {
        match body {
            Body1::Text {
                text,
                reply_to,
                buttons,
                edits,
            } => Self::Text(Post {
                text: owned(text),
                reply_to: reply_to.map(message),
                buttons: buttons
                    .into_iter()
                    .map(|row| {
                        row.into_iter()
                            .map(|(label, data)| Button {
                                label: owned(label),
                                data: owned(data),
                            })
                            .collect()
                    })
                    .collect(),
                edits: edits.map(message),
                picture: None,
                is_extra: false,
            }),
            Body1::Receipt {
                incident,
                reply_to,
                text,
                asks,
            } => Self::Receipt {
                incident: IncidentId(incident),
                reply_to: reply_to.map(message),
                text: owned(text),
                asks: asks.map(Into::into),
            },
            Body1::Alert { alert, version } => Self::Alert {
                alert: AlertId(alert),
                version,
                follows: None,
            },
            Body1::AlertAfter {
                alert,
                version,
                follows: earlier,
            } => Self::Alert {
                alert: AlertId(alert),
                version,
                follows: Some(follows(earlier)),
            },
            Body1::Pin { alert, of } => Self::Pin {
                alert: AlertId(alert),
                of: follows(of),
                pinned: Pinned::Kept,
            },
            Body1::Unpin { alert, of, unless } => Self::Pin {
                alert: AlertId(alert),
                of: follows(of),
                pinned: Pinned::NoLonger {
                    unless: unless.map(follows),
                },
            },
            Body1::Progress { alert, edits } => Self::Progress {
                alert: AlertId(alert),
                edits: edits.map(DeliveryId),
            },
            Body1::PressAnswer { press, text } => Self::PressAnswer {
                press: owned(press),
                text: owned(text),
            },
        }
    }
}

impl<'a> From<&'a Delivery> for Delivery1<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        Self {
            id: delivery.id.0,
            room: (&delivery.room).into(),
            thread: delivery.thread.as_deref(),
            lane: match delivery.lane {
                Lane::Urgent => Lane1::Urgent,
                Lane::Reply => Lane1::Reply,
                Lane::Bulk => Lane1::Bulk,
            },
            body: (&delivery.body).into(),
            state: match &delivery.state {
                DeliveryState::Waiting { due } => DeliveryState1::Waiting { due: moment(due) },
                DeliveryState::Sending { since } => DeliveryState1::Sending {
                    since: moment(since),
                },
                DeliveryState::Sent { at, message } => DeliveryState1::Sent {
                    at: moment(at),
                    message: message.as_ref().map(MessageId::as_str),
                },
                DeliveryState::Unknown { at, why } => DeliveryState1::Unknown {
                    at: moment(at),
                    why,
                },
                DeliveryState::Failed { at, why } => DeliveryState1::Failed {
                    at: moment(at),
                    why,
                },
            },
            attempts: delivery.attempts,
            maybe_twice: delivery.maybe_twice,
            queued_at: moment(&delivery.queued_at),
        }
    }
}

impl Delivery1<'_> {
    fn into_domain(self) -> Result<Delivery, String> {
        Ok(Delivery {
            id: DeliveryId(self.id),
            room: self.room.into_domain()?,
            thread: self.thread.map(owned),
            lane: match self.lane {
                Lane1::Urgent => Lane::Urgent,
                Lane1::Reply => Lane::Reply,
                Lane1::Bulk => Lane::Bulk,
            },
            body: self.body.into(),
            state: match self.state {
                DeliveryState1::Waiting { due } => DeliveryState::Waiting { due: time(due)? },
                DeliveryState1::Sending { since } => DeliveryState::Sending {
                    since: time(since)?,
                },
                DeliveryState1::Sent { at, message: id } => DeliveryState::Sent {
                    at: time(at)?,
                    message: id.map(message),
                },
                DeliveryState1::Unknown { at, why } => DeliveryState::Unknown {
                    at: time(at)?,
                    why: owned(why),
                },
                DeliveryState1::Failed { at, why } => DeliveryState::Failed {
                    at: time(at)?,
                    why: owned(why),
                },
            },
            attempts: self.attempts,
            maybe_twice: self.maybe_twice,
            queued_at: time(self.queued_at)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Audit1<'a> {
    at: Moment,
    who: &'a str,
    act: &'a str,
    object: &'a str,
    detail: &'a str,
}

impl<'a> From<&'a AuditEntry> for Audit1<'a> {
    fn from(entry: &'a AuditEntry) -> Self {
        Self {
            at: moment(&entry.at),
            who: &entry.who,
            act: &entry.act,
            object: &entry.object,
            detail: &entry.detail,
        }
    }
}

impl Audit1<'_> {
    fn into_domain(self) -> Result<AuditEntry, String> {
        Ok(AuditEntry {
            at: time(self.at)?,
            who: owned(self.who),
            act: owned(self.act),
            object: owned(self.object),
            detail: owned(self.detail),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::domain::clock::from_unix_ms;

    fn at(seconds: i64) -> Time {
        from_unix_ms(1_790_000_000_123 + seconds * 1000)
    }

    fn room(native: &str) -> RoomId {
        RoomId::new(AccountName::parse("tg1").unwrap(), native)
    }

    fn incident() -> Incident {
        let event = |what| Event { at: at(5), what };
        let by = || "Đ/c Hà".to_owned();
        Incident {
            id: IncidentId(1204),
            version: 3,
            area: AreaId::parse("06862/tan-truc-tung").unwrap(),
            status: Status::Merged(IncidentId(1200)),
            sensitivity: Sensitivity::Private,
            facts: Facts {
                categories: vec![Category::Theft, Category::FraudScam],
                primary: Category::Theft,
                urgent: true,
                place: Some("cổng chợ".to_owned()),
                time: Some(When::Between(at(-60), at(0))),
                phones: vec!["+84900000000".to_owned()],
                plates: vec!["14B1-23456".to_owned()],
                urls: vec!["https://example.vn".to_owned()],
                handles: vec!["@ai_do".to_owned()],
                accounts: vec![reading::Account {
                    number: "0123456789".to_owned(),
                    bank: Some("VCB".to_owned()),
                }],
            },
            received_at: at(1),
            reports: vec![Report {
                room: room("-100123"),
                thread: Some("4".to_owned()),
                message: MessageId::from(77),
                reporter: Some(PersonKey([9; 16])),
                sent_at: at(0),
                text: "#tromcap mất xe Wave".to_owned(),
                attachments: vec![
                    Attachment::Photo("AgAC".to_owned()),
                    Attachment::File {
                        kind: "voice".to_owned(),
                        reference: "AwAC".to_owned(),
                    },
                    Attachment::Location {
                        latitude: 21.5,
                        longitude: 107.96,
                        name: Some("chợ".to_owned()),
                    },
                ],
            }],
            more_reports: 2,
            asked: Some(Missing::Time),
            officer: Some(by()),
            timeline: vec![
                event(EventKind::Opened),
                event(EventKind::ReportJoined),
                event(EventKind::DetailAdded),
                event(EventKind::Edited),
                event(EventKind::Withdrawn),
                event(EventKind::Accepted { by: by() }),
                event(EventKind::Assigned { by: by(), to: by() }),
                event(EventKind::Closed {
                    by: by(),
                    result: "đã xử lý".to_owned(),
                }),
                event(EventKind::Rejected {
                    by: by(),
                    reason: "trùng".to_owned(),
                }),
                event(EventKind::Merged {
                    by: None,
                    with: IncidentId(1200),
                }),
                event(EventKind::Clipped),
            ],
            imported: true,
        }
    }

    fn delivery(lane: Lane, body: Body, state: DeliveryState) -> Delivery {
        Delivery {
            id: DeliveryId(65_537),
            room: room("-100123"),
            thread: None,
            lane,
            body,
            state,
            attempts: 2,
            maybe_twice: true,
            queued_at: at(2),
        }
    }

    fn alert(state: AlertState, level: Level) -> Alert {
        Alert {
            revision: 2,
            state,
            drafted_at: at(0),
            published_at: Some(at(1)),
            progress: Some(DeliveryId(9)),
            ..Alert::draft(
                AlertId(5),
                CheckCode::from_random([7; 8]),
                level,
                AreaId::parse("06862").unwrap(),
                Versions::first("Cảnh giác", "Đ/c Hà", at(1)),
                room("1001"),
                at(86_400),
            )
        }
    }

    /// An alert with everything that an alert may have.
    fn corrected_alert() -> Alert {
        let mut alert = alert(AlertState::Live, Level::Urgent);
        alert.target = Target {
            areas: vec![
                AreaId::parse("06862/to-5").unwrap(),
                AreaId::parse("06863").unwrap(),
            ],
            accounts: vec![AccountName::parse("tg1").unwrap()],
            rooms: vec![room("-100123")],
        };
        alert.drill = true;
        alert.desk_thread = Some("4".to_owned());
        alert.approval = Some(Approval {
            asked_at: at(1),
            reminded_at: Some(at(2)),
        });
        alert.end_named = true;
        alert.versions.latest_mut().approver = Some("Đ/c Nam".to_owned());
        for kind in [
            VersionKind::Correction,
            VersionKind::AllClear,
            VersionKind::Withdrawal,
        ] {
            alert.versions.push(Version {
                number: 0,
                kind,
                words: "Đã khác".to_owned(),
                author: "Đ/c Nam".to_owned(),
                approver: None,
                at: at(3),
                photo: None,
                recording: None,
            });
        }
        alert
    }

    fn saved_room(state: RoomState) -> Room {
        Room {
            id: room("-1"),
            kind: RoomKind::Group,
            title: "Tổ 5".to_owned(),
            area: Some(AreaId::parse("06862/to-5").unwrap()),
            state,
            sees_all: Some(true),
            joined_at: at(3),
            choices: None,
        }
    }

    /// Compares a row with the bytes that its newest version had when it was introduced. A failure here
    /// means that stores in the field could not be read any more: make a new version instead.
    fn kept<R: Row + PartialEq + std::fmt::Debug>(name: &str, row: &R) {
        let sealed = row.seal();
        let path = sample(name, sealed[0]);
        let written = crate::store::verify::hex(&sealed);
        let Ok(sample) = std::fs::read_to_string(&path) else {
            // A row kind that has no sample yet gets one, and the test fails once to have it looked at.
            std::fs::write(&path, format!("{written}\n")).unwrap();
            panic!(
                "{} was missing; it is written now, commit it",
                path.display()
            );
        };
        assert_eq!(written, sample.trim(), "{name} is written otherwise");
        let bytes = bytes_of(&sample);
        assert_eq!(
            R::open(&bytes).as_ref(),
            Ok(row),
            "{name} is read otherwise"
        );
        for bit in 0..bytes.len() * 8 {
            let mut spoilt = bytes.clone();
            spoilt[bit / 8] ^= 1 << (bit % 8);
            assert!(R::open(&spoilt).is_err(), "{name}: bit {bit}");
        }
    }

    fn sample(name: &str, version: u8) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/store")
            .join(format!("{name}.v{version}.hex"))
    }

    fn bytes_of(sample: &str) -> Vec<u8> {
        let (pairs, _) = sample.trim().as_bytes().as_chunks::<2>();
        pairs
            .iter()
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// Bytes that an older program wrote, and what they say today.
    fn was_kept<R: Row + PartialEq + std::fmt::Debug>(name: &str, version: u8, row: &R) {
        let sample = std::fs::read_to_string(sample(name, version)).unwrap();
        let read = R::open(&bytes_of(&sample));
        assert_eq!(read.as_ref(), Ok(row), "{name} of version {version}");
    }

    #[test]
    fn old_bytes_of_every_row_stay_readable() {
        kept("incident", &incident());
        for (name, status) in [
            ("new", Status::New),
            ("accepted", Status::Accepted),
            ("done", Status::Done),
            ("rejected", Status::Rejected),
            ("withdrawn", Status::Withdrawn),
        ] {
            let mut row = incident();
            row.status = status;
            row.timeline.clear();
            row.facts.time = Some(When::At(at(0)));
            kept(&format!("incident-{name}"), &row);
        }
        for (name, missing) in [
            ("what", Missing::What),
            ("place", Missing::Place),
            ("time", Missing::Time),
        ] {
            let row = Question {
                incident: IncidentId(1204),
                missing,
                asked_at: at(1),
            };
            kept(&format!("question-{name}"), &row);
        }
        let identity = Identity {
            account: AccountName::parse("tg1").unwrap(),
            native: "555".to_owned(),
            name: "Lan".to_owned(),
        };
        kept("identity", &identity);
        kept("note", &NoteRow("{\"page\":\"một\"}".to_owned()));
        for (name, state) in [
            ("open", InviteState::Open),
            (
                "used",
                InviteState::Used {
                    account: AccountName::parse("tg1").unwrap(),
                    native: "555".to_owned(),
                    at: at(2),
                },
            ),
            ("ended", InviteState::Ended { at: at(3) }),
        ] {
            let invite = Invite {
                hash: InviteHash([5; 32]),
                revision: 2,
                name: "Bác Bình".to_owned(),
                role: Role::Head,
                area: AreaId::parse("06862/to-5").unwrap(),
                by: "Anh Quang".to_owned(),
                made_at: at(0),
                expires_at: at(172_800),
                state,
            };
            kept(&format!("invite-{name}"), &invite);
        }
        for (name, due, done) in [("set", Some(at(60)), Some(738_850)), ("ended", None, None)] {
            let appointment = Appointment {
                room: room("-100123"),
                thread: due.map(|_| "4".to_owned()),
                native: "2001".to_owned(),
                revision: 3,
                hour: Hour::from_minutes(18 * 60 + 30).unwrap(),
                asked_at: at(0),
                due,
                done: done.and_then(NaiveDate::from_num_days_from_ce_opt),
            };
            kept(&format!("appointment-{name}"), &appointment);
        }
        let texts = |all: &[&str]| {
            all.iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        for (name, work) in [
            (
                "create",
                Work::Create {
                    name: "Bình yên Tổ 5".to_owned(),
                    area: AreaId::parse("06862/to-5").unwrap(),
                    people: texts(&["2001", "2002"]),
                },
            ),
            ("links", Work::Links(texts(&["g1"]))),
            ("members", Work::Members(texts(&["g1", "g2"]))),
            (
                "invite",
                Work::Invite {
                    groups: texts(&["g1"]),
                    people: texts(&["2001"]),
                },
            ),
        ] {
            let errand = Errand {
                asked: MessageKey {
                    room: room("1001"),
                    message: MessageId::from(77),
                },
                thread: None,
                kind: RoomKind::Private,
                by: "Anh Quang".to_owned(),
                account: AccountName::parse("oa1").unwrap(),
                work,
                begun: name == "create",
            };
            kept(&format!("errand-{name}"), &errand);
        }
        let quiet = Quiet {
            from: Hour::from_minutes(22 * 60).unwrap(),
            to: Hour::from_minutes(6 * 60).unwrap(),
        };
        for (name, quiet) in [
            ("quiet", Some(Some(quiet))),
            ("never-quiet", Some(None)),
            ("as-configured", None),
        ] {
            let choices = Choices {
                drills: (name == "quiet").then_some(true),
                quiet,
            };
            let room = Room {
                choices: Some(choices),
                ..saved_room(RoomState::Active)
            };
            kept(&format!("room-{name}"), &room);
        }
        kept("room-active", &saved_room(RoomState::Active));
        kept("room-removed", &saved_room(RoomState::Removed));
        kept("room-moved", &saved_room(RoomState::Moved(room("-1001"))));
        for (state, level) in [
            (AlertState::Draft, Level::Info),
            (AlertState::Live, Level::Warning),
            (AlertState::Dropped, Level::Urgent),
            (AlertState::AllClear, Level::Urgent),
            (AlertState::Withdrawn, Level::Info),
            (AlertState::Expired, Level::Info),
        ] {
            let name = format!("alert-{}", state.as_str());
            was_kept(&name, 1, &alert(state, level));
            kept(&name, &alert(state, level));
        }
        kept("alert-pending", &alert(AlertState::Pending, Level::Urgent));
        kept("alert-corrected", &corrected_alert());
        let mut shown = corrected_alert();
        shown.versions.latest_mut().photo = Some(Enclosure {
            account: AccountName::parse("oa1").unwrap(),
            reference: "https://photo-1.zdn.vn/a.jpg".to_owned(),
        });
        kept("alert-photo", &shown);
        shown.versions.latest_mut().recording = Some(Enclosure {
            account: AccountName::parse("tg1").unwrap(),
            reference: "CQACAgUAAxk1".to_owned(),
        });
        kept("alert-recording", &shown);
        let deliveries = [
            (
                "text-waiting",
                delivery(
                    Lane::Reply,
                    Body::Text(Post {
                        text: "Chào".to_owned(),
                        reply_to: Some(MessageId::from(1)),
                        buttons: vec![vec![Button {
                            label: "Gửi".to_owned(),
                            data: "ok:7".to_owned(),
                        }]],
                        edits: Some(MessageId::from(2)),
                        picture: None,
                        is_extra: false,
                    }),
                    DeliveryState::Waiting { due: at(4) },
                ),
            ),
            (
                "receipt-sending",
                delivery(
                    Lane::Reply,
                    Body::Receipt {
                        incident: IncidentId(1204),
                        reply_to: Some(MessageId::from(1)),
                        text: "Đã ghi nhận".to_owned(),
                        asks: Some(Missing::Place),
                    },
                    DeliveryState::Sending { since: at(4) },
                ),
            ),
            (
                "alert-sent",
                delivery(
                    Lane::Urgent,
                    Body::Alert {
                        alert: AlertId(5),
                        version: 1,
                        follows: None,
                    },
                    DeliveryState::Sent {
                        at: at(4),
                        message: Some(MessageId::from(3)),
                    },
                ),
            ),
            (
                "alert-after",
                delivery(
                    Lane::Urgent,
                    Body::Alert {
                        alert: AlertId(5),
                        version: 3,
                        follows: Some(Follows {
                            version: 1,
                            row: DeliveryId(65_530),
                        }),
                    },
                    DeliveryState::Waiting { due: at(4) },
                ),
            ),
            (
                "progress-unknown",
                delivery(
                    Lane::Bulk,
                    Body::Progress {
                        alert: AlertId(5),
                        edits: Some(DeliveryId(8)),
                    },
                    DeliveryState::Unknown {
                        at: at(4),
                        why: "timeout".to_owned(),
                    },
                ),
            ),
            (
                "press-failed",
                delivery(
                    Lane::Bulk,
                    Body::PressAnswer {
                        press: "p1".to_owned(),
                        text: "Đã gửi".to_owned(),
                    },
                    DeliveryState::Failed {
                        at: at(4),
                        why: "gone".to_owned(),
                    },
                ),
            ),
            (
                "pin",
                delivery(
                    Lane::Bulk,
                    Body::Pin {
                        alert: AlertId(5),
                        of: Follows {
                            version: 2,
                            row: DeliveryId(65_531),
                        },
                        pinned: Pinned::Kept,
                    },
                    DeliveryState::Waiting { due: at(4) },
                ),
            ),
            (
                "unpin",
                delivery(
                    Lane::Bulk,
                    Body::Pin {
                        alert: AlertId(5),
                        of: Follows {
                            version: 1,
                            row: DeliveryId(65_530),
                        },
                        pinned: Pinned::NoLonger {
                            unless: Some(Follows {
                                version: 2,
                                row: DeliveryId(65_531),
                            }),
                        },
                    },
                    DeliveryState::Waiting { due: at(4) },
                ),
            ),
        ];
        for (name, row) in deliveries {
            kept(&format!("delivery-{name}"), &row);
        }
        let entry = AuditEntry {
            at: at(0),
            who: "Đ/c Hà".to_owned(),
            act: "alert.publish".to_owned(),
            object: "5".to_owned(),
            detail: "06862".to_owned(),
        };
        let hash = audit_hash(&[1; 32], 7, &entry);
        kept("audit", &AuditRow { entry, hash });
        kept("audit-head", &AuditHead { number: 7, hash });
        let tally = Tally {
            planned: 300,
            sent: 200,
            unknown: 2,
            failed: 3,
            maybe_twice: 1,
        };
        kept("tally", &tally);
        let failure = FailureRow {
            why: "bot was removed".to_owned(),
            rooms: 3,
        };
        kept("failure", &failure);
        kept("seen", &SeenRow(Some(1204)));
        kept("seen-none", &SeenRow(None));
        kept("number", &NumberRow(65_536));
        kept("salt", &SaltRow([7; 32]));
        let position = Position {
            segment: 3,
            offset: 4096,
        };
        kept("position", &position);
    }

    #[test]
    fn a_row_of_a_newer_program_says_so() {
        let why = SeenRow::open(&seal(2, &SeenRow(None))).unwrap_err();
        assert!(why.contains("newer program"), "{why}");
    }

    #[test]
    fn keys_of_odd_names_differ() {
        let key = |native: &str, message: &str| key::message(&room(native), &message.into());
        assert_ne!(key("a", "bc"), key("ab", "c"));
        assert_ne!(key(&"x".repeat(300), "1"), key(&"x".repeat(301), "1"));
        assert!(key(&"x".repeat(100_000), &"y".repeat(100_000)).len() < 700);
    }
}
