//! An engine gives views and carries out requests; the trait [`Store`] follows from that.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::Act;
use super::AuditLine;
use super::Backlog;
use super::Cursor;
use super::Done;
use super::IncidentQuery;
use super::Store;
use super::StoreError;
use super::acts::Answer;
use super::acts::Op;
use super::acts::Running;
use super::acts::read;
use super::kv::Kv;
use super::kv::Order;
use super::kv::Range as Keys;
use super::reads;
use super::rows::NoteRow;
use super::rows::NumberRow;
use super::rows::key;
use crate::domain::alert::Alert;
use crate::domain::alert::Tally;
use crate::domain::appointment::Appointment;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Settled;
use crate::domain::errand::Errand;
use crate::domain::ids::AccountName;
use crate::domain::ids::AlertId;
use crate::domain::ids::CheckCode;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::incident::Incident;
use crate::domain::incident::Question;
use crate::domain::invite::Invite;
use crate::domain::person::Identity;
use crate::domain::person::PersonKey;
use crate::domain::quota::Month;
use crate::domain::room::Room;
use crate::domain::secret::Secret;

/// What every engine keeps in memory beside its rows.
#[derive(Debug)]
pub(crate) struct Desk {
    salt: [u8; 32],
    next_incident: AtomicU64,
    next_alert: AtomicU64,
    next_delivery: AtomicU64,
    backlog: [AtomicU64; 3],
    interrupted: Mutex<Vec<Delivery>>,
}

impl Desk {
    /// Reads it out of a store that is being opened.
    pub(crate) fn opened(salt: [u8; 32], view: &dyn Kv) -> Result<(Self, Running), StoreError> {
        let (running, interrupted) = Running::opened(view)?;
        let desk = Self {
            salt,
            next_incident: AtomicU64::new(after_last(view, key::INCIDENT)?),
            next_alert: AtomicU64::new(after_last(view, key::ALERT)?),
            next_delivery: AtomicU64::new(running.floor.max(1)),
            backlog: running.backlog.map(AtomicU64::new),
            interrupted: Mutex::new(interrupted),
        };
        Ok((desk, running))
    }

    /// Tells readers what the writer has counted.
    pub(crate) fn tell(&self, running: &Running) {
        for (shown, counted) in self.backlog.iter().zip(running.backlog) {
            shown.store(counted, Ordering::Relaxed);
        }
    }

    fn take(counter: &AtomicU64, count: u64) -> Range<u64> {
        let start = counter.fetch_add(count, Ordering::Relaxed);
        start..start + count
    }
}

fn after_last(view: &dyn Kv, kind: u8) -> Result<u64, StoreError> {
    let last = view.scan(&Keys::prefix(&[kind]), Order::Down).next();
    let id = last
        .transpose()?
        .and_then(|(key, _)| key::last_number(&key));
    Ok(id.map_or(1, |id| id + 1))
}

/// An ordered map of bytes that carries out requests durably.
#[async_trait]
pub(crate) trait Engine: Clone + Send + Sync + std::fmt::Debug + 'static {
    /// One moment of the store. Writers wait while it lives: keep it short, and never across an await.
    type View<'a>: Kv
    where
        Self: 'a;

    fn desk(&self) -> &Desk;
    fn view(&self) -> Result<Self::View<'_>, StoreError>;
    async fn run(&self, op: Op) -> Result<Answer, StoreError>;
    async fn ask_health(&self) -> Result<(), StoreError>;
    /// Writes a consistent copy into a file, and says what it holds.
    async fn ask_backup(&self, to: &std::path::Path) -> Result<String, StoreError>;
    async fn stop(&self) -> Result<(), StoreError>;
}

/// Runs a long reading where it holds up nobody.
async fn aside<E: Engine, R: Send + 'static>(
    engine: &E,
    reading: impl FnOnce(&E) -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    let engine = engine.clone();
    tokio::task::spawn_blocking(move || reading(&engine))
        .await
        .map_err(|error| StoreError::Stopped(format!("a reading broke off: {error}")))?
}

fn mistaken() -> StoreError {
    StoreError::Stopped("an engine answered another question than it was asked".to_owned())
}

#[async_trait]
impl<E: Engine> Store for E {
    async fn commit(&self, acts: Vec<Act>) -> Result<Vec<Done>, StoreError> {
        if acts.is_empty() {
            return Ok(Vec::new());
        }
        match self.run(Op::Commit(acts)).await? {
            Answer::Committed(done) => Ok(done),
            Answer::Claimed(_) | Answer::Settled => Err(mistaken()),
        }
    }

    fn incident_ids(&self, count: u64) -> Range<u64> {
        Desk::take(&self.desk().next_incident, count)
    }

    fn alert_id(&self) -> AlertId {
        AlertId(Desk::take(&self.desk().next_alert, 1).start)
    }

    fn delivery_ids(&self, count: u64) -> Range<u64> {
        Desk::take(&self.desk().next_delivery, count)
    }

    fn salt(&self) -> [u8; 32] {
        self.desk().salt
    }

    async fn seen(&self, key: &MessageKey) -> Result<Option<Option<IncidentId>>, StoreError> {
        reads::seen(&self.view()?, key)
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        read(&self.view()?, &key::incident(id))
    }

    async fn question(
        &self,
        room: &RoomId,
        person: &PersonKey,
    ) -> Result<Option<Question>, StoreError> {
        read(&self.view()?, &key::question(room, person))
    }

