//! From a webhook call to what happened on the Page and in its chats. Pure; never panics; loses no text.
//!
//! A call holds entries, an entry holds changes of the wall or messages; which, is told by the list that
//! is there. Ids come as strings or numbers, times of the wall in seconds and those of messages in
//! milliseconds, and sometimes the other way round. What the Page itself wrote comes back and becomes
//! [`Inbound::Echo`]. Whoever Meta does not name is nobody in particular. What exists and tells us
//! nothing becomes nothing; what nobody here knows becomes [`Inbound::NotUnderstood`], without its
//! contents.

use chrono::TimeDelta;

use super::post;
use crate::channel::fields::Object;
use crate::domain::clock;
use crate::domain::clock::Time;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Attachment;
use crate::domain::message::Inbound;
use crate::domain::message::Message;
use crate::domain::message::Press;
use crate::domain::message::ReplyTo;
use crate::domain::message::Sender;
use crate::domain::message::Unread;
use crate::domain::room::RoomKind;

/// How long after their last word a person may be written to (Messenger policy).
const WINDOW: TimeDelta = TimeDelta::hours(24);

/// From this number on a time is told in milliseconds: in seconds it would be the year 5138.
const IN_MS: i64 = 100_000_000_000;

/// What can be posted on a wall, by the names that webhooks give it.
const POSTS: [&str; 7] = ["post", "status", "photo", "video", "share", "album", "link"];

/// What comes with messages and tells us nothing.
const OTHER: [&str; 14] = [
    "delivery",
    "read",
    "optin",
    "account_linking",
    "app_roles",
    "pass_thread_control",
    "take_thread_control",
    "request_thread_control",
    "message_template_status_update",
    "game_play",
    "group_id",
    "response_feedback",
    "message_context",
    "payment",
];

/// Who we are, and what we know when a call is read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) account: &'a AccountName,
    /// The Page's own id.
    pub(super) page: &'a str,
    /// Whether the account posted what has this id, as far as is remembered.
    pub(super) ours: &'a dyn Fn(&AccountName, &str) -> bool,
}

/// What a call tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) inbound: Vec<Inbound>,
    /// Meta has taken measures against Pages of these accounts, in its words.
    pub(super) measures: Vec<(AccountName, String)>,
    /// Pages that nobody here reads for.
    pub(super) strangers: Vec<String>,
}

/// Reads a whole call; `None` when it is no JSON of Meta's. `reader` gives who reads for a Page: one app may
/// serve several.
pub(super) fn call<'a>(
    body: &str,
    reader: impl Fn(Option<&str>) -> Option<Reader<'a>>,
) -> Option<Told> {
    // Some samples stand in a list of one.
    let body = body.trim();
    let body = body
        .strip_prefix('[')
        .map_or(body, |inner| inner.strip_suffix(']').unwrap_or(body));
    let call = Object::read(body)?;
    let mut told = Told::default();
    for entry in call.objects("entry")? {
        let page = entry.id("id");
        match reader(page.as_deref()) {
            Some(reader) => reader.entry(&entry, &mut told),
            None => {
                told.inbound
                    .push(not_understood("an entry of another Page"));
                told.strangers.extend(page);
            }
        }
    }
    Some(told)
}

