//! Numbers and names that must be exact: telephones, plates, accounts, links, handles.
//!
//! | text | entity |
//! | --- | --- |
//! | `0912.345.678`, `+84 912 345 678` | phone `+84912345678` |
//! | `14b1 234.56`, `29H7 0456` | plate `14B1-23456`, `29H7-0456` |
//! | `stk 5550001112223 Sacombank` | account |
//! | `abc-xyz.shop`, `https://x.vn/a?b` | url |
//! | `@nguyenvana`, `fb abc.xyz` | handle |
//! | `1.500.000`, `20/11/2026`, `113` | nothing |

use crate::domain::reading::Account;
use crate::text::Page;
use crate::text::fold::fold;
use crate::text::lexicon::What;
use crate::text::token::Token;

/// The entities of a text and the tokens they take.
#[derive(Debug, Clone, Default)]
pub struct Entities {
    /// Telephone numbers.
    pub phones: Vec<String>,
    /// Number plates.
    pub plates: Vec<String>,
    /// Web addresses.
    pub urls: Vec<String>,
    /// Social accounts.
    pub handles: Vec<String>,
    /// Bank accounts.
    pub accounts: Vec<Account>,
    /// Tokens taken.
    pub busy: Vec<(usize, usize)>,
}

/// Finds the entities among tokens `from..to`.
pub fn read(page: &Page<'_>, from: usize, to: usize, bot_names: &[String]) -> Entities {
    let mut found = Entities::default();
    let start = page.tokens.get(from).map_or(0, |token| token.start);
    let end = to
        .checked_sub(1)
        .and_then(|last| page.tokens.get(last))
        .map_or(start, |token| token.end);
    let start = if from == 0 { 0 } else { start };
    let end = if to == page.tokens.len() {
        page.text.len()
    } else {
        end
    };
    links(page, start, end, bot_names, &mut found);
    let linked = page.taken(&found.busy);
    let mut at = from;
    while at < to && found.busy.len() < MOST {
        let is_number = page.tokens.get(at).is_some_and(Token::is_number);
        if !is_number && let Some(end) = spoken(page, at, to, &mut found) {
            at = end;
            continue;
        }
        if !is_number || linked.get(at) == Some(&true) {
            at += 1;
            continue;
        }
        at = plate(page, at, to, &mut found)
            .or_else(|| digits(page, at, to, &mut found))
            .unwrap_or(at + 1);
    }
    if page.names_handles {
        handles(page, from, to, &mut found);
    }
    found
}

