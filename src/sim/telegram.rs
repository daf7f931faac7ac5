//! A Telegram Bot API server with a make-believe world behind it.
//!
//! ```no_run
//! # async fn town() -> std::io::Result<()> {
//! use keng::sim::telegram::{Options, Telegram};
//! use std::time::Duration;
//!
//! let telegram = Telegram::start("127.0.0.1:0".parse().unwrap(), Options::default()).await?;
//! let lan = telegram.add_person("Nguyễn Thị Lan");
//! let group = telegram.add_supergroup("Tổ dân phố 5");
//! telegram.join_bot(group);
//! // …start a bot with telegram.url() and telegram.token()…
//! let id = telegram.say(lan, group, "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng");
//! let answer = telegram.wait_for(group, |sent| sent.reply_to == Some(id), Duration::from_secs(5)).await;
//! # let _ = answer; Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **True offsets.** An update is given again and again until a later
//!   offset confirms it; [`Telegram::confirmed_offset`] tells what a bot that
//!   is killed now may forget. A long poll wakes at once; a second one ends
//!   the first with 409; `allowed_updates` stays until changed.
//! - **The server's words.** Errors carry the official server's texts, codes
//!   and `parameters`.
//! - **What a bot would see.** Privacy mode, membership, forum topics, edits,
//!   albums, migration; entities in UTF-16 as Telegram computes them.
//! - **Measured, not believed.** Every call is kept with its arrival time;
//!   the largest number of sends in any sliding second is always known.
//! - **Faults on request**, seeded: see [`Rule`], [`Fault`].
//!
//! Not here: channels, inline mode, payments, stickers, polls, reactions,
//! Markdown styles, downloading files, `https://` webhooks.
//!
//! # The control API
//!
//! The same abilities over HTTP on the same port, for a server in a process of
//! its own ([`serve_forever`]). Bodies and answers are JSON; an error is
//! `{"error":"…"}` with status 400.
//!
//! | call | body → answer |
//! | --- | --- |
//! | `POST /sim/person` | `{name, id?, username?}` → `{id}` |
//! | `POST /sim/chat` | `{title, kind: group\|supergroup\|forum, id?, topics?: [name], bot?: true\|"admin"}` → `{id, topics: [id]}` |
//! | `POST /sim/chats` | `{count, title?, kind?, bot?}` → `{ids}`: many at once |
//! | `POST /sim/start` | `{person, payload?}` → `{message_id}`: opens the private chat |
//! | `POST /sim/join` `/sim/kick` `/sim/promote` | `{chat, person?}` → `{}` |
//! | `POST /sim/say` | `{person, chat, text, reply_to?, thread?, anonymous?, forwarded?}` → `{message_id}` |
//! | `POST /sim/edit` | `{chat, message_id, text}` → `{}` |
//! | `POST /sim/audio` | `{person, chat, caption?}` → `{message_id}` |
//! | `POST /sim/photo` | `{person, chat, caption?, count?}` → `{message_ids}`; `count` > 1 makes an album |
//! | `POST /sim/location` | `{person, chat, latitude, longitude}` → `{message_id}` |
//! | `POST /sim/press` | `{person, chat, message_id, data, forged?}` → `{callback_query_id}` |
//! | `POST /sim/migrate` | `{chat}` → `{chat}` |
//! | `POST /sim/preload` | `{updates, tagged_percent?, chats?, people?}` → `{first_update_id, chats}`: reports and chatter of [`folk`](crate::sim::folk), serialised beforehand |
//! | `POST /sim/inject` | any JSON: a hostile update, as it is |
//! | `POST /sim/inject_bytes` | any bytes: the next `getUpdates` answers with them |
//! | `POST /sim/updates` | `{repeat?: n, shuffle?: bool, hold?: bool, jump?: id}` → `{}` |
//! | `POST /sim/faults` | `{clear?, latency_ms?, link_ms?, refuse_percent?, unanswered_percent?, limits?: {per_second, group_per_minute}\|null, flood?: {chat?, seconds}, repeat_percent?, shuffle_webhook?, rules?: [{method, chat?, percent?, times?, fault, retry_after?, code?, description?, body?}]}` → `{}`; `fault` is `too_many`, `refuse`, `bad_gateway`, `bad_gateway_after`, `error_after`, `close_before`, `close_after`, `hang_before`, `hang_after` or `body` |
//! | `POST /sim/clock` | `{date?, speed?, advance?}` → `{date}` |
//! | `POST /sim/keep` | `{everything: bool}` → `{}` |
//! | `GET /sim/sent?chat=&after=` | the bot's messages, oldest first; `after` skips that many |
//! | `GET /sim/counts` | `{chat: number of messages the bot sent}` |
//! | `GET /sim/messages?chat=` | every message of a chat, in the Bot API's shape |
//! | `GET /sim/calls?after=` | every request of the bot with its answer |
//! | `GET /sim/chats`, `GET /sim/people` | who and what there is |
//! | `GET /sim/stats` | see [`Stats`] |

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

