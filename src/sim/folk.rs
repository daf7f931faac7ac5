//! What the people of a make-believe ward are called and what they write.
//!
//! Reports and chatter are written by hand, as neighbours write: with and
//! without diacritics, hurried, polite, angry, with the place or the time
//! missing. People, plates, accounts and web addresses are invented, and every
//! telephone number is `0900 000 xxx`, which belongs to nobody.
//!
//! A seed gives the same ward and the same day every time:
//!
//! ```
//! use keng::sim::folk::Folk;
//!
//! let mut folk = Folk::new(7);
//! let (name, report) = (folk.name(), folk.report());
//! assert_eq!((name, report), { let mut folk = Folk::new(7); (folk.name(), folk.report()) });
//! ```

use super::telegram::Dice;

mod chatter;
mod names;
mod reports;

pub use chatter::CHATTER;
pub use names::{COMMUNE, VILLAGES};
pub use reports::{ALERTS, PLACES, REPORTS, TIMES};

/// A tagged message, and what a careful reader would find in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The message.
    pub text: &'static str,
    /// The kind an officer would file it under: an id of the categories.
    pub category: &'static str,
    /// It says where.
    pub has_place: bool,
    /// It says when.
    pub has_time: bool,
}

/// A seeded source of names and words.
#[derive(Debug, Clone)]
pub struct Folk {
    dice: Dice,
}

impl Folk {
    /// The same seed, the same words.
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
        }
    }

    fn pick<T: Copy>(&mut self, from: &'static [T]) -> Option<T> {
        from.get(self.dice.below(from.len())).copied()
    }

    /// A full name: family, middle, given.
    pub fn name(&mut self) -> String {
        let family = self.pick(&names::FAMILY).unwrap_or_default();
        let (middle, given) = if self.dice.percent(50.0) {
            (self.pick(&names::WOMEN_MIDDLE), self.pick(&names::WOMEN))
        } else {
            (self.pick(&names::MEN_MIDDLE), self.pick(&names::MEN))
        };
        format!(
            "{family} {} {}",
            middle.unwrap_or_default(),
            given.unwrap_or_default()
        )
    }

    /// The name of a village or street group.
    pub fn village(&mut self) -> &'static str {
        self.pick(&VILLAGES).unwrap_or_default()
    }

    /// What nobody needs to keep: a message without any tag.
    pub fn chatter(&mut self) -> &'static str {
        self.pick(CHATTER).unwrap_or_default()
    }

    /// A tagged report.
    pub fn report(&mut self) -> Report {
        const NONE: Report = Report {
            text: "",
            category: "other",
            has_place: false,
            has_time: false,
        };
        self.pick(REPORTS).unwrap_or(NONE)
    }

    /// A tagged report from which the place or the time, or both, is missing.
    pub fn incomplete_report(&mut self) -> Report {
        loop {
            let report = self.report();
            if !(report.has_place && report.has_time) {
                return report;
            }
        }
    }

    /// An answer to "where?".
    pub fn place(&mut self) -> &'static str {
        self.pick(PLACES).unwrap_or_default()
    }

    /// An answer to "when?".
    pub fn time(&mut self) -> &'static str {
        self.pick(TIMES).unwrap_or_default()
    }

    /// What an officer warns of.
    pub fn alert(&mut self) -> &'static str {
        self.pick(ALERTS).unwrap_or_default()
    }

    /// `true` `percent` times in a hundred.
    pub fn chance(&mut self, percent: f64) -> bool {
        self.dice.percent(percent)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.dice.below(end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use unicode_normalization::is_nfc;

    use super::*;

    fn everything() -> impl Iterator<Item = &'static str> {
        let reports = REPORTS.iter().map(|report| report.text);
        reports
            .chain(CHATTER.iter().copied())
            .chain(ALERTS.iter().copied())
            .chain(PLACES.iter().copied())
            .chain(TIMES.iter().copied())
    }

    #[test]
    fn nothing_is_said_twice_and_all_of_it_is_nfc() {
        let mut seen = HashSet::new();
        for text in everything() {
            assert!(seen.insert(text), "twice: {text}");
            assert!(is_nfc(text), "not NFC: {text}");
        }
        assert!(REPORTS.len() >= 60 && CHATTER.len() >= 120);
    }

    #[test]
    fn telephone_numbers_belong_to_nobody() {
        for text in everything() {
            let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '.')).collect();
            for (at, _) in digits.match_indices("09") {
                let number: String = digits
                    .chars()
                    .skip(digits.chars().count() - digits.split_at(at).1.chars().count())
                    .take(10)
                    .collect();
                if number.len() == 10 && number.chars().all(|c| c.is_ascii_digit()) {
                    assert!(number.starts_with("0900000"), "{number} in {text}");
                }
            }
        }
    }

    #[test]
    fn every_kind_and_every_gap_occurs() {
        let kinds: HashSet<&str> = REPORTS.iter().map(|report| report.category).collect();
        assert_eq!(kinds.len(), 20, "{kinds:?}");
        for (place, time) in [(true, true), (true, false), (false, true), (false, false)] {
            let count = REPORTS
                .iter()
                .filter(|one| (one.has_place, one.has_time) == (place, time))
                .count();
            assert!(count >= 4, "{place} {time}: {count}");
        }
    }

    #[test]
    fn reports_are_tagged_and_chatter_is_not() {
        let starts = [
            "/bao",
            "báo ",
            "báo:",
            "báo tin",
            "bao tin",
            "tin báo",
            "tố giác",
            "trình báo",
            "báo CA",
            "bao CA",
        ];
        for report in REPORTS {
            let tagged = report.text.contains('#')
                || starts.iter().any(|start| {
                    report
                        .text
                        .to_lowercase()
                        .starts_with(&start.to_lowercase())
                });
            assert!(tagged, "{}", report.text);
        }
        for text in CHATTER {
            assert!(!text.starts_with('/') && !text.contains('@'), "{text}");
        }
    }
}
