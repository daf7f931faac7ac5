//! The words of an alert's card: the picture in large letters that goes with it.

use super::alert;
use super::phrase::moment;
use crate::domain::alert::Alert;
use crate::domain::alert::Level;
use crate::domain::alert::Version;
use crate::domain::alert::VersionKind;

/// What a card's colour tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Information.
    Info,
    /// A warning.
    Warning,
    /// Danger now.
    Urgent,
    /// The danger is over.
    Over,
    /// It was taken back.
    Withdrawn,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its colour.
    pub tone: Tone,
    /// In the coloured band.
    pub heading: &'static str,
    /// Across the picture when it is an exercise.
    pub drill: Option<&'static str>,
    /// In the largest letters.
    pub title: String,
    /// What happened.
    pub words: String,
    /// What to do, in a frame of its own; may be empty.
    pub instruction: String,
    /// When the words do not fit: where the rest stands.
    pub more: &'static str,
    /// Who stands behind it, and when.
    pub issuer: String,
    /// Before the code.
    pub code_head: &'static str,
    /// The code to check it by.
    pub code: String,
    /// How to check it.
    pub code_how: String,
}

/// The sign before the line that tells what to do, in templates and in officers' own words.
const TO_DO: char = '👉';

/// A title is a first line of at most this many letters; a longer one is the beginning of the words.
const TITLE_LETTERS: usize = 90;

/// The card of a version.
#[must_use]
pub fn card(alert: &Alert, version: &Version, area_title: &str) -> Card {
    let (tone, heading) = match (version.kind, alert.level) {
        (VersionKind::AllClear, _) => (Tone::Over, "HẾT CẢNH BÁO"),
        (VersionKind::Withdrawal, _) => (Tone::Withdrawn, "THU HỒI"),
        (VersionKind::Correction, Level::Info) => (Tone::Info, "ĐÍNH CHÍNH"),
        (VersionKind::Correction, Level::Warning) => (Tone::Warning, "ĐÍNH CHÍNH"),
        (VersionKind::Correction, Level::Urgent) => (Tone::Urgent, "ĐÍNH CHÍNH"),
        (VersionKind::First, Level::Info) => (Tone::Info, "THÔNG BÁO"),
        (VersionKind::First, Level::Warning) => (Tone::Warning, "CẢNH BÁO"),
        (VersionKind::First, Level::Urgent) => (Tone::Urgent, "KHẨN"),
    };
    let (title, words, instruction) = match version.kind {
        VersionKind::First | VersionKind::Correction => parts(&version.words),
        VersionKind::AllClear => {
            let (title, ..) = parts(alert.words());
            let before = format!("Cảnh báo trước đây: {title}");
            (
                "Sự việc đã qua".to_owned(),
                joined(&version.words, &before),
                String::new(),
            )
        }
        // What is taken back is not said again.
        VersionKind::Withdrawal => {
            let issued = moment(alert.published_at.unwrap_or(alert.drafted_at));
            let code = &alert.code;
            let before = format!("Cảnh báo mã {code} phát lúc {issued} không còn đúng.");
            (
                "Xin bỏ qua, đừng chuyển tiếp".to_owned(),
                joined(&version.words, &before),
                String::new(),
            )
        }
    };
    let code = alert.code.to_string();
    Card {
        tone,
        heading,
        drill: alert.drill.then_some("DIỄN TẬP"),
        title,
        words,
        instruction,
        more: "Xem đủ nội dung trong tin nhắn.",
        issuer: format!(
            "{}, {}",
            alert::issuer(alert, area_title),
            moment(version.at)
        ),
        code_head: "Mã kiểm tra",
        code_how: format!("Nhắn cho bot: /kiemtra {code}"),
        code,
    }
}

fn joined(words: &str, before: &str) -> String {
    format!("{}\n{before}", words.trim()).trim().to_owned()
}

/// The title, the words and what to do.
#[must_use]
pub fn parts(text: &str) -> (String, String, String) {
    let (mut words, mut instruction): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for line in text.trim().lines().map(str::trim) {
        match line.strip_prefix(TO_DO) {
            Some(line) => instruction.push(line.trim()),
            None => words.push(line),
        }
    }
    let (title, words) = match words.split_first() {
        Some((first, rest)) if first.chars().count() <= TITLE_LETTERS => (*first, rest.join("\n")),
        _ => ("", words.join("\n")),
    };
    (
        title.to_owned(),
        words.trim().to_owned(),
        instruction.join("\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_title_words_and_what_to_do() {
        let split = |text| {
            let (title, words, instruction) = parts(text);
            format!("{title} | {words} | {instruction}")
        };
        assert_eq!(
            split("Đang có cháy\n\nCháy tại chợ.\n\n👉 Gọi 114."),
            "Đang có cháy | Cháy tại chợ. | Gọi 114."
        );
        assert_eq!(split("Họp thôn 19:30"), "Họp thôn 19:30 |  | ");
        assert_eq!(split(""), " |  | ");
        let long = "Nước lên. ".repeat(20);
        assert_eq!(split(&long), format!(" | {} | ", long.trim()));
    }
}
