//! A Zalo Official Account with GMF groups, and a make-believe world behind it.
//!
//! ```no_run
//! # async fn town() -> std::io::Result<()> {
//! use keng::sim::zalo_oa::{Options, ZaloOa};
//! use std::time::Duration;
//!
//! let zalo = ZaloOa::start("127.0.0.1:0".parse().unwrap(), Options::default()).await?;
//! let lan = zalo.add_person("Nguyễn Thị Lan");
//! let group = zalo.add_group("Tổ dân phố 5", &[&lan]);
//! zalo.set_webhook("http://127.0.0.1:8080/hooks/oa1");
//! // …start a bot with zalo.url() and zalo.new_pair()…
//! zalo.say(&lan, &group, "#tromcap mất xe ở cổng chợ");
//! let answer = zalo.wait_for(&group, |sent| sent.text.contains("Đã ghi"), Duration::from_secs(5)).await;
//! # let _ = answer; Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **Errors come with status 200** and `error` other than 0, in `text/json`. A call carries its token in
//!   the bare header `access_token`; `Authorization: Bearer` is not looked at.
//! - **Tokens rotate.** A refresh token works once; `expires_in` is a string. What the endpoint says of
//!   a spent one is not known from outside: the numbers here are made up, below −14,000.
//! - **Webhooks** carry a plain SHA-256 over app id, body, timestamp and secret, over the very bytes that
//!   are sent; must be answered 200 within two seconds, and come again after 30 s, 5 min, 15 min, 30 min and
//!   1 h with `num_retry`, by the town's clock.
//! - **Everybody in a group is heard**, and the OA's own posts come back.
//! - **Ids are strings** above 2^53; group ids are 20 hexadecimal digits.
//! - **Pages are short**: [`Switches::page`] lines, whatever is asked for.
//! - **4,000 calls a minute**, then −32; what was really called is counted.
//! - **What sources contradict each other about is a switch**: see [`Switches`].
//! - **Faults on request**: see [`Rule`], [`Fault`].
//!
//! Not here: articles, templates by telephone number, reactions, money.
//!
//! # The control API
//!
//! The same abilities over HTTP on the same port, for a server in a process of its own
//! ([`serve_forever`]). Bodies and answers are JSON; an error is `{"error":"…"}` with status 400.
//!
//! | call | body → answer |
//! | --- | --- |
//! | `POST /sim/person` | `{name}` → `{id}` |
//! | `POST /sim/group` | `{name, members: [id]}` → `{id}` |
//! | `POST /sim/join` `/sim/leave` | `{chat, person}` → `{}` |
//! | `POST /sim/stand` | `{chat, as: enabled\|disabled\|deleted\|left}` → `{}` |
//! | `POST /sim/say` | `{person, chat, text, quotes?, picture?}` → `{message_id}`; in private `chat` is the person |
//! | `POST /sim/webhook` | `{url}` → `{}`; loopback only |
//! | `POST /sim/consent` | `{code, challenge}` → `{}`: an administrator has said yes |
//! | `POST /sim/tokens` | `{do: end_access\|spend_refresh}` → `{}`; without, a new pair |
//! | `POST /sim/inject` | any JSON, signed and told as it is |
//! | `POST /sim/switches` | any of the fields of [`Switches`] → `{}` |
//! | `POST /sim/faults` | `{clear?, rules?: [{path, times?, after?, fault, code?, words?, status?, body?}]}` → `{}`; `fault` is `error`, `html`, `html_after`, `close_before`, `close_after`, `hang_after` or `body` |
//! | `POST /sim/clock` | `{advance_ms}` → `{now_ms}` |
//! | `GET /sim/sent?after=` | the OA's messages, oldest first |
//! | `GET /sim/calls?after=` | every call with its answer |
//! | `GET /sim/stats` | see [`Stats`] |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpListener;

mod control;
mod method;
mod server;
mod webhook;
mod world;

#[cfg(test)]
mod tests;

use super::scene::Watcher;
use super::weather::Trouble;
use server::Inner;
use world::{Standing, World};

pub use world::{Chat, Expiry, Fault, Names, Person, Quote, Rule, Sent, Stats, Switches};

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The app that the OA has let in.
    pub app_id: String,
    /// The OA's id.
    pub oa_id: String,
    /// The OA's name.
    pub oa_name: String,
    /// The app's secret.
    pub app_secret: String,
    /// The OA's secret key.
    pub oa_secret: String,
    /// Packages for groups that the OA has.
    pub packages: usize,
    /// The same seed gives the same ids.
    pub seed: u64,
    /// What is contradicted or left open.
    pub switches: Switches,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            app_id: "3120000000000000017".to_owned(),
            oa_id: "4410000000000000007".to_owned(),
            oa_name: "Công an xã Tiên Yên".to_owned(),
            app_secret: "khoaBiMatCuaUngDung".to_owned(),
            oa_secret: "khoaBiMatCuaOA".to_owned(),
            packages: 4,
            seed: 1,
            switches: Switches::default(),
        }
    }
}

