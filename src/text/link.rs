//! Links: whether two messages are about one event.
//!
//! Points for what both say: number plates, telephones, accounts and links weigh
//! most, then the rare words and the place; a different kind of incident, another place
//! or times that cannot meet count against. Weak evidence never links: too few points are none.
//!
//! How rare a word is, or two in a row, is known from the labelled messages: "ngã tư" stands in many,
//! "Loong Toòng" in none. What both messages say and nobody else says is what they are about.
//!
//! An untagged message is not for the bot and stays so; but where all messages of a file are read in
//! turn, one with news of a reported event ("tìm được rồi", "đính chính") says which: see [`Told::overheard`].

use std::collections::VecDeque;
use std::hash::Hasher;

use chrono::{DateTime, Duration, FixedOffset};

use crate::domain::reading::{Category, Facts, Outcome, Reading, UpdateKind};
use crate::text::fold::fold;
use crate::text::lexicon::{Lexicon, Mix};
use crate::text::often::{COUNTED_THINGS, Often, pair};
use crate::text::overhear;
use crate::text::token::{Token, tokens};

/// Two messages with this many points are about one event.
const ENOUGH: i32 = 10;
/// An update says by itself that there is an earlier message.
const ENOUGH_FOR_UPDATE: i32 = 7;
/// What is only overheard may be about anything.
const ENOUGH_OVERHEARD: i32 = 8;
/// Without the same place it says at least so much in the same words.
const LEAST_OVERHEARD: i32 = 5;
/// How long an event is reported again, and how long there is news of it, in hours.
const AGE: i64 = 72;
const AGE_OF_NEWS: i64 = 120;
/// The most that a time, being soon and the words can add.
const TIME: i32 = 2;
const AGED: i32 = 2;
const WORDS: i32 = 9;
/// Words that are shared by so many points outweigh what speaks against.
const PLAIN: i32 = 6;
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

/// The rare words and pairs of a message with what each is worth, by their hashes.
#[derive(Debug, Clone, Default)]
struct Rare(Box<[(u64, u32)]>);

impl Rare {
    fn of(text: &str, often: &Often) -> Self {
        let mut found = Vec::new();
        let mut last: Option<Token> = None;
        let mut tag = false;
        for token in tokens(text) {
            // A tag says what kind of incident it is, and that has been asked for.
            tag = token.before == '#' || tag && !token.spaced;
            if tag {
                last = None;
                continue;
            }
            found.push((token.key, often.word(&token)));
            if let Some(last) = last.filter(|_| !token.breaks() || token.before == '/') {
                found.push((pair(&last, &token), often.pair(&last, &token)));
            }
            last = Some(token);
        }
        found.retain(|(_, worth)| *worth > 0);
        found.sort_unstable();
        found.dedup_by_key(|(hash, _)| *hash);
        Self(found.into())
    }

    /// What they have in common is worth so many points.
    fn common(&self, other: &Self) -> i32 {
        let (mut one, mut two, mut worth) = (0, 0, 0);
        while let (Some((a, points)), Some((b, _))) = (self.0.get(one), other.0.get(two)) {
            worth += if a == b { *points } else { 0 };
            one += usize::from(a <= b);
            two += usize::from(b <= a);
        }
        i32::try_from(worth / 100).unwrap_or(WORDS).min(WORDS)
    }
}

