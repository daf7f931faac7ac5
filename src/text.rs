//! Reading: what a resident typed becomes a [`Reading`].
//!
//! The way of a message:
//!
//! 1. [`is_addressed`]: the cheap door. Nine of ten messages are not for the bot and end here.
//! 2. [`token`]: words and numbers, folded by [`fold`], with the way back to the text.
//! 3. [`lexicon`]: every known phrase in them, in one pass; [`frame`]: what classes of words tell together.
//! 4. [`tag`], [`command`], the leading keyword: what addresses the bot.
//! 5. [`category`] and [`kinds`], [`when`], [`entities`], [`place`], [`urgent`]: the facts, each with its evidence.
//!
//! It is pure: no clock, no I/O, the same text gives the same reading. It never
//! fails and never panics, whatever the text, and takes time in proportion to it.
//!
//! ```
//! use keng::text::{Addressing, lexicon::Lexicon, read};
//! let lexicon = Lexicon::builtin()?;
//! let names = ["anttbot".to_owned()];
//! let addressing = Addressing { private: false, reply_to_bot: false, mentioned: false, bot_names: &names };
//! let now = chrono::DateTime::parse_from_rfc3339("2026-11-24T09:00:00+07:00")?;
//! let reading = read("#tromcap mất xe Wave ở cổng chợ Hà Lầm lúc 3h sáng", &addressing, &lexicon, now);
//! let incident = &reading.incidents[0];
//! assert_eq!(incident.primary.as_str(), "theft");
//! assert_eq!(incident.place.as_deref(), Some("cổng chợ Hà Lầm"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::cell::Cell;
use std::mem;
use std::ops::Range;

use chrono::{DateTime, Datelike, Duration, FixedOffset};

use crate::domain::reading::{
    Category, Command, CommandName, Evidence, Facts, Outcome, Reading, UpdateKind, When, Why,
};
use crate::text::fold::{Sign, sign};
use crate::text::frame::Seen;
use crate::text::lexicon::{Hit, Lexicon, State, What};
use crate::text::tag::Guess;
use crate::text::token::{Case, Token};

pub mod category;
pub mod command;
pub mod entities;
pub mod fold;
pub mod frame;
pub mod hour;
pub mod kinds;
pub mod lexicon;
pub mod link;
pub mod lunar;
pub mod often;
pub mod place;
pub mod reveal;
pub mod tag;
pub mod token;
mod trie;
pub mod urgent;
pub mod when;

pub use command::is_slashed;
pub use command::parse_command;

/// How a message reached the bot.
#[derive(Debug, Clone, Copy)]
pub struct Addressing<'a> {
    /// A private chat with the bot: everything is addressed, commands work without a slash.
    pub private: bool,
    /// The message answers one of the bot's.
    pub reply_to_bot: bool,
    /// The platform says that the bot is mentioned.
    pub mentioned: bool,
    /// The bot's handles and display names.
    pub bot_names: &'a [String],
}

/// What the phrases at a token are, so that a question about them costs one look.
#[derive(Debug, Clone, Copy, Default)]
struct Spot {
    /// The first phrase that starts at the token or behind it.
    first: usize,
    /// The words of the grammar of times that start here.
    times: u64,
    /// Those that end before the token.
    times_before: u64,
    /// The words of the grammar of places that start here.
    places: u32,
    /// Those that end before the token.
    places_before: u32,
    /// What starts here ends the name of a place.
    stops: bool,
    /// The token is a number in words, or said for 0.
    counts: bool,
}

/// No phrase has more tokens than this.
const REACH: usize = 16;

/// What lies behind this many bytes is not read for facts; tags and mentions are heard anywhere.
///
/// Telegram takes 4,096 characters of at most four bytes, Zalo 2,000, Messenger 20,000 of which hardly any
/// has more than three; so all of them are read whole. A post of a Facebook Page may have 63,206: its
/// first forty thousand tell what happened.
const READ_BYTES: usize = 64_000;

/// One strong cue.
const STRONG: u16 = 5;

/// Words in which it is told that something is over.
const SHORT: usize = 24;

/// Words in which nobody only chats with a bot.
const LENGTHY: usize = 11;

/// What all signs together call earnest is a report, whatever single words make it look like; in parts of
/// [`kinds::UNIT`]. With weights learned without the hand that wrote them, 1 of 216 addressed messages that
/// tell of nothing had so much, and 59 of 85 that report something and looked like nothing.
const EARNEST: i32 = 450;

/// Where words of advice, of a drill, a film or the like stand, so little is no report. With weights learned
/// without the hand that wrote them, 6 of 1,082 reports with such words had less, and 80 of 149 addressed
/// messages that tell of nothing.
const FAINT: i32 = 100;

/// With so little it is asked what has happened: 26 of the reports had less, and 121 of the others.
const FAINT_BESIDE: i32 = 250;

/// The same where a number, an account or a link is given, or a place and what it is: by a cue or a hashtag.
const FAINTEST: i32 = 50;

/// Places where a message may fall into two incidents; a flood of sentences must not take for ever.
const CUTS: usize = 12;

/// What happened longer ago and is passed on from elsewhere is an old alert.
const OLD_DAYS: i64 = 45;

/// A text taken apart.
#[derive(Debug)]
pub struct Page<'a> {
    /// The text as received.
    pub text: &'a str,
    /// Its words and numbers.
    pub tokens: Vec<Token>,
    /// The phrases found, by their first token.
    pub hits: Vec<Hit>,
    /// The cues among them, by their first token, longer before shorter.
    cues: Vec<Hit>,
    /// Those that can speak against a cue.
    against: Vec<Hit>,
    /// The frames among them.
    frames: Vec<Hit>,
    /// Those that tell about the state of things.
    told: Vec<Hit>,
    /// The classes of words seen.
    classes: Vec<Seen>,
    /// One for each token, and one for the end.
    spots: Vec<Spot>,
    /// The words of the grammar of places told anywhere.
    places: u32,
    /// A bit for every [`State`] told of anywhere.
    states: u64,
    /// A preposition of several words stands anywhere.
    long_prepositions: bool,
    /// A word after which a social account is named stands anywhere.
    pub names_handles: bool,
    /// It has so few marks that any word may lack them.
    pub loose: bool,
    /// Capitals mean something: it is neither all small nor all capital.
    pub cased: bool,
    /// All capital.
    pub all_upper: bool,
    /// When it was sent.
    pub now: DateTime<FixedOffset>,
    /// The words known.
    pub lexicon: &'a Lexicon,
}

/// The lists of a [`Page`]. They are used again for the next message: taking memory and giving it back
/// took longer than finding the words.
#[derive(Debug, Default)]
struct Lists {
    tokens: Vec<Token>,
    hits: Vec<Hit>,
    cues: Vec<Hit>,
    against: Vec<Hit>,
    frames: Vec<Hit>,
    told: Vec<Hit>,
    classes: Vec<Seen>,
    spots: Vec<Spot>,
}

/// Lists for more tokens than this are not kept.
const KEPT: usize = 2048;

thread_local! {
    static LISTS: Cell<Lists> = const {
        Cell::new(Lists {
            tokens: Vec::new(),
            hits: Vec::new(),
            cues: Vec::new(),
            against: Vec::new(),
            frames: Vec::new(),
            told: Vec::new(),
            classes: Vec::new(),
            spots: Vec::new(),
        })
    };
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if self.tokens.len() > KEPT {
            return;
        }
        fn emptied<T>(list: &mut Vec<T>) -> Vec<T> {
            let mut list = mem::take(list);
            list.clear();
            list
        }
        LISTS.set(Lists {
            tokens: emptied(&mut self.tokens),
            hits: emptied(&mut self.hits),
            cues: emptied(&mut self.cues),
            against: emptied(&mut self.against),
            frames: emptied(&mut self.frames),
            told: emptied(&mut self.told),
            classes: emptied(&mut self.classes),
            spots: emptied(&mut self.spots),
        });
    }
}

impl<'a> Page<'a> {
    fn new(text: &'a str, lexicon: &'a Lexicon, now: DateTime<FixedOffset>) -> Self {
        let text = text.split_at(text.floor_char_boundary(READ_BYTES)).0;
        let mut page = Self::blank(text, lexicon, now);
        token::tokens_into(text, &mut page.tokens);
        lexicon.name_words(&mut page.tokens);
        let (mut words, mut marked, mut capitals, mut upper) = (0, 0, 0, 0);
        for token in &page.tokens {
            let word = !token.is_number();
            words += usize::from(word);
            marked += usize::from(!token.marks.none());
            capitals += usize::from(word && token.case != Case::Lower);
            upper += usize::from(token.case == Case::Upper || token.length == 1);
        }
        page.all_upper = words > 3 && upper * 10 > words * 7;
        page.loose = marked * 100 < words * 40;
        page.cased = capitals > 1 && !page.all_upper;
        lexicon.find(&page.tokens, page.loose, &mut page.hits);
        drop_masked_states(&mut page.hits);
        lexicon.find_frames(&page.tokens, page.cased, &mut page.hits, &mut page.classes);
        page.sort_hits();
        page
    }

