//! An hour of every day, as somebody says it to the bot behind "hẹn". Pure.
//!
//! | said | means |
//! | --- | --- |
//! | `18h`, `18h30`, `18:30`, `18.30`, `18 giờ 30`, `18` | that hour |
//! | `6h chiều`, `6 giờ 30 tối`, `sáu rưỡi chiều`, `tối 7h`, `6pm` | after noon |
//! | `hàng ngày lúc 18h`, `mỗi tối 7h`, `đổi sang 19h nhé` | the same, with company |
//! | `18h vào nhóm` | that hour, in the group |
//! | nothing, `nhóm` | what is set? |
//! | `thôi`, `tắt`, `huỷ`, `thôi không gửi nữa` | no more |
//! | `25h`, `6h và 18h`, `18h thứ hai`, `3 người ở chợ` | nothing that is understood |
//!
//! ```
//! use keng::text::hour::{What, parse};
//! let wish = parse("hàng ngày lúc 6h chiều").unwrap();
//! assert!(matches!(wish.what, What::Daily { hour, .. } if hour.on_the_clock() == (18, 0)));
//! ```

use crate::domain::appointment::Hour;
use crate::text::fold::fold;

/// What is longer is no hour, in characters.
const LONGEST: usize = 80;

/// What somebody wants of the daily digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// What.
    pub what: What,
    /// Where they named the place.
    pub place: Place,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// To hear what is set.
    Ask,
    /// The digest, every day.
    Daily {
        /// At this hour.
        hour: Hour,
        /// Whether it can be no other.
        half: Half,
    },
    /// No digest any more.
    Stop,
}

/// Which half of the day an hour lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// It was said, or follows.
    Sure,
    /// `6h` alone is taken as six in the morning, but may have meant six in the evening.
    Guessed,
}

/// Where the digest should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing was said of it.
    Unsaid,
    /// Into the group.
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Morning,
    Noon,
    Afternoon,
    Evening,
    Night,
    /// `pm`
    AfterNoon,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// The number, and whether it was written with a nought in front.
    Number(u16, bool),
    Word(String),
    Sign(char),
}

/// Reads the words behind the command; `None` when they are not understood as a whole.
#[must_use]
pub fn parse(text: &str) -> Option<Wish> {
    if text.chars().nth(LONGEST).is_some() {
        return None;
    }
    let mut tokens = tokens(&fold(text))?;
    let place = take_place(&mut tokens);
    let what = if tokens.is_empty() {
        What::Ask
    } else if is_stop(&tokens) {
        What::Stop
    } else {
        daily(tokens)?
    };
    Some(Wish { what, place })
}

fn tokens(folded: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = folded.trim_end_matches(|c: char| c.is_whitespace() || "!?.,".contains(c));
    while let Some(first) = rest.chars().next() {
        let same: fn(char) -> bool = match first {
            '0'..='9' => |c| c.is_ascii_digit(),
            'a'..='z' => |c| c.is_ascii_lowercase(),
            _ => |_| false,
        };
        let length = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (run, tail) = rest.split_at_checked(length.max(first.len_utf8()))?;
        rest = tail;
        match first {
            '0'..='9' => {
                let fits = run.len() <= 2;
                found.push(Token::Number(
                    run.parse().ok().filter(|_| fits)?,
                    run.starts_with('0'),
                ));
            }
            'a'..='z' => found.push(Token::Word(run.to_owned())),
            c if c.is_whitespace() || c == ',' => {}
            c => found.push(Token::Sign(c)),
        }
    }
    Some(found)
}

fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => Some(word),
        Token::Number(..) | Token::Sign(_) => None,
    }
}

/// Takes `vào nhóm`, `trong nhóm này` out.
fn take_place(tokens: &mut Vec<Token>) -> Place {
    let Some(at) = tokens.iter().position(|token| word(token) == Some("nhom")) else {
        return Place::Unsaid;
    };
    let is = |at: usize, words: &[&str]| {
        tokens
            .get(at)
            .and_then(word)
            .is_some_and(|word| words.contains(&word))
    };
    let from = match at.checked_sub(1) {
        Some(before) if is(before, &["vao", "trong", "o", "cho", "len", "tai"]) => before,
        _ => at,
    };
    let to = at + 1 + usize::from(is(at + 1, &["nay"]));
    tokens.drain(from..to);
    Place::Group
}

