//! One part of a batch: a few consecutive states, their successors, and what the checks say of them.
//!
//! Parts are filled by different threads and read in order, so nothing in them depends on which thread did it.

use std::hash::Hash;
use std::ops::Range;

use stateright::Model;

use super::named::Named;
use super::packing::Packing;
use super::successors::{Asked, PackedBy, Seen, Successors};
use super::table::{BLOCK, Bucket, NEW, Route, Table};

/// What a walk asks of each state, and what it knows already.
pub(super) struct Task<'a, M: Model, S: Successors<M>> {
    pub(super) asked: Asked<'a, M>,
    pub(super) successors: &'a S,
    /// The checks that no earlier state has decided, as bits.
    pub(super) open: u64,
    /// The states that have an id.
    pub(super) known: &'a [PackedBy<S, M>],
    pub(super) table: &'a Table,
}

/// A successor that was not found among the known states: it waits in its shard's bucket for an id.
pub(super) struct Pending {
    /// Its place among the successors.
    pub(super) at: u32,
    pub(super) source: u32,
    pub(super) shard: u8,
    /// Its place in the bucket.
    pub(super) nth: u32,
}

/// A successor that is equal to one that waits for an id already.
struct Again {
    /// Its place among the successors.
    at: u32,
    /// The place of the one that waits, among those.
    pending: u32,
}

/// How many of the states that wait are remembered: steps commute, so most states come up again soon after the first
/// time. What is forgotten is found later, and costs a little more.
const REMEMBERED: usize = 1 << 11;

/// Consecutive states' successors. Kept from batch to batch, so that a state costs no allocation; and on cache lines of
/// its own, as every thread writes to another one.
#[repr(align(128))]
pub(super) struct Batch<K> {
    /// The states that were expanded.
    sources: Range<u32>,
    /// How many successors each of them has.
    pub(super) degrees: Vec<u32>,
    /// The id of each successor, in the order of sources and, for one source, of the model's actions. Of the pending
    /// ones, it is not known yet.
    pub(super) targets: Vec<u32>,
    /// The class of the action that leads to each successor; empty when edges are not kept.
    pub(super) classes: Vec<u8>,
    pub(super) pending: Vec<Pending>,
    again: Vec<Again>,
    /// Those of the pending states that another part has too, and before: their places.
    elsewhere: Vec<u32>,
    /// Some of the pending states, by a part of their hash: their places, counted from 1.
    remembered: Vec<u32>,
    /// The pending states, by shard, each in the same order.
    pub(super) buckets: Vec<Bucket<K>>,
    /// The first source that decides a check, by check; only checks that are open.
    pub(super) deciders: Vec<(usize, u32)>,
    /// Successors left out because they are beyond the model's boundary.
    pub(super) beyond: u64,
    /// The sources that have such successors.
    pub(super) clipped: Vec<u32>,
    /// Sources without any successor, not even one beyond the boundary.
    pub(super) terminal: u64,
}

impl<K: Clone + Eq + Hash> Batch<K> {
    pub(super) fn new() -> Self {
        Batch {
            sources: 0..0,
            degrees: Vec::new(),
            targets: Vec::new(),
            classes: Vec::new(),
            pending: Vec::new(),
            again: Vec::new(),
            elsewhere: Vec::new(),
            remembered: vec![0; REMEMBERED],
            buckets: Bucket::one_a_shard(),
            deciders: Vec::new(),
            beyond: 0,
            clipped: Vec::new(),
            terminal: 0,
        }
    }

    /// Bytes that it holds on to.
    pub(super) fn bytes(&self) -> usize {
        let buckets: usize = self.buckets.iter().map(Bucket::bytes).sum();
        let words = self.degrees.capacity() + self.targets.capacity() + REMEMBERED;
        let waiting = self.pending.capacity() * size_of::<Pending>() + self.again.capacity() * size_of::<Again>();
        buckets + words * size_of::<u32>() + waiting + self.classes.capacity()
    }

    fn clear(&mut self, sources: Range<u32>) {
        self.sources = sources;
        self.degrees.clear();
        self.targets.clear();
        self.classes.clear();
        self.pending.clear();
        self.again.clear();
        self.elsewhere.clear();
        self.remembered.fill(0);
        self.buckets.iter_mut().for_each(Bucket::clear);
        self.deciders.clear();
        self.clipped.clear();
        (self.beyond, self.terminal) = (0, 0);
    }

    /// Takes in these initial states.
    pub(super) fn fill_with(&mut self, roots: impl Iterator<Item = K>) {
        self.clear(0..0);
        for state in roots {
            let at = self.targets.len() as u32;
            self.targets.push(u32::MAX);
            let one = Staged { at, source: super::exploration::NO_PARENT, route: Route::of(&state) };
            if !self.waits_already(&one, &state) {
                self.push(&one, &state);
            }
        }
    }

    /// Takes in a state that has no id yet.
    fn push(&mut self, one: &Staged, state: &K) {
        let Staged { at, source, route } = *one;
        let bucket = &mut self.buckets[route.shard as usize];
        self.pending.push(Pending { at, source, shard: route.shard, nth: bucket.keys.len() as u32 });
        bucket.push(route.key, state.clone());
        self.remembered[route.key as usize % REMEMBERED] = self.pending.len() as u32;
    }

