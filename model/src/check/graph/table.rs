//! Which states are known: an open-addressing table that names them by id, in shards that work apart from each other.
//!
//! A slot holds 32 bits of a state's hash and its id. Equal hash bits are never taken for an equal state: the stored
//! state is compared, so no state is ever lost to a collision, unlike with a search that keeps fingerprints alone.
//!
//! The table is as large as memory is slow, so a whole batch is looked up at once, in passes: first every slot is
//! read, then every state that a slot names, and only then is anything decided. Reads within a pass do not wait for
//! one another. A shard is small enough that a pass stays within few pages.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

/// Into how many shards the states are divided by their hash. A power of two; the result does not depend on it.
pub(super) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 6;

/// How many look-ups are under way at once: more than a core can keep waiting for memory, fewer than the first-level
/// cache has lines.
const PASS: usize = 32;

const EMPTY: u64 = 0;
const SLOTS_AT_FIRST: usize = 64;

/// Where a state belongs: its shard, and the part of its hash that a slot keeps.
pub(super) fn route<S: Hash>(state: &S) -> (u8, u32) {
    let hash = FixedState::default().hash_one(state);
    ((hash >> (64 - SHARD_BITS)) as u8, (hash >> 16) as u32)
}

/// Candidate states of one shard, in the order in which they were generated.
///
/// [`Shard::place`] turns each key into an id.
pub(super) struct Bucket<S> {
    pub(super) keys: Vec<u32>,
    pub(super) states: Vec<S>,
}

impl<S> Bucket<S> {
    pub(super) fn new() -> Self {
        Bucket { keys: Vec::new(), states: Vec::new() }
    }

    pub(super) fn push(&mut self, key: u32, state: S) {
        self.keys.push(key);
        self.states.push(state);
    }
}

/// A candidate that was not known: the slot it was given, and where it stands.
struct Fresh {
    slot: usize,
    bucket: usize,
    index: usize,
}

/// The known states whose hash begins with the same bits.
pub(super) struct Shard {
    slots: Vec<u64>,
    used: usize,
    fresh: Vec<Fresh>,
}

impl Shard {
    pub(super) fn new() -> Self {
        Shard { slots: vec![EMPTY; SLOTS_AT_FIRST], used: 0, fresh: Vec::new() }
    }

    /// Bytes that the table takes.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    /// Replaces every candidate's key by an id: that of the equal known state, or a provisional one.
    ///
    /// `known` are the states with an id. The first candidate that equals none of them gets `known.len()`, the next
    /// such the number after it, and so on; candidates equal to one of these get the same number. The caller then
    /// gives out the final ids and tells them to [`Shard::settle`].
    pub(super) fn place<S: Eq>(&mut self, column: &mut [&mut Bucket<S>], known: &[S]) {
        debug_assert!(self.fresh.is_empty(), "the ids of the last batch were never settled");
        for bucket in 0..column.len() {
            let count = column[bucket].keys.len();
            for start in (0..count).step_by(PASS) {
                self.place_pass(column, bucket, start..count.min(start + PASS), known);
            }
        }
    }

    fn place_pass<S: Eq>(
        &mut self,
        column: &mut [&mut Bucket<S>],
        bucket: usize,
        pass: std::ops::Range<usize>,
        known: &[S],
    ) {
        self.reserve(pass.len(), known.len());
        let (keys, states) = (&column[bucket].keys[pass.clone()], &column[bucket].states[pass.clone()]);
        let mut home = [EMPTY; PASS];
        for (slot, &key) in home.iter_mut().zip(keys) {
            *slot = self.slots[self.home(key)];
        }
        let mut named = [None; PASS];
        for ((named, &slot), &key) in named.iter_mut().zip(&home).zip(keys) {
            *named = if slot == EMPTY { None } else { self.named(key).filter(|&id| (id as usize) < known.len()) };
        }
        let mut settled = [false; PASS];
        for ((settled, &named), state) in settled.iter_mut().zip(&named).zip(states) {
            *settled = named.is_some_and(|id| known[id as usize] == *state);
        }
        for (offset, index) in pass.enumerate() {
            let id = match named[offset] {
                Some(id) if settled[offset] => id,
                _ => self.find_or_insert(column, bucket, index, known),
            };
            column[bucket].keys[index] = id;
        }
    }

    /// The id in the first slot that carries this key.
    fn named(&self, key: u32) -> Option<u32> {
        let mut at = self.home(key);
        while self.slots[at] != EMPTY {
            if key_of(self.slots[at]) == key {
                return Some(id_of(self.slots[at]));
            }
            at = self.after(at);
        }
        None
    }

    fn find_or_insert<S: Eq>(&mut self, column: &[&mut Bucket<S>], bucket: usize, index: usize, known: &[S]) -> u32 {
        let (key, state) = (column[bucket].keys[index], &column[bucket].states[index]);
        let mut at = self.home(key);
        while self.slots[at] != EMPTY {
            if key_of(self.slots[at]) == key {
                let id = id_of(self.slots[at]);
                let other = known.get(id as usize).unwrap_or_else(|| {
                    let fresh = &self.fresh[id as usize - known.len()];
                    &column[fresh.bucket].states[fresh.index]
                });
                if other == state {
                    return id;
                }
            }
            at = self.after(at);
        }
        let id = (known.len() + self.fresh.len()) as u32;
        self.slots[at] = slot_of(key, id);
        self.used += 1;
        self.fresh.push(Fresh { slot: at, bucket, index });
        id
    }

    /// Gives the states that the last [`Shard::place`] found to be new their final ids, in the order of their
    /// provisional ones.
    pub(super) fn settle(&mut self, ids: &[u32]) {
        assert_eq!(ids.len(), self.fresh.len(), "every new state gets one id");
        for (fresh, &id) in self.fresh.drain(..).zip(ids) {
            self.slots[fresh.slot] = slot_of(key_of(self.slots[fresh.slot]), id);
        }
    }

    /// Makes room for so many more states: at most three quarters of the slots are used.
    fn reserve(&mut self, more: usize, known: usize) {
        if (self.used + more) * 4 <= self.slots.len() * 3 {
            return;
        }
        let larger = vec![EMPTY; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot != EMPTY {
                let mut at = self.home(key_of(slot));
                while self.slots[at] != EMPTY {
                    at = self.after(at);
                }
                self.slots[at] = slot;
                if id_of(slot) as usize >= known {
                    self.fresh[id_of(slot) as usize - known].slot = at;
                }
            }
        }
    }

    /// Where the search for a key starts: slots are in the order of keys, so that growing moves them in order.
    fn home(&self, key: u32) -> usize {
        ((u64::from(key) * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }
}

fn slot_of(key: u32, id: u32) -> u64 {
    u64::from(key) << 32 | u64::from(id + 1)
}

fn key_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

fn id_of(slot: u64) -> u32 {
    slot as u32 - 1
}
