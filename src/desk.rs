//! What officers, heads and administrators may do by chat command.
//!
//! A command comes in, an [`Act`] goes out: every change, answer and sending that belongs together,
//! for the caller to commit with the message's seen key. Nothing is done here by itself; when the
//! store answers that a row was stale, the caller asks again and gets a fresh decision. Web forms
//! will call the same acts.
//!
//! Who somebody is, the [`StaffDirectory`] knows by the platform's ids. To everybody else every
//! command of the staff is the same polite "no such command", so that nothing can be learnt by trying.
//! Words of a report are shown to officers in private chats only.
//!
//! ```text
//! /canhbao TEXT ─▶ draft + preview ─▶ button, OK or /duyet CODE ─▶ live + one delivery per room
//!                        loud or wide: a colleague's /duyet CODE ┘
//! /dinhchinh, /hetcanhbao, /thuhoi CODE ─▶ the next version, in the rooms that saw the last
//! /nhan 1204    ─▶ case accepted, facts to the officer in private, the reporter hears of it
//! ```

mod alerts;
mod approval;
mod cases;
mod changes;
mod choices;
mod digests;
mod errands;
pub mod groups;
mod hands;
mod headcounts;
mod heading;
mod invites;
mod limit;
mod pins;
mod reach;
mod rooms;
mod schedule;
mod staff;
mod templates;
#[cfg(test)]
mod tests;
mod wording;
mod words;

use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;

pub use self::headcounts::Headcounts;
pub use self::invites::LASTS as INVITATION_LASTS;
pub use self::invites::NotInvited;
pub use self::invites::Wanted;
use self::limit::PerMinute;
use self::limit::Turn;
pub use self::reach::RoomRules;
pub use self::schedule::Due;
pub use self::schedule::Kept;
pub use self::staff::StaffDirectory;
pub use self::staff::StaffError;
pub use self::templates::TemplateError;
pub use self::templates::Templates;
use self::words::YesNo;
use crate::domain::account::Platform;
use crate::domain::alert::Enclosure;
use crate::domain::alert::Level;
use crate::domain::alert::VersionKind;
use crate::domain::area::AreaBook;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::hand::HandGroups;
use crate::domain::ids::AccountName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::invite::Invite;
use crate::domain::invite::InviteCode;
use crate::domain::message::Attachment;
use crate::domain::message::Message;
use crate::domain::message::Press;
use crate::domain::message::Sender;
use crate::domain::person::Role;
use crate::domain::person::Staff;
use crate::domain::reading::Command;
use crate::domain::reading::CommandName;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;
use crate::text::lexicon::Lexicon;

/// Questions that one person may ask in a minute.
const QUESTIONS_PER_MINUTE: u32 = 10;

/// What a deployment may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long an alert is in force when its author names no end.
    pub alert_lasts: TimeDelta,
    /// How long a draft may be confirmed by its code or button.
    pub draft_lasts: TimeDelta,
    /// How long a plain `OK` in the same chat means the draft.
    pub ok_lasts: TimeDelta,
    /// Urgent alerts need a second officer.
    pub second_officer: bool,
    /// How long a second officer may take.
    pub approval_lasts: TimeDelta,
    /// After how long they are reminded.
    pub approval_reminder: TimeDelta,
    /// Alerts of this level and above are kept on top of their rooms while they hold; none: no alert.
    pub pin: Option<Level>,
    /// A digest whose hour passed while the program stood still comes if it is at most so late.
    pub digest_late: TimeDelta,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alert_lasts: TimeDelta::hours(24),
            draft_lasts: TimeDelta::minutes(30),
            ok_lasts: TimeDelta::minutes(15),
            second_officer: true,
            approval_lasts: TimeDelta::minutes(30),
            approval_reminder: TimeDelta::minutes(5),
            pin: None,
            digest_late: TimeDelta::hours(6),
        }
    }
}

/// What the desk knows of words before they go to everybody.
#[derive(Debug, Clone)]
pub struct Wording {
    /// Alerts that are written already.
    pub templates: Arc<Templates>,
    /// What the reader knows of words: finds what could tell who somebody is.
    pub lexicon: Arc<Lexicon>,
    /// How much fits into one message.
    pub carriers: Arc<dyn Carriers>,
}

