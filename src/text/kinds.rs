//! Kinds: what all the signs of a text together say: of which kinds of incident it tells, and whether
//! somebody should act now.
//!
//! Cues, frames and states are listed by hand, and no list is complete. So whatever a text shows is a
//! *sign*: a word, two words in a row, a class of words, what the cues of a kind weigh, what a hashtag names,
//! a state, the hour. Each sign has a weight for each kind and for urgency; a text's weights are the sums
//! over its signs, and a kind is told when its sum is above zero (logistic regression, one for each kind).
//!
//! The weights are in `config/lexicon/kinds.bin`: rows of [`COLUMNS`] signed bytes in parts of [`UNIT`], a
//! row for each sign; words and pairs share [`WORDS`] rows by their hash. `KENG_TRAIN=write cargo test
//! --release --test kinds` learns them anew from the messages that people labelled, the same from the same;
//! the last four bytes are the sum by which a test knows that they were learned from the messages there are.

use crate::domain::reading::Category;
use crate::text::frame::Seen;
use crate::text::lexicon::Mix;
use crate::text::token::Token;
use std::hash::Hasher;

/// The weights that come with the program.
const BUILTIN: &[u8] = include_bytes!("../../config/lexicon/kinds.bin");

/// Number of categories.
const KINDS: usize = Category::ALL.len();
/// A weight for each category, one for urgency, and one for earnest.
pub const COLUMNS: usize = KINDS + 2;
/// The column of urgency.
pub const URGENCY: usize = KINDS;
/// The column of earnest: something has happened; it is no joke, exercise, offer or denial.
pub const EARNEST: usize = KINDS + 1;
/// A weight of one is so many parts.
pub const UNIT: i32 = 40;
/// A sign that is there once weighs so many parts; less when it is faint.
pub const FULL: i32 = 12;

/// Rows of words and pairs of words. With more rows fewer words share one; tried on messages of other hands,
/// twice as many named as many kinds rightly, half as many fewer.
pub const WORDS: usize = 1 << 15;
/// The rows behind them, a block for each other kind of sign.
const CLASSES: usize = WORDS;
/// What the cues of each kind weigh, and what they make of it: from here to [`TAGS`].
pub const CUES: usize = CLASSES + 256;
const RULED: usize = CUES + KINDS;
/// What hashtags name.
pub const TAGS: usize = RULED + KINDS;
const STATES: usize = TAGS + KINDS + 1;
const HOURS: usize = STATES + 128;
const PRIMARIES: usize = HOURS + 8;
const JUDGED: usize = PRIMARIES + KINDS;
/// The row that is added to every text.
pub const ALWAYS: usize = JUDGED + 2 * KINDS;
/// All rows.
pub const ROWS: usize = ALWAYS + 1;

/// Cues of one kind are not heard louder than this.
const LOUDEST: u16 = 20;
/// Words behind this many change nothing.
const MOST: usize = 256;

/// Something that a text shows.
#[derive(Debug, Clone, Copy)]
pub struct Sign {
    /// Its row.
    pub row: usize,
    /// How strongly, in parts of [`FULL`].
    pub much: i32,
    /// The token that shows it, when it is a word.
    pub token: Option<usize>,
}

impl Sign {
    fn new(row: usize, much: i32) -> Self {
        Self {
            row,
            much,
            token: None,
        }
    }
}

/// How the hour that a text tells of stands to the moment it was sent.
#[derive(Debug, Clone, Copy)]
pub enum Hour {
    /// None is told.
    None,
    /// It lies ahead.
    Ahead,
    /// It is over.
    Past,
    /// It has just been.
    Now,
    /// It began a while ago and reaches up to now.
    Lasting,
}

fn row_of(key: u64) -> usize {
    let mut mix = Mix::default();
    mix.write_u64(key);
    // The remainder of a division by the number of rows is below it.
    usize::try_from(mix.finish() >> 7).unwrap_or(0) % WORDS
}

fn both(first: u64, second: u64) -> u64 {
    let mut mix = Mix::default();
    mix.write_u64(first);
    mix.write_u64(second);
    mix.finish()
}

/// The words of tokens `from..to` and what they are with their marks, each once, and pairs of words in a row.
/// `skip` are those that say for themselves what they mean or say nothing of it: tags, mentions, places.
pub fn words(
    tokens: &[Token],
    from: usize,
    to: usize,
    skip: impl Fn(usize) -> bool,
    signs: &mut Vec<Sign>,
) {
    // A word that is said again says no more.
    let mut known = [0_u64; WORDS / 64];
    let mut count = 0;
    let mut before = None;
    for (at, token) in tokens.iter().enumerate().take(to).skip(from) {
        if token.is_number() || token.foreign || skip(at) {
            before = None;
            continue;
        }
        let marked = (!token.marks.none()).then(|| both(token.key, token.marks.bits()));
        let pair = before.map(|before| both(before, token.key));
        for key in [Some(token.key), marked, pair].into_iter().flatten() {
            let row = row_of(key);
            let Some(bits) = known.get_mut(row / 64) else {
                continue;
            };
            if *bits >> (row % 64) & 1 == 1 {
                continue;
            }
            if count == MOST {
                return;
            }
            *bits |= 1 << (row % 64);
            count += 1;
            signs.push(Sign {
                row,
                much: FULL,
                token: Some(at),
            });
        }
        before = Some(token.key);
    }
}

