//! The lexicon: what the reader knows about words, loaded from `config/lexicon`.
//!
//! Every file is TOML of one shape, `[section] list = ["phrase", …]`, and says in
//! its head what its sections mean. A phrase is written with its diacritics:
//!
//! | in a phrase | means |
//! | --- | --- |
//! | `mất (xe\|chó\|)` | one of the words, or none |
//! | `lấy .. xe` | up to three words between |
//! | `<take> <goods>` | a frame: words of these classes in order, see [`crate::text::frame`] |
//! | `báo!` at the end | only with exactly these marks, never `bao` |
//! | `-phrase` in a ward's file | forget a built-in phrase |
//!
//! All phrases live in one trie over folded words. The marks decide between words
//! that fold alike, as far as the message has marks at all.
//!
//! The built-in lexicon is laid out when the program is built, and read from the program's own image: it
//! takes no memory and no time to load. A ward's files lay it out anew when the program starts.
//!
//! It knows nothing of sentences; `category`, `place` and `when` do.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::path::Path;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use unicode_normalization::UnicodeNormalization;

use crate::domain::reading::Category;
use crate::text::fold::fold;
use crate::text::frame::{Frames, Seen};
use crate::text::often::Often;
use crate::text::tag::Guess;
use crate::text::token::{Marks, Token, tokens};
use crate::text::trie::{Growth, Phrases, Trie};

pub(crate) mod grow;
pub(crate) mod hash;
#[cfg(test)]
mod image;
pub(crate) mod source;
pub(crate) mod table;
pub(crate) mod what;

pub use grow::Tag;
pub use hash::Mix;
pub(crate) use hash::{Names, Set};
pub use source::LexiconError;
pub use what::{Hit, PlaceWord, State, TimeWord, What};

use table::Reading;

use grow::{Few, Known, Laid, Tags, Words, lay_out, path, spelled};

/// The built-in lexicon, laid out by `src/build.rs`.
static BUILTIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lexicon.bin"));

/// Everything the reader knows about words.
#[derive(Debug)]
pub struct Lexicon {
    words: Words,
    /// The numbers of words that only the deployment's own places have.
    added: HashMap<u64, u32, BuildHasherDefault<Mix>>,
    phrases: Phrases,
    tags: Tags,
    few: Few,
    laughs: AhoCorasick,
    /// The first bytes of smileys.
    laugh_heads: Vec<u8>,
    frames: Frames,
    often: Often,
}

impl Lexicon {
    /// The lexicon that comes with the program.
    ///
    /// # Errors
    /// The program is damaged; tests hold that it is not.
    pub fn builtin() -> Result<Self, LexiconError> {
        let mut laid = Laid::default();
        let read = laid.pass(&mut Reading(BUILTIN));
        Self::of(read.map(|()| laid).ok_or(LexiconError::Damaged)?)
    }

    /// The built-in lexicon with the `*.toml` files of a directory on top.
    ///
    /// # Errors
    /// The directory cannot be read, or an entry means nothing.
    pub fn load(dir: &Path) -> Result<Self, LexiconError> {
        Self::of(lay_out(source::parse_dir(dir)?)?)
    }

    fn of(mut laid: Laid) -> Result<Self, LexiconError> {
        let laughter = std::mem::take(&mut laid.few.laughter);
        let mut heads: Vec<u8> = laughter
            .iter()
            .filter_map(|one| one.bytes().next())
            .collect();
        heads.sort_unstable();
        heads.dedup();
        let laughs = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .build(laughter);
        let laughs = laughs.map_err(|error| LexiconError::Syntax {
            file: "words.toml".to_owned(),
            message: error.to_string(),
        })?;
        Ok(Self {
            words: laid.words,
            added: HashMap::default(),
            phrases: Phrases([laid.trie, Trie::default()]),
            tags: laid.tags,
            few: laid.few,
            laughs,
            laugh_heads: heads,
            frames: laid.frames,
            often: laid.often,
        })
    }

