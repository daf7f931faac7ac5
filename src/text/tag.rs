//! Hashtags and mentions: how a message says that it is meant for the bot.
//!
//! | text | found |
//! | --- | --- |
//! | `#Trộm_Cắp`, `＃tromcap`, `#trom cap` | the tag of theft |
//! | `#trộm vía`, `#1`, `C#`, `x.vn/#trom` | nothing |
//! | `@anttbot`, `@Bot ANTT` | a mention |
//! | `@anttbotxyz` | nothing |

use crate::domain::reading::Category;
use crate::text::fold::{Sign, fold, sign};
use crate::text::lexicon::Lexicon;
use crate::text::token::{Marks, tokens};

/// A hashtag that names an incident.
#[derive(Debug, Clone, Copy)]
pub struct TagHit {
    /// First byte, the `#`.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The byte after the first words that are an incident's tag by themselves: in `#cháy xưởng gỗ`,
    /// the place may begin here.
    pub core_end: usize,
    /// The category it names.
    pub category: Option<Category>,
    /// No listed tag: only its words, taken apart, name an incident. It counts when the message tells of one.
    pub guessed: Option<Guess>,
}

/// How much a message must tell for a tag that is on no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// The tag's words name an incident by themselves: `#khỉcắn`. The message must speak of it too.
    Likely,
    /// Part of it is a listed tag, or may be: `#tromdau`. The message must tell of just that, clearly.
    Faint,
}

const WORDS: usize = 4;

/// Nor more `#` that name nothing; to take an unknown one apart takes long.
const LOOKED: usize = 100;

/// Letters of a hashtag, at most.
const LONGEST: usize = 60;

/// Nobody means more tags; a flood of them must not take for ever.
const MOST: usize = 32;

/// The hashtags of a text that name an incident.
pub fn tags(text: &str, lexicon: &Lexicon) -> Vec<TagHit> {
    let mut found: Vec<TagHit> = Vec::new();
    let mut looked = 0;
    let mut link = Link {
        text,
        seen: 0,
        inside: text.starts_with("www."),
    };
    // `#`, or the first byte of its wide forms.
    for hash in memchr::memchr2_iter(b'#', 0xEF, text.as_bytes()) {
        let Some(c) = char_at(text, hash).filter(|c| sign(*c) == Sign::Punct('#')) else {
            continue;
        };
        let (before, after) = text.split_at(hash);
        // A row of them is a line drawn across the message.
        if after.starts_with("##") {
            continue;
        }
        looked += 1;
        if looked > LOOKED {
            break;
        }
        let taken = found.last().is_some_and(|tag| hash < tag.end);
        if link.reaches(hash) || taken || before.ends_with('/') {
            continue;
        }
        if let Some(tag) = tag_at(text, hash, hash + c.len_utf8(), lexicon) {
            found.push(tag);
            if found.len() == MOST {
                break;
            }
        }
    }
    found
}

fn char_at(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// Whether what is being looked at belongs to a link, which may hold `#` as well.
struct Link<'a> {
    text: &'a str,
    seen: usize,
    inside: bool,
}

impl Link<'_> {
    /// Looks on up to a byte.
    fn reaches(&mut self, at: usize) -> bool {
        let passed = self.text.get(self.seen..at).unwrap_or("");
        self.seen = at;
        match passed.rsplit_once(char::is_whitespace) {
            Some((_, word)) => {
                let rest = self.text.get(at - word.len()..);
                self.inside =
                    word.contains("//") || rest.is_some_and(|rest| rest.starts_with("www."));
            }
            None => self.inside |= passed.contains("//"),
        }
        self.inside
    }
}

/// The words after a `#`.
struct Body {
    /// Folded and glued.
    letters: String,
    /// How many letters the first words have.
    lengths: [usize; WORDS],
    /// Where the first words end.
    ends: [usize; WORDS],
    count: usize,
}

impl Body {
    /// The first word and `more` further ones.
    fn glued(&self, more: usize) -> Option<&str> {
        self.letters.get(..*self.lengths.get(more)?)
    }
}