impl Reader<'_> {
    fn is_ours(self, id: &str) -> bool {
        (self.ours)(self.account, id)
    }

    fn entry(self, entry: &Object<'_>, told: &mut Told) {
        let mut is_empty = true;
        for change in entry.objects("changes").unwrap_or_default() {
            is_empty = false;
            let field = change.text("field").unwrap_or_default();
            let value = change.object("value").unwrap_or_default();
            match field.as_str() {
                "feed" => told.inbound.extend(self.on_the_wall(&value)),
                "mention" => told.inbound.extend(self.mention(&value)),
                _ => {}
            }
        }
        // In `standby` somebody else has the conversation: a report is a report all the same.
        for list in ["messaging", "standby"] {
            for event in entry.objects(list).unwrap_or_default() {
                is_empty = false;
                self.in_private(&event, told);
            }
        }
        if is_empty {
            told.inbound
                .push(not_understood("an entry without changes or messages"));
        }
    }

    // The wall --------------------------------------------------------------

    fn wall(self) -> RoomId {
        RoomId::new(self.account.clone(), self.page)
    }

    fn on_the_wall(self, value: &Object<'_>) -> Option<Inbound> {
        let item = value.text("item").unwrap_or_default();
        let verb = value.text("verb").unwrap_or_default();
        let is_comment = item == "comment";
        if !is_comment && !POSTS.contains(&item.as_str()) {
            return None;
        }
        let key = if is_comment { "comment_id" } else { "post_id" };
        let Some(id) = value.id(key) else {
            return Some(not_understood("something on the wall without an id"));
        };
        let message = MessageId(id.as_str().into());
        let author = self.author(value);
        let is_own = author.as_ref().is_some_and(|(id, _)| id == self.page)
            || (author.is_none() && (self.is_ours(&id) || item == "status"));
        match verb.as_str() {
            "add" if is_own => Some(Inbound::Echo {
                room: self.wall(),
                message,
                text: value.text("message").unwrap_or_default(),
                at: moment(value.number("created_time")),
            }),
            _ if is_own => None,
            "add" => self
                .written(value, id, is_comment, author)
                .map(Inbound::Said),
            "edited" | "edit" => self
                .written(value, id, is_comment, author)
                .map(Inbound::Edited),
            "remove" | "delete" => Some(Inbound::Deleted {
                room: self.wall(),
                message,
            }),
            _ => None,
        }
    }

    /// A comment or a visitor's post; one without words or pictures is none.
    fn written(
        self,
        value: &Object<'_>,
        id: String,
        is_comment: bool,
        author: Option<(String, String)>,
    ) -> Option<Message> {
        let text = value.text("message").unwrap_or_default();
        let attachments = pictures(value);
        if text.is_empty() && attachments.is_empty() {
            return None;
        }
        let parent = value.id("parent_id").filter(|_| is_comment);
        let post = value.id("post_id");
        let aside = if is_comment {
            post::aside_of_comment(&id)
        } else {
            post::aside_of_post(&id)
        };
        // A comment under a post answers the post, whoever wrote it: that alone is not for the bot.
        let reply_to = parent
            .filter(|parent| post.as_deref().is_none_or(|post| !is_same(parent, post)))
            .map(|parent| ReplyTo {
                to_bot: self.is_ours(&parent),
                id: MessageId(parent.into()),
            });
        Some(Message {
            room: self.wall(),
            room_kind: RoomKind::Group,
            room_title: String::new(),
            thread: Some(post.unwrap_or_else(|| id.clone())),
            sender: author.map_or(Sender::Anonymous, |(native, name)| Sender::Person {
                native,
                name,
            }),
            sent_at: moment(value.number("created_time")),
            text,
            attachments,
            reply_to,
            mentioned: false,
            perhaps_reply: false,
            album: None,
            forwarded: false,
            aside: post::is_id(&id).then(|| RoomId::new(self.account.clone(), aside)),
            id: MessageId(id.into()),
        })
    }

    /// Somebody names the Page elsewhere. On its own wall the same is told with its author.
    fn mention(self, value: &Object<'_>) -> Option<Inbound> {
        let on_our_wall = value
            .id("post_id")
            .is_none_or(|post| post.split('_').next() == Some(self.page));
        let is_new = value.text("verb").as_deref() == Some("add");
        if on_our_wall || !is_new {
            return None;
        }
        let comment = value.id("comment_id");
        let is_comment = comment.is_some();
        let id = comment.or_else(|| value.id("post_id"))?;
        let author = self.author(value);
        let message = self.written(value, id, is_comment, author)?;
        Some(Inbound::Said(Message {
            mentioned: true,
            ..message
        }))
    }

    /// Who wrote, by both the newer and the older fields; `None` where Meta withholds it.
    fn author(self, value: &Object<'_>) -> Option<(String, String)> {
        let from = value.object("from").unwrap_or_default();
        let id = from.id("id").or_else(|| value.id("sender_id"))?;
        let name = from.text("name").or_else(|| value.text("sender_name"));
        Some((id, name.unwrap_or_default()))
    }

    // Chats -----------------------------------------------------------------

    fn in_private(self, event: &Object<'_>, told: &mut Told) {
        if let Some(measure) = event
            .object("policy_enforcement")
            .or_else(|| event.object("policy-enforcement"))
        {
            if measure.text("action").as_deref() != Some("unblock") {
                let why = measure.text("reason").or_else(|| measure.text("action"));
                let why = why.unwrap_or_default();
                told.measures.push((self.account.clone(), why));
            }
            return;
        }
        if OTHER.iter().any(|key| event.raw(key).is_some()) {
            return;
        }
        let (Some(from), Some(to)) = (id_in(event, "sender"), id_in(event, "recipient")) else {
            told.inbound
                .push(not_understood("a message without its two ends"));
            return;
        };
        let at = moment(event.number("timestamp"));
        let message = event.object("message");
        if from == self.page || message.as_ref().is_some_and(|one| one.flag("is_echo")) {
            told.inbound.extend(self.echo(message, &to, at));
            return;
        }
        let chat = Chat {
            reader: self,
            room: RoomId::new(self.account.clone(), from.as_str()),
            person: from,
            at,
        };
        chat.read(event, message, told);
    }

    /// One of our messages, come back.
    fn echo(self, message: Option<Object<'_>>, to: &str, at: Time) -> Option<Inbound> {
        let message = message?;
        Some(Inbound::Echo {
            room: RoomId::new(self.account.clone(), to),
            message: MessageId(message.id("mid")?.into()),
            text: message.text("text").unwrap_or_default(),
            at,
        })
    }
}

