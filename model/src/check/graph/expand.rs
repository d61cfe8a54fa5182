//! One part of a batch: a few consecutive states, their successors, and what the checks say of them.
//!
//! Parts are filled by different threads and read in order, so nothing in them depends on which thread did it.

use std::hash::Hash;
use std::ops::Range;

use stateright::Model;

use super::checks::Checks;
use super::packing::Packing;
use super::table::{BLOCK, Bucket, Route, Table};

/// How an action is classed, for fairness and for export.
pub(super) type Class<'a, M> = dyn Fn(&<M as Model>::Action) -> u8 + Sync + 'a;

/// What a walk asks of each state, and what it knows already.
pub(super) struct Task<'a, M: Model, P: Packing<M::State>> {
    pub(super) model: &'a M,
    pub(super) packing: &'a P,
    pub(super) class: Option<&'a Class<'a, M>>,
    pub(super) checks: &'a Checks<'a, M>,
    /// The checks that no earlier state has decided, as bits.
    pub(super) open: u64,
    /// The states that have an id.
    pub(super) known: &'a [P::Packed],
    pub(super) table: &'a Table,
}

/// A successor that was not found among the known states: it waits in its shard's bucket for an id.
pub(super) struct Pending {
    /// Its place among the successors.
    pub(super) at: u32,
    pub(super) source: u32,
    pub(super) shard: u8,
}

/// Consecutive states' successors. Kept from batch to batch, so that a state costs no allocation.
pub(super) struct Part<K> {
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

impl<K: Clone + Eq + Hash> Part<K> {
    pub(super) fn new() -> Self {
        Part {
            sources: 0..0,
            degrees: Vec::new(),
            targets: Vec::new(),
            classes: Vec::new(),
            pending: Vec::new(),
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
        let words = self.degrees.capacity() + self.targets.capacity();
        buckets + words * size_of::<u32>() + self.pending.capacity() * size_of::<Pending>() + self.classes.capacity()
    }

    fn clear(&mut self, sources: Range<u32>) {
        self.sources = sources;
        self.degrees.clear();
        self.targets.clear();
        self.classes.clear();
        self.pending.clear();
        self.buckets.iter_mut().for_each(Bucket::clear);
        self.deciders.clear();
        self.clipped.clear();
        (self.beyond, self.terminal) = (0, 0);
    }

    /// Takes in a state that has no id yet.
    fn push(&mut self, source: u32, route: Route, state: &K) {
        self.pending.push(Pending { at: self.targets.len() as u32, source, shard: route.shard });
        self.targets.push(u32::MAX);
        self.buckets[route.shard as usize].push(route.key, state.clone());
    }

    /// Takes in these initial states.
    pub(super) fn fill_with(&mut self, roots: impl Iterator<Item = K>) {
        self.clear(0..0);
        for state in roots {
            self.push(super::exploration::NO_PARENT, Route::of(&state), &state);
        }
    }

    /// Expands the states with these ids.
    pub(super) fn fill<M, P>(&mut self, task: &Task<'_, M, P>, sources: Range<u32>)
    where
        M: Model,
        P: Packing<M::State, Packed = K>,
    {
        self.clear(sources.clone());
        let mut open = task.open;
        let mut actions = Vec::new();
        let mut staged = Staged::new();
        for source in sources {
            let state = task.packing.unpack(&task.known[source as usize]);
            task.model.actions(&state, &mut actions);
            if open != 0 {
                self.decide(&mut open, source, task.checks.decided_by(&state, &actions));
            }
            self.expand(task, source, &state, &mut actions, &mut staged);
            if staged.states.len() >= BLOCK {
                self.look_up(task, &mut staged);
            }
        }
        self.look_up(task, &mut staged);
    }

    fn decide(&mut self, open: &mut u64, source: u32, decided: u64) {
        let mut news = *open & decided;
        *open &= !decided;
        while news != 0 {
            self.deciders.push((news.trailing_zeros() as usize, source));
            news &= news - 1;
        }
    }

    fn expand<M, P>(
        &mut self,
        task: &Task<'_, M, P>,
        source: u32,
        state: &M::State,
        actions: &mut Vec<M::Action>,
        staged: &mut Staged<K>,
    ) where
        M: Model,
        P: Packing<M::State, Packed = K>,
    {
        let (before, beyond) = (staged.states.len(), self.beyond);
        for action in actions.drain(..) {
            let class = task.class.map(|class| class(&action));
            let Some(next) = task.model.next_state(state, action) else { continue };
            if !task.model.within_boundary(&next) {
                self.beyond += 1;
                continue;
            }
            self.classes.extend(class);
            staged.states.push(task.packing.pack(&next));
            staged.sources.push(source);
        }
        let degree = staged.states.len() - before;
        self.degrees.push(degree as u32);
        self.clipped.extend((self.beyond > beyond).then_some(source));
        self.terminal += u64::from(degree == 0 && self.beyond == beyond);
    }

    /// Finds out which of the staged states are known, and takes the others in.
    fn look_up<M, P>(&mut self, task: &Task<'_, M, P>, staged: &mut Staged<K>)
    where
        M: Model,
        P: Packing<M::State, Packed = K>,
    {
        staged.routes.extend(staged.states.iter().map(Route::of));
        let blocks = staged.states.chunks(BLOCK).zip(staged.routes.chunks(BLOCK)).zip(staged.sources.chunks(BLOCK));
        for ((states, routes), sources) in blocks {
            let ids = task.table.find(states, routes, task.known);
            for (((id, state), &route), &source) in ids.into_iter().zip(states).zip(routes).zip(sources) {
                match id {
                    Some(id) => self.targets.push(id),
                    None => self.push(source, route, state),
                }
            }
        }
        staged.clear();
    }
}

/// Successors that were generated and are still to be looked up: about a block.
struct Staged<K> {
    states: Vec<K>,
    sources: Vec<u32>,
    routes: Vec<Route>,
}

impl<K> Staged<K> {
    fn new() -> Self {
        Staged { states: Vec::new(), sources: Vec::new(), routes: Vec::new() }
    }

    fn clear(&mut self) {
        self.states.clear();
        self.sources.clear();
        self.routes.clear();
    }
}