fn body(text: &str, start: usize) -> Body {
    let mut body = Body {
        letters: String::with_capacity(LONGEST + 1),
        lengths: [0; WORDS],
        ends: [start; WORDS],
        count: 0,
    };
    let mut word_started = false;
    for (offset, c) in text.get(start..).unwrap_or("").char_indices() {
        match sign(c) {
            Sign::Letter { base, .. } => {
                body.letters.push(char::from(base));
                word_started = true;
            }
            Sign::Digit(value) => {
                body.letters.push(char::from(b'0' + value));
                word_started = true;
            }
            Sign::Mark { .. } | Sign::Invisible => {}
            Sign::Punct('_') if word_started => continue,
            // "# tromcap"
            Sign::Space if body.letters.is_empty() && offset == 0 => {}
            Sign::Space | Sign::Punct('-') if word_started => {
                word_started = false;
                body.count += 1;
                if body.count == WORDS {
                    return body;
                }
                continue;
            }
            _ => break,
        }
        if body.letters.len() > LONGEST {
            break;
        }
        if let (Some(length), Some(end)) = (
            body.lengths.get_mut(body.count),
            body.ends.get_mut(body.count),
        ) {
            *length = body.letters.len();
            *end = start + offset + c.len_utf8();
        }
    }
    body.count += usize::from(word_started);
    body
}

fn tag_at(text: &str, hash: usize, start: usize, lexicon: &Lexicon) -> Option<TagHit> {
    let body = body(text, start);
    let found = |n: usize, category| {
        let end = body.ends.get(n).copied().unwrap_or(start);
        let core = (0..n).find(|n| {
            body.glued(*n)
                .and_then(|glued| lexicon.hashtag(glued, None))
                .is_some_and(|tag| tag.incident)
        });
        let core_end = core.and_then(|n| body.ends.get(n)).map_or(end, |end| *end);
        Some(TagHit {
            start: hash,
            end,
            core_end,
            category,
            guessed: None,
        })
    };
    for n in (0..body.count.min(WORDS)).rev() {
        let glued = body.glued(n)?;
        let marks = if n == 0 {
            typed_marks(text.get(start..*body.ends.first()?)?)
        } else {
            None
        };
        if let Some(tag) = lexicon.hashtag(glued, marks) {
            let typed = text.get(start..*body.ends.get(n)?)?;
            if tag.incident && lexicon.is_other_word(glued, typed) {
                return None;
            }
            return if tag.incident {
                found(n, tag.category)
            } else {
                None
            };
        }
    }
    let first = body.glued(0)?;
    if let Some(category) = composed(first, lexicon) {
        return found(0, category);
    }
    let end = *body.ends.first()?;
    let guess = lexicon
        .named_by_syllables(text.get(start..end)?)
        .or_else(|| Some((misspelt(first, lexicon)?, Guess::Likely)))
        .or_else(|| Some((stem(first, lexicon)?, Guess::Faint)));
    let (category, guess) = guess?;
    Some(TagHit {
        start: hash,
        end,
        core_end: end,
        category: Some(category),
        guessed: Some(guess),
    })
}

/// The category of the longest listed tag that an unlisted one starts or ends with, when it is an incident's.
fn stem(body: &str, lexicon: &Lexicon) -> Option<Category> {
    let cuts = (SHORTEST_STEM..body.len()).rev();
    let ends = cuts.flat_map(|length| [body.get(..length), body.get(body.len() - length..)]);
    let tag = ends
        .flatten()
        .find_map(|stem| lexicon.hashtag(stem, None))?;
    tag.category.filter(|_| tag.incident)
}

/// The category of the listed tag that is meant by one with a slip of the finger: two letters changed places
/// (`#luadoa`), or one is missing, too many or another (`#trmcap`) and the rest cannot be read.
fn misspelt(body: &str, lexicon: &Lexicon) -> Option<Category> {
    const SHORTEST: usize = 4;
    const LONGEST: usize = 16;
    if !(SHORTEST..=LONGEST).contains(&body.len()) || !body.bytes().all(|c| c.is_ascii_lowercase())
    {
        return None;
    }
    let named = |letters: &str| {
        let tag = lexicon.hashtag(letters, None)?;
        tag.category.filter(|_| tag.incident)
    };
    let mut letters: Vec<char> = body.chars().collect();
    let mut tried = String::with_capacity(LONGEST + 1);
    let mut meant = |letters: &[char]| {
        tried.clear();
        tried.extend(letters);
        named(&tried)
    };
    for at in 1..letters.len() {
        letters.swap(at - 1, at);
        if let Some(category) = meant(&letters) {
            return Some(category);
        }
        letters.swap(at - 1, at);
    }
    // What can be read is another word; of four letters every word is near.
    if body.len() == SHORTEST || lexicon.syllables(body) {
        return None;
    }
    for at in 0..letters.len() {
        let typed = letters.remove(at);
        if let Some(category) = meant(&letters) {
            return Some(category);
        }
        letters.insert(at, typed);
        for other in 'a'..='z' {
            if let Some(place) = letters.get_mut(at) {
                *place = other;
            }
            if let Some(category) = meant(&letters) {
                return Some(category);
            }
        }
        if let Some(place) = letters.get_mut(at) {
            *place = typed;
        }
    }
    for at in 0..=letters.len() {
        letters.insert(at, 'a');
        for missing in 'a'..='z' {
            if let Some(place) = letters.get_mut(at) {
                *place = missing;
            }
            if let Some(category) = meant(&letters) {
                return Some(category);
            }
        }
        letters.remove(at);
    }
    None
}

