//! An alert as the commune's loudspeakers say it: plain sentences, under a minute, nothing that cannot be
//! read aloud.
//!
//! | in the message | aloud |
//! | --- | --- |
//! | `gọi 113` | gọi một một ba |
//! | `0912.345.678` | không chín một hai, ba bốn năm, sáu bảy tám |
//! | `https://…`, `vi-du.vn` | đường dẫn trong tin nhắn |
//! | `15:07`, `15h30` | 15 giờ 7 phút, 15 giờ 30 phút |
//! | `24/11/2026` | 24 tháng 11 năm 2026 |
//! | `OTP`, `VNeID` | ô tê pê, vi-en-i-đi |
//! | `👉`, `•` | – |

use super::alert::issuer;
use super::card::parts;
use super::phrase::moment;
use crate::domain::alert::Alert;
use crate::domain::alert::Level;
use crate::domain::alert::Version;
use crate::domain::alert::VersionKind;

/// Syllables a second. In conversation 5.25 (Coupé, Oh, Dediu and Pellegrino, *Science Advances* 5,
/// eaaw2594, 2019, Vietnamese); loudspeakers echo between houses, so they are read a quarter slower.
const SYLLABLES_A_SECOND: f32 = 4.0;

/// The longest text, in syllables: 55 seconds, so that the pauses between sentences fit into the minute.
const MOST_SYLLABLES: usize = 220;

/// What is read aloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The beat of the gong before it; none for information.
    pub gong: Option<&'static str>,
    /// The words.
    pub words: String,
    /// How long they take, in seconds.
    pub seconds: u32,
}

/// The gong, then the words. The beats differ from village to village; these are the ones that most agree
/// on: fast and unbroken for danger, in threes to call for attention.
#[must_use]
pub fn spoken(alert: &Alert, version: &Version, area_title: &str) -> Spoken {
    let over = version.kind.ends();
    let gong = match (over, alert.level) {
        (false, Level::Urgent) => Some("đánh dồn dập liên hồi"),
        (false, Level::Warning) => Some("đánh từng ba tiếng một, ba lần"),
        (true, Level::Urgent) => Some("đánh thong thả từng tiếng một"),
        (false, Level::Info) | (true, _) => None,
    };
    let unit = aloud(&issuer(alert, area_title));
    let drill = if alert.drill {
        "Đây là diễn tập, không phải sự việc thật. "
    } else {
        ""
    };
    let what = match (version.kind, alert.level) {
        (VersionKind::First, Level::Info) => "thông báo",
        (VersionKind::First, Level::Warning) => "cảnh báo",
        (VersionKind::First, Level::Urgent) => "cảnh báo khẩn",
        (VersionKind::Correction, _) => "đính chính",
        (VersionKind::AllClear, _) => "thông báo sự việc đã qua",
        (VersionKind::Withdrawal, _) => "thu hồi cảnh báo",
    };
    let head = format!("A lô, a lô. {drill}{unit} {what}.");
    let (title, words, to_do) = parts(&version.words);
    let (title, words, to_do) = if over {
        let (before, ..) = parts(alert.words());
        let said = match version.kind {
            // What is taken back is not said again.
            VersionKind::Withdrawal => {
                let issued = moment(alert.published_at.unwrap_or(alert.drafted_at));
                format!("Cảnh báo phát lúc {issued} không còn đúng, xin bà con bỏ qua.")
            }
            _ => format!("Cảnh báo không còn hiệu lực: {before}"),
        };
        (said, format!("{title}\n{words}"), to_do)
    } else {
        (title, words, to_do)
    };
    let tail = format!("{drill}Xin hết.");
    let mut left = MOST_SYLLABLES.saturating_sub(syllables(&head) + syllables(&tail));
    // What to do comes first when there is not room for everything.
    let to_do = fitting(&sentences(&aloud(&to_do)), left / 2 + left / 4);
    left -= to_do
        .iter()
        .map(|one| syllables(one))
        .sum::<usize>()
        .min(left);
    let said = sentences(&aloud(&format!("{title}\n{words}")));
    let mut told = fitting(&said, left);
    if told.len() < said.len() {
        const REST: &str = "Chi tiết xin xem trong nhóm của thôn.";
        told = fitting(&said, left.saturating_sub(syllables(REST)));
        told.push(REST.to_owned());
    }
    let all = [vec![head], told, to_do, vec![tail]].concat();
    let words = all.join("\n");
    let seconds = (syllables(&words) as f32 / SYLLABLES_A_SECOND).ceil() as u32;
    Spoken {
        gong,
        words,
        seconds,
    }
}

