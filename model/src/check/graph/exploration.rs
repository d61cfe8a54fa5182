//! What a walk brings home: the graph, how much of it was seen, and what the checks came to.

use std::fmt;
use std::ops::{ControlFlow, Range};

use super::checks::{Check, Expects};
use super::cycles::has_cycle;
use super::packing::States;

/// A state, numbered in the order of a breadth-first search: states of a lower depth have lower ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(pub u32);

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a walk did not see everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// The model's boundary left so many successors and initial states out.
    Boundary {
        /// How many; the same state may be among them many times.
        left_out: u64,
    },
    /// There are as many states as the caller allows, or as ids can tell apart.
    States,
    /// The graph takes as much memory as the caller allows.
    Memory,
    /// The caller said stop: a deadline, or Ctrl-C.
    Stopped,
    /// Every check was decided, and the caller did not want more.
    Decided,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Boundary { left_out } => write!(f, "the model's boundary left {left_out} successors out"),
            Cut::States => f.write_str("the limit of states was reached"),
            Cut::Memory => f.write_str("the limit of memory was reached"),
            Cut::Stopped => f.write_str("it was stopped"),
            Cut::Decided => f.write_str("every check was decided"),
        }
    }
}

/// Whether a walk saw every reachable state and every transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Completeness {
    /// It did.
    Complete,
    /// It did not; what it did not find may still be there.
    Incomplete(Cut),
}

impl fmt::Display for Completeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Completeness::Complete => f.write_str("complete"),
            Completeness::Incomplete(cut) => write!(f, "incomplete: {cut}"),
        }
    }
}

/// What a claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is true: of every reachable state, or shown by one.
    Holds,
    /// It is false: shown by a state, or by all of them.
    Violated,
    /// Too little was seen to tell.
    Unknown,
}

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// A state that decides it, of the least depth there is: one that violates an `always`, or shows a `sometimes`.
    pub decided_by: Option<StateId>,
    /// What follows.
    pub verdict: Verdict,
}

impl Finding {
    pub(super) fn new(check: Check, decided_by: Option<StateId>, completeness: Completeness) -> Self {
        let verdict = match (check.expects, decided_by, completeness) {
            (Expects::Always, Some(_), _) => Verdict::Violated,
            (Expects::Sometimes, Some(_), _) => Verdict::Holds,
            (_, None, Completeness::Incomplete(_)) => Verdict::Unknown,
            (Expects::Always, None, Completeness::Complete) => Verdict::Holds,
            (Expects::Sometimes, None, Completeness::Complete) => Verdict::Violated,
        };
        Finding { check, decided_by, verdict }
    }
}

/// What a walk brings home.
pub struct Exploration<S> {
    /// The states, and how they were reached.
    pub graph: Graph<S>,
    /// Whether that is all of them.
    pub completeness: Completeness,
    /// What became of each check, in the order in which they were given.
    pub findings: Vec<Finding>,
    /// Initial states and successors within the boundary, with every repetition: Stateright's `state_count`.
    pub generated: u64,
    /// Initial states and successors beyond the boundary, with every repetition.
    pub beyond_boundary: u64,
    /// Expanded states without any successor.
    pub terminal: u64,
    /// Whether some run goes on for ever; none if [`Walk::cycles`](super::Walk::cycles) did not ask, or the walk or the
    /// search for circles was cut short.
    pub has_cycle: Option<bool>,
    /// What the walk held at its end.
    pub memory: Memory,
}

/// Bytes that a walk filled, besides what a state may own on the heap. Lists have room beyond that, which takes addresses
/// and no memory until it is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The states themselves.
    pub states: usize,
    /// Parents and depths, and where the boundary left something out.
    pub paths: usize,
    /// The table of known states.
    pub table: usize,
    /// Edges and their classes.
    pub edges: usize,
    /// Successors that wait for their ids; bounded by a batch, not by the number of states.
    pub batch: usize,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.states + self.paths + self.table + self.edges + self.batch
    }
}

impl<S> Exploration<S> {
    /// What became of the check of this name.
    pub fn finding(&self, name: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check.name == name)
    }
}

/// The parent of an initial state.
pub(super) const NO_PARENT: u32 = u32::MAX;

/// A transition to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Where it leads.
    pub target: StateId,
    /// The class of its action.
    pub class: u8,
}

/// The reachable states, and how they were reached. Every expanded state has its edges, if edges are kept.
pub struct Graph<S> {
    pub(super) states: Box<dyn States<S>>,
    pub(super) shape: Shape,
}

/// A graph without its states.
pub(super) struct Shape {
    pub(super) parents: Vec<u32>,
    /// The first id of each depth.
    pub(super) levels: Vec<u32>,
    /// How many states were expanded: those with the lowest ids.
    pub(super) expanded: u32,
    /// Those of them with a successor beyond the boundary, lowest first.
    pub(super) clipped: Vec<u32>,
    pub(super) edges: Option<Edges>,
}

/// Transitions, grouped by source, those of one source in the order of the model's actions.
#[derive(Default)]
pub(super) struct Edges {
    /// Where each expanded state's transitions end, and the next one's begin.
    pub(super) ends: Vec<u64>,
    pub(super) targets: Vec<u32>,
    pub(super) classes: Vec<u8>,
}

