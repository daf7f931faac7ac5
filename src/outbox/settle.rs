//! What becomes of a row after a try: what happened is one thing, what we do about it another.
//!
//! No platform recognises a repeated message, so a try that went unanswered is never simply tried
//! again. An alert may be repeated once in a room, when the ward has chosen so; a receipt, an answer or
//! a digest never is. After a crash a receipt or answer is repeated all the same, once for each crash:
//! nobody saw whether it left, and a resident must not be left without a code. A program that dies again
//! and again gives it up when an answer would.
//!
//! Pure: a table of outcomes and ages.

use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Pinned;
use crate::domain::delivery::SendOutcome;
use crate::domain::delivery::Settled;

/// The first pause after a fault that will pass; it doubles with each try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two tries of one row.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// How long it is tried to take down what is pinned and holds no more: it would stay there for ever.
const UNPIN_PATIENCE: Duration = Duration::from_secs(7 * 86_400);

/// How often a row is tried that the platform denies without a reason.
const DENIED_TRIES: u16 = 5;

/// What is done about an alert nobody knows the end of (config key `outbox.unknown`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// Once more, at most once in a room; the report counts it as perhaps there twice.
    #[default]
    Resend,
    /// Left to the officer.
    Hold,
}

/// How long and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// About alerts that went unanswered.
    pub unknown: OnUnknown,
    /// How long an answer or receipt is tried while the platform is away.
    pub reply_patience: Duration,
    /// How long a digest is.
    pub bulk_patience: Duration,
    /// How long the answer to a pressed button is: the platforms forget a press soon.
    pub press_patience: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            unknown: OnUnknown::default(),
            reply_patience: Duration::from_secs(3600),
            bulk_patience: Duration::from_secs(6 * 3600),
            press_patience: Duration::from_secs(20),
        }
    }
}

impl Policy {
    /// When a row that has not arrived is given up. An alert is tried as long as it is in force.
    #[must_use]
    pub fn deadline(&self, row: &Delivery, alert_expires: Option<Time>) -> Time {
        let patience = match (&row.body, row.lane) {
            (Body::Alert { .. }, _) => {
                return alert_expires.unwrap_or(row.queued_at + in_time(self.bulk_patience));
            }
            (Body::PressAnswer { .. }, _) => self.press_patience,
            (
                Body::Pin {
                    pinned: Pinned::NoLonger { .. },
                    ..
                },
                _,
            ) => UNPIN_PATIENCE,
            (_, Lane::Bulk) => self.bulk_patience,
            (_, Lane::Urgent | Lane::Reply) => self.reply_patience,
        };
        row.queued_at + in_time(patience)
    }
}

/// What becomes of a row after its `attempt`-th try (from 1).
///
/// `alert_expires` is until when the row's alert is in force. The room of a [`SendOutcome::Moved`] must
/// be re-keyed by the caller, and an account that is refused must be rested by it.
#[must_use]
pub fn after(
    outcome: &SendOutcome,
    row: &Delivery,
    attempt: u16,
    alert_expires: Option<Time>,
    policy: &Policy,
    now: Time,
) -> Settled {
    let again = |due: Time| Settled::Again {
        due,
        room: None,
        maybe_twice: row.maybe_twice,
    };
    match outcome {
        SendOutcome::Accepted(message) => Settled::Sent(message.clone()),
        SendOutcome::SlowDown { wait, .. } => again(now + in_time(*wait)),
        SendOutcome::NotNow(why) => {
            let due = now + in_time(pause(row.id.0, attempt));
            if due < policy.deadline(row, alert_expires) {
                again(due)
            } else {
                Settled::Failed(format!("given up after {attempt} tries: {why}"))
            }
        }
        SendOutcome::Denied(why) => {
            let due = now + in_time(pause(row.id.0, attempt));
            if attempt < DENIED_TRIES && due < policy.deadline(row, alert_expires) {
                again(due)
            } else {
                Settled::Failed(format!("denied {attempt} times: {why}"))
            }
        }
        SendOutcome::Refused { why, .. } | SendOutcome::Closed(why) => Settled::Failed(why.clone()),
        // The account is rested; the row keeps its place.
        SendOutcome::AccountRefused(_) => again(now),
        SendOutcome::Moved(room) => Settled::Again {
            due: now,
            room: Some(room.clone()),
            maybe_twice: row.maybe_twice,
        },
        SendOutcome::Unknown(why) => {
            // Pinning what is pinned is not seen by anyone.
            if matches!(row.body, Body::Pin { .. }) && !row.maybe_twice {
                return once_more(now + in_time(pause(row.id.0, 1)));
            }
            let resend = matches!(row.body, Body::Alert { .. })
                && policy.unknown == OnUnknown::Resend
                && !row.maybe_twice
                && alert_expires.is_none_or(|expires| now < expires);
            if resend {
                // A little later: what hung may still be on its way, and the fault may pass.
                once_more(now + in_time(pause(row.id.0, 1)))
            } else {
                Settled::Unknown(why.clone())
            }
        }
    }
}