/// What carries words into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carrier {
    /// The platform.
    pub platform: Platform,
    /// The longest text of one message, in UTF-16 units.
    pub max_text: usize,
    /// A message can be kept on top of the room.
    pub can_pin: bool,
    /// What is posted there stands before everybody for days.
    pub is_wall: bool,
}

/// Tells what carries words into a room.
pub trait Carriers: Send + Sync + fmt::Debug {
    /// `None`: its account is not among ours any more.
    fn carrier(&self, room: &RoomId) -> Option<Carrier>;
}

/// Where check codes come from.
pub trait Random: Send + Sync + fmt::Debug {
    /// Eight bytes that nobody can foresee.
    ///
    /// # Errors
    /// When the machine has none to give.
    fn bytes(&self) -> Result<[u8; 8], std::io::Error>;
}

/// The machine's source of random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bytes(&self) -> Result<[u8; 8], std::io::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(bytes)
    }
}

/// The desk of one deployment.
#[derive(Debug)]
pub struct Desk {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    areas: Arc<AreaBook>,
    staff: Arc<StaffDirectory>,
    settings: Settings,
    room_rules: RoomRules,
    random: Arc<dyn Random>,
    wording: Wording,
    questions: PerMinute,
    refusals: PerMinute,
    /// Accounts whose platform lets them make groups.
    group_accounts: Vec<AccountName>,
    hands: Arc<HandGroups>,
    /// The address of the forms of alerts on the web, ending in `/`, where the outside reaches them.
    forms: Option<String>,
    headcounts: Arc<Headcounts>,
}

