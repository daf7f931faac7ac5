//! Tables that are read where they lie: in the program's own image, or on the heap.
//!
//! A lexicon is some ten thousand phrases, of which one message meets a few. Laid out as rows of a few
//! bytes it needs no memory of its own when it comes with the program, and little when a ward has its own.
//!
//! ```text
//! image = section*     section = length in bytes (4, lowest first), then so many bytes
//! ```

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Rows of `N` bytes; what is a number in them has its lowest byte first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table<const N: usize>(Cow<'static, [[u8; N]]>);

impl<const N: usize> Table<N> {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One row.
    pub(crate) fn row(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at).copied()
    }

    /// Some rows; none when they are not all there.
    pub(crate) fn rows(&self, from: usize, to: usize) -> &[[u8; N]] {
        self.0.get(from..to).unwrap_or(&[])
    }
}

impl<const N: usize> From<Vec<[u8; N]>> for Table<N> {
    fn from(rows: Vec<[u8; N]>) -> Self {
        Self(Cow::Owned(rows))
    }
}

impl Table<4> {
    /// The number in a row.
    pub(crate) fn number(&self, at: usize) -> Option<u32> {
        self.row(at).map(u32::from_le_bytes)
    }
}

impl FromIterator<u32> for Table<4> {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let rows: Vec<_> = numbers.into_iter().map(u32::to_le_bytes).collect();
        rows.into()
    }
}

/// Fewer than four billion of anything are in a lexicon.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Where keys stand in a table that was sorted by [`Index::of`].
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Index {
    /// By the first bits of a mixed key: where such keys begin. Those of the next are the end.
    starts: Table<4>,
    keys: Table<8>,
}

/// Spreads keys, most of which are a few letters of ASCII, over all bits; the upper ones are used.
fn mixed(key: u64) -> u64 {
    key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Index {
    /// Sorts entries as the index finds them.
    pub(crate) fn of<T>(entries: &mut [(u64, T)]) -> Self {
        entries.sort_by_key(|(key, _)| mixed(*key));
        let slots = entries.len().next_power_of_two().max(2);
        let bits = slots.trailing_zeros();
        let starts = (0..=slots).map(|slot| {
            let below = |(key, _): &(u64, T)| mixed(*key) >> (64 - bits) < slot as u64;
            narrow(entries.partition_point(below))
        });
        Self {
            starts: starts.collect(),
            keys: entries
                .iter()
                .map(|(key, _)| key.to_le_bytes())
                .collect::<Vec<_>>()
                .into(),
        }
    }

    /// Where a key stands.
    pub(crate) fn find(&self, key: u64) -> Option<usize> {
        let slots = self.starts.len().checked_sub(1)?;
        let slot = usize::try_from(mixed(key).checked_shr(64 - slots.trailing_zeros())?).ok()?;
        let (from, to) = (self.starts.number(slot)?, self.starts.number(slot + 1)?);
        let keys = self.keys.rows(from as usize, to as usize);
        let found = keys.iter().position(|row| u64::from_le_bytes(*row) == key);
        found.map(|at| from as usize + at)
    }
}

/// What goes over all tables and small values of a lexicon, always in one order: to read them from an image
/// or to write them into one.
pub(crate) trait Pass {
    /// Comes to a table; `None` when the image does not have it.
    fn table<const N: usize>(&mut self, table: &mut Table<N>) -> Option<()>;

    /// Comes to a value that is copied when it is read.
    fn value<T: Serialize + DeserializeOwned>(&mut self, value: &mut T) -> Option<()>;

    /// Comes to an index.
    fn index(&mut self, index: &mut Index) -> Option<()> {
        self.table(&mut index.starts)?;
        self.table(&mut index.keys)
    }
}

/// Reads an image where it lies.
#[derive(Debug)]
pub(crate) struct Reading(pub(crate) &'static [u8]);

impl Reading {
    fn section(&mut self) -> Option<&'static [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (section, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        Some(section)
    }
}

impl Pass for Reading {
    fn table<const N: usize>(&mut self, table: &mut Table<N>) -> Option<()> {
        let (rows, rest) = self.section()?.as_chunks();
        *table = Table(Cow::Borrowed(rows));
        rest.is_empty().then_some(())
    }

    fn value<T: Serialize + DeserializeOwned>(&mut self, value: &mut T) -> Option<()> {
        *value = postcard::from_bytes(self.section()?).ok()?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_index_finds_its_keys_and_no_others(
            keys in prop::collection::btree_set(any::<u64>(), 0..200),
            others in prop::collection::vec(any::<u64>(), 50),
        ) {
            let mut entries: Vec<(u64, u64)> = keys.iter().map(|key| (*key, !*key)).collect();
            let index = Index::of(&mut entries);
            for key in &keys {
                let at = index.find(*key).expect("it is there");
                prop_assert_eq!(entries[at], (*key, !*key));
            }
            for key in others.iter().filter(|key| !keys.contains(key)) {
                prop_assert_eq!(index.find(*key), None);
            }
        }
    }
}
