//! Tokens: words and numbers with the way back to the text.
//!
//! A token is a run of letters or a run of digits; `14B1` is three tokens glued
//! together. A Vietnamese syllable has at most seven letters, so its folded form
//! fits in one integer and its marks in another: comparing with or without
//! diacritics is two integer comparisons, and where a tone sits (`hoà`, `hòa`)
//! cannot matter.
//!
//! Promise: spans start and end on character boundaries, in rising order.

use crate::text::fold::{Sign, Tone, sign};

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
pub struct Key {
    packed: u64,
    hash: u64,
    length: u16,
}

impl Key {
    /// Adds a letter.
    pub fn push(&mut self, letter: u8) {
        if self.length < 8 {
            self.packed = self.packed << 8 | u64::from(letter);
        } else {
            self.hash = (self.hash ^ self.packed ^ u64::from(letter)).wrapping_mul(0x100_0000_01b3);
        }
        self.length = self.length.saturating_add(1);
    }

    /// The finished key.
    pub fn finish(self) -> u64 {
        if self.length <= 8 {
            self.packed
        } else {
            (self.hash ^ self.packed.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1 << 63
        }
    }

    /// The key of folded letters.
    pub fn of(letters: impl Iterator<Item = u8>) -> u64 {
        let mut key = Self::default();
        letters.for_each(|letter| key.push(letter));
        key.finish()
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
    let mut found: Vec<Token> = Vec::with_capacity(text.len() / 5 + 4);
    let mut builder: Option<Builder> = None;
    let mut before = '\0';
    let mut spaced = false;
    let mut push = |builder: &mut Option<Builder>, before: &mut char, spaced: &mut bool| {
        if let Some(done) = builder.take() {
            found.push(done.finish(*before, *spaced));
            (*before, *spaced) = ('\0', false);
        }
    };
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match sign(c) {
            Sign::Letter {
                base,
                shape,
                tone,
                upper,
            } => {
                if builder.as_ref().is_some_and(|b| b.digits > 0) {
                    push(&mut builder, &mut before, &mut spaced);
                }
                builder
                    .get_or_insert_with(|| Builder::new(at))
                    .letter(base, shape, tone, upper, end);
            }
            Sign::Digit(value) => {
                if builder.as_ref().is_some_and(|b| b.digits == 0) {
                    push(&mut builder, &mut before, &mut spaced);
                }
                builder
                    .get_or_insert_with(|| Builder::new(at))
                    .digit(value, end);
            }
            Sign::Mark { shape, tone } => {
                if let Some(building) = &mut builder {
                    building.mark(shape, tone, end);
                }
            }
            Sign::Invisible => {}
            Sign::Other(c) if c.is_alphanumeric() => {
                if builder.as_ref().is_some_and(|b| b.digits > 0) {
                    push(&mut builder, &mut before, &mut spaced);
                }
                builder
                    .get_or_insert_with(|| Builder::new(at))
                    .other(c, end);
            }
            separator => {
                push(&mut builder, &mut before, &mut spaced);
                let c = match separator {
                    Sign::Line => '\n',
                    Sign::Punct(c) => c,
                    Sign::Space => ' ',
                    _ => '*',
                };
                spaced |= matches!(c, ' ' | '\n');
                if weight(c) > weight(before) {
                    before = c;
                }
            }
        }
    }
    push(&mut builder, &mut before, &mut spaced);
    found
}

struct Builder {
    start: usize,
    end: usize,
    key: Key,
    single: Key,
    last: u8,
    run: u8,
    marks: Marks,
    letters: u16,
    uppers: u16,
    first_upper: bool,
    digits: u8,
    value: u32,
    foreign: bool,
}

impl Builder {
    fn new(start: usize) -> Self {
        Self {
            start,
            end: start,
            key: Key::default(),
            single: Key::default(),
            last: 0,
            run: 0,
            marks: Marks::default(),
            letters: 0,
            uppers: 0,
            first_upper: false,
            digits: 0,
            value: 0,
            foreign: false,
        }
    }

    fn letter(&mut self, base: u8, shape: u8, tone: Tone, upper: bool, end: usize) {
        if self.letters == 0 {
            self.first_upper = upper;
        }
        self.letters = self.letters.saturating_add(1);
        self.uppers = self.uppers.saturating_add(u16::from(upper));
        self.end = end;
        // "cướpppp" is "cướp", "xoong" stays: letters held down on the keyboard count once.
        self.run = if base == self.last {
            self.run.saturating_add(1)
        } else {
            1
        };
        self.last = base;
        match self.run {
            1 => self.key.push(base),
            2 => {
                self.single = self.key;
                self.key.push(base);
            }
            _ => self.key = self.single,
        }
        let letter = usize::from(self.key.length).saturating_sub(1);
        self.marks.add(letter, shape, tone);
    }

    fn mark(&mut self, shape: u8, tone: Tone, end: usize) {
        if self.letters > 0 {
            self.marks
                .add(usize::from(self.key.length).saturating_sub(1), shape, tone);
        }
        self.end = end;
    }

    fn digit(&mut self, value: u8, end: usize) {
        self.digits = self.digits.saturating_add(1);
        self.value = if self.digits > 9 {
            u32::MAX
        } else {
            self.value * 10 + u32::from(value)
        };
        self.key.push(b'0' + value);
        self.end = end;
    }

    fn other(&mut self, c: char, end: usize) {
        self.letters = self.letters.saturating_add(1);
        self.foreign = true;
        for byte in (c as u32).to_be_bytes() {
            self.key.push(byte | 0x80);
        }
        self.last = 0;
        self.end = end;
    }

    fn finish(self, before: char, spaced: bool) -> Token {
        let case = match (self.first_upper, self.uppers, self.letters) {
            (true, uppers, letters) if uppers == letters && letters > 1 => Case::Upper,
            (true, _, _) => Case::Title,
            _ => Case::Lower,
        };
        let mut key = self.key;
        if self.foreign {
            key.length = key.length.max(9);
        }
        Token {
            start: self.start,
            end: self.end,
            key: key.finish(),
            marks: self.marks,
            word: 0,
            digits: self.digits,
            value: self.value,
            length: self.letters.max(u16::from(self.digits)),
            case,
            before,
            spaced,
            foreign: self.foreign,
        }
    }
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
