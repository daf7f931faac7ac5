//! What is known while a batch is decided: the store, and what the messages before did.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::area::AreaId;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::incident::Incident;
use crate::domain::incident::Question;
use crate::domain::person::PersonKey;
use crate::domain::room::Room;
use crate::store::Act;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;

/// The store with the writes of this batch laid over it.
pub(super) struct Known {
    store: Arc<dyn Store>,
    seen: HashMap<MessageKey, Option<IncidentId>>,
    incidents: HashMap<IncidentId, Incident>,
    questions: HashMap<(RoomId, PersonKey), Option<Question>>,
    /// Rooms as read or written; a room without a row is remembered too.
    rooms: HashMap<RoomId, Option<Room>>,
}

impl Known {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            seen: HashMap::new(),
            incidents: HashMap::new(),
            questions: HashMap::new(),
            rooms: HashMap::new(),
        }
    }

    /// Notes what an act will write.
    pub(super) fn remember(&mut self, act: &Act) {
        act.writes
            .iter()
            .for_each(|write| self.remember_write(write));
    }

    pub(super) fn remember_write(&mut self, write: &Write) {
        match write {
            Write::Seen(key, incident) => {
                self.seen.insert(key.clone(), *incident);
            }
            Write::Incident(incident) => {
                self.incidents.insert(incident.id, (**incident).clone());
            }
            Write::Question(room, person, question) => {
                self.questions
                    .insert((room.clone(), *person), question.clone());
            }
            Write::Room(room) => {
                self.rooms.insert(room.id.clone(), Some((**room).clone()));
            }
            Write::Identity(..) | Write::Alert(_) | Write::Delivery(_) | Write::Audit(_) => {}
        }
    }

    pub(super) async fn seen(
        &self,
        key: &MessageKey,
    ) -> Result<Option<Option<IncidentId>>, StoreError> {
        match self.seen.get(key) {
            Some(incident) => Ok(Some(*incident)),
            None => self.store.seen(key).await,
        }
    }

    pub(super) async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        match self.incidents.get(&id) {
            Some(incident) => Ok(Some(incident.clone())),
            None => self.store.incident(id).await,
        }
    }

    pub(super) async fn question(
        &self,
        room: &RoomId,
        person: &PersonKey,
    ) -> Result<Option<Question>, StoreError> {
        match self.questions.get(&(room.clone(), *person)) {
            Some(question) => Ok(question.clone()),
            None => self.store.question(room, person).await,
        }
    }

    pub(super) async fn room(&mut self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        if let Some(room) = self.rooms.get(id) {
            return Ok(room.clone());
        }
        let room = self.store.room(id).await?;
        self.rooms.insert(id.clone(), room.clone());
        Ok(room)
    }

    /// The newest open cases of an area, those of this batch first.
    pub(super) async fn recent_open(
        &self,
        area: &AreaId,
        limit: usize,
    ) -> Result<Vec<Incident>, StoreError> {
        let mut cases: Vec<Incident> = self
            .incidents
            .values()
            .filter(|case| case.area == *area && case.status.is_open())
            .cloned()
            .collect();
        cases.sort_by_key(|case| std::cmp::Reverse(case.id));
        cases.truncate(limit);
        if cases.len() < limit {
            let stored = self.store.recent_open(area, limit - cases.len()).await?;
            cases.extend(
                stored
                    .into_iter()
                    .filter(|case| !self.incidents.contains_key(&case.id)),
            );
        }
        Ok(cases)
    }
}
