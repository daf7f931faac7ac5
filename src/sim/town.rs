//! A whole make-believe commune at once: groups on four platforms, people who write in them, one stream of what
//! happens, and bad weather on request.
//!
//! ```no_run
//! # async fn day() -> Result<(), Box<dyn std::error::Error>> {
//! use keng::sim::town::{Platform, Size, Town};
//! use std::time::Duration;
//!
//! let town = Town::start(Size::default(), None).await?;
//! // …start any bot with the addresses and secrets of town.accounts()…
//! let room = town.nth_room(Platform::ZaloOa, 1).expect("the Official Account has groups");
//! let lan = town.resident(&room.id, 1).expect("somebody lives there");
//! let message = town.say(&lan.id, &room.id, "#tromcap mất xe ở cổng chợ")?;
//! let answer = town.hears(&room.id, |said| said.text.contains("Đã ghi"), Duration::from_secs(5)).await;
//! # let _ = (message, answer); Ok(()) }
//! ```
//!
//! Every act goes through the simulators and is told to the bot as that platform tells it: this file knows no bot,
//! and whatever answers is believed only as far as the simulators saw it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;
use tokio::sync::Notify;

mod clock;
mod commune;
mod crowd;
mod log;
pub mod scenario;

pub use super::scene::{Button, What};
pub use super::weather::Trouble;
pub use commune::{Platform, ROOMS, Role, Size, Village, commune};
pub use crowd::Line;
pub use log::{Counts, Event, From, Kind, Message, Person, Room, Shared};

use super::facebook::{self, Facebook};
use super::scene::Watcher;
use super::telegram::{self, Telegram};
use super::zalo_bot::{self, ZaloBot};
use super::zalo_oa::{self, ZaloOa};
use commune::Plan;
use log::Log;

/// Where the bot's name is picked in a text, on platforms where people pick it from a list.
const BOT: &str = "{bot}";

/// What the Page's people write first, for residents to write under.
const WELCOME: &str = "Công an xã chào bà con. Bà con cần báo việc gì, xin viết dưới bài này hoặc nhắn riêng cho trang.";

/// From so many rooms on, Telegram's simulator counts instead of keeping every call, and bots are in their groups already.
const MANY: usize = 2_000;

/// Messages of one room in a snapshot.
const LATEST: usize = 50;

/// Why somebody could not do something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// No such room.
    #[error("there is no room `{0}`")]
    Room(String),
    /// No such person.
    #[error("there is nobody called `{0}`")]
    Person(String),
    /// The person has no account where the room is.
    #[error("`{0}` cannot write in `{1}`: it is on another platform, or of another bot")]
    Elsewhere(String, String),
    /// No such message in that room.
    #[error("there is no message `{0}` in this room")]
    Message(String),
    /// No such button under the message.
    #[error("there is no button `{0}` under this message")]
    Button(String),
    /// People cannot do this there.
    #[error("on {0} people cannot {1}")]
    Impossible(&'static str, &'static str),
}

/// One bot identity's side of a platform.
#[derive(Debug, Clone)]
pub enum Server {
    /// See [`Telegram`].
    Telegram(Telegram),
    /// See [`ZaloBot`].
    ZaloBot(ZaloBot),
    /// See [`ZaloOa`].
    ZaloOa(ZaloOa),
    /// The Page, and the post under which people write.
    Facebook(Facebook, String),
}

/// A bot identity: where it is reached, and with which secrets.
#[derive(Debug, Clone)]
pub struct Account {
    /// `tg1`, `zb1`, `oa1`, `fb1`…
    pub name: Shared,
    /// Its platform.
    pub platform: Platform,
    /// Its simulator.
    pub server: Server,
}

#[derive(Debug)]
struct Inner {
    log: Mutex<Log>,
    heard: Notify,
    accounts: Vec<Account>,
    villages: Vec<Village>,
    troubles: Mutex<BTreeSet<(Platform, Trouble)>>,
}

/// A running commune; clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Town {
    inner: Arc<Inner>,
}

