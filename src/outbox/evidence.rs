//! Evidence that comes late: an alert that nobody knew the end of is in its room after all.
//!
//! A send without an answer is looked for among our own posts for a while, then its row ends as unknown. A
//! platform that shows our posts to us may do so much later, or once we are back after a crash. Then the row
//! is settled, and the officer's report told again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tracing::info;
use tracing::warn;

use crate::channel::Channel;
use crate::channel::echoes::Echoes;
use crate::domain::alert::Alert;
use crate::domain::area::AreaBook;
use crate::domain::clock::Clock;
use crate::domain::delivery::Body;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Settled;
use crate::domain::ids::AccountName;
use crate::domain::ids::AlertId;
use crate::say;
use crate::store::Act;
use crate::store::Done;
use crate::store::Expect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;

/// An echo is often here before the answer to its call: so long it is left to that.
const YOUNG: Duration = Duration::from_secs(1);

/// Look this often for what an answer did not claim.
const LOOK: Duration = Duration::from_secs(30);

/// What is needed to look.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) store: Arc<dyn Store>,
    pub(super) channel: Arc<dyn Channel>,
    pub(super) echoes: Arc<Echoes>,
    pub(super) areas: Arc<AreaBook>,
    pub(super) clock: Arc<dyn Clock>,
    /// The reporter's.
    pub(super) news: Arc<Notify>,
}

impl Evidence {
    /// Looks until `stop` turns true or its sender is dropped. Only a store that has stopped ends it.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let account = self.channel.account().name.clone();
        loop {
            // Listening before looking: what comes in between is not missed.
            let mut news = std::pin::pin!(self.echoes.news());
            news.as_mut().enable();
            if self.echoes.has_of(&account) {
                match self.look(&account).await {
                    Err(StoreError::Stopped(why)) => return Err(StoreError::Stopped(why)),
                    Err(error) => warn!(%account, %error, "what came back cannot be compared"),
                    Ok(()) => {}
                }
            }
            let heard = async {
                let _ = tokio::time::timeout(LOOK, news).await;
                tokio::time::sleep(YOUNG).await;
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = heard => {}
            }
        }
    }

    async fn look(&self, account: &AccountName) -> Result<(), StoreError> {
        for alert in self.store.open_alerts().await? {
            if alert.state.is_published()
                && self.has_unknown(&alert).await?
                && self.settle(account, &alert).await?
            {
                self.report_again(alert.id).await?;
            }
        }
        Ok(())
    }

    /// Whether any room of any version is unknown: told by the tallies, without reading rows.
    async fn has_unknown(&self, alert: &Alert) -> Result<bool, StoreError> {
        for version in alert.versions.iter() {
            let tally = self.store.tally(alert.id, version.number).await?;
            if tally.unknown > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Settles what there is evidence for; whether there was any.
    async fn settle(&self, account: &AccountName, alert: &Alert) -> Result<bool, StoreError> {
        let title = self.areas.title(&alert.area);
        let mut settled = Vec::new();
        for row in self.store.alert_rows(alert.id).await? {
            let Body::Alert { version, .. } = row.body else {
                continue;
            };
            if row.room.account != *account || !matches!(row.state, DeliveryState::Unknown { .. }) {
                continue;
            }
            let mut versions = alert.versions.iter();
            let Some(version) = versions.find(|one| one.number == version) else {
                continue;
            };
            let text = say::alert::version_text(alert, version, &title);
            if let Some(message) = self.echoes.take(&row.room, &text, row.queued_at) {
                info!(%account, room = %row.room, delivery = %row.id, "a post without an answer has come back");
                settled.push((row, Settled::Sent(Some(message))));
            }
        }
        let any = !settled.is_empty();
        if any {
            self.store.settle(settled, self.clock.now()).await?;
        }
        Ok(any)
    }

    /// The last report said that nobody knows.
    async fn report_again(&self, alert: AlertId) -> Result<(), StoreError> {
        loop {
            let Some(alert) = self
                .store
                .alert(alert)
                .await?
                .filter(|alert| alert.reported)
            else {
                return Ok(());
            };
            let act = Act {
                expects: vec![Expect::Alert(alert.id, alert.revision)],
                writes: vec![Write::Alert(Box::new(Alert {
                    reported: false,
                    revision: alert.revision + 1,
                    ..alert
                }))],
            };
            // Whoever changes it in the same moment does so once.
            if self.store.commit(vec![act]).await? == [Done::Written] {
                self.news.notify_one();
                return Ok(());
            }
        }
    }
}