/// The classes of words seen among tokens `from..to`.
pub fn classes(seen: &[Seen], from: usize, to: usize, signs: &mut Vec<Sign>) {
    let start = signs.len();
    for one in seen.iter().filter(|one| from <= one.from && one.to <= to) {
        let row = CLASSES + usize::from(one.class);
        let much = if one.bare { FULL / 2 } else { FULL };
        let known = signs.get_mut(start..).unwrap_or_default();
        match known.iter_mut().find(|sign| sign.row == row) {
            Some(sign) => sign.much = sign.much.max(much),
            None => signs.push(Sign::new(row, much)),
        }
    }
}

/// What the cues of each kind weigh, what they make of it, and what the hashtags name.
pub fn cues(
    weights: &[u16; KINDS],
    ruled: Category,
    tags: &[Option<Category>],
    signs: &mut Vec<Sign>,
) {
    for (kind, weight) in weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
    {
        let weight = i32::from((*weight).min(LOUDEST));
        signs.push(Sign::new(CUES + kind, weight * FULL / 6));
    }
    signs.push(Sign::new(RULED + ruled as usize, FULL / 2));
    let start = signs.len();
    for tag in tags {
        let row = TAGS + tag.map_or(KINDS, |category| category as usize);
        if !signs.iter().skip(start).any(|sign| sign.row == row) {
            signs.push(Sign::new(row, FULL));
        }
    }
}

/// States told of, by their number, and whether in more than one word.
pub fn states(states: impl Iterator<Item = (u8, bool)>, signs: &mut Vec<Sign>) {
    let (mut short, mut long) = (0_u64, 0_u64);
    for (state, several) in states {
        short |= 1 << state;
        long |= u64::from(several) << state;
    }
    for (bits, row) in [(short, STATES), (long, STATES + 64)] {
        let told = (0..64).filter(|state| bits >> state & 1 == 1);
        signs.extend(told.map(|state| Sign::new(row + state, FULL)));
    }
}

/// The hour, the kind of incident and what the rules say of its urgency.
pub fn judged(hour: Hour, primary: Category, judged: bool, signs: &mut Vec<Sign>) {
    signs.push(Sign::new(HOURS + hour as usize, FULL));
    signs.push(Sign::new(PRIMARIES + primary as usize, FULL));
    let judged = if judged { KINDS } else { 0 };
    signs.push(Sign::new(JUDGED + judged + primary as usize, FULL));
}

fn row(row: usize) -> Option<&'static [u8; COLUMNS]> {
    BUILTIN.as_chunks::<COLUMNS>().0.get(row)
}

fn weight(row: &[u8; COLUMNS], column: usize) -> i32 {
    row.get(column)
        .map_or(0, |byte| i32::from(byte.cast_signed()))
}

/// What signs weigh together, by column.
#[derive(Debug, Clone, Copy)]
pub struct Sums([i32; COLUMNS]);

impl Sums {
    /// Of these signs, and of what is added to every text.
    pub fn of(signs: &[Sign]) -> Self {
        Self([0; COLUMNS])
            .with(&[Sign::new(ALWAYS, FULL)])
            .with(signs)
    }

    /// And of these.
    #[must_use]
    pub fn with(mut self, signs: &[Sign]) -> Self {
        for sign in signs {
            let Some(row) = row(sign.row) else {
                continue;
            };
            for (sum, byte) in self.0.iter_mut().zip(row) {
                *sum += sign.much * i32::from(byte.cast_signed());
            }
        }
        self
    }

    /// For each category, for urgency and for earnest, in parts of [`UNIT`].
    pub fn weights(self) -> [i32; COLUMNS] {
        self.0.map(|sum| sum / FULL)
    }
}

/// The tokens whose words weigh most for a column, the heaviest first, each with its weight in parts of
/// [`UNIT`].
pub fn reasons(signs: &[Sign], column: usize, most: usize) -> Vec<(usize, i32)> {
    let mut tokens: Vec<(usize, i32)> = Vec::new();
    for sign in signs {
        let (Some(at), Some(row)) = (sign.token, row(sign.row)) else {
            continue;
        };
        // A word's signs follow each other.
        match tokens.last_mut().filter(|(last, _)| *last == at) {
            Some((_, sum)) => *sum += weight(row, column),
            None => tokens.push((at, weight(row, column))),
        }
    }
    tokens.retain(|(_, weight)| *weight > 0);
    tokens.sort_by_key(|(_, weight)| -weight);
    tokens.truncate(most);
    tokens
}

/// The sum by which it is known from what the weights were learned.
pub fn learned_from() -> Option<u32> {
    let at = BUILTIN.len().checked_sub(4)?;
    BUILTIN
        .get(at..)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_has_its_weights() {
        assert_eq!(BUILTIN.len(), ROWS * COLUMNS + 4);
    }
}
