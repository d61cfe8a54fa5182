//! Which states are known: an open-addressing table that names them by id, in shards that are filled apart from each
//! other and read by all.
//!
//! A slot holds 32 bits of a state's hash and its id. Equal hash bits are never taken for an equal state: the stored
//! state is compared, so no state is ever lost to a collision, unlike with a search that keeps fingerprints alone.
//!
//! The table is larger than the caches, so look-ups come in blocks and in passes: first every slot is read, then every
//! state that a slot names, and only then is anything decided. Reads within a pass do not wait for one another.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;

use foldhash::fast::FixedState;

/// How many look-ups are under way at once: more than a core can keep waiting for memory, few enough that what they
/// need stays in the first-level cache.
pub(super) const BLOCK: usize = 32;

/// Into how many shards the states are divided by their hash: more than there are threads to fill them. The result
/// does not depend on it.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 4;

const EMPTY: u64 = 0;
const SLOTS_AT_FIRST: usize = 64;

/// Where a state belongs: its shard, and the part of its hash that a slot keeps.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) shard: u8,
    pub(super) key: u32,
}

impl Route {
    pub(super) fn of<S: Hash>(state: &S) -> Self {
        let hash = FixedState::default().hash_one(state);
        Route { shard: (hash >> (64 - SHARD_BITS)) as u8, key: (hash >> 16) as u32 }
    }
}

/// States of one shard that a look-up did not find, in the order in which they were generated.
///
/// [`Shard::place`] turns each key into an id.
pub(super) struct Bucket<S> {
    pub(super) keys: Vec<u32>,
    pub(super) states: Vec<S>,
}

impl<S> Bucket<S> {
    pub(super) fn one_a_shard() -> Vec<Self> {
        (0..SHARDS).map(|_| Bucket { keys: Vec::new(), states: Vec::new() }).collect()
    }

    pub(super) fn push(&mut self, key: u32, state: S) {
        self.keys.push(key);
        self.states.push(state);
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.states.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<u32>() + self.states.capacity() * size_of::<S>()
    }
}

/// All known states, by id.
pub(super) struct Table {
    pub(super) shards: Vec<Shard>,
}

impl Table {
    pub(super) fn new() -> Self {
        Table { shards: (0..SHARDS).map(|_| Shard::new()).collect() }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.slots.capacity() * size_of::<u64>()).sum()
    }

    /// Looks for at most [`BLOCK`] states at once. What is found is known; what is not may still be, if another state
    /// has the same 32 bits.
    pub(super) fn find<S: Eq>(
        &self,
        states: &[S],
        routes: impl Iterator<Item = Route> + Clone,
        known: &[S],
    ) -> [Option<u32>; BLOCK] {
        let mut first = [EMPTY; BLOCK];
        for (slot, route) in first.iter_mut().zip(routes.clone()) {
            *slot = self.shards[route.shard as usize].first(route.key);
        }
        let mut ids = [None; BLOCK];
        for ((id, &slot), route) in ids.iter_mut().zip(&first).zip(routes) {
            if slot != EMPTY {
                *id = self.shards[route.shard as usize].named(route.key);
            }
        }
        for (id, state) in ids.iter_mut().zip(states) {
            *id = id.filter(|&id| known[id as usize] == *state);
        }
        ids
    }
}

impl Table {
    /// Adds the ids of these states, which are known.
    pub(super) fn ids_of<S: Eq + Hash>(&self, states: &[S], known: &[S], ids: &mut Vec<u32>) {
        for states in states.chunks(BLOCK) {
            let routes = states.iter().map(Route::of);
            let found = self.find(states, routes, known);
            ids.extend(found.iter().zip(states).map(|(id, state)| {
                let exact = || self.shards[Route::of(state).shard as usize].find(Route::of(state).key, state, known);
                id.unwrap_or_else(|| exact().expect("a state that is known"))
            }));
        }
    }
}

/// A state that was not known: the slot it was given, and where it stands.
pub(super) struct Fresh {
    slot: u32,
    pub(super) bucket: u32,
    pub(super) index: u32,
}

/// What [`Shard::place`] says of the first state of a kind that is not known.
pub(super) const NEW: u32 = u32::MAX;

/// The known states whose hash begins with the same bits. On cache lines of its own, as every thread fills another one.
#[repr(align(128))]
pub(super) struct Shard {
    slots: Vec<u64>,
    /// What the slots are to be moved to; empty, if they need not.
    larger: Vec<u64>,
    used: usize,
    fresh: Vec<Fresh>,
    /// How many of them came from each bucket.
    news: Vec<usize>,
}

impl Shard {
    fn new() -> Self {
        Shard { slots: vec![EMPTY; SLOTS_AT_FIRST], larger: Vec::new(), used: 0, fresh: Vec::new(), news: Vec::new() }
    }

