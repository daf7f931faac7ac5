//! What the outbox counts, for `/metrics`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Counters and gauges of one account, from the start of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Rows that the platform has taken.
    pub sent: AtomicU64,
    /// Rows that ended without anybody knowing.
    pub unknown: AtomicU64,
    /// Rows that will not arrive.
    pub failed: AtomicU64,
    /// Rows that went back to the queue after a try.
    pub again: AtomicU64,
    /// Alerts that are sent once more after an unanswered try.
    pub resent: AtomicU64,
    /// Times the platform asked us to slow down.
    pub slowed: AtomicU64,
    /// Receipts that left in one message with others.
    pub folded: AtomicU64,
    /// Messages that left, parts of a long text counted one by one.
    pub messages: AtomicU64,
    /// Gauge: sends under way.
    pub in_flight: AtomicU64,
    /// Gauge: 1 while the platform does not accept the account, and a person must act.
    pub account_refused: AtomicU64,
}

impl Metrics {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn set(gauge: &AtomicU64, value: usize) {
        gauge.store(value as u64, Ordering::Relaxed);
    }

    /// Every value with its name, in a fixed order.
    #[must_use]
    pub fn values(&self) -> [(&'static str, u64); 10] {
        [
            ("sent", &self.sent),
            ("unknown", &self.unknown),
            ("failed", &self.failed),
            ("again", &self.again),
            ("resent", &self.resent),
            ("slowed", &self.slowed),
            ("folded", &self.folded),
            ("messages", &self.messages),
            ("in_flight", &self.in_flight),
            ("account_refused", &self.account_refused),
        ]
        .map(|(name, value)| (name, value.load(Ordering::Relaxed)))
    }
}
