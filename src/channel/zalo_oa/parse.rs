//! From a webhook's event, or a line of a group's history, to what happened in a room. Pure; never
//! panics; loses no text.
//!
//! In a group's events the recipient is the group; in private ones it is the OA. Our own posts come back
//! as `oa_send_*` and become [`Inbound::Echo`]. Events that exist and are not our business become
//! nothing: who joins or leaves a group is nobody's to watch. What nobody here knows becomes
//! [`Inbound::NotUnderstood`], without its contents.
//!
//! The names of lifecycle events differ between two editions of the documents, and what these events
//! hold is told in neither: all names are taken, and the group's id is looked for in each place where
//! one could stand.

use crate::channel::fields::Object;
use crate::domain::clock;
use crate::domain::clock::Time;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Attachment;
use crate::domain::message::Inbound;
use crate::domain::message::Message;
use crate::domain::message::ReplyTo;
use crate::domain::message::Sender;
use crate::domain::room::RoomKind;

/// A group came to be, or is called otherwise.
const GROUP_IS: [&str; 2] = ["create_group", "update_group_info"];

/// A group is no more.
const GROUP_GONE: [&str; 2] = ["delete_group", "disperse_group"];

/// Somebody is out of a group; our business only when it is the OA.
const LEFT: [&str; 2] = ["user_leave_group", "user_out_group"];

/// Events that exist and tell us nothing.
const OTHER: [&str; 38] = [
    "user_join_group",
    "user_request_join_group",
    "react_request_join_group",
    "reject_request_join_group",
    "react_request_join_group_accept",
    "react_request_join_group_reject",
    "add_group_admin",
    "remove_group_admin",
    "follow",
    "unfollow",
    "user_submit_info",
    "add_user_to_tag",
    "remove_user_from_tag",
    "user_received_message",
    "user_seen_message",
    "user_reacted_message",
    "oa_reacted_message",
    "user_click_chatnow",
    "user_click_button",
    "user_asking_product",
    "user_call_oa",
    "oa_call_user",
    "user_feedback",
    "user_reply_consent",
    "oa_send_consent",
    "shop_has_order",
    "change_oa_daily_quota",
    "change_oa_template_tags",
    "change_template_quota",
    "change_template_quality",
    "change_template_status",
    "journey_time_out",
    "journey_acknowledged",
    "extension_purchased",
    "permission_revoked",
    "widget_interaction_accepted",
    "widget_failed_to_sync_user_external_id",
    "update_user_info",
];

/// Who we are, and what we know when an event is read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) account: &'a AccountName,
    /// The OA's own id.
    pub(super) oa_id: &'a str,
    /// The name of a person, when it is known; else nothing.
    pub(super) name: &'a dyn Fn(&str) -> String,
    /// Whether we posted the message with this id, as far as is remembered.
    pub(super) ours: &'a dyn Fn(&str) -> bool,
}

/// One line of a group's history.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) at: Time,
    /// Who wrote it, and by what name they go; `None` for our own.
    pub(super) author: Option<(String, String)>,
    /// What it is to us.
    pub(super) told: Option<Inbound>,
}

