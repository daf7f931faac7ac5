//! Reading what is written behind a command: codes, levels, names. Pure.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::alert::Level;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::ids::CheckCode;
use crate::domain::ids::IncidentId;

/// Text as it is compared: small letters without marks, one blank between words.
pub(crate) fn plain(text: &str) -> String {
    let folded: String = text
        .nfkd()
        .filter(|&c| !is_combining_mark(c) && !is_invisible(c))
        .flat_map(char::to_lowercase)
        .map(|c| if c == 'đ' { 'd' } else { c })
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// Whether a text says anything at all.
pub(crate) fn says_nothing(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// A short answer to "shall it be sent?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum YesNo {
    /// Send it.
    Yes,
    /// Throw it away.
    No,
}

/// `OK`, `đồng ý`; `huỷ`. Anything longer is no answer: an alert is never sent by mistake.
pub(crate) fn yes_or_no(text: &str) -> Option<YesNo> {
    let word = plain(text);
    match word.trim_end_matches(['.', '!', ' ', ',']) {
        "ok" | "oke" | "okay" | "dong y" => Some(YesNo::Yes),
        "huy" | "huy bo" => Some(YesNo::No),
        _ => None,
    }
}

/// `đã đăng`, `đăng rồi`: the words are where they were to be posted.
pub(crate) fn says_posted(text: &str) -> bool {
    let words = plain(text);
    let words = words.trim_end_matches(['.', '!', ' ', ',']);
    let words = words.strip_suffix(" a").unwrap_or(words);
    matches!(words, "da dang" | "dang roi" | "da dang roi")
}

/// The level a text names in front, and the words that remain.
///
/// `tin:` and `khẩn:` are levels and leave the text; `khẩn cấp:` is a level and also part of the
/// words. The words `khẩn` and `tin` alone are levels, too, unless the next word makes another word of
/// them: `tin giả …`, `khẩn trương …` are sentences.
pub(crate) fn level(text: &str) -> (Level, &str) {
    let text = text.trim();
    let head = text
        .split_once([':', '：'])
        .filter(|(head, _)| head.len() <= 32);
    if let Some((head, tail)) = head {
        match plain(head).as_str() {
            "tin" => return (Level::Info, tail.trim_start()),
            "khan" => return (Level::Urgent, tail.trim_start()),
            "khan cap" => return (Level::Urgent, text),
            _ => {}
        }
    }
    leading_level(text).unwrap_or((Level::Warning, text))
}

/// The level that the first word names, and what follows it; `khẩn cấp` stays part of the words.
pub(crate) fn leading_level(text: &str) -> Option<(Level, &str)> {
    let (first, rest) = next_word(text)?;
    let next = next_word(rest).map_or_else(String::new, |(word, _)| {
        plain(word.trim_matches(|c: char| !c.is_alphanumeric()))
    });
    match plain(first).as_str() {
        "khan" if next == "cap" => Some((Level::Urgent, text)),
        // khẩn trương, khẩn thiết, khẩn cầu, khẩn khoản; khan hiếm, khán giả.
        "khan" if ["truong", "thiet", "cau", "khoan", "hiem", "gia"].contains(&next.as_str()) => {
            None
        }
        "khan" => Some((Level::Urgent, rest.trim_start())),
        "tin" if NEWS.contains(&next.as_str()) => None,
        "tin" => Some((Level::Info, rest.trim_start())),
        _ => None,
    }
}

/// What makes another word of `tin`: tin giả, tin đồn, tin nhắn, tin lời …
const NEWS: [&str; 22] = [
    "gia", "don", "nhan", "bao", "tuc", "tuong", "rang", "vao", "loi", "la", "ai", "nguoi", "theo",
    "xau", "that", "sai", "dung", "cay", "cho", "dua", "dang", "moi",
];

/// Whether a text has no word at all: only signs and pictures.
pub(crate) fn has_no_words(text: &str) -> bool {
    !text.chars().any(char::is_alphanumeric)
}

/// The check code in front and what follows it: `7F3A9K nước đã rút`, `mã 7f3a9k: …`.
pub(crate) fn code_and_words(text: &str) -> Option<(CheckCode, &str)> {
    let (first, tail) = next_word(text)?;
    let (word, tail) = if matches!(plain(first).trim_end_matches(':'), "ma" | "so") {
        next_word(tail)?
    } else {
        (first, tail)
    };
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    Some((CheckCode::parse(bare)?, unlead(tail)))
}

/// Whether somebody typed a code with a letter or digit that no code has: a misreading, not a forgery.
pub(crate) fn is_mistyped_code(text: &str) -> bool {
    let bare = match next_word(text) {
        Some((word, code)) if plain(word) == "ma" => code,
        _ => text,
    };
    let word: String = bare.chars().filter(|c| c.is_alphanumeric()).collect();
    word.len() == CheckCode::LENGTH
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && CheckCode::parse(&word).is_none()
}

/// The check code somewhere in the words: `7f3a9k`, `mã 7F3A9K`.
pub(crate) fn check_code(text: &str) -> Option<CheckCode> {
    let bare = match next_word(text) {
        Some((word, code)) if plain(word) == "ma" => code,
        _ => text,
    };
    CheckCode::parse(bare).or_else(|| {
        text.split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
            .find_map(CheckCode::parse)
    })
}

/// The case code in front, and what follows it: `1204 đã xong`, `mã 1204: đã xong`, `#1204`.
pub(crate) fn case_code(text: &str) -> Option<(IncidentId, &str)> {
    let (first, tail) = next_word(text)?;
    if first.chars().any(|c| c.is_ascii_digit()) {
        return Some((IncidentId::parse(first)?, unlead(tail)));
    }
    if !matches!(plain(first).as_str(), "ma" | "vu" | "tin" | "ma:" | "so") {
        return None;
    }
    let (second, tail) = next_word(tail)?;
    Some((IncidentId::parse(second)?, unlead(tail)))
}

/// The two case codes of a merge: `1204 vào 1198`, `1204 1198`.
pub(crate) fn two_case_codes(text: &str) -> Option<(IncidentId, IncidentId)> {
    let (first, tail) = case_code(text)?;
    let tail = match next_word(tail) {
        Some((word, rest)) if plain(word) == "vao" => rest,
        _ => tail,
    };
    let (second, _) = case_code(tail)?;
    Some((first, second))
}

fn unlead(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '-' | '–' | '.'))
        .trim_end()
}

