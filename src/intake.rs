//! A resident's message becomes a record.
//!
//! One task takes what waits from all accounts, decides message by message (each seeing what the ones
//! before it did), and commits everything in one durable act of the store. [`Intake::submit`] returns only
//! then, so whoever told us may be told "received". Messages that are not addressed to the bot end at the
//! door: nothing of them is stored, logged or counted by its text.
//!
//! Deciding is in [`decide`](self) as pure functions; this file fetches what they need to know.

mod decide;
mod known;
pub mod past;

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use chrono::Datelike as _;
use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::debug;

use crate::channel::echoes::Echoes;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::clock::vietnam;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::ids::AccountName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::incident::EventKind;
use crate::domain::incident::Incident;
use crate::domain::incident::MAX_TEXT;
use crate::domain::incident::Missing;
use crate::domain::incident::Question;
use crate::domain::incident::Report;
use crate::domain::incident::Sensitivity;
use crate::domain::incident::Status;
use crate::domain::message::Inbound;
use crate::domain::message::Message;
use crate::domain::message::Press;
use crate::domain::message::ReplyTo;
use crate::domain::message::Sender;
use crate::domain::message::Unread;
use crate::domain::person::Identity;
use crate::domain::person::PersonKey;
use crate::domain::person::Role;
use crate::domain::quota::Month;
use crate::domain::reading::Category;
use crate::domain::reading::Command;
use crate::domain::reading::CommandName;
use crate::domain::reading::Facts;
use crate::domain::reading::Outcome;
use crate::domain::reading::Reading;
use crate::domain::reading::UpdateKind;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::say::notice;
use crate::say::receipt;
use crate::store::Act;
use crate::store::Done;
use crate::store::Expect;
use crate::store::IncidentQuery;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;
use crate::store::aside;
use crate::store::window;
use crate::text::Addressing;
use crate::text::is_addressed;
use crate::text::is_slashed;
use crate::text::lexicon::Lexicon;
use crate::text::read;
use crate::text::read_told;
use known::Known;

/// Most messages of one commit; beyond this a larger group buys nothing (measured, see the store).
const GROUP: usize = 256;

/// Batches that may wait; a source that finds no place waits, and so does its platform.
const WAITING: usize = 64;

/// How often a message is decided anew when somebody else changed its case in between.
const TRIES: usize = 5;

/// How many of the newest open cases of an area a report is compared with.
const NEAR: usize = 16;

/// How far back `/cuatoi` looks.
const OWN_DAYS: i64 = 90;

/// Names that are remembered as being in the vault already.
const KNOWN_PEOPLE: usize = 10_000;

/// What officers, heads and administrators command, and what anybody may ask of alerts. The caller adds
/// the message's own key to the act and commits it.
#[async_trait]
pub trait Commands: Send + Sync + std::fmt::Debug {
    /// A command that is not a resident's own. `None`: nothing is to be done or said.
    async fn act(&self, message: &Message, command: &Command) -> Result<Option<Act>, StoreError>;
    /// A pressed button.
    async fn pressed(&self, press: &Press) -> Result<Option<Act>, StoreError>;
    /// The sender's role, if any. Plain words that only sound like a command which is not theirs to give
    /// are a resident's report.
    async fn role(&self, message: &Message) -> Result<Option<Role>, StoreError>;
    /// Plain words of a person with a role, such as `OK` to a preview. `None`: not theirs to take.
    async fn said_privately(&self, message: &Message) -> Result<Option<Act>, StoreError>;
    /// What a room that the bot was just let into should hear, if it may have `missed` anything.
    async fn let_in(&self, room: &Room, missed: bool) -> Result<Act, StoreError>;
}

/// The ward's rules, from the config.
#[derive(Debug, Clone)]
pub struct Rules {
    /// An answer to a question counts for this long.
    pub question: TimeDelta,
    /// Reports of one event come within this time.
    pub join: TimeDelta,
    /// Where a private report without a known village belongs.
    pub default_area: AreaId,
    /// Kinds that are never echoed in a group.
    pub private_kinds: Vec<Category>,
    /// Rooms that are bound from the start.
    pub bindings: HashMap<RoomId, AreaId>,
    /// The names of villages.
    pub areas: Arc<AreaBook>,
}

/// By which names each account is called in texts.
#[derive(Debug, Default)]
pub struct Names {
    everywhere: Vec<String>,
    by_account: RwLock<HashMap<AccountName, Arc<[String]>>>,
}

impl Names {
    /// Names that hold for every account.
    #[must_use]
    pub fn new(everywhere: Vec<String>) -> Self {
        Self {
            everywhere,
            by_account: RwLock::default(),
        }
    }

    /// What the platform says an account is called.
    pub fn learn(&self, account: &AccountName, names: &[String]) {
        let all = names.iter().chain(&self.everywhere).cloned().collect();
        self.by_account
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account.clone(), all);
    }

    fn of(&self, account: &AccountName) -> Arc<[String]> {
        let known = self
            .by_account
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(account)
            .cloned();
        known.unwrap_or_else(|| self.everywhere.clone().into())
    }
}

/// What has come in, in numbers.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "each is what its name says")]
pub struct Metrics {
    pub received: AtomicU64,
    pub dropped_untagged: AtomicU64,
    pub recorded: AtomicU64,
    pub joined: AtomicU64,
    pub amended: AtomicU64,
    pub withdrawn: AtomicU64,
    pub commands: AtomicU64,
    pub repeated: AtomicU64,
    pub not_understood: AtomicU64,
}

/// What an act was for, to be counted once it is written.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Recorded,
    Joined,
    Amended,
    Withdrawn,
    Command,
    Other,
}

