//! Where the reporter of a case is told of it aside, when the case came from a place that everybody reads
//! and is not for everybody's eyes. It lies in the notebook of the account.

use super::Store;
use super::StoreError;
use super::Write;
use crate::domain::ids::AccountName;
use crate::domain::ids::IncidentId;
use crate::domain::ids::RoomId;
use crate::domain::secret::Secret;

fn page(case: IncidentId) -> String {
    format!("aside:{case}")
}

/// Writes down that this case is spoken of aside only; without a chat its reporter cannot be reached.
#[must_use]
pub fn of_case(account: &AccountName, case: IncidentId, chat: Option<&RoomId>) -> Write {
    let native = chat.map_or("", |chat| &chat.native);
    Write::Note(account.clone(), page(case), Secret::new(native))
}

/// The chat in which this case is spoken of. `Some(None)`: nowhere. `None`: where it was told.
///
/// # Errors
/// When the store cannot be read.
pub async fn chat(
    store: &dyn Store,
    account: &AccountName,
    case: IncidentId,
) -> Result<Option<Option<RoomId>>, StoreError> {
    let note = store.note(account, &page(case)).await?;
    Ok(note.map(|native| {
        let native = native.expose();
        (!native.is_empty()).then(|| RoomId::new(account.clone(), native))
    }))
}
