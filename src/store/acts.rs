//! Carries out acts, claims and settlements over a staged view; the same code for every engine.
//!
//! Everything that follows from a write is written here in the same act: indexes, tallies, reasons of
//! failure, the audit chain. So an engine only has to write bytes, all or none.

use super::Act;
use super::Done;
use super::Expect;
use super::StoreError;
use super::Write;
use super::kv;
use super::kv::Kv as _;
use super::kv::Order;
use super::kv::Range;
use super::kv::Staged;
use super::kv::Stored;
use super::kv::Was;
use super::reads;
use super::rows;
use super::rows::AuditHead;
use super::rows::AuditRow;
use super::rows::FailureRow;
use super::rows::NoteRow;
use super::rows::NumberRow;
use super::rows::Row;
use super::rows::SeenRow;
use super::rows::key;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Tally;
use crate::domain::appointment::Appointment;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Settled;
use crate::domain::errand::Errand;
use crate::domain::ids::AlertId;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::incident::Incident;
use crate::domain::invite::Invite;
use crate::domain::person::Identity;
use crate::domain::person::PersonKey;
use crate::domain::room::Room;

/// Delivery ids are set aside in blocks of this many, so that an id is not given out again after its
/// row has ended and left.
const ID_BLOCK: u64 = 1 << 16;

/// Why a row of an alert was not sent when a newer version came first.
pub(crate) const REPLACED: &str = "a newer version of the alert replaced it";

/// What an engine is asked to write.
#[derive(Debug)]
pub(crate) enum Op {
    Commit(Vec<Act>),
    Claim(Vec<Delivery>, Time),
    Settle(Vec<(Delivery, Settled)>, Time),
}

impl Op {
    /// How many acts it counts for when a group is filled.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Commit(acts) => acts.len(),
            Self::Claim(rows, _) => rows.len(),
            Self::Settle(ended, _) => ended.len(),
        }
    }
}

/// What it answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Committed(Vec<Done>),
    Claimed(Vec<Delivery>),
    Settled,
}

/// What the writer remembers from act to act instead of reading it each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Running {
    /// Rows of the outbox that have not ended, by lane.
    pub(crate) backlog: [u64; 3],
    /// Below this, delivery ids may have been used; as stored.
    pub(crate) floor: u64,
}

impl Running {
    fn count(&mut self, lane: Lane, by: i64) {
        let [urgent, reply, bulk] = &mut self.backlog;
        let rows = match lane {
            Lane::Urgent => urgent,
            Lane::Reply => reply,
            Lane::Bulk => bulk,
        };
        *rows = rows.saturating_add_signed(by);
    }

    /// Counts the rows that a store holds when it is opened.
    pub(crate) fn opened(view: &dyn kv::Kv) -> Result<(Self, Vec<Delivery>), StoreError> {
        let mut running = Self {
            floor: read::<NumberRow>(view, key::META_FLOOR)?.map_or(0, |row| row.0),
            ..Self::default()
        };
        let mut sending = Vec::new();
        for entry in view.scan(&Range::prefix(&[key::OUTBOX]), Order::Up) {
            let (key, raw) = entry?;
            let row: Delivery = rows::read(&key, &kv::whole(view, &key, raw)?.value)?;
            running.count(row.lane, 1);
            if matches!(row.state, DeliveryState::Sending { .. }) {
                sending.push(row);
            }
        }
        Ok((running, sending))
    }
}

/// Carries out one request. After an error nothing of it is staged.
pub(crate) fn execute(
    staged: &mut Staged<'_>,
    running: &mut Running,
    op: Op,
) -> Result<Answer, StoreError> {
    staged.keep();
    let before = *running;
    let mut writer = Writer {
        staged,
        running,
        absent: Vec::new(),
    };
    let answer = match op {
        Op::Commit(acts) => acts
            .into_iter()
            .map(|act| writer.act(act))
            .collect::<Result<_, _>>()
            .map(Answer::Committed),
        Op::Claim(rows, now) => writer.claim(rows, now).map(Answer::Claimed),
        Op::Settle(ended, now) => ended
            .into_iter()
            .try_for_each(|(row, how)| writer.settle(&row, how, now))
            .map(|()| Answer::Settled),
    };
    if answer.is_err() {
        staged.rollback();
        *running = before;
    }
    answer
}

/// Reads a row.
pub(crate) fn read<R: Row>(view: &dyn kv::Kv, key: &[u8]) -> Result<Option<R>, StoreError> {
    kv::load(view, key)?
        .map(|stored| rows::read(key, &stored.value))
        .transpose()
}

