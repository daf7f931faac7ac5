//! An account's month: what was sent and received, what may still leave, and whom to tell.
//!
//! The count is kept in the store, one row for each account and month. What comes in is counted with the
//! record it makes; what goes out is counted when its end is settled, and until then in memory. A process
//! that dies in between has its claimed rows counted at the next start, whether they left or not: a month
//! must not end sooner than we think.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::domain::clock::Clock;
use crate::domain::delivery::Delivery;
use crate::domain::ids::AccountName;
use crate::domain::quota::MARKS;
use crate::domain::quota::Month;
use crate::domain::quota::Quota;
use crate::domain::quota::Standing;
use crate::store::Act;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;

/// The books of one account.
#[derive(Debug)]
pub struct Ledger {
    account: AccountName,
    quota: Quota,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Rung when more is written down.
    bell: Arc<Notify>,
    /// Left and not yet on disk.
    pending: AtomicU64,
    /// As last read.
    used: AtomicU64,
    withheld: AtomicU64,
}

/// How a month stands, to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Which month.
    pub month: Month,
    /// Messages so far.
    pub used: u64,
    /// The highest of [`MARKS`] that is passed.
    pub mark: Option<u64>,
}

impl Ledger {
    /// Opens the books.
    #[must_use]
    pub fn new(
        account: AccountName,
        quota: Quota,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        bell: Arc<Notify>,
    ) -> Self {
        Self {
            account,
            quota,
            store,
            clock,
            bell,
            pending: AtomicU64::new(0),
            used: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
        }
    }

    /// Whose books.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// What the month may cost.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Messages of this month, as last read.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Rows that were not sent, to keep the reserve.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// How the month stood when it was last read.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.quota.standing(self.used())
    }

    /// Reads how the month stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn balance(&self) -> Result<Balance, StoreError> {
        let month = Month::of(self.clock.now());
        let stored = self.store.usage(&self.account, month).await?;
        let used = stored + self.pending.load(Ordering::Relaxed);
        self.used.store(used, Ordering::Relaxed);
        let percent = self.quota.percent(used);
        let passed = MARKS.into_iter().filter(|mark| percent >= *mark);
        Ok(Balance {
            month,
            used,
            mark: passed.max(),
        })
    }

    /// Whether rows that leave together may.
    pub(super) async fn admits(&self, rows: &[Delivery]) -> Result<bool, StoreError> {
        let used = self.balance().await?.used;
        let standing = self.quota.standing(used);
        let admitted = rows.iter().all(|row| standing.admits(row));
        if !admitted {
            self.withheld
                .fetch_add(rows.len() as u64, Ordering::Relaxed);
        }
        Ok(admitted)
    }

    /// A message left, or may have.
    pub(super) fn left(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.used.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes down what has left.
    pub(super) async fn write_down(&self) -> Result<(), StoreError> {
        let messages = self.pending.swap(0, Ordering::Relaxed);
        if messages == 0 {
            return Ok(());
        }
        let usage = Write::Usage {
            account: self.account.clone(),
            month: Month::of(self.clock.now()),
            messages,
        };
        let act = Act {
            expects: Vec::new(),
            writes: vec![usage],
        };
        self.store.commit(vec![act]).await?;
        self.bell.notify_one();
        Ok(())
    }
}
