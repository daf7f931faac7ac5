//! From a post to a call, and from an answer to what became of it. Pure.
//!
//! Where something is said is told by the room: the Page's own id is its wall, `reply:c:…` and `reply:p:…`
//! are the one private word that a comment or a visitor's post may be answered with, and every other id is
//! a person's chat with the Page.

use std::time::Duration;

use reqwest::multipart::Form;
use reqwest::multipart::Part;
use serde_json::Value;
use serde_json::json;

use super::api::Budget;
use crate::channel::Address;
use crate::channel::call::Answered;
use crate::channel::call::Silence;
use crate::channel::fields::Object;
use crate::domain::delivery::Button;
use crate::domain::delivery::Picture;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;

/// The longest text of a post on the wall, in UTF-16 units (Graph API, Page feed).
pub(super) const MAX_POST: usize = 63_206;

/// The longest text of a message, in UTF-16 units (Send API).
pub(super) const MAX_MESSAGE: usize = 2_000;

/// The longest label of a quick reply, in UTF-16 units.
const MAX_LABEL: usize = 20;

/// The most quick replies under one message.
const MAX_BUTTONS: usize = 13;

/// The longest text that is put into a utility template: its body may have 1,024 characters in all.
const MAX_UTILITY: usize = 700;

/// After a limit that names no time.
const SLOW_DOWN: Duration = Duration::from_secs(60);

/// After being told that what we do is not wanted: nobody must hammer on that door.
const BLOCKED: Duration = Duration::from_secs(3600);

/// Where a private answer to a comment goes.
const TO_COMMENT: &str = "reply:c:";
/// Where a private answer to a visitor's post goes.
const TO_POST: &str = "reply:p:";

/// The room in which the author of a comment can be answered alone, once.
pub(super) fn aside_of_comment(comment: &str) -> String {
    format!("{TO_COMMENT}{comment}")
}

/// The room in which the author of a post can be answered alone, once.
pub(super) fn aside_of_post(post: &str) -> String {
    format!("{TO_POST}{post}")
}

/// What a native id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The Page's wall.
    Wall,
    /// The author of a comment, once.
    Comment(&'a str),
    /// The author of a post, once.
    VisitorPost(&'a str),
    /// Somebody's chat with the Page.
    Person(&'a str),
}

impl<'a> Place<'a> {
    pub(super) fn of(native: &'a str, page: &str) -> Self {
        if native == page {
            return Self::Wall;
        }
        if let Some(comment) = native.strip_prefix(TO_COMMENT) {
            return Self::Comment(comment);
        }
        if let Some(post) = native.strip_prefix(TO_POST) {
            return Self::VisitorPost(post);
        }
        Self::Person(native)
    }

    /// Whose calls a word there counts for.
    pub(super) fn budget(self) -> Budget {
        match self {
            Self::Wall => Budget::Page,
            Self::Comment(_) | Self::VisitorPost(_) | Self::Person(_) => Budget::Messenger,
        }
    }
}

/// An id that may stand in a path: ids are digits, with an underscore between two of them.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A call, ready to leave.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) body: Value,
    /// The message that it changes.
    pub(super) edits: Option<MessageId>,
}

/// The call that says `post` there. `picture` is what Meta calls its picture, which was uploaded before.
pub(super) fn request(
    to: &Address,
    post: &Post,
    picture: Option<&str>,
    page: &str,
) -> Result<Request, SendOutcome> {
    let place = Place::of(&to.room.native, page);
    let recipient = match place {
        Place::Wall => return on_the_wall(to, post, picture, page),
        Place::Comment(id) => json!({ "comment_id": id }),
        Place::VisitorPost(id) => json!({ "post_id": id }),
        Place::Person(id) => json!({ "id": id }),
    };
    let mut message = json!({ "text": post.text, "metadata": mark(to.row) });
    if let Some(id) = picture {
        // Words and a picture are two messages here.
        message = json!({ "metadata": mark(to.row), "attachment": {
            "type": "image", "payload": { "attachment_id": id },
        } });
    }
    let replies = quick_replies(&post.buttons);
    if !replies.is_empty() {
        message["quick_replies"] = replies.into();
    }
    let mut body = json!({
        "recipient": recipient,
        "messaging_type": "RESPONSE",
        "message": message,
    });
    if let (Place::Person(_), Some(answered)) = (place, &post.reply_to)
        && answered.as_str().starts_with("m_")
    {
        body["reply_to"] = json!({ "mid": answered.as_str() });
    }
    Ok(Request {
        path: format!("{page}/messages"),
        body,
        edits: None,
    })
}

fn on_the_wall(
    to: &Address,
    post: &Post,
    picture: Option<&str>,
    page: &str,
) -> Result<Request, SendOutcome> {
    let mut body = json!({ "message": post.text });
    let under = match (&post.edits, &post.reply_to, &to.thread) {
        (Some(edited), ..) => {
            let path = checked(edited.as_str())?.to_owned();
            attach(&mut body, picture);
            return Ok(Request {
                path,
                body,
                edits: Some(edited.clone()),
            });
        }
        (None, Some(answered), _) => Some(answered.as_str()),
        (None, None, Some(thread)) => Some(thread.as_str()),
        (None, None, None) => None,
    };
    // Never the comment itself: a message posted there would change it.
    let path = match under {
        Some(under) => format!("{}/comments", checked(under)?),
        None => {
            attach(&mut body, picture);
            format!("{page}/feed")
        }
    };
    Ok(Request {
        path,
        body,
        edits: None,
    })
}

/// A post that shows a photo which nobody sees yet: it is a post like any other, so that it is changed,
/// commented on and told of under one id. (A photo that is published by itself has two.)
fn attach(body: &mut Value, picture: Option<&str>) {
    if let Some(id) = picture {
        body["attached_media"] = json!([{ "media_fbid": id }]);
    }
}

/// How Meta is given a picture.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) path: String,
    /// What stands beside the file.
    pub(super) field: (&'static str, &'static str),
    /// The file's own field.
    pub(super) file: &'static str,
    /// Where the answer tells what Meta calls it.
    pub(super) id: &'static str,
}