/// Where the town stands, for somebody who begins to watch.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// The number of the last event that is in it; the stream goes on from there.
    pub seq: u64,
    /// Unix milliseconds of the town's clock.
    pub clock: u64,
    /// How fast it runs; 0 while it is moved by hand.
    pub speed: f64,
    /// Rooms with their latest messages.
    pub rooms: Vec<RoomNow>,
    /// How many rooms there are, private chats included.
    pub rooms_in_all: usize,
    /// People who are in these rooms, and everybody with a duty.
    pub people: Vec<Person>,
    /// How much was said, by platform.
    pub counts: BTreeMap<Platform, Counts>,
    /// What goes wrong now.
    pub faults: Vec<Fault>,
}

/// A room and its latest messages, oldest first.
#[derive(Debug, Clone, Serialize)]
pub struct RoomNow {
    /// Which.
    #[serde(flatten)]
    pub room: Room,
    /// At most fifty.
    pub messages: Vec<Message>,
}

/// Something that goes wrong on a platform now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where.
    pub platform: Platform,
    /// What.
    pub fault: Trouble,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Account {
    async fn start(
        platform: Platform,
        name: &str,
        number: u64,
        address: SocketAddr,
        seed: u64,
        many: bool,
    ) -> io::Result<Self> {
        let seed = seed.wrapping_mul(1_000).wrapping_add(number);
        let first = number == 1;
        let server = match platform {
            Platform::Telegram => {
                let mut options = telegram::Options {
                    seed,
                    ..telegram::Options::default()
                };
                // The first bot's chats are those of everybody with a duty, whose messages are edited and answered.
                if many && !first {
                    options.keep = telegram::Keep::Counts;
                }
                if !first {
                    options.token = format!("{}:AAkengtown{number:025}", 7_000_000_000 + number);
                    options.bot_username = format!("keng_{number}_bot");
                }
                Server::Telegram(Telegram::start(address, options).await?)
            }
            Platform::ZaloBot => {
                let mut options = zalo_bot::Options {
                    seed,
                    ..zalo_bot::Options::default()
                };
                if !first {
                    options.token = format!("{}:kengzalotown", 60_218_834 + number);
                }
                Server::ZaloBot(ZaloBot::start(address, options).await?)
            }
            Platform::ZaloOa => {
                let mut options = zalo_oa::Options {
                    seed,
                    ..zalo_oa::Options::default()
                };
                if !first {
                    options.app_id = format!("{}", 3_120_000_000_000_000_016_u64 + number);
                    options.oa_id = format!("{}", 4_410_000_000_000_000_006_u64 + number);
                    options.oa_secret = format!("khoaBiMatCuaOA{number}");
                    options.app_secret = format!("khoaBiMatCuaUngDung{number}");
                }
                Server::ZaloOa(ZaloOa::start(address, options).await?)
            }
            Platform::Facebook => {
                let options = facebook::Options {
                    seed,
                    ..facebook::Options::default()
                };
                let page = Facebook::start(address, options).await?;
                Server::Facebook(page, String::new())
            }
        };
        Ok(Self {
            name: name.into(),
            platform,
            server,
        })
    }

    /// The base for `api_url`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.server {
            Server::Telegram(server) => server.url(),
            Server::ZaloBot(server) => server.url(),
            Server::ZaloOa(server) => server.url(),
            Server::Facebook(server, _) => server.url(),
        }
    }

    /// Tells an Official Account or a Page where the bot's webhook is, as its administrators do by hand.
    pub fn set_webhook(&self, url: &str) {
        match &self.server {
            Server::ZaloOa(server) => server.set_webhook(url),
            Server::Facebook(server, _) => server.set_webhook(url),
            Server::Telegram(_) | Server::ZaloBot(_) => {}
        }
    }

    /// What people did that the bot has not taken yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        match &self.server {
            Server::Telegram(server) => server.stats().pending,
            Server::ZaloBot(server) => server.stats().pending,
            Server::ZaloOa(server) => server.stats().pending,
            Server::Facebook(server, _) => server.stats().pending,
        }
    }

    fn add_person(&self, name: &str) -> String {
        match &self.server {
            Server::Telegram(server) => server.add_person(name).id.to_string(),
            Server::ZaloBot(server) => server.add_person(name).id.to_string(),
            Server::ZaloOa(server) => server.add_person(name).id.to_string(),
            Server::Facebook(server, _) => server.add_person(name).id.to_string(),
        }
    }

    /// A group with the bot in it; `index` counts the groups of this account. It comes in now and greets, or has been
    /// there for long.
    fn add_room(&self, title: &str, index: usize, residents: &[String], settled: bool) -> String {
        match &self.server {
            Server::Telegram(server) => {
                // Every fifth is a basic group, so that there is one to be upgraded.
                let chat = if index % 5 == 2 {
                    server.add_group(title)
                } else {
                    server.add_supergroup(title)
                };
                if settled {
                    server.settle_bot(chat);
                } else {
                    server.join_bot(chat);
                    server.promote_bot(chat);
                }
                chat.id.to_string()
            }
            Server::ZaloBot(server) => {
                let chat = server.add_group(title);
                server.join_bot(&chat);
                chat.id.to_string()
            }
            Server::ZaloOa(server) => {
                let members: Vec<_> = residents.iter().map(|id| oa_person(id)).collect();
                let members: Vec<_> = members.iter().collect();
                let chat = if settled {
                    server.settle_group(title, &members)
                } else {
                    server.add_group(title, &members)
                };
                chat.id.to_string()
            }
            Server::Facebook(server, _) => server.options().page_id.clone(),
        }
    }

    fn watch(&self, watcher: Watcher) {
        match &self.server {
            Server::Telegram(server) => server.watch(watcher),
            Server::ZaloBot(server) => server.watch(watcher),
            Server::ZaloOa(server) => server.watch(watcher),
            Server::Facebook(server, _) => server.watch(watcher),
        }
    }

    fn trouble(&self, trouble: Trouble, on: bool) {
        match &self.server {
            Server::Telegram(server) => server.trouble(trouble, on),
            Server::ZaloBot(server) => server.trouble(trouble, on),
            Server::ZaloOa(server) => {
                server.trouble(trouble, on);
                if trouble == Trouble::ExpiredToken && on {
                    server.end_access();
                }
            }
            Server::Facebook(server, _) => server.trouble(trouble, on),
        }
    }

    fn say(&self, person: &str, chat: &str, private: bool, text: &str) -> String {
        let plain = || text.replace(BOT, "").trim().to_owned();
        match &self.server {
            Server::Telegram(server) => {
                let id = server.say(tg_person(person), tg_chat(chat), &plain());
                id.to_string()
            }
            Server::ZaloBot(server) => {
                let (person, chat) = (zb_person(person), zb_chat(chat));
                if text.contains(BOT) && !private {
                    server.mention(&person, &chat, text)
                } else {
                    server.say(&person, &chat, &plain())
                }
            }
            Server::ZaloOa(server) => server.say(&oa_person(person), &oa_chat(chat), &plain()),
            Server::Facebook(server, _) if private => server.say(&fb_person(person), &plain()),
            Server::Facebook(server, post) => server.comment(&fb_person(person), post, &plain()),
        }
    }

    fn reply(&self, person: &str, chat: &str, private: bool, to: &str, text: &str) -> String {
        match &self.server {
            Server::Telegram(server) => {
                let to = to.parse().unwrap_or(0);
                let id = server.reply(tg_person(person), tg_chat(chat), to, text);
                id.to_string()
            }
            Server::ZaloBot(server) => server.reply(&zb_person(person), &zb_chat(chat), to, text),
            Server::ZaloOa(server) => server.reply(&oa_person(person), &oa_chat(chat), to, text),
            Server::Facebook(server, _) if private => server.answer(&fb_person(person), to, text),
            Server::Facebook(server, _) => server.comment(&fb_person(person), to, text),
        }
    }

    fn photo(&self, person: &str, chat: &str, caption: &str) -> Result<String, Refused> {
        let plain = || caption.replace(BOT, "").trim().to_owned();
        Ok(match &self.server {
            Server::Telegram(server) => {
                let id = server.photo(tg_person(person), tg_chat(chat), &plain());
                id.to_string()
            }
            Server::ZaloBot(server) => {
                let mention = caption.contains(BOT);
                server.photo(&zb_person(person), &zb_chat(chat), caption, mention)
            }
            Server::ZaloOa(server) => server.photo(&oa_person(person), &oa_chat(chat), &plain()),
            Server::Facebook(..) => {
                return Err(Refused::Impossible("Facebook", "send photos in this town"));
            }
        })
    }

    fn edit(&self, chat: &str, message: &str, text: &str) -> Result<(), Refused> {
        match &self.server {
            Server::Telegram(server) => {
                let id = message.parse().unwrap_or(0);
                server.edit(telegram::Person { id: 0 }, tg_chat(chat), id, text);
            }
            Server::Facebook(server, _) => server.edit(message, text),
            Server::ZaloBot(_) | Server::ZaloOa(_) => {
                return Err(Refused::Impossible("Zalo", "change what they wrote"));
            }
        }
        Ok(())
    }

    fn remove(&self, chat: &str, message: &str) -> Result<(), Refused> {
        match &self.server {
            Server::Telegram(server) => {
                server.delete(tg_chat(chat), message.parse().unwrap_or(0));
            }
            Server::Facebook(server, _) => server.remove(message),
            Server::ZaloBot(_) | Server::ZaloOa(_) => {
                return Err(Refused::Impossible("Zalo", "take back what a bot has read"));
            }
        }
        Ok(())
    }

    fn press(&self, person: &str, chat: &str, message: &str, button: &Button) {
        match &self.server {
            Server::Telegram(server) => {
                let id = message.parse().unwrap_or(0);
                server.press(tg_person(person), tg_chat(chat), id, &button.data);
            }
            Server::Facebook(server, _) => {
                server.press(&fb_person(person), &button.label, &button.data);
            }
            // Their messages have no buttons.
            Server::ZaloBot(_) | Server::ZaloOa(_) => {}
        }
    }

    /// What stands on the list from which people pick the bot's name.
    fn picked_name(&self) -> Option<&'static str> {
        matches!(self.server, Server::ZaloBot(_)).then_some("@Bot Kẻng")
    }
}