    async fn recent_open(&self, area: &AreaId, limit: usize) -> Result<Vec<Incident>, StoreError> {
        reads::recent_open(&self.view()?, area, limit)
    }

    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        let query = query.clone();
        aside(self, move |engine| {
            reads::incidents(|| engine.view(), &query)
        })
        .await
    }

    async fn identity(&self, person: &PersonKey) -> Result<Option<Identity>, StoreError> {
        read(&self.view()?, &key::identity(person))
    }

    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        read(&self.view()?, &key::room(id))
    }

    async fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        aside(self, |engine| reads::rooms(&engine.view()?)).await
    }

    async fn invites(&self) -> Result<Vec<Invite>, StoreError> {
        reads::invites(&self.view()?)
    }

    async fn note(&self, account: &AccountName, page: &str) -> Result<Option<Secret>, StoreError> {
        let row: Option<NoteRow> = read(&self.view()?, &key::note(account, page))?;
        Ok(row.map(|row| Secret::new(&row.0)))
    }

    async fn appointment(&self, room: &RoomId) -> Result<Option<Appointment>, StoreError> {
        read(&self.view()?, &key::appointment(room))
    }

    async fn appointments_due(
        &self,
        now: Time,
        limit: usize,
    ) -> Result<(Vec<Appointment>, Option<Time>), StoreError> {
        reads::appointments_due(&self.view()?, &now, limit)
    }

    async fn errands(&self) -> Result<Vec<Errand>, StoreError> {
        reads::errands(&self.view()?)
    }

    async fn alert(&self, id: AlertId) -> Result<Option<Alert>, StoreError> {
        read(&self.view()?, &key::alert(id))
    }

    async fn alert_by_code(&self, code: &CheckCode) -> Result<Option<Alert>, StoreError> {
        reads::alert_by_code(&self.view()?, code)
    }

    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        reads::open_alerts(&self.view()?)
    }

    async fn alerts_since(&self, since: Time) -> Result<Vec<Alert>, StoreError> {
        aside(self, move |engine| {
            reads::alerts_since(&engine.view()?, &since)
        })
        .await
    }

    async fn alert_rows(&self, alert: AlertId) -> Result<Vec<Delivery>, StoreError> {
        aside(self, move |engine| {
            reads::alert_rows(&engine.view()?, alert)
        })
        .await
    }

    async fn followed(
        &self,
        alert: AlertId,
        follows: Follows,
    ) -> Result<Option<Delivery>, StoreError> {
        reads::followed(&self.view()?, alert, follows)
    }

    async fn tally(&self, alert: AlertId, version: u32) -> Result<Tally, StoreError> {
        reads::tally(&self.view()?, alert, version)
    }

    async fn failures(
        &self,
        alert: AlertId,
        version: u32,
    ) -> Result<Vec<(String, u32)>, StoreError> {
        reads::failures(&self.view()?, alert, version)
    }

    async fn waiting(
        &self,
        account: &AccountName,
        lane: Lane,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        reads::waiting(&self.view()?, account, lane, after, limit)
    }

    async fn interrupted(&self, account: &AccountName) -> Result<Vec<Delivery>, StoreError> {
        let found: Vec<_> = {
            let rows = self.desk().interrupted.lock();
            let rows = rows.unwrap_or_else(PoisonError::into_inner);
            rows.iter()
                .filter(|row| row.room.account == *account)
                .cloned()
                .collect()
        };
        let view = self.view()?;
        found
            .iter()
            .filter_map(|row| reads::still_sending(&view, row).transpose())
            .collect()
    }

    async fn claim(&self, rows: Vec<Delivery>, now: Time) -> Result<Vec<Delivery>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        match self.run(Op::Claim(rows, now)).await? {
            Answer::Claimed(rows) => Ok(rows),
            Answer::Committed(_) | Answer::Settled => Err(mistaken()),
        }
    }

    async fn settle(&self, ended: Vec<(Delivery, Settled)>, now: Time) -> Result<(), StoreError> {
        if ended.is_empty() {
            return Ok(());
        }
        match self.run(Op::Settle(ended, now)).await? {
            Answer::Settled => Ok(()),
            Answer::Committed(_) | Answer::Claimed(_) => Err(mistaken()),
        }
    }

    async fn sent_message(&self, row: DeliveryId) -> Result<Option<MessageId>, StoreError> {
        reads::sent_message(&self.view()?, row)
    }

    async fn usage(&self, account: &AccountName, month: Month) -> Result<u64, StoreError> {
        let row: Option<NumberRow> = read(&self.view()?, &key::usage(account, month))?;
        Ok(row.map_or(0, |row| row.0))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        // A store that has stopped must not look as if it had nothing to do.
        drop(self.view()?);
        let [urgent, reply, bulk] = self
            .desk()
            .backlog
            .each_ref()
            .map(|rows| rows.load(Ordering::Relaxed));
        Ok(Backlog {
            urgent,
            reply,
            bulk,
        })
    }

    async fn scan_incidents(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Incident>, Option<Cursor>), StoreError> {
        let from = from.clone();
        aside(self, move |engine| {
            reads::scan_rows(&engine.view()?, key::INCIDENT, &from, limit)
        })
        .await
    }

    async fn scan_alerts(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Alert>, Option<Cursor>), StoreError> {
        let from = from.clone();
        aside(self, move |engine| {
            reads::scan_rows(&engine.view()?, key::ALERT, &from, limit)
        })
        .await
    }

    async fn scan_deliveries(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Delivery>, Option<Cursor>), StoreError> {
        let from = from.clone();
        aside(self, move |engine| {
            reads::scan_deliveries(&engine.view()?, &from, limit)
        })
        .await
    }

    async fn scan_audit(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<AuditLine>, Option<Cursor>), StoreError> {
        let from = from.clone();
        aside(self, move |engine| {
            reads::scan_audit(&engine.view()?, &from, limit)
        })
        .await
    }

    async fn backup(&self, to: &std::path::Path) -> Result<String, StoreError> {
        self.ask_backup(to).await
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.ask_health().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.stop().await
    }
}