impl Desk {
    /// Opens the desk.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        areas: Arc<AreaBook>,
        staff: Arc<StaffDirectory>,
        settings: Settings,
        random: Arc<dyn Random>,
        wording: Wording,
    ) -> Self {
        Self {
            store,
            clock,
            areas,
            staff,
            settings,
            room_rules: RoomRules::default(),
            random,
            wording,
            questions: PerMinute::new(QUESTIONS_PER_MINUTE),
            refusals: PerMinute::new(QUESTIONS_PER_MINUTE),
            group_accounts: Vec::new(),
            hands: Arc::default(),
            forms: None,
            headcounts: Arc::default(),
        }
    }

    /// Tells where the web serves what belongs to an alert: an address that ends in `/`.
    #[must_use]
    pub fn with_forms(self, base: Option<String>) -> Self {
        Self {
            forms: base,
            ..self
        }
    }

    /// Knows of groups in which people post by hand.
    #[must_use]
    pub fn with_hands(self, hands: HandGroups) -> Self {
        Self {
            hands: Arc::new(hands),
            ..self
        }
    }

    /// How many people the rooms hold: for whoever asks the platforms.
    #[must_use]
    pub fn headcounts(&self) -> Arc<Headcounts> {
        Arc::clone(&self.headcounts)
    }

    /// The same desk, with what the deployment says of its accounts and rooms.
    #[must_use]
    pub fn with_rooms(mut self, rules: RoomRules) -> Self {
        self.room_rules = rules;
        self
    }

    /// A command. `None`: not one of the desk's (residents' own commands are intake's), or not a
    /// person's own (a forwarded command is nobody's order). An empty act: understood, nothing to say.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn act(
        &self,
        message: &Message,
        command: &Command,
    ) -> Result<Option<Act>, StoreError> {
        if message.forwarded || message.sender == Sender::Bot {
            return Ok(None);
        }
        let asked = Asked::by_message(message);
        let rest = command.rest.as_str();
        match command.name {
            CommandName::Bao
            | CommandName::TroGiup
            | CommandName::Rut
            | CommandName::CuaToi
            | CommandName::Xoa => return Ok(None),
            CommandName::Start => {
                let code = InviteCode::parse(rest).filter(|_| asked.is_private());
                return match code {
                    Some(code) => self.join(message, &asked, &code).await.map(Some),
                    None => Ok(None),
                };
            }
            CommandName::KiemTra => return self.check(&asked, rest).await.map(Some),
            _ => {}
        }
        let staff = self.staff().await?;
        let Some(officer) = staff
            .who(&message.room.account, &message.sender)
            .filter(|staff| staff.role.may(command.name))
        else {
            return Ok(Some(self.refuse(&asked)));
        };
        let act = match command.name {
            CommandName::CanhBao => self.draft(officer, &asked, rest, false).await?,
            CommandName::DienTap => self.draft(officer, &asked, rest, true).await?,
            CommandName::Duyet => self.approve(officer, &asked, rest).await?,
            CommandName::Nhan => self.accept(officer, &asked, rest).await?,
            CommandName::Xong => self.close(officer, &asked, rest, cases::End::Done).await?,
            CommandName::TuChoi => {
                self.close(officer, &asked, rest, cases::End::Rejected)
                    .await?
            }
            CommandName::Giao => self.assign(officer, &asked, rest).await?,
            CommandName::Gop => self.merge(officer, &asked, rest).await?,
            CommandName::TongHop => self.digest(officer, &asked, rest).await?,
            CommandName::GanThon => self.bind(officer, &asked, rest).await?,
            CommandName::Nhom => self.groups_by_chat(officer, &asked, rest).await?,
            CommandName::Moi => self.invite_by_chat(officer, &asked, rest).await?,
            CommandName::DinhChinh => {
                self.change(officer, &asked, rest, VersionKind::Correction)
                    .await?
            }
            CommandName::HetCanhBao => {
                self.change(officer, &asked, rest, VersionKind::AllClear)
                    .await?
            }
            CommandName::ThuHoi => {
                self.change(officer, &asked, rest, VersionKind::Withdrawal)
                    .await?
            }
            CommandName::Loa => self.loudspeaker(officer, &asked, rest).await?,
            CommandName::Hen => self.schedule(officer, &asked, rest).await?,
            CommandName::Bao
            | CommandName::TroGiup
            | CommandName::Rut
            | CommandName::CuaToi
            | CommandName::Xoa
            | CommandName::Start
            | CommandName::KiemTra => return Ok(None),
        };
        Ok(Some(act))
    }

    /// The sender's role, if any.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn role(&self, message: &Message) -> Result<Option<Role>, StoreError> {
        let staff = self.staff().await?;
        Ok(staff
            .who(&message.room.account, &message.sender)
            .map(|staff| staff.role))
    }

    /// A pressed button. `None`: not one of the desk's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pressed(&self, press: &Press) -> Result<Option<Act>, StoreError> {
        let asked = Asked::by_press(press, self.clock.now());
        if let Some(posted) = hands::button(&press.data) {
            return self.posted_by_button(&asked, posted).await.map(Some);
        }
        let Some((answer, code)) = alerts::button(&press.data) else {
            return Ok(None);
        };
        let Some(officer) = self.officer(&press.room, &press.sender).await? else {
            return Ok(Some(self.reply(&asked, say::desk::not_your_button())));
        };
        let act = match answer {
            YesNo::Yes => self.confirm(&officer, &asked, &code).await?,
            YesNo::No => self.drop_draft(&officer, &asked, &code).await?,
        };
        Ok(Some(act))
    }

    /// A message without a command: an officer's plain `OK` or `huỷ`, in private or in reply to the
    /// bot, with a draft waiting in that chat. `None`: it is something else.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn said_privately(&self, message: &Message) -> Result<Option<Act>, StoreError> {
        let to_bot = message.reply_to.as_ref().is_some_and(|reply| reply.to_bot);
        let private = message.room_kind == RoomKind::Private;
        if message.forwarded || !(to_bot || message.perhaps_reply || private) {
            return Ok(None);
        }
        let asked = Asked::by_message(message);
        if private && let Some(act) = self.posted_in_words(&asked, &message.text).await? {
            return Ok(Some(act));
        }
        let Some(answer) = words::yes_or_no(&message.text) else {
            return Ok(None);
        };
        let Some(officer) = self.officer(&message.room, &message.sender).await? else {
            return Ok(None);
        };
        let which = if private && !to_bot {
            alerts::Which::Newest
        } else {
            alerts::Which::OneOfMany
        };
        self.answered(&officer, &asked, answer, which).await
    }

    /// Puts drafts that nobody confirmed away, and ends alerts whose time has passed; to be asked once
    /// a minute. `None`: nothing to do.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tidy(&self) -> Result<Option<Act>, StoreError> {
        self.tidy_alerts().await
    }

    /// Tells every administrator who has spoken to the bot in private, on whatever account, once for each
    /// `key`. It goes before everything else: what it warns of may be that nothing else goes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn warn(&self, key: MessageKey, text: &str) -> Result<Act, StoreError> {
        let staff = self.staff().await?;
        let mut doing = self.begin();
        for person in staff.people() {
            let mut person = person.clone();
            // Last by the account that it is about: nothing may go there.
            person
                .identities
                .sort_by_key(|(account, _)| *account == key.room.account);
            if person.role == Role::Admin
                && let Some(room) = self.private_room_of(&person).await?
            {
                let post = Post {
                    text: text.to_owned(),
                    ..Post::default()
                };
                doing.send(room, None, Lane::Urgent, Body::Text(post));
            }
        }
        doing.act.expects.push(Expect::Unseen(key.clone()));
        doing.act.writes.push(Write::Seen(key, None));
        Ok(doing.act)
    }

    /// Everybody with a role now: named by the config, or invited.
    async fn staff(&self) -> Result<Arc<StaffDirectory>, StoreError> {
        let invited = self.store.invites().await?;
        let mut taken = invited.iter().filter_map(Invite::staff).peekable();
        Ok(match taken.peek() {
            None => Arc::clone(&self.staff),
            Some(_) => Arc::new(self.staff.with(taken)),
        })
    }

    async fn officer(&self, room: &RoomId, sender: &Sender) -> Result<Option<Staff>, StoreError> {
        let staff = self.staff().await?;
        Ok(staff
            .who(&room.account, sender)
            .filter(|staff| staff.role.is_officer())
            .cloned())
    }

    /// The answer to everybody who may not do what they asked: one and the same for all.
    fn refuse(&self, asked: &Asked<'_>) -> Act {
        match self.refusals.turn(&asked.person, self.clock.now()) {
            Turn::Fine => self.reply(asked, say::desk::no_such_command()),
            Turn::FirstTooMany | Turn::TooMany => Act::default(),
        }
    }

    /// An act that only answers.
    fn reply(&self, asked: &Asked<'_>, text: String) -> Act {
        let mut doing = self.begin();
        doing.answer(asked, text);
        doing.act
    }

    fn begin(&self) -> Doing<'_> {
        Doing {
            desk: self,
            now: self.clock.now(),
            act: Act::default(),
        }
    }

    /// The private chat of somebody with the bot, if they have spoken there: on every platform here
    /// its id is the user's own.
    async fn private_room(&self, id: &RoomId) -> Result<Option<RoomId>, StoreError> {
        let room = self.store.room(id).await?;
        Ok(room
            .filter(|room| room.kind == RoomKind::Private && room.state == RoomState::Active)
            .map(|room| room.id))
    }

    /// The first private chat by which a colleague can be told something.
    async fn private_room_of(&self, staff: &Staff) -> Result<Option<RoomId>, StoreError> {
        for (account, native) in &staff.identities {
            let id = RoomId::new(account.clone(), native.as_str());
            if let Some(room) = self.private_room(&id).await? {
                return Ok(Some(room));
            }
        }
        Ok(None)
    }
}