fn is_stop(tokens: &[Token]) -> bool {
    const STOP: [&str; 9] = [
        "thoi", "tat", "huy", "bo", "dung", "ngung", "khong", "stop", "off",
    ];
    const COMPANY: [&str; 11] = [
        "gui", "nua", "hen", "nhe", "nha", "di", "a", "lich", "gio", "bao", "can",
    ];
    let words: Option<Vec<&str>> = tokens.iter().map(word).collect();
    words.is_some_and(|words| {
        words.iter().any(|word| STOP.contains(word))
            && words
                .iter()
                .all(|word| STOP.contains(word) || COMPANY.contains(word))
    })
}

fn daily(tokens: Vec<Token>) -> Option<What> {
    let (tokens, part) = without_company(tokens)?;
    let tokens = in_digits(tokens);
    let ((hour, nought), minutes) = clock(&tokens)?;
    let on_clock = in_day(hour, part)?;
    let day = 24 * 60;
    let minutes = match minutes {
        Minutes::After(minutes) if hour == 24 && minutes > 0 => return None,
        Minutes::After(minutes) => on_clock * 60 + minutes,
        Minutes::Before(minutes) => (on_clock * 60 + day - minutes) % day,
    };
    let half = if part.is_none() && !nought && (1..12).contains(&hour) {
        Half::Guessed
    } else {
        Half::Sure
    };
    let hour = Hour::from_minutes(minutes)?;
    Some(What::Daily { hour, half })
}

/// Takes the words out that say nothing of the hour, and the part of the day.
fn without_company(tokens: Vec<Token>) -> Option<(Vec<Token>, Option<Part>)> {
    const COMPANY: [&str; 35] = [
        "hang", "moi", "ngay", "luc", "vao", "cu", "deu", "gui", "cho", "nhac", "bao", "buoi",
        "ban", "dung", "khoang", "a", "nhe", "nha", "di", "giup", "em", "anh", "chi", "bac",
        "minh", "voi", "doi", "chuyen", "lai", "thanh", "qua", "hen", "xin", "tinh", "tong",
    ];
    let mut kept: Vec<Token> = Vec::new();
    let mut part = None;
    let mut before = String::new();
    for token in tokens {
        let Token::Word(word) = &token else {
            before.clear();
            kept.push(token);
            continue;
        };
        let named = match (before.as_str(), word.as_str()) {
            // Without marks "tôi" looks like "tối", and "sang" like "sáng".
            ("cho" | "gui" | "nhac" | "bao", "toi")
            | ("doi" | "chuyen" | "qua", "sang")
            | ("tong", "hop") => {
                before.clone_from(word);
                continue;
            }
            (_, "sang" | "am") => Some(Part::Morning),
            (_, "trua") => Some(Part::Noon),
            (_, "chieu") => Some(Part::Afternoon),
            (_, "toi") => Some(Part::Evening),
            (_, "dem" | "khuya") => Some(Part::Night),
            (_, "pm") => Some(Part::AfterNoon),
            _ => None,
        };
        let is_lead = kept.is_empty() && word == "gio";
        match named {
            Some(_) if part.is_some() => return None,
            Some(_) => part = named,
            None if is_lead || COMPANY.contains(&word.as_str()) => {}
            None => {
                before.clone_from(word);
                kept.push(token);
                continue;
            }
        }
        if let Token::Word(word) = token {
            before = word;
        }
    }
    Some((kept, part))
}

/// `sáu giờ`, `mười một rưỡi`: the hour in digits.
fn in_digits(mut tokens: Vec<Token>) -> Vec<Token> {
    const NUMBERS: [(&str, u16); 12] = [
        ("mot", 1),
        ("hai", 2),
        ("ba", 3),
        ("bon", 4),
        ("tu", 4),
        ("nam", 5),
        ("sau", 6),
        ("bay", 7),
        ("tam", 8),
        ("chin", 9),
        ("muoi", 10),
        ("khong", 0),
    ];
    let number = |at: usize| {
        let word = tokens.get(at).and_then(word)?;
        NUMBERS
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, number)| *number)
    };
    match (number(0), number(1)) {
        (Some(10), Some(more @ 1..=2)) => {
            tokens.splice(..2, [Token::Number(10 + more, false)]);
        }
        (Some(hour), None) => {
            tokens.splice(..1, [Token::Number(hour, false)]);
        }
        _ => {}
    }
    tokens
}