impl Metrics {
    fn count(&self, kind: Kind) {
        let counter = match kind {
            Kind::Recorded => &self.recorded,
            Kind::Joined => &self.joined,
            Kind::Amended => &self.amended,
            Kind::Withdrawn => &self.withdrawn,
            Kind::Command => &self.commands,
            Kind::Other => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the intake is made of.
#[derive(Debug)]
pub struct Deps {
    /// The records.
    pub store: Arc<dyn Store>,
    /// The words of the reader.
    pub lexicon: Arc<Lexicon>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The ward's rules.
    pub rules: Rules,
    /// What is not a resident's own command.
    pub commands: Arc<dyn Commands>,
    /// By which names the bot is called.
    pub names: Arc<Names>,
    /// Rung when there may be something to send: one bell for each worker of the outbox.
    pub wake: Vec<Arc<Notify>>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Where our own posts that come back are told.
    pub echoes: Arc<Echoes>,
    /// Where people are told of whose name did not come with their message.
    pub nameless: mpsc::Sender<Nameless>,
    /// Where cases are told of that may have got a photo, or lost one.
    pub photographed: mpsc::Sender<IncidentId>,
    /// Accounts whose platform counts what people write.
    pub counted: HashSet<AccountName>,
}

/// Somebody who was recorded, and whose platform tells names only when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameless {
    /// Where they wrote.
    pub room: RoomId,
    /// The platform's id of their account.
    pub native: String,
    /// Their pseudonym.
    pub person: PersonKey,
}

/// A batch, and whoever waits for it to be durable.
struct Job {
    inbound: Vec<Inbound>,
    done: oneshot::Sender<Result<(), String>>,
}

/// The way in. Clones lead to the same task.
#[derive(Debug, Clone)]
pub struct Intake {
    jobs: mpsc::Sender<Job>,
    closing: Arc<Notify>,
}

impl Intake {
    /// Starts the task; it ends when it is closed or every clone is gone, and what waits is recorded.
    #[must_use]
    pub fn start(deps: Deps) -> (Self, JoinHandle<()>) {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let closing = Arc::new(Notify::new());
        let task = Task {
            deps,
            people: HashSet::new(),
        };
        let task = tokio::spawn(task.run(waiting, Arc::clone(&closing)));
        (Self { jobs, closing }, task)
    }

    /// Takes nothing more: who comes later is told to come again.
    pub fn close(&self) {
        self.closing.notify_one();
    }

    /// Hands over what a platform told. Returns when all of it is durable, or was nothing for us.
    ///
    /// # Errors
    /// When it could not be recorded; the platform must tell it again.
    pub async fn submit(&self, inbound: Vec<Inbound>) -> Result<(), StoreError> {
        if inbound.is_empty() {
            return Ok(());
        }
        let stopped = || StoreError::Stopped("the intake has ended".to_owned());
        let (done, answer) = oneshot::channel();
        self.jobs
            .send(Job { inbound, done })
            .await
            .map_err(|_| stopped())?;
        answer
            .await
            .map_err(|_| stopped())?
            .map_err(StoreError::Stopped)
    }
}

/// The case of an act whose photos may have changed: it has some, or somebody's words were erased.
fn pictured(act: &Act) -> Option<IncidentId> {
    act.writes.iter().find_map(|write| match write {
        Write::Incident(case) => {
            let erased = case.reports.iter().any(|report| report.text.is_empty());
            (erased || case.photos().next().is_some()).then_some(case.id)
        }
        _ => None,
    })
}

struct Task {
    deps: Deps,
    /// People whose identity is in the vault already.
    people: HashSet<PersonKey>,
}

/// What is to be written because of one message.
struct Planned {
    act: Act,
    kind: Kind,
    person: Option<PersonKey>,
}

impl Task {
    async fn run(mut self, mut waiting: mpsc::Receiver<Job>, closing: Arc<Notify>) {
        loop {
            let first = tokio::select! {
                first = waiting.recv() => first,
                () = closing.notified() => {
                    waiting.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            let mut count = first.inbound.len();
            let mut jobs = vec![first];
            while count < GROUP
                && let Ok(job) = waiting.try_recv()
            {
                count += job.inbound.len();
                jobs.push(job);
            }
            let inbound: Vec<&Inbound> = jobs.iter().flat_map(|job| &job.inbound).collect();
            let mut outcome = Ok(());
            for group in inbound.chunks(GROUP) {
                outcome = self.group(group).await.map_err(|error| match error {
                    StoreError::Stopped(why) => why,
                    other => other.to_string(),
                });
                if outcome.is_err() {
                    break;
                }
            }
            for job in jobs {
                // A source that was stopped meanwhile does not wait any more; that is no fault.
                let _ = job.done.send(outcome.clone());
            }
        }
    }

    /// Decides and commits; what turns out stale is decided again on what is there now.
    async fn group(&mut self, inbound: &[&Inbound]) -> Result<(), StoreError> {
        self.deps
            .metrics
            .received
            .fetch_add(inbound.len() as u64, Ordering::Relaxed);
        let mut todo: Vec<&Inbound> = captions_first(inbound);
        for _ in 0..TRIES {
            let mut known = Known::new(Arc::clone(&self.deps.store));
            let mut planned = Vec::new();
            for inbound in todo {
                if let Some(plan) = self.decide(&mut known, inbound).await? {
                    known.remember(&plan.act);
                    planned.push((inbound, plan));
                }
            }
            if planned.is_empty() {
                return Ok(());
            }
            let pictured: Vec<Option<IncidentId>> = planned
                .iter()
                .map(|(_, plan)| pictured(&plan.act))
                .collect();
            let acts = planned
                .iter_mut()
                .map(|(_, plan)| std::mem::take(&mut plan.act))
                .collect();
            let ended = self.deps.store.commit(acts).await?;
            todo = Vec::new();
            for (((inbound, plan), pictured), done) in planned.into_iter().zip(pictured).zip(ended)
            {
                match done {
                    Done::Written => {
                        if let Some(case) = pictured {
                            // When nobody has the time, the next look finds it.
                            let _ = self.deps.photographed.try_send(case);
                        }
                        self.deps.metrics.count(plan.kind);
                        self.nameless(inbound, plan.person);
                        if self.people.len() < KNOWN_PEOPLE {
                            self.people.extend(plan.person);
                        }
                    }
                    Done::Seen => {
                        self.deps.metrics.repeated.fetch_add(1, Ordering::Relaxed);
                    }
                    Done::Stale => todo.push(inbound),
                }
            }
            self.deps.wake.iter().for_each(|bell| bell.notify_one());
            if todo.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Stopped(format!(
            "{} messages changed under our hands {TRIES} times",
            todo.len()
        )))
    }

    /// Asks for the name of somebody who has just been recorded without one. When nobody has the time,
    /// their next message asks again.
    fn nameless(&self, inbound: &Inbound, person: Option<PersonKey>) {
        if let (Some(person), Inbound::Said(message)) = (person, inbound)
            && let Sender::Person { native, name } = &message.sender
            && name.is_empty()
            && !self.people.contains(&person)
        {
            let _ = self.deps.nameless.try_send(Nameless {
                room: message.room.clone(),
                native: native.clone(),
                person,
            });
        }
    }

    async fn decide(
        &self,
        known: &mut Known,
        inbound: &Inbound,
    ) -> Result<Option<Planned>, StoreError> {
        let message = match inbound {
            Inbound::Said(message) => Some((&message.room, &message.id)),
            Inbound::Unread(unread) => Some((&unread.room, &unread.id)),
            _ => None,
        };
        let counted = message.filter(|(room, _)| self.deps.counted.contains(&room.account));
        let Some((room, id)) = counted else {
            return self.meaning(known, inbound).await;
        };
        let key = MessageKey {
            room: room.clone(),
            message: id.clone(),
        };
        let is_new = known.seen(&key).await?.is_none();
        let mut planned = self.meaning(known, inbound).await?;
        if is_new {
            // In the same act as what it means, so that each is counted once, whatever happens.
            let planned = planned.get_or_insert_with(|| Planned {
                act: Act::default(),
                kind: Kind::Other,
                person: None,
            });
            planned.act.writes.push(Write::Usage {
                account: room.account.clone(),
                month: Month::of(self.deps.clock.now()),
                messages: 1,
            });
        }
        Ok(planned)
    }

    async fn meaning(
        &self,
        known: &mut Known,
        inbound: &Inbound,
    ) -> Result<Option<Planned>, StoreError> {
        match inbound {
            Inbound::Said(message) => {
                let message = self.answering(known, self.dated(message)).await?;
                self.said(known, &message).await
            }
            Inbound::Edited(message) => self.edited(known, &self.dated(message)).await,
            Inbound::Pressed(press) => self.pressed(press).await,
            Inbound::Joined {
                room,
                kind,
                title,
                sees_all,
                at,
            } if *kind == RoomKind::Group => {
                let post = notice::joined(*sees_all);
                self.joined(known, room, title, *sees_all, post, *at).await
            }
            Inbound::Joined { .. } => Ok(None),
            Inbound::Met { room, at } => {
                self.joined(known, room, "", false, notice::met(), *at)
                    .await
            }
            Inbound::Unread(unread) => self.unread(known, unread).await,
            Inbound::Deleted { room, message } => self.deleted(known, room, message).await,
            Inbound::Opened { room, until } => self.opened(known, room, *until).await,
            Inbound::Removed { room } => self.removed(known, room).await,
            Inbound::Moved { from, to } => self.moved(known, from, to).await,
            Inbound::Echo {
                room,
                message,
                text,
                at,
            } => {
                self.deps.echoes.heard(room, message, text, *at);
                Ok(None)
            }
            Inbound::NotUnderstood { why } => {
                self.deps
                    .metrics
                    .not_understood
                    .fetch_add(1, Ordering::Relaxed);
                debug!(why, "something that is not for us");
                Ok(None)
            }
        }
    }

    /// A platform that gives no date, or an absurd one, has it told just now.
    fn dated<'m>(&self, message: &'m Message) -> Cow<'m, Message> {
        let now = self.deps.clock.now();
        let absurd = message.sent_at.year() < 2000 || message.sent_at - now > TimeDelta::days(1);
        if absurd {
            Cow::Owned(Message {
                sent_at: now,
                ..message.clone()
            })
        } else {
            Cow::Borrowed(message)
        }
    }

    /// Where a platform tells only the id of the answered message, the record knows whether it is a
    /// receipt of ours: it leads to a case, and is none of its reports.
    async fn answering<'m>(
        &self,
        known: &mut Known,
        message: Cow<'m, Message>,
    ) -> Result<Cow<'m, Message>, StoreError> {
        let Some(reply) = message.reply_to.clone().filter(|reply| !reply.to_bot) else {
            return Ok(message);
        };
        let key = MessageKey {
            room: message.room.clone(),
            message: reply.id.clone(),
        };
        let Some(Some(id)) = known.seen(&key).await? else {
            return Ok(message);
        };
        let ours = known.incident(id).await?.is_some_and(|case| {
            // Of a case with very many reports not all are kept: then nobody can tell.
            let told = |report: &Report| report.message == reply.id && report.room == key.room;
            case.more_reports == 0 && !case.reports.iter().any(told)
        });
        if !ours && !self.goes_on(known, &message, id).await? {
            return Ok(message);
        }
        let mut message = message.into_owned();
        message.reply_to = Some(ReplyTo {
            to_bot: true,
            ..reply
        });
        Ok(Cow::Owned(message))
    }

