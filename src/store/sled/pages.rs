//! Rows in pages: sled is given dozens of neighbouring rows as one value.
//!
//! A key costs sled 0.34 some six microseconds of processor and half a kilobyte of memory, however small
//! its value is. So a page stands under `p` and the row key that it begins at, and holds the rows from
//! there to where the next page begins. The first page begins at the empty key; without it there is no row.
//!
//! Nothing here leans on sled writing a batch whole. What a torn batch lacks comes again with the journal,
//! as long as no row is taken out of a page before the page it went to is on disk. So a page is split by
//! writing its upper part as a new page first; from then on the old page's rows beyond the new page's
//! beginning are void, and they are dropped by a later batch ([`Steps::last`]). Likewise void rows of the
//! page before go before a page that has become empty goes.
//!
//! A page: version, number of rows (2 bytes); for each row where its key and its value end, counted from
//! the end of this list (2 bytes each); keys and values. Numbers are little-endian.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use ::sled::IVec;
use bytes::Bytes;

use super::state::engine;
use crate::store::StoreError;
use crate::store::kv::Order;
use crate::store::kv::Range;

/// First byte of the keys under which pages stand in sled.
const PAGE: u8 = b'p';

/// First byte of a page: how it is laid out.
const VERSION: u8 = 1;

/// A page does not grow beyond this, unless it is a single row (at most some 4.8 KiB). sled keeps up to
/// 16 values in a node, and values in files of their own from 8 KiB.
const PAGE_BYTES: usize = 4096;

/// What a page costs beside its rows, and a row beside its key and value.
const PAGE_COST: usize = 3;
const ROW_COST: usize = 4;

/// How many pages are kept at hand. Most rows that are asked for are new ones, and those stand at the
/// ends of a few dozen rooms' pages.
const AT_HAND: usize = 128;

/// How often a page is touched that was fetched. sled looks at what its cache holds too much of only
/// after every 64th access in one of 256 parts of it. A scan accesses each node of a dozen pages once, a
/// search over a large store hardly any node twice: a million cases would all stay in memory, whatever the
/// cache was told to hold.
const TOUCHES: usize = 4;

/// The writes of a batch, in order; `None`: the row goes.
pub(super) type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// The pages in a tree.
pub(super) struct Pages {
    tree: ::sled::Tree,
    at_hand: Mutex<AtHand>,
}

/// Pages that were found since sled was last written to: finding one costs sled some five microseconds.
#[derive(Default)]
struct AtHand {
    /// Counts the writes, so that what was read before one is not kept after it.
    writes: u64,
    pages: BTreeMap<Bytes, Found>,
}

/// A page as sled has it.
#[derive(Clone)]
struct Found {
    start: Bytes,
    /// Where the next one begins.
    end: Option<Bytes>,
    raw: IVec,
}

/// What to do to carry out some writes, one after the other.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Pages that grow or are new, for any time.
    pub(super) grow: Vec<::sled::Batch>,
    /// Rows that went to a new page, and empty pages, go. Only after `grow` is on disk, and while nobody
    /// reads.
    pub(super) last: Option<::sled::Batch>,
}

/// A page with its rows; none as long as there is no page.
#[derive(Default)]
struct Page {
    /// The key of its first row, or less.
    start: Bytes,
    rows: usize,
    ends: Bytes,
    body: Bytes,
}

type Row<'a> = (&'a [u8], &'a [u8]);

fn damaged(start: &[u8]) -> StoreError {
    crate::store::kv::damaged(start, "the page of rows that begins here cannot be read")
}

fn place(start: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + start.len());
    key.push(PAGE);
    key.extend_from_slice(start);
    key
}

/// The row key at which the page under a key of sled begins.
fn start_of(place: &[u8]) -> &[u8] {
    place.get(1..).unwrap_or_default()
}

fn reading(error: ::sled::Error) -> StoreError {
    engine("reading sled", error)
}

