//! What an officer may write before the words of an alert: for whom, and until when. Pure.
//!
//! ```text
//! khẩn đến thôn Hạ, nhóm Tổ 3, hạn 18h mai: Nước lên nhanh …
//! ```
//! The items stand before the first colon, set apart by commas. A sentence that happens to have a colon is
//! no heading: the first item decides, and it must be one of the words below.

use chrono::Days;
use chrono::NaiveDate;
use chrono::TimeDelta;

use super::words;
use crate::domain::alert::Level;
use crate::domain::clock::Time;
use crate::text::hour;

/// What is longer is no heading, in characters.
const LONGEST: usize = 300;

/// What stands before the words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Heading<'a> {
    /// The level, where it stands among the items.
    pub(super) level: Option<Level>,
    /// Names of places, platforms and groups, as they were written.
    pub(super) places: Vec<&'a str>,
    /// When it shall end, as it was written.
    pub(super) until: Option<&'a str>,
}

/// Takes the heading off; the text stays whole where none is.
pub(super) fn heading(text: &str) -> (Heading<'_>, &str) {
    let none = (Heading::default(), text);
    let Some((head, tail)) = split_at_colon(text) else {
        return none;
    };
    let mut heading = Heading::default();
    let mut named = false;
    for (number, item) in head.split([',', ';']).map(str::trim).enumerate() {
        let mut item = item;
        if number == 0
            && let Some((level, rest)) = words::leading_level(item)
        {
            heading.level = Some(level);
            item = rest;
            if item.is_empty() {
                continue;
            }
        }
        if let Some(place) = after(item, &["đến"]) {
            heading.places.extend(places(place));
            named = true;
        } else if let Some(end) = after(item, &["hết hạn", "hạn", "hết hiệu lực"]) {
            heading.until = Some(end);
        } else if named && number > 0 {
            heading.places.extend(places(item));
        } else {
            return none;
        }
    }
    if heading.places.is_empty() && heading.until.is_none() {
        // Only a level: that is read where all levels are.
        return none;
    }
    (heading, tail.trim_start())
}

/// Splits before the text's first colon that is none of an hour (`18:30`), if it stands near.
fn split_at_colon(text: &str) -> Option<(&str, &str)> {
    let mut before = None;
    for (count, (at, c)) in text.char_indices().enumerate() {
        if count > LONGEST || c == '\n' {
            return None;
        }
        if matches!(c, ':' | '：') {
            let tail = text.get(at + c.len_utf8()..)?;
            let in_an_hour = before.is_some_and(|c: char| c.is_ascii_digit())
                && tail.starts_with(|c: char| c.is_ascii_digit());
            if !in_an_hour {
                return Some((text.get(..at)?, tail));
            }
        }
        before = Some(c);
    }
    None
}

/// What follows on one of these words, however it is written.
fn after<'a>(item: &'a str, heads: &[&str]) -> Option<&'a str> {
    heads.iter().find_map(|head| {
        let mut rest = item;
        for wanted in head.split(' ') {
            let (word, tail) = words::next_word(rest)?;
            if words::plain(word) != words::plain(wanted) {
                return None;
            }
            rest = tail;
        }
        let rest = rest.trim();
        (!rest.is_empty()).then_some(rest)
    })
}

