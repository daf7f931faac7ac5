//! What is asked of the platform, and what its answers mean for a send.

use std::time::Duration;

use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

use super::MAX_TEXT;
use super::USED_UP;
use crate::channel::Address;
use crate::channel::call::Answered;
use crate::channel::call::Silence;
use crate::channel::json::Object;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::MessageId;

/// What an answer says, however it says it.
#[derive(Debug)]
pub(super) struct Told {
    /// It went well.
    pub(super) ok: bool,
    /// The platform's code, or the status where it gives none.
    pub(super) code: i64,
    /// It is an answer of the API, not some proxy's page.
    pub(super) is_enveloped: bool,
    /// How long to wait, if it says so.
    pub(super) wait: Option<Duration>,
    message: Option<MessageId>,
    description: String,
}

impl Told {
    pub(super) fn of(answered: &Answered) -> Self {
        let body = String::from_utf8_lossy(&answered.body);
        let answer = Object::read(&body).unwrap_or_default();
        let ok = answer.flag("ok");
        let status = i64::from(answered.status);
        let succeeded = (200..300).contains(&status);
        // `error_code` is 0 in some answers that went well: `ok` alone decides.
        let code = answer
            .whole("error_code")
            .filter(|code| (400..600).contains(code))
            .unwrap_or(status);
        let message = answer
            .object("result")
            .and_then(|result| result.text("message_id"))
            .filter(|id| !id.as_str().trim().is_empty())
            .map(|id| MessageId(id.as_str().trim().into()));
        Self {
            ok: succeeded && ok == Some(true),
            code,
            is_enveloped: ok.is_some(),
            wait: answered
                .retry_after
                .map(|seconds| Duration::from_secs(seconds.clamp(1, 86_400))),
            message,
            description: answer
                .text("description")
                .map(|words| words.as_str().to_owned())
                .unwrap_or_default(),
        }
    }

    /// It in words, for the log.
    pub(super) fn words(&self) -> String {
        if self.description.is_empty() {
            format!("the server answered {}", self.code)
        } else {
            format!("the server answered {}: {}", self.code, self.description)
        }
    }
}

/// The method and its body. Plain text: no `parse_mode`, so nobody's words become markup. A picture is
/// fetched by the platform from its address.
pub(super) fn message(to: &Address, post: &Post) -> Result<(&'static str, Vec<u8>), SendOutcome> {
    let mut text: String = post.text.nfc().collect();
    let units = |text: &str| text.encode_utf16().count();
    // A few letters grow in NFC; what fitted before then goes as it came.
    if units(&text) > MAX_TEXT && units(&post.text) <= MAX_TEXT {
        text.clone_from(&post.text);
    }
    if text.trim().is_empty() || units(&text) > MAX_TEXT {
        return Err(SendOutcome::Refused {
            why: format!("a text must have 1 to {MAX_TEXT} characters"),
            room_gone: false,
        });
    }
    let chat = &*to.room.native;
    let address = post
        .picture
        .as_ref()
        .and_then(|picture| picture.address.as_ref());
    let (method, body) = match address {
        Some(photo) => (
            "sendPhoto",
            json!({"chat_id": chat, "photo": photo, "caption": text}),
        ),
        None => ("sendMessage", json!({"chat_id": chat, "text": text})),
    };
    Ok((method, body.to_string().into_bytes()))
}

/// What the platform cannot do at all.
pub(super) fn cannot(what: &str) -> SendOutcome {
    SendOutcome::Refused {
        why: format!("a Zalo Bot cannot {what}"),
        room_gone: false,
    }
}

pub(super) fn unanswered(silence: Silence) -> SendOutcome {
    match silence {
        Silence::NotSent(why) => SendOutcome::NotNow(why),
        Silence::NoAnswer(why) => SendOutcome::Unknown(why),
    }
}

/// What became of a send. `redact` takes the token out of words that come from elsewhere.
pub(super) fn outcome(answered: &Answered, redact: impl Fn(&str) -> String) -> SendOutcome {
    let told = Told::of(answered);
    if told.ok {
        return SendOutcome::Accepted(told.message);
    }
    let why = redact(&told.words());
    match told.code {
        401 => SendOutcome::AccountRefused(why),
        // Without an envelope it is not the API that answers: the address is wrong, for every room.
        300..=399 | 404 if !told.is_enveloped => {
            SendOutcome::AccountRefused(format!("{why}; is `api_url` right?"))
        }
        // The platform's own table calls it "internal server error", others take it for a refusal.
        403 => SendOutcome::Denied(why),
        // Not a limit of the moment: the month is used up, and asking again soon helps nobody.
        429 => SendOutcome::SlowDown {
            wait: told.wait.unwrap_or(USED_UP),
            whole_account: true,
        },
        // The request was there; whether it was carried out before the answer was lost is not known.
        408 | 500.. => SendOutcome::Unknown(why),
        // It says yes in words that cannot be read.
        200..=299 if !told.is_enveloped => {
            SendOutcome::Unknown("the answer cannot be read".to_owned())
        }
        _ => SendOutcome::Refused {
            why,
            room_gone: false,
        },
    }
}
