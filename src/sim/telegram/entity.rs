//! Which parts of a text Telegram marks: hashtags, commands, mentions, links.
//!
//! The rules are those of TDLib's `MessageEntity.cpp`, so that a bot meets
//! here what it meets there: `#trộm-cắp` is the hashtag `#trộm`, `/báo` is no
//! command at all, and a decomposed `#trộm` is cut at its first mark. Offsets
//! and lengths count UTF-16 code units.
//!
//! Not found: phone numbers, e-mail addresses, cashtags, bank cards, links
//! without a scheme.

/// One marked part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entity {
    /// The Bot API's name of the kind.
    pub(super) kind: &'static str,
    /// UTF-16 code units before it.
    pub(super) offset: usize,
    /// UTF-16 code units in it.
    pub(super) length: usize,
    /// Where a `text_link` leads.
    pub(super) url: Option<String>,
}

/// The number of UTF-16 code units in `text`.
pub(super) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn is_hashtag_part(letter: char) -> bool {
    is_word(letter)
        || matches!(letter, '\u{200c}' | '\u{b7}')
        || ('\u{d80}'..='\u{dff}').contains(&letter)
}

fn is_name_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Finds the marked parts of `text`, in order.
pub(super) fn find(text: &str) -> Vec<Entity> {
    if !text.contains(['#', '/', '@', ':']) {
        return Vec::new();
    }
    let letters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut index = 0;
    let mut offset = 0;
    while let Some(&letter) = letters.get(index) {
        let before = index.checked_sub(1).and_then(|i| letters.get(i)).copied();
        let rest = letters.get(index..).unwrap_or_default();
        let hit = match letter {
            '#' => hashtag(before, rest).map(|n| ("hashtag", n)),
            '/' => command(before, rest).map(|n| ("bot_command", n)),
            '@' => mention(before, rest).map(|n| ("mention", n)),
            'h' | 'H' => link(before, rest).map(|n| ("url", n)),
            _ => None,
        };
        let (taken, length) = match hit {
            Some((kind, taken)) => {
                let length = rest.iter().take(taken).map(|c| c.len_utf16()).sum();
                found.push(Entity {
                    kind,
                    offset,
                    length,
                    url: None,
                });
                (taken, length)
            }
            None => (1, letter.len_utf16()),
        };
        index += taken;
        offset += length;
    }
    found
}

fn hashtag(before: Option<char>, rest: &[char]) -> Option<usize> {
    // TDLib looks behind one letter: `hẻm#trộm` and `#một#hai` hold no tag.
    if before.is_some_and(|c| is_hashtag_part(c) || c == '#') {
        return None;
    }
    let body = rest
        .iter()
        .skip(1)
        .take_while(|c| is_hashtag_part(**c))
        .count();
    let named = rest.iter().skip(1).take(body).any(|c| c.is_alphabetic());
    let glued = rest.get(body + 1) == Some(&'#');
    (named && body <= 256 && !glued).then_some(body + 1)
}

fn command(before: Option<char>, rest: &[char]) -> Option<usize> {
    if before.is_some_and(|c| is_word(c) || matches!(c, '/' | '<' | '>')) {
        return None;
    }
    let name = rest
        .iter()
        .skip(1)
        .take_while(|c| is_name_part(**c))
        .count();
    if !(1..=64).contains(&name) {
        return None;
    }
    let mut taken = 1 + name;
    if rest.get(taken) == Some(&'@') {
        let bot = rest
            .iter()
            .skip(taken + 1)
            .take_while(|c| is_name_part(**c))
            .count();
        if (3..=32).contains(&bot) {
            taken += 1 + bot;
        }
    }
    let after = rest.get(taken).copied();
    (!after.is_some_and(|c| is_word(c) || matches!(c, '/' | '<' | '>'))).then_some(taken)
}

fn mention(before: Option<char>, rest: &[char]) -> Option<usize> {
    if before.is_some_and(is_word) {
        return None;
    }
    let name = rest
        .iter()
        .skip(1)
        .take_while(|c| is_name_part(**c))
        .count();
    let after = rest.get(name + 1).copied();
    ((3..=32).contains(&name) && !after.is_some_and(is_word)).then_some(name + 1)
}

fn link(before: Option<char>, rest: &[char]) -> Option<usize> {
    if before.is_some_and(is_word) {
        return None;
    }
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        rest.len() > scheme.len()
            && scheme
                .chars()
                .zip(rest)
                .all(|(want, have)| want == have.to_ascii_lowercase())
    })?;
    let mut taken = rest
        .iter()
        .take_while(|c| !c.is_whitespace() && !matches!(c, '<' | '>' | '"'))
        .count();
    // A full stop or comma after a link belongs to the sentence.
    while taken > 0
        && matches!(
            rest.get(taken - 1),
            Some('.' | ',' | ';' | ':' | '!' | '?' | ')')
        )
    {
        taken -= 1;
    }
    (taken > scheme.len()).then_some(taken)
}