fn add(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// Digits of a mobile number.
const PHONE_DIGITS: usize = 10;

/// Numbers and links looked at in one text; a flood of them must not take for ever.
const MOST: usize = 400;

const ENDINGS: &[&str] = &[
    "com", "vn", "net", "org", "info", "shop", "xyz", "top", "site", "online", "store", "club",
    "vip", "pro", "me", "io", "co", "cc", "asia", "biz", "app", "link", "live", "test", "example",
    "edu", "gov", "tv", "ly", "cn", "us", "win", "bet", "fun", "icu", "life", "cloud", "website",
    "click", "page", "work", "world", "tech", "dev", "mobi", "name", "gg", "ee", "to", "be", "ink",
    "lol", "space", "today", "one", "love", "money", "bank", "finance", "services", "email",
    "support", "invalid", "sbs", "cfd", "buzz", "digital", "host", "press", "fyi", "gl", "la",
    "ws", "in", "im", "ru", "jp", "kr", "uk", "de", "fr", "eu", "casino", "games", "game", "red",
    "blue", "care", "plus", "zone", "news", "blog", "market", "trade", "group", "center", "id",
];

/// Links and `@handles`, found in the words between spaces.
fn links(page: &Page<'_>, start: usize, end: usize, bot_names: &[String], found: &mut Entities) {
    let text = page.text.get(start..end).unwrap_or("");
    let separates = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '\u{200B}' | '<' | '>' | '"' | '“' | '”' | ',' | ';' | '(' | ')' | '[' | ']'
            )
    };
    let mut seen = 0;
    for sign in memchr::memchr3_iter(b'.', b'@', b':', text.as_bytes()) {
        if sign < seen {
            continue;
        }
        if found.busy.len() >= MOST {
            break;
        }
        let (before, after) = text.split_at(sign);
        let chunk_start = before
            .get(seen..)
            .and_then(|passed| passed.rsplit(separates).next())
            .map_or(seen, |head| sign - head.len());
        seen = sign + after.find(separates).unwrap_or(after.len());
        let chunk = text.get(chunk_start..seen).unwrap_or("");
        let chunk_start = start + chunk_start;
        if chunk.len() < 3 {
            continue;
        }
        let trimmed = chunk.trim_start_matches(['\'', '(', '*', '‘', '’', '!', '.', '-', ':', '…']);
        let lead = chunk.len() - trimmed.len();
        let trimmed =
            trimmed.trim_end_matches(['.', '!', '?', ':', '\'', '*', '’', '‘', '…', '~', '-']);
        if let Some(handle) = trimmed.strip_prefix('@') {
            let length = handle
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))
                .unwrap_or(handle.len());
            let handle = handle
                .split_at_checked(length)
                .map_or("", |(handle, _)| handle)
                .trim_end_matches(['.', '-']);
            let rest = page.text.get(chunk_start + lead + 1..).unwrap_or("");
            let is_bot = bot_names.iter().any(|name| {
                let name = fold(name);
                let name = name.trim_start_matches('@');
                fold(handle) == name
                    || fold(
                        rest.get(..rest.floor_char_boundary(2 * name.len()))
                            .unwrap_or(""),
                    )
                    .starts_with(name)
            });
            if handle.len() >= 3 && !is_bot && handle.chars().any(|c| c.is_ascii_alphabetic()) {
                add(&mut found.handles, format!("@{handle}"));
                page.tokens_in(chunk_start, chunk_start + chunk.len(), &mut found.busy);
            }
            continue;
        }
        let Some(at) = url_start(trimmed) else {
            continue;
        };
        let Some(url) = trimmed.get(at..) else {
            continue;
        };
        if url.contains('@') && !url.contains("://") {
            page.tokens_in(chunk_start, chunk_start + chunk.len(), &mut found.busy);
            continue; // an e-mail address
        }
        add(&mut found.urls, url.to_owned());
        page.tokens_in(
            chunk_start + lead + at,
            chunk_start + chunk.len(),
            &mut found.busy,
        );
    }
}

fn url_start(chunk: &str) -> Option<usize> {
    let slashes = memchr::memmem::find(chunk.as_bytes(), b"://");
    if slashes.is_none() && !chunk.contains('.') {
        return None;
    }
    for scheme in [
        "https://", "http://", "hxxp://", "HTTPS://", "HTTP://", "Https://", "Http://",
    ] {
        if let Some(at) = slashes.and_then(|_| chunk.find(scheme)) {
            return (chunk.len() > at + scheme.len() + 2).then_some(at);
        }
    }
    let at = chunk
        .rfind(':')
        .filter(|at| !chunk.get(..*at).unwrap_or("").contains(['/', '.']))
        .map_or(0, |at| at + 1);
    let rest = chunk.get(at..)?;
    let host_end = rest.find(['/', '?', '#', ':']).unwrap_or(rest.len());
    let host = rest.get(..host_end)?;
    let (name, ending) = host.rsplit_once('.')?;
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    let ending = ending.to_ascii_lowercase();
    let named = (name.len() >= 2 || host_end < rest.len())
        && name.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !name.ends_with('.')
        && !name.starts_with('.');
    (plain && named && ENDINGS.contains(&ending.as_str())).then_some(at)
}

/// Handles after "fb", "tele": one token of letters, digits, dots.
fn handles(page: &Page<'_>, from: usize, to: usize, found: &mut Entities) {
    for hit in page
        .hits
        .iter()
        .filter(|hit| hit.what == What::HandleWord && hit.from >= from && hit.to < to)
    {
        if found.busy.len() >= MOST {
            break;
        }
        let Some(mut token) = page.tokens.get(hit.to) else {
            continue;
        };
        let mut next = hit.to;
        let filler = page
            .hits_at(next)
            .iter()
            .filter(|hit| hit.what == What::HandleFiller)
            .map(|hit| hit.to)
            .max();
        if let Some(end) = filler {
            next = end;
            let Some(after) = page.tokens.get(next).filter(|_| next < to) else {
                continue;
            };
            token = after;
        }
        if found
            .busy
            .iter()
            .any(|(first, last)| (*first..*last).contains(&next))
            || matches!(token.before, '/' | '.' | '@' | '\n')
        {
            continue;
        }
        let rest = page.text.get(token.start..).unwrap_or("");
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))
            .unwrap_or(rest.len());
        let Some((handle, tail)) = rest.split_at_checked(length) else {
            continue;
        };
        let handle = handle.trim_end_matches(['.', '-', '_']);
        // No syllable is as long.
        let odd = handle.len() >= 9
            || handle.contains(['.', '_'])
            || (handle.bytes().any(|b| b.is_ascii_digit())
                && handle.bytes().any(|b| b.is_ascii_alphabetic()));
        let ends = tail.chars().next().is_none_or(|c| !c.is_alphanumeric());
        if odd && ends && handle.len() >= 4 && handle.bytes().any(|b| b.is_ascii_alphabetic()) {
            add(&mut found.handles, handle.to_owned());
            page.tokens_in(token.start, token.start + handle.len(), &mut found.busy);
        }
    }
}