#[derive(Debug, Clone, Copy)]
enum Minutes {
    After(u16),
    Before(u16),
}

/// The hour with whether it has a nought in front, and the minutes after or before it.
fn clock(tokens: &[Token]) -> Option<((u16, bool), Minutes)> {
    let (Token::Number(hour, nought), mut rest) = tokens.split_first()? else {
        return None;
    };
    let hour = (*hour, *nought);
    let mut is_marked = false;
    match rest.split_first() {
        Some((Token::Sign(':' | '.'), tail)) if !tail.is_empty() => {
            (rest, is_marked) = (tail, true);
        }
        Some((Token::Word(unit), tail)) if matches!(unit.as_str(), "h" | "g" | "gio") => {
            (rest, is_marked) = (tail, true);
        }
        _ => {}
    }
    if let Some((Token::Word(unit), front)) = rest.split_last()
        && matches!(unit.as_str(), "p" | "ph" | "phut")
        && !front.is_empty()
    {
        rest = front;
    }
    let minutes = match rest {
        [] => Minutes::After(0),
        [Token::Word(half)] if half == "ruoi" => Minutes::After(30),
        [Token::Number(minutes @ 0..60, _)] if is_marked => Minutes::After(*minutes),
        [Token::Word(less), Token::Number(minutes @ 1..60, _)] if less == "kem" => {
            Minutes::Before(*minutes)
        }
        _ => return None,
    };
    Some((hour, minutes))
}