struct Writer<'s, 'v> {
    staged: &'s mut Staged<'v>,
    running: &'s mut Running,
    /// What an act expected to be absent, and rightly: to write it needs no second look.
    absent: Vec<Vec<u8>>,
}

impl Writer<'_, '_> {
    fn act(&mut self, act: Act) -> Result<Done, StoreError> {
        // Nothing is written before all expectations were looked at, so there is nothing to take back.
        self.absent.clear();
        for expect in &act.expects {
            match expect {
                Expect::Unseen(message) => {
                    let key = key::seen(message);
                    if self.staged.get(&key)?.is_some() {
                        return Ok(Done::Seen);
                    }
                    self.absent.push(key);
                }
                Expect::Incident(id, version) => {
                    let key = key::incident(*id);
                    let found: Option<Incident> = read(self.staged, &key)?;
                    if found.as_ref().map_or(0, |incident| incident.version) != *version {
                        return Ok(Done::Stale);
                    }
                    if found.is_none() {
                        self.absent.push(key);
                    }
                }
                Expect::Invite(hash, revision) => {
                    let found: Option<Invite> = read(self.staged, &key::invite(hash))?;
                    if found.map_or(0, |invite| invite.revision) != *revision {
                        return Ok(Done::Stale);
                    }
                }
                Expect::Appointment(room, revision) => {
                    let found: Option<Appointment> = read(self.staged, &key::appointment(room))?;
                    if found.map_or(0, |appointment| appointment.revision) != *revision {
                        return Ok(Done::Stale);
                    }
                }
                Expect::Errand(asked, begun) => {
                    let found: Option<Errand> = read(self.staged, &key::errand(asked))?;
                    if found.is_none_or(|errand| errand.begun != *begun) {
                        return Ok(Done::Stale);
                    }
                }
                Expect::Alert(id, revision) => {
                    let found: Option<Alert> = read(self.staged, &key::alert(*id))?;
                    if found.map_or(0, |alert| alert.revision) != *revision {
                        return Ok(Done::Stale);
                    }
                }
            }
        }
        for write in act.writes {
            match write {
                Write::Seen(message, incident) => self.seen(key::seen(&message), incident)?,
                Write::Incident(incident) => self.incident(&incident)?,
                Write::Identity(person, identity) => self.identity(&person, &identity)?,
                Write::Question(room, person, question) => {
                    let key = key::question(&room, &person);
                    match question {
                        Some(question) => self.row(key, &question)?,
                        None => self.remove(key)?,
                    }
                }
                Write::Room(room) => self.room(*room)?,
                Write::Alert(alert) => self.alert(&alert)?,
                Write::Delivery(delivery) => self.queue(&delivery)?,
                Write::Audit(entry) => self.audit(entry)?,
                Write::Invite(invite) => self.row(key::invite(&invite.hash), invite.as_ref())?,
                Write::Note(account, page, words) => {
                    let row = NoteRow(words.expose().to_owned());
                    self.row(key::note(&account, &page), &row)?;
                }
                Write::Usage {
                    account,
                    month,
                    messages,
                } => {
                    let key = key::usage(&account, month);
                    let (before, was) = self.load::<NumberRow>(&key)?;
                    let sum = before.map_or(0, |row| row.0).saturating_add(messages);
                    self.staged.put(key, NumberRow(sum).seal(), was);
                }
                Write::Appointment(appointment) => self.appointment(&appointment)?,
                Write::Errand(errand) => self.row(key::errand(&errand.asked), errand.as_ref())?,
                Write::ErrandEnded(asked) => self.remove(key::errand(&asked))?,
            }
        }
        Ok(Done::Written)
    }

    fn stored(&mut self, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        if let Some(at) = self.absent.iter().position(|absent| absent == key) {
            // It is about to be written.
            self.absent.swap_remove(at);
            return Ok(None);
        }
        kv::load(self.staged, key)
    }

    fn load<R: Row>(&mut self, key: &[u8]) -> Result<(Option<R>, Was), StoreError> {
        let stored = self.stored(key)?;
        let was = Was::from(&stored);
        let row = stored
            .map(|stored| rows::read(key, &stored.value))
            .transpose()?;
        Ok((row, was))
    }

    /// Writes a row that has no index.
    fn row(&mut self, key: Vec<u8>, row: &impl Row) -> Result<(), StoreError> {
        let was = Was::from(&self.stored(&key)?);
        self.staged.put(key, row.seal(), was);
        Ok(())
    }