/// See [`TOUCHES`].
fn touch(tree: &::sled::Tree, place: &[u8]) -> Result<(), StoreError> {
    for _ in 0..TOUCHES {
        tree.get(place).map_err(reading)?;
    }
    Ok(())
}

/// The bytes of a page, taken apart.
#[derive(Clone, Copy)]
struct Layout<'a> {
    rows: usize,
    ends: &'a [u8],
    body: &'a [u8],
}

impl<'a> Layout<'a> {
    fn read(raw: &'a [u8]) -> Option<Self> {
        let (&version, rest) = raw.split_first()?;
        let (rows, rest) = rest.split_first_chunk::<2>()?;
        let rows = usize::from(u16::from_le_bytes(*rows));
        let (ends, body) = rest.split_at_checked(ROW_COST * rows)?;
        (version == VERSION).then_some(Self { rows, ends, body })
    }

    /// Where in the body a row's key begins and ends, and where its value ends.
    fn bounds(&self, row: usize) -> Option<(usize, usize, usize)> {
        let number = |at: usize| {
            let raw = self.ends.get(2 * at..2 * at + 2)?.first_chunk::<2>()?;
            Some(usize::from(u16::from_le_bytes(*raw)))
        };
        let from = match row {
            0 => 0,
            _ => number(2 * row - 1)?,
        };
        let (key, value) = (number(2 * row)?, number(2 * row + 1)?);
        (from <= key && key <= value && value <= self.body.len()).then_some((from, key, value))
    }

    fn row(&self, row: usize) -> Option<Row<'a>> {
        let (from, key, value) = self.bounds(row)?;
        Some((self.body.get(from..key)?, self.body.get(key..value)?))
    }

    /// The first row whose key is not below `key`.
    fn lower_bound(&self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.row(middle)?.0 < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low)
    }

    /// The value under a key, if there is one; `None`: the page is damaged.
    fn find(&self, key: &[u8]) -> Option<Option<&'a [u8]>> {
        let at = self.lower_bound(key)?;
        if at == self.rows {
            return Some(None);
        }
        let (found, value) = self.row(at)?;
        Some((found == key).then_some(value))
    }
}

impl Page {
    fn open(start: Bytes, raw: &[u8]) -> Result<Self, StoreError> {
        let raw = Bytes::copy_from_slice(raw);
        let layout = Layout::read(&raw).ok_or_else(|| damaged(&start))?;
        Ok(Self {
            start,
            rows: layout.rows,
            ends: raw.slice_ref(layout.ends),
            body: raw.slice_ref(layout.body),
        })
    }

    fn layout(&self) -> Layout<'_> {
        Layout {
            rows: self.rows,
            ends: &self.ends,
            body: &self.body,
        }
    }

    fn row(&self, row: usize) -> Result<Row<'_>, StoreError> {
        let found = self.layout().row(row);
        found.ok_or_else(|| damaged(&self.start))
    }

    fn shared(&self, row: usize) -> Result<(Bytes, Bytes), StoreError> {
        let bounds = self.layout().bounds(row);
        let (from, key, value) = bounds.ok_or_else(|| damaged(&self.start))?;
        Ok((self.body.slice(from..key), self.body.slice(key..value)))
    }

    /// The first row whose key is not below `key`.
    fn lower_bound(&self, key: &[u8]) -> Result<usize, StoreError> {
        let found = self.layout().lower_bound(key);
        found.ok_or_else(|| damaged(&self.start))
    }

    /// The rows before `end`; what lies behind is void.
    fn valid(&self, end: Option<&[u8]>) -> Result<usize, StoreError> {
        end.map_or(Ok(self.rows), |end| self.lower_bound(end))
    }
}

fn cost((key, value): &Row<'_>) -> usize {
    ROW_COST + key.len() + value.len()
}

