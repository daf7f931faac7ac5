//! What is known while a batch is decided: the store, and what the messages before did.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::area::AreaId;
use crate::domain::ids::AccountName;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::incident::Incident;
use crate::domain::incident::Question;
use crate::domain::person::PersonKey;
use crate::domain::room::Room;
use crate::domain::secret::Secret;
use crate::store::Act;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;

/// The store with the writes of this batch laid over it.
pub(super) struct Known {
    store: Arc<dyn Store>,
    seen: HashMap<MessageKey, Option<IncidentId>>,
    /// By age, since the newest are looked at first.
    incidents: BTreeMap<IncidentId, Incident>,
    /// The newest open cases of an area as they were before this batch.
    stored: HashMap<AreaId, Vec<Incident>>,
    questions: HashMap<(RoomId, PersonKey), Option<Question>>,
    notes: HashMap<(AccountName, String), Secret>,
    /// Rooms as read or written; a room without a row is remembered too.
    rooms: HashMap<RoomId, Option<Room>>,
}

impl Known {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            seen: HashMap::new(),
            incidents: BTreeMap::new(),
            stored: HashMap::new(),
            questions: HashMap::new(),
            notes: HashMap::new(),
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
                let known = self.incidents.get(&incident.id);
                if known.is_none_or(|known| known.version != incident.version) {
                    self.incidents.insert(incident.id, (**incident).clone());
                }
            }
            Write::Question(room, person, question) => {
                self.questions
                    .insert((room.clone(), *person), question.clone());
            }
            Write::Room(room) => {
                self.rooms.insert(room.id.clone(), Some((**room).clone()));
            }
            Write::Note(account, page, words) => {
                self.notes
                    .insert((account.clone(), page.clone()), words.clone());
            }
            Write::Identity(..)
            | Write::Alert(_)
            | Write::Delivery(_)
            | Write::Audit(_)
            | Write::Invite(_)
            | Write::Usage { .. }
            | Write::Appointment(_)
            | Write::Errand(_)
            | Write::ErrandEnded(_) => {}
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

    /// A page of an account's notebook.
    pub(super) async fn note(
        &self,
        account: &AccountName,
        page: &str,
    ) -> Result<Option<Secret>, StoreError> {
        match self.notes.get(&(account.clone(), page.to_owned())) {
            Some(words) => Ok(Some(words.clone())),
            None => self.store.note(account, page).await,
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

    /// The newest open case of an area that fits, among its `limit` newest; those of this batch first.
    pub(super) async fn find_open(
        &mut self,
        area: &AreaId,
        limit: usize,
        fits: impl Fn(&Incident) -> bool,
    ) -> Result<Option<Incident>, StoreError> {
        let mut left = limit;
        for case in self.incidents.values().rev() {
            if case.area == *area && case.status.is_open() {
                if left == 0 {
                    return Ok(None);
                }
                left -= 1;
                if fits(case) {
                    return Ok(Some(case.clone()));
                }
            }
        }
        if left == 0 {
            return Ok(None);
        }
        // What the store holds is read once for the whole batch: what changes meanwhile is found out by
        // the versions when the batch is written.
        if !self.stored.contains_key(area) {
            let stored = self.store.recent_open(area, limit).await?;
            self.stored.insert(area.clone(), stored);
        }
        let stored = self.stored.get(area).map_or(&[][..], Vec::as_slice);
        let mut known = stored.iter().take(left);
        Ok(known
            .find(|case| !self.incidents.contains_key(&case.id) && fits(case))
            .cloned())
    }
}
