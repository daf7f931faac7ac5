//! How often words are said at all, counted over the messages that people labelled.

use std::collections::BTreeMap;
use std::hash::Hasher;

use crate::text::lexicon::Mix;
use crate::text::lexicon::table::{Index, Pass, Table};
use crate::text::token::{Case, Token, tokens};

/// The messages that people labelled, with the words they have: counted by `tests/kinds.rs`.
const COUNTED: &str = include_str!("../../config/lexicon/often.tsv");

/// How often words are said at all.
#[derive(Debug, Default)]
pub struct Often {
    /// In how many messages a word or a pair of words stands; none is known to stand in fewer than two.
    index: Index,
    stands_in: Table<4>,
    messages: u32,
}

/// A rarer word than this is worth a point for each natural logarithm.
const RARE: f64 = 3.5;
/// A pair of words in fewer messages is hardly ever said, in more it is a way of speaking.
const RARE_PAIR: u32 = 3;
const COMMON_PAIR: u32 = 8;
/// Words in more messages make no pair that says anything, nor does a number with any of these.
const COMMON: u32 = 90;
pub(crate) const COUNTED_THINGS: u32 = 40;

impl Often {
    /// Takes the counts from `config/lexicon/often.tsv`.
    pub(crate) fn counted() -> Self {
        let mut messages = 0;
        let mut stands_in = BTreeMap::new();
        for line in COUNTED.lines().filter(|line| !line.starts_with('#')) {
            let (words, count) = line.split_once('\t').unwrap_or((line, ""));
            let all: u32 = count.parse().unwrap_or(0);
            match tokens(words).as_slice() {
                [] => messages = all,
                [word] => {
                    stands_in.insert(word.key, all);
                }
                [first, second, ..] => {
                    stands_in.insert(pair(first, second), all);
                }
            }
        }
        let mut stands_in: Vec<_> = stands_in.into_iter().collect();
        Self {
            index: Index::of(&mut stands_in),
            stands_in: stands_in.into_iter().map(|(_, count)| count).collect(),
            messages,
        }
    }

    /// Goes over all of it.
    pub(crate) fn pass(&mut self, image: &mut impl Pass) -> Option<()> {
        image.index(&mut self.index)?;
        image.table(&mut self.stands_in)?;
        image.value(&mut self.messages)
    }

    /// In how many messages a word or a pair of words stands.
    pub(crate) fn of(&self, key: u64) -> u32 {
        let at = self.index.find(key);
        at.and_then(|at| self.stands_in.number(at)).unwrap_or(0)
    }

    /// What it says that two messages have this word, in hundredths of a point.
    pub(crate) fn word(&self, word: &Token) -> u32 {
        if word.is_number() || word.length < 2 {
            return 0;
        }
        let share = f64::from(self.messages) / f64::from(self.of(word.key) + 1);
        let worth = ((share.ln() - RARE) * 100.0).clamp(0.0, 400.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was bounded above"
        )]
        let worth = worth as u32;
        worth
    }

    /// What it says that two messages have these words in a row.
    pub(crate) fn pair(&self, first: &Token, second: &Token) -> u32 {
        let often = self.of(pair(first, second));
        let (one, two) = (self.of(first.key), self.of(second.key));
        if first.is_number() || second.is_number() {
            let other = one.max(two);
            // "22h" is no name, "5C" is a house.
            let clock = second.glued() && second.case == Case::Lower;
            return 100 * u32::from(other <= COUNTED_THINGS && !clock && second.before != '.');
        }
        if often > COMMON_PAIR || one > COMMON && two > COMMON {
            return 0;
        }
        if often <= RARE_PAIR { 200 } else { 100 }
    }
}

/// The hash of two words in a row.
pub(crate) fn pair(first: &Token, second: &Token) -> u64 {
    let mut mix = Mix::default();
    mix.write_u64(first.key);
    mix.write_u64(second.key);
    mix.finish()
}
