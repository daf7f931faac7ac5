//! Links: whether two messages are about one event.
//!
//! Points for what both say: number plates, telephones, accounts and links weigh
//! most, then the place and the rare words; a different kind of incident or times
//! that cannot meet count against. Weak evidence never links: too few points are none.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Duration, FixedOffset};
use unicode_normalization::UnicodeNormalization;

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
    /// The words of the place that say which one it is.
    place: HashSet<String>,
    /// The same with their marks, when it has any: "cầu Ba Lan" is not "cầu Bà Lan".
    marked_place: HashSet<String>,
    words: HashSet<String>,
    /// Pairs of words that are a name: "bé Na", "Năm Lưới".
    names: HashSet<String>,
    /// All pairs of words, to find another's names in.
    pairs: HashSet<String>,
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
            marked_place: marked(facts.place.as_deref().unwrap_or("")),
            words: words(text).collect(),
            names: pairs(text, lexicon, true),
            pairs: pairs(text, lexicon, false),
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

/// The words of a place as typed, when it is typed with marks.
fn marked(place: &str) -> HashSet<String> {
    if place.is_ascii() {
        return HashSet::new();
    }
    place
        .nfc()
        .collect::<String>()
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Words that follow each other, folded; `names`: only those that name somebody or something.
fn pairs(text: &str, lexicon: &Lexicon, names: bool) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut last = "";
    // In capitals everything looks like a name.
    if names && !text.chars().any(char::is_lowercase) {
        return found;
    }
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let joins = word.starts_with(char::is_alphanumeric) && !last.is_empty();
        let capital = |word: &str| word.starts_with(char::is_uppercase);
        let named = capital(bare) && (capital(last) || lexicon.is_title(&fold(last)));
        if joins && (named || !names) {
            let pair = fold(&format!("{last} {bare}"));
            if !lexicon.is_common_name(&pair) {
                found.insert(pair);
            }
        }
        last = if word.ends_with(char::is_alphanumeric) {
            bare
        } else {
            ""
        };
    }
    found
}

fn shared(one: &[String], other: &[String]) -> i32 {
    i32::try_from(one.iter().filter(|value| other.contains(value)).count()).unwrap_or(0)
}

fn compare(earlier: &Told, later: &Told, update: Option<UpdateKind>) -> (i32, String) {
    let (a, b) = (&earlier.facts, &later.facts);
    let accounts = a.accounts.iter().any(|account| {
        b.accounts
            .iter()
            .any(|other| other.number == account.number)
    });
    // The same number is the same matter, wherever and whenever it turns up.
    let numbers = shared(&a.plates, &b.plates) + shared(&a.phones, &b.phones);
    let known = accounts || numbers + shared(&a.urls, &b.urls) > 0;
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
    let named = |one: &Told, other: &Told| one.names.iter().any(|name| other.pairs.contains(name));
    let name = named(earlier, later) || named(later, earlier);
    add(5 * i32::from(name), "name");
    let (mut places, mut least) = (
        earlier.place.intersection(&later.place).count(),
        earlier.place.len().min(later.place.len()),
    );
    // The place of the one is spoken of in the other, though not as its place.
    let spoken_of =
        |one: &Told, other: &Told| one.place.len() > 1 && one.place.is_subset(&other.words);
    if places < least && (spoken_of(earlier, later) || spoken_of(later, earlier)) {
        (places, least) = (2, 2);
    }
    let (one, other) = (&earlier.marked_place, &later.marked_place);
    let other_marks = !one.is_empty()
        && !other.is_empty()
        && !one.is_subset(other)
        && !other.is_subset(one)
        && one.intersection(other).count() < places;
    if least > 0 && places == least && !other_marks {
        add(4 + i32::try_from(places.min(2)).unwrap_or(0), "place");
    } else if least > 0 && places > 0 {
        add(2, "part of the place");
    } else if least > 0 && !known {
        // What was lost is found elsewhere.
        add(if update.is_some() { -2 } else { -4 }, "another place");
    }
    if let (Some(first), Some(second)) = (&a.time, &b.time)
        && !known
    {
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