/// What is kept of a message to compare later ones with.
#[derive(Debug, Clone)]
pub struct Told {
    id: String,
    sent_at: DateTime<FixedOffset>,
    facts: Facts,
    update: Option<UpdateKind>,
    /// It was not meant for the bot; it finds its event and is forgotten.
    overheard: bool,
    /// The words of the place that say which one it is.
    place: Bag,
    /// All its words, and all with their marks, when it has any: "cầu Ba Lan" is not "cầu Bà Lan".
    whole_place: Bag,
    marked_place: Bag,
    /// Its words two by two, to find it spoken of.
    place_pairs: Bag,
    rare: Rare,
    /// The rare words outside the place.
    rare_elsewhere: Rare,
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
        Some(Self::of(id, text, sent_at, facts, update, lexicon))
    }

    /// An untagged message with news of something: it may find the event, nothing is kept of it.
    pub fn overheard(
        id: &str,
        text: &str,
        sent_at: DateTime<FixedOffset>,
        lexicon: &Lexicon,
    ) -> Option<Self> {
        let (facts, kind) = overhear(text, lexicon, sent_at)?;
        let told = Self::of(id, text, sent_at, &facts, Some(kind), lexicon);
        Some(Self {
            overheard: true,
            ..told
        })
    }

    fn of(
        id: &str,
        text: &str,
        sent_at: DateTime<FixedOffset>,
        facts: &Facts,
        update: Option<UpdateKind>,
        lexicon: &Lexicon,
    ) -> Self {
        let place = facts.place.as_deref().unwrap_or("");
        Self {
            id: id.to_owned(),
            sent_at,
            facts: facts.clone(),
            update,
            overheard: false,
            place: which_place(place, lexicon),
            whole_place: place_words(place, false),
            marked_place: place_words(place, true),
            place_pairs: pairs(place, lexicon, false),
            rare: Rare::of(text, lexicon.often()),
            rare_elsewhere: Rare::of(&text.replacen(place, "\n", 1), lexicon.often()),
            names: pairs(text, lexicon, true),
            pairs: pairs(text, lexicon, false),
        }
    }
}