    /// Where every answer is hung under the first message, whoever was asked something about their own
    /// report answers under that.
    async fn goes_on(
        &self,
        known: &mut Known,
        message: &Message,
        id: IncidentId,
    ) -> Result<bool, StoreError> {
        let Some(person) = self.person(message) else {
            return Ok(false);
        };
        let is_own = known.incident(id).await?.is_some_and(|case| {
            let mut reports = case.reports.iter();
            reports.any(|report| report.reporter == Some(person))
        });
        if !is_own {
            return Ok(false);
        }
        let question = known.question(&message.room, &person).await?;
        let lasts = self.deps.rules.question;
        Ok(question.is_some_and(|question| {
            question.incident == id && message.sent_at - question.asked_at <= lasts
        }))
    }

    async fn said(
        &self,
        known: &mut Known,
        message: &Message,
    ) -> Result<Option<Planned>, StoreError> {
        if message.sender == Sender::Bot {
            return Ok(None);
        }
        let names = self.deps.names.of(&message.room.account);
        let private = message.room_kind == RoomKind::Private;
        let to_bot = message.reply_to.as_ref().is_some_and(|reply| reply.to_bot);
        let addressing = Addressing {
            private,
            reply_to_bot: to_bot,
            mentioned: message.mentioned,
            bot_names: &names,
        };
        if !is_addressed(&message.text, &addressing, &self.deps.lexicon) {
            if message.album.is_some() && !message.attachments.is_empty() {
                return self.album_item(known, message).await;
            }
            self.dropped();
            return Ok(None);
        }
        let key = key_of(message);
        if known.seen(&key).await?.is_some() {
            self.deps.metrics.repeated.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        let now = self.deps.clock.now();
        let lexicon = &self.deps.lexicon;
        let mut reading = read(&message.text, &addressing, lexicon, message.sent_at);
        if let Outcome::Command(command) = &reading.outcome
            && !is_slashed(&message.text)
            && !is_residents(command.name)
            && !self
                .deps
                .commands
                .role(message)
                .await?
                .is_some_and(|role| role.may(command.name))
        {
            reading = read_told(&message.text, &addressing, lexicon, message.sent_at);
        }
        let doing = Doing {
            task: self,
            message,
            private,
            now,
            person: self.person(message),
        };
        if let Outcome::Command(command) = &reading.outcome {
            return doing.command(known, command).await;
        }
        if (private || to_bot || message.perhaps_reply)
            && let Some(act) = self.deps.commands.said_privately(message).await?
        {
            return Ok(Some(doing.planned(act, Kind::Command)));
        }
        let mut target = doing.target(known, reading.incidents.first()).await?;
        // What may be a mention may be an answer as well.
        if message.perhaps_reply && !message.text.trim().is_empty() {
            let as_reply = Addressing {
                reply_to_bot: true,
                ..addressing
            };
            let answer = read(&message.text, &as_reply, lexicon, message.sent_at);
            if let Some(case) = doing.answered(known, &target, &reading, &answer).await? {
                (target, reading) = (Some(case), answer);
            }
        } else if message.perhaps_reply && !message.attachments.is_empty() && target.is_none() {
            // A picture and not a word: of what has just been told.
            target = doing.own_of_late(known).await?;
        }
        if target.is_none()
            && !to_bot
            && let Outcome::Update(update) = reading.outcome
        {
            // Whoever takes something back may do so late; an addition comes soon, or belongs elsewhere.
            let soon = self.deps.rules.join;
            target = doing.own_newest(known).await?.filter(|target| {
                update != UpdateKind::Detail || now - target.case.received_at <= soon
            });
        }
        match (&reading.outcome, target) {
            (Outcome::Update(UpdateKind::Withdrawal), Some(target)) => {
                doing.withdraw(known, target.case).await
            }
            // In private the next words after a question are its answer, tag or no tag.
            (Outcome::Report, Some(target)) if target.answers(reading.incidents.first()) => {
                doing.detail(known, target, reading.incidents.first()).await
            }
            (Outcome::Report, _) => doing.report(known, &reading.incidents).await,
            (Outcome::Update(_) | Outcome::AskDetail, Some(target))
                if !message.text.trim().is_empty() =>
            {
                doing.detail(known, target, reading.incidents.first()).await
            }
            (Outcome::AskDetail | Outcome::Ignore, Some(target))
                if !message.attachments.is_empty() =>
            {
                doing.detail(known, target, None).await
            }
            // The answered message leads to no case, such as our notice or "what do you want to report?":
            // then the words stand for themselves, and chatter is still chatter.
            (Outcome::Update(UpdateKind::Detail), None) if !private => {
                let alone = Addressing {
                    reply_to_bot: false,
                    mentioned: true,
                    ..addressing
                };
                let lexicon = &self.deps.lexicon;
                let reading = read(&message.text, &alone, lexicon, message.sent_at);
                if reading.outcome == Outcome::Report {
                    return doing.report(known, &reading.incidents).await;
                }
                self.dropped();
                Ok(None)
            }
            // Nothing of theirs can be meant; what "found it again" tells of is no new case either.
            (Outcome::Update(UpdateKind::Withdrawal), None)
                if private || (!to_bot && !reading.incidents.is_empty()) =>
            {
                Ok(Some(doing.ask(receipt::nothing_to_withdraw())))
            }
            (Outcome::AskDetail | Outcome::Update(_), None)
                if private || matches!(reading.outcome, Outcome::AskDetail) =>
            {
                Ok(Some(doing.ask_detail()))
            }
            // Words that correct something nobody told us of are told for the first time.
            (Outcome::Update(_), None) if !to_bot && !reading.incidents.is_empty() => {
                doing.report(known, &reading.incidents).await
            }
            _ => {
                self.dropped();
                Ok(None)
            }
        }
    }

    /// Counts a message that was not for us.
    fn dropped(&self) {
        self.deps
            .metrics
            .dropped_untagged
            .fetch_add(1, Ordering::Relaxed);
    }

    /// A photo without words that was sent together with a recorded one.
    async fn album_item(
        &self,
        known: &mut Known,
        message: &Message,
    ) -> Result<Option<Planned>, StoreError> {
        let Some(key) = album_key(message) else {
            return Ok(None);
        };
        let Some(Some(id)) = known.seen(&key).await? else {
            self.dropped();
            return Ok(None);
        };
        let Some(mut case) = known.incident(id).await? else {
            return Ok(None);
        };
        let doing = Doing {
            task: self,
            message,
            private: message.room_kind == RoomKind::Private,
            now: self.deps.clock.now(),
            person: self.person(message),
        };
        let version = case.version;
        let Some(report) = case
            .reports
            .iter_mut()
            .find(|report| report.reporter == doing.person)
        else {
            return Ok(None);
        };
        report
            .attachments
            .extend(message.attachments.iter().cloned());
        case.version += 1;
        let mut act = Act::default();
        act.expects.push(Expect::Incident(id, version));
        act.writes.push(Write::Incident(Box::new(case)));
        act.writes.push(Write::Seen(key_of(message), Some(id)));
        act.expects.push(Expect::Unseen(key_of(message)));
        Ok(Some(Planned {
            act,
            kind: Kind::Amended,
            person: None,
        }))
    }

    async fn edited(
        &self,
        known: &mut Known,
        message: &Message,
    ) -> Result<Option<Planned>, StoreError> {
        let Some(seen) = known.seen(&key_of(message)).await? else {
            // Somebody put a tag to words that were not for us before.
            return self.said(known, message).await;
        };
        let Some(id) = seen else { return Ok(None) };
        let Some(mut case) = known.incident(id).await? else {
            return Ok(None);
        };
        if !case.status.is_open() {
            return Ok(None);
        }
        let names = self.deps.names.of(&message.room.account);
        let addressing = Addressing {
            private: message.room_kind == RoomKind::Private,
            reply_to_bot: message.reply_to.as_ref().is_some_and(|reply| reply.to_bot),
            // The message was for us before; taking the tag out does not make it nobody's.
            mentioned: true,
            bot_names: &names,
        };
        let reading = read(
            &message.text,
            &addressing,
            &self.deps.lexicon,
            message.sent_at,
        );
        let now = self.deps.clock.now();
        let version = case.version;
        let doing = Doing {
            task: self,
            message,
            private: addressing.private,
            now,
            person: self.person(message),
        };
        if reading.outcome == Outcome::Update(UpdateKind::Withdrawal) {
            return doing
                .withdraw(known, case)
                .await
                .map(|plan| plan.map(without_key));
        }
        let (report, clipped) = decide::report(message, doing.person);
        let facts = reading.incidents.into_iter().next();
        if !decide::edit(
            &mut case,
            facts,
            report,
            clipped,
            now,
            &self.deps.rules.private_kinds,
        ) {
            return Ok(None);
        }
        let mut act = Act::default();
        act.expects.push(Expect::Incident(id, version));
        if case.asked.is_some() && decide::missing(&case.facts, &case.first().attachments).is_none()
        {
            case.asked = None;
            if let Some(person) = doing.person {
                act.writes
                    .push(Write::Question(message.room.clone(), person, None));
            }
        }
        act.writes.push(Write::Incident(Box::new(case)));
        Ok(Some(Planned {
            act,
            kind: Kind::Amended,
            person: None,
        }))
    }

    async fn pressed(&self, press: &Press) -> Result<Option<Planned>, StoreError> {
        let key = MessageKey {
            room: press.room.clone(),
            message: MessageId(format!("cb:{}", press.id).into()),
        };
        let mut act = match self.deps.commands.pressed(press).await? {
            Some(act) => act,
            // Nobody knows the button, or nobody does any more: the telephone waits for an answer all
            // the same.
            None => Act {
                expects: Vec::new(),
                writes: vec![self.delivery(
                    press.room.clone(),
                    press.thread.clone(),
                    Lane::Reply,
                    Body::PressAnswer {
                        press: press.id.clone(),
                        text: notice::button_of_no_use(),
                    },
                    self.deps.clock.now(),
                )],
            },
        };
        act.expects.insert(0, Expect::Unseen(key.clone()));
        act.writes.push(Write::Seen(key, None));
        Ok(Some(Planned {
            act,
            kind: Kind::Command,
            person: None,
        }))
    }

    async fn joined(
        &self,
        known: &mut Known,
        id: &RoomId,
        title: &str,
        sees_all: bool,
        words: String,
        at: Time,
    ) -> Result<Option<Planned>, StoreError> {
        let before = known.room(id).await?;
        // A room whose rights were never told is one we were not let into before our eyes.
        let greet = before
            .as_ref()
            .is_none_or(|room| room.state == RoomState::Removed || room.sees_all.is_none());
        let room = Room {
            id: id.clone(),
            kind: RoomKind::Group,
            title: if title.is_empty() {
                before
                    .as_ref()
                    .map(|room| room.title.clone())
                    .unwrap_or_default()
            } else {
                title.to_owned()
            },
            area: before
                .as_ref()
                .and_then(|room| room.area.clone())
                .or_else(|| self.deps.rules.bindings.get(id).cloned()),
            state: RoomState::Active,
            sees_all: Some(sees_all),
            joined_at: before.as_ref().map_or(at, |room| room.joined_at),
            choices: before.as_ref().and_then(|room| room.choices),
        };
        if before.as_ref() == Some(&room) {
            return Ok(None);
        }
        // A room that was put out, or never knew us, may have missed an alert. One that was bound and in was
        // among those that the alert was for, or was told when it was bound.
        let missed = before
            .as_ref()
            .is_none_or(|room| room.state == RoomState::Removed || room.area.is_none());
        let mut act = if greet {
            self.deps.commands.let_in(&room, missed).await?
        } else {
            Act::default()
        };
        act.writes.insert(0, Write::Room(Box::new(room)));
        if greet {
            let post = Post {
                text: words,
                ..Post::default()
            };
            act.writes.push(self.delivery(
                id.clone(),
                None,
                Lane::Reply,
                Body::Text(post),
                self.deps.clock.now(),
            ));
        }
        Ok(Some(Planned {
            act,
            kind: Kind::Other,
            person: None,
        }))
    }

    /// Who was not read is told so, but not more than once a day in one room.
    async fn unread(
        &self,
        known: &mut Known,
        unread: &Unread,
    ) -> Result<Option<Planned>, StoreError> {
        if !unread.withheld {
            return Ok(None);
        }
        let now = self.deps.clock.now();
        let key = |message: &str| MessageKey {
            room: unread.room.clone(),
            message: MessageId(message.into()),
        };
        let own = key(unread.id.0.as_ref());
        let today = key(&format!("unread:{}", day_of(now)));
        if known.seen(&own).await?.is_some() {
            self.deps.metrics.repeated.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        if known.seen(&today).await?.is_some() {
            return Ok(None);
        }
        let post = Post {
            text: notice::cannot_read(),
            ..Post::default()
        };
        let body = Body::Text(post);
        let act = Act {
            expects: vec![Expect::Unseen(own.clone()), Expect::Unseen(today.clone())],
            writes: vec![
                Write::Seen(own, None),
                Write::Seen(today, None),
                self.delivery(unread.room.clone(), None, Lane::Reply, body, now),
            ],
        };
        Ok(Some(Planned {
            act,
            kind: Kind::Other,
            person: None,
        }))
    }

    /// The record keeps what was told, and knows that it does not stand there any more.
    async fn deleted(
        &self,
        known: &mut Known,
        room: &RoomId,
        message: &MessageId,
    ) -> Result<Option<Planned>, StoreError> {
        let key = MessageKey {
            room: room.clone(),
            message: message.clone(),
        };
        let gone = MessageKey {
            message: MessageId(format!("gone:{message}").into()),
            ..key.clone()
        };
        let Some(Some(id)) = known.seen(&key).await? else {
            return Ok(None);
        };
        if known.seen(&gone).await?.is_some() {
            return Ok(None);
        }
        let Some(mut case) = known.incident(id).await? else {
            return Ok(None);
        };
        let told = |report: &Report| report.room == *room && report.message == *message;
        if !case.reports.iter().any(told) {
            return Ok(None);
        }
        let version = case.version;
        case.note(self.deps.clock.now(), EventKind::Deleted);
        case.version += 1;
        let act = Act {
            expects: vec![Expect::Unseen(gone.clone()), Expect::Incident(id, version)],
            writes: vec![Write::Incident(Box::new(case)), Write::Seen(gone, None)],
        };
        Ok(Some(Planned {
            act,
            kind: Kind::Amended,
            person: None,
        }))
    }

    /// A person may be written to again: what came too late for them before leaves now.
    async fn opened(
        &self,
        known: &mut Known,
        room: &RoomId,
        until: Time,
    ) -> Result<Option<Planned>, StoreError> {
        let note = known.note(&room.account, &window::page(room)).await?;
        let before = window::read(note.as_ref());
        if before.is_some_and(|before| before >= until) {
            return Ok(None);
        }
        let mut act = Act::default();
        act.writes.push(window::opened(room, until));
        let now = self.deps.clock.now();
        let held = if until > now {
            window::held(self.deps.store.as_ref(), room).await?
        } else {
            Vec::new()
        };
        for held in held {
            let key = window::released(room, DeliveryId(held.row));
            if known.seen(&key).await?.is_some() {
                continue;
            }
            let post = Post {
                text: held.text,
                ..Post::default()
            };
            let body = Body::Text(post);
            act.expects.push(Expect::Unseen(key.clone()));
            act.writes.push(Write::Seen(key, None));
            act.writes
                .push(self.delivery(room.clone(), None, Lane::Reply, body, now));
        }
        Ok(Some(Planned {
            act,
            kind: Kind::Other,
            person: None,
        }))
    }

    async fn removed(&self, known: &mut Known, id: &RoomId) -> Result<Option<Planned>, StoreError> {
        let Some(mut room) = known
            .room(id)
            .await?
            .filter(|room| room.state == RoomState::Active)
        else {
            return Ok(None);
        };
        room.state = RoomState::Removed;
        let act = Act {
            expects: Vec::new(),
            writes: vec![Write::Room(Box::new(room))],
        };
        Ok(Some(Planned {
            act,
            kind: Kind::Other,
            person: None,
        }))
    }

    async fn moved(
        &self,
        known: &mut Known,
        from: &RoomId,
        to: &RoomId,
    ) -> Result<Option<Planned>, StoreError> {
        let old = known.room(from).await?;
        if old
            .as_ref()
            .is_some_and(|room| room.state == RoomState::Moved(to.clone()))
        {
            return Ok(None);
        }
        let new = known.room(to).await?;
        let now = self.deps.clock.now();
        let bound = |id: &RoomId| self.deps.rules.bindings.get(id).cloned();
        let old = old.unwrap_or_else(|| Room {
            id: from.clone(),
            kind: RoomKind::Group,
            title: String::new(),
            area: bound(from),
            state: RoomState::Active,
            sees_all: None,
            joined_at: now,
            choices: None,
        });
        let area = new
            .as_ref()
            .and_then(|room| room.area.clone())
            .or(old.area.clone())
            .or_else(|| bound(to));
        let title = new
            .as_ref()
            .map(|room| room.title.clone())
            .filter(|title| !title.is_empty())
            .unwrap_or(old.title.clone());
        let sees_all = new.as_ref().and_then(|room| room.sees_all).or(old.sees_all);
        let choices = new.as_ref().and_then(|room| room.choices).or(old.choices);
        let room = Room {
            id: to.clone(),
            title,
            area,
            state: RoomState::Active,
            sees_all,
            choices,
            ..old.clone()
        };
        let alias = Room {
            state: RoomState::Moved(to.clone()),
            ..old
        };
        let act = Act {
            expects: Vec::new(),
            writes: vec![Write::Room(Box::new(alias)), Write::Room(Box::new(room))],
        };
        Ok(Some(Planned {
            act,
            kind: Kind::Other,
            person: None,
        }))
    }

    fn person(&self, message: &Message) -> Option<PersonKey> {
        match &message.sender {
            Sender::Person { native, .. } => Some(PersonKey::of(
                &self.deps.store.salt(),
                &message.room.account,
                native,
            )),
            Sender::Anonymous | Sender::Bot => None,
        }
    }

    fn delivery(
        &self,
        room: RoomId,
        thread: Option<String>,
        lane: Lane,
        body: Body,
        now: Time,
    ) -> Write {
        Write::Delivery(Box::new(Delivery {
            id: DeliveryId(self.deps.store.delivery_ids(1).start),
            room,
            thread,
            lane,
            body,
            state: DeliveryState::Waiting { due: now },
            attempts: 0,
            maybe_twice: false,
            queued_at: now,
        }))
    }
}

/// A case that a message belongs to, and why.
#[derive(Clone)]
struct Target {
    case: Incident,
    /// The question that the words may answer.
    question: Option<Missing>,
    /// Named by a reply to one of our messages, not only by the order of words in a private chat.
    by_reply: bool,
}

impl Target {
    /// Whether a text tells just what was asked.
    fn is_told_in(&self, facts: Option<&Facts>) -> bool {
        facts.is_some_and(|facts| match self.question {
            Some(Missing::Place) => facts.place.is_some(),
            Some(Missing::Time) => facts.time.is_some(),
            Some(Missing::What) | None => false,
        })
    }

    /// Whether a text that reads as a report of its own is meant for this case.
    fn answers(&self, facts: Option<&Facts>) -> bool {
        self.by_reply
            || self.question == Some(Missing::What)
            || (self.question.is_some()
                && facts.is_some_and(|facts| facts.primary == self.case.facts.primary))
    }
}

/// What the author is told of one case.
struct Answer {
    receipt: receipt::Receipt,
    /// What a new report was found to lack.
    asks: Option<Missing>,
}

/// One message that is being dealt with.
struct Doing<'a> {
    task: &'a Task,
    message: &'a Message,
    private: bool,
    now: Time,
    person: Option<PersonKey>,
}

impl Doing<'_> {
    /// Adds the message's own key.
    fn planned(&self, mut act: Act, kind: Kind) -> Planned {
        let key = key_of(self.message);
        act.expects.insert(0, Expect::Unseen(key.clone()));
        if !act
            .writes
            .iter()
            .any(|write| matches!(write, Write::Seen(seen, _) if *seen == key))
        {
            act.writes.push(Write::Seen(key, None));
        }
        Planned {
            act,
            kind,
            person: None,
        }
    }