    /// Names of the deployment's own areas, so that they are known as places, instead of those given before.
    pub fn set_places<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let (words, added) = (&self.words, &mut self.added);
        added.clear();
        let mut last = words.last();
        let mut number = |key| match words.get(key) {
            Some(Known {
                word: word @ 1.., ..
            }) => word,
            _ => *added.entry(key).or_insert_with(|| {
                last += 1;
                last
            }),
        };
        let mut growth = Growth::default();
        for name in names {
            // A name without a word in it cannot be found in a text either.
            if let Ok(path) = path(name, &mut number) {
                growth.add(&path, name.ends_with('!'), What::Place(PlaceWord::Known));
            }
        }
        self.phrases.0[1] = growth.finish();
    }

    /// The number of a folded word, 0 when it stands in no phrase.
    fn number(&self, known: Option<Known>, key: u64) -> u32 {
        match known {
            Some(Known {
                word: word @ 1.., ..
            }) => word,
            _ => self.added.get(&key).copied().unwrap_or(0),
        }
    }

    /// How often words are said at all.
    pub fn often(&self) -> &Often {
        &self.often
    }

    /// The usual short name of a bank.
    pub fn bank(&self, number: u16) -> Option<&str> {
        self.few.banks.get(usize::from(number)).map(String::as_str)
    }

    /// A hashtag by its folded letters; `marks` when it is one syllable as typed.
    pub fn hashtag(&self, body: &str, marks: Option<Marks>) -> Option<Tag> {
        let mut all = self.tags.get(body)?;
        // Of `#cháy`, `#chạy` the marks decide; without marks it is the incident's.
        let fits = |tag: &Tag| match (tag.marks, marks) {
            (Some(full), Some(typed)) => typed.within(full),
            _ => true,
        };
        let likely = all.clone().filter(fits).max_by_key(|tag| tag.incident);
        let exact = all.find(|tag| marks.is_some() && tag.marks == marks);
        exact.or(likely)
    }

    /// Typed with exactly these marks it is no incident's tag: `#bảohành`.
    pub fn is_other_word(&self, folded: &str, typed: &str) -> bool {
        let words = self.few.tag_none_spelled.get(folded);
        !typed.is_ascii() && words.is_some_and(|words| words.contains(&spelled(typed)))
    }

    /// A word that may follow a tag's stem: `xe` in `#tromxe`.
    pub fn is_tag_object(&self, word: &str) -> bool {
        self.few.tag_objects.contains(word)
    }

    /// A folded word of places that does not say which one.
    pub fn is_common_in_places(&self, word: &str) -> bool {
        self.few.common_in_places.contains(word)
    }

    /// Two folded words that look like a name and are said of many things.
    pub fn is_common_name(&self, pair: &str) -> bool {
        self.few.common_names.contains(pair)
    }

    /// A folded word that stands before somebody's name.
    pub fn is_title(&self, word: &str) -> bool {
        self.few.titles.contains(word)
    }

    /// The text laughs with a smiley.
    pub fn laughs(&self, text: &str) -> bool {
        // Most messages have none of the few bytes that a smiley begins with.
        let head = match self.laugh_heads.as_slice() {
            [one] => memchr::memchr(*one, text.as_bytes()),
            [one, two] => memchr::memchr2(*one, *two, text.as_bytes()),
            [one, two, three] => memchr::memchr3(*one, *two, *three, text.as_bytes()),
            _ => Some(0),
        };
        head.is_some_and(|at| {
            text.get(at..)
                .is_some_and(|rest| self.laughs.is_match(rest))
        })
    }

    /// A word that may stand before a tag's stem: `vu` in `#vutrom`.
    pub fn is_tag_prefix(&self, word: &str) -> bool {
        self.few.tag_prefixes.contains(word)
    }

    /// What makes any tag that starts with it an incident's: `antt` in `#anttkhu5`.
    pub fn tag_openers(&self) -> impl Iterator<Item = &str> {
        self.few.tag_openers.iter().map(String::as_str)
    }

    /// Folded letters that can be read as one to four Vietnamese syllables.
    pub fn syllables(&self, letters: &str) -> bool {
        const LONGEST_SYLLABLE: usize = 7;
        // How many syllables lead to each cut; 0 is unreachable, except at the start.
        let mut reached = vec![0_u8; letters.len() + 1];
        for from in 0..letters.len() {
            let count = reached.get(from).copied().unwrap_or(0);
            if from > 0 && count == 0 || count == 4 {
                continue;
            }
            for to in from + 1..=letters.len().min(from + LONGEST_SYLLABLE) {
                if let (Some(syllable), Some(cell)) = (letters.get(from..to), reached.get_mut(to))
                    && *cell == 0
                    && self.is_syllable(syllable)
                {
                    *cell = count + 1;
                }
            }
        }
        reached.last().is_some_and(|count| *count > 0)
    }

    /// Takes glued words apart, as typed: `cháyquánbar` is `cháy quán bar`. Of several ways it takes the one
    /// with the most known words, then with the fewest words.
    fn apart(&self, glued: &str) -> Option<String> {
        const LONGEST_SYLLABLE: usize = 7;
        const LONGEST_TAG: usize = 48;
        let letters: Vec<(usize, char)> = glued.char_indices().collect();
        if letters.len() > LONGEST_TAG {
            return None;
        }
        // For each cut: the least cost to get there, and from where.
        let mut best: Vec<Option<(usize, usize)>> = vec![None; letters.len() + 1];
        if let Some(first) = best.first_mut() {
            *first = Some((0, 0));
        }
        let byte = |at: usize| letters.get(at).map_or(glued.len(), |(byte, _)| *byte);
        for from in 0..letters.len() {
            let Some(Some((cost, _))) = best.get(from).copied() else {
                continue;
            };
            for to in from + 1..=letters.len().min(from + LONGEST_SYLLABLE) {
                let Some(word) = glued.get(byte(from)..byte(to)) else {
                    continue;
                };
                let folded = fold(word);
                if !self.is_syllable(&folded) {
                    continue;
                }
                let known = tokens(word)
                    .first()
                    .is_some_and(|token| self.knows(token.key));
                let cost = cost + 2 + usize::from(!known);
                if let Some(cell) = best.get_mut(to)
                    && cell.is_none_or(|(other, _)| cost < other)
                {
                    *cell = Some((cost, from));
                }
            }
        }
        let mut cuts = vec![letters.len()];
        while let Some(to) = cuts.last().copied().filter(|to| *to > 0) {
            let (_, from) = best.get(to).copied().flatten()?;
            cuts.push(from);
        }
        let words: Vec<&str> = cuts
            .windows(2)
            .rev()
            .filter_map(|cut| match cut {
                [to, from] => glued.get(byte(*from)..byte(*to)),
                _ => None,
            })
            .collect();
        Some(words.join(" "))
    }

    /// The category that the words of an unlisted tag name, and how plainly.
    pub fn named_by_syllables(&self, glued: &str) -> Option<(Category, Guess)> {
        let typed: String = glued.nfc().collect();
        let text = self.apart(&typed)?;
        let mut tokens = tokens(&text);
        self.name_words(&mut tokens);
        let mut hits = Vec::new();
        self.find(&tokens, text.is_ascii(), &mut hits);
        self.find_frames(&tokens, false, &mut hits, &mut Vec::new());
        let masked = |hit: &Hit| {
            hits.iter().any(|other| {
                other.what == What::Mask && other.from <= hit.from && other.to >= hit.to
            })
        };
        let (weight, several, category) = hits
            .iter()
            .filter(|hit| !masked(hit))
            .filter_map(|hit| match hit.what {
                What::Cue(category, weight) | What::Frame(category, weight) => {
                    Some((weight, hit.to - hit.from > 1, category))
                }
                _ => None,
            })
            .max_by_key(|(weight, several, _)| (*weight, *several))?;
        // Without marks one syllable may be any word.
        let plain = !text.is_ascii() || several;
        match weight {
            5.. if plain => Some((category, Guess::Likely)),
            3.. => Some((category, Guess::Faint)),
            _ => None,
        }
    }

    fn knows(&self, key: u64) -> bool {
        self.words.get(key).is_some() || self.added.contains_key(&key)
    }

    fn is_syllable(&self, letters: &str) -> bool {
        (0..=letters.len().min(3)).any(|cut| {
            letters
                .split_at_checked(cut)
                .is_some_and(|(initial, rime)| {
                    (initial.is_empty() || self.few.initials.contains(initial))
                        && self.few.rimes.contains(rime)
                })
        })
    }

    /// Gives the tokens of a text their word numbers; abbreviations become what they stand for.
    pub fn name_words(&self, tokens: &mut [Token]) {
        let mut after_number = false;
        for token in tokens {
            // "50k" is not "50 không"; "K" alone is a name.
            let short = token.marks.none()
                && !(after_number && token.glued())
                && (token.length > 1 || token.case == crate::text::token::Case::Lower);
            let known = self.words.get(token.key);
            match known.and_then(|known| known.long) {
                Some((word, marks)) if short => (token.word, token.marks) = (word, marks),
                _ => token.word = self.number(known, token.key),
            }
            after_number = token.is_number();
        }
    }

    /// Finds every phrase in the tokens, by start, shorter before longer.
    ///
    /// `loose`: the message has so few marks that an unmarked word may be any word.
    pub fn find(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        self.phrases.find(tokens, loose, hits);
    }

    /// Finds every phrase that starts at the first token.
    pub fn find_first(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        self.phrases.find_first(tokens, loose, hits);
    }

    /// Adds the frames that the phrases found so far tell.
    ///
    /// `cased`: capitals mean something.
    pub fn find_frames(
        &self,
        tokens: &[Token],
        cased: bool,
        hits: &mut Vec<Hit>,
        classes: &mut Vec<Seen>,
    ) {
        self.frames.find(tokens, cased, hits, classes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_lexicon_loads() {
        let lexicon = Lexicon::builtin().unwrap_or_else(|error| panic!("{error}"));
        let [own, added] = &lexicon.phrases.0;
        assert!(own.len() > 1000, "{} patterns", own.len());
        assert_eq!(added.len(), 0);
    }

    #[test]
    fn a_bad_entry_is_named_with_file_and_line() {
        let mut entries = Vec::new();
        source::parse_file(
            "ward.toml",
            "[theft]\nstrong = [\n  \"ok\",\n  \"mất (xe\",\n]\n",
            &mut entries,
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let error = lay_out(entries).expect_err("an open bracket");
        assert_eq!(error.to_string(), "lexicon ward.toml:4: `(` without `)`");
    }
}
