//! From a post to a request, and from an answer to what became of it. Pure.
//!
//! `[@id]` in a text calls a member, and `[@group]` everybody, with a sound on every telephone. Our texts
//! relay what residents wrote, so the pattern is always broken; we call nobody.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::api::Silence;
use crate::channel::Address;
use crate::channel::call::Answered;
use crate::channel::fields::Object;
use crate::channel::groups::GroupError;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::MessageId;

/// The longest text of one message, in UTF-16 units. The pages on private messages and pictures say
/// 2,000 characters; the one on group texts says nothing.
pub(super) const MAX_TEXT: usize = 2_000;

/// Into a group.
const GROUP: &str = "/v3.0/oa/group/message";
/// To a person who wrote to the OA.
const PERSON: &str = "/v3.0/oa/message/cs";

/// After -32: the limit is counted by the minute.
const SLOW_DOWN: Duration = Duration::from_secs(20);
/// A person's quota, or the night: looked at again after this long.
const LATER: Duration = Duration::from_secs(3600);

/// Whether a native id is a person's. People have decimal numbers of at most 64 bits; groups have 20
/// hexadecimal digits, so that even one without a letter is too long to be a person.
pub(super) fn is_person(native: &str) -> bool {
    (1..=19).contains(&native.len()) && native.bytes().all(|byte| byte.is_ascii_digit())
}

/// The path and body that say `post` in `to`.
pub(super) fn message(to: &Address, post: &Post) -> (&'static str, Value) {
    let native = &*to.room.native;
    let mut message = json!({ "text": unmentioned(&post.text) });
    if !is_person(native) {
        let body = json!({ "recipient": { "group_id": native }, "message": message });
        return (GROUP, body);
    }
    // Only private messages can quote.
    if let (Some(answered), Some(fields)) = (&post.reply_to, message.as_object_mut())
        && !answered.as_str().contains(':')
    {
        fields.insert("quote_message_id".to_owned(), answered.as_str().into());
    }
    let body = json!({ "recipient": { "user_id": native }, "message": message });
    (PERSON, body)
}

/// Shows an uploaded picture above the words.
pub(super) fn attach(body: &mut Value, attachment: &str) {
    body["message"]["attachment"] = json!({
        "type": "template",
        "payload": {
            "template_type": "media",
            "elements": [{ "media_type": "image", "attachment_id": attachment }],
        },
    });
}

/// The name of a picture that was uploaded; else what became of the post that waits for it: nothing of it
/// has left.
pub(super) fn attachment(answered: &Answered) -> Result<String, SendOutcome> {
    let text = String::from_utf8_lossy(&answered.body);
    let data = Object::read(&text).and_then(|answer| answer.object("data"));
    let id = data.and_then(|data| data.id("attachment_id"));
    match (id, outcome(answered)) {
        (Some(id), SendOutcome::Accepted(_)) => Ok(id),
        (None, SendOutcome::Accepted(_)) => Err(SendOutcome::Refused {
            why: "Zalo took the picture and did not name it".to_owned(),
            room_gone: false,
        }),
        (_, SendOutcome::Unknown(why)) => Err(SendOutcome::NotNow(why)),
        (_, other) => Err(other),
    }
}

/// An upload without an answer: the post itself has not left.
pub(super) fn not_uploaded(silence: Silence) -> SendOutcome {
    match silence {
        Silence::NotSent(why) | Silence::NoAnswer(why) => SendOutcome::NotNow(why),
        Silence::NoToken(why) => SendOutcome::AccountRefused(why),
    }
}

/// Breaks every `[@…`, also where signs that nobody sees or blanks stand between the two, or where the
/// signs are full-width twins. One letter for one, so that a text that fits still fits.
fn unmentioned(text: &str) -> String {
    let mut out: Vec<char> = text.chars().collect();
    let mut open = None;
    for at in 0..out.len() {
        match out[at] {
            '[' | '［' => open = Some(at),
            '@' | '＠' | '﹫' => {
                if let Some(at) = open.take() {
                    out[at] = '(';
                }
            }
            letter if is_unseen(letter) => {}
            _ => open = None,
        }
    }
    out.into_iter().collect()
}