    fn remove(&mut self, key: Vec<u8>) -> Result<(), StoreError> {
        let was = Was::from(&self.stored(&key)?);
        self.staged.remove(key, was);
        Ok(())
    }

    /// Writes an index entry that was not there.
    fn mark(&mut self, key: Vec<u8>) {
        self.staged.put(key, bytes::Bytes::new(), Was::Absent);
    }

    fn unmark(&mut self, key: Vec<u8>) {
        self.staged.remove(key, Was::Parts(0));
    }

    fn seen(&mut self, key: Vec<u8>, incident: Option<IncidentId>) -> Result<(), StoreError> {
        self.row(key, &SeenRow(incident.map(|id| id.0)))
    }

    fn incident(&mut self, incident: &Incident) -> Result<(), StoreError> {
        let key = key::incident(incident.id);
        let (old, was) = self.load::<Incident>(&key)?;
        let index = key::by_area(incident);
        let old_index = old.as_ref().map(key::by_area);
        if old_index.as_ref() != Some(&index) {
            if let Some(old_index) = old_index {
                self.unmark(old_index);
            }
            self.mark(index);
        }
        self.staged.put(key, incident.seal(), was);
        Ok(())
    }

    /// People keep their names for years: what has not changed is not written again, and a name that was
    /// not told takes none away.
    fn identity(&mut self, person: &PersonKey, identity: &Identity) -> Result<(), StoreError> {
        let key = key::identity(person);
        let (old, was) = self.load::<Identity>(&key)?;
        let nameless = old
            .as_ref()
            .is_some_and(|old| identity.name.is_empty() && old.native == identity.native);
        if old.as_ref() != Some(identity) && !nameless {
            self.staged.put(key, identity.seal(), was);
        }
        Ok(())
    }

    /// Two who write one room at the same time know different things of it: what one does not know takes
    /// nothing away.
    fn room(&mut self, mut room: Room) -> Result<(), StoreError> {
        let key = key::room(&room.id);
        let (old, was) = self.load::<Room>(&key)?;
        if let Some(old) = old {
            room.area = room.area.or(old.area);
            room.sees_all = room.sees_all.or(old.sees_all);
            room.choices = room.choices.or(old.choices);
            if room.title.is_empty() {
                room.title = old.title;
            }
        }
        self.staged.put(key, room.seal(), was);
        Ok(())
    }

    fn appointment(&mut self, appointment: &Appointment) -> Result<(), StoreError> {
        let key = key::appointment(&appointment.room);
        let (old, was) = self.load::<Appointment>(&key)?;
        let mark = key::due_mark(appointment);
        let old_mark = old.as_ref().and_then(key::due_mark);
        if old_mark != mark {
            old_mark.into_iter().for_each(|mark| self.unmark(mark));
            mark.into_iter().for_each(|mark| self.mark(mark));
        }
        self.staged.put(key, appointment.seal(), was);
        Ok(())
    }

    fn alert(&mut self, alert: &Alert) -> Result<(), StoreError> {
        let key = key::alert(alert.id);
        let (old, was) = self.load::<Alert>(&key)?;
        if old.as_ref().map(|old| &old.code) != Some(&alert.code) {
            if let Some(old) = &old {
                self.unmark(key::code(&old.code));
            }
            self.row(key::code(&alert.code), &NumberRow(alert.id.0))?;
        }
        match (old.as_ref().is_some_and(is_open), is_open(alert)) {
            (false, true) => self.mark(key::open_alert(alert.id)),
            (true, false) => {
                self.unmark(key::open_alert(alert.id));
                self.forget_progress(alert.id)?;
            }
            (true, true) | (false, false) => {}
        }
        if old.is_some_and(|old| old.version() < alert.version()) {
            self.drop_waiting(alert)?;
        }
        self.staged.put(key, alert.seal(), was);
        Ok(())
    }

    /// Ends the rows of earlier versions that have not been claimed. One that is under way ends by itself.
    fn drop_waiting(&mut self, alert: &Alert) -> Result<(), StoreError> {
        for queued in reads::queued_of(self.staged, alert.id, alert.level)? {
            let Body::Alert { version, .. } = queued.body else {
                continue;
            };
            let waits = matches!(queued.state, DeliveryState::Waiting { .. });
            if version >= alert.version() || !waits {
                continue;
            }
            let key = key::outbox(&queued);
            let (Some(mut row), was) = self.load::<Delivery>(&key)? else {
                continue;
            };
            row.state = DeliveryState::Failed {
                at: alert.versions.latest().at,
                why: REPLACED.to_owned(),
            };
            self.staged.remove(key, was);
            self.running.count(row.lane, -1);
            self.alert_ended(alert.id, version, &row)?;
        }
        Ok(())
    }

