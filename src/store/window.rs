//! Until when a person may be written to, where their platform sets a time, and what waits for their next
//! word.
//!
//! Both lie in the notebook of the account. What waits is written by the outbox alone and never taken
//! away by anybody else: whoever queues it again marks it as [`released`] in the same act, so that the two
//! cannot lose or repeat anything between them.

use serde::Deserialize;
use serde::Serialize;

use super::Store;
use super::StoreError;
use super::Write;
use crate::domain::clock::Time;
use crate::domain::clock::from_unix_ms;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::secret::Secret;

/// Words that came too late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The row of the outbox that they were.
    pub row: u64,
    /// The words.
    pub text: String,
}

/// The page of an account's notebook that tells until when.
#[must_use]
pub fn page(room: &RoomId) -> String {
    format!("window:{}", room.native)
}

/// What is written there.
#[must_use]
pub fn opened(room: &RoomId, until: Time) -> Write {
    let words = until.timestamp_millis().to_string();
    Write::Note(room.account.clone(), page(room), Secret::new(&words))
}

/// What a page says; one that says nothing is of somebody who never wrote.
#[must_use]
pub fn read(page: Option<&Secret>) -> Option<Time> {
    page?.expose().parse().ok().map(from_unix_ms)
}

/// Until when this person may be written to.
///
/// # Errors
/// When the store cannot be read.
pub async fn until(store: &dyn Store, room: &RoomId) -> Result<Option<Time>, StoreError> {
    let note = store.note(&room.account, &page(room)).await?;
    Ok(read(note.as_ref()))
}

fn held_page(room: &RoomId) -> String {
    format!("held:{}", room.native)
}

/// What waits for this person's next word, oldest first; it may have been released since.
///
/// # Errors
/// When the store cannot be read.
pub async fn held(store: &dyn Store, room: &RoomId) -> Result<Vec<Held>, StoreError> {
    let note = store.note(&room.account, &held_page(room)).await?;
    let held = note.and_then(|note| serde_json::from_str(note.expose()).ok());
    Ok(held.unwrap_or_default())
}

/// Writes down what waits.
#[must_use]
pub fn hold(room: &RoomId, all: &[Held]) -> Write {
    let words = serde_json::to_string(all).unwrap_or_default();
    Write::Note(room.account.clone(), held_page(room), Secret::new(&words))
}

/// Seen once the words of this row were queued again.
#[must_use]
pub fn released(room: &RoomId, row: DeliveryId) -> MessageKey {
    MessageKey {
        room: room.clone(),
        message: MessageId(format!("released:{row}").into()),
    }
}