    fn blank(text: &'a str, lexicon: &'a Lexicon, now: DateTime<FixedOffset>) -> Self {
        let lists = LISTS.take();
        Self {
            text,
            tokens: lists.tokens,
            hits: lists.hits,
            cues: lists.cues,
            against: lists.against,
            frames: lists.frames,
            told: lists.told,
            classes: lists.classes,
            spots: lists.spots,
            places: 0,
            states: 0,
            long_prepositions: false,
            names_handles: false,
            loose: false,
            cased: false,
            all_upper: false,
            now,
            lexicon,
        }
    }

    /// Puts every phrase where it will be asked for.
    fn sort_hits(&mut self) {
        self.spots.resize(self.tokens.len() + 1, Spot::default());
        for hit in &self.hits {
            let Some(spot) = self.spots.get_mut(hit.from) else {
                continue;
            };
            // Counted here, added up below.
            spot.first += 1;
            spot.stops |= place::stops(hit.what);
            // `hits_near` sees no phrase that started longer ago.
            let near = hit.to - hit.from <= REACH;
            match hit.what {
                What::Cue(..) => {
                    let shorter = self.cues.iter().rev();
                    let shorter = shorter
                        .take_while(|cue| cue.from == hit.from && cue.to < hit.to)
                        .count();
                    self.cues.insert(self.cues.len() - shorter, *hit);
                    self.against.push(*hit);
                }
                What::Frame(..) => self.frames.push(*hit),
                What::HandleWord => self.names_handles = true,
                What::Mask => self.against.push(*hit),
                What::State(state) => {
                    self.states |= 1 << state as u8;
                    self.told.push(*hit);
                    if state == State::Negate {
                        self.against.push(*hit);
                    }
                }
                What::Number(_) => spot.counts |= hit.to == hit.from + 1,
                What::Zero => spot.counts = true,
                What::Time(word) => {
                    spot.times |= word.bit();
                    if let Some(spot) = self.spots.get_mut(hit.to).filter(|_| near) {
                        spot.times_before |= word.bit();
                    }
                }
                What::Place(word) => {
                    spot.places |= word.bit();
                    self.places |= word.bit();
                    if let Some(spot) = self.spots.get_mut(hit.to).filter(|_| near) {
                        spot.places_before |= word.bit();
                    }
                    match word {
                        place::PlaceWord::Known => self.against.push(*hit),
                        place::PlaceWord::Prep => {
                            self.long_prepositions |= hit.to - hit.from > 1;
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        let mut first = 0;
        for spot in &mut self.spots {
            (spot.first, first) = (first, first + spot.first);
        }
    }

    /// It tells of what happens again and again, in more than one word: "hay" may be "or".
    pub fn has_habit(&self) -> bool {
        let habit = |hit: &Hit| hit.what == What::State(State::Habit) && hit.to - hit.from > 1;
        self.tells(State::Habit) && self.told.iter().any(habit)
    }

    /// The words of the grammar of times that start at a token, as a set.
    pub fn times_at(&self, at: usize) -> u64 {
        self.spots.get(at).map_or(0, |spot| spot.times)
    }

    /// The words of the grammar of times that end before a token.
    pub fn times_before(&self, at: usize) -> u64 {
        self.spots.get(at).map_or(0, |spot| spot.times_before)
    }

    /// The words of the grammar of places that start at a token, as a set.
    pub fn places_at(&self, at: usize) -> u32 {
        self.spots.get(at).map_or(0, |spot| spot.places)
    }

    /// The words of the grammar of places that end before a token.
    pub fn places_before(&self, at: usize) -> u32 {
        self.spots.get(at).map_or(0, |spot| spot.places_before)
    }

    /// A word of the grammar of places stands anywhere.
    pub fn has_anywhere(&self, word: place::PlaceWord) -> bool {
        self.places & word.bit() != 0
    }

    /// What starts at a token ends the name of a place.
    pub fn stops_at(&self, at: usize) -> bool {
        self.spots.get(at).is_some_and(|spot| spot.stops)
    }

    /// The phrases that start at a token.
    pub fn hits_at(&self, at: usize) -> &[Hit] {
        match (self.spots.get(at), self.spots.get(at + 1)) {
            (Some(from), Some(to)) => self.hits.get(from.first..to.first).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// The phrases that start in the sixteen tokens before a token, at it, or shortly after it.
    pub fn hits_near(&self, at: usize) -> &[Hit] {
        let last = self.spots.len().saturating_sub(1);
        let from = self
            .spots
            .get(at.saturating_sub(REACH).min(last))
            .map_or(0, |spot| spot.first);
        let to = self
            .spots
            .get((at + 6).min(last))
            .map_or(self.hits.len(), |spot| spot.first);
        self.hits.get(from..to).unwrap_or(&[])
    }

    /// Written with a capital.
    pub fn is_capital(&self, at: usize) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| !token.is_number() && token.case != Case::Lower)
    }

    /// The token as written.
    pub fn slice(&self, token: &Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or("")
    }

    /// Tokens `from..to` as written.
    pub fn words(&self, from: usize, to: usize) -> &'a str {
        self.text.get(self.bytes(from, to)).unwrap_or("")
    }

    /// The bytes of tokens `from..to`.
    fn bytes(&self, from: usize, to: usize) -> Range<usize> {
        let start = self.tokens.get(from).map_or(0, |token| token.start);
        let end = to
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map_or(start, |token| token.end);
        start..end.max(start)
    }

    /// Tokens `from..to` say something.
    fn evidence(&self, from: usize, to: usize, why: Why) -> Evidence {
        let at = self.bytes(from, to);
        Evidence { at, why }
    }

    /// The digits of a number, plain.
    pub fn ascii_digits(&self, token: &Token) -> String {
        self.slice(token)
            .chars()
            .filter_map(|c| match sign(c) {
                Sign::Digit(value) => Some(char::from(b'0' + value)),
                _ => None,
            })
            .collect()
    }

    /// Adds the tokens between two bytes to a list of spans.
    pub fn tokens_in(&self, start: usize, end: usize, spans: &mut Vec<(usize, usize)>) {
        let from = self.tokens.partition_point(|token| token.end <= start);
        let to = self.tokens.partition_point(|token| token.start < end);
        if from < to {
            spans.push((from, to));
        }
    }

    /// Whether a token lies in one of the spans; none are asked about when there are none.
    pub fn taken(&self, spans: &[(usize, usize)]) -> Vec<bool> {
        let mut taken = Vec::new();
        if !spans.is_empty() {
            taken.resize(self.tokens.len(), false);
        }
        for (from, to) in spans {
            taken.get_mut(*from..*to).unwrap_or_default().fill(true);
        }
        taken
    }

    /// A word that is counted stands here.
    pub fn unit_follows(&self, at: usize) -> bool {
        !self.tokens.get(at).is_none_or(Token::breaks)
            && self.hits_at(at).iter().any(|hit| hit.what == What::Unit)
    }

    /// A number in words.
    pub fn counting_word(&self, at: usize) -> Option<u32> {
        if !self.spots.get(at)?.counts {
            return None;
        }
        self.hits_at(at).iter().find_map(|hit| match hit.what {
            What::Number(value) if hit.to == at + 1 => Some(value),
            _ => None,
        })
    }

    /// What is said for the digit 0.
    pub fn says_zero(&self, at: usize) -> bool {
        self.spots.get(at).is_some_and(|spot| spot.counts)
            && self.hits_at(at).iter().any(|hit| hit.what == What::Zero)
    }

    /// The token makes what follows an ordinal.
    pub fn counts_before(&self, token: &Token) -> bool {
        let at = self
            .tokens
            .partition_point(|other| other.start < token.start);
        self.hits_at(at).iter().any(|hit| hit.what == What::Ordinal)
    }

    /// The word before says that a number plate follows.
    pub fn word_before_is_plate(&self, at: usize) -> bool {
        self.hits_near(at)
            .iter()
            .any(|hit| hit.to == at && hit.what == What::PlateWord)
    }

    /// Whether words of a state stand anywhere.
    pub fn tells(&self, state: State) -> bool {
        self.states & 1 << state as u8 != 0
    }

    fn state(&self, state: State) -> Option<Hit> {
        if !self.tells(state) {
            return None;
        }
        self.told
            .iter()
            .filter(|hit| hit.what == What::State(state))
            .max_by_key(|hit| hit.to - hit.from)
            .copied()
    }
}

/// Words about a state inside a longer phrase that is none: "bai tap" in "bai tap ket rac".
fn drop_masked_states(hits: &mut Vec<Hit>) {
    let mut longest = 0;
    let mut masks = Vec::new();
    for hit in hits.iter().filter(|hit| hit.what == What::Mask) {
        if hit.to > longest {
            longest = hit.to;
            masks.push((hit.from, longest));
        }
    }
    if masks.is_empty() {
        return;
    }
    hits.retain(|hit| {
        let near = masks.partition_point(|(from, _)| *from <= hit.from);
        let mask = near.checked_sub(1).and_then(|at| masks.get(at));
        !matches!(hit.what, What::State(_))
            || mask.is_none_or(|(from, to)| *to < hit.to || to - from <= hit.to - hit.from)
    });
}

/// Whether the message may be for the bot at all: no more than a look at its bytes.
fn may_be_addressed(text: &str, addressing: &Addressing<'_>) -> bool {
    if addressing.private || addressing.reply_to_bot || addressing.mentioned {
        return true;
    }
    let bytes = text.as_bytes();
    if memchr::memchr3(b'#', b'@', 0xEF, bytes).is_some() {
        return true;
    }
    // The first letters of a command or of a leading keyword.
    let mut letters = text.chars().map(sign).filter_map(|sign| match sign {
        Sign::Letter { base, .. } => Some(base),
        Sign::Punct('/') => Some(b'/'),
        Sign::Digit(_) | Sign::Other(_) => Some(b'0'),
        _ => None,
    });
    matches!(
        (letters.next(), letters.next(), letters.next()),
        (Some(b'/'), _, _)
            | (Some(b'b'), Some(b'a'), Some(b'o'))
            | (Some(b't'), Some(b'i'), Some(b'n'))
            | (Some(b't'), Some(b'r'), Some(b'i'))
            | (Some(b't'), Some(b'o'), Some(b'g'))
    )
}

/// The cheap door: whether a message is for the bot. Only for such a message does anything leave memory.
pub fn is_addressed(text: &str, addressing: &Addressing<'_>, lexicon: &Lexicon) -> bool {
    if !may_be_addressed(text, addressing) {
        return false;
    }
    if addressing.private || addressing.reply_to_bot || addressing.mentioned {
        return true;
    }
    let tags = tag::tags(text, lexicon);
    if parse_command(text, addressing).is_some()
        || tags.iter().any(|tag| tag.guessed.is_none())
        || tag::mention(text, addressing.bot_names).is_some()
    {
        return true;
    }
    let page = Page::new(text, lexicon, DateTime::default());
    keyword(&page).is_some() || !borne_out(&page, tags).is_empty()
}

/// The tags without those that were only guessed and of whose kind the message does not tell by itself.
fn borne_out(page: &Page<'_>, mut tags: Vec<tag::TagHit>) -> Vec<tag::TagHit> {
    if tags.iter().any(|tag| tag.guessed.is_some()) {
        let scores = category::score(page, 0, page.tokens.len());
        tags.retain(|tag| {
            let told = tag.category.map_or(0, |category| scores.of(category));
            match tag.guessed {
                None => true,
                Some(Guess::Likely) => told >= category::TOLD || scores.best() >= category::CLEAR,
                Some(Guess::Faint) => told >= category::CLEAR,
            }
        });
    }
    tags
}

/// The keyword that a text begins with, and all phrases there.
fn first_words(page: &Page<'_>) -> Option<(Hit, Vec<Hit>)> {
    let first = page.tokens.first()?;
    if matches!(first.before, '#' | '@' | '/') {
        return None;
    }
    // At the head of a message the keyword may lack its marks, whatever the rest has.
    let mut hits = Vec::new();
    page.lexicon.find_first(
        page.tokens.get(..page.tokens.len().min(6))?,
        true,
        &mut hits,
    );
    let word = hits
        .iter()
        .rev()
        .find(|hit| matches!(hit.what, What::Keyword { .. }))
        .copied()?;
    Some((word, hits))
}

/// The keyword that a text begins with, when it is meant.
fn keyword(page: &Page<'_>) -> Option<Hit> {
    let (word, hits) = first_words(page)?;
    let look_alike = hits
        .iter()
        .filter(|hit| hit.what == What::LookAlike)
        .map(|hit| hit.to)
        .max();
    let next = page.tokens.get(word.to);
    let separated = match next {
        None => page
            .text
            .get(page.tokens.get(word.to - 1)?.end..)?
            .trim_start()
            .starts_with([':', ',', '-']),
        Some(next) => match next.before {
            ':' | ',' | '\n' => true,
            '-' => next.spaced,
            _ => false,
        },
    };
    if separated {
        return Some(word);
    }
    next?;
    if look_alike.is_some_and(|end| end >= word.to) {
        return None;
    }
    // "bao co ke gian" may be "báo cô" and may be "báo: có"; then it must tell more.
    let maybe_alike = hits
        .iter()
        .any(|hit| hit.what == What::MaybeAlike && hit.to >= word.to);
    let scores = category::score(page, word.to, page.tokens.len());
    let best = scores.best();
    let idle = [
        State::Hearsay,
        State::Trade,
        State::Thanks,
        State::Joke,
        State::Unreal,
        State::Question,
    ]
    .iter()
    .any(|state| page.tells(*state));
    let unmarked = page.words(0, word.to).is_ascii();
    // Of several words the keyword is no other word.
    let plain = word.to > 1 && !idle;
    let enough = match (idle, maybe_alike) {
        _ if plain && !unmarked => category::TOLD,
        _ if plain => STRONG,
        (_, true) => category::CLEAR + 2,
        (true, false) => category::CLEAR,
        (false, false) => STRONG,
    };
    let told = page.tokens.len() - word.to;
    if word.to > 1 && page.tells(State::WantsToTell) {
        return Some(word);
    }
    // "báo cô" and the like are said in passing.
    let lengthy = !idle && told >= LENGTHY && best >= category::CLEAR;
    if best >= enough || lengthy {
        return Some(word);
    }
    let real = !page.tells(State::Hearsay) && !page.tells(State::Question);
    if word.to > 1 && told >= LENGTHY {
        let nowhere = Address {
            tags: &[],
            mention: None,
        };
        if earnest(page, nowhere, (word.to, page.tokens.len()), &scores) > EARNEST {
            return Some(word);
        }
    }
    let meant = word.what == What::Keyword { earnest: true } && told >= LENGTHY && real;
    (meant && place::read(page, word.to, page.tokens.len(), &[]).is_some()).then_some(word)
}

/// Reads a message.
pub fn read(
    text: &str,
    addressing: &Addressing<'_>,
    lexicon: &Lexicon,
    now: DateTime<FixedOffset>,
) -> Reading {
    if !may_be_addressed(text, addressing) {
        return Reading::ignored();
    }
    read_with(
        text,
        addressing,
        lexicon,
        now,
        parse_command(text, addressing),
    )
}

/// Reads a message whose first words sound like a command that is not its sender's to give: a resident
/// who writes "cảnh báo có trộm ở ngõ 12" to the bot tells of something.
pub fn read_told(
    text: &str,
    addressing: &Addressing<'_>,
    lexicon: &Lexicon,
    now: DateTime<FixedOffset>,
) -> Reading {
    read_with(text, addressing, lexicon, now, None)
}

fn read_with(
    text: &str,
    addressing: &Addressing<'_>,
    lexicon: &Lexicon,
    now: DateTime<FixedOffset>,
    command: Option<Command>,
) -> Reading {
    let now = FixedOffset::east_opt(7 * 3600).map_or(now, |zone| now.with_timezone(&zone));
    let command = match command {
        Some(command) if command.name != CommandName::Bao => {
            return Reading {
                outcome: Outcome::Command(command),
                incidents: Vec::new(),
                evidence: Vec::new(),
            };
        }
        command => command,
    };
    let tags = tag::tags(text, lexicon);
    let mention = tag::mention(text, addressing.bot_names);
    let spoken_to = addressing.private || addressing.reply_to_bot;
    let mentioned = addressing.mentioned || mention.is_some();
    let marked = command.is_some() || !tags.is_empty() || mentioned || spoken_to;
    if !marked && !starts_like_keyword(text) {
        return Reading::ignored();
    }
    let page = Page::new(text, lexicon, now);
    let leading = keyword(&page);
    let tags = borne_out(&page, tags);
    let marked = command.is_some() || !tags.is_empty() || mentioned || spoken_to;
    if !marked && leading.is_none() {
        return Reading::ignored();
    }
    Message {
        page,
        addressing,
        command,
        tags,
        mention,
        mentioned,
        leading,
    }
    .read()
}

/// What an untagged message tells when it has news of something that may have been reported before: it is
/// corrected, withdrawn, found, over. Nothing of the kind, and nothing is read.
pub fn overhear(
    text: &str,
    lexicon: &Lexicon,
    now: DateTime<FixedOffset>,
) -> Option<(Facts, UpdateKind)> {
    let now = FixedOffset::east_opt(7 * 3600).map_or(now, |zone| now.with_timezone(&zone));
    let page = Page::new(text, lexicon, now);
    let news = [
        (State::Correct, UpdateKind::Correction),
        (State::Withdraw, UpdateKind::Withdrawal),
        (State::Found, UpdateKind::Withdrawal),
        (State::WithdrawHint, UpdateKind::Withdrawal),
        (State::Resolved, UpdateKind::Detail),
        (State::Over, UpdateKind::Detail),
        (State::Detail, UpdateKind::Detail),
        (State::News, UpdateKind::Detail),
    ];
    let (_, kind) = *news.iter().find(|(state, _)| page.tells(*state))?;
    let message = Message {
        page,
        addressing: &Addressing {
            private: false,
            reply_to_bot: false,
            mentioned: false,
            bot_names: &[],
        },
        command: None,
        tags: Vec::new(),
        mention: None,
        mentioned: false,
        leading: None,
    };
    let end = message.page.tokens.len();
    let scores = category::score(&message.page, 0, end);
    let mut facts = message.facts(0, end, &scores, &mut Vec::new());
    if scores.best() == 0 {
        // Counted words guess a kind for whoever reports something; chatter reports nothing.
        facts.categories.clear();
        facts.primary = Category::Other;
    }
    Some((facts, kind))
}

fn starts_like_keyword(text: &str) -> bool {
    may_be_addressed(
        text.trim_start_matches(['#', '@']),
        &Addressing {
            private: false,
            reply_to_bot: false,
            mentioned: false,
            bot_names: &[],
        },
    )
}

/// What in a page says how the bot is addressed: the tags, and where it is mentioned.
#[derive(Debug, Clone, Copy)]
struct Address<'a> {
    tags: &'a [tag::TagHit],
    mention: Option<(usize, usize)>,
}

impl Address<'_> {
    fn holds(&self, token: &Token) -> bool {
        let within = |start, end| start <= token.start && token.end <= end;
        self.tags.iter().any(|tag| within(tag.start, tag.end))
            || self.mention.is_some_and(|(start, end)| within(start, end))
    }
}

/// The words of tokens `from..to` as signs, without the address and the place.
fn signs_of_words(
    page: &Page<'_>,
    address: Address<'_>,
    (from, to): (usize, usize),
    place: Option<&place::Found>,
) -> Vec<kinds::Sign> {
    let mut signs = Vec::with_capacity(128);
    let names = |at: usize| place.is_some_and(|place| place.from <= at && at < place.to);
    let addresses = |at: usize| {
        let token = page.tokens.get(at);
        token.is_none_or(|token| address.holds(token))
    };
    kinds::words(
        &page.tokens,
        from,
        to,
        |at| names(at) || addresses(at),
        &mut signs,
    );
    signs
}

/// Adds what tokens `from..to` show of the kind of incident beside their words: classes of words, cues and tags.
fn add_signs_of_kind(
    page: &Page<'_>,
    address: Address<'_>,
    (from, to): (usize, usize),
    scores: &category::Scores,
    signs: &mut Vec<kinds::Sign>,
) {
    kinds::classes(&page.classes, from, to, signs);
    let tags = named_by(page, address.tags, from, to);
    let ruled = category::decide(scores, &tags);
    kinds::cues(&scores.weights, ruled, &tags, signs);
}

/// Adds the states told of.
fn add_signs_of_state(page: &Page<'_>, (from, to): (usize, usize), signs: &mut Vec<kinds::Sign>) {
    let states = page.told.iter().filter_map(|hit| match hit.what {
        What::State(state) if from <= hit.from && hit.to <= to => {
            Some((state as u8, hit.to - hit.from > 1))
        }
        _ => None,
    });
    kinds::states(states, signs);
}

/// What tokens `from..to` show of whether something has happened at all.
fn signs_of_earnest(
    page: &Page<'_>,
    address: Address<'_>,
    (from, to): (usize, usize),
    scores: &category::Scores,
    place: Option<&place::Found>,
) -> Vec<kinds::Sign> {
    let mut signs = signs_of_words(page, address, (from, to), place);
    add_signs_of_kind(page, address, (from, to), scores, &mut signs);
    add_signs_of_state(page, (from, to), &mut signs);
    signs
}

/// How much tokens `from..to` say that something has happened, in parts of [`kinds::UNIT`].
fn earnest(
    page: &Page<'_>,
    address: Address<'_>,
    (from, to): (usize, usize),
    scores: &category::Scores,
) -> i32 {
    let place = place::read(page, from, to, &[]);
    let signs = signs_of_earnest(page, address, (from, to), scores, place.as_ref());
    kinds::Sums::of(&signs).weights()[kinds::EARNEST]
}

/// What the hashtags among tokens `from..to` name.
fn named_by(
    page: &Page<'_>,
    tags: &[tag::TagHit],
    from: usize,
    to: usize,
) -> Vec<Option<Category>> {
    let byte = |at: usize| {
        page.tokens
            .get(at)
            .map_or(page.text.len(), |token| token.start)
    };
    // The `#` itself stands before its token.
    let start = if from == 0 {
        0
    } else {
        byte(from).saturating_sub(1)
    };
    let end = byte(to);
    tags.iter()
        .filter(|tag| tag.end > start && tag.end <= end)
        .map(|tag| tag.category)
        .collect()
}

/// An addressed message with all that addresses it.
struct Message<'a> {
    page: Page<'a>,
    addressing: &'a Addressing<'a>,
    command: Option<Command>,
    tags: Vec<tag::TagHit>,
    mention: Option<(usize, usize)>,
    mentioned: bool,
    leading: Option<Hit>,
}

impl Message<'_> {
    fn read(&self) -> Reading {
        let page = &self.page;
        let start = self.content_start();
        let scores = category::score(page, start, page.tokens.len());
        let mut evidence = self.addressing_evidence();
        let marked = self.command.is_some() || !self.tags.is_empty() || self.leading.is_some();
        let spoken_to = self.addressing.private || self.addressing.reply_to_bot;
        if let Some(reading) = self.denied_tag(&scores) {
            return reading;
        }
        let content = self.content_words(start);
        if let Some((kind, hit)) = self.update(&scores, spoken_to) {
            evidence.push(page.evidence(hit.from, hit.to, Why::Update(kind)));
            let mut facts = self.facts(start, page.tokens.len(), &scores, &mut evidence);
            if scores.best() == 0 && self.tags.iter().all(|tag| tag.category.is_none()) {
                // "giải tán hết rồi" is of the kind of what it is about, whatever its words are usual for.
                facts.categories = vec![Category::Other];
                facts.primary = Category::Other;
            }
            return Reading {
                outcome: Outcome::Update(kind),
                incidents: vec![facts],
                evidence,
            };
        }
        if !spoken_to
            && let Some(hit) = self.unreal(start, &scores)
            && !self.earnest(start, &scores)
        {
            evidence.push(page.evidence(hit.from, hit.to, Why::NoIncident));
            return Reading {
                outcome: Outcome::Ignore,
                incidents: Vec::new(),
                evidence,
            };
        }
        // A question to the bot is not told by one word: "mấy giờ phường làm giấy tờ".
        let asks = !marked && page.tells(State::Question) && scores.best() < category::CLEAR;
        // Nor is a few words to it that only hint at something, and nowhere: "hát một bài đi".
        let hints = !marked
            && scores.best() < STRONG
            && content < LENGTHY
            && place::read(page, start, page.tokens.len(), &[]).is_none();
        let told = scores.best() >= category::TOLD && !asks && !hints;
        let ask = |evidence| Reading {
            outcome: Outcome::AskDetail,
            incidents: Vec::new(),
            evidence,
        };
        if self.addressing.reply_to_bot && !marked {
            if content == 0 || self.only_greets(start) {
                return Reading {
                    outcome: Outcome::Ignore,
                    incidents: Vec::new(),
                    evidence,
                };
            }
            let facts = self.facts(start, page.tokens.len(), &scores, &mut evidence);
            return Reading {
                outcome: Outcome::Update(UpdateKind::Detail),
                incidents: vec![facts],
                evidence,
            };
        }
        if !marked && !told {
            if self.addressing.private {
                let facts = self.facts(start, page.tokens.len(), &scores, &mut evidence);
                let tells = facts.place.is_some()
                    || facts.time.is_some()
                    || !facts.plates.is_empty()
                    || !facts.phones.is_empty();
                if tells && !self.only_greets(start) {
                    return Reading {
                        outcome: Outcome::Update(UpdateKind::Detail),
                        incidents: vec![facts],
                        evidence,
                    };
                }
                return ask(evidence);
            }
            // A mention without an incident in it, as far as the words are known. Who writes to the
            // bot at length about a place and asks it nothing tells of something all the same.
            let chats = [
                State::Greeting,
                State::Trade,
                State::Question,
                State::Joke,
                State::Unreal,
                State::Exercise,
            ]
            .iter()
            .any(|state| page.tells(*state))
                || page.lexicon.laughs(page.text);
            if self.mentioned && page.tells(State::WantsToTell) {
                return ask(evidence);
            }
            if self.mentioned && (!chats || self.earnest(start, &scores)) {
                if content >= LENGTHY {
                    let facts = self.facts(start, page.tokens.len(), &scores, &mut evidence);
                    if facts.place.is_some() || self.earnest(start, &scores) {
                        return Reading {
                            outcome: Outcome::Report,
                            incidents: vec![facts],
                            evidence,
                        };
                    }
                }
                if page.tells(State::Help) {
                    return ask(evidence);
                }
            }
            return Reading {
                outcome: Outcome::Ignore,
                incidents: Vec::new(),
                evidence,
            };
        }
        if content == 0 {
            return ask(evidence);
        }
        let addressed = evidence.len();
        let (incidents, earnest) = self.incidents(start, &scores, &mut evidence);
        let says_nothing = incidents.first().is_none_or(|facts| {
            !told
                && facts.place.is_none()
                && facts.time.is_none()
                && facts.phones.is_empty()
                && facts.plates.is_empty()
                && facts.urls.is_empty()
                && facts.accounts.is_empty()
        });
        if says_nothing
            && self.tags.iter().all(|tag| tag.category.is_none())
            && (content < 12 || self.only_greets(start))
        {
            return ask(evidence);
        }
        if let Some(earnest) = earnest.filter(|_| !spoken_to && self.command.is_none())
            && let Some(outcome) = self.not_meant(earnest, &incidents, &scores)
        {
            let hit = self.idle();
            let (from, to) = hit.map_or((0, 1), |hit| (hit.from, hit.to));
            evidence.truncate(addressed);
            evidence.push(page.evidence(from, to, Why::NoIncident));
            return Reading {
                outcome,
                incidents: Vec::new(),
                evidence,
            };
        }
        Reading {
            outcome: Outcome::Report,
            incidents,
            evidence,
        }
    }

