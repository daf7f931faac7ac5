//! Reads a whole store and checks that it fits together.
//!
//! One pass over all keys in order. Rows are checked by themselves (checksum, readable, under their own
//! key), and against each other: every index against its rows and back, messages against incidents,
//! tallies and reasons against the rows they count, the audit chain link by link, long values against
//! their parts. The large indexes are compared by count and hash sum, because looking each entry up
//! costs sled ten times as long; only when those differ is the difference looked for.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::DefaultHasher;
use std::hash::Hasher as _;
use std::path::Path;

use sha2::Digest as _;
use sha2::Sha256;

use super::StoreError;
use super::acts;
use super::acts::read;
use super::kv;
use super::kv::Kv;
use super::kv::Order;
use super::kv::Range;
use super::rows;
use super::rows::AuditHead;
use super::rows::AuditRow;
use super::rows::FailureRow;
use super::rows::NoteRow;
use super::rows::NumberRow;
use super::rows::Row;
use super::rows::SaltRow;
use super::rows::SeenRow;
use super::rows::key;
use super::sled::Options;
use super::sled::SledStore;
use crate::domain::alert::Alert;
use crate::domain::alert::Tally;
use crate::domain::appointment::Appointment;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::errand::Errand;
use crate::domain::ids::AlertId;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::incident::Question;
use crate::domain::invite::Invite;
use crate::domain::person::Identity;
use crate::domain::room::Room;

/// More findings than this are only counted.
const MAX_FINDINGS: usize = 100;

/// What a store holds, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Incidents.
    pub incidents: u64,
    /// Messages that were dealt with.
    pub messages: u64,
    /// Rooms.
    pub rooms: u64,
    /// Alerts.
    pub alerts: u64,
    /// Appointments for daily digests, ended ones included.
    pub appointments: u64,
    /// Rows of the outbox that have not ended.
    pub queued: u64,
    /// Ended rows that carried alerts.
    pub ended: u64,
    /// Lines of the audit chain.
    pub audit_lines: u64,
    /// All keys, parts and indexes included.
    pub keys: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
    /// SHA-256 over all keys and values, in hex; empty when it was not asked for.
    pub checksum: String,
    /// What is wrong, in English, without anybody's words; at most a hundred.
    pub findings: Vec<String>,
    /// How many further findings were only counted.
    pub more_findings: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} incidents, {} messages, {} rooms, {} alerts, {} appointments, {} rows queued, {} ended, {} audit lines",
            self.incidents,
            self.messages,
            self.rooms,
            self.alerts,
            self.appointments,
            self.queued,
            self.ended,
            self.audit_lines
        )?;
        writeln!(f, "{} keys, {} bytes", self.keys, self.bytes)?;
        if !self.checksum.is_empty() {
            writeln!(f, "sha256 {}", self.checksum)?;
        }
        for finding in &self.findings {
            writeln!(f, "WRONG: {finding}")?;
        }
        if self.more_findings > 0 {
            writeln!(f, "… and {} more", self.more_findings)?;
        }
        write!(
            f,
            "{}",
            if self.is_clean() {
                "clean"
            } else {
                "NOT CLEAN"
            }
        )
    }
}

/// Opens a store that nobody serves, checks it, and closes it. A damaged sled is reported, not rebuilt.
///
/// # Errors
/// When it cannot be opened; [`SledStore::open`] lists why.
pub fn verify(path: impl AsRef<Path>, options: Options) -> Result<Report, StoreError> {
    let store = SledStore::open(
        path,
        Options {
            rebuild: false,
            ..options
        },
    )?;
    let report = store.verify()?;
    // Else the next opening would have to check everything again.
    store.close_now()?;
    Ok(report)
}

/// Whether the checksum over everything is made: it costs a second for half a gigabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    Made,
    Left,
}

