//! One part of a batch: a few consecutive states, their successors, and what the checks say of them.
//!
//! Parts are filled by different threads and read in order, so nothing in them depends on which thread did it.

use std::hash::Hash;
use std::ops::Range;

use stateright::Model;

use super::checks::Checks;
use super::table::{Bucket, SHARDS, route};

/// How an action is classed, for fairness and for export.
pub(super) type Class<'a, M> = dyn Fn(&<M as Model>::Action) -> u8 + Sync + 'a;

/// What a walk asks of each state.
pub(super) struct Task<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) class: Option<&'a Class<'a, M>>,
    pub(super) checks: &'a Checks<'a, M>,
    /// The checks that no earlier state has decided, as bits.
    pub(super) open: u64,
}

/// Consecutive states' successors. Kept from batch to batch, so that a state costs no allocation.
pub(super) struct Part<S> {
    /// The states that were expanded.
    pub(super) sources: Range<u32>,
    /// How many successors each of them has.
    pub(super) degrees: Vec<u32>,
    /// In which shard each successor is, in the order of sources and, for one source, of the model's actions.
    pub(super) shards: Vec<u8>,
    /// The class of the action that leads to each successor, in the same order; empty when edges are not kept.
    pub(super) classes: Vec<u8>,
    /// The successors, by shard, each in the same order.
    pub(super) buckets: Vec<Bucket<S>>,
    /// The first source that decides a check, by check; only checks that are open.
    pub(super) deciders: Vec<(usize, u32)>,
    /// Successors left out because they are beyond the model's boundary.
    pub(super) beyond: u64,
    /// Sources without any successor, not even one beyond the boundary.
    pub(super) terminal: u64,
}

impl<S> Part<S> {
    pub(super) fn new() -> Self {
        Part {
            sources: 0..0,
            degrees: Vec::new(),
            shards: Vec::new(),
            classes: Vec::new(),
            buckets: (0..SHARDS).map(|_| Bucket::new()).collect(),
            deciders: Vec::new(),
            beyond: 0,
            terminal: 0,
        }
    }

    /// How many candidates wait for their ids.
    pub(super) fn candidates(&self) -> usize {
        self.shards.len()
    }

    /// Bytes that it holds on to.
    pub(super) fn bytes(&self) -> usize {
        let candidate = size_of::<u32>() + size_of::<S>();
        let buckets: usize = self.buckets.iter().map(|bucket| bucket.states.capacity() * candidate).sum();
        buckets + self.degrees.capacity() * size_of::<u32>() + self.shards.capacity() + self.classes.capacity()
    }

    fn clear(&mut self, sources: Range<u32>) {
        self.sources = sources;
        self.degrees.clear();
        self.shards.clear();
        self.classes.clear();
        self.deciders.clear();
        (self.beyond, self.terminal) = (0, 0);
    }

    /// Takes in one state that is to get an id.
    pub(super) fn push(&mut self, state: S)
    where
        S: Hash,
    {
        let (shard, key) = route(&state);
        self.shards.push(shard);
        self.buckets[shard as usize].push(key, state);
    }

    /// Expands the states with these ids. `states` are all that have an id.
    pub(super) fn fill<M>(&mut self, task: &Task<'_, M>, sources: Range<u32>, states: &[S])
    where
        M: Model<State = S>,
        S: Hash,
    {
        self.clear(sources.clone());
        let mut open = task.open;
        let mut actions = Vec::new();
        for source in sources {
            let state = &states[source as usize];
            task.model.actions(state, &mut actions);
            if open != 0 {
                self.decide(&mut open, source, task.checks.decided_by(state, &actions));
            }
            self.expand(task, state, &mut actions);
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

    fn expand<M>(&mut self, task: &Task<'_, M>, state: &S, actions: &mut Vec<M::Action>)
    where
        M: Model<State = S>,
        S: Hash,
    {
        let (candidates, beyond) = (self.shards.len(), self.beyond);
        for action in actions.drain(..) {
            let class = task.class.map(|class| class(&action));
            let Some(next) = task.model.next_state(state, action) else { continue };
            if !task.model.within_boundary(&next) {
                self.beyond += 1;
                continue;
            }
            self.classes.extend(class);
            self.push(next);
        }
        let degree = self.shards.len() - candidates;
        self.degrees.push(degree as u32);
        self.terminal += u64::from(degree == 0 && self.beyond == beyond);
    }
}