    /// Words of what is no incident: advice, a drill, a film, thanks.
    fn idle(&self) -> Option<Hit> {
        const IDLE: [State; 11] = [
            State::Planned,
            State::Advice,
            State::Story,
            State::Thanks,
            State::Exercise,
            State::Joke,
            State::Unreal,
            State::Forward,
            State::Trade,
            State::Question,
            State::Nothing,
        ];
        IDLE.iter().find_map(|state| self.page.state(*state))
    }

    /// What becomes of a message that has words of what is no incident, and whose signs hardly say that
    /// something has happened all the same. A few words without such are few signs, and a report.
    fn not_meant(
        &self,
        earnest: i32,
        incidents: &[Facts],
        scores: &category::Scores,
    ) -> Option<Outcome> {
        let page = &self.page;
        let idle = self.idle().is_some() || page.lexicon.laughs(page.text);
        if !idle || page.tells(State::Help) && page.tells(State::Danger) {
            return None;
        }
        let pointed = incidents.iter().any(|facts| {
            !facts.phones.is_empty()
                || !facts.plates.is_empty()
                || !facts.accounts.is_empty()
                || !facts.urls.is_empty()
        });
        let told = self.told_outside_tags(scores) >= STRONG
            || self.tags.iter().any(|tag| tag.category.is_some());
        let placed = incidents.iter().any(|facts| facts.place.is_some());
        if pointed || told && placed {
            return (earnest < FAINTEST).then_some(Outcome::AskDetail);
        }
        if earnest < FAINT {
            return Some(Outcome::Ignore);
        }
        (earnest < FAINT_BESIDE).then_some(Outcome::AskDetail)
    }