impl Memory {
    /// Finds the earlier message a new one is about, and remembers the new one.
    pub fn link(&mut self, told: Told) -> Option<Link> {
        let enough = match told.update {
            _ if told.overheard => ENOUGH_OVERHEARD,
            Some(_) => ENOUGH_FOR_UPDATE,
            None => ENOUGH,
        };
        let age = told.update.map_or(AGE, |_| AGE_OF_NEWS);
        let best = self
            .told
            .iter()
            .rev()
            .filter(|earlier| {
                (told.sent_at - earlier.sent_at).abs() <= Duration::hours(age)
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
        if told.overheard {
            return best;
        }
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

/// The words of a place that say which one it is: those that few places have, else all but the heads.
fn which_place(place: &str, lexicon: &Lexicon) -> Bag {
    let tells = |word: &String| !lexicon.is_common_in_places(word);
    let rare = |word: &String| {
        let often = tokens(word)
            .first()
            .map_or(0, |token| lexicon.often().of(token.key));
        often <= COUNTED_THINGS
    };
    let said: Bag = words(place)
        .filter(|word| tells(word) && rare(word))
        .collect();
    if said.len() > 1 {
        return said;
    }
    words(place).filter(tells).collect()
}

/// The words of a place that is typed with marks: with them, or without.
fn place_words(place: &str, with_marks: bool) -> Bag {
    if place.is_ascii() {
        return Bag::default();
    }
    let marks = |token: &Token| with_marks.then_some(token.marks);
    tokens(place)
        .iter()
        .map(|token| format!("{:x} {:?}", token.key, marks(token)))
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
            let says = !names
                || match tokens(&pair).as_slice() {
                    [first, second] => lexicon.often().pair(first, second) > 0,
                    _ => true,
                };
            if says && !lexicon.is_common_name(&pair) {
                found.push(pair);
            }
        }
        last = if word.ends_with(char::is_alphanumeric) && !word.starts_with('#') {
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
    tally.add(6 * shared(&a.phones, &b.phones).min(1), "phone");
    tally.add(6 * shared(&a.urls, &b.urls).min(1), "link");
    tally.add(7 * i32::from(accounts), "account");
    let (mut places, mut least) = (
        earlier.place.common(&later.place),
        earlier.place.len().min(later.place.len()),
    );
    // The place of the one is spoken of in the other, though not as its place.
    let spoken_of = |one: &Told, other: &Told| {
        one.place.len() > 1
            && !one.place_pairs.is_empty()
            && one.place_pairs.is_subset(&other.pairs)
    };
    if places < least && (spoken_of(earlier, later) || spoken_of(later, earlier)) {
        (places, least) = (2, 2);
    }
    let (one, other) = (&earlier.marked_place, &later.marked_place);
    // A word of the place that is the same without its marks is another with them.
    let other_marks = !one.is_empty()
        && !other.is_empty()
        && one.common(other) < earlier.whole_place.common(&later.whole_place);
    let there = least > 0 && places == least && !other_marks;
    // What is said of the place itself is counted once.
    let words = if there {
        earlier.rare_elsewhere.common(&later.rare_elsewhere)
    } else {
        earlier.rare.common(&later.rare)
    };
    let named = |one: &Told, other: &Told| one.names.common(&other.pairs) > 0;
    let name = named(earlier, later) || named(later, earlier);
    // A name is made of rare words: it counts once.
    let words = if name && !there {
        words.max(3).saturating_add(2).min(WORDS)
    } else {
        words
    };
    let same_kind = a
        .categories
        .iter()
        .any(|category| b.categories.contains(category));
    let unknown = |facts: &Facts| facts.primary == Category::Other;
    if later.overheard {
        // Much else is said of a place where something has happened.
        let same = same_kind && !unknown(b);
        if !there && words < LEAST_OVERHEARD
            || !same && earlier.rare_elsewhere.common(&later.rare_elsewhere) == 0
        {
            return None;
        }
    } else if update.is_none() && !known && !there && !name {
        // Whoever robs or cheats does it to others in the same way.
        return None;
    }
    tally.add(words, if name { "name" } else { "rare words" });
    if same_kind {
        tally.add(3, "kind");
    } else if !later.overheard && !unknown(a) && !unknown(b) {
        let against = if update.is_some() || words >= PLAIN {
            -2
        } else {
            -5
        };
        tally.add(against, "another kind");
    }
    if there {
        tally.add(4 + i32::try_from(places.min(2)).unwrap_or(0), "place");
    } else if least > 0 && places > 0 {
        let against = if update.is_some() { 0 } else { -2 };
        tally.add(against, "another place nearby");
    } else if least > 0 && !known {
        // What was lost is found elsewhere.
        let against = if update.is_some() || name { -2 } else { -4 };
        tally.add(against, "another place");
    }
    if tally.points + TIME + AGED < enough {
        return None;
    }
    if let (Some(first), Some(second)) = (&a.time, &b.time)
        && !known
    {
        let apart = first.start() - second.end() > Duration::hours(2)
            || second.start() - first.end() > Duration::hours(2);
        // An update tells what came of it, and when.
        if !apart {
            tally.add(2, "time");
        } else if update.is_none() {
            tally.add(-4, "another time");
        }
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
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Addressing, read};

    #[test]
    fn news_that_is_overheard_finds_its_event_and_nothing_else() {
        let lexicon = Lexicon::builtin().unwrap_or_else(|error| panic!("{error}"));
        let addressing = Addressing {
            private: false,
            reply_to_bot: false,
            mentioned: false,
            bot_names: &[],
        };
        let now = DateTime::parse_from_rfc3339("2026-11-24T09:00:00+07:00").expect("a time");
        let mut memory = Memory::default();
        let mut link = |id: &str, text: &str| {
            let reading = read(text, &addressing, &lexicon, now);
            let told = if reading.is_for_others() {
                Told::overheard(id, text, now, &lexicon)
            } else {
                Told::new(id, text, now, &reading, &lexicon)
            };
            told.and_then(|told| memory.link(told)).map(|link| link.id)
        };
        let first = "#tromtrau mất con trâu mộng buộc ở gốc gạo bản Nà Sượng đêm qua";
        assert_eq!(link("1", first), None);
        let other = "#tromcap đêm qua mất xe đạp ở ngõ 7 phố Giếng Đáy";
        assert_eq!(link("2", other), None);
        let news = "con trâu mộng ở bản Nà Sượng tìm được rồi, cảm ơn bà con";
        assert_eq!(link("3", news).as_deref(), Some("1"));
        for idle in [
            "bản Nà Sượng hôm nay mở chợ rồi",
            "chợ này bán trâu mộng đẹp",
        ] {
            assert_eq!(link("4", idle), None, "{idle}");
        }
        // What was only overheard is not kept.
        assert_eq!(link("5", news).as_deref(), Some("1"));
    }
}