pub(crate) fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, tail) = text.split_at_checked(end)?;
    (!word.is_empty()).then_some((word, tail))
}

/// What a name of an area was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// Exactly one area.
    One(AreaId),
    /// Several fit.
    Several(Vec<AreaId>),
    /// None.
    Nothing,
}

/// The area inside `within` that people call so: a slug, a whole id, a title with or without its
/// kind (`thôn Tân Trúc Tùng`, `Tân Trúc Tùng`), with or without marks.
pub(crate) fn area_named(areas: &AreaBook, within: &AreaId, name: &str) -> Named {
    let wanted = plain(name);
    if wanted.is_empty() {
        return Named::Nothing;
    }
    let whole = plain(&areas.title(within));
    if wanted == whole
        || wanted == within.as_str()
        || (within.village().is_none()
            && matches!(wanted.as_str(), "xa" | "phuong" | "ca xa" | "ca phuong"))
    {
        return Named::One(within.clone());
    }
    let mut found: Vec<AreaId> = areas
        .spoken()
        .filter(|(id, _)| within.contains(id))
        .filter(|(id, title)| {
            let title = plain(title);
            wanted == id.as_str()
                || id.village() == Some(wanted.as_str())
                || id
                    .village()
                    .is_some_and(|slug| slug.replace('-', " ") == wanted)
                || wanted == title
                || without_kind(&title).is_some_and(|bare| bare == wanted)
                || without_kind(&wanted).is_some_and(|bare| bare == title)
        })
        .map(|(id, _)| id.clone())
        .collect();
    found.sort();
    found.dedup();
    match found.len() {
        0 => Named::Nothing,
        1 => found.pop().map_or(Named::Nothing, Named::One),
        _ => Named::Several(found),
    }
}

