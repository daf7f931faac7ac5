//! What we ask of the Bot API, and what its answers mean for a send.
//!
//! The payload types are teloxide's; of everything else in that crate, nothing is used here. What an
//! answer means is our own table, since most of the common refusals are unknown to teloxide.

use std::time::Duration;

use reqwest::multipart::Form;
use reqwest::multipart::Part;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use teloxide_core::payloads::AnswerCallbackQuery;
use teloxide_core::payloads::AnswerCallbackQuerySetters as _;
use teloxide_core::payloads::DeleteMessage;
use teloxide_core::payloads::EditMessageText;
use teloxide_core::payloads::EditMessageTextSetters as _;
use teloxide_core::payloads::PinChatMessage;
use teloxide_core::payloads::PinChatMessageSetters as _;
use teloxide_core::payloads::SendMessage;
use teloxide_core::payloads::SendMessageSetters as _;
use teloxide_core::payloads::UnpinChatMessage;
use teloxide_core::payloads::UnpinChatMessageSetters as _;
use teloxide_core::requests::Payload;
use teloxide_core::types::CallbackQueryId;
use teloxide_core::types::ChatId;
use teloxide_core::types::InlineKeyboardButton;
use teloxide_core::types::InlineKeyboardMarkup;
use teloxide_core::types::LinkPreviewOptions;
use teloxide_core::types::MessageId as NativeMessageId;
use teloxide_core::types::Recipient;
use teloxide_core::types::ReplyParameters;
use teloxide_core::types::ThreadId;

use super::api;
use crate::channel::Address;
use crate::channel::Pin;
use crate::channel::call::Answered;
use crate::channel::call::Silence;
use crate::channel::json::Id;
use crate::channel::json::Object;
use crate::domain::delivery::Button;
use crate::domain::delivery::Picture;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;

/// The longest answer to a pressed button, in characters (Bot API, answerCallbackQuery).
const PRESS_ANSWER: usize = 200;

/// The longest words beside a picture, in UTF-16 units (Bot API, sendPhoto: 1,024 characters).
pub(super) const MAX_CAPTION: usize = 1_024;

/// Stands for the file that the same call carries.
pub(super) const ATTACHED: &str = "attach://picture";

/// What to wait when the server says "too many" without saying how long.
const WAIT_UNSAID: u64 = 5;

/// A request, ready to leave.
#[derive(Debug)]
pub(super) struct Request {
    /// The method, as the documentation writes it.
    pub(super) method: String,
    pub(super) body: Vec<u8>,
    pub(super) about: About,
}

/// What a request is about, as far as its answer needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// A new message in a room.
    Message(RoomId),
    /// A new version of our message.
    Edit(RoomId, MessageId),
    /// Our message taken away.
    Deletion(RoomId),
    /// Our message on top of its room, or no more. What the bot may not do there says nothing of the room.
    Pin(RoomId),
    /// A press answered: no room, so what it may not do, the whole account may not do.
    Press,
}

impl About {
    fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Message(room) | Self::Edit(room, _) | Self::Deletion(room) | Self::Pin(room) => {
                Some(room)
            }
            Self::Press => None,
        }
    }
}

fn request<P: Payload + Serialize>(payload: &P, about: About) -> Result<Request, SendOutcome> {
    Ok(Request {
        method: method::<P>(),
        body: serde_json::to_vec(payload).map_err(|_| never("the request cannot be written"))?,
        about,
    })
}

/// The documented name of a method: servers that tell case apart do not know teloxide's `SendMessage`.
pub(super) fn method<P: Payload>() -> String {
    let mut letters = P::NAME.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}

fn never(why: impl Into<String>) -> SendOutcome {
    SendOutcome::Refused {
        why: why.into(),
        room_gone: false,
    }
}

pub(super) fn recipient(room: &RoomId) -> Result<Recipient, SendOutcome> {
    match room.native.parse() {
        Ok(id) => Ok(Recipient::Id(ChatId(id))),
        Err(_) if room.native.starts_with('@') => {
            Ok(Recipient::ChannelUsername(room.native.to_string()))
        }
        Err(_) => Err(never("the room has no Telegram chat id")),
    }
}

fn native(id: &MessageId) -> Option<NativeMessageId> {
    id.as_str()
        .parse()
        .ok()
        .filter(|&id| id > 0)
        .map(NativeMessageId)
}

fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}

fn keyboard(rows: &[Vec<Button>]) -> InlineKeyboardMarkup {
    let row = |row: &Vec<Button>| -> Vec<_> {
        row.iter()
            .map(|button| InlineKeyboardButton::callback(&button.label, &button.data))
            .collect()
    };
    InlineKeyboardMarkup::new(rows.iter().map(row))
}