    fn say(&self, text: String) -> Write {
        let post = Post {
            text,
            reply_to: Some(self.message.id.clone()),
            ..Post::default()
        };
        self.task.delivery(
            self.message.room.clone(),
            self.message.thread.clone(),
            Lane::Reply,
            Body::Text(post),
            self.now,
        )
    }

    /// Says something about a case: aside, where it is not for everybody's eyes.
    fn say_of(&self, case: &Incident, text: String) -> Write {
        let aside = self.message.aside.clone();
        match aside.filter(|_| case.sensitivity == Sensitivity::Private) {
            Some(aside) => {
                let post = Post {
                    text,
                    ..Post::default()
                };
                self.task
                    .delivery(aside, None, Lane::Reply, Body::Text(post), self.now)
            }
            None => self.say(text),
        }
    }

    fn answer(&self, text: String) -> Planned {
        self.planned(
            Act {
                expects: Vec::new(),
                writes: vec![self.say(text)],
            },
            Kind::Command,
        )
    }

    /// Asked once for each message; if the message is then edited into a report, it is read as one.
    fn ask_detail(&self) -> Planned {
        self.ask(receipt::ask_detail())
    }

    fn ask(&self, text: String) -> Planned {
        let key = MessageKey {
            message: MessageId(format!("ask:{}", self.message.id).into()),
            ..key_of(self.message)
        };
        let act = Act {
            expects: vec![Expect::Unseen(key.clone())],
            writes: vec![Write::Seen(key, None), self.say(text)],
        };
        Planned {
            act,
            kind: Kind::Other,
            person: None,
        }
    }