impl Shape {
    pub(super) fn new(edges: bool) -> Self {
        let edges = edges.then(Edges::default);
        Shape { parents: Vec::new(), levels: Vec::new(), expanded: 0, clipped: Vec::new(), edges }
    }

    pub(super) fn len(&self) -> usize {
        self.parents.len()
    }

    /// Bytes that paths and edges take.
    pub(super) fn memory(&self) -> Memory {
        Memory {
            states: 0,
            paths: (self.parents.len() + self.levels.len() + self.clipped.len()) * size_of::<u32>(),
            table: 0,
            edges: self.edges.as_ref().map_or(0, Edges::bytes),
            batch: 0,
        }
    }
}

/// Adds so many places at the end, and gives them.
pub(super) fn extend<T: Clone>(list: &mut Vec<T>, more: usize, filler: T) -> &mut [T] {
    let length = list.len();
    list.resize(length + more, filler);
    &mut list[length..]
}

impl<S> Graph<S> {
    /// How many states there are: Stateright's `unique_state_count`.
    pub fn len(&self) -> usize {
        self.shape.len()
    }

    /// Whether there is no state at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many states were expanded; all, unless the walk was cut short. These are the ones with the lowest ids.
    pub fn expanded(&self) -> usize {
        self.shape.expanded as usize
    }

    /// Every state's id, lowest first.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = StateId> + Clone + use<S> {
        (0..self.len() as u32).map(StateId)
    }

    /// The state.
    ///
    /// # Panics
    ///
    /// If the id is another graph's.
    pub fn state(&self, id: StateId) -> S {
        self.states.state(id.0)
    }

    /// The state from which this one was first reached; none for an initial state.
    pub fn parent(&self, id: StateId) -> Option<StateId> {
        Some(self.shape.parents[id.0 as usize]).filter(|&parent| parent != NO_PARENT).map(StateId)
    }

    /// The number of steps on the shortest path to the state; 0 for an initial state.
    pub fn depth_of(&self, id: StateId) -> usize {
        self.shape.levels.partition_point(|&first| first <= id.0) - 1
    }

    /// The depth of the deepest state: one less than Stateright's `max_depth`, which counts states.
    pub fn depth(&self) -> usize {
        self.len().checked_sub(1).map_or(0, |last| self.depth_of(StateId(last as u32)))
    }

    /// The states of this depth that are expanded or waiting to be; none below the deepest.
    pub(super) fn level(&self, depth: usize) -> Range<u32> {
        let first = |depth: usize| self.shape.levels.get(depth).copied().unwrap_or(self.len() as u32);
        first(depth)..first(depth + 1)
    }

    /// Whether every step of the state is in the graph: it was expanded, and nothing was left out.
    pub(super) fn is_known(&self, state: u32) -> bool {
        state < self.shape.expanded && self.shape.clipped.binary_search(&state).is_err()
    }

    /// The expanded states with a successor that the model's boundary left out, lowest first.
    pub fn clipped(&self) -> impl Iterator<Item = StateId> + '_ {
        self.shape.clipped.iter().copied().map(StateId)
    }

    /// Whether some run goes on for ever: the edges have a circle.
    ///
    /// # Panics
    ///
    /// If the walk kept no edges.
    pub fn has_cycle(&self) -> bool {
        assert!(self.has_edges(), "circles are read off the edges, and this walk kept none");
        let targets_of = |state, targets: &mut Vec<u32>| {
            targets.extend_from_slice(self.targets(state));
            ControlFlow::Continue(())
        };
        has_cycle(self.len(), targets_of).expect("it is never broken off")
    }

    /// How many transitions are kept; none, if the walk was not told to keep edges.
    pub fn transitions(&self) -> usize {
        self.shape.edges.as_ref().map_or(0, |edges| edges.targets.len())
    }

    /// Whether edges are kept.
    pub fn has_edges(&self) -> bool {
        self.shape.edges.is_some()
    }

    /// The transitions out of a state, in the order of the model's actions; none, if it was not expanded or edges were
    /// not kept. Actions without a successor within the boundary have no edge.
    pub fn edges(&self, id: StateId) -> impl ExactSizeIterator<Item = Edge> + '_ {
        let edges = self.targets(id.0).iter().zip(self.classes(id.0));
        edges.map(|(&target, &class)| Edge { target: StateId(target), class })
    }

    /// Where the state's edges lead.
    pub(super) fn targets(&self, state: u32) -> &[u32] {
        self.shape.edges.as_ref().map_or(&[], |edges| &edges.targets[edges.of(state)])
    }

    /// The classes of the state's edges.
    pub(super) fn classes(&self, state: u32) -> &[u8] {
        self.shape.edges.as_ref().map_or(&[], |edges| &edges.classes[edges.of(state)])
    }
}

impl Edges {
    /// The places of the state's edges; none, if it was not expanded.
    fn of(&self, state: u32) -> Range<usize> {
        let end = |state: u32| self.ends.get(state as usize).map(|&end| end as usize);
        let start = state.checked_sub(1).map_or(Some(0), end);
        start.zip(end(state)).map_or(0..0, |(start, end)| start..end)
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.ends[..]) + size_of_val(&self.targets[..]) + size_of_val(&self.classes[..])
    }
}