/// A new message, or the new version of one.
pub(super) fn message(to: &Address, post: &Post) -> Result<Request, SendOutcome> {
    let chat = recipient(&to.room)?;
    if let Some(edited) = &post.edits {
        let Some(id) = native(edited) else {
            return Err(never("the message to change has no Telegram id"));
        };
        let mut payload =
            EditMessageText::new(chat, id, &post.text).link_preview_options(no_preview());
        if !post.buttons.is_empty() {
            payload = payload.reply_markup(keyboard(&post.buttons));
        }
        return request(&payload, About::Edit(to.room.clone(), edited.clone()));
    }
    let mut payload = SendMessage::new(chat, &post.text).link_preview_options(no_preview());
    if let Some(thread) = to.thread.as_ref().and_then(|thread| thread.parse().ok()) {
        payload = payload.message_thread_id(ThreadId(NativeMessageId(thread)));
    }
    if let Some(id) = post.reply_to.as_ref().and_then(native) {
        payload = payload.reply_parameters(ReplyParameters::new(id).allow_sending_without_reply());
    }
    if !post.buttons.is_empty() {
        payload = payload.reply_markup(keyboard(&post.buttons));
    }
    request(&payload, About::Message(to.room.clone()))
}

/// A new message with a picture, or the new version of one. `photo` is Telegram's name of the picture, or
/// [`ATTACHED`]. Written by hand: teloxide's payloads carry files in a way of their own.
pub(super) fn photo(to: &Address, post: &Post, photo: &str) -> Result<Request, SendOutcome> {
    let mut fields = Map::new();
    fields.insert("chat_id".to_owned(), json!(recipient(&to.room)?));
    let (method, about) = if let Some(edited) = &post.edits {
        let Some(id) = native(edited) else {
            return Err(never("the message to change has no Telegram id"));
        };
        let media = json!({"type": "photo", "media": photo, "caption": post.text});
        fields.insert("message_id".to_owned(), json!(id.0));
        fields.insert("media".to_owned(), media);
        let about = About::Edit(to.room.clone(), edited.clone());
        ("editMessageMedia", about)
    } else {
        fields.insert("photo".to_owned(), json!(photo));
        fields.insert("caption".to_owned(), json!(post.text));
        if let Some(thread) = to
            .thread
            .as_ref()
            .and_then(|thread| thread.parse::<i32>().ok())
        {
            fields.insert("message_thread_id".to_owned(), json!(thread));
        }
        if let Some(id) = post.reply_to.as_ref().and_then(native) {
            let reply = json!({"message_id": id.0, "allow_sending_without_reply": true});
            fields.insert("reply_parameters".to_owned(), reply);
        }
        ("sendPhoto", About::Message(to.room.clone()))
    };
    if !post.buttons.is_empty() {
        fields.insert("reply_markup".to_owned(), json!(keyboard(&post.buttons)));
    }
    Ok(Request {
        method: method.to_owned(),
        body: Value::Object(fields).to_string().into_bytes(),
        about,
    })
}

impl Request {
    /// The same request as a form that carries the picture.
    pub(super) fn with_file(&self, picture: &Picture) -> Result<Form, SendOutcome> {
        let unwritable = || never("the request cannot be written");
        let fields: Map<String, Value> =
            serde_json::from_slice(&self.body).map_err(|_| unwritable())?;
        let mut form = Form::new();
        for (name, value) in fields {
            form = form.text(
                name,
                match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                },
            );
        }
        let file = Part::bytes(picture.bytes.clone())
            .file_name(picture.kind.file_name())
            .mime_str(picture.kind.mime())
            .map_err(|_| unwritable())?;
        Ok(form.part("picture", file))
    }
}

/// The name that Telegram gave to the picture of a message: that of its largest size.
pub(super) fn photo_id(answered: &Answered) -> Option<String> {
    let answer: Value = serde_json::from_slice(&answered.body).ok()?;
    let sizes = answer["result"]["photo"].as_array()?;
    sizes.last()?["file_id"].as_str().map(str::to_owned)
}

/// Our message taken away.
pub(super) fn deletion(room: &RoomId, message: &MessageId) -> Result<Request, SendOutcome> {
    let Some(id) = native(message) else {
        return Err(never("the message to delete has no Telegram id"));
    };
    let payload = DeleteMessage::new(recipient(room)?, id);
    request(&payload, About::Deletion(room.clone()))
}

/// Our message put on top of its room, or taken down from there.
pub(super) fn pin(room: &RoomId, message: &MessageId, pin: Pin) -> Result<Request, SendOutcome> {
    let Some(id) = native(message) else {
        return Err(never("the message to pin has no Telegram id"));
    };
    let chat = recipient(room)?;
    let about = About::Pin(room.clone());
    match pin {
        Pin::Set => request(
            &PinChatMessage::new(chat, id).disable_notification(true),
            about,
        ),
        Pin::Unset => request(&UnpinChatMessage::new(chat).message_id(id), about),
    }
}

