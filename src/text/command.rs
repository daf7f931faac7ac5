//! Commands: the first word of a message, however it was typed.
//!
//! | text | command |
//! | --- | --- |
//! | `/bao mất xe`, `/Báo@anttbot⏎mất xe` | report, rest `mất xe` |
//! | `/tonghop hôm qua`, `/tổng hợp hôm qua` | digest, rest `hôm qua` |
//! | `/baocao`, `/bao@otherbot` | none |
//! | `xong 1204`, `tổng hợp hôm qua` in a private chat | close, digest |
//! | `@anttbot tổng hợp` in a group | digest |
//! | `tổng hợp`, `của tôi` in a group | none |
//! | `của tôi mất xe`, `nhận được cuộc gọi lạ` in a private chat | none |

use crate::domain::ids::CheckCode;
use crate::domain::reading::{Command, CommandName};
use crate::text::Addressing;
use crate::text::fold::fold;
use crate::text::hour;
use crate::text::tag;

/// The command a text begins with.
pub fn parse_command(text: &str, addressing: &Addressing<'_>) -> Option<Command> {
    let text = text.trim_start_matches(is_blank);
    if let Some(body) = text.strip_prefix(['/', '／']) {
        return slashed(body, addressing);
    }
    let body = if text.starts_with(['@', '＠']) {
        // In a group plain words are a command only behind the bot's own name.
        match tag::mention(text, addressing.bot_names)? {
            (0, end) => text.get(end..)?.trim_start_matches(is_lead),
            _ => return None,
        }
    } else if addressing.private || is_called(text, addressing) {
        text
    } else {
        return None;
    };
    spoken(body, addressing.private)
}

/// The platform says that the bot is mentioned, and its name is not in the text: it stood before it and
/// was taken out.
fn is_called(text: &str, addressing: &Addressing<'_>) -> bool {
    addressing.mentioned && tag::mention(text, addressing.bot_names).is_none()
}

/// Whether a command stands behind a slash: then nothing but a command is meant.
pub fn is_slashed(text: &str) -> bool {
    text.trim_start_matches(is_blank).starts_with(['/', '／'])
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{FEFF}')
}

fn is_lead(c: char) -> bool {
    is_blank(c) || matches!(c, ':' | ',' | '-')
}

fn slashed(body: &str, addressing: &Addressing<'_>) -> Option<Command> {
    let end = body.find(char::is_whitespace).unwrap_or(body.len());
    let (first, rest) = body.split_at_checked(end)?;
    let (name, bot) = match first.split_once('@') {
        Some((name, bot)) => (name, Some(bot)),
        None => (first, None),
    };
    if let Some(bot) = bot {
        let bot = fold(bot);
        if !addressing
            .bot_names
            .iter()
            .any(|name| fold(name).trim_start_matches('@') == bot)
        {
            return None;
        }
    }
    let folded = name_of(name)?;
    if bot.is_none()
        && let Some((second, tail)) = next_word(rest)
        && let Some(name) = CommandName::parse(&format!("{folded}{}", fold(second)))
    {
        return Some(command(name, tail));
    }
    Some(command(by_name(&folded)?, rest))
}

/// Words without a slash. They must not be mistaken for a sentence: somebody who writes "nhận được cuộc
/// gọi lạ" tells of something.
fn spoken(body: &str, private: bool) -> Option<Command> {
    let (first, mut tail) = next_word(body)?;
    let mut folded = name_of(first)?;
    let one_word = by_name(&folded).map(|name| (name, tail));
    if let Some((name, rest)) = one_word.filter(|(name, _)| !is_one_syllable(*name)) {
        // Glued as no sentence is: `tonghop`, `cuatoi`.
        return (private || is_meant(name, rest.trim(), private)).then(|| command(name, rest));
    }
    for _ in 1..LONGEST_NAME {
        let Some((word, after)) = next_word(tail) else {
            break;
        };
        let Some(word) = name_of(word) else { break };
        folded.push_str(&word);
        tail = after;
        if let Some(name) = CommandName::parse(&folded) {
            return is_meant(name, tail.trim(), private).then(|| command(name, tail));
        }
    }
    let (name, rest) = one_word?;
    is_meant(name, rest.trim(), private).then(|| command(name, rest))
}

/// "hết cảnh báo"
const LONGEST_NAME: usize = 3;

/// Days, a village and both together have no more words.
const DIGEST_WORDS: usize = 8;

/// A wrong hour, too, has no more words.
const HOUR_WORDS: usize = 3;