/// Where a question came from, and so where its answer goes.
#[derive(Debug)]
struct Asked<'a> {
    room: RoomId,
    kind: RoomKind,
    title: &'a str,
    thread: Option<String>,
    /// The message that asked, or that carried the pressed button.
    message: MessageId,
    /// The message to answer, in groups; in private an answer needs no quotation.
    reply_to: Option<MessageId>,
    /// The asker's own chat with the bot, which may not exist yet. Also stands for the person.
    person: RoomId,
    press: Option<&'a Press>,
    /// When it was written, by the platform's clock.
    sent_at: Time,
    /// The photo that came with it.
    photo: Option<Enclosure>,
    /// The recording that came with it.
    recording: Option<Enclosure>,
}

impl<'a> Asked<'a> {
    fn by_message(message: &'a Message) -> Self {
        Self {
            room: message.room.clone(),
            kind: message.room_kind,
            title: &message.room_title,
            thread: message.thread.clone(),
            message: message.id.clone(),
            reply_to: (message.room_kind == RoomKind::Group).then(|| message.id.clone()),
            person: person(&message.room, &message.sender),
            press: None,
            sent_at: message.sent_at,
            photo: enclosed(message, |attached| match attached {
                Attachment::Photo(reference) => Some(reference),
                Attachment::File { .. } | Attachment::Location { .. } => None,
            }),
            recording: enclosed(message, |attached| match attached {
                Attachment::File { kind, reference }
                    if matches!(kind.as_str(), "audio" | "voice") =>
                {
                    Some(reference)
                }
                Attachment::Photo(_) | Attachment::File { .. } | Attachment::Location { .. } => {
                    None
                }
            }),
        }
    }

