//! Laying a lexicon out: from the entries of its files to the tables that are read.
//!
//! It is done when the program is built (`src/build.rs`), which then reads it
//! where it lies; and again when the program starts for a ward that has words of its own.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::domain::reading::Category;
use crate::text::fold::fold;
use crate::text::frame::Frames;
use crate::text::lexicon::source::{BUILTIN, Entry, LexiconError, expand, parse_file};
use crate::text::lexicon::table::{Index, Pass, Table, narrow};
use crate::text::lexicon::{Mix, Names, PlaceWord, Set, State, TimeWord, What};
use crate::text::often::Often;
use crate::text::token::{Marks, tokens};
use crate::text::trie::{Growth, LONGEST, Trie, WORDS};

/// A lexicon laid out.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    pub(crate) words: Words,
    pub(crate) trie: Trie,
    pub(crate) tags: Tags,
    pub(crate) few: Few,
    pub(crate) frames: Frames,
    pub(crate) often: Often,
}

impl Laid {
    /// Goes over all of it; `None` when an image has less.
    pub(crate) fn pass(&mut self, image: &mut impl Pass) -> Option<()> {
        image.index(&mut self.words.index)?;
        image.table(&mut self.words.known)?;
        self.trie.pass(image)?;
        image.index(&mut self.tags.index)?;
        image.table(&mut self.tags.starts)?;
        image.table(&mut self.tags.tags)?;
        image.value(&mut self.few)?;
        image.value(&mut self.frames)?;
        self.often.pass(image)
    }
}

/// Lists of a few words.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Few {
    pub(crate) tag_objects: Set,
    pub(crate) tag_prefixes: Set,
    /// As written, for tags that are an incident's with other marks: `bảohành`.
    pub(crate) tag_none_spelled: Names<Vec<String>>,
    pub(crate) tag_openers: Vec<String>,
    pub(crate) initials: Set,
    pub(crate) rimes: Set,
    pub(crate) common_in_places: Set,
    pub(crate) common_names: Set,
    pub(crate) titles: Set,
    pub(crate) laughter: Vec<String>,
    pub(crate) banks: Vec<String>,
}

/// What is known of a folded word.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Known {
    /// Its number, 0 when it stands in no phrase.
    pub(crate) word: u32,
    /// The word and the marks that it abbreviates.
    pub(crate) long: Option<(u32, Marks)>,
}

/// All folded words of the lexicon.
#[derive(Debug, Default)]
pub(crate) struct Words {
    index: Index,
    /// Number of the word (2 bytes), of the word it abbreviates (2 bytes, 0 for none), marks of that (3 bytes).
    known: Table<7>,
}

impl Words {
    fn of(words: HashMap<u64, Known>) -> Self {
        let mut all: Vec<(u64, Known)> = words.into_iter().collect();
        let index = Index::of(&mut all);
        let row = |(_, known): &(u64, Known)| {
            let (long, marks) = known.long.unwrap_or_default();
            let number = |word| u16::try_from(word).unwrap_or(0).to_le_bytes();
            let ([a, b], [c, d], [e, f, g]) = (number(known.word), number(long), marks.to_bytes());
            [a, b, c, d, e, f, g]
        };
        Self {
            index,
            known: all.iter().map(row).collect::<Vec<_>>().into(),
        }
    }

    /// What is known of a word by its key.
    pub(crate) fn get(&self, key: u64) -> Option<Known> {
        let [a, b, c, d, e, f, g] = self.known.row(self.index.find(key)?)?;
        let number = |bytes| u32::from(u16::from_le_bytes(bytes));
        let long = number([c, d]);
        Some(Known {
            word: number([a, b]),
            long: (long > 0).then(|| (long, Marks::from_bytes([e, f, g]))),
        })
    }

    /// The highest number of a word.
    pub(crate) fn last(&self) -> u32 {
        // Each has one, except those that only abbreviate another.
        let number = |[a, b, ..]: &[u8; 7]| u16::from_le_bytes([*a, *b]);
        let all = self.known.rows(0, self.known.len());
        all.iter().map(number).max().unwrap_or(0).into()
    }
}