    /// All signs together say that something has happened.
    fn earnest(&self, start: usize, scores: &category::Scores) -> bool {
        let page = &self.page;
        earnest(page, self.address(), (start, page.tokens.len()), scores) > EARNEST
    }

    fn addressing_evidence(&self) -> Vec<Evidence> {
        let mut evidence = Vec::with_capacity(16);
        for tag in &self.tags {
            evidence.push(Evidence {
                at: tag.start..tag.end,
                why: Why::Tag(tag.category),
            });
        }
        if let Some((start, end)) = self.mention {
            evidence.push(Evidence {
                at: start..end,
                why: Why::Mention,
            });
        }
        if let Some(hit) = self.leading {
            evidence.push(self.page.evidence(hit.from, hit.to, Why::Keyword));
        }
        if self.command.is_some() {
            evidence.push(self.page.evidence(0, 1, Why::Command));
        }
        evidence
    }

    /// The first token that belongs to what is told, not to how the bot is addressed.
    fn content_start(&self) -> usize {
        let mut start = 0;
        if let Some(hit) = self.leading {
            start = hit.to;
        }
        if self.command.is_some() {
            let tokens = &self.page.tokens;
            start = 1;
            // "/bao@anttbot"
            while tokens
                .get(start)
                .is_some_and(|token| !token.spaced && !matches!(token.before, ':' | ','))
            {
                start += 1;
            }
        }
        start
    }

