//! A Zalo Bot Platform with a make-believe world behind it.
//!
//! ```no_run
//! # async fn town() -> std::io::Result<()> {
//! use keng::sim::zalo_bot::{Options, ZaloBot};
//! use std::time::Duration;
//!
//! let zalo = ZaloBot::start("127.0.0.1:0".parse().unwrap(), Options::default()).await?;
//! let lan = zalo.add_person("Nguyễn Thị Lan");
//! let group = zalo.add_group("Xóm Đình");
//! zalo.join_bot(&group);
//! // …start a bot with zalo.url() and zalo.token()…
//! zalo.mention(&lan, &group, "#tromcap mất xe ở cổng chợ");
//! let answer = zalo.wait_for(&group, |sent| sent.text.contains("Đã ghi"), Duration::from_secs(5)).await;
//! # let _ = answer; Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **Only what is documented.** `getMe`, `getUpdates`, `setWebhook`, `testWebhook`, `deleteWebhook`,
//!   `getWebhookInfo`, `sendMessage`, `sendPhoto`, `sendSticker`, `sendVoice`, `sendChatAction`; by GET and
//!   POST; parameters from the query, a form, JSON or multipart, or an empty body whatever its type. No
//!   editing, deleting, buttons, joining or leaving.
//! - **One object a poll**, no offset. A poll and a webhook exclude each other.
//! - **A group hands over only** messages in which somebody picked the bot's name, and answers to the
//!   bot's own messages; never which of the two.
//! - **What sources contradict each other about is a switch**: see [`Switches`].
//! - **Faults on request**: see [`Rule`], [`Fault`].
//!
//! # The control API
//!
//! The same abilities over HTTP on the same port, for a server in a process of its own
//! ([`serve_forever`]). Bodies and answers are JSON; an error is `{"error":"…"}` with status 400.
//!
//! | call | body → answer |
//! | --- | --- |
//! | `POST /sim/person` | `{name}` → `{id}` |
//! | `POST /sim/group` | `{title, bot?: true}` → `{id}` |
//! | `POST /sim/join` `/sim/kick` | `{chat}` → `{}` |
//! | `POST /sim/say` | `{person, chat, text}` → `{message_id}`: without a mention |
//! | `POST /sim/mention` | `{person, chat, text}` → `{message_id}`; `{bot}` in the text is where the name is picked, else it stands in front |
//! | `POST /sim/reply` | `{person, chat, to, text}` → `{message_id}` |
//! | `POST /sim/photo` | `{person, chat, caption?, mention?: true}` → `{message_id}` |
//! | `POST /sim/voice` `/sim/sticker` `/sim/withheld` | `{person, chat}` → `{message_id}` |
//! | `POST /sim/inject` | any JSON: a hostile update, as it is |
//! | `POST /sim/switches` | any of the fields of [`Switches`], see [`Switches::set`] → `{}` |
//! | `POST /sim/faults` | `{clear?, rules?: [{method, times?, fault, code?, description?, body?}]}` → `{}`; `fault` is `refuse`, `html`, `html_after`, `close_before`, `close_after`, `hang_after` or `body` |
//! | `POST /sim/clock` | `{advance_ms}` → `{now_ms}` |
//! | `GET /sim/sent?chat=&after=` | the bot's messages, oldest first |
//! | `GET /sim/calls?after=` | every request of the bot with its answer |
//! | `GET /sim/stats` | see [`Stats`] |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpListener;

mod control;
mod server;
mod webhook;
mod world;

#[cfg(test)]
mod tests;

use super::scene::Watcher;
use super::weather::Trouble;
use server::Inner;
pub use world::{
    Chat, Delivery, Fault, Hook, Idle, Person, Photo, Probe, Quota, Rule, Sent, Stats, Switches,
};

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bot's token.
    pub token: String,
    /// How the bot is called in chats.
    pub display_name: String,
    /// The same seed gives the same ids.
    pub seed: u64,
    /// What is contradicted or undecided.
    pub switches: Switches,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: "60218834:kengzalokengzalokengzalo".to_owned(),
            display_name: "Bot Kẻng".to_owned(),
            seed: 1,
            switches: Switches::default(),
        }
    }
}

/// One request of the bot.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method as the bot wrote it.
    pub method: String,
    /// `GET`, `POST`.
    pub verb: String,
    /// Its parameters, an object. Those sent as a form are strings.
    pub parameters: Value,
    /// When the whole request was here.
    pub arrived: Instant,
    /// The HTTP status; `None` if the connection was cut or left hanging.
    pub status: Option<u16>,
    /// The body of the answer, or what it would have been.
    pub answer: Vec<u8>,
}

/// A running simulator; clones lead to the same one. It stops when [`ZaloBot::stop`] is called.
#[derive(Debug, Clone)]
pub struct ZaloBot {
    inner: Arc<Inner>,
    address: SocketAddr,
}

/// Serves a simulator until the process ends.
///
/// # Errors
/// When the address is taken.
pub async fn serve_forever(address: SocketAddr, options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    server::serve(Inner::new(options), listener).await
}