    /// The progress rows of an alert that is over are of no more use.
    fn forget_progress(&mut self, alert: AlertId) -> Result<(), StoreError> {
        let marks: Vec<_> = self
            .staged
            .scan(&Range::prefix(&key::progress_rows(alert)), Order::Up)
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_, _>>()?;
        for mark in marks {
            if let Some(id) = key::last_number(&mark) {
                self.remove(key::progress(DeliveryId(id)))?;
            }
            self.unmark(mark.to_vec());
        }
        Ok(())
    }

    fn queue(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        let key = key::outbox(delivery);
        let (old, was) = self.load::<Delivery>(&key)?;
        if old.is_none() {
            self.running.count(delivery.lane, 1);
        }
        let counted = |row: &Delivery| match row.body {
            Body::Alert { alert, version, .. } => Some((alert, version)),
            _ => None,
        };
        let before = old.as_ref().and_then(counted);
        let now = counted(delivery);
        if before != now {
            if let Some((alert, version)) = before {
                self.tally(alert, version, |tally| {
                    tally.planned = tally.planned.saturating_sub(1);
                })?;
            }
            if let Some((alert, version)) = now {
                self.tally(alert, version, |tally| tally.planned += 1)?;
            }
        }
        self.staged.put(key, delivery.seal(), was);
        if delivery.id.0 >= self.running.floor {
            let floor = (delivery.id.0 / ID_BLOCK + 1).saturating_mul(ID_BLOCK);
            self.row(key::META_FLOOR.to_vec(), &NumberRow(floor))?;
            self.running.floor = floor;
        }
        Ok(())
    }

    fn tally(
        &mut self,
        alert: AlertId,
        version: u32,
        change: impl FnOnce(&mut Tally),
    ) -> Result<(), StoreError> {
        let key = key::tally(alert, version);
        let (tally, was) = self.load::<Tally>(&key)?;
        let mut tally = tally.unwrap_or_default();
        change(&mut tally);
        self.staged.put(key, tally.seal(), was);
        Ok(())
    }

    fn audit(&mut self, entry: AuditEntry) -> Result<(), StoreError> {
        let (head, was) = self.load::<AuditHead>(key::META_AUDIT)?;
        let head = head.unwrap_or_default();
        let number = head.number + 1;
        let hash = rows::audit_hash(&head.hash, number, &entry);
        self.staged.put(
            key::audit(number),
            AuditRow { entry, hash }.seal(),
            Was::Absent,
        );
        self.staged.put(
            key::META_AUDIT.to_vec(),
            AuditHead { number, hash }.seal(),
            was,
        );
        Ok(())
    }

    fn claim(&mut self, asked: Vec<Delivery>, now: Time) -> Result<Vec<Delivery>, StoreError> {
        let mut claimed = Vec::with_capacity(asked.len());
        for row in asked {
            let key = key::outbox(&row);
            // The stored row counts, not the caller's copy: somebody may have changed it meanwhile.
            let (Some(mut row), was) = self.load::<Delivery>(&key)? else {
                continue;
            };
            if !matches!(row.state, DeliveryState::Waiting { .. }) {
                continue;
            }
            row.state = DeliveryState::Sending { since: now };
            row.attempts = row.attempts.saturating_add(1);
            self.staged.put(key, row.seal(), was);
            claimed.push(row);
        }
        Ok(claimed)
    }