impl Upload {
    /// For the wall a photo that is not published, for chats an attachment that many messages may have.
    pub(super) fn to(place: Place<'_>, page: &str) -> Self {
        match place {
            Place::Wall => Self {
                path: format!("{page}/photos"),
                field: ("published", "false"),
                file: "source",
                id: "id",
            },
            Place::Comment(_) | Place::VisitorPost(_) | Place::Person(_) => Self {
                path: format!("{page}/message_attachments"),
                field: (
                    "message",
                    r#"{"attachment":{"type":"image","payload":{"is_reusable":true}}}"#,
                ),
                file: "filedata",
                id: "attachment_id",
            },
        }
    }

    /// The form that carries it.
    pub(super) fn form(&self, picture: &Picture) -> Result<Form, SendOutcome> {
        let file = Part::bytes(picture.bytes.clone())
            .file_name(picture.kind.file_name())
            .mime_str(picture.kind.mime())
            .map_err(|_| refused("the picture cannot be sent"))?;
        let (name, value) = self.field;
        Ok(Form::new().text(name, value).part(self.file, file))
    }

    /// What Meta calls it; nothing was posted where it says nothing.
    pub(super) fn name(&self, answered: &Answered) -> Result<String, SendOutcome> {
        let text = String::from_utf8_lossy(&answered.body);
        let answer = Object::read(&text).filter(|answer| answer.raw("error").is_none());
        if let Some(id) = answer.and_then(|answer| answer.id(self.id)) {
            return Ok(id);
        }
        Err(match outcome(answered, None) {
            // Nobody has seen anything yet.
            Meaning::Unknown(why) => SendOutcome::NotNow(why),
            Meaning::Done(_) => SendOutcome::NotNow("the upload was answered without an id".into()),
            other => other.into_outcome(),
        })
    }
}

/// Whether a post shows another picture than this one, as far as the answer about its attachments tells.
pub(super) fn shows_another(answer: &str, picture: &str) -> bool {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let shown = answer["data"].as_array();
    let mut shown = shown.into_iter().flatten();
    shown.any(|one| {
        let id = &one["target"]["id"];
        id.as_str().is_some_and(|id| id != picture)
    })
}

fn checked(id: &str) -> Result<&str, SendOutcome> {
    if is_id(id) {
        Ok(id)
    } else {
        Err(refused("the message has no id of Facebook's"))
    }
}

