//! The seam between acts and engines: an ordered map of bytes.
//!
//! An engine gives a [`Kv`] view of one moment. Acts are carried out over a [`Staged`] view, which
//! collects what is to change; the engine then makes the whole change durable. Values longer than
//! [`MAX_VALUE`] are kept in parts beside the others, because sled leaks the files in which it keeps
//! large values; nobody above this file notices.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::StoreError;

/// The longest value that an engine is given.
pub(crate) const MAX_VALUE: usize = 4096;

/// First byte of the keys that hold parts of long values.
pub(crate) const PART: u8 = b'~';

/// First byte of a value that stands for its parts. Row versions stay below it.
const HEAD: u8 = 0xff;

/// Keys from the first (included) to the second (excluded; `None`: to the end).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Option<Vec<u8>>,
}

impl Range {
    /// All keys that begin with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        Self {
            start: prefix.to_vec(),
            end: after_prefix(prefix),
        }
    }

    /// Every key.
    pub(crate) fn all() -> Self {
        Self {
            start: Vec::new(),
            end: None,
        }
    }

    /// The same, beginning after `key`.
    pub(crate) fn after(mut self, key: &[u8]) -> Self {
        let mut next = key.to_vec();
        next.push(0);
        if next > self.start {
            self.start = next;
        }
        self
    }

    /// As the standard library wants it; an empty range comes out as a legal one.
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let start = self.start.as_slice();
        match &self.end {
            None => (Bound::Included(start), Bound::Unbounded),
            Some(end) if end.as_slice() <= start => {
                (Bound::Included(start), Bound::Excluded(start))
            }
            Some(end) => (Bound::Included(start), Bound::Excluded(end)),
        }
    }
}

/// The first key after all that begin with `prefix`; none when nothing can follow.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut next = prefix.get(..=keep)?.to_vec();
    *next.last_mut()? += 1;
    Some(next)
}

/// In which direction to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Up,
    Down,
}

/// A key with what is known of it: a value, or that it is gone.
pub(crate) type Slotted = (Bytes, Option<Bytes>);

/// Keys and values in order.
pub(crate) type Entries<'a> = Box<dyn Iterator<Item = Result<(Bytes, Bytes), StoreError>> + 'a>;

/// A layer of a view, in order; a later layer hides nothing of an earlier one.
pub(crate) type Layer<'a> = Box<dyn Iterator<Item = Result<Slotted, StoreError>> + 'a>;

/// One moment of an ordered map.
pub(crate) trait Kv {
    /// The raw value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;
    /// Raw keys and values.
    fn scan(&self, range: &Range, order: Order) -> Entries<'_>;
}

/// A value as it is kept, put together again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) value: Bytes,
    /// How many parts it is kept in; 0: whole.
    pub(crate) parts: u16,
}

/// What stands under a key that is about to be written, as the writer knows from reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Was {
    /// Nothing: if the key leaves again before the engine saw it, the engine never hears of it.
    Absent,
    /// A value of so many parts (0: whole), or perhaps nothing.
    Parts(u16),
}

impl From<&Option<Stored>> for Was {
    fn from(stored: &Option<Stored>) -> Self {
        stored
            .as_ref()
            .map_or(Self::Absent, |stored| Self::Parts(stored.parts))
    }
}

/// Reads a value, putting its parts together.
pub(crate) fn load(kv: &dyn Kv, key: &[u8]) -> Result<Option<Stored>, StoreError> {
    match kv.get(key)? {
        None => Ok(None),
        Some(raw) => whole(kv, key, raw).map(Some),
    }
}

