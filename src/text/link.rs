//! Links: whether two messages are about one event.
//!
//! Points for what both say: number plates, telephones, accounts and links weigh
//! most, then the place and the rare words; a different kind of incident or times
//! that cannot meet count against. Weak evidence never links: too few points are none.

use std::collections::VecDeque;
use std::hash::Hasher;

use chrono::{DateTime, Duration, FixedOffset};
use unicode_normalization::UnicodeNormalization;

use crate::domain::reading::{Category, Facts, Outcome, Reading, UpdateKind};
use crate::text::fold::fold;
use crate::text::lexicon::{Lexicon, Mix};

/// Two messages with this many points are about one event.
const ENOUGH: i32 = 10;
/// An update says by itself that there is an earlier message.
const ENOUGH_FOR_UPDATE: i32 = 6;
/// How long an event is talked about.
const AGE: i64 = 72;
/// The most that a place, a time, being soon and the words can add.
const PLACE: i32 = 6;
const TIME: i32 = 2;
const AGED: i32 = 2;
const WORDS: i32 = 3;
/// Messages kept to compare with.
const KEPT: usize = 512;

/// A set of words or of pairs of words, as sorted hashes: every report is compared with hundreds of
/// earlier ones, and two sorted lists are compared in one pass.
#[derive(Debug, Clone, Default)]
struct Bag(Box<[u64]>);