/// It as an officer gets it.
#[must_use]
pub fn sheet(spoken: &Spoken) -> String {
    let gong = spoken.gong.map_or_else(String::new, |beat| {
        format!("Kẻng: {beat} (hoặc theo quy ước của thôn).\n")
    });
    format!(
        "Bản đọc loa, khoảng {} giây. Đọc chậm, nên đọc hai lần.\n{gong}\n{}",
        spoken.seconds, spoken.words
    )
}

/// Where the recording is that its author attached; without an address the author has it.
#[must_use]
pub fn recording(author: &str, address: Option<&str>) -> String {
    match address {
        Some(address) => format!("Bản ghi âm của {author} để phát loa: {address}"),
        None => format!("Có bản ghi âm để phát loa, xin hỏi {author}."),
    }
}

/// `/loa` with a code that is no alert of this officer, or without one while nothing is in force.
#[must_use]
pub fn which() -> String {
    "Không có cảnh báo nào như vậy. Xin ghi mã, ví dụ: /loa 7F3A9K".to_owned()
}

/// The sentences from the first on that fit.
fn fitting(sentences: &[String], most: usize) -> Vec<String> {
    let mut left = most;
    sentences
        .iter()
        .take_while(|sentence| {
            let needed = syllables(sentence);
            let fits = needed <= left;
            left = left.saturating_sub(needed);
            fits
        })
        .cloned()
        .collect()
}

/// Whole sentences, each ended.
fn sentences(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut sentence = String::new();
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            sentence.push(letter);
            let ends = matches!(letter, '.' | '!' | '?' | '…')
                && letters.peek().is_none_or(|next| next.is_whitespace());
            if ends {
                all.push(std::mem::take(&mut sentence));
            }
        }
        all.push(sentence);
    }
    all.retain_mut(|sentence| {
        *sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
        if sentence.chars().any(char::is_alphanumeric) && !sentence.ends_with(['.', '!', '?', '…'])
        {
            sentence.push('.');
        }
        sentence.chars().any(char::is_alphanumeric)
    });
    all
}

/// Syllables when read: Vietnamese writes each as a word of its own; a digit takes about one and a half
/// ("mười lăm", "hai mươi bốn").
#[must_use]
pub fn syllables(text: &str) -> usize {
    text.split(|c: char| c.is_whitespace() || c == '-')
        .map(|word| {
            let digits = word.chars().filter(char::is_ascii_digit).count();
            let letters = word.chars().any(char::is_alphabetic);
            (digits * 3).div_ceil(2) + usize::from(letters)
        })
        .sum()
}

/// Words whose letters are not read as they stand.
const SAID: [(&str, &str); 18] = [
    ("OTP", "ô tê pê"),
    ("VNeID", "vi-en-i-đi"),
    ("CCCD", "căn cước"),
    ("UBND", "ủy ban nhân dân"),
    ("HĐND", "hội đồng nhân dân"),
    ("ANTT", "an ninh trật tự"),
    ("PCCC", "phòng cháy chữa cháy"),
    ("TDP", "tổ dân phố"),
    ("CA", "công an"),
    ("STK", "số tài khoản"),
    ("SĐT", "số điện thoại"),
    ("ATM", "a tê em"),
    ("QR", "quy a"),
    ("Zalo", "da lô"),
    ("Facebook", "phây búc"),
    ("Đ/c", "đồng chí"),
    ("đ/c", "đồng chí"),
    ("&", "và"),
];

