//! The time, handed in to whoever needs it.

use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;

use chrono::DateTime;
use chrono::FixedOffset;
use chrono::TimeDelta;
use tokio::sync::Notify;

/// A moment in Viet Nam's time, UTC+7 without daylight saving.
pub type Time = DateTime<FixedOffset>;

/// Viet Nam's offset from UTC.
#[must_use]
pub fn vietnam() -> FixedOffset {
    FixedOffset::east_opt(7 * 3600).expect("seven hours is a legal offset")
}

/// The last millisecond that is taken: the end of the year 9999. Later ones are somebody's nonsense.
const LAST_MS: i64 = 253_402_300_799_999;

/// A moment from Unix milliseconds; what lies before 1970 or after 9999 becomes the nearest of the two.
#[must_use]
pub fn from_unix_ms(ms: i64) -> Time {
    DateTime::from_timestamp_millis(ms.clamp(0, LAST_MS))
        .unwrap_or(DateTime::UNIX_EPOCH)
        .with_timezone(&vietnam())
}

/// Tells the time. The system's clock is used in one place only, [`SystemClock`].
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now, in Viet Nam's time.
    fn now(&self) -> Time;

    /// Ends when somebody moves the hands after this call. Whoever sleeps until an hour waits for
    /// this, too; for a clock that only runs it never ends.
    fn moved(&self) -> Moved<'_> {
        Box::pin(std::future::pending())
    }
}

/// Waits for the hands of a clock.
pub type Moved<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that asks the machine"
        )]
        let now = chrono::Utc::now();
        now.with_timezone(&vietnam())
    }
}

/// A clock that stands still until it is moved; for tests and simulated days.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Time>,
    moved: Notify,
}

impl ManualClock {
    /// Starts at a moment.
    #[must_use]
    pub fn at(start: Time) -> Self {
        Self {
            now: Mutex::new(start),
            moved: Notify::new(),
        }
    }

    /// Moves the hands, forwards or back.
    pub fn advance(&self, by: TimeDelta) {
        *self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) += by;
        self.moved.notify_waiters();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        *self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn moved(&self) -> Moved<'_> {
        Box::pin(self.moved.notified())
    }
}