/// Somebody's chat with the Page, at one event.
struct Chat<'a> {
    reader: Reader<'a>,
    room: RoomId,
    person: String,
    at: Time,
}

impl Chat<'_> {
    fn read(self, event: &Object<'_>, message: Option<Object<'_>>, told: &mut Told) {
        if let Some(message) = message {
            if message.flag("is_deleted") {
                let Some(id) = message.id("mid") else { return };
                told.inbound.push(Inbound::Deleted {
                    room: self.room,
                    message: MessageId(id.into()),
                });
                return;
            }
            told.inbound.push(self.opened());
            told.inbound.push(self.message(&message));
            return;
        }
        if let Some(edit) = event.object("message_edit") {
            let id = edit.id("mid");
            told.inbound.push(match id {
                Some(id) => Inbound::Edited(self.said(id, edit.text("text").unwrap_or_default())),
                None => not_understood("a changed message without an id"),
            });
            return;
        }
        if let Some(postback) = event.object("postback") {
            told.inbound.push(self.opened());
            told.inbound.push(self.postback(&postback));
            return;
        }
        if let Some(referral) = event.object("referral") {
            told.inbound.push(self.opened());
            told.inbound.extend(self.referred(&referral, None));
            return;
        }
        if let Some(reaction) = event.object("reaction") {
            if reaction.text("action").as_deref() == Some("react") {
                told.inbound.push(self.opened());
            }
            return;
        }
        told.inbound
            .push(not_understood("a message of no kind that we know"));
    }

    fn opened(&self) -> Inbound {
        Inbound::Opened {
            room: self.room.clone(),
            until: self.at + WINDOW,
        }
    }

    fn said(&self, id: String, text: String) -> Message {
        Message {
            room: self.room.clone(),
            room_kind: RoomKind::Private,
            room_title: String::new(),
            thread: None,
            id: MessageId(id.into()),
            sender: Sender::Person {
                native: self.person.clone(),
                name: String::new(),
            },
            sent_at: self.at,
            text,
            attachments: Vec::new(),
            reply_to: None,
            mentioned: false,
            perhaps_reply: false,
            album: None,
            forwarded: false,
            aside: None,
        }
    }

    fn message(&self, message: &Object<'_>) -> Inbound {
        let id = message.id("mid").unwrap_or_else(|| {
            // Without an id the moment and the author keep two messages apart.
            format!("at:{}:{}", self.at.timestamp_millis(), self.person)
        });
        let payload = message
            .object("quick_reply")
            .and_then(|reply| reply.text("payload"));
        if let Some(data) = payload {
            return self.pressed(&id, data);
        }
        let text = message.text("text").unwrap_or_default();
        let attachments = attachments(message);
        if text.is_empty() && attachments.is_empty() {
            return Inbound::Unread(Unread {
                room: self.room.clone(),
                id: MessageId(id.into()),
                sent_at: self.at,
                withheld: message.flag("is_unsupported"),
            });
        }
        let reply_to = message.object("reply_to").and_then(|reply| {
            let id = reply.id("mid")?;
            Some(ReplyTo {
                to_bot: !reply.flag("is_self_reply") && self.reader.is_ours(&id),
                id: MessageId(id.into()),
            })
        });
        Inbound::Said(Message {
            attachments,
            reply_to,
            ..self.said(id, text)
        })
    }

    /// A button's word to us. The chat stands in the id, since the answer must find it.
    fn pressed(&self, id: &str, data: String) -> Inbound {
        Inbound::Pressed(Press {
            room: self.room.clone(),
            room_kind: RoomKind::Private,
            thread: None,
            id: format!("{}/{id}", self.person),
            sender: Sender::Person {
                native: self.person.clone(),
                name: String::new(),
            },
            message: None,
            data,
        })
    }

    fn postback(&self, postback: &Object<'_>) -> Inbound {
        let payload = postback.text("payload").unwrap_or_default();
        let id = postback.id("mid");
        let id = id.unwrap_or_else(|| format!("at:{}:{payload}", self.at.timestamp_millis()));
        let referral = postback.object("referral");
        if let Some(came) = referral.and_then(|referral| self.referred(&referral, Some(&id))) {
            return came;
        }
        // "Get started": there is no other way to begin a chat by a button.
        if payload.is_empty() || payload.to_ascii_uppercase().contains("GET_STARTED") {
            return Inbound::Said(self.said(id, "/start".to_owned()));
        }
        self.pressed(&id, payload)
    }

    /// Somebody came by a link that carries a code.
    fn referred(&self, referral: &Object<'_>, id: Option<&str>) -> Option<Inbound> {
        let code = referral.text("ref")?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=".contains(c);
        if !code.chars().all(is_plain) {
            return None;
        }
        let id = id.map_or_else(
            || format!("at:{}:ref", self.at.timestamp_millis()),
            str::to_owned,
        );
        Some(Inbound::Said(self.said(id, format!("/start {code}"))))
    }
}

