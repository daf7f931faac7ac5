//! Kinds: what kind of incident all the words of a text together speak of, where the cues are not sure.
//!
//! Cues and frames are listed by hand, and no list is complete. `config/lexicon/kinds.tsv` counts in
//! how many of the messages that people labelled a word, or two words in a row, stands, by category.
//! A word's weight for a category is the logarithm of how much more often it stands there than
//! elsewhere, and a text's is the sum over its words (naive Bayes). The file is counted anew by
//! `KENG_COUNT=write cargo test --test kinds`.
//!
//! The points of cues are added to it, so counted words outvote a cue that stands alone among words of
//! another kind, and never what is told clearly: see [`Kinds::overrule`].

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::mem;

use crate::domain::reading::Category;
use crate::text::lexicon::Mix;
use crate::text::lexicon::table::{Index, Pass, Table, narrow};
use crate::text::token::{Token, tokens};

/// The counts.
const COUNTED: &str = include_str!("../../config/lexicon/kinds.tsv");

/// Number of categories.
const KINDS: usize = Category::ALL.len();
/// Above this weight the cues of the primary category are believed: a tag alone, or one cue, is not enough.
const UNSURE: u16 = 10;
/// What a point of a cue weighs, in hundredths of a natural logarithm. Tried on messages whose words were
/// in neither list: half as much, or twice, named fewer of them rightly.
const POINT: i32 = 100;
/// How much more words and cues must speak for another category, in hundredths of a natural logarithm.
const MUCH_MORE: i32 = 200;
/// A word is taken to stand in this many more messages of each category, as often as it stands in all;
/// so a few messages of a rare kind do not make it look telling.
const SMOOTH: f64 = 12.0;

/// Counted words.
#[derive(Debug, Default)]
pub struct Kinds {
    /// By word or pair of words.
    index: Index,
    /// By place in the index: where its weights begin in `weights`; those of the next are the end.
    starts: Table<4>,
    /// A category with which it was counted, by its place (1 byte), and the word's weight for it in hundredths
    /// of a natural logarithm (2 bytes).
    weights: Table<3>,
    /// The weight for a category of a word that was never counted with it.
    never: [i16; KINDS],
    /// The weight of each category before any word.
    before: [i16; KINDS],
}

/// What the words speak for.
#[derive(Debug, Clone)]
pub struct Verdict<'a> {
    /// The category.
    pub category: Category,
    /// By how much more than for the one they were asked about, in hundredths.
    pub more: i32,
    /// The words that speak for it most, the strongest first.
    pub because: Vec<&'a Token>,
}

/// Words a verdict gives as its reason.
const REASONS: usize = 3;

fn hundredths(value: f64) -> i16 {
    let bounded = (value * 100.0).round().clamp(-32_000.0, 32_000.0);
    #[expect(clippy::cast_possible_truncation, reason = "it was bounded above")]
    let hundredths = bounded as i16;
    hundredths
}

/// What a word weighs for a category with which it was counted so often, in hundredths.
fn weigh(count: u32, messages: u32, often: f64) -> i16 {
    let here = (f64::from(count) + SMOOTH * often) / (f64::from(messages) + SMOOTH);
    hundredths((here / often).ln())
}

fn pair(first: u64, second: u64) -> u64 {
    let mut mix = Mix::default();
    mix.write_u64(first);
    mix.write_u64(second);
    mix.finish()
}

/// The words of a text that are counted: neither numbers nor inside a tag or a mention, which say for
/// themselves what they mean.
pub fn counted(tokens: &[Token], skip: impl Fn(&Token) -> bool) -> impl Iterator<Item = &Token> {
    tokens
        .iter()
        .filter(move |token| !token.is_number() && !skip(token))
}

impl Kinds {
    /// Weighs the counts that come with the program.
    ///
    /// # Errors
    /// A line is not `words<tab>category count category count …`.
    pub(crate) fn counted() -> Result<Self, String> {
        Self::parse(COUNTED)
    }

