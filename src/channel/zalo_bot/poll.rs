//! Long polling: one update a call, and nothing to confirm it with.
//!
//! There is no offset. Whether a told update is told again is contradicted by those who have measured it:
//! some see it repeated on later calls, some lose what was written while nobody asked. So both must be
//! harmless: repeats are passed over here (and, after a restart, by the store's key of the message), and
//! calls keep a distance, or a server that repeats at once would be asked a dozen times a second.
//! What the platform forgets while the program is down is lost to us; no program can help that.
//!
//! A call may be dropped at any moment: nothing changes before its answer has been read.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::time::Instant;

use super::Shared;
use super::not_now;
use super::post::Told;
use crate::channel::PollError;
use crate::channel::Source;
use crate::channel::json::Object;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Inbound;

/// How long the server may hold a call without news.
const HOLD: Duration = Duration::from_secs(30);

/// How much longer than that we listen.
const GRACE: Duration = Duration::from_secs(15);

/// A server that answers "no news" sooner than this does not hold calls.
const TOO_SOON: Duration = Duration::from_secs(1);

/// The longest distance that is kept from such a server.
const FARTHEST: Duration = Duration::from_secs(5);

/// So many told messages are remembered.
const REMEMBERED: usize = 512;

/// News of a Zalo Bot account, by polling.
#[derive(Debug)]
pub struct Poll {
    shared: Arc<Shared>,
    /// The platform has been asked whether a webhook is in the way.
    started: bool,
    last: Option<Instant>,
    /// The distance that is kept now.
    distance: Duration,
    told: HashSet<(RoomId, MessageId)>,
    /// The same, oldest first.
    order: VecDeque<(RoomId, MessageId)>,
}

impl Poll {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            distance: shared.poll_spacing,
            shared,
            started: false,
            last: None,
            told: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// A webhook that was set in an earlier life would keep every update from us.
    async fn clear_webhook(&self) -> Result<(), PollError> {
        let api = &self.shared.api;
        let asked = api.call("getWebhookInfo", b"{}".to_vec(), GRACE).await;
        let answered = asked.map_err(|silence| not_now(silence.into_why()))?;
        let told = Told::of(&answered);
        // 404 means that none is set; anything else that is wrong shows itself in the first poll.
        let body = String::from_utf8_lossy(&answered.body);
        let is_set = told.ok
            && Object::read(&body)
                .and_then(|answer| answer.object("result"))
                .and_then(|result| result.text("url"))
                .is_some_and(|url| !url.as_str().trim().is_empty());
        if is_set {
            let body = b"{}".to_vec();
            self.shared.ask("deleteWebhook", body).await?;
        }
        Ok(())
    }

    /// Whether this message is told for the first time.
    fn is_new(&mut self, room: &RoomId, id: &MessageId) -> bool {
        let key = (room.clone(), id.clone());
        if !self.told.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        true
    }

    /// Takes out what was told before.
    fn fresh(&mut self, news: Vec<Inbound>) -> Vec<Inbound> {
        let mut fresh = Vec::with_capacity(news.len());
        let mut met = None;
        for inbound in news {
            let new = match &inbound {
                // Goes with the message behind it.
                Inbound::Met { .. } => {
                    met = Some(inbound);
                    continue;
                }
                Inbound::Said(message) => self.is_new(&message.room, &message.id),
                Inbound::Unread(unread) => self.is_new(&unread.room, &unread.id),
                _ => true,
            };
            let met = met.take();
            if new {
                fresh.extend(met);
                fresh.push(inbound);
            }
        }
        fresh
    }
}

#[async_trait]
impl Source for Poll {
    async fn next(&mut self) -> Result<Vec<Inbound>, PollError> {
        if !self.started {
            self.clear_webhook().await?;
            self.started = true;
        }
        if let Some(last) = self.last {
            tokio::time::sleep_until(last + self.distance).await;
        }
        let asked = Instant::now();
        self.last = Some(asked);
        let body = json!({"timeout": HOLD.as_secs()}).to_string().into_bytes();
        let answered = self.shared.api.call("getUpdates", body, HOLD + GRACE).await;
        let answered = answered.map_err(|silence| not_now(silence.into_why()))?;
        let told = Told::of(&answered);
        let news = if told.code == 408 && !told.ok {
            // Nobody wrote: in the status, in the body, or in both.
            Vec::new()
        } else if let Some(refusal) = self.shared.refusal(&answered) {
            return Err(refusal);
        } else {
            let read = self.shared.read(&answered.body);
            read.ok_or_else(|| not_now("the answer to getUpdates is no JSON"))?
        };
        let is_idle = news.is_empty();
        let news = self.fresh(news);
        let spacing = self.shared.poll_spacing;
        self.distance = if is_idle && asked.elapsed() < TOO_SOON {
            (self.distance * 2).clamp(spacing.max(TOO_SOON / 4), FARTHEST)
        } else {
            spacing
        };
        Ok(news)
    }

    async fn confirm(&mut self) -> Result<(), PollError> {
        // There is nothing to confirm with.
        Ok(())
    }
}