    /// Words outside tags and mentions.
    fn content_words(&self, start: usize) -> usize {
        let outside = |token: &&Token| {
            !self
                .tags
                .iter()
                .any(|tag| token.start >= tag.start && token.end <= tag.end)
                && !self
                    .mention
                    .is_some_and(|(from, to)| token.start >= from && token.end <= to)
        };
        self.page.tokens.iter().skip(start).filter(outside).count()
    }

    /// The greatest weight of what is told outside the tags.
    fn told_outside_tags(&self, scores: &category::Scores) -> u16 {
        let page = &self.page;
        let mut weights = [0_u16; 20];
        for cue in &scores.cues {
            let bytes = (page.tokens.get(cue.from), page.tokens.get(cue.to - 1));
            let (Some(first), Some(last)) = bytes else {
                continue;
            };
            let tagged = self
                .tags
                .iter()
                .any(|tag| tag.start <= first.start && last.end <= tag.end);
            if let What::Cue(category, weight) | What::Frame(category, weight) = cue.what
                && !tagged
                && let Some(sum) = weights.get_mut(category as usize)
            {
                *sum += u16::from(weight);
            }
        }
        weights.into_iter().max().unwrap_or(0)
    }

    fn only_greets(&self, start: usize) -> bool {
        let page = &self.page;
        let greets = page.state(State::Greeting).is_some();
        greets && page.tokens.len() - start.min(page.tokens.len()) <= 12
    }

    /// "không phải #tromcap đâu": the tag is denied, so nothing is told.
    fn denied_tag(&self, scores: &category::Scores) -> Option<Reading> {
        let page = &self.page;
        if self.tags.is_empty() || self.command.is_some() || self.leading.is_some() {
            return None;
        }
        let denied = |tag: &tag::TagHit| {
            let at = page.tokens.partition_point(|token| token.end <= tag.start);
            let after = page.tokens.partition_point(|token| token.start < tag.end);
            let before = page
                .hits_near(at)
                .iter()
                .any(|hit| hit.what == What::State(State::Negate) && hit.to == at);
            let behind = page
                .hits_at(after)
                .iter()
                .any(|hit| hit.what == What::State(State::DenyAfter))
                && page.tokens.get(after).is_some_and(|token| !token.breaks());
            before || behind
        };
        if !self.tags.iter().all(denied) {
            return None;
        }
        // "không phải … mà là": the rest tells what it is. "… thôi" is what it was instead.
        let instead = page.tells(State::Instead);
        let least = if page.tells(State::Merely) && !instead {
            2 * category::CLEAR
        } else {
            category::CLEAR
        };
        if self.told_outside_tags(scores) > least || instead && scores.best() >= STRONG {
            return None;
        }
        // "… không. #antt" denies nothing.
        if self.earnest(self.content_start(), scores) {
            return None;
        }
        let takes_back = [State::Withdraw, State::Found]
            .iter()
            .find_map(|state| page.state(*state));
        let outcome = if takes_back.is_some() {
            Outcome::Update(UpdateKind::Withdrawal)
        } else {
            Outcome::Ignore
        };
        Some(Reading {
            outcome,
            incidents: Vec::new(),
            evidence: self.addressing_evidence(),
        })
    }

