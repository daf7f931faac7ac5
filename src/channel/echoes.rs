//! Our own posts, as platforms that show them to us do: evidence for sends that got no answer.
//!
//! Only sums of the words are kept, and those for ten minutes. An echo is evidence once: that of a post
//! whose answer told the same id is nobody's, so that two equal texts in one room are two.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use chrono::TimeDelta;
use sha2::Digest as _;
use sha2::Sha256;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use unicode_normalization::UnicodeNormalization as _;

use crate::domain::clock::Time;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;

/// How long an echo is of use.
const KEPT: Duration = Duration::from_secs(600);

/// More are not kept, whatever comes in.
const MOST: usize = 20_000;

/// How far the platform's clock may be behind ours.
const SKEW: TimeDelta = TimeDelta::minutes(2);

/// What platforms have shown us of our own.
#[derive(Debug, Default)]
pub struct Echoes {
    kept: Mutex<Kept>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    heard: VecDeque<Echo>,
    /// Posts that were answered before their echo came.
    answered: VecDeque<(RoomId, MessageId, Instant)>,
}

#[derive(Debug)]
struct Echo {
    room: RoomId,
    message: MessageId,
    sum: [u8; 16],
    at: Time,
    heard: Instant,
}

impl Kept {
    fn tidy(&mut self, now: Instant) {
        while self
            .heard
            .front()
            .is_some_and(|echo| echo.heard + KEPT < now)
            || self.heard.len() > MOST
        {
            self.heard.pop_front();
        }
        while self
            .answered
            .front()
            .is_some_and(|(_, _, at)| *at + KEPT < now)
            || self.answered.len() > MOST
        {
            self.answered.pop_front();
        }
    }
}

impl Echoes {
    /// One of our posts came back.
    pub fn heard(&self, room: &RoomId, message: &MessageId, text: &str, at: Time) {
        let now = Instant::now();
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.tidy(now);
            let mut answered = kept.answered.iter();
            let known = answered.position(|(of, id, _)| of == room && id == message);
            if let Some(known) = known {
                kept.answered.remove(known);
                return;
            }
            let mut heard = kept.heard.iter();
            if heard.any(|echo| echo.room == *room && echo.message == *message) {
                return;
            }
            kept.heard.push_back(Echo {
                room: room.clone(),
                message: message.clone(),
                sum: sum(text),
                at,
                heard: now,
            });
        }
        self.news.notify_waiters();
    }

    /// A post was answered with this id: its echo is needed for nothing.
    pub fn answered(&self, room: &RoomId, message: &MessageId) {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tidy(now);
        let mut heard = kept.heard.iter();
        let known = heard.position(|echo| echo.room == *room && echo.message == *message);
        match known {
            Some(known) => {
                kept.heard.remove(known);
            }
            None => kept
                .answered
                .push_back((room.clone(), message.clone(), now)),
        }
    }

    /// Ends when the next of our posts comes back; listens from its first poll or `enable` on.
    pub fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Whether any post of this account has come back that no answer told of.
    #[must_use]
    pub fn has_of(&self, account: &AccountName) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tidy(Instant::now());
        kept.heard.iter().any(|echo| echo.room.account == *account)
    }

    /// Takes the evidence that this text is in this room, posted after that moment.
    #[must_use]
    pub fn take(&self, room: &RoomId, text: &str, since: Time) -> Option<MessageId> {
        let sum = sum(text);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tidy(Instant::now());
        let mut heard = kept.heard.iter();
        let found = heard
            .position(|echo| echo.sum == sum && echo.room == *room && echo.at + SKEW >= since)?;
        kept.heard.remove(found).map(|echo| echo.message)
    }

    /// Waits a while for that evidence.
    pub async fn wait(
        &self,
        room: &RoomId,
        text: &str,
        since: Time,
        patience: Duration,
    ) -> Option<MessageId> {
        let end = Instant::now() + patience;
        loop {
            // Listening before looking: what comes in between is not missed.
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            if let Some(found) = self.take(room, text, since) {
                return Some(found);
            }
            if tokio::time::timeout_at(end, news).await.is_err() {
                return self.take(room, text, since);
            }
        }
    }
}

/// A sum of the letters and digits: platforms trim texts and change signs in them.
fn sum(text: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    for letter in text.nfc().filter(|letter| letter.is_alphanumeric()) {
        hash.update(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
    let mut sum = [0; 16];
    let whole = hash.finalize();
    sum.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_unix_ms;

    fn room(native: &str) -> RoomId {
        RoomId::new(AccountName::parse("oa1").expect("a name"), native)
    }

    fn at(seconds: i64) -> Time {
        from_unix_ms(1_790_000_000_000 + seconds * 1000)
    }

    #[tokio::test]
    async fn an_echo_is_evidence_once_and_only_for_its_room_words_and_time() {
        let echoes = Echoes::default();
        echoes.heard(&room("a"), &"m1".into(), "Đã ghi nhận, mã 7.", at(0));
        echoes.heard(&room("a"), &"m1".into(), "Đã ghi nhận, mã 7.", at(0));
        assert_eq!(echoes.take(&room("b"), "Đã ghi nhận, mã 7.", at(0)), None);
        assert_eq!(echoes.take(&room("a"), "Đã ghi nhận, mã 8.", at(0)), None);
        assert_eq!(echoes.take(&room("a"), "Đã ghi nhận, mã 7.", at(500)), None);
        let taken = echoes.take(&room("a"), " Đã ghi nhận,\nmã 7.", at(5));
        assert_eq!(taken, Some("m1".into()));
        assert_eq!(echoes.take(&room("a"), "Đã ghi nhận, mã 7.", at(0)), None);
    }

    #[tokio::test]
    async fn what_was_answered_is_no_evidence_in_either_order() {
        let echoes = Echoes::default();
        echoes.answered(&room("a"), &"m1".into());
        echoes.heard(&room("a"), &"m1".into(), "xin chào", at(0));
        echoes.heard(&room("a"), &"m2".into(), "xin chào", at(0));
        echoes.answered(&room("a"), &"m2".into());
        assert_eq!(echoes.take(&room("a"), "xin chào", at(0)), None);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_or_gives_up() {
        let echoes = std::sync::Arc::new(Echoes::default());
        let (there, words) = (room("a"), "xin chào");
        let waiting = {
            let echoes = std::sync::Arc::clone(&echoes);
            let there = there.clone();
            tokio::spawn(async move {
                let patience = Duration::from_secs(60);
                echoes.wait(&there, words, at(0), patience).await
            })
        };
        tokio::task::yield_now().await;
        echoes.heard(&there, &"m3".into(), words, at(4));
        assert_eq!(waiting.await.expect("it ends"), Some("m3".into()));
        let begun = Instant::now();
        let patience = Duration::from_millis(20);
        assert_eq!(echoes.wait(&there, words, at(0), patience).await, None);
        assert!(begun.elapsed() >= patience);
    }
}