/// Puts the parts of a raw value together, if it has any.
pub(crate) fn whole(kv: &dyn Kv, key: &[u8], raw: Bytes) -> Result<Stored, StoreError> {
    let Some((parts, length)) = head(&raw).map_err(|why| damaged(key, why))? else {
        return Ok(Stored {
            value: raw,
            parts: 0,
        });
    };
    let mut value = Vec::with_capacity(length.min(1 << 20));
    for part in 0..parts {
        let piece = kv
            .get(&part_key(key, part))?
            .ok_or_else(|| damaged(key, &format!("its part {part} of {parts} is missing")))?;
        value.extend_from_slice(&piece);
    }
    if value.len() != length {
        return Err(damaged(
            key,
            "its parts have another length than its head says",
        ));
    }
    Ok(Stored {
        value: value.into(),
        parts,
    })
}

/// The number of parts and the whole length, if the raw value stands for parts.
pub(crate) fn head(raw: &[u8]) -> Result<Option<(u16, usize)>, &'static str> {
    if raw.first() != Some(&HEAD) {
        return Ok(None);
    }
    let fields: &[u8; 11] = raw.try_into().map_err(|_| "its head has a wrong length")?;
    let [_, p1, p0, l3, l2, l1, l0, c3, c2, c1, c0] = *fields;
    let body = [HEAD, p1, p0, l3, l2, l1, l0];
    if crc32fast::hash(&body) != u32::from_be_bytes([c3, c2, c1, c0]) {
        return Err("the checksum of its head is wrong");
    }
    Ok(Some((
        u16::from_be_bytes([p1, p0]),
        u32::from_be_bytes([l3, l2, l1, l0]) as usize,
    )))
}

fn make_head(parts: u16, length: usize) -> Bytes {
    let mut raw = vec![HEAD];
    raw.extend_from_slice(&parts.to_be_bytes());
    raw.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    raw.extend_from_slice(&crc32fast::hash(&raw).to_be_bytes());
    raw.into()
}

/// Where a part of a long value is kept.
pub(crate) fn part_key(key: &[u8], part: u16) -> Vec<u8> {
    let mut made = Vec::with_capacity(key.len() + 3);
    made.push(PART);
    made.extend_from_slice(key);
    made.extend_from_slice(&part.to_be_bytes());
    made
}

/// The error for a row that cannot be read.
pub(crate) fn damaged(key: &[u8], why: &str) -> StoreError {
    StoreError::Damaged {
        key: key.escape_ascii().to_string(),
        why: why.to_owned(),
    }
}

/// What is to become of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The value; none: the key goes.
    pub(crate) value: Option<Bytes>,
    /// The view below has nothing under this key.
    pub(crate) fresh: bool,
}

/// What is to change.
pub(crate) type WriteSet = BTreeMap<Bytes, Slot>;

/// A view with changes on top that are not yet written.
pub(crate) struct Staged<'a> {
    below: &'a dyn Kv,
    set: WriteSet,
    undo: Vec<(Bytes, Option<Slot>)>,
    size: usize,
}

impl<'a> Staged<'a> {
    pub(crate) fn new(below: &'a dyn Kv) -> Self {
        Self {
            below,
            set: WriteSet::new(),
            undo: Vec::new(),
            size: 0,
        }
    }

    /// Everything up to here stays, whatever becomes of what follows.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes back everything since the last [`Self::keep`].
    pub(crate) fn rollback(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(slot) => self.set.insert(key, slot),
                None => self.set.remove(&key),
            };
        }
    }

    /// Roughly how many bytes were staged; rolled back ones count too.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The changes. Keys that came and went again are not among them.
    pub(crate) fn into_set(mut self) -> WriteSet {
        self.set
            .retain(|_, slot| slot.value.is_some() || !slot.fresh);
        self.set
    }

    /// Writes a value, in parts if it is long.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Bytes, was: Was) {
        let had = match was {
            Was::Absent => 0,
            Was::Parts(parts) => parts,
        };
        if value.len() <= MAX_VALUE {
            self.drop_parts(&key, 0, had);
            self.set(key.into(), Some(value), was == Was::Absent);
            return;
        }
        let mut parts = 0u16;
        let mut rest = value.clone();
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(MAX_VALUE));
            self.set(part_key(&key, parts).into(), Some(piece), parts >= had);
            // 65,535 parts are 256 MiB; no row comes near (texts are clipped at 20,000 characters).
            parts = parts.saturating_add(1);
        }
        self.drop_parts(&key, parts, had);
        let head = make_head(parts, value.len());
        self.set(key.into(), Some(head), was == Was::Absent);
    }

    /// Takes a key away.
    pub(crate) fn remove(&mut self, key: Vec<u8>, was: Was) {
        if let Was::Parts(had) = was {
            self.drop_parts(&key, 0, had);
            self.set(key.into(), None, false);
        }
    }

    fn drop_parts(&mut self, key: &[u8], from: u16, to: u16) {
        for part in from..to {
            self.set(part_key(key, part).into(), None, false);
        }
    }

    fn set(&mut self, key: Bytes, value: Option<Bytes>, fresh: bool) {
        self.size += key.len() + value.as_ref().map_or(0, Bytes::len);
        let before = self.set.get(&key).cloned();
        // What the view below holds does not change by what is staged above it.
        let fresh = before.as_ref().map_or(fresh, |slot| slot.fresh);
        self.set.insert(key.clone(), Slot { value, fresh });
        self.undo.push((key, before));
    }
}