mod control;
mod entity;
mod fault;
mod meter;
mod method;
mod post;
mod queue;
mod server;
mod webhook;
mod world;

pub use super::args::Upload;
use super::scene::{Watcher, What};
use super::weather::Trouble;
pub use fault::{Fault, Rule};
pub use meter::Limits;
pub use post::Kind;

use post::{Author, Post};
use server::Inner;
use world::{Sort, Standing, World, webhook_key};

pub use world::Dice;

/// How much is kept of what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every message and every call.
    Everything,
    /// Only counts and times, for benches: answers to messages and edits of
    /// them are still accepted.
    Counts,
}

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bot's token, `id:secret`; its id is the bot's user id.
    pub token: String,
    /// Without the `@`.
    pub bot_username: String,
    /// The bot's display name.
    pub bot_name: String,
    /// The same seed gives the same ids and the same faults.
    pub seed: u64,
    /// Telegram's own default is on, which hides ordinary messages from a bot
    /// that is no administrator. Here the default is off, as our guide for
    /// operators asks for.
    pub privacy_mode: bool,
    /// What is kept.
    pub keep: Keep,
    /// Enforced with 429 when set.
    pub limits: Option<Limits>,
    /// The first `update_id`; drawn from the seed without one.
    pub first_update_id: Option<i64>,
    /// Unix seconds at which the town's clock starts; now without one.
    pub start_date: Option<i64>,
    /// How fast the town's clock runs; 1 is real time.
    pub speed: f64,
    /// The pause before the second retry of a webhook; it doubles from there.
    pub webhook_pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: "7000000001:AAkengkengkengkengkengkengkengkeng0".to_owned(),
            bot_username: "keng_thu_bot".to_owned(),
            bot_name: "Kẻng".to_owned(),
            seed: 1,
            privacy_mode: false,
            keep: Keep::Everything,
            limits: None,
            first_update_id: None,
            start_date: None,
            speed: 1.0,
            webhook_pause: Duration::from_secs(1),
        }
    }
}

/// Somebody with a Telegram account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person {
    /// The user id.
    pub id: i64,
}

/// A conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chat {
    /// The chat id; for a private chat, the person's.
    pub id: i64,
}

/// A button under a message of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// Its `callback_data`.
    pub data: Option<String>,
    /// Where it leads.
    pub url: Option<String>,
}

/// A message of the bot, as it stands now.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Where.
    pub chat: Chat,
    /// Its id in that chat.
    pub message_id: i64,
    /// What carries the text.
    pub kind: Kind,
    /// The visible text or caption, after all edits.
    pub text: String,
    /// Its marks, as a JSON array.
    pub entities: Value,
    /// The message it answers.
    pub reply_to: Option<i64>,
    /// The topic or thread.
    pub thread: Option<i64>,
    /// The rows of its inline keyboard.
    pub buttons: Vec<Vec<Button>>,
    /// The file that came with it.
    pub upload: Option<Upload>,
    /// How often it was edited.
    pub edits: u32,
    /// It was deleted.
    pub deleted: bool,
    /// It is pinned.
    pub pinned: bool,
    /// The town's Unix seconds.
    pub date: i64,
    /// When the request that made it arrived.
    pub at: Instant,
    /// When the last edit arrived.
    pub edited_at: Option<Instant>,
}

impl Sent {
    /// The data of the first button whose text contains `text`.
    pub fn button(&self, text: &str) -> Option<&str> {
        let found = self
            .buttons
            .iter()
            .flatten()
            .find(|button| button.text.contains(text));
        found.and_then(|button| button.data.as_deref())
    }
}

/// One request of the bot.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method as the bot wrote it.
    pub method: String,
    /// Its parameters, an object. Those sent as a form are strings.
    pub parameters: Value,
    /// The names of the files that came with it.
    pub files: Vec<String>,
    /// When the whole request was here.
    pub arrived: Instant,
    /// How long until the answer was ready.
    pub took: Duration,
    /// The HTTP status; `None` if the connection was cut or left hanging.
    pub status: Option<u16>,
    /// The body of the answer, or what it would have been.
    pub answer: Bytes,
}