fn encode(rows: &[Row<'_>]) -> Vec<u8> {
    let size = PAGE_COST + rows.iter().map(cost).sum::<usize>();
    let mut made = Vec::with_capacity(size);
    made.push(VERSION);
    // A page has at most some 4.8 KiB, so that every number fits.
    let number = |made: &mut Vec<u8>, number: usize| {
        made.extend_from_slice(&u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes());
    };
    number(&mut made, rows.len());
    let mut end = 0;
    for (key, value) in rows {
        number(&mut made, end + key.len());
        end += key.len() + value.len();
        number(&mut made, end);
    }
    for (key, value) in rows {
        made.extend_from_slice(key);
        made.extend_from_slice(value);
    }
    made
}

/// Cuts rows into pages of at most so many bytes; never into none.
fn cut<'a, 'b>(rows: &'b [Row<'a>], bytes: usize) -> Vec<&'b [Row<'a>]> {
    let mut pages = Vec::new();
    let (mut from, mut size) = (0, PAGE_COST);
    for (at, row) in rows.iter().enumerate() {
        if at > from && size + cost(row) > bytes {
            pages.extend(rows.get(from..at));
            (from, size) = (at, PAGE_COST);
        }
        size += cost(row);
    }
    pages.extend(rows.get(from..));
    pages
}

impl Pages {
    pub(super) fn new(tree: ::sled::Tree) -> Self {
        Self {
            tree,
            at_hand: Mutex::default(),
        }
    }

    fn at_hand(&self) -> MutexGuard<'_, AtHand> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out one of the [`Steps`], or anything else that is to stand in the tree.
    pub(super) fn write(&self, batch: ::sled::Batch) -> ::sled::Result<()> {
        let wrote = self.tree.apply_batch(batch);
        let mut at_hand = self.at_hand();
        at_hand.writes += 1;
        at_hand.pages.clear();
        wrote
    }

    /// The page in which a key belongs; none while there is no page at all.
    fn page_of(&self, key: &[u8]) -> Result<Option<Found>, StoreError> {
        let writes = {
            let at_hand = self.at_hand();
            let before = (Bound::Unbounded, Bound::Included(key));
            let nearest = at_hand.pages.range::<[u8], _>(before).next_back();
            if let Some((_, page)) = nearest
                && page.end.as_ref().is_none_or(|end| key < end)
            {
                return Ok(Some(page.clone()));
            }
            at_hand.writes
        };
        let place = place(key);
        let mut found = self
            .tree
            .range::<&[u8], _>([PAGE].as_slice()..=place.as_slice());
        let Some((place, raw)) = found.next_back().transpose().map_err(reading)? else {
            return Ok(None);
        };
        touch(&self.tree, &place)?;
        let start = Bytes::copy_from_slice(start_of(&place));
        let end = self.next_start(&place)?;
        let page = Found { start, end, raw };
        let mut at_hand = self.at_hand();
        if at_hand.writes == writes {
            if at_hand.pages.len() >= AT_HAND {
                at_hand.pages.clear();
            }
            at_hand.pages.insert(page.start.clone(), page.clone());
        }
        Ok(Some(page))
    }

    /// Where the page after the one under this key of sled begins.
    fn next_start(&self, place: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found = self.tree.get_gt(place).map_err(reading)?;
        Ok(found.and_then(|(key, _)| match key.split_first() {
            Some((&PAGE, start)) => Some(Bytes::copy_from_slice(start)),
            _ => None,
        }))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let Some(page) = self.page_of(key)? else {
            return Ok(None);
        };
        Layout::read(&page.raw)
            .and_then(|page| page.find(key))
            .map(|value| value.map(Bytes::copy_from_slice))
            .ok_or_else(|| damaged(&page.start))
    }

    /// Rows in order. sled may change meanwhile, but for [`Steps::last`].
    pub(super) fn scan(&self, range: &Range, order: Order) -> Rows {
        let range = range.clone();
        // Up from the page that holds the beginning; an error in finding it comes up again on the way.
        let from = match order {
            Order::Up => self.page_of(&range.start).ok().flatten(),
            Order::Down => None,
        };
        let from = from.map_or_else(|| place(&[]), |page| place(&page.start));
        let to = match (order, &range.end) {
            (Order::Down, Some(end)) => place(end),
            _ => vec![PAGE + 1],
        };
        let pages = self.tree.range::<&[u8], _>(&from[..]..&to[..]);
        Rows {
            tree: self.tree.clone(),
            pages,
            range,
            order,
            ahead: None,
            ready: VecDeque::new(),
            over: false,
        }
    }

