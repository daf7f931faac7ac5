//! Tokens: words and numbers with the way back to the text.
//!
//! A token is a run of letters or a run of digits; `14B1` is three tokens glued
//! together. A Vietnamese syllable has at most seven letters, so its folded form
//! fits in one integer and its marks in another: comparing with or without
//! diacritics is two integer comparisons, and where a tone sits (`hoà`, `hòa`)
//! cannot matter.
//!
//! Promise: spans start and end on character boundaries, in rising order.

use crate::text::fold::{Sign, Signs, Tone};

/// The marks of a word: the shape of each of its first eight letters, and one tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Marks(u32);

impl Marks {
    const SHAPES: u32 = 0xFFFF;

    fn add(&mut self, letter: usize, shape: u8, tone: Tone) {
        if shape > 0 && letter < 8 {
            self.0 |= u32::from(shape & 3) << (2 * letter);
        }
        if tone > 0 {
            self.0 = (self.0 & Self::SHAPES) | u32::from(tone) << 16;
        }
    }

    /// Without any mark.
    pub fn none(self) -> bool {
        self.0 == 0
    }

    /// A number for them.
    pub fn bits(self) -> u64 {
        u64::from(self.0)
    }

    /// Could be `full` typed with some or all of its marks left out.
    pub fn within(self, full: Self) -> bool {
        let tone = self.0 >> 16;
        let shapes = self.0 & Self::SHAPES;
        let set = (shapes | shapes >> 1) & 0x5555;
        (tone == 0 || tone == full.0 >> 16) && full.0 & (set * 3) == shapes
    }
}

/// How a word is capitalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `chợ`
    Lower,
    /// `Chợ`
    Title,
    /// `CHỢ`
    Upper,
}

/// A word or a number.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The folded letters, packed; equal for equal folded words.
    pub key: u64,
    /// The marks of the letters.
    pub marks: Marks,
    /// The lexicon's number of the folded word, 0 when it does not know it.
    pub word: u32,
    /// Number of digits; 0 for a word.
    pub digits: u8,
    /// The number, when it has at most nine digits.
    pub value: u32,
    /// Letters or digits in the token.
    pub length: u16,
    /// Capitals.
    pub case: Case,
    /// The weightiest separator before it: `\0` nothing, then space, punctuation, symbol, line end.
    pub before: char,
    /// White space stands somewhere before it.
    pub spaced: bool,
    /// A symbol or an unusual letter is part of the word.
    pub foreign: bool,
}

impl Token {
    /// A run of digits.
    pub fn is_number(&self) -> bool {
        self.digits > 0
    }

    /// Written without anything between it and the token before.
    pub fn glued(&self) -> bool {
        self.before == '\0'
    }

    /// The words before it belong to another sentence or clause.
    pub fn breaks(&self) -> bool {
        matches!(
            self.before,
            '.' | ','
                | ';'
                | ':'
                | '!'
                | '?'
                | '\n'
                | '*'
                | '#'
                | '@'
                | '/'
                | '|'
                | '='
                | '>'
                | '+'
        )
    }

    /// The words before it belong to another sentence.
    pub fn starts_sentence(&self) -> bool {
        matches!(self.before, '.' | ';' | '!' | '?' | '\n')
    }
}

/// The packed key of a folded word; long words are hashed.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    packed: u64,
    hash: u64,
    length: usize,
}

impl Key {
    fn push(&mut self, letter: u8) {
        if self.length < 8 {
            self.packed = self.packed << 8 | u64::from(letter);
        } else {
            self.hash = (self.hash ^ self.packed ^ u64::from(letter)).wrapping_mul(0x100_0000_01b3);
        }
        self.length += 1;
    }

    /// The place of the last letter.
    fn last(self) -> usize {
        self.length.saturating_sub(1)
    }

    fn finish(self) -> u64 {
        if self.length <= 8 {
            self.packed
        } else {
            (self.hash ^ self.packed.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1 << 63
        }
    }
}

fn weight(separator: char) -> u8 {
    match separator {
        '\0' => 0,
        ' ' => 1,
        '"' | '\'' | '_' | '-' | '(' | ')' | '[' | ']' | '~' | '^' => 2,
        ',' | ':' | '/' | '+' | '=' | '&' | '%' | '*' | '<' | '>' | '|' => 3,
        '#' | '@' => 6,
        '\n' => 5,
        _ => 4,
    }
}

/// Splits a text into tokens.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    tokens_into(text, &mut found);
    found
}

/// Splits a text into tokens, appended to a list that may be used again.
pub fn tokens_into(text: &str, found: &mut Vec<Token>) {
    // Two or three letters and a space are the least that most words take.
    found.reserve(text.len() / 4 + 4);
    let letters = Letters {
        text,
        signs: Signs::get(),
    };
    let mut gap = Gap::default();
    let mut at = 0;
    while let Some((sign, next)) = letters.at(at) {
        let separator = match sign {
            Sign::Space => {
                gap.add(' ');
                at = next;
                continue;
            }
            Sign::Letter { .. } => {
                at = word(&letters, at, gap, found);
                gap = Gap::default();
                continue;
            }
            Sign::Digit(_) => {
                at = number(&letters, at, gap, found);
                gap = Gap::default();
                continue;
            }
            Sign::Other(c) if c.is_alphanumeric() => {
                at = word(&letters, at, gap, found);
                gap = Gap::default();
                continue;
            }
            Sign::Line => '\n',
            Sign::Punct(c) => c,
            Sign::Other(_) => '*',
            Sign::Mark { .. } | Sign::Invisible => {
                at = next;
                continue;
            }
        };
        gap.add(separator);
        at = next;
    }
}

/// A text as signs.
struct Letters<'a> {
    text: &'a str,
    signs: Signs,
}

