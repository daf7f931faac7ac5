//! A Facebook Page with its wall and its Messenger chats, and a make-believe world behind it.
//!
//! ```no_run
//! # async fn town() -> std::io::Result<()> {
//! use keng::sim::facebook::{Facebook, Options};
//! use std::time::Duration;
//!
//! let facebook = Facebook::start("127.0.0.1:0".parse().unwrap(), Options::default()).await?;
//! let lan = facebook.add_person("Nguyễn Thị Lan");
//! facebook.set_webhook("http://127.0.0.1:8080/hooks/fb1");
//! // …start a bot with facebook.url() and the secrets of facebook.options()…
//! let post = facebook.admin_posts("Chào bà con");
//! let comment = facebook.comment(&lan, &post, "#tromcap mất xe ở cổng chợ");
//! let answer = facebook.wait_for(|sent| sent.text.contains("Đã ghi"), Duration::from_secs(5)).await;
//! # let _ = (comment, answer); Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **Everything is under a version** (`/v26.0/…`), with the token in the query, the body or as a bearer, and
//!   parameters as JSON, form, query or multipart; `batch` takes several calls in one.
//! - **Proofs** are checked where they come, and demanded while [`Switches::needs_proof`] is on.
//! - **Webhooks** are verified by `GET`, escape everything that is not ASCII, are signed over those bytes, hold
//!   up to 1,000 changes, must be answered within five seconds, come again when they are not, and end after an
//!   hour of failing.
//! - **A comment's edge is not the comment**: `POST /{id}/comments` answers it, `POST /{id}` changes it.
//! - **A comment is answered in private once, within seven days**; a person is written to for 24 hours after
//!   their last word; a utility template goes at any time, with the right number of words.
//! - **The same post twice in a row is refused** (506).
//! - **A photo that is not published** is shown by a post that names it, and by an edit that does; a picture for
//!   messages is uploaded once and sent alone.
//! - **What sources contradict each other about is a switch**: see [`Switches`].
//! - **Faults on request**: see [`Rule`], [`Fault`].
//!
//! Not here: reactions, stories, reels, advertisements, and groups, which no program may enter.
//!
//! # The control API
//!
//! The same abilities over HTTP on the same port, for a server in a process of its own
//! ([`serve_forever`]). Bodies and answers are JSON; an error is `{"error":"…"}` with status 400.
//!
//! | call | body → answer |
//! | --- | --- |
//! | `POST /sim/person` | `{name}` → `{id}` |
//! | `POST /sim/say` | `{person, text, answers?}` → `{id}`: a word in Messenger |
//! | `POST /sim/press` | `{person, label, payload}` → `{}` |
//! | `POST /sim/write` | `{person, text, under?}` → `{id}`: a comment, or a visitor's post |
//! | `POST /sim/rewrite` `/sim/remove` | `{id, text?}` → `{}` |
//! | `POST /sim/webhook` | `{url}` → `{}`; loopback only |
//! | `POST /sim/inject` | any JSON, signed and told as it is; `{raw}` for exact bytes |
//! | `POST /sim/sign` | `{body}` → `{signature}` |
//! | `POST /sim/next_call` | the next webhook call that is due, instead of its being told |
//! | `POST /sim/switches` | any of the fields of [`Switches`] → `{}` |
//! | `POST /sim/faults` | `{clear?, rules?: [{path, times?, fault, code?, subcode?, status?, body?}]}` → `{}` |
//! | `POST /sim/clock` | `{advance_ms}` → `{now_ms}` |
//! | `GET /sim/sent?after=` | what the Page said, oldest first |
//! | `GET /sim/calls?after=` | every call with its answer |
//! | `GET /sim/stats` | see [`Stats`] |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;

mod control;
mod method;
mod server;
mod webhook;
mod world;

use super::scene::Watcher;
use super::weather::Trouble;
use server::Inner;
use world::World;

pub use world::{Fault, Person, Picture, Place, Rule, Sent, Stats, Switches};

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The app.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: String,
    /// What a webhook is asked for.
    pub verify_token: String,
    /// The Page.
    pub page_id: String,
    /// What it is called.
    pub page_name: String,
    /// Its token.
    pub token: String,
    /// The same seed gives the same ids.
    pub seed: u64,
    /// What is contradicted or left open.
    pub switches: Switches,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            app_id: "517000000000017".to_owned(),
            app_secret: "khoaBiMatCuaUngDungMeta".to_owned(),
            verify_token: "tuXacMinhWebhook".to_owned(),
            page_id: "104400000000007".to_owned(),
            page_name: "Công an xã Tiên Yên".to_owned(),
            token: "EAABmaTruyCapCuaTrang".to_owned(),
            seed: 1,
            switches: Switches::default(),
        }
    }
}