impl Call {
    /// The answer as JSON; null if it is none.
    pub fn answer_json(&self) -> Value {
        serde_json::from_slice(&self.answer).unwrap_or_default()
    }
}

/// A message to be laid ready with [`Telegram::preload`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it is written.
    pub chat: Chat,
    /// Who writes.
    pub person: Person,
    /// What.
    pub text: String,
}

/// Where things stand, in numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Updates confirmed by the bot.
    pub confirmed: u64,
    /// Updates that wait.
    pub pending: usize,
    /// Updates put into answers or delivered to a webhook, repeats included.
    pub given: u64,
    /// The highest offset that confirmed anything.
    pub confirmed_offset: i64,
    /// Requests of any kind.
    pub calls: u64,
    /// Requests that post, refused ones included.
    pub sends: u64,
    /// Messages of the bot that stand, or stood, in a chat.
    pub posted: u64,
    /// Sends that were answered 429.
    pub answered_429: u64,
    /// Sends to a chat that came before the time its last 429 had asked for.
    pub impatient: u64,
    /// Calls that met a fault.
    pub faults: u64,
    /// The most sends in any sliding second, by arrival.
    pub max_in_any_second: usize,
    /// The most sends to one chat in any sliding minute, by arrival.
    pub max_in_any_chat_minute: usize,
    /// Milliseconds from the start of the simulator to the first send.
    pub first_send_at_ms: Option<f64>,
    /// Milliseconds from the start of the simulator to the last send.
    pub last_send_at_ms: Option<f64>,
}

/// Stops the server when the last handle goes.
#[derive(Debug)]
struct Stop(Arc<Inner>);

impl Drop for Stop {
    fn drop(&mut self) {
        *self.0.webhook() = None;
        self.0.stop.send_replace(true);
    }
}

/// A running simulator. Clones share it; it stops with the last of them.
#[derive(Debug, Clone)]
pub struct Telegram {
    inner: Arc<Inner>,
    address: SocketAddr,
    _stop: Arc<Stop>,
}