/// What becomes of a row that was claimed by a process that is no more.
#[must_use]
pub fn after_crash(row: &Delivery, policy: &Policy, now: Time) -> Settled {
    let why = "the program ended while it was sent".to_owned();
    match &row.body {
        // Whoever pressed has long gone on.
        Body::PressAnswer { .. } => Settled::Failed(why),
        // Changing our own message to the same words twice is not seen by anyone.
        Body::Text(post) if post.edits.is_some() => once_more(now),
        Body::Progress { edits: Some(_), .. } | Body::Pin { .. } => once_more(now),
        Body::Alert { .. } => match policy.unknown {
            // Once only: this one went unanswered before.
            OnUnknown::Resend if !row.maybe_twice => once_more(now),
            OnUnknown::Resend | OnUnknown::Hold => Settled::Unknown(why),
        },
        Body::Text(_) if row.lane == Lane::Bulk => Settled::Unknown(why),
        // Two crashes in a row say nothing of whether it left even once.
        Body::Text(_) | Body::Receipt { .. } | Body::Progress { edits: None, .. } => {
            if now < policy.deadline(row, None) {
                once_more(now)
            } else {
                Settled::Unknown(why)
            }
        }
    }
}

fn once_more(due: Time) -> Settled {
    Settled::Again {
        due,
        room: None,
        maybe_twice: true,
    }
}

/// How long to wait after the `attempt`-th try: doubling, up to [`LONGEST_PAUSE`], and up to a quarter
/// more or less, so that rows that failed together do not come back together.
#[must_use]
pub fn pause(seed: u64, attempt: u16) -> Duration {
    let doublings = u32::from(attempt.saturating_sub(1).min(12));
    let whole = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
    // SplitMix64: the same row and try always wait alike, so that tests and replays agree.
    let mut z = seed
        .wrapping_add(u64::from(attempt) << 48)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let thousandths = 750 + u32::try_from((z ^ (z >> 31)) % 500).unwrap_or(250);
    whole * thousandths / 1000
}

