//! A group's past, from an export: read by the same rules as live words, recorded without an answer.
//!
//! Edits, answers and withdrawals are not told apart in an export; what a reader would take for a report is
//! a case of its own, marked as imported, closed to nobody. Importing the same file again records nothing
//! twice: the keys are those of the live messages.

use std::sync::Arc;

use super::Rules;
use super::decide;
use super::key_of;
use crate::domain::clock::Time;
use crate::domain::ids::IncidentId;
use crate::domain::message::Message;
use crate::domain::message::Sender;
use crate::domain::person::Identity;
use crate::domain::person::PersonKey;
use crate::domain::reading::Facts;
use crate::domain::reading::Outcome;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::store::Act;
use crate::store::Done;
use crate::store::Expect;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;
use crate::text::Addressing;
use crate::text::lexicon::Lexicon;
use crate::text::read as read_text;

/// Records of one durable write.
const GROUP: usize = 256;

/// A report found in the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The message as it was.
    pub message: Message,
    /// What it says.
    pub facts: Facts,
}

/// The reports among messages.
#[must_use]
pub fn read(messages: &[Message], lexicon: &Lexicon, bot_names: &[String]) -> Vec<Past> {
    let mut found = Vec::new();
    for message in messages
        .iter()
        .filter(|message| message.sender != Sender::Bot)
    {
        let addressing = Addressing {
            private: message.room_kind == RoomKind::Private,
            reply_to_bot: false,
            mentioned: message.mentioned,
            bot_names,
        };
        let reading = read_text(&message.text, &addressing, lexicon, message.sent_at);
        if reading.outcome == Outcome::Report
            && let Some(facts) = reading.incidents.into_iter().next()
        {
            found.push(Past {
                message: message.clone(),
                facts,
            });
        }
    }
    found
}

/// Records what is not recorded yet. Returns how many were known already.
///
/// # Errors
/// When the store cannot write.
pub async fn record(
    store: &Arc<dyn Store>,
    past: &[Past],
    title: &str,
    rules: &Rules,
    now: Time,
) -> Result<usize, StoreError> {
    let mut known = 0;
    for group in past.chunks(GROUP) {
        let mut acts = Vec::new();
        for item in group {
            acts.push(act(store, item, title, rules, now).await?);
        }
        let done = store.commit(acts).await?;
        known += done.iter().filter(|done| **done != Done::Written).count();
    }
    Ok(known)
}

async fn act(
    store: &Arc<dyn Store>,
    item: &Past,
    title: &str,
    rules: &Rules,
    now: Time,
) -> Result<Act, StoreError> {
    let Past { message, facts } = item;
    let mut act = Act::default();
    let room = store.room(&message.room).await?;
    let bound = rules.bindings.get(&message.room).cloned();
    let area = room
        .as_ref()
        .and_then(|room| room.area.clone())
        .or(bound.clone());
    if room.is_none() {
        act.writes.push(Write::Room(Box::new(Room {
            id: message.room.clone(),
            kind: message.room_kind,
            title: title.to_owned(),
            area: bound,
            state: RoomState::Active,
            sees_all: None,
            joined_at: now,
            choices: None,
        })));
    }
    let person = match &message.sender {
        Sender::Person { native, name } => {
            let key = PersonKey::of(&store.salt(), &message.room.account, native);
            let identity = Identity {
                account: message.room.account.clone(),
                native: native.clone(),
                name: name.clone(),
            };
            act.writes.push(Write::Identity(key, identity));
            Some(key)
        }
        Sender::Anonymous | Sender::Bot => None,
    };
    let id = IncidentId(store.incident_ids(1).start);
    let area = area.unwrap_or_else(|| rules.default_area.clone());
    let (report, clipped) = decide::report(message, person);
    let mut case = decide::open(
        id,
        area,
        facts.clone(),
        report,
        clipped,
        message.sent_at,
        &rules.private_kinds,
    );
    case.imported = true;
    act.expects.push(Expect::Unseen(key_of(message)));
    act.expects.push(Expect::Incident(id, 0));
    act.writes.push(Write::Incident(Box::new(case)));
    act.writes.push(Write::Seen(key_of(message), Some(id)));
    Ok(act)
}