/// Whether words that sound like a command are one, by what follows them.
fn is_meant(name: CommandName, rest: &str, private: bool) -> bool {
    let first = rest.split_whitespace().next().unwrap_or_default();
    match name {
        CommandName::Start => false,
        _ if rest.is_empty() => true,
        CommandName::CuaToi | CommandName::TroGiup | CommandName::Nhom | CommandName::Bao => false,
        CommandName::Rut | CommandName::Xoa => is_case_only(rest),
        CommandName::Nhan
        | CommandName::Giao
        | CommandName::Xong
        | CommandName::TuChoi
        | CommandName::Gop => is_case(first),
        CommandName::KiemTra | CommandName::Duyet | CommandName::Loa => is_check_code_only(rest),
        // A resident corrects in these words, too.
        CommandName::DinhChinh | CommandName::ThuHoi | CommandName::HetCanhBao => {
            is_check_code_only(rest) || CheckCode::parse(first).is_some()
        }
        CommandName::TongHop => rest.split_whitespace().count() <= DIGEST_WORDS,
        // "Hẹn 25h" is a command, too: it is answered with an example.
        CommandName::Hen => {
            hour::parse(rest).is_some()
                || (is_number(first) && rest.split_whitespace().count() <= HOUR_WORDS)
        }
        CommandName::Moi => is_number(first),
        // Whoever may not use them is taken to tell something: that is the reader's caller's to know.
        CommandName::CanhBao | CommandName::DienTap | CommandName::GanThon => private,
    }
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// `1204`, `#1204`, `1204:`
fn is_case(word: &str) -> bool {
    let digits = word
        .trim_start_matches('#')
        .trim_end_matches([':', ',', '.', '-']);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1204`, `tin 1204`, `mã 1204`, `tin mã 1204`, and nothing else.
fn is_case_only(rest: &str) -> bool {
    let mut words = rest.split_whitespace();
    words.next_back().is_some_and(is_case)
        && words.clone().count() <= 2
        && words.all(|word| matches!(fold(word).as_str(), "tin" | "ma" | "so"))
}

/// `7F3A9K`, `7f3a 9k`, `mã 7F3A9K`.
fn is_check_code_only(rest: &str) -> bool {
    let bare = match next_word(rest) {
        Some((word, code)) if fold(word) == "ma" => code,
        _ => rest,
    };
    CheckCode::parse(bare.trim_end_matches(['.', '?', '!'])).is_some()
}

fn is_one_syllable(name: CommandName) -> bool {
    matches!(
        name,
        CommandName::Bao
            | CommandName::Rut
            | CommandName::Xoa
            | CommandName::Nhan
            | CommandName::Giao
            | CommandName::Xong
            | CommandName::Gop
            | CommandName::Duyet
            | CommandName::Loa
            | CommandName::Hen
            | CommandName::Moi
            | CommandName::Nhom
            | CommandName::Start
    )
}

fn command(name: CommandName, rest: &str) -> Command {
    Command {
        name,
        rest: rest.trim().to_owned(),
    }
}

/// A word as names of commands are written.
fn name_of(word: &str) -> Option<String> {
    let word = word.trim_end_matches([':', ',', '.', '-', '!', '?']);
    (!word.is_empty() && word.len() <= 64).then(|| fold(word).replace('_', ""))
}

fn by_name(folded: &str) -> Option<CommandName> {
    CommandName::parse(folded).or((folded == "help").then_some(CommandName::TroGiup))
}

fn next_word(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.trim_start();
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, tail) = rest.split_at_checked(end)?;
    (!word.is_empty() && word.len() < 64).then_some((word, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, private: bool) -> Option<(CommandName, String)> {
        let names = ["anttbot".to_owned(), "Bot ANTT".to_owned()];
        let addressing = Addressing {
            private,
            reply_to_bot: false,
            mentioned: false,
            bot_names: &names,
        };
        parse_command(text, &addressing).map(|command| (command.name, command.rest))
    }

    #[test]
    fn plain_words_are_commands_in_private_and_behind_the_bots_name() {
        for (text, name, rest) in [
            ("của tôi", CommandName::CuaToi, ""),
            ("Cua toi.", CommandName::CuaToi, ""),
            ("CỦA TÔI", CommandName::CuaToi, ""),
            ("cu\u{309}a to\u{302}i", CommandName::CuaToi, ""),
            ("trợ giúp", CommandName::TroGiup, ""),
            ("tro giup!", CommandName::TroGiup, ""),
            ("tổng hợp", CommandName::TongHop, ""),
            ("tong hop hom qua", CommandName::TongHop, "hom qua"),
            ("Tổng hợp hôm qua", CommandName::TongHop, "hôm qua"),
            ("kiểm tra 7F3A9K", CommandName::KiemTra, "7F3A9K"),
            ("kiem tra ma 7f3a9k", CommandName::KiemTra, "ma 7f3a9k"),
            ("rút tin 1204", CommandName::Rut, "tin 1204"),
            ("xoá 1204", CommandName::Xoa, "1204"),
            ("nhận 1204", CommandName::Nhan, "1204"),
            (
                "từ chối 1204 không có gì",
                CommandName::TuChoi,
                "1204 không có gì",
            ),
            ("duyệt 7f3a9k", CommandName::Duyet, "7f3a9k"),
            ("thu hồi 7F3A9K", CommandName::ThuHoi, "7F3A9K"),
            (
                "Thu hồi 7f3a9k tin không đúng",
                CommandName::ThuHoi,
                "7f3a9k tin không đúng",
            ),
            (
                "đính chính 7F3A9K nước đã rút",
                CommandName::DinhChinh,
                "7F3A9K nước đã rút",
            ),
            ("hết cảnh báo 7F3A9K", CommandName::HetCanhBao, "7F3A9K"),
            ("hẹn", CommandName::Hen, ""),
            ("hẹn 18h", CommandName::Hen, "18h"),
            ("hen 25h", CommandName::Hen, "25h"),
            (
                "Hẹn hàng ngày lúc 18h",
                CommandName::Hen,
                "hàng ngày lúc 18h",
            ),
            ("hẹn thôi", CommandName::Hen, "thôi"),
        ] {
            let wanted = Some((name, rest.to_owned()));
            assert_eq!(parsed(text, true), wanted, "{text}");
            assert_eq!(parsed(text, false), None, "{text}");
            for called in [format!("@anttbot {text}"), format!("@Bot ANTT: {text}")] {
                assert_eq!(parsed(&called, false), wanted, "{called}");
            }
        }
        assert_eq!(
            parsed("cảnh báo nước lên", true),
            Some((CommandName::CanhBao, "nước lên".to_owned()))
        );
        assert_eq!(parsed("@anttbot cảnh báo có trộm ở ngõ 12", false), None);
        assert_eq!(
            parsed("diễn tập nước lên", true),
            Some((CommandName::DienTap, "nước lên".to_owned()))
        );
        assert_eq!(parsed("thu hồi đất ở xóm Đình", true), None);
    }

    #[test]
    fn plain_words_are_commands_where_the_bots_name_was_taken_out() {
        let names = ["Bot ANTT".to_owned()];
        let called = |text| {
            let addressing = Addressing {
                private: false,
                reply_to_bot: false,
                mentioned: true,
                bot_names: &names,
            };
            parse_command(text, &addressing).map(|command| (command.name, command.rest))
        };
        assert_eq!(
            called("tổng hợp hôm qua"),
            Some((CommandName::TongHop, "hôm qua".to_owned()))
        );
        assert_eq!(
            called("duyệt 7f3a9k"),
            Some((CommandName::Duyet, "7f3a9k".to_owned()))
        );
        assert_eq!(called("nhận được cuộc gọi lạ"), None);
        assert_eq!(called("cảnh báo có trộm ở ngõ 12"), None);
        assert_eq!(
            called("tổng hợp nhé @Bot ANTT"),
            None,
            "the name stands there"
        );
    }

    #[test]
    fn a_sentence_that_begins_like_a_command_is_a_sentence() {
        for text in [
            "của tôi mất xe Wave",
            "trợ giúp tôi với, có cướp",
            "kiểm tra giúp ngõ 12 có người lạ",
            "nhận được cuộc gọi lạ",
            "rút 500k ở cây ATM bị nuốt thẻ",
            "rút lại tin giúp em",
            "xong rồi ạ",
            "đính chính biển là 14B1-12345",
            "báo cáo anh có trộm",
            "hết cảnh báo rồi à",
            "nhóm thanh niên tụ tập ở cầu",
            "hẹn 5h chiều ra cầu đánh nhau",
            "hẹn nhau ở cổng chợ",
            "mới mất xe ở chợ",
            "start",
            "@anttbotxyz tổng hợp",
            "tổng cộng mất 3 con gà",
        ] {
            assert_eq!(parsed(text, true), None, "{text}");
        }
    }
}
