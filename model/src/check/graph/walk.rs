//! The walk itself: level by level, a batch of states at a time, each batch expanded, looked up and numbered.
//!
//! Within a batch, parts are expanded, shards are searched and what is new is numbered on all threads. Each step of a
//! batch is over before the next begins, so there is nothing to lock but the list of work.
//!
//! What counts here, by measurement: that two threads never write to one cache line, that the memory of what grows is
//! asked for by one thread, and that a state which comes up again soon is recognised before it is sent around.

use std::hash::Hash;
use std::ops::{ControlFlow, Range};
use std::sync::{Mutex, PoisonError};

use stateright::Model;

use super::checks::Checks;
use super::cycles::has_cycle;
use super::expand::{Batch, Task};
use super::exploration::{Completeness, Cut, Exploration, Finding, Graph, Memory, Shape, StateId};
use super::number::number;
use super::packing::{AsIs, Packed, Packing};
use super::share::Crew;
use super::successors::{Asked, Class, PackedBy, Plain, Successors};
use super::table::Table;

/// About how many successors are generated before the caller is asked whether to go on: long enough to be worth sharing
/// out, short enough to be asked many times a second, and to find the successors still in a cache when they are numbered.
const BATCH: u64 = 1 << 16;
/// Into how many parts a batch is split, so that a slow thread holds up nobody for long.
const PARTS: u32 = 32;
/// Below so many states a batch is not worth a second thread.
const WORTH_SHARING: u32 = 512;

/// The way in: what to walk, what to look for, when to stop. [`Walk::run`] does it.
///
/// The result depends on the model and the checks alone, and not on the number of threads.
pub struct Walk<'a, M: Model> {
    model: &'a M,
    checks: Checks<'a, M>,
    threads: usize,
    class: Option<Box<Class<'a, M>>>,
    states_max: u32,
    bytes_max: usize,
    stops_when_decided: bool,
    cycles: bool,
    keep_going: Box<dyn Fn(&Progress) -> bool + 'a>,
}

/// How far a walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// States found so far.
    pub states: usize,
    /// Those of them that were expanded.
    pub expanded: usize,
    /// The depth of the states that are being expanded.
    pub depth: usize,
    /// Initial states and successors generated so far, with every repetition.
    pub generated: u64,
    /// Bytes held, besides what a state may own on the heap.
    pub bytes: usize,
}

impl<'a, M> Walk<'a, M>
where
    M: Model + Sync,
    M::State: 'static,
{
    /// A walk over the whole of `model` on one thread, without limits, that checks the model's own `always` and
    /// `sometimes` properties and keeps parents, but no edges.
    pub fn new(model: &'a M) -> Self {
        Walk {
            model,
            checks: Checks::of(model),
            threads: 1,
            class: None,
            states_max: u32::MAX,
            bytes_max: usize::MAX,
            stops_when_decided: false,
            cycles: false,
            keep_going: Box::new(|_| true),
        }
    }

    /// Checks these, in place of the model's own properties.
    pub fn checks(mut self, checks: Checks<'a, M>) -> Self {
        self.checks = checks;
        self
    }

    /// Works on so many threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Keeps the edges, each with the class of its action.
    pub fn edges(mut self, class: impl Fn(&M::Action) -> u8 + Sync + 'a) -> Self {
        self.class = Some(Box::new(class));
        self
    }

    /// Stops once there are so many states; a batch's successors may still be added.
    pub fn states_max(mut self, states: u32) -> Self {
        self.states_max = states;
        self
    }

    /// Stops once so many bytes are held; a batch's successors may still be added.
    pub fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Stops as soon as every check is decided.
    pub fn stop_when_decided(mut self) -> Self {
        self.stops_when_decided = true;
        self
    }

    /// Also finds out whether some run goes on for ever, once every state was seen: [`Exploration::has_cycle`]. Needs no
    /// edges: each state is expanded a second time, on one thread.
    pub fn cycles(mut self) -> Self {
        self.cycles = true;
        self
    }

    /// Asks now and then whether to go on, and stops if not.
    pub fn keep_going(mut self, keep_going: impl Fn(&Progress) -> bool + 'a) -> Self {
        self.keep_going = Box::new(keep_going);
        self
    }

    /// Walks, and keeps states as they are.
    ///
    /// # Panics
    ///
    /// If the model or a check does.
    pub fn run(self) -> Exploration<M::State>
    where
        M::State: Clone + Eq + Hash + Send + Sync,
    {
        self.run_packed(AsIs)
    }

    /// Walks, and keeps states packed.
    ///
    /// # Panics
    ///
    /// If the model, a check or the packing does.
    pub fn run_packed(self, packing: impl Packing<M::State>) -> Exploration<M::State> {
        self.run_over(Plain(packing))
    }

    /// Walks over these successors.
    pub(in crate::check) fn run_over(self, successors: impl Successors<M>) -> Exploration<M::State> {
        let mut front = Front::new(&self, successors);
        front.roots();
        let cut = front.levels().err();
        let has_cycle = if self.cycles && cut.is_none() { front.has_cycle() } else { None };
        Exploration { has_cycle, ..front.into_exploration(cut) }
    }
}