/// A press answered.
pub(super) fn press_answer(press: &str, text: &str) -> Result<Request, SendOutcome> {
    let mut payload = AnswerCallbackQuery::new(CallbackQueryId(press.to_owned()));
    if !text.is_empty() {
        payload = payload.text(text.chars().take(PRESS_ANSWER).collect::<String>());
    }
    request(&payload, About::Press)
}

/// A call that got no answer.
pub(super) fn unanswered(silence: Silence) -> SendOutcome {
    match silence {
        Silence::NotSent(why) => SendOutcome::NotNow(why),
        Silence::NoAnswer(why) => SendOutcome::Unknown(why),
    }
}

/// What an answer means. The words of a refusal are Telegram's own, in English.
pub(super) fn outcome(answered: &Answered, about: &About) -> SendOutcome {
    let status = answered.status;
    let body = String::from_utf8_lossy(&answered.body);
    let answer = api::envelope(&body);
    if status >= 500 {
        // Overload or a restart behind a proxy: the body had left, and may have been acted upon.
        return SendOutcome::Unknown(format!("the server answered {status}"));
    }
    let succeeded = (200..300).contains(&status);
    let Some(answer) = answer else {
        return match status {
            _ if succeeded => SendOutcome::Unknown(format!("the answer {status} is not readable")),
            401 | 404 => SendOutcome::AccountRefused(format!("the server answered {status}")),
            413 => never("the server answered 413"),
            429 => slow_down(answered.retry_after.unwrap_or(WAIT_UNSAID), about),
            // No Bot API server speaks so: something on the way does not let us through.
            _ => SendOutcome::NotNow(format!("the server answered {status} without JSON")),
        };
    };
    if succeeded && answer.ok != Some(false) {
        let told = answer
            .result
            .and_then(|result| Object::read(result.get())?.id("message_id"))
            .filter(|id| id.number().is_none_or(|id| id > 0));
        let known = match about {
            About::Edit(_, id) => Some(id.clone()),
            _ => None,
        };
        return SendOutcome::Accepted(told.map(|id| MessageId(id.to_string().into())).or(known));
    }

    let code = answer
        .error_code
        .filter(|code| (400..600).contains(code))
        .unwrap_or(i64::from(status));
    let words = answer.description.as_ref().map_or("", |d| d.as_str());
    let lower = words.to_ascii_lowercase();
    let parameters = answer.parameters.as_ref();
    let why = if words.is_empty() {
        format!("the server answered {code}")
    } else {
        words.to_owned()
    };
    if let (Some(to), Some(room)) = (
        parameters.and_then(|p| p.migrate_to_chat_id.as_ref()),
        about.room(),
    ) {
        return moved(room, to);
    }
    match code {
        429 => {
            let wait = parameters
                .and_then(|p| p.retry_after)
                .or_else(|| wait_in_words(&lower))
                .or(answered.retry_after)
                .unwrap_or(WAIT_UNSAID);
            slow_down(wait, about)
        }
        500.. => SendOutcome::Unknown(why),
        401 => SendOutcome::AccountRefused(why),
        // "Not Found" alone is an unknown token; a method that a server lacks is named.
        404 if !lower.contains("method") => SendOutcome::AccountRefused(why),
        400 if lower.contains("message is not modified") => match about {
            About::Edit(_, id) => SendOutcome::Accepted(Some(id.clone())),
            _ => SendOutcome::Accepted(None),
        },
        // Somebody was quicker; the message is away, as was asked.
        400 if lower.contains("message to delete not found") => SendOutcome::Accepted(None),
        _ => SendOutcome::Refused {
            why,
            room_gone: !matches!(about, About::Press | About::Pin(_))
                && (code == 403 || is_gone(&lower)),
        },
    }
}

/// Descriptions of `400 Bad Request` that mean the room is lost to us (github.com/tdlib/telegram-bot-api,
/// `Client.cpp`, and the MTProto names that it passes through).
fn is_gone(description: &str) -> bool {
    [
        "chat not found",
        "group chat was upgraded",
        "group chat was deleted",
        "group chat was deactivated",
        "chat was deleted",
        "chat_id_invalid",
        "peer_id_invalid",
        "channel_private",
        "channel_invalid",
        "user_deactivated",
        "user is deactivated",
        "user not found",
        "bot was kicked",
        "bot was blocked",
        "bot is not a member",
        "user_is_blocked",
    ]
    .iter()
    .any(|sign| description.contains(sign))
}

fn moved(room: &RoomId, to: &Id<'_>) -> SendOutcome {
    SendOutcome::Moved(RoomId::new(room.account.clone(), to.to_string()))
}

fn slow_down(seconds: u64, about: &About) -> SendOutcome {
    SendOutcome::SlowDown {
        // A day is longer than any wait that Telegram asks for, and than any message stays of use.
        wait: Duration::from_secs(seconds.clamp(1, 86_400)),
        whole_account: about.room().is_none(),
    }
}

/// `Too Many Requests: retry after 35`.
fn wait_in_words(description: &str) -> Option<u64> {
    description
        .split_once("retry after ")?
        .1
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}