/// A text as it is said. What cannot be said is named.
fn aloud(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut said: Vec<String> = Vec::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            // Groups of digits that only together are a number: "0912 345 678".
            let run = words
                .iter()
                .skip(at)
                .take_while(|word| is_digits(trimmed(word).1))
                .count();
            if run > 1 {
                let last = words.get(at + run - 1).copied().unwrap_or_default();
                let joined: String = words
                    .iter()
                    .skip(at)
                    .take(run)
                    .map(|word| trimmed(word).1)
                    .collect();
                if joined.len() >= 9 {
                    said.push(format!("{}{}", number(&joined), trimmed(last).2));
                    at += run;
                    continue;
                }
            }
            said.extend(one(word));
            at += 1;
        }
        lines.push(said.join(" "));
    }
    lines.join("\n")
}

/// What stands before a word, the word, and what stands behind it.
fn trimmed(word: &str) -> (&str, &str, &str) {
    let is_mark = |c: char| !c.is_alphanumeric() && c != '&' && c != '%';
    let inner = word.trim_start_matches(is_mark);
    let before = word.strip_suffix(inner).unwrap_or_default();
    let body = inner.trim_end_matches(is_mark);
    (before, body, inner.strip_prefix(body).unwrap_or_default())
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// One word aloud; none of what has no sound.
fn one(word: &str) -> Option<String> {
    let (_, body, behind) = trimmed(word);
    if body.is_empty() {
        return None;
    }
    // Only the marks that a voice knows.
    let pause: String = behind
        .chars()
        .filter(|c| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '…'))
        .take(1)
        .collect();
    let said = SAID
        .iter()
        .find(|(written, _)| *written == body)
        .map(|(_, said)| (*said).to_owned())
        .or_else(|| is_link(word).then(|| "đường dẫn trong tin nhắn".to_owned()))
        .or_else(|| emergency(body))
        .or_else(|| clock(body))
        .or_else(|| date(body))
        .or_else(|| code(body))
        .unwrap_or_else(|| body.to_owned());
    Some(format!("{said}{pause}"))
}

fn is_link(word: &str) -> bool {
    let lower = word.to_lowercase();
    let dotted = lower.split_once('.').is_some_and(|(name, rest)| {
        name.chars().any(|c| c.is_ascii_alphabetic())
            && rest
                .chars()
                .take(2)
                .filter(char::is_ascii_alphabetic)
                .count()
                == 2
    });
    lower.contains("://") || lower.starts_with("www.") || lower.contains('@') || dotted
}

/// 113, 114, 115 and 111 digit by digit, as everybody says them.
fn emergency(body: &str) -> Option<String> {
    matches!(body, "111" | "112" | "113" | "114" | "115").then(|| digits(body))
}

/// `15:07`, `15h`, `15h30`.
fn clock(body: &str) -> Option<String> {
    let (hour, minute) = body.split_once([':', 'h'])?;
    let whole = |text: &str, below: u32| text.parse().ok().filter(|&n: &u32| n < below);
    let hour = whole(hour, 25)?;
    if minute.is_empty() {
        return Some(format!("{hour} giờ"));
    }
    match whole(minute, 60)? {
        0 => Some(format!("{hour} giờ")),
        minute => Some(format!("{hour} giờ {minute} phút")),
    }
}

/// `24/11`, `24/11/2026`.
fn date(body: &str) -> Option<String> {
    let mut parts = body.split('/').map(|part| part.parse::<u32>().ok());
    let day = parts.next()??;
    let month = parts.next()??;
    let year = parts.next();
    if parts.next().is_some() || !(1..=31).contains(&day) || !(1..=12).contains(&month) {
        return None;
    }
    Some(match year {
        Some(year) => format!("{day} tháng {month} năm {}", year?),
        None => format!("{day} tháng {month}"),
    })
}

