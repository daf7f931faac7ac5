//! What is in force stays on top of its rooms, where their platform can and the ward wants it.
//!
//! Pinning is done by rows of the outbox of their own, behind everything else: an alert never waits for it,
//! and never fails with it. What each does is seen when it leaves, by what the room was really told.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Desk;
use super::Doing;
use super::reach::known_rooms;
use crate::domain::alert::Alert;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Pinned;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::room::Room;

impl Desk {
    /// Whether an alert is to be on top of a room.
    pub(super) fn pins(&self, alert: &Alert, room: &RoomId) -> bool {
        self.settings.pin.is_some_and(|from| alert.level >= from)
            && self.hands.of(room).is_none()
            && { self.wording.carriers.carrier(room) }.is_some_and(|carrier| carrier.can_pin)
    }
}

impl Doing<'_> {
    /// What this row tells goes on top of the room, when it is there.
    pub(super) fn pin(&mut self, alert: &Alert, room: &RoomId, of: Follows, due: Time) {
        if self.desk.pins(alert, room) {
            let body = Body::Pin {
                alert: alert.id,
                of,
                pinned: Pinned::Kept,
            };
            self.send_at(due, room.clone(), Lane::Bulk, body);
        }
    }

    /// What an earlier row told comes down, unless the later one has changed its words.
    pub(super) fn unpin(
        &mut self,
        alert: &Alert,
        room: &RoomId,
        of: Follows,
        unless: Option<Follows>,
    ) {
        if self.desk.pins(alert, room) {
            let body = Body::Pin {
                alert: alert.id,
                of,
                pinned: Pinned::NoLonger { unless },
            };
            self.send(room.clone(), None, Lane::Bulk, body);
        }
    }

    /// Everything that an alert has on top of rooms comes down.
    pub(super) fn unpin_all(&mut self, alert: &Alert, rows: &[Delivery], rooms: &[Room]) {
        if self.desk.settings.pin.is_none_or(|from| alert.level < from) {
            return;
        }
        // Of a message that was changed, the last row speaks for all.
        let mut last: BTreeMap<(&RoomId, &MessageId), Follows> = BTreeMap::new();
        for row in rows {
            if let (
                Body::Alert { version, .. },
                DeliveryState::Sent {
                    message: Some(message),
                    ..
                },
            ) = (&row.body, &row.state)
            {
                let of = Follows {
                    version: *version,
                    row: row.id,
                };
                last.insert((&row.room, message), of);
            }
        }
        let mut wanted: BTreeSet<(RoomId, u32, u64)> = last
            .into_iter()
            .map(|((room, _), of)| (room.clone(), of.version, of.row.0))
            .collect();
        // What is still on its way may arrive, and be pinned.
        for (room, known) in known_rooms(rows, rooms) {
            wanted.insert((room, known.row.version, known.row.row.0));
        }
        for (room, version, row) in wanted {
            let row = DeliveryId(row);
            self.unpin(alert, &room, Follows { version, row }, None);
        }
    }
}