/// Checks what a view shows.
pub(crate) fn check(view: &dyn Kv, checksum: Checksum) -> Report {
    let mut check = Check {
        view,
        report: Report::default(),
        digest: (checksum == Checksum::Made).then(Sha256::new),
        ids: Ids::default(),
        by_area: Sums::default(),
        parts: Sums::default(),
        codes: BTreeMap::new(),
        coded: BTreeMap::new(),
        alerts: BTreeMap::new(),
        due: BTreeSet::new(),
        marked_due: BTreeSet::new(),
        open: BTreeSet::new(),
        marked_open: BTreeSet::new(),
        progress: BTreeSet::new(),
        marked_progress: BTreeSet::new(),
        counted: BTreeMap::new(),
        tallies: BTreeMap::new(),
        failed: BTreeMap::new(),
        failures: BTreeMap::new(),
        audit: AuditHead::default(),
        audit_head: AuditHead::default(),
    };
    check.all();
    check.report
}

/// Two multisets of keys that should be the same.
#[derive(Default)]
struct Sums {
    expected: (u64, u64),
    found: (u64, u64),
}

fn sum(into: &mut (u64, u64), key: &[u8]) {
    let mut hash = DefaultHasher::new();
    hash.write(key);
    into.0 += 1;
    into.1 = into.1.wrapping_add(hash.finish());
}

/// A set of ids that are mostly dense.
#[derive(Default)]
struct Ids(BTreeMap<u64, Box<[u64; 64]>>);

impl Ids {
    fn insert(&mut self, id: u64) {
        let block = self.0.entry(id >> 12).or_insert_with(|| Box::new([0; 64]));
        if let Some(word) = block.get_mut((id >> 6 & 63) as usize) {
            *word |= 1 << (id & 63);
        }
    }

    fn contains(&self, id: u64) -> bool {
        self.0
            .get(&(id >> 12))
            .and_then(|block| block.get((id >> 6 & 63) as usize))
            .is_some_and(|word| word >> (id & 63) & 1 == 1)
    }
}

type Version = (AlertId, u32);

struct Check<'v> {
    view: &'v dyn Kv,
    report: Report,
    digest: Option<Sha256>,
    ids: Ids,
    by_area: Sums,
    parts: Sums,
    /// Alerts by code: as indexed, and as the alerts say.
    codes: BTreeMap<Vec<u8>, u64>,
    coded: BTreeMap<Vec<u8>, u64>,
    /// Whether each alert is open.
    alerts: BTreeMap<AlertId, bool>,
    /// Marks of the appointments that are not ended: as they should be, and as they are.
    due: BTreeSet<Vec<u8>>,
    marked_due: BTreeSet<Vec<u8>>,
    open: BTreeSet<u64>,
    marked_open: BTreeSet<u64>,
    progress: BTreeSet<(AlertId, DeliveryId)>,
    marked_progress: BTreeSet<(AlertId, DeliveryId)>,
    counted: BTreeMap<Version, Tally>,
    tallies: BTreeMap<Version, Tally>,
    failed: BTreeMap<Vec<u8>, u32>,
    failures: BTreeMap<Vec<u8>, u32>,
    audit: AuditHead,
    audit_head: AuditHead,
}