/// Long numbers and mixtures of letters and digits: a telephone number is said digit by digit, anything
/// else has to be read in the message. `1.500.000` is money, and is said as it stands.
fn code(body: &str) -> Option<String> {
    let bare: String = body.chars().filter(|c| c.is_alphanumeric()).collect();
    let digits_in = bare.chars().filter(char::is_ascii_digit).count();
    let letters_in = bare.chars().filter(|c| c.is_alphabetic()).count();
    if is_phone(&bare) {
        return Some(number(&bare));
    }
    let mixed = letters_in > 0 && digits_in > 0 && letters_in + digits_in >= 5;
    let long = letters_in == 0 && digits_in >= 8 && !body.contains('.');
    (mixed || long).then(unsaid)
}

/// `0912345678`, `84912345678`.
fn is_phone(bare: &str) -> bool {
    is_digits(bare)
        && (9..=12).contains(&bare.len())
        && (bare.starts_with('0') || bare.starts_with("84"))
}

fn unsaid() -> String {
    "số ghi trong tin nhắn".to_owned()
}

/// A telephone number in groups that can be written down while listening.
fn number(bare: &str) -> String {
    if !is_phone(bare) {
        return unsaid();
    }
    let all: Vec<char> = bare.chars().collect();
    // 0912, 345, 678: what is left over stands in front.
    let (head, rest) = all.split_at((3 + all.len() % 3).min(all.len()));
    let group = |letters: &[char]| digits(&letters.iter().collect::<String>());
    std::iter::once(group(head))
        .chain(rest.chunks(3).map(group))
        .collect::<Vec<_>>()
        .join(", ")
}

