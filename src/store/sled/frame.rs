//! The payload of a journal frame: the bytes of a write set.

use bytes::Bytes;

use crate::store::kv::Slot;
use crate::store::kv::WriteSet;

/// First byte of a payload: how the rest is laid out.
const VERSION: u8 = 1;

/// In place of a value's length: the key goes.
const GONE: u32 = u32::MAX;

/// Version, then for each key: its length (2 bytes), the value's (4), key, value.
pub(crate) fn encode(set: &WriteSet) -> Vec<u8> {
    let size = set
        .iter()
        .map(|(key, slot)| 6 + key.len() + slot.value.as_ref().map_or(0, Bytes::len))
        .sum::<usize>();
    let mut payload = Vec::with_capacity(1 + size);
    payload.push(VERSION);
    for (key, slot) in set {
        // Keys are at most some 650 bytes (see `rows::key`), values 4 KiB (see `kv`).
        let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let value_length = slot
            .value
            .as_ref()
            .map_or(GONE, |value| u32::try_from(value.len()).unwrap_or(GONE));
        payload.extend_from_slice(&key_length.to_be_bytes());
        payload.extend_from_slice(&value_length.to_be_bytes());
        payload.extend_from_slice(key);
        payload.extend_from_slice(slot.value.as_deref().unwrap_or_default());
    }
    payload
}

/// The write set of a payload.
pub(crate) fn decode(payload: &[u8]) -> Result<WriteSet, String> {
    let cut = || "it is cut off".to_owned();
    let mut set = WriteSet::new();
    let (&version, mut rest) = payload.split_first().ok_or_else(cut)?;
    if version != VERSION {
        return Err(format!(
            "its version {version} is unknown here: a newer program wrote it, use that one"
        ));
    }
    while !rest.is_empty() {
        let (lengths, tail) = rest.split_first_chunk::<6>().ok_or_else(cut)?;
        let [k1, k0, v3, v2, v1, v0] = *lengths;
        let key_length = usize::from(u16::from_be_bytes([k1, k0]));
        let value_length = u32::from_be_bytes([v3, v2, v1, v0]);
        let (key, tail) = tail.split_at_checked(key_length).ok_or_else(cut)?;
        let (value, tail) = if value_length == GONE {
            (None, tail)
        } else {
            let (value, tail) = tail
                .split_at_checked(value_length as usize)
                .ok_or_else(cut)?;
            (Some(Bytes::copy_from_slice(value)), tail)
        };
        let fresh = false;
        set.insert(Bytes::copy_from_slice(key), Slot { value, fresh });
        rest = tail;
    }
    Ok(set)
}
