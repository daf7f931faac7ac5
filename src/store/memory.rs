//! The store in memory: for tests, the model that the others are compared with, and `demo` runs that
//! need no disk. It keeps every promise but durability.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;

use async_trait::async_trait;
use bytes::Bytes;

use super::StoreError;
use super::acts;
use super::acts::Answer;
use super::acts::Op;
use super::acts::Running;
use super::engine::Desk;
use super::engine::Engine;
use super::kv::Entries;
use super::kv::Kv;
use super::kv::Order;
use super::kv::Range;
use super::kv::Staged;
use super::kv::layer;

/// A store that lasts as long as the process.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    desk: Desk,
    rows: RwLock<BTreeMap<Bytes, Bytes>>,
    /// Held while a request is carried out. None: the store was closed.
    running: Mutex<Option<Running>>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store. Its salt is fixed, so that runs can be repeated.
    #[must_use]
    pub fn new() -> Self {
        Self::over(BTreeMap::new())
    }

    /// What a process finds that starts after this one was killed: the same rows, in a store that has just
    /// been opened. This one is closed.
    #[must_use]
    pub fn after_a_kill(&self) -> Self {
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *running = None;
        Self::over(read(&self.0.rows).clone())
    }

    fn over(rows: BTreeMap<Bytes, Bytes>) -> Self {
        let rows = RwLock::new(rows);
        let (desk, running) =
            Desk::opened([7; 32], &View(read(&rows))).expect("we wrote these rows ourselves");
        Self(Arc::new(Inner {
            desk,
            rows,
            running: Mutex::new(Some(running)),
        }))
    }
}

fn read(rows: &RwLock<BTreeMap<Bytes, Bytes>>) -> RwLockReadGuard<'_, BTreeMap<Bytes, Bytes>> {
    rows.read().unwrap_or_else(PoisonError::into_inner)
}

/// The rows while nobody writes.
pub(crate) struct View<'a>(RwLockReadGuard<'a, BTreeMap<Bytes, Bytes>>);

impl Kv for View<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, range: &Range, order: Order) -> Entries<'_> {
        let rows = layer(&self.0, range, order, |value| Some(value.clone()));
        Box::new(rows.filter_map(|entry| {
            entry
                .map(|(key, value)| value.map(|value| (key, value)))
                .transpose()
        }))
    }
}

#[async_trait]
impl Engine for MemoryStore {
    type View<'a> = View<'a>;

    fn desk(&self) -> &Desk {
        &self.0.desk
    }

    fn view(&self) -> Result<View<'_>, StoreError> {
        Ok(View(read(&self.0.rows)))
    }

    async fn run(&self, op: Op) -> Result<Answer, StoreError> {
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let running = running
            .as_mut()
            .ok_or_else(|| StoreError::Stopped("it was closed".to_owned()))?;
        let (answer, set) = {
            let view = View(read(&self.0.rows));
            let mut staged = Staged::new(&view);
            let answer = acts::execute(&mut staged, running, op)?;
            (answer, staged.into_set())
        };
        let mut rows = self.0.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, slot) in set {
            match slot.value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        self.0.desk.tell(running);
        Ok(answer)
    }

    async fn ask_backup(&self, _to: &std::path::Path) -> Result<String, StoreError> {
        Err(StoreError::Engine {
            doing: "writing a backup".to_owned(),
            source: "a store in memory has none: use kind = \"sled\"".into(),
        })
    }

    async fn ask_health(&self) -> Result<(), StoreError> {
        let running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match *running {
            Some(_) => Ok(()),
            None => Err(StoreError::Stopped("it was closed".to_owned())),
        }
    }

    async fn stop(&self) -> Result<(), StoreError> {
        *self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}
