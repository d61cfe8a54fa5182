//! An index from the hash of a key to the key's slot in an array that the caller has.
//!
//! Twelve entries make a bucket, which is one line of the cache. An entry is a byte and a word: the byte has seven bits
//! of the hash, so that all bytes of a bucket are searched at once, and the word has the slot and, in the bits above it,
//! some more of the hash. So a look-up of a key that is not there reads one line as a rule, and one of a key that is
//! there that line and the key itself. The bucket also counts the keys that passed it because it was full: a search
//! knows by it where to end, and a key that is taken out leaves no mark.
//!
//! The hash is the same in every run, as all else here: whoever chooses keys can choose such as share a bucket, and a
//! search is then as long as there are buckets that they fill.

use prefetch_index::prefetch_index;

use super::tags::{PLACES, Tags, after, byte, home};

/// The most entries that a bucket has on average. With so many, one bucket in ten is full.
const LOAD_MAX: usize = 8;
/// The average that a table of a known number of keys is made for.
const LOAD: usize = 7;

/// A line of the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Bucket {
    tags: Tags,
    /// A slot plus one, below some bits of the hash.
    entries: [u32; PLACES],
}

impl Bucket {
    /// The first entry with the byte of this hash that agrees with this one in the bits of the mask, and of which that holds.
    #[inline]
    fn find(&self, hash: u64, entry: u32, mask: u32, is: impl Fn(u32) -> bool) -> Option<usize> {
        self.tags.like(hash).find(|&place| {
            let other = self.entries[place];
            (other ^ entry) & mask == 0 && is(other)
        })
    }
}

/// The bits that hold a slot of up to this one, plus one.
fn mask_for(slot: u32) -> u32 {
    u32::MAX >> (slot + 1).leading_zeros()
}

/// The hash of a key of two words. Equal in every run and on every machine.
#[inline]
pub fn hash(low: u64, high: u64) -> u64 {
    // Digits of pi. The product of two words is folded, so that each bit of it depends on all bits of both.
    let product = u128::from(low ^ 0x243f_6a88_85a3_08d3) * u128::from(high ^ 0x1319_8a2e_0370_7344);
    product as u64 ^ (product >> 64) as u64
}

/// The index.
///
/// Calling contract: a key is put in once, [`find`](Slots::find) said before that it is not there, and is taken out
/// with the hash and the slot that it was put in with.
#[derive(Clone, Debug)]
pub struct Slots {
    buckets: Vec<Bucket>,
    len: usize,
    /// The bits of an entry that hold the slot plus one. Those above hold a part of the hash.
    slot_mask: u32,
}

impl Slots {
    /// An empty index with room for so many keys, in slots from 0 on, before it grows.
    pub fn with_capacity(keys: usize) -> Slots {
        let buckets = vec![Bucket::default(); keys.div_ceil(LOAD).max(1)];
        Slots { buckets, len: 0, slot_mask: mask_for(keys.min(1 << 24) as u32) }
    }

    /// The slot of the key with this hash; `is` says whether a slot is that key's.
    #[inline]
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        // A key is at most as many buckets from its home as there are.
        for _ in 0..self.buckets.len() {
            let bucket = &self.buckets[at];
            let slot = |entry: u32| (entry & self.slot_mask).wrapping_sub(1);
            let found = bucket.find(hash, self.entry(hash, 0), !self.slot_mask, |entry| is(slot(entry)));
            if let Some(place) = found {
                return Some(slot(bucket.entries[place]));
            }
            if bucket.tags.passed == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// A slot that is likely to be that of a key with this hash, if there is one; the key itself is not looked at.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<u32> {
        let bucket = &self.buckets[self.home(hash)];
        let place = bucket.find(hash, self.entry(hash, 0), !self.slot_mask, |_| true)?;
        Some((bucket.entries[place] & self.slot_mask).wrapping_sub(1))
    }

