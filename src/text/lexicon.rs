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
//! It knows nothing of sentences; `category`, `place` and `when` do.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use toml::Spanned;
use unicode_normalization::UnicodeNormalization;

use crate::domain::reading::Category;
use crate::text::fold::fold;
use crate::text::frame::{Frames, Seen};
use crate::text::link::Often;
use crate::text::place::PlaceWord;
use crate::text::tag::Guess;
use crate::text::token::{Marks, Token, tokens};
use crate::text::trie::{Growth, LONGEST, Trie};
use crate::text::when::TimeWord;

/// The built-in files.
const BUILTIN: &[(&str, &str)] = &[
    ("tags.toml", include_str!("../../config/lexicon/tags.toml")),
    ("cues.toml", include_str!("../../config/lexicon/cues.toml")),
    (
        "classes.toml",
        include_str!("../../config/lexicon/classes.toml"),
    ),
    (
        "frames.toml",
        include_str!("../../config/lexicon/frames.toml"),
    ),
    (
        "masks.toml",
        include_str!("../../config/lexicon/masks.toml"),
    ),
    (
        "state.toml",
        include_str!("../../config/lexicon/state.toml"),
    ),
    (
        "places.toml",
        include_str!("../../config/lexicon/places.toml"),
    ),
    (
        "times.toml",
        include_str!("../../config/lexicon/times.toml"),
    ),
    (
        "words.toml",
        include_str!("../../config/lexicon/words.toml"),
    ),
];

/// Why a lexicon could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LexiconError {
    /// The directory or a file could not be read.
    #[error("read lexicon {path}")]
    Read {
        /// What was read.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not TOML of the expected shape.
    #[error("parse lexicon {file}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The parser's words, with line and column.
        message: String,
    },
    /// A section, list or phrase means nothing to the reader.
    #[error("lexicon {file}:{line}: {message}")]
    Entry {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// What a phrase tells about the state of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Going on now.
    Ongoing,
    /// Begs for help.
    Help,
    /// Life or health is at stake.
    Danger,
    /// Over, safe, caught.
    Over,
    /// Happens again and again.
    Habit,
    /// Told of elsewhere: films, newspapers, jokes, general advice.
    Hearsay,
    /// School work, a contest, a film: no incident, whatever its words.
    Exercise,
    /// Laughter.
    Joke,
    /// Passed on from elsewhere.
    Forward,
    /// Says that nothing has happened.
    Nothing,
    /// After a tag, denies it.
    DenyAfter,
    /// The lost has been found.
    Found,
    /// Takes an earlier report back.
    Withdraw,
    /// May take an earlier report back, said to the bot itself.
    WithdrawHint,
    /// Corrects an earlier report.
    Correct,
    /// Adds to an earlier report.
    Detail,
    /// Denies what follows.
    Negate,
    /// Greets, thanks, jokes.
    Greeting,
    /// Starts another incident.
    Another,
    /// A shop's words, a course, an invitation.
    Trade,
    /// A relative, so that violence is domestic.
    Family,
    /// Hitting, whoever is hit.
    Violence,
    /// A road accident, not a jam.
    Accident,
    /// Somebody hurt or in tears.
    Victim,
    /// What nobody can steal, hit or lose: a heart, sleep, a deadline.
    Unreal,
    /// Asks the bot or the group something.
    Question,
    /// Announces that something will be told.
    WantsToTell,
    /// After a denied tag, says what it is: "mà là".
    Instead,
    /// Says that it was nothing more: "thôi".
    Merely,
    /// Something was done about it.
    Resolved,
    /// Speaks of something that everybody has heard of, or of how it ended.
    News,
    /// Thanks.
    Thanks,
    /// Asks for something to be done.
    Request,
    /// A sitting of gamblers.
    Session,
    /// Somebody's health suffers.
    Health,
}