/// `14B1-234.56` and its spellings; returns the token after it.
fn plate(page: &Page<'_>, at: usize, to: usize, found: &mut Entities) -> Option<usize> {
    let get = |at: usize| page.tokens.get(at).filter(|_| at < to);
    let province = get(at)?;
    if province.digits != 2
        || !(11..=99).contains(&province.value)
        || matches!(province.before, '/' | '.' | '+') && !province.spaced
    {
        return None;
    }
    let series = get(at + 1)?;
    let close = |token: &Token| matches!(token.before, '\0' | '-' | ' ' | '.' | '_');
    if series.is_number()
        || series.foreign
        || series.length > 2
        || !close(series)
        || (series.spaced && series.length == 2 && series.case != crate::text::token::Case::Upper)
    {
        return None;
    }
    let first = get(at + 2).filter(|token| token.is_number())?;
    let mut letters = page.slice(series).to_owned();
    if !letters
        .chars()
        .all(|c| c.is_ascii_alphabetic() || matches!(c, 'đ' | 'Đ'))
    {
        return None;
    }
    letters = letters.to_uppercase();
    // "14h 1234" is a clock time, and 20 g or 20 m are measures.
    let mut next = at + 2;
    let mut name = format!("{:02}{letters}", province.value);
    let mut number = String::new();
    let second = get(next + 1).filter(|token| token.is_number());
    let series_digit = first.digits == 1
        && (first.glued() || matches!(first.before, '-' | ' ' | '.'))
        && second.is_some_and(|token| close(token) && token.digits >= 2);
    if series_digit {
        name.push_str(page.slice(first));
        next += 1;
    }
    let body = get(next).filter(|token| token.is_number() && close(token))?;
    let mut digits = page.ascii_digits(body);
    next += 1;
    if let Some(tail) =
        get(next).filter(|token| token.is_number() && digits.len() == 3 && token.digits == 2)
        && (tail.before == '.' || tail.before == ' ' || tail.before == '-' || tail.before == ',')
    {
        digits.push_str(&page.ascii_digits(tail));
        next += 1;
    }
    // "29H70456": the series digit may be glued to the number.
    if !series_digit
        && first.glued()
        && matches!(digits.len(), 5 | 6)
        && letters.len() == 1
        && digits.len() == 6
    {
        let (head, tail) = digits.split_at_checked(1)?;
        name.push_str(head);
        digits = tail.to_owned();
    }
    if !matches!(digits.len(), 4 | 5) {
        return None;
    }
    if letters.len() == 1
        && series.before == ' '
        && series.case == crate::text::token::Case::Lower
        && !page.word_before_is_plate(at)
    {
        return None;
    }
    if digits.len() == 4
        && matches!(letters.as_str(), "H" | "G" | "P" | "M" | "K")
        && !series_digit
        && series.case == crate::text::token::Case::Lower
    {
        return None;
    }
    number.push_str(&digits);
    add(&mut found.plates, format!("{name}-{number}"));
    found.busy.push((at, next));
    Some(next)
}