/// A duration on the wall; what is longer than the calendar is a hundred years.
pub(super) fn in_time(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration)
        .unwrap_or(TimeDelta::MAX)
        .min(TimeDelta::days(36_500))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::delivery::DeliveryState;
    use crate::domain::delivery::Post;
    use crate::domain::ids::AccountName;
    use crate::domain::ids::AlertId;
    use crate::domain::ids::DeliveryId;
    use crate::domain::ids::IncidentId;
    use crate::domain::ids::MessageId;
    use crate::domain::ids::RoomId;

    fn at(seconds: i64) -> Time {
        from_unix_ms(1_800_000_000_000 + seconds * 1000)
    }

    fn room(native: &str) -> RoomId {
        RoomId::new(AccountName::parse("tg1").unwrap(), native)
    }

    fn row(lane: Lane, body: Body) -> Delivery {
        Delivery {
            id: DeliveryId(7),
            room: room("a"),
            thread: None,
            lane,
            body,
            state: DeliveryState::Sending { since: at(0) },
            attempts: 0,
            maybe_twice: false,
            queued_at: at(0),
        }
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

    fn receipt() -> Delivery {
        row(
            Lane::Reply,
            Body::Receipt {
                incident: IncidentId(1204),
                reply_to: None,
                text: "Đã ghi nhận".into(),
                asks: None,
            },
        )
    }

    fn digest() -> Delivery {
        row(Lane::Bulk, Body::Text(Post::default()))
    }

    fn answer() -> Delivery {
        row(Lane::Reply, Body::Text(Post::default()))
    }

    fn press() -> Delivery {
        row(
            Lane::Reply,
            Body::PressAnswer {
                press: "1".into(),
                text: String::new(),
            },
        )
    }

    fn progress(edits: Option<DeliveryId>) -> Delivery {
        row(
            Lane::Reply,
            Body::Progress {
                alert: AlertId(1),
                edits,
            },
        )
    }

    fn twice(mut row: Delivery) -> Delivery {
        row.maybe_twice = true;
        row
    }

    fn name(settled: &Settled) -> &'static str {
        match settled {
            Settled::Sent(_) => "sent",
            Settled::Unknown(_) => "unknown",
            Settled::Failed(_) => "failed",
            Settled::Again {
                maybe_twice: false, ..
            } => "again",
            Settled::Again {
                maybe_twice: true, ..
            } => "once more",
        }
    }

    const HOLD: Policy = Policy {
        unknown: OnUnknown::Hold,
        reply_patience: Duration::from_secs(3600),
        bulk_patience: Duration::from_secs(6 * 3600),
        press_patience: Duration::from_secs(20),
    };

    #[test]
    fn a_row_that_is_denied_is_tried_five_times() {
        let denied = SendOutcome::Denied("internal server error".into());
        let ends: Vec<_> = (1..=6)
            .map(|attempt| {
                let policy = Policy::default();
                let settled = after(&denied, &alert(), attempt, None, &policy, at(0));
                name(&settled)
            })
            .collect();
        assert_eq!(
            ends,
            ["again", "again", "again", "again", "failed", "failed"]
        );
    }

    #[test]
    fn each_outcome_has_its_end() {
        let resend = Policy::default();
        let silence = SendOutcome::Unknown("no answer in 20 s".into());
        let away = SendOutcome::NotNow("connection refused".into());
        let refused = SendOutcome::Refused {
            why: "bot was kicked".into(),
            room_gone: true,
        };
        let token = SendOutcome::AccountRefused("unauthorised".into());
        let slow = SendOutcome::SlowDown {
            wait: Duration::from_secs(9),
            whole_account: false,
        };
        let check = |outcome: &SendOutcome, row: Delivery, policy: &Policy, now: i64, end| {
            let settled = after(outcome, &row, 1, Some(at(86_400)), policy, at(now));
            assert_eq!(name(&settled), end, "{outcome:?} {row:?} at {now}");
        };
        check(
            &SendOutcome::Accepted(Some(MessageId::from(5))),
            alert(),
            &resend,
            0,
            "sent",
        );
        check(&silence, alert(), &resend, 0, "once more");
        check(&silence, twice(alert()), &resend, 0, "unknown");
        check(&silence, alert(), &HOLD, 0, "unknown");
        check(&silence, alert(), &resend, 86_400, "unknown");
        for row in [
            receipt(),
            answer(),
            digest(),
            press(),
            progress(None),
            progress(Some(DeliveryId(1))),
        ] {
            check(&silence, row, &resend, 0, "unknown");
        }
        check(&away, alert(), &resend, 86_000, "again");
        check(&away, twice(alert()), &resend, 86_000, "once more");
        check(&away, alert(), &resend, 86_400, "failed");
        check(&away, receipt(), &resend, 3000, "again");
        check(&away, receipt(), &resend, 3600, "failed");
        check(&away, digest(), &resend, 3600, "again");
        check(&away, press(), &resend, 19, "failed");
        for row in [alert(), receipt(), digest()] {
            check(&refused, row.clone(), &resend, 0, "failed");
            check(&token, row.clone(), &resend, 999_999, "again");
            check(&slow, row, &resend, 999_999, "again");
        }
        assert_eq!(
            after(&slow, &alert(), 1, None, &resend, at(5)),
            Settled::Again {
                due: at(14),
                room: None,
                maybe_twice: false
            }
        );
        assert_eq!(
            after(
                &SendOutcome::Moved(room("b")),
                &alert(),
                1,
                None,
                &resend,
                at(5)
            ),
            Settled::Again {
                due: at(5),
                room: Some(room("b")),
                maybe_twice: false
            }
        );
    }

    #[test]
    fn after_a_crash_a_resident_is_not_left_without_a_code() {
        let resend = Policy::default();
        let check = |row: Delivery, policy: &Policy, end| {
            assert_eq!(name(&after_crash(&row, policy, at(9))), end, "{row:?}");
        };
        check(receipt(), &resend, "once more");
        check(receipt(), &HOLD, "once more");
        check(answer(), &resend, "once more");
        check(twice(receipt()), &resend, "once more");
        check(twice(answer()), &resend, "once more");
        let much_later = after_crash(&receipt(), &resend, at(3601));
        assert_eq!(name(&much_later), "unknown");
        check(digest(), &resend, "unknown");
        check(press(), &resend, "failed");
        check(alert(), &resend, "once more");
        check(alert(), &HOLD, "unknown");
        check(twice(alert()), &resend, "unknown");
        check(progress(Some(DeliveryId(1))), &resend, "once more");
        check(twice(progress(Some(DeliveryId(1)))), &resend, "once more");
    }

    proptest! {
        #[test]
        fn pauses_grow_and_stay_bounded(seed: u64, attempt: u16) {
            let pause = pause(seed, attempt);
            prop_assert!(pause >= FIRST_PAUSE * 3 / 4);
            prop_assert!(pause <= LONGEST_PAUSE * 5 / 4);
            let double = FIRST_PAUSE * 2_u32.pow(u32::from(attempt.clamp(1, 7)) - 1);
            prop_assert!(pause >= double * 3 / 4);
        }

        #[test]
        fn any_wait_is_a_moment(seconds: u64) {
            let slow = SendOutcome::SlowDown { wait: Duration::from_secs(seconds), whole_account: true };
            let again = matches!(
                after(&slow, &receipt(), 1, None, &Policy::default(), at(0)),
                Settled::Again { .. }
            );
            prop_assert!(again);
        }
    }
}