impl State {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ongoing" => Self::Ongoing,
            "help" => Self::Help,
            "danger" => Self::Danger,
            "over" => Self::Over,
            "habit" => Self::Habit,
            "hearsay" => Self::Hearsay,
            "exercise" => Self::Exercise,
            "joke" => Self::Joke,
            "forward" => Self::Forward,
            "nothing" => Self::Nothing,
            "deny_after" => Self::DenyAfter,
            "found" => Self::Found,
            "withdraw" => Self::Withdraw,
            "withdraw_hint" => Self::WithdrawHint,
            "correct" => Self::Correct,
            "detail" => Self::Detail,
            "negate" => Self::Negate,
            "greeting" => Self::Greeting,
            "another" => Self::Another,
            "trade" => Self::Trade,
            "accident" => Self::Accident,
            "family" => Self::Family,
            "violence" => Self::Violence,
            "victim" => Self::Victim,
            "unreal" => Self::Unreal,
            "question" => Self::Question,
            "wants_to_tell" => Self::WantsToTell,
            "instead" => Self::Instead,
            "merely" => Self::Merely,
            "resolved" => Self::Resolved,
            "news" => Self::News,
            "thanks" => Self::Thanks,
            "request" => Self::Request,
            "session" => Self::Session,
            "health" => Self::Health,
            _ => return None,
        })
    }
}

/// What a phrase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Speaks for a category, with a weight.
    Cue(Category, u8),
    /// Belongs to a class of words that frames speak of.
    Class {
        /// Its number in [`Frames`].
        class: u8,
        /// It is one syllable with marks, so without them it may be another word.
        syllable: bool,
    },
    /// Words of certain classes in order speak for a category, with a weight.
    Frame(Category, u8),
    /// Looks like a cue and is none.
    Mask,
    /// A leading keyword such as `báo tin`.
    Keyword {
        /// It is said of nothing else: `tố giác`.
        earnest: bool,
    },
    /// Looks like a leading keyword and is none.
    LookAlike,
    /// Looks like a leading keyword without marks, and may be one.
    MaybeAlike,
    /// Tells about the state of things.
    State(State),
    /// Part of the grammar of places.
    Place(PlaceWord),
    /// Part of the grammar of times.
    Time(TimeWord),
    /// A bank, by its number in [`Lexicon::bank`].
    Bank(u16),
    /// An account number follows.
    AccountWord,
    /// A telephone number follows.
    PhoneWord,
    /// A social account follows.
    HandleWord,
    /// May stand between a word for a social account and the account.
    HandleFiller,
    /// Said for the digit 0.
    Zero,
    /// A number plate follows.
    PlateWord,
    /// What is counted: the number before it is no name.
    Unit,
    /// A number after it counts, `vụ thứ hai`.
    Ordinal,
    /// A number in words.
    Number(u32),
}

/// A phrase found in a text: tokens `from..to`.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// First token.
    pub from: usize,
    /// The token after the last.
    pub to: usize,
    /// What it is.
    pub what: What,
}

/// A hashtag the lexicon knows.
#[derive(Debug, Clone, Copy)]
pub struct Tag {
    /// The category it names; `None` for a general one.
    pub category: Option<Category>,
    /// It names an incident; otherwise it only looks so.
    pub incident: bool,
    marks: Option<Marks>,
}

/// A multiplying hasher: keys are already well mixed integers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let tail = rest
            .iter()
            .fold(0, |tail, byte| tail << 8 | u64::from(*byte));
        self.write_u64(tail | (rest.len() as u64) << 56);
    }

    fn write_u8(&mut self, value: u8) {
        // After the bytes of a text comes one that says that it ends; its length has said so already.
        self.0 ^= u64::from(value);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 29;
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Mix>>;
type Names<V> = HashMap<String, V, BuildHasherDefault<Mix>>;
type Set = HashSet<String, BuildHasherDefault<Mix>>;

/// What is known of a folded word.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// Its number, 0 when it stands in no phrase.
    word: u32,
    /// The word and the marks that it abbreviates.
    long: Option<(u32, Marks)>,
}