/// The same words by an approved template, which may be sent at any time: its one gap takes them whole.
pub(super) fn by_template(to: &Address, post: &Post, page: &str, name: &str) -> Option<Request> {
    let Place::Person(id) = Place::of(&to.room.native, page) else {
        return None;
    };
    // What stands in a gap is one line.
    let words = post.text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !post.buttons.is_empty() || words.encode_utf16().count() > MAX_UTILITY {
        return None;
    }
    let parameters = json!([{ "type": "text", "text": words }]);
    Some(Request {
        path: format!("{page}/messages"),
        body: json!({
            "recipient": { "id": id },
            "messaging_type": "UTILITY",
            "message": { "template": {
                "name": name,
                "language": { "code": "vi" },
                "components": [{ "type": "body", "parameters": parameters }],
            } },
        }),
        edits: None,
    })
}

/// The mark by which our own messages are known when they come back.
fn mark(row: Option<DeliveryId>) -> String {
    row.map_or_else(|| "keng".to_owned(), |row| format!("keng:{row}"))
}

fn quick_replies(rows: &[Vec<Button>]) -> Vec<Value> {
    let buttons = rows.iter().flatten().take(MAX_BUTTONS);
    buttons
        .map(|button| {
            json!({
                "content_type": "text",
                "title": short(&button.label),
                "payload": button.data,
            })
        })
        .collect()
}

/// As much of a label as a button shows.
fn short(label: &str) -> String {
    let mut left = MAX_LABEL;
    let fits = label.chars().take_while(|letter| {
        let fits = letter.len_utf16() <= left;
        left = left.saturating_sub(letter.len_utf16());
        fits
    });
    fits.collect::<String>().trim_end().to_owned()
}

fn refused(why: impl Into<String>) -> SendOutcome {
    SendOutcome::Refused {
        why: why.into(),
        room_gone: false,
    }
}

/// What a call without an answer means.
pub(super) fn unanswered(silence: Silence) -> SendOutcome {
    match silence {
        Silence::NotSent(why) => SendOutcome::NotNow(why),
        Silence::NoAnswer(why) => SendOutcome::Unknown(why),
    }
}

/// What an answer means. Whether it is an error is told by its body, not by its status.
pub(super) fn outcome(answered: &Answered, edits: Option<&MessageId>) -> Meaning {
    let text = String::from_utf8_lossy(&answered.body);
    let Some(answer) = Object::read(&text) else {
        return unreadable(answered);
    };
    if let Some(error) = answer.object("error") {
        let code = error.number("code").unwrap_or(0);
        let subcode = error.number("error_subcode").unwrap_or(0);
        let words = error.text("message").unwrap_or_default();
        let transient = error.flag("is_transient");
        let meaning = meaning(code, subcode, &words);
        return match meaning {
            Meaning::Nameless(why) if transient || answered.status >= 500 => Meaning::Unknown(why),
            other => other,
        };
    }
    let id = ["message_id", "post_id", "id"]
        .into_iter()
        .find_map(|key| answer.id(key));
    match id {
        Some(id) => Meaning::Done(Some(MessageId(id.into()))),
        None if (200..300).contains(&answered.status) => Meaning::Done(edits.cloned()),
        None => unreadable(answered),
    }
}

fn unreadable(answered: &Answered) -> Meaning {
    let why = format!(
        "the server answered HTTP {} and nothing readable",
        answered.status
    );
    match answered.status {
        429 => Meaning::SlowDown {
            wait: answered.retry_after.map_or(SLOW_DOWN, |seconds| {
                Duration::from_secs(seconds.clamp(1, 3600))
            }),
            whole_account: true,
        },
        // A gateway's page: what we asked may have gone through before it.
        300..=499 => Meaning::NotNow(why),
        _ => Meaning::Unknown(why),
    }
}

/// What one of Meta's error numbers means for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is there.
    Done(Option<MessageId>),
    /// It may be there: never sent again by itself.
    Unknown(String),
    /// A limit.
    SlowDown { wait: Duration, whole_account: bool },
    /// It will pass.
    NotNow(String),
    /// The person must write first.
    Closed(String),
    /// Just this will never go.
    Refused(String),
    /// This person can be written to no more.
    Gone(String),
    /// Nothing of this account goes until a person acts.
    NeedsPerson(String),
    /// The Page may send no messages for now; its wall goes on. A person must look.
    Barred(String),
    /// Nothing of this account may go for now, and a person must look.
    Blocked(String),
    /// Nobody says what it means.
    Nameless(String),
}

