//! A long text in as many messages as a platform needs: nothing is refused for its length.
//!
//! ```
//! use keng::outbox::split::split;
//!
//! assert_eq!(split("Cẩn thận.", 4096), ["Cẩn thận."]);
//! let parts = split(&"Không chuyển tiền cho người lạ. ".repeat(4), 80);
//! assert_eq!(parts[0], "(1/2) Không chuyển tiền cho người lạ. Không chuyển tiền cho người lạ.");
//! ```

use unicode_segmentation::UnicodeSegmentation;

/// Room for `(12/34) `.
const MARK: usize = 12;

/// Cuts `text` into parts of at most `max` UTF-16 units, numbered `(1/3)` when there are several.
///
/// Cuts fall after a line where there is one in the second half of a part, else after a sentence, else
/// after a word, else between letters as people see them. Only blanks at the cuts are lost. A `max`
/// below 64 counts as 64.
#[must_use]
pub fn split(text: &str, max: usize) -> Vec<String> {
    let max = max.max(64);
    // A byte is never less than a UTF-16 unit: most texts need no counting.
    if text.len() <= max || text.encode_utf16().count() <= max {
        return vec![text.to_owned()];
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(cut) = cut(rest, max - MARK) {
        let (part, after) = rest.split_at(cut);
        parts.push(part.trim_end());
        rest = after.trim_start();
    }
    parts.push(rest.trim_end());
    parts.retain(|part| !part.is_empty());
    let count = parts.len();
    parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| format!("({}/{count}) {part}", index + 1))
        .collect()
}

/// Where to cut off a part of at most `max` units; none when all of it fits.
fn cut(text: &str, max: usize) -> Option<usize> {
    // How good the best cut so far is, and where: letter, word, sentence, line.
    let mut best = [0; 4];
    let mut units = 0;
    for (index, letter) in text.grapheme_indices(true) {
        let width: usize = letter.chars().map(char::len_utf16).sum();
        if units + width > max {
            if index == 0 {
                return Some(within_letter(letter, max));
            }
            best[0] = index;
            let found = best.into_iter().rev().find(|&cut| cut > 0);
            return Some(found.unwrap_or(index));
        }
        units += width;
        let end = index + letter.len();
        if units <= max / 2 {
            continue;
        }
        if letter.contains('\n') {
            best[3] = end;
        } else if matches!(letter, "." | "!" | "?" | "…" | ";") {
            let ends = text
                .get(end..)
                .and_then(|rest| rest.chars().next())
                .is_none_or(char::is_whitespace);
            if ends {
                best[2] = end;
            }
        } else if letter.chars().all(char::is_whitespace) {
            best[1] = end;
        }
    }
    None
}

/// A "letter" of hundreds of marks is cut between its characters.
fn within_letter(letter: &str, max: usize) -> usize {
    let mut units = 0;
    letter
        .char_indices()
        .find(|(_, c)| {
            units += c.len_utf16();
            units > max
        })
        .map_or(letter.len(), |(index, _)| index)
        .max(letter.chars().next().map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unmarked(part: &str) -> &str {
        part.split_once(") ").map_or(part, |(_, text)| text)
    }

    #[test]
    fn a_short_text_stays_whole() {
        assert_eq!(split("", 4096), [""]);
        let exact = "ừ".repeat(4096);
        assert_eq!(split(&exact, 4096), [exact]);
    }

    #[test]
    fn lines_then_sentences_then_words_are_kept_whole() {
        let lines = format!("{}\n{}", "a".repeat(40), "b ".repeat(30));
        assert_eq!(split(&lines, 64)[0], format!("(1/3) {}", "a".repeat(40)));
        let sentences = format!("{}. {}", "a".repeat(40), "b ".repeat(30));
        assert_eq!(
            split(&sentences, 64)[0],
            format!("(1/3) {}.", "a".repeat(40))
        );
        let words = format!("{} {}", "a".repeat(40), "b".repeat(50));
        assert_eq!(split(&words, 64)[0], format!("(1/2) {}", "a".repeat(40)));
    }

    #[test]
    fn twenty_thousand_letters_are_never_refused() {
        for text in [
            "ừ".repeat(20_000),
            "👨‍👩‍👧‍👦".repeat(5_000),
            format!("e{}", "\u{301}".repeat(20_000)),
            "Không chuyển tiền cho người lạ!\n".repeat(625),
        ] {
            let parts = split(&text, 4096);
            assert!(parts.len() < 40, "{}", parts.len());
            for part in parts {
                assert!(part.encode_utf16().count() <= 4096);
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_but_blanks_is_lost_and_every_part_fits(text in "(?s).{0,400}", max in 0_usize..200) {
            let parts = split(&text, max);
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            let joined: String = if parts.len() == 1 { parts[0].clone() } else {
                parts.iter().map(|part| unmarked(part)).collect()
            };
            prop_assert_eq!(bare(&joined), bare(&text));
            for part in &parts {
                prop_assert!(part.encode_utf16().count() <= max.max(64));
            }
        }
    }
}
