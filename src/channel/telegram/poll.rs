//! Long polling: our own loop over getUpdates.
//!
//! The offset moves only inside the *next* call, so that everything the last one brought is told again
//! until its receiver has said, by asking for more, that it is on disk. The answer is taken apart into
//! raw updates first; one that cannot be read harms no other. An answer that is no JSON as a whole is
//! asked for again, then one update at a time, until the one that spoils it is alone and passed over.
//!
//! A call may be dropped at any moment: nothing changes before its answer has been read.

use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::Shared;
use super::api::envelope;
use super::parse;
use super::parse::Parsed;
use super::wire;
use crate::channel::PollError;
use crate::channel::Source;
use crate::channel::call::Answered;
use crate::channel::json::Object;
use crate::channel::repair;
use crate::domain::message::Inbound;

/// Every kind we read. Named in each call, since the server remembers the last list it was given.
pub(super) const KINDS: [&str; 4] = [
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
];

/// How long the server may hold a call without news. Telegram allows 50 s; many routers forget an idle
/// connection sooner.
const HOLD: Duration = Duration::from_secs(30);

/// How much longer than that we listen.
const GRACE: Duration = Duration::from_secs(15);

/// Most updates of one answer (Bot API: 100).
const BATCH: u8 = 100;

/// A server that answers "no news" sooner than this does not hold calls at all.
const TOO_SOON: Duration = Duration::from_millis(200);

/// What stands in for the holding, with such a server.
const PAUSE: Duration = Duration::from_millis(300);

/// News of a Telegram account, by polling.
#[derive(Debug)]
pub struct Poll {
    shared: Arc<Shared>,
    /// What the next call confirms: the number after the last update that was handed out.
    offset: Option<i64>,
    /// What the last call confirmed, answered or not.
    asked: Option<i64>,
    /// The server has been asked whether a webhook is in the way.
    started: bool,
    /// Unreadable answers in a row.
    unreadable: u32,
    /// How many more calls ask for a single update.
    singly: u8,
    /// The last answer in which nothing could be confirmed.
    unconfirmable: Option<u64>,
}