impl Check<'_> {
    fn finding(&mut self, what: impl Into<String>) {
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(what.into());
        } else {
            self.report.more_findings += 1;
        }
    }

    fn wrong(&mut self, key: &[u8], what: &str) {
        self.finding(format!("row `{}`: {what}", key.escape_ascii()));
    }

    fn all(&mut self) {
        let view = self.view;
        for entry in view.scan(&Range::all(), Order::Up) {
            match entry {
                Ok((key, raw)) => self.entry(&key, raw),
                Err(error) => {
                    self.finding(format!("reading on is impossible: {}", chain(&error)));
                    return;
                }
            }
        }
        self.compare();
        if let Some(digest) = self.digest.take() {
            self.report.checksum = hex(&digest.finalize());
        }
    }

    fn entry(&mut self, key: &[u8], raw: bytes::Bytes) {
        self.report.keys += 1;
        self.report.bytes += (key.len() + raw.len()) as u64;
        if let Some(digest) = &mut self.digest {
            digest.update((key.len() as u64).to_be_bytes());
            digest.update(key);
            digest.update((raw.len() as u64).to_be_bytes());
            digest.update(&raw);
        }
        let Some(&kind) = key.first() else {
            return self.wrong(key, "an empty key");
        };
        if kind == kv::PART {
            return sum(&mut self.parts.found, key);
        }
        if let Ok(Some((parts, _))) = kv::head(&raw) {
            for part in 0..parts {
                sum(&mut self.parts.expected, &kv::part_key(key, part));
            }
        }
        let value = match kv::whole(self.view, key, raw) {
            Ok(stored) => stored.value,
            Err(error) => return self.finding(chain(&error)),
        };
        if let Err(why) = self.row(kind, key, &value) {
            self.wrong(key, &why);
        }
    }

    fn row(&mut self, kind: u8, key: &[u8], value: &[u8]) -> Result<(), String> {
        match kind {
            key::META => self.meta(key, value),
            key::INCIDENT => self.incident(key, value),
            key::MESSAGE => {
                self.report.messages += 1;
                match SeenRow::open(value)?.0 {
                    Some(id) if !self.ids.contains(id) => {
                        Err(format!("it names incident {id}, which does not exist"))
                    }
                    _ => Ok(()),
                }
            }
            key::BY_AREA => {
                sum(&mut self.by_area.found, key);
                empty(value)
            }
            key::QUESTION => {
                let id = Question::open(value)?.incident.0;
                if self.ids.contains(id) {
                    Ok(())
                } else {
                    Err(format!("it names incident {id}, which does not exist"))
                }
            }
            key::IDENTITY => Identity::open(value).map(drop),
            key::ROOM => {
                self.report.rooms += 1;
                own_key(key, &key::room(&Room::open(value)?.id))
            }
            key::INVITE => own_key(key, &key::invite(&Invite::open(value)?.hash)),
            key::NOTE => NoteRow::open(value).map(drop),
            key::APPOINTMENT => {
                let appointment = Appointment::open(value)?;
                self.report.appointments += 1;
                self.due.extend(key::due_mark(&appointment));
                own_key(key, &key::appointment(&appointment.room))
            }
            key::ERRAND => own_key(key, &key::errand(&Errand::open(value)?.asked)),
            key::DUE => {
                self.marked_due.insert(key.to_vec());
                empty(value)
            }
            key::ALERT => self.alert(key, value),
            key::CODE => {
                self.codes.insert(key.to_vec(), NumberRow::open(value)?.0);
                Ok(())
            }
            key::OPEN_ALERT => {
                self.marked_open.extend(key::last_number(key));
                empty(value)
            }
            key::OUTBOX => self.queued(key, value),
            key::ENDED => self.ended(key, value),
            key::TALLY => {
                let version = version(key).ok_or("its key is too short")?;
                self.tallies.insert(version, Tally::open(value)?);
                Ok(())
            }
            key::FAILURE => {
                let row = FailureRow::open(value)?;
                let (alert, number) = version(key).ok_or("its key is too short")?;
                self.failures.insert(key.to_vec(), row.rooms);
                own_key(key, &key::failure(alert, number, &row.why))
            }
            key::PROGRESS => self.progress(key, value),
            key::PROGRESS_OF => {
                let (_, rest) = key.split_first().ok_or("its key is too short")?;
                let (alert, rest) = rest
                    .split_first_chunk::<8>()
                    .ok_or("its key is too short")?;
                let row = rest.first_chunk::<8>().ok_or("its key is too short")?;
                self.marked_progress.insert((
                    AlertId(u64::from_be_bytes(*alert)),
                    DeliveryId(u64::from_be_bytes(*row)),
                ));
                empty(value)
            }
            key::AUDIT => self.audit_line(key, value),
            key::USAGE => NumberRow::open(value).map(drop),
            _ => Err("no row of ours begins like that".to_owned()),
        }
    }

    fn meta(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        match key {
            key::META_SALT => SaltRow::open(value).map(drop),
            key::META_SCHEMA | key::META_FLOOR => NumberRow::open(value).map(drop),
            key::META_AUDIT => {
                self.audit_head = AuditHead::open(value)?;
                Ok(())
            }
            _ => Err("no row of ours has that name".to_owned()),
        }
    }

    fn incident(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let incident = Incident::open(value)?;
        self.report.incidents += 1;
        self.ids.insert(incident.id.0);
        sum(&mut self.by_area.expected, &key::by_area(&incident));
        if incident.reports.is_empty() {
            return Err("it has no report".to_owned());
        }
        own_key(key, &key::incident(incident.id))
    }

    fn alert(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let alert = Alert::open(value)?;
        self.report.alerts += 1;
        self.coded.insert(key::code(&alert.code), alert.id.0);
        let open = acts::is_open(&alert);
        if open {
            self.open.insert(alert.id.0);
        }
        self.alerts.insert(alert.id, open);
        own_key(key, &key::alert(alert.id))
    }

    fn queued(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let row = Delivery::open(value)?;
        self.report.queued += 1;
        if let Body::Alert { alert, version, .. } = row.body {
            self.counted.entry((alert, version)).or_default().planned += 1;
        }
        match row.state {
            DeliveryState::Waiting { .. } | DeliveryState::Sending { .. } => {
                own_key(key, &key::outbox(&row))
            }
            _ => Err("it has ended and stands in the queue".to_owned()),
        }
    }

    fn ended(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let row = Delivery::open(value)?;
        self.report.ended += 1;
        let Body::Alert { alert, version, .. } = row.body else {
            return Err("it carries no alert".to_owned());
        };
        let counted = self.counted.entry((alert, version)).or_default();
        counted.planned += 1;
        match &row.state {
            DeliveryState::Sent { .. } => {
                counted.sent += 1;
                counted.maybe_twice += u32::from(row.maybe_twice);
            }
            DeliveryState::Unknown { .. } => counted.unknown += 1,
            DeliveryState::Failed { why, .. } => {
                counted.failed += 1;
                *self
                    .failed
                    .entry(key::failure(alert, version, why))
                    .or_default() += 1;
            }
            DeliveryState::Waiting { .. } | DeliveryState::Sending { .. } => {
                return Err("it has not ended".to_owned());
            }
        }
        own_key(key, &key::ended(alert, version, row.id))
    }

    fn progress(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let row = Delivery::open(value)?;
        let Body::Progress { alert, .. } = row.body else {
            return Err("it is no progress row".to_owned());
        };
        self.progress.insert((alert, row.id));
        if self.alerts.get(&alert) != Some(&true) {
            return Err(format!("its alert {alert} is over"));
        }
        own_key(key, &key::progress(row.id))
    }

    fn audit_line(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let row = AuditRow::open(value)?;
        self.report.audit_lines += 1;
        let number = self.audit.number + 1;
        let hash = rows::audit_hash(&self.audit.hash, number, &row.entry);
        let found = key::last_number(key);
        self.audit = AuditHead {
            number: found.unwrap_or(number),
            hash: row.hash,
        };
        if found != Some(number) {
            return Err(format!("line {number} of the audit chain is missing"));
        }
        if hash != row.hash {
            return Err("the audit chain is broken here".to_owned());
        }
        Ok(())
    }

    /// Compares what was gathered.
    fn compare(&mut self) {
        if self.audit != self.audit_head {
            self.finding(format!(
                "the audit chain ends at line {}, but its head says {}",
                self.audit.number, self.audit_head.number
            ));
        }
        if self.by_area.expected != self.by_area.found {
            self.search_by_area();
        }
        if self.parts.expected != self.parts.found {
            self.search_parts();
        }
        let differences = [
            differ("alert codes", &self.codes, &self.coded),
            differ("marks of open alerts", &self.marked_open, &self.open),
            differ("marks of due appointments", &self.marked_due, &self.due),
            differ(
                "marks of progress rows",
                &self.marked_progress,
                &self.progress,
            ),
            differ("tallies", &self.tallies, &self.counted),
            differ("reasons of failure", &self.failures, &self.failed),
        ];
        for difference in differences.into_iter().flatten() {
            self.finding(difference);
        }
    }

    fn search_by_area(&mut self) {
        let before = self.report.findings.len();
        let view = self.view;
        for entry in view.scan(&Range::prefix(&[key::INCIDENT]), Order::Up) {
            let Ok((key, raw)) = entry else { continue };
            let Ok(stored) = kv::whole(view, &key, raw) else {
                continue;
            };
            let Ok(incident) = Incident::open(&stored.value) else {
                continue;
            };
            if !matches!(view.get(&key::by_area(&incident)), Ok(Some(_))) {
                self.wrong(&key, "the index by area does not have it");
            }
        }
        for entry in view.scan(&Range::prefix(&[key::BY_AREA]), Order::Up) {
            let Ok((key, _)) = entry else { continue };
            let id = IncidentId(key::last_number(&key).unwrap_or_default());
            let incident = read::<Incident>(view, &key::incident(id)).ok().flatten();
            if incident.is_none_or(|incident| key::by_area(&incident)[..] != key[..]) {
                self.wrong(&key, "its incident does not exist or stands elsewhere");
            }
        }
        if self.report.findings.len() == before {
            self.finding("the index by area differs from the incidents");
        }
    }

    fn search_parts(&mut self) {
        let before = self.report.findings.len();
        let view = self.view;
        for entry in view.scan(&Range::prefix(&[kv::PART]), Order::Up) {
            let Ok((key, _)) = entry else { continue };
            let owner = key
                .split_first()
                .and_then(|(_, rest)| rest.split_last_chunk::<2>());
            let fits = owner.is_some_and(|(owner, part)| {
                let raw = view.get(owner).ok().flatten();
                let head = raw.and_then(|raw| kv::head(&raw).ok().flatten());
                head.is_some_and(|(parts, _)| u16::from_be_bytes(*part) < parts)
            });
            if !fits {
                self.wrong(&key, "a part of a value that has no such part");
            }
        }
        if self.report.findings.len() == before {
            self.finding("parts of long values are missing");
        }
    }
}