    fn parse(source: &str) -> Result<Self, String> {
        let mut kinds = Self::default();
        let mut messages = [0_u32; KINDS];
        let mut weighed: BTreeMap<u64, Vec<[u8; 3]>> = BTreeMap::new();
        for (number, line) in source.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let bad = || format!("kinds.tsv:{}: not counts of words: {line}", number + 1);
            let (words, counts) = line.split_once('\t').ok_or_else(bad)?;
            let mut row = [0_u32; KINDS];
            let mut parts = counts.split(' ');
            while let Some(name) = parts.next() {
                let category = Category::parse(name).ok_or_else(bad)?;
                let count = parts.next().and_then(|count| count.parse().ok());
                if let Some(cell) = row.get_mut(category as usize) {
                    *cell = count.ok_or_else(bad)?;
                }
            }
            if words.is_empty() {
                messages = row;
                for (weight, count) in kinds.before.iter_mut().zip(row) {
                    *weight = hundredths(0.5 * f64::from(count + 1).ln());
                }
                // How often it stands elsewhere makes no difference then.
                for (weight, messages) in kinds.never.iter_mut().zip(messages) {
                    *weight = weigh(0, messages, 1.0);
                }
                continue;
            }
            let key = match tokens(words).as_slice() {
                [word] => word.key,
                [first, second] => pair(first.key, second.key),
                _ => return Err(bad()),
            };
            let all: u32 = row.iter().sum();
            let total: u32 = messages.iter().sum();
            let often = f64::from(all + 1) / f64::from(total + 1);
            let mut weights = Vec::new();
            for (kind, (count, messages)) in (0_u8..).zip(row.into_iter().zip(messages)) {
                if count > 0 {
                    let [low, high] = weigh(count, messages, often).to_le_bytes();
                    weights.push([kind, low, high]);
                }
            }
            weighed.insert(key, weights);
        }
        let mut weighed: Vec<_> = weighed.into_iter().collect();
        kinds.index = Index::of(&mut weighed);
        let (mut starts, mut weights) = (vec![0], Vec::new());
        for (_, more) in weighed {
            weights.extend(more);
            starts.push(narrow(weights.len()));
        }
        kinds.starts = starts.into_iter().collect();
        kinds.weights = weights.into();
        Ok(kinds)
    }

    /// Goes over all of it.
    pub(crate) fn pass(&mut self, image: &mut impl Pass) -> Option<()> {
        image.index(&mut self.index)?;
        image.table(&mut self.starts)?;
        image.table(&mut self.weights)?;
        image.value(&mut self.never)?;
        image.value(&mut self.before)
    }

    /// What a word or a pair of words weighs for each category.
    fn weights(&self, key: u64) -> Option<[i16; KINDS]> {
        let at = self.index.find(key)?;
        let (from, to) = (self.starts.number(at)?, self.starts.number(at + 1)?);
        let mut all = self.never;
        for [kind, low, high] in self.weights.rows(from as usize, to as usize) {
            if let Some(weight) = all.get_mut(usize::from(*kind)) {
                *weight = i16::from_le_bytes([*low, *high]);
            }
        }
        Some(all)
    }

    /// The category that the words and the cues together speak for instead of `primary`; `told` is what the
    /// cues and tags of each category weigh.
    pub fn overrule<'a>(
        &self,
        words: impl Iterator<Item = &'a Token>,
        primary: Category,
        told: &[u16; KINDS],
    ) -> Option<Verdict<'a>> {
        let weight = |category: Category| told.get(category as usize).copied().unwrap_or(0);
        if weight(primary) > UNSURE {
            return None;
        }
        let mut sums = self.before.map(i32::from);
        for (sum, told) in sums.iter_mut().zip(told) {
            // What is heavier than the primary one gave way to it for a reason.
            *sum += POINT * i32::from((*told).min(weight(primary)));
        }
        let mut seen: Vec<(u64, &Token)> = Vec::with_capacity(64);
        let mut last = None;
        for word in words {
            // A pair is counted only when each of its words is.
            let known = self.index.find(word.key).is_some();
            let before = mem::replace(&mut last, known.then_some(word.key));
            if !known {
                continue;
            }
            let keys = [Some(word.key), before.map(|before| pair(before, word.key))];
            for key in keys.into_iter().flatten() {
                // A word counts once, however often it is said; behind this many nothing changes.
                if seen.len() == 256 || seen.iter().any(|(other, _)| *other == key) {
                    continue;
                }
                seen.push((key, word));
                for (sum, weight) in sums.iter_mut().zip(self.weights(key).into_iter().flatten()) {
                    *sum += i32::from(weight);
                }
            }
        }
        let of = |category: Category| sums.get(category as usize).copied().unwrap_or(0);
        let best = Category::ALL
            .iter()
            .copied()
            .max_by_key(|category| of(*category))?;
        let more = of(best) - of(primary);
        if more <= MUCH_MORE {
            return None;
        }
        let speaks = |key: u64| {
            let weight = |weights: &[i16; KINDS], category: Category| {
                weights.get(category as usize).copied().unwrap_or(0)
            };
            self.weights(key)
                .map_or(0, |all| weight(&all, best) - weight(&all, primary))
        };
        seen.sort_by_key(|(key, _)| -speaks(*key));
        let mut because: Vec<&Token> = Vec::with_capacity(REASONS);
        for (_, word) in seen {
            if because.len() < REASONS && !because.iter().any(|other| other.start == word.start) {
                because.push(word);
            }
        }
        Some(Verdict {
            category: best,
            more,
            because,
        })
    }
}