/// Reads Telegram's HTML style: the visible text and the marks in it.
///
/// The error is the text that the server puts after "can't parse entities: ".
pub(super) fn parse_html(source: &str) -> Result<(String, Vec<Entity>), String> {
    let mut text = String::with_capacity(source.len());
    let mut found: Vec<Entity> = Vec::new();
    let mut open: Vec<(String, usize, Option<String>)> = Vec::new();
    let mut rest = source;
    let mut offset = 0;
    loop {
        let at = source.len() - rest.len();
        let Some(letter) = rest.chars().next() else {
            break;
        };
        if letter == '&' {
            let (letter, taken) = character(rest);
            text.push(letter);
            offset += letter.len_utf16();
            rest = rest.get(taken..).unwrap_or_default();
            continue;
        }
        if letter != '<' {
            text.push(letter);
            offset += letter.len_utf16();
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            continue;
        }
        let Some(end) = rest.find('>') else {
            return Err(format!("Unclosed start tag at byte offset {at}"));
        };
        let tag = rest.get(1..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some(name) = tag.strip_prefix('/') {
            let name = name.trim().to_ascii_lowercase();
            let Some((opened, from, url)) = open.pop() else {
                return Err(format!("Unexpected end tag at byte offset {at}"));
            };
            if !name.is_empty() && name != opened {
                return Err(format!(
                    "Unmatched end tag at byte offset {at}, expected \"</{opened}>\", found \"</{name}>\""
                ));
            }
            let kind = kind_of(&opened);
            if offset > from && (kind != "text_link" || url.is_some()) {
                found.push(Entity {
                    kind,
                    offset: from,
                    length: offset - from,
                    url,
                });
            }
        } else {
            let name: String = tag
                .chars()
                .take_while(|c| !c.is_whitespace())
                .collect::<String>()
                .to_ascii_lowercase();
            if kind_of(&name).is_empty() {
                return Err(format!(
                    "Unsupported start tag \"{name}\" at byte offset {at}"
                ));
            }
            let url = tag.split_once("href=").map(|(_, value)| {
                let value = value.trim();
                value.trim_matches(['"', '\'']).to_owned()
            });
            open.push((name, offset, url));
        }
    }
    if let Some((name, _, _)) = open.pop() {
        return Err(format!(
            "Can't find end tag corresponding to start tag \"{name}\""
        ));
    }
    found.sort_by_key(|entity| (entity.offset, usize::MAX - entity.length));
    Ok((text, found))
}

fn kind_of(tag: &str) -> &'static str {
    match tag {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "code" => "code",
        "pre" => "pre",
        "a" => "text_link",
        "blockquote" => "blockquote",
        "tg-spoiler" | "span" => "spoiler",
        _ => "",
    }
}

/// The letter that `&…;` stands for, and its length in bytes. An unknown one
/// stays as it was written, as on the real server.
fn character(rest: &str) -> (char, usize) {
    let known = [
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&amp;", '&'),
        ("&quot;", '"'),
    ];
    for (written, letter) in known {
        if rest.starts_with(written) {
            return (letter, written.len());
        }
    }
    let number = rest
        .strip_prefix("&#")
        .and_then(|tail| tail.split_once(';'));
    let letter = number.and_then(|(digits, _)| {
        let code = match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => digits.parse().ok()?,
        };
        Some((char::from_u32(code)?, digits.len() + 3))
    });
    letter.unwrap_or(('&', 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let found: Vec<(&str, String)> = find(text)
            .iter()
            .map(|e| {
                (
                    e.kind,
                    String::from_utf16(&units[e.offset..e.offset + e.length]).unwrap(),
                )
            })
            .collect();
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(kind, part)| (*kind, part.as_str()))
            .collect();
        assert_eq!(found, expect, "in {text:?}");
    }

    #[test]
    fn tags_commands_and_mentions_are_cut_as_telegram_cuts_them() {
        check("😀 #trộm_cắp ở chợ", &[("hashtag", "#trộm_cắp")]);
        check(
            "#Đường12 và #cướp",
            &[("hashtag", "#Đường12"), ("hashtag", "#cướp")],
        );
        check("#trộm-cắp", &[("hashtag", "#trộm")]);
        check("#tro\u{323}\u{302}m", &[("hashtag", "#tro")]);
        check("#113", &[]);
        check("hẻm#trộm", &[]);
        check("#trộm#cướp", &[]);
        check("/bao mất xe", &[("bot_command", "/bao")]);
        check("/bao@keng_bot mất xe", &[("bot_command", "/bao@keng_bot")]);
        check("/báo mất xe", &[]);
        check("gọi @keng_bot nhé", &[("mention", "@keng_bot")]);
        check("thư ai@keng_bot", &[]);
        check(
            "xem https://vi.du/a?b=1.",
            &[("url", "https://vi.du/a?b=1")],
        );
    }

    #[test]
    fn html_is_read_and_its_faults_are_named() {
        let (text, found) = parse_html("Tin <b>khẩn</b> &lt;1&gt; &amp; &copy;").unwrap();
        assert_eq!(text, "Tin khẩn <1> & &copy;");
        assert_eq!(
            found,
            [Entity {
                kind: "bold",
                offset: 4,
                length: 4,
                url: None
            }]
        );
        assert_eq!(
            parse_html("a <mẹ> b").unwrap_err(),
            "Unsupported start tag \"mẹ\" at byte offset 2"
        );
        assert_eq!(
            parse_html("a < b").unwrap_err(),
            "Unclosed start tag at byte offset 2"
        );
        assert_eq!(
            parse_html("<b>a").unwrap_err(),
            "Can't find end tag corresponding to start tag \"b\""
        );
    }
}
