//! What became of an alert in groups where a person posts by hand: handed over, and posted. It lies in the
//! notebook of the account by which the person is reached.

use super::Store;
use super::StoreError;
use super::Write;
use crate::domain::hand::HandGroup;
use crate::domain::ids::AlertId;
use crate::domain::secret::Secret;

/// How far one group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ByHand {
    /// The words are with its administrator.
    HandedOver,
    /// Its administrator says that they are posted.
    Posted,
}

impl ByHand {
    fn as_str(self) -> &'static str {
        match self {
            Self::HandedOver => "handed",
            Self::Posted => "posted",
        }
    }
}

fn page(group: &HandGroup, alert: AlertId, version: u32) -> String {
    format!("by-hand:{alert}:{version}:{}", group.id.native)
}

/// Writes down how far it is.
#[must_use]
pub fn is(group: &HandGroup, alert: AlertId, version: u32, hand: ByHand) -> Write {
    Write::Note(
        group.id.account.clone(),
        page(group, alert, version),
        Secret::new(hand.as_str()),
    )
}

/// How far one version is in this group; `None`: it did not get there.
///
/// # Errors
/// When the store cannot be read.
pub async fn of(
    store: &dyn Store,
    group: &HandGroup,
    alert: AlertId,
    version: u32,
) -> Result<Option<ByHand>, StoreError> {
    let page = page(group, alert, version);
    let note = store.note(&group.id.account, &page).await?;
    Ok(note.and_then(|note| {
        [ByHand::HandedOver, ByHand::Posted]
            .into_iter()
            .find(|hand| hand.as_str() == note.expose())
    }))
}
