//! A hash table with open addressing and linear probing, whose rows take one cache line each. So a look-up reads one line
//! as a rule, which can be fetched before it is needed.
//!
//! A row is at its home, the place that its hash gives, or at the next one that was free. A place counts the rows that
//! passed it because it was taken: a search knows by it where to end, and a row that is taken out leaves no mark.

use prefetch_index::prefetch_index;

use super::tags::{after, home};

/// The highest load factor: so many rows in so many places. At this load a look-up that finds its row reads 1.75 lines on
/// average, one after another.
const LOAD_MAX: (usize, usize) = (3, 5);

/// The table. What a key is, and its hash, the caller says; a key is put in once.
#[derive(Clone, Debug)]
pub(super) struct Table<R> {
    places: Vec<Place<R>>,
    len: usize,
}

/// A row and its bookkeeping, aligned to a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Place<R> {
    row: R,
    is_taken: bool,
    /// The number of rows that were to be here or before, and are further on.
    passed: u32,
}

impl<R> Table<R> {
    /// The bytes that a row takes, with its place.
    pub(super) const PLACE_BYTES: usize = size_of::<Place<R>>();
}

impl<R: Copy + Default> Table<R> {
    /// An empty table with room for so many rows before it grows.
    pub(super) fn with_capacity(rows: usize) -> Table<R> {
        let places = (rows * LOAD_MAX.1).div_ceil(LOAD_MAX.0).max(2);
        Table { places: vec![Place::default(); places], len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn row(&self, place: usize) -> &R {
        &self.places[place].row
    }

    #[inline]
    pub(super) fn row_mut(&mut self, place: usize) -> &mut R {
        &mut self.places[place].row
    }

    /// The rows with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &R)> + '_ {
        self.places.iter().enumerate().filter(|(_, place)| place.is_taken).map(|(at, place)| (at, &place.row))
    }

    /// The place of the row with this hash of which this holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(&R) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        // A row is at most as many places from its home as there are.
        for _ in 0..self.places.len() {
            let place = &self.places[at];
            if place.is_taken && is(&place.row) {
                return Some(at);
            }
            if place.passed == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// Has the home of this hash fetched into the cache, and does not wait for it.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch_index(&self.places, self.home(hash));
    }

    /// Puts a row in. Returns its place. A table that is full grows to twice its size, but to no more than `rows_max` rows
    /// need; rows have other places then.
    pub(super) fn insert(&mut self, hash: u64, row: R, rows_max: usize, hash_of: impl Fn(&R) -> u64) -> usize {
        if self.is_full() {
            let twice = Table::with_capacity((2 * self.len).min(rows_max).max(self.len + 1));
            let before = std::mem::replace(self, twice);
            for (_, row) in before.iter() {
                self.put(hash_of(row), *row);
            }
        }
        self.put(hash, row)
    }

    /// Puts a row in, unless an equal one is there; returns whether it did. Only for a table from which nothing was taken out,
    /// so that no row is beyond an empty place.
    ///
    /// # Panics
    /// If the table is full.
    #[inline]
    pub(super) fn insert_first(&mut self, hash: u64, row: R, is_same: impl Fn(&R) -> bool) -> bool {
        assert!(!self.is_full(), "it was made for fewer rows");
        let mut at = self.home(hash);
        while self.places[at].is_taken {
            if is_same(&self.places[at].row) {
                return false;
            }
            at = self.after(at);
        }
        self.put(hash, row);
        true
    }

    fn is_full(&self) -> bool {
        self.len * LOAD_MAX.1 >= self.places.len() * LOAD_MAX.0
    }

    /// Takes out the row with this hash at this place, which there must be.
    pub(super) fn remove(&mut self, hash: u64, place: usize) {
        let mut passed = self.home(hash);
        while passed != place {
            self.places[passed].passed -= 1;
            passed = self.after(passed);
        }
        self.places[place].is_taken = false;
        self.len -= 1;
    }

    fn put(&mut self, hash: u64, row: R) -> usize {
        let mut at = self.home(hash);
        // There is room: at most three places of five were taken.
        while self.places[at].is_taken {
            self.places[at].passed += 1;
            at = self.after(at);
        }
        let place = &mut self.places[at];
        (place.row, place.is_taken) = (row, true);
        self.len += 1;
        at
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        home(hash, self.places.len())
    }

    #[inline]
    fn after(&self, place: usize) -> usize {
        after(place, self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A hash with few values, so that rows share homes.
    fn bad(key: u64) -> u64 {
        ((key % 3) << 62) | ((key % 2) << 32)
    }

    fn check(hash_of: fn(u64) -> u64, steps: &[(bool, u64)]) -> Result<(), TestCaseError> {
        let mut table = Table::<u64>::with_capacity(0);
        let mut plain = std::collections::BTreeSet::new();
        for &(adds, key) in steps {
            let found = table.find(hash_of(key), |row| *row == key);
            prop_assert_eq!(found.is_some(), plain.contains(&key));
            match found {
                None if adds => {
                    let place = table.insert(hash_of(key), key, 64, |row| hash_of(*row));
                    prop_assert_eq!(*table.row(place), key);
                    plain.insert(key);
                }
                Some(place) if !adds => {
                    table.remove(hash_of(key), place);
                    plain.remove(&key);
                }
                _ => {}
            }
            let rows: std::collections::BTreeSet<u64> = table.iter().map(|(_, row)| *row).collect();
            prop_assert_eq!(&rows, &plain);
            prop_assert_eq!(table.len(), plain.len());
        }
        for key in plain {
            let place = table.find(hash_of(key), |row| *row == key).expect("it is in");
            table.remove(hash_of(key), place);
        }
        let counts: u32 = table.places.iter().map(|place| place.passed).sum();
        prop_assert_eq!((table.len(), counts), (0, 0), "what is taken out leaves no mark");
        Ok(())
    }

    #[test]
    fn a_row_is_first_once_wherever_its_places_are() {
        for hash_of in [bad, |key| super::super::slots::hash(key, 0)] {
            let mut table = Table::<u64>::with_capacity(32);
            for is_first in [true, false] {
                let is_in = |key: u64| table.insert_first(hash_of(key), key, |row| *row == key);
                assert_eq!((0..32).map(is_in).collect::<Vec<_>>(), [is_first; 32]);
            }
            for key in 0..32 {
                let place = table.find(hash_of(key), |row| *row == key).expect("it is in");
                table.remove(hash_of(key), place);
            }
            assert!(table.places.iter().all(|place| place.passed == 0), "what is taken out leaves no mark");
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((prop::bool::weighted(0.7), 0..64u64), 0..200),
        ) {
            check(|key| super::super::slots::hash(key, 0), &steps)?;
            check(bad, &steps)?;
        }
    }
}
