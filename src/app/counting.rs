//! How many people are in the rooms of an account, asked for beside everything else.
//!
//! One question at a time, with a pause after each: a big deployment takes hours to count, and the
//! limits of its platform are for alerts. Nobody waits for an answer.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;
use tracing::debug;
use tracing::warn;

use crate::channel::Channel;
use crate::channel::PollError;
use crate::desk::Headcounts;
use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::ids::RoomId;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::store::Store;
use crate::store::StoreError;

/// Between two questions. Telegram lets a bot send thirty messages in a second, and an OA may ask 4,000 times
/// in a minute: this takes next to nothing of it.
const PAUSE: Duration = Duration::from_secs(1);

/// How often all rooms are gone through: numbers age, and rooms get new ids.
const LOOK: Duration = Duration::from_secs(3600);

/// Whoever counts for one account.
pub(super) struct Counting {
    pub(super) channel: Arc<dyn Channel>,
    pub(super) counts: Arc<Headcounts>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Counting {
    /// Counts until `stop` turns true.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.count() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn count(&self) {
        let account = &self.channel.account().name;
        let mut look_at = None;
        loop {
            // Listen before looking: a room that is bound in between would be missed.
            let (rung, moved) = (self.counts.rung(), self.clock.moved());
            let now = self.clock.now();
            if look_at.is_none_or(|at| now >= at) {
                if let Err(error) = self.look(now).await {
                    // Whoever needs the store hears of this from others.
                    warn!(%account, %error, "the rooms to count could not be read");
                }
                look_at = Some(now + TimeDelta::from_std(LOOK).unwrap_or(TimeDelta::MAX));
            }
            match self.counts.next(account, now) {
                Some(room) => {
                    let wait = self.ask(&room).await;
                    tokio::time::sleep(wait).await;
                }
                None => tokio::select! {
                    () = rung => {}
                    () = moved => {}
                    () = tokio::time::sleep(LOOK) => {}
                },
            }
        }
    }

    /// Wants every room that hears alerts and was not counted lately.
    async fn look(&self, now: Time) -> Result<(), StoreError> {
        let account = &self.channel.account().name;
        let rooms = self.store.rooms().await?;
        let hears = rooms.iter().filter(|room| {
            room.id.account == *account
                && room.kind == RoomKind::Group
                && room.state == RoomState::Active
                && room.area.is_some()
        });
        self.counts.want(hears.map(|room| &room.id), now);
        Ok(())
    }

    /// Asks about one room; tells how long to wait before the next question.
    async fn ask(&self, room: &RoomId) -> Duration {
        let answer = self.channel.people_in(room).await;
        let now = self.clock.now();
        match answer {
            Ok(people) => {
                debug!(%room, people, "the platform was asked how many people are there");
                self.counts.told(room, people, now);
                PAUSE
            }
            Err(error) => {
                debug!(%room, %error, "the platform does not tell how many people are there now");
                self.counts.not_told(room, now);
                match error {
                    PollError::NotNow { wait, .. } => wait.unwrap_or(PAUSE).max(PAUSE),
                    PollError::NeedsPerson(_) => super::LONGEST_PAUSE,
                }
            }
        }
    }
}