    /// The case that this message answers: by reply, or as the next words after a question in private.
    async fn target(
        &self,
        known: &mut Known,
        facts: Option<&Facts>,
    ) -> Result<Option<Target>, StoreError> {
        if let Some(reply) = self.message.reply_to.as_ref().filter(|reply| reply.to_bot) {
            let key = MessageKey {
                room: self.message.room.clone(),
                message: reply.id.clone(),
            };
            if let Some(Some(id)) = known.seen(&key).await?
                && let Some(case) = known.incident(id).await?
            {
                let is_own = self.person.is_some()
                    && case
                        .reports
                        .iter()
                        .any(|report| report.reporter == self.person);
                // Several receipts may stand in one message, and it leads to the first one's case:
                // whoever was asked something there answers it for their own.
                if !is_own
                    && let Some(asked) = self.asked(known).await?
                    && asked.is_told_in(facts)
                {
                    return Ok(Some(asked));
                }
                return Ok(Some(Target {
                    question: case.asked,
                    case,
                    by_reply: true,
                }));
            }
        }
        self.asked(known).await
    }

    /// The case about which this person was asked something here not long ago.
    async fn asked(&self, known: &mut Known) -> Result<Option<Target>, StoreError> {
        let Some(person) = self.person else {
            return Ok(None);
        };
        let by_reply = self
            .message
            .reply_to
            .as_ref()
            .is_some_and(|reply| reply.to_bot);
        if !self.private && !by_reply && !self.message.perhaps_reply {
            return Ok(None);
        }
        let Some(question) = known.question(&self.message.room, &person).await? else {
            return Ok(None);
        };
        if self.message.sent_at - question.asked_at > self.task.deps.rules.question {
            return Ok(None);
        }
        let case = known.incident(question.incident).await?;
        Ok(case
            .filter(|case| case.status.is_open())
            .map(|case| Target {
                case,
                question: Some(question.missing),
                by_reply: false,
            }))
    }

