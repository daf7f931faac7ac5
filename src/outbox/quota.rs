//! An account's month: what was sent and received, what may still leave, and whom to tell.
//!
//! The count is kept in the store, one row for each account and month. What comes in is counted with the
//! record it makes; what goes out is counted when its end is settled, and until then in memory. A process
//! that dies in between has its claimed rows counted at the next start, whether they left or not: a month
//! must not end sooner than we think.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use tokio::sync::Notify;

use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
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

/// Answers that have waited so long are of use to nobody, and each would cost a message: a month that ended
/// early must not begin the next one with its receipts.
const STALE: TimeDelta = TimeDelta::hours(12);

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
    /// The month in which the platform itself said that it is used up; 0 for none.
    over: AtomicU32,
}

/// How a month stands, to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Which month.
    pub month: Month,
    /// Messages so far.
    pub used: u64,
    /// The highest of [`MARKS`] that is passed, or [`OVER`].
    pub mark: Option<u64>,
}

/// The mark of a month of which the platform takes nothing more, whatever we have counted.
pub const OVER: u64 = 100;

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
            over: AtomicU32::new(0),
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
        let over = self.over.load(Ordering::Relaxed) == month.number();
        Ok(Balance {
            month,
            used,
            mark: over.then_some(OVER).or(passed.max()),
        })
    }

    /// Whether rows that leave together may.
    pub(super) async fn admits(&self, rows: &[Delivery]) -> Result<bool, StoreError> {
        let used = self.balance().await?.used;
        let standing = self.quota.standing(used);
        let now = self.clock.now();
        let admitted = { rows.iter() }.all(|row| standing.admits(row) && !is_stale(row, now));
        if !admitted {
            self.withheld
                .fetch_add(rows.len() as u64, Ordering::Relaxed);
        }
        Ok(admitted)
    }

    /// The platform takes nothing more.
    pub(super) fn refused(&self) {
        let month = Month::of(self.clock.now());
        self.over.store(month.number(), Ordering::Relaxed);
        self.bell.notify_one();
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

/// Whether a row has waited too long to be worth a message. Alerts know by themselves when they expire.
fn is_stale(row: &Delivery, now: Time) -> bool {
    let answers = matches!(row.body, Body::Receipt { .. } | Body::Text(_));
    answers && now - row.queued_at > STALE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::ManualClock;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::delivery::DeliveryState;
    use crate::domain::delivery::Lane;
    use crate::domain::delivery::Post;
    use crate::domain::ids::AlertId;
    use crate::domain::ids::DeliveryId;
    use crate::domain::ids::IncidentId;
    use crate::domain::ids::RoomId;
    use crate::store::memory::MemoryStore;

    fn noon() -> Time {
        from_unix_ms(1_795_507_500_000)
    }

    fn zb1() -> AccountName {
        AccountName::parse("zb1").unwrap()
    }

    fn row(lane: Lane, body: Body) -> Delivery {
        Delivery {
            id: DeliveryId(1),
            room: RoomId::new(zb1(), "g"),
            thread: None,
            lane,
            body,
            state: DeliveryState::Waiting { due: noon() },
            attempts: 0,
            maybe_twice: false,
            queued_at: noon(),
        }
    }

    fn receipt() -> Delivery {
        row(
            Lane::Reply,
            Body::Receipt {
                incident: IncidentId(1),
                reply_to: None,
                text: "mã 1".to_owned(),
                asks: None,
            },
        )
    }

    fn alert() -> Delivery {
        row(
            Lane::Urgent,
            Body::Alert {
                alert: AlertId(1),
                version: 1,
                follows: None,
            },
        )
    }

    fn ledger(at: Time) -> Ledger {
        let quota = Quota {
            monthly: 10,
            reserve: 2,
        };
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::at(at));
        Ledger::new(zb1(), quota, store, clock, Arc::new(Notify::new()))
    }

    #[tokio::test]
    async fn the_reserve_is_for_alerts_and_counts_what_is_not_written_down_yet() {
        let ledger = ledger(noon());
        for _ in 0..7 {
            ledger.left();
        }
        assert!(ledger.admits(&[receipt()]).await.unwrap());
        ledger.write_down().await.unwrap();
        ledger.left();
        assert!(!ledger.admits(&[receipt(), receipt()]).await.unwrap());
        assert_eq!(ledger.withheld(), 2);
        assert!(ledger.admits(&[alert()]).await.unwrap());
        let preview = Post {
            buttons: vec![Vec::new()],
            ..Post::default()
        };
        let preview = row(Lane::Reply, Body::Text(preview));
        assert!(ledger.admits(&[preview]).await.unwrap());
        assert_eq!(ledger.balance().await.unwrap().used, 8);
    }

    #[tokio::test]
    async fn marks_are_passed_once_and_the_platform_knows_better() {
        let ledger = ledger(noon());
        let mark = async || ledger.balance().await.unwrap().mark;
        assert_eq!(mark().await, None);
        (0..7).for_each(|_| ledger.left());
        assert_eq!(mark().await, Some(70));
        (0..2).for_each(|_| ledger.left());
        assert_eq!(mark().await, Some(90));
        ledger.refused();
        assert_eq!(mark().await, Some(OVER));
    }

    #[tokio::test]
    async fn an_answer_that_waited_half_a_day_is_not_worth_a_message() {
        let late = ledger(noon() + STALE + TimeDelta::seconds(1));
        assert!(!late.admits(&[receipt()]).await.unwrap());
        assert!(late.admits(&[alert()]).await.unwrap());
        let in_time = ledger(noon() + STALE);
        assert!(in_time.admits(&[receipt()]).await.unwrap());
    }
}
