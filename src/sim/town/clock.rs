//! The town's time: when a play goes on. It runs as fast as somebody wants, or is moved by hand.
//!
//! It is the time of the play, not of the platforms: messages carry the real time, for the bot, which is a program of
//! its own with a clock of its own, would otherwise take them for messages from tomorrow.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that can run faster, or stand.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    base_ms: u64,
    since: Instant,
    speed: f64,
}

impl Clock {
    /// Real time.
    pub(super) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the town is outside the program")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        Self {
            base_ms: u64::try_from(now.as_millis()).unwrap_or(0),
            since: Instant::now(),
            speed: 1.0,
        }
    }

    /// Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        let passed = self.since.elapsed().mul_f64(self.speed);
        self.base_ms + u64::try_from(passed.as_millis()).unwrap_or(0)
    }

    pub(super) fn set_ms(&mut self, now_ms: u64) {
        self.base_ms = now_ms;
        self.since = Instant::now();
    }

    pub(super) fn speed(&self) -> f64 {
        self.speed
    }

    /// 0 stands still.
    pub(super) fn set_speed(&mut self, speed: f64) {
        self.set_ms(self.now_ms());
        self.speed = speed.clamp(0.0, 3_600.0);
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.base_ms += u64::try_from(by.as_millis()).unwrap_or(0);
    }

    /// How long until it shows `then_ms`; `None` while it stands before it.
    pub(super) fn until(&self, then_ms: u64) -> Option<Duration> {
        let left = Duration::from_millis(then_ms.saturating_sub(self.now_ms()));
        if left.is_zero() {
            return Some(left);
        }
        (self.speed > 0.0).then(|| left.div_f64(self.speed))
    }
}
