//! Where a room is reached now: a short memory of what the store says.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::area::AreaId;
use crate::domain::ids::RoomId;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::store::Store;
use crate::store::StoreError;

/// How long an answer of the store is believed.
const FRESH: Duration = Duration::from_secs(1);

/// More are not remembered.
const MOST: usize = 4096;

/// A room as a sender sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The id it has now.
    pub(super) id: RoomId,
    /// Group or private; a room that the store does not know is treated as a group, which is stricter.
    pub(super) kind: RoomKind,
    /// The bot is out.
    pub(super) gone: bool,
    /// The commune it is bound to.
    pub(super) commune: Option<AreaId>,
}

/// The rooms that were asked for lately.
#[derive(Debug)]
pub(super) struct Rooms {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<RoomId, (Place, Instant)>>,
}

impl Rooms {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// Follows a room that has moved, and says whether anything can be posted there.
    pub(super) async fn place(&self, room: &RoomId) -> Result<Place, StoreError> {
        let now = Instant::now();
        if let Some(place) = self.known(room, now) {
            return Ok(place);
        }
        let mut place = Place {
            id: room.clone(),
            kind: RoomKind::Group,
            gone: false,
            commune: None,
        };
        // A room that moves moves once; more hops than these are a circle.
        for _ in 0..4 {
            let Some(found) = self.store.room(&place.id).await? else {
                break;
            };
            place.kind = found.kind;
            place.commune = found.area.as_ref().map(AreaId::commune);
            match found.state {
                RoomState::Active => break,
                RoomState::Removed => {
                    place.gone = true;
                    break;
                }
                RoomState::Moved(to) => place.id = to,
            }
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(room.clone(), (place.clone(), now));
        Ok(place)
    }

    fn known(&self, room: &RoomId, now: Instant) -> Option<Place> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(room)
            .filter(|(_, asked)| now < *asked + FRESH)
            .map(|(place, _)| place.clone())
    }

    /// Asks the store next time.
    pub(super) fn forget(&self, room: &RoomId) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(room);
    }
}