/// A hashtag the lexicon knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tag {
    /// The category it names; `None` for a general one.
    pub category: Option<Category>,
    /// It names an incident; otherwise it only looks so.
    pub incident: bool,
    pub(crate) marks: Option<Marks>,
}

impl Tag {
    /// Place of the category, from 1, 0 for none; 1 for an incident's and 2 for one with marks; the marks.
    fn to_row(self) -> [u8; 5] {
        let category = self.category.map_or(0, |category| category as u8 + 1);
        let flags = u8::from(self.incident) | u8::from(self.marks.is_some()) << 1;
        let [a, b, c] = self.marks.unwrap_or_default().to_bytes();
        [category, flags, a, b, c]
    }

    fn from_row([category, flags, marks @ ..]: [u8; 5]) -> Self {
        let place = usize::from(category).checked_sub(1);
        Self {
            category: place.and_then(|place| Category::ALL.get(place).copied()),
            incident: flags & 1 > 0,
            marks: (flags & 2 > 0).then(|| Marks::from_bytes(marks)),
        }
    }
}

/// All hashtags, by the hash of their folded letters.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    index: Index,
    starts: Table<4>,
    tags: Table<5>,
}

impl Tags {
    fn of(tags: HashMap<String, Vec<Tag>>) -> Self {
        let by_hash = tags
            .into_iter()
            .map(|(letters, tags)| (Mix::of(&letters), tags));
        let mut all: Vec<(u64, Vec<Tag>)> = by_hash.collect();
        let index = Index::of(&mut all);
        let (mut starts, mut rows) = (vec![0], Vec::new());
        for (_, tags) in all {
            rows.extend(tags.into_iter().map(Tag::to_row));
            starts.push(rows.len());
        }
        Self {
            index,
            starts: starts.into_iter().map(narrow).collect(),
            tags: rows.into(),
        }
    }

    /// Those with these folded letters.
    pub(crate) fn get(&self, letters: &str) -> Option<impl Iterator<Item = Tag> + Clone> {
        let at = self.index.find(Mix::of(letters))?;
        let (from, to) = (self.starts.number(at)?, self.starts.number(at + 1)?);
        let rows = self.tags.rows(from as usize, to as usize);
        Some(rows.iter().map(|row| Tag::from_row(*row)))
    }
}

/// A lexicon while entries are added.
#[derive(Debug, Default)]
struct Growing {
    words: HashMap<u64, Known>,
    last_word: u32,
    trie: Growth,
    tags: HashMap<String, Vec<Tag>>,
    few: Few,
    frames: Frames,
}

/// Lays out the built-in lexicon, with a ward's own entries on top.
///
/// # Errors
/// An entry means nothing.
pub(crate) fn lay_out(ward: Vec<Entry>) -> Result<Laid, LexiconError> {
    let mut entries = Vec::new();
    for (name, source) in BUILTIN {
        parse_file(name, source, &mut entries)?;
    }
    let (forgotten, added): (Vec<_>, Vec<_>) = ward
        .into_iter()
        .partition(|entry| entry.phrase.starts_with('-'));
    let forgotten: HashSet<String> = forgotten
        .iter()
        .map(|entry| entry.phrase.trim_start_matches('-').trim().to_owned())
        .collect();
    entries.extend(added);
    let mut growing = Growing::default();
    // Aliases come first: a pattern's words must not take their keys.
    for entry in entries.iter().filter(|entry| entry.section == "alias") {
        growing.alias(entry)?;
    }
    for entry in &entries {
        if entry.section == "alias" || forgotten.contains(&entry.phrase) {
            continue;
        }
        if entry.section == "sign" {
            growing.add(entry, &entry.phrase)?;
            continue;
        }
        for phrase in expand(&entry.phrase).map_err(|message| entry.error(message))? {
            if !forgotten.contains(&phrase) {
                growing.add(entry, &phrase)?;
            }
        }
    }
    let wrong = |file: &str, message: String| LexiconError::Syntax {
        file: file.to_owned(),
        message,
    };
    if let Some(class) = growing.frames.empty_class() {
        let message = format!("a frame names the class `{class}`, which has no words");
        return Err(wrong("classes.toml", message));
    }
    if growing.last_word >= WORDS {
        return Err(wrong("words", format!("there are more than {WORDS}")));
    }
    Ok(Laid {
        words: Words::of(growing.words),
        trie: growing.trie.finish(),
        tags: Tags::of(growing.tags),
        few: growing.few,
        frames: growing.frames,
        often: Often::counted(),
    })
}