/// One call of the API or the token endpoint.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET`, `POST`.
    pub verb: String,
    /// Where to.
    pub path: String,
    /// Its parameters, an object. Those sent as a form are strings.
    pub parameters: Value,
    /// The HTTP status; `None` if the connection was cut or left hanging.
    pub status: Option<u16>,
    /// The body of the answer, or what it would have been.
    pub answer: Vec<u8>,
    /// When the whole request was here.
    pub arrived: Instant,
}

impl Call {
    /// The answer as JSON; null if it is none.
    #[must_use]
    pub fn answer_json(&self) -> Value {
        serde_json::from_slice(&self.answer).unwrap_or_default()
    }
}

/// A running simulator; clones lead to the same one. It stops when [`ZaloOa::stop`] is called.
#[derive(Debug, Clone)]
pub struct ZaloOa {
    inner: Arc<Inner>,
    address: SocketAddr,
    options: Arc<Options>,
}

/// Serves a simulator until the process ends.
///
/// # Errors
/// When the address is taken.
pub async fn serve_forever(address: SocketAddr, options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    server::serve(Inner::new(&options), listener).await
}

fn stats(world: &World, inner: &Inner) -> Stats {
    let (now, under_way) = (world.now_ms(), inner.under_way.load(Ordering::SeqCst));
    let due = world.events.iter().filter(|event| event.due_ms <= now);
    Stats {
        pending: world.events.len() + under_way,
        due: due.count() + under_way,
        ..world.stats.clone()
    }
}