impl Bag {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are in both.
    fn common(&self, other: &Self) -> usize {
        let (mut one, mut two, mut common) = (0, 0, 0);
        while let (Some(a), Some(b)) = (self.0.get(one), other.0.get(two)) {
            common += usize::from(a == b);
            one += usize::from(a <= b);
            two += usize::from(b <= a);
        }
        common
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.len() <= other.len() && self.common(other) == self.len()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Bag {
    fn from_iter<I: IntoIterator<Item = T>>(words: I) -> Self {
        let hash = |word: T| {
            let mut hasher = Mix::default();
            hasher.write(word.as_ref().as_bytes());
            hasher.finish()
        };
        let mut all: Vec<u64> = words.into_iter().map(hash).collect();
        all.sort_unstable();
        all.dedup();
        Self(all.into())
    }
}

/// What is kept of a message to compare later ones with.
#[derive(Debug, Clone)]
pub struct Told {
    id: String,
    sent_at: DateTime<FixedOffset>,
    facts: Facts,
    update: Option<UpdateKind>,
    /// The words of the place that say which one it is.
    place: Bag,
    /// The same with their marks, when it has any: "cầu Ba Lan" is not "cầu Bà Lan".
    marked_place: Bag,
    words: Bag,
    /// Pairs of words that are a name: "bé Na", "Năm Lưới".
    names: Bag,
    /// All pairs of words, to find another's names in.
    pairs: Bag,
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

impl Told {
    /// What is to be kept of a message; nothing when it tells of no event.
    pub fn new(
        id: &str,
        text: &str,
        sent_at: DateTime<FixedOffset>,
        reading: &Reading,
        lexicon: &Lexicon,
    ) -> Option<Self> {
        let facts = reading.incidents.first()?;
        let update = match &reading.outcome {
            Outcome::Update(kind) => Some(*kind),
            Outcome::Report => None,
            _ => return None,
        };
        let place = facts.place.as_deref().unwrap_or("");
        Some(Self {
            id: id.to_owned(),
            sent_at,
            facts: facts.clone(),
            update,
            place: words(place)
                .filter(|word| !lexicon.is_common_in_places(word))
                .collect(),
            marked_place: marked(place),
            words: words(text).collect(),
            names: pairs(text, lexicon, true),
            pairs: pairs(text, lexicon, false),
        })
    }
}

impl Memory {
    /// Finds the earlier message a new one is about, and remembers the new one.
    pub fn link(&mut self, told: Told) -> Option<Link> {
        let enough = if told.update.is_some() {
            ENOUGH_FOR_UPDATE
        } else {
            ENOUGH
        };
        let best = self
            .told
            .iter()
            .rev()
            .filter(|earlier| {
                (told.sent_at - earlier.sent_at).abs() <= Duration::hours(AGE)
                    && earlier.sent_at <= told.sent_at
            })
            .filter_map(|earlier| Some((compare(earlier, &told, enough)?, earlier)))
            .filter(|(tally, _)| tally.points >= enough)
            .max_by_key(|(tally, _)| tally.points)
            .map(|(tally, earlier)| Link {
                id: earlier.id.clone(),
                points: tally.points,
                why: tally.why(),
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
fn marked(place: &str) -> Bag {
    if place.is_ascii() {
        return Bag::default();
    }
    place
        .nfc()
        .collect::<String>()
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Words that follow each other, folded; `names`: only those that name somebody or something.
fn pairs(text: &str, lexicon: &Lexicon, names: bool) -> Bag {
    let mut found = Vec::new();
    let mut last = "";
    // In capitals everything looks like a name.
    if names && !text.chars().any(char::is_lowercase) {
        return Bag::default();
    }
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let joins = word.starts_with(char::is_alphanumeric) && !last.is_empty();
        let capital = |word: &str| word.starts_with(char::is_uppercase);
        let named = capital(bare) && (capital(last) || lexicon.is_title(&fold(last)));
        if joins && (named || !names) {
            let pair = fold(&format!("{last} {bare}"));
            if !lexicon.is_common_name(&pair) {
                found.push(pair);
            }
        }
        last = if word.ends_with(char::is_alphanumeric) {
            bare
        } else {
            ""
        };
    }
    found.into_iter().collect()
}

fn shared(one: &[String], other: &[String]) -> i32 {
    i32::try_from(one.iter().filter(|value| other.contains(value)).count()).unwrap_or(0)
}

/// Points and the reasons for them.
#[derive(Default)]
struct Tally {
    points: i32,
    reasons: [&'static str; 12],
    count: usize,
}

impl Tally {
    fn add(&mut self, weight: i32, reason: &'static str) {
        if weight != 0 {
            self.points += weight;
            if let Some(free) = self.reasons.get_mut(self.count) {
                *free = reason;
                self.count += 1;
            }
        }
    }

    fn why(&self) -> String {
        self.reasons.get(..self.count).unwrap_or(&[]).join(", ")
    }
}

/// The points for two messages and what speaks for them; nothing as soon as there cannot be enough.
fn compare(earlier: &Told, later: &Told, enough: i32) -> Option<Tally> {
    let update = later.update;
    let (a, b) = (&earlier.facts, &later.facts);
    let accounts = a.accounts.iter().any(|account| {
        b.accounts
            .iter()
            .any(|other| other.number == account.number)
    });
    // The same number is the same matter, wherever and whenever it turns up.
    let numbers = shared(&a.plates, &b.plates) + shared(&a.phones, &b.phones);
    let known = accounts || numbers + shared(&a.urls, &b.urls) > 0;
    let mut tally = Tally::default();
    tally.add(7 * shared(&a.plates, &b.plates).min(1), "plate");
    tally.add(5 * shared(&a.phones, &b.phones).min(1), "phone");
    tally.add(6 * shared(&a.urls, &b.urls).min(1), "link");
    tally.add(7 * i32::from(accounts), "account");
    let same_kind = a
        .categories
        .iter()
        .any(|category| b.categories.contains(category));
    let unknown = |facts: &Facts| facts.primary == Category::Other;
    if same_kind {
        tally.add(3, "kind");
    } else if !unknown(a) && !unknown(b) {
        tally.add(if update.is_some() { -2 } else { -6 }, "another kind");
    }
    let named = |one: &Told, other: &Told| one.names.common(&other.pairs) > 0;
    let name = named(earlier, later) || named(later, earlier);
    tally.add(5 * i32::from(name), "name");
    if tally.points + PLACE + TIME + AGED + WORDS < enough {
        return None;
    }
    let (mut places, mut least) = (
        earlier.place.common(&later.place),
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
        && one.common(other) < places;
    if least > 0 && places == least && !other_marks {
        tally.add(4 + i32::try_from(places.min(2)).unwrap_or(0), "place");
    } else if least > 0 && places > 0 {
        tally.add(2, "part of the place");
    } else if least > 0 && !known {
        // What was lost is found elsewhere.
        tally.add(if update.is_some() { -2 } else { -4 }, "another place");
    }
    if tally.points + TIME + AGED + WORDS < enough {
        return None;
    }
    if let (Some(first), Some(second)) = (&a.time, &b.time)
        && !known
    {
        let apart = first.start() - second.end() > Duration::hours(2)
            || second.start() - first.end() > Duration::hours(2);
        tally.add(
            if apart { -5 } else { 2 },
            if apart { "another time" } else { "time" },
        );
    }
    let age = later.sent_at - earlier.sent_at;
    tally.add(
        if age <= Duration::hours(2) {
            2
        } else {
            i32::from(age <= Duration::hours(24))
        },
        "soon after",
    );
    let common = earlier.words.common(&later.words);
    let all = earlier.words.len().min(later.words.len()).max(1);
    tally.add(
        if common * 10 >= all * 6 {
            3
        } else {
            i32::from(common * 10 >= all * 4)
        },
        "words",
    );
    Some(tally)
}