/// A phrase as the trie takes it: its words between `..`, as `word` numbers them.
///
/// # Errors
/// It cannot be one.
pub(crate) fn path(
    phrase: &str,
    mut word: impl FnMut(u64) -> u32,
) -> Result<Vec<Vec<(u32, Marks)>>, &'static str> {
    let mut path: Vec<Vec<(u32, Marks)>> = Vec::new();
    for part in phrase.split("..") {
        let words: Vec<_> = tokens(part)
            .iter()
            .map(|token| (word(token.key), token.marks))
            .collect();
        if words.is_empty() {
            return Err("a phrase needs a word, also on both sides of `..`");
        }
        path.push(words);
    }
    if path.len() > 3 {
        return Err("at most two `..` in a phrase");
    }
    if path.iter().map(Vec::len).sum::<usize>() > LONGEST {
        return Err("a phrase of more than twelve words");
    }
    Ok(path)
}

impl Growing {
    fn alias(&mut self, entry: &Entry) -> Result<(), LexiconError> {
        let (long, short) = (tokens(&entry.list), tokens(&entry.phrase));
        let ([long], [short]) = (long.as_slice(), short.as_slice()) else {
            return Err(entry.error("an alias is one word for one word"));
        };
        let word = self.word(long.key);
        self.words.entry(short.key).or_default().long = Some((word, long.marks));
        Ok(())
    }

    fn add(&mut self, entry: &Entry, phrase: &str) -> Result<(), LexiconError> {
        let list = entry.list.as_str();
        let unknown = || entry.error(format!("unknown list `{}.{list}`", entry.section));
        let what = match entry.section.as_str() {
            "tag" => return self.tag(entry, phrase),
            "sign" => {
                if list != "laughter" {
                    return Err(unknown());
                }
                self.few.laughter.push(phrase.to_owned());
                return Ok(());
            }
            "link" => {
                match list {
                    "common_in_places" => self.few.common_in_places.insert(fold(phrase)),
                    "common_name" => self.few.common_names.insert(fold(phrase)),
                    "title" => self.few.titles.insert(fold(phrase)),
                    _ => return Err(unknown()),
                };
                return Ok(());
            }
            "syllable" => {
                match list {
                    "initial" => self.few.initials.insert(fold(phrase)),
                    "rime" => self.few.rimes.insert(fold(phrase)),
                    _ => return Err(unknown()),
                };
                return Ok(());
            }
            "keyword" => match list {
                "leading" => What::Keyword { earnest: false },
                "earnest" => What::Keyword { earnest: true },
                "look_alike" => What::LookAlike,
                "maybe_alike" => What::MaybeAlike,
                _ => return Err(unknown()),
            },
            "mask" => What::Mask,
            "class" => {
                let class = self.frames.class(list);
                let class = class.map_err(|message| entry.error(message))?;
                self.frames.fill(class);
                let syllable = match tokens(phrase).as_slice() {
                    [word] => !word.marks.none(),
                    _ => false,
                };
                What::Class { class, syllable }
            }
            "state" => What::State(State::parse(list).ok_or_else(unknown)?),
            "place" => What::Place(PlaceWord::parse(list).ok_or_else(unknown)?),
            "time" => What::Time(TimeWord::parse(list).ok_or_else(unknown)?),
            "entity" => match list {
                "account" => What::AccountWord,
                "phone" => What::PhoneWord,
                "handle" => What::HandleWord,
                "handle_filler" => What::HandleFiller,
                "zero" => What::Zero,
                "plate" => What::PlateWord,
                "unit" => What::Unit,
                "ordinal" => What::Ordinal,
                _ => return Err(unknown()),
            },
            "number" => What::Number(list.parse().map_err(|_| unknown())?),
            "bank" => {
                let number = self
                    .few
                    .banks
                    .iter()
                    .position(|bank| bank == list)
                    .unwrap_or_else(|| {
                        self.few.banks.push(list.to_owned());
                        self.few.banks.len() - 1
                    });
                What::Bank(u16::try_from(number).map_err(|_| entry.error("too many banks"))?)
            }
            section => {
                let category = Category::parse(section)
                    .ok_or_else(|| entry.error(format!("unknown section `{section}`")))?;
                let weight = match list {
                    "decisive" => 8,
                    "strong" => 5,
                    "fair" => 3,
                    "hint" => 1,
                    _ => return Err(unknown()),
                };
                if phrase.starts_with('<') {
                    let added = self.frames.add(phrase, category, weight);
                    return added.map_err(|message| entry.error(message));
                }
                What::Cue(category, weight)
            }
        };
        self.phrase(phrase, what)
            .map_err(|message| entry.error(message))
    }