fn differ<T: PartialEq>(what: &str, kept: &T, counted: &T) -> Option<String> {
    (kept != counted).then(|| format!("the {what} differ from the rows they follow from"))
}

fn empty(value: &[u8]) -> Result<(), String> {
    if value.is_empty() {
        Ok(())
    } else {
        Err("an index entry with a value".to_owned())
    }
}

fn own_key(key: &[u8], own: &[u8]) -> Result<(), String> {
    if key == own {
        Ok(())
    } else {
        Err("it does not belong under this key".to_owned())
    }
}

fn version(key: &[u8]) -> Option<Version> {
    let (_, rest) = key.split_first()?;
    let (alert, rest) = rest.split_first_chunk::<8>()?;
    let version = rest.first_chunk::<4>()?;
    Some((
        AlertId(u64::from_be_bytes(*alert)),
        u32::from_be_bytes(*version),
    ))
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(
        || error.to_string(),
        |source| format!("{error}: {}", chain(source)),
    )
}

/// Bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('?');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::appointment::Hour;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::ids::AccountName;
    use crate::domain::ids::RoomId;
    use crate::store::Act;
    use crate::store::Store as _;
    use crate::store::Write;
    use crate::store::engine::Engine as _;
    use crate::store::kv::Staged;
    use crate::store::kv::Was;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn an_appointment_without_its_mark_is_found_and_so_is_a_mark_without_one() {
        let store = MemoryStore::new();
        let appointment = Appointment {
            room: RoomId::new(AccountName::parse("tg1").unwrap(), "2001"),
            thread: None,
            native: "2001".to_owned(),
            revision: 1,
            hour: Hour::NOON,
            asked_at: from_unix_ms(1_790_000_000_000),
            due: Some(from_unix_ms(1_790_000_060_000)),
            done: None,
        };
        let act = Act {
            expects: vec![],
            writes: vec![Write::Appointment(Box::new(appointment.clone()))],
        };
        store.commit(vec![act]).await.unwrap();
        let view = store.view().unwrap();
        let report = check(&view, Checksum::Left);
        assert!(report.is_clean() && report.appointments == 1, "{report}");
        let mark = key::due_mark(&appointment).unwrap();
        for lost in [mark, key::appointment(&appointment.room)] {
            let mut staged = Staged::new(&view);
            staged.remove(lost, Was::Parts(0));
            let report = check(&staged, Checksum::Left);
            assert!(
                report.findings[0].starts_with("the marks of due appointments"),
                "{report}"
            );
        }
    }
}