    /// Words that say that the tag is not meant: school work, jokes, old alerts passed on, denials.
    fn unreal(&self, start: usize, scores: &category::Scores) -> Option<Hit> {
        let page = &self.page;
        let in_need = page.tells(State::Help) && page.tells(State::Danger);
        if let Some(hit) = page.state(State::Nothing) {
            return Some(hit).filter(|_| scores.best() < 14 && !in_need);
        }
        let outside = self.told_outside_tags(scores);
        // Who tells of something says what, where, when or who, or takes more than a dozen words: a tag with
        // a few others is a way of talking.
        let idle = outside < category::TOLD
            && !page.tells(State::Help)
            && !page.tells(State::Ongoing)
            && !self.tags.is_empty()
            && (6..=14).contains(&self.content_words(start));
        let hinted = idle
            || page.lexicon.laughs(page.text)
            || [
                State::Exercise,
                State::Joke,
                State::Unreal,
                State::Forward,
                State::Trade,
            ]
            .iter()
            .any(|state| page.tells(*state));
        if !hinted {
            return None;
        }
        let tokens = page.tokens.len();
        let entities = entities::read(page, start, tokens, self.addressing.bot_names);
        let time = when::read(
            page,
            start,
            tokens,
            &entities.busy,
            when::Telling::default(),
        );
        let old = time
            .as_ref()
            .is_some_and(|time| page.now - time.when.end() > Duration::days(OLD_DAYS))
            || self.names_past_year(&entities.busy);
        let place = place::read(page, start, tokens, &entities.busy).is_some();
        let pointed = !entities.phones.is_empty()
            || !entities.plates.is_empty()
            || !entities.accounts.is_empty()
            || !entities.urls.is_empty()
            || !entities.handles.is_empty();
        let vague = !place && time.is_none() && !pointed;
        if idle && vague {
            let said = self.idle();
            let laughs = page.lexicon.laughs(page.text);
            if said.is_some() || laughs {
                return said.or_else(|| self.first_hit());
            }
        }
        if let Some(hit) = page
            .state(State::Unreal)
            .filter(|_| !pointed && outside < if vague { 13 } else { category::CLEAR })
        {
            return Some(hit);
        }
        if let Some(hit) = page.state(State::Forward).filter(|_| {
            (old || vague && outside < 13 || !place && outside < category::TOLD) && !in_need
        }) {
            return Some(hit);
        }
        let named = place || pointed;
        if let Some(hit) = page.state(State::Exercise).filter(|_| {
            let often = page
                .told
                .iter()
                .filter(|hit| hit.what == What::State(State::Exercise))
                .count();
            !named || often > 1 || outside < category::TOLD
        }) {
            return Some(hit);
        }
        // "#hanggia giá tốt" with nothing told is a shop.
        if let Some(hit) = page
            .state(State::Trade)
            .filter(|_| !place && !in_need && outside < category::TOLD && time.is_none())
        {
            return Some(hit);
        }
        let laughs = page
            .state(State::Joke)
            .or_else(|| self.first_hit().filter(|_| page.lexicon.laughs(page.text)));
        laughs.filter(|_| {
            !pointed
                && !in_need
                && (!place && scores.best() < 13 || scores.best() < category::CLEAR)
        })
    }

    /// A year before the one of the message.
    fn names_past_year(&self, busy: &[(usize, usize)]) -> bool {
        let page = &self.page;
        let busy = page.taken(busy);
        page.tokens.iter().enumerate().any(|(at, token)| {
            token.digits == 4
                && busy.get(at) != Some(&true)
                && page
                    .ascii_digits(token)
                    .parse()
                    .is_ok_and(|year: i32| (1900..page.now.year()).contains(&year))
        })
    }

    /// The first words, when something that is no word decides.
    fn first_hit(&self) -> Option<Hit> {
        self.page.tokens.first().map(|_| Hit {
            from: 0,
            to: 1,
            what: What::Mask,
        })
    }

    /// Words that change an earlier report.
    fn update(&self, scores: &category::Scores, spoken_to: bool) -> Option<(UpdateKind, Hit)> {
        let page = &self.page;
        let free = |hit: &Hit| {
            !page.hits_near(hit.from).iter().any(|other| {
                let covers = other.from <= hit.from && other.to >= hit.to;
                let longer = other.to - other.from > hit.to - hit.from;
                match other.what {
                    What::Mask => covers && longer,
                    // Without marks "khoi den" is smoke before it is "khỏi đến".
                    What::Cue(..) => covers && (longer || page.loose),
                    _ => false,
                }
            })
        };
        let state = |state: State| {
            if !page.tells(state) {
                return None;
            }
            page.told
                .iter()
                .filter(|hit| hit.what == What::State(state))
                .find(|hit| free(hit))
                .copied()
        };
        // Who addresses the bot anew and tells it all again is read as a report; it is linked to the first.
        let anew = self.mentioned
            || !self.tags.is_empty()
            || self.leading.is_some()
            || self.command.is_some();
        let again = || {
            let told = self.told_outside_tags(scores);
            let named = self.tags.iter().any(|tag| tag.category.is_some());
            let tells = |from| place::read(page, from, page.tokens.len(), &[]).is_some();
            anew && !spoken_to
                && (told >= category::CLEAR
                    || (named || told >= category::TOLD) && tells(self.content_start()))
        };
        if let Some(hit) = state(State::Correct)
            && !again()
        {
            return Some((UpdateKind::Correction, hit));
        }
        let lost = || {
            let tags: Vec<_> = self.tags.iter().map(|tag| tag.category).collect();
            matches!(
                category::decide(scores, &tags),
                Category::MissingPerson | Category::Theft | Category::Other | Category::Animal
            )
        };
        // Who came home and then tells of a loss takes nothing back.
        let told_after = |found: &Hit| {
            scores.cues.iter().any(|cue| {
                let told = matches!(cue.what, What::Cue(_, 5..) | What::Frame(_, 5..));
                told && cue.from >= found.to
            })
        };
        // Nor who says what it was not, and then what it is.
        if let Some(hit) = state(State::Withdraw)
            && (spoken_to || !told_after(&hit))
        {
            return Some((UpdateKind::Withdrawal, hit));
        }
        let found = state(State::Found).filter(|hit| !told_after(hit));
        if let Some(hit) = found.filter(|hit| hit.to - hit.from >= 3 && (spoken_to || lost())) {
            return Some((UpdateKind::Withdrawal, hit));
        }
        if let Some(hit) = state(State::WithdrawHint)
            && (spoken_to || state(State::Found).is_some())
        {
            return Some((UpdateKind::Withdrawal, hit));
        }
        // "… bắt được rồi, cảm ơn": nothing is asked for any more.
        if let Some(hit) = state(State::Resolved)
            && page.tells(State::Thanks)
            && !page.tells(State::Request)
        {
            return Some((UpdateKind::Withdrawal, hit));
        }
        // Told shortly that it is over, and nothing else: "hai bên tự thoả thuận rồi", "tắt loa rồi".
        let open = [
            State::Ongoing,
            State::Help,
            State::Request,
            State::Danger,
            State::Habit,
        ];
        let short = self.content_words(self.content_start()) <= SHORT;
        let told = self.told_outside_tags(scores);
        if let Some(hit) = state(State::Settled)
            && (spoken_to
                || short && told < category::CLEAR && !open.iter().any(|one| page.tells(*one)))
            && !told_after(&hit)
        {
            return Some((UpdateKind::Withdrawal, hit));
        }
        state(State::Detail)
            .filter(|_| !again())
            .map(|hit| (UpdateKind::Detail, hit))
    }

    /// The incidents told; two when the text says so and both are clear. Of one, how much all its signs say
    /// that it has happened, in parts of [`kinds::UNIT`].
    fn incidents(
        &self,
        start: usize,
        scores: &category::Scores,
        evidence: &mut Vec<Evidence>,
    ) -> (Vec<Facts>, Option<i32>) {
        let page = &self.page;
        let end = page.tokens.len();
        let kinds = scores
            .weights
            .iter()
            .filter(|weight| **weight >= STRONG)
            .count();
        let named = self
            .tags
            .iter()
            .filter(|tag| tag.category.is_some())
            .count();
        if kinds + named < 2 {
            let (facts, earnest) = self.weighed_facts(start, end, scores, evidence);
            return (vec![facts], Some(earnest));
        }
        // "còn nữa", "vụ 2", a numbered line, or a new sentence.
        let another = page.tells(State::Another);
        let cuts = (start + 2..end).filter_map(|at| {
            let mut hits = page.hits_at(at).iter();
            let told = another && hits.any(|hit| hit.what == What::State(State::Another));
            let listed = page.tokens.get(at).is_some_and(|token| token.digits == 1)
                && page
                    .tokens
                    .get(at + 1)
                    .is_some_and(|next| matches!(next.before, ')' | '.' | ':'));
            let sentence = page.tokens.get(at).is_some_and(|token| {
                token.starts_sentence() || self.tags.iter().any(|tag| tag.start + 1 == token.start)
            });
            (told || listed || sentence).then_some((at, told || listed))
        });
        for (cut, said) in cuts.take(CUTS) {
            let (first, second) = (
                category::score(page, start, cut),
                category::score(page, cut, end),
            );
            let (before, after) = (self.tags_in(start, cut), self.tags_in(cut, end));
            let tells = |scores: &category::Scores, tags: &[Option<Category>]| {
                scores.best() >= STRONG || scores.best() > 0 && tags.iter().any(Option::is_some)
            };
            // A new sentence alone is no new incident: each half must be clear, by its words or its tag.
            let clear = |scores: &category::Scores, tags: &[Option<Category>]| {
                let tagged = tags.iter().any(Option::is_some);
                scores.best() >= if tagged { STRONG } else { category::CLEAR }
            };
            let clear = clear(&first, &before) && clear(&second, &after);
            if !tells(&first, &before) || !tells(&second, &after) || !said && !clear {
                continue;
            }
            let (one, two) = (
                category::decide(&first, &before),
                category::decide(&second, &after),
            );
            if !said && (one == two || category::belongs(one, two)) {
                continue;
            }
            let mut notes = Vec::new();
            let halves = vec![
                self.facts(start, cut, &first, &mut notes),
                self.facts(cut, end, &second, &mut notes),
            ];
            let places: Vec<_> = halves.iter().map(|facts| facts.place.as_deref()).collect();
            let apart = matches!(places.as_slice(), [Some(one), Some(two)] if one != two);
            if apart || said && one != two {
                evidence.append(&mut notes);
                return (halves, None);
            }
        }
        let (facts, earnest) = self.weighed_facts(start, end, scores, evidence);
        (vec![facts], Some(earnest))
    }