    /// Prepares some writes. Nothing else may write until they are carried out.
    pub(super) fn steps(&self, writes: &Writes) -> Result<Steps, StoreError> {
        let mut made = Steps::default();
        let mut writes = writes.iter().peekable();
        let mut visited: Option<Bytes> = None;
        while let Some((key, _)) = writes.peek() {
            let (page, end) = match self.page_of(key)? {
                Some(found) => (Page::open(found.start, &found.raw)?, found.end),
                None => (Page::default(), None),
            };
            let mut here: Vec<(&Bytes, &Option<Bytes>)> = Vec::new();
            while let Some(write) =
                writes.next_if(|(key, _)| end.as_ref().is_none_or(|end| *key < end))
            {
                here.push(write);
            }
            let valid = page.valid(end.as_deref())?;
            let (rows, appended) = merge(&page, valid, &here)?;
            if rows.is_empty() && !page.start.is_empty() {
                self.clean_before(&page.start, visited.as_ref(), &mut made)?;
                made.last(|batch| batch.remove(place(&page.start)));
            } else {
                made.page(&page.start, &rows, appended);
            }
            visited = Some(page.start);
        }
        Ok(made)
    }

    /// Takes void rows out of the page before `start`, unless that is the one just visited.
    fn clean_before(
        &self,
        start: &[u8],
        visited: Option<&Bytes>,
        made: &mut Steps,
    ) -> Result<(), StoreError> {
        let found = self.tree.get_lt(place(start)).map_err(reading)?;
        let Some((key, raw)) = found.filter(|(key, _)| key.first() == Some(&PAGE)) else {
            return Ok(());
        };
        let page = Page::open(Bytes::copy_from_slice(start_of(&key)), &raw)?;
        let valid = page.valid(Some(start))?;
        if visited != Some(&page.start) && valid < page.rows {
            let rows: Vec<Row<'_>> = (0..valid)
                .map(|row| page.row(row))
                .collect::<Result<_, _>>()?;
            made.grow(0, place(&page.start), encode(&rows));
        }
        Ok(())
    }
}

/// A page's rows with the writes among them; and whether the writes only stand behind them.
fn merge<'a>(
    page: &'a Page,
    valid: usize,
    writes: &[(&'a Bytes, &'a Option<Bytes>)],
) -> Result<(Vec<Row<'a>>, bool), StoreError> {
    let mut rows = Vec::with_capacity(valid + writes.len());
    let mut writes = writes.iter().peekable();
    let mut appended = true;
    for row in 0..valid {
        let old = page.row(row)?;
        while let Some((key, value)) = writes.next_if(|(key, _)| key[..] < *old.0) {
            appended = false;
            rows.extend(value.as_ref().map(|value| (&key[..], &value[..])));
        }
        match writes.next_if(|(key, _)| key[..] == *old.0) {
            Some((key, value)) => {
                appended = false;
                rows.extend(value.as_ref().map(|value| (&key[..], &value[..])));
            }
            None => rows.push(old),
        }
    }
    for (key, value) in writes {
        rows.extend(value.as_ref().map(|value| (&key[..], &value[..])));
    }
    Ok((rows, appended))
}

impl Steps {
    fn grow(&mut self, step: usize, place: Vec<u8>, page: Vec<u8>) {
        while self.grow.len() <= step {
            self.grow.push(::sled::Batch::default());
        }
        if let Some(batch) = self.grow.get_mut(step) {
            batch.insert(place, page);
        }
    }

    pub(super) fn last(&mut self, change: impl FnOnce(&mut ::sled::Batch)) {
        change(self.last.get_or_insert_default());
    }