/// Telephone and account numbers: runs of digit groups; returns the token after the run.
fn digits(page: &Page<'_>, at: usize, to: usize, found: &mut Entities) -> Option<usize> {
    let first = page.tokens.get(at).filter(|token| token.is_number())?;
    let stacked = first.digits <= 4 && page.slice(first).starts_with('0');
    let joins = |token: &Token| {
        token.is_number()
            && (matches!(token.before, ' ' | '.' | '-' | '(' | ')' | '_')
                || stacked && token.before == '\n')
    };
    // The shortest account has six digits.
    if first.digits < 6
        && !page
            .tokens
            .get(at + 1)
            .is_some_and(|next| at + 1 < to && joins(next))
    {
        return Some(at + 1);
    }
    let mut number = page.ascii_digits(first);
    let plus = first.before == '+'
        || (first.before == '('
            && page
                .text
                .get(..first.start)
                .is_some_and(|before| before.trim_end().ends_with("(+")))
        || page
            .text
            .get(..first.start)
            .is_some_and(|before| before.ends_with('+'));
    let mut end = at + 1;
    let is_phone = |number: &str| phone(number, plus).is_some();
    let mut best = is_phone(&number).then_some(end);
    while end < to && number.len() < 20 {
        let Some(token) = page.tokens.get(end).filter(|token| joins(token)) else {
            break;
        };
        // A second number of full length is another number.
        if best.is_some() && token.digits >= 9 {
            break;
        }
        let glued = page
            .tokens
            .get(end + 1)
            .is_some_and(|next| !next.is_number() && next.glued());
        if glued && best.is_some() {
            break;
        }
        number.push_str(&page.ascii_digits(token));
        end += 1;
        if is_phone(&number) {
            best = Some(end);
        } else if best.is_some() {
            break;
        }
    }
    let account_before = account_word(page, at);
    if let Some(last) = best {
        let number: String = (at..last)
            .filter_map(|n| page.tokens.get(n))
            .map(|token| page.ascii_digits(token))
            .collect();
        let bank = bank_near(page, at, last, to);
        let phone_before = nearest_is_phone(page, at);
        let named = page
            .hits_at(last)
            .iter()
            .any(|hit| matches!(hit.what, What::Bank(_)))
            && page.tokens.get(last).is_some_and(|token| !token.breaks());
        if (account_before || named) && !phone_before && bank.as_deref() != Some("MoMo") && !plus {
            // A bank account may look like a telephone; a wallet is both.
            let wallet = matches!(bank.as_deref(), Some("ZaloPay" | "Viettel Money"));
            add_account(found, number.clone(), bank);
            if wallet {
                found.phones.extend(phone(&number, plus));
            }
        } else {
            if let Some(phone) = phone(&number, plus) {
                // "0345 000 611/612": the second differs in its last digits.
                let other = page
                    .tokens
                    .get(last)
                    .filter(|token| last < to && token.before == '/' && !token.spaced)
                    .filter(|token| (1..=4).contains(&token.digits))
                    .map(|token| page.ascii_digits(token))
                    .and_then(|tail| {
                        Some([phone.get(..phone.len() - tail.len())?, &tail].concat())
                    });
                add(&mut found.phones, phone);
                if let Some(other) = other {
                    add(&mut found.phones, other);
                    found.busy.push((at, last + 1));
                    return Some(last + 1);
                }
            }
            if bank.as_deref() == Some("MoMo") {
                add_account(found, number, bank);
            }
        }
        found.busy.push((at, last));
        return Some(last);
    }
    // An account is a long run, or a shorter one with a word or a bank beside it.
    let mut last = at + 1;
    let mut whole = page.ascii_digits(first);
    while last < end {
        let Some(token) = page.tokens.get(last) else {
            break;
        };
        whole.push_str(&page.ascii_digits(token));
        last += 1;
    }
    let bank = bank_near(page, at, last, to);
    let long = (6..=19).contains(&whole.len()) && !first.before.eq(&'/');
    let money = page.unit_follows(last);
    if long
        && !money
        && (account_before || (bank.is_some() && whole.len() >= 8))
        && !looks_like_money(page, at, last)
    {
        add_account(found, whole, bank);
        found.busy.push((at, last));
        return Some(last);
    }
    if whole.len() >= 7 {
        found.busy.push((at, last));
    }
    Some(last)
}