impl Reader<'_> {
    /// Reads one event, as received.
    pub(super) fn event(self, body: &str) -> Vec<Inbound> {
        let Some(event) = Object::read(body) else {
            return vec![not_understood("an event that is no JSON object")];
        };
        let Some(name) = event.text("event_name") else {
            return vec![not_understood("an event without a name")];
        };
        let name = name.trim();
        // One app may serve several OAs and has one webhook: what is told of another OA is not ours.
        if event.id("oa_id").is_some_and(|oa| oa != self.oa_id) {
            return vec![not_understood("an event of another Official Account")];
        }
        if let Some(kind) = name.strip_prefix("user_send_group_") {
            return self.said(&event, RoomKind::Group, kind);
        }
        if name.starts_with("oa_send_group_") {
            return self.echo(&event);
        }
        if GROUP_IS.contains(&name) {
            return self.group_is(&event);
        }
        if GROUP_GONE.contains(&name) {
            return match self.group_of(&event) {
                Some(room) => vec![Inbound::Removed { room }],
                None => vec![not_understood("a group without an id is no more")],
            };
        }
        if LEFT.contains(&name) {
            let who = ["user_id", "member_id", "oa_id_left"].map(|key| event.id(key));
            let who = who
                .into_iter()
                .flatten()
                .next()
                .or_else(|| id_in(&event, "sender"));
            let us = who.is_some_and(|who| who == self.oa_id);
            let room = self.group_of(&event).filter(|_| us);
            return room
                .map(|room| Inbound::Removed { room })
                .into_iter()
                .collect();
        }
        // Kinds of these are added over the years; a message is a message whatever carries it.
        if !OTHER.contains(&name) {
            if let Some(kind) = name.strip_prefix("user_send_") {
                return self.said(&event, RoomKind::Private, kind);
            }
            if name.starts_with("oa_send_") {
                return self.echo(&event);
            }
            // Written by somebody without an account: nothing can be answered there.
            if name.starts_with("anonymous_send_") || name.starts_with("oa_send_anonymous_") {
                return Vec::new();
            }
            return vec![not_understood("an event of no kind that we know")];
        }
        Vec::new()
    }

    /// Reads one line of `group/conversation`.
    pub(super) fn line(self, line: &Object<'_>) -> Option<Line> {
        let room = RoomId::new(self.account.clone(), line.id("group_id")?);
        let at = moment(line.number("time"));
        let id = MessageId(line.id("message_id")?.into());
        let text = line.text("message").or_else(|| line.text("description"));
        let text = text.unwrap_or_default();
        let from = line.id("from_id");
        if line.number("src") == Some(0) || from.as_deref() == Some(self.oa_id) {
            return Some(Line {
                at,
                author: None,
                told: Some(Inbound::Echo {
                    room,
                    message: id,
                    text,
                    at,
                }),
            });
        }
        let name = line.text("from_display_name").unwrap_or_default();
        let author = from.map(|from| (from, name));
        let attachments = history_attachments(line);
        let told = (!text.is_empty() || !attachments.is_empty()).then(|| {
            Inbound::Said(Message {
                room,
                room_kind: RoomKind::Group,
                room_title: String::new(),
                thread: None,
                id,
                sender: author.as_ref().map_or(Sender::Anonymous, |(native, name)| {
                    Sender::Person {
                        native: native.clone(),
                        name: name.clone(),
                    }
                }),
                sent_at: at,
                text,
                attachments,
                reply_to: self.reply_to(line),
                mentioned: false,
                perhaps_reply: false,
                album: None,
                forwarded: false,
                aside: None,
            })
        });
        Some(Line { at, author, told })
    }

    fn said(self, event: &Object<'_>, room_kind: RoomKind, kind: &str) -> Vec<Inbound> {
        let Some(sender) = id_in(event, "sender") else {
            return vec![not_understood("a message without a sender")];
        };
        let native = match room_kind {
            RoomKind::Group => match self.group_in(event) {
                Some(group) => group,
                None => return vec![not_understood("a group message without a group")],
            },
            RoomKind::Private => {
                // A group's message under a private name, or another OA's.
                if id_in(event, "recipient").is_some_and(|to| to != self.oa_id) {
                    return vec![not_understood(
                        "a private message for another Official Account",
                    )];
                }
                sender.clone()
            }
        };
        if sender == self.oa_id {
            return self.echo(event);
        }
        let message = event.object("message").unwrap_or_default();
        let text = message.text("text").unwrap_or_default();
        let attachments = attachments(&message);
        if text.is_empty() && attachments.is_empty() {
            // A sticker or a visiting card has no words for us; a text without words is not what it says.
            return if kind == "text" {
                vec![not_understood("a text message without a text")]
            } else {
                Vec::new()
            };
        }
        let sent_at = moment(event.number("timestamp"));
        let id = message.id("msg_id").unwrap_or_else(|| {
            // Without an id the moment and the author keep two messages apart.
            format!("at:{}:{sender}", sent_at.timestamp_millis())
        });
        vec![Inbound::Said(Message {
            room: RoomId::new(self.account.clone(), native),
            room_kind,
            room_title: String::new(),
            thread: None,
            id: MessageId(id.into()),
            sender: Sender::Person {
                name: (self.name)(&sender),
                native: sender,
            },
            sent_at,
            text,
            attachments,
            reply_to: self.reply_to(&message),
            mentioned: false,
            perhaps_reply: false,
            album: None,
            forwarded: false,
            aside: None,
        })]
    }

    /// The quoted message: its id alone, or with its author. Both forms have been seen.
    fn reply_to(self, message: &Object<'_>) -> Option<ReplyTo> {
        let quoted = message.object("quote_msg").unwrap_or_default();
        let id = message.id("quote_msg_id").or_else(|| quoted.id("msg_id"))?;
        let author = id_in(&quoted, "sender").or_else(|| quoted.id("sender"));
        Some(ReplyTo {
            to_bot: author.is_some_and(|author| author == self.oa_id) || (self.ours)(&id),
            id: MessageId(id.into()),
        })
    }

    /// One of our posts, come back.
    fn echo(self, event: &Object<'_>) -> Vec<Inbound> {
        let message = event.object("message").unwrap_or_default();
        let (Some(to), Some(id)) = (self.group_in(event), message.id("msg_id")) else {
            return vec![not_understood(
                "a message of our own without its room or id",
            )];
        };
        vec![Inbound::Echo {
            room: RoomId::new(self.account.clone(), to),
            message: MessageId(id.into()),
            text: message.text("text").unwrap_or_default(),
            at: moment(event.number("timestamp")),
        }]
    }

    fn group_is(self, event: &Object<'_>) -> Vec<Inbound> {
        let Some(room) = self.group_of(event) else {
            return vec![not_understood("a group without an id came to be")];
        };
        let group = ["group", "group_info", "data", "info"].map(|key| event.object(key));
        let title = ["group_name", "name"].into_iter().find_map(|key| {
            let inside = group.iter().flatten().find_map(|group| group.text(key));
            inside.or_else(|| event.text(key))
        });
        vec![Inbound::Joined {
            room,
            kind: RoomKind::Group,
            title: title.unwrap_or_default().trim().to_owned(),
            // An OA sees everything in its groups.
            sees_all: true,
            at: moment(event.number("timestamp")),
        }]
    }

    fn group_of(self, event: &Object<'_>) -> Option<RoomId> {
        Some(RoomId::new(self.account.clone(), self.group_in(event)?))
    }

    /// The id of the group that an event tells of.
    fn group_in(self, event: &Object<'_>) -> Option<String> {
        let named = |place: &Object<'_>| place.id("group_id");
        let inside = |key: &str| {
            let place = event.object(key)?;
            named(&place).or_else(|| place.id("id"))
        };
        let found = named(event)
            .or_else(|| inside("group"))
            .or_else(|| inside("group_info"))
            .or_else(|| inside("data"))
            .or_else(|| inside("recipient"))
            .or_else(|| event.object("message").as_ref().and_then(named));
        // In an event that names no group the recipient may be the OA itself.
        found.filter(|id| id != self.oa_id)
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

/// Milliseconds since 1970. Documents hold shorter numbers in places; what is no moment of ours is the
/// intake's to date.
fn moment(ms: Option<i64>) -> Time {
    clock::from_unix_ms(ms.unwrap_or(0))
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
    let url = payload.text("url").or_else(|| payload.text("thumbnail"));
    match kind {
        "image" | "photo" => url.map(Attachment::Photo),
        "location" => place(payload),
        // Nothing to see in them; a visiting card is somebody else's telephone number.
        "sticker" | "business_card" => None,
        other => Some(Attachment::File {
            kind: other.to_owned(),
            reference: url?,
        }),
    }
}

fn place(payload: &Object<'_>) -> Option<Attachment> {
    let point = payload
        .object("coordinates")
        .unwrap_or_else(|| payload.clone());
    Some(Attachment::Location {
        latitude: point.fraction("latitude")?,
        longitude: point.fraction("longitude")?,
        name: payload.text("name").or_else(|| payload.text("description")),
    })
}

/// The history writes its kinds another way, and what came with a message beside its words.
fn history_attachments(line: &Object<'_>) -> Vec<Attachment> {
    let kind = line.text("type").unwrap_or_default().to_ascii_lowercase();
    let url = || line.text("url").or_else(|| line.text("thumb"));
    match kind.as_str() {
        "photo" | "image" => url().map(Attachment::Photo).into_iter().collect(),
        "location" => {
            let inside = line.object("location");
            place(inside.as_ref().unwrap_or(line)).into_iter().collect()
        }
        "link" | "links" => {
            let links = line.objects("links").unwrap_or_default();
            let urls = links
                .iter()
                .filter_map(|link| link.text("url").or_else(|| link.text("href")));
            urls.chain(line.text("url"))
                .map(|reference| Attachment::File {
                    kind: "link".to_owned(),
                    reference,
                })
                .collect()
        }
        "text" | "sticker" | "" => Vec::new(),
        other => url()
            .map(|reference| Attachment::File {
                kind: other.to_owned(),
                reference,
            })
            .into_iter()
            .collect(),
    }
}

#[cfg(test)]
mod tests;