    fn settle(&mut self, asked: &Delivery, how: Settled, now: Time) -> Result<(), StoreError> {
        let key = key::outbox(asked);
        let (Some(mut row), was) = self.load::<Delivery>(&key)? else {
            return self.settle_ended(asked, how, now);
        };
        row.state = match how {
            Settled::Again {
                due,
                room,
                maybe_twice,
            } => {
                row.state = DeliveryState::Waiting { due };
                row.maybe_twice |= maybe_twice;
                let moved = room.is_some_and(|room| {
                    let moved = room.account != row.room.account;
                    row.room = room;
                    moved
                });
                if moved {
                    self.staged.remove(key, was);
                    self.row(key::outbox(&row), &row)?;
                } else {
                    self.staged.put(key, row.seal(), was);
                }
                return Ok(());
            }
            Settled::Sent(message) => DeliveryState::Sent { at: now, message },
            Settled::Unknown(why) => DeliveryState::Unknown { at: now, why },
            Settled::Failed(why) => DeliveryState::Failed { at: now, why },
        };
        self.staged.remove(key, was);
        self.running.count(row.lane, -1);
        match row.body {
            Body::Alert { alert, version, .. } => self.alert_ended(alert, version, &row),
            Body::Progress { alert, .. } => self.progress_ended(alert, &row),
            Body::Receipt { incident, .. } => match &row.state {
                DeliveryState::Sent {
                    message: Some(message),
                    ..
                } => self.receipt_sent(&row.room, message, incident),
                _ => Ok(()),
            },
            Body::Text(_) | Body::PressAnswer { .. } | Body::Pin { .. } => Ok(()),
        }
    }

    /// A row that has ended before. To tell it again changes nothing, but for one thing: what nobody knew of
    /// has arrived after all.
    fn settle_ended(
        &mut self,
        asked: &Delivery,
        how: Settled,
        now: Time,
    ) -> Result<(), StoreError> {
        let (Body::Alert { alert, version, .. }, Settled::Sent(message)) = (&asked.body, how)
        else {
            return Ok(());
        };
        let key = key::ended(*alert, *version, asked.id);
        let (Some(mut row), was) = self.load::<Delivery>(&key)? else {
            return Ok(());
        };
        if !matches!(row.state, DeliveryState::Unknown { .. }) {
            return Ok(());
        }
        row.state = DeliveryState::Sent { at: now, message };
        self.staged.put(key, row.seal(), was);
        self.tally(*alert, *version, |tally| {
            tally.unknown = tally.unknown.saturating_sub(1);
            tally.sent += 1;
            tally.maybe_twice += u32::from(row.maybe_twice);
        })
    }

    fn alert_ended(
        &mut self,
        alert: AlertId,
        version: u32,
        row: &Delivery,
    ) -> Result<(), StoreError> {
        self.row(key::ended(alert, version, row.id), row)?;
        self.tally(alert, version, |tally| match row.state {
            DeliveryState::Sent { .. } => {
                tally.sent += 1;
                tally.maybe_twice += u32::from(row.maybe_twice);
            }
            DeliveryState::Unknown { .. } => tally.unknown += 1,
            DeliveryState::Failed { .. } => tally.failed += 1,
            DeliveryState::Waiting { .. } | DeliveryState::Sending { .. } => {}
        })?;
        let DeliveryState::Failed { why, .. } = &row.state else {
            return Ok(());
        };
        let key = key::failure(alert, version, why);
        let (before, was) = self.load::<FailureRow>(&key)?;
        let failure = FailureRow {
            why: why.clone(),
            rooms: before.map_or(0, |row| row.rooms) + 1,
        };
        self.staged.put(key, failure.seal(), was);
        Ok(())
    }

    fn progress_ended(&mut self, alert: AlertId, row: &Delivery) -> Result<(), StoreError> {
        let found: Option<Alert> = read(self.staged, &key::alert(alert))?;
        if found.is_some_and(|alert| is_open(&alert)) {
            self.row(key::progress(row.id), row)?;
            self.row_mark(key::progress_of(alert, row.id))?;
        }
        Ok(())
    }

    fn row_mark(&mut self, key: Vec<u8>) -> Result<(), StoreError> {
        if self.staged.get(&key)?.is_none() {
            self.mark(key);
        }
        Ok(())
    }

    /// Replies to our receipt find the case. Several receipts folded into one message: the first one's.
    fn receipt_sent(
        &mut self,
        room: &RoomId,
        message: &MessageId,
        incident: IncidentId,
    ) -> Result<(), StoreError> {
        let key = key::message(room, message);
        if self.staged.get(&key)?.is_none() {
            self.staged
                .put(key, SeenRow(Some(incident.0)).seal(), Was::Absent);
        }
        Ok(())
    }
}

/// Whether somebody has still to do with the alert: it has not ended, or its end is still being reported.
pub(crate) fn is_open(alert: &Alert) -> bool {
    match alert.state {
        AlertState::Draft | AlertState::Pending | AlertState::Live => true,
        AlertState::AllClear | AlertState::Withdrawn => alert.progress.is_some(),
        AlertState::Dropped | AlertState::Expired => false,
    }
}
