//! Words for somebody whose time to be written to is over.
//!
//! Some platforms let a bot write to a person only for a day after their last word. Inside that time
//! nothing is different. After it, an answer goes by the one way that the platform leaves open, if there
//! is one ([`Channel::post_late`]); else it is kept and leaves with the person's next word. What cannot
//! wait, such as an alert, fails with the reason. The platform has the last word: when it says that the
//! time is over, it is.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::channel::Address;
use crate::channel::Channel;
use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::RoomId;
use crate::store::Act;
use crate::store::Done;
use crate::store::Expect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;
use crate::store::window;
use crate::store::window::Held;

/// More is not kept for one person; the oldest is given up first.
const MOST_HELD: usize = 20;

/// Why something did not leave, for the record; the officer's report knows these words.
const TOO_LATE: &str = "outside the 24 hours after the person's last word";

/// What an account needs to be late.
#[derive(Debug)]
pub(super) struct Late<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) channel: &'a dyn Channel,
    pub(super) clock: &'a dyn Clock,
    /// Held by whoever changes what is kept.
    pub(super) keeping: &'a Mutex<()>,
}

impl Late<'_> {
    /// Until when the person may be written to, as far as we know. Who never wrote to us may have before
    /// our time: the platform knows.
    pub(super) async fn until(&self, room: &RoomId) -> Result<Option<Time>, StoreError> {
        window::until(self.store, room).await
    }

    /// Whether the person can surely not be written to now.
    pub(super) fn is_over(&self, until: Option<Time>) -> bool {
        until.is_some_and(|until| self.clock.now() >= until)
    }

    /// Sends these rows, of which `post` is the beginning, another way, or keeps them. `until` is what was
    /// known before they were found to be late.
    pub(super) async fn send(
        &self,
        to: &Address,
        post: &Post,
        rows: &[Delivery],
        is_whole: bool,
        until: Option<Time>,
    ) -> Result<SendOutcome, StoreError> {
        let is_answer = rows.iter().all(|row| {
            row.lane == Lane::Reply && matches!(row.body, Body::Text(_) | Body::Receipt { .. })
        });
        if is_answer
            && is_whole
            && let Some(outcome) = self.channel.post_late(to, post).await
            && !matches!(
                outcome,
                SendOutcome::Closed(_) | SendOutcome::Refused { .. } | SendOutcome::Denied(_)
            )
        {
            return Ok(outcome);
        }
        let words: Vec<Held> = rows.iter().filter_map(held).collect();
        if words.is_empty() {
            return Ok(SendOutcome::Closed(TOO_LATE.to_owned()));
        }
        self.keep(&to.room, words, until).await
    }

    async fn keep(
        &self,
        room: &RoomId,
        words: Vec<Held>,
        until: Option<Time>,
    ) -> Result<SendOutcome, StoreError> {
        let _keeping = self.keeping.lock().await;
        let mut all = Vec::new();
        for held in window::held(self.store, room).await? {
            let key = window::released(room, DeliveryId(held.row));
            let is_new = words.iter().all(|word| word.row != held.row);
            if is_new && self.store.seen(&key).await?.is_none() {
                all.push(held);
            }
        }
        let rows: Vec<_> = words
            .iter()
            .map(|held| window::released(room, DeliveryId(held.row)))
            .collect();
        all.extend(words);
        let surplus = all.len().saturating_sub(MOST_HELD);
        all.drain(..surplus);
        let act = Act {
            expects: Vec::new(),
            writes: vec![window::hold(room, &all)],
        };
        self.store.commit(vec![act]).await?;
        // Whoever wrote between our look and our writing did not release these: then we take them back.
        if self.until(room).await? > until {
            let act = Act {
                expects: rows.iter().cloned().map(Expect::Unseen).collect(),
                writes: rows.into_iter().map(|key| Write::Seen(key, None)).collect(),
            };
            if self.store.commit(vec![act]).await? == [Done::Written] {
                return Ok(SendOutcome::SlowDown {
                    wait: Duration::ZERO,
                    whole_account: false,
                });
            }
        }
        Ok(SendOutcome::Closed(format!(
            "{TOO_LATE}; it leaves with their next word"
        )))
    }
}

/// What of a row can wait for days.
fn held(row: &Delivery) -> Option<Held> {
    let text = match &row.body {
        Body::Text(post) if post.edits.is_none() => &post.text,
        Body::Receipt { text, .. } => text,
        Body::Text(_)
        | Body::Alert { .. }
        | Body::Progress { .. }
        | Body::PressAnswer { .. }
        | Body::Pin { .. } => return None,
    };
    Some(Held {
        row: row.id.0,
        text: text.clone(),
    })
}
