//! Folding: one spelling for the many ways a phone writes the same letter.
//!
//! Every character becomes a [`Sign`]. A letter loses its case and its marks, and
//! the marks are kept beside it, so that a reader may compare with or without
//! them: `ộ` typed as one character, as `ô` and a dot, or as `o` and two marks is
//! the letter `o` with a circumflex and the tone of the dot. Invisible characters
//! vanish, fullwidth and other compatibility forms become plain.
//!
//! | text | folded |
//! | --- | --- |
//! | `Trộm` (composed or not) | `trom` |
//! | `ĐÁNH`, `Ðánh` | `danh` |
//! | `＃ｃｈáｙ` | `#chay` |
//!
//! ```
//! assert_eq!(keng::text::fold::fold("＃Trộm\u{200b}_Cắp"), "#trom_cap");
//! ```

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// The shape of a vowel or of `đ`: two bits a letter.
pub type Shape = u8;
/// Breve of `ă`, stroke of `đ`.
pub const BREVE: Shape = 1;
/// Circumflex of `â ê ô`.
pub const HAT: Shape = 2;
/// Horn of `ơ ư`.
pub const HORN: Shape = 3;

/// A tone of Vietnamese, 0 for none.
pub type Tone = u8;

/// What one character is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A letter, lower case, with its marks; `upper` tells how it was written.
    Letter {
        /// `a` to `z`.
        base: u8,
        /// Shape mark of the letter itself.
        shape: Shape,
        /// Tone mark on the letter.
        tone: Tone,
        /// Written as a capital.
        upper: bool,
    },
    /// A mark that belongs to the letter before it.
    Mark {
        /// Shape mark.
        shape: Shape,
        /// Tone mark.
        tone: Tone,
    },
    /// A digit, by value.
    Digit(u8),
    /// White space inside a line.
    Space,
    /// The end of a line.
    Line,
    /// Nothing a person sees.
    Invisible,
    /// Punctuation, already made plain.
    Punct(char),
    /// Any other character: foreign letters, emoji.
    Other(char),
}

const TABLE_END: usize = 0x1F00;

static TABLE: LazyLock<Vec<Sign>> = LazyLock::new(|| {
    (0..TABLE_END)
        .map(|code| {
            u32::try_from(code)
                .ok()
                .and_then(char::from_u32)
                .map_or(Sign::Invisible, classify)
        })
        .collect()
});

/// The sign of a character.
pub fn sign(c: char) -> Sign {
    Signs::get().of(c)
}

/// The signs of all characters, for whoever asks for many.
#[derive(Clone, Copy)]
pub struct Signs(&'static [Sign]);

impl Signs {
    /// The table, made once.
    pub fn get() -> Self {
        Self(&TABLE)
    }

    /// The sign of a character.
    #[inline]
    pub fn of(self, c: char) -> Sign {
        match self.0.get(c as usize) {
            Some(sign) => *sign,
            None => classify(c),
        }
    }
}

fn mark(c: char) -> Option<(Shape, Tone)> {
    Some(match c {
        '\u{300}' | '\u{340}' => (0, 1),
        '\u{301}' | '\u{341}' => (0, 2),
        '\u{309}' => (0, 3),
        '\u{303}' => (0, 4),
        '\u{323}' => (0, 5),
        '\u{302}' => (HAT, 0),
        '\u{306}' => (BREVE, 0),
        '\u{31B}' => (HORN, 0),
        _ if is_combining_mark(c) => (0, 0),
        _ => return None,
    })
}

fn classify(c: char) -> Sign {
    match c {
        '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{B}' | '\u{C}' => return Sign::Line,
        '\u{AD}'
        | '\u{34F}'
        | '\u{61C}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{E0000}'..='\u{E0FFF}' => return Sign::Invisible,
        'đ' | 'ð' => {
            return Sign::Letter {
                base: b'd',
                shape: BREVE,
                tone: 0,
                upper: false,
            };
        }
        'Đ' | 'Ð' | 'Ɖ' => {
            return Sign::Letter {
                base: b'd',
                shape: BREVE,
                tone: 0,
                upper: true,
            };
        }
        '–' | '—' | '−' | '‐' | '‑' | '‒' => return Sign::Punct('-'),
        '“' | '”' | '„' | '«' | '»' => return Sign::Punct('"'),
        '‘' | '’' | '‚' | '`' | '´' => return Sign::Punct('\''),
        '…' => return Sign::Punct('.'),
        _ => {}
    }
    if c.is_whitespace() {
        return Sign::Space;
    }
    if c.is_control() {
        return Sign::Invisible;
    }
    if let Some((shape, tone)) = mark(c) {
        return Sign::Mark { shape, tone };
    }
    let (mut first, mut shape, mut tone) = (None, 0, 0);
    decompose_compatible(c, |part| {
        if first.is_none() {
            first = Some(part);
        } else if let Some((s, t)) = mark(part) {
            shape = shape.max(s);
            tone = tone.max(t);
        }
    });
    let first = first.unwrap_or(c);
    if first.is_ascii_alphabetic() {
        let upper = first.is_ascii_uppercase();
        return Sign::Letter {
            base: first.to_ascii_lowercase() as u8,
            shape,
            tone,
            upper,
        };
    }
    if first != c {
        return classify(first);
    }
    if let Some(digit) = first.to_digit(10) {
        return Sign::Digit(u8::try_from(digit).unwrap_or(0));
    }
    if first == ' ' {
        return Sign::Space;
    }
    if first.is_ascii_punctuation() {
        return Sign::Punct(first);
    }
    Sign::Other(c)
}

/// The text as it is compared: plain small letters, no marks, nothing invisible.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut folded, c));
    folded
}

fn push(folded: &mut String, c: char) {
    match sign(c) {
        Sign::Letter { base, .. } => folded.push(char::from(base)),
        Sign::Digit(value) => folded.push(char::from(b'0' + value)),
        Sign::Space => folded.push(' '),
        Sign::Line => folded.push('\n'),
        Sign::Mark { .. } | Sign::Invisible => {}
        Sign::Punct(c) => folded.push(c),
        Sign::Other(c) => {
            for part in c.to_lowercase().nfkd() {
                if part == c {
                    folded.push(c)
                } else {
                    push(folded, part)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_word_folds_to_one() {
        for text in [
            "trộm",
            "TRỘM",
            "tro\u{302}\u{323}m",
            "tr\u{1ECD}\u{302}m",
            "ｔｒộｍ",
            "t\u{200B}rộm",
        ] {
            assert_eq!(fold(text), "trom", "{text}");
        }
        assert_eq!(fold("Đường Ðê"), "duong de");
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["#️⃣ Trộm…", "“Hoà” ﬁ ½ Ω é", "日本 İ ẞ"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }
}
