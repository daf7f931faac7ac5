//! Errands of the desk, done one after the other beside everything else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tracing::warn;

use crate::channel::Channel;
use crate::desk::Desk;
use crate::domain::errand::Errand;
use crate::domain::ids::AccountName;
use crate::store::Done;
use crate::store::Store;
use crate::store::StoreError;

/// Without a bell, look this often: another program may have written an errand.
const LOOK: Duration = Duration::from_secs(30);

/// Whoever does errands.
pub(super) struct Errands {
    pub(super) desk: Arc<Desk>,
    pub(super) store: Arc<dyn Store>,
    pub(super) channels: HashMap<AccountName, Arc<dyn Channel>>,
    /// Rung when there may be an errand.
    pub(super) bell: Arc<Notify>,
    /// The workers of all accounts: an answer waits for them.
    pub(super) wake: Vec<Arc<Notify>>,
}

impl Errands {
    /// Does what comes until `stop` turns true; what is being done then is done to its end.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        for errand in self.store.errands().await? {
            if errand.begun {
                warn!(account = %errand.account, "the last process ended in the middle of an errand");
                let act = self.desk.give_up_errand(&errand);
                self.store.commit(vec![act]).await?;
                self.ring();
            }
        }
        loop {
            for errand in self.store.errands().await? {
                if *stop.borrow() {
                    return Ok(());
                }
                if !errand.begun {
                    self.one(errand).await?;
                }
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = self.bell.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn one(&self, mut errand: Errand) -> Result<(), StoreError> {
        let groups = self.channels.get(&errand.account);
        let Some(groups) = groups.and_then(|channel| channel.groups()) else {
            let act = self.desk.give_up_errand(&errand);
            self.store.commit(vec![act]).await?;
            self.ring();
            return Ok(());
        };
        let begin = self.desk.begin_errand(&errand);
        if self.store.commit(vec![begin]).await? != [Done::Written] {
            return Ok(());
        }
        errand.begun = true;
        let act = self.desk.run_errand(&errand, groups).await?;
        self.store.commit(vec![act]).await?;
        self.ring();
        Ok(())
    }

    fn ring(&self) {
        self.wake.iter().for_each(|bell| bell.notify_one());
    }
}
