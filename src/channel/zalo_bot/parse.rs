//! Reads what the platform tells, in every shape that has been seen or described.

use serde_json::value::RawValue;
use sha2::Digest as _;
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization as _;

use crate::channel::json::Object;
use crate::domain::clock::Time;
use crate::domain::clock::from_unix_ms;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Attachment;
use crate::domain::message::Inbound;
use crate::domain::message::Message;
use crate::domain::message::Sender;
use crate::domain::message::Unread;
use crate::domain::room::RoomKind;

/// Dates below this are seconds: as milliseconds they would lie in 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// Every update in a body: flat, wrapped in `result`, or several in a list. `None`: it is no JSON that
/// could be one.
pub(super) fn updates(text: &str, account: &AccountName, names: &[String]) -> Option<Vec<Inbound>> {
    if text.trim_start().starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let all = list.iter().filter_map(|one| Object::read(one.get()));
        return Some(all.flat_map(|one| update(&one, account, names)).collect());
    }
    let body = Object::read(text)?;
    match body.raw("result") {
        Some(result) if body.raw("event_name").is_none() => {
            let inner = result.get();
            if inner.starts_with('[') || inner.starts_with('{') {
                updates(inner, account, names)
            } else {
                Some(Vec::new())
            }
        }
        // An answer without news.
        None if body.raw("event_name").is_none() && body.raw("message").is_none() => {
            Some(match body.flag("ok") {
                Some(true) => Vec::new(),
                _ => vec![not_understood("no event and no message")],
            })
        }
        _ => Some(update(&body, account, names)),
    }
}

fn not_understood(why: &str) -> Inbound {
    Inbound::NotUnderstood {
        why: why.to_owned(),
    }
}

fn update(update: &Object<'_>, account: &AccountName, names: &[String]) -> Vec<Inbound> {
    let event = update.text("event_name");
    let event = event.as_ref().map_or("", |event| event.as_str());
    if event == "webhook.test" {
        return Vec::new();
    }
    // Some keep the fields of a message beside the name of the event.
    let inside = update.object("message");
    let message = match &inside {
        Some(message) => message,
        None if update.raw("chat").is_some() => update,
        // Nobody is named whom we could tell that they were not read.
        None => return vec![not_understood("an event without a message")],
    };
    let Some(envelope) = Envelope::of(message, account) else {
        return vec![not_understood("a message without a chat")];
    };
    let mut news = Vec::new();
    if envelope.kind == RoomKind::Group {
        news.push(Inbound::Met {
            room: envelope.room.clone(),
            at: envelope.sent_at,
        });
    }
    news.push(envelope.read(message, event, names));
    news
}

/// Where, who, when and which.
struct Envelope {
    room: RoomId,
    kind: RoomKind,
    id: MessageId,
    sender: Sender,
    sent_at: Time,
}

/// A text that says something, trimmed.
fn word(object: &Object<'_>, key: &str) -> Option<String> {
    let word = object.text(key)?.as_str().trim().to_owned();
    (!word.is_empty()).then_some(word)
}