/// The hour on a clock of 24 hours; none for an hour that this part of the day does not have.
fn in_day(hour: u16, part: Option<Part>) -> Option<u16> {
    let on_clock = match (part, hour) {
        (None, 0..24) | (Some(Part::Morning), 0..12) => hour,
        (None | Some(Part::Evening | Part::Night), 24) => 0,
        (Some(Part::Noon), 10..15) => hour,
        (Some(Part::Noon), 1..=2) => hour + 12,
        (Some(Part::Afternoon), 1..=7) => hour + 12,
        (Some(Part::Afternoon), 12..20) => hour,
        (Some(Part::Evening), 5..12) => hour + 12,
        (Some(Part::Evening), 17..24) => hour,
        (Some(Part::Night), 8..12) => hour + 12,
        (Some(Part::Night), 0..5 | 20..24) => hour,
        (Some(Part::Evening | Part::Night), 12) => 0,
        (Some(Part::AfterNoon), 1..12) => hour + 12,
        (Some(Part::AfterNoon), 12..24) => hour,
        _ => return None,
    };
    Some(on_clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let Some(wish) = parse(text) else {
            return "?".to_owned();
        };
        let what = match wish.what {
            What::Ask => "ask".to_owned(),
            What::Stop => "stop".to_owned(),
            What::Daily { hour, half } => {
                let (hour, minute) = hour.on_the_clock();
                let guessed = if half == Half::Guessed { "~" } else { "" };
                format!("{guessed}{hour}:{minute:02}")
            }
        };
        match wish.place {
            Place::Unsaid => what,
            Place::Group => format!("{what} group"),
        }
    }

    #[test]
    fn hours_are_read_as_people_say_them() {
        for (text, wanted) in [
            ("18h", "18:00"),
            ("18H", "18:00"),
            ("18 h", "18:00"),
            ("18h30", "18:30"),
            ("18:30", "18:30"),
            ("18.30", "18:30"),
            ("18 : 30", "18:30"),
            ("18h30p", "18:30"),
            ("18 giờ 30 phút", "18:30"),
            ("18 gio 30", "18:30"),
            ("18g05", "18:05"),
            ("18", "18:00"),
            ("18h.", "18:00"),
            ("１８ｈ", "18:00"),
            ("0h", "0:00"),
            ("00:00", "0:00"),
            ("24h", "0:00"),
            ("23:59", "23:59"),
            ("6h", "~6:00"),
            ("06:00", "6:00"),
            ("11h45", "~11:45"),
            ("12h", "12:00"),
            ("6h chiều", "18:00"),
            ("6h chieu", "18:00"),
            ("6 giờ 30 chiều", "18:30"),
            ("6h30 tối", "18:30"),
            ("7 giờ tối", "19:00"),
            ("7h toi", "19:00"),
            ("tối 7h", "19:00"),
            ("chiều 5 giờ", "17:00"),
            ("6h sáng", "6:00"),
            ("11h trưa", "11:00"),
            ("1h trưa", "13:00"),
            ("12 giờ đêm", "0:00"),
            ("10h đêm", "22:00"),
            ("2h đêm", "2:00"),
            ("18h chiều", "18:00"),
            ("20h tối", "20:00"),
            ("6pm", "18:00"),
            ("6:30 PM", "18:30"),
            ("7am", "7:00"),
            ("sáu giờ chiều", "18:00"),
            ("mười một giờ trưa", "11:00"),
            ("mười giờ", "~10:00"),
            ("sáu rưỡi chiều", "18:30"),
            ("6 rưỡi tối", "18:30"),
            ("6h rưỡi", "~6:30"),
            ("7 giờ kém 15 tối", "18:45"),
            ("12 giờ đêm kém 5", "23:55"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn an_hour_may_have_company() {
        for (text, wanted) in [
            ("hàng ngày lúc 18h", "18:00"),
            ("hằng ngày, 18h", "18:00"),
            ("18h hàng ngày", "18:00"),
            ("mỗi ngày lúc 6h chiều nhé", "18:00"),
            ("mỗi tối 7h", "19:00"),
            ("7h mỗi tối", "19:00"),
            ("vào lúc 18 giờ ạ", "18:00"),
            ("giờ 18h", "18:00"),
            ("đổi sang 19h", "19:00"),
            ("đổi lại thành 6h sáng", "6:00"),
            ("doi sang 6h sang", "6:00"),
            ("gửi cho tôi lúc 18h", "18:00"),
            ("gui cho toi luc 7h toi", "19:00"),
            ("đúng 18h", "18:00"),
            ("tổng hợp lúc 18h", "18:00"),
            ("18h vào nhóm", "18:00 group"),
            ("18h trong nhóm này", "18:00 group"),
            ("cho nhóm lúc 6h chiều", "18:00 group"),
            ("nhóm 18h", "18:00 group"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn asking_and_ending_are_told_apart() {
        for (text, wanted) in [
            ("", "ask"),
            ("  ", "ask"),
            ("?", "ask"),
            ("\u{202e}\0", "ask"),
            ("nhóm", "ask group"),
            ("thôi", "stop"),
            ("Thôi.", "stop"),
            ("tắt", "stop"),
            ("huỷ", "stop"),
            ("hủy", "stop"),
            ("HUY", "stop"),
            ("bỏ hẹn", "stop"),
            ("dừng gửi", "stop"),
            ("thôi không gửi nữa nhé", "stop"),
            ("thôi vào nhóm", "stop group"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_hour_of_every_day_is_not_understood() {
        for text in [
            "25h",
            "24h30",
            "18h60",
            "18:",
            "18:5:3",
            "180h",
            "13h sáng",
            "3h chiều tối",
            "6h và 18h",
            "6h 18h",
            "18h thứ hai",
            "18h ngày mai",
            "20/11",
            "18h 20/11",
            "-6h",
            "hàng ngày",
            "mấy giờ cũng được",
            "3 người ở chợ",
            "5h chiều ra cầu đánh nhau",
            "gặp nhau ở cổng chợ",
            "họp 18h",
            "thôi đừng đánh nhau",
            "99999999999999999999h",
        ] {
            assert_eq!(read(text), "?", "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_read(text in "\\PC*", hour in 0_u16..24, minute in 0_u16..60) {
            let _ = parse(&text);
            let read = parse(&format!("{hour:02}:{minute:02}")).map(|wish| wish.what);
            let half = if (10..12).contains(&hour) { Half::Guessed } else { Half::Sure };
            let hour = Hour::from_minutes(hour * 60 + minute).unwrap();
            proptest::prop_assert_eq!(read, Some(What::Daily { hour, half }));
        }
    }
}
