//! A hash table whose rows are fetched before they are needed: a byte of the hash for each row stands apart from the
//! rows, so that a look-up reads those bytes, which stay in the near caches for long, and then one row.
//!
//! Twelve rows make a bucket. Beside their bytes it counts the rows that passed it because it was full, as in
//! [`slots`](super::slots); unlike there, a row is where its byte is, and moves when the table grows.

use prefetch_index::prefetch_index;

use super::tags::{PLACES, Tags, after, byte, home};

/// The most rows that a bucket has on average.
const LOAD_MAX: usize = 9;

/// The table. What a key is, and its hash, the caller says; a key is put in once.
#[derive(Clone, Debug)]
pub(super) struct Table<R> {
    buckets: Vec<Tags>,
    rows: Vec<R>,
    len: usize,
}

impl<R: Copy + Default> Table<R> {
    /// An empty table with room for so many rows before it grows.
    pub(super) fn with_capacity(rows: usize) -> Table<R> {
        let buckets = rows.div_ceil(LOAD_MAX).max(1);
        Table { buckets: vec![Tags::default(); buckets], rows: vec![R::default(); buckets * PLACES], len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn row(&self, place: usize) -> &R {
        &self.rows[place]
    }

    #[inline]
    pub(super) fn row_mut(&mut self, place: usize) -> &mut R {
        &mut self.rows[place]
    }

    /// The rows with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &R)> + '_ {
        let bytes = self.buckets.iter().flat_map(|bucket| &bucket.bytes);
        bytes.zip(self.rows.iter().enumerate()).filter(|(byte, _)| **byte != 0).map(|(_, row)| row)
    }

    /// The place of the row with this hash of which this holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(&R) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        // A row is at most as many buckets from its home as there are.
        for _ in 0..self.buckets.len() {
            let bucket = &self.buckets[at];
            let mut places = bucket.like(hash).map(|place| at * PLACES + place);
            if let Some(place) = places.find(|place| is(&self.rows[*place])) {
                return Some(place);
            }
            if bucket.passed == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// Has the bytes of this hash fetched into the cache, and does not wait for them.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch_index(&self.buckets, self.home(hash));
    }

    /// Has the rows fetched that may be the one with this hash.
    #[inline]
    pub(super) fn prefetch_rows(&self, hash: u64) {
        let home = self.home(hash);
        for place in self.buckets[home].like(hash) {
            prefetch_index(&self.rows, home * PLACES + place);
        }
    }

    /// Has the place fetched that a new row with this hash would take.
    #[inline]
    pub(super) fn prefetch_room(&self, hash: u64) {
        let home = self.home(hash);
        if let Some(place) = self.buckets[home].empty() {
            prefetch_index(&self.rows, home * PLACES + place);
        }
    }

    /// Puts a row in. Returns its place. A table that is full grows to twice its size, but to no more than `rows_max` rows
    /// need; rows have other places then.
    pub(super) fn insert(&mut self, hash: u64, row: R, rows_max: usize, hash_of: impl Fn(&R) -> u64) -> usize {
        if self.len >= self.buckets.len() * LOAD_MAX {
            let twice = Table::with_capacity((2 * self.len).min(rows_max).max(self.len + 1));
            let before = std::mem::replace(self, twice);
            for (_, row) in before.iter() {
                self.put(hash_of(row), *row);
            }
        }
        self.put(hash, row)
    }

    /// Takes out the row with this hash at this place, which there must be.
    pub(super) fn remove(&mut self, hash: u64, place: usize) {
        let mut passed = self.home(hash);
        while passed != place / PLACES {
            self.buckets[passed].passed -= 1;
            passed = self.after(passed);
        }
        self.buckets[passed].bytes[place % PLACES] = 0;
        self.len -= 1;
    }

    fn put(&mut self, hash: u64, row: R) -> usize {
        let mut at = self.home(hash);
        self.len += 1;
        // There is room: at most three places of four are taken.
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(place) = bucket.empty() {
                bucket.bytes[place] = byte(hash);
                self.rows[at * PLACES + place] = row;
                return at * PLACES + place;
            }
            bucket.passed += 1;
            at = self.after(at);
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        home(hash, self.buckets.len())
    }

    #[inline]
    fn after(&self, bucket: usize) -> usize {
        after(bucket, self.buckets.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A hash with few values, so that rows share buckets and bytes.
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
        let counts: u32 = table.buckets.iter().map(|bucket| bucket.passed).sum();
        prop_assert_eq!((table.len(), counts), (0, 0), "what is taken out leaves no mark");
        Ok(())
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