    fn tag(&mut self, entry: &Entry, phrase: &str) -> Result<(), LexiconError> {
        let (category, incident) = match entry.list.as_str() {
            "general" => (None, true),
            "none" => {
                let spelled = spelled(phrase);
                let folded = fold(&spelled);
                self.few
                    .tag_none_spelled
                    .entry(folded)
                    .or_default()
                    .push(spelled);
                (None, false)
            }
            "object" => {
                self.few.tag_objects.insert(fold(phrase).replace(' ', ""));
                return Ok(());
            }
            "prefix" => {
                self.few.tag_prefixes.insert(fold(phrase).replace(' ', ""));
                return Ok(());
            }
            "opener" => {
                self.few.tag_openers.push(fold(phrase).replace(' ', ""));
                return Ok(());
            }
            id => (
                Some(
                    Category::parse(id)
                        .ok_or_else(|| entry.error(format!("unknown category `{id}`")))?,
                ),
                true,
            ),
        };
        let words = tokens(phrase);
        let marks = if let [word] = words.as_slice() {
            Some(word.marks)
        } else {
            None
        };
        self.tags
            .entry(fold(phrase).replace(' ', ""))
            .or_default()
            .push(Tag {
                category,
                incident,
                marks,
            });
        Ok(())
    }

    fn word(&mut self, key: u64) -> u32 {
        let known = self.words.entry(key).or_default();
        if known.word == 0 {
            self.last_word += 1;
            known.word = self.last_word;
        }
        known.word
    }

    fn phrase(&mut self, phrase: &str, what: What) -> Result<(), &'static str> {
        let path = path(phrase, |key| self.word(key))?;
        self.trie.add(&path, phrase.ends_with('!'), what);
        // A telling phrase of several words is a hashtag as well: #mấtđiệnthoại.
        if let What::Cue(category, weight) = what
            && (weight >= 8 || weight >= 5 && names_a_crime(category))
            && let [words] = path.as_slice()
            && words.len() > 1
        {
            let body = fold(phrase.trim_end_matches('!')).replace(' ', "");
            let tag = Tag {
                category: Some(category),
                incident: true,
                marks: None,
            };
            self.tags.entry(body).or_insert_with(|| vec![tag]);
        }
        Ok(())
    }
}

/// Its strong cues are said of nothing else, so they are hashtags too; "về quê" is no such word.
fn names_a_crime(category: Category) -> bool {
    matches!(
        category,
        Category::Theft
            | Category::Robbery
            | Category::Gambling
            | Category::Drugs
            | Category::DisorderFight
            | Category::DomesticViolence
            | Category::IllegalExplosivesWeapons
            | Category::Fire
    )
}

/// Small letters, composed, without spaces.
pub(crate) fn spelled(words: &str) -> String {
    words
        .nfc()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