    /// What the hashtags among tokens `from..to` name.
    fn tags_in(&self, from: usize, to: usize) -> Vec<Option<Category>> {
        named_by(&self.page, &self.tags, from, to)
    }

    fn address(&self) -> Address<'_> {
        Address {
            tags: &self.tags,
            mention: self.mention,
        }
    }

    /// Adds what tokens `from..to` show of urgency beside their words.
    fn add_signs_of_urgency(
        &self,
        span: (usize, usize),
        primary: Category,
        verdict: &urgent::Verdict,
        time: Option<&When>,
        signs: &mut Vec<kinds::Sign>,
    ) {
        add_signs_of_state(&self.page, span, signs);
        let hour = urgent::hour(self.page.now, time);
        kinds::judged(hour, primary, verdict.urgent, signs);
    }

    /// Numbers, the time and the place among tokens `from..to` of a message of this kind.
    fn find(
        &self,
        from: usize,
        to: usize,
        kind: Category,
    ) -> (
        entities::Entities,
        Option<when::Found>,
        Option<place::Found>,
    ) {
        let page = &self.page;
        let mut entities = entities::read(page, from, to, self.addressing.bot_names);
        let time = when::read(page, from, to, &entities.busy, kind.into());
        let numbers = entities.busy.len();
        if let Some(time) = &time {
            entities.busy.push((time.from, time.to));
            entities.busy.extend(time.second);
        }
        for tag in &self.tags {
            page.tokens_in(tag.start, tag.core_end, &mut entities.busy);
        }
        if let Some((start, end)) = self.mention {
            page.tokens_in(start, end, &mut entities.busy);
        }
        let place = place::read(page, from, to, &entities.busy);
        entities.busy.truncate(numbers);
        (entities, time, place)
    }

    fn facts(
        &self,
        from: usize,
        to: usize,
        scores: &category::Scores,
        evidence: &mut Vec<Evidence>,
    ) -> Facts {
        self.weighed_facts(from, to, scores, evidence).0
    }

    /// The facts that tokens `from..to` tell, and how much they say that something has happened, in parts of
    /// [`kinds::UNIT`].
    fn weighed_facts(
        &self,
        from: usize,
        to: usize,
        scores: &category::Scores,
        evidence: &mut Vec<Evidence>,
    ) -> (Facts, i32) {
        let page = &self.page;
        let ruled = category::decide(scores, &self.tags_in(from, to));
        let (entities, mut time, place) = self.find(from, to, ruled);
        // The words say something of both questions and are weighed once.
        let mut signs = signs_of_words(page, self.address(), (from, to), place.as_ref());
        let words = signs.len();
        let said = kinds::Sums::of(&signs);
        add_signs_of_kind(page, self.address(), (from, to), scores, &mut signs);
        let of_kind = said.with(signs.get(words..).unwrap_or(&[]));
        let weights = of_kind.weights();
        let categories = if self.told_outside_tags(scores) > 0 {
            category::told(&weights)
        } else {
            let named = self.tags_in(from, to).into_iter().flatten().next();
            category::told_by_words(&weights, named)
        };
        let primary = categories.first().copied().unwrap_or(Category::Other);
        if when::Telling::from(primary) != ruled.into() {
            time = when::read(page, from, to, &entities.busy, primary.into());
        }
        self.explain_kinds(&categories, &signs, scores, evidence);
        if let Some(time) = &time {
            evidence.push(page.evidence(time.from, time.to, Why::Time));
        }
        if let Some(place) = &place {
            evidence.push(page.evidence(place.from, place.to, Why::Place));
        }
        let time = time.map(|found| found.when);
        let verdict = urgent::judge(page, from, to, primary, time.as_ref());
        signs.truncate(words);
        add_signs_of_state(page, (from, to), &mut signs);
        let states = signs.len();
        let told = signs.get(words..states).unwrap_or(&[]);
        let earnest = of_kind.with(told).weights()[kinds::EARNEST];
        let hour = urgent::hour(page.now, time.as_ref());
        kinds::judged(hour, primary, verdict.urgent, &mut signs);
        let weights = said.with(signs.get(words..).unwrap_or(&[])).weights();
        let urgent = urgent::is(&weights);
        self.explain_urgency(urgent, primary, &verdict, &signs, evidence);
        let facts = Facts {
            categories,
            primary,
            urgent,
            place: place.map(|found| page.words(found.from, found.to).to_owned()),
            time,
            phones: entities.phones,
            plates: entities.plates,
            urls: entities.urls,
            handles: entities.handles,
            accounts: entities.accounts,
        };
        (facts, earnest)
    }

    /// The words and cues that decided what kind of incident it is.
    fn explain_kinds(
        &self,
        categories: &[Category],
        signs: &[kinds::Sign],
        scores: &category::Scores,
        evidence: &mut Vec<Evidence>,
    ) {
        let page = &self.page;
        for category in categories {
            let reasons = kinds::reasons(signs, *category as usize);
            let found = reasons.map(|(at, weight)| {
                let why = Why::Word(*category, hundredths(weight));
                page.evidence(at, at + 1, why)
            });
            evidence.extend(found);
        }
        for hit in &scores.cues {
            if let What::Cue(category, weight) | What::Frame(category, weight) = hit.what
                && categories.contains(&category)
            {
                let why = Why::Cue(category, weight);
                evidence.push(page.evidence(hit.from, hit.to, why));
            }
        }
    }

    /// The words that decided whether somebody should act now.
    fn explain_urgency(
        &self,
        urgent: bool,
        primary: Category,
        verdict: &urgent::Verdict,
        signs: &[kinds::Sign],
        evidence: &mut Vec<Evidence>,
    ) {
        let page = &self.page;
        let at = verdict
            .because
            .map_or(0..0, |hit| page.bytes(hit.from, hit.to));
        let why = Why::Urgent(urgent, primary);
        evidence.push(Evidence { at, why });
        if urgent {
            let reasons = kinds::reasons(signs, kinds::URGENCY);
            let found = reasons
                .map(|(at, weight)| page.evidence(at, at + 1, Why::UrgentWord(hundredths(weight))));
            evidence.extend(found);
        }
    }
}

/// A weight in parts of [`kinds::UNIT`] as people write it.
fn hundredths(weight: i32) -> i32 {
    weight * 100 / kinds::UNIT
}

/// What the weights are learned from: all that a message shows.
#[derive(Debug)]
pub struct Shown {
    /// What speaks for its kinds.
    pub of_kind: Vec<kinds::Sign>,
    /// What speaks for its urgency.
    pub of_urgency: Vec<kinds::Sign>,
    /// What speaks for its being a report at all.
    pub of_earnest: Vec<kinds::Sign>,
}

/// What a message of a known kind shows; see [`kinds`].
pub fn shown(
    text: &str,
    addressing: &Addressing<'_>,
    lexicon: &Lexicon,
    now: DateTime<FixedOffset>,
    primary: Category,
) -> Shown {
    let page = Page::new(text, lexicon, now);
    let message = Message {
        // Whether it is meant may depend on the weights, and these on it.
        leading: first_words(&page).map(|(word, _)| word),
        tags: borne_out(&page, tag::tags(text, lexicon)),
        page,
        addressing,
        command: parse_command(text, addressing),
        mention: tag::mention(text, addressing.bot_names),
        mentioned: false,
    };
    message.shown(primary)
}

