//! What is durable in the journal and not yet in sled.
//!
//! Two maps: writes go into the active one; when it is large enough it is frozen, and the frozen one is
//! applied to sled bit by bit. A key that was written again meanwhile is left out, and so is one that
//! came and went before sled heard of it: most rows of the outbox never touch sled.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::store::kv::Slot;
use crate::store::kv::WriteSet;

/// Roughly what a map's entry costs beside its key and value.
const ENTRY_COST: usize = 96;

/// Writes that sled does not have yet. In every [`Slot`] here, `fresh` says that *sled* (not the store)
/// has nothing under the key.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) active: WriteSet,
    pub(crate) frozen: WriteSet,
    /// What `active` costs in memory.
    bytes: usize,
}

impl Overlay {
    /// Takes in what a group wrote.
    pub(crate) fn absorb(&mut self, set: WriteSet) {
        for (key, slot) in set {
            let cost = ENTRY_COST + key.len() + slot.value.as_ref().map_or(0, Bytes::len);
            // That the store had nothing under the key does not mean that sled has: the store may just
            // have forgotten a row that sled still holds. What an earlier slot knows of sled holds on.
            let known = self.active.get(&key).or_else(|| self.frozen.get(&key));
            let fresh = known.map_or(slot.fresh, |known| known.fresh);
            let slot = Slot {
                value: slot.value,
                fresh,
            };
            if let Some(old) = self.active.insert(key, slot) {
                self.bytes = self
                    .bytes
                    .saturating_sub(ENTRY_COST + old.value.map_or(0, |value| value.len()));
            }
            self.bytes += cost;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Freezes the active map. The frozen one must have been applied whole.
    pub(crate) fn freeze(&mut self) {
        debug_assert!(self.frozen.is_empty(), "frozen writes would be lost");
        self.frozen = std::mem::take(&mut self.active);
        self.frozen
            .retain(|_, slot| slot.value.is_some() || !slot.fresh);
        self.bytes = 0;
    }

    /// The next frozen writes for sled, at most `limit`, and every key they finish.
    pub(crate) fn next(&self, limit: usize) -> (BTreeMap<Bytes, Option<Bytes>>, Vec<Bytes>) {
        let mut writes = BTreeMap::new();
        let mut keys = Vec::new();
        for (key, slot) in &self.frozen {
            if writes.len() >= limit {
                break;
            }
            keys.push(key.clone());
            if !self.active.contains_key(key) {
                writes.insert(key.clone(), slot.value.clone());
            }
        }
        (writes, keys)
    }

    /// These frozen writes are in sled, or were left out.
    pub(crate) fn finished(&mut self, keys: &[Bytes]) {
        for key in keys {
            self.frozen.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &'static str, value: Option<&'static str>, fresh: bool) -> WriteSet {
        let value = value.map(|text| Bytes::from_static(text.as_bytes()));
        WriteSet::from([(Bytes::from_static(key.as_bytes()), Slot { value, fresh })])
    }

    #[test]
    fn what_came_and_went_never_reaches_sled() {
        let mut overlay = Overlay::default();
        overlay.absorb(set("row", Some("waiting"), true));
        overlay.absorb(set("row", Some("sending"), false));
        overlay.absorb(set("row", None, false));
        overlay.freeze();
        assert!(overlay.frozen.is_empty());
    }

    #[test]
    fn what_came_before_the_freeze_and_went_after_it_never_reaches_sled() {
        let mut overlay = Overlay::default();
        overlay.absorb(set("row", Some("waiting"), true));
        overlay.freeze();
        overlay.absorb(set("row", None, false));
        let (writes, keys) = overlay.next(10);
        assert!(writes.is_empty());
        overlay.finished(&keys);
        overlay.freeze();
        assert!(overlay.frozen.is_empty());
    }

    #[test]
    fn a_row_that_sled_holds_is_deleted_there_even_if_it_came_back_meanwhile() {
        let mut overlay = Overlay::default();
        overlay.absorb(set("row", None, false));
        overlay.absorb(set("row", Some("again"), true));
        overlay.absorb(set("row", None, false));
        overlay.freeze();
        assert_eq!(overlay.next(10).0.len(), 1);
    }
}