    /// Whether an equal state is remembered to wait for an id: then this one waits for it.
    fn waits_already(&mut self, one: &Staged, state: &K) -> bool {
        let Some(place) = self.remembered[one.route.key as usize % REMEMBERED].checked_sub(1) else { return false };
        let Pending { shard, nth, .. } = self.pending[place as usize];
        let waits = shard == one.route.shard && self.buckets[shard as usize].states[nth as usize] == *state;
        if waits {
            self.again.push(Again { at: one.at, pending: place });
        }
        waits
    }

    /// Expands the states with these ids.
    pub(super) fn fill<M, S>(&mut self, task: &Task<'_, M, S>, memory: &mut S::Memory, sources: Range<u32>)
    where
        M: Model,
        S: Successors<M>,
        S::Packing: Packing<M::State, Packed = K>,
    {
        self.clear(sources.clone());
        let mut open = task.open;
        let (mut block, mut scratch) = (Block::new(), S::Scratch::default());
        for source in sources {
            let before = self.targets.len();
            let state = &task.known[source as usize];
            let seen = task.successors.expand(&task.asked, memory, &mut scratch, state, open, &mut |next, class| {
                self.take_in(task.table, task.known, source, next, class, &mut block);
            });
            self.decide(&mut open, source, seen.decided);
            self.conclude(source, before, seen);
        }
        self.look_up(task.table, task.known, &mut block);
    }

    /// One of the states that wait for an id.
    pub(super) fn any_pending(&self) -> Option<&K> {
        let Pending { shard, nth, .. } = self.pending.first()?;
        self.buckets[*shard as usize].states.get(*nth as usize)
    }

    /// Gives the new states among those that wait the ids from `first` on, and puts them and their parents there.
    pub(super) fn name_new(&mut self, states: &mut [K], parents: &mut [u32], first: u32, known: u32) {
        let mut places = (first..).zip(states.iter_mut().zip(parents));
        for (place, pending) in self.pending.iter().enumerate() {
            let bucket = &mut self.buckets[pending.shard as usize];
            let (key, state) = (&mut bucket.keys[pending.nth as usize], &bucket.states[pending.nth as usize]);
            if *key == NEW {
                let (id, (own_state, parent)) = places.next().expect("as many places as new states");
                (*key, *own_state, *parent) = (id, state.clone(), pending.source);
            } else if *key >= known {
                self.elsewhere.push(place as u32);
            }
            self.targets[pending.at as usize] = *key;
        }
        debug_assert!(places.next().is_none(), "as many new states as places");
    }

    /// Fills in the targets that are left, now that every new state has its id.
    pub(super) fn name_rest(&mut self, named: &Named<'_, K>) {
        for &place in &self.elsewhere {
            let Pending { at, shard, .. } = self.pending[place as usize];
            let target = &mut self.targets[at as usize];
            *target = named.id_for(shard as usize, *target);
        }
        for again in &self.again {
            self.targets[again.at as usize] = self.targets[self.pending[again.pending as usize].at as usize];
        }
    }

    fn decide(&mut self, open: &mut u64, source: u32, decided: u64) {
        let mut news = *open & decided;
        *open &= !decided;
        while news != 0 {
            self.deciders.push((news.trailing_zeros() as usize, source));
            news &= news - 1;
        }
    }

    /// Takes in a successor.
    #[inline(always)]
    fn take_in(&mut self, table: &Table, known: &[K], source: u32, next: K, class: Option<u8>, block: &mut Block<K>) {
        let one = Staged { at: self.targets.len() as u32, source, route: Route::of(&next) };
        self.targets.push(u32::MAX);
        self.classes.extend(class);
        if self.waits_already(&one, &next) {
            return;
        }
        block.states.push(next);
        block.staged.push(one);
        if block.states.len() == BLOCK {
            self.look_up(table, known, block);
        }
    }

    /// Every successor of this source was taken in.
    fn conclude(&mut self, source: u32, before: usize, seen: Seen) {
        let degree = self.targets.len() - before;
        self.degrees.push(degree as u32);
        self.beyond += seen.beyond;
        self.clipped.extend((seen.beyond > 0).then_some(source));
        self.terminal += u64::from(degree == 0 && seen.beyond == 0);
    }

    /// Finds out which of the staged states are known, and takes the others in.
    fn look_up(&mut self, table: &Table, known: &[K], block: &mut Block<K>) {
        let ids = table.find(&block.states, block.staged.iter().map(|one| one.route), known);
        for ((id, state), one) in ids.into_iter().zip(&block.states).zip(&block.staged) {
            match id {
                Some(id) => self.targets[one.at as usize] = id,
                None if self.waits_already(one, state) => {}
                None => self.push(one, state),
            }
        }
        block.states.clear();
        block.staged.clear();
    }
}

/// A successor that was generated and is still to be looked up.
struct Staged {
    /// Its place among the successors.
    at: u32,
    source: u32,
    route: Route,
}

/// Successors that are looked up together.
struct Block<K> {
    states: Vec<K>,
    staged: Vec<Staged>,
}

impl<K> Block<K> {
    fn new() -> Self {
        Block { states: Vec::with_capacity(BLOCK), staged: Vec::with_capacity(BLOCK) }
    }
}