    fn by_press(press: &'a Press, now: Time) -> Self {
        Self {
            room: press.room.clone(),
            kind: press.room_kind,
            title: "",
            thread: press.thread.clone(),
            message: MessageId(press.id.as_str().into()),
            reply_to: None,
            person: person(&press.room, &press.sender),
            press: Some(press),
            sent_at: now,
            photo: None,
            recording: None,
        }
    }

    fn is_private(&self) -> bool {
        self.kind == RoomKind::Private
    }
}

/// The first attachment of a message that is of one kind.
fn enclosed(
    message: &Message,
    reference: impl Fn(&Attachment) -> Option<&String>,
) -> Option<Enclosure> {
    let found = message.attachments.iter().find_map(reference)?;
    Some(Enclosure {
        account: message.room.account.clone(),
        reference: found.clone(),
    })
}

fn person(room: &RoomId, sender: &Sender) -> RoomId {
    match sender {
        Sender::Person { native, .. } => RoomId::new(room.account.clone(), native.as_str()),
        Sender::Anonymous | Sender::Bot => room.clone(),
    }
}

/// An act that is being put together.
#[derive(Debug)]
struct Doing<'a> {
    desk: &'a Desk,
    now: Time,
    act: Act,
}

impl Doing<'_> {
    /// Answers: into the chat, or as the word that a pressed button shows.
    fn answer(&mut self, asked: &Asked<'_>, text: String) {
        match asked.press {
            Some(press) => {
                let body = Body::PressAnswer {
                    press: press.id.clone(),
                    text,
                };
                self.send(asked.room.clone(), asked.thread.clone(), Lane::Reply, body);
            }
            None => self.answer_with(
                asked,
                Post {
                    text,
                    ..Post::default()
                },
            ),
        }
    }

    /// Answers into the chat.
    fn answer_with(&mut self, asked: &Asked<'_>, mut post: Post) {
        if post.edits.is_none() {
            post.reply_to.clone_from(&asked.reply_to);
        }
        let body = Body::Text(post);
        self.send(asked.room.clone(), asked.thread.clone(), Lane::Reply, body);
    }

    /// Tells something in another chat, by its words alone.
    fn tell_in(&mut self, room: RoomId, thread: Option<String>, text: String) {
        let post = Post {
            text,
            ..Post::default()
        };
        self.send(room, thread, Lane::Reply, Body::Text(post));
    }

    /// The same, before everything that is not as pressing.
    fn tell_now(&mut self, room: RoomId, text: String) {
        let post = Post {
            text,
            ..Post::default()
        };
        self.send(room, None, Lane::Urgent, Body::Text(post));
    }

    /// Tells something in another chat.
    fn tell(&mut self, room: RoomId, post: Post) {
        self.send(room, None, Lane::Reply, Body::Text(post));
    }

    fn send(&mut self, room: RoomId, thread: Option<String>, lane: Lane, body: Body) -> DeliveryId {
        let fresh = self.desk.store.delivery_ids(1);
        self.send_as(DeliveryId(fresh.start), self.now, room, thread, lane, body)
    }

    /// Says something not before a moment.
    fn send_at(&mut self, due: Time, room: RoomId, lane: Lane, body: Body) -> DeliveryId {
        let fresh = self.desk.store.delivery_ids(1);
        self.send_as(DeliveryId(fresh.start), due, room, None, lane, body)
    }

    fn send_as(
        &mut self,
        id: DeliveryId,
        due: Time,
        room: RoomId,
        thread: Option<String>,
        lane: Lane,
        body: Body,
    ) -> DeliveryId {
        self.act.writes.push(Write::Delivery(Box::new(Delivery {
            id,
            room,
            thread,
            lane,
            body,
            state: DeliveryState::Waiting { due },
            attempts: 0,
            maybe_twice: false,
            queued_at: self.now,
        })));
        id
    }

    fn audit(&mut self, who: &str, act: &str, object: impl ToString, detail: impl Into<String>) {
        self.act.writes.push(Write::Audit(AuditEntry {
            at: self.now,
            who: who.to_owned(),
            act: act.to_owned(),
            object: object.to_string(),
            detail: detail.into(),
        }));
    }
}
