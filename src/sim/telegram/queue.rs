//! The updates that wait for the bot, as bytes.
//!
//! An update is serialised once, when it happens; a poll only copies bytes
//! together. The rules of what is confirmed are those of the official server:
//! an offset confirms everything below it, an offset beyond the end confirms
//! nothing and starts at the head again, a negative one forgets all but the
//! last updates, and zero confirms nothing.

use std::collections::VecDeque;

use axum::body::Bytes;

/// One update that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// The `update_id` in `body`, or for a hostile one what confirms it.
    pub(super) id: i64,
    /// Updates with one key are given to a webhook in order.
    pub(super) key: i64,
    /// The whole update, `{"update_id":…}`.
    pub(super) body: Bytes,
    /// Hostile or repeated: its id is not in line with its neighbours', so it
    /// is confirmed only after it was given out once.
    irregular: bool,
    given: bool,
    done: bool,
}

/// The queue, from the oldest unconfirmed update on.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// The place in line of the front element, counted from the beginning.
    front: u64,
    /// How many in line are settled already, behind one that is not.
    settled: usize,
    next_id: i64,
    confirmed: u64,
    confirmed_offset: i64,
    /// The newest updates, kept so that they can be repeated.
    recent: VecDeque<Waiting>,
    /// No update is given out while this is set.
    pub(super) held: bool,
    /// How many updates were put into answers, repeats included.
    pub(super) given: u64,
    /// How many updates ever came into line.
    pub(super) came: u64,
}

/// How many updates stay at hand for [`Queue::repeat`].
const RECENT: usize = 256;

impl Queue {
    pub(super) fn new(first_id: i64) -> Self {
        Self {
            waiting: VecDeque::new(),
            front: 0,
            settled: 0,
            next_id: first_id,
            confirmed: 0,
            confirmed_offset: 0,
            recent: VecDeque::new(),
            held: false,
            given: 0,
            came: 0,
        }
    }

    /// The id that the next update will have.
    pub(super) fn next_id(&self) -> i64 {
        self.next_id
    }

    /// Lets ids go on from `id`, as after a week of silence. Only an empty
    /// queue can jump; otherwise nothing happens and the answer is false.
    pub(super) fn jump(&mut self, id: i64) -> bool {
        let may = self.waiting.is_empty();
        if may {
            self.next_id = id;
        }
        may
    }

