//! What must not be lost, behind one trait of whole acts.
//!
//! A caller prepares an [`Act`]: what must still hold ([`Expect`]) and what is to be written
//! ([`Write`]). The store does all of it or nothing, and answers only when it is durable. No caller
//! ever holds a transaction open, so any engine fits behind the trait: a map in memory, sled behind a
//! journal, later PostgreSQL (one transaction with a check on the version column for each act).

mod acts;
pub mod aside;
pub mod backup;
mod engine;
pub mod hands;
mod kv;
pub mod memory;
mod reads;
mod rows;
pub mod sled;
pub mod verify;
pub mod window;

pub(crate) use self::acts::REPLACED;
use async_trait::async_trait;
use thiserror::Error;

use crate::domain::alert::Alert;
use crate::domain::alert::Tally;
use crate::domain::appointment::Appointment;
use crate::domain::area::AreaId;
use crate::domain::audit::AuditEntry;
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
use crate::domain::invite::InviteHash;
use crate::domain::person::Identity;
use crate::domain::person::PersonKey;
use crate::domain::quota::Month;
use crate::domain::room::Room;
use crate::domain::secret::Secret;

/// Something that must still hold when an act is done, or nothing of the act is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// Nobody has recorded this message yet.
    Unseen(MessageKey),
    /// The incident is still at this version (0: it does not exist yet).
    Incident(IncidentId, u32),
    /// The alert is still at this revision (0: it does not exist yet).
    Alert(AlertId, u32),
    /// The invitation is still at this revision (0: it does not exist yet).
    Invite(InviteHash, u32),
    /// The appointment of this chat is still at this revision (0: there never was one).
    Appointment(RoomId, u32),
    /// The errand that this message asked for is still there, and begun or not.
    Errand(MessageKey, bool),
}

/// One thing to write. A write replaces the whole row it names; the indexes follow by themselves.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// This message was dealt with; told again, it is passed over. With an incident, later edits of
    /// the message and replies to it find the case.
    Seen(MessageKey, Option<IncidentId>),
    /// A case, new or changed.
    Incident(Box<Incident>),
    /// Who is behind a pseudonym, into the vault.
    Identity(PersonKey, Identity),
    /// The question this person was asked in this room; `None` takes it back.
    Question(RoomId, PersonKey, Option<Question>),
    /// A room, new or changed. An area, a title, rights or choices that it does not tell stay as they were.
    Room(Box<Room>),
    /// An alert, new or changed. With a new version, the rows of earlier ones that still wait are
    /// dropped: no room hears words that are known to be wrong.
    Alert(Box<Alert>),
    /// A new row of the outbox, waiting.
    Delivery(Box<Delivery>),
    /// A line of the audit chain.
    Audit(AuditEntry),
    /// An invitation, new or changed.
    Invite(Box<Invite>),
    /// A page of an account's notebook: what its channel must not forget, such as tokens.
    Note(AccountName, String, Secret),
    /// So many more messages of an account in a month; the row is added to, not replaced.
    Usage {
        /// Whose.
        account: AccountName,
        /// When.
        month: Month,
        /// How many more.
        messages: u64,
    },
    /// An appointment for a daily digest, new, changed or ended.
    Appointment(Box<Appointment>),
    /// An errand, new or begun.
    Errand(Box<Errand>),
    /// The errand of this message is done or given up.
    ErrandEnded(MessageKey),
}

/// Writes that belong together, with what they rest on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Act {
    /// All of these must hold.
    pub expects: Vec<Expect>,
    /// In this order.
    pub writes: Vec<Write>,
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Written and durable.
    Written,
    /// The message was recorded before; nothing was written.
    Seen,
    /// Somebody else changed the row first; nothing was written. Read again and decide again.
    Stale,
}

/// The store could not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The store has stopped after an error of the disk; the process must end and start again.
    #[error("the store has stopped: {0}")]
    Stopped(String),
    /// A row cannot be read.
    #[error("row `{key}` is damaged: {why}")]
    Damaged {
        /// The row's key, printable.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The engine refused.
    #[error("{doing}")]
    Engine {
        /// What we were doing.
        doing: String,
        /// The engine's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Which incidents to list.
#[derive(Debug, Clone, Default)]
pub struct IncidentQuery {
    /// The area itself and, for a commune, all its villages. `None`: everywhere.
    pub area: Option<AreaId>,
    /// Received at or after this moment.
    pub from: Option<Time>,
    /// Received before this moment.
    pub to: Option<Time>,
    /// Only open ones.
    pub open_only: bool,
    /// At most this many, newest first when it cuts.
    pub limit: Option<usize>,
}

/// How far a row-by-row reading of the store has come; `Default` is the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// A line of the audit chain as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// What was done.
    pub entry: AuditEntry,
    /// SHA-256 over the line before it and this one.
    pub hash: [u8; 32],
}

/// Rows waiting in the outbox, by lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Alerts.
    pub urgent: u64,
    /// Receipts and answers.
    pub reply: u64,
    /// Digests.
    pub bulk: u64,
}