impl Kv for Staged<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.set.get(key) {
            Some(slot) => Ok(slot.value.clone()),
            None => self.below.get(key),
        }
    }

    fn scan(&self, range: &Range, order: Order) -> Entries<'_> {
        Merge::entries(
            vec![
                layer(&self.set, range, order, |slot| slot.value.clone()),
                Box::new(
                    self.below
                        .scan(range, order)
                        .map(|entry| entry.map(|(key, value)| (key, Some(value)))),
                ),
            ],
            order,
        )
    }
}

/// A map's range as a layer.
pub(crate) fn layer<'a, S>(
    map: &'a BTreeMap<Bytes, S>,
    range: &Range,
    order: Order,
    value: impl Fn(&S) -> Option<Bytes> + 'a,
) -> Layer<'a> {
    let entries = map.range::<[u8], _>(range.bounds());
    let read = move |(key, slot): (&Bytes, &S)| Ok((key.clone(), value(slot)));
    match order {
        Order::Up => Box::new(entries.map(read)),
        Order::Down => Box::new(entries.rev().map(read)),
    }
}

/// Reads layers as one: of equal keys the first layer's counts, and keys that are gone are left out.
pub(crate) struct Merge<'a> {
    layers: Vec<(Option<Result<Slotted, StoreError>>, Layer<'a>)>,
    order: Order,
}

impl<'a> Merge<'a> {
    pub(crate) fn entries(layers: Vec<Layer<'a>>, order: Order) -> Entries<'a> {
        let layers = layers
            .into_iter()
            .map(|mut layer| (layer.next(), layer))
            .collect();
        Box::new(Self { layers, order })
    }

    fn nearest(&self) -> Option<usize> {
        let mut best: Option<(usize, &Bytes)> = None;
        for (index, (next, _)) in self.layers.iter().enumerate() {
            match next {
                None => {}
                // An error comes out first, before anything that might hide it.
                Some(Err(_)) => return Some(index),
                Some(Ok((key, _))) => {
                    let nearer = best.is_none_or(|(_, other)| {
                        let order = key.cmp(other);
                        match self.order {
                            Order::Up => order == Ordering::Less,
                            Order::Down => order == Ordering::Greater,
                        }
                    });
                    if nearer {
                        best = Some((index, key));
                    }
                }
            }
        }
        best.map(|(index, _)| index)
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let index = self.nearest()?;
            let (next, layer) = self.layers.get_mut(index)?;
            let (key, value) = match std::mem::replace(next, layer.next())? {
                Ok(entry) => entry,
                Err(error) => {
                    self.layers.clear();
                    return Some(Err(error));
                }
            };
            for (next, layer) in &mut self.layers {
                if matches!(next, Some(Ok((other, _))) if *other == key) {
                    *next = layer.next();
                }
            }
            if let Some(value) = value {
                return Some(Ok((key, value)));
            }
        }
    }
}