    /// The rows of the page that begins at `start`, in as many pages as they need.
    fn page(&mut self, start: &Bytes, rows: &[Row<'_>], appended: bool) {
        let size = PAGE_COST + rows.iter().map(cost).sum::<usize>();
        // Behind what stands there already comes what is newest, and the next will come behind that: full
        // pages. Else both parts need room.
        let bytes = if appended || size <= PAGE_BYTES {
            PAGE_BYTES
        } else {
            let pages = size.div_ceil(PAGE_BYTES);
            PAGE_BYTES.min(size.div_ceil(pages) + ROW_COST)
        };
        let pages = cut(rows, bytes);
        let count = pages.len();
        for (at, rows) in pages.into_iter().enumerate() {
            let place = match (at, rows.first()) {
                (0, _) | (_, None) => place(start),
                (_, Some((first, _))) => place(first),
            };
            let page = encode(rows);
            if appended || count == 1 {
                // No row that was there leaves its page.
                self.grow(0, place, page);
            } else if at > 0 {
                // From the right, so that no row is ever missing in between.
                self.grow(count - 1 - at, place, page);
            } else {
                self.last(|batch| batch.insert(place, page));
            }
        }
    }
}

/// Rows in order, page by page.
pub(super) struct Rows {
    tree: ::sled::Tree,
    pages: ::sled::Iter,
    range: Range,
    order: Order,
    /// Up: the page that comes next. Down: only where the page before began.
    ahead: Option<Page>,
    ready: VecDeque<(Bytes, Bytes)>,
    over: bool,
}

impl Rows {
    fn next_page(&mut self) -> Result<Option<Page>, StoreError> {
        let next = match self.order {
            Order::Up => self.pages.next(),
            Order::Down => self.pages.next_back(),
        };
        match next {
            Some(found) => {
                let (key, raw) = found.map_err(reading)?;
                touch(&self.tree, &key)?;
                Page::open(Bytes::copy_from_slice(start_of(&key)), &raw).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Makes the rows of one more page ready.
    fn turn(&mut self) -> Result<(), StoreError> {
        let (page, end) = match self.order {
            Order::Up => {
                let page = match self.ahead.take() {
                    Some(page) => Some(page),
                    None => self.next_page()?,
                };
                // Looked up before the page's rows are told: a page that is made later does not count.
                self.ahead = self.next_page()?;
                (page, self.ahead.as_ref().map(|next| next.start.clone()))
            }
            Order::Down => {
                let end = self.ahead.take().map(|page| page.start);
                (self.next_page()?, end)
            }
        };
        let Some(page) = page else {
            self.over = true;
            return Ok(());
        };
        let end = match (end, &self.range.end) {
            (Some(end), Some(last)) if *last < end => Some(Bytes::copy_from_slice(last)),
            (Some(end), _) => Some(end),
            (None, last) => last.as_deref().map(Bytes::copy_from_slice),
        };
        let from = page.lower_bound(&self.range.start)?;
        let to = page.valid(end.as_deref())?;
        for row in from..to {
            let row = page.shared(row)?;
            match self.order {
                Order::Up => self.ready.push_back(row),
                Order::Down => self.ready.push_front(row),
            }
        }
        match self.order {
            Order::Up => {
                let next = self.ahead.as_ref().map(|page| &page.start[..]);
                self.over = match (next, &self.range.end) {
                    (None, _) => true,
                    (Some(next), Some(last)) => next >= &last[..],
                    (Some(_), None) => false,
                };
            }
            Order::Down => {
                self.over = page.start[..] <= self.range.start[..];
                self.ahead = Some(page);
            }
        }
        Ok(())
    }
}

impl Iterator for Rows {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.over {
            if let Err(error) = self.turn() {
                self.over = true;
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;
    type Write = (Vec<u8>, Option<Vec<u8>>);

    fn pages() -> Pages {
        let db = ::sled::Config::new().temporary(true).open().unwrap();
        Pages::new((*db).clone())
    }

    fn writes(list: &[Write]) -> Writes {
        list.iter()
            .map(|(key, value)| {
                (
                    Bytes::copy_from_slice(key),
                    value.as_ref().map(|value| Bytes::copy_from_slice(value)),
                )
            })
            .collect()
    }

    fn note(model: &mut Model, list: &[Write]) {
        for (key, value) in list {
            match value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(key),
            };
        }
    }

    fn carry_out(pages: &Pages, steps: Steps) {
        for batch in steps.grow.into_iter().chain(steps.last) {
            pages.write(batch).unwrap();
        }
    }

    fn told(pages: &Pages, range: &Range, order: Order) -> Vec<(Vec<u8>, Vec<u8>)> {
        pages
            .scan(range, order)
            .map(|row| {
                row.map(|(key, value)| (key.to_vec(), value.to_vec()))
                    .unwrap()
            })
            .collect()
    }

    fn check(pages: &Pages, model: &Model) {
        let all: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(told(pages, &Range::all(), Order::Up), all);
        let back: Vec<_> = all.iter().rev().cloned().collect();
        assert_eq!(told(pages, &Range::all(), Order::Down), back);
        for (key, value) in model {
            assert_eq!(pages.get(key).unwrap().as_deref(), Some(&value[..]));
        }
        for raw in pages.tree.scan_prefix([PAGE]) {
            let (key, raw) = raw.unwrap();
            let page = Page::open(Bytes::copy_from_slice(start_of(&key)), &raw).unwrap();
            assert!(raw.len() <= PAGE_BYTES || page.rows == 1, "{}", raw.len());
        }
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        // Few and short, so that writes meet; and some in long rows of numbers, as ids are.
        prop_oneof![
            prop::collection::vec(0..4u8, 0..5),
            (0..400u64).prop_map(|id| [b"i".as_slice(), &id.to_be_bytes()].concat()),
        ]
    }

    fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop_oneof![
            3 => (0..300usize, any::<u8>()).prop_map(|(length, byte)| Some(vec![byte; length])),
            1 => (0..4096usize).prop_map(|length| Some(vec![7; length])),
            3 => Just(None),
        ]
    }

    fn batches() -> impl Strategy<Value = Vec<Vec<Write>>> {
        prop::collection::vec(prop::collection::vec((key(), value()), 1..120), 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pages_hold_what_a_map_holds(batches in batches(), from in key(), to in key()) {
            let (pages, mut model) = (pages(), Model::new());
            for batch in batches {
                carry_out(&pages, pages.steps(&writes(&batch)).unwrap());
                note(&mut model, &batch);
                check(&pages, &model);
                let range = Range { start: from.clone(), end: Some(to.clone()) };
                let within: Vec<_> = if from < to {
                    model
                        .range(from.clone()..to.clone())
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect()
                } else {
                    Vec::new()
                };
                prop_assert_eq!(told(&pages, &range, Order::Up), within.clone());
                let back: Vec<_> = within.into_iter().rev().collect();
                prop_assert_eq!(told(&pages, &range, Order::Down), back);
            }
        }

        /// Every batch is cut off somewhere, within a step too, and comes again as the journal would
        /// have it; in between, no row is missing that the batch did not write.
        #[test]
        fn a_torn_batch_loses_nothing_that_stood_before(
            batches in batches(),
            cuts in prop::collection::vec((0..4usize, any::<u64>()), 12),
        ) {
            let (pages, mut model) = (pages(), Model::new());
            for (batch, (cut, seed)) in batches.iter().zip(cuts) {
                let steps = pages.steps(&writes(batch)).unwrap();
                for step in steps.grow.iter().take(cut) {
                    pages.write(step.clone()).unwrap();
                }
                // Of the next one, some keys only.
                if let Some(torn) = steps.grow.get(cut) {
                    apply_some(&pages, torn, seed);
                } else if let Some(torn) = &steps.last {
                    for step in &steps.grow {
                        pages.write(step.clone()).unwrap();
                    }
                    apply_some(&pages, torn, seed);
                }
                let written: std::collections::BTreeSet<_> =
                    batch.iter().map(|(key, _)| key.clone()).collect();
                let untouched: Vec<_> = model
                    .iter()
                    .filter(|(key, _)| !written.contains(*key))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                let mut left = told(&pages, &Range::all(), Order::Up);
                left.retain(|(key, _)| !written.contains(key));
                prop_assert_eq!(left, untouched);
                carry_out(&pages, pages.steps(&writes(batch)).unwrap());
                note(&mut model, batch);
                check(&pages, &model);
            }
        }
    }

    /// Carries out an arbitrary part of a batch, as if the rest had been torn away.
    fn apply_some(pages: &Pages, batch: &::sled::Batch, seed: u64) {
        // A batch tells its writes to nobody: they are seen on a tree of their own.
        let aside = ::sled::Config::new().temporary(true).open().unwrap();
        for entry in pages.tree.iter() {
            let (key, value) = entry.unwrap();
            aside.insert(key, value).unwrap();
        }
        aside.apply_batch(batch.clone()).unwrap();
        let keys: std::collections::BTreeSet<_> = pages
            .tree
            .iter()
            .chain(aside.iter())
            .map(|entry| entry.unwrap().0)
            .collect();
        let mut part = ::sled::Batch::default();
        for (number, key) in keys.into_iter().enumerate() {
            if seed >> (number % 64) & 1 == 0 {
                continue;
            }
            match aside.get(&key).unwrap() {
                Some(value) => part.insert(key, value),
                None => part.remove(key),
            }
        }
        pages.write(part).unwrap();
    }

    /// What was written is found by everybody from then on, also by those who were just reading.
    #[test]
    fn a_page_at_hand_is_never_an_old_one() {
        use std::sync::atomic::AtomicU64;
        use std::sync::atomic::Ordering;

        const LAST: u64 = 2_000;
        let (pages, written) = (pages(), AtomicU64::new(0));
        let put = |number: u64| {
            let list = [
                (b"k".to_vec(), Some(number.to_be_bytes().to_vec())),
                (number.to_be_bytes().to_vec(), Some(vec![0; 300])),
            ];
            carry_out(&pages, pages.steps(&writes(&list)).unwrap());
            written.store(number, Ordering::SeqCst);
        };
        put(1);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let before = written.load(Ordering::SeqCst);
                        let found = pages.get(b"k").unwrap().unwrap();
                        let found = u64::from_be_bytes(found[..].try_into().unwrap());
                        assert!(found >= before, "{found} after {before} was written");
                        if before == LAST {
                            break;
                        }
                    }
                });
            }
            (2..=LAST).for_each(put);
        });
    }

    #[test]
    fn a_row_behind_the_others_leaves_full_pages() {
        let pages = pages();
        for id in 0..2_000u64 {
            let list = [(id.to_be_bytes().to_vec(), Some(vec![1; 100]))];
            carry_out(&pages, pages.steps(&writes(&list)).unwrap());
        }
        let count = pages.tree.scan_prefix([PAGE]).count();
        assert_eq!(
            count,
            2_000usize.div_ceil(PAGE_BYTES / (100 + 8 + ROW_COST))
        );
    }

    #[test]
    fn a_page_that_is_none_is_told() {
        let pages = pages();
        let page = encode(&[(b"key", b"value")]);
        let found = Layout::read(&page).and_then(|page| page.find(b"key"));
        assert_eq!(found, Some(Some(&b"value"[..])));
        for raw in [
            &b""[..],
            b"\x02\0\0",
            b"\x01\xff\xff",
            &page[..page.len() - 1],
        ] {
            let mut batch = ::sled::Batch::default();
            batch.insert(&[PAGE], raw);
            pages.write(batch).unwrap();
            assert!(pages.get(b"key").is_err(), "{raw:?}");
            let mut rows = pages.scan(&Range::all(), Order::Up);
            assert!(rows.next().is_some_and(|row| row.is_err()), "{raw:?}");
            assert!(rows.next().is_none());
        }
    }
}