impl Message<'_> {
    fn shown(&self, primary: Category) -> Shown {
        let page = &self.page;
        let (from, to) = (self.content_start(), page.tokens.len());
        let scores = category::score(page, from, to);
        let (_, time, place) = self.find(from, to, primary);
        let when = time.map(|found| found.when);
        let verdict = urgent::judge(page, from, to, primary, when.as_ref());
        let (address, span) = (self.address(), (from, to));
        let words = signs_of_words(page, address, span, place.as_ref());
        let (mut of_kind, mut of_urgency) = (words.clone(), words);
        add_signs_of_kind(page, address, span, &scores, &mut of_kind);
        self.add_signs_of_urgency(span, primary, &verdict, when.as_ref(), &mut of_urgency);
        Shown {
            of_earnest: signs_of_earnest(page, address, span, &scores, place.as_ref()),
            of_kind,
            of_urgency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str, private: bool, reply_to_bot: bool) -> Outcome {
        let lexicon = Lexicon::builtin().unwrap_or_else(|error| panic!("{error}"));
        let names = ["anttbot".to_owned(), "Bot ANTT".to_owned()];
        let addressing = Addressing {
            private,
            reply_to_bot,
            mentioned: false,
            bot_names: &names,
        };
        let now = DateTime::parse_from_rfc3339("2026-11-24T09:00:00+07:00").expect("a time");
        read(text, &addressing, &lexicon, now).outcome
    }

    #[test]
    fn what_is_tagged_is_read_and_the_rest_is_not() {
        for text in [
            "#Trộm_Cắp xóm 5",
            "＃tromcap ao cá",
            "#danh bac ở cuối ngõ",
            "#tromcho3 xóm trên",
            "tố giác quán nước ghi lô đề",
            "Bot ơi @Bot ANTT có trộm vào nhà",
            "/Báo@anttbot\ncháy nhà",
            "báo - mất xe ở chợ",
            "#nổ to lắm",
            "#bảokê chợ đêm",
        ] {
            assert_eq!(outcome(text, false, false), Outcome::Report, "{text}");
        }
        for text in [
            "#trộm vía bé ngoan",
            "#chạybộ 5km",
            "báo giá cửa nhôm",
            "bao so 15 vao roi",
            "bảo vệ bị đánh",
            "@anttbotxyz cướp",
            "https://x.vn/#tromcap",
            "C# hay Java",
            "@anttbot chào buổi sáng",
            "/baocao tuần này",
            "hôm qua mất xe rồi",
            "/bao@otherbot mất xe",
        ] {
            assert_eq!(outcome(text, false, false), Outcome::Ignore, "{text}");
        }
        assert_eq!(outcome("/bao", false, false), Outcome::AskDetail);
        assert_eq!(outcome("#antt", false, false), Outcome::AskDetail);
    }

    #[test]
    fn a_tag_with_nothing_but_a_place_and_an_hour_is_of_its_own_kind() {
        let lexicon = Lexicon::builtin().unwrap_or_else(|error| panic!("{error}"));
        let addressing = Addressing {
            private: false,
            reply_to_bot: false,
            mentioned: false,
            bot_names: &[],
        };
        let now = DateTime::parse_from_rfc3339("2026-11-24T22:00:00+07:00").expect("a time");
        for (text, kind) in [
            (
                "#danhnhau ở ngõ 12 lúc 20h tối nay",
                Category::DisorderFight,
            ),
            ("#tromcap ở chợ Hà Lầm", Category::Theft),
        ] {
            let reading = read(text, &addressing, &lexicon, now);
            let primary = reading.incidents.first().map(|facts| facts.primary);
            assert_eq!(primary, Some(kind), "{text}");
        }
    }

    #[test]
    fn in_private_everything_is_addressed() {
        assert_eq!(
            outcome("nhà em vừa bị trộm vào lấy mất ví", true, false),
            Outcome::Report
        );
        assert_eq!(outcome("xin chào", true, false), Outcome::AskDetail);
        assert_eq!(
            outcome("ở cổng chợ Cột 5 ạ", true, false),
            Outcome::Update(UpdateKind::Detail)
        );
        assert!(
            matches!(outcome("xong 1204 đã bắt", true, false), Outcome::Command(command) if command.rest == "1204 đã bắt")
        );
    }

    #[test]
    fn an_answer_to_the_bot_is_an_update() {
        assert_eq!(
            outcome("lúc 3h sáng ạ", false, true),
            Outcome::Update(UpdateKind::Detail)
        );
        assert_eq!(
            outcome("nhầm rồi ạ, tìm thấy xe rồi", false, true),
            Outcome::Update(UpdateKind::Withdrawal)
        );
        assert_eq!(
            outcome("đính chính biển là 14B1-12345", false, true),
            Outcome::Update(UpdateKind::Correction)
        );
        assert_eq!(
            outcome("không phải #tromcap đâu mọi người", false, false),
            Outcome::Ignore
        );
    }

    #[test]
    fn a_tag_without_an_incident_is_no_report() {
        for text in [
            "#cháy gì đâu, người ta đốt rác thôi",
            "Không phải #tromcap đâu mọi người, xe em để quên ở nhà bạn",
            "#baoluchocduong bài thuyết trình nhóm 5 ai làm slide",
            "#cuop ny cướp mất miếng gà của tao haha",
            "Fwd: tháng 3/2023 #luadao công an cảnh báo",
            "#bảohành chính hãng 12 tháng",
            "#vềquê ăn tết",
        ] {
            assert_eq!(outcome(text, false, false), Outcome::Ignore, "{text}");
        }
        for text in [
            "#nguoinghien vật vờ ở cầu thang tầng 2",
            "#cobactrahinh quán nước đầu ngõ 5",
            "#cháy không phải nhà em mà nhà số 5 ngõ 2 Lê Lợi, cứu với",
        ] {
            assert_eq!(outcome(text, false, false), Outcome::Report, "{text}");
        }
    }

    #[test]
    fn places_times_and_numbers_are_read_as_people_say_them() {
        let lexicon = Lexicon::builtin().unwrap_or_else(|error| panic!("{error}"));
        let addressing = Addressing {
            private: false,
            reply_to_bot: false,
            mentioned: false,
            bot_names: &[],
        };
        let now = DateTime::parse_from_rfc3339("2026-11-24T09:00:00+07:00").expect("a time");
        let facts = |text: &str| {
            let reading = read(text, &addressing, &lexicon, now);
            reading.incidents.into_iter().next().expect("an incident")
        };
        for (text, place) in [
            ("#tngt đâm đổ cột điện ở dốc Cầu Trắng", "dốc Cầu Trắng"),
            (
                "#tromcap vườn thanh long thôn Đồng Mậu bị vặt sạch",
                "vườn thanh long thôn Đồng Mậu",
            ),
            (
                "#baohanh em bị chồng nhốt ở 21 ngách 3/15 phố Hải Long",
                "21 ngách 3/15 phố Hải Long",
            ),
            ("#matxe mat xe o to 11 khu Hong Ha 2", "to 11 khu Hong Ha 2"),
            (
                "#giaothong ổ gà sâu giữa đường vào mỏ Khe Chàm",
                "đường vào mỏ Khe Chàm",
            ),
            (
                "#tromcap mất xe Wave ở hẻm 9 khóm Tân Lập",
                "hẻm 9 khóm Tân Lập",
            ),
        ] {
            assert_eq!(facts(text).place.as_deref(), Some(place), "{text}");
        }
        for (text, time) in [
            (
                "#tromcap mất con gà ở xóm 3 hồi hôm lúc 2h",
                "2026-11-24T02:00:00+07:00",
            ),
            (
                "#cuop 9 rưỡi tối qua bị giật túi ở cầu Trắng",
                "2026-11-23T21:30:00+07:00",
            ),
            (
                "#cuop bị giật túi 1 tiếng 20 phút trước ở cầu Trắng",
                "2026-11-24T07:40:00+07:00",
            ),
            (
                "#timnguoi mẹ em đi khỏi nhà từ 4h chiều hôm qua đến giờ chưa về",
                "2026-11-23T16:00:00+07:00",
            ),
        ] {
            let found = facts(text).time.map(|time| time.start().to_rfc3339());
            assert_eq!(found.as_deref(), Some(time), "{text}");
        }
        for (text, phones) in [
            (
                "#luadao không chín một hai, ba số 0, bốn năm bảy gọi đòi tiền",
                vec!["+84912000457"],
            ),
            (
                "#tromcap nhặt được ví, gọi 0345 000 611/612 nhé",
                vec!["+84345000611", "+84345000612"],
            ),
            ("#tromcap mất xe, không một ai thấy", vec![]),
        ] {
            assert_eq!(facts(text).phones, phones, "{text}");
        }
    }

    #[test]
    fn two_incidents_in_one_message_are_two() {
        let lexicon = Lexicon::builtin().unwrap_or_else(|error| panic!("{error}"));
        let addressing = Addressing {
            private: false,
            reply_to_bot: false,
            mentioned: false,
            bot_names: &[],
        };
        let now = DateTime::parse_from_rfc3339("2026-11-24T09:00:00+07:00").expect("a time");
        let primaries = |text: &str| -> Vec<&str> {
            read(text, &addressing, &lexicon, now)
                .incidents
                .iter()
                .map(|facts| facts.primary.as_str())
                .collect()
        };
        assert_eq!(
            primaries("#tromcap mất đàn gà ở xóm 3. #karaoke quán Hoa Sữa mở loa ầm ĩ"),
            ["theft", "environment_noise"]
        );
        assert_eq!(
            primaries("#tromcap mất 2 con gà ở xóm 3, sáng nay lại mất cái máy bơm"),
            ["theft"]
        );
    }
}