    pub(super) fn push(&mut self, key: i64, body: Bytes) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.came += 1;
        let one = Waiting {
            id,
            key,
            body,
            irregular: false,
            given: false,
            done: false,
        };
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(one.clone());
        self.waiting.push_back(one);
        id
    }

    /// Takes an update that was serialised beforehand; it cannot be repeated.
    pub(super) fn push_preloaded(&mut self, key: i64, body: Bytes) {
        let id = self.next_id;
        self.next_id += 1;
        self.came += 1;
        self.waiting.push_back(Waiting {
            id,
            key,
            body,
            irregular: false,
            given: false,
            done: false,
        });
    }

    /// Puts an update in line whose id, if it has one, follows no order.
    pub(super) fn push_irregular(&mut self, id: Option<i64>, key: i64, body: Bytes) {
        let id = id.unwrap_or(self.next_id - 1);
        self.came += 1;
        self.waiting.push_back(Waiting {
            id,
            key,
            body,
            irregular: true,
            given: false,
            done: false,
        });
    }

    /// Puts the newest `count` updates in line once more, unchanged.
    pub(super) fn repeat(&mut self, count: usize) -> usize {
        let from = self.recent.len().saturating_sub(count);
        let again: Vec<Waiting> = self.recent.iter().skip(from).cloned().collect();
        for one in &again {
            self.push_irregular(Some(one.id), one.key, one.body.clone());
        }
        again.len()
    }

    /// Mixes what waits, each update keeping its id.
    pub(super) fn shuffle(&mut self, mut below: impl FnMut(usize) -> usize) {
        let waiting = self.waiting.make_contiguous();
        for i in (1..waiting.len()).rev() {
            waiting.swap(i, below(i + 1));
        }
        for one in waiting {
            one.irregular = true;
        }
    }

    /// Confirms what `offset` confirms and gives what follows, at most
    /// `limit` updates.
    pub(super) fn poll(&mut self, offset: i64, limit: usize) -> Vec<Bytes> {
        if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            while self.waiting.len() > keep {
                self.pop();
            }
        } else if offset > 0 && offset <= self.next_id {
            self.confirmed_offset = self.confirmed_offset.max(offset);
            while self
                .waiting
                .front()
                .is_some_and(|one| one.id < offset && (one.given || !one.irregular))
            {
                self.pop();
            }
        }
        if self.held {
            return Vec::new();
        }
        let mut batch = Vec::with_capacity(limit.min(self.waiting.len()));
        for one in self.waiting.iter_mut().filter(|one| !one.done).take(limit) {
            one.given = true;
            batch.push(one.body.clone());
        }
        self.given += batch.len() as u64;
        batch
    }

    fn pop(&mut self) {
        if let Some(one) = self.waiting.pop_front() {
            self.settled -= usize::from(one.done);
            self.front += 1;
            self.confirmed += 1;
        }
    }

    /// What stands in line at or after `place`, with the next place to ask
    /// for: the webhook's way of reading.
    pub(super) fn waiting_from(&self, place: u64) -> (Vec<(u64, Waiting)>, u64) {
        let skip = usize::try_from(place.saturating_sub(self.front)).unwrap_or(usize::MAX);
        let from = self.front.max(place);
        let found = (from..)
            .zip(self.waiting.iter().skip(skip))
            .filter(|(_, one)| !one.done)
            .map(|(place, one)| (place, one.clone()))
            .collect();
        (found, self.front + self.waiting.len() as u64)
    }

    /// Confirms the single update at `place`.
    pub(super) fn settle(&mut self, place: u64) {
        let Some(index) = place
            .checked_sub(self.front)
            .and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        if let Some(one) = self.waiting.get_mut(index) {
            self.settled += usize::from(!one.done);
            one.done = true;
            self.given += 1;
            self.confirmed_offset = self.confirmed_offset.max(one.id + 1);
        }
        while self.waiting.front().is_some_and(|one| one.done) {
            self.pop();
        }
    }

    pub(super) fn clear(&mut self) {
        self.front += self.waiting.len() as u64;
        self.waiting.clear();
        self.settled = 0;
    }

    /// How many updates wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() - self.settled
    }

    /// How many updates were confirmed or forgotten by the bot.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// The highest offset that confirmed anything; 0 before the first.
    pub(super) fn confirmed_offset(&self) -> i64 {
        self.confirmed_offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: i64) -> Queue {
        let mut queue = Queue::new(100);
        for id in 100..100 + count {
            queue.push(0, Bytes::from(id.to_string()));
        }
        queue
    }

    fn poll(queue: &mut Queue, offset: i64, limit: usize) -> Vec<i64> {
        queue
            .poll(offset, limit)
            .iter()
            .map(|b| str::from_utf8(b).unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn only_a_later_offset_confirms() {
        let mut queue = filled(4);
        assert_eq!(poll(&mut queue, 0, 2), [100, 101]);
        assert_eq!(poll(&mut queue, 0, 2), [100, 101]);
        assert_eq!(queue.confirmed(), 0);
        assert_eq!(poll(&mut queue, 102, 100), [102, 103]);
        assert_eq!((queue.confirmed(), queue.confirmed_offset()), (2, 102));
        assert_eq!(poll(&mut queue, 104, 100), [] as [i64; 0]);
        assert_eq!(queue.confirmed(), 4);
    }

    #[test]
    fn an_offset_in_the_future_confirms_nothing() {
        let mut queue = filled(2);
        assert_eq!(poll(&mut queue, 999, 100), [100, 101]);
        assert_eq!(queue.confirmed(), 0);
    }

    #[test]
    fn a_negative_offset_forgets_all_but_the_last() {
        let mut queue = filled(5);
        assert_eq!(poll(&mut queue, -2, 100), [103, 104]);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn a_repeated_update_is_given_once_more_and_then_goes() {
        let mut queue = filled(2);
        assert_eq!(poll(&mut queue, 0, 100), [100, 101]);
        assert_eq!(poll(&mut queue, 102, 100), [] as [i64; 0]);
        assert_eq!(queue.repeat(1), 1);
        assert_eq!(poll(&mut queue, 102, 100), [101]);
        assert_eq!(poll(&mut queue, 102, 100), [] as [i64; 0]);
    }

    #[test]
    fn settled_updates_leave_in_any_order() {
        let mut queue = filled(3);
        let (seen, next) = queue.waiting_from(0);
        assert_eq!((seen.len(), next), (3, 3));
        queue.settle(1);
        assert_eq!(queue.len(), 2);
        queue.settle(0);
        queue.settle(2);
        assert_eq!((queue.len(), queue.confirmed()), (0, 3));
    }
}
