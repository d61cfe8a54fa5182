//! The row that was idle the longest, in a table whose rows are used far more often than one is forgotten.
//!
//! A use of a row writes its time into the row and nothing here: the queue has an older time of it then. Whoever asks
//! for the longest idle row gets the first of the queue that has its time of now; those before it are put in anew. No
//! time here is later than the row's own, so the first one that agrees is the oldest of all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The rows with the times that were last seen, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Idle(BinaryHeap<Reverse<(u64, usize)>>);

impl FromIterator<(u64, usize)> for Idle {
    fn from_iter<T: IntoIterator<Item = (u64, usize)>>(rows: T) -> Idle {
        Idle(rows.into_iter().map(Reverse).collect())
    }
}

impl Idle {
    /// Adds a row that was used at this time.
    pub(super) fn add(&mut self, time: u64, row: usize) {
        self.0.push(Reverse((time, row)));
    }

    /// Takes the row that was idle the longest; none if there is no row.
    pub(super) fn take_longest(&mut self, time_of: impl Fn(usize) -> u64) -> Option<usize> {
        // Every use of a row makes at most one turn of this loop, when it is next asked for.
        loop {
            let mut first = self.0.peek_mut()?;
            let Reverse((seen, row)) = *first;
            let time = time_of(row);
            if time == seen {
                std::collections::binary_heap::PeekMut::pop(first);
                return Some(row);
            }
            *first = Reverse((time, row));
        }
    }
}