/// A telephone number told digit by digit, "không chín một hai, ba số 0, bốn năm bảy"; returns the token
/// after it.
fn spoken(page: &Page<'_>, at: usize, to: usize, found: &mut Entities) -> Option<usize> {
    let digit = |at: usize| match page.counting_word(at) {
        Some(value) => Some(value).filter(|value| *value < 10),
        None if page.says_zero(at) => Some(0),
        None => page
            .tokens
            .get(at)
            .filter(|token| token.digits == 1)
            .map(|token| token.value),
    };
    // "không" is said in every second message, "không chín" in hardly any.
    if !page.says_zero(at) || digit(at + 1).is_none() {
        return None;
    }
    let mut number = String::new();
    let mut next = at;
    while next < to && number.len() < PHONE_DIGITS {
        let token = page.tokens.get(next)?;
        if token.starts_sentence() && next > at {
            break;
        }
        let times = digit(next)?;
        let again = page
            .hits_at(next + 1)
            .iter()
            .any(|hit| hit.what == What::PhoneWord && hit.to == next + 2);
        let (times, value, end) = match digit(next + 2).filter(|_| again) {
            Some(value) => (times, value, next + 3),
            None => (1, times, next + 1),
        };
        for _ in 0..times {
            number.push(char::from_digit(value, 10)?);
        }
        next = end;
    }
    // Who goes on counting tells no number, and neither does who stammers: "ba ba ba …".
    let goes_on = next < to && digit(next).is_some();
    let stammers = ('0'..='9').filter(|one| number.contains(*one)).count() < 3;
    let phone = phone(&number, false).filter(|_| next <= to && !goes_on && !stammers)?;
    add(&mut found.phones, phone);
    found.busy.push((at, next));
    Some(next)
}

fn looks_like_money(page: &Page<'_>, at: usize, last: usize) -> bool {
    last - at > 1
        && (at + 1..last).all(|n| {
            page.tokens
                .get(n)
                .is_some_and(|token| token.digits == 3 && token.before == '.')
        })
        && page
            .tokens
            .get(last - 1)
            .is_some_and(|token| token.value == 0)
}

fn add_account(found: &mut Entities, number: String, bank: Option<String>) {
    if !found
        .accounts
        .iter()
        .any(|account| account.number == number)
    {
        found.accounts.push(Account { number, bank });
    }
}

/// The number as `+84…`, when it is a telephone number of Viet Nam.
fn phone(number: &str, plus: bool) -> Option<String> {
    let local = if let Some(rest) = number
        .strip_prefix("840")
        .or_else(|| number.strip_prefix("84"))
        && (plus || matches!(number.len(), 11 | 12))
    {
        rest
    } else if let Some(rest) = number.strip_prefix("0084") {
        rest
    } else if plus {
        return None;
    } else {
        number.strip_prefix('0')?
    };
    let mobile = local.len() == 9 && local.starts_with(['3', '5', '7', '8', '9']);
    let fixed = local.len() == 10 && local.starts_with('2');
    (mobile || fixed).then(|| format!("+84{local}"))
}

fn account_word(page: &Page<'_>, at: usize) -> bool {
    page.hits_near(at).iter().any(|hit| {
        hit.what == What::AccountWord
            && hit.to <= at
            && at - hit.to <= 3
            && close_by(page, hit.to, at)
    })
}

fn nearest_is_phone(page: &Page<'_>, at: usize) -> bool {
    let nearest = |what: What| {
        page.hits_near(at)
            .iter()
            .filter(|hit| hit.what == what && hit.to <= at && at - hit.to <= 3)
            .map(|hit| hit.to)
            .max()
    };
    match (nearest(What::PhoneWord), nearest(What::AccountWord)) {
        (Some(phone), Some(account)) => phone > account,
        (Some(_), None) => true,
        _ => false,
    }
}

/// No other number and no end of a sentence stands between.
fn close_by(page: &Page<'_>, from: usize, to: usize) -> bool {
    (from..to).all(|n| page.tokens.get(n).is_some_and(|token| !token.is_number()))
        && (from..=to).all(|n| {
            page.tokens
                .get(n)
                .is_some_and(|token| !matches!(token.before, ';' | '!' | '?'))
        })
}

fn bank_near(page: &Page<'_>, from: usize, to: usize, until: usize) -> Option<String> {
    let distance = |hit: &crate::text::lexicon::Hit| {
        if hit.from >= to && hit.to <= until && hit.from - to <= 3 && close_by(page, to, hit.from) {
            Some(hit.from - to)
        } else if hit.to <= from && from - hit.to <= 5 && close_by(page, hit.to, from) {
            Some(from - hit.to)
        } else {
            None
        }
    };
    page.hits_near(to)
        .iter()
        .filter_map(|hit| match hit.what {
            What::Bank(number) => {
                distance(hit).map(|distance| (distance, usize::MAX - (hit.to - hit.from), number))
            }
            _ => None,
        })
        .min()
        .and_then(|(_, _, number)| page.lexicon.bank(number).map(str::to_owned))
}