impl Letters<'_> {
    /// The sign at a byte and the byte after it.
    #[inline]
    fn at(&self, at: usize) -> Option<(Sign, usize)> {
        let byte = *self.text.as_bytes().get(at)?;
        if byte.is_ascii() {
            return Some((self.signs.of(char::from(byte)), at + 1));
        }
        let c = self.text.get(at..)?.chars().next()?;
        Some((self.signs.of(c), at + c.len_utf8()))
    }
}

/// What stands between two tokens.
#[derive(Clone, Copy, Default)]
struct Gap {
    before: char,
    weight: u8,
    spaced: bool,
}

impl Gap {
    fn add(&mut self, separator: char) {
        if separator == ' ' {
            self.spaced = true;
            if self.weight == 0 {
                (self.before, self.weight) = (' ', 1);
            }
            return;
        }
        self.spaced |= separator == '\n';
        let weight = weight(separator);
        if weight > self.weight {
            (self.before, self.weight) = (separator, weight);
        }
    }
}

/// Reads the number at a byte; returns the byte after it.
fn number(letters: &Letters<'_>, start: usize, gap: Gap, found: &mut Vec<Token>) -> usize {
    let (mut at, mut end) = (start, start);
    let mut key = Key::default();
    let (mut digits, mut value) = (0_u8, 0_u32);
    while let Some((sign, next)) = letters.at(at) {
        match sign {
            Sign::Digit(digit) => {
                digits = digits.saturating_add(1);
                value = if digits > 9 {
                    u32::MAX
                } else {
                    value * 10 + u32::from(digit)
                };
                key.push(b'0' + digit);
                end = next;
            }
            Sign::Mark { .. } => end = next,
            Sign::Invisible => {}
            _ => break,
        }
        at = next;
    }
    found.push(Token {
        start,
        end,
        key: key.finish(),
        marks: Marks::default(),
        word: 0,
        digits,
        value,
        length: u16::from(digits),
        case: Case::Lower,
        before: gap.before,
        spaced: gap.spaced,
        foreign: false,
    });
    at
}

/// Reads the word at a byte; returns the byte after it.
fn word(letters: &Letters<'_>, start: usize, gap: Gap, found: &mut Vec<Token>) -> usize {
    let (mut at, mut end) = (start, start);
    let mut key = Key::default();
    let mut marks = Marks::default();
    // "cướpppp" is "cướp", "xoong" stays: letters held down on the keyboard count once.
    let mut single = key;
    let (mut last, mut run) = (0, 0_usize);
    let (mut length, mut uppers) = (0_usize, 0_usize);
    let (mut first_upper, mut foreign) = (false, false);
    loop {
        // Most letters are plain: small, without marks, unlike the one before.
        let bytes = letters.text.as_bytes();
        while let Some(&byte) = bytes.get(at)
            && byte.is_ascii_lowercase()
            && byte != last
            && key.length < 8
        {
            key.packed = key.packed << 8 | u64::from(byte);
            key.length += 1;
            length += 1;
            (last, run) = (byte, 1);
            at += 1;
            end = at;
        }
        if bytes.get(at) == Some(&b' ') {
            break;
        }
        let Some((sign, next)) = letters.at(at) else {
            break;
        };
        match sign {
            Sign::Letter {
                base,
                shape,
                tone,
                upper,
            } => {
                if upper {
                    first_upper |= length == 0;
                    uppers += 1;
                }
                length += 1;
                if base == last {
                    run += 1;
                    if run == 2 {
                        single = key;
                        key.push(base);
                    } else {
                        key = single;
                    }
                } else {
                    (last, run) = (base, 1);
                    key.push(base);
                }
                marks.add(key.last(), shape, tone);
                end = next;
            }
            Sign::Mark { shape, tone } => {
                if length > 0 {
                    marks.add(key.last(), shape, tone);
                }
                end = next;
            }
            Sign::Invisible => {}
            Sign::Other(c) if c.is_alphanumeric() => {
                length += 1;
                foreign = true;
                for byte in (c as u32).to_be_bytes() {
                    key.push(byte | 0x80);
                }
                last = 0;
                end = next;
            }
            _ => break,
        }
        at = next;
    }
    if foreign {
        key.length = key.length.max(9);
    }
    found.push(Token {
        start,
        end,
        key: key.finish(),
        marks,
        word: 0,
        digits: 0,
        value: 0,
        length: u16::try_from(length).unwrap_or(u16::MAX),
        case: match first_upper {
            true if uppers == length && length > 1 => Case::Upper,
            true => Case::Title,
            false => Case::Lower,
        },
        before: gap.before,
        spaced: gap.spaced,
        foreign,
    });
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text)
            .iter()
            .filter_map(|token| text.get(token.start..token.end))
            .collect()
    }

    #[test]
    fn words_and_numbers_are_cut_apart() {
        assert_eq!(
            words("xe 14B1-234.56, 22g15!"),
            ["xe", "14", "B", "1", "234", "56", "22", "g", "15"]
        );
        assert_eq!(
            words("tro\u{302}\u{323}m ở\nchợ"),
            ["tro\u{302}\u{323}m", "ở", "chợ"]
        );
    }

    #[test]
    fn one_word_has_one_key_and_one_set_of_marks() {
        let keys: Vec<_> = tokens("hoà hòa HOÀ hoà hòaaa")
            .iter()
            .map(|token| (token.key, token.marks))
            .collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }

    #[test]
    fn missing_marks_are_within_wrong_marks_are_not() {
        let all = tokens("trộm trom trôm trọm tròm");
        let full = all[0].marks;
        let within: Vec<_> = all.iter().map(|token| token.marks.within(full)).collect();
        assert_eq!(within, [true, true, true, true, false]);
    }
}