impl ZaloBot {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let inner = Inner::new(options);
        inner.change(|world| world.url = format!("http://{address}"));
        let served = Arc::clone(&inner);
        tokio::spawn(async move {
            // An error ends the listener; whoever waits for the town then runs out of patience.
            let _ = server::serve(served, listener).await;
        });
        Ok(Self { inner, address })
    }

    /// Stops serving.
    pub fn stop(&self) {
        self.inner.stop.send_replace(true);
    }

    /// The base for `api_url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bot's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.inner.token
    }

    /// Somebody with a Zalo account.
    pub fn add_person(&self, name: &str) -> Person {
        self.inner.change(|world| world.add_person(name))
    }

    /// The private chat of somebody with the bot.
    #[must_use]
    pub fn private(&self, person: &Person) -> Chat {
        Chat {
            id: Arc::clone(&person.id),
        }
    }

    /// A group without the bot.
    pub fn add_group(&self, title: &str) -> Chat {
        self.inner.change(|world| world.add_group(title))
    }

    /// What people call a group; the platform never tells the bot.
    #[must_use]
    pub fn title(&self, chat: &Chat) -> Option<String> {
        self.inner.look().title(&chat.id).map(str::to_owned)
    }

    /// The group's owner lets the bot in by its link. Nobody tells the bot. False: it may not be in groups,
    /// or is in as many as it may.
    pub fn join_bot(&self, chat: &Chat) -> bool {
        self.inner.change(|world| world.join(chat))
    }

    /// The bot is put out. Nobody tells it either.
    pub fn kick_bot(&self, chat: &Chat) {
        self.inner.change(|world| world.kick(chat));
    }

    /// Writes in a chat, without picking anybody's name.
    pub fn say(&self, person: &Person, chat: &Chat, text: &str) -> String {
        self.inner
            .change(|world| world.write(person, chat, text, false))
    }

    /// Writes and picks the bot's name where `{bot}` stands in the text, or in front of it.
    pub fn mention(&self, person: &Person, chat: &Chat, text: &str) -> String {
        self.inner
            .change(|world| world.write(person, chat, text, true))
    }

    /// Answers a message by quoting it.
    pub fn reply(&self, person: &Person, chat: &Chat, to: &str, text: &str) -> String {
        self.inner
            .change(|world| world.reply(person, chat, to, text))
    }

    /// Sends a photo; with `mention` its caption picks the bot's name.
    pub fn photo(&self, person: &Person, chat: &Chat, caption: &str, mention: bool) -> String {
        self.inner
            .change(|world| world.photo(person, chat, caption, mention))
    }

    /// Speaks a message; in a group as an answer to the bot.
    pub fn voice(&self, person: &Person, chat: &Chat) -> String {
        self.inner.change(|world| world.voice(person, chat))
    }

    /// Sends a sticker; in a group as an answer to the bot.
    pub fn sticker(&self, person: &Person, chat: &Chat) -> String {
        self.inner.change(|world| world.sticker(person, chat))
    }

    /// Writes something that the platform keeps from bots; in a group with a mention.
    pub fn withheld(&self, person: &Person, chat: &Chat) -> String {
        self.inner.change(|world| world.withheld(person, chat))
    }

    /// Puts a hostile update in line, as it is.
    pub fn inject(&self, update: Value) {
        self.inner.change(|world| world.give(update));
    }

    /// Turns switches.
    pub fn switch(&self, turn: impl FnOnce(&mut Switches)) {
        self.inner.change(|world| turn(&mut world.switches));
    }

    /// Adds a rule of what goes wrong.
    pub fn fault(&self, rule: Rule) {
        self.inner.change(|world| world.rules.push(rule));
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        self.inner.change(|world| world.ahead += by);
    }

    /// The bot's messages in a chat, oldest first.
    #[must_use]
    pub fn sent(&self, chat: &Chat) -> Vec<Sent> {
        let world = self.inner.look();
        let all = world.sent.iter().filter(|sent| sent.chat == *chat);
        all.cloned().collect()
    }

    /// The bot's messages everywhere, oldest first.
    #[must_use]
    pub fn all_sent(&self) -> Vec<Sent> {
        self.inner.look().sent.clone()
    }

    /// Every request of the bot so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.inner.look().calls.clone()
    }

    /// Where things stand.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.look().stats()
    }

    /// Shows everything that is said from now on to `watcher`.
    pub fn watch(&self, watcher: Watcher) {
        self.inner.look().watcher = watcher;
    }

    /// Begins or ends a trouble of the whole platform.
    pub fn trouble(&self, trouble: Trouble, on: bool) {
        self.inner.change(|world| world.weather.set(trouble, on));
    }

    /// Waits until `look` finds something, whenever anything happens.
    pub async fn wait<T>(
        &self,
        timeout: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let end = tokio::time::sleep(timeout);
        tokio::pin!(end);
        loop {
            let heard = self.inner.heard.notified();
            tokio::pin!(heard);
            // Listening before looking: what comes in between is not missed.
            heard.as_mut().enable();
            if let Some(found) = look() {
                return Some(found);
            }
            tokio::select! {
                () = &mut heard => {}
                () = &mut end => return look(),
            }
        }
    }

    /// Waits for a message of the bot in a chat.
    pub async fn wait_for(
        &self,
        chat: &Chat,
        wanted: impl Fn(&Sent) -> bool,
        timeout: Duration,
    ) -> Option<Sent> {
        self.wait(timeout, || {
            self.sent(chat).into_iter().find(|sent| wanted(sent))
        })
        .await
    }

    /// Waits until every update has been handed over, and asked past.
    pub async fn wait_taken(&self, timeout: Duration) -> bool {
        self.wait(timeout, || (self.stats().pending == 0).then_some(()))
            .await
            .is_some()
    }
}
