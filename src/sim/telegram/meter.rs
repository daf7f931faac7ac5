//! How fast the bot sends: measured always, limited on request.
//!
//! Everything is counted by the moment a request arrives here, which is what
//! the real server sees too.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Limits as the real server publishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages in any second, all chats together.
    pub per_second: u32,
    /// Messages in any minute to one group.
    pub group_per_minute: u32,
}

impl Default for Limits {
    /// 30 a second, 20 a minute to a group (core.telegram.org/bots/faq).
    fn default() -> Self {
        Self {
            per_second: 30,
            group_per_minute: 20,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The moments inside one sliding span.
#[derive(Debug, Default)]
struct Window {
    moments: VecDeque<Instant>,
    max: usize,
}

impl Window {
    fn forget_before(&mut self, now: Instant, span: Duration) {
        while self
            .moments
            .front()
            .is_some_and(|then| now.duration_since(*then) >= span)
        {
            self.moments.pop_front();
        }
    }

    fn note(&mut self, now: Instant, span: Duration) {
        self.forget_before(now, span);
        self.moments.push_back(now);
        self.max = self.max.max(self.moments.len());
    }

    /// How long until one more fits under `limit`; zero when it fits now.
    fn wait(&mut self, now: Instant, span: Duration, limit: u32) -> Duration {
        self.forget_before(now, span);
        let over = self.moments.len().checked_sub(limit as usize);
        match over.and_then(|index| self.moments.get(index)) {
            Some(then) => span.saturating_sub(now.duration_since(*then)),
            None => Duration::ZERO,
        }
    }
}

/// What was sent and refused, and when.
#[derive(Debug, Default)]
pub(super) struct Meter {
    all: Window,
    chats: HashMap<i64, Window>,
    accepted: Window,
    accepted_chats: HashMap<i64, Window>,
    /// Enforced when set.
    pub(super) limits: Option<Limits>,
    /// Until when a chat answers 429 whatever is sent; `None` is every chat.
    floods: Vec<(Option<i64>, Instant)>,
    pub(super) sends: u64,
    pub(super) answered_429: u64,
    /// Sends that came although an earlier 429 asked to wait longer.
    pub(super) impatient: u64,
    told_to_wait: HashMap<i64, Instant>,
    pub(super) first: Option<Instant>,
    pub(super) last: Option<Instant>,
}

impl Meter {
    pub(super) fn new(limits: Option<Limits>) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Notes that a send to `chat` arrived.
    pub(super) fn arrived(&mut self, chat: i64, now: Instant) {
        self.sends += 1;
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.all.note(now, SECOND);
        self.chats.entry(chat).or_default().note(now, MINUTE);
        // Clients that wait exactly the seconds asked for are on time: the
        // answer left a moment after it was noted here.
        if !self.told_to_wait.is_empty()
            && let Some(until) = self.told_to_wait.get(&chat)
            && now < *until
        {
            self.impatient += 1;
        }
    }

    /// Seconds to wait if this send is too many, else counts it as accepted.
    pub(super) fn admit(&mut self, chat: i64, is_group: bool, now: Instant) -> Option<u64> {
        self.floods.retain(|(_, until)| *until > now);
        let mut wait = self
            .floods
            .iter()
            .filter(|(whom, _)| whom.is_none_or(|id| id == chat))
            .map(|(_, until)| until.duration_since(now))
            .max()
            .unwrap_or_default();
        if let Some(limits) = self.limits {
            wait = wait.max(self.accepted.wait(now, SECOND, limits.per_second));
            if is_group {
                let window = self.accepted_chats.entry(chat).or_default();
                wait = wait.max(window.wait(now, MINUTE, limits.group_per_minute));
            }
        }
        if wait > Duration::ZERO {
            // Whole seconds, rounded up, as in `retry_after`.
            return Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        }
        if self.limits.is_some() {
            self.accepted.note(now, SECOND);
            if is_group {
                self.accepted_chats
                    .entry(chat)
                    .or_default()
                    .note(now, MINUTE);
            }
        }
        None
    }

    /// Notes that the send was answered 429.
    pub(super) fn refused(&mut self, chat: i64, retry_after: u64, now: Instant) {
        self.answered_429 += 1;
        self.told_to_wait
            .insert(chat, now + Duration::from_secs(retry_after));
    }

    /// Answers 429 to sends to `chat` (all chats without one) for a while.
    pub(super) fn flood(&mut self, chat: Option<i64>, until: Instant) {
        self.floods.push((chat, until));
    }

    pub(super) fn calm(&mut self) {
        self.floods.clear();
    }

    /// The most sends in any sliding second.
    pub(super) fn max_in_any_second(&self) -> usize {
        self.all.max
    }

    /// The most sends to `chat` in any sliding minute.
    pub(super) fn max_in_any_minute(&self, chat: i64) -> usize {
        self.chats.get(&chat).map_or(0, |window| window.max)
    }

    /// The most sends to any one chat in any sliding minute.
    pub(super) fn max_in_any_chat_minute(&self) -> usize {
        self.chats
            .values()
            .map(|window| window.max)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_sliding_second_is_found_across_whole_seconds() {
        let start = Instant::now();
        let mut meter = Meter::default();
        for ms in [0, 900, 950, 1_100, 1_800, 1_899, 5_000] {
            meter.arrived(1, start + Duration::from_millis(ms));
        }
        assert_eq!(meter.max_in_any_second(), 5);
        assert_eq!(meter.max_in_any_minute(1), 7);
    }

    #[test]
    fn the_twenty_first_message_in_a_minute_waits_for_the_first_to_age() {
        let start = Instant::now();
        let mut meter = Meter::new(Some(Limits::default()));
        for i in 0..20 {
            assert_eq!(
                meter.admit(-1, true, start + Duration::from_millis(i * 100)),
                None
            );
        }
        assert_eq!(
            meter.admit(-1, true, start + Duration::from_secs(10)),
            Some(50)
        );
        assert_eq!(meter.admit(-2, true, start + Duration::from_secs(10)), None);
        assert_eq!(meter.admit(-1, true, start + Duration::from_secs(60)), None);
    }
}