fn tg_person(id: &str) -> telegram::Person {
    telegram::Person {
        id: id.parse().unwrap_or(0),
    }
}

fn tg_chat(id: &str) -> telegram::Chat {
    telegram::Chat {
        id: id.parse().unwrap_or(0),
    }
}

fn zb_person(id: &str) -> zalo_bot::Person {
    zalo_bot::Person { id: id.into() }
}

fn zb_chat(id: &str) -> zalo_bot::Chat {
    zalo_bot::Chat { id: id.into() }
}

fn oa_person(id: &str) -> zalo_oa::Person {
    zalo_oa::Person { id: id.into() }
}

fn oa_chat(id: &str) -> zalo_oa::Chat {
    zalo_oa::Chat { id: id.into() }
}

fn fb_person(id: &str) -> facebook::Person {
    facebook::Person { id: id.into() }
}

impl Town {
    /// Builds the commune and opens its platforms on loopback: on free ports, or one after another from `first`.
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn start(size: Size, first: Option<SocketAddr>) -> io::Result<Self> {
        let plan = Plan::new(size);
        let many = size.rooms > MANY;
        let mut accounts = Vec::new();
        let mut numbers: HashMap<Platform, u64> = HashMap::new();
        for (index, planned) in plan.accounts.iter().enumerate() {
            let number = numbers.entry(planned.platform).or_default();
            *number += 1;
            let address = match first {
                Some(first) if first.port() == 0 => first,
                Some(first) => {
                    let port = u16::try_from(index)
                        .ok()
                        .and_then(|n| first.port().checked_add(n));
                    let port =
                        port.ok_or_else(|| io::Error::other("there are too few ports above"))?;
                    SocketAddr::new(first.ip(), port)
                }
                None => ([127, 0, 0, 1], 0).into(),
            };
            let (platform, seed) = (planned.platform, size.seed);
            let account =
                Account::start(platform, &planned.name, *number, address, seed, many).await?;
            accounts.push(account);
        }
        let mut log = Log::new();
        populate(&mut log, &plan, &accounts);
        for account in &mut accounts {
            if let Server::Facebook(page, post) = &mut account.server {
                *post = page.admin_posts(WELCOME);
            }
        }
        let town = Self {
            inner: Arc::new(Inner {
                log: Mutex::new(log),
                heard: Notify::new(),
                accounts,
                villages: plan.villages,
                troubles: Mutex::default(),
            }),
        };
        for (index, account) in town.inner.accounts.iter().enumerate() {
            let inner = Arc::downgrade(&town.inner);
            account.watch(Watcher::new(move |scene| {
                if let Some(inner) = inner.upgrade() {
                    lock(&inner.log).see(index, scene);
                    inner.heard.notify_waiters();
                }
            }));
        }
        // Whoever has a duty has spoken to the bot before; on Telegram it could not write to them otherwise.
        for person in town.people() {
            if let Some(account) = town.account(&person.account)
                && person.role != Role::Resident
                && let Server::Telegram(server) = &account.server
            {
                server.start_private(tg_person(&person.native));
            }
        }
        Ok(town)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.inner.log)
    }

    // Who and what there is ---------------------------------------------------

    /// The bot identities, Telegram's first.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.inner.accounts
    }

    /// The account with this name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.inner.accounts.iter().find(|one| &*one.name == name)
    }

    /// The villages.
    #[must_use]
    pub fn villages(&self) -> &[Village] {
        &self.inner.villages
    }

    /// How many rooms there are, private chats that were opened included.
    #[must_use]
    pub fn rooms_in_all(&self) -> usize {
        self.log().chats.len()
    }

    /// Every room, private chats that were opened included.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        let log = self.log();
        log.chats.iter().map(|chat| chat.room.clone()).collect()
    }

    /// Everybody: residents account by account, then whoever has a duty.
    #[must_use]
    pub fn people(&self) -> Vec<Person> {
        self.log().people.clone()
    }

    /// A room by its id.
    #[must_use]
    pub fn room(&self, id: &str) -> Option<Room> {
        self.log().chat(id).map(|chat| chat.room.clone())
    }

    /// Somebody by their id.
    #[must_use]
    pub fn person(&self, id: &str) -> Option<Person> {
        self.log().person(id).cloned()
    }

    /// The `number`-th group or Page of a platform, from 1.
    #[must_use]
    pub fn nth_room(&self, platform: Platform, number: usize) -> Option<Room> {
        let log = self.log();
        let mut all = log.chats.iter().map(|chat| &chat.room);
        let of = all
            .by_ref()
            .filter(|room| room.platform == platform && room.kind != Kind::Private);
        of.take(number)
            .enumerate()
            .last()
            .and_then(|(index, room)| (index + 1 == number).then(|| room.clone()))
    }

    /// The `number`-th of those with a duty, from 1.
    #[must_use]
    pub fn nth_person(&self, role: Role, number: usize) -> Option<Person> {
        let log = self.log();
        let mut of = log.people.iter().filter(|person| person.role == role);
        of.nth(number.checked_sub(1)?).cloned()
    }

    /// The `number`-th resident of a room, from 1.
    #[must_use]
    pub fn resident(&self, room: &str, number: usize) -> Option<Person> {
        let log = self.log();
        let mut of = log.people.iter().filter(|person| {
            person.role == Role::Resident && person.rooms.iter().any(|one| &**one == room)
        });
        of.nth(number.checked_sub(1)?).cloned()
    }

    /// Somebody's chat with the bot, opened if need be.
    ///
    /// # Errors
    /// When there is nobody of this id.
    pub fn private(&self, person: &str) -> Result<Room, Refused> {
        self.place(person, person).map(|(_, _, room)| room)
    }

    // What people do ----------------------------------------------------------

    /// Who acts where, and what the room is called there; opens a private chat if need be.
    fn place(&self, person: &str, room: &str) -> Result<(&Account, String, Room), Refused> {
        let mut log = self.log();
        let found = log.person(person).cloned();
        let found = found.ok_or_else(|| Refused::Person(person.to_owned()))?;
        let at = |one: &Account| one.name == found.account;
        let index = self.inner.accounts.iter().position(at);
        let index = index.ok_or_else(|| Refused::Person(person.to_owned()))?;
        if *found.id == *room {
            log.open_private(index, &found.native);
        }
        let chat = log.chat(room).map(|chat| chat.room.clone());
        let chat = chat.ok_or_else(|| Refused::Room(room.to_owned()))?;
        let account = self.inner.accounts.get(index);
        let account = account.ok_or_else(|| Refused::Person(person.to_owned()))?;
        if chat.account != found.account || (chat.kind == Kind::Private && chat.id != found.id) {
            return Err(Refused::Elsewhere(person.to_owned(), room.to_owned()));
        }
        Ok((account, found.native, chat))
    }

    /// Somebody writes; gives the platform's id of the message. `{bot}` in the text picks the bot's name where people
    /// do that, and is left out elsewhere. On a Page they write under its first post.
    ///
    /// # Errors
    /// When they or the room do not exist, or are not on the same platform.
    pub fn say(&self, person: &str, room: &str, text: &str) -> Result<String, Refused> {
        let (account, who, chat) = self.place(person, room)?;
        let text = match account.picked_name() {
            Some(name) => text.replace(name, BOT),
            None => text.to_owned(),
        };
        Ok(account.say(&who, &chat.native, chat.kind == Kind::Private, &text))
    }

    /// Somebody answers a message.
    ///
    /// # Errors
    /// As [`Town::say`].
    pub fn reply(&self, person: &str, room: &str, to: &str, text: &str) -> Result<String, Refused> {
        let (account, who, chat) = self.place(person, room)?;
        let private = chat.kind == Kind::Private;
        Ok(account.reply(&who, &chat.native, private, to, text))
    }

    /// Somebody sends a picture with words.
    ///
    /// # Errors
    /// As [`Town::say`]; and on the Page.
    pub fn photo(&self, person: &str, room: &str, caption: &str) -> Result<String, Refused> {
        let (account, who, chat) = self.place(person, room)?;
        account.photo(&who, &chat.native, caption)
    }

    /// Somebody changes what they wrote.
    ///
    /// # Errors
    /// As [`Town::say`]; and on Zalo, where nobody can.
    pub fn edit(&self, person: &str, room: &str, message: &str, text: &str) -> Result<(), Refused> {
        let (account, _, chat) = self.place(person, room)?;
        account.edit(&chat.native, message, text)
    }

    /// Somebody takes back what they wrote.
    ///
    /// # Errors
    /// As [`Town::edit`].
    pub fn remove(&self, person: &str, room: &str, message: &str) -> Result<(), Refused> {
        let (account, _, chat) = self.place(person, room)?;
        account.remove(&chat.native, message)
    }

    /// Somebody presses a button of the bot, named by words on it.
    ///
    /// # Errors
    /// As [`Town::say`]; and when there is no such button.
    pub fn press(
        &self,
        person: &str,
        room: &str,
        message: &str,
        button: &str,
    ) -> Result<(), Refused> {
        let (account, who, chat) = self.place(person, room)?;
        let all = self.messages(room);
        let found = all.iter().find(|one| one.message_id == message);
        let found = found.ok_or_else(|| Refused::Message(message.to_owned()))?;
        let button = found
            .button(button)
            .ok_or_else(|| Refused::Button(button.to_owned()))?;
        account.press(&who, &chat.native, message, button);
        Ok(())
    }

    /// A basic group on Telegram becomes a supergroup, with another id there and the same one here.
    ///
    /// # Errors
    /// When it is none.
    pub fn migrate(&self, room: &str) -> Result<(), Refused> {
        let chat = self.room(room);
        let chat = chat.ok_or_else(|| Refused::Room(room.to_owned()))?;
        let at = |one: &Account| one.name == chat.account;
        let index = self.inner.accounts.iter().position(at);
        let account = index.and_then(|index| Some((index, self.inner.accounts.get(index)?)));
        if let Some((index, account)) = account
            && let Server::Telegram(server) = &account.server
            && let Some(moved) = server.migrate(tg_chat(&chat.native))
        {
            self.log().moved(index, room, &moved.id.to_string());
            return Ok(());
        }
        Err(Refused::Impossible(
            chat.platform.title(),
            "upgrade this group",
        ))
    }

    // What can be seen --------------------------------------------------------

    /// The messages of a room that are remembered, as they stand, oldest first.
    #[must_use]
    pub fn messages(&self, room: &str) -> Vec<Message> {
        let log = self.log();
        let chat = log.chat(room);
        chat.map(|chat| chat.messages.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Looks at every room and its messages, without copying them.
    pub fn each_room(&self, mut look: impl FnMut(&Room, &mut dyn Iterator<Item = &Message>)) {
        let log = self.log();
        for chat in &log.chats {
            look(&chat.room, &mut chat.messages.iter());
        }
    }

    /// How much was said, by platform.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Platform, Counts> {
        let log = self.log();
        log.counts
            .iter()
            .map(|(at, counts)| (*at, *counts))
            .collect()
    }

    /// Where the town stands: the first `most` groups, and the private chats of those with a duty.
    #[must_use]
    pub fn snapshot(&self, most: usize) -> Snapshot {
        let faults = self.troubles();
        let log = self.log();
        let (mut rooms, mut groups) = (Vec::new(), 0);
        for chat in &log.chats {
            groups += usize::from(chat.room.kind != Kind::Private);
            if chat.room.kind != Kind::Private && groups > most {
                continue;
            }
            let skipped = chat.messages.len().saturating_sub(LATEST);
            rooms.push(RoomNow {
                room: chat.room.clone(),
                messages: chat.messages.iter().skip(skipped).cloned().collect(),
            });
        }
        let shown: BTreeSet<_> = rooms.iter().map(|one| one.room.id.clone()).collect();
        let people = log.people.iter().filter(|person| {
            person.role != Role::Resident || person.rooms.iter().any(|room| shown.contains(room))
        });
        Snapshot {
            seq: log.seq(),
            clock: log.clock.now_ms(),
            speed: log.clock.speed(),
            rooms_in_all: log.chats.len(),
            people: people.cloned().collect(),
            counts: log
                .counts
                .iter()
                .map(|(at, counts)| (*at, *counts))
                .collect(),
            faults,
            rooms,
        }
    }

    /// The number of the last event.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.log().seq()
    }

    /// The next events after a number, oldest first; waits until there is one. What lies too far back is left out.
    pub async fn events(&self, after: u64) -> Vec<Arc<Event>> {
        loop {
            let heard = self.inner.heard.notified();
            tokio::pin!(heard);
            // Listening before looking: what comes in between is not missed.
            heard.as_mut().enable();
            let found = self.log().after(after, 500);
            if !found.is_empty() {
                return found;
            }
            heard.await;
        }
    }

    /// Waits until `look` finds something; it looks again after everything that happens.
    pub async fn wait<T>(
        &self,
        timeout: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let end = tokio::time::Instant::now() + timeout;
        loop {
            let heard = self.inner.heard.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            if let Some(found) = look() {
                return Some(found);
            }
            if tokio::time::timeout_at(end, heard).await.is_err() {
                return look();
            }
        }
    }

    /// Waits for a message of the bot in a room.
    pub async fn hears(
        &self,
        room: &str,
        wanted: impl Fn(&Message) -> bool,
        timeout: Duration,
    ) -> Option<Message> {
        let look = || {
            let log = self.log();
            let mut all = log.chat(room)?.messages.iter().rev();
            all.find(|said| said.is_bots() && wanted(said)).cloned()
        };
        self.wait(timeout, look).await
    }

    /// What people did that the bot has not taken yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.inner.accounts.iter().map(Account::pending).sum()
    }

    /// Waits until the bot has taken everything.
    pub async fn wait_taken(&self, timeout: Duration) -> bool {
        // Taking a message is no scene, so there is nothing to be woken by: the simulators are asked.
        const AGAIN: Duration = Duration::from_millis(5);
        let taken = async {
            while self.pending() > 0 {
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::time::timeout(timeout, taken).await.is_ok()
    }

    // Weather and time --------------------------------------------------------

    /// Begins or ends a trouble of a platform.
    pub fn fault(&self, platform: Platform, trouble: Trouble, on: bool) {
        let mut troubles = lock(&self.inner.troubles);
        if on {
            troubles.insert((platform, trouble));
        } else {
            troubles.remove(&(platform, trouble));
        }
        for account in &self.inner.accounts {
            if account.platform == platform {
                account.trouble(trouble, on);
            }
        }
        drop(troubles);
        self.inner.heard.notify_waiters();
    }

    /// Platforms that wait before they tell the bot again what it did not take do so now.
    pub fn tell_again(&self) {
        for account in &self.inner.accounts {
            match &account.server {
                Server::ZaloOa(server) => server.tell_again(),
                Server::Facebook(server, _) => server.tell_again(),
                // The bot asks there.
                Server::Telegram(_) | Server::ZaloBot(_) => {}
            }
        }
    }

    /// What goes wrong now.
    #[must_use]
    pub fn troubles(&self) -> Vec<Fault> {
        let troubles = lock(&self.inner.troubles);
        let all = troubles.iter();
        all.map(|(platform, fault)| Fault {
            platform: *platform,
            fault: *fault,
        })
        .collect()
    }

    /// Unix milliseconds of the town's clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.log().clock.now_ms()
    }

    /// Sets the clock.
    pub fn set_ms(&self, now_ms: u64) {
        self.log().clock.set_ms(now_ms);
        self.inner.heard.notify_waiters();
    }

    /// How fast the clock runs: 1 is real time, 0 stands still until it is moved.
    pub fn set_speed(&self, speed: f64) {
        self.log().clock.set_speed(speed);
        self.inner.heard.notify_waiters();
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.log().clock.advance(by);
        self.inner.heard.notify_waiters();
    }

    /// Waits until the clock shows this time, however it gets there.
    pub async fn until(&self, then_ms: u64) {
        loop {
            let heard = self.inner.heard.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            let left = self.log().clock.until(then_ms);
            match left {
                Some(left) if left.is_zero() => return,
                Some(left) => {
                    // Earlier only when somebody moves the clock.
                    let _ = tokio::time::timeout(left, heard).await;
                }
                None => heard.await,
            }
        }
    }
}