    /// Has the bucket of this hash fetched into the cache, and does not wait for it.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        prefetch_index(&self.buckets, self.home(hash));
    }

    /// Puts a key in at this slot. `hash_of` is the hash of the key at a slot, for when the index grows.
    ///
    /// # Panics
    /// If the slot is the last that 32 bits can name.
    #[inline]
    pub fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        assert!(slot < u32::MAX, "an entry is a slot plus one");
        if self.len >= self.buckets.len() * LOAD_MAX {
            self.rebuild(self.buckets.len() * 2, self.slot_mask.max(mask_for(slot)), hash_of);
        } else if slot >= self.slot_mask {
            self.rebuild(self.buckets.len(), mask_for(slot), hash_of);
        }
        self.put(hash, slot);
        self.len += 1;
    }

    /// Takes out the key with this hash and slot. Says whether it was there.
    #[inline]
    pub fn remove(&mut self, hash: u64, slot: u32) -> bool {
        if slot >= self.slot_mask {
            return false; // no such slot was put in
        }
        let home = self.home(hash);
        let mut at = home;
        for _ in 0..self.buckets.len() {
            let bucket = &mut self.buckets[at];
            if let Some(place) = bucket.find(hash, slot + 1, self.slot_mask, |_| true) {
                (bucket.tags.bytes[place], bucket.entries[place]) = (0, 0);
                self.len -= 1;
                let mut passed = home;
                while passed != at {
                    self.buckets[passed].tags.passed -= 1;
                    passed = self.after(passed);
                }
                return true;
            }
            if bucket.tags.passed == 0 {
                return false;
            }
            at = self.after(at);
        }
        false
    }

    #[inline]
    fn put(&mut self, hash: u64, slot: u32) {
        let entry = self.entry(hash, slot + 1);
        let mut at = self.home(hash);
        // There is room: at most two entries of three are taken.
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(place) = bucket.tags.empty() {
                (bucket.tags.bytes[place], bucket.entries[place]) = (byte(hash), entry);
                return;
            }
            bucket.tags.passed += 1;
            at = self.after(at);
        }
    }

    #[cold]
    fn rebuild(&mut self, buckets: usize, slot_mask: u32, hash_of: impl Fn(u32) -> u64) {
        let before = std::mem::replace(&mut self.buckets, vec![Bucket::default(); buckets]);
        let mask_before = std::mem::replace(&mut self.slot_mask, slot_mask);
        for entry in before.iter().flat_map(|bucket| bucket.entries) {
            if let Some(slot) = (entry & mask_before).checked_sub(1) {
                self.put(hash_of(slot), slot);
            }
        }
    }

    #[inline]
    fn entry(&self, hash: u64, slot: u32) -> u32 {
        (hash as u32 & !self.slot_mask) | slot
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

    /// A hash with few values, so that keys share buckets and parts of the hash.
    fn bad(key: u64) -> u64 {
        ((key % 3) << 40) | (key % 2)
    }

    fn check(hash_of: fn(u64) -> u64, steps: &[(bool, u64)]) -> Result<(), TestCaseError> {
        const KEYS: usize = 64;
        // The slot of a key is the key.
        let mut slots = Slots::with_capacity(0);
        let mut plain = [false; KEYS];
        for &(adds, key) in steps {
            let slot = key as u32;
            if adds && !plain[key as usize] {
                slots.insert(hash_of(key), slot, |slot| hash_of(slot.into()));
            } else if !adds {
                prop_assert_eq!(slots.remove(hash_of(key), slot), plain[key as usize], "{}", key);
            }
            plain[key as usize] = adds;
            prop_assert_eq!(slots.len, plain.iter().filter(|is_in| **is_in).count());
            for (slot, is_in) in (0..).zip(plain) {
                let found = slots.find(hash_of(slot.into()), |other| other == slot);
                prop_assert_eq!(found, is_in.then_some(slot));
            }
        }
        for (slot, is_in) in (0..).zip(plain) {
            prop_assert_eq!(slots.remove(hash_of(slot.into()), slot), is_in);
        }
        let counts: u32 = slots.buckets.iter().map(|bucket| bucket.tags.passed).sum();
        prop_assert_eq!((slots.len, counts), (0, 0), "what is taken out leaves no mark");
        Ok(())
    }

    proptest! {
        #[test]
        fn it_finds_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((prop::bool::weighted(0.7), 0..64u64), 0..200),
        ) {
            check(|key| hash(key, 0), &steps)?;
            check(bad, &steps)?;
        }
    }

    #[test]
    fn a_guess_is_the_slot_of_the_key_unless_another_shares_the_bits() {
        let mut slots = Slots::with_capacity(100_000);
        let hash_of = |slot: u32| hash(slot.into(), 7);
        (0..100_000).for_each(|slot| slots.insert(hash_of(slot), slot, hash_of));
        let right = (0..100_000).filter(|slot| slots.guess(hash_of(*slot)) == Some(*slot)).count();
        assert!(right > 95_000, "{right}");
    }
}
