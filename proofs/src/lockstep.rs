//! The tie between model and code: the spec and the running cores walk in lockstep.
//!
//! In every situation both must offer the very same steps and be able to suffer the very same faults, and each step must
//! be the same events on both sides. So what breaks the model breaks the code, and what the code does the model allows.
//! [`walk`] visits every situation that any path leads to, within the same bounds as the model's; [`follow`] and [`wander`]
//! hold single long paths of the cores against the spec.
//!
//! A situation is a pair: a state of the spec and the whole world of the cores. One state may stand beside several worlds,
//! since the cores remember things that the spec shows to be of no consequence. Pairs are told apart by fingerprints of 64
//! bits, so one of n pairs is passed over by mistake with a probability below n² / 2⁶⁵.

mod pair;
mod path;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::hash::BuildHasher;

use crate::mutants::Mutant;
use delivery_model::pipeline::Pipeline;
use delivery_model::spec::State;
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::vocab::{Fault, Move, Step};
use foldhash::quality::FixedState;

pub use self::pair::Difference;
use self::pair::{Pair, Sides};
pub use self::path::{Followed, follow, wander};

/// How far the two walked together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// States of the spec that were visited.
    pub states: usize,
    /// Pairs of a state and a world that were visited.
    pub pairs: usize,
    /// Steps that were taken on both sides.
    pub edges: usize,
    /// How many of them were faults, by kind. A kind that never struck is left out.
    pub struck: BTreeMap<Fault, usize>,
    /// Where they parted; none, if every edge was driven.
    pub parted: Option<Parted>,
    /// Every reachable pair was visited. False if they parted, or if the caller wanted no more.
    pub complete: bool,
}

/// Where spec and cores differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The path there.
    pub path: Vec<Step>,
    /// How they differ.
    pub how: Difference,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nafter", self.how)?;
        self.path.iter().try_for_each(|step| write!(f, "\n  {step:?}"))
    }
}

/// Walks spec and cores together, breadth first, so that they part after as few steps as possible. `keep_going` is asked
/// before each pair is left, with the states and edges so far.
pub fn walk(
    pipeline: &Pipeline,
    messages: u32,
    mutant: Mutant,
    keep_going: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Walked, TooManyMessages> {
    let mut walk = Walk::new(Sides::new(pipeline, messages, mutant)?);
    let (mut parted, mut complete) = (None, true);
    while let Some((at, pair)) = walk.queue.pop_front() {
        complete = keep_going(walk.states.len(), walk.edges);
        if complete && let Err(how) = walk.expand(at, pair) {
            parted = Some(Parted { path: walk.path_to(at), how });
            complete = false;
        }
        if !complete {
            break;
        }
    }
    let Walk { states, parents, edges, struck, .. } = walk;
    Ok(Walked { states: states.len(), pairs: parents.len(), edges, struck, parted, complete })
}

struct Walk {
    sides: Sides,
    states: HashSet<State, FixedState>,
    pairs: HashSet<u64, FixedState>,
    /// By the number of a pair: whence it was first reached, and by which step. The first leads to itself.
    parents: Vec<(u32, Step)>,
    queue: VecDeque<(u32, Pair)>,
    edges: usize,
    struck: BTreeMap<Fault, usize>,
}

impl Walk {
    fn new(sides: Sides) -> Self {
        let start = sides.start();
        let (states, pairs, parents, queue, struck) = Default::default();
        let mut walk = Walk { sides, states, pairs, parents, queue, edges: 0, struck };
        walk.visit(start, (0, Step::Move(Move::Sync)));
        walk
    }

    fn visit(&mut self, pair: Pair, parent: (u32, Step)) {
        if self.pairs.insert(FixedState::default().hash_one(&pair)) {
            self.states.insert(pair.state);
            self.queue.push_back((self.parents.len() as u32, pair));
            self.parents.push(parent);
        }
    }

    fn expand(&mut self, at: u32, pair: Pair) -> Result<(), Difference> {
        if pair.state.is_cut() {
            return Ok(());
        }
        let mut steps = self.sides.steps(&pair)?;
        steps.extend(self.sides.faults(&pair)?);
        // A copy of the cores costs more than anything else here, and the last step needs none.
        let Some(last) = steps.pop() else { return Ok(()) };
        for step in steps {
            self.follow(at, pair.clone(), step)?;
        }
        self.follow(at, pair, last)
    }

    fn follow(&mut self, at: u32, mut pair: Pair, step: Step) -> Result<(), Difference> {
        self.sides.take(&mut pair, step)?;
        self.edges += 1;
        if let Some(fault) = step.fault() {
            *self.struck.entry(fault).or_default() += 1;
        }
        self.visit(pair, (at, step));
        Ok(())
    }

    fn path_to(&self, mut at: u32) -> Vec<Step> {
        let mut path = Vec::new();
        while at > 0 {
            let (parent, step) = self.parents[at as usize];
            path.push(step);
            at = parent;
        }
        path.reverse();
        path
    }
}