/// Puts the plan's people and rooms onto the platforms and into the log.
fn populate(log: &mut Log, plan: &Plan, accounts: &[Account]) {
    let slug = |village: Option<usize>| {
        let village = plan.villages.get(village?)?;
        Some(village.slug.clone())
    };
    let (mut rooms, mut people) = (0, 0);
    // A thousand greetings at once would keep a bot busy for minutes, and show nothing.
    let in_all: usize = plan.accounts.iter().map(|one| one.rooms.len()).sum();
    let settled = in_all > MANY;
    for (index, (planned, account)) in plan.accounts.iter().zip(accounts).enumerate() {
        let residents: Vec<String> = planned
            .residents
            .iter()
            .map(|name| account.add_person(name))
            .collect();
        let mut homes: Vec<Vec<Shared>> = vec![Vec::new(); residents.len()];
        for (place, room) in planned.rooms.iter().enumerate() {
            rooms += 1;
            let id: Shared = format!("r{rooms}").into();
            let members = residents.get(room.residents.clone()).unwrap_or_default();
            let native = account.add_room(&room.title, place, members, settled);
            for home in homes.get_mut(room.residents.clone()).into_iter().flatten() {
                home.push(id.clone());
            }
            log.add_room(
                index,
                Room {
                    id,
                    platform: planned.platform,
                    account: account.name.clone(),
                    native,
                    title: room.title.clone(),
                    village: slug(room.village),
                    kind: match planned.platform {
                        Platform::Facebook => Kind::Page,
                        _ => Kind::Group,
                    },
                    members: members.len(),
                },
            );
        }
        for ((name, native), rooms) in planned.residents.iter().zip(residents).zip(homes) {
            people += 1;
            log.add_person(
                index,
                Person {
                    id: format!("p{people}").into(),
                    name: name.clone(),
                    role: Role::Resident,
                    platform: planned.platform,
                    account: account.name.clone(),
                    native,
                    village: None,
                    rooms,
                },
            );
        }
    }
    for one in &plan.staff {
        let Some(account) = accounts.get(one.account) else {
            continue;
        };
        people += 1;
        log.add_person(
            one.account,
            Person {
                id: format!("p{people}").into(),
                name: one.name.clone(),
                role: one.role,
                platform: account.platform,
                account: account.name.clone(),
                native: account.add_person(&one.name),
                village: slug(one.village),
                rooms: Vec::new(),
            },
        );
    }
}

#[cfg(test)]
mod tests;