impl ZaloOa {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let inner = Inner::new(&options);
        inner.change(|world| world.url = format!("http://{address}"));
        let served = Arc::clone(&inner);
        tokio::spawn(async move {
            // An error ends the listener; whoever waits for the town then runs out of patience.
            let _ = server::serve(served, listener).await;
        });
        Ok(Self {
            inner,
            address,
            options: Arc::new(options),
        })
    }

    /// Stops serving.
    pub fn stop(&self) {
        self.inner.stop.send_replace(true);
    }

    /// The base for `api_url` and `oauth_url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who the OA is, and its secrets.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    // Tokens ------------------------------------------------------------------

    /// A pair as after a consent: JSON for a bot's file.
    #[must_use]
    pub fn new_pair(&self) -> String {
        let (access, refresh) = self.inner.change(World::pair);
        serde_json::json!({"access_token": access, "refresh_token": refresh}).to_string()
    }

    /// An administrator says yes to the app; the code works once, with the verifier of this challenge.
    pub fn consent(&self, code: &str, challenge: &str) {
        self.inner
            .change(|world| world.codes.insert(code.to_owned(), challenge.to_owned()));
    }

    /// Every access token ends now.
    pub fn end_access(&self) {
        self.inner.change(World::end_access);
    }

    /// Every refresh token was used by somebody.
    pub fn spend_refresh(&self) {
        self.inner.change(World::spend_refresh);
    }

    // The world ---------------------------------------------------------------

    /// Somebody with a Zalo account who follows the OA.
    pub fn add_person(&self, name: &str) -> Person {
        self.inner.change(|world| world.add_person(name))
    }

    /// The chat of somebody with the OA.
    #[must_use]
    pub fn private(&self, person: &Person) -> Chat {
        Chat {
            id: Arc::clone(&person.id),
        }
    }

    /// A group that the OA made; it is told of it.
    pub fn add_group(&self, name: &str, members: &[&Person]) -> Chat {
        let members: Vec<Arc<str>> = members
            .iter()
            .map(|person| Arc::clone(&person.id))
            .collect();
        self.inner
            .change(|world| world.add_group(name, "", "", &members))
    }

    /// A group that the OA made long ago: it is not told now.
    pub fn settle_group(&self, name: &str, members: &[&Person]) -> Chat {
        let members: Vec<Arc<str>> = members
            .iter()
            .map(|person| Arc::clone(&person.id))
            .collect();
        self.inner
            .change(|world| world.settle_group(name, "", "", &members))
    }

    /// The group with this name.
    #[must_use]
    pub fn group_called(&self, name: &str) -> Option<Chat> {
        let world = self.inner.look();
        let found = world
            .living()
            .into_iter()
            .find(|(_, room)| room.name == name);
        found.map(|(id, _)| Chat { id })
    }

    /// The names of a group's members.
    #[must_use]
    pub fn members(&self, chat: &Chat) -> Vec<String> {
        let world = self.inner.look();
        let members = world.groups.get(&chat.id).map(|room| room.members.clone());
        let names = members.unwrap_or_default().into_iter();
        names
            .filter_map(|id| world.name_of(&id).map(str::to_owned))
            .collect()
    }

    /// Somebody comes in.
    pub fn join(&self, chat: &Chat, person: &Person) {
        self.inner.change(|world| world.join(&chat.id, &person.id));
    }

    /// Somebody goes.
    pub fn leave(&self, chat: &Chat, person: &Person) {
        self.inner.change(|world| world.leave(&chat.id, &person.id));
    }

    /// The group is called otherwise.
    pub fn rename(&self, chat: &Chat, name: &str) {
        self.inner.change(|world| world.rename(&chat.id, name));
    }

    /// The group's package ends: −237.
    pub fn disable(&self, chat: &Chat) {
        self.inner
            .change(|world| world.stand(&chat.id, Standing::Disabled));
    }

    /// The package was paid again.
    pub fn enable(&self, chat: &Chat) {
        self.inner
            .change(|world| world.stand(&chat.id, Standing::Enabled));
    }

    /// The group is no more.
    pub fn delete(&self, chat: &Chat) {
        self.inner
            .change(|world| world.stand(&chat.id, Standing::Deleted));
    }

    /// The OA is out of the group, and nobody tells it: −403.
    pub fn put_out(&self, chat: &Chat) {
        self.inner
            .change(|world| world.stand(&chat.id, Standing::Left));
    }

    /// Writes in a group, or to the OA in private.
    pub fn say(&self, person: &Person, chat: &Chat, text: &str) -> String {
        self.inner
            .change(|world| world.write(&person.id, &chat.id, text, None, false))
    }

    /// Writes and quotes a message.
    pub fn reply(&self, person: &Person, chat: &Chat, to: &str, text: &str) -> String {
        self.inner
            .change(|world| world.write(&person.id, &chat.id, text, Some(to), false))
    }

    /// Sends a photo with words.
    pub fn photo(&self, person: &Person, chat: &Chat, text: &str) -> String {
        self.inner
            .change(|world| world.write(&person.id, &chat.id, text, None, true))
    }

    /// Where events are told; loopback only. `None` tells nobody, and everything waits.
    pub fn set_webhook(&self, url: &str) {
        self.inner
            .change(|world| world.webhook = Some(url.to_owned()));
    }

    /// Tells this body as it is, signed over its bytes with this timestamp.
    pub fn inject(&self, body: &[u8], timestamp: &str) {
        self.inner
            .change(|world| world.give(body.to_vec(), timestamp));
    }

    /// The signature of a body, as the header has it.
    #[must_use]
    pub fn signature(&self, body: &[u8], timestamp: &str) -> String {
        let world = self.inner.look();
        let mac = world::sign(&world.app_id, body, timestamp, &world.oa_secret);
        format!("mac={mac}")
    }

    /// Turns switches.
    pub fn switch(&self, turn: impl FnOnce(&mut Switches)) {
        self.inner.change(|world| turn(&mut world.switches));
    }

    /// Adds a rule of what goes wrong.
    pub fn fault(&self, rule: Rule) {
        self.inner.change(|world| world.rules.push(rule));
    }

    /// Everything goes well again.
    pub fn clear_faults(&self) {
        self.inner.change(|world| world.rules.clear());
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        self.inner.change(|world| world.ahead += by);
    }

    /// The town's Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.inner.look().now_ms()
    }

    // What can be seen --------------------------------------------------------

    /// The OA's messages in a chat, oldest first.
    #[must_use]
    pub fn sent(&self, chat: &Chat) -> Vec<Sent> {
        let world = self.inner.look();
        let all = world.sent.iter().filter(|sent| sent.chat == *chat);
        all.cloned().collect()
    }

    /// The OA's messages everywhere, oldest first.
    #[must_use]
    pub fn all_sent(&self) -> Vec<Sent> {
        self.inner.look().sent.clone()
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.inner.look().calls.clone()
    }

    /// Where things stand.
    #[must_use]
    pub fn stats(&self) -> Stats {
        stats(&self.inner.look(), &self.inner)
    }

    /// Shows everything that is said from now on to `watcher`.
    pub fn watch(&self, watcher: Watcher) {
        self.inner.look().watcher = watcher;
    }

    /// Webhooks that wait for another try are called now.
    pub fn tell_again(&self) {
        self.inner.change(|world| {
            let now = world.now_ms();
            for call in &mut world.events {
                call.due_ms = call.due_ms.min(now);
            }
        });
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
        let end = tokio::time::Instant::now() + timeout;
        loop {
            let heard = self.inner.heard.notified();
            tokio::pin!(heard);
            // Listening before looking: what comes in between is not missed.
            heard.as_mut().enable();
            if let Some(found) = look() {
                return Some(found);
            }
            if tokio::time::timeout_at(end, heard).await.is_err() {
                return look();
            }
        }
    }

    /// Waits for a message of the OA in a chat.
    pub async fn wait_for(
        &self,
        chat: &Chat,
        wanted: impl Fn(&Sent) -> bool,
        timeout: Duration,
    ) -> Option<Sent> {
        let look = || self.sent(chat).into_iter().find(|sent| wanted(sent));
        self.wait(timeout, look).await
    }

    /// Waits until every webhook was taken.
    pub async fn wait_taken(&self, timeout: Duration) -> bool {
        let taken = || (self.stats().pending == 0).then_some(());
        self.wait(timeout, taken).await.is_some()
    }
}