/// Everything the reader knows about words.
#[derive(Debug, Default)]
pub struct Lexicon {
    words: Map<Known>,
    last_word: u32,
    /// Phrases while they are added.
    growth: Growth,
    /// Phrases to be read.
    trie: Trie,
    tags: Names<Vec<Tag>>,
    tag_objects: Set,
    tag_prefixes: Set,
    /// As written, for tags that are an incident's with other marks: `bảohành`.
    tag_none_spelled: Names<Vec<String>>,
    tag_openers: Vec<String>,
    initials: Set,
    rimes: Set,
    common_in_places: Set,
    common_names: Set,
    titles: Set,
    laughter: Vec<String>,
    laughs: Option<AhoCorasick>,
    banks: Vec<String>,
    frames: Frames,
    often: Often,
}

type File = BTreeMap<String, BTreeMap<String, Vec<Spanned<String>>>>;

struct Entry {
    section: String,
    list: String,
    phrase: String,
    file: String,
    line: usize,
}

impl Entry {
    fn error(&self, message: impl Into<String>) -> LexiconError {
        LexiconError::Entry {
            file: self.file.clone(),
            line: self.line,
            message: message.into(),
        }
    }
}

fn parse_file(name: &str, source: &str, entries: &mut Vec<Entry>) -> Result<(), LexiconError> {
    let file: File = toml::from_str(source).map_err(|error| LexiconError::Syntax {
        file: name.to_owned(),
        message: error.to_string(),
    })?;
    for (section, lists) in file {
        for (list, phrases) in lists {
            for phrase in phrases {
                let before = source.get(..phrase.span().start).unwrap_or(source);
                let line = before.matches('\n').count() + 1;
                entries.push(Entry {
                    section: section.clone(),
                    list: list.clone(),
                    phrase: phrase.into_inner(),
                    file: name.to_owned(),
                    line,
                });
            }
        }
    }
    Ok(())
}

/// Writes out the alternatives of a phrase.
fn expand(phrase: &str) -> Result<Vec<String>, &'static str> {
    let Some((head, rest)) = phrase.split_once('(') else {
        return if phrase.contains(')') {
            Err("`)` without `(`")
        } else {
            Ok(vec![phrase.to_owned()])
        };
    };
    let (choices, tail) = rest.split_once(')').ok_or("`(` without `)`")?;
    let tails = expand(tail)?;
    let mut all = Vec::new();
    for choice in choices.split('|') {
        for tail in &tails {
            all.push(format!("{head}{choice}{tail}"));
        }
    }
    if all.len() > 2000 {
        Err("too many alternatives")
    } else {
        Ok(all)
    }
}

impl Lexicon {
    /// The lexicon that comes with the program.
    ///
    /// # Errors
    /// A built-in file is damaged; tests hold that it is not.
    pub fn builtin() -> Result<Self, LexiconError> {
        Self::build(Vec::new())
    }