/// A walk under way.
struct Front<'w, 'a, M: Model, S: Successors<M>> {
    walk: &'w Walk<'a, M>,
    successors: S,
    states: Vec<PackedBy<S, M>>,
    shape: Shape,
    table: Table,
    parts: Vec<Batch<PackedBy<S, M>>>,
    /// What the threads remember, while none of them is at work.
    memories: Mutex<Vec<S::Memory>>,
    /// Who works on a batch that is worth sharing, and on one that is not.
    crew: Crew,
    alone: Crew,
    decided_by: Vec<Option<StateId>>,
    /// The checks that are not decided, as bits.
    open: u64,
    generated: u64,
    beyond: u64,
    terminal: u64,
}

impl<'w, 'a, M, S> Front<'w, 'a, M, S>
where
    M: Model + Sync,
    M::State: 'static,
    S: Successors<M>,
{
    fn new(walk: &'w Walk<'a, M>, successors: S) -> Self {
        Front {
            walk,
            successors,
            memories: Mutex::default(),
            states: Vec::new(),
            shape: Shape::new(walk.class.is_some()),
            table: Table::new(),
            parts: (0..PARTS).map(|_| Batch::new()).collect(),
            crew: Crew::new(walk.threads),
            alone: Crew::new(1),
            decided_by: vec![None; walk.checks.list().len()],
            open: walk.checks.all(),
            generated: 0,
            beyond: 0,
            terminal: 0,
        }
    }

    fn roots(&mut self) {
        let model = self.walk.model;
        let (within, beyond): (Vec<_>, Vec<_>) =
            model.init_states().into_iter().partition(|state| model.within_boundary(state));
        self.beyond = beyond.len() as u64;
        self.parts[0].fill_with(within.into_iter().map(|state| self.successors.packing().pack(state)));
        self.add(false, 1);
    }

    fn levels(&mut self) -> Result<(), Cut> {
        let mut first = 0;
        while first < self.shape.len() as u32 {
            let level = first..self.shape.len() as u32;
            first = level.end;
            self.shape.levels.push(level.start);
            let cut = self.level(level);
            if cut.is_err() && first < self.shape.len() as u32 {
                self.shape.levels.push(first);
            }
            cut?;
        }
        Ok(())
    }

    fn level(&mut self, level: Range<u32>) -> Result<(), Cut> {
        let mut first = level.start;
        while first < level.end {
            self.ask()?;
            let batch = first..level.end.min(first.saturating_add(self.batch_size()));
            first = batch.end;
            self.batch(batch)?;
        }
        Ok(())
    }

    /// How many states to expand at once, by what states had for successors so far.
    fn batch_size(&self) -> u32 {
        let expanded = u64::from(self.shape.expanded).max(1);
        (BATCH * expanded / self.generated.max(expanded)).max(WORTH_SHARING.into()) as u32
    }

    /// Whether to go on.
    fn ask(&self) -> Result<(), Cut> {
        let progress = self.progress();
        if self.walk.stops_when_decided && self.open == 0 {
            Err(Cut::Decided)
        } else if progress.states >= self.walk.states_max as usize {
            Err(Cut::States)
        } else if progress.bytes >= self.walk.bytes_max {
            Err(Cut::Memory)
        } else if !(self.walk.keep_going)(&progress) {
            Err(Cut::Stopped)
        } else {
            Ok(())
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            states: self.shape.len(),
            expanded: self.shape.expanded as usize,
            depth: self.shape.levels.len().saturating_sub(1),
            generated: self.generated,
            bytes: self.memory().total(),
        }
    }

    fn memory(&self) -> Memory {
        let table = self.table.bytes();
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = self.parts.iter().map(Batch::bytes).sum::<usize>() + memories.iter().map(S::bytes).sum::<usize>();
        let states = size_of_val(&self.states[..]);
        Memory { states, table, batch, ..self.shape.memory() }
    }

    /// Expands these states and adds what they lead to.
    fn batch(&mut self, sources: Range<u32>) -> Result<(), Cut> {
        let shared = sources.len() >= WORTH_SHARING as usize;
        let end = sources.end;
        let used = self.expand(shared, sources);
        let pending: usize = self.parts[..used].iter().map(|part| part.pending.len()).sum();
        if self.shape.len() + pending >= u32::MAX as usize {
            return Err(Cut::States);
        }
        self.tally(used);
        self.add(shared, used);
        self.shape.expanded = end;
        Ok(())
    }

    /// Fills as many parts as needed, and returns their number.
    fn expand(&mut self, shared: bool, sources: Range<u32>) -> usize {
        let walk = self.walk;
        let task = Task {
            asked: Asked { model: walk.model, class: walk.class.as_deref(), checks: &walk.checks },
            successors: &self.successors,
            open: self.open,
            known: &self.states,
            table: &self.table,
        };
        let size = (sources.len() as u32).div_ceil(PARTS).max(WORTH_SHARING / PARTS);
        let ranges =
            sources.clone().step_by(size as usize).map(|start| start..sources.end.min(start.saturating_add(size)));
        let used = ranges.len();
        let crew = if shared { &self.crew } else { &self.alone };
        let memories = || self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        crew.share_out(self.parts.iter_mut().zip(ranges), |(part, range)| {
            let remembered = memories().pop();
            let mut memory = remembered.unwrap_or_else(|| self.successors.memory());
            part.fill(&task, &mut memory, range);
            memories().push(memory);
        });
        used
    }

    /// Counts what the parts saw, in order, so that the first state that decides a check is the one with the lowest id.
    fn tally(&mut self, used: usize) {
        for part in &self.parts[..used] {
            self.beyond += part.beyond;
            self.terminal += part.terminal;
            self.shape.clipped.extend_from_slice(&part.clipped);
            for &(check, id) in &part.deciders {
                self.decided_by[check].get_or_insert(StateId(id));
                self.open &= !(1 << check);
            }
        }
    }

    /// Gives the parts' candidates their ids.
    fn add(&mut self, shared: bool, used: usize) {
        let parts = &mut self.parts[..used];
        self.generated += parts.iter().map(|part| part.targets.len() as u64).sum::<u64>();
        let mut buckets: Vec<Vec<_>> = self.table.shards.iter().map(|_| Vec::with_capacity(used)).collect();
        for part in parts.iter_mut() {
            for (buckets, bucket) in buckets.iter_mut().zip(&mut part.buckets) {
                buckets.push(bucket);
            }
        }
        for (shard, buckets) in self.table.shards.iter_mut().zip(&buckets) {
            shard.reserve(buckets.iter().map(|bucket| bucket.keys.len()).sum());
        }
        let known = &self.states;
        let shards = self.table.shards.iter_mut();
        let crew = if shared { &self.crew } else { &self.alone };
        crew.share_out(shards.zip(buckets), |(shard, mut buckets)| shard.place(&mut buckets, known));
        number(crew, &mut self.shape, &mut self.states, parts, &mut self.table.shards);
    }

    /// Whether the edges close a circle; none if the caller said stop.
    fn has_cycle(&self) -> Option<bool> {
        let Front { walk, successors, table, states, .. } = self;
        let asked = Asked { model: walk.model, class: None, checks: &walk.checks };
        let (mut memory, mut scratch) = (successors.memory(), S::Scratch::default());
        let (mut next, mut expanded) = (Vec::new(), 0_u64);
        has_cycle(states.len(), |state, targets| {
            if expanded.is_multiple_of(BATCH) && !(walk.keep_going)(&self.progress()) {
                return ControlFlow::Break(());
            }
            expanded += 1;
            next.clear();
            let found = &mut |state, _| next.push(state);
            successors.expand(&asked, &mut memory, &mut scratch, &states[state as usize], 0, found);
            table.ids_of(&next, states, targets);
            ControlFlow::Continue(())
        })
    }

    fn into_exploration(self, cut: Option<Cut>) -> Exploration<M::State> {
        let boundary = (self.beyond > 0).then_some(Cut::Boundary { left_out: self.beyond });
        let completeness = cut.or(boundary).map_or(Completeness::Complete, Completeness::Incomplete);
        let checks = self.walk.checks.list().iter().zip(&self.decided_by);
        Exploration {
            completeness,
            findings: checks.map(|(check, &by)| Finding::new(check.clone(), by, completeness)).collect(),
            generated: self.generated,
            beyond_boundary: self.beyond,
            terminal: self.terminal,
            has_cycle: None,
            memory: self.memory(),
            graph: Graph {
                states: Box::new(Packed { packing: self.successors.into_packing(), states: self.states }),
                shape: self.shape,
            },
        }
    }
}