fn digits(text: &str) -> String {
    const NAMES: [&str; 10] = [
        "không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín",
    ];
    text.chars()
        .filter_map(|digit| NAMES.get(digit.to_digit(10)? as usize).copied())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::alert::Versions;
    use crate::domain::area::AreaId;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::ids::AccountName;
    use crate::domain::ids::AlertId;
    use crate::domain::ids::CheckCode;
    use crate::domain::ids::RoomId;

    fn alert(level: Level, words: &str) -> Alert {
        let now = from_unix_ms(1_795_507_500_000);
        Alert::draft(
            AlertId(1),
            CheckCode::parse("7F3A9K").unwrap(),
            level,
            AreaId::parse("06862").unwrap(),
            Versions::first(words, "Đ/c Hà", now),
            RoomId::new(AccountName::parse("tg1").unwrap(), "1001"),
            now + TimeDelta::hours(24),
        )
    }

    fn read(level: Level, words: &str) -> Spoken {
        let alert = alert(level, words);
        spoken(&alert, alert.versions.latest(), "Xã Quảng Ninh")
    }

    #[test]
    fn a_scam_alert_is_read_in_plain_sentences() {
        let words = "Cảnh giác người giả danh công an\n\nCó người gọi từ số 0912 345 678 lúc 15:07 ngày 24/11/2026, bảo cài VNeID ở https://vneid.example/a rồi đọc mã OTP.\n\n👉 Không chuyển tiền. Gọi 113 hoặc CA xã.";
        assert_snapshot!(sheet(&read(Level::Warning, words)), @r"
        Bản đọc loa, khoảng 22 giây. Đọc chậm, nên đọc hai lần.
        Kẻng: đánh từng ba tiếng một, ba lần (hoặc theo quy ước của thôn).

        A lô, a lô. Công an xã Quảng Ninh cảnh báo.
        Cảnh giác người giả danh công an.
        Có người gọi từ số không chín một hai, ba bốn năm, sáu bảy tám lúc 15 giờ 7 phút ngày 24 tháng 11 năm 2026, bảo cài vi-en-i-đi ở đường dẫn trong tin nhắn rồi đọc mã ô tê pê.
        Không chuyển tiền.
        Gọi một một ba hoặc công an xã.
        Xin hết.
        ");
    }

    #[test]
    fn words_are_said_as_people_say_them() {
        for (written, said) in [
            ("Gọi 113, 114.", "Gọi một một ba, một một bốn."),
            (
                "0912.345.678",
                "không chín một hai, ba bốn năm, sáu bảy tám",
            ),
            ("19001234", "số ghi trong tin nhắn"),
            (
                "(02033) 123456",
                "không hai không ba ba, một hai ba, bốn năm sáu",
            ),
            ("STK 5550001112223", "số tài khoản số ghi trong tin nhắn"),
            ("xe 14B1-234.56", "xe số ghi trong tin nhắn"),
            ("lấy 1.500.000 đồng", "lấy 1.500.000 đồng"),
            ("từ 8h đến 9h30", "từ 8 giờ đến 9 giờ 30 phút"),
            ("ngày 2/9", "ngày 2 tháng 9"),
            ("• Không mở cửa 🚨", "Không mở cửa"),
            ("xem nhan-qua.vn nhé", "xem đường dẫn trong tin nhắn nhé"),
            ("a.b c/d 1/2/3/4", "a.b c/d 1/2/3/4"),
            ("", ""),
        ] {
            assert_eq!(aloud(written), said, "{written}");
        }
    }

    #[test]
    fn whatever_the_length_it_is_under_a_minute_and_says_what_to_do() {
        let long = format!(
            "{}\n👉 Không chuyển tiền. Gọi 113.",
            "Nước lên nhanh ở ven suối. ".repeat(300)
        );
        for (level, words) in [
            (Level::Urgent, long.as_str()),
            (Level::Info, "Họp thôn"),
            (Level::Warning, &"một câu dài không dấu chấm ".repeat(200)),
            (Level::Warning, "🚨"),
        ] {
            let spoken = read(level, words);
            assert!(spoken.seconds < 60, "{} seconds", spoken.seconds);
            assert!(spoken.words.ends_with("Xin hết."));
        }
        let spoken = read(Level::Urgent, &long);
        assert!(spoken.words.contains("Gọi một một ba."), "{}", spoken.words);
        assert!(
            spoken.words.contains("Chi tiết xin xem trong nhóm"),
            "{}",
            spoken.words
        );
        assert!(spoken.seconds > 40, "{}", spoken.seconds);
    }

    #[test]
    fn a_drill_says_so_at_both_ends_and_an_end_names_what_ended() {
        let mut alert = alert(Level::Urgent, "Đang có cháy\n\nCháy tại chợ.");
        alert.drill = true;
        let read = |alert: &Alert| spoken(alert, alert.versions.latest(), "Xã Quảng Ninh");
        let said = read(&alert).words;
        assert_eq!(said.matches("Đây là diễn tập").count(), 2, "{said}");
        alert.drill = false;
        let mut over = alert.versions.latest().clone();
        (over.kind, over.words) = (VersionKind::AllClear, "Đã dập tắt.".to_owned());
        alert.versions.push(over);
        assert_snapshot!(sheet(&read(&alert)), @r"
        Bản đọc loa, khoảng 8 giây. Đọc chậm, nên đọc hai lần.
        Kẻng: đánh thong thả từng tiếng một (hoặc theo quy ước của thôn).

        A lô, a lô. Công an xã Quảng Ninh thông báo sự việc đã qua.
        Cảnh báo không còn hiệu lực: Đang có cháy.
        Đã dập tắt.
        Xin hết.
        ");
    }

    proptest::proptest! {
        #[test]
        fn any_words_can_be_read(words in "\\PC{0,2000}") {
            let spoken = read(Level::Warning, &words);
            proptest::prop_assert!(spoken.seconds < 60);
            proptest::prop_assert!(!spoken.words.contains("://"));
        }
    }
}