fn not_understood(why: &str) -> Inbound {
    Inbound::NotUnderstood {
        why: why.to_owned(),
    }
}

fn id_in(event: &Object<'_>, key: &str) -> Option<String> {
    event.object(key)?.id("id")
}

/// A moment in seconds or milliseconds since 1970. What is missing is the intake's to date.
fn moment(number: Option<i64>) -> Time {
    let number = number.unwrap_or(0);
    clock::from_unix_ms(if number >= IN_MS {
        number
    } else {
        number.saturating_mul(1000)
    })
}

/// Whether two ids name one thing: some calls leave the part before the underscore away.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    last_part(a) == last_part(b)
}

/// The part of an id that is its own.
pub(super) fn last_part(id: &str) -> &str {
    id.rsplit('_').next().unwrap_or(id)
}

/// What was put on the wall besides words.
fn pictures(value: &Object<'_>) -> Vec<Attachment> {
    let several = value.texts("photos");
    let mut all: Vec<Attachment> = several.into_iter().map(Attachment::Photo).collect();
    if all.is_empty() {
        let item = value.text("item").unwrap_or_default();
        let one = value.text("photo");
        // A photo that was posted by itself stands behind its link.
        let one = one.or_else(|| value.text("link").filter(|_| item == "photo"));
        all.extend(one.map(Attachment::Photo));
    }
    let video = value.text("video").map(|url| Attachment::File {
        kind: "video".to_owned(),
        reference: url,
    });
    all.extend(video);
    all
}

fn attachments(message: &Object<'_>) -> Vec<Attachment> {
    let all = message.objects("attachments").unwrap_or_default();
    all.iter()
        .filter_map(|one| {
            let kind = one.text("type")?;
            let payload = one.object("payload").unwrap_or_default();
            attachment(kind.trim(), &payload)
        })
        .collect()
}

fn attachment(kind: &str, payload: &Object<'_>) -> Option<Attachment> {
    match kind {
        // Nothing to see in them, by both of their names.
        "sticker" => None,
        "image" if payload.raw("sticker_id").is_some() => None,
        "image" => payload.text("url").map(Attachment::Photo),
        "location" => {
            let point = payload.object("coordinates")?;
            Some(Attachment::Location {
                latitude: point.fraction("lat")?,
                longitude: point.fraction("long")?,
                name: payload.text("title"),
            })
        }
        // The preview of a link that stands in the words anyway.
        "fallback" => None,
        other => Some(Attachment::File {
            kind: other.to_owned(),
            reference: payload.text("url")?,
        }),
    }
}

#[cfg(test)]
mod tests;