/// One call of the Graph API.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET`, `POST`, `DELETE`.
    pub verb: String,
    /// Where to.
    pub path: String,
    /// Its parameters, an object, without the token. Those sent as a form are strings.
    pub parameters: Value,
    /// The HTTP status; `None` if the connection was cut.
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

/// A running simulator; clones lead to the same one. It stops when [`Facebook::stop`] is called.
#[derive(Debug, Clone)]
pub struct Facebook {
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
    let retries: usize = world.retries.iter().map(|call| call.count).sum();
    Stats {
        pending: world.news.len() + retries + inner.under_way.load(Ordering::SeqCst),
        ..world.stats.clone()
    }
}

fn press(inner: &Inner, person: &Arc<str>, label: &str, payload: &str) -> String {
    inner.change(|world| {
        let mid = world.mid();
        let message = json!({"mid": mid, "text": label, "quick_reply": {"payload": payload}});
        world.happens(person, json!({ "message": message }), true);
        mid
    })
}

impl Facebook {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let inner = Inner::new(&options);
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

    /// The base for `api_url`, with a version.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v26.0", self.address)
    }

    /// Who the Page is, and its secrets.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    // The world ---------------------------------------------------------------

    /// Somebody with a Facebook account.
    pub fn add_person(&self, name: &str) -> Person {
        self.inner.change(|world| world.add_person(name))
    }

    /// Somebody writes to the Page in Messenger.
    pub fn say(&self, person: &Person, text: &str) -> String {
        self.inner.change(|world| world.say(&person.id, text, None))
    }

    /// Somebody answers a message in Messenger.
    pub fn answer(&self, person: &Person, to: &str, text: &str) -> String {
        self.inner
            .change(|world| world.say(&person.id, text, Some(to)))
    }

    /// Presses a button under a message.
    pub fn press(&self, person: &Person, label: &str, payload: &str) -> String {
        press(&self.inner, &person.id, label, payload)
    }

    /// Something else happens in somebody's chat; with `opens` it counts as a word.
    pub fn happens(&self, person: &Person, event: Value, opens: bool) {
        self.inner
            .change(|world| world.happens(&person.id, event, opens));
    }

    /// A person of the Page posts by hand.
    pub fn admin_posts(&self, text: &str) -> String {
        self.inner
            .change(|world| world.post(None, text, None, Instant::now()))
    }

    /// Somebody comments on a post or answers a comment.
    pub fn comment(&self, person: &Person, under: &str, text: &str) -> String {
        self.inner
            .change(|world| world.write(&person.id, Some(under), text))
    }

    /// Somebody posts on the Page's wall.
    pub fn visitor_posts(&self, person: &Person, text: &str) -> String {
        self.inner
            .change(|world| world.write(&person.id, None, text))
    }

    /// Somebody changes their words on the wall.
    pub fn edit(&self, id: &str, text: &str) {
        self.inner.change(|world| world.rewrite(id, text));
    }

    /// A comment or post is taken away.
    pub fn remove(&self, id: &str) {
        self.inner.change(|world| world.take_away(id));
    }

    /// A utility template that Meta has approved.
    pub fn approve_template(&self, name: &str, body: &str) {
        self.inner.change(|world| {
            let id = world.number();
            world.templates.push(world::Template {
                id,
                name: name.to_owned(),
                language: "vi".to_owned(),
                body: body.to_owned(),
            });
        });
    }

    /// Where everything is told; loopback only.
    pub fn set_webhook(&self, url: &str) {
        self.inner
            .change(|world| (world.webhook, world.verified) = (Some(url.to_owned()), false));
    }

    /// Tells these bytes as they are, signed.
    pub fn inject(&self, body: &[u8]) {
        self.inner.change(|world| {
            let call = world.sign(body.to_vec());
            world.retries.push_back(call);
        });
    }

    /// The signature of a body, as the header has it.
    #[must_use]
    pub fn signature(&self, body: &[u8]) -> String {
        world::signature(&self.options.app_secret, body)
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

    // What can be seen --------------------------------------------------------

    /// Everything the Page said, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.inner.look().sent.clone()
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.inner.look().calls.clone()
    }

    /// The fields that the Page's app is told of.
    #[must_use]
    pub fn subscribed(&self) -> Vec<String> {
        let mut all: Vec<_> = self.inner.look().subscribed.iter().cloned().collect();
        all.sort();
        all
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
            for call in &mut world.retries {
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

    /// Waits for something that the Page says.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Sent) -> bool,
        timeout: Duration,
    ) -> Option<Sent> {
        let look = || self.sent().into_iter().find(|sent| wanted(sent));
        self.wait(timeout, look).await
    }

    /// Waits until everything was told.
    pub async fn wait_taken(&self, timeout: Duration) -> bool {
        let taken = || (self.stats().pending == 0).then_some(());
        self.wait(timeout, taken).await.is_some()
    }
}