    /// The case that words answer which reached us as a mention or as an answer, we do not know which. Read
    /// as a mention they must tell of nothing by themselves, or of a plate or a number and no more.
    async fn answered(
        &self,
        known: &mut Known,
        asked: &Option<Target>,
        mention: &Reading,
        answer: &Reading,
    ) -> Result<Option<Target>, StoreError> {
        if answer.outcome != Outcome::Update(UpdateKind::Detail) {
            return Ok(None);
        }
        let facts = answer.incidents.first();
        let stands_alone = match mention.outcome {
            Outcome::Ignore | Outcome::AskDetail => false,
            Outcome::Report => !facts.is_some_and(is_only_a_mark),
            _ => true,
        };
        if stands_alone {
            return Ok(None);
        }
        if let Some(asked) = asked {
            return Ok(Some(asked.clone()));
        }
        if !facts.is_some_and(adds) {
            return Ok(None);
        }
        self.own_of_late(known).await
    }

    /// The newest open case of this person in this room, if it was told not long ago.
    async fn own_of_late(&self, known: &mut Known) -> Result<Option<Target>, StoreError> {
        let soon = self.task.deps.rules.join;
        let own = self.own_newest(known).await?;
        Ok(own.filter(|own| self.now - own.case.received_at <= soon))
    }

    /// What leads from a private chat to the newest case that its person told there.
    fn own_key(&self) -> Option<MessageKey> {
        let person = self.person.filter(|_| self.private)?;
        Some(own_key(self.message.room.clone(), person))
    }

    /// The newest open case of this person in this room: what "found it again" most likely means.
    async fn own_newest(&self, known: &mut Known) -> Result<Option<Target>, StoreError> {
        let Some(person) = self.person else {
            return Ok(None);
        };
        let told = |report: &Report| report.reporter == Some(person);
        let is_own = |case: &Incident| {
            let mut reports = case.reports.iter();
            reports.any(|report| told(report) && report.room == self.message.room)
        };
        // What was answered aside leads here too, though it was told elsewhere. A private report lies in the village that it named, which the next words need not name again.
        let mut own = match self.own_key() {
            Some(key) => match known.seen(&key).await?.flatten() {
                Some(id) => known
                    .incident(id)
                    .await?
                    .filter(|case| case.status.is_open() && case.reports.iter().any(told)),
                None => None,
            },
            None => None,
        };
        if own.is_none() {
            let area = known
                .room(&self.message.room)
                .await?
                .and_then(|room| room.area);
            let area = area.unwrap_or_else(|| self.task.deps.rules.default_area.clone());
            own = known.find_open(&area, NEAR, is_own).await?;
        }
        Ok(own.map(|case| Target {
            question: case.asked,
            case,
            by_reply: true,
        }))
    }

    async fn report(
        &self,
        known: &mut Known,
        incidents: &[Facts],
    ) -> Result<Option<Planned>, StoreError> {
        let rules = &self.task.deps.rules;
        let mut act = Act::default();
        let room = self.room(known, &mut act).await?;
        let area = room
            .or_else(|| decide::village_in(&self.message.text, &rules.areas))
            .unwrap_or_else(|| rules.default_area.clone());
        let mut kind = Kind::Recorded;
        let mut first = None;
        let mut answers = Vec::new();
        for (number, facts) in incidents.iter().enumerate() {
            let (report, clipped) = decide::report(self.message, self.person);
            let same = known
                .find_open(&area, NEAR, |case| {
                    decide::same_event(facts, &report, case, rules.join, self.now)
                })
                .await?;
            let case = match same {
                Some(mut case) => {
                    act.expects.push(Expect::Incident(case.id, case.version));
                    decide::join(&mut case, facts, report, self.now);
                    kind = Kind::Joined;
                    case
                }
                None => {
                    let id = IncidentId(self.task.deps.store.incident_ids(1).start);
                    act.expects.push(Expect::Incident(id, 0));
                    let mut case = decide::open(
                        id,
                        area.clone(),
                        facts.clone(),
                        report,
                        clipped,
                        self.now,
                        &rules.private_kinds,
                    );
                    // Only one question, and only about the first thing told.
                    case.asked = (number == 0)
                        .then(|| decide::missing(facts, &self.message.attachments))
                        .flatten();
                    case
                }
            };
            answers.push(Answer {
                receipt: receipt::Receipt {
                    case: case.id,
                    asks: case.asked,
                    urgent: facts.urgent,
                    category: facts.primary,
                    better_private: case.sensitivity == Sensitivity::Private && !self.private,
                    private: self.private,
                    people: decide::people(&case),
                },
                asks: case.asked.filter(|_| matches!(kind, Kind::Recorded)),
            });
            first.get_or_insert(case.id);
            let case = Write::Incident(Box::new(case));
            known.remember_write(&case);
            act.writes.push(case);
        }
        if first.is_none() {
            return Ok(None);
        }
        self.receipts(answers, &mut act);
        act.writes.push(Write::Seen(key_of(self.message), first));
        if let Some(key) = album_key(self.message) {
            act.writes.push(Write::Seen(key, first));
        }
        if let Some(key) = self.own_key() {
            act.writes.push(Write::Seen(key, first));
        }
        let person = self.identity(&mut act);
        Ok(Some(Planned {
            person,
            ..self.planned(act, kind)
        }))
    }