    /// Replaces the key of every state in these buckets by the id of the equal known state, or by [`NEW`], or, where it
    /// is equal to a new one before it, by a provisional id.
    ///
    /// There must be room: [`Shard::reserve`]. `known` are the states with an id. The first state that equals none of
    /// them has the provisional id `known.len()`, the next such the number after it, and so on. The caller then gives
    /// out the ids and tells them to [`Shard::settle`].
    pub(super) fn place<S: Eq>(&mut self, buckets: &mut [&mut Bucket<S>], known: &[S]) {
        debug_assert!(self.fresh.is_empty(), "the ids of the last batch were never settled");
        self.news.clear();
        self.move_to_larger();
        for bucket in 0..buckets.len() {
            let before = self.fresh.len();
            let count = buckets[bucket].keys.len();
            for start in (0..count).step_by(BLOCK) {
                let block = start..count.min(start + BLOCK);
                self.touch(&buckets[bucket].keys[block.clone()]);
                for index in block {
                    buckets[bucket].keys[index] = self.find_or_insert(buckets, bucket, index, known);
                }
            }
            self.news.push(self.fresh.len() - before);
        }
    }

    /// How many of the states in this bucket were [`NEW`] to the last [`Shard::place`].
    pub(super) fn news(&self, bucket: usize) -> usize {
        self.news[bucket]
    }

    /// Brings the slots where these keys are sought into the cache, all at once.
    fn touch(&self, keys: &[u32]) {
        black_box(keys.iter().fold(EMPTY, |all, &key| all ^ self.first(key)));
    }

    fn find_or_insert<S: Eq>(&mut self, buckets: &[&mut Bucket<S>], bucket: usize, index: usize, known: &[S]) -> u32 {
        let (key, state) = (buckets[bucket].keys[index], &buckets[bucket].states[index]);
        let named = |id: u32, fresh: &[Fresh]| match known.get(id as usize) {
            Some(other) => other == state,
            None => {
                let fresh = &fresh[id as usize - known.len()];
                buckets[fresh.bucket as usize].states[fresh.index as usize] == *state
            }
        };
        let mut at = self.home(key);
        while self.slots[at] != EMPTY {
            let slot = self.slots[at];
            if key_of(slot) == key && named(id_of(slot), &self.fresh) {
                return id_of(slot);
            }
            at = self.after(at);
        }
        let id = (known.len() + self.fresh.len()) as u32;
        self.slots[at] = slot_of(key, id);
        self.used += 1;
        self.fresh.push(Fresh { slot: at as u32, bucket: bucket as u32, index: index as u32 });
        NEW
    }

    /// The states that the last [`Shard::place`] found to be new, in the order of their provisional ids.
    pub(super) fn take_fresh(&mut self) -> Vec<Fresh> {
        std::mem::take(&mut self.fresh)
    }

    /// Gives these their ids.
    pub(super) fn settle(&mut self, fresh: &[Fresh], id: impl Fn(&Fresh) -> u32) {
        for fresh in fresh {
            let slot = &mut self.slots[fresh.slot as usize];
            *slot = slot_of(key_of(*slot), id(fresh));
        }
    }

    /// Takes back a list that is no longer needed, for the next ones.
    pub(super) fn keep(&mut self, mut fresh: Vec<Fresh>) {
        fresh.clear();
        self.fresh = fresh;
    }

    /// Takes memory for so many more states, so that at most three quarters of the slots will be used.
    ///
    /// One thread does this for all: whose memory it is matters more than who moves the slots.
    pub(super) fn reserve(&mut self, more: usize) {
        let enough = ((self.used + more) * 4).div_ceil(3).next_power_of_two();
        if enough > self.slots.len() {
            self.larger = vec![EMPTY; enough];
        }
    }

    fn move_to_larger(&mut self) {
        if self.larger.is_empty() {
            return;
        }
        let larger = std::mem::take(&mut self.larger);
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot != EMPTY {
                let mut at = self.home(key_of(slot));
                while self.slots[at] != EMPTY {
                    at = self.after(at);
                }
                self.slots[at] = slot;
            }
        }
    }

    /// What the slot holds where the search for a key starts.
    fn first(&self, key: u32) -> u64 {
        self.slots[self.home(key)]
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

    /// The id of this state.
    #[inline(never)]
    fn find<S: Eq>(&self, key: u32, state: &S, known: &[S]) -> Option<u32> {
        let mut at = self.home(key);
        while self.slots[at] != EMPTY {
            let id = id_of(self.slots[at]);
            if key_of(self.slots[at]) == key && known[id as usize] == *state {
                return Some(id);
            }
            at = self.after(at);
        }
        None
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
