//! Urgency: whether somebody should act now.
//!
//! It follows from the kind of incident and the words about its state: going on,
//! over, habitual, dangerous, begging for help. Nuisances are never urgent by
//! themselves, and what is over is not. What these rules say is one sign among
//! others; all of them together decide: see [`kinds`].

use chrono::{DateTime, Duration, FixedOffset};

use crate::domain::reading::{Category as C, When};
use crate::text::Page;
use crate::text::kinds::{self, Hour};
use crate::text::lexicon::{Hit, State, What};

/// The verdict and the words that decided it.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// Somebody should act now.
    pub urgent: bool,
    /// The deciding words, when there are any.
    pub because: Option<Hit>,
}

/// "bắt được" inside "chưa bắt được", "đang ở" inside "đang ở nhờ".
fn inside_another(page: &Page<'_>, hit: &Hit) -> bool {
    page.hits_near(hit.from).iter().any(|other| {
        let tells = matches!(
            other.what,
            What::Mask
                | What::State(
                    State::Ongoing | State::Over | State::Habit | State::Found | State::Hearsay
                )
        );
        tells
            && other.from <= hit.from
            && other.to >= hit.to
            && other.to - other.from > hit.to - hit.from
            && other.what != hit.what
    })
}

/// How the hour of what is told stands to the moment it was sent.
pub fn hour(now: DateTime<FixedOffset>, time: Option<&When>) -> Hour {
    let Some(time) = time else {
        return Hour::None;
    };
    let (began, ended) = (now - time.start(), now - time.end());
    if began < -Duration::minutes(30) {
        Hour::Ahead
    } else if ended > Duration::minutes(40) {
        Hour::Past
    } else if began <= Duration::minutes(35) {
        Hour::Now
    } else {
        Hour::Lasting
    }
}

/// Somebody should act now, as far as all that is shown says.
pub fn is(weights: &[i32; kinds::COLUMNS]) -> bool {
    weights[kinds::URGENCY] > 0
}

/// What the rules make of tokens `from..to`.
pub fn judge(page: &Page<'_>, from: usize, to: usize, primary: C, time: Option<&When>) -> Verdict {
    let state = |state: State| {
        if !page.tells(state) {
            return None;
        }
        page.told
            .iter()
            .filter(|hit| hit.what == What::State(state) && hit.from >= from && hit.to <= to)
            .filter(|hit| !inside_another(page, hit))
            .max_by_key(|hit| hit.to - hit.from)
            .copied()
    };
    let ongoing = state(State::Ongoing);
    let help = state(State::Help);
    let danger = state(State::Danger);
    let over = state(State::Over);
    let habit = state(State::Habit);
    let found = state(State::Found);
    let now = page.now;
    // Ended long enough ago that nothing is going on because of the time alone.
    let past = time.is_some_and(|time| match time {
        When::At(at) => now - *at > Duration::minutes(40),
        When::Between(_, end) => now - *end > Duration::minutes(40),
    });
    let ahead = time.is_some_and(|time| time.start() > now + Duration::minutes(30));
    let fresh = time.is_some_and(|time| {
        (now - time.end()).abs() <= Duration::minutes(40)
            && now - time.start() <= Duration::hours(4)
    });
    // Told with the hour it happened at, and that hour is not this very moment.
    let told_after = time.is_some_and(|time| {
        now - time.end() > Duration::minutes(4) || now - time.start() > Duration::minutes(35)
    });
    let is = |urgent: bool, because: Option<Hit>| Verdict { urgent, because };
    let still = ongoing.is_some() && !past;
    let strong_still = ongoing.is_some_and(|hit| hit.to - hit.from > 1);
    // A lost child that was found still waits for its family.
    let waits = primary == C::MissingPerson && strong_still;
    if found.is_some() && !waits || ahead {
        return is(false, found);
    }
    match primary {
        C::MissingPerson => is(over.is_none() || ongoing.is_some(), ongoing.or(over)),
        C::Fire => {
            if habit.is_some() && help.is_none() && danger.is_none() {
                return is(false, habit);
            }
            if let (Some(over), false) = (over, strong_still) {
                return is(false, Some(over));
            }
            is(!past || strong_still, ongoing.or(help))
        }
        C::Robbery | C::DisorderFight | C::DomesticViolence => {
            if strong_still {
                return is(true, ongoing);
            }
            if let Some(over) = over {
                return is(still && help.is_some(), Some(over));
            }
            if past || told_after && ongoing.is_none() {
                return is(false, None);
            }
            if habit.is_some() && help.is_none() && ongoing.is_none() {
                return is(false, habit);
            }
            is(true, ongoing.or(help))
        }
        C::Gambling | C::Drugs => {
            let begun = time.is_some_and(|time| now - time.end() <= Duration::hours(6));
            if (past && !(strong_still && begun))
                || over.is_some()
                || habit.is_some() && !strong_still
            {
                return is(false, habit.or(over));
            }
            let sitting = time.is_none() && page.tells(State::Session);
            is(
                ongoing.is_some() || help.is_some() || fresh || sitting,
                ongoing.or(help),
            )
        }
        C::Theft => {
            if over.is_some() || past || habit.is_some() {
                return is(strong_still && over.is_none(), over.or(habit));
            }
            is(
                ongoing.is_some() || (help.is_some() && fresh),
                ongoing.or(help),
            )
        }
        C::Traffic => {
            let crash = state(State::Accident).is_some();
            let accident = crash;
            if strong_still && accident || danger.is_some() && !past && habit.is_none() {
                return is(over.is_none() || strong_still, ongoing.or(danger));
            }
            if over.is_some() || past || habit.is_some() {
                return is(false, over.or(habit));
            }
            is(
                crash || accident && (help.is_some() || fresh),
                ongoing.or(help),
            )
        }
        C::SuspiciousPerson => {
            if (past || over.is_some()) && !strong_still {
                return is(false, over);
            }
            // Without a time they are there as it is written.
            let there = time.is_none();
            is(
                (ongoing.is_some() || help.is_some() || fresh || there)
                    && (habit.is_none() || strong_still),
                ongoing.or(help),
            )
        }
        C::Animal => {
            // What was loose yesterday is not loose for ever.
            let long_past = time.is_some_and(|time| now - time.end() > Duration::hours(12));
            if over.is_some()
                || past && (!strong_still || long_past && danger.is_none())
                || habit.is_some() && !strong_still
            {
                return is(false, over.or(habit));
            }
            is(
                ongoing.is_some() || danger.is_some() || help.is_some() || fresh,
                ongoing.or(danger).or(help),
            )
        }
        C::IllegalExplosivesWeapons => {
            if habit.is_some() && !strong_still || over.is_some() && danger.is_none() {
                return is(false, habit.or(over));
            }
            is(
                still || danger.is_some() || help.is_some() || fresh,
                ongoing.or(danger).or(help),
            )
        }
        C::Other => {
            if habit.is_some() && danger.is_none() || past && !strong_still {
                return is(false, habit);
            }
            is(
                danger.is_some() || help.is_some() || strong_still,
                danger.or(help).or(ongoing),
            )
        }
        C::FraudScam => is(still && help.is_some() && over.is_none(), help),
        _ => {
            let harm = danger.or(state(State::Health));
            let now = still || help.is_some();
            is(harm.is_some() && now && habit.is_none(), harm)
        }
    }
}
