//! What a platform was given once, and the name it has there: an upload for thousands of rooms is made for
//! the first of them, while the others wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Mutex as Turn;

/// So many are remembered, the oldest forgotten first.
const MOST: usize = 32;

/// One picture's name on the platform, once it is known. Whoever holds it uploads, or learns the name.
pub(super) type Slot = Arc<Turn<Option<String>>>;

/// The names of pictures on the platform, by ours.
#[derive(Debug, Default)]
pub(super) struct Given(Mutex<VecDeque<(String, Slot)>>);

impl Given {
    pub(super) fn slot(&self, name: &str) -> Slot {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = all.iter().find(|(known, _)| known == name) {
            return Arc::clone(slot);
        }
        if all.len() >= MOST {
            all.pop_front();
        }
        let slot = Slot::default();
        all.push_back((name.to_owned(), Arc::clone(&slot)));
        slot
    }
}