    /// Queues what the author is told: where it was written, or, of something that is not for everybody's
    /// eyes, aside, in one message and with nothing in front of the others.
    fn receipts(&self, answers: Vec<Answer>, act: &mut Act) {
        let is_private = answers.iter().any(|answer| answer.receipt.better_private);
        if let Some(aside) = self.message.aside.clone().filter(|_| is_private) {
            return self.receipts_aside(answers, aside, act);
        }
        for Answer { receipt, asks } in answers {
            let asks = asks.filter(|_| !receipt.better_private);
            self.ask_about(receipt.case, asks, &self.message.room, act);
            let body = Body::Receipt {
                incident: receipt.case,
                reply_to: Some(self.message.id.clone()),
                text: receipt::recorded(&receipt),
                asks,
            };
            act.writes.push(self.task.delivery(
                self.message.room.clone(),
                self.message.thread.clone(),
                Lane::Reply,
                body,
                self.now,
            ));
        }
    }

    fn receipts_aside(&self, answers: Vec<Answer>, aside: RoomId, act: &mut Act) {
        let Some(first) = answers.first().map(|answer| answer.receipt.case) else {
            return;
        };
        let home = self.home();
        let mut words = Vec::new();
        let mut asked = None;
        for Answer { receipt, asks } in answers {
            if let Some(home) = &home {
                self.ask_about(receipt.case, asks, home, act);
            }
            asked = asked.or(asks);
            act.writes.push(aside::of_case(
                &self.message.room.account,
                receipt.case,
                home.as_ref(),
            ));
            words.push(receipt::recorded(&receipt::Receipt {
                better_private: false,
                private: true,
                ..receipt
            }));
        }
        if let (Some(home), Some(person)) = (home, self.person) {
            act.writes
                .push(Write::Seen(own_key(home, person), Some(first)));
        }
        words.push(receipt::answered_aside());
        let body = Body::Receipt {
            incident: first,
            reply_to: None,
            text: words.join("\n"),
            asks: asked,
        };
        act.writes
            .push(self.task.delivery(aside, None, Lane::Reply, body, self.now));
    }

    /// Notes the question that the author was asked, so that their next words there are its answer.
    fn ask_about(&self, incident: IncidentId, asks: Option<Missing>, room: &RoomId, act: &mut Act) {
        if let (Some(missing), Some(person)) = (asks, self.person) {
            let question = Question {
                incident,
                missing,
                asked_at: self.now,
            };
            act.writes
                .push(Write::Question(room.clone(), person, Some(question)));
        }
    }

    /// The author's own chat with the bot, where they answer what they were told aside.
    fn home(&self) -> Option<RoomId> {
        match &self.message.sender {
            Sender::Person { native, .. } => Some(RoomId::new(
                self.message.room.account.clone(),
                native.as_str(),
            )),
            Sender::Anonymous | Sender::Bot => None,
        }
    }

    /// The area of the room. A group that nobody told us of gets its row here.
    async fn room(&self, known: &mut Known, act: &mut Act) -> Result<Option<AreaId>, StoreError> {
        let id = &self.message.room;
        if let Some(room) = known.room(id).await? {
            if room.state == RoomState::Active
                && (room.kind == RoomKind::Private
                    || self.message.room_title.is_empty()
                    || room.title == self.message.room_title)
            {
                return Ok(room.area);
            }
            let area = room.area.clone();
            let title = if self.message.room_title.is_empty() {
                room.title
            } else {
                self.message.room_title.clone()
            };
            act.writes.push(Write::Room(Box::new(Room {
                state: RoomState::Active,
                title,
                ..room
            })));
            return Ok(area);
        }
        let area = self.task.deps.rules.bindings.get(id).cloned();
        act.writes.push(Write::Room(Box::new(Room {
            id: id.clone(),
            kind: self.message.room_kind,
            title: if self.private {
                String::new()
            } else {
                self.message.room_title.clone()
            },
            area: area.clone(),
            state: RoomState::Active,
            sees_all: None,
            joined_at: self.now,
            choices: None,
        })));
        Ok(area)
    }

    /// Puts the sender into the vault, once.
    fn identity(&self, act: &mut Act) -> Option<PersonKey> {
        let person = self.person?;
        let Sender::Person { native, name } = &self.message.sender else {
            return None;
        };
        if !self.task.people.contains(&person) {
            let account = self.message.room.account.clone();
            act.writes.push(Write::Identity(
                person,
                Identity {
                    account,
                    native: native.clone(),
                    name: name.clone(),
                },
            ));
        }
        Some(person)
    }

    async fn detail(
        &self,
        _known: &mut Known,
        target: Target,
        facts: Option<&Facts>,
    ) -> Result<Option<Planned>, StoreError> {
        let Target {
            mut case, question, ..
        } = target;
        if !case.status.is_open() {
            return Ok(Some(self.answer(receipt::already_closed(case.id))));
        }
        let id = case.id;
        let mut act = Act::default();
        act.expects.push(Expect::Incident(id, case.version));
        let (report, _) = decide::report(self.message, self.person);
        // Only the one who was asked answers; a neighbour's words are an addition.
        let asked =
            question.filter(|_| self.person.is_some() && case.first().reporter == self.person);
        decide::detail(&mut case, facts, report, asked, self.now);
        if let Some(person) = self.person {
            act.writes
                .push(Write::Question(self.message.room.clone(), person, None));
        }
        let heard = self.say_of(&case, receipt::detail_added(id));
        act.writes.push(Write::Incident(Box::new(case)));
        act.writes.push(Write::Seen(key_of(self.message), Some(id)));
        act.writes.push(heard);
        let person = self.identity(&mut act);
        Ok(Some(Planned {
            person,
            ..self.planned(act, Kind::Amended)
        }))
    }

