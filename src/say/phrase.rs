//! Small parts that many sentences share: hours, days, names of places, clipped words.

use chrono::Datelike;
use chrono::NaiveDate;
use chrono::TimeDelta;
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::appointment::Hour;
use crate::domain::clock::Time;

/// `15:05 ngày 24/11/2026`.
#[must_use]
pub fn moment(at: Time) -> String {
    at.format("%H:%M ngày %d/%m/%Y").to_string()
}

/// `15:05`, with the day when it is not today, and the year when it is not this year.
#[must_use]
pub fn moment_seen_from(at: Time, now: Time) -> String {
    if at.date_naive() == now.date_naive() {
        at.format("%H:%M").to_string()
    } else if at.year() == now.year() {
        at.format("%H:%M ngày %d/%m").to_string()
    } else {
        moment(at)
    }
}

/// `24/11`, or `24/11/2025` when the year is not the one of `now`.
#[must_use]
pub fn day(date: NaiveDate, now: Time) -> String {
    if date.year() == now.year() {
        date.format("%d/%m").to_string()
    } else {
        date.format("%d/%m/%Y").to_string()
    }
}

/// An hour as it is said aloud: `6 giờ chiều`, `6 giờ 30 sáng`, `12 giờ đêm`.
#[must_use]
pub fn hour(hour: Hour) -> String {
    let (hour, minute) = hour.on_the_clock();
    let (said, part) = match hour {
        0 => (12, "đêm"),
        1..=3 => (hour, "đêm"),
        4..=10 => (hour, "sáng"),
        11..=12 => (hour, "trưa"),
        13..=18 => (hour - 12, "chiều"),
        19..=21 => (hour - 12, "tối"),
        _ => (hour - 12, "đêm"),
    };
    match minute {
        0 => format!("{said} giờ {part}"),
        _ => format!("{said} giờ {minute:02} {part}"),
    }
}

/// How long something has lasted, in its largest unit: `5 phút`, `3 giờ`, `2 ngày`.
#[must_use]
pub fn lasting(time: TimeDelta) -> String {
    let minutes = time.num_minutes().max(0);
    match minutes {
        0..60 => format!("{} phút", minutes.max(1)),
        60..2880 => format!("{} giờ", minutes / 60),
        _ => format!("{} ngày", minutes / 1440),
    }
}

/// A place's title as it stands inside a sentence: `Phường Móng Cái 1` becomes `phường Móng Cái 1`.
#[must_use]
pub fn inside(title: &str) -> String {
    const KINDS: [&str; 16] = [
        "Phường",
        "Xã",
        "Đặc",
        "Thị",
        "Thôn",
        "Khu",
        "Tổ",
        "Ấp",
        "Bản",
        "Xóm",
        "Làng",
        "Buôn",
        "Khóm",
        "Bon",
        "Sóc",
        "Phum",
    ];
    let kind = title.split_whitespace().next().unwrap_or_default();
    let mut letters = title.chars();
    match letters.next() {
        Some(first) if KINDS.contains(&kind) => first.to_lowercase().chain(letters).collect(),
        _ => title.to_owned(),
    }
}

/// The first line with something on it, at most `most` letters as people see them.
#[must_use]
pub fn first_line(text: &str, most: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    clip(line.unwrap_or_default(), most)
}

/// At most `most` letters as people see them; what is cut shows as `…`.
#[must_use]
pub fn clip(text: &str, most: usize) -> String {
    match text.grapheme_indices(true).nth(most) {
        None => text.to_owned(),
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            format!("{}…", kept.trim_end())
        }
    }
}

/// A room's name on one line; it was chosen by its members and may hold anything.
#[must_use]
pub fn room(title: &str) -> String {
    let plain: String = title
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'))
        .collect();
    let name = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        "nhóm chưa có tên".to_owned()
    } else {
        clip(&name, 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_small_inside_a_sentence() {
        for (title, said) in [
            ("Phường Móng Cái 1", "phường Móng Cái 1"),
            ("Đặc khu Vân Đồn", "đặc khu Vân Đồn"),
            ("thôn Tân Trúc Tùng", "thôn Tân Trúc Tùng"),
            ("Tân Trúc Tùng", "Tân Trúc Tùng"),
            ("", ""),
        ] {
            assert_eq!(inside(title), said);
        }
    }

    #[test]
    fn words_are_clipped_between_letters() {
        assert_eq!(clip("Đường", 3), "Đườ…");
        assert_eq!(clip("a\u{301}b", 1), "a\u{301}…");
        assert_eq!(first_line("\n  \n Có trộm \n nữa", 80), "Có trộm");
        assert_eq!(room(" Tổ\n5 \u{202E}abc"), "Tổ 5 abc");
        assert_eq!(room("\u{200B}"), "nhóm chưa có tên");
    }

    #[test]
    fn an_hour_is_said_as_people_say_it() {
        for (at, said) in [
            (0, "12 giờ đêm"),
            (5, "12 giờ 05 đêm"),
            (180, "3 giờ đêm"),
            (360, "6 giờ sáng"),
            (705, "11 giờ 45 trưa"),
            (720, "12 giờ trưa"),
            (780, "1 giờ chiều"),
            (1080, "6 giờ chiều"),
            (1110, "6 giờ 30 chiều"),
            (1140, "7 giờ tối"),
            (1320, "10 giờ đêm"),
            (1439, "11 giờ 59 đêm"),
        ] {
            assert_eq!(hour(Hour::from_minutes(at).unwrap()), said);
        }
    }

    #[test]
    fn a_duration_is_told_in_its_largest_unit() {
        for (minutes, said) in [
            (-5, "1 phút"),
            (59, "59 phút"),
            (60, "1 giờ"),
            (2879, "47 giờ"),
            (2880, "2 ngày"),
        ] {
            assert_eq!(lasting(TimeDelta::minutes(minutes)), said);
        }
    }
}