impl Telegram {
    /// Listens on `address` (port 0 takes a free one) and serves on the
    /// current tokio runtime.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let inner = Inner::new(options);
        tokio::spawn(server::serve(inner.clone(), listener));
        Ok(Self {
            _stop: Arc::new(Stop(inner.clone())),
            inner,
            address,
        })
    }

    /// The base URL, `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bot's token.
    pub fn token(&self) -> &str {
        &self.inner.options.token
    }

    /// The bot's name after the `@`.
    pub fn bot_username(&self) -> &str {
        &self.inner.options.bot_username
    }

    // The world -------------------------------------------------------------

    /// Somebody new. Of a name in Vietnamese order the last word is the given
    /// name.
    pub fn add_person(&self, name: &str) -> Person {
        self.add_person_as(name, None, None)
    }

    /// Somebody new with an id or a username of your choice.
    pub fn add_person_as(&self, name: &str, id: Option<i64>, username: Option<&str>) -> Person {
        Person {
            id: self
                .inner
                .change(|world| world.add_person(name, id, username)),
        }
    }

    /// A basic group. The bot is not in it yet.
    pub fn add_group(&self, title: &str) -> Chat {
        self.add_chat(title, Sort::Group, false, None)
    }

    /// A supergroup. The bot is not in it yet.
    pub fn add_supergroup(&self, title: &str) -> Chat {
        self.add_chat(title, Sort::Supergroup, false, None)
    }

    /// A supergroup with an id of your choice, below −1000000000000.
    pub fn add_supergroup_as(&self, title: &str, id: i64) -> Chat {
        self.add_chat(title, Sort::Supergroup, false, Some(id))
    }

    /// A supergroup with topics. The bot is not in it yet.
    pub fn add_forum(&self, title: &str) -> Chat {
        self.add_chat(title, Sort::Supergroup, true, None)
    }

    fn add_chat(&self, title: &str, sort: Sort, forum: bool, id: Option<i64>) -> Chat {
        Chat {
            id: self
                .inner
                .change(|world| world.add_room(title, sort, forum, id)),
        }
    }

    /// Lets so many people into a group who never write.
    pub fn add_silent_people(&self, chat: Chat, count: u64) {
        self.inner.change(|world| {
            if let Some(room) = world.rooms.get_mut(&chat.id) {
                room.silent += count;
            }
        });
    }

    /// A new topic of a forum; its id is the `message_thread_id`.
    pub fn add_topic(&self, chat: Chat, by: Person, name: &str) -> i64 {
        self.inner
            .change(|world| world.add_topic(chat.id, by.id, name))
    }

    /// Closes a topic: only administrators can write in it.
    pub fn close_topic(&self, chat: Chat, thread: i64) {
        self.inner.change(|world| {
            if let Some(topic) = world
                .rooms
                .get_mut(&chat.id)
                .and_then(|room| room.topics.get_mut(&thread))
            {
                topic.closed = true;
            }
        });
    }

    /// Adds the bot to a chat as a member; somebody invented does it.
    pub fn join_bot(&self, chat: Chat) {
        self.stand(chat, None, Standing::Member);
    }

    /// Makes the bot an administrator, adding it if need be.
    pub fn promote_bot(&self, chat: Chat) {
        self.stand(chat, None, Standing::Administrator);
    }

    /// The bot has been an administrator there for long: nobody tells it now.
    pub fn settle_bot(&self, chat: Chat) {
        self.inner.change(|world| {
            if let Some(room) = world.rooms.get_mut(&chat.id) {
                room.bot = Standing::Administrator;
            }
        });
    }

    /// Removes the bot; in a private chat the person blocks it.
    pub fn kick_bot(&self, chat: Chat) {
        self.stand(chat, None, Standing::Kicked);
    }

    /// Adds the bot, by this person.
    pub fn join_bot_by(&self, chat: Chat, by: Person) {
        self.stand(chat, Some(by), Standing::Member);
    }

    fn stand(&self, chat: Chat, by: Option<Person>, standing: Standing) {
        self.inner.change(|world| {
            let by = by.map_or_else(|| somebody(world, chat.id), |person| person.id);
            world.stand(chat.id, by, standing);
        });
    }

    /// Switches privacy mode; a chat feels it when the bot joins again.
    pub fn set_privacy_mode(&self, on: bool) {
        self.inner.change(|world| world.privacy_mode = on);
    }

    /// The person presses Start: the private chat opens with `/start`.
    pub fn start_private(&self, person: Person) -> Chat {
        self.start_private_with(person, "");
        Chat { id: person.id }
    }

    /// The same through a deep link with a payload. Returns the message's id.
    pub fn start_private_with(&self, person: Person, payload: &str) -> i64 {
        self.inner
            .change(|world| start_private(world, person.id, payload))
    }

    // What people do --------------------------------------------------------

    /// Writes a message; returns its id, 0 if there is no such chat. The chat
    /// of a person opens by itself, as if Start had been pressed long ago.
    pub fn say(&self, person: Person, chat: Chat, text: &str) -> i64 {
        self.write(person, chat, |post| text.clone_into(&mut post.text))
    }

    /// Writes an answer to the message `to`.
    pub fn reply(&self, person: Person, chat: Chat, to: i64, text: &str) -> i64 {
        self.inner
            .change(|world| say(world, person.id, chat.id, text, to, 0))
    }

    /// Writes in a topic.
    pub fn say_in_topic(&self, person: Person, chat: Chat, thread: i64, text: &str) -> i64 {
        self.inner
            .change(|world| say(world, person.id, chat.id, text, 0, thread))
    }

    /// Writes as the group itself, as anonymous administrators do.
    pub fn say_anonymously(&self, chat: Chat, title: Option<&str>, text: &str) -> i64 {
        let author = Author::Anonymous(title.map(str::to_owned));
        self.inner
            .change(|world| world.write(chat.id, author, |post| text.clone_into(&mut post.text)))
    }

    /// Passes on what somebody whose account is hidden wrote elsewhere.
    pub fn forward(&self, person: Person, chat: Chat, origin: &str, text: &str) -> i64 {
        let date = self.date() - 3600;
        self.write(person, chat, |post| {
            text.clone_into(&mut post.text);
            let origin = json!({"type": "hidden_user", "sender_user_name": origin, "date": date});
            post.extra = format!("\"forward_origin\":{origin}");
        })
    }

    /// Changes a message of a person; false if it is not kept.
    pub fn edit(&self, _person: Person, chat: Chat, message_id: i64, text: &str) -> bool {
        self.inner
            .change(|world| world.rewrite(chat.id, message_id, text))
    }

    /// Deletes a message of a person. The bot hears nothing of it.
    pub fn delete(&self, chat: Chat, message_id: i64) -> bool {
        self.inner.change(|world| {
            let post = world
                .rooms
                .get_mut(&chat.id)
                .and_then(|room| room.post_mut(message_id));
            let Some(post) = post else { return false };
            post.deleted = true;
            let shown = post.clone();
            world.play(chat.id, &shown, What::Removed);
            true
        })
    }

    /// Sends a photo.
    pub fn photo(&self, person: Person, chat: Chat, caption: &str) -> i64 {
        self.inner
            .change(|world| photos(world, person.id, chat.id, caption, 1))
            .first()
            .copied()
            .unwrap_or(0)
    }

    /// Sends an audio file.
    pub fn audio(&self, person: Person, chat: Chat, caption: &str) -> i64 {
        self.inner
            .change(|world| audio(world, person.id, chat.id, caption))
    }

    /// Sends an album of `count` photos, the caption on the first.
    pub fn album(&self, person: Person, chat: Chat, caption: &str, count: usize) -> Vec<i64> {
        self.inner
            .change(|world| photos(world, person.id, chat.id, caption, count))
    }

    /// Sends a point on the map.
    pub fn location(&self, person: Person, chat: Chat, latitude: f64, longitude: f64) -> i64 {
        self.write(person, chat, |post| {
            post.kind = Kind::Location;
            post.extra = format!(
                "\"location\":{}",
                json!({"latitude": latitude, "longitude": longitude})
            );
        })
    }

    /// Writes a message of which only its author, id and date are set; for
    /// the shapes that have no function of their own. `extra` holds further
    /// members of the message.
    pub fn send_shape(
        &self,
        person: Person,
        chat: Chat,
        text: &str,
        extra: &Map<String, Value>,
    ) -> i64 {
        let extra = post::members(extra);
        self.write(person, chat, |post| {
            text.clone_into(&mut post.text);
            post.extra = extra;
        })
    }

    fn write(&self, person: Person, chat: Chat, fill: impl FnOnce(&mut Post)) -> i64 {
        self.inner.change(|world| {
            open(world, chat.id);
            world.write(chat.id, Author::Person(person.id), fill)
        })
    }

    /// Presses a button under a message. `None` if the message does not offer
    /// it; else the callback query's id.
    pub fn press(&self, person: Person, chat: Chat, message_id: i64, data: &str) -> Option<String> {
        self.inner
            .change(|world| world.press(person.id, chat.id, message_id, data, false))
    }

    /// Sends button data that no message offered, as a forged client can.
    pub fn press_forged(
        &self,
        person: Person,
        chat: Chat,
        message_id: i64,
        data: &str,
    ) -> Option<String> {
        self.inner
            .change(|world| world.press(person.id, chat.id, message_id, data, true))
    }

    /// What the bot answered to a press: the parameters of its
    /// `answerCallbackQuery`, once it has.
    pub fn callback_answer(&self, query: &str) -> Option<Value> {
        self.inner.look().pressed.get(query)?.answer.clone()
    }

    /// Turns a basic group into a supergroup with a new id; `None` if it is
    /// none or was turned already.
    pub fn migrate(&self, chat: Chat) -> Option<Chat> {
        self.inner.change(|world| {
            let by = somebody(world, chat.id);
            world.migrate(chat.id, by).map(|id| Chat { id })
        })
    }

    // What the bot did ------------------------------------------------------

    /// The bot's messages in a chat, oldest first, deleted ones included.
    pub fn sent(&self, chat: Chat) -> Vec<Sent> {
        let world = self.inner.look();
        let posts = world
            .rooms
            .get(&chat.id)
            .map(|room| room.posts.as_slice())
            .unwrap_or_default();
        posts
            .iter()
            .filter(|post| is_sent(post))
            .map(|post| sent(chat, post))
            .collect()
    }

    /// The bot's messages everywhere, in the order of arrival.
    pub fn all_sent(&self) -> Vec<Sent> {
        let world = self.inner.look();
        let order = world.sent_order.iter();
        order
            .filter_map(|(chat, id)| {
                Some(sent(Chat { id: *chat }, world.rooms.get(chat)?.post(*id)?))
            })
            .collect()
    }

    /// How many messages the bot sent to each chat; known also when only
    /// counts are kept.
    pub fn sent_counts(&self) -> BTreeMap<i64, u64> {
        let world = self.inner.look();
        world
            .rooms
            .values()
            .filter(|room| room.sent > 0)
            .map(|room| (room.id, room.sent))
            .collect()
    }

    /// Waits until a message of the bot in `chat` satisfies `wanted`.
    pub async fn wait_for(
        &self,
        chat: Chat,
        wanted: impl Fn(&Sent) -> bool,
        timeout: Duration,
    ) -> Option<Sent> {
        self.wait(timeout, || {
            self.sent(chat).into_iter().find(|sent| wanted(sent))
        })
        .await
    }

    /// Waits until `look` finds something; it looks again after everything
    /// that the bot or a person does.
    pub async fn wait<T>(&self, timeout: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
        let end = tokio::time::sleep(timeout);
        tokio::pin!(end);
        loop {
            let heard = self.inner.heard.notified();
            tokio::pin!(heard);
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

    /// Waits until every update so far is confirmed.
    pub async fn wait_confirmed(&self, timeout: Duration) -> bool {
        self.wait(timeout, || (self.stats().pending == 0).then_some(()))
            .await
            .is_some()
    }

    /// Every request of the bot so far.
    pub fn calls(&self) -> Vec<Call> {
        self.inner.look().calls.clone()
    }

    /// The commands that the bot set last.
    pub fn commands(&self) -> Vec<Value> {
        self.inner.look().commands.clone()
    }

    /// Everything written in a chat, in the Bot API's shape, oldest first.
    pub fn messages(&self, chat: Chat) -> Vec<Value> {
        let world = self.inner.look();
        let posts = world
            .rooms
            .get(&chat.id)
            .map(|room| room.posts.as_slice())
            .unwrap_or_default();
        let whole = |post: &Post| {
            let mut out = Vec::new();
            world.write_message(&mut out, chat.id, post.id);
            serde_json::from_slice(&out).unwrap_or_default()
        };
        posts
            .iter()
            .filter(|post| !post.deleted)
            .map(whole)
            .collect()
    }

    /// The highest offset by which the bot confirmed anything; 0 before.
    pub fn confirmed_offset(&self) -> i64 {
        self.inner.look().queue.confirmed_offset()
    }

    /// How many updates the bot confirmed.
    pub fn confirmed_updates(&self) -> u64 {
        self.inner.look().queue.confirmed()
    }

    /// Where things stand.
    pub fn stats(&self) -> Stats {
        stats(&self.inner)
    }

    /// The most sends to `chat` in any sliding minute.
    pub fn max_in_any_minute(&self, chat: Chat) -> usize {
        self.inner.look().meter.max_in_any_minute(chat.id)
    }

    /// Shows everything that people and the bot do from now on to `watcher`.
    pub fn watch(&self, watcher: Watcher) {
        self.inner.look().watcher = watcher;
    }

    /// Begins or ends a trouble of the whole platform.
    pub fn trouble(&self, trouble: Trouble, on: bool) {
        self.inner.change(|world| world.weather.set(trouble, on));
        self.inner.news.notify_waiters();
    }

    // Updates by hand -------------------------------------------------------

    /// Lays `count` messages ready, serialised now, so that giving them out
    /// costs only a copy. Returns the first `update_id`.
    pub fn preload(&self, count: usize, line: impl FnMut(usize) -> Line) -> i64 {
        self.inner.change(|world| preload(world, count, line))
    }

    /// Puts a hostile update in line, as it is. One without a whole
    /// `update_id` is given out once; an object without any gets the next.
    pub fn inject_raw(&self, update: Value) {
        self.inner.change(|world| inject(world, update));
    }

    /// The next `getUpdates` is answered with these bytes and status 200.
    pub fn inject_raw_bytes(&self, bytes: impl Into<Vec<u8>>) {
        self.fault(Rule::once("getUpdates", Fault::Body(bytes.into())));
        self.inner.news.notify_waiters();
    }

    /// Gives the newest `count` updates once more, with the same ids.
    pub fn repeat_updates(&self, count: usize) -> usize {
        self.inner.change(|world| world.queue.repeat(count))
    }

    /// Mixes the updates that wait.
    pub fn shuffle_updates(&self) {
        self.inner.change(shuffle);
    }

    /// Gives no update out until called with false.
    pub fn hold_updates(&self, held: bool) {
        self.inner.look().queue.held = held;
        self.inner.news.notify_waiters();
    }

    /// Lets ids go on from `id`, also backwards, as after a week of silence.
    /// False, and no change, while updates wait.
    pub fn jump_update_id(&self, id: i64) -> bool {
        self.inner.change(|world| world.queue.jump(id))
    }

    // Faults and time -------------------------------------------------------

    /// Adds a rule of what goes wrong.
    pub fn fault(&self, rule: Rule) {
        self.inner.look().faults.rules.push(rule);
    }

    /// This many sends in a hundred are answered 429, a second to wait, and
    /// not posted.
    pub fn refuse_percent(&self, percent: f64) {
        self.fault(Rule::percent(
            "send*",
            percent,
            Fault::TooMany { retry_after: 1 },
        ));
    }

    /// This many sends in a hundred are posted, and the connection closes
    /// without an answer.
    pub fn unanswered_percent(&self, percent: f64) {
        self.fault(Rule::percent("send*", percent, Fault::CloseAfter));
    }

    /// The server thinks this long about every call.
    pub fn set_latency(&self, latency: Duration) {
        self.inner.look().faults.latency = latency;
    }

    /// Every request and every answer travels this long.
    pub fn set_link(&self, one_way: Duration) {
        self.inner.look().faults.link = one_way;
    }

    /// Sends to `chat`, or to every chat, are answered 429 for this long.
    pub fn flood_wait(&self, chat: Option<Chat>, time: Duration) {
        self.inner
            .look()
            .meter
            .flood(chat.map(|chat| chat.id), Instant::now() + time);
    }

    /// Enforces limits from now on, or no longer.
    pub fn set_limits(&self, limits: Option<Limits>) {
        self.inner.look().meter.limits = limits;
    }

    /// Webhooks get this many updates in a hundred twice.
    pub fn repeat_percent(&self, percent: f64) {
        self.inner.look().faults.repeat_percent = percent;
    }

    /// Webhooks get even the updates of one chat in any order.
    pub fn shuffle_webhook(&self, on: bool) {
        self.inner.look().faults.shuffle_webhook = on;
    }

    /// No rule, no delay and no flood any more; limits stay.
    pub fn clear_faults(&self) {
        let mut world = self.inner.look();
        world.faults.clear();
        world.meter.calm();
    }

    /// What is kept from now on.
    pub fn set_keep(&self, keep: Keep) {
        self.inner.look().keep = keep;
    }

    /// The town's time, Unix seconds.
    pub fn date(&self) -> i64 {
        self.inner.look().clock.now()
    }

    /// Sets the town's clock, Unix seconds.
    pub fn set_date(&self, date: i64) {
        self.inner.look().clock.set(date);
    }

    /// Sets how fast the town's clock runs.
    pub fn set_speed(&self, speed: f64) {
        self.inner.look().clock.set_speed(speed);
    }

    /// Moves the town's clock forward.
    pub fn advance(&self, by: Duration) {
        self.inner.look().clock.advance(by);
    }
}

/// Serves until the process ends; driven over the control API.
pub async fn serve_forever(address: SocketAddr, options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    server::serve(Inner::new(options), listener).await
}

// Shared with the control API ----------------------------------------------

/// A private chat that nobody opened yet is opened without a word.
fn open(world: &mut World, chat: i64) {
    if !world.rooms.contains_key(&chat)
        && let Some(room) = world.private_room(chat)
    {
        room.bot = Standing::Member;
    }
}

/// Who acts when it does not matter: the person of a private chat, else the
/// oldest account.
fn somebody(world: &mut World, chat: i64) -> i64 {
    if world.people.contains_key(&chat) {
        return chat;
    }
    match world.people.keys().min() {
        Some(id) => *id,
        None => world.add_person("Trần Văn Trưởng", None, None),
    }
}

fn start_private(world: &mut World, person: i64, payload: &str) -> i64 {
    if world.private_room(person).is_none() {
        return 0;
    }
    world.stand(person, person, Standing::Member);
    let text = if payload.is_empty() {
        "/start".to_owned()
    } else {
        format!("/start {payload}")
    };
    world.write(person, Author::Person(person), |post| post.text = text)
}

fn say(world: &mut World, person: i64, chat: i64, text: &str, reply_to: i64, thread: i64) -> i64 {
    open(world, chat);
    let old = world.rooms.get(&chat).and_then(|room| room.post(reply_to));
    // An answer stays in its topic unless told otherwise.
    let thread = if thread == 0 {
        old.map_or(0, |old| old.thread)
    } else {
        thread
    };
    world.write(chat, Author::Person(person), |post| {
        text.clone_into(&mut post.text);
        post.reply_to = reply_to;
        post.thread = thread;
    })
}

fn photos(world: &mut World, person: i64, chat: i64, caption: &str, count: usize) -> Vec<i64> {
    open(world, chat);
    let album = (count > 1).then(|| world.dice.roll() >> 1);
    let mut ids = Vec::with_capacity(count);
    for i in 0..count {
        let number = world.dice.roll();
        ids.push(world.write(chat, Author::Person(person), |post| {
            post.kind = Kind::Photo;
            post.extra = method::photo_member(number, 96_000);
            if let Some(album) = album {
                post.extra
                    .push_str(&format!(",\"media_group_id\":\"{album}\""));
            }
            if i == 0 {
                caption.clone_into(&mut post.text);
            }
        }));
    }
    ids
}

fn audio(world: &mut World, person: i64, chat: i64, caption: &str) -> i64 {
    open(world, chat);
    let number = world.dice.roll();
    world.write(chat, Author::Person(person), |post| {
        post.kind = Kind::Document;
        post.extra = method::audio_member(number);
        caption.clone_into(&mut post.text);
    })
}

fn preload(world: &mut World, count: usize, mut line: impl FnMut(usize) -> Line) -> i64 {
    /// Updates share one allocation, freed when the last of them is confirmed.
    const SHARE: usize = 500;
    let first = world.queue.next_id();
    let (date, now) = (world.clock.now(), Instant::now());
    let mut next = 0;
    while next < count {
        let end = count.min(next + SHARE);
        let mut arena = Vec::with_capacity(SHARE * 512);
        let mut parts = Vec::with_capacity(end - next);
        for i in next..end {
            let Line { chat, person, text } = line(i);
            let id = world.next_message_id(chat.id);
            let Some(room) = world.rooms.get(&chat.id) else {
                continue;
            };
            let mut post = Post::new(id, Author::Person(person.id), date, now);
            post.entities = post::entities_json(&entity::find(&text));
            post.text = text;
            let from = arena.len();
            let update = world.queue.next_id() + i64::try_from(parts.len()).unwrap_or(0);
            arena.extend_from_slice(format!("{{\"update_id\":{update},\"message\":").as_bytes());
            world.write_in(&mut arena, room, &post, true);
            arena.push(b'}');
            parts.push((webhook_key("message", chat.id), from..arena.len()));
            if let Some(room) = world.rooms.get_mut(&chat.id) {
                room.assumed = id;
            }
        }
        let arena = Bytes::from(arena);
        for (key, range) in parts {
            world.queue.push_preloaded(key, arena.slice(range));
        }
        next = end;
    }
    first
}

fn inject(world: &mut World, mut update: Value) {
    match update.get("update_id") {
        None if update.is_object() => {
            let id = world.queue.next_id();
            if let Some(map) = update.as_object_mut() {
                map.insert("update_id".into(), id.into());
            }
            world.queue.push(0, Bytes::from(update.to_string()));
        }
        id => {
            let id = id.and_then(Value::as_i64);
            if id == Some(world.queue.next_id()) {
                world.queue.push(0, Bytes::from(update.to_string()));
            } else {
                world
                    .queue
                    .push_irregular(id, 0, Bytes::from(update.to_string()));
            }
        }
    }
}

fn shuffle(world: &mut World) {
    let World { queue, dice, .. } = world;
    queue.shuffle(|end| dice.below(end));
}

fn is_sent(post: &Post) -> bool {
    post.author == Author::Bot && post.kind != Kind::Service
}

fn sent(chat: Chat, post: &Post) -> Sent {
    let markup: Value = serde_json::from_str(&post.markup).unwrap_or_default();
    let rows = markup.get("inline_keyboard").and_then(Value::as_array);
    let button = |one: &Value| {
        let text = |key| one.get(key).and_then(Value::as_str).map(str::to_owned);
        Button {
            text: text("text").unwrap_or_default(),
            data: text("callback_data"),
            url: text("url"),
        }
    };
    Sent {
        chat,
        message_id: post.id,
        kind: post.kind,
        text: post.text.clone(),
        entities: serde_json::from_str(&post.entities).unwrap_or_else(|_| json!([])),
        reply_to: (post.reply_to != 0).then_some(post.reply_to),
        thread: (post.thread != 0).then_some(post.thread),
        buttons: rows
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .map(|row| row.iter().map(button).collect())
            .collect(),
        upload: post.upload.clone(),
        edits: post.edits,
        deleted: post.deleted,
        pinned: post.pinned,
        date: post.date,
        at: post.at,
        edited_at: post.edited_at,
    }
}

fn stats(inner: &Inner) -> Stats {
    let world = inner.look();
    let since = |at: Instant| at.duration_since(inner.started).as_secs_f64() * 1000.0;
    Stats {
        confirmed: world.queue.confirmed(),
        pending: world.queue.len(),
        given: world.queue.given,
        confirmed_offset: world.queue.confirmed_offset(),
        calls: world.calls_seen,
        sends: world.meter.sends,
        posted: world.sent_total,
        answered_429: world.meter.answered_429,
        impatient: world.meter.impatient,
        faults: world.faults.met,
        max_in_any_second: world.meter.max_in_any_second(),
        max_in_any_chat_minute: world.meter.max_in_any_chat_minute(),
        first_send_at_ms: world.meter.first.map(since),
        last_send_at_ms: world.meter.last.map(since),
    }
}

#[cfg(test)]
mod tests;