/// `thôn Hạ và thôn Thượng`.
fn places(item: &str) -> impl Iterator<Item = &str> {
    item.split(" và ")
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// Whether a name says what kind of place it is: then it is meant as one, known or not.
pub(super) fn is_a_place(name: &str) -> bool {
    const KINDS: [&str; 20] = [
        "xa", "phuong", "thon", "khu", "to", "ap", "ban", "xom", "lang", "buon", "khom", "soc",
        "nhom", "zalo", "telegram", "facebook", "dac", "moi", "toan", "ca",
    ];
    words::next_word(name).is_some_and(|(word, _)| KINDS.contains(&words::plain(word).as_str()))
}

/// A moment as people write it: `18h`, `18h30 mai`, `18h 25/11`, `7h sáng 1/12/2026`, `6 tiếng`, `2 ngày`.
/// An hour without a day is today's; whether that has passed is for the caller to see.
pub(super) fn moment(text: &str, now: Time) -> Option<Time> {
    let plain = words::plain(text).replace("ngay mai", "mai");
    if let Some(span) = span(&plain) {
        return Some(now + span);
    }
    let today = now.date_naive();
    let mut day = today;
    let mut hour_words = Vec::new();
    for word in plain.split(' ') {
        match word {
            "mai" => day = today.checked_add_days(Days::new(1))?,
            "nay" | "ngay" | "hom" | "luc" => {}
            _ if word.contains('/') => day = date(word, today)?,
            _ => hour_words.push(word),
        }
    }
    let wish = hour::parse(&hour_words.join(" "))?;
    match wish.what {
        hour::What::Daily { hour, .. } => Some(hour.on(day)),
        hour::What::Ask | hour::What::Stop => None,
    }
}

fn span(plain: &str) -> Option<TimeDelta> {
    let (number, unit) = plain.trim_end_matches(" nua").split_once(' ')?;
    let number: i64 = number.parse().ok().filter(|n| (1..=720).contains(n))?;
    match unit {
        "phut" => Some(TimeDelta::minutes(number)),
        "tieng" => Some(TimeDelta::hours(number)),
        "ngay" => Some(TimeDelta::days(number)),
        "tuan" => Some(TimeDelta::weeks(number)),
        _ => None,
    }
}

/// `25/11`, `25/11/2026`; without a year this year's.
fn date(word: &str, today: NaiveDate) -> Option<NaiveDate> {
    use chrono::Datelike as _;
    let mut parts = word.split('/');
    let day: u32 = parts.next()?.parse().ok()?;
    let month: u32 = parts.next()?.parse().ok()?;
    let year = match parts.next() {
        None => today.year(),
        Some(year) => year.parse().ok()?,
    };
    NaiveDate::from_ymd_opt(year, month, day).filter(|_| parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_unix_ms;

    #[test]
    fn a_heading_names_level_places_and_end() {
        let read = |text| {
            let (heading, rest) = heading(text);
            (heading.level, heading.places, heading.until, rest)
        };
        assert_eq!(
            read("khẩn đến thôn Hạ, nhóm Tổ 3, hạn 18:30 mai: Nước lên"),
            (
                Some(Level::Urgent),
                vec!["thôn Hạ", "nhóm Tổ 3"],
                Some("18:30 mai"),
                "Nước lên"
            )
        );
        assert_eq!(
            read("Đến thôn Hạ và thôn Thượng: họp"),
            (None, vec!["thôn Hạ", "thôn Thượng"], None, "họp")
        );
        assert_eq!(
            read("tin, hạn 2 ngày: họp thôn"),
            (Some(Level::Info), vec![], Some("2 ngày"), "họp thôn")
        );
        assert_eq!(
            read("den zalo: lừa đảo"),
            (None, vec!["zalo"], None, "lừa đảo")
        );
        for text in [
            "khẩn: cháy",
            "Cảnh báo: giả danh",
            "tin giả: đừng tin",
            "Có kẻ gọi điện, nói: nộp tiền",
            "đến: ",
            "nước lên lúc 18:30",
            "",
            "dòng một\nđến thôn Hạ: x",
        ] {
            assert_eq!(read(text), (None, vec![], None, text), "{text}");
        }
    }

    #[test]
    fn an_end_is_read_as_people_write_it() {
        // 24 November 2026, 15:05 in Viet Nam.
        let now = from_unix_ms(1_795_507_500_000);
        for (text, wanted) in [
            ("18h", Some("2026-11-24 18:00")),
            ("6h chiều", Some("2026-11-24 18:00")),
            ("18h30 mai", Some("2026-11-25 18:30")),
            ("18:30 ngày mai", Some("2026-11-25 18:30")),
            ("18h ngày 25/11", Some("2026-11-25 18:00")),
            ("7h 1/1/2027", Some("2027-01-01 07:00")),
            ("6 tiếng", Some("2026-11-24 21:05")),
            ("2 ngày nữa", Some("2026-11-26 15:05")),
            ("14h", Some("2026-11-24 14:00")),
            ("31/2", None),
            ("18h 32/1", None),
            ("lúc nào cũng được", None),
            ("", None),
        ] {
            let read = moment(text, now).map(|at| at.format("%Y-%m-%d %H:%M").to_string());
            assert_eq!(read.as_deref(), wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_read(text in "\\PC*") {
            let (_, rest) = heading(&text);
            proptest::prop_assert!(text.ends_with(rest));
            let _ = (moment(&text, from_unix_ms(0)), is_a_place(&text));
        }
    }
}