/// The table of error numbers.
pub(super) fn meaning(code: i64, subcode: i64, words: &str) -> Meaning {
    let words: String = words.chars().take(200).collect();
    let says = |ours: &str| format!("{ours} ({code}/{subcode}: {words})");
    let slow = |wait: Duration, whole_account: bool| Meaning::SlowDown {
        wait,
        whole_account,
    };
    match (code, subcode) {
        (1 | 2, _) => Meaning::Unknown(says("the platform does not know what became of it")),
        (4 | 17 | 32, _) => slow(SLOW_DOWN, true),
        (613, 2_018_338) => Meaning::Refused(says("people call it a nuisance")),
        (613, _) => slow(SLOW_DOWN, true),
        (80_001 | 80_006, _) => slow(SLOW_DOWN, false),
        (341, _) => slow(BLOCKED, true),
        (368, _) => Meaning::Blocked(says("Meta has blocked the Page for a while")),
        (10, 2_018_278 | 2_534_022 | 2_018_065) => {
            Meaning::Closed(says("outside the 24 hours after the person's last word"))
        }
        (10, 1_893_063) => Meaning::Barred(says("the Page may send no messages for a while")),
        (10, 2_018_108 | 1_893_015 | 1_404_170) => {
            Meaning::Refused(says("the person takes no messages now"))
        }
        (10, _) => Meaning::NeedsPerson(says("the app has lost a permission: grant it again")),
        (100, 2_018_001) => Meaning::Gone(says("the person is not known to this Page")),
        (100, 33) => Meaning::Refused(says("what it answers is deleted or hidden from the Page")),
        (100, _) if words.contains("appsecret_proof") => Meaning::NeedsPerson(says(
            "the proof of the app is wrong: is `app_secret` right?",
        )),
        (100, _) => Meaning::Refused(says("something in it is not allowed")),
        (102 | 190, 492) => Meaning::NeedsPerson(says(
            "whoever granted the token has lost their role on the Page: grant again",
        )),
        (102 | 190, _) => Meaning::NeedsPerson(says("the Page token is dead: grant a new one")),
        (200, 1_545_041) | (551, _) => Meaning::Refused(says("the person cannot be reached")),
        (200, 2_018_028) => {
            Meaning::NeedsPerson(says("the app is not live or not reviewed for this person"))
        }
        (200..=299, _) => Meaning::NeedsPerson(says("the token lacks a permission")),
        (506, _) => Meaning::Done(None),
        (1_705, _) => Meaning::NeedsPerson(says("the token is a person's and not the Page's")),
        (10_900, _) => Meaning::Refused(says("this was answered in private before")),
        (10_903 | 10_904, _) => Meaning::Refused(says("this cannot be answered in private")),
        (1_609_005, _) => Meaning::Refused(says("a link in it cannot be looked at")),
        (2_018_300, _) => Meaning::NotNow(says("somebody answers this person by hand now")),
        (9_000_001, _) => Meaning::Refused(says("the message is deleted")),
        _ => Meaning::Nameless(says("the platform did not take it")),
    }
}

impl Meaning {
    /// Why a person must look, if one must.
    pub(super) fn alarm(&self) -> Option<&str> {
        match self {
            Self::NeedsPerson(why) | Self::Barred(why) | Self::Blocked(why) => Some(why),
            _ => None,
        }
    }

    pub(super) fn into_outcome(self) -> SendOutcome {
        match self {
            Self::Done(id) => SendOutcome::Accepted(id),
            Self::Unknown(why) => SendOutcome::Unknown(why),
            Self::SlowDown {
                wait,
                whole_account,
            } => SendOutcome::SlowDown {
                wait,
                whole_account,
            },
            Self::NotNow(why) => SendOutcome::NotNow(why),
            Self::Closed(why) => SendOutcome::Closed(why),
            Self::Refused(why) => refused(why),
            Self::Gone(why) => SendOutcome::Refused {
                why,
                room_gone: true,
            },
            Self::NeedsPerson(why) => SendOutcome::AccountRefused(why),
            Self::Barred(_) => SendOutcome::SlowDown {
                wait: BLOCKED,
                whole_account: false,
            },
            Self::Blocked(_) => SendOutcome::SlowDown {
                wait: BLOCKED,
                whole_account: true,
            },
            Self::Nameless(why) => SendOutcome::Denied(why),
        }
    }

    /// How long every call of this kind waits.
    pub(super) fn rest(&self) -> Option<Duration> {
        match self {
            Self::Barred(_) => Some(BLOCKED),
            Self::SlowDown {
                wait,
                whole_account: false,
            } => Some(*wait),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
