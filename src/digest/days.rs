//! Which days a digest is asked for. Pure; the words come folded (small letters, no marks).
//!
//! | said on Tuesday 24 November 2026 | days |
//! | --- | --- |
//! | nothing, `hom nay` | 24 |
//! | `hom qua` | 23 |
//! | `tuan nay` | 23 – 24 (from Monday) |
//! | `tuan truoc` | 16 – 22 |
//! | `thang nay`, `thang truoc` | 1 – 24; October |
//! | `7 ngay` | 18 – 24 |
//! | `20/11`, `20/11/2026`, `ngay 20.11` | 20 |

use chrono::Datelike;
use chrono::Days as Count;
use chrono::NaiveDate;

use crate::domain::digest::Days;

/// The most days of one digest.
pub const MOST: u64 = 92;

/// Reads folded words; `None` when they name no days, none that have begun, or too many.
#[must_use]
pub fn parse(words: &str, today: NaiveDate) -> Option<Days> {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let one = |day| Some(Days { from: day, to: day });
    let monday = today - Count::new(u64::from(today.weekday().num_days_from_monday()));
    match words.as_str() {
        "" | "hom nay" | "ngay nay" | "nay" => return one(today),
        "hom qua" | "qua" => return one(today.pred_opt()?),
        "hom kia" => return one(today.checked_sub_days(Count::new(2))?),
        "tuan nay" | "tuan" => {
            return Some(Days {
                from: monday,
                to: today,
            });
        }
        "tuan truoc" | "tuan qua" => {
            return Some(Days {
                from: monday.checked_sub_days(Count::new(7))?,
                to: monday.pred_opt()?,
            });
        }
        "thang nay" | "thang" => {
            return Some(Days {
                from: today.with_day(1)?,
                to: today,
            });
        }
        "thang truoc" | "thang qua" => {
            let to = today.with_day(1)?.pred_opt()?;
            return Some(Days {
                from: to.with_day(1)?,
                to,
            });
        }
        _ => {}
    }
    if let Some(number) = words
        .strip_suffix("ngay")
        .or_else(|| words.strip_suffix("ngay qua"))
    {
        let count: u64 = number.trim().parse().ok()?;
        return (1..=MOST).contains(&count).then(|| Days {
            from: today - Count::new(count - 1),
            to: today,
        });
    }
    let day = date(words.strip_prefix("ngay ").unwrap_or(&words), today)?;
    (day <= today).then_some(Days { from: day, to: day })
}

/// `20/11`, `20-11`, `20.11`, with or without a year; without one, the last such day.
fn date(words: &str, today: NaiveDate) -> Option<NaiveDate> {
    let mut parts = words.split(['/', '-', '.']).map(str::trim);
    let day = number(parts.next()?)?;
    let month = number(parts.next()?)?;
    let year = parts.next();
    if parts.next().is_some() {
        return None;
    }
    match year {
        Some(year) => {
            let digits = year.len();
            let year = i32::try_from(number(year)?).ok()?;
            let year = if digits == 2 { 2000 + year } else { year };
            NaiveDate::from_ymd_opt(year, month, day)
        }
        None => (0..8)
            .filter_map(|back| NaiveDate::from_ymd_opt(today.year() - back, month, day))
            .find(|date| *date <= today),
    }
}

fn number(digits: &str) -> Option<u32> {
    let fits = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn days_are_read_as_people_say_them() {
        // A Tuesday.
        let today = on(2026, 11, 24);
        for (words, from, to) in [
            ("", today, today),
            ("hom nay", today, today),
            ("hom qua", on(2026, 11, 23), on(2026, 11, 23)),
            ("hom kia", on(2026, 11, 22), on(2026, 11, 22)),
            ("tuan nay", on(2026, 11, 23), today),
            ("tuan truoc", on(2026, 11, 16), on(2026, 11, 22)),
            ("thang nay", on(2026, 11, 1), today),
            ("thang truoc", on(2026, 10, 1), on(2026, 10, 31)),
            ("7 ngay", on(2026, 11, 18), today),
            ("7 ngay qua", on(2026, 11, 18), today),
            ("1 ngay", today, today),
            ("92 ngay", on(2026, 8, 25), today),
            ("20/11", on(2026, 11, 20), on(2026, 11, 20)),
            ("ngay 20/11", on(2026, 11, 20), on(2026, 11, 20)),
            ("25/11", on(2025, 11, 25), on(2025, 11, 25)),
            ("29/2", on(2024, 2, 29), on(2024, 2, 29)),
            ("01.09.2026", on(2026, 9, 1), on(2026, 9, 1)),
            ("1-9-26", on(2026, 9, 1), on(2026, 9, 1)),
        ] {
            assert_eq!(parse(words, today), Some(Days { from, to }), "{words}");
        }
        for words in [
            "mai",
            "0 ngay",
            "93 ngay",
            "-1 ngay",
            "99999999999999999999 ngay",
            "ngay",
            "31/2",
            "25/11/2026",
            "1/2/3/4",
            "/",
            "20/",
            "20/11/",
            "abc",
            "1/1/99999",
        ] {
            assert_eq!(parse(words, today), None, "{words}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_read_and_the_days_are_in_order(words in "\\PC*", offset in 0_u64..100_000) {
            let today = on(1900, 1, 1) + Count::new(offset);
            if let Some(days) = parse(&words, today) {
                proptest::prop_assert!(days.from <= days.to && days.to <= today);
            }
        }
    }
}