    /// The built-in lexicon with the `*.toml` files of a directory on top.
    ///
    /// # Errors
    /// The directory cannot be read, or an entry means nothing.
    pub fn load(dir: &Path) -> Result<Self, LexiconError> {
        let read_error = |path: &Path| {
            let path = path.to_owned();
            move |source| LexiconError::Read { path, source }
        };
        let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
            .map_err(read_error(dir))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(read_error(dir))?;
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        });
        paths.sort();
        let mut entries = Vec::new();
        for path in paths {
            let source = std::fs::read_to_string(&path).map_err(read_error(&path))?;
            parse_file(&path.display().to_string(), &source, &mut entries)?;
        }
        Self::build(entries)
    }

    fn build(ward: Vec<Entry>) -> Result<Self, LexiconError> {
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
        let mut lexicon = Self::default();
        // Aliases come first: a pattern's words must not take their keys.
        for entry in entries.iter().filter(|entry| entry.section == "alias") {
            lexicon.alias(entry)?;
        }
        for entry in &entries {
            if entry.section == "alias" || forgotten.contains(&entry.phrase) {
                continue;
            }
            if entry.section == "sign" {
                lexicon.add(entry, &entry.phrase)?;
                continue;
            }
            for phrase in expand(&entry.phrase).map_err(|message| entry.error(message))? {
                if !forgotten.contains(&phrase) {
                    lexicon.add(entry, &phrase)?;
                }
            }
        }
        lexicon.often = Often::builtin();
        if let Some(class) = lexicon.frames.empty_class() {
            return Err(LexiconError::Syntax {
                file: "classes.toml".to_owned(),
                message: format!("a frame names the class `{class}`, which has no words"),
            });
        }
        lexicon.trie = std::mem::take(&mut lexicon.growth).finish();
        let laughs = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .build(std::mem::take(&mut lexicon.laughter));
        lexicon.laughs = Some(laughs.map_err(|error| LexiconError::Syntax {
            file: "words.toml".to_owned(),
            message: error.to_string(),
        })?);
        Ok(lexicon)
    }

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
                self.laughter.push(phrase.to_owned());
                return Ok(());
            }
            "link" => {
                match list {
                    "common_in_places" => self.common_in_places.insert(fold(phrase)),
                    "common_name" => self.common_names.insert(fold(phrase)),
                    "title" => self.titles.insert(fold(phrase)),
                    _ => return Err(unknown()),
                };
                return Ok(());
            }
            "syllable" => {
                match list {
                    "initial" => self.initials.insert(fold(phrase)),
                    "rime" => self.rimes.insert(fold(phrase)),
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
                    .banks
                    .iter()
                    .position(|bank| bank == list)
                    .unwrap_or_else(|| {
                        self.banks.push(list.to_owned());
                        self.banks.len() - 1
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
                self.tag_none_spelled
                    .entry(folded)
                    .or_default()
                    .push(spelled);
                (None, false)
            }
            "object" => {
                self.tag_objects.insert(fold(phrase).replace(' ', ""));
                return Ok(());
            }
            "prefix" => {
                self.tag_prefixes.insert(fold(phrase).replace(' ', ""));
                return Ok(());
            }
            "opener" => {
                self.tag_openers.push(fold(phrase).replace(' ', ""));
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

    /// Names of the deployment's own areas, so that they are known as places.
    pub fn add_places<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.growth = std::mem::take(&mut self.trie).grow();
        for name in names {
            // A name without a word in it cannot be found in a text either.
            let _nothing_to_find = self.phrase(name, What::Place(PlaceWord::Known));
        }
        self.trie = std::mem::take(&mut self.growth).finish();
    }

    /// How often words are said at all.
    pub fn often(&self) -> &Often {
        &self.often
    }

    /// The usual short name of a bank.
    pub fn bank(&self, number: u16) -> Option<&str> {
        self.banks.get(usize::from(number)).map(String::as_str)
    }

    /// A hashtag by its folded letters; `marks` when it is one syllable as typed.
    pub fn hashtag(&self, body: &str, marks: Option<Marks>) -> Option<Tag> {
        let all = self.tags.get(body)?;
        // Of `#cháy`, `#chạy` the marks decide; without marks it is the incident's.
        let fits = |tag: &&Tag| match (tag.marks, marks) {
            (Some(full), Some(typed)) => typed.within(full),
            _ => true,
        };
        let exact = all.iter().find(|tag| marks.is_some() && tag.marks == marks);
        exact
            .or_else(|| all.iter().filter(fits).max_by_key(|tag| tag.incident))
            .copied()
    }

    /// Typed with exactly these marks it is no incident's tag: `#bảohành`.
    pub fn is_other_word(&self, folded: &str, typed: &str) -> bool {
        let words = self.tag_none_spelled.get(folded);
        !typed.is_ascii() && words.is_some_and(|words| words.contains(&spelled(typed)))
    }

    /// A word that may follow a tag's stem: `xe` in `#tromxe`.
    pub fn is_tag_object(&self, word: &str) -> bool {
        self.tag_objects.contains(word)
    }

    /// A folded word of places that does not say which one.
    pub fn is_common_in_places(&self, word: &str) -> bool {
        self.common_in_places.contains(word)
    }

    /// Two folded words that look like a name and are said of many things.
    pub fn is_common_name(&self, pair: &str) -> bool {
        self.common_names.contains(pair)
    }

    /// A folded word that stands before somebody's name.
    pub fn is_title(&self, word: &str) -> bool {
        self.titles.contains(word)
    }

    /// The text laughs with a smiley.
    pub fn laughs(&self, text: &str) -> bool {
        let laughs = self.laughs.as_ref();
        laughs.is_some_and(|laughs| laughs.is_match(text))
    }

    /// A word that may stand before a tag's stem: `vu` in `#vutrom`.
    pub fn is_tag_prefix(&self, word: &str) -> bool {
        self.tag_prefixes.contains(word)
    }

    /// What makes any tag that starts with it an incident's: `antt` in `#anttkhu5`.
    pub fn tag_openers(&self) -> impl Iterator<Item = &str> {
        self.tag_openers.iter().map(String::as_str)
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
                    .is_some_and(|token| self.words.contains_key(&token.key));
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

    fn is_syllable(&self, letters: &str) -> bool {
        (0..=letters.len().min(3)).any(|cut| {
            letters
                .split_at_checked(cut)
                .is_some_and(|(initial, rime)| {
                    (initial.is_empty() || self.initials.contains(initial))
                        && self.rimes.contains(rime)
                })
        })
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
        let exact = phrase.ends_with('!');
        let mut path: Vec<Vec<(u32, Marks)>> = Vec::new();
        for part in phrase.split("..") {
            let words: Vec<_> = tokens(part)
                .iter()
                .map(|token| (self.word(token.key), token.marks))
                .collect();
            if words.is_empty() {
                return Err("a phrase needs a word, also on both sides of `..`");
            }
            path.push(words);
        }
        let gaps = path.len() - 1;
        if gaps > 2 {
            return Err("at most two `..` in a phrase");
        }
        if path.iter().map(Vec::len).sum::<usize>() > LONGEST {
            return Err("a phrase of more than twelve words");
        }
        self.growth.add(&path, exact, what);
        // A telling phrase of several words is a hashtag as well: #mấtđiệnthoại.
        if let What::Cue(category, weight) = what
            && (weight >= 8 || weight >= 5 && names_a_crime(category))
            && gaps == 0
            && path.first().is_some_and(|words| words.len() > 1)
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

    /// Gives the tokens of a text their word numbers; abbreviations become what they stand for.
    pub fn name_words(&self, tokens: &mut [Token]) {
        let mut after_number = false;
        for token in tokens {
            // "50k" is not "50 không"; "K" alone is a name.
            let short = token.marks.none()
                && !(after_number && token.glued())
                && (token.length > 1 || token.case == crate::text::token::Case::Lower);
            match self.words.get(&token.key) {
                Some(Known {
                    long: Some((word, marks)),
                    ..
                }) if short => (token.word, token.marks) = (*word, *marks),
                Some(known) => token.word = known.word,
                None => token.word = 0,
            }
            after_number = token.is_number();
        }
    }

    /// Finds every phrase in the tokens, by start, shorter before longer.
    ///
    /// `loose`: the message has so few marks that an unmarked word may be any word.
    pub fn find(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        self.trie.find(tokens, loose, hits);
    }

    /// Finds every phrase that starts at the first token.
    pub fn find_first(&self, tokens: &[Token], loose: bool, hits: &mut Vec<Hit>) {
        self.trie.find_first(tokens, loose, hits);
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

/// Small letters, composed, without spaces.
fn spelled(words: &str) -> String {
    words
        .nfc()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_lexicon_loads() {
        let lexicon = Lexicon::builtin().unwrap_or_else(|error| panic!("{error}"));
        assert!(lexicon.trie.len() > 1000, "{} patterns", lexicon.trie.len());
    }

    #[test]
    fn a_bad_entry_is_named_with_file_and_line() {
        let mut entries = Vec::new();
        parse_file(
            "ward.toml",
            "[theft]\nstrong = [\n  \"ok\",\n  \"mất (xe\",\n]\n",
            &mut entries,
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let error = Lexicon::build(entries).expect_err("an open bracket");
        assert_eq!(error.to_string(), "lexicon ward.toml:4: `(` without `)`");
    }
}