fn is_unseen(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// What a call without an answer means.
pub(super) fn unanswered(silence: Silence) -> SendOutcome {
    match silence {
        Silence::NotSent(why) => SendOutcome::NotNow(why),
        Silence::NoAnswer(why) => SendOutcome::Unknown(why),
        Silence::NoToken(why) => SendOutcome::AccountRefused(why),
    }
}

/// What an answer means.
pub(super) fn outcome(answered: &Answered) -> SendOutcome {
    let text = String::from_utf8_lossy(&answered.body);
    let envelope = Object::read(&text);
    let error = envelope.as_ref().and_then(|answer| answer.number("error"));
    match (answered.status, &envelope, error) {
        (_, Some(answer), Some(0)) => {
            let data = answer.object("data").unwrap_or_default();
            SendOutcome::Accepted(data.id("message_id").map(|id| MessageId(id.into())))
        }
        (_, Some(answer), Some(code)) => {
            let words = answer.text("message").unwrap_or_default();
            meaning(code, &words).into_outcome(code)
        }
        (429, ..) => SendOutcome::SlowDown {
            wait: answered.retry_after.map_or(SLOW_DOWN, |seconds| {
                Duration::from_secs(seconds.clamp(1, 3600))
            }),
            whole_account: true,
        },
        // A gateway's page: the message may have gone through before it.
        (500..=599, ..) => {
            SendOutcome::Unknown(format!("the server answered HTTP {}", answered.status))
        }
        (300..=499, ..) => {
            SendOutcome::NotNow(format!("the server answered HTTP {}", answered.status))
        }
        _ => SendOutcome::Unknown("the server's answer is not readable".to_owned()),
    }
}

/// What one of Zalo's error numbers means for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Everything of the account waits a little.
    SlowDown,
    /// This recipient later: a quota, the night.
    Later(&'static str),
    /// Not now, and nobody says for how long.
    Denied(String),
    /// The account needs its operator.
    NeedsPerson(String),
    /// The group is no longer ours.
    GroupGone(String),
    /// Just this will never go.
    Refused(String),
}

/// The table of error numbers.
pub(super) fn meaning(code: i64, words: &str) -> Meaning {
    let words: String = words.chars().take(200).collect();
    let says = |ours: &str| format!("{ours} ({code}: {words})");
    let person = |ours: &str| Meaning::NeedsPerson(says(ours));
    let refused = |ours: &str| Meaning::Refused(says(ours));
    match code {
        -32 => Meaning::SlowDown,
        // The token was renewed a moment ago, and the new one is not taken either.
        -216 | -220 | -124 => person("the access token is not accepted even after it was renewed"),
        -204 => person("the OA is disabled: see its management page"),
        -205 => person("the OA does not exist: is `oa_id` right?"),
        -209 => {
            person("the app is not activated for this API: activate it in the developer console")
        }
        -212 => person(
            "the API is not registered for the app: ask for the group permission in the developer console",
        ),
        -219 => person("the app was removed or disabled"),
        -221 => person("the OA must be verified first"),
        -223 => person(
            "the OA has not given the app this permission: consent again with `keng zalo auth`",
        ),
        -224 => {
            person("the OA's tier does not include this: it needs the tier Nâng cao or Premium")
        }
        -235 => person("this type of OA may not do that"),
        -242 => person("the secret proof is wrong: is `app_secret` right?"),
        -320 => person("the app needs a Zalo Cloud Account"),
        -321 => person("the Zalo Cloud Account has no money left"),
        -237 => refused("the group is disabled: its GMF pack has ended, renew it on the OA's page"),
        -238 | -241 => refused("the GMF pack is used by another group or disabled"),
        -403 => Meaning::GroupGone(says("the OA is not in the group")),
        // "group_id is invalid": what is invalid stands in the words.
        -201 if words.to_ascii_lowercase().contains("group") => {
            Meaning::GroupGone(says("the group does not exist any more"))
        }
        -201 => refused("something in the message is not allowed"),
        -210 => refused("the message is too long or too large"),
        -213 => refused("the person does not follow the OA"),
        -217 => refused("the person takes no invitations"),
        -227 => refused("the person's account is banned or asleep"),
        -230 | -232 => refused("the person has not written to the OA for too long"),
        -233 => refused("this kind of message is not allowed"),
        -240 => refused("this form of the message API is shut down"),
        -244 => refused("the person takes no messages of this kind"),
        -248 => refused("the platform's rules forbid these words"),
        -100 => refused("the attachment has expired"),
        -211 => Meaning::Later("the OA's quota of messages is used up"),
        -218 => Meaning::Later("the person's quota of messages is used up"),
        -234 => Meaning::Later("messages of this kind wait for the morning"),
        _ => Meaning::Denied(says("the platform did not take it")),
    }
}

impl Meaning {
    fn into_outcome(self, code: i64) -> SendOutcome {
        match self {
            Self::SlowDown => SendOutcome::SlowDown {
                wait: SLOW_DOWN,
                whole_account: true,
            },
            Self::Later(why) => {
                tracing::debug!(code, why, "a message waits");
                SendOutcome::SlowDown {
                    wait: LATER,
                    whole_account: false,
                }
            }
            Self::Denied(why) => SendOutcome::Denied(why),
            Self::NeedsPerson(why) => SendOutcome::AccountRefused(why),
            Self::GroupGone(why) => SendOutcome::Refused {
                why,
                room_gone: true,
            },
            Self::Refused(why) => SendOutcome::Refused {
                why,
                room_gone: false,
            },
        }
    }

    pub(super) fn into_group_error(self) -> GroupError {
        match self {
            Self::SlowDown => GroupError::NotNow("the platform asks us to slow down".to_owned()),
            Self::Later(why) => GroupError::NotNow(why.to_owned()),
            Self::Denied(why) => GroupError::NotNow(why),
            Self::NeedsPerson(why) => GroupError::NeedsPerson(why),
            Self::GroupGone(why) | Self::Refused(why) => GroupError::Refused(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::AccountName;
    use crate::domain::ids::RoomId;

    fn to(native: &str) -> Address {
        Address {
            room: RoomId::new(AccountName::parse("oa1").expect("a name"), native),
            thread: None,
            row: None,
        }
    }

    #[test]
    fn nobody_can_make_the_bot_call_everybody() {
        let cases = [
            (
                "[@186729651760683225] và [@f414c8f76fa586fbdfb4]",
                "(@186729651760683225] và (@f414c8f76fa586fbdfb4]",
            ),
            (
                "[\u{200b}@1] [ @1] [\u{2060}\u{feff}@1] ［＠1] [[@1]",
                "(\u{200b}@1] ( @1] (\u{2060}\u{feff}@1] (＠1] [(@1]",
            ),
            (
                "[1] a@b.vn [ghi chú] @Lan [x@y]",
                "[1] a@b.vn [ghi chú] @Lan [x@y]",
            ),
        ];
        for (text, said) in cases {
            assert_eq!(unmentioned(text), said);
            assert_eq!(unmentioned(text).chars().count(), text.chars().count());
        }
        let post = Post {
            text: "Bà con chú ý [@f414c8f76fa586fbdfb4]".to_owned(),
            ..Post::default()
        };
        let (path, body) = message(&to("f414c8f76fa586fbdfb4"), &post);
        assert_eq!(path, GROUP);
        assert_eq!(
            body.to_string(),
            r#"{"recipient":{"group_id":"f414c8f76fa586fbdfb4"},"message":{"text":"Bà con chú ý (@f414c8f76fa586fbdfb4]"}}"#
        );
    }

    #[test]
    fn people_are_told_from_groups_by_their_ids() {
        for person in ["186729651760683225", "8756287263669629130", "1"] {
            assert!(is_person(person), "{person}");
        }
        for group in [
            "f414c8f76fa586fbdfb4",
            "12345678901234567890",
            "aee702d6bc8455da0c95",
            "8fba1979fa25137b4a",
            "",
        ] {
            assert!(!is_person(group), "{group}");
        }
        let post = Post {
            text: "Đã ghi nhận.".to_owned(),
            reply_to: Some(MessageId::from("48687128d04c9410cd5f")),
            ..Post::default()
        };
        let (path, body) = message(&to("186729651760683225"), &post);
        assert_eq!(path, PERSON);
        assert_eq!(body["message"]["quote_message_id"], "48687128d04c9410cd5f");
        let (_, body) = message(&to("f414c8f76fa586fbdfb4"), &post);
        assert!(body["message"].get("quote_message_id").is_none());
    }

    fn told(status: u16, body: &str) -> SendOutcome {
        outcome(&Answered {
            status,
            retry_after: Some(7),
            body: body.to_owned().into(),
        })
    }

    fn name(outcome: &SendOutcome) -> &'static str {
        match outcome {
            SendOutcome::Accepted(_) => "accepted",
            SendOutcome::SlowDown {
                whole_account: true,
                ..
            } => "slow down",
            SendOutcome::SlowDown { .. } => "later",
            SendOutcome::NotNow(_) => "not now",
            SendOutcome::Denied(_) => "denied",
            SendOutcome::Closed(_) => "closed",
            SendOutcome::Refused {
                room_gone: true, ..
            } => "gone",
            SendOutcome::Refused { .. } => "refused",
            SendOutcome::AccountRefused(_) => "account",
            SendOutcome::Moved(_) => "moved",
            SendOutcome::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn every_error_number_has_its_end() {
        let table = [
            (-32, "slow down"),
            (-100, "refused"),
            (-200, "denied"),
            (-201, "refused"),
            (-204, "account"),
            (-205, "account"),
            (-209, "account"),
            (-210, "refused"),
            (-211, "later"),
            (-212, "account"),
            (-213, "refused"),
            (-214, "denied"),
            (-216, "account"),
            (-217, "refused"),
            (-218, "later"),
            (-219, "account"),
            (-220, "account"),
            (-221, "account"),
            (-223, "account"),
            (-224, "account"),
            (-227, "refused"),
            (-230, "refused"),
            (-232, "refused"),
            (-233, "refused"),
            (-234, "later"),
            (-235, "account"),
            (-237, "refused"),
            (-238, "refused"),
            (-240, "refused"),
            (-241, "refused"),
            (-242, "account"),
            (-244, "refused"),
            (-248, "refused"),
            (-249, "denied"),
            (-320, "account"),
            (-321, "account"),
            (-403, "gone"),
            (-99_999, "denied"),
            (7, "denied"),
        ];
        for (code, end) in table {
            let body = format!(r#"{{"error":{code},"message":"Some words"}}"#);
            assert_eq!(name(&told(200, &body)), end, "{code}");
            let quoted = format!(r#"{{"error":"{code}","message":null}}"#);
            assert_eq!(name(&told(200, &quoted)), end, "{code} in quotes");
        }
        assert_eq!(
            name(&told(
                200,
                r#"{"error":-201,"message":"group_id is invalid"}"#
            )),
            "gone"
        );
    }

    #[test]
    fn answers_that_are_none_are_told_apart() {
        let good = r#"{"data":{"message_id":"81d74a9cd71d6f473608","group_id":"f414"},"error":0,"message":"Success"}"#;
        assert_eq!(
            told(200, good),
            SendOutcome::Accepted(Some(MessageId::from("81d74a9cd71d6f473608")))
        );
        assert_eq!(told(200, r#"{"error":0}"#), SendOutcome::Accepted(None));
        assert_eq!(
            told(429, "<html>"),
            SendOutcome::SlowDown {
                wait: Duration::from_secs(7),
                whole_account: true
            }
        );
        for (status, body, end) in [
            (502, "<html><h1>502 Bad Gateway</h1></html>", "unknown"),
            (200, "<html>", "unknown"),
            (200, "", "unknown"),
            (200, "{}", "unknown"),
            (200, "[]", "unknown"),
            (403, "<html>", "not now"),
            (404, "", "not now"),
        ] {
            assert_eq!(name(&told(status, body)), end, "{status} {body}");
        }
    }
}
