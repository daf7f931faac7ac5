//! Commands: the first word of a message, however it was typed.
//!
//! | text | command |
//! | --- | --- |
//! | `/bao mất xe`, `/Báo@anttbot⏎mất xe` | report, rest `mất xe` |
//! | `/tonghop hôm qua`, `/tổng hợp hôm qua` | digest, rest `hôm qua` |
//! | `/baocao`, `/bao@otherbot` | none |
//! | `xong 1204` in a private chat | close, rest `1204` |

use crate::domain::ids::CheckCode;
use crate::domain::reading::{Command, CommandName};
use crate::text::Addressing;
use crate::text::fold::fold;

/// The command a text begins with.
pub fn parse_command(text: &str, addressing: &Addressing<'_>) -> Option<Command> {
    let text = text.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{FEFF}')
    });
    let unslashed = text.strip_prefix(['/', '／']);
    let (body, slash) = match unslashed {
        Some(body) => (body, true),
        None if addressing.private => (text, false),
        None => return None,
    };
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
    let name = name.trim_end_matches([':', ',', '.', '-', '!']);
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    let folded = fold(name).replace('_', "");
    let found = |name, rest: &str| {
        Some(Command {
            name,
            rest: rest.trim().to_owned(),
        })
    };
    if slash {
        if bot.is_none()
            && let Some((second, tail)) = next_word(rest)
            && let Some(name) = CommandName::parse(&format!("{folded}{}", fold(second)))
        {
            return found(name, tail);
        }
        return found(by_name(&folded)?, rest);
    }
    // Without a slash a command must not be mistaken for a sentence.
    let rest = rest.trim();
    let short = rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || c == '#');
    let name = by_name(&folded)?;
    // Half of all check codes begin with a letter.
    let short = short || (name == CommandName::Duyet && CheckCode::parse(rest).is_some());
    let one_syllable = matches!(
        name,
        CommandName::Bao
            | CommandName::Rut
            | CommandName::Xoa
            | CommandName::Nhan
            | CommandName::Giao
            | CommandName::Xong
            | CommandName::Gop
            | CommandName::Duyet
            | CommandName::Hen
            | CommandName::Moi
            | CommandName::Nhom
            | CommandName::Start
    );
    match name {
        CommandName::Start => None,
        CommandName::Bao if !rest.is_empty() => None,
        _ if one_syllable && !(short && name_is_plain(first)) => None,
        name => found(name, rest),
    }
}

fn by_name(folded: &str) -> Option<CommandName> {
    CommandName::parse(folded).or((folded == "help").then_some(CommandName::TroGiup))
}

/// Typed without marks, or all of a private message: then no other word is meant.
fn name_is_plain(word: &str) -> bool {
    word.is_ascii()
}

fn next_word(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.trim_start();
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, tail) = rest.split_at_checked(end)?;
    (!word.is_empty() && word.len() < 64).then_some((word, tail))
}