/// A folded title without the word for its kind; none where only a number would remain.
fn without_kind(title: &str) -> Option<&str> {
    const KINDS: [&str; 12] = [
        "to dan pho",
        "khu pho",
        "thon",
        "khu",
        "to",
        "ap",
        "ban",
        "xom",
        "lang",
        "buon",
        "khom",
        "soc",
    ];
    let bare = KINDS
        .iter()
        .find_map(|kind| title.strip_prefix(kind)?.strip_prefix(' '))?;
    bare.chars().any(char::is_alphabetic).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_yes_is_a_yes() {
        for text in [
            "OK",
            "ok",
            "Ok.",
            " đồng ý ",
            "ĐỒNG Ý!",
            "dong y",
            "o\u{200B}k",
        ] {
            assert_eq!(yes_or_no(text), Some(YesNo::Yes), "{text}");
        }
        for text in ["huỷ", "Hủy", "huy bo"] {
            assert_eq!(yes_or_no(text), Some(YesNo::No), "{text}");
        }
        for text in ["", "ok nhưng sửa lại", "không ok", "đồng ý không?", "okok"] {
            assert_eq!(yes_or_no(text), None, "{text}");
        }
    }

    #[test]
    fn a_level_is_named_with_a_colon() {
        for (text, wanted) in [
            ("tin: họp thôn", (Level::Info, "họp thôn")),
            ("TIN： họp thôn", (Level::Info, "họp thôn")),
            ("Khẩn:\ncháy chợ", (Level::Urgent, "cháy chợ")),
            ("khan: cháy", (Level::Urgent, "cháy")),
            ("Khẩn cấp: cháy", (Level::Urgent, "Khẩn cấp: cháy")),
            ("tin giả: đừng tin", (Level::Warning, "tin giả: đừng tin")),
            (
                "tin giả lan trên mạng",
                (Level::Warning, "tin giả lan trên mạng"),
            ),
            ("Cảnh báo: giả danh", (Level::Warning, "Cảnh báo: giả danh")),
            ("", (Level::Warning, "")),
            ("khẩn:", (Level::Urgent, "")),
            ("khẩn Cháy chợ", (Level::Urgent, "Cháy chợ")),
            ("KHẨN", (Level::Urgent, "")),
            ("khan chay cho", (Level::Urgent, "chay cho")),
            ("Khẩn cấp sơ tán", (Level::Urgent, "Khẩn cấp sơ tán")),
            ("Khẩn trương sơ tán", (Level::Warning, "Khẩn trương sơ tán")),
            ("khan hiếm nước", (Level::Warning, "khan hiếm nước")),
            ("tin Họp thôn 19h", (Level::Info, "Họp thôn 19h")),
            ("tin nhắn lạ", (Level::Warning, "tin nhắn lạ")),
            ("Nước lên: 18:30", (Level::Warning, "Nước lên: 18:30")),
        ] {
            assert_eq!(level(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_check_code_stands_in_front_of_a_change() {
        let read = |text| {
            code_and_words(text).map(|(code, words)| (code.as_str().to_owned(), words.to_owned()))
        };
        let wanted = Some(("7F3A9K".to_owned(), "nước đã rút".to_owned()));
        for text in [
            "7F3A9K nước đã rút",
            "7f3a9k: nước đã rút",
            "mã 7f3a9k, nước đã rút",
            "[7F3A9K] nước đã rút ",
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
        assert_eq!(read("nước đã rút"), None);
        assert_eq!(read(""), None);
        for text in ["7F3A9O", "mã 7f3a0k", "7 F 3 A 1 K"] {
            assert!(is_mistyped_code(text), "{text}");
        }
        for text in ["7F3A9K", "7F3A", "Đ7F3A9", ""] {
            assert!(!is_mistyped_code(text), "{text}");
        }
        assert!(has_no_words("🔥🔥") && has_no_words("!?") && !has_no_words("🔥 cháy"));
    }

    #[test]
    fn a_case_code_stands_in_front() {
        for (text, wanted) in [
            ("1204", Some((1204, ""))),
            ("#1204 đã xong", Some((1204, "đã xong"))),
            ("mã 1204: trả xe\ncho chủ", Some((1204, "trả xe\ncho chủ"))),
            ("1204 - 2 người hoà giải", Some((1204, "2 người hoà giải"))),
            ("đã xong 1204", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(
                case_code(text),
                wanted.map(|(id, rest)| (IncidentId(id), rest)),
                "{text}"
            );
        }
        for text in [
            "1204 vào 1198",
            "1204 VAO 1198",
            "#1204 #1198",
            "vụ 1204 vào vụ 1198",
        ] {
            assert_eq!(
                two_case_codes(text),
                Some((IncidentId(1204), IncidentId(1198))),
                "{text}"
            );
        }
        assert_eq!(two_case_codes("1204"), None);
    }

    #[test]
    fn a_village_is_found_as_people_call_it() {
        let mut areas = AreaBook::default();
        let area = |raw: &str| AreaId::parse(raw).unwrap();
        areas.name(area("06862"), "Xã Quảng Ninh");
        areas.name(area("06862/tan-truc-tung"), "thôn Tân Trúc Tùng");
        areas.alias(area("06862/tan-truc-tung"), "xóm Lò Gạch");
        areas.name(area("06862/khu-7"), "Khu 7");
        areas.name(area("06863/khu-7"), "Khu 7");
        let within = area("06862");
        for name in [
            "tan-truc-tung",
            "Tân Trúc Tùng",
            "THÔN TÂN TRÚC TÙNG",
            "06862/tan-truc-tung",
            "tan truc tung",
            "xóm lò gạch",
            "Lò Gạch",
        ] {
            assert_eq!(
                area_named(&areas, &within, name),
                Named::One(area("06862/tan-truc-tung")),
                "{name}"
            );
        }
        assert_eq!(
            area_named(&areas, &within, "khu 7"),
            Named::One(area("06862/khu-7"))
        );
        assert_eq!(area_named(&areas, &within, "7"), Named::Nothing);
        assert_eq!(
            area_named(&areas, &within, "xã Quảng Ninh"),
            Named::One(area("06862"))
        );
        assert_eq!(
            area_named(&areas, &area("06862/khu-7"), "Tân Trúc Tùng"),
            Named::Nothing
        );
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_read(text in "\\PC*") {
            let _ = (yes_or_no(&text), level(&text), check_code(&text), case_code(&text), two_case_codes(&text));
        }
    }
}