/// The store. Every write is durable when it returns; every read sees all writes that have returned.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Does each act in order, all of it or nothing; one durable write for the whole batch.
    async fn commit(&self, acts: Vec<Act>) -> Result<Vec<Done>, StoreError>;

    /// Fresh incident ids, `count` of them, growing.
    fn incident_ids(&self, count: u64) -> std::ops::Range<u64>;
    /// A fresh alert id.
    fn alert_id(&self) -> AlertId;
    /// Fresh outbox ids, `count` of them, growing.
    fn delivery_ids(&self, count: u64) -> std::ops::Range<u64>;
    /// The secret of this store, made when it was created; pseudonyms are derived with it.
    fn salt(&self) -> [u8; 32];

    /// Whether the message was dealt with, and the incident it became.
    async fn seen(&self, key: &MessageKey) -> Result<Option<Option<IncidentId>>, StoreError>;
    /// One incident.
    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError>;
    /// The question this person was asked in this room.
    async fn question(
        &self,
        room: &RoomId,
        person: &PersonKey,
    ) -> Result<Option<Question>, StoreError>;
    /// The newest open incidents of exactly this area, newest first.
    async fn recent_open(&self, area: &AreaId, limit: usize) -> Result<Vec<Incident>, StoreError>;
    /// Incidents by area and time.
    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<Incident>, StoreError>;
    /// Who is behind a pseudonym. The caller writes the audit line.
    async fn identity(&self, person: &PersonKey) -> Result<Option<Identity>, StoreError>;
    /// One room, as stored (it may have moved).
    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError>;
    /// All rooms.
    async fn rooms(&self) -> Result<Vec<Room>, StoreError>;
    /// Every invitation there ever was, with the person who took it; there are few.
    async fn invites(&self) -> Result<Vec<Invite>, StoreError>;
    /// A page of an account's notebook.
    async fn note(&self, account: &AccountName, page: &str) -> Result<Option<Secret>, StoreError>;
    /// The appointment of this chat, ended ones included.
    async fn appointment(&self, room: &RoomId) -> Result<Option<Appointment>, StoreError>;
    /// Appointments that are due at this moment, at most `limit`, the earliest first; and when the
    /// first of the others is due. Reads no others.
    async fn appointments_due(
        &self,
        now: Time,
        limit: usize,
    ) -> Result<(Vec<Appointment>, Option<Time>), StoreError>;
    /// Every errand that is not ended, in no order; there are few.
    async fn errands(&self) -> Result<Vec<Errand>, StoreError>;
    /// One alert.
    async fn alert(&self, id: AlertId) -> Result<Option<Alert>, StoreError>;
    /// The alert with this check code.
    async fn alert_by_code(&self, code: &CheckCode) -> Result<Option<Alert>, StoreError>;
    /// Every alert that is not over, and every one whose end is still being reported, oldest first.
    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError>;
    /// The alerts that were drafted at or after a moment, newest first.
    async fn alerts_since(&self, since: Time) -> Result<Vec<Alert>, StoreError>;
    /// Every row of every version of an alert: those that have ended, then those that wait or are sent.
    async fn alert_rows(&self, alert: AlertId) -> Result<Vec<Delivery>, StoreError>;
    /// The row that another one follows, if it has ended.
    async fn followed(
        &self,
        alert: AlertId,
        follows: Follows,
    ) -> Result<Option<Delivery>, StoreError>;
    /// How the sending of one version goes.
    async fn tally(&self, alert: AlertId, version: u32) -> Result<Tally, StoreError>;
    /// Why rooms did not get one version: reason and number of rooms, most frequent first.
    async fn failures(
        &self,
        alert: AlertId,
        version: u32,
    ) -> Result<Vec<(String, u32)>, StoreError>;

    /// Rows of one account and lane that wait, in order of id, after the given one. Rows whose time
    /// has not come are included: the caller looks at `due`.
    async fn waiting(
        &self,
        account: &AccountName,
        lane: Lane,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Rows of an account that were claimed by a process that is no more. Asked once, at start.
    async fn interrupted(&self, account: &AccountName) -> Result<Vec<Delivery>, StoreError>;
    /// Turns waiting rows into sending ones. Durable before it returns the rows that really changed.
    async fn claim(&self, rows: Vec<Delivery>, now: Time) -> Result<Vec<Delivery>, StoreError>;
    /// Ends tries. A sent receipt also makes its message lead to its incident. Rows of alerts are kept
    /// for the record, progress rows as long as their alert is live; all others leave when they end. Of an
    /// alert's row that has ended, only one thing can be told later: that one which was unknown is sent.
    async fn settle(&self, ended: Vec<(Delivery, Settled)>, now: Time) -> Result<(), StoreError>;
    /// The message that a progress row became, once it is sent.
    async fn sent_message(&self, row: DeliveryId) -> Result<Option<MessageId>, StoreError>;
    /// Messages of an account in a month, as far as they were written down.
    async fn usage(&self, account: &AccountName, month: Month) -> Result<u64, StoreError>;
    /// How many rows wait.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// Incidents in order of id, for exports: at most `limit`, and where to go on (`None`: the end).
    async fn scan_incidents(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Incident>, Option<Cursor>), StoreError>;
    /// Alerts in order of id.
    async fn scan_alerts(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Alert>, Option<Cursor>), StoreError>;
    /// Rows that carry alerts, ended or not.
    async fn scan_deliveries(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<Delivery>, Option<Cursor>), StoreError>;
    /// The audit chain.
    async fn scan_audit(
        &self,
        from: &Cursor,
        limit: usize,
    ) -> Result<(Vec<AuditLine>, Option<Cursor>), StoreError>;

    /// Writes a consistent copy of everything into a file, while others go on reading and writing.
    async fn backup(&self, to: &std::path::Path) -> Result<String, StoreError>;
    /// Asks the engine a question; an error means that nothing more can be recorded.
    async fn health(&self) -> Result<(), StoreError>;
    /// Makes everything durable and marks a clean stop. Writes after it fail.
    async fn close(&self) -> Result<(), StoreError>;
}