/// A date in milliseconds or, if it would lie in 1973 otherwise, in seconds.
fn date(message: &Object<'_>) -> i64 {
    let date = message.number("date").unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` saturates, and absurd dates are dealt with later"
    )]
    let date = date as i64;
    if date < SECONDS_BELOW {
        date.saturating_mul(1_000)
    } else {
        date
    }
}

impl Envelope {
    fn of(message: &Object<'_>, account: &AccountName) -> Option<Self> {
        let chat = message.object("chat").unwrap_or_default();
        let from = message.object("from").unwrap_or_default();
        let (chat_id, from_id) = (word(&chat, "id"), word(&from, "id"));
        let named = word(&chat, "chat_type").or_else(|| word(&chat, "type"));
        let kind = match named.map(|kind| kind.to_ascii_uppercase()).as_deref() {
            Some("PRIVATE" | "USER") => RoomKind::Private,
            Some("GROUP") => RoomKind::Group,
            // A private chat has the id of its person. Of two ids that differ it is safer to believe
            // that others listen.
            _ if chat_id == from_id => RoomKind::Private,
            _ => RoomKind::Group,
        };
        let is_private = kind == RoomKind::Private;
        let native = match &chat_id {
            Some(chat) => chat.clone(),
            None if is_private => from_id.clone()?,
            None => return None,
        };
        let author = match &from_id {
            Some(from) => Some(from.clone()),
            None => is_private.then(|| native.clone()),
        };
        let sender = match author {
            _ if from.flag("is_bot") == Some(true) => Sender::Bot,
            Some(author) => Sender::Person {
                native: author,
                name: word(&from, "display_name")
                    .or_else(|| word(&from, "name"))
                    .unwrap_or_default(),
            },
            None => Sender::Anonymous,
        };
        let date = date(message);
        let id = word(message, "message_id")
            .unwrap_or_else(|| made_up_id(&native, from_id.as_deref(), date, message));
        Some(Self {
            room: RoomId::new(account.clone(), native),
            kind,
            id: MessageId(id.into()),
            sender,
            sent_at: from_unix_ms(date),
        })
    }

    fn read(self, message: &Object<'_>, event: &str, names: &[String]) -> Inbound {
        let attachments = attachments(message);
        // A text of blanks is a text: a mention and no more, which the platform has taken out.
        let mut words = message.text("text");
        if words
            .as_ref()
            .is_none_or(|words| words.as_str().trim().is_empty())
        {
            words = message.text("caption").or(words);
        }
        if words.is_none() && attachments.is_empty() {
            let withheld = !event.starts_with("message.sticker") && self.sender != Sender::Bot;
            return Inbound::Unread(Unread {
                room: self.room,
                id: self.id,
                sent_at: self.sent_at,
                withheld,
            });
        }
        let words = words.map_or_else(String::new, |words| words.as_str().to_owned());
        let in_group = self.kind == RoomKind::Group;
        Inbound::Said(Message {
            room: self.room,
            room_kind: self.kind,
            room_title: String::new(),
            thread: None,
            id: self.id,
            sender: self.sender,
            sent_at: self.sent_at,
            text: without_mention(&words, names).unwrap_or(words),
            attachments,
            reply_to: None,
            mentioned: in_group,
            perhaps_reply: in_group,
            album: None,
            forwarded: false,
            aside: None,
        })
    }
}

/// An id for a message without one, the same whenever it is told.
fn made_up_id(chat: &str, from: Option<&str>, date: i64, message: &Object<'_>) -> String {
    let mut hash = Sha256::new();
    let written = ["text", "caption", "photo_url", "photo"].map(|key| word(message, key));
    let envelope = [chat, from.unwrap_or_default(), &date.to_string()];
    let parts = envelope.into_iter().map(str::to_owned);
    for part in parts.chain(written.into_iter().map(Option::unwrap_or_default)) {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let hex: String = hash.iter().take(10).map(|b| format!("{b:02x}")).collect();
    format!("keng-{hex}")
}

fn attachments(message: &Object<'_>) -> Vec<Attachment> {
    let mut all = Vec::new();
    for key in ["photo_url", "photo", "photos"] {
        for raw in message.list(key) {
            let address = serde_json::from_str::<String>(raw.get()).ok().or_else(|| {
                let photo = Object::read(raw.get())?;
                let address = photo.text("url").or_else(|| photo.text("photo_url"))?;
                Some(address.as_str().to_owned())
            });
            let known = |address: &String| {
                all.iter()
                    .any(|one| matches!(one, Attachment::Photo(other) if other == address))
            };
            if let Some(address) = address.filter(|address| !address.is_empty() && !known(address))
            {
                all.push(Attachment::Photo(address));
            }
        }
    }
    if let Some(address) = message.text("voice_url") {
        all.push(Attachment::File {
            kind: "voice".to_owned(),
            reference: address.as_str().to_owned(),
        });
    }
    all
}

/// The words without `@name` before or behind them; `None` when it stands in neither place.
fn without_mention(text: &str, names: &[String]) -> Option<String> {
    if !text.contains(['@', '＠']) {
        return None;
    }
    // Telephones write ộ in several ways; the bot's name was written on another one.
    let text: String = text.nfc().collect();
    let mut rest = text.trim();
    let mut found = false;
    if let Some(after) = rest.strip_prefix(['@', '＠'])
        && let Some(end) = names
            .iter()
            .filter_map(|name| starts_with(after, name))
            .max()
    {
        let (_, after) = after.split_at(end);
        rest = after.trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, ':' | ',' | '-' | '\u{200B}'..='\u{200F}' | '\u{FEFF}')
        });
        found = true;
    }
    if let Some(at) = rest.rfind(['@', '＠']) {
        let (before, mention) = rest.split_at(at);
        let name = mention.trim_start_matches(['@', '＠']);
        let stands = |end: usize| {
            let (_, after) = name.split_at(end);
            after.chars().all(|c| !c.is_alphanumeric())
        };
        let glued = before.ends_with(|c: char| c.is_alphanumeric());
        if !glued
            && names
                .iter()
                .filter_map(|wanted| starts_with(name, wanted))
                .any(stands)
        {
            rest = before.trim_end();
            found = true;
        }
    }
    found.then(|| rest.to_owned())
}

/// How many bytes of `text` are `name`, whatever its case, when a word ends there.
fn starts_with(text: &str, name: &str) -> Option<usize> {
    let name: String = name.trim().trim_start_matches('@').nfc().collect();
    let mut wanted = name.chars().flat_map(char::to_lowercase).peekable();
    wanted.peek()?;
    for (at, c) in text.char_indices() {
        if wanted.peek().is_none() {
            return (!c.is_alphanumeric()).then_some(at);
        }
        for letter in c.to_lowercase() {
            let want = wanted.next()?;
            if want != letter && !(want.is_whitespace() && letter.is_whitespace()) {
                return None;
            }
        }
    }
    wanted.peek().is_none().then_some(text.len())
}