    async fn withdraw(
        &self,
        _known: &mut Known,
        mut case: Incident,
    ) -> Result<Option<Planned>, StoreError> {
        let id = case.id;
        let own = self.person.is_some()
            && case
                .reports
                .iter()
                .any(|report| report.reporter == self.person);
        if !own {
            return Ok(Some(self.answer(receipt::not_yours())));
        }
        if case.status == Status::Withdrawn {
            return Ok(Some(self.answer(receipt::withdrawn(id))));
        }
        if !case.status.is_open() {
            return Ok(Some(self.answer(receipt::already_closed(id))));
        }
        let mut act = Act::default();
        act.expects.push(Expect::Incident(id, case.version));
        // Others told of it too: one who takes the words back does not take back theirs.
        let alone = case
            .reports
            .iter()
            .all(|report| report.reporter == self.person)
            && case.more_reports == 0;
        if alone {
            case.status = Status::Withdrawn;
        }
        case.note(self.now, EventKind::Withdrawn);
        case.version += 1;
        if let Some(person) = self.person {
            act.writes
                .push(Write::Question(self.message.room.clone(), person, None));
        }
        let heard = self.say_of(&case, receipt::withdrawn(id));
        act.writes.push(Write::Incident(Box::new(case)));
        act.writes.push(heard);
        Ok(Some(self.planned(act, Kind::Withdrawn)))
    }

    async fn command(
        &self,
        known: &mut Known,
        command: &Command,
    ) -> Result<Option<Planned>, StoreError> {
        match command.name {
            CommandName::TroGiup => {
                let mut planned = self.help().await?;
                let commands = &self.task.deps.commands;
                if self.private && commands.role(self.message).await?.is_some() {
                    self.room(known, &mut planned.act).await?;
                }
                Ok(Some(planned))
            }
            CommandName::Start => match &self.message.sender {
                Sender::Person { native, .. } if self.private => {
                    let commands = &self.task.deps.commands;
                    let invited = if command.rest.is_empty() {
                        None
                    } else {
                        commands.act(self.message, command).await?
                    };
                    let mut planned = match invited {
                        Some(act) => self.planned(act, Kind::Command),
                        None => self.answer(notice::greeting(native)),
                    };
                    self.room(known, &mut planned.act).await?;
                    Ok(Some(planned))
                }
                _ => Ok(None),
            },
            CommandName::Rut | CommandName::Xoa => {
                let Some(id) = IncidentId::parse(&command.rest) else {
                    return Ok(Some(
                        self.answer(receipt::which_code(command.name.as_str())),
                    ));
                };
                let Some(case) = known.incident(id).await? else {
                    return Ok(Some(self.answer(receipt::not_yours())));
                };
                if command.name == CommandName::Rut {
                    self.withdraw(known, case).await
                } else {
                    Ok(Some(self.erase(case)))
                }
            }
            CommandName::CuaToi => self.own_cases().await.map(Some),
            CommandName::Bao => Ok(Some(self.ask_detail())),
            _ => {
                let commands = &self.task.deps.commands;
                let Some(mut act) = commands.act(self.message, command).await? else {
                    return Ok(None);
                };
                // From now on the bot can tell this colleague something by itself.
                if self.private
                    && let Some(role) = commands.role(self.message).await?
                    && role.may(command.name)
                {
                    self.room(known, &mut act).await?;
                }
                Ok(Some(self.planned(act, Kind::Command)))
            }
        }
    }

    /// How to report; a colleague in private also reads what else they may do.
    async fn help(&self) -> Result<Planned, StoreError> {
        let mut text = notice::help(self.private);
        if self.private
            && let Some(role) = self.task.deps.commands.role(self.message).await?
        {
            let (officer, admin) = (role.may(CommandName::Nhan), role.may(CommandName::Moi));
            text.push_str(&notice::help_for_staff(officer, admin));
        }
        Ok(self.answer(text))
    }

    /// Erases what this person said; the skeleton of the case stays.
    fn erase(&self, mut case: Incident) -> Planned {
        let id = case.id;
        let version = case.version;
        let mut own = false;
        for report in &mut case.reports {
            if self.person.is_some() && report.reporter == self.person {
                own = true;
                report.text.clear();
                report.attachments.clear();
                report.reporter = None;
            }
        }
        if !own {
            return self.answer(receipt::not_yours());
        }
        if case.reports.iter().all(|report| report.reporter.is_none()) {
            case.facts.place = None;
            case.facts.phones.clear();
            case.facts.plates.clear();
            case.facts.urls.clear();
            case.facts.handles.clear();
            case.facts.accounts.clear();
        }
        case.version += 1;
        let act = Act {
            expects: vec![Expect::Incident(id, version)],
            writes: vec![
                Write::Incident(Box::new(case)),
                self.say(receipt::erased(id)),
            ],
        };
        self.planned(act, Kind::Amended)
    }

    async fn own_cases(&self) -> Result<Planned, StoreError> {
        if !self.private {
            return Ok(self.answer(receipt::only_in_private()));
        }
        let query = IncidentQuery {
            from: Some(self.now - TimeDelta::days(OWN_DAYS)),
            ..IncidentQuery::default()
        };
        let cases = self.task.deps.store.incidents(&query).await?;
        let own: Vec<_> = cases
            .iter()
            .filter(|case| {
                self.person.is_some()
                    && case
                        .reports
                        .iter()
                        .any(|report| report.reporter == self.person)
            })
            .map(|case| (case.id, case.status.clone()))
            .take(30)
            .collect();
        Ok(self.answer(receipt::own_cases(&own)))
    }
}

/// The calendar day in Viet Nam.
fn day_of(time: Time) -> chrono::NaiveDate {
    time.with_timezone(&vietnam()).date_naive()
}

/// Whether words tell something that a case can be told more by.
fn adds(facts: &Facts) -> bool {
    facts.place.is_some()
        || facts.time.is_some()
        || !facts.plates.is_empty()
        || !facts.phones.is_empty()
}

/// Whether words tell of a plate or a number, and neither where nor when nor of danger.
fn is_only_a_mark(facts: &Facts) -> bool {
    let marks = !facts.plates.is_empty() || !facts.phones.is_empty();
    marks && facts.place.is_none() && facts.time.is_none() && !facts.urgent
}

/// What anybody may command.
fn is_residents(name: CommandName) -> bool {
    matches!(
        name,
        CommandName::Bao
            | CommandName::TroGiup
            | CommandName::Rut
            | CommandName::CuaToi
            | CommandName::Xoa
            | CommandName::KiemTra
            | CommandName::Start
    )
}

/// An edit has no key of its own: the message was seen before, and the version guards against repeats.
fn without_key(mut plan: Planned) -> Planned {
    plan.act
        .expects
        .retain(|expect| !matches!(expect, Expect::Unseen(_)));
    // Nor may the edit untie the message from its case.
    plan.act
        .writes
        .retain(|write| !matches!(write, Write::Seen(_, None)));
    plan
}

fn key_of(message: &Message) -> MessageKey {
    MessageKey {
        room: message.room.clone(),
        message: message.id.clone(),
    }
}

/// What leads from a private chat to the newest case of its person.
fn own_key(room: RoomId, person: PersonKey) -> MessageKey {
    MessageKey {
        room,
        message: MessageId(format!("own:{person}").into()),
    }
}

fn album_key(message: &Message) -> Option<MessageKey> {
    let album = message.album.as_ref()?;
    Some(MessageKey {
        room: message.room.clone(),
        message: MessageId(format!("album:{album}").into()),
    })
}

/// The item of an album that carries the words goes before the others, so that they find its case.
fn captions_first<'a>(inbound: &[&'a Inbound]) -> Vec<&'a Inbound> {
    let item = |inbound: &&Inbound| match inbound {
        Inbound::Said(message) => message.album.is_some() && message.text.is_empty(),
        _ => false,
    };
    if !inbound.iter().any(item) {
        return inbound.to_vec();
    }
    let (later, first): (Vec<_>, Vec<_>) = inbound.iter().partition(|inbound| item(inbound));
    first.into_iter().chain(later).collect()
}

const _: () = assert!(MAX_TEXT >= 4096, "no platform's longest message is clipped");
