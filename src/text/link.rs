//! Links: whether two messages are about one event.
//!
//! Points for what both say: number plates, telephones, accounts and links weigh
//! most, then the place and the rare words; a different kind of incident or times
//! that cannot meet count against. Weak evidence never links: too few points are none.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Duration, FixedOffset};

use crate::domain::reading::{Category, Facts, Outcome, Reading, UpdateKind};
use crate::text::fold::fold;
use crate::text::lexicon::Lexicon;

/// Two messages with this many points are about one event.
const ENOUGH: i32 = 10;
/// An update says by itself that there is an earlier message.
const ENOUGH_FOR_UPDATE: i32 = 6;
/// How long an event is talked about.
const AGE: i64 = 72;
/// Messages kept to compare with.
const KEPT: usize = 512;

/// What is kept of a message to compare later ones with.
#[derive(Debug, Clone)]
struct Told {
    id: String,
    sent_at: DateTime<FixedOffset>,
    facts: Facts,
    place: HashSet<String>,
    words: HashSet<String>,
}

/// The messages read so far, as far as they can still be linked to.
#[derive(Debug, Default)]
pub struct Memory {
    told: VecDeque<Told>,
}

/// An earlier message about the same event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: String,
    /// The points for it.
    pub points: i32,
    /// What speaks for it.
    pub why: String,
}

impl Memory {
    /// Finds the earlier message a new one is about, and remembers the new one.
    pub fn link(
        &mut self,
        id: &str,
        text: &str,
        sent_at: DateTime<FixedOffset>,
        reading: &Reading,
        lexicon: &Lexicon,
    ) -> Option<Link> {
        let facts = reading.incidents.first()?;
        let update = match &reading.outcome {
            Outcome::Update(kind) => Some(*kind),
            Outcome::Report => None,
            _ => return None,
        };
        let told = Told {
            id: id.to_owned(),
            sent_at,
            facts: facts.clone(),
            place: words(facts.place.as_deref().unwrap_or(""))
                .filter(|word| !lexicon.is_common_in_places(word))
                .collect(),
            words: words(text).collect(),
        };
        let enough = if update.is_some() {
            ENOUGH_FOR_UPDATE
        } else {
            ENOUGH
        };
        let best = self
            .told
            .iter()
            .rev()
            .filter(|earlier| {
                (sent_at - earlier.sent_at).abs() <= Duration::hours(AGE)
                    && earlier.sent_at <= sent_at
            })
            .map(|earlier| (compare(earlier, &told, update), earlier))
            .filter(|((points, _), _)| *points >= enough)
            .max_by_key(|((points, _), _)| *points)
            .map(|((points, why), earlier)| Link {
                id: earlier.id.clone(),
                points,
                why,
            });
        if self.told.len() == KEPT {
            self.told.pop_front();
        }
        self.told.push_back(told);
        best
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 1 || word.chars().all(|c| c.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

fn shared(one: &[String], other: &[String]) -> i32 {
    i32::try_from(one.iter().filter(|value| other.contains(value)).count()).unwrap_or(0)
}

fn compare(earlier: &Told, later: &Told, update: Option<UpdateKind>) -> (i32, String) {
    let (a, b) = (&earlier.facts, &later.facts);
    let mut points = 0;
    let mut why = Vec::new();
    let mut add = |weight: i32, reason: &'static str| {
        if weight != 0 {
            points += weight;
            why.push(reason);
        }
    };
    add(7 * shared(&a.plates, &b.plates).min(1), "plate");
    add(5 * shared(&a.phones, &b.phones).min(1), "phone");
    add(6 * shared(&a.urls, &b.urls).min(1), "link");
    let accounts = a.accounts.iter().any(|account| {
        b.accounts
            .iter()
            .any(|other| other.number == account.number)
    });
    add(7 * i32::from(accounts), "account");
    let same_kind = a
        .categories
        .iter()
        .any(|category| b.categories.contains(category));
    let unknown = |facts: &Facts| facts.primary == Category::Other;
    if same_kind {
        add(3, "kind");
    } else if !unknown(a) && !unknown(b) {
        add(if update.is_some() { -2 } else { -6 }, "another kind");
    }
    let places = earlier.place.intersection(&later.place).count();
    let least = earlier.place.len().min(later.place.len());
    if least > 0 && places == least {
        add(4 + i32::try_from(places.min(2)).unwrap_or(0), "place");
    } else if least > 0 && places > 0 {
        add(2, "part of the place");
    } else if least > 0 {
        add(-4, "another place");
    }
    if let (Some(first), Some(second)) = (&a.time, &b.time) {
        let apart = first.start() - second.end() > Duration::hours(2)
            || second.start() - first.end() > Duration::hours(2);
        add(
            if apart { -5 } else { 2 },
            if apart { "another time" } else { "time" },
        );
    }
    let age = later.sent_at - earlier.sent_at;
    add(
        if age <= Duration::hours(2) {
            2
        } else {
            i32::from(age <= Duration::hours(24))
        },
        "soon after",
    );
    let common = earlier.words.intersection(&later.words).count();
    let all = earlier.words.len().min(later.words.len()).max(1);
    add(
        if common * 10 >= all * 6 {
            3
        } else {
            i32::from(common * 10 >= all * 4)
        },
        "words",
    );
    (points, why.join(", "))
}
