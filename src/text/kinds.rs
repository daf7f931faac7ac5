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
/// Words behind this many change nothing; so many bytes have a sum of two bytes.
const MOST: usize = 256;
/// Bits by which it is known that a word has not been said yet.
const FILTER: usize = 4096;

/// Something that a text shows.
#[derive(Debug, Clone, Copy)]
pub struct Sign {
    /// Its row.
    pub row: u16,
    /// How strongly, in parts of [`FULL`].
    pub much: i16,
    /// The token that shows it, when it is a word.
    pub token: Option<u16>,
}

// A message has a hundred signs, so they are kept small.
const _: () = assert!(ROWS < u16::MAX as usize);

impl Sign {
    fn new(row: usize, much: i32) -> Self {
        Self::of(row, much, None)
    }

    fn of(row: usize, much: i32, token: Option<usize>) -> Self {
        Self {
            // There are fewer rows, and a sign weighs a few times its full weight.
            row: u16::try_from(row).unwrap_or(u16::MAX),
            much: i16::try_from(much).unwrap_or(i16::MAX),
            // Behind so many words none is looked at.
            token: token.and_then(|at| u16::try_from(at).ok()),
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
    // A word that is said again says no more. Rows that share a bit are rare, so few are looked for.
    let mut known = [0_u64; FILTER / 64];
    let first = signs.len();
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
            let Some(bits) = known.get_mut(row % FILTER / 64) else {
                continue;
            };
            let bit = 1 << (row % 64);
            let words = signs.get(first..).unwrap_or_default();
            if *bits & bit > 0 && words.iter().any(|sign| usize::from(sign.row) == row) {
                continue;
            }
            if words.len() == MOST {
                return;
            }
            *bits |= bit;
            signs.push(Sign::of(row, FULL, Some(at)));
        }
        before = Some(token.key);
    }
}

/// The classes of words seen among tokens `from..to`.
pub fn classes(seen: &[Seen], from: usize, to: usize, signs: &mut Vec<Sign>) {
    let start = signs.len();
    // By class: which of the new signs is its own, counted from one.
    let mut known = [0_u8; 256];
    for one in seen.iter().filter(|one| from <= one.from && one.to <= to) {
        let much = if one.bare { FULL / 2 } else { FULL };
        let new = signs.len() - start;
        let Some(own) = known.get_mut(usize::from(one.class)) else {
            continue;
        };
        if *own == 0 {
            // There are fewer classes than a byte has values.
            *own = u8::try_from(new + 1).unwrap_or(u8::MAX);
            signs.push(Sign::new(CLASSES + usize::from(one.class), much));
        } else if let Some(sign) = signs.get_mut(start + usize::from(*own) - 1) {
            sign.much = sign.much.max(Sign::new(0, much).much);
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
        if !signs
            .iter()
            .skip(start)
            .any(|sign| usize::from(sign.row) == row)
        {
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
        for signs in signs.chunks(MOST) {
            // Most signs are words and weigh the same: their bytes are added up first, which is quicker.
            let mut full = [0_i16; COLUMNS];
            for sign in signs {
                let Some(row) = row(sign.row.into()) else {
                    continue;
                };
                let much = i32::from(sign.much);
                if much == FULL {
                    for (sum, byte) in full.iter_mut().zip(row) {
                        *sum += i16::from(byte.cast_signed());
                    }
                } else {
                    for (sum, byte) in self.0.iter_mut().zip(row) {
                        *sum += much * i32::from(byte.cast_signed());
                    }
                }
            }
            for (sum, full) in self.0.iter_mut().zip(full) {
                *sum += FULL * i32::from(full);
            }
        }
        self
    }

    /// For each category, for urgency and for earnest, in parts of [`UNIT`].
    pub fn weights(self) -> [i32; COLUMNS] {
        self.0.map(|sum| sum / FULL)
    }
}

/// Words that are given as the reason for one finding.
const REASONS: usize = 3;

/// The tokens whose words weigh most for a column, the heaviest first, each with its weight in parts of
/// [`UNIT`].
pub fn reasons(signs: &[Sign], column: usize) -> impl Iterator<Item = (usize, i32)> {
    // A word's signs follow each other.
    let of_one = |one: &Sign, other: &Sign| one.token == other.token;
    let mut heaviest = [(0_usize, 0); REASONS];
    for signs in signs.chunk_by(of_one) {
        let Some(at) = signs.first().and_then(|sign| sign.token) else {
            continue;
        };
        let rows = signs.iter().filter_map(|sign| row(sign.row.into()));
        let sum: i32 = rows.map(|row| weight(row, column)).sum();
        // Of two that weigh the same the first said stays the first.
        let lighter = heaviest.iter().position(|(_, weight)| *weight < sum);
        if let Some(lighter) = lighter.and_then(|from| heaviest.get_mut(from..)) {
            lighter.rotate_right(1);
            if let Some(place) = lighter.first_mut() {
                *place = (at.into(), sum);
            }
        }
    }
    heaviest.into_iter().filter(|(_, weight)| *weight > 0)
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