fn typed_marks(word: &str) -> Option<Marks> {
    match tokens(word).as_slice() {
        [token] if !token.marks.none() => Some(token.marks),
        _ => None,
    }
}

/// A tag nobody listed that is made of a listed one and words before or after it: `#tromcho3`,
/// `#anttkhu5`, `#nguoinghien`, `#cobactrahinh`.
fn composed(body: &str, lexicon: &Lexicon) -> Option<Option<Category>> {
    let letters = body.trim_end_matches(|c: char| c.is_ascii_digit());
    if letters.len() < 3 {
        return None;
    }
    if letters.len() < body.len()
        && let Some(tag) = lexicon.hashtag(letters, None)
    {
        return tag.incident.then_some(tag.category);
    }
    if lexicon
        .tag_openers()
        .any(|opener| letters.starts_with(opener))
    {
        return Some(None);
    }
    for (cut, _) in letters
        .char_indices()
        .rev()
        .take_while(|(cut, _)| *cut >= SHORTEST_STEM)
    {
        let (stem, rest) = letters.split_at_checked(cut)?;
        if let Some(tag) = lexicon.hashtag(stem, None)
            && (objects(rest, lexicon) || cut >= LONG_STEM && lexicon.syllables(rest))
        {
            return tag.incident.then_some(tag.category);
        }
    }
    for (cut, _) in letters.char_indices().skip(1) {
        let (first, stem) = letters.split_at_checked(cut)?;
        if stem.len() < SHORTEST_STEM {
            break;
        }
        if let Some(tag) = lexicon.hashtag(stem, None)
            && (lexicon.is_tag_prefix(first) || stem.len() >= LONG_STEM && lexicon.syllables(first))
        {
            return (tag.incident && tag.category.is_some()).then_some(tag.category);
        }
    }
    None
}

/// Stems so short only stand beside words known to go with them: `#trom` + `xe`.
const SHORTEST_STEM: usize = 4;
/// Two syllables: any words may stand beside them.
const LONG_STEM: usize = 6;

fn objects(rest: &str, lexicon: &Lexicon) -> bool {
    rest.is_empty()
        || lexicon.is_tag_object(rest)
        || rest.char_indices().skip(1).any(|(cut, _)| {
            rest.split_at_checked(cut).is_some_and(|(first, rest)| {
                lexicon.is_tag_object(first) && lexicon.is_tag_object(rest)
            })
        })
}

/// Where the bot is mentioned: bytes of `@name`.
pub fn mention(text: &str, names: &[String]) -> Option<(usize, usize)> {
    let mut folded: Option<Vec<String>> = None;
    for at in memchr::memchr2_iter(b'@', 0xEF, text.as_bytes()) {
        let Some(c) = char_at(text, at).filter(|c| sign(*c) == Sign::Punct('@')) else {
            continue;
        };
        let (before, _) = text.split_at(at);
        let previous = before.chars().rev().map(sign);
        let previous = { previous }.find(|sign| *sign != Sign::Invisible);
        if matches!(previous, Some(Sign::Letter { .. } | Sign::Digit(_))) {
            continue;
        }
        let start = at + c.len_utf8();
        let rest = text.get(start..).unwrap_or("");
        let names = folded.get_or_insert_with(|| names.iter().map(|name| fold(name)).collect());
        if let Some(length) = names
            .iter()
            .filter_map(|name| starts_with_name(rest, name))
            .max()
        {
            return Some((at, start + length));
        }
    }
    None
}

/// How many bytes of `text` are the folded name, when it starts with it and the name ends there.
fn starts_with_name(text: &str, name: &str) -> Option<usize> {
    let mut wanted = name.trim_start_matches('@').chars();
    let mut pending = wanted.next();
    pending?;
    for (at, c) in text.char_indices() {
        let folded = match sign(c) {
            Sign::Letter { base, .. } => char::from(base),
            Sign::Digit(value) => char::from(b'0' + value),
            Sign::Space => ' ',
            Sign::Mark { .. } | Sign::Invisible => continue,
            Sign::Punct(c) | Sign::Other(c) => c,
            Sign::Line => '\n',
        };
        match pending {
            None => {
                return if folded.is_alphanumeric() || folded == '_' {
                    None
                } else {
                    Some(at)
                };
            }
            Some(want) if want == folded => pending = wanted.next(),
            Some(_) => return None,
        }
    }
    pending.is_none().then_some(text.len())
}
