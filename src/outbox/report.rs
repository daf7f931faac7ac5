//! The officer sees how an alert goes: one message, changed in place where the platform can, else one
//! word at the end and, when it takes long, one at the start.
//!
//! One task for all accounts: the rooms of an alert are on many. Reports are rows of the outbox like
//! all else, rendered when they leave, so that a late one tells the latest. The last report and the
//! mark that it was given are one act; a crash neither forgets nor repeats it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

use crate::channel::Channel;
use crate::domain::alert::Alert;
use crate::domain::alert::Tally;
use crate::domain::clock::Clock;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Lane;
use crate::domain::ids::AccountName;
use crate::domain::ids::AlertId;
use crate::domain::ids::DeliveryId;
use crate::store::Act;
use crate::store::Done;
use crate::store::Expect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;

/// An alert that is done within this time gets one report only.
const FIRST: Duration = Duration::from_secs(1);

/// The shortest time between two reports; it grows to a tenth of the time the alert takes.
const SHORTEST: Duration = Duration::from_secs(2);

/// The longest.
const LONGEST: Duration = Duration::from_secs(30);

/// A report that has not arrived after this time does not hold up the next one.
const LOST: Duration = Duration::from_secs(10);

/// Look this often without news while an alert is on its way, and while none is.
const LOOK: Duration = Duration::from_secs(5);
const IDLE_LOOK: Duration = Duration::from_secs(30);

/// What the reporter needs to know of an account.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Its worker's wake-up.
    pub wake: Arc<Notify>,
    /// Knows whether messages can be changed there.
    pub channel: Arc<dyn Channel>,
}

/// Queues reports for the authors of alerts.
#[derive(Debug)]
pub struct Reporter {
    /// Where alerts and rows are.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Every account.
    pub desks: HashMap<AccountName, Desk>,
    /// Told by the workers, and by whoever publishes an alert.
    pub news: Arc<Notify>,
}

/// The last report of an alert.
#[derive(Debug)]
struct Told {
    tally: Tally,
    row: Option<DeliveryId>,
    at: Instant,
    since: Instant,
}

impl Reporter {
    /// Reports until `stop` turns true or its sender is dropped.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let mut told: HashMap<AlertId, Told> = HashMap::new();
        loop {
            // Listen before looking, as the worker does.
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            let next = self.look(&mut told, Instant::now()).await?;
            tokio::select! {
                biased;
                stopped = stop.wait_for(|&stop| stop) => {
                    drop(stopped);
                    return Ok(());
                }
                () = news => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Queues what is to be told now; says when to look again.
    async fn look(
        &self,
        told: &mut HashMap<AlertId, Told>,
        now: Instant,
    ) -> Result<Instant, StoreError> {
        let mut next = now + IDLE_LOOK;
        let mut alive = HashSet::new();
        for alert in self.store.open_alerts().await? {
            let is_out = alert.state.is_published();
            if !is_out || alert.reported {
                continue;
            }
            alive.insert(alert.id);
            let at = self.look_at(&alert, told, now).await?;
            next = next.min(at).min(now + LOOK);
        }
        told.retain(|id, _| alive.contains(id));
        Ok(next)
    }

    async fn look_at(
        &self,
        alert: &Alert,
        told: &mut HashMap<AlertId, Told>,
        now: Instant,
    ) -> Result<Instant, StoreError> {
        let can_edit = self
            .desks
            .get(&alert.desk.account)
            .is_some_and(|desk| desk.channel.capabilities(&alert.desk).can_edit);
        let tally = self.store.tally(alert.id, alert.version()).await?;
        if tally.waiting() == 0 {
            let last = Alert {
                reported: true,
                revision: alert.revision + 1,
                ..alert.clone()
            };
            if self
                .tell(&last, can_edit, Some(alert.revision))
                .await?
                .is_some()
            {
                info!(
                    alert = %alert.id,
                    planned = tally.planned,
                    sent = tally.sent,
                    unknown = tally.unknown,
                    failed = tally.failed,
                    "an alert has reached its rooms"
                );
            }
            return Ok(now + LOOK);
        }
        if alert.progress.is_none() {
            let age = (self.clock.now() - alert.versions.latest().at)
                .to_std()
                .unwrap_or_default();
            if let Some(left) = FIRST.checked_sub(age).filter(|left| !left.is_zero()) {
                return Ok(now + left);
            }
            if let Some(row) = self.tell(alert, can_edit, Some(alert.revision)).await? {
                told.insert(
                    alert.id,
                    Told {
                        tally,
                        row: Some(row),
                        at: now,
                        since: now,
                    },
                );
            }
            return Ok(now + SHORTEST);
        }
        if !can_edit {
            return Ok(now + LOOK);
        }
        let before = told.entry(alert.id).or_insert(Told {
            tally: Tally::default(),
            row: None,
            at: now,
            since: now,
        });
        let pace = ((now - before.since) / 10).clamp(SHORTEST, LONGEST);
        if now < before.at + pace {
            return Ok(before.at + pace);
        }
        if before.tally == tally {
            return Ok(now + LOOK);
        }
        if let Some(row) = before.row
            && now < before.at + LOST
            && self.store.sent_message(row).await?.is_none()
        {
            return Ok(now + SHORTEST);
        }
        before.row = self.tell(alert, can_edit, None).await?;
        before.tally = tally;
        before.at = now;
        Ok(now + SHORTEST)
    }

    /// Queues a report. With a revision, the alert is changed in the same act: it remembers its first
    /// report, and its last.
    async fn tell(
        &self,
        alert: &Alert,
        can_edit: bool,
        revision: Option<u32>,
    ) -> Result<Option<DeliveryId>, StoreError> {
        let now = self.clock.now();
        let id = DeliveryId(self.store.delivery_ids(1).start);
        let row = Delivery {
            id,
            room: alert.desk.clone(),
            thread: alert.desk_thread.clone(),
            lane: Lane::Reply,
            body: Body::Progress {
                alert: alert.id,
                edits: alert.progress.filter(|_| can_edit),
            },
            state: DeliveryState::Waiting { due: now },
            attempts: 0,
            maybe_twice: false,
            queued_at: now,
        };
        let mut act = Act {
            expects: Vec::new(),
            writes: vec![Write::Delivery(Box::new(row))],
        };
        if let Some(revision) = revision {
            let changed = Alert {
                revision: revision + 1,
                progress: alert.progress.or(Some(id)),
                ..alert.clone()
            };
            act.expects.push(Expect::Alert(alert.id, revision));
            act.writes.push(Write::Alert(Box::new(changed)));
        }
        let done = self.store.commit(vec![act]).await?;
        if done.first() != Some(&Done::Written) {
            // Somebody changed the alert meanwhile; the next look sees how it stands.
            return Ok(None);
        }
        if let Some(desk) = self.desks.get(&alert.desk.account) {
            desk.wake.notify_one();
        }
        Ok(Some(id))
    }
}