#[derive(Serialize)]
struct GetUpdates {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    limit: u8,
    timeout: u64,
    allowed_updates: [&'static str; 4],
}

#[async_trait]
impl Source for Poll {
    async fn next(&mut self) -> Result<Vec<Inbound>, PollError> {
        if !self.started {
            self.clear_webhook().await?;
            self.started = true;
        }
        let limit = if self.singly > 0 { 1 } else { BATCH };
        let asked = Instant::now();
        let answered = self.ask_updates(limit, HOLD).await?;
        let news = match self.usual(&answered) {
            Some(read) => self.hand_out(read, &answered.body)?,
            None => match self.shared.refusal(&answered) {
                Some(refusal) => return Err(refusal),
                None => self.read(&answered.body)?,
            },
        };
        if news.is_empty() && asked.elapsed() < TOO_SOON {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(news)
    }

    async fn confirm(&mut self) -> Result<(), PollError> {
        // A call that was cut short has confirmed all the same; Telegram makes one that asks the same
        // again at once wait for seconds. If it never left, the news are told again, and known.
        if self.offset.is_some() && self.asked != self.offset {
            // What this brings is not handed out, and not confirmed either: the offset stays.
            let answered = self.ask_updates(1, Duration::ZERO).await?;
            self.shared.refusal(&answered).map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

impl Poll {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            offset: None,
            asked: None,
            started: false,
            unreadable: 0,
            singly: 0,
            unconfirmable: None,
        }
    }

    async fn ask_updates(&mut self, limit: u8, hold: Duration) -> Result<Answered, PollError> {
        self.asked = self.offset;
        let body = serde_json::to_vec(&GetUpdates {
            offset: self.offset,
            limit,
            timeout: hold.as_secs(),
            allowed_updates: KINDS,
        })
        .map_err(|_| not_now("the request cannot be written", None))?;
        let answered = self.shared.api.call("getUpdates", body, hold + GRACE).await;
        answered.map_err(|silence| not_now(silence.into_why(), None))
    }

    /// An answer in which nothing is out of the ordinary, read in one pass.
    fn usual(&self, answered: &Answered) -> Option<Vec<Parsed>> {
        let succeeded = (200..300).contains(&answered.status);
        let body = std::str::from_utf8(&answered.body).ok()?;
        succeeded
            .then(|| parse::batch(body, &self.shared.account.name, &self.shared.me()))
            .flatten()
    }

    /// A webhook that was set in an earlier life would keep every update from us.
    async fn clear_webhook(&self) -> Result<(), PollError> {
        let api = &self.shared.api;
        let asked = api.call("getWebhookInfo", b"{}".to_vec(), GRACE).await;
        let answered = asked.map_err(|silence| not_now(silence.into_why(), None))?;
        let body = String::from_utf8_lossy(&answered.body);
        // A server that does not know the question has no webhooks either; a bad token shows itself in
        // the first getUpdates.
        let is_set = envelope(&body)
            .and_then(|answer| Object::read(answer.result?.get())?.text("url"))
            .is_some_and(|url| !url.as_str().is_empty());
        if is_set {
            let asked = api.call("deleteWebhook", b"{}".to_vec(), GRACE).await;
            let answered = asked.map_err(|silence| not_now(silence.into_why(), None))?;
            if let Some(error) = self.shared.refusal(&answered) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes an answer apart update by update.
    fn read(&mut self, body: &[u8]) -> Result<Vec<Inbound>, PollError> {
        let borrowed = std::str::from_utf8(body);
        let mended;
        let updates = match borrowed.ok().and_then(raw_updates) {
            Some(updates) => updates,
            None => {
                mended = repair::mended(body);
                match raw_updates(&mended) {
                    Some(updates) => updates,
                    None => return self.pass_over(body),
                }
            }
        };
        let me = self.shared.me();
        let account = &self.shared.account.name;
        let read = updates
            .iter()
            .map(|update| parse::update(update.get(), account, &me))
            .collect();
        self.hand_out(read, body)
    }

    /// Moves the offset past what is handed out.
    fn hand_out(&mut self, read: Vec<Parsed>, body: &[u8]) -> Result<Vec<Inbound>, PollError> {
        self.unreadable = 0;
        self.singly = if read.is_empty() {
            0
        } else {
            self.singly.saturating_sub(1)
        };
        let is_empty = read.is_empty();
        let mut news = Vec::with_capacity(read.len());
        let mut last = None;
        for parsed in read {
            last = last.max(parsed.id);
            news.extend(parsed.inbound);
        }
        match last {
            Some(last) => {
                self.offset = Some(last + 1);
                self.unconfirmable = None;
            }
            None if !is_empty => {
                // None of them has a number. A server that forgets what it has told brings new ones
                // next time; one that does not would have us run in a circle.
                let mut hasher = DefaultHasher::new();
                body.hash(&mut hasher);
                if self.unconfirmable.replace(hasher.finish()) == Some(hasher.finish()) {
                    return Err(not_now(
                        "the server repeats updates without numbers",
                        Some(Duration::from_secs(5)),
                    ));
                }
            }
            None => {}
        }
        Ok(news)
    }

    /// The answer is not JSON, even mended.
    fn pass_over(&mut self, body: &[u8]) -> Result<Vec<Inbound>, PollError> {
        self.unreadable = self.unreadable.saturating_add(1);
        if self.unreadable >= 2 {
            if self.singly == 0 {
                self.singly = BATCH;
                self.unreadable = 0;
            } else if let Some(id) = stated_id(body)
                && self.offset.is_none_or(|offset| id >= offset)
            {
                // Alone, and still unreadable, and it names its number: this is the one. Without the
                // number it could be any proxy's page, and skipping would lose what we never saw.
                self.offset = Some(id + 1);
                self.unreadable = 0;
                self.singly = 0;
                return Ok(vec![Inbound::NotUnderstood {
                    why: "an update that is no JSON was passed over".to_owned(),
                }]);
            }
        }
        let wait = Duration::from_secs(1 << self.unreadable.min(5));
        Err(not_now("the answer to getUpdates is no JSON", Some(wait)))
    }
}

fn not_now(why: impl Into<String>, wait: Option<Duration>) -> PollError {
    PollError::NotNow {
        why: why.into(),
        wait,
    }
}

/// The updates of an answer, each as it was written.
fn raw_updates(body: &str) -> Option<Vec<&RawValue>> {
    /// The usual answer, taken apart in one pass.
    #[derive(Deserialize)]
    struct Batch<'a> {
        #[serde(borrow)]
        result: Vec<&'a RawValue>,
    }
    if let Ok(batch) = serde_json::from_str::<Batch<'_>>(body) {
        return Some(batch.result);
    }
    let answer: wire::Answer<'_> = envelope(body)?;
    match answer.result {
        Some(list) => serde_json::from_str(list.get()).ok(),
        None => Some(Vec::new()),
    }
}

/// The `update_id` of what looks like an answer with one update, broken as it may be.
fn stated_id(body: &[u8]) -> Option<i64> {
    const KEY: &[u8] = b"\"update_id\"";
    if body.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let at = memchr::memmem::find(body, KEY)?;
    let rest = body.get(at + KEY.len()..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let digits: String = digits.map(|&byte| char::from(byte)).collect();
    let id: i64 = digits.parse().ok()?;
    (id <= parse::HIGHEST_UPDATE).then_some(id)
}
